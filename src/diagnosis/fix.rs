//! What to do about a refusal or a cause, by the words of the component that said it.

use crate::model::Evidence;
use crate::session::rbac;

/// What to do when the API server refused to let a controller make a pod.
pub fn for_refusal(refused: &str, evidence: &Evidence) -> String {
    let Evidence { namespace, scope, .. } = evidence;
    if refused.contains("exceeded quota") || refused.contains("failed quota") {
        format!("kubectl describe quota{scope}")
    } else if refused.contains("violates PodSecurity") {
        format!(
            "--restricted makes the session's pods fit the level restricted; the namespace's level: kubectl get namespace {namespace}{scope} --show-labels"
        )
    } else if refused.contains("per Container is") {
        format!("kubectl describe limitrange{scope}")
    } else if refused.contains("serviceaccount") && refused.contains("not found") {
        "make it (create does, unless --rbac=none), or name one that exists (--service-account)".to_owned()
    } else {
        format!("kubectl get events{scope}")
    }
}

/// What to do about a cause that Flink's client or JobManager named.
pub fn for_cause(cause: &str, evidence: &Evidence) -> Option<String> {
    if cause.contains("set finalizers on") {
        Some(format!(
            "the cluster demands the right to update deployments/finalizers: an administrator adds it to role {} in namespace {}",
            rbac::ROLE,
            evidence.namespace
        ))
    } else if ["exceeded quota", "failed quota", "violates PodSecurity", "denied the request"]
        .iter()
        .any(|words| cause.contains(words))
    {
        Some(for_refusal(cause, evidence))
    } else if cause.contains("is forbidden") {
        Some(format!(
            "the ServiceAccount lacks that right: --rbac=role grants it, unless role {} is there with less",
            rbac::ROLE
        ))
    } else if cause.contains("exceed configured Total") {
        Some(
            "change the sizes (--jobmanager-memory, --taskmanager-memory), or the -D that is named"
                .to_owned(),
        )
    } else if cause.contains("IllegalConfigurationException") {
        Some("set what is named (-D KEY=VALUE), or change it".to_owned())
    } else {
        None
    }
}
