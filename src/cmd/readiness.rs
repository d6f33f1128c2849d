//! The wait of `create` and of `status --wait`: until REST answers, or until it is clear that it never will.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::time::{Duration, Instant};

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
    TimedOut(Late),
    Interrupted,
}

/// What stood in the way when the time was over.
pub struct Late {
    /// What was awaited last.
    awaited: &'static str,
    /// The worst problem of the last look, which waiting might have solved.
    problem: Option<Finding>,
}

/// How long a problem that can pass by itself lasts before it is a warning: the scheduler places a pod within a second
/// where there is room, pods that are just going free theirs within a few, and the kubelet asks a registry again after
/// ten.
const LASTING: Duration = Duration::from_secs(10);

/// The problems that may pass by themselves, with the time when each was met first.
#[derive(Default)]
struct Passing(HashMap<(&'static str, String), (Instant, bool)>);

impl Passing {
    /// Those of `found` that have lasted, each once.
    fn lasting<'f>(&mut self, found: &'f [Finding], now: Instant) -> Vec<&'f Finding> {
        // What has passed and comes back is new.
        self.0.retain(|(id, summary), _| found.iter().any(|one| one.id == *id && one.summary == *summary));
        let mut due = Vec::new();
        for finding in found {
            let key = (finding.id, finding.summary.clone());
            let (since, warned) = self.0.entry(key).or_insert((now, false));
            if !*warned && now.duration_since(*since) >= LASTING {
                *warned = true;
                due.push(finding);
            }
        }
        due
    }
}

/// Waits until the session is ready. Nothing is written but the Job's owner.
pub async fn wait(cluster: &Cluster, awaited: &Awaited<'_>, app: &App) -> Result<Ended, CommandError> {
    let namespace = cluster.namespace();
    let progress = app.ui.progress();
    let (adopted, warned) = (Cell::new(awaited.job.is_none()), Cell::new(false));
    let last = Cell::new(Phase::StartingBootstrap.awaited());
    let (passing, problem) = (RefCell::new(Passing::default()), RefCell::new(None));
    let waited = until(awaited.timeout, cluster.changes(namespace, awaited.name), async || {
        let observed = cluster.unless_silent(cluster.observe(namespace, awaited.name)).await;
        let mut evidence = observed.inspect_err(|error| {
            if error.is_of_the_line() {
                progress.waiting_for("the API server, which does not respond");
            }
        })?;
        evidence.at = evidence.at.saturating_add(awaited.server_ahead).unwrap_or(evidence.at);
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
        let found = diagnosis::findings(&evidence);
        let hopeless = found.iter().find(|finding| finding.cannot_heal).cloned();
        if let Some(finding) = gone(&evidence, awaited.job).or(hopeless) {
            return Ok(Look::Done((evidence, Some(finding))));
        }
        for finding in passing.borrow_mut().lasting(&found, Instant::now()) {
            let said =
                finding.evidence.iter().fold(finding.summary.clone(), |all, said| format!("{all}: {said}"));
            app.ui.warn(&format!("{said}; this can pass by itself: waiting until --timeout"));
        }
        problem.replace(found.into_iter().next());
        let is_awaited = is_awaited(&evidence, awaited.job);
        evidence.rest = match (phase, unseen_pods(&evidence)) {
            _ if !is_replaced || !is_awaited => Rest::NotAsked,
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
            (false, Phase::WaitingForRest) if is_replaced && is_awaited => Look::Again(Duration::ZERO),
            (false, _) => Look::Again(TICK),
        })
    })
    .await?;
    Ok(match waited {
        Waited::Done((evidence, None)) => Ended::Ready(evidence),
        Waited::Done((evidence, Some(finding))) => Ended::Hopeless(evidence, finding),
        Waited::TimedOut => Ended::TimedOut(Late { awaited: last.get(), problem: problem.into_inner() }),
        Waited::Interrupted => Ended::Interrupted,
    })
}

/// The error of a wait that ran out of time or was interrupted: what goes on, and how to see it.
pub fn unfinished(name: &SessionName, timeout: Duration, late: Option<&Late>, app: &App) -> CommandError {
    let flags = app.scope_flags();
    let error = match late {
        Some(Late { awaited, problem }) => {
            let what = format!("session {name} is not ready after {} s", timeout.as_secs());
            let error = match problem {
                Some(problem) => CommandError::from_finding(Exit::TimedOut, what, problem),
                None => CommandError::new(Exit::TimedOut, what),
            };
            error.because(format!("still waiting for {awaited}"))
        }
        None => CommandError::new(Exit::Interrupted, format!("interrupted: session {name} goes on starting")),
    };
    error.hint(format!("to resume waiting: kubectl flink status {name}{flags} --wait"))
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

/// False while the Deployment is another one than the session that is waited for: one that is being deleted, or
/// that is older than the Job that makes the session. Its REST may answer for a while.
fn is_awaited(evidence: &Evidence, job: Option<&ObjectRef>) -> bool {
    let Some(deployment) = &evidence.deployment else {
        return evidence.unreadable.iter().any(|part| part.starts_with("deployment"));
    };
    let bootstrap = evidence.bootstrap.as_ref().filter(|own| job.is_some_and(|job| job.uid == own.uid));
    let is_older = bootstrap.is_some_and(|own| own.created.is_some() && deployment.created < own.created);
    !deployment.deleting && deployment.replicas > 0 && !is_older
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
    fn a_problem_that_may_pass_is_a_warning_once_it_lasts() {
        let finding = |id: &'static str| Finding {
            id,
            summary: "no node takes JobManager pod roc-1".to_owned(),
            evidence: None,
            fix: "add a node".to_owned(),
            cannot_heal: false,
        };
        let found = [finding("unschedulable"), finding("image-pull")];
        let (mut passing, start) = (Passing::default(), Instant::now());
        let mut due = |found: &[Finding], seconds| {
            let now = start + Duration::from_secs(seconds);
            passing.lasting(found, now).iter().map(|finding| finding.id).collect::<Vec<_>>()
        };
        assert_eq!(due(&found[..1], 0), [""; 0]);
        assert_eq!(due(&found, 9), [""; 0]);
        assert_eq!(due(&found, 10), ["unschedulable"]);
        assert_eq!(due(&found, 19), ["image-pull"], "each once");
        assert_eq!(due(&[], 20), [""; 0]);
        assert_eq!(due(&found[..1], 21), [""; 0], "it has passed, and is new");
        assert_eq!(due(&found[..1], 31), ["unschedulable"]);
    }

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
            let empty = Evidence::empty("roc", "flink", Timestamp::UNIX_EPOCH);
            let evidence = Evidence { bootstrap, deployment, ..empty };
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

    #[test]
    fn a_session_that_is_being_deleted_or_is_older_than_its_job_is_not_the_awaited_one() {
        let job = ObjectRef { kind: Kind::Job, name: "boot-roc".to_owned(), uid: "j1".to_owned() };
        let at = |second| Timestamp::from_second(second).ok();
        let of = |deployment: Option<Deployment>, bootstrap: &str| Evidence {
            deployment,
            bootstrap: Some(Bootstrap { uid: bootstrap.to_owned(), created: at(10), ..Bootstrap::default() }),
            ..Evidence::empty("roc", "flink", Timestamp::UNIX_EPOCH)
        };
        let made = |second| Some(Deployment { created: at(second), replicas: 1, ..Deployment::default() });
        let is = |evidence: &Evidence| is_awaited(evidence, Some(&job));
        assert!(is(&of(made(10), "j1")) && is(&of(made(11), "j1")));
        assert!(!is(&of(made(9), "j1")));
        // Whoever waits for no Job takes the session that is there, and so does one whose Job is another now.
        assert!(is_awaited(&of(made(9), "j1"), None) && is(&of(made(9), "j2")));
        assert!(!is(&of(Some(Deployment { deleting: true, ..made(11).expect("one") }), "j1")));
        assert!(!is(&of(Some(Deployment { replicas: 0, ..made(11).expect("one") }), "j1")));
        assert!(!is(&of(None, "j1")));
        let hidden = Evidence { unreadable: vec!["deployment: no".to_owned()], ..of(None, "j1") };
        assert!(is(&hidden));
    }
}
