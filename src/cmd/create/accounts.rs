//! The account of the TaskManagers: whether they get one of their own here, and whether it has to be made.

use crate::app::{App, CommandError};
use crate::cluster::{Account, Cluster, ClusterError, Right};
use crate::exit::Exit;
use crate::session::SessionSpec;
use crate::session::manifest::accounts::TaskManagers;
use crate::session::manifest::rbac::Grant;

/// What TaskManagers ask of Kubernetes where it keeps the state of high availability.
const WITH_HIGH_AVAILABILITY: [Right; 3] =
    [("get", "", "configmaps", ""), ("list", "", "configmaps", ""), ("watch", "", "configmaps", "")];

/// Falls back to the session's account where the default cannot be had, and returns the account that has to be made.
pub async fn settle(
    cluster: &Cluster,
    spec: &mut SessionSpec,
    has_namespace: bool,
    ignores: bool,
    app: &App,
) -> Result<Option<String>, CommandError> {
    if !spec.has_taskmanager_account() {
        return Ok(None);
    }
    let name = spec.taskmanager_account().to_owned();
    if spec.taskmanagers != TaskManagers::Own {
        return chosen(cluster, spec, &name, has_namespace, ignores).await;
    }
    if !has_namespace {
        return Ok(Some(name));
    }
    match obstacle(cluster, spec, &name).await? {
        Ok(is_missing) => Ok(is_missing.then_some(name)),
        Err(why) => {
            spec.taskmanagers = TaskManagers::Shared;
            app.ui.status(&format!("TaskManagers use serviceaccount/{}, too: {why}", spec.service_account));
            Ok(None)
        }
    }
}

/// Whether the default account has to be made; or why TaskManagers cannot have it.
async fn obstacle(
    cluster: &Cluster,
    spec: &SessionSpec,
    name: &str,
) -> Result<Result<bool, String>, ClusterError> {
    let namespace = cluster.namespace();
    let accounts = tokio::try_join!(
        cluster.account(namespace, &spec.service_account),
        cluster.account(namespace, name),
    );
    let (of_session, own) = match accounts {
        Ok(accounts) => accounts,
        Err(error) if error.is_forbidden() => {
            return Ok(Err("you are not allowed to read ServiceAccounts".to_owned()));
        }
        Err(error) => return Err(error),
    };
    let gives_more = of_session.as_ref().and_then(|account| account.gives_more(&spec.service_account));
    if let Some(more) = gives_more {
        return Ok(Err(format!("it has {more}, which another account lacks")));
    }
    let is_missing = own.is_none();
    if is_missing && !cluster.may(namespace, "create", "", "serviceaccounts", "").await? {
        return Ok(Err(format!(
            "serviceaccount/{name} does not exist, and you are not allowed to create it"
        )));
    }
    Ok(Ok(is_missing))
}

/// Checks an account that the user has named.
async fn chosen(
    cluster: &Cluster,
    spec: &SessionSpec,
    name: &str,
    has_namespace: bool,
    ignores: bool,
) -> Result<Option<String>, CommandError> {
    let namespace = cluster.namespace();
    let found: Result<Option<Account>, _> = match has_namespace {
        true => cluster.account(namespace, name).await,
        false => Ok(None),
    };
    let found = match found {
        Ok(found) => found,
        // The pods tell.
        Err(error) if error.is_forbidden() => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let needs_rights = spec.has_kubernetes_high_availability();
    let refused = |what: String| CommandError::new(Exit::Error, what);
    let is_missing = found.is_none();
    if is_missing && (spec.grant == Grant::None || needs_rights) {
        let error = refused(format!("serviceaccount/{name} does not exist in namespace {namespace}"));
        return Err(match needs_rights {
            true => error.because("with high availability TaskManagers need permission to read ConfigMaps, which an account that `create` makes lacks"),
            false => error.because("--rbac=none makes no ServiceAccount"),
        });
    }
    if is_missing && has_namespace && !cluster.may(namespace, "create", "", "serviceaccounts", "").await? {
        let what = format!("serviceaccount/{name} does not exist in namespace {namespace}");
        return Err(refused(format!("{what}, and you may not create serviceaccounts")));
    }
    if needs_rights && !ignores {
        let lacks = cluster.lacks(namespace, name, &WITH_HIGH_AVAILABILITY).await?;
        if !lacks.is_empty() {
            let what = format!("TaskManagers as serviceaccount/{name} cannot find the JobManager");
            return Err(refused(what)
                .because(format!("with high availability they need permission to {}", lacks.join(", "))));
        }
    }
    Ok(is_missing.then(|| name.to_owned()))
}
