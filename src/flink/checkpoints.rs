//! Checkpoints of a job, and the savepoints among them.

use jiff::Timestamp;
use serde::Deserialize;

use super::jobs::{at, not_negative};
use super::{RestError, RestPath, Transport, get};
use crate::model::ids::JobId;
use crate::model::job::{Checkpoint, CheckpointConfig, Checkpoints, FailedCheckpoint};
use crate::model::status::Part;

#[derive(Deserialize)]
struct OfCheckpoint {
    id: u64,
    #[serde(default)]
    status: String,
    #[serde(default)]
    is_savepoint: bool,
    trigger_timestamp: Option<i64>,
    end_to_end_duration: Option<i64>,
    state_size: Option<u64>,
    external_path: Option<String>,
    failure_message: Option<String>,
}

impl OfCheckpoint {
    fn checkpoint(self) -> Checkpoint {
        let path = self.external_path.filter(|path| is_a_place(path));
        Checkpoint {
            id: self.id,
            triggered_at: self.trigger_timestamp.and_then(at),
            duration_milliseconds: not_negative(self.end_to_end_duration.unwrap_or(0)),
            size_bytes: self.state_size.unwrap_or(0),
            path,
        }
    }
}

/// False for what Flink says of state that is kept in no place of its own, such as in the JobManager's memory:
/// `<checkpoint-not-externally-addressable>` (`NonPersistentMetadataCheckpointStorageLocation`).
fn is_a_place(path: &str) -> bool {
    !path.starts_with('<')
}

#[derive(Deserialize)]
struct OfCheckpoints {
    counts: Counts,
    latest: Latest,
    #[serde(default)]
    history: Vec<OfCheckpoint>,
}

#[derive(Deserialize)]
struct Counts {
    completed: u64,
    in_progress: u64,
    failed: u64,
}

#[derive(Deserialize)]
struct Latest {
    completed: Option<OfCheckpoint>,
    savepoint: Option<OfCheckpoint>,
    failed: Option<OfCheckpoint>,
    restored: Option<OfCheckpoint>,
}

/// `GET /jobs/:jobid/checkpoints`: savepoints are among them.
pub async fn checkpoints(transport: &impl Transport, id: &JobId) -> Result<Checkpoints, RestError> {
    let OfCheckpoints { counts, latest, .. } =
        get(transport, RestPath::of(["jobs", id.as_str(), "checkpoints"])).await?;
    Ok(Checkpoints {
        config: Part::Unknown("nobody asked".to_owned()),
        completed: counts.completed,
        in_progress: counts.in_progress,
        failed: counts.failed,
        last: latest.completed.map(OfCheckpoint::checkpoint),
        last_savepoint: latest.savepoint.map(OfCheckpoint::checkpoint),
        last_failure: latest.failed.map(|failed| FailedCheckpoint {
            triggered_at: failed.trigger_timestamp.and_then(at),
            message: failed.failure_message.unwrap_or_else(|| "for no reason that Flink tells".to_owned()),
        }),
        restored_from: latest
            .restored
            .and_then(|restored| restored.external_path)
            .filter(|path| is_a_place(path)),
    })
}

/// `GET /jobs/:jobid/checkpoints/config`, in every version since 1.10. The state backend came with 1.11, the storage with
/// 1.13. A job without periodic checkpoints has the largest interval that there is
/// (`StreamingJobGraphGenerator.configureCheckpointing`).
pub async fn checkpoint_config(
    transport: &impl Transport,
    id: &JobId,
) -> Result<CheckpointConfig, RestError> {
    #[derive(Deserialize)]
    struct Of {
        mode: String,
        interval: i64,
        state_backend: Option<String>,
        checkpoint_storage: Option<String>,
    }
    let of: Of = get(transport, RestPath::of(["jobs", id.as_str(), "checkpoints", "config"])).await?;
    Ok(CheckpointConfig {
        interval_milliseconds: u64::try_from(of.interval)
            .ok()
            .filter(|_| of.interval != i64::MAX && of.interval > 0),
        mode: of.mode.to_ascii_lowercase(),
        storage: of.checkpoint_storage,
        state_backend: of.state_backend,
    })
}

/// A savepoint in the history of a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recorded {
    pub id: u64,
    pub state: RecordedState,
    /// When it was complete, or had failed; before, when this was told.
    pub ended_at: Option<Timestamp>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RecordedState {
    InProgress,
    Completed(String),
    Failed(String),
}

/// The savepoints that the history of a job has, newest first: for versions in which a savepoint
/// cannot be asked for by an id of one's own.
pub async fn recorded_savepoints(transport: &impl Transport, id: &JobId) -> Result<Vec<Recorded>, RestError> {
    let OfCheckpoints { history, .. } =
        get(transport, RestPath::of(["jobs", id.as_str(), "checkpoints"])).await?;
    let recorded = |of: OfCheckpoint| Recorded {
        id: of.id,
        ended_at: of.trigger_timestamp.and_then(|begin| at(begin.checked_add(of.end_to_end_duration?)?)),
        state: match (of.status.as_str(), of.external_path) {
            ("COMPLETED", path) => RecordedState::Completed(path.unwrap_or_default()),
            ("FAILED", _) => RecordedState::Failed(of.failure_message.unwrap_or_default()),
            _ => RecordedState::InProgress,
        },
    };
    Ok(history.into_iter().filter(|of| of.is_savepoint).map(recorded).collect())
}
