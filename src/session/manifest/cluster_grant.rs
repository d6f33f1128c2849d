//! ClusterRoleBindings of a session's account. They have no namespace, and outlive the session and the account: a later
//! ServiceAccount of the same name has the same rights.

use k8s_openapi::api::rbac::v1::{RoleRef, Subject};

use super::rbac;

/// The kind, as kubectl writes it in front of a slash and a name.
pub const RESOURCE: &str = "clusterrolebinding.rbac.authorization.k8s.io";

/// One ClusterRoleBinding, whoever made it.
#[derive(Clone, Debug)]
pub struct ClusterGrant {
    pub name: String,
    pub role: RoleRef,
    pub subjects: Vec<Subject>,
    /// It has the label of what this plugin makes.
    pub is_labelled: bool,
    /// Kubernetes itself makes it in every cluster.
    pub is_of_kubernetes: bool,
}

impl ClusterGrant {
    /// As kubectl names it.
    pub fn object(&self) -> String {
        format!("{RESOURCE}/{}", self.name)
    }

    /// The subject by which `account` has the role, in words: the account itself, or a group of accounts.
    pub fn through(&self, namespace: &str, account: &str) -> Option<String> {
        let user = format!("system:serviceaccount:{namespace}:{account}");
        let groups = [format!("system:serviceaccounts:{namespace}"), "system:serviceaccounts".to_owned()];
        self.subjects.iter().filter(|_| !self.is_of_kubernetes).find_map(|subject| {
            match subject.kind.as_str() {
                "ServiceAccount" if is_account(subject, namespace, account) => {
                    Some(format!("serviceaccount/{account}"))
                }
                "User" if subject.name == user => Some(format!("serviceaccount/{account}")),
                "Group" if groups.contains(&subject.name) => {
                    Some(format!("group {}, and so to serviceaccount/{account}", subject.name))
                }
                _ => None,
            }
        })
    }

    /// The account for which `create --rbac=edit-cluster` made it, with its namespace. None for what another client
    /// made, and for what was changed to grant another role or to other subjects.
    pub fn own_account(&self) -> Option<(&str, &str)> {
        let (namespace, account) =
            self.name.strip_prefix(rbac::ROLE)?.strip_prefix(":edit:")?.split_once(':')?;
        let made = rbac::cluster_role_binding(namespace, account);
        let is_as_made = (&self.role.kind, &self.role.name) == (&made.role_ref.kind, &made.role_ref.name)
            && self.subjects.iter().all(|subject| is_account(subject, namespace, account))
            && !self.subjects.is_empty();
        (self.is_labelled && is_as_made).then_some((namespace, account))
    }
}

fn is_account(subject: &Subject, namespace: &str, account: &str) -> bool {
    subject.kind == "ServiceAccount"
        && subject.name == account
        && subject.namespace.as_deref() == Some(namespace)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grant(change: impl FnOnce(&mut ClusterGrant)) -> ClusterGrant {
        let made = rbac::cluster_role_binding("team-a", "flink");
        let mut grant = ClusterGrant {
            name: made.metadata.name.unwrap_or_default(),
            role: made.role_ref,
            subjects: made.subjects.unwrap_or_default(),
            is_labelled: true,
            is_of_kubernetes: false,
        };
        change(&mut grant);
        grant
    }

    fn subject(kind: &str, name: &str, namespace: Option<&str>) -> Subject {
        Subject {
            kind: kind.to_owned(),
            name: name.to_owned(),
            namespace: namespace.map(str::to_owned),
            api_group: None,
        }
    }

    #[test]
    fn its_own_is_what_create_makes_and_nothing_else() {
        assert_eq!(grant(|_| {}).own_account(), Some(("team-a", "flink")));
        assert_eq!(grant(|grant| grant.is_labelled = false).own_account(), None);
        assert_eq!(
            grant(|grant| grant.name = "kubectl-flink:edit:team-b:flink".to_owned()).own_account(),
            None
        );
        assert_eq!(grant(|grant| grant.name = "flink-role-binding".to_owned()).own_account(), None);
        assert_eq!(grant(|grant| grant.role.name = "admin".to_owned()).own_account(), None);
        assert_eq!(grant(|grant| grant.subjects.clear()).own_account(), None);
        let other = subject("ServiceAccount", "other", Some("team-a"));
        assert_eq!(grant(|grant| grant.subjects.push(other)).own_account(), None);
    }

    #[test]
    fn an_account_is_bound_by_its_names_and_by_its_groups() {
        let through = |subject: Subject| {
            let grant = grant(|grant| grant.subjects = vec![subject]);
            grant.through("team-a", "flink").unwrap_or_else(|| "-".to_owned())
        };
        assert_eq!(through(subject("ServiceAccount", "flink", Some("team-a"))), "serviceaccount/flink");
        assert_eq!(through(subject("ServiceAccount", "flink", Some("team-b"))), "-");
        assert_eq!(through(subject("ServiceAccount", "other", Some("team-a"))), "-");
        assert_eq!(
            through(subject("User", "system:serviceaccount:team-a:flink", None)),
            "serviceaccount/flink"
        );
        assert_eq!(through(subject("User", "flink", None)), "-");
        let of_group = "group system:serviceaccounts:team-a, and so to serviceaccount/flink";
        assert_eq!(through(subject("Group", "system:serviceaccounts:team-a", None)), of_group);
        assert_eq!(through(subject("Group", "system:authenticated", None)), "-");
        let of_kubernetes = grant(|grant| {
            grant.is_of_kubernetes = true;
            grant.subjects = vec![subject("Group", "system:serviceaccounts", None)];
        });
        assert_eq!(of_kubernetes.through("team-a", "flink"), None);
    }
}
