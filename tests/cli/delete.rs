//! `delete` and `restart` against a cluster and a REST that the test plays.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime};

use serde_json::{Value, json};

use crate::process::{Ended, command};
use crate::running::Running;
use crate::server::{Answer, Server, failure};

/// A session that runs, and its REST, both on one server.
pub struct Session {
    pub server: Server,
    pub state: Arc<Mutex<State>>,
}

/// What the session says and has.
#[derive(Clone)]
pub struct State {
    pub jobs: Vec<Value>,
    /// Names of JobManager threads that work.
    pub busy: Vec<&'static str>,
    /// REST does not say whether a program runs.
    hides_threads: bool,
    cluster_id: &'static str,
    /// The identity that REST shows; the session's own is `s1`, where it has one.
    session_id: &'static str,
    has_no_identity: bool,
    /// The processes that answer at the address and behind the API server's proxy of the pod; none where that is
    /// forbidden.
    process: &'static str,
    process_in_pod: Option<&'static str>,
    bootstraps: Vec<Value>,
    /// States of the JobManager pod's containers, by name.
    containers: Vec<(&'static str, &'static str)>,
    services: Vec<&'static str>,
    /// How often its pods were listed, and how often before all is on its way out.
    lists: usize,
    ends_after: usize,
    /// Its Deployment was deleted, and everything with it.
    is_deleted: bool,
    /// A job was stopped, with a savepoint.
    is_saved: bool,
}

impl Session {
    pub fn with(change: impl FnOnce(&mut State)) -> Self {
        let mut state = State {
            jobs: Vec::new(),
            busy: Vec::new(),
            hides_threads: false,
            cluster_id: "roc",
            session_id: "s1",
            has_no_identity: false,
            process: "p1",
            process_in_pod: None,
            bootstraps: Vec::new(),
            containers: vec![("flink-main-container", "running")],
            services: Vec::new(),
            lists: 0,
            ends_after: usize::MAX,
            is_deleted: false,
            is_saved: false,
        };
        change(&mut state);
        let state = Arc::new(Mutex::new(state));
        let played = Arc::clone(&state);
        let server = Server::answering(move |line| answer(line, &mut played.lock().expect("state")));
        Self { server, state }
    }

    pub fn flink(&self, words: &[&str]) -> Ended {
        self.server.flink(words)
    }

    /// With REST at the address of the played server.
    fn at_address(&self, words: &[&str]) -> Ended {
        let url = self.url();
        let ended = self.server.flink(&[words, &["--address", &url]].concat());
        Ended { stderr: ended.stderr.replace(&url, "http://REST"), ..ended }
    }

    pub fn url(&self) -> String {
        let kubeconfig =
            std::fs::read_to_string(self.server.home.path().join(".kube/config")).expect("kubeconfig");
        let kubeconfig: Value = serde_json::from_str(&kubeconfig).expect("JSON");
        kubeconfig["clusters"][0]["cluster"]["server"].as_str().expect("server").to_owned()
    }

    fn is_untouched(&self) {
        assert!(self.server.writes().is_empty(), "{:?}", self.server.writes());
    }
}

pub fn job(id: &str, state: &str, running: u32) -> Value {
    json!({"jid": id, "name": "orders", "state": state, "start-time": 1_767_225_600_000_i64, "end-time": -1,
        "duration": 730_500, "tasks": {"total": 1, "running": running}})
}

pub const RUNS: &str = "aa11dc59d12b7474c390b0a756115346";

fn native() -> Value {
    json!({"app": "roc", "type": "flink-native-kubernetes", "component": "jobmanager"})
}

fn answer(line: &str, state: &mut State) -> Option<Answer> {
    let list = |items: Value| Some((200, json!({"metadata": {}, "items": items})));
    let ok = |body: Value| Some((200, body));
    if let Some(done) = deed(line, state) {
        return Some(done);
    }
    if state.is_deleted && line.starts_with("GET /api") {
        return None;
    }
    let ended = if state.lists >= state.ends_after { json!("2026-01-01T00:00:00Z") } else { Value::Null };
    match line {
        "GET /apis/apps/v1/namespaces/team-a/deployments/roc" => ok(json!({
            "metadata": {"name": "roc", "namespace": "team-a", "uid": "d1", "labels": native(), "deletionTimestamp": ended},
            "status": {"readyReplicas": 1},
            "spec": {"replicas": 1, "template": {"spec": {"containers": [
                {"name": "flink-main-container", "args": ["bash", "-c", "kubernetes-jobmanager.sh kubernetes-session"]}]}}}})),
        "GET /api/v1/namespaces/team-a/pods" => {
            let status = |(name, state): &(&str, &str)| {
                let state = match *state {
                    "running" => json!({"running": {"startedAt": "2026-01-01T00:00:00Z"}}),
                    waiting => json!({"waiting": {"reason": waiting}}),
                };
                json!({"name": name, "ready": false, "state": state})
            };
            let containers: Vec<Value> = state.containers.iter().map(|(name, _)| json!({"name": name})).collect();
            state.lists += 1;
            list(json!([{
                "metadata": {"name": "roc-5d4-x", "namespace": "team-a", "uid": "p1", "labels": native(), "deletionTimestamp": ended,
                    "ownerReferences": [{"kind": "ReplicaSet", "name": "roc-5d4", "uid": "r1"}]},
                "spec": {"containers": containers},
                "status": {"phase": "Running", "containerStatuses": state.containers.iter().map(status).collect::<Vec<_>>()}}]))
        }
        "GET /api/v1/namespaces/team-a/services" => list(
            state
                .services
                .iter()
                .map(|name| json!({"metadata": {"name": name, "uid": name, "labels": {"app": "roc", "type": "flink-native-kubernetes"}}}))
                .collect(),
        ),
        "GET /api/v1/namespaces/team-a/configmaps" => list(json!([{
            "metadata": {"name": "flink-config-roc", "uid": "c1", "labels": {"app": "roc", "type": "flink-native-kubernetes"},
                "ownerReferences": [{"kind": "Deployment", "name": "roc", "uid": "d1"}]},
            "data": {"config.yaml": match state.has_no_identity {
                true => "taskmanager:\n  numberOfTaskSlots: 1\n",
                false => "taskmanager:\n  numberOfTaskSlots: 1\nkubectl-flink:\n  session-id: s1\n",
            }}}])),
        "GET /apis/batch/v1/namespaces/team-a/jobs" => list(json!(state.bootstraps)),
        "GET /overview" => ok(json!({"taskmanagers": 0, "slots-total": 0, "slots-available": 0,
            "jobs-running": state.jobs.iter().filter(|job| job["end-time"] == -1).count(), "jobs-finished": 0, "jobs-cancelled": 0, "jobs-failed": 0, "flink-version": "2.3.0", "flink-commit": "x"})),
        "GET /jobs/overview" => ok(json!({"jobs": state.jobs})),
        "GET /jobs" => ok(json!({"jobs": state.jobs.iter()
            .map(|job| json!({"id": job["jid"], "status": job["state"]})).collect::<Vec<_>>()})),
        "GET /jobmanager/config" if state.cluster_id.is_empty() => ok(json!([])),
        "GET /jobmanager/config" => ok(json!([
            {"key": "kubernetes.cluster-id", "value": state.cluster_id},
            {"key": "kubernetes.namespace", "value": "team-a"},
            {"key": "kubectl-flink.session-id", "value": state.session_id},
            {"key": "web.tmpdir", "value": format!("/tmp/flink-web-{}", state.process)},
            {"key": "execution.checkpointing.savepoint-dir", "value": "s3://b/sp"}])),
        "GET /api/v1/namespaces/team-a/pods/roc-5d4-x:8081/proxy/jobmanager/config" => match state.process_in_pod {
            Some(process) => {
                ok(json!([{"key": "web.tmpdir", "value": format!("/tmp/flink-web-{process}")}]))
            }
            None => Some(failure(403, "Forbidden", "pods \"roc-5d4-x\" is forbidden: no")),
        },
        line if line.ends_with("/pods/roc-5d4-x/portforward") => {
            Some(failure(403, "Forbidden", "pods \"roc-5d4-x\" is forbidden: no"))
        }
        line if line.contains("/savepoints/") => {
            Some((404, json!({"errors": ["There is no savepoint operation with triggerId"]})))
        }
        "GET /jobmanager/thread-dump" if state.hides_threads => {
            Some((503, json!({"errors": ["Service temporarily unavailable"]})))
        }
        "GET /jobmanager/thread-dump" => ok(json!({"threadInfos": state.busy.iter()
            .map(|name| json!({"threadName": name, "stringifiedThreadInfo": "at a.B"})).collect::<Vec<_>>()})),
        _ => None,
    }
}

/// What is done to the session, and to its jobs.
fn deed(line: &str, state: &mut State) -> Option<Answer> {
    let (method, path) = line.split_once(' ')?;
    let id = path.strip_prefix("/jobs/").and_then(|rest| rest.split('/').next()).unwrap_or_default();
    let of_id = state.jobs.iter_mut().find(|job| job["jid"] == id);
    let end = |job: &mut Value, how: &str| {
        (job["state"], job["end-time"]) = (how.into(), json!(1_767_225_600_001_i64));
        job["tasks"]["running"] = 0.into();
    };
    Some(match (method, of_id) {
        ("DELETE", _) => {
            state.is_deleted |= path.ends_with("/deployments/roc");
            (200, json!({"kind": "Status", "apiVersion": "v1", "status": "Success"}))
        }
        ("PATCH", Some(job)) => {
            end(job, "CANCELED");
            (202, json!({}))
        }
        ("POST", Some(job)) if path.ends_with("/stop") => {
            end(job, "FINISHED");
            state.is_saved = true;
            (202, json!({"request-id": "1f".repeat(16)}))
        }
        ("GET", Some(_)) if path.contains("/savepoints/") && state.is_saved => (
            200,
            json!({"status": {"id": "COMPLETED"}, "operation": {"location": "s3://BUCKET/DIR/savepoint-1"}}),
        ),
        ("GET", Some(_)) if path.ends_with("/checkpoints") => (
            200,
            json!({"counts": {"completed": 0, "in_progress": 0, "failed": 0}, "latest": {}, "history": []}),
        ),
        ("GET", Some(job)) if path.ends_with(id) => (200, job.clone()),
        _ => return None,
    })
}

#[test]
fn jobs_that_run_are_listed_with_the_ways_on() {
    let session = Session::with(|state| state.jobs = vec![job(RUNS, "RUNNING", 1)]);
    let ways = [
        session.at_address(&["delete", "roc", "--yes"]),
        session.at_address(&["delete", "roc", "--yes", "--purge-ha"]),
        session.at_address(&["restart", "roc"]),
        session.at_address(&["restart", "roc", "--taskmanagers"]),
    ];
    insta::assert_snapshot!(ways.map(|ended| ended.to_string()).join("\n"));
    session.is_untouched();
}

#[test]
fn jobs_in_no_state_for_a_savepoint_stop_none() {
    for (state, running) in [("RESTARTING", 0), ("RUNNING", 0)] {
        let jobs = vec![job(RUNS, "RUNNING", 1), job(&"bb22".repeat(8), state, running)];
        let session = Session::with(|state| state.jobs = jobs);
        let ended = session.at_address(&["delete", "roc", "--yes", "--savepoint"]);
        assert_eq!(ended.code, 4, "{ended}");
        assert!(ended.stderr.contains("so none is stopped") && ended.stderr.contains("bb22"), "{ended}");
        session.is_untouched();
    }
}

#[test]
fn a_program_that_has_not_started_its_jobs_counts() {
    let session = Session::with(|state| state.busy = vec!["flink-jar-runner-thread-1"]);
    insta::assert_snapshot!(session.at_address(&["delete", "roc", "--yes"]));
    session.is_untouched();
}

#[test]
fn a_program_of_which_nothing_is_said_counts_as_well() {
    let session = Session::with(|state| state.hides_threads = true);
    let ended = session.at_address(&["delete", "roc", "--yes"]);
    assert_eq!(ended.code, 4, "{ended}");
    assert!(ended.stderr.contains("it is not known whether jobs run on session roc"), "{ended}");
    session.is_untouched();
}

#[test]
fn ctrl_c_is_heard_while_earlier_savepoints_are_looked_for() {
    // REST answers for the history of a job from a cache, which is waited for: seconds.
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("time").as_millis();
    let mut finished = job(RUNS, "FINISHED", 0);
    (finished["start-time"], finished["duration"]) = (json!(u64::try_from(now).expect("time")), json!(1));
    finished["end-time"] = finished["start-time"].clone();
    let session = Session::with(|state| state.jobs = vec![finished]);
    let words = ["delete", "roc", "--yes", "--savepoint=s3://b/sp", "--address", &session.url()];
    let delete = Running::start(command(session.server.home.path(), &words));
    let asks =
        || session.server.asked().iter().any(|line| line.contains(&format!("/jobs/{RUNS}/savepoints/")));
    let began = Instant::now();
    while !asks() {
        assert!(began.elapsed() < Duration::from_secs(20), "{:?}", session.server.asked());
        std::thread::sleep(Duration::from_millis(20));
    }
    std::thread::sleep(Duration::from_millis(500));
    let end = delete.interrupt();
    assert_eq!(end.code, 130, "{end:?}");
    assert!(
        end.stderr.iter().any(|line| line == "error: interrupted: session roc is not deleted"),
        "{end:?}"
    );
    session.is_untouched();
}

#[test]
fn the_address_of_another_session_is_refused() {
    let session = Session::with(|state| state.cluster_id = "shop");
    insta::assert_snapshot!(session.at_address(&["delete", "roc", "--yes", "--cancel-jobs"]));
    session.is_untouched();
    // A Flink that knows of no session.
    let session = Session::with(|state| state.cluster_id = "");
    let ended = session.at_address(&["delete", "roc", "--yes"]);
    assert_eq!(ended.code, 4, "{ended}");
    assert!(ended.stderr.contains("no kubernetes.cluster-id is set there"), "{ended}");
    session.is_untouched();
}

#[test]
fn the_session_of_the_same_name_in_another_cluster_is_not_believed() {
    // It has no jobs, and the one of this cluster may have some.
    let refused = |change: fn(&mut State)| {
        let session = Session::with(change);
        let all = ["--cancel-jobs", "--purge-ha"].map(|flag| {
            let ended = session.at_address(&["delete", "roc", "--yes", flag]);
            assert_eq!(ended.code, 4, "{ended}");
            session.is_untouched();
            ended.stderr
        });
        assert_eq!(session.at_address(&["restart", "roc"]).code, 4);
        session.is_untouched();
        all.into_iter().next().unwrap_or_default()
    };
    insta::assert_snapshot!(
        [
            // Its identity is another one, or it has none.
            refused(|state| state.session_id = "s2"),
            // The process in the session's pod is another one, whatever its configuration says.
            refused(|state| state.process_in_pod = Some("p2")),
            // Nothing can be compared.
            refused(|state| state.has_no_identity = true),
        ]
        .join("\n")
    );
    // What the session's own pod shows is proof also where `create` has given no identity.
    let session = Session::with(|state| {
        (state.has_no_identity, state.process_in_pod) = (true, Some("p1"));
    });
    let ended = session.at_address(&["delete", "roc", "--yes", "--wait=false"]);
    assert_eq!(ended.code, 0, "{ended}");
}

#[test]
fn a_job_that_only_has_the_labels_of_a_bootstrap_is_left_alone() {
    let labelled = |name: &str, owner: Value| {
        json!({"metadata": {"name": name, "namespace": "team-a", "uid": name, "labels": {"app": "roc",
                "app.kubernetes.io/managed-by": "kubectl-flink", "app.kubernetes.io/component": "bootstrap"},
                "ownerReferences": owner},
            "spec": {"template": {"spec": {"containers": [{"name": "c", "args": ["sleep"]}]}}}, "status": {}})
    };
    let session = Session::with(|state| {
        state.containers = vec![("flink-main-container", "ImagePullBackOff")];
        state.bootstraps = vec![
            labelled("nightly", json!([])),
            labelled("boot-roc", json!([{"kind": "Deployment", "name": "roc", "uid": "d1"}])),
        ];
    });
    let ended = session.flink(&["delete", "roc", "--dry-run", "-o", "name"]);
    assert!(ended.stdout.contains("job.batch/boot-roc"), "{ended}");
    assert!(!ended.stdout.contains("nightly"), "{ended}");
    assert!(ended.stderr.contains("left alone") && ended.stderr.contains("job.batch/nightly"), "{ended}");
}

#[test]
fn a_container_beside_flinks_says_nothing_of_jobs() {
    // As the kubelet sorts them. No port can be forwarded here: the session is silent.
    let session = Session::with(|state| {
        state.containers = vec![("filebeat", "CrashLoopBackOff"), ("flink-main-container", "running")];
    });
    let ended = session.flink(&["delete", "roc", "--yes"]);
    assert_eq!(ended.code, 4, "{ended}");
    assert!(ended.stderr.contains("it is not known whether jobs run on session roc"), "{ended}");
    session.is_untouched();
}

#[test]
fn one_whose_end_begins_while_it_is_asked_is_asked_no_more() {
    // By a deletion that was killed, say. No port can be forwarded here.
    let asked = |ends_after| {
        let session = Session::with(|state| state.ends_after = ends_after);
        session.flink(&["delete", "roc", "--yes", "--wait=false"])
    };
    for ends_after in [1, 2] {
        let ended = asked(ends_after);
        assert_eq!(ended.code, 0, "{ends_after}: {ended}");
        assert!(ended.stdout.contains("deployment.apps \"roc\" deleted from team-a namespace"), "{ended}");
    }
    assert_eq!(asked(usize::MAX).code, 4);
}

#[test]
fn where_no_jobmanager_runs_no_job_does() {
    let session = Session::with(|state| {
        state.containers = vec![("filebeat", "running"), ("flink-main-container", "ImagePullBackOff")];
    });
    // Nothing goes here, as nothing is played that would: what counts is that it was asked for.
    let ended = session.flink(&["delete", "roc", "--yes", "--wait=false"]);
    assert_eq!(ended.code, 0, "{ended}");
    assert!(ended.stdout.contains("deployment.apps \"roc\" deleted from team-a namespace"), "{ended}");
}

#[test]
fn what_only_has_the_labels_is_left_alone() {
    let session = Session::with(|state| {
        state.containers = vec![("flink-main-container", "ImagePullBackOff")];
        state.services = vec!["roc", "roc-rest", "somebodys"];
    });
    let ended = session.flink(&["delete", "roc", "--dry-run", "-o", "name"]);
    assert!(ended.stderr.contains("service/somebodys"), "{ended}");
    let expected = [
        "deployment.apps/roc",
        "service/roc",
        "service/roc-rest",
        "configmap/flink-config-roc",
        "pod/roc-5d4-x",
    ];
    assert_eq!(ended.stdout.lines().collect::<Vec<_>>(), expected, "{ended}");
    assert!(!session.state.lock().expect("state").services.is_empty());
}

#[test]
fn no_session_is_meant_by_nothing() {
    let session = Session::with(|_| {});
    for words in [&["delete", "-l", ""][..], &["delete", "-l", " "], &["delete"]] {
        let ended = session.flink(&[words, &["--yes", "--force"]].concat());
        assert_eq!((ended.code, ended.stdout.as_str()), (1, ""), "{words:?}: {ended}");
    }
    assert_eq!(session.server.asked(), Vec::<String>::new());
}

/// What Flink's client does in a pod that is being deleted, and whose Job is gone already.
#[derive(Clone, Copy)]
struct Dying {
    /// The Job was made by hand: its pod has no label of the session.
    by_hand: bool,
    /// The look from which on there is another Job.
    another_job: usize,
    /// For how many looks an object is still there after its deletion.
    lingers: usize,
}

/// A namespace in which the client makes a Deployment and a Service at the second and at the third look, and ends
/// before the fifth.
fn with_a_dying_client(dying: Dying) -> Server {
    let looks = AtomicUsize::new(0);
    // What was deleted, at which look.
    let deleted: Mutex<Vec<(String, usize)>> = Mutex::default();
    let own = json!({"app": "roc", "job-name": "boot-roc", "app.kubernetes.io/managed-by": "kubectl-flink",
        "app.kubernetes.io/component": "bootstrap"});
    let labels = if dying.by_hand { json!({"job-name": "boot-roc"}) } else { own.clone() };
    let pod = json!({
        "metadata": {"name": "boot-roc-x", "namespace": "team-a", "uid": "p1", "labels": labels,
            "deletionTimestamp": "2026-01-02T00:00:00Z", "ownerReferences": [{"kind": "Job", "name": "boot-roc", "uid": "j0"}]},
        "spec": {"containers": [{"name": "c", "args": ["bin/kubernetes-session.sh -Dkubernetes.cluster-id=roc"]}]},
        "status": {"phase": "Running"}});
    let job = json!({"metadata": {"name": "boot-roc", "namespace": "team-a", "uid": "j2", "labels": own},
        "spec": {"template": {"spec": {"containers": []}}}, "status": {}});
    let deployment = json!({
        "metadata": {"name": "roc", "namespace": "team-a", "uid": "d1", "labels": native()},
        "spec": {"replicas": 1, "template": {"spec": {"containers": [{"name": "c", "args": ["kubernetes-session"]}]}}}});
    let service = json!({"metadata": {"name": "roc-rest", "uid": "s1",
        "labels": {"app": "roc", "type": "flink-native-kubernetes"}}});
    Server::answering_queries(move |line, query| {
        let list = |items: Vec<&Value>| Some((200, json!({"metadata": {}, "items": items})));
        let is_clients = query.contains("job-name");
        if line.ends_with("/pods") && is_clients {
            looks.fetch_add(1, Ordering::SeqCst);
        }
        let look = looks.load(Ordering::SeqCst);
        let mut deleted = deleted.lock().expect("deletions");
        let is_there = |name: &str, from: usize| {
            look >= from
                && !deleted.iter().any(|(line, at)| line.ends_with(name) && look > at + dying.lingers)
        };
        match line {
            "GET /api/v1/namespaces/team-a/pods" if look < 5 && (is_clients || !dying.by_hand) => {
                list(vec![&pod])
            }
            "GET /api/v1/namespaces/team-a/pods" => list(vec![]),
            "GET /apis/batch/v1/namespaces/team-a/jobs" if look >= dying.another_job => list(vec![&job]),
            "GET /apis/apps/v1/namespaces/team-a/deployments/roc" if is_there("deployments/roc", 2) => {
                Some((200, deployment.clone()))
            }
            "GET /api/v1/namespaces/team-a/services" if is_there("services/roc-rest", 3) => {
                list(vec![&service])
            }
            line if line.starts_with("DELETE ") => {
                deleted.push((line.to_owned(), look));
                Some((200, json!({"kind": "Status", "apiVersion": "v1", "status": "Success"})))
            }
            _ => None,
        }
    })
}

#[test]
fn what_the_client_of_a_deleted_session_still_makes_is_removed_too() {
    // Objects may outlive the client that has made them.
    for (by_hand, lingers) in [(false, 0), (true, 0), (false, 5)] {
        let server = with_a_dying_client(Dying { by_hand, another_job: usize::MAX, lingers });
        let ended = server.flink(&["delete", "roc", "--yes", "-o", "name"]);
        assert_eq!(ended.code, 0, "{ended}");
        let mut gone: Vec<&str> = ended.stdout.lines().collect();
        gone.sort_unstable();
        assert_eq!(gone, ["deployment.apps/roc", "pod/boot-roc-x", "service/roc-rest"], "{ended}");
        let deletes = server.writes();
        assert_eq!(deletes.len(), 3, "{deletes:?}");
        assert!(
            deletes.iter().all(|delete| delete.body["preconditions"]["uid"] != Value::Null),
            "{deletes:?}"
        );
    }
}

#[test]
fn a_deletion_without_a_wait_waits_for_the_client_that_may_make_more() {
    let server = with_a_dying_client(Dying { by_hand: false, another_job: usize::MAX, lingers: 0 });
    let ended = server.flink(&["delete", "roc", "--yes", "--wait=false", "-o", "name"]);
    assert_eq!(ended.code, 0, "{ended}");
    assert_eq!(server.writes().len(), 3, "{:?}", server.writes());
}

#[test]
fn where_two_clients_are_at_work_nothing_more_is_deleted() {
    let server = with_a_dying_client(Dying { by_hand: false, another_job: 2, lingers: 0 });
    let ended = server.flink(&["delete", "roc", "--yes"]);
    assert_eq!(ended.code, 1, "{ended}");
    assert!(ended.stderr.contains("pod/boot-roc-x"), "{ended}");
    let deletes: Vec<String> = server.writes().into_iter().map(|write| write.line).collect();
    assert_eq!(deletes, ["DELETE /api/v1/namespaces/team-a/pods/boot-roc-x"]);
}
