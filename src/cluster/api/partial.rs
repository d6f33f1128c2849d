//! Objects cut down to the fields that are looked at: what is not read is not kept in memory.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use serde::de::{DeserializeOwned, Deserializer, Error as _, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::cluster::api::table::escape;
use crate::cluster::{Cluster, Kind, Result};
use crate::model::session::Owner;
use crate::session::SessionName;
use crate::session::existing::ownership::Marks;
use crate::session::manifest::labels;

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
    #[serde(rename = "annotations", deserialize_with = "leader_among")]
    pub leader: Option<Leader>,
    /// What must let go of the object before it is gone.
    pub finalizers: Vec<String>,
}

/// Who holds a ConfigMap that JobManagers elect their leader by. The other annotations are passed over.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Leader {
    /// Empty once it has let go.
    pub holder: String,
    pub renewed: Option<Timestamp>,
}

/// The annotation in which fabric8's client, which Flink brings, keeps it.
const LEADER: &str = "control-plane.alpha.kubernetes.io/leader";

/// A leader that has not renewed its hold for so long has lost it: two of Flink's leases, of 15 s.
const LEASES: SignedDuration = SignedDuration::from_secs(30);

impl Leader {
    /// True while the holder lives, as far as the clocks agree.
    pub fn is_alive(&self, now: Timestamp) -> bool {
        !self.holder.is_empty()
            && self.renewed.is_some_and(|renewed| now.duration_since(renewed).abs() < LEASES)
    }
}

fn leader_among<'de, D: Deserializer<'de>>(annotations: D) -> std::result::Result<Option<Leader>, D::Error> {
    struct Found;
    impl<'de> Visitor<'de> for Found {
        type Value = Option<Leader>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("annotations")
        }

        fn visit_unit<E: serde::de::Error>(self) -> std::result::Result<Self::Value, E> {
            Ok(None)
        }

        fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> std::result::Result<Self::Value, M::Error> {
            let mut leader = None;
            while let Some(key) = map.next_key::<Cow<'_, str>>()? {
                if key == LEADER {
                    leader = leader_of(&map.next_value::<Cow<'_, str>>()?);
                } else {
                    map.next_value::<IgnoredAny>()?;
                }
            }
            Ok(leader)
        }
    }
    annotations.deserialize_any(Found)
}

/// Reads the annotation's own JSON. Who cannot be read does not lead.
fn leader_of(text: &str) -> Option<Leader> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Of {
        #[serde(default)]
        holder_identity: String,
        renew_time: Option<String>,
    }
    let of: Of = serde_json::from_str(text).ok()?;
    Some(Leader { holder: of.holder_identity, renewed: of.renew_time.and_then(|time| time.parse().ok()) })
}

/// An object with what its session was made from. That is long, and lists do without.
#[derive(Clone, Debug)]
pub(in crate::cluster) struct Recorded<T> {
    pub object: T,
    /// The annotation [`labels::SETTINGS`].
    pub settings: Option<String>,
    /// The annotations of its pods that are files of a bootstrap Job.
    pub files: BTreeMap<String, String>,
}

impl<'de, T: DeserializeOwned> Deserialize<'de> for Recorded<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        #[derive(Deserialize)]
        struct Annotated {
            metadata: Annotations,
            spec: Option<Spec>,
        }
        #[derive(Deserialize)]
        struct Spec {
            template: Option<PodTemplate>,
        }
        #[derive(Deserialize)]
        struct PodTemplate {
            metadata: Option<Annotations>,
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
        let template = annotated.spec.and_then(|spec| spec.template?.metadata);
        let mut files = template.map(|metadata| metadata.annotations).unwrap_or_default();
        files.retain(|key, _| key.starts_with(labels::FILE));
        Ok(Self { object, settings: annotated.metadata.annotations.remove(labels::SETTINGS), files })
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
pub(in crate::cluster) struct Template {
    pub spec: TemplateSpec,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::cluster) struct TemplateSpec {
    pub service_account_name: Option<String>,
    #[serde(default)]
    pub containers: Vec<Container>,
}

impl TemplateSpec {
    /// The container in which Flink runs: `flink-main-container` from 1.13 on, before by its role; else the
    /// first. A pod template may put others in front of it.
    pub fn main(&self) -> Option<&Container> {
        const NAMES: [&str; 3] = ["flink-main-container", "flink-job-manager", "flink-task-manager"];
        let containers = &self.containers;
        containers.iter().find(|container| NAMES.contains(&container.name.as_str())).or(containers.first())
    }

    /// The port of Flink's container that is named `rest`. In Flink 1.10 its ports have no names.
    pub fn rest_port(&self) -> Option<u16> {
        self.main()?.port_named("rest")
    }

    /// The port of that name; where several containers have one, that of Flink's container.
    pub fn port_named(&self, name: &str) -> Option<u16> {
        let in_main = self.main().and_then(|container| container.port_named(name));
        in_main.or_else(|| self.containers.iter().find_map(|container| container.port_named(name)))
    }
}

impl Template {
    /// The image of Flink's container.
    pub fn image(&self) -> Option<String> {
        self.main().and_then(|container| container.image.clone())
    }

    /// See [`TemplateSpec::rest_port`].
    pub fn rest_port(&self) -> Option<u16> {
        self.spec.rest_port()
    }

    /// See [`TemplateSpec::main`].
    pub fn main(&self) -> Option<&Container> {
        self.spec.main()
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
pub(in crate::cluster) struct Container {
    pub name: String,
    pub image: Option<String>,
    pub command: Vec<String>,
    pub args: Vec<String>,
    pub ports: Vec<Port>,
    pub resources: Resources,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(in crate::cluster) struct Resources {
    pub requests: Option<BTreeMap<String, String>>,
}

impl Container {
    fn port_named(&self, name: &str) -> Option<u16> {
        let port = self.ports.iter().find(|port| port.name == name)?;
        u16::try_from(port.container_port).ok()
    }

    /// Its command and arguments.
    pub fn words(&self) -> impl Iterator<Item = &String> {
        self.command.iter().chain(&self.args)
    }
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(in crate::cluster) struct Port {
    pub name: String,
    pub container_port: i32,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(in crate::cluster) struct Condition {
    #[serde(rename = "type")]
    pub type_: String,
    pub status: String,
    pub reason: Option<String>,
    pub message: Option<String>,
    pub last_transition_time: Option<Timestamp>,
}

#[derive(Clone, Debug, Deserialize)]
pub(in crate::cluster) struct Pod {
    pub metadata: Metadata,
    pub spec: TemplateSpec,
    #[serde(default)]
    pub status: PodStatus,
}

impl Pod {
    /// True when the kubelet has started a container of it again.
    pub fn has_restarted(&self) -> bool {
        self.status.container_statuses.iter().any(|status| status.restart_count > 0)
    }
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(in crate::cluster) struct PodStatus {
    pub phase: String,
    #[serde(rename = "podIP")]
    pub pod_ip: Option<String>,
    pub conditions: Vec<Condition>,
    pub container_statuses: Vec<ContainerStatus>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(in crate::cluster) struct ContainerStatus {
    pub name: String,
    #[serde(rename = "containerID")]
    pub container_id: Option<String>,
    pub ready: bool,
    pub restart_count: i32,
    pub state: ContainerState,
    pub last_state: ContainerState,
}

/// At most one of them is there.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(in crate::cluster) struct ContainerState {
    pub waiting: Option<Waiting>,
    pub running: Option<Running>,
    pub terminated: Option<Terminated>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(in crate::cluster) struct Waiting {
    pub reason: String,
    pub message: String,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(in crate::cluster) struct Running {
    pub started_at: Option<Timestamp>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(in crate::cluster) struct Terminated {
    pub exit_code: i32,
    pub reason: String,
    pub message: String,
    pub finished_at: Option<Timestamp>,
}

/// An object of which only the metadata matters.
#[derive(Clone, Debug, Deserialize)]
pub(in crate::cluster) struct Bare {
    pub metadata: Metadata,
}

#[derive(Debug, Deserialize)]
pub(in crate::cluster) struct ConfigMap {
    pub metadata: Metadata,
    #[serde(default)]
    pub data: BTreeMap<String, String>,
}

/// A list of metadata alone.
pub(in crate::cluster) const METADATA: &str =
    "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io";

impl Cluster {
    /// Lists the metadata alone of `kind` under `selector`.
    pub(in crate::cluster) async fn metadata_of(
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
pub(in crate::cluster) fn owner(metadata: &Metadata) -> Owner {
    if metadata.owner_references.iter().any(|owner| owner.kind == "FlinkDeployment") {
        Owner::FlinkOperator
    } else if metadata.labels.get(labels::MANAGED_BY).is_some_and(|manager| manager == labels::PLUGIN) {
        Owner::Plugin
    } else {
        Owner::Other
    }
}

impl Metadata {
    /// What tells whose the object is.
    pub fn marks(&self) -> Marks<'_> {
        let owners = self.owner_references.iter().filter(|owner| !owner.name.is_empty());
        let owners = owners.map(|owner| (owner.kind.as_str(), owner.name.as_str()));
        Marks { name: &self.name, owners: owners.collect() }
    }
}

/// Flink writes high-availability state into ConfigMaps that nobody owns, so that they outlive the
/// session.
pub(in crate::cluster) fn is_high_availability(name: &SessionName, metadata: &Metadata) -> bool {
    let is_labelled = metadata.labels.get("configmap-type").is_some_and(|value| value == "high-availability");
    metadata.marks().is_state(name, is_labelled)
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
        let files = read(
            r#"{"metadata":{"name":"roc"},"spec":{"template":{"metadata":{"annotations":{"a":"b","kubectl-flink/file-0":"x"}}}}}"#,
        )
        .files;
        assert_eq!(files, BTreeMap::from([("kubectl-flink/file-0".to_owned(), "x".to_owned())]));
    }

    #[test]
    fn a_leader_lives_as_long_as_it_renews_its_hold() {
        let read = |value: &str| {
            let text =
                serde_json::json!({"name": "x", "annotations": {"other": "y", LEADER: value}}).to_string();
            serde_json::from_str::<Metadata>(&text).expect("metadata").leader.unwrap_or_default()
        };
        // As 1.20.5 writes it, and 2.3.0 after it has let go.
        let held = read(
            r#"{"holderIdentity":"7c8d","leaseDuration":15.000000000,"renewTime":"2026-11-25T10:00:05.004Z","leaderTransitions":1}"#,
        );
        let at = |text: &str| text.parse::<Timestamp>().expect("time");
        assert!(held.is_alive(at("2026-11-25T10:00:20Z")));
        assert!(!held.is_alive(at("2026-11-25T10:01:00Z")));
        let let_go =
            read(r#"{"holderIdentity":"","leaseDuration":"PT15S","renewTime":"2026-11-25T10:00:05.004Z"}"#);
        assert!(!let_go.is_alive(at("2026-11-25T10:00:06Z")));
        assert_eq!(read("no JSON"), Leader::default());
        assert_eq!(
            serde_json::from_str::<Metadata>(r#"{"annotations":null}"#).expect("metadata").leader,
            None
        );
    }

    #[test]
    fn high_availability_state_is_what_nobody_owns() {
        let name: SessionName = "roc".parse().expect("name");
        let is = |json: &str| {
            is_high_availability(&name, &serde_json::from_str::<Metadata>(json).expect("metadata"))
        };
        assert!(is(r#"{"name":"roc-cluster-config-map"}"#));
        assert!(is(r#"{"name":"roc-8e91dc59d12b7474c390b0a756115346-config-map"}"#));
        assert!(is(r#"{"name":"roc-restserver-leader"}"#));
        assert!(is(r#"{"name":"roc-x","labels":{"configmap-type":"high-availability"}}"#));
        assert!(!is(r#"{"name":"flink-config-roc"}"#));
        assert!(!is(r#"{"name":"roc-x-config-map","ownerReferences":[{"kind":"Deployment","name":"roc"}]}"#));
    }
}
