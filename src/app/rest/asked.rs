//! What `create`, `ls` and `status` ask a session, each for as long as they can wait.

use std::collections::BTreeMap;
use std::future::Future;
use std::time::Duration;

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use tokio::time::Instant;

use super::refind::{Choice, choose};
use super::standing::Late;
use super::{DEFAULT_PORT, NOBODY_LISTENS, SessionRest};
use crate::cluster::{Cluster, Pace, PodPort};
use crate::flink::{self, RestError};
use crate::model::SessionView;
use crate::model::evidence::{Evidence, Overview, Rest};
use crate::model::status::{Job, Memory, Part, TaskManager};
use crate::session::SessionName;

/// Between two tries of a REST that does not answer yet.
const POLL: Duration = Duration::from_millis(200);

/// Tries that are waited for at the same time. One that hangs costs next to nothing, and must not
/// keep a later one from being answered.
const AT_ONCE: usize = 12;

/// Asks the JobManager of `evidence` that answers for the session for its overview, again and again for at most
/// `patience`.
///
/// A JobManager that is just starting may take a request and leave it for seconds, while a later
/// one is answered at once: so the next goes out while the earlier ones are still waited for. A slow API server
/// gets the time for its ways on top.
pub async fn ask(cluster: &Cluster, evidence: &Evidence, patience: Duration) -> Rest {
    match choose(cluster, evidence).await {
        Choice::One(port) => {
            let rest = SessionRest::at_pod(*port);
            let pace = cluster.pace();
            let patience = patience.saturating_add(pace.way());
            poll(|| flink::overview(&rest), patience, POLL.saturating_add(pace.response_time())).await
        }
        several @ Choice::Several(_) => Rest::Down(several.why_none()),
        Choice::None => Rest::NotAsked,
    }
}

/// What REST tells beyond its overview.
pub struct Details {
    pub memory: Part<Memory>,
    pub taskmanagers: Part<Vec<TaskManager>>,
    pub jobs: Part<Vec<Job>>,
}

impl Details {
    /// Nothing is known, all for the same reason.
    pub fn unknown(why: &str) -> Self {
        Self {
            memory: Part::Unknown(why.to_owned()),
            taskmanagers: Part::Unknown(why.to_owned()),
            jobs: Part::Unknown(why.to_owned()),
        }
    }
}

/// A healthy REST answers in milliseconds; a sick one must not hold the rest of the screen back. It counts from when
/// a connection stands.
const STATUS_PATIENCE: Duration = Duration::from_secs(1);

/// A JobManager that is just starting may leave one question and answer the next: that one goes out after this
/// time, while the first is still waited for.
const NEXT_QUESTION: Duration = Duration::from_millis(400);

/// Before a question is asked again whose connection was lost.
const AGAIN: [Duration; 4] = [
    Duration::from_millis(50),
    Duration::from_millis(100),
    Duration::from_millis(200),
    Duration::from_millis(400),
];

/// Asks for the overview, and takes a refusal for the answer. Only what hangs, or is lost, is asked again. Returns the
/// REST that was asked, too.
async fn ask_chosen(choice: &Choice, pace: &Pace) -> (Rest, Option<SessionRest>) {
    match choice {
        Choice::One(port) => {
            let rest = SessionRest::at_pod(PodPort::clone(port));
            (once(&rest, pace).await, Some(rest))
        }
        Choice::Several(_) => (Rest::Down(choice.why_none()), None),
        Choice::None => (Rest::NotAsked, None),
    }
}

async fn once(rest: &SessionRest, pace: &Pace) -> Rest {
    let ask = async |after: Duration| {
        tokio::time::sleep(after).await;
        rest.in_time(STATUS_PATIENCE, Box::pin(again_when_lost(|| flink::overview(rest)))).await
    };
    // It does not go out while the first may still be on its way.
    let next = NEXT_QUESTION.saturating_add(pace.response_time().saturating_mul(4));
    let mut questions: FuturesUnordered<_> = [Duration::ZERO, next].map(ask).into_iter().collect();
    let mut last = Rest::NotAsked;
    while let Some(answer) = questions.next().await {
        last = match answer {
            Ok(Ok(overview)) => return Rest::Up(overview),
            Ok(Err(error @ RestError::Forbidden(_))) => return Rest::Forbidden(error.to_string()),
            Ok(Err(error)) if rest.line_has_failed() => return Rest::Unknown(error.to_string()),
            Ok(Err(error)) => return Rest::Down(error.to_string()),
            Err(late @ Late::Way(_)) => Rest::Unknown(RestError::from(late).to_string()),
            Err(late @ Late::Answer(_)) => Rest::Down(RestError::from(late).to_string()),
        };
    }
    last
}

/// Asks again, a few times, when the connection is lost. A port that nothing listens on is no lost connection.
async fn again_when_lost<T, F>(ask: impl Fn() -> F) -> Result<T, RestError>
where
    F: Future<Output = Result<T, RestError>>,
{
    let mut pauses = AGAIN.iter();
    loop {
        let error = match ask().await {
            Err(RestError::Unreachable(why)) if why != NOBODY_LISTENS => RestError::Unreachable(why),
            Err(error @ RestError::Lost(_)) => error,
            answer => return answer,
        };
        let Some(pause) = pauses.next() else { return Err(error) };
        tracing::debug!(%error, "asking REST again");
        tokio::time::sleep(*pause).await;
    }
}

/// Asks for the overview and, where there are jobs, for the jobs: what the verdict of a session is made of. The settings
/// are those of a session with a job that has waited for `seconds`.
pub async fn ask_jobs(
    cluster: &Cluster,
    evidence: &Evidence,
    seconds: u64,
) -> (Rest, Vec<Job>, Option<BTreeMap<String, String>>) {
    let (overview, rest) = ask_chosen(&choose(cluster, evidence).await, cluster.pace()).await;
    let (Rest::Up(mut overview), Some(rest)) = (overview.clone(), rest) else {
        return (overview, Vec::new(), None);
    };
    if overview.jobs_running == 0 {
        return (Rest::Up(overview), Vec::new(), None);
    }
    let Part::Known(jobs) = part(&rest, || flink::jobs(&rest)).await else {
        return (Rest::Up(overview), Vec::new(), None);
    };
    overview.count(&jobs);
    let settings = match jobs.iter().any(|job| job.waits(seconds)) {
        true => part(&rest, || flink::configuration(&rest)).await.known().cloned(),
        false => None,
    };
    (Rest::Up(overview), jobs, settings)
}

/// Asks for all that `status` shows.
pub async fn ask_details(cluster: &Cluster, evidence: &Evidence) -> (Rest, Details) {
    let (mut overview, rest) = ask_chosen(&choose(cluster, evidence).await, cluster.pace()).await;
    let why = match &overview {
        Rest::Up(_) => None,
        Rest::Down(why) | Rest::Forbidden(why) => Some(why.clone()),
        Rest::Unknown(why) => Some(format!("REST could not be asked in time ({why})")),
        Rest::NotAsked => {
            let hidden = evidence.why_pods_are_unknown();
            Some(hidden.unwrap_or("no JobManager pod is ready").to_owned())
        }
    };
    let details = match (rest, why) {
        (Some(rest), None) => {
            let (memory, taskmanagers, jobs) = tokio::join!(
                part(&rest, || flink::memory(&rest)),
                part(&rest, || flink::taskmanagers(&rest)),
                part(&rest, || flink::jobs(&rest)),
            );
            if let (Rest::Up(overview), Part::Known(jobs)) = (&mut overview, &jobs) {
                overview.count(jobs);
            }
            Details { memory, taskmanagers, jobs }
        }
        (_, why) => Details::unknown(&why.unwrap_or_default()),
    };
    (overview, details)
}

async fn part<T, F>(rest: &SessionRest, ask: impl Fn() -> F) -> Part<T>
where
    F: Future<Output = Result<T, RestError>>,
{
    match rest.in_time(STATUS_PATIENCE, Box::pin(again_when_lost(ask))).await {
        Ok(Ok(answer)) => Part::Known(answer),
        Ok(Err(error)) => Part::Unknown(error.to_string()),
        Err(late) => Part::Unknown(RestError::from(late).to_string()),
    }
}

/// Sessions that are asked at the same time.
const SESSIONS_AT_ONCE: usize = 16;

/// How long one session may take to answer once a connection stands, and all of them together.
const SESSION_PATIENCE: Duration = Duration::from_secs(1);
const LIST_PATIENCE: Duration = Duration::from_secs(5);

/// What each round of sessions may add to that, in response times of the API server, and at most.
const RESPONSES: u32 = 6;
const LONGEST_LIST: Duration = Duration::from_secs(60);

/// Asks the REST of each session how busy it is. What does not answer in time stays unknown.
pub async fn add_loads(cluster: &Cluster, sessions: &mut [SessionView]) {
    let rounds = u32::try_from(sessions.len().div_ceil(SESSIONS_AT_ONCE)).unwrap_or(u32::MAX);
    let on_the_way = cluster.pace().response_time().saturating_mul(RESPONSES.saturating_mul(rounds));
    let asked =
        futures::stream::iter(sessions.iter_mut()).for_each_concurrent(SESSIONS_AT_ONCE, async |session| {
            let Some(pod) = session.jobmanager_pod.clone() else { return };
            match overview_of(cluster, session, &pod).await {
                Ok(Ok(overview)) => {
                    session.load = Some(overview.load());
                    session.version = Some(overview.version);
                }
                Ok(Err(error)) => tracing::debug!(%error, pod, "REST does not answer"),
                Err(late) => tracing::debug!(?late, pod, "REST did not answer in time"),
            }
        });
    let _ = tokio::time::timeout(LIST_PATIENCE.saturating_add(on_the_way).min(LONGEST_LIST), asked).await;
}

/// Asks on the port that the Deployment shows. Only where that does not answer, the Service is read, which leads
/// elsewhere with `rest.bind-port`: most sessions cost no request more.
async fn overview_of(
    cluster: &Cluster,
    session: &SessionView,
    pod: &str,
) -> Result<Result<Overview, RestError>, Late> {
    let ask = async |port| {
        let rest = SessionRest::at_pod(cluster.pod_port(&session.namespace, pod, port));
        rest.in_time(SESSION_PATIENCE, Box::pin(again_when_lost(|| counted(&rest)))).await
    };
    let shown = session.rest_port.unwrap_or(DEFAULT_PORT);
    let first = ask(shown).await;
    if !matches!(first, Ok(Err(RestError::Unreachable(_) | RestError::Lost(_)))) {
        return first;
    }
    let Ok(name) = SessionName::existing(&session.name) else { return first };
    match cluster.rest_port_of(&session.namespace, &name).await {
        Ok(Some(port)) if port != shown => ask(port).await,
        _ => first,
    }
}

/// The overview, with its jobs counted where there are any.
async fn counted(rest: &SessionRest) -> Result<Overview, RestError> {
    let mut overview = flink::overview(rest).await?;
    if overview.jobs_running > 0 {
        overview.count(&flink::jobs(rest).await?);
    }
    Ok(overview)
}

/// Starts a try every `pause` until one succeeds; none once `patience` is over.
async fn poll<F>(mut ask: impl FnMut() -> F, patience: Duration, pause: Duration) -> Rest
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
                next += pause;
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
            POLL,
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
            POLL,
        )
        .await;
        assert_eq!(rest, Rest::Down("refused".to_owned()));
        assert_eq!(tries.get(), 5, "one every 200 ms");
    }

    #[tokio::test(start_paused = true)]
    async fn a_lost_connection_is_asked_again_and_a_closed_port_is_not() {
        let tries = Cell::new(0);
        let lost = || {
            tries.set(tries.get() + 1);
            let tries = tries.get();
            async move { if tries < 4 { Err(RestError::Lost("reset".to_owned())) } else { Ok(overview()) } }
        };
        assert!(again_when_lost(lost).await.is_ok());
        assert_eq!(tries.replace(0), 4);
        let closed = || {
            tries.set(tries.get() + 1);
            async { Err::<(), _>(RestError::Unreachable(NOBODY_LISTENS.to_owned())) }
        };
        assert!(again_when_lost(closed).await.is_err());
        assert_eq!(tries.get(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_forbidden_stays_forbidden() {
        let forbidden = || async { Err(RestError::Forbidden("no".to_owned())) };
        let rest = poll(forbidden, Duration::from_secs(60), POLL).await;
        assert_eq!(rest, Rest::Forbidden("no".to_owned()));
    }
}
