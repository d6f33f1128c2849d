//! A server that speaks as an API server does to whoever lists, and the ways to it. What it is told about who
//! asks it keeps.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig, ServerConnection, StreamOwned};

use super::certificates::Certificates;

/// The token that the server takes.
pub const TOKEN: &str = "good-token";

/// The token of somebody whose first request is one too many for it.
pub const BUSY: &str = "busy-token";

/// The token that replaces it.
pub const LATER: &str = "later-token";

/// What a request says that came when the server was busy.
pub const TOLD_TO_WAIT: &str = "told to come again in a second";

/// What one request says of the connection that it came on, a line each.
pub type Facts = BTreeSet<String>;

/// Begins the one fact that tells the two programs apart.
pub const AGENT: &str = "agent: ";

/// Collects facts of all servers of a form.
pub type Log = Arc<Mutex<Vec<Facts>>>;

/// Starts the API server, with TLS or without; answers its port.
pub fn api(certificates: &Certificates, server: Option<&str>, log: &Log) -> u16 {
    let tls = server.map(|name| Arc::new(tls(certificates, name)));
    let known = certificates.known_clients();
    serve(log, move |stream, log| {
        let _ = match &tls {
            None => answer(stream, &Facts::from(["without TLS".to_owned()]), log),
            Some(tls) => {
                let mut stream =
                    StreamOwned::new(ServerConnection::new(Arc::clone(tls)).expect("server"), stream);
                // The handshake, which tells who is there.
                if stream.conn.complete_io(&mut stream.sock).is_err() {
                    return;
                }
                let name = stream.conn.server_name().unwrap_or("no name").to_owned();
                let mut facts = Facts::from([format!("TLS to {name}")]);
                let shown = stream.conn.peer_certificates().and_then(|chain| chain.first());
                if let Some(shown) = shown {
                    let name = known.iter().find(|(der, _)| der == shown.as_ref());
                    let name = name.map_or("unknown", |(_, name)| name);
                    facts.insert(format!("client certificate of {name}"));
                }
                answer(stream, &facts, log)
            }
        };
    })
}

/// Starts a proxy that speaks HTTP. Whatever it is to lead to, it leads to `port`.
pub fn http_proxy(port: u16, log: &Log) -> u16 {
    serve(log, move |stream, log| {
        let mut reader = BufReader::new(stream);
        let Some(head) = read_head(&mut reader) else { return };
        let mut facts = Facts::from([format!("through an HTTP proxy: {}", head.line)]);
        facts.extend(head.headers.iter().filter(|(name, _)| name == "proxy-authorization").map(pair));
        log.lock().expect("lock").push(facts);
        let mut client = reader.into_inner();
        if client.write_all(b"HTTP/1.1 200 OK\r\n\r\n").is_ok() {
            relay(client, port);
        }
    })
}

/// Starts a SOCKS5 proxy that leads to `port`.
pub fn socks_proxy(port: u16, log: &Log) -> u16 {
    serve(log, move |mut stream, log| {
        let greet = |stream: &mut TcpStream| -> std::io::Result<String> {
            let mut two = [0; 2];
            stream.read_exact(&mut two)?;
            let mut methods = vec![0; usize::from(two[1])];
            stream.read_exact(&mut methods)?;
            stream.write_all(&[5, 0])?;
            let mut head = [0; 4];
            stream.read_exact(&mut head)?;
            assert_eq!(head[3], 3, "the proxy is given a name");
            let mut length = [0];
            stream.read_exact(&mut length)?;
            let mut name = vec![0; usize::from(length[0]) + 2];
            stream.read_exact(&mut name)?;
            stream.write_all(&[5, 0, 0, 1, 0, 0, 0, 0, 0, 0])?;
            name.truncate(usize::from(length[0]));
            Ok(String::from_utf8_lossy(&name).into_owned())
        };
        if let Ok(name) = greet(&mut stream) {
            log.lock().expect("lock").push(Facts::from([format!("through a SOCKS5 proxy to {name}")]));
            relay(stream, port);
        }
    })
}

fn serve(log: &Log, each: impl Fn(TcpStream, &Log) + Send + Sync + 'static) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("port");
    let port = listener.local_addr().expect("address").port();
    let (log, each) = (Arc::clone(log), Arc::new(each));
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let (log, each) = (Arc::clone(&log), Arc::clone(&each));
            std::thread::spawn(move || {
                let _ = stream.set_read_timeout(Some(Duration::from_secs(10)));
                each(stream, &log);
            });
        }
    });
    port
}

/// With the curve P-521, which the other side, kubectl, has from Go.
fn tls(certificates: &Certificates, server: &str) -> ServerConfig {
    let provider = kubectl_flink::net::provider();
    let mut roots = RootCertStore::empty();
    for authority in ["ca.crt", "curve.crt"] {
        let authority = CertificateDer::from_pem_file(certificates.path(authority)).expect("authority");
        roots.add(authority).expect("authority");
    }
    let clients = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider));
    let clients = clients.allow_unauthenticated().build().expect("verifier");
    let chain =
        vec![CertificateDer::from_pem_file(certificates.path(&format!("{server}.crt"))).expect("chain")];
    let key = PrivateKeyDer::from_pem_file(certificates.path(&format!("{server}.key"))).expect("key");
    let builder = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    builder.expect("TLS").with_client_cert_verifier(clients).with_single_cert(chain, key).expect("TLS")
}

struct Head {
    line: String,
    headers: Vec<(String, String)>,
}

fn read_head(from: &mut impl BufRead) -> Option<Head> {
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        if from.read_line(&mut line).ok()? == 0 {
            return None;
        }
        match line.trim_end() {
            "" => break,
            line => lines.push(line.to_owned()),
        }
    }
    let mut lines = lines.into_iter();
    let line = lines.next()?;
    let split = |line: String| {
        let (name, value) = line.split_once(':')?;
        Some((name.to_lowercase(), value.trim().to_owned()))
    };
    Some(Head { line, headers: lines.filter_map(split).collect() })
}

fn pair((name, value): &(String, String)) -> String {
    format!("{name}: {value}")
}

/// Answers requests until the client is done.
fn answer(mut stream: impl Read + Write, of_connection: &Facts, log: &Log) -> std::io::Result<()> {
    loop {
        let head = {
            // A client that waits for its answer has sent nothing more.
            let mut reader = BufReader::new(&mut stream);
            match read_head(&mut reader) {
                Some(head) => head,
                None => return Ok(()),
            }
        };
        let mut facts = of_connection.clone();
        let path = head.line.split(' ').nth(1).unwrap_or_default();
        let prefix = ["/apis/", "/api/", "/version"].iter().find_map(|api| path.split_once(api));
        facts.insert(format!("paths below {:?}", prefix.map_or(path, |(prefix, _)| prefix)));
        let tells =
            |name: &str| ["authorization", "host"].contains(&name) || name.starts_with("impersonate-");
        facts.extend(head.headers.iter().filter(|(name, _)| tells(name)).map(pair));
        let agent = head.headers.iter().find(|(name, _)| name == "user-agent");
        let agent = agent.and_then(|(_, agent)| agent.split('/').next()).unwrap_or_default();
        facts.insert(format!("{AGENT}{agent}"));
        let of = |name: &str| head.headers.iter().find(|(header, _)| header == name).map(|(_, value)| value);
        let knows = facts.iter().any(|fact| fact.starts_with("client certificate of "))
            || of("authorization").is_some_and(|value| {
                [TOKEN, BUSY, LATER].iter().any(|token| *value == format!("Bearer {token}"))
                    || value.starts_with("Basic ")
                    || value.ends_with(".e30")
            });
        let mut is_busy = false;
        // kubectl asks for it when it has been refused something else, or for a warning.
        if !path.ends_with("/version?timeout=5s") {
            let mut log = log.lock().expect("lock");
            is_busy = of("authorization").is_some_and(|value| value.ends_with(BUSY))
                && log.iter().all(|facts| !facts.contains(TOLD_TO_WAIT));
            if is_busy {
                facts.insert(TOLD_TO_WAIT.to_owned());
            }
            log.push(facts);
        }
        let accept = of("accept").map_or("", String::as_str);
        let (status, body) = match knows {
            false => (
                "401 Unauthorized",
                r#"{"kind":"Status","apiVersion":"v1","status":"Failure","message":"Unauthorized","reason":"Unauthorized","code":401}"#,
            ),
            true if is_busy => (
                "429 Too Many Requests\r\nretry-after: 1",
                r#"{"kind":"Status","apiVersion":"v1","status":"Failure","message":"too many","reason":"TooManyRequests","code":429}"#,
            ),
            true if path.contains("/version") => {
                ("200 OK", r#"{"major":"1","minor":"34","gitVersion":"v1.34.0"}"#)
            }
            true if accept.contains("as=Table") => (
                "200 OK",
                r#"{"kind":"Table","apiVersion":"meta.k8s.io/v1","metadata":{},"columnDefinitions":[],"rows":[]}"#,
            ),
            true => ("200 OK", r#"{"kind":"List","apiVersion":"v1","metadata":{},"items":[]}"#),
        };
        let length = body.len();
        write!(
            stream,
            "HTTP/1.1 {status}\r\ncontent-type: application/json\r\nwarning: 299 - \"be careful\"\r\ncontent-length: {length}\r\n\r\n{body}"
        )?;
        stream.flush()?;
    }
}

fn relay(client: TcpStream, port: u16) {
    let Ok(server) = TcpStream::connect(("127.0.0.1", port)) else { return };
    let pass = |mut from: TcpStream, mut to: TcpStream| {
        let _ = std::io::copy(&mut from, &mut to);
        let _ = to.shutdown(Shutdown::Both);
    };
    let (Ok(client_too), Ok(server_too)) = (client.try_clone(), server.try_clone()) else { return };
    std::thread::spawn(move || pass(client_too, server_too));
    pass(server, client);
}
