//! Sessions as values: what one should be, how Flink is told so, and what must hold before.
//!
//! Pure: values in, values out. Nothing here reads or writes anything.

pub mod bootstrap;
pub mod changed;
mod checks;
mod choices;
pub mod config_file;
pub mod dialect;
pub mod flink_text;
pub mod flinkdeployment;
pub mod high_availability;
pub mod invalid;
pub mod keys;
pub mod labels;
pub mod manifest;
pub mod memory;
pub mod name;
mod nearest;
pub mod ownership;
pub mod pod_template;
pub mod preflight;
pub mod quantity;
pub mod rbac;
pub mod scheduling;
pub mod settings;
mod shipped;
pub mod spec;
pub mod version;
pub mod yaml;

pub use name::SessionName;
pub use spec::SessionSpec;
pub use version::FlinkVersion;
