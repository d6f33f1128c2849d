//! The program as a process in a scrubbed environment: what it prints, where, and how it exits.
//! No cluster is needed; where a server is asked, the test is the server.

mod admission;
#[cfg(unix)]
mod advice;
#[cfg(unix)]
mod advice_create;
#[cfg(unix)]
mod advice_jobs;
#[cfg(unix)]
mod attribution;
mod collections;
#[cfg(unix)]
mod completion;
mod create;
#[cfg(unix)]
mod create_end;
mod delete;
mod directories;
mod gc;
mod grants;
mod help;
mod identity;
mod ids;
mod jar_names;
mod jobmanagers;
mod jobs;
#[cfg(unix)]
mod kubeconfigs;
#[cfg(target_os = "linux")]
mod limits;
mod line;
mod listing;
mod manifests;
mod numbers;
mod outage;
mod passwords;
#[cfg(unix)]
mod played;
mod pod;
mod process;
mod raw;
#[cfg(unix)]
mod replaced;
mod running;
#[cfg(unix)]
mod savepoint_hints;
mod schema;
mod server;
#[cfg(unix)]
mod signals;
#[cfg(target_os = "linux")]
mod sizes;
mod standing;
#[cfg(unix)]
mod standing_hints;
mod submit;
#[cfg(unix)]
mod submit_hints;
#[cfg(target_os = "linux")]
mod terminal;
mod ui;
mod unknown;
mod usage;
mod waiting;
mod watch;
