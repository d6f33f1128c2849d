//! One session on its way out: what goes first, and the wait until nothing is left.
//!
//! What was asked for is kept nowhere but in the cluster. A deletion that was killed goes on when the
//! command is typed again.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures::{StreamExt, stream};

use super::Run;
use super::plan::{self, Plan};
use crate::app::CommandError;
use crate::app::wait::{Look, Waited, unless_interrupted, until};
use crate::cluster::{Kind, ObjectRef, Propagation, SessionObjects};
use crate::cmd::ending::Session;
use crate::exit::Exit;
use crate::model::session::Owner;
use crate::session::SessionName;

/// Between looks while pods end; what goes wakes the wait earlier.
const TICK: Duration = Duration::from_secs(1);

/// What was looked at longer ago is looked at again. A JobManager that starts may have been waited for.
const STALE: Duration = Duration::from_secs(1);

/// A deletion under way.
pub struct Deletion<'a> {
    plan: &'a Plan,
    run: &'a Run<'a>,
    state: RefCell<State>,
}

/// What has been seen and done so far.
struct State {
    /// What was there when the user agreed, until it has been dealt with.
    first: Option<SessionObjects>,
    /// What was there at the last look.
    last: SessionObjects,
    /// Everything that was ever seen of the session, in the order of the first look.
    seen: Vec<ObjectRef>,
    told: BTreeSet<ObjectRef>,
    asked: BTreeMap<ObjectRef, Asked>,
    /// Pods that were told how long they have.
    hurried: BTreeSet<ObjectRef>,
    stopped: bool,
    looked_empty: bool,
    client: Client,
}

/// Flink's client that was at work when the deletion began: what it still makes belongs to the deletion.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Client {
    AtWork,
    /// One look found no Job and no pod at work. What its other reads found may be older.
    SeenEnded,
    /// What appears now is another client's.
    Ended,
}

impl Client {
    /// As it is at the first look.
    pub fn of(first: &SessionObjects) -> Self {
        if first.client_is_at_work { Self::AtWork } else { Self::Ended }
    }

    /// As it is after one more look.
    fn after(self, now: &SessionObjects) -> Self {
        match self {
            _ if now.client_is_at_work && self != Self::Ended => Self::AtWork,
            Self::AtWork => Self::SeenEnded,
            Self::SeenEnded | Self::Ended => Self::Ended,
        }
    }
}

/// Whether every deletion was taken, or one is left to the garbage collector.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Asked {
    All,
    Some,
}

/// How a session ended.
enum Gone {
    ForGood,
    /// Somebody has created it anew meanwhile.
    AndMadeAnew,
    /// All that was to be asked for has been asked for.
    Asked,
}

impl<'a> Deletion<'a> {
    pub fn new(plan: &'a Plan, run: &'a Run<'a>) -> Self {
        let state = State {
            first: (plan.at.elapsed() < STALE).then(|| plan.session.objects.clone()),
            seen: plan.session.objects.all().cloned().collect(),
            last: plan.session.objects.clone(),
            told: BTreeSet::new(),
            asked: BTreeMap::new(),
            hurried: BTreeSet::new(),
            stopped: false,
            looked_empty: false,
            client: Client::of(&plan.session.objects),
        };
        Self { plan, run, state: RefCell::new(state) }
    }

    /// Says what would go; the API server tries it where it is to.
    pub async fn rehearse(self) -> Result<(), CommandError> {
        let objects = &self.plan.session.objects;
        let purged = objects.high_availability.iter().filter(|_| self.plan.purges);
        for object in objects.all().chain(purged) {
            if self.run.args.removal.dry_run == super::DryRun::Server {
                self.delete_once(object, Propagation::Background).await?;
            }
            (self.run.removed)(object);
        }
        self.plan.tell_fate(self.run.args, self.run.app);
        self.plan.tell_what_stays(self.run.cluster, self.run.app).await;
        Ok(())
    }

    /// Deletes until nothing is left. What has gone is told as it goes, and what stays at the end.
    pub async fn run(self) -> Result<(), CommandError> {
        let Run { args, cluster, app, .. } = *self.run;
        let name = self.plan.name();
        // What is to be done comes first: it is watched from then on.
        let changes = stream::once(async { cluster.departures(cluster.namespace(), name) }).flatten();
        let waited = until(args.timeout, changes, async || self.look().await).await?;
        let last = self.state.borrow().last.clone();
        match waited {
            Waited::Done(Gone::ForGood | Gone::Asked) => {
                let told = async {
                    self.plan.tell_what_has_stayed(&last, cluster, app).await;
                    Ok(())
                };
                unless_interrupted(told, || format!("interrupted: what stays of session {name} is not known"))
                    .await
            }
            Waited::Done(Gone::AndMadeAnew) if self.plan.purges && self.plan.session.keeps_state() => {
                Err(made_anew(name)
                    .because("its high-availability state was not removed, and is the new one's"))
            }
            // Two clients at once: which of them has made what cannot be told.
            Waited::Done(Gone::AndMadeAnew) if self.works_on(&last) => {
                let pods: Vec<String> = last.bootstrap_pods.iter().map(ToString::to_string).collect();
                Err(made_anew(name).because(format!(
                    "a bootstrap pod of the deleted one may still be at work, and objects may be of either: {}",
                    pods.join(", ")
                )))
            }
            Waited::Done(Gone::AndMadeAnew) => {
                app.ui.warn(&made_anew(name).to_string());
                Ok(())
            }
            Waited::TimedOut => {
                let after = format!("after {} s", args.timeout.as_secs());
                Err(self.unfinished(Exit::TimedOut, &after, &last))
            }
            Waited::Interrupted => Err(self.unfinished(Exit::Interrupted, "interrupted", &last)),
        }
    }

    /// True while a bootstrap pod that was there at first, or came with the first Job, may be at work.
    fn works_on(&self, last: &SessionObjects) -> bool {
        let first = &self.plan.session.objects;
        let is_known = |pod: &ObjectRef| first.bootstrap_pods.contains(pod);
        self.state.borrow().client != Client::Ended
            && last.client_is_at_work
            && last.bootstrap_pods.iter().any(is_known)
    }

    fn unfinished(&self, exit: Exit, how: &str, last: &SessionObjects) -> CommandError {
        let Plan { session: Session { name, .. }, purges, .. } = self.plan;
        let purged = last.high_availability.iter().filter(|_| *purges);
        let left: Vec<String> = last.all().chain(purged).map(ToString::to_string).collect();
        let mut told = CommandError::new(exit, format!("{how}: session {name} is not gone yet"));
        if !left.is_empty() {
            told = told.because(format!("still there: {}", left.join(", ")));
        }
        for (object, holders) in &last.held {
            told = told.because(format!("{object} is held back by {holders}"));
        }
        let Run { app, args, .. } = self.run;
        let yes = if args.yes { " --yes" } else { "" };
        told.hint(format!(
            "to continue: kubectl flink delete {name}{}{}{yes}",
            app.scope_flags(),
            args.typed()
        ))
    }

    /// Looks anew each time: a dying JobManager asks for TaskManagers.
    async fn look(&self) -> Result<Look<Gone>, CommandError> {
        let Run { cluster, args, .. } = *self.run;
        // What was looked at a moment ago need not be looked at again: uids tell if it is another.
        let first = self.state.borrow_mut().first.take();
        let last = match first {
            Some(first) => first,
            None => cluster.session_objects(cluster.namespace(), self.plan.name()).await?,
        };
        self.state.borrow_mut().last = last.clone();
        self.tell_gone(&last);
        let client = self.state.borrow().client;
        if is_another(&self.state.borrow().seen, &last, client) {
            return Ok(Look::Done(Gone::AndMadeAnew));
        }
        self.state.borrow_mut().client = client.after(&last);
        self.note_seen(&last);
        if !last.is_empty() {
            self.state.borrow_mut().looked_empty = false;
            let is_all_asked = self.step(&last).await?;
            if args.wait {
                (self.run.told.waiting_for)(&plan::awaited(std::slice::from_ref(self.plan)));
            }
            if args.wait || !is_all_asked {
                return Ok(Look::Again(TICK));
            }
            // As kubectl, which says so of what it has asked for.
            self.tell_gone(&SessionObjects::default());
            return Ok(Look::Done(Gone::Asked));
        }
        // The reads of one look are not of one moment: a client that was stopped in between may have
        // made something in the last one.
        if !std::mem::replace(&mut self.state.borrow_mut().looked_empty, true) {
            return Ok(Look::Again(Duration::ZERO));
        }
        match self.plan.purges && !last.high_availability.is_empty() {
            true => {
                self.delete_all(last.high_availability.iter()).await?;
                Ok(Look::Again(Duration::ZERO))
            }
            false => Ok(Look::Done(Gone::ForGood)),
        }
    }

    /// Tells what was there before and is not any more.
    fn tell_gone(&self, last: &SessionObjects) {
        let purged = last.high_availability.iter().filter(|_| self.plan.purges);
        let there: BTreeSet<&ObjectRef> = last.all().chain(purged).collect();
        let gone: Vec<ObjectRef> = {
            let State { seen, told, .. } = &mut *self.state.borrow_mut();
            seen.iter()
                .filter(|object| !there.contains(object) && told.insert((*object).clone()))
                .cloned()
                .collect()
        };
        gone.iter().for_each(|object| (self.run.removed)(object));
    }

    /// Remembers what came since the first look: what a dying session has made.
    fn note_seen(&self, last: &SessionObjects) {
        let purged = last.high_availability.iter().filter(|_| self.plan.purges);
        let State { seen, .. } = &mut *self.state.borrow_mut();
        for object in last.all().chain(purged) {
            if !seen.contains(object) {
                seen.push(object.clone());
            }
        }
    }

    /// Asks for the deletion of what has not been asked yet. True when nothing more is to be asked for.
    ///
    /// With high availability the JobManager goes first: one that sees its TaskManagers vanish marks
    /// its jobs as failed for good and drops the state that is to be kept. Without it all goes at
    /// once, and explicitly: what a 1.10 session made has an owner that the garbage collector cannot
    /// resolve.
    async fn step(&self, last: &SessionObjects) -> Result<bool, CommandError> {
        let is_spared = self.plan.session.may_keep_jobs() && !last.jobmanagers.is_empty();
        if last.client_is_at_work {
            // Before the Deployment, which it would make anew. A pod may outlive its Job.
            self.delete_jobs(last).await?;
            let pods = last.bootstrap_pods.iter().filter(|_| last.jobs.is_empty());
            self.delete_all(pods).await?;
        }
        let Some(deployment) = &last.deployment else {
            // Nobody is left to take them along.
            self.delete_all(last.replica_sets.iter().chain(&last.jobmanagers)).await?;
            self.hurry(&last.jobmanagers).await?;
            if is_spared {
                return Ok(false);
            }
            self.delete_jobs(last).await?;
            let pods = last.bootstrap_pods.iter().filter(|_| last.jobs.is_empty());
            self.delete_all(last.parts().chain(pods)).await?;
            self.hurry(last.pods()).await?;
            return Ok(!last.client_is_at_work);
        };
        if is_spared {
            self.stop(deployment).await?;
            self.hurry(&last.jobmanagers).await?;
            return Ok(false);
        }
        self.delete_once(deployment, Propagation::Foreground).await?;
        // The garbage collector would come to its pods too, and later. It is not told of by name: it goes
        // with the Deployment, whoever may delete it.
        let replica_sets = self.delete_all(last.replica_sets.iter()).await?;
        // A pod that has been told to end may not hear of another time.
        self.hurry(last.pods()).await?;
        // A JobManager that goes before its ReplicaSet is made anew.
        let jobmanagers = last.jobmanagers.iter().filter(|_| replica_sets == Asked::All);
        let (pods, jobs, parts) = tokio::join!(
            self.delete_all(last.taskmanagers.iter().chain(jobmanagers)),
            self.delete_jobs(last),
            self.delete_all(last.services.iter().chain(&last.config_maps).chain(&last.policies)),
        );
        pods.and(parts)?;
        jobs?;
        // What it makes meanwhile has to be asked for.
        Ok(!last.client_is_at_work)
    }

    async fn delete_jobs(&self, last: &SessionObjects) -> Result<(), CommandError> {
        for job in &last.jobs {
            self.delete_once(job, Propagation::Foreground).await?;
        }
        Ok(())
    }

    /// Lets the JobManager end, and no other come.
    async fn stop(&self, deployment: &ObjectRef) -> Result<(), CommandError> {
        if self.state.borrow().stopped {
            return Ok(());
        }
        let cluster = self.run.cluster;
        match cluster.scale_to_zero(cluster.namespace(), deployment).await {
            Ok(()) => self.state.borrow_mut().stopped = true,
            // It is gone, or another one: the next look tells.
            Err(error) if error.is_not_found() || error.is_conflict() => {}
            Err(error) => {
                let is_forbidden = error.is_forbidden();
                let told = CommandError::from(error)
                    .while_doing(format!("cannot stop {deployment} before it is deleted"));
                let hint = format!("kubectl auth can-i patch deployments.apps{}", cluster.full_scope());
                return Err(if is_forbidden { told.hint(hint) } else { told });
            }
        }
        Ok(())
    }

    /// Pods have the time that they were made with, unless the user has said otherwise.
    async fn hurry<'o>(&self, pods: impl IntoIterator<Item = &'o ObjectRef>) -> Result<(), CommandError> {
        let Ok(seconds) = u32::try_from(self.run.args.grace_period) else { return Ok(()) };
        for pod in pods {
            if self.state.borrow_mut().hurried.insert(pod.clone()) {
                let cluster = self.run.cluster;
                let deleted = cluster.delete_within(cluster.namespace(), pod, seconds.max(1)).await;
                self.check(pod, deleted.map(drop))?;
            }
        }
        Ok(())
    }

    /// Asks for all of them at the same time.
    async fn delete_all<'o>(
        &self,
        objects: impl Iterator<Item = &'o ObjectRef>,
    ) -> Result<Asked, CommandError> {
        let deletions = objects.map(|object| self.delete_once(object, Propagation::Background));
        let asked = futures::future::try_join_all(deletions).await?;
        Ok(if asked.contains(&Asked::Some) { Asked::Some } else { Asked::All })
    }

    async fn delete_once(&self, object: &ObjectRef, propagation: Propagation) -> Result<Asked, CommandError> {
        let asked = self.state.borrow().asked.get(object).copied();
        if let Some(asked) = asked {
            return Ok(asked);
        }
        let cluster = self.run.cluster;
        let deleted = cluster.delete(cluster.namespace(), object, propagation).await;
        let asked = if deleted.is_ok() { Asked::All } else { Asked::Some };
        self.check(object, deleted.map(drop))?;
        self.state.borrow_mut().asked.insert(object.clone(), asked);
        Ok(asked)
    }

    fn check(
        &self,
        object: &ObjectRef,
        deleted: Result<(), crate::cluster::ClusterError>,
    ) -> Result<(), CommandError> {
        deleted.or_else(|error| {
            // What the Deployment owns goes with it, whoever may delete it.
            let goes_along = self.state.borrow().asked.keys().any(|o| o.kind == Kind::Deployment);
            if error.is_forbidden() && goes_along {
                return Ok(());
            }
            let cluster = self.run.cluster;
            let what = format!("cannot delete {object} in namespace {}", cluster.namespace());
            let is_forbidden = error.is_forbidden();
            let told = CommandError::from(error).while_doing(what);
            let hint = format!("kubectl auth can-i delete {}{}", object.kind.plural(), cluster.full_scope());
            Err(if is_forbidden { told.hint(hint) } else { told })
        })
    }
}

/// Somebody else's session is left alone.
pub fn made_anew(name: &SessionName) -> CommandError {
    let what = format!("somebody has created session {name} anew: that one is left alone");
    CommandError::new(Exit::Error, what)
}

/// True when `now` shows something under the session's name that is not `known`: that was neither there when the
/// user agreed to the deletion, nor has been made since by a dying JobManager (TaskManagers) or by the `client` that
/// is just being stopped. Another client has another Job.
pub fn is_another(known: &[ObjectRef], now: &SessionObjects, client: Client) -> bool {
    let appeared = |object: &ObjectRef| !known.contains(object);
    let client_was_at_work = client != Client::Ended;
    let replaced = now.deployment.iter().any(|deployment| appeared(deployment) && !client_was_at_work);
    let parts = now.services.iter().chain(&now.config_maps);
    replaced
        || now.jobs.iter().any(appeared)
        || now.foreign.is_some()
        || now.owner == Some(Owner::FlinkOperator)
        || (!client_was_at_work && parts.into_iter().any(appeared))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(kind: Kind, uid: &str) -> ObjectRef {
        ObjectRef { kind, name: "roc".to_owned(), uid: uid.to_owned() }
    }

    fn with(deployment: Option<&str>, job: Option<&str>, service: Option<&str>) -> SessionObjects {
        SessionObjects {
            deployment: deployment.map(|uid| object(Kind::Deployment, uid)),
            jobs: job.map(|uid| object(Kind::Job, uid)).into_iter().collect(),
            client_is_at_work: job.is_some(),
            services: service.map(|uid| object(Kind::Service, uid)).into_iter().collect(),
            ..SessionObjects::default()
        }
    }

    fn is_another(first: &SessionObjects, now: &SessionObjects) -> bool {
        super::is_another(&known(first), now, Client::of(first))
    }

    fn known(objects: &SessionObjects) -> Vec<ObjectRef> {
        objects.all().cloned().collect()
    }

    #[test]
    fn a_session_that_was_made_anew_is_another_one() {
        let first = with(Some("d1"), None, Some("s1"));
        assert!(!is_another(&first, &first));
        assert!(!is_another(&first, &with(None, None, None)));
        assert!(is_another(&first, &with(Some("d2"), None, None)));
        assert!(is_another(&first, &with(None, Some("j2"), None)));
        assert!(is_another(&first, &with(None, None, Some("s2"))));
        // What was left of a session, and a new one that somebody made by hand.
        let left = with(None, None, Some("s1"));
        assert!(is_another(&left, &with(Some("d1"), None, Some("s1"))));
        let operators = SessionObjects { owner: Some(Owner::FlinkOperator), ..left.clone() };
        assert!(is_another(&left, &operators));
    }

    #[test]
    fn what_a_dying_session_still_makes_is_its_own() {
        let first = with(Some("d1"), None, None);
        let more = SessionObjects { taskmanagers: vec![object(Kind::Pod, "t2")], ..first.clone() };
        assert!(!is_another(&first, &more));
        // A client that was stopped in the middle.
        let starting = with(None, Some("j1"), None);
        assert!(!is_another(&starting, &with(Some("d1"), Some("j1"), Some("s1"))));
        assert!(is_another(&starting, &with(Some("d1"), Some("j2"), None)));
    }

    #[test]
    fn what_appears_after_the_client_has_ended_is_another_ones() {
        let pod = SessionObjects {
            bootstrap_pods: vec![object(Kind::Pod, "b1")],
            client_is_at_work: true,
            ..SessionObjects::default()
        };
        // Its Job is gone already.
        let made = SessionObjects { deployment: Some(object(Kind::Deployment, "d1")), ..pod.clone() };
        assert!(!is_another(&pod, &made));
        let nothing = SessionObjects::default();
        let late = SessionObjects { client_is_at_work: false, ..made };
        let once = Client::of(&pod).after(&nothing);
        // The Deployments may have been read before the pods.
        assert!(!super::is_another(&known(&pod), &late, once));
        let twice = once.after(&nothing);
        assert!(super::is_another(&known(&pod), &late, twice));
        // What it made while it was at work stays its own.
        assert!(!super::is_another(&known(&late), &late, twice));
        assert_eq!(twice.after(&pod), Client::Ended);
    }
}
