//! The web UI by way of `ui`: many requests at once, a JobManager that moves, a real browser, and pages of other
//! sites in that browser.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::lab::{FLINK_1_20, FLINK_2_3, Lab, QUICK, small};
use crate::running::Running;

const BROWSER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/browser/browser");
const OTHER_SITE: &str = include_str!("../browser/other-site.html");
const PROGRAMS: &[u8] = include_bytes!("job/programs.jar");

/// A `ui` that has printed its address.
pub struct Ui {
    running: Running,
    url: String,
}

impl Ui {
    pub fn start(lab: &Lab, more: &[&str]) -> Self {
        let mut running = Running::start(lab.command(&[&["ui", "roc"], more].concat()));
        let url = running.line();
        assert_eq!(running.warning(), "The web UI of session roc is there until Ctrl-C.");
        Self { running, url }
    }

    /// `HOST:PORT`.
    fn address(&self) -> &str {
        self.url.strip_prefix("http://").and_then(|url| url.strip_suffix('/')).expect("a URL")
    }

    pub fn get(&self, path: &str) -> (u16, String) {
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

    /// Runs a job called `long`, and returns the ids of its jar and of itself once it is running.
    fn run_a_job(&self, lab: &Lab) -> (String, String) {
        let head = "--b\r\nContent-Disposition: form-data; name=\"jarfile\"; filename=\"programs.jar\"\r\n\
            Content-Type: application/java-archive\r\n\r\n";
        let form = [head.as_bytes(), PROGRAMS, b"\r\n--b--\r\n"].concat();
        let uploaded = self.post("/jars/upload", "multipart/form-data; boundary=b", &form);
        let id = uploaded["filename"].as_str().and_then(|path| path.rsplit('/').next()).expect("a jar");
        let program = json!({"programArgsList": ["long"], "parallelism": 1}).to_string();
        let started = self.post(&format!("/jars/{id}/run"), "application/json", program.as_bytes());
        lab.until("the job", || {
            let jobs = self.json("/jobs/overview");
            jobs["jobs"][0]["tasks"]["running"].as_u64() >= Some(1)
        });
        (id.to_owned(), started["jobid"].as_str().expect("a job").to_owned())
    }

    pub fn end(self) -> (i32, Vec<String>) {
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
    let text = show(&(ui.url.trim_end_matches('/').to_owned() + page), "long", &picture, &[]);
    for word in [version, "RUNNING", "long"] {
        assert!(text.contains(word), "{word} is not on the page:\n{text}");
    }
    assert!(std::fs::metadata(&picture).expect("picture").len() > 10_000);

    // The page itself uploads, and starts and cancels a job, with the requests of its own.
    let script = ["--script", concat!(env!("CARGO_MANIFEST_DIR"), "/tests/browser/own-page.js")];
    let done = scratch.path().join("done.png");
    let text = show(&format!("{}#/submit", ui.url), "uploaded, ran and canceled", &done, &script);
    assert!(text.contains("by-the-page.jar"), "the page does not show its upload:\n{text}");
    assert_eq!(ui.end().0, 0);
}

/// What a browser shows at `url`, once `until` stands there.
fn show(url: &str, until: &str, picture: &Path, more: &[&str]) -> String {
    let browser = Command::new(BROWSER)
        .args([url, "--until", until, "--timeout", "90", "--picture"])
        .arg(picture)
        .args(more)
        .output()
        .expect("tests/browser/browser");
    let text = String::from_utf8_lossy(&browser.stdout).into_owned();
    assert!(browser.status.success(), "{text}{}", String::from_utf8_lossy(&browser.stderr));
    text
}

/// Serves a page of another site on another port, until the tests end, and a jar for it.
fn other_site() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("port");
    let port = listener.local_addr().expect("address").port();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            // A browser opens connections that it never uses: each has a thread.
            std::thread::spawn(move || {
                let lines = BufReader::new(stream.try_clone().expect("stream")).lines().map_while(Result::ok);
                let head: Vec<String> = lines.take_while(|line| !line.is_empty()).collect();
                let (kind, body) = match head.first() {
                    Some(line) if line.starts_with("GET /programs.jar ") => {
                        ("application/java-archive", PROGRAMS)
                    }
                    _ => ("text/html", OTHER_SITE.as_bytes()),
                };
                let length = body.len();
                let head = format!(
                    "HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"
                );
                let _ = stream.write_all(&[head.as_bytes(), body].concat());
            });
        }
    });
    port
}

#[test]
fn a_page_of_another_site_cannot_upload_run_or_read() {
    let lab = Lab::new("ui-other-site");
    let sizes = ["--taskmanager-cpu", "0.2", "--taskmanager-memory", "1024m"];
    lab.flink_ok(&[&["create", "roc", "--image", FLINK_2_3.0], small(FLINK_2_3.0), &sizes].concat());
    let ui = Ui::start(&lab, &[]);
    let (jar, job) = ui.run_a_job(&lab);
    // Asked for another way than through the port.
    let names = || {
        let jars = lab.rest_json("roc", "/jars");
        let jars = jars["files"].as_array().expect("jars").iter().map(|jar| jar["name"].to_string());
        let jobs = lab.rest_json("roc", "/jobs");
        (jars.collect::<Vec<_>>(), jobs["jobs"].to_string())
    };
    let before = names();
    assert_eq!(before.0.len(), 1, "{before:?}");
    assert!(before.1.contains(&job) && before.1.contains("RUNNING"), "{before:?}");

    let scratch = tempfile::tempdir().expect("scratch directory");
    let picture = scratch.path().join("page.png");
    let (own, other) = (ui.address().to_owned(), other_site());
    // For a browser the first is the same site with another origin, the others are another site.
    for host in ["127.0.0.1", "localhost", "other.example"] {
        let page = format!("http://{host}:{other}/?port={own}&jar={jar}&job={job}");
        let text = show(&page, "all was tried", &picture, &[]);
        assert_eq!(text.matches("upload by").count(), 4, "{text}");
        assert!(!text.contains("could read"), "from {host}:\n{text}");
        assert_eq!(names(), before, "from {host}:\n{text}");
    }
    // A name that was made to lead here: for a browser its page is of one origin with the port.
    let port = own.rsplit(':').next().expect("a port");
    let text = show(&format!("http://other.example:{port}/overview"), "is not accepted", &picture, &[]);
    assert!(!text.contains("slots-total"), "{text}");

    // A link leads to the web UI, and to nothing that is behind it.
    let link = |path: &str| format!("http://localhost:{other}/?port={own}&link={path}");
    show(&link("/%23/overview"), FLINK_2_3.1, &picture, &[]);
    for path in ["/overview".to_owned(), format!("/jobs/{job}/yarn-cancel")] {
        let text = show(&link(&path), "requests from other sites are not accepted", &picture, &[]);
        assert!(!text.contains("slots-total"), "{text}");
    }
    assert_eq!(names(), before);

    // The user can permit the name.
    assert_eq!(ui.end().0, 0);
    let ui = Ui::start(&lab, &["--port", port, "--accept-hosts", r".*\.example"]);
    show(&format!("http://other.example:{port}/#/overview"), FLINK_2_3.1, &picture, &[]);
    assert_eq!(ui.end().0, 0);
}
