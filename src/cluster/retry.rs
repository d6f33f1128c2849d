//! What a server that is too busy asks for: the same request once more, a little later.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use http::header::RETRY_AFTER;
use http::{Method, Request, Response, StatusCode};
use kube::client::Body;
use tower::retry::Policy;

/// How often a request is sent again; as kubectl (client-go's `rest/with_retry.go`).
const TIMES: usize = 10;

/// Sends a request again when, and after, the server says so in `Retry-After`. With 429 it has done nothing; with
/// an error that what lies between may have made up, only what changes nothing is sent again. kubectl sends all.
#[derive(Clone, Copy, Debug)]
pub struct AsTheServerSays {
    left: usize,
}

impl Default for AsTheServerSays {
    fn default() -> Self {
        Self { left: TIMES }
    }
}

impl<B, E> Policy<Request<Body>, Response<B>, E> for AsTheServerSays {
    type Future = Pin<Box<dyn Future<Output = ()> + Send>>;

    fn retry(
        &mut self,
        request: &mut Request<Body>,
        answer: &mut Result<Response<B>, E>,
    ) -> Option<Self::Future> {
        let pause = answer.as_ref().ok().and_then(|answer| pause(request.method(), answer))?;
        self.left = self.left.checked_sub(1)?;
        tracing::debug!(?pause, "the server is busy");
        Some(Box::pin(tokio::time::sleep(pause)))
    }

    fn clone_request(&mut self, request: &Request<Body>) -> Option<Request<Body>> {
        let mut again = Request::new(request.body().try_clone()?);
        *again.method_mut() = request.method().clone();
        *again.uri_mut() = request.uri().clone();
        *again.version_mut() = request.version();
        *again.headers_mut() = request.headers().clone();
        *again.extensions_mut() = request.extensions().clone();
        Some(again)
    }
}

/// How long the server asks to be left alone, in whole seconds.
fn pause<B>(method: &Method, answer: &Response<B>) -> Option<Duration> {
    let status = answer.status();
    let may_be_sent_again =
        status == StatusCode::TOO_MANY_REQUESTS || (status.is_server_error() && method.is_safe());
    if !may_be_sent_again {
        return None;
    }
    let seconds = answer.headers().get(RETRY_AFTER)?.to_str().ok()?.parse().ok()?;
    Some(Duration::from_secs(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, after: Option<&str>) -> Response<()> {
        let mut answer = Response::builder().status(status);
        if let Some(after) = after {
            answer = answer.header(RETRY_AFTER, after);
        }
        answer.body(()).expect("answer")
    }

    #[test]
    fn only_a_server_that_says_when_is_asked_again() {
        let seconds =
            |status, after| pause(&Method::GET, &answer(status, after)).map(|pause| pause.as_secs());
        assert_eq!(seconds(429, Some("1")), Some(1));
        assert_eq!(seconds(503, Some("0")), Some(0));
        assert_eq!(seconds(429, None), None);
        assert_eq!(seconds(429, Some("Wed, 25 Nov 2026 08:00:00 GMT")), None);
        assert_eq!(seconds(409, Some("1")), None);
        assert!(pause(&Method::POST, &answer(429, Some("1"))).is_some());
        assert!(pause(&Method::POST, &answer(503, Some("1"))).is_none());
    }

    #[tokio::test]
    async fn it_comes_to_an_end() {
        let mut policy = AsTheServerSays::default();
        let mut request = Request::new(Body::empty());
        let mut asked = 0;
        while policy.retry(&mut request, &mut Ok::<_, ()>(answer(429, Some("1")))).is_some() {
            asked += 1;
        }
        assert_eq!(asked, TIMES);
    }
}
