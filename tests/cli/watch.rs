//! `ls -w` against a server that the test plays: each change is told once, whatever becomes of the watch.

use std::io::{BufRead, BufReader};
use std::process::Stdio;
use std::time::Duration;

use serde_json::{Value, json};

use crate::collections::Of::{Deployments, Jobs, Pods, Services};
use crate::collections::{ALL, Asked, Collections, Step, bookmark};
use crate::running::{End, Running};

pub const WATCH: [&str; 3] = ["ls", "-w", "--output-watch-events"];
pub const HEADER: &str = "EVENT NAME READY STATUS VERSION TASKMANAGERS RESTARTS AGE";

/// A session's Deployment as of a version.
pub fn deployment(name: &str, version: u32) -> Value {
    let labels = json!({"app": name, "type": "flink-native-kubernetes", "component": "jobmanager"});
    json!({
        "metadata": {"name": name, "namespace": "team-a", "uid": name, "labels": labels,
            "resourceVersion": version.to_string()},
        "spec": {"replicas": 1, "template": {"spec": {"containers": [
            {"name": "c", "image": "flink:1.20.5", "args": ["kubernetes-jobmanager.sh kubernetes-session"]}]}}},
    })
}

/// The same with a JobManager that is ready.
fn ready(name: &str, version: u32) -> Value {
    let mut deployment = deployment(name, version);
    deployment["status"] = json!({"readyReplicas": 1});
    deployment
}

/// A Job that makes a session.
pub fn bootstrap(session: &str, version: u32) -> Value {
    let mut job = deployment(session, version);
    job["metadata"]["name"] = json!(format!("boot-{session}"));
    job
}

pub fn service(session: &str, version: u32) -> Value {
    json!({"metadata": {"name": format!("{session}-rest"), "namespace": "team-a",
        "labels": {"app": session}, "resourceVersion": version.to_string()}, "spec": {"type": "ClusterIP"}})
}

pub fn pod(name: &str, version: u32) -> Value {
    json!({"metadata": {"name": name, "namespace": "team-a", "resourceVersion": version.to_string()},
        "status": {"phase": "Running"}})
}

pub fn added(object: Value) -> Step {
    Step::Event("ADDED", object)
}

fn modified(object: Value) -> Step {
    Step::Event("MODIFIED", object)
}

fn deleted(object: Value) -> Step {
    Step::Event("DELETED", object)
}

/// The row of a session that [`deployment`] makes.
pub fn row(event: &str, name: &str) -> String {
    format!("{event} {name} 0/1 Creating 1.20.5 0 0 <unknown>")
}

pub fn interrupted() -> End {
    End { code: 130, stdout: Vec::new(), stderr: Vec::new() }
}

/// A server with one session, and `ls -w` that has shown it.
fn showing_one() -> (Collections, Running) {
    let server = Collections::new();
    server.lists(Deployments, [Ok((10, vec![deployment("a", 9)]))]);
    let mut ls = server.run(&WATCH);
    assert_eq!([ls.row(), ls.row()], [HEADER.to_owned(), row("ADDED", "a")]);
    (server, ls)
}

#[test]
fn a_cut_in_the_middle_of_an_event_loses_nothing_and_doubles_nothing() {
    let (server, mut ls) = showing_one();
    server.then(Deployments, [added(deployment("b", 11))]);
    assert_eq!(ls.row(), row("ADDED", "b"));
    server.then(Deployments, [Step::Torn("ADDED", deployment("c", 12)), added(deployment("c", 12))]);
    assert_eq!(ls.row(), row("ADDED", "c"));
    server.then(Deployments, [deleted(deployment("b", 13))]);
    assert_eq!(ls.row(), row("DELETED", "b"));
    assert_eq!(server.watched_from(Deployments), ["10", "11"]);
    assert_eq!(server.asked(Deployments).len(), 3, "one list");
    assert_eq!(ls.interrupt(), interrupted());
}

#[test]
fn a_watch_that_ends_goes_on_from_the_last_bookmark() {
    let server = Collections::new();
    ALL.iter().for_each(|of| server.lists(*of, [Ok((10, Vec::new()))]));
    ALL.iter().for_each(|of| server.then(*of, [bookmark(20), bookmark(30), Step::End]));
    let mut ls = server.run(&WATCH);
    server.until_watched(2);
    ALL.iter().for_each(|of| assert_eq!(server.watched_from(*of), ["10", "30"], "{of:?}"));
    server.then(Deployments, [added(deployment("a", 31))]);
    assert_eq!([ls.row(), ls.row()], [HEADER.to_owned(), row("ADDED", "a")]);
    assert_eq!(ls.interrupt(), interrupted());
}

/// Both ways in which a server says that it does not know the version any more.
#[test]
fn after_an_expired_version_the_differences_are_told() {
    let gone = serde_json::from_str(&crate::collections::failure(410)).expect("status");
    for expires in [vec![Step::End, Step::Refuse(410)], vec![Step::Event("ERROR", gone)]] {
        let server = Collections::new();
        let before = vec![deployment("a", 8), deployment("b", 9)];
        let after = vec![deployment("b", 9), deployment("c", 40)];
        server.lists(Deployments, [Ok((10, before)), Ok((50, after))]);
        let mut ls = server.run(&WATCH);
        assert_eq!([ls.row(), ls.row(), ls.row()], [HEADER.to_owned(), row("ADDED", "a"), row("ADDED", "b")]);
        server.then(Deployments, expires);
        assert_eq!([ls.row(), ls.row()], [row("DELETED", "a"), row("ADDED", "c")]);
        // The watch goes on from the second list, in which `b` was no news.
        server.then(Deployments, [modified(ready("b", 51))]);
        assert_eq!(ls.row(), "MODIFIED b 1/1 Degraded 1.20.5 0 0 <unknown>");
        assert_eq!(server.watched_from(Deployments).last().map(String::as_str), Some("50"));
        assert_eq!(ls.interrupt(), interrupted());
    }
}

#[test]
fn what_is_not_shown_is_not_told() {
    let (server, mut ls) = showing_one();
    let mut labelled = deployment("a", 11);
    labelled["metadata"]["labels"]["tier"] = json!("test");
    // Its row would be in front of the other one.
    server.then(Deployments, [modified(labelled), added(deployment("b", 12))]);
    assert_eq!(ls.row(), row("ADDED", "b"));
    assert_eq!(ls.interrupt(), interrupted());
}

/// The columns come with the first event of a watch only, whatever its kind.
#[test]
fn pods_are_counted_though_there_were_none_and_a_bookmark_came_first() {
    let (server, mut ls) = showing_one();
    let has = |count: usize| format!("MODIFIED a 0/1 Creating 1.20.5 {count} 0 <unknown>");
    server.then(Pods, [bookmark(11), added(pod("a-taskmanager-1-1", 12))]);
    assert_eq!(ls.row(), has(1));
    server.then(Pods, [added(pod("a-taskmanager-1-2", 13))]);
    assert_eq!(ls.row(), has(2));
    server.then(Pods, [deleted(pod("a-taskmanager-1-1", 14))]);
    assert_eq!(ls.row(), has(1));
    assert_eq!(ls.interrupt(), interrupted());
}

#[test]
fn a_session_that_begins_or_ceases_to_match_is_added_or_deleted() {
    let server = Collections::new();
    server.lists(Deployments, [Ok((10, vec![ready("a", 8), deployment("b", 9)]))]);
    server.lists(Services, [Ok((10, vec![service("a", 8), service("b", 9)]))]);
    let mut ls = server.run(&[&WATCH[..], &["--field-selector", "status.phase=Running"]].concat());
    let running = |event: &str, name: &str| format!("{event} {name} 1/1 Running 1.20.5 0 0 <unknown>");
    assert_eq!([ls.row(), ls.row()], [HEADER.to_owned(), running("ADDED", "a")]);
    server.then(Deployments, [modified(ready("b", 11))]);
    assert_eq!(ls.row(), running("ADDED", "b"));
    server.then(Deployments, [modified(deployment("a", 12))]);
    assert_eq!(ls.row(), row("DELETED", "a"));
    // Out of sight, and gone: told once.
    server.then(Deployments, [deleted(deployment("a", 13)), modified(deployment("b", 14))]);
    assert_eq!(ls.row(), row("DELETED", "b"));
    assert_eq!(ls.interrupt(), interrupted());
}

#[test]
fn json_comes_as_events() {
    let server = Collections::new();
    server.lists(Deployments, [Ok((10, vec![deployment("a", 9)]))]);
    let mut ls = server.run(&[&WATCH[..], &["-o", "json"]].concat());
    let mut told = || {
        let mut text = String::new();
        while !text.ends_with("\n}") {
            text = format!("{text}\n{}", ls.line());
        }
        let document: Value = serde_json::from_str(&text).expect("JSON");
        let keys: Vec<&String> = document.as_object().expect("object").keys().collect();
        assert_eq!(keys, ["object", "type"]);
        let object = &document["object"];
        format!("{} {} {}", document["type"], object["kind"], object["metadata"]["name"]).replace('"', "")
    };
    assert_eq!(told(), "ADDED Session a");
    server.then(Deployments, [added(deployment("b", 11))]);
    assert_eq!(told(), "ADDED Session b");
    server.then(Deployments, [deleted(deployment("a", 12))]);
    assert_eq!(told(), "DELETED Session a");
    assert_eq!(ls.interrupt(), interrupted());
}

#[test]
fn names_and_headers_and_the_list_are_as_asked_for() {
    let named: fn(&str) -> String = |name| format!("session/{name}");
    let told: fn(&str) -> String = |name| row("ADDED", name);
    for (words, list, change) in [
        (vec!["ls", "-w", "-o", "name"], vec!["session/a".to_owned()], named),
        ([&WATCH[..], &["--no-headers"]].concat(), vec![row("ADDED", "a")], told),
        (vec!["ls", "--watch-only", "--no-headers", "--output-watch-events"], vec![], told),
        (vec!["ls", "--watch-only", "-o", "name"], vec![], named),
    ] {
        let server = Collections::new();
        server.lists(Deployments, [Ok((10, vec![deployment("a", 9)]))]);
        let mut ls = server.run(&words);
        let shown: Vec<String> = list.iter().map(|_| ls.row()).collect();
        assert_eq!(shown, list, "{words:?}");
        server.until_watched(1);
        // What happens while the list is put together belongs to it.
        let (name, line) = (11..)
            .find_map(|version| {
                let name = format!("b{version}");
                server.then(Deployments, [added(deployment(&name, version))]);
                Some((name, ls.row_within(Duration::from_secs(1))?))
            })
            .expect("a session that is told");
        assert_eq!(line, change(&name), "{words:?}");
        assert_eq!(ls.interrupt(), interrupted(), "{words:?}");
    }
}

#[test]
fn ctrl_c_ends_it_in_silence_while_rest_is_asked_too() {
    let server = Collections::new();
    server.lists(Deployments, [Ok((10, vec![ready("a", 9)]))]);
    server.lists(Pods, [Ok((10, vec![pod("a-65d8f95b64-mnmvt", 9)]))]);
    let ls = server.run(&["ls", "-w", "-o", "json"]);
    server.until_asked_for_rest();
    assert_eq!(ls.interrupt(), interrupted());
}

#[test]
fn a_reader_that_has_gone_ends_it_in_silence() {
    let server = Collections::new();
    server.lists(Deployments, [Ok((10, vec![deployment("a", 9)]))]);
    let mut child =
        server.command(&WATCH).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("program");
    let mut line = String::new();
    BufReader::new(child.stdout.take().expect("stdout")).read_line(&mut line).expect("line");
    assert!(line.starts_with("EVENT"), "{line}");
    server.until_watched(1);
    server.then(Deployments, [added(deployment("b", 11))]);
    let ended = child.wait_with_output().expect("program");
    assert_eq!((ended.status.code(), ended.stderr.as_slice()), (Some(0), &b""[..]));
}

#[test]
fn watches_ask_for_bookmarks_and_an_end_and_for_what_the_lists_asked_for() {
    let server = Collections::new();
    let words = ["-l", "team=a", "--request-timeout=1s"];
    let ls = server.run(&[&WATCH[..], &words].concat());
    server.until_watched(1);
    for of in ALL {
        let asked = server.asked(of);
        let [list, watch] = asked.as_slice() else { panic!("{asked:?}") };
        assert!(!list.is_watch(), "{asked:?}");
        assert_eq!(watch.parameter("allowWatchBookmarks"), "true");
        assert!(
            watch.parameter("timeoutSeconds").parse::<u32>().is_ok_and(|seconds| seconds >= 60),
            "{watch:?}"
        );
        assert_eq!(watch.parameter("timeout"), "");
        let selectors = |asked: &Asked| {
            (asked.parameter("labelSelector").to_owned(), asked.parameter("fieldSelector").to_owned())
        };
        assert_eq!(selectors(watch), selectors(list));
        let narrowed = selectors(watch).0.contains("team%3Da");
        // What belongs to a session that is chosen has labels of its own.
        assert_eq!(narrowed, matches!(of, Deployments | Jobs), "{watch:?}");
        assert!(selectors(watch).0.contains("flink"), "{watch:?}");
    }
    assert_eq!(ls.interrupt(), interrupted());
}
