//! Which objects of a session have other labels than those that Flink gave them.
//!
//! Such an object is found by what cannot be changed so easily: its name, its owner, its selector.

use std::collections::BTreeMap;

use crate::cluster::api::partial::{Bare, Metadata, Pod, Template};
use crate::cluster::api::table::escape;
use crate::cluster::session::list::{Deployment, Service};
use crate::cluster::{Cluster, Kind, Result};
use crate::model::{LabelChange, Relabelled};
use crate::session::SessionName;
use crate::session::existing::state::{self, Identity, Runs};
use crate::session::manifest::labels;

/// The ReplicaSet controller's own label.
const HASH: &str = "pod-template-hash";

/// The first pods of a ReplicaSet come within this time; later ones take the place of others.
const FIRST_PODS_SECONDS: i64 = 30;

/// The end of a pod's name that differs from that of its ReplicaSet: long names are cut there.
const CUT: usize = 17;

/// What the Deployment `name` is.
pub(in crate::cluster) fn identity(name: &str, deployment: &Deployment) -> Identity {
    let template = &deployment.spec.template;
    state::identity(name, &deployment.metadata.labels, &deployment.spec.selector.match_labels, runs(template))
}

fn runs(template: &Template) -> Runs {
    match () {
        () if template.is_application() => Runs::Application,
        () if template.is_session() => Runs::Session,
        () => Runs::Other,
    }
}

/// The change of the labels of a session's Deployment.
pub(in crate::cluster) fn of_deployment(name: &str, deployment: &Deployment) -> Option<Relabelled> {
    let selector = &deployment.spec.selector.match_labels;
    let is_session = identity(name, deployment) == Identity::Session;
    is_session.then(|| of(Kind::Deployment, &deployment.metadata, name, Some(selector))).flatten()
}

/// The change of the labels of a Service of session `name`, if it is one.
pub(in crate::cluster) fn of_service(name: &SessionName, service: &Service) -> Option<Relabelled> {
    is_service(name, service).then(|| of(Kind::Service, &service.metadata, name.as_str(), None)).flatten()
}

/// True for a Service of session `name`, whatever its labels: Flink's Deployment owns it, or, as in 1.10, nobody
/// does and it leads to the session's pods.
pub(in crate::cluster) fn is_service(name: &SessionName, service: &Service) -> bool {
    let leads_to =
        |key: &str, value: &str| service.spec.selector.get(key).is_some_and(|label| label == value);
    let marks = service.metadata.marks();
    let is_named = marks.name == name.as_str() || marks.name == name.rest_service();
    let leads_here = leads_to(labels::APP, name.as_str()) && leads_to(labels::TYPE, labels::TYPE_NATIVE);
    is_named && (marks.is_owned(name) || (marks.owners.is_empty() && leads_here))
}

fn of(
    kind: Kind,
    metadata: &Metadata,
    name: &str,
    selector: Option<&BTreeMap<String, String>>,
) -> Option<Relabelled> {
    let changes = LabelChange::all(state::flinks_labels(name, selector), &metadata.labels);
    let object = format!("{}/{}", kind.resource(), metadata.name);
    (!changes.is_empty()).then_some(Relabelled { object, changes, is_released: false })
}

/// The ReplicaSets of a session's Deployment, for its pods that they have let go.
pub(in crate::cluster) struct Sets<'a> {
    name: &'a SessionName,
    deployment: &'a Deployment,
    /// Name and hash of each, and when it was created.
    sets: Vec<&'a Metadata>,
}

impl<'a> Sets<'a> {
    pub fn new(name: &'a SessionName, deployment: &'a Deployment, sets: &'a [Bare]) -> Self {
        let is_own = |set: &&'a Metadata| {
            set.owner_references.iter().any(|owner| owner.uid == deployment.metadata.uid)
        };
        Self { name, deployment, sets: sets.iter().map(|set| &set.metadata).filter(is_own).collect() }
    }

    fn hashes(&self) -> Vec<&str> {
        self.sets.iter().filter_map(|set| set.labels.get(HASH).map(String::as_str)).collect()
    }

    /// True while as many `pods` as should run were created together with their ReplicaSet: then none was replaced.
    fn are_first(&self, pods: &[&Pod]) -> bool {
        let is_first = |pod: &&&Pod| {
            let owns =
                |set: &&&Metadata| pod.metadata.owner_references.iter().any(|owner| owner.uid == set.uid);
            let set = self.sets.iter().find(owns);
            let times = set.and_then(|set| set.creation_timestamp).zip(pod.metadata.creation_timestamp);
            times.is_some_and(|(set, pod)| pod.duration_since(set).as_secs() < FIRST_PODS_SECONDS)
        };
        let count = pods.iter().filter(is_first).count();
        i32::try_from(count).is_ok_and(|count| count >= self.deployment.spec.replicas.unwrap_or(1))
    }

    /// A JobManager pod of theirs that does not belong to them any more, since its labels were changed.
    fn released(&self, pod: &Pod) -> Option<Relabelled> {
        let metadata = &pod.metadata;
        let is_of = |set: &&&Metadata| {
            let start = &set.name[..set.name.len().saturating_sub(CUT)];
            set.labels.get(HASH).is_some_and(|hash| metadata.labels.get(HASH) == Some(hash))
                && metadata.name.starts_with(start)
        };
        self.sets.iter().find(is_of)?;
        let is_owned = metadata.owner_references.iter().any(|owner| owner.kind == "ReplicaSet");
        let has_ended = ["Succeeded", "Failed"].contains(&pod.status.phase.as_str());
        if is_owned || has_ended || metadata.deletion_timestamp.is_some() {
            return None;
        }
        let selector = &self.deployment.spec.selector.match_labels;
        let changed = of(Kind::Pod, metadata, self.name.as_str(), Some(selector))?;
        Some(Relabelled { is_released: true, ..changed })
    }
}

impl Cluster {
    /// JobManager pods of `sets` that are still running and were let go since their labels were changed. `pods`
    /// have the session's `app`; `jobmanagers` are those that belong to it. Others are looked for only where a
    /// JobManager has taken the place of another.
    pub(in crate::cluster) async fn released_jobmanagers(
        &self,
        namespace: &str,
        sets: &Sets<'_>,
        pods: &[Pod],
        jobmanagers: &[&Pod],
    ) -> Result<Vec<Relabelled>> {
        let mut released: Vec<Relabelled> = pods.iter().filter_map(|pod| sets.released(pod)).collect();
        let hashes = sets.hashes();
        if hashes.is_empty() || sets.are_first(jobmanagers) {
            return Ok(released);
        }
        let selector = format!("{HASH} in ({}),{}!={}", hashes.join(","), labels::APP, sets.name);
        let selector = format!("labelSelector={}", escape(&selector));
        let others: Vec<Pod> = self.list_of(Kind::Pod, Some(namespace), &selector).await?;
        released.extend(others.iter().filter_map(|pod| sets.released(pod)));
        Ok(released)
    }

    /// The Services and the ConfigMap of session `name` by their names. What this user is not allowed to read is
    /// left out.
    pub(in crate::cluster) async fn named_parts(
        &self,
        namespace: &str,
        name: &SessionName,
    ) -> Result<(Vec<Service>, Option<Relabelled>)> {
        let (rest, config) = (name.rest_service(), name.config_map());
        let (internal, rest, config) = tokio::join!(
            self.object::<Service>(Kind::Service, namespace, name.as_str()),
            self.object::<Service>(Kind::Service, namespace, &rest),
            self.object::<Bare>(Kind::ConfigMap, namespace, &config),
        );
        let services = [allowed(internal)?, allowed(rest)?].into_iter().flatten();
        let config = allowed(config)?.filter(|config| config.metadata.marks().is_owned(name));
        Ok((
            services.filter(|service| is_service(name, service)).collect(),
            config.and_then(|config| of(Kind::ConfigMap, &config.metadata, name.as_str(), None)),
        ))
    }

    /// Every object of session `name` whose labels were changed, as far as this user is allowed to see them: what
    /// a command that ends the session would not find.
    pub async fn relabelled(&self, namespace: &str, name: &SessionName) -> Result<Vec<Relabelled>> {
        let of_app = format!("{}={name},{}!={}", labels::APP, labels::COMPONENT, labels::TASKMANAGER);
        let of_app = format!("labelSelector={}", escape(&of_app));
        let (deployment, sets, pods, parts) = tokio::try_join!(
            self.object::<Deployment>(Kind::Deployment, namespace, name.as_str()),
            self.replica_sets_of(namespace, name),
            self.list_of::<Pod>(Kind::Pod, Some(namespace), &of_app),
            self.named_parts(namespace, name),
        )?;
        let mut changed: Vec<Relabelled> =
            deployment.iter().filter_map(|deployment| of_deployment(name.as_str(), deployment)).collect();
        let (services, config) = parts;
        changed.extend(services.iter().filter_map(|service| of_service(name, service)));
        changed.extend(config);
        let is_session = |deployment: &&Deployment| identity(name.as_str(), deployment) == Identity::Session;
        if let (Some(deployment), Some(sets)) = (deployment.as_ref().filter(is_session), &sets) {
            let owns = |pod: &&Pod| {
                pod.metadata
                    .owner_references
                    .iter()
                    .any(|owner| sets.iter().any(|set| set.metadata.uid == owner.uid))
            };
            let jobmanagers: Vec<&Pod> = pods.iter().filter(owns).collect();
            let sets = Sets::new(name, deployment, sets);
            changed.extend(self.released_jobmanagers(namespace, &sets, &pods, &jobmanagers).await?);
        }
        Ok(changed)
    }
}

/// None for what this user is not allowed to read.
pub(in crate::cluster) fn allowed<T>(answer: Result<Option<T>>) -> Result<Option<T>> {
    match answer {
        Err(error) if error.is_forbidden() => Ok(None),
        answer => answer,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn name() -> SessionName {
        "roc".parse().expect("name")
    }

    fn own() -> Value {
        json!({"app": "roc", "type": "flink-native-kubernetes", "component": "jobmanager"})
    }

    fn deployment(labels: Value) -> Deployment {
        serde_json::from_value(json!({
            "metadata": {"name": "roc", "uid": "d1", "labels": labels},
            "spec": {"replicas": 1, "selector": {"matchLabels": own()}, "template": {"spec": {"containers": [
                {"name": "flink-main-container", "args": ["kubernetes-jobmanager.sh kubernetes-session"]}]}}},
        }))
        .expect("deployment")
    }

    fn told(changed: Option<Relabelled>) -> Option<String> {
        let changed = changed?;
        let keys: Vec<&str> = changed.changes.iter().map(|change| change.key.as_str()).collect();
        Some(format!("{} {}", changed.object, keys.join(" ")))
    }

    #[test]
    fn a_deployment_tells_by_its_selector_which_labels_it_had() {
        let of = |labels| told(of_deployment("roc", &deployment(labels)));
        assert_eq!(of(own()), None);
        assert_eq!(
            of(json!({"app": "x", "type": "flink-native-kubernetes"})).as_deref(),
            Some("deployment.apps/roc app component")
        );
        assert_eq!(of(json!({})).as_deref(), Some("deployment.apps/roc app type component"));
        assert_eq!(told(of_deployment("other", &deployment(own()))), None, "of another session");
    }

    fn service(name: &str, owner: Option<(&str, &str)>, selector: Value) -> Service {
        let owners: Vec<Value> =
            owner.map(|(kind, name)| json!({"kind": kind, "name": name})).into_iter().collect();
        serde_json::from_value(json!({
            "metadata": {"name": name, "labels": {"app": "x"}, "ownerReferences": owners},
            "spec": {"selector": selector},
        }))
        .expect("service")
    }

    #[test]
    fn a_service_is_known_by_its_owner_or_by_where_it_leads() {
        let of =
            |name: &str, owner, selector| told(of_service(&self::name(), &service(name, owner, selector)));
        let changed = Some("service/roc-rest app type".to_owned());
        assert_eq!(of("roc-rest", Some(("Deployment", "roc")), json!({})), changed);
        assert_eq!(of("roc-rest", None, own()), changed, "as in 1.10");
        assert_eq!(of("roc-rest", None, json!({"app": "roc"})), None, "of another program");
        assert_eq!(of("roc-rest", Some(("HelmRelease", "roc")), own()), None);
        assert_eq!(of("roc-other", None, own()), None);
    }

    fn set(hash: &str, owner: &str) -> Bare {
        serde_json::from_value(json!({"metadata": {
            "name": format!("roc-{hash}"), "uid": hash, "labels": {"pod-template-hash": hash},
            "creationTimestamp": "2026-01-01T00:00:00Z",
            "ownerReferences": [{"kind": "Deployment", "name": "roc", "uid": owner}]}}))
        .expect("set")
    }

    fn pod(name: &str, mut labels: Value, hash: &str, owner: Option<&str>, created: &str) -> Pod {
        labels["pod-template-hash"] = hash.into();
        let owners: Vec<Value> = owner
            .map(|uid| json!({"kind": "ReplicaSet", "name": "roc-5d4", "uid": uid}))
            .into_iter()
            .collect();
        serde_json::from_value(json!({
            "metadata": {"name": name, "labels": labels, "ownerReferences": owners, "creationTimestamp": created},
            "spec": {}, "status": {"phase": "Running"}}))
        .expect("pod")
    }

    #[test]
    fn a_pod_that_its_replica_set_has_let_go_is_known_by_its_hash() {
        let (deployment, all, name) = (deployment(own()), [set("5d4", "d1"), set("6e5", "d0")], name());
        let sets = Sets::new(&name, &deployment, &all);
        let of = |labels, hash, owner| {
            told(sets.released(&pod("roc-5d4-x", labels, hash, owner, "2026-01-01T00:00:01Z")))
        };
        let other = || json!({"app": "x", "type": "flink-native-kubernetes", "component": "jobmanager"});
        assert_eq!(of(other(), "5d4", None).as_deref(), Some("pod/roc-5d4-x app"));
        assert_eq!(of(other(), "5d4", Some("5d4")), None, "not yet let go");
        assert_eq!(of(other(), "6e5", None), None, "of another Deployment");
        assert_eq!(of(own(), "5d4", None), None, "its labels are right");
    }

    #[test]
    fn jobmanagers_that_came_with_their_replica_set_have_replaced_none() {
        let (deployment, all, name) = (deployment(own()), [set("5d4", "d1")], name());
        let sets = Sets::new(&name, &deployment, &all);
        let of = |created| pod("roc-5d4-x", own(), "5d4", Some("5d4"), created);
        assert!(sets.are_first(&[&of("2026-01-01T00:00:02Z")]));
        assert!(!sets.are_first(&[&of("2026-01-01T01:00:00Z")]));
        assert!(!sets.are_first(&[]));
    }
}
