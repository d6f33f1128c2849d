//! Kubeconfigs that are large, broken or odd, and what else a connection begins with.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::process::{Ended, command, flink_at, write_kubeconfig};
use crate::server::Server;

const CLUSTERS: usize = 5000;

fn write(home: &Path, config: &str) {
    fs::create_dir_all(home.join(".kube")).expect("directory");
    fs::write(home.join(".kube/config"), config).expect("kubeconfig");
}

/// As a tool writes it that logs in to many clusters; the context of the middle leads to `url`.
fn large(url: &str) -> String {
    let authority = "QUJD".repeat(400);
    let mut text = "apiVersion: v1\nclusters:\n".to_owned();
    for n in 0..CLUSTERS {
        let server = if n == CLUSTERS / 2 { url } else { "https://127.0.0.1:1" };
        write!(
            text,
            "- cluster:\n    certificate-authority-data: {authority}\n    server: {server}\n  name: c-{n}\n"
        )
        .expect("text");
    }
    text.push_str("contexts:\n");
    for n in 0..CLUSTERS {
        write!(
            text,
            "- context:\n    cluster: c-{n}\n    namespace: team-a\n    user: u-{n}\n  name: x-{n}\n"
        )
        .expect("text");
    }
    write!(text, "current-context: x-{}\nkind: Config\npreferences: {{}}\nusers:\n", CLUSTERS / 2)
        .expect("text");
    for n in 0..CLUSTERS {
        write!(
            text,
            "- name: u-{n}\n  user:\n    exec:\n      apiVersion: client.authentication.k8s.io/v1\n      args:\n      \
             - eks\n      - get-token\n      - --cluster-name\n      - c-{n}\n      command: no-such-helper\n      env:\n      \
             - name: AWS_PROFILE\n        value: p-{n}\n      interactiveMode: IfAvailable\n      \
             provideClusterInfo: false\n"
        )
        .expect("text");
    }
    text
}

#[test]
fn five_thousand_contexts_are_read_in_no_time() {
    let server =
        Server::answering(|_| Some((200, json!({"items": [], "columnDefinitions": [], "rows": []}))));
    let home = tempfile::tempdir().expect("home");
    write(home.path(), &large(&format!("http://{}", server.address)));
    let listed = flink_at(home.path(), &["ls"]);
    assert_eq!((listed.code, listed.stdout.as_str()), (0, ""), "{}", listed.stderr);
    let began = Instant::now();
    let offered = flink_at(home.path(), &["__complete", "ls", "--context", "x-499"]);
    let took = began.elapsed();
    assert!(offered.stdout.contains("x-4999") && offered.stdout.ends_with(":4\n"), "{}", offered.stdout);
    assert!(took < Duration::from_millis(2500), "{took:?}");
    let offered = flink_at(home.path(), &["__complete", "ls", "--user", "u-499"]);
    assert!(offered.stdout.contains("u-4999"), "{}", offered.stdout);
}

/// A test of every reader of a text that may hold a password.
#[test]
fn no_error_quotes_the_lines_around_it() {
    let home = tempfile::tempdir().expect("home");
    let broken = "kind: Config\nusers:\n- name: me\n  user:\n    token: hunter2\n    password: [hunter2\n- name: you\n";
    write(home.path(), broken);
    let told = |ended: Ended| {
        assert_eq!((ended.code, ended.stdout.as_str()), (1, ""), "{}", ended.stderr);
        assert!(ended.stderr.contains("line ") && !ended.stderr.contains("hunter2"), "{}", ended.stderr);
    };
    for words in [&["ls"][..], &["status", "roc"], &["-v", "9", "ls"], &["create", "roc", "--dry-run=server"]]
    {
        told(flink_at(home.path(), words));
    }
    fs::remove_file(home.path().join(".kube/config")).expect("kubeconfig");
    let manifest = home.path().join("roc.yaml");
    let secret =
        "kind: Secret\nstringData:\n  password: hunter2\n  other: 'hunter2\n---\nkind: FlinkDeployment\n";
    fs::write(&manifest, secret).expect("manifest");
    let create = ["create", "roc", "--dry-run=client", "-f", &manifest.to_string_lossy()];
    told(flink_at(home.path(), &create));
    let own = home.path().join(".config/kubectl-flink");
    fs::create_dir_all(&own).expect("directory");
    fs::write(own.join("config.yaml"), "defaults:\n  config: {password: hunter2\n  hunter2: \"hunter2\n")
        .expect("file");
    told(flink_at(home.path(), &["create", "roc", "--dry-run=client"]));
}

#[test]
fn a_proxy_that_cannot_be_used_is_not_passed_by() {
    let home = tempfile::tempdir().expect("home");
    write_kubeconfig(home.path(), "https://api.test:6443");
    for proxy in [
        "ftp://me:hunter2@127.0.0.1:1",
        "socks4://127.0.0.1:1",
        "http://[::1",
        "http://127.0.0.1:x",
        "http://",
    ] {
        for name in ["HTTPS_PROXY", "https_proxy"] {
            let output = command(home.path(), &["ls"]).env(name, proxy).output().expect("program");
            let told = String::from_utf8_lossy(&output.stderr);
            assert_eq!(output.status.code(), Some(1), "{told}");
            assert!(
                told.contains("the proxy of HTTPS_PROXY cannot be used") && !told.contains("hunter2"),
                "{told}"
            );
        }
    }
}
