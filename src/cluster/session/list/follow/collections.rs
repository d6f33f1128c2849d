//! How the objects of each collection become part of what is known, and which session each touches.

use super::{BootstrapPod, PodOfTable, State};
use crate::cluster::session::list::parts::{
    Deployment, Hidden, Job, Key, Service, key_by_name, key_of_job, key_of_service,
};

/// Deployments, Jobs, Services, pods and bootstrap pods.
pub(super) const COLLECTIONS: usize = 5;

/// One of the collections.
pub(super) trait Part: Sized {
    /// Its place in [`State::listed`].
    const INDEX: usize;

    /// Notes that it may not be seen.
    fn hide(_hidden: &mut Hidden) {}
    fn clear(state: &mut State) -> Vec<Key>;
    fn put(self, state: &mut State) -> Option<Key>;
    fn remove(self, state: &mut State) -> Option<Key>;
}

impl Part for Deployment {
    const INDEX: usize = 0;

    fn hide(hidden: &mut Hidden) {
        hidden.deployments = true;
    }

    fn clear(state: &mut State) -> Vec<Key> {
        std::mem::take(&mut state.parts.deployments).into_keys().collect()
    }

    fn put(self, state: &mut State) -> Option<Key> {
        let key = key_by_name(&self.metadata);
        state.unwatched.remove(&key);
        state.gone.remove(&key);
        state.parts.add_deployment(self);
        Some(key)
    }

    fn remove(self, state: &mut State) -> Option<Key> {
        let key = key_by_name(&self.metadata);
        state.parts.deployments.remove(&key);
        Some(key)
    }
}

impl Part for Job {
    const INDEX: usize = 1;

    fn hide(hidden: &mut Hidden) {
        hidden.jobs = true;
    }

    fn clear(state: &mut State) -> Vec<Key> {
        std::mem::take(&mut state.parts.bootstraps).into_keys().collect()
    }

    fn put(self, state: &mut State) -> Option<Key> {
        let key = key_of_job(&self.metadata);
        state.parts.add_bootstrap(self);
        key
    }

    fn remove(self, state: &mut State) -> Option<Key> {
        let key = key_of_job(&self.metadata)?;
        state.parts.bootstraps.remove(&key);
        Some(key)
    }
}

impl Part for Service {
    const INDEX: usize = 2;

    fn hide(hidden: &mut Hidden) {
        hidden.services = true;
    }

    fn clear(state: &mut State) -> Vec<Key> {
        std::mem::take(&mut state.parts.services).into_keys().collect()
    }

    fn put(self, state: &mut State) -> Option<Key> {
        let key = key_of_service(&self);
        state.parts.add_service(self);
        key
    }

    fn remove(self, state: &mut State) -> Option<Key> {
        let key = key_of_service(&self)?;
        state.parts.remove_service(&key, &self.metadata.name);
        Some(key)
    }
}

impl Part for PodOfTable {
    const INDEX: usize = 3;

    fn hide(hidden: &mut Hidden) {
        hidden.pods = true;
    }

    fn clear(state: &mut State) -> Vec<Key> {
        std::mem::take(&mut state.rows).into_keys().collect()
    }

    fn put(self, state: &mut State) -> Option<Key> {
        let key = self.key?;
        state.rows.entry(key.clone()).or_default().insert(self.row.name.clone(), self.row);
        Some(key)
    }

    fn remove(self, state: &mut State) -> Option<Key> {
        let key = self.key?;
        let rows = state.rows.get_mut(&key)?;
        rows.remove(&self.row.name);
        if rows.is_empty() {
            state.rows.remove(&key);
        }
        Some(key)
    }
}

impl Part for BootstrapPod {
    const INDEX: usize = 4;

    fn clear(state: &mut State) -> Vec<Key> {
        std::mem::take(&mut state.parts.bootstrap_pods).into_keys().collect()
    }

    fn put(self, state: &mut State) -> Option<Key> {
        let key = self.0.key?;
        state.parts.bootstrap_pods.insert(key.clone(), self.0.row);
        Some(key)
    }

    fn remove(self, state: &mut State) -> Option<Key> {
        let key = self.0.key?;
        // The next bootstrap of the name may have a pod already.
        if state.parts.bootstrap_pods.get(&key).is_some_and(|pod| pod.name == self.0.row.name) {
            state.parts.bootstrap_pods.remove(&key);
        }
        Some(key)
    }
}
