//! Jars in a session: uploaded, run, removed.
//!
//! They lie in a directory of one JobManager pod and go with it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use http::Method;
use serde::Deserialize;
use serde_json::Value;

use super::dialect::{Dialect, Program};
use super::{Body, Jar, Request, RestError, RestPath, TIMEOUT, Transport, ask, get};

/// What an uploaded jar is known by: `<uuid>_<name>.jar`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JarId(pub String);

/// A jar that lies in the session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Uploaded {
    pub id: JarId,
    /// What it was called when it was uploaded.
    pub name: String,
}

/// How long an upload may stand still.
const STALLED: Duration = Duration::from_secs(120);

/// `POST /jars/upload`. An upload that takes long is not late, one that stands still is lost.
pub async fn upload(transport: &impl Transport, mut jar: Jar) -> Result<JarId, RestError> {
    #[derive(Deserialize)]
    struct Stored {
        /// Its path in the JobManager.
        filename: String,
    }
    const NO_LIMIT: Duration = Duration::from_secs(24 * 3600);
    let moved = Arc::new(AtomicU64::new(0));
    let (listener, counter) = (jar.sent, Arc::clone(&moved));
    jar.sent = Arc::new(move |bytes| {
        counter.store(bytes, Ordering::Relaxed);
        listener(bytes);
    });
    let request =
        Request { method: Method::POST, path: RestPath::of(["jars", "upload"]), body: Body::Jar(jar) };
    let stands_still = async {
        let mut before = None;
        loop {
            let now = Some(moved.load(Ordering::Relaxed));
            if before == now {
                return;
            }
            before = now;
            tokio::time::sleep(STALLED).await;
        }
    };
    let stored: Stored = tokio::select! {
        stored = ask(transport, request, NO_LIMIT) => stored?,
        () = stands_still => return Err(RestError::TimedOut(STALLED)),
    };
    let name = stored.filename.rsplit(['/', '\\']).next().unwrap_or_default();
    match name.is_empty() {
        false => Ok(JarId(name.to_owned())),
        true => Err(RestError::Answer(format!("an upload without a name: {:?}", stored.filename))),
    }
}

/// `GET /config`: false when the session has `web.submit.enable: false`, so that it has no requests for jars. None where
/// it does not say so.
///
/// Without the request, an upload ends with 404 in 1.10, and with 400 and [`NO_UPLOADS`] in 1.20 and 2.3, after all of
/// the jar was sent.
pub async fn takes_jars(transport: &impl Transport) -> Result<Option<bool>, RestError> {
    #[derive(Deserialize)]
    struct Config {
        #[serde(default)]
        features: Features,
    }
    #[derive(Default, Deserialize)]
    struct Features {
        #[serde(rename = "web-submit")]
        web_submit: Option<bool>,
    }
    let config: Config = get(transport, RestPath::of(["config"])).await?;
    Ok(config.features.web_submit)
}

/// What a session says of a file where it takes none.
pub const NO_UPLOADS: &str = "POST request not allowed";

/// `GET /jars`: what lies in the session.
pub async fn jars(transport: &impl Transport) -> Result<Vec<Uploaded>, RestError> {
    #[derive(Deserialize)]
    struct Jars {
        files: Vec<Of>,
    }
    #[derive(Deserialize)]
    struct Of {
        id: String,
        name: String,
    }
    let jars: Jars = get(transport, RestPath::of(["jars"])).await?;
    Ok(jars.files.into_iter().map(|of| Uploaded { id: JarId(of.id), name: of.name }).collect())
}

/// What `POST /jars/:jarid/run` answers.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Started {
    /// Of the first job that the program has started.
    #[serde(rename = "jobid")]
    pub job: String,
}

/// Runs the program in `jar` to the end of its `main()`, for at most `patience`.
pub async fn run(
    transport: &impl Transport,
    jar: &JarId,
    dialect: Dialect,
    program: &Program,
    patience: Duration,
) -> Result<Started, RestError> {
    let path = RestPath::of(["jars", &jar.0, "run"]);
    ask(transport, Request::json(Method::POST, path, &dialect.run(program)), patience).await
}

/// `DELETE /jars/:jarid`. A jar that is not there any more is no error. From then on no program of it
/// starts; one that has started goes on.
pub async fn remove_jar(transport: &impl Transport, jar: &JarId) -> Result<(), RestError> {
    let path = RestPath::of(["jars", &jar.0]);
    let request = Request { method: Method::DELETE, path, body: Body::Empty };
    let removed: Result<Value, RestError> = ask(transport, request, TIMEOUT).await;
    match removed {
        Ok(_) => Ok(()),
        Err(RestError::Status { errors, is_flinks: true, .. }) if errors.contains("does not exist") => Ok(()),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flink::played::Played;

    #[tokio::test]
    async fn a_jar_is_known_by_the_end_of_its_path() {
        let played = Played::of(
            200,
            r#"{"filename":"/tmp/flink-web-c97d/flink-web-upload/c27e_programs.jar","status":"success"}"#,
        );
        let file = tempfile::tempfile().expect("file");
        let jar = Jar { file, bytes: 0, name: "programs.jar".to_owned(), sent: Arc::new(|_| {}) };
        let id = upload(&played, jar).await.expect("uploaded");
        assert_eq!(id, JarId("c27e_programs.jar".to_owned()));
        assert_eq!(played.asked(), ["POST /jars/upload programs.jar (0 bytes)"]);
    }

    #[tokio::test]
    async fn names_are_one_segment_of_the_path() {
        let played = Played::of(200, r#"{"jobid":"11"}"#);
        let program = Program { parallelism: Some(3), ..Program::default() };
        let dialect = Dialect::of("2.3".parse().expect("version"));
        let started = run(&played, &JarId("u_my app/é.jar".to_owned()), dialect, &program, TIMEOUT).await;
        assert_eq!(started.expect("started").job, "11");
        assert_eq!(played.asked(), ["POST /jars/u_my%20app%2F%C3%A9.jar/run {\"parallelism\":3}"]);
    }

    #[tokio::test]
    async fn a_jar_that_is_gone_is_removed() {
        let gone = r#"{"errors":["File x.jar does not exist in /tmp/flink-web."]}"#;
        assert!(remove_jar(&Played::of(400, gone), &JarId("x.jar".to_owned())).await.is_ok());
        let other = Played::of(500, r#"{"errors":["Failed to delete jar x.jar."]}"#);
        assert!(remove_jar(&other, &JarId("x.jar".to_owned())).await.is_err());
    }
}
