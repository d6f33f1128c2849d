//! `kubectl flink delete NAME`: removes everything of a session and waits until it is gone.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::app::wait::{Look, Waited, until};
use crate::app::{App, CommandError, duration};
use crate::cluster::{Cluster, Kind, ObjectRef, Propagation, SessionObjects};
use crate::exit::Exit;
use crate::model::session::Owner;
use crate::session::SessionName;

#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  # Asks first
  kubectl flink delete roc

  # In a script
  kubectl flink delete roc --yes --ignore-not-found")]
pub struct Args {
    /// Name of the session
    name: String,

    /// Do not ask
    #[arg(short, long)]
    yes: bool,

    /// A session that is not there is no error
    #[arg(long)]
    ignore_not_found: bool,

    /// Longest wait for everything to be gone, such as 90s or 5m
    #[arg(long, value_name = "DURATION", default_value = "5m", value_parser = duration::parse)]
    timeout: Duration,
}

/// Between looks while pods end; changes of pods wake the wait earlier.
const TICK: Duration = Duration::from_millis(500);

pub async fn run(args: Args, app: &App) -> Result<Exit, CommandError> {
    let name = SessionName::existing(&args.name)?;
    let cluster = app.cluster().await?;
    let objects = cluster.session_objects(cluster.namespace(), &name).await?;
    refuse_what_is_not_ours(&name, &cluster, &objects)?;
    if objects.is_empty() {
        tell_what_stays(&name, &cluster, &objects, app);
        return match args.ignore_not_found {
            true => Ok(Exit::Done),
            false => Err(super::ls::not_found(&name, cluster.namespace())),
        };
    }
    confirm(&cluster, &name, &objects, &args, app).await?;
    let deletion = Deletion::new(&cluster, &name, objects);
    deletion.run(args.timeout, app).await
}

fn refuse_what_is_not_ours(
    name: &SessionName,
    cluster: &Cluster,
    objects: &SessionObjects,
) -> Result<(), CommandError> {
    let (namespace, scope) = (cluster.namespace(), cluster.full_scope());
    let refused = |message: String, hint: String| Err(CommandError::new(Exit::Refused, message).hint(hint));
    if let Some(foreign) = &objects.foreign {
        return refused(
            format!("{foreign} in namespace {namespace} is no Flink session"),
            format!("kubectl get{scope} {foreign} --show-labels"),
        );
    }
    if objects.is_application {
        return refused(
            format!("{name} in namespace {namespace} is a Flink application cluster, not a session"),
            format!("kubectl delete{scope} deployment.apps/{name}"),
        );
    }
    if objects.owner == Some(Owner::FlinkOperator) {
        return refused(
            format!("session {name} in namespace {namespace} belongs to the Flink operator"),
            format!("kubectl delete{scope} flinkdeployment {name}"),
        );
    }
    Ok(())
}

async fn confirm(
    cluster: &Cluster,
    name: &SessionName,
    objects: &SessionObjects,
    args: &Args,
    app: &App,
) -> Result<(), CommandError> {
    if args.yes {
        return Ok(());
    }
    let list: String = objects.all().map(|object| format!("  {object}\n")).collect();
    let context = cluster.context().map(|context| format!(" of context {context}")).unwrap_or_default();
    let namespace = cluster.namespace();
    app.ui.note(&format!("In namespace {namespace}{context}, with all jobs that run on it:\n{list}"));
    match app.ui.confirm(&format!("Delete session {name}?")).await? {
        Some(true) => Ok(()),
        Some(false) => Err(CommandError::new(Exit::Refused, "nothing was deleted")),
        None => Err(CommandError::new(
            Exit::Error,
            format!("session {name} is not deleted without a question, and there is no terminal to ask on"),
        )
        .hint(format!("kubectl flink delete {name}{} --yes", app.scope_flags()))),
    }
}

/// A deletion under way.
struct Deletion<'a> {
    cluster: &'a Cluster,
    name: &'a SessionName,
    /// What was there when the user agreed.
    first: SessionObjects,
    /// What was there at the last look.
    last: SessionObjects,
    /// Everything that was ever seen of the session, in the order of the first look.
    seen: Vec<ObjectRef>,
    asked: BTreeSet<ObjectRef>,
    stopped: bool,
    looked_empty: bool,
}

/// How a session ended.
enum Gone {
    ForGood,
    /// Somebody has created it anew meanwhile.
    AndMadeAnew,
}

impl<'a> Deletion<'a> {
    fn new(cluster: &'a Cluster, name: &'a SessionName, first: SessionObjects) -> Self {
        Self {
            cluster,
            name,
            seen: first.all().cloned().collect(),
            last: first.clone(),
            first,
            asked: BTreeSet::new(),
            stopped: false,
            looked_empty: false,
        }
    }

    /// Deletes until nothing is left, and says what went and what stays, however it ends.
    async fn run(mut self, timeout: Duration, app: &App) -> Result<Exit, CommandError> {
        let namespace = self.cluster.namespace();
        let progress = app.ui.progress();
        progress.waiting_for(&format!("session {} to be gone", self.name));
        let changes = self.cluster.changes(namespace, self.name);
        let waited = until(timeout, changes, async || self.look().await).await?;
        drop(progress);

        let gone = self.seen.iter().filter(|object| !self.last.all().any(|left| left == *object));
        let lines: String = gone.map(|object| format!("{object} deleted\n")).collect();
        tell_what_stays(self.name, self.cluster, &self.last, app);
        let unfinished = |exit, how: &str| {
            // stdout is for what was asked for, which has not come true.
            if !lines.is_empty() {
                app.ui.note(lines.trim_end());
            }
            let left: Vec<String> = self.last.all().map(ToString::to_string).collect();
            Err(CommandError::new(exit, format!("{how}: session {} is not gone yet", self.name))
                .because(format!("still there: {}", left.join(", ")))
                .hint(format!("kubectl flink delete {}{} goes on", self.name, app.scope_flags())))
        };
        match waited {
            Waited::Done(Gone::ForGood) => app.ui.data(&lines)?,
            Waited::Done(Gone::AndMadeAnew) => {
                app.ui.data(&lines)?;
                let name = self.name;
                app.ui.warn(&format!("somebody has created session {name} anew: that one is left alone"));
            }
            Waited::TimedOut => {
                return unfinished(Exit::TimedOut, &format!("after {} s", timeout.as_secs()));
            }
            Waited::Interrupted => return unfinished(Exit::Interrupted, "interrupted"),
        }
        Ok(Exit::Done)
    }

    /// Looks anew each time: a dying JobManager asks for TaskManagers.
    async fn look(&mut self) -> Result<Look<Gone>, CommandError> {
        self.last = self.cluster.session_objects(self.cluster.namespace(), self.name).await?;
        if is_another(&self.first, &self.last) {
            return Ok(Look::Done(Gone::AndMadeAnew));
        }
        let new: Vec<ObjectRef> =
            self.last.all().filter(|object| !self.seen.contains(object)).cloned().collect();
        self.seen.extend(new);
        if !self.last.is_empty() {
            self.looked_empty = false;
            self.step().await?;
            return Ok(Look::Again(TICK));
        }
        // The reads of one look are not of one moment: a client that was stopped in between may have
        // made something in the last one.
        Ok(match std::mem::replace(&mut self.looked_empty, true) {
            true => Look::Done(Gone::ForGood),
            false => Look::Again(Duration::ZERO),
        })
    }

    /// Asks for the deletion of what has not been asked yet.
    ///
    /// With high availability the JobManager goes first: one that sees its TaskManagers vanish marks
    /// its jobs as failed for good and drops the state that is to be kept. Without it all goes at
    /// once, and explicitly: what a 1.10 session made has an owner that the garbage collector cannot
    /// resolve.
    async fn step(&mut self) -> Result<(), CommandError> {
        let objects = self.last.clone();
        for job in &objects.jobs {
            self.delete_once(job, Propagation::Foreground).await?;
        }
        let Some(deployment) = &objects.deployment else {
            // Nobody is left to take them along.
            let pods = objects.owned_pods.iter().filter(|_| objects.jobs.is_empty());
            return self.delete_all(objects.parts().chain(pods)).await;
        };
        if !objects.high_availability.is_empty() && !objects.owned_pods.is_empty() {
            return self.stop(deployment).await;
        }
        self.delete_once(deployment, Propagation::Foreground).await?;
        self.delete_all(objects.parts()).await
    }

    async fn stop(&mut self, deployment: &ObjectRef) -> Result<(), CommandError> {
        if !self.stopped {
            let stopped = self.cluster.scale_to_zero(self.cluster.namespace(), deployment).await;
            stopped.map_err(|error| {
                CommandError::from(error)
                    .while_doing(format!("cannot stop {deployment} before it is deleted"))
            })?;
            self.stopped = true;
        }
        Ok(())
    }

    async fn delete_all<'o>(
        &mut self,
        objects: impl Iterator<Item = &'o ObjectRef>,
    ) -> Result<(), CommandError> {
        for object in objects {
            self.delete_once(object, Propagation::Background).await?;
        }
        Ok(())
    }

    async fn delete_once(
        &mut self,
        object: &ObjectRef,
        propagation: Propagation,
    ) -> Result<(), CommandError> {
        if self.asked.contains(object) {
            return Ok(());
        }
        let namespace = self.cluster.namespace();
        match self.cluster.delete(namespace, object, propagation).await {
            Ok(_) => {}
            // What the Deployment owns goes with it, whoever may delete it.
            Err(error) if error.is_forbidden() && self.asked.iter().any(|o| o.kind == Kind::Deployment) => {}
            Err(error) => {
                let what = format!("cannot delete {object} in namespace {namespace}");
                return Err(CommandError::from(error).while_doing(what));
            }
        }
        self.asked.insert(object.clone());
        Ok(())
    }
}

/// True when `now` shows something under the session's name that was not there when the user agreed
/// to the deletion of `first`, and that neither a dying JobManager (TaskManagers) nor a bootstrap
/// that was just being stopped has made.
fn is_another(first: &SessionObjects, now: &SessionObjects) -> bool {
    let appeared = |object: &ObjectRef| !first.all().any(|known| known == object);
    let client_was_at_work = !first.jobs.is_empty();
    let replaced = now
        .deployment
        .iter()
        .any(|deployment| appeared(deployment) && (first.deployment.is_some() || !client_was_at_work));
    let parts = now.services.iter().chain(&now.config_maps);
    replaced
        || now.jobs.iter().any(appeared)
        || now.foreign.is_some()
        || now.owner == Some(Owner::FlinkOperator)
        || (!client_was_at_work && parts.into_iter().any(appeared))
}

/// High-availability state outlives a session, and brings its jobs back when the name is used again.
fn tell_what_stays(name: &SessionName, cluster: &Cluster, objects: &SessionObjects, app: &App) {
    if objects.high_availability.is_empty() {
        return;
    }
    let list: Vec<String> = objects.high_availability.iter().map(ToString::to_string).collect();
    app.ui.warn(&format!("kept, the high-availability state of session {name}: {}", list.join(", ")));
    app.ui.hint(&format!(
        "if its jobs are not needed any more: kubectl delete{} {}",
        cluster.full_scope(),
        list.join(" ")
    ));
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
            services: service.map(|uid| object(Kind::Service, uid)).into_iter().collect(),
            ..SessionObjects::default()
        }
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
}
