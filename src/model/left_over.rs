//! What dead sessions have left behind, and what tells that a session lives.

use std::fmt;

use jiff::Timestamp;
use serde::{Serialize, Serializer};

use super::session::API_VERSION;

/// The kinds of objects that are left over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    Job,
    Service,
    ConfigMap,
    Pod,
    NetworkPolicy,
    ClusterRoleBinding,
}

impl Kind {
    /// As kubectl writes it in front of a slash and a name.
    pub fn resource(self) -> &'static str {
        match self {
            Self::Job => "job.batch",
            Self::Service => "service",
            Self::ConfigMap => "configmap",
            Self::Pod => "pod",
            Self::NetworkPolicy => "networkpolicy.networking.k8s.io",
            Self::ClusterRoleBinding => "clusterrolebinding.rbac.authorization.k8s.io",
        }
    }
}

/// One object as it was when it was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Object {
    pub kind: Kind,
    /// Of a ClusterRoleBinding, that of the account that it binds.
    pub namespace: String,
    pub name: String,
    pub uid: String,
    pub resource_version: String,
}

impl fmt::Display for Object {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.kind.resource(), self.name)
    }
}

/// An object that would be left over if its session were dead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trace {
    pub object: Object,
    /// The session that it says that it belongs to.
    pub session: Option<String>,
    pub owners: Vec<Owner>,
    /// It is being deleted already.
    pub is_leaving: bool,
    /// When it ended, where it is something that ends; else when anybody last changed it.
    pub touched: Option<Timestamp>,
    pub what: What,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owner {
    pub kind: String,
    pub name: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// A bootstrap Job that has ended: why it failed, if it did.
    Bootstrap {
        failure: Option<String>,
    },
    Service,
    ConfigMap {
        /// The keys of its data.
        keys: Vec<String>,
        /// It has the label that Flink 1.12 to 1.20 gives to high-availability state.
        is_labelled_state: bool,
    },
    TaskManager,
    /// One that `create` made.
    NetworkPolicy,
    /// The plugin's own ClusterRoleBinding for an account that nothing uses.
    ClusterGrant {
        account: String,
    },
    /// A pod of the plugin's SQL client that has ended.
    Sql {
        has_failed: bool,
    },
}

/// Something that tells that a session lives, or is about to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sign {
    pub namespace: String,
    pub session: String,
    pub what: Life,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Life {
    Deployment,
    /// A pod that has not ended.
    JobManager,
    /// A bootstrap Job that has not ended.
    Bootstrap,
    /// Somebody who holds its high-availability state right now: a cluster that is not native has neither a
    /// Deployment of its name nor pods with its labels.
    Leader,
    /// Of the Flink operator, which deletes the Deployment of a job that it suspends.
    FlinkDeployment,
}

impl Life {
    /// What the session has.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Deployment => "a Deployment",
            Self::JobManager => "a JobManager",
            Self::Bootstrap => "a bootstrap Job that starts it",
            Self::Leader => "a leader",
            Self::FlinkDeployment => "a FlinkDeployment of the Flink operator",
        }
    }
}

/// What this user may not read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hidden {
    /// In the API server's words.
    pub why: String,
    /// Without it nobody knows which sessions are dead.
    pub tells_life: bool,
}

/// All that may be left over in one place, and all that speaks against it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Inventory {
    pub traces: Vec<Trace>,
    pub signs: Vec<Sign>,
    pub hidden: Vec<Hidden>,
}

/// An object that a dead session has left behind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeftOver {
    pub object: Object,
    pub session: Option<String>,
    pub touched: Option<Timestamp>,
    /// Why it is left over, in a few words.
    pub reason: String,
    /// It belongs to state from which jobs can be recovered.
    pub holds_state: bool,
    /// It is left over whether or not its session lives.
    pub is_independent: bool,
    /// The account that it grants rights to in every namespace.
    pub grants_to: Option<String>,
}

pub const LEFT_OVER_KIND: &str = "FlinkLeftOver";
pub const LEFT_OVER_LIST_KIND: &str = "FlinkLeftOverList";

impl Serialize for LeftOver {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        #[serde(rename_all = "camelCase")]
        struct Json<'a> {
            api_version: &'static str,
            kind: &'static str,
            metadata: Metadata<'a>,
            /// As kubectl takes it.
            object: String,
            session: Option<&'a str>,
            status: Status<'a>,
        }
        #[derive(Serialize)]
        struct Metadata<'a> {
            name: &'a str,
            namespace: &'a str,
            uid: &'a str,
        }
        #[derive(Serialize)]
        #[serde(rename_all = "camelCase")]
        struct Status<'a> {
            reason: &'a str,
            holds_state: bool,
            touched_at: Option<String>,
        }
        Json {
            api_version: API_VERSION,
            kind: LEFT_OVER_KIND,
            metadata: Metadata {
                name: &self.object.name,
                namespace: &self.object.namespace,
                uid: &self.object.uid,
            },
            object: self.object.to_string(),
            session: self.session.as_deref(),
            status: Status {
                reason: &self.reason,
                holds_state: self.holds_state,
                touched_at: self.touched.map(|at| at.to_string()),
            },
        }
        .serialize(serializer)
    }
}
