//! One job as text: a sentence, its vertices, its checkpoints and what was thrown in it.

use jiff::Timestamp;

use super::rows::seconds;
use crate::cmd::sections::{INDENT, problems, section, table};
use crate::model::JobView;
use crate::model::job::{
    Checkpoint, CheckpointConfig, Checkpoints, JobDetails, JobException, Thrown, Vertex,
};
use crate::model::status::{Job, Part};
use crate::output::format::Format;
use crate::output::table::Layout;
use crate::output::{age, cut, printable, size};

/// Characters of a vertex's name: a chain of operators can be as long as a page. `-o wide` has all.
const LONGEST_NAME: usize = 60;
const LONGEST_MESSAGE: usize = 200;
/// Exceptions that are shown.
const RECENT_EXCEPTIONS: usize = 3;

const UNKNOWN: &str = "<unknown>";

/// Lays it out. Colours only repeat what words say.
pub fn render(view: &JobView, format: &Format, now: Timestamp, colour: bool) -> String {
    let longest = if matches!(format, Format::Wide) { usize::MAX } else { LONGEST_NAME };
    let layout = Layout::coloured(colour);
    let verdict = format!("{}\n", printable(&verdict(&view.job, view.details.as_ref(), now)));
    let Some(details) = &view.details else { return verdict };
    let checkpoints = |all: &Option<Checkpoints>| checkpoints(all.as_ref(), now);
    let vertices = Part::Known(&details.vertices);
    let parts = [
        verdict,
        problems(&details.findings),
        section("Vertices", &vertices, |all| self::vertices(all, longest, &layout)),
        section("Checkpoints", &details.checkpoints, checkpoints),
        section("Exceptions", &details.exceptions, |all| exceptions(all, longest, now)),
    ];
    parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("\n")
}

/// One sentence that is true.
fn verdict(job: &Job, details: Option<&JobDetails>, now: Timestamp) -> String {
    let Job { id, name, state, .. } = job;
    let is = format!("Job {name} ({id}) is {state}");
    if let Some(ended) = job.ended_at() {
        return format!(
            "{is}: it ended {}, after {}",
            ago(Some(ended), now),
            took(job.duration_milliseconds)
        );
    }
    let tasks = match job.tasks_total {
        0 => "its tasks are not known yet".to_owned(),
        total => {
            let others = details.map(|details| others(job, &details.vertices)).unwrap_or_default();
            format!("{} of {total} tasks run{others}", job.tasks_running)
        }
    };
    match job.started_at {
        Some(started) => format!("{is}: {tasks}; it was started {}", ago(Some(started), now)),
        None => format!("{is}: {tasks}"),
    }
}

/// What the tasks do that do not run.
fn others(job: &Job, vertices: &[Vertex]) -> String {
    let count = |states: &[&str]| -> u32 {
        let by_state = vertices.iter().flat_map(|vertex| &vertex.tasks_by_state);
        by_state
            .filter(|(state, _)| states.contains(&state.as_str()))
            .fold(0, |sum, (_, tasks)| sum.saturating_add(*tasks))
    };
    // A task is scheduled until it has its slot. The adaptive scheduler creates a job only once it has
    // slots for it; that of a job that is under way are tasks that others must end for.
    let waiting: &[&str] = match job.state.as_str() {
        "CREATED" => &["CREATED", "SCHEDULED"],
        _ => &["SCHEDULED"],
    };
    [
        (count(waiting), "waits for a slot", "wait for slots"),
        (count(&["DEPLOYING", "INITIALIZING"]), "is being started", "are being started"),
        (count(&["FINISHED"]), "has finished", "have finished"),
    ]
    .into_iter()
    .filter(|(tasks, ..)| *tasks > 0)
    .map(|(tasks, one, many)| format!(", {tasks} {}", if tasks == 1 { one } else { many }))
    .collect()
}

fn vertices(all: &[Vertex], longest: usize, layout: &Layout) -> String {
    if all.is_empty() {
        return "none are known\n".to_owned();
    }
    let row = |vertex: &Vertex| {
        // Where nothing runs, nobody is held up and there is nobody to tell.
        let unknown = if vertex.tasks_running == 0 { "-" } else { UNKNOWN };
        let or_unknown = |text: Option<String>| text.unwrap_or_else(|| unknown.to_owned());
        let backpressure = vertex.backpressure.as_ref();
        vec![
            cut(&vertex.name, longest),
            vertex.state.clone(),
            format!("{}/{}", vertex.tasks_running, vertex.parallelism),
            or_unknown(vertex.records_read.map(|records| records.to_string())),
            or_unknown(vertex.records_written.map(|records| records.to_string())),
            or_unknown(backpressure.map(|of| format!("{} ({}%)", of.level, of.percent))),
        ]
    };
    let header = ["NAME", "STATE", "TASKS", "RECORDS IN", "RECORDS OUT", "BACKPRESSURE"];
    table(&header, all.iter().map(row).collect(), layout)
}

fn checkpoints(all: Option<&Checkpoints>, now: Timestamp) -> String {
    let Some(all) = all else { return "this job makes none\n".to_owned() };
    let Checkpoints {
        config,
        completed,
        in_progress,
        failed,
        last,
        last_savepoint,
        last_failure,
        restored_from,
    } = all;
    let counts = format!("{completed} completed, {in_progress} in progress, {failed} failed");
    let is_periodic = config.known().is_none_or(|config| config.interval_milliseconds.is_some());
    let has_any = completed + in_progress + failed > 0;
    let storage = config.known().filter(|_| is_periodic).and_then(storage);
    let made = |checkpoint: &Checkpoint| {
        let Checkpoint { triggered_at, duration_milliseconds, size_bytes, path, .. } = checkpoint;
        let path = path.as_deref().map(|path| format!(", {path}")).unwrap_or_default();
        let (when, took) = (ago(*triggered_at, now), took(*duration_milliseconds));
        format!("{when}, {} in {took}{path}", size::human(*size_bytes))
    };
    let failure = last_failure.as_ref().map(|failed| {
        let message = failed.message.lines().next().unwrap_or_default();
        format!("{}: {}", ago(failed.triggered_at, now), cut(message, LONGEST_MESSAGE))
    });
    let lines = [
        ("Interval", Some(interval(config))),
        ("Storage", storage),
        // Without any by itself, a job has none that could be counted before the first savepoint.
        ("Counts", Some(counts).filter(|_| is_periodic || has_any)),
        ("Last", last.as_ref().map(made)),
        ("Last savepoint", last_savepoint.as_ref().map(made)),
        ("Last failure", failure),
        ("Restored from", restored_from.clone()),
    ];
    let line = |(name, value): (&str, Option<String>)| {
        value.map(|value| format!("{:<17}{}\n", format!("{name}:"), printable(&value)))
    };
    lines.into_iter().filter_map(line).collect()
}

/// How often they are taken, and how exactly.
fn interval(config: &Part<CheckpointConfig>) -> String {
    let CheckpointConfig { interval_milliseconds, mode, .. } = match config {
        Part::Known(config) => config,
        Part::Unknown(why) => return format!("unknown: {why}"),
    };
    match interval_milliseconds {
        None => "none: the job takes no periodic checkpoints".to_owned(),
        Some(milliseconds) if milliseconds % 1000 == 0 => {
            format!("{}, {}", age::human(seconds(*milliseconds)), mode.replace('_', " "))
        }
        Some(milliseconds) => format!("{milliseconds}ms, {}", mode.replace('_', " ")),
    }
}

/// Where they are kept, in words. Before 1.13 the state backend decided that, too; before 1.11 REST tells neither.
fn storage(config: &CheckpointConfig) -> Option<String> {
    let name = config.storage.as_deref().or(config.state_backend.as_deref())?;
    Some(match name {
        "JobManagerCheckpointStorage" | "MemoryStateBackend" => "the memory of the JobManager".to_owned(),
        "FileSystemCheckpointStorage" | "FsStateBackend" => "a file system".to_owned(),
        name => name.to_owned(),
    })
}

fn exceptions(all: &[Thrown], longest: usize, now: Timestamp) -> String {
    if all.is_empty() {
        return "none\n".to_owned();
    }
    let told = |Thrown { message, cause, exception }: &Thrown| {
        let JobException { at, task, task_manager, .. } = exception;
        let task = task.as_deref().map(|task| format!(" in {}", short_task(task, longest)));
        let place = task_manager.as_deref().map(|at| format!(", on {at}"));
        let head = [ago(*at, now), task.unwrap_or_default(), place.unwrap_or_default()].concat();
        let cause = cause.as_ref().map(|told| format!("caused by {}", cut(told, LONGEST_MESSAGE)));
        let causes = [cut(message, LONGEST_MESSAGE)].into_iter().chain(cause);
        let causes: String = causes.map(|cause| format!("{INDENT}{}\n", printable(&cause))).collect();
        format!("{}:\n{causes}", printable(&head))
    };
    let mut text: String = all.iter().take(RECENT_EXCEPTIONS).map(told).collect();
    if let more @ 1.. = all.len().saturating_sub(RECENT_EXCEPTIONS) {
        text += &format!("... and {more} more, which -o json shows\n");
    }
    text
}

/// `Source -> Map (1/4) - execution #0` without its attempt, and with the end of a long name left out.
fn short_task(task: &str, longest: usize) -> String {
    let task = task.split(" - execution #").next().unwrap_or(task);
    match task.rsplit_once(" (") {
        Some((name, subtask)) => format!("{} ({subtask}", cut(name, longest)),
        None => cut(task, longest),
    }
}

fn ago(then: Option<Timestamp>, now: Timestamp) -> String {
    then.map_or_else(
        || UNKNOWN.to_owned(),
        |then| format!("{} ago", age::human(now.duration_since(then).as_secs())),
    )
}

/// `211ms`, `1.5s`, `3m12s`.
fn took(milliseconds: u64) -> String {
    match milliseconds {
        0..1000 => format!("{milliseconds}ms"),
        1000..10_000 => format!("{}.{}s", milliseconds / 1000, milliseconds % 1000 / 100),
        _ => age::human(seconds(milliseconds)),
    }
}

#[cfg(test)]
pub(super) mod tests;
