//! Why the slots that a job waits for do not come.
//!
//! These rules see something only where somebody has looked for it: [`Evidence::waiting_taskmanagers`],
//! [`Evidence::jobmanager_log`] and [`Evidence::slot_limit`] are read while a job waits.

use crate::diagnosis::{remedies, rules, stack_trace};
use crate::model::Finding;
use crate::model::evidence::{Evidence, Rest, SlotLimit};
use crate::session::text::shell::quoted;

pub fn pod_stuck(evidence: &Evidence) -> Option<Finding> {
    let mut waiting = evidence.waiting_taskmanagers.iter().filter(|pod| !pod.deleting);
    waiting.find_map(|pod| rules::stuck_pod(pod, evidence, "TaskManager"))
}

/// The JobManager makes bare pods. One that is refused leaves no pod and no event, only a line in
/// the JobManager's log.
pub fn pod_refused(evidence: &Evidence) -> Option<Finding> {
    let log = last_refusal(evidence.jobmanager_log.as_deref()?)?;
    let said = stack_trace::deepest(log)?;
    Some(Finding {
        id: "taskmanager-pod-refused",
        summary: format!("the API server refuses the TaskManager pods of session {}", evidence.name),
        fix: remedies::for_cause(&said, evidence).unwrap_or_else(|| {
            format!("kubectl logs{} deployment/{}", evidence.scope, quoted(&evidence.name))
        }),
        evidence: Some(said),
        cannot_heal: false,
    })
}

/// The JobManager starts no TaskManager whose slots would be too many, and tells that in its log alone
/// (`SlotManagerOptions.MAX_SLOT_NUM`).
pub fn slots_limited(evidence: &Evidence) -> Option<Finding> {
    let SlotLimit { max, per_taskmanager } = evidence.slot_limit?;
    let Rest::Up(overview) = &evidence.rest else { return None };
    let (total, free) = (overview.slots_total, overview.slots_available);
    (total.saturating_add(per_taskmanager) > max).then(|| Finding {
        id: "slots-limited",
        summary: format!(
            "session {} may have no more slots: slotmanager.number-of-slots.max is {max}, and a TaskManager has {per_taskmanager}",
            evidence.name
        ),
        evidence: Some(format!("{free} of {total} slots are free")),
        fix: "create the session with a larger slotmanager.number-of-slots.max (-D), or cancel jobs that hold slots"
            .to_owned(),
        cannot_heal: false,
    })
}

/// The JobManager starts no TaskManager with which all of them would have more CPU or memory than they may
/// (`SlotManagerOptions.MAX_TOTAL_CPU`, `MAX_TOTAL_MEM`), and reports that in its log alone. A job fails then, or
/// restarts again and again.
pub fn resources_limited(evidence: &Evidence) -> Option<Finding> {
    const REACHED: &str = "Max total resource limitation <";
    let log = evidence.jobmanager_log.as_deref()?;
    let said = &log[log.rfind(REACHED)?..];
    // A TaskManager that came later had room.
    if said.contains(REGISTERED) {
        return None;
    }
    let said = said.lines().next()?.trim_end_matches('.');
    let limits: Vec<String> =
        evidence.resource_limits.iter().map(|(key, value)| format!("{key} is {value}")).collect();
    let limits = match limits.is_empty() {
        true => "slotmanager.max-total-resource.cpu or slotmanager.max-total-resource.memory is reached"
            .to_owned(),
        false => limits.join(", "),
    };
    Some(Finding {
        id: "resources-limited",
        summary: format!("session {} cannot have more TaskManagers: {limits}", evidence.name),
        evidence: Some(said.to_owned()),
        fix: "create the session with a larger slotmanager.max-total-resource (-D) or smaller TaskManagers \
              (--taskmanager-cpu, --taskmanager-memory), or cancel jobs that hold slots"
            .to_owned(),
        cannot_heal: false,
    })
}

/// A TaskManager has come (`ResourceManager.registerTaskExecutorInternal`).
const REGISTERED: &str = "Registering TaskManager with ResourceID";

/// The end of a JobManager's log from where it last could not make a pod (`KubernetesResourceManagerDriver`,
/// in 1.10 and 1.11 `KubernetesResourceManager`).
fn last_refusal(log: &str) -> Option<&str> {
    let refused = &log[log.rfind("Could not create pod")?..];
    // A TaskManager that came later had room.
    (!refused.contains(REGISTERED)).then_some(refused)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnosis::fixtures;
    use crate::model::evidence::Overview;

    #[test]
    fn a_quota_that_no_event_tells_of_is_read_in_the_log() {
        let log = "\
12:00 INFO  x - Requesting new worker\n\
12:01 WARN  o.a.f.k.KubernetesResourceManagerDriver [] - Could not create pod roc-taskmanager-1-3, exception: java.util.concurrent.CompletionException: x\n\
\tat a.B.c(B.java:1)\n\
Caused by: io.fabric8.kubernetes.client.KubernetesClientException: Failure executing: POST at: https://10.96.0.1:443/api/v1/namespaces/a/pods. Message: pods \"roc-taskmanager-1-3\" is forbidden: exceeded quota: team-a, requested: limits.cpu=1, used: limits.cpu=2, limited: limits.cpu=2. Received status: Status(code=403).\n\
\t... 3 more\n";
        let mut evidence = fixtures::created(fixtures::jobmanager());
        assert_eq!(pod_refused(&evidence), None);
        evidence.jobmanager_log = Some(log.to_owned());
        let finding = pod_refused(&evidence).expect("a finding");
        assert!(
            finding
                .evidence
                .expect("evidence")
                .starts_with("pods \"roc-taskmanager-1-3\" is forbidden: exceeded quota")
        );
        assert!(finding.fix.starts_with("kubectl describe quota"), "{}", finding.fix);
        assert_eq!(last_refusal("12:00 INFO  x - Requesting new worker"), None);
        let later =
            format!("{log}12:09 INFO  x - Registering TaskManager with ResourceID roc-taskmanager-1-4\n");
        assert_eq!(last_refusal(&later), None, "there was room since");
    }

    #[test]
    fn a_limit_of_resources_is_read_in_the_log_and_named_by_its_setting() {
        // Of 2.3.0.
        let log = "2026-12-01 04:29:00,152 INFO  org.apache.flink.runtime.resourcemanager.slotmanager.FineGrainedSlotManager [] - Could not allocate PendingTaskManager{id=e34c}. \
                   Max total resource limitation <Resource(CPU: 0.1), 8388608.000tb (9223372036854775807 bytes)> is reached.\n\
                   2026-12-01 04:29:00,159 WARN  x [] - Could not fulfill resource requirements of job 6f9c.\n";
        let mut evidence = fixtures::created(fixtures::jobmanager());
        assert_eq!(resources_limited(&evidence), None);
        evidence.jobmanager_log = Some(log.to_owned());
        let finding = resources_limited(&evidence).expect("a finding");
        assert!(
            finding.summary.ends_with("slotmanager.max-total-resource.memory is reached"),
            "{}",
            finding.summary
        );
        evidence.resource_limits = vec![("slotmanager.max-total-resource.cpu".to_owned(), "0.1".to_owned())];
        let finding = resources_limited(&evidence).expect("a finding");
        assert_eq!(
            finding.summary,
            "session roc cannot have more TaskManagers: slotmanager.max-total-resource.cpu is 0.1"
        );
        let said = "Max total resource limitation <Resource(CPU: 0.1), 8388608.000tb (9223372036854775807 bytes)> is reached";
        assert_eq!(finding.evidence.as_deref(), Some(said));
        evidence.jobmanager_log = Some(format!("{log}12:09 INFO  x - {REGISTERED} roc-taskmanager-1-4\n"));
        assert_eq!(resources_limited(&evidence), None, "one came since");
    }

    #[test]
    fn a_limit_of_slots_is_found_once_no_taskmanager_fits_below_it() {
        let mut evidence = fixtures::created(fixtures::jobmanager());
        evidence.rest = Rest::Up(Overview { slots_total: 4, ..Overview::default() });
        assert_eq!(slots_limited(&evidence), None);
        evidence.slot_limit = Some(SlotLimit { max: 6, per_taskmanager: 2 });
        assert_eq!(slots_limited(&evidence), None, "one more fits");
        evidence.slot_limit = Some(SlotLimit { max: 5, per_taskmanager: 2 });
        let finding = slots_limited(&evidence).expect("a finding");
        assert!(finding.summary.ends_with("slotmanager.number-of-slots.max is 5, and a TaskManager has 2"));
        assert_eq!(finding.evidence.as_deref(), Some("0 of 4 slots are free"));
    }
}
