//! One savepoint, triggered once, whatever happens to the connection.
//!
//! From 1.15 on the request has an id of ours: the session tells whether it knows it, and takes it
//! once. Before, the history of the job's checkpoints tells what was triggered.

use std::cell::RefCell;
use std::time::Duration;

use tokio::time::Instant;

use super::earlier::{Earlier, MOMENTS};
use crate::app::{App, CommandError, id, interrupt};
use crate::cmd::last_contact::{self, LastContact};
use crate::cmd::reach::Reached;
use crate::exit::Exit;
use crate::flink::dialect::Savepoint;
use crate::flink::{self, Progress, Recorded, RecordedState, RestError};
use crate::model::ids::{JobId, TriggerId};
use crate::model::status::Job;
use crate::session::text::shell::quoted;

/// Between two questions.
pub const PAUSE: Duration = Duration::from_millis(300);

/// What a JobManager tells of one job may be this old (`web.refresh-interval`), and a little more.
const HISTORY: Duration = Duration::from_secs(10);

/// Where that interval is set, it may be long.
pub(super) const LONG_HISTORY: Duration = Duration::from_secs(90);

/// How long a JobManager that has gone is waited for, before the request is sent again.
const COME_BACK: Duration = Duration::from_secs(90);

/// So many looks in a row must miss a job that is gone.
const GONE_LOOKS: u32 = 10;

/// How often a request that did not arrive is sent.
const TRIES: u32 = 3;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Savepoint,
    Stop { drain: bool },
}

pub struct Taking<'a> {
    pub reached: &'a Reached,
    pub kind: Kind,
    pub directory: Option<String>,
    /// A directory inside the pods was allowed.
    pub allows_local: bool,
    pub timeout: Duration,
    pub app: &'a App,
}

impl Taking<'_> {
    /// Takes the savepoint of `job` and returns its path. A stop returns once the job has ended.
    pub async fn take(&self, job: &Job) -> Result<String, CommandError> {
        let request = RefCell::new(None);
        let to_the_end = async {
            match self.take_to_the_end(job, &request).await {
                Err(error) => Err(self.as_it_is_now(job, error).await),
                taken => taken,
            }
        };
        tokio::select! {
            biased;
            taken = to_the_end => return taken,
            _ = interrupt::received() => {}
        }
        let what =
            format!("interrupted: the savepoint of job {} ({}) may have been triggered", job.id, job.name);
        let told = CommandError::new(Exit::Interrupted, what);
        Err(match request.take() {
            Some(request) => told.hint(self.ask_again(job, &request)),
            None => told.hint(self.look(job)),
        })
    }

    /// An error, and what the job has come to: it may have ended, and the JobManager may have been replaced.
    async fn as_it_is_now(&self, job: &Job, error: CommandError) -> CommandError {
        let Job { id, name, .. } = job;
        let error = match self.settled_state(id).await {
            Ok(Some(now)) if !now.is_alive() && error.exit() == Exit::Error => {
                let during = match self.kind {
                    Kind::Savepoint => "during its savepoint",
                    Kind::Stop { .. } => "while it was being stopped",
                };
                error.with_message(format!("job {id} ({name}) ended as {} {during}", now.state))
            }
            Ok(Some(_)) => error,
            Ok(None) => {
                error.because(format!("session {} does not know job {id} any more", self.reached.name))
            }
            Err(why) => error
                .because(format!("the state of job {id} is unknown since {}: {why}", last_contact::now())),
        };
        self.reached.with_replacement(error).await
    }

    /// The job as it is now, once it is no longer on its way to its end.
    async fn settled_state(&self, id: &JobId) -> Result<Option<Job>, RestError> {
        let end = Instant::now() + MOMENTS;
        loop {
            let jobs = flink::jobs(&self.reached.rest).await?;
            match jobs.into_iter().find(|job| job.id == *id) {
                Some(job) if job.state == "FAILING" && Instant::now() < end => {
                    tokio::time::sleep(PAUSE).await
                }
                job => return Ok(job),
            }
        }
    }

    /// Notes in `known` what the request can be asked after by.
    async fn take_to_the_end(
        &self,
        job: &Job,
        known: &RefCell<Option<TriggerId>>,
    ) -> Result<String, CommandError> {
        let end = Instant::now() + self.timeout;
        if let Kind::Stop { .. } = self.kind
            && let Some(path) = self.let_others_end(job, end).await?
        {
            return Ok(path);
        }
        let path = match self.trigger(job, known).await {
            Ok(Triggered::Asked(request)) => self.follow(job, &request, end).await,
            Ok(Triggered::Recorded(id)) => self.follow_history(job, id, end).await,
            Err(error) => Err(error),
        };
        let Kind::Stop { .. } = self.kind else { return path };
        let error = match path {
            Ok(path) => return self.until_ended(job, &path, end).await.map(|()| path),
            Err(error) => error,
        };
        // One that a command before this one had asked for, and no history told of yet, may have been first:
        // it ends the job, and with it this one's savepoint.
        if !self.reached.dialect().takes_request_ids()
            && self.ends_soon(job).await.unwrap_or(false)
            && let Ok(Some(path)) = self.stopped_meanwhile(job, end).await
        {
            return Ok(path);
        }
        Err(error)
    }

    /// Asks after a savepoint that was triggered before.
    pub async fn ask_after(&self, job: &Job, request: &TriggerId) -> Result<String, CommandError> {
        tokio::select! {
            biased;
            path = self.follow(job, request, Instant::now() + self.timeout) => path,
            _ = interrupt::received() => {
                let what = format!("interrupted: the savepoint of job {} ({}) goes on", job.id, job.name);
                Err(CommandError::new(Exit::Interrupted, what).hint(self.ask_again(job, request)))
            }
        }
    }

    /// The command that goes on from a savepoint.
    pub fn restore(&self, path: &str) -> String {
        let Reached { name, flags, .. } = self.reached;
        format!("kubectl flink submit {name} JAR --from-savepoint {}{flags}", quoted(path))
    }

    pub(super) fn failed(&self, job: &Job) -> String {
        match self.kind {
            Kind::Savepoint => format!("there is no savepoint of job {} ({})", job.id, job.name),
            Kind::Stop { .. } => format!("job {} ({}) was not stopped", job.id, job.name),
        }
    }

    async fn trigger(
        &self,
        job: &Job,
        known: &RefCell<Option<TriggerId>>,
    ) -> Result<Triggered, CommandError> {
        let dialect = self.reached.dialect();
        let own = match (dialect.takes_request_ids(), self.kind) {
            (false, _) => None,
            (true, Kind::Savepoint) => Some(TriggerId::from(id::random()?)),
            (true, Kind::Stop { .. }) => match self.earlier_stop(job).await? {
                Earlier::GoesOn(request) => return Ok(Triggered::Asked(request)),
                Earlier::Next(own) => Some(own),
            },
        };
        known.borrow_mut().clone_from(&own);
        let before = match own {
            Some(_) => Vec::new(),
            None => self.recorded_ids(job).await.map_err(|error| self.not_done(job, &error))?,
        };
        let mut tries = 1..=TRIES;
        let mut is_in_doubt = false;
        loop {
            tries.next();
            let error = match self.send(job, own.clone()).await {
                Ok(request) => {
                    *known.borrow_mut() = Some(request.clone());
                    return Ok(Triggered::Asked(request));
                }
                Err(error) => error,
            };
            let arrived = match (&error, &own) {
                (RestError::Unreachable(_), _) => None,
                (error, _) if error.is_without_leader() => None,
                // The job may have been stopped by the request whose answer was lost.
                (error, Some(own)) if is_in_doubt && !error.leaves_doubt() => {
                    return Err(self.unknown(job, error, Some(own)));
                }
                (error, _) if !error.leaves_doubt() => {
                    return Err(self.reached.error(error, self.failed(job)));
                }
                (_, Some(own)) => self.is_known(job, own, &error).await?,
                (_, None) => return self.settle_by_history(job, &before, &error).await,
            };
            is_in_doubt |= error.leaves_doubt();
            // One that has started again knows no request, and perhaps no job: nothing is sent to it.
            if let Some(cause) = self.reached.fate_of(self.reached.process.as_ref()).await.cause() {
                return Err(self.unknown(job, &error, own.as_ref()).because(cause));
            }
            match arrived {
                Some(request) => return Ok(Triggered::Asked(request)),
                None if tries.is_empty() => return Err(self.reached.error(&error, self.failed(job))),
                None => self.come_back(job).await?,
            }
        }
    }

    async fn send(&self, job: &Job, request: Option<TriggerId>) -> Result<TriggerId, RestError> {
        let (rest, dialect) = (&self.reached.rest, self.reached.dialect());
        let savepoint = Savepoint { directory: self.directory.clone(), request };
        match self.kind {
            Kind::Savepoint => flink::savepoint(rest, &job.id, dialect, &savepoint).await,
            Kind::Stop { drain } => flink::stop(rest, &job.id, dialect, &savepoint, drain).await,
        }
    }

    /// Whether the session knows the request `own`. If it does not, the same request may be sent
    /// again: it is taken once, also when the first comes late.
    async fn is_known(
        &self,
        job: &Job,
        own: &TriggerId,
        why: &RestError,
    ) -> Result<Option<TriggerId>, CommandError> {
        let end = Instant::now() + COME_BACK;
        loop {
            match flink::trigger_progress(&self.reached.rest, &job.id, own).await {
                Ok(Progress::Unknown) => return Ok(None),
                Ok(_) => return Ok(Some(own.clone())),
                Err(error) if error.is_of_the_way() && Instant::now() < end => {
                    tokio::time::sleep(PAUSE).await
                }
                Err(_) => return Err(self.unknown(job, why, Some(own))),
            }
        }
    }

    /// The savepoints in the history of a job; none where it takes no checkpoints.
    pub(super) async fn recorded(&self, job: &Job) -> Result<Vec<Recorded>, RestError> {
        match flink::recorded_savepoints(&self.reached.rest, &job.id).await {
            Err(error) if error.is_not_found() => Ok(Vec::new()),
            recorded => recorded,
        }
    }

    async fn recorded_ids(&self, job: &Job) -> Result<Vec<u64>, RestError> {
        Ok(self.recorded(job).await?.into_iter().map(|savepoint| savepoint.id).collect())
    }

    pub(super) fn not_done(&self, job: &Job, error: &RestError) -> CommandError {
        self.reached.error(error, self.failed(job))
    }

    /// For versions that give out the ids of requests: one whose answer was lost can be found only in
    /// the history. It is not sent again.
    async fn settle_by_history(
        &self,
        job: &Job,
        before: &[u64],
        why: &RestError,
    ) -> Result<Triggered, CommandError> {
        let settings = flink::configuration(&self.reached.rest).await.unwrap_or_default();
        let patience = if settings.contains_key("web.refresh-interval") { LONG_HISTORY } else { HISTORY };
        let mut end = Instant::now() + patience;
        let last = Instant::now() + COME_BACK;
        loop {
            match self.recorded_ids(job).await {
                Ok(now) => {
                    if let Some(new) = now.into_iter().find(|id| !before.contains(id)) {
                        return Ok(Triggered::Recorded(new));
                    }
                    if Instant::now() > end {
                        let told = CommandError::new(Exit::Error, self.failed(job)).because(why.to_string());
                        let look = self.look(job);
                        return Err(told
                            .because("the job's history shows none")
                            .hint(format!("look, then type the same again: {look}")));
                    }
                }
                // The time that it tells nothing does not count.
                Err(error) if error.is_of_the_way() && Instant::now() < last => {
                    end = Instant::now() + patience
                }
                Err(_) => return Err(self.unknown(job, why, None)),
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    async fn come_back(&self, job: &Job) -> Result<(), CommandError> {
        let end = Instant::now() + COME_BACK;
        while let Err(error) = flink::overview(&self.reached.rest).await {
            if Instant::now() > end {
                return Err(self.reached.error(&error, self.failed(job)));
            }
            tokio::time::sleep(PAUSE).await;
        }
        Ok(())
    }

    /// Asks until it is done. A JobManager that does not answer for a while is asked again.
    async fn follow(&self, job: &Job, request: &TriggerId, end: Instant) -> Result<String, CommandError> {
        let contact = LastContact::default();
        loop {
            let progress = flink::trigger_progress(&self.reached.rest, &job.id, request).await;
            if progress.is_ok() {
                contact.restored();
            }
            match progress {
                Ok(Progress::Done(Some(path))) => return Ok(path),
                Ok(Progress::Done(None)) => {
                    let told = CommandError::new(Exit::Error, self.failed(job)).hint(self.look(job));
                    return Err(told.because("the session says that it is done, and names no path"));
                }
                Ok(Progress::Failed(stack)) => return Err(self.has_failed(job, &stack).await),
                // It forgets them after a while (`rest.async.store-duration`), or when it starts anew.
                Ok(Progress::Unknown) => {
                    let what = format!(
                        "what became of request {} for job {} ({}) is not known any more",
                        request, job.id, job.name
                    );
                    return Err(CommandError::new(Exit::Error, what)
                        .because(format!("session {} knows no such request", self.reached.name))
                        .hint(format!("the job's own history tells: {}", self.look(job))));
                }
                Ok(Progress::InProgress) => {}
                Err(error) if error.may_pass() => drop(contact.lost(&error)),
                Err(error) => {
                    let what =
                        format!("what became of the savepoint of job {} ({}) is not known", job.id, job.name);
                    return Err(self.reached.error(&error, what).hint(self.ask_again(job, request)));
                }
            }
            if Instant::now() > end {
                return Err(self.late(job, &contact).await.hint(self.ask_again(job, request)));
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    async fn follow_history(&self, job: &Job, id: u64, end: Instant) -> Result<String, CommandError> {
        let contact = LastContact::default();
        loop {
            let recorded = flink::recorded_savepoints(&self.reached.rest, &job.id).await;
            let found = match recorded {
                Ok(recorded) => {
                    contact.restored();
                    recorded.into_iter().find(|savepoint| savepoint.id == id)
                }
                Err(error) if error.may_pass() => {
                    contact.lost(&error);
                    None
                }
                Err(error) => {
                    let what =
                        format!("what became of the savepoint of job {} ({}) is not known", job.id, job.name);
                    return Err(self.reached.error(&error, what).hint(self.look(job)));
                }
            };
            match found.map(|Recorded { state, .. }| state) {
                Some(RecordedState::Completed(path)) => return Ok(path),
                Some(RecordedState::Failed(why)) => {
                    return Err(self.has_failed(job, &why).await);
                }
                Some(RecordedState::InProgress) | None => {}
            }
            if Instant::now() > end {
                let look = self.look(job);
                return Err(self.late(job, &contact).await.hint(look));
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// A stop is done when the job has ended, a moment after its savepoint is complete.
    async fn until_ended(&self, job: &Job, path: &str, end: Instant) -> Result<(), CommandError> {
        let is_complete = || format!("its savepoint {path} is complete");
        let mut misses = 0;
        let contact = LastContact::default();
        loop {
            let now = match flink::jobs(&self.reached.rest).await {
                Ok(now) => {
                    contact.restored();
                    now
                }
                Err(error) if error.may_pass() => {
                    contact.lost(&error);
                    vec![job.clone()]
                }
                Err(error) => {
                    let told = self.reached.error(&error, format!("cannot see the end of job {}", job.id));
                    return Err(told.because(is_complete()).hint(self.restore(path)));
                }
            };
            match now.into_iter().find(|other| other.id == job.id) {
                Some(job) if job.is_alive() => {}
                Some(job) if job.state == "FINISHED" => return Ok(()),
                Some(job) => {
                    let what = format!("job {} ({}) ended as {}", job.id, job.name, job.state);
                    return Err(CommandError::new(Exit::Error, what)
                        .because(is_complete())
                        .hint(self.restore(path)));
                }
                // A JobManager that has started anew without high availability has no such job.
                None => misses += 1,
            }
            if misses >= GONE_LOOKS {
                return Ok(());
            }
            if Instant::now() > end {
                let late = self.late(job, &contact).await;
                return Err(late.because(is_complete()).hint(self.restore(path)));
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// The command that shows the job.
    pub(super) fn look(&self, job: &Job) -> String {
        let Reached { name, flags, .. } = self.reached;
        format!("kubectl flink jobs {name} {}{flags}", job.id)
    }

    pub(super) async fn late(&self, job: &Job, contact: &LastContact) -> CommandError {
        let what = match self.kind {
            Kind::Savepoint => "the savepoint of job",
            Kind::Stop { .. } => "the stop of job",
        };
        let state = format!("the state of {what} {} ({})", job.id, job.name);
        if let Some(error) = contact.unknown(&state, Exit::TimedOut, self.reached).await {
            return error;
        }
        let seconds = self.timeout.as_secs();
        let what = format!("{what} {} ({}) is not done after {seconds} s, and goes on", job.id, job.name);
        CommandError::new(Exit::TimedOut, what)
    }

    fn ask_again(&self, job: &Job, request: &TriggerId) -> String {
        let Reached { name, flags, .. } = self.reached;
        format!("kubectl flink savepoint {name} {} --request-id {request}{flags}", job.id)
    }

    fn unknown(&self, job: &Job, why: &RestError, own: Option<&TriggerId>) -> CommandError {
        let what =
            format!("it is not known whether a savepoint of job {} ({}) was triggered", job.id, job.name);
        let told = CommandError::new(Exit::Error, what).because(why.to_string());
        match own {
            Some(own) => told.hint(self.ask_again(job, own)),
            None => told.hint(self.look(job)),
        }
    }
}

/// How a savepoint that was triggered is known.
enum Triggered {
    Asked(TriggerId),
    /// By its number in the job's history.
    Recorded(u64),
}
