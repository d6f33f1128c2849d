//! A slow line, one that loses connections, and one on which nothing comes: slow is not sick, and a bad line is not
//! the end.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::collections::Collections;
use crate::collections::Of::Deployments;
use crate::process::{Ended, write_kubeconfig};
use crate::server::{Answer, Server, failure, table_of_pods};
use crate::watch::{HEADER, WATCH, added, deployment, interrupted, row};

/// What becomes of one connection.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Fate {
    Well,
    /// Reset before a byte is read.
    ResetAtOnce,
    /// Reset once the request is there, which the server never sees.
    ResetAtRequest,
    /// The server has the request, and the line is reset before its answer.
    ResetAtAnswer,
    /// Closed after so many bytes of the answer.
    ClosedAfter(usize),
    /// The same, by a reset.
    ResetAfter(usize),
    /// Each packet takes this long, either way.
    Lag(Duration),
    /// Taken, and nothing comes.
    Silent,
}

/// A line to a server, on which things go wrong.
struct Line {
    address: SocketAddr,
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    connections: AtomicUsize,
    frozen: AtomicBool,
    /// Connections of an earlier one come to nothing.
    epoch: AtomicUsize,
}

impl Line {
    /// To `server`, with the fate of each connection by its number, from 0 on, and by the first line on it.
    fn to(server: SocketAddr, fate: impl Fn(usize, &str) -> Fate + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("port");
        let address = listener.local_addr().expect("address");
        let state: Arc<State> = Arc::default();
        let line = Self { address, state: Arc::clone(&state) };
        let fate = Arc::new(fate);
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let number = state.connections.fetch_add(1, Ordering::SeqCst);
                let (fate, state) = (Arc::clone(&fate), Arc::clone(&state));
                std::thread::spawn(move || drop(carry(client, server, number, &*fate, &state)));
            }
        });
        line
    }

    fn connections(&self) -> usize {
        self.state.connections.load(Ordering::SeqCst)
    }

    /// As a server that is stopped: what is sent arrives, and nothing comes back until it goes on.
    fn freeze(&self, is_frozen: bool) {
        self.state.frozen.store(is_frozen, Ordering::SeqCst);
    }

    /// What is open now comes to nothing, without a word.
    fn forget_all(&self) {
        self.state.epoch.fetch_add(1, Ordering::SeqCst);
    }
}

fn carry(
    mut client: TcpStream,
    server: SocketAddr,
    number: usize,
    fate: &dyn Fn(usize, &str) -> Fate,
    state: &Arc<State>,
) -> std::io::Result<()> {
    if fate(number, "") == Fate::ResetAtOnce {
        return reset(client);
    }
    // Looked at, and left there.
    let mut start = [0; 200];
    let length = client.peek(&mut start)?;
    let first = String::from_utf8_lossy(&start[..length]).into_owned();
    let fate = fate(number, first.lines().next().unwrap_or_default());
    match fate {
        Fate::ResetAtRequest => return reset(client),
        Fate::Silent => loop {
            std::thread::park();
        },
        _ => {}
    }
    let lag = if let Fate::Lag(lag) = fate { lag } else { Duration::ZERO };
    let mut upstream = TcpStream::connect(server)?;
    let (mut from, mut to) = (client.try_clone()?, upstream.try_clone()?);
    let shared = Arc::clone(state);
    std::thread::spawn(move || pump(&mut from, &mut to, lag, &shared));
    match fate {
        Fate::ResetAtAnswer => {
            upstream.peek(&mut start)?;
            upstream.shutdown(Shutdown::Both)?;
            end(client)
        }
        Fate::ClosedAfter(bytes) | Fate::ResetAfter(bytes) => {
            // One that is shorter comes whole, and so may the next.
            let mut left = vec![0; bytes];
            while !left.is_empty() {
                let length @ 1.. = upstream.read(&mut left)? else { break };
                client.write_all(&left[..length])?;
                left.truncate(left.len() - length);
            }
            // What was written is read before the end is noticed.
            std::thread::sleep(Duration::from_millis(20));
            upstream.shutdown(Shutdown::Both)?;
            match fate {
                Fate::ResetAfter(_) => end(client),
                _ => client.shutdown(Shutdown::Both),
            }
        }
        _ => {
            pump(&mut upstream, &mut client, lag, state);
            Ok(())
        }
    }
}

fn pump(from: &mut TcpStream, to: &mut TcpStream, lag: Duration, state: &State) {
    let epoch = state.epoch.load(Ordering::SeqCst);
    let mut bytes = [0; 16 * 1024];
    while let Ok(length @ 1..) = from.read(&mut bytes) {
        std::thread::sleep(lag);
        while state.frozen.load(Ordering::SeqCst) {
            std::thread::sleep(Duration::from_millis(10));
        }
        if state.epoch.load(Ordering::SeqCst) != epoch {
            continue;
        }
        if to.write_all(&bytes[..length]).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Both);
}

/// The same of one that another thread reads.
fn end(stream: TcpStream) -> std::io::Result<()> {
    let other = stream.try_clone()?;
    reset(stream)?;
    other.shutdown(Shutdown::Both)
}

/// Ends a connection as a machine does that knows nothing of it.
fn reset(stream: TcpStream) -> std::io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    let _entered = runtime.enter();
    stream.set_nonblocking(true)?;
    let stream = tokio::net::TcpStream::from_std(stream)?;
    stream.set_zero_linger()?;
    drop(stream);
    Ok(())
}

/// Words of libraries, of their layers and of the system's numbers.
const NOT_OURS: [&str; 14] = [
    "deadline has elapsed",
    "error trying to connect",
    "client error",
    "connection closed before message completed",
    "operation was canceled",
    "channel closed",
    "error reading a body",
    "invalid peer certificate",
    "os error",
    "HyperError",
    "ServiceError",
    "/api",
    "tls handshake eof",
    "connection error",
];

fn is_in_our_words(ended: &Ended) {
    let libraries: Vec<&&str> = NOT_OURS.iter().filter(|words| ended.stderr.contains(**words)).collect();
    assert!(libraries.is_empty(), "{libraries:?} in {ended}");
}

/// A healthy session, `roc`; its REST answers unless it is not to.
pub fn healthy(line: &str) -> Option<Answer> {
    let labels = json!({"app": "roc", "type": "flink-native-kubernetes", "component": "jobmanager"});
    let mut session = deployment("roc", 9);
    session["status"] = json!({"readyReplicas": 1});
    Some(match line {
        "GET /apis/apps/v1/namespaces/team-a/deployments/roc" => (200, session),
        "GET /apis/apps/v1/namespaces/team-a/deployments" => {
            (200, json!({"metadata": {}, "items": [session]}))
        }
        "GET /api/v1/namespaces/team-a/pods" => {
            let (code, mut table) = table_of_pods(&[["roc-1-2", "1/1", "Running"]]);
            table["items"] = json!([{
                "metadata": {"name": "roc-1-2", "namespace": "team-a", "uid": "p", "labels": labels,
                    "ownerReferences": [{"kind": "ReplicaSet", "name": "roc-1", "uid": "r"}],
                    "creationTimestamp": "2026-01-01T00:00:00Z"},
                "spec": {"containers": [{"name": "c", "args": ["kubernetes-session"]}]},
                "status": {"phase": "Running", "podIP": "10.0.0.1",
                    "conditions": [{"type": "Ready", "status": "True"}],
                    "containerStatuses": [{"name": "c", "ready": true, "restartCount": 0,
                        "state": {"running": {"startedAt": "2026-01-01T00:00:00Z"}}}]}}]);
            (code, table)
        }
        "GET /api/v1/namespaces/team-a/services" => {
            let (code, mut services) = services();
            services["items"] = json!(["roc", "roc-rest"].map(|name| json!({"metadata":
                {"name": name, "namespace": "team-a", "labels": labels}, "spec": {"type": "ClusterIP"}})));
            (code, services)
        }
        "REST GET /overview" => (200, overview()),
        line if line.starts_with("REST GET /jobs/overview") => (200, json!({"jobs": []})),
        line if line.starts_with("REST GET /taskmanagers") => (200, json!({"taskmanagers": []})),
        line if line.starts_with("REST GET /jobmanager/metrics") => {
            (200, json!([{"id": "Status.JVM.Memory.Heap.Used", "value": "1"}]))
        }
        line if line.starts_with("REST ") => (404, json!({"errors": ["Not found"]})),
        _ => return None,
    })
}

fn services() -> Answer {
    let columns = json!([{"name": "Name"}, {"name": "Type"}]);
    let rows = json!([{"cells": ["roc", "ClusterIP"]}, {"cells": ["roc-rest", "ClusterIP"]}]);
    (200, json!({"kind": "Table", "columnDefinitions": columns, "rows": rows}))
}

fn overview() -> Value {
    json!({"taskmanagers": 0, "slots-total": 0, "slots-available": 0, "jobs-running": 0, "flink-version": "2.3.0"})
}

/// `healthy`, but REST leaves every question.
fn silent_rest(line: &str) -> Option<Answer> {
    if line.starts_with("REST ") { None } else { healthy(line) }
}

fn over(server: &Server, fate: impl Fn(usize, &str) -> Fate + Send + Sync + 'static) -> Line {
    let line = Line::to(server.address, fate);
    server.write_kubeconfig(&format!("http://{}", line.address));
    line
}

#[test]
fn a_line_that_loses_connections_costs_no_read() {
    let server = Server::answering(healthy);
    let commands: [&[&str]; 4] = [
        &["ls", "-o", "json"],
        &["status", "roc", "-o", "jsonpath={.healthy} {.jobs} {.unknown}"],
        &["jobs", "roc"],
        &["ls", "-o", "custom-columns=N:.metadata.name,L:.status.load.slotsTotal"],
    ];
    let well: Vec<String> = commands.iter().map(|words| server.flink(words).to_string()).collect();
    assert!(well.iter().all(|ended| ended.starts_with("exit 0")), "{well:#?}");
    for fate in [
        Fate::ResetAtOnce,
        Fate::ResetAtRequest,
        Fate::ResetAtAnswer,
        Fate::ClosedAfter(70),
        Fate::ResetAfter(150),
    ] {
        for nth in [2, 3] {
            let line = over(&server, move |number, _| if number % nth == 0 { fate } else { Fate::Well });
            for (words, well) in commands.iter().zip(&well) {
                let ended = server.flink(words);
                assert_eq!(ended.to_string(), *well, "{words:?}, every connection of {nth}: {fate:?}");
            }
            assert!(line.connections() > 4, "{}", line.connections());
        }
    }
}

#[test]
fn a_line_that_loses_every_connection_is_told_soon_and_in_our_words() {
    let server = Server::answering(healthy);
    for (fate, how) in [
        (Fate::ResetAtOnce, " "),
        (Fate::ResetAtRequest, "was reset, 8 times in a row"),
        (Fate::ResetAtAnswer, ", 8 times in a row"),
        (Fate::ClosedAfter(10), "was closed before the answer came, 8 times in a row"),
        (Fate::ClosedAfter(90), "was lost in the middle of the answer, 8 times in a row"),
    ] {
        let line = over(&server, move |_, _| fate);
        let began = Instant::now();
        let ended = server.flink(&["ls"]);
        assert!(began.elapsed() < Duration::from_secs(8), "{:?}", began.elapsed());
        assert_eq!((ended.code, ended.stdout.as_str()), (1, ""), "{fate:?}: {ended}");
        let start = format!("Unable to connect to the server: the connection to {} ", line.address);
        assert!(ended.stderr.starts_with(&start) && ended.stderr.contains(how), "{fate:?}: {ended}");
        is_in_our_words(&ended);
    }
}

/// The server has the request, and its connection is lost before the answer.
fn lose_it() -> Option<Answer> {
    std::panic::resume_unwind(Box::new("the line is lost"))
}

#[test]
fn what_writes_is_sent_once_whatever_becomes_of_it() {
    const JOBS: &str = "POST /apis/batch/v1/namespaces/team-a/jobs";
    let server = Server::answering_queries(|line, query| match line {
        "GET /api/v1/namespaces/team-a/serviceaccounts/flink" => {
            Some((200, json!({"metadata": {"name": "flink"}})))
        }
        line if line.contains("accessreviews") => Some((201, json!({"status": {"allowed": true}}))),
        JOBS if query.contains("dryRun") => Some((201, json!({"metadata": {}}))),
        JOBS => lose_it(),
        _ => None,
    });
    let ended = server.flink(&["create", "roc", "--rbac=none", "--wait=false"]);
    assert_eq!((ended.code, ended.stdout.as_str()), (1, ""), "{ended}");
    assert!(ended.stderr.contains(" was closed before the answer came\n"), "{ended}");
    let writes: Vec<String> = server.writes().into_iter().map(|write| write.line).collect();
    assert_eq!(writes, [JOBS]);
    is_in_our_words(&ended);
}

#[test]
fn a_review_only_reads_and_is_asked_again() {
    let server = Server::answering(|line| match line {
        line if line.contains("accessreviews") => Some((201, json!({"status": {"allowed": false}}))),
        _ => None,
    });
    let _line = over(&server, |number, _| if number % 2 == 0 { Fate::ResetAtAnswer } else { Fate::Well });
    let ended = server.flink(&["create", "roc"]);
    assert!(!ended.stderr.contains("Unable to connect"), "{ended}");
    assert!(server.asked().iter().any(|line| line.contains("accessreviews")));
}

#[test]
fn a_slow_line_makes_no_healthy_session_sick() {
    let server = Server::answering(healthy);
    for milliseconds in [0, 100, 250, 750] {
        let _line = over(&server, move |_, _| Fate::Lag(Duration::from_millis(milliseconds)));
        let ended = server.flink(&["status", "roc", "--exit-code"]);
        assert_eq!(ended.code, 0, "{milliseconds} ms either way: {ended}");
        assert!(ended.stdout.starts_with("Session roc is Running: Flink 2.3.0, JobManager 1/1"), "{ended}");
        assert!(!ended.stdout.contains("no answer") && !ended.stdout.contains("no connection"), "{ended}");
        let words = ["ls", "-o", "jsonpath={.items[0].status.load.slotsTotal}"];
        assert_eq!(server.flink(&words).stdout, "0", "{milliseconds} ms either way");
        assert_eq!(server.flink(&["jobs", "roc"]).code, 0, "{milliseconds} ms either way");
    }
}

#[test]
fn a_session_whose_rest_leaves_every_question_is_sick_however_slow_the_line() {
    let server = Server::answering(silent_rest);
    for milliseconds in [0, 250] {
        let _line = over(&server, move |_, _| Fate::Lag(Duration::from_millis(milliseconds)));
        let began = Instant::now();
        let ended = server.flink(&["status", "roc", "--exit-code"]);
        assert_eq!(ended.code, 5, "{milliseconds} ms either way: {ended}");
        assert!(ended.stdout.contains("no answer within"), "{ended}");
        assert!(began.elapsed() < Duration::from_secs(12), "{:?}", began.elapsed());
    }
}

#[test]
fn a_session_that_could_not_be_asked_in_time_is_neither_healthy_nor_sick() {
    for is_silent in [true, false] {
        let server = Server::answering(move |line| match line.ends_with("/portforward") {
            true if is_silent => {
                std::thread::sleep(Duration::from_secs(60));
                None
            }
            true => lose_it(),
            false => healthy(line),
        });
        let ended = server.flink(&["status", "roc", "--exit-code"]);
        assert_eq!(ended.code, 3, "{is_silent}: {ended}");
        assert!(ended.stdout.contains("JobManager 1/1; REST could not be asked in time ("), "{ended}");
        assert!(ended.stderr.contains("cannot determine whether"), "{ended}");
        is_in_our_words(&ended);
        assert_eq!(server.flink(&["status", "roc"]).code, 0);
        let ended = server.flink(&["status", "--exit-code"]);
        assert!(ended.code == 3 && ended.stdout.contains("could not be asked in time"), "{ended}");
        let json: Value =
            serde_json::from_str(&server.flink(&["status", "roc", "-o", "json"]).stdout).expect("JSON");
        assert_eq!(json["healthy"], Value::Null);
        let jobs = json["unknown"].as_array().expect("unknown").iter().find(|of| of["part"] == "jobs");
        let why = jobs.expect("jobs")["reason"].as_str().unwrap_or_default().to_owned();
        assert!(why.starts_with("REST could not be asked in time ("), "{why}");
    }
}

#[test]
fn a_command_that_has_a_time_ends_in_it_when_the_server_never_answers() {
    let server = Server::answering(healthy);
    let line = over(&server, |_, _| Fate::Silent);
    let commands: [&[&str]; 9] = [
        &["create", "x"],
        &["delete", "roc", "--yes"],
        &["restart", "roc"],
        &["status", "roc", "--wait"],
        &["submit", "roc", "JAR", "--wait"],
        &["cancel", "roc", "--all"],
        &["stop", "roc", "--all"],
        &["savepoint", "roc", "--all"],
        &["delete", "--all", "--yes"],
    ];
    let jar = server.home.path().join("a.jar");
    std::fs::copy("tests/e2e/job/programs.jar", &jar)
        .or_else(|_| std::fs::write(&jar, b"PK\x05\x06").map(|()| 0))
        .expect("jar");
    let jar = jar.display().to_string();
    for words in commands {
        let mut words: Vec<&str> =
            words.iter().map(|word| if *word == "JAR" { jar.as_str() } else { word }).collect();
        words.extend(["--timeout", "2s"]);
        let before = line.connections();
        let began = Instant::now();
        let ended = server.flink(&words);
        assert_eq!((ended.code, ended.stdout.as_str()), (3, ""), "{words:?}: {ended}");
        let took = began.elapsed();
        assert!(took > Duration::from_millis(1900) && took < Duration::from_secs(5), "{words:?}: {took:?}");
        assert!(ended.stderr.contains("no answer within 2 s (--timeout)"), "{words:?}: {ended}");
        assert!(line.connections() > before, "{words:?}");
        is_in_our_words(&ended);
    }
    // kubectl's own flag bounds each request, and its end is an error.
    let ended = server.flink(&["status", "roc", "--wait", "--timeout", "60s", "--request-timeout", "1s"]);
    assert!(ended.code == 1 && ended.stderr.contains("no answer within 1 s (--request-timeout)"), "{ended}");
}

/// As one that is stopped (SIGSTOP), and then goes on.
#[test]
fn a_watch_says_soon_that_the_server_is_silent_and_misses_nothing() {
    for loses_what_was_open in [false, true] {
        let server = Collections::new();
        server.lists(Deployments, [Ok((10, vec![deployment("a", 9)]))]);
        let line = Line::to(server.address, |_, _| Fate::Well);
        write_kubeconfig(server.home.path(), &format!("http://{}", line.address));
        let mut ls = server.run(&WATCH);
        assert_eq!([ls.row(), ls.row()], [HEADER.to_owned(), row("ADDED", "a")]);
        server.until_watched(1);
        let began = Instant::now();
        line.freeze(true);
        if loses_what_was_open {
            line.forget_all();
        }
        server.then(Deployments, [added(deployment("b", 11))]);
        let warning = ls.warning_within(Duration::from_secs(30));
        let start = "Warning: lost the connection to the API server; retrying: ";
        assert!(warning.starts_with(start) && warning.contains("no answer from "), "{warning}");
        assert!(began.elapsed() > Duration::from_secs(10), "{:?}", began.elapsed());
        line.freeze(false);
        server.until_watched(2);
        server.then(Deployments, [added(deployment("b", 11)), added(deployment("c", 12))]);
        assert_eq!([ls.row(), ls.row()], [row("ADDED", "b"), row("ADDED", "c")]);
        let mut end = interrupted();
        end.stderr = vec![warning];
        assert_eq!(ls.interrupt(), end);
    }
}

#[test]
fn a_wait_says_that_the_server_is_silent_and_goes_on_with_it() {
    let server = Server::answering(|line| match line {
        // It is on its way, for ever.
        "GET /apis/batch/v1/namespaces/team-a/jobs/boot-roc" => Some((
            200,
            json!({"metadata": {"name": "boot-roc", "uid": "j", "labels": {"app": "roc"}},
                "spec": {"template": {"spec": {"containers": []}}}}),
        )),
        line if line.starts_with("REST ") || line.ends_with("/x") => Some(failure(404, "NotFound", "x")),
        _ => None,
    });
    let line = over(&server, |_, _| Fate::Well);
    let command =
        crate::process::command(server.home.path(), &["status", "roc", "--wait", "--timeout", "40s"]);
    let mut wait = crate::running::Running::start(command);
    let first = wait.warning();
    assert!(first.starts_with("waiting for "), "{first}");
    line.freeze(true);
    let next = wait.warning_within(Duration::from_secs(30));
    assert_eq!(next, "waiting for the API server, which does not respond ...");
    line.freeze(false);
    assert_eq!(wait.warning_within(Duration::from_secs(20)), first);
    let end = wait.interrupt();
    assert_eq!(end.code, 130, "{end:?}");
}

/// What is asked of a server that is well has not become more.
#[test]
fn a_line_that_is_well_costs_nothing() {
    let server = Server::answering(healthy);
    let line = over(&server, |_, _| Fate::Well);
    assert_eq!(server.flink(&["ls"]).code, 0);
    assert_eq!((server.asked().len(), line.connections()), (4, 4), "{:#?}", server.asked());
}
