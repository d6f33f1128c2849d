//! Logs of containers.

use http::Request;

use crate::cluster::{Cluster, ClusterError, Result};

/// Enough for the longest stack trace of a failed start with its causes.
const TAIL_LINES: u32 = 400;

impl Cluster {
    /// The end of the log of a pod's only container; of its run before the last restart when
    /// `previous`.
    pub async fn log_tail(&self, namespace: &str, pod: &str, previous: bool) -> Result<String> {
        let path = format!(
            "/api/v1/namespaces/{namespace}/pods/{pod}/log?tailLines={TAIL_LINES}&previous={previous}"
        );
        let request =
            Request::get(path).body(Vec::new()).map_err(|error| ClusterError::Answer(error.to_string()))?;
        self.text(request).await
    }
}
