//! Rights that a session has, and what remains of them.

use crate::jobs::{submit, the_id};
use crate::lab::{FLINK_1_10, FLINK_1_20, FLINK_2_3, Lab, TINY, TINY_1_10};

/// Whether what has been asked for is there.
fn exists(lab: &Lab, object: &str) -> bool {
    !lab.kubectl_ok(&["get", object, "--ignore-not-found", "-o", "name"]).is_empty()
}

#[test]
fn a_grant_in_every_namespace_does_not_outlive_its_reason_unseen() {
    let lab = Lab::new("outlive");
    let binding = format!("clusterrolebinding/kubectl-flink:edit:{}:flink", lab.namespace);
    let named =
        format!("clusterrolebinding.rbac.authorization.k8s.io/kubectl-flink:edit:{}:flink", lab.namespace);
    let create = |name: &str, more: &[&str]| {
        let ended = lab.flink(&[&["create", name, "--wait=false"], more].concat());
        assert_eq!(ended.code, 0, "{}", ended.stderr);
        ended
    };
    let made = create("one", &["--rbac=edit-cluster"]);
    assert!(
        made.stderr.contains("Warning: --rbac grants ClusterRole edit in every namespace"),
        "{}",
        made.stderr
    );
    // Another session of the account, which asks for less and gets as much.
    let found = create("two", &[]);
    let warning =
        format!("Warning: {named} grants ClusterRole edit in every namespace to serviceaccount/flink\n");
    assert!(found.stderr.contains(&warning), "{}", found.stderr);
    let describe = lab.kubectl_as_printed(&format!("kubectl describe{}", found.hint("kubectl describe")));
    assert!(describe.code == 0 && describe.stdout.contains("edit"), "{}{}", describe.stdout, describe.stderr);

    // While the other session uses the account, nothing is said of the binding.
    let first = lab.flink(&["delete", "one", "--yes", "--force"]);
    assert!(first.code == 0 && !first.stderr.contains("clusterrolebinding"), "{}", first.stderr);
    let still = lab.flink(&["gc", "--older-than=0s", "-o", "name"]);
    assert!(!still.stdout.contains(&named), "{}", still.stdout);

    let last = lab.flink(&["delete", "two", "--yes", "--force"]);
    assert!(last.stderr.contains(&format!("kept, {named}: it grants ClusterRole edit")), "{}", last.stderr);
    let listed = lab.flink_ok(&["gc", "--older-than=0s", "-o", "name"]);
    assert!(listed.lines().any(|line| line == named), "{listed}");
    let kept = lab.flink(&["gc", "--older-than=0s", "--yes"]);
    assert!(kept.code == 0 && kept.stderr.contains(&format!("kept, {named}")), "{}", kept.stderr);
    assert!(exists(&lab, &binding));
    let removal = last.hint("to remove it: ");
    assert_eq!(lab.kubectl_as_printed(removal).code, 0, "{removal}");
    assert!(!exists(&lab, &binding));

    // Both commands remove one, and no other.
    create("three", &["--rbac=edit-cluster"]);
    let gone = lab.flink_ok(&["delete", "three", "--yes", "--force", "--cluster-rbac"]);
    assert!(gone.contains("clusterrolebinding.rbac.authorization.k8s.io \"kubectl-flink:edit:"), "{gone}");
    assert!(!exists(&lab, &binding));
    create("four", &["--rbac=edit-cluster"]);
    lab.flink_ok(&["delete", "four", "--yes", "--force"]);
    lab.flink_ok(&["gc", "--older-than=0s", "--yes", "--cluster-rbac"]);
    assert!(!exists(&lab, &binding));
}

#[test]
fn a_user_of_one_namespace_is_told_nothing_of_cluster_wide_grants() {
    let lab = Lab::new("outlive-ns");
    let user = lab.user("clerk", &[]);
    let account = format!("--serviceaccount={}:clerk", lab.namespace);
    lab.kubectl_ok(&["create", "rolebinding", "clerk", "--clusterrole=admin", &account]);
    lab.flink_ok(&["create", "roc", "--wait=false", "--rbac=edit-cluster"]);
    let created = lab.flink_as(&user, &["create", "shop", "--wait=false"]);
    assert!(created.code == 0 && !created.stderr.contains("clusterrolebinding"), "{}", created.stderr);
    lab.flink_ok(&["delete", "shop", "--yes", "--force"]);
    let deleted = lab.flink_as(&user, &["delete", "roc", "--yes", "--force"]);
    assert!(deleted.code == 0 && !deleted.stderr.contains("clusterrolebinding"), "{}", deleted.stderr);
    let swept = lab.flink_as(&user, &["gc", "--older-than=0s", "--yes"]);
    assert!(swept.code == 0 && !swept.stderr.contains("clusterrolebinding"), "{}", swept.stderr);
    lab.flink_as(&user, &["gc", "--older-than=0s", "--yes", "--cluster-rbac"])
        .failed(1, &["clusterrolebindings.rbac.authorization.k8s.io is forbidden"]);
    lab.flink_ok(&["gc", "--older-than=0s", "--yes", "--cluster-rbac"]);
}

#[test]
fn flink_1_10_has_the_account_of_the_namespace() {
    let lab = with_a_job("grants-1-10", FLINK_1_10.0);
    assert_eq!(account_of(&lab, "taskmanager"), "default");
    assert!(!exists(&lab, "serviceaccount/flink-taskmanager"));
    no_policy_outlives_its_session(&lab);
}

#[test]
fn taskmanagers_of_flink_1_20_have_no_rights() {
    taskmanagers_have_no_rights(&with_a_job("grants-1-20", FLINK_1_20.0));
}

#[test]
fn taskmanagers_of_flink_2_3_have_no_rights() {
    taskmanagers_have_no_rights(&with_a_job("grants-2-3", FLINK_2_3.0));
}

/// A session without any flag about accounts, on which a job runs.
fn with_a_job(test: &str, image: &str) -> Lab {
    let lab = Lab::new(test);
    let create = ["create", "roc", "--image", image, "--network-policy-from", "namespace:kube-system"];
    let size: &[&str] = if image == FLINK_1_10.0 { &TINY_1_10 } else { &TINY };
    lab.flink_ok(&[&create[..], size].concat());
    let id = the_id(&submit(&lab, &[], &["long"]));
    lab.until_job_runs("roc", &id);
    the_policy_is_for_its_pods_alone(&lab);
    lab
}

/// Whether it is enforced is the matter of the cluster's network plugin: here, the object counts.
fn the_policy_is_for_its_pods_alone(lab: &Lab) {
    let policy: serde_json::Value =
        serde_json::from_str(&lab.kubectl_ok(&["get", "networkpolicy", "roc", "-o", "json"])).expect("JSON");
    let labels = policy["spec"]["podSelector"]["matchLabels"].as_object().expect("labels");
    let selector: Vec<String> =
        labels.iter().map(|(key, value)| format!("{key}={}", value.as_str().expect("text"))).collect();
    let pods = |selector: &str| {
        let pods = lab.kubectl_ok(&["get", "pod", "-l", selector, "-o", "name"]);
        pods.lines().map(str::to_owned).collect::<Vec<_>>()
    };
    let roles = pods("app=roc,component in (jobmanager,taskmanager)");
    assert_eq!(pods(&selector.join(",")), roles);
    assert!(roles.len() >= 2 && lab.kubectl_ok(&["get", "pod", "-o", "name"]).lines().count() > roles.len());
    assert_eq!(policy["spec"]["ingress"][0]["from"][0]["podSelector"], policy["spec"]["podSelector"]);
    assert_eq!(policy["spec"]["ingress"][1]["ports"][0]["port"], 8081);
    let owner = &policy["metadata"]["ownerReferences"][0];
    assert_eq!(owner["uid"], lab.uid("deployment/roc").as_str());
    let manifest = lab.flink_ok(&["status", "roc", "-o", "flinkdeployment"]);
    assert!(manifest.contains("kubectl-flink/network-policy: namespace:kube-system"), "{manifest}");
}

fn no_policy_outlives_its_session(lab: &Lab) {
    lab.flink_ok(&["delete", "roc", "--yes", "--force"]);
    assert_eq!(lab.left_of("roc"), "");
    assert!(!exists(lab, "networkpolicy/roc"));
}

fn account_of(lab: &Lab, role: &str) -> String {
    let selector = format!("app=roc,component={role}");
    lab.kubectl_ok(&["get", "pod", "-l", &selector, "-o", "jsonpath={.items[0].spec.serviceAccountName}"])
}

fn taskmanagers_have_no_rights(lab: &Lab) {
    assert_eq!(account_of(lab, "jobmanager"), "flink");
    assert_eq!(account_of(lab, "taskmanager"), "flink-taskmanager");
    let pod = lab.kubectl_ok(&["get", "pod", "-l", "app=roc,component=taskmanager", "-o", "name"]);
    let files =
        lab.kubectl(&["exec", pod.trim(), "--", "ls", "/var/run/secrets/kubernetes.io/serviceaccount"]);
    assert_ne!(files.code, 0, "a token is in the pod: {}", files.stdout);
    let user = format!("--as=system:serviceaccount:{}:flink-taskmanager", lab.namespace);
    for (verb, resource) in [("create", "pods"), ("get", "configmaps"), ("get", "secrets")] {
        let may = lab.kubectl(&["auth", "can-i", verb, resource, &user]);
        assert_eq!(may.stdout.trim(), "no", "{verb} {resource}");
    }
    // The same session comes of what is written down of it.
    let manifest = lab.flink_ok(&["status", "roc", "-o", "flinkdeployment"]);
    assert!(manifest.contains("kubernetes.taskmanager.service-account: flink-taskmanager"), "{manifest}");
    let again = lab.flink(&["create", "roc", "--wait=false"]);
    assert!(!again.stderr.contains("service-account"), "{}", again.stderr);
    no_policy_outlives_its_session(lab);
}
