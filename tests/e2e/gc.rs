//! What dead sessions leave behind on a real cluster, beside sessions that live and that start.

use crate::lab::Lab;
use crate::manual_way::BY_HAND;

/// High-availability state of two dead sessions as Flink 2.3.0 writes it, one with a job. A Deployment of
/// no session, and a bootstrap at work, each with state of its name. Objects of persons with the labels of
/// a dead session. A SQL client that has ended.
const BESIDE: &str = "\
apiVersion: v1
kind: ConfigMap
metadata: {name: idle-cluster-config-map, labels: {app: idle, type: flink-native-kubernetes}}
data: {org.apache.flink.k8s.leader.dispatcher: ''}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: busy-cluster-config-map, labels: {app: busy, type: flink-native-kubernetes}}
data: {executionPlan-8e91dc59d12b7474c390b0a756115346: x, org.apache.flink.k8s.leader.dispatcher: ''}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: busy-8e91dc59d12b7474c390b0a756115346-config-map, labels: {app: busy, type: flink-native-kubernetes}}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: shop-cluster-config-map, labels: {app: shop, type: flink-native-kubernetes}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: shop}
spec:
  replicas: 0
  selector: {matchLabels: {app: x}}
  template: {metadata: {labels: {app: x}}, spec: {containers: [{name: c, image: 'flink:1.10'}]}}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: new-cluster-config-map, labels: {app: new, type: flink-native-kubernetes}}
---
apiVersion: batch/v1
kind: Job
metadata: {name: start-new}
spec:
  template:
    spec:
      restartPolicy: Never
      terminationGracePeriodSeconds: 0
      containers:
      - name: start
        image: flink:1.10
        command: [bash, -c, 'sleep 1000 ; ./bin/kubernetes-session.sh -Dkubernetes.cluster-id=new']
---
apiVersion: v1
kind: ConfigMap
metadata: {name: idle-settings, labels: {app: idle, type: flink-native-kubernetes}}
---
apiVersion: v1
kind: Service
metadata: {name: idle-metrics, labels: {app: idle, type: flink-native-kubernetes}}
spec: {ports: [{port: 80}]}
---
apiVersion: v1
kind: Pod
metadata:
  name: sql-roc-1
  labels: {app: roc, app.kubernetes.io/managed-by: kubectl-flink, app.kubernetes.io/component: sql}
spec:
  restartPolicy: Never
  containers: [{name: sql, image: 'flink:1.10', command: ['true']}]
";

/// What a 1.10 session that was made by hand leaves when its Deployment is deleted, and what else is dead.
const LEFT: [&str; 8] = [
    "configmap/busy-8e91dc59d12b7474c390b0a756115346-config-map",
    "configmap/busy-cluster-config-map",
    "configmap/idle-cluster-config-map",
    "job.batch/boot-roc",
    "service/roc",
    "service/roc-rest",
    "configmap/flink-config-roc",
    "pod/sql-roc-1",
];

const SEES: &str = "configmaps,services,pods,jobs.batch";

#[test]
fn what_is_dead_goes_and_what_lives_stays() {
    let lab = Lab::new("gc");
    lab.apply(BY_HAND);
    lab.apply(BESIDE);
    lab.until("REST", || lab.rest_overview("roc").stdout.contains("1.10.3"));
    let phase = |pod: &str| lab.kubectl_ok(&["get", "pod", pod, "-o", "jsonpath={.status.phase}"]);
    lab.until("the SQL client to end", || phase("sql-roc-1") == "Succeeded");
    lab.kubectl_ok(&["wait", "--for=condition=Complete", "job/boot-roc"]);
    let living = lab.flink_ok(&["gc", "--older-than", "0s", "-o", "name"]);
    assert_eq!(living.lines().filter(|line| line.contains("roc")).collect::<Vec<_>>(), ["pod/sql-roc-1"]);

    lab.kubectl_ok(&["delete", "deployment", "roc"]);
    lab.until("the JobManager to be gone", || {
        lab.kubectl_ok(&["get", "pod", "-l", "component=jobmanager", "-o", "name"]).is_empty()
    });
    let before = lab.fingerprint();
    let young = lab.flink(&["gc"]);
    assert_eq!((young.code, young.stdout.as_str()), (0, ""), "{}", young.stderr);
    assert!(young.stderr.starts_with("8 objects that were touched in the last 5m"), "{}", young.stderr);
    assert_eq!(lab.flink_ok(&["gc", "--older-than", "0s", "-o", "name"]).lines().collect::<Vec<_>>(), LEFT);
    let everywhere = lab.flink_ok(&["gc", "-A", "--older-than", "0s"]);
    let state = everywhere
        .lines()
        .find(|line| line.contains(&lab.namespace) && line.contains("busy-cluster-config-map"))
        .unwrap_or_else(|| panic!("{everywhere}"));
    assert!(state.ends_with("high-availability state of 1 job"), "{state}");
    let trial = lab.flink_ok(&["gc", "--older-than", "0s", "--dry-run=server"]);
    assert_eq!(
        trial.lines().filter(|line| line.ends_with("namespace (server dry run)")).count(),
        6,
        "{trial}"
    );
    who_may_not_see_what_lives_removes_nothing_of_it(&lab);
    let unchanged = lab.fingerprint();
    assert_eq!(without(&before, &[]), without(&unchanged, &[]));

    let removed = lab.flink(&["gc", "--yes", "--older-than", "0s"]);
    assert_eq!(removed.code, 0, "{}", removed.stderr);
    let deleted = format!("service \"roc-rest\" deleted from {} namespace", lab.namespace);
    assert!(removed.stdout.lines().any(|line| line == deleted), "{}{}", removed.stdout, removed.stderr);
    assert!(
        removed.stderr.contains("kept, the high-availability state of session busy"),
        "{}",
        removed.stderr
    );
    let stays = without(&before, &LEFT[2..]);
    lab.until("what is dead to be gone", || without(&lab.fingerprint(), &[]) == stays);

    // The command that it prints.
    let hint = removed.stderr.lines().find_map(|line| line.strip_prefix("hint: ")).expect("a hint");
    let purged = lab.flink_as_printed(hint.split(" removes").next().expect("a command"));
    assert_eq!((purged.code, purged.stdout.lines().count()), (0, 2), "{}", purged.stderr);
    let stays = without(&before, &LEFT);
    lab.until("the state to be gone", || without(&lab.fingerprint(), &[]) == stays);
    let nothing = lab.flink(&["gc", "--older-than", "0s"]);
    assert_eq!(nothing.stderr, format!("Nothing left over in {} namespace.\n", lab.namespace));
}

/// The namespace without these objects, without the pods of the bootstrap Job that is one of them, and
/// without the restricted user.
fn without(fingerprint: &str, objects: &[&str]) -> Vec<String> {
    let gone: Vec<String> = objects
        .iter()
        .map(|object| object.replace(".batch", "").replace("configmap", "ConfigMap").to_lowercase())
        .collect();
    let is_gone = |line: &str| {
        let object = line.split(' ').next().unwrap_or_default().to_lowercase();
        gone.contains(&object) || object.starts_with("pod/boot-roc-") || object.contains("/half")
    };
    fingerprint.lines().filter(|line| !is_gone(line)).map(str::to_owned).collect()
}

fn who_may_not_see_what_lives_removes_nothing_of_it(lab: &Lab) {
    let half = lab.user("half", &[("list", SEES), ("delete", SEES)]);
    let told = lab.flink_as(&half, &["gc", "--older-than", "0s", "-o", "name"]);
    assert_eq!((told.code, told.stdout.as_str()), (0, "pod/sql-roc-1\n"), "{}", told.stderr);
    let why = "Warning: which sessions are dead cannot be told: deployments.apps is forbidden";
    assert!(told.stderr.starts_with(why), "{}", told.stderr);
}
