//! Labels that were changed: the words for them, and the command that repairs them.

use crate::model::{Evidence, Finding, Relabelled};
use crate::session::text::shell::quoted;

/// The id of these findings.
pub const ID: &str = "labels-changed";

/// One finding for each object whose labels were changed.
pub fn changed(evidence: &Evidence) -> Vec<Finding> {
    evidence.relabelled.iter().map(|object| of(object, &evidence.name, &evidence.scope)).collect()
}

/// What was changed on an object of session `name`. `scope` has the flags that reach it.
pub fn of(relabelled: &Relabelled, name: &str, scope: &str) -> Finding {
    let Relabelled { object, changes, is_released } = relabelled;
    let told: Vec<String> = changes
        .iter()
        .map(|change| match &change.now {
            Some(now) => format!("{} is {now:?} instead of {}", change.key, change.was),
            None => format!("{}={} is missing", change.key, change.was),
        })
        .collect();
    let told = told.join(", ");
    let summary = match is_released {
        false => format!("labels of {object} of session {name} were changed: {told}"),
        true => format!(
            "labels of {object} of session {name} were changed: {told}; its ReplicaSet replaced it, and it is still running with the jobs that it had"
        ),
    };
    let labels: Vec<String> =
        changes.iter().map(|change| quoted(&format!("{}={}", change.key, change.was))).collect();
    Finding {
        id: ID,
        summary,
        evidence: None,
        fix: format!(
            "kubectl label{scope} {} --overwrite {}",
            quoted(&object.replace("deployment.apps/", "deployment/")),
            labels.join(" ")
        ),
        cannot_heal: false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::LabelChange;

    fn relabelled(object: &str, is_released: bool) -> Relabelled {
        let change = |key: &str, now: Option<&str>, was: &str| LabelChange {
            key: key.to_owned(),
            now: now.map(str::to_owned),
            was: was.to_owned(),
        };
        let changes = vec![change("app", Some("x"), "roc"), change("type", None, "flink-native-kubernetes")];
        Relabelled { object: object.to_owned(), changes, is_released }
    }

    #[test]
    fn the_change_is_named_with_the_command_that_repairs_it() {
        let finding = of(&relabelled("deployment.apps/roc", false), "roc", " -n team-a");
        insta::assert_snapshot!(format!("{}\n{}", finding.summary, finding.fix), @r#"
        labels of deployment.apps/roc of session roc were changed: app is "x" instead of roc, type=flink-native-kubernetes is missing
        kubectl label -n team-a deployment/roc --overwrite app=roc type=flink-native-kubernetes
        "#);
    }

    #[test]
    fn a_jobmanager_that_was_let_go_may_have_jobs() {
        let finding = of(&relabelled("pod/roc-1-2", true), "roc", "");
        assert!(finding.summary.ends_with("still running with the jobs that it had"), "{}", finding.summary);
        assert_eq!(finding.fix, "kubectl label pod/roc-1-2 --overwrite app=roc type=flink-native-kubernetes");
    }
}
