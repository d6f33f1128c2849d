//! `spec.flinkConfiguration`: which of Flink's settings have a name of their own here.
//!
//! A setting with a flag becomes that flag's, so that it can be laid over like any other; one whose
//! value a flag cannot say stays a setting by its key.

use std::collections::{BTreeMap, BTreeSet};

use crate::session::flink_config::flag_keys::{self, ATTACHED, CLUSTER_ID, NAMESPACE};
use crate::session::flink_config::memory;
use crate::session::flink_config::{encoding, expansion};
use crate::session::spec::origin::{self, Place};
use crate::session::spec::quantity::Memory;
use crate::session::spec::settings::{Expose, PullPolicy, Settings};
use crate::session::text::yaml::{Node, YamlError};

use super::{ENABLE_PLUGINS, Manifest, structured};
use crate::session::flinkdeployment::parse::is_flinks_label;

/// One setting and where it stands.
pub struct Entry<'a> {
    value: String,
    key_place: &'a Node,
    value_place: &'a Node,
}

/// Settings by their keys.
pub type Entries<'a> = BTreeMap<String, Entry<'a>>;

/// The settings of a mapping, which may be nested; `path` is where it stands.
pub fn entries<'a>(node: &'a Node, path: &str) -> Result<Entries<'a>, YamlError> {
    let mut all = Entries::new();
    collect(node, path, "", &mut all)?;
    Ok(all)
}

fn collect<'a>(node: &'a Node, path: &str, prefix: &str, all: &mut Entries<'a>) -> Result<(), YamlError> {
    for (key_place, value_place) in node.pairs(path)? {
        let name = key_place.text(&format!("a key of {path}"))?;
        let key = if prefix.is_empty() { name.to_owned() } else { format!("{prefix}.{name}") };
        if !value_place.is_null() && value_place.pairs("").is_ok() {
            collect(value_place, path, &key, all)?;
            continue;
        }
        let entry = Entry { value: text(value_place, &key)?, key_place, value_place };
        if all.insert(key.clone(), entry).is_some() {
            return Err(key_place.error(format!("{key} is set twice")));
        }
    }
    Ok(())
}

/// Keys and values without their places.
pub fn values(entries: Entries) -> Vec<(String, String)> {
    entries.into_iter().map(|(key, entry)| (key, entry.value)).collect()
}

/// A single value, or a list as Flink writes it.
pub fn text(node: &Node, key: &str) -> Result<String, YamlError> {
    match node.items("") {
        Ok(items) if !node.is_null() => {
            let items = items.iter().map(|item| item.text(key)).collect::<Result<Vec<_>, _>>()?;
            Ok(encoding::list(items))
        }
        _ => node.text(key).map(str::to_owned),
    }
}

/// The field of a manifest that says what `flag` says.
fn field_of(flag: &str) -> Option<&'static str> {
    Some(match flag {
        "NAME" => "metadata.name",
        "--namespace" => "metadata.namespace",
        "--image" => "spec.image",
        "--image-pull-policy" => "spec.imagePullPolicy",
        "--service-account" => "spec.serviceAccount",
        "--jobmanager-replicas" => "spec.jobManager.replicas",
        "--pod-template" => "spec.podTemplate",
        "--jobmanager-pod-template" => "spec.jobManager.podTemplate",
        "--taskmanager-pod-template" => "spec.taskManager.podTemplate",
        "--label" => "metadata.labels",
        "--annotation" => "metadata.annotations",
        _ => return None,
    })
}

/// Puts `entries` where they belong; the fields of the manifest have been read before.
///
/// `factors` are settings that fields of the manifest stand for, with these fields.
pub fn sort(
    mut entries: Entries,
    factors: &BTreeMap<String, (f64, Place)>,
    manifest: &mut Manifest,
) -> Result<(), YamlError> {
    operators_own(&mut entries, manifest);
    identity(&mut entries, manifest)?;
    one_value(&mut entries, manifest)?;
    of_both_roles(&mut entries, manifest);
    variables(&mut entries, manifest);
    for (key, (factor, place)) in factors {
        if let Some(entry) = entries.get(key) {
            return Err(set_twice(entry, key, &place.name));
        }
        manifest.places.insert(key.clone(), place.clone());
        manifest.settings.config.insert(key.clone(), format!("{factor:?}"));
    }
    for (key, entry) in entries {
        if let Some(owner) = flag_keys::owner_of(&key) {
            let owner = field_of(owner).unwrap_or(owner);
            return Err(entry.key_place.error(format!("{key} cannot be set: {owner} decides it")));
        }
        if let Some(flag) = flag_keys::flag_of(&key).filter(|flag| manifest.settings.says(flag)) {
            let field = manifest.places.get(flag).map(|place| place.name.as_str());
            return Err(set_twice(&entry, &key, field.or(field_of(flag)).unwrap_or(flag)));
        }
        manifest.places.insert(key.clone(), Place::of(entry.key_place, &key));
        manifest.settings.config.insert(key, entry.value);
    }
    Ok(())
}

fn set_twice(entry: &Entry, key: &str, other: &str) -> YamlError {
    entry.key_place.error(format!("{key} and {other} set the same thing: leave one of them out"))
}

fn operators_own(entries: &mut Entries, manifest: &mut Manifest) {
    let own = |key: &str| key.starts_with("kubernetes.operator.") || key.starts_with("job.autoscaler.");
    let named: Vec<String> = entries.keys().filter(|key| own(key)).cloned().collect();
    entries.retain(|key, _| !own(key));
    if let Some((last, rest)) = named.split_last() {
        let (all, are) = match rest {
            [] => (last.clone(), "is left out: it is a setting"),
            rest => (format!("{} and {last}", rest.join(", ")), "are left out: they are settings"),
        };
        manifest.notes.push(format!("{all} {are} of the Kubernetes operator itself"));
    }
}

/// Drops what says in Flink's words what this manifest is anyway; refuses what says something else.
fn identity(entries: &mut Entries, manifest: &mut Manifest) -> Result<(), YamlError> {
    for (key, field, said) in [
        (CLUSTER_ID, "metadata.name", &mut manifest.name),
        (NAMESPACE, "metadata.namespace", &mut manifest.namespace),
    ] {
        if let Some(Entry { value, value_place, .. }) = entries.remove(key) {
            let said = said.get_or_insert_with(|| value.clone());
            if *said != value {
                return Err(value_place
                    .error(format!("{key} is {value}, and {field} is {said}: they are the same thing")));
            }
        }
    }
    let name = manifest.name.as_deref();
    let goes_without_saying = |key: &str, value: &str| match key {
        ATTACHED => value == "false",
        "execution.target" => value == "kubernetes-session",
        "high-availability.cluster-id" => Some(value) == name,
        _ => false,
    };
    entries.retain(|key, entry| !goes_without_saying(key, &entry.value));
    Ok(())
}

/// Keys whose value is the whole of what a flag says.
fn one_value(entries: &mut Entries, manifest: &mut Manifest) -> Result<(), YamlError> {
    let Manifest { settings, places, .. } = manifest;
    let keys: Vec<String> = entries.keys().cloned().collect();
    for key in keys {
        let Some(flag) = flag_keys::flag_of(&key) else { continue };
        let alone = entries.keys().filter(|other| flag_keys::flag_of(other) == Some(flag)).count() == 1;
        if !alone || settings.says(flag) {
            continue;
        }
        let Some(entry) = entries.get(&key) else { continue };
        if take(settings, &key, &entry.value) {
            places.insert(flag.to_owned(), Place::of(entry.key_place, &key));
            entries.remove(&key);
        } else if flag == "--expose" {
            let words = "ClusterIP, NodePort or LoadBalancer";
            return Err(entry.value_place.error(format!("{key}: {:?} is not {words}", entry.value)));
        }
    }
    Ok(())
}

/// False when the value is not one that the flag of `key` can say.
fn take(settings: &mut Settings, key: &str, value: &str) -> bool {
    fn set<T>(slot: &mut Option<T>, value: Option<T>) -> bool {
        let said = value.is_some();
        *slot = value;
        said
    }
    fn fill<T: Default>(slot: &mut T, value: Option<T>) -> bool {
        let said = value.is_some();
        *slot = value.unwrap_or_default();
        said
    }
    let trimmed = value.trim();
    let some = || (!trimmed.is_empty()).then(|| trimmed.to_owned());
    match key {
        "kubernetes.container.image" | "kubernetes.container.image.ref" => set(&mut settings.image, some()),
        "kubernetes.service-account" | "kubernetes.jobmanager.service-account" => {
            set(&mut settings.service_account, some())
        }
        "kubernetes.taskmanager.service-account" => set(&mut settings.taskmanager_service_account, some()),
        "kubernetes.container.image.pull-policy" => {
            let policy = PullPolicy::ALL.into_iter().find(|policy| policy.as_str() == trimmed);
            set(&mut settings.image_pull_policy, policy)
        }
        "kubernetes.container.image.pull-secrets" => {
            fill(&mut settings.image_pull_secrets, encoding::split(value, ';'))
        }
        "kubernetes.rest-service.exposed.type" => {
            set(&mut settings.expose, Expose::ALL.into_iter().find(|expose| expose.as_str() == trimmed))
        }
        "jobmanager.memory.process.size" | "jobmanager.heap.size" => {
            set(&mut settings.jobmanager_memory, whole_mebibytes(value))
        }
        "taskmanager.memory.process.size" => set(&mut settings.taskmanager_memory, whole_mebibytes(value)),
        "kubernetes.jobmanager.cpu" | "kubernetes.jobmanager.cpu.amount" => {
            set(&mut settings.jobmanager_cpu, value.parse().ok())
        }
        "kubernetes.taskmanager.cpu" | "kubernetes.taskmanager.cpu.amount" => {
            set(&mut settings.taskmanager_cpu, value.parse().ok())
        }
        "kubernetes.jobmanager.replicas" => {
            set(&mut settings.jobmanager_replicas, trimmed.parse().ok().filter(|count| *count > 0))
        }
        "taskmanager.numberOfTaskSlots" => {
            set(&mut settings.slots, trimmed.parse().ok().filter(|slots| *slots > 0))
        }
        "slotmanager.number-of-slots.min" => set(&mut settings.min_slots, trimmed.parse().ok()),
        "resourcemanager.taskmanager-timeout" => {
            let milliseconds = trimmed.parse::<u64>().ok();
            set(
                &mut settings.keep_idle_taskmanagers,
                milliseconds.and_then(|ms| format!("{ms}ms").parse().ok()),
            )
        }
        "kubernetes.env.secretKeyRef" => fill(&mut settings.secret_env, structured::secret_env(value)),
        _ => false,
    }
}

/// A flag says sizes in MiB; Flink itself counts bytes.
fn whole_mebibytes(value: &str) -> Option<Memory> {
    let size: Memory = value.parse().ok()?;
    (memory::bytes(value) == Some(size.mebibytes() << 20)).then_some(size)
}

/// Keys that Flink has for each role, and a flag for both.
fn of_both_roles(entries: &mut Entries, manifest: &mut Manifest) {
    let Manifest { settings, places, .. } = manifest;
    if let Some((selector, place)) = both(entries, "node-selector", encoding::read_map) {
        settings.node_selector = selector;
        places.insert("--node-selector".to_owned(), place);
    }
    if let Some((tolerations, place)) = both(entries, "tolerations", encoding::tolerations) {
        settings.tolerations = tolerations;
        places.insert("--toleration".to_owned(), place);
    }
    let free =
        |text: &str| encoding::read_map(text).filter(|labels| !labels.keys().any(|key| is_flinks_label(key)));
    let labels = both(entries, "labels", free);
    let annotations = both(entries, "annotations", encoding::read_map);
    for (flag, of_pods, said) in
        [("--label", labels, &mut settings.labels), ("--annotation", annotations, &mut settings.annotations)]
    {
        let by_key = entries.keys().find(|key| flag_keys::flag_of(key) == Some(flag));
        let field = field_of(flag).unwrap_or(flag);
        if let Some(key) = by_key.filter(|_| !said.is_empty()) {
            manifest.notes.push(format!("{field} is left out: {key} says what the pods get"));
            said.clear();
        }
        let (of_pods, place) = of_pods.unzip();
        for (key, value) in of_pods.into_iter().flatten() {
            places.extend(place.clone().map(|place| (origin::entry(flag, &key), place)));
            if said.get(&key).is_some_and(|other| *other != value) {
                let word = field.trim_start_matches("metadata.");
                manifest.notes.push(format!(
                    "{field}.{key} is left out: kubernetes.jobmanager.{word} has {key} too, with another value"
                ));
            }
            said.insert(key, value);
        }
    }
}

/// Takes a setting out that says the same of both roles.
fn both<T>(entries: &mut Entries, name: &str, read: impl Fn(&str) -> Option<T>) -> Option<(T, Place)> {
    let [jobmanager, taskmanager] =
        ["jobmanager", "taskmanager"].map(|role| format!("kubernetes.{role}.{name}"));
    let (one, other) = (entries.get(&jobmanager)?, entries.get(&taskmanager)?);
    let value = read(&one.value).filter(|_| one.value == other.value)?;
    let place = Place::of(one.key_place, &jobmanager);
    entries.remove(&jobmanager);
    entries.remove(&taskmanager);
    Some((value, place))
}

/// Environment variables that both roles have.
fn variables(entries: &mut Entries, manifest: &mut Manifest) {
    let Manifest { settings, places, .. } = manifest;
    let names: BTreeSet<String> = entries
        .keys()
        .filter_map(|key| key.strip_prefix("containerized.master.env."))
        .map(str::to_owned)
        .collect();
    for name in names {
        let [jobmanager, taskmanager] = flag_keys::env_keys(&name);
        let (Some(one), Some(other)) = (entries.get(&jobmanager), entries.get(&taskmanager)) else {
            continue;
        };
        let legal = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        // With a variable of Kubernetes' in it, it is not one text.
        let (Some(value), true) = (expansion::literal(&one.value), one.value == other.value && legal) else {
            continue;
        };
        let place = Place::of(one.key_place, &jobmanager);
        match structured::plugins(&value).filter(|_| name == ENABLE_PLUGINS) {
            Some(plugins) => {
                let new: Vec<_> =
                    plugins.into_iter().filter(|name| !settings.plugins.contains(name)).collect();
                places.extend(new.iter().map(|name| (origin::entry("--plugin", name), place.clone())));
                settings.plugins.extend(new);
            }
            None => {
                places.insert(origin::entry("--env", &name), place);
                settings.env.insert(name, value);
            }
        }
        entries.remove(&jobmanager);
        entries.remove(&taskmanager);
    }
}
