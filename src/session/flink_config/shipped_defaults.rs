//! What the configuration of a session says without anybody's wish: Flink's client writes it, or the release
//! ships it.

use crate::session::flink_config::flag_keys::{self, Dialect};
use crate::session::manifest::labels;

/// Settings that Flink's client writes, whatever it is told.
const CLIENTS: [&str; 10] = [
    "execution.target",
    "high-availability.cluster-id",
    "jobmanager.bind-host",
    "jobmanager.rpc.address",
    "kubernetes.config.file",
    "kubernetes.context",
    "rest.address",
    "rest.bind-address",
    "taskmanager.bind-host",
    "taskmanager.host",
];

/// Settings of the configuration that Flink ships, and what the client makes of a port that is 0.
const SHIPPED: [(&str, &str); 10] = [
    ("blob.server.port", "6124"),
    ("high-availability.jobmanager.port", "6123"),
    ("jobmanager.execution.failover-strategy", "region"),
    ("jobmanager.rpc.port", "6123"),
    ("parallelism.default", "1"),
    ("query.server.port", "6125"),
    ("rest.bind-port", "8081"),
    ("rest.port", "8081"),
    ("taskmanager.numberOfTaskSlots", "1"),
    ("taskmanager.rpc.port", "6122"),
];

/// Container sizes of the configuration that Flink ships.
pub const SIZES: [(&str, &str); 3] = [
    ("jobmanager.heap.size", "1024m"),
    ("jobmanager.memory.process.size", "1600m"),
    ("taskmanager.memory.process.size", "1728m"),
];

/// True for what Flink's client, or the bootstrap script, writes by itself.
pub fn is_clients(key: &str) -> bool {
    let internal =
        ["$internal.", "internal.", "kubernetes.internal."].iter().any(|prefix| key.starts_with(prefix));
    internal || CLIENTS.contains(&key) || key == labels::SESSION_ID
}

/// The value that `key` has where nobody gave it one, for settings that are no sizes.
pub fn value(key: &str) -> Option<&'static str> {
    SHIPPED.iter().find(|(own, _)| *own == key).map(|(_, value)| *value)
}

/// As [`value`], and the sizes of the containers, which other versions call by other keys.
pub fn value_in(key: &str, dialect: Dialect) -> Option<&'static str> {
    let (_, size) = SIZES.into_iter().find(|(own, _)| *own == key).unzip();
    let its_own = || flag_keys::flag_of(key).and_then(|flag| dialect.keys(flag).ok());
    size.filter(|_| its_own().is_some_and(|keys| keys.contains(&key))).or_else(|| value(key))
}

/// True for JVM options that Flink ships as `env.java.opts.all` from 1.18 on.
pub fn opens_module(option: &str) -> bool {
    option.starts_with("--add-exports=") || option.starts_with("--add-opens=")
}
