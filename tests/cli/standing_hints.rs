//! Commands that are printed for a session that takes no requests, or is none, run by a shell as they stand, in the state
//! in which they are printed.

use std::time::Duration;

use serde_json::json;

use crate::collections::{Collections, Of, Step};
use crate::played::{JOB, Played};
use crate::process::start_flink_as_printed;
use crate::running::Running;
use crate::standing::{DEPLOYMENTS, PODS, bootstrap, change, deployment, owned_by, pod, session};
use crate::watch;

/// The printed command that runs ends once the session is ready.
fn ends_with(wait: Running, played: &Played) {
    std::thread::sleep(Duration::from_secs(1));
    played.state.lock().expect("state").objects = session();
    let end = wait.end();
    assert_eq!(end.code, 0, "{end:?}");
    assert!(end.stdout.first().is_some_and(|line| line.starts_with("Session roc is Running")), "{end:?}");
}

#[test]
fn a_session_that_is_being_created_is_waited_for_by_the_printed_command() {
    let played = Played::with(|_, _| None);
    played.state.lock().expect("state").objects = vec![bootstrap(json!([]))];
    let refused = played.flink(&["jobs", "roc"]);
    assert!(refused.code == 1 && refused.stderr.contains("still being created"), "{refused}");
    let typed = refused.printed("kubectl flink status");
    ends_with(start_flink_as_printed(played.server.home.path(), typed), &played);
    // Now it takes the request.
    assert_eq!(played.flink(&["jobs", "roc"]).code, 0);
}

#[test]
fn a_session_without_a_ready_jobmanager_is_waited_for_by_the_printed_command() {
    let played = Played::with(|_, _| None);
    let mut objects = session();
    change(&mut objects, "roc", DEPLOYMENTS, |deployment| deployment["status"] = json!({}));
    objects.retain(|(of, _)| *of != PODS);
    let mut young = pod("roc-5d4-own", owned_by("ReplicaSet", "roc-5d4", "r1"));
    young["status"] = json!({"phase": "Pending", "containerStatuses": [{"name": "flink-main-container", "ready": false,
        "state": {"waiting": {"reason": "ContainerCreating"}}}]});
    objects.push((PODS, young));
    played.state.lock().expect("state").objects = objects;
    let refused = played.flink(&["jobs", "roc"]);
    assert!(refused.code == 1 && refused.stderr.contains("no JobManager pod is ready"), "{refused}");
    let typed = refused.printed("kubectl flink status");
    ends_with(start_flink_as_printed(played.server.home.path(), typed), &played);
    assert_eq!(played.flink(&["jobs", "roc"]).code, 0);
}

#[test]
fn the_end_of_a_session_is_shown_by_the_printed_command() {
    let played = Played::with(|_, _| None);
    let mut objects = session();
    objects.retain(|(of, _)| *of != PODS);
    change(&mut objects, "roc", DEPLOYMENTS, |deployment| {
        deployment["metadata"]["deletionTimestamp"] = "2026-01-01T02:00:00Z".into();
    });
    played.state.lock().expect("state").objects = objects;
    let refused = played.flink(&["jobs", "roc"]);
    let (typed, _) = refused.printed("kubectl flink ls").split_once(" shows when it is gone").expect("why");
    // The same on a server that plays what a watch tells.
    let mut leaving = watch::deployment("roc", 9);
    leaving["metadata"]["deletionTimestamp"] = "2026-01-01T02:00:00Z".into();
    let server = Collections::new();
    server.lists(Of::Deployments, [Ok((10, vec![leaving.clone()]))]);
    let mut ls = start_flink_as_printed(server.home.path(), typed);
    assert!(ls.row().starts_with("NAME ") && ls.row().starts_with("roc 0/1 Terminating "));
    server.then(Of::Deployments, [Step::Event("DELETED", leaving)]);
    assert!(ls.row().starts_with("roc "));
    assert_eq!(ls.interrupt().code, 130);
}

#[test]
fn the_job_of_an_application_cluster_is_listed_by_the_printed_command() {
    let played = Played::with_job(|_, _| None);
    change(&mut played.state.lock().expect("state").objects, "roc", DEPLOYMENTS, |object| {
        *object = deployment("kubernetes-jobmanager.sh kubernetes-application");
    });
    let refused = played.flink(&["status", "roc"]);
    assert!(refused.code == 1 && refused.stderr.contains("is a Flink application cluster"), "{refused}");
    let list = played.flink_as_printed(refused.printed("kubectl flink jobs"));
    assert!(list.code == 0 && list.stdout.contains(JOB), "{list}");
}
