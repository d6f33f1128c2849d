//! Sessions as values: what one should be, how Flink is told so, and what must hold before.
//!
//! Pure: values in, values out. Nothing here reads or writes anything.

pub mod config_file;
pub mod existing;
pub mod flink_config;
pub mod flinkdeployment;
pub mod manifest;
pub mod spec;
pub mod text;

pub use crate::session::spec::name::SessionName;
pub use crate::session::spec::validate::plugin_for;
pub use crate::session::spec::version::FlinkVersion;
pub use spec::SessionSpec;
