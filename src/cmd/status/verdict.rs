//! The verdict: how a session is, in one sentence.

use crate::diagnosis::{self, Phase};
use crate::model::evidence::{Overview, Rest};
use crate::model::{Evidence, Finding, SessionView};

/// True when it runs, its REST answers as far as this user may ask, and nothing is wrong.
pub fn is_healthy(session: &SessionView, evidence: &Evidence, findings: &[Finding]) -> bool {
    let answers = match evidence.rest {
        Rest::Up(_) | Rest::Forbidden(_) => true,
        Rest::Down(_) => false,
        // Nobody could be asked, where the pods may not be seen.
        Rest::NotAsked => evidence.why_pods_are_unknown().is_some(),
    };
    session.status == "Running" && answers && findings.is_empty()
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
            counted(overview.jobs_running, "running job"),
        ),
        (Rest::Forbidden(why), "Running") => {
            format!(
                "Session {name} is Running: JobManager {ready}/{desired}; REST could not be asked ({why})"
            )
        }
        (Rest::Down(why), "Running") if findings.iter().any(|finding| finding.id == "rest-down") => {
            format!(
                "Session {name} does not answer: JobManager {ready}/{desired} runs, REST does not ({why})"
            )
        }
        (Rest::NotAsked, "Running") if evidence.why_pods_are_unknown().is_some() => {
            format!(
                "Session {name} is Running: JobManager {ready}/{desired}; pods may not be seen, and so REST was not asked"
            )
        }
        (_, "Running" | "Creating") if phase != Phase::Ready => {
            format!("Session {name} is Creating: waiting for {}", phase.awaited())
        }
        _ => format!("Session {name} is {status}: JobManager {ready}/{desired}"),
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
        });
        let hidden = Evidence {
            jobmanagers: Vec::new(),
            unreadable: vec!["pods: pods is forbidden".to_owned()],
            ..evidence(Rest::NotAsked)
        };
        assert!(is_healthy(&session("Running"), &hidden, &[]));
        insta::assert_snapshot!(
            [
                of(&session("Running"), &evidence(up), &[]),
                of(&session("Running"), &evidence(Rest::Down("refused".to_owned())), &[]),
                of(&session("Running"), &evidence(Rest::Forbidden("pods/portforward".to_owned())), &[]),
                of(&session("CrashLoopBackOff"), &evidence(Rest::NotAsked), &[]),
                of(&session("Running"), &hidden, &[]),
            ]
            .join("\n"),
            @"
        Session roc is Running: Flink 2.3.0, JobManager 1/1, 1 TaskManager, 1 of 2 slots free, 1 running job
        Session roc is Creating: waiting for the JobManager's REST to answer
        Session roc is Running: JobManager 1/1; REST could not be asked (pods/portforward)
        Session roc is CrashLoopBackOff: JobManager 1/1
        Session roc is Running: JobManager 1/1; pods may not be seen, and so REST was not asked
        "
        );
    }
}
