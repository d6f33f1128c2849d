//! The verdict: how a session is, in one sentence.

use crate::cmd::rights;
use crate::diagnosis::{self, Phase};
use crate::model::evidence::{Overview, Rest};
use crate::model::status::Health;
use crate::model::{Evidence, Finding, SessionView};

/// Healthy when it runs, its REST answers as far as this user may ask, and nothing is wrong.
pub fn health(session: &SessionView, evidence: &Evidence, findings: &[Finding]) -> Health {
    let of_rest = match evidence.rest {
        Rest::Up(_) | Rest::Forbidden(_) => Health::Healthy,
        Rest::Down(_) => Health::Sick,
        Rest::Unknown(_) => Health::Unknown,
        // Nobody could be asked, where the pods may not be seen.
        Rest::NotAsked if evidence.why_pods_are_unknown().is_some() => Health::Healthy,
        Rest::NotAsked => Health::Sick,
    };
    match session.status == "Running" && findings.is_empty() {
        true => of_rest,
        false => Health::Sick,
    }
}

/// One sentence that is true.
pub fn of(session: &SessionView, evidence: &Evidence, findings: &[Finding]) -> String {
    let SessionView { name, status, ready, desired, .. } = session;
    let phase = diagnosis::phase::of(evidence);
    match (&evidence.rest, status.as_str()) {
        (Rest::Up(overview), "Running") => format!(
            "Session {name} is Running: Flink {}, JobManager {ready}/{desired}, {}, {}",
            overview.version,
            taskmanagers(overview, session.taskmanagers.unwrap_or(0)),
            jobs(overview),
        ),
        (_, "Running") if findings.iter().any(|finding| finding.id == "independent-jobmanagers") => {
            let count = evidence.jobmanagers.iter().filter(|pod| !pod.deleting).count();
            format!(
                "Session {name} has {count} JobManagers without high availability: each has jobs of its own"
            )
        }
        (Rest::Forbidden(why), "Running") => {
            let needed = rights::needed_for_rest(why);
            format!(
                "Session {name} is Running: JobManager {ready}/{desired}; cannot reach the REST API: {needed}"
            )
        }
        (Rest::Unknown(why), "Running") => {
            format!(
                "Session {name} is Running: JobManager {ready}/{desired}; REST could not be asked in time ({why})"
            )
        }
        (Rest::Down(why), "Running") if findings.iter().any(|finding| finding.id == "rest-down") => {
            format!(
                "Session {name} does not answer: JobManager {ready}/{desired} runs, REST does not ({why})"
            )
        }
        (Rest::NotAsked, "Running") if evidence.why_pods_are_unknown().is_some() => {
            let needed = evidence.why_pods_are_unknown().map(rights::needed).unwrap_or_default();
            format!(
                "Session {name} is Running: JobManager {ready}/{desired}; cannot find the JobManager's pod: {needed}"
            )
        }
        (_, "Running" | "Creating") if phase != Phase::Ready => {
            format!("Session {name} is Creating: waiting for {}", phase.awaited())
        }
        _ => format!("Session {name} is {status}: JobManager {ready}/{desired}"),
    }
}

/// A job of which no task runs does not count as one that runs, whatever Flink calls it.
fn jobs(overview: &Overview) -> String {
    let without = overview.jobs_without_tasks;
    let running = counted(overview.jobs_running.saturating_sub(without), "running job");
    match without {
        0 => running,
        without => format!("{running}, {} without a running task", counted(without, "job")),
    }
}

/// A session starts with none, and that is no fault.
fn taskmanagers(overview: &Overview, pods: usize) -> String {
    match overview.taskmanagers {
        0 if pods > 0 => {
            format!("{} not yet registered", counted(u32::try_from(pods).unwrap_or(u32::MAX), "TaskManager"))
        }
        0 => "no TaskManagers until a job needs them".to_owned(),
        count => format!(
            "{}, {} of {} slots free",
            counted(count, "TaskManager"),
            overview.slots_available,
            overview.slots_total
        ),
    }
}

fn counted(count: u32, what: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {what}{plural}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::evidence::Pod;
    use crate::model::session::tests::roc;

    fn session(status: &str) -> SessionView {
        SessionView { status: status.to_owned(), ..roc() }
    }

    fn evidence(rest: Rest) -> Evidence {
        let pod = Pod { name: "roc-1-2".to_owned(), ready: true, ..Pod::default() };
        let at = "2026-01-01T00:00:00Z".parse().expect("time");
        Evidence { rest, jobmanagers: vec![pod], ..Evidence::empty("roc", "team-a", at) }
    }

    #[test]
    fn the_verdict_never_calls_a_session_running_before_rest_answers() {
        let up = Rest::Up(Overview {
            version: "2.3.0".to_owned(),
            taskmanagers: 1,
            slots_total: 2,
            slots_available: 1,
            jobs_running: 1,
            jobs_without_tasks: 0,
        });
        let waits = Rest::Up(Overview {
            version: "2.3.0".to_owned(),
            jobs_running: 3,
            jobs_without_tasks: 2,
            ..Overview::default()
        });
        let hidden = Evidence {
            jobmanagers: Vec::new(),
            unreadable: vec![
                "pods: pods is forbidden: User \"me\" cannot list resource \"pods\" in API group \"\""
                    .to_owned(),
            ],
            ..evidence(Rest::NotAsked)
        };
        assert_eq!(health(&session("Running"), &hidden, &[]), Health::Healthy);
        let late = evidence(Rest::Unknown("no connection to the pod within 4 s".to_owned()));
        assert_eq!(health(&session("Running"), &late, &[]), Health::Unknown);
        assert_eq!(health(&session("Degraded"), &late, &[]), Health::Sick);
        insta::assert_snapshot!(
            [
                of(&session("Running"), &evidence(up), &[]),
                of(&session("Running"), &evidence(Rest::Down("refused".to_owned())), &[]),
                of(&session("Running"), &evidence(Rest::Forbidden("pods \"roc-1\" is forbidden: User \"me\" cannot create resource \"pods/portforward\" in API group \"\"".to_owned())), &[]),
                of(&session("CrashLoopBackOff"), &evidence(Rest::NotAsked), &[]),
                of(&session("Running"), &hidden, &[]),
                of(&session("Running"), &late, &[]),
                of(&session("Running"), &evidence(waits), &[]),
            ]
            .join("\n"),
            @r#"
        Session roc is Running: Flink 2.3.0, JobManager 1/1, 1 TaskManager, 1 of 2 slots free, 1 running job
        Session roc is Creating: waiting for the JobManager's REST to answer
        Session roc is Running: JobManager 1/1; cannot reach the REST API: user "me" needs `create` on pods/portforward or `get` on pods/proxy
        Session roc is CrashLoopBackOff: JobManager 1/1
        Session roc is Running: JobManager 1/1; cannot find the JobManager's pod: user "me" needs `list` on pods
        Session roc is Running: JobManager 1/1; REST could not be asked in time (no connection to the pod within 4 s)
        Session roc is Running: Flink 2.3.0, JobManager 1/1, 2 TaskManagers not yet registered, 1 running job, 2 jobs without a running task
        "#
        );
    }
}
