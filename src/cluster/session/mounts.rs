//! Which volumes the pods of a session mount.

use serde::Deserialize;
use serde_json::Value;

use crate::cluster::api::partial::Metadata;
use crate::cluster::api::table::escape;
use crate::cluster::{Cluster, Kind, Result};
use crate::session::SessionName;
use crate::session::flink_config::flag_keys;
use crate::session::manifest::labels;
use crate::session::manifest::pod_template::PodTemplate;
use crate::session::spec::volumes::Mounts;

/// TaskManagers that are looked at. All of them are made from one template.
const TASKMANAGERS: u32 = 20;

/// What the pods of a session mount, by role.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PodMounts {
    pub jobmanagers: Vec<Mounts>,
    pub taskmanagers: Vec<Mounts>,
}

#[derive(Default, Deserialize)]
struct PodWithVolumes {
    metadata: Metadata,
    #[serde(default)]
    spec: Value,
}

impl Cluster {
    /// What is mounted into Flink's container of the JobManager pod `jobmanager` and of the TaskManagers that run; without
    /// any, of those that Flink would make. An empty list stands for what cannot be told: a pod that is gone, a container
    /// that cannot be recognized, a pod template that is not there.
    ///
    /// # Errors
    /// When the API server does not let this user read pods or ConfigMaps, or does not answer.
    pub async fn pod_mounts(
        &self,
        namespace: &str,
        name: &SessionName,
        jobmanager: &str,
    ) -> Result<PodMounts> {
        let selector = format!("{},{}={}", labels::selector_of(name), labels::COMPONENT, labels::TASKMANAGER);
        let query = format!(
            "limit={TASKMANAGERS}&labelSelector={}&fieldSelector={}",
            escape(&selector),
            escape("status.phase=Running")
        );
        let by_name = format!("fieldSelector={}", escape(&format!("metadata.name={jobmanager}")));
        let (jobmanagers, taskmanagers) = tokio::try_join!(
            self.list_of::<PodWithVolumes>(Kind::Pod, Some(namespace), &by_name),
            self.list_of::<PodWithVolumes>(Kind::Pod, Some(namespace), &query),
        )?;
        let jobmanagers = jobmanagers.iter().filter_map(|pod| Mounts::of_pod(&pod.spec)).collect();
        let running: Vec<PodWithVolumes> =
            taskmanagers.into_iter().filter(|pod| pod.metadata.deletion_timestamp.is_none()).collect();
        let taskmanagers = match &running[..] {
            [] => self.mounts_of_template(namespace, name).await?.into_iter().collect(),
            // One of which nothing can be told leaves nothing to tell.
            pods => {
                pods.iter().map(|pod| Mounts::of_pod(&pod.spec)).collect::<Option<_>>().unwrap_or_default()
            }
        };
        Ok(PodMounts { jobmanagers, taskmanagers })
    }

    /// What TaskManagers to come will mount. Flink keeps their pod template in a ConfigMap, if there is one
    /// (`PodTemplateMountDecorator`).
    async fn mounts_of_template(&self, namespace: &str, name: &SessionName) -> Result<Option<Mounts>> {
        let Some(live) = self.live(namespace, name).await? else { return Ok(None) };
        let has_template = live.config.keys().any(|key| {
            matches!(flag_keys::flag_of(key), Some("--pod-template" | "--taskmanager-pod-template"))
        });
        Ok(match live.taskmanager_template {
            Some(template) => Some(Mounts::of_template(Some(&PodTemplate::from_json(template)))),
            None if has_template => None,
            None => Some(Mounts::of_template(None)),
        })
    }
}
