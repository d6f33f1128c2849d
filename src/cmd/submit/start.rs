//! A jar uploaded and its program run: once, whatever happens to the connection.
//!
//! An upload starts nothing and may be repeated. The request to run is sent again only when it is
//! certain that it started nothing and never will; `settle` finds that out.

use std::cell::{Cell, RefCell};
use std::time::Duration;

use tokio::time::Instant;

use super::settle::{self, Asked, Settled};
use crate::app::jar::{self, Jar};
use crate::app::{App, CommandError, id};
use crate::cmd::reach::Reached;
use crate::diagnosis::cause;
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

/// How long a program's `main()` may take. Flink itself sets it no limit; what takes longer is asked for
/// as if its answer had been lost.
const RUN_PATIENCE: Duration = Duration::from_secs(11 * 60);

/// How long a JobManager that has gone is waited for before something is sent again.
const COME_BACK: Duration = Duration::from_secs(90);

/// How far a submission has come, for whoever interrupts it.
#[derive(Default)]
struct Progress {
    /// The jar that lies in the session.
    uploaded: RefCell<Option<JarId>>,
    /// Its program may be at work, or may have been.
    has_run: Cell<bool>,
}

/// How long an interrupted submission takes to clean up.
const LAST_MOMENT: Duration = Duration::from_secs(3);

/// Uploads the jar, runs its program, and returns every job that it has started, oldest first.
pub async fn once(submission: &Submission<'_>) -> Result<Vec<Job>, CommandError> {
    let progress = Progress::default();
    let Submission { reached, jar, app, .. } = submission;
    let _tidies_up = app.await_interrupt();
    tokio::select! {
        biased;
        started = start(submission, &progress) => return started,
        Ok(()) = tokio::signal::ctrl_c() => {}
    }
    // What has not begun then does not begin.
    if let Some(id) = progress.uploaded.take() {
        let _ = tokio::time::timeout(LAST_MOMENT, flink::remove_jar(&reached.rest, &id)).await;
    }
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
        program.job = Some(id::random()?);
    }
    let mut tries = 1..=TRIES;
    loop {
        let uploaded = upload(submission).await?;
        *progress.uploaded.borrow_mut() = Some(uploaded.clone());
        let before = match flink::jobs(rest).await {
            Ok(before) => before,
            Err(error) => {
                let _ = flink::remove_jar(rest, &uploaded).await;
                let what = format!("cannot submit {} to session {}", jar.name, reached.name);
                return Err(reached.error(&error, what));
            }
        };
        let before: Vec<String> = before.into_iter().map(|job| job.id).collect();
        progress.has_run.set(true);
        let asked = Asked { jar: &uploaded, job: program.job.as_deref(), before: &before };
        let running = async {
            let answer = flink::run(rest, &uploaded, reached.dialect(), &program, RUN_PATIENCE).await;
            settle::settle(rest, &asked, answer).await
        };
        let settled = app.ui.progress().shown_while("the program to start its jobs", running).await;
        tidy(submission, &uploaded, &settled).await;
        progress.uploaded.take();
        match settled {
            Settled::Started(jobs) => return Ok(jobs),
            Settled::Appeared(jobs) => {
                app.ui.warn(&format!(
                    "the answer was lost: what has appeared on session {} since is taken for the program's",
                    reached.name
                ));
                return Ok(jobs);
            }
            Settled::Failed(errors) => {
                let since = settle::appeared(rest, &asked).await.unwrap_or_default();
                return Err(failed(submission, &errors, &since));
            }
            Settled::Broken(why) => {
                let what = format!("the program in {} was not started", jar.name);
                return Err(CommandError::new(Exit::Error, what).because(why));
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

/// What was not started must not start later; what was started needs its jar no more.
async fn tidy(submission: &Submission<'_>, uploaded: &JarId, settled: &Settled) {
    let Submission { reached, app, keep_jar, .. } = submission;
    match (settled, keep_jar) {
        (Settled::Appeared(_) | Settled::Unknown(_), true) => {
            app.ui.warn(&format!("{} is not kept in session {}", submission.jar.name, reached.name));
        }
        (Settled::Started(_), true) => {}
        _ => {
            if let Err(error) = flink::remove_jar(&reached.rest, uploaded).await {
                app.ui.warn(&format!("the uploaded jar {} stays in the session: {error}", uploaded.0));
            }
        }
    }
}

/// Brings the jar into the session.
async fn upload(submission: &Submission<'_>) -> Result<JarId, CommandError> {
    let Submission { reached, jar, app, .. } = submission;
    let rest = &reached.rest;
    let name = name_there(submission)?;
    let mut tries = 1..=TRIES;
    loop {
        let unreadable = |error: &dyn std::fmt::Display| CommandError::new(Exit::Error, error.to_string());
        let file = jar::open(&jar.path).map_err(|error| unreadable(&error))?;
        // It may have been built anew since it was looked at.
        let bytes = file.metadata().map_err(|error| unreadable(&error))?.len();
        let transfer = app.ui.transfer(&jar.name, bytes);
        let sending = flink::Jar { file, bytes, name: name.clone(), sent: transfer.listener() };
        let error = match flink::upload(rest, sending).await {
            Ok(id) => {
                transfer.done();
                return Ok(id);
            }
            Err(error) => error,
        };
        drop(transfer);
        let takes_none = || {
            let what = format!("session {} takes no jars: web.submit.enable is false", reached.name);
            Err(CommandError::new(Exit::Error, what))
        };
        if error.is_not_found() {
            return takes_none();
        }
        tries.next();
        let may_try_again = error.leaves_doubt() || matches!(error, RestError::Unreachable(_));
        if !may_try_again || tries.is_empty() {
            return Err(reached.error(&error, format!("cannot upload {}", jar.path.display())));
        }
        come_back(submission).await?;
        // Only the answer may have been lost: a jar is listed once it is complete.
        let now = match flink::jars(rest).await {
            // An answer that came before the end of the jar may have been lost with the connection.
            Err(error) if error.is_not_found() => return takes_none(),
            now => now.unwrap_or_default(),
        };
        if let Some(ours) = now.into_iter().find(|other| other.name == name && !submission.keep_jar) {
            return Ok(ours.id);
        }
        app.ui.warn(&format!("the upload of {} broke off ({error}); it is sent again", jar.name));
    }
}

/// What the jar is called in the session: a name that no other has, unless it is to stay there. Flink
/// takes only names that end in `.jar`.
fn name_there(submission: &Submission<'_>) -> Result<String, CommandError> {
    let name = &submission.jar.name;
    let name = if name.ends_with(".jar") { name.clone() } else { format!("{name}.jar") };
    let plain = |c: char| if c == '"' || c == '\\' || c.is_control() { '_' } else { c };
    let name: String = name.chars().map(plain).collect();
    Ok(match submission.keep_jar {
        true => name,
        false => format!("{}-{name}", &id::random()?[..8]),
    })
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

/// The program itself has failed, perhaps after it had started something.
fn failed(submission: &Submission<'_>, errors: &str, since: &[Job]) -> CommandError {
    let Submission { reached, jar, .. } = submission;
    let nothing = ["No jobs included in application", "The program plan could not be fetched"];
    let savepoint = submission.program.savepoint.as_deref();
    let unread = savepoint.filter(|path| errors.contains("FileNotFoundException") && errors.contains(*path));
    let told = if let Some(path) = unread {
        CommandError::new(Exit::Error, format!("{} was not started: there is no savepoint {path}", jar.name))
            .because(cause::of_stack(errors))
    } else if nothing.iter().any(|words| errors.contains(words)) {
        CommandError::new(Exit::Error, format!("the program in {} has started no job", jar.name))
            .because("its main method came to its end without execute()")
    } else {
        CommandError::new(Exit::Error, format!("the program in {} failed", jar.name))
            .because(cause::of_stack(errors))
    };
    let ids: Vec<String> =
        since.iter().map(|job| format!("{} ({}, {})", job.id, job.name, job.state)).collect();
    match ids.is_empty() {
        true => told,
        false => told
            .because(format!("jobs that have appeared meanwhile, of it or of others: {}", ids.join(", ")))
            .hint(format!("kubectl flink jobs {} -a{}", reached.name, reached.flags)),
    }
}
