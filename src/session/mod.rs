//! Sessions as values: what one should be, how Flink is told so, and what must hold before.
//!
//! Pure: values in, values out. Nothing here reads or writes anything.

pub mod accounts;
pub mod bootstrap;
pub mod carrier;
pub mod changed;
mod checks;
mod choices;
pub mod cluster_grant;
pub mod config_file;
pub mod dialect;
pub mod expansion;
pub mod flink_text;
pub mod flinkdeployment;
pub mod high_availability;
pub mod invalid;
pub mod job_settings;
pub mod keys;
pub mod labels;
mod limits;
mod locale;
pub mod manifest;
pub mod memory;
pub mod name;
pub mod nearest;
pub mod network_policy;
pub mod origin;
pub mod ownership;
pub mod pod_template;
pub mod preflight;
pub mod quantity;
pub mod rbac;
pub mod rbac_found;
pub mod scheduling;
pub mod settings;
pub mod shell;
mod shipped;
pub mod spec;
pub mod state;
pub mod version;
pub mod volumes;
pub mod yaml;

pub use checks::plugin_for;
pub use name::SessionName;
pub use spec::SessionSpec;
pub use version::FlinkVersion;
