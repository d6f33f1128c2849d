//! What every command says of a session that is not there, or not ready: one state, one sentence.

use super::ls::not_found_among;
use super::near;
use crate::app::CommandError;
use crate::cluster::{Cluster, Query};
use crate::diagnosis;
use crate::exit::Exit;
use crate::model::{Evidence, Finding, Relabelled};
use crate::session::SessionName;
use crate::session::existing::state::{Remains, State};

/// Why session `name` cannot be used, by what was observed of it. Where its Deployment is gone, this reads what is
/// left of it, as `ls` does.
///
/// # Errors
/// Whatever keeps the cluster from telling.
pub async fn why_not(
    name: &SessionName,
    evidence: &Evidence,
    cluster: &Cluster,
) -> Result<CommandError, CommandError> {
    let remains = match diagnosis::rules::state::of(evidence, Remains::Nothing) {
        State::Absent => remains(name, cluster).await?,
        _ => Remains::Nothing,
    };
    if diagnosis::rules::state::of(evidence, remains) == State::Absent && evidence.unreadable.is_empty() {
        return Ok(near::not_found(name, cluster).await);
    }
    Ok(sentence(name, evidence, diagnosis::rules::state::of(evidence, remains), cluster))
}

/// The same, for a command that has not observed the session itself.
///
/// # Errors
/// Whatever keeps the cluster from telling.
pub async fn why_not_there(name: &SessionName, cluster: &Cluster) -> Result<CommandError, CommandError> {
    let evidence = cluster.observe(cluster.namespace(), name).await?;
    why_not(name, &evidence, cluster).await
}

/// What is left of a session without a Deployment.
async fn remains(name: &SessionName, cluster: &Cluster) -> Result<Remains, CommandError> {
    let found = cluster.sessions(&Query::of(cluster.namespace(), name)).await?;
    Ok(match found.views.first().map(|view| view.status.as_str()) {
        None => Remains::Nothing,
        Some("Terminating") => Remains::Going,
        Some(_) => Remains::Staying,
    })
}

fn sentence(name: &SessionName, evidence: &Evidence, state: State, cluster: &Cluster) -> CommandError {
    let (namespace, scope) = (cluster.namespace(), cluster.full_scope());
    let findings = diagnosis::findings(evidence);
    let is_of_labels = |finding: &&Finding| finding.id == diagnosis::rules::labels::ID;
    let worst = findings.iter().find(|finding| !is_of_labels(finding));
    let error = |what: String| CommandError::new(Exit::Error, what);
    let because = |what: String| match worst {
        Some(finding) => CommandError::from_finding(Exit::Error, what, finding),
        None => error(what),
    };
    match state {
        State::Absent | State::Unknown => not_found_among(name, namespace, &evidence.unreadable),
        State::Foreign => foreign(name, Exit::Error, cluster),
        State::Application => application(name, Exit::Error, cluster),
        State::BeingCreated => because(format!("session {name} is still being created"))
            .hint(format!("kubectl flink status {name}{scope} --wait")),
        State::BootstrapFailed => because(format!("the bootstrap of session {name} failed")),
        State::Terminating => error(format!("session {name} is being deleted"))
            .hint(format!("kubectl flink ls{scope} -w shows when it is gone")),
        State::Stopped => because(format!("session {name} is stopped")),
        State::Orphaned => {
            let finding = diagnosis::rules::state::orphaned(evidence);
            error(finding.summary).hint(finding.fix)
        }
        State::Created => match worst {
            Some(_) => because(format!("session {name} is not accepting requests")),
            None => error(format!("session {name} is not accepting requests"))
                .because("no JobManager pod is ready")
                .hint(format!("kubectl flink status {name}{scope} --wait")),
        },
    }
}

/// A Deployment of another program has the name.
pub fn foreign(name: &SessionName, exit: Exit, cluster: &Cluster) -> CommandError {
    let (namespace, scope) = (cluster.namespace(), cluster.full_scope());
    CommandError::new(exit, format!("deployment.apps/{name} in namespace {namespace} is not a Flink session"))
        .hint(format!("kubectl get{scope} deployment.apps/{name} --show-labels"))
}

/// The Deployment is that of an application cluster.
pub fn application(name: &SessionName, exit: Exit, cluster: &Cluster) -> CommandError {
    let (namespace, scope) = (cluster.namespace(), cluster.full_scope());
    let what = format!(
        "{name} in namespace {namespace} is a Flink application cluster, not a session: it ends with its job"
    );
    CommandError::new(exit, what).hint(format!("kubectl flink jobs {name}{scope} -a"))
}

/// Adds which labels were changed, and the commands that repair them.
pub fn with_relabelled(
    told: CommandError,
    relabelled: &[Relabelled],
    name: &SessionName,
    scope: &str,
) -> CommandError {
    relabelled
        .iter()
        .map(|object| diagnosis::rules::labels::of(object, name.as_str(), scope))
        .fold(told, |told, finding| told.because(finding.summary).hint(finding.fix))
}
