//! What is wrong with a session's settings, whatever the cluster.

use super::name;
use super::settings::PLUGINS_VARIABLE;
use super::version::{self, FlinkVersion};
use crate::session::config_file;
use crate::session::flink_config::flag_keys::{self, Dialect};
use crate::session::flink_config::keys::{self, Reading};
use crate::session::flink_config::memory::{self, Role};
use crate::session::manifest::labels;
use crate::session::spec::{InvalidSpec, SessionSpec, name_in};

/// Checks what the flags say, for themselves and against each other.
pub fn of_flags(spec: &SessionSpec) -> Result<(), InvalidSpec> {
    let settings = &spec.settings;
    let flag = |flag, value: &str, problem: &str| InvalidSpec::Flag {
        setting: spec.origin_of_entry(flag, value),
        value: value.to_owned(),
        problem: problem.to_owned(),
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
    if !name::is_dns_subdomain(spec.taskmanager_account()) {
        let account = spec.taskmanager_account();
        return Err(flag("--taskmanager-service-account", account, "cannot be the name of a ServiceAccount"));
    }
    if spec.has_network_policy() && spec.is_in_network_of_node() {
        let of = ["--network-policy", "--network-policy-from"].into_iter().find(|of| settings.says(of));
        let problem = "has no effect on pods in the network of their node (hostNetwork)";
        return Err(InvalidSpec::Flag {
            setting: spec.origin(of.unwrap_or("--network-policy")),
            value: "true".to_owned(),
            problem: problem.to_owned(),
        });
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
        let setting = if said == Some(old) { "--flink-version" } else { "--image" };
        return Err(InvalidSpec::TooOld { setting: spec.origin(setting), version: old });
    }
    if let (Some(tag), Some(said)) = (tag, said)
        && tag.minor() != said.minor()
    {
        let setting = spec.origin("--flink-version");
        return Err(InvalidSpec::VersionsDiffer { setting, image: spec.image.clone(), tag, said });
    }
    // Of an image that tells nothing, the bootstrap refuses what its Flink cannot do.
    if let Some((version, dialect)) = spec.version_hint().and_then(|hint| Some((hint, Dialect::of(hint)?))) {
        spec.flink_settings(dialect, "").map_err(|unsupported| InvalidSpec::Unsupported {
            setting: spec.origin(unsupported.flag),
            needs: unsupported.needs,
            version,
        })?;
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
        let by_flag = settings.jobmanager_replicas.is_some();
        let setting = if by_flag { "--jobmanager-replicas" } else { "kubernetes.jobmanager.replicas" };
        return Err(InvalidSpec::ReplicasWithoutHa { setting: spec.origin(setting), replicas });
    }
    let by_kubernetes = spec.has_kubernetes_high_availability();
    let Some((setting, directory)) = spec.ha_directory() else {
        let key = settings.config.keys().find(|key| flag_keys::flag_of(key) == Some("--ha"));
        return match key.filter(|_| by_kubernetes) {
            Some(key) => Err(InvalidSpec::NoHaDirectory(spec.origin(key))),
            None => Ok(()),
        };
    };
    if !by_kubernetes {
        return Ok(());
    }
    if let Some(verdict) = spec.local_high_availability() {
        return match verdict.problem() {
            Some(_) => {
                Err(InvalidSpec::LocalHa { setting, directory: directory.into(), verdict: verdict.into() })
            }
            None => Ok(()),
        };
    }
    let scheme = directory.split_once(':').map_or("file", |(scheme, _)| scheme);
    let variables = flag_keys::env_keys(PLUGINS_VARIABLE);
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
            let (directory, image) = (directory.into(), spec.image.as_str().into());
            Err(InvalidSpec::NoFileSystem { setting, directory, image, plugin })
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

/// The plugin that serves a scheme such as `s3`, as `--plugin` takes it.
pub fn plugin_for(scheme: &str) -> Option<&'static str> {
    PLUGIN_OF_SCHEME.iter().find(|(schemes, _)| schemes.contains(&scheme)).map(|(_, plugin)| *plugin)
}

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
    let wrong = |key: &str, value: &str, problem: &str| InvalidSpec::Flag {
        setting: spec.origin_of_entry(flag, key),
        value: value.to_owned(),
        problem: problem.to_owned(),
    };
    for (key, value) in pairs {
        let (prefix, last) =
            key.rsplit_once('/').map_or((None, key.as_str()), |(prefix, last)| (Some(prefix), last));
        if !is_name(last) || prefix.is_some_and(|prefix| !name::is_dns_subdomain(prefix)) {
            return Err(wrong(
                key,
                key,
                "cannot be a key: at most 63 letters, digits, '-', '_' and '.', the first and last a letter or a digit, after PREFIX/ if there is one",
            ));
        }
        if values_are_names && !value.is_empty() && !is_name(value) {
            return Err(wrong(
                key,
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
        if let Some(owner) = flag_keys::owner_of(key) {
            let key = spec.origin(key);
            let of_file = owner.strip_prefix("--").filter(|own| config_file::KEYS.contains(own));
            let owner = of_file.filter(|_| !key.is_command_line()).unwrap_or(owner);
            return Err(InvalidSpec::Owned { key, owner });
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
            let first = spec.origin(first);
            let other = first.beside(&spec.origin(key));
            return Err(InvalidSpec::Contradiction { key: first, other });
        }
        names.push((name, key));
    }
    for (key, value) in config {
        of_setting(spec, dialect, key, value)?;
    }
    let settings = spec.flink_settings(dialect, "").unwrap_or_default();
    for role in [Role::JobManager, Role::TaskManager] {
        memory::container(role, &settings)
            .map_err(|problem| InvalidSpec::Memory { setting: spec.origin_of_memory(role), problem })?;
    }
    Ok(())
}

fn of_setting(spec: &SessionSpec, dialect: Dialect, key: &str, value: &str) -> Result<(), InvalidSpec> {
    let hint = spec.version_hint();
    let reading = keys::reading(key, dialect.minor);
    if let (Reading::Unread { since, until }, Some(version)) = (&reading, hint) {
        let read_by = keys::read_by(*since, *until);
        return Err(InvalidSpec::Unread { key: spec.origin(key), version: version.to_string(), read_by });
    }
    if reading == Reading::Unknown {
        // A newer Flink may know keys that are unknown here.
        let newer = hint.is_some_and(|hint| version::NEWEST.is_before(hint));
        return match keys::did_you_mean(key).filter(|_| !newer) {
            Some(meant) => Err(InvalidSpec::Mistyped { key: spec.origin(key), meant }),
            None => Ok(()),
        };
    }
    match keys::problem_in(name_in(key, dialect.minor), dialect.minor, value) {
        Some(problem) => Err(InvalidSpec::Value { key: spec.origin(key), problem }),
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
            let (shorter, longer_key) = (spec.origin(shorter), longer.clone());
            let longer = shorter.beside(&spec.origin(longer));
            return Err(InvalidSpec::Prefix { shorter, longer, longer_key });
        }
        if SHIPPED.starts_with(&dotted) {
            let key = spec.origin(shorter);
            return Err(InvalidSpec::ShippedPrefix { key, shipped: SHIPPED, since: "1.19" });
        }
    }
    Ok(())
}
