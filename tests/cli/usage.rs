//! Wrong words, and places that are not there.

use serde_json::{Value, json};

use crate::process::{command, flink, flink_at};
use crate::server::Server;

/// All of these are refused without a kubeconfig: nothing was asked of any cluster.
#[test]
fn what_is_wrong_whatever_the_cluster() {
    let too_long = "x".repeat(46);
    let cases: [&[&str]; 21] = [
        &["creat", "roc"],
        &["create"],
        &["create", "Roc"],
        &["create", &too_long],
        &["create", "my_team.roc"],
        &["create", "1a"],
        &["create", "roc", "--image", "flink:1.9.3"],
        &["create", "roc", "--flink-version", "1.8"],
        &["create", "roc", "--flink-version", "latest"],
        &["create", "roc", "--image", "flink:1.20", "--flink-version", "2.3"],
        &["create", "roc", "--image", ""],
        &["create", "roc", "--jobmanager-memory", "lots"],
        &["create", "roc", "--taskmanager-cpu", "0"],
        &["create", "roc", "--slots", "0"],
        &["create", "roc", "--expose", "Ingress"],
        &["create", "roc", "-Dnonsense"],
        &["create", "roc", "-Dkubernetes.cluster-id=other"],
        &["create", "roc", "--timeout", "0"],
        &["create", "roc", "--expose", "NodePort", "--wait=false"],
        &["ls", "-o", "xml"],
        &["ls", "roc", "-A"],
    ];
    let told: Vec<String> =
        cases.iter().map(|words| format!("$ kubectl flink {}\n{}", words.join(" "), flink(words))).collect();
    insta::assert_snapshot!(told.join("\n"));
}

#[test]
fn a_kubeconfig_that_is_not_there_or_not_right() {
    let home = tempfile::tempdir().expect("scratch directory");
    let write = |name: &str, text: &str| {
        let path = home.path().join(name);
        std::fs::write(&path, text).expect("kubeconfig");
        path.to_string_lossy().into_owned()
    };
    let broken = write("broken", "clusters: [");
    let empty = write("empty", "apiVersion: v1\nkind: Config\n");
    let dangling = write(
        "dangling",
        "apiVersion: v1\nkind: Config\ncurrent-context: a\ncontexts: [{name: a, context: {cluster: gone, user: me}}]\n",
    );
    let cases: [&[&str]; 6] = [
        &["ls"],
        &["ls", "--kubeconfig", "/no/such/file"],
        &["ls", "--kubeconfig", &broken],
        &["ls", "--kubeconfig", &empty],
        &["ls", "--kubeconfig", &dangling],
        &["ls", "--kubeconfig", &dangling, "--context", "b"],
    ];
    let told: Vec<String> = cases.iter().map(|words| flink_at(home.path(), words).to_string()).collect();
    let listed = ["/no/such/file", "/no/such/file:/nor/such"].map(|list| {
        let output = command(home.path(), &["ls"]).env("KUBECONFIG", list).output().expect("program");
        String::from_utf8_lossy(&output.stderr).into_owned()
    });
    let told = [told, listed.to_vec()].concat().join("\n").replace(&*home.path().to_string_lossy(), "HOME");
    insta::assert_snapshot!(told);
}

#[test]
fn version_needs_no_cluster() {
    let ended = flink(&["version", "--client"]);
    assert_eq!((ended.code, ended.stderr.as_str()), (0, ""));
    let mut settings = insta::Settings::clone_current();
    settings.add_filter("(?m)^Commit: [0-9a-f]{40}\n", "");
    settings.add_filter("Target: [a-z0-9_-]+", "Target: TARGET");
    settings.bind(|| {
        insta::assert_snapshot!(ended.stdout, @r"
        Client Version: v0.1.0
        Target: TARGET
        Flink: 1.10 to 2.3
        Kubernetes: v1.27 and later
        ");
    });
    let without = flink(&["version"]);
    assert_eq!(without.code, 0);
    assert!(without.stderr.starts_with("Warning: there is no kubeconfig"), "{}", without.stderr);
}

#[test]
fn version_for_scripts() {
    let server = Server::answering(|line| {
        (line == "GET /version").then(|| {
            (200, json!({"major": "1", "minor": "20+", "gitVersion": "v1.20.7", "platform": "linux/arm64"}))
        })
    });
    let ended = server.flink(&["version", "-o", "json"]);
    assert!(ended.code == 0 && ended.stderr.contains("older than v1.27"), "{}", ended.stderr);
    let told: Value = serde_json::from_str(&ended.stdout).expect("JSON");
    assert_eq!(told["clientVersion"]["gitVersion"], "v0.1.0");
    assert!(told["clientVersion"]["target"].as_str().is_some_and(|target| target.contains('-')), "{told}");
    assert_eq!(told["supported"]["flink"], json!({"oldest": "1.10", "newest": "2.3"}));
    assert_eq!(
        told["serverVersion"],
        json!({"major": "1", "minor": "20+", "gitVersion": "v1.20.7", "platform": "linux/arm64"})
    );
    let yaml = server.flink(&["version", "-o", "yaml"]).stdout;
    assert!(yaml.contains("serverVersion:\n") && yaml.contains("gitVersion: v1.20.7\n"), "{yaml}");
    let client = server.flink(&["version", "--client", "-o", "json"]);
    assert!(client.stderr.is_empty() && !client.stdout.contains("serverVersion"), "{}", client.stdout);
    let refused = server.flink(&["version", "-o", "wide"]);
    assert_eq!((refused.code, refused.stdout.as_str()), (1, ""));
    assert!(refused.stderr.contains("allowed formats are: json,yaml"), "{}", refused.stderr);
    assert_eq!(server.asked().iter().filter(|line| line.contains("/version")).count(), 2);
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let home = tempfile::tempdir().expect("scratch directory");
    let mut child = command(home.path(), &["version", "--client"])
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .expect("program");
    drop(child.stdout.take());
    let output = child.wait_with_output().expect("program");
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
}

#[test]
fn a_script_may_confirm_a_restart_as_it_confirms_a_deletion() {
    for yes in ["--yes", "-y"] {
        let [deletion, restart] = ["delete", "restart"].map(|verb| flink(&[verb, "roc", yes]).to_string());
        assert_eq!(restart, deletion, "both look for a kubeconfig");
    }
}
