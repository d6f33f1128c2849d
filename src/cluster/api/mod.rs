//! What Kubernetes does with objects of any kind: list, table, watch, write, events and logs.
//!
//! It knows no session.

pub(super) mod events;
pub(super) mod kind;
pub(super) mod logs;
pub(super) mod partial;
pub(super) mod stream_list;
pub(super) mod table;
pub(super) mod watch;
pub(super) mod write;
