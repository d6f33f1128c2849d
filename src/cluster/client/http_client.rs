//! The client that carries requests to the API server.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::{HeaderValue, Request, Response, StatusCode, Uri};
use hyper::body::Incoming;
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_rustls::{FixedServerNameResolver, HttpsConnector, HttpsConnectorBuilder};
use hyper_timeout::TimeoutConnector;
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::dns::Name;
use hyper_util::client::legacy::connect::proxy::{SocksV5, Tunnel};
use hyper_util::client::legacy::connect::{Connected, Connection, HttpConnector};
use hyper_util::client::proxy::matcher::Intercept;
use hyper_util::rt::TokioExecutor;
use kube::client::{Body, ConfigExt, RustlsTlsError};
use kube::{Client, Config};
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::sync::Semaphore;
use tokio::sync::mpsc::UnboundedSender;
use tokio::time::Instant;
use tower::filter::AsyncFilterLayer;
use tower::limit::ConcurrencyLimitLayer;
use tower::retry::RetryLayer;
use tower::util::BoxCloneSyncService;
use tower::{BoxError, Service, ServiceBuilder, service_fn};
use tower_http::classify::ServerErrorsFailureClass;
use tower_http::decompression::DecompressionLayer;
use tower_http::trace::TraceLayer;
use tracing::Span;

use super::helper::Helper;
use super::pulse::Pace;
use super::retry::AsTheServerSays;
use super::size::BoundAnswers;
use crate::net::addresses;

/// Requests at once. The client speaks HTTP/1.1, so each more is a connection and a handshake more.
const CONCURRENT_REQUESTS: usize = 4;

/// Silence on a connection after which the other side is asked whether it is still there, how often it is asked
/// again, and when. Linux asks every 75 s by itself, nine times.
const KEEPALIVE: Duration = Duration::from_secs(10);
const KEEPALIVE_PAUSE: Duration = Duration::from_secs(5);
const KEEPALIVE_TIMES: u32 = 3;

/// How long what was sent may go without a sign that it has arrived. Linux waits for a quarter of an hour.
#[cfg(any(target_os = "linux", target_os = "android"))]
const UNACKNOWLEDGED: Duration = Duration::from_secs(30);

/// Two ways to the same server, over the same connections.
pub struct Clients {
    /// With a limit on requests at the same time.
    pub limited: Client,
    /// Beside that limit, for what must not wait behind others: a connection of its own, and the question whether
    /// the server is there.
    pub aside: Client,
}

/// Makes clients that go through `proxy`, if there is one. They ask for nothing twice unless the server asks
/// for that: a creation that is sent again may make two. What may be repeated, `Cluster` repeats.
///
/// What the server warns of, they send to `warnings`; how long it takes to answer, they tell `pace`. They wait for a
/// busy server, but not beyond `until`.
///
/// # Errors
/// For certificates and credentials that cannot be used.
pub fn clients(
    config: &Config,
    tls: &Arc<ClientConfig>,
    proxy: Option<&Intercept>,
    helper: Option<&Helper>,
    warnings: Option<UnboundedSender<String>>,
    pace: &Pace,
    until: Option<Instant>,
) -> kube::Result<Clients> {
    let auth = config.auth_layer()?;
    let (pace, refused) = (pace.clone(), helper.cloned());
    let name = config.tls_server_name.as_deref();
    let connector = secured(way(tls, name, proxy)?, tls, name)?;
    let mut connector = TimeoutConnector::new(connector);
    connector.set_connect_timeout(config.connect_timeout);
    let transport = legacy::Client::builder(TokioExecutor::new()).build::<_, Body>(connector);
    let service = ServiceBuilder::new()
        .layer_fn(BoundAnswers)
        .layer(config.base_uri_layer())
        .layer(DecompressionLayer::new().gzip(!config.disable_compression))
        .option_layer(auth)
        .option_layer(helper.cloned().map(AsyncFilterLayer::new))
        .layer(config.extra_headers_layer()?)
        .layer(RetryLayer::new(AsTheServerSays::until(until)))
        .layer(
            TraceLayer::new_for_http()
                .make_span_with(|request: &Request<Body>| {
                    tracing::debug_span!("HTTP", method = %request.method(), url = %request.uri())
                })
                .on_request(|_: &Request<Body>, _: &Span| tracing::debug!("asked"))
                .on_response(move |response: &Response<Incoming>, latency: Duration, _: &Span| {
                    pace.record(latency);
                    tracing::debug!(status = %response.status(), ?latency, "answered");
                })
                .on_body_chunk(())
                .on_eos(())
                .on_failure(|error: ServerErrorsFailureClass, _: Duration, _: &Span| {
                    tracing::debug!(%error, "failed");
                }),
        )
        .map_response(move |response: Response<Incoming>| {
            if let (Some(helper), StatusCode::UNAUTHORIZED) = (&refused, response.status()) {
                helper.forget();
            }
            for warning in response.headers().get_all(http::header::WARNING) {
                if let (Some(warnings), Some(text)) = (&warnings, text_of(warning)) {
                    // Without anybody to hear it, nothing is lost.
                    let _ = warnings.send(text);
                }
            }
            response
        })
        .map_err(BoxError::from)
        .service(transport);
    let client = |at_once| {
        let service =
            ServiceBuilder::new().layer(ConcurrencyLimitLayer::new(at_once)).service(service.clone());
        Client::new(service, config.default_namespace.clone())
    };
    Ok(Clients { limited: client(CONCURRENT_REQUESTS), aside: client(Semaphore::MAX_PERMITS) })
}

/// The text of a warning, such as `299 - "policy/v1beta1 is deprecated"` (RFC 7234, 5.5).
fn text_of(warning: &HeaderValue) -> Option<String> {
    let warning = String::from_utf8_lossy(warning.as_bytes());
    let (_, quoted) = warning.split_once('"')?;
    let (mut text, mut characters) = (String::new(), quoted.chars());
    loop {
        match characters.next()? {
            '"' => return Some(text),
            '\\' => text.push(characters.next()?),
            other => text.push(other),
        }
    }
}

/// Makes connections to the API server, below its TLS.
type Way = BoxCloneSyncService<Uri, Stream, BoxError>;

fn way(tls: &Arc<ClientConfig>, name: Option<&str>, proxy: Option<&Intercept>) -> kube::Result<Way> {
    let resolver =
        service_fn(async |name: Name| addresses(name.as_str(), 0).await.map(std::vec::Vec::into_iter));
    let mut direct = HttpConnector::new_with_resolver(resolver);
    direct.enforce_http(false);
    // A deletion says in a body what it means, which goes in a packet of its own. That one would be held
    // back until the server has acknowledged the first, which it puts off for 40 ms.
    direct.set_nodelay(true);
    // What lies between may forget a connection that is silent, and a watch would wait for ever (client-go,
    // `transport/cache.go`).
    direct.set_keepalive(Some(KEEPALIVE));
    direct.set_keepalive_interval(Some(KEEPALIVE_PAUSE));
    direct.set_keepalive_retries(Some(KEEPALIVE_TIMES));
    #[cfg(any(target_os = "linux", target_os = "android"))]
    direct.set_tcp_user_timeout(Some(UNACKNOWLEDGED));
    let Some(proxy) = proxy else { return Ok(boxed(direct)) };
    let to = proxy.uri().clone();
    Ok(match to.scheme_str() {
        Some("http") => boxed(authenticated(Tunnel::new(to, direct), proxy)),
        Some("https") => boxed(authenticated(Tunnel::new(to, secured(direct, tls, name)?), proxy)),
        // It resolves the server's name.
        _ => {
            let socks = SocksV5::new(to, direct);
            match proxy.raw_auth() {
                Some((user, password)) => boxed(socks.with_auth(user.to_owned(), password.to_owned())),
                None => boxed(socks),
            }
        }
    })
}

/// TLS on top of `way`, to a server whose certificate is for `name`, or else for its host.
fn secured<C>(way: C, tls: &Arc<ClientConfig>, name: Option<&str>) -> kube::Result<HttpsConnector<C>> {
    let tls = ClientConfig::clone(tls);
    let builder = HttpsConnectorBuilder::new().with_tls_config(tls).https_or_http();
    let builder = match name {
        None => builder,
        Some(name) => {
            let name = ServerName::try_from(name.to_owned()).map_err(RustlsTlsError::InvalidServerName);
            let name = name.map_err(kube::Error::RustlsTls)?;
            builder.with_server_name_resolver(FixedServerNameResolver::new(name))
        }
    };
    Ok(builder.enable_http1().wrap_connector(way))
}

fn authenticated<C>(tunnel: Tunnel<C>, proxy: &Intercept) -> Tunnel<C> {
    match proxy.basic_auth() {
        Some(auth) => tunnel.with_auth(auth.clone()),
        None => tunnel,
    }
}

fn boxed<C>(connector: C) -> Way
where
    C: Service<Uri> + Clone + Send + Sync + 'static,
    C::Response: Bytes + 'static,
    C::Error: Into<BoxError>,
    C::Future: Send,
{
    let connector = ServiceBuilder::new()
        .map_err(Into::into)
        .map_response(|stream| Stream(Box::new(stream)))
        .service(connector);
    BoxCloneSyncService::new(connector)
}

trait Bytes: Read + Write + Connection + Unpin + Send {}

impl<S: Read + Write + Connection + Unpin + Send> Bytes for S {}

/// A connection, whichever way it goes. One type keeps one copy of the HTTP client in the program.
struct Stream(Box<dyn Bytes>);

impl Connection for Stream {
    fn connected(&self) -> Connected {
        self.0.connected()
    }
}

impl Read for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buf)
    }
}

impl Write for Stream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.0.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write_vectored(cx, bufs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_warning_is_what_stands_in_quotes() {
        let text = |header| text_of(&HeaderValue::from_static(header));
        assert_eq!(text(r#"299 - "is deprecated""#).as_deref(), Some("is deprecated"));
        assert_eq!(
            text(r#"299 - "unknown field \"spec.x\"" "Wed, 25 Nov 2026""#).as_deref(),
            Some(r#"unknown field "spec.x""#)
        );
        assert_eq!(text("299 -"), None);
        let chinese = HeaderValue::from_bytes("299 - \"已弃用\"".as_bytes()).expect("header");
        assert_eq!(text_of(&chinese).as_deref(), Some("已弃用"));
    }
}
