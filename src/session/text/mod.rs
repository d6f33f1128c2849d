//! Text that people and other programs write: YAML with its places, words for a shell.

pub mod shell;
pub mod yaml;
