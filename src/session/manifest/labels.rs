//! Labels and annotations: Flink's, which find sessions, and the plugin's own.

use std::collections::BTreeMap;

use crate::session::spec::name::SessionName;

/// On everything that Flink creates for a session, with the session's name as value.
pub const APP: &str = "app";
/// On everything that Flink creates for native Kubernetes sessions and applications.
pub const TYPE: &str = "type";
pub const TYPE_NATIVE: &str = "flink-native-kubernetes";
/// On Deployment and pods: `jobmanager` or `taskmanager`.
pub const COMPONENT: &str = "component";
pub const JOBMANAGER: &str = "jobmanager";
pub const TASKMANAGER: &str = "taskmanager";

pub const MANAGED_BY: &str = "app.kubernetes.io/managed-by";
pub const PLUGIN: &str = "kubectl-flink";
/// On the bootstrap Job and its pod.
pub const ROLE: &str = "app.kubernetes.io/component";
pub const BOOTSTRAP: &str = "bootstrap";
pub const NETWORK_POLICY: &str = "network-policy";
/// On the pods of a Job, by Kubernetes itself: the Job's name.
pub const OF_JOB: &str = "job-name";
/// On the pods of the SQL client.
pub const SQL: &str = "sql";
/// On a session's Deployment: the version that REST answered with.
pub const VERSION: &str = "app.kubernetes.io/version";

/// Annotation of the bootstrap Job, and later of the session's Deployment: the settings that the
/// session was made from, as a FlinkDeployment in JSON.
pub const SETTINGS: &str = "kubectl-flink/settings";

/// How the annotations begin that are files of the bootstrap Job; a number follows.
pub const FILE: &str = "kubectl-flink/file-";

/// A setting of Flink's that the bootstrap script adds: the uid of the bootstrap pod, so that no two sessions have
/// the same. REST shows it (`GET /jobmanager/config`), and so does the session's ConfigMap.
pub const SESSION_ID: &str = "kubectl-flink.session-id";

/// Labels of the bootstrap Job and its pod. `app` makes `kubectl get pod -l app=NAME` show the pod;
/// `component` and `type` must not be there, since Flink's Services select by them.
pub fn bootstrap(name: &SessionName) -> BTreeMap<String, String> {
    owned([(APP, name.as_str()), (MANAGED_BY, PLUGIN), (ROLE, BOOTSTRAP)])
}

/// Labels of the session's NetworkPolicy. Flink's are not among them, since Flink did not make it.
pub fn network_policy(name: &SessionName) -> BTreeMap<String, String> {
    owned([(APP, name.as_str()), (MANAGED_BY, PLUGIN), (ROLE, NETWORK_POLICY)])
}

/// Labels of what serves all sessions of a namespace.
pub fn shared() -> BTreeMap<String, String> {
    owned([(MANAGED_BY, PLUGIN)])
}

fn owned<const N: usize>(pairs: [(&str, &str); N]) -> BTreeMap<String, String> {
    pairs.into_iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect()
}

/// Selects everything of one session that Flink made.
pub fn selector_of(name: &SessionName) -> String {
    format!("{APP}={name},{TYPE}={TYPE_NATIVE}")
}

/// Selects everything of all sessions that Flink made.
pub fn selector_of_all() -> String {
    format!("{TYPE}={TYPE_NATIVE}")
}

/// Selects the bootstrap Jobs of all sessions that the plugin made.
pub fn selector_of_bootstraps() -> String {
    format!("{MANAGED_BY}={PLUGIN},{ROLE}={BOOTSTRAP}")
}

/// Selects the NetworkPolicies of all sessions.
pub fn selector_of_network_policies() -> String {
    format!("{MANAGED_BY}={PLUGIN},{ROLE}={NETWORK_POLICY}")
}

/// Selects the pods of the SQL client.
pub fn selector_of_sql() -> String {
    format!("{MANAGED_BY}={PLUGIN},{ROLE}={SQL}")
}

/// Narrows `selector` down to the sessions of `names`, unless it is empty.
pub fn narrowed(selector: String, names: &[SessionName]) -> String {
    if names.is_empty() {
        return selector;
    }
    let names: Vec<&str> = names.iter().map(SessionName::as_str).collect();
    format!("{selector},{APP} in ({})", names.join(","))
}
