//! What was observed of one session at one time.

use jiff::Timestamp;

use super::session::Load;

/// Everything that a rule may look at. Absent parts were not there, or could not be read: then
/// [`Evidence::unreadable`] says so.
#[derive(Clone, Debug)]
pub struct Evidence {
    pub name: String,
    pub namespace: String,
    /// Flags with which a command reaches this session, with a space in front.
    pub scope: String,
    /// When this was observed, by this machine's clock.
    pub at: Timestamp,
    pub bootstrap: Option<Bootstrap>,
    pub deployment: Option<Deployment>,
    /// JobManager pods, newest last.
    pub jobmanagers: Vec<Pod>,
    /// TaskManagers that do not run, a few of them; read only while a job waits for slots.
    pub waiting_taskmanagers: Vec<Pod>,
    /// The end of the JobManager's log; read while a job waits for slots and no TaskManager is there.
    pub jobmanager_log: Option<String>,
    /// Whether REST answers.
    pub rest: Rest,
    /// Parts that could not be read, as `pods: pods is forbidden: ...`.
    pub unreadable: Vec<String>,
}

/// The Kubernetes Job that runs Flink's client.
#[derive(Clone, Debug, Default)]
pub struct Bootstrap {
    pub job: String,
    pub uid: String,
    pub created: Option<Timestamp>,
    pub deleting: bool,
    /// When it ended, well or not.
    pub ended: Option<Timestamp>,
    pub outcome: Outcome,
    pub pod: Option<Pod>,
    /// Why the Job cannot make its pod (its FailedCreate event).
    pub pod_refused: Option<String>,
    /// The client's log, read once the client has failed.
    pub log: Option<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Outcome {
    #[default]
    Running,
    Succeeded,
    /// With the Job's own reason, such as `BackoffLimitExceeded: ...`.
    Failed(String),
}

/// The JobManager's Deployment.
#[derive(Clone, Debug, Default)]
pub struct Deployment {
    pub uid: String,
    pub created: Option<Timestamp>,
    pub deleting: bool,
    /// JobManagers that should run, and that are ready.
    pub replicas: i32,
    pub ready: i32,
    /// Why no pod can be made (the condition ReplicaFailure).
    pub pod_refused: Option<String>,
}

#[derive(Clone, Debug, Default)]
pub struct Pod {
    pub name: String,
    pub uid: String,
    pub created: Option<Timestamp>,
    pub deleting: bool,
    /// `Pending`, `Running`, `Succeeded`, `Failed` or `Unknown`.
    pub phase: String,
    pub ready: bool,
    pub unschedulable: Option<Unschedulable>,
    /// Reason and message of the container that waits, such as ImagePullBackOff.
    pub waiting: Option<(String, String)>,
    /// How the container ended, if it is not running now.
    pub ended: Option<Exit>,
    /// How the container ended before it was restarted.
    pub ended_before: Option<Exit>,
    /// When the container was started, while it runs.
    pub started: Option<Timestamp>,
    pub restarts: i32,
    /// The container's port for REST.
    pub rest_port: Option<u16>,
    pub ip: Option<String>,
    /// Log of the last run that ended, read once there is one.
    pub last_log: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unschedulable {
    pub since: Option<Timestamp>,
    /// The scheduler's own words.
    pub message: String,
    /// An autoscaler has said that it adds a node for this pod.
    pub node_is_coming: bool,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Exit {
    pub code: i32,
    /// `Error`, `OOMKilled`, `Completed` ...
    pub reason: String,
    /// The container's termination message.
    pub message: String,
    pub at: Option<Timestamp>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rest {
    /// No JobManager pod to ask, or nobody asked.
    NotAsked,
    Down(String),
    /// This user may reach it neither by a forwarded port nor by the API server's proxy.
    Forbidden(String),
    Up(Overview),
}

/// Flink's `GET /overview`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Overview {
    pub version: String,
    pub taskmanagers: u32,
    pub slots_total: u32,
    pub slots_available: u32,
    pub jobs_running: u32,
}

impl Overview {
    pub fn load(&self) -> Load {
        Load {
            slots_free: self.slots_available,
            slots_total: self.slots_total,
            jobs_running: self.jobs_running,
        }
    }
}

impl Evidence {
    /// Nothing but the name: what a session looks like before its first object.
    pub fn empty(name: &str, namespace: &str, at: Timestamp) -> Self {
        Self {
            name: name.to_owned(),
            namespace: namespace.to_owned(),
            scope: format!(" -n {namespace}"),
            at,
            bootstrap: None,
            deployment: None,
            jobmanagers: Vec::new(),
            waiting_taskmanagers: Vec::new(),
            jobmanager_log: None,
            rest: Rest::NotAsked,
            unreadable: Vec::new(),
        }
    }

    /// Why the pods are not known, for who may not list them.
    pub fn why_pods_are_unknown(&self) -> Option<&str> {
        self.unreadable.iter().find_map(|part| part.strip_prefix("pods: "))
    }

    /// Seconds since `then`, never negative: the clocks of two machines are compared.
    pub fn seconds_since(&self, then: Option<Timestamp>) -> u64 {
        then.map_or(0, |then| self.at.duration_since(then).as_secs().max(0).unsigned_abs())
    }
}
