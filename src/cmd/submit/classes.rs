//! The class that is to be started: whether Flink will find it, before the jar travels.
//!
//! What Flink accepts is never refused. It looks for the class in the jar, in the jars that this one brings in `lib/`,
//! and on the session's own class path (`PackagedProgram.loadMainClass`), which is not known here. So a class that the
//! jar does not have is refused only if its name cannot be anything but another spelling of one that the jar has.

use super::Args;
use crate::app::jar::{Jar, Layout, Mains, Startable};
use crate::app::{App, CommandError};
use crate::exit::Exit;
use crate::session::flink_config::keys;
use crate::session::spec::did_you_mean::nearest;
use crate::session::text::shell::quoted;

/// So many classes are listed.
const LISTED: usize = 10;

/// Classes of the session's own: of its distribution, or of what people add to its `lib` directory.
const FLINKS: &str = "org.apache.flink.";

/// Checks the class of `--class`, or the one that the manifest names.
///
/// # Errors
/// When Flink would not start it, and when no class is named.
pub fn check(args: &Args, jar: &Jar, app: &App) -> Result<(), CommandError> {
    let Some(class) = args.class.as_ref().or(jar.main_class.as_ref()) else {
        return Err(unnamed(args, jar, app));
    };
    let (shown, by_manifest) = (&jar.name, args.class.is_none());
    if by_manifest && Layout::is_launcher(class) {
        let what =
            format!("{shown} is a Spring Boot application, which only its own launcher {class} can load");
        return Err(packed(CommandError::new(Exit::Error, what), Layout::SpringBoot));
    }
    let named = |what: &str| match by_manifest {
        true => format!("the manifest of {shown} names class {class}, {what}"),
        false => format!("cannot start class {class} of {shown}, {what}"),
    };
    let refused =
        |what: &str| Err(listed(CommandError::new(Exit::Error, named(what)), &jar.mains(), args, app));
    match jar.startable(class) {
        Startable::Yes => Ok(()),
        Startable::WithoutMain => refused("which has no method public static void main(String[])"),
        Startable::NotPublic => refused("which is not public"),
        Startable::OutOfReach => {
            let what = named("which is in a directory that Flink does not load classes from");
            Err(packed(CommandError::new(Exit::Error, what), jar.layout.unwrap_or(Layout::SpringBoot)))
        }
        Startable::Missing => missing(args, jar, class, app),
    }
}

/// The class may be the session's: then Flink starts it.
fn missing(args: &Args, jar: &Jar, class: &str, app: &App) -> Result<(), CommandError> {
    let what = match &args.class {
        Some(_) => format!("{} has no class {class}", jar.name),
        None => format!("the manifest of {} names class {class}, which the jar does not have", jar.name),
    };
    let alike = jar.spelled_alike(class);
    if !alike.is_empty() {
        let alike = Mains { names: alike, is_complete: true };
        return Err(listed(CommandError::new(Exit::Error, what), &alike, args, app));
    }
    // A class of Flink's own, or one of a jar in this one, is none that the jar should have.
    if class.starts_with(FLINKS) || jar.has_libraries {
        return Ok(());
    }
    app.ui.warn(&format!("{what}: it can start only if the session has it in its lib directory"));
    let mains = jar.mains();
    let simple = |class: &str| class.rsplit('.').next().unwrap_or_default().to_owned();
    let simples: Vec<String> = mains.names.iter().map(|name| simple(name)).collect();
    let meant = nearest(&simple(class), simples.iter().map(String::as_str));
    let meant: Vec<String> =
        mains.names.iter().filter(|name| Some(simple(name).as_str()) == meant).cloned().collect();
    match &meant[..] {
        [] if mains.names.is_empty() => {}
        [] => app.ui.note(&format!("  {}", sentence(&mains))),
        meant => app.ui.hint(&format!("did you mean {}?", meant.join(" or "))),
    }
    Ok(())
}

/// Neither the command line nor the manifest names a class.
fn unnamed(args: &Args, jar: &Jar, app: &App) -> CommandError {
    let what = format!("the manifest of {} names no main class", jar.path.display());
    let error = CommandError::new(Exit::Error, what);
    if jar.is_without_classes() {
        return error.because("there is no Java class in it");
    }
    let mains = jar.mains();
    match jar.layout {
        Some(layout) if mains.names.is_empty() => packed(error, layout),
        _ => listed(error, &mains, args, app),
    }
}

/// Adds the classes that can be started, and the command that starts the only one.
fn listed(error: CommandError, mains: &Mains, args: &Args, app: &App) -> CommandError {
    let jar = args.jar.to_string_lossy();
    let with = |class: &str| retyped(args, &jar, Some(class), app);
    match &mains.names[..] {
        [] => error.because(sentence(mains)).hint(with("CLASS")),
        [one] if mains.is_complete => error.hint(with(one)),
        _ => error.because(sentence(mains)).hint(with("CLASS")),
    }
}

fn sentence(mains: &Mains) -> String {
    let shown = mains.names.iter().take(LISTED).cloned().collect::<Vec<_>>().join(", ");
    let more = match mains.names.len().saturating_sub(LISTED) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let searched = if mains.is_complete { "" } else { " (not every class was searched)" };
    match &mains.names[..] {
        [] => format!("no public class in it has a method public static void main(String[]){searched}"),
        [_] => format!("this class has a main method: {shown}{searched}"),
        _ => format!("these classes have a main method: {shown}{more}{searched}"),
    }
}

/// Why Flink does not find the classes of an application of this layout, and what to build instead.
fn packed(error: CommandError, layout: Layout) -> CommandError {
    let (place, instead) = match layout {
        Layout::SpringBoot => (
            "BOOT-INF",
            "build a plain jar with its dependencies beside its classes, with maven-shade-plugin or Gradle's shadowJar \
             instead of spring-boot-maven-plugin or bootJar",
        ),
        Layout::War => (
            "WEB-INF",
            "build a jar with its dependencies beside its classes, with maven-shade-plugin or Gradle's shadowJar, \
             instead of a WAR",
        ),
    };
    error
        .because(format!(
            "Flink loads classes from the root of a jar and from jars in lib/, not from {place}"
        ))
        .hint(instead)
}

/// The command as it was typed, with this jar and class.
pub fn retyped(args: &Args, jar: &str, class: Option<&str>, app: &App) -> String {
    let mut words = vec![format!("kubectl flink submit {} {}", quoted(&args.name), quoted(jar))];
    let value = |flag: &str, value: &str| format!("{flag} {}", quoted(value));
    // A class in a class has a `$` in its name.
    words.extend(class.map(|class| value("--class", class)));
    words.extend(args.parallelism.map(|number| format!("--parallelism {number}")));
    words.extend(args.from_savepoint.as_deref().map(|path| value("--from-savepoint", path)));
    words.extend(args.allow_non_restored_state.then(|| "--allow-non-restored-state".to_owned()));
    words.extend(
        args.settings.iter().map(|(key, text)| value("-D", &without_secret(&format!("{key}={text}")))),
    );
    words.extend(args.unchecked_config.then(|| "--unchecked-config".to_owned()));
    words.extend(args.wait.then(|| "--wait".to_owned()));
    words.extend(args.timeout.map(|timeout| format!("--timeout {}ms", timeout.as_millis())));
    words.extend(args.keep_jar.then(|| "--keep-jar".to_owned()));
    let arguments = typed_arguments(&args.arguments);
    format!("{}{}{}{arguments}", words.join(" "), args.rest.typed(), app.scope_flags())
}

/// `KEY=VALUE` without a value that is a secret, by the name of its key.
pub fn without_secret(setting: &str) -> String {
    match setting.split_once('=') {
        Some((key, _)) if keys::is_secret(key) => format!("{key}=..."),
        _ => setting.to_owned(),
    }
}

/// The arguments of a program in a command to type, with a space in front. None of them is printed where one may be a
/// secret.
pub fn typed_arguments(arguments: &[String]) -> String {
    match arguments {
        [] => String::new(),
        arguments if arguments.iter().any(|word| keys::is_secret(word)) => " -- ARGS".to_owned(),
        arguments => arguments.iter().fold(" --".to_owned(), |text, word| text + " " + &quoted(word)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_to_type_has_no_secrets() {
        let words = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(typed_arguments(&words("--topic a;b")), " -- --topic 'a;b'");
        assert_eq!(typed_arguments(&words("--db-password hunter2")), " -- ARGS");
        assert_eq!(typed_arguments(&[]), "");
        assert_eq!(without_secret("s3.secret-key=abc"), "s3.secret-key=...");
        assert_eq!(without_secret("s3.endpoint=abc"), "s3.endpoint=abc");
    }

    #[test]
    fn a_list_of_classes_is_bounded_and_says_what_it_leaves_out() {
        let mains = |number: usize, is_complete| {
            sentence(&Mains { names: (0..number).map(|index| format!("a.C{index}")).collect(), is_complete })
        };
        assert_eq!(mains(1, true), "this class has a main method: a.C0");
        assert!(mains(LISTED + 2, true).ends_with(", a.C9 and 2 more"), "{}", mains(12, true));
        assert!(mains(0, false).ends_with(" (not every class was searched)"));
    }
}
