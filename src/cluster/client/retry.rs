//! When a request is sent again: after a lost connection if it only reads, and when a busy server asks for it.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use http::header::RETRY_AFTER;
use http::{Method, Request, Response, StatusCode};
use kube::client::Body;
use tokio::time::Instant;
use tower::retry::Policy;

use crate::cluster::ClusterError;

/// Before what only reads is sent again on a new connection, in milliseconds. kubectl does so ten times, a second
/// apart (client-go's `rest/request.go`: a reset, or an end before the answer).
const PAUSES: [u64; 7] = [50, 100, 200, 400, 800, 1000, 1000];

/// The tries of a request that only reads.
pub(in crate::cluster) struct Again {
    pauses: std::slice::Iter<'static, u64>,
    times: usize,
}

impl Again {
    pub fn new() -> Self {
        Self { pauses: PAUSES.iter(), times: 0 }
    }

    /// Waits a moment after a connection that was lost. With any other error, and at the end, that error
    /// comes back.
    pub async fn after(&mut self, error: ClusterError) -> Result<(), ClusterError> {
        let ClusterError::Lost { server, how, .. } = error else { return Err(error) };
        self.times = self.times.saturating_add(1);
        let Some(pause) = self.pauses.next() else {
            return Err(ClusterError::Lost { server, how, times: self.times });
        };
        tracing::debug!(pause, "the connection {how}; asking again");
        tokio::time::sleep(jittered(Duration::from_millis(*pause))).await;
        Ok(())
    }
}

/// From half of `pause` to one and a half: those who were cut off together do not come back together.
fn jittered(pause: Duration) -> Duration {
    let share = getrandom::u32().unwrap_or(u32::MAX / 2);
    pause.mul_f64(0.5 + f64::from(share) / f64::from(u32::MAX))
}

/// How often a request is sent again; as kubectl (client-go's `rest/with_retry.go`).
const TIMES: usize = 10;

/// How long a server that is busy is waited for, over all tries of a request. An API server asks for at most 32 s at a
/// time (apiserver's `dropped_requests_tracker.go`).
const PATIENCE: Duration = Duration::from_secs(60);

/// Sends a request again when, and after, the server says so in `Retry-After`. With 429 it has done nothing; with
/// an error that what lies between may have made up, only what changes nothing is sent again. kubectl sends all.
///
/// A server that asks for more time than there is, is not asked again: its answer is the one that counts.
#[derive(Clone, Copy, Debug)]
pub struct AsTheServerSays {
    left: usize,
    patience: Duration,
    /// The command has no more time then.
    until: Option<Instant>,
}

impl AsTheServerSays {
    pub fn until(until: Option<Instant>) -> Self {
        Self { left: TIMES, patience: PATIENCE, until }
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
        self.patience = self.patience.checked_sub(pause)?;
        let ends = Instant::now().checked_add(pause)?;
        if self.until.is_some_and(|until| ends > until) {
            return None;
        }
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
        let mut policy = AsTheServerSays::until(None);
        let mut request = Request::new(Body::empty());
        let mut asked = 0;
        while policy.retry(&mut request, &mut Ok::<_, ()>(answer(429, Some("1")))).is_some() {
            asked += 1;
        }
        assert_eq!(asked, TIMES);
    }

    #[tokio::test(start_paused = true)]
    async fn no_server_is_waited_for_longer_than_there_is_time() {
        let asked = |until: Option<u64>, after: &'static str| {
            let until = until.map(|seconds| Instant::now() + Duration::from_secs(seconds));
            let mut policy = AsTheServerSays::until(until);
            let mut request = Request::new(Body::empty());
            (0..)
                .take_while(|_| {
                    policy.retry(&mut request, &mut Ok::<_, ()>(answer(429, Some(after)))).is_some()
                })
                .count()
        };
        assert_eq!(asked(None, "3600"), 0);
        assert_eq!(asked(None, "18446744073709551615"), 0);
        assert_eq!(asked(None, "25"), 2);
        assert_eq!(asked(Some(10), "11"), 0);
        assert_eq!(asked(Some(30), "25"), 2);
    }
}
