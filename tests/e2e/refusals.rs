//! What `create` and `delete` must never touch.

use crate::advice::shows;
use crate::lab::Lab;

#[test]
fn a_foreign_deployment_of_the_name_survives() {
    let lab = Lab::new("foreign");
    // One that the Flink client of 2.3 would delete.
    lab.kubectl_ok(&["create", "deployment", "roc", "--image=flink:2.3.0", "--replicas=0"]);
    let uid = lab.uid("deployment/roc");
    let before = lab.fingerprint();
    lab.flink(&["create", "roc"])
        .failed(4, &["deployment.apps/roc", "would be overwritten or deleted by Flink"]);
    lab.flink(&["delete", "roc", "--yes"]).failed(4, &["deployment.apps/roc", "is not a Flink session"]);
    assert_eq!(lab.uid("deployment/roc"), uid);
    assert_eq!(lab.fingerprint(), before);
    assert_eq!(lab.flink_ok(&["ls"]), "");
    // Whose it is shows in its labels.
    let get = lab.flink(&["jobs", "roc"]).hint("").to_owned();
    shows(lab.kubectl_as_printed(&get), &get, "app=roc");
}

#[test]
fn foreign_services_config_maps_and_jobs_are_in_the_way_too() {
    let lab = Lab::new("in-the-way");
    let refuses = |object: &str| {
        let before = lab.fingerprint();
        lab.flink(&["create", "roc"]).failed(4, &[object, "choose another name"]);
        assert_eq!(lab.fingerprint(), before);
    };
    lab.kubectl_ok(&["create", "service", "clusterip", "roc-rest", "--tcp=80"]);
    refuses("service/roc-rest");
    lab.kubectl_ok(&["delete", "service", "roc-rest"]);
    lab.kubectl_ok(&["create", "service", "clusterip", "roc", "--tcp=80"]);
    refuses("service/roc");
    lab.kubectl_ok(&["delete", "service", "roc"]);
    lab.kubectl_ok(&["create", "configmap", "flink-config-roc"]);
    refuses("configmap/flink-config-roc");
    lab.kubectl_ok(&["delete", "configmap", "flink-config-roc"]);
    lab.kubectl_ok(&["create", "job", "boot-roc", "--image=flink:2.3.0", "--", "true"]);
    refuses("job.batch/boot-roc");
}

#[test]
fn state_that_would_bring_old_jobs_back_is_refused_and_kept() {
    let lab = Lab::new("old-jobs");
    lab.kubectl_ok(&["create", "configmap", "roc-cluster-config-map"]);
    lab.kubectl_ok(&[
        "label",
        "configmap",
        "roc-cluster-config-map",
        "app=roc",
        "type=flink-native-kubernetes",
    ]);
    let before = lab.fingerprint();
    lab.flink(&["create", "roc"])
        .failed(4, &["would bring its jobs back", "configmap/roc-cluster-config-map"]);
    lab.flink(&["delete", "roc", "--yes"])
        .failed(1, &["there is no session roc", "kept, the high-availability state"]);
    assert_eq!(lab.fingerprint(), before);
}

#[test]
fn an_application_cluster_is_no_session() {
    let lab = Lab::new("application");
    lab.apply(
        "\
apiVersion: apps/v1
kind: Deployment
metadata: {name: app, labels: {app: app, type: flink-native-kubernetes, component: jobmanager}}
spec:
  replicas: 0
  selector: {matchLabels: {app: app, type: flink-native-kubernetes, component: jobmanager}}
  template:
    metadata: {labels: {app: app, type: flink-native-kubernetes, component: jobmanager}}
    spec:
      containers:
      - {name: flink-main-container, image: 'flink:2.3.0', args: [bash, -c, kubernetes-jobmanager.sh kubernetes-application]}
",
    );
    let before = lab.fingerprint();
    assert_eq!(lab.flink_ok(&["ls"]), "");
    lab.flink(&["create", "app"]).failed(4, &["app is a Flink application cluster"]);
    lab.flink(&["delete", "app", "--yes"]).failed(4, &["is a Flink application cluster, not a session"]);
    for words in [&["status", "app"][..], &["ls", "app"]] {
        lab.flink(words).failed(1, &["is a Flink application cluster, not a session"]);
    }
    assert_eq!(lab.fingerprint(), before);
}

#[test]
fn nothing_is_deleted_without_an_answer() {
    let lab = Lab::new("question");
    lab.apply(
        "\
apiVersion: v1
kind: Service
metadata: {name: roc-rest, labels: {app: roc, type: flink-native-kubernetes}}
spec: {ports: [{port: 8081}]}
",
    );
    let before = lab.fingerprint();
    lab.flink(&["delete", "roc"]).failed(1, &["service/roc-rest", "kubectl flink delete roc", "--yes"]);
    assert_eq!(lab.fingerprint(), before);
    // What is left of a session is found and removed.
    lab.flink(&["create", "roc"])
        .failed(4, &["service/roc-rest", "is what is left of a session", "kubectl flink gc"]);
    // As the refusal of the first one proposes it.
    let refused = lab.flink(&["delete", "roc"]);
    let deleted = lab.flink_as_printed(refused.hint("")).stdout;
    assert_eq!(deleted, format!("service \"roc-rest\" deleted from {} namespace\n", lab.namespace));
}
