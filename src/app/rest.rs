//! The way to a JobManager's REST: a stream to its pod, else the API server's proxy.

use std::future::Future;
use std::time::Duration;

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use tokio::time::Instant;

use crate::cluster::{Cluster, ClusterError};
use crate::flink::{self, RestError, Transport, stream};
use crate::model::evidence::{Evidence, Overview, Pod, Rest};

/// Between two tries of a REST that does not answer yet.
const POLL: Duration = Duration::from_millis(200);

/// Tries that are waited for at the same time. One that hangs costs next to nothing, and must not
/// keep a later one from being answered.
const AT_ONCE: usize = 12;

/// `rest.port` of every Flink, unless it is set.
pub const DEFAULT_PORT: u16 = 8081;

/// REST of one JobManager pod.
struct PodRest<'a> {
    cluster: &'a Cluster,
    namespace: &'a str,
    pod: &'a str,
    port: u16,
}

impl Transport for PodRest<'_> {
    async fn get(&self, path: &str) -> Result<(u16, Vec<u8>), RestError> {
        match self.cluster.pod_port(self.namespace, self.pod, self.port).open().await {
            Ok(opened) => stream::get(opened, path).await,
            // Users who may not forward ports may have the proxy.
            Err(error) if error.is_forbidden() => {
                let proxied = self.cluster.proxied_get(self.namespace, self.pod, self.port, path).await;
                match proxied {
                    Ok((403, _)) => Err(RestError::Forbidden(error.to_string())),
                    Ok(answer) => Ok(answer),
                    Err(error) => Err(sort(&error)),
                }
            }
            Err(error) => Err(sort(&error)),
        }
    }
}

fn sort(error: &ClusterError) -> RestError {
    if error.is_forbidden() {
        RestError::Forbidden(error.to_string())
    } else {
        RestError::Unreachable(error.to_string())
    }
}

/// Asks the newest ready JobManager of `evidence` for its overview, again and again for at most
/// `patience`.
///
/// A JobManager that is just starting may take a request and leave it for seconds, while a later
/// one is answered at once: so the next goes out while the earlier ones are still waited for.
pub async fn ask(cluster: &Cluster, evidence: &Evidence, patience: Duration) -> Rest {
    let Some(pod) = evidence.jobmanagers.iter().rev().find(|pod| pod.ready && !pod.deleting) else {
        return Rest::NotAsked;
    };
    let Pod { name, rest_port, .. } = pod;
    let rest = PodRest {
        cluster,
        namespace: &evidence.namespace,
        pod: name,
        port: rest_port.unwrap_or(DEFAULT_PORT),
    };
    poll(|| flink::overview(&rest), patience).await
}

/// Starts a try every [`POLL`] until one succeeds; none once `patience` is over.
async fn poll<F>(mut ask: impl FnMut() -> F, patience: Duration) -> Rest
where
    F: Future<Output = Result<Overview, RestError>>,
{
    let end = Instant::now() + patience;
    let mut next = Instant::now();
    let mut tries = FuturesUnordered::new();
    let mut last = Rest::Down(RestError::TimedOut.to_string());
    loop {
        let may_start = tries.len() < AT_ONCE && next < end;
        tokio::select! {
            () = tokio::time::sleep_until(next), if may_start => {
                tries.push(ask());
                next += POLL;
            }
            Some(answer) = tries.next() => match answer {
                Ok(overview) => return Rest::Up(overview),
                Err(error @ RestError::Forbidden(_)) => return Rest::Forbidden(error.to_string()),
                Err(error) => {
                    tracing::debug!(%error, "REST does not answer yet");
                    last = Rest::Down(error.to_string());
                }
            },
            () = tokio::time::sleep_until(end) => return last,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    fn overview() -> Overview {
        Overview { version: "2.3.0".to_owned(), ..Overview::default() }
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_that_hangs_holds_nothing_up() {
        let started = Instant::now();
        let tries = Cell::new(0);
        let rest = poll(
            || {
                tries.set(tries.get() + 1);
                let hangs = tries.get() == 1;
                async move {
                    if hangs {
                        std::future::pending::<()>().await;
                    }
                    Ok(overview())
                }
            },
            Duration::from_secs(2),
        )
        .await;
        assert_eq!(rest, Rest::Up(overview()));
        assert!(started.elapsed() < Duration::from_millis(500));
    }

    #[tokio::test(start_paused = true)]
    async fn it_gives_up_with_the_last_reason() {
        let tries = Cell::new(0);
        let rest = poll(
            || {
                tries.set(tries.get() + 1);
                async { Err(RestError::Unreachable("refused".to_owned())) }
            },
            Duration::from_secs(1),
        )
        .await;
        assert_eq!(rest, Rest::Down("refused".to_owned()));
        assert_eq!(tries.get(), 5, "one every 200 ms");
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_forbidden_stays_forbidden() {
        let rest =
            poll(|| async { Err(RestError::Forbidden("no".to_owned())) }, Duration::from_secs(60)).await;
        assert_eq!(rest, Rest::Forbidden("no".to_owned()));
    }
}
