//! What was observed of one session at one time.

use jiff::Timestamp;

use super::relabelled::Relabelled;
use super::session::Load;
use super::status::Job;
use super::surroundings::{Amounts, Node};

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
    /// The uid of the session's Deployment: its own, or what its ReplicaSets or its Service name as their owner where the
    /// Deployment cannot be read.
    pub deployment_uid: Option<String>,
    /// The Deployment of that name is not a session.
    pub has_foreign_deployment: bool,
    /// Objects of the session whose labels were changed.
    pub relabelled: Vec<Relabelled>,
    /// JobManager pods of the session's Deployment, newest last.
    pub jobmanagers: Vec<Pod>,
    /// Pods with all the labels of the session's JobManager that belong to something else, by name.
    pub foreign_jobmanagers: Vec<String>,
    /// Whether the session's settings turn high availability on; none when they were not read, or could not be.
    pub high_availability: Option<bool>,
    /// TaskManagers that do not run, a few of them; read only while a job waits for slots.
    pub waiting_taskmanagers: Vec<Pod>,
    /// The end of the JobManager's log; read while a job waits for slots and no TaskManager is there.
    pub jobmanager_log: Option<String>,
    /// How many slots the session may have, where its settings limit them; read while a job waits for slots.
    pub slot_limit: Option<SlotLimit>,
    /// The settings that limit what all TaskManagers have together, each with its value.
    pub resource_limits: Vec<(String, String)>,
    /// The nodes of the cluster, without what runs on them; read while a pod finds no room, by users who may.
    pub nodes: Vec<Node>,
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
    /// A change of its template starts no pod until it is resumed.
    pub is_paused: bool,
    /// JobManagers that should run, and that are ready.
    pub replicas: i32,
    pub ready: i32,
    /// JobManager pods of the newest template.
    pub updated: i32,
    /// It is that of an application cluster.
    pub is_application: bool,
    /// Why no pod can be made (the condition ReplicaFailure).
    pub pod_refused: Option<String>,
}

#[derive(Clone, Debug, Default)]
pub struct Pod {
    pub name: String,
    pub uid: String,
    /// The ReplicaSet that it belongs to.
    pub replica_set: Option<String>,
    pub replica_set_uid: Option<String>,
    /// The id of Flink's container. Another one means another process.
    pub container_id: Option<String>,
    pub created: Option<Timestamp>,
    pub deleting: bool,
    /// `Pending`, `Running`, `Succeeded`, `Failed` or `Unknown`.
    pub phase: String,
    pub ready: bool,
    /// What its containers ask for together.
    pub requests: Amounts,
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
    /// The port on which its REST API listens, where it is not Flink's default.
    pub rest_port: Option<u16>,
    pub ip: Option<String>,
    /// Log of the last run that ended, read once there is one.
    pub last_log: Option<String>,
}

impl Pod {
    /// False when Flink's container has not started, or has ended and not started again. Its state is the
    /// kubelet's: one that the kubelet has lost sight of may still run.
    pub fn may_run(&self) -> bool {
        let has_not_started = self.started.is_none()
            && (self.waiting.is_some()
                || self.ended.is_some()
                || self.phase == "Pending"
                || self.phase == "Failed");
        !has_not_started
    }
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
    /// It could not be asked in time: the line, or the API server, took too long or failed. Nothing is known of it.
    Unknown(String),
    /// This user may reach it neither by a forwarded port nor by the API server's proxy.
    Forbidden(String),
    Up(Overview),
}

/// What the settings of a session allow it to start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SlotLimit {
    /// `slotmanager.number-of-slots.max`.
    pub max: u32,
    /// `taskmanager.numberOfTaskSlots`.
    pub per_taskmanager: u32,
}

/// Flink's `GET /overview`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Overview {
    pub version: String,
    pub taskmanagers: u32,
    pub slots_total: u32,
    pub slots_available: u32,
    /// Jobs that have not ended: Flink counts those that run and those that wait (`JobsOverview.numJobsRunningOrPending`).
    pub jobs_running: u32,
    /// Of those, jobs of which no task runs; 0 before [`Overview::count`].
    pub jobs_without_tasks: u32,
}

impl Overview {
    /// Counts the jobs of a list, which tells what the overview does not: which of them have a task that runs.
    pub fn count(&mut self, jobs: &[Job]) {
        let count = |of: &dyn Fn(&Job) -> bool| {
            u32::try_from(jobs.iter().filter(|job| job.is_alive() && of(job)).count()).unwrap_or(u32::MAX)
        };
        self.jobs_running = count(&|_| true);
        self.jobs_without_tasks = count(&|job| job.tasks_running == 0);
    }

    pub fn load(&self) -> Load {
        Load {
            slots_free: self.slots_available,
            slots_total: self.slots_total,
            jobs_running: self.jobs_running.saturating_sub(self.jobs_without_tasks),
            jobs_without_tasks: self.jobs_without_tasks,
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
            deployment_uid: None,
            has_foreign_deployment: false,
            relabelled: Vec::new(),
            jobmanagers: Vec::new(),
            foreign_jobmanagers: Vec::new(),
            high_availability: None,
            waiting_taskmanagers: Vec::new(),
            jobmanager_log: None,
            slot_limit: None,
            resource_limits: Vec::new(),
            nodes: Vec::new(),
            rest: Rest::NotAsked,
            unreadable: Vec::new(),
        }
    }

    /// Adds objects whose labels were changed, each once.
    pub fn add_relabelled(&mut self, objects: impl IntoIterator<Item = Relabelled>) {
        for object in objects {
            if !self.relabelled.contains(&object) {
                self.relabelled.push(object);
            }
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
