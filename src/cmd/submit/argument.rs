//! What was typed as JAR: a file, a pipe, or something that is said to be something else.

use std::fs::File;
use std::io::{self, IsTerminal};
use std::path::Path;

use tokio::sync::oneshot;

use super::Args;
use super::classes::retyped;
use crate::app::jar::{self, Jar, JarError};
use crate::app::{App, CommandError};
use crate::exit::Exit;
use crate::session::text::shell::quoted;

/// What messages call a jar that came through stdin.
const STDIN: &str = "stdin";

/// Looks into the jar. One that comes through a pipe is read to its end first.
///
/// # Errors
/// When what was typed is not a jar on this machine, with the command that submits it all the same.
pub async fn read(args: &Args, app: &App) -> Result<Jar, CommandError> {
    let told = |error: JarError| CommandError::new(Exit::Error, error.to_string());
    let path = args.jar.as_path();
    if path.as_os_str() == "-" {
        if io::stdin().is_terminal() {
            let here = retyped(args, "-", args.class.as_deref(), app);
            return Err(CommandError::new(Exit::Error, "JAR is -, and stdin is a terminal")
                .hint(format!("curl -fL URL | {here}")));
        }
        let file = spooled(|| Ok(io::stdin()), Path::new(STDIN), app).await?;
        return Jar::of_spooled(Path::new(STDIN), file).map_err(told);
    }
    refuse_elsewhere(args, app)?;
    refuse_scripts(args, app)?;
    if jar::is_pipe(path).map_err(told)? {
        let opened = path.to_owned();
        let file = spooled(move || File::open(opened), path, app).await?;
        return Jar::of_spooled(path, file).map_err(told);
    }
    Jar::look(path).map_err(told)
}

/// Reads a pipe to its end. Nobody waits for the thread that does once the command is interrupted, and the file has no
/// name, so that nothing of it remains.
async fn spooled<R: io::Read>(
    open: impl FnOnce() -> io::Result<R> + Send + 'static,
    path: &Path,
    app: &App,
) -> Result<File, CommandError> {
    let (sender, receiver) = oneshot::channel();
    std::thread::spawn(move || drop(sender.send(open().and_then(jar::spool))));
    let read = app.ui.progress().shown_while(&format!("the end of {}", path.display()), receiver).await;
    let read = read.unwrap_or_else(|_| Err(io::Error::other("reading it has ended early")));
    read.map_err(|error| {
        let what = format!("cannot copy {} to a temporary file: {error}", path.display());
        let error = CommandError::new(Exit::Error, what);
        error.hint("TMPDIR names a directory with space for the jar; or download it and submit the file")
    })
}

/// An address is not a file. Names with `:` are, if there is such a file.
fn refuse_elsewhere(args: &Args, app: &App) -> Result<(), CommandError> {
    let text = args.jar.to_string_lossy();
    let Some((scheme, rest)) = text.split_once(':').filter(|(scheme, _)| is_scheme(scheme)) else {
        return Ok(());
    };
    if args.jar.exists() {
        return Ok(());
    }
    let name = quoted(&args.name);
    let with = |jar: &str| retyped(args, jar, args.class.as_deref(), app);
    let here = with("-");
    let (shown, has_secret) = without_secrets(&text);
    // What is secret is not printed, and then the address cannot be pasted.
    let address = if has_secret { "URL".to_owned() } else { quoted(&text) };
    let scheme = scheme.to_ascii_lowercase();
    let path = quoted(rest.trim_start_matches('/'));
    let hint = match scheme.as_str() {
        "http" | "https" | "ftp" => format!("curl -fL {address} | {here}"),
        "s3" | "s3a" | "s3n" | "s3p" => format!("aws s3 cp s3:{} - | {here}", quoted(rest)),
        "gs" => format!("gcloud storage cat {address} | {here}"),
        "hdfs" | "viewfs" => format!("hdfs dfs -cat {address} | {here}"),
        // A file of the image, as in a FlinkDeployment's jarURI.
        "local" => {
            format!("kubectl exec{} deployment/{name} -- cat /{path} | {here}", app.scope_flags())
        }
        "file" => with(&format!("/{}", rest.trim_start_matches('/'))),
        _ => format!("download it; a jar can also come through stdin: ... | {here}"),
    };
    let why = match scheme.as_str() {
        "local" => {
            "it names a file of the session's image, and Flink's REST API runs only jars that were uploaded"
        }
        "file" => "submit takes the path of a file",
        _ => "submit uploads a jar from this machine and downloads none",
    };
    let what = format!("cannot submit {shown}: JAR is a file, or - for stdin");
    Err(CommandError::new(Exit::Error, what).because(why).hint(hint))
}

/// `https` and `s3`, and not `C` of a path in Windows.
fn is_scheme(word: &str) -> bool {
    word.len() > 1
        && word.starts_with(|c: char| c.is_ascii_alphabetic())
        && word.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c))
}

/// An address without user and password, and without a query, which can be a signature; true when there was any.
fn without_secrets(address: &str) -> (String, bool) {
    let plain = address.split(['?', '#']).next().unwrap_or_default();
    let (scheme, rest) = plain.split_once("://").unwrap_or(("", plain));
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    let shown = if scheme.is_empty() { plain.to_owned() } else { format!("{scheme}://{host}{path}") };
    let has_secret = shown != address;
    (shown, has_secret)
}

/// Other programs of Flink's have commands of their own.
fn refuse_scripts(args: &Args, app: &App) -> Result<(), CommandError> {
    let extension = args.jar.extension().map(|extension| extension.to_string_lossy().to_lowercase());
    let file = args.jar.display();
    match extension.as_deref() {
        Some("py") => Err(CommandError::new(Exit::Error, format!("{file} is a Python program, and submit takes jars"))
            .because("a session's REST runs no Python: Flink's own client must, next to a Python interpreter")
            .hint(format!(
                "in a pod with both: flink run --target kubernetes-session -Dkubernetes.cluster-id={} --python {}",
                quoted(&args.name),
                quoted(&args.jar.to_string_lossy())
            ))),
        Some("sql") => Err(CommandError::new(Exit::Error, format!("{file} is an SQL script, and submit takes jars"))
            .hint(format!(
                "Flink's SQL client runs it in the session: kubectl exec{} -i deployment/{} -- bin/sql-client.sh \
                 -Dexecution.target=remote -Drest.address=localhost -f /dev/stdin < {}",
                app.scope_flags(),
                quoted(&args.name),
                quoted(&args.jar.to_string_lossy())
            ))),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_shown_without_what_is_secret() {
        let shown = |address| without_secrets(address);
        assert_eq!(shown("https://host/a.jar"), ("https://host/a.jar".to_owned(), false));
        for secret in [
            "https://me:pa@ss@host/a.jar",
            "https://host/a.jar?X-Amz-Signature=abc",
            "https://token@host/a.jar#x",
        ] {
            assert_eq!(shown(secret), ("https://host/a.jar".to_owned(), true), "{secret}");
        }
        assert_eq!(shown("s3://bucket/a@b.jar").0, "s3://bucket/a@b.jar");
        assert_eq!(shown("local:/opt/a.jar"), ("local:/opt/a.jar".to_owned(), false));
    }

    #[test]
    fn a_drive_is_not_a_scheme() {
        assert!(is_scheme("s3a") && is_scheme("https") && is_scheme("git+ssh"));
        assert!(!is_scheme("C") && !is_scheme("") && !is_scheme("my file"));
    }
}
