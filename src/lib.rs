//! `kubectl flink`: the life of a Flink native Kubernetes session cluster, from a terminal.
//!
//! docs/architecture.md is the map; `tests/layering.rs` holds it.

pub mod app;
pub mod cli;
pub mod cluster;
pub mod cmd;
pub mod config;
pub mod diagnosis;
pub mod exit;
pub mod flink;
pub mod log;
pub mod model;
pub mod net;
pub mod output;
pub mod session;
