//! Where savepoints go, checked before anything is triggered.

use std::collections::BTreeMap;

use clap::builder::NonEmptyStringValueParser;

use crate::app::CommandError;
use crate::cmd::reach::Reached;
use crate::exit::Exit;
use crate::flink;

#[derive(clap::Args)]
pub struct DirectoryArgs {
    /// Directory for savepoints [default: the one that the session is configured with]
    #[arg(long, value_name = "DIR", value_parser = NonEmptyStringValueParser::new())]
    savepoint_dir: Option<String>,

    /// Take a directory inside the pods: right only where a shared volume is mounted there
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

/// Where a path without a scheme leads.
const DEFAULT_SCHEME: &str = "fs.default-scheme";

/// The directory to send with each request; none where the session's own is used.
pub async fn check(wanted: Wanted<'_>, reached: &Reached) -> Result<Option<String>, CommandError> {
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
    if is_local(directory, &settings) && !wanted.allows_local {
        let what = format!(
            "the directory {directory} is inside the session's pods: a savepoint there goes with them"
        );
        return Err(CommandError::new(Exit::Refused, what)
            .hint(format!("name one outside: {flag}s3://BUCKET/DIR"))
            .hint("where a shared volume is mounted at it in every pod: --allow-local-dir"));
    }
    Ok(wanted.directory.map(str::to_owned))
}

fn key_of(reached: &Reached) -> &'static str {
    if reached.version.minor() >= (1, 20) { KEYS[0] } else { KEYS[1] }
}

fn resolve<'a>(flag: Option<&'a str>, settings: &'a BTreeMap<String, String>) -> Option<&'a str> {
    let configured = KEYS.iter().find_map(|key| settings.get(*key)).map(String::as_str);
    flag.or(configured).filter(|directory| !directory.is_empty())
}

/// True for a directory of the machine that a process runs on.
fn is_local(directory: &str, settings: &BTreeMap<String, String>) -> bool {
    let scheme = |text: &str| text.split_once(':').map(|(scheme, _)| scheme.to_ascii_lowercase());
    let default = || settings.get(DEFAULT_SCHEME).and_then(|text| scheme(text));
    scheme(directory).or_else(default).is_none_or(|scheme| scheme == "file")
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

    #[test]
    fn a_directory_of_a_pod_is_known_by_its_scheme() {
        let none = settings(&[]);
        for local in ["file:///tmp/sp", "file:/tmp/sp", "FILE:///tmp", "/tmp/sp"] {
            assert!(is_local(local, &none), "{local}");
        }
        for shared in ["s3://b/sp", "hdfs://n:8020/sp", "abfss://c@a.dfs.core.windows.net/sp"] {
            assert!(!is_local(shared, &none), "{shared}");
        }
        let hdfs = settings(&[("fs.default-scheme", "hdfs://namenode:8020/")]);
        assert!(!is_local("/savepoints", &hdfs));
        assert!(is_local("file:///savepoints", &hdfs));
    }
}
