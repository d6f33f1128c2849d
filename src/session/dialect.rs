//! The one place that knows Flink's configuration keys and which versions read them.
//!
//! Sources: `KubernetesConfigOptions`, `JobManagerOptions` and `TaskManagerOptions` of each release.
//! The key set must follow the version exactly: before 1.17 the new names are ignored without a
//! word, and from 1.19 on a key that is a dotted prefix of another (`kubernetes.container.image`
//! and `kubernetes.container.image.pull-policy`) corrupts the nested `config.yaml`.

use super::version::FlinkVersion;

/// The configuration keys of a range of Flink versions, from [`Dialect::since`] up to the next one.
#[derive(Debug, PartialEq, Eq)]
pub struct Dialect {
    /// First version of the range, `(major, minor)`.
    pub since: (u16, u16),
    pub image: &'static str,
    pub jobmanager_memory: &'static str,
    pub jobmanager_cpu: &'static str,
    pub taskmanager_cpu: &'static str,
    pub service_account: &'static str,
    /// True where the Service of the exposed type must be asked of Flink itself. Later versions
    /// list the cluster's nodes for it, a permission that a session should not have, so there the
    /// plugin changes the Service's type afterwards.
    pub exposes_by_itself: bool,
}

pub const CLUSTER_ID: &str = "kubernetes.cluster-id";
pub const NAMESPACE: &str = "kubernetes.namespace";
pub const EXPOSED_TYPE: &str = "kubernetes.rest-service.exposed.type";
pub const ATTACHED: &str = "execution.attached";
pub const TASKMANAGER_MEMORY: &str = "taskmanager.memory.process.size";
pub const TASK_SLOTS: &str = "taskmanager.numberOfTaskSlots";

/// Oldest first.
pub const DIALECTS: [Dialect; 4] = [
    Dialect {
        since: (1, 10),
        image: "kubernetes.container.image",
        // In 1.10 the container's memory is the "heap" size, less a cut-off for the JVM itself.
        jobmanager_memory: "jobmanager.heap.size",
        jobmanager_cpu: "kubernetes.jobmanager.cpu",
        taskmanager_cpu: "kubernetes.taskmanager.cpu",
        service_account: "kubernetes.jobmanager.service-account",
        exposes_by_itself: true,
    },
    // FLIP-116: one memory model for the JobManager too.
    Dialect {
        since: (1, 11),
        image: "kubernetes.container.image",
        jobmanager_memory: "jobmanager.memory.process.size",
        jobmanager_cpu: "kubernetes.jobmanager.cpu",
        taskmanager_cpu: "kubernetes.taskmanager.cpu",
        service_account: "kubernetes.jobmanager.service-account",
        exposes_by_itself: false,
    },
    // FLINK-20664: one ServiceAccount for both roles.
    Dialect {
        since: (1, 12),
        image: "kubernetes.container.image",
        jobmanager_memory: "jobmanager.memory.process.size",
        jobmanager_cpu: "kubernetes.jobmanager.cpu",
        taskmanager_cpu: "kubernetes.taskmanager.cpu",
        service_account: "kubernetes.service-account",
        exposes_by_itself: false,
    },
    // FLINK-29372: no key is a prefix of another any more.
    Dialect {
        since: (1, 17),
        image: "kubernetes.container.image.ref",
        jobmanager_memory: "jobmanager.memory.process.size",
        jobmanager_cpu: "kubernetes.jobmanager.cpu.amount",
        taskmanager_cpu: "kubernetes.taskmanager.cpu.amount",
        service_account: "kubernetes.service-account",
        exposes_by_itself: false,
    },
];

impl Dialect {
    /// The dialect of `version`; the newest for versions newer than all, none before 1.10.
    pub fn of(version: FlinkVersion) -> Option<&'static Dialect> {
        DIALECTS.iter().rev().find(|dialect| dialect.since <= (version.major, version.minor))
    }
}

/// Keys that say the same thing as one of the plugin's own settings, in any version. When the user
/// sets one of them with `-D`, the plugin's default for that setting is left out.
pub fn synonyms(key: &str) -> &'static [&'static str] {
    const GROUPS: [&[&str]; 5] = [
        &[
            "jobmanager.heap.size",
            "jobmanager.heap.mb",
            "jobmanager.memory.process.size",
            "jobmanager.memory.flink.size",
            "jobmanager.memory.heap.size",
        ],
        &[
            "taskmanager.memory.process.size",
            "taskmanager.memory.flink.size",
            "taskmanager.memory.task.heap.size",
        ],
        &["kubernetes.jobmanager.cpu", "kubernetes.jobmanager.cpu.amount"],
        &["kubernetes.taskmanager.cpu", "kubernetes.taskmanager.cpu.amount"],
        &["taskmanager.numberOfTaskSlots"],
    ];
    GROUPS.into_iter().find(|group| group.contains(&key)).unwrap_or_default()
}

/// The flag that owns `key`, for keys that `-D` may not set: the plugin must know their values.
pub fn owner_of(key: &str) -> Option<&'static str> {
    Some(match key {
        CLUSTER_ID => "NAME",
        NAMESPACE => "--namespace",
        EXPOSED_TYPE => "--expose",
        ATTACHED => "--wait",
        "kubernetes.container.image" | "kubernetes.container.image.ref" => "--image",
        "kubernetes.service-account"
        | "kubernetes.jobmanager.service-account"
        | "kubernetes.taskmanager.service-account" => "--service-account",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn since(version: &str) -> Option<(u16, u16)> {
        Dialect::of(version.parse().expect(version)).map(|dialect| dialect.since)
    }

    #[test]
    fn every_minor_version_has_its_dialect() {
        let expected = [
            ("1.9.3", None),
            ("1.10.3", Some((1, 10))),
            ("1.11.4", Some((1, 11))),
            ("1.12.5", Some((1, 12))),
            ("1.13.6", Some((1, 12))),
            ("1.14.6", Some((1, 12))),
            ("1.15.4", Some((1, 12))),
            ("1.16.3", Some((1, 12))),
            ("1.17.2", Some((1, 17))),
            ("1.18.1", Some((1, 17))),
            ("1.19.3", Some((1, 17))),
            ("1.20.5", Some((1, 17))),
            ("2.0.2", Some((1, 17))),
            ("2.1.3", Some((1, 17))),
            ("2.2.1", Some((1, 17))),
            ("2.3.0", Some((1, 17))),
            ("3.0", Some((1, 17))),
        ];
        for (version, dialect) in expected {
            assert_eq!(since(version), dialect, "{version}");
        }
    }

    #[test]
    fn no_key_of_a_dialect_is_a_dotted_prefix_of_another() {
        for dialect in &DIALECTS {
            let keys = [
                dialect.image,
                dialect.jobmanager_memory,
                dialect.jobmanager_cpu,
                dialect.taskmanager_cpu,
                dialect.service_account,
                CLUSTER_ID,
                NAMESPACE,
                EXPOSED_TYPE,
                TASKMANAGER_MEMORY,
                TASK_SLOTS,
            ];
            for (a, b) in keys.iter().flat_map(|a| keys.iter().map(move |b| (a, b))) {
                assert!(!b.starts_with(&format!("{a}.")), "{a} is a prefix of {b}");
            }
        }
    }

    #[test]
    fn every_key_that_has_a_default_has_synonyms() {
        for dialect in &DIALECTS {
            for key in [dialect.jobmanager_memory, dialect.jobmanager_cpu, dialect.taskmanager_cpu] {
                assert!(synonyms(key).contains(&key), "{key}");
            }
            assert!(owner_of(dialect.image).is_some());
            assert!(owner_of(dialect.service_account).is_some());
        }
    }
}
