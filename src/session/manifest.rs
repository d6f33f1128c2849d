//! Everything that the plugin itself writes for a session, in the order in which it is written.

use std::time::Duration;

use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{Namespace, Pod, ServiceAccount};
use k8s_openapi::api::rbac::v1::{ClusterRoleBinding, Role, RoleBinding};
use serde_json::{Value, json};

use super::pod_template::{MAIN_CONTAINER, PodTemplate};
use super::spec::{PodSize, SessionSpec};
use super::{bootstrap, labels};

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

/// A pod like those of each role of the session, and the bootstrap pod, to show to an API server that
/// decides what it would admit. Flink itself makes the real ones.
pub fn sample_pods(spec: &SessionSpec, namespace: &str, account: &str) -> Vec<(&'static str, Option<Pod>)> {
    let [jobmanager, taskmanager] = spec.templates();
    let demand = spec.demand();
    vec![
        ("bootstrap", bootstrap_pod(spec, namespace, account)),
        ("JobManager", sample(spec, namespace, account, jobmanager, demand.jobmanager)),
        ("TaskManager", sample(spec, namespace, account, taskmanager, demand.taskmanager)),
    ]
}

fn bootstrap_pod(spec: &SessionSpec, namespace: &str, account: &str) -> Option<Pod> {
    let template = bootstrap::job(spec, namespace, Duration::ZERO).spec?.template;
    let mut pod = Pod { metadata: template.metadata.unwrap_or_default(), spec: template.spec, status: None };
    pod.metadata.generate_name = Some(format!("{}-", spec.name.bootstrap_job()));
    pod.metadata.namespace = Some(namespace.to_owned());
    // Like the Job's, and found as nobody's.
    pod.metadata.labels.as_mut().map(|labels| labels.remove(labels::APP));
    if let Some(spec) = &mut pod.spec {
        spec.service_account_name = Some(account.to_owned());
    }
    Some(pod)
}

fn sample(
    spec: &SessionSpec,
    namespace: &str,
    account: &str,
    template: Option<PodTemplate>,
    size: PodSize,
) -> Option<Pod> {
    let mut whole = template
        .unwrap_or_else(PodTemplate::empty)
        .under(Some(&own_part(spec, namespace, account, size)))
        .as_json()
        .clone();
    if let Some(metadata) = whole.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.remove("name");
    }
    let mut pod: Pod = serde_json::from_value(whole).ok()?;
    let placed = bootstrap::job(spec, namespace, Duration::ZERO).spec.and_then(|job| job.template.spec);
    let (of_pod, placed) = (pod.spec.get_or_insert_default(), placed.unwrap_or_default());
    of_pod.tolerations = placed.tolerations;
    of_pod.image_pull_secrets = placed.image_pull_secrets;
    Some(pod)
}

/// What Flink puts over a template.
fn own_part(spec: &SessionSpec, namespace: &str, account: &str, size: PodSize) -> PodTemplate {
    let resources = |cpu: u64, memory: Option<u64>| {
        let mut amounts = json!({"cpu": format!("{cpu}m")});
        if let Some(memory) = memory {
            amounts["memory"] = format!("{memory}Mi").into();
        }
        amounts
    };
    // Without Flink's own labels: no Service must ever select it.
    let mut labels = spec.settings.labels.clone();
    labels.insert(labels::MANAGED_BY.to_owned(), labels::PLUGIN.to_owned());
    PodTemplate::from_json(json!({
        "metadata": {
            "generateName": format!("{}-", spec.name), "namespace": namespace,
            "labels": labels, "annotations": spec.settings.annotations,
        },
        "spec": {
            "serviceAccountName": account,
            "nodeSelector": spec.settings.node_selector,
            "containers": [{
                "name": MAIN_CONTAINER, "image": spec.image,
                "resources": {
                    "requests": resources(size.cpu_request, size.memory_request),
                    "limits": resources(size.cpu_limit, size.memory_limit),
                },
            }],
        },
    }))
}
