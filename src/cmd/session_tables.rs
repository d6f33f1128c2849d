//! The tables that `create` and `status` end with: what `kubectl get pod,svc -l app=NAME` prints.

use crate::app::CommandError;
use crate::cluster::{Cluster, Kind};
use crate::model::TableView;
use crate::output::table;
use crate::session::{SessionName, labels};

/// Pods, then Services, with a blank line between. A kind without objects has no table.
pub async fn read(cluster: &Cluster, namespace: &str, name: &SessionName) -> Result<String, CommandError> {
    let selector = format!("{}={name}", labels::APP);
    let (pods, services) = tokio::try_join!(
        cluster.table(Kind::Pod, namespace, &selector),
        cluster.table(Kind::Service, namespace, &selector),
    )?;
    Ok(join([(Kind::Pod, pods), (Kind::Service, services)]))
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
