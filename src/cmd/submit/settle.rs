//! What became of a request to run a program, also when nobody answered.
//!
//! The session is asked, and nothing is sent again from here. In 1.10 a program is one job, whose id
//! is ours: it is there or it is not. Later versions run `main()` to its end, and may start several
//! jobs, so what counts is which jobs have appeared. Two looks then show that the request cannot start
//! anything any more: the jar has been removed, so that nobody can begin with it, and no thread of the
//! JobManager runs a program. Versions without a dump of their threads leave that open.

use std::time::Duration;

use tokio::time::Instant;

use super::start::Submission;
use crate::flink::dialect::Program;
use crate::flink::{self, JarId, RestError, Started};
use crate::model::status::Job;

/// What is known in the end.
pub enum Settled {
    /// Every job of the program, oldest first.
    Started(Vec<Job>),
    /// The program, or the JobManager, said no; with the jobs that had started before.
    Failed {
        error: RestError,
        jobs: Vec<Job>,
    },
    /// The request has started nothing and never will.
    NotStarted(String),
    Unknown(String),
}

/// How long a session is asked that tells nothing.
const PATIENCE: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_millis(500);

/// As many looks in a row must show the same.
const LOOKS: u32 = 2;

/// The first word of [`RestError`]'s answers to a second request with the same id.
const DUPLICATE: &str = "DuplicateJobSubmissionException";

pub async fn settle(
    submission: &Submission<'_>,
    jar: &JarId,
    program: &Program,
    before: &[String],
    answer: Result<Started, RestError>,
) -> Settled {
    match answer {
        Ok(Started { job }) => Settled::Started(appeared_with(submission, before, job).await),
        Err(RestError::Unreachable(why)) => Settled::NotStarted(why),
        Err(error) if error.leaves_doubt() => match &program.job {
            Some(id) => settle_by_id(submission, id, &error).await,
            None => settle_by_list(submission, jar, before, &error).await,
        },
        Err(error) => match &program.job {
            Some(id) if is_duplicate(&error) => {
                Settled::Started(appeared_with(submission, before, id.clone()).await)
            }
            _ => {
                let jobs = appeared(submission, before).await.unwrap_or_default();
                Settled::Failed { error, jobs }
            }
        },
    }
}

fn is_duplicate(error: &RestError) -> bool {
    matches!(error, RestError::Status { errors, .. } if errors.contains(DUPLICATE))
}

/// The jobs that were not there before, oldest first.
async fn appeared(submission: &Submission<'_>, before: &[String]) -> Result<Vec<Job>, RestError> {
    let mut jobs = flink::jobs(&submission.reached.rest).await?;
    jobs.retain(|job| !before.contains(&job.id));
    jobs.sort_by_key(|job| job.started_at);
    Ok(jobs)
}

/// The same, with the job `first` that is certainly among them. Whatever the list says, it was started.
async fn appeared_with(submission: &Submission<'_>, before: &[String], first: String) -> Vec<Job> {
    let mut jobs = appeared(submission, before).await.unwrap_or_default();
    if !jobs.iter().any(|job| job.id == first) {
        jobs.push(Job {
            name: first.clone(),
            id: first,
            state: "INITIALIZING".to_owned(),
            tasks_running: 0,
            tasks_total: 0,
            started_at: None,
            duration_milliseconds: 0,
        });
    }
    jobs
}

/// For a job whose id is ours. The JobManager takes each id once, so that sending the request again
/// does no harm even if the first is still on its way.
async fn settle_by_id(submission: &Submission<'_>, id: &str, error: &RestError) -> Settled {
    let end = Instant::now() + PATIENCE;
    let mut misses = 0;
    loop {
        match flink::job(&submission.reached.rest, id).await {
            Ok(Some((job, _))) => return Settled::Started(vec![job]),
            Ok(None) => misses += 1,
            Err(error) => tracing::debug!(%error, "the session does not tell"),
        }
        // A program needs a moment to come to its job.
        if misses >= 10 {
            return Settled::NotStarted(error.to_string());
        }
        if Instant::now() > end {
            return Settled::Unknown(error.to_string());
        }
        tokio::time::sleep(PAUSE).await;
    }
}

async fn settle_by_list(
    submission: &Submission<'_>,
    jar: &JarId,
    before: &[String],
    error: &RestError,
) -> Settled {
    let rest = &submission.reached.rest;
    let mut end = Instant::now() + PATIENCE;
    let mut is_removed = false;
    let (mut quiet, mut seen) = (0, Vec::new());
    loop {
        if !is_removed && !submission.keep_jar {
            is_removed = flink::remove_jar(rest, jar).await.is_ok();
        }
        // First whether a program runs, then what it has started: one that ends in between is seen.
        let runs = flink::is_running_a_program(rest).await;
        let jobs = appeared(submission, before).await;
        match (runs, jobs) {
            (Ok(Some(true)), _) => (quiet, end) = (0, Instant::now() + PATIENCE),
            (Ok(runs), Ok(jobs)) => {
                quiet += 1;
                seen = jobs;
                if quiet >= LOOKS && !seen.is_empty() {
                    return Settled::Started(seen);
                }
                if quiet >= LOOKS && is_removed && runs == Some(false) {
                    return Settled::NotStarted(error.to_string());
                }
            }
            (Err(error), _) | (_, Err(error)) => {
                quiet = 0;
                tracing::debug!(%error, "the session does not tell");
            }
        }
        if Instant::now() > end {
            return if seen.is_empty() {
                Settled::Unknown(error.to_string())
            } else {
                Settled::Started(seen)
            };
        }
        tokio::time::sleep(PAUSE).await;
    }
}
