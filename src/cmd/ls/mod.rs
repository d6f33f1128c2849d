//! `kubectl flink ls [NAME...]`: one row a session.

mod field_selector;
pub mod rows;
mod watch;

use jiff::Timestamp;

use self::field_selector::FieldSelector;
use self::rows::Columns;
use super::listing::{self, Listing};
use super::standing;
use super::word::Word;
use crate::app::{App, CommandError, rest};
use crate::cluster::{Cluster, Query, Scope};
use crate::diagnosis;
use crate::exit::Exit;
use crate::model::SessionView;
use crate::model::session::{API_VERSION, LIST_KIND};
use crate::output::format::Format;
use crate::output::table::Layout;
use crate::session::SessionName;

#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  # The sessions of the current namespace
  kubectl flink ls

  # All sessions that you may see, with free slots and running jobs
  kubectl flink ls -A -o wide

  # As they change
  kubectl flink ls -w

  # For scripts
  kubectl flink ls roc -o jsonpath='{.status.phase}'")]
pub struct Args {
    /// Only these sessions
    #[arg(add = Word::Session)]
    names: Vec<String>,

    /// The sessions of all namespaces
    #[arg(short = 'A', long)]
    all_namespaces: bool,

    /// Only sessions whose Deployment has these labels, such as team=a,tier!=test
    #[arg(short = 'l', long, value_name = "SELECTOR")]
    selector: Option<String>,

    /// Only sessions with this metadata.name, metadata.namespace or status.phase
    #[arg(long, value_name = "SELECTOR", add = Word::OneOf(&field_selector::TERMS))]
    field_selector: Option<FieldSelector>,

    /// A name that is not there is no error
    #[arg(long)]
    ignore_not_found: bool,

    #[command(flatten)]
    listing: Listing,
}

/// What is asked for, once all flags are understood.
struct Request {
    names: Vec<SessionName>,
    /// One session, by its name: no list stands around it.
    single: bool,
    format: Format,
    columns: Columns,
    query: Query,
    /// The namespace that was looked into; none for all.
    namespace: Option<String>,
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
    if (args.selector.is_some() || args.field_selector.is_some()) && !names.is_empty() {
        return Err(CommandError::new(Exit::Error, "name cannot be provided when a selector is specified")
            .hint("kubectl flink ls --field-selector metadata.name=NAME"));
    }
    let format = listing::format(&args.listing.output, app)?;
    args.listing.check(&format)?;
    let cluster = app.cluster().await?;
    let namespace = (!args.all_namespaces).then(|| cluster.namespace().to_owned());
    let request = Request {
        single: names.len() == 1,
        columns: Columns {
            event: args.listing.output_watch_events,
            namespace: args.all_namespaces,
            wide: matches!(format, Format::Wide),
            labels: args.listing.label_columns.clone(),
            all_labels: args.listing.show_labels,
        },
        query: Query {
            scope: namespace.clone().map_or(Scope::AllNamespaces, Scope::Namespace),
            names: names.clone(),
            selector: args.selector.clone().filter(|selector| !selector.is_empty()),
            with_owners: asks_rest(&format),
        },
        names,
        format,
        namespace,
    };
    if args.listing.watches() {
        return watch::run(&args, &request, &cluster, app).await;
    }
    let mut found = cluster.sessions(&request.query).await?;
    found.views.retain(|session| args.shows(session));
    if asks_rest(&request.format) {
        rest::add_loads(&cluster, &mut found.views).await;
    }
    let sessions = listing::sorted(found.views, args.listing.sort_by.as_ref())?;
    let missing = request.missing(&sessions).filter(|_| !args.ignore_not_found);
    // One that is not there is an error with nothing on stdout; of several, those that are there come first.
    if !(request.single && missing.is_some()) {
        print(&sessions, &args, &request, app)?;
    }
    tell_missing(&found.missing, app);
    tell_relabelled(&sessions, &cluster, app);
    if let Some(missing) = missing {
        if found.missing.is_empty() {
            return Err(standing::why_not_there(missing, &cluster).await?);
        }
        return Err(not_found_among(missing, cluster.namespace(), &found.missing));
    }
    if sessions.is_empty() && request.names.is_empty() && request.format.is_table() {
        app.ui.note(&request.nothing_found());
    }
    Ok(Exit::Done)
}

impl Args {
    fn shows(&self, session: &SessionView) -> bool {
        self.field_selector.as_ref().is_none_or(|selector| selector.matches(session))
    }
}

impl Request {
    /// A name that was asked for and is not there.
    fn missing(&self, sessions: &[SessionView]) -> Option<&SessionName> {
        self.names.iter().find(|name| !sessions.iter().any(|session| session.name == name.as_str()))
    }

    /// In kubectl's words.
    fn nothing_found(&self) -> String {
        match &self.namespace {
            None => "No resources found".to_owned(),
            Some(namespace) => format!("No resources found in {namespace} namespace."),
        }
    }
}

/// The forms that show what only REST tells.
fn asks_rest(format: &Format) -> bool {
    !matches!(format, Format::Table | Format::Name)
}

/// The error for a session that is not there, where something may not be seen: then nobody can say that there is none.
pub fn not_found_among(name: &SessionName, namespace: &str, hidden: &[String]) -> CommandError {
    let message = format!("no session {name} can be seen in namespace {namespace}");
    hidden.first().into_iter().fold(CommandError::new(Exit::Error, message), CommandError::because)
}

/// Warns of objects whose labels were changed, with the command that repairs each.
fn tell_relabelled(sessions: &[SessionView], cluster: &Cluster, app: &App) {
    for session in sessions {
        let scope = cluster.scope_of(&session.namespace);
        for object in &session.relabelled {
            let finding = diagnosis::rules::labels::of(object, &session.name, &scope);
            app.ui.warn(&format!("{}; to repair: {}", finding.summary, finding.fix));
        }
    }
}

/// Names the permissions that are missing. Where a hundred namespaces lack the same, a few stand for all.
pub fn tell_missing(missing: &[String], app: &App) {
    const NAMED: usize = 3;
    for message in missing.iter().take(NAMED) {
        app.ui.warn(&format!("not all could be read: {message}"));
    }
    if missing.len() > NAMED {
        app.ui.warn(&format!("and {} more like these", missing.len() - NAMED));
    }
}

fn print(sessions: &[SessionView], args: &Args, request: &Request, app: &App) -> Result<(), CommandError> {
    let headers = !args.listing.no_headers;
    match &request.format {
        Format::Name => app.ui.data(&names(sessions))?,
        Format::Table | Format::Wide if sessions.is_empty() => {}
        Format::Table | Format::Wide => {
            let rows = sessions.iter().map(|session| ("", session));
            let view = request.columns.table(rows, Timestamp::now());
            app.ui.rendered(&Layout::coloured(app.ui.colours_data()).render(&view, headers))?;
        }
        other => {
            let values = listing::values(sessions)?;
            listing::print(other, API_VERSION, LIST_KIND, values, request.single, headers, app)?;
        }
    }
    Ok(())
}

/// One line a session, which can be given back to the plugin.
fn names(sessions: &[SessionView]) -> String {
    sessions.iter().map(|session| format!("session/{}\n", session.name)).collect()
}
