//! Observes one session. Thin reading here, pure extraction below, judgement in `diagnosis`.

use jiff::Timestamp;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{ContainerState, ContainerStatus, Pod};

use super::small::List;
use super::tables::escape;
use super::{Cluster, ClusterError, Kind, Result};
use crate::model::evidence::{self, Evidence, Exit, Outcome, Unschedulable};
use crate::session::{SessionName, labels};

impl Cluster {
    /// Observes the session `name` by its bootstrap Job, its Deployment and the pods of both.
    /// TaskManagers are left out: there may be thousands. Logs and events are read only where
    /// something went wrong and nothing else says why.
    pub async fn observe(&self, namespace: &str, name: &SessionName) -> Result<Evidence> {
        let mut evidence = Evidence::empty(name.as_str(), namespace, Timestamp::now());
        evidence.scope = self.full_scope();
        let job = name.bootstrap_job();
        let selector = format!("{}={name},{}!={}", labels::APP, labels::COMPONENT, labels::TASKMANAGER);
        let path = format!("{}?labelSelector={}", Kind::Pod.collection(Some(namespace)), escape(&selector));
        let (job, deployment, pods) = tokio::join!(
            self.get::<Job>(namespace, &job),
            self.get::<Deployment>(namespace, name.as_str()),
            self.read::<List<Pod>>(&path, "application/json"),
        );
        let job = part(&mut evidence, "job", job)?;
        let mut deployment = part(&mut evidence, "deployment", deployment)?;
        let succeeded = job.as_ref().is_some_and(|job| bootstrap(job).outcome == Outcome::Succeeded);
        if succeeded && deployment.is_none() {
            // The reads are not of one moment: now that the Job is complete, what it made is there.
            let again = self.get::<Deployment>(namespace, name.as_str()).await;
            deployment = part(&mut evidence, "deployment", again)?;
        }
        let pods = part(&mut evidence, "pods", pods.map(Some))?.map(|list| list.items).unwrap_or_default();

        let is_jobmanager = |pod: &&Pod| {
            pod.metadata
                .labels
                .as_ref()
                .and_then(|l| l.get(labels::COMPONENT))
                .is_some_and(|c| c == labels::JOBMANAGER)
        };
        let (jobmanagers, others): (Vec<&Pod>, Vec<&Pod>) = pods.iter().partition(is_jobmanager);
        evidence.jobmanagers = jobmanagers.into_iter().map(pod).collect();
        evidence.jobmanagers.sort_by_key(|pod| pod.created);
        evidence.deployment = deployment.as_ref().map(deployment_evidence);
        evidence.bootstrap = job.as_ref().map(|job| evidence::Bootstrap {
            pod: others.iter().find(|pod| is_owned_by(pod, job)).map(|p| pod(p)),
            ..bootstrap(job)
        });
        self.explain(&mut evidence).await;
        Ok(evidence)
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
        let bootstrap_pod = evidence.bootstrap.as_mut().and_then(|bootstrap| bootstrap.pod.as_mut());
        for pod in bootstrap_pod.into_iter().chain(&mut evidence.jobmanagers) {
            if pod.ended.as_ref().is_some_and(|exit| exit.code != 0) && pod.restarts == 0 {
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
            }
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
    let owners = pod.metadata.owner_references.iter().flatten();
    job.metadata.uid.as_ref().is_some_and(|uid| owners.into_iter().any(|owner| &owner.uid == uid))
}

fn bootstrap(job: &Job) -> evidence::Bootstrap {
    let conditions = job.status.iter().filter_map(|status| status.conditions.as_ref()).flatten();
    let (mut outcome, mut ended) = (Outcome::Running, None);
    for condition in conditions.filter(|condition| condition.status == "True") {
        outcome = match condition.type_.as_str() {
            "Complete" | "SuccessCriteriaMet" => Outcome::Succeeded,
            "Failed" | "FailureTarget" => Outcome::Failed(format!(
                "{}: {}",
                condition.reason.as_deref().unwrap_or("Failed"),
                condition.message.as_deref().unwrap_or("no message")
            )),
            _ => continue,
        };
        ended = condition.last_transition_time.as_ref().map(|time| time.0);
    }
    evidence::Bootstrap {
        job: job.metadata.name.clone().unwrap_or_default(),
        uid: job.metadata.uid.clone().unwrap_or_default(),
        created: job.metadata.creation_timestamp.as_ref().map(|time| time.0),
        outcome,
        ended,
        ..evidence::Bootstrap::default()
    }
}

fn deployment_evidence(deployment: &Deployment) -> evidence::Deployment {
    let metadata = &deployment.metadata;
    let spec = deployment.spec.as_ref();
    let status = deployment.status.as_ref();
    let conditions = status.and_then(|status| status.conditions.as_ref()).into_iter().flatten();
    evidence::Deployment {
        uid: metadata.uid.clone().unwrap_or_default(),
        created: metadata.creation_timestamp.as_ref().map(|time| time.0),
        deleting: metadata.deletion_timestamp.is_some(),
        replicas: spec.and_then(|spec| spec.replicas).unwrap_or(1),
        ready: status.and_then(|status| status.ready_replicas).unwrap_or(0),
        pod_refused: conditions
            .into_iter()
            .find(|condition| condition.type_ == "ReplicaFailure" && condition.status == "True")
            .map(|condition| condition.message.clone().unwrap_or_default()),
    }
}

fn pod(pod: &Pod) -> evidence::Pod {
    let status = pod.status.as_ref();
    let conditions = status.and_then(|status| status.conditions.as_ref()).into_iter().flatten();
    let container: Option<&ContainerStatus> =
        status.and_then(|status| status.container_statuses.as_ref()).and_then(|statuses| statuses.first());
    let state = container.and_then(|container| container.state.as_ref());
    evidence::Pod {
        name: pod.metadata.name.clone().unwrap_or_default(),
        uid: pod.metadata.uid.clone().unwrap_or_default(),
        created: pod.metadata.creation_timestamp.as_ref().map(|time| time.0),
        deleting: pod.metadata.deletion_timestamp.is_some(),
        phase: status.and_then(|status| status.phase.clone()).unwrap_or_default(),
        ready: container.is_some_and(|container| container.ready),
        unschedulable: conditions
            .into_iter()
            .find(|c| {
                c.type_ == "PodScheduled"
                    && c.status == "False"
                    && c.reason.as_deref() == Some("Unschedulable")
            })
            .map(|condition| Unschedulable {
                since: condition.last_transition_time.as_ref().map(|time| time.0),
                message: condition.message.clone().unwrap_or_default(),
                node_is_coming: false,
            }),
        waiting: state.and_then(|state| state.waiting.as_ref()).map(|waiting| {
            (waiting.reason.clone().unwrap_or_default(), waiting.message.clone().unwrap_or_default())
        }),
        ended: state.and_then(exit),
        ended_before: container.and_then(|container| container.last_state.as_ref()).and_then(exit),
        restarts: container.map_or(0, |container| container.restart_count),
        // Called `rest` from Flink 1.11 on, `rest-port` in 1.10.
        rest_port: pod
            .spec
            .iter()
            .flat_map(|spec| &spec.containers)
            .flat_map(|container| container.ports.iter().flatten())
            .find(|port| port.name.as_deref().is_some_and(|name| name.starts_with("rest")))
            .and_then(|port| u16::try_from(port.container_port).ok()),
        last_log: None,
    }
}

fn exit(state: &ContainerState) -> Option<Exit> {
    state.terminated.as_ref().map(|terminated| Exit {
        code: terminated.exit_code,
        reason: terminated.reason.clone().unwrap_or_default(),
        message: terminated.message.clone().unwrap_or_default(),
    })
}
