//! The settings in the words of every version, and what is refused.

use super::*;
use crate::session::spec::settings::SecretKey;

/// A session as `create roc` makes it.
pub(crate) fn spec() -> SessionSpec {
    with(Settings::default())
}

/// A session with some settings said by flags.
pub(crate) fn with(settings: Settings) -> SessionSpec {
    asked(settings).expect("settings")
}

fn asked(settings: Settings) -> Result<SessionSpec, InvalidSpec> {
    let layer = Layer { source: Source::Flags, settings, ..Layer::default() };
    SessionSpec::resolve("roc".parse().expect("name"), vec![layer], true)
}

fn map(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
}

/// With everything that has a flag, and an image that tells nothing.
fn full() -> Settings {
    Settings {
        image: Some("mine".to_owned()),
        jobmanager_memory: "2g".parse().ok(),
        jobmanager_cpu: "500m".parse().ok(),
        jobmanager_replicas: Some(2),
        taskmanager_memory: "1024m".parse().ok(),
        taskmanager_cpu: "1".parse().ok(),
        slots: Some(2),
        min_slots: Some(4),
        keep_idle_taskmanagers: "1h".parse().ok(),
        service_account: Some("robot".to_owned()),
        expose: Some(Expose::LoadBalancer),
        ha: Some("s3://b/ha".to_owned()),
        pod_template: PodTemplate::parse("spec: {volumes: []}").ok(),
        restricted: Some(true),
        env: map(&[("A", "1")]),
        secret_env: [("S".to_owned(), SecretKey { secret: "s3".to_owned(), key: "k".to_owned() })].into(),
        image_pull_policy: Some(crate::session::spec::settings::PullPolicy::Always),
        image_pull_secrets: vec!["one".to_owned(), "two".to_owned()],
        node_selector: map(&[("pool", "flink"), ("zone", "a")]),
        tolerations: vec!["spot".parse().expect("taint"), "a=b:NoSchedule".parse().expect("taint")],
        labels: map(&[("team", "a")]),
        annotations: map(&[("note", "x,y: it's")]),
        plugins: vec!["s3-fs-presto".to_owned()],
        config: map(&[("state.savepoints.dir", "s3://b/x=y"), ("state.backend", "rocksdb")]),
        ..Settings::default()
    }
}

#[test]
fn settings_of_every_version() {
    let mut last = String::new();
    let mut text = String::new();
    for dialect in Dialect::all() {
        // What a version cannot do is left out, and named.
        let mut settings = full();
        let mut refused = Vec::new();
        let lines = loop {
            match with(settings.clone()).flink_settings(dialect, "team-a") {
                Ok(all) => break all.iter().map(|(k, v)| format!("  {k}={v}\n")).collect::<String>(),
                Err(unsupported) => {
                    refused.push(format!("  ({unsupported})\n"));
                    settings = without(settings, unsupported.flag);
                }
            }
        };
        let now = refused.concat() + &lines;
        let (major, minor) = dialect.minor;
        text += &match now == last {
            true => format!("{major}.{minor}: the same\n"),
            false => format!("{major}.{minor}\n{now}"),
        };
        last = now;
    }
    insta::assert_snapshot!(text);
}

fn without(mut settings: Settings, flag: &str) -> Settings {
    match flag {
        "--ha" => (settings.ha, settings.jobmanager_replicas) = (None, None),
        "--jobmanager-replicas" => settings.jobmanager_replicas = None,
        "--min-slots" => settings.min_slots = None,
        "--pod-template" => settings.pod_template = None,
        "--restricted" => settings.restricted = None,
        "--secret-env" => settings.secret_env.clear(),
        "--image-pull-secret" => settings.image_pull_secrets.clear(),
        "--node-selector" => settings.node_selector.clear(),
        "--toleration" => settings.tolerations.clear(),
        "--label" => settings.labels.clear(),
        "--annotation" => settings.annotations.clear(),
        "--plugin" => settings.plugins.clear(),
        other => panic!("{other}"),
    }
    settings
}

#[test]
fn a_setting_of_the_users_replaces_the_default_by_any_of_its_names() {
    let ours =
        with(Settings { config: map(&[("jobmanager.memory.flink.size", "1g")]), ..Settings::default() });
    let settings = ours.flink_settings(ours.expected_dialect(), "team-a").expect("settings");
    assert_eq!(settings.get("jobmanager.memory.process.size"), None);
    assert_eq!(settings["jobmanager.memory.flink.size"], "1g");
    assert_eq!(settings["taskmanager.memory.process.size"], "1728m");
}

#[test]
fn names_are_those_of_the_version() {
    let named = |image: &str, key: &str| {
        let settings =
            Settings { image: Some(image.to_owned()), config: map(&[(key, "1")]), ..Settings::default() };
        let spec = SessionSpec::resolve(
            "roc".parse().expect("name"),
            vec![Layer { source: Source::Flags, settings, ..Layer::default() }],
            true,
        )
        .expect("settings");
        let settings = spec.flink_settings(spec.expected_dialect(), "").expect("settings");
        settings.into_iter().filter(|(_, value)| value == "1").map(|(key, _)| key).collect::<Vec<_>>()
    };
    assert_eq!(named("flink:1.16.3", "kubernetes.jobmanager.cpu.amount"), ["kubernetes.jobmanager.cpu"]);
    assert_eq!(named("flink:2.3.0", "kubernetes.jobmanager.cpu"), ["kubernetes.jobmanager.cpu.amount"]);
    assert_eq!(named("flink:1.10.3", "my.own.key"), ["my.own.key"]);
}

#[test]
fn what_cannot_be_right_is_refused() {
    let refused = |settings: Settings| {
        let error = asked(settings).expect_err("refused");
        format!("{error}\n  {}", error.hint())
    };
    let d = |pairs: &[(&str, &str)]| Settings { config: map(pairs), ..Settings::default() };
    let of = |image: &str, settings: Settings| Settings { image: Some(image.to_owned()), ..settings };
    let ha = |directory: &str| Settings { ha: Some(directory.to_owned()), ..Settings::default() };
    let cases = [
        of("flink:1.9.3", d(&[])),
        Settings { flink_version: "1.8".parse().ok(), ..of("mine", d(&[])) },
        Settings { flink_version: "1.20".parse().ok(), ..of("flink:2.3.0", d(&[])) },
        of("a b", d(&[])),
        Settings { service_account: Some("a/b".to_owned()), ..d(&[]) },
        d(&[("kubernetes.cluster-id", "x")]),
        d(&[("kubernetes.container.image", "x")]),
        d(&[("kubernetes.pod-template-file", "x")]),
        d(&[("execution.target", "local")]),
        Settings { slots: Some(2), ..d(&[("taskmanager.numberOfTaskSlots", "4")]) },
        Settings { labels: map(&[("app", "x")]), ..d(&[]) },
        Settings { labels: map(&[("a b", "x")]), ..d(&[]) },
        Settings { labels: map(&[("a", "x y")]), ..d(&[]) },
        Settings { env: map(&[("A-B", "x")]), ..d(&[]) },
        Settings { plugins: vec!["../x".to_owned()], ..d(&[]) },
        Settings { image_pull_secrets: vec!["A".to_owned()], ..d(&[]) },
        Settings { jobmanager_replicas: Some(2), ..d(&[]) },
        ha("/ha"),
        ha("file:///ha"),
        ha("s3://b/ha"),
        Settings { plugins: vec!["gs-fs-hadoop".to_owned()], ..ha("s3://b/ha") },
        d(&[("high-availability.type", "kubernetes")]),
        d(&[("high-availability.type", "kubernetes"), ("high-availability.storageDir", "/tmp/ha")]),
        d(&[("kubernetes.jobmanager.replicas", "2")]),
        of("flink:1.11.4", ha("hdfs:///ha")),
        of("flink:1.12.5", Settings { restricted: Some(true), ..d(&[]) }),
        of("flink:1.18", Settings { min_slots: Some(3), ..d(&[]) }),
        d(&[
            ("high-availability.storageDir", "x"),
            ("high-availability", "zookeeper"),
            ("high-availability.type", "x"),
        ]),
        d(&[("kubernetes.jobmanager", "x"), ("kubernetes.jobmanager.annotations", "x:y")]),
        d(&[("taskmanager.numberOfTaskSlot", "2")]),
        d(&[("taskmanager.numberOfTaskSlots", "two")]),
        d(&[("jobmanager.memory.process.size", "1Gi")]),
        of("flink:1.20", d(&[("resourcemanager.taskmanager-timeout", "1 hours 3")])),
        of("flink:1.18", d(&[("resourcemanager.taskmanager-timeout", "1 h")])),
        of("flink:1.18", d(&[("slotmanager.number-of-slots.min", "1")])),
        d(&[("jobmanager.memory.process.size", "100m")]),
        Settings { taskmanager_memory: "400m".parse().ok(), ..d(&[]) },
    ];
    insta::assert_snapshot!(cases.map(refused).join("\n"));
}

#[test]
fn what_is_probably_not_meant_is_said() {
    let template = "spec: {restartPolicy: Always, containers: [{name: main, image: x}]}";
    let odd = with(Settings {
        pod_template: PodTemplate::parse(template).ok(),
        env: map(&[("AWS_SECRET_ACCESS_KEY", "x")]),
        config: map(&[("s3.secret-key", "x"), ("env.java.opts.all", "-Da=b")]),
        ..Settings::default()
    });
    insta::assert_snapshot!(odd.warnings().join("\n"));
    assert_eq!(spec().warnings(), Vec::<String>::new());
}

#[test]
fn a_directory_on_a_lasting_volume_may_hold_the_state() {
    let template = "spec: {volumes: [{name: v, persistentVolumeClaim: {claimName: c}}], containers: [{name: flink-main-container, volumeMounts: [{name: v, mountPath: /state}]}]}";
    let on = |directory: &str, template: &str| {
        asked(Settings {
            ha: Some(directory.to_owned()),
            pod_template: PodTemplate::parse(template).ok(),
            ..Settings::default()
        })
    };
    assert!(on("file:///state/ha", template).is_ok());
    assert!(on("file:///elsewhere", template).is_err());
    assert!(
        asked(Settings {
            ha: Some("/state".to_owned()),
            ha_dir_is_shared: Some(true),
            ..Settings::default()
        })
        .is_ok()
    );
}

#[test]
fn the_demand_is_what_flink_asks_kubernetes_for() {
    let sized = with(Settings {
        jobmanager_cpu: "0.5".parse().ok(),
        jobmanager_replicas: Some(2),
        ha: Some("hdfs:///ha".to_owned()),
        slots: Some(4),
        taskmanager_memory: "4g".parse().ok(),
        config: map(&[("kubernetes.taskmanager.cpu.limit-factor", "1.5")]),
        ..Settings::default()
    });
    let size = |cpu_request, cpu_limit, memory| PodSize {
        cpu_request,
        cpu_limit,
        memory_request: Some(memory),
        memory_limit: Some(memory),
    };
    assert_eq!(
        sized.demand(),
        Demand { jobmanager: size(500, 500, 1600), jobmanagers: 2, taskmanager: size(4000, 6000, 4096) }
    );
    let of_1_10 = with(Settings { image: Some("flink:1.10.3".to_owned()), ..Settings::default() });
    assert_eq!(of_1_10.demand().jobmanager, size(1000, 1000, 1600));
}

#[test]
fn a_setting_is_key_equals_value() {
    assert_eq!(parse_setting("a=b=c"), Ok(("a".to_owned(), "b=c".to_owned())));
    assert_eq!(parse_setting("a="), Ok(("a".to_owned(), String::new())));
    for wrong in ["", "a", "=b", "a b=c", " =x"] {
        assert!(parse_setting(wrong).is_err(), "{wrong}");
    }
}

/// What Flink 2.3 is told when a config file says `low` and the flags say `high`.
fn over(low: Settings, high: Settings) -> BTreeMap<String, String> {
    let layers = vec![
        Layer { source: Source::Defaults, settings: low, ..Layer::default() },
        Layer { source: Source::Flags, settings: high, ..Layer::default() },
    ];
    let spec = SessionSpec::resolve("roc".parse().expect("name"), layers, true).expect("settings");
    spec.flink_settings(spec.expected_dialect(), "team-a").expect("settings")
}

#[test]
fn a_part_that_is_said_otherwise_leaves_the_other_parts() {
    let s3 = |directory: &str| Settings {
        ha: Some(directory.to_owned()),
        plugins: vec!["s3-fs-presto".to_owned()],
        ..Settings::default()
    };
    let config = |pairs: &[(&str, &str)]| Settings { config: map(pairs), ..Settings::default() };
    let ha = over(s3("s3://b/ha"), config(&[("high-availability.storageDir", "s3://c/ha")]));
    assert_eq!(ha["high-availability.type"], "kubernetes");
    assert_eq!(ha["high-availability.storageDir"], "s3://c/ha");

    let labels = |pairs: &[(&str, &str)]| Settings { labels: map(pairs), ..Settings::default() };
    let one_role =
        over(labels(&[("team", "a")]), config(&[("kubernetes.taskmanager.labels", "gpu:yes,team:b")]));
    assert_eq!(one_role["kubernetes.jobmanager.labels"], "team:a");
    assert_eq!(one_role["kubernetes.taskmanager.labels"], "gpu:yes,team:b");
    let typed_over =
        over(config(&[("kubernetes.taskmanager.labels", "gpu:yes,team:b")]), labels(&[("team", "a")]));
    assert_eq!(typed_over["kubernetes.taskmanager.labels"], "gpu:yes,team:a");
}

#[test]
fn variables_of_a_lower_layer_give_way_whatever_they_are_called() {
    let env = |pairs: &[(&str, &str)]| Settings { env: map(pairs), ..Settings::default() };
    let lower = Settings { config: map(&[("containerized.master.env.A", "1")]), ..Settings::default() };
    let both = over(lower, env(&[("A", "2")]));
    assert_eq!(both["containerized.master.env.A"], "2");
    assert_eq!(both["containerized.taskmanager.env.A"], "2");
    let secret = Settings {
        secret_env: [("A".to_owned(), "s:k".parse().expect("key"))].into(),
        ..Settings::default()
    };
    let hidden = over(env(&[("A", "1")]), secret);
    assert_eq!(hidden.get("containerized.master.env.A"), None);
    assert_eq!(hidden["kubernetes.env.secretKeyRef"], "env:A,secret:s,key:k");
    let kept = Settings { keep_idle_taskmanagers: "1h".parse().ok(), ..Settings::default() };
    let old_name =
        Settings { config: map(&[("slotmanager.taskmanager-timeout", "60000")]), ..Settings::default() };
    assert_eq!(over(old_name, kept)["resourcemanager.taskmanager-timeout"], "3600000");
}

#[test]
fn sizes_that_flink_tells_apart_stay_side_by_side() {
    let config = |pairs: &[(&str, &str)]| Settings { config: map(pairs), ..Settings::default() };
    let settings = over(
        Settings::default(),
        config(&[("taskmanager.memory.process.size", "4g"), ("taskmanager.memory.task.heap.size", "1g")]),
    );
    assert_eq!(settings["taskmanager.memory.process.size"], "4g");
    assert_eq!(settings["taskmanager.memory.task.heap.size"], "1g");
    let typed = Settings { taskmanager_memory: "4g".parse().ok(), ..Settings::default() };
    let settings = over(config(&[("taskmanager.memory.task.heap.size", "1g")]), typed);
    assert_eq!(settings["taskmanager.memory.process.size"], "4096m");
    assert_eq!(settings["taskmanager.memory.task.heap.size"], "1g");
}

#[test]
fn a_version_that_is_asked_for_keeps_the_images_name() {
    let low = |image: &str| Settings { image: Some(image.to_owned()), ..Settings::default() };
    let asked = || Settings { flink_version: "1.20".parse().ok(), ..Settings::default() };
    let image = |image: &str| over(low(image), asked())["kubernetes.container.image.ref"].clone();
    assert_eq!(image("mirror.example:5000/flink:2.3.0"), "mirror.example:5000/flink:1.20");
    assert_eq!(image("flink:1.20.5-java17"), "flink:1.20.5-java17");
    // What it holds is the bootstrap's to see.
    assert_eq!(image("team/app:7"), "team/app:7");
}
