//! The plugin in a pod, where there is no kubeconfig.

use crate::lab::Lab;

/// Where the plugin is in the pod.
const PLUGIN: &str = "/tmp/kubectl-flink";

const POD: &str = "
apiVersion: v1
kind: Pod
metadata: {name: desk}
spec:
  serviceAccountName: clerk
  terminationGracePeriodSeconds: 1
  containers:
  - {name: desk, image: 'flink:2.3.0', command: [sleep, '600']}
";

#[test]
fn its_service_account_and_its_namespace_are_used() {
    let lab = Lab::new("in-cluster");
    drop(lab.user("clerk", &[("get,list", "deployments.apps,jobs.batch,services,configmaps,pods")]));
    lab.apply(POD);
    lab.kubectl_ok(&["wait", "pod/desk", "--for=condition=Ready", "--timeout=120s"]);
    let program = std::fs::read(env!("CARGO_BIN_EXE_kubectl-flink")).expect("program");
    let copy = format!("cat >{PLUGIN} && chmod +x {PLUGIN}");
    lab.kubectl_with_bytes(&["exec", "-i", "desk", "--", "sh", "-c", &copy], &program);

    let inside = |words: &[&str]| lab.kubectl(&[&["exec", "desk", "--", PLUGIN][..], words].concat());
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
}
