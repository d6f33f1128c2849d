//! Whose job it is: many submits at once, programs with several jobs, and one that ends the JobManager.

use std::collections::BTreeSet;

use crate::advice::{fix, shows};
use crate::jobs::{PROGRAMS, SMALL_TASKMANAGERS, all_tasks_run, jars, jobs, submit, the_id};
use crate::lab::{Ended, FLINK_1_10, FLINK_1_20, FLINK_2_3, Lab, PATIENCE, small};
use crate::running::Running;

#[test]
fn flink_1_10() {
    no_foreign_job_is_taken("whose-1-10", FLINK_1_10);
}

#[test]
fn flink_1_20() {
    no_foreign_job_is_taken("whose-1-20", FLINK_1_20);
}

#[test]
fn flink_2_3() {
    no_foreign_job_is_taken("whose-2-3", FLINK_2_3);
}

/// Submits at the same time: `--wait` on every second one.
const AT_ONCE: usize = 20;

fn no_foreign_job_is_taken(test: &str, (image, version): (&str, &str)) {
    let lab = Lab::new(test);
    let proves_all = !version.starts_with("1.10.");
    // One TaskManager for all: on a busy node many that start together are not heard of in time.
    let ask = if version.starts_with("1.") { "-Dakka.ask.timeout=1min" } else { "-Dpekko.ask.timeout=1min" };
    let create = ["create", "roc", "--image", image, "--slots", "40", ask];
    lab.flink_ok(&[&create[..], small(image), &SMALL_TASKMANAGERS].concat());
    many_at_once(&lab, if proves_all { 3 } else { 1 });
    if proves_all {
        what_a_program_overrides_is_only_mentioned(&lab);
        what_the_user_sets_stays(&lab);
    }
    a_program_that_ends_the_jobmanager_is_sent_once(&lab);
    what_ends_with_the_jobmanager_is_said_to(&lab);
}

/// Programs with one job and with three; those with one are followed to their end.
fn many_at_once(lab: &Lab, of_three: usize) {
    let run = |number: usize| {
        let words: &[&str] = match number % 2 {
            0 => &["submit", "roc", PROGRAMS, "--wait", "--timeout", "5m", "--", "instant"],
            _ => &["submit", "roc", PROGRAMS, "--", "three"],
        };
        lab.flink(words)
    };
    let ended: Vec<Ended> = std::thread::scope(|scope| {
        let all: Vec<_> = (0..AT_ONCE).map(|number| scope.spawn(move || run(number))).collect();
        all.into_iter().map(|one| one.join().expect("submit")).collect()
    });
    let mut printed = BTreeSet::new();
    for (number, ended) in ended.iter().enumerate() {
        assert_eq!(ended.code, 0, "{number}: {}", ended.stderr);
        let ids: Vec<&str> = ended.stdout.lines().collect();
        assert_eq!(ids.len(), if number % 2 == 0 { 1 } else { of_three }, "{number}: {}", ended.stderr);
        for id in ids {
            assert!(printed.insert(id.to_owned()), "{id} is printed by two submits");
        }
        assert!(
            !ended.stderr.contains("possibly") && !ended.stderr.contains("another client"),
            "{}",
            ended.stderr
        );
    }
    let there: BTreeSet<String> = jobs(lab).into_iter().map(|(id, _)| id).collect();
    assert_eq!(printed, there, "every job is printed once");
    lab.flink_ok(&["cancel", "roc", "--all", "--timeout", "5m"]);
}

fn what_a_program_overrides_is_only_mentioned(lab: &Lab) {
    let submitted = submit(lab, &[], &["parameters"]);
    let id = the_id(&submitted);
    let warning = "new on session roc since the submit (of this program or of another client): ";
    assert!(submitted.stderr.contains(warning), "{}", submitted.stderr);
    assert!(submitted.stderr.contains("(second with parameters, "), "{}", submitted.stderr);
    let first = lab.rest_json("roc", &format!("/jobs/{id}"));
    assert_eq!(first["name"], "first with parameters");
    lab.flink_ok(&["cancel", "roc", "--all"]);
}

fn what_the_user_sets_stays(lab: &Lab) {
    let id = the_id(&submit(lab, &["-D", "pipeline.global-job-parameters=mine:1,more:2"], &["long"]));
    let config = lab.rest_json("roc", &format!("/jobs/{id}/config"));
    let parameters = &config["execution-config"]["user-config"];
    assert_eq!((&parameters["mine"], &parameters["more"]), (&"1".into(), &"2".into()), "{config}");
    lab.flink_ok(&["cancel", "roc", "--all"]);
}

fn a_program_that_ends_the_jobmanager_is_sent_once(lab: &Lab) {
    let id = the_id(&submit(lab, &[], &["long"]));
    all_tasks_run(lab, &id);
    let restarts = || {
        let path = "jsonpath={.items[0].status.containerStatuses[0].restartCount}";
        lab.kubectl_ok(&["get", "pod", "-l", "app=roc,component=jobmanager", "-o", path])
    };
    assert_eq!(restarts(), "0");
    // Another client starts a job as soon as the JobManager is back.
    let ended = std::thread::scope(|scope| {
        let other = scope.spawn(|| {
            lab.until("the end of the JobManager", || restarts() != "0");
            lab.until("a job of another client", || {
                lab.rest_overview("roc").code == 0 && submit(lab, &[], &["long"]).code == 0
            });
        });
        let ended = submit(lab, &[], &["exits", "3"]);
        other.join().expect("the other client");
        ended
    });
    ended.failed(
        1,
        &[
            "the JobManager of session roc was replaced while the program in programs.jar ran",
            "ended with exit code ",
            &format!("these jobs of the session are gone: {id} (long, RUNNING)"),
        ],
    );
    assert_eq!(restarts(), "1", "it was sent once: {}", ended.stderr);
    let status = lab.flink_ok(&["status", "roc"]);
    assert!(status.contains("the JobManager of session roc restarted "), "{status}");
    let logs = fix(lab, "roc", "jobmanager-restarted");
    // Flink 1.10 writes its log into a file, which has gone with the container.
    let is_1_10 = lab.rest_overview("roc").stdout.contains("\"flink-version\":\"1.10.");
    shows(lab.kubectl_as_printed(&logs), &logs, if is_1_10 { "Start command : " } else { " INFO " });
    assert_eq!(jars(lab), 0);
}

/// A wait and a stop that are under way when a program of another client ends the JobManager.
fn what_ends_with_the_jobmanager_is_said_to(lab: &Lab) {
    let sleepy = the_id(&submit(lab, &[], &["sleepy", "120000"]));
    all_tasks_run(lab, &sleepy);
    let waits = Running::start(lab.command(&["submit", "roc", PROGRAMS, "--wait", "--", "long"]));
    let stop = ["stop", "roc", &sleepy, "--savepoint-dir", "file:///tmp/sp", "--allow-local-dir"];
    let stops = Running::start(lab.command(&stop));
    let is_under_way = || {
        let checkpoints = lab.rest_json("roc", &format!("/jobs/{sleepy}/checkpoints"));
        checkpoints["counts"]["in_progress"] == 1
            && jobs(lab).iter().filter(|(_, state)| state == "RUNNING").count() > 1
    };
    lab.until("the savepoint", is_under_way);
    assert_eq!(submit(lab, &[], &["exits", "3"]).code, 1);
    for (ended, code, what) in
        [(waits.end_within(PATIENCE), 5, "is gone"), (stops.end_within(PATIENCE), 1, &sleepy)]
    {
        let told = ended.stderr.join("\n");
        assert_eq!(ended.code, code, "{told}");
        let cause = "because: the JobManager was replaced: the container in pod roc-";
        assert!(told.contains(what) && told.contains(cause), "{told}");
        assert!(!told.contains("was not stopped") && !told.contains("goes on"), "{told}");
    }
}
