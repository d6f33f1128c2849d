//! What must be true before `create` writes anything.
//!
//! Flink's client cannot be trusted with a name that is in use: when `NAME-rest` exists it reports
//! success without making anything, and when the Deployment `NAME` exists it deletes it, whoever
//! made it.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::session::flink_config::keys::is_secret;
use crate::session::manifest::bootstrap_job::Runs;
use crate::session::spec::name::SessionName;

/// An object that is there already under a name that the session needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Existing {
    /// As kubectl names it: `deployment.apps/roc`.
    pub object: String,
    pub kind: ExistingKind,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ExistingKind {
    /// Flink's labels say that it is part of a session of this name.
    OfSession,
    /// Flink's labels say so, and the container says that it is an application cluster.
    OfApplication,
    /// High-availability state that outlived its session.
    HighAvailability,
    /// Anything else.
    Foreign,
}

/// The bootstrap Job of an earlier `create` of this name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EarlierBootstrap {
    /// The plugin's own.
    Own(OwnBootstrap),
    /// Made by hand for this session, and still at work.
    RunningByHand { seconds: u64 },
    /// Made by hand, and ended.
    ByHand,
    /// A Job of this name that makes no session.
    Foreign,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnBootstrap {
    pub uid: String,
    /// Its age in seconds.
    pub seconds: u64,
    pub state: BootstrapState,
    /// What the session was to be made from ([`labels::SETTINGS`](crate::session::manifest::labels::SETTINGS)).
    pub record: Option<String>,
    pub runs: Runs,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BootstrapState {
    Running,
    Failed,
    /// Ended well. Without a session: the session is gone, and was killed before it could own the Job.
    Succeeded,
    /// On its way out, whatever it did.
    Deleting,
}

/// What was read of the namespace before a `create`.
#[derive(Clone, Debug, Default)]
pub struct Found {
    pub objects: Vec<Existing>,
    pub bootstrap: Option<EarlierBootstrap>,
    /// The session's Deployment was made by the bootstrap Job that is there, and lacks the plugin's marks:
    /// its `create` did not come to its end.
    pub is_unfinished: bool,
    /// What the session was made from, where the plugin made it.
    pub record: Option<String>,
    /// What is being deleted of an earlier session, and clients of an earlier one that are still at work. None
    /// of it is the session that is asked for, whatever its name.
    pub ending: Vec<String>,
}

impl Found {
    /// Passes over the record of a bootstrap Job that runs something else than what is asked for: then it makes another
    /// session than its annotation says, whoever wrote that.
    pub fn trusts_only(&mut self, asked: &Runs) {
        if let Some(EarlierBootstrap::Own(own)) = &mut self.bootstrap
            && own.runs != *asked
        {
            own.record = None;
        }
    }
}

/// What `create` has to do before it can start a bootstrap.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Clear {
    Start,
    /// Remove the ended bootstrap Job with this uid first.
    ReplaceBootstrap {
        uid: String,
    },
    /// The bootstrap Job with this uid is being deleted: let it go first.
    AwaitBootstrapGone {
        uid: String,
    },
    /// Wait for the bootstrap Job with this uid: it makes the very session that is asked for, and whoever
    /// started it did not see its end.
    Resume {
        uid: String,
    },
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("session {name} exists already in namespace {namespace}")]
    SessionExists { name: SessionName, namespace: String, differences: Vec<String> },
    #[error("{name} is a Flink application cluster in namespace {namespace}")]
    ApplicationExists { name: SessionName, namespace: String },
    #[error("session {name} is being created in namespace {namespace}, for {seconds} s now")]
    BeingCreated { name: SessionName, namespace: String, seconds: u64 },
    #[error("{} in namespace {namespace} would be overwritten or deleted by Flink", .objects.join(", "))]
    Foreign { name: SessionName, namespace: String, objects: Vec<String> },
    #[error("job.batch/{job} in namespace {namespace} has the name that the bootstrap of {name} needs")]
    ForeignJob { name: SessionName, namespace: String, job: String },
    #[error("{} in namespace {namespace} {} what is left of a session that was {name}", .objects.join(", "), is_or_are(.objects))]
    LeftOver { name: SessionName, namespace: String, objects: Vec<String> },
    #[error("high-availability state of an earlier session {name} would bring its jobs back: {}", .objects.join(", "))]
    OldJobs { name: SessionName, namespace: String, objects: Vec<String> },
}

/// Characters of a value that are told.
const LONGEST_VALUE: usize = 60;

/// What `asked` says otherwise than `made`, both records of a session's settings; a sentence for each
/// setting.
fn differences(made: &str, asked: &str) -> Vec<String> {
    let leaves = |text: &str| {
        let mut leaves = BTreeMap::new();
        collect("", &serde_json::from_str(text).unwrap_or_default(), &mut leaves);
        leaves
    };
    let (made, asked) = (leaves(made), leaves(asked));
    let names: BTreeSet<&String> = made.keys().chain(asked.keys()).collect();
    let said = |value: Option<&String>| {
        let text = value?;
        Some(match text.chars().count() > LONGEST_VALUE {
            true => text.chars().take(LONGEST_VALUE).chain(['…']).collect(),
            false => text.clone(),
        })
    };
    names
        .into_iter()
        .filter(|name| made.get(*name) != asked.get(*name))
        // Metadata is told by the settings that it becomes.
        .filter(|name| !name.starts_with("metadata.") || name.ends_with("/network-policy"))
        .map(|name| {
            let short = name.trim_start_matches("spec.").trim_start_matches("flinkConfiguration.");
            if is_secret(name) {
                return format!("{short} differs");
            }
            match (said(made.get(name)), said(asked.get(name))) {
                (Some(there), Some(asked)) => format!("{short} is {there} there, and {asked} was asked for"),
                (Some(there), None) => format!("{short} is {there} there, and nothing was asked for"),
                (None, asked) => {
                    format!("{short} is not set there, and {} was asked for", asked.unwrap_or_default())
                }
            }
        })
        .collect()
}

fn collect(path: &str, value: &Value, leaves: &mut BTreeMap<String, String>) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                collect(&path, value, leaves);
            }
        }
        Value::String(text) => drop(leaves.insert(path.to_owned(), text.clone())),
        other => drop(leaves.insert(path.to_owned(), other.to_string())),
    }
}

fn is_or_are(objects: &[String]) -> &'static str {
    if objects.len() == 1 { "is" } else { "are" }
}

/// Decides over `found`; the worst reason wins. `record` is what the session is to be made from, and with
/// `reuses_state` the state of an earlier one is welcome.
pub fn check(
    name: &SessionName,
    namespace: &str,
    found: &Found,
    record: &str,
    reuses_state: bool,
) -> Result<Clear, Refusal> {
    let of = |kind: ExistingKind| -> Vec<String> {
        found.objects.iter().filter(|e| e.kind == kind).map(|e| e.object.clone()).collect()
    };
    let (name, namespace) = (name.clone(), namespace.to_owned());

    let foreign = of(ExistingKind::Foreign);
    if !foreign.is_empty() {
        return Err(Refusal::Foreign { name, namespace, objects: foreign });
    }
    if !of(ExistingKind::OfApplication).is_empty() {
        return Err(Refusal::ApplicationExists { name, namespace });
    }
    let mut of_session = of(ExistingKind::OfSession);
    let has_deployment = of_session.iter().any(|object| object.starts_with("deployment.apps/"));
    if let Some(EarlierBootstrap::Own(own)) = &found.bootstrap
        && own.record.as_deref() == Some(record)
        && own.state != BootstrapState::Deleting
        && (found.is_unfinished || (own.state == BootstrapState::Running && !has_deployment))
    {
        return Ok(Clear::Resume { uid: own.uid.clone() });
    }
    if has_deployment {
        let differences = found.record.as_deref().map(|made| differences(made, record)).unwrap_or_default();
        return Err(Refusal::SessionExists { name, namespace, differences });
    }
    match &found.bootstrap {
        Some(
            EarlierBootstrap::Own(OwnBootstrap { seconds, state: BootstrapState::Running, .. })
            | EarlierBootstrap::RunningByHand { seconds },
        ) => {
            return Err(Refusal::BeingCreated { name, namespace, seconds: *seconds });
        }
        Some(EarlierBootstrap::Foreign) => {
            return Err(Refusal::ForeignJob { job: name.bootstrap_job(), name, namespace });
        }
        Some(EarlierBootstrap::ByHand) => of_session.push(format!("job.batch/{}", name.bootstrap_job())),
        _ => {}
    }
    if !of_session.is_empty() {
        return Err(Refusal::LeftOver { name, namespace, objects: of_session });
    }
    let old_jobs = of(ExistingKind::HighAvailability);
    if !old_jobs.is_empty() && !reuses_state {
        return Err(Refusal::OldJobs { name, namespace, objects: old_jobs });
    }
    Ok(match &found.bootstrap {
        Some(EarlierBootstrap::Own(own)) if own.state == BootstrapState::Deleting => {
            Clear::AwaitBootstrapGone { uid: own.uid.clone() }
        }
        Some(EarlierBootstrap::Own(own)) => Clear::ReplaceBootstrap { uid: own.uid.clone() },
        _ => Clear::Start,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn existing(object: &str, kind: ExistingKind) -> Existing {
        Existing { object: object.to_owned(), kind }
    }

    fn decide(objects: Vec<Existing>, bootstrap: Option<EarlierBootstrap>) -> Result<Clear, String> {
        let name = "roc".parse().expect("name");
        let found = Found { objects, bootstrap, ..Found::default() };
        check(&name, "team-a", &found, "asked", false).map_err(|refusal| refusal.to_string())
    }

    /// An earlier bootstrap of the plugin's, for other settings than those that are asked for.
    fn own(state: BootstrapState) -> EarlierBootstrap {
        made_from(state, "other")
    }

    fn made_from(state: BootstrapState, record: &str) -> EarlierBootstrap {
        let record = Some(record.to_owned());
        let runs = Runs { image: "flink:2.3.0".to_owned(), ..Runs::default() };
        EarlierBootstrap::Own(OwnBootstrap { uid: "u1".to_owned(), seconds: 7, state, record, runs })
    }

    #[test]
    fn an_empty_namespace_is_clear() {
        assert_eq!(decide(vec![], None), Ok(Clear::Start));
    }

    #[test]
    fn an_ended_bootstrap_without_a_session_is_replaced() {
        for ended in [
            own(BootstrapState::Failed),
            own(BootstrapState::Succeeded),
            made_from(BootstrapState::Failed, "asked"),
        ] {
            assert_eq!(decide(vec![], Some(ended)), Ok(Clear::ReplaceBootstrap { uid: "u1".to_owned() }));
        }
    }

    #[test]
    fn a_create_that_was_killed_is_finished_by_the_next_one_with_the_same_settings() {
        use BootstrapState::*;
        let resume = Ok(Clear::Resume { uid: "u1".to_owned() });
        let session = || vec![existing("deployment.apps/roc", ExistingKind::OfSession)];
        // 1.10 makes the Service first.
        let half = vec![existing("service/roc", ExistingKind::OfSession)];
        assert_eq!(decide(vec![], Some(made_from(Running, "asked"))), resume);
        assert_eq!(decide(half, Some(made_from(Running, "asked"))), resume);
        let name = "roc".parse().expect("name");
        for state in [Running, Succeeded, Failed] {
            let unfinished = Found {
                objects: session(),
                bootstrap: Some(made_from(state, "asked")),
                is_unfinished: true,
                ..Found::default()
            };
            assert_eq!(
                check(&name, "team-a", &unfinished, "asked", false).map_err(|e| e.to_string()),
                resume
            );
            // A Deployment that this Job has not made, or that is finished.
            assert!(decide(session(), Some(made_from(state, "asked"))).is_err());
        }
        let foreign = vec![existing("service/roc", ExistingKind::Foreign)];
        assert!(decide(foreign, Some(made_from(Running, "asked"))).is_err());
    }

    #[test]
    fn a_job_that_only_says_that_it_makes_the_session_is_not_waited_for() {
        let asked = Runs { image: "flink:2.3.0".to_owned(), ..Runs::default() };
        let verdict = |asked: &Runs| {
            let bootstrap = Some(made_from(BootstrapState::Running, "asked"));
            let mut found = Found { bootstrap, ..Found::default() };
            found.trusts_only(asked);
            check(&"roc".parse().expect("name"), "team-a", &found, "asked", false)
        };
        assert_eq!(verdict(&asked), Ok(Clear::Resume { uid: "u1".to_owned() }));
        for other in [
            Runs { image: "evil".to_owned(), ..asked.clone() },
            Runs { words: vec!["sleep".to_owned()], ..asked.clone() },
            Runs { account: "admin".to_owned(), ..asked.clone() },
            Runs { files: [("kubectl-flink/file-0".to_owned(), "other".to_owned())].into(), ..asked },
        ] {
            assert!(matches!(verdict(&other), Err(Refusal::BeingCreated { .. })), "{other:?}");
        }
    }

    #[test]
    fn what_is_asked_for_otherwise_than_what_is_there_is_named() {
        let made = r#"{"spec":{"image":"a","flinkConfiguration":{"slots":"1","x":"y"},"jobManager":{"resource":{"cpu":0.5}}}}"#;
        let asked = r#"{"spec":{"image":"a","flinkConfiguration":{"slots":"2","a.password":"p","z":"1"},"jobManager":{"resource":{"cpu":1}}}}"#;
        insta::assert_snapshot!(differences(made, asked).join("\n"), @"
        a.password differs
        slots is 1 there, and 2 was asked for
        x is y there, and nothing was asked for
        z is not set there, and 1 was asked for
        jobManager.resource.cpu is 0.5 there, and 1 was asked for
        ");
        assert_eq!(differences(made, made), Vec::<String>::new());
    }

    #[test]
    fn a_bootstrap_on_its_way_out_is_waited_for() {
        for record in ["asked", "other"] {
            let leaving = Some(made_from(BootstrapState::Deleting, record));
            assert_eq!(decide(vec![], leaving), Ok(Clear::AwaitBootstrapGone { uid: "u1".to_owned() }));
        }
    }

    #[test]
    fn the_state_of_an_earlier_session_may_be_asked_for() {
        let found = Found {
            objects: vec![existing("configmap/roc-cluster-config-map", ExistingKind::HighAvailability)],
            ..Found::default()
        };
        let name = "roc".parse().expect("name");
        assert_eq!(check(&name, "team-a", &found, "asked", true), Ok(Clear::Start));
        assert!(check(&name, "team-a", &found, "asked", false).is_err());
    }

    #[test]
    fn what_is_there_is_never_overwritten() {
        use ExistingKind::*;
        let refuse = |objects, bootstrap| decide(objects, bootstrap).expect_err("refused");
        insta::assert_snapshot!(
            [
                refuse(vec![existing("deployment.apps/roc", OfSession), existing("service/roc", OfSession)], None),
                refuse(
                    vec![existing("deployment.apps/roc", OfSession)],
                    Some(own(BootstrapState::Running))
                ),
                refuse(vec![existing("deployment.apps/roc", OfApplication)], None),
                refuse(vec![], Some(own(BootstrapState::Running))),
                refuse(vec![existing("deployment.apps/roc", Foreign)], None),
                refuse(vec![existing("deployment.apps/roc", OfSession), existing("service/roc-rest", Foreign)], None),
                refuse(vec![], Some(EarlierBootstrap::Foreign)),
                refuse(
                    vec![existing("deployment.apps/roc", OfSession)],
                    Some(EarlierBootstrap::ByHand)
                ),
                refuse(vec![], Some(EarlierBootstrap::ByHand)),
                refuse(vec![existing("service/roc-rest", OfSession)], None),
                refuse(vec![existing("service/roc", OfSession), existing("service/roc-rest", OfSession)], None),
                refuse(vec![existing("configmap/roc-cluster-config-map", HighAvailability)], None),
            ]
            .join("\n"),
            @"
        session roc exists already in namespace team-a
        session roc exists already in namespace team-a
        roc is a Flink application cluster in namespace team-a
        session roc is being created in namespace team-a, for 7 s now
        deployment.apps/roc in namespace team-a would be overwritten or deleted by Flink
        service/roc-rest in namespace team-a would be overwritten or deleted by Flink
        job.batch/boot-roc in namespace team-a has the name that the bootstrap of roc needs
        session roc exists already in namespace team-a
        job.batch/boot-roc in namespace team-a is what is left of a session that was roc
        service/roc-rest in namespace team-a is what is left of a session that was roc
        service/roc, service/roc-rest in namespace team-a are what is left of a session that was roc
        high-availability state of an earlier session roc would bring its jobs back: configmap/roc-cluster-config-map
        "
        );
    }
}
