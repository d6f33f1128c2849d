//! The plugin in a pod, where there is no kubeconfig.

use crate::advice::command;
use crate::lab::{Ended, Lab};

/// Where the plugin is in the pod.
const PLUGIN: &str = "/plugin/kubectl-flink";

const POD: &str = "
apiVersion: v1
kind: Pod
metadata: {name: desk}
spec:
  serviceAccountName: clerk
  terminationGracePeriodSeconds: 1
  containers:
  - {name: desk, image: 'flink:2.3.0', command: [sleep, '600'], volumeMounts: [{name: plugin, mountPath: /plugin}]}
  - name: stranger
    image: flink:2.3.0
    command: [sleep, '600']
    securityContext: {runAsUser: 12345}
    volumeMounts: [{name: plugin, mountPath: /plugin}]
  volumes: [{name: plugin, emptyDir: {}}]
";

#[test]
fn its_service_account_and_its_namespace_are_used() {
    let lab = Lab::new("in-cluster");
    drop(lab.user("clerk", &[("get,list", "deployments.apps,jobs.batch,services,configmaps,pods")]));
    lab.apply(POD);
    lab.kubectl_ok(&["wait", "pod/desk", "--for=condition=Ready", "--timeout=120s"]);
    let program = std::fs::read(env!("CARGO_BIN_EXE_kubectl-flink")).expect("program");
    let copy = format!("cat >{PLUGIN} && chmod +x {PLUGIN}");
    lab.kubectl_with_bytes(&["exec", "-i", "desk", "-c", "desk", "--", "sh", "-c", &copy], &program);

    let inside =
        |words: &[&str]| lab.kubectl(&[&["exec", "desk", "-c", "desk", "--", PLUGIN][..], words].concat());
    let none = inside(&["ls"]);
    assert_eq!(
        (none.code, none.stdout.as_str(), none.stderr.as_str()),
        (0, "", format!("No resources found in {} namespace.\n", lab.namespace).as_str())
    );
    let version = inside(&["version"]);
    assert!(version.code == 0 && version.stdout.contains("Server Version: v1."), "{}", version.stderr);
    // The account may not look at others.
    let other = inside(&["ls", "-n", "default"]);
    assert!(other.code != 0 && other.stderr.contains("system:serviceaccount:"), "{}", other.stderr);
    assert!(other.stderr.contains(":clerk"), "{}", other.stderr);

    a_script_without_a_place_is_printed(&lab);
}

/// Of a user that the pod's system does not know, and who has no home directory.
fn a_script_without_a_place_is_printed(lab: &Lab) {
    let install = flink_as_printed(lab, "kubectl flink completion install bash");
    assert!(install.stderr.contains("there is no home directory for the script"), "{}", install.stderr);
    assert_eq!(install.code, 1);
    let typed = command(&install, "kubectl flink completion").split(" prints it").next().unwrap_or_default();
    let script = flink_as_printed(lab, typed);
    assert!(script.code == 0 && script.stdout.contains("__complete"), "{typed}: {}", script.stderr);
}

/// What was printed, in the shell of this user.
fn flink_as_printed(lab: &Lab, printed: &str) -> Ended {
    let script =
        format!("unset HOME; PATH=/plugin:$PATH; kubectl() {{ shift; {PLUGIN} \"$@\"; }}\n{printed}");
    lab.kubectl(&["exec", "desk", "-c", "stranger", "--", "sh", "-c", &script])
}
