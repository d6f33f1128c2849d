//! One file a command: its arguments, and one function that reads as what it does.

pub mod cancel;
pub mod completion;
pub mod config;
pub mod create;
pub mod delete;
mod dry_run;
mod ending;
pub mod gc;
mod job_names;
pub mod jobs;
mod listing;
pub mod ls;
mod reach;
mod readiness;
mod removal;
pub mod restart;
pub mod savepoint;
mod sections;
mod session_tables;
pub mod status;
pub mod stop;
pub mod submit;
pub mod ui;
pub mod version;
pub mod word;
