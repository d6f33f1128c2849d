//! What is said of a job or a savepoint once the session has stopped responding: unknown, since when, and no old state.

use std::sync::Mutex;

use serde_json::{Value, json};

use crate::process::Ended;
use crate::server::{Answer, Server};

const JOB: &str = "aa11dc59d12b7474c390b0a756115346";

/// What comes after the request that changes something.
#[derive(Clone, Copy)]
enum After {
    /// Something between the plugin and the JobManager answers in its place.
    Silence,
    /// The job has this state.
    State(&'static str),
}

/// Runs `kubectl flink WORDS` on a session at an address.
fn flink(after: After, words: &[&str]) -> Ended {
    let changed = Mutex::new(false);
    let server =
        Server::answering(move |line| Some(answer(line, after, &mut changed.lock().expect("state"))));
    let kubeconfig = std::fs::read_to_string(server.home.path().join(".kube/config")).expect("kubeconfig");
    let kubeconfig: Value = serde_json::from_str(&kubeconfig).expect("JSON");
    let url = kubeconfig["clusters"][0]["cluster"]["server"].as_str().expect("server");
    server.flink(&[words, &["--address", url]].concat())
}

fn answer(line: &str, after: After, changed: &mut bool) -> Answer {
    let state = match after {
        After::State(state) if *changed => state,
        _ => "RUNNING",
    };
    let job = json!({"jid": JOB, "name": "orders", "state": state, "start-time": 1_767_225_600_000_i64, "end-time": -1,
        "duration": 730_500, "tasks": {"total": 1, "running": 1}});
    if !line.starts_with("GET ") {
        *changed = true;
        return (202, json!({"request-id": "1f".repeat(16)}));
    }
    let is_silent = *changed && matches!(after, After::Silence);
    match line.strip_prefix("GET ").unwrap_or_default() {
        // Not in Flink's form: of a gateway.
        _ if is_silent => (503, json!({"gateway": "no upstream"})),
        "/overview" => (
            200,
            json!({"taskmanagers": 1, "slots-total": 1, "slots-available": 0, "jobs-running": 1,
            "jobs-finished": 0, "jobs-cancelled": 0, "jobs-failed": 0, "flink-version": "2.3.0", "flink-commit": "x"}),
        ),
        "/jobs/overview" => (200, json!({"jobs": [job]})),
        "/jobmanager/config" => (200, json!([])),
        path if path.ends_with("/checkpoints") => {
            (404, json!({"errors": ["Checkpointing has not been enabled."]}))
        }
        path if path.contains("/savepoints/") && !*changed => (404, json!({"errors": ["no such operation"]})),
        path if path.contains("/savepoints/") => (
            200,
            json!({"status": {"id": "COMPLETED"}, "operation": {
            "failure-cause": {"class": "x", "stack-trace": "java.lang.Exception: Checkpoint Coordinator is suspending."}}}),
        ),
        _ => (404, json!({"errors": ["not found"]})),
    }
}

/// The old state is not repeated, and the time is there.
fn is_unknown(ended: &Ended, what: &str) {
    assert_eq!((ended.code, ended.stdout.as_str()), (3, ""), "{ended}");
    assert!(ended.stderr.contains(&format!("error: the state of {what} is unknown since 2")), "{ended}");
    assert!(!ended.stderr.contains("is RUNNING") && !ended.stderr.contains("goes on"), "{ended}");
}

const DIRECTORY: [&str; 2] = ["--savepoint-dir", "s3://b/sp"];

#[test]
fn a_wait_that_ends_in_silence_ends_with_unknown() {
    let of = |words: &[&str]| flink(After::Silence, &[words, &["--timeout", "1s"]].concat());
    is_unknown(&of(&["cancel", "roc", JOB]), &format!("job {JOB} (orders)"));
    let savepoint = of(&[&["savepoint", "roc", JOB][..], &DIRECTORY].concat());
    is_unknown(&savepoint, &format!("the savepoint of job {JOB} (orders)"));
    let stop = of(&[&["stop", "roc", JOB][..], &DIRECTORY].concat());
    is_unknown(&stop, &format!("the stop of job {JOB} (orders)"));
}

#[test]
fn a_job_that_failed_while_it_was_stopped_is_not_said_to_run() {
    let ended = flink(After::State("FAILED"), &[&["stop", "roc", JOB][..], &DIRECTORY].concat());
    assert_eq!(ended.code, 1, "{ended}");
    let what = format!("error: job {JOB} (orders) ended as FAILED while it was being stopped");
    assert!(ended.stderr.contains(&what), "{ended}");
    assert!(ended.stderr.contains("Checkpoint Coordinator is suspending"), "{ended}");
    assert!(!ended.stderr.contains("was not stopped"), "{ended}");
    // One that still runs was not stopped.
    let ended = flink(After::State("RUNNING"), &[&["stop", "roc", JOB][..], &DIRECTORY].concat());
    assert!(ended.stderr.contains("was not stopped"), "{ended}");
}
