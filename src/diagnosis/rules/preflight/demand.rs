//! What a session asks for, in the names that quotas have for it, and how amounts are said.

use crate::model::surroundings::Amounts;
use crate::session::SessionSpec;
use crate::session::spec::quantity;
use crate::session::spec::settings::Expose;
use crate::session::spec::{Demand, PodSize};

/// One thing that is asked for, and what decides how much.
pub struct Ask {
    pub what: &'static str,
    pub flags: &'static str,
    /// By the names that quotas have for it.
    pub amounts: Amounts,
}

/// What has to fit, in the order in which it comes: the bootstrap pod has ended when the first
/// TaskManager comes.
pub fn asks(spec: &SessionSpec, bootstrap: PodSize) -> Vec<Ask> {
    let Demand { jobmanager, jobmanagers, taskmanager } = spec.demand();
    let jobmanager = times(pod(jobmanager), jobmanagers.into());
    let both = sum(jobmanager.clone(), &pod(taskmanager));
    let (what, whole) = match jobmanagers {
        1 => ("the JobManager asks for", "JobManager and one TaskManager ask for"),
        _ => ("the JobManagers ask for", "JobManagers and one TaskManager ask for"),
    };
    vec![
        Ask { what: "the bootstrap pod asks for", flags: "", amounts: pod(bootstrap) },
        Ask { what, flags: "--jobmanager-cpu, --jobmanager-memory", amounts: jobmanager },
        Ask {
            what: "one TaskManager asks for",
            flags: "--taskmanager-cpu, --taskmanager-memory, --slots",
            amounts: pod(taskmanager),
        },
        Ask {
            what: whole,
            flags: "--jobmanager-cpu, --jobmanager-memory, --taskmanager-cpu, --taskmanager-memory",
            amounts: both,
        },
        Ask { what: "a session makes", flags: "", amounts: objects(spec) },
    ]
}

pub fn pod(size: PodSize) -> Amounts {
    let bytes = |mebibytes: u64| i128::from(mebibytes) * 1024 * 1024 * 1000;
    let mut amounts: Amounts = [
        ("cpu", size.cpu_request.into()),
        ("requests.cpu", size.cpu_request.into()),
        ("limits.cpu", size.cpu_limit.into()),
        ("pods", 1000),
        ("count/pods", 1000),
    ]
    .map(|(name, amount)| (name.to_owned(), amount))
    .into();
    for name in ["memory", "requests.memory"] {
        amounts.extend(size.memory_request.map(|memory| (name.to_owned(), bytes(memory))));
    }
    amounts.extend(size.memory_limit.map(|memory| ("limits.memory".to_owned(), bytes(memory))));
    amounts
}

/// The objects that a session is made of, besides pods.
fn objects(spec: &SessionSpec) -> Amounts {
    let services = if spec.has_high_availability() { 1000 } else { 2000 };
    let mut amounts: Amounts = [
        ("services", services),
        ("count/services", services),
        ("configmaps", 1000),
        ("count/configmaps", 1000),
        ("count/deployments.apps", 1000),
        ("count/jobs.batch", 1000),
    ]
    .map(|(name, amount)| (name.to_owned(), amount))
    .into();
    if spec.expose == Expose::LoadBalancer {
        amounts.insert("services.loadbalancers".to_owned(), 1000);
    }
    if spec.expose != Expose::ClusterIp {
        amounts.insert("services.nodeports".to_owned(), 1000);
    }
    amounts
}

fn times(mut amounts: Amounts, count: i128) -> Amounts {
    amounts.values_mut().for_each(|amount| *amount = amount.saturating_mul(count));
    amounts
}

fn sum(mut amounts: Amounts, more: &Amounts) -> Amounts {
    for (name, amount) in more {
        let of = amounts.entry(name.clone()).or_default();
        *of = of.saturating_add(*amount);
    }
    amounts
}

/// An amount with its unit, as people say it: `2 CPU`, `1600 MiB`, `3 pods`.
pub fn amount(resource: &str, thousandths: i128) -> String {
    let unit = match resource {
        name if name.ends_with("cpu") => " CPU".to_owned(),
        name if name.ends_with("memory") => String::new(),
        "pods" | "count/pods" if thousandths == 1000 => " pod".to_owned(),
        name => format!(" {}", name.trim_start_matches("count/")),
    };
    format!("{}{unit}", plain(resource, thousandths))
}

pub fn plain(resource: &str, thousandths: i128) -> String {
    if resource.ends_with("memory") {
        let mebibytes = thousandths / 1000 / (1 << 20);
        return format!("{mebibytes} MiB");
    }
    let millicores = u64::try_from(thousandths.max(0)).unwrap_or(u64::MAX);
    quantity::decimal(millicores)
}
