//! `kubectl flink gc`: what dead sessions have left behind, and its removal.

mod remove;
mod rows;

use std::time::Duration;

use jiff::Timestamp;

use super::dry_run::DryRun;
use super::listing;
use super::word::Word;
use crate::app::{App, CommandError, duration};
use crate::cluster::{ClusterGrants, Inventories, Scope};
use crate::diagnosis::rules::leftovers::{left_over, older_than, undecided};
use crate::exit::Exit;
use crate::model::LeftOver;
use crate::model::left_over::LEFT_OVER_LIST_KIND;
use crate::model::session::API_VERSION;
use crate::output::format::{self, Asked, Format};
use crate::output::table;

#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  # What dead sessions have left behind in the current namespace
  kubectl flink gc

  # In all namespaces, if nobody has touched it for a day
  kubectl flink gc -A --older-than 1d

  # Remove it
  kubectl flink gc --yes

  # The state, too, from which a new session would recover the jobs of the dead one
  kubectl flink gc --yes --purge-ha")]
pub struct Args {
    /// What is left over in all namespaces
    #[arg(short = 'A', long)]
    all_namespaces: bool,

    /// Remove what is left over; without it, it is listed
    #[arg(short, long)]
    yes: bool,

    /// Remove high-availability state that holds jobs, too: they cannot be recovered any more
    #[arg(long)]
    purge_ha: bool,

    /// Remove ClusterRoleBindings of --rbac=edit-cluster, too, whose account nothing uses any more
    #[arg(long)]
    cluster_rbac: bool,

    /// Only what nobody has touched for so long, such as 0s, 12h or 7d
    #[arg(long, value_name = "DURATION", default_value = "5m", value_parser = older)]
    older_than: Older,

    /// Remove nothing: print what --yes would remove (client), or let the API server check it too (server)
    #[arg(long, value_enum, value_name = "MODE", num_args = 0..=1, require_equals = true, default_value = "none",
          default_missing_value = "client", hide_default_value = true)]
    dry_run: DryRun,

    #[command(flatten)]
    form: Form,
}

#[derive(clap::Args)]
#[command(next_help_heading = "Output")]
struct Form {
    /// Form of the output: json, yaml, name, jsonpath=TEMPLATE, custom-columns=SPEC, and both of a file
    #[arg(short, long, value_name = "FORMAT", default_value = "", hide_default_value = true, value_parser = Asked::of_list,
          add = Word::OneOf(&format::OF_LIST))]
    output: Asked,

    /// Leave the header out
    #[arg(long)]
    no_headers: bool,
}

/// An age, and how the user has said it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Older {
    text: String,
    age: Duration,
}

fn older(text: &str) -> Result<Older, String> {
    Ok(Older { text: text.to_owned(), age: duration::age(text)? })
}

const DEFAULT_AGE: &str = "5m";

pub async fn run(args: Args, app: &App) -> Result<Exit, CommandError> {
    let format = listing::format(&args.form.output, app)?;
    args.check(&format, app)?;
    let cluster = match args.dry_run {
        DryRun::Server => app.cluster().await?.dry_run(),
        DryRun::None | DryRun::Client => app.cluster().await?,
    };
    let namespace = (!args.all_namespaces).then(|| cluster.namespace().to_owned());
    let scope = namespace.clone().map_or(Scope::AllNamespaces, Scope::Namespace);
    let inventories = cluster.inventories(&scope, args.cluster_grants()).await?;
    let found = inventories.places.iter().flat_map(left_over).collect();
    let (found, young) = older_than(found, args.older_than.age, Timestamp::now());
    let undecided = inventories.places.iter().map(undecided).sum();
    tell_hidden(&inventories, app);
    let exit = if args.removes() {
        let exit = remove::run(&args, &format, &found, &cluster, app).await?;
        if inventories.is_whole() { exit } else { Exit::Error }
    } else {
        print(&found, &args, &format, app)?;
        Exit::Done
    };
    if found.is_empty() && format.is_table() && young == 0 && undecided == 0 {
        app.ui.note(&nothing(namespace.as_deref(), inventories.is_whole()));
    }
    args.tell_young(young, app);
    args.tell_undecided(undecided, app);
    if !args.removes() && format.is_table() {
        args.tell_next(&found, app);
    }
    Ok(exit)
}

impl Args {
    fn removes(&self) -> bool {
        self.yes || self.dry_run != DryRun::None
    }

    fn cluster_grants(&self) -> ClusterGrants {
        if self.cluster_rbac { ClusterGrants::Removed } else { ClusterGrants::Listed }
    }

    /// True for what stays unless a flag of its own asks for its removal.
    fn keeps(&self, left: &LeftOver) -> bool {
        (left.holds_state && !self.purge_ha) || (left.grants_to.is_some() && !self.cluster_rbac)
    }

    /// Refuses flags that do not go together.
    fn check(&self, format: &Format, app: &App) -> Result<(), CommandError> {
        if self.removes() && !matches!(format, Format::Table | Format::Name) {
            let flag = if self.yes { "--yes" } else { "--dry-run" };
            let message = format!("{flag} prints what it removes in words or with -o name only");
            return Err(CommandError::new(Exit::Error, message)
                .hint(format!("{} lists it", self.again(None, " -o json", app))));
        }
        Ok(())
    }

    /// `gc` with the flags that say what is looked at, in front of `more`.
    fn again(&self, older_than: Option<&str>, more: &str, app: &App) -> String {
        let all = if self.all_namespaces { " -A" } else { "" };
        let typed = Some(self.older_than.text.as_str()).filter(|text| *text != DEFAULT_AGE);
        let older = older_than.or(typed).map(|text| format!(" --older-than {text}")).unwrap_or_default();
        format!("kubectl flink gc{all}{older}{}{more}", app.scope_flags())
    }

    fn tell_young(&self, young: usize, app: &App) {
        let since = format!("touched in the last {}", self.older_than.text);
        app.ui.note(&match young {
            0 => return,
            1 => format!("1 object that was {since} is left out."),
            many => format!("{many} objects that were {since} are left out."),
        });
        app.ui.hint(&format!("{} lists them, too", self.again(Some("0s"), "", app)));
    }

    fn tell_undecided(&self, undecided: usize, app: &App) {
        let why = "a JobManager pod or a leader of a session without a Deployment is still there";
        app.ui.note(&match undecided {
            0 => return,
            1 => format!("1 object cannot be judged yet: {why}."),
            many => format!("{many} objects cannot be judged yet: {why}."),
        });
        app.ui.hint(&format!("in 15 s, when a lease of a leader has expired: {}", self.again(None, "", app)));
    }

    /// Says how the rest of what was listed is removed.
    fn tell_next(&self, found: &[LeftOver], app: &App) {
        let purge = if self.purge_ha { " --purge-ha" } else { "" };
        let purge = format!("{purge}{}", if self.cluster_rbac { " --cluster-rbac" } else { "" });
        let held = found.iter().filter(|left| left.holds_state && !self.purge_ha).count();
        let bound = found.iter().filter(|left| left.grants_to.is_some() && !self.cluster_rbac).count();
        if found.len() > held + bound {
            let what = if held == 0 { "removes them" } else { "removes them, without the state of jobs" };
            app.ui.hint(&format!("{} {what}", self.again(None, &format!("{purge} --yes"), app)));
        }
        if held > 0 {
            let what = "removes the state, too: its jobs cannot be recovered any more";
            app.ui.hint(&format!("{} {what}", self.again(None, " --purge-ha --yes", app)));
        }
        if bound > 0 {
            let what = "removes ClusterRoleBindings, too";
            app.ui.hint(&format!("{} {what}", self.again(None, " --cluster-rbac --yes", app)));
        }
    }
}

/// In kubectl's spirit.
fn nothing(namespace: Option<&str>, is_whole: bool) -> String {
    let seen = if is_whole { "" } else { " can be seen" };
    match namespace {
        Some(namespace) => format!("Nothing left over{seen} in {namespace} namespace."),
        None => format!("Nothing left over{seen}."),
    }
}

/// Names what may not be read. Where a hundred namespaces lack the same, a few stand for all.
fn tell_hidden(inventories: &Inventories, app: &App) {
    const NAMED: usize = 3;
    let hidden = || inventories.places.iter().flat_map(|place| &place.hidden);
    let (life, rest): (Vec<_>, Vec<_>) = hidden().partition(|hidden| hidden.tells_life);
    let life = life.iter().map(|hidden| ("which sessions are dead cannot be told", &hidden.why));
    let rest = rest.iter().map(|hidden| &hidden.why).chain(&inventories.refused);
    let mut told: Vec<(&str, &String)> = Vec::new();
    for (what, why) in life.chain(rest.map(|why| ("not all could be read", why))) {
        if !told.iter().any(|(_, other)| *other == why) {
            told.push((what, why));
        }
    }
    for (what, why) in told.iter().take(NAMED) {
        app.ui.warn(&format!("{what}: {why}"));
    }
    if told.len() > NAMED {
        app.ui.warn(&format!("and {} more like these", told.len() - NAMED));
    }
}

fn print(found: &[LeftOver], args: &Args, format: &Format, app: &App) -> Result<(), CommandError> {
    let headers = !args.form.no_headers;
    match format {
        Format::Name => {
            app.ui.data(&found.iter().map(|left| format!("{}\n", left.object)).collect::<String>())?;
        }
        Format::Table | Format::Wide if found.is_empty() => {}
        Format::Table | Format::Wide => {
            let rows = rows::table(found, args.all_namespaces, Timestamp::now());
            app.ui.rendered(&table::render(&rows, headers))?;
        }
        other => {
            let values = listing::values(found)?;
            listing::print(other, API_VERSION, LEFT_OVER_LIST_KIND, values, false, headers, app)?;
        }
    }
    Ok(())
}
