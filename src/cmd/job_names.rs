//! Which jobs are meant: by id, by a unique beginning of one, or by name.

use std::future::Future;

use futures::StreamExt;

use super::reach::{Reached, RestArgs};
use crate::app::{App, CommandError};
use crate::exit::Exit;
use crate::flink;
use crate::model::status::Job;

/// The jobs that `cancel`, `stop` and `savepoint` are for.
#[derive(clap::Args)]
pub struct JobArgs {
    /// Name of the session
    pub name: String,

    /// Jobs: an id, the beginning of one that fits no other, or a name
    #[arg(value_name = "JOB")]
    pub jobs: Vec<String>,

    /// All jobs that have not ended
    #[arg(long, conflicts_with = "jobs")]
    pub all: bool,

    #[command(flatten)]
    pub rest: RestArgs,
}

impl JobArgs {
    /// Refuses a command for no job, before anything is asked.
    pub fn check(&self, verb: &str) -> Result<(), CommandError> {
        match self.jobs.is_empty() && !self.all {
            true => {
                Err(CommandError::new(Exit::Error, format!("{verb} needs a job: name one, or say --all"))
                    .hint(format!("kubectl flink jobs {}", self.name)))
            }
            false => Ok(()),
        }
    }

    /// The jobs that are meant. One that has ended already is an error; of `--all`, none is not.
    pub async fn choose(&self, reached: &Reached) -> Result<Vec<Job>, CommandError> {
        let (name, flags) = (reached.name.as_str(), reached.flags.as_str());
        let jobs = flink::jobs(&reached.rest).await;
        let jobs =
            jobs.map_err(|error| reached.error(&error, format!("cannot list the jobs of session {name}")))?;
        if self.all {
            return Ok(jobs.into_iter().filter(Job::is_alive).collect());
        }
        let found = find(&self.jobs, &jobs, name, flags)?;
        if let Some(ended) = found.iter().find(|job| !job.is_alive()) {
            let what = format!("job {} ({}) has ended already, as {}", ended.id, ended.name, ended.state);
            return Err(CommandError::new(Exit::Error, what)
                .hint(format!("kubectl flink jobs {name} {}{flags}", ended.id)));
        }
        Ok(found.into_iter().cloned().collect())
    }
}

/// Jobs that something is done to at the same time: each takes a connection.
const AT_ONCE: usize = 8;

/// Does what it takes for each job; the failure of one stops no other. Every error is told but one,
/// which ends the command.
pub async fn each<F>(work: impl Iterator<Item = F>, app: &App) -> Result<Exit, CommandError>
where
    F: Future<Output = Result<(), CommandError>>,
{
    let results: Vec<_> = futures::stream::iter(work).buffered(AT_ONCE).collect().await;
    let mut errors: Vec<CommandError> = results.into_iter().filter_map(Result::err).collect();
    let Some(last) = errors.pop() else { return Ok(Exit::Done) };
    errors.iter().for_each(|error| error.tell(&app.ui));
    Err(last)
}

/// Finds the jobs of `words` among `jobs`, each once, in the order of the words.
///
/// A word that fits both jobs that have ended and jobs that have not means the latter.
pub fn find<'j>(
    words: &[String],
    jobs: &'j [Job],
    session: &str,
    flags: &str,
) -> Result<Vec<&'j Job>, CommandError> {
    let mut found: Vec<&Job> = Vec::new();
    for word in words {
        let job = find_one(word, jobs, session, flags)?;
        if !found.iter().any(|earlier| earlier.id == job.id) {
            found.push(job);
        }
    }
    Ok(found)
}

/// The one job that `word` means.
pub fn find_one<'j>(
    word: &str,
    jobs: &'j [Job],
    session: &str,
    flags: &str,
) -> Result<&'j Job, CommandError> {
    let look = format!("kubectl flink jobs {session} -a{flags}");
    let id = word.to_ascii_lowercase();
    // As `-o name` prints it.
    let id = id.strip_prefix("job/").unwrap_or(&id);
    let fits: [&dyn Fn(&Job) -> bool; 3] =
        [&|job| job.id == id, &|job| job.name == word, &|job| !id.is_empty() && job.id.starts_with(id)];
    for fits in fits {
        let all: Vec<&Job> = jobs.iter().filter(|job| fits(job)).collect();
        let alive: Vec<&Job> = all.iter().copied().filter(|job| job.is_alive()).collect();
        match (&all[..], &alive[..]) {
            ([], _) => {}
            ([job], _) | (_, [job]) => return Ok(job),
            (many, []) | (_, many) => {
                let ids: Vec<&str> = many.iter().map(|job| job.id.as_str()).collect();
                let message = format!("{word:?} means {} jobs of session {session}", many.len());
                return Err(CommandError::new(Exit::Error, message)
                    .because(ids.join(", "))
                    .hint("name one of them by its id"));
            }
        }
    }
    Err(CommandError::new(Exit::Error, format!("there is no job {word:?} on session {session}")).hint(look))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job(id: &str, name: &str, state: &str) -> Job {
        Job {
            id: id.to_owned(),
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
            find_one(word, &jobs, "roc", "").map(|job| job.id.clone()).map_err(|error| error.to_string())
        };
        assert_eq!(found("bb44").as_deref(), Ok("bb44"));
        assert_eq!(found("BB44").as_deref(), Ok("bb44"));
        assert_eq!(found("job/bb44").as_deref(), Ok("bb44"));
        assert_eq!(found("cc").as_deref(), Ok("cc55"));
        assert_eq!(found("orders").as_deref(), Ok("aa11"), "the one that runs");
        assert_eq!(found("aa").as_deref(), Ok("cc55"), "a name goes before a beginning");
        assert_eq!(found("aa2").as_deref(), Ok("aa22"));
        assert_eq!(found("clicks"), Err("\"clicks\" means 2 jobs of session roc: bb33, bb44".to_owned()));
        assert_eq!(found("zz"), Err("there is no job \"zz\" on session roc".to_owned()));
        assert_eq!(found(""), Err("there is no job \"\" on session roc".to_owned()));
    }
}
