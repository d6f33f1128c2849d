//! Rules for JobManagers that run: several at once, one that is not the session's, one that has restarted.

use crate::model::Finding;
use crate::model::evidence::{Evidence, Pod, Rest};

use crate::diagnosis::stack_trace;
use crate::session::text::shell::quoted;

/// A JobManager that takes the place of another is ready within this time, image pull included.
const ROLLOUT_SECONDS: u64 = 60;

/// A restart is a problem for this long: what it has ended is not told anywhere else.
const RECENT_SECONDS: u64 = 10 * 60;

/// Several JobManagers without high availability: each accepts jobs that the others do not know of.
pub fn independent(evidence: &Evidence) -> Option<Finding> {
    if evidence.high_availability != Some(false) {
        return None;
    }
    let replicas = evidence.deployment.as_ref().map_or(0, |deployment| deployment.replicas);
    let ready: Vec<&Pod> = evidence.jobmanagers.iter().filter(|pod| pod.ready && !pod.deleting).collect();
    // For a moment of each rollout there are two.
    let has_lasted =
        ready.iter().filter(|pod| evidence.seconds_since(pod.created) >= ROLLOUT_SECONDS).count();
    if replicas < 2 && has_lasted < 2 {
        return None;
    }
    let Evidence { name, scope, .. } = evidence;
    let name = quoted(name);
    let names: Vec<&str> = ready.iter().map(|pod| pod.name.as_str()).collect();
    Some(Finding {
        id: "independent-jobmanagers",
        summary: format!(
            "session {name} has several JobManagers without high availability, and each has jobs of its own"
        ),
        evidence: (!names.is_empty()).then(|| format!("ready: {}", names.join(", "))),
        fix: format!(
            "kubectl scale{scope} deployment/{name} --replicas=1 (the jobs of the JobManagers that go are lost), or create the session with --ha"
        ),
        cannot_heal: false,
    })
}

/// A rollout whose new pod does not become ready: the old one still serves.
pub fn rollout_hangs(evidence: &Evidence) -> Option<Finding> {
    let staying: Vec<&Pod> = evidence.jobmanagers.iter().filter(|pod| !pod.deleting).collect();
    let (newest, older) = staying.split_last()?;
    let serving = older.iter().find(|pod| pod.ready && pod.replica_set != newest.replica_set)?;
    if newest.ready || evidence.seconds_since(newest.created) < ROLLOUT_SECONDS {
        return None;
    }
    let Evidence { name, scope, .. } = evidence;
    let name = quoted(name);
    Some(Finding {
        id: "rollout-hangs",
        summary: format!(
            "the rollout of deployment.apps/{name} does not finish: pod {} is not ready, and pod {} still serves",
            newest.name, serving.name
        ),
        evidence: newest.waiting.as_ref().map(|(reason, message)| match message.is_empty() {
            true => reason.clone(),
            false => format!("{reason}: {message}"),
        }),
        fix: format!("kubectl rollout undo{scope} deployment/{name}"),
        cannot_heal: false,
    })
}

/// A pod that Flink's Services take for a JobManager of the session.
pub fn foreign(evidence: &Evidence) -> Option<Finding> {
    let pod = quoted(evidence.foreign_jobmanagers.first()?);
    let Evidence { name, scope, .. } = evidence;
    Some(Finding {
        id: "foreign-jobmanager",
        summary: format!(
            "pod {pod} has the labels of a JobManager of session {name} and does not belong to it: the session's Services send requests to it"
        ),
        evidence: None,
        fix: format!("kubectl label{scope} pod/{pod} type- component-"),
        cannot_heal: false,
    })
}

/// A JobManager whose container ended a few minutes ago and was started again.
pub fn restarted(evidence: &Evidence) -> Option<Finding> {
    // One that does not answer is the subject of other rules.
    if !matches!(evidence.rest, Rest::Up(_) | Rest::Forbidden(_)) {
        return None;
    }
    let is_recent = |pod: &&Pod| {
        let ended = pod.ended_before.as_ref().and_then(|exit| exit.at);
        ended.is_some() && evidence.seconds_since(ended) < RECENT_SECONDS
    };
    let pod =
        evidence.jobmanagers.iter().filter(|pod| !pod.deleting && pod.started.is_some()).find(is_recent)?;
    let exit = pod.ended_before.as_ref()?;
    let Evidence { name, scope, .. } = evidence;
    let jobs = match evidence.high_availability {
        Some(true) => "its jobs start again from their last checkpoints",
        Some(false) => "the jobs that it ran are gone",
        None => "without high availability the jobs that it ran are gone",
    };
    let reason = if exit.reason.is_empty() { String::new() } else { format!(", {}", exit.reason) };
    Some(Finding {
        id: "jobmanager-restarted",
        summary: format!(
            "the JobManager of session {name} restarted {} ago (exit code {}{reason}): {jobs}",
            ago(evidence.seconds_since(exit.at)),
            exit.code
        ),
        evidence: pod.last_log.as_deref().and_then(stack_trace::deepest),
        fix: format!("kubectl logs{scope} {} --previous", quoted(&pod.name)),
        cannot_heal: false,
    })
}

fn ago(seconds: u64) -> String {
    if seconds < 120 { format!("{seconds} s") } else { format!("{} min", seconds / 60) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnosis::findings;
    use crate::diagnosis::fixtures::{ago, created, exit, jobmanager, overview};

    /// A session with the JobManager pods `pods`, each with its ReplicaSet, age in seconds and readiness.
    fn session(pods: &[(&str, &str, i64, bool)]) -> Evidence {
        let mut evidence = created(jobmanager());
        evidence.high_availability = Some(false);
        evidence.jobmanagers = pods
            .iter()
            .map(|(name, set, age, ready)| Pod {
                name: (*name).to_owned(),
                replica_set: Some((*set).to_owned()),
                created: ago(*age),
                ready: *ready,
                phase: "Running".to_owned(),
                ..Pod::default()
            })
            .collect();
        evidence
    }

    fn ids(evidence: &Evidence) -> Vec<&'static str> {
        findings(evidence).iter().map(|finding| finding.id).collect()
    }

    #[test]
    fn two_jobmanagers_without_high_availability_are_a_problem() {
        let two = [("roc-a-1", "roc-a", 300, true), ("roc-a-2", "roc-a", 200, true)];
        assert_eq!(ids(&session(&two)), ["independent-jobmanagers"]);
        let highly_available = Evidence { high_availability: Some(true), ..session(&two) };
        assert_eq!(ids(&highly_available), [""; 0]);
        // A rollout has two for a moment.
        let rollout = [("roc-a-1", "roc-a", 300, true), ("roc-b-1", "roc-b", 5, true)];
        assert_eq!(ids(&session(&rollout)), [""; 0]);
        let mut scaled = session(&two[..1]);
        scaled.deployment.as_mut().expect("deployment").replicas = 2;
        assert_eq!(ids(&scaled), ["independent-jobmanagers"], "the second may come at any time");
    }

    #[test]
    fn a_rollout_that_does_not_finish_is_a_problem() {
        let hangs = [("roc-a-1", "roc-a", 300, true), ("roc-b-1", "roc-b", 90, false)];
        let finding = rollout_hangs(&session(&hangs)).expect("finding");
        assert_eq!(finding.fix, "kubectl rollout undo -n team-a deployment/roc");
        let young = [("roc-a-1", "roc-a", 300, true), ("roc-b-1", "roc-b", 20, false)];
        assert!(rollout_hangs(&session(&young)).is_none());
        // A second replica that comes up belongs to the same ReplicaSet.
        let replica = [("roc-a-1", "roc-a", 300, true), ("roc-a-2", "roc-a", 90, false)];
        assert!(rollout_hangs(&session(&replica)).is_none());
    }

    #[test]
    fn a_restart_is_a_problem_for_some_minutes() {
        let restarted = |seconds| {
            let mut evidence = session(&[("roc-a-1", "roc-a", 3000, true)]);
            evidence.rest = Rest::Up(overview());
            let pod = &mut evidence.jobmanagers[0];
            pod.restarts = 1;
            pod.started = ago(seconds - 1);
            pod.ended_before =
                Some(crate::model::evidence::Exit { at: ago(seconds), ..exit(42, "Error", "") });
            evidence
        };
        let finding = super::restarted(&restarted(30)).expect("finding");
        assert_eq!(
            finding.summary,
            "the JobManager of session roc restarted 30 s ago (exit code 42, Error): the jobs that it ran are gone"
        );
        assert_eq!(ids(&restarted(30)), ["jobmanager-restarted"]);
        assert!(super::restarted(&restarted(700)).is_none());
    }
}
