//! Everything that the plugin itself writes for a session, in the order in which it is written.

pub mod accounts;
pub mod bootstrap_job;
pub mod cluster_grant;
pub mod labels;
pub mod network_policy;
pub mod pod_template;
pub mod rbac;
pub mod rbac_found;

use std::time::Duration;

use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{Namespace, Pod, ServiceAccount};
use k8s_openapi::api::networking::v1::NetworkPolicy;
use k8s_openapi::api::rbac::v1::{ClusterRoleBinding, Role, RoleBinding};
use serde_json::{Value, json};

use super::spec::{PodSize, SessionSpec};
use crate::session::manifest::pod_template::{MAIN_CONTAINER, PodTemplate};

/// One object that is to be created.
#[derive(Clone, Debug)]
pub enum Manifest {
    Namespace(Namespace),
    ServiceAccount(ServiceAccount),
    Role(Role),
    RoleBinding(RoleBinding),
    ClusterRoleBinding(ClusterRoleBinding),
    NetworkPolicy(Box<NetworkPolicy>),
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
            Self::NetworkPolicy(object) => (network_policy::RESOURCE, &object.metadata),
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
            Self::NetworkPolicy(object) => serde_json::to_value(object),
            Self::Job(object) => serde_json::to_value(object),
        };
        value.unwrap_or_default()
    }
}

/// A pod like those of each role of the session, and the bootstrap pod, to show to an API server that
/// decides what it would admit. Flink itself makes the real ones.
pub fn sample_pods(
    spec: &SessionSpec,
    namespace: &str,
    [account, of_taskmanagers]: [&str; 2],
    bootstrap: PodSize,
) -> Vec<(&'static str, Option<Pod>)> {
    let [jobmanager, taskmanager] = spec.templates();
    let demand = spec.demand();
    vec![
        ("bootstrap", bootstrap_pod(spec, namespace, account, bootstrap)),
        ("JobManager", sample(spec, namespace, account, jobmanager, demand.jobmanager)),
        ("TaskManager", sample(spec, namespace, of_taskmanagers, taskmanager, demand.taskmanager)),
    ]
}

/// An object to show to the API server on trial.
pub struct Sample {
    /// As kubectl names it.
    pub object: String,
    /// The plural of its kind, as in a URL.
    pub plural: &'static str,
    pub json: Value,
}

/// Objects like those that Flink's client makes beside the pods, with their names and labels: policies look at both.
/// Flink itself makes the real ones.
pub fn sample_objects(spec: &SessionSpec, namespace: &str, account: &str) -> Vec<Sample> {
    let name = &spec.name;
    let own = json!({labels::APP: name.as_str(), labels::TYPE: labels::TYPE_NATIVE});
    let of_jobmanager = json!({
        labels::APP: name.as_str(), labels::TYPE: labels::TYPE_NATIVE, labels::COMPONENT: labels::JOBMANAGER,
    });
    let sample = |version: &str, kind: &str, plural: &'static str, name: &str, rest: Value| {
        let group = if plural == "deployments" { ".apps" } else { "" };
        let labels =
            if plural == "deployments" { with(&of_jobmanager, &spec.settings.labels) } else { own.clone() };
        let mut json = json!({
            "apiVersion": version, "kind": kind,
            "metadata": {"name": name, "namespace": namespace, "labels": labels},
        });
        if let (Some(json), Some(rest)) = (json.as_object_mut(), rest.as_object()) {
            json.extend(rest.clone());
        }
        Sample { object: format!("{}{group}/{name}", plural.trim_end_matches('s')), plural, json }
    };
    let service = |name: &str, ports: &[(&str, u16)], is_headless: bool| {
        let ports: Vec<Value> = ports
            .iter()
            .map(|(name, port)| json!({"name": name, "port": port, "targetPort": port}))
            .collect();
        let mut service = json!({"spec": {"type": "ClusterIP", "selector": of_jobmanager, "ports": ports}});
        if is_headless {
            service["spec"]["clusterIP"] = "None".into();
        }
        sample("v1", "Service", "services", name, service)
    };
    let mut samples = vec![service(&name.rest_service(), &[("rest", 8081)], false)];
    if !spec.has_high_availability() {
        let ports = [("jobmanager-rpc", 6123), ("blobserver", 6124)];
        samples.push(service(name.as_str(), &ports, true));
    }
    samples.push(sample("v1", "ConfigMap", "configmaps", &name.config_map(), json!({"data": {}})));
    let [jobmanager, _] = spec.templates();
    if let Some(pod) = self::sample(spec, namespace, account, jobmanager, spec.demand().jobmanager) {
        let labels = with(&of_jobmanager, &spec.settings.labels);
        let template = json!({
            "metadata": {"labels": labels, "annotations": spec.settings.annotations},
            "spec": pod.spec,
        });
        let whole = json!({"spec": {
            "replicas": spec.demand().jobmanagers, "selector": {"matchLabels": of_jobmanager}, "template": template,
        }});
        samples.push(sample("apps/v1", "Deployment", "deployments", name.as_str(), whole));
    }
    samples
}

fn with(own: &Value, more: &std::collections::BTreeMap<String, String>) -> Value {
    let mut labels = json!(more);
    if let (Some(labels), Some(own)) = (labels.as_object_mut(), own.as_object()) {
        labels.extend(own.clone());
    }
    labels
}

fn bootstrap_pod(spec: &SessionSpec, namespace: &str, account: &str, size: PodSize) -> Option<Pod> {
    let template = bootstrap_job::job(spec, namespace, Duration::ZERO, size).spec?.template;
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
    let placed = bootstrap_job::job(spec, namespace, Duration::ZERO, bootstrap_job::size::usual())
        .spec
        .and_then(|job| job.template.spec);
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
