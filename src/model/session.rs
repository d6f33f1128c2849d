//! A session as `ls` shows it.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Serialize, Serializer};

use super::relabelled::Relabelled;

/// One row of `ls`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SessionView {
    pub name: String,
    pub namespace: String,
    pub uid: Option<String>,
    pub created: Option<Timestamp>,
    /// Those of the Deployment.
    pub labels: BTreeMap<String, String>,
    /// JobManagers that are ready, and that should be.
    pub ready: i32,
    pub desired: i32,
    /// The worst true state, in kubectl's kind of word.
    pub status: String,
    pub version: Option<String>,
    /// TaskManager pods; none when the user may not list pods.
    pub taskmanagers: Option<usize>,
    pub image: Option<String>,
    /// None when what tells it may not be seen, or is gone.
    pub owner: Option<Owner>,
    /// None when the Services do not tell.
    pub high_availability: Option<bool>,
    /// Of the Service in front of REST.
    pub service_type: Option<String>,
    /// Of the JobManager's container, as kubectl prints them: `3 (2m ago)`.
    pub restarts: Option<String>,
    /// What REST says; none when it was not asked, or did not answer.
    pub load: Option<Load>,
    /// The JobManager pod that answers for the session, and its port for REST.
    pub jobmanager_pod: Option<String>,
    pub rest_port: Option<u16>,
    /// Objects of it whose labels were changed, as far as they were read.
    pub relabelled: Vec<Relabelled>,
}

/// How busy a session is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Load {
    pub slots_free: u32,
    pub slots_total: u32,
    /// Jobs of which a task runs.
    pub jobs_running: u32,
    /// Jobs that have not ended, and of which no task runs.
    pub jobs_without_tasks: u32,
}

/// Who looks after a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owner {
    Plugin,
    FlinkOperator,
    Other,
}

impl Owner {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Plugin => "kubectl-flink",
            Self::FlinkOperator => "flink-operator",
            Self::Other => "other",
        }
    }
}

impl SessionView {
    /// A session of which nothing more is known.
    pub fn named(namespace: &str, name: &str, status: &str) -> Self {
        Self {
            name: name.to_owned(),
            namespace: namespace.to_owned(),
            status: status.to_owned(),
            ..Self::default()
        }
    }

    /// How often the JobManager's container was restarted.
    pub fn restart_count(&self) -> Option<u32> {
        self.restarts.as_ref().and_then(|text| text.split(' ').next()).and_then(|number| number.parse().ok())
    }
}

/// Version of the shapes that `-o json` prints.
pub const API_VERSION: &str = "kubectl-flink/v1alpha1";

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Json<'a> {
    api_version: &'static str,
    kind: &'static str,
    metadata: Metadata<'a>,
    status: Status<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Metadata<'a> {
    name: &'a str,
    namespace: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    uid: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    creation_timestamp: Option<String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    labels: &'a BTreeMap<String, String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Status<'a> {
    phase: &'a str,
    ready_replicas: i32,
    replicas: i32,
    flink_version: Option<&'a str>,
    image: Option<&'a str>,
    task_managers: Option<usize>,
    owner: Option<&'static str>,
    high_availability: Option<bool>,
    service_type: Option<&'a str>,
    restarts: Option<u32>,
    load: Option<Load>,
}

impl SessionView {
    pub(super) fn metadata(&self) -> Metadata<'_> {
        Metadata {
            name: &self.name,
            namespace: &self.namespace,
            uid: self.uid.as_deref(),
            creation_timestamp: self.created.map(|created| created.to_string()),
            labels: &self.labels,
        }
    }

    pub(super) fn json_status(&self) -> Status<'_> {
        Status {
            phase: &self.status,
            ready_replicas: self.ready,
            replicas: self.desired,
            flink_version: self.version.as_deref(),
            image: self.image.as_deref(),
            task_managers: self.taskmanagers,
            owner: self.owner.map(Owner::as_str),
            high_availability: self.high_availability,
            service_type: self.service_type.as_deref(),
            restarts: self.restart_count(),
            load: self.load,
        }
    }
}

impl Serialize for SessionView {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Json {
            api_version: API_VERSION,
            kind: "Session",
            metadata: self.metadata(),
            status: self.json_status(),
        }
        .serialize(serializer)
    }
}

/// The kind of the list around sessions.
pub const LIST_KIND: &str = "SessionList";

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A session as most are.
    pub(crate) fn roc() -> SessionView {
        SessionView {
            name: "roc".to_owned(),
            namespace: "team-a".to_owned(),
            uid: Some("1-2".to_owned()),
            created: "2026-01-01T00:00:00Z".parse().ok(),
            ready: 1,
            desired: 1,
            status: "Running".to_owned(),
            version: Some("2.3.0".to_owned()),
            taskmanagers: Some(2),
            image: Some("flink:2.3.0".to_owned()),
            owner: Some(Owner::Plugin),
            labels: BTreeMap::from([("app".to_owned(), "roc".to_owned())]),
            high_availability: Some(false),
            service_type: Some("ClusterIP".to_owned()),
            restarts: Some("3 (2m ago)".to_owned()),
            load: Some(Load { slots_free: 1, slots_total: 2, jobs_running: 1, jobs_without_tasks: 1 }),
            jobmanager_pod: Some("roc-1-2".to_owned()),
            rest_port: Some(8081),
            relabelled: Vec::new(),
        }
    }

    #[test]
    fn json_has_the_shape_of_a_kubernetes_object() {
        insta::assert_snapshot!(serde_json::to_string_pretty(&roc()).expect("json"));
    }
}
