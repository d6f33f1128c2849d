//! docs/reference and docs/man are made of the commands' definitions, and are as those say. `make reference` makes
//! them anew.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use clap::{Arg, Command};
use kubectl_flink::cli;

const MADE: &str = "<!-- Made of the command's definition by `make reference`. -->";

/// A text as it stands in a table.
fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('<', "&lt;").replace('\n', " ")
}

/// The definitions, with everything that clap adds.
fn root() -> Command {
    let mut root = cli::command();
    root.build();
    root
}

/// Commands of people, with the words that lead to them.
fn commands(command: &Command, words: &str, all: &mut Vec<(String, Command)>) {
    for below in command.get_subcommands().filter(|below| !below.is_hide_set() && below.get_name() != "help")
    {
        let words = format!("{words} {}", below.get_name()).trim().to_owned();
        all.push((words.clone(), below.clone()));
        commands(below, &words, all);
    }
}

/// `-o, --output FORMAT`, as one would type it.
fn typed(arg: &Arg) -> String {
    let value = || {
        let names = arg.get_value_names().unwrap_or_default();
        names.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
    };
    let takes_value = arg.get_action().takes_values();
    if arg.is_positional() {
        return format!("`{}`", value());
    }
    let short = arg.get_short().map(|short| format!("-{short}"));
    let long = arg.get_long().map(|long| format!("--{long}"));
    let mut typed = [short, long].into_iter().flatten().collect::<Vec<_>>().join(", ");
    if takes_value {
        let is_optional = arg.get_num_args().is_some_and(|range| range.min_values() == 0);
        let _ = match is_optional {
            true => write!(typed, "[={}]", value()),
            false => write!(typed, " {}", value()),
        };
    }
    format!("`{typed}`")
}

fn meaning(arg: &Arg) -> String {
    let mut meaning = arg.get_long_help().or(arg.get_help()).map(ToString::to_string).unwrap_or_default();
    let defaults: Vec<_> = arg.get_default_values().iter().map(|value| value.to_string_lossy()).collect();
    if !defaults.is_empty() && !arg.is_hide_default_value_set() && arg.get_action().takes_values() {
        let _ = write!(meaning, " [default: {}]", defaults.join(" "));
    }
    cell(&meaning)
}

/// Tables of `args`, one for each heading, in the order of the definitions.
fn tables<'a>(args: impl Iterator<Item = &'a Arg>) -> String {
    let mut headings: Vec<(String, Vec<&Arg>)> = Vec::new();
    for arg in args.filter(|arg| !arg.is_hide_set()) {
        let heading = match arg.get_help_heading() {
            _ if arg.is_positional() => "Arguments",
            heading => heading.unwrap_or("Flags"),
        };
        match headings.iter_mut().find(|(known, _)| known == heading) {
            Some((_, args)) => args.push(arg),
            None => headings.push((heading.to_owned(), vec![arg])),
        }
    }
    let table = |(heading, args): &(String, Vec<&Arg>)| {
        let rows: String =
            args.iter().map(|arg| format!("| {} | {} |\n", typed(arg), meaning(arg))).collect();
        format!("\n## {heading}\n\n| | |\n| --- | --- |\n{rows}")
    };
    headings.iter().map(table).collect()
}

fn is_of_all(arg: &Arg) -> bool {
    arg.is_global_set() || ["help", "version"].contains(&arg.get_id().as_str())
}

/// A page of the reference.
fn page(words: &str, command: &Command) -> String {
    let about = command.get_long_about().or(command.get_about()).map(ToString::to_string).unwrap_or_default();
    let about = about.replace('<', "&lt;");
    let mut page = format!("{MADE}\n\n# kubectl flink {words}\n\n{about}\n\n```text\n");
    let usage = command.clone().render_usage().to_string();
    let _ = writeln!(page, "{}\n```", usage.trim_start_matches("Usage: ").trim_end());
    let aliases: Vec<String> = command.get_visible_aliases().map(|alias| format!("`{alias}`")).collect();
    if !aliases.is_empty() {
        let _ = writeln!(page, "\nAlso called {}.", aliases.join(", "));
    }
    let below: Vec<&Command> = command
        .get_subcommands()
        .filter(|below| !below.is_hide_set() && below.get_name() != "help")
        .collect();
    if !below.is_empty() {
        page.push_str("\n## Commands\n\n| | |\n| --- | --- |\n");
        for below in below {
            let about = below.get_about().map(ToString::to_string).unwrap_or_default();
            let link = format!("{words} {}", below.get_name()).replace(' ', "-");
            let _ = writeln!(page, "| [`{}`]({link}.md) | {} |", below.get_name(), cell(&about));
        }
    }
    page.push_str(&tables(command.get_arguments().filter(|arg| !is_of_all(arg))));
    page.push_str("\nAnd [the flags of every command](README.md#connection).\n");
    if let Some(after) = command.get_after_long_help().or(command.get_after_help()) {
        let _ = write!(page, "\n## More\n\n```text\n{}\n```\n", after.to_string().trim_end());
    }
    page
}

/// The first page: all commands, and the flags that each takes.
fn contents(root: &Command, all: &[(String, Command)]) -> String {
    let mut page = format!("{MADE}\n\n# Reference\n\n| command | |\n| --- | --- |\n");
    for (words, command) in all {
        let about = command.get_about().map(ToString::to_string).unwrap_or_default();
        let _ = writeln!(page, "| [`{words}`]({}.md) | {} |", words.replace(' ', "-"), cell(&about));
    }
    page.push_str("\nEvery command takes these flags, in any position:\n");
    page.push_str(&tables(root.get_arguments().filter(|arg| is_of_all(arg))));
    page
}

/// All files, by their paths below docs/.
fn made() -> BTreeMap<PathBuf, String> {
    let root = root();
    let mut all = Vec::new();
    commands(&root, "", &mut all);
    let mut files = BTreeMap::from([(PathBuf::from("reference/README.md"), contents(&root, &all))]);
    for (words, command) in &all {
        files.insert(format!("reference/{}.md", words.replace(' ', "-")).into(), page(words, command));
    }
    let whole = std::iter::once((String::new(), root)).chain(all);
    for (words, command) in whole {
        let name = format!("kubectl-flink {words}").trim().replace(' ', "-");
        let is_of_one = !words.is_empty();
        // The first page has what every command takes.
        let command = command.mut_args(|arg| match is_of_one && is_of_all(&arg) {
            true => arg.hide(true),
            false => arg,
        });
        let man = clap_mangen::Man::new(command.display_name(name.clone())).title(name.clone());
        let mut text = Vec::new();
        man.render(&mut text).expect("man page");
        files.insert(format!("man/{name}.1").into(), String::from_utf8(text).expect("UTF-8"));
    }
    files
}

/// Every file below `directory`, by its path below docs/.
fn there(docs: &Path, directory: &str) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(docs.join(directory)) else { return Vec::new() };
    entries.flatten().map(|entry| Path::new(directory).join(entry.file_name())).collect()
}

#[test]
fn the_reference_is_as_the_commands_are_defined() {
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs");
    let made = made();
    let is_asked_for = std::env::var_os("MAKE_REFERENCE").is_some();
    let mut differ: Vec<&Path> = Vec::new();
    for (path, text) in &made {
        if fs::read_to_string(docs.join(path)).ok().as_ref() == Some(text) {
            continue;
        }
        if is_asked_for {
            fs::create_dir_all(docs.join(path).parent().expect("directory")).expect("directory");
            fs::write(docs.join(path), text).expect("page");
        } else {
            differ.push(path);
        }
    }
    assert!(differ.is_empty(), "not as the commands are defined: run make reference\n{differ:#?}");
    for path in ["reference", "man"].into_iter().flat_map(|directory| there(&docs, directory)) {
        if !made.contains_key(&path) {
            assert!(is_asked_for, "there is no command for docs/{}: run make reference", path.display());
            fs::remove_file(docs.join(&path)).expect("page");
        }
    }
}

/// Examples stand in every help page, and begin as one types them.
#[test]
fn every_command_has_examples() {
    let mut all = Vec::new();
    commands(&root(), "", &mut all);
    // Those of a command with others below it are for them, too.
    for (words, command) in all.iter().filter(|(words, _)| !words.contains(' ')) {
        let after = command.get_after_long_help().or(command.get_after_help());
        let after = after.map(ToString::to_string).unwrap_or_default();
        assert!(after.contains(&format!("  kubectl flink {words}")), "{words}: {after}");
    }
}
