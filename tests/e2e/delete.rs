//! The end of sessions: what runs on them is asked for, and nothing is left.

use std::process::Stdio;

use crate::advice::{printed, shows};
use crate::jobs::{SMALL_TASKMANAGERS, all_tasks_run, jobs, state, submit, the_id};
use crate::lab::{Ended, Lab, QUICK};

/// A directory inside the pods is good enough for state that fits into the JobManager's own file.
const SAVEPOINT: [&str; 2] = ["--savepoint=file:///tmp/sp", "--allow-local-dir"];

/// Ends roc, on which no job runs: jobs are refused, then saved. Returns what the deletion printed.
pub fn nothing_is_lost_and_nothing_left(lab: &Lab) -> String {
    let [long, stubborn] = ["long", "stubborn"].map(|program| the_id(&submit(lab, &[], &[program])));
    for id in [&long, &stubborn] {
        all_tasks_run(lab, id);
    }
    running_jobs_are_refused(lab, &[&long, &stubborn]);
    silence_is_refused(lab);
    let first = one_failed_savepoint_keeps_the_session(lab, &long, &stubborn);

    let more = ["long", "sleepy"].map(|program| the_id(&submit(lab, &[], &[program, "300"])));
    for id in &more {
        // The failed job may still be about to be started anew.
        all_tasks_run(lab, id);
    }
    lab.until("the end of the failed job", || state(lab, &stubborn) != "RUNNING");
    let deleted = lab.flink(&[&["delete", "roc", "--yes"][..], &SAVEPOINT].concat());
    assert_eq!(deleted.code, 0, "{}{}", deleted.stdout, deleted.stderr);
    assert_eq!(lab.left_of("roc"), "");
    let savepoints = savepoints(&deleted, &[&long, &more[0], &more[1]]);
    for (id, how) in [(&long, "had finished before"), (&more[0], "stopped"), (&more[1], "stopped")] {
        let line = deleted.stdout.lines().find(|line| line.starts_with(&format!("job/{id} ")));
        assert!(line.is_some_and(|line| line.contains(how)), "{}", deleted.stdout);
    }
    assert_eq!(savepoints.len(), 3, "{}", deleted.stdout);
    assert!(savepoints.contains(&first), "{savepoints:?} has not {first}");
    for path in &savepoints {
        let command = format!("kubectl flink submit roc JAR --from-savepoint {path}");
        assert!(deleted.stderr.contains(&command), "{}", deleted.stderr);
    }
    deleted.stdout
}

/// The savepoints of these jobs that a command has printed; other jobs may have been stopped before.
fn savepoints(ended: &Ended, ids: &[&String]) -> Vec<String> {
    let is_one = |line: &&str| ids.iter().any(|id| line.starts_with(&format!("job/{id} ")));
    let printed = ended.stdout.lines().filter(is_one).filter_map(|line| line.split_once(", savepoint "));
    printed.map(|(_, path)| path.to_owned()).collect()
}

fn running_jobs_are_refused(lab: &Lab, ids: &[&String]) {
    let before = lab.fingerprint();
    let ways = ["--savepoint=s3://BUCKET/DIR", "--cancel-jobs", "--force"];
    let refused = lab.flink(&["delete", "roc", "--yes"]);
    refused.failed(4, &[&["2 jobs run on session roc, so it is not deleted"][..], &ways].concat());
    for id in ids {
        refused.failed(4, &[&format!("job {id} (")]);
    }
    lab.flink(&["restart", "roc"]).failed(4, &["2 jobs run on session roc, so it is not restarted"]);
    // A trial is refused as the deed would be.
    lab.flink(&["delete", "roc", "--dry-run=server"]).failed(4, &["2 jobs run on session roc"]);
    lab.flink(&["delete", "roc", "--yes", "--savepoint=file:///tmp/sp"])
        .failed(4, &["file:///tmp/sp is inside the session's pods", "--savepoint=s3://BUCKET/DIR"]);
    lab.flink(&["delete", "roc", "--yes", "--savepoint"])
        .failed(1, &["session roc has no directory for savepoints", "--savepoint=s3://BUCKET/DIR"]);
    assert_eq!(lab.fingerprint(), before);
    assert!(ids.iter().all(|id| state(lab, id) == "RUNNING"), "{:?}", jobs(lab));
}

/// No answer is not "no jobs".
fn silence_is_refused(lab: &Lab) {
    // Who may see it and delete it, and may not ask it.
    let seen = "deployments.apps,services,configmaps,pods,jobs.batch";
    let user = lab.user("blind", &[("get,list,watch,delete,patch", seen)]);
    let before = lab.fingerprint();
    let unknown = ["it is not known whether jobs run on session roc, so it is not deleted", "--force"];
    lab.flink(&["delete", "roc", "--yes", "--address", "http://127.0.0.1:9"]).failed(4, &unknown);
    lab.flink_as(&user, &["delete", "roc", "--yes"])
        .failed(4, &[&unknown[..], &["pods/portforward"]].concat());
    assert_eq!(lab.fingerprint(), before);
}

/// Flink itself ends a job whose savepoint fails, unless a restart strategy keeps it.
fn one_failed_savepoint_keeps_the_session(lab: &Lab, long: &str, stubborn: &str) -> String {
    let objects = ["get", "deployment,service,configmap,job", "-o", "name"];
    let before = lab.kubectl_ok(&objects);
    let failed = lab.flink(&[&["delete", "roc", "--yes"][..], &SAVEPOINT].concat());
    assert_eq!(failed.code, 1, "{}{}", failed.stdout, failed.stderr);
    for words in [
        "session roc is not deleted: a job could not be stopped with a savepoint",
        &format!("job {stubborn} (stubborn) ended as FAILED while it was being stopped"),
    ] {
        assert!(failed.stderr.contains(words), "{}", failed.stderr);
    }
    assert_eq!(lab.kubectl_ok(&objects), before);
    assert_eq!(state(lab, long), "FINISHED");
    let mut printed = savepoints(&failed, &[&long.to_owned(), &stubborn.to_owned()]);
    assert!(failed.stdout.contains(&format!("job/{long} (long) stopped")), "{}", failed.stdout);
    assert_eq!(printed.len(), 1, "{printed:?}");
    printed.remove(0)
}

#[test]
fn forced_or_cancelled_while_jobs_run() {
    let lab = Lab::new("delete-force");
    for flag in ["--force", "--cancel-jobs"] {
        lab.flink_ok(&[&["create", "roc"][..], &QUICK, &SMALL_TASKMANAGERS].concat());
        let id = the_id(&submit(&lab, &[], &["long"]));
        all_tasks_run(&lab, &id);
        let deleted = lab.flink(&["delete", "roc", "--yes", flag, "--grace-period=0"]);
        assert_eq!(deleted.code, 0, "{}", deleted.stderr);
        assert_eq!(deleted.stdout.contains(&format!("job/{id} (long) canceled")), flag == "--cancel-jobs");
        assert_eq!(lab.left_of("roc"), "");
    }
}

#[test]
fn a_session_that_never_ran_needs_no_force() {
    let lab = Lab::new("delete-unborn");
    let absent = ["--image", "flink:no-such-tag", "--image-pull-policy", "Never", "--flink-version", "2.3"];
    lab.flink(&[&["create", "roc"][..], &absent].concat()).failed(1, &["session roc cannot start"]);
    lab.flink_ok(&["create", "sky", "--jobmanager-cpu", "64", "--ignore-preflight", "--wait=false"]);
    // Before, nobody knows whether it keeps jobs.
    lab.until("its settings", || lab.kubectl(&["get", "configmap", "flink-config-sky"]).code == 0);
    lab.until("the JobManager's pod", || {
        !lab.kubectl_ok(&["get", "pod", "-l", "app=sky,component=jobmanager", "-o", "name"]).is_empty()
    });
    lab.flink_ok(&["delete", "sky", "--yes"]);
    assert_eq!(lab.left_of("sky"), "");
}

/// What an operator keeps, with a kind of its own that is as the real one.
#[test]
fn what_belongs_to_the_flink_operator_is_left_to_it() {
    let lab = Lab::new("operator");
    let crd = "customresourcedefinition/flinkdeployments.flink.apache.org";
    // Somebody's cluster may have the real one.
    let is_ours = lab.kubectl(&["get", crd]).code != 0;
    if is_ours {
        lab.apply(OPERATOR);
        lab.kubectl_ok(&["wait", "--for=condition=Established", crd]);
    }
    lab.until("the kind", || lab.kubectl(&["get", "flinkdeployments"]).code == 0);
    lab.apply(FLINK_DEPLOYMENT);
    let owner = lab.uid("flinkdeployment/roc");
    lab.apply(&DEPLOYMENT.replace("OWNER", &owner));
    let before = lab.fingerprint();
    let theirs = [
        "session roc in namespace",
        "belongs to the Flink operator",
        "kubectl delete",
        "flinkdeployment roc",
    ];
    lab.flink(&["delete", "roc", "--yes", "--force"]).failed(4, &theirs);
    let refused = lab.flink(&["restart", "roc", "--force"]);
    refused.failed(4, &["belongs to the Flink operator"]);
    // What it prints instead is what the operator restarts a session by.
    let restart = printed(&refused, "kubectl patch");
    shows(lab.kubectl_as_printed(restart), restart, "patched");
    let nonce = ["get", "flinkdeployment", "roc", "-o", "jsonpath={.spec.restartNonce}"];
    assert!(lab.kubectl_ok(&nonce).parse::<u64>().is_ok_and(|nonce| nonce > 0));

    // Suspended by the operator: it has deleted the Deployment, and the state is its own.
    lab.kubectl_ok(&["delete", "deployment", "roc", "--wait"]);
    lab.kubectl_ok(&["create", "configmap", "roc-cluster-config-map"]);
    let labels = ["app=roc", "type=flink-native-kubernetes"];
    lab.kubectl_ok(&[&["label", "configmap", "roc-cluster-config-map"][..], &labels].concat());
    let refused = lab.flink(&["delete", "roc", "--yes", "--purge-ha"]);
    refused.failed(4, &theirs);
    // A user who may not see what the operator keeps is shown the right that is missing.
    let seen = "deployments.apps,services,configmaps,pods,jobs.batch";
    let blind = lab.user("blind", &[("get,list,watch,delete,patch", seen)]);
    let unknown = lab.flink_as(&blind, &["delete", "roc", "--yes", "--purge-ha"]);
    unknown.failed(4, &["may belong to the Flink operator"]);
    let right = printed(&unknown, "kubectl auth can-i list flinkdeployments");
    let answer = lab.kubectl_as_printed(right);
    assert_eq!((answer.code, answer.stdout.as_str()), (1, "no\n"), "{right}: {}", answer.stderr);
    assert_eq!(lab.flink_ok(&["gc", "--older-than", "0s"]), "");
    assert_ne!(lab.fingerprint(), before, "the test itself has deleted the Deployment");
    lab.kubectl_ok(&["get", "configmap", "roc-cluster-config-map"]);
    let delete = printed(&refused, "kubectl delete");
    shows(lab.kubectl_as_printed(delete), delete, "deleted");
    let gone = lab.flink_ok(&["delete", "roc", "--yes", "--purge-ha"]);
    assert!(gone.contains("configmap \"roc-cluster-config-map\" deleted"), "{gone}");
    if is_ours {
        lab.kubectl_ok(&["delete", crd]);
    }
}

const OPERATOR: &str = "\
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: flinkdeployments.flink.apache.org}
spec:
  group: flink.apache.org
  scope: Namespaced
  names: {kind: FlinkDeployment, plural: flinkdeployments, singular: flinkdeployment, shortNames: [flinkdep]}
  versions:
  - name: v1beta1
    served: true
    storage: true
    schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}
";

const FLINK_DEPLOYMENT: &str = "\
apiVersion: flink.apache.org/v1beta1
kind: FlinkDeployment
metadata: {name: roc}
spec: {image: 'flink:2.3.0', flinkVersion: v2_3, mode: native}
";

const DEPLOYMENT: &str = "\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: roc
  labels: {app: roc, type: flink-native-kubernetes, component: jobmanager}
  ownerReferences: [{apiVersion: flink.apache.org/v1beta1, kind: FlinkDeployment, name: roc, uid: OWNER, controller: true}]
spec:
  replicas: 1
  selector: {matchLabels: {app: roc, type: flink-native-kubernetes, component: jobmanager}}
  template:
    metadata: {labels: {app: roc, type: flink-native-kubernetes, component: jobmanager}}
    spec:
      terminationGracePeriodSeconds: 0
      containers:
      - {name: flink-main-container, image: 'flink:2.3.0', command: [sleep], args: [infinity, kubernetes-session]}
";

#[test]
fn a_namespace_that_goes_at_the_same_time() {
    let lab = Lab::new("delete-namespace");
    lab.flink_ok(&[&["create", "roc"][..], &QUICK, &SMALL_TASKMANAGERS].concat());
    let id = the_id(&submit(&lab, &[], &["long"]));
    all_tasks_run(&lab, &id);
    let mut delete = lab.command(&["delete", "roc", "--yes", "--force"]);
    let delete = delete.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("program");
    lab.kubectl_ok(&["delete", "namespace", &lab.namespace, "--wait=false"]);
    let ended = delete.wait_with_output().expect("program");
    let said = String::from_utf8_lossy(&ended.stderr).into_owned();
    let nothing_there = said.contains("there is no session roc");
    assert!(ended.status.success() || nothing_there, "{said}");
    lab.until("the namespace to be gone", || lab.kubectl(&["get", "namespace", &lab.namespace]).code != 0);
    lab.flink(&["delete", "roc", "--yes"]).failed(1, &["there is no session roc"]);
    lab.flink_ok(&["delete", "roc", "--yes", "--ignore-not-found"]);
}

/// What is left of dead sessions, and what only looks like it.
const SERVICES: &str = "\
apiVersion: v1
kind: Service
metadata: {name: a-rest, labels: {app: a, type: flink-native-kubernetes}}
spec: {ports: [{port: 8081}]}
---
apiVersion: v1
kind: Service
metadata: {name: b-rest, labels: {app: b, type: flink-native-kubernetes}}
spec: {ports: [{port: 8081}]}
---
apiVersion: v1
kind: Service
metadata: {name: somebodys, labels: {app: b, type: flink-native-kubernetes}}
spec: {ports: [{port: 8081}]}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: c, labels: {app: c, type: flink-native-kubernetes, component: jobmanager}}
spec:
  replicas: 0
  selector: {matchLabels: {app: c}}
  template:
    metadata: {labels: {app: c}}
    spec: {containers: [{name: web, image: nginx}]}
";

#[test]
fn one_that_is_refused_does_not_keep_the_others() {
    let lab = Lab::new("delete-several");
    lab.apply(SERVICES);
    let namespace = lab.namespace.clone();
    let before = lab.fingerprint();
    // Trials show and change nothing.
    let line = |object: &str, trial: &str| {
        format!("service \"{object}\" deleted from {namespace} namespace{trial}\n")
    };
    let lines = |trial: &str| line("a-rest", trial) + &line("b-rest", trial);
    assert_eq!(lab.flink_ok(&["delete", "a", "b", "--dry-run"]), lines(" (dry run)"));
    assert_eq!(lab.flink_ok(&["delete", "a", "b", "--dry-run=server"]), lines(" (server dry run)"));
    assert_eq!(
        lab.flink_ok(&["delete", "a", "b", "--dry-run", "-o", "name"]),
        "service/a-rest\nservice/b-rest\n"
    );
    assert_eq!(lab.fingerprint(), before);
    for (words, said) in [
        (&["delete"][..], "name one, or say --all"),
        (&["delete", "a", "b"], "2 sessions are not deleted without a question"),
        (&["delete", "a", "--all"], "cannot be used with '--all'"),
        (&["delete", "a", "--purge-ha", "--wait=false"], "--purge-ha needs the wait"),
        (&["delete", "a", "b", "--force", "--cancel-jobs"], "cannot be used with"),
        (&["delete", "a", "b", "--address", "http://127.0.0.1:9"], "--address is that of one session"),
    ] {
        lab.flink(words).failed(1, &[said]);
    }
    assert_eq!(lab.fingerprint(), before);

    let several = lab.flink(&["delete", "a", "b", "c", "nobody", "--yes"]);
    assert_eq!(several.code, 1, "{}", several.stderr);
    let mut gone: Vec<&str> = several.stdout.lines().collect();
    gone.sort_unstable();
    assert_eq!(gone.join("\n") + "\n", lines(""), "{}", several.stderr);
    for said in [
        "deployment.apps/c in namespace",
        "is not a Flink session",
        "there is no session nobody",
        "2 of 4 sessions are not deleted: refused: c; failed: nobody",
        "left alone, for Flink did not make it",
        "service/somebodys",
    ] {
        assert!(several.stderr.contains(said), "{said:?} is not in:\n{}", several.stderr);
    }
    lab.kubectl_ok(&["get", "service/somebodys", "deployment/c"]);
    // As kubectl says it.
    assert_eq!(lab.flink(&["delete", "-l", "team=nobody"]).stderr, "No resources found\n");
}

#[test]
fn a_restart_makes_new_processes_and_waits_for_them() {
    let lab = Lab::new("restart");
    let one = ["-D", "slotmanager.number-of-slots.min=1"];
    lab.flink_ok(&[&["create", "roc"][..], &QUICK, &SMALL_TASKMANAGERS, &one].concat());
    let pods = |role: &str| {
        let selector = format!("app=roc,component={role}");
        let names = "jsonpath={range .items[?(@.status.phase=='Running')]}{.metadata.name}{'\\n'}{end}";
        lab.kubectl_ok(&["get", "pod", "-l", &selector, "-o", names])
    };
    lab.until("the TaskManager", || !pods("taskmanager").is_empty());
    lab.until("its slots", || lab.rest_overview("roc").stdout.contains("\"slots-total\":1"));
    let [jobmanager, taskmanager] = ["jobmanager", "taskmanager"].map(pods);

    let restarted = lab.flink(&["restart", "roc", "--taskmanagers"]);
    assert_eq!(restarted.code, 0, "{}", restarted.stderr);
    assert!(restarted.stderr.contains("is replaced: 1 of 1"), "{}", restarted.stderr);
    assert_eq!(pods("jobmanager"), jobmanager);
    assert!(pods("taskmanager").lines().count() == 1 && pods("taskmanager") != taskmanager);

    let restarted = lab.flink(&["restart", "roc"]);
    assert_eq!(restarted.code, 0, "{}", restarted.stderr);
    // REST answers in the moment it returns, and only the new one is there.
    assert!(lab.rest_overview("roc").stdout.contains("2.3.0"));
    assert!(pods("jobmanager").lines().count() == 1 && pods("jobmanager") != jobmanager);
    assert!(restarted.stdout.contains(&format!("pod/{}", pods("jobmanager").trim())), "{}", restarted.stdout);
    assert!(restarted.stderr.contains("Session roc is ready with Flink 2.3.0."), "{}", restarted.stderr);

    let id = the_id(&submit(&lab, &[], &["long"]));
    all_tasks_run(&lab, &id);
    lab.flink(&["restart", "roc", "--taskmanagers"])
        .failed(4, &["a job runs on session roc, so it is not restarted"]);
    let words = [&["restart", "roc"][..], &SAVEPOINT].concat();
    let restarted = lab.flink(&words);
    assert_eq!((restarted.code, savepoints(&restarted, &[&id]).len()), (0, 1), "{}", restarted.stderr);
    // A JobManager that cannot start is told, and the old one stays.
    lab.kubectl_ok(&["scale", "deployment", "roc", "--replicas=0"]);
    lab.flink(&["restart", "roc"])
        .failed(1, &["session roc is stopped", "deployment.apps/roc is scaled to zero"]);
    lab.flink(&["restart", "nobody"]).failed(1, &["there is no session nobody"]);
}
