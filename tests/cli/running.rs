//! A program that goes on until it is told to end: what it prints is read as it comes.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

/// Far above what a slow machine needs.
const PATIENCE: Duration = Duration::from_secs(20);

pub struct Running {
    child: Child,
    stdout: Receiver<String>,
    stderr: Receiver<String>,
    /// Lines of stderr that were looked at.
    told: Vec<String>,
}

/// How it ended, and what it had printed that nobody had looked at yet.
#[derive(Debug, PartialEq, Eq)]
pub struct End {
    pub code: i32,
    pub stdout: Vec<String>,
    /// All of it.
    pub stderr: Vec<String>,
}

impl Running {
    pub fn start(mut command: Command) -> Self {
        let mut child =
            command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("program to start");
        let stdout = lines(child.stdout.take().expect("stdout"));
        let stderr = lines(child.stderr.take().expect("stderr"));
        Self { child, stdout, stderr, told: Vec::new() }
    }

    /// The next line of stdout.
    pub fn line(&mut self) -> String {
        let line = self.stdout.recv_timeout(PATIENCE);
        line.unwrap_or_else(|_| panic!("there is no next line; stderr: {:#?}", self.all_told()))
    }

    /// The next line of stdout, its words apart by one space.
    pub fn row(&mut self) -> String {
        words(&self.line())
    }

    /// The next line of stdout, if it comes within this time.
    pub fn row_within(&mut self, time: Duration) -> Option<String> {
        let line = self.stdout.recv_timeout(time).ok()?;
        Some(words(&line))
    }

    /// The next line of stderr.
    pub fn warning(&mut self) -> String {
        self.warning_within(PATIENCE)
    }

    /// The next line of stderr, which comes within this time.
    pub fn warning_within(&mut self, time: Duration) -> String {
        let line = self.stderr.recv_timeout(time).expect("a line of stderr");
        self.told.push(line.clone());
        line
    }

    fn all_told(&mut self) -> &[String] {
        self.told.extend(self.stderr.try_iter());
        &self.told
    }

    /// Types at the terminal that it has for its stdin.
    #[cfg(target_os = "linux")]
    pub fn press(&mut self, keys: &str) {
        use std::io::Write;
        let stdin = self.child.stdin.as_mut().expect("a pipe to stdin");
        stdin.write_all(keys.as_bytes()).and_then(|()| stdin.flush()).expect("stdin");
    }

    /// Ends it with the signal of Ctrl-C.
    pub fn interrupt(self) -> End {
        self.signal("INT");
        self.end()
    }

    /// Sends it a signal, such as `TERM`.
    pub fn signal(&self, name: &str) {
        let (signal, pid) = (format!("-{name}"), self.child.id().to_string());
        assert!(Command::new("kill").args([&signal, &pid]).status().expect("kill").success());
    }

    /// Waits until it ends by itself.
    pub fn end(self) -> End {
        self.end_within(PATIENCE)
    }

    /// The same, for what takes longer.
    pub fn end_within(mut self, patience: Duration) -> End {
        let end = Instant::now() + patience;
        let stdout = rest(&self.stdout, end);
        let stderr = rest(&self.stderr, end);
        self.told.extend(stderr);
        let status = self.child.wait().expect("status");
        End { code: status.code().unwrap_or(-1), stdout, stderr: std::mem::take(&mut self.told) }
    }
}

/// One that a failed test leaves behind is not left running.
impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn words(line: &str) -> String {
    line.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn lines(from: impl Read + Send + 'static) -> Receiver<String> {
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        for line in BufReader::new(from).lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                return;
            }
        }
    });
    receiver
}

/// All lines until the stream ends.
fn rest(from: &Receiver<String>, end: Instant) -> Vec<String> {
    let mut lines = Vec::new();
    loop {
        match from.recv_timeout(end.saturating_duration_since(Instant::now())) {
            Ok(line) => lines.push(line),
            Err(RecvTimeoutError::Disconnected) => return lines,
            Err(RecvTimeoutError::Timeout) => panic!("it does not end; it says: {lines:#?}"),
        }
    }
}
