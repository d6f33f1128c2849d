//! Why a savepoint has failed.

use tokio::time::Instant;

use super::take::{PAUSE, Taking};
use crate::app::CommandError;
use crate::cmd::reach::Reached;
use crate::cmd::submit::follow::{STALE, because_of};
use crate::diagnosis::stack_trace;
use crate::exit::Exit;
use crate::flink;
use crate::model::job::JobException;
use crate::model::status::Job;

/// What Flink says of a checkpoint that ended because the job did not go on (`CheckpointFailureReason`, 1.10 to 2.3). It
/// does not say why the job did not: the job's own exceptions do.
const OF_THE_JOB: [&str; 5] = [
    "Checkpoint Coordinator is suspending",
    "CheckpointCoordinator shutdown",
    "The job has failed",
    "FailoverRegion is restarting",
    "Task has failed",
];

impl Taking<'_> {
    /// A stop may fail after its savepoint was complete, and then names it (`StopWithSavepointStoppingException`).
    pub(super) async fn has_failed(&self, job: &Job, stack: &str) -> CommandError {
        if OF_THE_JOB.iter().any(|words| stack.contains(words))
            && let Some(exception) = self.thrown_meanwhile(job).await
        {
            let what =
                format!("{}: the job failed, and was restarted, during its savepoint", self.failed(job));
            return because_of(CommandError::new(Exit::Error, what), &exception).hint(self.look(job));
        }
        let mut told = CommandError::new(Exit::Error, self.failed(job)).because(stack_trace::of_stack(stack));
        let Job { id, tasks_running, tasks_total, .. } = job;
        let waits = stack.contains("not being executed at the moment") || stack.contains("currently running");
        if tasks_running < tasks_total && waits {
            let Reached { name, flags, .. } = self.reached;
            told = told
                .because(format!("{tasks_running} of its {tasks_total} tasks run: all must, for a savepoint"))
                .hint(self.look(job))
                .hint(format!("to end it without a savepoint: kubectl flink cancel {name} {id}{flags}"));
        }
        match completed_path(stack) {
            Some(path) => told.because(format!("its savepoint {path} is complete")).hint(self.restore(path)),
            None => told,
        }
    }

    /// What was thrown in the job after its last checkpoint that failed was triggered: both times are the JobManager's.
    /// What it tells of one job may be some seconds old.
    async fn thrown_meanwhile(&self, job: &Job) -> Option<JobException> {
        let rest = &self.reached.rest;
        let end = Instant::now() + STALE;
        loop {
            let (checkpoints, exceptions) =
                tokio::join!(flink::checkpoints(rest, &job.id), flink::exceptions(rest, &job.id));
            let triggered = checkpoints.ok().and_then(|all| all.last_failure).and_then(|of| of.triggered_at);
            let newest = exceptions.ok().and_then(|all| all.into_iter().next());
            match newest.filter(|thrown| triggered.is_some() && thrown.at >= triggered) {
                None if Instant::now() < end => tokio::time::sleep(PAUSE).await,
                found => return found,
            }
        }
    }
}

/// The path in the words of [`Taking::has_failed`]'s exception.
fn completed_path(stack: &str) -> Option<&str> {
    let (_, rest) = stack.split_once("A savepoint has been created at: ")?;
    rest.split([',', '\n']).next().filter(|path| !path.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stop_that_fails_late_names_its_savepoint() {
        let stack = "java.util.concurrent.CompletionException: x\nCaused by: org.apache.flink.runtime.scheduler.stopwithsavepoint.\
            StopWithSavepointStoppingException: A savepoint has been created at: s3://b/sp/savepoint-1, but the corresponding job 1 failed\n\
            Caused by: java.lang.Exception: y";
        assert_eq!(completed_path(stack), Some("s3://b/sp/savepoint-1"));
        assert_eq!(completed_path("java.lang.Exception: y"), None);
    }
}
