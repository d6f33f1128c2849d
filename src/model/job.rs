//! One job of a session, from all sides.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Serialize, Serializer};

use super::session::API_VERSION;
use super::status::{Job, Part, Unknown, known, time};
use super::{Finding, VertexId};

/// A job and the session that it runs on, as `jobs` lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobView {
    /// None where only an address of the session's REST is known.
    pub namespace: Option<String>,
    pub session: String,
    pub job: Job,
    /// For one job that was asked for.
    pub details: Option<JobDetails>,
}

/// The kind of a job, and of the list around them. A `Job` is Kubernetes' word for something else.
pub const JOB_KIND: &str = "FlinkJob";
pub const JOB_LIST_KIND: &str = "FlinkJobList";

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct JobDetails {
    pub vertices: Vec<Vertex>,
    /// None for a job that makes no checkpoints.
    #[serde(serialize_with = "known")]
    pub checkpoints: Part<Option<Checkpoints>>,
    /// Newest first.
    #[serde(serialize_with = "known")]
    pub exceptions: Part<Vec<Thrown>>,
    /// Why it waits for slots, once it has done so for a while.
    pub findings: Vec<Finding>,
}

/// Operators that run chained together in each of their tasks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Vertex {
    pub id: VertexId,
    pub name: String,
    pub parallelism: u32,
    /// In Flink's words, of all its tasks together.
    pub state: String,
    pub tasks_running: u32,
    /// How many of its tasks are in which state, those without a task left out.
    pub tasks_by_state: BTreeMap<String, u32>,
    pub duration_milliseconds: u64,
    /// From other vertices, and to them. None until its tasks have told.
    pub records_read: Option<u64>,
    pub records_written: Option<u64>,
    /// None while it is not known: it is measured only once somebody has asked.
    pub backpressure: Option<Backpressure>,
}

/// `ok`, `low` or `high`, and the largest share of time that a task of it waits for those behind it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Backpressure {
    pub level: String,
    pub percent: u8,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Checkpoints {
    #[serde(serialize_with = "known")]
    pub config: Part<CheckpointConfig>,
    pub completed: u64,
    pub in_progress: u64,
    pub failed: u64,
    pub last: Option<Checkpoint>,
    pub last_savepoint: Option<Checkpoint>,
    pub last_failure: Option<FailedCheckpoint>,
    /// Where the job got its state from when it was started, or started anew.
    pub restored_from: Option<String>,
}

/// How a job takes its checkpoints.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CheckpointConfig {
    /// None for a job that takes none by itself: then there are only savepoints that somebody asks for.
    pub interval_milliseconds: Option<u64>,
    /// `exactly_once` or `at_least_once`.
    pub mode: String,
    /// Flink's name for where they are kept, such as `FileSystemCheckpointStorage`; none before 1.13.
    pub storage: Option<String>,
    /// Flink's name for what keeps the state while the job runs; none before 1.11.
    pub state_backend: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Checkpoint {
    pub id: u64,
    #[serde(serialize_with = "time")]
    pub triggered_at: Option<Timestamp>,
    pub duration_milliseconds: u64,
    pub size_bytes: u64,
    /// None where it is kept nowhere.
    pub path: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct FailedCheckpoint {
    #[serde(serialize_with = "time")]
    pub triggered_at: Option<Timestamp>,
    pub message: String,
}

/// An exception, and the two ends of its stack that say something.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Thrown {
    /// The outermost that is not a wrapping of Flink's or Java's.
    pub message: String,
    /// The one that all began with, if that is another.
    pub cause: Option<String>,
    #[serde(flatten)]
    pub exception: JobException,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct JobException {
    #[serde(serialize_with = "time")]
    pub at: Option<Timestamp>,
    /// As Java prints it: a line for itself, one for each frame and cause.
    pub stack: String,
    /// The task that it was thrown in, as `Map (1/4)`.
    pub task: Option<String>,
    /// The TaskManager of that task.
    pub task_manager: Option<String>,
}

impl JobDetails {
    /// The parts that are not known, with the reason.
    pub fn unknown(&self) -> Vec<(&'static str, &str)> {
        let config = self.checkpoints.known().and_then(Option::as_ref);
        let parts = [
            ("checkpoints", self.checkpoints.why_unknown()),
            ("checkpoints.config", config.and_then(|checkpoints| checkpoints.config.why_unknown())),
            ("exceptions", self.exceptions.why_unknown()),
        ];
        parts.into_iter().filter_map(|(part, why)| Some((part, why?))).collect()
    }
}

impl Serialize for JobView {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        #[serde(rename_all = "camelCase")]
        struct Json<'a> {
            api_version: &'static str,
            kind: &'static str,
            metadata: Metadata<'a>,
            session: &'a str,
            status: Status<'a>,
            #[serde(skip_serializing_if = "Option::is_none")]
            unknown: Option<Vec<Unknown<'a>>>,
        }
        #[derive(Serialize)]
        #[serde(rename_all = "camelCase")]
        struct Metadata<'a> {
            name: &'a str,
            #[serde(skip_serializing_if = "Option::is_none")]
            namespace: Option<&'a str>,
            #[serde(skip_serializing_if = "Option::is_none")]
            creation_timestamp: Option<String>,
        }
        #[derive(Serialize)]
        struct Status<'a> {
            #[serde(flatten)]
            job: &'a Job,
            #[serde(flatten)]
            details: Option<&'a JobDetails>,
        }
        Json {
            api_version: API_VERSION,
            kind: JOB_KIND,
            metadata: Metadata {
                name: self.job.id.as_str(),
                namespace: self.namespace.as_deref(),
                creation_timestamp: self.job.started_at.map(|at| at.to_string()),
            },
            session: &self.session,
            status: Status { job: &self.job, details: self.details.as_ref() },
            unknown: self.details.as_ref().map(|details| Unknown::all(details.unknown())),
        }
        .serialize(serializer)
    }
}
