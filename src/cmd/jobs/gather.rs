//! Asks REST for one job, from all sides.

use std::time::Duration;

use futures::StreamExt;

use crate::app::rest::SessionRest;
use crate::cmd::reach::Reached;
use crate::cmd::slots;
use crate::diagnosis::stack_trace;
use crate::flink::{self, RestError};
use crate::model::ids::JobId;
use crate::model::job::{Checkpoints, JobDetails, JobException, Thrown, Vertex};
use crate::model::status::{Job, Part};

/// The first question makes the JobManager measure, and ask the TaskManagers for their numbers: it is
/// asked again after these. Up to 1.12 it takes samples for five seconds, which nobody waits for.
const MEASURING: [Duration; 2] = [Duration::from_millis(300), Duration::from_millis(600)];

/// Vertices that are asked for at the same time: each takes a connection.
const AT_ONCE: usize = 4;

/// Looks at job `id`; none when the session knows no such job.
pub async fn job(reached: &Reached, id: &JobId) -> Result<Option<(Job, JobDetails)>, RestError> {
    let rest = &reached.rest;
    let (found, checkpoints, exceptions) =
        tokio::join!(measured(rest, id), checkpoints(rest, id), flink::exceptions(rest, id));
    let Some((job, details)) = found? else { return Ok(None) };
    let had_no_slots = job.state == "FAILED"
        && exceptions.as_ref().is_ok_and(|all| all.first().is_some_and(slots::were_missing));
    let exceptions = part(exceptions).map(|all| all.into_iter().map(thrown).collect());
    let findings = match had_no_slots {
        true => slots::why(reached, slots::SECONDS).await,
        false => slots::findings(reached, &job, slots::SECONDS).await,
    };
    Ok(Some((job, JobDetails { checkpoints, exceptions, findings, ..details })))
}

/// The job and its vertices, with what its tasks tell of themselves.
async fn measured(rest: &SessionRest, id: &JobId) -> Result<Option<(Job, JobDetails)>, RestError> {
    let mut pauses = MEASURING.into_iter();
    loop {
        let Some((job, mut details)) = flink::job(rest, id).await? else { return Ok(None) };
        measure(rest, id, &mut details.vertices).await;
        match pauses.next() {
            Some(pause) if details.vertices.iter().any(is_being_measured) => tokio::time::sleep(pause).await,
            _ => return Ok(Some((job, details))),
        }
    }
}

/// Backpressure of all vertices that run. One that does not answer is not known.
async fn measure(rest: &SessionRest, id: &JobId, vertices: &mut [Vertex]) {
    let asked = futures::stream::iter(vertices.iter_mut().filter(|vertex| vertex.tasks_running > 0));
    asked
        .for_each_concurrent(AT_ONCE, async |vertex| {
            vertex.backpressure = flink::backpressure(rest, id, &vertex.id).await.unwrap_or(None);
        })
        .await;
}

/// True where all tasks run, and the JobManager has not heard of them yet.
fn is_being_measured(vertex: &Vertex) -> bool {
    let runs = vertex.tasks_running > 0 && vertex.tasks_running == vertex.parallelism;
    runs && (vertex.backpressure.is_none()
        || vertex.records_read.is_none()
        || vertex.records_written.is_none())
}

async fn checkpoints(rest: &SessionRest, id: &JobId) -> Part<Option<Checkpoints>> {
    let (checkpoints, config) =
        tokio::join!(flink::checkpoints(rest, id), flink::checkpoint_config(rest, id));
    match checkpoints {
        // Of a batch job: "Checkpointing has not been enabled."
        Err(RestError::Status { status: 404, errors, .. }) if errors.contains("Checkpointing") => {
            Part::Known(None)
        }
        answer => part(answer.map(|checkpoints| Some(Checkpoints { config: part(config), ..checkpoints }))),
    }
}

pub(super) fn thrown(exception: JobException) -> Thrown {
    let (message, cause) = stack_trace::both_ends(&exception.stack);
    Thrown { message, cause, exception }
}

fn part<T>(answer: Result<T, RestError>) -> Part<T> {
    match answer {
        Ok(value) => Part::Known(value),
        Err(error) => Part::Unknown(error.to_string()),
    }
}
