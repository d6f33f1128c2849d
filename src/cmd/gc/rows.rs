//! Left-overs as rows.

use jiff::Timestamp;

use crate::model::{LeftOver, TableView};
use crate::output::age;

type Cell = fn(&LeftOver, Timestamp) -> String;

const ALWAYS: [(&str, Cell); 4] = [
    ("OBJECT", |left, _| left.object.to_string()),
    ("SESSION", |left, _| left.session.clone().unwrap_or_else(|| "<none>".to_owned())),
    ("AGE", |left, now| match left.touched {
        Some(touched) => age::human(now.duration_since(touched).as_secs()),
        None => "<unknown>".to_owned(),
    }),
    ("REASON", |left, _| left.reason.clone()),
];

pub fn table(found: &[LeftOver], namespaces: bool, now: Timestamp) -> TableView {
    let namespace: Option<(&str, Cell)> =
        namespaces.then_some(("NAMESPACE", |left, _| left.object.namespace.clone()));
    let cells: Vec<(&str, Cell)> = namespace.into_iter().chain(ALWAYS).collect();
    TableView {
        header: cells.iter().map(|(name, _)| (*name).to_owned()).collect(),
        rows: found.iter().map(|left| cells.iter().map(|(_, cell)| cell(left, now)).collect()).collect(),
    }
}
