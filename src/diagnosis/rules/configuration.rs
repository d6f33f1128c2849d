//! Settings that the JobManager cannot read. It says so in its log alone, and goes on: without the setting, or
//! without TaskManagers.

use crate::model::Finding;
use crate::model::evidence::Evidence;
use crate::session::text::shell::quoted;

/// With which a message about a line of `flink-conf.yaml` begins (`GlobalConfiguration`, 1.10 to 1.20): the line has no
/// value or no key.
const LINES: [&str; 2] = [
    "Error while trying to split key and value in configuration file ",
    "Error after splitting key and value in configuration file ",
];

/// A value that is not of the setting's type (`Configuration#getOptional`, 1.10 and later). What asks for the setting
/// fails, each time: a TaskManager is not started, for example.
pub fn value_unread(evidence: &Evidence) -> Option<Finding> {
    let key = logs(evidence).find_map(unparsed_key)?;
    // The message has the value, which may be a secret.
    let said = format!("Could not parse the value for key '{key}'");
    Some(finding(
        evidence,
        "setting-not-parsed",
        format!("the JobManager of session {} cannot parse the value of {key}", evidence.name),
        said,
    ))
}

/// A line of the file of settings that Flink leaves out.
pub fn line_unread(evidence: &Evidence) -> Option<Finding> {
    let (said, place) = logs(evidence).find_map(ignored_line)?;
    Some(finding(
        evidence,
        "setting-ignored",
        format!("the JobManager of session {} ignores a line of its settings", evidence.name),
        format!("{said}{place}"),
    ))
}

fn finding(evidence: &Evidence, id: &'static str, summary: String, said: String) -> Finding {
    Finding {
        id,
        summary,
        evidence: Some(said),
        fix: format!(
            "create the session again with another value; it stands in: kubectl get{} configmap flink-config-{} -o yaml",
            evidence.scope,
            quoted(&evidence.name)
        ),
        cannot_heal: false,
    }
}

/// What was read of the logs of JobManagers.
fn logs(evidence: &Evidence) -> impl Iterator<Item = &str> {
    let of_pods = evidence.jobmanagers.iter().filter_map(|pod| pod.last_log.as_deref());
    evidence.jobmanager_log.as_deref().into_iter().chain(of_pods)
}

/// The key in `Could not parse value 'VALUE' for key 'KEY'.`; from 1.20 on, `'VALUE' ` is missing where it is a secret.
fn unparsed_key(log: &str) -> Option<&str> {
    let start = log.rfind("Could not parse value ")?;
    // The value may have line ends.
    let (_, rest) = log[start..].split_once("for key '")?;
    let (key, _) = rest.split_once("'.")?;
    (!key.is_empty() && !key.contains(char::is_whitespace)).then_some(key)
}

/// The message about a line and where it stands, without the line itself, which older versions print.
fn ignored_line(log: &str) -> Option<(&'static str, &str)> {
    LINES.into_iter().find_map(|said| {
        let start = log.rfind(said)? + said.len();
        // FILE:NUMBER: ...
        let place = log[start..].lines().next()?;
        let (place, _) = place.split_once(": ")?;
        Some((said, place))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnosis::{findings, fixtures};

    fn with_log(log: &str) -> Evidence {
        let mut evidence = fixtures::created(fixtures::jobmanager());
        evidence.jobmanager_log = Some(log.to_owned());
        evidence
    }

    #[test]
    fn a_value_that_keeps_taskmanagers_away_is_found_by_its_key() {
        let log = "\
2026-11-30 20:17:44,284 ERROR org.apache.flink.runtime.rpc.pekko.FencedPekkoRpcActor [] - Caught exception while executing runnable in main thread.\n\
java.lang.IllegalArgumentException: Could not parse value 'color:' for key 'kubernetes.taskmanager.annotations'.\n\
\tat org.apache.flink.configuration.Configuration.getOptional(Configuration.java:381)\n\
Caused by: java.lang.IllegalArgumentException: Map item is not a key-value pair (missing ':'?)\n";
        let found = findings(&with_log(log));
        let finding = found.first().expect("a finding");
        assert_eq!(finding.id, "setting-not-parsed");
        assert_eq!(
            finding.summary,
            "the JobManager of session roc cannot parse the value of kubernetes.taskmanager.annotations"
        );
        assert!(finding.fix.contains("kubectl get -n team-a configmap flink-config-roc"), "{}", finding.fix);
        for log in [
            "IllegalArgumentException: Could not parse value for key 'my.password'.",
            "IllegalArgumentException: Could not parse value 'a\nb' for key 'my.password'.",
        ] {
            let finding = value_unread(&with_log(log)).expect(log);
            assert!(finding.summary.ends_with("the value of my.password"), "{}", finding.summary);
            assert_eq!(finding.evidence.as_deref(), Some("Could not parse the value for key 'my.password'"));
        }
    }

    #[test]
    fn a_line_that_flink_leaves_out_is_found_and_not_shown() {
        // 1.10, 1.17 and the other message of 1.20.
        for (log, said) in [
            (
                "WARN o.a.f.configuration.GlobalConfiguration - Error while trying to split key and value in configuration file /opt/flink/conf/flink-conf.yaml:7: \"my.password\"\n",
                "Error while trying to split key and value in configuration file /opt/flink/conf/flink-conf.yaml:7",
            ),
            (
                "Error while trying to split key and value in configuration file /opt/flink/conf/flink-conf.yaml:12: Line is not a key-value pair (missing space after ':'?)",
                "Error while trying to split key and value in configuration file /opt/flink/conf/flink-conf.yaml:12",
            ),
            (
                "Error after splitting key and value in configuration file /opt/flink/conf/flink-conf.yaml:3: Key or value was empty\n",
                "Error after splitting key and value in configuration file /opt/flink/conf/flink-conf.yaml:3",
            ),
        ] {
            let finding = line_unread(&with_log(log)).expect(log);
            assert_eq!(finding.id, "setting-ignored");
            assert_eq!(finding.evidence.as_deref(), Some(said));
        }
    }

    #[test]
    fn a_healthy_session_has_neither() {
        let evidence = with_log("INFO GlobalConfiguration [] - Loading configuration property: a, b\n");
        assert_eq!((value_unread(&evidence), line_unread(&evidence)), (None, None));
    }
}
