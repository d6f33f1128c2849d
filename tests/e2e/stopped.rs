//! Commands that a signal stops, and sessions that are deleted while they are being made.

use std::time::{Duration, Instant};

use crate::jobs::{PROGRAMS, jars, jobs};
use crate::lab::{FLINK_1_10, FLINK_1_20, FLINK_2_3, Lab, QUICK, small};
use crate::running::{End, Running};

/// A bootstrap that worked on would have made its session by then: its grace period is 30 s.
const GRACE: Duration = Duration::from_secs(40);

fn stop(running: Running, signal: &str) -> End {
    running.signal(signal);
    running.end()
}

#[test]
fn a_submit_that_is_stopped_in_main_leaves_no_jar() {
    let lab = Lab::new("stop-submit");
    lab.flink_ok(&[&["create", "roc", "--image", FLINK_2_3.0][..], &QUICK].concat());
    for (signal, code) in [("TERM", 143), ("HUP", 129), ("INT", 130)] {
        let submit = Running::start(lab.command(&["submit", "roc", PROGRAMS, "--", "slow", "20000"]));
        lab.until("the program to be in its main()", || {
            lab.rest("roc", "/jobmanager/thread-dump").stdout.contains("Programs.main")
        });
        assert_eq!(jars(&lab), 1, "{signal}");
        let end = stop(submit, signal);
        assert_eq!((end.code, &end.stdout[..]), (code, &[][..]), "{signal}: {end:?}");
        let told = "error: interrupted: the program in programs.jar may have started a job";
        assert!(end.stderr.iter().any(|line| line == told), "{signal}: {end:?}");
        assert_eq!(jars(&lab), 0, "{signal}");
        assert_eq!(jobs(&lab), [], "{signal}: it has not come to its job");
        // What is in its main() goes on there, and is none of the next one's.
        lab.until("the program to end", || {
            !lab.rest("roc", "/jobmanager/thread-dump").stdout.contains("Programs.main")
        });
        for (id, _) in jobs(&lab).into_iter().filter(|(_, state)| state != "CANCELED") {
            lab.flink_ok(&["cancel", "roc", &id]);
        }
        return_to_nothing(&lab);
    }
}

/// A new JobManager knows of no job.
fn return_to_nothing(lab: &Lab) {
    lab.flink_ok(&["restart", "roc"]);
    assert_eq!(jobs(lab), []);
}

/// How far the bootstrap of a session is.
fn bootstrap_phase(lab: &Lab, name: &str) -> String {
    let selector = format!("job-name=boot-{name}");
    lab.kubectl_ok(&["get", "pod", "-l", &selector, "-o", "jsonpath={.items[*].status.phase}"])
}

#[test]
fn nothing_of_a_session_appears_after_its_deletion() {
    let lab = Lab::new("stop-create");
    let mut names = Vec::new();
    for (image, _) in [FLINK_1_10, FLINK_1_20, FLINK_2_3] {
        for (moment, orphan) in
            [(None, false), (Some(0), false), (Some(1500), false), (Some(3000), false), (Some(800), true)]
        {
            let name = format!("s{}", names.len());
            let create = ["create", &name, "--image", image, "--wait=false"];
            lab.flink_ok(&[&create[..], small(image)].concat());
            if let Some(milliseconds) = moment {
                lab.until("the bootstrap to run", || bootstrap_phase(&lab, &name) == "Running");
                std::thread::sleep(Duration::from_millis(milliseconds));
            }
            if orphan {
                // The pod is being deleted, and its Job is gone.
                lab.kubectl_ok(&["delete", "job", &format!("boot-{name}"), "--wait=false"]);
            }
            let deleted = lab.flink(&["delete", &name, "--yes"]);
            // One that was quick enough left nothing for the command.
            let is_gone = orphan && deleted.stderr.contains("there is no session");
            assert!(deleted.code == 0 || is_gone, "{name} {image} {moment:?}: {}", deleted.stderr);
            assert!(!deleted.stderr.contains("anew"), "{name} {image} {moment:?}: {}", deleted.stderr);
            assert_eq!(lab.left_of(&name), "", "{name} {image} {moment:?}");
            names.push(name);
        }
    }
    let began = Instant::now();
    while began.elapsed() < GRACE {
        let left: String = names.iter().map(|name| lab.left_of(name)).collect();
        assert_eq!(left, "");
    }
}

#[test]
fn a_session_that_is_created_during_a_deletion_is_a_new_one() {
    let lab = Lab::new("stop-again");
    let create = [&["create", "roc"][..], &QUICK].concat();
    lab.flink_ok(&create);
    let old = lab.uid("deployment/roc");
    // As a deletion leaves it for a while: pods have their time to end.
    lab.kubectl_ok(&[
        "patch",
        "deployment",
        "roc",
        "--type=merge",
        "-p",
        "{\"metadata\":{\"finalizers\":[\"a.b/hold\"]}}",
    ]);
    lab.flink_ok(&["delete", "roc", "--yes", "--wait=false"]);
    let mut again = Running::start(lab.command(&create));
    while !again.warning().contains("waiting for an earlier session roc to be gone: ") {}
    assert_eq!(lab.uid("deployment/roc"), old, "nothing was made yet");
    lab.kubectl_ok(&[
        "patch",
        "deployment",
        "roc",
        "--type=json",
        "-p",
        "[{\"op\":\"remove\",\"path\":\"/metadata/finalizers\"}]",
    ]);
    while !again.warning().starts_with("waiting for the JobManager's REST") {}
    let end = again.end();
    assert_eq!(end.code, 0, "{end:?}");
    assert_ne!(lab.uid("deployment/roc"), old);
    let deleting = ["get", "deployment", "roc", "-o", "jsonpath={.metadata.deletionTimestamp}"];
    assert_eq!(lab.kubectl_ok(&deleting), "");
    assert!(lab.rest_overview("roc").stdout.contains("2.3.0"));
}

#[test]
fn the_hints_of_a_create_that_was_stopped_do_what_they_say() {
    let lab = Lab::new("stop-hints");
    // How far it is when it is stopped, and by what.
    for (awaited, signal, code) in [
        ("job.batch/boot-roc created", "INT", 130),
        ("waiting for Flink's client", "TERM", 143),
        ("waiting for the JobManager pod", "HUP", 129),
        ("waiting for the JobManager's REST", "INT", 130),
    ] {
        for command in ["status", "delete", "create"] {
            let words = [&["create", "roc", "--expose=NodePort"][..], &QUICK].concat();
            let mut create = Running::start(lab.command(&words));
            while !create.warning().starts_with(awaited) {}
            let end = stop(create, signal);
            assert_eq!(end.code, code, "{awaited}: {end:?}");
            if command == "create" {
                assert!(
                    end.stderr.iter().any(|line| line.starts_with("hint: run the same create command again"))
                );
                lab.flink_ok(&words);
                let service = ["get", "service", "roc-rest", "-o", "jsonpath={.spec.type}"];
                assert_eq!(lab.kubectl_ok(&service), "NodePort", "{awaited}");
                lab.flink_ok(&["delete", "roc", "--yes"]);
                continue;
            }
            let hint = end.stderr.iter().find_map(|line| {
                let (_, typed) = line.strip_prefix("hint: ")?.split_once(": ")?;
                typed.starts_with(&format!("kubectl flink {command} ")).then(|| typed.to_owned())
            });
            let typed = hint.unwrap_or_else(|| panic!("{awaited} {command}: {end:?}"));
            let ended = lab.flink_as_printed(&typed);
            assert_eq!(ended.code, 0, "{awaited}: {typed}: {}", ended.stderr);
            if command == "status" {
                assert!(ended.stdout.starts_with("Session roc is Running: Flink 2.3.0"), "{}", ended.stdout);
                lab.flink_ok(&["delete", "roc", "--yes"]);
            }
            assert_eq!(lab.left_of("roc"), "", "{awaited}: {typed}: {}", ended.stderr);
        }
    }
}
