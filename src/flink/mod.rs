//! Flink's REST API, over anything that carries bytes.
//!
//! It knows no Kubernetes: whoever uses it brings the [`Transport`].

pub mod stream;

use std::future::Future;
use std::time::Duration;

use serde::Deserialize;

use crate::model::evidence::Overview;

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
