//! The wait of `create` and of `status --wait`: until REST answers, or until it is clear that it never will.

use std::cell::Cell;
use std::time::Duration;

use jiff::SignedDuration;

use crate::app::wait::{Look, Waited, until};
use crate::app::{App, CommandError, rest};
use crate::cluster::{Cluster, Kind, ObjectRef};
use crate::diagnosis::{self, Phase};
use crate::exit::Exit;
use crate::model::evidence::{Bootstrap, Deployment, Outcome, Rest};
use crate::model::{Evidence, Finding};
use crate::session::SessionName;

/// Watches wake the wait; this is for what they miss, events above all.
const TICK: Duration = Duration::from_secs(1);

/// How long REST is asked before the pods are looked at again: as long as a busy JobManager may take
/// for its first answer.
const REST_PATIENCE: Duration = Duration::from_secs(5);

/// The session that is waited for.
pub struct Awaited<'a> {
    pub name: &'a SessionName,
    /// The bootstrap Job that makes it, for who looks after that Job: it is given to the session.
    pub job: Option<&'a ObjectRef>,
    /// How far the server's clock is ahead of this machine's. Ages are judged by the server's.
    pub server_ahead: SignedDuration,
    /// JobManager pods (their uids) that must have gone first: others take their place.
    pub replaced: &'a [String],
    pub timeout: Duration,
}

/// How the wait ended.
pub enum Ended {
    Ready(Evidence),
    Hopeless(Evidence, Finding),
    /// With what was awaited last.
    TimedOut(&'static str),
    Interrupted,
}

/// Waits until the session is ready. Nothing is written but the Job's owner.
pub async fn wait(cluster: &Cluster, awaited: &Awaited<'_>, app: &App) -> Result<Ended, CommandError> {
    let namespace = cluster.namespace();
    let progress = app.ui.progress();
    let (adopted, warned) = (Cell::new(awaited.job.is_none()), Cell::new(false));
    let last = Cell::new(Phase::StartingBootstrap.awaited());
    let waited = until(awaited.timeout, cluster.changes(namespace, awaited.name), async || {
        let mut evidence = cluster.observe(namespace, awaited.name).await?;
        evidence.at += awaited.server_ahead;
        if !warned.replace(true) {
            evidence.unreadable.iter().for_each(|part| app.ui.warn(&format!("not all can be read: {part}")));
        }
        // How those are that are to go matters no more.
        let all = evidence.jobmanagers.len();
        evidence.jobmanagers.retain(|pod| !awaited.replaced.contains(&pod.uid));
        let is_replaced = evidence.jobmanagers.len() == all;
        let phase = diagnosis::phase::of(&evidence);
        let what = match is_replaced || !evidence.jobmanagers.is_empty() {
            true => phase.awaited(),
            false => "the new JobManager's pod",
        };
        last.set(what);
        progress.waiting_for(what);
        if let Some(finding) = gone(&evidence, awaited.job).or_else(|| diagnosis::hopeless(&evidence)) {
            return Ok(Look::Done((evidence, Some(finding))));
        }
        evidence.rest = match (phase, unseen_pods(&evidence)) {
            _ if !is_replaced => Rest::NotAsked,
            (_, Some(why)) => Rest::Forbidden(why),
            (Phase::WaitingForRest | Phase::Ready, None) => {
                rest::ask(cluster, &evidence, REST_PATIENCE).await
            }
            _ => Rest::NotAsked,
        };
        let ready = matches!(evidence.rest, Rest::Up(_) | Rest::Forbidden(_));
        if let Some(job) = awaited.job.filter(|_| !adopted.get())
            && (ready || client_has_ended(&evidence))
        {
            adopted.set(adopt(cluster, &evidence, job).await);
        }
        Ok(match (ready, phase) {
            (true, _) => Look::Done((evidence, None)),
            (false, Phase::WaitingForRest) if is_replaced => Look::Again(Duration::ZERO),
            (false, _) => Look::Again(TICK),
        })
    })
    .await?;
    Ok(match waited {
        Waited::Done((evidence, None)) => Ended::Ready(evidence),
        Waited::Done((evidence, Some(finding))) => Ended::Hopeless(evidence, finding),
        Waited::TimedOut => Ended::TimedOut(last.get()),
        Waited::Interrupted => Ended::Interrupted,
    })
}

/// The error of a wait that ran out of time or was interrupted: what goes on, and how to see it.
pub fn unfinished(name: &SessionName, timeout: Duration, awaited: Option<&str>, app: &App) -> CommandError {
    let flags = app.scope_flags();
    let error = match awaited {
        Some(awaited) => CommandError::new(
            Exit::TimedOut,
            format!("session {name} is not ready after {} s", timeout.as_secs()),
        )
        .because(format!("still waiting for {awaited}")),
        None => CommandError::new(Exit::Interrupted, format!("interrupted: session {name} goes on starting")),
    };
    error.hint(format!("kubectl flink status {name}{flags} --wait goes on waiting"))
}

/// The rule that finds nothing to wait for.
pub const GONE: &str = "bootstrap-gone";

/// What makes the session vanished before it made anything: somebody has deleted it, or all of it.
fn gone(evidence: &Evidence, job: Option<&ObjectRef>) -> Option<Finding> {
    let is_awaited =
        |bootstrap: &Bootstrap| !bootstrap.deleting && job.is_none_or(|job| bootstrap.uid == job.uid);
    let is_there = evidence.bootstrap.as_ref().is_some_and(is_awaited);
    let mut unreadable = evidence.unreadable.iter();
    let is_hidden = unreadable.any(|part| part.starts_with("job") || part.starts_with("deployment"));
    let summary = match job {
        Some(job) => format!("{job} is gone: somebody has deleted it"),
        None => format!("there is no session {} in namespace {}", evidence.name, evidence.namespace),
    };
    // What it has made goes as well, one after the other.
    let is_going =
        |deployment: &Deployment| job.is_some() && (deployment.deleting || deployment.replicas == 0);
    let nothing_stays = evidence.deployment.as_ref().is_none_or(is_going);
    (!is_there && !is_hidden && nothing_stays).then(|| Finding {
        id: GONE,
        summary,
        evidence: None,
        fix: "the same create again starts anew".to_owned(),
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

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::cluster::Kind;

    #[test]
    fn who_waits_hears_that_somebody_deletes_the_session() {
        let job = ObjectRef { kind: Kind::Job, name: "boot-roc".to_owned(), uid: "j1".to_owned() };
        let is_gone = |bootstrap: Option<(&str, bool)>, deployment: Option<(i32, bool)>| {
            let bootstrap = bootstrap.map(|(uid, deleting)| Bootstrap {
                uid: uid.to_owned(),
                deleting,
                ..Bootstrap::default()
            });
            let deployment = deployment.map(|(replicas, deleting)| Deployment {
                replicas,
                deleting,
                ..Deployment::default()
            });
            let evidence = Evidence {
                name: "roc".to_owned(),
                namespace: "flink".to_owned(),
                scope: String::new(),
                at: Timestamp::UNIX_EPOCH,
                bootstrap,
                deployment,
                jobmanagers: Vec::new(),
                waiting_taskmanagers: Vec::new(),
                jobmanager_log: None,
                rest: Rest::NotAsked,
                unreadable: Vec::new(),
            };
            gone(&evidence, Some(&job)).is_some()
        };
        assert!(!is_gone(Some(("j1", false)), None));
        assert!(is_gone(None, None));
        assert!(is_gone(Some(("j2", false)), None));
        // The Job goes with its pod, which takes a while, and the JobManager is stopped meanwhile.
        assert!(is_gone(Some(("j1", true)), None));
        assert!(is_gone(Some(("j1", true)), Some((0, false))));
        assert!(is_gone(Some(("j1", true)), Some((1, true))));
        // A session that runs does so without its Job.
        assert!(!is_gone(None, Some((1, false))));
        assert!(!is_gone(Some(("j1", false)), Some((0, false))));
    }
}
