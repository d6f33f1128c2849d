//! The client's end of a connection.
//!
//! Many clients close their half of a connection once they have sent a request, and still read the
//! response. hyper would take that for the end of the connection. So the end is kept from it while a
//! response is due, and a client that has gone for good is noticed by the time that passes.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::task::{Context, Poll, ready};

use futures::task::AtomicWaker;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::watch;

/// What is known of a client.
pub struct Client {
    has_ended: watch::Sender<bool>,
    is_owed_response: AtomicBool,
    reader: AtomicWaker,
}

impl Client {
    pub fn new() -> Arc<Self> {
        Arc::new(Self {
            has_ended: watch::Sender::new(false),
            is_owed_response: AtomicBool::new(false),
            reader: AtomicWaker::new(),
        })
    }

    /// A response is due until what this returns is dropped.
    pub fn owe_response(self: &Arc<Self>) -> Owed {
        self.is_owed_response.store(true, SeqCst);
        Owed(Arc::clone(self))
    }

    /// Returns once the client sends no more.
    pub fn ended(&self) -> impl Future<Output = ()> + Send + 'static {
        let mut ended = self.has_ended.subscribe();
        async move {
            // It fails when the connection is dropped, and nobody waits then.
            let _ = ended.wait_for(|ended| *ended).await;
        }
    }

    pub fn has_ended(&self) -> bool {
        *self.has_ended.borrow()
    }
}

/// See [`Client::owe_response`].
pub struct Owed(Arc<Client>);

impl Drop for Owed {
    fn drop(&mut self) {
        self.0.is_owed_response.store(false, SeqCst);
        self.0.reader.wake();
    }
}

/// The stream of a client, whose end is held back while the client waits for a response.
pub struct Held<S> {
    stream: S,
    client: Arc<Client>,
}

impl<S> Held<S> {
    pub fn new(stream: S, client: Arc<Client>) -> Self {
        Self { stream, client }
    }

    pub fn into_inner(self) -> S {
        self.stream
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Held<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let room = buffer.remaining();
        ready!(Pin::new(&mut self.stream).poll_read(cx, buffer))?;
        if buffer.filled().len() == before && room > 0 {
            self.client.has_ended.send_replace(true);
            self.client.reader.register(cx.waker());
            if self.client.is_owed_response.load(SeqCst) {
                return Poll::Pending;
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Held<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}
