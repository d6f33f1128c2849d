//! The ClusterRoleBinding of `create --rbac=edit-cluster`, once the last session that used its account is gone.

use super::Run;
use super::plan::Plan;
use crate::app::CommandError;
use crate::app::wait::unless_interrupted;
use crate::cluster::{Cluster, ClusterError, Deleted, OwnGrant};
use crate::cmd::dry_run::DryRun;
use crate::session::SessionName;
use crate::session::text::shell::quoted;

/// What became of the binding's account.
enum Account {
    Unused,
    /// By this object.
    UsedBy(String),
}

/// Removes the binding where that was asked for, and names it otherwise.
pub async fn after(plan: &Plan, run: &Run<'_>) -> Result<(), CommandError> {
    let name = plan.name();
    let Some(account) = &plan.session.objects.account else { return Ok(()) };
    let looked = async { looked_at(name, account, run).await };
    unless_interrupted(looked, || {
        format!("interrupted: ClusterRoleBindings of session {name} were not checked")
    })
    .await
}

async fn looked_at(name: &SessionName, account: &str, run: &Run<'_>) -> Result<(), CommandError> {
    let Run { args, cluster, app, .. } = *run;
    let (grant, used) = match find(name, account, cluster).await {
        Ok(Some(found)) => found,
        Ok(None) => return Ok(()),
        // Few users may read them: only those who asked are to know.
        Err(error) if error.is_forbidden() && !args.cluster_rbac => return Ok(()),
        Err(error) => {
            let what = format!("cannot check the ClusterRoleBinding of serviceaccount/{account}");
            return Err(CommandError::from(error).while_doing(what));
        }
    };
    let (object, namespace) = (&grant.object, cluster.namespace());
    let grants = format!("it grants ClusterRole edit in every namespace to serviceaccount/{account}");
    match used {
        Account::UsedBy(user) if args.cluster_rbac => {
            app.ui.warn(&format!(
                "kept, {object}: {user} in namespace {namespace} uses serviceaccount/{account}"
            ));
        }
        Account::UsedBy(_) => {}
        Account::Unused if args.cluster_rbac => remove(&grant, run).await?,
        Account::Unused => {
            app.ui.note(&format!(
                "kept, {object}: {grants}, which nothing in namespace {namespace} uses any more"
            ));
            app.ui.hint(&format!(
                "to remove it: kubectl delete clusterrolebinding {}{}",
                quoted(&object.name),
                cluster.full_scope()
            ));
        }
    }
    Ok(())
}

/// The plugin's own binding of `account`, and whether anything but session `name` uses the account.
async fn find(
    name: &SessionName,
    account: &str,
    cluster: &Cluster,
) -> Result<Option<(OwnGrant, Account)>, ClusterError> {
    let namespace = cluster.namespace();
    let Some(grant) = cluster.own_cluster_grant(namespace, account).await? else { return Ok(None) };
    let users = cluster.users_of_account(namespace, account).await?;
    let other = users.into_iter().find(|user| user.session.as_deref() != Some(name.as_str()));
    Ok(Some((grant, other.map_or(Account::Unused, |user| Account::UsedBy(user.object)))))
}

async fn remove(grant: &OwnGrant, run: &Run<'_>) -> Result<(), CommandError> {
    let (cluster, object) = (run.cluster, &grant.object);
    if run.args.removal.dry_run != DryRun::Client {
        let deleted = cluster.delete_unchanged(cluster.namespace(), object, &grant.resource_version).await;
        match deleted
            .map_err(|error| CommandError::from(error).while_doing(format!("cannot delete {object}")))?
        {
            Deleted::Done => {}
            Deleted::Gone => return Ok(()),
            Deleted::Changed => {
                run.app.ui.warn(&format!("kept, {object}: another client has changed it"));
                return Ok(());
            }
        }
    }
    (run.removed)(object);
    Ok(())
}
