//! Everything that the plugin itself writes for a session, in the order in which it is written.

use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{Namespace, Pod, ServiceAccount};
use k8s_openapi::api::rbac::v1::{ClusterRoleBinding, Role, RoleBinding};
use serde_json::{Value, json};

use super::labels;
use super::pod_template::{MAIN_CONTAINER, PodTemplate};
use super::spec::{PodSize, SessionSpec};

/// One object that is to be created.
#[derive(Clone, Debug)]
pub enum Manifest {
    Namespace(Namespace),
    ServiceAccount(ServiceAccount),
    Role(Role),
    RoleBinding(RoleBinding),
    ClusterRoleBinding(ClusterRoleBinding),
    Job(Box<Job>),
}

impl Manifest {
    /// As kubectl names it: `serviceaccount/flink`.
    pub fn object(&self) -> String {
        let (kind, metadata) = match self {
            Self::Namespace(object) => ("namespace", &object.metadata),
            Self::ServiceAccount(object) => ("serviceaccount", &object.metadata),
            Self::Role(object) => ("role.rbac.authorization.k8s.io", &object.metadata),
            Self::RoleBinding(object) => ("rolebinding.rbac.authorization.k8s.io", &object.metadata),
            Self::ClusterRoleBinding(object) => {
                ("clusterrolebinding.rbac.authorization.k8s.io", &object.metadata)
            }
            Self::Job(object) => ("job.batch", &object.metadata),
        };
        format!("{kind}/{}", metadata.name.as_deref().unwrap_or_default())
    }

    /// As it goes over the wire, with its apiVersion and kind.
    pub fn to_json(&self) -> Value {
        let value = match self {
            Self::Namespace(object) => serde_json::to_value(object),
            Self::ServiceAccount(object) => serde_json::to_value(object),
            Self::Role(object) => serde_json::to_value(object),
            Self::RoleBinding(object) => serde_json::to_value(object),
            Self::ClusterRoleBinding(object) => serde_json::to_value(object),
            Self::Job(object) => serde_json::to_value(object),
        };
        value.unwrap_or_default()
    }
}

/// A pod like those of each role of the session, to show to an API server that decides what it would
/// admit. Flink itself makes the real ones.
pub fn sample_pods(spec: &SessionSpec, namespace: &str, account: &str) -> [(&'static str, Option<Pod>); 2] {
    let [jobmanager, taskmanager] = spec.templates();
    let demand = spec.demand();
    [
        ("JobManager", sample(spec, namespace, account, jobmanager, demand.jobmanager)),
        ("TaskManager", sample(spec, namespace, account, taskmanager, demand.taskmanager)),
    ]
}

fn sample(
    spec: &SessionSpec,
    namespace: &str,
    account: &str,
    template: Option<PodTemplate>,
    size: PodSize,
) -> Option<Pod> {
    let cpu = |millicores: u64| format!("{millicores}m");
    let memory = |mebibytes: Option<u64>| mebibytes.map(|mebibytes| format!("{mebibytes}Mi"));
    let requests = json!({"cpu": cpu(size.cpu_request), "memory": memory(size.memory_request)});
    let limits = json!({"cpu": cpu(size.cpu_limit), "memory": memory(size.memory_limit)});
    let own: PodTemplate = PodTemplate::from_json(json!({
        // Without Flink's own labels: no Service must ever select it.
        "metadata": {
            "name": null, "generateName": format!("{}-", spec.name), "namespace": namespace,
            "labels": {labels::MANAGED_BY: labels::PLUGIN},
        },
        "spec": {
            "serviceAccountName": account,
            "nodeSelector": spec.settings.node_selector,
            "containers": [{
                "name": MAIN_CONTAINER, "image": spec.image,
                "resources": {"requests": requests, "limits": limits},
            }],
        },
    }));
    let mut whole = template.unwrap_or_else(PodTemplate::empty).under(Some(&own)).as_json().clone();
    if let Some(metadata) = whole.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.remove("name");
    }
    serde_json::from_value(whole).ok()
}
