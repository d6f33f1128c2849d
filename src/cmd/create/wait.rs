//! The wait of `create`: until REST answers, or until it is clear that it never will.

use std::cell::Cell;
use std::time::Duration;

use super::Started;
use crate::app::wait::{Look, Waited, until};
use crate::app::{App, CommandError, rest};
use crate::cluster::{Cluster, Kind, ObjectRef, Propagation};
use crate::diagnosis::{self, Phase};
use crate::exit::Exit;
use crate::model::evidence::{Outcome, Rest};
use crate::model::{Evidence, Finding};
use crate::session::SessionSpec;

/// Watches wake the wait; this is for what they miss, events above all.
const TICK: Duration = Duration::from_secs(1);

/// How long REST is asked before the pods are looked at again.
const REST_PATIENCE: Duration = Duration::from_secs(3);

/// Waits until the session of the Job that was just `started` is ready.
pub async fn until_ready(
    cluster: &Cluster,
    spec: &SessionSpec,
    started: &Started,
    timeout: Duration,
    app: &App,
) -> Result<Evidence, CommandError> {
    let namespace = cluster.namespace();
    let progress = app.ui.progress();
    let adopted = Cell::new(false);
    let last = Cell::new(Phase::StartingBootstrap);
    let waited = until(timeout, cluster.changes(namespace, &spec.name), async || {
        let mut evidence = cluster.observe(namespace, &spec.name).await?;
        evidence.at += started.server_ahead;
        if !adopted.get() {
            adopted.set(adopt(cluster, &evidence, &started.job).await);
        }
        let phase = diagnosis::phase::of(&evidence);
        last.set(phase);
        progress.waiting_for(phase.awaited());
        if let Some(finding) = diagnosis::hopeless(&evidence) {
            return Ok(Look::Done((evidence, Some(finding))));
        }
        if phase == Phase::WaitingForRest {
            evidence.rest = rest::ask(cluster, &evidence, REST_PATIENCE).await;
            return Ok(match &evidence.rest {
                Rest::Up(_) | Rest::Forbidden(_) => Look::Done((evidence, None)),
                Rest::Down(_) | Rest::NotAsked => Look::Again(Duration::ZERO),
            });
        }
        Ok(Look::Again(TICK))
    })
    .await?;
    drop(progress);

    let status = format!("kubectl flink status {}{} shows how far it is", spec.name, app.scope_flags());
    let delete = format!("kubectl flink delete {}{} removes it", spec.name, app.scope_flags());
    match waited {
        Waited::Done((evidence, None)) => {
            if let Rest::Forbidden(why) = &evidence.rest {
                app.ui.warn(&format!("REST of session {} cannot be asked: {why}", spec.name));
            }
            Ok(evidence)
        }
        Waited::Done((evidence, Some(finding))) => {
            Err(failure(cluster, spec, &started.job, &evidence, &finding, app).await)
        }
        Waited::TimedOut => Err(CommandError::new(
            Exit::TimedOut,
            format!("session {} is not ready after {} s", spec.name, timeout.as_secs()),
        )
        .because(format!("still waiting for {}", last.get().awaited()))
        .hint(status)
        .hint(delete)),
        Waited::Interrupted => Err(CommandError::new(
            Exit::Interrupted,
            format!("interrupted: session {} goes on starting", spec.name),
        )
        .hint(status)
        .hint(delete)),
    }
}

/// Gives the bootstrap Job to the Deployment that it made, so that both go together. True when
/// there is nothing more to do; a session is as good without.
async fn adopt(cluster: &Cluster, evidence: &Evidence, job: &ObjectRef) -> bool {
    let Some(deployment) = evidence.deployment.as_ref().filter(|deployment| !deployment.deleting) else {
        return false;
    };
    let owner =
        ObjectRef { kind: Kind::Deployment, name: evidence.name.clone(), uid: deployment.uid.clone() };
    // `delete` finds the Job by its labels too.
    let _ = cluster.adopt(&evidence.namespace, job, &owner).await;
    true
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
        return match cluster.delete(&evidence.namespace, job, Propagation::Background).await {
            Ok(_) => {
                app.ui.status(&format!("{job} deleted: no session {} will come of it", spec.name));
                error
            }
            Err(_) => error.hint(format!("kubectl flink delete {}{flags} removes {job}", spec.name)),
        };
    }
    error.hint(format!("create {} again with a change: {job}, kept for its log, is replaced then", spec.name))
}
