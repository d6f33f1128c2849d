//! Byte streams to a port of a pod, through the API server.

use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use http::{Method, Request, Response};
use http_body_util::BodyExt;
use kube::client::Body;
use tokio::io::{AsyncRead, AsyncWrite};

use crate::cluster::client::size::Most;
use crate::cluster::pod::ws_frames;
use crate::cluster::{Cluster, ClusterError, Direct, Pace, Repeats, Result};

/// A port of one pod.
#[derive(Clone)]
pub struct PodPort {
    cluster: Cluster,
    namespace: String,
    pod: String,
    port: u16,
}

/// One stream to a pod.
pub struct Forwarded<S> {
    pub stream: S,
    refusal: BoxFuture<'static, Option<String>>,
}

/// The kubelet says why there is no connection just before or just after it closes the stream.
const LAST_WORDS: Duration = Duration::from_millis(200);

impl<S> Forwarded<S> {
    pub fn new(stream: S, refusal: BoxFuture<'static, Option<String>>) -> Self {
        Self { stream, refusal }
    }

    /// What the kubelet said of a connection that it could not make, once the stream has ended.
    pub async fn refusal(self) -> Option<String> {
        tokio::time::timeout(LAST_WORDS, self.refusal).await.ok().flatten()
    }

    /// True when nothing listened on the port, once the stream has ended: what was sent has not arrived
    /// anywhere.
    pub async fn was_refused(self) -> bool {
        let refusal = self.refusal().await;
        refusal.is_some_and(|why| why.to_lowercase().contains("connection refused"))
    }

    /// The stream, and what [`Forwarded::refusal`] would wait for.
    pub fn split(self) -> (S, Forwarded<()>) {
        (self.stream, Forwarded { stream: (), refusal: self.refusal })
    }
}

impl Cluster {
    pub fn pod_port(&self, namespace: &str, pod: &str, port: u16) -> PodPort {
        PodPort { cluster: self.clone(), namespace: namespace.to_owned(), pod: pod.to_owned(), port }
    }
}

impl PodPort {
    pub fn pod(&self) -> &str {
        &self.pod
    }

    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// How fast the API server answers, through which every stream goes.
    pub fn pace(&self) -> &Pace {
        self.cluster.pace()
    }

    /// Opens one stream. It ends at once when nothing listens on the port.
    pub async fn open(&self) -> Result<Forwarded<impl AsyncRead + AsyncWrite + Unpin + Send + 'static>> {
        let Self { cluster, namespace, pod, port } = self;
        let path = format!("/api/v1/namespaces/{namespace}/pods/{pod}/portforward?ports={port}");
        let request = Request::get(path).body(Vec::new());
        let request = request.map_err(|error| ClusterError::Answer(error.to_string()))?;
        // Nothing is at work in the pod before the first byte: it may be opened again.
        let open = || cluster.aside.connect(request.clone());
        let socket = cluster.unary(Repeats::Reading, open).await?.into_stream();
        let (stream, hears) = ws_frames::stream_of(socket);
        Ok(Forwarded { stream, refusal: async { hears.await.ok() }.boxed() })
    }

    /// The path of the API server's proxy to this port: REST's own paths stand behind it.
    pub fn proxy_path(&self, tls: bool) -> String {
        let scheme = if tls { "https:" } else { "" };
        let Self { namespace, pod, port, .. } = self;
        format!("/api/v1/namespaces/{namespace}/pods/{scheme}{pod}:{port}/proxy")
    }

    /// Sends a request through the API server's proxy: for users who may not forward ports. Any
    /// answer of at most `most` bytes is one, whoever gave it.
    pub async fn proxied(
        &self,
        tls: bool,
        method: Method,
        path: &str,
        json: Vec<u8>,
        most: usize,
    ) -> Result<Response<Vec<u8>>> {
        let request = Request::builder()
            .method(method)
            .uri(self.proxy_path(tls) + path)
            .header(http::header::CONTENT_TYPE, "application/json")
            .extension(Most::Bytes(most))
            .body(json)
            .map_err(|error| ClusterError::Answer(error.to_string()))?;
        let send = || async {
            let answer = self.cluster.client.send(request.clone().map(Body::from)).await?;
            let (head, body) = answer.into_parts();
            Ok(Response::from_parts(head, body.collect().await?.to_bytes().into()))
        };
        self.cluster.unary(Repeats::of(&request), send).await
    }

    /// A connection to the API server that nothing else uses; see [`Cluster::direct`].
    pub async fn direct(&self) -> Result<Option<Direct>> {
        self.cluster.direct().await
    }

    /// Whether this user may send bodies through that proxy. An answer that cannot be had is a no.
    pub async fn may_proxy(&self) -> bool {
        self.cluster.may(&self.namespace, "create", "", "pods", "proxy").await.unwrap_or(false)
    }
}
