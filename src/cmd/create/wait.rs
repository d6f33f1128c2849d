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
    let awaited = Awaited {
        name: &spec.name,
        job: Some(&started.job),
        server_ahead: started.server_ahead,
        replaced: &[],
        timeout,
    };
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
            Err(goes_on(spec, readiness::unfinished(&spec.name, timeout, Some(awaited), app), app))
        }
        Ended::Interrupted => Err(goes_on(spec, readiness::unfinished(&spec.name, timeout, None, app), app)),
    }
}

/// What else can be done about a session that goes on starting. The Service gets its type at the end,
/// which only a `create` comes to.
fn goes_on(spec: &SessionSpec, error: CommandError, app: &App) -> CommandError {
    let error = error.hint(format!("kubectl flink delete {}{} removes it", spec.name, app.scope_flags()));
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
        )
        .hint(format!("kubectl describe{} {job}; the same create again goes on", cluster.full_scope()))),
        Waited::Interrupted => Err(CommandError::new(
            Exit::Interrupted,
            format!("interrupted: {job} of an earlier try is still being deleted"),
        )
        .hint("the same create again goes on")),
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
    match &evidence.bootstrap {
        Some(bootstrap) if bootstrap.outcome == Outcome::Running => {
            error.hint(format!("kubectl flink delete {}{flags} removes it, before another create", spec.name))
        }
        Some(_) => error.hint(format!(
            "after a change, create {} again: {job} is kept for its log until then",
            spec.name
        )),
        None => error,
    }
}
