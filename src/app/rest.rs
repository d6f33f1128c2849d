//! The way to a JobManager's REST: a stream to its pod, else the API server's proxy.

use std::time::Duration;

use tokio::time::Instant;

use crate::cluster::{Cluster, ClusterError};
use crate::flink::{self, RestError, Transport, stream};
use crate::model::evidence::{Evidence, Pod, Rest};

/// Between two tries of a REST that does not answer yet.
const POLL: Duration = Duration::from_millis(200);

const DEFAULT_PORT: u16 = 8081;

/// REST of one JobManager pod.
struct PodRest<'a> {
    cluster: &'a Cluster,
    namespace: &'a str,
    pod: &'a str,
    port: u16,
}

impl Transport for PodRest<'_> {
    async fn get(&self, path: &str) -> Result<(u16, Vec<u8>), RestError> {
        match self.cluster.pod_port(self.namespace, self.pod, self.port).open().await {
            Ok(opened) => stream::get(opened, path).await,
            // Users who may not forward ports may have the proxy.
            Err(error) if error.is_forbidden() => {
                let proxied = self.cluster.proxied_get(self.namespace, self.pod, self.port, path).await;
                match proxied {
                    Ok((403, _)) => Err(RestError::Forbidden(error.to_string())),
                    Ok(answer) => Ok(answer),
                    Err(error) => Err(sort(&error)),
                }
            }
            Err(error) => Err(sort(&error)),
        }
    }
}

fn sort(error: &ClusterError) -> RestError {
    if error.is_forbidden() {
        RestError::Forbidden(error.to_string())
    } else {
        RestError::Unreachable(error.to_string())
    }
}

/// Asks the newest ready JobManager of `evidence` for its overview, again and again for at most
/// `patience`.
pub async fn ask(cluster: &Cluster, evidence: &Evidence, patience: Duration) -> Rest {
    let Some(pod) = evidence.jobmanagers.iter().rev().find(|pod| pod.ready && !pod.deleting) else {
        return Rest::NotAsked;
    };
    let Pod { name, rest_port, .. } = pod;
    let rest = PodRest {
        cluster,
        namespace: &evidence.namespace,
        pod: name,
        port: rest_port.unwrap_or(DEFAULT_PORT),
    };
    let end = Instant::now() + patience;
    loop {
        match flink::overview(&rest).await {
            Ok(overview) => return Rest::Up(overview),
            Err(error @ RestError::Forbidden(_)) => return Rest::Forbidden(error.to_string()),
            Err(error) if Instant::now() + POLL > end => return Rest::Down(error.to_string()),
            Err(_) => tokio::time::sleep(POLL).await,
        }
    }
}
