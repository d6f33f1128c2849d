//! The names of sessions, read at the price of one request.

use crate::cluster::api::table::escape;
use crate::cluster::session::list::Deployment;
use crate::cluster::{Cluster, Kind, Scope};
use crate::session::SessionName;
use crate::session::manifest::labels;

/// Sessions that are read; a namespace with more is not searched to its end.
const ENOUGH: u32 = 500;

impl Cluster {
    /// Namespaces and names of the sessions in `scope`, or of those that are called `name`. None where they cannot be
    /// listed: this only helps to explain an error.
    pub async fn names_of_sessions(
        &self,
        scope: &Scope,
        name: Option<&SessionName>,
    ) -> Vec<(String, String)> {
        let selector = escape(&labels::selector_of_all());
        let field = name.map(|name| format!("&fieldSelector=metadata.name%3D{name}")).unwrap_or_default();
        let query = format!("labelSelector={selector}{field}&limit={ENOUGH}");
        let namespace = match scope {
            Scope::Namespace(namespace) => Some(namespace.as_str()),
            Scope::AllNamespaces => None,
        };
        let listed = self.list_of::<Deployment>(Kind::Deployment, namespace, &query).await;
        let deployments = listed.unwrap_or_else(|error| {
            tracing::debug!(%error, "cannot list the sessions");
            Vec::new()
        });
        deployments
            .into_iter()
            .filter(|deployment| !deployment.spec.template.is_application())
            .map(|deployment| (deployment.metadata.namespace, deployment.metadata.name))
            .collect()
    }
}
