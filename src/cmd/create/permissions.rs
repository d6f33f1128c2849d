//! The permissions of a session, made where they are missing. Nothing that exists is changed; what is otherwise than it
//! would be made is told.

use crate::app::CommandError;
use crate::cluster::{Cluster, Result, Right, Rights};
use crate::exit::Exit;
use crate::session::SessionSpec;
use crate::session::manifest::Manifest;
use crate::session::manifest::network_policy;
use crate::session::manifest::rbac::{self, Grant};

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
    /// The ServiceAccount is there already.
    pub has_account: bool,
    /// The account of the TaskManagers that has to be made.
    pub taskmanager_account: Option<String>,
    /// The session's own, made before anything could listen.
    pub network_policy: Option<Manifest>,
    pub warnings: Vec<String>,
}

#[derive(Clone, Copy, Default)]
struct Missing {
    account: bool,
    role: bool,
    binding: bool,
}

/// Everything that `spec` may need, without a look at what there is.
pub fn whole(spec: &SessionSpec, namespace: &str) -> Plan {
    let all = Missing { account: true, role: spec.grant == Grant::Role, binding: true };
    let has_another = spec.has_taskmanager_account() && spec.grant != Grant::None;
    Plan {
        taskmanager_account: has_another.then(|| spec.taskmanager_account().to_owned()),
        missing: if spec.grant == Grant::None { Missing::default() } else { all },
        ..nothing(spec, namespace)
    }
}

fn nothing(spec: &SessionSpec, namespace: &str) -> Plan {
    Plan {
        namespace: namespace.to_owned(),
        account: spec.service_account.clone(),
        grant: spec.grant,
        missing: Missing::default(),
        with_finalizers: false,
        has_account: false,
        taskmanager_account: None,
        network_policy: spec
            .has_network_policy()
            .then(|| Manifest::NetworkPolicy(Box::new(network_policy::policy(spec, namespace)))),
        warnings: Vec::new(),
    }
}

/// Reads what there is, and refuses when something is missing that this user may not make.
pub async fn plan(
    cluster: &Cluster,
    spec: &SessionSpec,
    has_namespace: bool,
) -> std::result::Result<Plan, CommandError> {
    let (namespace, account, grant) = (cluster.namespace(), &spec.service_account, spec.grant);
    let mut plan = nothing(spec, namespace);
    if grant == Grant::None {
        // Where it may not be looked at, the pods tell.
        match cluster.has_service_account(namespace, account).await {
            Ok(false) => return Err(no_account(namespace, account)),
            found => plan.has_account = found.is_ok(),
        }
        return Ok(plan);
    }
    let rights = match has_namespace {
        true => cluster.rights(namespace, account, grant).await,
        false => Ok(Rights::default()),
    };
    let rights = match rights {
        Ok(rights) => rights,
        // Who may not even look at roles cannot make them: the account must do as it is. That is
        // for the default; whoever asks for more wants to know.
        Err(error) if error.is_forbidden() && grant == Grant::Role => {
            if !cluster.has_service_account(namespace, account).await? {
                return Err(no_account(namespace, account).because(error.to_string()));
            }
            plan.has_account = true;
            plan.warnings.push(format!("serviceaccount/{account} is used as it is: {error}"));
            return Ok(plan);
        }
        Err(error) => {
            let what = format!(
                "cannot look at the permissions of serviceaccount/{account} in namespace {namespace}"
            );
            return Err(CommandError::from(error).while_doing(what).hint(ASK));
        }
    };
    plan.has_account = rights.service_account;
    plan.missing = Missing {
        account: !rights.service_account,
        role: !rights.role && grant == Grant::Role,
        binding: !rights.binding,
    };
    plan.warnings = rights.differences;
    plan.may_be_made(cluster).await
}

fn no_account(namespace: &str, account: &str) -> CommandError {
    CommandError::new(
        Exit::Error,
        format!("serviceaccount/{account} does not exist in namespace {namespace}"),
    )
    .hint(ASK)
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
        let warning = format!(
            "serviceaccount/{account} is used as it is: you may not create {resource} in namespace {namespace}"
        );
        self.warnings.push(warning);
        self.missing = Missing::default();
        Ok(self)
    }

    /// What Flink's client and JobManager must be allowed to do; nothing where the plan gives it.
    pub fn rights_to_check(&self, spec: &SessionSpec) -> Vec<Right> {
        if self.missing.role || self.missing.binding || !self.has_account {
            return Vec::new();
        }
        let mut rights = vec![
            ("get", "", "services", ""),
            ("create", "", "services", ""),
            ("create", "", "configmaps", ""),
            ("create", "apps", "deployments", ""),
            ("list", "", "pods", ""),
            ("watch", "", "pods", ""),
            ("create", "", "pods", ""),
            ("delete", "", "pods", ""),
        ];
        // A JobManager of 1.10 owns nothing, and looks at no Deployment.
        if spec.expected_dialect().minor > (1, 10) {
            rights.push(("get", "apps", "deployments", ""));
        }
        if spec.settings.ha.is_some() {
            rights.extend(["get", "watch", "update"].map(|verb| (verb, "", "configmaps", "")));
        }
        rights
    }

    /// The objects that are missing, in the order in which they are made.
    pub fn manifests(&self) -> Vec<Manifest> {
        let Self { namespace, account, missing, .. } = self;
        let mut manifests = Vec::new();
        if missing.account {
            manifests.push(Manifest::ServiceAccount(rbac::service_account(namespace, account)));
        }
        if let Some(name) = &self.taskmanager_account {
            manifests.push(Manifest::ServiceAccount(rbac::taskmanager_account(namespace, name)));
        }
        if missing.role {
            manifests.push(Manifest::Role(rbac::role(namespace, self.with_finalizers)));
        }
        if missing.binding {
            manifests.push(match self.grant {
                Grant::EditCluster => {
                    Manifest::ClusterRoleBinding(rbac::cluster_role_binding(namespace, account))
                }
                _ => Manifest::RoleBinding(rbac::role_binding(self.grant, namespace, account)),
            });
        }
        manifests.extend(self.network_policy.clone());
        manifests
    }
}
