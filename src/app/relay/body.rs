//! The bodies of requests, which can be sent a second time, and of responses.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use http_body_util::Full;
use hyper::body::{Body, Bytes, Frame, Incoming, SizeHint};
use tokio::time::sleep;

use super::client::{Client, Owed};

/// How much of a body is kept for another pod: more than any request but an upload has.
const KEPT: usize = 64 * 1024;

/// How long a client that sends no more waits for more of a response. Nearly all of them have gone, and
/// each holds two files.
const NO_MORE: Duration = Duration::from_secs(1);

/// The body of a request. What has been read of it is kept, as long as it is small.
pub struct Repeatable {
    body: Arc<Mutex<Kept>>,
    client: Arc<Client>,
}

struct Kept {
    rest: Incoming,
    frames: Vec<Bytes>,
    bytes: usize,
    /// More was read than is kept.
    is_cut: bool,
    /// Counts the readers: only the last one is allowed to read.
    reader: u32,
    length: SizeHint,
}

/// One pass over the body of a request.
pub struct Pass {
    body: Arc<Mutex<Kept>>,
    reader: u32,
    next: usize,
    /// The client sends no more.
    ended: BoxFuture<'static, ()>,
}

impl Repeatable {
    pub fn new(rest: Incoming, client: Arc<Client>) -> Self {
        let length = rest.size_hint();
        let kept = Kept { rest, frames: Vec::new(), bytes: 0, is_cut: false, reader: 0, length };
        Self { body: Arc::new(Mutex::new(kept)), client }
    }

    /// The body from its start; none where that is no longer there.
    pub fn pass(&self) -> Option<Pass> {
        let mut body = locked(&self.body);
        body.reader += 1;
        (!body.is_cut).then(|| Pass {
            body: Arc::clone(&self.body),
            reader: body.reader,
            next: 0,
            ended: self.client.ended().boxed(),
        })
    }
}

fn locked(body: &Mutex<Kept>) -> MutexGuard<'_, Kept> {
    body.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Body for Pass {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        let this = &mut *self;
        let mut body = locked(&this.body);
        if body.reader != this.reader {
            return Poll::Ready(Some(Err(io::Error::other("the request is sent to another pod"))));
        }
        if let Some(bytes) = body.frames.get(this.next).cloned() {
            this.next += 1;
            return Poll::Ready(Some(Ok(Frame::data(bytes))));
        }
        loop {
            let frame = match Pin::new(&mut body.rest).poll_frame(cx) {
                Poll::Ready(Some(frame)) => frame.map_err(io::Error::other)?,
                Poll::Ready(None) => return Poll::Ready(None),
                // All that came before the end has been read by now.
                Poll::Pending => {
                    ready!(this.ended.as_mut().poll(cx));
                    return Poll::Ready(Some(Err(io::ErrorKind::UnexpectedEof.into())));
                }
            };
            // Trailers are left out: they are for this hop.
            let Ok(bytes) = frame.into_data() else { continue };
            body.is_cut |= body.bytes + bytes.len() > KEPT;
            if body.is_cut {
                body.frames = Vec::new();
                this.next = 0;
            } else {
                body.bytes += bytes.len();
                body.frames.push(bytes.clone());
                this.next += 1;
            }
            return Poll::Ready(Some(Ok(Frame::data(bytes))));
        }
    }

    fn is_end_stream(&self) -> bool {
        let body = locked(&self.body);
        self.next == body.frames.len() && body.rest.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        // hyper asks for it before it reads.
        locked(&self.body).length
    }
}

/// The body of a response.
pub struct Response {
    source: Source,
    /// Passes when the client has ended and nothing has come for a while.
    silence: BoxFuture<'static, ()>,
    client: Arc<Client>,
    _owed: Owed,
}

enum Source {
    Text(Full<Bytes>),
    Pod(Incoming),
}

impl Response {
    pub fn text(text: String, client: &Arc<Client>, owed: Owed) -> Self {
        Self::of(Source::Text(Full::from(text)), client, owed)
    }

    pub fn of_pod(body: Incoming, client: &Arc<Client>, owed: Owed) -> Self {
        Self::of(Source::Pod(body), client, owed)
    }

    fn of(source: Source, client: &Arc<Client>, owed: Owed) -> Self {
        let client = Arc::clone(client);
        Self { source, silence: silence(&client), client, _owed: owed }
    }
}

fn silence(client: &Client) -> BoxFuture<'static, ()> {
    let ended = client.ended();
    async {
        ended.await;
        sleep(NO_MORE).await;
    }
    .boxed()
}

impl Body for Response {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        let this = &mut *self;
        let polled = match &mut this.source {
            Source::Text(text) => {
                return Pin::new(text).poll_frame(cx).map_err(|never| match never {});
            }
            Source::Pod(body) => Pin::new(body).poll_frame(cx),
        };
        match polled {
            Poll::Ready(frame) => {
                if this.client.has_ended() {
                    this.silence = silence(&this.client);
                }
                // Trailers belong to the connection to the pod, whose `Trailer` header is left out.
                Poll::Ready(frame.map(|frame| frame.map_err(io::Error::other)))
            }
            Poll::Pending => {
                ready!(this.silence.as_mut().poll(cx));
                Poll::Ready(Some(Err(io::ErrorKind::TimedOut.into())))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.source {
            Source::Text(text) => text.is_end_stream(),
            Source::Pod(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.source {
            Source::Text(text) => text.size_hint(),
            Source::Pod(body) => body.size_hint(),
        }
    }
}
