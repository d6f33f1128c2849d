//! What the session's account may do beyond its namespace already: Flink's REST API gives that to whoever reaches it.

use crate::app::{App, CommandError};
use crate::cluster::Cluster;
use crate::session::SessionSpec;
use crate::session::manifest::cluster_grant::ClusterGrant;
use crate::session::text::shell::quoted;

/// Bindings that are named one by one.
const NAMED: usize = 3;

/// Warns of each ClusterRoleBinding that grants to an account of the session, whoever made it. Users who cannot list them are not
/// told anything.
pub async fn warn(cluster: &Cluster, spec: &SessionSpec, app: &App) -> Result<(), CommandError> {
    let Some(grants) = cluster.cluster_grants().await? else { return Ok(()) };
    let namespace = cluster.namespace();
    let bound: Vec<(&ClusterGrant, String)> = grants
        .iter()
        .filter_map(|grant| {
            let through = |account| grant.through(namespace, account);
            Some((grant, through(&spec.service_account).or_else(|| through(spec.taskmanager_account()))?))
        })
        .collect();
    for (grant, to) in bound.iter().take(NAMED) {
        let (role, object) = (&grant.role, grant.object());
        app.ui.warn(&format!("{object} grants {} {} in every namespace to {to}", role.kind, role.name));
    }
    if let Some(more) = bound.len().checked_sub(NAMED).filter(|more| *more > 0) {
        app.ui.warn(&format!(
            "and {more} more ClusterRoleBindings grant to serviceaccount/{}",
            spec.service_account
        ));
    }
    if !bound.is_empty() {
        let names: Vec<_> = bound.iter().take(NAMED).map(|(grant, _)| quoted(&grant.name)).collect();
        app.ui.hint(&format!(
            "kubectl describe{} clusterrolebinding {}",
            cluster.full_scope(),
            names.join(" ")
        ));
    }
    Ok(())
}
