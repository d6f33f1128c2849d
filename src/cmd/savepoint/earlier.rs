//! Savepoints of a job that were asked for before, by whoever: what goes on, and what became of it.
//!
//! A stop beside another stop makes both fail, and the job with them.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

use super::take::{Kind, LONG_HISTORY, PAUSE, Taking};
use crate::app::{CommandError, id};
use crate::cmd::last_contact::LastContact;
use crate::cmd::reach::Reached;
use crate::flink::{self, Progress, Recorded, RecordedState, RestError};
use crate::model::ids::TriggerId;
use crate::model::status::Job;
use crate::session::text::shell::quoted;

/// How old what a JobManager tells of one job may be (`web.refresh-interval`), and a little more, where
/// nothing else is set.
const REFRESH: Duration = Duration::from_millis(3500);

/// The little more.
const MORE: Duration = Duration::from_millis(500);

/// After its savepoint is complete, a job that is stopped ends within this time.
pub(super) const MOMENTS: Duration = Duration::from_secs(5);

/// How many stops of one job may have failed before.
const MOST_STOPS: u32 = 100;

/// A stop that may have been asked for before.
pub enum Earlier {
    GoesOn(TriggerId),
    /// There is none, or it has failed: the id of the next.
    Next(TriggerId),
}

impl Taking<'_> {
    /// Waits while another savepoint of the job is under way: a stop beside another stop makes both fail,
    /// and the job with them (seen with 2.3.0). Its path, if it has ended the job.
    pub(super) async fn let_others_end(
        &self,
        job: &Job,
        end: Instant,
    ) -> Result<Option<String>, CommandError> {
        let mut awaited = None;
        // What is told may be from before that savepoint began. An id of our own makes up for that.
        let mut is_fresh = self.reached.dialect().takes_request_ids();
        loop {
            let recorded = self.recorded(job).await.map_err(|error| self.not_done(job, &error))?;
            let goes_on = recorded.iter().find(|savepoint| savepoint.state == RecordedState::InProgress);
            match (goes_on, awaited) {
                (Some(savepoint), _) => awaited = Some(savepoint.id),
                (None, Some(id)) => {
                    let ended = recorded.into_iter().find(|savepoint| savepoint.id == id);
                    return match ended.map(|savepoint| savepoint.state) {
                        Some(RecordedState::Completed(path)) if self.ends_soon(job).await? => Ok(Some(path)),
                        _ => Ok(None),
                    };
                }
                (None, None) if is_fresh => return self.stopped_meanwhile(job, end).await,
                (None, None) => {
                    is_fresh = true;
                    self.until_fresh(end).await.map_err(|error| self.stale(job, &error))?;
                }
            }
            if Instant::now() > end {
                let told = self
                    .late(job, &LastContact::default())
                    .await
                    .because("another savepoint of it was under way before");
                return Err(told.hint(self.look(job)));
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// The path of a stop that was asked for before and has ended the job while its history was awaited. An
    /// id of our own tells of it, too.
    pub(super) async fn stopped_meanwhile(
        &self,
        job: &Job,
        until: Instant,
    ) -> Result<Option<String>, CommandError> {
        if self.reached.dialect().takes_request_ids() {
            return Ok(None);
        }
        let jobs = flink::jobs(&self.reached.rest).await.map_err(|error| self.not_done(job, &error))?;
        let finished = jobs.into_iter().find(|other| other.id == job.id && other.state == "FINISHED");
        let Some(end) = finished.and_then(|job| job.ended_at()) else { return Ok(None) };
        self.until_fresh(until).await.map_err(|error| self.stale(job, &error))?;
        let mut recorded = self.recorded(job).await.map_err(|error| self.not_done(job, &error))?;
        // One from long before has not ended it.
        recorded.retain(|savepoint| savepoint.ended_at.is_some_and(|at| is_within(MOMENTS, at, end)));
        Ok(newest_complete(recorded))
    }

    /// Whether the job ends in the moments after a savepoint of it was complete.
    pub(super) async fn ends_soon(&self, job: &Job) -> Result<bool, CommandError> {
        let end = Instant::now() + MOMENTS;
        loop {
            let jobs = flink::jobs(&self.reached.rest).await.map_err(|error| self.not_done(job, &error))?;
            match jobs.into_iter().find(|other| other.id == job.id) {
                Some(job) if job.is_alive() && Instant::now() < end => tokio::time::sleep(PAUSE).await,
                job => return Ok(job.is_some_and(|job| job.state == "FINISHED")),
            }
        }
    }

    /// Whether the job has come to no end in the moments after a stop of it was done.
    async fn lives_on(&self, job: &Job) -> Result<bool, CommandError> {
        let end = Instant::now() + MOMENTS;
        loop {
            let jobs = flink::jobs(&self.reached.rest).await.map_err(|error| self.not_done(job, &error))?;
            let is_alive = jobs.iter().any(|other| other.id == job.id && other.is_alive());
            if !is_alive || Instant::now() > end {
                return Ok(is_alive);
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Waits until what the JobManager reports of one job cannot be from before now.
    ///
    /// # Errors
    /// [`RestError::Stale`], at once, where that would be after `end`: the session says how old its answers may be.
    async fn until_fresh(&self, end: Instant) -> Result<(), RestError> {
        let settings = flink::configuration(&self.reached.rest).await.unwrap_or_default();
        let refresh = refresh_of(settings.get("web.refresh-interval").map(String::as_str));
        match Instant::now().checked_add(refresh) {
            Some(fresh) if fresh <= end => tokio::time::sleep_until(fresh).await,
            _ => return Err(RestError::Stale(refresh)),
        }
        Ok(())
    }

    fn stale(&self, job: &Job, error: &RestError) -> CommandError {
        let told = self.not_done(job, error).because("another stop of it may be under way");
        let Reached { name, flags, .. } = self.reached;
        told.hint(format!(
            "to wait for that long: kubectl flink stop {name} {}{}{flags} --timeout TIME",
            job.id,
            self.asked_for()
        ))
    }

    /// The flags of `stop` that ask for the same, with a space in front of each.
    fn asked_for(&self) -> String {
        let drain = (self.kind == Kind::Stop { drain: true }).then(|| " --drain".to_owned());
        let directory = self.directory.as_ref().map(|path| format!(" --savepoint-dir {}", quoted(path)));
        let allows_local = self.allows_local.then(|| " --allow-local-dir".to_owned());
        [drain, directory, allows_local].into_iter().flatten().collect()
    }

    /// What became of a stop of this job that was asked for before, maybe by a command that was killed.
    /// The ids of stops follow from the job's and from its start: what ran under the same id before was another job. One
    /// that is done has ended the job; if the job lives on, it was none of this job's.
    pub(super) async fn earlier_stop(&self, job: &Job) -> Result<Earlier, CommandError> {
        for number in 0..MOST_STOPS {
            let request = stop_number(job, number);
            let progress = flink::trigger_progress(&self.reached.rest, &job.id, &request).await;
            match progress.map_err(|error| self.not_done(job, &error))? {
                Progress::Unknown => return Ok(Earlier::Next(request)),
                Progress::InProgress => return Ok(Earlier::GoesOn(request)),
                Progress::Done(_) if !self.lives_on(job).await? => return Ok(Earlier::GoesOn(request)),
                Progress::Done(_) | Progress::Failed(_) => {}
            }
        }
        Ok(Earlier::Next(TriggerId::from(id::random()?)))
    }

    /// The savepoint that a job had last before it finished. A stop by an id of ours tells its own at once;
    /// a history may be from before the savepoint, while the job has ended only now: who `waits` reads it
    /// when it cannot be.
    pub async fn last_of_finished(&self, job: &Job, waits: bool) -> Result<Option<String>, RestError> {
        if self.reached.dialect().takes_request_ids()
            && let Some(path) = self.path_of_earlier_stop(job).await?
        {
            return Ok(Some(path));
        }
        let long_ago = Timestamp::now().checked_sub(LONG_HISTORY).unwrap_or_default();
        if waits && job.ended_at().is_none_or(|end| end > long_ago) {
            let now = Instant::now();
            self.until_fresh(now.checked_add(self.timeout).unwrap_or(now)).await?;
        }
        Ok(newest_complete(self.recorded(job).await?))
    }

    async fn path_of_earlier_stop(&self, job: &Job) -> Result<Option<String>, RestError> {
        for number in 0..MOST_STOPS {
            let request = stop_number(job, number);
            match flink::trigger_progress(&self.reached.rest, &job.id, &request).await? {
                Progress::Done(path) => return Ok(path),
                Progress::Failed(_) => {}
                Progress::Unknown | Progress::InProgress => break,
            }
        }
        Ok(None)
    }
}

/// The id of the stop number `number` of a job.
fn stop_number(job: &Job, number: u32) -> TriggerId {
    let began = job.started_at.map_or(0, Timestamp::as_millisecond);
    id::derived(&job.id, began, number)
}

/// What the setting comes to: milliseconds, from 1.20 on with a unit. What cannot be read may be long.
fn refresh_of(interval: Option<&str>) -> Duration {
    let Some(interval) = interval else { return REFRESH };
    let read = match interval.parse() {
        Ok(milliseconds) => Some(Duration::from_millis(milliseconds)),
        Err(_) => interval.parse::<SignedDuration>().ok().and_then(|read| read.try_into().ok()),
    };
    read.map_or(LONG_HISTORY, |read| read.saturating_add(MORE))
}

/// Whether `end` is at most so long after `at`, or before it. Both are a server's.
fn is_within(limit: Duration, at: Timestamp, end: Timestamp) -> bool {
    end.duration_since(at) < SignedDuration::try_from(limit).unwrap_or(SignedDuration::MAX)
}

/// The newest come first.
fn newest_complete(recorded: Vec<Recorded>) -> Option<String> {
    recorded.into_iter().find_map(|savepoint| match savepoint.state {
        RecordedState::Completed(path) if !path.is_empty() => Some(path),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_latest_times_can_be_compared() {
        let moments = |at, end| is_within(MOMENTS, at, end);
        assert!(moments(Timestamp::MAX, Timestamp::MAX) && moments(Timestamp::MAX, Timestamp::MIN));
        assert!(!moments(Timestamp::MIN, Timestamp::MAX));
        let at = Timestamp::UNIX_EPOCH;
        assert!(moments(at, at + Duration::from_secs(4)) && !moments(at, at + MOMENTS));
    }

    #[test]
    fn the_age_of_an_answer_follows_from_the_setting() {
        assert_eq!(refresh_of(None), REFRESH);
        assert_eq!(refresh_of(Some("30000")), Duration::from_millis(30_500));
        assert_eq!(refresh_of(Some("20 s")), Duration::from_millis(20_500));
        assert_eq!(refresh_of(Some("soon")), LONG_HISTORY);
        assert_eq!(refresh_of(Some("-5")), LONG_HISTORY);
        assert!(refresh_of(Some("18446744073709551615")) > Duration::from_secs(1 << 50));
        assert!(refresh_of(Some("9223372036854775807 s")) > Duration::from_secs(1 << 60));
    }
}
