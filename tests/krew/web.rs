//! A web server on this machine: krew takes archives from nothing else.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::thread;

use tempfile::TempDir;

/// Serves the files of a directory until the test ends.
pub struct Web {
    dir: TempDir,
    pub address: String,
}

impl Web {
    pub fn start() -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        let address = format!("http://{}", listener.local_addr().expect("an address"));
        let root = dir.path().to_owned();
        thread::spawn(move || {
            for stream in listener.incoming() {
                // A caller that hangs up is no matter of the server's.
                let _ = answer(&stream.expect("a connection"), &root);
            }
        });
        Self { dir, address }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// The archive under another name; its path there.
    pub fn serve(&self, archive: &Path, name: &str) -> PathBuf {
        fs::copy(archive, self.path(name)).expect("a copy");
        self.path(name)
    }

    /// All of them.
    pub fn serve_all(&self, archives: &[PathBuf]) {
        for archive in archives {
            self.serve(archive, archive.file_name().and_then(|name| name.to_str()).expect("a name"));
        }
    }
}

fn answer(mut stream: &TcpStream, root: &Path) -> std::io::Result<()> {
    let mut lines = BufReader::new(stream).lines();
    let request = lines.next().unwrap_or_else(|| Ok(String::new()))?;
    // The rest of the request is read, or the caller would see a reset instead of the answer.
    while !lines.next().unwrap_or_else(|| Ok(String::new()))?.is_empty() {}
    let name = request.split(' ').nth(1).unwrap_or_default().trim_start_matches('/');
    let (status, body) = match fs::read(root.join(name)) {
        Ok(body) => ("200 OK", body),
        Err(_) => ("404 Not Found", Vec::new()),
    };
    let length = body.len();
    write!(stream, "HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n")?;
    stream.write_all(&body)
}
