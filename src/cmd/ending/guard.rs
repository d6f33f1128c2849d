//! Asks a session for its jobs before anything is done to it. Silence is no answer.

use super::{Deed, EndingArgs, Wish};
use crate::app::rest::{self, Found};
use crate::app::{App, CommandError};
use crate::cluster::Cluster;
use crate::cmd::job_names::sentence;
use crate::cmd::reach::{self, Reached};
use crate::cmd::savepoint::directory;
use crate::exit::Exit;
use crate::flink;
use crate::model::Evidence;
use crate::model::status::Job;
use crate::session::SessionName;

/// Jobs that a refusal names; `jobs` lists the others.
const NAMED: usize = 10;

/// The guard of one session.
pub struct Guard<'a> {
    pub deed: Deed,
    pub name: &'a SessionName,
    pub cluster: &'a Cluster,
    pub args: &'a EndingArgs,
    /// The session's jobs outlive its JobManager.
    pub is_highly_available: bool,
    pub app: &'a App,
}

/// What a session says of its jobs.
pub enum Jobs {
    /// Nothing runs that could be lost, or nobody was to ask.
    None,
    /// They are to be ended first. There are none where only the savepoints of earlier ones are to be told.
    ToEnd(Box<Asked>),
}

/// A session that has answered, and what runs on it.
pub struct Asked {
    pub reached: Reached,
    pub jobs: Vec<Job>,
    /// Where savepoints go, as a request names it.
    pub directory: Option<String>,
}

impl Guard<'_> {
    /// Asks for the jobs, and refuses unless they may be lost or can be ended as wished.
    ///
    /// # Errors
    /// `Refused` while jobs run and nothing is wished for them, while a job is in no state for the savepoint
    /// that is wished, and where the session does not answer.
    pub async fn check(&self) -> Result<Jobs, CommandError> {
        if let Wish::Force = self.args.wish() {
            return Ok(Jobs::None);
        }
        let Some(reached) = self.reach().await? else { return Ok(Jobs::None) };
        let asked = self.ask(reached).await?;
        let directory = match self.args.wish() {
            Wish::Refuse | Wish::Cancel if asked.jobs.is_empty() => return Ok(Jobs::None),
            Wish::Refuse => return Err(self.refusal(&asked)),
            Wish::Savepoint(wanted) if !asked.jobs.is_empty() => {
                self.check_states(&asked)?;
                directory::check(wanted, &asked.reached).await?
            }
            Wish::Savepoint(_) | Wish::Cancel | Wish::Force => None,
        };
        Ok(Jobs::ToEnd(Box::new(Asked { directory, ..asked })))
    }

    /// None when nobody is there to ask, and so nothing runs.
    async fn reach(&self) -> Result<Option<Reached>, CommandError> {
        let Self { args, name, cluster, app, .. } = self;
        if args.has_address() {
            let reached = reach::session(&args.rest, name.as_str(), app).await;
            return reached.map(Some).map_err(|error| self.unknown(error));
        }
        let found = rest::find(cluster, name).await?;
        if !self.is_highly_available && no_jobmanager_runs(&found) {
            return Ok(None);
        }
        match reach::through(&args.rest, &found, name, cluster, app).await {
            Ok(reached) => Ok(Some(reached)),
            // Whatever ran there ends with the namespace.
            Err(_) if cluster.namespace_is_ending(cluster.namespace()).await => Ok(None),
            Err(error) => Err(self.unknown(error)),
        }
    }

    /// The jobs that have not ended.
    pub(super) async fn ask(&self, reached: Reached) -> Result<Asked, CommandError> {
        let jobs = flink::jobs(&reached.rest).await.map_err(|error| {
            self.unknown(reached.error(&error, format!("cannot list the jobs of session {}", self.name)))
        })?;
        let jobs = jobs.into_iter().filter(Job::is_alive).collect();
        Ok(Asked { reached, jobs, directory: None })
    }

    fn unknown(&self, error: CommandError) -> CommandError {
        let Deed { participle, .. } = self.deed;
        let what =
            format!("it is not known whether jobs run on session {}, so it is not {participle}", self.name);
        error
            .while_doing(what)
            .with_exit(Exit::Refused)
            .hint(format!("to do it whatever runs: {}", self.typed("--force")))
    }

    pub(super) fn refusal(&self, asked: &Asked) -> CommandError {
        let (name, Deed { participle, .. }) = (self.name, self.deed);
        let count = match asked.jobs.len() {
            1 => "a job runs".to_owned(),
            count => format!("{count} jobs run"),
        };
        let what = format!("{count} on session {name}, so it is not {participle}");
        let told = self.with_jobs(CommandError::new(Exit::Refused, what), asked);
        let [lost, kept] = self.deed.forced;
        let forced = if self.is_highly_available { kept } else { lost };
        told.hint(format!(
            "to stop them with savepoints first: {}",
            self.typed("--savepoint=s3://BUCKET/DIR")
        ))
        .hint(format!("to cancel them first: {}", self.typed("--cancel-jobs")))
        .hint(format!("{forced}: {}", self.typed("--force")))
    }

    fn with_jobs(&self, told: CommandError, asked: &Asked) -> CommandError {
        let told = asked.jobs.iter().take(NAMED).fold(told, |told, job| told.because(sentence(job)));
        match asked.jobs.len().saturating_sub(NAMED) {
            0 => told,
            more => told
                .because(format!("and {more} more: kubectl flink jobs {}{}", self.name, asked.reached.flags)),
        }
    }

    /// A job that is not RUNNING cannot have a savepoint, and the others would be stopped for nothing.
    fn check_states(&self, asked: &Asked) -> Result<(), CommandError> {
        let Some(job) = asked.jobs.iter().find(|job| job.state != "RUNNING") else { return Ok(()) };
        let Deed { participle, .. } = self.deed;
        let what = format!(
            "there can be no savepoint of each job of session {} now, so none is stopped and it is not {participle}",
            self.name
        );
        Err(CommandError::new(Exit::Refused, what)
            .because(sentence(job))
            .hint(format!("kubectl flink jobs {} {}{}", self.name, job.id, asked.reached.flags))
            .hint(format!("to cancel them all: {}", self.typed("--cancel-jobs"))))
    }

    /// The command as it would have to be typed.
    pub(super) fn typed(&self, flag: &str) -> String {
        format!("kubectl flink {} {}{} {flag}", self.deed.verb, self.name, self.app.scope_flags())
    }
}

/// True when no JobManager process is there: without high availability no job is then either.
///
/// The containers' states are the kubelet's. One that it has lost sight of still counts as running.
fn no_jobmanager_runs(found: &Found) -> bool {
    let Evidence { jobmanagers, unreadable, .. } = &found.evidence;
    let runs = |pod: &crate::model::evidence::Pod| pod.started.is_some() || pod.phase == "Unknown";
    unreadable.is_empty() && !jobmanagers.iter().any(runs)
}
