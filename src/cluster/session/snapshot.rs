//! Looks at one session from all sides, for `status`: few requests, most of them at once.

use std::collections::BTreeMap;

use super::evidence::Observed;
use super::relabelled;
use crate::cluster::api::partial::{ConfigMap, is_high_availability};
use crate::cluster::api::table::escape;
use crate::cluster::session::list::{self, Query};
use crate::cluster::{Cluster, ClusterError, Kind, Result};
use crate::model::evidence::{Evidence, Outcome};
use crate::model::status::{Event, Part};
use crate::model::{SessionView, TableView};
use crate::session::existing::ownership::{Holding, holding};
use crate::session::manifest::labels;
use crate::session::{SessionName, flinkdeployment};

/// What Kubernetes knows of one session.
#[derive(Clone, Debug)]
pub struct Look {
    pub evidence: Evidence,
    /// None when there is no such session.
    pub session: Option<SessionView>,
    pub pods: Part<TableView>,
    pub services: Part<TableView>,
    pub config: Part<SessionConfig>,
    pub events: Part<Vec<Event>>,
}

/// What the session's ConfigMaps tell.
#[derive(Clone, Debug, Default)]
pub struct SessionConfig {
    /// Its settings; none when there is no ConfigMap of them.
    pub settings: Option<BTreeMap<String, String>>,
    /// Names of those that hold state of high availability.
    pub high_availability: Vec<String>,
    /// They hold what may be needed to take jobs up again.
    pub holds_jobs: bool,
}

/// Pods in trouble whose events are read; more would tell the same.
const PODS_IN_TROUBLE: usize = 3;

impl Cluster {
    /// Looks at the session `name`. A part that this user may not read is unknown; `wide` is for
    /// the tables, as `-o wide`.
    pub async fn look(&self, namespace: &str, name: &SessionName, wide: bool) -> Result<Look> {
        let of_app = format!("{}={name}", labels::APP);
        let (observed, pods, services, config, events, named) = tokio::join!(
            self.observe_parts(namespace, name),
            self.table(Kind::Pod, namespace, &of_app, wide),
            self.table(Kind::Service, namespace, &of_app, wide),
            self.config_of(namespace, name),
            self.events_of(namespace, name.as_str()),
            self.named_parts(namespace, name),
        );
        let Observed { mut evidence, deployment, job } = observed?;
        let (named, relabelled_config) = named?;
        evidence.add_relabelled(
            named.iter().filter_map(|service| relabelled::of_service(name, service)).chain(relabelled_config),
        );
        let (pods, services) = (part(pods)?, part(services)?);
        let job = match evidence.unreadable.iter().find_map(|part| part.strip_prefix("job: ")) {
            Some(why) => Part::Unknown(why.to_owned()),
            None => Part::Known(job),
        };
        let jobmanagers: Vec<String> = evidence.jobmanagers.iter().map(|pod| pod.name.clone()).collect();
        let of_session = pods.known().map(|table| (table, &jobmanagers[..]));
        let session = match deployment.is_some() {
            true => list::view_of(namespace, name, deployment, job, services.known(), named, of_session),
            // What is left of one takes a closer look.
            false => self.sessions(&Query::of(namespace, name)).await?.views.pop(),
        };
        // What may not be seen is not gone.
        let hidden = evidence.unreadable.iter().find_map(|part| part.strip_prefix("deployment: "));
        if let (None, Some(why)) = (&session, hidden) {
            return Err(ClusterError::forbidden(why));
        }
        let events = match part(events)? {
            Part::Known(events) => self.more_events(namespace, &evidence, pods.known(), events).await?,
            unknown => unknown,
        };
        Ok(Look { evidence, session, pods, services, config: part(config)?, events })
    }

    /// Reads the ConfigMaps of the session `name`.
    pub async fn config_of(&self, namespace: &str, name: &SessionName) -> Result<SessionConfig> {
        let selector = format!("labelSelector={}", escape(&labels::selector_of(name)));
        let mut maps: Vec<ConfigMap> = self.list_of(Kind::ConfigMap, Some(namespace), &selector).await?;
        if !maps.iter().any(|map| map.metadata.name == name.config_map()) {
            // Its labels may have been changed.
            let map = self.object::<ConfigMap>(Kind::ConfigMap, namespace, &name.config_map()).await;
            maps.extend(relabelled::allowed(map)?.filter(|map| map.metadata.marks().is_owned(name)));
        }
        let (state, others): (Vec<ConfigMap>, Vec<ConfigMap>) =
            maps.into_iter().partition(|map| is_high_availability(name, &map.metadata));
        let mut settings = others.into_iter().find(|map| map.metadata.name == name.config_map());
        Ok(SessionConfig {
            settings: settings.as_mut().and_then(|map| flinkdeployment::take_settings(&mut map.data)),
            holds_jobs: state
                .iter()
                .flat_map(|map| map.data.keys())
                .any(|key| holding(key) != Holding::Nothing),
            high_availability: state.into_iter().map(|map| map.metadata.name).collect(),
        })
    }

    /// Events of the pods that tell more than the session's own.
    async fn more_events(
        &self,
        namespace: &str,
        evidence: &Evidence,
        pods: Option<&TableView>,
        mut events: Vec<Event>,
    ) -> Result<Part<Vec<Event>>> {
        let mut names: Vec<String> =
            evidence.jobmanagers.iter().rev().take(2).map(|pod| pod.name.clone()).collect();
        if let Some(bootstrap) = evidence.bootstrap.as_ref().filter(|b| b.outcome != Outcome::Succeeded) {
            names.push(bootstrap.job.clone());
            names.extend(bootstrap.pod.iter().map(|pod| pod.name.clone()));
        }
        names.extend(pods.map(taskmanagers_in_trouble).unwrap_or_default());
        let answers =
            futures::future::join_all(names.iter().map(|name| self.events_of(namespace, name))).await;
        for answer in answers {
            events.extend(answer?);
        }
        events.sort_by_key(|event| event.last_seen);
        Ok(Part::Known(events))
    }
}

fn part<T>(answer: Result<T>) -> Result<Part<T>> {
    match answer {
        Ok(value) => Ok(Part::Known(value)),
        Err(ClusterError::Api(status)) if status.is_forbidden() => Ok(Part::Unknown(status.message)),
        Err(error) => Err(error),
    }
}

fn taskmanagers_in_trouble(pods: &TableView) -> Vec<String> {
    let (Some(name), Some(status)) = (pods.column("NAME"), pods.column("STATUS")) else { return Vec::new() };
    let named = pods.rows.iter().filter_map(|row| row.get(name).zip(row.get(status)));
    let in_trouble = named.filter(|(name, status)| name.contains("-taskmanager-") && *status != "Running");
    in_trouble.take(PODS_IN_TROUBLE).map(|(name, _)| name.clone()).collect()
}
