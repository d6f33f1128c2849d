//! Settings of one job in a session: what a user sets for it, checked as `create` checks those of a session.
//!
//! Flink adds them to the JobManager's own configuration, runs the program with the sum, and keeps that in the job
//! (`JarHandlerContext.applyToConfiguration`, from 1.17 on). What the JobManager and the TaskManagers read when they start
//! is not read from there.

use std::collections::BTreeMap;

use super::keys::{self, Reading};
use crate::session::spec::name_in;
use crate::session::spec::version::{self, FlinkVersion};

/// Settings that Flink of the session's version reads.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct JobSettings {
    /// Under the names that this version has for them.
    pub settings: BTreeMap<String, String>,
    /// Keys, as they were typed, that have no effect in a job.
    pub without_effect: Vec<String>,
}

/// A setting that is not what was meant.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidJobSetting {
    #[error("-D {key} is not a setting of Flink")]
    Mistyped { key: String, meant: &'static str },
    #[error("-D {key} is not read by Flink {version}: {read_by}")]
    Unread { key: String, version: FlinkVersion, read_by: String },
    #[error("-D {key}: {problem}")]
    Value { key: String, problem: String },
    #[error("-D {key} and -D {other} set the same thing")]
    Contradiction { key: String, other: String },
}

/// What only processes read, when they start: where they are, what they are made of, whom they talk to. Those in which a
/// job has a say are not here, such as `taskmanager.memory.managed.consumer-weights` and `metrics.latency.interval`.
const OF_PROCESSES: [&str; 33] = [
    "cluster.evenly-spread-out-slots",
    "cluster.io-pool.size",
    "containerized.",
    "env.",
    "fine-grained.",
    "heartbeat.",
    "high-availability",
    "historyserver.",
    "io.tmp.dirs",
    "jobmanager.archive.",
    "jobmanager.bind-host",
    "jobmanager.heap.",
    "jobmanager.memory.",
    "jobmanager.rpc.",
    "kubernetes.",
    "metrics.internal.",
    "metrics.reporter",
    "metrics.scope.",
    "resourcemanager.",
    "rest.",
    "slotmanager.",
    "taskmanager.bind-host",
    "taskmanager.cpu.cores",
    "taskmanager.data.",
    "taskmanager.host",
    "taskmanager.memory.flink.",
    "taskmanager.memory.framework.",
    "taskmanager.memory.jvm-",
    "taskmanager.memory.managed.fraction",
    "taskmanager.memory.managed.size",
    "taskmanager.memory.process.size",
    "taskmanager.memory.task.",
    "taskmanager.numberOfTaskSlots",
];

/// The same, and too short to be the beginning of others.
const OF_PROCESSES_TOO: [&str; 2] = ["taskmanager.rpc.", "web."];

/// Checks `given` for Flink of `version`. Keys that are not known pass, as they do in `create`: jobs and libraries have
/// their own. Of a key that is given twice, the last counts.
///
/// # Errors
/// The first setting that Flink would not read, or not parse.
pub fn checked(given: &[(String, String)], version: FlinkVersion) -> Result<JobSettings, InvalidJobSetting> {
    let minor = version.minor();
    let mut names: BTreeMap<&str, &str> = BTreeMap::new();
    let mut checked = JobSettings::default();
    for (key, value) in given {
        check(key, value, version)?;
        let name = name_in(key, minor);
        if let Some(other) = names.insert(name, key).filter(|other| other != key) {
            return Err(InvalidJobSetting::Contradiction { key: other.to_owned(), other: key.clone() });
        }
        if is_of_processes(name) && !checked.without_effect.contains(key) {
            checked.without_effect.push(key.clone());
        }
        checked.settings.insert(name.to_owned(), value.clone());
    }
    Ok(checked)
}

fn check(key: &str, value: &str, version: FlinkVersion) -> Result<(), InvalidJobSetting> {
    let minor = version.minor();
    let key = key.to_owned();
    match keys::reading(&key, minor) {
        Reading::Unread { since, until } => {
            Err(InvalidJobSetting::Unread { key, version, read_by: keys::read_by(since, until) })
        }
        // A newer Flink may know keys that are unknown here.
        Reading::Unknown if version::NEWEST.is_before(version) => Ok(()),
        Reading::Unknown => match keys::did_you_mean(&key) {
            Some(meant) => Err(InvalidJobSetting::Mistyped { key, meant: name_in(meant, minor) }),
            None => Ok(()),
        },
        Reading::AsIs | Reading::Renamed(_) => match keys::problem_in(name_in(&key, minor), minor, value) {
            Some(problem) => Err(InvalidJobSetting::Value { key, problem }),
            None => Ok(()),
        },
    }
}

/// True for a setting that has no effect in a job.
fn is_of_processes(name: &str) -> bool {
    OF_PROCESSES.iter().chain(&OF_PROCESSES_TOO).any(|prefix| name.starts_with(prefix))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(version: &str, given: &[(&str, &str)]) -> Result<JobSettings, InvalidJobSetting> {
        let given: Vec<_> =
            given.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        checked(&given, version.parse().expect("version"))
    }

    fn why(version: &str, key: &str, value: &str) -> String {
        of(version, &[(key, value)]).expect_err("invalid").to_string()
    }

    #[test]
    fn what_flink_would_not_read_is_refused() {
        assert_eq!(why("2.3", "paralelism.default", "2"), "-D paralelism.default is not a setting of Flink");
        assert_eq!(
            why("2.3", "pipeline.object-reuse", "yes"),
            "-D pipeline.object-reuse: \"yes\" is neither true nor false"
        );
        assert!(why("2.3", "execution.checkpointing.interval", "10x").contains("\"10x\""));
        assert!(why("1.17", "execution.checkpointing.interval", "soon").contains("\"soon\""));
        // The session's version counts: it came with 2.0.
        let key = "execution.checkpointing.snapshot-compression";
        assert!(of("2.3", &[(key, "true")]).is_ok());
        let twice = of("2.3", &[("state.backend", "hashmap"), ("state.backend.type", "rocksdb")]);
        assert!(matches!(twice, Err(InvalidJobSetting::Contradiction { .. })), "{twice:?}");
    }

    #[test]
    fn a_setting_has_the_name_of_the_version_and_others_pass() {
        let names = |version, key, value| {
            of(version, &[(key, value)]).expect("valid").settings.into_keys().collect::<Vec<_>>()
        };
        assert_eq!(names("1.17", "execution.checkpointing.dir", "s3://b"), ["state.checkpoints.dir"]);
        assert_eq!(names("2.3", "state.checkpoints.dir", "s3://b"), ["execution.checkpointing.dir"]);
        for own in ["com.example.topic", "s3.endpoint", "metrics.reporter.x.y"] {
            assert_eq!(names("2.3", own, "x"), [own]);
        }
        assert_eq!(of("9.9", &[("paralelism.default", "2")]).map(|checked| checked.settings.len()), Ok(1));
    }

    #[test]
    fn what_only_processes_read_has_no_effect() {
        let without = |key, value| of("2.3", &[(key, value)]).expect("valid").without_effect;
        for (key, value) in [
            ("taskmanager.numberOfTaskSlots", "4"),
            ("taskmanager.memory.process.size", "2g"),
            ("jobmanager.memory.process.size", "2g"),
            ("kubernetes.taskmanager.cpu.amount", "2"),
            ("high-availability.type", "kubernetes"),
            ("web.submit.enable", "true"),
        ] {
            assert_eq!(without(key, value), [key]);
        }
        for (key, value) in [
            ("parallelism.default", "4"),
            ("restart-strategy.type", "none"),
            ("state.backend.type", "rocksdb"),
            ("execution.checkpointing.interval", "10s"),
            ("pipeline.name", "x"),
            ("table.exec.mini-batch.enabled", "true"),
            ("metrics.latency.interval", "1s"),
        ] {
            assert_eq!(without(key, value), [""; 0], "{key}");
        }
    }

    /// Every prefix stands for keys that there are.
    #[test]
    fn the_list_is_of_flinks_keys() {
        for prefix in OF_PROCESSES.iter().chain(&OF_PROCESSES_TOO) {
            let known = (10..=20).map(|minor| (1, minor)).chain([(2, 3)]);
            let is_there = known
                .into_iter()
                .any(|version| keys::read_in(version).any(|key| key.name.starts_with(prefix)));
            assert!(is_there, "{prefix}");
        }
    }
}
