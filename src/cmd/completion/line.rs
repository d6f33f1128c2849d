//! A line that somebody is typing, read by the definitions of the commands: what stands on it, and what
//! may come at its end. Pure.
//!
//! clap_complete's engine does the same for most lines. It takes the value of a flag for a command of that
//! name (`-n jobs`), offers the value of `--dry-run[=MODE]` as a word of its own, and tells nobody what
//! else is on the line, without which a job has no session.

use clap::{Arg, ArgAction, Command};

use crate::cmd::word::Word;

/// What was typed before the word under the cursor, and what that may become.
pub struct Line<'a> {
    pub command: &'a Command,
    pub typed: Vec<Typed<'a>>,
    pub wanted: Wanted<'a>,
    /// The word under the cursor, up to the cursor.
    pub word: &'a str,
}

/// A flag, or an argument that has its place.
pub struct Typed<'a> {
    pub arg: &'a Arg,
    /// None for a flag without one.
    pub value: Option<&'a str>,
}

pub enum Wanted<'a> {
    /// A command, if there are any.
    Command,
    Flag,
    /// A value of `arg`; `lead` is what stands in front of it in the same word: `--output=`, `-o`.
    Value {
        arg: &'a Arg,
        lead: &'a str,
    },
    /// Nothing that is known.
    Nothing,
}

/// Reads `words`, the last of which is under the cursor, as those of `root`, a command that is built.
pub fn read<'a>(root: &'a Command, words: &'a [String]) -> Line<'a> {
    let (word, before) = match words.split_last() {
        Some((word, before)) => (word.as_str(), before),
        None => ("", words),
    };
    let mut reader =
        Reader { command: root, typed: Vec::new(), place: 1, escaped: false, awaiting: None, is_lost: false };
    for word in before {
        reader.read(word);
    }
    let wanted = reader.wanted(word);
    Line { command: reader.command, typed: reader.typed, wanted, word }
}

struct Reader<'a> {
    command: &'a Command,
    typed: Vec<Typed<'a>>,
    /// The index of the next argument that has its place, from 1.
    place: usize,
    /// `--` has been read.
    escaped: bool,
    /// A flag whose value is the next word.
    awaiting: Option<&'a Arg>,
    /// A word that should be a command is none: what follows is not known.
    is_lost: bool,
}

impl<'a> Reader<'a> {
    fn read(&mut self, word: &'a str) {
        if let Some(arg) = self.awaiting.take() {
            self.typed.push(Typed { arg, value: Some(word) });
        } else if self.escaped || !is_flag(word) {
            let command = self.command.find_subcommand(word).filter(|_| !self.escaped);
            match command {
                Some(command) => (self.command, self.place) = (command, 1),
                None => self.read_in_place(word),
            }
        } else if word == "--" {
            self.escaped = true;
        } else if let Some(long) = word.strip_prefix("--") {
            let (name, value) =
                long.split_once('=').map_or((long, None), |(name, value)| (name, Some(value)));
            if let Some(arg) = self.long(name) {
                self.read_flag(arg, value);
            }
        } else {
            let (flags, last) = self.shorts(word);
            self.typed.extend(flags.into_iter().map(|arg| Typed { arg, value: None }));
            if let Some((arg, _, value)) = last {
                self.read_flag(arg, Some(value).filter(|value| !value.is_empty()));
            }
        }
    }

    fn read_flag(&mut self, arg: &'a Arg, value: Option<&'a str>) {
        match value {
            None if takes_value(arg) && !arg.is_require_equals_set() => self.awaiting = Some(arg),
            value => self.typed.push(Typed { arg, value }),
        }
    }

    fn read_in_place(&mut self, word: &'a str) {
        let Some(arg) = self.in_place() else {
            self.is_lost = true;
            return;
        };
        self.typed.push(Typed { arg, value: Some(word) });
        if !takes_many(arg) {
            self.place += 1;
        }
    }

    fn wanted(&self, word: &'a str) -> Wanted<'a> {
        if let Some(arg) = self.awaiting {
            return Wanted::Value { arg, lead: "" };
        }
        if self.is_lost {
            return Wanted::Nothing;
        }
        if self.escaped || !is_flag(word) {
            return match self.in_place() {
                _ if self.command.has_subcommands() && !self.escaped => Wanted::Command,
                Some(arg) => Wanted::Value { arg, lead: "" },
                None => Wanted::Nothing,
            };
        }
        if let Some(long) = word.strip_prefix("--") {
            return match long.split_once('=') {
                None => Wanted::Flag,
                Some((name, value)) => match self.long(name).filter(|arg| takes_value(arg)) {
                    Some(arg) => Wanted::Value { arg, lead: &word[..word.len() - value.len()] },
                    None => Wanted::Nothing,
                },
            };
        }
        match self.shorts(word).1 {
            Some((arg, lead, value)) if !value.is_empty() || lead.ends_with('=') => {
                Wanted::Value { arg, lead }
            }
            _ => Wanted::Flag,
        }
    }

    fn long(&self, name: &str) -> Option<&'a Arg> {
        let is_called =
            |arg: &&Arg| arg.get_long_and_visible_aliases().is_some_and(|longs| longs.contains(&name));
        self.command.get_arguments().find(is_called)
    }

    /// The flags of `-abc`, and the last of them where it takes a value: with what stands up to that, and
    /// with the value.
    fn shorts(&self, word: &'a str) -> (Vec<&'a Arg>, Option<(&'a Arg, &'a str, &'a str)>) {
        let mut flags = Vec::new();
        for (at, short) in word.char_indices().skip(1) {
            let Some(arg) = self.command.get_arguments().find(|arg| arg.get_short() == Some(short)) else {
                break;
            };
            if takes_value(arg) {
                let rest = &word[at + short.len_utf8()..];
                let value = rest.strip_prefix('=').unwrap_or(rest);
                return (flags, Some((arg, &word[..word.len() - value.len()], value)));
            }
            flags.push(arg);
        }
        (flags, None)
    }

    /// The argument that a word without a dash is for.
    fn in_place(&self) -> Option<&'a Arg> {
        let mut arguments = self.command.get_positionals();
        match self.escaped {
            true => arguments.find(|arg| arg.is_last_set() || arg.get_index() == Some(self.place)),
            false => arguments.find(|arg| !arg.is_last_set() && arg.get_index() == Some(self.place)),
        }
    }
}

/// A dash alone is stdin.
fn is_flag(word: &str) -> bool {
    word.starts_with('-')
}

pub fn takes_value(arg: &Arg) -> bool {
    arg.get_num_args().is_some_and(|range| range.takes_values())
}

pub fn takes_many(arg: &Arg) -> bool {
    matches!(arg.get_action(), ArgAction::Append | ArgAction::Count)
        || arg.get_num_args().is_some_and(|range| range.max_values() > 1)
}

impl<'a> Line<'a> {
    /// The values of the arguments that stand for `word`.
    pub fn values_of(&self, word: Word) -> impl Iterator<Item = &'a str> {
        let stands_for = move |typed: &&Typed| typed.arg.get::<Word>() == Some(&word);
        self.typed.iter().filter(stands_for).filter_map(|typed| typed.value)
    }

    /// False where `arg` is there already, or does not go with what is.
    pub fn has_room_for(&self, arg: &Arg) -> bool {
        self.typed.iter().all(|typed| {
            if typed.arg.get_id() == arg.get_id() {
                return takes_many(arg);
            }
            let excludes = |one: &Arg, other: &Arg| {
                self.command.get_arg_conflicts_with(one).iter().any(|arg| arg.get_id() == other.get_id())
            };
            // Of a command above, it is not this one's to say what goes with it.
            let is_here = self.command.get_arguments().any(|here| here.get_id() == typed.arg.get_id());
            !is_here || !(excludes(typed.arg, arg) || excludes(arg, typed.arg))
        })
    }
}
