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
}

impl Session {
    fn with(looks: &[(Option<bool>, &[&'static str])]) -> Self {
        let looks = looks.iter().map(|(runs, jobs)| (*runs, jobs.to_vec())).collect();
        Self { looks: RefCell::new(looks), removed: RefCell::new(0), removes: true }
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
                    json!({"jid": id, "name": "n", "state": "RUNNING", "start-time": 1, "end-time": -1,
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
            path if path.starts_with("/jobs/") => not_found(),
            path => panic!("{path}"),
        }
    }
}

fn lost() -> Result<Started, RestError> {
    Err(RestError::Lost("reset".to_owned()))
}

async fn settled(session: &Session, answer: Result<Started, RestError>) -> Settled {
    let jar = JarId("u_app.jar".to_owned());
    let before = ["old".to_owned()];
    settle(session, &Asked { jar: &jar, job: None, before: &before }, answer).await
}

fn ids(settled: &Settled) -> Vec<&str> {
    let (Settled::Started(jobs) | Settled::Appeared(jobs)) = settled else { panic!("{settled:?}") };
    jobs.iter().map(|job| job.id.as_str()).collect()
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
    assert!(matches!(settled(&jar_stays, lost()).await, Settled::Unknown(_)));
    let blind = Session::with(&[(None, &["old"])]);
    assert!(matches!(settled(&blind, lost()).await, Settled::Unknown(_)));
    let at_work_for_ever = Session::with(&[(Some(true), &["old"])]);
    assert!(matches!(settled(&at_work_for_ever, lost()).await, Settled::Unknown(_)));
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
    let restarted = settled(&session(), status(400, "Jar file /tmp/u_app.jar does not exist", true)).await;
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
    let jar = JarId("u_app.jar".to_owned());
    let session = Session::with(&[(None, &["old", "another", "ours"])]);
    let asked = Asked { jar: &jar, job: Some("ours"), before: &[] };
    let duplicate = RestError::Status {
        status: 500,
        errors: "org.apache.flink.runtime.client.DuplicateJobSubmissionException: x".to_owned(),
        is_flinks: true,
    };
    assert_eq!(ids(&settle(&session, &asked, Err(duplicate)).await), ["ours"]);
    let answered = settle(&session, &asked, Ok(Started { job: "ours".to_owned() })).await;
    assert_eq!(ids(&answered), ["ours"]);
    let lost = settle(&session, &asked, lost()).await;
    assert!(matches!(lost, Settled::NotStarted(_)), "it is not there: {lost:?}");
}
