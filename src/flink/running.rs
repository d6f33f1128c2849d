//! The jobs of a session, for who must not miss one.
//!
//! `GET /jobs/overview` and `GET /jobs` ask the JobMaster of each job, and leave out a job whose JobMaster fails to
//! answer (FLINK-40602, `Dispatcher.queryJobMastersForInformation`). What else the JobManager reports is held against
//! the list: its own counts, the slots that are in use, and how many JobMasters it has.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use tokio::time::Instant;

use super::{RestError, RestPath, Transport, configuration, get, jobs, overview};
use crate::model::evidence::Overview;
use crate::model::ids::JobId;
use crate::model::status::Job;

/// Between two comparisons. Jobs begin and end while they are compared.
const PAUSE: Duration = Duration::from_millis(500);

/// How long a difference may last: slots are free again within moments of the end of a job.
const MOMENTS: Duration = Duration::from_secs(5);

/// The same for the number of JobMasters: a JobManager reads its metrics every 10 s
/// (`metrics.fetcher.update-interval`).
const METRICS: Duration = Duration::from_secs(15);

/// A job that has ended may be counted by the metric for this long.
const METRIC_AGE: SignedDuration = SignedDuration::from_secs(15);

/// Lists the jobs, as [`jobs`], and returns them once nothing that the JobManager reports contradicts the list.
///
/// # Errors
/// [`RestError::Contradiction`] when a contradiction lasts: then a job may be missing in the list.
pub async fn complete_jobs(transport: &impl Transport) -> Result<Vec<Job>, RestError> {
    let start = Instant::now();
    loop {
        let jobs = jobs(transport).await?;
        let (why, patience) = match contradiction(transport, &jobs).await? {
            Some(why) => (why, MOMENTS),
            None => match uncounted(transport, &jobs).await {
                Some(_) if start.elapsed() > METRICS && has_own_interval(transport).await => return Ok(jobs),
                Some(why) => (why, METRICS),
                None => return Ok(jobs),
            },
        };
        if start.elapsed() > patience {
            return Err(RestError::Contradiction(why));
        }
        tracing::debug!(why, "comparing the jobs again");
        tokio::time::sleep(PAUSE).await;
    }
}

/// What in the answers to other questions contradicts the list.
async fn contradiction(transport: &impl Transport, jobs: &[Job]) -> Result<Option<String>, RestError> {
    #[derive(Deserialize)]
    struct Jobs {
        jobs: Vec<Of>,
    }
    #[derive(Deserialize)]
    struct Of {
        id: JobId,
    }
    let ids: Jobs = get(transport, RestPath::of(["jobs"])).await?;
    let ids: BTreeSet<&JobId> = ids.jobs.iter().map(|of| &of.id).collect();
    let listed: BTreeSet<&JobId> = jobs.iter().map(|job| &job.id).collect();
    if let Some(id) = ids.symmetric_difference(&listed).next() {
        return Ok(Some(format!("job {id} is in only one of the JobManager's two lists of jobs")));
    }
    let Overview { jobs_running, slots_total, slots_available, .. } = overview(transport).await?;
    // A suspended job counts as running there (`JobsOverview.create`).
    let counted = jobs.iter().filter(|job| job.is_alive() || job.state == "SUSPENDED").count();
    if u32::try_from(counted) != Ok(jobs_running) {
        return Ok(Some(format!("the JobManager lists {counted} running jobs, and counts {jobs_running}")));
    }
    let in_use = slots_total.saturating_sub(slots_available);
    if in_use > 0 && counted == 0 {
        return Ok(Some(format!("the JobManager lists no running job, but {in_use} task slots are in use")));
    }
    Ok(None)
}

/// Whether the JobManager has more JobMasters than the list has jobs (`numRunningJobs`, which it counts without asking
/// them). Where metrics cannot be read, or are not there yet, that is not known.
async fn uncounted(transport: &impl Transport, jobs: &[Job]) -> Option<String> {
    #[derive(Deserialize)]
    struct Metric {
        value: String,
    }
    let metrics = get::<Vec<Metric>>(
        transport,
        RestPath::of(["jobmanager", "metrics"]).with("get", ["numRunningJobs"]),
    )
    .await;
    let metrics = metrics.inspect_err(|error| tracing::debug!(%error, "no metrics")).ok()?;
    let counted: usize = metrics.first()?.value.parse().ok()?;
    let recently = Timestamp::now().checked_sub(METRIC_AGE).unwrap_or_default();
    let may_count = |job: &&Job| job.is_alive() || job.ended_at().is_some_and(|end| end > recently);
    let listed = jobs.iter().filter(may_count).count();
    (counted > listed).then(|| {
        format!("the JobManager runs {counted} jobs according to its metrics, and lists {listed}: a job may not respond")
    })
}

/// True where the session sets how often metrics are read: then the number of JobMasters may be of any age.
async fn has_own_interval(transport: &impl Transport) -> bool {
    let settings = configuration(transport).await.unwrap_or_default();
    settings.contains_key("metrics.fetcher.update-interval")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flink::played::Played;

    const RUNNING: &str = r#"{"jobs":[{"jid":"11111111111111111111111111111111","name":"orders","state":"RUNNING","start-time":1,"duration":1,"tasks":{"total":1,"running":1}}]}"#;
    const ID: &str = "11111111111111111111111111111111";
    const NONE: &str = r#"{"jobs":[]}"#;

    fn ids(ids: &[&str]) -> String {
        let of: Vec<String> = ids.iter().map(|id| format!(r#"{{"id":"{id}","status":"RUNNING"}}"#)).collect();
        format!(r#"{{"jobs":[{}]}}"#, of.join(","))
    }

    fn counts(running: u32, slots_in_use: u32) -> String {
        format!(
            r#"{{"flink-version":"2.3.0","taskmanagers":1,"slots-total":2,"slots-available":{},"jobs-running":{running},"jobs-finished":0,"jobs-cancelled":0,"jobs-failed":0}}"#,
            2 - slots_in_use
        )
    }

    fn metric(value: u32) -> String {
        format!(r#"[{{"id":"numRunningJobs","value":"{value}"}}]"#)
    }

    /// The same answers again and again: overview of jobs, ids, counts, metric.
    async fn judged(list: &str, ids: &str, counts: &str, metric: &str) -> Result<usize, String> {
        let mut played = Played::default();
        for _ in 0..50 {
            played = played.then(200, list).then(200, ids);
            if ids_agree(list, ids) {
                played = played.then(200, counts);
                if agrees(list, counts) {
                    played = played.then(200, metric);
                }
            }
        }
        complete_jobs(&played).await.map(|jobs| jobs.len()).map_err(|error| error.to_string())
    }

    fn ids_agree(list: &str, ids: &str) -> bool {
        list.contains(r#""jid":"11111111111111111111111111111111""#)
            == ids.contains(r#""id":"11111111111111111111111111111111""#)
    }

    fn agrees(list: &str, counts: &str) -> bool {
        let runs = list.contains("RUNNING");
        counts.contains(&format!(r#""jobs-running":{}"#, u32::from(runs)))
            && (runs || counts.contains(r#""slots-available":2"#))
    }

    #[tokio::test(start_paused = true)]
    async fn a_list_that_nothing_contradicts_is_complete() {
        assert_eq!(judged(RUNNING, &ids(&[ID]), &counts(1, 1), &metric(1)).await, Ok(1));
        assert_eq!(judged(NONE, &ids(&[]), &counts(0, 0), &metric(0)).await, Ok(0));
        assert_eq!(judged(NONE, &ids(&[]), &counts(0, 0), "[]").await, Ok(0), "no metric yet");
    }

    #[tokio::test(start_paused = true)]
    async fn a_job_that_is_left_out_is_a_contradiction() {
        let error = judged(NONE, &ids(&[ID]), "", "").await.expect_err("an id more");
        assert_eq!(
            error,
            "job 11111111111111111111111111111111 is in only one of the JobManager's two lists of jobs"
        );
        let error = judged(NONE, &ids(&[]), &counts(1, 0), "").await.expect_err("a count more");
        assert_eq!(error, "the JobManager lists 0 running jobs, and counts 1");
        let error = judged(NONE, &ids(&[]), &counts(0, 1), "").await.expect_err("a slot in use");
        assert_eq!(error, "the JobManager lists no running job, but 1 task slots are in use");
    }

    /// The same answers until the patience is over, and then the session's settings.
    async fn with_a_metric_that_stays(settings: &str) -> Result<usize, String> {
        let mut played = Played::default();
        // Twice a second for 15 s, and once more.
        for _ in 0..=30 {
            played =
                played.then(200, NONE).then(200, &ids(&[])).then(200, &counts(0, 0)).then(200, &metric(1));
        }
        let played =
            played.then(200, NONE).then(200, &ids(&[])).then(200, &counts(0, 0)).then(200, &metric(1));
        complete_jobs(&played.then(200, settings))
            .await
            .map(|jobs| jobs.len())
            .map_err(|error| error.to_string())
    }

    #[tokio::test(start_paused = true)]
    async fn a_jobmaster_that_no_list_shows_is_a_contradiction_unless_metrics_are_old() {
        let error = with_a_metric_that_stays("[]").await.expect_err("a JobMaster more");
        assert!(error.contains("runs 1 jobs according to its metrics, and lists 0"), "{error}");
        let own = r#"[{"key":"metrics.fetcher.update-interval","value":"1 h"}]"#;
        assert_eq!(with_a_metric_that_stays(own).await, Ok(0));
    }

    #[tokio::test(start_paused = true)]
    async fn a_job_that_ends_meanwhile_is_compared_again() {
        let played = Played::default()
            .then(200, RUNNING)
            .then(200, &ids(&[ID]))
            .then(200, &counts(0, 0))
            .then(200, NONE)
            .then(200, &ids(&[]))
            .then(200, &counts(0, 0))
            .then(200, &metric(0));
        assert_eq!(complete_jobs(&played).await.map(|jobs| jobs.len()).expect("jobs"), 0);
    }
}
