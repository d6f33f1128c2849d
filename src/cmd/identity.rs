//! Whether REST at an address is that of the session in the cluster.
//!
//! Name and namespace prove nothing: another cluster may have a session of the same name.

use std::collections::BTreeMap;

use crate::app::CommandError;
use crate::app::rest::{self, SessionRest};
use crate::cluster::{Cluster, PodPort};
use crate::flink::tls::Pem;
use crate::flink::{self, RestError};
use crate::session::SessionName;
use crate::session::manifest::labels;

/// Each JobManager process makes a directory of its own, as `/tmp/flink-web-UUID`, and shows it
/// (`ClusterEntrypoint.generateClusterConfiguration`; seen with 1.10.3, 1.20.5 and 2.3.0).
const PROCESS: &str = "web.tmpdir";

/// The name of a session in Flink's own settings.
const ID: &str = "kubernetes.cluster-id";

/// What one way to tell two sessions apart has shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Proof {
    Same,
    /// Why it is another one.
    Another(String),
    /// Why nothing is known.
    Unknown(String),
}

/// The session in the cluster.
pub struct Here<'a> {
    pub name: &'a SessionName,
    pub cluster: &'a Cluster,
    /// The identity that `create` has given it.
    pub id: Option<&'a str>,
    /// For a REST API that requires certificates.
    pub pem: Pem,
}

/// Why a Flink with these settings has another name. One that was not started on Kubernetes reports no name.
pub fn another_name(settings: &BTreeMap<String, String>, name: &SessionName) -> Option<String> {
    let there = settings.get(ID).filter(|there| *there != name.as_str())?;
    Some(format!("{ID} is {there} there"))
}

impl Here<'_> {
    /// Whether a Flink with the settings `there` is this session. The process that answers is compared with the session's
    /// own; where that cannot be asked, the identity that `create` has given the session.
    ///
    /// # Errors
    /// When the session cannot be looked for.
    pub async fn compared(&self, there: &BTreeMap<String, String>) -> Result<Proof, CommandError> {
        const OF: &str = "kubernetes.namespace";
        let namespace = self.cluster.namespace();
        if let Some(why) = another_name(there, self.name) {
            return Ok(Proof::Another(why));
        }
        // A session of a cluster always has a name there.
        match (there.get(ID), there.get(OF)) {
            (None, _) => return Ok(Proof::Another(format!("no {ID} is set there"))),
            (_, Some(of)) if of != namespace => return Ok(Proof::Another(format!("{OF} is {of} there"))),
            _ => {}
        }
        Ok(match self.compared_by_process(there.get(PROCESS)).await? {
            Proof::Unknown(why) => by_id(self.id, there.get(labels::SESSION_ID), why),
            proof => proof,
        })
    }

    /// Compares the process that answers at the address with those in the session's pods.
    async fn compared_by_process(&self, there: Option<&String>) -> Result<Proof, CommandError> {
        let Some(there) = there else { return Ok(Proof::Unknown(format!("no {PROCESS} is set there"))) };
        let found = rest::find(self.cluster, self.name).await?;
        let mut own = Vec::new();
        for port in found.all() {
            let pod = port.pod().to_owned();
            own.push((pod, self.process_in(port).await));
        }
        Ok(by_process(there, &own))
    }

    /// What the JobManager in a pod calls its directory.
    async fn process_in(&self, port: PodPort) -> Result<Option<String>, RestError> {
        let rest = SessionRest::of_pod(port, self.pem.clone());
        let settings = flink::configuration(&rest).await;
        settings.map(|mut settings| settings.remove(PROCESS))
    }
}

/// Looks for the process that has the directory `there` among those of the session, by pod.
fn by_process(there: &str, own: &[(String, Result<Option<String>, RestError>)]) -> Proof {
    let is_same = |(_, process): &(String, Result<Option<String>, RestError>)| matches!(process, Ok(Some(own)) if own == there);
    if own.iter().any(is_same) {
        return Proof::Same;
    }
    let unknown = own.iter().find_map(|(pod, process)| match process {
        Ok(Some(_)) => None,
        Ok(None) => Some(format!("the JobManager in pod {pod} shows no {PROCESS}")),
        Err(error) => Some(format!("the JobManager in pod {pod} cannot be asked: {error}")),
    });
    let pods: Vec<&str> = own.iter().map(|(pod, _)| pod.as_str()).collect();
    match unknown {
        Some(why) => Proof::Unknown(why),
        None if pods.is_empty() => Proof::Unknown("no JobManager pod of the session runs".to_owned()),
        None => Proof::Another(format!("another process answers there than in pod {}", pods.join(", "))),
    }
}

/// Compares identities; `otherwise` says why nothing else could be compared.
fn by_id(own: Option<&str>, there: Option<&String>, otherwise: String) -> Proof {
    match (own, there) {
        (Some(own), Some(there)) if own == there => Proof::Same,
        (Some(own), there) => {
            let there = there.map_or("not set", String::as_str);
            Proof::Another(format!("{} is {there} there, and {own} here", labels::SESSION_ID))
        }
        (None, _) => Proof::Unknown(otherwise),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn own(process: Option<&str>) -> (String, Result<Option<String>, RestError>) {
        let silent = || RestError::Forbidden("no".to_owned());
        ("roc-1".to_owned(), process.map(|process| Some(process.to_owned())).ok_or_else(silent))
    }

    #[test]
    fn the_process_that_answers_is_one_of_the_sessions_own() {
        assert_eq!(by_process("a", &[own(Some("b")), own(Some("a"))]), Proof::Same);
        assert_eq!(by_process("a", &[own(None), own(Some("a"))]), Proof::Same);
        assert!(matches!(by_process("a", &[own(Some("b"))]), Proof::Another(_)));
        // One that is silent may be the one.
        assert!(matches!(by_process("a", &[own(Some("b")), own(None)]), Proof::Unknown(_)));
        assert!(matches!(by_process("a", &[]), Proof::Unknown(_)));
    }

    #[test]
    fn a_session_that_has_no_identity_is_not_proved_by_it() {
        let of = |own, there: Option<&str>| by_id(own, there.map(str::to_owned).as_ref(), "why".to_owned());
        assert_eq!(of(Some("a"), Some("a")), Proof::Same);
        assert!(matches!(of(Some("a"), Some("b")), Proof::Another(_)));
        assert!(matches!(of(Some("a"), None), Proof::Another(_)));
        assert_eq!(of(None, None), Proof::Unknown("why".to_owned()));
        assert_eq!(of(None, Some("a")), Proof::Unknown("why".to_owned()));
    }
}
