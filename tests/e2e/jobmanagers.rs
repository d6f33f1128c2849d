//! Which JobManager is asked, and on which port, where there is more than one that could be meant.

use crate::advice::{fix, shows, sleeping};
use crate::jobs::{SMALL_TASKMANAGERS, all_tasks_run, submit, the_id};
use crate::lab::{FLINK_1_10, FLINK_1_20, FLINK_2_3, Lab, QUICK, small};

#[test]
fn the_jobs_of_every_jobmanager_count_and_of_no_other_pod() {
    let lab = Lab::new("jobmanagers");
    lab.flink_ok(&[&["create", "roc", "--image", FLINK_2_3.0][..], &QUICK, &SMALL_TASKMANAGERS].concat());
    // One in which nothing listens, for as long as the rest takes.
    lab.apply(&sleeping("mute", "", "", ""));
    let id = the_id(&submit(&lab, &[], &["long"]));
    all_tasks_run(&lab, &id);
    let runs = format!("job {id} (long) is RUNNING");
    for labels in
        ["app=roc,component=jobmanager", "app=roc,component=jobmanager,type=flink-native-kubernetes"]
    {
        a_pod_with_labels_of_a_jobmanager_is_not_asked(&lab, labels, &runs);
    }
    two_without_high_availability_are_both_asked(&lab, &runs);
    a_rollout_that_hangs_hides_no_job(&lab, &runs);
    let logs = fix(&lab, "mute", "rest-down");
    assert_eq!(lab.kubectl_as_printed(&logs).code, 0, "{logs}");
}

/// Neither deletes nor restarts, and says why.
fn is_refused(lab: &Lab, because: &str) {
    let before = lab.fingerprint();
    lab.flink(&["delete", "roc", "--yes"]).failed(4, &[because]);
    lab.flink(&["restart", "roc"]).failed(4, &[because]);
    assert_eq!(lab.fingerprint(), before);
}

fn a_pod_with_labels_of_a_jobmanager_is_not_asked(lab: &Lab, labels: &str, runs: &str) {
    // A standalone session cluster: it answers, and has no jobs.
    lab.kubectl_ok(&[
        "run",
        "other",
        "--image",
        FLINK_2_3.0,
        "--labels",
        labels,
        "--command",
        "--",
        "/opt/flink/bin/jobmanager.sh",
        "start-foreground",
    ]);
    lab.kubectl_ok(&["wait", "--for=condition=Ready", "pod/other", "--timeout=60s"]);
    let overview = format!("/api/v1/namespaces/{}/pods/other:8081/proxy/overview", lab.namespace);
    lab.until("the other Flink", || lab.kubectl(&["get", "--raw", &overview]).code == 0);
    is_refused(lab, runs);
    let status = lab.flink_ok(&["status", "roc"]);
    let problem = "pod other has the labels of a JobManager of session roc";
    assert_eq!(status.contains(problem), labels.contains("type="), "{status}");
    if labels.contains("type=") {
        let relabel = fix(lab, "roc", "foreign-jobmanager");
        shows(lab.kubectl_as_printed(&relabel), &relabel, "labeled");
        assert!(!lab.flink_ok(&["status", "roc"]).contains(problem));
    }
    lab.kubectl_ok(&["delete", "pod", "other", "--now"]);
}

fn two_without_high_availability_are_both_asked(lab: &Lab, runs: &str) {
    let ready = ["get", "deployment", "roc", "-o", "jsonpath={.status.readyReplicas}"];
    lab.kubectl_ok(&["scale", "deployment/roc", "--replicas=2"]);
    lab.until("both JobManagers", || lab.kubectl_ok(&ready) == "2");
    // Until the second answers, it is not known what it runs.
    lab.until("an answer of both", || lab.flink(&["delete", "roc", "--yes"]).stderr.contains(runs));
    is_refused(lab, &format!("{runs}, 1 of 1 tasks running, on JobManager pod roc-"));
    lab.flink(&["jobs", "roc"]).failed(1, &["cannot determine which JobManager answers for session roc"]);
    let status = lab.flink_ok(&["status", "roc"]);
    assert!(status.contains("session roc has several JobManagers without high availability"), "{status}");
    let scale = fix(lab, "roc", "independent-jobmanagers");
    let (scale, _) = scale.split_once(" (").expect("what it costs");
    shows(lab.kubectl_as_printed(scale), scale, "scaled");
    // Kubernetes ends the younger one.
    lab.until("one JobManager", || {
        lab.kubectl_ok(&["get", "pod", "-l", "app=roc,component=jobmanager", "-o", "name"]).lines().count()
            == 1
    });
    lab.until("the job", || lab.flink(&["jobs", "roc"]).stdout.contains("long"));
}

fn a_rollout_that_hangs_hides_no_job(lab: &Lab, runs: &str) {
    lab.kubectl_ok(&["set", "image", "deployment/roc", "flink-main-container=no-such-image:1"]);
    let pods = ["get", "pod", "-l", "app=roc,component=jobmanager", "-o", "name"];
    lab.until("the new pod", || lab.kubectl_ok(&pods).lines().count() == 2);
    is_refused(lab, runs);
    let jobs = lab.flink_ok(&["jobs", "roc"]);
    assert!(jobs.contains("long"), "{jobs}");
    let undo = fix(lab, "roc", "rollout-hangs");
    shows(lab.kubectl_as_printed(&undo), &undo, "rolled back");
    lab.until("one JobManager", || lab.kubectl_ok(&pods).lines().count() == 1);
    is_refused(lab, runs);
}

#[test]
fn other_ports_flink_1_10() {
    other_ports("ports-1-10", FLINK_1_10);
}

#[test]
fn other_ports_flink_1_20() {
    other_ports("ports-1-20", FLINK_1_20);
}

#[test]
fn other_ports_flink_2_3() {
    other_ports("ports-2-3", FLINK_2_3);
}

/// REST on other ports than Flink's own, and beside a container whose port has the same name.
fn other_ports(test: &str, (image, version): (&str, &str)) {
    let lab = Lab::new(test);
    let create = ["create", "roc", "--image", image, "-D", "rest.port=8082", "-D", "rest.bind-port=8085"];
    let sidecar = tempfile::NamedTempFile::with_suffix(".yaml").expect("file");
    let template = format!(
        "spec:\n  containers:\n  - name: sidecar\n    image: {image}\n    command: [sleep, '3600']\n    ports:\n    - name: rest\n      containerPort: 9999\n"
    );
    std::fs::write(sidecar.path(), template).expect("template");
    let path = sidecar.path().to_string_lossy();
    // Pod templates came with 1.13.
    let templates = ["--jobmanager-pod-template", &path];
    let more = if version.starts_with("1.10") { &[][..] } else { &templates };
    lab.flink_ok(&[&create[..], small(image), &SMALL_TASKMANAGERS, more].concat());
    let id = the_id(&submit(&lab, &[], &["long"]));
    assert!(lab.flink_ok(&["jobs", "roc"]).contains(&id));
    assert!(lab.flink_ok(&["status", "roc"]).contains(&format!("is Running: Flink {version}")));
    lab.until("a task to run", || lab.flink_ok(&["ls", "-o", "json"]).contains("\"jobsRunning\": 1"));
    lab.flink(&["delete", "roc", "--yes"]).failed(4, &[&id]);
    lab.flink_ok(&["delete", "roc", "--yes", "--cancel-jobs"]);
    assert_eq!(lab.left_of("roc"), "");
}
