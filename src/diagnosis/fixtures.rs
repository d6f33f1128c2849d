//! Evidence for the tests of the rules, as the real cluster showed it.

use jiff::Timestamp;

use crate::model::Evidence;
use crate::model::evidence::{Bootstrap, Deployment, Exit, Outcome, Overview, Pod};

pub fn now() -> Timestamp {
    "2026-01-01T00:01:00Z".parse().expect("time")
}

/// `seconds` before [`now`].
pub fn ago(seconds: i64) -> Option<Timestamp> {
    Some(now() - jiff::SignedDuration::from_secs(seconds))
}

pub fn bootstrapping() -> Evidence {
    let bootstrap = Bootstrap {
        job: "boot-roc".to_owned(),
        uid: "j1".to_owned(),
        created: ago(20),
        pod: Some(pod("boot-roc-abcde", "Running")),
        ..Bootstrap::default()
    };
    Evidence { bootstrap: Some(bootstrap), ..Evidence::empty("roc", "team-a", now()) }
}

/// The client has done its work, the JobManager's pod is `pod`.
pub fn created(pod: Pod) -> Evidence {
    let mut evidence = bootstrapping();
    if let Some(bootstrap) = &mut evidence.bootstrap {
        bootstrap.outcome = Outcome::Succeeded;
    }
    evidence.deployment =
        Some(Deployment { uid: "d1".to_owned(), created: ago(15), replicas: 1, ..Deployment::default() });
    evidence.jobmanagers = vec![pod];
    evidence
}

pub fn pod(name: &str, phase: &str) -> Pod {
    let ready = phase == "Running" && name.starts_with("roc-");
    Pod { name: name.to_owned(), phase: phase.to_owned(), created: ago(15), ready, ..Pod::default() }
}

pub fn jobmanager() -> Pod {
    pod("roc-6d6c65cf99-c42zb", "Running")
}

pub fn exit(code: i32, reason: &str, message: &str) -> Exit {
    Exit { code, reason: reason.to_owned(), message: message.to_owned(), at: None }
}

/// What REST says of a session without TaskManagers.
pub fn overview() -> Overview {
    Overview { version: "2.3.0".to_owned(), ..Overview::default() }
}
