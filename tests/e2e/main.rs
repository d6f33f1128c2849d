//! The tests on a real cluster: real Kubernetes, real Flink. `make e2e` brings the cluster.
//!
//! What the plugin did is looked at with kubectl, never with the plugin itself.

#![expect(clippy::print_stderr, reason = "the state of a failed test is shown on the test runner's stderr")]

mod create;
mod killed;
mod lab;
mod lifecycle;
mod manual_way;
mod proxy;
mod refusals;
mod seeing;
mod tables;
mod waits;
