//! A session that was probably meant, where there is none of a name.

use crate::app::CommandError;
use crate::cluster::{Cluster, Scope};
use crate::exit::Exit;
use crate::session::SessionName;
use crate::session::spec::did_you_mean::nearest;

/// The error for a session that is not there, with the one that was probably meant: one of the namespace with a name
/// that is near, or one of that very name in another namespace, as far as this user may list them.
pub async fn not_found(name: &SessionName, cluster: &Cluster) -> CommandError {
    let namespace = cluster.namespace();
    let error =
        CommandError::new(Exit::Error, format!("there is no session {name} in namespace {namespace}"));
    let here = cluster.names_of_sessions(&Scope::Namespace(namespace.to_owned()), None).await;
    let near = nearest(name.as_str(), here.iter().map(|(_, other)| other.as_str()));
    if let Some(near) = near.filter(|near| *near != name.as_str()) {
        return error.hint(format!("did you mean session {near}?"));
    }
    let elsewhere = cluster.names_of_sessions(&Scope::AllNamespaces, Some(name)).await;
    match elsewhere.iter().find(|(other, _)| other != namespace) {
        Some((other, _)) => error.hint(format!("session {name} exists in namespace {other}: add -n {other}")),
        None => error.hint(format!("kubectl flink ls{} -A", cluster.connection())),
    }
}
