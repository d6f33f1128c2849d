//! What `create` does when its wait has ended.

use std::time::Duration;

use super::Started;
use crate::app::wait::{Look, Waited, until};
use crate::app::{App, CommandError};
use crate::cluster::{Cluster, ObjectRef, Propagation};
use crate::cmd::readiness::{self, Awaited, Ended};
use crate::exit::Exit;
use crate::model::evidence::{Outcome, Rest};
use crate::model::{Evidence, Finding};
use crate::session::SessionSpec;
use crate::session::settings::Expose;

/// Waits until the session of the Job that was just `started` is ready.
pub async fn until_ready(
    cluster: &Cluster,
    spec: &SessionSpec,
    started: &Started,
    timeout: Duration,
    app: &App,
) -> Result<Evidence, CommandError> {
    let awaited =
        Awaited { name: &spec.name, job: Some(&started.job), server_ahead: started.server_ahead, timeout };
    match readiness::wait(cluster, &awaited, app).await? {
        Ended::Ready(evidence) => {
            if let Rest::Forbidden(why) = &evidence.rest {
                app.ui.warn(&format!("REST of session {} cannot be asked: {why}", spec.name));
            }
            Ok(evidence)
        }
        Ended::Hopeless(evidence, finding) => {
            Err(failure(cluster, spec, started, &evidence, &finding, app).await)
        }
        Ended::TimedOut(awaited) => {
            Err(exposed_later(spec, readiness::unfinished(&spec.name, timeout, Some(awaited), app)))
        }
        Ended::Interrupted => Err(exposed_later(spec, readiness::unfinished(&spec.name, timeout, None, app))),
    }
}

/// The Service gets its type at the end, which only a `create` comes to.
fn exposed_later(spec: &SessionSpec, error: CommandError) -> CommandError {
    match spec.expose {
        Expose::ClusterIp => error,
        expose => error.hint(format!(
            "the same create again takes up the wait, and makes the Service a {}",
            expose.as_str()
        )),
    }
}

/// Waits until a Job that is being deleted, with its pod, is gone.
pub async fn until_gone(cluster: &Cluster, job: &ObjectRef, app: &App) -> Result<(), CommandError> {
    /// Pods have half a minute to end.
    const LONGEST: Duration = Duration::from_secs(60);
    let progress = app.ui.progress();
    progress.waiting_for(&format!("{job} of an earlier try to be gone"));
    let waited = until(LONGEST, futures::stream::pending(), async || {
        Ok(match cluster.is_there(cluster.namespace(), job).await? {
            true => Look::Again(Duration::from_millis(500)),
            false => Look::Done(()),
        })
    })
    .await?;
    match waited {
        Waited::Done(()) => Ok(()),
        Waited::TimedOut => Err(CommandError::new(
            Exit::TimedOut,
            format!("{job} of an earlier try is still being deleted after {} s", LONGEST.as_secs()),
        )),
        Waited::Interrupted => Err(CommandError::new(Exit::Interrupted, "interrupted: nothing was written")),
    }
}

/// Tells why the session will never be ready. A bootstrap that never ran is removed again: it would
/// make a session nobody expects once its obstacle is gone. One that ran is kept with its log.
async fn failure(
    cluster: &Cluster,
    spec: &SessionSpec,
    started: &Started,
    evidence: &Evidence,
    finding: &Finding,
    app: &App,
) -> CommandError {
    let flags = app.scope_flags();
    let job = &started.job;
    let error =
        CommandError::from_finding(Exit::Error, format!("session {} cannot start", spec.name), finding);
    let never_ran = !started.is_resumed
        && evidence.bootstrap.as_ref().is_some_and(|bootstrap| bootstrap.outcome == Outcome::Running)
        && evidence.deployment.is_none();
    if evidence.deployment.is_some() {
        return error.hint(format!("kubectl flink delete {}{flags} removes it", spec.name));
    }
    if never_ran {
        let deleted = cluster.delete(&evidence.namespace, job, Propagation::Foreground).await;
        let made_something = match cluster.observe(&evidence.namespace, &spec.name).await {
            Ok(now) => now.deployment.is_some(),
            Err(_) => true,
        };
        return match deleted {
            Ok(_) if !made_something => {
                app.ui.status(&format!("{job} deleted: no session {} will come of it", spec.name));
                error
            }
            _ => error.hint(format!("kubectl flink delete {}{flags} removes what is left", spec.name)),
        };
    }
    error.hint(format!("after a change, create {} again: {job} is kept for its log until then", spec.name))
}
