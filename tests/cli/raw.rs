//! The test as a server that writes its answers byte by byte.

use std::io::{self, BufRead, BufReader, Read};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;

use crate::process::write_kubeconfig;

/// Writes an answer by itself. An error ends the connection.
type Answer = dyn Fn(&str, &mut TcpStream) -> io::Result<()> + Send + Sync;

/// A server that writes its answers byte by byte, and the home of a user whose kubeconfig has it.
pub struct Server {
    pub home: tempfile::TempDir,
    #[cfg_attr(not(unix), expect(dead_code, reason = "only tests for Unix read it"))]
    pub address: SocketAddr,
}

impl Server {
    pub fn answering(
        answer: impl Fn(&str, &mut TcpStream) -> io::Result<()> + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("port");
        let address = listener.local_addr().expect("address");
        let answer: Arc<Answer> = Arc::new(answer);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let answer = Arc::clone(&answer);
                std::thread::spawn(move || serve(stream, &*answer));
            }
        });
        let home = tempfile::tempdir().expect("home");
        write_kubeconfig(home.path(), &format!("http://{address}"));
        Self { home, address }
    }
}

fn serve(mut stream: TcpStream, answer: &Answer) {
    let mut reader = BufReader::new(stream.try_clone().expect("stream"));
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).unwrap_or(0) == 0 {
            return;
        }
        let mut length = 0;
        loop {
            let mut header = String::new();
            if reader.read_line(&mut header).unwrap_or(0) == 0 {
                return;
            }
            if header.trim().is_empty() {
                break;
            }
            if let Some(value) = header.to_ascii_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().expect("length");
            }
        }
        if reader.by_ref().take(length).read_to_end(&mut Vec::new()).is_err() {
            return;
        }
        let words: Vec<&str> = line.split_whitespace().collect();
        let path = words[1].split('?').next().unwrap_or_default();
        if answer(&format!("{} {path}", words[0]), &mut stream).is_err() {
            return;
        }
    }
}
