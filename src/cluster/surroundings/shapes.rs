//! Objects cut down to what the checks look at.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::model::surroundings::{Amounts, Node};
use crate::session::quantity;

pub fn amounts(of: Option<BTreeMap<String, Quantity>>) -> Amounts {
    let read =
        of.unwrap_or_default().into_iter().map(|(name, Quantity(text))| (name, quantity::kubernetes(&text)));
    read.filter_map(|(name, amount)| Some((name, amount?))).collect()
}

#[derive(Debug, Deserialize)]
pub struct NodeList {
    #[serde(default)]
    pub metadata: ListMetadata,
    pub items: Vec<k8s_openapi::api::core::v1::Node>,
}

#[derive(Debug, Default, Deserialize)]
pub struct ListMetadata {
    #[serde(rename = "continue")]
    pub continue_: Option<String>,
}

#[derive(Debug, Deserialize)]
pub struct PodRequests {
    pub spec: Containers,
}

#[derive(Debug, Deserialize)]
pub struct Containers {
    pub containers: Vec<Requesting>,
}

#[derive(Debug, Deserialize)]
pub struct Requesting {
    #[serde(default)]
    pub resources: Requests,
}

#[derive(Debug, Default, Deserialize)]
pub struct Requests {
    pub requests: Option<BTreeMap<String, Quantity>>,
}

#[derive(Debug, Deserialize)]
pub struct SecretKeys {
    #[serde(rename = "type")]
    pub type_: Option<String>,
    /// The values are not read.
    #[serde(default)]
    pub data: BTreeMap<String, IgnoredAny>,
}

#[derive(Debug, Deserialize)]
pub struct SecretTable {
    pub rows: Vec<Row>,
}

#[derive(Debug, Deserialize)]
pub struct Row {
    pub cells: Vec<serde_json::Value>,
}

impl From<k8s_openapi::api::core::v1::Node> for Node {
    fn from(node: k8s_openapi::api::core::v1::Node) -> Self {
        // Clusters on one machine, whose nodes are all there will be.
        const ON_ONE_MACHINE: [&str; 3] = ["kind://", "k3s://", "minikube://"];
        let spec = node.spec.unwrap_or_default();
        let labels = node.metadata.labels.unwrap_or_default();
        let taints = spec.taints.into_iter().flatten();
        Self {
            name: node.metadata.name.unwrap_or_default(),
            // Whoever makes nodes tells Kubernetes by what name they know them.
            is_provided: spec.provider_id.is_some_and(|id| {
                !id.is_empty() && !ON_ONE_MACHINE.iter().any(|scheme| id.starts_with(scheme))
            }),
            taints: taints.map(|taint| [taint.key, taint.value.unwrap_or_default(), taint.effect]).collect(),
            unschedulable: spec.unschedulable.unwrap_or_default(),
            allocatable: amounts(node.status.and_then(|status| status.allocatable)),
            labels,
            asked: None,
        }
    }
}
