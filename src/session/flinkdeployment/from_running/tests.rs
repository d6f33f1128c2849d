//! Manifests of sessions as real clusters had them.

use serde_json::json;

use super::*;
use crate::session::SessionSpec;
use crate::session::flinkdeployment::tests::{POOL, everything, read_again, resolved, template, texts};
use crate::session::flinkdeployment::{ENABLE_PLUGINS, of_spec};
use crate::session::spec::name_in;
use crate::session::spec::settings::Settings;

const RECORDED: [(&str, &str); 3] = [
    ("1.10", include_str!("../fixtures/flink-conf-1.10.yaml")),
    ("1.20", include_str!("../fixtures/config-1.20.yaml")),
    ("2.3", include_str!("../fixtures/config-2.3.yaml")),
];

fn live(version: &str, text: &str) -> Live {
    Live {
        name: "roc".to_owned(),
        namespace: "team-a".to_owned(),
        image: Some(format!("flink:{version}")),
        version: version.parse().ok(),
        config: flat(text),
        ..Live::default()
    }
}

/// The manifest with its settings called as the session's Flink calls them now.
fn in_names_of(spec: &SessionSpec, manifest: &Value) -> Value {
    let minor = spec.expected_dialect().minor;
    let mut manifest = manifest.clone();
    let settings = manifest["spec"]["flinkConfiguration"].as_object().cloned().expect("settings");
    let renamed: BTreeMap<_, _> = settings.iter().map(|(key, value)| (name_in(key, minor), value)).collect();
    manifest["spec"]["flinkConfiguration"] = json!(renamed);
    manifest
}

#[test]
fn a_session_that_runs_is_written_as_what_was_asked_for() {
    let mut told = Vec::new();
    for (version, text) in RECORDED {
        let (manifest, notes) = of_live(&live(version, text), OperatorVersion::default());
        assert_eq!(notes, [] as [String; 0]);
        let spec = resolved(read_again(&manifest).settings);
        assert_eq!(of_spec(&spec, "team-a"), in_names_of(&spec, &manifest), "Flink {version}");
        told.push(serde_json::to_string_pretty(&manifest).expect("json"));
    }
    insta::assert_snapshot!(told.join("\n"));
}

#[test]
fn what_flink_does_not_keep_comes_from_the_record() {
    let settings =
        Settings { restricted: Some(true), taskmanager_pod_template: template(POOL), ..everything() };
    let spec = resolved(settings);
    let record = of_spec(&spec, "team-a");
    let config = spec.flink_settings(spec.expected_dialect(), "team-a").expect("settings");
    // What the bootstrap adds, for it knows the version.
    let jars =
        flag_keys::env_keys(ENABLE_PLUGINS).map(|key| (key, "flink-s3-fs-hadoop-1.20.5.jar".to_owned()));
    let config = config.into_iter().chain(jars).collect();
    let made = Live { record: Some(record.clone()), config, ..live("1.20", "") };
    let (manifest, notes) = of_live(&made, OperatorVersion::default());
    assert_eq!(notes, [] as [String; 0]);
    assert_eq!(
        resolved(read_again(&manifest).settings).settings,
        resolved(read_again(&record).settings).settings
    );
}

#[test]
fn what_cannot_be_told_of_a_foreign_session_is_named() {
    let foreign = |config: BTreeMap<String, String>, taskmanager_template: Option<Value>| {
        let live = Live {
            config,
            taskmanager_template,
            service_account: Some("default".to_owned()),
            log_files: texts([("logback-console.xml", "<configuration/>")]),
            ..live("1.14.6", "")
        };
        of_live(&live, OperatorVersion::default())
    };
    let pod = json!({"spec": {"priorityClassName": "low"}});
    let (manifest, notes) = foreign(
        texts([
            ("kubernetes.pod-template-file", "/opt/t.yaml"),
            ("kubernetes.jobmanager.owner.reference", "uid:1"),
            ("kubernetes.taskmanager.service-account", "other"),
        ]),
        Some(pod.clone()),
    );
    assert_eq!(manifest["spec"]["taskManager"]["podTemplate"], pod);
    assert_eq!(manifest["spec"]["image"], "flink:1.14.6");
    assert_eq!(manifest["spec"]["serviceAccount"], "default");
    assert_eq!(
        manifest["spec"]["flinkConfiguration"],
        json!({
            "kubernetes.rest-service.exposed.type": "LoadBalancer",
            "kubernetes.taskmanager.service-account": "other",
        })
    );
    let (_, theirs) = foreign(texts([("kubernetes.pod-template-file.taskmanager", "/opt/t.yaml")]), None);
    insta::assert_snapshot!([notes, theirs].concat().join("\n"));
}

#[test]
fn both_forms_of_flinks_configuration_are_read_as_flink_reads_them() {
    let old = "# head\na.b: x: y\nquoted: \"z\"\nlate: 1 # said\nno colon\nempty: \n$internal.x: 1\n";
    assert_eq!(flat(old), texts([("a.b", "x: y"), ("quoted", "\"z\""), ("late", "1"), ("$internal.x", "1")]));
    let new =
        "a:\n  b: 'x: y # z'\n  c: 1.20\n  d: true\npipeline:\n  jars:\n  - a;b\n  - c\nnothing: null\n";
    assert_eq!(
        flat(new),
        texts([("a.b", "x: y # z"), ("a.c", "1.20"), ("a.d", "true"), ("pipeline.jars", "'a;b';c")])
    );
    for (_, text) in RECORDED {
        assert_eq!(flat(text).get("jobmanager.rpc.address").map(String::as_str), Some("roc.team-a"));
    }
}

#[test]
fn of_two_names_the_one_that_is_read_counts() {
    let config =
        texts([("kubernetes.container.image", "old:1"), ("kubernetes.container.image.ref", "new:1")]);
    let image = |version: &str| {
        let (manifest, _) =
            of_live(&Live { config: config.clone(), ..live(version, "") }, OperatorVersion::default());
        assert_eq!(
            manifest["spec"].get("flinkConfiguration").and_then(|c| c.get("kubernetes.container.image")),
            None
        );
        manifest["spec"]["image"].clone()
    };
    assert_eq!((image("1.16"), image("1.18")), (json!("old:1"), json!("new:1")));
}
