//! What `create`, `ls` and `status` ask a session, each for as long as they can wait.

use std::future::Future;
use std::time::Duration;

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use tokio::time::Instant;

use super::{DEFAULT_PORT, SessionRest};
use crate::cluster::Cluster;
use crate::flink::{self, RestError};
use crate::model::SessionView;
use crate::model::evidence::{Evidence, Overview, Rest};
use crate::model::status::{Job, Memory, Part, TaskManager};

/// Between two tries of a REST that does not answer yet.
const POLL: Duration = Duration::from_millis(200);

/// Tries that are waited for at the same time. One that hangs costs next to nothing, and must not
/// keep a later one from being answered.
const AT_ONCE: usize = 12;

/// Asks the newest ready JobManager of `evidence` for its overview, again and again for at most
/// `patience`.
///
/// A JobManager that is just starting may take a request and leave it for seconds, while a later
/// one is answered at once: so the next goes out while the earlier ones are still waited for.
pub async fn ask(cluster: &Cluster, evidence: &Evidence, patience: Duration) -> Rest {
    match SessionRest::newest(cluster, evidence) {
        Some(rest) => poll(|| flink::overview(&rest), patience, AfterError::AskAgain).await,
        None => Rest::NotAsked,
    }
}

/// What follows a try that failed.
#[derive(Clone, Copy, PartialEq)]
enum AfterError {
    AskAgain,
    GiveUp,
}

/// What REST tells beyond its overview.
pub struct Details {
    pub memory: Part<Memory>,
    pub taskmanagers: Part<Vec<TaskManager>>,
    pub jobs: Part<Vec<Job>>,
}

/// A healthy REST answers in milliseconds; a sick one must not hold the rest of the screen back.
const STATUS_PATIENCE: Duration = Duration::from_secs(1);

/// Asks for the overview, and takes a refusal for the answer. Only what hangs is asked again.
pub async fn ask_once(cluster: &Cluster, evidence: &Evidence) -> Rest {
    match SessionRest::newest(cluster, evidence) {
        Some(rest) => poll(|| flink::overview(&rest), STATUS_PATIENCE, AfterError::GiveUp).await,
        None => Rest::NotAsked,
    }
}

/// Asks for all that `status` shows.
pub async fn ask_details(cluster: &Cluster, evidence: &Evidence) -> (Rest, Details) {
    let overview = ask_once(cluster, evidence).await;
    let why = match &overview {
        Rest::Up(_) => None,
        Rest::Down(why) | Rest::Forbidden(why) => Some(why.clone()),
        Rest::NotAsked => {
            let hidden = evidence.why_pods_are_unknown();
            Some(hidden.unwrap_or("no JobManager pod is ready").to_owned())
        }
    };
    let details = match (SessionRest::newest(cluster, evidence), why) {
        (Some(rest), None) => {
            let (memory, taskmanagers, jobs) = tokio::join!(
                within(flink::memory(&rest)),
                within(flink::taskmanagers(&rest)),
                within(flink::jobs(&rest)),
            );
            Details { memory, taskmanagers, jobs }
        }
        (_, why) => {
            let why = why.unwrap_or_default();
            Details {
                memory: Part::Unknown(why.clone()),
                taskmanagers: Part::Unknown(why.clone()),
                jobs: Part::Unknown(why),
            }
        }
    };
    (overview, details)
}

async fn within<T>(asked: impl Future<Output = Result<T, RestError>>) -> Part<T> {
    match tokio::time::timeout(STATUS_PATIENCE, asked).await {
        Ok(Ok(answer)) => Part::Known(answer),
        Ok(Err(error)) => Part::Unknown(error.to_string()),
        Err(_) => Part::Unknown(format!("no answer within {} s", STATUS_PATIENCE.as_secs())),
    }
}

/// Sessions that are asked at the same time.
const SESSIONS_AT_ONCE: usize = 16;

/// How long one session may take to answer, and all of them together.
const SESSION_PATIENCE: Duration = Duration::from_secs(1);
const LIST_PATIENCE: Duration = Duration::from_secs(5);

/// Asks the REST of each session how busy it is. What does not answer in time stays unknown.
pub async fn add_loads(cluster: &Cluster, sessions: &mut [SessionView]) {
    let asked =
        futures::stream::iter(sessions.iter_mut()).for_each_concurrent(SESSIONS_AT_ONCE, async |session| {
            let Some(pod) = session.jobmanager_pod.clone() else { return };
            let port = session.rest_port.unwrap_or(DEFAULT_PORT);
            let rest = SessionRest::at_pod(cluster.pod_port(&session.namespace, &pod, port));
            match tokio::time::timeout(SESSION_PATIENCE, flink::overview(&rest)).await {
                Ok(Ok(overview)) => {
                    session.load = Some(overview.load());
                    session.version = Some(overview.version);
                }
                Ok(Err(error)) => tracing::debug!(%error, pod, "REST does not answer"),
                Err(_) => tracing::debug!(pod, "REST did not answer in time"),
            }
        });
    let _ = tokio::time::timeout(LIST_PATIENCE, asked).await;
}

/// Starts a try every [`POLL`] until one succeeds; none once `patience` is over.
async fn poll<F>(mut ask: impl FnMut() -> F, patience: Duration, after: AfterError) -> Rest
where
    F: Future<Output = Result<Overview, RestError>>,
{
    let end = Instant::now() + patience;
    let mut next = Instant::now();
    let mut tries = FuturesUnordered::new();
    let mut last = Rest::Down(RestError::TimedOut(patience).to_string());
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
                    if after == AfterError::GiveUp {
                        return last;
                    }
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
            AfterError::AskAgain,
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
            AfterError::AskAgain,
        )
        .await;
        assert_eq!(rest, Rest::Down("refused".to_owned()));
        assert_eq!(tries.get(), 5, "one every 200 ms");
    }

    #[tokio::test(start_paused = true)]
    async fn who_only_wants_to_know_takes_the_first_refusal() {
        let started = Instant::now();
        let refused = || async { Err(RestError::Unreachable("refused".to_owned())) };
        let rest = poll(refused, Duration::from_secs(60), AfterError::GiveUp).await;
        assert_eq!(rest, Rest::Down("refused".to_owned()));
        assert!(started.elapsed() < Duration::from_millis(100));
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_forbidden_stays_forbidden() {
        let forbidden = || async { Err(RestError::Forbidden("no".to_owned())) };
        let rest = poll(forbidden, Duration::from_secs(60), AfterError::AskAgain).await;
        assert_eq!(rest, Rest::Forbidden("no".to_owned()));
    }
}
