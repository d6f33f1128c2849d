//! The only place that knows the Kubernetes client: connect, read, watch, write, delete, forward.
//!
//! It knows neither Flink's REST nor any flag. What it reads leaves it as plain values of
//! [`crate::model`].

mod client;
pub mod connect;
mod credentials;
mod direct;
pub mod error;
mod events;
mod evidence;
mod follow;
mod forward;
mod frames;
mod kind;
mod leader;
mod left_over;
mod list;
mod live;
mod logs;
mod look;
mod objects;
mod operator;
mod preflight;
mod proxy;
mod retry;
mod session_objects;
mod sessions;
mod small;
mod surroundings;
mod tables;
mod watch;

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use http::Request;
use kube::{Client, Config};
use serde::Deserialize;
use serde::de::DeserializeOwned;

pub use connect::{Options, connect};
pub use direct::Direct;
pub use error::{ClusterError, Result};
pub use forward::{Forwarded, PodPort};
pub use kind::{Kind, ObjectRef};
pub use left_over::{Inventories, Signs};
pub use look::{Look, SessionConfig};
pub use objects::{Deleted, Propagation};
pub use preflight::Rights;
pub use proxy::Proxies;
pub use session_objects::SessionObjects;
pub use sessions::{Follow, News, Query, Scope, SessionEvent, Sessions};
pub use surroundings::{Question, Right};

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

/// A client of one cluster, and the namespace that commands act in.
#[derive(Clone)]
pub struct Cluster {
    client: Client,
    config: Arc<Config>,
    /// `host:port`, for error messages.
    server: String,
    namespace: String,
    context: Option<String>,
    scope: String,
    request_timeout: Option<Duration>,
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

    /// The flags with which any command reaches this namespace, with a space in front; `-n` even
    /// where the namespace is the context's, for what must not hit another one.
    pub fn full_scope(&self) -> String {
        match self.scope.contains(" -n ") {
            true => self.scope.clone(),
            false => format!("{} -n {}", self.scope, self.namespace),
        }
    }

    /// The version of the API server.
    pub async fn server_version(&self) -> Result<ServerVersion> {
        self.read("/version", list::JSON).await
    }

    /// Bounds one request by `--request-timeout` and sorts its error.
    async fn unary<T>(&self, request: impl Future<Output = kube::Result<T>>) -> Result<T> {
        let sorted = async { request.await.map_err(|error| self.sorted(error)) };
        self.within_request_timeout(sorted).await
    }

    fn sorted(&self, error: kube::Error) -> ClusterError {
        ClusterError::from_kube(error, &self.server)
    }

    async fn within_request_timeout<T>(&self, request: impl Future<Output = Result<T>>) -> Result<T> {
        match self.request_timeout {
            None => request.await,
            Some(limit) => {
                tokio::time::timeout(limit, request).await.map_err(|_| ClusterError::TimedOut(limit))?
            }
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

    /// Sends `request` and reads its answer. What is sent and waited for knows nothing of `T`: it is
    /// in the binary once.
    async fn ask<T: DeserializeOwned>(&self, request: Request<Vec<u8>>) -> Result<T> {
        let answer = self.unary(self.client.request_text(request)).await?;
        serde_json::from_str(&answer).map_err(|error| {
            tracing::warn!("{answer}, {error:?}");
            ClusterError::Answer(error.to_string())
        })
    }
}

/// None for "not found"; every other error stays one. An error is never read as "absent".
fn found<T>(answer: Result<T>) -> Result<Option<T>> {
    match answer {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.is_not_found() => Ok(None),
        Err(error) => Err(error),
    }
}
