//! Every command that is stopped by SIGINT, SIGTERM or SIGHUP: what it tidies up, reports, and exits with.

use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::process::command;
use crate::running::{End, Running};
use crate::server::{Answer, Server};

const SIGNALS: [(&str, i32); 3] = [("INT", 130), ("TERM", 143), ("HUP", 129)];

const JOB: &str = "aa11dc59d12b7474c390b0a756115346";
const JAR: &str = "c27e0000-0000-4000-8000-000000000000_programs.jar";
const PROGRAMS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/e2e/job/programs.jar");

/// A session's REST that never answers requests that start with `hangs_on`.
struct Session {
    server: Server,
    address: String,
}

/// The jars that the session has.
type Jars = Arc<Mutex<Vec<Value>>>;

fn answer(line: &str, jars: &Mutex<Vec<Value>>) -> Option<Answer> {
    let ok = |body: Value| Some((200, body));
    match line {
        "GET /overview" => {
            ok(json!({"taskmanagers": 0, "slots-total": 0, "slots-available": 0, "jobs-running": 0,
            "jobs-finished": 0, "jobs-cancelled": 0, "jobs-failed": 0, "flink-version": "2.3.0", "flink-commit": "x"}))
        }
        "GET /jobs/overview" => ok(json!({"jobs": [{"jid": JOB, "name": "orders", "state": "RUNNING",
            "start-time": 1_767_225_600_000_i64, "end-time": -1, "duration": 1, "tasks": {"total": 1, "running": 1}}]})),
        "GET /jobmanager/config" => {
            ok(json!([{"key": "execution.checkpointing.savepoint-dir", "value": "s3://b/sp"}]))
        }
        "GET /jars" => ok(json!({"address": "", "files": *jars.lock().expect("jars")})),
        "POST /jars/upload" => ok(json!({"filename": format!("/tmp/{JAR}"), "status": "success"})),
        line if line.starts_with("DELETE /jars/") => ok(json!({})),
        line if line.ends_with("/checkpoints") => Some((
            404,
            json!({"errors": ["org.apache.flink.runtime.rest.handler.RestHandlerException: Checkpointing has not been enabled."]}),
        )),
        line if line.ends_with("/savepoints") || line.ends_with("/stop") => ok(json!({"request-id": JOB})),
        line if line.contains("/savepoints/") => ok(json!({"status": {"id": "IN_PROGRESS"}})),
        _ => None,
    }
}

impl Session {
    fn hanging_on(hangs_on: &'static [&'static str]) -> Self {
        Self::with_jars(hangs_on, Jars::default())
    }

    fn with_jars(hangs_on: &'static [&'static str], jars: Jars) -> Self {
        let server = Server::answering(move |line| {
            if hangs_on.iter().any(|start| line.starts_with(start)) {
                std::thread::park_timeout(Duration::from_secs(60));
            }
            answer(line, &jars)
        });
        let kubeconfig =
            std::fs::read_to_string(server.home.path().join(".kube/config")).expect("kubeconfig");
        let kubeconfig: Value = serde_json::from_str(&kubeconfig).expect("JSON");
        let address = kubeconfig["clusters"][0]["cluster"]["server"].as_str().expect("server").to_owned();
        Self { server, address }
    }

    fn command(&self, words: &[&str]) -> Command {
        let (verb, rest) = words.split_first().expect("a command");
        let words = [&[*verb, "roc", "--address", &self.address][..], rest].concat();
        command(self.server.home.path(), &words)
    }

    fn until_asked(&self, line: &str) {
        until_asked(&self.server, line);
    }

    /// Sends the signal once the command waits for the answer that does not come.
    fn stopped_at(&self, words: &[&str], line: &str, signal: &str) -> End {
        let running = Running::start(self.command(words));
        self.until_asked(line);
        running.signal(signal);
        running.end()
    }

    fn removals(&self) -> Vec<String> {
        self.server.asked().into_iter().filter(|line| line.starts_with("DELETE ")).collect()
    }
}

fn until_asked(server: &Server, start: &str) {
    let began = Instant::now();
    while !server.asked().iter().any(|line| line.starts_with(start)) {
        assert!(began.elapsed() < Duration::from_secs(20), "{start}: {:?}", server.asked());
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn says(end: &End, line: &str) -> bool {
    end.stderr.iter().any(|told| told == line)
}

#[test]
fn a_submit_stopped_in_main_removes_its_jar_and_says_that_a_job_may_run() {
    let run = format!("POST /jars/{JAR}/run");
    for (signal, code) in SIGNALS {
        let session =
            Session::hanging_on(&["POST /jars/c27e0000-0000-4000-8000-000000000000_programs.jar/run"]);
        let end = session.stopped_at(&["submit", PROGRAMS], &run, signal);
        assert_eq!((end.code, &end.stdout[..]), (code, &[][..]), "{signal}: {end:?}");
        let told = "error: interrupted: the program in programs.jar may have started a job";
        assert!(says(&end, told), "{signal}: {end:?}");
        assert_eq!(session.removals(), [format!("DELETE /jars/{JAR}")], "{signal}");
    }
}

#[test]
fn a_submit_stopped_in_its_upload_leaves_no_jar() {
    for (signal, code) in SIGNALS {
        let jars = Jars::default();
        let session = Session::with_jars(&["POST /jars/upload"], Arc::clone(&jars));
        let running = Running::start(session.command(&["submit", PROGRAMS]));
        session.until_asked("POST /jars/upload");
        // All of it has arrived, and the answer has not.
        let name = session.server.uploaded().pop().expect("the name of the jar");
        let of_others = json!({"id": "9_programs.jar", "name": "programs.jar", "uploaded": 1, "entry": []});
        let of_it = json!({"id": JAR, "name": name, "uploaded": 1, "entry": []});
        jars.lock().expect("jars").extend([of_others, of_it]);
        running.signal(signal);
        let end = running.end();
        assert_eq!(end.code, code, "{signal}: {end:?}");
        assert!(says(&end, "error: interrupted: nothing was started"), "{signal}: {end:?}");
        assert_eq!(session.removals(), [format!("DELETE /jars/{JAR}")], "{signal}");
    }
}

#[test]
fn a_second_signal_does_not_wait_for_anything() {
    for (signal, code) in SIGNALS {
        // The jar cannot be removed for seconds.
        let session = Session::hanging_on(&[
            "POST /jars/c27e0000-0000-4000-8000-000000000000_programs.jar/run",
            "DELETE /jars/",
        ]);
        let running = Running::start(session.command(&["submit", PROGRAMS]));
        session.until_asked(&format!("POST /jars/{JAR}/run"));
        running.signal(signal);
        session.until_asked("DELETE /jars/");
        // What a shell forwards at once is the same signal.
        running.signal(signal);
        std::thread::sleep(Duration::from_millis(400));
        let began = Instant::now();
        running.signal(signal);
        let end = running.end();
        assert!(began.elapsed() < Duration::from_secs(1), "{signal}: {:?}", began.elapsed());
        assert_eq!(end.code, code, "{signal}: {end:?}");
        let told = "error: interrupted again: what was being tidied up may still be there";
        assert!(says(&end, told), "{signal}: {end:?}");
    }
}

#[test]
fn savepoints_and_stops_name_the_request_that_goes_on() {
    let asks = format!("GET /jobs/{JOB}/savepoints/");
    for (signal, code) in SIGNALS {
        for words in [&["savepoint", JOB][..], &["stop", JOB], &["stop", "--all"], &["savepoint", "--all"]] {
            let session = Session::hanging_on(&[]);
            let end = session.stopped_at(words, &asks, signal);
            assert_eq!(end.code, code, "{signal} {words:?}: {end:?}");
            let hint = end.stderr.iter().any(|line| line.starts_with("hint: kubectl flink "));
            assert!(hint && end.stderr.iter().any(|line| line.contains("interrupted")), "{end:?}");
        }
    }
}

#[test]
fn what_only_looks_ends_with_the_code_of_the_signal() {
    for (signal, code) in SIGNALS {
        for (hangs_on, line, words) in [
            (&["GET /jobs/overview"][..], "GET /jobs/overview", &["jobs"][..]),
            (&["GET /overview"], "GET /overview", &["jobs", "-w"]),
            (&["PATCH /"], "PATCH /", &["cancel", JOB]),
        ] {
            let session = Session::hanging_on(hangs_on);
            let end = session.stopped_at(words, line, signal);
            assert_eq!(end.code, code, "{signal} {words:?}: {end:?}");
        }
    }
}

/// A session whose bootstrap Job is at work, or nothing at all.
fn starting(line: &str) -> Option<Answer> {
    let metadata = json!({"name": "boot-roc", "namespace": "team-a", "uid": "j1",
        "labels": {"app": "roc", "app.kubernetes.io/managed-by": "kubectl-flink", "app.kubernetes.io/component": "bootstrap"},
        "creationTimestamp": "2026-01-01T00:00:00Z"});
    let job = json!({"apiVersion": "batch/v1", "kind": "Job", "metadata": metadata, "status": {},
        "spec": {"template": {"spec": {"containers": [{"name": "bootstrap", "image": "flink:2.3.0"}]}}}});
    match line {
        "GET /apis/batch/v1/namespaces/team-a/jobs/boot-roc" => Some((200, job)),
        "GET /apis/batch/v1/namespaces/team-a/jobs" => Some((200, json!({"metadata": {}, "items": [job]}))),
        _ => None,
    }
}

#[test]
fn waits_for_kubernetes_end_with_the_code_of_the_signal() {
    let jobs = "GET /apis/batch/v1/namespaces/team-a/jobs";
    for (signal, code) in SIGNALS {
        for (words, line, told) in [
            (&["status", "roc", "--wait"][..], jobs, Some("session roc was not ready yet")),
            (&["delete", "roc", "--yes"], "DELETE ", Some("session roc is not gone yet")),
            (&["status", "roc", "-w"], jobs, None),
            (&["ls", "-w"], jobs, None),
        ] {
            let server = Server::answering(starting);
            let running = Running::start(command(server.home.path(), words));
            until_asked(&server, line);
            // Into the wait.
            std::thread::sleep(Duration::from_millis(300));
            running.signal(signal);
            let end = running.end();
            assert_eq!(end.code, code, "{signal} {words:?}: {end:?}");
            let says = |told: &str| says(&end, &format!("error: interrupted: {told}"));
            assert!(told.is_none_or(says), "{signal} {words:?}: {end:?}");
        }
    }
}

/// The program and its arguments, for a shell.
fn words(program: &Command) -> String {
    let words = std::iter::once(program.get_program()).chain(program.get_args());
    words.map(|word| format!("'{}'", word.to_string_lossy())).collect::<Vec<_>>().join(" ")
}

/// A shell that runs the program with its signals as the parent process has set them.
fn with_ignored(signals: &str, program: &Command) -> Command {
    let mut shell = Command::new("/bin/sh");
    shell.args(["-c", &format!("trap '' {signals}; exec {}", words(program))]).env_clear();
    shell.envs(program.get_envs().filter_map(|(name, value)| Some((name, value?))));
    shell
}

#[test]
#[cfg(target_os = "linux")]
fn a_signal_that_the_parent_ignores_stays_ignored() {
    for (ignored, ends_with) in [("HUP", ("TERM", 143)), ("INT", ("HUP", 129)), ("INT HUP", ("TERM", 143))] {
        let server = Server::answering(starting);
        let running =
            Running::start(with_ignored(ignored, &command(server.home.path(), &["status", "roc", "--wait"])));
        until_asked(&server, "GET /apis/batch/v1/namespaces/team-a/jobs");
        std::thread::sleep(Duration::from_millis(300));
        ignored.split(' ').for_each(|signal| running.signal(signal));
        std::thread::sleep(Duration::from_millis(300));
        let (signal, code) = ends_with;
        running.signal(signal);
        let end = running.end();
        assert_eq!(end.code, code, "{ignored}: {end:?}");
    }
}

/// Nothing can be written to a terminal that was closed: each write to it fails.
#[test]
#[cfg(target_os = "linux")]
fn a_closed_terminal_keeps_nothing_from_being_tidied_up() {
    for verbosity in ["-v0", "-v8"] {
        let session =
            Session::hanging_on(&["POST /jars/c27e0000-0000-4000-8000-000000000000_programs.jar/run"]);
        // `script` makes a terminal, and closes it when it is killed.
        let program = session.command(&["submit", PROGRAMS, verbosity]);
        let status = session.server.home.path().join("status");
        // The shell lives on, and the program has the signal's default effect to begin with.
        let pid = session.server.home.path().join("pid");
        let program = format!("(echo $BASHPID >{}; exec {})", pid.display(), words(&program));
        let line = format!("trap : HUP; {program}; echo $? >{}", status.display());
        let mut script = Command::new("script");
        script.args(["-qec", &line, "/dev/null"]);
        script.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
        script
            .env("HOME", session.server.home.path())
            .env("TERM", "xterm")
            .env("SHELL", "/bin/bash")
            .stdin(std::process::Stdio::piped());
        let terminal = Running::start(script);
        session.until_asked(&format!("POST /jars/{JAR}/run"));
        terminal.signal("KILL");
        // Not every kernel has it that a terminal's end is a signal.
        let pid = std::fs::read_to_string(pid).expect("id");
        assert!(Command::new("kill").args(["-HUP", pid.trim()]).status().expect("kill").success());
        session.until_asked(&format!("DELETE /jars/{JAR}"));
        let began = Instant::now();
        while std::fs::read_to_string(&status).unwrap_or_default().trim() != "129" {
            let now = std::fs::read_to_string(&status);
            assert!(began.elapsed() < Duration::from_secs(10), "{verbosity}: {now:?}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

#[test]
#[cfg(target_os = "linux")]
fn a_question_ends_with_the_code_of_the_signal() {
    for (signal, code) in SIGNALS {
        let server = Server::answering(starting);
        let program = command(server.home.path(), &["delete", "roc"]);
        // The program's own id, for the signal.
        let pid = server.home.path().join("pid");
        let line = format!(
            "echo $$ >{}; exec {} delete roc --color=never",
            pid.display(),
            program.get_program().to_string_lossy()
        );
        let mut script = Command::new("script");
        script.args(["-qec", &line, "/dev/null"]).env_clear();
        script.env("PATH", std::env::var_os("PATH").unwrap_or_default()).env("HOME", server.home.path());
        script.stdin(std::process::Stdio::piped());
        let mut terminal = Running::start(script);
        let mut told = Vec::new();
        // The question has no end of line; what stands before it does.
        while !told.last().is_some_and(|line: &String| line.contains("job.batch/boot-roc")) {
            told.push(terminal.line());
        }
        std::thread::sleep(Duration::from_millis(300));
        let pid = std::fs::read_to_string(pid).expect("id");
        let signal = format!("-{signal}");
        assert!(Command::new("kill").args([&signal, pid.trim()]).status().expect("kill").success());
        let end = terminal.end();
        assert_eq!(end.code, code, "{signal}: {end:?}");
        assert!(end.stdout.iter().any(|line| line.contains("error: interrupted")), "{end:?}");
        assert!(server.writes().is_empty(), "{signal}: {:?}", server.writes());
    }
}
