//! Jobs followed to their end.

use std::collections::BTreeMap;
use std::time::Duration;

use futures::stream;
use tokio::time::Instant;

use crate::app::wait::{Look, Waited, until};
use crate::app::{App, CommandError};
use crate::cmd::job_names::sentence;
use crate::cmd::last_contact::LastContact;
use crate::cmd::reach::Reached;
use crate::cmd::slots;
use crate::diagnosis::stack_trace;
use crate::exit::Exit;
use crate::flink;
use crate::model::Finding;
use crate::model::ids::JobId;
use crate::model::job::JobException;
use crate::model::status::Job;

/// Between two looks.
const PAUSE: Duration = Duration::from_secs(1);

/// A healthy session makes a TaskManager in this time; who waits longer wants to know why.
const SLOTS_SECONDS: u64 = 15;

/// Between two looks at why slots do not come.
const EXPLAIN: Duration = Duration::from_secs(5);

/// What a JobManager tells of one job may be this old (`web.refresh-interval`, 3 s), and a little more.
pub const STALE: Duration = Duration::from_secs(5);

/// A JobManager that has just started may not have taken its jobs up again.
const GONE_LOOKS: u32 = 5;

const FOR_EVER: Duration = Duration::from_secs(365 * 24 * 3600);

/// Jobs that were followed.
pub struct Followed {
    /// As they were read last; none when their states are unknown.
    pub jobs: Option<Vec<Job>>,
    pub end: Result<Exit, CommandError>,
}

/// Waits until every one of `jobs` has ended, and prints each change. All that have not FINISHED are an error.
pub async fn to_the_end(
    reached: &Reached,
    mut jobs: Vec<Job>,
    timeout: Option<Duration>,
    app: &App,
) -> Followed {
    let contact = LastContact::default();
    let mut is_known = true;
    let end = match follow(reached, &mut jobs, &mut is_known, &contact, timeout, app).await {
        Ok(()) => ended(reached, &jobs).await,
        Err(error) => Err(error),
    };
    Followed { jobs: Some(jobs).filter(|_| is_known && !contact.is_lost()), end }
}

/// Waits until every one of `jobs` has ended, and prints each change. Returns them as they were last read: one that has
/// not ended is not known to the session any more, and how it ended is unknown.
pub async fn until_ended(
    reached: &Reached,
    mut jobs: Vec<Job>,
    timeout: Option<Duration>,
    app: &App,
) -> Result<Vec<Job>, CommandError> {
    follow(reached, &mut jobs, &mut true, &LastContact::default(), timeout, app).await?;
    Ok(jobs)
}

/// Keeps jobs as they were read `last`. `is_known` becomes false when one of them is not listed any more before it has
/// ended.
async fn follow(
    reached: &Reached,
    last: &mut [Job],
    is_known: &mut bool,
    contact: &LastContact,
    timeout: Option<Duration>,
    app: &App,
) -> Result<(), CommandError> {
    let mut told: BTreeMap<JobId, String> = last.iter().map(|job| (job.id.clone(), sentence(job))).collect();
    let mut explainer = Explainer { reached, app, next: Instant::now(), told: Vec::new() };
    let (mut missing, mut is_gone) = (0, false);
    let waited = until(timeout.unwrap_or(FOR_EVER), stream::pending(), async || {
        let now = match flink::jobs(&reached.rest).await {
            Ok(now) => now,
            Err(error) if !error.may_pass() => {
                return Err(reached.error(&error, "cannot follow the job"));
            }
            Err(error) => {
                if contact.lost(&error) {
                    app.ui.warn(&format!(
                        "REST of session {} does not answer, and is asked again: {error}",
                        reached.name
                    ));
                }
                // What has gone with its session does not come back.
                is_gone = reached.is_gone().await;
                return Ok(if is_gone { Look::Done(()) } else { Look::Again(PAUSE) });
            }
        };
        contact.restored();
        let mut is_missing = false;
        for job in last.iter_mut() {
            match now.iter().find(|other| other.id == job.id) {
                Some(found) => *job = found.clone(),
                // One that has ended may be forgotten after a while.
                None => is_missing |= job.is_alive(),
            }
            let words = sentence(job);
            if told.get(&job.id) != Some(&words) {
                app.ui.status(&words);
                told.insert(job.id.clone(), words);
            }
        }
        *is_known = !is_missing;
        missing = if is_missing { missing + 1 } else { 0 };
        if missing >= GONE_LOOKS || last.iter().all(|job| !job.is_alive()) {
            return Ok(Look::Done(()));
        }
        explainer.look(last).await;
        Ok(Look::Again(PAUSE))
    })
    .await?;
    let ids: Vec<&str> = last.iter().filter(|job| job.is_alive()).map(|job| job.id.as_str()).collect();
    match waited {
        Waited::Done(()) if is_gone => {
            let what = format!(
                "job {} is gone with its session: session {} is deleted",
                ids.join(", "),
                reached.name
            );
            Err(CommandError::new(Exit::Unhealthy, what).hint(format!("kubectl flink ls{}", reached.flags)))
        }
        Waited::Done(()) => Ok(()),
        Waited::TimedOut => {
            let seconds = timeout.unwrap_or(FOR_EVER).as_secs();
            let state = format!("the state of job {}", ids.join(", "));
            let look = format!("kubectl flink jobs {} {}{}", reached.name, one_of(&ids), reached.flags);
            let what = format!("job {} has not ended within {seconds} s, and goes on", ids.join(", "));
            let unknown = contact.unknown(&state, Exit::TimedOut, reached).await;
            Err(unknown.unwrap_or_else(|| CommandError::new(Exit::TimedOut, what)).hint(look))
        }
        Waited::Interrupted => {
            let what = format!("interrupted: job {} goes on", ids.join(", "));
            let look = format!("kubectl flink jobs {} {}{}", reached.name, one_of(&ids), reached.flags);
            let end = format!("kubectl flink cancel {} {}{}", reached.name, ids.join(" "), reached.flags);
            Err(CommandError::new(Exit::Interrupted, what)
                .hint(look)
                .hint(format!("to end it without its state: {end}")))
        }
    }
}

/// The one that is looked at; of several, the list.
fn one_of<'a>(ids: &[&'a str]) -> &'a str {
    match ids {
        [one] => one,
        _ => "-a",
    }
}

/// The end of all: well, or the first that did not end well, with its root exception.
pub async fn ended(reached: &Reached, jobs: &[Job]) -> Result<Exit, CommandError> {
    let Some(job) = jobs.iter().find(|job| job.state != "FINISHED") else { return Ok(Exit::Done) };
    let Job { id, name, state, .. } = job;
    let look = format!("kubectl flink jobs {} {id}{}", reached.name, reached.flags);
    if job.is_alive() {
        let what = format!("job {id} ({name}) is gone: session {} does not know it any more", reached.name);
        let told = CommandError::new(Exit::Unhealthy, what).because("how it ended is unknown");
        let told = reached.with_replacement(told).await;
        return Err(reached.status().into_iter().fold(told, CommandError::hint));
    }
    let mut error = CommandError::new(Exit::Unhealthy, format!("job {id} ({name}) ended as {state}"));
    if state == "FAILED"
        && let Some(exception) = root_exception(reached, id).await
    {
        error = because_of(error, &exception);
        if slots::were_missing(&exception) {
            error = slots::why(reached, 0).await.iter().fold(error, CommandError::with_finding);
        }
    }
    Err(error.hint(look))
}

/// Why job `id` failed. The list of jobs is of this moment, what is told of one job may be older: from
/// when it still ran, without an exception.
async fn root_exception(reached: &Reached, id: &JobId) -> Option<JobException> {
    let end = Instant::now() + STALE;
    loop {
        let exceptions = flink::exceptions(&reached.rest, id).await.unwrap_or_else(|error| {
            tracing::debug!(%error, "REST does not tell why");
            Vec::new()
        });
        match exceptions.into_iter().next() {
            None if Instant::now() < end => tokio::time::sleep(PAUSE).await,
            first => return first,
        }
    }
}

/// Adds both ends of what was thrown in a job to the causes of `error`.
pub fn because_of(error: CommandError, exception: &JobException) -> CommandError {
    let (outermost, deepest) = stack_trace::both_ends(&exception.stack);
    let task = exception.task.as_deref().unwrap_or_default();
    let place = task.split(" - execution #").next().filter(|task| !task.is_empty());
    let error = error.because(match place {
        Some(task) => format!("{outermost}, in task {task}"),
        None => outermost,
    });
    deepest.into_iter().fold(error, CommandError::because)
}

/// What makes `finding` the same as another. Each try has a pod of its own, with a number in its name.
fn reason(finding: &Finding) -> String {
    let evidence = finding.evidence.as_deref().unwrap_or_default();
    format!("{}: {}", finding.id, evidence.replace(|c: char| c.is_ascii_digit(), ""))
}

/// Says why slots do not come, each reason once.
struct Explainer<'a> {
    reached: &'a Reached,
    app: &'a App,
    next: Instant,
    told: Vec<String>,
}

impl Explainer<'_> {
    async fn look(&mut self, jobs: &[Job]) {
        let waits = |job: &&Job| job.waits(SLOTS_SECONDS);
        let Some(job) = jobs.iter().find(waits).filter(|_| Instant::now() >= self.next) else { return };
        self.next = Instant::now() + EXPLAIN;
        for finding in slots::findings(self.reached, job, SLOTS_SECONDS).await {
            self.tell(job, &finding);
        }
    }

    fn tell(&mut self, job: &Job, finding: &Finding) {
        let key = reason(finding);
        if self.told.contains(&key) {
            return;
        }
        self.told.push(key);
        self.app.ui.warn(&format!("job {} waits for slots: {}", job.id, finding.summary));
        if let Some(evidence) = &finding.evidence {
            self.app.ui.note(&format!("  because: {evidence}"));
        }
        self.app.ui.hint(&finding.fix);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_told_of_a_job_is_the_truth_of_its_tasks() {
        let job = |state: &str, running, total| Job {
            id: JobId::from(0x11),
            name: "orders".to_owned(),
            state: state.to_owned(),
            tasks_running: running,
            tasks_total: total,
            started_at: None,
            duration_milliseconds: 0,
        };
        assert_eq!(
            sentence(&job("RUNNING", 0, 2)),
            "job 00000000000000000000000000000011 (orders) is RUNNING, 0 of 2 tasks running"
        );
        assert_eq!(
            sentence(&job("INITIALIZING", 0, 0)),
            "job 00000000000000000000000000000011 (orders) is INITIALIZING"
        );
        assert_eq!(
            sentence(&job("FINISHED", 0, 2)),
            "job 00000000000000000000000000000011 (orders) is FINISHED"
        );
    }

    #[test]
    fn another_try_with_the_same_end_is_no_other_reason() {
        let refused = |pod: u32, why: &str| {
            reason(&Finding {
                id: "taskmanager-pod-refused",
                summary: String::new(),
                evidence: Some(format!("pods \"roc-taskmanager-1-{pod}\" is forbidden: {why}")),
                fix: String::new(),
                cannot_heal: false,
            })
        };
        assert_eq!(refused(9, "exceeded quota: team"), refused(13, "exceeded quota: team"));
        assert_ne!(refused(9, "exceeded quota: team"), refused(9, "exceeded quota: other"));
    }
}
