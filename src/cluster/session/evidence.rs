//! Observes one session. Thin reading here, pure extraction below, judgement in `diagnosis`.

use jiff::Timestamp;

use super::jobmanagers::{Ancestry, RestPort, is_labelled_jobmanager};
use super::relabelled::{self, Sets};
use crate::cluster::api::partial::{ContainerState, Pod, Template, TemplateSpec};
use crate::cluster::api::table::escape;
use crate::cluster::session::environment::amounts;
use crate::cluster::session::list::{Deployment, Job};
use crate::cluster::{Cluster, ClusterError, Kind, Result};
use crate::model::evidence::{self, Evidence, Exit, Outcome, Unschedulable};
use crate::model::surroundings::Amounts;
use crate::session::SessionName;
use crate::session::existing::state::Identity;
use crate::session::manifest::labels;
use crate::session::spec::high_availability;

/// What an observation is made of.
pub(in crate::cluster) struct Observed {
    pub evidence: Evidence,
    pub deployment: Option<Deployment>,
    pub job: Option<Job>,
}

impl Cluster {
    /// Observes the session `name` by its bootstrap Job, its Deployment and the pods of both.
    /// TaskManagers are left out: there may be thousands. Logs and events are read only where
    /// something went wrong and nothing else says why.
    pub async fn observe(&self, namespace: &str, name: &SessionName) -> Result<Evidence> {
        self.observe_parts(namespace, name).await.map(|observed| observed.evidence)
    }

    pub(in crate::cluster) async fn observe_parts(
        &self,
        namespace: &str,
        name: &SessionName,
    ) -> Result<Observed> {
        let mut evidence = Evidence::empty(name.as_str(), namespace, Timestamp::now());
        evidence.scope = self.full_scope();
        let job = name.bootstrap_job();
        let selector = format!("{}={name},{}!={}", labels::APP, labels::COMPONENT, labels::TASKMANAGER);
        let selector = format!("labelSelector={}", escape(&selector));
        let (job, deployment, pods, replica_sets, service) = tokio::join!(
            self.object::<Job>(Kind::Job, namespace, &job),
            self.object::<Deployment>(Kind::Deployment, namespace, name.as_str()),
            self.list_of::<Pod>(Kind::Pod, Some(namespace), &selector),
            self.replica_sets_of(namespace, name),
            self.rest_service(namespace, name),
        );
        let job = part(&mut evidence, "job", job)?;
        let mut deployment = part(&mut evidence, "deployment", deployment)?;
        let succeeded = job.as_ref().is_some_and(|job| bootstrap(job).outcome == Outcome::Succeeded);
        if succeeded && deployment.is_none() {
            // The reads are not of one moment: now that the Job is complete, what it made is there.
            let again = self.object::<Deployment>(Kind::Deployment, namespace, name.as_str()).await;
            deployment = part(&mut evidence, "deployment", again)?;
        }
        // Another program's Deployment of that name is not a session.
        let all = deployment;
        let is_flinks =
            |deployment: &Deployment| relabelled::identity(name.as_str(), deployment) != Identity::Foreign;
        evidence.has_foreign_deployment = all.as_ref().is_some_and(|deployment| !is_flinks(deployment));
        let deployment = all.filter(is_flinks);
        let pods = part(&mut evidence, "pods", pods.map(Some))?.unwrap_or_default();

        let (replica_sets, service) = (replica_sets?, service?);
        evidence.add_relabelled(
            deployment.as_ref().and_then(|deployment| relabelled::of_deployment(name.as_str(), deployment)),
        );
        evidence.add_relabelled(service.as_ref().and_then(|service| relabelled::of_service(name, service)));
        let sets = replica_sets.clone().unwrap_or_default();
        let ancestry =
            Ancestry::new(deployment.as_ref().map(|deployment| &deployment.metadata), replica_sets);
        evidence.deployment_uid = ancestry.deployment_uid(name, service.as_ref(), &pods);
        let (jobmanagers, others): (Vec<&Pod>, Vec<&Pod>) =
            pods.iter().partition(|pod| ancestry.includes(name, &pod.metadata));
        let is_foreign = |pod: &&&Pod| is_labelled_jobmanager(&pod.metadata);
        evidence.foreign_jobmanagers =
            others.iter().filter(is_foreign).map(|pod| pod.metadata.name.clone()).collect();
        if let (Some(deployment), None) = (&deployment, evidence.why_pods_are_unknown()) {
            let sets = Sets::new(name, deployment, &sets);
            let released = self.released_jobmanagers(namespace, &sets, &pods, &jobmanagers).await?;
            evidence.add_relabelled(released);
        }
        let replicas = deployment.as_ref().and_then(|deployment| deployment.spec.replicas).unwrap_or(1);
        let are_several = jobmanagers.len() > 1 || replicas > 1;
        let have_restarted = jobmanagers.iter().any(|pod| pod.has_restarted());
        let settings = match are_several || have_restarted || !RestPort::is_settled_by(service.as_ref()) {
            true => self.settings_of(namespace, name).await?,
            false => None,
        };
        evidence.high_availability =
            settings.as_ref().map(|settings| high_availability::of(settings).service.is_some());
        let rest_port = RestPort::of(service.as_ref(), settings.as_ref());
        evidence.jobmanagers = jobmanagers
            .into_iter()
            .map(|of| evidence::Pod { rest_port: rest_port.in_pod(&of.spec), ..pod(of) })
            .collect();
        evidence.jobmanagers.sort_by_key(|pod| pod.created);
        evidence.deployment = deployment.as_ref().map(deployment_evidence);
        evidence.bootstrap = job.as_ref().map(|job| evidence::Bootstrap {
            pod: others.iter().find(|pod| is_owned_by(pod, job)).map(|p| pod(p)),
            ..bootstrap(job)
        });
        self.explain(&mut evidence).await;
        Ok(Observed { evidence, deployment, job })
    }

    /// The pod `name` as it is now; none when it is gone. Its port for REST is not looked for. A list of one, since
    /// that is what a user needs permission for anyway.
    pub async fn pod(&self, namespace: &str, name: &str) -> Result<Option<evidence::Pod>> {
        let query = format!("fieldSelector=metadata.name%3D{name}");
        let found = self.list_of::<Pod>(Kind::Pod, Some(namespace), &query).await?;
        Ok(found.iter().find(|found| found.metadata.name == name).map(pod))
    }

    /// Adds to `evidence` why TaskManagers do not come: those that are there and do not run, and, where
    /// there is none, the end of the JobManager's log. What this user may not read stays unknown.
    pub async fn observe_waiting_taskmanagers(&self, evidence: &mut Evidence) -> Result<()> {
        /// More would tell the same.
        const ENOUGH: u32 = 20;
        let selector =
            format!("{}={},{}={}", labels::APP, evidence.name, labels::COMPONENT, labels::TASKMANAGER);
        let query = format!(
            "labelSelector={}&fieldSelector=status.phase!%3DRunning&limit={ENOUGH}",
            escape(&selector)
        );
        let namespace = evidence.namespace.clone();
        let pods = self.list_of::<Pod>(Kind::Pod, Some(&namespace), &query).await;
        let pods = part(evidence, "TaskManager pods", pods.map(Some))?.unwrap_or_default();
        evidence.waiting_taskmanagers = pods.iter().map(pod).collect();
        if evidence.waiting_taskmanagers.is_empty()
            && let Some(jobmanager) = evidence.jobmanagers.iter().rev().find(|pod| pod.ready && !pod.deleting)
        {
            evidence.jobmanager_log = self.log_tail(&namespace, &jobmanager.name, false).await.ok();
        }
        Ok(())
    }

    /// Adds what only logs and events tell.
    async fn explain(&self, evidence: &mut Evidence) {
        let namespace = evidence.namespace.clone();
        if let Some(bootstrap) = &mut evidence.bootstrap {
            match (&bootstrap.pod, &bootstrap.outcome) {
                (None, Outcome::Running) => {
                    let event = self.event_message(&namespace, &bootstrap.uid, "FailedCreate").await;
                    bootstrap.pod_refused = event.ok().flatten();
                }
                (Some(pod), Outcome::Failed(_)) => {
                    bootstrap.log = self.log_tail(&namespace, &pod.name, false).await.ok();
                }
                _ => {}
            }
        }
        let mut finds_no_room = false;
        let bootstrap_pod = evidence.bootstrap.as_mut().and_then(|bootstrap| bootstrap.pod.as_mut());
        for pod in bootstrap_pod.into_iter().chain(&mut evidence.jobmanagers) {
            if pod.ended.as_ref().is_some_and(|exit| exit.code != 0) {
                pod.last_log = self.log_tail(&namespace, &pod.name, false).await.ok();
            } else if pod.ended_before.is_some() {
                pod.last_log = self.log_tail(&namespace, &pod.name, true).await.ok();
            }
            if let Some(unschedulable) = &mut pod.unschedulable {
                // cluster-autoscaler and Karpenter say so by these events.
                for reason in ["TriggeredScaleUp", "Nominated"] {
                    let event = self.event_message(&namespace, &pod.uid, reason).await;
                    unschedulable.node_is_coming |= matches!(event, Ok(Some(_)));
                }
                finds_no_room |= unschedulable.message.contains("Insufficient");
            }
        }
        if finds_no_room {
            evidence.nodes = self.nodes_seen_lately().await;
        }
    }
}

/// A part that may not be read is noted and left out; any other error ends the observation.
fn part<T>(evidence: &mut Evidence, what: &str, answer: Result<Option<T>>) -> Result<Option<T>> {
    match answer {
        Err(ClusterError::Api(status)) if status.is_forbidden() => {
            evidence.unreadable.push(format!("{what}: {}", status.message));
            Ok(None)
        }
        answer => answer,
    }
}

fn is_owned_by(pod: &Pod, job: &Job) -> bool {
    pod.metadata.owner_references.iter().any(|owner| owner.uid == job.metadata.uid)
}

fn bootstrap(job: &Job) -> evidence::Bootstrap {
    let (mut outcome, mut ended) = (Outcome::Running, None);
    for condition in job.status.conditions.iter().filter(|condition| condition.status == "True") {
        outcome = match condition.type_.as_str() {
            "Complete" | "SuccessCriteriaMet" => Outcome::Succeeded,
            "Failed" | "FailureTarget" => Outcome::Failed(format!(
                "{}: {}",
                condition.reason.as_deref().unwrap_or("Failed"),
                condition.message.as_deref().unwrap_or("no message")
            )),
            _ => continue,
        };
        ended = condition.last_transition_time;
    }
    evidence::Bootstrap {
        job: job.metadata.name.clone(),
        uid: job.metadata.uid.clone(),
        created: job.metadata.creation_timestamp,
        deleting: job.metadata.deletion_timestamp.is_some(),
        outcome,
        ended,
        ..evidence::Bootstrap::default()
    }
}

fn deployment_evidence(deployment: &Deployment) -> evidence::Deployment {
    let mut conditions = deployment.status.conditions.iter();
    evidence::Deployment {
        uid: deployment.metadata.uid.clone(),
        created: deployment.metadata.creation_timestamp,
        deleting: deployment.metadata.deletion_timestamp.is_some(),
        is_paused: deployment.spec.paused,
        replicas: deployment.spec.replicas.unwrap_or(1),
        ready: deployment.status.ready_replicas,
        updated: deployment.status.updated_replicas,
        is_application: deployment.spec.template.is_application(),
        pod_refused: conditions
            .find(|condition| condition.type_ == "ReplicaFailure" && condition.status == "True")
            .map(|condition| condition.message.clone().unwrap_or_default()),
    }
}

fn pod(pod: &Pod) -> evidence::Pod {
    // The kubelet sorts them by name: another container may stand in front of Flink's.
    let template = Template { spec: pod.spec.clone() };
    let main = template.main().map(|container| container.name.as_str()).unwrap_or_default();
    let statuses = &pod.status.container_statuses;
    let container = statuses.iter().find(|status| status.name == main).or(statuses.first());
    let container = container.cloned().unwrap_or_default();
    let unschedulable = pod.status.conditions.iter().find(|c| {
        c.type_ == "PodScheduled" && c.status == "False" && c.reason.as_deref() == Some("Unschedulable")
    });
    let set = pod.metadata.owner_references.iter().find(|owner| owner.kind == "ReplicaSet");
    evidence::Pod {
        name: pod.metadata.name.clone(),
        uid: pod.metadata.uid.clone(),
        replica_set: set.map(|owner| owner.name.clone()),
        replica_set_uid: set.map(|owner| owner.uid.clone()),
        container_id: container.container_id.filter(|id| !id.is_empty()),
        created: pod.metadata.creation_timestamp,
        deleting: pod.metadata.deletion_timestamp.is_some(),
        phase: pod.status.phase.clone(),
        ready: container.ready,
        requests: requests(&pod.spec),
        unschedulable: unschedulable.map(|condition| Unschedulable {
            since: condition.last_transition_time,
            message: condition.message.clone().unwrap_or_default(),
            node_is_coming: false,
        }),
        ended: exit(&container.state),
        ended_before: exit(&container.last_state),
        waiting: container.state.waiting.map(|waiting| (waiting.reason, waiting.message)),
        started: container.state.running.and_then(|running| running.started_at),
        restarts: container.restart_count,
        rest_port: None,
        ip: pod.status.pod_ip.clone(),
        last_log: None,
    }
}

/// What the containers ask for together. The kubelet adds what it needs for itself: it is never less.
fn requests(spec: &TemplateSpec) -> Amounts {
    let mut requests = Amounts::new();
    for container in &spec.containers {
        for (resource, amount) in amounts(container.resources.requests.clone()) {
            let sum: &mut i128 = requests.entry(resource).or_default();
            *sum = sum.saturating_add(amount);
        }
    }
    requests
}

fn exit(state: &ContainerState) -> Option<Exit> {
    state.terminated.as_ref().map(|terminated| Exit {
        code: terminated.exit_code,
        reason: terminated.reason.clone(),
        message: terminated.message.clone(),
        at: terminated.finished_at,
    })
}
