//! `kubectl flink ls [NAME...]`: one row a session.

use jiff::Timestamp;

use crate::app::{App, CommandError};
use crate::cluster::Scope;
use crate::exit::Exit;
use crate::model::session::SessionList;
use crate::model::{SessionView, TableView};
use crate::output::format::Format;
use crate::output::{age, table};
use crate::session::SessionName;

#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  # The sessions of the current namespace
  kubectl flink ls

  # All sessions that you may see, with image and owner
  kubectl flink ls -A -o wide

  # For scripts
  kubectl flink ls roc -o json")]
pub struct Args {
    /// Only these sessions
    names: Vec<String>,

    /// The sessions of all namespaces
    #[arg(short = 'A', long)]
    all_namespaces: bool,

    /// Form of the output: json, name or wide
    #[arg(short, long, value_name = "FORMAT", default_value = "", hide_default_value = true)]
    output: Format,

    /// Leave the header out
    #[arg(long)]
    no_headers: bool,
}

pub async fn run(args: Args, app: &App) -> Result<Exit, CommandError> {
    let names = args.names.iter().map(|name| SessionName::existing(name)).collect::<Result<Vec<_>, _>>()?;
    if args.all_namespaces && !names.is_empty() {
        return Err(CommandError::new(
            Exit::Error,
            "a session cannot be retrieved by name across all namespaces",
        )
        .hint("kubectl flink ls -A"));
    }
    let cluster = app.cluster().await?;
    let namespace = cluster.namespace().to_owned();
    let scope = match args.all_namespaces {
        true => Scope::AllNamespaces,
        false => Scope::Namespace(namespace.clone()),
    };
    let sessions = cluster.sessions(&scope, &names).await?;
    app.ui.data(&render(&sessions, &args, Timestamp::now())?)?;

    if let Some(missing) = names.iter().find(|name| !sessions.iter().any(|s| s.name == name.as_str())) {
        return Err(not_found(missing, &namespace));
    }
    if sessions.is_empty() && matches!(args.output, Format::Table | Format::Wide) {
        app.ui.note(&match scope {
            Scope::AllNamespaces => "No resources found".to_owned(),
            Scope::Namespace(namespace) => format!("No resources found in {namespace} namespace."),
        });
    }
    Ok(Exit::Done)
}

/// The error for a session that is not there.
pub fn not_found(name: &SessionName, namespace: &str) -> CommandError {
    CommandError::new(Exit::Error, format!("there is no session {name} in namespace {namespace}"))
        .hint("kubectl flink ls -A")
}

fn render(sessions: &[SessionView], args: &Args, now: Timestamp) -> Result<String, CommandError> {
    Ok(match args.output {
        Format::Json => serde_json::to_string_pretty(&SessionList::new(sessions))
            .map_err(|error| CommandError::new(Exit::Error, error.to_string()))?,
        Format::Name => sessions.iter().map(|session| format!("session/{}\n", session.name)).collect(),
        Format::Table | Format::Wide => {
            let view = view(sessions, args.all_namespaces, args.output == Format::Wide, now);
            if view.rows.is_empty() { String::new() } else { table::render(&view, !args.no_headers) }
        }
    })
}

fn view(sessions: &[SessionView], with_namespace: bool, wide: bool, now: Timestamp) -> TableView {
    type Cell = fn(&SessionView, Timestamp) -> String;
    let mut columns: Vec<(&str, Cell)> = Vec::new();
    if with_namespace {
        columns.push(("NAMESPACE", |s, _| s.namespace.clone()));
    }
    let unknown = |value: &Option<String>| value.clone().unwrap_or_else(|| "<unknown>".to_owned());
    columns.extend::<[(&str, Cell); 6]>([
        ("NAME", |s, _| s.name.clone()),
        ("READY", |s, _| format!("{}/{}", s.ready, s.desired)),
        ("STATUS", |s, _| s.status.clone()),
        ("VERSION", |s, _| s.version.clone().unwrap_or_else(|| "<unknown>".to_owned())),
        ("TASKMANAGERS", |s, _| s.taskmanagers.to_string()),
        ("AGE", |s, now| match s.created {
            Some(created) => age::human(now.duration_since(created).as_secs()),
            None => "<unknown>".to_owned(),
        }),
    ]);
    let mut view = TableView {
        header: columns.iter().map(|(name, _)| (*name).to_owned()).collect(),
        rows: sessions.iter().map(|s| columns.iter().map(|(_, cell)| cell(s, now)).collect()).collect(),
    };
    if wide {
        view.header.extend(["IMAGE", "OWNER"].map(str::to_owned));
        for (row, session) in view.rows.iter_mut().zip(sessions) {
            row.extend([unknown(&session.image), session.owner.as_str().to_owned()]);
        }
    }
    view
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::session::Owner;
    use crate::model::session::tests::roc;

    fn sessions() -> Vec<SessionView> {
        let roc = roc();
        let other = SessionView {
            name: "legacy".to_owned(),
            namespace: "team-b".to_owned(),
            ready: 0,
            status: "CrashLoopBackOff".to_owned(),
            version: None,
            taskmanagers: 0,
            image: Some("mine:latest".to_owned()),
            owner: Owner::FlinkOperator,
            ..roc.clone()
        };
        vec![roc, other]
    }

    fn args(words: &[&str]) -> Args {
        let command = <Args as clap::Args>::augment_args(clap::Command::new("ls"));
        let matches = command.try_get_matches_from([&["ls"], words].concat()).expect("arguments");
        <Args as clap::FromArgMatches>::from_arg_matches(&matches).expect("matches")
    }

    fn printed(words: &[&str]) -> String {
        let now = "2026-01-01T00:03:10Z".parse().expect("time");
        render(&sessions(), &args(words), now).expect("rendered")
    }

    #[test]
    fn tables() {
        insta::assert_snapshot!(printed(&[]), @"
        NAME     READY   STATUS             VERSION     TASKMANAGERS   AGE
        roc      1/1     Running            2.3.0       2              3m10s
        legacy   0/1     CrashLoopBackOff   <unknown>   0              3m10s
        ");
        insta::assert_snapshot!(printed(&["-A", "-o", "wide"]), @"
        NAMESPACE   NAME     READY   STATUS             VERSION     TASKMANAGERS   AGE     IMAGE         OWNER
        team-a      roc      1/1     Running            2.3.0       2              3m10s   flink:2.3.0   kubectl-flink
        team-b      legacy   0/1     CrashLoopBackOff   <unknown>   0              3m10s   mine:latest   flink-operator
        ");
        assert_eq!(printed(&["--no-headers"]).lines().count(), 2);
    }

    #[test]
    fn names_can_be_given_back_to_the_plugin() {
        assert_eq!(printed(&["-o", "name"]), "session/roc\nsession/legacy\n");
    }
}
