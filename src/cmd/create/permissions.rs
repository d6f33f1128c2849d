//! The permissions of a session, made where they are missing. Nothing that exists is changed.

use crate::app::{App, CommandError};
use crate::cluster::{Cluster, Result, Rights};
use crate::exit::Exit;
use crate::session::rbac::{self, Grant};

const ASK: &str =
    "ask an administrator for it, or name an account that has the rights: --service-account NAME --rbac=none";

/// What has to be made, found out before the first write.
pub struct Plan {
    namespace: String,
    account: String,
    grant: Grant,
    missing: Missing,
    /// The user can grant the right to set finalizers.
    with_finalizers: bool,
    warning: Option<String>,
}

#[derive(Clone, Copy, Default)]
struct Missing {
    account: bool,
    role: bool,
    binding: bool,
}

/// Reads what there is, and refuses when something is missing that this user may not make.
pub async fn plan(
    cluster: &Cluster,
    namespace: &str,
    has_namespace: bool,
    account: &str,
    grant: Grant,
) -> std::result::Result<Plan, CommandError> {
    let mut plan = Plan {
        namespace: namespace.to_owned(),
        account: account.to_owned(),
        grant,
        missing: Missing::default(),
        with_finalizers: false,
        warning: None,
    };
    if grant == Grant::None {
        return Ok(plan);
    }
    let rights = match has_namespace {
        true => cluster.rights(namespace, account, grant).await,
        false => Ok(Rights { service_account: false, role: false, binding: false }),
    };
    let rights = match rights {
        Ok(rights) => rights,
        // Who may not even look at roles cannot make them: the account must do as it is. That is
        // for the default; whoever asks for more wants to know.
        Err(error) if error.is_forbidden() && grant == Grant::Role => {
            if !cluster.has_service_account(namespace, account).await? {
                return Err(CommandError::new(
                    Exit::Error,
                    format!("serviceaccount/{account} does not exist in namespace {namespace}"),
                )
                .because(error.to_string())
                .hint(ASK));
            }
            plan.warning = Some(format!("serviceaccount/{account} is used as it is: {error}"));
            return Ok(plan);
        }
        Err(error) => {
            let what = format!(
                "cannot look at the permissions of serviceaccount/{account} in namespace {namespace}"
            );
            return Err(CommandError::from(error).while_doing(what).hint(ASK));
        }
    };
    plan.missing = Missing {
        account: !rights.service_account,
        role: !rights.role && grant == Grant::Role,
        binding: !rights.binding,
    };
    plan.may_be_made(cluster).await
}

impl Plan {
    async fn may_be_made(mut self, cluster: &Cluster) -> std::result::Result<Self, CommandError> {
        const RBAC: &str = "rbac.authorization.k8s.io";
        let (bindings, scope) = match self.grant {
            Grant::EditCluster => ("clusterrolebindings", ""),
            _ => ("rolebindings", self.namespace.as_str()),
        };
        let may = async |needed: bool, scope: &str, group: &str, resource: &str| -> Result<bool> {
            Ok(!needed || cluster.may(scope, "create", group, resource, "").await?)
        };
        let (account, role, binding, finalizers) = tokio::try_join!(
            may(self.missing.account, &self.namespace, "", "serviceaccounts"),
            may(self.missing.role, &self.namespace, RBAC, "roles"),
            may(self.missing.binding, scope, RBAC, bindings),
            async {
                match self.missing.role {
                    true => cluster.may(&self.namespace, "update", "apps", "deployments", "finalizers").await,
                    false => Ok(false),
                }
            },
        )?;
        self.with_finalizers = finalizers;
        let refused = [(account, "serviceaccounts"), (role, "roles"), (binding, bindings)];
        let Some((_, resource)) = refused.into_iter().find(|(allowed, _)| !allowed) else { return Ok(self) };
        let Self { namespace, account, missing, .. } = &self;
        if missing.account || self.grant != Grant::Role {
            let what = match missing.account {
                true => format!("serviceaccount/{account} does not exist in namespace {namespace}"),
                false => {
                    format!("serviceaccount/{account} in namespace {namespace} lacks what --rbac grants")
                }
            };
            let error = CommandError::new(Exit::Error, format!("{what}, and you may not create {resource}"));
            return Err(error.hint(ASK));
        }
        self.warning = Some(format!(
            "serviceaccount/{account} is used as it is: you may not create {resource} in namespace {namespace}"
        ));
        self.missing = Missing::default();
        Ok(self)
    }

    /// Makes what is missing. Somebody else may have made it meanwhile: that is as good.
    pub async fn grant(&self, cluster: &Cluster, app: &App) -> std::result::Result<(), CommandError> {
        let Self { namespace, account, missing, .. } = self;
        if let Some(warning) = &self.warning {
            app.ui.warn(warning);
        }
        if missing.account {
            let made = cluster.create(namespace, &rbac::service_account(namespace, account)).await;
            self.told(made, &format!("serviceaccount/{account}"), app)?;
        }
        if missing.role {
            let made = cluster.create(namespace, &rbac::role(namespace, self.with_finalizers)).await;
            self.told(made, &format!("role.rbac.authorization.k8s.io/{}", rbac::ROLE), app)?;
        }
        if missing.binding && self.grant == Grant::EditCluster {
            let made = cluster.create_global(&rbac::cluster_role_binding(namespace, account)).await;
            let name = rbac::cluster_binding_name(namespace, account);
            self.told(made, &format!("clusterrolebinding.rbac.authorization.k8s.io/{name}"), app)?;
        } else if missing.binding {
            let made = cluster.create(namespace, &rbac::role_binding(self.grant, namespace, account)).await;
            let name = rbac::binding_name(self.grant, account);
            self.told(made, &format!("rolebinding.rbac.authorization.k8s.io/{name}"), app)?;
        }
        Ok(())
    }

    fn told<T>(&self, made: Result<T>, object: &str, app: &App) -> std::result::Result<(), CommandError> {
        match made {
            Ok(_) => app.ui.status(&format!("{object} created")),
            Err(error) if error.is_already_exists() => {}
            Err(error) => {
                let what = format!("cannot create {object} in namespace {}", self.namespace);
                return Err(CommandError::from(error)
                    .while_doing(what)
                    .hint("ask an administrator for it, then use --rbac=none"));
            }
        }
        Ok(())
    }
}

pub async fn create_namespace(
    cluster: &Cluster,
    namespace: &str,
    app: &App,
) -> std::result::Result<(), CommandError> {
    match cluster.create_global(&rbac::namespace(namespace)).await {
        Ok(_) => app.ui.status(&format!("namespace/{namespace} created")),
        Err(error) if error.is_already_exists() => {}
        Err(error) => {
            return Err(CommandError::from(error).while_doing(format!("cannot create namespace/{namespace}")));
        }
    }
    Ok(())
}
