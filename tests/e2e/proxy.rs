//! Stands between the plugin and the API server, counts requests, and lets things go wrong.

mod read;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, mpsc};

use read::{Head, Requests, first_line, read_frame, read_head, read_request};

/// When the plugin is killed.
#[derive(Clone, Debug)]
pub struct Kill {
    pub at: At,
    /// The server has done it, and the plugin does not hear of it: its answer has begun, or the connection
    /// has ended without one. Otherwise the server never sees the request.
    pub done: bool,
}

/// Which of the requests of a run; they are counted from 1. A request is one to the API server, with the
/// one that asks for a forwarded port, or one to REST in a forwarded port, unless REST speaks TLS.
#[derive(Clone, Debug)]
pub enum At {
    /// Of what changes something in Kubernetes.
    Write(usize),
    /// Of all.
    Request(usize),
    /// Of those whose line, such as `POST /jobs/ID/stop HTTP/1.1`, has `of`.
    Nth { of: String, n: usize },
}

/// Where a connection is cut, once: at the request to the JobManager whose first line has `of`.
#[derive(Clone, Copy, Debug)]
pub struct Cut {
    pub of: &'static str,
    pub at: Moment,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// The JobManager never sees the request.
    Request,
    /// It sees half of it.
    Middle,
    /// It sees the request, and the plugin is cut off at once.
    Sent,
    /// It has done it, and the plugin does not hear of it.
    Answer,
}

/// `kubectl proxy`, which speaks plain HTTP, with a proxy in front that reads along.
pub struct Proxy {
    upstream: Child,
    shared: Arc<Shared>,
    kubeconfig: tempfile::TempDir,
}

#[derive(Default)]
struct Shared {
    log: Mutex<Log>,
    victim: Mutex<Option<Child>>,
    cut: Mutex<Option<Cut>>,
    /// No connection is served.
    down: AtomicBool,
    open: Mutex<Vec<TcpStream>>,
}

/// What a run has asked for so far.
#[derive(Default)]
struct Log {
    kill: Option<Kill>,
    lines: Vec<String>,
    writes: usize,
    hit: Option<Hit>,
    /// Of a plugin that was killed nothing is passed on any more.
    killed: bool,
}

/// How a run through the proxy ended.
pub struct Run {
    pub killed: bool,
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
    /// The lines of all its requests that came before it was killed, in their order.
    pub requests: Vec<String>,
    /// Where it was killed.
    pub hit: Option<Hit>,
}

/// The request that a kill has met.
#[derive(Clone, Debug)]
pub struct Hit {
    pub line: String,
    /// The first line of the answer that has begun.
    pub answer: Option<String>,
}

/// What becomes of a request.
enum Fate {
    Passed,
    PassedAndKilledAtTheAnswer,
    Lost,
}

/// What is done to a connection when an answer comes, or its end.
#[derive(Clone, Copy)]
enum AtAnswer {
    Kill,
    Cut,
}

/// What the two directions of a connection tell each other.
#[derive(Default)]
struct Connection {
    at_answer: Mutex<Option<AtAnswer>>,
    /// The next answer tells whether the rest is frames.
    upgrades: AtomicBool,
}

impl Proxy {
    pub fn new(context: &str, namespace: &str) -> Self {
        let mut upstream = Command::new("kubectl")
            .args(["--context", context, "proxy", "--port=0"])
            .stdout(Stdio::piped())
            .spawn()
            .expect("kubectl proxy");
        let mut line = String::new();
        BufReader::new(upstream.stdout.take().expect("stdout")).read_line(&mut line).expect("address");
        let address = line.rsplit(' ').next().expect("address").trim().to_owned();

        let listener = TcpListener::bind("127.0.0.1:0").expect("port");
        let port = listener.local_addr().expect("address").port();
        let shared: Arc<Shared> = Arc::default();
        let for_thread = Arc::clone(&shared);
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let (shared, address) = (Arc::clone(&for_thread), address.clone());
                std::thread::spawn(move || serve(client, &address, &shared));
            }
        });

        let kubeconfig = tempfile::tempdir().expect("scratch directory");
        let text = format!(
            "{{apiVersion: v1, kind: Config, current-context: p,
             clusters: [{{name: p, cluster: {{server: 'http://127.0.0.1:{port}'}}}}],
             contexts: [{{name: p, context: {{cluster: p, user: p, namespace: {namespace}}}}}],
             users: [{{name: p, user: {{}}}}]}}"
        );
        std::fs::write(kubeconfig.path().join("config"), text).expect("kubeconfig");
        Self { upstream, shared, kubeconfig }
    }

    /// Runs the plugin through the proxy, and kills it as told.
    pub fn flink(&self, words: &[&str], kill: Option<Kill>) -> Run {
        *self.shared.log.lock().expect("lock") = Log { kill, ..Log::default() };
        let file: PathBuf = self.kubeconfig.path().join("config");
        let (mut stdout, mut stderr) = {
            // Whoever kills it waits until it is there.
            let mut victim = self.shared.victim.lock().expect("lock");
            let mut child = Command::new(env!("CARGO_BIN_EXE_kubectl-flink"))
                .arg("--kubeconfig")
                .arg(file)
                .args(words)
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn()
                .expect("program");
            let pipes = (child.stdout.take().expect("stdout"), child.stderr.take().expect("stderr"));
            *victim = Some(child);
            pipes
        };
        let stdout = std::thread::spawn(move || {
            let mut text = String::new();
            stdout.read_to_string(&mut text).map(|_| text)
        });
        let mut told = String::new();
        stderr.read_to_string(&mut told).expect("stderr");
        let stdout = stdout.join().expect("thread").expect("stdout");
        let mut child = self.shared.victim.lock().expect("lock").take().expect("child");
        let status = child.wait().expect("status");
        let log = std::mem::take(&mut *self.shared.log.lock().expect("lock"));
        Run {
            killed: status.signal().is_some(),
            code: status.code().unwrap_or(-1),
            stdout,
            stderr: told,
            requests: log.lines,
            hit: log.hit,
        }
    }

    /// Runs the plugin through the proxy, and cuts its connection as told. It must be cut.
    pub fn flink_cut(&self, words: &[&str], cut: Cut) -> Run {
        *self.shared.cut.lock().expect("lock") = Some(cut);
        let run = self.flink(words, None);
        let left = self.shared.cut.lock().expect("lock").take();
        assert!(left.is_none(), "{cut:?} was never met:\n{}", run.stderr);
        run
    }

    /// Cuts every connection and serves none, or serves them again.
    pub fn set_down(&self, down: bool) {
        self.shared.down.store(down, Ordering::SeqCst);
        for stream in self.shared.open.lock().expect("lock").drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        let _ = self.upstream.kill();
        let _ = self.upstream.wait();
    }
}

impl Shared {
    /// The cut that `text`, a request's beginning, is met by. It is met once.
    fn cut_at(&self, text: &str) -> Option<Moment> {
        let mut cut = self.cut.lock().expect("lock");
        let is_met = cut.is_some_and(|cut| text.contains(cut.of));
        if is_met { cut.take().map(|cut| cut.at) } else { None }
    }

    /// What becomes of the request with this head.
    fn fate_of(&self, head: &Head, is_write: bool) -> Fate {
        let mut log = self.log.lock().expect("lock");
        if log.killed {
            return Fate::Lost;
        }
        log.lines.push(head.line.clone());
        log.writes += usize::from(is_write);
        let is_met = log.hit.is_none() && log.kill.as_ref().is_some_and(|kill| log.meets(&kill.at, is_write));
        let done = log.kill.as_ref().is_some_and(|kill| kill.done);
        if !is_met {
            return Fate::Passed;
        }
        log.hit = Some(Hit { line: head.line.clone(), answer: None });
        if done {
            return Fate::PassedAndKilledAtTheAnswer;
        }
        drop(log);
        self.kill_now(None);
        Fate::Lost
    }

    fn kill_now(&self, answer: Option<String>) {
        {
            let mut log = self.log.lock().expect("lock");
            // The end of a connection may come after that of its run.
            let Some(hit) = &mut log.hit else { return };
            hit.answer = answer;
            log.killed = true;
        }
        if let Some(child) = self.victim.lock().expect("lock").as_mut() {
            child.kill().expect("SIGKILL");
        }
    }

    /// To be called when an answer begins: true when the plugin is not to hear it.
    fn is_the_end(&self, connection: &Connection, answer: &[u8]) -> bool {
        let at_answer = connection.at_answer.lock().expect("lock").take();
        if matches!(at_answer, Some(AtAnswer::Kill)) {
            self.kill_now(Some(first_line(answer)));
        }
        at_answer.is_some()
    }
}

impl Log {
    /// Whether the last request is the one.
    fn meets(&self, at: &At, is_write: bool) -> bool {
        match at {
            At::Write(number) => is_write && self.writes == *number,
            At::Request(number) => self.lines.len() == *number,
            At::Nth { of, n } => {
                let is_one = |line: &&String| line.contains(of);
                self.lines.last().as_ref().is_some_and(is_one)
                    && self.lines.iter().filter(is_one).count() == *n
            }
        }
    }
}

impl Connection {
    fn at_answer(&self, what: AtAnswer) {
        *self.at_answer.lock().expect("lock") = Some(what);
    }
}

/// Passes one connection on, request by request. Its errors are the ends of connections.
fn serve(client: TcpStream, address: &str, shared: &Arc<Shared>) {
    if shared.down.load(Ordering::SeqCst) {
        return;
    }
    let Ok(mut upstream) = TcpStream::connect(address) else { return };
    let clones = || Some((client.try_clone().ok()?, upstream.try_clone().ok()?));
    let (Some((answers_to, answers)), Some((a, b))) = (clones(), clones()) else { return };
    shared.open.lock().expect("lock").extend([a, b]);
    let connection: Arc<Connection> = Arc::default();
    let (tells, is_upgraded) = mpsc::channel();
    {
        let (shared, connection) = (Arc::clone(shared), Arc::clone(&connection));
        std::thread::spawn(move || {
            let _ = pass_answers(answers, &answers_to, &shared, &connection, &tells);
            let _ = answers_to.shutdown(Shutdown::Both);
            if matches!(*connection.at_answer.lock().expect("lock"), Some(AtAnswer::Kill)) {
                shared.kill_now(None);
            }
        });
    }
    let mut requests = BufReader::new(client);
    while let Ok(request) = read_request(&mut requests) {
        match shared.fate_of(&request.head, request.head.is_write()) {
            Fate::Passed => {}
            Fate::PassedAndKilledAtTheAnswer => connection.at_answer(AtAnswer::Kill),
            Fate::Lost => break,
        }
        match shared.cut_at(&request.head.line) {
            Some(Moment::Request) => break,
            Some(Moment::Middle) => {
                let _ = upstream.write_all(&request.bytes[..request.bytes.len() / 2]);
                break;
            }
            Some(Moment::Sent) => {
                let _ = upstream.write_all(&request.bytes);
                break;
            }
            Some(Moment::Answer) => connection.at_answer(AtAnswer::Cut),
            None => {}
        }
        connection.upgrades.store(request.head.upgrades, Ordering::SeqCst);
        if upstream.write_all(&request.bytes).is_err() {
            break;
        }
        if request.head.upgrades {
            match is_upgraded.recv() {
                Ok(true) => drop(pass_frames(&mut requests, &mut upstream, shared, &connection)),
                Ok(false) => continue,
                Err(_) => {}
            }
            break;
        }
    }
    let _ = requests.get_ref().shutdown(Shutdown::Both);
    let _ = upstream.shutdown(Shutdown::Both);
}

/// Passes on what the plugin sends through a forwarded port, and kills and cuts where it was told to.
fn pass_frames(
    from: &mut impl Read,
    to: &mut TcpStream,
    shared: &Shared,
    connection: &Connection,
) -> std::io::Result<()> {
    let mut requests = Requests::default();
    // The beginning of a head, until it is known whose.
    let mut held = Vec::new();
    loop {
        let frame = read_frame(from)?;
        held.extend(frame.whole());
        for head in frame.data().map(|data| requests.heads_in(&data)).unwrap_or_default() {
            match shared.fate_of(&head, false) {
                Fate::Passed => {}
                Fate::PassedAndKilledAtTheAnswer => connection.at_answer(AtAnswer::Kill),
                Fate::Lost => return Ok(()),
            }
            match shared.cut_at(&head.line) {
                Some(Moment::Request) => return Ok(()),
                Some(Moment::Middle) => return to.write_all(&frame.half()),
                Some(Moment::Sent) => {
                    to.write_all(&held)?;
                    // Long enough for the bytes to be passed on behind it.
                    std::thread::sleep(std::time::Duration::from_millis(300));
                    return Ok(());
                }
                Some(Moment::Answer) => connection.at_answer(AtAnswer::Cut),
                None => {}
            }
        }
        if !requests.is_in_a_head() {
            to.write_all(&held)?;
            held.clear();
        }
    }
}

/// Passes on what comes back. It ends with the connection, or when the plugin is to hear no more.
fn pass_answers(
    from: TcpStream,
    mut to: &TcpStream,
    shared: &Shared,
    connection: &Connection,
    tells: &mpsc::Sender<bool>,
) -> std::io::Result<()> {
    let mut from = BufReader::new(from);
    loop {
        // No request is sent before the last one is answered: what comes first after it is its answer.
        let bytes = from.fill_buf()?;
        if bytes.is_empty() || shared.is_the_end(connection, bytes) {
            return Ok(());
        }
        if connection.upgrades.swap(false, Ordering::SeqCst) {
            let head = read_head(&mut from)?;
            let is_upgraded = head.starts_with(b"HTTP/1.1 101 ");
            to.write_all(&head)?;
            let _ = tells.send(is_upgraded);
            if is_upgraded {
                break;
            }
            continue;
        }
        to.write_all(bytes)?;
        let count = bytes.len();
        from.consume(count);
    }
    // The first message has the number of the port.
    let mut is_open = false;
    loop {
        let frame = read_frame(&mut from)?;
        let data = frame.data();
        if is_open && data.as_ref().is_some_and(|data| shared.is_the_end(connection, data)) {
            return Ok(());
        }
        is_open |= data.is_some();
        to.write_all(&frame.whole())?;
    }
}
