//! How the API server answers: how fast it has done so lately, and whether it still does.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use http::Request;
use tokio::sync::Mutex;
use tokio::time::Instant;

use super::retry::Again;
use crate::cluster::{Cluster, ClusterError, Result};

/// Silence after which the server is asked whether it is there. client-go does so after 30 s, by a ping of
/// HTTP/2, which HTTP/1.1 does not have.
const QUIET: Duration = Duration::from_secs(10);

/// How long that question may take. An API server answers it from memory.
const ANSWER: Duration = Duration::from_secs(10);

/// Several who wait share an answer of this age.
const FRESH: Duration = Duration::from_secs(5);

/// What a way to a pod takes on a line that costs nothing, and what REST takes there.
const WAY: Duration = Duration::from_secs(2);

/// A way takes several round trips: TCP, TLS, the upgrade, the kubelet's own connection.
const ROUND_TRIPS: u32 = 4;

/// However slow the server was: nobody waits longer for a way.
const LONGEST_WAY: Duration = Duration::from_secs(20);

/// The time that the API server took for its answers of late, from the first packet to the head of the answer.
#[derive(Clone, Debug, Default)]
pub struct Pace(Arc<AtomicU64>);

impl Pace {
    /// Takes note of an answer. One that was slow is forgotten after a few quick ones.
    pub(in crate::cluster) fn record(&self, took: Duration) {
        let took = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        let _ = self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |before| {
            Some(took.max(before.saturating_mul(3) / 4))
        });
    }

    /// The response time to expect.
    pub fn response_time(&self) -> Duration {
        Duration::from_micros(self.0.load(Ordering::Relaxed))
    }

    /// How long a connection to a pod may take until it stands.
    pub fn way(&self) -> Duration {
        self.response_time().saturating_mul(ROUND_TRIPS).saturating_add(WAY).min(LONGEST_WAY)
    }

    /// How long an answer may take over a connection that stands, where `without` is enough next to the pod.
    pub fn answer(&self, without: Duration) -> Duration {
        without.saturating_add(self.response_time().saturating_mul(2).min(LONGEST_WAY))
    }
}

/// When the server was asked last whether it is there, and why it seems not to be.
type Told = (Instant, Option<ClusterError>);

#[derive(Clone, Default)]
pub(in crate::cluster) struct Pulse(Arc<Mutex<Option<Told>>>);

impl Cluster {
    /// How fast the API server answers.
    pub fn pace(&self) -> &Pace {
        &self.pace
    }

    /// Does `work`, which only reads, unless the server falls silent meanwhile: then it is given up.
    pub async fn unless_silent<T, E: From<ClusterError>>(
        &self,
        work: impl Future<Output = std::result::Result<T, E>>,
    ) -> std::result::Result<T, E> {
        tokio::select! {
            biased;
            done = work => done,
            silent = self.silence() => Err(silent.into()),
        }
    }

    /// Ends when the server has fallen silent: a short question beside what is waited for is not answered either.
    /// That tells a server that has nothing to say, or much to do, from one that is stopped, and from a line that
    /// swallows everything: there the connection stands, and no packet says that it is of no use.
    pub(in crate::cluster) async fn silence(&self) -> ClusterError {
        loop {
            tokio::time::sleep(QUIET).await;
            if let Err(error) = self.is_up().await {
                return error;
            }
        }
    }

    /// Asks the server whether it is there. Any answer is one.
    async fn is_up(&self) -> Result<()> {
        let mut last = self.pulse.0.lock().await;
        if let Some((at, told)) = &*last
            && at.elapsed() < FRESH
        {
            return told.clone().map_or(Ok(()), Err);
        }
        let asked = async {
            let mut again = Again::new();
            loop {
                let request = Request::get("/version").body(kube::client::Body::empty());
                let request = request.map_err(|error| ClusterError::Answer(error.to_string()))?;
                match self.aside.send(request).await.map_err(|error| self.sorted(error)) {
                    Ok(_) => return Ok(()),
                    Err(error) if !error.is_of_the_line() => return Ok(()),
                    Err(error) => again.after(error).await?,
                }
            }
        };
        let silent =
            ClusterError::Silent { server: self.server.clone(), within: QUIET.saturating_add(ANSWER) };
        let told = tokio::time::timeout(ANSWER, asked).await.unwrap_or(Err(silent));
        *last = Some((Instant::now(), told.clone().err()));
        told
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patience_follows_the_answers_of_the_server() {
        let pace = Pace::default();
        let answer = |pace: &Pace| pace.answer(Duration::from_secs(1)).as_millis();
        assert_eq!((pace.way().as_millis(), answer(&pace)), (2000, 1000));
        pace.record(Duration::from_millis(1500));
        assert_eq!((pace.way().as_millis(), answer(&pace)), (8000, 4000));
        // A quick one does not undo it, several do.
        pace.record(Duration::from_millis(500));
        assert_eq!(pace.response_time().as_millis(), 1125);
        for _ in 0..20 {
            pace.record(Duration::from_millis(10));
        }
        assert!(pace.response_time() < Duration::from_millis(50));
        pace.record(Duration::from_secs(60));
        assert_eq!(pace.way(), LONGEST_WAY);
    }
}
