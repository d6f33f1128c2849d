//! Which settings of a session differ from what its Flink uses when nothing is said.

use std::collections::BTreeMap;

use super::keys::{self, Kind};
use super::memory;
use crate::session::flink_config::encoding;
use crate::session::flink_config::flag_keys::{self, Dialect};
use crate::session::flink_config::shipped_defaults;
use crate::session::spec::locale;
use crate::session::spec::version::{FlinkVersion, NEWEST, OLDEST};

/// What Flink itself shows instead of a secret.
const HIDDEN: &str = "******";

/// A setting that somebody chose.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Changed {
    /// As the configuration calls it.
    pub key: String,
    /// As the configuration writes it; never a secret.
    pub value: String,
    /// What the version uses when nothing is said: what it ships, or what its class has. None where that is
    /// nothing, and where the key is not Flink's own.
    pub default: Option<String>,
}

/// The settings of `config` that differ from those of an untouched session, by key. Values count by what they
/// mean to Flink. A version that is not known counts as the newest.
///
/// Left out is what makes the session this one, what Flink's client and the bootstrap script write, and what the release
/// ships.
pub fn changed(config: &BTreeMap<String, String>, version: Option<FlinkVersion>) -> Vec<Changed> {
    let version = version.unwrap_or(NEWEST).max(OLDEST);
    let chosen = config.iter().filter(|(key, value)| !goes_without_saying(key, value));
    chosen.filter_map(|(key, value)| difference(key, value, version)).collect()
}

fn difference(key: &str, value: &str, version: FlinkVersion) -> Option<Changed> {
    let value = without_shipped_options(key, value)?;
    let shipped = Dialect::of(version).and_then(|dialect| shipped_defaults::value_in(key, dialect));
    let default = shipped.or_else(|| keys::default_in(key, version.minor()));
    if default.is_some_and(|default| is_same(key, version, &value, default)) {
        return None;
    }
    let value = if keys::is_secret(key) { HIDDEN.to_owned() } else { value };
    Some(Changed { key: key.to_owned(), value, default: default.map(str::to_owned) })
}

/// True for what makes the session this one, and for what Flink's client or a JobManager writes by itself.
fn goes_without_saying(key: &str, value: &str) -> bool {
    const IDENTITY: [&str; 3] = ["NAME", "--namespace", "--image"];
    let identity = flag_keys::flag_of(key).is_some_and(|flag| IDENTITY.contains(&flag));
    // Each JobManager makes a directory of its own, as `/tmp/flink-web-UUID`.
    let made = key == "web.tmpdir" && value.contains("/flink-web-");
    identity || made || shipped_defaults::is_clients(key) || locale::is_of_bootstrap(key, value)
}

/// The value without the JVM options that every session has; none when there are no others.
fn without_shipped_options(key: &str, value: &str) -> Option<String> {
    if !matches!(key, "env.java.opts.all" | "env.java.opts") {
        return Some(value.to_owned());
    }
    let options: Vec<_> =
        value.split_whitespace().filter(|option| !shipped_defaults::opens_module(option)).collect();
    (!options.is_empty()).then(|| options.join(" "))
}

fn is_same(key: &str, version: FlinkVersion, one: &str, other: &str) -> bool {
    // Older versions read as text what they parse all the same, such as the timeouts of Akka.
    let kinds = [keys::kind_in(key, version.minor()), keys::known(key).map(|key| &key.kind)];
    one.trim() == other.trim() || kinds.into_iter().flatten().any(|kind| means_the_same(kind, one, other))
}

/// True when both are one value to Flink. What Flink cannot parse is the same as nothing.
fn means_the_same(kind: &Kind, one: &str, other: &str) -> bool {
    match kind {
        Kind::Boolean | Kind::Enum(_) => one.trim().eq_ignore_ascii_case(other.trim()),
        Kind::Integer | Kind::Long => both(one, other, |text| text.trim().parse::<i64>().ok()),
        Kind::Double => both(one, other, number),
        Kind::Duration => both(one, other, keys::nanoseconds),
        Kind::Memory => both(one, other, memory::bytes),
        Kind::List => both(one, other, |text| encoding::split(text, ';')),
        Kind::Map => both(one, other, encoding::read_map),
        // A time, a size or the name of a constant that Flink reads as such, without declaring it.
        Kind::Text => {
            both(one, other, keys::nanoseconds)
                || both(one, other, memory::bytes)
                || is_constant(other) && one.trim().eq_ignore_ascii_case(other)
        }
    }
}

fn both<T: PartialEq>(one: &str, other: &str, read: impl Fn(&str) -> Option<T>) -> bool {
    read(one).is_some_and(|value| read(other) == Some(value))
}

/// As Java parses doubles, with or without the letter of their type.
fn number(text: &str) -> Option<f64> {
    let text = text.trim();
    text.strip_suffix(['d', 'D', 'f', 'F']).unwrap_or(text).parse().ok()
}

fn is_constant(text: &str) -> bool {
    text.contains(|c: char| c.is_ascii_uppercase())
        && text.chars().all(|c| c.is_ascii_uppercase() || c == '_')
}

#[cfg(test)]
mod tests;
