//! Which of several JobManagers leads.
//!
//! Standbys answer REST too, but a jar that one of them holds the leader cannot run.

use crate::cluster::api::partial::ConfigMap;
use crate::cluster::{Cluster, Kind, Result};
use crate::session::SessionName;

impl Cluster {
    /// The host in the address under which the leader of session `name` has REST; none without high
    /// availability in Kubernetes, or while nobody leads.
    pub async fn leader_host(&self, namespace: &str, name: &SessionName) -> Result<Option<String>> {
        // One map for all components since 1.15 (FLINK-24038); up to 1.14 one for each.
        for (map, key) in [
            (format!("{name}-cluster-config-map"), "org.apache.flink.k8s.leader.restserver"),
            (format!("{name}-restserver-leader"), "address"),
        ] {
            let map: Option<ConfigMap> = self.object(Kind::ConfigMap, namespace, &map).await?;
            if let Some(host) = map.and_then(|map| host_of(map.data.get(key)?)) {
                return Ok(Some(host));
            }
        }
        Ok(None)
    }
}

/// The host in `http://HOST:PORT`, which stands alone or after the id of the leader's session.
fn host_of(leader: &str) -> Option<String> {
    let address = leader.rsplit(',').next()?;
    let (_, rest) = address.split_once("://")?;
    let host = rest.rsplit_once(':').map_or(rest, |(host, _)| host);
    let host = host.trim_start_matches('[').trim_end_matches(']');
    (!host.is_empty()).then(|| host.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_leader_is_read_in_both_spellings() {
        let one = "8b6a3c8e-5a3c-4f6e-9a51-3a7c2f9d4d0e,http://10.244.0.182:8081";
        assert_eq!(host_of(one).as_deref(), Some("10.244.0.182"));
        assert_eq!(host_of("https://10.244.0.7:8081").as_deref(), Some("10.244.0.7"));
        assert_eq!(host_of("http://[fd00::7]:8081").as_deref(), Some("fd00::7"));
        assert_eq!(host_of(""), None);
    }
}
