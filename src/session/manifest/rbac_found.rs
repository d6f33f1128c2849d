//! What is there of a session's permissions already, compared with what `create` would make: a name proves nothing.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::rbac::v1::{PolicyRule, Role, RoleRef, Subject};

use super::rbac::{self, Grant};

/// Sentences on what the Role that is there lacks, and on what it grants beside what a session needs.
pub fn of_role(found: &Role, namespace: &str) -> Vec<String> {
    let role = format!("role.rbac.authorization.k8s.io/{}", rbac::ROLE);
    let rules = |role: &Role| role.rules.clone().unwrap_or_default();
    let (wanted, found) = (rules(&rbac::role(namespace, false)), rules(found));
    let allowed = rules(&rbac::role(namespace, true));
    let missing = beyond(&wanted, &found);
    let more = beyond(&found, &allowed);
    let lacks = (!missing.is_empty()).then(|| format!("{role} lacks what a session needs: {missing}"));
    let exceeds = (!more.is_empty()).then(|| format!("{role} grants more than a session needs: {more}"));
    lacks.into_iter().chain(exceeds).collect()
}

/// Sentences on what the binding called `binding` binds otherwise than `create` would.
pub fn of_binding(
    binding: &str,
    found: (&RoleRef, &[Subject]),
    grant: Grant,
    namespace: &str,
    account: &str,
) -> Vec<String> {
    let wanted = rbac::role_binding(grant, namespace, account).role_ref;
    let (role, subjects) = found;
    let is_account = |subject: &&Subject| {
        subject.kind == "ServiceAccount"
            && subject.name == account
            && subject.namespace.as_deref() == Some(namespace)
    };
    let mut told = Vec::new();
    if (&role.kind, &role.name) != (&wanted.kind, &wanted.name) {
        told.push(format!(
            "{binding} grants {} {}, and not {} {}",
            role.kind, role.name, wanted.kind, wanted.name
        ));
    }
    if !subjects.iter().any(|subject| is_account(&subject)) {
        told.push(format!("{binding} grants nothing to serviceaccount/{account} in namespace {namespace}"));
    }
    let others: Vec<String> = subjects
        .iter()
        .filter(|subject| !is_account(subject))
        .map(|subject| match &subject.namespace {
            Some(namespace) => format!("{} {} in namespace {namespace}", subject.kind, subject.name),
            None => format!("{} {}", subject.kind, subject.name),
        })
        .collect();
    if !others.is_empty() {
        told.push(format!("{binding} also grants to {}", others.join(", ")));
    }
    told
}

/// What `rules` grant and `others` do not, as `pods: delete; secrets: get, list`; empty when nothing.
fn beyond(rules: &[PolicyRule], others: &[PolicyRule]) -> String {
    let mut beyond: BTreeMap<String, BTreeSet<&str>> = BTreeMap::new();
    for rule in rules {
        for group in rule.api_groups.iter().flatten() {
            for resource in rule.resources.iter().flatten() {
                for verb in &rule.verbs {
                    if !others.iter().any(|other| covers(other, group, resource, verb)) {
                        let group = if group.is_empty() { String::new() } else { format!(".{group}") };
                        beyond.entry(format!("{resource}{group}")).or_default().insert(verb);
                    }
                }
            }
        }
    }
    let lines = beyond.into_iter().map(|(resource, verbs)| {
        let verbs: Vec<&str> = verbs.into_iter().collect();
        format!("{resource}: {}", verbs.join(", "))
    });
    lines.collect::<Vec<_>>().join("; ")
}

/// True when the rule grants it for every object. One with names of objects does not.
fn covers(rule: &PolicyRule, group: &str, resource: &str, verb: &str) -> bool {
    let has = |words: &[String], word: &str| words.iter().any(|own| own == "*" || own == word);
    rule.resource_names.as_ref().is_none_or(Vec::is_empty)
        && has(rule.api_groups.as_deref().unwrap_or_default(), group)
        && has(rule.resources.as_deref().unwrap_or_default(), resource)
        && has(&rule.verbs, verb)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(change: impl FnOnce(&mut Vec<PolicyRule>)) -> Vec<String> {
        let mut role = rbac::role("team-a", false);
        change(role.rules.get_or_insert_default());
        of_role(&role, "team-a")
    }

    fn rule(group: &str, resource: &str, verb: &str) -> PolicyRule {
        PolicyRule {
            api_groups: Some(vec![group.to_owned()]),
            resources: Some(vec![resource.to_owned()]),
            verbs: vec![verb.to_owned()],
            ..PolicyRule::default()
        }
    }

    #[test]
    fn a_role_is_what_it_grants() {
        assert_eq!(with(|_| {}), Vec::<String>::new());
        assert_eq!(of_role(&rbac::role("team-a", true), "team-a"), Vec::<String>::new());
        let told = [
            with(|rules| rules[0].verbs.retain(|verb| verb != "delete" && verb != "watch")),
            with(|rules| rules.push(rule("", "secrets", "get"))),
            with(|rules| rules.push(rule("*", "*", "*"))),
            with(|rules| rules[3].resource_names = Some(vec!["roc".to_owned()])),
            with(|rules| *rules = vec![rule("", "pods", "*")]),
        ];
        insta::assert_snapshot!(told.concat().join("\n"), @"
        role.rbac.authorization.k8s.io/kubectl-flink lacks what a session needs: pods: delete, watch
        role.rbac.authorization.k8s.io/kubectl-flink grants more than a session needs: secrets: get
        role.rbac.authorization.k8s.io/kubectl-flink grants more than a session needs: *.*: *
        role.rbac.authorization.k8s.io/kubectl-flink lacks what a session needs: deployments.apps: create, delete, get, list, watch
        role.rbac.authorization.k8s.io/kubectl-flink lacks what a session needs: configmaps: create, delete, get, list, patch, update, watch; deployments.apps: create, delete, get, list, watch; services: create, delete, get, list, watch
        role.rbac.authorization.k8s.io/kubectl-flink grants more than a session needs: pods: *
        ");
    }

    #[test]
    fn a_binding_is_whom_it_gives_what() {
        let told = |change: fn(&mut RoleRef, &mut Vec<Subject>)| {
            let binding = rbac::role_binding(Grant::Role, "team-a", "flink");
            let (mut role, mut subjects) = (binding.role_ref, binding.subjects.unwrap_or_default());
            change(&mut role, &mut subjects);
            of_binding("rolebinding/x", (&role, &subjects), Grant::Role, "team-a", "flink")
        };
        assert_eq!(told(|_, _| {}), Vec::<String>::new());
        let all = [
            told(|role, _| (role.kind, role.name) = ("ClusterRole".to_owned(), "admin".to_owned())),
            told(|_, subjects| subjects[0].name = "other".to_owned()),
            told(|_, subjects| subjects[0].namespace = Some("team-b".to_owned())),
            told(|_, subjects| {
                subjects.push(Subject {
                    kind: "Group".to_owned(),
                    name: "all".to_owned(),
                    ..Subject::default()
                });
            }),
        ];
        insta::assert_snapshot!(all.concat().join("\n"), @"
        rolebinding/x grants ClusterRole admin, and not Role kubectl-flink
        rolebinding/x grants nothing to serviceaccount/flink in namespace team-a
        rolebinding/x also grants to ServiceAccount other in namespace team-a
        rolebinding/x grants nothing to serviceaccount/flink in namespace team-a
        rolebinding/x also grants to ServiceAccount flink in namespace team-b
        rolebinding/x also grants to Group all
        ");
    }
}
