//! The Services of sessions, from the rows of one small table: most names tell whose they are, and
//! only the others are looked at closely.

use std::collections::{BTreeMap, BTreeSet};

use super::Query;
use super::parts::{Parts, Service};
use crate::cluster::list::ListHead;
use crate::cluster::tables::{Row, cell, escape};
use crate::cluster::{Cluster, Kind, Result};
use crate::session::labels;

/// Types of the Services by their name; several where namespaces share it.
pub(super) type ServiceRows = BTreeMap<String, Vec<String>>;

/// More names than this do not go into one selector: then all are looked at.
const MOST_NAMES: usize = 100;

impl Cluster {
    pub(super) async fn service_rows(&self, namespace: Option<&str>, query: &Query) -> Result<ServiceRows> {
        let mut rows = ServiceRows::new();
        self.each_row(Kind::Service, namespace, &query.native(), |head, row| {
            if let Some((name, type_)) = name_and_type(head, &row) {
                rows.entry(name).or_default().push(type_);
            }
        })
        .await?;
        Ok(rows)
    }

    /// Gives `rows` to the sessions of `parts`, and reads those Services whose names do not tell.
    pub(super) async fn add_services(
        &self,
        namespace: Option<&str>,
        query: &Query,
        rows: ServiceRows,
        parts: &mut Parts,
    ) -> Result<()> {
        let doubtful = sort(rows, parts, query.with_owners);
        if doubtful.is_empty() {
            return Ok(());
        }
        let names: Vec<&str> = doubtful.iter().map(String::as_str).collect();
        let selector = match names.len() > MOST_NAMES {
            true => query.native(),
            false => format!("{},{} in ({})", labels::selector_of_all(), labels::APP, names.join(",")),
        };
        let selector = format!("labelSelector={}", escape(&selector));
        let services: Vec<Service> = self.list_of(Kind::Service, namespace, &selector).await?;
        let of_doubtful = |service: &Service| {
            service.metadata.labels.get(labels::APP).is_some_and(|session| doubtful.contains(session))
        };
        services.into_iter().filter(of_doubtful).for_each(|service| parts.add_service(service));
        Ok(())
    }
}

fn name_and_type(head: &ListHead, row: &Row) -> Option<(String, String)> {
    let at = |name: &str| head.column_definitions.iter().position(|column| column.name == name);
    let text = |index: usize| row.cells.get(index).map(cell);
    Some((text(at("Name")?)?, text(at("Type")?)?))
}

/// Gives each Service to the session that its name tells: Flink calls them `NAME` and `NAME-rest`.
/// Returns the names of sessions whose Services must be looked at: those that are left of a session,
/// and those of a name that several namespaces have, unless each has its own and `exact` types do
/// not matter.
fn sort(rows: ServiceRows, parts: &mut Parts, exact: bool) -> BTreeSet<String> {
    let mut homes: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (namespace, name) in parts.keys() {
        homes.entry(name.clone()).or_default().push(namespace.clone());
    }
    let mut doubtful = BTreeSet::new();
    let mut of_session: BTreeMap<String, ServiceRows> = BTreeMap::new();
    for (service, types) in rows {
        let of_rest = service.strip_suffix("-rest");
        let known =
            [of_rest, Some(service.as_str())].into_iter().flatten().find(|name| homes.contains_key(*name));
        match known.map(str::to_owned) {
            Some(session) => drop(of_session.entry(session).or_default().insert(service, types)),
            None => {
                doubtful.extend(of_rest.map(str::to_owned));
                doubtful.insert(service);
            }
        }
    }
    for (session, namespaces) in &homes {
        let services = of_session.remove(session).unwrap_or_default();
        let each_has_one = services.values().map(Vec::len).max() == Some(namespaces.len());
        match (&namespaces[..], each_has_one) {
            ([_], false) if services.is_empty() => {}
            ([namespace], true) => {
                for (name, type_) in
                    services.iter().flat_map(|(name, types)| types.iter().map(move |t| (name, t)))
                {
                    parts.add_service(Service::of_row(namespace, session, name, type_));
                }
            }
            (several, true) if !exact => {
                for (namespace, name) in
                    several.iter().flat_map(|n| services.keys().map(move |name| (n, name)))
                {
                    parts.add_service(Service::of_row(namespace, session, name, ""));
                }
            }
            _ => drop(doubtful.insert(session.clone())),
        }
    }
    doubtful
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(sessions: &[(&str, &str)]) -> Parts {
        let mut parts = Parts::default();
        for (namespace, name) in sessions {
            let json = format!(
                r#"{{"metadata":{{"name":"{name}","namespace":"{namespace}"}},"spec":{{"template":{{"spec":{{}}}}}}}}"#
            );
            parts.add_deployment(serde_json::from_str(&json).expect("deployment"));
        }
        parts
    }

    /// Which sessions have which Services, and whose must be looked at.
    fn sorted(sessions: &[(&str, &str)], services: &[&str], exact: bool) -> (Vec<String>, Vec<String>) {
        let mut parts = parts(sessions);
        let mut rows = ServiceRows::new();
        for name in services {
            rows.entry((*name).to_owned()).or_default().push("ClusterIP".to_owned());
        }
        let doubtful = sort(rows, &mut parts, exact);
        let of_session = parts.services.iter().map(|((namespace, session), services)| {
            let names: Vec<&str> = services.keys().map(String::as_str).collect();
            format!("{namespace}/{session}: {}", names.join(" "))
        });
        (of_session.collect(), doubtful.into_iter().collect())
    }

    #[test]
    fn a_name_tells_the_session() {
        let (services, doubtful) = sorted(&[("a", "roc"), ("b", "x")], &["roc", "roc-rest", "x-rest"], true);
        assert_eq!(services, ["a/roc: roc roc-rest", "b/x: x-rest"]);
        assert!(doubtful.is_empty());
        // A session that is called like the Service of another.
        let (services, _) = sorted(&[("a", "x-rest")], &["x-rest", "x-rest-rest"], true);
        assert_eq!(services, ["a/x-rest: x-rest x-rest-rest"]);
    }

    #[test]
    fn a_session_without_services_needs_no_closer_look() {
        assert_eq!(sorted(&[("a", "roc")], &[], true), (Vec::new(), Vec::new()));
    }

    #[test]
    fn what_is_left_of_a_session_is_looked_at() {
        let (_, doubtful) = sorted(&[("a", "roc")], &["roc-rest", "old", "gone-rest"], false);
        assert_eq!(doubtful, ["gone", "gone-rest", "old"]);
        // Of the same name as one that lives elsewhere.
        let (_, doubtful) = sorted(&[("a", "roc")], &["roc", "roc", "roc-rest"], false);
        assert_eq!(doubtful, ["roc"]);
    }

    #[test]
    fn a_name_of_several_namespaces_is_looked_at_where_it_matters() {
        let names = [("a", "roc"), ("b", "roc")];
        let each = ["roc", "roc", "roc-rest", "roc-rest"];
        let (services, doubtful) = sorted(&names, &each, false);
        assert_eq!((services.len(), doubtful.len()), (2, 0));
        assert_eq!(sorted(&names, &each, true).1, ["roc"]);
        assert_eq!(sorted(&names, &each[1..3], false).1, ["roc"], "one of them has none");
    }
}
