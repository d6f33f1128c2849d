//! What the Flink operator keeps: its FlinkDeployments.

use serde::de::IgnoredAny;

use super::list::JSON;
use super::{Cluster, Result};

const GROUP: &str = "/apis/flink.apache.org";

impl Cluster {
    /// Whether the operator has a FlinkDeployment `name`; none when this user may not know. While such
    /// a one is suspended there is no Deployment, and its high-availability ConfigMaps stay.
    pub async fn is_operated(&self, namespace: &str, name: &str) -> Result<Option<bool>> {
        let path = format!("{GROUP}/v1beta1/namespaces/{namespace}/flinkdeployments/{name}");
        match self.exists(&path).await {
            Ok(exists) => Ok(Some(exists)),
            // Rights are asked for first: whether there is an operator at all, everybody may know.
            Err(error) if error.is_forbidden() => Ok(match self.read::<IgnoredAny>(GROUP, JSON).await {
                Err(error) if error.is_not_found() => Some(false),
                _ => None,
            }),
            Err(error) => Err(error),
        }
    }

    /// True when the namespace is on its way out, as far as this user may know.
    pub async fn is_ending(&self, namespace: &str) -> bool {
        #[derive(serde::Deserialize)]
        struct Namespace {
            metadata: super::small::Metadata,
        }
        let read = self.read::<Namespace>(&format!("/api/v1/namespaces/{namespace}"), JSON).await;
        read.is_ok_and(|namespace| namespace.metadata.deletion_timestamp.is_some())
    }
}
