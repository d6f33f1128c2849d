//! Commands that are printed as advice about jobs and sessions that are not found, run by a shell as they stand.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::{Value, json};

use crate::advice::{Namespace, RUNS, State, job};
use crate::process::{Ended, command, start_flink_as_printed};
use crate::running::{End, Running};
use crate::server::Server;
use crate::standing::session;

const OTHER: &str = "bb22dc59d12b7474c390b0a756115346";

fn with_jobs(jobs: Vec<Value>) -> Namespace {
    Namespace::with(State { objects: session(), jobs, ..State::default() })
}

/// Two jobs that run; the session forgets the first one after such a request.
fn that_forgets(after: &'static str) -> Namespace {
    let jobs = vec![job(RUNS, "RUNNING", 1), job(OTHER, "RUNNING", 1)];
    Namespace::with(State { objects: session(), jobs, forgets_after: Some(after), ..State::default() })
}

/// The list of jobs that an error proposes has these, and no others.
fn lists(namespace: &Namespace, refused: &Ended, ids: &[&str]) {
    assert_ne!(refused.code, 0, "{refused}");
    let list = namespace.server.flink_as_printed(refused.printed("kubectl flink jobs"));
    let rows: Vec<&str> = list.stdout.lines().skip(1).filter_map(|row| row.split(' ').next()).collect();
    assert_eq!((list.code, rows.as_slice()), (0, ids), "{list}");
}

fn hint(end: &End) -> &str {
    let hint = end.stderr.iter().find_map(|line| line.strip_prefix("hint: "));
    hint.unwrap_or_else(|| panic!("no hint: {end:?}"))
}

#[test]
fn a_job_whose_cancellation_takes_long_or_that_has_ended_is_looked_at_with_the_printed_command() {
    let runs = with_jobs(vec![job(RUNS, "RUNNING", 1)]);
    let late = runs.flink(&["cancel", "roc", RUNS, "--timeout", "1s"]);
    assert_eq!(late.code, 3, "{late}");
    let ended = with_jobs(vec![job(RUNS, "FAILED", 0)]);
    let refused = ended.flink(&["cancel", "roc", RUNS]);
    assert!(refused.code == 1 && refused.stderr.contains("has ended already"), "{refused}");
    for (namespace, error, state) in [(runs, late, "RUNNING"), (ended, refused, "FAILED")] {
        let shown = namespace.server.flink_as_printed(error.printed("kubectl flink jobs"));
        let is_it = shown.stdout.contains(&format!("({RUNS}) is {state}"));
        assert!(shown.code == 0 && is_it, "{shown}");
    }
}

#[test]
fn a_job_that_was_forgotten_is_missing_in_the_list_that_is_printed() {
    let forgets = that_forgets("PATCH ");
    let refused = forgets.flink(&["cancel", "roc", RUNS]);
    assert!(refused.stderr.contains("does not know job"), "{refused}");
    lists(&forgets, &refused, &[OTHER]);
    let forgets = that_forgets("/jobs/overview");
    let refused = forgets.flink(&["jobs", "roc", RUNS]);
    assert!(refused.stderr.contains("does not know job"), "{refused}");
    lists(&forgets, &refused, &[OTHER]);
}

#[test]
fn jobs_that_were_not_named_are_listed_by_the_printed_command() {
    let namespace = with_jobs(vec![job(RUNS, "RUNNING", 1), job(OTHER, "FAILED", 0)]);
    for verb in ["cancel", "stop", "savepoint"] {
        let refused = namespace.flink(&[verb, "roc"]);
        assert!(refused.stderr.contains(" needs a job"), "{refused}");
        lists(&namespace, &refused, &[RUNS]);
    }
    // Also one that has ended may be the one that is meant.
    for verb in ["cancel", "jobs"] {
        let refused = namespace.flink(&[verb, "roc", "no such"]);
        assert!(refused.stderr.contains("there is no job \"no such\""), "{refused}");
        lists(&namespace, &refused, &[RUNS, OTHER]);
    }
}

#[test]
fn what_has_become_of_jobs_after_ctrl_c_is_listed_by_the_printed_command() {
    let namespace = with_jobs(vec![job(RUNS, "RUNNING", 1)]);
    let cancel = namespace.start(&["cancel", "roc", RUNS]);
    until_asked(&namespace.server, "PATCH ");
    let end = cancel.interrupt();
    assert_eq!(end.code, 130, "{end:?}");
    assert!(end.stderr.iter().any(|line| line.contains("some of the jobs")), "{end:?}");
    namespace.state.lock().expect("state").jobs = vec![job(RUNS, "CANCELED", 0)];
    let list = namespace.server.flink_as_printed(hint(&end));
    assert!(list.code == 0 && list.stdout.contains(" CANCELED "), "{list}");
}

#[test]
fn all_jobs_are_watched_with_the_command_that_a_watch_of_several_prints() {
    let namespace = with_jobs(vec![job(RUNS, "RUNNING", 1), job(OTHER, "RUNNING", 1)]);
    let refused = namespace.flink(&["jobs", "roc", RUNS, OTHER, "--watch"]);
    assert_eq!(refused.code, 1, "{refused}");
    let typed = refused.printed("kubectl flink jobs");
    let mut watch = start_flink_as_printed(namespace.server.home.path(), typed);
    assert!(watch.row().starts_with("JOB ID"));
    let mut rows = [watch.row(), watch.row()].map(|row| row.split(' ').next().unwrap_or_default().to_owned());
    rows.sort();
    assert_eq!(rows, [RUNS, OTHER]);
    assert_eq!(watch.interrupt().code, 130);
}

#[test]
fn sessions_of_every_namespace_are_listed_with_the_flags_of_the_same_cluster() {
    let elsewhere = session().into_iter().map(|(_, object)| object).next().expect("a Deployment");
    let server = Server::answering_queries(move |line, query| match line {
        "GET /apis/apps/v1/deployments" if !query.contains("metadata.name") => {
            Some((200, json!({"metadata": {}, "items": [elsewhere]})))
        }
        _ => None,
    });
    // The cluster is that of a file that is not the user's own.
    let home = server.home.path();
    std::fs::rename(home.join(".kube/config"), home.join("my config")).expect("kubeconfig");
    let file = home.join("my config").to_string_lossy().into_owned();
    let of_the_line = ["--kubeconfig", &file, "--user", "me", "-n", "team-b"];
    let refused = server.flink(&[&["status", "nothing-like-it"], &of_the_line[..]].concat());
    assert_eq!(refused.code, 1, "{refused}");
    let typed = refused.printed("kubectl flink ls");
    // The played server takes every user.
    assert!(typed.contains(" --user me "), "{typed}");
    let list = server.flink_as_printed(typed);
    assert!(list.code == 0 && list.stdout.contains(" roc "), "{list}");
}

/// Waits until a request begins with `start`, and a little longer, for its answer to be read.
fn until_asked(server: &Server, start: &str) {
    for _ in 0..1000 {
        if server.asked().iter().any(|line| line.starts_with(start)) {
            return std::thread::sleep(Duration::from_millis(300));
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    panic!("{start:?} is not in {:?}", server.asked());
}

#[test]
fn what_is_there_after_ctrl_c_is_listed_by_the_printed_command() {
    let hangs = Arc::new(AtomicBool::new(true));
    let (is_hanging, objects) = (Arc::clone(&hangs), session());
    let server = Server::answering_queries(move |line, query| {
        while is_hanging.load(Ordering::SeqCst) {
            std::thread::sleep(Duration::from_millis(20));
        }
        crate::standing::answer(&objects, line, query)
    });
    let status = Running::start(command(server.home.path(), &["status", "roc"]));
    until_asked(&server, "GET ");
    let end = status.interrupt();
    assert_eq!(end.code, 130, "{end:?}");
    hangs.store(false, Ordering::SeqCst);
    let typed = hint(&end).strip_prefix("to see what is there: ").expect("a command");
    let list = server.flink_as_printed(typed);
    assert!(list.code == 0 && list.stdout.lines().any(|row| row.starts_with("roc ")), "{list}");
}

#[test]
fn the_usage_of_a_wrong_line_is_that_of_the_command_that_it_names() {
    let namespace = Namespace::of(Vec::new());
    for (words, of) in [(&["ls", "--nope"][..], "List sessions"), (&["no-such-command"], "Usage:")] {
        let refused = namespace.flink(words);
        let usage = refused.printed("kubectl flink").split(" [").next().unwrap_or_default();
        let tip = refused.printed("try '").trim_start_matches("try '").trim_end_matches("'.");
        let help = namespace.server.flink_as_printed(&format!("{usage} {tip}"));
        assert!(help.code == 0 && help.stdout.contains(of), "{help}");
    }
}
