//! The screen on jobs written by hand.

use std::collections::BTreeMap;

use super::*;
use crate::cmd::jobs::gather;
use crate::cmd::jobs::rows::tests::job;
use crate::model::Finding;
use crate::model::job::{Backpressure, FailedCheckpoint};

const ID: &str = "8e91dc59d12b7474c390b0a756115346";

fn at(text: &str) -> Option<Timestamp> {
    text.parse().ok()
}

fn now() -> Timestamp {
    "2026-01-01T00:13:10Z".parse().expect("time")
}

fn tasks(states: &[(&str, u32)]) -> BTreeMap<String, u32> {
    states.iter().map(|(state, tasks)| ((*state).to_owned(), *tasks)).collect()
}

fn vertex(name: &str, state: &str, states: &[(&str, u32)]) -> Vertex {
    let by_state = tasks(states);
    Vertex {
        id: "ca88eee0095684d687a1b6495617f957".parse().expect("an id"),
        name: name.to_owned(),
        parallelism: by_state.values().sum(),
        state: state.to_owned(),
        tasks_running: by_state.get("RUNNING").copied().unwrap_or(0),
        tasks_by_state: by_state,
        duration_milliseconds: 700_000,
        records_read: None,
        records_written: None,
        backpressure: None,
    }
}

const STACK: &str = "\
org.apache.flink.runtime.JobException: Recovery is suppressed by NoRestartBackoffTimeStrategy
\tat org.apache.flink.runtime.executiongraph.failover.ExecutionFailureHandler.handleFailure(ExecutionFailureHandler.java:213)
Caused by: java.lang.IllegalArgumentException: record 10 cannot be read
\tat Programs$Nap.map(Programs.java:78)
Caused by: java.io.IOException: bad \u{1b}[31mmagic
\t... 22 more
";

/// With something in every part.
pub(crate) fn details() -> JobDetails {
    let checkpoint = |id, path: Option<&str>| Checkpoint {
        id,
        triggered_at: at("2026-01-01T00:13:00Z"),
        duration_milliseconds: 1520,
        size_bytes: 1_258_291,
        path: path.map(ToOwned::to_owned),
    };
    let thrown = |time: &str, stack: &str| {
        gather::thrown(JobException {
            at: at(time),
            stack: stack.to_owned(),
            task: Some(
                "Source: Sequence Source -> Map -> Sink: Print to Std. Out (1/2) - execution #0".to_owned(),
            ),
            task_manager: Some("roc-taskmanager-1-8".to_owned()),
        })
    };
    let map = Vertex {
        records_read: Some(0),
        records_written: Some(12_345_678),
        backpressure: Some(Backpressure { level: "high".to_owned(), percent: 87 }),
        ..vertex("Source: Sequence Source -> Map", "RUNNING", &[("RUNNING", 1), ("SCHEDULED", 1)])
    };
    let long = "Window(TumblingEventTimeWindows(86400000), EventTimeTrigger, Count) -> Sink: Files in s3://somewhere";
    JobDetails {
        vertices: vec![
            map,
            vertex(long, "RUNNING", &[("RUNNING", 1)]),
            vertex("Sink", "FINISHED", &[("FINISHED", 1)]),
        ],
        checkpoints: Part::Known(Some(Checkpoints {
            config: Part::Known(CheckpointConfig {
                interval_milliseconds: Some(10_000),
                mode: "exactly_once".to_owned(),
                storage: Some("FileSystemCheckpointStorage".to_owned()),
                state_backend: Some("HashMapStateBackend".to_owned()),
            }),
            completed: 71,
            in_progress: 1,
            failed: 2,
            last: Some(checkpoint(73, None)),
            last_savepoint: Some(checkpoint(12, Some("file:/tmp/sp/savepoint-8e91dc-d1e80b001ae7"))),
            last_failure: Some(FailedCheckpoint {
                triggered_at: at("2026-01-01T00:10:00Z"),
                message: "An Exception occurred while triggering the checkpoint. IO-problem detected.\nmore"
                    .to_owned(),
            }),
            restored_from: Some("s3://b/sp/savepoint-1".to_owned()),
        })),
        exceptions: Part::Known(vec![
            thrown("2026-01-01T00:12:00Z", STACK),
            gather::thrown(JobException {
                task: None,
                task_manager: None,
                ..thrown("2026-01-01T00:11:00Z", "java.lang.Exception: job\n\tat a.B").exception
            }),
            thrown("2026-01-01T00:10:00Z", STACK),
            thrown("2026-01-01T00:09:00Z", STACK),
        ]),
        findings: Vec::new(),
    }
}

fn rendered(job: Job, details: JobDetails, format: &Format) -> String {
    let view = JobView { namespace: None, session: "roc".to_owned(), job, details: Some(details) };
    render(&view, format, now(), false)
}

#[test]
fn a_job_with_something_in_every_part() {
    let running = Job { tasks_running: 2, tasks_total: 4, ..job(ID, "orders", "RUNNING") };
    insta::assert_snapshot!(rendered(running.clone(), details(), &Format::Table));
    assert!(rendered(running, details(), &Format::Wide).contains("-> Sink: Files in s3://somewhere "));
}

#[test]
fn a_job_with_nothing_to_tell() {
    let ended = Job { tasks_running: 0, tasks_total: 0, ..job(ID, "batch", "FINISHED") };
    let details = JobDetails {
        vertices: Vec::new(),
        checkpoints: Part::Known(None),
        exceptions: Part::Unknown("no answer within 5 s".to_owned()),
        findings: vec![Finding {
            id: "unschedulable",
            summary: "no node takes TaskManager pod roc-taskmanager-1-1".to_owned(),
            evidence: Some("0/1 nodes are available: 1 Insufficient cpu.".to_owned()),
            fix: "add a node".to_owned(),
            cannot_heal: true,
        }],
    };
    insta::assert_snapshot!(rendered(ended, details, &Format::Table));
}

#[test]
fn the_sentence_says_what_the_tasks_do() {
    let said = |state: &str, states: &[(&str, u32)]| {
        let vertex = vertex("Map", "RUNNING", states);
        let job = Job {
            tasks_running: vertex.tasks_running,
            tasks_total: vertex.parallelism,
            ..job(ID, "orders", state)
        };
        let details = JobDetails { vertices: vec![vertex], ..details() };
        verdict(&job, Some(&details), now())
    };
    insta::assert_snapshot!(
        [
            said("RUNNING", &[("RUNNING", 2)]),
            said("RUNNING", &[("SCHEDULED", 1)]),
            said("RUNNING", &[("RUNNING", 1), ("DEPLOYING", 1), ("FINISHED", 2), ("SCHEDULED", 3)]),
            said("RUNNING", &[("RUNNING", 1), ("CREATED", 1)]),
            said("CREATED", &[("CREATED", 2)]),
            said("RESTARTING", &[("CANCELED", 2)]),
            said("INITIALIZING", &[]),
            said("FAILED", &[("FAILED", 1)]),
        ]
        .join("\n")
    );
}

#[test]
fn a_job_says_how_it_takes_checkpoints_or_that_it_takes_none() {
    let full = details();
    let of = |config: Part<CheckpointConfig>, completed| {
        let known = full.checkpoints.known().and_then(Option::as_ref).expect("checkpoints");
        let last = known.last.clone().filter(|_| completed > 0);
        let counts = Checkpoints { completed, in_progress: 0, failed: 0, last, ..known.clone() };
        checkpoints(
            Some(&Checkpoints {
                config,
                last_savepoint: None,
                last_failure: None,
                restored_from: None,
                ..counts
            }),
            now(),
        )
    };
    let config = |interval, storage: Option<&str>, backend: Option<&str>| {
        Part::Known(CheckpointConfig {
            interval_milliseconds: interval,
            mode: "at_least_once".to_owned(),
            storage: storage.map(ToOwned::to_owned),
            state_backend: backend.map(ToOwned::to_owned),
        })
    };
    insta::assert_snapshot!(
        [
            of(config(Some(90_000), Some("JobManagerCheckpointStorage"), Some("HashMapStateBackend")), 1),
            of(config(Some(250), None, Some("MemoryStateBackend")), 0),
            of(config(Some(600_000), Some("S3Storage"), None), 0),
            of(config(None, Some("JobManagerCheckpointStorage"), None), 0),
            of(config(None, None, None), 2),
            of(Part::Unknown("no answer within 5 s".to_owned()), 0),
        ]
        .join("\n")
    );
}

#[test]
fn times_are_as_fine_as_they_are_short() {
    assert_eq!([17, 1520, 12_000, 192_000].map(took), ["17ms", "1.5s", "12s", "3m12s"]);
}
