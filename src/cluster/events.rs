//! Events, asked for one object at a time and only where nothing else says why.

use serde::Deserialize;

use super::tables::escape;
use super::{Cluster, Result};

#[derive(Debug, Deserialize)]
struct EventList {
    items: Vec<Event>,
}

#[derive(Debug, Deserialize)]
struct Event {
    #[serde(default)]
    reason: String,
    #[serde(default)]
    message: String,
}

impl Cluster {
    /// The message of the latest event with `reason` about the object with `uid`.
    pub(super) async fn event_message(
        &self,
        namespace: &str,
        uid: &str,
        reason: &str,
    ) -> Result<Option<String>> {
        let selector = escape(&format!("involvedObject.uid={uid},reason={reason}"));
        let path = format!("/api/v1/namespaces/{namespace}/events?fieldSelector={selector}");
        let list: EventList = self.read(&path, "application/json").await?;
        Ok(list.items.into_iter().rfind(|event| event.reason == reason).map(|event| event.message))
    }
}
