//! Bodies of answers, which end with an error where they are longer than any answer that is meant.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use hyper::body::{Body, Bytes, Frame, SizeHint};
use tower::BoxError;

/// An answer that is longer than its limit.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the answer to {what} is longer than {} MiB", .most >> 20)]
pub struct TooLong {
    /// The request, as `GET /overview`.
    pub what: String,
    /// In bytes.
    pub most: usize,
}

/// A body of at most so many bytes, as they are after decompression. The frame that exceeds the limit is an error.
pub struct Bounded<B> {
    body: Pin<Box<B>>,
    left: usize,
    error: TooLong,
}

impl<B> Bounded<B> {
    /// Bounds the answer to the request `what` to `most` bytes.
    pub fn new(body: B, what: String, most: usize) -> Self {
        Self { body: Box::pin(body), left: most, error: TooLong { what, most } }
    }
}

impl<B> Body for Bounded<B>
where
    B: Body<Data = Bytes>,
    B::Error: Into<BoxError>,
{
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let this = &mut *self;
        let frame = match ready!(this.body.as_mut().poll_frame(cx)) {
            Some(Ok(frame)) => frame,
            Some(Err(error)) => return Poll::Ready(Some(Err(error.into()))),
            None => return Poll::Ready(None),
        };
        let length = frame.data_ref().map_or(0, Bytes::len);
        Poll::Ready(Some(match this.left.checked_sub(length) {
            Some(left) => {
                this.left = left;
                Ok(frame)
            }
            None => Err(this.error.clone().into()),
        }))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::{BodyExt, Full};

    use super::*;

    async fn read(bytes: usize, most: usize) -> Result<usize, BoxError> {
        let body = Full::new(Bytes::from(vec![b'x'; bytes]));
        Ok(Bounded::new(body, "GET /overview".to_owned(), most).collect().await?.to_bytes().len())
    }

    #[tokio::test]
    async fn the_last_byte_may_come_and_no_further_one() {
        assert_eq!(read(2 << 20, 2 << 20).await.expect("all"), 2 << 20);
        let error = read((2 << 20) + 1, 2 << 20).await.expect_err("too long");
        assert_eq!(error.to_string(), "the answer to GET /overview is longer than 2 MiB");
    }
}
