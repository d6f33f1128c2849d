//! The screen on statuses written by hand.

use super::*;
use crate::model::evidence::Exit;
use crate::model::session::tests::roc;
use crate::model::{Finding, TableView};

fn at(text: &str) -> Option<Timestamp> {
    text.parse().ok()
}

fn view(header: &[&str], row: &[&str]) -> Part<TableView> {
    let owned = |cells: &[&str]| cells.iter().map(|cell| (*cell).to_owned()).collect::<Vec<_>>();
    Part::Known(TableView { header: owned(header), rows: vec![owned(row)] })
}

fn event(seen: &str, kind: &str, reason: &str, message: &str, count: u32) -> Event {
    Event {
        last_seen: at(seen),
        kind: kind.to_owned(),
        reason: reason.to_owned(),
        object: "pod/roc-1-2".to_owned(),
        message: message.to_owned(),
        count,
    }
}

fn job(id: &str, name: &str, state: &str) -> Job {
    Job {
        id: crate::model::JobId::of(id),
        name: name.to_owned(),
        state: state.to_owned(),
        tasks_running: 1,
        tasks_total: 2,
        started_at: at("2026-01-01T00:01:00Z"),
        duration_milliseconds: 130_000,
    }
}

/// A session with something in every part.
pub(crate) fn full() -> SessionStatus {
    SessionStatus {
        session: roc(),
        verdict: "Session roc is Running: Flink 2.3.0, JobManager 1/1".to_owned(),
        health: crate::model::status::Health::Healthy,
        pods: view(
            &["NAME", "READY", "STATUS", "RESTARTS", "AGE"],
            &["roc-1-2", "1/1", "Running", "2 (5m ago)", "1h"],
        ),
        services: view(&["NAME", "TYPE"], &["roc-rest", "ClusterIP"]),
        jobmanager: Part::Known(Some(JobManager {
            pod: "roc-1-2".to_owned(),
            version: Some("2.3.0".to_owned()),
            started_at: at("2026-01-01T00:05:00Z"),
            restarts: 2,
            last_exit: Some(Exit {
                code: 137,
                reason: "OOMKilled".to_owned(),
                message: String::new(),
                at: at("2026-01-01T00:05:00Z"),
            }),
            memory: Part::Known(Memory {
                heap_used_bytes: Some(80 << 20),
                heap_max_bytes: Some(448 << 20),
                metaspace_used_bytes: Some(60 << 20),
                metaspace_max_bytes: Some(256 << 20),
            }),
        })),
        taskmanagers: Part::Known(vec![TaskManager {
            id: "roc-taskmanager-1-1".to_owned(),
            slots: 2,
            slots_free: 1,
        }]),
        jobs: Part::Known(vec![
            job("0a1b", "\u{7edf}\u{8ba1}\u{4f5c}\u{4e1a} \x1b[31m", "RUNNING"),
            job("0c2d", "import", "FINISHED"),
        ]),
        high_availability: Part::Known(HighAvailability {
            service: Some("kubernetes".to_owned()),
            storage_directory: Some("s3://bucket/ha".to_owned()),
            config_maps: vec!["roc-cluster-config-map".to_owned()],
        }),
        configuration: Part::Known(vec![Setting {
            key: "taskmanager.numberOfTaskSlots".to_owned(),
            value: "2".to_owned(),
            default: Some("1".to_owned()),
        }]),
        events: Part::Known(vec![
            event("2026-01-01T00:04:00Z", "Normal", "Pulled", "Container image present", 1),
            event("2026-01-01T00:09:00Z", "Warning", "BackOff", "Back-off restarting\nmore", 3),
        ]),
        findings: Vec::new(),
        unreadable: Vec::new(),
    }
}

fn printed(status: &SessionStatus, colour: bool) -> String {
    render(status, false, at("2026-01-01T00:10:00Z").expect("time"), colour)
}

#[test]
fn everything_that_is_known() {
    insta::assert_snapshot!(printed(&full(), false));
}

#[test]
fn each_part_says_why_it_is_not_known() {
    let unknown = || "connection refused".to_owned();
    let forbidden = || "configmaps is forbidden: User \"x\" cannot list".to_owned();
    let mut status = SessionStatus {
        pods: Part::Unknown("pods is forbidden".to_owned()),
        taskmanagers: Part::Unknown(unknown()),
        jobs: Part::Unknown(unknown()),
        high_availability: Part::Unknown(forbidden()),
        configuration: Part::Unknown(forbidden()),
        events: Part::Unknown("events is forbidden".to_owned()),
        findings: vec![Finding {
            id: "rest-down",
            summary: "JobManager pod roc-1-2 runs, but its REST does not answer".to_owned(),
            evidence: Some("connection refused".to_owned()),
            fix: "kubectl logs roc-1-2".to_owned(),
            cannot_heal: false,
        }],
        ..full()
    };
    if let Part::Known(Some(jobmanager)) = &mut status.jobmanager {
        jobmanager.memory = Part::Unknown(unknown());
        jobmanager.version = None;
    }
    insta::assert_snapshot!(printed(&status, false));
}

#[test]
fn a_jobmanager_that_may_not_be_seen_is_not_said_to_be_gone() {
    let status = SessionStatus { jobmanager: Part::Unknown("pods is forbidden".to_owned()), ..full() };
    assert!(printed(&status, false).contains("JobManager:\n  unknown: pods is forbidden\n"));
    assert!(status.unknown().contains(&("jobManager", "pods is forbidden")));
}

#[test]
fn a_picture_that_may_be_cut_off_has_what_changes_and_what_is_wrong_first() {
    let finding = Finding {
        id: "stopped",
        summary: "deployment.apps/roc is scaled to zero".to_owned(),
        evidence: None,
        fix: "kubectl scale deployment/roc --replicas=1".to_owned(),
        cannot_heal: true,
    };
    let verdict = "Session roc is Running: Flink 2.3.0, JobManager 1/1, 1 TaskManager, 1 of 2 slots free, 1 running job";
    let status = SessionStatus { findings: vec![finding], verdict: verdict.to_owned(), ..full() };
    let text = render_for_screen(&status, 80, false, at("2026-01-01T00:10:00Z").expect("time"), false);
    let shown: Vec<&str> = text.lines().take(23).collect();
    let titles: Vec<&str> = shown.iter().copied().filter(|line| line.ends_with(':')).collect();
    assert_eq!(titles[..3], ["Problems:", "Jobs:", "TaskManagers:"], "{text}");
    assert_eq!(shown[1], "  free, 1 running job", "{text}");
    assert!(shown.iter().any(|line| line.contains("RUNNING")), "{text}");
    let wide = render_for_screen(&status, 200, false, at("2026-01-01T00:10:00Z").expect("time"), false);
    assert_eq!(wide.lines().count(), printed(&status, false).lines().count());
}

#[test]
fn a_session_that_has_nothing_yet() {
    let status = SessionStatus {
        pods: Part::Known(TableView::default()),
        services: Part::Known(TableView::default()),
        jobmanager: Part::Known(None),
        taskmanagers: Part::Known(Vec::new()),
        jobs: Part::Known(Vec::new()),
        high_availability: Part::Known(HighAvailability::default()),
        configuration: Part::Known(Vec::new()),
        events: Part::Known(Vec::new()),
        ..full()
    };
    insta::assert_snapshot!(printed(&status, false));
}

#[test]
fn what_is_too_much_for_a_screen_is_counted() {
    let taskmanager =
        |index: u32| TaskManager { id: format!("roc-taskmanager-1-{index}"), slots: 1, slots_free: 0 };
    let status = SessionStatus {
        taskmanagers: Part::Known((0..100).map(taskmanager).collect()),
        jobs: Part::Known((0..9).map(|index| job(&index.to_string(), "old", "CANCELED")).collect()),
        ..full()
    };
    let text = printed(&status, false);
    assert!(text.contains("... and 70 more, which -o json shows\n"), "{text}");
    assert!(text.contains("... and 4 more that have ended, which -o json shows\n"), "{text}");
}

#[test]
fn colours_repeat_what_words_say() {
    let coloured = printed(&full(), true);
    assert!(coloured.contains("\x1b[32mRUNNING\x1b[0m") && coloured.contains("\x1b[32mRunning\x1b[0m"));
    let styles = ["\x1b[32m", "\x1b[31m", "\x1b[33m", "\x1b[0m"];
    let plain = styles.iter().fold(coloured, |text, style| text.replace(style, ""));
    assert_eq!(plain, printed(&full(), false));
}

#[test]
fn the_json_says_what_the_screen_says() {
    insta::assert_snapshot!(serde_json::to_string_pretty(&full()).expect("json"));
}
