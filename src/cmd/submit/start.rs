//! A jar uploaded and its program run: once, whatever happens to the connection.
//!
//! An upload starts nothing and may be repeated. The request to run is sent again only when it is
//! certain that it started nothing and never will; `settle` finds that out.

use std::cell::Cell;
use std::time::Duration;

use tokio::time::Instant;

use super::settle::{self, Settled};
use super::shown;
use crate::app::jar::{self, Jar};
use crate::app::{App, CommandError, id};
use crate::cmd::reach::Reached;
use crate::exit::Exit;
use crate::flink::dialect::Program;
use crate::flink::{self, JarId, RestError};
use crate::model::status::Job;

/// What is to be started where.
pub struct Submission<'a> {
    pub reached: &'a Reached,
    pub jar: &'a Jar,
    pub program: Program,
    pub keep_jar: bool,
    pub app: &'a App,
}

/// How often an upload, or a request that did not arrive, is tried.
const TRIES: u32 = 3;

/// The JobManager itself gives a program ten minutes (`web.timeout`) and then answers.
const RUN_PATIENCE: Duration = Duration::from_secs(11 * 60);

/// How long a JobManager that has gone is waited for before something is sent again.
const COME_BACK: Duration = Duration::from_secs(90);

/// How far a submission has come, for whoever interrupts it.
#[derive(Clone, Copy, PartialEq)]
enum Phase {
    Uploading,
    Running,
}

/// Uploads the jar, runs its program, and returns every job that it has started, oldest first.
pub async fn once(submission: &Submission<'_>) -> Result<Vec<Job>, CommandError> {
    let phase = Cell::new(Phase::Uploading);
    let Submission { reached, jar, .. } = submission;
    tokio::select! {
        biased;
        started = start(submission, &phase) => started,
        Ok(()) = tokio::signal::ctrl_c() => Err(match phase.get() {
            Phase::Uploading => CommandError::new(Exit::Interrupted, "interrupted: nothing was started"),
            Phase::Running => {
                let what = format!("interrupted: the program in {} may have started a job, or may yet", jar.name);
                CommandError::new(Exit::Interrupted, what)
                    .hint(format!("kubectl flink jobs {}{}", reached.name, reached.flags))
            }
        }),
    }
}

async fn start(submission: &Submission<'_>, phase: &Cell<Phase>) -> Result<Vec<Job>, CommandError> {
    let Submission { reached, jar, app, .. } = submission;
    let asked =
        |error| reached.error(&error, format!("cannot submit {} to session {}", jar.name, reached.name));
    let mut program = submission.program.clone();
    if reached.dialect().starts_one_job() {
        program.job = Some(id::random()?);
    }
    let before: Vec<String> =
        flink::jobs(&reached.rest).await.map_err(asked)?.into_iter().map(|job| job.id).collect();
    let mut tries = 1..=TRIES;
    loop {
        phase.set(Phase::Uploading);
        let id = upload(submission).await?;
        phase.set(Phase::Running);
        let running = async {
            let answer = flink::run(&reached.rest, &id, reached.dialect(), &program, RUN_PATIENCE).await;
            settle::settle(submission, &id, &program, &before, answer).await
        };
        let settled = app.ui.progress().shown_while("the program to start its jobs", running).await;
        // What was not started must not start later; what was started needs its jar no more.
        if !submission.keep_jar || matches!(settled, Settled::NotStarted(_)) {
            remove(submission, &id).await;
        }
        match settled {
            Settled::Started(jobs) => return Ok(jobs),
            Settled::Failed { error, jobs } => return Err(failed(submission, &error, &jobs)),
            Settled::NotStarted(why) => {
                tries.next();
                if tries.is_empty() {
                    let what = format!("the program in {} was not started", jar.name);
                    return Err(CommandError::new(Exit::Error, what).because(why).hint("submit it again"));
                }
                app.ui.warn(&format!(
                    "the request to run {} did not arrive ({why}); it is sent again",
                    jar.name
                ));
                come_back(submission).await?;
            }
            Settled::Unknown(why) => {
                let what = format!("it is not known whether the program in {} has started a job", jar.name);
                let look = format!("kubectl flink jobs {} -a{}", reached.name, reached.flags);
                return Err(CommandError::new(Exit::Error, what)
                    .because(why)
                    .hint(format!("look before you submit it again: {look}")));
            }
        }
    }
}

/// Brings the jar into the session.
async fn upload(submission: &Submission<'_>) -> Result<JarId, CommandError> {
    let Submission { reached, jar, app, .. } = submission;
    let rest = &reached.rest;
    let before = flink::jars(rest).await.map_err(|error| match error {
        RestError::Status { status: 404, .. } => {
            let what = format!("session {} takes no jars: web.submit.enable is false", reached.name);
            CommandError::new(Exit::Error, what)
        }
        error => reached.error(&error, format!("cannot upload {}", jar.name)),
    })?;
    let mut tries = 1..=TRIES;
    loop {
        let file = jar::open(&jar.path).map_err(|error| CommandError::new(Exit::Error, error.to_string()))?;
        let transfer = app.ui.transfer(&jar.name, jar.bytes);
        let sending =
            flink::Jar { file, bytes: jar.bytes, name: jar.name.clone(), sent: transfer.listener() };
        let error = match flink::upload(rest, sending).await {
            Ok(id) => {
                transfer.done();
                return Ok(id);
            }
            Err(error) => error,
        };
        drop(transfer);
        tries.next();
        let may_try_again = error.leaves_doubt() || matches!(error, RestError::Unreachable(_));
        if !may_try_again || tries.is_empty() {
            return Err(reached.error(&error, format!("cannot upload {}", shown(&jar.path))));
        }
        come_back(submission).await?;
        // Only the answer may have been lost: a jar is listed once it is complete.
        let now = flink::jars(rest).await.unwrap_or_default();
        let mut ours = now.into_iter().filter(|other| other.name == jar.name && !before.contains(other));
        if let (Some(one), None) = (ours.next(), ours.next()) {
            return Ok(one.id);
        }
        app.ui.warn(&format!("the upload of {} broke off ({error}); it is sent again", jar.name));
    }
}

/// Waits until REST answers again.
async fn come_back(submission: &Submission<'_>) -> Result<(), CommandError> {
    let reached = submission.reached;
    let end = Instant::now() + COME_BACK;
    loop {
        match flink::overview(&reached.rest).await {
            Ok(_) => return Ok(()),
            Err(error @ RestError::Forbidden(_)) => {
                return Err(reached.error(&error, "the way to REST is closed"));
            }
            Err(error) if Instant::now() > end => {
                let what = format!("REST of session {} does not answer any more", reached.name);
                return Err(reached.error(&error, what));
            }
            Err(error) => tracing::debug!(%error, "REST does not answer"),
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

async fn remove(submission: &Submission<'_>, id: &JarId) {
    if let Err(error) = flink::remove_jar(&submission.reached.rest, id).await {
        submission.app.ui.warn(&format!("the uploaded jar {} stays in the session: {error}", id.0));
    }
}

/// The program itself has failed, perhaps after it had started something.
fn failed(submission: &Submission<'_>, error: &RestError, jobs: &[Job]) -> CommandError {
    let Submission { reached, jar, .. } = submission;
    let RestError::Status { errors, .. } = error else {
        return reached.error(error, format!("cannot run the program in {}", jar.name));
    };
    let nothing = ["No jobs included in application", "The program plan could not be fetched"];
    let told = if nothing.iter().any(|words| errors.contains(words)) {
        CommandError::new(Exit::Error, format!("the program in {} has started no job", jar.name))
            .because("its main method came to its end without execute()")
    } else {
        reached.error(error, format!("the program in {} failed", jar.name))
    };
    jobs.iter().fold(told, |told, job| {
        told.because(format!("before that it had started job {} ({}), which goes on", job.id, job.name))
            .hint(format!("kubectl flink cancel {} {}{}", reached.name, job.id, reached.flags))
    })
}
