//! What has the name of a session and is another one: in another namespace, or made again under a running command.

use crate::jobs::{PROGRAMS, jobs, the_id};
use crate::lab::{FLINK_2_3, Lab, TINY};
use crate::running::Running;
use crate::submit::Forwarded;

fn session(lab: &Lab) {
    lab.flink_ok(&[&["create", "roc", "--image", FLINK_2_3.0][..], &TINY].concat());
}

fn runs(lab: &Lab, job: &str) -> bool {
    jobs(lab).iter().any(|(id, state)| id == job && state == "RUNNING")
}

#[test]
fn the_address_of_a_session_of_the_same_name_changes_nothing_anywhere() {
    let (here, there) = (Lab::new("same-name-here"), Lab::new("same-name-there"));
    session(&here);
    session(&there);
    let job = the_id(&there.flink(&["submit", "roc", PROGRAMS, "--", "long"]));
    let forwarded = Forwarded::to(&there, "service/roc-rest");
    let address = format!("http://127.0.0.1:{}", forwarded.port);
    let before = here.fingerprint();
    for words in [
        &["delete", "roc", "--yes"][..],
        &["delete", "roc", "--yes", "--cancel-jobs"],
        &["cancel", "roc", "--all"],
        &["stop", "roc", &job, "--savepoint-dir", "file:///tmp/sp", "--allow-local-dir"],
        &["savepoint", "roc", &job, "--savepoint-dir", "file:///tmp/sp", "--allow-local-dir"],
        &["submit", "roc", PROGRAMS],
    ] {
        here.flink(&[words, &["--address", &address]].concat())
            .failed(4, &["the address is not that of session roc", "kubernetes.namespace is"]);
        assert!(runs(&there, &job), "{words:?}");
    }
    assert_eq!(here.fingerprint(), before);
    assert_eq!(jobs(&here), []);
    // With the namespace of that session the same command does what it says.
    there.flink_ok(&["cancel", "roc", &job, "--address", &address]);
    drop(forwarded);

    a_session_that_is_recreated_is_noticed_by_a_user_who_sees_pods_alone(&here);
}

fn a_session_that_is_recreated_is_noticed_by_a_user_who_sees_pods_alone(lab: &Lab) {
    let rights = [("get,list,watch", "pods"), ("create,get", "pods/portforward")];
    let user = lab.user("pods-only", &rights);
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_kubectl-flink"));
    command.args(["-n", &lab.namespace]).arg("--kubeconfig").arg(user.as_os_str());
    command.args(["submit", "roc", PROGRAMS, "--wait", "--", "long"]);
    let submit = Running::start(command);
    lab.until("the job", || jobs(lab).iter().any(|(_, state)| state == "RUNNING"));
    lab.kubectl_ok(&["delete", "deployment", "roc", "--cascade=foreground"]);
    session(lab);
    let end = submit.end();
    assert_eq!(end.code, 1, "{end:?}");
    let told = "session roc was deleted and created anew meanwhile";
    assert!(end.stderr.iter().any(|line| line.contains(told)), "{end:?}");
    assert_eq!(jobs(lab), []);
}

/// Two pods that no node takes: the quota is used up, and nothing starts until they are gone.
const IN_THE_WAY: &str = "\
apiVersion: v1
kind: ResourceQuota
metadata: {name: pods}
spec: {hard: {pods: '2'}}
---
apiVersion: v1
kind: Pod
metadata: {name: one, labels: {is: in-the-way}}
spec: {nodeSelector: {no: such}, containers: [{name: c, image: 'flink:2.3.0'}]}
---
apiVersion: v1
kind: Pod
metadata: {name: two, labels: {is: in-the-way}}
spec: {nodeSelector: {no: such}, containers: [{name: c, image: 'flink:2.3.0'}]}
";

#[test]
fn a_deployment_that_another_client_creates_before_flinks_client_starts_survives() {
    let lab = Lab::new("name-taken");
    let foreign = ["create", "deployment", "roc", "--image=flink:2.3.0", "--replicas=0"];
    let create = [&["create", "roc", "--image", FLINK_2_3.0][..], &TINY].concat();
    lab.apply(IN_THE_WAY);
    lab.until("the quota to be used up", || {
        lab.kubectl_ok(&["get", "quota", "pods", "-o", "jsonpath={.status.used.pods}"]) == "2"
    });
    let has_job = || !lab.kubectl_ok(&["get", "job", "-o", "name"]).is_empty();

    // While create waits: it ends the Job.
    let waits = Running::start(lab.command(&create));
    lab.until("the bootstrap Job", has_job);
    lab.kubectl_ok(&foreign);
    let uid = lab.uid("deployment/roc");
    let end = waits.end();
    assert_ne!(end.code, 0, "{end:?}");
    assert!(end.stderr.iter().any(|line| line.contains("deployment.apps/roc")), "{end:?}");
    lab.until("the Job to be gone", || !has_job());
    assert_eq!(lab.uid("deployment/roc"), uid);
    lab.kubectl_ok(&["delete", "deployment", "roc"]);

    // Where nobody waits: the script in the Job looks once more.
    lab.flink_ok(&[&create[..], &["--wait=false"]].concat());
    lab.kubectl_ok(&foreign);
    let uid = lab.uid("deployment/roc");
    lab.kubectl_ok(&["delete", "pod", "-l", "is=in-the-way", "--now"]);
    lab.until_within(std::time::Duration::from_secs(180), "the Job to fail", || {
        lab.kubectl_ok(&["get", "job", "boot-roc", "-o", "jsonpath={.status.failed}"]) == "1"
    });
    assert_eq!(lab.uid("deployment/roc"), uid);
    lab.flink(&create).failed(4, &["deployment.apps/roc"]);
    assert_eq!(lab.uid("deployment/roc"), uid);
}
