//! What `create` does when its wait has ended.

use std::time::Duration;

use super::Started;
use crate::app::{App, CommandError};
use crate::cluster::{Cluster, ObjectRef, Propagation};
use crate::cmd::readiness::{self, Awaited, Ended};
use crate::exit::Exit;
use crate::model::evidence::{Outcome, Rest};
use crate::model::{Evidence, Finding};
use crate::session::SessionSpec;

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
            Err(failure(cluster, spec, &started.job, &evidence, &finding, app).await)
        }
        Ended::TimedOut(awaited) => Err(readiness::unfinished(&spec.name, timeout, Some(awaited), app)),
        Ended::Interrupted => Err(readiness::unfinished(&spec.name, timeout, None, app)),
    }
}

/// Tells why the session will never be ready. A bootstrap that never ran is removed again: it would
/// make a session nobody expects once its obstacle is gone. One that ran is kept with its log.
async fn failure(
    cluster: &Cluster,
    spec: &SessionSpec,
    job: &ObjectRef,
    evidence: &Evidence,
    finding: &Finding,
    app: &App,
) -> CommandError {
    let flags = app.scope_flags();
    let error =
        CommandError::from_finding(Exit::Error, format!("session {} cannot start", spec.name), finding);
    let never_ran =
        evidence.bootstrap.as_ref().is_some_and(|bootstrap| bootstrap.outcome == Outcome::Running)
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
    error.hint(format!("create {} again with a change: {job}, kept for its log, is replaced then", spec.name))
}
