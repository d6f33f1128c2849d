//! What real JobManagers answered, with the stack traces cut, and without plans and statistics.

use super::super::checkpoints::*;
use super::*;
use crate::flink::played::Played;
use crate::model::job::CheckpointConfig;

const RECORDED: [(&str, &str); 3] = [
    ("1.10.3", include_str!("../recorded/1.10.3-jobs.json")),
    ("1.20.5", include_str!("../recorded/1.20.5-jobs.json")),
    ("2.3.0", include_str!("../recorded/2.3.0-jobs.json")),
];

/// Each version with the answer that it gave to one question.
fn answers(question: &str) -> Vec<(&'static str, Played)> {
    let answer = |(version, text): (&'static str, &str)| {
        let recorded: Value = serde_json::from_str(text).expect(version);
        let answer = &recorded[question];
        let status = answer["status"].as_u64().and_then(|status| u16::try_from(status).ok());
        (version, Played::of(status.expect(question), &answer["body"].to_string()))
    };
    RECORDED.into_iter().map(answer).collect()
}

#[tokio::test]
async fn jobs_that_run_come_first_and_then_the_latest() {
    let mut told = Vec::new();
    for (version, played) in answers("jobs") {
        for job in jobs(&played).await.expect(version) {
            let Job { name, state, tasks_running, tasks_total, duration_milliseconds, .. } = &job;
            let started = job.started_at.expect(version);
            told.push(format!(
                "{version} {name} {state} {tasks_running}/{tasks_total} {started} {duration_milliseconds}"
            ));
        }
        assert_eq!(played.asked(), ["GET /jobs/overview"]);
    }
    insta::assert_snapshot!(told.join("\n"));
}

#[tokio::test]
async fn a_job_has_vertices_and_their_tasks_states() {
    for (question, state, running) in [("job", "RUNNING", 1), ("job-waiting", "SCHEDULED", 0)] {
        for (version, played) in answers(question) {
            let (job, details) =
                job(&played, &JobId::from(1)).await.expect(version).expect("there is such a job");
            assert_eq!((job.state.as_str(), job.tasks_running, job.tasks_total), ("RUNNING", running, 1));
            let [vertex] = &details.vertices[..] else { panic!("{version}: {details:?}") };
            assert_eq!(vertex.name, "Source: Sequence Source -> Map -> Sink: Print to Std. Out");
            assert_eq!(vertex.tasks_by_state, BTreeMap::from([(state.to_owned(), 1)]), "{version}");
            // Of tasks that do not run, nobody has told anything.
            let records = if running == 1 { Some(0) } else { None };
            assert_eq!((vertex.records_read, vertex.records_written), (records, records), "{version}");
        }
    }
    let unknown = Played::of(404, r#"{"errors":["Job 2222 not found"]}"#);
    assert_eq!(job(&unknown, &JobId::from(2)).await.expect("an answer"), None);
}

#[tokio::test]
async fn savepoints_and_failures_are_among_the_checkpoints() {
    for (version, played) in answers("checkpoints") {
        let read = checkpoints(&played, &JobId::from(1)).await.expect(version);
        assert_eq!((read.completed, read.in_progress, &read.last), (1, 0, &None), "{version}");
        let savepoint = read.last_savepoint.expect(version);
        assert!(savepoint.path.expect(version).starts_with("file:/tmp/sp/savepoint-"), "{version}");
        assert!(savepoint.size_bytes > 100 && savepoint.duration_milliseconds > 100, "{version}");
        // 1.10 does not count a savepoint that could not even begin.
        let failure = read.last_failure.map(|failure| failure.message);
        let because = "An Exception occurred while triggering the checkpoint. IO-problem detected.";
        assert_eq!(
            (failure.as_deref(), read.failed > 0),
            match version {
                "1.10.3" => (None, false),
                _ => (Some(because), true),
            }
        );
    }
    for (version, played) in answers("checkpoints-restored") {
        let read = checkpoints(&played, &JobId::from(1)).await.expect(version);
        assert!(read.restored_from.expect(version).starts_with("file:/tmp/sp/savepoint-"), "{version}");
    }
}

#[tokio::test]
async fn a_checkpoint_that_is_kept_nowhere_has_no_path() {
    let body = r#"{"counts":{"completed":1,"in_progress":0,"failed":0},"latest":{"completed":{"id":1,
        "trigger_timestamp":1795624515162,"end_to_end_duration":211,"state_size":265,
        "external_path":"<checkpoint-not-externally-addressable>"}}}"#;
    let read = checkpoints(&Played::of(200, body), &JobId::from(1)).await.expect("checkpoints");
    assert_eq!(read.last.expect("a checkpoint").path, None);
}

#[tokio::test]
async fn checkpoints_have_an_interval_a_mode_and_a_storage() {
    let read = async |body: &str| {
        checkpoint_config(&Played::of(200, body), &JobId::from(1)).await.expect("an answer")
    };
    let config = |interval, mode: &str, storage: Option<&str>, backend: Option<&str>| CheckpointConfig {
        interval_milliseconds: interval,
        mode: mode.to_owned(),
        storage: storage.map(ToOwned::to_owned),
        state_backend: backend.map(ToOwned::to_owned),
    };
    // As 2.3 and 1.10 answer; what a version has beside is left out.
    let new = r#"{"mode":"exactly_once","interval":3000,"timeout":600000,"min_pause":0,"max_concurrent":1,
        "externalization":{"enabled":false,"delete_on_cancellation":true},"state_backend":"HashMapStateBackend",
        "checkpoint_storage":"JobManagerCheckpointStorage","unaligned_checkpoints":false}"#;
    let storage = Some("JobManagerCheckpointStorage");
    assert_eq!(read(new).await, config(Some(3000), "exactly_once", storage, Some("HashMapStateBackend")));
    let old = r#"{"mode":"exactly_once","interval":9223372036854775807,"timeout":600000,"min_pause":0,
        "max_concurrent":1,"externalization":{"enabled":false,"delete_on_cancellation":true}}"#;
    assert_eq!(read(old).await, config(None, "exactly_once", None, None));
}

#[tokio::test]
async fn state_that_is_kept_nowhere_is_restored_from_no_path() {
    let body = r#"{"counts":{"completed":1,"in_progress":0,"failed":0},"latest":{"restored":{"id":1,
        "restore_timestamp":1795624515162,"is_savepoint":false,
        "external_path":"<checkpoint-not-externally-addressable>"}}}"#;
    let read = checkpoints(&Played::of(200, body), &JobId::from(1)).await.expect("checkpoints");
    assert_eq!(read.restored_from, None);
}

#[tokio::test]
async fn an_exception_has_its_task_and_its_taskmanager() {
    for (version, played) in answers("exceptions") {
        let read = exceptions(&played, &JobId::from(1)).await.expect(version);
        let [thrown] = &read[..] else { panic!("{version}: {read:?}") };
        assert!(thrown.stack.starts_with("org.apache.flink.runtime.JobException: Recovery"), "{version}");
        assert!(thrown.stack.contains("\nCaused by: java.io.IOException: bad magic\n"), "{version}");
        let task = thrown.task.as_deref().expect(version);
        assert!(
            task.starts_with("Source: Sequence Source -> Map -> Sink: Print to Std. Out (1/1)"),
            "{task}"
        );
        let taskmanager = thrown.task_manager.as_deref().expect(version);
        assert!(taskmanager.contains("-taskmanager-1-"), "{version}: {taskmanager}");
        assert!(thrown.at.is_some(), "{version}");
    }
}

#[tokio::test]
async fn backpressure_is_known_once_it_was_measured() {
    for (version, played) in answers("backpressure") {
        let ok = Some(Backpressure { level: "ok".to_owned(), percent: 0 });
        assert_eq!(
            backpressure(&played, &JobId::from(1), &VertexId::from(2)).await.expect(version),
            ok,
            "{version}"
        );
    }
    for (version, played) in answers("backpressure-not-yet") {
        assert_eq!(
            backpressure(&played, &JobId::from(1), &VertexId::from(2)).await.expect(version),
            None,
            "{version}"
        );
    }
    let high = r#"{"status":"ok","backpressure-level":"high","subtasks":[{"ratio":0.5},{"ratio":0.874}]}"#;
    let read =
        backpressure(&Played::of(200, high), &JobId::from(1), &VertexId::from(2)).await.expect("an answer");
    assert_eq!(read, Some(Backpressure { level: "high".to_owned(), percent: 87 }));
}
