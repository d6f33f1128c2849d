//! Commands that are printed as advice, run by a shell as they stand, in the state in which they are printed.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};

use crate::delete;
use crate::jobmanagers::{BUSY, IDLE, Play, own, second};
use crate::process::{Ended, command, start_flink_as_printed};
use crate::running::Running;
use crate::server::{Server, failure};
use crate::standing::{self, CONFIG_MAPS, DEPLOYMENTS, Object, PODS, SERVICES, SETS, session};

pub const RUNS: &str = "aa11dc59d12b7474c390b0a756115346";

/// A namespace whose objects can be deleted, and the REST API of session `roc` in it.
pub struct Namespace {
    pub server: Server,
    pub state: Arc<Mutex<State>>,
}

#[derive(Default)]
pub struct State {
    pub objects: Vec<Object>,
    pub jobs: Vec<Value>,
    /// Ids of the TaskManagers that are registered.
    pub taskmanagers: Vec<&'static str>,
    /// What is deleted stays, as with a finalizer.
    pub holds: bool,
    /// A patch is the end of the JobManager, as where it scales to zero.
    pub ends_when_patched: bool,
    /// The state of every job after the first deletion.
    pub then: Option<&'static str>,
    /// The session forgets its first job once a request has had this in its line.
    pub forgets_after: Option<&'static str>,
    /// What Flink's client makes; a session where this is empty.
    pub client_makes: Vec<Object>,
    /// What another client makes just before the Job of this one.
    pub made_by_another: Vec<Object>,
    /// Ports of pods can be forwarded.
    pub forwards: bool,
}

impl Namespace {
    pub fn of(objects: Vec<Object>) -> Self {
        Self::with(State { objects, ..State::default() })
    }

    pub fn with(state: State) -> Self {
        let state = Arc::new(Mutex::new(state));
        let played = Arc::clone(&state);
        let server = Server::answering_queries(move |line, query| {
            let mut state = played.lock().expect("state");
            let line = match line.strip_prefix("REST GET ") {
                Some(path) => format!("GET {PODS}/roc-5d4-own:8081/proxy{path}"),
                None => in_namespace(line),
            };
            if state.forwards && line.ends_with("/portforward") {
                return None;
            }
            let answer = state
                .deed(&line, query)
                .or_else(|| state.rest(&line))
                .or_else(|| standing::answer(&state.objects, &line, query));
            if state.forgets_after.is_some_and(|words| line.contains(words)) {
                state.forgets_after = None;
                state.jobs.remove(0);
            }
            answer
        });
        Self { server, state }
    }

    pub fn flink(&self, words: &[&str]) -> Ended {
        self.server.flink(words)
    }

    /// True where nothing is left but what the garbage collector takes.
    pub fn is_empty(&self) -> bool {
        self.state.lock().expect("state").objects.iter().all(|(of, _)| *of == SETS)
    }

    pub fn start(&self, words: &[&str]) -> Running {
        Running::start(command(self.server.home.path(), words))
    }
}

/// A list of all namespaces is that of the only one.
fn in_namespace(line: &str) -> String {
    let is_of_all = line.starts_with("GET /api") && !line.contains("/namespaces");
    if is_of_all { line.replace("v1/", "v1/namespaces/team-a/") } else { line.to_owned() }
}

impl State {
    fn deed(&mut self, line: &str, query: &str) -> Option<(u16, Value)> {
        let (method, path) = line.split_once(' ')?;
        if method == "POST" && path.contains("/namespaces/team-a/") && !path.contains(":8081") {
            if path.ends_with("/jobs") && !query.contains("dryRun") {
                if !self.made_by_another.is_empty() {
                    self.objects.append(&mut self.made_by_another);
                    return Some(failure(409, "AlreadyExists", "jobs.batch \"boot-roc\" already exists"));
                }
                // Flink's client is quick.
                self.objects = match self.client_makes.is_empty() {
                    true => session(),
                    false => std::mem::take(&mut self.client_makes),
                };
            }
            return Some((201, json!({"metadata": {"name": "made", "uid": "u1"}})));
        }
        if method == "PATCH" {
            self.objects.retain(|(of, _)| *of != PODS || !self.ends_when_patched);
            return Some((200, json!({"metadata": {"name": "roc"}})));
        }
        let (collection, name) = path.rsplit_once('/').filter(|_| method == "DELETE")?;
        if !self.holds {
            self.objects.retain(|(of, object)| *of != collection || object["metadata"]["name"] != name);
        }
        if let Some(then) = self.then {
            self.jobs.iter_mut().for_each(|job| job["state"] = then.into());
        }
        Some((200, json!({"kind": "Status", "apiVersion": "v1", "status": "Success"})))
    }

    fn rest(&mut self, line: &str) -> Option<(u16, Value)> {
        let (before, path) = line.split_once(":8081/proxy")?;
        let is_post = before.starts_with("POST ");
        let body = match path {
            "/jars/upload" => {
                json!({"filename": "/tmp/w/2d9a3cb4-8b8e-4b57-9d1c-5c1b9f3a7e10_x.jar", "status": "success"})
            }
            "/jars/2d9a3cb4-8b8e-4b57-9d1c-5c1b9f3a7e10_x.jar/run" => {
                self.jobs.push(job(RUNS, "RUNNING", 1));
                json!({"jobid": RUNS})
            }
            "/jobmanager/config" => json!([{"key": "state.savepoints.dir", "value": "s3://b/sp"}]),
            path if path.ends_with("/savepoints") && is_post => json!({"request-id": "1f".repeat(16)}),
            path if path.contains("/savepoints/") => {
                json!({"status": {"id": "COMPLETED"}, "operation": {"location": "s3://b/sp/savepoint-1"}})
            }
            path if path.ends_with("/checkpoints") => {
                json!({"counts": {"completed": 0, "in_progress": 0, "failed": 0}, "latest": {}, "history": []})
            }
            "/jobs/overview" => json!({"jobs": self.jobs}),
            "/taskmanagers" => json!({"taskmanagers":
                self.taskmanagers.iter().map(|id| json!({"id": id, "slotsNumber": 1, "freeSlots": 1})).collect::<Vec<_>>()}),
            _ => {
                let id = path.strip_prefix("/jobs/")?;
                let Some(job) = self.jobs.iter().find(|job| job["jid"] == id) else {
                    return Some((404, json!({"errors": [format!("Job {id} not found")]})));
                };
                job.clone()
            }
        };
        Some((200, body))
    }
}

pub fn job(id: &str, state: &str, running: u32) -> Value {
    let mut job = delete::job(id, state, running);
    job["vertices"] = json!([]);
    job
}

/// The command that an error of a deletion without a terminal proposes.
pub fn confirmed(refused: &Ended) -> &str {
    assert_eq!(refused.code, 1, "{refused}");
    refused.printed("kubectl flink delete")
}

#[test]
fn leftovers_of_a_session_go_with_the_command_that_status_prints() {
    let mut left = standing::service("roc");
    left["metadata"]["ownerReferences"] = json!([]);
    let namespace = Namespace::of(vec![(SERVICES, left)]);
    let status = namespace.flink(&["status", "roc"]);
    assert!(status.stdout.contains("(orphaned)"), "{status}");
    let asked = namespace.server.flink_as_printed(status.printed("kubectl flink delete"));
    let gone = namespace.server.flink_as_printed(confirmed(&asked));
    assert!(gone.code == 0 && namespace.is_empty(), "{gone}");
}

#[test]
fn a_session_that_its_client_left_half_made_goes_with_the_command_that_status_prints() {
    let failed =
        json!([{"type": "Failed", "status": "True", "reason": "BackoffLimitExceeded", "message": "x"}]);
    let mut objects = session();
    objects.retain(|(of, _)| [DEPLOYMENTS, SETS].contains(of));
    objects.push(standing::bootstrap(failed));
    let mut pod = standing::pod("roc-5d4-own", standing::owned_by("ReplicaSet", "roc-5d4", "r1"));
    pod["status"] = json!({"phase": "Pending", "containerStatuses": [{"name": "flink-main-container", "ready": false,
        "state": {"waiting": {"reason": "ContainerCreating"}}}]});
    objects.push((PODS, pod));
    let namespace = Namespace::with(State { objects, ends_when_patched: true, ..State::default() });
    let status = namespace.flink(&["status", "roc"]);
    assert!(status.stdout.contains("(half-made)"), "{status}");
    let asked = namespace.server.flink_as_printed(status.printed("kubectl flink delete"));
    let gone = namespace.server.flink_as_printed(confirmed(&asked));
    assert!(gone.code == 0 && namespace.is_empty(), "{gone}");
}

#[test]
fn a_session_that_was_waited_for_is_looked_at_with_the_command_that_ctrl_c_prints() {
    let namespace = Namespace::of(vec![standing::bootstrap(json!([]))]);
    let mut wait = namespace.start(&["status", "roc", "--wait"]);
    while !wait.warning().starts_with("waiting for ") {}
    let end = wait.interrupt();
    let hint = end.stderr.iter().find_map(|line| line.strip_prefix("hint: ")).expect("a hint");
    let status = namespace.server.flink_as_printed(hint);
    assert!(status.code == 0 && status.stdout.starts_with("Session roc is Creating"), "{status}");
}

#[test]
fn a_restart_that_is_not_waited_for_prints_the_command_that_waits() {
    let namespace = Namespace::of(session());
    let restarted = namespace.flink(&["restart", "roc", "--wait=false"]);
    assert_eq!(restarted.code, 0, "{restarted}");
    let status = namespace.server.flink_as_printed(restarted.printed("kubectl flink status"));
    assert!(status.code == 0 && status.stdout.starts_with("Session roc is Running"), "{status}");
}

/// A session with one TaskManager and one job.
fn with_a_taskmanager(change: impl FnOnce(&mut State)) -> Namespace {
    let mut pod = standing::pod("roc-taskmanager-1-1", standing::owned_by("Deployment", "roc", "d1"));
    pod["metadata"]["labels"] = json!({"app": "roc", "type": standing::NATIVE, "component": "taskmanager"});
    let objects = [session(), vec![(PODS, pod)]].concat();
    let mut state = State { objects, taskmanagers: vec!["roc-taskmanager-1-1"], ..State::default() };
    change(&mut state);
    Namespace::with(state)
}

#[test]
fn taskmanagers_that_do_not_come_back_are_looked_at_with_the_printed_command() {
    let namespace = with_a_taskmanager(|state| state.holds = true);
    let late = namespace.flink(&["restart", "roc", "--taskmanagers", "--timeout", "1s"]);
    assert_eq!(late.code, 3, "{late}");
    let status = namespace.server.flink_as_printed(late.printed("kubectl flink status"));
    assert!(status.code == 0 && status.stdout.contains("roc-taskmanager-1-1"), "{status}");
}

#[test]
fn a_job_that_fails_with_its_taskmanager_is_looked_at_with_the_printed_command() {
    let namespace = with_a_taskmanager(|state| {
        (state.jobs, state.then) = (vec![job(RUNS, "RUNNING", 1)], Some("FAILED"));
    });
    let failed = namespace.flink(&["restart", "roc", "--taskmanagers", "--force"]);
    assert_eq!(failed.code, 1, "{failed}");
    let shown = namespace.server.flink_as_printed(failed.printed("kubectl flink jobs"));
    assert!(shown.code == 0 && shown.stdout.contains(&format!("({RUNS}) is FAILED")), "{shown}");
}

#[test]
fn commands_that_need_a_session_or_take_none_name_the_one_that_lists_them() {
    let namespace = Namespace::of(session());
    for words in [&["delete"][..], &["ls", "roc", "-A"]] {
        let refused = namespace.flink(words);
        assert_eq!(refused.code, 1, "{refused}");
        let list = namespace.server.flink_as_printed(refused.printed("kubectl flink ls"));
        assert!(list.code == 0 && list.stdout.contains("roc "), "{list}");
    }
    let refused = namespace.flink(&["ls", "roc", "-l", "app=roc"]);
    let typed = refused.printed("kubectl flink ls").replace("NAME", "roc");
    let list = namespace.server.flink_as_printed(&typed);
    assert!(
        list.code == 0 && list.stdout.lines().nth(1).is_some_and(|row| row.starts_with("roc ")),
        "{list}"
    );
}

#[test]
fn flags_of_status_that_need_others_are_printed_with_them() {
    let mut objects = session();
    standing::change(&mut objects, "flink-config-roc", CONFIG_MAPS, |config| {
        config["data"]["flink-conf.yaml"] = "jobmanager.memory.process.size: 2g\n".into();
    });
    let namespace = Namespace::of(objects);
    let fill = |ended: &Ended| {
        assert_eq!(ended.code, 1, "{ended}");
        ended.printed("kubectl flink status").replace("NAME", "roc").replace("VERSION", "1.15")
    };
    let old = namespace.flink(&["status", "roc", "--operator-version", "1.15"]);
    let manifest = namespace.server.flink_as_printed(&fill(&old));
    // As operators before 1.16 have it.
    assert!(manifest.code == 0 && manifest.stdout.contains("resource:\n"), "{manifest}");
    for (words, shows) in [
        (&["status", "-o", "flinkdeployment"][..], "kind: FlinkDeployment"),
        (&["status", "--wait"], "Session roc is Running"),
    ] {
        let shown = namespace.server.flink_as_printed(&fill(&namespace.flink(words)));
        assert!(shown.code == 0 && shown.stdout.contains(shows), "{shown}");
    }
    let watch = fill(&namespace.flink(&["status", "-w"]));
    let mut watch = start_flink_as_printed(namespace.server.home.path(), &watch);
    assert!(watch.line().starts_with("Session roc is Running"));
    assert_eq!(watch.interrupt().code, 130);
}

/// The commands of a refusal that leave the jobs no other way than the one that they name.
#[test]
fn a_session_with_a_job_is_deleted_in_each_way_that_the_refusal_prints() {
    for (way, told, fate) in [
        ("to stop them with savepoints first: ", "savepoint s3://BUCKET/DIR/savepoint-1", "FINISHED"),
        ("to cancel them first: ", "canceled", "CANCELED"),
        ("to delete it all the same: ", "deployment.apps \"roc\" deleted", "RUNNING"),
    ] {
        let session = delete::Session::with(|state| state.jobs = vec![job(RUNS, "RUNNING", 1)]);
        let refused = session.flink(&["delete", "roc", "--yes", "--address", &session.url()]);
        assert_eq!(refused.code, 4, "{refused}");
        let typed = refused.printed(way).strip_prefix(way).expect("a command");
        let deleted = session.server.flink_as_printed(typed);
        assert!(deleted.code == 0 && deleted.stdout.contains(told), "{way}{deleted}");
        assert_eq!(session.state.lock().expect("state").jobs[0]["state"], fate, "{way}");
    }
}

#[test]
fn jobs_that_a_refusal_does_not_name_are_listed_by_its_command() {
    let jobs: Vec<Value> = (0..13).map(|number| job(&format!("{number:032x}"), "RUNNING", 1)).collect();
    let session = delete::Session::with(|state| state.jobs = jobs);
    let refused = session.flink(&["delete", "roc", "--yes", "--address", &session.url()]);
    assert!(refused.stderr.contains("because: and 3 more: "), "{refused}");
    let list = session.server.flink_as_printed(refused.printed("kubectl flink jobs"));
    assert!(list.code == 0 && list.stdout.matches(" RUNNING ").count() == 13, "{list}");
}

#[test]
fn a_job_without_a_savepoint_is_looked_at_with_the_printed_command() {
    let session = delete::Session::with(|state| state.jobs = vec![job(RUNS, "RESTARTING", 0)]);
    let refused = session.flink(&["delete", "roc", "--yes", "--savepoint", "--address", &session.url()]);
    assert_eq!(refused.code, 4, "{refused}");
    let shown = session.server.flink_as_printed(refused.printed("kubectl flink jobs"));
    assert!(shown.code == 0 && shown.stdout.contains(&format!("({RUNS}) is RESTARTING")), "{shown}");
}

#[test]
fn the_jobs_of_a_program_that_starts_are_seen_by_the_printed_command() {
    let session = delete::Session::with(|state| state.busy = vec!["flink-jar-runner-thread-1"]);
    let refused = session.flink(&["delete", "roc", "--yes", "--address", &session.url()]);
    assert_eq!(refused.code, 4, "{refused}");
    let typed = refused.printed("kubectl flink jobs");
    let mut watch = start_flink_as_printed(session.server.home.path(), typed);
    assert_eq!(watch.row_within(Duration::from_millis(300)), None);
    session.state.lock().expect("state").jobs = vec![job(RUNS, "RUNNING", 1)];
    assert!(watch.row().starts_with("JOB ID") && watch.row().starts_with(RUNS));
    assert_eq!(watch.interrupt().code, 130);
}

#[test]
fn why_one_of_several_jobmanagers_cannot_be_chosen_is_told_by_the_printed_command() {
    let mut waits = BUSY;
    waits.state = ("RUNNING", 0);
    for (own, words) in [(BUSY, &["jobs", "roc"][..]), (waits, &["delete", "roc", "--yes", "--savepoint"])] {
        let (refused, server) = Play::of(&[self::own(own), second(Some(IDLE))]).flink(words);
        assert_ne!(refused.code, 0, "{refused}");
        let status = server.flink_as_printed(refused.printed("kubectl flink status"));
        assert!(status.code == 0 && status.stdout.contains("(independent-jobmanagers)"), "{status}");
        assert!(status.stdout.contains("ready: roc-5d4-own, roc-5d4-second"), "{status}");
    }
}

#[test]
fn the_help_that_an_error_names_describes_the_flag() {
    let namespace = Namespace::of(Vec::new());
    let refused = namespace.flink(&["create", "roc", "--label", "team=search and find"]);
    assert!(refused.code == 1 && refused.stderr.contains("--label"), "{refused}");
    let help = namespace.server.flink_as_printed(refused.printed("kubectl flink create"));
    assert!(help.code == 0 && help.stdout.contains("--label <KEY=VALUE>"), "{help}");
}

/// What `create` prints on a document that it leaves out.
fn left_out(namespace: &Namespace, words: &[&str], manifest: &str) -> Ended {
    std::fs::write(namespace.server.home.path().join("my file.yaml"), manifest).expect("file");
    let mut create =
        command(namespace.server.home.path(), &[&["create"][..], words, &["--dry-run=client"]].concat());
    create.current_dir(namespace.server.home.path());
    create.stdin(std::fs::File::open(namespace.server.home.path().join("my file.yaml")).expect("file"));
    let output = create.output().expect("program");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
    let ended = Ended {
        code: output.status.code().unwrap_or(-1),
        stdout: text(output.stdout),
        stderr: text(output.stderr),
    };
    assert_eq!(ended.code, 0, "{ended}");
    ended
}

const OF_FLINK: &str = "apiVersion: flink.apache.org/v1beta1\n";

fn deployment(name: &str) -> String {
    format!(
        "{OF_FLINK}kind: FlinkDeployment\nmetadata: {{name: {name}}}\nspec: {{image: 'flink:2.3.0'}}\n---\n"
    )
}

#[test]
fn a_session_that_is_left_out_is_created_by_the_printed_command() {
    let manifest = deployment("blue") + &deployment("roc");
    for (file, how, input) in
        [("my file.yaml", " creates it", ""), ("-", " creates it, with the same input", " < 'my file.yaml'")]
    {
        let namespace = Namespace::of(Vec::new());
        let told = left_out(&namespace, &["blue", "-f", file], &manifest);
        let typed = told.printed("kubectl flink create").strip_suffix(how).expect("how");
        let created = namespace.server.flink_as_printed(&format!("{typed}{input}"));
        assert!(created.code == 0 && created.stderr.contains("Session roc is ready"), "{created}");
    }
}

#[test]
fn a_job_that_is_left_out_is_started_by_the_printed_command() {
    let namespace = Namespace::of(session());
    let job = "kind: FlinkSessionJob\nmetadata: {name: clicks}\nspec:\n  deploymentName: roc\n  flinkConfiguration: {pipeline.name: a b}\n  job: {jarURI: 'https://x/my+jar.jar', entryClass: Programs, parallelism: 4, args: [long, it's new]}\n";
    let told = left_out(&namespace, &["-f", "my file.yaml"], &(deployment("roc") + OF_FLINK + job));
    std::fs::copy(crate::jar_names::PROGRAMS, namespace.server.home.path().join("my+jar.jar"))
        .expect("a copy");
    let (typed, _) = told.printed("kubectl flink submit").split_once(" starts it once").expect("how");
    let started = namespace.server.flink_as_printed(typed);
    assert_eq!((started.code, started.stdout.trim_end()), (0, RUNS), "{started}");
    let run =
        namespace.server.writes().into_iter().find(|write| write.line.ends_with("/run")).expect("a run");
    assert_eq!(run.body["programArgsList"], json!(["long", "it's new"]));
    assert_eq!((&run.body["entryClass"], &run.body["parallelism"]), (&json!("Programs"), &json!(4)));
    assert_eq!(run.body["flinkConfiguration"]["pipeline.name"], "a b");
}

#[test]
fn savepoints_that_are_left_out_are_taken_by_the_printed_command() {
    let namespace = Namespace::of(session());
    namespace.state.lock().expect("state").jobs = vec![job(RUNS, "RUNNING", 1)];
    let snapshot = "kind: FlinkStateSnapshot\nmetadata: {name: before}\nspec: {jobReference: {kind: FlinkDeployment, name: roc}, savepoint: {}}\n";
    let told = left_out(&namespace, &["-f", "my file.yaml"], &(deployment("roc") + OF_FLINK + snapshot));
    let (typed, _) = told.printed("kubectl flink savepoint").split_once(" takes a savepoint").expect("how");
    let taken = namespace.server.flink_as_printed(typed);
    assert!(taken.code == 0 && taken.stdout.contains("s3://b/sp/savepoint-1"), "{taken}");
}
