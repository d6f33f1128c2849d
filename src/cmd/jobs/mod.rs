//! `kubectl flink jobs NAME [JOB]`: one row a job of a session, or one job from all sides.

mod followed;
mod gather;
pub mod rows;
mod text;
mod watch;

use std::time::Duration;

use jiff::Timestamp;

use self::rows::Columns;
use super::reach::{self, Reached, RestArgs};
use super::submit::follow;
use super::word::Word;
use super::{job_names, listing};
use crate::app::{App, CommandError, duration};
use crate::exit::Exit;
use crate::flink;
use crate::model::JobView;
use crate::model::job::JOB_LIST_KIND;
use crate::model::session::API_VERSION;
use crate::model::status::Job;
use crate::output::format::{self, Asked, Format};
use crate::output::sort::SortKey;
use crate::output::table::Layout;
use crate::session::text::shell::quoted;

#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  # The jobs that run on a session
  kubectl flink jobs roc

  # Those that have ended, too
  kubectl flink jobs roc -a

  # One job: vertices, checkpoints, exceptions and backpressure
  kubectl flink jobs roc 8e91dc

  # As they change
  kubectl flink jobs roc -w

  # Until a job has ended: exits with 0 when it finishes, with 5 when it fails or is canceled
  kubectl flink jobs roc 8e91dc --wait --timeout 2h

  # For scripts
  kubectl flink jobs roc -o jsonpath='{.items[*].status.state}'")]
pub struct Args {
    /// Name of the session
    #[arg(add = Word::Session)]
    name: String,

    /// Show this job: an id, the beginning of one that fits no other, or a name; of several, a row each
    #[arg(value_name = "JOB", add = Word::Job)]
    jobs: Vec<String>,

    /// Jobs that have ended, too
    #[arg(short, long)]
    all: bool,

    /// Wait until these jobs have ended: exit with 0 when they have finished, with 5 when one failed or was canceled
    #[arg(long, requires = "jobs", conflicts_with = "watch")]
    wait: bool,

    /// Longest wait for the end, such as 90s or 2h; exits with 3 [default: none]
    #[arg(long, value_name = "DURATION", requires = "wait", value_parser = duration::parse)]
    timeout: Option<Duration>,

    #[command(flatten)]
    form: Form,

    #[command(flatten)]
    rest: RestArgs,
}

#[derive(clap::Args)]
#[command(next_help_heading = "Output")]
struct Form {
    /// Form of the output: json, yaml, name, wide, jsonpath=TEMPLATE, custom-columns=SPEC, and both of a file
    #[arg(short, long, value_name = "FORMAT", default_value = "", hide_default_value = true, value_parser = Asked::of_list,
          add = Word::OneOf(&format::OF_LIST))]
    output: Asked,

    /// Leave the header out
    #[arg(long)]
    no_headers: bool,

    /// Sort by a field, such as .status.durationMilliseconds
    #[arg(long, value_name = "JSONPATH", value_parser = SortKey::parse)]
    sort_by: Option<SortKey>,

    /// After that, show what changes
    #[arg(short, long)]
    watch: bool,
}

pub async fn run(args: Args, app: &App) -> Result<Exit, CommandError> {
    let format = listing::format(&args.form.output, app)?;
    args.check(app)?;
    args.timeout.iter().for_each(|timeout| app.bound_requests(*timeout));
    let reached = reach::session_to_read(&args.rest, &args.name, app).await?;
    let jobs = flink::jobs(&reached.rest).await;
    let jobs = jobs.map_err(|error| reached.error(&error, cannot_list(&reached)))?;
    if !args.jobs.is_empty() {
        return named(&args, &format, &jobs, &reached, app).await;
    }
    if args.form.watch {
        return watch::all(&args, &format, jobs, &reached, app).await;
    }
    let ended = jobs.iter().filter(|job| !job.is_alive()).count();
    let shown = jobs.into_iter().filter(|job| args.all || job.is_alive());
    let views = views(shown, &args, &reached)?;
    print(&views, false, &args, &format, app)?;
    if views.is_empty() && format.is_table() {
        app.ui.note(&nothing(&reached, args.all, ended));
    }
    Ok(Exit::Done)
}

impl Args {
    /// Refuses what does not go together, before anything is asked.
    fn check(&self, app: &App) -> Result<(), CommandError> {
        match self.form.watch && self.jobs.len() > 1 {
            true => Err(CommandError::new(Exit::Error, "--watch takes one job, or none for all")
                .hint(format!("kubectl flink jobs {} --watch{}", quoted(&self.name), app.scope_flags()))),
            false => Ok(()),
        }
    }
}

/// The jobs that were named, each once.
async fn named(
    args: &Args,
    format: &Format,
    jobs: &[Job],
    reached: &Reached,
    app: &App,
) -> Result<Exit, CommandError> {
    let mut chosen: Vec<&Job> = Vec::new();
    for word in &args.jobs {
        let job = job_names::find_one(word, jobs, reached.name.as_str(), &reached.flags)?;
        if !chosen.contains(&job) {
            chosen.push(job);
        }
    }
    match &chosen[..] {
        _ if args.wait => wait(args, format, chosen.into_iter().cloned().collect(), reached, app).await,
        [job] => one(args, format, job, reached, app).await,
        _ => {
            print(&views(chosen.into_iter().cloned(), args, reached)?, false, args, format, app)?;
            Ok(Exit::Done)
        }
    }
}

/// Waits for the end of `jobs`, and prints the state that each has come to. One that the session has forgotten has none.
async fn wait(
    args: &Args,
    format: &Format,
    jobs: Vec<Job>,
    reached: &Reached,
    app: &App,
) -> Result<Exit, CommandError> {
    let single = jobs.len() == 1;
    let last = follow::until_ended(reached, jobs, args.timeout, app).await?;
    let known = last.iter().filter(|job| !job.is_alive()).cloned();
    let views = views(known, args, reached)?;
    if !views.is_empty() {
        print(&views, single, args, format, app)?;
    }
    follow::ended(reached, &last).await
}

fn views(
    jobs: impl Iterator<Item = Job>,
    args: &Args,
    reached: &Reached,
) -> Result<Vec<JobView>, CommandError> {
    listing::sorted(jobs.map(|job| reached.view(job)).collect(), args.form.sort_by.as_ref())
}

/// Shows one job from all sides.
async fn one(
    args: &Args,
    format: &Format,
    job: &Job,
    reached: &Reached,
    app: &App,
) -> Result<Exit, CommandError> {
    if args.form.watch {
        return watch::one(args, format, job, reached, app).await;
    }
    let found = gather::job(reached, &job.id).await;
    let found = found.map_err(|error| reached.error(&error, cannot_look(reached, job)))?;
    let (job, details) = found.ok_or_else(|| is_gone(reached, job))?;
    print_one(&JobView { details: Some(details), ..reached.view(job) }, format, !args.form.no_headers, app)?;
    Ok(Exit::Done)
}

fn cannot_list(reached: &Reached) -> String {
    format!("cannot list the jobs of session {}", reached.name)
}

fn cannot_look(reached: &Reached, job: &Job) -> String {
    format!("cannot look at job {} of session {}", job.id, reached.name)
}

/// It was listed a moment ago.
fn is_gone(reached: &Reached, job: &Job) -> CommandError {
    let Reached { name, flags, .. } = reached;
    CommandError::new(Exit::Error, format!("session {name} does not know job {} any more", job.id))
        .hint(format!("kubectl flink jobs {name} -a{flags}"))
}

/// What there is to say where no job is shown.
fn nothing(reached: &Reached, all: bool, ended: usize) -> String {
    let name = &reached.name;
    match (all, ended) {
        (true, _) => format!("No jobs on session {name}."),
        (false, 0) => format!("No running jobs on session {name}."),
        (false, 1) => format!("No running jobs on session {name}; -a shows 1 that has ended."),
        (false, many) => format!("No running jobs on session {name}; -a shows {many} that have ended."),
    }
}

/// Prints rows; without a list around it for a `single` job that was named.
fn print(
    views: &[JobView],
    single: bool,
    args: &Args,
    format: &Format,
    app: &App,
) -> Result<(), CommandError> {
    let headers = !args.form.no_headers;
    match format {
        Format::Name => app.ui.data(&names(views))?,
        Format::Table | Format::Wide if views.is_empty() => {}
        Format::Table | Format::Wide => {
            let table = Columns::of(format).table(views.iter().map(|view| &view.job));
            app.ui.rendered(&Layout::coloured(app.ui.colours_data()).render(&table, headers))?;
        }
        other => {
            let values = listing::values(views)?;
            listing::print(other, API_VERSION, JOB_LIST_KIND, values, single, headers, app)?;
        }
    }
    Ok(())
}

fn print_one(view: &JobView, format: &Format, headers: bool, app: &App) -> Result<(), CommandError> {
    match format {
        Format::Name => app.ui.data(&names(std::slice::from_ref(view)))?,
        Format::Table | Format::Wide => {
            app.ui.rendered(&text::render(view, format, Timestamp::now(), app.ui.colours_data()))?;
        }
        other => {
            let values = vec![listing::value(view)?];
            listing::print(other, API_VERSION, JOB_LIST_KIND, values, true, headers, app)?;
        }
    }
    Ok(())
}

/// One line a job, which can be given back to the plugin.
fn names(views: &[JobView]) -> String {
    views.iter().map(|view| format!("job/{}\n", view.job.id)).collect()
}
