//! Asks a session for its jobs before anything is done to it. Silence is no answer.

use std::time::Duration;

use jiff::SignedDuration;

use super::{Deed, EndingArgs, Session, Wish};
use crate::app::rest::{self, Found};
use crate::app::{App, CommandError};
use crate::cluster::Cluster;
use crate::cmd::job_names::sentence;
use crate::cmd::reach::{self, Reached};
use crate::cmd::savepoint::directory;
use crate::exit::Exit;
use crate::flink::{self, RestError};
use crate::model::Evidence;
use crate::model::evidence::Pod;
use crate::model::status::Job;

/// Jobs that a refusal names; `jobs` lists the others.
const NAMED: usize = 10;

/// Between two looks at what a JobManager does.
const MOMENT: Duration = Duration::from_millis(400);

/// Between two attempts to reach a JobManager that is starting.
const AGAIN: Duration = Duration::from_secs(1);

/// How long a JobManager may take to start, on a busy node. Clocks may differ by as much.
const STARTS: SignedDuration = SignedDuration::from_secs(90);

/// The guard of one session.
pub struct Guard<'a> {
    pub deed: Deed,
    pub session: &'a Session,
    pub cluster: &'a Cluster,
    pub args: &'a EndingArgs,
    /// Flags that hints repeat, with a space in front of each.
    pub typed: String,
    pub app: &'a App,
}

/// What a session says of its jobs.
pub enum Jobs {
    /// Nobody is there, or was to be asked.
    None,
    /// Each JobManager of the session has answered. What runs is to be ended first, if anything does.
    ToEnd(Vec<Asked>),
}

/// A JobManager that has answered, and what runs on it.
pub struct Asked {
    pub reached: Reached,
    /// Its pod, where the session has several JobManagers with jobs of their own.
    pub pod: Option<String>,
    pub jobs: Vec<Job>,
    /// Those that have ended.
    pub ended: Vec<Job>,
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
        let Some(mut asked) = self.hear().await? else {
            return match self.args.wish() {
                Wish::Savepoint(_) if self.session.holds_jobs => Err(self.no_savepoint()),
                Wish::Savepoint(_) | Wish::Cancel if !self.session.objects.is_empty() => {
                    let name = &self.session.name;
                    self.app.ui.note(&format!("No JobManager of session {name} runs, and so no job does."));
                    Ok(Jobs::None)
                }
                _ => Ok(Jobs::None),
            };
        };
        match self.args.wish() {
            Wish::Refuse if asked.iter().all(|asked| asked.jobs.is_empty()) => {}
            Wish::Refuse => return Err(self.refusal(&asked)),
            Wish::Savepoint(wanted) => {
                asked.iter().try_for_each(|asked| self.check_states(asked))?;
                for asked in asked.iter_mut().filter(|asked| !asked.jobs.is_empty()) {
                    asked.directory = directory::check(wanted, &asked.reached, self.app).await?;
                }
            }
            Wish::Cancel | Wish::Force => {}
        }
        Ok(Jobs::ToEnd(asked))
    }

    /// What each JobManager of the session says of its jobs. None when nobody is there to ask, and so nothing runs.
    async fn hear(&self) -> Result<Option<Vec<Asked>>, CommandError> {
        let heard = match self.reach_once_started().await {
            Ok(Some(all)) => self.ask_all(all).await.map(Some),
            Ok(None) => Ok(None),
            Err(error) => Err(error),
        };
        match heard {
            Err(error) if self.args.has_address() || error.exit() != Exit::Refused => Err(error),
            Err(_) if self.has_begun_to_end().await => Ok(None),
            // Whatever ran there ends with the namespace.
            Err(_) if self.is_to_save_nothing() && self.namespace_is_ending().await => Ok(None),
            heard => heard,
        }
    }

    /// Looks again whether a JobManager is there: its end may have begun a moment ago, at any word of it.
    pub(super) async fn has_begun_to_end(&self) -> bool {
        let Self { session, cluster, .. } = self;
        let now = cluster.session_objects(cluster.namespace(), &session.name).await;
        now.is_ok_and(|now| now.staying_jobmanagers == 0 && (now.deployment.is_none() || now.is_ending))
    }

    fn is_to_save_nothing(&self) -> bool {
        matches!(self.args.wish(), Wish::Refuse | Wish::Cancel)
    }

    async fn namespace_is_ending(&self) -> bool {
        self.cluster.namespace_is_ending(self.cluster.namespace()).await
    }

    async fn ask_all(&self, all: Vec<Reached>) -> Result<Vec<Asked>, CommandError> {
        let are_several = all.len() > 1;
        let mut asked = Vec::new();
        for reached in all {
            let pod = reached.rest.port().await.ok().flatten().map(|port| port.pod().to_owned());
            asked.push(Asked { pod: pod.filter(|_| are_several), ..self.ask(reached).await? });
        }
        Ok(asked)
    }

    /// A JobManager that starts does not respond for some seconds, and has no answer to wait for before that.
    async fn reach_once_started(&self) -> Result<Option<Vec<Reached>>, CommandError> {
        let progress = self.app.ui.progress();
        loop {
            let reached = self.reach().await;
            let is_silent =
                reached.as_ref().is_err_and(|error| error.exit() == Exit::Refused && !error.is_refusal());
            if !is_silent || self.args.has_address() || !self.is_starting().await {
                return reached;
            }
            progress.waiting_for(&format!("the JobManager of session {} to start", self.session.name));
            tokio::time::sleep(AGAIN).await;
        }
    }

    /// True while the newest JobManager process, or the Deployment without one, is young enough to be starting.
    async fn is_starting(&self) -> bool {
        let Self { session, cluster, .. } = self;
        let Ok(now) = cluster.observe(cluster.namespace(), &session.name).await else { return false };
        let began = match now.jobmanagers.iter().rev().find(|pod| !pod.deleting) {
            Some(pod) => pod.started.or(pod.created),
            None => now.deployment.as_ref().filter(|deployment| !deployment.deleting).and_then(|d| d.created),
        };
        began.is_some_and(|began| now.at.duration_since(began).abs() < STARTS)
    }

    /// Every JobManager on which jobs may run: with high availability the leader, without it each one whose
    /// process may be there, since each has jobs of its own. None when no JobManager is there.
    async fn reach(&self) -> Result<Option<Vec<Reached>>, CommandError> {
        let Self { args, session, cluster, app, .. } = self;
        let name = &session.name;
        if args.has_address() {
            let reached = reach::session(&args.rest, name.as_str(), app).await;
            let reached = reached.map_err(|error| self.unknown(error))?;
            self.check_address(&reached).await?;
            return Ok(Some(vec![reached]));
        }
        if !session.has_jobmanager() {
            return Ok(None);
        }
        let found = rest::find(cluster, name).await?;
        self.refuse_another(&found.evidence)?;
        if !session.may_keep_jobs() && no_jobmanager_runs(&found) {
            return Ok(None);
        }
        let ports = found.running().await;
        if ports.len() > 1 {
            let mut all = Vec::new();
            for port in ports {
                let what = format!("JobManager pod {} cannot be asked", port.pod());
                let reached = reach::through_pod(&args.rest, &found, port, name, cluster, app).await;
                all.push(reached.map_err(|error| self.unknown(error.while_doing(what)))?);
            }
            return Ok(Some(all));
        }
        let reached = reach::through(&args.rest, &found, name, cluster, app).await;
        reached.map(|reached| Some(vec![reached])).map_err(|error| self.unknown(error))
    }

    /// Another session may have the name by now: its jobs are nobody's to end here.
    fn refuse_another(&self, now: &Evidence) -> Result<(), CommandError> {
        let Self { session, deed: Deed { participle, .. }, .. } = self;
        let uids = session.objects.deployment.as_ref().zip(now.deployment.as_ref());
        if uids.is_none_or(|(before, now)| before.uid == now.uid) {
            return Ok(());
        }
        let name = &session.name;
        let what =
            format!("session {name} was deleted and created anew meanwhile, so it is not {participle}");
        Err(CommandError::new(Exit::Error, what))
    }

    /// The jobs that have not ended.
    pub(super) async fn ask(&self, reached: Reached) -> Result<Asked, CommandError> {
        let name = &self.session.name;
        let unknown = |error: &RestError| {
            self.unknown(reached.error(error, format!("cannot list the jobs of session {name}")))
        };
        // Before its jobs: one that ends in between has started them.
        let runs_a_program = is_running_a_program(&reached).await.map_err(|error| unknown(&error))?;
        let jobs = flink::complete_jobs(&reached.rest).await.map_err(|error| unknown(&error))?;
        let (ended, jobs): (Vec<Job>, Vec<Job>) = jobs.into_iter().partition(|job| !job.is_alive());
        if jobs.is_empty() && runs_a_program {
            let Deed { participle, .. } = self.deed;
            let what =
                format!("a program is about to start jobs on session {name}, so it is not {participle}");
            return Err(CommandError::new(Exit::Refused, what)
                .hint(format!("kubectl flink jobs {name}{} -w", reached.flags))
                .hint(format!("to do it whatever runs: {}", self.typed("--force"))));
        }
        Ok(Asked { reached, pod: None, jobs, ended, directory: None })
    }

    /// What high availability has kept can have no savepoint while no JobManager runs.
    fn no_savepoint(&self) -> CommandError {
        let (name, Deed { participle, .. }) = (&self.session.name, self.deed);
        let what = format!(
            "no JobManager runs that could take savepoints of the jobs of session {name}, so it is not {participle}"
        );
        let list: Vec<String> =
            self.session.objects.high_availability.iter().map(ToString::to_string).collect();
        CommandError::new(Exit::Refused, what)
            .because(format!("high availability has kept jobs in {}", list.join(", ")))
            .hint(format!("to leave them there: {}", self.typed("--force")))
    }

    pub(super) fn unknown(&self, error: CommandError) -> CommandError {
        let Deed { participle, .. } = self.deed;
        let what = format!(
            "it is not known whether jobs run on session {}, so it is not {participle}",
            self.session.name
        );
        error
            .while_doing(what)
            .with_exit(Exit::Refused)
            .hint(format!("to do it whatever runs: {}", self.typed("--force")))
    }

    pub(super) fn refusal(&self, asked: &[Asked]) -> CommandError {
        let (name, Deed { participle, .. }) = (&self.session.name, self.deed);
        let count = match asked.iter().map(|asked| asked.jobs.len()).sum() {
            1 => "a job runs".to_owned(),
            count => format!("{count} jobs run"),
        };
        let what = format!("{count} on session {name}, so it is not {participle}");
        let told = self.with_jobs(CommandError::new(Exit::Refused, what), asked);
        let [lost, kept] = self.deed.forced;
        let forced = if self.session.is_highly_available() { kept } else { lost };
        told.hint(format!(
            "to stop them with savepoints first: {}",
            self.typed("--savepoint=s3://BUCKET/DIR")
        ))
        .hint(format!("to cancel them first: {}", self.typed("--cancel-jobs")))
        .hint(format!("{forced}: {}", self.typed("--force")))
    }

    fn with_jobs(&self, told: CommandError, asked: &[Asked]) -> CommandError {
        let sentences: Vec<String> = asked
            .iter()
            .flat_map(|asked| asked.jobs.iter().map(move |job| sentence_of(asked, job)))
            .collect();
        let told = sentences.iter().take(NAMED).fold(told, CommandError::because);
        let flags = asked.first().map(|asked| asked.reached.flags.as_str()).unwrap_or_default();
        match sentences.len().saturating_sub(NAMED) {
            0 => told,
            more => told.because(format!("and {more} more: kubectl flink jobs {}{flags}", self.session.name)),
        }
    }

    /// A job that is not RUNNING cannot have a savepoint, and the others would be stopped for nothing.
    fn check_states(&self, asked: &Asked) -> Result<(), CommandError> {
        let Some(job) = asked.jobs.iter().find(|job| job.state != "RUNNING" || waits(job)) else {
            return Ok(());
        };
        let Deed { participle, .. } = self.deed;
        let what = format!(
            "there can be no savepoint of each job of session {} now, so none is stopped and it is not {participle}",
            self.session.name
        );
        // Of several JobManagers, `jobs` cannot tell which to ask.
        let look = match &asked.pod {
            None => format!("kubectl flink jobs {} {}{}", self.session.name, job.id, asked.reached.flags),
            Some(_) => format!("kubectl flink status {}{}", self.session.name, asked.reached.flags),
        };
        Err(CommandError::new(Exit::Refused, what)
            .because(sentence_of(asked, job))
            .hint(look)
            .hint(format!("to cancel them all: {}", self.typed("--cancel-jobs"))))
    }

    /// The command as it would have to be typed.
    pub(super) fn typed(&self, flag: &str) -> String {
        let Self { deed: Deed { verb, .. }, session, typed, args, app, .. } = self;
        let (scope, rest) = (app.scope_flags(), args.rest.typed());
        format!("kubectl flink {verb} {}{scope}{typed}{rest} {flag}", session.name)
    }
}

/// A job, and its JobManager where there are several.
fn sentence_of(asked: &Asked, job: &Job) -> String {
    match &asked.pod {
        Some(pod) => format!("{}, on JobManager pod {pod}", sentence(job)),
        None => sentence(job),
    }
}

/// True while a program is in its `main()`. A thread that serves another question looks like one for a
/// moment.
async fn is_running_a_program(reached: &Reached) -> Result<bool, RestError> {
    const LOOKS: u32 = 3;
    for look in 0..LOOKS {
        if look > 0 {
            tokio::time::sleep(MOMENT).await;
        }
        // Old versions cannot tell.
        if flink::is_running_a_program(&reached.rest).await? != Some(true) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// True for a job none of whose tasks run yet: there can be no savepoint of it.
fn waits(job: &Job) -> bool {
    job.tasks_running == 0 && job.tasks_total > 0
}

/// True when no JobManager process is there: without high availability no job is then either.
fn no_jobmanager_runs(found: &Found) -> bool {
    let Evidence { jobmanagers, unreadable, .. } = &found.evidence;
    unreadable.is_empty() && !jobmanagers.iter().any(Pod::may_run)
}
