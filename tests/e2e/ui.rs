//! The web UI by way of `ui`: many requests at once, a JobManager that moves, a real browser.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Command;

use serde_json::{Value, json};

use crate::lab::{FLINK_1_20, FLINK_2_3, Lab, QUICK, small};
use crate::running::Running;

/// A `ui` that has printed its address.
struct Ui {
    running: Running,
    url: String,
}

impl Ui {
    fn start(lab: &Lab, more: &[&str]) -> Self {
        let mut running = Running::start(lab.command(&[&["ui", "roc"], more].concat()));
        let url = running.line();
        assert_eq!(running.warning(), "The web UI of session roc is there until Ctrl-C.");
        Self { running, url }
    }

    /// `HOST:PORT`.
    fn address(&self) -> &str {
        self.url.strip_prefix("http://").and_then(|url| url.strip_suffix('/')).expect("a URL")
    }

    fn get(&self, path: &str) -> (u16, String) {
        get(self.address(), path)
    }

    fn json(&self, path: &str) -> Value {
        let (status, body) = self.get(path);
        assert_eq!(status, 200, "{path}: {body}");
        serde_json::from_str(&body).expect("JSON")
    }

    fn post(&self, path: &str, content_type: &str, body: &[u8]) -> Value {
        let (status, body) = exchange(self.address(), "POST", path, content_type, body);
        assert_eq!(status, 200, "{path}: {body}");
        serde_json::from_str(&body).expect("JSON")
    }

    /// Runs a job called `long`, and returns once it is running.
    fn run_a_job(&self, lab: &Lab) {
        let jar =
            std::fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/e2e/job/programs.jar")).expect("jar");
        let head = "--b\r\nContent-Disposition: form-data; name=\"jarfile\"; filename=\"programs.jar\"\r\n\
            Content-Type: application/java-archive\r\n\r\n";
        let form = [head.as_bytes(), &jar, b"\r\n--b--\r\n"].concat();
        let uploaded = self.post("/jars/upload", "multipart/form-data; boundary=b", &form);
        let id = uploaded["filename"].as_str().and_then(|path| path.rsplit('/').next()).expect("a jar");
        let program = json!({"programArgsList": ["long"], "parallelism": 1}).to_string();
        self.post(&format!("/jars/{id}/run"), "application/json", program.as_bytes());
        lab.until("the job", || {
            let jobs = self.json("/jobs/overview");
            jobs["jobs"][0]["tasks"]["running"].as_u64() >= Some(1)
        });
    }

    fn end(self) -> (i32, Vec<String>) {
        let end = self.running.interrupt();
        assert_eq!(end.stdout, [""; 0], "one line is all");
        (end.code, end.stderr)
    }
}

/// No status is an answer that never came.
fn get(address: &str, path: &str) -> (u16, String) {
    exchange(address, "GET", path, "text/plain", &[])
}

fn exchange(address: &str, method: &str, path: &str, content_type: &str, body: &[u8]) -> (u16, String) {
    let mut stream = TcpStream::connect(address).expect("connection");
    let head = format!(
        "{method} {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nContent-Type: {content_type}\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    let mut answer = Vec::new();
    let sent = stream.write_all(&[head.as_bytes(), body].concat());
    // A connection that is cut is an answer that never came.
    let _ = sent.and_then(|()| stream.read_to_end(&mut answer));
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
    let body = answer.split_once("\r\n\r\n").map(|(_, body)| body.to_owned()).unwrap_or_default();
    (status, body)
}

#[test]
fn hundreds_are_served_at_once_and_the_jobmanager_may_move() {
    let lab = Lab::new("ui");
    lab.flink_ok(&[&["create", "roc", "--image", FLINK_2_3.0], &QUICK[..]].concat());
    let ui = Ui::start(&lab, &[]);
    let (status, page) = ui.get("/");
    assert!(status == 200 && page.contains("Apache Flink"), "{status} {page}");

    let address = ui.address();
    let answers: Vec<(u16, String)> = std::thread::scope(|scope| {
        let asked: Vec<_> = (0..300).map(|_| scope.spawn(|| get(address, "/overview"))).collect();
        asked.into_iter().map(|asked| asked.join().expect("answer")).collect()
    });
    let wrong: Vec<_> = answers.iter().filter(|(status, _)| *status != 200).collect();
    assert!(wrong.is_empty(), "{} of {}: {:?}", wrong.len(), answers.len(), wrong[0]);
    assert!(answers.iter().all(|(_, body)| body.contains(FLINK_2_3.1)));

    let port = ui.address().rsplit(':').next().expect("a port").to_owned();
    let busy = lab.flink(&["ui", "roc", "--port", &port]);
    busy.failed(1, &[&format!("port {port} on 127.0.0.1 is in use"), "leave --port out"]);

    let pod = || lab.kubectl_ok(&["get", "pod", "-l", "app=roc,component=jobmanager", "-o", "name"]);
    let before = pod();
    lab.kubectl_ok(&["delete", before.trim()]);
    lab.until("the new JobManager", || ui.get("/overview").0 == 200);
    let after = pod();
    assert_ne!(before, after);
    let (code, told) = ui.end();
    assert_eq!(code, 0, "{told:#?}");
    // Once each, whoever waited.
    let [_, away, found] = told.as_slice() else { panic!("{told:#?}") };
    assert!(
        away.starts_with("Warning: the JobManager of session roc is away, and requests wait: "),
        "{away}"
    );
    assert_eq!(*found, format!("The JobManager answers again: {}", after.trim()));

    let ui = Ui::start(&lab, &["--port", &port]);
    assert!(ui.address().ends_with(&port));
    lab.kubectl_ok(&["delete", "deployment", "roc"]);
    let end = ui.running.end();
    assert_eq!(end.code, 1, "{end:?}");
    assert_eq!(end.stderr.last().map(String::as_str), Some("error: session roc is gone"));
}

#[test]
fn a_browser_shows_a_job_of_flink_1_20() {
    a_browser_shows_a_job("ui-1-20", FLINK_1_20, "/#/overview");
}

#[test]
fn a_browser_shows_a_job_of_flink_2_3() {
    a_browser_shows_a_job("ui-2-3", FLINK_2_3, "/#/job/running");
}

/// `KUBECTL_FLINK_TEST_PICTURES` names a directory that keeps what the browser saw.
fn a_browser_shows_a_job(test: &str, (image, version): (&str, &str), page: &str) {
    let lab = Lab::new(test);
    let sizes = ["--taskmanager-cpu", "0.2", "--taskmanager-memory", "1024m"];
    lab.flink_ok(&[&["create", "roc", "--image", image], small(image), &sizes].concat());
    let ui = Ui::start(&lab, &[]);
    ui.run_a_job(&lab);

    let scratch = tempfile::tempdir().expect("scratch directory");
    let kept = std::env::var_os("KUBECTL_FLINK_TEST_PICTURES").map(Into::into);
    let picture = kept.unwrap_or_else(|| scratch.path().to_owned()).join(format!("{test}.png"));
    let browser = Command::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/browser/browser"))
        .arg(ui.url.trim_end_matches('/').to_owned() + page)
        .args(["--until", "long", "--timeout", "60", "--picture"])
        .arg(&picture)
        .output()
        .expect("tests/browser/browser");
    let text = String::from_utf8_lossy(&browser.stdout);
    assert!(browser.status.success(), "{text}{}", String::from_utf8_lossy(&browser.stderr));
    for word in [version, "RUNNING", "long"] {
        assert!(text.contains(word), "{word} is not on the page:\n{text}");
    }
    assert!(std::fs::metadata(&picture).expect("picture").len() > 10_000);
    assert_eq!(ui.end().0, 0);
}
