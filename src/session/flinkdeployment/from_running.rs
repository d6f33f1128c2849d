//! A session that runs, as a manifest, whoever made it: what its own configuration says.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::session::flink_config::flag_keys::{self, Dialect};
use crate::session::flink_config::shipped_defaults;
use crate::session::manifest::accounts;
use crate::session::spec::locale;
use crate::session::spec::settings::Expose;
use crate::session::spec::version::FlinkVersion;
use crate::session::text::yaml::{self, Node};

use super::{NETWORK_POLICY, OperatorVersion, config};
use crate::session::flinkdeployment::render::{EXPOSE, Parts, Templates};

/// What is known of a session that runs.
#[derive(Clone, Debug, Default)]
pub struct Live {
    pub name: String,
    pub namespace: String,
    /// Of its Deployment; the configuration's own counts more.
    pub image: Option<String>,
    pub version: Option<FlinkVersion>,
    pub service_account: Option<String>,
    /// Flink's settings by key, as [`take_settings`] reads them.
    pub config: BTreeMap<String, String>,
    /// Files of its ConfigMap beside the settings.
    pub log_files: BTreeMap<String, String>,
    /// What [`super::of_spec`] wrote when the session was made, if the plugin made it.
    pub record: Option<Value>,
    /// The Pod in ConfigMap `pod-template-NAME`.
    pub taskmanager_template: Option<Value>,
}

/// The manifest of a session that runs, for `operator`, and what cannot be told about it, in sentences.
pub fn of_live(live: &Live, operator: OperatorVersion) -> (Value, Vec<String>) {
    let mut notes = Vec::new();
    let mut config = live.config.clone();
    let templates = templates(live, &mut notes);
    service_account(live, &mut config);
    if !config.keys().any(|key| flag_keys::flag_of(key) == Some("--image")) {
        config.extend(
            live.image.iter().map(|image| ("kubernetes.container.image.ref".to_owned(), image.clone())),
        );
    }
    expose(live, &mut config);
    one_spelling(live, &mut config);
    if config.remove("kubernetes.jobmanager.owner.reference").is_some() {
        notes.push(format!(
            "the owner of Deployment {} is left out: a new session would be deleted together with it",
            live.name
        ));
    }
    let log_configuration = recorded(live, "/spec/logConfiguration").unwrap_or_default();
    if live.record.is_none() && !live.log_files.is_empty() {
        notes.push(format!(
            "the log settings in ConfigMap flink-config-{} are left out: they may be those of the image",
            live.name
        ));
    }
    without_shipped(&mut config);
    let parts = Parts {
        name: &live.name,
        namespace: &live.namespace,
        version: live.version,
        annotations: recorded_policy(live),
        templates,
        log_configuration,
        config,
        operator,
    };
    (parts.manifest(), notes)
}

fn recorded(live: &Live, path: &str) -> Option<Value> {
    live.record.as_ref()?.pointer(path).cloned()
}

/// That the session was made with a NetworkPolicy.
fn recorded_policy(live: &Live) -> BTreeMap<String, String> {
    let annotations = recorded(live, "/metadata/annotations").unwrap_or_default();
    let policy = annotations[NETWORK_POLICY].as_str();
    policy.map(|peers| (NETWORK_POLICY.to_owned(), peers.to_owned())).into_iter().collect()
}

fn templates(live: &Live, notes: &mut Vec<String>) -> Templates {
    if live.record.is_some() {
        return Templates {
            both: recorded(live, "/spec/podTemplate"),
            jobmanager: recorded(live, "/spec/jobManager/podTemplate"),
            taskmanager: recorded(live, "/spec/taskManager/podTemplate"),
        };
    }
    let has = |flag: &str| live.config.keys().any(|key| flag_keys::flag_of(key) == Some(flag));
    let taskmanager = live.taskmanager_template.clone();
    if taskmanager.is_none() && (has("--pod-template") || has("--taskmanager-pod-template")) {
        notes.push(format!(
            "the pod template of the TaskManagers is left out: there is none to read in ConfigMap pod-template-{}",
            live.name
        ));
    }
    let only_theirs = has("--taskmanager-pod-template") && !has("--pod-template");
    if has("--pod-template") || has("--jobmanager-pod-template") || (taskmanager.is_some() && !only_theirs) {
        notes.push(
            "the pod template of the JobManager is left out: Flink keeps none that could be read".to_owned(),
        );
    }
    Templates { taskmanager, ..Templates::default() }
}

/// A manifest has a field for one ServiceAccount, which is that of the JobManager.
fn service_account(live: &Live, config: &mut BTreeMap<String, String>) {
    const COMMON: &str = "kubernetes.service-account";
    let jobmanagers = config.remove("kubernetes.jobmanager.service-account");
    let taskmanagers = config.remove(accounts::KEY);
    let common = config.remove(COMMON);
    let account = jobmanagers.or_else(|| common.clone()).or_else(|| live.service_account.clone());
    // The default of the TaskManagers is that of all pods.
    let other = taskmanagers.or(common.filter(|common| account.as_ref() != Some(common)));
    config.extend(other.map(|other| (accounts::KEY.to_owned(), other)));
    config.extend(account.map(|account| (COMMON.to_owned(), account)));
}

/// The Service as it was asked for: the plugin changes its type after Flink has made it.
fn expose(live: &Live, config: &mut BTreeMap<String, String>) {
    let asked = recorded(live, "/spec/flinkConfiguration")
        .and_then(|config| config[EXPOSE].as_str().map(str::to_owned));
    if let Some(asked) = asked {
        config.insert(EXPOSE.to_owned(), asked);
    }
    // The default up to 1.14.
    if live.version.is_some_and(|version| version.minor() < (1, 15)) {
        config.entry(EXPOSE.to_owned()).or_insert_with(|| Expose::LoadBalancer.as_str().to_owned());
    }
}

/// Of two names of one setting, Flink reads the one of its own version.
fn one_spelling(live: &Live, config: &mut BTreeMap<String, String>) {
    let Some(dialect) = live.version.and_then(Dialect::of) else { return };
    for flag in ["--image", "--jobmanager-cpu", "--taskmanager-cpu"] {
        if let Ok([read]) = dialect.keys(flag)
            && config.contains_key(*read)
        {
            config.retain(|key, _| key == read || flag_keys::flag_of(key) != Some(flag));
        }
    }
}

/// The container's size that is shipped stays beside one of Flink's own sizes.
fn without_shipped(config: &mut BTreeMap<String, String>) {
    for (key, size) in shipped_defaults::SIZES {
        let given = |keys: &&[&str]| keys.iter().all(|key| config.contains_key(*key));
        let flag = flag_keys::flag_of(key).unwrap_or_default();
        let of_container = config.keys().filter(|other| flag_keys::flag_of(other) == Some(flag)).count();
        let beside = of_container > 1 || flag_keys::sizes_instead_of(flag).iter().any(given);
        if beside && config.get(key).is_some_and(|value| value == size) {
            config.remove(key);
        }
    }
    config.retain(|key, value| {
        let shipped = shipped_defaults::value(key) == Some(value);
        let java = key == "env.java.opts.all" && value.split_whitespace().all(shipped_defaults::opens_module);
        !(shipped || java || shipped_defaults::is_clients(key) || locale::is_of_bootstrap(key, value))
    });
}

/// Takes the settings out of the files of ConfigMap `flink-config-NAME`; none when they are not there.
pub fn take_settings(files: &mut BTreeMap<String, String>) -> Option<BTreeMap<String, String>> {
    // Where there are two, the flat file wins (GlobalConfiguration of 1.19 and 1.20).
    let nested = files.remove("config.yaml");
    files.remove("flink-conf.yaml").or(nested).map(|text| flat(&text))
}

/// Flink's settings by key, from the text of `config.yaml`, where keys are nested, or of
/// `flink-conf.yaml`, which is no YAML: a value may hold `: ` there.
pub(in crate::session) fn flat(text: &str) -> BTreeMap<String, String> {
    // A line that stands in is under a key; `flink-conf.yaml` has no such lines.
    let nested = text.lines().any(|line| line.starts_with([' ', '-']) && !line.trim_start().starts_with('#'));
    match yaml::parse(text) {
        Ok(root) if nested => {
            let mut all = BTreeMap::new();
            flatten(&root, "", &mut all);
            all
        }
        _ => lines(text),
    }
}

fn flatten(node: &Node, key: &str, all: &mut BTreeMap<String, String>) {
    match node.pairs("") {
        Ok(_) if node.is_null() => {}
        Ok(pairs) => {
            for (name, value) in pairs {
                let name = name.text("").unwrap_or_default();
                let key = if key.is_empty() { name.to_owned() } else { format!("{key}.{name}") };
                flatten(value, &key, all);
            }
        }
        Err(_) => {
            // A list of mappings has no flat form; no setting of a session is one.
            all.extend(config::text(node, key).ok().map(|value| (key.to_owned(), value)));
        }
    }
}

/// As `GlobalConfiguration` up to 1.18 reads them.
fn lines(text: &str) -> BTreeMap<String, String> {
    let setting = |line: &str| {
        let (key, value) = line.split('#').next()?.trim().split_once(": ")?;
        Some((key.trim().to_owned(), value.trim().to_owned()))
    };
    text.lines().filter_map(setting).filter(|(key, value)| !key.is_empty() && !value.is_empty()).collect()
}

#[cfg(test)]
mod tests;
