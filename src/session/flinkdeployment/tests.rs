//! What is written is read again, and what is wrong is told with its place.

use std::collections::BTreeMap;

use serde_json::Value;

use super::*;
use crate::session::manifest::pod_template::PodTemplate;
use crate::session::spec::settings::{Expose, Layer, PullPolicy, SecretKey, Source};
use crate::session::{SessionName, SessionSpec};

pub(super) fn texts<const N: usize>(pairs: [(&str, &str); N]) -> BTreeMap<String, String> {
    pairs.map(|(key, value)| (key.to_owned(), value.to_owned())).into()
}

pub(super) fn resolved(settings: Settings) -> SessionSpec {
    resolved_from(Source::Flags, settings)
}

fn resolved_from(source: Source, settings: Settings) -> SessionSpec {
    let layer = Layer { source, settings, ..Layer::default() };
    SessionSpec::resolve("roc".parse::<SessionName>().expect("name"), vec![layer], true).expect("settings")
}

fn written(settings: Settings) -> Value {
    of_spec(&resolved(settings), "team-a")
}

pub(super) fn read_again(manifest: &Value) -> Manifest {
    read(&manifest.to_string(), None).expect("what was written can be read")
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
        taskmanager_service_account: Some("etl-tasks".to_owned()),
        expose: Some(Expose::NodePort),
        pod_template: template(SIDECAR),
        env: texts([("TZ", "UTC"), ("EMPTY", ""), ("PASSWORD", "pa$$word $(TZ) $")]),
        secret_env: [("TOKEN".to_owned(), SecretKey { secret: "s".to_owned(), key: "k".to_owned() })].into(),
        image_pull_policy: Some(PullPolicy::Always),
        image_pull_secrets: vec!["one".to_owned(), "two".to_owned()],
        node_selector: texts([("pool", "flink")]),
        tolerations: vec!["spot".parse().expect("toleration"), "a=b:NoSchedule".parse().expect("toleration")],
        labels: texts([("team", "a"), ("size", "big")]),
        annotations: texts([("example.org/note", "it's 1,000: so what"), ("plain", "x")]),
        plugins: vec!["s3-fs-hadoop".to_owned()],
        network_policy: Some(true),
        network_policy_from: vec![
            "cidr:10.0.0.0/8".parse().expect("peer"),
            "pods:a=b".parse().expect("peer"),
        ],
        log_configuration: texts([("log4j-console.properties", "rootLogger.level = DEBUG\n")]),
        config: texts([("metrics.latency.interval", "1000"), ("web.timeout", "60000")]),
        ..Settings::default()
    }
}

#[test]
fn the_settings_that_are_written_are_those_that_are_read() {
    let manifest = written(everything());
    let Manifest { name, namespace, settings, notes, .. } = read_again(&manifest);
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
            ("containerized.master.env.A", "1 $$(B) $(C)"),
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
        let again = resolved_from(Source::Manifest("roc.yaml".to_owned()), read_again(&manifest).settings);
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
    let Manifest { name, namespace, settings, notes, .. } = read(OF_THE_OPERATOR, None).expect("manifest");
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
    read(text, None).expect_err(text).to_string()
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
        "spec:\n  jobManager:\n    resourcess: {}\n",
        "spec:\n  jobManager:\n    resources: {request: {cpu: 1}}\n",
        "spec:\n  jobManager:\n    resources: {requests: {cpu: one}}\n",
        "spec:\n  jobManager:\n    resources: {requests: {cpu: 0}}\n",
        "spec:\n  jobManager:\n    resources: {requests: {memory: 2048}}\n",
        "spec:\n  jobManager:\n    resources: {requests: {memory: -1Gi}}\n",
        "spec:\n  jobManager:\n    resources: {requests: {memory: 1Gi}, limits: {memory: 2Xi}}\n",
        "spec:\n  jobManager:\n    resources: {requests: {cpu: 1}, limits: {cpu: 500m}}\n",
        "spec:\n  jobManager:\n    resources: {limits: {nvidia.com/gpu: one}}\n",
        "spec:\n  jobManager:\n    resources: {requests: [cpu]}\n",
        "spec:\n  sidecars: []\n",
        "spec:\n  mode: standalone\n",
        "spec:\n  mode: any\n",
        "spec:\n  image: [a]\n",
        "spec:\n  imagePullPolicy: Sometimes\n",
        "spec:\n  flinkVersion: latest\n",
        "spec:\n  jobManager: {replicas: 0}\n",
        "spec:\n  jobManager: {replicas: two}\n",
        "spec:\n  jobManager:\n    resource: {memory: 2048}\n",
        "spec:\n  taskManager:\n    resource: {memory: 1.5}\n",
        "spec:\n  taskManager:\n    resource: {memory: 1x}\n",
        "spec:\n  taskManager:\n    resource: {cpu: two}\n",
        "spec:\n  podTemplate: {spec: {container: [{name: a}]}}\n",
        "spec:\n  taskManager:\n    podTemplate: {spec: {containers: [{name: a, imag: b}]}}\n",
        "spec:\n  logConfiguration: {a/b: text}\n",
    ] {
        told.push(refusal(&of_rest(rest)));
    }
    insta::assert_snapshot!(told.join("\n"));
    let job = of_rest("spec:\n  job: {}\n");
    assert!(matches!(
        read(&job, None),
        Err(InvalidManifest::Application(YamlError { line: 4, column: 3, .. }))
    ));
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
        "kubernetes.jobmanager.service-account: ''",
        "jobmanager.memory.process.size: 1g",
        "kubernetes.taskmanager.cpu.limit-factor: 2",
        "kubernetes.taskmanager.cpu.amount: 2",
        "execution.attached: true",
        "$internal.x: 1",
        "high-availability.cluster-id: raven",
    ] {
        let rest = format!(
            "metadata: {{name: roc, namespace: team-a}}\nspec:\n  image: flink:1.20\n  jobManager: {{resource: {{memory: 2g}}}}\n  taskManager: {{resources: {{requests: {{cpu: 1}}, limits: {{cpu: 3}}}}}}\n  flinkConfiguration:\n    {line}\n"
        );
        told.push(refusal(&of_rest(&rest)));
    }
    insta::assert_snapshot!(told.join("\n"));
}

fn configured(flink: &str) -> Manifest {
    let lines = flink.lines().map(|line| format!("    {line}\n")).collect::<String>();
    let text = of_rest(&format!("metadata: {{labels: {{team: a}}}}\nspec:\n  flinkConfiguration:\n{lines}"));
    read(&text, None).expect(flink)
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
        read(&text, None).expect("manifest").settings.jobmanager_replicas
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

/// The settings of a JobManager with `resources`.
fn with_resources(resources: &str) -> Manifest {
    read(&of_rest(&format!("spec:\n  jobManager:\n    {resources}\n")), None).expect(resources)
}

#[test]
fn memory_is_tried_as_flinks_and_then_as_kubernetes() {
    for (text, mebibytes) in [
        ("2048m", 2048),
        ("2g", 2048),
        ("2G", 2048),
        ("2 gb", 2048),
        ("2Gi", 2048),
        ("2gib", 2048),
        ("1.5Gi", 1536),
        ("1.5G", 1430),
        ("2147483648", 2048),
        ("2e9", 1907),
        ("1Ti", 1 << 20),
    ] {
        for form in [
            "resources: {requests: {memory: TEXT}}",
            "resources: {limits: {memory: TEXT}}",
            "resource: {memory: TEXT}",
        ] {
            let manifest = with_resources(&form.replace("TEXT", text));
            let memory = manifest.settings.jobmanager_memory.map(|memory| memory.mebibytes());
            assert_eq!(memory, Some(mebibytes), "{form} {text}");
        }
    }
}

#[test]
fn a_limit_above_the_request_is_a_factor_with_which_flink_gets_the_limit() {
    for (request, limit) in
        [("3Gi", 4096), ("1500Mi", 1601), ("1728m", 4097), ("700Mi", 2100), ("1025m", 1026)]
    {
        let text = format!("resources: {{requests: {{memory: {request}}}, limits: {{memory: {limit}Mi}}}}");
        let settings = with_resources(&text).settings;
        let factor: f64 =
            settings.config["kubernetes.jobmanager.memory.limit-factor"].parse().expect("number");
        let mebibytes = settings.jobmanager_memory.expect("memory").mebibytes() as f64;
        // As KubernetesUtils#getResourceRequirements computes it.
        assert_eq!((mebibytes * factor) as u64, limit, "{request} {factor}");
    }
    let same =
        with_resources("resources: {requests: {memory: 2g, cpu: 1}, limits: {memory: 2Gi, cpu: 1000m}}");
    assert_eq!(same.settings.config, BTreeMap::new(), "1 is the default of every Flink");
    assert_eq!(same.notes, [] as [String; 0]);
}

#[test]
fn resources_that_are_empty_count_as_absent_and_others_replace_the_older_field() {
    let memory =
        |text: &str| with_resources(text).settings.jobmanager_memory.map(|memory| memory.mebibytes());
    for empty in ["{}", "{requests: {}}", "{requests: {}, limits: null}", "null"] {
        assert_eq!(
            memory(&format!("resources: {empty}\n    resource: {{memory: 1g}}")),
            Some(1024),
            "{empty}"
        );
    }
    let both = with_resources(
        "resource: {memory: 1g, cpu: 2}\n    resources: {requests: {memory: 2g}, claims: [{name: gpu}]}",
    );
    assert_eq!((both.settings.jobmanager_memory, both.settings.jobmanager_cpu), ("2g".parse().ok(), None));
    insta::assert_snapshot!(both.notes.join("\n"));
}

#[test]
fn an_older_operator_gets_the_older_field() {
    let live = Live {
        name: "roc".to_owned(),
        config: texts([
            ("jobmanager.memory.process.size", "1600m"),
            ("kubernetes.jobmanager.cpu.amount", "0.4"),
            ("taskmanager.memory.process.size", "1500000kb"),
        ]),
        ..Live::default()
    };
    let role = |operator: &str, role: &str| {
        let (manifest, _) = of_live(&live, operator.parse().expect(operator));
        manifest["spec"][role].to_string()
    };
    assert_eq!(role("1.15", "jobManager"), r#"{"resource":{"cpu":0.4,"memory":"1600m"}}"#);
    assert_eq!(role("1.16", "jobManager"), r#"{"resources":{"requests":{"cpu":"0.4","memory":"1600Mi"}}}"#);
    // Half a MiB would be lost.
    assert_eq!(role("1.16", "taskManager"), "null");
}

#[test]
fn a_document_that_is_left_out_is_listed_with_the_command_for_it() {
    let session = of_rest("metadata: {name: shop}\nspec: {}\n");
    let job = |session: &str, job: &str| {
        format!(
            "---\nkind: FlinkSessionJob\nmetadata: {{name: j}}\nspec: {{deploymentName: {session}, job: {{{job}}}}}\n"
        )
    };
    let claim = "---\n# comment\napiVersion: v1\nkind: PersistentVolumeClaim\nmetadata:\n  name: c\n  annotations: {a: '---'}\n\n--- # end\n";
    let other = "apiVersion: flink.apache.org/v1beta1\nkind: FlinkBlueGreenDeployment\nmetadata: {name: b}\n";
    let jobs =
        [job("shop", "jarURI: a.jar"), job("else", "jarURI: 's3://b/a b.jar?x=1'"), job("shop", "args: [a]")];
    let text = format!("{session}{}{claim}{other}", jobs.concat());
    let manifest = read(&text, None).expect("manifest");
    let told = |file, name| {
        let context = Context { file, scope: " -n x", names: (manifest.name.as_deref(), name) };
        manifest.others.iter().map(|other| other.message(&context)).collect::<Vec<_>>().join("\n")
    };
    insta::assert_snapshot!([told(Some("my shop.yaml"), "shop"), told(None, "bazaar")].join("\n\n"));
}
