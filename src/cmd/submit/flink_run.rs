//! Lines that are typed as for `flink run`, and what they are here.
//!
//! `flink run [OPTIONS] JAR ARGUMENTS` has flags of its own, takes every word after the jar as an argument of the program,
//! and no session (`CliFrontendParser`, `GenericCLI` and `FlinkYarnSessionCli` of Flink 1.10 to 2.3). Two of its flags are
//! kubectl's here: `-n` is the namespace, `-s` the API server.

use std::ffi::OsString;

use clap::ArgAction;
use clap::error::{ContextKind, ContextValue, ErrorKind};

use super::classes::{typed_arguments, without_secret};
use crate::app::CommandError;
use crate::exit::Exit;
use crate::session::spec::did_you_mean::nearest;
use crate::session::text::shell::quoted;

/// What becomes of a flag of `flink run`.
enum Here {
    /// It has another name.
    Flag(&'static str),
    /// It is a setting of Flink's.
    Setting(&'static str),
    /// It is JAR.
    Jar,
    /// There is nothing to say.
    Left(&'static str),
}

/// The flags of `flink run` that `submit` does not have: names, whether a value follows, and what they are here.
const FLAGS: [(&[&str], bool, Here); 14] = [
    (&["-c"], true, Here::Flag("--class")),
    (&["-s", "--fromSavepoint"], true, Here::Flag("--from-savepoint")),
    (&["-n", "--allowNonRestoredState"], false, Here::Flag("--allow-non-restored-state")),
    (&["-j", "--jarfile"], true, Here::Jar),
    (
        &["-rm", "--restoreMode", "-claim", "--claimMode"],
        true,
        Here::Setting("execution.savepoint-restore-mode"),
    ),
    (&["-yD"], true, Here::Flag("-D")),
    (
        &["-d", "--detached", "-yd", "--yarndetached"],
        false,
        Here::Left("submit returns once the jobs have started; --wait follows them to their end"),
    ),
    (
        &["-C", "--classpath"],
        true,
        Here::Left(
            "Flink's REST API takes no class path: the classes belong into the jar, or into the image of the session",
        ),
    ),
    (&["-t", "--target", "-e", "--executor"], true, Here::Left("NAME is the session that runs the program")),
    (
        &["-m", "--jobmanager"],
        true,
        Here::Left(
            "NAME is the session that runs the program; --address URL reaches its REST API another way",
        ),
    ),
    (
        &["-sae", "--shutdownOnAttachedExit"],
        false,
        Here::Left("a session outlives its jobs; to delete it: kubectl flink delete NAME"),
    ),
    (
        &["-z", "--zookeeperNamespace"],
        true,
        Here::Left("high availability is set when the session is created"),
    ),
    (
        &["-py", "--python", "-pym", "--pyModule", "-pyfs", "--pyFiles", "-pyarch", "--pyArchives", "-pyreq"],
        true,
        Here::Left("Flink's REST API runs no Python: flink run does, in a pod with a Python interpreter"),
    ),
    (&["-yq", "--yarnquery", "-yh", "--yarnhelp"], false, Here::Left(YARN)),
];

const YARN: &str = "it is for YARN, and without meaning on Kubernetes";

/// The line, taken apart.
#[derive(Default)]
struct Line {
    name: Option<String>,
    jar: Option<String>,
    flags: Vec<String>,
    arguments: Vec<String>,
    /// What is otherwise here, each once: the word and what it is.
    notes: Vec<(String, String)>,
}

/// What to type instead of a line that was typed as for `flink run`. None where nothing of it is of that kind.
///
/// `words` is the whole line, `command` the definition of all commands, `error` why the line was refused.
pub fn advice(
    words: &[OsString],
    command: &clap::Command,
    error: Option<&clap::Error>,
) -> Option<CommandError> {
    if error.is_some_and(|error| matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion)) {
        return None;
    }
    let words: Vec<String> = words.iter().map(|word| word.to_string_lossy().into_owned()).collect();
    let start = words.iter().position(|word| word == "submit" || word == "run")?;
    let mut line = Line { flags: words[1..start].to_vec(), ..Line::default() };
    line.read(&words[start + 1..], command, error.and_then(refused_flag).as_deref());
    line.name_behind_n();
    line.told()
}

/// The flag whose value was refused, if it is one that many programs have too.
fn refused_flag(error: &clap::Error) -> Option<String> {
    if !matches!(error.kind(), ErrorKind::InvalidValue | ErrorKind::ValueValidation) {
        return None;
    }
    match error.get(ContextKind::InvalidArg)? {
        // `--output <FORMAT>`
        ContextValue::String(flag) => {
            flag.split(' ').next().filter(|flag| *flag == "--output").map(str::to_owned)
        }
        _ => None,
    }
}

impl Line {
    fn read(&mut self, words: &[String], command: &clap::Command, refused: Option<&str>) {
        let mut rest = words;
        while let Some((word, after)) = rest.split_first() {
            rest = after;
            let next = after.first().map(String::as_str);
            if word == "--" {
                self.arguments.extend(after.iter().cloned());
                return;
            }
            if let Some((names, has_value, here)) = of_flink_run(word, next) {
                let value = if *has_value { next } else { None };
                rest = &after[value.iter().len()..];
                self.take(word, names[0], value, here);
                continue;
            }
            let own = own_flag(word, command);
            let is_refused = refused.is_some() && refused == word.split('=').next();
            if own.is_none() && is_slip(word, command) {
                self.notes.clear();
                return;
            }
            if self.jar.is_some() && (own.is_none() || is_refused) {
                let note = if is_refused {
                    format!("{} is a flag of submit", refused.unwrap_or_default())
                } else {
                    "what follows the jar are flags of submit".to_owned()
                };
                self.notes.push((word.clone(), format!("{note}: arguments of the program come after --")));
                self.arguments.extend(std::iter::once(word).chain(after).cloned());
                return;
            }
            match own {
                Some((_, takes_next)) => {
                    self.flags.push(word.clone());
                    let value = next.filter(|_| takes_next);
                    self.flags.extend(value.map(str::to_owned));
                    rest = &after[value.iter().len()..];
                }
                // Another slip, which is not for here.
                None if word.len() > 1 && word.starts_with('-') => {
                    self.notes.clear();
                    return;
                }
                None if self.name.is_none() && !word.ends_with(".jar") => self.name = Some(word.clone()),
                None => {
                    if self.name.is_none() {
                        self.notes.push((word.clone(), "the name of a session comes first".to_owned()));
                    }
                    self.jar = Some(word.clone());
                }
            }
        }
    }

    fn take(&mut self, word: &str, name: &str, value: Option<&str>, here: &Here) {
        let note = match here {
            Here::Flag(flag) => {
                self.flags.push((*flag).to_owned());
                self.flags.extend(value.map(str::to_owned));
                match name {
                    "-n" if word == "-n" => {
                        format!("it is kubectl's --namespace here, and flink run's -n is {flag}")
                    }
                    "-s" if word == "-s" => {
                        format!("it is kubectl's --server here, and flink run's -s is {flag}")
                    }
                    _ => format!("it is {flag} here"),
                }
            }
            Here::Setting(key) => {
                self.flags.extend(["-D".to_owned(), format!("{key}={}", value.unwrap_or_default())]);
                format!("it is -D {key}=... here")
            }
            Here::Jar => {
                self.jar = value.map(str::to_owned);
                "the jar is the word after the name of the session".to_owned()
            }
            Here::Left(why) => (*why).to_owned(),
        };
        self.notes.push((word.to_owned(), note));
    }

    /// `-n roc a.jar` without another name of a session has none of a namespace either.
    fn name_behind_n(&mut self) {
        let Some(at) = self.flags.iter().position(|flag| flag == "-n") else { return };
        if self.name.is_none() && self.jar.is_some() && at + 1 < self.flags.len() {
            self.name = Some(self.flags.remove(at + 1));
            self.flags.remove(at);
            self.take("-n", "-n", None, &Here::Flag("--allow-non-restored-state"));
        }
    }

    fn told(self) -> Option<CommandError> {
        let [(first, _), ..] = &self.notes[..] else { return None };
        let what = format!("{first} of flink run is not a flag of submit");
        let what = if first.starts_with('-') && of_flink_run(first, None).is_some() {
            what
        } else {
            format!("unexpected {first:?}")
        };
        let mut told = CommandError::new(Exit::Error, what);
        for (word, note) in &self.notes {
            told = told.because(format!("{word}: {note}"));
        }
        let mut flags = String::new();
        let mut is_token = false;
        for word in &self.flags {
            let shown = match word.strip_prefix("--token=") {
                _ if is_token => "...".to_owned(),
                Some(_) => "--token=...".to_owned(),
                None => without_secret(word),
            };
            is_token = word == "--token";
            flags = flags + " " + &quoted(&shown);
        }
        let named = |word: &Option<String>, otherwise: &str| quoted(word.as_deref().unwrap_or(otherwise));
        Some(told.hint(format!(
            "kubectl flink submit {} {}{flags}{}",
            named(&self.name, "NAME"),
            named(&self.jar, "JAR"),
            typed_arguments(&self.arguments)
        )))
    }
}

/// The flag of `flink run` that `word` is, with the word after it. `-n` and `-s` are kubectl's where what follows can be
/// the name of a namespace, or the address of a server.
fn of_flink_run(word: &str, next: Option<&str>) -> Option<&'static (&'static [&'static str], bool, Here)> {
    static YARN_FLAG: (&[&str], bool, Here) = (&["-y"], true, Here::Left(YARN));
    match (word, next) {
        ("-n", Some(next)) if !next.starts_with('-') && !next.ends_with(".jar") => return None,
        ("-s", Some(next)) if !is_path_of_savepoint(next) => return None,
        _ => {}
    }
    let found = FLAGS.iter().find(|(names, _, _)| names.contains(&word));
    let is_yarn = || {
        let short = word.strip_prefix("-y").is_some_and(|rest| rest.chars().all(|c| c.is_ascii_alphabetic()));
        short || word.starts_with("--yarn")
    };
    found.or_else(|| is_yarn().then_some(&YARN_FLAG))
}

/// `/savepoints/1`, `s3://bucket/sp`, `file:/tmp/sp`: not the address of an API server.
fn is_path_of_savepoint(text: &str) -> bool {
    let scheme = text.split_once(":/").map(|(scheme, _)| scheme.to_ascii_lowercase());
    text.starts_with('/') || scheme.is_some_and(|scheme| scheme != "http" && scheme != "https")
}

/// True for a flag of `submit` with a letter too much, too few or another one, which the parser has words for.
fn is_slip(word: &str, command: &clap::Command) -> bool {
    let Some(long) = word.strip_prefix("--") else { return false };
    let Some(submit) = command.find_subcommand("submit") else { return false };
    let flags = submit.get_arguments().chain(command.get_arguments()).filter_map(clap::Arg::get_long);
    nearest(long.split('=').next().unwrap_or_default(), flags).is_some()
}

/// The flag of `submit`, or of every command, that `word` is: its long name, and whether the next word is its value.
fn own_flag(word: &str, command: &clap::Command) -> Option<(String, bool)> {
    let submit = command.find_subcommand("submit")?;
    let mut flags = submit.get_arguments().chain(command.get_arguments());
    let (name, attached) = match word.strip_prefix("--") {
        Some(long) => long.split_once('=').map_or((long, false), |(name, _)| (name, true)),
        None => {
            let short = word.strip_prefix('-')?;
            let end = short.char_indices().nth(1).map_or(short.len(), |(end, _)| end);
            (&short[..end], end < short.len())
        }
    };
    let is_long = word.starts_with("--");
    let is_it = |flag: &&clap::Arg| match is_long {
        true => flag.get_long() == Some(name),
        false => flag.get_short().is_some_and(|short| name.starts_with(short) && !name.is_empty()),
    };
    if matches!((is_long, name), (true, "help") | (false, "h")) {
        return Some(("--help".to_owned(), false));
    }
    let flag = flags.find(is_it)?;
    let takes_value = matches!(flag.get_action(), ArgAction::Set | ArgAction::Append);
    Some((format!("--{}", flag.get_long().unwrap_or(name)), takes_value && !attached))
}
