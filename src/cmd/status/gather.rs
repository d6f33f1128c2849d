//! Puts together how one session is, from Kubernetes, from REST and from its configuration.

use std::collections::BTreeMap;

use super::verdict;
use crate::app::rest::{self, Details};
use crate::app::{App, CommandError};
use crate::cluster::{Cluster, Look, SessionConfig};
use crate::cmd::{rights, slots};
use crate::diagnosis;
use crate::model::evidence::{Evidence, Pod, Rest};
use crate::model::status::{Event, Health, HighAvailability, JobManager, Part, SessionStatus, Setting};
use crate::model::{Finding, SessionView};
use crate::session::flink_config::diff;
use crate::session::spec::high_availability;
use crate::session::{FlinkVersion, SessionName};

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
    let (rest, mut details) = rest::ask_details(cluster, &evidence).await;
    evidence.rest = rest;
    if let Some(why) = without_right(&evidence) {
        details = Details::unknown(&why);
    }
    let config = match config {
        Part::Known(SessionConfig { settings: Some(settings), high_availability, .. }) => {
            Part::Known((settings, high_availability))
        }
        Part::Known(_) => Part::Unknown(format!("there is no configmap/{}", name.config_map())),
        Part::Unknown(why) => Part::Unknown(why),
    };
    let settings = config.known().map(|(settings, _)| settings);
    let has_waiting_job =
        details.jobs.known().is_some_and(|jobs| jobs.iter().any(|job| job.waits(slots::SECONDS)));
    if has_waiting_job || waits_for_taskmanagers(&evidence, settings) {
        slots::observe(cluster, &mut evidence, settings, slots::SECONDS).await;
    }
    let findings = findings(&session, &evidence);
    let version = version(&session, &evidence);
    let configuration = config.clone().map(|(settings, _)| differing(&settings, version));
    let high_availability = config.map(|(settings, config_maps)| {
        let high_availability::HighAvailability { service, storage_directory } =
            high_availability::of(&settings);
        HighAvailability { service, storage_directory, config_maps }
    });
    Ok(Some(SessionStatus {
        verdict: verdict::of(&session, &evidence, &findings),
        health: verdict::health(&session, &evidence, &findings),
        jobmanager: match evidence.why_pods_are_unknown() {
            Some(why) => Part::Unknown(rights::needed(why)),
            None => Part::Known(jobmanager(&evidence, &details)),
        },
        taskmanagers: details.taskmanagers,
        jobs: details.jobs,
        session: with_rest(session, &evidence.rest),
        pods: named(pods),
        services: named(services),
        high_availability: named(high_availability),
        configuration: named(configuration),
        events: named(events),
        findings,
        unreadable: evidence.unreadable,
    }))
}

/// Why the REST API cannot be reached, where a right is all that is missing.
fn without_right(evidence: &Evidence) -> Option<String> {
    match &evidence.rest {
        Rest::Forbidden(why) => Some(rights::needed_for_rest(why)),
        Rest::NotAsked => evidence.why_pods_are_unknown().map(rights::needed),
        _ => None,
    }
}

/// A part that may not be read, with the right that it takes.
fn named<T>(part: Part<T>) -> Part<T> {
    match part {
        Part::Unknown(why) => Part::Unknown(rights::needed(&why)),
        known => known,
    }
}

/// One sentence and what is wrong: all that is said of a session among many.
pub struct Brief {
    pub verdict: String,
    pub health: Health,
    pub findings: Vec<Finding>,
    pub unreadable: Vec<String>,
}

/// Looks at a session just as closely as its verdict needs.
pub async fn brief(cluster: &Cluster, session: &SessionView) -> Result<Brief, CommandError> {
    let name = SessionName::existing(&session.name)?;
    let mut evidence = cluster.observe(&session.namespace, &name).await?;
    let (rest, jobs, settings) = rest::ask_jobs(cluster, &evidence, slots::SECONDS).await;
    evidence.rest = rest;
    if jobs.iter().any(|job| job.waits(slots::SECONDS)) {
        slots::observe(cluster, &mut evidence, settings.as_ref(), slots::SECONDS).await;
    }
    let findings = findings(session, &evidence);
    Ok(Brief {
        verdict: verdict::of(session, &evidence, &findings),
        health: verdict::health(session, &evidence, &findings),
        findings,
        unreadable: evidence.unreadable,
    })
}

/// True when there should be a TaskManager and none has registered: then the JobManager's log is worth a request.
fn waits_for_taskmanagers(evidence: &Evidence, settings: Option<&BTreeMap<String, String>>) -> bool {
    let Rest::Up(overview) = &evidence.rest else { return false };
    let least = settings.and_then(|settings| settings.get("slotmanager.number-of-slots.min"));
    overview.taskmanagers == 0
        && (overview.jobs_running > 0 || least.is_some_and(|least| least.trim() != "0"))
}

/// What is wrong. Of a session that is gone, no more than what is left of it.
fn findings(session: &SessionView, evidence: &Evidence) -> Vec<Finding> {
    match session.status.as_str() {
        "Orphaned" => vec![diagnosis::rules::state::orphaned(evidence)],
        _ => diagnosis::findings(evidence),
    }
}

/// Warns of what findings could not be made of, but for what is `told` already.
pub fn tell_unreadable(unreadable: &[String], told: &[(&str, &str)], app: &App) {
    let is_told = |part: &&String| {
        let why = part.split_once(": ").map_or(part.as_str(), |(_, why)| why);
        let needed = rights::needed(why);
        told.iter().any(|(_, reason)| *reason == needed)
    };
    for part in unreadable.iter().filter(|part| !is_told(part)) {
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
    let setting =
        |changed: diff::Changed| Setting { key: changed.key, value: changed.value, default: changed.default };
    diff::changed(settings, version).into_iter().map(setting).collect()
}
