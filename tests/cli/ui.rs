//! The web UI's address: given, or a port of this machine.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
#[cfg(target_os = "linux")]
use std::process::Output;

use serde_json::{Value, json};

#[cfg(target_os = "linux")]
use crate::process::command;
use crate::process::flink;
use crate::server::{Server, failure};
use crate::watch::deployment;

const OVERVIEW: &str =
    r#"{"taskmanagers":0,"slots-total":0,"slots-available":0,"jobs-running":0,"flink-version":"2.3.0"}"#;

/// A REST that answers everything with its overview.
fn rest() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("port");
    let address = listener.local_addr().expect("address");
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut lines = BufReader::new(stream.try_clone().expect("stream")).lines().map_while(Result::ok);
            while lines.next().is_some_and(|line| !line.is_empty()) {}
            let length = OVERVIEW.len();
            let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n");
            let _ = stream.write_all((head + OVERVIEW).as_bytes());
        }
    });
    format!("http://{address}/flink/roc")
}

#[test]
fn a_busy_port_is_named_before_any_cluster_is_asked() {
    let busy = TcpListener::bind("127.0.0.1:0").expect("port");
    let port = busy.local_addr().expect("address").port().to_string();
    let ended = flink(&["ui", "roc", "--port", &port]);
    assert_eq!((ended.code, ended.stdout.as_str()), (1, ""));
    let told = ended.stderr.replace(&port, "PORT");
    insta::assert_snapshot!(told, @r"
    error: port PORT on 127.0.0.1 is in use
    hint: choose another one, or leave --port out: then it is a free one
    ");
}

#[test]
fn an_address_that_is_given_is_the_address() {
    let address = rest();
    let ended = flink(&["ui", "roc", "--address", &address]);
    assert_eq!((ended.code, ended.stderr.as_str()), (0, ""));
    // Without the slash the browser would look for the page's parts one directory higher.
    assert_eq!(ended.stdout, format!("{address}/\n"));

    let both = flink(&["ui", "roc", "--address", &address, "--port", "8081"]);
    assert_eq!((both.code, both.stdout.as_str()), (1, ""));
    assert!(both.stderr.contains("cannot be used with"), "{}", both.stderr);
}

/// No port is opened at an address, and a host that cannot match is no host.
#[test]
fn hosts_that_are_accepted_are_checked_before_any_cluster_is_asked() {
    let given = |hosts: &str| flink(&["ui", "roc", "--accept-hosts", hosts]);
    for wrong in ["(", "a,[", ""] {
        let ended = given(wrong);
        assert_eq!((ended.code, ended.stdout.as_str()), (1, ""), "{wrong}");
        assert!(ended.stderr.contains("--accept-hosts <HOSTS>"), "{}", ended.stderr);
    }
    // What kubectl proxy takes.
    let ended = given(r"^localhost$,^127\.0\.0\.1$,^\[::1\]$,dev.example.com");
    assert_eq!(ended.code, 1);
    assert!(!ended.stderr.contains("--accept-hosts"), "{}", ended.stderr);

    let both = flink(&["ui", "roc", "--address", "http://127.0.0.1:1", "--accept-hosts", "dev.example.com"]);
    assert_eq!((both.code, both.stdout.as_str()), (1, ""));
    assert!(both.stderr.contains("cannot be used with"), "{}", both.stderr);
}

#[cfg(target_os = "linux")]
#[test]
fn a_browser_is_opened_on_request_and_none_is_no_error() {
    let home = tempfile::tempdir().expect("scratch directory");
    let address = rest();
    let open = |browser: Option<&str>| {
        let mut command = command(home.path(), &["dashboard", "roc", "--open", "--address", &address]);
        command.current_dir(home.path()).envs(browser.map(|browser| ("BROWSER", browser)));
        let Output { status, stdout, stderr } = command.output().expect("program");
        let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
        (status.code(), text(stdout), text(stderr))
    };
    let printed = format!("{address}/\n");

    let nowhere = open(None);
    assert_eq!((nowhere.0, &nowhere.1), (Some(0), &printed));
    assert_eq!(
        nowhere.2,
        "Warning: no browser can be opened: neither DISPLAY, nor WAYLAND_DISPLAY, nor BROWSER is set\n"
    );

    let missing = open(Some("/no/such/browser"));
    assert_eq!((missing.0, &missing.1), (Some(0), &printed));
    assert!(missing.2.starts_with("Warning: no browser can be opened: "), "{}", missing.2);
    assert!(missing.2.contains("/no/such/browser"), "{}", missing.2);

    let browser = home.path().join("browser");
    std::fs::write(&browser, "#!/bin/sh\necho \"$1\" > shown.new && mv shown.new shown\n").expect("script");
    let executable = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(&browser, executable).expect("script");
    assert_eq!(open(browser.to_str()), (Some(0), printed.clone(), String::new()));
    // It goes on by itself.
    let shown = home.path().join("shown");
    let end = std::time::Instant::now() + std::time::Duration::from_secs(20);
    while !shown.exists() {
        assert!(std::time::Instant::now() < end, "the browser was not started");
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    assert_eq!(std::fs::read_to_string(shown).expect("what it was given"), printed);
}

/// Questions go by the API server's proxy then. The web UI would not.
#[test]
fn who_may_not_forward_ports_is_told_so() {
    let pods = json!({"items": [{
        "metadata": {"name": "roc-1", "namespace": "team-a",
            "labels": {"app": "roc", "component": "jobmanager", "type": "flink-native-kubernetes"},
            "ownerReferences": [{"kind": "ReplicaSet", "name": "roc-5d4", "uid": "r1"}]},
        "spec": {"containers": []},
        "status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}],
            "containerStatuses": [{"name": "flink-main-container", "ready": true, "state": {"running": {}}}]},
    }]});
    let server = Server::answering(move |line| match line {
        "GET /apis/apps/v1/namespaces/team-a/deployments/roc" => Some((200, deployment("roc", 1))),
        "GET /api/v1/namespaces/team-a/pods" => Some((200, pods.clone())),
        "GET /api/v1/namespaces/team-a/pods/roc-1/portforward" => Some(failure(
            403,
            "Forbidden",
            "pods \"roc-1\" is forbidden: User \"me\" cannot get pods/portforward",
        )),
        "GET /api/v1/namespaces/team-a/pods/roc-1:8081/proxy/overview" => {
            Some((200, serde_json::from_str::<Value>(OVERVIEW).expect("JSON")))
        }
        _ => None,
    });
    insta::assert_snapshot!(server.flink(&["ui", "roc"]), @r#"
    exit 1
    --- stdout
    --- stderr
    error: no port can be forwarded to session roc
      because: Error from server (Forbidden): pods "roc-1" is forbidden: User "me" cannot get pods/portforward
    hint: kubectl auth can-i create pods --subresource=portforward -n team-a
    "#);
}
