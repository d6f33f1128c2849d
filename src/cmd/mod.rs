//! One file a command: its arguments, and one function that reads as what it does.

pub mod config;
pub mod create;
pub mod delete;
mod job_names;
mod listing;
pub mod ls;
mod reach;
mod readiness;
mod session_tables;
pub mod status;
pub mod submit;
pub mod version;
