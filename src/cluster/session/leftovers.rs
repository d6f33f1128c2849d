//! Reads what sessions may have left behind, and what tells that a session lives.
//!
//! What may be left over is read first, what lives afterwards: a session that is born in between lives.

use std::collections::BTreeMap;

use futures::StreamExt;
use jiff::Timestamp;
use serde::Deserialize;
use serde::de::{DeserializeOwned, Deserializer, Error as _, IgnoredAny};
use serde_json::value::RawValue;

use crate::cluster::api::partial::{Bare, METADATA, Metadata, Pod};
use crate::cluster::api::table::escape;
use crate::cluster::session::list::Job;
use crate::cluster::{Cluster, ClusterError, Kind, ObjectRef, Result, Scope};
use crate::model::left_over::{self, Hidden, Inventory, Life, Object, Owner, Sign, Trace, What};
use crate::session::manifest::{bootstrap_job, labels};

/// Namespaces that are read at once, where not all may be read together.
const NAMESPACES_AT_ONCE: usize = 2;

/// What may be left over, place by place.
#[derive(Clone, Debug, Default)]
pub struct Inventories {
    pub places: Vec<Inventory>,
    /// What this user may not list in all namespaces together, in the API server's words.
    pub refused: Vec<String>,
}

impl Inventories {
    /// Nothing was hidden from this user.
    pub fn is_whole(&self) -> bool {
        self.refused.is_empty() && self.places.iter().all(|place| place.hidden.is_empty())
    }
}

/// Whether ClusterRoleBindings are to be removed, too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClusterGrants {
    Removed,
    Listed,
}

/// What tells that sessions live, and what this user may not read of it.
#[derive(Clone, Debug, Default)]
pub struct Signs {
    pub signs: Vec<Sign>,
    pub hidden: Vec<Hidden>,
}

/// An object and the marks of when it was touched, which others do without.
pub(in crate::cluster) struct Marked<T> {
    pub object: T,
    pub marks: Marks,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(in crate::cluster) struct Marks {
    pub resource_version: String,
    managed_fields: Vec<ManagedField>,
}

#[derive(Deserialize)]
struct ManagedField {
    time: Option<Timestamp>,
}

impl<'de, T: DeserializeOwned> Deserialize<'de> for Marked<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        #[derive(Deserialize)]
        struct WithMarks {
            metadata: Marks,
        }
        // The text is read twice, so that `T` need not know of the marks.
        let text = <&RawValue>::deserialize(deserializer)?.get();
        let object = serde_json::from_str(text).map_err(D::Error::custom)?;
        let WithMarks { metadata: marks } = serde_json::from_str(text).map_err(D::Error::custom)?;
        Ok(Self { object, marks })
    }
}

/// A ConfigMap of which only the keys are kept.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Keys {
    metadata: Metadata,
    #[serde(default)]
    data: BTreeMap<String, IgnoredAny>,
    #[serde(default)]
    binary_data: BTreeMap<String, IgnoredAny>,
}

impl Marks {
    /// When the object was made or last changed by anybody, status included.
    fn touched(&self, metadata: &Metadata) -> Option<Timestamp> {
        let changes = self.managed_fields.iter().filter_map(|field| field.time);
        changes.chain(metadata.creation_timestamp).max()
    }

    pub fn trace(&self, kind: left_over::Kind, metadata: &Metadata, what: What) -> Trace {
        let owners = metadata.owner_references.iter();
        Trace {
            object: Object {
                kind,
                namespace: metadata.namespace.clone(),
                name: metadata.name.clone(),
                uid: metadata.uid.clone(),
                resource_version: self.resource_version.clone(),
            },
            session: metadata.labels.get(labels::APP).cloned(),
            owners: owners.map(|o| Owner { kind: o.kind.clone(), name: o.name.clone() }).collect(),
            is_leaving: metadata.deletion_timestamp.is_some(),
            touched: self.touched(metadata),
            what,
        }
    }
}

impl From<&Object> for ObjectRef {
    fn from(object: &Object) -> Self {
        Self {
            kind: match object.kind {
                left_over::Kind::Job => Kind::Job,
                left_over::Kind::Service => Kind::Service,
                left_over::Kind::ConfigMap => Kind::ConfigMap,
                left_over::Kind::Pod => Kind::Pod,
                left_over::Kind::NetworkPolicy => Kind::NetworkPolicy,
                left_over::Kind::ClusterRoleBinding => Kind::ClusterRoleBinding,
            },
            name: object.name.clone(),
            uid: object.uid.clone(),
        }
    }
}

impl Cluster {
    /// All that may be left over in `scope`, as far as this user may see it.
    ///
    /// # Errors
    /// Forbidden when nothing at all may be seen, and whatever else goes wrong.
    pub async fn inventories(&self, scope: &Scope, cluster_grants: ClusterGrants) -> Result<Inventories> {
        let mut found = self.inventories_of_namespaces(scope).await?;
        let namespace = match scope {
            Scope::Namespace(namespace) => Some(namespace.as_str()),
            Scope::AllNamespaces => None,
        };
        match self.unused_cluster_grants(namespace).await {
            Ok(traces) if traces.is_empty() => {}
            Ok(traces) => found.places.push(Inventory { traces, ..Inventory::default() }),
            // Few users may read them, and only those who asked for their removal are to know.
            Err(ClusterError::Api(status)) if status.is_forbidden() => {
                if cluster_grants == ClusterGrants::Removed {
                    let hidden = vec![Hidden { why: status.message, tells_life: false }];
                    found.places.push(Inventory { hidden, ..Inventory::default() });
                }
            }
            Err(error) if error.is_not_found() => {}
            Err(error) => return Err(error),
        }
        Ok(found)
    }

    async fn inventories_of_namespaces(&self, scope: &Scope) -> Result<Inventories> {
        let (all, seen) = match scope {
            Scope::Namespace(namespace) => self.inventory(Some(namespace)).await?,
            Scope::AllNamespaces => self.inventory(None).await?,
        };
        let refusal = all.hidden.first().map(|hidden| hidden.why.clone());
        match (scope, refusal) {
            (Scope::AllNamespaces, Some(_)) => self.inventories_where_allowed(&all).await,
            (Scope::Namespace(_), Some(why)) if !seen => Err(ClusterError::forbidden(&why)),
            _ => Ok(Inventories { places: vec![all], refused: Vec::new() }),
        }
    }

    /// Every namespace that this user may look into, who may not see all together. Without the right
    /// to list namespaces either, that is the current one.
    async fn inventories_where_allowed(&self, all: &Inventory) -> Result<Inventories> {
        let mut refused: Vec<String> = all.hidden.iter().map(|hidden| hidden.why.clone()).collect();
        let mut is_whole = true;
        let namespaces = match self.namespaces().await {
            Ok(namespaces) => namespaces,
            Err(ClusterError::Api(status)) if status.is_forbidden() => {
                refused.push(status.message);
                is_whole = false;
                vec![self.namespace.clone()]
            }
            Err(error) => return Err(error),
        };
        let answers: Vec<Result<(Inventory, bool)>> = futures::stream::iter(namespaces)
            .map(|namespace| async move { self.inventory(Some(&namespace)).await })
            .buffered(NAMESPACES_AT_ONCE)
            .collect()
            .await;
        let mut places = Vec::new();
        for answer in answers {
            // Where one may see nothing is no news: the right for all is named already.
            match answer? {
                (inventory, true) => places.push(inventory),
                (_, false) => is_whole = false,
            }
        }
        if is_whole {
            refused.clear();
        }
        match refused.first() {
            Some(why) if places.is_empty() => Err(ClusterError::forbidden(why)),
            _ => Ok(Inventories { places, refused }),
        }
    }

    /// What may be left over in one namespace, or in all; false when nothing of it may be seen.
    async fn inventory(&self, namespace: Option<&str>) -> Result<(Inventory, bool)> {
        let native = format!("labelSelector={}", escape(&labels::selector_of_all()));
        let taskmanagers =
            format!("{},{}={}", labels::selector_of_all(), labels::COMPONENT, labels::TASKMANAGER);
        let sql = format!("labelSelector={}", escape(&labels::selector_of_sql()));
        let services = format!("{}?{native}", Kind::Service.collection(namespace));
        let taskmanagers =
            format!("{}?labelSelector={}", Kind::Pod.collection(namespace), escape(&taskmanagers));
        let policies = format!(
            "{}?labelSelector={}",
            Kind::NetworkPolicy.collection(namespace),
            escape(&labels::selector_of_network_policies())
        );
        let (config_maps, services, taskmanagers, sql, policies) = tokio::join!(
            self.list_of::<Marked<Keys>>(Kind::ConfigMap, namespace, &native),
            self.listed::<Marked<Bare>>(&services, METADATA),
            self.listed::<Marked<Bare>>(&taskmanagers, METADATA),
            self.list_of::<Marked<Pod>>(Kind::Pod, namespace, &sql),
            self.listed::<Marked<Bare>>(&policies, METADATA),
        );
        let mut reading = Reading::default();
        let now = Timestamp::now();
        for Marked { object, marks } in reading.allowed(config_maps, false)? {
            let Metadata { leader, labels, namespace, .. } = &object.metadata;
            if let (true, Some(session)) =
                (leader.as_ref().is_some_and(|leader| leader.is_alive(now)), labels.get(labels::APP))
            {
                let (namespace, session) = (namespace.clone(), session.clone());
                reading.signs.push(Sign { namespace, session, what: Life::Leader });
            }
            reading.traces.push(marks.trace(left_over::Kind::ConfigMap, &object.metadata, object.what()));
        }
        for Marked { object, marks } in reading.allowed(services, false)? {
            reading.traces.push(marks.trace(left_over::Kind::Service, &object.metadata, What::Service));
        }
        for Marked { object, marks } in reading.allowed(taskmanagers, false)? {
            reading.traces.push(marks.trace(left_over::Kind::Pod, &object.metadata, What::TaskManager));
        }
        for Marked { object, marks } in reading.allowed(policies, false)? {
            let kind = left_over::Kind::NetworkPolicy;
            reading.traces.push(marks.trace(kind, &object.metadata, What::NetworkPolicy));
        }
        for pod in reading.allowed(sql, false)? {
            reading.traces.extend(ended_sql(&pod));
        }
        let jobs = self.list_of::<Marked<Job>>(Kind::Job, namespace, "").await;
        for job in reading.allowed(jobs, true)? {
            if job.object.ended().is_some() {
                reading.traces.extend(ended_bootstrap(&job));
            } else {
                reading.signs.extend(signs_of_job(&job.object));
            }
        }
        if !reading.traces.is_empty() {
            let more = self.signs_beside_jobs(namespace, None).await?;
            reading.signs.extend(more.signs);
            reading.hidden.extend(more.hidden);
        }
        let Reading { traces, signs, hidden, seen } = reading;
        Ok((Inventory { traces, signs, hidden }, seen))
    }

    /// What tells now that the session `name` lives.
    pub async fn signs_of_life(&self, namespace: &str, name: &str) -> Result<Signs> {
        // One that has ended well starts nothing any more.
        let jobs = self.list_of::<Job>(Kind::Job, Some(namespace), "fieldSelector=status.successful%21%3D1");
        let mut reading = Reading::default();
        for job in reading.allowed(jobs.await, true)? {
            if job.ended().is_none() {
                reading.signs.extend(signs_of_job(&job));
            }
        }
        let more = self.signs_beside_jobs(Some(namespace), Some(name)).await?;
        let signs = reading.signs.into_iter().chain(more.signs);
        Ok(Signs {
            signs: signs.filter(|sign| sign.session == name).collect(),
            hidden: reading.hidden.into_iter().chain(more.hidden).collect(),
        })
    }

    /// Everything but bootstrap Jobs, of all sessions or of one: Deployments, whatever their labels,
    /// JobManagers that have not ended, and FlinkDeployments. A Job makes the Deployment: it is read
    /// before.
    async fn signs_beside_jobs(&self, namespace: Option<&str>, name: Option<&str>) -> Result<Signs> {
        let named = name.map(|name| format!("fieldSelector={}", escape(&format!("metadata.name={name}"))));
        let named = named.unwrap_or_default();
        let of_app = name.map(|name| format!(",{}={name}", labels::APP)).unwrap_or_default();
        let jobmanagers =
            format!("{},{}={}{of_app}", labels::selector_of_all(), labels::COMPONENT, labels::JOBMANAGER);
        let deployments = format!("{}?{named}", Kind::Deployment.collection(namespace));
        let jobmanagers = format!(
            "{}?labelSelector={}&fieldSelector={}",
            Kind::Pod.collection(namespace),
            escape(&jobmanagers),
            escape("status.phase!=Succeeded,status.phase!=Failed")
        );
        let (deployments, jobmanagers, operated) = tokio::join!(
            self.listed::<Bare>(&deployments, METADATA),
            self.listed::<Bare>(&jobmanagers, METADATA),
            self.flink_deployments(namespace, &named),
        );
        let mut reading = Reading::default();
        for (what, answer) in [(Life::Deployment, deployments), (Life::FlinkDeployment, operated)] {
            for Bare { metadata } in reading.allowed(answer, true)? {
                reading.signs.push(Sign { namespace: metadata.namespace, session: metadata.name, what });
            }
        }
        for Bare { mut metadata } in reading.allowed(jobmanagers, true)? {
            if let Some(session) = metadata.labels.remove(labels::APP) {
                reading.signs.push(Sign { namespace: metadata.namespace, session, what: Life::JobManager });
            }
        }
        Ok(Signs { signs: reading.signs, hidden: reading.hidden })
    }
}

/// What is read, and what may not be.
#[derive(Default)]
struct Reading {
    traces: Vec<Trace>,
    signs: Vec<Sign>,
    hidden: Vec<Hidden>,
    /// Anything was allowed.
    seen: bool,
}

impl Reading {
    /// The answer, unless it is one that the user may not have: then nothing, and the reason is kept.
    fn allowed<T>(&mut self, answer: Result<Vec<T>>, tells_life: bool) -> Result<Vec<T>> {
        match answer {
            Ok(values) => {
                self.seen = true;
                Ok(values)
            }
            Err(ClusterError::Api(status)) if status.is_forbidden() => {
                self.hidden.push(Hidden { why: status.message, tells_life });
                Ok(Vec::new())
            }
            Err(error) => Err(error),
        }
    }
}

impl Keys {
    fn what(&self) -> What {
        What::ConfigMap {
            keys: self.data.keys().chain(self.binary_data.keys()).cloned().collect(),
            is_labelled_state: self
                .metadata
                .labels
                .get("configmap-type")
                .is_some_and(|value| value == "high-availability"),
        }
    }
}

fn ended_sql(pod: &Marked<Pod>) -> Option<Trace> {
    let status = &pod.object.status;
    if !["Succeeded", "Failed"].contains(&status.phase.as_str()) {
        return None;
    }
    let what = What::Sql { has_failed: status.phase == "Failed" };
    let ended = status.container_statuses.iter().filter_map(|container| container.state.terminated.as_ref());
    let trace = pod.marks.trace(left_over::Kind::Pod, &pod.object.metadata, what);
    Some(Trace { touched: ended.filter_map(|end| end.finished_at).max().or(trace.touched), ..trace })
}

/// The plugin's own bootstrap Job, or one made by hand the documented way, that has ended.
fn ended_bootstrap(job: &Marked<Job>) -> Option<Trace> {
    let (condition, has_succeeded) = job.object.ended()?;
    let failure = (!has_succeeded).then(|| condition.reason.clone().unwrap_or_default());
    let metadata = &job.object.metadata;
    let session = match own(metadata) {
        Some(session) => session.to_owned(),
        None => {
            let named = metadata.name.strip_prefix("boot-")?;
            clients(&job.object).into_iter().find(|session| session == named)?
        }
    };
    Some(Trace {
        session: Some(session),
        touched: condition.last_transition_time.or_else(|| job.marks.touched(metadata)),
        ..job.marks.trace(left_over::Kind::Job, metadata, What::Bootstrap { failure })
    })
}

/// The sessions that a Job which has not ended may be starting, whatever it is called; by its name alone
/// it may do so in a way that is not known.
fn signs_of_job(job: &Job) -> impl Iterator<Item = Sign> {
    let metadata = &job.metadata;
    let named = metadata.name.strip_prefix("boot-").into_iter().chain(own(metadata)).map(str::to_owned);
    let sessions: Vec<String> = named.chain(clients(job)).collect();
    let namespace = metadata.namespace.clone();
    sessions.into_iter().map(move |session| Sign {
        namespace: namespace.clone(),
        session,
        what: Life::Bootstrap,
    })
}

/// The session of the plugin's own bootstrap Job.
fn own(metadata: &Metadata) -> Option<&str> {
    let label = |key: &str| metadata.labels.get(key).map(String::as_str);
    let is_own =
        label(labels::MANAGED_BY) == Some(labels::PLUGIN) && label(labels::ROLE) == Some(labels::BOOTSTRAP);
    label(labels::APP).filter(|_| is_own)
}

/// The sessions that the containers of a Job make with Flink's client.
fn clients(job: &Job) -> Vec<String> {
    let mut sessions = Vec::new();
    for container in &job.spec.template.spec.containers {
        let words: Vec<String> = container.words().cloned().collect();
        sessions.extend(bootstrap_job::sessions_of_client(&words).map(str::to_owned));
    }
    sessions
}
