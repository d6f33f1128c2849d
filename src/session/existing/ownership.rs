//! Which objects Flink makes for a session, by their names and owners, and what its state holds.
//!
//! Labels are copied: what only carries those of a session may be somebody else's.

use crate::session::spec::name::SessionName;

/// What is looked at of an object: its name, and the kind and name of each owner.
#[derive(Clone, Debug, Default)]
pub struct Marks<'a> {
    pub name: &'a str,
    pub owners: Vec<(&'a str, &'a str)>,
}

impl Marks<'_> {
    /// True when nobody owns it but what Flink makes an owner: the Deployment of the session's name, in
    /// 1.10 its Service, which 1.10 writes as kind `service`.
    pub fn is_own_or_free(&self, session: &SessionName) -> bool {
        self.owners.iter().all(|(kind, name)| {
            *name == session.as_str()
                && (kind.eq_ignore_ascii_case("deployment") || kind.eq_ignore_ascii_case("service"))
        })
    }

    /// True when the session's Deployment or, in 1.10, its Service owns it.
    pub fn is_owned(&self, session: &SessionName) -> bool {
        !self.owners.is_empty() && self.is_own_or_free(session)
    }

    /// True for the Job that makes the session, where its labels say so: it has the name, and nobody owns it but the
    /// Deployment that it has made.
    pub fn is_bootstrap(&self, session: &SessionName) -> bool {
        self.name == session.bootstrap_job() && self.is_own_or_free(session)
    }

    /// True for a pod of that Job, where its labels say so.
    pub fn is_bootstrap_pod(&self, session: &SessionName) -> bool {
        let job = session.bootstrap_job();
        self.name.starts_with(&format!("{job}-"))
            && self.owners.iter().all(|(kind, name)| *kind == "Job" && *name == job)
    }

    pub fn is_service(&self, session: &SessionName) -> bool {
        let is_known = self.name == session.as_str() || self.name == session.rest_service();
        self.is_own_or_free(session) && (is_known || !self.owners.is_empty())
    }

    /// True for its configuration, and what else a JobManager mounts.
    pub fn is_config_map(&self, session: &SessionName) -> bool {
        let further = session.further_config_maps();
        let is_known = self.name == session.config_map() || further.iter().any(|known| known == self.name);
        self.is_own_or_free(session) && (is_known || !self.owners.is_empty())
    }

    /// True for the NetworkPolicy that `create` makes for the session.
    pub fn is_network_policy(&self, session: &SessionName) -> bool {
        self.name == session.as_str() && self.is_own_or_free(session)
    }

    /// Flink calls a TaskManager `NAME-taskmanager-ATTEMPT-N`.
    pub fn is_taskmanager(&self, session: &SessionName) -> bool {
        self.name.starts_with(&format!("{session}-taskmanager-")) && self.is_own_or_free(session)
    }

    /// The ReplicaSet of the session's Deployment, `NAME-HASH`, that owns this JobManager.
    pub fn replica_set_of_jobmanager(&self, session: &SessionName) -> Option<&str> {
        let of_session = |name: &str| {
            let hash = name.strip_prefix(session.as_str()).and_then(|rest| rest.strip_prefix('-'));
            hash.is_some_and(|hash| !hash.is_empty() && hash.bytes().all(|byte| byte.is_ascii_alphanumeric()))
        };
        let mut owners = self.owners.iter();
        owners.find(|(kind, name)| *kind == "ReplicaSet" && of_session(name)).map(|(_, name)| *name)
    }

    /// True for high-availability state, which nobody owns, so that it outlives the session.
    /// `is_labelled` is for the label `configmap-type=high-availability`, which 2.x does without.
    pub fn is_state(&self, session: &SessionName, is_labelled: bool) -> bool {
        // 1.15 and later have the first alone, 1.12 to 1.14 the others.
        const OF_SESSION: [&str; 4] =
            ["cluster-config-map", "restserver-leader", "dispatcher-leader", "resourcemanager-leader"];
        let rest = self.name.strip_prefix(session.as_str()).and_then(|rest| rest.strip_prefix('-'));
        let is_named = rest.is_some_and(|rest| {
            is_labelled || OF_SESSION.contains(&rest) || job_of(self.name, session).is_some()
        });
        is_named && self.owners.is_empty()
    }
}

/// The id of the job whose state a ConfigMap is: `NAME-ID-config-map` from 1.15 on,
/// `NAME-ID-jobmanager-leader` before.
pub fn job_of<'a>(config_map: &'a str, session: &SessionName) -> Option<&'a str> {
    let rest = config_map.strip_prefix(session.as_str())?.strip_prefix('-')?;
    let id = rest.strip_suffix("-config-map").or_else(|| rest.strip_suffix("-jobmanager-leader"))?;
    (id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit())).then_some(id)
}

/// What a key of high-availability state stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holding<'a> {
    Nothing,
    /// A job that starts again with the session, by its id.
    Job(&'a str),
    /// Of the job that the ConfigMap belongs to.
    Checkpoint,
    /// What is not known may be needed.
    More,
}

/// Sorts a key (`Constants` of flink-kubernetes, 1.20.5 and 2.3.0; `application-ID` is new in 2.3).
pub fn holding(key: &str) -> Holding<'_> {
    // Who leads, in all versions, and how far checkpoints were counted.
    const NOTHING: [&str; 3] = ["address", "sessionId", "counter"];
    // Who leads, from 1.15 on; which jobs have run, up to 1.14.
    const NOTHING_OF: [&str; 2] = ["org.apache.flink.k8s.leader.", "runningJobsRegistry-"];
    if let Some(id) = key.strip_prefix("jobGraph-").or_else(|| key.strip_prefix("executionPlan-")) {
        Holding::Job(id)
    } else if key.starts_with("checkpointID-") {
        Holding::Checkpoint
    } else if NOTHING.contains(&key) || NOTHING_OF.iter().any(|start| key.starts_with(start)) {
        Holding::Nothing
    } else {
        Holding::More
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name() -> SessionName {
        "roc".parse().expect("name")
    }

    fn marks<'a>(name: &'a str, owner: Option<(&'a str, &'a str)>) -> Marks<'a> {
        Marks { name, owners: owner.into_iter().collect() }
    }

    #[test]
    fn a_jobmanager_belongs_to_a_replica_set_of_the_session() {
        let of =
            |owner| marks("roc-1", Some(("ReplicaSet", owner))).replica_set_of_jobmanager(&name()).is_some();
        assert!(of("roc-6d6c65cf99"));
        // Another Deployment whose pods have the labels.
        assert!(!of("roc-exporter-6d6c65cf99"));
        assert!(!of("rocket-6d6c65cf99"));
        assert_eq!(marks("roc-1", None).replica_set_of_jobmanager(&name()), None);
    }

    #[test]
    fn state_is_what_nobody_owns_and_has_a_name_of_state() {
        let is = |config_map: &str, is_labelled| marks(config_map, None).is_state(&name(), is_labelled);
        for state in [
            "roc-cluster-config-map",
            "roc-8e91dc59d12b7474c390b0a756115346-config-map",
            "roc-restserver-leader",
            "roc-8e91dc59d12b7474c390b0a756115346-jobmanager-leader",
        ] {
            assert!(is(state, false), "{state}");
        }
        assert!(!is("roc-logging-config-map", false), "a chart's");
        assert!(!is("kept-roc-ha", true), "a copy");
        assert!(!is("flink-config-roc", false));
        let owned = marks("roc-cluster-config-map", Some(("Deployment", "roc")));
        assert!(!owned.is_state(&name(), true));
    }

    #[test]
    fn a_copy_of_the_bootstrap_job_is_somebody_elses() {
        assert!(marks("boot-roc", None).is_bootstrap(&name()));
        assert!(marks("boot-roc", Some(("Deployment", "roc"))).is_bootstrap(&name()));
        assert!(!marks("nightly", None).is_bootstrap(&name()));
        assert!(!marks("boot-roc", Some(("CronJob", "nightly"))).is_bootstrap(&name()));
        assert!(marks("boot-roc-x1", Some(("Job", "boot-roc"))).is_bootstrap_pod(&name()));
        assert!(marks("boot-roc-x1", None).is_bootstrap_pod(&name()), "its Job is gone");
        assert!(!marks("boot-roc-x1", Some(("Job", "nightly"))).is_bootstrap_pod(&name()));
        assert!(!marks("debug", None).is_bootstrap_pod(&name()));
    }

    #[test]
    fn what_flink_1_10_makes_belongs_to_its_service() {
        assert!(marks("flink-config-roc", Some(("service", "roc"))).is_config_map(&name()));
        assert!(marks("roc-taskmanager-1-1", Some(("service", "roc"))).is_taskmanager(&name()));
        assert!(!marks("flink-config-roc", Some(("HelmRelease", "roc"))).is_config_map(&name()));
        assert!(!marks("somebodys", None).is_service(&name()));
    }
}
