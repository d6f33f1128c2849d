//! Labels of a session that were changed: every command names that, and the command that is printed repairs it.

use crate::lab::{FLINK_1_10, FLINK_2_3, Lab, TINY, TINY_1_10};

/// The repairing command that `status` prints for each problem.
fn repairs(lab: &Lab) -> Vec<String> {
    let shown = lab.flink_ok(&["status", "roc"]);
    let fixes = shown
        .lines()
        .filter_map(|line| line.trim().strip_prefix("fix: "))
        .filter(|fix| fix.starts_with("kubectl label "));
    fixes.map(str::to_owned).collect()
}

/// Changes labels with kubectl, lets the commands speak, and repairs it as they say.
fn is_named_and_repaired(lab: &Lab, object: &str, label: &str, names: &str) {
    lab.kubectl_ok(&["label", object, label, "--overwrite"]);
    let listed = lab.flink_ok(&["ls"]);
    let rows: Vec<Vec<&str>> = listed.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(rows.len(), 2, "{listed}");
    assert_eq!((rows[1][0], rows[1][2]), ("roc", "Running"), "{object} {label}: {listed}");
    let shown = lab.flink_ok(&["status", "roc"]);
    assert!(shown.starts_with("Session roc is Running"), "{object} {label}: {shown}");
    assert!(shown.contains("(labels-changed)") && shown.contains(names), "{object} {label}: {shown}");
    lab.flink_ok(&["jobs", "roc"]);
    let uid = lab.uid("deployment/roc");
    let repair = repairs(lab).pop().expect("repair");
    for words in
        [&["delete", "roc", "--yes"][..], &["delete", "roc", "--yes", "--force"], &["restart", "roc"]]
    {
        lab.flink(words).failed(4, &["labels of session roc were changed", names, &repair]);
    }
    lab.flink(&["create", "roc"]).failed(1, &["session roc exists already", names, &repair]);
    assert_eq!(lab.flink_ok(&["gc", "--older-than", "0s"]), "");
    assert_eq!(lab.uid("deployment/roc"), uid);
    let repaired = lab.kubectl_as_printed(&repair);
    assert_eq!(repaired.code, 0, "{repair}: {}", repaired.stderr);
    assert_eq!(repairs(lab), [""; 0], "{object} {label}");
}

#[test]
fn changed_labels_of_a_session_are_named_and_repaired_flink_2_3() {
    let lab = Lab::new("labels");
    let image = ["create", "roc", "--image", FLINK_2_3.0];
    lab.flink_ok(&[&image, &TINY[..]].concat());
    for label in ["app=other", "app-", "type=x", "type-", "component=x", "component-"] {
        is_named_and_repaired(&lab, "deployment/roc", label, "labels of deployment.apps/roc");
    }
    for service in ["service/roc", "service/roc-rest"] {
        is_named_and_repaired(&lab, service, "app=other", &format!("labels of {service}"));
        is_named_and_repaired(&lab, service, "type-", &format!("labels of {service}"));
    }
    is_named_and_repaired(&lab, "configmap/flink-config-roc", "app-", "labels of configmap/flink-config-roc");
    // A JobManager that Kubernetes replaces since its label was changed.
    let selector = "app=roc,component=jobmanager";
    let pod = lab.kubectl_ok(&["get", "pod", "-l", selector, "-o", "name"]).trim().to_owned();
    lab.kubectl_ok(&["label", &pod, "app=other", "--overwrite"]);
    lab.until("another JobManager", || lab.flink(&["jobs", "roc"]).code == 0);
    let repair = repairs(&lab).pop().expect("repair");
    for words in [&["delete", "roc", "--yes"][..], &["restart", "roc"]] {
        lab.flink(words).failed(4, &["still running with the jobs that it had", &pod, &repair]);
    }
    assert_eq!(lab.kubectl_as_printed(&repair).code, 0, "{repair}");
    lab.until("one JobManager", || {
        lab.kubectl_ok(&["get", "pod", "-l", selector, "-o", "name"]).lines().count() == 1
    });
    lab.flink_ok(&["delete", "roc", "--yes"]);
    let left = lab.kubectl_ok(&["get", "deployment,replicaset,service,pod,job", "-o", "name"]);
    assert_eq!(left, "");
}

#[test]
fn changed_labels_of_a_session_are_named_and_repaired_flink_1_10() {
    let lab = Lab::new("labels-1-10");
    let image = ["create", "roc", "--image", FLINK_1_10.0];
    lab.flink_ok(&[&image, &TINY_1_10[..]].concat());
    for label in ["app=other", "type-", "component-"] {
        is_named_and_repaired(&lab, "deployment/roc", label, "labels of deployment.apps/roc");
    }
    // Nobody owns it, and it owns the rest.
    is_named_and_repaired(&lab, "service/roc", "app=other", "labels of service/roc");
    is_named_and_repaired(&lab, "service/roc", "type-", "labels of service/roc");
    is_named_and_repaired(&lab, "configmap/flink-config-roc", "app-", "labels of configmap/flink-config-roc");
    lab.flink_ok(&["delete", "roc", "--yes"]);
    assert_eq!(lab.kubectl_ok(&["get", "deployment,service,pod,job", "-o", "name"]), "");
}
