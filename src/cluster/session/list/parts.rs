//! The objects that tell of a session, cut down to what is looked at, and the session that they make together.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use super::pods::{PodRow, PodsOfSession};
use crate::cluster::api::partial::{Condition, Metadata, Template, owner};
use crate::cluster::session::jobmanagers::TargetPort;
use crate::cluster::session::relabelled;
use crate::model::session::{Owner, SessionView};
use crate::model::{Relabelled, TableView};
use crate::session::existing::state::{self, Identity, Remains, State};
use crate::session::manifest::labels;
use crate::session::{FlinkVersion, SessionName};

/// Namespace and name of a session.
pub(super) type Key = (String, String);

#[derive(Clone, Debug, Deserialize)]
pub(in crate::cluster) struct Deployment {
    pub metadata: Metadata,
    pub spec: DeploymentSpec,
    #[serde(default)]
    pub status: DeploymentStatus,
}

#[derive(Clone, Debug, Deserialize)]
pub(in crate::cluster) struct DeploymentSpec {
    pub replicas: Option<i32>,
    /// A change of its template comes to no pod until it is resumed.
    #[serde(default)]
    pub paused: bool,
    #[serde(default)]
    pub selector: Selector,
    pub template: Template,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(in crate::cluster) struct Selector {
    pub match_labels: BTreeMap<String, String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(in crate::cluster) struct DeploymentStatus {
    pub ready_replicas: i32,
    pub updated_replicas: i32,
    pub conditions: Vec<Condition>,
}

/// A bootstrap Job.
#[derive(Clone, Debug, Deserialize)]
pub(in crate::cluster) struct Job {
    pub metadata: Metadata,
    #[serde(default)]
    pub status: JobStatus,
    pub spec: DeploymentSpec,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(in crate::cluster) struct JobStatus {
    pub conditions: Vec<Condition>,
}

#[derive(Clone, Debug, Deserialize)]
pub(in crate::cluster) struct Service {
    pub metadata: Metadata,
    #[serde(default)]
    pub spec: ServiceSpec,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(in crate::cluster) struct ServiceSpec {
    #[serde(rename = "type")]
    pub type_: String,
    pub ports: Vec<ServicePort>,
    pub selector: BTreeMap<String, String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(in crate::cluster) struct ServicePort {
    pub name: String,
    pub port: u16,
    pub target_port: Option<TargetPort>,
}

/// All that tells of sessions but their pods.
#[derive(Clone, Debug, Default)]
pub(super) struct Parts {
    pub deployments: BTreeMap<Key, Deployment>,
    /// By the name of the session that they make.
    pub bootstraps: BTreeMap<Key, Job>,
    /// The pods of bootstrap Jobs that are at work, by session.
    pub bootstrap_pods: BTreeMap<Key, PodRow>,
    /// By session, then by their own name.
    pub services: BTreeMap<Key, BTreeMap<String, Service>>,
    pub hidden: Hidden,
}

/// Kinds that this user may not list.
#[derive(Clone, Debug, Default)]
pub(super) struct Hidden {
    pub deployments: bool,
    pub jobs: bool,
    pub services: bool,
    pub pods: bool,
    /// Namespaces of which the pods are hidden, where others are not.
    pub pods_of: BTreeSet<String>,
}

impl Service {
    /// A Service as its row in a table tells it.
    pub fn of_row(namespace: &str, session: &str, name: &str, type_: &str) -> Self {
        Self {
            metadata: Metadata {
                namespace: namespace.to_owned(),
                name: name.to_owned(),
                labels: BTreeMap::from([(labels::APP.to_owned(), session.to_owned())]),
                ..Metadata::default()
            },
            spec: ServiceSpec { type_: type_.to_owned(), ..ServiceSpec::default() },
        }
    }
}

/// The Services of one session, from kubectl's table of them.
pub(super) fn services_of(key: &Key, table: &TableView) -> Vec<Service> {
    let (Some(name), Some(type_)) = (table.column("NAME"), table.column("TYPE")) else { return Vec::new() };
    let service = |row: &Vec<String>| Some(Service::of_row(&key.0, &key.1, row.get(name)?, row.get(type_)?));
    table.rows.iter().filter_map(service).collect()
}

/// The session that an object says that it belongs to.
pub(super) fn key_by_label(metadata: &Metadata) -> Option<Key> {
    Some((metadata.namespace.clone(), metadata.labels.get(labels::APP)?.clone()))
}

/// The session that a bootstrap Job makes: its name tells it, whatever its labels are.
pub(super) fn key_of_job(metadata: &Metadata) -> Option<Key> {
    let named = metadata.name.strip_prefix(BOOTSTRAP);
    named.map(|session| (metadata.namespace.clone(), session.to_owned())).or_else(|| key_by_label(metadata))
}

/// The session of a Service, whatever its labels are. None for one that only carries a session's labels.
pub(super) fn key_of_service(service: &Service) -> Option<Key> {
    let metadata = &service.metadata;
    let marks = metadata.marks();
    let named = metadata.name.strip_suffix("-rest").into_iter().chain([metadata.name.as_str()]);
    let labelled = metadata.labels.get(labels::APP).map(String::as_str);
    let is_of = |session: &&str| {
        SessionName::existing(session).is_ok_and(|name| {
            marks.is_owned(&name)
                || (marks.owners.is_empty()
                    && (labelled == Some(session) || relabelled::of_service(&name, service).is_some()))
        })
    };
    let session = named.into_iter().find(is_of)?;
    Some((metadata.namespace.clone(), session.to_owned()))
}

/// How the name of a bootstrap Job begins.
const BOOTSTRAP: &str = "boot-";

pub(super) fn key_by_name(metadata: &Metadata) -> Key {
    (metadata.namespace.clone(), metadata.name.clone())
}

impl Job {
    /// The condition that says how it ended, and whether it did well.
    pub fn ended(&self) -> Option<(&Condition, bool)> {
        let mut conditions = self.status.conditions.iter().filter(|condition| condition.status == "True");
        conditions.find_map(|condition| match condition.type_.as_str() {
            "Complete" => Some((condition, true)),
            "Failed" => Some((condition, false)),
            _ => None,
        })
    }
}

/// How a bootstrap Job is, for [`state::of`].
pub(super) fn bootstrap(job: &Job) -> state::Bootstrap {
    if job.metadata.deletion_timestamp.is_some() {
        return state::Bootstrap::Deleting;
    }
    // The second of each is there while the Job's pod is still ending.
    let is = |conditions: [&str; 2]| {
        let mut there = job.status.conditions.iter().filter(|condition| condition.status == "True");
        there.any(|condition| conditions.contains(&condition.type_.as_str()))
    };
    match () {
        () if is(["Failed", "FailureTarget"]) => state::Bootstrap::Failed,
        () if is(["Complete", "SuccessCriteriaMet"]) => state::Bootstrap::Succeeded,
        () => state::Bootstrap::Running,
    }
}

impl Parts {
    pub fn add_deployment(&mut self, deployment: Deployment) {
        self.deployments.insert(key_by_name(&deployment.metadata), deployment);
    }

    pub fn add_bootstrap(&mut self, job: Job) {
        if let Some(key) = key_of_job(&job.metadata) {
            self.bootstraps.insert(key, job);
        }
    }

    pub fn add_service(&mut self, service: Service) {
        if let Some(key) = key_of_service(&service) {
            self.services.entry(key).or_default().insert(service.metadata.name.clone(), service);
        }
    }

    /// The sessions of which there is a bootstrap Job and nothing more.
    pub fn unborn(&self) -> impl Iterator<Item = &Key> {
        self.bootstraps.keys().filter(|key| !self.deployments.contains_key(*key))
    }

    pub fn remove_service(&mut self, key: &Key, name: &str) {
        if let Some(services) = self.services.get_mut(key) {
            services.remove(name);
            if services.is_empty() {
                self.services.remove(key);
            }
        }
    }

    /// Sessions of which there are Services or pods, and no Deployment that was listed.
    pub fn left_over<'a>(&'a self, pods: impl Iterator<Item = Key> + 'a) -> BTreeSet<Key> {
        let all = self.services.keys().cloned().chain(pods);
        all.filter(|key| !self.deployments.contains_key(key)).collect()
    }

    /// Sessions of which there is a Deployment, and no Service that was listed.
    pub fn without_services(&self) -> impl Iterator<Item = &Key> {
        let needs_services = |deployment: &Deployment, name: &str| {
            deployment.metadata.deletion_timestamp.is_none()
                && relabelled::identity(name, deployment) == Identity::Session
        };
        let without = self.deployments.iter().filter(|(key, _)| !self.services.contains_key(*key));
        without.filter(move |(key, deployment)| needs_services(deployment, &key.1)).map(|(key, _)| key)
    }

    /// True for a session whose Deployment or bootstrap Job was listed.
    pub fn is_chosen(&self, key: &Key) -> bool {
        self.hidden.deployments || self.deployments.contains_key(key) || self.bootstraps.contains_key(key)
    }

    /// Every session that anything is left of, apart from pods.
    pub fn keys(&self) -> BTreeSet<&Key> {
        self.deployments.keys().chain(self.bootstraps.keys()).chain(self.services.keys()).collect()
    }

    /// What `key` stands for.
    fn state(&self, key: &Key, pods: &PodsOfSession) -> State {
        let deployment = self.deployments.get(key).map(|deployment| state::Deployment {
            identity: relabelled::identity(&key.1, deployment),
            is_deleting: deployment.metadata.deletion_timestamp.is_some(),
            replicas: deployment.spec.replicas.unwrap_or(1),
        });
        state::of(&state::Parts {
            deployment,
            deployment_is_hidden: self.hidden.deployments,
            has_jobmanagers: pods.jobmanagers > 0,
            bootstrap: self.bootstraps.get(key).map(bootstrap),
            remains: remains(self.services.get(key), pods),
        })
    }

    /// The session that the parts make together; none when they make none, as those of an
    /// application cluster.
    pub fn view(&self, key: &Key, pods: &PodsOfSession) -> Option<SessionView> {
        let services = self.services.get(key);
        let job = self.bootstraps.get(key);
        let state = self.state(key, pods);
        let view = match (state, self.deployments.get(key), job) {
            (State::Absent | State::Foreign | State::Application | State::Unknown, ..) => return None,
            (_, Some(deployment), _) => self.of_deployment(state, deployment, job, services, pods),
            (State::Created, None, _) => of_pods(key, pods),
            (State::BeingCreated | State::BootstrapFailed, None, Some(job)) => {
                unborn(key, state, job, self.bootstrap_pods.get(key))
            }
            (State::Terminating, None, Some(job)) if job.metadata.deletion_timestamp.is_some() => {
                unborn(key, state, job, None)
            }
            (_, None, _) => left_over(key, state, services),
        };
        let pods_are_hidden = self.hidden.pods || self.hidden.pods_of.contains(&key.0);
        let taskmanagers = (!pods_are_hidden).then_some(pods.taskmanagers);
        let view = with_services(view, services);
        // With high availability a standby passes questions on; without it, each JobManager has jobs of its own.
        let is_one = pods.jobmanagers_ready == 1 || view.high_availability == Some(true);
        Some(SessionView {
            taskmanagers,
            restarts: pods.restarts.clone(),
            jobmanager_pod: pods.running.clone().filter(|_| is_one),
            relabelled: self.relabelled(key),
            ..view
        })
    }

    /// The objects of the session whose labels were changed.
    fn relabelled(&self, key: &Key) -> Vec<Relabelled> {
        let deployment =
            self.deployments.get(key).and_then(|deployment| relabelled::of_deployment(&key.1, deployment));
        let services = self.services.get(key).into_iter().flat_map(BTreeMap::values);
        let name = SessionName::existing(&key.1).ok();
        let services = services
            .filter_map(|service| name.as_ref().and_then(|name| relabelled::of_service(name, service)));
        deployment.into_iter().chain(services).collect()
    }

    fn of_deployment(
        &self,
        state: State,
        deployment: &Deployment,
        job: Option<&Job>,
        services: Option<&BTreeMap<String, Service>>,
        pods: &PodsOfSession,
    ) -> SessionView {
        let metadata = &deployment.metadata;
        let status = match status(state, deployment, pods) {
            // Nothing that it starts finds it: a 1.10 session of which the documented way of
            // deletion, `kubectl delete service`, has left the rest.
            "Running" if services.is_none() && !self.hidden.services => "Degraded",
            status => status,
        };
        // A session that nobody waited for has no label of the plugin's.
        let owner = match owner(metadata) {
            Owner::Other if job.is_some() => Some(Owner::Plugin),
            Owner::Other if self.hidden.jobs => None,
            owner => Some(owner),
        };
        SessionView {
            uid: Some(metadata.uid.clone()),
            ready: deployment.status.ready_replicas,
            desired: deployment.spec.replicas.unwrap_or(1),
            version: metadata
                .labels
                .get(labels::VERSION)
                .cloned()
                .or_else(|| tagged_version(&deployment.spec.template)),
            owner,
            ..of_template(&key_by_name(metadata), metadata, &deployment.spec.template, status)
        }
    }
}

fn tagged_version(template: &Template) -> Option<String> {
    let image = template.image();
    image.as_deref().and_then(FlinkVersion::from_image_tag).map(|version| version.to_string())
}

fn of_template(key: &Key, metadata: &Metadata, template: &Template, status: &str) -> SessionView {
    let view = SessionView { desired: 1, ..SessionView::named(&key.0, &key.1, status) };
    with_template(view, metadata, template)
}

/// Adds what an object and its pods' template tell.
pub(super) fn with_template(view: SessionView, metadata: &Metadata, template: &Template) -> SessionView {
    SessionView {
        labels: metadata.labels.clone(),
        created: metadata.creation_timestamp,
        version: tagged_version(template),
        image: template.image(),
        rest_port: template.rest_port(),
        ..view
    }
}

/// The type of the Service in front of REST, and what the other one tells: from Flink 1.11 on there
/// is no Service NAME with high availability, since TaskManagers find the leader in the ConfigMaps
/// (`InternalServiceDecorator`). 1.10 has no such high availability and one Service for everything.
fn with_services(view: SessionView, services: Option<&BTreeMap<String, Service>>) -> SessionView {
    let Some(services) = services else { return view };
    let rest = services.get(&format!("{}-rest", view.name));
    let internal = services.get(&view.name);
    SessionView {
        service_type: rest.or(internal).map(|service| service.spec.type_.clone()),
        high_availability: Some(internal.is_none()),
        ..view
    }
}

/// The worst true state in kubectl's kind of word.
fn status<'a>(state: State, deployment: &Deployment, pods: &'a PodsOfSession) -> &'a str {
    if let Some(word) = word(state) {
        return word;
    }
    let desired = deployment.spec.replicas.unwrap_or(1);
    let refused =
        deployment.status.conditions.iter().any(|c| c.type_ == "ReplicaFailure" && c.status == "True");
    if refused {
        return "FailedCreate";
    }
    // Pods that were evicted, or died with their node, stay listed beside the one that replaced them.
    let replaced = i32::try_from(pods.jobmanagers_running).is_ok_and(|running| running >= desired);
    match pods.jobmanager_trouble.as_deref().filter(|_| !replaced) {
        Some("ContainerCreating" | "PodInitializing") => return "Creating",
        Some(state) => return state,
        None => {}
    }
    if deployment.status.ready_replicas < desired {
        return "Creating";
    }
    if pods.taskmanager_trouble { "Degraded" } else { "Running" }
}

/// The word for a state that needs no look at pods.
fn word(state: State) -> Option<&'static str> {
    match state {
        State::BootstrapFailed => Some("BootstrapFailed"),
        State::Stopped => Some("Stopped"),
        State::Terminating => Some("Terminating"),
        State::Orphaned => Some("Orphaned"),
        State::Absent
        | State::Foreign
        | State::Application
        | State::Unknown
        | State::BeingCreated
        | State::Created => None,
    }
}

/// A bootstrap Job as the session that it is to make, while there is no Deployment yet.
fn unborn(key: &Key, state: State, job: &Job, pod: Option<&PodRow>) -> SessionView {
    let status = word(state).unwrap_or(match pod.map(|pod| pod.status.as_str()) {
        None | Some("Running" | "Completed" | "ContainerCreating" | "PodInitializing" | "Terminating") => {
            "Creating"
        }
        Some(state) => state,
    });
    SessionView { owner: Some(Owner::Plugin), ..of_template(key, &job.metadata, &job.spec.template, status) }
}

/// A session whose Deployment may not be seen, as its JobManager pods show it.
fn of_pods(key: &Key, pods: &PodsOfSession) -> SessionView {
    let count = |number: usize| i32::try_from(number).unwrap_or(i32::MAX);
    SessionView {
        ready: count(pods.jobmanagers_ready),
        desired: count(pods.jobmanagers),
        ..SessionView::named(
            &key.0,
            &key.1,
            match pods.jobmanager_trouble.as_deref() {
                Some("ContainerCreating" | "PodInitializing") => "Creating",
                Some(state) => state,
                None if pods.taskmanager_trouble => "Degraded",
                None => "Running",
            },
        )
    }
}

/// What a session has left behind. What a Deployment owns goes by itself soon after it; what
/// nobody owns stays for ever, as the Service of a 1.10 session, which is the owner of the rest.
fn remains(services: Option<&BTreeMap<String, Service>>, pods: &PodsOfSession) -> Remains {
    let mut services = services.into_iter().flat_map(BTreeMap::values).peekable();
    let is_going = |service: &Service| {
        service.metadata.deletion_timestamp.is_some()
            || service.metadata.owner_references.iter().any(|owner| owner.kind == "Deployment")
    };
    let going = match services.peek() {
        None if pods.is_empty() => return Remains::Nothing,
        None => pods.all_terminating,
        Some(_) => services.all(is_going),
    };
    if going { Remains::Going } else { Remains::Staying }
}

fn left_over(key: &Key, state: State, services: Option<&BTreeMap<String, Service>>) -> SessionView {
    let first = services.into_iter().flat_map(BTreeMap::values).next().map(|service| &service.metadata);
    SessionView {
        created: first.and_then(|metadata| metadata.creation_timestamp),
        labels: first.map(|metadata| metadata.labels.clone()).unwrap_or_default(),
        ..SessionView::named(&key.0, &key.1, word(state).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests;
