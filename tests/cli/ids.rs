//! Ids and names from a server that would become syntax: of a shell, of a URL, of a terminal.

use std::fs;

use serde_json::{Value, json};

use crate::server::{Answer, Server};

const JOB: &str = "aa11dc59d12b7474c390b0a756115346";

/// No ids of Flink's: for a shell, for a URL, for a terminal, and one that is too short.
const IDS: [&str; 4] =
    ["$(touch x)", "../../jars/x?y=z#12345678901234", "\u{1b}]0;title\u{7}aa11dc59d12b74", "aa11"];

/// REST of a session with one job. `id` takes the place of the id in answers to `line`.
fn rest(asked: &str, line: &str, id: &str) -> Option<Answer> {
    let of = |own: &str| if asked.starts_with(line) { id.to_owned() } else { own.to_owned() };
    let ok = |body: Value| Some((200, body));
    match asked {
        "GET /overview" => {
            ok(json!({"taskmanagers": 1, "slots-total": 1, "slots-available": 0, "jobs-running": 1,
            "jobs-finished": 0, "jobs-cancelled": 0, "jobs-failed": 0, "flink-version": "2.3.0", "flink-commit": "x"}))
        }
        "GET /jobs/overview" => ok(json!({"jobs": [
            {"jid": JOB, "name": "clicks", "state": "RUNNING", "start-time": 1_767_225_600_000_i64, "end-time": -1,
             "duration": 1, "tasks": {"total": 1, "running": 1}},
            {"jid": of("bb22dc59d12b7474c390b0a756115346"), "name": "orders", "state": "RUNNING",
             "start-time": 1_767_225_600_000_i64, "end-time": -1, "duration": 1, "tasks": {"total": 1, "running": 1}}]})),
        "GET /jobs" => ok(json!({"jobs": [{"id": of(JOB), "status": "RUNNING"}]})),
        "GET /jobmanager/config" => ok(json!([{"key": "state.savepoints.dir", "value": "s3://b/sp"}])),
        "GET /jobmanager/thread-dump" => ok(json!({"threadInfos": []})),
        "GET /jars" => ok(json!({"address": "", "files": []})),
        "POST /jars/upload" => ok(json!({"filename": "/tmp/$(touch x).jar", "status": "success"})),
        asked if asked.ends_with("/savepoints") || asked.ends_with("/stop") => {
            Some((202, json!({"request-id": id})))
        }
        asked if asked.contains("/savepoints/") => Some((404, json!({"errors": ["no such operation"]}))),
        asked if asked.ends_with("/checkpoints") => {
            Some((404, json!({"errors": ["Checkpointing has not been enabled."]})))
        }
        _ => None,
    }
}

fn server(line: &'static str, id: &'static str) -> (Server, String) {
    let server = Server::answering(move |asked| rest(asked, line, id));
    let url = format!("http://{}", server.address);
    (server, url)
}

#[test]
fn a_job_id_that_is_none_is_an_error_that_names_the_request_and_never_no_job() {
    for id in IDS {
        let (server, url) = server("GET /jobs/overview", id);
        let listed = server.flink(&["jobs", "roc", "--address", &url]);
        assert_eq!((listed.code, listed.stdout.as_str()), (1, ""), "{listed}");
        assert!(listed.stderr.contains("GET /jobs/overview: invalid job ID"), "{listed}");
        assert!(!listed.stderr.contains('\u{1b}') && !listed.stderr.contains('\u{7}'), "{listed}");
        // What cannot be read of a job proves that there is none as little as silence does.
        for words in [&["cancel", "roc", "--all"][..], &["delete", "roc", "--yes"], &["stop", "roc", JOB]] {
            let ended = server.flink(&[words, &["--address", &url]].concat());
            assert_ne!(ended.code, 0, "{words:?}: {ended}");
        }
        assert!(server.writes().is_empty(), "{:?}", server.writes());
        let completed = server.flink(&["__complete", "cancel", "--address", &url, "roc", ""]);
        assert!(!completed.stdout.contains(id), "{completed}");
    }
}

#[test]
fn ids_of_jars_and_requests_are_checked_where_they_enter() {
    let (server, url) = server("", IDS[0]);
    let jar = server.home.path().join("a.jar");
    fs::copy("tests/e2e/job/programs.jar", &jar).expect("a copy");
    let submitted = server.flink(&["submit", "roc", jar.to_str().expect("UTF-8"), "--address", &url]);
    assert_eq!(submitted.code, 1, "{submitted}");
    assert!(submitted.stderr.contains("POST /jars/upload: invalid jar ID \"$(touch x).jar\""), "{submitted}");
    let sent: Vec<String> = server.writes().into_iter().map(|write| write.line).collect();
    assert_eq!(sent, ["POST /jars/upload"], "{submitted}");
}

#[test]
fn a_request_id_that_is_none_is_not_asked_for() {
    let (server, url) = server("POST ", IDS[1]);
    let taken = server.flink(&["savepoint", "roc", JOB, "--address", &url]);
    assert_eq!((taken.code, taken.stdout.as_str()), (1, ""), "{taken}");
    let asked = format!("POST /jobs/{JOB}/savepoints: invalid request ID");
    assert!(taken.stderr.contains(&asked), "{taken}");
    assert!(!server.asked().iter().any(|line| line.contains("/savepoints/")), "{:?}", server.asked());
}
