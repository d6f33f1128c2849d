//! One file a command: its arguments, and one function that reads as what it does.

pub mod create;
pub mod delete;
pub mod ls;
mod session_tables;
pub mod status;
pub mod version;
