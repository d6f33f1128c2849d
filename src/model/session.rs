//! A session as `ls` shows it.

use jiff::Timestamp;
use serde::{Serialize, Serializer};

/// One row of `ls`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionView {
    pub name: String,
    pub namespace: String,
    pub uid: Option<String>,
    pub created: Option<Timestamp>,
    /// JobManagers that are ready, and that should be.
    pub ready: i32,
    pub desired: i32,
    /// The worst true state, in kubectl's kind of word.
    pub status: String,
    pub version: Option<String>,
    pub taskmanagers: usize,
    pub image: Option<String>,
    pub owner: Owner,
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
struct Metadata<'a> {
    name: &'a str,
    namespace: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    uid: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    creation_timestamp: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Status<'a> {
    phase: &'a str,
    ready_replicas: i32,
    replicas: i32,
    flink_version: Option<&'a str>,
    image: Option<&'a str>,
    task_managers: usize,
    owner: &'static str,
}

impl Serialize for SessionView {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Json {
            api_version: API_VERSION,
            kind: "Session",
            metadata: Metadata {
                name: &self.name,
                namespace: &self.namespace,
                uid: self.uid.as_deref(),
                creation_timestamp: self.created.map(|created| created.to_string()),
            },
            status: Status {
                phase: &self.status,
                ready_replicas: self.ready,
                replicas: self.desired,
                flink_version: self.version.as_deref(),
                image: self.image.as_deref(),
                task_managers: self.taskmanagers,
                owner: self.owner.as_str(),
            },
        }
        .serialize(serializer)
    }
}

/// The list that `ls -o json` prints, also around a single session.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SessionList<'a> {
    api_version: &'static str,
    kind: &'static str,
    items: &'a [SessionView],
}

impl<'a> SessionList<'a> {
    pub fn new(items: &'a [SessionView]) -> Self {
        Self { api_version: API_VERSION, kind: "SessionList", items }
    }
}

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
            taskmanagers: 2,
            image: Some("flink:2.3.0".to_owned()),
            owner: Owner::Plugin,
        }
    }

    #[test]
    fn json_has_the_shape_of_a_kubernetes_list() {
        insta::assert_snapshot!(serde_json::to_string_pretty(&SessionList::new(&[roc()])).expect("json"));
        insta::assert_snapshot!(serde_json::to_string(&SessionList::new(&[])).expect("json"),
            @r#"{"apiVersion":"kubectl-flink/v1alpha1","kind":"SessionList","items":[]}"#);
    }
}
