//! The Services of sessions, from the rows of one small table: most names tell whose they are, and
//! only the others are looked at closely.

use std::collections::{BTreeMap, BTreeSet};

use super::Query;
use super::parts::{Parts, Service, key_of_service};
use crate::cluster::api::stream_list::ListHead;
use crate::cluster::api::table::{Row, cell, escape};
use crate::cluster::{Cluster, Kind, Result};
use crate::session::manifest::labels;

/// Types of the Services by their name; several where namespaces share it.
pub(super) type ServiceRows = BTreeMap<String, Vec<String>>;

/// More names than this do not go into one selector: then all are looked at.
const MOST_NAMES: usize = 100;

impl Cluster {
    pub(super) async fn service_rows(&self, namespace: Option<&str>, query: &Query) -> Result<ServiceRows> {
        let native = query.native();
        let rows = self.each_row(Kind::Service, namespace, &native, |rows: &mut ServiceRows, head, row| {
            if let Some((name, type_)) = name_and_type(head, &row) {
                rows.entry(name).or_default().push(type_);
            }
        });
        rows.await.map(|(_, rows)| rows)
    }

    /// Gives `rows` to the sessions of `parts`, and reads those Services whose names do not tell.
    pub(super) async fn add_services(
        &self,
        namespace: Option<&str>,
        query: &Query,
        rows: ServiceRows,
        parts: &mut Parts,
    ) -> Result<()> {
        let doubtful = sort(rows, parts, query.takes_left_overs());
        if doubtful.is_empty() {
            return Ok(());
        }
        let names: Vec<&str> = doubtful.iter().map(String::as_str).collect();
        let selector = match names.len() > MOST_NAMES {
            true => query.native(),
            false => format!("{},{} in ({})", labels::selector_of_all(), labels::APP, names.join(",")),
        };
        let services = self.services(namespace, &selector).await?;
        let of_doubtful = |service: &Service| {
            key_of_service(service).is_some_and(|(_, session)| doubtful.contains(&session))
        };
        services.into_iter().filter(of_doubtful).for_each(|service| parts.add_service(service));
        Ok(())
    }

    /// The Services themselves: ten times what their rows take.
    pub(super) async fn services(&self, namespace: Option<&str>, selector: &str) -> Result<Vec<Service>> {
        let selector = format!("labelSelector={}", escape(selector));
        self.list_of(Kind::Service, namespace, &selector).await
    }
}

fn name_and_type(head: &ListHead, row: &Row) -> Option<(String, String)> {
    let text = |index: usize| row.cells.get(index).map(cell);
    Some((text(head.column("Name")?)?, text(head.column("Type")?)?))
}

/// Gives each Service to the session that its name tells: Flink calls them `NAME` and `NAME-rest`.
/// Returns the names of sessions whose Services must be looked at: of a name that could be of two
/// sessions, of one that namespaces share unless each has its own, and `with_left_overs` of one that
/// no Deployment has.
fn sort(rows: ServiceRows, parts: &mut Parts, with_left_overs: bool) -> BTreeSet<String> {
    let mut homes: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (namespace, name) in parts.deployments.keys() {
        homes.entry(name.clone()).or_default().push(namespace.clone());
    }
    let mut doubtful = BTreeSet::new();
    let mut of_session: BTreeMap<String, ServiceRows> = BTreeMap::new();
    for (service, types) in rows {
        let of_rest = service.strip_suffix("-rest").map(str::to_owned);
        let candidates = of_rest.into_iter().chain([service.clone()]);
        let known: Vec<String> = candidates.clone().filter(|name| homes.contains_key(name)).collect();
        match &known[..] {
            [session] => drop(of_session.entry(session.clone()).or_default().insert(service, types)),
            [] if with_left_overs => doubtful.extend(candidates),
            [] => {}
            several => doubtful.extend(several.iter().cloned()),
        }
    }
    for (session, namespaces) in
        homes.iter().filter(|(session, _)| !doubtful.contains(*session)).collect::<Vec<_>>()
    {
        let services = of_session.remove(session).unwrap_or_default();
        let most = services.values().map(Vec::len).max().unwrap_or(0);
        if most == namespaces.len() {
            for (namespace, name) in
                namespaces.iter().flat_map(|n| services.keys().map(move |name| (n, name)))
            {
                parts.add_service(Service::of_row(namespace, session, name, ""));
            }
        } else if most > 0 || namespaces.len() > 1 {
            doubtful.insert(session.clone());
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
    fn sorted(sessions: &[(&str, &str)], services: &[&str]) -> (Vec<String>, Vec<String>) {
        let mut parts = parts(sessions);
        let mut rows = ServiceRows::new();
        for name in services {
            rows.entry((*name).to_owned()).or_default().push("ClusterIP".to_owned());
        }
        let doubtful = sort(rows, &mut parts, true);
        let of_session = parts.services.iter().map(|((namespace, session), services)| {
            let names: Vec<&str> = services.keys().map(String::as_str).collect();
            format!("{namespace}/{session}: {}", names.join(" "))
        });
        (of_session.collect(), doubtful.into_iter().collect())
    }

    #[test]
    fn a_name_tells_the_session() {
        let (services, doubtful) = sorted(&[("a", "roc"), ("b", "x")], &["roc", "roc-rest", "x-rest"]);
        assert_eq!(services, ["a/roc: roc roc-rest", "b/x: x-rest"]);
        assert!(doubtful.is_empty());
        let (services, _) = sorted(&[("a", "x-rest")], &["x-rest", "x-rest-rest"]);
        assert_eq!(services, ["a/x-rest: x-rest x-rest-rest"]);
    }

    #[test]
    fn a_session_that_is_called_like_the_service_of_another_is_looked_at() {
        let all = ["x", "x-rest", "x-rest", "x-rest-rest"];
        assert_eq!(
            sorted(&[("a", "x"), ("b", "x-rest")], &all),
            (Vec::new(), ["x", "x-rest"].map(str::to_owned).to_vec())
        );
    }

    #[test]
    fn a_session_without_services_needs_no_closer_look() {
        assert_eq!(sorted(&[("a", "roc")], &[]), (Vec::new(), Vec::new()));
    }

    #[test]
    fn what_is_left_of_a_session_is_looked_at_unless_nobody_asks() {
        let names = ["roc-rest", "old", "gone-rest"];
        let (_, doubtful) = sorted(&[("a", "roc")], &names);
        assert_eq!(doubtful, ["gone", "gone-rest", "old"]);
        // Of the same name as one that lives elsewhere.
        let (_, doubtful) = sorted(&[("a", "roc")], &["roc", "roc", "roc-rest"]);
        assert_eq!(doubtful, ["roc"]);
        let rows = names.map(|name| (name.to_owned(), vec!["ClusterIP".to_owned()])).into_iter().collect();
        assert!(sort(rows, &mut parts(&[("a", "roc")]), false).is_empty());
    }

    #[test]
    fn a_name_of_several_namespaces_is_looked_at_unless_each_has_its_own() {
        let names = [("a", "roc"), ("b", "roc")];
        let each = ["roc", "roc", "roc-rest", "roc-rest"];
        let (services, doubtful) = sorted(&names, &each);
        assert_eq!((services.len(), doubtful.len()), (2, 0));
        assert_eq!(sorted(&names, &each[1..3]).1, ["roc"], "one of them has none");
        assert_eq!(sorted(&names, &[]).1, ["roc"]);
    }
}
