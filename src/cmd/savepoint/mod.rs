//! `kubectl flink savepoint NAME JOB...`: the state of jobs that go on; and `--dispose` of one.

pub mod directory;
mod earlier;
mod failed;
pub mod take;

use std::time::Duration;

use clap::builder::NonEmptyStringValueParser;
use tokio::time::Instant;

use self::directory::DirectoryArgs;
use self::take::{Kind, Taking};
use super::job_names::JobArgs;
use super::last_contact::LastContact;
use super::reach::{self, Reached};
use crate::app::{App, CommandError, duration};
use crate::diagnosis::stack_trace;
use crate::exit::Exit;
use crate::flink::{self, Progress};
use crate::model::ids::TriggerId;
use crate::model::status::Job;
use crate::session::text::shell::quoted;

#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  # The state of a job as it is now; the job goes on
  kubectl flink savepoint roc orders --savepoint-dir s3://bucket/savepoints

  # Ask after one that takes long
  kubectl flink savepoint roc orders --request-id b6184a1ceee81fb635c129c3458234c8

  # Remove one for good
  kubectl flink savepoint roc --dispose s3://bucket/savepoints/savepoint-8e91dc-d1e80b001ae7")]
pub struct Args {
    #[command(flatten)]
    chosen: JobArgs,

    #[command(flatten)]
    directory: DirectoryArgs,

    /// Ask after a savepoint that was triggered before, and trigger none
    #[arg(long, value_name = "ID", conflicts_with_all = ["all", "savepoint_dir"])]
    request_id: Option<TriggerId>,

    /// Remove this savepoint for good
    #[arg(long, value_name = "PATH", conflicts_with_all = ["jobs", "all", "savepoint_dir", "request_id"],
          value_parser = NonEmptyStringValueParser::new())]
    dispose: Option<String>,

    /// Longest wait
    #[arg(long, value_name = "DURATION", default_value = "10m", value_parser = duration::parse)]
    timeout: Duration,
}

pub async fn run(args: Args, app: &App) -> Result<Exit, CommandError> {
    if args.dispose.is_none() {
        args.chosen.check("savepoint", app)?;
    }
    if let (Some(request), false) = (&args.request_id, args.chosen.jobs.len() == 1) {
        return Err(CommandError::new(Exit::Error, "--request-id is for one job").hint(format!(
            "kubectl flink savepoint {} JOB --request-id {request}{}{}",
            quoted(&args.chosen.name),
            args.chosen.rest.typed(),
            app.scope_flags()
        )));
    }
    app.bound_requests(args.timeout);
    let reached = reach::session_to_change(&args.chosen.rest, &args.chosen.name, app).await?;
    if let Some(path) = &args.dispose {
        return dispose(&reached, path, args.timeout, app).await;
    }
    let kind = Kind::Savepoint;
    let mut taking =
        Taking { reached: &reached, kind, directory: None, allows_local: false, timeout: args.timeout, app };
    if let (Some(id), [word]) = (&args.request_id, &args.chosen.jobs[..]) {
        // A job that was stopped has ended, and its savepoint can still be asked after.
        let jobs = flink::jobs(&reached.rest).await;
        let jobs =
            jobs.map_err(|error| reached.error(&error, format!("cannot ask after savepoint request {id}")))?;
        let job = super::job_names::find_one(word, &jobs, reached.name.as_str(), &reached.flags)?;
        let path = taking.ask_after(job, id).await?;
        app.ui.data(&format!("{path}\n"))?;
        return Ok(Exit::Done);
    }
    let chosen = args.chosen.choose(&reached, app).await?;
    if chosen.jobs.is_empty() {
        return Ok(Exit::Done);
    }
    taking.directory = directory::check(args.directory.wanted(), &reached, app).await?;
    let takes = async |job: &Job| taking.take(job).await;
    let tells = |job: &Job, path: String| {
        app.ui.data(&format!("{path}\n"))?;
        let Job { id, name, .. } = job;
        app.ui.status(&format!(
            "job {id} ({name}) goes on; to start from its savepoint, with its jar and arguments:"
        ));
        app.ui.status(&format!("  {}", taking.restore(&path)));
        Ok(())
    };
    let taken = chosen.each(takes, tells, &reached, app);
    app.ui.progress().shown_while("the savepoints", taken).await
}

/// Removes the savepoint at `path`.
async fn dispose(reached: &Reached, path: &str, timeout: Duration, app: &App) -> Result<Exit, CommandError> {
    let doing = format!("cannot dispose of savepoint {path}");
    let request = match flink::dispose(&reached.rest, path).await {
        Ok(request) => request,
        Err(error) if error.leaves_doubt() => {
            let what = format!("it is not known whether savepoint {path} is removed");
            return Err(CommandError::new(Exit::Error, what)
                .because(error.to_string())
                .hint("type the same again: of a savepoint that is gone it says so"));
        }
        Err(error) => return Err(reached.error(&error, doing)),
    };
    let end = Instant::now() + timeout;
    let contact = LastContact::default();
    loop {
        let progress = flink::disposal(&reached.rest, &request).await;
        if progress.is_ok() {
            contact.restored();
        }
        match progress {
            Ok(Progress::Done(_)) => {
                app.ui.data(&format!("savepoint {path} disposed\n"))?;
                return Ok(Exit::Done);
            }
            Ok(Progress::Failed(stack)) => {
                return Err(CommandError::new(Exit::Error, doing).because(stack_trace::of_stack(&stack)));
            }
            Ok(Progress::Unknown) => {
                return Err(CommandError::new(Exit::Error, doing)
                    .because("the JobManager has started anew, and knows nothing of it")
                    .hint("type the same again"));
            }
            Ok(Progress::InProgress) => {}
            Err(error) if error.is_of_the_way() => drop(contact.lost(&error)),
            Err(error) => return Err(reached.error(&error, doing)),
        }
        if Instant::now() > end {
            let what = format!("savepoint {path} is not disposed of after {} s", timeout.as_secs());
            let state = format!("the state of savepoint {path}");
            let unknown = contact.unknown(&state, Exit::TimedOut, reached).await;
            let error = unknown.unwrap_or_else(|| CommandError::new(Exit::TimedOut, what));
            return Err(error.hint("type the same again"));
        }
        tokio::time::sleep(take::PAUSE).await;
    }
}
