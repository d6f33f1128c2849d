//! Which sessions there are, from small requests: Deployments cut down to what is shown, and the
//! pods as table rows without their objects (150 bytes a pod instead of 7 KB).

use std::collections::{BTreeMap, BTreeSet};

use futures::{StreamExt, TryStreamExt};
use jiff::Timestamp;
use serde::Deserialize;

use super::tables::escape;
use super::{Cluster, Kind, ObjectRef, Result};
use crate::model::TableView;
use crate::model::session::{Owner, SessionView};
use crate::session::{FlinkVersion, SessionName, labels};

/// Where to look for sessions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scope {
    Namespace(String),
    AllNamespaces,
}

/// Requests for the pods of several namespaces at once.
const NAMESPACES_AT_ONCE: usize = 4;

#[derive(Debug, Deserialize)]
pub(super) struct List<T> {
    pub items: Vec<T>,
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
struct Deployment {
    metadata: Metadata,
    spec: DeploymentSpec,
    #[serde(default)]
    status: DeploymentStatus,
}

#[derive(Debug, Deserialize)]
struct DeploymentSpec {
    replicas: Option<i32>,
    template: Template,
}

#[derive(Debug, Deserialize)]
struct Template {
    spec: TemplateSpec,
}

#[derive(Debug, Deserialize)]
struct TemplateSpec {
    #[serde(default)]
    containers: Vec<Container>,
}

#[derive(Debug, Deserialize)]
#[serde(default)]
#[derive(Default)]
struct Container {
    image: Option<String>,
    command: Vec<String>,
    args: Vec<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct DeploymentStatus {
    ready_replicas: i32,
    conditions: Vec<Condition>,
}

#[derive(Debug, Deserialize)]
struct Condition {
    #[serde(rename = "type")]
    type_: String,
    status: String,
}

#[derive(Debug, Deserialize)]
struct Job {
    metadata: Metadata,
    #[serde(default)]
    status: JobStatus,
    spec: DeploymentSpec,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct JobStatus {
    conditions: Vec<Condition>,
}

/// The pods of one namespace: the status of every pod that is not well, by session.
#[derive(Debug, Default, PartialEq, Eq)]
struct PodsOfSession {
    taskmanagers: usize,
    /// STATUS of JobManager pods, as kubectl prints it.
    jobmanager_states: Vec<String>,
    taskmanager_states: Vec<String>,
}

impl Cluster {
    /// The sessions in `scope`, by namespace and name; only those of `names` unless it is empty.
    /// Application clusters are none.
    pub async fn sessions(&self, scope: &Scope, names: &[SessionName]) -> Result<Vec<SessionView>> {
        let namespace = match scope {
            Scope::Namespace(namespace) => Some(namespace.as_str()),
            Scope::AllNamespaces => None,
        };
        let native = labels::narrowed(labels::selector_of_all(), names);
        let bootstraps = labels::narrowed(labels::selector_of_bootstraps(), names);
        let (deployments, jobs) = tokio::try_join!(
            self.list_of::<Deployment>(Kind::Deployment, namespace, &native),
            self.list_of::<Job>(Kind::Job, namespace, &bootstraps),
        )?;
        let deployments: Vec<Deployment> = deployments.into_iter().filter(|d| !is_application(d)).collect();
        let namespaces: BTreeSet<&str> = deployments.iter().map(|d| d.metadata.namespace.as_str()).collect();
        let pods: BTreeMap<String, BTreeMap<String, PodsOfSession>> = futures::stream::iter(namespaces)
            .map(|namespace| async {
                let table = self.table(Kind::Pod, namespace, &native).await?;
                Ok::<_, super::ClusterError>((namespace.to_owned(), by_session(&table)))
            })
            .buffer_unordered(NAMESPACES_AT_ONCE)
            .try_collect()
            .await?;

        let none = PodsOfSession::default();
        let mut sessions: Vec<SessionView> = deployments
            .iter()
            .map(|deployment| {
                let metadata = &deployment.metadata;
                let pods = pods.get(&metadata.namespace).and_then(|sessions| sessions.get(&metadata.name));
                view(deployment, pods.unwrap_or(&none))
            })
            .collect();
        let unborn: Vec<SessionView> = jobs
            .iter()
            .filter_map(unborn_view)
            .filter(|unborn| {
                !deployments
                    .iter()
                    .any(|d| d.metadata.namespace == unborn.namespace && d.metadata.name == unborn.name)
            })
            .collect();
        sessions.extend(unborn);
        sessions.sort_by(|a, b| (&a.namespace, &a.name).cmp(&(&b.namespace, &b.name)));
        Ok(sessions)
    }

    pub(super) async fn list_of<T: for<'de> Deserialize<'de> + std::fmt::Debug>(
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

fn is_application(deployment: &Deployment) -> bool {
    deployment
        .spec
        .template
        .spec
        .containers
        .iter()
        .any(|container| runs_application(container.command.iter().chain(&container.args)))
}

fn view(deployment: &Deployment, pods: &PodsOfSession) -> SessionView {
    let metadata = &deployment.metadata;
    let image =
        deployment.spec.template.spec.containers.first().and_then(|container| container.image.clone());
    let tagged = image.as_deref().and_then(FlinkVersion::from_image_tag).map(|version| version.to_string());
    SessionView {
        name: metadata.name.clone(),
        namespace: metadata.namespace.clone(),
        uid: Some(metadata.uid.clone()),
        created: metadata.creation_timestamp,
        ready: deployment.status.ready_replicas,
        desired: deployment.spec.replicas.unwrap_or(1),
        status: status(deployment, pods),
        version: metadata.labels.get(labels::VERSION).cloned().or(tagged),
        taskmanagers: pods.taskmanagers,
        image,
        owner: owner(metadata),
    }
}

pub(super) fn owner(metadata: &Metadata) -> Owner {
    if metadata.owner_references.iter().any(|owner| owner.kind == "FlinkDeployment") {
        Owner::FlinkOperator
    } else if metadata.labels.get(labels::MANAGED_BY).is_some_and(|manager| manager == labels::PLUGIN) {
        Owner::Plugin
    } else {
        Owner::Other
    }
}

/// The worst true state in kubectl's kind of word.
fn status(deployment: &Deployment, pods: &PodsOfSession) -> String {
    if deployment.metadata.deletion_timestamp.is_some() {
        return "Terminating".to_owned();
    }
    let desired = deployment.spec.replicas.unwrap_or(1);
    let refused =
        deployment.status.conditions.iter().any(|c| c.type_ == "ReplicaFailure" && c.status == "True");
    if refused {
        return "FailedCreate".to_owned();
    }
    if desired == 0 {
        return "Stopped".to_owned();
    }
    // Terminating pods are on their way out and say nothing of the session.
    let troubled = |states: &[String]| {
        states.iter().find(|state| !matches!(state.as_str(), "Running" | "Terminating")).cloned()
    };
    if let Some(state) = troubled(&pods.jobmanager_states) {
        return match state.as_str() {
            "ContainerCreating" | "PodInitializing" => "Creating".to_owned(),
            _ => state,
        };
    }
    if deployment.status.ready_replicas < desired {
        return "Creating".to_owned();
    }
    let starting = ["ContainerCreating", "PodInitializing", "Pending", "Completed"];
    match troubled(&pods.taskmanager_states) {
        Some(state) if !starting.contains(&state.as_str()) => "Degraded".to_owned(),
        _ => "Running".to_owned(),
    }
}

/// A bootstrap Job as the session that it is to make, while there is no Deployment yet.
fn unborn_view(job: &Job) -> Option<SessionView> {
    let name = job.metadata.labels.get(labels::APP)?;
    let is =
        |condition: &str| job.status.conditions.iter().any(|c| c.type_ == condition && c.status == "True");
    let status = match () {
        () if job.metadata.deletion_timestamp.is_some() => "Terminating",
        () if is("Failed") => "BootstrapFailed",
        // It ended well and its session is gone.
        () if is("Complete") => return None,
        () => "Creating",
    };
    let image = job.spec.template.spec.containers.first().and_then(|container| container.image.clone());
    Some(SessionView {
        name: name.clone(),
        namespace: job.metadata.namespace.clone(),
        uid: None,
        created: job.metadata.creation_timestamp,
        ready: 0,
        desired: 1,
        status: status.to_owned(),
        version: image.as_deref().and_then(FlinkVersion::from_image_tag).map(|version| version.to_string()),
        taskmanagers: 0,
        image,
        owner: Owner::Plugin,
    })
}

/// Sorts pod rows by the session that their names tell: `ID-taskmanager-ATTEMPT-N` for
/// TaskManagers (Flink's fixed format), `ID-HASH-SUFFIX` for the pods of a Deployment.
fn by_session(pods: &TableView) -> BTreeMap<String, PodsOfSession> {
    let column = |name: &str| pods.header.iter().position(|header| header == name);
    let (Some(name), Some(status)) = (column("NAME"), column("STATUS")) else { return BTreeMap::new() };
    let mut sessions: BTreeMap<String, PodsOfSession> = BTreeMap::new();
    for row in &pods.rows {
        let state = row[status].clone();
        if let Some(session) = session_of_taskmanager(&row[name]) {
            let session = sessions.entry(session.to_owned()).or_default();
            session.taskmanagers += 1;
            session.taskmanager_states.push(state);
        } else if let Some((session, _)) =
            row[name].rsplit_once('-').and_then(|(rest, _)| rest.rsplit_once('-'))
        {
            sessions.entry(session.to_owned()).or_default().jobmanager_states.push(state);
        }
    }
    sessions
}

fn session_of_taskmanager(pod: &str) -> Option<&str> {
    let number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let (rest, index) = pod.rsplit_once('-')?;
    let (rest, attempt) = rest.rsplit_once('-')?;
    (number(index) && number(attempt)).then(|| rest.strip_suffix("-taskmanager")).flatten()
}

/// Everything that belongs to one session, with uids.
#[derive(Clone, Debug, Default)]
pub struct SessionObjects {
    pub deployment: Option<ObjectRef>,
    /// What Flink made, found by its labels, and what a 1.10 session leaves behind.
    pub services: Vec<ObjectRef>,
    pub config_maps: Vec<ObjectRef>,
    pub taskmanagers: Vec<ObjectRef>,
    /// Pods that go with the Deployment or the Job that owns them.
    pub owned_pods: Vec<ObjectRef>,
    /// The plugin's own bootstrap Job, or one that a person made the documented way.
    pub jobs: Vec<ObjectRef>,
    /// State of high availability: kept.
    pub high_availability: Vec<ObjectRef>,
    /// Who looks after the session.
    pub owner: Option<Owner>,
    /// The Deployment is an application cluster.
    pub is_application: bool,
    /// A Deployment of this name that is no Flink cluster.
    pub foreign: Option<ObjectRef>,
}

impl SessionObjects {
    /// Everything but the high-availability state, in the order in which it is named.
    pub fn all(&self) -> impl Iterator<Item = &ObjectRef> {
        self.deployment
            .iter()
            .chain(&self.jobs)
            .chain(&self.services)
            .chain(&self.config_maps)
            .chain(&self.taskmanagers)
            .chain(&self.owned_pods)
    }

    pub fn is_empty(&self) -> bool {
        self.all().next().is_none()
    }
}

impl Cluster {
    /// Reads everything that belongs to the session `name`.
    pub async fn session_objects(&self, namespace: &str, name: &SessionName) -> Result<SessionObjects> {
        let selector = labels::selector_of(name);
        let of_app = format!("{}={name}", labels::APP);
        let by_app = format!("{of_app},{}={}", labels::MANAGED_BY, labels::PLUGIN);
        let (deployment, services, config_maps, pods, jobs, hand_made) = tokio::try_join!(
            self.get::<k8s_openapi::api::apps::v1::Deployment>(namespace, name.as_str()),
            self.list_of::<Bare>(Kind::Service, Some(namespace), &selector),
            self.list_of::<Bare>(Kind::ConfigMap, Some(namespace), &selector),
            self.list_of::<Bare>(Kind::Pod, Some(namespace), &of_app),
            self.list_of::<Bare>(Kind::Job, Some(namespace), &by_app),
            self.hand_made_bootstrap(namespace, name),
        )?;
        let mut objects =
            SessionObjects { services: refs(Kind::Service, services), ..SessionObjects::default() };
        let (state, config): (Vec<Bare>, Vec<Bare>) =
            config_maps.into_iter().partition(|config_map| is_high_availability(name, &config_map.metadata));
        objects.high_availability = refs(Kind::ConfigMap, state);
        objects.config_maps = refs(Kind::ConfigMap, config);
        let is =
            |pod: &Bare, key: &str, value: &str| pod.metadata.labels.get(key).is_some_and(|v| v == value);
        let (native, others): (Vec<Bare>, Vec<Bare>) =
            pods.into_iter().partition(|pod| is(pod, labels::TYPE, labels::TYPE_NATIVE));
        let (taskmanagers, mut owned): (Vec<Bare>, Vec<Bare>) =
            native.into_iter().partition(|pod| is(pod, labels::COMPONENT, labels::TASKMANAGER));
        // A pod that only happens to be called `app=NAME` is nobody's business here.
        owned.extend(others.into_iter().filter(|pod| is(pod, labels::MANAGED_BY, labels::PLUGIN)));
        objects.taskmanagers = refs(Kind::Pod, taskmanagers);
        objects.owned_pods = refs(Kind::Pod, owned);
        objects.jobs = refs(Kind::Job, jobs);
        if let Some(job) = hand_made.filter(|job| !objects.jobs.contains(job)) {
            objects.jobs.push(job);
        }
        if let Some(deployment) = deployment {
            let reference = ObjectRef {
                kind: Kind::Deployment,
                name: name.to_string(),
                uid: deployment.metadata.uid.clone().unwrap_or_default(),
            };
            let metadata = Metadata::from(&deployment.metadata);
            if metadata.labels.get(labels::TYPE).is_some_and(|type_| type_ == labels::TYPE_NATIVE) {
                objects.owner = Some(owner(&metadata));
                objects.is_application = super::preflight::is_application(&deployment);
                objects.deployment = Some(reference);
            } else {
                objects.foreign = Some(reference);
            }
        }
        Ok(objects)
    }

    /// The Job that the Flink documentation's manual way makes; it has no label of the session.
    async fn hand_made_bootstrap(&self, namespace: &str, name: &SessionName) -> Result<Option<ObjectRef>> {
        let job = self.get::<k8s_openapi::api::batch::v1::Job>(namespace, &name.bootstrap_job()).await?;
        Ok(job.filter(|job| super::preflight::makes_session(job, name)).map(|job| ObjectRef {
            kind: Kind::Job,
            name: job.metadata.name.unwrap_or_default(),
            uid: job.metadata.uid.unwrap_or_default(),
        }))
    }
}

/// An object of which only the metadata matters.
#[derive(Debug, Deserialize)]
pub(super) struct Bare {
    pub metadata: Metadata,
}

fn refs(kind: Kind, objects: Vec<Bare>) -> Vec<ObjectRef> {
    objects
        .into_iter()
        .map(|object| ObjectRef { kind, name: object.metadata.name, uid: object.metadata.uid })
        .collect()
}

impl From<&k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta> for Metadata {
    fn from(meta: &k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta) -> Self {
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

    fn pods(rows: &[(&str, &str)]) -> BTreeMap<String, PodsOfSession> {
        by_session(&TableView {
            header: ["NAME", "READY", "STATUS"].map(str::to_owned).to_vec(),
            rows: rows.iter().map(|(n, s)| [*n, "1/1", *s].map(str::to_owned).to_vec()).collect(),
        })
    }

    fn deployment(json: &str) -> Deployment {
        serde_json::from_str(json).expect("deployment")
    }

    const RUNNING: &str = r#"{"metadata":{"name":"roc","namespace":"a","uid":"u"},
        "spec":{"replicas":1,"template":{"spec":{"containers":[{"image":"flink:1.20.5","args":["kubernetes-jobmanager.sh kubernetes-session"]}]}}},
        "status":{"readyReplicas":1}}"#;

    #[test]
    fn pod_names_tell_their_session() {
        let sessions = pods(&[
            ("roc-65d8f95b64-mnmvt", "Running"),
            ("roc-taskmanager-1-1", "Running"),
            ("roc-taskmanager-1-2", "OOMKilled"),
            ("roc-x-65d8f95b64-mnmvt", "Pending"),
            ("a-taskmanager-1-7c9d8f-abcde", "Running"),
            ("a-taskmanager-1-taskmanager-2-10", "Running"),
        ]);
        assert_eq!(sessions["roc"].taskmanagers, 2);
        assert_eq!(sessions["roc"].jobmanager_states, ["Running"]);
        assert_eq!(sessions["roc-x"].jobmanager_states, ["Pending"]);
        assert_eq!(sessions["a-taskmanager-1"].jobmanager_states, ["Running"]);
        assert_eq!(sessions["a-taskmanager-1"].taskmanagers, 1);
    }

    #[test]
    fn the_status_is_the_worst_true_state() {
        let says = |json: &str, rows: &[(&str, &str)]| {
            let pods = pods(rows).remove("roc").unwrap_or_default();
            view(&deployment(json), &pods).status
        };
        let unready = RUNNING.replace(r#""readyReplicas":1"#, r#""unavailableReplicas":1"#);
        let jm = "roc-65d8f95b64-mnmvt";
        let tm = "roc-taskmanager-1-1";
        assert_eq!(says(RUNNING, &[(jm, "Running")]), "Running");
        assert_eq!(says(RUNNING, &[(jm, "Running"), (tm, "ContainerCreating")]), "Running");
        assert_eq!(says(RUNNING, &[(jm, "Running"), (tm, "Error")]), "Degraded");
        assert_eq!(says(&unready, &[(jm, "ContainerCreating")]), "Creating");
        assert_eq!(says(&unready, &[]), "Creating");
        assert_eq!(says(&unready, &[(jm, "ImagePullBackOff")]), "ImagePullBackOff");
        assert_eq!(says(&unready, &[(jm, "CrashLoopBackOff")]), "CrashLoopBackOff");
        // A crashing JobManager is "ready" for seconds of every cycle.
        assert_eq!(says(RUNNING, &[(jm, "Error")]), "Error");
        let refused = RUNNING
            .replace(r#""readyReplicas":1"#, r#""conditions":[{"type":"ReplicaFailure","status":"True"}]"#);
        assert_eq!(says(&refused, &[]), "FailedCreate");
        let going = RUNNING.replace(r#""uid":"u""#, r#""deletionTimestamp":"2026-01-01T00:00:00Z""#);
        assert_eq!(says(&going, &[(jm, "Terminating")]), "Terminating");
        let stopped = RUNNING.replace(r#""replicas":1"#, r#""replicas":0"#);
        assert_eq!(says(&stopped, &[]), "Stopped");
    }

    #[test]
    fn the_version_is_what_rest_said_else_what_the_tag_says() {
        let version = |json: &str| view(&deployment(json), &PodsOfSession::default()).version;
        assert_eq!(version(RUNNING).as_deref(), Some("1.20.5"));
        let labelled = RUNNING.replace(r#""uid":"u""#, r#""labels":{"app.kubernetes.io/version":"1.19.3"}"#);
        assert_eq!(version(&labelled).as_deref(), Some("1.19.3"));
        assert_eq!(version(&RUNNING.replace("flink:1.20.5", "mine:latest")), None);
    }

    #[test]
    fn application_clusters_are_no_sessions() {
        assert!(!is_application(&deployment(RUNNING)));
        assert!(is_application(&deployment(
            &RUNNING.replace("kubernetes-session", "kubernetes-application")
        )));
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
