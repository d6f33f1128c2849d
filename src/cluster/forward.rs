//! Byte streams to a port of a pod, through the API server.

use http::Request;
use http_body_util::BodyExt;
use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use tokio::io::{AsyncRead, AsyncWrite};

use super::{Cluster, ClusterError, Result};

/// A port of one pod.
#[derive(Clone)]
pub struct PodPort {
    cluster: Cluster,
    namespace: String,
    pod: String,
    port: u16,
}

impl Cluster {
    pub fn pod_port(&self, namespace: &str, pod: &str, port: u16) -> PodPort {
        PodPort { cluster: self.clone(), namespace: namespace.to_owned(), pod: pod.to_owned(), port }
    }
}

impl PodPort {
    /// Opens one stream. It ends at once when nothing listens on the port.
    pub async fn open(&self) -> Result<impl AsyncRead + AsyncWrite + Unpin + Send + 'static> {
        let pods = Api::<Pod>::namespaced(self.cluster.client.clone(), &self.namespace);
        let port = self.port;
        let mut forwarder = self.cluster.unary(pods.portforward(&self.pod, &[port])).await?;
        forwarder.take_stream(port).ok_or_else(|| ClusterError::Answer(format!("no stream to port {port}")))
    }
}

impl Cluster {
    /// GETs `path` of an HTTP server in a pod through the API server's proxy: for users who may not
    /// forward ports. Returns the status code and the body.
    pub async fn proxied_get(
        &self,
        namespace: &str,
        pod: &str,
        port: u16,
        path: &str,
    ) -> Result<(u16, Vec<u8>)> {
        let unreadable = |error: String| ClusterError::Answer(error);
        let request = Request::get(format!("/api/v1/namespaces/{namespace}/pods/{pod}:{port}/proxy{path}"))
            .body(kube::client::Body::empty())
            .map_err(|error| unreadable(error.to_string()))?;
        let answer = self.unary(self.client.send(request)).await?;
        let status = answer.status().as_u16();
        let body = answer.into_body().collect().await.map_err(|error| unreadable(error.to_string()))?;
        Ok((status, body.to_bytes().to_vec()))
    }
}
