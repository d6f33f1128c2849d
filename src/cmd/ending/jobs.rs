//! The end of a session's jobs: with a savepoint each, or cancelled.

use std::cell::RefCell;
use std::time::Duration;

use futures::StreamExt;

use super::guard::{Asked, Guard};
use super::{Deed, Wish};
use crate::app::CommandError;
use crate::cmd::job_names::{Chosen, sentence};
use crate::cmd::reach::Reached;
use crate::cmd::savepoint::take::{Kind, Taking};
use crate::cmd::{cancel, savepoint};
use crate::exit::Exit;
use crate::flink::{self, RecordedState};
use crate::model::status::Job;

/// Jobs that appear while others end are ended too, so often.
const ROUNDS: u32 = 3;

/// Longest wait for a job to be cancelled.
const CANCEL: Duration = Duration::from_secs(120);

/// Ended jobs that are asked for their savepoints at once.
const AT_ONCE: usize = 8;

/// How the user hears of it.
#[derive(Clone, Copy)]
pub struct Told<'a> {
    /// Takes a line on what has been done.
    pub line: &'a dyn Fn(&str) -> Result<(), CommandError>,
    /// Takes what is awaited now.
    pub waiting_for: &'a dyn Fn(&str),
}

impl Guard<'_> {
    /// Ends what runs as it is wished, until nothing does.
    ///
    /// # Errors
    /// When any job could not be ended so. Then nothing may be done to the session.
    pub async fn end_jobs(&self, asked: Asked, told: Told<'_>) -> Result<(), CommandError> {
        let Asked { mut reached, mut jobs, directory } = asked;
        if let Wish::Savepoint(_) = self.args.wish() {
            self.tell_earlier(&reached, told).await;
        }
        if jobs.is_empty() {
            return Ok(());
        }
        for _ in 0..ROUNDS {
            let names: Vec<Job> = jobs.clone();
            match self.args.wish() {
                Wish::Savepoint(_) => self.stop(&reached, jobs, directory.clone(), told).await?,
                Wish::Cancel => self.cancel(&reached, jobs, told).await?,
                Wish::Refuse | Wish::Force => {}
            }
            Asked { reached, jobs, .. } = self.ask(reached).await?;
            if jobs.is_empty() {
                return Ok(());
            }
            if matches!(self.args.wish(), Wish::Refuse)
                || jobs.iter().any(|job| names.iter().any(|n| n.id == job.id))
            {
                break;
            }
        }
        Err(self.refusal(&Asked { reached, jobs, directory: None }))
    }

    async fn stop(
        &self,
        reached: &Reached,
        jobs: Vec<Job>,
        directory: Option<String>,
        told: Told<'_>,
    ) -> Result<(), CommandError> {
        let kind = Kind::Stop { drain: false };
        let timeout = self.args.savepoint_timeout;
        let taking = Taking { reached, kind, directory, timeout, app: self.app };
        let count = jobs.len();
        let ids: Vec<String> = jobs.iter().map(|job| job.id.clone()).collect();
        let takes = async |job: &Job| taking.take(job).await;
        let stopped = RefCell::new(0);
        let tells = |job: &Job, path: String| {
            *stopped.borrow_mut() += 1;
            tell_savepoint(job, "stopped", &path, &taking, told)
        };
        let stops = Chosen::of(jobs).each(takes, tells, reached, self.app);
        (told.waiting_for)("the savepoints");
        let ended = stops.await;
        let done = *stopped.borrow();
        let ended = self.all_ended(ended, count - done, "could not be stopped with a savepoint");
        let Err(mut error) = ended else { return Ok(()) };
        // Flink ends a job whose savepoint fails, unless a restart strategy keeps it.
        for job in flink::jobs(&reached.rest).await.unwrap_or_default() {
            if job.state == "FAILED" && ids.contains(&job.id) {
                error = error.because(sentence(&job));
            }
        }
        Err(error)
    }

    async fn cancel(&self, reached: &Reached, jobs: Vec<Job>, told: Told<'_>) -> Result<(), CommandError> {
        let count = jobs.len();
        let cancelled = RefCell::new(0);
        let cancels = async |job: &Job| cancel::cancel(reached, job, Some(CANCEL)).await;
        let tells = |job: &Job, how: &'static str| {
            *cancelled.borrow_mut() += 1;
            (told.line)(&format!("job/{} ({}) {how}", job.id, job.name))
        };
        let cancels = Chosen::of(jobs).each(cancels, tells, reached, self.app);
        (told.waiting_for)("the jobs to end");
        let ended = cancels.await;
        let done = *cancelled.borrow();
        self.all_ended(ended, count - done, "could not be cancelled")
    }

    /// Says what an error of jobs means for the session.
    fn all_ended(
        &self,
        ended: Result<Exit, CommandError>,
        missed: usize,
        how: &str,
    ) -> Result<(), CommandError> {
        let Deed { participle, .. } = self.deed;
        ended.map(drop).map_err(|error| {
            let jobs = if missed == 1 { "a job".to_owned() } else { format!("{missed} jobs") };
            error.while_doing(format!("session {} is not {participle}: {jobs} {how}", self.name))
        })
    }

    /// Jobs that were stopped before, maybe by a command that was killed, have savepoints that nobody may
    /// have heard of; with the JobManager goes all that tells of them.
    async fn tell_earlier(&self, reached: &Reached, told: Told<'_>) {
        let Ok(jobs) = flink::jobs(&reached.rest).await else { return };
        let finished: Vec<Job> = jobs.into_iter().filter(|job| job.state == "FINISHED").collect();
        let taking = Taking {
            reached,
            kind: Kind::Stop { drain: false },
            directory: None,
            timeout: self.args.savepoint_timeout,
            app: self.app,
        };
        let mut asked = futures::stream::iter(&finished)
            .map(async |job| (job, flink::recorded_savepoints(&reached.rest, &job.id).await))
            .buffered(AT_ONCE);
        while let Some((job, recorded)) = asked.next().await {
            let newest =
                recorded.unwrap_or_default().into_iter().find_map(|savepoint| match savepoint.state {
                    RecordedState::Completed(path) => Some(path),
                    _ => None,
                });
            if let Some(path) = newest {
                let _ = tell_savepoint(job, "had finished before", &path, &taking, told);
            }
        }
    }
}

/// One savepoint, and the command that goes on from it.
fn tell_savepoint(
    job: &Job,
    how: &str,
    path: &str,
    taking: &savepoint::take::Taking<'_>,
    told: Told<'_>,
) -> Result<(), CommandError> {
    (told.line)(&format!("job/{} ({}) {how}, savepoint {path}", job.id, job.name))?;
    taking
        .app
        .ui
        .status(&format!("  to go on from there, with its jar and arguments: {}", taking.restore(path)));
    Ok(())
}
