//! Commands that `submit` prints, run by a shell as they stand, in the state in which they are printed.

use std::io::Write;
use std::net::TcpListener;

use serde_json::{Value, json};

use crate::jar_names::PROGRAMS;
use crate::played::{JOB, Played, State, job, printed};
use crate::process::Ended;
use crate::server::Answer;
use crate::standing::PODS;
use crate::submit::{class, write_jar};

/// The command shows the job.
fn shows_job(shown: &Ended, state: &str) {
    assert!(shown.code == 0 && shown.stdout.contains(&format!("({JOB}) is {state}")), "{shown}");
}

/// The command lists the job.
fn lists_job(list: &Ended) {
    assert!(list.code == 0 && list.stdout.lines().nth(1).is_some_and(|row| row.starts_with(JOB)), "{list}");
}

/// With a namespace that the printed commands have to name, too.
fn submit_to(played: &Played, jar: &str) -> Ended {
    let words =
        ["--class", "Programs", "--wait", "--timeout", "1500ms", "-n", "team-a", "--", "long", "it's"];
    played.flink(&[&["submit", "roc", jar], &words[..]].concat())
}

/// The job has been started as [`submit_to`] was asked to.
fn is_started(played: &Played, waited: &Ended) {
    assert_eq!((waited.code, waited.stdout.trim_end()), (3, JOB), "{waited}");
    assert!(waited.stderr.contains("has not ended within 1 s"), "{waited}");
    let body = last_run(played);
    assert_eq!(
        (&body["entryClass"], &body["programArgsList"]),
        (&json!("Programs"), &json!(["long", "it's"]))
    );
}

fn last_run(played: &Played) -> Value {
    let run = played.server.writes().into_iter().rfind(|write| write.line.ends_with("/run"));
    run.expect("a run").body
}

fn submit(played: &Played, words: &[&str]) -> Ended {
    played.flink(&[&["submit", "roc", PROGRAMS, "-n", "team-a"], words].concat())
}

#[test]
fn a_job_that_was_started_or_is_not_over_in_time_is_shown_by_the_printed_command() {
    let played = Played::with(|_, _| None);
    let started = submit(&played, &[]);
    assert!(started.code == 0 && started.stderr.contains("To see how it goes: "), "{started}");
    assert!(started.printed("kubectl flink jobs").ends_with(" -n team-a"), "{started}");
    shows_job(&played.flink_as_printed(started.printed("kubectl flink jobs")), "RUNNING");
    let played = Played::with(|_, _| None);
    let late = submit(&played, &["--wait", "--timeout", "1s"]);
    assert_eq!(late.code, 3, "{late}");
    shows_job(&played.flink_as_printed(late.printed("kubectl flink jobs")), "RUNNING");
}

#[test]
fn a_job_that_is_waited_for_is_shown_and_ended_by_the_commands_that_ctrl_c_prints() {
    let played = Played::with(|_, _| None);
    let mut wait = played.start(&["submit", "roc", PROGRAMS, "-n", "team-a", "--wait"]);
    assert_eq!(wait.line(), JOB);
    // It is followed once it has been seen.
    while !wait.warning().contains(" is RUNNING") {}
    let end = wait.interrupt();
    assert_eq!(end.code, 130, "{end:?}");
    shows_job(&played.flink_as_printed(printed(&end, "kubectl flink jobs")), "RUNNING");
    let ended = played.flink_as_printed(printed(&end, "kubectl flink cancel"));
    assert_eq!((ended.code, ended.stdout), (0, format!("job/{JOB} canceled\n")));
    assert_eq!(played.job_is(), "CANCELED");
}

#[test]
fn a_job_that_fails_is_shown_by_the_printed_command() {
    let played = Played::with(|line, state| {
        // Its second look is the last.
        if line == "GET /jobs/overview" && !state.jobs.is_empty() {
            state.end("FAILED");
        }
        None
    });
    let failed = submit(&played, &["--wait"]);
    assert_eq!(failed.code, 5, "{failed}");
    let shown = played.flink_as_printed(failed.printed("kubectl flink jobs"));
    shows_job(&shown, "FAILED");
    assert!(shown.stdout.contains("NullPointerException"), "{shown}");
}

#[test]
fn a_job_that_goes_with_its_session_is_missing_in_the_printed_list() {
    let played = Played::with(|line, state| {
        let runs = !state.jobs.is_empty() && !line.ends_with("/run");
        // Between the start and the second look somebody deletes it.
        let is_seen = line == "GET /jobs/overview" && runs && state.is_saved;
        if is_seen {
            state.objects.clear();
        }
        state.is_saved |= line == "GET /jobs/overview" && runs;
        state.objects.is_empty().then(|| (503, json!({"gateway": "no upstream"})))
    });
    let gone = submit(&played, &["--wait"]);
    assert!(gone.code == 5 && gone.stderr.contains("session roc is deleted"), "{gone}");
    let list = played.flink_as_printed(gone.printed("kubectl flink ls"));
    assert_eq!((list.code, list.stdout.as_str()), (0, ""), "{list}");
    assert_eq!(list.stderr, "No resources found in team-a namespace.\n");
}

#[test]
fn a_class_is_started_by_the_command_that_names_it() {
    let played = Played::with(|_, _| None).of("2.3.0");
    let jar = played.server.home.path().join("it's my.jar");
    let files: &[(&str, &[u8])] = &[
        ("META-INF/MANIFEST.MF", b"Manifest-Version: 1.0\n"),
        ("com/example/Word$Count.class", &class(9)),
        ("com/example/Other.class", &class(9)),
    ];
    write_jar(&jar, files);
    let jar = jar.to_str().expect("UTF-8");
    let as_it_is = ["-D", "paralelism.default=x y", "--unchecked-config"];
    let words = [&["submit", "roc", jar, "-p", "3", "-n", "team-a"][..], &as_it_is].concat();
    let named = [&words[..], &["--class", "com/example/Word$Count", "--", "--topic", "a b"]].concat();
    let unnamed = [&words[..], &["--", "--topic", "a b"]].concat();
    for words in [named, unnamed] {
        played.state.lock().expect("state").jobs.clear();
        let refused = played.flink(&words);
        assert_eq!(refused.code, 1, "{refused}");
        // Of several the text names all, and the command has a place for one.
        let typed = refused.printed("kubectl flink submit").replace("CLASS", "'com.example.Word$Count'");
        let started = played.flink_as_printed(&typed);
        assert_eq!((started.code, started.stdout.trim_end()), (0, JOB), "{typed}: {started}");
        let body = last_run(&played);
        assert_eq!(
            (&body["entryClass"], &body["parallelism"]),
            (&json!("com.example.Word$Count"), &json!(3))
        );
        assert_eq!(body["programArgsList"], json!(["--topic", "a b"]));
        assert_eq!(body["flinkConfiguration"]["paralelism.default"], "x y");
    }
}

/// A server of jars at an address.
fn jar_at_an_address() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("port");
    let address = listener.local_addr().expect("address");
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let jar = std::fs::read(PROGRAMS).expect("jar");
            let head =
                format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", jar.len());
            // The request is read by the line, up to the empty one.
            let mut reader = std::io::BufReader::new(stream.try_clone().expect("stream"));
            let mut line = String::new();
            while std::io::BufRead::read_line(&mut reader, &mut line).is_ok_and(|read| read > 2) {
                line.clear();
            }
            let _ = stream.write_all(&[head.as_bytes(), &jar].concat());
        }
    });
    format!("http://{address}/my jobs/a&b.jar").replace(' ', "%20")
}

/// `curl` is what the text names, so that this needs it.
#[test]
fn a_jar_at_an_address_is_submitted_by_the_printed_command() {
    let played = Played::with(|_, _| None);
    let url = jar_at_an_address();
    for (typed, url) in [(url.clone(), "URL"), (url.replace("http://", "http://me:secret@"), url.as_str())] {
        played.state.lock().expect("state").jobs.clear();
        let refused = submit_to(&played, &typed);
        assert!(refused.code == 1 && !refused.stderr.contains("secret"), "{refused}");
        let pasted = refused.printed("curl -fL").replace("URL", &format!("'{url}'"));
        is_started(&played, &played.flink_as_printed(&pasted));
    }
}

#[test]
fn a_file_that_is_named_by_an_address_is_submitted_by_the_printed_command() {
    let played = Played::with(|_, _| None);
    let jar = played.server.home.path().join("my & \"best\" job.jar");
    std::fs::copy(PROGRAMS, &jar).expect("a copy");
    for slashes in ["", "//"] {
        played.state.lock().expect("state").jobs.clear();
        let address = format!("file:{slashes}{}", jar.display());
        let refused = submit_to(&played, &address);
        assert_eq!(refused.code, 1, "{refused}");
        is_started(&played, &played.flink_as_printed(refused.printed("kubectl flink submit")));
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_terminal_in_the_place_of_a_jar_gets_a_command_that_submits_one() {
    let played = Played::with(|_, _| None);
    let shown =
        crate::terminal::on_a_terminal(played.server.home.path(), "submit roc - -n team-a", &[]).end();
    assert_eq!(shown.code, 1, "{shown:?}");
    // A terminal shows both streams, and ends its lines in its own way.
    let hint = shown.stdout.iter().find_map(|line| Some(&line[line.find("curl -fL")?..])).expect("a hint");
    let pasted = hint.trim_end().replace("URL", &format!("'{}'", jar_at_an_address()));
    let started = played.server.flink_as_printed(&pasted);
    assert_eq!((started.code, started.stdout.trim_end()), (0, JOB), "{pasted}: {started}");
}

#[test]
fn a_line_as_for_flink_run_is_replaced_by_the_printed_command() {
    let played = Played::with(|_, _| None);
    let jar = played.server.home.path().join("my job.jar");
    std::fs::copy(PROGRAMS, &jar).expect("a copy");
    let jar = jar.to_str().expect("UTF-8");
    for words in [
        &["run", "-c", "Programs", "-p", "2", "-s", "s3://b/s p/1", "-n", "roc", jar, "long", "it's"][..],
        &["run", "-c", "Programs", "-p", "2", "-s", "s3://b/s p/1", "-n", jar, "long", "it's"],
    ] {
        played.state.lock().expect("state").jobs.clear();
        let refused = played.flink(words);
        assert_eq!(refused.code, 1, "{refused}");
        let started =
            played.flink_as_printed(&refused.printed("kubectl flink submit").replace("NAME", "roc"));
        assert_eq!((started.code, started.stdout.trim_end()), (0, JOB), "{started}");
        let body = last_run(&played);
        assert_eq!((&body["entryClass"], &body["parallelism"]), (&json!("Programs"), &json!(2)));
        assert_eq!(
            (&body["savepointPath"], &body["allowNonRestoredState"]),
            (&json!("s3://b/s p/1"), &json!(true))
        );
        assert_eq!(body["programArgsList"], json!(["long", "it's"]));
    }
}

#[test]
fn a_session_that_outlives_its_job_is_deleted_by_the_printed_command() {
    let played = Played::with(|_, _| None);
    let refused = played.flink(&["submit", "roc", PROGRAMS, "-sae"]);
    let typed = refused.printed("kubectl flink delete").replace("NAME", "roc");
    let asked = played.flink_as_printed(&typed);
    assert!(asked.code == 1 && asked.stderr.contains("--yes"), "{asked}");
    let deleted = played.flink_as_printed(asked.printed("kubectl flink delete"));
    assert!(deleted.code == 0 && played.state.lock().expect("state").objects.is_empty(), "{deleted}");
}

#[test]
fn what_has_no_effect_in_a_job_is_set_by_the_printed_command() {
    let played = Played::with(|_, _| None).of("2.3.0");
    let settings = ["-D", "taskmanager.numberOfTaskSlots=4", "-D", "env.java.opts.all=-Da=b -Dc=d"];
    let submitted = submit(&played, &[&settings[..], &["-D", "s3.secret-key=hidden"]].concat());
    assert!(submitted.code == 0 && !submitted.stderr.contains("hidden"), "{submitted}");
    let typed = submitted.printed("kubectl flink create").replace("NAME", "another");
    let created = played.flink_as_printed(&format!("{typed} --dry-run=client -o yaml"));
    assert_eq!(created.code, 0, "{typed}: {created}");
    for part in ["numberOfTaskSlots", "-Da=b -Dc=d"] {
        assert!(created.stdout.contains(part), "{part}: {created}");
    }
}

#[test]
fn jobs_of_a_submit_that_was_interrupted_are_listed_by_the_printed_command() {
    let played = Played::with(|_, _| None);
    played.state.lock().expect("state").is_slow = true;
    let submit = played.start(&["submit", "roc", PROGRAMS, "-n", "team-a"]);
    played.until_asked("/run");
    let end = submit.interrupt();
    assert!(end.code == 130 && end.stderr.join("\n").contains("may have started a job"), "{end:?}");
    lists_job(&played.flink_as_printed(printed(&end, "kubectl flink jobs")));
}

#[test]
fn a_job_whose_state_was_unknown_is_shown_by_the_printed_command() {
    let played = Played::with(|line, state| {
        (line == "GET /jobs/overview" && !state.jobs.is_empty()).then(|| (500, json!({"errors": ["busy"]})))
    });
    let unread = submit(&played, &[]);
    assert!(unread.code == 1 && unread.stderr.contains("its state is unknown since"), "{unread}");
    // The session has come to itself.
    let session = Played::with_job(|_, _| None);
    shows_job(&session.flink_as_printed(unread.printed("kubectl flink jobs")), "RUNNING");
}

/// What a gateway in between answers when it has waited long enough.
const GATEWAY: fn(&str) -> Option<Answer> =
    |line| line.ends_with("/run").then(|| (502, json!({"gateway": "no upstream"})));

#[test]
fn a_program_that_may_have_started_a_job_is_looked_for_with_the_printed_command() {
    let played = Played::with(|line, state| {
        state.jobs.extend(GATEWAY(line).map(|_| job(JOB, "RUNNING", 1)));
        GATEWAY(line)
    });
    let unknown = submit(&played, &[]);
    assert!(unknown.code == 1 && unknown.stderr.contains("check before you submit it again: "), "{unknown}");
    lists_job(&played.flink_as_printed(unknown.printed("kubectl flink jobs")));
}

/// The JobManager's container starts again.
pub fn restart(state: &mut State) {
    for (_, pod) in state.objects.iter_mut().filter(|(of, _)| *of == PODS) {
        let container = &mut pod["status"]["containerStatuses"][0];
        container["restartCount"] = 1.into();
        container["containerID"] = "containerd://another".into();
        container["lastState"] = json!({"terminated": {"exitCode": 3, "reason": "Error"}});
        container["state"]["running"]["startedAt"] = "2026-01-01T00:01:00Z".into();
    }
}

#[test]
fn jobs_after_the_jobmanager_was_replaced_are_listed_by_the_printed_command() {
    let played = Played::with(|line, state| {
        if GATEWAY(line).is_some() {
            restart(state);
            state.jobs.push(job(JOB, "RUNNING", 1));
        }
        GATEWAY(line)
    });
    let lost = submit(&played, &[]);
    assert!(lost.code == 1 && lost.stderr.contains("was replaced while the program"), "{lost}");
    lists_job(&played.flink_as_printed(lost.printed("kubectl flink jobs")));
}

#[test]
fn jobs_of_a_program_that_fails_later_are_listed_by_the_printed_command() {
    let played = Played::with(|line, state| {
        line.ends_with("/run").then(|| {
            state.jobs.push(job(JOB, "RUNNING", 1));
            (400, json!({"errors": ["java.lang.IllegalStateException: no second job"]}))
        })
    });
    let failed = submit(&played, &[]);
    assert!(failed.code == 1 && failed.stderr.contains("no second job"), "{failed}");
    lists_job(&played.flink_as_printed(failed.printed("kubectl flink jobs")));
}
