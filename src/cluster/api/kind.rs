//! The kinds of objects that sessions are made of: their paths and their names in kubectl's words.

use std::fmt;

use crate::cluster::api::partial::Metadata;
use crate::session::manifest::{cluster_grant, network_policy};

/// A kind; namespaced, unless it says otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    Deployment,
    ReplicaSet,
    Job,
    Service,
    ConfigMap,
    Pod,
    NetworkPolicy,
    /// Of the whole cluster.
    ClusterRoleBinding,
}

impl Kind {
    /// As kubectl writes it in front of a slash and a name.
    pub fn resource(self) -> &'static str {
        match self {
            Self::Deployment => "deployment.apps",
            Self::ReplicaSet => "replicaset.apps",
            Self::Job => "job.batch",
            Self::Service => "service",
            Self::ConfigMap => "configmap",
            Self::Pod => "pod",
            Self::NetworkPolicy => network_policy::RESOURCE,
            Self::ClusterRoleBinding => cluster_grant::RESOURCE,
        }
    }

    /// As `kubectl auth can-i` takes it.
    pub fn plural(self) -> String {
        match (self.group_and_plural(), self.resource().split_once('.')) {
            ((_, plural), Some((_, group))) => format!("{plural}.{group}"),
            ((_, plural), None) => plural.to_owned(),
        }
    }

    fn group_and_plural(self) -> (&'static str, &'static str) {
        match self {
            Self::Deployment => ("/apis/apps/v1", "deployments"),
            Self::ReplicaSet => ("/apis/apps/v1", "replicasets"),
            Self::Job => ("/apis/batch/v1", "jobs"),
            Self::Service => ("/api/v1", "services"),
            Self::ConfigMap => ("/api/v1", "configmaps"),
            Self::Pod => ("/api/v1", "pods"),
            Self::NetworkPolicy => ("/apis/networking.k8s.io/v1", "networkpolicies"),
            Self::ClusterRoleBinding => ("/apis/rbac.authorization.k8s.io/v1", "clusterrolebindings"),
        }
    }

    /// The path of the collection, in one namespace or in all.
    pub(in crate::cluster) fn collection(self, namespace: Option<&str>) -> String {
        let (group, plural) = self.group_and_plural();
        match namespace.filter(|_| self != Self::ClusterRoleBinding) {
            Some(namespace) => format!("{group}/namespaces/{namespace}/{plural}"),
            None => format!("{group}/{plural}"),
        }
    }
}

/// One object, by name and uid: what is deleted must be what was looked at.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ObjectRef {
    pub kind: Kind,
    pub name: String,
    pub uid: String,
}

impl ObjectRef {
    pub(in crate::cluster) fn of(kind: Kind, metadata: &Metadata) -> Self {
        Self { kind, name: metadata.name.clone(), uid: metadata.uid.clone() }
    }

    /// What kubectl (1.34) says of an object that it has deleted.
    pub fn deleted_from(&self, namespace: &str) -> String {
        let place = match self.kind {
            Kind::ClusterRoleBinding => String::new(),
            _ => format!(" from {namespace} namespace"),
        };
        format!("{} {:?} deleted{place}", self.kind.resource(), self.name)
    }
}

impl fmt::Display for ObjectRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.kind.resource(), self.name)
    }
}
