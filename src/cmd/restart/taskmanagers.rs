//! TaskManagers made anew, one by one.

use std::time::Duration;

use tokio::time::Instant;

use super::Args;
use crate::app::rest;
use crate::app::wait::{Look, Waited, until};
use crate::app::{App, CommandError};
use crate::cluster::{Cluster, ObjectRef, Propagation};
use crate::cmd::job_names::sentence;
use crate::cmd::reach::{self, Reached};
use crate::exit::Exit;
use crate::flink;
use crate::model::status::Job;
use crate::session::SessionName;

/// Between looks; changes of pods wake the wait earlier.
const TICK: Duration = Duration::from_millis(500);

/// A JobManager that needs another TaskManager has asked for one by then.
const SETTLED: Duration = Duration::from_secs(3);

/// Replaces one TaskManager after the other: the next goes when as many as are needed are there again.
pub async fn restart(
    name: &SessionName,
    args: &Args,
    cluster: &Cluster,
    app: &App,
) -> Result<(), CommandError> {
    let mut pods = cluster.session_objects(cluster.namespace(), name).await?.taskmanagers;
    pods.sort();
    if pods.is_empty() {
        app.ui.note(&format!("No TaskManagers on session {name}: they come with the next job."));
        return Ok(());
    }
    let found = rest::find(cluster, name).await?;
    let reached = reach::through(&args.ending.rest, &found, name, cluster, app).await?;
    let jobs = running(&reached).await?;
    let registered = registered(&reached).await?;
    let least = least(&reached).await?.min(registered);
    let progress = app.ui.progress();
    for (number, pod) in pods.iter().enumerate() {
        let deleted = cluster.delete(cluster.namespace(), pod, Propagation::Background).await;
        deleted.map_err(|error| {
            let what = format!("cannot delete {pod} in namespace {}", cluster.namespace());
            CommandError::from(error).while_doing(what)
        })?;
        progress.waiting_for(&format!("{pod} to be replaced"));
        let replacement = Replacement { reached: &reached, cluster, pod, registered, least, jobs: &jobs };
        let how = match replacement.wait(args, app).await? {
            Took::Another => "replaced",
            Took::Nobody => "gone, and no other is needed",
        };
        app.ui.status(&format!("{pod} is {how}: {} of {}", number + 1, pods.len()));
    }
    Ok(())
}

/// The jobs that run.
async fn running(reached: &Reached) -> Result<Vec<Job>, CommandError> {
    let jobs = flink::jobs(&reached.rest).await;
    let jobs = jobs.map_err(|error| {
        reached.error(&error, format!("cannot list the jobs of session {}", reached.name))
    })?;
    Ok(jobs.into_iter().filter(Job::is_alive).collect())
}

/// How many TaskManagers the JobManager has. Others may have pods that never come to it.
async fn registered(reached: &Reached) -> Result<usize, CommandError> {
    let taskmanagers = flink::taskmanagers(&reached.rest).await;
    let what = || format!("cannot list the TaskManagers of session {}", reached.name);
    Ok(taskmanagers.map_err(|error| reached.error(&error, what()))?.len())
}

/// How many TaskManagers the session keeps without any job (`slotmanager.number-of-slots.min`). A JobManager
/// sees to it now and then, not at once.
async fn least(reached: &Reached) -> Result<usize, CommandError> {
    let settings = flink::configuration(&reached.rest).await;
    let what = || format!("cannot read the settings of session {}", reached.name);
    let settings = settings.map_err(|error| reached.error(&error, what()))?;
    let number = |key: &str| settings.get(key).and_then(|value| value.parse::<usize>().ok());
    let slots = number("taskmanager.numberOfTaskSlots").unwrap_or(1).max(1);
    Ok(number("slotmanager.number-of-slots.min").unwrap_or(0).div_ceil(slots))
}

/// What came in the place of a TaskManager.
enum Took {
    Another,
    /// None was needed.
    Nobody,
}

/// True for a job of which every task runs, or that has ended.
fn is_whole(job: &Job) -> bool {
    !job.is_alive() || job.tasks_running == job.tasks_total
}

/// One TaskManager that goes, and the one that takes its place if it is needed.
struct Replacement<'a> {
    reached: &'a Reached,
    cluster: &'a Cluster,
    pod: &'a ObjectRef,
    /// How many TaskManagers the JobManager had.
    registered: usize,
    /// How many it keeps in any case.
    least: usize,
    /// The jobs that ran.
    jobs: &'a [Job],
}

impl Replacement<'_> {
    async fn wait(&self, args: &Args, app: &App) -> Result<Took, CommandError> {
        let Self { cluster, reached, pod, .. } = self;
        let changes = cluster.changes(cluster.namespace(), &reached.name);
        let mut gone_since = None;
        let waited = until(args.timeout, changes, async || self.look(&mut gone_since).await).await?;
        let flags = app.scope_flags();
        let (exit, how) = match waited {
            Waited::Done(took) => return Ok(took),
            Waited::TimedOut => {
                (Exit::TimedOut, format!("after {} s {pod} is not replaced", args.timeout.as_secs()))
            }
            Waited::Interrupted => (Exit::Interrupted, format!("interrupted: {pod} is being replaced")),
        };
        Err(CommandError::new(exit, how)
            .hint(format!("kubectl flink status {}{flags}", reached.name))
            .hint("the same command again restarts them all"))
    }

    async fn look(&self, gone_since: &mut Option<Instant>) -> Result<Look<Took>, CommandError> {
        let Self { cluster, reached, pod, registered, least, jobs } = *self;
        let objects = cluster.session_objects(cluster.namespace(), &reached.name).await?;
        if objects.taskmanagers.contains(pod) {
            return Ok(Look::Again(TICK));
        }
        let since = *gone_since.get_or_insert_with(Instant::now);
        let (all, now) = tokio::join!(flink::taskmanagers(&reached.rest), flink::jobs(&reached.rest));
        let (Ok(all), Ok(now)) = (all, now) else { return Ok(Look::Again(TICK)) };
        let now_of = |job: &Job| now.iter().find(|other| other.id == job.id);
        if let Some(failed) = jobs.iter().filter_map(now_of).find(|job| job.state == "FAILED") {
            let told =
                CommandError::new(Exit::Error, sentence(failed)).because(format!("{pod} was restarted"));
            return Err(
                told.hint(format!("kubectl flink jobs {} {}{}", reached.name, failed.id, reached.flags))
            );
        }
        // One that waited for slots before may go on to.
        let all_run = jobs.iter().filter(|job| is_whole(job)).filter_map(now_of).all(is_whole);
        let is_registered = |name: &str| all.iter().any(|taskmanager| taskmanager.id == name);
        if !all_run || is_registered(&pod.name) {
            return Ok(Look::Again(TICK));
        }
        // Where fewer are needed, fewer come back; who is needed has been asked for by then.
        let has_settled = since.elapsed() > SETTLED;
        let all_there = objects.taskmanagers.iter().all(|pod| is_registered(&pod.name));
        Ok(match () {
            () if all.len() >= registered => Look::Done(Took::Another),
            () if has_settled && all_there && all.len() >= least => Look::Done(Took::Nobody),
            () => Look::Again(TICK),
        })
    }
}
