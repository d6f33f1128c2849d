//! `kubectl flink stop NAME JOB...`: the end of jobs, with a savepoint to go on from.

use std::time::Duration;

use super::job_names::JobArgs;
use super::reach;
use super::savepoint::directory::{self, DirectoryArgs};
use super::savepoint::take::{Kind, Taking};
use crate::app::{App, CommandError, duration};
use crate::exit::Exit;
use crate::model::status::Job;

#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  # Stop a job; its savepoint's path is printed, and the command that goes on from there
  kubectl flink stop roc orders --savepoint-dir s3://bucket/savepoints

  # Stop all, into the directory that the session is configured with
  kubectl flink stop roc --all

  # End the job for good: windows and timers fire, and nothing is to go on
  kubectl flink stop roc orders --drain")]
pub struct Args {
    #[command(flatten)]
    chosen: JobArgs,

    #[command(flatten)]
    directory: DirectoryArgs,

    /// Let sources end, and all timers fire, before the savepoint
    #[arg(long)]
    drain: bool,

    /// Longest wait for a savepoint
    #[arg(long, value_name = "DURATION", default_value = "10m", value_parser = duration::parse)]
    timeout: Duration,
}

pub async fn run(args: Args, app: &App) -> Result<Exit, CommandError> {
    args.chosen.check("stop", app)?;
    app.bound_requests(args.timeout);
    let reached = reach::session_to_change(&args.chosen.rest, &args.chosen.name, app).await?;
    let chosen = args.chosen.choose(&reached, app).await?;
    if chosen.jobs.is_empty() {
        return Ok(Exit::Done);
    }
    let wanted = args.directory.wanted();
    let directory = directory::check(wanted, &reached, app).await?;
    let kind = Kind::Stop { drain: args.drain };
    let (allows_local, timeout) = (wanted.allows_local, args.timeout);
    let taking = Taking { reached: &reached, kind, directory, allows_local, timeout, app };
    let takes = async |job: &Job| taking.take(job).await;
    let tells = |job: &Job, path: String| {
        app.ui.data(&format!("{path}\n"))?;
        let Job { id, name, .. } = job;
        if args.drain {
            let is = "its windows and timers have fired, and nothing is to go on from there";
            app.ui.status(&format!("job {id} ({name}) is drained and has stopped: {is}"));
        } else {
            app.ui.status(&format!(
                "job {id} ({name}) has stopped; to go on from there, with its jar and arguments:"
            ));
            app.ui.status(&format!("  {}", taking.restore(&path)));
        }
        Ok(())
    };
    let stops = chosen.each(takes, tells, &reached, app);
    app.ui.progress().shown_while("the savepoints", stops).await
}
