//! What to do about a refusal or a cause, by the words of the component that said it.

use crate::diagnosis::rules::refusal::{self, Refusal};
use crate::diagnosis::stack_trace;
use crate::model::Evidence;
use crate::session::manifest::rbac;
use crate::session::plugin_for;

/// What to do when the API server refused to let a controller make a pod.
pub fn for_refusal(refused: &str, evidence: &Evidence) -> String {
    let Evidence { namespace, scope, .. } = evidence;
    refusal::of(refused)
        .and_then(|refusal| refusal.fix(namespace, scope))
        .unwrap_or_else(|| format!("kubectl get events{scope}"))
}

/// What to do about a cause that Flink's client or JobManager named.
pub fn for_cause(cause: &str, evidence: &Evidence) -> Option<String> {
    if let Some(scheme) = stack_trace::missing_file_system(cause) {
        let plugin = plugin_for(scheme).unwrap_or("NAME");
        return Some(format!("create the session with --plugin {plugin}, which turns that file system on"));
    }
    let Evidence { namespace, scope, .. } = evidence;
    match refusal::of(cause) {
        Some(Refusal::Finalizers) => Some(format!(
            "the cluster demands the right to update deployments/finalizers: an administrator adds it to role {} in namespace {namespace}",
            rbac::ROLE,
        )),
        Some(Refusal::Right) => Some(format!(
            "the ServiceAccount lacks that right: --rbac=role grants it, unless role {} is there with less",
            rbac::ROLE
        )),
        Some(refusal) => refusal.fix(namespace, scope),
        None if cause.contains("exceed configured Total") => Some(
            "change the sizes (--jobmanager-memory, --taskmanager-memory), or the -D that is named"
                .to_owned(),
        ),
        None if cause.contains("IllegalConfigurationException") => {
            Some("set what is named (-D KEY=VALUE), or change it".to_owned())
        }
        None => None,
    }
}
