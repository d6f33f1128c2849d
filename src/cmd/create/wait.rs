//! What `create` does when its wait has ended.

use std::cell::RefCell;
use std::time::Duration;

use super::Started;
use super::args::Request;
use super::policy;
use super::preflight::{Looked, look_at_name};
use crate::app::wait::{Look, Waited, until};
use crate::app::{App, CommandError};
use crate::cluster::{Cluster, Propagation};
use crate::cmd::readiness::{self, Awaited, Ended};
use crate::cmd::rights;
use crate::diagnosis;
use crate::exit::Exit;
use crate::model::evidence::{Outcome, Rest};
use crate::model::{Evidence, Finding};
use crate::session::SessionSpec;
use crate::session::existing::conflicts::Clear;
use crate::session::spec::settings::Expose;
use crate::session::text::shell::quoted;

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
                let needed = rights::needed_for_rest(why);
                app.ui.warn(&format!("cannot reach the REST API of session {}: {needed}", spec.name));
            }
            Ok(evidence)
        }
        Ended::Hopeless(evidence, finding) => {
            Err(failure(cluster, spec, started, &evidence, &finding, app).await)
        }
        Ended::TimedOut(late) => {
            Err(goes_on(spec, readiness::unfinished(&spec.name, timeout, Some(&late), app), app))
        }
        Ended::Interrupted => Err(goes_on(spec, readiness::unfinished(&spec.name, timeout, None, app), app)),
    }
}

/// Objects as words of a command.
fn words(objects: &[String]) -> String {
    objects.iter().map(|object| quoted(object)).collect::<Vec<_>>().join(" ")
}

/// The command that deletes what was begun, in a form that can be copied as it is, also where no terminal can be asked on.
/// `delete` asks the JobManager for its jobs. One that crashes does not respond, and with high availability it may
/// have jobs of an earlier session: their state is kept, and `--force` is right.
fn deletion(spec: &SessionSpec, app: &App) -> String {
    let force = if spec.has_high_availability() { " --force" } else { "" };
    format!("kubectl flink delete {}{}{force} --yes", spec.name, app.scope_flags())
}

/// What else can be done about a session that goes on starting. The Service gets its type at the end,
/// which only a `create` comes to.
fn goes_on(spec: &SessionSpec, error: CommandError, app: &App) -> CommandError {
    let error = error.hint(format!("to delete it: {}", deletion(spec, app)));
    match spec.expose {
        Expose::ClusterIp => error,
        expose => error.hint(format!(
            "run the same create command again to resume waiting, and to make the Service a {}",
            expose.as_str()
        )),
    }
}

/// Looks at the name until nothing under it is being deleted, and returns what is to be done then. An object of
/// a session that is being deleted is never the new one's, and its client may yet make others.
pub async fn until_clear(cluster: &Cluster, request: &Request, app: &App) -> Result<Clear, CommandError> {
    /// Pods have half a minute to end.
    const LONGEST: Duration = Duration::from_secs(60);
    // A server that is not there is told at once.
    let first = look_at_name(cluster, request, app).await?;
    if first.ending.is_empty() {
        return first.verdict;
    }
    let progress = app.ui.progress();
    let (name, ending) = (&request.spec.name, RefCell::new(first.ending));
    let waited = until(LONGEST, futures::stream::pending(), async || {
        progress
            .waiting_for(&format!("an earlier session {name} to be gone: {}", ending.borrow().join(", ")));
        let Looked { verdict, ending: now } = look_at_name(cluster, request, app).await?;
        if now.is_empty() {
            return verdict.map(Look::Done);
        }
        ending.replace(now);
        Ok(Look::Again(Duration::from_millis(500)))
    })
    .await?;
    let ending = ending.take();
    let is_or_are = if ending.len() == 1 { "is" } else { "are" };
    let left = format!("{} {is_or_are} still being deleted", ending.join(", "));
    match waited {
        Waited::Done(clear) => Ok(clear),
        Waited::TimedOut => Err(CommandError::new(
            Exit::TimedOut,
            format!("session {name} was not created: after {} s {left}", LONGEST.as_secs()),
        )
        .hint(format!("to see why: kubectl get{} {} -o yaml", cluster.full_scope(), words(&ending)))
        .hint("run the same create command again to resume waiting")),
        Waited::Interrupted => Err(CommandError::new(
            Exit::Interrupted,
            format!("interrupted: session {name} was not created; {left}"),
        )
        .hint("run the same create command again to resume waiting")),
    }
}

/// A write that a signal has cut short, so that nobody knows what came of it.
pub fn cut_short(spec: &SessionSpec, object: &str, app: &App) -> CommandError {
    let what = format!("interrupted: cannot determine whether {object} was created");
    goes_on(spec, CommandError::new(Exit::Interrupted, what), app)
}

/// A session of which a signal has kept the first write, or one before the bootstrap Job.
pub fn not_begun(spec: &SessionSpec) -> CommandError {
    CommandError::new(Exit::Interrupted, format!("interrupted: session {} was not created", spec.name))
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
    let job = &started.job;
    let error =
        CommandError::from_finding(Exit::Error, format!("session {} cannot start", spec.name), finding);
    // Somebody else's Deployment is there.
    let is_taken = finding.id == diagnosis::rules::NAME_TAKEN;
    let never_ran = (is_taken || !started.is_resumed)
        && evidence.bootstrap.as_ref().is_some_and(|bootstrap| bootstrap.outcome == Outcome::Running)
        && (is_taken || evidence.deployment.is_none());
    if evidence.deployment.is_some() && !is_taken {
        return error.hint(format!("to delete it: {}", deletion(spec, app)));
    }
    if never_ran {
        let deleted = cluster.delete(&evidence.namespace, job, Propagation::Foreground).await;
        let now = cluster.observe(&evidence.namespace, &spec.name).await;
        let error = match &now {
            Ok(now) if is_taken && is_lost(evidence, now) => {
                error.because("that Deployment is gone: Flink's client may have deleted it at its very start")
            }
            _ => error,
        };
        let is_clean = is_taken || now.is_ok_and(|now| now.deployment.is_none());
        return match deleted {
            Ok(_) if is_clean => {
                policy::remove(cluster, spec).await;
                app.ui.status(&format!("{job} deleted: no session {} will come of it", spec.name));
                error
            }
            _ => error.hint(format!("to delete what is left: {}", deletion(spec, app))),
        };
    }
    match &evidence.bootstrap {
        Some(bootstrap) if bootstrap.outcome == Outcome::Running => {
            error.hint(format!("to delete it, before another create: {}", deletion(spec, app)))
        }
        Some(_) => error.hint(format!(
            "after a change, create {} again: {job} is kept for its log until then",
            spec.name
        )),
        None => error,
    }
}

/// True when the Deployment that was seen before is not there any more, be it one of Flink or of another program.
fn is_lost(before: &Evidence, now: &Evidence) -> bool {
    let uid = |evidence: &Evidence| evidence.deployment.as_ref().map(|deployment| deployment.uid.clone());
    let was_flinks = uid(before).is_some() && uid(before) != uid(now);
    let was_foreign = before.has_foreign_deployment && !now.has_foreign_deployment;
    // What cannot be read may be there.
    now.unreadable.is_empty() && (was_flinks || was_foreign)
}
