//! The process behind the REST API of a session: whether it is still the one that was asked before.
//!
//! A JobManager that starts again has forgotten its uploaded jars, the requests that it was asked to do, and, without
//! high availability, its jobs. What it does not know proves nothing about the process before it.

use super::SessionRest;
use crate::cluster::Cluster;
use crate::model::evidence::{Exit, Pod};

/// The JobManager process that answered at one time.
#[derive(Clone, Debug)]
pub struct Process {
    pod: Pod,
}

/// What became of a [`Process`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    Same,
    /// Another process has taken its place, or will: why, as the second half of a sentence.
    Replaced(String),
    /// The pod cannot be read.
    Unknown,
}

impl Fate {
    /// The replacement as a cause.
    pub fn cause(&self) -> Option<String> {
        match self {
            Self::Replaced(why) => Some(format!("the JobManager was replaced: {why}")),
            Self::Same | Self::Unknown => None,
        }
    }
}

impl Process {
    pub(super) fn new(pod: Pod) -> Self {
        Self { pod }
    }

    /// The process that `rest` speaks to now. None at an address, and where the pod cannot be read.
    pub async fn of(rest: &SessionRest, cluster: Option<&Cluster>) -> Option<Self> {
        let port = rest.port().await.ok().flatten()?;
        let pod = cluster?.pod(port.namespace(), port.pod()).await.ok().flatten()?;
        Some(Self { pod })
    }

    /// What became of it.
    pub async fn fate(&self, rest: &SessionRest, cluster: &Cluster, namespace: &str) -> Fate {
        match cluster.pod(namespace, &self.pod.name).await {
            Err(error) => {
                tracing::debug!(%error, "the JobManager's pod cannot be read");
                Fate::Unknown
            }
            Ok(now) => match compared(&self.pod, now.as_ref()) {
                Some(why) => Fate::Replaced(why),
                None => self.moved(rest).await,
            },
        }
    }

    /// With high availability another pod may lead by now, while the first one still runs.
    async fn moved(&self, rest: &SessionRest) -> Fate {
        match rest.known_pod() {
            Some(pod) if pod != self.pod.name => {
                Fate::Replaced(format!("pod {pod} answers now, and no longer pod {}", self.pod.name))
            }
            _ => Fate::Same,
        }
    }
}

/// Why `now` is not the process that ran in `before`.
fn compared(before: &Pod, now: Option<&Pod>) -> Option<String> {
    let name = &before.name;
    let Some(now) = now.filter(|now| now.uid == before.uid) else {
        return Some(format!("pod {name} is gone"));
    };
    let differ = |a: &Option<String>, b: &Option<String>| a.is_some() && b.is_some() && a != b;
    let is_another = now.restarts > before.restarts
        || differ(&before.container_id, &now.container_id)
        || (before.started.is_some() && now.started.is_some() && before.started != now.started);
    let ended = now.ended.as_ref().filter(|_| before.ended.is_none());
    match (ended, is_another) {
        (Some(exit), _) => Some(how_it_ended(name, exit)),
        (None, true) => Some(match &now.ended_before {
            Some(exit) => how_it_ended(name, exit),
            None => format!("the container in pod {name} was started again"),
        }),
        (None, false) if now.deleting && !before.deleting => Some(format!("pod {name} is being deleted")),
        (None, false) => None,
    }
}

fn how_it_ended(pod: &str, exit: &Exit) -> String {
    let reason = if exit.reason.is_empty() { String::new() } else { format!(" ({})", exit.reason) };
    format!("the container in pod {pod} ended with exit code {}{reason}", exit.code)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn running() -> Pod {
        Pod {
            name: "roc-1-a".to_owned(),
            uid: "p1".to_owned(),
            container_id: Some("containerd://c1".to_owned()),
            started: Some("2026-01-01T00:00:00Z".parse().expect("time")),
            ..Pod::default()
        }
    }

    fn exit(code: i32) -> Exit {
        Exit { code, reason: "Error".to_owned(), ..Exit::default() }
    }

    #[test]
    fn another_container_is_another_process() {
        let why = |change: fn(&mut Pod)| {
            let mut now = running();
            change(&mut now);
            compared(&running(), Some(&now))
        };
        assert_eq!(why(|_| {}), None);
        let ended = "the container in pod roc-1-a ended with exit code 3 (Error)";
        assert_eq!(why(|now| now.ended = Some(exit(3))).as_deref(), Some(ended));
        let restarted = |now: &mut Pod| {
            now.restarts = 1;
            now.container_id = Some("containerd://c2".to_owned());
            now.ended_before = Some(exit(3));
        };
        assert_eq!(why(restarted).as_deref(), Some(ended));
        // The kubelet may count from the start after a restart of its own.
        let other_id = |now: &mut Pod| now.container_id = Some("containerd://c2".to_owned());
        assert_eq!(why(other_id).as_deref(), Some("the container in pod roc-1-a was started again"));
        let later = |now: &mut Pod| now.started = Some("2026-01-01T00:01:00Z".parse().expect("time"));
        assert!(why(later).is_some());
        assert_eq!(why(|now| now.deleting = true).as_deref(), Some("pod roc-1-a is being deleted"));
        assert_eq!(why(|now| now.uid = "p2".to_owned()).as_deref(), Some("pod roc-1-a is gone"));
        assert_eq!(compared(&running(), None).as_deref(), Some("pod roc-1-a is gone"));
        // A restart from before is no news.
        let restarted_before = Pod { restarts: 2, ended_before: Some(exit(1)), ..running() };
        assert_eq!(compared(&restarted_before, Some(&restarted_before)), None);
    }
}
