//! Jars whose names mean something else in a URL, in a form or on a terminal: what the session and the user see of them.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use crate::process::Ended;
use crate::server::{Answer, Server};

pub const JOB: &str = "aa11dc59d12b7474c390b0a756115346";
pub const PROGRAMS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/e2e/job/programs.jar");
pub const NO_MAIN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/e2e/job/no-main.jar");

/// Names that a file may have.
const NAMES: [&str; 9] = [
    "a+b.jar",
    "50%25.jar",
    "what?.jar",
    "a#b&c=d.jar",
    "my \"best\" job.jar",
    "back\\slash.jar",
    "订单-é.jar",
    "...jar",
    "it's $HOME.jar",
];

/// A session that keeps what is uploaded, as Flink does.
pub struct Session {
    pub server: Server,
    /// Ids of the jars that lie there.
    jars: Arc<Mutex<Vec<String>>>,
}

/// What a session does with a request, where it is otherwise than well.
pub type Fault = fn(&str) -> Option<Answer>;

impl Session {
    pub fn with(fault: Fault) -> Self {
        let jars: Arc<Mutex<Vec<String>>> = Arc::default();
        let (there, has_run) = (Arc::clone(&jars), AtomicBool::new(false));
        let server = Server::answering_queries(move |line, name| {
            if line == "POST /jars/upload" {
                let id = format!("c27e0000-0000-4000-8000-{:012}_{name}", there.lock().expect("jars").len());
                there.lock().expect("jars").push(id.clone());
                return fault(line).or_else(|| {
                    Some((200, json!({"filename": format!("/tmp/w/{id}"), "status": "success"})))
                });
            }
            if let Some(segment) = line.strip_prefix("DELETE /jars/") {
                there.lock().expect("jars").retain(|id| id != segment);
                return Some((200, json!({})));
            }
            fault(line).or_else(|| answer(line, &there.lock().expect("jars"), &has_run))
        });
        Self { server, jars }
    }

    /// Submits a copy of the jar `of` that is called `name`.
    pub fn submit(&self, of: &str, name: &str, words: &[&str]) -> Ended {
        let jar = self.server.home.path().join(name);
        std::fs::copy(of, &jar).expect("a copy");
        let address = format!("http://{}", self.server.address);
        let words = [&["submit", "roc", jar.to_str().expect("UTF-8"), "--address", &address], words].concat();
        self.server.flink(&words)
    }

    pub fn jars(&self) -> Vec<String> {
        self.jars.lock().expect("jars").clone()
    }

    /// The name of the one upload, which has to be short and to mean the same everywhere.
    fn safe_names(&self) -> Vec<String> {
        let names = self.server.uploaded();
        for name in &names {
            let is_safe = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
            assert!(name.chars().all(is_safe) && name.len() <= 80, "{name:?}");
            assert!(name.starts_with("kubectl-flink-") && name.ends_with(".jar"), "{name:?}");
        }
        names
    }
}

fn answer(line: &str, jars: &[String], has_run: &AtomicBool) -> Option<Answer> {
    let ok = |body: Value| Some((200, body));
    let file = |id: &String| {
        let name = id.split_once('_').map(|(_, name)| name);
        json!({"id": id, "name": name, "uploaded": 1, "entry": []})
    };
    match line {
        "GET /overview" => {
            ok(json!({"taskmanagers": 0, "slots-total": 0, "slots-available": 0, "jobs-running": 0,
            "jobs-finished": 0, "jobs-cancelled": 0, "jobs-failed": 0, "flink-version": "1.16.3", "flink-commit": "x"}))
        }
        "GET /jobs/overview" if !has_run.load(Ordering::SeqCst) => ok(json!({"jobs": []})),
        "GET /jobs/overview" => ok(json!({"jobs": [{"jid": JOB, "name": "orders", "state": "RUNNING",
            "start-time": 1_767_225_600_000_i64, "end-time": -1, "duration": 1, "tasks": {"total": 1, "running": 1}}]})),
        "GET /jars" => ok(json!({"address": "", "files": jars.iter().map(file).collect::<Vec<_>>()})),
        line if line.ends_with("/run") && jars.iter().any(|id| line == format!("POST /jars/{id}/run")) => {
            has_run.store(true, Ordering::SeqCst);
            ok(json!({"jobid": JOB}))
        }
        _ => None,
    }
}

#[test]
fn a_jar_of_any_name_is_submitted_and_shown_as_it_is_called_here() {
    for name in NAMES {
        let session = Session::with(|_| None);
        let ended = session.submit(PROGRAMS, name, &["--", "long"]);
        assert_eq!((ended.code, ended.stdout.trim_end()), (0, JOB), "{name:?}: {ended}");
        assert!(ended.stderr.starts_with(&format!("uploaded {name}: ")), "{name:?}: {ended}");
        assert!(!ended.stderr.contains("kubectl-flink-"), "{name:?}: {ended}");
        assert_eq!((session.safe_names().len(), session.jars()), (1, Vec::new()), "{name:?}");
    }
}

#[test]
fn a_long_name_and_a_line_break_in_a_name_do_no_harm() {
    let long = "o".repeat(250) + ".jar";
    for (name, shown) in [(long.as_str(), long.as_str()), ("two\nlines.jar", "two")] {
        let session = Session::with(|_| None);
        let ended = session.submit(PROGRAMS, name, &[]);
        assert_eq!(ended.code, 0, "{name:?}: {ended}");
        assert!(ended.stderr.starts_with(&format!("uploaded {shown}")), "{name:?}: {ended}");
        assert_eq!((session.safe_names().len(), session.jars()), (1, Vec::new()), "{name:?}");
    }
}

#[test]
fn a_program_that_fails_leaves_no_jar_and_is_named_as_it_is_called_here() {
    let session = Session::with(|line| {
        let id = line.strip_prefix("POST /jars/")?.strip_suffix("/run")?;
        let errors = format!("org.apache.flink.util.FlinkException: cannot open /tmp/w/{id}");
        Some((400, json!({"errors": [errors]})))
    });
    let ended = session.submit(PROGRAMS, "a+b.jar", &["--keep-jar"]);
    assert_eq!(ended.code, 1, "{ended}");
    assert!(ended.stderr.contains("error: the program in a+b.jar failed\n"), "{ended}");
    assert!(ended.stderr.contains("cannot open a+b.jar\n"), "{ended}");
    assert_eq!((session.safe_names().len(), session.jars()), (1, Vec::new()));
}

/// Every answer to an upload is lost, and the session lists no jars in between.
#[test]
fn a_jar_that_arrived_without_an_answer_is_removed() {
    let session = Session::with(|line| match line {
        "POST /jars/upload" => Some((502, json!("bad gateway"))),
        _ => None,
    });
    let ended = session.submit(PROGRAMS, "a+b.jar", &[]);
    // It is found under its own name, and used.
    assert_eq!((ended.code, session.jars()), (0, Vec::new()), "{ended}");
    assert_eq!(session.safe_names().len(), 1);

    let session = Session::with(|line| match line {
        "POST /jars/upload" => Some((200, json!({"filename": ""}))),
        _ => None,
    });
    let ended = session.submit(PROGRAMS, "a+b.jar", &["--keep-jar"]);
    assert_eq!((ended.code, session.jars()), (1, Vec::new()), "{ended}");
    assert!(ended.stderr.contains("cannot upload ") && ended.stderr.contains("a+b.jar"), "{ended}");
}

#[test]
fn a_jar_that_is_kept_is_shown_with_its_name_there() {
    let session = Session::with(|_| None);
    let ended = session.submit(PROGRAMS, "a+b.jar", &["--keep-jar"]);
    assert_eq!(ended.code, 0, "{ended}");
    let [id] = &session.jars()[..] else { panic!("{:?}", session.jars()) };
    assert!(ended.stderr.contains(&format!("kept a+b.jar in session roc as {id}\n")), "{ended}");
}

#[test]
fn a_command_in_a_hint_has_the_name_as_one_word() {
    let session = Session::with(|_| None);
    for (name, typed) in [("my job.jar", "my job.jar'"), ("it's.jar", r"it'\''s.jar'")] {
        let ended = session.submit(NO_MAIN, name, &[]);
        let hint = ended.stderr.lines().find(|line| line.starts_with("hint: ")).expect("a hint");
        let start = format!("hint: kubectl flink submit roc '{}/", session.server.home.path().display());
        assert!(hint.starts_with(&start) && hint.contains(&format!("/{typed} --class Programs")), "{hint}");
    }
}
