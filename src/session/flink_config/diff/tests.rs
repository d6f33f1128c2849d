//! What counts as changed, by itself and in configurations of real sessions.

use super::*;
use crate::session::flinkdeployment::flat;

fn of(version: &str, settings: &[(&str, &str)]) -> Vec<Changed> {
    let config = settings.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    changed(&config, version.parse().ok())
}

fn is_changed(version: &str, key: &str, value: &str) -> bool {
    !of(version, &[(key, value)]).is_empty()
}

fn told(changed: &[Changed]) -> String {
    let line = |Changed { key, value, default }: &Changed| {
        format!("{key}: {value} (default: {})", default.as_deref().unwrap_or("none"))
    };
    changed.iter().map(line).collect::<Vec<_>>().join("\n")
}

#[test]
fn of_a_session_of_flink_1_10_what_was_asked_for_remains() {
    let text = include_str!("../../flinkdeployment/fixtures/flink-conf-1.10.yaml");
    insta::assert_snapshot!(told(&changed(&flat(text), "1.10.3".parse().ok())), @"
    jobmanager.heap.size: 1600m (default: 1024m)
    kubernetes.jobmanager.cpu: 0.4 (default: 1.0)
    kubernetes.jobmanager.service-account: flink (default: default)
    kubernetes.rest-service.exposed.type: ClusterIP (default: LoadBalancer)
    state.savepoints.dir: s3://b/sp (default: none)
    taskmanager.numberOfTaskSlots: 2 (default: 1)
    ");
}

#[test]
fn of_a_session_of_flink_1_20_what_was_asked_for_remains() {
    let text = include_str!("../../flinkdeployment/fixtures/config-1.20.yaml");
    insta::assert_snapshot!(told(&changed(&flat(text), "1.20.5".parse().ok())), @"
    kubernetes.jobmanager.cpu.amount: 0.4 (default: 1.0)
    kubernetes.service-account: flink (default: default)
    state.savepoints.dir: s3://b/sp (default: none)
    taskmanager.numberOfTaskSlots: 2 (default: 1)
    ");
}

#[test]
fn of_a_session_of_flink_2_3_what_was_asked_for_remains() {
    let text = include_str!("../../flinkdeployment/fixtures/config-2.3.yaml");
    insta::assert_snapshot!(told(&changed(&flat(text), "2.3.0".parse().ok())), @"
    containerized.master.env.A: 1 (default: none)
    jobmanager.memory.flink.size: 1g (default: none)
    kubernetes.jobmanager.cpu.amount: 0.3 (default: 1.0)
    kubernetes.jobmanager.labels: team:a,size:big (default: none)
    kubernetes.service-account: flink (default: default)
    metrics.x: a: b # c (default: none)
    pipeline.jars: a;b (default: none)
    ");
}

#[test]
fn a_value_counts_by_what_it_means() {
    for (version, key, same, other) in [
        ("2.3", "heartbeat.timeout", &["50 s", "50000", "50000 ms", "PT50S", " 50s "][..], "1 min"),
        ("2.3", "client.timeout", &["60s", "60000", "1min", "PT1M"], "2 min"),
        ("1.19", "heartbeat.timeout", &["50000", "+50000"], "50001"),
        ("1.12", "akka.ask.timeout", &["10 s", "10000ms"], "20 s"),
        ("2.3", "taskmanager.memory.framework.heap.size", &["128m", "134217728", "131072 KB"], "129m"),
        ("2.3", "pekko.framesize", &["10485760b", "10 mb"], "20mb"),
        ("2.3", "execution.checkpointing.unaligned.enabled", &["false", "FALSE"], "true"),
        ("2.3", "cluster.uncaught-exception-handling", &["LOG", "log"], "fail"),
        ("2.3", "high-availability.type", &["NONE", "none"], "kubernetes"),
        ("2.3", "kubernetes.jobmanager.cpu.amount", &["1", "1.0", "1d"], "1.5"),
        ("2.3", "metrics.scope.delimiter", &["."], "-"),
        (
            "2.3",
            "taskmanager.memory.managed.consumer-weights",
            &["PYTHON:30,STATE_BACKEND:70,OPERATOR:70", "OPERATOR:70,'PYTHON:30',STATE_BACKEND:70"],
            "OPERATOR:70",
        ),
        (
            "1.20",
            "security.module.factory.classes",
            &["org.apache.flink.runtime.security.modules.HadoopModuleFactory; \
             org.apache.flink.runtime.security.modules.JaasModuleFactory;\
             org.apache.flink.runtime.security.modules.ZookeeperModuleFactory"],
            "org.apache.flink.runtime.security.modules.JaasModuleFactory",
        ),
    ] {
        for value in same {
            assert!(!is_changed(version, key, value), "{key}: {value}");
        }
        assert!(is_changed(version, key, other), "{key}: {other}");
    }
}

#[test]
fn each_version_has_its_own_defaults() {
    let exposed = "kubernetes.rest-service.exposed.type";
    assert_eq!(
        told(&of("1.14", &[(exposed, "ClusterIP")])),
        format!("{exposed}: ClusterIP (default: LoadBalancer)")
    );
    assert!(!is_changed("1.15", exposed, "ClusterIP"));
    assert_eq!(of("1.9", &[(exposed, "NodePort")]), of("1.10", &[(exposed, "NodePort")]));
    let backend = [("state.backend.type", "hashmap")];
    assert_eq!(of("1.18", &backend)[0].default, None);
    assert_eq!(of("1.19", &backend), []);
    // One that nobody knows, and one to come, count as the newest.
    assert_eq!((of("", &backend), of("9.0", &backend)), (Vec::new(), Vec::new()));
}

#[test]
fn a_setting_under_another_name_is_compared_all_the_same() {
    for (version, key, value) in [
        ("2.3", "akka.ask.timeout", "10000 ms"),
        ("1.12", "pekko.ask.timeout", "10 s"),
        ("2.3", "high-availability", "NONE"),
        ("1.20", "kubernetes.taskmanager.cpu", "-1"),
        ("1.13", "state.backend.fs.memory-threshold", "20kb"),
    ] {
        assert!(!is_changed(version, key, value), "{key}");
    }
    let changed = of("2.3", &[("akka.ask.timeout", "1 min")]);
    assert_eq!(told(&changed), "akka.ask.timeout: 1 min (default: 10 s)");
}

#[test]
fn what_is_shipped_is_the_default_of_the_version_that_ships_it() {
    for (version, key, value) in [
        ("1.10", "jobmanager.heap.size", "1 GB"),
        ("1.11", "jobmanager.memory.process.size", "1638400 kb"),
        ("2.3", "taskmanager.memory.process.size", "1728 MB"),
        ("2.3", "env.java.opts.all", "--add-exports=a/b=ALL-UNNAMED --add-opens=c/d=ALL-UNNAMED"),
        ("2.3", "blob.server.port", "6124"),
    ] {
        assert!(!is_changed(version, key, value), "{key}: {value}");
    }
    // The class has `full`, and the file that is shipped says otherwise.
    assert!(is_changed("1.10", "jobmanager.execution.failover-strategy", "full"));
    let settings = [
        ("jobmanager.memory.process.size", "2g"),
        ("jobmanager.heap.size", "1024m"),
        ("blob.server.port", "6200"),
        ("env.java.opts.all", "--add-opens=c/d=ALL-UNNAMED -Xss2m -ea"),
    ];
    insta::assert_snapshot!(told(&of("1.20", &settings)), @"
    blob.server.port: 6200 (default: 6124)
    env.java.opts.all: -Xss2m -ea (default: none)
    jobmanager.heap.size: 1024m (default: none)
    jobmanager.memory.process.size: 2g (default: 1600m)
    ");
}

#[test]
fn what_makes_the_session_this_one_is_left_out() {
    let settings = [
        ("$internal.pipeline.job-id", "1"),
        ("execution.target", "kubernetes-session"),
        ("high-availability.cluster-id", "roc"),
        ("internal.cluster.execution-mode", "NORMAL"),
        ("jobmanager.bind-host", "0.0.0.0"),
        ("jobmanager.rpc.address", "roc.team-a"),
        ("kubernetes.cluster-id", "roc"),
        ("kubernetes.container.image", "mine:1"),
        ("kubernetes.container.image.ref", "mine:1"),
        ("kubernetes.internal.jobmanager.entrypoint.class", "X"),
        ("kubernetes.namespace", "team-a"),
        ("rest.address", "localhost"),
        ("web.tmpdir", "/tmp/flink-web-0af1"),
    ];
    assert_eq!(of("2.3", &settings), []);
    assert!(is_changed("2.3", "web.tmpdir", "/data"));
}

#[test]
fn the_value_of_a_secret_is_never_shown() {
    for key in ["containerized.master.env.AWS_SECRET_ACCESS_KEY", "security.ssl.internal.keystore-password"] {
        assert_eq!(of("2.3", &[(key, "x")])[0].value, HIDDEN, "{key}");
    }
}

#[test]
fn what_flink_does_not_know_is_listed_with_no_default() {
    let settings =
        [("s3.endpoint", "http://s3"), ("my.own", "1"), ("kubernetes.jobmanager.labels.team", "a")];
    let changed = of("2.3", &settings);
    assert!(changed.iter().all(|setting| setting.default.is_none()));
    let keys: Vec<_> = changed.iter().map(|setting| setting.key.as_str()).collect();
    assert_eq!(keys, ["kubernetes.jobmanager.labels.team", "my.own", "s3.endpoint"]);
    // Not of this version.
    assert_eq!(of("1.13", &[("kubernetes.jobmanager.replicas", "1")])[0].default, None);
}

#[test]
fn a_default_in_the_table_is_one_that_its_version_parses() {
    let table = include_str!("../keys.tsv").lines().filter(|line| !line.starts_with('#'));
    let names: Vec<_> = table.filter_map(|line| line.split('\t').next()).collect();
    for dialect in Dialect::all() {
        for name in &names {
            let Some(default) = keys::default_in(name, dialect.minor) else { continue };
            let negative = default.starts_with('-');
            let problem = keys::problem_in(name, dialect.minor, default).filter(|_| !negative);
            assert_eq!(problem, None, "{name} in {:?}", dialect.minor);
            if shipped_defaults::value_in(name, dialect).is_some() {
                continue;
            }
            let config = BTreeMap::from([((*name).to_owned(), default.to_owned())]);
            let (major, minor) = dialect.minor;
            assert_eq!(changed(&config, Some(FlinkVersion { major, minor, patch: None })), []);
        }
    }
}
