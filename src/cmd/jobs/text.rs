//! One job as text: a sentence, its vertices, its checkpoints and what was thrown in it.

use jiff::Timestamp;

use super::rows::seconds;
use crate::cmd::sections::{INDENT, cut, section, table};
use crate::diagnosis::cause;
use crate::model::JobView;
use crate::model::job::{Checkpoint, Checkpoints, JobDetails, JobException, Vertex};
use crate::model::status::{Job, Part};
use crate::output::format::Format;
use crate::output::table::Layout;
use crate::output::{age, printable, size};

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
    [
        verdict,
        section("Vertices", &vertices, |all| self::vertices(all, longest, &layout)),
        section("Checkpoints", &details.checkpoints, checkpoints),
        section("Exceptions", &details.exceptions, |all| exceptions(all, longest, now)),
    ]
    .join("\n")
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
        let of = |vertex: &Vertex| -> u32 {
            states.iter().filter_map(|state| vertex.tasks_by_state.get(*state)).sum()
        };
        vertices.iter().map(of).sum()
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
    let Checkpoints { completed, in_progress, failed, last, last_savepoint, last_failure, restored_from } =
        all;
    let counts = format!("{completed} completed, {in_progress} in progress, {failed} failed");
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
        ("Counts", Some(counts)),
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

fn exceptions(all: &[JobException], longest: usize, now: Timestamp) -> String {
    if all.is_empty() {
        return "none\n".to_owned();
    }
    let told = |thrown: &JobException| {
        let task = thrown.task.as_deref().map(|task| format!(" in {}", short_task(task, longest)));
        let place = thrown.task_manager.as_deref().map(|at| format!(", on {at}"));
        let head = [ago(thrown.at, now), task.unwrap_or_default(), place.unwrap_or_default()].concat();
        let causes = causes(&thrown.stack);
        let causes: String = causes.iter().map(|cause| format!("{INDENT}{}\n", printable(cause))).collect();
        format!("{}:\n{causes}", printable(&head))
    };
    let mut text: String = all.iter().take(RECENT_EXCEPTIONS).map(told).collect();
    if let more @ 1.. = all.len().saturating_sub(RECENT_EXCEPTIONS) {
        text += &format!("... and {more} more, which -o json shows\n");
    }
    text
}

fn causes(stack: &str) -> Vec<String> {
    let (outermost, deepest) = cause::both_ends(stack);
    let deepest = deepest.map(|told| format!("caused by {}", cut(&told, LONGEST_MESSAGE)));
    [cut(&outermost, LONGEST_MESSAGE)].into_iter().chain(deepest).collect()
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
