//! The table against what is known of each version.

use super::*;

const V1_10: Version = (1, 10);
const V1_16: Version = (1, 16);
const V1_17: Version = (1, 17);
const V2_3: Version = (2, 3);

#[test]
fn the_table_is_sorted_and_every_line_of_it_is_read() {
    let lines = include_str!("../keys.tsv").lines().filter(|line| !line.starts_with('#')).count();
    assert_eq!(KEYS.len(), lines);
    assert!(KEYS.is_sorted_by(|a, b| a.name < b.name));
}

#[test]
fn a_translation_leads_to_a_name_that_the_version_reads() {
    let versions = (10..=20).map(|minor| (1, minor)).chain((0..=3).map(|minor| (2, minor)));
    for (key, version) in versions.flat_map(|version| KEYS.iter().map(move |key| (key, version))) {
        if let Reading::Renamed(other) = reading(key.name, version) {
            assert_eq!(reading(other, version), Reading::AsIs, "{} in {version:?}", key.name);
            assert_eq!(kind_in(other, version), kind_in(key.name, version), "{} in {version:?}", key.name);
        }
    }
}

#[test]
fn a_setting_that_left_flink_does_not_come_back() {
    for key in KEYS.iter() {
        let gone = key.changes.iter().position(|change| matches!(change, Change::Gone { .. }));
        assert!(gone.is_none_or(|index| index > 0 && index + 1 == key.changes.len()), "{}", key.name);
    }
}

/// Old name, new name, the first version that reads the new one.
const RENAMED: [(&str, &str, Version); 16] = [
    ("akka.ask.timeout", "pekko.ask.timeout", (1, 18)),
    ("env.java.opts", "env.java.opts.all", V1_17),
    ("execution.checkpointing.unaligned", "execution.checkpointing.unaligned.enabled", V1_17),
    ("execution.savepoint.path", "execution.state-recovery.path", (1, 20)),
    ("high-availability", "high-availability.type", V1_17),
    ("kubernetes.container.image", "kubernetes.container.image.ref", V1_17),
    ("kubernetes.jobmanager.cpu", "kubernetes.jobmanager.cpu.amount", V1_17),
    ("kubernetes.taskmanager.cpu", "kubernetes.taskmanager.cpu.amount", V1_17),
    ("kubernetes.pod-template-file", "kubernetes.pod-template-file.default", V1_17),
    ("pipeline.operator-chaining", "pipeline.operator-chaining.enabled", (1, 18)),
    ("restart-strategy", "restart-strategy.type", V1_17),
    ("state.backend", "state.backend.type", V1_17),
    ("state.backend.incremental", "execution.checkpointing.incremental", (1, 20)),
    ("state.backend.local-recovery", "execution.state-recovery.from-local", (1, 20)),
    ("state.checkpoints.dir", "execution.checkpointing.dir", (1, 20)),
    ("state.savepoints.dir", "execution.checkpointing.savepoint-dir", (1, 20)),
];

#[test]
fn an_old_name_on_a_new_version_is_renamed() {
    for (old, new, since) in RENAMED {
        assert_eq!(reading(old, since), Reading::Renamed(new));
        assert_eq!(reading(old, V2_3), Reading::Renamed(new));
        assert_eq!(reading(new, since), Reading::AsIs, "{new}");
        assert_eq!(reading(new, V2_3), Reading::AsIs, "{new}");
    }
}

#[test]
fn a_new_name_on_an_old_version_is_renamed() {
    for (old, new, since) in RENAMED {
        let before = (since.0, since.1 - 1);
        assert_eq!(reading(old, before), Reading::AsIs, "{old}");
        assert_eq!(reading(new, before), Reading::Renamed(old));
    }
}

#[test]
fn a_setting_that_was_renamed_twice_is_followed() {
    let middle = "state.storage.fs.memory-threshold";
    assert_eq!(reading("state.backend.fs.memory-threshold", (1, 13)), Reading::Renamed(middle));
    let newest = "execution.checkpointing.data-inline-threshold";
    assert_eq!(reading("state.backend.fs.memory-threshold", V2_3), Reading::Renamed(newest));
    assert_eq!(reading(newest, (1, 12)), Reading::Renamed("state.backend.fs.memory-threshold"));
}

#[test]
fn a_setting_that_another_one_defaults_to_keeps_its_name() {
    for name in ["kubernetes.service-account", "jobmanager.rpc.address", "rest.port", "process.working-dir"] {
        assert_eq!(reading(name, V2_3), Reading::AsIs, "{name}");
    }
    assert_eq!(reading("kubernetes.service-account", (1, 13)), Reading::AsIs);
}

#[test]
fn an_old_name_of_two_settings_is_the_one_that_the_other_defaults_to() {
    // Both rest.port and rest.bind-port read web.port, and rest.bind-port is rest.port unless it is set.
    assert_eq!(reading("web.port", V2_3), Reading::Renamed("rest.port"));
}

#[test]
fn a_name_that_a_version_does_not_read_says_which_do() {
    let unread = |since, until| Reading::Unread { since, until };
    assert_eq!(reading("slotmanager.number-of-slots.min", (1, 18)), unread(Some((1, 19)), None));
    assert_eq!(reading("slotmanager.number-of-slots.min", (1, 19)), Reading::AsIs);
    assert_eq!(reading("kubernetes.jobmanager.replicas", (1, 13)), unread(Some((1, 14)), None));
    assert_eq!(reading("kubernetes.jobmanager.replicas", (1, 14)), Reading::AsIs);
    assert_eq!(reading("kubernetes.pod-template-file.default", (1, 12)), unread(Some((1, 13)), None));
    assert_eq!(reading("jobmanager.memory.process.size", V1_10), unread(Some((1, 11)), None));
    assert_eq!(reading("jobmanager.heap.size", V2_3), unread(None, Some((1, 20))));
    assert_eq!(reading("web.ssl.enabled", (2, 0)), unread(None, Some((1, 20))));
    assert_eq!(
        reading("taskmanager.network.max-num-tcp-connections", V1_10),
        unread(Some((1, 15)), Some((1, 20)))
    );
}

#[test]
fn a_version_beyond_the_table_counts_as_the_nearest_one() {
    assert_eq!(reading("state.backend", (3, 1)), Reading::Renamed("state.backend.type"));
    assert_eq!(reading("state.backend", (1, 9)), Reading::AsIs);
    assert_eq!(kind_in("slot.idle.timeout", (2, 9)), Some(&Kind::Duration));
}

#[test]
fn a_name_that_is_not_flinks_is_unknown() {
    assert!(known("my.own.key").is_none());
    assert_eq!(reading("my.own.key", V2_3), Reading::Unknown);
    assert_eq!(kind_in("my.own.key", V2_3), None);
    assert_eq!(problem_in("my.own.key", V2_3, "whatever"), None);
}

#[test]
fn the_plugins_own_keys_are_read_by_every_version() {
    let own = [
        "kubernetes.cluster-id",
        "kubernetes.namespace",
        "kubernetes.rest-service.exposed.type",
        "execution.attached",
        "high-availability.storageDir",
        "taskmanager.memory.process.size",
        "taskmanager.numberOfTaskSlots",
    ];
    for name in own {
        assert_eq!(reading(name, V1_10), Reading::AsIs, "{name}");
        assert_eq!(reading(name, V2_3), Reading::AsIs, "{name}");
    }
}

#[test]
fn a_key_that_no_option_declares_is_read_all_the_same() {
    // bin/config.sh and TaskManagerConfiguration read these before options of their names came.
    for name in ["env.pid.dir", "env.java.home", "taskmanager.log.path"] {
        assert_eq!(reading(name, V1_10), Reading::AsIs, "{name}");
    }
}

#[test]
fn a_time_was_milliseconds_before_it_was_a_duration() {
    let timeout = "resourcemanager.taskmanager-timeout";
    assert_eq!(kind_in(timeout, (1, 19)), Some(&Kind::Long));
    assert_eq!(kind_in(timeout, (1, 20)), Some(&Kind::Duration));
    assert!(problem_in(timeout, (1, 19), "30s").is_some());
    assert_eq!(problem_in(timeout, (1, 20), "30s"), None);
    for version in [(1, 19), (1, 20)] {
        assert_eq!(problem_in(timeout, version, "30000"), None);
    }
}

#[test]
fn a_value_is_checked_as_the_version_parses_it() {
    assert!(problem_in("execution.checkpointing.interval", (1, 20), "PT10S").is_some());
    assert_eq!(problem_in("execution.checkpointing.interval", V2_3, "PT10S"), None);
    assert!(problem_in("taskmanager.memory.process.size", V2_3, "2Gi").is_some());
    assert_eq!(problem_in("kubernetes.rest-service.exposed.type", V1_16, "nodeport"), None);
    assert_eq!(kind_in("kubernetes.jobmanager.labels", V2_3), Some(&Kind::Map));
    assert_eq!(kind_in("kubernetes.jobmanager.replicas", (1, 13)), None);
}

#[test]
fn a_setting_tells_all_its_names() {
    let mut names = names_of("high-availability");
    names.sort_unstable();
    assert_eq!(names, ["high-availability", "high-availability.type", "recovery.mode"]);
    assert!(names_of("kubernetes.cluster-id").is_empty());
    assert!(names_of("my.own.key").is_empty());
}

#[test]
fn a_mistyped_name_is_recognised() {
    for (typed, meant) in [
        ("taskmanager.numberOfTaskSlot", "taskmanager.numberOfTaskSlots"),
        ("taskmanager.number-of-task-slots", "taskmanager.numberOfTaskSlots"),
        ("Taskmanager.NumberOfTaskSlots", "taskmanager.numberOfTaskSlots"),
        ("jobmanager.memory.proces.size", "jobmanager.memory.process.size"),
        ("jobmanager.memory.porcess.size", "jobmanager.memory.process.size"),
        ("paralelism.default", "parallelism.default"),
        ("rest_port", "rest.port"),
        ("kubernetes.container.image.pull-polcy", "kubernetes.container.image.pull-policy"),
    ] {
        assert_eq!(did_you_mean(typed), Some(meant), "{typed}");
    }
}

#[test]
fn a_name_of_the_users_own_is_not_a_mistyped_one() {
    for name in [
        "my.own.key",
        "fs.s3a.endpoint",
        "metrics.reporter.prom.port",
        "containerized.master.env.FOO",
        "kubernetes.jobmanager.labels.team",
        "kubernetes.operator.periodic.savepoint.interval",
        "state.backend.x",
        "table.exec.my-own",
        "security.my-own",
        "rest.part2",
        "",
    ] {
        assert_eq!(did_you_mean(name), None, "{name}");
    }
}

#[test]
fn a_known_name_is_not_a_mistyped_one() {
    assert_eq!(did_you_mean("rest.port"), None);
    assert_eq!(did_you_mean("web.port"), None);
}

#[test]
fn every_version_has_its_own_default() {
    let timeout = "resourcemanager.taskmanager-timeout";
    assert_eq!(default_in(timeout, (1, 19)), Some("30000"));
    assert_eq!(default_in(timeout, (1, 20)), Some("30 s"));
    assert_eq!(default_in("env.pid.dir", (1, 12)), None);
    assert_eq!(default_in("env.pid.dir", (1, 13)), Some("/tmp"));
    assert_eq!(default_in(timeout, (1, 9)), Some("30000"));
    assert_eq!(default_in(timeout, (3, 0)), Some("30 s"));
}

#[test]
fn all_names_of_a_setting_have_its_default() {
    for version in [(1, 12), V2_3] {
        assert_eq!(default_in("akka.ask.timeout", version), Some("10 s"));
        assert_eq!(default_in("pekko.ask.timeout", version), Some("10 s"));
    }
    for key in KEYS.iter() {
        if let Reading::Renamed(other) = reading(key.name, V2_3) {
            assert_eq!(default_in(key.name, V2_3), default_in(other, V2_3), "{}", key.name);
        }
    }
}

#[test]
fn a_setting_without_a_default_or_in_a_version_without_it_has_none() {
    assert_eq!(default_in("jobmanager.memory.process.size", V2_3), None);
    assert_eq!(default_in("kubernetes.jobmanager.replicas", (1, 13)), None);
    assert_eq!(default_in("kubernetes.jobmanager.replicas", (1, 14)), Some("1"));
    assert_eq!(default_in("kubernetes.container.image.ref", V2_3), None);
    assert_eq!(default_in("my.own.key", V2_3), None);
}

#[test]
fn what_flink_hides_is_a_secret_and_the_name_of_a_secret_is_none() {
    for key in [
        "fs.azure.account.key.x.blob.core.windows.net",
        "high-availability.zookeeper.client.auth-params",
        "metrics.reporter.x.http-headers",
        "s3.secret-key",
        "security.kerberos.jaas.config",
        "AWS_SECRET_ACCESS_KEY",
    ] {
        assert!(is_secret(key), "{key}");
    }
    for key in [
        "kubernetes.secrets",
        "kubernetes.container.image.pull-secrets",
        "kubernetes.env.secretKeyRef",
        "rest.port",
    ] {
        assert!(!is_secret(key), "{key}");
    }
}
