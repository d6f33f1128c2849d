//! Which JobManager of a session answers for it.

use std::collections::BTreeMap;

use super::{DEFAULT_PORT, Process};
use crate::cluster::{Cluster, ClusterError, PodPort};
use crate::model::evidence::{Evidence, Pod};
use crate::session::SessionName;

/// A session that was looked for.
pub struct Found {
    /// What there is of it, for whoever must say why nobody can be spoken to.
    pub evidence: Evidence,
    pub jobmanager: Choice,
    pub(super) finder: Finder,
}

/// The JobManager that answers for a session.
#[derive(Clone)]
pub enum Choice {
    One(Box<PodPort>),
    /// None is ready.
    None,
    /// Several are ready and none of them is known to lead: each may have jobs that the others do not know of.
    /// The names of their pods.
    Several(Vec<String>),
}

/// Looks again, as often as needed.
#[derive(Clone)]
pub(super) struct Finder {
    cluster: Cluster,
    name: SessionName,
    /// What proves that a session is the one that was found first.
    first: Identity,
}

/// What of a session stays the same while it lives.
#[derive(Clone, Default)]
struct Identity {
    /// The uid of its Deployment; none where nothing that can be read names it.
    deployment: Option<String>,
    /// The ReplicaSets of its JobManagers, by name, with their uids.
    replica_sets: BTreeMap<String, String>,
}

impl Identity {
    fn of(evidence: &Evidence) -> Self {
        let set = |pod: &Pod| Some((pod.replica_set.clone()?, pod.replica_set_uid.clone()?));
        Self {
            deployment: evidence.deployment_uid.clone(),
            replica_sets: evidence.jobmanagers.iter().filter_map(set).collect(),
        }
    }

    /// True when `now` is known to be another one. The name of a ReplicaSet follows from its pods' template, so that one
    /// of the same name is recreated only with its Deployment; another name may be a rollout.
    fn differs(&self, now: &Self) -> bool {
        match (&self.deployment, &now.deployment) {
            (Some(before), Some(now)) => before != now,
            _ => self
                .replica_sets
                .iter()
                .any(|(name, uid)| now.replica_sets.get(name).is_some_and(|now| now != uid)),
        }
    }
}

/// Finds the JobManager of session `name` in the namespace of `cluster`.
pub async fn find(cluster: &Cluster, name: &SessionName) -> Result<Found, ClusterError> {
    let finder = Finder { cluster: cluster.clone(), name: name.clone(), first: Identity::default() };
    let mut found = finder.find().await?;
    found.finder.first = Identity::of(&found.evidence);
    Ok(found)
}

impl Finder {
    pub async fn find(&self) -> Result<Found, ClusterError> {
        let Self { cluster, name, .. } = self;
        let evidence = cluster.observe(cluster.namespace(), name).await?;
        let jobmanager = choose(cluster, &evidence).await;
        Ok(Found { evidence, jobmanager, finder: self.clone() })
    }

    /// Why `found` is not what was found first: a session that was deleted and created anew has the same name, and
    /// other jobs.
    pub fn why_another(&self, found: &Found) -> Option<String> {
        self.first
            .differs(&Identity::of(&found.evidence))
            .then(|| format!("session {} was deleted and created anew meanwhile", self.name))
    }
}

impl Found {
    /// REST of the JobManager that answers for the session.
    pub fn port(&self) -> Option<&PodPort> {
        match &self.jobmanager {
            Choice::One(port) => Some(port),
            Choice::None | Choice::Several(_) => None,
        }
    }

    /// REST of every JobManager on which jobs may run: the leader where one is known, else each whose container
    /// has started, or may have.
    pub async fn running(&self) -> Vec<PodPort> {
        let Finder { cluster, name, .. } = &self.finder;
        let running: Vec<&Pod> = running(&self.evidence).collect();
        if running.len() > 1
            && let Some(leader) = leader(cluster, name, &self.evidence, &running).await
        {
            return vec![port(cluster, &self.evidence, leader)];
        }
        running.into_iter().map(|pod| port(cluster, &self.evidence, pod)).collect()
    }

    /// REST of every JobManager of the session that may answer, whether it leads or not.
    pub fn all(&self) -> Vec<PodPort> {
        running(&self.evidence).map(|pod| port(&self.finder.cluster, &self.evidence, pod)).collect()
    }
}

impl Found {
    /// The process behind `port`, as it was found.
    pub fn process(&self, port: &PodPort) -> Option<Process> {
        let pod = self.evidence.jobmanagers.iter().find(|pod| pod.name == port.pod());
        pod.cloned().map(Process::new)
    }
}

impl Choice {
    /// Why there is no JobManager to ask.
    pub fn why_none(&self) -> String {
        match self {
            Self::Several(pods) => {
                format!("{} JobManagers run and none is known to lead: {}", pods.len(), pods.join(", "))
            }
            Self::None | Self::One(_) => "no JobManager pod is ready".to_owned(),
        }
    }
}

/// Chooses the JobManager of `evidence` that answers for the session: the only one that is ready, else the one
/// that leads. With high availability a standby passes questions on to the leader, so that the newest will do where
/// the leader is not known.
pub(super) async fn choose(cluster: &Cluster, evidence: &Evidence) -> Choice {
    let ready: Vec<&Pod> = ready(evidence).collect();
    let newest = match &ready[..] {
        [] => return Choice::None,
        [only] => only,
        [.., newest] => newest,
    };
    if ready.len() == 1 {
        return Choice::One(Box::new(port(cluster, evidence, newest)));
    }
    let leader = match evidence.name.parse::<SessionName>() {
        Ok(name) => leader(cluster, &name, evidence, &ready).await,
        Err(_) => None,
    };
    match leader {
        Some(leader) => Choice::One(Box::new(port(cluster, evidence, leader))),
        None if evidence.high_availability == Some(true) => {
            Choice::One(Box::new(port(cluster, evidence, newest)))
        }
        None => Choice::Several(ready.iter().map(|pod| pod.name.clone()).collect()),
    }
}

/// The one of `pods` that leads, as far as this user is allowed to read that.
async fn leader<'e>(
    cluster: &Cluster,
    name: &SessionName,
    evidence: &Evidence,
    pods: &[&'e Pod],
) -> Option<&'e Pod> {
    // An earlier session of that name may have left its ConfigMaps, and addresses are given out again.
    if evidence.high_availability == Some(false) {
        return None;
    }
    let host = cluster.leader_host(&evidence.namespace, name).await.ok().flatten()?;
    pods.iter().copied().find(|pod| pod.ip.as_deref() == Some(host.as_str()) || pod.name == host)
}

/// JobManagers that take requests, newest last.
fn ready(evidence: &Evidence) -> impl Iterator<Item = &Pod> {
    evidence.jobmanagers.iter().filter(|pod| pod.ready && !pod.deleting)
}

/// JobManagers whose process is there, or may be.
fn running(evidence: &Evidence) -> impl Iterator<Item = &Pod> {
    evidence.jobmanagers.iter().filter(|pod| !pod.deleting && pod.may_run())
}

fn port(cluster: &Cluster, evidence: &Evidence, pod: &Pod) -> PodPort {
    cluster.pod_port(&evidence.namespace, &pod.name, pod.rest_port.unwrap_or(DEFAULT_PORT))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity(deployment: Option<&str>, sets: &[(&str, &str)]) -> Identity {
        let sets = sets.iter().map(|(name, uid)| ((*name).to_owned(), (*uid).to_owned()));
        Identity { deployment: deployment.map(str::to_owned), replica_sets: sets.collect() }
    }

    #[test]
    fn a_recreated_session_is_known_by_its_deployment_or_by_its_replica_sets() {
        let first = identity(Some("d1"), &[("roc-5d4", "r1")]);
        assert!(!first.differs(&identity(Some("d1"), &[("roc-6e5", "r2")])), "a rollout");
        assert!(first.differs(&identity(Some("d2"), &[("roc-6e5", "r2")])));
        // The Deployment cannot be read any more, or never could.
        assert!(first.differs(&identity(None, &[("roc-5d4", "r2")])), "the same template, made again");
        assert!(!first.differs(&identity(None, &[("roc-5d4", "r1")])));
        assert!(!first.differs(&identity(None, &[("roc-6e5", "r2")])), "may be a rollout");
        assert!(!first.differs(&identity(None, &[])));
    }
}
