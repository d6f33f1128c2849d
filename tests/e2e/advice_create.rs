//! Commands of kubectl that `create` and every connection print as advice, run by a shell as they stand.

use crate::advice::{command, shows, sleeping};
use crate::lab::{Lab, QUICK};

/// The user's kubeconfig as a file of its own, after a `kubectl config` with these words.
fn kubeconfig(lab: &Lab, change: &[&str]) -> tempfile::TempPath {
    let file = tempfile::Builder::new().prefix("my config").tempfile().expect("kubeconfig").into_temp_path();
    std::fs::write(&file, lab.kubectl_ok(&["config", "view", "--raw", "--minify", "--flatten"]))
        .expect("kubeconfig");
    let path = file.to_string_lossy().into_owned();
    lab.kubectl_ok(&[&["config", "--kubeconfig", &path][..], change].concat());
    file
}

/// A kubeconfig that was repaired is seen to be right by the command that was printed while it was not.
fn is_repaired(lab: &Lab, file: &tempfile::TempPath, typed: &str, before: &str, after: &str) {
    let fails = lab.kubectl_as_printed(typed);
    assert!(fails.code != 0 && fails.stderr.contains(before), "{typed}: {}", fails.stderr);
    std::fs::write(file, lab.kubectl_ok(&["config", "view", "--raw", "--minify", "--flatten"]))
        .expect("kubeconfig");
    shows(lab.kubectl_as_printed(typed), typed, after);
}

#[test]
fn connections_and_pod_templates_are_checked_with_the_printed_commands() {
    let lab = Lab::new("advice-connection");
    // A session whose deletion takes longer than `create` waits for it.
    let finalizers = ", finalizers: [example.com/hold]";
    lab.apply(&sleeping("roc", finalizers, "", ""));
    lab.kubectl_ok(&["delete", "deployment", "roc", "--wait=false"]);
    std::thread::scope(|threads| {
        let create = threads.spawn(|| lab.flink(&["create", "roc"]));

        let cluster = lab.kubectl_ok(&["config", "view", "--minify", "-o", "jsonpath={.clusters[0].name}"]);
        let away = kubeconfig(&lab, &["set-cluster", &cluster, "--server=https://127.0.0.1:1"]);
        let refused = lab.flink_as(&away, &["ls"]);
        refused.failed(1, &["was refused"]);
        is_repaired(&lab, &away, command(&refused, "kubectl cluster-info"), "was refused", "control plane");

        let user = lab.kubectl_ok(&["config", "view", "--minify", "-o", "jsonpath={.users[0].name}"]);
        let unknown = kubeconfig(&lab, &["delete-user", &user]);
        lab.kubectl_ok(&[
            "config",
            "--kubeconfig",
            &unknown.to_string_lossy(),
            "set-credentials",
            &user,
            "--token=x",
        ]);
        let refused = lab.flink_as(&unknown, &["ls"]);
        refused.failed(1, &["You must be logged in"]);
        is_repaired(&lab, &unknown, command(&refused, "kubectl auth whoami"), "Unauthorized", "Username");

        let other = kubeconfig(&lab, &["rename-context", lab.context(), "the-other"]);
        let refused = lab.flink_as(&other, &["ls", "--context", "no-such"]);
        refused.failed(1, &["context \"no-such\" does not exist"]);
        let typed = command(&refused, "kubectl config get-contexts");
        shows(lab.kubectl_as_printed(typed), typed, "the-other");

        let template = tempfile::NamedTempFile::new().expect("template").into_temp_path();
        std::fs::write(&template, "spec: {nodeSelectors: {a: b}}").expect("template");
        let refused = lab.flink(&["create", "blue", "--pod-template", &template.to_string_lossy()]);
        assert_eq!(refused.code, 1, "{}", refused.stderr);
        let typed = command(&refused, "kubectl explain");
        shows(lab.kubectl_as_printed(typed), typed, "nodeSelector");

        let late = create.join().expect("create");
        late.failed(3, &["deployment.apps/roc is still being deleted"]);
        let typed = command(&late, "kubectl get");
        shows(lab.kubectl_as_printed(typed), typed, "- example.com/hold\n");
    });
    lab.kubectl_ok(&[
        "patch",
        "deployment",
        "roc",
        "--type=merge",
        "-p",
        "{\"metadata\":{\"finalizers\":null}}",
    ]);
}

#[test]
fn a_session_that_could_not_be_exposed_is_exposed_by_the_printed_command() {
    let lab = Lab::new("advice-expose");
    lab.kubectl_ok(&["create", "quota", "ports", "--hard=services.nodeports=0"]);
    let create = |name: &str| {
        lab.flink(&[&["create", name, "--expose=NodePort", "--ignore-preflight"][..], &QUICK].concat())
    };
    std::thread::scope(|threads| {
        let (denied, foreign) = (threads.spawn(|| create("roc")), threads.spawn(|| create("two")));
        // One Service is not the session's own any more.
        lab.kubectl_ok(&["create", "deployment", "other", "--image=flink:2.3.0", "--replicas=0"]);
        let owner = format!(
            "{{\"metadata\":{{\"ownerReferences\":[{{\"apiVersion\":\"apps/v1\",\"kind\":\"Deployment\",\"name\":\"other\",\"uid\":\"{}\"}}]}}}}",
            lab.uid("deployment/other")
        );
        lab.until("the Service", || lab.kubectl(&["get", "service", "two-rest"]).code == 0);
        lab.kubectl_ok(&["patch", "service", "two-rest", "--type=merge", "-p", &owner]);

        let denied = denied.join().expect("create");
        denied.failed(1, &["session roc is ready, but not exposed as NodePort"]);
        lab.kubectl_ok(&["delete", "quota", "ports"]);
        let typed = command(&denied, "kubectl patch");
        shows(lab.kubectl_as_printed(typed), typed, "service/roc-rest patched");
        assert_eq!(
            lab.kubectl_ok(&["get", "service", "roc-rest", "-o", "jsonpath={.spec.type}"]),
            "NodePort"
        );

        let foreign = foreign.join().expect("create");
        assert_eq!(foreign.code, 1, "{}", foreign.stderr);
        assert!(foreign.stderr.contains("is not that of session two"), "{}", foreign.stderr);
        let typed = command(&foreign, "kubectl get");
        shows(lab.kubectl_as_printed(typed), typed, "name: other\n");
    });
}
