//! What happens to the running jobs of a session that is to go: asked for before, ended on request.
//!
//! `delete` and `restart` have the same guard.

mod address;
mod guard;
mod jobs;
mod session;

use std::time::Duration;

use clap::builder::NonEmptyStringValueParser;

use super::reach::RestArgs;
use super::savepoint::directory::Wanted;
use crate::app::duration;
use crate::session::text::shell::quoted;

pub use guard::{Guard, Jobs};
pub use jobs::Told;
pub use session::Session;

#[derive(clap::Args)]
#[command(next_help_heading = "Running jobs")]
pub struct EndingArgs {
    /// Stop each job with a savepoint first, in DIR [default: the one that the session is configured with]
    #[arg(long, value_name = "DIR", num_args = 0..=1, require_equals = true,
          value_parser = NonEmptyStringValueParser::new(), conflicts_with_all = ["cancel_jobs", "force"])]
    savepoint: Option<Option<String>>,

    /// Allow a local savepoint directory (safe only on a volume that outlives the pods)
    #[arg(long, requires = "savepoint")]
    allow_local_dir: bool,

    /// Longest wait for the savepoints
    #[arg(long, value_name = "DURATION", default_value = "10m", value_parser = duration::parse, requires = "savepoint")]
    savepoint_timeout: Duration,

    /// Cancel each job first: its state is lost
    #[arg(long, conflicts_with = "force")]
    cancel_jobs: bool,

    /// Do not ask for jobs: whatever runs loses its state, unless high availability keeps it
    #[arg(long)]
    force: bool,

    #[command(flatten)]
    pub rest: RestArgs,
}

/// What is to become of running jobs.
#[derive(Clone, Copy, Debug)]
pub enum Wish<'a> {
    /// Nothing: while any runs, the session is left as it is.
    Refuse,
    Savepoint(Wanted<'a>),
    Cancel,
    /// Nobody asks.
    Force,
}

impl EndingArgs {
    pub fn wish(&self) -> Wish<'_> {
        match &self.savepoint {
            Some(directory) => Wish::Savepoint(Wanted {
                directory: directory.as_deref(),
                flag: "--savepoint=",
                allows_local: self.allow_local_dir,
            }),
            None if self.cancel_jobs => Wish::Cancel,
            None if self.force => Wish::Force,
            None => Wish::Refuse,
        }
    }

    /// The flags as they were typed, with a space in front of each: for the command that is to be typed again.
    pub fn typed(&self) -> String {
        let mut typed = match self.wish() {
            Wish::Refuse => String::new(),
            Wish::Savepoint(Wanted { directory: Some(directory), .. }) => {
                format!(" --savepoint={}", quoted(directory))
            }
            Wish::Savepoint(_) => " --savepoint".to_owned(),
            Wish::Cancel => " --cancel-jobs".to_owned(),
            Wish::Force => " --force".to_owned(),
        };
        if self.allow_local_dir {
            typed += " --allow-local-dir";
        }
        typed + &self.rest.typed()
    }

    /// What is to become of running jobs, in words.
    pub fn fate(&self) -> &'static str {
        match self.wish() {
            Wish::Savepoint(_) => "stopped with a savepoint first",
            Wish::Cancel => "cancelled first",
            Wish::Refuse | Wish::Force => "left as they are",
        }
    }

    /// True for `--savepoint` without a directory.
    pub fn has_bare_savepoint(&self) -> bool {
        matches!(self.savepoint, Some(None))
    }

    /// Whether REST is looked for at an address, which is one session's.
    pub fn has_address(&self) -> bool {
        self.rest.address.is_some()
    }
}

/// What is to be done to a session, in the words of errors and hints.
#[derive(Clone, Copy, Debug)]
pub struct Deed {
    /// The command, such as `delete`, with the flags that make it this deed.
    pub verb: &'static str,
    /// What has not happened when it was refused, such as `deleted`.
    pub participle: &'static str,
    /// After it nobody knows of the jobs that have ended.
    pub forgets_jobs: bool,
    /// What becomes of running jobs with `--force`, without high availability and with it.
    pub forced: [&'static str; 2],
    /// The command that does the same to a FlinkDeployment of the operator: from flags with a space in
    /// front, and its name.
    pub by_operator: fn(&str, &str) -> String,
}
