//! From evidence to findings: what is wrong with a session, in sentences a person can act on.
//!
//! Pure. The same rules serve the wait of `create` and `status`.

pub mod before;
pub mod cause;
pub mod configuration;
mod fix;
mod jobmanagers;
pub mod labels;
pub mod left_over;
pub mod phase;
pub mod refusal;
pub mod room;
pub mod rules;
pub mod state;
pub mod taskmanagers;

pub use phase::Phase;

use crate::model::{Evidence, Finding};

/// All that is wrong, worst first.
pub fn findings(evidence: &Evidence) -> Vec<Finding> {
    let mut found: Vec<Finding> = rules::RULES.iter().filter_map(|rule| rule(evidence)).collect();
    found.extend(labels::changed(evidence));
    found.sort_by_key(|finding| !finding.cannot_heal);
    found
}

/// The finding that makes waiting pointless, if there is one.
pub fn hopeless(evidence: &Evidence) -> Option<Finding> {
    findings(evidence).into_iter().find(|finding| finding.cannot_heal)
}

#[cfg(test)]
pub(crate) mod fixtures;
