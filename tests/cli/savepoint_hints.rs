//! Commands that `savepoint` and `stop` print, run by a shell as they stand, in the state in which they are printed.

use serde_json::json;

use crate::jar_names::PROGRAMS;
use crate::played::{JOB, Played, State, printed};
use crate::process::Ended;
use crate::server::Answer;

/// The savepoint that is asked after has come to this.
fn comes_to(line: &str, state: &State, status: &str, operation: &serde_json::Value) -> Option<Answer> {
    let is_asked_after = line.starts_with("GET ") && line.contains("/savepoints/") && state.is_saved;
    is_asked_after.then(|| (200, json!({"status": {"id": status}, "operation": operation})))
}

/// It takes until somebody has made [`State::is_slow`] false.
fn slow(line: &str, state: &State) -> Option<Answer> {
    comes_to(line, state, "IN_PROGRESS", &json!(null)).filter(|_| state.is_slow)
}

fn is_taken(taken: &Ended) {
    assert_eq!((taken.code, taken.stdout.as_str()), (0, "s3://b/sp/savepoint-1\n"), "{taken}");
}

#[test]
fn a_savepoint_that_is_not_done_in_time_is_asked_after_with_the_printed_command() {
    let played = Played::with_job(|line, state| slow(line, state)).of("2.3.0");
    played.state.lock().expect("state").is_slow = true;
    let late = played.flink(&["savepoint", "roc", "orders", "-n", "team-a", "--timeout", "1s"]);
    assert_eq!(late.code, 3, "{late}");
    played.state.lock().expect("state").is_slow = false;
    is_taken(&played.flink_as_printed(late.printed("kubectl flink savepoint")));
    // The same of a stop that is interrupted, whose job has ended by then.
    let played = Played::with_job(|line, state| slow(line, state)).of("2.3.0");
    played.state.lock().expect("state").is_slow = true;
    let stop = played.start(&["stop", "roc", "orders", "-n", "team-a"]);
    played.until_asked("/stop");
    let end = stop.interrupt();
    assert_eq!(end.code, 130, "{end:?}");
    played.state.lock().expect("state").is_slow = false;
    is_taken(&played.flink_as_printed(printed(&end, "kubectl flink savepoint")));
    assert_eq!(played.job_is(), "FINISHED");
}

#[test]
fn a_request_is_asked_after_with_the_command_for_one_job() {
    let played = Played::with_job(|_, _| None).of("2.3.0");
    played.state.lock().expect("state").is_saved = true;
    let request = "b6184a1ceee81fb635c129c3458234c8";
    let refused = played.flink(&["savepoint", "roc", "a", "b", "--request-id", request, "-n", "team-a"]);
    assert_eq!(refused.code, 1, "{refused}");
    let typed = refused.printed("kubectl flink savepoint");
    assert!(typed.contains(request) && typed.ends_with(" -n team-a"), "{typed}");
    is_taken(&played.flink_as_printed(&typed.replace("JOB", "orders")));
    let asked = format!("/jobs/{JOB}/savepoints/{request}");
    assert!(played.server.asked().iter().any(|line| line.ends_with(&asked)), "{:?}", played.server.asked());
}

#[test]
fn a_job_whose_savepoint_has_no_path_is_shown_by_the_printed_command() {
    let nowhere =
        |line: &str, state: &mut State| comes_to(line, state, "COMPLETED", &json!({"location": null}));
    let played = Played::with_job(nowhere).of("2.3.0");
    let failed = played.flink(&["savepoint", "roc", "orders", "-n", "team-a"]);
    assert!(failed.code == 1 && failed.stderr.contains("names no path"), "{failed}");
    let shown = played.flink_as_printed(failed.printed("kubectl flink jobs"));
    assert!(shown.code == 0 && shown.stdout.contains(&format!("({JOB}) is RUNNING")), "{shown}");
}

#[test]
fn a_job_that_cannot_be_saved_is_ended_by_the_printed_command() {
    const WHY: &str = "org.apache.flink.runtime.checkpoint.CheckpointException: Not all required tasks are currently running.";
    let waits = |line: &str, state: &mut State| {
        // Its end waits for the savepoint.
        state.is_saved |= line.ends_with("/stop");
        let asked = line.ends_with("/stop").then(|| (202, json!({"request-id": "1f".repeat(16)})));
        let failed = json!({"failure-cause": {"class": "x", "stack-trace": WHY}});
        asked.or_else(|| comes_to(line, state, "COMPLETED", &failed))
    };
    let played = Played::with_job(waits).of("2.3.0");
    played.state.lock().expect("state").jobs = vec![crate::played::job(JOB, "RUNNING", 0)];
    let failed = played.flink(&["stop", "roc", "orders", "-n", "team-a"]);
    assert!(failed.code == 1 && failed.stderr.contains("0 of its 1 tasks run"), "{failed}");
    let way = "to end it without a savepoint: ";
    let ended = played.flink_as_printed(failed.printed(way).trim_start_matches(way));
    assert_eq!((ended.code, ended.stdout), (0, format!("job/{JOB} canceled\n")));
    assert_eq!(played.job_is(), "CANCELED");
}

/// A version that tells of stops only by the history of the job, which may be old.
#[test]
fn a_stop_that_has_to_wait_for_its_history_is_done_by_the_printed_command() {
    let old = |line: &str, _: &mut State| {
        (line == "GET /jobmanager/config")
            .then(|| (200, json!([{"key": "web.refresh-interval", "value": "1500"}])))
    };
    let played = Played::with_job(old).of("1.14.6");
    let words = ["stop", "roc", "orders", "--drain", "--savepoint-dir", "s3://b/my sp", "-n", "team-a"];
    let refused = played.flink(&[&words[..], &["--timeout", "1s"]].concat());
    assert!(refused.code == 1 && played.server.writes().is_empty(), "{refused}");
    let typed = refused.printed("kubectl flink stop").replace("TIME", "30s");
    is_taken(&played.flink_as_printed(&typed));
    assert_eq!(played.job_is(), "FINISHED");
    let writes = played.server.writes();
    let [stop] = &writes[..] else { panic!("{writes:?}") };
    assert_eq!((&stop.body["drain"], &stop.body["targetDirectory"]), (&json!(true), &json!("s3://b/my sp")));
}

/// A path with a blank and a quotation mark is one word, and so is one that a shell would read as more.
#[test]
fn a_program_goes_on_from_a_savepoint_of_any_path_with_the_printed_command() {
    for path in ["s3://b/my sp/savepoint-1", "file:/data/it's $HOME/savepoint-1", "s3://b/a;b&c/savepoint-1"]
    {
        let fails = move |line: &str, state: &mut State| {
            if line.ends_with("/stop") {
                state.is_saved = true;
                state.end("FAILED");
                return Some((202, json!({"request-id": "1f".repeat(16)})));
            }
            comes_to(line, state, "COMPLETED", &json!({"location": path}))
        };
        let played = Played::with_job(fails).of("2.3.0");
        let failed = played.flink(&["stop", "roc", "orders", "-n", "team-a"]);
        assert!(failed.code == 1 && failed.stderr.contains("ended as FAILED"), "{failed}");
        played.state.lock().expect("state").jobs.clear();
        let typed = failed.printed("kubectl flink submit").replacen("JAR", PROGRAMS, 1);
        let started = played.flink_as_printed(&typed);
        assert_eq!((started.code, started.stdout.trim_end()), (0, JOB), "{typed}: {started}");
        let run = played.server.writes().into_iter().rfind(|write| write.line.ends_with("/run"));
        let body = run.expect("a run").body;
        assert_eq!(
            (&body["savepointPath"], &body["programArgsList"]),
            (&json!(path), &json!(null)),
            "{typed}"
        );
    }
}
