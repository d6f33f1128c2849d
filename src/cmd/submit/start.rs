//! A jar uploaded and its program run: once, whatever happens to the connection.
//!
//! An upload starts nothing and may be repeated. The request to run is sent again only when it is
//! certain that it started nothing and never will; `settle` finds that out.

use std::cell::{Cell, RefCell};
use std::time::Duration;

use super::marker::{self, Marker};
use super::settle::{self, Appeared, Asked, Settled};
use super::upload::{self, Uploaded};
use crate::app::jar::Jar;
use crate::app::{App, CommandError, id, interrupt};
use crate::cmd::last_contact;
use crate::cmd::reach::Reached;
use crate::diagnosis::stack_trace;
use crate::exit::Exit;
use crate::flink;
use crate::flink::dialect::Program;
use crate::model::ids::JobId;
use crate::model::status::Job;

/// What is to be started where.
pub struct Submission<'a> {
    pub reached: &'a Reached,
    pub jar: &'a Jar,
    pub program: Program,
    pub keep_jar: bool,
    pub app: &'a App,
}

/// How long a program's `main()` may take. Flink itself sets it no limit; what takes longer is asked for
/// as if its answer had been lost.
const RUN_PATIENCE: Duration = Duration::from_secs(11 * 60);

/// How far a submission has come, for the signal that interrupts it.
#[derive(Default)]
struct Progress {
    /// The jar that lies in the session.
    uploaded: RefCell<Option<Uploaded>>,
    /// What the jar is called in the session, and no other jar, from the start of its upload.
    uploading: RefCell<Option<String>>,
    /// Its program may be at work, or may have been.
    has_run: Cell<bool>,
}

/// How long an interrupted submission takes to clean up.
const LAST_MOMENT: Duration = Duration::from_secs(3);

/// Uploads the jar, runs its program, and returns every job that is proved to be the program's, oldest first.
pub async fn once(submission: &Submission<'_>) -> Result<Vec<Job>, CommandError> {
    let progress = Progress::default();
    let Submission { reached, jar, app, .. } = submission;
    let _tidies_up = app.await_interrupt();
    tokio::select! {
        biased;
        started = start(submission, &progress) => return started,
        _ = interrupt::received() => {}
    }
    // What has not begun then does not begin.
    let removed = async {
        match (progress.uploaded.take(), progress.uploading.take()) {
            (Some(uploaded), _) => drop(uploaded.remove(reached).await),
            // All of it may have arrived before its upload was interrupted.
            (None, Some(name)) => upload::remove_named(reached, &name).await,
            (None, None) => {}
        }
    };
    let _ = tokio::time::timeout(LAST_MOMENT, removed).await;
    if !progress.has_run.get() {
        return Err(CommandError::new(Exit::Interrupted, "interrupted: nothing was started"));
    }
    let what = format!("interrupted: the program in {} may have started a job", jar.name);
    Err(CommandError::new(Exit::Interrupted, what)
        .hint(format!("kubectl flink jobs {} -a{}", reached.name, reached.flags)))
}

async fn start(submission: &Submission<'_>, progress: &Progress) -> Result<Vec<Job>, CommandError> {
    let Submission { reached, jar, app, .. } = submission;
    let rest = &reached.rest;
    let mut program = submission.program.clone();
    if reached.dialect().starts_one_job() {
        program.job = Some(JobId::from(id::random()?));
    }
    let marker = mark(submission, &mut program).await?;
    let mut tries = 1..=upload::TRIES;
    loop {
        let begun = |name: &str| drop(progress.uploading.replace(Some(name.to_owned())));
        let uploaded = upload::upload(submission, begun).await?;
        *progress.uploaded.borrow_mut() = Some(uploaded.clone());
        let before = match flink::jobs(rest).await {
            Ok(before) => before,
            Err(error) => {
                let _ = uploaded.remove(reached).await;
                let what = format!("cannot submit {} to session {}", jar.name, reached.name);
                return Err(reached.error(&error, what));
            }
        };
        let process = reached.process_now().await;
        let fate = async || reached.fate_of(process.as_ref()).await;
        progress.has_run.set(true);
        let asked =
            Asked { jar: &uploaded.id, job: program.job.as_ref(), marker: marker.as_ref(), before: &before };
        let running = async {
            let answer = flink::run(rest, &uploaded.id, reached.dialect(), &program, RUN_PATIENCE).await;
            settle::settle(rest, &asked, answer, &fate).await
        };
        let settled = app.ui.progress().shown_while("the program to start its jobs", running).await;
        tidy(submission, &uploaded, &settled).await;
        progress.uploaded.take();
        progress.uploading.take();
        match settled {
            Settled::Started(Appeared { proved, possible }) => {
                if !possible.is_empty() {
                    app.ui.warn(&possibly_ours(submission, &possible));
                }
                return Ok(proved);
            }
            Settled::Unread(job) => {
                let what = format!(
                    "the program in {} started job {job}, and its state is unknown since {}",
                    jar.name,
                    last_contact::now()
                );
                let look = format!("kubectl flink jobs {} {job}{}", reached.name, reached.flags);
                return Err(CommandError::new(Exit::Error, what).hint(look));
            }
            Settled::Replaced { why, named } => {
                let lost = Lost { why, named, asked: &asked };
                let told =
                    app.ui.progress().shown_while("the JobManager to come back", lost.told(submission));
                return Err(told.await);
            }
            Settled::Failed(errors) => {
                let since = settle::appeared(rest, &asked).await.unwrap_or_default();
                let errors = uploaded.with_local_name(&errors, &jar.name);
                let failed = failed(submission, &errors, &since);
                return Err(fate().await.cause().into_iter().fold(failed, CommandError::because));
            }
            Settled::Broken(why) => {
                let what = format!("the program in {} was not started", jar.name);
                return Err(
                    CommandError::new(Exit::Error, what).because(uploaded.with_local_name(&why, &jar.name))
                );
            }
            Settled::NotStarted(why) => {
                progress.has_run.set(false);
                tries.next();
                if tries.is_empty() {
                    let what = format!("the program in {} was not started", jar.name);
                    return Err(CommandError::new(Exit::Error, what).because(why).hint("submit it again"));
                }
                app.ui.warn(&format!(
                    "the request to run {} has started no job ({why}); it is sent again",
                    jar.name
                ));
                upload::come_back(submission).await?;
            }
            Settled::Unknown { why, possible } => {
                let what = format!("cannot determine whether the program in {} has started a job", jar.name);
                let look = format!("kubectl flink jobs {} -a{}", reached.name, reached.flags);
                let told = CommandError::new(Exit::Error, what).because(why);
                let told = match possible.is_empty() {
                    true => told,
                    false => told.because(possibly_ours(submission, &possible)),
                };
                return Err(told.hint(format!("check before you submit it again: {look}")));
            }
        }
    }
}

/// What was not started must not start later; what was started needs its jar no more.
async fn tidy(submission: &Submission<'_>, uploaded: &Uploaded, settled: &Settled) {
    let Submission { reached, app, keep_jar, .. } = submission;
    match (settled, keep_jar) {
        // It is gone with the process that had it.
        (Settled::Replaced { .. }, _) => {}
        (Settled::Unknown { .. }, true) => {
            app.ui.warn(&format!("{} is not kept in session {}", submission.jar.name, reached.name));
        }
        (Settled::Started(_) | Settled::Unread(_), true) => {
            let (name, id) = (&submission.jar.name, uploaded.id.as_str());
            app.ui.status(&format!("kept {name} in session {} as {id}", reached.name));
        }
        _ => {
            if let Err(error) = uploaded.remove(reached).await {
                let (name, id) = (&submission.jar.name, uploaded.id.as_str());
                app.ui.warn(&format!("{name} remains in session {} as {id}: {error}", reached.name));
            }
        }
    }
}

/// Puts a mark on the program's jobs, where the version carries one.
async fn mark(submission: &Submission<'_>, program: &mut Program) -> Result<Option<Marker>, CommandError> {
    let reached = submission.reached;
    if !reached.dialect().takes_settings() {
        return Ok(None);
    }
    // What the session sets is replaced by what the request sets: without it nothing can be added.
    match flink::configuration(&reached.rest).await {
        Ok(settings) => Marker::add_to(&mut program.settings, marker::of_session(&settings)),
        Err(error) => {
            tracing::debug!(%error, "the session's settings cannot be read");
            Ok(None)
        }
    }
}

/// Jobs that have appeared since the submit, without proof of whose they are.
fn possibly_ours(submission: &Submission<'_>, possible: &[Job]) -> String {
    let session = &submission.reached.name;
    format!(
        "new on session {session} since the submit (of this program or of another client): {}",
        list(possible)
    )
}

fn list(jobs: &[Job]) -> String {
    let of = |job: &Job| format!("{} ({}, {})", job.id, job.name, job.state);
    jobs.iter().map(of).collect::<Vec<_>>().join(", ")
}

/// A JobManager that was replaced while a program ran on it, perhaps by the program's own doing.
struct Lost<'a> {
    why: String,
    /// The job that the response had named.
    named: Option<JobId>,
    asked: &'a Asked<'a>,
}

impl Lost<'_> {
    /// Says what is known once the JobManager answers again. The program is not sent again: it may end that one too.
    async fn told(self, submission: &Submission<'_>) -> CommandError {
        let Submission { reached, jar, .. } = submission;
        let Self { why, named, asked } = self;
        let name = &reached.name;
        let what =
            format!("the JobManager of session {name} was replaced while the program in {} ran", jar.name);
        let mut told = CommandError::new(Exit::Error, what).because(why);
        if let Some(job) = &named {
            told = told.because(format!("the program had started job {job}"));
        }
        let ran: Vec<Job> = asked.before.iter().filter(|job| job.is_alive()).cloned().collect();
        let now = match upload::come_back(submission).await {
            Ok(()) => flink::jobs(&reached.rest).await.map_err(|error| error.to_string()),
            Err(error) => Err(error.to_string()),
        };
        told = match now {
            Ok(now) => {
                let is_gone = |job: &Job| !now.iter().any(|other| other.id == job.id);
                let gone: Vec<Job> = ran.into_iter().filter(is_gone).collect();
                match gone.is_empty() {
                    true => told,
                    false => told.because(format!("these jobs of the session are gone: {}", list(&gone))),
                }
            }
            Err(_) if ran.is_empty() => told,
            Err(why) => told
                .because(format!("cannot determine which of its running jobs are gone: {}", list(&ran)))
                .because(why),
        };
        // With high availability a job that was started may have been recovered.
        if let Ok(Appeared { proved, .. }) = settle::appeared(&reached.rest, asked).await
            && !proved.is_empty()
        {
            told = told.because(format!("jobs of this program that run again: {}", list(&proved)));
        }
        let look = format!("kubectl flink jobs {name} -a{}", reached.flags);
        let status = reached.status();
        status.into_iter().fold(told.hint(look), CommandError::hint)
    }
}

/// The program itself has failed, perhaps after it had started something.
fn failed(submission: &Submission<'_>, errors: &str, since: &Appeared) -> CommandError {
    let Submission { reached, jar, .. } = submission;
    let nothing = ["No jobs included in application", "The program plan could not be fetched"];
    let savepoint = submission.program.savepoint.as_deref();
    let unread = savepoint.filter(|path| errors.contains("FileNotFoundException") && errors.contains(*path));
    let told = if let Some(path) = unread {
        CommandError::new(Exit::Error, format!("{} was not started: there is no savepoint {path}", jar.name))
            .because(stack_trace::of_stack(errors))
    } else if nothing.iter().any(|words| errors.contains(words)) {
        CommandError::new(Exit::Error, format!("the program in {} has started no job", jar.name))
            .because("its main method came to its end without execute()")
    } else {
        CommandError::new(Exit::Error, format!("the program in {} failed", jar.name))
            .because(stack_trace::of_stack(errors))
    };
    let Appeared { proved, possible } = since;
    let look = format!("kubectl flink jobs {} -a{}", reached.name, reached.flags);
    let told = match proved.is_empty() {
        true => told,
        false => told.because(format!("before that it had started: {}", list(proved))),
    };
    match (possible.is_empty(), proved.is_empty()) {
        (true, true) => told,
        (true, false) => told.hint(look),
        (false, _) => told.because(possibly_ours(submission, possible)).hint(look),
    }
}
