//! The tables that `create` and `status` end with: what `kubectl get pod,svc -l app=NAME` prints.

use crate::cluster::{Cluster, ClusterError, Kind};
use crate::model::TableView;
use crate::output::table;
use crate::session::{SessionName, labels};

/// Pods, then Services, with a blank line between. A kind without objects has no table.
///
/// Kinds that this user may not list are left out and named in the second part.
pub async fn read_what_may_be_read(
    cluster: &Cluster,
    namespace: &str,
    name: &SessionName,
) -> Result<(String, Vec<String>), ClusterError> {
    let selector = format!("{}={name}", labels::APP);
    let (pods, services) = tokio::join!(
        cluster.table(Kind::Pod, namespace, &selector),
        cluster.table(Kind::Service, namespace, &selector),
    );
    let mut forbidden = Vec::new();
    let mut readable = |table: Result<TableView, ClusterError>| match table {
        Err(error) if error.is_forbidden() => {
            forbidden.push(error.to_string());
            Ok(TableView::default())
        }
        table => table,
    };
    let tables = [(Kind::Pod, readable(pods)?), (Kind::Service, readable(services)?)];
    Ok((join(tables), forbidden))
}

fn join(tables: [(Kind, TableView); 2]) -> String {
    let rendered = tables.into_iter().filter(|(_, view)| !view.rows.is_empty()).map(|(kind, mut view)| {
        // kubectl puts the kind in front of the name where it prints several.
        for name in view.rows.iter_mut().filter_map(|row| row.first_mut()) {
            *name = format!("{}/{name}", kind.resource());
        }
        table::render(&view, true)
    });
    rendered.collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn view(name: &str) -> TableView {
        TableView { header: vec!["NAME".to_owned()], rows: vec![vec![name.to_owned()]] }
    }

    #[test]
    fn kinds_are_apart_by_a_blank_line_and_named_in_front() {
        assert_eq!(
            join([(Kind::Pod, view("a")), (Kind::Service, view("b"))]),
            "NAME\npod/a\n\nNAME\nservice/b\n"
        );
        assert_eq!(
            join([(Kind::Pod, TableView::default()), (Kind::Service, view("b"))]),
            "NAME\nservice/b\n"
        );
        assert_eq!(join([(Kind::Pod, TableView::default()), (Kind::Service, TableView::default())]), "");
    }
}
