//! `kubectl flink delete NAME`: removes everything of a session and waits until it is gone.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::app::wait::{Look, Waited, until};
use crate::app::{App, CommandError, duration};
use crate::cluster::{Cluster, ObjectRef, Propagation, SessionObjects};
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
    let name: SessionName = args.name.parse()?;
    let cluster = app.cluster().await?;
    let namespace = cluster.namespace();
    let objects = cluster.session_objects(namespace, &name).await?;
    refuse_what_is_not_ours(&name, namespace, &objects)?;
    if objects.is_empty() {
        return not_there(&name, namespace, &objects, &args, app);
    }
    confirm(&cluster, &name, &objects, &args, app).await?;
    let deleted = remove(&cluster, &name, objects.clone(), &args, app).await?;
    app.ui.data(&deleted.iter().map(|object| format!("{object} deleted\n")).collect::<String>())?;
    tell_what_stays(&name, namespace, &objects, app);
    Ok(Exit::Done)
}

fn refuse_what_is_not_ours(
    name: &SessionName,
    namespace: &str,
    objects: &SessionObjects,
) -> Result<(), CommandError> {
    let refused = |message: String| Err(CommandError::new(Exit::Refused, message));
    if let Some(foreign) = &objects.foreign {
        return refused(format!("{foreign} in namespace {namespace} is no Flink session"))
            .map_err(|error| error.hint(format!("kubectl get -n {namespace} {foreign} --show-labels")));
    }
    if objects.is_application {
        return refused(format!(
            "{name} in namespace {namespace} is a Flink application cluster, not a session"
        ))
        .map_err(|error| error.hint(format!("kubectl delete -n {namespace} deployment.apps/{name}")));
    }
    if objects.owner == Some(Owner::FlinkOperator) {
        return refused(format!("session {name} in namespace {namespace} belongs to the Flink operator"))
            .map_err(|error| error.hint(format!("kubectl delete -n {namespace} flinkdeployment {name}")));
    }
    Ok(())
}

fn not_there(
    name: &SessionName,
    namespace: &str,
    objects: &SessionObjects,
    args: &Args,
    app: &App,
) -> Result<Exit, CommandError> {
    tell_what_stays(name, namespace, objects, app);
    if args.ignore_not_found {
        return Ok(Exit::Done);
    }
    Err(super::ls::not_found(name, namespace))
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

/// Deletes until nothing is left and says what there was, in the order of the first look.
async fn remove(
    cluster: &Cluster,
    name: &SessionName,
    first: SessionObjects,
    args: &Args,
    app: &App,
) -> Result<Vec<ObjectRef>, CommandError> {
    let namespace = cluster.namespace();
    let progress = app.ui.progress();
    let mut named: Vec<ObjectRef> = first.all().cloned().collect();
    let mut asked: BTreeSet<ObjectRef> = BTreeSet::new();
    let mut left = named.len();
    let mut seen_empty = false;
    let waited = until(args.timeout, cluster.changes(namespace, name), async || {
        // Looked at anew each time: a dying JobManager asks for TaskManagers.
        let objects = cluster.session_objects(namespace, name).await?;
        named.extend(objects.all().filter(|object| !named.contains(object)).cloned().collect::<Vec<_>>());
        left = objects.all().count();
        if left == 0 {
            // The reads of one look are not of one moment: a client that was stopped in between may
            // have made something in the last one.
            return Ok(if std::mem::replace(&mut seen_empty, true) {
                Look::Done(())
            } else {
                Look::Again(Duration::ZERO)
            });
        }
        seen_empty = false;
        step(cluster, namespace, &objects, &mut asked).await?;
        progress.waiting_for(&format!("session {name} to be gone"));
        Ok(Look::Again(TICK))
    })
    .await?;
    drop(progress);
    let again = format!("kubectl flink delete {name}{}", app.scope_flags());
    match waited {
        Waited::Done(()) => Ok(named),
        Waited::TimedOut => Err(CommandError::new(
            Exit::TimedOut,
            format!("{left} objects of session {name} are still there after {} s", args.timeout.as_secs()),
        )
        .hint(format!("{again} goes on"))),
        Waited::Interrupted => Err(CommandError::new(
            Exit::Interrupted,
            format!("interrupted: {left} objects of session {name} are still there"),
        )
        .hint(format!("{again} goes on"))),
    }
}

/// Asks for the deletion of what has not been asked yet.
///
/// With high availability the JobManager goes first: one that sees its TaskManagers vanish marks
/// its jobs as failed for good and drops the state that is to be kept. Without it all goes at once,
/// and explicitly: what a 1.10 session made has an owner that the garbage collector cannot resolve.
async fn step(
    cluster: &Cluster,
    namespace: &str,
    objects: &SessionObjects,
    asked: &mut BTreeSet<ObjectRef>,
) -> Result<(), CommandError> {
    for job in &objects.jobs {
        delete_once(cluster, namespace, job, Propagation::Foreground, asked).await?;
    }
    if let Some(deployment) = &objects.deployment {
        if !objects.high_availability.is_empty() && !objects.owned_pods.is_empty() {
            if !asked.contains(deployment) {
                cluster.scale_to_zero(namespace, deployment).await.map_err(|error| {
                    CommandError::from(error).while_doing(format!("cannot stop {deployment}"))
                })?;
                asked.insert(deployment.clone());
            }
            return Ok(());
        }
        // Having been scaled down is not having been deleted.
        if !objects.high_availability.is_empty() {
            asked.remove(deployment);
        }
        delete_once(cluster, namespace, deployment, Propagation::Foreground, asked).await?;
    }
    for object in objects.services.iter().chain(&objects.config_maps).chain(&objects.taskmanagers) {
        delete_once(cluster, namespace, object, Propagation::Background, asked).await?;
    }
    Ok(())
}

async fn delete_once(
    cluster: &Cluster,
    namespace: &str,
    object: &ObjectRef,
    propagation: Propagation,
    asked: &mut BTreeSet<ObjectRef>,
) -> Result<(), CommandError> {
    if !asked.contains(object) {
        cluster.delete(namespace, object, propagation).await.map_err(|error| {
            CommandError::from(error).while_doing(format!("cannot delete {object} in namespace {namespace}"))
        })?;
        asked.insert(object.clone());
    }
    Ok(())
}

/// High-availability state outlives a session, and brings its jobs back when the name is used again.
fn tell_what_stays(name: &SessionName, namespace: &str, objects: &SessionObjects, app: &App) {
    if objects.high_availability.is_empty() {
        return;
    }
    let list: Vec<String> = objects.high_availability.iter().map(ToString::to_string).collect();
    app.ui.warn(&format!("kept, the high-availability state of session {name}: {}", list.join(", ")));
    app.ui.hint(&format!(
        "if its jobs are not needed any more: kubectl delete -n {namespace} {}",
        list.join(" ")
    ));
}
