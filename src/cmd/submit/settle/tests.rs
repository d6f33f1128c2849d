//! What is made of the answers of a session, and of their absence.

use std::cell::RefCell;

use serde_json::{Value, json};

use super::*;
use crate::flink::{Answer, Request};

/// A session that answers by a path; its jobs and threads change from look to look.
struct Session {
    /// For each look, and then the last for ever.
    looks: RefCell<Vec<(Option<bool>, Vec<&'static str>)>>,
    removed: RefCell<u32>,
    /// The jar can be removed.
    removes: bool,
    /// The JobManager still has the jar.
    has_jar: bool,
    /// So often the configuration of the job `late` lacks its settings, as while it is INITIALIZING.
    initializing: RefCell<u32>,
}

impl Session {
    fn with(looks: &[(Option<bool>, &[&'static str])]) -> Self {
        let looks = looks.iter().map(|(runs, jobs)| (*runs, jobs.to_vec())).collect();
        Self {
            looks: RefCell::new(looks),
            removed: RefCell::new(0),
            removes: true,
            has_jar: true,
            initializing: RefCell::new(8),
        }
    }
}

impl Transport for Session {
    async fn send(&self, request: Request) -> Result<Answer, RestError> {
        let look = self.looks.borrow().first().cloned().expect("a look");
        let answer = |status: u16, body: Value| {
            Ok(Answer { status, body: body.to_string().into_bytes(), location: None })
        };
        let not_found = || answer(404, json!({"errors": ["not found"]}));
        match request.path.as_str() {
            "/jobmanager/thread-dump" => match look.0 {
                None => not_found(),
                Some(runs) => {
                    let name = if runs { "flink-jar-runner-thread-1" } else { "main" };
                    let thread = json!({"threadName": name, "stringifiedThreadInfo": ""});
                    answer(200, json!({"threadInfos": [thread]}))
                }
            },
            "/jobs/overview" => {
                let of = |id: &&str| {
                    json!({"jid": JobId::of(id), "name": "n", "state": "RUNNING", "start-time": 1, "end-time": -1,
                        "duration": 1, "tasks": {"total": 1, "running": 0}})
                };
                let jobs: Vec<Value> = look.1.iter().map(of).collect();
                let mut looks = self.looks.borrow_mut();
                if looks.len() > 1 {
                    looks.remove(0);
                }
                answer(200, json!({"jobs": jobs}))
            }
            path if path.starts_with("/jars/") => {
                *self.removed.borrow_mut() += 1;
                answer(if self.removes { 200 } else { 500 }, json!({}))
            }
            path if path.starts_with("/jobs/") && path.ends_with("/config") => {
                let id = path.trim_start_matches("/jobs/").trim_end_matches("/config");
                let of = |mark| {
                    answer(
                        200,
                        json!({"execution-config": {"user-config": {"kubectl-flink.submission": mark}}}),
                    )
                };
                match word(&JobId::of(id)) {
                    "first" | "second" => of("m1"),
                    "foreign" => of("m2"),
                    "late" if *self.initializing.borrow() > 0 => {
                        *self.initializing.borrow_mut() -= 1;
                        answer(200, json!({"jid": id, "name": "n"}))
                    }
                    "late" => of("m2"),
                    "unmarked" => answer(200, json!({"execution-config": {"user-config": {}}})),
                    _ => not_found(),
                }
            }
            path if path.starts_with("/jobs/") => not_found(),
            "/jars" => {
                let files = if self.has_jar {
                    json!([{"id": JarId::of("app.jar").as_str(), "name": "app.jar"}])
                } else {
                    json!([])
                };
                answer(200, json!({"address": "x", "files": files}))
            }
            path => panic!("{path}"),
        }
    }
}

fn lost() -> Result<Started, RestError> {
    Err(RestError::Lost("reset".to_owned()))
}

async fn settled(session: &Session, answer: Result<Started, RestError>) -> Settled {
    settled_with(session, answer, Some(&Marker::of("m1")), Fate::Same).await
}

async fn settled_with(
    session: &Session,
    answer: Result<Started, RestError>,
    marker: Option<&Marker>,
    fate: Fate,
) -> Settled {
    let jar = JarId::of("app.jar");
    let before = [job("old")];
    let asked = Asked { jar: &jar, job: None, marker, before: &before };
    settle(session, &asked, answer, &async || fate.clone()).await
}

fn job(id: &str) -> Job {
    Job {
        id: crate::model::JobId::of(id),
        name: "n".to_owned(),
        state: "RUNNING".to_owned(),
        tasks_running: 0,
        tasks_total: 1,
        started_at: None,
        duration_milliseconds: 0,
    }
}

/// The jobs of these tests.
const WORDS: [&str; 8] = ["old", "first", "late", "second", "foreign", "unmarked", "another", "ours"];

/// The word that an id was made of.
fn word(id: &JobId) -> &'static str {
    WORDS.into_iter().find(|word| JobId::of(word) == *id).expect("a job of these tests")
}

/// Ids of the jobs that are proved to be the program's.
fn ids(settled: &Settled) -> Vec<&str> {
    let Settled::Started(Appeared { proved, .. }) = settled else { panic!("{settled:?}") };
    proved.iter().map(|job| word(&job.id)).collect()
}

/// Ids of the jobs that may be the program's.
fn possible(settled: &Settled) -> Vec<&str> {
    let (Settled::Started(Appeared { possible, .. }) | Settled::Unknown { possible, .. }) = settled else {
        panic!("{settled:?}")
    };
    possible.iter().map(|job| word(&job.id)).collect()
}

#[tokio::test(start_paused = true)]
async fn a_lost_answer_is_found_among_the_jobs_that_have_appeared() {
    let session = Session::with(&[
        (Some(true), &["old"]),
        (Some(true), &["old", "first"]),
        (Some(false), &["old", "first", "second"]),
    ]);
    assert_eq!(ids(&settled(&session, lost()).await), ["first", "second"]);
    assert_eq!(*session.removed.borrow(), 1, "once it was at work no more");
}

#[tokio::test(start_paused = true)]
async fn what_did_not_start_is_certain_only_without_the_jar_and_without_a_program_at_work() {
    let idle = Session::with(&[(Some(false), &["old"])]);
    assert_eq!(
        settled(&idle, lost()).await,
        Settled::NotStarted("the connection was lost: reset".to_owned())
    );
    let jar_stays = Session { removes: false, ..Session::with(&[(Some(false), &["old"])]) };
    assert!(matches!(settled(&jar_stays, lost()).await, Settled::Unknown { .. }));
    let blind = Session::with(&[(None, &["old"])]);
    assert!(matches!(settled(&blind, lost()).await, Settled::Unknown { .. }));
    let at_work_for_ever = Session::with(&[(Some(true), &["old"])]);
    assert!(matches!(settled(&at_work_for_ever, lost()).await, Settled::Unknown { .. }));
}

#[tokio::test(start_paused = true)]
async fn a_version_that_does_not_show_its_threads_is_watched_for_longer() {
    let looks: Vec<(Option<bool>, &[&'static str])> =
        vec![(None, &["old"]), (None, &["old", "first"]), (None, &["old", "first", "second"])];
    assert_eq!(ids(&settled(&Session::with(&looks), lost()).await), ["first", "second"]);
}

#[tokio::test(start_paused = true)]
async fn an_error_of_the_way_is_not_one_of_the_program() {
    let session = || Session::with(&[(Some(false), &["old"])]);
    let status = |status, errors: &str, is_flinks| {
        Err(RestError::Status { status, errors: errors.to_owned(), is_flinks })
    };
    let failed = settled(&session(), status(400, "x\nCaused by: y", true)).await;
    assert_eq!(failed, Settled::Failed("x\nCaused by: y".to_owned()));
    let another = settled(&session(), status(400, "x: Jar file /opt/udf.jar does not exist", true)).await;
    assert!(matches!(another, Settled::Failed(_)), "it is the program's own: {another:?}");
    let restarted = settled(
        &session(),
        status(400, &format!("Jar file /tmp/{} does not exist", JarId::of("app.jar").as_str()), true),
    )
    .await;
    assert!(matches!(restarted, Settled::NotStarted(_)), "{restarted:?}");
    let gateway = settled(&session(), status(504, "<html>", false)).await;
    assert!(matches!(gateway, Settled::NotStarted(_)), "asked, and nothing had started: {gateway:?}");
    let leaderless = settled(&session(), status(503, "ongoing leader election", true)).await;
    assert!(matches!(leaderless, Settled::NotStarted(_)), "{leaderless:?}");
    assert!(matches!(
        settled(&session(), Err(RestError::Forbidden("no".to_owned()))).await,
        Settled::Broken(_)
    ));
}

#[tokio::test(start_paused = true)]
async fn of_a_program_that_is_one_job_its_id_decides() {
    let jar = JarId::of("app.jar");
    let session = Session::with(&[(None, &["old", "another", "ours"])]);
    let asked = Asked { jar: &jar, job: Some(&JobId::of("ours")), marker: None, before: &[] };
    let same = async || Fate::Same;
    let duplicate = RestError::Status {
        status: 500,
        errors: "org.apache.flink.runtime.client.DuplicateJobSubmissionException: x".to_owned(),
        is_flinks: true,
    };
    assert_eq!(ids(&settle(&session, &asked, Err(duplicate), &same).await), ["ours"]);
    let answered = settle(&session, &asked, Ok(Started { job: JobId::of("ours") }), &same).await;
    assert_eq!((ids(&answered), possible(&answered)), (vec!["ours"], vec![]));
    let not_there = settle(&session, &asked, lost(), &same).await;
    assert!(matches!(not_there, Settled::NotStarted(_)), "{not_there:?}");
    let unknown = settle(&session, &asked, lost(), &async || Fate::Unknown).await;
    assert!(matches!(unknown, Settled::Unknown { .. }), "nobody knows of which process: {unknown:?}");
    let replaced = settle(&session, &asked, lost(), &async || Fate::Replaced("exit 3".to_owned())).await;
    assert_eq!(replaced, Settled::Replaced { why: "exit 3".to_owned(), named: None });
}

fn answered() -> Result<Started, RestError> {
    Ok(Started { job: JobId::of("first") })
}

#[tokio::test(start_paused = true)]
async fn jobs_of_others_are_not_taken_for_the_programs() {
    let session = Session::with(&[(Some(false), &["old", "foreign", "first", "unmarked", "second"])]);
    let marked = settled(&session, answered()).await;
    assert_eq!((ids(&marked), possible(&marked)), (vec!["first", "second"], vec!["unmarked"]));
    // Before 1.17 the response names the only job that is proved.
    let unmarked = settled_with(&session, answered(), None, Fate::Same).await;
    assert_eq!((ids(&unmarked), possible(&unmarked)), (vec!["first"], vec!["foreign", "unmarked", "second"]));
}

#[tokio::test(start_paused = true)]
async fn after_a_lost_response_nothing_is_adopted_without_proof() {
    let others = Session::with(&[(Some(false), &["old", "unmarked"])]);
    let unknown = settled(&others, lost()).await;
    assert!(matches!(unknown, Settled::Unknown { .. }), "and nothing is sent again: {unknown:?}");
    assert_eq!(possible(&unknown), ["unmarked"]);
    let foreign = Session::with(&[(Some(false), &["old", "foreign"])]);
    assert!(matches!(settled(&foreign, lost()).await, Settled::NotStarted(_)), "known to be another's");
    let unmarked = settled_with(&foreign, lost(), None, Fate::Same).await;
    assert_eq!(possible(&unmarked), ["foreign"]);
}

#[tokio::test(start_paused = true)]
async fn a_jobmanager_that_was_replaced_ends_the_search() {
    let session = || Session::with(&[(Some(false), &["first", "second"])]);
    let replaced = || Fate::Replaced("exit code 3".to_owned());
    let of = |named: Option<&str>| Settled::Replaced {
        why: "exit code 3".to_owned(),
        named: named.map(JobId::of),
    };
    let marker = Marker::of("m1");
    assert_eq!(settled_with(&session(), lost(), Some(&marker), replaced()).await, of(None));
    let empty = Session::with(&[(Some(false), &[])]);
    assert_eq!(settled_with(&empty, answered(), Some(&marker), replaced()).await, of(Some("first")));
    // At an address nothing is known of the process, but the jar has gone with it.
    let without_jar = Session { has_jar: false, ..session() };
    let lost_jar = settled_with(&without_jar, lost(), Some(&marker), Fate::Unknown).await;
    assert!(matches!(lost_jar, Settled::Replaced { .. }), "{lost_jar:?}");
}

#[tokio::test(start_paused = true)]
async fn a_job_that_is_initializing_is_asked_again_whose_it_is() {
    let session = Session::with(&[(Some(false), &["old", "first", "late", "second"])]);
    let settled = settled(&session, answered()).await;
    assert_eq!((ids(&settled), possible(&settled)), (vec!["first", "second"], Vec::new()));
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_read_of_a_job_is_not_made_up() {
    let session = Session::with(&[(Some(false), &["old"])]);
    assert_eq!(settled(&session, answered()).await, Settled::Unread(JobId::of("first")));
}

#[tokio::test(start_paused = true)]
async fn of_an_unknown_process_nothing_is_sent_again() {
    let idle = Session::with(&[(Some(false), &["old"])]);
    let unknown = settled_with(&idle, lost(), Some(&Marker::of("m1")), Fate::Unknown).await;
    assert!(matches!(unknown, Settled::Unknown { .. }), "{unknown:?}");
}
