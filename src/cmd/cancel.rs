//! `kubectl flink cancel NAME JOB...`: the end of jobs, without a savepoint.

use std::time::Duration;

use tokio::time::Instant;

use super::job_names::JobArgs;
use super::last_contact::LastContact;
use super::reach::{self, Reached};
use crate::app::{App, CommandError, duration};
use crate::exit::Exit;
use crate::flink::{self, Cancelled};
use crate::model::status::Job;

#[derive(clap::Args)]
#[command(after_help = "\
A job that is cancelled loses its state. stop takes a savepoint first.

Examples:
  kubectl flink cancel roc 8e91dc
  kubectl flink cancel roc orders clicks
  kubectl flink cancel roc --all")]
pub struct Args {
    #[command(flatten)]
    chosen: JobArgs,

    /// Wait until they have ended
    #[arg(long, value_name = "BOOL", default_value_t = true, num_args = 0..=1, require_equals = true,
          default_missing_value = "true", hide_default_value = true, action = clap::ArgAction::Set)]
    wait: bool,

    /// Longest wait for a job
    #[arg(long, value_name = "DURATION", default_value = "2m", value_parser = duration::parse)]
    timeout: Duration,
}

/// Between two looks.
const PAUSE: Duration = Duration::from_millis(300);

/// A wish to cancel may be sent again: it does no harm.
const TRIES: u32 = 3;

pub async fn run(args: Args, app: &App) -> Result<Exit, CommandError> {
    args.chosen.check("cancel", app)?;
    app.bound_requests(args.timeout);
    let reached = reach::session_to_change(&args.chosen.rest, &args.chosen.name, app).await?;
    let chosen = args.chosen.choose(&reached, app).await?;
    let wait = args.wait.then_some(args.timeout);
    let cancels = async |job: &Job| cancel(&reached, job, wait).await;
    let tells = |job: &Job, cancelled| Ok(app.ui.data(&format!("job/{} {cancelled}\n", job.id))?);
    chosen.each(cancels, tells, &reached, app).await
}

/// Cancels one job, and waits for its end for as long as `wait` says; says what became of it.
pub async fn cancel(
    reached: &Reached,
    job: &Job,
    wait: Option<Duration>,
) -> Result<&'static str, CommandError> {
    let doing = || format!("cannot cancel job {} ({})", job.id, job.name);
    let mut tries = 1..=TRIES;
    let asked = loop {
        tries.next();
        match flink::cancel(&reached.rest, &job.id).await {
            Ok(asked) => break asked,
            Err(error) if tries.is_empty() || !error.may_pass() => {
                return Err(reached.error(&error, doing()));
            }
            Err(_) => tokio::time::sleep(PAUSE).await,
        }
    };
    let patience = match (wait, &asked) {
        (Some(patience), _) => patience,
        (None, Cancelled::Asked) => return Ok("canceling"),
        // What it has come to is seen at once.
        (None, Cancelled::TooLate(_)) => Duration::ZERO,
    };
    let end = Instant::now() + patience;
    let look = || format!("kubectl flink jobs {} {}{}", reached.name, job.id, reached.flags);
    let contact = LastContact::default();
    loop {
        // The list is of this moment; what is told of one job may be some seconds old.
        let now = match flink::jobs(&reached.rest).await {
            Ok(jobs) => {
                contact.restored();
                jobs.into_iter().find(|other| other.id == job.id)
            }
            Err(error) if !error.may_pass() => return Err(reached.error(&error, doing())),
            Err(error) => {
                contact.lost(&error);
                if Instant::now() > end {
                    let what = format!("the state of job {} ({})", job.id, job.name);
                    let unknown = contact.unknown(&what, Exit::TimedOut, reached).await;
                    return Err(unknown.unwrap_or_else(|| reached.error(&error, doing())).hint(look()));
                }
                tokio::time::sleep(PAUSE).await;
                continue;
            }
        };
        match now {
            Some(job) if job.state == "CANCELED" => return Ok("canceled"),
            Some(job) if !job.is_alive() => {
                let what = format!("job {} ({}) came to its end before: {}", job.id, job.name, job.state);
                return Err(CommandError::new(Exit::Error, what));
            }
            None => {
                let what = format!("session {} does not know job {} any more", reached.name, job.id);
                let error = reached.with_replacement(CommandError::new(Exit::Error, what)).await;
                return Err(error.hint(format!("kubectl flink jobs {} -a{}", reached.name, reached.flags)));
            }
            Some(Job { state, .. }) if Instant::now() > end => {
                let what = format!("job {} ({}) is {state} after {} s", job.id, job.name, patience.as_secs());
                return Err(CommandError::new(Exit::TimedOut, what).hint(look()));
            }
            _ => tokio::time::sleep(PAUSE).await,
        }
    }
}
