//! Jars in a session: uploaded, run, removed.
//!
//! They lie in a directory of one JobManager pod and go with it.

use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use http::Method;
use serde::Deserialize;
use serde_json::Value;

use super::dialect::{Dialect, Program};
use super::{Body, Jar, Request, RestError, RestPath, TIMEOUT, Transport, ask, get};
use crate::model::ids::{InvalidId, JobId};

/// What an uploaded jar is known by: `<uuid>_<name>.jar`, in every version (`JarUploadHandler`). The name has only
/// characters that a URL and a shell leave alone, as in those that this program uploads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JarId(String);

impl JarId {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for JarId {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        let is_safe = |name: &str| name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b));
        let is_jar = text
            .split_once('_')
            .is_some_and(|(uuid, name)| is_uuid(uuid) && name.ends_with(".jar") && is_safe(name));
        match is_jar {
            true => Ok(Self(text.to_owned())),
            false => Err(InvalidId::new("jar ID", text, "UUID_NAME.jar")),
        }
    }
}

/// True for 8-4-4-4-12 hexadecimal digits.
fn is_uuid(text: &str) -> bool {
    let groups: Vec<&str> = text.split('-').collect();
    let is_group = |(group, length): (&&str, usize)| {
        group.len() == length && group.bytes().all(|byte| byte.is_ascii_hexdigit())
    };
    groups.len() == 5 && groups.iter().zip([8, 4, 4, 4, 12]).all(is_group)
}

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
    name.parse().map_err(|error: InvalidId| RestError::Answer(format!("POST /jars/upload: {error}")))
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

/// `GET /jars`: what lies in the session. A jar whose id this program cannot have caused is left out: other clients upload
/// jars under any name.
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
    let uploaded = |of: Of| {
        let id =
            of.id.parse().inspect_err(|error| tracing::debug!(%error, "not a jar of this program")).ok()?;
        Some(Uploaded { id, name: of.name })
    };
    Ok(jars.files.into_iter().filter_map(uploaded).collect())
}

/// What `POST /jars/:jarid/run` answers.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Started {
    /// Of the first job that the program has started.
    #[serde(rename = "jobid")]
    pub job: JobId,
}

/// Runs the program in `jar` to the end of its `main()`, for at most `patience`.
pub async fn run(
    transport: &impl Transport,
    jar: &JarId,
    dialect: Dialect,
    program: &Program,
    patience: Duration,
) -> Result<Started, RestError> {
    let path = RestPath::of(["jars", jar.as_str(), "run"]);
    ask(transport, Request::json(Method::POST, path, &dialect.run(program)), patience).await
}

/// `DELETE /jars/:jarid`. A jar that is not there any more is no error. From then on no program of it
/// starts; one that has started goes on.
pub async fn remove_jar(transport: &impl Transport, jar: &JarId) -> Result<(), RestError> {
    let path = RestPath::of(["jars", jar.as_str()]);
    let request = Request { method: Method::DELETE, path, body: Body::Empty };
    let removed: Result<Value, RestError> = ask(transport, request, TIMEOUT).await;
    match removed {
        Ok(_) => Ok(()),
        Err(RestError::Status { errors, is_flinks: true, .. }) if errors.contains("does not exist") => Ok(()),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
impl JarId {
    /// The jar of this name with a UUID in front. For tests.
    pub fn of(name: &str) -> Self {
        Self(format!("c27e0000-0000-4000-8000-000000000000_{name}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flink::played::Played;

    const UUID: &str = "c27e0000-0000-4000-8000-000000000000";

    async fn uploaded_as(path: &str) -> Result<JarId, RestError> {
        let played = Played::of(200, &serde_json::json!({"filename": path, "status": "success"}).to_string());
        let file = tempfile::tempfile().expect("file");
        let jar = Jar { file, bytes: 0, name: "programs.jar".to_owned(), sent: Arc::new(|_| {}) };
        let id = upload(&played, jar).await;
        assert_eq!(played.asked(), ["POST /jars/upload programs.jar (0 bytes)"]);
        id
    }

    #[tokio::test]
    async fn a_jar_is_known_by_the_end_of_its_path() {
        let id = uploaded_as(&format!("/tmp/flink-web-c97d/flink-web-upload/{UUID}_programs.jar")).await;
        assert_eq!(id.expect("uploaded"), JarId::of("programs.jar"));
    }

    #[tokio::test]
    async fn an_id_that_flink_does_not_make_is_an_error_that_names_the_request() {
        for name in
            ["", "$(touch x).jar", "c27e_programs.jar", "c27e0000-0000-4000-8000-000000000000_$(x).jar"]
        {
            let error = uploaded_as(&format!("/tmp/{name}")).await.expect_err(name).to_string();
            assert!(error.contains("POST /jars/upload: invalid jar ID"), "{error}");
        }
    }

    #[tokio::test]
    async fn a_jar_of_another_client_may_have_any_name() {
        let files = format!(
            r#"{{"address":"x","files":[{{"id":"{UUID}_my job é.jar","name":"my job é.jar"}},
                {{"id":"{UUID}_app.jar","name":"app.jar"}}]}}"#
        );
        let ids: Vec<JarId> =
            jars(&Played::of(200, &files)).await.expect("jars").into_iter().map(|j| j.id).collect();
        assert_eq!(ids, [JarId::of("app.jar")]);
    }

    #[tokio::test]
    async fn a_jar_is_one_segment_of_the_path() {
        let job = "1".repeat(32);
        let played = Played::of(200, &format!(r#"{{"jobid":"{job}"}}"#));
        let program = Program { parallelism: Some(3), ..Program::default() };
        let dialect = Dialect::of("2.3".parse().expect("version"));
        let started = run(&played, &JarId::of("my-app.jar"), dialect, &program, TIMEOUT).await;
        assert_eq!(started.expect("started").job.as_str(), job);
        assert_eq!(played.asked(), [format!("POST /jars/{UUID}_my-app.jar/run {{\"parallelism\":3}}")]);
    }

    #[tokio::test]
    async fn a_jar_that_is_gone_is_removed() {
        let gone = r#"{"errors":["File x.jar does not exist in /tmp/flink-web."]}"#;
        assert!(remove_jar(&Played::of(400, gone), &JarId::of("x.jar")).await.is_ok());
        let other = Played::of(500, r#"{"errors":["Failed to delete jar x.jar."]}"#);
        assert!(remove_jar(&other, &JarId::of("x.jar")).await.is_err());
    }
}
