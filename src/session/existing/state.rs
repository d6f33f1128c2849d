//! Decides what a name stands for, from what was read. Pure, and the only place that decides it: `ls`, `status`,
//! `create`, `delete` and every command that calls the REST API ask here.
//!
//! Labels can be changed on objects that exist. A Deployment's selector cannot, and what its container runs tells
//! a session from everything else, so that these two decide whether a Deployment is a session.

use std::collections::BTreeMap;

use crate::session::manifest::labels;

type Labels = BTreeMap<String, String>;

/// What a name in a namespace stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Nothing of a session is there.
    Absent,
    /// The Deployment of that name is not Flink's.
    Foreign,
    /// The Deployment is that of an application cluster.
    Application,
    /// The bootstrap Job has not created the Deployment yet.
    BeingCreated,
    BootstrapFailed,
    /// The Deployment asks for a JobManager. Its pods tell how that one is.
    Created,
    /// The Deployment is scaled to zero.
    Stopped,
    Terminating,
    /// The Deployment is gone, and nothing removes what is left of the session.
    Orphaned,
    /// This user is not allowed to read the Deployment, and no pod tells of it.
    Unknown,
}

/// What the container of a Deployment runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Runs {
    Session,
    Application,
    Other,
}

/// What a Deployment is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Identity {
    Session,
    Application,
    Foreign,
}

/// What the Deployment `name` is. Its labels count for what its selector leaves open.
pub fn identity(name: &str, of: &Labels, selector: &Labels, runs: Runs) -> Identity {
    let has = |key: &str, value: &str| {
        selector.get(key).or_else(|| of.get(key)).is_some_and(|label| label == value)
    };
    match (has(labels::APP, name) && has(labels::TYPE, labels::TYPE_NATIVE), runs) {
        (true, Runs::Session) => Identity::Session,
        (true, Runs::Application) => Identity::Application,
        _ => Identity::Foreign,
    }
}

/// The labels that Flink gave to an object of session `name`. With the `selector` of the Deployment: to that
/// one and to its pods, which have one more.
pub fn flinks_labels(name: &str, selector: Option<&Labels>) -> Vec<(String, String)> {
    let common = [(labels::APP, name), (labels::TYPE, labels::TYPE_NATIVE)];
    let more = selector.and_then(|selector| selector.get(labels::COMPONENT));
    let more = more.map(|component| (labels::COMPONENT, component.as_str()));
    common.into_iter().chain(more).map(|(key, value)| (key.to_owned(), value.to_owned())).collect()
}

/// What was read of a session.
#[derive(Clone, Debug, Default)]
pub struct Parts {
    pub deployment: Option<Deployment>,
    /// This user is not allowed to read the Deployment.
    pub deployment_is_hidden: bool,
    pub has_jobmanagers: bool,
    pub bootstrap: Option<Bootstrap>,
    pub remains: Remains,
}

#[derive(Clone, Copy, Debug)]
pub struct Deployment {
    pub identity: Identity,
    pub is_deleting: bool,
    pub replicas: i32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bootstrap {
    Running,
    Succeeded,
    Failed,
    Deleting,
}

/// What is left of a session whose Deployment is gone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Remains {
    #[default]
    Nothing,
    /// The garbage collector removes it.
    Going,
    Staying,
}

/// What a name stands for.
pub fn of(parts: &Parts) -> State {
    if let Some(deployment) = &parts.deployment {
        return match deployment {
            Deployment { identity: Identity::Foreign, .. } => State::Foreign,
            Deployment { identity: Identity::Application, .. } => State::Application,
            Deployment { is_deleting: true, .. } => State::Terminating,
            Deployment { replicas: 0, .. } => State::Stopped,
            _ => State::Created,
        };
    }
    if parts.deployment_is_hidden && parts.has_jobmanagers {
        return State::Created;
    }
    match (parts.bootstrap, parts.remains) {
        (Some(Bootstrap::Deleting), _) => State::Terminating,
        (Some(Bootstrap::Failed), _) => State::BootstrapFailed,
        (Some(Bootstrap::Running), _) => State::BeingCreated,
        // One that has succeeded tells of a session that is gone.
        _ if parts.deployment_is_hidden => State::Unknown,
        (_, Remains::Nothing) => State::Absent,
        (_, Remains::Going) => State::Terminating,
        (_, Remains::Staying) => State::Orphaned,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels_of(pairs: &[(&str, &str)]) -> Labels {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    const OWN: [(&str, &str); 3] =
        [("app", "roc"), ("type", "flink-native-kubernetes"), ("component", "jobmanager")];

    #[test]
    fn the_selector_and_the_container_identify_a_session_whatever_its_labels() {
        let selector = labels_of(&OWN);
        for changed in [&[][..], &[("app", "x")], &[("app", "roc"), ("type", "x")], &OWN] {
            let is = |runs| identity("roc", &labels_of(changed), &selector, runs);
            assert_eq!(is(Runs::Session), Identity::Session, "{changed:?}");
            assert_eq!(is(Runs::Application), Identity::Application, "{changed:?}");
            assert_eq!(is(Runs::Other), Identity::Foreign, "{changed:?}");
        }
    }

    #[test]
    fn labels_of_a_session_make_no_other_deployment_one() {
        let is = |selector: &[(&str, &str)]| {
            identity("roc", &labels_of(&OWN), &labels_of(selector), Runs::Session)
        };
        assert_eq!(is(&[("app", "shop"), ("component", "jobmanager")]), Identity::Foreign);
        assert_eq!(is(&[("app", "roc"), ("type", "flink-standalone-kubernetes")]), Identity::Foreign);
        // Of another session, copied under a new name.
        assert_eq!(is(&[("app", "other"), OWN[1], OWN[2]]), Identity::Foreign);
        // Without a selector there is nothing else to judge by.
        assert_eq!(is(&[]), Identity::Session);
    }

    #[test]
    fn a_service_has_no_label_of_the_jobmanagers() {
        let keys = |selector: Option<&Labels>| {
            flinks_labels("roc", selector).into_iter().map(|(key, _)| key).collect::<Vec<_>>()
        };
        assert_eq!(keys(Some(&labels_of(&OWN))), ["app", "type", "component"]);
        assert_eq!(keys(None), ["app", "type"]);
    }

    fn deployment(identity: Identity, is_deleting: bool, replicas: i32) -> Parts {
        Parts {
            deployment: Some(Deployment { identity, is_deleting, replicas }),
            // The Deployment decides, whatever else is there: 1.10's client fails after it has made everything.
            bootstrap: Some(Bootstrap::Failed),
            remains: Remains::Staying,
            ..Parts::default()
        }
    }

    #[test]
    fn a_deployment_decides() {
        assert_eq!(of(&deployment(Identity::Session, false, 1)), State::Created);
        assert_eq!(of(&deployment(Identity::Session, false, 0)), State::Stopped);
        assert_eq!(of(&deployment(Identity::Session, true, 1)), State::Terminating);
        assert_eq!(of(&deployment(Identity::Session, true, 0)), State::Terminating);
        assert_eq!(of(&deployment(Identity::Application, false, 1)), State::Application);
        assert_eq!(of(&deployment(Identity::Foreign, false, 0)), State::Foreign);
    }

    #[test]
    fn without_a_deployment_the_bootstrap_decides_and_then_what_is_left() {
        let state = |bootstrap, remains| of(&Parts { bootstrap, remains, ..Parts::default() });
        for remains in [Remains::Nothing, Remains::Going, Remains::Staying] {
            assert_eq!(state(Some(Bootstrap::Running), remains), State::BeingCreated);
            assert_eq!(state(Some(Bootstrap::Failed), remains), State::BootstrapFailed);
            assert_eq!(state(Some(Bootstrap::Deleting), remains), State::Terminating);
        }
        for bootstrap in [None, Some(Bootstrap::Succeeded)] {
            assert_eq!(state(bootstrap, Remains::Nothing), State::Absent);
            assert_eq!(state(bootstrap, Remains::Going), State::Terminating);
            assert_eq!(state(bootstrap, Remains::Staying), State::Orphaned);
        }
    }

    #[test]
    fn what_this_user_is_not_allowed_to_read_is_unknown() {
        let hidden = |has_jobmanagers, bootstrap| {
            let remains = Remains::Staying;
            of(&Parts { deployment_is_hidden: true, has_jobmanagers, bootstrap, remains, ..Parts::default() })
        };
        assert_eq!(hidden(false, None), State::Unknown);
        assert_eq!(hidden(true, None), State::Created);
        assert_eq!(hidden(true, Some(Bootstrap::Failed)), State::Created);
        assert_eq!(hidden(false, Some(Bootstrap::Failed)), State::BootstrapFailed);
    }
}
