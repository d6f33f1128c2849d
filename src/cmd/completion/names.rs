//! What there is for each kind of [`Word`]: out of this program's own tables, the user's files, the cluster
//! and a session's REST. What stands on the line already is not offered again.

use clap::{CommandFactory, Parser};

use super::answer::Candidate;
use super::line::{Line, Typed};
use crate::app::{App, CommandError};
use crate::cluster::{Query, Scope};
use crate::cmd::config;
use crate::cmd::reach::{self, RestArgs};
use crate::cmd::word::Word;
use crate::flink;
use crate::model::SessionView;
use crate::model::status::Job;
use crate::session::flink_config::flag_keys::MINORS;
use crate::session::flink_config::keys::{self, Kind};
use crate::session::spec::version::NEWEST;

/// The flags that say how a session's REST is reached, alone on a line.
#[derive(Parser)]
#[command(no_binary_name = true, disable_help_flag = true)]
struct RestFlags {
    #[command(flatten)]
    rest: RestArgs,
}

/// All that `kind` may be, where `typed` is the beginning.
///
/// # Errors
/// Whatever keeps a cluster or a file from telling.
pub async fn of(
    kind: Word,
    typed: &str,
    line: &Line<'_>,
    app: impl FnOnce(Vec<String>) -> Option<App>,
) -> Result<Vec<Candidate>, CommandError> {
    match kind {
        Word::OneOf(words) => return Ok(words.iter().map(|word| Candidate::new(*word, "")).collect()),
        Word::FlinkVersion => return Ok(versions()),
        Word::Setting => return Ok(settings(typed)),
        _ => {}
    }
    let Some(app) = app(flags(line, |typed| typed.arg.is_global_set())) else { return Ok(Vec::new()) };
    let named = |names: Vec<String>| names.into_iter().map(|name| Candidate::new(name, "")).collect();
    Ok(match kind {
        Word::Session => sessions(line, &app).await?,
        Word::Job | Word::RunningJob => jobs(kind, typed, line, &app).await?,
        Word::Namespace => named(app.cluster().await?.namespaces().await?),
        Word::Context => contexts(&app)?,
        Word::Cluster => named(app.entries()?.clusters),
        Word::User => named(app.entries()?.users),
        Word::Profile => named(config::profiles(&app)?),
        Word::OneOf(_) | Word::FlinkVersion | Word::Setting => Vec::new(),
    })
}

/// The flags of the line that are `wanted`, to be read again.
fn flags(line: &Line, wanted: impl Fn(&Typed) -> bool) -> Vec<String> {
    let flag = |typed: &Typed| {
        let long = typed.arg.get_long()?;
        Some(match typed.value {
            Some(value) => format!("--{long}={value}"),
            None => format!("--{long}"),
        })
    };
    line.typed.iter().filter(|typed| wanted(typed)).filter_map(flag).collect()
}

async fn sessions(line: &Line<'_>, app: &App) -> Result<Vec<Candidate>, CommandError> {
    let cluster = app.cluster().await?;
    let scope = Scope::Namespace(cluster.namespace().to_owned());
    let query = Query { scope, names: Vec::new(), selector: None, with_owners: false };
    let found = cluster.sessions(&query).await?.views;
    let is_new = |view: &SessionView| line.values_of(Word::Session).all(|name| name != view.name);
    Ok(found.into_iter().filter(is_new).map(session).collect())
}

fn session(view: SessionView) -> Candidate {
    let version = view.version.map(|version| format!(", Flink {version}")).unwrap_or_default();
    Candidate::new(view.name, format!("{}{version}", view.status))
}

async fn jobs(kind: Word, typed: &str, line: &Line<'_>, app: &App) -> Result<Vec<Candidate>, CommandError> {
    let Some(session) = line.values_of(Word::Session).next() else { return Ok(Vec::new()) };
    let known = RestFlags::command();
    let is_known = |typed: &Typed| known.get_arguments().any(|arg| arg.get_id() == typed.arg.get_id());
    // One that cannot be read will be told when the command runs.
    let Ok(rest) = RestFlags::try_parse_from(flags(line, is_known)) else { return Ok(Vec::new()) };
    let reached = reach::session(&rest.rest, session, app).await?;
    let all = flink::jobs(&reached.rest).await;
    let all = all.map_err(|error| reached.error(&error, "cannot list the jobs"))?;
    let named: Vec<&str> = line.values_of(kind).collect();
    let is_wanted = |job: &Job| kind == Word::Job || job.is_alive();
    let all: Vec<Job> = all.into_iter().filter(|job| is_wanted(job) && !is_named(job, &named)).collect();
    Ok(ids_or_names(&all, typed))
}

/// True where one of `words` means the job, as far as that can be said of one job alone.
fn is_named(job: &Job, words: &[&str]) -> bool {
    words.iter().any(|word| *word == job.name || (!word.is_empty() && job.id.as_str().starts_with(word)))
}

/// Ids; names where no id begins as what is typed. A name that a shell would take apart stays out.
fn ids_or_names(jobs: &[Job], typed: &str) -> Vec<Candidate> {
    if jobs.iter().any(|job| job.id.as_str().starts_with(typed)) {
        return jobs
            .iter()
            .map(|job| Candidate::new(job.id.as_str(), format!("{}, {}", job.name, job.state)))
            .collect();
    }
    let is_plain = |name: &str| name.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c));
    let plain = jobs.iter().filter(|job| is_plain(&job.name));
    plain.map(|job| Candidate::new(&job.name, format!("{}, {}", job.id, job.state))).collect()
}

fn contexts(app: &App) -> Result<Vec<Candidate>, CommandError> {
    let contexts = app.entries()?.contexts.into_iter().map(|context| {
        let namespace = context.namespace.map(|namespace| format!(", namespace {namespace}"));
        let about = format!("cluster {}{}", context.cluster, namespace.unwrap_or_default());
        Candidate::new(context.name, about)
    });
    Ok(contexts.collect())
}

fn versions() -> Vec<Candidate> {
    MINORS.iter().rev().map(|(major, minor)| Candidate::new(format!("{major}.{minor}"), "")).collect()
}

/// Keys of the newest Flink; once there is one, the values that it can have.
fn settings(typed: &str) -> Vec<Candidate> {
    let Some((key, _)) = typed.split_once('=') else {
        return keys::read_in(NEWEST.minor())
            .map(|key| Candidate::new(format!("{}=", key.name), about(key.name)))
            .collect();
    };
    let values: Vec<&str> = match keys::kind_in(key, NEWEST.minor()) {
        Some(Kind::Boolean) => vec!["true", "false"],
        Some(Kind::Enum(values)) => values.clone(),
        _ => Vec::new(),
    };
    values.into_iter().map(|value| Candidate::new(format!("{key}={value}"), "")).collect()
}

fn about(key: &str) -> String {
    match keys::default_in(key, NEWEST.minor()).filter(|value| !value.is_empty()) {
        Some(value) => format!("default {value}"),
        None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job(id: &str, name: &str) -> Job {
        Job {
            id: crate::model::JobId::of(id),
            name: name.to_owned(),
            state: "RUNNING".to_owned(),
            tasks_running: 1,
            tasks_total: 1,
            started_at: None,
            duration_milliseconds: 0,
        }
    }

    #[test]
    fn a_job_is_offered_by_id_or_by_name() {
        let jobs = [job("aa11", "orders"), job("bb22", "two words"), job("cc33", "clicks")];
        let values = |typed: &str| {
            ids_or_names(&jobs, typed)
                .into_iter()
                .map(|candidate| {
                    format!("{}: {}", candidate.value, candidate.about).replace(&"0".repeat(28), "")
                })
                .collect::<Vec<_>>()
        };
        assert_eq!(
            values("a"),
            ["aa11: orders, RUNNING", "bb22: two words, RUNNING", "cc33: clicks, RUNNING"]
        );
        assert_eq!(values("o"), ["orders: aa11, RUNNING", "clicks: cc33, RUNNING"]);
    }

    #[test]
    fn a_job_that_is_on_the_line_by_any_of_its_names_is_not_offered_again() {
        let orders = job("aa11", "orders");
        for words in [["aa11"], ["aa"], ["orders"]] {
            assert!(is_named(&orders, &words), "{words:?}");
        }
        assert!(!is_named(&orders, &["bb", "", "order"]));
    }

    #[test]
    fn the_values_of_a_setting_follow_its_kind() {
        let values = |typed: &str| settings(typed).into_iter().map(|c| c.value).collect::<Vec<_>>();
        assert_eq!(
            values("execution.checkpointing.unaligned.enabled=t"),
            [
                "execution.checkpointing.unaligned.enabled=true",
                "execution.checkpointing.unaligned.enabled=false"
            ]
        );
        assert_eq!(values("jobmanager.memory.process.size="), Vec::<String>::new());
        let keys = values("jobm");
        assert!(keys.contains(&"jobmanager.memory.process.size=".to_owned()));
        assert!(!keys.iter().any(|key| key.starts_with("taskmanager.heap.size=")), "gone since 2.0");
    }
}
