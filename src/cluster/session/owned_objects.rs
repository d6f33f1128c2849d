//! Everything that belongs to one session, with uids: what `delete` looks at.

use jiff::Timestamp;

use super::jobmanagers::Ancestry;
use super::relabelled::{identity, is_service};
use crate::cluster::api::partial::{Bare, Leader, Metadata, Pod, is_high_availability, owner};
use crate::cluster::api::table::escape;
use crate::cluster::session::existing_objects::makes_session;
use crate::cluster::session::list::{Deployment, Job, Service};
use crate::cluster::{Cluster, Kind, ObjectRef, Result};
use crate::model::session::Owner;
use crate::session::SessionName;
use crate::session::existing::state::Identity;
use crate::session::manifest::{bootstrap_job, labels};

/// Everything that belongs to one session, with uids.
#[derive(Clone, Debug, Default)]
pub struct SessionObjects {
    pub deployment: Option<ObjectRef>,
    /// No JobManager is to run any more: the Deployment is scaled to zero, or on its way out.
    pub is_ending: bool,
    /// The Deployment is paused: it starts no pod of a new template.
    pub is_paused: bool,
    /// What Flink made, and what a 1.10 session leaves behind.
    pub services: Vec<ObjectRef>,
    pub config_maps: Vec<ObjectRef>,
    /// The NetworkPolicy that `create` made.
    pub policies: Vec<ObjectRef>,
    pub taskmanagers: Vec<ObjectRef>,
    pub jobmanagers: Vec<ObjectRef>,
    /// Those of them that are not on their way out.
    pub staying_jobmanagers: usize,
    /// What would make the JobManagers anew where no Deployment is left to take it along.
    pub replica_sets: Vec<ObjectRef>,
    /// The plugin's own bootstrap Job, or one that a person made the documented way.
    pub jobs: Vec<ObjectRef>,
    /// A Job has not ended, or the pod of one has not: its client may yet make objects.
    pub client_is_at_work: bool,
    pub bootstrap_pods: Vec<ObjectRef>,
    /// State of high availability, which outlives the session.
    pub high_availability: Vec<ObjectRef>,
    /// Who holds that state right now.
    pub leader: Option<Leader>,
    /// What carries the session's labels and is not Flink's.
    pub strangers: Vec<ObjectRef>,
    /// Who looks after the session.
    pub owner: Option<Owner>,
    /// What the Deployment belongs to, and who would make it anew: its kind and name.
    pub controller: Option<(String, String)>,
    /// The Deployment is an application cluster.
    pub is_application: bool,
    /// A Deployment of this name that is no Flink cluster.
    pub foreign: Option<ObjectRef>,
    /// The ServiceAccount of its JobManager, or of the client that is to make it.
    pub account: Option<String>,
    /// Objects that something holds back while they are being deleted, and what (their finalizers).
    pub held: Vec<(ObjectRef, String)>,
}

/// A pod in which Flink's client makes a session.
#[derive(Clone, Debug)]
pub struct Client {
    pub pod: ObjectRef,
    /// The uids of its owners.
    owners: Vec<String>,
}

impl Client {
    /// True for a pod of the Job with this uid.
    pub fn is_of(&self, job: &str) -> bool {
        self.owners.iter().any(|owner| owner == job)
    }
}

impl SessionObjects {
    /// Everything but the high-availability state, in the order in which it is named.
    pub fn all(&self) -> impl Iterator<Item = &ObjectRef> {
        self.deployment
            .iter()
            .chain(&self.jobs)
            .chain(&self.services)
            .chain(&self.config_maps)
            .chain(&self.policies)
            .chain(self.pods())
    }

    /// What the Deployment owns, or should: Services, ConfigMaps and TaskManagers.
    pub fn parts(&self) -> impl Iterator<Item = &ObjectRef> {
        self.services.iter().chain(&self.config_maps).chain(&self.policies).chain(&self.taskmanagers)
    }

    pub fn pods(&self) -> impl Iterator<Item = &ObjectRef> {
        self.taskmanagers.iter().chain(&self.jobmanagers).chain(&self.bootstrap_pods)
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
        let by_app = format!("labelSelector={}", escape(&by_app));
        let (deployment, services, config_maps, pods, jobs, hand_made, replica_sets, clients, policies) = tokio::try_join!(
            self.object::<Deployment>(Kind::Deployment, namespace, name.as_str()),
            self.metadata_of(Kind::Service, Some(namespace), &selector),
            self.metadata_of(Kind::ConfigMap, Some(namespace), &selector),
            self.metadata_of(Kind::Pod, Some(namespace), &of_app),
            self.list_of::<Job>(Kind::Job, Some(namespace), &by_app),
            self.hand_made_bootstrap(namespace, name),
            self.replica_sets_of(namespace, name),
            self.working_clients(namespace, name),
            self.network_policies_if_readable(namespace, name),
        )?;
        let ancestry =
            Ancestry::new(deployment.as_ref().map(|deployment| &deployment.metadata), replica_sets);
        let mut objects = SessionObjects::default();
        for Bare { metadata } in services {
            let service = objects.sorted(Kind::Service, &metadata, metadata.marks().is_service(name));
            objects.services.extend(service);
        }
        for Bare { metadata } in config_maps {
            if is_high_availability(name, &metadata) {
                let alive = metadata.leader.as_ref().filter(|leader| leader.is_alive(Timestamp::now()));
                objects.leader = objects.leader.or(alive.cloned());
                objects.high_availability.push(ObjectRef::of(Kind::ConfigMap, &metadata));
                continue;
            }
            let is_flinks = metadata.marks().is_config_map(name);
            let config_map = objects.sorted(Kind::ConfigMap, &metadata, is_flinks);
            objects.config_maps.extend(config_map);
        }
        for Bare { metadata } in policies {
            let policy =
                objects.sorted(Kind::NetworkPolicy, &metadata, metadata.marks().is_network_policy(name));
            objects.policies.extend(policy);
        }
        for Bare { metadata } in pods {
            objects.add_pod(name, &ancestry, &metadata);
        }
        for job in jobs.into_iter().chain(hand_made) {
            let is_flinks = makes_session(&job, name);
            if let Some(reference) = objects.sorted(Kind::Job, &job.metadata, is_flinks)
                && !objects.jobs.contains(&reference)
            {
                objects.client_is_at_work |= job.ended().is_none();
                objects.account = job.spec.template.spec.service_account_name.clone();
                objects.jobs.push(reference);
            }
        }
        objects.client_is_at_work |= !clients.is_empty();
        // Those of a Job made by hand have no label of the session.
        for Client { pod, .. } in clients {
            if !objects.bootstrap_pods.contains(&pod) {
                objects.bootstrap_pods.push(pod);
            }
        }
        if let Some(deployment) = deployment {
            objects.add_deployment(name, &deployment);
        }
        Ok(objects)
    }

    /// What has the labels of the session's NetworkPolicy. Users who cannot list them have none to delete.
    async fn network_policies_if_readable(&self, namespace: &str, name: &SessionName) -> Result<Vec<Bare>> {
        let selector = format!("{}={name},{}", labels::APP, labels::selector_of_network_policies());
        match self.metadata_of(Kind::NetworkPolicy, Some(namespace), &selector).await {
            Err(error) if error.is_forbidden() || error.is_not_found() => Ok(Vec::new()),
            policies => policies,
        }
    }

    /// The NetworkPolicy of the session's name: one that `create` made, or, as an error, another one.
    pub async fn network_policy(
        &self,
        namespace: &str,
        name: &SessionName,
    ) -> Result<Option<std::result::Result<ObjectRef, ObjectRef>>> {
        let found = self.object::<Bare>(Kind::NetworkPolicy, namespace, name.as_str()).await?;
        Ok(found.map(|Bare { metadata }| {
            let wanted = labels::network_policy(name);
            let is_own = wanted.iter().all(|(key, value)| metadata.labels.get(key) == Some(value))
                && metadata.marks().is_network_policy(name);
            let policy = ObjectRef::of(Kind::NetworkPolicy, &metadata);
            if is_own { Ok(policy) } else { Err(policy) }
        }))
    }

    /// The Service of the session's REST. None where there is none, and where the one of that name is not the
    /// session's: something else than the Deployment with the uid `deployment` owns it, or it leads elsewhere.
    pub async fn own_rest_service(
        &self,
        namespace: &str,
        name: &SessionName,
        deployment: &str,
    ) -> Result<Option<ObjectRef>> {
        let service = self.object::<Service>(Kind::Service, namespace, &name.rest_service()).await?;
        Ok(service
            .filter(|service| is_rest_service(name, service, deployment))
            .map(|service| ObjectRef::of(Kind::Service, &service.metadata)))
    }

    /// The pods in which Flink's client makes the session `name`, or may. Such a pod works on while it is being
    /// deleted, also where its Job is gone already.
    pub async fn working_clients(&self, namespace: &str, name: &SessionName) -> Result<Vec<Client>> {
        // The Job controller's own label, whatever the labels of the Job.
        let selector = escape(&format!("{}={}", labels::OF_JOB, name.bootstrap_job()));
        let ended = escape("status.phase!=Succeeded,status.phase!=Failed");
        let query = format!("labelSelector={selector}&fieldSelector={ended}");
        let pods = self.list_of::<Pod>(Kind::Pod, Some(namespace), &query).await?;
        let is_client = |pod: &&Pod| {
            let is = |key: &str, value: &str| pod.metadata.labels.get(key).is_some_and(|is| is == value);
            let is_of_job = is(labels::OF_JOB, &name.bootstrap_job());
            let has_ended = ["Succeeded", "Failed"].contains(&pod.status.phase.as_str());
            let is_own = is(labels::MANAGED_BY, labels::PLUGIN)
                && is(labels::APP, name.as_str())
                && pod.metadata.marks().is_bootstrap_pod(name);
            is_of_job
                && !has_ended
                && (is_own
                    || pod.spec.containers.iter().any(|container| {
                        let words: Vec<String> = container.words().cloned().collect();
                        bootstrap_job::is_client_for(name, &words)
                    }))
        };
        let client = |pod: &Pod| Client {
            pod: ObjectRef::of(Kind::Pod, &pod.metadata),
            owners: pod.metadata.owner_references.iter().map(|owner| owner.uid.clone()).collect(),
        };
        Ok(pods.iter().filter(is_client).map(client).collect())
    }

    /// The Job that the Flink documentation's manual way makes; it has no label of the session.
    async fn hand_made_bootstrap(&self, namespace: &str, name: &SessionName) -> Result<Option<Job>> {
        let job = self.object::<Job>(Kind::Job, namespace, &name.bootstrap_job()).await?;
        Ok(job.filter(|job| makes_session(job, name)))
    }
}

/// See [`Cluster::own_rest_service`].
fn is_rest_service(name: &SessionName, service: &Service, deployment: &str) -> bool {
    let owners = &service.metadata.owner_references;
    let mut deployments = owners.iter().filter(|owner| owner.kind == "Deployment");
    is_service(name, service) && deployments.all(|owner| owner.uid == deployment)
}

impl SessionObjects {
    /// The object, if it is the session's. What only carries the session's labels is noted as a stranger.
    fn sorted(&mut self, kind: Kind, metadata: &Metadata, is_flinks: bool) -> Option<ObjectRef> {
        let object = ObjectRef::of(kind, metadata);
        if !is_flinks {
            self.strangers.push(object);
            return None;
        }
        let finalizers = metadata.finalizers.iter().map(String::as_str);
        // This one is of an owner that waits for what it owns.
        let holders: Vec<&str> = finalizers.filter(|finalizer| *finalizer != "foregroundDeletion").collect();
        if metadata.deletion_timestamp.is_some() && !holders.is_empty() {
            self.held.push((object.clone(), holders.join(", ")));
        }
        Some(object)
    }

    fn add_pod(&mut self, name: &SessionName, ancestry: &Ancestry, metadata: &Metadata) {
        let is = |key: &str, value: &str| metadata.labels.get(key).is_some_and(|label| label == value);
        if !is(labels::TYPE, labels::TYPE_NATIVE) {
            // A pod that only happens to be called `app=NAME` is nobody's business here.
            if is(labels::MANAGED_BY, labels::PLUGIN) && is(labels::ROLE, labels::BOOTSTRAP) {
                let pod = self.sorted(Kind::Pod, metadata, metadata.marks().is_bootstrap_pod(name));
                self.bootstrap_pods.extend(pod);
            }
            return;
        }
        if is(labels::COMPONENT, labels::TASKMANAGER) {
            let pod = self.sorted(Kind::Pod, metadata, metadata.marks().is_taskmanager(name));
            return self.taskmanagers.extend(pod);
        }
        let is_jobmanager = ancestry.includes(name, metadata);
        let Some(pod) = self.sorted(Kind::Pod, metadata, is_jobmanager) else { return };
        let marks = metadata.marks();
        let set = marks.replica_set_of_jobmanager(name);
        let stays = usize::from(metadata.deletion_timestamp.is_none());
        self.staying_jobmanagers = self.staying_jobmanagers.saturating_add(stays);
        self.jobmanagers.push(pod);
        for owner in metadata.owner_references.iter().filter(|owner| Some(owner.name.as_str()) == set) {
            let set = ObjectRef { kind: Kind::ReplicaSet, name: owner.name.clone(), uid: owner.uid.clone() };
            if !self.replica_sets.contains(&set) {
                self.replica_sets.push(set);
            }
        }
    }

    fn add_deployment(&mut self, name: &SessionName, deployment: &Deployment) {
        let metadata = &deployment.metadata;
        let identity = identity(name.as_str(), deployment);
        if identity == Identity::Foreign {
            self.foreign = Some(ObjectRef::of(Kind::Deployment, metadata));
            return;
        }
        self.owner = Some(owner(metadata));
        // Flink 1.10 names its Service as owner, as a kind that does not exist (`apps/v1 service`).
        let mut owners =
            metadata.owner_references.iter().filter(|owner| !owner.kind.eq_ignore_ascii_case("service"));
        self.controller = owners.next().map(|owner| (owner.kind.clone(), owner.name.clone()));
        self.is_application = identity == Identity::Application;
        self.is_ending = metadata.deletion_timestamp.is_some() || deployment.spec.replicas == Some(0);
        self.is_paused = deployment.spec.paused;
        let account = &deployment.spec.template.spec.service_account_name;
        self.account = account.clone().or(self.account.take());
        self.deployment = self.sorted(Kind::Deployment, metadata, true);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn metadata(json: serde_json::Value) -> Metadata {
        serde_json::from_value(json).expect("metadata")
    }

    #[test]
    fn what_only_carries_the_labels_is_a_stranger() {
        let name: SessionName = "roc".parse().expect("name");
        let labels =
            serde_json::json!({"app": "roc", "type": "flink-native-kubernetes", "component": "taskmanager"});
        let mut objects = SessionObjects::default();
        for (pod, owner) in [("roc-taskmanager-1-1", ""), ("roc-taskmanager-1-2", "roc"), ("debug", "")] {
            let owners = match owner {
                "" => serde_json::json!([]),
                owner => serde_json::json!([{"kind": "Deployment", "name": owner, "uid": "d1"}]),
            };
            objects.add_pod(
                &name,
                &Ancestry::new(None, None),
                &metadata(
                    serde_json::json!({"name": pod, "uid": pod, "labels": labels, "ownerReferences": owners}),
                ),
            );
        }
        let names = |objects: &[ObjectRef]| objects.iter().map(|o| o.name.clone()).collect::<Vec<_>>();
        assert_eq!(names(&objects.taskmanagers), ["roc-taskmanager-1-1", "roc-taskmanager-1-2"]);
        assert_eq!(names(&objects.strangers), ["debug"]);
    }

    #[test]
    fn the_service_of_rest_is_the_deployments_own_or_leads_to_its_pods() {
        let name: SessionName = "roc".parse().expect("name");
        let is = |owners: serde_json::Value, selector: serde_json::Value| {
            let service = serde_json::json!({"metadata": {"name": "roc-rest", "uid": "s", "ownerReferences": owners},
                "spec": {"selector": selector}});
            let service = serde_json::from_value(service).expect("Service");
            is_rest_service(&name, &service, "d1")
        };
        let own = serde_json::json!({"app": "roc", "type": "flink-native-kubernetes"});
        let of = |kind: &str, uid: &str| serde_json::json!([{"kind": kind, "name": "roc", "uid": uid}]);
        assert!(is(of("Deployment", "d1"), own.clone()));
        assert!(is(serde_json::json!([]), own.clone()), "1.10");
        assert!(is(of("service", "s0"), own.clone()), "1.10");
        assert!(!is(of("Deployment", "d0"), own.clone()), "of an earlier session");
        assert!(!is(of("HelmRelease", "h"), own));
        assert!(!is(serde_json::json!([]), serde_json::json!({"app": "shop"})));
    }

    #[test]
    fn what_holds_an_object_back_is_known() {
        let mut objects = SessionObjects::default();
        let of = |finalizers: &[&str], deleting: bool| {
            let mut of = serde_json::json!({"name": "roc", "uid": "s", "finalizers": finalizers});
            if deleting {
                of["deletionTimestamp"] = "2026-01-01T00:00:00Z".into();
            }
            metadata(of)
        };
        objects.sorted(Kind::Service, &of(&["a/b"], false), true);
        objects.sorted(Kind::Service, &of(&["foregroundDeletion"], true), true);
        assert_eq!(objects.held, []);
        objects.sorted(Kind::Service, &of(&["a/b", "foregroundDeletion"], true), true);
        assert_eq!(objects.held[0].1, "a/b");
    }
}
