//! The one place that knows which of Flink's configuration keys a flag stands for, version by version.
//!
//! Sources: `KubernetesConfigOptions`, `JobManagerOptions`, `TaskManagerOptions`,
//! `HighAvailabilityOptions` and `ResourceManagerOptions` of each release. The key set must follow the
//! version exactly: before 1.17 the new names are ignored without a word, and from 1.19 on a key that
//! is a dotted prefix of another (`kubernetes.container.image` and
//! `kubernetes.container.image.pull-policy`) corrupts the nested `config.yaml`.

use super::keys;
use crate::session::spec::version::{self, FlinkVersion};

/// `(major, minor)`.
pub type Minor = (u16, u16);

/// Every minor version with native Kubernetes sessions that is known here, oldest first.
pub const MINORS: [Minor; 15] = [
    (1, 10),
    (1, 11),
    (1, 12),
    (1, 13),
    (1, 14),
    (1, 15),
    (1, 16),
    (1, 17),
    (1, 18),
    (1, 19),
    (1, 20),
    (2, 0),
    (2, 1),
    (2, 2),
    (2, 3),
];

/// What one flag of `create` is in Flink's own words.
#[derive(Debug)]
pub struct Mapping {
    pub flag: &'static str,
    /// From each version on, oldest first. Before the first, Flink cannot do it.
    pub spellings: &'static [Spelling],
}

#[derive(Debug)]
pub struct Spelling {
    pub since: Minor,
    /// None where the plugin does it by other means than a key.
    pub keys: &'static [&'static str],
}

const fn since(major: u16, minor: u16, keys: &'static [&'static str]) -> Spelling {
    Spelling { since: (major, minor), keys }
}

const fn row(flag: &'static str, spellings: &'static [Spelling]) -> Mapping {
    Mapping { flag, spellings }
}

pub const CLUSTER_ID: &str = "kubernetes.cluster-id";
pub const NAMESPACE: &str = "kubernetes.namespace";
pub const ATTACHED: &str = "execution.attached";
pub const HA_STORAGE: &str = "high-availability.storageDir";

pub const TABLE: [Mapping; 27] = [
    row("NAME", &[since(1, 10, &[CLUSTER_ID])]),
    row("--namespace", &[since(1, 10, &[NAMESPACE])]),
    // FLINK-29372 (1.17): no key is a prefix of another any more.
    row(
        "--image",
        &[since(1, 10, &["kubernetes.container.image"]), since(1, 17, &["kubernetes.container.image.ref"])],
    ),
    row("--image-pull-policy", &[since(1, 10, &["kubernetes.container.image.pull-policy"])]),
    row("--image-pull-secret", &[since(1, 11, &["kubernetes.container.image.pull-secrets"])]),
    // FLINK-20664 (1.12): one ServiceAccount for both roles.
    row(
        "--service-account",
        &[
            since(1, 10, &["kubernetes.jobmanager.service-account"]),
            since(1, 12, &["kubernetes.service-account"]),
        ],
    ),
    // Before, TaskManagers have the account `default` of the namespace.
    row("--taskmanager-service-account", &[since(1, 12, &["kubernetes.taskmanager.service-account"])]),
    // Up to 1.14 the default is LoadBalancer: a session open to the world.
    row("--expose", &[since(1, 10, &["kubernetes.rest-service.exposed.type"])]),
    // In 1.10 the container's memory is the "heap" size, less a cut-off for the JVM itself.
    // FLIP-116 (1.11): one memory model for the JobManager too.
    row(
        "--jobmanager-memory",
        &[since(1, 10, &["jobmanager.heap.size"]), since(1, 11, &["jobmanager.memory.process.size"])],
    ),
    row(
        "--jobmanager-cpu",
        &[since(1, 10, &["kubernetes.jobmanager.cpu"]), since(1, 17, &["kubernetes.jobmanager.cpu.amount"])],
    ),
    row("--jobmanager-replicas", &[since(1, 14, &["kubernetes.jobmanager.replicas"])]),
    row("--taskmanager-memory", &[since(1, 10, &["taskmanager.memory.process.size"])]),
    row(
        "--taskmanager-cpu",
        &[
            since(1, 10, &["kubernetes.taskmanager.cpu"]),
            since(1, 17, &["kubernetes.taskmanager.cpu.amount"]),
        ],
    ),
    row("--slots", &[since(1, 10, &["taskmanager.numberOfTaskSlots"])]),
    row("--min-slots", &[since(1, 19, &["slotmanager.number-of-slots.min"])]),
    row("--keep-idle-taskmanagers", &[since(1, 10, &["resourcemanager.taskmanager-timeout"])]),
    // FLINK-12884 (1.12): high availability on Kubernetes alone.
    row(
        "--ha",
        &[
            since(1, 12, &["high-availability", HA_STORAGE]),
            since(1, 17, &["high-availability.type", HA_STORAGE]),
        ],
    ),
    // FLINK-15656 (1.13).
    row(
        "--pod-template",
        &[
            since(1, 13, &["kubernetes.pod-template-file"]),
            since(1, 17, &["kubernetes.pod-template-file.default"]),
        ],
    ),
    row("--jobmanager-pod-template", &[since(1, 13, &["kubernetes.pod-template-file.jobmanager"])]),
    row("--taskmanager-pod-template", &[since(1, 13, &["kubernetes.pod-template-file.taskmanager"])]),
    // In the pod templates.
    row("--restricted", &[since(1, 13, &[])]),
    row("--env", &[since(1, 10, &["containerized.master.env.NAME", "containerized.taskmanager.env.NAME"])]),
    row("--secret-env", &[since(1, 12, &["kubernetes.env.secretKeyRef"])]),
    row(
        "--node-selector",
        &[since(1, 11, &["kubernetes.jobmanager.node-selector", "kubernetes.taskmanager.node-selector"])],
    ),
    row(
        "--toleration",
        &[since(1, 11, &["kubernetes.jobmanager.tolerations", "kubernetes.taskmanager.tolerations"])],
    ),
    row("--label", &[since(1, 11, &["kubernetes.jobmanager.labels", "kubernetes.taskmanager.labels"])]),
    row(
        "--annotation",
        &[since(1, 11, &["kubernetes.jobmanager.annotations", "kubernetes.taskmanager.annotations"])],
    ),
];

/// Beside [`TABLE`]: `--plugin` is a variable of the image's entrypoint, which Flink before 1.12 does
/// not run (its JobManager starts through `kubernetes-entry.sh`).
pub const PLUGIN: Mapping = row(
    "--plugin",
    &[since(
        1,
        12,
        &[
            "containerized.master.env.ENABLE_BUILT_IN_PLUGINS",
            "containerized.taskmanager.env.ENABLE_BUILT_IN_PLUGINS",
        ],
    )],
);

/// What a version of Flink cannot do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{flag} needs Flink {}.{} or later", .needs.0, .needs.1)]
pub struct Unsupported {
    pub flag: &'static str,
    pub needs: Minor,
}

/// The configuration keys of one minor version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dialect {
    pub minor: Minor,
}

impl Dialect {
    /// The dialect of `version`; the newest for versions newer than all, none before 1.10.
    pub fn of(version: FlinkVersion) -> Option<Self> {
        let minor = (version.major, version.minor);
        MINORS.into_iter().rev().find(|known| *known <= minor).map(|minor| Self { minor })
    }

    pub fn all() -> impl Iterator<Item = Self> {
        MINORS.into_iter().map(|minor| Self { minor })
    }

    /// The keys that `flag` stands for, in the order of [`TABLE`].
    pub fn keys(self, flag: &str) -> Result<&'static [&'static str], Unsupported> {
        let Some(mapping) = TABLE.iter().chain([&PLUGIN]).find(|mapping| mapping.flag == flag) else {
            return Ok(&[]);
        };
        match mapping.spellings.iter().rev().find(|spelling| spelling.since <= self.minor) {
            Some(spelling) => Ok(spelling.keys),
            None => Err(Unsupported { flag: mapping.flag, needs: mapping.spellings[0].since }),
        }
    }

    /// True where the Service of the exposed type must be asked of Flink itself. Later versions list
    /// the cluster's nodes for it, a permission that a session should not have, so there the plugin
    /// changes the Service's type afterwards.
    pub fn exposes_by_itself(self) -> bool {
        self.minor < (1, 11)
    }

    /// The value that turns on high availability by Kubernetes. The short word came with 1.16; before,
    /// it is taken for the name of a class.
    pub fn kubernetes_ha(self) -> &'static str {
        match self.minor < (1, 16) {
            true => "org.apache.flink.kubernetes.highavailability.KubernetesHaServicesFactory",
            false => "kubernetes",
        }
    }

    /// FLINK-22006: up to 1.13 a JobManager with high availability holds a watch for each job, and the
    /// Kubernetes client allows 64 requests at once. Later versions share watches.
    pub fn watches_each_job(self) -> bool {
        self.minor < (1, 14)
    }

    /// From 1.19 on the client writes `config.yaml` with nested keys: of two keys of which one is a
    /// dotted prefix of the other, one is lost or the client fails.
    pub fn nests_keys(self) -> bool {
        self.minor >= (1, 19)
    }
}

/// Keys that set the memory of the same container, in any version.
const CONTAINERS: [(&str, &[&str]); 2] = [
    (
        "--jobmanager-memory",
        &["jobmanager.heap.size", "jobmanager.heap.mb", "jobmanager.memory.process.size"],
    ),
    (
        "--taskmanager-memory",
        &["taskmanager.heap.size", "taskmanager.heap.mb", "taskmanager.memory.process.size"],
    ),
];

/// Sets of keys from which Flink computes the memory of a container that nothing else sets.
pub fn sizes_instead_of(flag: &str) -> &'static [&'static [&'static str]] {
    match flag {
        "--jobmanager-memory" => &[&["jobmanager.memory.flink.size"], &["jobmanager.memory.heap.size"]],
        "--taskmanager-memory" => &[
            &["taskmanager.memory.flink.size"],
            &["taskmanager.memory.task.heap.size", "taskmanager.memory.managed.size"],
        ],
        _ => &[],
    }
}

/// How what a flag says comes together with what a key of the same thing says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Joined {
    /// One of them counts.
    Not,
    /// Entries of both, Flink's `key:value,key:value`.
    Map,
    /// Elements of both, Flink's `a;b`.
    List,
}

pub fn joined(flag: &str) -> Joined {
    match flag {
        "--label" | "--annotation" | "--node-selector" => Joined::Map,
        "--toleration" | "--secret-env" | "--image-pull-secret" => Joined::List,
        _ => Joined::Not,
    }
}

/// Keys that say the same thing as `key` in some version, itself included; none when there are no others.
pub fn synonyms(key: &str) -> Vec<&'static str> {
    if let Some((_, sizes)) = CONTAINERS.iter().find(|(_, sizes)| sizes.contains(&key)) {
        return sizes.to_vec();
    }
    // Of a flag with several keys, each says its own part.
    let of_flag = TABLE.iter().flat_map(|mapping| {
        let part =
            mapping.spellings.iter().find_map(|spelling| spelling.keys.iter().position(|own| *own == key));
        mapping.spellings.iter().filter_map(move |spelling| spelling.keys.get(part?))
    });
    of_flag.copied().chain(keys::names_of(key)).collect()
}

/// The flag that says the same thing as `key`, or a part of it.
pub fn flag_of(key: &str) -> Option<&'static str> {
    if let Some((flag, _)) = CONTAINERS.iter().find(|(_, sizes)| sizes.contains(&key)) {
        return Some(flag);
    }
    let of = |name: &str| {
        let says =
            |mapping: &&Mapping| mapping.spellings.iter().any(|spelling| spelling.keys.contains(&name));
        TABLE.iter().find(says).map(|mapping| mapping.flag)
    };
    // Some keys have older names still.
    of(key).or_else(|| keys::names_of(key).into_iter().find_map(of))
}

/// The keys with which both roles get the environment variable `name`.
pub fn env_keys(name: &str) -> [String; 2] {
    ["master", "taskmanager"].map(|role| format!("containerized.{role}.env.{name}"))
}

/// What decides `key`, for keys that `-D` may not set: the plugin must know their values.
pub fn owner_of(key: &str) -> Option<&'static str> {
    const FLAGS: [&str; 7] = [
        "NAME",
        "--namespace",
        "--expose",
        "--image",
        "--pod-template",
        "--jobmanager-pod-template",
        "--taskmanager-pod-template",
    ];
    match key {
        ATTACHED => Some("--wait"),
        "high-availability.cluster-id" => Some("NAME"),
        "kubernetes.service-account" | "kubernetes.jobmanager.service-account" => Some("--service-account"),
        "kubernetes.config.file" | "kubernetes.context" => {
            Some("the ServiceAccount of the pod that runs Flink's client")
        }
        "execution.target" | "kubernetes.internal.jobmanager.entrypoint.class" => Some("create"),
        _ if key.starts_with("$internal.") => Some("Flink itself"),
        _ => flag_of(key).filter(|flag| FLAGS.contains(flag)),
    }
}

/// How the versions of the table are called in documents: `1.12 to 1.16`, `1.17 and later`.
fn range(from: Minor, next: Option<Minor>) -> String {
    let last_before = next.and_then(|next| MINORS.into_iter().rev().find(|minor| *minor < next));
    match last_before {
        Some(last) if last == from => format!("{}.{}", from.0, from.1),
        Some(last) => format!("{}.{} to {}.{}", from.0, from.1, last.0, last.1),
        None if (from.0, from.1) == (version::OLDEST.major, version::OLDEST.minor) => "all".to_owned(),
        None => format!("{}.{} and later", from.0, from.1),
    }
}

/// The table of flags and keys, in Markdown.
pub fn markdown() -> String {
    let rows = TABLE.iter().chain([&PLUGIN]).flat_map(|mapping| {
        mapping.spellings.iter().enumerate().map(|(index, spelling)| {
            let next = mapping.spellings.get(index + 1).map(|spelling| spelling.since);
            let keys = match spelling.keys {
                [] => "(in the pod templates)".to_owned(),
                keys => keys.iter().map(|key| format!("`{key}`")).collect::<Vec<_>>().join("<br>"),
            };
            let flag = if index == 0 { format!("`{}`", mapping.flag) } else { String::new() };
            format!("| {flag} | {} | {keys} |\n", range(spelling.since, next))
        })
    });
    let head = "| flag | Flink | keys |\n| --- | --- | --- |\n".to_owned();
    rows.fold(head, |text, row| text + &row)
}

#[cfg(test)]
mod tests;
