//! Which sessions there are, from small requests: Deployments cut down to what is shown, and the
//! pods as table rows without their objects (150 bytes a pod instead of 7 KB).

use std::collections::{BTreeMap, BTreeSet};

use futures::{StreamExt, TryStreamExt};
use serde::Deserialize;

use super::small::{Condition, Metadata, Template, owner, runs_application};
use super::{Cluster, Kind, Result};
use crate::model::TableView;
use crate::model::session::{Owner, SessionView};
use crate::session::{FlinkVersion, SessionName, labels};

/// Where to look for sessions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scope {
    Namespace(String),
    AllNamespaces,
}

/// Requests for the pods of several namespaces at once.
const NAMESPACES_AT_ONCE: usize = 4;

#[derive(Debug, Deserialize)]
struct Deployment {
    metadata: Metadata,
    spec: DeploymentSpec,
    #[serde(default)]
    status: DeploymentStatus,
}

#[derive(Debug, Deserialize)]
struct DeploymentSpec {
    replicas: Option<i32>,
    template: Template,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct DeploymentStatus {
    ready_replicas: i32,
    conditions: Vec<Condition>,
}

#[derive(Debug, Deserialize)]
struct Job {
    metadata: Metadata,
    #[serde(default)]
    status: JobStatus,
    spec: DeploymentSpec,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct JobStatus {
    conditions: Vec<Condition>,
}

/// The pods of one namespace: the status of every pod that is not well, by session.
#[derive(Debug, Default, PartialEq, Eq)]
struct PodsOfSession {
    taskmanagers: usize,
    /// STATUS of JobManager pods, as kubectl prints it.
    jobmanager_states: Vec<String>,
    taskmanager_states: Vec<String>,
}

impl Cluster {
    /// The sessions in `scope`, by namespace and name; only those of `names` unless it is empty.
    /// Application clusters are none.
    pub async fn sessions(&self, scope: &Scope, names: &[SessionName]) -> Result<Vec<SessionView>> {
        let namespace = match scope {
            Scope::Namespace(namespace) => Some(namespace.as_str()),
            Scope::AllNamespaces => None,
        };
        let native = labels::narrowed(labels::selector_of_all(), names);
        let bootstraps = labels::narrowed(labels::selector_of_bootstraps(), names);
        let (deployments, jobs) = tokio::try_join!(
            self.list_of::<Deployment>(Kind::Deployment, namespace, &native),
            self.list_of::<Job>(Kind::Job, namespace, &bootstraps),
        )?;
        let deployments: Vec<Deployment> = deployments.into_iter().filter(|d| !is_application(d)).collect();
        let namespaces: BTreeSet<&str> = deployments.iter().map(|d| d.metadata.namespace.as_str()).collect();
        let pods: BTreeMap<String, BTreeMap<String, PodsOfSession>> = futures::stream::iter(namespaces)
            .map(|namespace| async {
                let table = self.table(Kind::Pod, namespace, &native).await?;
                Ok::<_, super::ClusterError>((namespace.to_owned(), by_session(&table)))
            })
            .buffer_unordered(NAMESPACES_AT_ONCE)
            .try_collect()
            .await?;

        let none = PodsOfSession::default();
        let mut sessions: Vec<SessionView> = deployments
            .iter()
            .map(|deployment| {
                let metadata = &deployment.metadata;
                let pods = pods.get(&metadata.namespace).and_then(|sessions| sessions.get(&metadata.name));
                view(deployment, pods.unwrap_or(&none))
            })
            .collect();
        let bootstrapped: BTreeSet<(&str, &str)> = jobs.iter().filter_map(made_by).collect();
        for session in &mut sessions {
            // A session that nobody waited for has no label of the plugin's.
            let made_here = bootstrapped.contains(&(session.namespace.as_str(), session.name.as_str()));
            if session.owner == Owner::Other && made_here {
                session.owner = Owner::Plugin;
            }
        }
        let born: BTreeSet<(&str, &str)> = deployments
            .iter()
            .map(|deployment| (deployment.metadata.namespace.as_str(), deployment.metadata.name.as_str()))
            .collect();
        let unborn = jobs.iter().filter_map(unborn_view);
        sessions.extend(unborn.filter(|s| !born.contains(&(s.namespace.as_str(), s.name.as_str()))));
        sessions.sort_by(|a, b| (&a.namespace, &a.name).cmp(&(&b.namespace, &b.name)));
        Ok(sessions)
    }
}

fn is_application(deployment: &Deployment) -> bool {
    let containers = &deployment.spec.template.spec.containers;
    containers.iter().any(|container| runs_application(container.command.iter().chain(&container.args)))
}

fn view(deployment: &Deployment, pods: &PodsOfSession) -> SessionView {
    let metadata = &deployment.metadata;
    let image = deployment.spec.template.image();
    let tagged = image.as_deref().and_then(FlinkVersion::from_image_tag).map(|version| version.to_string());
    SessionView {
        name: metadata.name.clone(),
        namespace: metadata.namespace.clone(),
        uid: Some(metadata.uid.clone()),
        created: metadata.creation_timestamp,
        ready: deployment.status.ready_replicas,
        desired: deployment.spec.replicas.unwrap_or(1),
        status: status(deployment, pods),
        version: metadata.labels.get(labels::VERSION).cloned().or(tagged),
        taskmanagers: pods.taskmanagers,
        image,
        owner: owner(metadata),
    }
}

/// The worst true state in kubectl's kind of word.
fn status(deployment: &Deployment, pods: &PodsOfSession) -> String {
    if deployment.metadata.deletion_timestamp.is_some() {
        return "Terminating".to_owned();
    }
    let desired = deployment.spec.replicas.unwrap_or(1);
    let refused =
        deployment.status.conditions.iter().any(|c| c.type_ == "ReplicaFailure" && c.status == "True");
    if refused {
        return "FailedCreate".to_owned();
    }
    if desired == 0 {
        return "Stopped".to_owned();
    }
    // Terminating pods are on their way out and say nothing of the session.
    let troubled = |states: &[String]| {
        states.iter().find(|state| !matches!(state.as_str(), "Running" | "Terminating")).cloned()
    };
    // Pods that were evicted, or died with their node, stay listed beside the one that replaced them.
    let running = pods.jobmanager_states.iter().filter(|state| *state == "Running").count();
    let replaced = i32::try_from(running).is_ok_and(|running| running >= desired);
    if let Some(state) = troubled(&pods.jobmanager_states).filter(|_| !replaced) {
        return match state.as_str() {
            "ContainerCreating" | "PodInitializing" => "Creating".to_owned(),
            _ => state,
        };
    }
    if deployment.status.ready_replicas < desired {
        return "Creating".to_owned();
    }
    let starting = ["ContainerCreating", "PodInitializing", "Pending", "Completed"];
    match troubled(&pods.taskmanager_states) {
        Some(state) if !starting.contains(&state.as_str()) => "Degraded".to_owned(),
        _ => "Running".to_owned(),
    }
}

/// Namespace and name of the session that a bootstrap Job is for.
fn made_by(job: &Job) -> Option<(&str, &str)> {
    Some((job.metadata.namespace.as_str(), job.metadata.labels.get(labels::APP)?.as_str()))
}

/// A bootstrap Job as the session that it is to make, while there is no Deployment yet.
fn unborn_view(job: &Job) -> Option<SessionView> {
    let (namespace, name) = made_by(job)?;
    let is =
        |condition: &str| job.status.conditions.iter().any(|c| c.type_ == condition && c.status == "True");
    let status = match () {
        () if job.metadata.deletion_timestamp.is_some() => "Terminating",
        () if is("Failed") => "BootstrapFailed",
        // It ended well and its session is gone.
        () if is("Complete") => return None,
        () => "Creating",
    };
    let image = job.spec.template.image();
    Some(SessionView {
        name: name.to_owned(),
        namespace: namespace.to_owned(),
        uid: None,
        created: job.metadata.creation_timestamp,
        ready: 0,
        desired: 1,
        status: status.to_owned(),
        version: image.as_deref().and_then(FlinkVersion::from_image_tag).map(|version| version.to_string()),
        taskmanagers: 0,
        image,
        owner: Owner::Plugin,
    })
}

/// Sorts pod rows by the session that their names tell: `ID-taskmanager-ATTEMPT-N` for
/// TaskManagers (Flink's fixed format), `ID-HASH-SUFFIX` for the pods of a Deployment.
fn by_session(pods: &TableView) -> BTreeMap<String, PodsOfSession> {
    let column = |name: &str| pods.header.iter().position(|header| header == name);
    let (Some(name), Some(status)) = (column("NAME"), column("STATUS")) else { return BTreeMap::new() };
    let mut sessions: BTreeMap<String, PodsOfSession> = BTreeMap::new();
    for row in &pods.rows {
        let state = row[status].clone();
        if let Some(session) = session_of_taskmanager(&row[name]) {
            let session = sessions.entry(session.to_owned()).or_default();
            session.taskmanagers += 1;
            session.taskmanager_states.push(state);
        } else if let Some((session, _)) =
            row[name].rsplit_once('-').and_then(|(rest, _)| rest.rsplit_once('-'))
        {
            sessions.entry(session.to_owned()).or_default().jobmanager_states.push(state);
        }
    }
    sessions
}

fn session_of_taskmanager(pod: &str) -> Option<&str> {
    let number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let (rest, index) = pod.rsplit_once('-')?;
    let (rest, attempt) = rest.rsplit_once('-')?;
    (number(index) && number(attempt)).then(|| rest.strip_suffix("-taskmanager")).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pods(rows: &[(&str, &str)]) -> BTreeMap<String, PodsOfSession> {
        by_session(&TableView {
            header: ["NAME", "READY", "STATUS"].map(str::to_owned).to_vec(),
            rows: rows.iter().map(|(n, s)| [*n, "1/1", *s].map(str::to_owned).to_vec()).collect(),
        })
    }

    fn deployment(json: &str) -> Deployment {
        serde_json::from_str(json).expect("deployment")
    }

    const RUNNING: &str = r#"{"metadata":{"name":"roc","namespace":"a","uid":"u"},
        "spec":{"replicas":1,"template":{"spec":{"containers":[{"image":"flink:1.20.5","args":["kubernetes-jobmanager.sh kubernetes-session"]}]}}},
        "status":{"readyReplicas":1}}"#;

    #[test]
    fn pod_names_tell_their_session() {
        let sessions = pods(&[
            ("roc-65d8f95b64-mnmvt", "Running"),
            ("roc-taskmanager-1-1", "Running"),
            ("roc-taskmanager-1-2", "OOMKilled"),
            ("roc-x-65d8f95b64-mnmvt", "Pending"),
            ("a-taskmanager-1-7c9d8f-abcde", "Running"),
            ("a-taskmanager-1-taskmanager-2-10", "Running"),
        ]);
        assert_eq!(sessions["roc"].taskmanagers, 2);
        assert_eq!(sessions["roc"].jobmanager_states, ["Running"]);
        assert_eq!(sessions["roc-x"].jobmanager_states, ["Pending"]);
        assert_eq!(sessions["a-taskmanager-1"].jobmanager_states, ["Running"]);
        assert_eq!(sessions["a-taskmanager-1"].taskmanagers, 1);
    }

    #[test]
    fn the_status_is_the_worst_true_state() {
        let says = |json: &str, rows: &[(&str, &str)]| {
            let pods = pods(rows).remove("roc").unwrap_or_default();
            view(&deployment(json), &pods).status
        };
        let unready = RUNNING.replace(r#""readyReplicas":1"#, r#""unavailableReplicas":1"#);
        let jm = "roc-65d8f95b64-mnmvt";
        let tm = "roc-taskmanager-1-1";
        assert_eq!(says(RUNNING, &[(jm, "Running")]), "Running");
        assert_eq!(says(RUNNING, &[(jm, "Running"), (tm, "ContainerCreating")]), "Running");
        assert_eq!(says(RUNNING, &[(jm, "Running"), (tm, "Error")]), "Degraded");
        assert_eq!(says(RUNNING, &[("roc-65d8f95b64-aaaaa", "Evicted"), (jm, "Running")]), "Running");
        assert_eq!(says(&unready, &[(jm, "ContainerCreating")]), "Creating");
        assert_eq!(says(&unready, &[]), "Creating");
        assert_eq!(says(&unready, &[(jm, "ImagePullBackOff")]), "ImagePullBackOff");
        assert_eq!(says(&unready, &[(jm, "CrashLoopBackOff")]), "CrashLoopBackOff");
        // A crashing JobManager is "ready" for seconds of every cycle.
        assert_eq!(says(RUNNING, &[(jm, "Error")]), "Error");
        let refused = RUNNING
            .replace(r#""readyReplicas":1"#, r#""conditions":[{"type":"ReplicaFailure","status":"True"}]"#);
        assert_eq!(says(&refused, &[]), "FailedCreate");
        let going = RUNNING.replace(r#""uid":"u""#, r#""deletionTimestamp":"2026-01-01T00:00:00Z""#);
        assert_eq!(says(&going, &[(jm, "Terminating")]), "Terminating");
        let stopped = RUNNING.replace(r#""replicas":1"#, r#""replicas":0"#);
        assert_eq!(says(&stopped, &[]), "Stopped");
    }

    #[test]
    fn the_version_is_what_rest_said_else_what_the_tag_says() {
        let version = |json: &str| view(&deployment(json), &PodsOfSession::default()).version;
        assert_eq!(version(RUNNING).as_deref(), Some("1.20.5"));
        let labelled = RUNNING.replace(r#""uid":"u""#, r#""labels":{"app.kubernetes.io/version":"1.19.3"}"#);
        assert_eq!(version(&labelled).as_deref(), Some("1.19.3"));
        assert_eq!(version(&RUNNING.replace("flink:1.20.5", "mine:latest")), None);
    }

    #[test]
    fn application_clusters_are_no_sessions() {
        assert!(!is_application(&deployment(RUNNING)));
        assert!(is_application(&deployment(
            &RUNNING.replace("kubernetes-session", "kubernetes-application")
        )));
    }
}
