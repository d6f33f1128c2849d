//! What has the name of a session, and is another one: made anew under a running command, or a job with the id of one
//! before it.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::create::willing;
use crate::jar_names::PROGRAMS;
use crate::server::{Answer, Server, failure};

const OLD: &str = "aa11dc59d12b7474c390b0a756115346";
const NEW: &str = "bb22dc59d12b7474c390b0a756115346";

fn native() -> Value {
    json!({"app": "roc", "type": "flink-native-kubernetes", "component": "jobmanager"})
}

fn job(id: &str) -> Value {
    json!({"jid": id, "name": "orders", "state": "RUNNING", "start-time": 1_767_225_600_000_i64, "end-time": -1,
        "duration": 1, "tasks": {"total": 1, "running": 1}})
}

/// REST of a session with one job that does whatever it is told, except end.
fn rest(line: &str, id: &str) -> Option<Answer> {
    let ok = |body: Value| Some((200, body));
    match line {
        "GET /overview" => {
            ok(json!({"taskmanagers": 1, "slots-total": 1, "slots-available": 0, "jobs-running": 1,
            "jobs-finished": 0, "jobs-cancelled": 0, "jobs-failed": 0, "flink-version": "2.3.0", "flink-commit": "x"}))
        }
        "GET /jobs/overview" => ok(json!({"jobs": [job(id)]})),
        "GET /jobs" => ok(json!({"jobs": [{"id": id, "status": "RUNNING"}]})),
        "GET /jobmanager/config" => {
            ok(json!([{"key": "execution.checkpointing.savepoint-dir", "value": "s3://b/sp"}]))
        }
        "GET /jobmanager/thread-dump" => ok(json!({"threadInfos": []})),
        "GET /taskmanagers" => ok(json!({"taskmanagers": []})),
        "GET /config" => ok(json!({"features": {"web-submit": true}})),
        "GET /jars" => ok(json!({"address": "", "files": []})),
        "POST /jars/upload" => {
            ok(json!({"filename": "/tmp/w/2d9a3cb4-8b8e-4b57-9d1c-5c1b9f3a7e10_x.jar", "status": "success"}))
        }
        line if line.ends_with("/run") => ok(json!({"jobid": id})),
        line if line.starts_with("PATCH /jobs/") => Some((202, json!({}))),
        line if line.ends_with("/checkpoints") => {
            Some((404, json!({"errors": ["Checkpointing has not been enabled."]})))
        }
        _ => None,
    }
}

/// What the user is allowed to read of a session.
#[derive(Clone, Copy, PartialEq)]
enum Sees {
    All,
    PodsAlone,
}

/// A session that somebody deletes and creates anew once its job is cancelled. REST is reached by the API server's
/// proxy.
fn made_anew(sees: Sees) -> Server {
    Server::answering(cluster(sees, |line| line.starts_with("PATCH ")))
}

/// What the API server of [`made_anew`] answers. The session is another one once REST has answered what `is_last` says.
fn cluster(
    sees: Sees,
    is_last: impl Fn(&str) -> bool + Send + Sync + 'static,
) -> impl Fn(&str) -> Option<Answer> + Send + Sync + 'static {
    let is_new = Mutex::new(false);
    move |line| {
        let mut is_new = is_new.lock().expect("state");
        let (uid, pod, set) = match (*is_new, sees) {
            (false, _) => ("d1", "roc-5d4-a", "r1"),
            (true, Sees::All) => ("d2", "roc-6e5-b", "r2"),
            // Of the same settings: the name of a ReplicaSet follows from its template.
            (true, Sees::PodsAlone) => ("d2", "roc-5d4-b", "r2"),
        };
        let is_seen = ["/pods", "/proxy", "accessreviews"].iter().any(|part| line.contains(part));
        if sees == Sees::PodsAlone && !is_seen {
            return Some(failure(403, "Forbidden", "x is forbidden: User \"me\" cannot get resource \"x\""));
        }
        let list = |items: Value| Some((200, json!({"metadata": {}, "items": items})));
        match line {
            "GET /apis/apps/v1/namespaces/team-a/deployments/roc" => Some((
                200,
                json!({
                "metadata": {"name": "roc", "namespace": "team-a", "uid": uid, "labels": native()},
                "status": {"readyReplicas": 1},
                "spec": {"replicas": 1, "template": {"spec": {"containers": [
                    {"name": "flink-main-container", "args": ["kubernetes-jobmanager.sh kubernetes-session"]}]}}}}),
            )),
            "GET /apis/apps/v1/namespaces/team-a/replicasets" => {
                list(json!([{"metadata": {"name": &pod[..7], "uid": set,
                "ownerReferences": [{"kind": "Deployment", "name": "roc", "uid": uid}]}}]))
            }
            "GET /api/v1/namespaces/team-a/pods" => list(json!([{
                "metadata": {"name": pod, "namespace": "team-a", "uid": pod, "labels": native(),
                    "ownerReferences": [{"kind": "ReplicaSet", "name": &pod[..7], "uid": set}]},
                "spec": {"containers": [{"name": "flink-main-container"}]},
                "status": {"phase": "Running", "containerStatuses": [{"name": "flink-main-container", "ready": true,
                    "state": {"running": {"startedAt": "2026-01-01T00:00:00Z"}}}]}}])),
            line if line.contains("accessreviews") => willing(line),
            line if line.ends_with("/portforward") => {
                Some(failure(403, "Forbidden", "pods/portforward is forbidden"))
            }
            line => {
                let (method, path) = line.split_once(' ')?;
                let path = path.strip_prefix(&format!("/api/v1/namespaces/team-a/pods/{pod}:8081/proxy"))?;
                let line = format!("{method} {path}");
                let answer = rest(&line, if *is_new { NEW } else { OLD });
                *is_new |= is_last(&line);
                answer
            }
        }
    }
}

#[test]
fn the_jobs_of_a_session_that_was_created_anew_are_not_ended_for_the_old_one() {
    let server = made_anew(Sees::All);
    let ended = server.flink(&["delete", "roc", "--yes", "--cancel-jobs"]);
    assert_eq!(ended.code, 1, "{ended}");
    assert!(ended.stderr.contains("session roc was deleted and created anew meanwhile"), "{ended}");
    let writes: Vec<String> = server.writes().into_iter().map(|write| write.line).collect();
    assert_eq!(
        writes,
        [format!("PATCH /api/v1/namespaces/team-a/pods/roc-5d4-a:8081/proxy/jobs/{OLD}")],
        "{ended}"
    );
}

#[test]
fn a_command_that_waits_for_a_job_does_not_take_the_new_session_for_the_old_one() {
    let server = made_anew(Sees::All);
    let ended = server.flink(&["cancel", "roc", OLD]);
    assert_eq!(ended.code, 1, "{ended}");
    assert!(ended.stderr.contains("session roc was deleted and created anew meanwhile"), "{ended}");
}

#[test]
fn a_user_who_sees_pods_alone_is_protected_too() {
    let server = made_anew(Sees::PodsAlone);
    let ended = server.flink(&["cancel", "roc", OLD]);
    assert_eq!(ended.code, 1, "{ended}");
    assert!(ended.stderr.contains("session roc was deleted and created anew meanwhile"), "{ended}");
}

/// Each request of `submit` may be the last one that the old session answers.
#[test]
fn a_program_is_not_submitted_to_a_session_that_was_created_anew() {
    for last in ["GET /overview", "GET /config", "POST /jars/upload", "GET /jobs/overview"] {
        for sees in [Sees::All, Sees::PodsAlone] {
            let server = Server::answering(cluster(sees, move |line| line == last));
            let began = Instant::now();
            let ended = server.flink(&["submit", "roc", PROGRAMS]);
            assert_eq!((ended.code, ended.stdout.as_str()), (1, ""), "{last}: {ended}");
            let told = "session roc was deleted and created anew meanwhile";
            assert!(ended.stderr.contains(told), "{last}: {ended}");
            // The old one does not come back, and is not waited for.
            assert!(began.elapsed() < Duration::from_secs(30), "{last}: {:?}", began.elapsed());
            let to_the_new_one = |line: &String| !line.contains("/pods/roc-5d4-a:8081/");
            let writes = server.writes().into_iter().map(|write| write.line);
            assert_eq!(writes.filter(to_the_new_one).collect::<Vec<_>>(), [""; 0], "{last}: {ended}");
        }
    }
}

/// A session in team-a whose process is `own`, and at the root of the same server REST of a session with the same name
/// whose process is `there`. `seen` is false for a user who can read nothing of the cluster.
fn here_and_there(own: &'static str, there: &'static str, seen: bool) -> Server {
    let settings = |process: &str| {
        let of = [
            ("kubernetes.cluster-id", "roc"),
            ("kubernetes.namespace", "team-a"),
            ("web.tmpdir", process),
            ("execution.checkpointing.savepoint-dir", "s3://b/sp"),
        ];
        json!(of.map(|(key, value)| json!({"key": key, "value": value})))
    };
    let kubernetes = cluster(Sees::All, |_| false);
    Server::answering(move |line| match line {
        "GET /jobmanager/config" => Some((200, settings(there))),
        line if line.ends_with("/proxy/jobmanager/config") && seen => Some((200, settings(own))),
        line if line.contains(" /api/") || line.contains(" /apis/") => match seen {
            true => kubernetes(line),
            false => Some(failure(403, "Forbidden", "x is forbidden: User \"me\" cannot get resource \"x\"")),
        },
        line => rest(line, OLD),
    })
}

#[test]
fn what_changes_something_at_an_address_compares_the_session_first() {
    let changes = [
        &["cancel", "roc", OLD, "--wait=false"][..],
        &["stop", "roc", OLD],
        &["savepoint", "roc", OLD],
        &["submit", "roc", PROGRAMS],
    ];
    let server = here_and_there("/tmp/flink-web-1", "/tmp/flink-web-2", true);
    let at = |server: &Server| format!("http://{}", server.address);
    for words in changes {
        let ended = server.flink(&[words, &["--address", &at(&server)]].concat());
        assert_eq!(ended.code, 4, "{words:?}: {ended}");
        let told = [
            "error: the address is not that of session roc",
            "another process answers there than in pod roc-5d4-a",
        ];
        assert!(told.iter().all(|told| ended.stderr.contains(told)), "{words:?}: {ended}");
    }
    assert!(server.writes().is_empty(), "{:?}", server.writes());
    // The session's own address, and an address without a cluster, are used.
    for server in
        [here_and_there("/tmp/flink-web-1", "/tmp/flink-web-1", true), here_and_there("/a", "/b", false)]
    {
        let ended = server.flink(&[changes[0], &["--address", &at(&server)]].concat());
        assert_eq!(ended.code, 0, "{ended}");
    }
}

#[test]
fn the_web_ui_at_the_address_of_another_session_is_warned_of() {
    let shown = |server: &Server, name: &str| {
        let address = format!("http://{}", server.address);
        let ended = server.flink(&["ui", name, "--address", &address]);
        assert_eq!((ended.code, ended.stdout), (0, format!("{address}/\n")), "{}", ended.stderr);
        ended.stderr
    };
    let warning = |name: &str| format!("Warning: the address is not that of session {name}: ");
    let server = here_and_there("/tmp/flink-web-1", "/tmp/flink-web-2", true);
    // Of the same name in another cluster, and of another name.
    let why = "another process answers there than in pod roc-5d4-a";
    assert!(shown(&server, "roc").starts_with(&(warning("roc") + why)));
    assert!(shown(&server, "shop").starts_with(&(warning("shop") + "kubernetes.cluster-id is roc there\n")));
    assert!(server.writes().is_empty(), "{:?}", server.writes());
    // The session's own address, and an address without a cluster.
    assert_eq!(shown(&here_and_there("/tmp/flink-web-1", "/tmp/flink-web-1", true), "roc"), "");
    assert_eq!(shown(&here_and_there("/a", "/b", false), "roc"), "");
}

#[test]
fn a_stop_that_is_done_is_not_that_of_a_job_that_lives_on() {
    // The job before it had the same id, and its stop is remembered.
    let asked: Mutex<Vec<String>> = Mutex::default();
    let server = Server::answering(move |line| {
        let mut asked = asked.lock().expect("requests");
        let operation = |state: Value| Some((200, state));
        match line {
            line if line.starts_with("GET") && line.contains("/savepoints/") => {
                let id = line.rsplit('/').next().unwrap_or_default().to_owned();
                if asked.is_empty() {
                    asked.push(id.clone());
                }
                match id == asked[0] {
                    true => operation(
                        json!({"status": {"id": "COMPLETED"}, "operation": {"location": "s3://old"}}),
                    ),
                    false if asked.len() > 1 => operation(json!({"status": {"id": "COMPLETED"},
                        "operation": {"failure-cause": {"class": "x", "stack-trace": "x: not this time"}}})),
                    false => {
                        Some((404, json!({"errors": ["There is no savepoint operation with triggerId"]})))
                    }
                }
            }
            line if line.starts_with("POST") && line.ends_with("/stop") => {
                asked.push("stop".to_owned());
                Some((202, json!({"request-id": "1f".repeat(16)})))
            }
            line => rest(line, OLD),
        }
    });
    let url = format!("http://{}", server.address);
    let ended = server.flink(&["stop", "roc", OLD, "--address", &url]);
    assert_eq!((ended.code, ended.stdout.as_str()), (1, ""), "{ended}");
    assert!(ended.stderr.contains("not this time"), "{ended}");
    let stops: Vec<String> = server.writes().into_iter().map(|write| write.line).collect();
    assert_eq!(stops, [format!("POST /jobs/{OLD}/stop")], "{ended}");
}

#[test]
fn the_address_of_another_session_is_warned_of_and_nothing_is_changed_there() {
    let server = Server::answering(|line| match line {
        "GET /jobmanager/config" => Some((200, json!([{"key": "kubernetes.cluster-id", "value": "shop"}]))),
        line => rest(line, OLD),
    });
    let url = format!("http://{}", server.address);
    let why = "the address is not that of session roc";
    let read = server.flink(&["jobs", "roc", "--address", &url]);
    assert_eq!(read.code, 0, "{read}");
    assert!(read.stderr.contains(&format!("Warning: {why}: kubernetes.cluster-id is shop there")), "{read}");
    for words in [&["cancel", "roc", OLD][..], &["stop", "roc", OLD], &["savepoint", "roc", OLD]] {
        let ended = server.flink(&[words, &["--address", &url]].concat());
        assert_eq!(ended.code, 4, "{ended}");
        assert!(ended.stderr.contains(&format!("error: {why}")), "{ended}");
    }
    assert!(server.writes().is_empty(), "{:?}", server.writes());
    assert_eq!(server.flink(&["jobs", "shop", "--address", &url]).stderr, "");
}
