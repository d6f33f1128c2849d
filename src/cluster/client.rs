//! The client that carries requests to the API server.

use std::time::Duration;

use http::{Request, Response};
use hyper::body::Incoming;
use hyper_timeout::TimeoutConnector;
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use kube::client::{Body, ClientBuilder, ConfigExt};
use kube::{Client, Config};
use tower::limit::ConcurrencyLimitLayer;
use tower::{BoxError, ServiceBuilder};
use tower_http::classify::ServerErrorsFailureClass;
use tower_http::decompression::DecompressionLayer;
use tower_http::trace::TraceLayer;
use tracing::Span;

/// Requests at once. The client speaks HTTP/1.1, so each more is a connection and a handshake more.
const CONCURRENT_REQUESTS: usize = 4;

/// Makes a client. It asks for nothing twice: a person would wait, and a creation that is sent again may
/// make two.
///
/// # Errors
/// For certificates and credentials that cannot be used.
pub fn client(mut config: Config) -> kube::Result<Client> {
    config.default_retry = false;
    if config.proxy_url.is_some() {
        let builder = ClientBuilder::try_from(config)?;
        return Ok(builder.with_layer(&ConcurrencyLimitLayer::new(CONCURRENT_REQUESTS)).build());
    }
    let mut connector = HttpConnector::new();
    connector.enforce_http(false);
    // A deletion says in a body what it means, which goes in a packet of its own. That one would be held
    // back until the server has acknowledged the first, which it puts off for 40 ms.
    connector.set_nodelay(true);
    let mut connector = TimeoutConnector::new(config.rustls_https_connector_with_connector(connector)?);
    connector.set_connect_timeout(config.connect_timeout);
    let transport = legacy::Client::builder(TokioExecutor::new()).build::<_, Body>(connector);
    let service = ServiceBuilder::new()
        .layer(ConcurrencyLimitLayer::new(CONCURRENT_REQUESTS))
        .layer(config.base_uri_layer())
        .layer(DecompressionLayer::new().gzip(!config.disable_compression))
        .option_layer(config.auth_layer()?)
        .layer(config.extra_headers_layer()?)
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
        .map_err(BoxError::from)
        .service(transport);
    Ok(ClientBuilder::new(service, config.default_namespace).build())
}
