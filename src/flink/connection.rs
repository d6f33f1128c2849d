//! HTTP over one byte stream, which is kept for the next request.

use std::io;

use futures::StreamExt;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, HOST, LOCATION};
use http::{HeaderMap, HeaderValue, Request as HttpRequest};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Bytes, Frame};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite};

use super::{Answer, Body, Jar, Request, RestError};
use crate::net::{Bounded, Fault, fault, too_long};

/// Bytes to a JobManager and back, whatever carries them.
pub trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

/// What every request on a connection says besides itself.
#[derive(Clone, Debug, Default)]
pub struct Route {
    /// Whom the request is for, as `HOST[:PORT]`.
    pub host: String,
    /// In front of every path, without a slash at its end.
    pub prefix: String,
    pub headers: HeaderMap,
}

type HttpBody = UnsyncBoxBody<Bytes, io::Error>;

pub struct Connection {
    sender: SendRequest<HttpBody>,
    route: Route,
}

/// How much of a file is read at once: what is in memory of it, a few times over.
const CHUNK: usize = 256 * 1024;

impl Connection {
    /// Speaks HTTP/1.1 over `stream`. Nothing is sent yet.
    pub async fn open(stream: Box<dyn Stream>, route: Route) -> Result<Self, RestError> {
        let handshake = http1::handshake(TokioIo::new(stream)).await;
        let (sender, connection) = handshake.map_err(|error| unsent(&error))?;
        // It moves bytes beside whoever waits for them, and ends with its sender. Its error is the request's.
        tokio::spawn(async { drop(connection.await) });
        Ok(Self { sender, route })
    }

    /// True until one side has closed it.
    pub fn is_open(&self) -> bool {
        !self.sender.is_closed()
    }

    /// Sends `request` and waits for its answer.
    pub async fn send(&mut self, request: Request) -> Result<Answer, RestError> {
        let (named, most) = (request.named(), request.most());
        let request = self.http(request)?;
        self.sender.ready().await.map_err(|error| unsent(&error))?;
        let answer = self.sender.try_send_request(request).await.map_err(|mut error| {
            // The request comes back when not a byte of it was written.
            let was_sent = error.take_message().is_none();
            let error = error.into_error();
            match file_error(&error) {
                Some(error) => RestError::File(error),
                None if was_sent => lost(&error),
                None => unsent(&error),
            }
        })?;
        let (head, body) = answer.into_parts();
        let body =
            Bounded::new(body, named, most).collect().await.map_err(|error| match too_long(&*error) {
                Some(error) => RestError::TooLong(error),
                None => RestError::Lost("it was closed in the middle of the answer".to_owned()),
            })?;
        let location = head.headers.get(LOCATION).and_then(|value| value.to_str().ok());
        Ok(Answer {
            status: head.status.as_u16(),
            body: body.to_bytes().into(),
            location: location.map(ToOwned::to_owned),
        })
    }

    fn http(&self, request: Request) -> Result<HttpRequest<HttpBody>, RestError> {
        let invalid = |error: &dyn std::fmt::Display| RestError::Unusable(format!("no request: {error}"));
        let mut http = HttpRequest::builder()
            .method(request.method)
            .uri(format!("{}{}", self.route.prefix, request.path))
            .header(HOST, &self.route.host);
        let body = match request.body {
            Body::Empty => Full::default().map_err(|never| match never {}).boxed_unsync(),
            Body::Json(json) => {
                http = http.header(CONTENT_TYPE, "application/json");
                Full::from(json).map_err(|never| match never {}).boxed_unsync()
            }
            Body::Jar(jar) => {
                let form = Form::of(&jar);
                http = http
                    .header(CONTENT_TYPE, format!("multipart/form-data; boundary={BOUNDARY}"))
                    .header(CONTENT_LENGTH, form.length(jar.bytes));
                form.around(jar)
            }
        };
        let mut http = http.body(body).map_err(|error| invalid(&error))?;
        let headers: Vec<(_, HeaderValue)> =
            self.route.headers.iter().map(|(name, value)| (name.clone(), value.clone())).collect();
        http.headers_mut().extend(headers);
        Ok(http)
    }
}

/// Nothing in a zip archive's structure looks like it, and a reader of forms needs only that no line
/// of the file is equal to it.
const BOUNDARY: &str = "kubectl-flink-7d0c4fb5a1e94c1f8a36";

/// The form that a jar travels in (`JarUploadHandler`): one part of this type.
struct Form {
    head: String,
    tail: String,
}

impl Form {
    fn of(jar: &Jar) -> Self {
        // A quotation mark would end the name, a line break the header.
        let name: String =
            jar.name.chars().map(|c| if c == '"' || c == '\\' || c.is_control() { '_' } else { c }).collect();
        Self {
            head: format!(
                "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"jarfile\"; filename=\"{name}\"\r\n\
                 Content-Type: application/x-java-archive\r\n\r\n"
            ),
            tail: format!("\r\n--{BOUNDARY}--\r\n"),
        }
    }

    fn length(&self, bytes: u64) -> u64 {
        length(self.head.as_bytes()).saturating_add(bytes).saturating_add(length(self.tail.as_bytes()))
    }

    fn around(self, jar: Jar) -> HttpBody {
        let edge = |text: String| futures::stream::iter([Ok(Bytes::from(text))]);
        let file = tokio::fs::File::from_std(jar.file).take(jar.bytes);
        let sent = jar.sent;
        let chunks = futures::stream::try_unfold((file, 0), move |(mut file, before)| {
            let sent = std::sync::Arc::clone(&sent);
            async move {
                let mut chunk = Vec::with_capacity(CHUNK);
                // The reader takes no more than there is room for.
                while chunk.len() < CHUNK && file.read_buf(&mut chunk).await? > 0 {}
                let so_far = length(&chunk).saturating_add(before);
                sent(so_far);
                let is_cut = chunk.is_empty() && so_far < jar.bytes;
                match (chunk.is_empty(), is_cut) {
                    (_, true) => Err(io::Error::other("the file became shorter while it was sent")),
                    (true, _) => Ok(None),
                    (false, _) => Ok(Some((Bytes::from(chunk), (file, so_far)))),
                }
            }
        });
        let body = edge(self.head).chain(chunks).chain(edge(self.tail));
        StreamBody::new(body.map(|chunk| chunk.map(Frame::data))).boxed_unsync()
    }
}

fn length(bytes: &[u8]) -> u64 {
    u64::try_from(bytes.len()).unwrap_or(u64::MAX)
}

/// What became of the connection.
fn lost(error: &hyper::Error) -> RestError {
    RestError::Lost(match fault(error, "the other side") {
        Fault::Refused => "it was refused".to_owned(),
        Fault::Cut(how) => format!("it {how}"),
        Fault::Other(why) => why,
    })
}

/// The same, where nothing of the request has left.
fn unsent(error: &hyper::Error) -> RestError {
    RestError::Unreachable(lost(error).to_string())
}

/// The error of the file that was being sent, if that is what ended the request.
fn file_error(error: &hyper::Error) -> Option<io::Error> {
    let source = std::error::Error::source(error)?.downcast_ref::<io::Error>()?;
    error.is_user().then(|| io::Error::new(source.kind(), source.to_string()))
}

#[cfg(test)]
mod tests {
    use std::io::{Seek, Write};
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering};

    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

    use super::*;
    use crate::flink::RestPath;

    async fn connection() -> (Connection, DuplexStream) {
        let (ours, theirs) = tokio::io::duplex(64 * 1024);
        let route = Route { host: "jobmanager".to_owned(), ..Route::default() };
        (Connection::open(Box::new(ours), route).await.expect("connection"), theirs)
    }

    async fn read_until(from: &mut DuplexStream, end: &str) -> String {
        let mut text = Vec::new();
        while !String::from_utf8_lossy(&text).ends_with(end) {
            assert!(from.read_buf(&mut text).await.expect("bytes") > 0, "{}", String::from_utf8_lossy(&text));
        }
        String::from_utf8(text).expect("text")
    }

    #[tokio::test]
    async fn requests_follow_each_other_on_one_stream() {
        let (mut connection, mut theirs) = connection().await;
        for number in ["1", "2"] {
            let server = async {
                let request = read_until(&mut theirs, "\r\n\r\n").await;
                assert!(request.starts_with("GET /overview HTTP/1.1\r\nhost: jobmanager\r\n"), "{request}");
                let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\n{number}");
                theirs.write_all(answer.as_bytes()).await.expect("answer");
            };
            let (answer, ()) =
                tokio::join!(connection.send(Request::get(RestPath::of(["overview"]))), server);
            assert_eq!(answer.expect("answer").body, number.as_bytes());
        }
        assert!(connection.is_open());
    }

    #[tokio::test]
    async fn what_was_sent_and_not_answered_is_lost_and_what_was_not_sent_is_not() {
        let (mut connection, mut theirs) = connection().await;
        let server = async {
            read_until(&mut theirs, "\r\n\r\n").await;
            drop(theirs);
        };
        let (answer, ()) = tokio::join!(connection.send(Request::get(RestPath::of(["overview"]))), server);
        assert!(matches!(answer, Err(RestError::Lost(_))), "{answer:?}");
        let answer = connection.send(Request::get(RestPath::of(["overview"]))).await;
        assert!(matches!(answer, Err(RestError::Unreachable(_))), "{answer:?}");
    }

    #[tokio::test]
    async fn a_jar_travels_as_a_form() {
        let (mut connection, mut theirs) = connection().await;
        let mut file = tempfile::tempfile().expect("file");
        file.write_all(b"PK-content").expect("content");
        file.rewind().expect("start");
        let sent = Arc::new(AtomicU64::new(0));
        let hears = Arc::clone(&sent);
        let jar = Jar {
            file,
            bytes: 10,
            name: "a\"b.jar".to_owned(),
            sent: Arc::new(move |bytes| hears.store(bytes, Ordering::SeqCst)),
        };
        let request = Request {
            method: http::Method::POST,
            path: RestPath::of(["jars", "upload"]),
            body: Body::Jar(jar),
        };
        let server = async {
            let request = read_until(&mut theirs, "--\r\n").await;
            let (head, form) = request.split_once("\r\n\r\n").expect("head and form");
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).expect("length");
            assert_eq!(length, form.len().to_string());
            assert!(form.contains(
                "name=\"jarfile\"; filename=\"a_b.jar\"\r\nContent-Type: application/x-java-archive"
            ));
            assert!(form.contains("\r\n\r\nPK-content\r\n--"), "{form}");
            theirs.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await.expect("answer");
        };
        let (answer, ()) = tokio::join!(connection.send(request), server);
        assert_eq!(answer.expect("answer").status, 200);
        assert_eq!(sent.load(Ordering::SeqCst), 10);
    }
}
