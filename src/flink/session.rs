//! What a session says of itself: its overview, its TaskManagers, its memory, its settings.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Deserialize;

use super::{RestError, RestPath, Transport, get};
use crate::model::evidence::Overview;
use crate::model::status::{Memory, TaskManager};

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
    let body: OverviewBody = get(transport, RestPath::of(["overview"])).await?;
    Ok(Overview {
        version: body.version,
        taskmanagers: body.taskmanagers,
        slots_total: body.slots_total,
        slots_available: body.slots_available,
        jobs_running: body.jobs_running,
        jobs_without_tasks: 0,
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
    let body: Body = get(transport, RestPath::of(["taskmanagers"])).await?;
    let taskmanager = |of: Of| TaskManager { id: of.id, slots: of.slots_number, slots_free: of.free_slots };
    Ok(body.taskmanagers.into_iter().map(taskmanager).collect())
}

/// `GET /jobmanager/config`: the settings that the JobManager runs with. Secrets are starred out by Flink.
pub async fn configuration(transport: &impl Transport) -> Result<BTreeMap<String, String>, RestError> {
    #[derive(Deserialize)]
    struct Of {
        key: String,
        value: String,
    }
    let settings: Vec<Of> = get(transport, RestPath::of(["jobmanager", "config"])).await?;
    Ok(settings.into_iter().map(|Of { key, value }| (key, value)).collect())
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
    const METRICS: [&str; 4] = [
        "Status.JVM.Memory.Heap.Used",
        "Status.JVM.Memory.Heap.Max",
        "Status.JVM.Memory.Metaspace.Used",
        "Status.JVM.Memory.Metaspace.Max",
    ];
    let path = RestPath::of(["jobmanager", "metrics"]).with("get", METRICS);
    let mut metrics: Vec<Metric> = get(transport, path.clone()).await?;
    // The first question only makes the JobManager collect them (`MetricFetcherImpl#update`).
    for pause in COLLECTED {
        if !metrics.is_empty() {
            break;
        }
        tokio::time::sleep(pause).await;
        metrics = get(transport, path.clone()).await?;
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flink::played::Played;

    #[tokio::test]
    async fn reads_the_overview_of_1_10_and_of_2_3() {
        let old = r#"{"taskmanagers":1,"slots-total":2,"slots-available":1,"jobs-running":1,"jobs-finished":0,
            "jobs-cancelled":0,"jobs-failed":0,"flink-version":"1.10.3","flink-commit":"9db0dbf"}"#;
        let new = r#"{"taskmanagers":0,"slots-total":0,"slots-available":0,"jobs-running":0,"jobs-finished":0,
            "jobs-cancelled":0,"jobs-failed":0,"slots-free-and-blocked":0,"flink-version":"2.3.0","flink-commit":"x"}"#;
        let read = overview(&Played::of(200, old)).await.expect("1.10");
        assert_eq!((read.version.as_str(), read.slots_total, read.jobs_running), ("1.10.3", 2, 1));
        assert_eq!(overview(&Played::of(200, new)).await.expect("2.3").version, "2.3.0");
    }

    #[tokio::test]
    async fn reads_taskmanagers_memory_and_settings() {
        let body = r#"{"taskmanagers":[{"id":"roc-taskmanager-1-1","path":"pekko.tcp://x","dataPort":1,
            "slotsNumber":2,"freeSlots":1,"timeSinceLastHeartbeat":0,"hardware":{}}]}"#;
        let read = taskmanagers(&Played::of(200, body)).await.expect("taskmanagers");
        assert_eq!((read[0].slots, read[0].slots_free), (2, 1));

        let body = r#"[{"id":"Status.JVM.Memory.Heap.Used","value":"94371840"},{"id":"Status.JVM.Memory.Heap.Max","value":"469762048"}]"#;
        let read = memory(&Played::of(200, body)).await.expect("memory");
        assert_eq!(
            read,
            Memory {
                heap_used_bytes: Some(94_371_840),
                heap_max_bytes: Some(469_762_048),
                ..Memory::default()
            }
        );

        let body = r#"[{"key":"rest.address","value":"roc-rest"},{"key":"s3.secret-key","value":"******"}]"#;
        let read = configuration(&Played::of(200, body)).await.expect("configuration");
        assert_eq!(read["rest.address"], "roc-rest");
    }

    #[tokio::test]
    async fn anything_else_is_no_overview() {
        let error = |status, body| async move {
            overview(&Played::of(status, body)).await.expect_err("error").to_string()
        };
        assert_eq!(
            error(503, "Service temporarily unavailable\nmore").await,
            "HTTP 503: Service temporarily unavailable"
        );
        assert!(error(200, "<html>").await.starts_with("an answer that is not Flink's"));
    }
}
