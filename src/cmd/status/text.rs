//! One session as text: the verdict, kubectl's own tables, then what only Flink and its configuration tell.

use std::fmt::Write;

use jiff::Timestamp;

use crate::cmd::jobs::rows::Columns;
use crate::cmd::sections::{problems, rows, section, table, unknown};
use crate::cmd::session_tables;
use crate::model::status::{
    Event, HighAvailability, Job, JobManager, Memory, Part, SessionStatus, Setting, TaskManager,
};
use crate::output::table::Layout;
use crate::output::{age, cut, printable, wrapped};

/// Jobs that have ended.
const ENDED_JOBS: usize = 5;
const RECENT_EVENTS: usize = 10;
/// Characters of a setting's value, and of an event's message.
const LONGEST_VALUE: usize = 100;
const LONGEST_MESSAGE: usize = 160;

/// Lays it out, with all of the jobs' names if it may be `wide`. Colours only repeat what words say.
pub fn render(status: &SessionStatus, wide: bool, now: Timestamp, colour: bool) -> String {
    let sections = sections(status, wide, now, colour);
    sections.into_iter().filter(|section| !section.is_empty()).collect::<Vec<_>>().join("\n")
}

/// The same for a terminal of so many columns, whose end is cut off where it is too small: what changes and what is
/// wrong comes first, and sentences are wrapped.
pub fn render_for_screen(
    status: &SessionStatus,
    columns: usize,
    wide: bool,
    now: Timestamp,
    colour: bool,
) -> String {
    let [verdict, tables, jobmanager, taskmanagers, jobs, availability, configuration, events, problems] =
        sections(status, wide, now, colour);
    let first = [wrapped(&verdict, columns), wrapped(&problems, columns), jobs, taskmanagers];
    let sections = first.into_iter().chain([tables, jobmanager, availability, configuration, events]);
    sections.filter(|section| !section.is_empty()).collect::<Vec<_>>().join("\n")
}

/// From the verdict to the problems.
fn sections(status: &SessionStatus, wide: bool, now: Timestamp, colour: bool) -> [String; 9] {
    let status = &with_reasons_once(status);
    let layout = Layout::coloured(colour);
    [
        format!("{}\n", printable(&status.verdict)),
        session_tables::render(&status.pods, &status.services, colour),
        section("JobManager", &status.jobmanager, |jobmanager| about(jobmanager.as_ref(), now)),
        section("TaskManagers", &status.taskmanagers, |all| taskmanagers(all, &layout)),
        section("Jobs", &status.jobs, |all| jobs(all, wide, &layout)),
        section("High availability", &status.high_availability, high_availability),
        section("Configuration, where it differs from Flink's defaults", &status.configuration, |all| {
            configuration(all, &layout)
        }),
        section("Events", &status.events, |all| events(all, now, &layout)),
        problems(&status.findings),
    ]
}

/// The same where each reason for which something is not known is named once: by the verdict, else where it is met first.
fn with_reasons_once(status: &SessionStatus) -> SessionStatus {
    let mut told = vec![status.verdict.clone()];
    let mut status = status.clone();
    once(&mut status.pods, &mut told);
    once(&mut status.services, &mut told);
    once(&mut status.jobmanager, &mut told);
    if let Part::Known(Some(jobmanager)) = &mut status.jobmanager {
        once(&mut jobmanager.memory, &mut told);
    }
    once(&mut status.taskmanagers, &mut told);
    once(&mut status.jobs, &mut told);
    once(&mut status.high_availability, &mut told);
    once(&mut status.configuration, &mut told);
    once(&mut status.events, &mut told);
    status
}

fn once<T>(part: &mut Part<T>, told: &mut Vec<String>) {
    let Part::Unknown(why) = part else { return };
    match told.iter().any(|text| text.contains(why.as_str())) {
        true => why.clear(),
        false => told.push(why.clone()),
    }
}

fn about(jobmanager: Option<&JobManager>, now: Timestamp) -> String {
    let Some(JobManager { pod, version, started_at, restarts, last_exit, memory }) = jobmanager else {
        return "there is no pod of it\n".to_owned();
    };
    let ago = |then: Timestamp| age::human(now.duration_since(then).as_secs());
    let restarts = match last_exit {
        None => restarts.to_string(),
        Some(exit) => {
            let when = exit.at.map(|at| format!(" {} ago", ago(at))).unwrap_or_default();
            format!("{restarts}, last exit{when}: {} (exit code {})", exit.reason, exit.code)
        }
    };
    let mut lines = vec![
        ("Pod", pod.clone()),
        ("Version", version.clone().unwrap_or_else(|| "<unknown>".to_owned())),
        ("Uptime", started_at.map_or_else(|| "it does not run".to_owned(), ago)),
        ("Restarts", restarts),
    ];
    match memory {
        Part::Known(memory) => {
            let Memory { heap_used_bytes, heap_max_bytes, metaspace_used_bytes, metaspace_max_bytes } =
                memory;
            lines.push(("Heap", used(*heap_used_bytes, *heap_max_bytes)));
            lines.push(("Metaspace", used(*metaspace_used_bytes, *metaspace_max_bytes)));
        }
        Part::Unknown(why) => lines.push(("Memory", unknown(why))),
    }
    let line = |(name, value): &(&str, String)| format!("{:<12}{}\n", format!("{name}:"), printable(value));
    lines.iter().map(line).collect()
}

/// `80 of 448 MiB (17%)`.
fn used(used: Option<u64>, max: Option<u64>) -> String {
    const MIB: u64 = 1024 * 1024;
    match (used, max) {
        (Some(used), Some(max)) if max > 0 => {
            let percent = u128::from(used) * 100 / u128::from(max);
            format!("{} of {} MiB ({percent}%)", used / MIB, max / MIB)
        }
        (Some(used), _) => format!("{} MiB, without a limit", used / MIB),
        (None, _) => "not told by this Flink".to_owned(),
    }
}

fn taskmanagers(all: &[TaskManager], layout: &Layout) -> String {
    if all.is_empty() {
        return "none has registered; a session starts them when a job needs them\n".to_owned();
    }
    let row = |taskmanager: &TaskManager| {
        vec![taskmanager.id.clone(), format!("{}/{}", taskmanager.slots_free, taskmanager.slots)]
    };
    table(&["NAME", "FREE SLOTS"], all.iter().map(row).collect(), layout)
}

fn jobs(all: &[Job], wide: bool, layout: &Layout) -> String {
    if all.is_empty() {
        return "none\n".to_owned();
    }
    let alive = all.iter().filter(|job| job.is_alive());
    let ended = all.iter().filter(|job| !job.is_alive());
    let left_out = ended.clone().count().saturating_sub(ENDED_JOBS);
    let mut text = rows(Columns { wide }.head(alive.chain(ended.take(ENDED_JOBS))), layout);
    if left_out > 0 {
        let _ = writeln!(text, "... and {left_out} more that have ended, which -o json shows");
    }
    text
}

fn high_availability(state: &HighAvailability) -> String {
    let HighAvailability { service, storage_directory, config_maps } = state;
    let mut text = match service {
        None => "off: jobs do not survive a restart of the JobManager\n".to_owned(),
        Some(service) => {
            let directory = storage_directory.as_deref().unwrap_or("no directory that is set");
            format!("{}; its state is in {}\n", printable(service), printable(directory))
        }
    };
    if !config_maps.is_empty() {
        let names: Vec<String> = config_maps.iter().map(|name| format!("configmap/{name}")).collect();
        let _ = writeln!(text, "who leads, and where the state of jobs is: {}", printable(&names.join(", ")));
    }
    text
}

fn configuration(all: &[Setting], layout: &Layout) -> String {
    if all.is_empty() {
        return "nothing differs\n".to_owned();
    }
    let row = |setting: &Setting| {
        vec![
            setting.key.clone(),
            cut(&setting.value, LONGEST_VALUE),
            setting.default.as_deref().map_or_else(|| "<none>".to_owned(), |value| cut(value, LONGEST_VALUE)),
        ]
    };
    table(&["KEY", "VALUE", "DEFAULT"], all.iter().map(row).collect(), layout)
}

fn events(all: &[Event], now: Timestamp, layout: &Layout) -> String {
    if all.is_empty() {
        return "none; Kubernetes keeps them for an hour\n".to_owned();
    }
    let row = |event: &Event| {
        let seen = event.last_seen.map(|seen| age::human(now.duration_since(seen).as_secs()));
        let times = if event.count > 1 { format!(" (x{})", event.count) } else { String::new() };
        vec![
            seen.unwrap_or_else(|| "<unknown>".to_owned()),
            event.kind.clone(),
            event.reason.clone(),
            event.object.clone(),
            cut(event.message.lines().next().unwrap_or_default(), LONGEST_MESSAGE) + &times,
        ]
    };
    let recent = &all[all.len().saturating_sub(RECENT_EVENTS)..];
    table(&["LAST SEEN", "TYPE", "REASON", "OBJECT", "MESSAGE"], recent.iter().map(row).collect(), layout)
}

#[cfg(test)]
pub(crate) mod tests;
