//! Sessions as values: what one should be, how Flink is told so, and what must hold before.
//!
//! Pure: values in, values out. Nothing here reads or writes anything.

pub mod bootstrap;
pub mod dialect;
pub mod keys;
pub mod labels;
pub mod name;
pub mod preflight;
pub mod quantity;
pub mod rbac;
pub mod spec;
pub mod version;

pub use name::SessionName;
pub use spec::SessionSpec;
pub use version::FlinkVersion;
