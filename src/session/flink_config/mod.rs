//! Flink's configuration: its keys, their values, and how they get from a flag into Flink's processes.

pub mod carrier;
pub mod diff;
pub mod encoding;
pub mod expansion;
pub mod flag_keys;
pub mod job_settings;
pub(super) mod key_values;
pub mod keys;
pub mod memory;
pub(super) mod shipped_defaults;
