//! Variables from Secrets, and plugins by their jars, as Flink's own keys have them. What cannot be taken
//! apart is left to Flink.

use std::collections::BTreeMap;

use crate::session::FlinkVersion;
use crate::session::flink_config::encoding::{read_map, split};
use crate::session::spec::settings::SecretKey;

/// The variables of `kubernetes.env.secretKeyRef`.
pub fn secret_env(text: &str) -> Option<BTreeMap<String, SecretKey>> {
    let variable = |part: &String| {
        let mut fields = read_map(part)?;
        let (name, secret, key) = (fields.remove("env")?, fields.remove("secret")?, fields.remove("key")?);
        fields.is_empty().then_some((name, SecretKey { secret, key }))
    };
    split(text, ';')?.iter().map(variable).collect()
}

/// The jars of `plugins` in the official images of `version`.
pub fn jars(plugins: &[String], version: FlinkVersion) -> String {
    plugins.iter().map(|name| format!("flink-{name}-{version}.jar")).collect::<Vec<_>>().join(";")
}

/// The plugins by their jars; none when something else is among them.
pub fn plugins(jars: &str) -> Option<Vec<String>> {
    let plugin = |jar: &str| {
        let (name, version) = jar.strip_prefix("flink-")?.strip_suffix(".jar")?.rsplit_once('-')?;
        let exact = version.parse::<FlinkVersion>().is_ok_and(|version| version.patch.is_some());
        (exact && !name.is_empty()).then(|| name.to_owned())
    };
    jars.split(';').map(plugin).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_taken_apart_is_left_alone() {
        assert_eq!(secret_env("env:A,secret:s"), None);
        assert_eq!(plugins("flink-s3-fs-hadoop-1.20.5.jar;mine.jar"), None);
        assert_eq!(plugins("flink-s3-fs-hadoop-1.20.5.jar").expect("jar"), ["s3-fs-hadoop"]);
    }
}
