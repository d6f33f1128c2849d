//! The tables that `create`, `restart` and `status` show: what `kubectl get pod,svc -l app=NAME` prints.

use super::sections::unknown;
use crate::app::{App, CommandError};
use crate::cluster::{Cluster, ClusterError, Kind};
use crate::exit::Exit;
use crate::model::evidence::Rest;
use crate::model::status::Part;
use crate::model::{Evidence, TableView};
use crate::output::table::Layout;
use crate::session::SessionName;
use crate::session::manifest::labels;

/// Reads both tables. A kind that this user may not list is unknown.
pub async fn read(
    cluster: &Cluster,
    namespace: &str,
    name: &SessionName,
) -> Result<(Part<TableView>, Part<TableView>), ClusterError> {
    let selector = format!("{}={name}", labels::APP);
    let (pods, services) = tokio::join!(
        cluster.table(Kind::Pod, namespace, &selector, false),
        cluster.table(Kind::Service, namespace, &selector, false),
    );
    let readable = |table: Result<TableView, ClusterError>| match table {
        Err(error) if error.is_forbidden() => Ok(Part::Unknown(error.to_string())),
        table => table.map(Part::Known),
    };
    Ok((readable(pods)?, readable(services)?))
}

/// Pods, then Services, with a blank line between. A kind without objects has no table.
pub fn render(pods: &Part<TableView>, services: &Part<TableView>, colour: bool) -> String {
    let tables = [(Kind::Pod, pods), (Kind::Service, services)];
    let rendered = tables.into_iter().map(|(kind, part)| match part {
        Part::Known(view) if view.rows.is_empty() => String::new(),
        Part::Known(view) => {
            let mut view = view.clone();
            // kubectl puts the kind in front of the name where it prints several.
            for name in view.rows.iter_mut().filter_map(|row| row.first_mut()) {
                *name = format!("{}/{name}", kind.resource());
            }
            Layout::coloured(colour).render(&view, true)
        }
        Part::Unknown(why) => format!("{}: {}\n", kind.resource(), unknown(why)),
    });
    rendered.filter(|table| !table.is_empty()).collect::<Vec<_>>().join("\n")
}

/// Prints the tables, then says that the session is ready and how to open it.
pub async fn present(
    cluster: &Cluster,
    name: &SessionName,
    evidence: &Evidence,
    app: &App,
) -> Result<Exit, CommandError> {
    match read(cluster, cluster.namespace(), name).await {
        Ok((pods, services)) => {
            for hidden in [pods.why_unknown(), services.why_unknown()].into_iter().flatten() {
                app.ui.warn(&format!("not all could be read: {hidden}"));
            }
            let known = |part: Part<TableView>| Part::Known(part.known().cloned().unwrap_or_default());
            let tables = render(&known(pods), &known(services), app.ui.colours_data());
            app.ui.rendered(&tables)?;
        }
        // The session is there, whatever happened to its tables.
        Err(error) => app.ui.warn(&format!("the tables could not be read: {error}")),
    }
    let ready = match &evidence.rest {
        Rest::Up(overview) => format!("Session {name} is ready with Flink {}.", overview.version),
        _ => format!("The JobManager of session {name} runs; its REST could not be asked."),
    };
    app.ui.status("");
    app.ui.status(&format!("{ready} Open its web UI with: kubectl flink ui {name}{}", app.scope_flags()));
    Ok(Exit::Done)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn view(name: &str) -> Part<TableView> {
        Part::Known(TableView { header: vec!["NAME".to_owned()], rows: vec![vec![name.to_owned()]] })
    }

    #[test]
    fn kinds_are_apart_by_a_blank_line_and_named_in_front() {
        let none = Part::Known(TableView::default());
        assert_eq!(render(&view("a"), &view("b"), false), "NAME\npod/a\n\nNAME\nservice/b\n");
        assert_eq!(render(&none, &view("b"), false), "NAME\nservice/b\n");
        assert_eq!(render(&none, &none, false), "");
        let unknown = Part::Unknown("pods is forbidden".to_owned());
        assert_eq!(
            render(&unknown, &view("b"), false),
            "pod: unknown: pods is forbidden\n\nNAME\nservice/b\n"
        );
    }
}
