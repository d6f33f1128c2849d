//! What became of a request to run a program, also when the response was lost.
//!
//! The session is asked; nothing is sent from here but the removal of the jar. A job belongs to the program only with
//! proof: the response names it, it has the id that was chosen for it (1.10, where a program is one job), or it carries
//! the [`Marker`] of the request (1.17 and later). Every other job that appeared meanwhile may be of another client.
//!
//! That a request cannot start anything any more is certain once no thread of the JobManager runs a program, and the
//! jar is gone, without which no program begins and none that has begun gets its job. It has to be the same JobManager
//! process all the time: one that has started again knows nothing of the request, and the program may be what ended it.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::Instant;

use super::marker::{Mark, Marker};
use crate::app::rest::Fate;
use crate::flink::{self, JarId, RestError, Started, Transport};
use crate::model::ids::JobId;
use crate::model::status::Job;

/// A request to run a program.
pub struct Asked<'a> {
    pub jar: &'a JarId,
    /// The id that was chosen for the job, in versions where a program is one job.
    pub job: Option<&'a JobId>,
    /// The mark on the program's jobs, in versions that carry one.
    pub marker: Option<&'a Marker>,
    /// The jobs that the session had just before.
    pub before: &'a [Job],
}

/// What is known in the end.
#[derive(Debug, PartialEq, Eq)]
pub enum Settled {
    /// Every job that is proved to be the program's, oldest first.
    Started(Appeared),
    /// The response named this job, and its state cannot be read.
    Unread(JobId),
    /// The program, or the JobManager, said no.
    Failed(String),
    /// Something on the way has failed.
    Broken(String),
    /// The request has started nothing and never will.
    NotStarted(String),
    /// Another process has taken the JobManager's place: why, and the job that the response named before.
    Replaced { why: String, named: Option<JobId> },
    /// Why it is not known, and the jobs that may be the program's.
    Unknown { why: String, possible: Vec<Job> },
}

/// The jobs that have appeared since a request, oldest first.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Appeared {
    /// Proved to be of the program.
    pub proved: Vec<Job>,
    /// Of the program or of another client.
    pub possible: Vec<Job>,
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

/// How long the configurations of new jobs are read until all are there: a job has none while it is INITIALIZING, and
/// the JobManager repeats its answer for 3 s.
const CONFIGS: Duration = Duration::from_secs(15);

/// What 1.10 says of an id that a job has already.
const DUPLICATE: &str = "DuplicateJobSubmissionException";

/// Finds out what became of the request. `fate` tells what became of the JobManager process that it was sent to.
pub async fn settle(
    rest: &impl Transport,
    asked: &Asked<'_>,
    answer: Result<Started, RestError>,
    fate: &impl AsyncFn() -> Fate,
) -> Settled {
    let error = match answer {
        Ok(Started { job }) => return started(rest, asked, job, fate).await,
        Err(error) => error,
    };
    match &error {
        RestError::Unreachable(why) => Settled::NotStarted(why.clone()),
        error if error.is_without_leader() => Settled::NotStarted(error.to_string()),
        error if error.leaves_doubt() => match asked.job {
            Some(id) => by_id(rest, id, error, fate).await,
            None => by_list(rest, asked, error, fate).await,
        },
        RestError::Status { errors, is_flinks: true, .. } => match asked.job {
            Some(id) if errors.contains(DUPLICATE) => started(rest, asked, id.clone(), fate).await,
            // A JobManager that has started again has lost it: the program was not run.
            _ if errors.contains(&format!("{} does not exist", asked.jar.as_str())) => {
                Settled::NotStarted("the JobManager has started again meanwhile".to_owned())
            }
            _ => Settled::Failed(errors.clone()),
        },
        error => Settled::Broken(error.to_string()),
    }
}

/// The jobs that have appeared since the request.
pub async fn appeared(rest: &impl Transport, asked: &Asked<'_>) -> Result<Appeared, RestError> {
    sorted(rest, asked, None, &mut BTreeMap::new()).await
}

/// The same. `first` was named by the response; `marks` remembers what was read of other jobs.
async fn sorted(
    rest: &impl Transport,
    asked: &Asked<'_>,
    first: Option<&JobId>,
    marks: &mut BTreeMap<JobId, Mark>,
) -> Result<Appeared, RestError> {
    let mut jobs = flink::jobs(rest).await?;
    jobs.retain(|job| match asked.job {
        Some(id) => job.id == *id,
        None => !asked.before.iter().any(|before| before.id == job.id),
    });
    jobs.sort_by_key(|job| job.started_at);
    let is_named = |job: &Job| first == Some(&job.id) || asked.job == Some(&job.id);
    if let Some(marker) = asked.marker {
        let others: Vec<&JobId> = jobs.iter().filter(|job| !is_named(job)).map(|job| &job.id).collect();
        read_marks(rest, marker, &others, marks).await;
    }
    let mut appeared = Appeared::default();
    for job in jobs {
        match marks.get(&job.id) {
            _ if is_named(&job) => appeared.proved.push(job),
            Some(Mark::Ours) => appeared.proved.push(job),
            Some(Mark::Others) => {}
            Some(Mark::None) | None => appeared.possible.push(job),
        }
    }
    Ok(appeared)
}

/// Reads the marks of jobs that are not known yet, until all are or the time is over.
async fn read_marks(
    rest: &impl Transport,
    marker: &Marker,
    jobs: &[&JobId],
    marks: &mut BTreeMap<JobId, Mark>,
) {
    let end = Instant::now() + CONFIGS;
    loop {
        let mut is_whole = true;
        for id in jobs {
            if marks.contains_key(*id) {
                continue;
            }
            match marker.on(rest, id).await {
                Ok(Some(mark)) => drop(marks.insert((*id).clone(), mark)),
                Ok(None) => is_whole = false,
                Err(error) => {
                    tracing::debug!(%error, %id, "the configuration of the job cannot be read");
                    is_whole = false;
                }
            }
        }
        if is_whole || Instant::now() > end {
            return;
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// What the response has named, and what else is the program's. Its main method has ended, so that all its jobs are
/// there.
async fn started(
    rest: &impl Transport,
    asked: &Asked<'_>,
    first: JobId,
    fate: &impl AsyncFn() -> Fate,
) -> Settled {
    let end = Instant::now() + LISTING;
    let mut marks = BTreeMap::new();
    loop {
        match sorted(rest, asked, Some(&first), &mut marks).await {
            Ok(appeared) if appeared.proved.iter().any(|job| job.id == first) => {
                return Settled::Started(appeared);
            }
            answer => {
                if let Fate::Replaced(why) = fate().await {
                    return Settled::Replaced { why, named: Some(first) };
                }
                if Instant::now() > end {
                    let error = answer.err().map(|error| error.to_string());
                    tracing::debug!(?error, "the job is not listed");
                    return Settled::Unread(first);
                }
            }
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// For a job whose id is ours. The JobManager takes an id once while its job runs, so that sending the
/// request again does no harm even if the first is still at work.
async fn by_id(rest: &impl Transport, id: &JobId, why: &RestError, fate: &impl AsyncFn() -> Fate) -> Settled {
    let end = Instant::now() + PATIENCE;
    let unknown = || Settled::Unknown { why: why.to_string(), possible: Vec::new() };
    let mut misses = 0;
    loop {
        match flink::job(rest, id).await {
            Ok(Some((job, _))) => {
                return Settled::Started(Appeared { proved: vec![job], possible: Vec::new() });
            }
            Ok(None) => misses += 1,
            Err(error) => tracing::debug!(%error, "the session does not tell"),
        }
        let fate = fate().await;
        if let Fate::Replaced(why) = fate {
            return Settled::Replaced { why, named: None };
        }
        if misses >= LOOKS_FOR_ID {
            return if fate == Fate::Same { Settled::NotStarted(why.to_string()) } else { unknown() };
        }
        if Instant::now() > end {
            return unknown();
        }
        tokio::time::sleep(PAUSE).await;
    }
}

async fn by_list(
    rest: &impl Transport,
    asked: &Asked<'_>,
    why: &RestError,
    fate: &impl AsyncFn() -> Fate,
) -> Settled {
    let last = Instant::now() + LONGEST;
    let mut end = Instant::now() + PATIENCE;
    let mut is_removed = false;
    let (mut quiet, mut seen, mut marks) = (0, Appeared::default(), BTreeMap::new());
    loop {
        // First whether a program runs, then what it has started: one that ends in between is seen.
        let runs = flink::is_running_a_program(rest).await;
        let jobs = sorted(rest, asked, None, &mut marks).await;
        // After the answers: they are of this process, or of the one that has taken its place.
        let now = match fate().await {
            Fate::Unknown if !is_removed && has_lost(rest, asked.jar).await => {
                Fate::Replaced("the JobManager no longer has the uploaded jar".to_owned())
            }
            now => now,
        };
        if let Fate::Replaced(why) = now {
            return Settled::Replaced { why, named: None };
        }
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
                let enough = quiet >= if runs.is_some() { LOOKS } else { BLIND_LOOKS };
                let is_over = is_removed && runs.is_some();
                if enough && !seen.proved.is_empty() {
                    return Settled::Started(seen);
                }
                if enough && is_over && seen.possible.is_empty() && now == Fate::Same {
                    return Settled::NotStarted(why.to_string());
                }
                if enough && (is_over || !seen.possible.is_empty()) {
                    return Settled::Unknown { why: why.to_string(), possible: seen.possible };
                }
            }
            (Err(error), _) | (_, Err(error)) => {
                quiet = 0;
                tracing::debug!(%error, "the session does not tell");
            }
        }
        if Instant::now() > end {
            return match seen.proved.is_empty() {
                true => Settled::Unknown { why: why.to_string(), possible: seen.possible },
                false => Settled::Started(seen),
            };
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// True when the JobManager lists its jars, and not this one, which nobody has removed: it has started again.
async fn has_lost(rest: &impl Transport, jar: &JarId) -> bool {
    flink::jars(rest).await.is_ok_and(|jars| !jars.iter().any(|other| other.id == *jar))
}

#[cfg(test)]
mod tests;
