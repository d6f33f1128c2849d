//! Jobs that wait for slots, jobs that are waited for, and rights without which neither is seen.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};

use crate::line::healthy;
use crate::process::command;
use crate::running::Running;
use crate::schema::holds;
use crate::server::{Answer, Server, failure};

const WAITS: &str = "bb22dc59d12b7474c390b0a756115346";
const RUNS: &str = "aa11dc59d12b7474c390b0a756115346";

fn job(id: &str, name: &str, state: &str, running: u32) -> Value {
    json!({"jid": id, "name": name, "state": state, "start-time": 1_767_225_600_000_i64, "end-time": -1,
        "duration": 60_000, "tasks": {"total": 1, "running": running}})
}

/// What keeps TaskManagers from running.
#[derive(Clone, Copy)]
enum Why {
    NoNode,
    NoImage,
    Quota,
    Limit,
    Resources,
    /// The pod is there for a moment only.
    Young,
}

/// A healthy session with a job that has waited for a minute.
fn waiting(why: Why) -> Server {
    Server::answering_queries(move |line, query| waiting_line(why, line, query))
}

fn waiting_line(why: Why, line: &str, query: &str) -> Option<Answer> {
    match line {
        "REST GET /overview" => Some((
            200,
            json!({"taskmanagers": 0, "slots-total": 0, "slots-available": 0, "jobs-running": 1, "flink-version": "2.3.0"}),
        )),
        "REST GET /jobs/overview" => Some((200, json!({"jobs": [job(WAITS, "orders", "RUNNING", 0)]}))),
        "REST GET /jobmanager/config" => {
            let max = if matches!(why, Why::Limit) { "1" } else { "2147483647" };
            Some((
                200,
                json!([{"key": "slotmanager.max-total-resource.cpu", "value": "0.1"},
                    {"key": "slotmanager.number-of-slots.max", "value": max}, {"key": "taskmanager.numberOfTaskSlots", "value": "2"}]),
            ))
        }
        line if line == format!("REST GET /jobs/{WAITS}") => {
            let mut job = job(WAITS, "orders", "RUNNING", 0);
            job["vertices"] = json!([{"id": "ca88eee0095684d687a1b6495617f957", "name": "Source", "parallelism": 1, "status": "CREATED",
                "duration": -1, "tasks": {"SCHEDULED": 1}, "metrics": {}}]);
            Some((200, job))
        }
        "GET /api/v1/namespaces/team-a/pods" if query.contains("status.phase") => Some(pods(why)),
        "GET /api/v1/namespaces/team-a/configmaps" => {
            let labels = json!({"app": "roc", "type": "flink-native-kubernetes"});
            let max = if matches!(why, Why::Limit) { "slotmanager.number-of-slots.max: 1\n" } else { "" };
            let data = json!({"config.yaml": format!("{max}slotmanager.max-total-resource.cpu: 0.1\ntaskmanager.numberOfTaskSlots: 2\n")});
            Some((
                200,
                json!({"items": [{"metadata": {"name": "flink-config-roc", "namespace": "team-a", "labels": labels,
                    "ownerReferences": [{"kind": "Deployment", "name": "roc", "uid": "roc"}]}, "data": data}]}),
            ))
        }
        line if line.ends_with("/log") && matches!(why, Why::Quota) => {
            // One line, for the server answers with JSON.
            let log = "12:01 WARN x [] - Could not create pod roc-taskmanager-1-3, ERROR Message: pods is forbidden: exceeded quota: team-a. Received status: x";
            Some((200, json!(log)))
        }
        line if line.ends_with("/log") && matches!(why, Why::Resources) => {
            let log = "04:29 INFO x [] - Could not allocate PendingTaskManager{id=e34c}. Max total resource limitation <Resource(CPU: 0.1), 8388608.000tb (9223372036854775807 bytes)> is reached.";
            Some((200, json!(log)))
        }
        line => healthy(line),
    }
}

/// The same, whose job failed: Flink waits no longer for slots that it will not start.
fn failed_without_slots() -> Server {
    let waits = |line: &str, query: &str| waiting_line(Why::Resources, line, query);
    Server::answering_queries(move |line, query| match line {
        "REST GET /jobs/overview" => Some((200, json!({"jobs": [job(WAITS, "orders", "FAILED", 0)]}))),
        line if line == format!("REST GET /jobs/{WAITS}/exceptions") => Some((
            200,
            json!({"exceptionHistory": {"entries": [{"timestamp": 1_767_225_600_000_i64, "concurrentExceptions": [],
                "stacktrace": "java.util.concurrent.CompletionException: x\n\tat a.B\nCaused by: org.apache.flink.runtime.jobmanager.scheduler.NoResourceAvailableException: Could not acquire the minimum required resources.\n"}]}}),
        )),
        line if line == format!("REST GET /jobs/{WAITS}") => {
            let (code, mut details) = waits(line, query)?;
            details["state"] = "FAILED".into();
            Some((code, details))
        }
        line => waits(line, query),
    })
}

#[test]
fn a_job_that_failed_for_lack_of_slots_names_the_setting_that_keeps_them_away() {
    let server = failed_without_slots();
    let says = "session roc cannot have more TaskManagers: slotmanager.max-total-resource.cpu is 0.1";
    let told = server.flink(&["jobs", "roc", "orders"]);
    assert!(told.code == 0 && told.stdout.contains(&format!("{says} (resources-limited)\n")), "{told}");
    let told = server.flink(&["jobs", "roc", "orders", "--wait"]);
    assert!(told.code == 5 && told.stderr.contains(&format!("because: {says}\n")), "{told}");
}

fn pods(why: Why) -> Answer {
    let created = match why {
        Why::Young => jiff::Timestamp::now().to_string(),
        _ => "2026-01-01T00:00:00Z".to_owned(),
    };
    let status = match why {
        Why::NoNode | Why::Young => {
            json!({"phase": "Pending", "conditions": [{"type": "PodScheduled", "status": "False",
            "reason": "Unschedulable", "message": "0/1 nodes are available: 1 Insufficient cpu.",
            "lastTransitionTime": created}]})
        }
        Why::NoImage => {
            json!({"phase": "Pending", "containerStatuses": [{"name": "c", "ready": false, "restartCount": 0,
            "state": {"waiting": {"reason": "ImagePullBackOff", "message": "not found"}}}]})
        }
        Why::Quota | Why::Limit | Why::Resources => return (200, json!({"items": []})),
    };
    let pod = json!({"metadata": {"name": "roc-taskmanager-1-1", "namespace": "team-a", "uid": "t",
        "creationTimestamp": created}, "spec": {"containers": [{"name": "c"}]}, "status": status});
    (200, json!({"items": [pod]}))
}

#[test]
fn why_a_job_waits_for_slots_is_told_by_status_by_the_job_and_by_the_exit_code() {
    for (why, id, says) in [
        (Why::NoNode, "unschedulable", "1 Insufficient cpu"),
        (Why::NoImage, "image-pull", "ImagePullBackOff"),
        (Why::Quota, "taskmanager-pod-refused", "exceeded quota: team-a"),
        (
            Why::Resources,
            "resources-limited",
            "cannot have more TaskManagers: slotmanager.max-total-resource.cpu is 0.1",
        ),
        (Why::Limit, "slots-limited", "slotmanager.number-of-slots.max is 1, and a TaskManager has 2"),
    ] {
        let server = waiting(why);
        for words in [&["status", "roc", "--exit-code"][..], &["status", "--exit-code"]] {
            let told = server.flink(words);
            assert_eq!(told.code, 5, "{words:?}: {told}");
            assert!(told.stdout.contains(&format!("({id})\n")) && told.stdout.contains(says), "{told}");
            assert!(told.stdout.contains(", 0 running jobs, 1 job without a running task\n"), "{told}");
        }
        let told = server.flink(&["jobs", "roc", "orders"]);
        assert!(told.code == 0 && told.stdout.contains(&format!("({id})\n")), "{told}");
        let told = holds(&server.flink(&["jobs", "roc", "orders", "-o", "json"]).stdout, "FlinkJob");
        assert_eq!(told["status"]["findings"][0]["id"], id);
    }
}

#[test]
fn a_pod_that_has_just_been_made_is_no_problem_yet() {
    let told = waiting(Why::Young).flink(&["status", "roc", "--exit-code"]);
    assert!(told.code == 0 && !told.stdout.contains("Problems"), "{told}");
}

#[test]
fn a_job_of_which_no_task_runs_does_not_count_as_running() {
    let server = waiting(Why::Young);
    let row = server.flink(&["ls", "-o", "wide", "--no-headers"]).stdout;
    assert!(row.split_whitespace().any(|cell| cell == "0/1"), "{row}");
    let told = holds(&server.flink(&["ls", "roc", "-o", "json"]).stdout, "Session");
    let load = &told["status"]["load"];
    assert_eq!((&load["jobsRunning"], &load["jobsWithoutTasks"]), (&json!(0), &json!(1)));
}

/// A healthy session, and a user who may neither forward its ports nor use the proxy.
fn without_rights() -> Server {
    Server::answering(|line| {
        let resource = match line {
            line if line.contains("/portforward") => "pods/portforward",
            line if line.contains("/proxy") => "pods/proxy",
            line => return healthy(line),
        };
        let why = format!(
            "pods \"roc-1-2\" is forbidden: User \"me\" cannot create resource \"{resource}\" in API group \"\" in the namespace \"team-a\""
        );
        Some(failure(403, "Forbidden", &why))
    })
}

#[test]
fn a_right_that_is_missing_is_named_once_and_by_its_name() {
    let server = without_rights();
    let needs = "user \"me\" needs `create` on pods/portforward or `get` on pods/proxy";
    let told = server.flink(&["status", "roc"]);
    let all = format!("{}{}", told.stdout, told.stderr);
    assert_eq!(all.matches("portforward").count(), 1, "{told}");
    assert!(
        told.stdout
            .lines()
            .next()
            .is_some_and(|line| line.ends_with(&format!("cannot reach the REST API: {needs}")))
    );
    for part in ["TaskManagers:\n  unknown\n", "Jobs:\n  unknown\n", "  Memory:     unknown\n"] {
        assert!(told.stdout.contains(part), "{part}{told}");
    }
    // JSON has the reason where it is looked for.
    let json = holds(&server.flink(&["status", "roc", "-o", "json"]).stdout, "SessionStatus");
    assert!(json["unknown"].as_array().expect("parts").iter().any(|part| part["reason"] == needs), "{json}");
    let told = server.flink(&["jobs", "roc"]);
    let error = format!("error: cannot reach the REST API of session roc: {needs}\n");
    assert_eq!((told.code, told.stdout.as_str()), (1, ""));
    assert!(
        told.stderr.starts_with(&error) && told.stderr.contains("kubectl auth can-i create pods"),
        "{told}"
    );
}

/// A session at an address, whose list of jobs changes.
fn played(jobs: &[Value]) -> (Server, Arc<Mutex<Vec<Value>>>) {
    let jobs = Arc::new(Mutex::new(jobs.to_vec()));
    let list = Arc::clone(&jobs);
    let server = Server::answering(move |line| {
        Some(match line {
            "GET /overview" => (
                200,
                json!({"taskmanagers": 1, "slots-total": 1, "slots-available": 0, "jobs-running": 1, "flink-version": "2.3.0"}),
            ),
            "GET /jobs/overview" => (200, json!({"jobs": *list.lock().expect("jobs")})),
            line if line.ends_with("/exceptions") => (
                200,
                json!({"exceptionHistory": {"entries": [{"stacktrace": "java.lang.NullPointerException\n\tat Orders.map(Orders.java:7)",
                    "timestamp": 1_767_225_600_000_i64, "concurrentExceptions": []}]}}),
            ),
            _ => (404, json!({"errors": ["Not found."]})),
        })
    });
    (server, jobs)
}

fn words(server: &Server, words: &[&str]) -> Vec<String> {
    let address = format!("http://{}", server.address);
    ["jobs", "roc", "--address", &address].iter().chain(words).map(|word| (*word).to_owned()).collect()
}

fn run(server: &Server, more: &[&str]) -> Running {
    let words = words(server, more);
    Running::start(command(server.home.path(), &words.iter().map(String::as_str).collect::<Vec<_>>()))
}

#[test]
fn a_job_that_is_waited_for_ends_the_command_as_it_ends() {
    for (state, code) in [("FINISHED", 0), ("FAILED", 5), ("CANCELED", 5)] {
        let (server, jobs) = played(&[job(RUNS, "orders", "RUNNING", 1)]);
        let wait = run(&server, &["orders", "--wait", "-o", "json"]);
        *jobs.lock().expect("jobs") = vec![job(RUNS, "orders", state, 0)];
        let end = wait.end();
        assert_eq!(end.code, code, "{end:?}");
        let told = holds(&(end.stdout.join("\n") + "\n"), "FlinkJob");
        assert_eq!(told["status"]["state"], state);
        let told = end.stderr.join("\n");
        assert_eq!(
            told.contains("NullPointerException at Orders.map(Orders.java:7)"),
            state == "FAILED",
            "{told}"
        );
    }
}

#[test]
fn several_jobs_are_waited_for_and_the_worst_end_counts() {
    let (server, jobs) = played(&[job(RUNS, "orders", "RUNNING", 1), job(WAITS, "clicks", "FINISHED", 0)]);
    let wait = run(&server, &["orders", "clicks", "--wait", "--no-headers"]);
    *jobs.lock().expect("jobs") =
        vec![job(RUNS, "orders", "CANCELED", 0), job(WAITS, "clicks", "FINISHED", 0)];
    let end = wait.end();
    assert_eq!((end.code, end.stdout.len()), (5, 2), "{end:?}");
    assert!(end.stdout[0].contains("CANCELED") && end.stdout[1].contains("FINISHED"), "{end:?}");
    // Without --wait, they are rows.
    let words = words(&server, &["orders", "clicks", "--no-headers"]);
    let rows = server.flink(&words.iter().map(String::as_str).collect::<Vec<_>>());
    assert_eq!((rows.code, rows.stdout.lines().count()), (0, 2), "{rows}");
}

#[test]
fn a_job_that_is_forgotten_has_not_finished() {
    let (server, jobs) = played(&[job(RUNS, "orders", "RUNNING", 1)]);
    let wait = run(&server, &["orders", "--wait", "-o", "json"]);
    // It has been found, and is waited for.
    while server.asked().iter().filter(|line| *line == "GET /jobs/overview").count() < 2 {
        std::thread::sleep(Duration::from_millis(20));
    }
    jobs.lock().expect("jobs").clear();
    let end = wait.end();
    assert_eq!((end.code, end.stdout.len()), (5, 0), "{end:?}");
    assert!(end.stderr.join("\n").contains("how it ended is unknown"), "{end:?}");
}

#[test]
fn a_wait_that_is_too_short_ends_with_3() {
    let (server, _jobs) = played(&[job(RUNS, "orders", "RUNNING", 1)]);
    let end = run(&server, &["orders", "--wait", "--timeout", "1s"]).end();
    assert_eq!((end.code, end.stdout.len()), (3, 0), "{end:?}");
    for (more, says) in [(&["--wait"][..], "<JOB>"), (&["a", "b", "-w"], "--watch takes one job")] {
        let words = words(&server, more);
        let told = server.flink(&words.iter().map(String::as_str).collect::<Vec<_>>());
        assert!(told.code == 1 && told.stderr.contains(says), "{told}");
    }
}

/// Flink says of a savepoint only that the job did not go on.
#[test]
fn a_savepoint_that_fails_with_its_job_names_why_the_job_failed() {
    let asked = Arc::new(Mutex::new(false));
    let server = Server::answering(move |line| {
        let mut asked = asked.lock().expect("state");
        *asked |= line.starts_with("POST ");
        Some(match line {
            "GET /overview" => (
                200,
                json!({"taskmanagers": 1, "slots-total": 1, "slots-available": 0, "jobs-running": 1,
                "flink-version": "2.3.0"}),
            ),
            "GET /jobs/overview" => (200, json!({"jobs": [job(RUNS, "orders", "RUNNING", 1)]})),
            "GET /jobmanager/config" => (200, json!([{"key": "state.savepoints.dir", "value": "s3://b/sp"}])),
            line if line.starts_with("POST ") => (202, json!({"request-id": "1f".repeat(16)})),
            line if line.contains("/savepoints/") && *asked => (
                200,
                json!({"status": {"id": "COMPLETED"}, "operation": {
                "failure-cause": {"class": "x", "stack-trace": "java.util.concurrent.CompletionException: org.apache.flink.runtime.checkpoint.CheckpointException: \
Checkpoint Coordinator is suspending.\n\tat a.B\nCaused by: org.apache.flink.runtime.checkpoint.CheckpointException: Checkpoint Coordinator is suspending.\n\tat a.C"}}}),
            ),
            line if line.ends_with("/checkpoints") => (
                200,
                json!({"counts": {"completed": 0, "in_progress": 0, "failed": 1},
                "latest": {"failed": {"id": 1, "trigger_timestamp": 1_767_225_600_000_i64, "failure_message": "Checkpoint Coordinator is suspending."}}}),
            ),
            line if line.ends_with("/exceptions") => (
                200,
                json!({"exceptionHistory": {"entries": [{
                "stacktrace": "java.lang.RuntimeException: cannot write record 80\n\tat a.B\nCaused by: java.io.IOException: disk is full\n\tat a.C",
                "timestamp": 1_767_225_601_000_i64, "taskName": "Sink (1/1)", "concurrentExceptions": []}]}}),
            ),
            _ => (404, json!({"errors": ["Not found."]})),
        })
    });
    let address = format!("http://{}", server.address);
    let told = server.flink(&["savepoint", "roc", "orders", "--address", &address]);
    assert_eq!((told.code, told.stdout.as_str()), (1, ""), "{told}");
    for says in [
        "the job failed, and was restarted, during its savepoint\n",
        "because: RuntimeException: cannot write record 80, in task Sink (1/1)\n",
        "because: IOException: disk is full\n",
    ] {
        assert!(told.stderr.contains(says), "{says}{told}");
    }
    assert!(!told.stderr.contains("suspending"), "{told}");
}

#[test]
fn a_name_that_is_nearly_right_is_suggested_and_one_elsewhere_is_found() {
    let labels =
        |name: &str| json!({"app": name, "type": "flink-native-kubernetes", "component": "jobmanager"});
    let item = move |namespace: &str, name: &str| {
        json!({"metadata": {"name": name, "namespace": namespace, "uid": name, "labels": labels(name)},
            "spec": {"template": {"spec": {"containers": [{"name": "c", "args": ["kubernetes-session"]}]}}}})
    };
    let server = Server::answering_queries(move |line, query| match line {
        "GET /apis/apps/v1/namespaces/team-a/deployments" if !query.contains("orders%2C") => {
            let exact = query.contains("in%20") || query.contains("app%3D") || query.contains("app%20in");
            let items = if exact { json!([]) } else { json!([item("team-a", "orders")]) };
            Some((200, json!({"items": items})))
        }
        "GET /apis/apps/v1/deployments" if query.contains("metadata.name%3Dclicks") => {
            Some((200, json!({"items": [item("team-b", "clicks")]})))
        }
        _ => None,
    });
    for words in [
        &["status", "order"][..],
        &["jobs", "order"],
        &["delete", "order", "--yes"],
        &["ls", "order"],
        &["restart", "order"],
    ] {
        let told = server.flink(words);
        assert!(
            told.code == 1 && told.stderr.contains("hint: did you mean session orders?\n"),
            "{words:?}: {told}"
        );
    }
    let told = server.flink(&["status", "clicks"]);
    assert!(
        told.stderr.contains("hint: session clicks exists in namespace team-b: add -n team-b\n"),
        "{told}"
    );
    let told = server.flink(&["status", "nothing-like-it"]);
    assert!(told.stderr.contains("hint: kubectl flink ls -A\n"), "{told}");
}
