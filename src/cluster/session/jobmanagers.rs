//! Which pods are the JobManagers of a session, and on which port their REST API listens.
//!
//! Labels alone prove nothing: Flink's own manifests of a standalone cluster set `app` and `component` too. A
//! JobManager is a pod of a ReplicaSet that the session's Deployment owns.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::cluster::api::partial::{Bare, ConfigMap, Metadata, OwnerReference, Pod, TemplateSpec};
use crate::cluster::session::list::Service;
use crate::cluster::{Cluster, Kind, Result};
use crate::session::manifest::labels;
use crate::session::{SessionName, flinkdeployment};

/// The session's Deployment and its ReplicaSets: what its JobManager pods descend from.
#[derive(Debug)]
pub(in crate::cluster) struct Ancestry {
    /// None when there is no Deployment, or when it cannot be read.
    deployment_uid: Option<String>,
    /// By uid; none when this user is not allowed to list them.
    replica_sets: Option<BTreeMap<String, Metadata>>,
}

impl Ancestry {
    pub fn new(deployment: Option<&Metadata>, replica_sets: Option<Vec<Bare>>) -> Self {
        let by_uid = |sets: Vec<Bare>| sets.into_iter().map(|set| (set.metadata.uid.clone(), set.metadata));
        Self {
            deployment_uid: deployment.map(|metadata| metadata.uid.clone()),
            replica_sets: replica_sets.map(|sets| by_uid(sets).collect()),
        }
    }

    /// The uid of the Deployment of session `name`. Where that cannot be read, what it owns names it: the ReplicaSets of
    /// `pods`, and from Flink 1.11 on the REST Service, which may outlive an earlier session for a moment.
    pub fn deployment_uid(
        &self,
        name: &SessionName,
        service: Option<&Service>,
        pods: &[Pod],
    ) -> Option<String> {
        let owner = |metadata: &Metadata| {
            let mut owners = metadata.owner_references.iter();
            let is_session = |owner: &&OwnerReference| {
                owner.kind.eq_ignore_ascii_case("Deployment") && owner.name == name.as_str()
            };
            owners.find(is_session).map(|owner| owner.uid.clone())
        };
        let of_pod = |pod: &Pod| {
            let mut owners = pod.metadata.owner_references.iter();
            owners.find_map(|set| owner(self.replica_sets.as_ref()?.get(&set.uid)?))
        };
        let of_service = || service.and_then(|service| owner(&service.metadata));
        self.deployment_uid.clone().or_else(|| pods.iter().find_map(of_pod)).or_else(of_service)
    }

    /// True for a JobManager pod of session `name`.
    ///
    /// It has all of Flink's labels and belongs to a ReplicaSet named `NAME-HASH`. Where ReplicaSets can be read,
    /// that ReplicaSet must belong to the session's Deployment. One without an owner counts as well: the
    /// Deployment controller adopts it (`ControllerRefManager`), and where no Deployment is left, its pods are
    /// all that remains of the session. One that was created between two requests is not listed yet.
    pub fn includes(&self, name: &SessionName, pod: &Metadata) -> bool {
        if !is_labelled_jobmanager(pod) {
            return false;
        }
        let marks = pod.marks();
        let Some(set_name) = marks.replica_set_of_jobmanager(name) else { return false };
        let owner = pod.owner_references.iter().find(|owner| owner.name == set_name);
        let listed = owner.zip(self.replica_sets.as_ref()).and_then(|(owner, sets)| sets.get(&owner.uid));
        let Some(set) = listed else { return true };
        match &set.owner_references[..] {
            [] => true,
            owners => owners.iter().any(|owner| {
                let is_same = self.deployment_uid.as_ref().is_none_or(|uid| *uid == owner.uid);
                owner.kind == "Deployment" && owner.name == name.as_str() && is_same
            }),
        }
    }
}

/// True for a pod with every label that Flink gives to JobManagers, except the session's name.
pub(in crate::cluster) fn is_labelled_jobmanager(pod: &Metadata) -> bool {
    let has = |key: &str, value: &str| pod.labels.get(key).is_some_and(|label| label == value);
    has(labels::TYPE, labels::TYPE_NATIVE) && has(labels::COMPONENT, labels::JOBMANAGER)
}

/// A port of a pod, as a Service's `targetPort` names it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub(in crate::cluster) enum TargetPort {
    Number(u16),
    Name(String),
}

/// What decides on which port the REST API of a session listens.
#[derive(Clone, Debug, Default)]
pub(in crate::cluster) struct RestPort {
    /// Of the session's REST Service.
    target: Option<TargetPort>,
    /// `rest.bind-port` or `rest.port` of the session's configuration.
    configured: Option<u16>,
}

impl RestPort {
    /// The port of `service` that leads to the REST API. Its port is named `rest`; in Flink 1.10 `rest-port`, and
    /// that one leads to `rest.port` even where `rest.bind-port` differs (seen with 1.10.3): there the
    /// configuration decides.
    pub fn of(service: Option<&Service>, settings: Option<&BTreeMap<String, String>>) -> Self {
        let port =
            service.and_then(|service| service.spec.ports.iter().find(|port| port.name.starts_with("rest")));
        let configured = settings.and_then(|settings| {
            let set = ["rest.bind-port", "rest.port"].iter().find_map(|key| settings.get(*key));
            // A range of ports begins with the one that is tried first.
            set.and_then(|port| port.split(['-', ',']).next()?.trim().parse().ok())
        });
        let is_misled = port.is_some_and(|port| port.name == REST_OF_1_10) && configured.is_some();
        let target = port.filter(|_| !is_misled).map(|port| match &port.target_port {
            Some(target) => target.clone(),
            None => TargetPort::Number(port.port),
        });
        Self { target, configured }
    }

    /// Whether the Service alone decides.
    pub fn is_settled_by(service: Option<&Service>) -> bool {
        service.is_some_and(|service| service.spec.ports.iter().any(|port| port.name == "rest"))
    }

    /// The port in a pod with this `spec`. None leaves Flink's default.
    pub fn in_pod(&self, spec: &TemplateSpec) -> Option<u16> {
        let target = match &self.target {
            Some(TargetPort::Number(port)) => Some(*port),
            Some(TargetPort::Name(name)) => spec.port_named(name),
            None => None,
        };
        target.or(self.configured).or_else(|| spec.rest_port())
    }
}

/// The name of the REST port in Flink 1.10.
const REST_OF_1_10: &str = "rest-port";

impl Cluster {
    /// The ReplicaSets with the labels of session `name`; none when this user is not allowed to list them.
    pub(in crate::cluster) async fn replica_sets_of(
        &self,
        namespace: &str,
        name: &SessionName,
    ) -> Result<Option<Vec<Bare>>> {
        let selector = labels::selector_of(name);
        match self.metadata_of(Kind::ReplicaSet, Some(namespace), &selector).await {
            Ok(sets) => Ok(Some(sets)),
            Err(error) if error.is_forbidden() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The Service in front of the REST API of session `name`: `NAME-rest`, in Flink 1.10 `NAME`. None when there
    /// is no such Service, and when this user is not allowed to read it.
    pub(in crate::cluster) async fn rest_service(
        &self,
        namespace: &str,
        name: &SessionName,
    ) -> Result<Option<Service>> {
        for service in [name.rest_service(), name.to_string()] {
            let service = match self.object::<Service>(Kind::Service, namespace, &service).await {
                Err(error) if error.is_forbidden() => return Ok(None),
                service => service?,
            };
            let leads_to_rest =
                |service: &Service| service.spec.ports.iter().any(|port| port.name.starts_with("rest"));
            if service.as_ref().is_some_and(leads_to_rest) {
                return Ok(service);
            }
        }
        Ok(None)
    }

    /// The settings of session `name`, from its ConfigMap. None when there is no such ConfigMap, and when this
    /// user is not allowed to read it.
    pub(in crate::cluster) async fn settings_of(
        &self,
        namespace: &str,
        name: &SessionName,
    ) -> Result<Option<BTreeMap<String, String>>> {
        match self.object::<ConfigMap>(Kind::ConfigMap, namespace, &name.config_map()).await {
            Err(error) if error.is_forbidden() => Ok(None),
            map => Ok(map?.and_then(|mut map| flinkdeployment::take_settings(&mut map.data))),
        }
    }

    /// The port on which the REST API of session `name` listens, where its Service or its configuration tells.
    pub async fn rest_port_of(&self, namespace: &str, name: &SessionName) -> Result<Option<u16>> {
        let service = self.rest_service(namespace, name).await?;
        let settings = match RestPort::is_settled_by(service.as_ref()) {
            true => None,
            false => self.settings_of(namespace, name).await?,
        };
        Ok(RestPort::of(service.as_ref(), settings.as_ref()).in_pod(&TemplateSpec::default()))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn name() -> SessionName {
        "roc".parse().expect("name")
    }

    fn metadata(value: Value) -> Metadata {
        serde_json::from_value(value).expect("metadata")
    }

    /// A pod with Flink's labels, of the ReplicaSet `set` with the uid `set_uid`.
    fn pod(set: &str, set_uid: &str) -> Metadata {
        metadata(json!({
            "name": format!("{set}-abcde"),
            "labels": {"app": "roc", "component": "jobmanager", "type": "flink-native-kubernetes"},
            "ownerReferences": [{"kind": "ReplicaSet", "name": set, "uid": set_uid}],
        }))
    }

    fn replica_set(name: &str, uid: &str, owner: Option<(&str, &str)>) -> Bare {
        let owners: Vec<Value> = owner
            .map(|(name, uid)| json!({"kind": "Deployment", "name": name, "uid": uid}))
            .into_iter()
            .collect();
        Bare { metadata: metadata(json!({"name": name, "uid": uid, "ownerReferences": owners})) }
    }

    #[test]
    fn a_jobmanager_descends_from_the_sessions_deployment() {
        let deployment = metadata(json!({"name": "roc", "uid": "d1"}));
        let sets = vec![
            replica_set("roc-6d6c65cf99", "r1", Some(("roc", "d1"))),
            replica_set("roc-5c5b54be88", "r0", Some(("roc", "d0"))),
            replica_set("roc-free", "r2", None),
            replica_set("roc-other", "r3", Some(("other", "d9"))),
        ];
        let ancestry = Ancestry::new(Some(&deployment), Some(sets));
        let includes = |pod: &Metadata| ancestry.includes(&name(), pod);
        assert!(includes(&pod("roc-6d6c65cf99", "r1")));
        assert!(includes(&pod("roc-free", "r2")), "the Deployment adopts it");
        assert!(includes(&pod("roc-7e7d76da00", "new")), "created since the ReplicaSets were listed");
        assert!(!includes(&pod("roc-5c5b54be88", "r0")), "of an earlier Deployment of that name");
        assert!(!includes(&pod("roc-other", "r3")), "of a Deployment with another name");
        assert!(!includes(&pod("roc-exporter-6d6c65cf99", "r9")), "of a Deployment roc-exporter");
    }

    #[test]
    fn labels_without_an_owner_or_owners_without_the_labels_are_not_enough() {
        let ancestry = Ancestry::new(None, None);
        let of = |labels: Value, owners: Value| {
            let pod = metadata(json!({"name": "x", "labels": labels, "ownerReferences": owners}));
            ancestry.includes(&name(), &pod)
        };
        let all = json!({"app": "roc", "component": "jobmanager", "type": "flink-native-kubernetes"});
        let owner = json!([{"kind": "ReplicaSet", "name": "roc-6d6c65cf99", "uid": "r1"}]);
        assert!(of(all.clone(), owner.clone()));
        assert!(!of(all.clone(), json!([])), "a bare pod");
        assert!(!of(all, json!([{"kind": "Job", "name": "roc-6d6c65cf99", "uid": "j1"}])));
        let standalone = json!({"app": "roc", "component": "jobmanager"});
        assert!(!of(standalone, owner.clone()), "Flink's standalone manifests");
        let taskmanager =
            json!({"app": "roc", "component": "taskmanager", "type": "flink-native-kubernetes"});
        assert!(!of(taskmanager, owner));
    }

    fn service(ports: Value) -> Service {
        serde_json::from_value(json!({"metadata": {"name": "roc-rest"}, "spec": {"ports": ports}}))
            .expect("service")
    }

    fn port(service: Option<&Service>, settings: &[(&str, &str)], containers: Value) -> Option<u16> {
        let settings: BTreeMap<String, String> =
            settings.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        let spec: TemplateSpec = serde_json::from_value(json!({"containers": containers})).expect("spec");
        RestPort::of(service, Some(&settings)).in_pod(&spec)
    }

    #[test]
    fn the_service_decides_then_the_configuration_then_the_container() {
        let main =
            json!([{"name": "flink-main-container", "ports": [{"name": "rest", "containerPort": 8082}]}]);
        let of = |target: Value| service(json!([{"name": "rest", "port": 80, "targetPort": target}]));
        assert_eq!(port(Some(&of(json!(8085))), &[("rest.port", "8082")], main.clone()), Some(8085));
        assert_eq!(port(Some(&of(json!("rest"))), &[], main.clone()), Some(8082), "by name");
        let without = service(json!([{"name": "rest", "port": 8081}]));
        assert_eq!(
            port(Some(&without), &[], main.clone()),
            Some(8081),
            "targetPort is port where it is left out"
        );
        let settings = [("rest.port", "8082"), ("rest.bind-port", "8085-8090")];
        assert_eq!(port(None, &settings, main.clone()), Some(8085));
        assert_eq!(port(None, &settings[..1], main.clone()), Some(8082));
        assert_eq!(port(None, &[], main), Some(8082));
        assert_eq!(port(None, &[], json!([])), None);
    }

    #[test]
    fn a_port_of_another_container_is_not_taken_for_flinks() {
        let sidecar_first = json!([
            {"name": "sidecar", "ports": [{"name": "rest", "containerPort": 9999}]},
            {"name": "flink-main-container", "ports": [{"name": "rest", "containerPort": 8081}]},
        ]);
        assert_eq!(port(None, &[], sidecar_first.clone()), Some(8081));
        let by_name = service(json!([{"name": "rest", "port": 8081, "targetPort": "rest"}]));
        assert_eq!(port(Some(&by_name), &[], sidecar_first), Some(8081));
        let only_sidecar = json!([
            {"name": "flink-main-container"},
            {"name": "sidecar", "ports": [{"name": "rest", "containerPort": 9999}]},
        ]);
        assert_eq!(port(None, &[], only_sidecar), None);
    }

    #[test]
    fn flink_1_10_listens_where_its_configuration_says() {
        let service = service(json!([{"name": "rest-port", "port": 8082, "targetPort": 8082}]));
        let settings = [("rest.port", "8082"), ("rest.bind-port", "8085")];
        assert_eq!(port(Some(&service), &settings, json!([])), Some(8085));
        assert_eq!(port(Some(&service), &[], json!([])), Some(8082));
    }
}
