//! The tests on a real cluster: real Kubernetes, real Flink. `make e2e` brings the cluster.
//!
//! What the plugin did is looked at with kubectl, never with the plugin itself.

#![expect(clippy::print_stderr, reason = "the state of a failed test is shown on the test runner's stderr")]

mod advice;
mod advice_create;
mod attribution;
mod completion;
mod connections;
mod control_plane;
mod create;
mod delete;
mod directories;
mod everyday;
mod faults;
mod gc;
mod grants;
mod identity;
mod in_cluster;
mod jobmanagers;
mod jobs;
mod killed;
mod killed_delete;
mod lab;
mod labels;
mod lifecycle;
mod limit_ranges;
mod manifests;
mod manual_way;
mod proxy;
mod refusals;
#[expect(dead_code, reason = "the tests without a cluster use more of it")]
#[path = "../cli/running.rs"]
mod running;
mod seeing;
mod stopped;
mod submit;
mod sweep;
mod tables;
mod tls;
mod tour;
mod ui;
mod values;
mod waits;
mod watch;
