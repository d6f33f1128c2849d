//! What a session is made of, how it is listed and shown, and what is left of it.

use crate::lab::{FLINK_1_10, Lab, QUICK, version_of};
use crate::tables;

/// What `create` of a session has made and printed; `taskmanagers` run without a job.
pub fn is_there_as_it_says(lab: &Lab, create: &[&str], printed: &str, taskmanagers: usize) {
    let image = create[create.iter().position(|word| *word == "--image").expect("--image") + 1];
    // REST answers in the moment create returns, and with the version that the image really has.
    let overview = lab.rest_overview("roc");
    assert_eq!(overview.code, 0, "{}", overview.stderr);
    let version = version_of(image);
    assert!(overview.stdout.contains(&format!("\"flink-version\":\"{version}\"")), "{}", overview.stdout);
    assert!(printed.contains("pod/boot-roc-") && printed.contains("Completed"), "{printed}");
    assert!(printed.contains("service/roc "), "{printed}");

    let taskmanager =
        ["get", "pod", "-l", "app=roc,component=taskmanager", "-o", "jsonpath={.items[*].status.phase}"];
    lab.until("the TaskManagers", || {
        lab.kubectl_ok(&taskmanager).split_whitespace().filter(|phase| *phase == "Running").count()
            == taskmanagers
    });
    lists_it(lab, image, version, taskmanagers);
    shows_what_kubectl_shows(lab);
    a_second_create_changes_nothing(lab, create);
    a_bootstrap_goes_with_its_session(lab);
}

/// `deleted` is what the deletion printed.
pub fn is_gone(lab: &Lab, deleted: &str, image: &str) {
    for object in ["deployment.apps \"roc\"", "job.batch \"boot-roc\"", "service \"roc-rest\""] {
        let line = format!("{object} deleted from {} namespace\n", lab.namespace);
        // Flink 1.10 has no such Service.
        assert!(deleted.contains(&line) || image == FLINK_1_10.0, "{deleted}");
    }
    assert_eq!(lab.left_of("roc"), "");

    lab.flink(&["delete", "roc", "--yes"]).failed(1, &["there is no session roc"]);
    lab.flink_ok(&["delete", "roc", "--yes", "--ignore-not-found"]);
    assert_eq!(lab.flink(&["ls"]).stderr, format!("No resources found in {} namespace.\n", lab.namespace));
}

fn lists_it(lab: &Lab, image: &str, version: &str, taskmanagers: usize) {
    let table = lab.flink_ok(&["ls", "-o", "wide"]);
    let row: Vec<&str> = table.lines().nth(1).expect("a row").split_whitespace().collect();
    let expected = ["roc", "1/1", "Running", version, &taskmanagers.to_string()];
    assert_eq!(row[..5], expected, "{table}");
    // Restarts; then, behind the age, the image, the owner, high availability and the type of REST's Service.
    assert_eq!(row[7], "0", "{table}");
    assert_eq!(row[9..], [image, "kubectl-flink", "off", "ClusterIP"], "{table}");
    assert_eq!(lab.flink_ok(&["ls", "-o", "name"]), "session/roc\n");
    let json = lab.flink_ok(&["ls", "roc", "-o", "json"]);
    assert!(json.contains(&format!("\"flinkVersion\": \"{version}\"")), "{json}");
    assert!(json.contains(&lab.uid("deployment/roc")), "{json}");
}

fn shows_what_kubectl_shows(lab: &Lab) {
    let (verdict, _) = tables::equal_kubectls(lab, "roc", &[], &["service/roc "]);
    assert!(verdict.starts_with("Session roc is Running: Flink "), "{verdict}");
}

fn a_second_create_changes_nothing(lab: &Lab, create: &[&str]) {
    let before = lab.fingerprint();
    lab.flink(create).failed(1, &["session roc exists already", "kubectl flink status roc"]);
    assert_eq!(lab.fingerprint(), before);
}

fn a_bootstrap_goes_with_its_session(lab: &Lab) {
    let owner =
        lab.kubectl_ok(&["get", "job", "boot-roc", "-o", "jsonpath={.metadata.ownerReferences[*].uid}"]);
    assert_eq!(owner, lab.uid("deployment/roc"));
}

#[test]
fn without_any_flag_in_a_fresh_namespace() {
    let lab = Lab::new("plain");
    let created = lab.flink(&["create", "roc"]);
    assert_eq!(created.code, 0, "{}", created.stderr);
    for object in
        ["serviceaccount/flink", "role.rbac.authorization.k8s.io/kubectl-flink", "job.batch/boot-roc"]
    {
        assert!(created.stderr.contains(&format!("{object} created\n")), "{}", created.stderr);
    }
    assert!(created.stderr.contains("Session roc is ready with Flink 2.3.0."), "{}", created.stderr);
    let services = ["get", "service", "roc-rest", "-o", "jsonpath={.spec.type}"];
    assert_eq!(lab.kubectl_ok(&services), "ClusterIP");
    lab.flink_ok(&["delete", "roc", "--yes"]);
    assert_eq!(lab.left_of("roc"), "");
}

#[test]
fn an_exposed_session_in_a_namespace_made_for_it() {
    let lab = Lab::not_yet("expose");
    let create = [&["create", "roc", "--expose=NodePort"][..], &QUICK].concat();
    lab.flink(&create).failed(1, &["does not exist", "--create-namespace"]);
    lab.flink_ok(&[&create[..], &["--create-namespace"]].concat());
    assert_eq!(lab.kubectl_ok(&["get", "service", "roc-rest", "-o", "jsonpath={.spec.type}"]), "NodePort");
}

#[test]
fn every_grant_makes_its_own_binding() {
    let lab = Lab::new("grants");
    let made = |grant: &str| {
        let name = format!("with-{grant}");
        lab.flink_ok(&["create", &name, "--wait=false", &format!("--rbac={grant}")]);
        lab.flink_ok(&["delete", &name, "--yes"]);
    };
    let role_of = |binding: &str| {
        lab.kubectl_ok(&[
            "get",
            binding,
            "-o",
            "jsonpath={.roleRef.kind}/{.roleRef.name} {.subjects[0].name}",
        ])
    };
    made("role");
    assert_eq!(role_of("rolebinding/kubectl-flink:flink"), "Role/kubectl-flink flink");
    made("edit");
    assert_eq!(role_of("rolebinding/kubectl-flink:edit:flink"), "ClusterRole/edit flink");
    made("edit-cluster");
    let binding = format!("clusterrolebinding/kubectl-flink:edit:{}:flink", lab.namespace);
    assert_eq!(role_of(&binding), "ClusterRole/edit flink");
    lab.kubectl_ok(&["delete", &binding]);
    // What is there is used as it is.
    let before = lab.fingerprint();
    made("role");
    assert_eq!(lab.fingerprint(), before);
}
