//! Reads whole files and broken ones.

use super::*;

const FULL: &str = "\
defaults:
  image: registry.example/flink:2.3
  flink-version: 1.20
  jobmanager-memory: 2g
  jobmanager-cpu: 0.50
  jobmanager-replicas: 2
  taskmanager-memory: 1728m
  taskmanager-cpu: 500m
  slots: 4
  min-slots: 8
  keep-idle-taskmanagers: 90m
  service-account: flink
  taskmanager-service-account: flink-tm
  network-policy: true
  network-policy-from: ['cidr:10.0.0.0/8', 'namespace:edge/pods:app=gateway']
  rbac: edit-cluster
  expose: NodePort
  ha: s3://bucket/ha
  ha-dir-is-shared: true
  pod-template: {spec: {hostNetwork: true}}
  jobmanager-pod-template: {spec: {containers: [{name: flink-main-container}]}}
  taskmanager-pod-template: {metadata: {labels: {a: b}}}
  restricted: false
  env: {A: 1.0, B: yes, C: ''}
  secret-env: {PASSWORD: database:password}
  image-pull-policy: Always
  image-pull-secret: [regcred, other]
  node-selector: {disk: ssd}
  toleration: ['spot=true:NoSchedule', big]
  label: {team: a}
  annotation: {note: a b}
  plugin: s3-fs-hadoop
  config: {state.backend.type: rocksdb, parallelism.default: 010}
contexts:
  prod:
    slots: 2
    image-pull-secret: prodcred
  empty:
profiles:
  big:
    slots: 8
    toleration: big
  nothing: {}
";

fn file(text: &str) -> ConfigFile {
    ConfigFile::parse(text).expect(text)
}

fn told(text: &str) -> String {
    ConfigFile::parse(text).expect_err(text).to_string()
}

#[test]
fn every_key_is_read_and_shown_as_it_is_typed() {
    let full = file(FULL);
    let lines = shown(&full.defaults.settings).into_iter().map(|(flag, value)| format!("{flag} {value}"));
    insta::assert_snapshot!(lines.collect::<Vec<_>>().join("\n"));
}

#[test]
fn the_keys_are_the_flags() {
    let settings = file(FULL).defaults.settings;
    let shown = shown(&settings);
    for key in KEYS {
        let flag = if key == "config" { "-D".to_owned() } else { format!("--{key}") };
        assert!(shown.iter().any(|(own, _)| *own == flag), "{key}");
        assert!(key == "config" || settings.says(&flag), "{key}");
    }
    assert_eq!(settings.flags().len() + 1, KEYS.len());
}

#[test]
fn what_is_shown_can_be_read_again() {
    for (key, text) in
        [("keep-idle-taskmanagers", "1h30m"), ("keep-idle-taskmanagers", "1s500ms"), ("slots", "4")]
    {
        let settings = file(&format!("defaults: {{{key}: {text}}}")).defaults.settings;
        assert_eq!(shown(&settings), [(format!("--{key}"), text.to_owned())]);
    }
}

#[test]
fn nothing_at_all_says_nothing() {
    for text in ["", "# a comment\n", "defaults:\n", "defaults: {env: , plugin: }\nprofiles: {}\n"] {
        assert_eq!(file(text), ConfigFile::default(), "{text}");
    }
}

#[test]
fn layers_come_lowest_first_and_only_where_something_is_said() {
    let full = file(FULL);
    let sources = |context, profile| {
        let layers = full.layers(context, profile).expect("layers");
        layers.into_iter().map(|layer| layer.source).collect::<Vec<_>>()
    };
    let (prod, big) = (Source::Context("prod".to_owned()), Source::Profile("big".to_owned()));
    assert_eq!(sources(Some("prod"), Some("big")), [Source::Defaults, prod, big]);
    assert_eq!(sources(Some("empty"), Some("nothing")), [Source::Defaults]);
    assert_eq!(sources(Some("other"), None), [Source::Defaults]);
    assert!(ConfigFile::default().layers(None, None).expect("layers").is_empty());
}

#[test]
fn a_profile_that_is_not_there_is_told_with_those_that_are() {
    let told = |file: &ConfigFile, name| file.layers(None, Some(name)).expect_err(name).to_string();
    let full = file(FULL);
    insta::assert_snapshot!(
        [told(&full, "bg"), told(&full, "production"), told(&ConfigFile::default(), "big")].join("\n")
    );
}

#[test]
fn unknown_keys_are_pointed_at() {
    let texts = [
        "defaults:\n  image: a\n  jobmanagr-memory: 2g\n",
        "defaults: {jobmanagerMemory: 2g}\n",
        "defaults: {--slots: 2}\n",
        "contexts:\n  prod:\n    labels: {a: b}\n",
        "defaults: {state.backend.type: rocksdb}\n",
        "defaults: {namespace: team-a}\n",
        "default: {slots: 2}\n",
        "slots: 2\n",
        "clusters: {}\n",
    ];
    insta::assert_snapshot!(texts.map(told).join("\n"));
}

#[test]
fn values_that_cannot_be_right_are_pointed_at() {
    let values = [
        "image: ''",
        "image:",
        "image: [a]",
        "flink-version: latest",
        "jobmanager-memory: 2",
        "taskmanager-cpu: two",
        "slots: 0",
        "slots: 70000",
        "slots: many",
        "min-slots: -1",
        "keep-idle-taskmanagers: 5",
        "rbac: admin",
        "expose: clusterip",
        "restricted: 'on'",
        "ha-dir-is-shared:",
        "pod-template: {spec: {container: []}, kind: Pod, x: 1}",
        "pod-template: pod.yaml",
        "pod-template:",
        "jobmanager-pod-template: {spec: {containers: {}}}",
        "env: [A=1]",
        "env: {A: }",
        "env: {A: [1]}",
        "env: {'': 1}",
        "secret-env: {A: secret}",
        "secret-env: {A: 'secret:'}",
        "image-pull-policy: always",
        "image-pull-secret: {a: b}",
        "image-pull-secret: [a, '']",
        "image-pull-secret: [[a]]",
        "toleration: [a, 'b:Never']",
        "plugin: [a, ]\n  plugin: b",
        "config: {state: {backend: rocksdb}}",
        "config: {a=b: c}",
    ];
    let lines = values.map(|value| format!("{value}\n    {}", told(&format!("defaults:\n  {value}\n"))));
    insta::assert_snapshot!(lines.join("\n"));
}

#[test]
fn sections_that_cannot_be_right_are_pointed_at() {
    let texts = [
        "just words\n",
        "[]\n",
        "defaults: 2\n",
        "contexts: [prod]\n",
        "profiles:\n  big: 2\n",
        "profiles:\n  big: {}\n  big: {}\n",
        "defaults: {slots: 2\n",
    ];
    insta::assert_snapshot!(texts.map(told).join("\n"));
}
