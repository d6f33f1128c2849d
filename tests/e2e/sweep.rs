//! Sessions of all kinds that are deleted in all the ways there are, and what is left of them: nothing.

use std::io::{BufRead, BufReader, Read};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::create::shared_directory;
use crate::jobs::PROGRAMS;
use crate::lab::{FLINK_1_10, FLINK_1_20, FLINK_2_3, Lab, PATIENCE, TINY, TINY_1_10};
use crate::manual_way::BY_HAND;

/// What a namespace has where a session was: who makes sessions there, and what that one may do.
const STAYS: [&str; 6] = [
    "configmap/kube-root-ca.crt",
    "role.rbac.authorization.k8s.io/kubectl-flink",
    "rolebinding.rbac.authorization.k8s.io/kubectl-flink:flink",
    "serviceaccount/default",
    "serviceaccount/flink",
    "serviceaccount/flink-taskmanager",
];

#[test]
fn nothing_is_left_of_any_session() {
    let lab = Lab::new("sweep");
    let kinds = kinds(&lab);
    lab.flink_ok(&[&["create", "first", "--wait=false"][..], &TINY].concat());
    lab.flink_ok(&["delete", "first", "--yes", "--force"]);
    come_to_what_stays(&lab, &kinds);

    type Way = fn(&Lab);
    // Flink 1.10 asks for more, and takes its time to end: one after the other.
    let of_1_10: &[Way] = &[without_its_service, made_by_hand, within_a_second, while_it_starts_1_10];
    let others: [&[Way]; 2] = [
        &[plain, by_label, kept_and_purged_later, interrupted, with_its_job_saved, kept_for_gc, for_all],
        &[
            by_name,
            with_its_job,
            purged,
            not_waited_for,
            with_its_job_cancelled,
            without_its_deployment,
            while_it_starts,
        ],
    ];
    std::thread::scope(|threads| {
        let lab = &lab;
        let spawn = |ways: &'static [Way]| threads.spawn(|| ways.iter().for_each(|way| way(lab)));
        let threads: Vec<_> = std::iter::once(of_1_10).chain(others).map(spawn).collect();
        threads.into_iter().for_each(|thread| thread.join().expect("its ways"));
    });
    lab.flink_ok(&["delete", "--all", "--yes"]);
    let left = lab.flink_ok(&["gc", "--yes", "--older-than", "0s"]);
    assert!(!left.contains("for-gc-"), "{left}");
    // Not as long as a leader may hold it, who cannot say any more that it has gone.
    let mut purged = String::new();
    lab.until("the state to be purged", || {
        purged += &lab.flink_ok(&["gc", "--yes", "--older-than", "0s", "--purge-ha"]);
        purged.contains("configmap \"for-gc-")
    });
    assert_eq!(purged.matches("configmap \"for-gc-").count(), 2, "{purged}");
    come_to_what_stays(&lab, &kinds);
}

/// All kinds of objects that a namespace can have, but for news.
fn kinds(lab: &Lab) -> String {
    let kinds = lab.kubectl_ok(&["api-resources", "--namespaced", "--verbs=list", "-o", "name"]);
    let kinds: Vec<&str> = kinds.lines().filter(|kind| !kind.starts_with("events")).collect();
    assert!(kinds.contains(&"endpointslices.discovery.k8s.io") && kinds.len() > 15, "{kinds:?}");
    kinds.join(",")
}

/// What Kubernetes made for a Service goes a moment after it.
fn come_to_what_stays(lab: &Lab, kinds: &str) {
    let objects = || {
        let mut objects: Vec<String> =
            lab.kubectl_ok(&["get", kinds, "-o", "name"]).lines().map(str::to_owned).collect();
        objects.sort();
        objects
    };
    let start = Instant::now();
    while objects() != STAYS && start.elapsed().as_secs() < 10 {
        std::thread::sleep(Duration::from_millis(500));
    }
    assert_eq!(objects(), STAYS);
}

fn create(lab: &Lab, name: &str, image: &str, words: &[&str]) {
    let small = if image == FLINK_1_10.0 { &TINY_1_10[..] } else { &TINY };
    lab.flink_ok(&[&["create", name, "--image", image], small, words].concat());
}

fn run_a_job(lab: &Lab, name: &str) {
    let job = lab.flink_ok(&["submit", name, PROGRAMS, "--", "long"]);
    lab.until_job_runs(name, job.trim());
}

fn delete(lab: &Lab, words: &[&str]) -> String {
    lab.flink_ok(&[&["delete", "--yes"], words].concat())
}

/// No pod, and nothing else that has its labels.
fn is_gone(lab: &Lab, name: &str) {
    assert_eq!(lab.left_of(name), "");
}

fn plain(lab: &Lab) {
    create(lab, "plain", FLINK_2_3.0, &[]);
    delete(lab, &["plain"]);
    is_gone(lab, "plain");
}

fn by_name(lab: &Lab) {
    create(lab, "by-name-1", FLINK_1_20.0, &[]);
    create(lab, "by-name-2", FLINK_2_3.0, &[]);
    delete(lab, &["by-name-1", "by-name-2"]);
    is_gone(lab, "by-name-1");
    is_gone(lab, "by-name-2");
}

fn by_label(lab: &Lab) {
    create(lab, "by-label-1", FLINK_1_20.0, &["--label", "team=a"]);
    create(lab, "by-label-2", FLINK_2_3.0, &["--label", "team=a"]);
    delete(lab, &["-l", "team=a"]);
    is_gone(lab, "by-label-1");
    is_gone(lab, "by-label-2");
}

/// They go at the end, when there is no other.
fn for_all(lab: &Lab) {
    create(lab, "for-all-1", FLINK_1_20.0, &[]);
    create(lab, "for-all-2", FLINK_2_3.0, &[]);
}

fn with_its_job(lab: &Lab) {
    create(lab, "forced", FLINK_2_3.0, &[]);
    run_a_job(lab, "forced");
    delete(lab, &["forced", "--force"]);
    is_gone(lab, "forced");
}

fn with_its_job_cancelled(lab: &Lab) {
    create(lab, "cancelled", FLINK_1_20.0, &[]);
    run_a_job(lab, "cancelled");
    delete(lab, &["cancelled", "--cancel-jobs"]);
    is_gone(lab, "cancelled");
}

fn with_its_job_saved(lab: &Lab) {
    create(lab, "saved", FLINK_2_3.0, &[]);
    run_a_job(lab, "saved");
    delete(lab, &["saved", "--savepoint=file:///tmp/sp", "--allow-local-dir"]);
    is_gone(lab, "saved");
}

fn within_a_second(lab: &Lab) {
    create(lab, "hurried", FLINK_1_10.0, &[]);
    delete(lab, &["hurried", "--grace-period=1"]);
    is_gone(lab, "hurried");
}

fn not_waited_for(lab: &Lab) {
    create(lab, "not-waited-for", FLINK_2_3.0, &[]);
    delete(lab, &["not-waited-for", "--wait=false"]);
    lab.until("it to be gone", || lab.left_of("not-waited-for").is_empty());
}

fn without_its_deployment(lab: &Lab) {
    create(lab, "from-outside", FLINK_1_20.0, &[]);
    lab.kubectl_ok(&["delete", "deployment", "from-outside"]);
    lab.until("its pods to be gone", || {
        lab.kubectl_ok(&["get", "pod", "-l", "app=from-outside", "-o", "name"]).is_empty()
    });
}

/// As the documentation of Flink 1.10 has it, which leaves the Deployment.
fn without_its_service(lab: &Lab) {
    create(lab, "documented", FLINK_1_10.0, &[]);
    lab.kubectl_ok(&["delete", "service", "documented"]);
    delete(lab, &["documented"]);
    is_gone(lab, "documented");
}

fn made_by_hand(lab: &Lab) {
    // Beside others there is no room for a whole CPU.
    lab.apply(&BY_HAND.replace("-Dkubernetes.taskmanager.cpu=1", "-Dkubernetes.jobmanager.cpu=0.4"));
    lab.until_within(PATIENCE, "REST", || lab.rest_overview("roc").stdout.contains("1.10.3"));
    delete(lab, &["roc"]);
    is_gone(lab, "roc");
}

/// High availability with one directory, in which each session has one of its own.
fn create_highly_available(lab: &Lab, name: &str, image: &str) {
    let files = tempfile::tempdir().expect("scratch directory");
    let ha = shared_directory(lab, &files);
    create(lab, name, image, &ha.each_ref().map(String::as_str));
}

fn kept(lab: &Lab, name: &str) -> usize {
    lab.kubectl_ok(&["get", "configmap", "-l", &format!("app={name}"), "-o", "name"]).lines().count()
}

fn purged(lab: &Lab) {
    create_highly_available(lab, "purged", FLINK_2_3.0);
    delete(lab, &["purged", "--purge-ha"]);
    is_gone(lab, "purged");
}

fn kept_and_purged_later(lab: &Lab) {
    create_highly_available(lab, "purged-later", FLINK_1_20.0);
    delete(lab, &["purged-later"]);
    assert_eq!(kept(lab, "purged-later"), 1);
    delete(lab, &["purged-later", "--purge-ha"]);
    is_gone(lab, "purged-later");
}

fn kept_for_gc(lab: &Lab) {
    create_highly_available(lab, "for-gc", FLINK_2_3.0);
    run_a_job(lab, "for-gc");
    delete(lab, &["for-gc", "--force"]);
    assert_eq!(kept(lab, "for-gc"), 2);
}

fn while_it_starts(lab: &Lab) {
    create(lab, "starting", FLINK_2_3.0, &["--wait=false"]);
    delete(lab, &["starting", "--force"]);
    is_gone(lab, "starting");
}

fn while_it_starts_1_10(lab: &Lab) {
    create(lab, "starting-1-10", FLINK_1_10.0, &["--wait=false"]);
    lab.until("its client", || {
        let phase =
            ["get", "pod", "-l", "job-name=boot-starting-1-10", "-o", "jsonpath={.items[*].status.phase}"];
        lab.kubectl_ok(&phase) == "Running"
    });
    delete(lab, &["starting-1-10", "--force", "--grace-period=1"]);
    is_gone(lab, "starting-1-10");
}

/// Ctrl-C, and again.
fn interrupted(lab: &Lab) {
    create(lab, "interrupted", FLINK_1_20.0, &[]);
    let mut command = lab.command(&["delete", "interrupted", "--yes"]);
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("program");
    let mut stderr = BufReader::new(child.stderr.take().expect("stderr"));
    let mut told = String::new();
    while !told.contains("waiting for session interrupted to be gone") {
        assert!(stderr.read_line(&mut told).expect("stderr") > 0, "{told}");
    }
    let interrupt = Command::new("kill").args(["-INT", &child.id().to_string()]).status();
    assert!(interrupt.expect("kill").success());
    stderr.read_to_string(&mut told).expect("stderr");
    assert_eq!(child.wait().expect("end").code(), Some(130), "{told}");
    let again = told.lines().find_map(|line| line.strip_prefix("hint: to continue: ")).expect("a hint");
    let ended = lab.flink_as_printed(&format!("{again} --ignore-not-found"));
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    is_gone(lab, "interrupted");
}
