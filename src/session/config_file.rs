//! The user's config file: defaults for `create`, for all contexts and for one, and named profiles.
//!
//! Its keys are the names of `create`'s flags without the dashes; settings by Flink's own keys stand
//! under `config`. What is wrong is told with its place. Where the file is, is not known here.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::RangeInclusive;
use std::str::FromStr;

use crate::session::flink_config::keys::is_secret;
use crate::session::manifest::pod_template::PodTemplate;
use crate::session::manifest::rbac::Grant;
use crate::session::spec::did_you_mean::nearest;
use crate::session::spec::origin::{self, Place, Places, Source};
use crate::session::spec::quantity::{Memory, Period};
use crate::session::spec::settings::{Expose, Layer, PullPolicy, Settings};
use crate::session::text::yaml::{self, Node, YamlError};

/// What the config file says.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ConfigFile {
    pub defaults: Section,
    /// By the names that the kubeconfig gives to contexts.
    pub contexts: BTreeMap<String, Section>,
    pub profiles: BTreeMap<String, Section>,
}

/// The settings of one part of the file, and the place of each.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Section {
    pub settings: Settings,
    pub places: Places,
}

/// A profile that was asked for and is not there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownProfile {
    pub name: String,
    /// The profiles that there are.
    pub known: Vec<String>,
}

impl std::error::Error for UnknownProfile {}

impl fmt::Display for UnknownProfile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "there is no profile {:?} in the config file: it has ", self.name)?;
        if self.known.is_empty() {
            return f.write_str("none");
        }
        f.write_str(&self.known.join(", "))?;
        match nearest(&self.name, self.known.iter().map(String::as_str)) {
            Some(near) => write!(f, "; did you mean {near}?"),
            None => Ok(()),
        }
    }
}

const SECTIONS: [&str; 3] = ["defaults", "contexts", "profiles"];

/// Every key of a section.
pub(super) const KEYS: [&str; 32] = [
    "image",
    "flink-version",
    "jobmanager-memory",
    "jobmanager-cpu",
    "jobmanager-replicas",
    "taskmanager-memory",
    "taskmanager-cpu",
    "slots",
    "min-slots",
    "keep-idle-taskmanagers",
    "service-account",
    "taskmanager-service-account",
    "rbac",
    "expose",
    "network-policy",
    "network-policy-from",
    "ha",
    "ha-dir-is-shared",
    "pod-template",
    "jobmanager-pod-template",
    "taskmanager-pod-template",
    "restricted",
    "env",
    "secret-env",
    "image-pull-policy",
    "image-pull-secret",
    "node-selector",
    "toleration",
    "label",
    "annotation",
    "plugin",
    "config",
];

const GRANTS: [(&str, Grant); 4] = [
    ("role", Grant::Role),
    ("edit", Grant::Edit),
    ("edit-cluster", Grant::EditCluster),
    ("none", Grant::None),
];

impl ConfigFile {
    /// Reads the file's text; an empty file says nothing.
    pub fn parse(text: &str) -> Result<Self, YamlError> {
        let root = yaml::parse(text)?;
        let mut file = Self::default();
        for (key, value) in root.pairs("the config file")? {
            match key.text("a key")? {
                "defaults" => file.defaults = section("defaults", value)?,
                "contexts" => file.contexts = named("context", value)?,
                "profiles" => file.profiles = named("profile", value)?,
                other => return Err(key.error(unknown_section(other))),
            }
        }
        Ok(file)
    }

    /// What the file says for `context` with `profile`, the lowest first. A part that says nothing is
    /// left out, as is a context that the file does not name.
    pub fn layers(&self, context: Option<&str>, profile: Option<&str>) -> Result<Vec<Layer>, UnknownProfile> {
        let layer = |source, Section { settings, places }: &Section| Layer {
            source,
            settings: settings.clone(),
            places: places.clone(),
        };
        let mut layers = vec![layer(Source::Defaults, &self.defaults)];
        if let Some((name, settings)) = context.and_then(|name| self.contexts.get_key_value(name)) {
            layers.push(layer(Source::Context(name.clone()), settings));
        }
        if let Some(name) = profile {
            let settings = self.profiles.get(name).ok_or_else(|| UnknownProfile {
                name: name.to_owned(),
                known: self.profiles.keys().cloned().collect(),
            })?;
            layers.push(layer(Source::Profile(name.to_owned()), settings));
        }
        layers.retain(|layer| layer.settings != Settings::default());
        Ok(layers)
    }
}

fn named(what: &str, node: &Node) -> Result<BTreeMap<String, Section>, YamlError> {
    let mut all = BTreeMap::new();
    for (key, value) in node.pairs(&format!("{what}s"))? {
        let name = key.text(&format!("the name of a {what}"))?;
        all.insert(name.to_owned(), section(&format!("{what} {name}"), value)?);
    }
    Ok(all)
}

fn section(what: &str, node: &Node) -> Result<Section, YamlError> {
    let mut section = Section::default();
    for (key, value) in node.pairs(what)? {
        set(&mut section.settings, key, value)?;
        locate(&mut section.places, key, value)?;
    }
    Ok(section)
}

/// Stores the place of a pair of a section, and of each entry in it.
fn locate(places: &mut Places, key: &Node, value: &Node) -> Result<(), YamlError> {
    let name = key.text("a key")?;
    let flag = format!("--{name}");
    let is_template = name.ends_with("pod-template");
    for (entry, _) in value.pairs(name).into_iter().flatten().filter(|_| !is_template) {
        let part = entry.text(name)?;
        let setting = if name == "config" { part.to_owned() } else { origin::entry(&flag, part) };
        places.insert(setting, Place::of(entry, format!("{name}.{part}")));
    }
    for item in value.items(name).into_iter().flatten() {
        places.insert(origin::entry(&flag, item.text(name)?), Place::of(item, name));
    }
    let is_empty =
        value.pairs(name).is_ok_and(<[_]>::is_empty) || value.items(name).is_ok_and(<[_]>::is_empty);
    if !is_empty && name != "config" {
        places.insert(flag, Place::of(key, name));
    }
    Ok(())
}

/// Takes one pair of a section.
fn set(settings: &mut Settings, key: &Node, value: &Node) -> Result<(), YamlError> {
    let name = key.text("a key")?;
    match name {
        "image" => settings.image = Some(word(name, value)?),
        "flink-version" => settings.flink_version = Some(value.read(name)?),
        "jobmanager-memory" => settings.jobmanager_memory = Some(value.read(name)?),
        "jobmanager-cpu" => settings.jobmanager_cpu = Some(value.read(name)?),
        "jobmanager-replicas" => settings.jobmanager_replicas = Some(number(name, value, 1..=u16::MAX)?),
        "taskmanager-memory" => settings.taskmanager_memory = Some(value.read(name)?),
        "taskmanager-cpu" => settings.taskmanager_cpu = Some(value.read(name)?),
        "slots" => settings.slots = Some(number(name, value, 1..=u16::MAX)?),
        "min-slots" => settings.min_slots = Some(number(name, value, 1..=u32::MAX)?),
        "keep-idle-taskmanagers" => settings.keep_idle_taskmanagers = Some(value.read(name)?),
        "service-account" => settings.service_account = Some(word(name, value)?),
        "taskmanager-service-account" => {
            settings.taskmanager_service_account = Some(word(name, value)?);
        }
        "rbac" => settings.rbac = Some(grant(name, value)?),
        "expose" => settings.expose = Some(value.read(name)?),
        "network-policy" => settings.network_policy = Some(value.boolean(name)?),
        "network-policy-from" => {
            settings.network_policy_from = list(name, value, |name, value| value.read(name))?;
        }
        "ha" => settings.ha = Some(word(name, value)?),
        "ha-dir-is-shared" => settings.ha_dir_is_shared = Some(value.boolean(name)?),
        "pod-template" => settings.pod_template = Some(template(name, value)?),
        "jobmanager-pod-template" => settings.jobmanager_pod_template = Some(template(name, value)?),
        "taskmanager-pod-template" => settings.taskmanager_pod_template = Some(template(name, value)?),
        "restricted" => settings.restricted = Some(value.boolean(name)?),
        "env" => settings.env = map(name, value, text)?,
        "secret-env" => settings.secret_env = map(name, value, |name, value| value.read(name))?,
        "image-pull-policy" => settings.image_pull_policy = Some(value.read(name)?),
        "image-pull-secret" => settings.image_pull_secrets = list(name, value, word)?,
        "node-selector" => settings.node_selector = map(name, value, text)?,
        "toleration" => settings.tolerations = list(name, value, |name, value| value.read(name))?,
        "label" => settings.labels = map(name, value, text)?,
        "annotation" => settings.annotations = map(name, value, text)?,
        "plugin" => settings.plugins = list(name, value, word)?,
        "config" => settings.config = flink_settings(name, value)?,
        _ => return Err(key.error(unknown_key(name))),
    }
    Ok(())
}

fn text(what: &str, node: &Node) -> Result<String, YamlError> {
    node.text(what).map(str::to_owned)
}

/// Text that cannot be empty.
fn word(what: &str, node: &Node) -> Result<String, YamlError> {
    match node.text(what)?.trim() {
        "" => Err(node.error(format!("{what} is empty"))),
        text => Ok(text.to_owned()),
    }
}

fn number<T>(what: &str, node: &Node, range: RangeInclusive<T>) -> Result<T, YamlError>
where
    T: FromStr + PartialOrd + fmt::Display,
{
    let text = node.text(what)?.trim();
    text.parse().ok().filter(|number| range.contains(number)).ok_or_else(|| {
        node.error(format!("{what}: {text:?} is not a number from {} to {}", range.start(), range.end()))
    })
}

fn grant(what: &str, node: &Node) -> Result<Grant, YamlError> {
    let text = node.text(what)?;
    let found = GRANTS.into_iter().find_map(|(word, grant)| (word == text).then_some(grant));
    let known = GRANTS.map(|(word, _)| word).join(", ");
    found.ok_or_else(|| node.error(format!("{what}: {text:?} is none of {known}")))
}

/// The template itself, where the flag has the name of its file.
fn template(what: &str, node: &Node) -> Result<PodTemplate, YamlError> {
    if node.is_null() {
        return Err(node.error(format!("{what} has no value")));
    }
    if node.text(what).is_ok() {
        return Err(node.error(format!("{what} should be the template itself, not the name of its file")));
    }
    PodTemplate::read(node, what)
}

/// Settings by Flink's own keys, as `-D` takes them.
fn flink_settings(what: &str, node: &Node) -> Result<BTreeMap<String, String>, YamlError> {
    for (key, _) in node.pairs(what)? {
        let text = key.text(what)?;
        if text.contains(|c: char| c == '=' || c.is_whitespace()) {
            return Err(key.error(format!("{what}: {text:?} is no key of Flink's")));
        }
    }
    map(what, node, self::text)
}

fn map<T>(
    what: &str,
    node: &Node,
    read: fn(&str, &Node) -> Result<T, YamlError>,
) -> Result<BTreeMap<String, T>, YamlError> {
    let mut all = BTreeMap::new();
    for (key, value) in node.pairs(what)? {
        let name = word(&format!("a key of {what}"), key)?;
        let value = read(&format!("{what}.{name}"), value)?;
        all.insert(name, value);
    }
    Ok(all)
}

/// A list, or what would be its one entry.
fn list<T>(
    what: &str,
    node: &Node,
    read: fn(&str, &Node) -> Result<T, YamlError>,
) -> Result<Vec<T>, YamlError> {
    let items = if node.text(what).is_ok() { std::slice::from_ref(node) } else { node.items(what)? };
    items.iter().map(|item| read(what, item)).collect()
}

fn unknown_section(name: &str) -> String {
    let told = format!("unknown key {name}: ");
    if KEYS.contains(&name) {
        return told + "it stands under defaults, under a context or under a profile";
    }
    match nearest(name, SECTIONS) {
        Some(near) => format!("{told}did you mean {near}?"),
        None => told + "the config file has defaults, contexts and profiles",
    }
}

fn unknown_key(name: &str) -> String {
    let told = format!("unknown key {name}: ");
    match nearest(name, KEYS) {
        Some(near) => format!("{told}did you mean {near}?"),
        None if name.contains('.') => told + "settings by Flink's own keys stand under config",
        None => told + "no setting of create has this name",
    }
}

/// What `settings` say, as flags and their values: one pair for each single value, and one for each
/// entry of a collection.
pub fn shown(settings: &Settings) -> Vec<(String, String)> {
    let values = single_values(settings).into_iter().filter_map(|(flag, value)| Some((flag, value?)));
    let owned = |(flag, value): (&str, String)| (flag.to_owned(), value);
    values.chain(entries(settings)).map(owned).collect()
}

fn single_values(settings: &Settings) -> [(&'static str, Option<String>); 22] {
    fn said<T: ToString>(value: Option<T>) -> Option<String> {
        value.map(|value| value.to_string())
    }
    let template = |value: &Option<PodTemplate>| value.as_ref().map(|_| "(a pod template)".to_owned());
    let grant = settings.rbac.and_then(|grant| GRANTS.into_iter().find(|(_, own)| *own == grant));
    [
        ("--image", settings.image.clone()),
        ("--flink-version", said(settings.flink_version)),
        ("--jobmanager-memory", settings.jobmanager_memory.map(memory)),
        ("--jobmanager-cpu", said(settings.jobmanager_cpu)),
        ("--jobmanager-replicas", said(settings.jobmanager_replicas)),
        ("--taskmanager-memory", settings.taskmanager_memory.map(memory)),
        ("--taskmanager-cpu", said(settings.taskmanager_cpu)),
        ("--slots", said(settings.slots)),
        ("--min-slots", said(settings.min_slots)),
        ("--keep-idle-taskmanagers", settings.keep_idle_taskmanagers.map(period)),
        ("--service-account", settings.service_account.clone()),
        ("--taskmanager-service-account", settings.taskmanager_service_account.clone()),
        ("--rbac", grant.map(|(word, _)| word.to_owned())),
        ("--expose", said(settings.expose.map(Expose::as_str))),
        ("--network-policy", said(settings.network_policy)),
        ("--ha", settings.ha.clone()),
        ("--ha-dir-is-shared", said(settings.ha_dir_is_shared)),
        ("--pod-template", template(&settings.pod_template)),
        ("--jobmanager-pod-template", template(&settings.jobmanager_pod_template)),
        ("--taskmanager-pod-template", template(&settings.taskmanager_pod_template)),
        ("--restricted", said(settings.restricted)),
        ("--image-pull-policy", said(settings.image_pull_policy.map(PullPolicy::as_str))),
    ]
}

fn entries(settings: &Settings) -> Vec<(&'static str, String)> {
    let mut all = Vec::new();
    let pairs = |flag, pairs: &BTreeMap<String, String>| {
        let shown = |key: &String, value: &str| match is_secret(key) {
            true => format!("{key}=(not shown)"),
            false => format!("{key}={value}"),
        };
        pairs.iter().map(|(key, value)| (flag, shown(key, value))).collect::<Vec<_>>()
    };
    all.extend(pairs("--env", &settings.env));
    all.extend(settings.secret_env.iter().map(|(name, of)| ("--secret-env", format!("{name}={of}"))));
    all.extend(settings.image_pull_secrets.iter().map(|name| ("--image-pull-secret", name.clone())));
    all.extend(pairs("--node-selector", &settings.node_selector));
    all.extend(settings.tolerations.iter().map(|toleration| ("--toleration", toleration.to_string())));
    all.extend(pairs("--label", &settings.labels));
    all.extend(pairs("--annotation", &settings.annotations));
    all.extend(settings.plugins.iter().map(|name| ("--plugin", name.clone())));
    all.extend(settings.network_policy_from.iter().map(|peer| ("--network-policy-from", peer.to_string())));
    // No flag says these; a manifest does, by this name.
    all.extend(settings.log_configuration.keys().map(|file| ("logConfiguration", file.clone())));
    all.extend(pairs("-D", &settings.config));
    all
}

/// In the biggest unit that it is a whole number of.
fn memory(size: Memory) -> String {
    match size.mebibytes() {
        mebibytes if mebibytes % 1024 == 0 => format!("{}g", mebibytes / 1024),
        mebibytes => format!("{mebibytes}m"),
    }
}

/// In the spelling that it is read in, such as `1h30m`.
fn period(period: Period) -> String {
    use jiff::fmt::friendly::{Designator, Spacing, SpanPrinter};
    let printer = SpanPrinter::new().designator(Designator::Compact).spacing(Spacing::None);
    let milliseconds = i64::try_from(period.milliseconds()).unwrap_or(i64::MAX);
    printer.duration_to_string(&jiff::SignedDuration::from_millis(milliseconds))
}

#[cfg(test)]
mod tests;
