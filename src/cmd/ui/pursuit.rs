//! Follows a session's JobManager from pod to pod, for all connections at once, and tells when it is away.

use std::cell::{Cell, RefCell};
use std::time::Duration;

use futures::stream;

use crate::app::interrupt::{self, Signal};
use crate::app::relay::{Target, Trail};
use crate::app::rest::SessionRest;
use crate::app::wait::{Look, Waited, until};
use crate::app::{App, CommandError, rest};
use crate::cluster::{Cluster, ClusterError};
use crate::cmd::reach::Reached;
use crate::exit::Exit;
use crate::flink::{self, RestError};
use crate::model::Evidence;

/// The command ends with Ctrl-C; a number that clocks can add.
const ENDLESS: Duration = Duration::from_secs(10 * 365 * 24 * 60 * 60);

/// Between looks while all is well. Watches tell what happens; this is for who may not watch.
const TICK: Duration = Duration::from_secs(30);

/// Between looks while no pod is ready. Who may not watch waits this much longer.
const NO_POD: Duration = Duration::from_secs(2);

/// Between looks at a pod that is ready and does not answer yet.
const STARTING: Duration = Duration::from_millis(500);

/// The JobManager's port, if this user may forward it.
pub async fn forwarded(reached: &Reached) -> Result<Target, CommandError> {
    let target = target(&reached.rest).await;
    let target = target.map_err(|error| forbidden(reached, &error))?;
    target.ok_or_else(|| CommandError::new(Exit::Error, "an address has no port to forward"))
}

async fn target(rest: &SessionRest) -> Result<Option<Target>, RestError> {
    let Some(port) = rest.forwarded_port().await? else { return Ok(None) };
    Ok(Some(Target { port, tls: rest.pod_tls()? }))
}

/// Leads `trail` to wherever the JobManager goes, until Ctrl-C or until the session is gone.
pub async fn pursue(
    reached: &Reached,
    cluster: &Cluster,
    trail: &Trail,
    app: &App,
) -> Result<Exit, CommandError> {
    let name = &reached.name;
    let is_doubted = Cell::new(false);
    let doubts = stream::unfold((), |()| async {
        trail.doubt().await;
        is_doubted.set(true);
        Some(((), ()))
    });
    let changes = stream::select(cluster.changes(cluster.namespace(), name), doubts);
    let pursuit = Pursuit { reached, app, known: RefCell::new(trail.pod()), is_away: Cell::new(false) };
    let ended = until(ENDLESS, changes, async || {
        let found = rest::find(cluster, name).await.map_err(|error| pursuit.unseen(error))?;
        if is_gone(&found.evidence) {
            return Ok(Look::Done(()));
        }
        let Some(port) = found.port() else {
            trail.tell(None);
            pursuit.tell_away(&found.jobmanager.why_none());
            return Ok(Look::Again(NO_POD));
        };
        let is_doubted = is_doubted.take();
        if pursuit.knows(port.pod()) && !is_doubted {
            return Ok(Look::Again(TICK));
        }
        match pursuit.answering().await? {
            Some(target) => {
                pursuit.tell_found(target.port.pod());
                trail.tell(Some(target));
                Ok(Look::Again(TICK))
            }
            None => {
                trail.tell(None);
                Ok(Look::Again(STARTING))
            }
        }
    });
    match ended.await? {
        // Ctrl-C is how it ends; another signal is another process's decision.
        Waited::Interrupted if interrupt::first() != Some(Signal::Interrupt) => Ok(Exit::Interrupted),
        Waited::Interrupted | Waited::TimedOut => Ok(Exit::Done),
        Waited::Done(()) => Err(CommandError::new(Exit::Error, format!("session {name} is gone"))),
    }
}

/// What has been told of the JobManager.
struct Pursuit<'a> {
    reached: &'a Reached,
    app: &'a App,
    /// The pod that has answered.
    known: RefCell<Option<String>>,
    is_away: Cell<bool>,
}

impl Pursuit<'_> {
    fn knows(&self, pod: &str) -> bool {
        self.known.borrow().as_deref() == Some(pod)
    }

    /// The port of the JobManager, wherever it is now, if its REST answers.
    async fn answering(&self) -> Result<Option<Target>, CommandError> {
        let rest = &self.reached.rest;
        rest.forget();
        let asked = async {
            // Whether it speaks TLS shows in the answer.
            flink::overview(rest).await?;
            target(rest).await
        };
        match asked.await {
            Ok(target) => Ok(target),
            Err(error @ RestError::Forbidden(_)) => Err(forbidden(self.reached, &error)),
            Err(error @ RestError::MadeAnew(_)) => {
                Err(self.reached.error(&error, format!("session {} is gone", self.reached.name)))
            }
            Err(error) => {
                self.tell_away(&error.to_string());
                Ok(None)
            }
        }
    }

    /// An API server that does not answer may do so again.
    fn unseen(&self, error: ClusterError) -> CommandError {
        let error = CommandError::from(error);
        if error.is_transient() {
            self.tell_away(&error.to_string());
        }
        error
    }

    fn tell_away(&self, why: &str) {
        self.known.take();
        if !self.is_away.replace(true) {
            let name = &self.reached.name;
            self.app.ui.warn(&format!("the JobManager of session {name} is away, and requests wait: {why}"));
        }
    }

    fn tell_found(&self, pod: &str) {
        let has_moved = self.known.replace(Some(pod.to_owned())).as_deref() != Some(pod);
        if self.is_away.take() {
            self.app.ui.status(&format!("The JobManager answers again: pod/{pod}"));
        } else if has_moved {
            self.app.ui.status(&format!("The JobManager is another one now: pod/{pod}"));
        }
    }
}

/// Deleted, as far as this user may see it. A pod without its Deployment may outlive it for a moment.
fn is_gone(evidence: &Evidence) -> bool {
    evidence.deployment.is_none()
        && !evidence.unreadable.iter().any(|part| part.starts_with("deployment"))
        && evidence.jobmanagers.iter().all(|pod| pod.deleting)
}

/// The API server's proxy, which does for questions, would not do here.
fn forbidden(reached: &Reached, error: &RestError) -> CommandError {
    reached.error(error, format!("no port can be forwarded to session {}", reached.name))
}
