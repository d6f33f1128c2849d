//! `ls -w` when the server does not answer, or refuses.

use std::collections::BTreeSet;
use std::net::TcpListener;

use serde_json::json;

use crate::collections::Of::{BootstrapPods, Deployments, Jobs, Pods, Services};
use crate::collections::{ALL, Collections, Step, bookmark};
use crate::process::write_kubeconfig;
use crate::running::{End, Running};
use crate::server::{Server, failure};
use crate::watch::{HEADER, WATCH, added, bootstrap, deployment, interrupted, pod, row, service};

/// A server with one session, and `ls -w` that has shown it and watches all.
fn showing_one() -> (Collections, Running) {
    let server = Collections::new();
    server.lists(Deployments, [Ok((10, vec![deployment("a", 9)]))]);
    let mut ls = server.run(&WATCH);
    assert_eq!([ls.row(), ls.row()], [HEADER.to_owned(), row("ADDED", "a")]);
    server.until_watched(1);
    (server, ls)
}

#[test]
fn a_server_that_answers_unavailable_is_lost_once_and_asked_again() {
    let (server, mut ls) = showing_one();
    ALL.iter().for_each(|of| server.then(*of, [Step::End]));
    // Some come back sooner than others.
    server.then(Pods, [Step::Refuse(503)]);
    server.then(Services, [Step::Refuse(503), Step::Refuse(503), Step::Refuse(503)]);
    server.then(Deployments, [Step::Refuse(503), added(deployment("b", 11))]);
    assert_eq!(ls.row(), row("ADDED", "b"));
    server.until("the last refusal", |server| server.watches(Services).len() == 5);
    server.then(Deployments, [added(deployment("c", 12))]);
    assert_eq!(ls.row(), row("ADDED", "c"));
    let why = "Error from server (ServiceUnavailable): etcd is down";
    let warning = format!("Warning: lost the connection to the API server; retrying: {why}");
    assert_eq!(ls.interrupt(), End { stderr: vec![warning], ..interrupted() });
}

#[test]
fn each_time_that_a_server_is_away_is_told_once() {
    let (server, mut ls) = showing_one();
    let refused = format!("The connection to the server {} was refused", server.address);
    let mut told = Vec::new();
    for version in [11, 12] {
        server.go_down();
        let warning = ls.warning();
        let start = format!("Warning: lost the connection to the API server; retrying: {refused}");
        assert!(warning.starts_with(&start), "{warning}");
        told.push(warning);
        server.come_up();
        // Each of the watches goes on, and tells of a session.
        let name = |of: &str| format!("{of}-{version}");
        server.then(Deployments, [added(deployment(&name("d"), version))]);
        server.then(Jobs, [added(bootstrap(&name("j"), version))]);
        server.then(Services, [added(service(&name("s"), version))]);
        server.then(Pods, [added(pod(&format!("{}-taskmanager-1-1", name("p")), version))]);
        let mut of_job = pod(&format!("boot-{}-abcde", name("j")), version);
        of_job["status"]["phase"] = json!("ImagePullBackOff");
        server.then(BootstrapPods, [added(of_job)]);
        let mut awaited: BTreeSet<String> = ["d", "p", "s"].map(|of| format!("ADDED {}", name(of))).into();
        awaited.insert(format!("{} 0/1 ImagePullBackOff", name("j")));
        while !awaited.is_empty() {
            let row = ls.row();
            awaited.retain(|part| !row.contains(part.as_str()));
        }
    }
    assert_eq!(server.watched_from(Deployments)[0], "10");
    assert!(server.asked(Deployments).iter().filter(|asked| !asked.is_watch()).count() == 1, "one list");
    assert_eq!(ls.interrupt(), End { stderr: told, ..interrupted() });
}

#[test]
fn a_server_that_was_never_there_ends_it_at_once() {
    let free = TcpListener::bind("127.0.0.1:0").expect("port").local_addr().expect("address");
    let server = Collections::new();
    write_kubeconfig(server.home.path(), &format!("http://{free}"));
    let end = server.run(&WATCH).end();
    let refused =
        format!("The connection to the server {free} was refused - did you specify the right host or port?");
    assert_eq!(end.stderr, [refused, "hint: kubectl cluster-info".to_owned()]);
    assert_eq!((end.code, end.stdout.len()), (1, 0));
}

/// As while an API server starts, which does not know its users and roles yet.
#[test]
fn refusals_that_pass_are_forgiven_however_often_they_come() {
    let (server, mut ls) = showing_one();
    server.then(Deployments, [bookmark(11)]);
    for version in 12..16 {
        server.then(Deployments, [Step::End, Step::Refuse(401), Step::Refuse(403), bookmark(version)]);
    }
    server.then(Deployments, [added(deployment("b", 16))]);
    assert_eq!(ls.row(), row("ADDED", "b"));
    let end = ls.interrupt();
    assert!(
        end.stderr.iter().all(|line| line.starts_with("Warning: lost the connection to the API server")),
        "{end:?}"
    );
    assert_eq!(end.code, 130);
}

#[test]
fn a_watch_of_pods_that_was_never_granted_leaves_the_rest() {
    let server = Collections::new();
    server.lists(Deployments, [Ok((10, vec![deployment("a", 9)]))]);
    server.lists(Pods, [Ok((10, vec![pod("a-taskmanager-1-1", 9)]))]);
    server.then(Pods, [Step::Refuse(403)]);
    let mut ls = server.run(&WATCH);
    let missing = "Warning: not all could be read: User \"me\" cannot do this";
    assert_eq!(ls.warning(), missing);
    server.then(Deployments, [added(deployment("b", 11))]);
    let unknown = "ADDED b 0/1 Creating 1.20.5 <unknown> <unknown> <unknown>";
    let rows: Vec<String> = std::iter::repeat_with(|| ls.row()).take_while(|row| row != unknown).collect();
    assert!(
        rows.last().is_some_and(|row| row.ends_with(" a 0/1 Creating 1.20.5 <unknown> <unknown> <unknown>")),
        "{rows:?}"
    );
    assert_eq!(server.watches(Pods).len(), 1, "asked once");
    assert_eq!(ls.interrupt(), End { stderr: vec![missing.to_owned()], ..interrupted() });
}

/// The roles of somebody who may read come to an API server that starts one after the other.
#[test]
fn a_session_that_may_not_be_seen_is_not_said_to_be_gone() {
    let server = Server::answering(|line| match line {
        "GET /apis/apps/v1/namespaces/team-a/deployments/roc"
        | "GET /apis/apps/v1/namespaces/team-a/deployments" => {
            Some(failure(403, "Forbidden", "deployments.apps is forbidden"))
        }
        _ => None,
    });
    for words in [&["status", "roc"][..], &["status", "roc", "-w"]] {
        let ended = server.flink(words);
        assert_eq!((ended.code, ended.stdout.as_str()), (1, ""), "{words:?}");
        assert!(ended.stderr.contains("deployments.apps is forbidden"), "{ended}");
        assert!(!ended.stderr.contains("there is no session"), "{ended}");
    }
    let ended = server.flink(&["status", "roc", "--wait", "--timeout", "1s"]);
    assert_eq!(ended.code, 3, "{ended}");
}

#[test]
fn when_everything_is_forbidden_it_ends() {
    let server = Collections::new();
    ALL.iter().for_each(|of| server.lists(*of, [Err(403)]));
    let end = server.run(&WATCH).end();
    assert_eq!((end.code, end.stdout.len()), (1, 0));
    assert_eq!(end.stderr, ["Error from server (Forbidden): User \"me\" cannot do this"]);
}

/// A version that is expired whenever it is asked for must not make a thousand requests.
#[test]
fn a_server_that_forgets_at_once_is_asked_less_and_less() {
    let server = Collections::new();
    server.then(Deployments, std::iter::repeat_n(Step::Refuse(410), 4));
    let began = std::time::Instant::now();
    let ls = server.run(&WATCH);
    server.until("the fifth watch", |server| server.watches(Deployments).len() == 5);
    assert!(began.elapsed() > std::time::Duration::from_secs(1), "{:?}", began.elapsed());
    assert_eq!(ls.interrupt(), interrupted());
}
