//! Events, asked for one object at a time: those of a whole namespace may be thousands.

use jiff::Timestamp;
use serde::Deserialize;

use crate::cluster::api::stream_list::JSON;
use crate::cluster::api::table::escape;
use crate::cluster::{Cluster, Result};
use crate::model::status;

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Event {
    #[serde(rename = "type")]
    kind: String,
    reason: String,
    message: String,
    involved_object: Involved,
    count: Option<u32>,
    last_timestamp: Option<Timestamp>,
    /// Set instead of the last timestamp by who uses events.k8s.io.
    event_time: Option<Timestamp>,
    series: Option<Series>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Involved {
    kind: String,
    name: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Series {
    count: u32,
    last_observed_time: Option<Timestamp>,
}

impl Event {
    fn view(self) -> status::Event {
        let series = self.series.unwrap_or_default();
        status::Event {
            // In the order in which kubectl looks.
            last_seen: series.last_observed_time.or(self.last_timestamp).or(self.event_time),
            kind: self.kind,
            reason: self.reason,
            object: format!("{}/{}", self.involved_object.kind.to_lowercase(), self.involved_object.name),
            message: self.message.trim().to_owned(),
            count: self.count.unwrap_or(1).max(series.count),
        }
    }
}

impl Cluster {
    /// The message of the latest event with `reason` about the object with `uid`.
    pub(in crate::cluster) async fn event_message(
        &self,
        namespace: &str,
        uid: &str,
        reason: &str,
    ) -> Result<Option<String>> {
        let events = self.events(namespace, &format!("involvedObject.uid={uid},reason={reason}")).await?;
        Ok(events.into_iter().rfind(|event| event.reason == reason).map(|event| event.message))
    }

    /// The events of everything that is called `name`, oldest first.
    pub(in crate::cluster) async fn events_of(
        &self,
        namespace: &str,
        name: &str,
    ) -> Result<Vec<status::Event>> {
        let events = self.events(namespace, &format!("involvedObject.name={name}")).await?;
        let mut events: Vec<status::Event> = events.into_iter().map(Event::view).collect();
        events.sort_by_key(|event| event.last_seen);
        Ok(events)
    }

    async fn events(&self, namespace: &str, selector: &str) -> Result<Vec<Event>> {
        let path = format!("/api/v1/namespaces/{namespace}/events?fieldSelector={}", escape(selector));
        self.listed(&path, JSON).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_was_last_seen_when_its_series_was() {
        let view = |json: &str| serde_json::from_str::<Event>(json).expect("event").view();
        let old = view(
            r#"{"type":"Warning","reason":"BackOff","message":"x\n","count":3,"lastTimestamp":"2026-01-01T00:00:01Z",
            "eventTime":null,"involvedObject":{"kind":"Pod","name":"roc-1-2"}}"#,
        );
        assert_eq!((old.object.as_str(), old.count, old.message.as_str()), ("pod/roc-1-2", 3, "x"));
        let new = view(
            r#"{"reason":"Scheduled","lastTimestamp":null,"eventTime":"2026-01-01T00:00:00.5Z",
            "series":{"count":2,"lastObservedTime":"2026-01-01T00:00:02.5Z"}}"#,
        );
        assert_eq!(new.last_seen.map(|time| time.to_string()).as_deref(), Some("2026-01-01T00:00:02.5Z"));
        assert_eq!(new.count, 2);
    }
}
