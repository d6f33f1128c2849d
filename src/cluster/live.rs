//! Reads what a session that runs was made from.

use std::collections::BTreeMap;

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::ConfigMap;
use serde_json::Value;

use super::preflight::{is_application, kind_of};
use super::{Cluster, Result};
use crate::session::flinkdeployment::{self, Live};
use crate::session::preflight::ExistingKind;
use crate::session::{FlinkVersion, SessionName, labels, yaml};

impl Cluster {
    /// The settings of session `name`, whoever made it; none when there is no such session.
    pub async fn live(&self, namespace: &str, name: &SessionName) -> Result<Option<Live>> {
        let (config, [_, _, template]) = (name.config_map(), name.further_config_maps());
        let (deployment, config, template) = tokio::try_join!(
            self.get::<Deployment>(namespace, name.as_str()),
            self.get::<ConfigMap>(namespace, &config),
            self.get::<ConfigMap>(namespace, &template),
        )?;
        let is_session = |deployment: &Deployment| {
            kind_of(name, &(&deployment.metadata).into()) == ExistingKind::OfSession
                && !is_application(deployment)
        };
        let Some(deployment) = deployment.filter(is_session) else { return Ok(None) };
        let metadata = deployment.metadata;
        let label = |key: &str| metadata.labels.as_ref().and_then(|labels| labels.get(key));
        let record = metadata.annotations.as_ref().and_then(|annotations| annotations.get(labels::SETTINGS));
        let pod = deployment.spec.and_then(|spec| spec.template.spec).unwrap_or_default();
        let image = pod.containers.into_iter().next().and_then(|container| container.image);
        let mut files: BTreeMap<String, String> = config.and_then(|config| config.data).unwrap_or_default();
        let settings = flinkdeployment::take_settings(&mut files).unwrap_or_default();
        Ok(Some(Live {
            name: name.to_string(),
            namespace: namespace.to_owned(),
            version: label(labels::VERSION)
                .and_then(|text| text.parse().ok())
                .or_else(|| FlinkVersion::from_image_tag(image.as_deref().unwrap_or_default())),
            image,
            service_account: pod.service_account_name,
            config: settings,
            log_files: files,
            record: record.and_then(|text| serde_json::from_str::<Value>(text).ok()),
            taskmanager_template: template
                .and_then(|template| template.data)
                .and_then(|data| data.into_values().next())
                .and_then(|text| yaml::parse(&text).ok())
                .map(|node| node.to_json()),
        }))
    }
}
