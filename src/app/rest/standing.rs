//! Whether a connection to REST stands: patience with a JobManager counts from there. Before that it is the
//! line, and the API server, that take their time.

use std::cell::Cell;
use std::task::Poll;
use std::time::Duration;

use tokio::time::Instant;

use super::{SessionRest, Way};
use crate::cluster::{ClusterError, Pace};
use crate::flink::RestError;

#[derive(Default)]
pub(super) struct Standing {
    /// Connections that are just opened.
    opening: Cell<usize>,
    /// When the last step was done: a connection was begun, or stood, or was taken up again.
    since: Cell<Option<Instant>>,
    /// The line has failed, and not what is behind it.
    line_failed: Cell<bool>,
}

/// As long as it is there, a connection is being opened.
pub(super) struct Opening<'a>(&'a Standing);

impl Drop for Opening<'_> {
    fn drop(&mut self) {
        let Self(standing) = self;
        standing.opening.set(standing.opening.get() - 1);
        standing.since.set(Some(Instant::now()));
    }
}

impl Standing {
    pub fn opens(&self) -> Opening<'_> {
        self.opening.set(self.opening.get() + 1);
        self.since.set(Some(Instant::now()));
        self.line_failed.set(false);
        Opening(self)
    }

    /// A question begins.
    pub fn asks(&self) {
        self.since.set(Some(Instant::now()));
    }

    /// Takes note of why there is no connection.
    pub fn failed(&self, error: &ClusterError) {
        self.line_failed.set(error.is_of_the_line());
    }
}

/// Beyond every patience.
const FAR: Duration = Duration::from_secs(365 * 24 * 3600);

/// Why there is no answer in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Late {
    /// No connection stood within this time.
    Way(Duration),
    /// REST had the question for this time.
    Answer(Duration),
}

impl From<Late> for RestError {
    fn from(late: Late) -> Self {
        match late {
            // Nothing has arrived.
            Late::Way(limit) => Self::Unreachable(format!(
                "no connection to the pod within {:.0} s",
                limit.as_secs_f32().ceil()
            )),
            Late::Answer(limit) => Self::TimedOut(limit),
        }
    }
}

impl SessionRest {
    /// True when the last question could not be asked because of the line.
    pub(super) fn line_has_failed(&self) -> bool {
        self.standing.line_failed.get()
    }

    /// Waits for `asked`: for a connection as long as the API server's own pace asks for, and then for the answer,
    /// which takes at most `patience` next to the JobManager.
    pub(super) async fn in_time<T>(
        &self,
        patience: Duration,
        asked: impl Future<Output = T>,
    ) -> Result<T, Late> {
        let began = Instant::now();
        let mut asked = std::pin::pin!(asked);
        let mut end = std::pin::pin!(tokio::time::sleep_until(began));
        // Each step of what is asked moves the end.
        std::future::poll_fn(|cx| {
            if let Poll::Ready(answer) = asked.as_mut().poll(cx) {
                return Poll::Ready(Ok(answer));
            }
            let late = self.late(patience);
            let (Late::Way(limit) | Late::Answer(limit)) = late;
            let since = self.standing.since.get().map_or(began, |since| since.max(began));
            end.as_mut().reset(since.checked_add(limit).unwrap_or(since + FAR));
            end.as_mut().poll(cx).map(|()| Err(late))
        })
        .await
    }

    /// What is late if nothing happens any more, and after which time.
    fn late(&self, patience: Duration) -> Late {
        match self.pace() {
            Some(pace) if self.standing.opening.get() > 0 => Late::Way(pace.way().max(patience)),
            Some(pace) => Late::Answer(pace.answer(patience)),
            None => Late::Answer(patience),
        }
    }

    /// That of the API server; none where the way does not lead through it.
    fn pace(&self) -> Option<&Pace> {
        match &self.way {
            Way::Address(_) => None,
            Way::Pod(way) => Some(&way.pace),
        }
    }
}
