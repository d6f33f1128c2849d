//! The program as a process in a scrubbed environment: what it prints, where, and how it exits.
//! No cluster is needed; where a server is asked, the test is the server.

mod collections;
#[cfg(unix)]
mod completion;
mod create;
mod delete;
mod gc;
mod help;
mod jobs;
mod listing;
mod outage;
mod process;
mod running;
mod schema;
mod server;
#[cfg(target_os = "linux")]
mod terminal;
mod ui;
mod usage;
mod watch;
