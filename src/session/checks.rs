//! What is wrong with a session's settings, whatever the cluster.

use super::dialect::{self, Dialect};
use super::keys::{self, Reading};
use super::memory::{self, Role};
use super::settings::PLUGINS_VARIABLE;
use super::spec::{InvalidSpec, SessionSpec, name_in};
use super::version::{self, FlinkVersion};
use super::{labels, name};

/// Checks what the flags say, for themselves and against each other.
pub fn of_flags(spec: &SessionSpec) -> Result<(), InvalidSpec> {
    let settings = &spec.settings;
    let flag = |flag, value: &str, problem: &str| InvalidSpec::Flag {
        flag,
        value: value.to_owned(),
        problem: problem.to_owned(),
        source_: spec.source(flag),
    };
    if spec.image.trim().is_empty() || spec.image.contains(char::is_whitespace) {
        return Err(flag("--image", &spec.image, "is no name of an image"));
    }
    version(spec)?;
    if !name::is_dns_subdomain(&spec.service_account) {
        return Err(flag(
            "--service-account",
            &spec.service_account,
            "cannot be the name of a ServiceAccount",
        ));
    }
    for secret in &settings.image_pull_secrets {
        if !name::is_dns_subdomain(secret) {
            return Err(flag("--image-pull-secret", secret, "cannot be the name of a Secret"));
        }
    }
    let plain = settings.env.keys().map(|name| ("--env", name));
    for (of, variable) in plain.chain(settings.secret_env.keys().map(|name| ("--secret-env", name))) {
        if !is_variable(variable) {
            return Err(flag(of, variable, "cannot be the name of an environment variable"));
        }
    }
    if let Some(name) = settings.env.keys().find(|name| settings.secret_env.contains_key(*name)) {
        return Err(flag("--env", name, "is a --secret-env too"));
    }
    for plugin in &settings.plugins {
        if plugin.is_empty() || !plugin.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c)) {
            return Err(flag(
                "--plugin",
                plugin,
                "cannot be the name of a plugin: say s3-fs-hadoop, for example",
            ));
        }
    }
    for key in settings.labels.keys() {
        if [labels::APP, labels::TYPE, labels::COMPONENT].contains(&key.as_str()) {
            return Err(flag("--label", key, "is a label of Flink's own"));
        }
    }
    qualified(spec, "--label", &settings.labels, true)?;
    qualified(spec, "--node-selector", &settings.node_selector, true)?;
    qualified(spec, "--annotation", &settings.annotations, false)?;
    high_availability(spec)
}

fn version(spec: &SessionSpec) -> Result<(), InvalidSpec> {
    let said = spec.settings.flink_version;
    let tag = FlinkVersion::from_image_tag(&spec.image);
    if let Some(old) = [said, tag].into_iter().flatten().find(|v| v.is_before(version::OLDEST)) {
        return Err(InvalidSpec::TooOld(old));
    }
    if let (Some(tag), Some(said)) = (tag, said)
        && tag.minor() != said.minor()
    {
        return Err(InvalidSpec::VersionsDiffer { image: spec.image.clone(), tag, said });
    }
    // Of an image that tells nothing, the bootstrap refuses what its Flink cannot do.
    if let Some((version, dialect)) = spec.version_hint().and_then(|hint| Some((hint, Dialect::of(hint)?))) {
        spec.flink_settings(dialect, "")
            .map_err(|unsupported| InvalidSpec::Unsupported { unsupported, version })?;
    }
    Ok(())
}

fn high_availability(spec: &SessionSpec) -> Result<(), InvalidSpec> {
    let settings = &spec.settings;
    let by_key =
        || settings.config.get("kubernetes.jobmanager.replicas").and_then(|count| count.parse().ok());
    if let Some(replicas) = settings.jobmanager_replicas.or_else(by_key).filter(|replicas| *replicas > 1)
        && !spec.has_high_availability()
    {
        return Err(InvalidSpec::ReplicasWithoutHa(replicas));
    }
    let by_kubernetes = spec.has_kubernetes_high_availability();
    let Some(directory) = settings.ha.as_ref().or_else(|| settings.config.get(dialect::HA_STORAGE)) else {
        let key = settings.config.keys().find(|key| dialect::flag_of(key) == Some("--ha"));
        return match key.filter(|_| by_kubernetes) {
            Some(key) => Err(InvalidSpec::NoHaDirectory(key.clone())),
            None => Ok(()),
        };
    };
    if !by_kubernetes {
        return Ok(());
    }
    let (scheme, path) = directory.split_once(":/").unwrap_or(("file", directory));
    let path = format!("/{}", path.trim_start_matches('/'));
    if scheme == "file" {
        let shared = settings.ha_dir_is_shared == Some(true)
            || spec.templates().iter().all(|template| {
                template.as_ref().is_some_and(|template| template.mounts_lasting_volume_at(&path))
            });
        return if shared { Ok(()) } else { Err(InvalidSpec::LocalHa(directory.clone())) };
    }
    let variables = dialect::env_keys(PLUGINS_VARIABLE);
    let in_templates =
        spec.templates().iter().flatten().any(|template| template.to_json_text().contains(PLUGINS_VARIABLE));
    let needed = PLUGIN_OF_SCHEME.iter().find(|(schemes, _)| schemes.contains(&scheme));
    // `s3-fs-presto` and `s3-fs-hadoop` both serve s3.
    let serves = |plugin: &String| {
        needed.is_some_and(|(_, needed)| plugin.split('-').next() == needed.split('-').next())
    };
    let switched_on = settings.plugins.iter().any(serves)
        || settings.env.contains_key(PLUGINS_VARIABLE)
        || variables.iter().any(|key| settings.config.contains_key(key))
        || in_templates;
    match needed {
        Some((_, plugin)) if version::is_official(&spec.image) && !switched_on => {
            Err(InvalidSpec::NoFileSystem { directory: directory.clone(), image: spec.image.clone(), plugin })
        }
        _ => Ok(()),
    }
}

/// The plugin in the official images that serves a scheme.
const PLUGIN_OF_SCHEME: [(&[&str], &str); 5] = [
    (&["s3", "s3p"], "s3-fs-presto"),
    (&["s3a"], "s3-fs-hadoop"),
    (&["gs"], "gs-fs-hadoop"),
    (&["oss"], "oss-fs-hadoop"),
    (&["wasb", "wasbs", "abfs", "abfss"], "azure-fs-hadoop"),
];

/// Names as Kubernetes allows them for environment variables of a container; a `=` would end one.
fn is_variable(name: &str) -> bool {
    let first = name.chars().next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_');
    first && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// Keys of labels and annotations are `[DNS subdomain/]name`; the values of labels are names too.
fn qualified(
    spec: &SessionSpec,
    flag: &'static str,
    pairs: &std::collections::BTreeMap<String, String>,
    values_are_names: bool,
) -> Result<(), InvalidSpec> {
    let is_name = |text: &str| {
        let ends = |c: char| c.is_ascii_alphanumeric();
        text.len() <= 63
            && text.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
            && text.starts_with(ends)
            && text.ends_with(ends)
    };
    let wrong = |value: &str, problem: &str| InvalidSpec::Flag {
        flag,
        value: value.to_owned(),
        problem: problem.to_owned(),
        source_: spec.source(flag),
    };
    for (key, value) in pairs {
        let (prefix, last) =
            key.rsplit_once('/').map_or((None, key.as_str()), |(prefix, last)| (Some(prefix), last));
        if !is_name(last) || prefix.is_some_and(|prefix| !name::is_dns_subdomain(prefix)) {
            return Err(wrong(
                key,
                "cannot be a key: at most 63 letters, digits, '-', '_' and '.', the first and last a letter or a digit, after PREFIX/ if there is one",
            ));
        }
        if values_are_names && !value.is_empty() && !is_name(value) {
            return Err(wrong(
                value,
                "cannot be a value: at most 63 letters, digits, '-', '_' and '.', the first and last a letter or a digit",
            ));
        }
    }
    Ok(())
}

/// Checks the settings by Flink's own keys. Those that the plugin must own, and those that Flink would
/// lose, are refused even where the rest is not `checked`.
pub fn of_config(spec: &SessionSpec, checked: bool) -> Result<(), InvalidSpec> {
    let config = &spec.settings.config;
    for key in config.keys() {
        if let Some(owner) = dialect::owner_of(key) {
            return Err(InvalidSpec::Owned { key: key.clone(), owner, source_: spec.source(key) });
        }
    }
    let dialect = spec.expected_dialect();
    let nests = spec.version_hint().and_then(Dialect::of).is_none_or(Dialect::nests_keys);
    if nests {
        prefixes(spec)?;
    }
    if !checked {
        return Ok(());
    }
    let mut names: Vec<(&str, &String)> = Vec::new();
    for key in config.keys() {
        let name = name_in(key, dialect.minor);
        if let Some((_, first)) = names.iter().find(|(other, _)| *other == name) {
            return Err(InvalidSpec::SameThing { first: (*first).clone(), second: key.clone() });
        }
        names.push((name, key));
    }
    for (key, value) in config {
        of_setting(spec, dialect, key, value)?;
    }
    let settings = spec.flink_settings(dialect, "").unwrap_or_default();
    for role in [Role::JobManager, Role::TaskManager] {
        memory::container(role, &settings).map_err(InvalidSpec::Memory)?;
    }
    Ok(())
}

fn of_setting(spec: &SessionSpec, dialect: Dialect, key: &str, value: &str) -> Result<(), InvalidSpec> {
    let source_ = spec.source(key);
    let hint = spec.version_hint();
    let reading = keys::reading(key, dialect.minor);
    if let (Reading::Unread { since, until }, Some(version)) = (&reading, hint) {
        let of = |minor: &Option<dialect::Minor>| minor.map(|(major, minor)| format!("{major}.{minor}"));
        let read_by = match (of(since), of(until)) {
            (Some(since), Some(until)) if since == until => format!("only {since} reads it"),
            (Some(since), Some(until)) => format!("{since} to {until} read it"),
            (Some(since), None) => format!("it came with {since}"),
            (None, Some(until)) => format!("{until} was the last to read it"),
            (None, None) => "no version does".to_owned(),
        };
        return Err(InvalidSpec::Unread {
            key: key.to_owned(),
            version: version.to_string(),
            read_by,
            source_,
        });
    }
    if reading == Reading::Unknown {
        // A newer Flink may know keys that are unknown here.
        let newer = hint.is_some_and(|hint| version::NEWEST.is_before(hint));
        return match keys::did_you_mean(key).filter(|_| !newer) {
            Some(meant) => Err(InvalidSpec::Mistyped { key: key.to_owned(), meant, source_ }),
            None => Ok(()),
        };
    }
    match keys::problem_in(name_in(key, dialect.minor), dialect.minor, value) {
        Some(problem) => Err(InvalidSpec::Value { key: key.to_owned(), problem, source_ }),
        None => Ok(()),
    }
}

/// A key of the shipped `config.yaml` of which a user's key could be the beginning: 1.19 and later.
const SHIPPED: &str = "env.java.opts.all";

/// Refuses keys of which one is the dotted beginning of another.
fn prefixes(spec: &SessionSpec) -> Result<(), InvalidSpec> {
    let newest = spec.expected_dialect();
    let settings = spec.flink_settings(newest, "").unwrap_or_default();
    for shorter in settings.keys() {
        let dotted = format!("{shorter}.");
        if let Some(longer) = settings.keys().find(|key| key.starts_with(&dotted)) {
            return Err(InvalidSpec::Prefix { shorter: shorter.clone(), longer: longer.clone() });
        }
        if SHIPPED.starts_with(&dotted) {
            return Err(InvalidSpec::ShippedPrefix { key: shorter.clone(), shipped: SHIPPED, since: "1.19" });
        }
    }
    Ok(())
}
