//! A session that a person made with the steps of the Flink documentation.

use crate::lab::Lab;

/// The page of manual steps: account, cluster-wide binding, and a Job with seven settings. The
/// Service in front of REST becomes a LoadBalancer, the default of Flink 1.10.
pub const BY_HAND: &str = "\
apiVersion: v1
kind: ServiceAccount
metadata: {name: flink}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: flink-role-binding-NAMESPACE, labels: {e2e: NAMESPACE}}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: edit}
subjects: [{kind: ServiceAccount, name: flink, namespace: NAMESPACE}]
---
apiVersion: batch/v1
kind: Job
metadata: {name: boot-roc}
spec:
  template:
    spec:
      serviceAccountName: flink
      restartPolicy: OnFailure
      containers:
      - name: start
        image: flink:1.10
        workingDir: /opt/flink
        command: [bash, -c]
        args:
        - >-
          ./bin/kubernetes-session.sh
          -Dkubernetes.cluster-id=roc
          -Dkubernetes.jobmanager.service-account=flink
          -Dtaskmanager.memory.process.size=1024m
          -Dkubernetes.taskmanager.cpu=1
          -Dtaskmanager.numberOfTaskSlots=1
          -Dkubernetes.container.image=flink:1.10
          -Dkubernetes.namespace=NAMESPACE
";

#[test]
fn is_listed_shown_and_deleted_like_the_plugins_own() {
    let lab = Lab::new("manual");
    lab.apply(BY_HAND);
    lab.until("REST", || lab.rest_overview("roc").stdout.contains("1.10.3"));
    assert_eq!(
        lab.kubectl_ok(&["get", "service", "roc-rest", "-o", "jsonpath={.spec.type}"]),
        "LoadBalancer"
    );

    let table = lab.flink_ok(&["ls", "-o", "wide"]);
    let row: Vec<&str> = table.lines().nth(1).expect("a row").split_whitespace().collect();
    assert_eq!(row[..8], ["roc", "1/1", "Running", "1.10.3", "0", "0/0", "0/0", "0"], "{table}");
    assert_eq!(row[9..], ["flink:1.10", "other", "off", "LoadBalancer"], "{table}");

    let status = lab.flink_ok(&["status", "roc"]);
    assert!(status.starts_with("Session roc is Running: Flink 1.10.3"), "{status}");
    assert!(status.contains("service/roc-rest   LoadBalancer"), "{status}");

    let before = lab.fingerprint();
    lab.flink(&["create", "roc"]).failed(1, &["session roc exists already"]);
    assert_eq!(lab.fingerprint(), before);

    let deleted = lab.flink_ok(&["delete", "roc", "--yes"]);
    for object in
        ["deployment.apps \"roc\"", "service \"roc\"", "service \"roc-rest\"", "job.batch \"boot-roc\""]
    {
        let line = format!("{object} deleted from {} namespace\n", lab.namespace);
        assert!(deleted.contains(&line), "{deleted}");
    }
    assert_eq!(lab.left_of("roc"), "");
}
