//! Which pod of a session to speak to.

use super::DEFAULT_PORT;
use crate::cluster::{Cluster, ClusterError, PodPort};
use crate::model::evidence::{Evidence, Pod};
use crate::session::SessionName;

/// A session that was looked for.
pub struct Found {
    /// What there is of it, for whoever must say why nobody can be spoken to.
    pub evidence: Evidence,
    /// REST of its JobManager; none while none is ready.
    pub port: Option<PodPort>,
    pub(super) finder: Finder,
}

/// Looks again, as often as needed.
#[derive(Clone)]
pub(super) struct Finder {
    cluster: Cluster,
    name: SessionName,
}

/// Finds the JobManager of session `name` in the namespace of `cluster`.
pub async fn find(cluster: &Cluster, name: &SessionName) -> Result<Found, ClusterError> {
    Finder { cluster: cluster.clone(), name: name.clone() }.find().await
}

impl Finder {
    pub async fn find(&self) -> Result<Found, ClusterError> {
        let Self { cluster, name } = self;
        let evidence = cluster.observe(cluster.namespace(), name).await?;
        let leader = match ready(&evidence).count() {
            0 | 1 => None,
            // Who may not read who leads takes the newest, and is right if there is no standby.
            _ => cluster.leader_host(cluster.namespace(), name).await.unwrap_or(None),
        };
        let leading = leader.and_then(|host| {
            ready(&evidence).find(|pod| pod.ip.as_deref() == Some(host.as_str()) || pod.name == host)
        });
        let port = match leading {
            Some(pod) => Some(port(cluster, &evidence, pod)),
            None => newest(cluster, &evidence),
        };
        Ok(Found { evidence, port, finder: self.clone() })
    }
}

/// JobManagers that take requests, newest last.
fn ready(evidence: &Evidence) -> impl DoubleEndedIterator<Item = &Pod> {
    evidence.jobmanagers.iter().filter(|pod| pod.ready && !pod.deleting)
}

/// REST of the newest JobManager that is ready.
pub(super) fn newest(cluster: &Cluster, evidence: &Evidence) -> Option<PodPort> {
    ready(evidence).next_back().map(|pod| port(cluster, evidence, pod))
}

fn port(cluster: &Cluster, evidence: &Evidence, pod: &Pod) -> PodPort {
    cluster.pod_port(&evidence.namespace, &pod.name, pod.rest_port.unwrap_or(DEFAULT_PORT))
}
