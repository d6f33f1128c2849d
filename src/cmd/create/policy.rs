//! The session's NetworkPolicy: made before its pods, and given to its Deployment once that is there.

use crate::app::{App, CommandError};
use crate::cluster::{Cluster, ObjectRef, Propagation};
use crate::exit::Exit;
use crate::session::SessionSpec;

/// What has the name of the policy.
pub enum Found {
    Nothing,
    /// That of an earlier session of the name, which may let others in.
    Earlier(ObjectRef),
}

/// Refuses a name that another client's policy has.
pub async fn look(cluster: &Cluster, spec: &SessionSpec) -> Result<Found, CommandError> {
    if !spec.has_network_policy() {
        return Ok(Found::Nothing);
    }
    let namespace = cluster.namespace();
    match cluster.network_policy(namespace, &spec.name).await {
        Ok(None) => Ok(Found::Nothing),
        Ok(Some(Ok(own))) => Ok(Found::Earlier(own)),
        Ok(Some(Err(foreign))) => {
            let what = format!("{foreign} in namespace {namespace} was not made for session {}", spec.name);
            Err(CommandError::new(Exit::Refused, what).hint("choose another name"))
        }
        // Creation tells.
        Err(error) if error.is_forbidden() => Ok(Found::Nothing),
        Err(error) => Err(error.into()),
    }
}

/// Removes the policy of an earlier session.
pub async fn clear(cluster: &Cluster, found: &Found, app: &App) -> Result<(), CommandError> {
    let Found::Earlier(policy) = found else { return Ok(()) };
    if cluster.delete(cluster.namespace(), policy, Propagation::Background).await? {
        app.ui.status(&format!("{policy} of an earlier session deleted"));
    }
    Ok(())
}

/// Gives the policy to the Deployment, so that both go together. The session works without, so what fails is a warning.
pub async fn adopt(cluster: &Cluster, spec: &SessionSpec, deployment: &ObjectRef, app: &App) {
    if !spec.has_network_policy() {
        return;
    }
    let namespace = cluster.namespace();
    let adopted = match cluster.network_policy(namespace, &spec.name).await {
        Ok(Some(Ok(policy))) => cluster.adopt(namespace, &policy, deployment).await,
        Ok(_) => {
            app.ui.warn(&format!("the NetworkPolicy of session {} is not there any more", spec.name));
            return;
        }
        Err(error) => Err(error),
    };
    if let Err(error) = adopted {
        app.ui.warn(&format!(
            "the NetworkPolicy of session {} does not go with {deployment}, but with `delete`: {error}",
            spec.name
        ));
    }
}

/// Removes the policy of a session that will not come.
pub async fn remove(cluster: &Cluster, spec: &SessionSpec) {
    if !spec.has_network_policy() {
        return;
    }
    let namespace = cluster.namespace();
    if let Ok(Some(Ok(policy))) = cluster.network_policy(namespace, &spec.name).await {
        // `gc` finds what stays.
        let _ = cluster.delete(namespace, &policy, Propagation::Background).await;
    }
}
