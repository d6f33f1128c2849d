//! Savepoints: triggered, asked after, disposed of.
//!
//! Both triggers answer at once with an id; what came of it is asked for by that id. A failure is
//! told inside an answer with HTTP 200.

use http::Method;
use serde::Deserialize;
use serde_json::json;

use super::dialect::{Dialect, Savepoint};
use super::{Request, RestError, RestPath, TIMEOUT, Transport, ask, get};
use crate::model::ids::{JobId, TriggerId};

/// How far something that was triggered is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Progress {
    InProgress,
    /// With the path of the savepoint; a disposal has none.
    Done(Option<String>),
    /// With the stack of the exception.
    Failed(String),
    /// The JobManager knows nothing of such a request: it never came, or is forgotten.
    Unknown,
}

#[derive(Deserialize)]
struct Triggered {
    #[serde(rename = "request-id")]
    id: TriggerId,
}

/// `POST /jobs/:jobid/savepoints`.
pub async fn savepoint(
    transport: &impl Transport,
    job: &JobId,
    dialect: Dialect,
    savepoint: &Savepoint,
) -> Result<TriggerId, RestError> {
    trigger(transport, RestPath::of(["jobs", job.as_str(), "savepoints"]), &dialect.savepoint(savepoint))
        .await
}

/// `POST /jobs/:jobid/stop`: a savepoint, and with it the end of the job.
pub async fn stop(
    transport: &impl Transport,
    job: &JobId,
    dialect: Dialect,
    savepoint: &Savepoint,
    drain: bool,
) -> Result<TriggerId, RestError> {
    trigger(transport, RestPath::of(["jobs", job.as_str(), "stop"]), &dialect.stop(savepoint, drain)).await
}

/// `POST /savepoint-disposal`: removes a savepoint for good.
pub async fn dispose(transport: &impl Transport, path: &str) -> Result<TriggerId, RestError> {
    trigger(transport, RestPath::of(["savepoint-disposal"]), &json!({"savepoint-path": path})).await
}

async fn trigger(
    transport: &impl Transport,
    path: RestPath,
    body: &serde_json::Value,
) -> Result<TriggerId, RestError> {
    let triggered: Triggered = ask(transport, Request::json(Method::POST, path, body), TIMEOUT).await?;
    Ok(triggered.id)
}

/// `GET /jobs/:jobid/savepoints/:triggerid`, of either trigger.
pub async fn trigger_progress(
    transport: &impl Transport,
    job: &JobId,
    request: &TriggerId,
) -> Result<Progress, RestError> {
    progress(transport, RestPath::of(["jobs", job.as_str(), "savepoints", request.as_str()])).await
}

/// `GET /savepoint-disposal/:triggerid`.
pub async fn disposal(transport: &impl Transport, request: &TriggerId) -> Result<Progress, RestError> {
    progress(transport, RestPath::of(["savepoint-disposal", request.as_str()])).await
}

async fn progress(transport: &impl Transport, path: RestPath) -> Result<Progress, RestError> {
    #[derive(Deserialize)]
    struct Of {
        status: Status,
        operation: Option<Operation>,
    }
    #[derive(Deserialize)]
    struct Status {
        id: String,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "kebab-case")]
    struct Operation {
        location: Option<String>,
        failure_cause: Option<Cause>,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "kebab-case")]
    struct Cause {
        class: Option<String>,
        stack_trace: Option<String>,
    }
    let of: Of = match get(transport, path).await {
        Err(error) if error.is_not_found() => return Ok(Progress::Unknown),
        answer => answer?,
    };
    if of.status.id != "COMPLETED" {
        return Ok(Progress::InProgress);
    }
    Ok(match of.operation {
        Some(Operation { failure_cause: Some(cause), .. }) => {
            Progress::Failed(cause.stack_trace.or(cause.class).unwrap_or_default())
        }
        operation => Progress::Done(operation.and_then(|operation| operation.location)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flink::played::Played;

    fn id() -> TriggerId {
        "b6184a1ceee81fb635c129c3458234c8".parse().expect("an id")
    }

    #[tokio::test]
    async fn a_failure_inside_an_answer_of_200_is_a_failure() {
        let failed = r#"{"status":{"id":"COMPLETED"},"operation":{"failure-cause":{
            "class":"java.util.concurrent.CompletionException","stack-trace":"a.B: c\n\tat d"}}}"#;
        let asked =
            |body| async move { trigger_progress(&Played::of(200, body), &JobId::from(1), &id()).await };
        assert_eq!(asked(failed).await.expect("answer"), Progress::Failed("a.B: c\n\tat d".to_owned()));
        let going = r#"{"status":{"id":"IN_PROGRESS"},"operation":null}"#;
        assert_eq!(asked(going).await.expect("answer"), Progress::InProgress);
        let done = r#"{"status":{"id":"COMPLETED"},"operation":{"location":"file:/tmp/sp/savepoint-1"}}"#;
        let path = "file:/tmp/sp/savepoint-1".to_owned();
        assert_eq!(asked(done).await.expect("answer"), Progress::Done(Some(path)));
    }

    #[tokio::test]
    async fn a_request_that_never_came_is_not_known() {
        let body = r#"{"errors":["org.apache.flink.runtime.rest.handler.RestHandlerException: There is no savepoint operation with triggerId=1"]}"#;
        let answer = trigger_progress(&Played::of(404, body), &JobId::from(1), &id()).await;
        assert_eq!(answer.expect("answer"), Progress::Unknown);
    }

    #[tokio::test]
    async fn each_trigger_has_its_own_path_and_spelling() {
        let dialect = Dialect::of("1.20".parse().expect("version"));
        let (job, id) = (JobId::from(1), id());
        let triggered = &format!(r#"{{"request-id":"{id}"}}"#);
        let played = Played::of(202, triggered).then(202, triggered).then(202, triggered);
        let wanted = Savepoint { directory: Some("s3://b".to_owned()), request: Some(id.clone()) };
        savepoint(&played, &job, dialect, &wanted).await.expect("savepoint");
        stop(&played, &job, dialect, &wanted, true).await.expect("stop");
        dispose(&played, "s3://b/1").await.expect("disposal");
        assert_eq!(
            played.asked(),
            [
                &*format!(
                    "POST /jobs/{job}/savepoints {{\"cancel-job\":false,\"target-directory\":\"s3://b\",\"triggerId\":\"{id}\"}}"
                ),
                &*format!(
                    "POST /jobs/{job}/stop {{\"drain\":true,\"targetDirectory\":\"s3://b\",\"triggerId\":\"{id}\"}}"
                ),
                "POST /savepoint-disposal {\"savepoint-path\":\"s3://b/1\"}",
            ]
        );
    }
}
