//! How one session is, part by part, as `status` shows it.

use jiff::{SignedDuration, Timestamp};
use serde::ser::SerializeStruct;
use serde::{Serialize, Serializer};

use super::evidence::Exit;
use super::session::API_VERSION;
use super::{Finding, JobId, SessionView, TableView};

/// A part that stands alone: it is known, or why it is not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part<T> {
    Known(T),
    Unknown(String),
}

impl<T> Part<T> {
    pub fn known(&self) -> Option<&T> {
        match self {
            Self::Known(value) => Some(value),
            Self::Unknown(_) => None,
        }
    }

    pub fn why_unknown(&self) -> Option<&str> {
        match self {
            Self::Known(_) => None,
            Self::Unknown(why) => Some(why),
        }
    }

    pub fn map<U>(self, map: impl FnOnce(T) -> U) -> Part<U> {
        match self {
            Self::Known(value) => Part::Known(map(value)),
            Self::Unknown(why) => Part::Unknown(why),
        }
    }
}

/// Whether anything is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Health {
    /// It runs, its REST answers, and nothing is wrong.
    Healthy,
    Sick,
    /// REST could not be asked in time, and all else is well.
    Unknown,
}

impl Health {
    /// Of several sessions: one that is sick, before one of which nothing is known.
    pub fn worst(all: impl IntoIterator<Item = Self>) -> Self {
        all.into_iter().fold(Self::Healthy, |worst, next| match (worst, next) {
            (Self::Sick, _) | (_, Self::Sick) => Self::Sick,
            (Self::Unknown, _) | (_, Self::Unknown) => Self::Unknown,
            (Self::Healthy, Self::Healthy) => Self::Healthy,
        })
    }

    fn json(self) -> Option<bool> {
        match self {
            Self::Healthy => Some(true),
            Self::Sick => Some(false),
            Self::Unknown => None,
        }
    }
}

/// How one session is.
#[derive(Clone, Debug)]
pub struct SessionStatus {
    pub session: SessionView,
    /// One sentence.
    pub verdict: String,
    pub health: Health,
    /// As kubectl prints them.
    pub pods: Part<TableView>,
    pub services: Part<TableView>,
    /// None without a JobManager pod.
    pub jobmanager: Part<Option<JobManager>>,
    pub taskmanagers: Part<Vec<TaskManager>>,
    /// Running ones first.
    pub jobs: Part<Vec<Job>>,
    pub high_availability: Part<HighAvailability>,
    /// What differs from Flink's defaults.
    pub configuration: Part<Vec<Setting>>,
    /// Newest last.
    pub events: Part<Vec<Event>>,
    pub findings: Vec<Finding>,
    /// What could not be read of what findings are made of.
    pub unreadable: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct JobManager {
    pub pod: String,
    /// As REST says.
    pub version: Option<String>,
    /// When its container was started, while it runs.
    #[serde(serialize_with = "time")]
    pub started_at: Option<Timestamp>,
    pub restarts: i32,
    /// How its container ended before its last restart.
    #[serde(serialize_with = "exit")]
    pub last_exit: Option<Exit>,
    #[serde(serialize_with = "known")]
    pub memory: Part<Memory>,
}

/// Of a Java process, in bytes. Flink 1.10 and 1.11 do not tell their metaspace.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Memory {
    pub heap_used_bytes: Option<u64>,
    pub heap_max_bytes: Option<u64>,
    pub metaspace_used_bytes: Option<u64>,
    pub metaspace_max_bytes: Option<u64>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TaskManager {
    /// The name of its pod.
    pub id: String,
    pub slots: u32,
    pub slots_free: u32,
}

/// A Flink job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Job {
    pub id: JobId,
    pub name: String,
    /// In Flink's words. `RUNNING` does not mean that its tasks run.
    pub state: String,
    pub tasks_running: u32,
    pub tasks_total: u32,
    #[serde(serialize_with = "time")]
    pub started_at: Option<Timestamp>,
    pub duration_milliseconds: u64,
}

impl Job {
    /// When it came to its end; none before.
    pub fn ended_at(&self) -> Option<Timestamp> {
        let lasted = SignedDuration::from_millis(i64::try_from(self.duration_milliseconds).ok()?);
        self.started_at.filter(|_| !self.is_alive())?.checked_add(lasted).ok()
    }

    /// True for a job that lacks tasks, this many seconds after its start. Flink calls it RUNNING all the same; with
    /// the adaptive scheduler it is CREATED until it has its slots.
    pub fn waits(&self, seconds: u64) -> bool {
        let lacks_tasks = self.tasks_running < self.tasks_total || self.state == "CREATED";
        self.is_alive() && lacks_tasks && self.duration_milliseconds >= seconds * 1000
    }

    /// True for a job that has come to no end.
    pub fn is_alive(&self) -> bool {
        !matches!(self.state.as_str(), "FINISHED" | "CANCELED" | "FAILED" | "SUSPENDED")
    }
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct HighAvailability {
    /// `kubernetes`, `zookeeper`, or the class that does it; none without high availability.
    pub service: Option<String>,
    /// Where job graphs and checkpoints' metadata are.
    pub storage_directory: Option<String>,
    /// The ConfigMaps that hold who leads and where the state is.
    pub config_maps: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Setting {
    pub key: String,
    pub value: String,
    /// None where Flink has no default, and for settings of plugins and jobs.
    pub default: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Event {
    #[serde(serialize_with = "time")]
    pub last_seen: Option<Timestamp>,
    /// `Normal` or `Warning`.
    #[serde(rename = "type")]
    pub kind: String,
    pub reason: String,
    /// As `pod/NAME`.
    pub object: String,
    pub message: String,
    pub count: u32,
}

pub(super) fn time<S: Serializer>(time: &Option<Timestamp>, serializer: S) -> Result<S::Ok, S::Error> {
    time.map(|time| time.to_string()).serialize(serializer)
}

pub(super) fn known<T: Serialize, S: Serializer>(part: &Part<T>, serializer: S) -> Result<S::Ok, S::Error> {
    part.known().serialize(serializer)
}

fn exit<S: Serializer>(exit: &Option<Exit>, serializer: S) -> Result<S::Ok, S::Error> {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Json<'a> {
        reason: &'a str,
        exit_code: i32,
        message: &'a str,
        finished_at: Option<String>,
    }
    let json = exit.as_ref().map(|exit| Json {
        reason: &exit.reason,
        exit_code: exit.code,
        message: &exit.message,
        finished_at: exit.at.map(|at| at.to_string()),
    });
    json.serialize(serializer)
}

/// A part that is not known, as JSON.
#[derive(Serialize)]
pub(super) struct Unknown<'a> {
    part: &'a str,
    reason: &'a str,
}

impl<'a> Unknown<'a> {
    pub fn all(parts: Vec<(&'a str, &'a str)>) -> Vec<Self> {
        parts.into_iter().map(|(part, reason)| Self { part, reason }).collect()
    }
}

/// A row of a table by its columns' names, as `{"name": "roc-1-2", "ready": "1/1"}`.
struct Rows<'a>(&'a TableView);

impl Serialize for Rows<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let names: Vec<String> = self.0.header.iter().map(|name| camel_case(name)).collect();
        serializer.collect_seq(self.0.rows.iter().map(|row| {
            names.iter().cloned().zip(row.iter().cloned()).collect::<std::collections::BTreeMap<_, _>>()
        }))
    }
}

/// `CLUSTER-IP` becomes `clusterIp`, `PORT(S)` becomes `ports`.
fn camel_case(header: &str) -> String {
    let mut name = String::new();
    let mut starts_word = false;
    for c in header.to_lowercase().chars() {
        match c {
            c if c.is_alphanumeric() && starts_word && !name.is_empty() => {
                name.extend(c.to_uppercase());
                starts_word = false;
            }
            c if c.is_alphanumeric() => name.push(c),
            ' ' | '-' | '_' => starts_word = true,
            _ => {}
        }
    }
    name
}

impl SessionStatus {
    /// The parts that are not known, with the reason.
    pub fn unknown(&self) -> Vec<(&'static str, &str)> {
        let jobmanager = self.jobmanager.known().and_then(Option::as_ref);
        let memory = jobmanager.and_then(|jobmanager| jobmanager.memory.why_unknown());
        let parts = [
            ("pods", self.pods.why_unknown()),
            ("services", self.services.why_unknown()),
            ("jobManager", self.jobmanager.why_unknown()),
            ("jobManager.memory", memory),
            ("taskManagers", self.taskmanagers.why_unknown()),
            ("jobs", self.jobs.why_unknown()),
            ("highAvailability", self.high_availability.why_unknown()),
            ("configuration", self.configuration.why_unknown()),
            ("events", self.events.why_unknown()),
        ];
        parts.into_iter().filter_map(|(part, why)| Some((part, why?))).collect()
    }
}

/// The kind of the list around them.
pub const STATUS_LIST_KIND: &str = "SessionStatusList";

impl Serialize for SessionStatus {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut json = serializer.serialize_struct("SessionStatus", 16)?;
        json.serialize_field("apiVersion", API_VERSION)?;
        json.serialize_field("kind", "SessionStatus")?;
        json.serialize_field("metadata", &self.session.metadata())?;
        json.serialize_field("status", &self.session.json_status())?;
        json.serialize_field("verdict", &self.verdict)?;
        json.serialize_field("healthy", &self.health.json())?;
        json.serialize_field("pods", &self.pods.known().map(Rows))?;
        json.serialize_field("services", &self.services.known().map(Rows))?;
        json.serialize_field("jobManager", &self.jobmanager.known())?;
        json.serialize_field("taskManagers", &self.taskmanagers.known())?;
        json.serialize_field("jobs", &self.jobs.known())?;
        json.serialize_field("highAvailability", &self.high_availability.known())?;
        json.serialize_field("configuration", &self.configuration.known())?;
        json.serialize_field("events", &self.events.known())?;
        json.serialize_field("findings", &self.findings)?;
        json.serialize_field("unknown", &Unknown::all(self.unknown()))?;
        json.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_become_names_of_fields() {
        for (header, name) in [
            ("NAME", "name"),
            ("CLUSTER-IP", "clusterIp"),
            ("PORT(S)", "ports"),
            ("NOMINATED NODE", "nominatedNode"),
        ] {
            assert_eq!(camel_case(header), name);
        }
    }
}
