//! Which sessions there are, from small requests: Deployments and Services cut down to what is shown,
//! pods as table rows without their objects.

mod everywhere;
mod follow;
mod parts;
mod pods;
mod services;

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use crate::cluster::api::partial::{Bare, Metadata, Template};
use crate::cluster::api::table::escape;
use crate::cluster::{Cluster, ClusterError, Kind, Result};
use crate::model::TableView;
use crate::model::session::SessionView;
use crate::model::status::Part;
use crate::session::SessionName;
use crate::session::existing::state::Bootstrap;
use crate::session::manifest::labels;

pub use follow::{Follow, News, SessionEvent};
pub(in crate::cluster) use parts::{Deployment, Job, Service};
use parts::{Key, Parts, key_by_label};
use pods::{PodColumns, PodsOfSession};
use services::ServiceRows;

/// Where to look for sessions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scope {
    Namespace(String),
    AllNamespaces,
}

/// Which sessions to look for.
#[derive(Clone, Debug)]
pub struct Query {
    pub scope: Scope,
    /// Only these, unless it is empty.
    pub names: Vec<SessionName>,
    /// A label selector that the session's Deployment must meet; its bootstrap Job where there is no
    /// Deployment yet.
    pub selector: Option<String>,
    /// Also read what only tells whose a session is.
    pub with_owners: bool,
}

/// The sessions that were found.
#[derive(Clone, Debug, Default)]
pub struct Sessions {
    /// By namespace and name.
    pub views: Vec<SessionView>,
    /// What this user may not list, in the API server's words.
    pub missing: Vec<String>,
}

impl Scope {
    fn namespace(&self) -> Option<&str> {
        match self {
            Self::Namespace(namespace) => Some(namespace),
            Self::AllNamespaces => None,
        }
    }
}

impl Query {
    /// The session `name` of a namespace.
    pub fn of(namespace: &str, name: &SessionName) -> Self {
        Self {
            scope: Scope::Namespace(namespace.to_owned()),
            names: vec![name.clone()],
            selector: None,
            with_owners: true,
        }
    }

    /// The selector of all that Flink made for the sessions of `names`.
    fn native(&self) -> String {
        labels::narrowed(labels::selector_of_all(), &self.names)
    }

    fn deployments(&self) -> String {
        format!("labelSelector={}", escape(&self.chosen(self.native())))
    }

    /// The bootstrap Jobs. One that has ended well tells no more than who made the session.
    fn bootstraps(&self) -> String {
        let selector = self.chosen(labels::narrowed(labels::selector_of_bootstraps(), &self.names));
        let unfinished = if self.with_owners { "" } else { "&fieldSelector=status.successful%21%3D1" };
        format!("labelSelector={}{unfinished}", escape(&selector))
    }

    /// Everything that Flink made for the sessions.
    fn all_parts(&self) -> String {
        format!("labelSelector={}", escape(&self.native()))
    }

    fn bootstrap_pods(&self) -> String {
        let selector = labels::narrowed(labels::selector_of_bootstraps(), &self.names);
        format!("labelSelector={}", escape(&selector))
    }

    fn chosen(&self, selector: String) -> String {
        match &self.selector {
            Some(more) => format!("{selector},{more}"),
            None => selector,
        }
    }

    /// What is left of a session has no Deployment that could meet a selector.
    fn takes_left_overs(&self) -> bool {
        self.selector.is_none()
    }
}

impl Sessions {
    /// The answer, unless it is one that the user may not have: then none, and the reason is kept.
    fn allowed<T>(&mut self, answer: Result<T>) -> Result<Option<T>> {
        match answer {
            Ok(value) => Ok(Some(value)),
            Err(ClusterError::Api(status)) if status.is_forbidden() => {
                if !self.missing.contains(&status.message) {
                    self.missing.push(status.message);
                }
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }
}

/// Sessions that are read one by one; of more, all are listed.
const MOST_CLOSELY: usize = 50;

enum ServicesOrRows {
    Services(Vec<Service>),
    Rows(ServiceRows),
}

/// The pods of one namespace, by session.
type PodsBySession = BTreeMap<String, PodsOfSession>;

/// The same by namespace.
type Pods = BTreeMap<String, PodsBySession>;

impl Cluster {
    /// The sessions that `query` asks for, as far as this user may see them. Application clusters
    /// are none.
    ///
    /// # Errors
    /// Forbidden when nothing at all may be seen, and whatever else goes wrong.
    pub async fn sessions(&self, query: &Query) -> Result<Sessions> {
        match &query.scope {
            Scope::Namespace(namespace) => self.sessions_of(namespace, query).await,
            Scope::AllNamespaces => self.all_sessions(query).await,
        }
    }

    async fn sessions_of(&self, namespace: &str, query: &Query) -> Result<Sessions> {
        let mut found = Sessions::default();
        let (parts, pods) = tokio::join!(self.parts(query), self.pods_by_session(Some(namespace), query));
        let (mut parts, answers) = parts?;
        let nothing = answers.iter().all(Result::is_err) && pods.is_err();
        for answer in answers {
            if nothing {
                answer?;
            } else {
                found.allowed(answer)?;
            }
        }
        let pods = found.allowed(pods)?;
        parts.hidden.pods = pods.is_none();
        let pods = BTreeMap::from([(namespace.to_owned(), pods.unwrap_or_default())]);
        if query.takes_left_overs() && !parts.hidden.deployments {
            self.look_closely(&mut parts, &pods, query).await?;
        }
        found.views = views(&parts, &pods, query);
        if parts.hidden.deployments && !parts.hidden.pods {
            self.add_what_pods_tell(namespace, query, &mut found).await?;
        }
        Ok(found)
    }

    /// Everything of the sessions but their pods, and the answers that were refused to this user.
    async fn parts(&self, query: &Query) -> Result<(Parts, [Result<()>; 3])> {
        let namespace = query.scope.namespace();
        let (deployments, jobs) = (query.deployments(), query.bootstraps());
        let (deployments, jobs, services) = tokio::join!(
            self.list_of::<Deployment>(Kind::Deployment, namespace, &deployments),
            self.list_of::<Job>(Kind::Job, namespace, &jobs),
            self.known_services(namespace, query),
        );
        let mut parts = Parts::default();
        let deployments =
            refused(deployments)?.map(|all| all.into_iter().for_each(|each| parts.add_deployment(each)));
        let jobs = refused(jobs)?.map(|all| all.into_iter().for_each(|each| parts.add_bootstrap(each)));
        let services = match refused(services)? {
            Ok(ServicesOrRows::Services(all)) => {
                all.into_iter().for_each(|each| parts.add_service(each));
                Ok(())
            }
            Ok(ServicesOrRows::Rows(rows)) => {
                Ok(self.add_services(namespace, query, rows, &mut parts).await?)
            }
            Err(error) => Err(error),
        };
        self.drop_what_is_not_chosen(query, &mut parts).await?;
        self.add_bootstrap_pods(&mut parts).await?;
        parts.hidden.deployments = deployments.is_err();
        parts.hidden.jobs = jobs.is_err();
        parts.hidden.services = services.is_err();
        Ok((parts, [deployments, jobs, services]))
    }

    /// The Services where their types are shown, else the rows that tell which there are.
    async fn known_services(&self, namespace: Option<&str>, query: &Query) -> Result<ServicesOrRows> {
        match query.with_owners {
            true => self.services(namespace, &query.native()).await.map(ServicesOrRows::Services),
            false => self.service_rows(namespace, query).await.map(ServicesOrRows::Rows),
        }
    }

    /// A selector may meet the bootstrap Job of a session whose Deployment it does not meet: only where
    /// there is no Deployment, the Job stands for the session.
    async fn drop_what_is_not_chosen(&self, query: &Query, parts: &mut Parts) -> Result<()> {
        if query.takes_left_overs() {
            return Ok(());
        }
        let unborn: Vec<Key> = parts.unborn().cloned().collect();
        for key in unborn {
            let bootstrap = parts.bootstraps.get(&key).map(parts::bootstrap);
            let is_complete = bootstrap == Some(Bootstrap::Succeeded);
            if is_complete || self.object::<Bare>(Kind::Deployment, &key.0, &key.1).await?.is_some() {
                parts.bootstraps.remove(&key);
            }
        }
        Ok(())
    }

    /// Reads what the lists may have left out of sessions that seem to lack it. The lists are not of one moment,
    /// so that a session that seems to be left over may just have been born; and they go by labels, which may
    /// have been changed.
    async fn look_closely(&self, parts: &mut Parts, pods: &Pods, query: &Query) -> Result<()> {
        let of_pods = pods.iter().flat_map(|(namespace, sessions)| {
            sessions.keys().map(move |session| (namespace.clone(), session.clone()))
        });
        let left_over = parts.left_over(of_pods);
        if left_over.len() > MOST_CLOSELY {
            let all = self.list_of::<Deployment>(Kind::Deployment, query.scope.namespace(), "").await;
            let all = refused(all)?.into_iter().flatten();
            let is_of =
                |deployment: &Deployment| left_over.contains(&parts::key_by_name(&deployment.metadata));
            all.filter(is_of).for_each(|deployment| parts.add_deployment(deployment));
        } else {
            for (namespace, name) in left_over {
                let deployment = self.object::<Deployment>(Kind::Deployment, &namespace, &name).await;
                if let Ok(Some(deployment)) = refused(deployment)? {
                    parts.add_deployment(deployment);
                }
            }
        }
        if parts.hidden.services {
            return Ok(());
        }
        let without: Vec<Key> = parts.without_services().take(MOST_CLOSELY).cloned().collect();
        for (namespace, name) in without {
            let Ok(name) = SessionName::existing(&name) else { continue };
            let (services, _) = self.named_parts(&namespace, &name).await?;
            services.into_iter().for_each(|service| parts.add_service(service));
        }
        Ok(())
    }

    /// Adds how the pods of bootstrap Jobs are that have made nothing yet: few, if any.
    async fn add_bootstrap_pods(&self, parts: &mut Parts) -> Result<()> {
        let namespaces: BTreeSet<String> = parts.unborn().map(|(namespace, _)| namespace.clone()).collect();
        for namespace in namespaces {
            let selector = labels::selector_of_bootstraps();
            let listed =
                self.each_row(Kind::Pod, Some(&namespace), &selector, |found: &mut Vec<_>, head, row| {
                    let Some(pod) = PodColumns::of(head).map(|columns| columns.read(&row)) else { return };
                    if let Some(session) = pods::bootstrapped_session(&pod.name).map(str::to_owned) {
                        found.push(((namespace.clone(), session), pod));
                    }
                });
            // Whoever may not list pods is told so when it comes to the session's own.
            if let Ok((_, found)) = refused(listed.await)? {
                parts.bootstrap_pods.extend(found);
            }
        }
        Ok(())
    }

    async fn pods_by_session(&self, namespace: Option<&str>, query: &Query) -> Result<PodsBySession> {
        let native = query.native();
        let sessions = self.each_row(Kind::Pod, namespace, &native, |sessions, head, row| {
            if let Some(columns) = PodColumns::of(head) {
                pods::add_to(sessions, &columns.read(&row));
            }
        });
        sessions.await.map(|(_, sessions)| sessions)
    }

    /// What only the Deployment tells otherwise, from the pods that it has made. Application
    /// clusters are found out here.
    async fn add_what_pods_tell(&self, namespace: &str, query: &Query, found: &mut Sessions) -> Result<()> {
        #[derive(Deserialize)]
        struct Pod {
            metadata: Metadata,
            spec: crate::cluster::api::partial::TemplateSpec,
        }
        let selector = format!("{},{}={}", query.native(), labels::COMPONENT, labels::JOBMANAGER);
        let selector = format!("labelSelector={}", escape(&query.chosen(selector)));
        let pods: Vec<Pod> = self.list_of(Kind::Pod, Some(namespace), &selector).await?;
        let pods: BTreeMap<Key, Pod> =
            pods.into_iter().filter_map(|pod| Some((key_by_label(&pod.metadata)?, pod))).collect();
        found.views.retain_mut(|view| {
            let Some(pod) = pods.get(&(view.namespace.clone(), view.name.clone())) else {
                // Seen by its bootstrap Job, or a pod that has gone meanwhile.
                return query.takes_left_overs();
            };
            let template = Template { spec: pod.spec.clone() };
            *view = parts::with_template(std::mem::take(view), &pod.metadata, &template);
            !template.is_application()
        });
        Ok(())
    }
}

/// The session that these parts of it make together; its Services and pods are table rows, and `named` the Services
/// that were read by name.
pub(in crate::cluster) fn view_of(
    namespace: &str,
    name: &SessionName,
    deployment: Option<Deployment>,
    job: Part<Option<Job>>,
    services: Option<&TableView>,
    named: Vec<Service>,
    pods: Option<(&TableView, &[String])>,
) -> Option<SessionView> {
    let mut parts = Parts::default();
    parts.hidden.jobs = job.known().is_none();
    parts.hidden.services = services.is_none();
    parts.hidden.pods = pods.is_none();
    let key = (namespace.to_owned(), name.to_string());
    deployment.into_iter().for_each(|deployment| parts.add_deployment(deployment));
    if let Part::Known(Some(job)) = job {
        parts.bootstraps.insert(key.clone(), job);
    }
    services
        .into_iter()
        .flat_map(|table| parts::services_of(&key, table))
        .chain(named)
        .for_each(|service| parts.add_service(service));
    let mut of_session = PodsOfSession::default();
    if let Some((table, jobmanagers)) = pods {
        pods::rows_of(name, table, jobmanagers).for_each(|pod| of_session.add(&pod));
    }
    parts.view(&key, &of_session)
}

fn views(parts: &Parts, pods: &Pods, query: &Query) -> Vec<SessionView> {
    let none = PodsOfSession::default();
    let of_pods = pods.iter().flat_map(|(namespace, sessions)| {
        sessions.keys().map(move |session| (namespace.clone(), session.clone()))
    });
    let mut keys: BTreeSet<Key> = parts.keys().into_iter().cloned().collect();
    keys.extend(of_pods);
    keys.into_iter()
        .filter(|key| query.takes_left_overs() || parts.is_chosen(key))
        .filter_map(|key| {
            let pods = pods.get(&key.0).and_then(|sessions| sessions.get(&key.1));
            parts.view(&key, pods.unwrap_or(&none))
        })
        .collect()
}

/// Tells a refusal, which hides a part from this user, from the errors that end it.
fn refused<T>(answer: Result<T>) -> Result<Result<T>> {
    match answer {
        Err(error) if !error.is_forbidden() => Err(error),
        answer => Ok(answer),
    }
}
