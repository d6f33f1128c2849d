//! The end of a session's jobs: with a savepoint each, or cancelled.

use std::cell::Cell;
use std::time::Duration;

use futures::StreamExt;

use super::guard::{Asked, Guard};
use super::{Deed, Wish};
use crate::app::CommandError;
use crate::cmd::cancel;
use crate::cmd::job_names::{Chosen, sentence};
use crate::cmd::reach::Reached;
use crate::cmd::savepoint::take::{Kind, Taking};
use crate::exit::Exit;
use crate::flink;
use crate::model::ids::JobId;
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
    /// Takes a line on what has been done. Whether anybody hears of it changes nothing here.
    pub line: &'a dyn Fn(&str),
    /// Takes what is awaited now.
    pub waiting_for: &'a dyn Fn(&str),
}

impl Guard<'_> {
    /// Ends what runs as it is wished, until nothing does.
    ///
    /// # Errors
    /// When any job could not be ended so. Then nothing may be done to the session.
    pub async fn end_jobs(&self, asked: Vec<Asked>, told: Told<'_>) -> Result<(), CommandError> {
        for asked in asked {
            self.end_jobs_of(asked, told).await?;
        }
        Ok(())
    }

    /// The same, of one JobManager.
    async fn end_jobs_of(&self, asked: Asked, told: Told<'_>) -> Result<(), CommandError> {
        let Asked { mut reached, pod, mut jobs, ended, directory } = asked;
        if self.deed.forgets_jobs || matches!(self.args.wish(), Wish::Savepoint(_)) {
            self.tell_earlier(&reached, ended, told).await?;
        }
        for round in 0.. {
            if jobs.is_empty() {
                return Ok(());
            }
            if round == ROUNDS {
                break;
            }
            let ids: Vec<JobId> = jobs.iter().map(|job| job.id.clone()).collect();
            match self.args.wish() {
                Wish::Savepoint(_) => self.stop(&reached, jobs, directory.clone(), told).await?,
                Wish::Cancel => self.cancel(&reached, jobs, told).await?,
                Wish::Refuse | Wish::Force => {}
            }
            Asked { reached, jobs, .. } = self.ask(reached).await?;
            if jobs.iter().any(|job| ids.contains(&job.id)) {
                break;
            }
        }
        Err(self.refusal(&[Asked { reached, pod, jobs, ended: Vec::new(), directory: None }]))
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
        let allows_local = self.args.allow_local_dir;
        let taking = Taking { reached, kind, directory, allows_local, timeout, app: self.app };
        let count = jobs.len();
        let ids: Vec<JobId> = jobs.iter().map(|job| job.id.clone()).collect();
        let takes = async |job: &Job| taking.take(job).await;
        let stopped = Cell::new(0);
        let tells = |job: &Job, path: String| {
            stopped.set(stopped.get() + 1);
            tell_savepoint(job, "stopped", &path, &taking, told);
            Ok(())
        };
        (told.waiting_for)("the savepoints");
        let ended = Chosen::of(jobs).each(takes, tells, reached, self.app).await;
        let missed = count - stopped.get();
        let Err(mut error) = self.all_ended(ended, missed, "could not be stopped with a savepoint") else {
            return Ok(());
        };
        if error.exit() == Exit::Interrupted {
            return Err(error);
        }
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
        let cancelled = Cell::new(0);
        let cancels = async |job: &Job| match cancel::cancel(reached, job, Some(CANCEL)).await {
            // It came to its end before, which is as good.
            Err(error) if error.exit() == Exit::Error && has_ended(reached, job).await => Ok("has ended"),
            cancelled => cancelled,
        };
        let tells = |job: &Job, how: &'static str| {
            cancelled.set(cancelled.get() + 1);
            (told.line)(&format!("job/{} ({}) {how}", job.id, job.name));
            Ok(())
        };
        (told.waiting_for)("the jobs to end");
        let ended = Chosen::of(jobs).each(cancels, tells, reached, self.app).await;
        self.all_ended(ended, count - cancelled.get(), "could not be cancelled")
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
            error.while_doing(format!("session {} is not {participle}: {jobs} {how}", self.session.name))
        })
    }

    /// Jobs that were stopped before, maybe by a command that was killed, have savepoints that nobody may
    /// have heard of; with the JobManager goes all that tells of them.
    async fn tell_earlier(
        &self,
        reached: &Reached,
        ended: Vec<Job>,
        told: Told<'_>,
    ) -> Result<(), CommandError> {
        let finished: Vec<Job> = ended.into_iter().filter(|job| job.state == "FINISHED").collect();
        let kind = Kind::Stop { drain: false };
        let timeout = self.args.savepoint_timeout;
        let taking = Taking { reached, kind, directory: None, allows_local: false, timeout, app: self.app };
        let is_asked_for = matches!(self.args.wish(), Wish::Savepoint(_));
        let mut asked = futures::stream::iter(&finished)
            .map(async |job| (job, taking.last_of_finished(job, is_asked_for).await))
            .buffered(AT_ONCE);
        while let Some((job, last)) = asked.next().await {
            match last {
                Ok(Some(path)) => tell_savepoint(job, "had finished before", &path, &taking, told),
                Ok(None) => {}
                Err(error) => {
                    let what = format!("whether job {} ({}) had a savepoint is not known", job.id, job.name);
                    let error = reached.error(&error, what);
                    match self.args.wish() {
                        // Where it ends already, a deletion before this one has agreed to that.
                        Wish::Savepoint(_) if !self.has_begun_to_end().await => return Err(error),
                        _ => self.app.ui.warn(&error.to_string()),
                    }
                }
            }
        }
        Ok(())
    }
}

/// Whether a job has come to its end, as far as the session says so.
async fn has_ended(reached: &Reached, job: &Job) -> bool {
    let jobs = flink::jobs(&reached.rest).await.unwrap_or_default();
    jobs.iter().any(|other| other.id == job.id && !other.is_alive())
}

/// One savepoint, and the command that goes on from it.
fn tell_savepoint(job: &Job, how: &str, path: &str, taking: &Taking<'_>, told: Told<'_>) {
    (told.line)(&format!("job/{} ({}) {how}, savepoint {path}", job.id, job.name));
    let command = taking.restore(path);
    taking.app.ui.status(&format!("  to go on from there, with its jar and arguments: {command}"));
}
