//! What colours mean. They only repeat what a word says already.

use anstyle::{AnsiColor, Style};

/// Columns whose words are coloured.
pub const COLUMNS: [&str; 2] = ["STATUS", "STATE"];

const GOOD: Style = AnsiColor::Green.on_default();
const UNDER_WAY: Style = AnsiColor::Yellow.on_default();
const BAD: Style = AnsiColor::Red.on_default();

/// The style of a state of Kubernetes' or Flink's, or of a type of event.
pub fn of_state(word: &str) -> Option<Style> {
    match word {
        "Running" | "RUNNING" | "Completed" | "FINISHED" => Some(GOOD),
        "Pending" | "Creating" | "ContainerCreating" | "PodInitializing" | "Terminating" | "Stopped"
        | "CREATED" | "SCHEDULED" | "DEPLOYING" | "INITIALIZING" | "RESTARTING" | "CANCELLING"
        | "CANCELING" | "RECONCILING" | "SUSPENDED" | "CANCELED" => Some(UNDER_WAY),
        "" | "<unknown>" | "<none>" | "Normal" => None,
        _ => Some(BAD),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_known_to_be_well_is_not_green() {
        assert_eq!(of_state("Running"), Some(GOOD));
        assert_eq!(of_state("Creating"), Some(UNDER_WAY));
        for bad in ["CrashLoopBackOff", "Degraded", "Orphaned", "Error", "FAILED", "SomethingNew"] {
            assert_eq!(of_state(bad), Some(BAD), "{bad}");
        }
        assert_eq!(of_state("<unknown>"), None);
    }
}
