//! `gc` against a server that the test plays: what is left over, what may not be told, what is removed.

use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};

use crate::schema::holds;
use crate::server::{Answer, Server, failure};

const LONG_AGO: &str = "2020-01-01T00:00:00Z";

/// Ahead of any clock.
const JUST_NOW: &str = "2100-01-01T00:00:00Z";

const DEPLOYMENTS: &str = "GET /apis/apps/v1/namespaces/team-a/deployments";
const JOBS: &str = "GET /apis/batch/v1/namespaces/team-a/jobs";
const CONFIG_MAPS: &str = "GET /api/v1/namespaces/team-a/configmaps";
const SERVICES: &str = "GET /api/v1/namespaces/team-a/services";
const PODS: &str = "GET /api/v1/namespaces/team-a/pods";
const GROUP: &str = "GET /apis/flink.apache.org";
const OPERATED: &str = "GET /apis/flink.apache.org/v1beta1/namespaces/team-a/flinkdeployments";

fn list(items: &[Value]) -> Answer {
    (200, json!({"items": items}))
}

/// An object of session roc that Flink made and nobody has touched for years.
fn flinks(name: &str) -> Value {
    json!({"metadata": {"name": name, "namespace": "team-a", "uid": format!("uid-{name}"),
        "resourceVersion": format!("version-{name}"), "creationTimestamp": LONG_AGO,
        "labels": {"app": "roc", "type": "flink-native-kubernetes"}}})
}

/// As 1.10 has it.
fn owned(mut object: Value) -> Value {
    object["metadata"]["ownerReferences"] =
        json!([{"apiVersion": "v1", "kind": "service", "name": "roc", "uid": "s1"}]);
    object
}

fn state(name: &str, keys: &[&str]) -> Value {
    let mut config_map = flinks(name);
    config_map["data"] = keys.iter().map(|key| ((*key).to_owned(), json!("x"))).collect();
    config_map
}

/// A Job that runs Flink's client, by hand, for `session`; with how it ended.
fn job(name: &str, session: &str, ended: Option<&str>) -> Value {
    let ended = ended.map(|ended| {
        json!({"type": ended, "status": "True", "reason": "DeadlineExceeded", "lastTransitionTime": LONG_AGO})
    });
    let client = format!("./bin/kubernetes-session.sh -Dkubernetes.cluster-id={session}");
    json!({"metadata": {"name": name, "namespace": "team-a", "uid": format!("uid-{name}"),
            "resourceVersion": format!("version-{name}"), "creationTimestamp": LONG_AGO},
        "spec": {"template": {"spec": {"containers": [{"command": ["bash", "-c"], "args": [client]}]}}},
        "status": {"conditions": ended.into_iter().collect::<Vec<_>>()}})
}

/// The same, made by the plugin.
fn own_job(session: &str, ended: Option<&str>) -> Value {
    let mut job = job(&format!("boot-{session}"), session, ended);
    job["metadata"]["labels"] = json!({"app": session, "app.kubernetes.io/managed-by": "kubectl-flink",
        "app.kubernetes.io/component": "bootstrap"});
    job["spec"]["template"]["spec"]["containers"] = json!([]);
    job
}

fn sql(name: &str, phase: &str) -> Value {
    let mut pod = flinks(name);
    pod["metadata"]["labels"] = json!({"app": "roc"});
    pod["spec"] = json!({});
    pod["status"] = json!({"phase": phase, "containerStatuses":
        [{"state": {"terminated": {"exitCode": 0, "finishedAt": LONG_AGO}}}]});
    pod
}

fn forbidden(resource: &str) -> Answer {
    failure(403, "Forbidden", &format!("{resource} is forbidden: User \"me\" cannot list resource"))
}

/// A namespace in which session roc is dead and has left one of each kind, and what does not count.
fn left(line: &str, query: &str) -> Option<Answer> {
    match line {
        SERVICES => Some(list(&[owned(flinks("roc-rest")), flinks("roc-of-a-person")])),
        CONFIG_MAPS => Some(list(&[
            owned(flinks("flink-config-roc")),
            state("roc-cluster-config-map", &["org.apache.flink.k8s.leader.dispatcher"]),
            state("roc-of-a-person", &["key"]),
        ])),
        PODS if query.contains("component%3Dtaskmanager") => {
            let mut leaving = owned(flinks("roc-taskmanager-1-2"));
            leaving["metadata"]["deletionTimestamp"] = LONG_AGO.into();
            Some(list(&[owned(flinks("roc-taskmanager-1-1")), leaving]))
        }
        PODS if query.contains("component%3Dsql") => {
            Some(list(&[sql("sql-roc-1", "Failed"), sql("sql-roc-2", "Running")]))
        }
        JOBS => Some(list(&[
            own_job("roc", Some("Failed")),
            job("boot-by-hand", "by-hand", Some("Complete")),
            job("boot-this", "that", Some("Complete")),
        ])),
        line if line.starts_with("DELETE ") => Some((200, json!({}))),
        // In plain text, which is no Status.
        GROUP => Some((404, json!("404 page not found"))),
        _ => None,
    }
}

fn a_dead_session() -> Server {
    Server::answering_queries(left)
}

/// The objects are years old; how many is not the test's business.
fn without_ages(text: &str) -> String {
    let years = |word: &str| word.ends_with(['y', 'd']) && word.starts_with(|c: char| c.is_ascii_digit());
    let line = |line: &str| {
        let words = line.split_whitespace().map(|word| if years(word) { "AGED" } else { word });
        words.collect::<Vec<_>>().join(" ")
    };
    text.lines().map(line).collect::<Vec<_>>().join("\n")
}

#[test]
fn what_a_dead_session_left_is_listed_and_nothing_written() {
    let server = a_dead_session();
    let told = |words: &[&str]| without_ages(&server.flink(words).to_string());
    insta::assert_snapshot!([told(&["gc"]), told(&["gc", "--no-headers", "-o", "name"])].join("\n"));
    assert!(server.writes().is_empty(), "{:?}", server.writes());
    let printed = holds(&server.flink(&["gc", "-o", "json"]).stdout, "FlinkLeftOverList");
    assert_eq!(printed["items"][1]["object"], "job.batch/boot-roc");
    assert_eq!(printed["items"][1]["status"]["touchedAt"], LONG_AGO);
}

#[test]
fn what_may_be_left_over_is_asked_for_before_what_lives() {
    let server = a_dead_session();
    server.flink(&["gc"]);
    let asked = server.asked();
    let at = |line: &str| asked.iter().position(|other| other == line).expect(line);
    assert!(at(SERVICES).max(at(CONFIG_MAPS)) < at(JOBS) && at(JOBS) < at(DEPLOYMENTS), "{asked:?}");
    assert_eq!(asked.len(), 10, "one list of each: {asked:?}");
    // Where there is nothing, nobody needs to know what lives.
    let server = Server::answering(|_| None);
    insta::assert_snapshot!(server.flink(&["gc"]), @"
    exit 0
    --- stdout
    --- stderr
    Nothing left over in team-a namespace.
    ");
    assert_eq!(server.asked().len(), 7);
    assert_eq!(server.flink(&["gc", "-A"]).stderr, "Nothing left over.\n");
    assert_eq!(holds(&server.flink(&["gc", "-o", "json"]).stdout, "FlinkLeftOverList")["items"], json!([]));
    assert_eq!(server.flink(&["gc", "--yes"]).code, 0);
}

#[test]
fn all_is_removed_as_it_was_looked_at() {
    let server = a_dead_session();
    insta::assert_snapshot!(server.flink(&["gc", "--yes"]));
    let writes = server.writes();
    let deleted: Vec<&str> = writes.iter().map(|write| write.line.as_str()).collect();
    insta::assert_snapshot!(deleted.join("\n"), @"
    DELETE /apis/batch/v1/namespaces/team-a/jobs/boot-by-hand
    DELETE /apis/batch/v1/namespaces/team-a/jobs/boot-roc
    DELETE /api/v1/namespaces/team-a/services/roc-rest
    DELETE /api/v1/namespaces/team-a/configmaps/flink-config-roc
    DELETE /api/v1/namespaces/team-a/configmaps/roc-cluster-config-map
    DELETE /api/v1/namespaces/team-a/pods/roc-taskmanager-1-1
    DELETE /api/v1/namespaces/team-a/pods/sql-roc-1
    ");
    for write in &writes {
        let name = write.line.rsplit('/').next().expect("name");
        let exactly = json!({"uid": format!("uid-{name}"), "resourceVersion": format!("version-{name}")});
        assert_eq!(write.body["preconditions"], exactly);
        assert_eq!(write.body["propagationPolicy"], "Background");
    }
    // Each session is looked at again before each of its objects goes; SQL pods are of no session.
    assert_eq!(server.asked().iter().filter(|line| *line == DEPLOYMENTS).count(), 1 + 6);
    let queries = server.queries(DEPLOYMENTS);
    assert!(queries.iter().any(|query| query.contains("metadata.name%3Droc")), "{queries:?}");
}

#[test]
fn a_dry_run_removes_nothing() {
    let server = a_dead_session();
    let told = ["--dry-run=client", "--dry-run=server"].map(|mode| server.flink(&["gc", mode]).to_string());
    insta::assert_snapshot!(told.join("\n"));
    assert_eq!(server.flink(&["gc", "--dry-run", "-o", "name"]).stdout.lines().count(), 7);
    assert!(server.writes().is_empty(), "{:?}", server.writes());
    for words in [&["gc", "--yes", "-o", "json"][..], &["gc", "--older-than", "soon"]] {
        let ended = server.flink(words);
        assert_eq!((ended.code, ended.stdout.as_str()), (1, ""), "{words:?}");
    }
}

/// What the namespace of a dead session tells with `more` in it.
fn with(more: impl Fn(&str, &str) -> Option<Answer> + Send + Sync + 'static) -> Server {
    Server::answering_queries(move |line, query| more(line, query).or_else(|| left(line, query)))
}

#[test]
fn of_a_session_that_lives_nothing_is_left_over() {
    let named = || list(&[json!({"metadata": {"name": "roc", "namespace": "team-a"}})]);
    let jobmanager = || list(&[flinks("roc-1-a")]);
    let group = || (200, json!({"preferredVersion": {"version": "v1beta1"}}));
    let servers = [
        // Whatever its labels.
        with(move |line, _| (line == DEPLOYMENTS).then(named)),
        with(move |line, query| (line == PODS && query.contains("component%3Djobmanager")).then(jobmanager)),
        with(|line, _| (line == JOBS).then(|| list(&[own_job("roc", None)]))),
        // A client at work, whatever its Job is called.
        with(|line, _| (line == JOBS).then(|| list(&[job("start", "roc", None)]))),
        // The operator has suspended it: its Deployment is gone, its state is kept.
        with(move |line, _| match line {
            GROUP => Some(group()),
            OPERATED => Some(named()),
            _ => None,
        }),
    ];
    for server in servers {
        let told = server.flink(&["gc", "-o", "name"]).stdout;
        let of_roc: Vec<&str> = told.lines().filter(|line| line.contains("roc")).collect();
        assert_eq!(of_roc, ["pod/sql-roc-1"], "{told}");
        server.flink(&["gc", "--yes", "--purge-ha"]);
        let writes = server.writes();
        assert!(writes.iter().all(|write| !write.line.contains("roc") || write.line.contains("sql")));
    }
}

#[test]
fn what_only_a_pod_or_a_lease_keeps_from_being_judged_is_counted() {
    let jobmanager = || list(&[flinks("roc-1-a")]);
    let server =
        with(move |line, query| (line == PODS && query.contains("component%3Djobmanager")).then(jobmanager));
    let told = server.flink(&["gc"]).stderr;
    let why = "cannot be judged yet: a JobManager pod or a leader of a session without a Deployment is still there.";
    assert!(told.contains(why), "{told}");
    assert!(
        told.contains("hint: in 15 s, when a lease of a leader has expired: kubectl flink gc\n"),
        "{told}"
    );
    // What has a Deployment is alive, and nothing is waited for.
    let named = || list(&[json!({"metadata": {"name": "roc", "namespace": "team-a"}})]);
    let told = with(move |line, _| (line == DEPLOYMENTS).then(named)).flink(&["gc"]).stderr;
    assert!(!told.contains("judged"), "{told}");
    // create refuses the name for the same objects: nothing is left over is not what gc says then.
    let server = Server::answering_queries(move |line, query| match line {
        SERVICES => Some(list(&[owned(flinks("roc-rest"))])),
        PODS if query.contains("component%3Djobmanager") => Some(jobmanager()),
        _ => None,
    });
    let told = server.flink(&["gc"]).stderr;
    assert!(told.contains("1 object cannot be judged yet") && !told.contains("Nothing left over"), "{told}");
}

#[test]
fn a_session_that_is_born_before_a_removal_keeps_what_it_uses() {
    let looks = AtomicUsize::new(0);
    let server = with(move |line, _| {
        let born = line == DEPLOYMENTS && looks.fetch_add(1, Ordering::SeqCst) >= 3;
        born.then(|| list(&[json!({"metadata": {"name": "roc", "namespace": "team-a"}})]))
    });
    insta::assert_snapshot!(server.flink(&["gc", "--yes"]));
    assert_eq!(server.writes().len(), 3);
}

#[test]
fn one_that_fails_or_is_in_use_does_not_stop_the_others() {
    let server = with(|line, _| match line {
        "DELETE /apis/batch/v1/namespaces/team-a/jobs/boot-roc" => Some(forbidden("jobs.batch")),
        "DELETE /api/v1/namespaces/team-a/services/roc-rest" => {
            Some(failure(409, "Conflict", "the ResourceVersion in the precondition does not match"))
        }
        "DELETE /api/v1/namespaces/team-a/configmaps/flink-config-roc" => {
            Some(failure(404, "NotFound", "not found"))
        }
        _ => None,
    });
    insta::assert_snapshot!(server.flink(&["gc", "--yes"]));
}

#[test]
fn what_may_not_be_read_is_named_and_its_sessions_are_left_alone() {
    for hidden in [DEPLOYMENTS, JOBS, PODS] {
        let server = with(move |line, _| (line == hidden).then(|| forbidden("something")));
        let told = server.flink(&["gc", "--yes"]);
        assert_eq!(told.code, 1, "{told}");
        assert!(
            told.stderr.contains("which sessions are dead cannot be told: something is forbidden"),
            "{told}"
        );
        assert!(server.writes().iter().all(|write| write.line.contains("/pods/sql-")), "{hidden}");
    }
    // Where the operator's resources exist and are hidden, a session may be one that it has suspended.
    let operated = with(|line, _| match line {
        GROUP => Some((200, json!({"preferredVersion": {"version": "v1beta1"}}))),
        OPERATED => Some(forbidden("flinkdeployments.flink.apache.org")),
        _ => None,
    });
    // Where they do not exist, "forbidden" is no reason.
    let absent = with(|line, _| (line == OPERATED).then(|| forbidden("flinkdeployments.flink.apache.org")));
    let unread = with(|line, _| (line == SERVICES).then(|| forbidden("services")));
    let nothing = Server::answering(|_| Some(forbidden("all")));
    let told = |server: &Server| without_ages(&server.flink(&["gc"]).to_string());
    insta::assert_snapshot!([&operated, &unread, &nothing].map(told).join("\n"));
    assert_eq!(absent.flink(&["gc"]).stderr, a_dead_session().flink(&["gc"]).stderr);
}

/// The state of a session whose job has not ended.
fn with_a_job(line: &str, _: &str) -> Option<Answer> {
    let id = "8e91dc59d12b7474c390b0a756115346";
    (line == CONFIG_MAPS).then(|| {
        list(&[
            state("roc-cluster-config-map", &[&format!("executionPlan-{id}")]),
            state(&format!("roc-{id}-config-map"), &["checkpointID-0000000000000000004", "counter"]),
            owned(flinks("flink-config-roc")),
        ])
    })
}

#[test]
fn state_that_holds_jobs_is_kept_unless_it_is_asked_for() {
    let server = with(with_a_job);
    let told = |words: &[&str]| without_ages(&server.flink(words).to_string());
    insta::assert_snapshot!([told(&["gc"]), told(&["gc", "--yes"]), told(&["gc", "--purge-ha"])].join("\n"));
    assert!(server.writes().iter().all(|write| !write.line.ends_with("-config-map")));
    server.flink(&["gc", "--yes", "--purge-ha"]);
    assert_eq!(server.writes().iter().filter(|write| write.line.ends_with("-config-map")).count(), 2);
}

#[test]
fn what_was_touched_a_moment_ago_is_left_out() {
    let server = with(|line, _| {
        let mut touched = state("roc-cluster-config-map", &["org.apache.flink.k8s.leader.dispatcher"]);
        touched["metadata"]["managedFields"] =
            json!([{"manager": "x", "time": LONG_AGO}, {"manager": "y", "time": JUST_NOW}, {"manager": "z"}]);
        (line == CONFIG_MAPS).then(|| list(&[touched]))
    });
    let told = server.flink(&["gc", "--yes", "-n", "team-a"]);
    assert!(!told.stdout.contains("configmap"), "{told}");
    let note = "1 object that was touched in the last 5m is left out.\n\
        hint: kubectl flink gc --older-than 0s -n team-a lists them, too\n";
    assert!(told.stderr.ends_with(note), "{told}");
    let told = server.flink(&["gc", "--older-than", "0s"]);
    assert!(told.stdout.contains("configmap/roc-cluster-config-map"), "{told}");
    assert!(told.stderr.starts_with("hint: kubectl flink gc --older-than 0s --yes"), "{told}");
}

#[test]
fn all_namespaces_are_asked_for_at_once_or_one_by_one() {
    let everywhere = Server::answering_queries(|line, query| {
        let here = line.replace("v1/", "v1/namespaces/team-a/");
        left(&here, query)
    });
    let told = everywhere.flink(&["gc", "-A"]);
    insta::assert_snapshot!(without_ages(&told.to_string()));
    let asked = everywhere.asked();
    assert!(asked.len() == 10 && !asked.iter().any(|line| line.contains("/namespaces")), "{asked:?}");

    let some = |may_list: bool| {
        with(move |line, _| match line {
            "GET /api/v1/namespaces" if may_list => {
                Some(list(&["team-a", "team-b"].map(|name| json!({"metadata": {"name": name}}))))
            }
            line if line.contains("/namespaces/team-b/") => Some(forbidden("team-b")),
            line if line.contains("/namespaces/") || line == GROUP => None,
            line => Some(forbidden(line.rsplit('/').next().unwrap_or_default())),
        })
    };
    for may_list in [true, false] {
        let told = some(may_list).flink(&["gc", "-A", "-o", "name"]);
        assert_eq!((told.code, told.stdout.lines().count()), (0, 7), "{told}");
        assert!(told.stderr.starts_with("Warning: not all could be read: configmaps is forbidden"), "{told}");
    }
}
