//! From evidence to findings: what is wrong with a session, in sentences a person can act on.
//!
//! Pure. The same rules serve the wait of `create` and `status`.

pub mod phase;
mod remedies;
pub mod rules;
pub mod stack_trace;

pub use phase::Phase;

use crate::model::{Evidence, Finding};

/// All that is wrong, worst first.
pub fn findings(evidence: &Evidence) -> Vec<Finding> {
    let mut found: Vec<Finding> = rules::RULES.iter().filter_map(|rule| rule(evidence)).collect();
    found.extend(crate::diagnosis::rules::labels::changed(evidence));
    found.sort_by_key(|finding| !finding.cannot_heal);
    found
}

/// The finding that makes waiting pointless, if there is one.
pub fn hopeless(evidence: &Evidence) -> Option<Finding> {
    findings(evidence).into_iter().find(|finding| finding.cannot_heal)
}

#[cfg(test)]
pub(crate) mod fixtures;
