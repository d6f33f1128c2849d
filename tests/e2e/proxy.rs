//! Stands between the plugin and the API server, counts writes, and lets things go wrong.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

/// When the plugin is killed: as it sends its write number `write`, counted from 1.
#[derive(Clone, Copy, Debug)]
pub struct Kill {
    pub write: usize,
    /// The server has done it, and the plugin does not hear of it. Otherwise the server never sees it.
    pub done: bool,
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
    kill: Mutex<Option<Kill>>,
    victim: Mutex<Option<Child>>,
    killed: AtomicBool,
    writes: AtomicUsize,
    cut: Mutex<Option<Cut>>,
    /// No connection is served.
    down: AtomicBool,
    open: Mutex<Vec<TcpStream>>,
}

/// How a run through the proxy ended.
pub struct Run {
    pub killed: bool,
    pub code: i32,
    pub stderr: String,
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
        self.shared.writes.store(0, Ordering::SeqCst);
        self.shared.killed.store(false, Ordering::SeqCst);
        *self.shared.kill.lock().expect("lock") = kill;
        let file: PathBuf = self.kubeconfig.path().join("config");
        let mut child = Command::new(env!("CARGO_BIN_EXE_kubectl-flink"))
            .arg("--kubeconfig")
            .arg(file)
            .args(words)
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("program");
        let mut pipe = child.stderr.take().expect("stderr");
        *self.shared.victim.lock().expect("lock") = Some(child);
        let mut stderr = String::new();
        pipe.read_to_string(&mut stderr).expect("stderr");
        let mut child = self.shared.victim.lock().expect("lock").take().expect("child");
        let status = child.wait().expect("status");
        Run { killed: self.shared.killed.load(Ordering::SeqCst), code: status.code().unwrap_or(-1), stderr }
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

    fn kill_now(&self) {
        if let Some(child) = self.victim.lock().expect("lock").as_mut() {
            child.kill().expect("SIGKILL");
            self.killed.store(true, Ordering::SeqCst);
        }
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
    let (dies_at_answer, is_cut) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
    {
        let (shared, dies, cut) = (Arc::clone(shared), Arc::clone(&dies_at_answer), Arc::clone(&is_cut));
        std::thread::spawn(move || pass_answers(answers, answers_to, &shared, &dies, &cut));
    }
    let mut requests = BufReader::new(client);
    while let Some(request) = read_request(&mut requests) {
        if request.is_write() {
            let number = shared.writes.fetch_add(1, Ordering::SeqCst) + 1;
            match *shared.kill.lock().expect("lock") {
                Some(kill) if kill.write == number && !kill.done => {
                    shared.kill_now();
                    break;
                }
                Some(kill) if kill.write == number => dies_at_answer.store(true, Ordering::SeqCst),
                _ => {}
            }
        }
        match shared.cut_at(&request.line) {
            Some(Moment::Request) => break,
            Some(Moment::Middle) => {
                let _ = upstream.write_all(&request.bytes[..request.bytes.len() / 2]);
                break;
            }
            Some(Moment::Sent) => {
                let _ = upstream.write_all(&request.bytes);
                break;
            }
            Some(Moment::Answer) => is_cut.store(true, Ordering::SeqCst),
            None => {}
        }
        if upstream.write_all(&request.bytes).is_err() {
            break;
        }
        if request.upgrades {
            let _ = pass_frames(&mut requests, &mut upstream, shared, &is_cut);
            break;
        }
    }
    let _ = requests.get_ref().shutdown(Shutdown::Both);
    let _ = upstream.shutdown(Shutdown::Both);
}

/// Passes on what the plugin sends through a forwarded port, frame by frame (RFC 6455), and cuts where
/// it was told to. The first byte of a frame's payload is the number of the channel.
fn pass_frames(
    from: &mut impl Read,
    to: &mut TcpStream,
    shared: &Shared,
    is_cut: &AtomicBool,
) -> std::io::Result<()> {
    loop {
        let mut head = [0; 2];
        from.read_exact(&mut head)?;
        let extended = match head[1] & 0x7f {
            126 => 2,
            127 => 8,
            _ => 0,
        };
        let mut length = vec![0; extended];
        from.read_exact(&mut length)?;
        let size = match extended {
            0 => u64::from(head[1] & 0x7f),
            _ => length.iter().fold(0, |size, byte| size << 8 | u64::from(*byte)),
        };
        let mut mask = [0; 4];
        from.read_exact(&mut mask)?;
        let mut payload = vec![0; usize::try_from(size).expect("a frame that fits")];
        from.read_exact(&mut payload)?;
        let plain: Vec<u8> =
            payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask).collect();
        let whole = [&head[..], &length, &mask, &payload].concat();
        match shared.cut_at(&String::from_utf8_lossy(&plain)) {
            Some(Moment::Request) => return Ok(()),
            Some(Moment::Middle) => {
                let half = (payload.len() / 2).min(125);
                to.write_all(&[head[0], 0x80 | u8::try_from(half).expect("at most 125")])?;
                to.write_all(&mask)?;
                return to.write_all(&payload[..half]);
            }
            Some(Moment::Sent) => {
                to.write_all(&whole)?;
                // Long enough for the bytes to be passed on behind it.
                std::thread::sleep(std::time::Duration::from_millis(300));
                return Ok(());
            }
            Some(Moment::Answer) => is_cut.store(true, Ordering::SeqCst),
            None => {}
        }
        to.write_all(&whole)?;
    }
}

fn pass_answers(
    mut from: TcpStream,
    mut to: TcpStream,
    shared: &Shared,
    dies: &AtomicBool,
    is_cut: &AtomicBool,
) {
    let mut buffer = [0; 16 * 1024];
    loop {
        let count = match from.read(&mut buffer) {
            Ok(0) | Err(_) => break,
            Ok(count) => count,
        };
        if dies.load(Ordering::SeqCst) {
            shared.kill_now();
            break;
        }
        if is_cut.load(Ordering::SeqCst) {
            break;
        }
        if to.write_all(&buffer[..count]).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Both);
}

struct Request {
    bytes: Vec<u8>,
    line: String,
    upgrades: bool,
}

impl Request {
    /// A question about rights and a trial write nothing.
    fn is_write(&self) -> bool {
        !self.line.starts_with("GET ")
            && !self.line.contains("accessreviews")
            && !self.line.contains("dryRun=All")
    }
}

fn read_request(from: &mut BufReader<TcpStream>) -> Option<Request> {
    let mut head = String::new();
    let mut request = Request { bytes: Vec::new(), line: String::new(), upgrades: false };
    let mut length = 0;
    loop {
        let mut line = String::new();
        if from.read_line(&mut line).ok()? == 0 {
            return None;
        }
        head += &line;
        if request.line.is_empty() {
            request.line = line.trim().to_owned();
        }
        let lower = line.to_ascii_lowercase();
        if let Some(value) = lower.strip_prefix("content-length:") {
            length = value.trim().parse().ok()?;
        }
        request.upgrades |= lower.starts_with("upgrade:");
        if line.trim().is_empty() {
            break;
        }
    }
    let mut body = vec![0; length];
    from.read_exact(&mut body).ok()?;
    request.bytes = [head.into_bytes(), body].concat();
    Some(request)
}
