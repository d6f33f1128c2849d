//! What a name stands for, by the evidence of one session.

use crate::model::evidence::{Bootstrap, Outcome};
use crate::model::{Evidence, Finding};
use crate::session::existing::state::{self, Identity, Parts, Remains, State};
use crate::session::text::shell::quoted;

/// See [`state::of`]. Evidence has no more of what is left of a session than its JobManagers: `remains` tells of
/// the rest, where somebody has looked.
pub fn of(evidence: &Evidence, remains: Remains) -> State {
    let deployment = evidence.deployment.as_ref().map(|deployment| state::Deployment {
        identity: if deployment.is_application { Identity::Application } else { Identity::Session },
        is_deleting: deployment.deleting,
        replicas: deployment.replicas,
    });
    let foreign = evidence.has_foreign_deployment.then_some(state::Deployment {
        identity: Identity::Foreign,
        is_deleting: false,
        replicas: 1,
    });
    state::of(&Parts {
        deployment: deployment.or(foreign),
        deployment_is_hidden: evidence.unreadable.iter().any(|part| part.starts_with("deployment: ")),
        has_jobmanagers: !evidence.jobmanagers.is_empty(),
        bootstrap: evidence.bootstrap.as_ref().map(bootstrap),
        remains,
    })
}

/// What is wrong with a session of which only leftovers remain.
pub fn orphaned(evidence: &Evidence) -> Finding {
    let Evidence { name, scope, .. } = evidence;
    let name = quoted(name);
    Finding {
        id: "orphaned",
        summary: format!("session {name} is gone, and only leftovers of it remain"),
        evidence: None,
        fix: format!("kubectl flink delete {name}{scope}"),
        cannot_heal: true,
    }
}

fn bootstrap(bootstrap: &Bootstrap) -> state::Bootstrap {
    match &bootstrap.outcome {
        _ if bootstrap.deleting => state::Bootstrap::Deleting,
        Outcome::Running => state::Bootstrap::Running,
        Outcome::Succeeded => state::Bootstrap::Succeeded,
        Outcome::Failed(_) => state::Bootstrap::Failed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnosis::fixtures::{bootstrapping, created, jobmanager};

    #[test]
    fn evidence_of_each_state() {
        let of = |change: fn(&mut Evidence)| {
            let mut evidence = created(jobmanager());
            change(&mut evidence);
            super::of(&evidence, Remains::Nothing)
        };
        let deployment = |evidence: &mut Evidence| evidence.deployment.take();
        assert_eq!(of(|_| {}), State::Created);
        assert_eq!(of(|e| e.deployment.as_mut().expect("deployment").replicas = 0), State::Stopped);
        assert_eq!(of(|e| e.deployment.as_mut().expect("deployment").deleting = true), State::Terminating);
        assert_eq!(
            of(|e| e.deployment.as_mut().expect("deployment").is_application = true),
            State::Application
        );
        let mut gone = created(jobmanager());
        deployment(&mut gone);
        assert_eq!(super::of(&gone, Remains::Nothing), State::Absent, "its bootstrap succeeded long ago");
        assert_eq!(super::of(&gone, Remains::Staying), State::Orphaned);
        gone.has_foreign_deployment = true;
        assert_eq!(super::of(&gone, Remains::Staying), State::Foreign);
        assert_eq!(super::of(&bootstrapping(), Remains::Nothing), State::BeingCreated);
        let mut failed = bootstrapping();
        failed.bootstrap.as_mut().expect("bootstrap").outcome = Outcome::Failed("x".to_owned());
        assert_eq!(super::of(&failed, Remains::Nothing), State::BootstrapFailed);
        let hidden = Evidence { unreadable: vec!["deployment: no".to_owned()], ..created(jobmanager()) };
        assert_eq!(super::of(&Evidence { deployment: None, ..hidden }, Remains::Nothing), State::Created);
    }
}
