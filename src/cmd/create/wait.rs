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

/// How long REST is asked before the pods are looked at again: as long as a busy JobManager may take
/// for its first answer.
const REST_PATIENCE: Duration = Duration::from_secs(5);

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
    let (adopted, warned) = (Cell::new(false), Cell::new(false));
    let last = Cell::new(Phase::StartingBootstrap);
    let waited = until(timeout, cluster.changes(namespace, &spec.name), async || {
        let mut evidence = cluster.observe(namespace, &spec.name).await?;
        evidence.at += started.server_ahead;
        if !warned.replace(true) {
            evidence.unreadable.iter().for_each(|part| app.ui.warn(&format!("not all can be read: {part}")));
        }
        let phase = diagnosis::phase::of(&evidence);
        last.set(phase);
        progress.waiting_for(phase.awaited());
        if let Some(finding) = gone(&evidence, &started.job).or_else(|| diagnosis::hopeless(&evidence)) {
            return Ok(Look::Done((evidence, Some(finding))));
        }
        evidence.rest = match (phase, unseen_pods(&evidence)) {
            (_, Some(why)) => Rest::Forbidden(why),
            (Phase::WaitingForRest, None) => rest::ask(cluster, &evidence, REST_PATIENCE).await,
            _ => Rest::NotAsked,
        };
        let ready = matches!(evidence.rest, Rest::Up(_) | Rest::Forbidden(_));
        if !adopted.get() && (ready || client_has_ended(&evidence)) {
            adopted.set(adopt(cluster, &evidence, &started.job).await);
        }
        Ok(match (ready, phase) {
            (true, _) => Look::Done((evidence, None)),
            (false, Phase::WaitingForRest) => Look::Again(Duration::ZERO),
            (false, _) => Look::Again(TICK),
        })
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

/// The Job vanished before it made anything: somebody has deleted it, or the whole session.
fn gone(evidence: &Evidence, job: &ObjectRef) -> Option<Finding> {
    let is_there = evidence.bootstrap.as_ref().is_some_and(|bootstrap| bootstrap.uid == job.uid);
    let is_hidden = evidence.unreadable.iter().any(|part| part.starts_with("job"));
    (!is_there && !is_hidden && evidence.deployment.is_none()).then(|| Finding {
        id: "bootstrap-gone",
        summary: format!("{job} is gone: somebody has deleted it"),
        evidence: None,
        fix: format!("kubectl flink create {}{} starts again", evidence.name, evidence.scope),
        cannot_heal: true,
    })
}

/// Why the pods cannot be looked at, once the Deployment says that they run.
fn unseen_pods(evidence: &Evidence) -> Option<String> {
    let deployment = evidence.deployment.as_ref()?;
    let runs = deployment.replicas > 0 && deployment.ready >= deployment.replicas;
    evidence.unreadable.iter().find(|part| runs && part.starts_with("pods")).cloned()
}

fn client_has_ended(evidence: &Evidence) -> bool {
    evidence.bootstrap.as_ref().is_some_and(|bootstrap| bootstrap.outcome != Outcome::Running)
}

/// Gives the bootstrap Job to the Deployment that it made, so that both go together. True when
/// there is nothing more to do; a session is as good without.
///
/// Not before the client has ended: one that fails deletes its Deployment again, and the Job would
/// go with it, together with the log that says why.
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
