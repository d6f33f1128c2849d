//! The settings of a session as one place says them, and how the places are laid over each other.
//!
//! Flags lie over a manifest, a manifest over a profile, a profile over the user's defaults. What a
//! higher layer says replaces what a lower one says about the same thing, whether with a flag's name
//! or with a key of Flink's; within one layer, saying a thing twice is an error.

use std::collections::BTreeMap;

use super::origin;
use super::quantity::{Cpu, Memory, Period};
use super::scheduling::Toleration;
use super::version::FlinkVersion;
use crate::session::flink_config::flag_keys::{self, Joined};
use crate::session::manifest::network_policy::Peer;
use crate::session::manifest::pod_template::PodTemplate;
use crate::session::manifest::rbac::Grant;
use crate::session::spec::InvalidSpec;

pub use super::origin::{Origin, Origins, Place, Places, Source};
pub use crate::session::spec::options::{Expose, PullPolicy, SecretKey};

/// What one place says. Unset is "says nothing".
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Settings {
    pub image: Option<String>,
    /// The version that the image must have.
    pub flink_version: Option<FlinkVersion>,
    pub jobmanager_memory: Option<Memory>,
    pub jobmanager_cpu: Option<Cpu>,
    pub jobmanager_replicas: Option<u16>,
    pub taskmanager_memory: Option<Memory>,
    pub taskmanager_cpu: Option<Cpu>,
    /// Task slots of each TaskManager.
    pub slots: Option<u16>,
    /// Task slots that are there before a job asks for them.
    pub min_slots: Option<u32>,
    /// How long a TaskManager without work is kept.
    pub keep_idle_taskmanagers: Option<Period>,
    pub service_account: Option<String>,
    pub taskmanager_service_account: Option<String>,
    pub rbac: Option<Grant>,
    pub expose: Option<Expose>,
    pub network_policy: Option<bool>,
    /// Who reaches REST besides the session's own pods.
    pub network_policy_from: Vec<Peer>,
    /// Directory for the state of high availability; set is on.
    pub ha: Option<String>,
    pub ha_dir_is_shared: Option<bool>,
    /// Of both roles, and what one role has besides.
    pub pod_template: Option<PodTemplate>,
    pub jobmanager_pod_template: Option<PodTemplate>,
    pub taskmanager_pod_template: Option<PodTemplate>,
    pub restricted: Option<bool>,
    pub env: BTreeMap<String, String>,
    pub secret_env: BTreeMap<String, SecretKey>,
    pub image_pull_policy: Option<PullPolicy>,
    pub image_pull_secrets: Vec<String>,
    pub node_selector: BTreeMap<String, String>,
    pub tolerations: Vec<Toleration>,
    pub labels: BTreeMap<String, String>,
    pub annotations: BTreeMap<String, String>,
    /// Plugins of the image, such as `s3-fs-hadoop`.
    pub plugins: Vec<String>,
    /// Files for Flink's configuration directory, such as `log4j-console.properties`.
    pub log_configuration: BTreeMap<String, String>,
    /// Settings by Flink's own keys.
    pub config: BTreeMap<String, String>,
}

/// The settings of one place.
#[derive(Clone, Debug, Default)]
pub struct Layer {
    pub source: Source,
    pub settings: Settings,
    /// Where the settings stand, in a file.
    pub places: Places,
}

/// Every setting that is one value, with the name of its flag.
macro_rules! for_each_value {
    ($action:ident) => {
        $action! {
            image "--image", flink_version "--flink-version", jobmanager_memory "--jobmanager-memory",
            jobmanager_cpu "--jobmanager-cpu", jobmanager_replicas "--jobmanager-replicas",
            taskmanager_memory "--taskmanager-memory", taskmanager_cpu "--taskmanager-cpu", slots "--slots",
            min_slots "--min-slots", keep_idle_taskmanagers "--keep-idle-taskmanagers",
            service_account "--service-account",
            taskmanager_service_account "--taskmanager-service-account", rbac "--rbac", expose "--expose",
            network_policy "--network-policy", ha "--ha",
            ha_dir_is_shared "--ha-dir-is-shared", pod_template "--pod-template",
            jobmanager_pod_template "--jobmanager-pod-template",
            taskmanager_pod_template "--taskmanager-pod-template", restricted "--restricted",
            image_pull_policy "--image-pull-policy"
        }
    };
}

/// Every setting that is a map or a list, whose entries of all layers come together.
macro_rules! for_each_collection {
    ($action:ident) => {
        $action! {
            env "--env", secret_env "--secret-env", node_selector "--node-selector", labels "--label",
            annotations "--annotation", image_pull_secrets "--image-pull-secret",
            tolerations "--toleration", plugins "--plugin",
            network_policy_from "--network-policy-from", log_configuration "logConfiguration"
        }
    };
}

impl Settings {
    /// True when something is said with `flag`.
    pub fn says(&self, flag: &str) -> bool {
        self.flags().contains(&flag)
    }

    /// The flags with which something is said.
    pub fn flags(&self) -> Vec<&'static str> {
        let mut said = Vec::new();
        macro_rules! values {
            ($($field:ident $flag:literal),*) => { $(if self.$field.is_some() { said.push($flag); })* };
        }
        macro_rules! collections {
            ($($field:ident $flag:literal),*) => { $(if !self.$field.is_empty() { said.push($flag); })* };
        }
        for_each_value!(values);
        for_each_collection!(collections);
        said
    }

    /// Every entry of the settings that are maps or lists, as [`origin::entry`] names it.
    pub(in crate::session) fn entries(&self) -> Vec<String> {
        let mut all = Vec::new();
        macro_rules! collections {
            ($($field:ident $flag:literal),*) => {
                $(all.extend(self.$field.names().into_iter().map(|name| origin::entry($flag, &name)));)*
            };
        }
        for_each_collection!(collections);
        all
    }

    fn unsay(&mut self, flag: &str) {
        macro_rules! values {
            ($($field:ident $name:literal),*) => { $(if flag == $name { self.$field = None; })* };
        }
        macro_rules! collections {
            ($($field:ident $name:literal),*) => { $(if flag == $name { self.$field = Default::default(); })* };
        }
        for_each_value!(values);
        for_each_collection!(collections);
    }

    /// Lays `layer` over these settings.
    fn overlay(&mut self, layer: Layer, origins: &mut Origins) {
        origins.extend(layer.origins());
        let mut higher = layer.settings;
        let directory = self.ha.clone();
        self.give_way(&mut higher);
        if self.ha.is_some() && self.ha != directory {
            origins.extend(origins.get(flag_keys::HA_STORAGE).cloned().map(|key| ("--ha".to_owned(), key)));
        }
        self.image_and_version(&mut higher);
        self.config.append(&mut higher.config);
        macro_rules! values {
            ($($field:ident $flag:literal),*) => { $(if higher.$field.is_some() { self.$field = higher.$field; })* };
        }
        macro_rules! collections {
            ($($field:ident $flag:literal),*) => { $(Collection::add(&mut self.$field, higher.$field);)* };
        }
        for_each_value!(values);
        for_each_collection!(collections);
    }

    /// Leaves unsaid what `higher` says otherwise, with whatever words.
    fn give_way(&mut self, higher: &mut Settings) {
        for (key, value) in std::mem::take(&mut higher.config) {
            let names = flag_keys::synonyms(&key);
            self.config.retain(|own, _| *own != key && !names.contains(&own.as_str()));
            if self.takes_part_of_ha(&key, &value) {
                continue;
            }
            if let Some(flag) = flag_keys::flag_of(&key).filter(|flag| flag_keys::joined(flag) == Joined::Not)
            {
                self.unsay(flag);
            }
            // The same container in other words.
            for flag in ["--jobmanager-memory", "--taskmanager-memory"] {
                if flag_keys::sizes_instead_of(flag).contains(&&[key.as_str()][..]) && !higher.says(flag) {
                    self.unsay(flag);
                }
            }
            higher.config.insert(key, value);
        }
        for flag in higher.flags().into_iter().filter(|flag| flag_keys::joined(flag) == Joined::Not) {
            let instead = flag_keys::sizes_instead_of(flag);
            self.config.retain(|key, _| {
                flag_keys::flag_of(key) != Some(flag) && !instead.contains(&&[key.as_str()][..])
            });
        }
        let variables: Vec<&String> = higher.env.keys().chain(higher.secret_env.keys()).collect();
        for name in variables {
            self.env.remove(name);
            self.secret_env.remove(name);
            flag_keys::env_keys(name).iter().for_each(|key| drop(self.config.remove(key)));
        }
        if !higher.plugins.is_empty() {
            self.env.remove(PLUGINS_VARIABLE);
            flag_keys::env_keys(PLUGINS_VARIABLE).iter().for_each(|key| drop(self.config.remove(key)));
        }
        if higher.sets_plugins_variable() {
            self.plugins.clear();
        }
    }

    /// Keeps high availability whole where a key replaces a part of what a lower layer's flag says. True
    /// when the key has nothing left to say.
    fn takes_part_of_ha(&mut self, key: &str, value: &str) -> bool {
        if flag_keys::flag_of(key) != Some("--ha") || self.ha.is_none() {
            return false;
        }
        if key == flag_keys::HA_STORAGE {
            self.ha = Some(value.to_owned());
            return true;
        }
        let is_kubernetes = flag_keys::Dialect::all().any(|dialect| dialect.kubernetes_ha() == value);
        if !is_kubernetes && let Some(directory) = self.ha.take() {
            self.config.insert(flag_keys::HA_STORAGE.to_owned(), directory);
        }
        is_kubernetes
    }

    /// A version is that of an image: an image that is named anew brings no older claim with it, and a
    /// version that is asked for keeps the image's name, where its tag is one of Flink's.
    fn image_and_version(&mut self, higher: &mut Settings) {
        if higher.image.is_some() && higher.flink_version.is_none() {
            self.flink_version = None;
        }
        if let (Some(version), None, Some(image)) = (higher.flink_version, &higher.image, &self.image)
            && FlinkVersion::from_image_tag(image).is_some_and(|tag| tag.minor() != version.minor())
            && let Some((name, _)) = image.rsplit_once(':')
        {
            self.image = Some(format!("{name}:{version}"));
        }
    }

    fn sets_plugins_variable(&self) -> bool {
        let by_key = flag_keys::env_keys(PLUGINS_VARIABLE).iter().any(|key| self.config.contains_key(key));
        by_key || self.env.contains_key(PLUGINS_VARIABLE)
    }

    /// Finds what a layer says twice.
    fn contradiction(&self) -> Option<(String, &'static str)> {
        let by_flag = self.config.keys().find_map(|key| {
            let flag = flag_keys::flag_of(key).filter(|flag| flag_keys::joined(flag) == Joined::Not)?;
            self.says(flag).then(|| (key.clone(), flag))
        });
        let by_variable = || {
            let keys = self.env.keys().flat_map(|name| flag_keys::env_keys(name));
            keys.into_iter().find_map(|key| self.config.contains_key(&key).then_some((key, "--env")))
        };
        let by_plugin = || {
            (!self.plugins.is_empty() && self.sets_plugins_variable())
                .then(|| (PLUGINS_VARIABLE.to_owned(), "--plugin"))
        };
        by_flag.or_else(by_variable).or_else(by_plugin)
    }
}

/// With which the image's entrypoint turns plugins on.
pub const PLUGINS_VARIABLE: &str = "ENABLE_BUILT_IN_PLUGINS";

/// Lays `layers` over each other, the lowest first.
pub fn resolve(layers: Vec<Layer>) -> Result<(Settings, Origins), InvalidSpec> {
    let mut settings = Settings::default();
    let mut origins = Origins::new();
    for layer in layers {
        if let Some((key, flag)) = layer.settings.contradiction() {
            let key = layer.origin(&key);
            let other = key.beside(&layer.origin(flag));
            return Err(InvalidSpec::Contradiction { key, other });
        }
        settings.overlay(layer, &mut origins);
    }
    Ok((settings, origins))
}

/// A map, where the later entry of a key counts, or a list without repeats.
trait Collection {
    fn add(&mut self, more: Self);
    fn names(&self) -> Vec<String>;
}

impl<V> Collection for BTreeMap<String, V> {
    fn add(&mut self, more: Self) {
        self.extend(more);
    }

    fn names(&self) -> Vec<String> {
        self.keys().cloned().collect()
    }
}

impl<T: PartialEq + ToString> Collection for Vec<T> {
    fn add(&mut self, more: Self) {
        for item in more {
            if !self.contains(&item) {
                self.push(item);
            }
        }
    }

    fn names(&self) -> Vec<String> {
        self.iter().map(T::to_string).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
    }

    fn layer(source: Source, settings: Settings) -> Layer {
        Layer { source, settings, ..Layer::default() }
    }

    #[test]
    fn a_higher_layer_replaces_what_a_lower_one_says_about_the_same_thing() {
        let manifest = Source::Manifest("roc.yaml".to_owned());
        let low = Settings {
            slots: Some(2),
            config: config(&[("jobmanager.memory.flink.size", "1g"), ("state.savepoints.dir", "s3://b")]),
            ..Settings::default()
        };
        let high = Settings {
            jobmanager_memory: "2g".parse().ok(),
            config: config(&[("taskmanager.numberOfTaskSlots", "4")]),
            ..Settings::default()
        };
        let (resolved, origins) =
            resolve(vec![layer(manifest.clone(), low), layer(Source::Flags, high)]).expect("settings");
        assert_eq!(resolved.slots, None);
        assert_eq!(resolved.jobmanager_memory, "2g".parse().ok());
        assert_eq!(
            resolved.config,
            config(&[("state.savepoints.dir", "s3://b"), ("taskmanager.numberOfTaskSlots", "4")])
        );
        assert_eq!(origins["state.savepoints.dir"].source, manifest);
        assert_eq!(origins["--jobmanager-memory"].source, Source::Flags);
    }

    #[test]
    fn maps_and_lists_of_all_layers_come_together() {
        let of = |name: &str, value: &str| Settings {
            labels: config(&[(name, value)]),
            plugins: vec!["s3-fs-hadoop".to_owned()],
            ..Settings::default()
        };
        let layers = vec![
            layer(Source::Defaults, of("team", "a")),
            layer(Source::Profile("big".to_owned()), of("size", "big")),
            layer(Source::Flags, of("team", "b")),
        ];
        let (resolved, _) = resolve(layers).expect("settings");
        assert_eq!(resolved.labels, config(&[("size", "big"), ("team", "b")]));
        assert_eq!(resolved.plugins, ["s3-fs-hadoop"]);
    }

    #[test]
    fn an_image_that_is_named_anew_brings_no_older_claim_with_it() {
        let low = Settings { flink_version: "1.20".parse().ok(), ..Settings::default() };
        let high = Settings { image: Some("mine:1".to_owned()), ..Settings::default() };
        let layers = vec![layer(Source::Defaults, low), layer(Source::Flags, high)];
        let (resolved, _) = resolve(layers).expect("settings");
        assert_eq!((resolved.image.as_deref(), resolved.flink_version), (Some("mine:1"), None));
    }

    #[test]
    fn one_layer_says_a_thing_once() {
        let twice = |settings: Settings| {
            resolve(vec![layer(Source::Profile("big".to_owned()), settings)])
                .expect_err("refused")
                .to_string()
        };
        let slots = Settings {
            slots: Some(2),
            config: config(&[("taskmanager.numberOfTaskSlots", "4")]),
            ..Settings::default()
        };
        let env = Settings {
            env: config(&[("A", "1")]),
            config: config(&[("containerized.master.env.A", "2")]),
            ..Settings::default()
        };
        insta::assert_snapshot!([twice(slots), twice(env)].join("\n"), @"
        profile big of the config file: -D taskmanager.numberOfTaskSlots and --slots set the same thing
        profile big of the config file: -D containerized.master.env.A and --env set the same thing
        ");
    }
}
