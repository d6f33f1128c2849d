//! `ls` against a server that the test plays: its forms, and what it shows to who may not see all.

use std::io::{BufRead, BufReader, Read};
use std::process::Stdio;

use serde_json::{Value, json};

use crate::process::command;
use crate::server::{Answer, Server, failure, table_of_pods};

const SESSION: &str = "kubernetes-jobmanager.sh kubernetes-session";

fn deployment(namespace: &str, name: &str, mut labels: Value) -> Value {
    let selector = json!({"app": name, "type": "flink-native-kubernetes", "component": "jobmanager"});
    for (key, value) in selector.as_object().expect("labels") {
        labels[key] = value.clone();
    }
    json!({"metadata": {"name": name, "namespace": namespace, "uid": name, "labels": labels},
        "status": {"readyReplicas": 1},
        "spec": {"replicas": 1, "selector": {"matchLabels": selector}, "template": {"spec": {"containers": [{"image": "flink:2.3.0", "args": [SESSION]}]}}}})
}

fn services(names: &[&str]) -> Answer {
    let rows: Vec<Value> = names.iter().map(|name| json!({"cells": [name, "ClusterIP"]})).collect();
    (200, json!({"columnDefinitions": [{"name": "Name"}, {"name": "Type"}], "rows": rows}))
}

fn forbidden(resource: &str, place: &str) -> Answer {
    let message = format!("{resource} is forbidden: User \"me\" cannot list resource \"{resource}\" {place}");
    failure(403, "Forbidden", &message)
}

fn list(items: &[Value]) -> Answer {
    (200, json!({"items": items}))
}

#[test]
fn what_cannot_be_printed_is_refused_before_anything_is_asked() {
    let server = Server::answering(|_| None);
    for words in [
        &["ls", "-o", "xml"][..],
        &["ls", "-o", "jsonpath={.items[0}"],
        &["ls", "-o", "custom-columns=NAME"],
        &["ls", "-o", "jsonpath-file=/no/such/file"],
        &["ls", "--sort-by", "{.a"],
        &["ls", "--field-selector", "spec.nodeName=x"],
        &["ls", "-o", "json", "--show-labels"],
        &["ls", "--output-watch-events"],
        &["ls", "--color", "blue"],
        &["ls", "roc", "-l", "a=b"],
        &["ls", "roc", "--field-selector", "status.phase=Running"],
        &["status", "roc", "-w", "--exit-code"],
        &["status", "roc", "-w", "-o", "flinkdeployment"],
        &["status", "-o", "xml"],
        &["status", "-w"],
        &["status", "--wait"],
        &["status", "-o", "flinkdeployment"],
    ] {
        let ended = server.flink(words);
        assert_eq!((ended.code, ended.stdout.as_str()), (1, ""), "{words:?}");
        assert!(ended.stderr.starts_with("error: "), "{words:?}: {ended}");
    }
    assert_eq!(server.asked(), Vec::<String>::new());
}

#[test]
fn rows_take_labels_selectors_and_an_order() {
    let server = Server::answering(|line| match line {
        "GET /apis/apps/v1/namespaces/team-a/deployments" => Some(list(&[
            deployment("team-a", "alpha", json!({"team": "x", "app": "alpha"})),
            deployment("team-a", "beta", json!({"app": "beta"})),
        ])),
        "GET /api/v1/namespaces/team-a/services" => {
            Some(services(&["alpha", "alpha-rest", "beta", "beta-rest"]))
        }
        "GET /api/v1/namespaces/team-a/pods" => Some(table_of_pods(&[
            ["alpha-1-a", "1/1", "Running"],
            ["beta-1-a", "1/1", "Running"],
            ["beta-taskmanager-1-1", "1/1", "Running"],
        ])),
        _ => None,
    });
    let printed = |words: &[&str]| server.flink(&[&["ls"], words].concat()).to_string();
    insta::assert_snapshot!(
        [
            printed(&["-L", "team,app", "--show-labels", "--no-headers"]),
            printed(&["--sort-by=.status.taskManagers", "-o", "name"]),
            printed(&["--field-selector", "metadata.name!=alpha", "-o", "name"]),
            printed(&["--field-selector", "status.phase=Pending"]),
            printed(&[
                "-o",
                "custom-columns=WHO:.metadata.name,TEAM:.metadata.labels.team,TMS:.status.taskManagers"
            ]),
            printed(&[
                "-o",
                r#"jsonpath={range .items[?(@.status.taskManagers>0)]}{.metadata.name}{"\n"}{end}"#
            ]),
        ]
        .join("\n")
    );
}

#[test]
fn only_what_is_shown_is_asked_for() {
    let server = Server::answering(|_| None);
    assert_eq!(server.flink(&["ls", "-l", "team in (a,b)"]).code, 0);
    let only = |line: &str| server.queries(line).concat();
    let native = "type%3Dflink-native-kubernetes";
    assert_eq!(
        only("GET /apis/apps/v1/namespaces/team-a/deployments"),
        format!("labelSelector={native}%2Cteam%20in%20%28a%2Cb%29")
    );
    // A bootstrap that has ended well is none of the sessions.
    assert!(
        only("GET /apis/batch/v1/namespaces/team-a/jobs")
            .ends_with("&fieldSelector=status.successful%21%3D1")
    );
    for rows in ["pods", "services"] {
        let path = format!("GET /api/v1/namespaces/team-a/{rows}");
        assert_eq!(only(&path), format!("includeObject=None&labelSelector={native}"));
    }
    let server = Server::answering(|_| None);
    server.flink(&["ls", "roc", "other", "-o", "name"]);
    // Of a name that is missing more is read, so as to say why.
    let queries = server.queries("GET /api/v1/namespaces/team-a/pods");
    let query = queries.first().expect("query");
    assert!(query.ends_with("%2Capp%20in%20%28roc%2Cother%29"), "{query}");
}

#[test]
fn a_selector_that_meets_the_bootstrap_alone_shows_no_session() {
    let complete = json!({"metadata": {"name": "boot-roc", "namespace": "team-a", "labels": {"app": "roc"}},
        "spec": {"template": {"spec": {}}}, "status": {"conditions": [{"type": "Failed", "status": "True"}]}});
    let server = Server::answering(move |line| match line {
        "GET /apis/batch/v1/namespaces/team-a/jobs" => Some(list(std::slice::from_ref(&complete))),
        "GET /apis/apps/v1/namespaces/team-a/deployments/roc" => {
            Some((200, deployment("team-a", "roc", json!({"tier": "prod"}))))
        }
        "GET /api/v1/namespaces/team-a/services" => Some(services(&["roc", "roc-rest"])),
        "GET /api/v1/namespaces/team-a/pods" => Some(table_of_pods(&[["roc-1-a", "1/1", "Running"]])),
        _ => None,
    });
    assert_eq!(server.flink(&["ls", "-l", "tier!=prod"]).stdout, "");
}

#[test]
fn a_session_that_was_born_between_two_lists_is_not_called_orphaned() {
    let server = Server::answering(|line| match line {
        "GET /api/v1/namespaces/team-a/pods" => Some(table_of_pods(&[["roc-1-a", "1/1", "Running"]])),
        "GET /apis/apps/v1/namespaces/team-a/deployments/roc" => {
            Some((200, deployment("team-a", "roc", json!({"app": "roc"}))))
        }
        _ => None,
    });
    assert!(!server.flink(&["ls"]).stdout.contains("Orphaned"));
    assert!(server.flink(&["ls"]).stdout.contains("roc    1/1"));
}

#[test]
fn a_name_that_is_not_there_is_an_error_unless_it_may_be() {
    let server = Server::answering(|_| None);
    let told = server.flink(&["ls", "nope"]);
    assert_eq!((told.code, told.stdout.as_str()), (1, ""));
    assert!(told.stderr.starts_with("error: there is no session nope in namespace team-a\n"), "{told}");
    for form in ["json", "yaml", "custom-columns=NAME:.metadata.name"] {
        assert_eq!(server.flink(&["ls", "nope", "-o", form]).stdout, "", "{form}");
    }
    let told = server.flink(&["ls", "nope", "--ignore-not-found"]);
    assert_eq!((told.code, told.stdout.as_str(), told.stderr.as_str()), (0, "", ""));
}

#[test]
fn who_may_only_list_pods_sees_what_they_tell() {
    let server = Server::answering(|line| match line {
        "GET /apis/apps/v1/namespaces/team-a/deployments" => Some(forbidden("deployments.apps", "here")),
        "GET /apis/batch/v1/namespaces/team-a/jobs" => Some(forbidden("jobs.batch", "here")),
        "GET /api/v1/namespaces/team-a/services" => Some(forbidden("services", "here")),
        "GET /api/v1/namespaces/team-a/pods" => {
            let (code, mut table) = table_of_pods(&[
                ["roc-6d6c65cf99-c42zb", "1/1", "Running"],
                ["roc-taskmanager-1-1", "1/1", "Running"],
                ["app-6d6c65cf99-c42zb", "1/1", "Running"],
            ]);
            let pod = |name: &str, args: &str| {
                json!({"metadata": {"name": format!("{name}-1-a"), "namespace": "team-a", "labels": {"app": name}},
                    "spec": {"containers": [{"image": "flink:2.3.0", "args": [args]}]}})
            };
            table["items"] = json!([pod("roc", SESSION), pod("app", "kubernetes-application")]);
            Some((code, table))
        }
        _ => None,
    });
    insta::assert_snapshot!(server.flink(&["ls"]));
}

#[test]
fn a_kind_that_may_not_be_listed_leaves_the_others() {
    let native = json!({"app": "roc"});
    let server = Server::answering(move |line| match line {
        "GET /apis/apps/v1/namespaces/team-a/deployments" => {
            Some(list(&[deployment("team-a", "roc", native.clone())]))
        }
        "GET /api/v1/namespaces/team-a/pods" => Some(forbidden("pods", "here")),
        _ => Some(forbidden("services", "here")).filter(|_| line.ends_with("/services")),
    });
    insta::assert_snapshot!(server.flink(&["ls"]));
}

#[test]
fn who_may_see_one_namespace_of_many_gets_that_one() {
    let native = json!({"app": "roc"});
    let server = Server::answering(move |line| match line {
        "GET /apis/apps/v1/namespaces/team-a/deployments" => {
            Some(list(&[deployment("team-a", "roc", native.clone())]))
        }
        "GET /api/v1/namespaces/team-a/services" => Some(services(&["roc", "roc-rest"])),
        "GET /api/v1/namespaces/team-a/pods" => Some(table_of_pods(&[["roc-1-a", "1/1", "Running"]])),
        "GET /apis/apps/v1/deployments" => Some(forbidden("deployments.apps", "at the cluster scope")),
        "GET /apis/batch/v1/jobs" => Some(forbidden("jobs.batch", "at the cluster scope")),
        "GET /api/v1/pods" => Some(forbidden("pods", "at the cluster scope")),
        "GET /api/v1/services" => Some(forbidden("services", "at the cluster scope")),
        "GET /api/v1/namespaces" => Some(forbidden("namespaces", "at the cluster scope")),
        _ => None,
    });
    insta::assert_snapshot!(server.flink(&["ls", "-A"]));
}

#[test]
fn a_name_that_several_namespaces_have_is_asked_for_in_each() {
    let server = Server::answering(|line| match line {
        "GET /apis/apps/v1/deployments" => Some(list(
            &["team-a", "team-b"].map(|namespace| deployment(namespace, "roc", json!({"app": "roc"}))),
        )),
        "GET /api/v1/services" => Some(services(&["roc", "roc", "roc-rest", "roc-rest"])),
        "GET /api/v1/pods" => Some(table_of_pods(&[
            ["roc-1-a", "1/1", "Running"],
            ["roc-taskmanager-1-1", "1/1", "Running"],
            ["roc-1-b", "1/1", "Running"],
        ])),
        "GET /api/v1/namespaces/team-a/pods" => {
            Some(table_of_pods(&[["roc-1-a", "1/1", "Running"], ["roc-taskmanager-1-1", "1/1", "Running"]]))
        }
        "GET /api/v1/namespaces/team-b/pods" => Some(table_of_pods(&[["roc-1-b", "1/1", "Running"]])),
        _ => None,
    });
    let ended = server.flink(&["ls", "-A", "--no-headers"]);
    assert_eq!((ended.code, ended.stderr.as_str()), (0, ""));
    let rows: Vec<Vec<&str>> = ended.stdout.lines().map(|row| row.split_whitespace().collect()).collect();
    assert_eq!((rows[0][0], rows[0][5]), ("team-a", "1"));
    assert_eq!((rows[1][0], rows[1][5]), ("team-b", "0"));
    assert_eq!(server.asked().len(), 6, "{:?}", server.asked());
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let sessions: Vec<Value> =
        (0..5000).map(|number| deployment("team-a", &format!("session-{number}"), json!({}))).collect();
    let server = Server::answering(move |line| match line {
        "GET /apis/apps/v1/namespaces/team-a/deployments" => Some(list(&sessions)),
        _ => None,
    });
    for form in ["", "json", "name"] {
        let mut child = command(server.home.path(), &["ls", "-o", form])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("program");
        let mut first = String::new();
        // As `head -1` does.
        BufReader::with_capacity(64, child.stdout.take().expect("stdout"))
            .read_line(&mut first)
            .expect("line");
        let mut stderr = String::new();
        child.stderr.take().expect("stderr").read_to_string(&mut stderr).expect("stderr");
        assert_eq!((child.wait().expect("status").code(), stderr.as_str()), (Some(0), ""), "-o {form:?}");
        assert!(!first.is_empty());
    }
}

#[test]
fn text_from_a_cluster_cannot_drive_a_terminal() {
    let server = Server::answering(|line| match line {
        "GET /apis/apps/v1/namespaces/team-a/deployments" => {
            let labels = json!({"app": "roc", "note": "\u{1b}[2J\u{202e}\u{9b}31m", "cjk": "统计🚀"});
            Some(list(&[deployment("team-a", "roc", labels)]))
        }
        _ => None,
    });
    for words in [&["ls", "--show-labels"][..], &["ls", "-L", "note,cjk"], &["ls", "-o", "json"]] {
        let printed = server.flink(words).stdout;
        assert!(!printed.contains(['\u{1b}', '\u{202e}', '\u{9b}']), "{printed:?}");
        assert!(printed.contains("统计🚀"), "{printed}");
    }
    // A pipe gets all that there is.
    let json: Value = serde_json::from_str(&server.flink(&["ls", "-o", "json"]).stdout).expect("json");
    assert_eq!(json["items"][0]["metadata"]["labels"]["note"], "\u{1b}[2J\u{202e}\u{9b}31m");
    // Nothing is coloured where nobody looks, unless it is asked for.
    assert!(!server.flink(&["ls"]).stdout.contains('\u{1b}'));
    assert!(server.flink(&["ls", "--color=always"]).stdout.contains("\u{1b}[31mDegraded\u{1b}[0m"));
}
