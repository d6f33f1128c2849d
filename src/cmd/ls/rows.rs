//! Sessions as rows.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::model::session::{Load, Owner};
use crate::model::{SessionView, TableView};
use crate::output::age;

pub const UNKNOWN: &str = "<unknown>";

/// Which columns are shown.
#[derive(Clone, Debug, Default)]
pub struct Columns {
    /// What has happened, in front.
    pub event: bool,
    pub namespace: bool,
    pub wide: bool,
    pub labels: Vec<String>,
    pub all_labels: bool,
}

type Cell = fn(&SessionView, Timestamp) -> String;

const FIRST: [(&str, Cell); 5] = [
    ("NAME", |s, _| s.name.clone()),
    ("READY", |s, _| format!("{}/{}", s.ready, s.desired)),
    ("STATUS", |s, _| s.status.clone()),
    ("VERSION", |s, _| known(s.version.as_ref())),
    ("TASKMANAGERS", |s, _| known(s.taskmanagers)),
];

/// What REST tells comes before the columns that a narrow terminal cuts off.
const LOAD: [(&str, Cell); 2] = [
    ("FREE SLOTS", |s, _| known(s.load.map(|load| format!("{}/{}", load.slots_free, load.slots_total)))),
    ("JOBS", |s, _| known(s.load.map(jobs))),
];

const THEN: [(&str, Cell); 2] = [
    ("RESTARTS", |s, _| restarts(s)),
    ("AGE", |s, now| known(s.created.map(|created| age::human(now.duration_since(created).as_secs())))),
];

const WIDE: [(&str, Cell); 4] = [
    ("IMAGE", |s, _| known(s.image.as_ref())),
    ("OWNER", |s, _| known(s.owner.map(Owner::as_str))),
    ("HA", |s, _| known(s.high_availability.map(|on| if on { "on" } else { "off" }))),
    ("SERVICE", |s, _| known(s.service_type.as_ref())),
];

/// Those of which a task runs, of all that have not ended.
fn jobs(load: Load) -> String {
    format!("{}/{}", load.jobs_running, load.jobs_running + load.jobs_without_tasks)
}

/// Where pods may be seen, a session without one has restarted none.
fn restarts(session: &SessionView) -> String {
    known(session.restarts.as_deref().or(session.taskmanagers.map(|_| "0")))
}

fn known(value: Option<impl ToString>) -> String {
    value.map_or_else(|| UNKNOWN.to_owned(), |value| value.to_string())
}

impl Columns {
    fn cells(&self) -> Vec<(&'static str, Cell)> {
        let namespace: Option<(&str, Cell)> =
            self.namespace.then_some(("NAMESPACE", |s, _| s.namespace.clone()));
        let (load, wide) = if self.wide { (&LOAD[..], &WIDE[..]) } else { (&[][..], &[][..]) };
        let parts = [&FIRST[..], load, &THEN, wide];
        namespace.into_iter().chain(parts.into_iter().flatten().copied()).collect()
    }

    fn header(&self) -> Vec<String> {
        let event = self.event.then(|| "EVENT".to_owned());
        let cells = self.cells().into_iter().map(|(name, _)| name.to_owned());
        // As kubectl: what stands behind the domain.
        let label = |key: &String| key.rsplit('/').next().unwrap_or(key).to_uppercase();
        let all = self.all_labels.then(|| "LABELS".to_owned());
        event.into_iter().chain(cells).chain(self.labels.iter().map(label)).chain(all).collect()
    }

    fn row(&self, event: &str, session: &SessionView, now: Timestamp) -> Vec<String> {
        let event = self.event.then(|| event.to_owned());
        let cells = self.cells().into_iter().map(|(_, cell)| cell(session, now));
        let labels = self.labels.iter().map(|key| session.labels.get(key).cloned().unwrap_or_default());
        let all = self.all_labels.then(|| joined(&session.labels));
        event.into_iter().chain(cells).chain(labels).chain(all).collect()
    }

    /// The table of `rows`, each with what has happened to it.
    pub fn table<'a>(
        &self,
        rows: impl IntoIterator<Item = (&'a str, &'a SessionView)>,
        now: Timestamp,
    ) -> TableView {
        let rows = rows.into_iter().map(|(event, session)| self.row(event, session, now));
        TableView { header: self.header(), rows: rows.collect() }
    }
}

fn joined(labels: &BTreeMap<String, String>) -> String {
    match labels.is_empty() {
        true => "<none>".to_owned(),
        false => labels.iter().map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>().join(","),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::session::tests::roc;
    use crate::output::table;

    fn printed(columns: &Columns) -> String {
        let legacy = SessionView {
            namespace: "team-b".to_owned(),
            status: "CrashLoopBackOff".to_owned(),
            owner: Some(Owner::FlinkOperator),
            desired: 1,
            taskmanagers: Some(0),
            ..SessionView::named("team-b", "legacy", "CrashLoopBackOff")
        };
        let now = "2026-01-01T00:03:10Z".parse().expect("time");
        table::render(&columns.table([("ADDED", &roc()), ("DELETED", &legacy)], now), true)
    }

    #[test]
    fn tables() {
        let labels = vec!["example.com/app".to_owned(), "app".to_owned()];
        insta::assert_snapshot!(
            [
                printed(&Columns::default()),
                printed(&Columns { namespace: true, wide: true, ..Columns::default() }),
                printed(&Columns { event: true, labels, all_labels: true, ..Columns::default() }),
            ]
            .join("\n")
        );
    }
}
