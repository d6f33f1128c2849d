//! Objects cut down to what the checks look at.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::cluster::api::partial::Metadata;
use crate::model::surroundings::{Amounts, Node};
use crate::session::spec::quantity;

/// Amounts as they are written, by the name of the resource.
type Quantities = Option<BTreeMap<String, String>>;

pub fn amounts(of: Quantities) -> Amounts {
    let read = of.unwrap_or_default().into_iter().map(|(name, text)| (name, quantity::kubernetes(&text)));
    read.filter_map(|(name, amount)| Some((name, amount?))).collect()
}

#[derive(Debug, Deserialize)]
pub struct NodeShape {
    pub metadata: Metadata,
    #[serde(default)]
    pub spec: NodeSpec,
    #[serde(default)]
    pub status: NodeStatus,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct NodeSpec {
    // Written so in Kubernetes' own field.
    #[serde(rename = "providerID")]
    pub provider_id: Option<String>,
    pub taints: Vec<Taint>,
    pub unschedulable: bool,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Taint {
    pub key: String,
    pub value: String,
    pub effect: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct NodeStatus {
    pub allocatable: Quantities,
}

#[derive(Debug, Deserialize)]
pub struct ResourceQuota {
    pub metadata: Metadata,
    #[serde(default)]
    pub spec: QuotaSpec,
    #[serde(default)]
    pub status: QuotaStatus,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct QuotaSpec {
    pub hard: Quantities,
    pub scopes: Vec<String>,
    pub scope_selector: Option<IgnoredAny>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct QuotaStatus {
    pub hard: Quantities,
    pub used: Quantities,
}

#[derive(Debug, Deserialize)]
pub struct LimitRange {
    pub metadata: Metadata,
    #[serde(default)]
    pub spec: LimitSpec,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct LimitSpec {
    /// `null` where there are none.
    pub limits: Option<Vec<LimitRule>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct LimitRule {
    #[serde(rename = "type")]
    pub type_: String,
    pub max: Quantities,
    pub min: Quantities,
    pub max_limit_request_ratio: Quantities,
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
    pub requests: Quantities,
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

impl From<NodeShape> for Node {
    fn from(node: NodeShape) -> Self {
        // Clusters on one machine, whose nodes are all there will be.
        const ON_ONE_MACHINE: [&str; 3] = ["kind://", "k3s://", "minikube://"];
        Self {
            name: node.metadata.name,
            // Whoever makes nodes tells Kubernetes by what name they know them.
            is_provided: node.spec.provider_id.is_some_and(|id| {
                !id.is_empty() && !ON_ONE_MACHINE.iter().any(|scheme| id.starts_with(scheme))
            }),
            taints: node
                .spec
                .taints
                .into_iter()
                .map(|taint| [taint.key, taint.value, taint.effect])
                .collect(),
            unschedulable: node.spec.unschedulable,
            allocatable: amounts(node.status.allocatable),
            labels: node.metadata.labels,
            asked: None,
        }
    }
}
