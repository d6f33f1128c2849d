//! `kubectl flink status [NAME...]`: the verdict, pods and Services, then what only Flink tells, and what is wrong.

mod gather;
mod text;
mod verdict;
mod watch;

use std::time::Duration;

use futures::StreamExt;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::listing;
use super::ls::tell_missing;
use super::readiness::{self, Awaited, Ended};
use super::sections::{self, indented};
use super::standing;
use super::word::Word;
use crate::app::{App, CommandError, duration};
use crate::cluster::{Cluster, Query, Scope};
use crate::exit::Exit;
use crate::model::session::API_VERSION;
use crate::model::status::{Health, STATUS_LIST_KIND, SessionStatus};
use crate::output::format::{self, Asked, Format, ObjectFormat};
use crate::output::{objects, printable};
use crate::session::SessionName;
use crate::session::flinkdeployment::{self, OperatorVersion};

#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  # How is it?
  kubectl flink status roc

  # One sentence on each session of the namespace
  kubectl flink status

  # Wait until it is ready
  kubectl flink status roc --wait --timeout 10m

  # For scripts: 5 when something is wrong
  kubectl flink status roc --exit-code

  # As a manifest, for the Flink operator or another create
  kubectl flink status roc -o flinkdeployment

  # As a manifest for a Flink operator before 1.16
  kubectl flink status roc -o flinkdeployment --operator-version 1.15")]
pub struct Args {
    /// Names of sessions; without one, a sentence on each of the namespace
    #[arg(add = Word::Session)]
    names: Vec<String>,

    /// Wait until REST answers, as create does
    #[arg(long)]
    wait: bool,

    /// Longest wait, such as 90s or 5m
    #[arg(long, value_name = "DURATION", default_value = "5m", value_parser = duration::parse)]
    timeout: Duration,

    /// Exit with 5 when a session is not healthy, with 3 when REST could not be asked in time
    #[arg(long)]
    exit_code: bool,

    /// Show it again whenever it changes
    #[arg(short, long)]
    watch: bool,

    /// Form of the output: json, yaml, name, wide, flinkdeployment, jsonpath=TEMPLATE, custom-columns=SPEC
    #[arg(short, long, value_name = "FORMAT", default_value = "", hide_default_value = true, value_parser = Asked::of_status,
          add = Word::OneOf(&format::OF_STATUS))]
    output: Asked,

    /// Flink operator that the manifest is for, such as 1.15; before 1.16 it has resource instead of resources
    #[arg(long, value_name = "VERSION")]
    operator_version: Option<OperatorVersion>,
}

/// Sessions that are looked at at the same time.
const AT_ONCE: usize = 4;

pub async fn run(args: Args, app: &App) -> Result<Exit, CommandError> {
    let names = args.names.iter().map(|name| SessionName::existing(name)).collect::<Result<Vec<_>, _>>()?;
    let format = listing::format(&args.output, app)?;
    check(&args, &names)?;
    if args.wait {
        app.bound_requests(args.timeout);
    }
    let cluster = app.cluster().await?;
    if args.wait {
        for name in &names {
            wait(&cluster, name, args.timeout, app).await?;
        }
    }
    if let (Asked::FlinkDeployment, [name]) = (&args.output, &names[..]) {
        return manifest(&cluster, name, args.operator_version.unwrap_or_default(), app).await;
    }
    if let (true, [name]) = (args.watch, &names[..]) {
        return watch::run(&cluster, name, &format, app).await;
    }
    let health = match (names.is_empty(), format.is_table()) {
        (true, true) => briefly(&cluster, app).await?,
        (true, false) => {
            let found = cluster.sessions(&all_of(&cluster)).await?;
            tell_missing(&found.missing, app);
            let names = found.views.iter().map(|view| SessionName::existing(&view.name));
            let names = names.collect::<Result<Vec<_>, _>>()?;
            show(&cluster, &names, &format, Named::ByList, app).await?
        }
        (false, _) => show(&cluster, &names, &format, Named::ByUser, app).await?,
    };
    Ok(match health {
        _ if !args.exit_code => Exit::Done,
        Health::Healthy => Exit::Done,
        Health::Sick => Exit::Unhealthy,
        Health::Unknown => {
            app.ui.warn("cannot determine whether each session is healthy: REST could not be asked in time");
            Exit::TimedOut
        }
    })
}

/// Refuses what does not go together.
fn check(args: &Args, names: &[SessionName]) -> Result<(), CommandError> {
    let one = names.len() == 1;
    let needs_one = [
        (matches!(args.output, Asked::FlinkDeployment) && !one, "-o flinkdeployment", "-o flinkdeployment"),
        (args.watch && !one, "--watch", "--watch"),
        (args.wait && names.is_empty(), "--wait", "--wait"),
    ];
    let apart = [
        (matches!(args.output, Asked::FlinkDeployment), "-o flinkdeployment"),
        (args.exit_code, "--exit-code"),
    ];
    if args.operator_version.is_some() && !matches!(args.output, Asked::FlinkDeployment) {
        let error = CommandError::new(Exit::Error, "--operator-version needs -o flinkdeployment");
        return Err(error.hint("kubectl flink status NAME -o flinkdeployment --operator-version VERSION"));
    }
    if let Some((_, flag)) = apart.into_iter().find(|(is_given, _)| *is_given && args.watch) {
        return Err(CommandError::new(
            Exit::Error,
            format!("{flag} does not go with --watch, which has no end"),
        )
        .hint("leave one of them out"));
    }
    match needs_one.into_iter().find(|(is_wrong, ..)| *is_wrong) {
        Some((_, what, flag)) => {
            Err(CommandError::new(Exit::Error, format!("{what} is for one session: name it"))
                .hint(format!("kubectl flink status NAME {flag}")))
        }
        None => Ok(()),
    }
}

fn all_of(cluster: &Cluster) -> Query {
    Query {
        scope: Scope::Namespace(cluster.namespace().to_owned()),
        names: Vec::new(),
        selector: None,
        with_owners: true,
    }
}

/// One sentence on each session of the namespace, and what is wrong with it. Returns how they are, all in all.
async fn briefly(cluster: &Cluster, app: &App) -> Result<Health, CommandError> {
    let found = cluster.sessions(&all_of(cluster)).await?;
    let briefs: Vec<_> = futures::stream::iter(&found.views)
        .map(|session| gather::brief(cluster, session))
        .buffered(AT_ONCE)
        .collect()
        .await;
    // A failed command leaves stdout empty.
    let briefs = briefs.into_iter().collect::<Result<Vec<_>, _>>()?;
    let health = Health::worst(briefs.iter().map(|brief| brief.health));
    for brief in briefs {
        let findings = indented(&sections::findings(&brief.findings));
        app.ui.rendered(&format!("{}\n{findings}", printable(&brief.verdict)))?;
        gather::tell_unreadable(&brief.unreadable, &[], app);
    }
    tell_missing(&found.missing, app);
    if found.views.is_empty() {
        app.ui.note(&format!("No resources found in {} namespace.", cluster.namespace()));
    }
    Ok(health)
}

/// Who has named the sessions: of a list, some may be gone by the time that they are looked at.
#[derive(Clone, Copy, PartialEq)]
enum Named {
    ByUser,
    ByList,
}

/// Shows the sessions of `names` from all sides. Returns how they are, all in all.
async fn show(
    cluster: &Cluster,
    names: &[SessionName],
    format: &Format,
    named: Named,
    app: &App,
) -> Result<Health, CommandError> {
    let single = named == Named::ByUser && names.len() == 1;
    let wide = matches!(format, Format::Wide);
    let gathered: Vec<_> = futures::stream::iter(names)
        .map(|name| gather::status(cluster, name, wide))
        .buffered(AT_ONCE)
        .collect()
        .await;
    let (mut statuses, mut missing) = (Vec::new(), None);
    for (name, status) in names.iter().zip(gathered) {
        match status? {
            Some(status) => statuses.push(status),
            None if named == Named::ByList => {}
            None => missing = missing.or(Some(name)),
        }
    }
    // One that is not there is an error with nothing on stdout; of several, those that are there come first.
    if !(single && missing.is_some()) {
        print(&statuses, format, single, app)?;
    }
    for status in &statuses {
        // The screen and JSON have the reasons; other forms do not.
        let told = if format.is_table() { status.unknown() } else { Vec::new() };
        gather::tell_unreadable(&status.unreadable, &told, app);
    }
    match missing {
        Some(name) => Err(standing::why_not_there(name, cluster).await?),
        None => Ok(Health::worst(statuses.iter().map(|status| status.health))),
    }
}

fn print(statuses: &[SessionStatus], format: &Format, single: bool, app: &App) -> Result<(), CommandError> {
    match format {
        Format::Name => {
            let names = statuses.iter().map(|status| format!("session/{}\n", status.session.name));
            app.ui.data(&names.collect::<String>())?;
        }
        Format::Table | Format::Wide => {
            let now = Timestamp::now();
            let wide = matches!(format, Format::Wide);
            let render = |status| text::render(status, wide, now, app.ui.colours_data());
            let texts: Vec<String> = statuses.iter().map(render).collect();
            app.ui.rendered(&texts.join("\n\n"))?;
        }
        other => {
            let values: Vec<Value> = listing::values(statuses)?;
            listing::print(other, API_VERSION, STATUS_LIST_KIND, values, single, true, app)?;
        }
    }
    Ok(())
}

/// Waits until the session is ready.
async fn wait(
    cluster: &Cluster,
    name: &SessionName,
    timeout: Duration,
    app: &App,
) -> Result<(), CommandError> {
    // The wait forgives a server that goes away; one that was never there is told at once.
    cluster.observe(cluster.namespace(), name).await?;
    let awaited = Awaited { name, job: None, server_ahead: SignedDuration::ZERO, replaced: &[], timeout };
    match readiness::wait(cluster, &awaited, app).await? {
        Ended::Ready(_) => Ok(()),
        Ended::Hopeless(_, finding) if finding.id == readiness::GONE => {
            Err(standing::why_not_there(name, cluster).await?)
        }
        Ended::Hopeless(_, finding) => {
            Err(CommandError::from_finding(Exit::Error, format!("session {name} cannot start"), &finding))
        }
        Ended::TimedOut(late) => Err(readiness::unfinished(name, timeout, Some(&late), app)),
        Ended::Interrupted => Err(CommandError::new(
            Exit::Interrupted,
            format!("interrupted: session {name} was not ready yet"),
        )
        .hint(format!("kubectl flink status {name}{}", app.scope_flags()))),
    }
}

/// Prints the session as a FlinkDeployment.
async fn manifest(
    cluster: &Cluster,
    name: &SessionName,
    operator: OperatorVersion,
    app: &App,
) -> Result<Exit, CommandError> {
    let namespace = cluster.namespace();
    let Some(live) = cluster.live(namespace, name).await? else {
        return Err(standing::why_not_there(name, cluster).await?);
    };
    let (manifest, notes) = flinkdeployment::of_live(&live, operator);
    notes.iter().for_each(|note| app.ui.warn(note));
    let text = objects::render(&[manifest], ObjectFormat::Yaml)
        .map_err(|error| CommandError::new(Exit::Error, format!("cannot print session {name}: {error}")))?;
    app.ui.manifest(&text)?;
    Ok(Exit::Done)
}
