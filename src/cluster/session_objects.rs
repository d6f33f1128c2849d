//! Everything that belongs to one session, with uids: what `delete` looks at.

use super::preflight::{kind_of, makes_session};
use super::sessions::{Deployment, Job};
use super::small::{Bare, is_high_availability, owner};
use super::{Cluster, Kind, ObjectRef, Result};
use crate::model::session::Owner;
use crate::session::preflight::ExistingKind;
use crate::session::{SessionName, labels};

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

    /// What the Deployment owns, or should: Services, ConfigMaps and TaskManagers.
    pub fn parts(&self) -> impl Iterator<Item = &ObjectRef> {
        self.services.iter().chain(&self.config_maps).chain(&self.taskmanagers)
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
            self.object::<Deployment>(Kind::Deployment, namespace, name.as_str()),
            self.metadata_of(Kind::Service, Some(namespace), &selector),
            self.metadata_of(Kind::ConfigMap, Some(namespace), &selector),
            self.metadata_of(Kind::Pod, Some(namespace), &of_app),
            self.metadata_of(Kind::Job, Some(namespace), &by_app),
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
                uid: deployment.metadata.uid.clone(),
            };
            if kind_of(name, &deployment.metadata) == ExistingKind::OfSession {
                objects.owner = Some(owner(&deployment.metadata));
                objects.is_application = deployment.spec.template.is_application();
                objects.deployment = Some(reference);
            } else {
                objects.foreign = Some(reference);
            }
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
    async fn hand_made_bootstrap(&self, namespace: &str, name: &SessionName) -> Result<Option<ObjectRef>> {
        let job = self.object::<Job>(Kind::Job, namespace, &name.bootstrap_job()).await?;
        Ok(job.filter(|job| makes_session(job, name)).map(|job| ObjectRef {
            kind: Kind::Job,
            name: job.metadata.name,
            uid: job.metadata.uid,
        }))
    }
}

fn refs(kind: Kind, objects: Vec<Bare>) -> Vec<ObjectRef> {
    objects
        .into_iter()
        .map(|object| ObjectRef { kind, name: object.metadata.name, uid: object.metadata.uid })
        .collect()
}
