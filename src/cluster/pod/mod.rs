//! Streams to a port of a pod.

pub(super) mod port_forward;
pub(super) mod raw_connection;
pub(super) mod ws_frames;
