//! Puts together how one session is, from Kubernetes, from REST and from its configuration.

use std::collections::BTreeMap;

use super::verdict;
use crate::app::rest::{self, Details};
use crate::app::{App, CommandError};
use crate::cluster::{Cluster, Look, SessionConfig};
use crate::diagnosis;
use crate::model::evidence::{Evidence, Pod, Rest};
use crate::model::status::{Event, HighAvailability, JobManager, Part, SessionStatus, Setting};
use crate::model::{Finding, SessionView};
use crate::session::{FlinkVersion, SessionName, changed, high_availability};

/// Looks at session `name` from all sides; none when there is no such session.
pub async fn status(
    cluster: &Cluster,
    name: &SessionName,
    wide: bool,
) -> Result<Option<SessionStatus>, CommandError> {
    let look = cluster.look(cluster.namespace(), name, wide).await?;
    let Look { mut evidence, session: Some(session), pods, services, config, events } = look else {
        return Ok(None);
    };
    let events = events.map(|events| without_the_usual(events, &evidence, name));
    let (rest, details) = rest::ask_details(cluster, &evidence).await;
    evidence.rest = rest;
    let findings = diagnosis::findings(&evidence);
    let version = version(&session, &evidence);
    let config = match config {
        Part::Known(SessionConfig { settings: Some(settings), high_availability, .. }) => {
            Part::Known((settings, high_availability))
        }
        Part::Known(_) => Part::Unknown(format!("there is no configmap/{}", name.config_map())),
        Part::Unknown(why) => Part::Unknown(why),
    };
    let configuration = config.clone().map(|(settings, _)| differing(&settings, version));
    let high_availability = config.map(|(settings, config_maps)| {
        let high_availability::HighAvailability { service, storage_directory } =
            high_availability::of(&settings);
        HighAvailability { service, storage_directory, config_maps }
    });
    Ok(Some(SessionStatus {
        verdict: verdict::of(&session, &evidence, &findings),
        is_healthy: verdict::is_healthy(&session, &evidence, &findings),
        jobmanager: match evidence.why_pods_are_unknown() {
            Some(why) => Part::Unknown(why.to_owned()),
            None => Part::Known(jobmanager(&evidence, &details)),
        },
        taskmanagers: details.taskmanagers,
        jobs: details.jobs,
        session: with_rest(session, &evidence.rest),
        pods,
        services,
        high_availability,
        configuration,
        events,
        findings,
        unreadable: evidence.unreadable,
    }))
}

/// One sentence and what is wrong: all that is said of a session among many.
pub struct Brief {
    pub verdict: String,
    pub is_healthy: bool,
    pub findings: Vec<Finding>,
    pub unreadable: Vec<String>,
}

/// Looks at a session just as closely as its verdict needs.
pub async fn brief(cluster: &Cluster, session: &SessionView) -> Result<Brief, CommandError> {
    let name = SessionName::existing(&session.name)?;
    let mut evidence = cluster.observe(&session.namespace, &name).await?;
    evidence.rest = rest::ask_once(cluster, &evidence).await;
    let findings = diagnosis::findings(&evidence);
    Ok(Brief {
        verdict: verdict::of(session, &evidence, &findings),
        is_healthy: verdict::is_healthy(session, &evidence, &findings),
        findings,
        unreadable: evidence.unreadable,
    })
}

/// Warns of what findings could not be made of.
pub fn tell_unreadable(unreadable: &[String], app: &App) {
    for part in unreadable {
        app.ui.warn(&format!("not all could be read: {part}"));
    }
}

/// Leaves out the events of an earlier session of the same name.
///
/// Every healthy session begins with a mount that fails, as Flink makes the Deployment before the
/// ConfigMap that it mounts. Once the JobManager has started, that says nothing any more either.
fn without_the_usual(mut events: Vec<Event>, evidence: &Evidence, name: &SessionName) -> Vec<Event> {
    let bootstrap = evidence.bootstrap.as_ref().and_then(|bootstrap| bootstrap.created);
    let deployment = evidence.deployment.as_ref().and_then(|deployment| deployment.created);
    let began = [bootstrap, deployment].into_iter().flatten().min();
    events.retain(|event| event.last_seen.is_none() || event.last_seen >= began);
    let config_map = format!("configmap \"{}\" not found", name.config_map());
    let has_started = |pod: &Pod| pod.started.is_some() || pod.ended.is_some() || pod.restarts > 0;
    if evidence.jobmanagers.iter().any(has_started) {
        events.retain(|event| event.reason != "FailedMount" || !event.message.contains(&config_map));
    }
    events
}

fn version(session: &SessionView, evidence: &Evidence) -> Option<FlinkVersion> {
    let of_rest = match &evidence.rest {
        Rest::Up(overview) => overview.version.parse().ok(),
        _ => None,
    };
    of_rest.or_else(|| session.version.as_ref().and_then(|version| version.parse().ok()))
}

fn with_rest(session: SessionView, rest: &Rest) -> SessionView {
    match rest {
        Rest::Up(overview) => {
            SessionView { load: Some(overview.load()), version: Some(overview.version.clone()), ..session }
        }
        _ => session,
    }
}

/// The newest JobManager pod that is not on its way out.
fn jobmanager(evidence: &Evidence, details: &Details) -> Option<JobManager> {
    let alive = evidence.jobmanagers.iter().rev().find(|pod| !pod.deleting);
    let pod = alive.or(evidence.jobmanagers.last())?;
    Some(JobManager {
        pod: pod.name.clone(),
        version: match &evidence.rest {
            Rest::Up(overview) => Some(overview.version.clone()),
            _ => None,
        },
        started_at: pod.started,
        restarts: pod.restarts,
        last_exit: pod.ended.clone().or_else(|| pod.ended_before.clone()),
        memory: details.memory.clone(),
    })
}

fn differing(settings: &BTreeMap<String, String>, version: Option<FlinkVersion>) -> Vec<Setting> {
    let setting = |changed: changed::Changed| Setting {
        key: changed.key,
        value: changed.value,
        default: changed.default,
    };
    changed::changed(settings, version).into_iter().map(setting).collect()
}
