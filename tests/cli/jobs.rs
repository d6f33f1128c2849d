//! `jobs` against a REST that the test plays.

use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use crate::process::command;
use crate::running::Running;
use crate::schema::holds;
use crate::server::{Answer, Server};

const RUNS: &str = "aa11dc59d12b7474c390b0a756115346";
const WAITS: &str = "bb22dc59d12b7474c390b0a756115346";
const ENDED: &str = "cc33dc59d12b7474c390b0a756115346";

/// A session's REST, whose answers change.
struct Rest {
    server: Server,
    jobs: Arc<Mutex<Option<Vec<Value>>>>,
}

impl Rest {
    fn with(jobs: &[Value]) -> Self {
        let jobs = Arc::new(Mutex::new(Some(jobs.to_vec())));
        let played = Arc::clone(&jobs);
        let server =
            Server::answering(move |line| Some(answer(line, played.lock().expect("jobs").as_deref())));
        Self { server, jobs }
    }

    /// None while the JobManager restarts.
    fn then(&self, jobs: Option<&[Value]>) {
        *self.jobs.lock().expect("jobs") = jobs.map(<[Value]>::to_vec);
    }

    /// The words of `jobs roc WORDS`.
    fn words(&self, words: &[&str]) -> Vec<String> {
        // The same server has both.
        let kubeconfig =
            std::fs::read_to_string(self.server.home.path().join(".kube/config")).expect("kubeconfig");
        let kubeconfig: Value = serde_json::from_str(&kubeconfig).expect("JSON");
        let url = kubeconfig["clusters"][0]["cluster"]["server"].as_str().expect("server");
        ["jobs", "roc", "--address", url].iter().chain(words).map(|word| (*word).to_owned()).collect()
    }

    fn flink(&self, words: &[&str]) -> crate::process::Ended {
        let words = self.words(words);
        self.server.flink(&words.iter().map(String::as_str).collect::<Vec<_>>())
    }

    fn run(&self, words: &[&str]) -> Running {
        let words = self.words(words);
        Running::start(command(
            self.server.home.path(),
            &words.iter().map(String::as_str).collect::<Vec<_>>(),
        ))
    }
}

fn answer(line: &str, jobs: Option<&[Value]>) -> Answer {
    let Some(jobs) = jobs else {
        return (
            503,
            json!({"errors": ["Service temporarily unavailable due to an ongoing leader election."]}),
        );
    };
    let path = line.strip_prefix("GET ").expect("only questions");
    let rest = path.strip_prefix("/jobs/").and_then(|path| path.split_once('/')).map_or("", |(_, rest)| rest);
    match (path, rest) {
        ("/overview", _) => {
            let overview = json!({"taskmanagers": 1, "slots-total": 1, "slots-available": 0, "jobs-running": 1,
                "jobs-finished": 1, "jobs-cancelled": 0, "jobs-failed": 0, "flink-version": "2.3.0", "flink-commit": "x"});
            (200, overview)
        }
        ("/jobs/overview", _) => (200, json!({"jobs": jobs})),
        (_, "checkpoints" | "checkpoints/config") => (
            404,
            json!({"errors": ["org.apache.flink.runtime.rest.handler.RestHandlerException: Checkpointing has not been enabled."]}),
        ),
        (_, "exceptions") => (
            200,
            json!({"exceptionHistory": {"entries": [
            {"stacktrace": "java.lang.Exception: told\n\tat a.B\nCaused by: java.io.IOException: bad magic\n\tat a.C", "timestamp": 1_767_225_600_000_i64, "taskName": "Map (1/1)",
             "endpoint": "10.0.0.1:1", "taskManagerId": "roc-taskmanager-1-1", "concurrentExceptions": []}]}}),
        ),
        (_, "") => details(jobs, path),
        // Backpressure, of 2.3 while no task runs.
        _ => (500, json!({"errors": ["Internal server error."]})),
    }
}

fn details(jobs: &[Value], path: &str) -> Answer {
    let found = jobs.iter().find(|job| path == format!("/jobs/{}", job["jid"].as_str().expect("id")));
    let Some(job) = found else { return (404, json!({"errors": ["Job not found"]})) };
    let mut job = job.clone();
    let state = if job["tasks"]["running"] == 1 { "RUNNING" } else { "SCHEDULED" };
    job["vertices"] = json!([{"id": "ca88eee0095684d687a1b6495617f957", "name": "Source -> Map", "parallelism": 1, "status": "CREATED",
        "duration": -1, "tasks": {"RUNNING": 0, state: 1},
        "metrics": {"read-records": 0, "read-records-complete": false, "write-records": 5, "write-records-complete": true}}]);
    (200, job)
}

fn job(id: &str, name: &str, state: &str, running: u32) -> Value {
    json!({"jid": id, "name": name, "state": state, "start-time": 1_767_225_600_000_i64, "end-time": -1,
        "duration": 730_500, "tasks": {"total": 1, "running": running}})
}

fn three() -> [Value; 3] {
    [
        job(ENDED, "clicks", "FAILED", 0),
        job(RUNS, "orders", "RUNNING", 1),
        job(WAITS, "users by day", "RUNNING", 0),
    ]
}

#[test]
fn a_row_a_job_that_has_not_ended_and_all_with_a() {
    let rest = Rest::with(&three());
    insta::assert_snapshot!(
        [
            rest.flink(&[]),
            rest.flink(&["-a", "-o", "wide"]),
            rest.flink(&["-a", "--sort-by", ".status.name", "--no-headers"]),
            rest.flink(&["-a", "-o", "name"]),
            rest.flink(&["-o", "custom-columns=JOB:.status.name,TASKS:.status.tasksRunning"]),
            rest.flink(&["-o", "jsonpath={.items[*].status.state}"]),
        ]
        .map(|ended| ended.to_string())
        .join("\n")
    );
}

#[test]
fn where_none_runs_that_is_said_and_a_list_is_empty() {
    let rest = Rest::with(&[job(ENDED, "clicks", "FAILED", 0)]);
    insta::assert_snapshot!(rest.flink(&[]), @"
    exit 0
    --- stdout
    --- stderr
    No running jobs on session roc; -a shows 1 that has ended.
    ");
    let empty = rest.flink(&["-o", "json"]);
    assert_eq!((&holds(&empty.stdout, "FlinkJobList")["items"], empty.stderr.as_str()), (&json!([]), ""));
    assert_eq!(rest.flink(&["-o", "name"]).to_string(), "exit 0\n--- stdout\n--- stderr\n");
    assert_eq!(Rest::with(&[]).flink(&["-a"]).stderr, "No jobs on session roc.\n");
}

#[test]
fn what_is_printed_holds_to_the_schema() {
    let rest = Rest::with(&three());
    let list = holds(&rest.flink(&["-a", "-o", "json"]).stdout, "FlinkJobList");
    assert_eq!(list["items"][2]["status"]["state"], "FAILED");
    // The cluster is not asked for a namespace where REST's address is given.
    assert_eq!(list["items"][0]["metadata"].get("namespace"), None);
    let job = holds(&rest.flink(&["users by day", "-o", "json"]).stdout, "FlinkJob");
    assert_eq!(job["metadata"]["name"], WAITS);
    let vertex = &job["status"]["vertices"][0];
    assert_eq!((&vertex["tasksByState"], &vertex["recordsRead"]), (&json!({"SCHEDULED": 1}), &Value::Null));
    assert_eq!(job["status"]["checkpoints"], Value::Null);
    assert_eq!((&job["status"]["exceptions"][0]["task"], &job["unknown"]), (&json!("Map (1/1)"), &json!([])));
    // The two causes that the screen shows.
    let thrown = &job["status"]["exceptions"][0];
    assert_eq!(
        (&thrown["message"], &thrown["cause"]),
        (&json!("Exception: told"), &json!("IOException: bad magic"))
    );
    assert_eq!(rest.flink(&["bb", "-o", "jsonpath={.status.name}"]).stdout, "users by day");
    assert_eq!(rest.flink(&["bb", "-o", "name"]).stdout, format!("job/{WAITS}\n"));
}

#[test]
fn one_job_is_shown_from_all_sides() {
    let told = Rest::with(&three()).flink(&[&format!("job/{WAITS}")]);
    assert_eq!((told.code, told.stderr.as_str()), (0, ""));
    let sentence = format!(
        "Job users by day ({WAITS}) is RUNNING: 0 of 1 tasks run, 1 waits for a slot; it was started "
    );
    assert!(told.stdout.starts_with(&sentence), "{told}");
    for part in [
        "  NAME            STATE     TASKS   RECORDS IN   RECORDS OUT   BACKPRESSURE\n",
        "  Source -> Map   CREATED   0/1     -            5             -\n",
        "Checkpoints:\n  this job makes none\n",
        " ago in Map (1/1), on roc-taskmanager-1-1:\n    Exception: told\n",
    ] {
        assert!(told.stdout.contains(part), "{part}{told}");
    }
}

#[test]
fn an_error_leaves_stdout_empty_and_names_the_next_command() {
    let rest = Rest::with(&three());
    let address = rest.words(&[])[3].clone();
    let told =
        [rest.flink(&["nosuch"]), rest.flink(&["-o", "xml"])].map(|ended| ended.to_string()).join("\n");
    insta::assert_snapshot!(told.replace(&address, "http://REST"));
}

#[test]
fn a_watch_tells_what_becomes_of_jobs_and_of_a_jobmanager_that_restarts() {
    let [ended, runs, waits] = three();
    let rest = Rest::with(&[ended.clone(), waits]);
    let mut watch = rest.run(&["-w"]);
    assert_eq!(watch.row(), "JOB ID NAME STATE TASKS DURATION START");
    let row = |id: &str, rest: &str| format!("{id} {rest} 12m 2026-01-01T00:00:00Z");
    assert_eq!(watch.row(), row(WAITS, "users by day RUNNING 0/1"));
    // It has got its slot, and there is one more.
    let waits = job(WAITS, "users by day", "RUNNING", 1);
    rest.then(Some(&[ended.clone(), waits, runs.clone()]));
    let mut rows = [watch.row(), watch.row()];
    rows.sort();
    assert_eq!(rows, [row(RUNS, "orders RUNNING 1/1"), row(WAITS, "users by day RUNNING 1/1")]);
    rest.then(None);
    let lost = "Warning: lost the connection to the REST API of session roc; retrying: HTTP 503: ";
    assert!(watch.warning().starts_with(lost));
    let waits = job(WAITS, "users by day", "FINISHED", 0);
    rest.then(Some(&[ended, waits]));
    assert_eq!(watch.row(), row(WAITS, "users by day FINISHED 0/1"));
    assert_eq!(watch.warning(), format!("Warning: session roc does not know job orders ({RUNS}) any more"));
    let end = watch.interrupt();
    assert_eq!((end.code, end.stdout.as_slice(), end.stderr.len()), (130, &[][..], 2), "{end:?}");
}

#[test]
fn a_watch_in_json_is_one_object_after_the_other() {
    let rest = Rest::with(&[job(RUNS, "orders", "RUNNING", 0)]);
    let mut watch = rest.run(&["-w", "-o", "json"]);
    let mut object = || {
        let mut text = String::new();
        while !text.ends_with("\n}\n") {
            text += &(watch.line() + "\n");
        }
        holds(&text, "FlinkJob")["status"]["tasksRunning"].clone()
    };
    assert_eq!(object(), 0);
    rest.then(Some(&[job(RUNS, "orders", "RUNNING", 1)]));
    assert_eq!(object(), 1);
    assert_eq!(watch.interrupt().code, 130);
}

#[test]
fn a_watch_of_one_job_shows_it_again_and_ends_with_it() {
    let rest = Rest::with(&[job(RUNS, "orders", "RUNNING", 0)]);
    let mut watch = rest.run(&["orders", "-w"]);
    let sentence = format!("Job orders ({RUNS}) is ");
    assert!(watch.line().starts_with(&(sentence.clone() + "RUNNING: 0 of 1 tasks run")));
    rest.then(Some(&[job(RUNS, "orders", "FINISHED", 0)]));
    while !watch.line().starts_with(&(sentence.clone() + "FINISHED: it ended ")) {}
    let end = watch.end();
    assert_eq!((end.code, end.stderr.len()), (0, 0), "{end:?}");
}
