//! Everything that belongs to one session, with uids: what `delete` looks at.

use jiff::Timestamp;

use super::preflight::{kind_of, makes_session};
use super::sessions::{Deployment, Job};
use super::small::{Bare, Leader, Metadata, is_high_availability, owner};
use super::tables::escape;
use super::{Cluster, Kind, ObjectRef, Result};
use crate::model::session::Owner;
use crate::session::preflight::ExistingKind;
use crate::session::{SessionName, labels};

/// Everything that belongs to one session, with uids.
#[derive(Clone, Debug, Default)]
pub struct SessionObjects {
    pub deployment: Option<ObjectRef>,
    /// No JobManager is to run any more: the Deployment is scaled to zero, or on its way out.
    pub is_ending: bool,
    /// What Flink made, and what a 1.10 session leaves behind.
    pub services: Vec<ObjectRef>,
    pub config_maps: Vec<ObjectRef>,
    pub taskmanagers: Vec<ObjectRef>,
    pub jobmanagers: Vec<ObjectRef>,
    /// Those of them that are not on their way out.
    pub staying_jobmanagers: usize,
    /// What would make the JobManagers anew where no Deployment is left to take it along.
    pub replica_sets: Vec<ObjectRef>,
    /// The plugin's own bootstrap Job, or one that a person made the documented way.
    pub jobs: Vec<ObjectRef>,
    /// One of them has not ended: its client may yet make objects.
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
    /// Objects that something holds back while they are being deleted, and what (their finalizers).
    pub held: Vec<(ObjectRef, String)>,
}

impl SessionObjects {
    /// Everything but the high-availability state, in the order in which it is named.
    pub fn all(&self) -> impl Iterator<Item = &ObjectRef> {
        self.deployment
            .iter()
            .chain(&self.jobs)
            .chain(&self.services)
            .chain(&self.config_maps)
            .chain(self.pods())
    }

    /// What the Deployment owns, or should: Services, ConfigMaps and TaskManagers.
    pub fn parts(&self) -> impl Iterator<Item = &ObjectRef> {
        self.services.iter().chain(&self.config_maps).chain(&self.taskmanagers)
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
        let (deployment, services, config_maps, pods, jobs, hand_made) = tokio::try_join!(
            self.object::<Deployment>(Kind::Deployment, namespace, name.as_str()),
            self.metadata_of(Kind::Service, Some(namespace), &selector),
            self.metadata_of(Kind::ConfigMap, Some(namespace), &selector),
            self.metadata_of(Kind::Pod, Some(namespace), &of_app),
            self.list_of::<Job>(Kind::Job, Some(namespace), &by_app),
            self.hand_made_bootstrap(namespace, name),
        )?;
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
        for Bare { metadata } in pods {
            objects.add_pod(name, &metadata);
        }
        for job in jobs.into_iter().chain(hand_made) {
            if let Some(reference) = objects.sorted(Kind::Job, &job.metadata, true)
                && !objects.jobs.contains(&reference)
            {
                objects.client_is_at_work |= job.ended().is_none();
                objects.jobs.push(reference);
            }
        }
        if let Some(deployment) = deployment {
            objects.add_deployment(name, &deployment);
        }
        Ok(objects)
    }

    /// The Service `name`.
    pub async fn service(&self, namespace: &str, name: &str) -> Result<Option<ObjectRef>> {
        let service = self.object::<Bare>(Kind::Service, namespace, name).await?;
        Ok(service.map(|service| ObjectRef {
            kind: Kind::Service,
            name: name.to_owned(),
            uid: service.metadata.uid,
        }))
    }

    /// The Job that the Flink documentation's manual way makes; it has no label of the session.
    async fn hand_made_bootstrap(&self, namespace: &str, name: &SessionName) -> Result<Option<Job>> {
        let job = self.object::<Job>(Kind::Job, namespace, &name.bootstrap_job()).await?;
        Ok(job.filter(|job| makes_session(job, name)))
    }
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

    fn add_pod(&mut self, name: &SessionName, metadata: &Metadata) {
        let is = |key: &str, value: &str| metadata.labels.get(key).is_some_and(|label| label == value);
        if !is(labels::TYPE, labels::TYPE_NATIVE) {
            // A pod that only happens to be called `app=NAME` is nobody's business here.
            if is(labels::MANAGED_BY, labels::PLUGIN) && is(labels::ROLE, labels::BOOTSTRAP) {
                let pod = self.sorted(Kind::Pod, metadata, true);
                self.bootstrap_pods.extend(pod);
            }
            return;
        }
        if is(labels::COMPONENT, labels::TASKMANAGER) {
            let pod = self.sorted(Kind::Pod, metadata, metadata.marks().is_taskmanager(name));
            return self.taskmanagers.extend(pod);
        }
        let marks = metadata.marks();
        let set = marks.replica_set_of_jobmanager(name).filter(|_| is(labels::COMPONENT, labels::JOBMANAGER));
        let Some(pod) = self.sorted(Kind::Pod, metadata, set.is_some()) else { return };
        self.staying_jobmanagers += usize::from(metadata.deletion_timestamp.is_none());
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
        let template = &deployment.spec.template;
        let is_labelled = kind_of(name, metadata) == ExistingKind::OfSession;
        if !is_labelled || !(template.is_session() || template.is_application()) {
            self.foreign = Some(ObjectRef::of(Kind::Deployment, metadata));
            return;
        }
        self.owner = Some(owner(metadata));
        // Flink 1.10 names its Service as owner, as a kind that does not exist (`apps/v1 service`).
        let mut owners =
            metadata.owner_references.iter().filter(|owner| !owner.kind.eq_ignore_ascii_case("service"));
        self.controller = owners.next().map(|owner| (owner.kind.clone(), owner.name.clone()));
        self.is_application = template.is_application();
        self.is_ending = metadata.deletion_timestamp.is_some() || deployment.spec.replicas == Some(0);
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
