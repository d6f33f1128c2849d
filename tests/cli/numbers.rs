//! Numbers and times that no healthy server reports: no panic, no wait without an end.

use std::io::Write;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::process::{Ended, flink_at};
use crate::raw;
use crate::server::{Answer, Server, failure};

const JOB: &str = "aa11dc59d12b7474c390b0a756115346";

/// The last time that there is, in milliseconds (9999-12-30T22:00:00Z).
const LAST: i64 = 253_402_207_200_000;

/// What a session of Flink 1.10 reports of one job and of its savepoints.
#[derive(Clone)]
struct Session {
    state: &'static str,
    start: i64,
    duration: i64,
    savepoint: Value,
    settings: Value,
}

impl Session {
    fn flink(&self, words: &[&str]) -> Ended {
        let session = self.clone();
        let state = std::sync::Mutex::new(false);
        let server =
            Server::answering(move |line| Some(session.answer(line, &mut state.lock().expect("state"))));
        let address = format!("http://{}", server.address);
        server.flink(&[words, &["--address", &address]].concat())
    }

    /// The job runs when it is first asked for, and then has its state.
    fn answer(&self, line: &str, was_listed: &mut bool) -> Answer {
        match line.strip_prefix("GET ").unwrap_or_default() {
            "/overview" => (
                200,
                json!({"taskmanagers": u32::MAX, "slots-total": u32::MAX, "slots-available": u32::MAX,
                    "jobs-running": 1, "jobs-finished": 0, "jobs-cancelled": 0, "jobs-failed": 0,
                    "flink-version": "1.10.3", "flink-commit": "x"}),
            ),
            "/jobs/overview" => {
                let state = if std::mem::replace(was_listed, true) { self.state } else { "RUNNING" };
                (
                    200,
                    json!({"jobs": [{"jid": JOB, "name": "orders", "state": state, "start-time": self.start,
                        "end-time": -1, "duration": self.duration,
                        "tasks": {"total": u32::MAX, "running": u32::MAX}}]}),
                )
            }
            "/jobs" => (200, json!({"jobs": [{"id": JOB, "status": "RUNNING"}]})),
            "/jobmanager/config" => (200, self.settings.clone()),
            path if path == format!("/jobs/{JOB}") => {
                let vertex = |id: &str| {
                    json!({"id": id, "name": id, "parallelism": u32::MAX, "status": "RUNNING",
                        "duration": i64::MIN, "tasks": {"RUNNING": u32::MAX, "SCHEDULED": u32::MAX},
                        "metrics": {"read-records": u64::MAX, "write-records": -1}})
                };
                (
                    200,
                    json!({"jid": JOB, "name": "orders", "state": "RUNNING", "start-time": self.start,
                        "duration": self.duration, "vertices": [vertex(&"a".repeat(32)), vertex(&"b".repeat(32))]}),
                )
            }
            path if path.ends_with("/checkpoints") => (
                200,
                json!({"counts": {"completed": u64::MAX, "in_progress": 0, "failed": 0},
                    "latest": {"completed": self.savepoint}, "history": [self.savepoint]}),
            ),
            path if path.ends_with("/backpressure") => {
                (200, json!({"status": "ok", "backpressure-level": "high", "subtasks": [{"ratio": 1e308}]}))
            }
            path if path.ends_with("/exceptions") => {
                (200, json!({"root-exception": "x", "timestamp": i64::MAX, "all-exceptions": []}))
            }
            _ => (404, json!({"errors": ["not found"]})),
        }
    }
}

fn session(start: i64, duration: i64) -> Session {
    let savepoint = json!({"id": 1, "status": "COMPLETED", "is_savepoint": true, "trigger_timestamp": start,
        "end_to_end_duration": duration, "state_size": u64::MAX, "external_path": "s3://b/sp-1"});
    let settings = json!([{"key": "web.refresh-interval", "value": "1"}]);
    Session { state: "FINISHED", start, duration, savepoint, settings }
}

const STOP: [&str; 5] = ["stop", "roc", JOB, "--savepoint-dir", "s3://b/sp"];

#[test]
fn times_at_the_end_of_time_end_a_stop_without_a_panic() {
    for (start, duration) in
        [(LAST, 0), (LAST, i64::MAX), (LAST, i64::MIN), (i64::MAX, i64::MAX), (i64::MIN, -1), (1, LAST - 1)]
    {
        let ended = session(start, duration).flink(&STOP);
        assert!(!ended.stderr.contains("panicked"), "{start} {duration}: {ended}");
        assert!((0..=3).contains(&ended.code), "{start} {duration}: {ended}");
    }
    // A savepoint that ended when its job did has ended it.
    let ended = session(LAST, 0).flink(&STOP);
    assert_eq!((ended.code, ended.stdout.contains("s3://b/sp-1")), (0, true), "{ended}");
}

#[test]
fn sums_and_shares_of_any_numbers_can_be_shown() {
    for (start, duration) in [(LAST, i64::MAX), (i64::MIN, i64::MIN), (0, 0)] {
        for words in [&["jobs", "roc"][..], &["jobs", "roc", JOB], &["jobs", "roc", JOB, "-o", "json"]] {
            let ended = session(start, duration).flink(words);
            assert_eq!((ended.code, ended.stderr.as_str()), (0, ""), "{words:?} {ended}");
        }
    }
}

#[test]
fn a_history_that_is_too_old_is_not_waited_for_beyond_the_timeout() {
    for interval in ["3600000", "1 h", "18446744073709551615", "9223372036854775807 s"] {
        let settings = json!([{"key": "web.refresh-interval", "value": interval}]);
        let began = Instant::now();
        let ended = Session { state: "RUNNING", settings, ..session(1, 1) };
        let ended = ended.flink(&[&STOP[..], &["--timeout", "10s"]].concat());
        assert_eq!(ended.code, 1, "{interval}: {ended}");
        assert!(ended.stderr.contains("web.refresh-interval"), "{interval}: {ended}");
        assert!(ended.stderr.contains("hint: "), "{interval}: {ended}");
        assert!(began.elapsed() < Duration::from_secs(10), "{interval}: {:?}", began.elapsed());
    }
}

/// A server that asks to be left alone for so many seconds.
fn busy(status: u16, after: &'static str, words: &[&str]) -> Ended {
    let body = failure(status, "TooManyRequests", "the server is busy").1.to_string();
    let server = raw::Server::answering(move |_, stream| {
        let head = format!(
            "HTTP/1.1 {status} x\r\nretry-after: {after}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        stream.write_all((head + &body).as_bytes())
    });
    flink_at(server.home.path(), words)
}

#[test]
fn a_server_that_asks_for_an_hour_is_not_waited_for() {
    for (status, after) in
        [(429, "3600"), (503, "3600"), (429, "18446744073709551615"), (429, "99999999999999999999999")]
    {
        let began = Instant::now();
        let ended = busy(status, after, &["ls"]);
        assert_eq!(ended.code, 1, "{status} {after}: {ended}");
        assert!(ended.stderr.contains("the server is busy"), "{status} {after}: {ended}");
        assert!(began.elapsed() < Duration::from_secs(20), "{status} {after}: {:?}", began.elapsed());
    }
}

#[test]
fn a_busy_server_is_waited_for_no_longer_than_the_command_may_take() {
    let began = Instant::now();
    let ended = busy(429, "2", &["delete", "roc", "--yes", "--timeout", "3s"]);
    assert!(ended.code == 1 || ended.code == 3, "{ended}");
    assert!(ended.stderr.contains("the server is busy"), "{ended}");
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
}
