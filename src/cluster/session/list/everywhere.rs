//! The sessions of all namespaces.

use std::collections::{BTreeMap, BTreeSet};

use futures::StreamExt;

use super::parts::{Key, Parts};
use super::pods::PodsOfSession;
use super::{Pods, PodsBySession, Query, Scope, Sessions, views};
use crate::cluster::api::partial::{Bare, METADATA};
use crate::cluster::{Cluster, ClusterError, Kind, Result};
use crate::session::manifest::labels;

/// Names of sessions in one selector.
const SESSIONS_AT_ONCE: usize = 100;

/// Requests for several namespaces at once.
const NAMESPACES_AT_ONCE: usize = 4;

impl Cluster {
    /// One table has the pods of all namespaces. Its rows do not tell their namespace: most sessions'
    /// names do, and only where a name occurs several times the namespaces are asked one by one.
    pub(super) async fn all_sessions(&self, query: &Query) -> Result<Sessions> {
        let mut found = Sessions::default();
        let (parts, rows) = tokio::join!(self.parts(query), self.pods_by_session(None, query));
        let (mut parts, answers) = parts?;
        for answer in answers {
            found.allowed(answer)?;
        }
        if parts.hidden.deployments {
            return self.sessions_where_allowed(query, found).await;
        }
        let mut pods = Pods::new();
        let doubtful = match rows {
            Ok(rows) => self.sort_by_namespace(rows, query, &parts, &mut pods).await?,
            Err(error) if error.is_forbidden() => {
                parts.keys().into_iter().map(|(namespace, _)| namespace.clone()).collect()
            }
            Err(error) => return Err(error),
        };
        let answers: Vec<(String, Result<PodsBySession>)> = futures::stream::iter(doubtful)
            .map(|namespace| async move {
                let pods = self.pods_by_session(Some(&namespace), query).await;
                (namespace, pods)
            })
            .buffer_unordered(NAMESPACES_AT_ONCE)
            .collect()
            .await;
        for (namespace, answer) in answers {
            match found.allowed(answer)? {
                Some(of_namespace) => drop(pods.insert(namespace, of_namespace)),
                None => drop(parts.hidden.pods_of.insert(namespace)),
            }
        }
        if query.takes_left_overs() {
            self.look_closely(&mut parts, &pods, query).await?;
        }
        found.views = views(&parts, &pods, query);
        Ok(found)
    }

    /// Gives the pods of each session to the namespace that has a session of that name. Returns the
    /// namespaces that must be asked: those of a name that several have, that none has, or that has
    /// more JobManagers than it should.
    ///
    /// TaskManagers of a session that is just being deleted count for one of the same name elsewhere,
    /// for the seconds until they are gone.
    async fn sort_by_namespace(
        &self,
        rows: PodsBySession,
        query: &Query,
        parts: &Parts,
        pods: &mut Pods,
    ) -> Result<BTreeSet<String>> {
        let mut namespaces: BTreeMap<&str, Vec<&Key>> = BTreeMap::new();
        for key in parts.keys() {
            namespaces.entry(&key.1).or_default().push(key);
        }
        let mut doubtful: BTreeSet<String> = BTreeSet::new();
        let mut homeless = Vec::new();
        for (session, of_session) in rows {
            match namespaces.get(session.as_str()).map(Vec::as_slice) {
                Some([key]) if fits(parts, key, &of_session) => {
                    pods.entry(key.0.clone()).or_default().insert(session, of_session);
                }
                Some([_]) => homeless.push(session),
                Some(several) => doubtful.extend(several.iter().map(|key| key.0.clone())),
                None if query.takes_left_overs() => homeless.push(session),
                None => {}
            }
        }
        for sessions in homeless.chunks(SESSIONS_AT_ONCE) {
            let selector =
                format!("{},{} in ({})", labels::selector_of_all(), labels::APP, sessions.join(","));
            let pods = self.metadata_of(Kind::Pod, None, &selector).await?;
            doubtful.extend(pods.into_iter().map(|pod| pod.metadata.namespace));
        }
        Ok(doubtful)
    }

    /// The sessions of every namespace that this user may look into, who may not list Deployments
    /// of all. Without the right to list namespaces either, that is the current one.
    async fn sessions_where_allowed(&self, query: &Query, mut found: Sessions) -> Result<Sessions> {
        let namespaces = match self.namespaces().await {
            Ok(namespaces) => namespaces,
            Err(error) if error.is_forbidden() => vec![self.namespace.clone()],
            Err(error) => return Err(error),
        };
        let answers: Vec<Result<Sessions>> = futures::stream::iter(namespaces)
            .map(|namespace| async move {
                let query = Query { scope: Scope::Namespace(namespace.clone()), ..query.clone() };
                self.sessions_of(&namespace, &query).await
            })
            .buffered(NAMESPACES_AT_ONCE / 2)
            .collect()
            .await;
        let mut seen = false;
        for answer in answers {
            match answer {
                Ok(of_namespace) => {
                    seen = true;
                    found.views.extend(of_namespace.views);
                    found.missing.extend(of_namespace.missing);
                }
                // Where one may see nothing is no news: the right for all is named already.
                Err(error) if error.is_forbidden() => {}
                Err(error) => return Err(error),
            }
        }
        match (seen, found.missing.first()) {
            (false, Some(message)) => Err(ClusterError::forbidden(message)),
            _ => Ok(found),
        }
    }

    /// The names of all namespaces.
    pub async fn namespaces(&self) -> Result<Vec<String>> {
        let names =
            self.each_of("/api/v1/namespaces", METADATA, "items", |names: &mut Vec<_>, _, namespace| {
                names.push(serde_json::from_slice::<Bare>(namespace)?.metadata.name);
                Ok(())
            });
        names.await.map(|(_, names)| names)
    }
}

/// True when all these pods may be those of one session. An evicted JobManager that is still listed asks
/// for a closer look too, which does no harm.
fn fits(parts: &Parts, key: &Key, pods: &PodsOfSession) -> bool {
    let desired = parts.deployments.get(key).map_or(0, |deployment| deployment.spec.replicas.unwrap_or(1));
    usize::try_from(desired).is_ok_and(|desired| pods.jobmanagers <= desired)
}
