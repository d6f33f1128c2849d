//! `kubectl flink submit NAME JAR [-- ARGS...]`: a program's jar into the session, and its jobs started once.

mod argument;
mod classes;
pub mod flink_run;
pub mod follow;
mod marker;
mod settings;
mod settle;
mod start;
mod upload;

use std::path::PathBuf;
use std::time::Duration;

use clap::builder::NonEmptyStringValueParser;

use super::job_names::sentence;
use super::listing;
use super::number;
use super::reach::{self, Reached, RestArgs};
use super::word::Word;
use crate::app::jar::Jar;
use crate::app::{App, CommandError, duration};
use crate::exit::Exit;
use crate::flink::dialect::Program;
use crate::model::JobView;
use crate::model::job::JOB_LIST_KIND;
use crate::model::session::API_VERSION;
use crate::model::status::Job;
use crate::output::format::{self, Asked, Format};
use crate::session::FlinkVersion;

#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  # Start what the jar's manifest names
  kubectl flink submit roc orders.jar

  # A class of it, with arguments, on four slots
  kubectl flink submit roc orders.jar --class com.example.Clicks -p 4 -- --topic clicks

  # Go on where a savepoint was taken
  kubectl flink submit roc orders.jar --from-savepoint s3://bucket/savepoints/savepoint-1a2b3c

  # Follow it to its end: exits with 0 when it finishes, with 5 when it fails
  kubectl flink submit roc report.jar --wait

  # A jar from elsewhere
  curl -fL https://example.com/orders.jar | kubectl flink submit roc -

  # For scripts: its id
  JOB=$(kubectl flink submit roc orders.jar --quiet)")]
pub struct Args {
    /// Name of the session
    #[arg(add = Word::Session)]
    name: String,

    /// The program's jar, or - for one that comes through stdin
    jar: PathBuf,

    /// Arguments of the program
    #[arg(last = true, value_name = "ARGS")]
    arguments: Vec<String>,

    /// Class to start [default: the one that the manifest names]
    #[arg(long, value_name = "CLASS")]
    class: Option<String>,

    /// Parallelism of what sets none itself [default: the session's]
    #[arg(short, long, value_name = "NUMBER", value_parser = number::within(1..=u32::MAX))]
    parallelism: Option<u32>,

    /// Start with the state of this savepoint, or of a checkpoint that was kept
    #[arg(long, value_name = "PATH", value_parser = NonEmptyStringValueParser::new())]
    from_savepoint: Option<String>,

    /// State of the savepoint that the program has no use for may be left out
    #[arg(long, requires = "from_savepoint")]
    allow_non_restored_state: bool,

    /// Flink setting of this program's jobs; may be repeated; from Flink 1.17 on
    #[arg(short = 'D', value_name = "KEY=VALUE", value_parser = setting, add = Word::Setting)]
    settings: Vec<(String, String)>,

    /// Take every -D as it is: no check of its name and value
    #[arg(long)]
    unchecked_config: bool,

    /// Follow the jobs to their end
    #[arg(long)]
    wait: bool,

    /// Longest wait for the end, such as 90s or 2h [default: none]
    #[arg(long, value_name = "DURATION", requires = "wait", value_parser = duration::parse)]
    timeout: Option<Duration>,

    /// Leave the uploaded jar in the session
    #[arg(long)]
    keep_jar: bool,

    /// Form of the output [default: the ids of the jobs]: json, yaml, name, jsonpath=TEMPLATE, custom-columns=SPEC
    #[arg(short, long, value_name = "FORMAT", default_value = "", hide_default_value = true, value_parser = Asked::of_list,
          add = Word::OneOf(&format::OF_LIST))]
    output: Asked,

    #[command(flatten)]
    rest: RestArgs,
}

pub async fn run(args: Args, app: &App) -> Result<Exit, CommandError> {
    let format = listing::format(&args.output, app)?;
    let jar = argument::read(&args, app).await?;
    classes::check(&args, &jar, app)?;
    args.timeout.iter().for_each(|timeout| app.bound_requests(*timeout));
    let reached = reach::session_to_change(&args.rest, &args.name, app).await?;
    let settings = settings::of(&args, &reached, app)?;
    warn_of_bundled(&jar, &reached, app);
    let program = Program {
        class: args.class.clone(),
        arguments: args.arguments.clone(),
        parallelism: args.parallelism,
        savepoint: args.from_savepoint.clone(),
        allow_non_restored_state: args.allow_non_restored_state,
        settings,
        job: None,
    };
    let submission =
        start::Submission { reached: &reached, jar: &jar, program, keep_jar: args.keep_jar, app };
    let jobs = start::once(&submission).await?;
    // An id stays what it is; a state is printed as it is in the end.
    let has_state = !matches!(format, Format::Table | Format::Wide | Format::Name);
    let is_printed_last = args.wait && has_state;
    let printed = if is_printed_last { Ok(()) } else { print(&jobs, &format, &reached, app) };
    for job in &jobs {
        app.ui.status(&sentence(job));
    }
    printed?;
    if args.wait {
        let followed = follow::to_the_end(&reached, jobs, args.timeout, app).await;
        let printed = match followed.jobs.filter(|_| is_printed_last) {
            Some(jobs) => print(&jobs, &format, &reached, app),
            None => Ok(()),
        };
        let exit = followed.end?;
        return printed.map(|()| exit);
    }
    if let [job, ..] = &jobs[..] {
        app.ui.status(&format!(
            "To see how it goes: kubectl flink jobs {} {}{}",
            reached.name, job.id, reached.flags
        ));
    }
    Ok(Exit::Done)
}

/// Warns of a Flink in the jar that is not the one of the session.
fn warn_of_bundled(jar: &Jar, reached: &Reached, app: &App) {
    if let Some(bundled) = &jar.bundled
        && !is_of(&bundled.version, reached.version)
    {
        app.ui.warn(&format!(
            "{} has {} {} packed in, and session {} runs Flink {}: the program may meet either",
            jar.name, bundled.artifact, bundled.version, reached.name, reached.version
        ));
        app.ui.hint("give Flink's own dependencies the scope provided, and build the jar anew");
    }
}

/// True when `text` is of the same minor version.
fn is_of(text: &str, version: FlinkVersion) -> bool {
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    text[..end].parse::<FlinkVersion>().is_ok_and(|other| other.minor() == version.minor())
}

fn print(jobs: &[Job], format: &Format, reached: &Reached, app: &App) -> Result<(), CommandError> {
    let ids = |prefix: &str| jobs.iter().map(|job| format!("{prefix}{}\n", job.id)).collect::<String>();
    match format {
        Format::Table | Format::Wide => app.ui.data(&ids(""))?,
        Format::Name => app.ui.data(&ids("job/"))?,
        other => {
            let views: Vec<JobView> = jobs.iter().map(|job| reached.view(job.clone())).collect();
            let values = listing::values(&views)?;
            listing::print(other, API_VERSION, JOB_LIST_KIND, values, jobs.len() == 1, true, app)?;
        }
    }
    Ok(())
}

fn setting(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("say KEY=VALUE")?;
    let is_key = !key.is_empty() && !key.contains(char::is_whitespace);
    is_key.then(|| (key.to_owned(), value.to_owned())).ok_or_else(|| format!("{key:?} is no key"))
}
