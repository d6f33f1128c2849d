//! Sessions whose REST speaks TLS.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Command;

use crate::jobs::{PROGRAMS, SMALL_TASKMANAGERS, the_id};
use crate::lab::{Ended, FLINK_2_3, Lab, QUICK};
use crate::submit::{Forwarded, READS};
use crate::ui::Ui;

/// A certificate that vouches for itself, as those of Flink's own guide do.
struct Certificate {
    directory: tempfile::TempDir,
}

impl Certificate {
    fn new() -> Self {
        let made = Self { directory: tempfile::tempdir().expect("scratch directory") };
        let request = "[req]\ndistinguished_name=name\nx509_extensions=v3\nprompt=no\n\
                       [name]\nCN=roc\n[v3]\nsubjectAltName=DNS:roc-rest,DNS:localhost\n";
        fs::write(made.path("request"), request).expect("request");
        made.openssl(
            &["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-config", "request"]
                .into_iter()
                .chain(["-keyout", "key.pem", "-out", "cert.pem"])
                .collect::<Vec<_>>(),
        );
        made.openssl(&[
            "pkcs12",
            "-export",
            "-in",
            "cert.pem",
            "-inkey",
            "key.pem",
            "-out",
            "rest.p12",
            "-passout",
            "pass:secret",
        ]);
        made
    }

    fn openssl(&self, words: &[&str]) {
        let ended =
            Command::new("openssl").args(words).current_dir(self.directory.path()).output().expect("openssl");
        assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
    }

    fn path(&self, file: &str) -> String {
        self.directory.path().join(file).to_string_lossy().into_owned()
    }
}

/// Makes a session with `certificate` that its clients may have, too.
fn session(lab: &Lab, certificate: &Certificate, words: &[&str]) {
    let file = format!("--from-file={}", certificate.path("rest.p12"));
    lab.kubectl_ok(&["create", "secret", "generic", "rest-tls", &file]);
    let settings = [
        "-Dkubernetes.secrets=rest-tls:/opt/tls",
        "-Dsecurity.ssl.rest.enabled=true",
        "-Dsecurity.ssl.rest.keystore=/opt/tls/rest.p12",
        "-Dsecurity.ssl.rest.keystore-password=secret",
        "-Dsecurity.ssl.rest.key-password=secret",
        "-Dsecurity.ssl.rest.truststore=/opt/tls/rest.p12",
        "-Dsecurity.ssl.rest.truststore-password=secret",
    ];
    let create = ["create", "roc", "--image", FLINK_2_3.0];
    lab.flink_ok(&[&create[..], &QUICK, &SMALL_TASKMANAGERS, &settings, words].concat());
}

fn submit(lab: &Lab, words: &[&str]) -> Ended {
    lab.flink(&[&["submit", "roc", PROGRAMS][..], words, &["--", "long"]].concat())
}

/// What a plain `GET /overview` is answered with.
fn plainly(port: &str) -> String {
    let mut stream = TcpStream::connect(format!("127.0.0.1:{port}")).expect("connection");
    stream
        .write_all(b"GET /overview HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        .expect("request");
    let mut answer = [0; 1024];
    let bytes = stream.read(&mut answer).expect("answer");
    String::from_utf8_lossy(&answer[..bytes]).into_owned()
}

fn states(lab: &Lab) -> String {
    lab.kubectl_ok(&["get", "--raw", &lab.rest_path("https:", "roc", "/jobs/overview")])
}

#[test]
fn rest_that_speaks_tls_is_spoken_to_in_tls() {
    let lab = Lab::new("tls");
    let (own, other) = (Certificate::new(), Certificate::new());
    session(&lab, &own, &[]);

    // The API server has brought us to the pod: no authority is needed, but one that is named counts.
    let plain = the_id(&submit(&lab, &[]));
    let checked = the_id(&submit(&lab, &["--rest-certificate-authority", &own.path("cert.pem")]));
    assert!(states(&lab).contains(&plain) && states(&lab).contains(&checked));
    let refused = submit(&lab, &["--rest-certificate-authority", &other.path("cert.pem")]);
    refused.failed(1, &["REST of session roc does not answer", "x509: certificate "]);
    let hint = refused.stderr.lines().find_map(|line| line.strip_prefix("hint: ")).expect("hint");
    assert_eq!(lab.flink_as_printed(hint).code, 0, "{hint}");
    submit(&lab, &["--rest-certificate-authority", &own.path("key.pem")])
        .failed(1, &["the certificate authority holds no PEM certificate"]);
    assert_eq!(lab.flink_ok(&["cancel", "roc", "--all"]).lines().count(), 2);
    assert_eq!(states(&lab).matches("\"state\":\"CANCELED\"").count(), 2);
    an_address_is_checked(&lab, &own);
    the_web_ui_is_there(&lab, &[]);
    the_web_ui_is_there(&lab, &["--rest-certificate-authority", &own.path("cert.pem")]);

    // Through the API server's proxy.
    let user = lab.user("proxies", &[READS, ("get,create,patch,delete", "pods/proxy")]);
    let id = the_id(&lab.flink_as(&user, &["submit", "roc", PROGRAMS, "--", "long"]));
    let cancelled = lab.flink_as(&user, &["cancel", "roc", &id]);
    assert_eq!(
        (cancelled.code, cancelled.stdout),
        (0, format!("job/{id} canceled\n")),
        "{}",
        cancelled.stderr
    );
}

/// The local port speaks plain HTTP: what is said there can be checked.
fn the_web_ui_is_there(lab: &Lab, words: &[&str]) {
    let ui = Ui::start(lab, words);
    let (status, page) = ui.get("/");
    assert!(status == 200 && page.contains("Apache Flink"), "{status} {page}");
    let (status, overview) = ui.get("/overview");
    assert!(status == 200 && overview.contains(FLINK_2_3.1), "{status} {overview}");
    assert_eq!(ui.end().0, 0);
}

/// At an address somebody must vouch for it, and its name must be right.
fn an_address_is_checked(lab: &Lab, own: &Certificate) {
    let Forwarded { port, .. } = &Forwarded::to(lab, "service/roc-rest");
    let answer = plainly(port);
    assert!(answer.starts_with("HTTP/1.1 301") && answer.contains("location: https://"), "{answer}");
    let cancel = |words: &[&str]| lab.flink(&[&["cancel", "roc", "--all"][..], words].concat());
    let (http, https) = (format!("http://localhost:{port}"), format!("https://localhost:{port}"));
    cancel(&["--address", &http])
        .failed(1, &[&format!("REST of {http} does not answer"), "it sends to https://"]);
    cancel(&["--address", &https]).failed(1, &["x509: certificate signed by unknown authority"]);
    let authority = own.path("cert.pem");
    let checked = cancel(&["--address", &https, "--rest-certificate-authority", &authority]);
    assert_eq!((checked.code, checked.stderr.as_str()), (0, "No running jobs on session roc.\n"));
    let number = format!("https://127.0.0.1:{port}");
    cancel(&["--address", &number, "--rest-certificate-authority", &authority])
        .failed(1, &["failed to verify certificate: x509: "]);
}

#[test]
fn rest_that_asks_who_one_is_is_told() {
    let lab = Lab::new("mutual-tls");
    let (own, other) = (Certificate::new(), Certificate::new());
    // create has no certificate to show.
    session(&lab, &own, &["-Dsecurity.ssl.rest.authentication-enabled=true", "--wait=false"]);
    let ready = ["get", "deployment", "roc", "--ignore-not-found", "-o", "jsonpath={.status.readyReplicas}"];
    lab.until("the JobManager", || lab.kubectl_ok(&ready) == "1");
    let as_who = |who: &Certificate| {
        ["--rest-client-certificate", &who.path("cert.pem"), "--rest-client-key", &who.path("key.pem")]
            .map(str::to_owned)
    };
    let known = as_who(&own);
    let known: Vec<&str> = known.iter().map(String::as_str).collect();
    let cancel = |words: &[&str]| lab.flink(&[&["cancel", "roc", "--all"][..], words].concat());
    lab.until("REST", || cancel(&known).code == 0);

    let id = the_id(&submit(&lab, &known));
    cancel(&[]).failed(1, &["REST of session roc does not answer", "tls: localhost ends the handshake"]);
    let unknown = as_who(&other);
    cancel(&unknown.iter().map(String::as_str).collect::<Vec<_>>())
        .failed(1, &["tls: localhost ends the handshake"]);
    assert_eq!(cancel(&known).stdout, format!("job/{id} canceled\n"));
    the_web_ui_is_there(&lab, &known);
}
