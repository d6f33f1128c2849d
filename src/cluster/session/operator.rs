//! What the Flink operator keeps: its FlinkDeployments.

use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::cluster::api::partial::{Bare, METADATA};
use crate::cluster::api::stream_list::JSON;
use crate::cluster::api::table::escape;
use crate::cluster::{Cluster, Result};

/// The operator's API group, and the version that it has had from 1.0 on.
const GROUP: &str = "/apis/flink.apache.org";
const VERSION: &str = "v1beta1";

impl Cluster {
    /// Whether the operator has a FlinkDeployment `name`; none when this user may not know. While such
    /// a one is suspended there is no Deployment, and its high-availability ConfigMaps stay.
    pub async fn is_operated(&self, namespace: &str, name: &str) -> Result<Option<bool>> {
        let query = format!("fieldSelector={}", escape(&format!("metadata.name={name}")));
        match self.flink_deployments(Some(namespace), &query).await {
            Ok(found) => Ok(Some(!found.is_empty())),
            Err(error) if error.is_forbidden() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The FlinkDeployments; none where there is no such kind, which the API server tells everybody: who
    /// has no rights hears "forbidden" of each object, and not that there are none.
    pub(in crate::cluster) async fn flink_deployments(
        &self,
        namespace: Option<&str>,
        query: &str,
    ) -> Result<Vec<Bare>> {
        self.flink_deployments_as(namespace, query, METADATA).await
    }

    /// The same with other parts of them than the metadata.
    pub(in crate::cluster) async fn flink_deployments_as<T: DeserializeOwned + Send>(
        &self,
        namespace: Option<&str>,
        query: &str,
        media_type: &'static str,
    ) -> Result<Vec<T>> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Group {
            preferred_version: Version,
        }
        #[derive(Deserialize)]
        struct Version {
            version: String,
        }
        let version = match self.read::<Group>(GROUP, JSON).await {
            Ok(group) => group.preferred_version.version,
            Err(error) if error.is_not_found() => return Ok(Vec::new()),
            Err(error) if error.is_forbidden() => VERSION.to_owned(),
            Err(error) => return Err(error),
        };
        let place = namespace.map(|namespace| format!("/namespaces/{namespace}")).unwrap_or_default();
        match self.listed(&format!("{GROUP}/{version}{place}/flinkdeployments?{query}"), media_type).await {
            Err(error) if error.is_not_found() => Ok(Vec::new()),
            answer => answer,
        }
    }
}
