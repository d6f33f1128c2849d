//! `-D` of `submit`: settings of the program's jobs alone.

use std::collections::BTreeMap;

use super::Args;
use super::classes::without_secret;
use crate::app::{App, CommandError};
use crate::cmd::reach::Reached;
use crate::exit::Exit;
use crate::session::flink_config::job_settings::{self, InvalidJobSetting};
use crate::session::text::shell::quoted;

/// The settings as they are sent, under the names that the session's version has for them.
///
/// # Errors
/// When the version has no settings of jobs, and when it would not read one of these.
pub fn of(args: &Args, reached: &Reached, app: &App) -> Result<BTreeMap<String, String>, CommandError> {
    if args.settings.is_empty() {
        return Ok(BTreeMap::new());
    }
    let (session, version) = (&reached.name, reached.version);
    if !reached.dialect().takes_settings() {
        let what = format!(
            "session {session} runs Flink {version}, and only from 1.17 on jobs have settings of their own"
        );
        return Err(CommandError::new(Exit::Error, what)
            .hint("leave -D out, or give it to create for the whole session"));
    }
    if args.unchecked_config {
        return Ok(args.settings.iter().cloned().collect());
    }
    let checked = job_settings::checked(&args.settings, version).map_err(|error| {
        let unchecked = "--unchecked-config sends -D to Flink as it is";
        let hint = match &error {
            InvalidJobSetting::Mistyped { meant, .. } => format!("did you mean {meant}? {unchecked}"),
            InvalidJobSetting::Contradiction { .. } => "leave one of them out".to_owned(),
            InvalidJobSetting::Unread { .. } | InvalidJobSetting::Value { .. } => unchecked.to_owned(),
        };
        CommandError::new(Exit::Error, error.to_string()).hint(hint)
    })?;
    if let [first, more @ ..] = &checked.without_effect[..] {
        let keys = more.iter().fold(format!("-D {first}"), |keys, key| format!("{keys}, -D {key}"));
        let verb = if more.is_empty() { "has" } else { "have" };
        app.ui.warn(&format!(
            "{keys} {verb} no effect on one job: the JobManager and the TaskManagers of session {session} read this \
             when they start"
        ));
        app.ui.hint(&format!(
            "for a whole session: kubectl flink create NAME{}",
            typed(&args.settings, &checked.without_effect)
        ));
    }
    Ok(checked.settings)
}

/// Those of `settings` that have one of these keys, as flags to type, without what is secret.
fn typed(settings: &[(String, String)], keys: &[String]) -> String {
    let of = settings.iter().filter(|(key, _)| keys.contains(key));
    of.map(|(key, value)| format!(" -D {}", quoted(&without_secret(&format!("{key}={value}"))))).collect()
}
