//! One session, one word: every command is run against the same played cluster, and they must agree on what the
//! name stands for.
//!
//! The server keeps objects and applies label selectors, as the real one does: what a list leaves out is what this
//! is about.

use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use crate::process::Ended;
use crate::server::{Answer, Server, failure};

pub const NATIVE: &str = "flink-native-kubernetes";

/// An object and the path of its collection.
pub type Object = (&'static str, Value);

pub const DEPLOYMENTS: &str = "/apis/apps/v1/namespaces/team-a/deployments";
pub const SETS: &str = "/apis/apps/v1/namespaces/team-a/replicasets";
pub const JOBS: &str = "/apis/batch/v1/namespaces/team-a/jobs";
pub const SERVICES: &str = "/api/v1/namespaces/team-a/services";
pub const CONFIG_MAPS: &str = "/api/v1/namespaces/team-a/configmaps";
pub const PODS: &str = "/api/v1/namespaces/team-a/pods";

const CREATED: &str = "2026-01-01T00:00:00Z";

pub fn jobmanagers() -> Value {
    json!({"app": "roc", "type": NATIVE, "component": "jobmanager"})
}

fn parts() -> Value {
    json!({"app": "roc", "type": NATIVE})
}

pub fn owned_by(kind: &str, name: &str, uid: &str) -> Value {
    json!([{"kind": kind, "name": name, "uid": uid}])
}

pub fn deployment(runs: &str) -> Value {
    json!({
        "metadata": {"name": "roc", "namespace": "team-a", "uid": "d1", "labels": jobmanagers(), "creationTimestamp": CREATED},
        "spec": {"replicas": 1, "selector": {"matchLabels": jobmanagers()}, "template": {"spec": {"containers": [
            {"name": "flink-main-container", "image": "flink:2.3.0", "args": ["bash", "-c", runs]}]}}},
        "status": {"readyReplicas": 1},
    })
}

pub fn service(name: &str) -> Value {
    json!({
        "metadata": {"name": name, "namespace": "team-a", "uid": name, "labels": parts(),
            "creationTimestamp": CREATED, "ownerReferences": owned_by("Deployment", "roc", "d1")},
        "spec": {"type": "ClusterIP", "selector": jobmanagers(), "ports": [{"name": "rest", "port": 8081}]},
    })
}

pub fn pod(name: &str, owner: Value) -> Value {
    let mut labels = jobmanagers();
    labels["pod-template-hash"] = "5d4".into();
    json!({
        "metadata": {"name": name, "namespace": "team-a", "uid": name, "labels": labels, "creationTimestamp": CREATED,
            "ownerReferences": owner},
        "spec": {"containers": [{"name": "flink-main-container", "ports": [{"name": "rest", "containerPort": 8081}]}]},
        "status": {"phase": "Running", "containerStatuses": [
            {"name": "flink-main-container", "ready": true, "state": {"running": {"startedAt": CREATED}}}]},
    })
}

pub fn bootstrap(conditions: Value) -> Object {
    let labels = json!({"app": "roc", "app.kubernetes.io/managed-by": "kubectl-flink",
        "app.kubernetes.io/component": "bootstrap"});
    let job = json!({
        "metadata": {"name": "boot-roc", "namespace": "team-a", "uid": "j1", "labels": labels, "creationTimestamp": CREATED},
        "spec": {"template": {"spec": {"containers": [{"name": "client", "image": "flink:2.3.0"}]}}},
        "status": {"conditions": conditions},
    });
    (JOBS, job)
}

/// A session as Flink 2.3 makes it.
pub fn session() -> Vec<Object> {
    let set = json!({"metadata": {"name": "roc-5d4", "uid": "r1", "creationTimestamp": CREATED,
        "labels": {"app": "roc", "type": NATIVE, "component": "jobmanager", "pod-template-hash": "5d4"},
        "ownerReferences": owned_by("Deployment", "roc", "d1")}});
    let config = json!({"metadata": {"name": "flink-config-roc", "namespace": "team-a", "uid": "c1", "labels": parts(),
        "ownerReferences": owned_by("Deployment", "roc", "d1")}, "data": {"flink-conf.yaml": "rest.port: 8081\n"}});
    vec![
        (DEPLOYMENTS, deployment("kubernetes-jobmanager.sh kubernetes-session")),
        (SETS, set),
        (SERVICES, service("roc")),
        (SERVICES, service("roc-rest")),
        (CONFIG_MAPS, config),
        (PODS, pod("roc-5d4-own", owned_by("ReplicaSet", "roc-5d4", "r1"))),
        bootstrap(json!([{"type": "Complete", "status": "True"}])),
    ]
}

/// A session of Flink 1.10: one Service, which nobody owns.
fn session_of_1_10() -> Vec<Object> {
    let mut all = session();
    all.retain(|(_, object)| object["metadata"]["name"] != "roc-rest");
    let runs = "java org.apache.flink.kubernetes.entrypoint.KubernetesSessionClusterEntrypoint";
    all[0].1["spec"]["template"]["spec"]["containers"][0]["args"] = json!([runs]);
    change(&mut all, "roc", SERVICES, |service| {
        service["metadata"]["ownerReferences"] = json!([]);
        service["spec"]["ports"] = json!([{"name": "rest-port", "port": 8081}]);
    });
    change(&mut all, "flink-config-roc", CONFIG_MAPS, |config| {
        config["metadata"]["ownerReferences"] = owned_by("service", "roc", "roc");
    });
    all
}

pub fn change(all: &mut [Object], name: &str, of: &str, change: impl Fn(&mut Value)) {
    let found = all.iter_mut().find(|(kind, object)| *kind == of && object["metadata"]["name"] == name);
    change(&mut found.expect("object").1);
}

/// `session` with one label of an object changed, or removed.
fn relabelled(mut session: Vec<Object>, of: &str, name: &str, key: &str, to: Option<&str>) -> Vec<Object> {
    change(&mut session, name, of, |object| {
        let labels = object["metadata"]["labels"].as_object_mut().expect("labels");
        match to {
            Some(to) => drop(labels.insert(key.to_owned(), to.into())),
            None => drop(labels.remove(key)),
        }
    });
    session
}

/// The session's JobManager pod has lost its label `key`, so that its ReplicaSet has made another one.
fn released(key: &str) -> Vec<Object> {
    let mut session = relabelled(session(), PODS, "roc-5d4-own", key, Some("x"));
    change(&mut session, "roc-5d4-own", PODS, |pod| pod["metadata"]["ownerReferences"] = json!([]));
    let mut another = pod("roc-5d4-new", owned_by("ReplicaSet", "roc-5d4", "r1"));
    another["metadata"]["creationTimestamp"] = "2026-01-01T01:00:00Z".into();
    session.push((PODS, another));
    session
}

fn selects(query: &str, object: &Value) -> bool {
    let Some((_, query)) = query.split_once("labelSelector=") else { return true };
    let selector = unescaped(query.split('&').next().unwrap_or_default());
    let label = |key: &str| object["metadata"]["labels"][key].as_str().unwrap_or_default().to_owned();
    let mut rest = selector.as_str();
    while !rest.is_empty() {
        let (term, more) = match rest.find(" in (") {
            Some(start) if !rest[..start].contains(',') => {
                let end = rest.find(')').expect("closed") + 1;
                (&rest[..end], rest[end..].trim_start_matches(','))
            }
            _ => rest.split_once(',').unwrap_or((rest, "")),
        };
        rest = more;
        let is_met = if let Some((key, values)) = term.split_once(" in (") {
            values.trim_end_matches(')').split(',').any(|value| label(key) == value)
        } else if let Some((key, value)) = term.split_once("!=") {
            label(key) != value
        } else {
            let (key, value) = term.split_once('=').expect("term");
            label(key) == value
        };
        if !is_met {
            return false;
        }
    }
    true
}

fn unescaped(text: &str) -> String {
    let mut parts = text.split('%');
    let mut plain = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        plain.push(char::from(u8::from_str_radix(&part[..2], 16).expect("two digits")));
        plain.push_str(&part[2..]);
    }
    plain
}

/// A list as objects and as a table.
fn list(path: &str, objects: &[Value]) -> Value {
    let (columns, row): (Value, fn(&Value) -> Value) = match path {
        PODS => (
            json!([{"name": "Name"}, {"name": "Ready"}, {"name": "Status"}, {"name": "Restarts"}]),
            |pod| json!({"cells": [pod["metadata"]["name"], "1/1", "Running", "0"]}),
        ),
        _ => (
            json!([{"name": "Name"}, {"name": "Type"}]),
            |service| json!({"cells": [service["metadata"]["name"], "ClusterIP"]}),
        ),
    };
    json!({"metadata": {}, "items": objects, "columnDefinitions": columns,
        "rows": objects.iter().map(row).collect::<Vec<_>>()})
}

pub fn answer(objects: &[Object], line: &str, query: &str) -> Option<Answer> {
    let (method, path) = line.split_once(' ')?;
    if path.contains("accessreviews") {
        return Some((201, json!({"metadata": {}, "spec": {}, "status": {"allowed": true}})));
    }
    if method != "GET" {
        return None;
    }
    if path.ends_with("/portforward") {
        return Some(failure(403, "Forbidden", "pods/portforward is forbidden"));
    }
    if let Some((_, path)) = path.split_once(":8081/proxy") {
        return Some((200, rest(path)?));
    }
    let of = |path: &str| -> Vec<Value> {
        objects.iter().filter(|(kind, _)| *kind == path).map(|(_, object)| object.clone()).collect()
    };
    let (collection, name) = path.rsplit_once('/')?;
    if [DEPLOYMENTS, SETS, JOBS, SERVICES, CONFIG_MAPS, PODS].contains(&path) {
        let mut found = of(path);
        found.retain(|object| selects(query, object));
        if let Some((_, named)) = unescaped(query).split_once("metadata.name=") {
            found.retain(|object| object["metadata"]["name"] == named.split('&').next().unwrap_or_default());
        }
        return Some((200, list(path, &found)));
    }
    let found = of(collection).into_iter().find(|object| object["metadata"]["name"] == name)?;
    Some((200, found))
}

fn rest(path: &str) -> Option<Value> {
    Some(match path {
        "/overview" => json!({"taskmanagers": 0, "slots-total": 0, "slots-available": 0, "jobs-running": 0,
            "jobs-finished": 0, "jobs-cancelled": 0, "jobs-failed": 0, "flink-version": "2.3.0", "flink-commit": "x"}),
        "/jobs/overview" | "/jobs" => json!({"jobs": []}),
        "/jobmanager/thread-dump" => json!({"threadInfos": []}),
        "/jobmanager/config" | "/jobmanager/metrics" => json!([]),
        _ => return None,
    })
}

/// Runs a command against the played cluster, which it must not change.
fn run(objects: &[Object], words: &[&str]) -> Ended {
    let objects = objects.to_vec();
    let server = Server::answering_queries(move |line, query| answer(&objects, line, query));
    let ended = server.flink(words);
    if !words.contains(&"--yes") || ended.code == 4 {
        assert!(server.writes().is_empty(), "{words:?}: {:?}", server.writes());
    }
    ended
}

const JAR: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/e2e/job/sleep.jar");

/// The commands that call the session's REST API.
const OF_REST: [&[&str]; 6] = [
    &["jobs", "roc"],
    &["submit", "roc", JAR],
    &["cancel", "roc", "--all"],
    &["stop", "roc", "--all"],
    &["savepoint", "roc", "--all"],
    &["ui", "roc"],
];

const DELETE: &[&str] = &["delete", "roc", "--yes"];
const RESTART: &[&str] = &["restart", "roc", "--wait=false"];
const CREATE: &[&str] = &["create", "roc", "--rbac=none"];

/// `ls` and `status` give the session this STATUS, whatever the form.
fn is_shown_as(objects: &[Object], status: &str) {
    for words in [&["ls"][..], &["ls", "roc"], &["ls", "-o", "wide"]] {
        let ended = run(objects, words);
        let row: Vec<&str> = ended.stdout.lines().nth(1).unwrap_or_default().split_whitespace().collect();
        assert_eq!(row.get(..3).map(|row| (row[0], row[2])), Some(("roc", status)), "{words:?}: {ended}");
        assert_eq!((ended.stdout.lines().count(), ended.code), (2, 0), "{words:?}: {ended}");
    }
    for words in [&["status", "roc"][..], &["status"]] {
        let ended = run(objects, words);
        let verdict = ended.stdout.lines().next().unwrap_or_default().to_owned();
        assert!(verdict.starts_with(&format!("Session roc is {status}")), "{words:?}: {ended}");
    }
    let json = run(objects, &["status", "roc", "-o", "jsonpath={.status.phase}"]);
    assert_eq!(json.stdout, status, "{json}");
}

/// Each of the commands ends with this code and says this.
fn say(objects: &[Object], commands: &[&[&str]], code: i32, sentences: &[&str]) {
    for words in commands {
        let ended = run(objects, words);
        assert_eq!((ended.code, ended.stdout.as_str()), (code, ""), "{words:?}: {ended}");
        for sentence in sentences {
            assert!(ended.stderr.contains(sentence), "{words:?}: {sentence:?} is not in\n{ended}");
        }
    }
}

fn nothing_is_left_over(objects: &[Object]) {
    let ended = run(objects, &["gc", "--older-than", "0s"]);
    assert_eq!((ended.code, ended.stdout.as_str()), (0, ""), "{ended}");
}

const AND_RESTART: [&[&str]; 7] =
    [OF_REST[0], OF_REST[1], OF_REST[2], OF_REST[3], OF_REST[4], OF_REST[5], RESTART];

#[test]
fn a_paused_deployment_is_not_restarted_in_vain() {
    let mut objects = session();
    objects[0].1["spec"]["paused"] = true.into();
    let told = [
        "error: deployment.apps/roc is paused: it would not start a new JobManager",
        "hint: kubectl rollout resume -n team-a deployment/roc; then run the same restart command again",
    ];
    say(&objects, &[RESTART, &["restart", "roc", "--force"]], 1, &told);
    objects[0].1["spec"]["paused"] = false.into();
    assert!(!run(&objects, &["restart", "roc", "--yes", "--wait=false"]).stderr.contains("paused"));
}

#[test]
fn a_bootstrap_that_failed_is_named_by_every_command() {
    let failed =
        json!([{"type": "Failed", "status": "True", "reason": "BackoffLimitExceeded", "message": "reached"}]);
    let objects = vec![bootstrap(failed)];
    is_shown_as(&objects, "BootstrapFailed");
    let why = [
        "error: the bootstrap of session roc failed",
        "because: Flink's client in job.batch/boot-roc failed",
        "because: BackoffLimitExceeded: reached",
        "hint: kubectl logs -n team-a job/boot-roc",
    ];
    say(&objects, &AND_RESTART, 1, &why);
    let status = run(&objects, &["status", "roc"]);
    for sentence in
        ["Flink's client in job.batch/boot-roc failed", "fix: kubectl logs -n team-a job/boot-roc"]
    {
        assert!(status.stdout.contains(sentence), "{status}");
    }
    // A Service that its client has made does not change what it is.
    let half_made = [objects, vec![(SERVICES, service("roc"))]].concat();
    is_shown_as(&half_made, "BootstrapFailed");
    say(&half_made, &AND_RESTART, 1, &why);
}

#[test]
fn a_session_that_is_being_created_is_waited_for() {
    let objects = vec![bootstrap(json!([]))];
    is_shown_as(&objects, "Creating");
    let sentences =
        ["error: session roc is still being created", "hint: kubectl flink status roc -n team-a --wait"];
    say(&objects, &AND_RESTART, 1, &sentences);
    nothing_is_left_over(&objects);
}

#[test]
fn a_session_that_is_stopped_is_named_by_every_command() {
    let mut objects = session();
    objects.retain(|(kind, _)| *kind != PODS);
    change(&mut objects, "roc", DEPLOYMENTS, |deployment| {
        deployment["spec"]["replicas"] = 0.into();
        deployment["status"] = json!({});
    });
    is_shown_as(&objects, "Stopped");
    let sentences =
        ["error: session roc is stopped", "hint: kubectl scale -n team-a deployment/roc --replicas=1"];
    say(&objects, &AND_RESTART, 1, &sentences);
    nothing_is_left_over(&objects);
}

#[test]
fn a_session_that_is_being_deleted_is_named_by_every_command() {
    let mut objects = session();
    objects.retain(|(kind, _)| *kind != PODS);
    change(&mut objects, "roc", DEPLOYMENTS, |deployment| {
        deployment["metadata"]["deletionTimestamp"] = "2026-01-01T02:00:00Z".into();
    });
    let sentences =
        ["error: session roc is being deleted", "kubectl flink ls -n team-a -w shows when it is gone"];
    is_shown_as(&objects, "Terminating");
    say(&objects, &AND_RESTART, 1, &sentences);
    // What the garbage collector has not reached yet.
    let last = vec![(SERVICES, service("roc-rest"))];
    is_shown_as(&last, "Terminating");
    say(&last, &AND_RESTART, 1, &sentences);
}

#[test]
fn leftovers_are_named_by_every_command() {
    let mut left = service("roc");
    left["metadata"]["ownerReferences"] = json!([]);
    let objects = vec![(SERVICES, left)];
    is_shown_as(&objects, "Orphaned");
    let sentences = [
        "error: session roc is gone, and only leftovers of it remain",
        "hint: kubectl flink delete roc -n team-a",
    ];
    say(&objects, &AND_RESTART, 1, &sentences);
    let status = run(&objects, &["status", "roc"]);
    let problem = "session roc is gone, and only leftovers of it remain (orphaned)";
    assert!(status.stdout.contains(problem), "{status}");
    assert!(status.stdout.contains("fix: kubectl flink delete roc -n team-a"), "{status}");
    say(
        &objects,
        &[CREATE],
        4,
        &["service/roc in namespace team-a is what is left", "hint: kubectl flink delete roc"],
    );
    let gc = run(&objects, &["gc", "--older-than", "0s"]);
    assert!(gc.stdout.contains("Service of a session that is gone"), "{gc}");
}

#[test]
fn what_is_not_a_session_is_named_by_every_command() {
    let read = [&["ls", "roc"][..], &["status", "roc"], &["status", "roc", "--wait"]];
    let foreign = vec![(DEPLOYMENTS, deployment("nginx"))];
    let sentence = ["deployment.apps/roc in namespace team-a is not a Flink session"];
    say(&foreign, &read, 1, &sentence);
    say(&foreign, &OF_REST, 1, &sentence);
    say(&foreign, &[DELETE, RESTART], 4, &sentence);
    say(&foreign, &[CREATE], 4, &["deployment.apps/roc in namespace team-a would be overwritten"]);

    let application = vec![(DEPLOYMENTS, deployment("kubernetes-jobmanager.sh kubernetes-application"))];
    let sentence = ["roc in namespace team-a is a Flink application cluster, not a session"];
    say(&application, &read[..2], 1, &sentence);
    say(&application, &[DELETE, RESTART], 4, &sentence);
    say(&application, &[CREATE], 4, &["roc is a Flink application cluster in namespace team-a"]);

    let nothing = ["error: there is no session roc in namespace team-a"];
    for objects in [Vec::new(), vec![bootstrap(json!([{"type": "Complete", "status": "True"}]))]] {
        say(&objects, &read[..2], 1, &nothing);
        say(&objects, &AND_RESTART, 1, &nothing);
    }
}

/// Reading goes on, with a warning; what would end the session refuses. All name the repair.
fn is_named_as_relabelled(objects: &[Object], change: &str, repair: &str) {
    is_shown_as(objects, "Running");
    let status = run(objects, &["status", "roc"]);
    assert!(status.stdout.contains(&format!("{change} (labels-changed)")), "{status}");
    assert!(status.stdout.contains(&format!("fix: {repair}")), "{status}");
    for words in [DELETE, RESTART, &["delete", "roc", "--yes", "--force"]] {
        say(objects, &[words], 4, &[&format!("because: {change}"), &format!("hint: {repair}")]);
    }
    let created = run(objects, CREATE);
    let exists = "error: session roc exists already in namespace team-a";
    assert!(created.code == 1 && created.stderr.contains(exists), "{created}");
    assert!(created.stderr.contains(change) && created.stderr.contains(repair), "{created}");
    let jobs = run(objects, &["jobs", "roc"]);
    assert_eq!(jobs.code, 0, "{jobs}");
    assert!(jobs.stderr.contains("No running jobs on session roc"), "{jobs}");
    nothing_is_left_over(objects);
}

#[test]
fn labels_that_were_changed_on_the_deployment_are_named_by_every_command() {
    for (key, was) in [("app", "roc"), ("type", NATIVE), ("component", "jobmanager")] {
        for to in [Some("x"), None] {
            let told = match to {
                Some(to) => format!("{key} is {to:?} instead of {was}"),
                None => format!("{key}={was} is missing"),
            };
            let change = format!("labels of deployment.apps/roc of session roc were changed: {told}");
            let repair = format!("kubectl label -n team-a deployment/roc --overwrite {key}={was}");
            for session in [session(), session_of_1_10()] {
                let objects = relabelled(session, DEPLOYMENTS, "roc", key, to);
                is_named_as_relabelled(&objects, &change, &repair);
                for words in [&["ls"][..], &["jobs", "roc"], &["cancel", "roc", "--all"]] {
                    let ended = run(&objects, words);
                    assert!(ended.stderr.contains(&format!("Warning: {change}")), "{words:?}: {ended}");
                    assert!(ended.stderr.contains(&repair), "{words:?}: {ended}");
                }
            }
        }
    }
}

#[test]
fn labels_that_were_changed_on_a_service_or_the_configuration_hide_nothing() {
    let of = [
        (SERVICES, "roc-rest", "service"),
        (SERVICES, "roc", "service"),
        (CONFIG_MAPS, "flink-config-roc", "configmap"),
    ];
    for (collection, name, kind) in of {
        for (key, was) in [("app", "roc"), ("type", NATIVE)] {
            let change =
                format!("labels of {kind}/{name} of session roc were changed: {key}={was} is missing");
            let repair = format!("kubectl label -n team-a {kind}/{name} --overwrite {key}={was}");
            is_named_as_relabelled(&relabelled(session(), collection, name, key, None), &change, &repair);
            if name != "roc-rest" {
                let old = relabelled(session_of_1_10(), collection, name, key, None);
                is_named_as_relabelled(&old, &change, &repair);
            }
        }
    }
}

#[test]
fn a_jobmanager_that_its_replica_set_has_let_go_is_not_forgotten() {
    for key in ["app", "type", "component"] {
        let change =
            format!("labels of pod/roc-5d4-own of session roc were changed: {key} is \"x\" instead of");
        let objects = released(key);
        let status = run(&objects, &["status", "roc"]);
        assert!(status.stdout.contains(&change), "{key}: {status}");
        for words in [DELETE, RESTART] {
            let repair = format!("hint: kubectl label -n team-a pod/roc-5d4-own --overwrite {key}=");
            say(&objects, &[words], 4, &[&format!("because: {change}"), &repair]);
        }
        let jobs = run(&objects, &["jobs", "roc"]);
        assert!(jobs.code == 0 && jobs.stderr.contains(&change), "{key}: {jobs}");
    }
}

#[test]
fn labels_of_a_session_on_other_objects_make_no_session() {
    let mut stranger = service("shop");
    stranger["metadata"]["ownerReferences"] = json!([]);
    let objects = vec![(SERVICES, stranger)];
    for words in [&["ls", "-o", "wide"][..], &["ls"]] {
        let ended = run(&objects, words);
        assert_eq!(ended.stdout, "", "{words:?}: {ended}");
    }
    // Two sessions do not become three by a label.
    let objects = relabelled(session(), SERVICES, "roc-rest", "app", Some("other"));
    let ended = run(&objects, &["ls", "-o", "name"]);
    assert_eq!(ended.stdout, "session/roc\n");
    assert_eq!(run(&objects, &["ls", "other"]).code, 1);
}

#[test]
fn more_sessions_than_are_read_one_by_one_are_not_taken_for_leftovers() {
    let mut objects: Vec<Object> = Vec::new();
    for number in 0..60 {
        let name = format!("s{number}");
        let rename = |mut object: Value, of: String| {
            let text = object.to_string().replace("\"roc\"", &format!("{name:?}"));
            object = serde_json::from_str(&text).expect("json");
            object["metadata"]["name"] = of.into();
            object
        };
        let mut deployment = rename(deployment("kubernetes-session"), name.clone());
        deployment["metadata"]["labels"] = json!({});
        objects.push((DEPLOYMENTS, deployment));
        objects.push((SERVICES, rename(service("roc-rest"), format!("{name}-rest"))));
    }
    let asked = Arc::new(Mutex::new(0));
    let count = Arc::clone(&asked);
    let server = Server::answering_queries(move |line, query| {
        *count.lock().expect("count") += 1;
        answer(&objects, line, query)
    });
    let ended = server.flink(&["ls"]);
    assert_eq!(ended.stdout.matches("Running").count(), 60, "{ended}");
    let asked = *asked.lock().expect("count");
    assert!(asked < 10, "{asked} requests");
}
