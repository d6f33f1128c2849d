//! The test as an API server whose collections are listed and watched, by a script.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::process::Command;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::process::{command, write_kubeconfig};
use crate::running::Running;

const PATIENCE: Duration = Duration::from_secs(20);

/// What sessions are made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Of {
    Deployments,
    Jobs,
    Services,
    Pods,
    BootstrapPods,
}

pub const ALL: [Of; 5] = [Of::Deployments, Of::Jobs, Of::Services, Of::Pods, Of::BootstrapPods];

impl Of {
    /// The collection that a request asks for.
    fn asked(path: &str, query: &str) -> Option<Self> {
        match path.rsplit('/').next()? {
            "deployments" => Some(Self::Deployments),
            "jobs" => Some(Self::Jobs),
            "services" => Some(Self::Services),
            "pods" if query.contains("bootstrap") => Some(Self::BootstrapPods),
            "pods" => Some(Self::Pods),
            _ => None,
        }
    }

    fn is_table(self) -> bool {
        matches!(self, Self::Pods | Self::BootstrapPods)
    }
}

/// The answer to a list: its version and objects, or a refusal.
pub type List = Result<(u32, Vec<Value>), u16>;

/// What happens to a watch next.
#[derive(Clone, Debug)]
pub enum Step {
    Event(&'static str, Value),
    /// The connection is cut in the middle of this event.
    Torn(&'static str, Value),
    /// The server ends the watch in good order.
    End,
    /// The next request of a watch is answered with this code. Until then nothing happens.
    Refuse(u16),
}

/// The server says that this version of the collection was reached.
pub fn bookmark(version: u32) -> Step {
    Step::Event("BOOKMARK", json!({"metadata": {"resourceVersion": version.to_string()}}))
}

/// A request of one collection, as it came.
#[derive(Clone, Debug)]
pub struct Asked {
    pub of: Of,
    pub query: String,
}

impl Asked {
    pub fn is_watch(&self) -> bool {
        self.query.contains("watch=1")
    }

    /// The value of a parameter; empty when it has none.
    pub fn parameter(&self, name: &str) -> &str {
        let pairs = self.query.split('&').filter_map(|pair| pair.split_once('='));
        pairs.filter(|(key, _)| *key == name).map(|(_, value)| value).next().unwrap_or_default()
    }
}

#[derive(Default)]
struct Script {
    /// The last one stays.
    lists: VecDeque<List>,
    steps: VecDeque<Step>,
    /// Counts the requests of watches: a later one has the steps of an earlier.
    watch: usize,
}

#[derive(Default)]
struct State {
    scripts: [Script; ALL.len()],
    asked: Vec<Asked>,
    /// Requests for a way to REST, which nobody answers.
    for_rest: usize,
    /// No connection is taken.
    is_down: bool,
    open: Vec<TcpStream>,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    /// Something was asked, or the script has grown.
    changed: Condvar,
}

/// The server. A collection that was told nothing of is empty, and nothing happens to it.
pub struct Collections {
    pub home: tempfile::TempDir,
    pub address: SocketAddr,
    shared: Arc<Shared>,
}

impl Collections {
    pub fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("port");
        let address = listener.local_addr().expect("address");
        let home = tempfile::tempdir().expect("scratch directory");
        write_kubeconfig(home.path(), &format!("http://{address}"));
        let shared: Arc<Shared> = Arc::default();
        shared.listen(listener);
        Self { home, address, shared }
    }

    /// The answers to the lists that come; the last one to all after it.
    pub fn lists(&self, of: Of, lists: impl IntoIterator<Item = List>) {
        self.shared.lock().scripts[of as usize].lists = lists.into_iter().collect();
    }

    /// What happens to the watch of a collection, after all that was said before.
    pub fn then(&self, of: Of, steps: impl IntoIterator<Item = Step>) {
        self.shared.lock().scripts[of as usize].steps.extend(steps);
        self.shared.changed.notify_all();
    }

    /// Takes no connection any more, as a server that has died.
    pub fn go_down(&self) {
        {
            let mut state = self.shared.lock();
            state.is_down = true;
            for script in &mut state.scripts {
                script.watch += 1;
            }
            for stream in state.open.drain(..) {
                let _ = stream.shutdown(Shutdown::Both);
            }
            self.shared.changed.notify_all();
        }
        // Its listener wakes up, and goes.
        let _ = TcpStream::connect(self.address);
        self.until("the port to be closed", |_| TcpStream::connect(self.address).is_err());
    }

    /// Is there again, at the same address.
    pub fn come_up(&self) {
        let listener = TcpListener::bind(self.address).expect("the port from before");
        self.shared.lock().is_down = false;
        self.shared.listen(listener);
    }

    pub fn command(&self, words: &[&str]) -> Command {
        command(self.home.path(), words)
    }

    pub fn run(&self, words: &[&str]) -> Running {
        Running::start(self.command(words))
    }

    /// The requests of a collection.
    pub fn asked(&self, of: Of) -> Vec<Asked> {
        self.shared.lock().asked.iter().filter(|asked| asked.of == of).cloned().collect()
    }

    pub fn watches(&self, of: Of) -> Vec<Asked> {
        self.asked(of).into_iter().filter(Asked::is_watch).collect()
    }

    /// The versions from which a collection was watched.
    pub fn watched_from(&self, of: Of) -> Vec<String> {
        self.watches(of).iter().map(|asked| asked.parameter("resourceVersion").to_owned()).collect()
    }

    pub fn until_asked_for_rest(&self) {
        self.until("REST to be asked", |server| server.shared.lock().for_rest > 0);
    }

    /// Waits until all collections were watched this often.
    pub fn until_watched(&self, times: usize) {
        self.until("the watches", |server| ALL.iter().all(|of| server.watches(*of).len() >= times));
    }

    pub fn until(&self, what: &str, is_so: impl Fn(&Self) -> bool) {
        let end = Instant::now() + PATIENCE;
        while !is_so(self) {
            let state = self.shared.lock();
            let left = end.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "gave up waiting for {what}; asked: {:#?}", state.asked);
            // What is waited for may come without a request.
            let _ = self.shared.changed.wait_timeout(state, left.min(Duration::from_millis(50)));
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("lock")
    }

    fn listen(self: &Arc<Self>, listener: TcpListener) {
        let shared = Arc::clone(self);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let mut state = shared.lock();
                if state.is_down {
                    return;
                }
                state.open.push(stream.try_clone().expect("stream"));
                let shared = Arc::clone(&shared);
                // The client's end of a connection ends it.
                std::thread::spawn(move || drop(shared.serve(stream)));
            }
        });
    }

    fn serve(&self, stream: TcpStream) -> std::io::Result<()> {
        let mut reader = BufReader::new(stream.try_clone()?);
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line)? == 0 {
                return Ok(());
            }
            loop {
                let mut header = String::new();
                reader.read_line(&mut header)?;
                if header.trim().is_empty() {
                    break;
                }
            }
            let target = line.split(' ').nth(1).unwrap_or_default();
            let (path, query) = target.split_once('?').unwrap_or((target, ""));
            match Of::asked(path, query) {
                None if path.ends_with("/portforward") => {
                    self.lock().for_rest += 1;
                    self.changed.notify_all();
                    std::thread::park();
                }
                None => answer(&stream, 404, &failure(404))?,
                Some(of) => {
                    let asked = Asked { of, query: query.to_owned() };
                    let mut state = self.lock();
                    // From now on the steps are its own.
                    let number = asked.is_watch().then(|| {
                        state.scripts[of as usize].watch += 1;
                        state.scripts[of as usize].watch
                    });
                    state.asked.push(asked);
                    drop(state);
                    self.changed.notify_all();
                    match number {
                        Some(number) => self.watch(&stream, of, number)?,
                        None => self.list(&stream, of)?,
                    }
                }
            }
        }
    }

    fn list(&self, stream: &TcpStream, of: Of) -> std::io::Result<()> {
        let list = {
            let lists = &mut self.lock().scripts[of as usize].lists;
            if lists.len() > 1 { lists.pop_front() } else { lists.front().cloned() }
        };
        let (version, items) = match list.unwrap_or_else(|| Ok((1, Vec::new()))) {
            Ok(list) => list,
            Err(code) => return answer(stream, code, &failure(code)),
        };
        let metadata = json!({"resourceVersion": version.to_string()});
        let list = match of.is_table() {
            true => json!({"kind": "Table", "metadata": metadata, "columnDefinitions": columns(),
                "rows": items.iter().map(table_row).collect::<Vec<_>>()}),
            false => json!({"kind": "List", "metadata": metadata, "items": items}),
        };
        answer(stream, 200, &list.to_string())
    }

    /// Follows the script until the watch ends. A cut ends the connection.
    fn watch(&self, mut stream: &TcpStream, of: Of, number: usize) -> std::io::Result<()> {
        let cut = || std::io::Error::from(std::io::ErrorKind::ConnectionAborted);
        {
            let script = &mut self.lock().scripts[of as usize];
            if let Some(Step::Refuse(code)) = script.steps.front().cloned() {
                script.steps.pop_front();
                return answer(stream, code, &failure(code));
            }
        }
        stream.write_all(
            b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n",
        )?;
        let mut is_first = true;
        loop {
            let mut state = self.lock();
            let step = loop {
                let script = &mut state.scripts[of as usize];
                if script.watch != number {
                    return Err(cut());
                }
                match script.steps.front() {
                    None | Some(Step::Refuse(_)) => state = self.changed.wait(state).expect("lock"),
                    Some(_) => break script.steps.pop_front(),
                }
            };
            drop(state);
            match step {
                Some(Step::Event(kind, object)) => {
                    stream.write_all(chunk(&event(of, kind, &object, is_first)).as_bytes())?;
                }
                Some(Step::Torn(kind, object)) => {
                    let chunk = chunk(&event(of, kind, &object, is_first));
                    stream.write_all(&chunk.as_bytes()[..chunk.len() / 2])?;
                    stream.shutdown(Shutdown::Both)?;
                    return Err(cut());
                }
                _ => return stream.write_all(b"0\r\n\r\n"),
            }
            is_first = false;
        }
    }
}

fn chunk(text: &str) -> String {
    format!("{:x}\r\n{text}\r\n", text.len())
}

/// A line of a watch. Pods come as tables, and only the first of a watch has the columns.
fn event(of: Of, kind: &str, object: &Value, is_first: bool) -> String {
    let object = match kind {
        "ADDED" | "MODIFIED" | "DELETED" | "BOOKMARK" if of.is_table() => json!({"kind": "Table",
            "metadata": {"resourceVersion": object["metadata"]["resourceVersion"]},
            "columnDefinitions": if is_first { columns() } else { Value::Null },
            "rows": [table_row(object)]}),
        _ => object.clone(),
    };
    format!("{}\n", json!({"type": kind, "object": object}))
}

fn columns() -> Value {
    json!([{"name": "Name"}, {"name": "Ready"}, {"name": "Status"}, {"name": "Restarts"}])
}

/// A pod as its row: a bookmark has one too, of nothing.
fn table_row(pod: &Value) -> Value {
    let name = pod["metadata"]["name"].as_str().unwrap_or_default();
    let status = pod["status"]["phase"].as_str().unwrap_or_default();
    json!({"cells": [name, "1/1", status, "0"], "object": {"metadata": pod["metadata"]}})
}

fn answer(mut stream: &TcpStream, code: u16, text: &str) -> std::io::Result<()> {
    let head = "content-type: application/json\r\ncontent-length";
    stream.write_all(format!("HTTP/1.1 {code} x\r\n{head}: {}\r\n\r\n{text}", text.len()).as_bytes())
}

/// What the API server says with a code.
pub fn failure(code: u16) -> String {
    let (reason, message) = match code {
        401 => ("Unauthorized", "Unauthorized"),
        403 => ("Forbidden", "User \"me\" cannot do this"),
        410 => ("Expired", "too old resource version: 10 (50)"),
        503 => ("ServiceUnavailable", "etcd is down"),
        _ => ("NotFound", "not found"),
    };
    json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
        "reason": reason, "message": message, "code": code})
    .to_string()
}
