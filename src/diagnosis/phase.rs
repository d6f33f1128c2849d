//! How far a session that is being created has come.

use crate::model::Evidence;
use crate::model::evidence::{Outcome, Rest};

/// In the order in which a healthy creation goes through them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// The bootstrap Job has no running pod yet.
    StartingBootstrap,
    /// Flink's client runs, and has not created the Deployment yet.
    RunningClient,
    /// The Deployment exists, its pod does not run yet.
    StartingJobManager,
    /// The JobManager's container runs. The Deployment is "Available" from here on, since Flink
    /// gives it no readiness probe; REST comes 7 to 15 seconds later.
    WaitingForRest,
    /// REST has answered.
    Ready,
}

impl Phase {
    /// What is being waited for.
    pub fn awaited(self) -> &'static str {
        match self {
            Self::StartingBootstrap => "the bootstrap pod to start",
            Self::RunningClient => "Flink's client to create the session",
            Self::StartingJobManager => "the JobManager pod to start",
            Self::WaitingForRest => "the JobManager's REST to answer",
            Self::Ready => "nothing",
        }
    }
}

pub fn of(evidence: &Evidence) -> Phase {
    if matches!(evidence.rest, Rest::Up(_)) {
        return Phase::Ready;
    }
    if evidence.jobmanagers.iter().any(|pod| pod.ready && !pod.deleting) {
        return Phase::WaitingForRest;
    }
    if evidence.deployment.is_some() {
        return Phase::StartingJobManager;
    }
    let client_runs = evidence.bootstrap.as_ref().is_some_and(|bootstrap| {
        bootstrap.outcome != Outcome::Running
            || bootstrap.pod.as_ref().is_some_and(|pod| pod.phase != "Pending")
    });
    if client_runs { Phase::RunningClient } else { Phase::StartingBootstrap }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnosis::fixtures::{bootstrapping, created, jobmanager, overview, pod};

    #[test]
    fn a_healthy_creation_goes_through_all_phases() {
        let mut evidence = bootstrapping();
        evidence.bootstrap.as_mut().expect("bootstrap").pod = None;
        assert_eq!(of(&evidence), Phase::StartingBootstrap);
        evidence.bootstrap.as_mut().expect("bootstrap").pod = Some(pod("boot-roc-abcde", "Pending"));
        assert_eq!(of(&evidence), Phase::StartingBootstrap);
        assert_eq!(of(&bootstrapping()), Phase::RunningClient);
        assert_eq!(of(&created(pod("roc-1-2", "Pending"))), Phase::StartingJobManager);
        // The Deployment is "Available" now, and the session is not ready.
        let mut evidence = created(jobmanager());
        assert_eq!(of(&evidence), Phase::WaitingForRest);
        evidence.rest = Rest::Up(overview());
        assert_eq!(of(&evidence), Phase::Ready);
    }
}
