//! What was probably meant by a word that the command line does not know.

use clap::Command;
use clap::error::{ContextKind, ContextValue, ErrorKind};

use crate::session::spec::did_you_mean::nearest;

/// The same error with a suggestion of what is near alone. clap's own measure finds `cancel` in `scale`, and a user who
/// takes that advice ends a job.
pub fn of_the_near(mut error: clap::Error, root: &Command) -> clap::Error {
    let (typed, kind, known) = match error.kind() {
        ErrorKind::InvalidSubcommand => {
            let names = root.get_subcommands().flat_map(|command| {
                let aliases = command.get_visible_aliases();
                [command.get_name()].into_iter().chain(aliases)
            });
            (ContextKind::InvalidSubcommand, ContextKind::SuggestedSubcommand, names.collect::<Vec<_>>())
        }
        ErrorKind::UnknownArgument => (ContextKind::InvalidArg, ContextKind::SuggestedArg, Vec::new()),
        _ => return error,
    };
    let typed = text(error.get(typed));
    let suggested = match error.get(kind) {
        Some(ContextValue::String(one)) => vec![one.clone()],
        Some(ContextValue::Strings(many)) => many.clone(),
        _ => Vec::new(),
    };
    let known: Vec<&str> =
        if known.is_empty() { suggested.iter().map(String::as_str).collect() } else { known };
    let near = nearest(&typed, known.iter().map(|name| name.trim_start_matches('-')));
    let near = near.and_then(|near| known.iter().find(|name| name.trim_start_matches('-') == near));
    let near = near.filter(|near| !ends_something(near) || near.chars().next() == typed.chars().next());
    let near = near.map(|near| (*near).to_owned());
    error.remove(kind);
    // An empty list of other advice would be printed as an empty line.
    if matches!(error.get(ContextKind::Suggested), Some(ContextValue::StyledStrs(advice)) if advice.is_empty())
    {
        error.remove(ContextKind::Suggested);
    }
    if near.is_none() && kind == ContextKind::SuggestedArg && !suggested.is_empty() {
        // The usage that clap prints is that of the suggestion.
        error.remove(ContextKind::Usage);
    }
    if let Some(near) = near {
        let value = match kind {
            ContextKind::SuggestedSubcommand => ContextValue::Strings(vec![near]),
            _ => ContextValue::String(near),
        };
        error.insert(kind, value);
    }
    error
}

/// Commands that are suggested only to a user who has begun them right: `top`, which kubectl has, is no slip of `stop`.
fn ends_something(command: &str) -> bool {
    ["cancel", "delete", "gc", "restart", "stop"].contains(&command)
}

fn text(value: Option<&ContextValue>) -> String {
    match value {
        Some(ContextValue::String(text)) => text.split('=').next().unwrap_or_default().to_owned(),
        _ => String::new(),
    }
}
