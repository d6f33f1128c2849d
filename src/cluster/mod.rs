//! The only place that knows the Kubernetes client: connect, read, watch, write, delete, forward.
//!
//! It knows neither Flink's REST nor any flag. What it reads leaves it as plain values of
//! [`crate::model`].

// What a server reports is any number: sums and times of it are checked, and nothing is looked up by it unchecked.
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

mod api;
pub mod client;
mod pod;
mod session;

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use http::Request;
use kube::{Client, Config};
use rustls::ClientConfig;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::cluster::client::helper::Helper;
use crate::cluster::client::pulse::Pulse;
use crate::cluster::client::retry::Again;

use crate::model::surroundings::Node;
use crate::session::text::shell::quoted;

pub use crate::cluster::api::kind::{Kind, ObjectRef};
pub use crate::cluster::api::write::{Deleted, Propagation};
pub use crate::cluster::client::connect::{Options, connect};
pub use crate::cluster::client::error::{ClusterError, Result};
pub use crate::cluster::client::proxy::Proxies;
pub use crate::cluster::client::pulse::Pace;
pub use crate::cluster::pod::port_forward::{Forwarded, PodPort};
pub use crate::cluster::pod::raw_connection::Direct;
pub use crate::cluster::session::cluster_grants::{OwnGrant, UserOfAccount};
pub use crate::cluster::session::environment::{Question, Right};
pub use crate::cluster::session::existing_objects::{Account, Rights};
pub use crate::cluster::session::leftovers::{ClusterGrants, Inventories, Signs};
pub use crate::cluster::session::list::{Follow, News, Query, Scope, SessionEvent, Sessions};
pub use crate::cluster::session::mounts::PodMounts;
pub use crate::cluster::session::owned_objects::SessionObjects;
pub use crate::cluster::session::snapshot::{Look, SessionConfig};

/// What an API server says of itself (`GET /version`).
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ServerVersion {
    /// Numbers as text; providers add a `+` to the minor one.
    pub major: String,
    pub minor: String,
    /// Such as `v1.34.4`.
    pub git_version: String,
    /// Such as `linux/amd64`.
    pub platform: String,
}

/// The nodes, and when they were read; none before.
type SeenNodes = Arc<Mutex<Option<(Instant, Vec<Node>)>>>;

/// The time that a command has (`--timeout`).
#[derive(Clone, Copy, Debug)]
pub struct Deadline {
    timeout: Duration,
    end: Instant,
}

/// A command that has used up its time still asks what has become of its work, within this time a request.
const LAST_QUESTIONS: Duration = Duration::from_secs(30);

impl Deadline {
    /// `timeout` from now.
    pub fn after(timeout: Duration) -> Self {
        Self { timeout, end: later(timeout) }
    }

    /// How long one request may take from now on.
    fn left(&self) -> Duration {
        self.end.saturating_duration_since(Instant::now()).max(self.timeout.min(LAST_QUESTIONS))
    }
}

/// A client of one cluster, and the namespace that commands act in.
#[derive(Clone)]
pub struct Cluster {
    client: Client,
    /// Beside the limit on requests at the same time.
    aside: Client,
    pace: Pace,
    pulse: Pulse,
    nodes: SeenNodes,
    config: Arc<Config>,
    tls: Arc<ClientConfig>,
    helper: Option<Helper>,
    /// `host:port`, for error messages.
    server: String,
    namespace: String,
    context: Option<String>,
    scope: String,
    connection: String,
    request_timeout: Option<Duration>,
    /// Of the command, which bounds each of its requests.
    deadline: Option<Deadline>,
    /// Writes are tried and not done.
    dry_run: bool,
}

impl Cluster {
    /// The same cluster, through which nothing can be written: every write is sent as a trial, which the
    /// API server checks and does not keep.
    pub fn dry_run(&self) -> Self {
        Self { dry_run: true, ..self.clone() }
    }

    /// The namespace of `-n`, else of the context.
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    pub fn context(&self) -> Option<&str> {
        self.context.as_deref()
    }

    /// The flags with which any command reaches this cluster, with a space in front.
    pub fn connection(&self) -> &str {
        &self.connection
    }

    /// The flags with which any command reaches this namespace, with a space in front; `-n` even
    /// where the namespace is the context's, for what must not hit another one.
    pub fn full_scope(&self) -> String {
        match self.scope.contains(" -n ") {
            true => self.scope.clone(),
            false => format!("{} -n {}", self.scope, quoted(&self.namespace)),
        }
    }

    /// The same for another namespace.
    pub fn scope_of(&self, namespace: &str) -> String {
        self.full_scope()
            .replace(&format!(" -n {}", quoted(&self.namespace)), &format!(" -n {}", quoted(namespace)))
    }

    /// The version of the API server.
    pub async fn server_version(&self) -> Result<ServerVersion> {
        self.read("/version", crate::cluster::api::stream_list::JSON).await
    }

    /// Bounds one request by `--request-timeout` and sorts its error. What only reads is sent again when the
    /// connection is lost.
    async fn unary<T, F>(&self, repeats: Repeats, send: impl Fn() -> F) -> Result<T>
    where
        F: Future<Output = kube::Result<T>>,
    {
        // Boxed, for what waits for many of them would be large.
        self.within_request_timeout(Box::pin(async {
            let mut again = Again::new();
            loop {
                match send().await.map_err(|error| self.sorted(error)) {
                    Err(error) if repeats == Repeats::Reading => again.after(error).await?,
                    answer => return answer,
                }
            }
        }))
        .await
    }

    fn sorted(&self, error: kube::Error) -> ClusterError {
        crate::cluster::client::credentials::error(error, &self.server)
    }

    async fn within_request_timeout<T>(&self, request: impl Future<Output = Result<T>>) -> Result<T> {
        let limits = [
            self.request_timeout.map(|limit| (limit, ClusterError::TimedOut(limit))),
            self.deadline.map(|deadline| (deadline.left(), ClusterError::OutOfTime(deadline.timeout))),
        ];
        match limits.into_iter().flatten().min_by_key(|(limit, _)| *limit) {
            None => request.await,
            Some((limit, error)) => tokio::time::timeout(limit, request).await.map_err(|_| error)?,
        }
    }

    /// GETs `path` as `media_type`.
    async fn read<T: DeserializeOwned>(&self, path: &str, media_type: &'static str) -> Result<T> {
        let request = Request::get(path)
            .header(http::header::ACCEPT, media_type)
            .body(Vec::new())
            .map_err(|error| ClusterError::Answer(error.to_string()))?;
        self.ask(request).await
    }

    /// Sends `request` and reads its answer, whole.
    async fn text(&self, request: Request<Vec<u8>>) -> Result<String> {
        self.unary(Repeats::of(&request), || self.client.request_text(request.clone())).await
    }

    /// Sends `request` and reads its answer. What is sent and waited for knows nothing of `T`: it is
    /// in the binary once.
    async fn ask<T: DeserializeOwned>(&self, request: Request<Vec<u8>>) -> Result<T> {
        let answer = self.text(request).await?;
        serde_json::from_str(&answer).map_err(|error| {
            tracing::warn!("{answer}, {error:?}");
            ClusterError::Answer(error.to_string())
        })
    }
}

/// Whether a request may be sent again when nobody knows what has become of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Repeats {
    /// It changes nothing.
    Reading,
    Never,
}

impl Repeats {
    fn of<B>(request: &Request<B>) -> Self {
        // Reviews are made, and leave nothing behind.
        let is_review =
            request.uri().path().starts_with(crate::cluster::session::existing_objects::AUTHORIZATION);
        if request.method().is_safe() || is_review { Self::Reading } else { Self::Never }
    }
}

/// `pause` from now.
fn later(pause: Duration) -> Instant {
    let now = Instant::now();
    now.checked_add(pause).unwrap_or(now)
}

/// None for "not found"; every other error stays one. An error is never read as "absent".
fn found<T>(answer: Result<T>) -> Result<Option<T>> {
    match answer {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.is_not_found() => Ok(None),
        Err(error) => Err(error),
    }
}
