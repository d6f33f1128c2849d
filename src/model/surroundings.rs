//! What was read of the place where a session is to be made.

use std::collections::BTreeMap;

/// Amounts by the name of the resource, in thousandths of its unit: cores, bytes, objects.
pub type Amounts = BTreeMap<String, i128>;

/// Everything that a check before the first write may look at. What could not be read is named in
/// [`Surroundings::unreadable`], never guessed.
#[derive(Clone, Debug, Default)]
pub struct Surroundings {
    pub namespace: String,
    /// Flags with which a command reaches this place, with a space in front.
    pub scope: String,
    /// The namespace is being deleted.
    pub terminating: bool,
    /// Its label `pod-security.kubernetes.io/enforce`.
    pub pod_security: Option<String>,
    pub quotas: Vec<Quota>,
    pub limits: Vec<Limit>,
    pub nodes: Vec<Node>,
    /// The Secrets that the session names.
    pub secrets: Vec<Secret>,
    /// What the API server said when it was shown a pod like the session's, by role.
    pub refused_pods: Vec<(&'static str, String)>,
    /// What the API server said when it was shown what is to be written, by object.
    pub refused_manifests: Vec<(String, String)>,
    /// What this user may not do and must, such as `create jobs.batch`.
    pub user_lacks: Vec<String>,
    /// What the session's ServiceAccount may not do and must.
    pub account_lacks: Vec<String>,
    /// Parts that could not be read, such as `nodes`.
    pub unreadable: Vec<String>,
}

/// A ResourceQuota that counts the session's pods.
#[derive(Clone, Debug, Default)]
pub struct Quota {
    pub name: String,
    pub hard: Amounts,
    pub used: Amounts,
}

/// One rule of a LimitRange.
#[derive(Clone, Debug, Default)]
pub struct Limit {
    pub name: String,
    /// `Container` or `Pod`.
    pub kind: String,
    pub most: Amounts,
    pub least: Amounts,
    /// How many times its request a limit may be.
    pub ratio: Amounts,
}

#[derive(Clone, Debug, Default)]
pub struct Node {
    pub name: String,
    pub labels: BTreeMap<String, String>,
    /// Taints that keep pods away, as key, value and effect.
    pub taints: Vec<[String; 3]>,
    pub unschedulable: bool,
    /// What pods may use in all.
    pub allocatable: Amounts,
    /// What the pods on it ask for; none when they could not be listed.
    pub asked: Option<Amounts>,
    /// A provider made it, who may make more: what is there now is not all there can be.
    pub is_provided: bool,
}

#[derive(Clone, Debug, Default)]
pub struct Secret {
    pub name: String,
    /// None when there is no such Secret.
    pub kind: Option<String>,
    /// The keys; none when they were not looked at.
    pub keys: Option<Vec<String>>,
}
