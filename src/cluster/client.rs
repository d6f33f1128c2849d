//! The client that carries requests to the API server.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use http::{HeaderValue, Request, Response, Uri};
use hyper::body::Incoming;
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_timeout::TimeoutConnector;
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::proxy::{SocksV5, Tunnel};
use hyper_util::client::legacy::connect::{Connected, Connection, HttpConnector};
use hyper_util::client::proxy::matcher::Intercept;
use hyper_util::rt::TokioExecutor;
use kube::client::{Body, ClientBuilder, ConfigExt};
use kube::{Client, Config};
use tokio::sync::mpsc::UnboundedSender;
use tower::limit::ConcurrencyLimitLayer;
use tower::retry::RetryLayer;
use tower::util::BoxCloneSyncService;
use tower::{BoxError, Service, ServiceBuilder};
use tower_http::classify::ServerErrorsFailureClass;
use tower_http::decompression::DecompressionLayer;
use tower_http::trace::TraceLayer;
use tracing::Span;

use super::retry::AsTheServerSays;

/// Requests at once. The client speaks HTTP/1.1, so each more is a connection and a handshake more.
const CONCURRENT_REQUESTS: usize = 4;

/// Silence on a connection after which the other side is asked whether it is still there.
const KEEPALIVE: Duration = Duration::from_secs(30);

/// Makes a client that goes through `proxy`, if there is one. It asks for nothing twice unless the server asks
/// for that: a person would wait, and a creation that is sent again may make two.
///
/// What the server warns of, it sends to `warnings`.
///
/// # Errors
/// For certificates and credentials that cannot be used.
pub fn client(
    config: &Config,
    proxy: Option<&Intercept>,
    warnings: Option<UnboundedSender<String>>,
) -> kube::Result<Client> {
    // A helper is asked once for a token. What makes TLS would ask it again, for a certificate.
    let auth = config.auth_layer()?;
    let mut unasked = config.clone();
    (unasked.auth_info.exec, unasked.auth_info.auth_provider) = (None, None);
    let of_server = if auth.is_some() { &unasked } else { config };
    let connector = of_server.rustls_https_connector_with_connector(way(&unasked, proxy)?)?;
    let mut connector = TimeoutConnector::new(connector);
    connector.set_connect_timeout(config.connect_timeout);
    let transport = legacy::Client::builder(TokioExecutor::new()).build::<_, Body>(connector);
    let service = ServiceBuilder::new()
        .layer(ConcurrencyLimitLayer::new(CONCURRENT_REQUESTS))
        .layer(config.base_uri_layer())
        .layer(DecompressionLayer::new().gzip(!config.disable_compression))
        .option_layer(auth)
        .layer(config.extra_headers_layer()?)
        .layer(RetryLayer::new(AsTheServerSays::default()))
        .layer(
            TraceLayer::new_for_http()
                .make_span_with(|request: &Request<Body>| {
                    tracing::debug_span!("HTTP", method = %request.method(), url = %request.uri())
                })
                .on_request(|_: &Request<Body>, _: &Span| tracing::debug!("asked"))
                .on_response(|response: &Response<Incoming>, latency: Duration, _: &Span| {
                    tracing::debug!(status = %response.status(), ?latency, "answered");
                })
                .on_body_chunk(())
                .on_eos(())
                .on_failure(|error: ServerErrorsFailureClass, _: Duration, _: &Span| {
                    tracing::debug!(%error, "failed");
                }),
        )
        .map_response(move |response: Response<Incoming>| {
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
    Ok(ClientBuilder::new(service, config.default_namespace.clone()).build())
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

fn way(config: &Config, proxy: Option<&Intercept>) -> kube::Result<Way> {
    let mut direct = HttpConnector::new();
    direct.enforce_http(false);
    // A deletion says in a body what it means, which goes in a packet of its own. That one would be held
    // back until the server has acknowledged the first, which it puts off for 40 ms.
    direct.set_nodelay(true);
    // What lies between may forget a connection that is silent, and a watch would wait for ever (client-go,
    // `transport/cache.go`).
    direct.set_keepalive(Some(KEEPALIVE));
    let Some(proxy) = proxy else { return Ok(boxed(direct)) };
    let to = proxy.uri().clone();
    Ok(match to.scheme_str() {
        Some("http") => boxed(authenticated(Tunnel::new(to, direct), proxy)),
        Some("https") => {
            let secured = config.rustls_https_connector_with_connector(direct)?;
            boxed(authenticated(Tunnel::new(to, secured), proxy))
        }
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
