//! What is written is read again, and what is wrong is told with its place.

use std::collections::BTreeMap;

use serde_json::Value;

use super::*;
use crate::session::pod_template::PodTemplate;
use crate::session::settings::{Expose, Layer, PullPolicy, SecretKey, Source};
use crate::session::{SessionName, SessionSpec};

pub(super) fn texts<const N: usize>(pairs: [(&str, &str); N]) -> BTreeMap<String, String> {
    pairs.map(|(key, value)| (key.to_owned(), value.to_owned())).into()
}

pub(super) fn resolved(settings: Settings) -> SessionSpec {
    let layer = Layer { source: Source::Flags, settings };
    SessionSpec::resolve("roc".parse::<SessionName>().expect("name"), vec![layer], true).expect("settings")
}

fn written(settings: Settings) -> Value {
    of_spec(&resolved(settings), "team-a")
}

pub(super) fn read_again(manifest: &Value) -> Manifest {
    read(&manifest.to_string()).expect("what was written can be read")
}

pub(super) fn template(text: &str) -> Option<PodTemplate> {
    Some(PodTemplate::empty().under(Some(&PodTemplate::parse(text).expect("template"))))
}

const SIDECAR: &str = "spec: {containers: [{name: flink-main-container}, {name: side, image: side:1}]}";
pub(super) const POOL: &str = "spec: {priorityClassName: low, containers: [{name: flink-main-container}]}";

/// Everything that a manifest can say in the words of flags.
pub(super) fn everything() -> Settings {
    Settings {
        image: Some("registry.example/etl:7".to_owned()),
        flink_version: "1.20".parse().ok(),
        jobmanager_memory: "2g".parse().ok(),
        jobmanager_cpu: "0.4".parse().ok(),
        jobmanager_replicas: Some(1),
        taskmanager_memory: "4g".parse().ok(),
        taskmanager_cpu: "2".parse().ok(),
        slots: Some(2),
        min_slots: Some(4),
        keep_idle_taskmanagers: "5m".parse().ok(),
        service_account: Some("etl".to_owned()),
        expose: Some(Expose::NodePort),
        pod_template: template(SIDECAR),
        env: texts([("TZ", "UTC"), ("EMPTY", "")]),
        secret_env: [("TOKEN".to_owned(), SecretKey { secret: "s".to_owned(), key: "k".to_owned() })].into(),
        image_pull_policy: Some(PullPolicy::Always),
        image_pull_secrets: vec!["one".to_owned(), "two".to_owned()],
        node_selector: texts([("pool", "flink")]),
        tolerations: vec!["spot".parse().expect("toleration"), "a=b:NoSchedule".parse().expect("toleration")],
        labels: texts([("team", "a"), ("size", "big")]),
        annotations: texts([("example.org/note", "it's 1,000: so what"), ("plain", "x")]),
        plugins: vec!["s3-fs-hadoop".to_owned()],
        log_configuration: texts([("log4j-console.properties", "rootLogger.level = DEBUG\n")]),
        config: texts([("metrics.latency.interval", "1000"), ("web.timeout", "60000")]),
        ..Settings::default()
    }
}

#[test]
fn the_settings_that_are_written_are_those_that_are_read() {
    let manifest = written(everything());
    let Manifest { name, namespace, settings, notes } = read_again(&manifest);
    assert_eq!((name.as_deref(), namespace.as_deref()), (Some("roc"), Some("team-a")));
    assert_eq!(settings, everything());
    assert_eq!(notes, [] as [String; 0]);
    insta::assert_snapshot!(serde_json::to_string_pretty(&manifest).expect("json"));
}

#[test]
fn a_session_of_what_was_written_is_the_same_session() {
    let of = |version: &str, settings: Settings| Settings { flink_version: version.parse().ok(), ..settings };
    let ha = Settings {
        ha: Some("s3://b/ha".to_owned()),
        plugins: vec!["s3-fs-presto".to_owned()],
        jobmanager_replicas: Some(2),
        ..Settings::default()
    };
    let restricted = Settings {
        restricted: Some(true),
        pod_template: template(SIDECAR),
        taskmanager_pod_template: template(POOL),
        ..Settings::default()
    };
    let by_key = Settings {
        config: texts([
            ("jobmanager.memory.flink.size", "1g"),
            ("kubernetes.jobmanager.labels", "team:a"),
            ("resourcemanager.taskmanager-timeout", "1 h"),
            ("containerized.master.env.A", "1"),
        ]),
        ..Settings::default()
    };
    let single = Settings { jobmanager_replicas: None, ..ha.clone() };
    for settings in [
        Settings::default(),
        of("1.10", Settings { expose: Some(Expose::NodePort), ..Settings::default() }),
        of("1.13.6", single),
        of("1.20.5", ha.clone()),
        of("2.3", ha),
        of("2.3.0", restricted),
        of("2.3", by_key),
    ] {
        let first = resolved(settings);
        let manifest = of_spec(&first, "team-a");
        let again = resolved(read_again(&manifest).settings);
        let flinks =
            |spec: &SessionSpec| spec.flink_settings(spec.expected_dialect(), "team-a").expect("settings");
        let mut told = flinks(&again);
        // A variable here, since the name of the jar is known.
        told.retain(|key, _| !key.ends_with(ENABLE_PLUGINS));
        assert_eq!(told, flinks(&first));
        assert_eq!(again.settings.plugins, first.settings.plugins);
        assert_eq!(again.templates(), first.templates());
        assert_eq!(of_spec(&again, "team-a"), manifest);
    }
}

/// After `examples/basic-session-deployment-only.yaml` and `examples/pod-template.yaml` of the operator.
const OF_THE_OPERATOR: &str = r#"
apiVersion: flink.apache.org/v1beta1
kind: FlinkDeployment
metadata:
  name: session-deployment-only-example
  uid: 93bf2865-4665-4605-a5c6-32b244d53d27
  labels:
    app: example
    team: a
  annotations:
    kubectl.kubernetes.io/last-applied-configuration: "{}"
    kubectl-flink/settings: "{}"
    note: kept
spec:
  image: flink:1.20
  flinkVersion: v1_20
  flinkConfiguration:
    taskmanager.numberOfTaskSlots: "2"
    kubernetes.operator.savepoint.history.max.count: 5
    job.autoscaler.enabled: true
    high-availability.type: kubernetes
    high-availability.storageDir: file:///flink-data/ha
    state:
      checkpoints:
        dir: file:///flink-data/checkpoints
        num-retained: 3
    pipeline.jars: [a.jar, b.jar]
    kubernetes.rest-service.exposed.type: NodePort
    kubernetes.container.image.pull-secrets: one;two
    kubernetes.cluster-id: session-deployment-only-example
  serviceAccount: flink
  mode: native
  restartNonce: 3
  job: null
  podTemplate:
    spec:
      containers:
        - name: flink-main-container
          volumeMounts:
            - {mountPath: /flink-data, name: flink-volume}
      volumes:
        - name: flink-volume
          persistentVolumeClaim: {claimName: flink-data}
  jobManager:
    resource:
      memory: "2048m"
      cpu: 1
      ephemeralStorage: 1G
  taskManager:
    replicas: 2
    resource: {memory: 2048Mi, cpu: 1.5}
  logConfiguration:
    log4j-console.properties: |
      rootLogger.level = DEBUG
status:
  error: none
"#;

#[test]
fn an_example_of_the_operators_own_is_read() {
    let Manifest { name, namespace, settings, notes } = read(OF_THE_OPERATOR).expect("manifest");
    assert_eq!((name.as_deref(), namespace), (Some("session-deployment-only-example"), None));
    let again = serde_json::to_string_pretty(&written(settings)).expect("json");
    insta::assert_snapshot!(format!(
        "{}

{again}",
        notes.join(
            "
"
        )
    ));
}

fn refusal(text: &str) -> String {
    read(text).expect_err(text).to_string()
}

/// A manifest with `rest` below a good beginning.
fn of_rest(rest: &str) -> String {
    format!("apiVersion: flink.apache.org/v1beta1\nkind: FlinkDeployment\n{rest}")
}

#[test]
fn every_refusal_says_where_and_why() {
    let mut told = Vec::new();
    for text in [
        "",
        "# nothing\n",
        "- a\n",
        "spec: [\n",
        "kind: FlinkDeployment\nspec: {}\n",
        "apiVersion: flink.apache.org/v1beta1\nspec: {}\n",
        "apiVersion: apps/v1\nkind: Deployment\nspec: {}\n",
        "apiVersion: flink.apache.org/v1beta1\nkind: FlinkSessionJob\nspec: {}\n",
        "apiVersion: flink.apache.org/v1\nkind: FlinkDeployment\nspec: {}\n",
    ] {
        told.push(refusal(text));
    }
    for rest in [
        "",
        "Spec: {}\n",
        "spec: {}\n---\nkind: FlinkDeployment\n",
        "metadata: {labels: [a]}\nspec: {}\n",
        "spec:\n  image: flink:2.3\n  job:\n    jarURI: local:///a.jar\n",
        "spec:\n  jobmanager: {}\n",
        "spec:\n  jobManager:\n    resources: {}\n",
        "spec:\n  sidecars: []\n",
        "spec:\n  ingress:\n    template: a\n",
        "spec:\n  mode: standalone\n",
        "spec:\n  mode: any\n",
        "spec:\n  image: [a]\n",
        "spec:\n  imagePullPolicy: Sometimes\n",
        "spec:\n  flinkVersion: latest\n",
        "spec:\n  jobManager: {replicas: 0}\n",
        "spec:\n  jobManager: {replicas: two}\n",
        "spec:\n  jobManager:\n    resource: {memory: 2048}\n",
        "spec:\n  jobManager:\n    resource: {memory: 1073741824}\n",
        "spec:\n  taskManager:\n    resource: {memory: 1.5g}\n",
        "spec:\n  taskManager:\n    resource: {cpu: two}\n",
        "spec:\n  podTemplate: {spec: {container: [{name: a}]}}\n",
        "spec:\n  taskManager:\n    podTemplate: {spec: {containers: [{name: a, imag: b}]}}\n",
        "spec:\n  logConfiguration: {a/b: text}\n",
    ] {
        told.push(refusal(&of_rest(rest)));
    }
    insta::assert_snapshot!(told.join("\n"));
    let job = of_rest("spec:\n  job: {}\n");
    assert!(matches!(read(&job), Err(InvalidManifest::Application(YamlError { line: 4, column: 3, .. }))));
}

#[test]
fn every_refusal_of_a_flink_setting_says_where_and_why() {
    let mut told = Vec::new();
    for line in [
        "a.b:",
        "a: {b: 1}\n    a.b: 2",
        "a: [{b: 1}]",
        "kubernetes.cluster-id: raven",
        "kubernetes.namespace: team-b",
        "kubernetes.rest-service.exposed.type: Headless_ClusterIP",
        "kubernetes.pod-template-file.default: /t.yaml",
        "kubernetes.container.image.ref: flink:1.19",
        "kubernetes.taskmanager.service-account: other",
        "jobmanager.memory.process.size: 1g",
        "execution.attached: true",
        "$internal.x: 1",
        "high-availability.cluster-id: raven",
    ] {
        let rest = format!(
            "metadata: {{name: roc, namespace: team-a}}\nspec:\n  image: flink:1.20\n  jobManager: {{resource: {{memory: 2g}}}}\n  flinkConfiguration:\n    {line}\n"
        );
        told.push(refusal(&of_rest(&rest)));
    }
    insta::assert_snapshot!(told.join("\n"));
}

fn configured(flink: &str) -> Manifest {
    let lines = flink.lines().map(|line| format!("    {line}\n")).collect::<String>();
    read(&of_rest(&format!("metadata: {{labels: {{team: a}}}}\nspec:\n  flinkConfiguration:\n{lines}")))
        .expect(flink)
}

#[test]
fn what_a_flag_cannot_say_stays_a_setting_by_its_key() {
    for line in [
        "resourcemanager.taskmanager-timeout: 60 s",
        "taskmanager.memory.process.size: 1500000kb",
        "kubernetes.taskmanager.cpu.amount: -1.0",
        "kubernetes.jobmanager.node-selector: a:b",
        "containerized.master.env.A: 1",
        "taskmanager.memory.flink.size: 1g",
        "kubernetes.container.image.pull-policy: Sometimes",
    ] {
        let (key, value) = line.split_once(": ").expect("setting");
        assert_eq!(configured(line).settings.config, texts([(key, value)]));
    }
    let two_sizes = "jobmanager.memory.process.size: 2g\njobmanager.memory.flink.size: 1g";
    assert_eq!(
        configured(two_sizes).settings.config,
        texts([("jobmanager.memory.flink.size", "1g")]),
        "the container's is a flag"
    );
}

#[test]
fn what_pods_get_by_a_setting_counts_more_than_the_manifests_own_labels() {
    let both = configured(
        "kubernetes.jobmanager.labels: team:b,size:big\nkubernetes.taskmanager.labels: team:b,size:big",
    );
    assert_eq!(both.settings.labels, texts([("team", "b"), ("size", "big")]));
    let one = configured("kubernetes.jobmanager.labels: size:big");
    assert_eq!(one.settings.labels, BTreeMap::new());
    insta::assert_snapshot!([both.notes, one.notes].concat().join("\n"));
}

#[test]
fn one_jobmanager_is_what_every_flink_has() {
    let replicas = |image: &str| {
        let text = of_rest(&format!("spec:\n  image: {image}\n  jobManager: {{replicas: 1}}\n"));
        read(&text).expect("manifest").settings.jobmanager_replicas
    };
    assert_eq!(
        (replicas("flink:1.13.6"), replicas("flink:1.14"), replicas("mine")),
        (None, Some(1), Some(1))
    );
}

#[test]
fn a_name_that_is_near_is_meant() {
    let unknown = |name: &str| refusal(&of_rest(&format!("spec:\n  {name}: 1\n")));
    assert!(unknown("taskmanager").ends_with("; did you mean taskManager?"));
    assert!(unknown("flinkversion").ends_with("; did you mean flinkVersion?"));
    assert!(unknown("x").ends_with("unknown field spec.x"));
}
