//! What became of a request to run a program, also when nobody answered.
//!
//! The session is asked; nothing is sent from here but the removal of the jar. In 1.10 a program is
//! one job, whose id is ours: it is there or it is not. Later versions run `main()` to its end, and may
//! start several jobs, so what counts is which jobs have appeared since. That a request cannot start
//! anything any more is certain once no thread of the JobManager runs a program, and the jar is gone,
//! without which no program begins and none that has begun gets its job. Versions that do not show their threads leave that open.

use std::time::Duration;

use tokio::time::Instant;

use crate::flink::{self, JarId, RestError, Started, Transport};
use crate::model::status::Job;

/// A request to run a program.
pub struct Asked<'a> {
    pub jar: &'a JarId,
    /// The id that was chosen for the job, in versions where a program is one job.
    pub job: Option<&'a str>,
    /// The jobs that the session had just before.
    pub before: &'a [String],
}

/// What is known in the end.
#[derive(Debug, PartialEq, Eq)]
pub enum Settled {
    /// Every job of the program, oldest first.
    Started(Vec<Job>),
    /// Nobody answered, and these jobs have appeared since.
    Appeared(Vec<Job>),
    /// The program, or the JobManager, said no.
    Failed(String),
    /// Something on the way has failed.
    Broken(String),
    /// The request has started nothing and never will.
    NotStarted(String),
    Unknown(String),
}

/// How long a session is asked that tells nothing.
const PATIENCE: Duration = Duration::from_secs(60);

/// How long a program may take that may be ours or another's.
const LONGEST: Duration = Duration::from_secs(10 * 60);

const PAUSE: Duration = Duration::from_millis(500);

/// How long a job that was started may be missing in the list, or the list itself.
const LISTING: Duration = Duration::from_secs(10);

/// So many looks in a row must show the same.
const LOOKS: u32 = 2;

/// The same, where the version does not tell whether a program is still at work.
const BLIND_LOOKS: u32 = 20;

/// How long a program of 1.10 may take until its job is there, in looks.
const LOOKS_FOR_ID: u32 = 40;

/// What 1.10 says of an id that a job has already.
const DUPLICATE: &str = "DuplicateJobSubmissionException";

pub async fn settle(rest: &impl Transport, asked: &Asked<'_>, answer: Result<Started, RestError>) -> Settled {
    let error = match answer {
        Ok(Started { job }) => return Settled::Started(with_first(rest, asked, job).await),
        Err(error) => error,
    };
    match &error {
        RestError::Unreachable(why) => Settled::NotStarted(why.clone()),
        error if error.is_without_leader() => Settled::NotStarted(error.to_string()),
        error if error.leaves_doubt() => match asked.job {
            Some(id) => by_id(rest, id, error).await,
            None => by_list(rest, asked, error).await,
        },
        RestError::Status { errors, is_flinks: true, .. } => match asked.job {
            Some(id) if errors.contains(DUPLICATE) => {
                Settled::Started(with_first(rest, asked, id.to_owned()).await)
            }
            // A JobManager that has started anew has lost it.
            _ if errors.contains(&format!("{} does not exist", asked.jar.0)) => {
                Settled::NotStarted("the JobManager has started anew meanwhile".to_owned())
            }
            _ => Settled::Failed(errors.clone()),
        },
        error => Settled::Broken(error.to_string()),
    }
}

/// The jobs that have appeared since, oldest first; of a program that is one job, that alone.
pub async fn appeared(rest: &impl Transport, asked: &Asked<'_>) -> Result<Vec<Job>, RestError> {
    let mut jobs = flink::jobs(rest).await?;
    jobs.retain(|job| match asked.job {
        Some(id) => job.id == id,
        None => !asked.before.contains(&job.id),
    });
    jobs.sort_by_key(|job| job.started_at);
    Ok(jobs)
}

/// The same, beginning with the job `first` that the answer has named: what was started before that
/// is somebody else's. Whatever the list says, that one was started.
async fn with_first(rest: &impl Transport, asked: &Asked<'_>, first: String) -> Vec<Job> {
    let end = Instant::now() + LISTING;
    let mut jobs = loop {
        match appeared(rest, asked).await {
            Ok(jobs) if jobs.iter().any(|job| job.id == first) => break jobs,
            _ if Instant::now() > end => break Vec::new(),
            _ => tokio::time::sleep(PAUSE).await,
        }
    };
    match jobs.iter().find(|job| job.id == first).map(|job| job.started_at) {
        Some(started) => jobs.retain(|job| job.id == first || job.started_at >= started),
        None => {
            jobs = vec![Job {
                name: first.clone(),
                id: first,
                state: "INITIALIZING".to_owned(),
                tasks_running: 0,
                tasks_total: 0,
                started_at: None,
                duration_milliseconds: 0,
            }];
        }
    }
    jobs
}

/// For a job whose id is ours. The JobManager takes an id once while its job runs, so that sending the
/// request again does no harm even if the first is still at work.
async fn by_id(rest: &impl Transport, id: &str, why: &RestError) -> Settled {
    let end = Instant::now() + PATIENCE;
    let mut misses = 0;
    loop {
        match flink::job(rest, id).await {
            Ok(Some((job, _))) => return Settled::Started(vec![job]),
            Ok(None) => misses += 1,
            Err(error) => tracing::debug!(%error, "the session does not tell"),
        }
        if misses >= LOOKS_FOR_ID {
            return Settled::NotStarted(why.to_string());
        }
        if Instant::now() > end {
            return Settled::Unknown(why.to_string());
        }
        tokio::time::sleep(PAUSE).await;
    }
}

async fn by_list(rest: &impl Transport, asked: &Asked<'_>, why: &RestError) -> Settled {
    let last = Instant::now() + LONGEST;
    let mut end = Instant::now() + PATIENCE;
    let mut is_removed = false;
    let (mut quiet, mut seen) = (0, Vec::new());
    loop {
        // First whether a program runs, then what it has started: one that ends in between is seen.
        let runs = flink::is_running_a_program(rest).await;
        let jobs = appeared(rest, asked).await;
        match (runs, jobs) {
            (Ok(Some(true)), _) => (quiet, end) = (0, last.min(Instant::now() + PATIENCE)),
            (Ok(runs), Ok(jobs)) => {
                quiet += 1;
                seen = jobs;
                // Not before: a program at work needs its jar for its job. The looks after it count.
                if !is_removed && runs.is_some() {
                    is_removed = flink::remove_jar(rest, asked.jar).await.is_ok();
                    quiet = 0;
                }
                let enough = if runs.is_some() { LOOKS } else { BLIND_LOOKS };
                if quiet >= enough && !seen.is_empty() {
                    return Settled::Appeared(seen);
                }
                if quiet >= enough && is_removed && runs.is_some() {
                    return Settled::NotStarted(why.to_string());
                }
            }
            (Err(error), _) | (_, Err(error)) => {
                quiet = 0;
                tracing::debug!(%error, "the session does not tell");
            }
        }
        if Instant::now() > end {
            return match seen.is_empty() {
                true => Settled::Unknown(why.to_string()),
                false => Settled::Appeared(seen),
            };
        }
        tokio::time::sleep(PAUSE).await;
    }
}

#[cfg(test)]
mod tests;
