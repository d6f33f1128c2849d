//! Which objects dead sessions have left behind. Pure: the same for the list and for the removal.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::Timestamp;

use crate::model::left_over::{Inventory, LeftOver, Life, Trace, What};
use crate::session::SessionName;
use crate::session::existing::ownership::{Holding, Marks, holding, job_of};

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
            What::ClusterGrant { account } => Some(LeftOver {
                grants_to: Some(account.clone()),
                is_independent: true,
                ..of(
                    trace,
                    format!("grants edit in every namespace to ServiceAccount {account}, which nothing uses"),
                )
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

/// How many objects cannot be judged yet: nothing but a JobManager pod or a leader still speaks for their session. Both
/// disappear by themselves: a pod within its grace period, a leader once nobody renews its lease, after 15 s. A cluster that
/// is not native has a leader and no Deployment, so that the lease is waited for.
pub fn undecided(inventory: &Inventory) -> usize {
    let lasts = |life: Life| !matches!(life, Life::JobManager | Life::Leader);
    let signs = inventory.signs.iter().filter(|sign| lasts(sign.what)).cloned().collect();
    let later = Inventory { signs, ..inventory.clone() };
    left_over(&later).len().saturating_sub(left_over(inventory).len())
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
        What::Bootstrap { .. } if !marks(trace).is_own_or_free(name) => None,
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
        What::ConfigMap { .. } if marks(trace).is_config_map(name) => {
            left("ConfigMap of a session that is gone")
        }
        What::Service if marks(trace).is_service(name) => left("Service of a session that is gone"),
        What::TaskManager if marks(trace).is_taskmanager(name) => left("TaskManager without a JobManager"),
        What::NetworkPolicy if marks(trace).is_network_policy(name) => {
            left("NetworkPolicy of a session that is gone")
        }
        What::ConfigMap { .. }
        | What::NetworkPolicy
        | What::Service
        | What::TaskManager
        | What::ClusterGrant { .. }
        | What::Sql { .. } => None,
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
        grants_to: None,
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

/// The marks by which an object is known as Flink's.
fn marks(trace: &Trace) -> Marks<'_> {
    let owners = trace.owners.iter().map(|owner| (owner.kind.as_str(), owner.name.as_str()));
    Marks { name: &trace.object.name, owners: owners.collect() }
}

fn is_state(trace: &Trace, name: &SessionName) -> bool {
    match &trace.what {
        What::ConfigMap { is_labelled_state, .. } => marks(trace).is_state(name, *is_labelled_state),
        _ => false,
    }
}

#[cfg(test)]
mod tests;
