//! An object of a session whose labels were changed.

use std::collections::BTreeMap;

/// An object on which labels that Flink set have other values now, or are missing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Relabelled {
    /// As kubectl names it: `deployment.apps/roc`.
    pub object: String,
    pub changes: Vec<LabelChange>,
    /// A JobManager pod that no longer belongs to its ReplicaSet because of that. It is still running.
    pub is_released: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LabelChange {
    pub key: String,
    /// None when the label is missing.
    pub now: Option<String>,
    /// What Flink set.
    pub was: String,
}

impl LabelChange {
    /// Which of the labels that Flink set are not `there` with the same value.
    pub fn all(flinks: Vec<(String, String)>, there: &BTreeMap<String, String>) -> Vec<Self> {
        let changed = flinks.into_iter().filter(|(key, value)| there.get(key) != Some(value));
        changed.map(|(key, was)| Self { now: there.get(&key).cloned(), key, was }).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_and_missing_labels_are_changes_and_further_labels_are_not() {
        let pairs = |pairs: &[(&str, &str)]| -> Vec<(String, String)> {
            pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
        };
        let flinks = || pairs(&[("app", "roc"), ("type", "native"), ("component", "jobmanager")]);
        let there = pairs(&[("app", "x"), ("component", "jobmanager"), ("team", "b")]).into_iter().collect();
        let changes = LabelChange::all(flinks(), &there);
        let told: Vec<_> = changes
            .iter()
            .map(|change| (change.key.as_str(), change.now.as_deref(), change.was.as_str()))
            .collect();
        assert_eq!(told, [("app", Some("x"), "roc"), ("type", None, "native")]);
        assert_eq!(LabelChange::all(flinks(), &flinks().into_iter().collect()), []);
    }
}
