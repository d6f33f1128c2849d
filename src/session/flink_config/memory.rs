//! Flink's memory model: whether it can divide a container's memory, and how large the container is.
//!
//! FLIP-49 (TaskManager, 1.10) and FLIP-116 (JobManager, 1.11), as `ProcessMemoryUtils`,
//! `JobManagerFlinkMemoryUtils` and `TaskExecutorFlinkMemoryUtils` compute it. Defaults are those of
//! `JobManagerOptions` and `TaskManagerOptions`.

use std::collections::BTreeMap;

use super::keys;

const MIB: u64 = 1 << 20;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    JobManager,
    TaskManager,
}

impl Role {
    fn name(self) -> &'static str {
        match self {
            Self::JobManager => "a JobManager",
            Self::TaskManager => "a TaskManager",
        }
    }

    fn prefix(self) -> &'static str {
        match self {
            Self::JobManager => "jobmanager.memory",
            Self::TaskManager => "taskmanager.memory",
        }
    }
}

/// The settings that count, by key; sizes as Flink reads them.
pub type Config = BTreeMap<String, String>;

/// What is not Flink's to divide: the JVM's own.
struct Jvm {
    metaspace: u64,
    least_overhead: u64,
    most_overhead: u64,
    fraction: f64,
}

impl Jvm {
    fn of(role: Role, config: &Config) -> Self {
        let get =
            |key: &str, default: u64| size(config, &format!("{}.{key}", role.prefix())).unwrap_or(default);
        Self {
            metaspace: get("jvm-metaspace.size", 256 * MIB),
            least_overhead: get("jvm-overhead.min", 192 * MIB),
            most_overhead: get("jvm-overhead.max", 1024 * MIB),
            fraction: fraction(config, &format!("{}.jvm-overhead.fraction", role.prefix())).unwrap_or(0.1),
        }
    }

    fn overhead_of_process(&self, process: u64) -> u64 {
        self.clamp(share(process, self.fraction))
    }

    fn overhead_over(&self, rest: u64) -> u64 {
        self.clamp(share(rest, self.fraction / (1.0 - self.fraction)))
    }

    fn clamp(&self, overhead: u64) -> u64 {
        overhead.max(self.least_overhead).min(self.most_overhead.max(self.least_overhead))
    }
}

/// The memory of the container in MiB, or why Flink will refuse to divide it. None when the settings
/// do not tell.
pub fn container(role: Role, config: &Config) -> Result<Option<u64>, String> {
    let key = |part: &str| format!("{}.{part}", role.prefix());
    let jvm = Jvm::of(role, config);
    let process = size(config, &key("process.size"));
    let needs = least_of_flink(role, config);
    let Some(process) = process else {
        let flink = match (size(config, &key("flink.size")), role) {
            (Some(flink), _) if flink < needs => {
                return Err(too_little(role, "flink.size", flink, needs, ""));
            }
            (Some(flink), _) => Some(flink),
            (None, Role::JobManager) => size(config, &key("heap.size")).map(|_| needs),
            (None, Role::TaskManager) => {
                let given = ["task.heap.size", "managed.size"].map(|part| size(config, &key(part)).is_some());
                (given == [true, true]).then_some(needs)
            }
        };
        let total = flink
            .map(|flink| flink.saturating_add(jvm.metaspace))
            .map(|rest| rest.saturating_add(jvm.overhead_over(rest)));
        return Ok(total.map(|total| total.div_ceil(MIB)));
    };
    let overhead = jvm.overhead_of_process(process);
    let of_jvm = jvm.metaspace.saturating_add(overhead);
    if process < of_jvm.saturating_add(needs) {
        let parts = format!(
            ": {} for JVM metaspace, {} for JVM overhead, the rest for Flink itself",
            mebibytes(jvm.metaspace),
            mebibytes(overhead)
        );
        return Err(too_little(role, "process.size", process, of_jvm.saturating_add(needs), &parts));
    }
    Ok(Some(process / MIB))
}

fn too_little(role: Role, key: &str, given: u64, needed: u64, parts: &str) -> String {
    format!(
        "{} is too little memory for {} ({}.{key}): Flink needs at least {}{parts}",
        mebibytes(given),
        role.name(),
        role.prefix(),
        mebibytes(needed),
    )
}

/// The bytes that Flink takes before anything is left for jobs: the fixed parts, and those that grow
/// with the whole at their least.
fn least_of_flink(role: Role, config: &Config) -> u64 {
    let get =
        |part: &str, default: u64| size(config, &format!("{}.{part}", role.prefix())).unwrap_or(default);
    match role {
        // The heap must not be empty.
        Role::JobManager => get("off-heap.size", 128 * MIB).saturating_add(get("heap.size", MIB)),
        Role::TaskManager => {
            let fixed = [
                get("framework.heap.size", 128 * MIB),
                get("framework.off-heap.size", 128 * MIB),
                get("task.off-heap.size", 0),
                get("task.heap.size", 0),
            ]
            .into_iter()
            .fold(0, u64::saturating_add);
            let share_of = |part: &str, default: f64| {
                fraction(config, &format!("{}.{part}", role.prefix())).unwrap_or(default)
            };
            let (managed, managed_share) = match size(config, "taskmanager.memory.managed.size") {
                Some(managed) => (managed, 0.0),
                None => (0, share_of("managed.fraction", 0.4)),
            };
            let fixed = fixed.saturating_add(managed) as f64;
            // Network memory is a share of the whole, between two bounds.
            let network_share = share_of("network.fraction", 0.1);
            let bounds = (get("network.min", 64 * MIB) as f64, get("network.max", u64::MAX) as f64);
            let whole =
                |network: f64, share: f64| (fixed + network) / (1.0 - managed_share - share).max(0.01);
            let by_share = whole(0.0, network_share);
            let needed = match by_share * network_share {
                network if network < bounds.0 => whole(bounds.0, 0.0),
                network if network > bounds.1 => whole(bounds.1, 0.0),
                _ => by_share,
            };
            needed as u64
        }
    }
}

fn share(whole: u64, fraction: f64) -> u64 {
    (whole as f64 * fraction) as u64
}

fn mebibytes(bytes: u64) -> String {
    format!("{}m", bytes.div_ceil(MIB))
}

fn size(config: &Config, key: &str) -> Option<u64> {
    bytes(config.get(key)?)
}

fn fraction(config: &Config, key: &str) -> Option<f64> {
    config.get(key)?.trim().parse().ok().filter(|fraction| (0.0..1.0).contains(fraction))
}

/// The bytes of a size in Flink's spelling (`MemorySize#parse`); none when it is none.
pub fn bytes(text: &str) -> Option<u64> {
    if keys::problem(&keys::Kind::Memory, text).is_some() {
        return None;
    }
    let text = text.trim();
    let split = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let factor = match text[split..].trim().to_ascii_lowercase().chars().next() {
        Some('k') => 1 << 10,
        Some('m') => MIB,
        Some('g') => 1 << 30,
        Some('t') => 1 << 40,
        _ => 1,
    };
    text[..split].parse::<u64>().ok()?.checked_mul(factor)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(pairs: &[(&str, &str)]) -> Config {
        pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
    }

    #[test]
    fn the_containers_are_as_large_as_flink_makes_them() {
        let jobmanager =
            |pairs: &[(&str, &str)]| container(Role::JobManager, &config(pairs)).expect("divides");
        assert_eq!(jobmanager(&[("jobmanager.memory.process.size", "1600m")]), Some(1600));
        // 1 GiB + 256 MiB metaspace, and a ninth of that is less than the least overhead of 192 MiB.
        assert_eq!(jobmanager(&[("jobmanager.memory.flink.size", "1g")]), Some(1024 + 256 + 192));
        assert_eq!(jobmanager(&[("jobmanager.memory.heap.size", "1g")]), Some(1024 + 128 + 256 + 192));
        assert_eq!(jobmanager(&[("jobmanager.heap.size", "1g")]), None);
        let taskmanager =
            |pairs: &[(&str, &str)]| container(Role::TaskManager, &config(pairs)).expect("divides");
        assert_eq!(taskmanager(&[("taskmanager.memory.process.size", "1728m")]), Some(1728));
        assert_eq!(taskmanager(&[("taskmanager.memory.task.heap.size", "1g")]), None);
        let of_flink = taskmanager(&[("taskmanager.memory.flink.size", "4g")]).expect("known");
        assert_eq!(of_flink, (4352.0_f64 / 0.9).ceil() as u64);
    }

    #[test]
    fn what_flink_will_not_divide_is_refused_with_the_least_that_it_takes() {
        let told = |role: Role, pairs: &[(&str, &str)]| container(role, &config(pairs)).expect_err("refused");
        insta::assert_snapshot!(
            [
                told(Role::JobManager, &[("jobmanager.memory.process.size", "100m")]),
                told(Role::JobManager, &[("jobmanager.memory.flink.size", "100m")]),
                told(
                    Role::JobManager,
                    &[("jobmanager.memory.process.size", "1g"), ("jobmanager.memory.heap.size", "1g")]
                ),
                told(Role::TaskManager, &[("taskmanager.memory.process.size", "500m")]),
                told(
                    Role::TaskManager,
                    &[("taskmanager.memory.process.size", "1g"), ("taskmanager.memory.managed.size", "1g")]
                ),
            ]
            .join("\n")
        );
        assert_eq!(
            container(Role::JobManager, &config(&[("jobmanager.memory.process.size", "577m")])),
            Ok(Some(577))
        );
    }
}
