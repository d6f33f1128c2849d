//! How long answers of the API server may be, after decompression.

use std::task::{Context, Poll};

use futures::FutureExt;
use futures::future::BoxFuture;
use http::{Request, Response};
use hyper::body::Bytes;
use kube::client::Body;
use tower::{BoxError, Service};

use crate::net::Bounded;

const MIB: usize = 1 << 20;

/// An object, the end of a log, what the server reports of itself. etcd takes objects of 1.5 MiB
/// (`--max-request-bytes`), and a log is asked for by its last lines.
const ANSWER: usize = 16 * MIB;

/// An error: a `Status`, or the page of a proxy.
const ERROR: usize = MIB;

/// One object of a list, or one event of a watch.
pub(in crate::cluster) const ELEMENT: usize = 8 * MIB;

/// The same with the line break behind it, and one byte more.
pub(in crate::cluster) const EVENT: u64 = 8 * 1024 * 1024 + 2;

/// What stands around the objects of a list.
pub(in crate::cluster) const HEAD: usize = MIB;

/// All objects of a list: 140,000 pods of 7.6 kB.
pub(in crate::cluster) const LIST: usize = 1024 * MIB;

/// How many objects a list may have: twice as many as the pods for which Kubernetes is built (150,000).
pub(in crate::cluster) const ELEMENTS: usize = 300_000;

/// Goes with a request: the most bytes that its answer may have.
#[derive(Clone, Copy, Debug)]
pub(in crate::cluster) enum Most {
    Bytes(usize),
    /// It is read as a stream, and whoever reads it bounds what is kept.
    Streamed,
}

impl Most {
    fn bytes(self, is_success: bool) -> usize {
        match (self, is_success) {
            (Self::Streamed, true) => usize::MAX,
            (Self::Bytes(most), true) => most,
            (Self::Streamed | Self::Bytes(_), false) => ERROR,
        }
    }
}

/// Bounds the body of each answer by the [`Most`] of its request.
#[derive(Clone)]
pub(in crate::cluster) struct BoundAnswers<S>(pub S);

impl<S, B> Service<Request<Body>> for BoundAnswers<S>
where
    S: Service<Request<Body>, Response = Response<B>>,
    S::Future: Send + 'static,
    B: hyper::body::Body<Data = Bytes> + 'static,
    B::Error: Into<BoxError>,
{
    type Response = Response<Bounded<B>>;
    type Error = S::Error;
    type Future = BoxFuture<'static, Result<Self::Response, S::Error>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let most = request.extensions().get::<Most>().copied().unwrap_or(Most::Bytes(ANSWER));
        let what = format!("{} {}", request.method(), request.uri().path());
        let answer = self.0.call(request);
        async move {
            let answer = answer.await?;
            let most = most.bytes(answer.status().is_success());
            Ok(answer.map(|body| Bounded::new(body, what, most)))
        }
        .boxed()
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::Full;
    use tower::{ServiceExt, service_fn};

    use super::*;

    /// What a client reads of an answer of so many bytes, which passes the limit alone.
    async fn read(most: Option<Most>, status: u16, bytes: usize) -> Result<usize, String> {
        let service = BoundAnswers(service_fn(move |_: Request<Body>| async move {
            let answer = Response::builder().status(status);
            Ok::<_, BoxError>(answer.body(Full::new(Bytes::from(vec![b'x'; bytes]))).expect("answer"))
        }));
        let client = kube::Client::new(service.map_err(BoxError::from), "a");
        let mut request = Request::get("/api/v1/pods?x=y").body(Body::empty()).expect("request");
        request.extensions_mut().extend(
            most.map(|most| {
                let mut extensions = http::Extensions::new();
                extensions.insert(most);
                extensions
            })
            .unwrap_or_default(),
        );
        let answer = client.send(request).await.expect("head");
        let read = answer.into_body().collect_bytes().await;
        read.map(|bytes| bytes.len())
            .map_err(|error| crate::cluster::ClusterError::from_kube(error, "x").to_string())
    }

    #[tokio::test]
    async fn each_kind_of_answer_has_its_limit() {
        let why = |most: &str| Err(format!("the answer to GET /api/v1/pods is longer than {most} MiB"));
        assert_eq!(read(None, 200, ANSWER).await, Ok(ANSWER));
        assert_eq!(read(None, 200, ANSWER + 1).await, why("16"));
        assert_eq!(read(None, 500, ERROR + 1).await, why("1"));
        // As an answer of REST that comes through the API server's proxy.
        assert_eq!(read(Some(Most::Bytes(2 * MIB)), 200, 2 * MIB + 1).await, why("2"));
        assert_eq!(read(Some(Most::Streamed), 200, ANSWER + 1).await, Ok(ANSWER + 1));
        assert_eq!(read(Some(Most::Streamed), 403, ERROR + 1).await, why("1"));
    }
}
