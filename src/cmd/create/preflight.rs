//! What `create` makes sure of before its first write.

use std::time::Duration;

use super::args::Request;
use super::permissions::Plan;
use crate::app::{App, CommandError};
use crate::cluster::{Cluster, Question};
use crate::cmd::standing;
use crate::diagnosis::rules::preflight;
use crate::exit::Exit;
use crate::session::existing::conflicts::{self, Clear, Refusal};
use crate::session::manifest::Manifest;
use crate::session::manifest::{bootstrap_job, labels};
use crate::session::spec::PodSize;
use crate::session::spec::settings::Expose;

const ASK_FOR_NAMESPACE: &str = "ask an administrator for the namespace and for rights in it (docs/permissions.md), then leave --create-namespace out";

/// True when the namespace is there, or may be: not everybody can look.
pub async fn check_namespace(cluster: &Cluster, creates_it: bool) -> Result<bool, CommandError> {
    let namespace = cluster.namespace();
    match cluster.namespace_exists(namespace).await? {
        Some(false) if !creates_it => {
            Err(CommandError::new(Exit::Error, format!("namespace {namespace:?} does not exist"))
                .hint("--create-namespace makes it"))
        }
        Some(false) if !cluster.may("", "create", "", "namespaces", "").await? => Err(CommandError::new(
            Exit::Error,
            format!("namespace {namespace:?} does not exist, and you may not create namespaces (--create-namespace)"),
        )
        .hint(ASK_FOR_NAMESPACE)),
        // Who may not look may still work in it.
        None if creates_it && !cluster.may(namespace, "get", "", "services", "").await? => {
            let what = format!(
                "cannot determine whether namespace {namespace:?} exists: you may not get namespaces, nor services in it"
            );
            Err(CommandError::new(Exit::Error, what).hint(ASK_FOR_NAMESPACE))
        }
        Some(exists) => Ok(exists),
        None => Ok(true),
    }
}

/// Settings that are told of a session that is there with others.
const DIFFERENCES: usize = 5;

/// What one look at the name has found.
pub struct Looked {
    /// Refuses a name that is in use, or whose state would bring old jobs back.
    pub verdict: Result<Clear, CommandError>,
    /// What is being deleted. Without it the verdict may be another one.
    pub ending: Vec<String>,
}

/// Looks at what there is under the name.
pub async fn look_at_name(cluster: &Cluster, request: &Request, app: &App) -> Result<Looked, CommandError> {
    let (namespace, name) = (cluster.namespace(), &request.spec.name);
    let mut found = cluster.found(namespace, name).await?;
    found.trusts_only(&bootstrap_job::Runs::of(&request.spec, namespace));
    let record = request.spec.record(namespace);
    let verdict = conflicts::check(name, namespace, &found, &record, request.reuse_ha);
    let relabelled = match &verdict {
        // While something is being deleted, the verdict is not the last one.
        Err(Refusal::SessionExists { .. }) if found.ending.is_empty() => {
            cluster.relabelled(namespace, name).await?
        }
        _ => Vec::new(),
    };
    let verdict = verdict.map_err(|refusal| {
        let flags = app.scope_flags();
        let refused = |exit| CommandError::new(exit, refusal.to_string());
        match &refusal {
            Refusal::SessionExists { differences, .. } => {
                let more = differences.len().saturating_sub(DIFFERENCES);
                let more = (more > 0).then(|| format!("{more} more settings differ"));
                let told = differences.iter().take(DIFFERENCES).chain(&more);
                let told = told.fold(refused(Exit::Error), |error, difference| error.because(difference));
                standing::with_relabelled(told, &relabelled, name, &cluster.full_scope())
                    .hint(format!("kubectl flink status {name}{flags}, or choose another name"))
            }
            Refusal::BeingCreated { .. } => refused(Exit::Error)
                .hint(format!("kubectl flink status {name}{flags} --wait, or choose another name")),
            Refusal::LeftOver { .. } => {
                refused(Exit::Refused).hint(format!("kubectl flink delete {name}{flags}")).hint(format!(
                    "kubectl flink gc{flags} lists what is left once the session's last pod is gone"
                ))
            }
            Refusal::ApplicationExists { .. } | Refusal::Foreign { .. } | Refusal::ForeignJob { .. } => {
                refused(Exit::Refused).hint("choose another name")
            }
            Refusal::OldJobs { .. } => refused(Exit::Refused)
                .hint("--ha DIR --reuse-ha brings those jobs back, with the DIR that they had")
                .hint(format!(
                    "choose another name, or, if those jobs are not needed: kubectl flink delete {name}{flags} --purge-ha"
                )),
        }
    });
    Ok(Looked { verdict, ending: found.ending })
}

/// What is to be made, and where.
pub struct Asked<'a> {
    pub plan: &'a Plan,
    pub has_namespace: bool,
    /// An ended bootstrap Job has to go first.
    pub replaces: bool,
    pub timeout: Duration,
}

/// Refuses a place where the session would not start, with every reason at once. Returns what the bootstrap pod asks for
/// there.
pub async fn check_place(
    cluster: &Cluster,
    request: &Request,
    asked: &Asked<'_>,
    ignores: bool,
    app: &App,
) -> Result<PodSize, CommandError> {
    let (spec, namespace) = (&request.spec, cluster.namespace());
    let limits = cluster.limits().await?;
    let size = preflight::bootstrap_size(limits.as_deref().unwrap_or_default());
    let needed = [
        (true, ("create", "batch", "jobs", "")),
        (asked.replaces, ("delete", "batch", "jobs", "")),
        (spec.expose != Expose::ClusterIp, ("patch", "", "services", "")),
        (spec.has_network_policy(), ("create", "networking.k8s.io", "networkpolicies", "")),
        (!asked.has_namespace, ("create", "", "namespaces", "")),
    ];
    let job = Manifest::Job(Box::new(bootstrap_job::job(spec, namespace, asked.timeout, size)));
    let question = Question {
        spec,
        of_user: &needed
            .into_iter()
            .filter(|(is_needed, _)| *is_needed)
            .map(|(_, right)| right)
            .collect::<Vec<_>>(),
        of_account: &asked.plan.rights_to_check(spec),
        has_account: asked.plan.has_account,
        has_taskmanager_account: asked.plan.taskmanager_account.is_none(),
        has_namespace: asked.has_namespace,
        limits: limits.as_deref(),
        bootstrap: size,
        manifests: &asked.plan.manifests().into_iter().chain([job]).collect::<Vec<_>>(),
    };
    let around = cluster.surroundings(&question).await?;
    if !around.unreadable.is_empty() {
        app.ui.status(&format!(
            "not checked beforehand, as it could not be read: {}",
            around.unreadable.join(", ")
        ));
    }
    let (fatal, rest): (Vec<_>, Vec<_>) =
        preflight::findings(spec, &around).into_iter().partition(|finding| finding.cannot_heal && !ignores);
    if fatal.is_empty() {
        for finding in rest {
            app.ui.warn(&finding.summary);
        }
        return Ok(size);
    }
    let error = CommandError::new(
        Exit::Error,
        format!("session {} would not start in namespace {namespace}", spec.name),
    );
    let error = fatal.iter().fold(error, |error, finding| {
        let error = error.because(&finding.summary);
        finding.evidence.iter().fold(error, |error, evidence| error.because(evidence))
    });
    let error = fatal.iter().fold(error, |error, finding| error.hint(&finding.fix));
    Err(error.hint("nothing was written; --ignore-preflight tries all the same"))
}

/// The key under which the settings of a session are kept, with what is kept.
pub fn record(request: &Request, namespace: &str) -> (&'static str, String) {
    (labels::SETTINGS, request.spec.record(namespace))
}
