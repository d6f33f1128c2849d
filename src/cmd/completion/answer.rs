//! What may come at the end of a line, and how kubectl is told.

use clap::{Arg, Command, ValueHint};

use super::line::{self, Line, Wanted};
use super::names;
use crate::app::{App, CommandError};
use crate::cmd::word::Word;

/// A word that may be typed, and what it is, on one line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    pub value: String,
    pub about: String,
}

/// What shells do with candidates: cobra's ShellCompDirective, as kubectl passes it on.
const NO_SPACE: u8 = 2;
const NO_FILES: u8 = 4;
const DIRECTORIES: u8 = 16;
/// Files where there are no candidates.
const FILES: u8 = 0;

/// The answer where nothing is known, whatever the reason: no candidates, and no files instead.
pub const NOTHING: &str = ":4\n";

impl Candidate {
    pub fn new(value: impl Into<String>, about: impl Into<String>) -> Self {
        Self { value: value.into(), about: about.into() }
    }
}

/// Answers in the words of the protocol: a candidate a line, its description behind a tab, and what the
/// shell is to do with them at the end. `app` is made of the connection flags on the line, as they were
/// typed.
///
/// # Errors
/// Whatever keeps names from being asked for.
pub async fn answer(
    mut root: Command,
    words: &[String],
    app: impl FnOnce(Vec<String>) -> Option<App>,
) -> Result<String, CommandError> {
    root.build();
    let line = line::read(&root, words);
    let (candidates, directive) = match line.wanted {
        Wanted::Nothing => (Vec::new(), NO_FILES),
        Wanted::Command => (commands(line.command, line.word), NO_FILES),
        Wanted::Flag => (flags(&line), NO_FILES),
        Wanted::Value { arg, .. } if arg.is_positional() && !line.has_room_for(arg) => (Vec::new(), NO_FILES),
        Wanted::Value { arg, lead } => {
            let word = line.word.get(lead.len()..).unwrap_or_default();
            let values = match arg.get::<Word>() {
                Some(word_of) => names::of(*word_of, word, &line, app).await?,
                None => possible(arg),
            };
            let directive = if values.is_empty() { of_hint(arg.get_value_hint()) } else { NO_FILES };
            (values.into_iter().filter_map(|value| led_by(lead, value, line.word)).collect(), directive)
        }
    };
    Ok(written(&candidates, directive))
}

/// A name that begins as `word`; an alias where no name does.
fn commands(command: &Command, word: &str) -> Vec<Candidate> {
    let candidate = |name: &str, command: &Command| {
        name.starts_with(word)
            .then(|| Candidate::new(name, command.get_about().map(ToString::to_string).unwrap_or_default()))
    };
    let visible = || command.get_subcommands().filter(|command| !command.is_hide_set());
    let named: Vec<Candidate> =
        visible().filter_map(|command| candidate(command.get_name(), command)).collect();
    if !named.is_empty() {
        return named;
    }
    visible()
        .flat_map(|command| command.get_visible_aliases().filter_map(move |alias| candidate(alias, command)))
        .collect()
}

/// Flags that may still come: short ones once it is clear that one is meant.
fn flags(line: &Line) -> Vec<Candidate> {
    let arguments = line.command.get_arguments().filter(|arg| !arg.is_positional() && !arg.is_hide_set());
    arguments
        .filter(|arg| line.has_room_for(arg))
        .flat_map(|arg| {
            let long = arg.get_long().map(|long| format!("--{long}"));
            let short = arg.get_short().map(|short| format!("-{short}"));
            let about = arg.get_help().map(ToString::to_string).unwrap_or_default();
            long.into_iter().chain(short).map(move |flag| Candidate::new(flag, about.clone()))
        })
        .filter(|candidate| candidate.value.starts_with(line.word))
        .collect()
}

/// The values that clap knows of.
fn possible(arg: &Arg) -> Vec<Candidate> {
    let shown = arg.get_possible_values().into_iter().filter(|value| !value.is_hide_set());
    shown
        .map(|value| {
            let about = value.get_help().map(ToString::to_string).unwrap_or_default();
            Candidate::new(value.get_name(), about)
        })
        .collect()
}

fn of_hint(hint: ValueHint) -> u8 {
    match hint {
        ValueHint::AnyPath | ValueHint::FilePath => FILES,
        ValueHint::DirPath => DIRECTORIES,
        _ => NO_FILES,
    }
}

/// The candidate as the shell wants it, if it begins as `word`: behind the `=` of a flag, what stands in
/// front of that is the shell's to repeat.
fn led_by(lead: &str, candidate: Candidate, word: &str) -> Option<Candidate> {
    let whole = format!("{lead}{}", candidate.value);
    if !whole.starts_with(word) {
        return None;
    }
    let value = match word.rfind('=').filter(|_| word.starts_with('-')) {
        Some(equals) => whole.get(equals + 1..)?.to_owned(),
        None => whole,
    };
    Some(Candidate { value, ..candidate })
}

/// True for a value that every shell reads as one word as it stands. Shells insert candidates without quotes, and names
/// come from servers and kubeconfigs: a job called `$(touch x)` would run a command.
fn is_one_word(value: &str) -> bool {
    const SPECIAL: &str = "`$\"'\\|&;<>(){}[]*?!";
    !value.is_empty()
        && !value.starts_with(['~', '#'])
        && !value.chars().any(|c| c.is_control() || c.is_whitespace() || SPECIAL.contains(c))
}

fn written(candidates: &[Candidate], directive: u8) -> String {
    let candidates = candidates.iter().filter(|candidate| is_one_word(&candidate.value));
    let mut text = String::new();
    let mut goes_on = true;
    let mut any = false;
    for Candidate { value, about } in candidates {
        let about = about.split_whitespace().collect::<Vec<_>>().join(" ");
        any = true;
        goes_on &= value.ends_with('=');
        text.push_str(value);
        if !about.is_empty() {
            text.push('\t');
            text.push_str(&about);
        }
        text.push('\n');
    }
    let directive = if any && goes_on { directive | NO_SPACE } else { directive };
    text + &format!(":{directive}\n")
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use clap::{CommandFactory, Parser, Subcommand};

    use super::*;

    #[derive(Parser)]
    #[command(name = "kubectl-flink")]
    struct Cli {
        /// Where
        #[arg(short, long, global = true, value_name = "NAME")]
        namespace: Option<String>,

        #[command(subcommand)]
        command: Commands,
    }

    #[derive(Subcommand)]
    enum Commands {
        /// Show it
        #[command(visible_alias = "describe")]
        Status(Status),
        /// Stop it
        Stop,
        #[command(hide = true)]
        Stealth,
    }

    #[derive(clap::Args)]
    struct Status {
        #[arg(add = Word::OneOf(&["roc", "rio", "sea"]))]
        names: Vec<String>,
        #[arg(long, conflicts_with = "names")]
        all: bool,
        #[arg(short, long, add = Word::OneOf(&["json", "jsonpath="]))]
        output: Option<String>,
        #[arg(long, num_args = 0..=1, require_equals = true, value_parser = ["client", "server"])]
        dry_run: Option<String>,
        #[arg(short = 'D', add = Word::OneOf(&["a.b=", "a.c="]))]
        define: Vec<String>,
        #[arg(short, long)]
        file: Option<PathBuf>,
        #[arg(last = true)]
        arguments: Vec<String>,
    }

    /// The values that are offered, and the directive. The words are separated by spaces.
    fn told(line: &str) -> String {
        let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("runtime");
        let answer = runtime.block_on(answer(Cli::command(), &words, |_| None)).expect("answer");
        let value = |line: &str| line.split('\t').next().unwrap_or_default().to_owned();
        answer.lines().map(value).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn commands_are_offered_by_name_and_by_alias_where_no_name_fits() {
        assert_eq!(told(""), "status stop help :4");
        assert_eq!(told("st"), "status stop :4");
        assert_eq!(told("d"), "describe :4");
        assert_eq!(told("x"), ":4");
        assert_eq!(told("help st"), "status stop :4");
        assert_eq!(told("nothing "), ":4", "nobody knows what follows that");
    }

    #[test]
    fn a_description_is_one_line() {
        let candidates = [Candidate::new("roc", "two\n  lines\tof it"), Candidate::new("rio", "")];
        assert_eq!(written(&candidates, NO_FILES), "roc\ttwo lines of it\nrio\n:4\n");
        let odd = [Candidate::new("a\nb", ""), Candidate::new("", "nothing")];
        assert_eq!(written(&odd, FILES), ":0\n");
    }

    #[test]
    fn the_value_of_a_flag_is_no_command() {
        assert_eq!(told("-n stop st"), "status stop :4");
        assert_eq!(told("--namespace status st"), "status stop :4");
        assert_eq!(told("--namespace=status st"), "status stop :4");
        assert_eq!(told("-nstop st"), "status stop :4");
        assert_eq!(told("status stop s"), "sea :4", "nor is a name");
    }

    #[test]
    fn flags_are_offered_once_a_dash_is_there_unless_they_stand_there_already() {
        assert_eq!(told("status --a"), "--all :4");
        assert_eq!(told("status --all --a"), ":4");
        assert_eq!(told("status -n a --n"), ":4");
        assert_eq!(told("status -D a.b=1 -D"), "-D :4", "what may be repeated is");
        assert_eq!(told("status -"), "--all --output -o --dry-run -D --file -f --namespace -n --help -h :4");
        assert_eq!(told("status roc --a"), ":4", "it does not go with a name");
        assert_eq!(told("status -- -"), ":4", "behind -- there are none");
    }

    #[test]
    fn values_follow_their_flag_in_any_form() {
        assert_eq!(told("status -o "), "json jsonpath= :4");
        assert_eq!(told("status --output j"), "json jsonpath= :4");
        assert_eq!(told("status -oj"), "-ojson -ojsonpath= :4");
        // What stands in front of = the shell repeats.
        assert_eq!(told("status --output=j"), "json jsonpath= :4");
        assert_eq!(told("status -o=j"), "json jsonpath= :4");
        assert_eq!(told("status -o jsonp"), "jsonpath= :6", "it goes on behind =");
        assert_eq!(told("status -Da"), "-Da.b= -Da.c= :6");
        assert_eq!(told("status --no-such="), ":4");
        assert_eq!(told("status --all="), ":4");
    }

    #[test]
    fn a_value_that_needs_an_equals_sign_is_no_word_of_its_own() {
        assert_eq!(told("status --dry-run="), "client server :4");
        assert_eq!(told("status --dry-run r"), "roc rio :4");
    }

    #[test]
    fn names_are_offered_while_there_is_room() {
        assert_eq!(told("status roc -o json r"), "roc rio :4");
        assert_eq!(told("status --all r"), ":4", "--all takes none");
        assert_eq!(told("status -- r"), "roc rio :4");
        assert_eq!(told("stop r"), ":4");
    }

    #[test]
    fn files_are_the_shells() {
        assert_eq!(told("status -f "), ":0");
        assert_eq!(told("status --file=x"), ":0");
    }

    #[test]
    fn what_a_shell_would_not_read_as_one_word_is_not_offered() {
        let hostile = [
            "$(touch x)",
            "`id`",
            "a b",
            "a;b",
            "a|b",
            "a>b",
            "a'b",
            "a\"b",
            "a\\b",
            "~root",
            "#a",
            "!1",
            "{a,b}",
            "a\u{202f}b",
        ];
        let plain = [
            "roc",
            "0a1b2c",
            "-Dkey=",
            "user@host:6443/a_b.c",
            "10.244.0.5:6122-d43fe1",
            "https://x/y#z",
            "ré",
        ];
        let candidates: Vec<Candidate> =
            hostile.iter().chain(&plain).map(|value| Candidate::new(*value, "")).collect();
        let offered = written(&candidates, NO_FILES);
        assert_eq!(offered, format!("{}\n:4\n", plain.join("\n")));
    }
}
