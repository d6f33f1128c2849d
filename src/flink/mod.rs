//! Flink's REST API, over anything that carries bytes.
//!
//! It knows no Kubernetes: whoever uses it brings the [`Transport`]. Paths, bodies and their changes
//! by version are those of Flink's handlers and message headers, 1.10 to 2.3.

// What a JobManager reports is any number: sums and times of it are checked, and nothing is looked up by it unchecked.
#![cfg_attr(
    not(test),
    deny(
        clippy::arithmetic_side_effects,
        clippy::as_conversions,
        clippy::cast_possible_truncation,
        clippy::cast_possible_wrap,
        clippy::cast_sign_loss,
        clippy::indexing_slicing
    )
)]

pub mod address;
mod checkpoints;
pub mod connection;
pub mod dialect;
mod jars;
mod jobs;
mod path;
mod running;
mod savepoints;
mod session;
mod size;
pub mod tls;

use std::fs::File;
use std::future::Future;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use http::Method;
use serde::Deserialize;
use serde_json::Value;

use crate::net::TooLong;

pub use checkpoints::{Recorded, RecordedState, checkpoint_config, checkpoints, recorded_savepoints};
pub use jars::{JarId, NO_UPLOADS, Started, jars, remove_jar, run, takes_jars, upload};
pub use jobs::{
    Cancelled, backpressure, cancel, exceptions, global_parameters, is_running_a_program, job, jobs,
};
pub use path::RestPath;
pub use running::complete_jobs;
pub use savepoints::{Progress, disposal, dispose, savepoint, stop, trigger_progress};
pub use session::{configuration, memory, overview, taskmanagers};

/// A JobManager answers from memory: what takes longer is not answering.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Carries one request to a JobManager and its answer back.
pub trait Transport {
    /// [`RestError::Unreachable`] promises that the JobManager has seen nothing of `request`;
    /// after [`RestError::Lost`] nobody here knows.
    fn send(&self, request: Request) -> impl Future<Output = Result<Answer, RestError>>;

    /// The same, for at most `patience` of the JobManager: what the way to it takes comes on top.
    fn send_within(
        &self,
        request: Request,
        patience: Duration,
    ) -> impl Future<Output = Result<Answer, RestError>> {
        async move {
            let answer = tokio::time::timeout(patience, self.send(request)).await;
            answer.map_err(|_| RestError::TimedOut(patience))?
        }
    }
}

/// One request to REST.
#[derive(Debug)]
pub struct Request {
    pub method: Method,
    pub path: RestPath,
    pub body: Body,
}

#[derive(Debug)]
pub enum Body {
    Empty,
    Json(Vec<u8>),
    Jar(Jar),
}

/// A file on its way into the session.
pub struct Jar {
    pub file: File,
    pub bytes: u64,
    /// What it is called there.
    pub name: String,
    /// Hears how many bytes have left.
    pub sent: Arc<dyn Fn(u64) + Send + Sync>,
}

impl std::fmt::Debug for Jar {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} ({} bytes)", self.name, self.bytes)
    }
}

impl Request {
    pub fn get(path: RestPath) -> Self {
        Self { method: Method::GET, path, body: Body::Empty }
    }

    fn json(method: Method, path: RestPath, value: &Value) -> Self {
        Self { method, path, body: Body::Json(value.to_string().into_bytes()) }
    }

    /// The most bytes that its answer may have.
    pub fn most(&self) -> usize {
        size::most(&self.path)
    }

    /// As `GET /overview`, without its query.
    pub fn named(&self) -> String {
        format!("{} {}", self.method, self.path.as_str().split('?').next().unwrap_or_default())
    }

    /// The same once more, for what may be sent twice.
    pub fn again(&self) -> Option<Self> {
        let is_harmless = self.method == Method::GET && matches!(self.body, Body::Empty);
        is_harmless.then(|| Self::get(self.path.clone()))
    }
}

/// What came back.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    pub status: u16,
    pub body: Vec<u8>,
    /// Where a redirect points to.
    pub location: Option<String>,
}

#[derive(Debug, thiserror::Error)]
pub enum RestError {
    /// Nothing there that speaks HTTP, yet or any more. Nothing of the request has arrived.
    #[error("{0}")]
    Unreachable(String),
    /// The connection went while the request or its answer was on its way: it may have been done.
    #[error("the connection was lost: {0}")]
    Lost(String),
    /// The way there is forbidden to this user, or the user is not known.
    #[error("{0}")]
    Forbidden(String),
    /// Something that is needed on the way cannot be used, such as a certificate.
    #[error("{0}")]
    Unusable(String),
    /// Another session has the name by now. Nothing of the request has arrived there.
    #[error("{0}")]
    MadeAnew(String),
    /// It may have been done, or still be at work.
    #[error("no answer within {:.0} s", .0.as_secs_f32().ceil())]
    TimedOut(Duration),
    /// Flink's own errors, one a line or with their stack. `is_flinks` is false for an answer in
    /// another form: then something in between has given it.
    #[error("HTTP {status}: {}", first_line(.errors))]
    Status { status: u16, errors: String, is_flinks: bool },
    #[error("an answer that is not Flink's: {0}")]
    Answer(String),
    /// An answer that is longer than any that is meant: nothing of it is used.
    #[error(transparent)]
    TooLong(#[from] TooLong),
    /// What the JobManager reports of one thing may be older than what is asked for, in a session that sets how old.
    #[error("what the JobManager reports of a job can be {} s old (web.refresh-interval), which is longer than --timeout", .0.as_secs())]
    Stale(Duration),
    /// What the JobManager reports in one place contradicts what it reports in another.
    #[error("{0}")]
    Contradiction(String),
    /// The file that should be sent cannot be read.
    #[error("{0}")]
    File(io::Error),
}

impl RestError {
    /// True when nobody here knows whether the request was done.
    pub fn leaves_doubt(&self) -> bool {
        match self {
            Self::Lost(_) | Self::TimedOut(_) | Self::TooLong(_) => true,
            // Something in between has given up; the JobManager may not have.
            Self::Status { status, is_flinks: false, .. } => matches!(status, 408 | 500..),
            _ => false,
        }
    }

    /// True when it is the way to the JobManager that has failed, and may be open again in a moment.
    pub fn is_of_the_way(&self) -> bool {
        match self {
            Self::Unreachable(_) | Self::Lost(_) | Self::TimedOut(_) => true,
            Self::Status { status, is_flinks: false, .. } => matches!(status, 408 | 429 | 500..),
            _ => self.is_without_leader(),
        }
    }

    /// True for what may be otherwise in a moment: also a JobManager that has just started refuses questions.
    pub fn may_pass(&self) -> bool {
        matches!(self, Self::Status { status: 500.., .. }) || self.is_of_the_way()
    }

    /// True while no JobManager leads: it takes no requests then.
    pub fn is_without_leader(&self) -> bool {
        matches!(self, Self::Status { status: 503, is_flinks: true, .. })
    }

    /// True when Flink says that there is no such thing.
    pub fn is_not_found(&self) -> bool {
        matches!(self, Self::Status { status: 404, is_flinks: true, .. })
    }
}

fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default()
}

async fn get<T: for<'de> Deserialize<'de>>(
    transport: &impl Transport,
    path: RestPath,
) -> Result<T, RestError> {
    ask(transport, Request::get(path), TIMEOUT).await
}

/// Sends `request` and reads its answer, for at most `patience`.
async fn ask<T: for<'de> Deserialize<'de>>(
    transport: &impl Transport,
    request: Request,
    patience: Duration,
) -> Result<T, RestError> {
    let named = request.named();
    let Answer { status, body, location } = transport.send_within(request, patience).await?;
    if let (300..400, Some(location)) = (status, location) {
        return Err(RestError::Answer(format!("it sends to {location}")));
    }
    if !(200..300).contains(&status) {
        let (errors, is_flinks) = errors_of(&body);
        return Err(RestError::Status { status, errors, is_flinks });
    }
    // Some answers are empty.
    let body = if body.is_empty() { b"{}" } else { &body[..] };
    serde_json::from_slice(body).map_err(|error| RestError::Answer(format!("{named}: {error}")))
}

/// What an answer says of its error: Flink's `{"errors": [...]}`, else its text. True for the former.
fn errors_of(body: &[u8]) -> (String, bool) {
    #[derive(Deserialize)]
    struct Errors {
        errors: Vec<String>,
    }
    match serde_json::from_slice::<Errors>(body) {
        Ok(Errors { errors }) => (errors.join("\n"), true),
        Err(_) => (String::from_utf8_lossy(body).trim().to_owned(), false),
    }
}

/// A transport that plays recorded answers, for tests.
#[cfg(test)]
pub mod played {
    use std::cell::RefCell;
    use std::collections::VecDeque;

    use super::{Answer, Body, Request, RestError, Transport};

    /// Answers in their order, and notes what was asked.
    #[derive(Default)]
    pub struct Played {
        answers: RefCell<VecDeque<Result<Answer, RestError>>>,
        asked: RefCell<Vec<String>>,
    }

    impl Played {
        pub fn of(status: u16, body: &str) -> Self {
            Self::default().then(status, body)
        }

        pub fn then(self, status: u16, body: &str) -> Self {
            self.answers.borrow_mut().push_back(Ok(Answer {
                status,
                body: body.as_bytes().to_vec(),
                location: None,
            }));
            self
        }

        pub fn fails(self, error: RestError) -> Self {
            self.answers.borrow_mut().push_back(Err(error));
            self
        }

        /// As `POST /jars/upload BODY`.
        pub fn asked(&self) -> Vec<String> {
            self.asked.borrow().clone()
        }
    }

    impl Transport for Played {
        async fn send(&self, request: Request) -> Result<Answer, RestError> {
            let body = match &request.body {
                Body::Empty => String::new(),
                Body::Json(json) => format!(" {}", String::from_utf8_lossy(json)),
                Body::Jar(jar) => format!(" {jar:?}"),
            };
            self.asked.borrow_mut().push(format!("{} {}{body}", request.method, request.path));
            self.answers.borrow_mut().pop_front().expect("an answer for every request")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_read_in_flinks_form_and_in_any_other() {
        let flinks = |status| RestError::Status { status, errors: String::new(), is_flinks: true };
        let others = |status| RestError::Status { status, errors: String::new(), is_flinks: false };
        assert!(others(502).leaves_doubt() && others(503).leaves_doubt() && others(500).leaves_doubt());
        assert!(!flinks(500).leaves_doubt() && !flinks(503).leaves_doubt() && !others(404).leaves_doubt());
        assert!(flinks(404).is_not_found() && !others(404).is_not_found());
        let internal = br#"{"errors":["Internal server error.","<Exception"]}"#;
        assert_eq!(errors_of(internal), ("Internal server error.\n<Exception".to_owned(), true));
        assert_eq!(errors_of(b"no endpoints available\n"), ("no endpoints available".to_owned(), false));
    }

    #[test]
    fn only_what_may_be_sent_twice_is() {
        assert!(Request::get(RestPath::of(["jobs"])).again().is_some());
        assert!(
            Request::json(Method::POST, RestPath::of(["jars", "x", "run"]), &Value::Null).again().is_none()
        );
    }
}
