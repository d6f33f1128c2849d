//! What becomes of an answer that does not come to an end: an error that says what was asked, in little memory.

use std::io::{self, Write};
use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use flate2::write::GzEncoder;
use flate2::{Compression, FlushCompress};
use serde_json::json;

use crate::process::Ended;
use crate::raw::Server;

/// Address space of the program, in KiB. Threads and allocators reserve most of it.
const SPACE: u32 = 1_200_000;

/// Nothing here may take longer.
const PATIENCE: Duration = Duration::from_secs(60);

fn flink(server: &Server, words: &[&str]) -> Ended {
    limited(server.home.path(), words)
}

/// Runs a command on a session whose REST the server is.
fn flink_at_address(server: &Server, words: &[&str]) -> Ended {
    let address = format!("http://{}", server.address);
    flink(server, &[words, &["--address", &address]].concat())
}

/// Runs the program in little memory. One that needs more is ended by a signal.
fn limited(home: &std::path::Path, words: &[&str]) -> Ended {
    let began = Instant::now();
    let mut child = Command::new("sh")
        .args(["-c", &format!("ulimit -v {SPACE}; exec \"$0\" \"$@\"")])
        .arg(env!("CARGO_BIN_EXE_kubectl-flink"))
        .args(words)
        .env_clear()
        .env("HOME", home)
        .env("PATH", "/usr/bin:/bin")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("sh");
    while child.try_wait().expect("child").is_none() {
        if began.elapsed() > PATIENCE {
            let _ = child.kill();
            panic!("{words:?} takes longer than {PATIENCE:?}");
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    let output = child.wait_with_output().expect("output");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Ended {
        code: output.status.code().unwrap_or(-1),
        stdout: text(&output.stdout),
        stderr: text(&output.stderr),
    }
}

fn is_refused(ended: &Ended, why: &str) {
    assert_eq!((ended.code, ended.stdout.as_str()), (1, ""), "{ended}");
    assert!(ended.stderr.contains(why) && !ended.stderr.contains("panicked"), "{why}: {ended}");
}

/// An answer of `start`, and `more` until the other side has had enough.
fn endless(stream: &mut TcpStream, status: u16, headers: &str, start: &str, more: &[u8]) -> io::Result<()> {
    let head = format!("HTTP/1.1 {status} x\r\ncontent-type: application/json\r\n{headers}\r\n{start}");
    stream.write_all(head.as_bytes())?;
    let more = more.repeat((256 << 10) / more.len());
    loop {
        stream.write_all(&more)?;
    }
}

fn whole(stream: &mut TcpStream, body: &serde_json::Value) -> io::Result<()> {
    let body = body.to_string();
    let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", body.len());
    stream.write_all((head + &body).as_bytes())
}

fn overview() -> serde_json::Value {
    json!({"taskmanagers": 1, "slots-total": 1, "slots-available": 0, "jobs-running": 1, "jobs-finished": 0,
        "jobs-cancelled": 0, "jobs-failed": 0, "flink-version": "2.3.0", "flink-commit": "x"})
}

#[test]
fn rest_answers_have_an_end() {
    for (start, more) in
        [(r#"{"jobs":[{"name":""#, "x"), (r#"{"jobs":["#, "{},"), ("", " "), (r#"{"jobs":"#, "[")]
    {
        let server = Server::answering(move |line, stream| match line {
            "GET /overview" => whole(stream, &overview()),
            _ => endless(stream, 200, "", start, more.as_bytes()),
        });
        let ended = flink_at_address(&server, &["jobs", "roc"]);
        is_refused(&ended, "the answer to GET /jobs/overview is longer than 32 MiB");
    }
    // What is small is cut off sooner, also where it announces its length, and where it is an error.
    for (status, headers) in [(200, ""), (200, "content-length: 99999999999\r\n"), (500, "")] {
        let server = Server::answering(move |_, stream| endless(stream, status, headers, "{\"a\":\"", b"x"));
        let ended = flink_at_address(&server, &["stop", "roc", "aa11dc59d12b7474c390b0a756115346"]);
        is_refused(&ended, "the answer to GET /overview is longer than 2 MiB");
    }
}

#[test]
fn answers_of_the_api_server_have_an_end() {
    let object = Server::answering(|_, stream| endless(stream, 200, "", "{\"gitVersion\":\"", b"x"));
    let ended = flink(&object, &["version"]);
    assert!(ended.stderr.contains("the answer to GET /version is longer than 16 MiB"), "{ended}");

    let error = Server::answering(|_, stream| endless(stream, 403, "", "{\"message\":\"", b"x"));
    is_refused(&flink(&error, &["ls"]), "is longer than 1 MiB");

    for (start, more, why) in [
        (r#"{"items":[{"metadata":{"name":""#, "x", "one of its objects, is longer than 8 MiB"),
        (r#"{"metadata":{"x":""#, "x", "what is not its objects, is longer than 1 MiB"),
        (
            r#"{"items":["#,
            r#"{"metadata":{"name":"a"},"spec":{"selector":{},"template":{"spec":{"containers":[]}}}},"#,
            "has more than 300000 objects",
        ),
    ] {
        let server = Server::answering(move |line, stream| match line.ends_with("/deployments") {
            true => endless(stream, 200, "", start, more.as_bytes()),
            false => whole(stream, &json!({"metadata": {}, "items": []})),
        });
        is_refused(&flink(&server, &["ls"]), why);
    }
}

/// A block of gzip that stands for 8 MiB of spaces, and can be repeated.
fn bomb() -> (Vec<u8>, Vec<u8>) {
    let mut head = GzEncoder::new(Vec::new(), Compression::best());
    head.write_all(b"{\"gitVersion\":\"").and_then(|()| head.flush()).expect("memory");
    let mut block = Vec::with_capacity(1 << 20);
    let mut compress = flate2::Compress::new(Compression::best(), false);
    compress.compress_vec(&vec![b'x'; 8 << 20], &mut block, FlushCompress::Full).expect("memory");
    (head.get_ref().clone(), block)
}

#[test]
fn what_is_compressed_counts_as_it_is_kept() {
    let (head, block) = bomb();
    assert!(block.len() < 64 << 10, "{}", block.len());
    let server = Server::answering(move |_, stream| {
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\n\r\n")?;
        stream.write_all(&head)?;
        endless_blocks(stream, &block)
    });
    let ended = flink(&server, &["version"]);
    assert!(ended.stderr.contains("the answer to GET /version is longer than 16 MiB"), "{ended}");
}

fn endless_blocks(stream: &mut TcpStream, block: &[u8]) -> io::Result<()> {
    loop {
        stream.write_all(block)?;
    }
}

/// hyper bounds what is not a body.
#[test]
fn heads_and_chunks_have_an_end() {
    for (start, more) in [
        ("HTTP/1.1 200 OK\r\n", "x: y\r\n"),
        ("HTTP/1.1 200 OK\r\nx: ", "y"),
        ("HTTP/1.1 200 ", "y"),
        ("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1;", "y"),
        ("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n", "x: y\r\n"),
        ("", "HTTP/1.1 100 Continue\r\n\r\n"),
    ] {
        let server = Server::answering(move |_, stream| {
            stream.write_all(start.as_bytes())?;
            endless_blocks(stream, more.repeat(10_000).as_bytes())
        });
        for ended in
            [flink_at_address(&server, &["jobs", "roc"]), flink(&server, &["ls", "--request-timeout=5s"])]
        {
            is_refused(&ended, "");
            assert!(["127.0.0.1", "within 5 s"].iter().any(|why| ended.stderr.contains(why)), "{ended}");
        }
    }
}

#[test]
fn an_answer_that_trickles_ends_at_the_deadline() {
    let server = Server::answering(|_, stream| {
        stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n{")?;
        loop {
            stream.write_all(b" ")?;
            std::thread::sleep(Duration::from_millis(50));
        }
    });
    is_refused(&flink_at_address(&server, &["jobs", "roc"]), "no answer within 5 s");
    is_refused(&flink(&server, &["ls", "--request-timeout=2s"]), "no answer within 2 s (--request-timeout)");
    let began = Instant::now();
    let ended = flink(&server, &["delete", "roc", "--yes", "--timeout=2s"]);
    assert_eq!(ended.code, 3, "{ended}");
    assert!(ended.stderr.contains("no answer within 2 s (--timeout)"), "{ended}");
    assert!(began.elapsed() < Duration::from_secs(15), "{:?}", began.elapsed());
}

#[test]
fn deep_answers_are_refused() {
    for deep in ["[", "{\"a\":"] {
        let body = deep.repeat(1_000_000);
        let rest = Server::answering(move |line, stream| {
            if line == "GET /overview" {
                return whole(stream, &overview());
            }
            let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", body.len() + 8);
            stream.write_all(format!("{head}{{\"jobs\":{body}").as_bytes())
        });
        is_refused(&flink_at_address(&rest, &["jobs", "roc"]), "an answer that is not Flink's");
        for words in [&["ls"][..], &["version"], &["status", "roc"]] {
            let ended = flink(&rest, words);
            assert!((0..2).contains(&ended.code) && !ended.stderr.contains("overflow"), "{words:?} {ended}");
        }
    }
}

#[test]
fn a_program_for_credentials_that_prints_without_an_end_is_ended() {
    let home = tempfile::tempdir().expect("home");
    for (script, why) in [
        ("exec cat /dev/zero", "it prints more than 1 MiB"),
        ("exec cat /dev/zero >&2", "it prints more than 1 MiB"),
    ] {
        let directory = home.path().join(".kube");
        std::fs::create_dir_all(&directory).expect("directory");
        let config = json!({
            "apiVersion": "v1", "kind": "Config", "current-context": "test",
            "clusters": [{"name": "test", "cluster": {"server": "https://127.0.0.1:1"}}],
            "contexts": [{"name": "test", "context": {"cluster": "test", "user": "me"}}],
            "users": [{"name": "me", "user": {"exec": {
                "apiVersion": "client.authentication.k8s.io/v1", "command": "sh", "args": ["-c", script],
                "interactiveMode": "Never"}}}],
        });
        std::fs::write(directory.join("config"), config.to_string()).expect("kubeconfig");
        is_refused(&limited(home.path(), &["ls"]), why);
    }
}
