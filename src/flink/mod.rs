//! Flink's REST API, over anything that carries bytes.
//!
//! It knows no Kubernetes: whoever uses it brings the [`Transport`].

pub mod stream;

use std::future::Future;
use std::time::Duration;

use jiff::Timestamp;
use serde::Deserialize;

use crate::model::evidence::Overview;
use crate::model::status::{Job, Memory, TaskManager};

/// A JobManager answers from memory: what takes longer is not answering.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Carries one GET to a JobManager and its answer back.
pub trait Transport {
    /// Status code and body of `GET path`.
    fn get(&self, path: &str) -> impl Future<Output = Result<(u16, Vec<u8>), RestError>>;
}

#[derive(Debug, thiserror::Error)]
pub enum RestError {
    /// Nothing there that speaks HTTP, yet or any more.
    #[error("{0}")]
    Unreachable(String),
    /// The way there is forbidden to this user.
    #[error("{0}")]
    Forbidden(String),
    #[error("no answer within {} s", TIMEOUT.as_secs())]
    TimedOut,
    #[error("HTTP {status}: {body}")]
    Status { status: u16, body: String },
    #[error("an answer that is not Flink's: {0}")]
    Answer(String),
}

/// `GET /overview`, in every version since 1.10. Counts are of this moment.
#[derive(Deserialize)]
struct OverviewBody {
    #[serde(rename = "flink-version")]
    version: String,
    taskmanagers: u32,
    #[serde(rename = "slots-total")]
    slots_total: u32,
    #[serde(rename = "slots-available")]
    slots_available: u32,
    #[serde(rename = "jobs-running")]
    jobs_running: u32,
}

/// The session's own account of itself.
pub async fn overview(transport: &impl Transport) -> Result<Overview, RestError> {
    let body: OverviewBody = get(transport, "/overview").await?;
    Ok(Overview {
        version: body.version,
        taskmanagers: body.taskmanagers,
        slots_total: body.slots_total,
        slots_available: body.slots_available,
        jobs_running: body.jobs_running,
    })
}

/// `GET /taskmanagers`: those that have registered.
pub async fn taskmanagers(transport: &impl Transport) -> Result<Vec<TaskManager>, RestError> {
    #[derive(Deserialize)]
    struct Body {
        taskmanagers: Vec<Of>,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Of {
        id: String,
        slots_number: u32,
        free_slots: u32,
    }
    let body: Body = get(transport, "/taskmanagers").await?;
    let taskmanager = |of: Of| TaskManager { id: of.id, slots: of.slots_number, slots_free: of.free_slots };
    Ok(body.taskmanagers.into_iter().map(taskmanager).collect())
}

/// `GET /jobs/overview`: running jobs first, then the latest.
pub async fn jobs(transport: &impl Transport) -> Result<Vec<Job>, RestError> {
    #[derive(Deserialize)]
    struct Body {
        jobs: Vec<Of>,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "kebab-case")]
    struct Of {
        jid: String,
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
    let body: Body = get(transport, "/jobs/overview").await?;
    let mut jobs: Vec<Job> = body
        .jobs
        .into_iter()
        .map(|of| Job {
            id: of.jid,
            name: of.name,
            state: of.state,
            tasks_running: of.tasks.running,
            tasks_total: of.tasks.total,
            started_at: Timestamp::from_millisecond(of.start_time).ok(),
            duration_milliseconds: of.duration.max(0).unsigned_abs(),
        })
        .collect();
    jobs.sort_by_key(|job| (!job.is_alive(), std::cmp::Reverse(job.started_at)));
    Ok(jobs)
}

/// How long after the first question the metrics may be there.
const COLLECTED: [Duration; 3] =
    [Duration::from_millis(50), Duration::from_millis(150), Duration::from_millis(300)];

/// What the JobManager's own metrics say of its memory. Metaspace is told from 1.12 on (FLINK-19662).
pub async fn memory(transport: &impl Transport) -> Result<Memory, RestError> {
    #[derive(Deserialize)]
    struct Metric {
        id: String,
        value: String,
    }
    const PATH: &str = "/jobmanager/metrics?get=Status.JVM.Memory.Heap.Used,Status.JVM.Memory.Heap.Max,\
        Status.JVM.Memory.Metaspace.Used,Status.JVM.Memory.Metaspace.Max";
    let mut metrics: Vec<Metric> = get(transport, PATH).await?;
    // The first question only makes the JobManager collect them (`MetricFetcherImpl#update`).
    for pause in COLLECTED {
        if !metrics.is_empty() {
            break;
        }
        tokio::time::sleep(pause).await;
        metrics = get(transport, PATH).await?;
    }
    // -1 stands for no limit.
    let bytes = |end: &str| metrics.iter().find(|metric| metric.id.ends_with(end))?.value.parse().ok();
    Ok(Memory {
        heap_used_bytes: bytes("Heap.Used"),
        heap_max_bytes: bytes("Heap.Max"),
        metaspace_used_bytes: bytes("Metaspace.Used"),
        metaspace_max_bytes: bytes("Metaspace.Max"),
    })
}

async fn get<T: for<'de> Deserialize<'de>>(transport: &impl Transport, path: &str) -> Result<T, RestError> {
    let (status, body) =
        tokio::time::timeout(TIMEOUT, transport.get(path)).await.map_err(|_| RestError::TimedOut)??;
    if status != 200 {
        let body = String::from_utf8_lossy(&body).lines().next().unwrap_or_default().to_owned();
        return Err(RestError::Status { status, body });
    }
    serde_json::from_slice(&body).map_err(|error| RestError::Answer(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Fixed(u16, &'static str);

    impl Transport for Fixed {
        async fn get(&self, _path: &str) -> Result<(u16, Vec<u8>), RestError> {
            Ok((self.0, self.1.as_bytes().to_vec()))
        }
    }

    #[tokio::test]
    async fn reads_the_overview_of_1_10_and_of_2_3() {
        let old = r#"{"taskmanagers":1,"slots-total":2,"slots-available":1,"jobs-running":1,"jobs-finished":0,
            "jobs-cancelled":0,"jobs-failed":0,"flink-version":"1.10.3","flink-commit":"9db0dbf"}"#;
        let new = r#"{"taskmanagers":0,"slots-total":0,"slots-available":0,"jobs-running":0,"jobs-finished":0,
            "jobs-cancelled":0,"jobs-failed":0,"slots-free-and-blocked":0,"flink-version":"2.3.0","flink-commit":"x"}"#;
        let read = overview(&Fixed(200, old)).await.expect("1.10");
        assert_eq!((read.version.as_str(), read.slots_total, read.jobs_running), ("1.10.3", 2, 1));
        assert_eq!(overview(&Fixed(200, new)).await.expect("2.3").version, "2.3.0");
    }

    #[tokio::test]
    async fn reads_taskmanagers_jobs_and_memory() {
        let body = r#"{"taskmanagers":[{"id":"roc-taskmanager-1-1","path":"pekko.tcp://x","dataPort":1,
            "slotsNumber":2,"freeSlots":1,"timeSinceLastHeartbeat":0,"hardware":{}}]}"#;
        let read = taskmanagers(&Fixed(200, body)).await.expect("taskmanagers");
        assert_eq!((read[0].slots, read[0].slots_free), (2, 1));

        let tasks = r#"{"total":2,"created":0,"scheduled":1,"running":1}"#;
        let job = |id: &str, state: &str, start: i64| {
            format!(
                r#"{{"jid":"{id}","name":"n","state":"{state}","start-time":{start},"end-time":-1,"duration":5,"last-modification":1,"tasks":{tasks}}}"#
            )
        };
        let body = format!(
            r#"{{"jobs":[{},{},{}]}}"#,
            job("a", "FINISHED", 9),
            job("b", "RUNNING", 1),
            job("c", "RESTARTING", 2)
        );
        let read = jobs(&Fixed(200, Box::leak(body.into_boxed_str()))).await.expect("jobs");
        assert_eq!(read.iter().map(|job| job.id.as_str()).collect::<Vec<_>>(), ["c", "b", "a"]);
        assert_eq!((read[0].tasks_running, read[0].tasks_total), (1, 2));

        let body = r#"[{"id":"Status.JVM.Memory.Heap.Used","value":"94371840"},{"id":"Status.JVM.Memory.Heap.Max","value":"469762048"}]"#;
        let read = memory(&Fixed(200, body)).await.expect("memory");
        assert_eq!(
            read,
            Memory {
                heap_used_bytes: Some(94_371_840),
                heap_max_bytes: Some(469_762_048),
                ..Memory::default()
            }
        );
    }

    #[tokio::test]
    async fn anything_else_is_no_overview() {
        let error = |status, body| async move {
            overview(&Fixed(status, body)).await.expect_err("error").to_string()
        };
        assert_eq!(
            error(503, "Service temporarily unavailable\nmore").await,
            "HTTP 503: Service temporarily unavailable"
        );
        assert!(error(200, "<html>").await.starts_with("an answer that is not Flink's"));
    }
}
