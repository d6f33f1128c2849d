//! A connection of our own to the API server, for what the Kubernetes client cannot carry: a body that
//! is sent while it is read.
//!
//! It is the fastest way into a pod: docs/performance.md has the figures. The rest of the program does
//! without it.

use std::io::ErrorKind;
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, Request};
use http_body_util::Empty;
use kube::client::ConfigExt;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tower::{ServiceBuilder, ServiceExt};

use crate::cluster::{Cluster, ClusterError, Result};
use crate::net::addresses;

/// Bytes to the API server and back.
pub trait Bytes: AsyncRead + AsyncWrite + Unpin + Send {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Bytes for S {}

fn boxed(stream: impl Bytes + 'static) -> Box<dyn Bytes> {
    Box::new(stream)
}

/// An open connection, and what a request on it has to say.
pub struct Direct {
    pub stream: Box<dyn Bytes>,
    /// `HOST[:PORT]`.
    pub host: String,
    /// In front of the API's own paths.
    pub prefix: String,
    /// Who asks.
    pub headers: HeaderMap,
}

impl Cluster {
    /// Connects. None where that would need more than the address and credentials at hand: behind a
    /// proxy, or with a helper program that would be run a second time.
    pub async fn direct(&self) -> Result<Option<Direct>> {
        let config = &self.config;
        let user = &config.auth_info;
        if config.proxy_url.is_some() || self.helper.is_some() || user.auth_provider.is_some() {
            return Ok(None);
        }
        let url = &config.cluster_url;
        let (Some(host), Some(authority)) = (url.host(), url.authority()) else { return Ok(None) };
        let is_https = url.scheme_str() == Some("https");
        let port = url.port_u16().unwrap_or(if is_https { 443 } else { 80 });
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        let failed = |error: std::io::Error| ClusterError::of_connection(&error, &self.server);
        let connect = async {
            let limit = config.connect_timeout.unwrap_or(Duration::MAX);
            let open = async { TcpStream::connect(&addresses(bare, port).await?[..]).await };
            let connected = tokio::time::timeout(limit, open).await;
            let tcp = connected.unwrap_or_else(|_| Err(ErrorKind::TimedOut.into())).map_err(failed)?;
            // What is small should not wait for more.
            let _ = tcp.set_nodelay(true);
            if !is_https {
                return Ok(boxed(tcp));
            }
            let name = config.tls_server_name.clone().unwrap_or_else(|| bare.to_owned());
            let name = ServerName::try_from(name.clone()).map_err(|_| {
                ClusterError::Config(format!("{name:?} is no name that a certificate could have"))
            })?;
            let connector = TlsConnector::from(Arc::clone(&self.tls));
            let stream = connector.connect(name, tcp).await.map_err(failed)?;
            Ok(boxed(stream))
        };
        Ok(Some(Direct {
            stream: self.within_request_timeout(connect).await?,
            host: authority.host().to_owned()
                + &authority.port_u16().map(|port| format!(":{port}")).unwrap_or_default(),
            prefix: url.path().trim_end_matches('/').to_owned(),
            headers: self.credentials().await?,
        }))
    }

    /// The headers that say who asks, taken off a request that the client's own layers have dressed.
    async fn credentials(&self) -> Result<HeaderMap> {
        let layers = self.config.auth_layer().and_then(|auth| Ok((auth, self.config.extra_headers_layer()?)));
        let (auth, extra) = layers.map_err(|error| self.sorted(error))?;
        let dressed = ServiceBuilder::new().option_layer(auth).layer(extra).service_fn(
            async |request: Request<Empty<&'static [u8]>>| {
                Ok::<_, tower::BoxError>(http::Response::new(request.into_parts().0.headers))
            },
        );
        let request = Request::new(Empty::new());
        let dressed = dressed.oneshot(request).await;
        dressed.map(http::Response::into_body).map_err(|error| ClusterError::Config(error.to_string()))
    }
}
