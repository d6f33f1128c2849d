//! Sessions, in terms of Kubernetes' objects.

pub(super) mod changes;
pub(super) mod cluster_grants;
pub(super) mod environment;
pub(super) mod evidence;
pub(super) mod existing_objects;
pub(super) mod export;
pub(super) mod ha_leader;
pub(super) mod jobmanagers;
pub(super) mod leftovers;
pub(super) mod list;
pub(super) mod mounts;
pub(super) mod names;
pub(super) mod operator;
pub(super) mod owned_objects;
pub(super) mod relabelled;
pub(super) mod snapshot;
