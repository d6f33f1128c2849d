//! Why the slots that a job waits for do not come.

use std::collections::BTreeMap;

use crate::app::rest;
use crate::cluster::Cluster;
use crate::cmd::reach::Reached;
use crate::diagnosis::rules::{configuration, taskmanager};
use crate::flink;
use crate::model::Finding;
use crate::model::evidence::{Evidence, Rest, SlotLimit};
use crate::model::job::JobException;
use crate::model::status::Job;

/// A job that waits for slots for so many seconds has a problem. A TaskManager is there in a few seconds, but one that
/// idles holds the room of a node for 30 s (`resourcemanager.taskmanager-timeout`, before 2.0
/// `slotmanager.taskmanager-timeout`), and a pod that waits for it needs patience and no fix.
pub const SECONDS: u64 = 30;

/// Reads what tells why slots do not come: the TaskManagers that do not run, the log of a JobManager that has none, and
/// the limit in its `settings`. Pods that are younger than `seconds` may just be starting. What cannot be read is left
/// out.
pub async fn observe(
    cluster: &Cluster,
    evidence: &mut Evidence,
    settings: Option<&BTreeMap<String, String>>,
    seconds: u64,
) {
    evidence.slot_limit = settings.and_then(limit);
    evidence.resource_limits = settings.map(resource_limits).unwrap_or_default();
    if let Err(error) = cluster.observe_waiting_taskmanagers(evidence).await {
        tracing::debug!(%error, "cannot read the TaskManagers");
    }
    let pods = std::mem::take(&mut evidence.waiting_taskmanagers);
    evidence.waiting_taskmanagers =
        pods.into_iter().filter(|pod| evidence.seconds_since(pod.created) >= seconds).collect();
}

/// What keeps slots from a job that has waited for `seconds`; nothing where only an address is known.
pub async fn findings(reached: &Reached, job: &Job, seconds: u64) -> Vec<Finding> {
    if job.waits(seconds) { why(reached, seconds).await } else { Vec::new() }
}

/// What keeps slots from the session's jobs now; see [`observe`].
pub async fn why(reached: &Reached, seconds: u64) -> Vec<Finding> {
    let Some(cluster) = &reached.cluster else { return Vec::new() };
    let Ok(found) = rest::find(cluster, &reached.name).await else { return Vec::new() };
    let mut evidence = found.evidence;
    let (overview, settings) =
        tokio::join!(flink::overview(&reached.rest), flink::configuration(&reached.rest));
    evidence.rest = overview.map_or(Rest::NotAsked, Rest::Up);
    observe(cluster, &mut evidence, settings.ok().as_ref(), seconds).await;
    // It has just answered: what else there is to say of it is not why slots are missing.
    let rules = [
        taskmanager::pod_stuck,
        taskmanager::pod_refused,
        taskmanager::slots_limited,
        taskmanager::resources_limited,
        configuration::value_unread,
    ];
    rules.iter().filter_map(|rule| rule(&evidence)).collect()
}

/// The limit that the settings name. Flink's own default is the largest number that there is.
fn limit(settings: &BTreeMap<String, String>) -> Option<SlotLimit> {
    let number = |key: &str| settings.get(key).and_then(|value| value.trim().parse::<u32>().ok());
    let max = number("slotmanager.number-of-slots.max")?;
    Some(SlotLimit { max, per_taskmanager: number("taskmanager.numberOfTaskSlots").unwrap_or(1) })
}

/// Settings that limit the CPU and the memory of all TaskManagers together, from 1.13 on.
fn resource_limits(settings: &BTreeMap<String, String>) -> Vec<(String, String)> {
    let limits = settings.iter().filter(|(key, _)| key.starts_with("slotmanager.max-total-resource."));
    limits.map(|(key, value)| (key.clone(), value.trim().to_owned())).collect()
}

/// True for a job that failed because Flink found no slots for it: with a limit that is reached, Flink waits no longer.
pub fn were_missing(exception: &JobException) -> bool {
    exception.stack.contains("NoResourceAvailableException")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_of_slots_is_that_of_the_settings() {
        let of = |settings: &[(&str, &str)]| {
            limit(&settings.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect())
        };
        assert_eq!(of(&[("taskmanager.numberOfTaskSlots", "2")]), None);
        assert_eq!(
            of(&[("slotmanager.number-of-slots.max", "4"), ("taskmanager.numberOfTaskSlots", "2")]),
            Some(SlotLimit { max: 4, per_taskmanager: 2 })
        );
        assert_eq!(
            of(&[("slotmanager.number-of-slots.max", "4")]),
            Some(SlotLimit { max: 4, per_taskmanager: 1 })
        );
    }
}
