//! The permissions of a session: ServiceAccount, Role and binding, and the namespace for them.
//!
//! The rules were found by recording every request of Flink's client and JobManager, 1.10 to 2.3.

use k8s_openapi::api::core::v1::{Namespace, ServiceAccount};
use k8s_openapi::api::rbac::v1::{ClusterRoleBinding, PolicyRule, Role, RoleBinding, RoleRef, Subject};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use super::labels;

/// The Role of all sessions of a namespace.
pub const ROLE: &str = "kubectl-flink";
const RBAC_GROUP: &str = "rbac.authorization.k8s.io";

/// How the session's ServiceAccount gets its permissions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Grant {
    /// A Role with the least rights, in the namespace.
    Role,
    /// The ClusterRole `edit`, in the namespace.
    Edit,
    /// The ClusterRole `edit` in every namespace, as the Flink documentation does it.
    EditCluster,
    /// Whatever it has already.
    None,
}

pub fn namespace(name: &str) -> Namespace {
    Namespace { metadata: metadata(None, name), ..Namespace::default() }
}

pub fn service_account(namespace: &str, name: &str) -> ServiceAccount {
    ServiceAccount { metadata: metadata(Some(namespace), name), ..ServiceAccount::default() }
}

/// An account without rights: its pods get no token.
pub fn taskmanager_account(namespace: &str, name: &str) -> ServiceAccount {
    ServiceAccount { automount_service_account_token: Some(false), ..service_account(namespace, name) }
}

/// The least rights of Flink's client and of a JobManager with Kubernetes HA.
///
/// `with_finalizers` adds the right that clusters with the admission plugin
/// OwnerReferencesPermissionEnforcement (OpenShift) demand of who sets `blockOwnerDeletion`, which
/// Flink always does. Nobody can grant a right that they do not have, and namespace
/// administrators lack this one, so it is left out for them.
pub fn role(namespace: &str, with_finalizers: bool) -> Role {
    let mut rules = vec![
        // TaskManagers.
        rule("", &["pods"], &["get", "list", "watch", "create", "delete"]),
        // The client creates them; 1.10 also watches and, on a failure, deletes.
        rule("", &["services"], &["get", "list", "watch", "create", "delete"]),
        // The session's configuration; leader election and job state with HA, which patches from 1.18 on.
        rule("", &["configmaps"], &["get", "list", "watch", "create", "update", "patch", "delete"]),
        // The JobManager's own; it deletes its own when the session is shut down through REST.
        rule("apps", &["deployments"], &["get", "list", "watch", "create", "delete"]),
    ];
    if with_finalizers {
        rules.push(rule("apps", &["deployments/finalizers"], &["update"]));
    }
    Role { metadata: metadata(Some(namespace), ROLE), rules: Some(rules) }
}

/// The name of the binding for `account`: bindings of several accounts live side by side. No name
/// of an account or a namespace has a colon, so no two can be the same.
pub fn binding_name(grant: Grant, account: &str) -> String {
    match grant {
        Grant::Role | Grant::None => format!("{ROLE}:{account}"),
        Grant::Edit | Grant::EditCluster => format!("{ROLE}:edit:{account}"),
    }
}

/// A ClusterRoleBinding has no namespace, so its name must have it.
pub fn cluster_binding_name(namespace: &str, account: &str) -> String {
    format!("{ROLE}:edit:{namespace}:{account}")
}

pub fn role_binding(grant: Grant, namespace: &str, account: &str) -> RoleBinding {
    RoleBinding {
        metadata: metadata(Some(namespace), &binding_name(grant, account)),
        role_ref: match grant {
            Grant::Role | Grant::None => role_ref("Role", ROLE),
            Grant::Edit | Grant::EditCluster => role_ref("ClusterRole", "edit"),
        },
        subjects: Some(vec![subject(namespace, account)]),
    }
}

pub fn cluster_role_binding(namespace: &str, account: &str) -> ClusterRoleBinding {
    ClusterRoleBinding {
        metadata: metadata(None, &cluster_binding_name(namespace, account)),
        role_ref: role_ref("ClusterRole", "edit"),
        subjects: Some(vec![subject(namespace, account)]),
    }
}

fn metadata(namespace: Option<&str>, name: &str) -> ObjectMeta {
    ObjectMeta {
        name: Some(name.to_owned()),
        namespace: namespace.map(str::to_owned),
        labels: Some(labels::shared()),
        ..ObjectMeta::default()
    }
}

fn rule(group: &str, resources: &[&str], verbs: &[&str]) -> PolicyRule {
    let owned = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
    PolicyRule {
        api_groups: Some(vec![group.to_owned()]),
        resources: Some(owned(resources)),
        verbs: owned(verbs),
        ..PolicyRule::default()
    }
}

fn role_ref(kind: &str, name: &str) -> RoleRef {
    RoleRef { api_group: RBAC_GROUP.to_owned(), kind: kind.to_owned(), name: name.to_owned() }
}

fn subject(namespace: &str, account: &str) -> Subject {
    Subject {
        kind: "ServiceAccount".to_owned(),
        name: account.to_owned(),
        namespace: Some(namespace.to_owned()),
        api_group: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_least_rights() {
        let lines = |with_finalizers| {
            let rules = role("team-a", with_finalizers).rules.unwrap_or_default();
            rules
                .into_iter()
                .map(|rule| {
                    format!("{}: {}", rule.resources.unwrap_or_default().join(","), rule.verbs.join(","))
                })
                .collect::<Vec<_>>()
                .join("\n")
        };
        insta::assert_snapshot!(lines(true), @"
        pods: get,list,watch,create,delete
        services: get,list,watch,create,delete
        configmaps: get,list,watch,create,update,patch,delete
        deployments: get,list,watch,create,delete
        deployments/finalizers: update
        ");
        assert!(!lines(false).contains("finalizers"));
    }

    #[test]
    fn bindings_name_what_they_bind() {
        let edit = role_binding(Grant::Edit, "team-a", "flink");
        assert_eq!(edit.metadata.name.as_deref(), Some("kubectl-flink:edit:flink"));
        assert_eq!((edit.role_ref.kind.as_str(), edit.role_ref.name.as_str()), ("ClusterRole", "edit"));
        let least = role_binding(Grant::Role, "team-a", "flink");
        assert_eq!((least.role_ref.kind.as_str(), least.role_ref.name.as_str()), ("Role", "kubectl-flink"));
        let everywhere = cluster_role_binding("team-a", "flink");
        assert_eq!(everywhere.metadata.name.as_deref(), Some("kubectl-flink:edit:team-a:flink"));
        assert_eq!(everywhere.metadata.namespace, None);
    }
}
