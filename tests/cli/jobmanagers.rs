//! Which JobManager is asked, and on which port: pods of other programs, several JobManagers, other ports.
//!
//! Ports cannot be forwarded here, so each REST is that of the API server's proxy, by pod and port.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::process::Ended;
use crate::server::{Answer, Server, failure};

const RUNS: &str = "aa11dc59d12b7474c390b0a756115346";

/// A pod of the played cluster, and the REST API in it.
#[derive(Clone)]
pub struct Pod {
    name: &'static str,
    created: &'static str,
    labels: Value,
    owner: Option<(&'static str, &'static str, &'static str)>,
    /// `running`, or why it waits.
    state: &'static str,
    /// None where nothing listens.
    rest: Option<Rest>,
}

#[derive(Clone)]
pub struct Rest {
    port: u16,
    jobs: usize,
    /// The state of each of them, and how many of its tasks run.
    pub state: (&'static str, u32),
    /// Jobs that the JobManager counts, and does not list (FLINK-40602).
    hidden: usize,
    slots_in_use: usize,
    /// It waits for a leader, and takes no requests.
    is_electing: bool,
}

pub const IDLE: Rest =
    Rest { port: 8081, jobs: 0, state: ("RUNNING", 1), hidden: 0, slots_in_use: 0, is_electing: false };
pub const BUSY: Rest = Rest { jobs: 1, slots_in_use: 1, ..IDLE };

fn flinks() -> Value {
    json!({"app": "roc", "type": "flink-native-kubernetes", "component": "jobmanager"})
}

/// The JobManager pod that the session's Deployment made.
pub fn own(rest: Rest) -> Pod {
    Pod {
        name: "roc-5d4-own",
        created: "2026-01-01T00:00:00Z",
        labels: flinks(),
        owner: Some(("ReplicaSet", "roc-5d4", "r1")),
        state: "running",
        rest: Some(rest),
    }
}

pub struct Play {
    pods: Vec<Pod>,
    /// `targetPort` of the session's Service.
    target: Value,
    settings: &'static str,
    may_read_replica_sets: bool,
    /// The host of the leader in the ConfigMap.
    leader: Option<&'static str>,
    may_read_leader: bool,
}

impl Play {
    pub fn of(pods: &[Pod]) -> Self {
        Self {
            pods: pods.to_vec(),
            target: json!(8081),
            settings: "rest.port: 8081\n",
            may_read_replica_sets: true,
            leader: None,
            may_read_leader: true,
        }
    }

    pub fn flink(self, words: &[&str]) -> (Ended, Server) {
        let play = Arc::new(self);
        let server = Server::answering(move |line| play.answer(line));
        let ended = server.flink(words);
        (ended, server)
    }

    fn answer(&self, line: &str) -> Option<Answer> {
        let ok = |body: Value| Some((200, body));
        let set = |name: &str, uid: &str, owner: Value| json!({"metadata": {"name": name, "uid": uid, "ownerReferences": owner}});
        match line {
            "GET /apis/apps/v1/namespaces/team-a/deployments/roc" => ok(json!({
                "metadata": {"name": "roc", "namespace": "team-a", "uid": "d1", "labels": flinks(),
                    "creationTimestamp": "2026-01-01T00:00:00Z"},
                "status": {"readyReplicas": 1},
                "spec": {"replicas": 1, "template": {"spec": {"containers": [
                    {"name": "flink-main-container", "args": ["bash", "-c", "kubernetes-jobmanager.sh kubernetes-session"]}]}}}})),
            "GET /apis/apps/v1/namespaces/team-a/replicasets" if !self.may_read_replica_sets => {
                Some(failure(403, "Forbidden", "replicasets.apps is forbidden"))
            }
            "GET /apis/apps/v1/namespaces/team-a/replicasets" => ok(json!({"metadata": {}, "items": [
                set("roc-5d4", "r1", json!([{"kind": "Deployment", "name": "roc", "uid": "d1"}])),
                set("roc-6e5", "r2", json!([{"kind": "Deployment", "name": "roc", "uid": "d1"}])),
                set("roc-bare", "r8", json!([{"kind": "Rollout", "name": "other", "uid": "x1"}])),
            ]})),
            "GET /api/v1/namespaces/team-a/pods" => {
                ok(json!({"metadata": {}, "items": self.pods.iter().map(Pod::object).collect::<Vec<_>>()}))
            }
            "GET /api/v1/namespaces/team-a/services/roc-rest" => ok(json!({
                "metadata": {"name": "roc-rest", "uid": "s1", "labels": flinks()},
                "spec": {"type": "ClusterIP", "ports": [{"name": "rest", "port": 8081, "targetPort": self.target}]}})),
            "GET /api/v1/namespaces/team-a/configmaps/flink-config-roc" => ok(self.config_map()),
            "GET /api/v1/namespaces/team-a/configmaps" => {
                ok(json!({"metadata": {}, "items": [self.config_map()]}))
            }
            "GET /api/v1/namespaces/team-a/configmaps/roc-cluster-config-map" if !self.may_read_leader => {
                Some(failure(403, "Forbidden", "configmaps is forbidden"))
            }
            "GET /api/v1/namespaces/team-a/configmaps/roc-cluster-config-map" => {
                let address = format!("x,http://{}:8081", self.leader?);
                ok(json!({"metadata": {"name": "roc-cluster-config-map"},
                    "data": {"org.apache.flink.k8s.leader.restserver": address}}))
            }
            line if line.ends_with("/portforward") => {
                Some(failure(403, "Forbidden", "pods/portforward is forbidden"))
            }
            line => {
                let (_, rest) = line.split_once("GET /api/v1/namespaces/team-a/pods/")?;
                let (place, path) = rest.split_once("/proxy")?;
                let (pod, port) = place.split_once(':')?;
                let rest = self.pods.iter().find(|of| of.name == pod)?.rest.as_ref();
                match rest.filter(|rest| rest.port.to_string() == port) {
                    Some(rest) => rest.answer(path),
                    None => Some(failure(
                        503,
                        "ServiceUnavailable",
                        "error trying to reach service: dial tcp 10.0.0.1:8081: connect: connection refused",
                    )),
                }
            }
        }
    }

    fn config_map(&self) -> Value {
        json!({"metadata": {"name": "flink-config-roc", "uid": "c1", "labels": {"app": "roc", "type": "flink-native-kubernetes"},
            "ownerReferences": [{"kind": "Deployment", "name": "roc", "uid": "d1"}]},
            "data": {"flink-conf.yaml": self.settings}})
    }
}

impl Pod {
    fn object(&self) -> Value {
        let owners: Vec<Value> = self
            .owner
            .map(|(kind, name, uid)| json!({"kind": kind, "name": name, "uid": uid}))
            .into_iter()
            .collect();
        let is_running = self.state == "running";
        let state = match is_running {
            true => json!({"running": {"startedAt": self.created}}),
            false => json!({"waiting": {"reason": self.state}}),
        };
        json!({
            "metadata": {"name": self.name, "uid": self.name, "labels": self.labels, "creationTimestamp": self.created,
                "ownerReferences": owners},
            "spec": {"containers": [
                {"name": "flink-main-container", "ports": [{"name": "rest", "containerPort": 8081}]},
                {"name": "sidecar", "ports": [{"name": "rest", "containerPort": 9999}]}]},
            "status": {"phase": if is_running { "Running" } else { "Pending" }, "podIP": format!("ip-of-{}", self.name),
                "containerStatuses": [{"name": "flink-main-container", "ready": is_running, "state": state}]}})
    }
}

impl Rest {
    fn answer(&self, path: &str) -> Option<Answer> {
        if self.is_electing {
            let why = "Service temporarily unavailable due to an ongoing leader election. Please refresh.";
            return Some((503, json!({"errors": [why]})));
        }
        let jobs = 0..self.jobs;
        Some((
            200,
            match path {
                "/overview" => {
                    json!({"taskmanagers": 1, "slots-total": 1, "slots-available": 1 - self.slots_in_use,
                    "jobs-running": self.jobs + self.hidden, "jobs-finished": 0, "jobs-cancelled": 0, "jobs-failed": 0,
                    "flink-version": "2.3.0", "flink-commit": "x"})
                }
                "/jobs/overview" => {
                    json!({"jobs": jobs.map(|_| json!({"jid": RUNS, "name": "orders", "state": self.state.0,
                    "start-time": 1_767_225_600_000_i64, "end-time": -1, "duration": 730_500,
                    "tasks": {"total": 1, "running": self.state.1}})).collect::<Vec<_>>()})
                }
                "/jobs" => {
                    json!({"jobs": jobs.map(|_| json!({"id": RUNS, "status": self.state.0})).collect::<Vec<_>>()})
                }
                "/jobmanager/thread-dump" => json!({"threadInfos": []}),
                "/jobmanager/config" => json!([]),
                "/jobmanager/metrics" => json!([]),
                _ => return None,
            },
        ))
    }
}

/// `delete` and `restart` refuse, name what stands in their way, and write nothing.
fn is_refused(play: impl Fn() -> Play, because: &str) {
    for words in [&["delete", "roc", "--yes"][..], &["restart", "roc"]] {
        let (ended, server) = play().flink(words);
        assert_eq!((ended.code, ended.stdout.as_str()), (4, ""), "{words:?}: {ended}");
        assert!(ended.stderr.contains(because), "{words:?}: {because:?} is not in\n{ended}");
        assert!(server.writes().is_empty(), "{words:?}: {:?}", server.writes());
    }
}

fn is_deleted(play: Play) {
    let (ended, _) = play.flink(&["delete", "roc", "--yes", "--wait=false"]);
    assert_eq!(ended.code, 0, "{ended}");
    assert!(ended.stdout.contains("deployment.apps \"roc\" deleted"), "{ended}");
}

const JOB: &str = "job aa11dc59d12b7474c390b0a756115346 (orders) is RUNNING";

/// Pods with labels of a JobManager that are not the session's: each idle.
fn foreigners() -> Vec<Pod> {
    let of = |name, labels: &Value, owner| Pod { name, labels: labels.clone(), owner, ..own(IDLE) };
    let standalone = json!({"app": "roc", "component": "jobmanager"});
    vec![
        // Flink's own manifests of a standalone cluster.
        of("flink-jobmanager-77-x", &standalone, Some(("ReplicaSet", "flink-jobmanager-77", "r9"))),
        of("roc-copy", &flinks(), None),
        of("roc-exporter-5d4-x", &flinks(), Some(("ReplicaSet", "roc-exporter-5d4", "r7"))),
        of("roc-5d4-job", &flinks(), Some(("Job", "roc-5d4", "j1"))),
        of("roc-bare-x", &flinks(), Some(("ReplicaSet", "roc-bare", "r8"))),
    ]
}

#[test]
fn a_pod_of_another_program_is_not_asked() {
    for created in ["2025-12-31T00:00:00Z", "2026-01-02T00:00:00Z"] {
        for foreign in foreigners() {
            let play = || Play::of(&[own(BUSY), Pod { created, ..foreign.clone() }]);
            is_refused(play, JOB);
            let (ended, _) = play().flink(&["jobs", "roc"]);
            assert!(ended.stdout.contains(RUNS), "{}: {ended}", foreign.name);
        }
    }
}

#[test]
fn without_the_right_to_read_replica_sets_labels_and_names_decide() {
    for foreign in foreigners().into_iter().filter(|pod| pod.name != "roc-bare-x") {
        let pods = [own(BUSY), Pod { created: "2026-01-02T00:00:00Z", ..foreign }];
        is_refused(|| Play { may_read_replica_sets: false, ..Play::of(&pods) }, JOB);
    }
}

#[test]
fn without_its_own_jobmanager_a_session_is_not_asked_of_others() {
    let stuck = Pod { state: "ImagePullBackOff", rest: None, ..own(IDLE) };
    for foreign in foreigners() {
        let (ended, _) = Play::of(&[stuck.clone(), foreign.clone()]).flink(&["jobs", "roc"]);
        assert_eq!((ended.code, ended.stdout.as_str()), (1, ""), "{}: {ended}", foreign.name);
    }
}

pub fn second(rest: Option<Rest>) -> Pod {
    Pod { name: "roc-5d4-second", created: "2026-01-02T00:00:00Z", rest, ..own(IDLE) }
}

#[test]
fn of_several_jobmanagers_each_is_asked() {
    let on = |pod: &str| format!("{JOB}, 1 of 1 tasks running, on JobManager pod {pod}");
    is_refused(|| Play::of(&[own(BUSY), second(Some(IDLE))]), &on("roc-5d4-own"));
    is_refused(|| Play::of(&[own(IDLE), second(Some(BUSY))]), &on("roc-5d4-second"));
    is_refused(|| Play::of(&[own(IDLE), second(None)]), "JobManager pod roc-5d4-second cannot be asked");
    is_deleted(Play::of(&[own(IDLE), second(Some(IDLE))]));
}

#[test]
fn which_of_several_answers_for_a_session_is_not_guessed() {
    for words in [&["jobs", "roc"][..], &["cancel", "roc", "--all"], &["stop", "roc", "--all"]] {
        let (ended, server) = Play::of(&[own(BUSY), second(Some(IDLE))]).flink(words);
        assert_eq!((ended.code, ended.stdout.as_str()), (1, ""), "{words:?}: {ended}");
        let why = "cannot determine which JobManager answers for session roc";
        assert!(ended.stderr.contains(why) && ended.stderr.contains("roc-5d4-second"), "{ended}");
        assert!(server.writes().is_empty());
    }
    let (ended, _) = Play::of(&[own(BUSY), second(Some(IDLE))]).flink(&["status", "roc"]);
    let problem = "session roc has several JobManagers without high availability";
    assert!(ended.stdout.contains(problem), "{ended}");
}

#[test]
fn with_high_availability_the_leader_is_asked() {
    let play = |leader, own_rest, second_rest| Play {
        settings: "high-availability.type: kubernetes\n",
        leader,
        ..Play::of(&[own(own_rest), second(second_rest)])
    };
    let leads = || play(Some("ip-of-roc-5d4-own"), BUSY, None);
    is_refused(leads, JOB);
    let (ended, _) = leads().flink(&["jobs", "roc"]);
    assert!(ended.stdout.contains(RUNS), "{ended}");
    // Where the leader is not known, each must answer.
    is_refused(|| play(None, IDLE, None), "JobManager pod roc-5d4-second cannot be asked");
    // An address that the ConfigMap of an earlier session has left.
    let stale =
        || Play { settings: "rest.port: 8081\n", ..play(Some("ip-of-roc-5d4-second"), BUSY, Some(IDLE)) };
    is_refused(stale, JOB);
}

type Replicas = dyn Fn(&Rest, Option<Rest>) -> Play;

/// Two replicas of a session with high availability, whose leader is `leader` where it is known.
fn replicas(leader: Option<&'static str>, own_rest: Rest, second_rest: Option<Rest>) -> Play {
    Play {
        settings: "high-availability.type: kubernetes\n",
        leader,
        ..Play::of(&[own(own_rest), second(second_rest)])
    }
}

/// The deletion is not refused. With high availability it waits for the JobManagers to be gone, which these never are.
fn begins(play: Play) {
    let (ended, server) = play.flink(&["delete", "roc", "--yes", "--timeout", "1s"]);
    assert!(ended.code == 3 && ended.stderr.contains("session roc is not gone yet"), "{ended}");
    assert!(!server.writes().is_empty(), "{ended}");
}

#[test]
fn a_job_that_the_leader_alone_knows_is_not_lost() {
    let [first, newest] = [Some("ip-of-roc-5d4-own"), Some("ip-of-roc-5d4-second")];
    is_refused(|| replicas(first, BUSY, Some(IDLE)), JOB);
    is_refused(|| replicas(newest, IDLE, Some(BUSY)), JOB);
    // The leader's word counts, whatever a standby says.
    begins(replicas(first, IDLE, Some(Rest { is_electing: true, ..IDLE })));
    begins(replicas(newest, Rest { is_electing: true, ..IDLE }, Some(IDLE)));
}

#[test]
fn without_a_leader_that_is_known_each_replica_has_to_say_that_no_job_runs() {
    const ELECTING: Rest = Rest { is_electing: true, ..IDLE };
    let hidden = |own_rest: &Rest, second_rest: Option<Rest>| Play {
        may_read_leader: false,
        ..replicas(Some("ip-of-roc-5d4-own"), own_rest.clone(), second_rest)
    };
    let silent = |pod: &str| format!("JobManager pod {pod} cannot be asked");
    // No leader, one whose pod is gone, and one that this user may not read.
    let ways: [&Replicas; 3] = [
        &|own_rest, second_rest| replicas(None, own_rest.clone(), second_rest),
        &|own_rest, second_rest| replicas(Some("ip-of-roc-5d4-gone"), own_rest.clone(), second_rest),
        &hidden,
    ];
    for play in ways {
        is_refused(|| play(&BUSY, Some(IDLE)), JOB);
        is_refused(|| play(&IDLE, Some(BUSY)), JOB);
        is_refused(|| play(&ELECTING, Some(IDLE)), &silent("roc-5d4-own"));
        is_refused(|| play(&IDLE, Some(ELECTING)), &silent("roc-5d4-second"));
        is_refused(|| play(&IDLE, None), &silent("roc-5d4-second"));
        begins(play(&IDLE, Some(IDLE)));
    }
}

#[test]
fn a_rollout_that_hangs_hides_no_job() {
    let hanging = Pod {
        name: "roc-6e5-new",
        created: "2026-01-02T00:00:00Z",
        owner: Some(("ReplicaSet", "roc-6e5", "r2")),
        state: "ImagePullBackOff",
        rest: None,
        ..own(IDLE)
    };
    let play = || Play::of(&[own(BUSY), hanging.clone()]);
    is_refused(play, JOB);
    let (ended, _) = play().flink(&["status", "roc"]);
    assert!(ended.stdout.contains("the rollout of deployment.apps/roc does not finish"), "{ended}");
    assert!(ended.stdout.contains("kubectl rollout undo"), "{ended}");
    is_deleted(Play::of(&[own(IDLE), hanging]));
}

#[test]
fn the_port_is_that_of_the_service_or_of_the_configuration() {
    let at = |port| own(Rest { port, ..BUSY });
    is_refused(|| Play { target: json!(8085), ..Play::of(&[at(8085)]) }, JOB);
    is_refused(|| Play { target: json!("rest"), ..Play::of(&[at(8081)]) }, JOB);
    let (ended, _) = Play { target: json!(8085), ..Play::of(&[at(8085)]) }.flink(&["jobs", "roc"]);
    assert!(ended.stdout.contains(RUNS), "{ended}");
}

#[test]
fn a_job_that_the_list_leaves_out_is_not_taken_for_none() {
    let counted = || Play::of(&[own(Rest { hidden: 1, ..IDLE })]);
    is_refused(counted, "the JobManager lists 0 running jobs, and counts 1");
    let holds_a_slot = || Play::of(&[own(Rest { slots_in_use: 1, ..IDLE })]);
    is_refused(holds_a_slot, "1 task slots are in use");
}
