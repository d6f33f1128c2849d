//! Which objects dead sessions have left behind. Pure: the same for the list and for the removal.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::Timestamp;

use crate::model::left_over::{Inventory, LeftOver, Owner, Trace, What};
use crate::session::SessionName;

/// Namespace and name of a session.
type Key<'a> = (&'a str, &'a str);

/// What the high-availability ConfigMaps of one session hold together.
#[derive(Default)]
struct State<'a> {
    jobs: BTreeSet<&'a str>,
    /// Something else that may be needed to recover.
    more: bool,
    touched: Option<Timestamp>,
}

/// What is left over, by namespace, session and kind. What is not known counts as alive.
pub fn left_over(inventory: &Inventory) -> Vec<LeftOver> {
    let life_is_known = !inventory.hidden.iter().any(|hidden| hidden.tells_life);
    let alive: BTreeSet<Key> =
        inventory.signs.iter().map(|sign| (sign.namespace.as_str(), sign.session.as_str())).collect();
    let dead = |trace: &Trace| {
        let name = SessionName::existing(trace.session.as_deref()?).ok()?;
        let key = (trace.object.namespace.as_str(), name.as_str());
        (life_is_known && !alive.contains(&key)).then_some(name)
    };
    let states = states(inventory);
    let mut found: Vec<LeftOver> = inventory
        .traces
        .iter()
        .filter(|trace| !trace.is_leaving)
        .filter_map(|trace| match &trace.what {
            What::Sql { has_failed } => Some(LeftOver {
                is_independent: true,
                ..of(trace, format!("SQL pod that has {}", if *has_failed { "failed" } else { "succeeded" }))
            }),
            _ => judge(trace, &dead(trace)?, &states),
        })
        .collect();
    found.sort_by(|a, b| {
        let key = |left: &LeftOver| {
            (left.object.namespace.clone(), left.session.clone(), left.object.kind, left.object.name.clone())
        };
        key(a).cmp(&key(b))
    });
    found
}

/// The left-overs that are at least as old as `limit`, and how many are younger. One whose age is not
/// known is young.
pub fn older_than(found: Vec<LeftOver>, limit: Duration, now: Timestamp) -> (Vec<LeftOver>, usize) {
    let all = found.len();
    let old: Vec<LeftOver> = found
        .into_iter()
        .filter(|left| {
            let age = left.touched.map(|touched| now.duration_since(touched));
            limit.is_zero()
                || age.and_then(|age| Duration::try_from(age).ok()).is_some_and(|age| age >= limit)
        })
        .collect();
    let young = all - old.len();
    (old, young)
}

/// What `trace` is of the dead session `name`, if it is Flink's or the plugin's own.
fn judge(trace: &Trace, name: &SessionName, states: &BTreeMap<Key, State>) -> Option<LeftOver> {
    let left = |reason: &str| Some(of(trace, reason.to_owned()));
    match &trace.what {
        What::Bootstrap { .. } if !is_own_or_free(trace, name) => None,
        What::Bootstrap { failure: None } => left("bootstrap Job that has succeeded"),
        What::Bootstrap { failure: Some(why) } if why.is_empty() => left("bootstrap Job that has failed"),
        What::Bootstrap { failure: Some(why) } => left(&format!("bootstrap Job that has failed: {why}")),
        What::ConfigMap { .. } if is_state(trace, name) => {
            let state = states.get(&(trace.object.namespace.as_str(), name.as_str()))?;
            Some(LeftOver {
                touched: state.touched,
                holds_state: !state.jobs.is_empty() || state.more,
                ..of(trace, state.reason())
            })
        }
        What::ConfigMap { .. } if is_flinks(trace, name) => left("ConfigMap of a session that is gone"),
        What::Service if is_flinks(trace, name) => left("Service of a session that is gone"),
        What::TaskManager if is_taskmanager(trace, name) => left("TaskManager without a JobManager"),
        What::ConfigMap { .. } | What::Service | What::TaskManager | What::Sql { .. } => None,
    }
}

fn of(trace: &Trace, reason: String) -> LeftOver {
    LeftOver {
        object: trace.object.clone(),
        session: trace.session.clone(),
        touched: trace.touched,
        reason,
        holds_state: false,
        is_independent: false,
    }
}

/// The high-availability state of each session. One that is being deleted counts: what it holds may
/// not be recovered without the rest.
fn states(inventory: &Inventory) -> BTreeMap<Key<'_>, State<'_>> {
    let mut states: BTreeMap<Key, State> = BTreeMap::new();
    for trace in &inventory.traces {
        let (What::ConfigMap { keys, .. }, Some(session)) = (&trace.what, &trace.session) else { continue };
        let Ok(name) = SessionName::existing(session) else { continue };
        if !is_state(trace, &name) {
            continue;
        }
        let state = states.entry((&trace.object.namespace, session)).or_default();
        state.touched = state.touched.max(trace.touched);
        for key in keys {
            match holding(key) {
                Holding::Nothing => {}
                Holding::Job(id) => drop(state.jobs.insert(id)),
                Holding::Checkpoint => match job_of(&trace.object.name, &name) {
                    Some(id) => drop(state.jobs.insert(id)),
                    None => state.more = true,
                },
                Holding::More => state.more = true,
            }
        }
    }
    states
}

impl State<'_> {
    fn reason(&self) -> String {
        match (self.jobs.len(), self.more) {
            (0, false) => "high-availability state without jobs".to_owned(),
            (0, true) => "high-availability state that can be recovered".to_owned(),
            (1, _) => "high-availability state of 1 job".to_owned(),
            (many, _) => format!("high-availability state of {many} jobs"),
        }
    }
}

enum Holding<'a> {
    Nothing,
    /// A job that starts again with the session, by its id.
    Job(&'a str),
    /// Of the job that the ConfigMap belongs to.
    Checkpoint,
    More,
}

/// What a key of a high-availability ConfigMap stands for (`Constants` of flink-kubernetes, 1.20.5 and
/// 2.3.0; `application-ID` is new in 2.3). What is not known may be needed.
fn holding(key: &str) -> Holding<'_> {
    // Who leads, in all versions, and how far checkpoints were counted.
    const NOTHING: [&str; 3] = ["address", "sessionId", "counter"];
    // Who leads, from 1.15 on; which jobs have run, up to 1.14.
    const NOTHING_OF: [&str; 2] = ["org.apache.flink.k8s.leader.", "runningJobsRegistry-"];
    if let Some(id) = key.strip_prefix("jobGraph-").or_else(|| key.strip_prefix("executionPlan-")) {
        Holding::Job(id)
    } else if key.starts_with("checkpointID-") {
        Holding::Checkpoint
    } else if NOTHING.contains(&key) || NOTHING_OF.iter().any(|start| key.starts_with(start)) {
        Holding::Nothing
    } else {
        Holding::More
    }
}

/// The id of the job whose ConfigMap this is: `NAME-ID-config-map` from 1.15 on,
/// `NAME-ID-jobmanager-leader` before.
fn job_of<'a>(config_map: &'a str, name: &SessionName) -> Option<&'a str> {
    let rest = config_map.strip_prefix(name.as_str())?.strip_prefix('-')?;
    let id = rest.strip_suffix("-config-map").or_else(|| rest.strip_suffix("-jobmanager-leader"))?;
    (id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit())).then_some(id)
}

/// True for a ConfigMap with the name of high-availability state that nobody owns, as Flink makes it.
fn is_state(trace: &Trace, name: &SessionName) -> bool {
    // 1.15 and later have the first alone, 1.12 to 1.14 the others.
    const OF_SESSION: [&str; 4] =
        ["cluster-config-map", "restserver-leader", "dispatcher-leader", "resourcemanager-leader"];
    let What::ConfigMap { is_labelled_state, .. } = &trace.what else { return false };
    let config_map = trace.object.name.as_str();
    let rest = config_map.strip_prefix(name.as_str()).and_then(|rest| rest.strip_prefix('-'));
    let is_named = rest.is_some_and(|rest| {
        *is_labelled_state || OF_SESSION.contains(&rest) || job_of(config_map, name).is_some()
    });
    is_named && trace.owners.is_empty()
}

/// True for a Service or ConfigMap that Flink made for the session: owned as Flink does it, or without
/// an owner and with a name that Flink gives. Somebody else's may have copied the labels.
fn is_flinks(trace: &Trace, name: &SessionName) -> bool {
    let object = trace.object.name.as_str();
    let is_known = match trace.what {
        What::Service => object == name.as_str() || object == name.rest_service(),
        _ => object == name.config_map() || name.further_config_maps().iter().any(|known| known == object),
    };
    is_own_or_free(trace, name) && (is_known || !trace.owners.is_empty())
}

/// Flink calls a TaskManager `NAME-taskmanager-ATTEMPT-N`.
fn is_taskmanager(trace: &Trace, name: &SessionName) -> bool {
    trace.object.name.starts_with(&format!("{name}-taskmanager-")) && is_own_or_free(trace, name)
}

/// True for an object that nobody owns but what Flink makes an owner: the Deployment of the session's
/// name, in 1.10 its Service, which 1.10 writes as kind `service`.
fn is_own_or_free(trace: &Trace, name: &SessionName) -> bool {
    let is_sessions = |owner: &Owner| {
        owner.name == name.as_str() && ["deployment", "service"].contains(&owner.kind.to_lowercase().as_str())
    };
    trace.owners.iter().all(is_sessions)
}

#[cfg(test)]
mod tests;
