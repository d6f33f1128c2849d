//! A session in a played cluster, whose jobs can be started, saved and ended. What its REST does can be otherwise,
//! request by request.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};

use crate::process::{Ended, command};
use crate::running::{End, Running};
use crate::server::{Answer, Server};
use crate::standing::{self, Object};

/// The job that a program starts.
pub const JOB: &str = "aa11dc59d12b7474c390b0a756115346";

pub struct Played {
    pub server: Server,
    pub state: Arc<Mutex<State>>,
}

pub struct State {
    pub version: &'static str,
    /// What the cluster has of it.
    pub objects: Vec<Object>,
    pub jobs: Vec<Value>,
    /// Ids of the jars that lie there.
    jars: Vec<String>,
    /// A savepoint was asked for.
    pub is_saved: bool,
    /// The program runs, and the request to run it is not answered.
    pub is_slow: bool,
}

impl Played {
    /// REST does as Flink does, but for the requests that `fault` answers.
    pub fn with(fault: impl Fn(&str, &mut State) -> Option<Answer> + Send + Sync + 'static) -> Self {
        let state = Arc::new(Mutex::new(State {
            version: "1.16.3",
            objects: standing::session(),
            jobs: Vec::new(),
            jars: Vec::new(),
            is_saved: false,
            is_slow: false,
        }));
        let played = Arc::clone(&state);
        let server = Server::answering_queries(move |line, query| {
            let mut state = played.lock().expect("state");
            if let Some((before, path)) = line.split_once(":8081/proxy") {
                let line = format!("{} {path}", before.split(' ').next().unwrap_or_default());
                let answer = fault(&line, &mut state).or_else(|| state.rest(&line, query));
                let is_slow = state.is_slow && line.ends_with("/run");
                drop(state);
                if is_slow {
                    std::thread::sleep(Duration::from_secs(30));
                }
                return answer;
            }
            state.cluster(line).or_else(|| standing::answer(&state.objects, line, query))
        });
        Self { server, state }
    }

    /// The same with a job that runs.
    pub fn with_job(fault: impl Fn(&str, &mut State) -> Option<Answer> + Send + Sync + 'static) -> Self {
        let played = Self::with(fault);
        played.state.lock().expect("state").jobs = vec![job(JOB, "RUNNING", 1)];
        played
    }

    pub fn of(self, version: &'static str) -> Self {
        self.state.lock().expect("state").version = version;
        self
    }

    pub fn flink(&self, words: &[&str]) -> Ended {
        self.server.flink(words)
    }

    pub fn start(&self, words: &[&str]) -> Running {
        Running::start(command(self.server.home.path(), words))
    }

    pub fn flink_as_printed(&self, printed: &str) -> Ended {
        self.server.flink_as_printed(printed)
    }

    /// What the only job has come to.
    pub fn job_is(&self) -> String {
        let state = self.state.lock().expect("state");
        let [job] = &state.jobs[..] else { panic!("{:?}", state.jobs) };
        job["state"].as_str().expect("a state").to_owned()
    }

    /// Waits until a request for `line` has come.
    pub fn until_asked(&self, line: &str) {
        let end = std::time::Instant::now() + Duration::from_secs(20);
        while !self.server.asked().iter().any(|asked| asked.ends_with(line)) {
            assert!(std::time::Instant::now() < end, "no request for {line}: {:?}", self.server.asked());
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

/// The command in the hint of a program that was interrupted, from `start` on.
pub fn printed<'e>(end: &'e End, start: &str) -> &'e str {
    let hint = end.stderr.iter().find_map(|line| Some(&line[line.find(start)?..]));
    hint.unwrap_or_else(|| panic!("{start:?} is not in {end:?}"))
}

pub fn job(id: &str, state: &str, running: u32) -> Value {
    let end = if state == "RUNNING" { -1 } else { 1_767_225_700_000_i64 };
    json!({"jid": id, "name": "orders", "state": state, "start-time": 1_767_225_600_000_i64, "end-time": end,
        "duration": 60_000, "tasks": {"total": 1, "running": running}, "vertices": []})
}

impl State {
    /// The garbage collector is quick.
    fn cluster(&mut self, line: &str) -> Option<Answer> {
        match line.split_once(' ')? {
            ("DELETE", path) if path.contains("/namespaces/team-a/") => self.objects.clear(),
            ("PATCH", _) => {}
            _ => return None,
        }
        Some((
            200,
            json!({"kind": "Status", "apiVersion": "v1", "status": "Success", "metadata": {"name": "roc"}}),
        ))
    }

    pub fn end(&mut self, state: &str) {
        self.jobs.iter_mut().for_each(|of| *of = job(of["jid"].as_str().expect("id"), state, 0));
    }

    fn rest(&mut self, line: &str, query: &str) -> Option<Answer> {
        let (method, path) = line.split_once(' ')?;
        if let Some(jar) = path.strip_prefix("/jars/").filter(|_| method == "DELETE") {
            self.jars.retain(|id| id != jar);
            return Some((200, json!({})));
        }
        if path.ends_with("/run") {
            self.jobs.push(job(JOB, "RUNNING", 1));
        }
        if method == "PATCH" || path.ends_with("/stop") {
            self.end(if method == "PATCH" { "CANCELED" } else { "FINISHED" });
        }
        if method == "POST" && (path.ends_with("/savepoints") || path.ends_with("/stop")) {
            self.is_saved = true;
        }
        let jobs = &self.jobs;
        Some((
            200,
            match path {
                "/overview" => {
                    json!({"taskmanagers": 0, "slots-total": 0, "slots-available": 0, "jobs-running": 0,
                "jobs-finished": 0, "jobs-cancelled": 0, "jobs-failed": 0, "flink-version": self.version, "flink-commit": "x"})
                }
                "/jars/upload" => {
                    let id = format!("c27e0000-0000-4000-8000-{:012}_{query}", self.jars.len());
                    self.jars.push(id.clone());
                    json!({"filename": format!("/tmp/w/{id}"), "status": "success"})
                }
                "/jars" => json!({"address": "", "files": self.jars.iter()
                .map(|id| json!({"id": id, "name": id.split_once('_').map(|(_, name)| name), "uploaded": 1, "entry": []}))
                .collect::<Vec<_>>()}),
                path if path.ends_with("/run") => json!({"jobid": JOB}),
                "/jobmanager/config" => json!([{"key": "state.savepoints.dir", "value": "s3://b/sp"}]),
                "/jobmanager/thread-dump" => json!({"threadInfos": []}),
                "/jobs/overview" => json!({"jobs": jobs}),
                "/jobs" => json!({"jobs": jobs.iter()
                .map(|job| json!({"id": job["jid"], "status": job["state"]})).collect::<Vec<_>>()}),
                "/taskmanagers" => json!({"taskmanagers": []}),
                _ if method != "GET" => json!({"request-id": "1f".repeat(16)}),
                path if path.contains("/savepoints/") => {
                    if !self.is_saved {
                        return Some((
                            404,
                            json!({"errors": ["There is no savepoint operation with this id."]}),
                        ));
                    }
                    json!({"status": {"id": "COMPLETED"}, "operation": {"location": "s3://b/sp/savepoint-1"}})
                }
                path if path.ends_with("/checkpoints") => {
                    json!({"counts": {"completed": 0, "in_progress": 0, "failed": 0}, "latest": {}, "history": []})
                }
                path if path.ends_with("/exceptions") => json!({"root-exception":
                "java.lang.NullPointerException\n\tat a.B.c(B.java:1)\n", "timestamp": 1_767_225_700_000_i64,
                "exceptionHistory": {"entries": [{"stacktrace": "java.lang.NullPointerException\n\tat a.B.c(B.java:1)\n",
                    "timestamp": 1_767_225_700_000_i64, "concurrentExceptions": []}]}}),
                path => jobs.iter().find(|job| path.strip_prefix("/jobs/") == job["jid"].as_str())?.clone(),
            },
        ))
    }
}
