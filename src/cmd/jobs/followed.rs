//! What becomes of jobs, from one answer of REST to the next.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::Instant;

use crate::model::ids::JobId;
use crate::model::status::Job;

/// A job that has ended stays on the screen this long, so that it is seen.
const LINGER: Duration = Duration::from_secs(10);

/// What was seen of the jobs, from one answer to the next.
pub struct Followed {
    /// Those that have ended count as those that run.
    all: bool,
    /// By id; none before the first answer.
    known: Option<BTreeMap<JobId, Job>>,
    /// In the order of the last answer.
    order: Vec<JobId>,
    /// Until when jobs are shown that have ended meanwhile.
    lingering: BTreeMap<JobId, Instant>,
}

/// What one answer tells that the one before did not.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct News {
    pub changed: Vec<Job>,
    /// Jobs that had not ended, and that the JobManager does not know any more.
    pub gone: Vec<Job>,
}

impl Followed {
    pub fn new(all: bool) -> Self {
        Self { all, known: None, order: Vec::new(), lingering: BTreeMap::new() }
    }

    pub fn take(&mut self, jobs: Vec<Job>, now: Instant) -> News {
        self.order = jobs.iter().map(|job| job.id.clone()).collect();
        self.lingering.retain(|_, until| *until > now);
        let by_id = jobs.iter().map(|job| (job.id.clone(), job.clone())).collect();
        let Some(before) = self.known.replace(by_id) else {
            let changed = jobs.into_iter().filter(|job| self.all || job.is_alive()).collect();
            return News { changed, gone: Vec::new() };
        };
        let is_news = |job: &Job| before.get(&job.id).is_none_or(|known| of_row(known) != of_row(job));
        let changed: Vec<Job> = jobs.into_iter().filter(is_news).collect();
        for job in changed.iter().filter(|job| !job.is_alive()) {
            self.lingering.insert(job.id.clone(), now + LINGER);
        }
        let known = self.known.as_ref();
        let is_gone = |job: &Job| job.is_alive() && known.is_none_or(|known| !known.contains_key(&job.id));
        News { changed, gone: before.into_values().filter(is_gone).collect() }
    }

    /// The jobs that are on the screen now.
    pub fn picture(&self) -> Vec<Job> {
        let known = self.order.iter().filter_map(|id| self.known.as_ref()?.get(id));
        let shows = |job: &&Job| self.all || job.is_alive() || self.lingering.contains_key(&job.id);
        known.filter(shows).cloned().collect()
    }
}

/// What makes a row worth printing again.
pub fn of_row(job: &Job) -> String {
    format!("{} {}/{}", job.state, job.tasks_running, job.tasks_total)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cmd::jobs::rows::tests::job;

    fn ids(jobs: &[Job]) -> Vec<&str> {
        jobs.iter().map(|job| &job.id.as_str()[..1]).collect()
    }

    #[test]
    fn a_job_that_ends_is_told_once_and_then_left_out() {
        let mut followed = Followed::new(false);
        let start = Instant::now();
        let (a, b) = (job("a", "orders", "RUNNING"), job("b", "clicks", "FINISHED"));
        assert_eq!(ids(&followed.take(vec![a.clone(), b.clone()], start).changed), ["a"]);

        let older = Job { duration_milliseconds: a.duration_milliseconds + 1000, ..a.clone() };
        assert_eq!(followed.take(vec![older, b.clone()], start), News::default());
        assert_eq!(ids(&followed.picture()), ["a"]);

        let ended = Job { state: "FAILED".to_owned(), ..a.clone() };
        assert_eq!(ids(&followed.take(vec![ended.clone(), b.clone()], start).changed), ["a"]);
        assert_eq!(ids(&followed.picture()), ["a"], "for a while");
        assert_eq!(followed.take(vec![ended, b.clone()], start + LINGER), News::default());
        assert_eq!(ids(&followed.picture()), [""; 0]);
    }

    #[test]
    fn a_job_that_came_and_ended_between_two_answers_is_told() {
        let mut followed = Followed::new(false);
        followed.take(Vec::new(), Instant::now());
        assert_eq!(ids(&followed.take(vec![job("a", "short", "FINISHED")], Instant::now()).changed), ["a"]);
    }

    #[test]
    fn a_job_that_a_new_jobmanager_does_not_know_is_gone() {
        let mut followed = Followed::new(true);
        let ended = job("b", "clicks", "FINISHED");
        let first = followed.take(vec![job("a", "orders", "RUNNING"), ended], Instant::now());
        assert_eq!(ids(&first.changed), ["a", "b"], "both, with -a");
        // Those that have ended are forgotten after an hour.
        assert_eq!(ids(&followed.take(Vec::new(), Instant::now()).gone), ["a"]);
        assert_eq!(followed.picture(), []);
    }
}
