//! Objects cut down to the fields that are looked at: what is not read is not kept in memory.

use std::collections::BTreeMap;
use std::fmt::Debug;

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde::{Deserialize, Deserializer};

use super::tables::escape;
use super::{Cluster, Kind, Result};
use crate::model::session::Owner;
use crate::session::{SessionName, labels};

/// A list of objects.
#[derive(Debug, Deserialize)]
#[serde(bound = "T: Deserialize<'de>")]
pub(super) struct List<T> {
    #[serde(deserialize_with = "null_is_empty")]
    pub items: Vec<T>,
}

/// The API server writes `null` for an empty list of metadata.
fn null_is_empty<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    items: D,
) -> std::result::Result<Vec<T>, D::Error> {
    Option::<Vec<T>>::deserialize(items).map(Option::unwrap_or_default)
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Metadata {
    pub name: String,
    pub namespace: String,
    pub uid: String,
    pub creation_timestamp: Option<Timestamp>,
    pub deletion_timestamp: Option<Timestamp>,
    pub labels: BTreeMap<String, String>,
    pub owner_references: Vec<OwnerReference>,
}

#[derive(Clone, Debug, Deserialize)]
pub(super) struct OwnerReference {
    pub kind: String,
    pub name: String,
}

#[derive(Debug, Deserialize)]
pub(super) struct Template {
    pub spec: TemplateSpec,
}

#[derive(Debug, Deserialize)]
pub(super) struct TemplateSpec {
    #[serde(default)]
    pub containers: Vec<Container>,
}

impl Template {
    /// The image of the first container, which is Flink's.
    pub fn image(&self) -> Option<String> {
        self.spec.containers.first().and_then(|container| container.image.clone())
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Container {
    pub image: Option<String>,
    pub command: Vec<String>,
    pub args: Vec<String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Condition {
    #[serde(rename = "type")]
    pub type_: String,
    pub status: String,
}

/// An object of which only the metadata matters.
#[derive(Debug, Deserialize)]
pub(super) struct Bare {
    pub metadata: Metadata,
}

impl Cluster {
    /// Lists the metadata alone of `kind` under `selector`.
    pub(super) async fn metadata_of(&self, kind: Kind, namespace: &str, selector: &str) -> Result<Vec<Bare>> {
        const METADATA: &str = "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io";
        let path = format!("{}?labelSelector={}", kind.collection(Some(namespace)), escape(selector));
        self.read::<List<Bare>>(&path, METADATA).await.map(|list| list.items)
    }

    /// Lists `kind` under `selector`, in one namespace or in all.
    pub(super) async fn list_of<T: for<'de> Deserialize<'de> + Debug>(
        &self,
        kind: Kind,
        namespace: Option<&str>,
        selector: &str,
    ) -> Result<Vec<T>> {
        let path = format!("{}?labelSelector={}", kind.collection(namespace), escape(selector));
        self.read::<List<T>>(&path, "application/json").await.map(|list| list.items)
    }
}

/// Application clusters have the labels of sessions; what the JobManager's container runs tells
/// them apart (`KubernetesApplicationClusterEntrypoint` up to 1.12, `kubernetes-application` later).
pub(super) fn runs_application<'a>(words: impl IntoIterator<Item = &'a String>) -> bool {
    words.into_iter().any(|word| {
        word.contains("kubernetes-application") || word.contains("KubernetesApplicationClusterEntrypoint")
    })
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

impl From<&ObjectMeta> for Metadata {
    fn from(meta: &ObjectMeta) -> Self {
        let owners = meta.owner_references.iter().flatten();
        Self {
            name: meta.name.clone().unwrap_or_default(),
            namespace: meta.namespace.clone().unwrap_or_default(),
            uid: meta.uid.clone().unwrap_or_default(),
            creation_timestamp: meta.creation_timestamp.as_ref().map(|time| time.0),
            deletion_timestamp: meta.deletion_timestamp.as_ref().map(|time| time.0),
            labels: meta.labels.clone().unwrap_or_default(),
            owner_references: owners
                .map(|owner| OwnerReference { kind: owner.kind.clone(), name: owner.name.clone() })
                .collect(),
        }
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
    fn an_empty_list_may_be_null() {
        let empty: List<Bare> = serde_json::from_str(
            r#"{"kind":"PartialObjectMetadataList","metadata":{"resourceVersion":"845"},"items":null}"#,
        )
        .expect("list");
        assert!(empty.items.is_empty());
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
