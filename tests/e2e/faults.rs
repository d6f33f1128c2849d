//! Connections that are cut at every stage of an upload, of a run and of a savepoint.
//!
//! Whatever is cut, one job or one savepoint is there afterwards, or none and the exit code says so.

use std::io::{BufRead, BufReader, Read};
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::lab::{FLINK_1_10, FLINK_1_20, FLINK_2_3, Lab, small};
use crate::proxy::{Cut, Moment, Proxy};

const PROGRAMS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/e2e/job/programs.jar");
const TASKMANAGER: [&str; 4] = ["--taskmanager-cpu", "0.2", "--taskmanager-memory", "1024m"];
const DIRECTORY: [&str; 3] = ["--savepoint-dir", "file:///tmp/sp", "--allow-local-dir"];

const MOMENTS: [Moment; 3] = [Moment::Request, Moment::Middle, Moment::Answer];

#[test]
fn flink_1_10() {
    survive("faults-1-10", FLINK_1_10);
}

#[test]
fn flink_1_20() {
    survive("faults-1-20", FLINK_1_20);
}

#[test]
fn flink_2_3() {
    survive("faults-2-3", FLINK_2_3);
}

fn survive(test: &str, (image, version): (&str, &str)) {
    let lab = Lab::new(test);
    lab.flink_ok(&[&["create", "roc", "--image", image][..], small(image), &TASKMANAGER].concat());
    let proxy = Proxy::new(lab.context(), &lab.namespace);
    for at in MOMENTS {
        submits_once(&lab, &proxy, Cut { of: "/jars/upload", at }, &["long"], &[]);
        submits_once(&lab, &proxy, Cut { of: "/run HTTP", at }, &["long"], &[]);
    }
    // Who may only forward ports uploads through one.
    let rights = [("get,list", "pods,deployments.apps,jobs.batch"), ("create,get", "pods/portforward")];
    drop(lab.user("forwarder", &rights));
    let forwarder = format!("system:serviceaccount:{}:forwarder", lab.namespace);
    submits_once(
        &lab,
        &proxy,
        Cut { of: "/jars/upload", at: Moment::Middle },
        &["long"],
        &["--as", &forwarder],
    );
    // A program that has not come to its job when the connection goes.
    submits_once(&lab, &proxy, Cut { of: "/run HTTP", at: Moment::Sent }, &["slow", "3000"], &[]);

    interrupted_it_tidies_up(&lab);

    let job = lab.flink_ok(&["submit", "roc", PROGRAMS, "--", "long"]).trim().to_owned();
    lab.until("the task to run", || running_tasks(&lab, &job) == 1);
    for at in MOMENTS {
        saves_once(&lab, &proxy, &job, Cut { of: "/savepoints HTTP", at }, version);
    }
    saves_once(&lab, &proxy, &job, Cut { of: "/savepoints/", at: Moment::Answer }, version);
    stops_once(&lab, &proxy, &job, version);
}

/// Exactly one job more, none of its jars, and exit code 0.
fn submits_once(lab: &Lab, proxy: &Proxy, cut: Cut, program: &[&str], flags: &[&str]) {
    let before = jobs(lab).len();
    let run = proxy.flink_cut(&[flags, &["submit", "roc", PROGRAMS, "--"], program].concat(), cut);
    assert_eq!(run.code, 0, "{cut:?}: {}", run.stderr);
    assert_eq!(jobs(lab).len(), before + 1, "{cut:?}: {}", run.stderr);
    let jars = lab.rest("roc", "/jars").stdout;
    let jars: Value = serde_json::from_str(&jars).expect("jars");
    assert_eq!(jars["files"], serde_json::json!([]), "{cut:?}: {}", run.stderr);
    lab.flink_ok(&["cancel", "roc", "--all"]);
}

/// Ctrl-C while the program is at work: what it may have done is told, its jar goes, and no job comes.
fn interrupted_it_tidies_up(lab: &Lab) {
    let mut command = lab.command(&["submit", "roc", PROGRAMS, "--", "slow", "4000"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("program");
    let mut stderr = BufReader::new(child.stderr.take().expect("stderr"));
    let mut told = String::new();
    while !told.contains("waiting for the program") {
        assert!(stderr.read_line(&mut told).expect("stderr") > 0, "{told}");
    }
    let interrupt = Command::new("kill").args(["-INT", &child.id().to_string()]).status();
    assert!(interrupt.expect("kill").success());
    stderr.read_to_string(&mut told).expect("stderr");
    assert_eq!(child.wait().expect("end").code(), Some(130), "{told}");
    assert!(told.contains("may have started a job") && told.contains("kubectl flink jobs roc -a"), "{told}");
    assert_eq!(rest(lab, "/jars")["files"], serde_json::json!([]), "{told}");
    // Without its jar, the program does not come to its job.
    lab.until("the program to end", || {
        !lab.rest("roc", "/jobmanager/thread-dump").stdout.contains("JarRunHandler")
    });
    assert_eq!(rest(lab, "/overview")["jobs-running"], 0);
}

/// Exactly one savepoint more; where the version cannot tell one request from another, none and an error.
fn saves_once(lab: &Lab, proxy: &Proxy, job: &str, cut: Cut, version: &str) {
    let before = savepoints(lab, job);
    let run = proxy.flink_cut(&[&["savepoint", "roc", job][..], &DIRECTORY].concat(), cut);
    let never_came = cut.at != Moment::Answer && version.starts_with("1.10");
    let (code, more) = if never_came { (1, 0) } else { (0, 1) };
    assert_eq!(run.code, code, "{cut:?}: {}", run.stderr);
    come_to(lab, job, before + more);
}

fn stops_once(lab: &Lab, proxy: &Proxy, job: &str, version: &str) {
    let before = savepoints(lab, job);
    let stop = [&["stop", "roc", job][..], &DIRECTORY].concat();
    if version.starts_with("1.10") {
        let run = proxy.flink_cut(&stop, Cut { of: "/stop HTTP", at: Moment::Request });
        assert_eq!(run.code, 1, "{}", run.stderr);
        assert!(run.stderr.contains("was not stopped"), "{}", run.stderr);
        assert_eq!(running_tasks(lab, job), 1);
    }
    let run = proxy.flink_cut(&stop, Cut { of: "/stop HTTP", at: Moment::Answer });
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert!(run.stderr.contains("--from-savepoint file:/tmp/sp/savepoint-"), "{}", run.stderr);
    come_to(lab, job, before + 1);
    assert_eq!(of_job(lab, job)["state"], "FINISHED");
}

/// What the JobManager tells of a job may be some seconds old (`web.refresh-interval`, three by default).
fn come_to(lab: &Lab, job: &str, number: u64) {
    let now = || of_job(lab, job)["now"].as_i64().expect("milliseconds");
    let fresh = now() + 4000;
    lab.until("news of the job", || now() > fresh);
    assert_eq!(savepoints(lab, job), number);
}

fn rest(lab: &Lab, path: &str) -> Value {
    let answer = lab.rest("roc", path);
    serde_json::from_str(&answer.stdout).unwrap_or_else(|_| panic!("{path}: {}", answer.stderr))
}

fn jobs(lab: &Lab) -> Vec<Value> {
    rest(lab, "/jobs")["jobs"].as_array().expect("jobs").clone()
}

fn of_job(lab: &Lab, job: &str) -> Value {
    rest(lab, &format!("/jobs/{job}"))
}

fn running_tasks(lab: &Lab, job: &str) -> u64 {
    let vertices = of_job(lab, job)["vertices"].clone();
    vertices
        .as_array()
        .expect("vertices")
        .iter()
        .filter_map(|vertex| vertex["tasks"]["RUNNING"].as_u64())
        .sum()
}

/// Savepoints that were taken, or are being taken.
fn savepoints(lab: &Lab, job: &str) -> u64 {
    rest(lab, &format!("/jobs/{job}/checkpoints"))["counts"]["total"].as_u64().expect("a number")
}
