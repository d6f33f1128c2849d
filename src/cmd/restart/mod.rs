//! `kubectl flink restart NAME`: new processes for a session, and the wait until it is ready again.

mod taskmanagers;

use std::cell::RefCell;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::ending::{Deed, EndingArgs, Guard, Jobs, Session, Told};
use super::readiness::{self, Awaited, Ended};
use super::word::Word;
use super::{session_tables, standing};
use crate::app::wait::unless_interrupted;
use crate::app::{App, CommandError, duration};
use crate::cluster::{Cluster, ObjectRef};
use crate::exit::Exit;
use crate::model::{Evidence, Finding};
use crate::session::SessionName;

#[derive(clap::Args)]
#[command(after_help = "\
A pod for the new JobManager comes before the old one goes; REST is away until the new one has
started. Without high availability it knows nothing of the old one's jobs, nor of the jars that were
uploaded. The TaskManagers stay.

Examples:
  # A session without running jobs
  kubectl flink restart roc

  # Its jobs are stopped with savepoints first; the command that goes on from each is printed
  kubectl flink restart roc --savepoint=s3://bucket/savepoints

  # With high availability: the new JobManager takes the jobs up from their last checkpoints
  kubectl flink restart roc --force

  # One TaskManager after the other
  kubectl flink restart roc --taskmanagers")]
pub struct Args {
    /// Name of the session
    #[arg(add = Word::Session)]
    name: String,

    /// Restart the TaskManagers one by one, and not the JobManager
    #[arg(long)]
    taskmanagers: bool,

    /// Wait until the session is ready again
    #[arg(long, value_name = "BOOL", default_value_t = true, num_args = 0..=1, require_equals = true,
          default_missing_value = "true", hide_default_value = true, action = clap::ArgAction::Set,
          conflicts_with = "taskmanagers")]
    wait: bool,

    /// Longest wait for the JobManager, or for one TaskManager, such as 90s or 5m
    #[arg(long, value_name = "DURATION", default_value = "5m", value_parser = duration::parse)]
    timeout: Duration,

    /// Accepted as by delete; restart asks no question
    #[arg(short, long)]
    yes: bool,

    #[command(flatten)]
    ending: EndingArgs,
}

/// A counter that the operator restarts a FlinkDeployment by, whatever its value.
fn by_operator(flags: &str, name: &str) -> String {
    let nonce = Timestamp::now().as_second();
    format!(
        "kubectl patch{flags} flinkdeployment {name} --type=merge -p '{{\"spec\":{{\"restartNonce\":{nonce}}}}}'"
    )
}

const JOBMANAGER: Deed = Deed {
    verb: "restart",
    participle: "restarted",
    forgets_jobs: true,
    forced: ["to restart it all the same", "to have them taken up again, from their last checkpoints"],
    by_operator,
};

const TASKMANAGERS: Deed = Deed {
    verb: "restart",
    participle: "restarted",
    forgets_jobs: false,
    forced: ["to have them restarted, as far as their restart strategies go"; 2],
    by_operator,
};

pub async fn run(args: Args, app: &App) -> Result<Exit, CommandError> {
    let name = SessionName::existing(&args.name)?;
    app.bound_requests(args.timeout);
    let cluster = app.cluster().await?;
    let deed = if args.taskmanagers { TASKMANAGERS } else { JOBMANAGER };
    let session = Session::look(&name, &deed, &cluster).await?;
    let deployment = running(&session, &cluster).await?;
    if session.objects.is_paused && !args.taskmanagers {
        let what = format!("{deployment} is paused: it would not start a new JobManager");
        return Err(CommandError::new(Exit::Error, what).hint(format!(
            "kubectl rollout resume{} deployment/{name}; then run the same restart command again",
            cluster.full_scope()
        )));
    }
    let typed = if args.taskmanagers { " --taskmanagers".to_owned() } else { String::new() };
    let guard = Guard { deed, session: &session, cluster: &cluster, args: &args.ending, typed, app };
    if let Jobs::ToEnd(asked) = guard.check().await? {
        let progress = app.ui.progress();
        let unheard = RefCell::new(None);
        let line = |line: &str| {
            if let Err(error) = app.ui.data(&format!("{line}\n")) {
                unheard.borrow_mut().get_or_insert(error);
            }
        };
        let waiting_for = |what: &str| progress.waiting_for(what);
        // The waits for jobs end by themselves on Ctrl-C, and say what goes on.
        let _awaits = app.await_interrupt();
        let ended = guard.end_jobs(asked, Told { line: &line, waiting_for: &waiting_for });
        unless_interrupted(ended, || format!("interrupted: session {name} is not restarted")).await?;
    }
    if args.taskmanagers {
        taskmanagers::restart(&name, &args, &cluster, app).await?;
        return ready(&name, &[], args.timeout, &cluster, app).await;
    }
    // Savepoints take their time, and others may have replaced a pod meanwhile.
    let now = cluster.session_objects(cluster.namespace(), &name).await?;
    let old: Vec<String> = now.jobmanagers.iter().map(|pod| pod.uid.clone()).collect();
    cluster.restart(cluster.namespace(), deployment, Timestamp::now()).await.map_err(|error| {
        let is_forbidden = error.is_forbidden();
        let told = CommandError::from(error).while_doing(format!("cannot restart {deployment}"));
        let hint = format!("kubectl auth can-i patch deployments.apps{}", cluster.full_scope());
        if is_forbidden { told.hint(hint) } else { told }
    })?;
    app.ui.status(&format!("{deployment} restarted"));
    if !args.wait {
        app.ui.hint(&format!("kubectl flink status {name}{} --wait", app.scope_flags()));
        return Ok(Exit::Done);
    }
    ready(&name, &old, args.timeout, &cluster, app).await
}

/// The Deployment of a session that is to run.
async fn running<'s>(session: &'s Session, cluster: &Cluster) -> Result<&'s ObjectRef, CommandError> {
    match &session.objects.deployment {
        Some(deployment) if !session.objects.is_ending => Ok(deployment),
        _ => Err(standing::why_not_there(&session.name, cluster).await?),
    }
}

/// Waits until the session is ready, on other JobManagers than the `old` ones, and shows it.
async fn ready(
    name: &SessionName,
    old: &[String],
    timeout: Duration,
    cluster: &Cluster,
    app: &App,
) -> Result<Exit, CommandError> {
    let awaited = Awaited { name, job: None, server_ahead: SignedDuration::ZERO, replaced: old, timeout };
    match readiness::wait(cluster, &awaited, app).await? {
        Ended::Ready(evidence) => session_tables::present(cluster, name, &evidence, app).await,
        Ended::Hopeless(evidence, finding) => Err(hopeless(name, &evidence, &finding)),
        Ended::TimedOut(late) => Err(readiness::unfinished(name, timeout, Some(&late), app)),
        Ended::Interrupted => Err(readiness::unfinished(name, timeout, None, app)),
    }
}

/// A new JobManager that cannot start leaves the old one where it is.
fn hopeless(name: &SessionName, evidence: &Evidence, finding: &Finding) -> CommandError {
    let what = format!("the new JobManager of session {name} cannot start");
    let told = CommandError::from_finding(Exit::Error, what, finding);
    match evidence.deployment.as_ref().is_some_and(|deployment| deployment.ready > 0) {
        true => told.hint(format!(
            "the old one still runs; to see what there was to go back to: kubectl rollout history{} deployment/{name}",
            evidence.scope
        )),
        false => told,
    }
}
