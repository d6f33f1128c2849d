//! A JobManager that is replaced under a command: nothing is sent to the new one, and the replacement is named as the cause.

use serde_json::json;

use crate::jar_names::PROGRAMS;
use crate::played::{JOB, Played, State};
use crate::process::Ended;
use crate::server::Answer;
use crate::standing::{PODS, change, owned_by, pod};
use crate::submit_hints::restart;

const RESTARTED: &str =
    "because: the JobManager was replaced: the container in pod roc-5d4-own ended with exit code 3 (Error)\n";

type Replace = fn(&mut State);

/// How a JobManager may be replaced, and how that is told.
const WAYS: [(Replace, &str); 3] = [
    (restart, RESTARTED),
    (moves, "because: the JobManager was replaced: pod roc-5d4-own is gone\n"),
    (is_evicted, "because: the JobManager was replaced: pod roc-5d4-own is being deleted\n"),
];

/// Another pod has its place.
fn moves(state: &mut State) {
    state.objects.retain(|(of, _)| *of != PODS);
    state.objects.push((PODS, pod("roc-5d4-new", owned_by("ReplicaSet", "roc-5d4", "r1"))));
}

fn is_evicted(state: &mut State) {
    change(&mut state.objects, "roc-5d4-own", PODS, |pod| {
        pod["metadata"]["deletionTimestamp"] = "2026-01-01T00:02:00Z".into();
    });
    state.objects.push((PODS, pod("roc-5d4-new", owned_by("ReplicaSet", "roc-5d4", "r1"))));
}

/// It ends with 1, and says `told` once.
fn is_told(ended: &Ended, told: &str) {
    assert_eq!((ended.code, ended.stdout.as_str()), (1, ""), "{ended}");
    assert_eq!(ended.stderr.matches(told).count(), 1, "{told:?} is not once in\n{ended}");
}

/// So many requests to do it have come.
fn sent(played: &Played, end: &str) -> usize {
    played.server.writes().into_iter().filter(|write| write.line.ends_with(end)).count()
}

/// The program reaches the JobManager as a client, too.
#[test]
fn a_program_that_fails_as_its_jobmanager_was_replaced_names_the_replacement() {
    let fails = |line: &str| {
        let stack = "org.apache.flink.client.program.ProgramInvocationException: The main method caused an error: x\n\tat a.B\nCaused by: java.net.ConnectException: Connection refused\n\tat a.C";
        line.ends_with("/run").then(|| (400, json!({"errors": ["Internal server error.", stack]})))
    };
    for version in ["1.10.3", "2.3.0"] {
        for (replace, told) in WAYS {
            let played = Played::with(move |line, state| {
                let answer = fails(line);
                answer.iter().for_each(|_| replace(state));
                answer
            });
            let failed = played.of(version);
            let ended = failed.flink(&["submit", "roc", PROGRAMS, "--wait"]);
            is_told(&ended, told);
            assert!(ended.stderr.contains("error: the program in programs.jar failed\n"), "{ended}");
            assert!(ended.stderr.contains("ConnectException: Connection refused"), "{ended}");
            assert_eq!(sent(&failed, "/run"), 1, "{ended}");
        }
    }
    // The same of a program that could not connect elsewhere.
    let ended = Played::with(move |line, _| fails(line)).flink(&["submit", "roc", PROGRAMS]);
    assert!(ended.code == 1 && !ended.stderr.contains("replaced"), "{ended}");
}

/// How a request for a savepoint is answered while the JobManager is replaced: not at all, or well.
const ANSWERS: [fn() -> Answer; 2] =
    [|| (502, json!({"gateway": "no upstream"})), || (202, json!({"request-id": "1f".repeat(16)}))];

#[test]
fn a_savepoint_whose_jobmanager_was_replaced_is_not_asked_for_again() {
    for (answer, has_job) in ANSWERS.into_iter().flat_map(|answer| [(answer, false), (answer, true)]) {
        for (replace, told) in WAYS {
            let played = Played::with_job(move |line, state| {
                let is_asked_for = line.starts_with("POST ") && line.ends_with("/savepoints");
                if is_asked_for {
                    replace(state);
                    // With high availability the new one has the job again.
                    state.jobs.retain(|_| has_job);
                }
                is_asked_for.then(answer)
            });
            let played = played.of("2.3.0");
            let ended = played.flink(&["savepoint", "roc", "orders"]);
            is_told(&ended, told);
            assert_eq!(sent(&played, "/savepoints"), 1, "{ended}");
            let gone = format!("because: session roc does not know job {JOB} any more\n");
            assert_eq!(ended.stderr.contains(&gone), !has_job, "{ended}");
        }
    }
}
