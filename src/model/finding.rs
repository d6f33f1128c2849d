//! One diagnosed problem.

use serde::Serialize;

/// What is wrong in one sentence, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Finding {
    /// Stable name of the rule, such as `image-pull`.
    pub id: &'static str,
    /// One true sentence that names the object.
    pub summary: String,
    /// What was seen, in the words of the component that said it.
    pub evidence: Option<String>,
    /// What to do or type next.
    pub fix: String,
    /// True when waiting will not make it better.
    pub cannot_heal: bool,
}
