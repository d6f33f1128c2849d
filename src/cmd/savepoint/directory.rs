//! Where savepoints go, checked before anything is triggered.

use std::collections::BTreeMap;

use clap::builder::NonEmptyStringValueParser;

use crate::app::{App, CommandError};
use crate::cluster::PodMounts;
use crate::cmd::reach::Reached;
use crate::exit::Exit;
use crate::flink;
use crate::session::spec::volumes::{self, DEFAULT_SCHEME, Verdict};

#[derive(clap::Args)]
pub struct DirectoryArgs {
    /// Directory for savepoints [default: the one that the session is configured with]
    #[arg(long, value_name = "DIR", value_parser = NonEmptyStringValueParser::new())]
    savepoint_dir: Option<String>,

    /// Allow a local savepoint directory (safe only on a volume that outlives the pods)
    #[arg(long)]
    allow_local_dir: bool,
}

impl DirectoryArgs {
    /// What is asked for, by the flag that says it here.
    pub fn wanted(&self) -> Wanted<'_> {
        Wanted {
            directory: self.savepoint_dir.as_deref(),
            flag: "--savepoint-dir ",
            allows_local: self.allow_local_dir,
        }
    }
}

/// The directory that somebody asks for.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'a> {
    /// None for the session's own.
    pub directory: Option<&'a str>,
    /// The flag that names one, up to its value.
    pub flag: &'static str,
    pub allows_local: bool,
}

/// Its name since 1.20, and before.
const KEYS: [&str; 2] = ["execution.checkpointing.savepoint-dir", "state.savepoints.dir"];

/// The directory to send with each request; none where the session's own is used. A directory inside the pods has to be on
/// a volume that outlives them, or to be allowed by a flag.
///
/// # Errors
/// `Refused` for a directory inside the pods, and where it cannot be told whether it outlives them.
pub async fn check(wanted: Wanted<'_>, reached: &Reached, app: &App) -> Result<Option<String>, CommandError> {
    let settings = flink::configuration(&reached.rest).await;
    let settings = settings.map_err(|error| {
        reached.error(&error, format!("cannot read the settings of session {}", reached.name))
    })?;
    let flag = wanted.flag;
    let directory = resolve(wanted.directory, &settings).ok_or_else(|| {
        CommandError::new(Exit::Error, format!("session {} has no directory for savepoints", reached.name))
            .because(format!("{} is not set", key_of(reached)))
            .hint(format!("name one: {flag}s3://BUCKET/DIR; or give it to create for the whole session"))
    })?;
    let path = volumes::local_path(directory, settings.get(DEFAULT_SCHEME).map(String::as_str));
    if let Some(path) = path.filter(|_| !wanted.allows_local) {
        let verdict = match path {
            Ok(path) => judged(&path, reached).await,
            Err(how) => Verdict::Unreadable(how),
        };
        if let Some(warning) = verdict.warning() {
            app.ui.warn(&format!("the directory {directory} {warning}"));
        }
        if let Some(error) = refusal(directory, &verdict) {
            let error = error.hint(format!("name one outside: {flag}s3://BUCKET/DIR"));
            return Err(match verdict {
                Verdict::ReadOnly(_) => error,
                _ => error.hint("where a shared volume is mounted at it in every pod: --allow-local-dir"),
            });
        }
    }
    Ok(wanted.directory.map(str::to_owned))
}

/// Whether the directory `path` inside the session's pods outlives them, by what the pods mount.
async fn judged(path: &str, reached: &Reached) -> Verdict {
    let Some(cluster) = &reached.cluster else {
        return Verdict::Unknown("at an address, the volumes of the pods are unknown".to_owned());
    };
    let pod = match reached.rest.port().await {
        Ok(Some(port)) => port.pod().to_owned(),
        Ok(None) => return Verdict::Unknown("the JobManager's pod is unknown".to_owned()),
        Err(error) => return Verdict::Unknown(error.to_string()),
    };
    match cluster.pod_mounts(cluster.namespace(), &reached.name, &pod).await {
        Ok(PodMounts { jobmanagers, taskmanagers }) => Verdict::of(path, [&jobmanagers, &taskmanagers]),
        Err(error) => Verdict::Unknown(error.to_string()),
    }
}

/// Why nothing is triggered; none for a directory that outlives the pods.
fn refusal(directory: &str, verdict: &Verdict) -> Option<CommandError> {
    let (what, why) = match verdict {
        Verdict::Own(why) => (
            format!(
                "the directory {directory} is inside the session's pods: a savepoint there goes with them"
            ),
            why,
        ),
        Verdict::Unknown(why) => {
            (format!("cannot determine whether the directory {directory} outlives the session's pods"), why)
        }
        verdict => {
            let what = format!("the directory {directory} {}", verdict.problem()?);
            return Some(CommandError::new(Exit::Refused, what));
        }
    };
    Some(CommandError::new(Exit::Refused, what).because(why.clone()))
}

fn key_of(reached: &Reached) -> &'static str {
    if reached.version.minor() >= (1, 20) { KEYS[0] } else { KEYS[1] }
}

fn resolve<'a>(flag: Option<&'a str>, settings: &'a BTreeMap<String, String>) -> Option<&'a str> {
    let configured = KEYS.iter().find_map(|key| settings.get(*key)).map(String::as_str);
    flag.or(configured).filter(|directory| !directory.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn the_flag_goes_before_either_spelling_of_the_setting() {
        let old = settings(&[("state.savepoints.dir", "s3://a")]);
        let new = settings(&[("execution.checkpointing.savepoint-dir", "s3://b")]);
        assert_eq!(resolve(None, &old), Some("s3://a"));
        assert_eq!(resolve(None, &new), Some("s3://b"));
        assert_eq!(resolve(Some("s3://c"), &new), Some("s3://c"));
        assert_eq!(resolve(None, &settings(&[])), None);
    }
}
