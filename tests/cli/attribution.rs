//! Whose a job is: what `submit` prints, waits for and exits with is of its own program, whatever else runs there.

use std::sync::{Arc, Mutex, OnceLock};

use serde_json::{Value, json};

use crate::jar_names::PROGRAMS;
use crate::played::{JOB, Played, State, job};
use crate::process::Ended;
use crate::server::{Answer, Asked};

/// The three jobs of the program. The response names the first.
const OWN: [&str; 3] = [JOB, "aa22dc59d12b7474c390b0a756115346", "aa33dc59d12b7474c390b0a756115346"];

/// Of another run of the same program, and of a program that carries no mark.
const MARKED: &str = "bb11dc59d12b7474c390b0a756115346";
const UNMARKED: &str = "bb22dc59d12b7474c390b0a756115346";
/// It was there before.
const OLD: &str = "cc11dc59d12b7474c390b0a756115346";

/// The setting that carries the mark, and the mark in it.
const SETTING: &str = "pipeline.global-job-parameters";
const MARK: &str = "kubectl-flink.submission";

type Log = Arc<Mutex<Vec<Asked>>>;

/// The configuration of a job, as Flink tells it: the parameters of the request that started it.
fn config(of: &str, log: &Log) -> Answer {
    let log = log.lock().expect("log");
    let run = log.iter().rfind(|asked| asked.line.ends_with("/run")).expect("a run");
    let parameters = run.body["flinkConfiguration"][SETTING].as_str().expect("the mark");
    let own = parameters.rsplit_once(&format!("{MARK}:")).expect("the mark").1;
    let parameters = match of {
        of if OWN.contains(&of) => json!({MARK: own, "topic": "clicks"}),
        MARKED => json!({MARK: "0".repeat(32)}),
        _ => json!({"topic": "clicks"}),
    };
    (200, json!({"jid": of, "execution-config": {"user-config": parameters}}))
}

/// One job of the program ends with each look at the jobs, the third as `last`, while those of others go on.
fn look(state: &mut State, looks: usize, last: &str) {
    for (index, id) in OWN.iter().enumerate() {
        let is_over = looks > index + 1;
        let now = match is_over {
            true if index == 2 => last,
            true => "FINISHED",
            false => "RUNNING",
        };
        let found: Option<&mut Value> = state.jobs.iter_mut().find(|job| job["jid"] == **id);
        if let Some(found) = found {
            *found = job(id, now, u32::from(!is_over));
        }
    }
}

/// Submits a program of three jobs to a session on which others start jobs at the same time, and returns how often the
/// jobs were looked at since. `fails` is how the jobs of others end at once, if they do.
fn submit(last: &'static str, fails: bool, words: &[&str]) -> (Ended, usize) {
    let log: Arc<OnceLock<Log>> = Arc::default();
    let (there, looks) = (Arc::clone(&log), Arc::new(Mutex::new(0)));
    let counted = Arc::clone(&looks);
    let played = Played::with(move |line, state| {
        let mut looks = looks.lock().expect("looks");
        if line.ends_with("/run") {
            let of_others = if fails { "FAILED" } else { "RUNNING" };
            state.jobs.extend([MARKED, UNMARKED].map(|id| job(id, of_others, 1)));
            state.jobs.extend(OWN.map(|id| job(id, "RUNNING", 1)));
            *looks = 1;
            return Some((200, json!({"jobid": JOB})));
        }
        if line == "GET /jobs/overview" && *looks > 0 {
            look(state, *looks, last);
            *looks += 1;
        }
        let id = line.strip_prefix("GET /jobs/")?.strip_suffix("/config")?;
        Some(config(id, there.get().expect("log")))
    });
    let played = played.of("2.3.0");
    played.state.lock().expect("state").jobs = vec![job(OLD, "RUNNING", 1)];
    assert!(log.set(played.server.log()).is_ok());
    let ended = played.flink(&[&["submit", "roc", PROGRAMS], words].concat());
    let looks = *counted.lock().expect("looks");
    (ended, looks)
}

/// The ids of the program's jobs, a line each, and no other; another's without a mark is mentioned on stderr.
fn has_its_own(ended: &Ended) {
    let mut ids: Vec<&str> = ended.stdout.lines().collect();
    ids.sort_unstable();
    assert_eq!(ids, OWN, "{ended}");
    for id in [MARKED, OLD] {
        assert!(!ended.stderr.contains(id), "{id}: {ended}");
    }
    let told = "new on session roc since the submit (of this program or of another client): ";
    let warning = ended.stderr.lines().find(|line| line.contains(told)).unwrap_or_default();
    assert!(warning.contains(UNMARKED) && OWN.iter().all(|id| !warning.contains(id)), "{ended}");
}

#[test]
fn every_job_that_is_proved_to_be_the_programs_is_waited_for_and_no_other() {
    let (ended, looks) = submit("FINISHED", false, &["--wait", "--timeout", "30s"]);
    assert_eq!(ended.code, 0, "{ended}");
    has_its_own(&ended);
    // The third one ended last.
    assert!(looks > 4, "{looks}: {ended}");
    for id in OWN {
        assert!(ended.stderr.contains(&format!("job {id} (orders) is FINISHED")), "{id}: {ended}");
    }
    // Without --wait they are printed, and run on.
    let (ended, _) = submit("FINISHED", false, &[]);
    assert_eq!(ended.code, 0, "{ended}");
    has_its_own(&ended);
}

#[test]
fn the_exit_code_is_that_of_the_programs_own_jobs() {
    let (ended, _) = submit("FINISHED", true, &["--wait", "--timeout", "30s"]);
    assert_eq!(ended.code, 0, "{ended}");
    has_its_own(&ended);
    let (ended, _) = submit("FAILED", false, &["--wait", "--timeout", "30s"]);
    assert_eq!(ended.code, 5, "{ended}");
    has_its_own(&ended);
    assert!(ended.stderr.contains(&format!("{} (orders)", OWN[2])), "{ended}");
}

#[test]
fn json_has_the_end_of_every_job_of_the_program() {
    let (ended, _) = submit("FAILED", false, &["--wait", "--timeout", "30s", "-o", "json"]);
    assert_eq!(ended.code, 5, "{ended}");
    let list: Value = serde_json::from_str(&ended.stdout).expect("JSON");
    let items = list["items"].as_array().expect("items").iter();
    let mut ends: Vec<(&str, &str)> = items
        .map(|item| {
            (item["metadata"]["name"].as_str().expect("id"), item["status"]["state"].as_str().expect("state"))
        })
        .collect();
    ends.sort_unstable();
    assert_eq!(ends, [(OWN[0], "FINISHED"), (OWN[1], "FINISHED"), (OWN[2], "FAILED")], "{ended}");
}
