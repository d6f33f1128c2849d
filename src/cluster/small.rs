//! Objects cut down to the fields that are looked at: what is not read is not kept in memory.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Deserialize;
use serde::de::{DeserializeOwned, Deserializer, Error as _};
use serde_json::value::RawValue;

use super::tables::escape;
use super::{Cluster, Kind, Result};
use crate::model::session::Owner;
use crate::session::{SessionName, labels};

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Metadata {
    pub name: String,
    pub namespace: String,
    pub uid: String,
    pub creation_timestamp: Option<Timestamp>,
    pub deletion_timestamp: Option<Timestamp>,
    pub labels: BTreeMap<String, String>,
    pub owner_references: Vec<OwnerReference>,
    /// What must let go of the object before it is gone.
    pub finalizers: Vec<String>,
}

/// An object with what its session was made from. That is long, and lists do without.
#[derive(Clone, Debug)]
pub(super) struct Recorded<T> {
    pub object: T,
    /// The annotation [`labels::SETTINGS`].
    pub settings: Option<String>,
}

impl<'de, T: DeserializeOwned> Deserialize<'de> for Recorded<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        #[derive(Deserialize)]
        struct Annotated {
            metadata: Annotations,
        }
        #[derive(Deserialize)]
        struct Annotations {
            #[serde(default)]
            annotations: BTreeMap<String, String>,
        }
        // The text is read twice, so that `T` need not know of the annotation.
        let text = <&RawValue>::deserialize(deserializer)?.get();
        let object = serde_json::from_str(text).map_err(D::Error::custom)?;
        let mut annotated: Annotated = serde_json::from_str(text).map_err(D::Error::custom)?;
        Ok(Self { object, settings: annotated.metadata.annotations.remove(labels::SETTINGS) })
    }
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct OwnerReference {
    pub kind: String,
    pub name: String,
    pub uid: String,
}

#[derive(Clone, Debug, Deserialize)]
pub(super) struct Template {
    pub spec: TemplateSpec,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct TemplateSpec {
    pub service_account_name: Option<String>,
    #[serde(default)]
    pub containers: Vec<Container>,
}

impl Template {
    /// The image of the first container, which is Flink's.
    pub fn image(&self) -> Option<String> {
        self.spec.containers.first().and_then(|container| container.image.clone())
    }

    /// The port of REST. It is called `rest` from Flink 1.11 on, `rest-port` in 1.10.
    pub fn rest_port(&self) -> Option<u16> {
        let ports = self.spec.containers.iter().flat_map(|container| &container.ports);
        let mut rest = ports.filter(|port| port.name.starts_with("rest"));
        rest.next().and_then(|port| u16::try_from(port.container_port).ok())
    }

    /// What the JobManager's container of a session runs: a class up to 1.12, a script's word later.
    pub fn is_session(&self) -> bool {
        self.spec.containers.iter().flat_map(Container::words).any(|word| {
            word.contains("kubernetes-session") || word.contains("KubernetesSessionClusterEntrypoint")
        })
    }

    /// Application clusters have the labels of sessions; what the JobManager's container runs tells
    /// them apart (`KubernetesApplicationClusterEntrypoint` up to 1.12, `kubernetes-application` later).
    pub fn is_application(&self) -> bool {
        self.spec.containers.iter().flat_map(Container::words).any(|word| {
            word.contains("kubernetes-application") || word.contains("KubernetesApplicationClusterEntrypoint")
        })
    }
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Container {
    pub image: Option<String>,
    pub command: Vec<String>,
    pub args: Vec<String>,
    pub ports: Vec<Port>,
}

impl Container {
    /// Its command and arguments.
    pub fn words(&self) -> impl Iterator<Item = &String> {
        self.command.iter().chain(&self.args)
    }
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Port {
    pub name: String,
    pub container_port: i32,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Condition {
    #[serde(rename = "type")]
    pub type_: String,
    pub status: String,
    pub reason: Option<String>,
    pub message: Option<String>,
    pub last_transition_time: Option<Timestamp>,
}

#[derive(Clone, Debug, Deserialize)]
pub(super) struct Pod {
    pub metadata: Metadata,
    pub spec: TemplateSpec,
    #[serde(default)]
    pub status: PodStatus,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct PodStatus {
    pub phase: String,
    #[serde(rename = "podIP")]
    pub pod_ip: Option<String>,
    pub conditions: Vec<Condition>,
    pub container_statuses: Vec<ContainerStatus>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct ContainerStatus {
    pub ready: bool,
    pub restart_count: i32,
    pub state: ContainerState,
    pub last_state: ContainerState,
}

/// At most one of them is there.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct ContainerState {
    pub waiting: Option<Waiting>,
    pub running: Option<Running>,
    pub terminated: Option<Terminated>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Waiting {
    pub reason: String,
    pub message: String,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Running {
    pub started_at: Option<Timestamp>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Terminated {
    pub exit_code: i32,
    pub reason: String,
    pub message: String,
    pub finished_at: Option<Timestamp>,
}

/// An object of which only the metadata matters.
#[derive(Debug, Deserialize)]
pub(super) struct Bare {
    pub metadata: Metadata,
}

#[derive(Debug, Deserialize)]
pub(super) struct ConfigMap {
    pub metadata: Metadata,
    #[serde(default)]
    pub data: BTreeMap<String, String>,
}

/// A list of metadata alone.
pub(super) const METADATA: &str = "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io";

impl Cluster {
    /// Lists the metadata alone of `kind` under `selector`.
    pub(super) async fn metadata_of(
        &self,
        kind: Kind,
        namespace: Option<&str>,
        selector: &str,
    ) -> Result<Vec<Bare>> {
        let path = format!("{}?labelSelector={}", kind.collection(namespace), escape(selector));
        self.listed(&path, METADATA).await
    }
}

/// Tells by owner reference and label who looks after a session.
pub(super) fn owner(metadata: &Metadata) -> Owner {
    if metadata.owner_references.iter().any(|owner| owner.kind == "FlinkDeployment") {
        Owner::FlinkOperator
    } else if metadata.labels.get(labels::MANAGED_BY).is_some_and(|manager| manager == labels::PLUGIN) {
        Owner::Plugin
    } else {
        Owner::Other
    }
}

/// Flink writes high-availability state into ConfigMaps that nobody owns, so that they outlive the
/// session. The label `configmap-type=high-availability` is missing from 2.0 on; what a session
/// owns, or what has the name of its configuration, is none.
pub(super) fn is_high_availability(name: &SessionName, metadata: &Metadata) -> bool {
    let names_state = ["-config-map", "-leader"].iter().any(|end| metadata.name.ends_with(end));
    let of_session = metadata.name.strip_prefix(name.as_str()).is_some_and(|rest| rest.starts_with('-'));
    let labelled = metadata.labels.get("configmap-type").is_some_and(|value| value == "high-availability");
    let owned = metadata.owner_references.iter().any(|owner| !owner.name.is_empty());
    !owned && (labelled || (of_session && names_state))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_settings_are_read_from_where_they_are_written() {
        let read = |json: &str| serde_json::from_str::<Recorded<Bare>>(json).expect("object");
        let recorded =
            read(r#"{"metadata":{"name":"roc","annotations":{"other":"x","kubectl-flink/settings":"{}"}}}"#);
        assert_eq!(
            (recorded.object.metadata.name.as_str(), recorded.settings.as_deref()),
            ("roc", Some("{}"))
        );
        assert_eq!(read(r#"{"metadata":{"name":"roc"}}"#).settings, None);
    }

    #[test]
    fn high_availability_state_is_what_nobody_owns() {
        let name: SessionName = "roc".parse().expect("name");
        let is = |json: &str| {
            is_high_availability(&name, &serde_json::from_str::<Metadata>(json).expect("metadata"))
        };
        assert!(is(r#"{"name":"roc-cluster-config-map"}"#));
        assert!(is(r#"{"name":"roc-0123abcd-config-map"}"#));
        assert!(is(r#"{"name":"roc-restserver-leader"}"#));
        assert!(is(r#"{"name":"x","labels":{"configmap-type":"high-availability"}}"#));
        assert!(!is(r#"{"name":"flink-config-roc"}"#));
        assert!(!is(r#"{"name":"roc-x-config-map","ownerReferences":[{"kind":"Deployment","name":"roc"}]}"#));
    }
}
