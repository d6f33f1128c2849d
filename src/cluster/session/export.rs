//! Reads what a session that runs was made from.

use std::collections::BTreeMap;

use serde_json::Value;

use super::relabelled;
use crate::cluster::api::partial::{ConfigMap, Recorded};
use crate::cluster::session::list::Deployment;
use crate::cluster::{Cluster, Kind, Result};
use crate::session::existing::state::Identity;
use crate::session::flinkdeployment::{self, Live};
use crate::session::manifest::labels;
use crate::session::text::yaml;
use crate::session::{FlinkVersion, SessionName};

impl Cluster {
    /// The settings of session `name`, whoever made it; none when there is no such session.
    pub async fn live(&self, namespace: &str, name: &SessionName) -> Result<Option<Live>> {
        let (config, [_, _, template]) = (name.config_map(), name.further_config_maps());
        let (deployment, config, template) = tokio::try_join!(
            self.object::<Recorded<Deployment>>(Kind::Deployment, namespace, name.as_str()),
            self.object::<ConfigMap>(Kind::ConfigMap, namespace, &config),
            self.object::<ConfigMap>(Kind::ConfigMap, namespace, &template),
        )?;
        let is_session = |Recorded { object, .. }: &Recorded<Deployment>| {
            relabelled::identity(name.as_str(), object) == Identity::Session
        };
        let Some(Recorded { object, settings: record, .. }) = deployment.filter(is_session) else {
            return Ok(None);
        };
        let (metadata, pod) = (object.metadata, object.spec.template);
        let image = pod.image();
        let mut files: BTreeMap<String, String> = config.map(|config| config.data).unwrap_or_default();
        let settings = flinkdeployment::take_settings(&mut files).unwrap_or_default();
        Ok(Some(Live {
            name: name.to_string(),
            namespace: namespace.to_owned(),
            version: metadata
                .labels
                .get(labels::VERSION)
                .and_then(|text| text.parse().ok())
                .or_else(|| FlinkVersion::from_image_tag(image.as_deref().unwrap_or_default())),
            image,
            service_account: pod.spec.service_account_name,
            config: settings,
            log_files: files,
            record: record.and_then(|text| serde_json::from_str::<Value>(&text).ok()),
            taskmanager_template: template
                .and_then(|template| template.data.into_values().next())
                .and_then(|text| yaml::parse(&text).ok())
                .map(|node| node.to_json()),
        }))
    }
}
