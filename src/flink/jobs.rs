//! Jobs: listed, looked at, cancelled.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use http::Method;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;

use super::{Body, Request, RestError, RestPath, TIMEOUT, Transport, ask, get};
use crate::model::ids::{JobId, VertexId};
use crate::model::job::{Backpressure, JobDetails, JobException, Vertex};
use crate::model::status::{Job, Part};

/// `GET /jobs/overview`: running jobs first, then the latest.
pub async fn jobs(transport: &impl Transport) -> Result<Vec<Job>, RestError> {
    #[derive(Deserialize)]
    struct Jobs {
        jobs: Vec<Of>,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "kebab-case")]
    struct Of {
        jid: JobId,
        name: String,
        state: String,
        start_time: i64,
        /// Negative when the clock was set back.
        duration: i64,
        tasks: Tasks,
    }
    #[derive(Deserialize)]
    struct Tasks {
        total: u32,
        running: u32,
    }
    let jobs: Jobs = get(transport, RestPath::of(["jobs", "overview"])).await?;
    let mut jobs: Vec<Job> = jobs
        .jobs
        .into_iter()
        .map(|of| Job {
            id: of.jid,
            name: of.name,
            state: of.state,
            tasks_running: of.tasks.running,
            tasks_total: of.tasks.total,
            started_at: at(of.start_time),
            duration_milliseconds: not_negative(of.duration),
        })
        .collect();
    jobs.sort_by_key(|job| (!job.is_alive(), Reverse(job.started_at)));
    Ok(jobs)
}

/// `GET /jobs/:jobid`, without checkpoints, exceptions and backpressure, which are asked for apart.
/// None when the session knows no such job.
pub async fn job(transport: &impl Transport, id: &JobId) -> Result<Option<(Job, JobDetails)>, RestError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "kebab-case")]
    struct Of {
        jid: JobId,
        name: String,
        state: String,
        start_time: i64,
        duration: i64,
        vertices: Vec<OfVertex>,
    }
    #[derive(Deserialize)]
    struct OfVertex {
        id: VertexId,
        name: String,
        parallelism: u32,
        status: String,
        duration: i64,
        /// By state, in capitals.
        tasks: BTreeMap<String, u32>,
        metrics: BTreeMap<String, Value>,
    }
    let of: Of = match get(transport, RestPath::of(["jobs", id.as_str()])).await {
        Err(error) if error.is_not_found() => return Ok(None),
        answer => answer?,
    };
    let running = |vertex: &OfVertex| vertex.tasks.get("RUNNING").copied().unwrap_or(0);
    // Zero may only mean that nobody has asked the TaskManagers yet: then it is not "complete".
    let records = |vertex: &OfVertex, key: &str| {
        let number = vertex.metrics.get(key).and_then(Value::as_u64);
        let is_complete = vertex.metrics.get(&format!("{key}-complete")).and_then(Value::as_bool);
        number.filter(|number| *number > 0 || is_complete == Some(true))
    };
    let job = Job {
        id: of.jid,
        name: of.name,
        state: of.state,
        tasks_running: total(of.vertices.iter().map(running)),
        tasks_total: total(of.vertices.iter().map(|vertex| vertex.parallelism)),
        started_at: at(of.start_time),
        duration_milliseconds: not_negative(of.duration),
    };
    let vertex = |vertex: OfVertex| Vertex {
        parallelism: vertex.parallelism,
        tasks_running: running(&vertex),
        duration_milliseconds: not_negative(vertex.duration),
        records_read: records(&vertex, "read-records"),
        records_written: records(&vertex, "write-records"),
        backpressure: None,
        tasks_by_state: vertex.tasks.into_iter().filter(|(_, tasks)| *tasks > 0).collect(),
        id: vertex.id,
        name: vertex.name,
        state: vertex.status,
    };
    let nobody_asked = || "nobody asked".to_owned();
    let details = JobDetails {
        vertices: of.vertices.into_iter().map(vertex).collect(),
        checkpoints: Part::Unknown(nobody_asked()),
        exceptions: Part::Unknown(nobody_asked()),
        findings: Vec::new(),
    };
    Ok(Some((job, details)))
}

/// The global job parameters of a job (`GET /jobs/:jobid/config`, `user-config`). None while the job has no
/// configuration yet: of a job that is INITIALIZING the answer lacks `execution-config` (`JobConfigHandler` of Flink
/// 1.20), and the JobManager repeats that answer for `web.refresh-interval`, 3 s by default.
pub async fn global_parameters(
    transport: &impl Transport,
    id: &JobId,
) -> Result<Option<BTreeMap<String, String>>, RestError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "kebab-case")]
    struct Of {
        execution_config: Option<Config>,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "kebab-case")]
    struct Config {
        #[serde(default)]
        user_config: BTreeMap<String, Value>,
    }
    let of: Of = get(transport, RestPath::of(["jobs", id.as_str(), "config"])).await?;
    let text = |value: Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let texts =
        |config: Config| config.user_config.into_iter().map(|(key, value)| (key, text(value))).collect();
    Ok(of.execution_config.map(texts))
}

/// `GET /jobs/:jobid/exceptions`, newest first. Up to 1.20 there is a root exception; its history
/// came with 1.13 and is alone from 2.0 on.
pub async fn exceptions(transport: &impl Transport, id: &JobId) -> Result<Vec<JobException>, RestError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "kebab-case")]
    struct Exceptions {
        root_exception: Option<String>,
        timestamp: Option<i64>,
        #[serde(rename = "all-exceptions", default)]
        all: Vec<OfTask>,
        #[serde(rename = "exceptionHistory")]
        history: Option<History>,
    }
    #[derive(Deserialize)]
    struct OfTask {
        task: Option<String>,
        location: Option<String>,
    }
    #[derive(Deserialize)]
    struct History {
        entries: Vec<Entry>,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Entry {
        stacktrace: String,
        timestamp: Option<i64>,
        task_name: Option<String>,
        /// Its address: 1.20 tells it under both names, older versions under this and newer under the next.
        location: Option<String>,
        endpoint: Option<String>,
        task_manager_id: Option<String>,
        #[serde(default)]
        concurrent_exceptions: Vec<Entry>,
    }
    let exceptions: Exceptions = get(transport, RestPath::of(["jobs", id.as_str(), "exceptions"])).await?;
    let entries = exceptions.history.map(|history| history.entries).unwrap_or_default();
    if entries.is_empty() {
        let first = exceptions.all.into_iter().next();
        let root = exceptions.root_exception.map(|stack| JobException {
            at: exceptions.timestamp.and_then(at),
            stack,
            task: first.as_ref().and_then(|of| of.task.clone()),
            task_manager: first.and_then(|of| of.location),
        });
        return Ok(root.into_iter().collect());
    }
    let exception = |entry: Entry| {
        // A failure of the whole job names no task; the task's own failure comes with it.
        let task = entry.task_name.is_none().then(|| entry.concurrent_exceptions.first()).flatten();
        let address = |entry: &Entry| entry.endpoint.clone().or_else(|| entry.location.clone());
        let of_task = task.unwrap_or(&entry);
        JobException {
            at: entry.timestamp.and_then(at),
            task: of_task.task_name.clone(),
            task_manager: of_task.task_manager_id.clone().or_else(|| address(of_task)),
            stack: entry.stacktrace.clone(),
        }
    };
    Ok(entries.into_iter().map(exception).collect())
}

/// `GET /jobs/:jobid/vertices/:vertexid/backpressure`. The first question only makes the JobManager
/// measure it; 2.x answers with an error while a task does not run (`NoSuchElementException`).
pub async fn backpressure(
    transport: &impl Transport,
    job: &JobId,
    vertex: &VertexId,
) -> Result<Option<Backpressure>, RestError> {
    #[derive(Deserialize)]
    struct Of {
        status: String,
        #[serde(rename = "backpressure-level")]
        level: Option<String>,
        #[serde(default)]
        subtasks: Vec<Subtask>,
    }
    #[derive(Deserialize)]
    struct Subtask {
        ratio: f64,
    }
    let of: Of = match get(
        transport,
        RestPath::of(["jobs", job.as_str(), "vertices", vertex.as_str(), "backpressure"]),
    )
    .await
    {
        Err(RestError::Status { status: 500, .. }) => return Ok(None),
        answer => answer?,
    };
    let largest = of.subtasks.iter().map(|subtask| subtask.ratio).fold(0.0, f64::max).clamp(0.0, 1.0);
    // A share of one, rounded: it fits.
    #[expect(
        clippy::as_conversions,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "0 to 100"
    )]
    let percent = (largest * 100.0).round() as u8;
    Ok(of.level.filter(|_| of.status == "ok").map(|level| Backpressure { level, percent }))
}

/// What became of a wish to cancel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cancelled {
    Asked,
    /// The job has come to an end already, or the session knows no such job.
    TooLate(String),
}

/// `PATCH /jobs/:jobid?mode=cancel`. Asking twice does no harm. The job is cancelled some time after.
pub async fn cancel(transport: &impl Transport, id: &JobId) -> Result<Cancelled, RestError> {
    let request = Request {
        method: Method::PATCH,
        path: RestPath::of(["jobs", id.as_str()]).with("mode", ["cancel"]),
        body: Body::Empty,
    };
    let answer: Result<Value, RestError> = ask(transport, request, TIMEOUT).await;
    match answer {
        Ok(_) => Ok(Cancelled::Asked),
        // Up to 1.13 a job that has ended is not found, later it is a conflict.
        Err(RestError::Status { status: 404 | 409, errors, is_flinks: true }) => {
            Ok(Cancelled::TooLate(errors))
        }
        Err(error) => Err(error),
    }
}

/// Whether the JobManager runs the `main()` of an uploaded jar right now, as its threads say
/// (`GET /jobmanager/thread-dump`). None where the version cannot tell.
pub async fn is_running_a_program(transport: &impl Transport) -> Result<Option<bool>, RestError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Dump {
        thread_infos: Vec<Thread>,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Thread {
        #[serde(default)]
        thread_name: String,
        stringified_thread_info: String,
    }
    match get::<Dump>(transport, RestPath::of(["jobmanager", "thread-dump"])).await {
        Ok(dump) => {
            let mut threads = dump.thread_infos.iter();
            Ok(Some(
                threads.any(|thread| runs_a_program(&thread.thread_name, &thread.stringified_thread_info)),
            ))
        }
        Err(error) if error.is_not_found() => Ok(None),
        Err(error) => Err(error),
    }
}

/// A program has a thread of its own in 1.20 and 2.3; before, it runs on one of those that serve REST,
/// with the handler at the bottom of a stack that may be cut off before it
/// (`cluster.thread-dump.stacktrace-max-depth`). One of them that does not wait for work counts as well.
fn runs_a_program(name: &str, stack: &str) -> bool {
    let serves = name.starts_with("Flink-DispatcherRestEndpoint-thread");
    let is_idle = stack.contains("ThreadPoolExecutor.getTask");
    name.starts_with("flink-jar-runner-thread")
        || stack.contains("webmonitor.handlers.JarRunHandler")
        || (serves && !is_idle)
}

pub(super) fn at(milliseconds: i64) -> Option<Timestamp> {
    Timestamp::from_millisecond(milliseconds).ok().filter(|_| milliseconds > 0)
}

/// What so many are together; a JobManager that reports more has the most that can be shown.
fn total(counts: impl Iterator<Item = u32>) -> u32 {
    counts.fold(0, u32::saturating_add)
}

pub(super) fn not_negative(milliseconds: i64) -> u64 {
    milliseconds.max(0).unsigned_abs()
}

#[cfg(test)]
mod tests;
