//! The jobs of a session, from submit to their ends.

use std::fs;

use serde_json::Value;

use crate::lab::{Ended, Lab};

/// The programs that `job/Programs.java` describes.
pub const PROGRAMS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/e2e/job/programs.jar");
pub const NO_MAIN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/e2e/job/no-main.jar");

/// Small enough for two TaskManagers on a small node.
pub const SMALL_TASKMANAGERS: [&str; 4] = ["--taskmanager-cpu", "0.2", "--taskmanager-memory", "1024m"];

/// Inside the pods, which is good enough for state that fits into the JobManager's own file.
const SAVEPOINTS: [&str; 3] = ["--savepoint-dir", "file:///tmp/sp", "--allow-local-dir"];

/// Starts, saves and ends jobs of roc, which has had none.
pub fn start_save_and_end(lab: &Lab, version: &str) {
    let is_1_10 = version.starts_with("1.10.");
    let job = submit_starts_one_job(lab);
    // Flink 1.10 itself loses the reason.
    let why = if is_1_10 { "Failed to trigger savepoint" } else { "/proc/x" };
    no_savepoint_is_taken_where_it_would_be_lost(lab, &job, why);
    let savepoint = a_savepoint_is_taken_of_a_job_that_goes_on(lab, &job);
    let restored = stop_tells_how_to_go_on(lab, &job);
    cancel_ends_a_job_once(lab, &restored);
    what_starts_nothing_says_why(lab);
    who_waits_hears_how_it_ends(lab);
    two_jobs_of_one_program_are_two_ids(lab, if is_1_10 { 1 } else { 2 });
    dispose_removes_a_savepoint(lab, &savepoint);
    if is_1_10 {
        let refused = "session roc runs Flink 1.10.3, and only from 1.17 on jobs have settings of their own";
        submit(lab, &["-D", "pipeline.object-reuse=true"], &["long"]).failed(1, &[refused]);
    }
}

/// Submits a program of [`PROGRAMS`] with `words` in front of its arguments.
pub fn submit(lab: &Lab, words: &[&str], arguments: &[&str]) -> Ended {
    lab.flink(&[&["submit", "roc", PROGRAMS][..], words, &["--"], arguments].concat())
}

/// The id that a submit has printed, which is all that it prints.
pub fn the_id(submitted: &Ended) -> String {
    assert_eq!(submitted.code, 0, "{}", submitted.stderr);
    let id = submitted.stdout.trim_end();
    assert!(id.len() == 32 && id.chars().all(|c| c.is_ascii_hexdigit()), "{:?}", submitted.stdout);
    id.to_owned()
}

/// Ids and states of all jobs, as REST has them.
pub fn jobs(lab: &Lab) -> Vec<(String, String)> {
    let told = lab.rest_json("roc", "/jobs/overview");
    let text = |job: &Value, key: &str| job[key].as_str().expect(key).to_owned();
    told["jobs"].as_array().expect("jobs").iter().map(|job| (text(job, "jid"), text(job, "state"))).collect()
}

pub fn state(lab: &Lab, id: &str) -> String {
    jobs(lab).into_iter().find(|(other, _)| other == id).map(|(_, state)| state).unwrap_or_default()
}

pub fn jars(lab: &Lab) -> usize {
    lab.rest_json("roc", "/jars")["files"].as_array().expect("files").len()
}

pub fn all_tasks_run(lab: &Lab, id: &str) {
    lab.until("all tasks", || {
        let told = lab.rest_json("roc", "/jobs/overview");
        let of = |job: &Value| (job["tasks"]["running"].as_u64(), job["tasks"]["total"].as_u64());
        let jobs = told["jobs"].as_array().expect("jobs");
        jobs.iter().find(|job| job["jid"] == id).map(of).is_some_and(|(running, total)| running == total)
    });
}

fn submit_starts_one_job(lab: &Lab) -> String {
    let submitted = submit(lab, &[], &["long"]);
    let id = the_id(&submitted);
    assert_eq!(jobs(lab).iter().map(|(id, _)| id).collect::<Vec<_>>(), [&id]);
    assert_eq!(jars(lab), 0, "the jar was needed for the start alone");
    assert!(submitted.stderr.contains(&format!("job {id} (long) is ")), "{}", submitted.stderr);
    all_tasks_run(lab, &id);
    assert_eq!(lab.rest_json("roc", "/overview")["taskmanagers"], 1, "it came by itself");
    id
}

fn savepoints_of(lab: &Lab, id: &str) -> Value {
    lab.rest_json("roc", &format!("/jobs/{id}/checkpoints"))
}

fn no_savepoint_is_taken_where_it_would_be_lost(lab: &Lab, id: &str, why: &str) {
    lab.flink(&["savepoint", "roc", "long"])
        .failed(1, &["session roc has no directory for savepoints", "--savepoint-dir s3://"]);
    lab.flink(&["savepoint", "roc", "long", "--savepoint-dir", "file:///tmp/sp"])
        .failed(4, &["file:///tmp/sp is inside the session's pods", "--allow-local-dir"]);
    lab.flink(&["savepoint", "roc", "long", "--savepoint-dir", "file:///proc/x", "--allow-local-dir"])
        .failed(1, &[&format!("there is no savepoint of job {id} (long)"), why]);
    assert_eq!(state(lab, id), "RUNNING");
}

fn a_savepoint_is_taken_of_a_job_that_goes_on(lab: &Lab, id: &str) -> String {
    let path = lab.flink_ok(&[&["savepoint", "roc", "long"][..], &SAVEPOINTS].concat()).trim_end().to_owned();
    assert!(path.starts_with("file:/tmp/sp/savepoint-"), "{path}");
    // What the JobManager tells of one job may be some seconds old.
    lab.until("the savepoint", || savepoints_of(lab, id)["counts"]["completed"] == 1);
    let latest = &savepoints_of(lab, id)["latest"]["savepoint"];
    assert_eq!((&latest["external_path"], &latest["is_savepoint"]), (&path.clone().into(), &true.into()));
    assert_eq!(state(lab, id), "RUNNING");
    path
}

fn stop_tells_how_to_go_on(lab: &Lab, id: &str) -> String {
    let stopped = lab.flink(&[&["stop", "roc", "long"][..], &SAVEPOINTS].concat());
    assert_eq!(stopped.code, 0, "{}", stopped.stderr);
    let path = stopped.stdout.trim_end();
    assert!(path.starts_with("file:/tmp/sp/savepoint-"), "{path}");
    assert_eq!(state(lab, id), "FINISHED");

    let command = stopped.stderr.lines().find(|line| line.contains("kubectl flink submit")).expect("command");
    let restored = lab.flink_as_printed(&(command.replace("JAR", PROGRAMS) + " -- long"));
    let restored = the_id(&restored);
    lab.until("the restore", || savepoints_of(lab, &restored)["latest"]["restored"]["external_path"] == path);
    all_tasks_run(lab, &restored);
    restored
}

fn cancel_ends_a_job_once(lab: &Lab, id: &str) {
    let cancelled = lab.flink_ok(&["cancel", "roc", &id[..8]]);
    assert_eq!(cancelled, format!("job/{id} canceled\n"));
    assert_eq!(state(lab, id), "CANCELED");
    lab.flink(&["cancel", "roc", &id[..8]])
        .failed(1, &[&format!("job {id} (long) has ended already, as CANCELED")]);
    let none = lab.flink(&["cancel", "roc", "--all"]);
    assert_eq!((none.code, none.stdout.as_str()), (0, ""), "{}", none.stderr);
    assert_eq!(none.stderr, "No running jobs on session roc.\n");
}

fn what_starts_nothing_says_why(lab: &Lab) {
    let before = jobs(lab);
    let failed = submit(lab, &[], &["fails"]);
    failed.failed(1, &["the program in programs.jar failed", "the topic orders does not exist"]);
    for other in ["cannot plan the job", "\tat ", "InvocationException"] {
        assert!(!failed.stderr.contains(other), "the deepest cause alone: {}", failed.stderr);
    }
    submit(lab, &[], &["nothing"]).failed(1, &["the program in programs.jar has started no job"]);
    lab.flink(&["submit", "roc", NO_MAIN]).failed(1, &["names no main class", "--class Programs"]);

    let files = tempfile::tempdir().expect("scratch directory");
    let is_refused = |name: &str, words: &[&str]| {
        let file = files.path().join(name);
        fs::write(&file, "print(1)\n").expect("file");
        lab.flink(&["submit", "roc", &file.to_string_lossy()]).failed(1, words);
    };
    is_refused("x.jar", &["x.jar is no jar"]);
    is_refused("x.py", &["x.py is a Python program", "flink run --target kubernetes-session"]);
    is_refused("x.sql", &["x.sql is an SQL script", "bin/sql-client.sh"]);
    assert_eq!(jobs(lab), before);
    assert_eq!(jars(lab), 0);
}

fn who_waits_hears_how_it_ends(lab: &Lab) {
    let ended = submit(lab, &["--wait"], &["short"]);
    let id = the_id(&ended);
    assert_eq!(state(lab, &id), "FINISHED");
    let changes: Vec<&str> = ended.stderr.lines().filter(|line| line.contains(&id)).collect();
    assert!(changes.len() > 1 && changes.last().expect("change").contains("is FINISHED"), "{changes:?}");

    let broken = submit(lab, &["--wait"], &["breaks"]);
    assert_eq!(broken.code, 5, "{}", broken.stderr);
    let id = broken.stdout.trim_end();
    assert_eq!(state(lab, id), "FAILED");
    for words in [
        &format!("job {id} (breaks) ended as FAILED"),
        "record 10 cannot be read, in task Source: Sequence Source",
        "bad magic",
    ] {
        assert!(broken.stderr.contains(words), "{words:?} is not in: {}", broken.stderr);
    }
    assert!(!broken.stderr.contains("\tat "), "{}", broken.stderr);

    let long = submit(lab, &["--wait", "--timeout", "3s"], &["long"]);
    assert_eq!(long.code, 3, "{}", long.stderr);
    let id = long.stdout.trim_end();
    assert!(long.stderr.contains(&format!("job {id} has not ended within 3 s, and goes on")));
    assert!(["CREATED", "RUNNING"].contains(&state(lab, id).as_str()));
    assert_eq!(lab.flink_ok(&["cancel", "roc", "--all"]), format!("job/{id} canceled\n"));
}

/// Flink 1.10 itself stops a program at its first job.
fn two_jobs_of_one_program_are_two_ids(lab: &Lab, expected: usize) {
    let started = submit(lab, &[], &["two"]);
    assert_eq!(started.code, 0, "{}", started.stderr);
    let ids: Vec<&str> = started.stdout.lines().collect();
    assert_eq!(ids.len(), expected, "{}", started.stdout);
    let has_ended = ["FINISHED", "CANCELED", "FAILED"];
    let mut alive = jobs(lab);
    alive.retain(|(_, state)| !has_ended.contains(&state.as_str()));
    let mut alive: Vec<&str> = alive.iter().map(|(id, _)| id.as_str()).collect();
    assert!(started.stderr.contains(&format!("job {} (first of two) is ", ids[0])), "{}", started.stderr);
    let cancelled = lab.flink_ok(&["cancel", "roc", "--all"]);
    assert_eq!(cancelled.matches(" canceled\n").count(), expected, "{cancelled}");
    alive.sort_unstable();
    let mut ids = ids;
    ids.sort_unstable();
    assert_eq!(alive, ids);
}

fn dispose_removes_a_savepoint(lab: &Lab, path: &str) {
    let disposed = lab.flink_ok(&["savepoint", "roc", "--dispose", path]);
    assert_eq!(disposed, format!("savepoint {path} disposed\n"));
    let file = path.strip_prefix("file:").expect("file");
    let gone = lab.kubectl(&["exec", "deployment/roc", "--", "test", "!", "-e", file]);
    assert_eq!(gone.code, 0, "{}", gone.stderr);
    lab.flink(&["savepoint", "roc", "--dispose", path])
        .failed(1, &[&format!("cannot dispose of savepoint {path}")]);
}
