//! Follows sessions: what is shown of one changes with its Deployment, bootstrap Job, Services and pods.

mod collections;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures::StreamExt;
use serde::Deserialize;
use tokio::sync::mpsc::Receiver;

use self::collections::{COLLECTIONS, Part};
use super::parts::{Deployment, Job, Key, Parts, Service};
use super::pods::{PodColumns, PodRow, PodsOfSession, bootstrapped_session, session_name};
use super::{Query, Scope};
use crate::cluster::api::partial::Metadata;
use crate::cluster::api::stream_list::ListHead;
use crate::cluster::api::table::{AS_TABLE, Row};
use crate::cluster::api::watch::{Change, Objects, Shape};
use crate::cluster::{Cluster, ClusterError, Kind, Result, later};
use crate::model::session::SessionView;

/// One change of what is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SessionEvent {
    Added(SessionView),
    Modified(SessionView),
    /// As it was last.
    Deleted(SessionView),
}

/// What a look at the changes brought.
#[derive(Debug, Default)]
pub struct News {
    pub events: Vec<SessionEvent>,
    /// What this user may not list or watch, in the API server's words.
    pub missing: Vec<String>,
    /// Why the server has ceased to answer. It is asked again.
    pub lost: Option<String>,
    /// It answers again.
    pub is_back: bool,
}

/// Changes of one cause come in bursts, from several watches: they are one event when they come
/// within this time.
const SETTLE: Duration = Duration::from_millis(40);
const LONGEST_SETTLE: Duration = Duration::from_millis(400);

/// Between two reads of a Deployment that no watch shows.
const UNWATCHED: Duration = Duration::from_secs(2);

/// Deployments that are read at the same time.
const READS_AT_ONCE: usize = 8;

/// The sessions that a query asks for, as they change.
pub struct Follow {
    deployments: Receiver<Change<Deployment>>,
    jobs: Receiver<Change<Job>>,
    services: Receiver<Change<Service>>,
    pods: Receiver<Change<PodOfTable>>,
    bootstrap_pods: Receiver<Change<BootstrapPod>>,
    /// Reads what the watches, which go by labels, leave out.
    cluster: Cluster,
    query: Query,
    state: State,
}

#[derive(Default)]
struct State {
    parts: Parts,
    rows: BTreeMap<Key, BTreeMap<String, PodRow>>,
    /// What was told last.
    known: BTreeMap<Key, SessionView>,
    touched: BTreeSet<Key>,
    /// Sessions whose Deployment no watch shows, though it is there: it is read by its name.
    unwatched: BTreeSet<Key>,
    /// Those whose Deployment has turned out to be gone.
    gone: BTreeSet<Key>,
    /// Something came in that was not told yet.
    has_changed: bool,
    /// Collections that were listed, or may not be.
    listed: [bool; COLLECTIONS],
    /// Collections for which the server does not answer.
    lost: [bool; COLLECTIONS],
    /// What to name when all is refused: a watch of what may be listed, else the first refusal.
    refused: Option<String>,
    news: News,
}

/// A pod's row with where it belongs.
struct PodOfTable {
    key: Option<Key>,
    row: PodRow,
}

/// A pod of a bootstrap Job.
struct BootstrapPod(PodOfTable);

/// Pods as table rows, with their metadata: without it a row does not tell its namespace.
#[derive(Default)]
struct PodTable {
    /// Told with the first event of a watch only, be it a bookmark.
    columns: Option<PodColumns>,
}

#[derive(Deserialize)]
struct RowWithMetadata {
    #[serde(flatten)]
    row: Row,
    object: Of,
}

#[derive(Deserialize)]
struct Of {
    metadata: Metadata,
}

#[derive(Deserialize)]
struct TableOfOne {
    #[serde(flatten)]
    head: ListHead,
    rows: Option<Vec<RowWithMetadata>>,
}

/// The pods of bootstrap Jobs, likewise.
#[derive(Default)]
struct BootstrapPods(PodTable);

impl PodTable {
    fn pod(&self, element: RowWithMetadata) -> Option<PodOfTable> {
        let row = self.columns?.read(&element.row);
        let session =
            session_name(&row.name).map(|session| (element.object.metadata.namespace, session.to_owned()));
        Some(PodOfTable { key: session, row })
    }
}

impl Shape for PodTable {
    type Item = PodOfTable;
    const MEDIA_TYPE: &'static str = AS_TABLE;
    const FIELD: &'static str = "rows";

    fn of_list(&mut self, head: &ListHead, element: &[u8]) -> serde_json::Result<PodOfTable> {
        self.columns = PodColumns::of(head);
        let pod = self.pod(serde_json::from_slice(element)?);
        pod.ok_or_else(|| serde::de::Error::custom("the table of pods has no column Name or Status"))
    }

    fn of_event(&mut self, object: &str) -> serde_json::Result<Option<PodOfTable>> {
        let table: TableOfOne = serde_json::from_str(object)?;
        self.columns = PodColumns::of(&table.head).or(self.columns);
        Ok(table.rows.into_iter().flatten().next().and_then(|row| self.pod(row)))
    }

    fn learn(&mut self, object: &str) -> serde_json::Result<()> {
        let head: ListHead = serde_json::from_str(object)?;
        self.columns = PodColumns::of(&head).or(self.columns);
        Ok(())
    }
}

impl Shape for BootstrapPods {
    type Item = BootstrapPod;
    const MEDIA_TYPE: &'static str = PodTable::MEDIA_TYPE;
    const FIELD: &'static str = PodTable::FIELD;

    fn of_list(&mut self, head: &ListHead, element: &[u8]) -> serde_json::Result<BootstrapPod> {
        self.0.of_list(head, element).map(BootstrapPod::of)
    }

    fn of_event(&mut self, object: &str) -> serde_json::Result<Option<BootstrapPod>> {
        Ok(self.0.of_event(object)?.map(BootstrapPod::of))
    }

    fn learn(&mut self, object: &str) -> serde_json::Result<()> {
        self.0.learn(object)
    }
}

impl BootstrapPod {
    fn of(mut pod: PodOfTable) -> Self {
        let session = bootstrapped_session(&pod.row.name).map(str::to_owned);
        pod.key = pod.key.and_then(|(namespace, _)| Some((namespace, session?)));
        Self(pod)
    }
}

impl Cluster {
    /// Follows the sessions that `query` asks for. Each collection is listed once, and watched from
    /// there on. This keeps a row of each pod, some 200 bytes.
    pub fn follow_sessions(&self, query: Query) -> Follow {
        let namespace = match &query.scope {
            Scope::Namespace(namespace) => Some(namespace.as_str()),
            Scope::AllNamespaces => None,
        };
        let path = |kind: Kind, query: String| format!("{}?{query}", kind.collection(namespace));
        Follow {
            deployments: self.follow(path(Kind::Deployment, query.deployments()), Objects::default()),
            jobs: self.follow(path(Kind::Job, query.bootstraps()), Objects::default()),
            services: self.follow(path(Kind::Service, query.all_parts()), Objects::default()),
            pods: self.follow(path(Kind::Pod, query.all_parts()), PodTable::default()),
            bootstrap_pods: self.follow(path(Kind::Pod, query.bootstrap_pods()), BootstrapPods::default()),
            cluster: self.clone(),
            state: State::default(),
            query,
        }
    }
}

impl Follow {
    /// The next changes. The first call answers once everything was listed: with all that there is.
    ///
    /// # Errors
    /// What ends it: an error that another try would meet again, or a server that was never there.
    ///
    /// It may be given up at any point: nothing that came in is lost.
    pub async fn next(&mut self) -> Result<News> {
        if !self.state.has_changed {
            self.change().await?;
        }
        let (mut quiet, end) = (later(SETTLE), later(LONGEST_SETTLE));
        loop {
            tokio::select! {
                changed = self.change() => {
                    changed?;
                    quiet = later(SETTLE).min(end);
                }
                () = tokio::time::sleep_until(quiet), if self.state.listed == [true; COLLECTIONS] => break,
            }
        }
        if self.query.takes_left_overs() && !self.state.parts.hidden.deployments {
            self.read_unwatched().await;
        }
        self.state.has_changed = false;
        // Only the Deployments tell what a selector chooses.
        if let (true, Some(refused), Some(_)) =
            (self.state.parts.hidden.deployments, &self.state.refused, &self.query.selector)
        {
            return Err(ClusterError::forbidden(refused));
        }
        self.state.tell(&self.query);
        Ok(std::mem::take(&mut self.state.news))
    }

    /// Reads the Deployments of sessions that seem to lack one: their labels may have been changed, so that no
    /// watch shows them. What is gone is read once.
    async fn read_unwatched(&mut self) {
        let Self { cluster, state, .. } = self;
        let doubtful: Vec<Key> = state.touched.iter().filter(|key| state.is_doubtful(key)).cloned().collect();
        let reads = futures::stream::iter(doubtful).map(async |key| {
            let read = cluster.object::<Deployment>(Kind::Deployment, &key.0, &key.1).await;
            (key, read)
        });
        let reads: Vec<_> = reads.buffer_unordered(READS_AT_ONCE).collect().await;
        for (key, read) in reads {
            match read {
                Ok(Some(deployment)) => {
                    state.parts.add_deployment(deployment);
                    state.unwatched.insert(key);
                }
                Ok(None) => {
                    state.parts.deployments.remove(&key);
                    state.unwatched.remove(&key);
                    state.gone.insert(key);
                }
                // What is not known is not told: it is read again.
                Err(error) => {
                    tracing::debug!(%error, "cannot read a Deployment");
                    state.touched.remove(&key);
                    state.unwatched.insert(key);
                }
            }
        }
    }

    /// Takes in one change.
    async fn change(&mut self) -> Result<()> {
        let state = &mut self.state;
        tokio::select! {
            Some(change) = self.deployments.recv() => state.take(change),
            Some(change) = self.jobs.recv() => state.take(change),
            Some(change) = self.services.recv() => state.take(change),
            Some(change) = self.pods.recv() => state.take(change),
            Some(change) = self.bootstrap_pods.recv() => state.take(change),
            () = tokio::time::sleep(UNWATCHED), if !state.unwatched.is_empty() => {
                state.touched.extend(state.unwatched.iter().cloned());
                state.has_changed = true;
                Ok(())
            }
            // All were refused.
            else => Err(ClusterError::forbidden(state.refused.as_deref().unwrap_or_default())),
        }
    }
}

#[cfg_attr(not(test), expect(clippy::indexing_slicing, reason = "each part has its place"))]
impl State {
    fn take<P: Part>(&mut self, change: Change<P>) -> Result<()> {
        self.has_changed = true;
        match change {
            Change::Listed(all) => {
                self.listed[P::INDEX] = true;
                let before = P::clear(self);
                self.touched.extend(before);
                for part in all {
                    let key = part.put(self);
                    self.touched.extend(key);
                }
            }
            Change::Set(part) => {
                let key = part.put(self);
                self.touched.extend(key);
            }
            Change::Gone(part) => {
                let key = part.remove(self);
                self.touched.extend(key);
            }
            Change::Lost(error) if self.listed[P::INDEX] => {
                // One server stands behind all of them: it is lost once.
                if !self.lost.contains(&true) {
                    self.news.lost = Some(error.to_string());
                }
                self.lost[P::INDEX] = true;
            }
            Change::Found => {
                self.lost[P::INDEX] = false;
                self.news.is_back = !self.lost.contains(&true);
            }
            Change::Failed(ClusterError::Api(status)) if status.is_forbidden() => {
                // What may be listed, and not watched, is what a watch lacks.
                if self.refused.is_none() || self.listed[P::INDEX] {
                    self.refused = Some(status.message.clone());
                }
                self.listed[P::INDEX] = true;
                self.lost[P::INDEX] = false;
                P::hide(&mut self.parts.hidden);
                // What was seen before is not known to be true any more.
                let before = P::clear(self);
                self.touched.extend(before);
                self.touched.extend(self.parts.keys().into_iter().cloned());
                // Of pods there are two collections.
                if !self.news.missing.contains(&status.message) {
                    self.news.missing.push(status.message);
                }
            }
            // A follower forgives a server that goes away, not one that was never there.
            Change::Lost(error) | Change::Failed(error) => return Err(error),
        }
        Ok(())
    }

    /// True for a session of which Services or pods are there, and whose Deployment no watch shows.
    fn is_doubtful(&self, key: &Key) -> bool {
        let has_parts = self.parts.services.contains_key(key) || self.rows.contains_key(key);
        let is_watched = self.parts.deployments.contains_key(key);
        self.unwatched.contains(key) || (has_parts && !is_watched && !self.gone.contains(key))
    }

    /// Compares what was touched with what was told last.
    fn tell(&mut self, query: &Query) {
        for key in std::mem::take(&mut self.touched) {
            let mut pods = PodsOfSession::default();
            self.rows.get(&key).into_iter().flat_map(BTreeMap::values).for_each(|row| pods.add(row));
            let is_chosen = query.takes_left_overs() || self.parts.is_chosen(&key);
            let view = is_chosen.then(|| self.parts.view(&key, &pods)).flatten();
            let before = self.known.remove(&key);
            let view = view.map(|view| match &before {
                Some(before) if !self.parts.deployments.contains_key(&key) => self.after(before, view, &key),
                _ => view,
            });
            let event = match (before, view) {
                (None, None) => continue,
                (Some(before), Some(now)) if before == now => {
                    self.known.insert(key, now);
                    continue;
                }
                (None, Some(now)) => SessionEvent::Added(self.remember(key, now)),
                (Some(_), Some(now)) => SessionEvent::Modified(self.remember(key, now)),
                (Some(before), None) => SessionEvent::Deleted(before),
            };
            self.news.events.push(event);
        }
    }

    /// What is left of a session that was there before: it is what it was. Its pods alone are about to
    /// go, as the garbage collector takes what the Deployment has owned.
    fn after(&self, before: &SessionView, view: SessionView, key: &Key) -> SessionView {
        let goes = view.status == "Orphaned" && !self.parts.services.contains_key(key);
        SessionView {
            status: if goes { "Terminating".to_owned() } else { view.status },
            uid: view.uid.or_else(|| before.uid.clone()),
            created: before.created,
            labels: before.labels.clone(),
            version: view.version.or_else(|| before.version.clone()),
            image: view.image.or_else(|| before.image.clone()),
            owner: before.owner,
            ..view
        }
    }

    fn remember(&mut self, key: Key, view: SessionView) -> SessionView {
        self.known.insert(key, view.clone());
        view
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deployment_that_no_watch_shows_is_read_by_its_name() {
        let deployment = || -> Deployment {
            let text = r#"{"metadata":{"name":"roc","namespace":"a"},"spec":{"template":{"spec":{}}}}"#;
            serde_json::from_str(text).expect("deployment")
        };
        let row = PodRow {
            name: "roc-taskmanager-1-1".to_owned(),
            is_ready: true,
            status: "Running".to_owned(),
            restarts: "0".to_owned(),
        };
        let key = ("a".to_owned(), "roc".to_owned());
        let mut state = State::default();
        state.take(Change::Set(PodOfTable { key: Some(key.clone()), row })).expect("pod");
        assert!(state.is_doubtful(&key));
        state.take(Change::Set(deployment())).expect("deployment");
        assert!(!state.is_doubtful(&key), "a watch shows it");
        // Deleted, or no longer selected by its labels.
        state.take(Change::Gone(deployment())).expect("deployment");
        assert!(state.is_doubtful(&key) && state.touched.contains(&key));
        state.gone.insert(key.clone());
        assert!(!state.is_doubtful(&key), "it was read once");
        // What is read by its name is read again and again, until a watch shows it.
        state.unwatched.insert(key.clone());
        assert!(state.is_doubtful(&key));
        state.take(Change::Set(deployment())).expect("deployment");
        assert!(!state.is_doubtful(&key));
    }

    #[test]
    fn what_may_not_be_seen_any_more_is_not_shown_as_it_was() {
        let name = "roc-taskmanager-1-1".to_owned();
        let pod = PodRow { name, is_ready: true, status: "Running".to_owned(), restarts: "0".to_owned() };
        let key = Some(("a".to_owned(), "roc".to_owned()));
        let mut state = State::default();
        state.take(Change::Listed(vec![PodOfTable { key, row: pod }])).expect("list");
        assert_eq!(state.rows.len(), 1);
        state.take::<PodOfTable>(Change::Failed(ClusterError::forbidden("no pods"))).expect("goes on");
        assert!(state.rows.is_empty() && state.parts.hidden.pods);
        assert_eq!((state.touched.len(), state.news.missing.as_slice()), (1, &["no pods".to_owned()][..]));
    }

    #[test]
    fn the_pod_of_an_earlier_bootstrap_takes_that_of_the_next_one_not_along() {
        let pod = |suffix: &str| {
            let name = format!("boot-roc-{suffix}");
            let row = PodRow { name, is_ready: false, status: "Pending".to_owned(), restarts: String::new() };
            BootstrapPod(PodOfTable { key: Some(("a".to_owned(), "roc".to_owned())), row })
        };
        let mut state = State::default();
        for change in [Change::Listed(vec![pod("old")]), Change::Set(pod("new")), Change::Gone(pod("old"))] {
            state.take(change).expect("goes on");
        }
        assert_eq!(state.parts.bootstrap_pods.len(), 1);
        state.take(Change::Gone(pod("new"))).expect("goes on");
        assert!(state.parts.bootstrap_pods.is_empty());
    }

    #[test]
    fn a_watch_that_is_refused_where_the_list_is_not_is_what_is_named() {
        let mut state = State::default();
        state.take::<PodOfTable>(Change::Listed(Vec::new())).expect("list");
        state.take::<Deployment>(Change::Failed(ClusterError::forbidden("no deployments"))).expect("goes on");
        assert_eq!(state.refused.as_deref(), Some("no deployments"));
        state
            .take::<PodOfTable>(Change::Failed(ClusterError::forbidden("no watch of pods")))
            .expect("goes on");
        state.take::<Service>(Change::Failed(ClusterError::forbidden("no services"))).expect("goes on");
        assert_eq!(state.refused.as_deref(), Some("no watch of pods"));
    }
}
