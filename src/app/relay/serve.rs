//! Serves one connection: reads each request, checks it, sends it to the JobManager and passes the
//! response on.
//!
//! hyper parses the requests and writes them again, so a pod never sees bytes that could be read as another
//! request than the one that was checked.

use std::future::poll_fn;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use http::header::{
    CONNECTION, CONTENT_TYPE, EXPECT, HeaderName, LOCATION, TE, TRAILER, TRANSFER_ENCODING, UPGRADE,
};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, Uri, Version};
use hyper::body::Incoming;
use hyper::client::conn::http1 as client_http;
use hyper::server::conn::http1 as server_http;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, copy, sink};
use tokio::sync::Mutex;
use tokio::time::{Instant, sleep, timeout, timeout_at};

use super::body::{self, Pass, Repeatable};
use super::client::{Client, Held, Owed};
use super::guard::Guard;
use crate::cluster::Forwarded;
use crate::flink::connection::Stream;

/// How long a request waits for a JobManager: as long as one takes to come back on a busy node.
const PATIENCE: Duration = Duration::from_secs(30);

/// After a pod that could not be reached, though it is said to be the one.
const PAUSE: Duration = Duration::from_millis(300);

/// How long a client that sends no more waits for a response. Nearly all of them have gone, and each
/// holds two files.
const NO_ANSWER: Duration = Duration::from_secs(10);

/// How long a client is read from after the last response: a connection that is closed over bytes that
/// nobody has read may take the response with it.
const LAST_BYTES: Duration = Duration::from_secs(1);

/// What the kubelet means by "connection refused".
const NOBODY_LISTENS: &str = "nothing listens on the port of the REST API";

const CLOSED: &str = "the connection to its pod was closed";

/// Headers of one connection, which are not passed on (RFC 9110, 7.6.1). `Transfer-Encoding` is left to
/// hyper. `Expect` is met here, by hyper; Flink drops the request after it has met it.
const HOP_BY_HOP: [HeaderName; 8] = [
    CONNECTION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    HeaderName::from_static("http2-settings"),
    TE,
    TRAILER,
    UPGRADE,
    EXPECT,
];

/// A stream to the JobManager's pod.
pub struct Opened {
    pub stream: Box<dyn Stream>,
    /// What the kubelet says of it.
    pub forwarded: Forwarded<()>,
    pub is_tls: bool,
    /// Which attempt to find the JobManager has led there.
    pub attempt: u64,
}

/// There is no stream.
pub enum NotOpened {
    /// This attempt has failed; the next one may lead elsewhere.
    Failed { attempt: u64, why: String },
    /// Nobody looks for the JobManager any more.
    Over,
}

/// Where the JobManager is.
pub trait Pods: Clone + Send + Sync + 'static {
    /// Opens a stream, once an attempt after `failed` has led to a JobManager.
    fn open(&self, failed: u64) -> impl Future<Output = Result<Opened, NotOpened>> + Send;

    /// The last attempt to find the JobManager.
    fn attempt(&self) -> u64;

    /// The JobManager is not where it should be.
    fn doubt(&self);
}

/// Serves the requests of one client until one side ends.
pub async fn serve<S, P>(stream: S, pods: P, guard: Arc<Guard>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    P: Pods,
{
    let client = Client::new();
    let stream = TokioIo::new(Held::new(stream, Arc::clone(&client)));
    let served = Arc::new(Served { pods, guard, client, upstream: Mutex::new(None) });
    let service = service_fn(move |request| {
        let served = Arc::clone(&served);
        // Now, since hyper looks for the end of the connection before it polls.
        let owed = served.client.owe_response();
        async move { served.respond(request, owed).await }.boxed()
    });
    let mut connection =
        server_http::Builder::new().auto_date_header(false).serve_connection(stream, service);
    let ended = poll_fn(|cx| connection.poll_without_shutdown(cx)).await;
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection of the local port has ended");
    }
    let mut stream = connection.into_parts().io.into_inner().into_inner();
    let _ = stream.shutdown().await;
    let _ = timeout(LAST_BYTES, copy(&mut stream, &mut sink())).await;
}

/// One client's connection.
struct Served<P> {
    pods: P,
    guard: Arc<Guard>,
    client: Arc<Client>,
    /// Kept for the client's next request.
    upstream: Mutex<Option<Upstream>>,
}

/// A connection to a pod.
struct Upstream {
    sender: client_http::SendRequest<Pass>,
    /// What the kubelet says of it; none once a response has come.
    forwarded: Option<Forwarded<()>>,
    is_tls: bool,
    attempt: u64,
}

/// Why there is no response of the JobManager.
enum Failure {
    /// The client has ended before.
    ClientEnded,
    /// With a status and an explanation.
    Told(StatusCode, String),
}

/// What became of a request that was sent.
enum Sent {
    Response(Response<Incoming>),
    /// Nothing of it has arrived anywhere.
    NotAtAll(&'static str),
    /// It may have arrived.
    Lost,
    /// The client has not sent all of it.
    Incomplete,
}

impl<P: Pods> Served<P> {
    async fn respond(
        &self,
        request: Request<Incoming>,
        owed: Owed,
    ) -> Result<Response<body::Response>, &'static str> {
        let (head, body) = request.into_parts();
        let response = match self.accept(head) {
            Ok(head) => self.forward(head, body).await,
            Err(refused) => Err(refused),
        };
        let (mut head, body) = match response {
            Ok(response) => {
                let (head, body) = response.into_parts();
                (head, body::Response::of_pod(body, &self.client, owed))
            }
            Err(Failure::ClientEnded) => return Err("the client has ended"),
            Err(Failure::Told(status, text)) => explained(status, text, &self.client, owed).into_parts(),
        };
        strip(&mut head.headers);
        head.headers.remove(TRANSFER_ENCODING);
        self.guard.seal(&mut head.headers);
        head.version = Version::HTTP_11;
        Ok(Response::from_parts(head, body))
    }

    /// The head of a request as the pod gets it, if the guard accepts it.
    fn accept(&self, mut head: Parts) -> Result<Parts, Failure> {
        if let Err(refusal) = self.guard.check(&head) {
            tracing::debug!(%refusal, method = %head.method, "refused a request");
            return Err(Failure::Told(StatusCode::FORBIDDEN, refusal.to_string()));
        }
        // hyper undoes only the chunks.
        let mut encodings = head.headers.get_all(TRANSFER_ENCODING).iter();
        let is_plain = match (encodings.next(), encodings.next()) {
            (None, _) => true,
            (Some(encoding), None) => encoding.as_bytes().eq_ignore_ascii_case(b"chunked"),
            (Some(_), Some(_)) => false,
        };
        if !is_plain {
            let text = "only \"chunked\" is accepted as Transfer-Encoding".to_owned();
            return Err(Failure::Told(StatusCode::NOT_IMPLEMENTED, text));
        }
        strip(&mut head.headers);
        if let Some(path) = head.uri.path_and_query() {
            head.uri = Uri::from(path.clone());
        }
        head.version = Version::HTTP_11;
        Ok(head)
    }

    /// Sends the request to the JobManager, wherever that goes until it has received it.
    async fn forward(&self, head: Parts, body: Incoming) -> Result<Response<Incoming>, Failure> {
        let body = Repeatable::new(body, Arc::clone(&self.client));
        let patience = async {
            self.client.ended().await;
            sleep(NO_ANSWER).await;
        };
        tokio::select! {
            response = self.send(&head, &body) => response,
            () = patience => Err(Failure::ClientEnded),
        }
    }

    async fn send(&self, head: &Parts, body: &Repeatable) -> Result<Response<Incoming>, Failure> {
        let deadline = Instant::now() + PATIENCE;
        let mut kept = self.upstream.lock().await;
        let (mut failed, mut why) = (0, None);
        loop {
            // The JobManager may have moved, and the pod may still be there.
            let current =
                |upstream: &Upstream| !upstream.sender.is_closed() && upstream.attempt == self.pods.attempt();
            let mut upstream = match kept.take().filter(current) {
                Some(upstream) => upstream,
                None => match timeout_at(deadline, self.open(failed)).await {
                    Ok(Ok(upstream)) => upstream,
                    Ok(Err(NotOpened::Failed { attempt, why: error })) => {
                        (failed, why) = (attempt, Some(error));
                        self.pods.doubt();
                        sleep(PAUSE).await;
                        continue;
                    }
                    Ok(Err(NotOpened::Over)) => return Err(Failure::ClientEnded),
                    Err(_) => {
                        self.pods.doubt();
                        return Err(unavailable(why));
                    }
                },
            };
            let Some(pass) = body.pass() else {
                let text = "no JobManager has received the request, and it is too large to be sent again; \
                            send it again";
                return Err(Failure::Told(StatusCode::BAD_GATEWAY, text.to_owned()));
            };
            let is_used = upstream.forwarded.is_none();
            match upstream.send(again(head), pass).await {
                Sent::Response(response) if !upstream.is_tls && asks_for_tls(&response) => {
                    // The pod has started anew, with TLS. It has refused the request.
                    self.pods.doubt();
                    let text = "the REST API of the session asks for TLS now; send the request again";
                    return Err(Failure::Told(StatusCode::BAD_GATEWAY, text.to_owned()));
                }
                Sent::Response(response) if response.status() == StatusCode::SWITCHING_PROTOCOLS => {
                    let text = "the REST API of the session wants to change the protocol";
                    return Err(Failure::Told(StatusCode::BAD_GATEWAY, text.to_owned()));
                }
                Sent::Response(response) => {
                    upstream.forwarded = None;
                    *kept = Some(upstream);
                    return Ok(response);
                }
                // It was closed while it was idle.
                Sent::NotAtAll(_) if is_used => {}
                Sent::NotAtAll(error) => {
                    (failed, why) = (upstream.attempt, Some(error.to_owned()));
                    self.pods.doubt();
                    sleep(PAUSE).await;
                }
                Sent::Incomplete if self.client.has_ended() => return Err(Failure::ClientEnded),
                Sent::Incomplete => {
                    let text = "the body of the request is not valid".to_owned();
                    return Err(Failure::Told(StatusCode::BAD_REQUEST, text));
                }
                Sent::Lost => {
                    self.pods.doubt();
                    let text = "the connection to the JobManager ended without a response; the JobManager may \
                                have received the request, so it was not sent again";
                    return Err(Failure::Told(StatusCode::BAD_GATEWAY, text.to_owned()));
                }
            }
        }
    }

    async fn open(&self, failed: u64) -> Result<Upstream, NotOpened> {
        let Opened { stream, forwarded, is_tls, attempt } = self.pods.open(failed).await?;
        let (sender, connection) = client_http::handshake(TokioIo::new(stream))
            .await
            .map_err(|_| NotOpened::Failed { attempt, why: CLOSED.to_owned() })?;
        // It ends with its sender. Its error is the request's.
        tokio::spawn(async { drop(connection.await) });
        Ok(Upstream { sender, forwarded: Some(forwarded), is_tls, attempt })
    }
}

impl Upstream {
    async fn send(&mut self, head: Parts, body: Pass) -> Sent {
        if self.sender.ready().await.is_err() {
            return Sent::NotAtAll(self.why_closed().await);
        }
        match self.sender.try_send_request(Request::from_parts(head, body)).await {
            Ok(response) => Sent::Response(response),
            Err(mut error) => {
                // The request comes back when not a byte of it was written.
                let was_sent = error.take_message().is_none();
                let error = error.into_error();
                tracing::debug!(%error, was_sent, "no response of the JobManager");
                if error.is_user() {
                    return Sent::Incomplete;
                }
                let why = self.why_closed().await;
                if was_sent && why != NOBODY_LISTENS { Sent::Lost } else { Sent::NotAtAll(why) }
            }
        }
    }

    async fn why_closed(&mut self) -> &'static str {
        let was_refused = match self.forwarded.take() {
            Some(forwarded) => forwarded.was_refused().await,
            None => false,
        };
        if was_refused { NOBODY_LISTENS } else { CLOSED }
    }
}

/// A copy of the head. Extensions are left out: they belong to the client's connection.
fn again(head: &Parts) -> Parts {
    let mut request = Request::new(());
    *request.method_mut() = head.method.clone();
    *request.uri_mut() = head.uri.clone();
    *request.headers_mut() = head.headers.clone();
    request.into_parts().0
}

fn strip(headers: &mut HeaderMap) {
    for name in &HOP_BY_HOP {
        headers.remove(name);
    }
}

/// Flink answers plain requests so where it speaks TLS (`RedirectingSslHandler`).
fn asks_for_tls(response: &Response<Incoming>) -> bool {
    let location = response.headers().get(LOCATION);
    response.status().is_redirection()
        && location.is_some_and(|location| location.as_bytes().starts_with(b"https://"))
}

fn unavailable(why: Option<String>) -> Failure {
    let why = why.map(|why| format!(": {why}")).unwrap_or_default();
    let text = format!("no JobManager could be reached within {} s{why}", PATIENCE.as_secs());
    Failure::Told(StatusCode::SERVICE_UNAVAILABLE, text)
}

fn explained(status: StatusCode, text: String, client: &Arc<Client>, owed: Owed) -> Response<body::Response> {
    let mut response = Response::new(body::Response::text(format!("kubectl flink: {text}\n"), client, owed));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    headers.insert(HeaderName::from_static("x-content-type-options"), HeaderValue::from_static("nosniff"));
    response
}

#[cfg(test)]
mod tests;
