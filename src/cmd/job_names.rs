//! Which jobs are meant: by id, by a unique beginning of one, or by name.

use std::cell::{Cell, RefCell};

use futures::StreamExt;

use super::reach::{Reached, RestArgs};
use super::word::Word;
use crate::app::{App, CommandError, interrupt};
use crate::exit::Exit;
use crate::flink;
use crate::model::status::Job;
use crate::session::text::shell::quoted;

/// The jobs that `cancel`, `stop` and `savepoint` are for.
#[derive(clap::Args)]
pub struct JobArgs {
    /// Name of the session
    #[arg(add = Word::Session)]
    pub name: String,

    /// Jobs: an id, the beginning of one that fits no other, or a name
    #[arg(value_name = "JOB", add = Word::RunningJob)]
    pub jobs: Vec<String>,

    /// All jobs that have not ended
    #[arg(long, conflicts_with = "jobs")]
    pub all: bool,

    #[command(flatten)]
    pub rest: RestArgs,
}

/// Which jobs something is to be done to.
pub struct Chosen {
    pub jobs: Vec<Job>,
    /// Words that mean none, or one that has ended. They keep nobody from the others.
    refused: Vec<CommandError>,
}

/// Jobs that something is done to at the same time: each takes a connection.
const AT_ONCE: usize = 8;

impl JobArgs {
    /// Refuses a command for no job, before anything is asked.
    pub fn check(&self, verb: &str, app: &App) -> Result<(), CommandError> {
        match self.jobs.is_empty() && !self.all {
            true => {
                Err(CommandError::new(Exit::Error, format!("{verb} needs a job: name one, or say --all"))
                    .hint(format!("kubectl flink jobs {}{}", quoted(&self.name), app.scope_flags())))
            }
            false => Ok(()),
        }
    }

    /// The jobs that are meant, each once; of `--all`, none is no error.
    pub async fn choose(&self, reached: &Reached, app: &App) -> Result<Chosen, CommandError> {
        let (name, flags) = (reached.name.as_str(), reached.flags.as_str());
        let jobs = flink::jobs(&reached.rest).await;
        let jobs =
            jobs.map_err(|error| reached.error(&error, format!("cannot list the jobs of session {name}")))?;
        if self.all {
            let jobs: Vec<Job> = jobs.into_iter().filter(Job::is_alive).collect();
            if jobs.is_empty() {
                app.ui.note(&format!("No running jobs on session {name}."));
            }
            return Ok(Chosen::of(jobs));
        }
        let mut chosen = Chosen::of(Vec::new());
        for word in &self.jobs {
            match find_one(word, &jobs, name, flags).and_then(|job| alive(job, name, flags)) {
                Ok(job) if chosen.jobs.iter().any(|earlier| earlier.id == job.id) => {}
                Ok(job) => chosen.jobs.push(job.clone()),
                Err(error) => chosen.refused.push(error),
            }
        }
        match (chosen.jobs.is_empty(), chosen.refused.pop()) {
            (true, Some(last)) => {
                chosen.refused.iter().for_each(|error| error.tell(&app.ui));
                Err(last)
            }
            (_, last) => {
                chosen.refused.extend(last);
                Ok(chosen)
            }
        }
    }
}

fn alive<'j>(job: &'j Job, session: &str, flags: &str) -> Result<&'j Job, CommandError> {
    if job.is_alive() {
        return Ok(job);
    }
    let what = format!("job {} ({}) has ended already, as {}", job.id, job.name, job.state);
    Err(CommandError::new(Exit::Error, what).hint(format!("kubectl flink jobs {session} {}{flags}", job.id)))
}

impl Chosen {
    pub fn of(jobs: Vec<Job>) -> Self {
        Self { jobs, refused: Vec::new() }
    }

    /// Does `work` for each job, some at the same time, and tells what came of it in their order. The
    /// failure of one stops no other: every error is told but the last, which ends the command.
    pub async fn each<T>(
        self,
        work: impl AsyncFn(&Job) -> Result<T, CommandError>,
        mut tell: impl FnMut(&Job, T) -> Result<(), CommandError>,
        reached: &Reached,
        app: &App,
    ) -> Result<Exit, CommandError> {
        let Self { jobs, refused } = self;
        let (errors, unheard) = (RefCell::new(refused), RefCell::new(None));
        let is_interrupted = Cell::new(false);
        let done = async {
            let work = &work;
            // Nothing is begun any more once somebody has said stop.
            let begun =
                futures::stream::iter(&jobs).take_while(|_| std::future::ready(!is_interrupted.get()));
            let mut results = begun.map(async |job| (job, work(job).await)).buffered(AT_ONCE);
            while let Some((job, result)) = results.next().await {
                match result {
                    // What is done is done, whether anybody hears of it or not.
                    Ok(done) => {
                        if let Err(error) = tell(job, done) {
                            unheard.borrow_mut().get_or_insert(error);
                        }
                    }
                    Err(error) => {
                        is_interrupted.set(is_interrupted.get() || error.exit() == Exit::Interrupted);
                        errors.borrow_mut().push(error);
                    }
                }
            }
        };
        tokio::select! {
            // Work that ends by itself on Ctrl-C says more.
            biased;
            () = done => {}
            _ = interrupt::received() => {
                let look = format!("kubectl flink jobs {} -a{}", reached.name, reached.flags);
                let told = CommandError::new(Exit::Interrupted, "interrupted: some of the jobs may go on");
                errors.borrow_mut().push(told.hint(look));
            }
        }
        // The worst ends the command: Ctrl-C, then an error, then a wait that was too short.
        let rank = |error: &CommandError| match error.exit() {
            Exit::Interrupted => 2,
            Exit::TimedOut => 0,
            _ => 1,
        };
        let mut errors = errors.into_inner();
        errors.sort_by_key(rank);
        let Some(last) = errors.pop() else {
            return unheard.into_inner().map_or(Ok(Exit::Done), Err);
        };
        errors.iter().for_each(|error| error.tell(&app.ui));
        Err(last)
    }
}

/// How a job is, in one sentence. A job is RUNNING for Flink also while its tasks wait for slots.
pub fn sentence(job: &Job) -> String {
    let Job { id, name, state, tasks_running, tasks_total, .. } = job;
    let of_tasks = match (job.is_alive(), *tasks_total) {
        (false, _) | (_, 0) => String::new(),
        (true, total) => format!(", {tasks_running} of {total} tasks running"),
    };
    format!("job {id} ({name}) is {state}{of_tasks}")
}

/// The one job that `word` means: by its id, by a name, or by the beginning of an id. A name, or a beginning, that fits
/// both jobs that have ended and jobs that have not means the latter. A word that is the name of one job and the
/// beginning of another's id means none: a guess would cancel the wrong one.
pub fn find_one<'j>(
    word: &str,
    jobs: &'j [Job],
    session: &str,
    flags: &str,
) -> Result<&'j Job, CommandError> {
    let look = format!("kubectl flink jobs {session} -a{flags}");
    let id = word.to_ascii_lowercase();
    // As `-o name` prints it: then it is an id, whatever the names of other jobs are.
    let (id, is_typed) = id.strip_prefix("job/").map_or((id.as_str(), false), |id| (id, true));
    if let Some(job) = jobs.iter().find(|job| job.id.as_str() == id) {
        return Ok(job);
    }
    let named = or_alive(jobs.iter().filter(|job| !is_typed && job.name == word));
    let mut fits = or_alive(jobs.iter().filter(|job| !id.is_empty() && job.id.as_str().starts_with(id)));
    // A name that is also the beginning of another job's id means both.
    fits.retain(|job| !named.contains(job));
    fits.splice(0..0, named);
    match &fits[..] {
        [] => Err(CommandError::new(Exit::Error, format!("there is no job {word:?} on session {session}"))
            .hint(look)),
        [job] => Ok(job),
        many => {
            let ids: Vec<String> =
                many.iter().map(|job| format!("{} ({}, {})", job.id, job.name, job.state)).collect();
            let message = format!("{word:?} means {} jobs of session {session}", many.len());
            Err(CommandError::new(Exit::Error, message)
                .because(ids.join(", "))
                .hint("name one of them by its id"))
        }
    }
}

/// Those of `jobs` that have not ended, or all if there is none.
fn or_alive<'j>(jobs: impl Iterator<Item = &'j Job>) -> Vec<&'j Job> {
    let (alive, ended): (Vec<_>, Vec<_>) = jobs.partition(|job| job.is_alive());
    if alive.is_empty() { ended } else { alive }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job(id: &str, name: &str, state: &str) -> Job {
        Job {
            id: crate::model::JobId::of(id),
            name: name.to_owned(),
            state: state.to_owned(),
            tasks_running: 0,
            tasks_total: 1,
            started_at: None,
            duration_milliseconds: 0,
        }
    }

    #[test]
    fn a_job_is_named_by_id_by_a_beginning_or_by_name() {
        let jobs = [
            job("aa11", "orders", "RUNNING"),
            job("aa22", "orders", "FINISHED"),
            job("bb33", "clicks", "RUNNING"),
            job("bb44", "clicks", "RESTARTING"),
            job("cc55", "aa", "FAILED"),
        ];
        let found = |word: &str| {
            // Without the zeros at the end of each id.
            let short = |text: &str| text.replace(&"0".repeat(28), "");
            let found = find_one(word, &jobs, "roc", "");
            found.map(|job| short(job.id.as_str())).map_err(|error| short(&error.to_string()))
        };
        assert_eq!(found("bb440000000000000000000000000000").as_deref(), Ok("bb44"));
        assert_eq!(found("BB44").as_deref(), Ok("bb44"));
        assert_eq!(found("job/bb44").as_deref(), Ok("bb44"));
        assert_eq!(found("cc").as_deref(), Ok("cc55"));
        assert_eq!(found("orders").as_deref(), Ok("aa11"), "the one that runs");
        assert_eq!(
            found("aa"),
            Err("\"aa\" means 2 jobs of session roc: cc55 (aa, FAILED), aa11 (orders, RUNNING)".to_owned()),
            "a name and a beginning are two"
        );
        assert_eq!(found("job/aa").as_deref(), Ok("aa11"), "an id by what it is called");
        assert_eq!(found("aa2").as_deref(), Ok("aa22"));
        assert_eq!(
            found("clicks"),
            Err("\"clicks\" means 2 jobs of session roc: bb33 (clicks, RUNNING), bb44 (clicks, RESTARTING)"
                .to_owned())
        );
        assert_eq!(found("zz"), Err("there is no job \"zz\" on session roc".to_owned()));
        assert_eq!(found(""), Err("there is no job \"\" on session roc".to_owned()));
    }
}
