//! A session as a manifest.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::session::SessionSpec;
use crate::session::flink_config::encoding;
use crate::session::flink_config::flag_keys::{self, ATTACHED};
use crate::session::flink_config::memory;
use crate::session::manifest::accounts;
use crate::session::manifest::network_policy;
use crate::session::spec::high_availability;
use crate::session::spec::quantity::{Cpu, Memory};
use crate::session::spec::settings::{Expose, PullPolicy};
use crate::session::spec::version::FlinkVersion;

use super::{API_VERSION, ENABLE_PLUGINS, KIND, NETWORK_POLICY, OperatorVersion, PLUGINS, structured};

/// The manifest of a session that is to be. The same session gives the same manifest.
pub fn of_spec(spec: &SessionSpec, namespace: &str) -> Value {
    // A version that cannot do what the session asks for was refused when the session was resolved.
    let mut config = spec.flink_settings(spec.expected_dialect(), namespace).unwrap_or_default();
    // Where Flink itself is told otherwise, the Service is changed afterwards.
    config.insert(EXPOSE.to_owned(), spec.expose.as_str().to_owned());
    let mut annotations = BTreeMap::new();
    match (&spec.settings.plugins[..], exact_version(spec)) {
        ([], _) => {}
        (plugins, Some(version)) => {
            let jars = structured::jars(plugins, version);
            config.extend(flag_keys::env_keys(ENABLE_PLUGINS).map(|key| (key, jars.clone())));
        }
        (plugins, None) => {
            annotations.insert(PLUGINS.to_owned(), plugins.join(","));
        }
    }
    let templates = spec.templates().map(|template| template.map(|template| template.as_json().clone()));
    if spec.has_network_policy() {
        let peers = network_policy::text(&spec.settings.network_policy_from);
        annotations.insert(NETWORK_POLICY.to_owned(), peers);
    }
    Parts {
        name: spec.name.as_str(),
        namespace,
        version: spec.version_hint(),
        annotations,
        templates: Templates::of_roles(templates),
        log_configuration: json!(spec.settings.log_configuration),
        config,
        operator: OperatorVersion::default(),
    }
    .manifest()
}

pub(super) const EXPOSE: &str = "kubernetes.rest-service.exposed.type";

/// The version with its patch number, by the flag or by the image's tag.
fn exact_version(spec: &SessionSpec) -> Option<FlinkVersion> {
    let known = [spec.settings.flink_version, FlinkVersion::from_image_tag(&spec.image)];
    known.into_iter().flatten().find(|version| version.patch.is_some())
}

/// The pod templates of a manifest, as they stand in it.
#[derive(Default)]
pub(super) struct Templates {
    pub both: Option<Value>,
    pub jobmanager: Option<Value>,
    pub taskmanager: Option<Value>,
}

impl Templates {
    fn of_roles([jobmanager, taskmanager]: [Option<Value>; 2]) -> Self {
        match jobmanager == taskmanager {
            true => Self { both: jobmanager, ..Self::default() },
            false => Self { both: None, jobmanager, taskmanager },
        }
    }
}

/// What a manifest is written from; `config` is everything that Flink is told.
pub(super) struct Parts<'a> {
    pub name: &'a str,
    pub namespace: &'a str,
    pub version: Option<FlinkVersion>,
    pub annotations: BTreeMap<String, String>,
    pub templates: Templates,
    pub log_configuration: Value,
    pub config: BTreeMap<String, String>,
    /// The operator that is to read it.
    pub operator: OperatorVersion,
}

impl Parts<'_> {
    pub fn manifest(mut self) -> Value {
        self.config.extend(self.shared_account());
        let labels = of_both_roles(&self.config, "labels");
        self.annotations.extend(of_both_roles(&self.config, "annotations"));
        let spec = self.spec();
        let mut metadata = Map::new();
        put(&mut metadata, "name", json!(self.name));
        put(&mut metadata, "namespace", json!(self.namespace));
        put(&mut metadata, "labels", json!(labels));
        put(&mut metadata, "annotations", json!(self.annotations));
        json!({"apiVersion": API_VERSION, "kind": KIND, "metadata": metadata, "spec": spec})
    }

    /// That TaskManagers have the account of the session, where `create` would give them another one by default.
    fn shared_account(&self) -> Option<(String, String)> {
        let Self { config, version, .. } = self;
        let is_default = version.is_some_and(|version| version.minor() >= (1, 12))
            && !config.contains_key(accounts::KEY)
            && high_availability::of(config).service.is_none();
        let account = config.get("kubernetes.service-account").filter(|_| is_default)?;
        Some((accounts::KEY.to_owned(), account.clone()))
    }

    /// Takes out of `config` what has a field of its own; the rest is `flinkConfiguration`.
    fn spec(&mut self) -> Map<String, Value> {
        let config = &mut self.config;
        config.retain(|key, value| {
            !(is_the_plugins(key) || key == EXPOSE && value == Expose::ClusterIp.as_str())
        });
        let text = Value::String;
        let policy =
            |word: String| PullPolicy::ALL.iter().any(|policy| policy.as_str() == word).then_some(text(word));
        let mut spec = Map::new();
        put_taken(&mut spec, "image", config, "--image", |image| Some(text(image)));
        put_taken(&mut spec, "imagePullPolicy", config, "--image-pull-policy", policy);
        put_taken(&mut spec, "serviceAccount", config, "--service-account", |name| Some(text(name)));
        let version = self.version.map(|version| format!("v{}_{}", version.major, version.minor));
        put(&mut spec, "flinkVersion", json!(version));

        let mut jobmanager = Map::new();
        put_taken(&mut jobmanager, "replicas", config, "--jobmanager-replicas", |count| {
            count.parse::<u16>().ok().filter(|count| *count > 0).map(Value::from)
        });
        self.operator.put_resources(&mut jobmanager, config, ["--jobmanager-memory", "--jobmanager-cpu"]);
        put(&mut jobmanager, "podTemplate", json!(self.templates.jobmanager));
        let mut taskmanager = Map::new();
        self.operator.put_resources(&mut taskmanager, config, ["--taskmanager-memory", "--taskmanager-cpu"]);
        put(&mut taskmanager, "podTemplate", json!(self.templates.taskmanager));

        put(&mut spec, "jobManager", Value::Object(jobmanager));
        put(&mut spec, "taskManager", Value::Object(taskmanager));
        put(&mut spec, "podTemplate", json!(self.templates.both));
        put(&mut spec, "logConfiguration", self.log_configuration.clone());
        put(&mut spec, "flinkConfiguration", json!(config));
        spec
    }
}

/// Sets a field, unless there is nothing to say.
fn put(fields: &mut Map<String, Value>, name: &str, value: Value) {
    let empty = match &value {
        Value::Null => true,
        Value::Object(fields) => fields.is_empty(),
        _ => false,
    };
    if !empty {
        fields.insert(name.to_owned(), value);
    }
}

/// Of the sizes that Flink can be told, those of the whole container.
const CONTAINER_SIZES: [&str; 3] =
    ["jobmanager.heap.size", "jobmanager.memory.process.size", "taskmanager.memory.process.size"];

/// Moves the setting of `flag` to a field, where the field can say it and nothing else says it too.
fn put_taken(
    fields: &mut Map<String, Value>,
    name: &str,
    config: &mut BTreeMap<String, String>,
    flag: &str,
    read: impl Fn(String) -> Option<Value>,
) {
    let mut keys = config.keys().filter(|key| flag_keys::flag_of(key) == Some(flag));
    let (Some(key), None) = (keys.next().cloned(), keys.next()) else { return };
    if flag.ends_with("-memory") && !CONTAINER_SIZES.contains(&key.as_str()) {
        return;
    }
    if let Some(value) = config.get(&key).cloned().and_then(read) {
        config.remove(&key);
        fields.insert(name.to_owned(), value);
    }
}

impl OperatorVersion {
    /// Moves memory and CPU into the field that this version of the operator has for them.
    fn put_resources(
        self,
        role: &mut Map<String, Value>,
        config: &mut BTreeMap<String, String>,
        [memory, cpu]: [&str; 2],
    ) {
        let mut amounts = Map::new();
        if self < Self::WITH_RESOURCES {
            let size = |size: String| size.parse::<Memory>().ok().map(|_| Value::String(size));
            put_taken(&mut amounts, "memory", config, memory, size);
            put_taken(&mut amounts, "cpu", config, cpu, |cores| number(cores.parse().ok()?));
            put(role, "resource", Value::Object(amounts));
            return;
        }
        // `Mi` is a unit for Kubernetes too, for which `m` is a thousandth.
        let size = |size: String| {
            let bytes = memory::bytes(&size).filter(|bytes| *bytes > 0 && bytes % (1 << 20) == 0)?;
            Some(Value::String(format!("{}Mi", bytes >> 20)))
        };
        put_taken(&mut amounts, "memory", config, memory, size);
        put_taken(&mut amounts, "cpu", config, cpu, |cores| {
            Some(Value::String(cores.parse::<Cpu>().ok()?.to_string()))
        });
        if !amounts.is_empty() {
            put(role, "resources", json!({"requests": amounts}));
        }
    }
}

/// `resource.cpu` is a number.
fn number(cores: Cpu) -> Option<Value> {
    let text = cores.to_string();
    text.parse::<u64>().map(Value::from).or_else(|_| text.parse::<f64>().map(Value::from)).ok()
}

/// What the plugin tells Flink of every session, or what a manifest says in its own way.
fn is_the_plugins(key: &str) -> bool {
    const FLAGS: [&str; 5] =
        ["NAME", "--namespace", "--pod-template", "--jobmanager-pod-template", "--taskmanager-pod-template"];
    key == ATTACHED || flag_keys::flag_of(key).is_some_and(|flag| FLAGS.contains(&flag))
}

/// Labels or annotations that the pods of both roles get. The operator reads them in the configuration,
/// where they stay.
fn of_both_roles(config: &BTreeMap<String, String>, name: &str) -> BTreeMap<String, String> {
    let of = |role: &str| config.get(&format!("kubernetes.{role}.{name}"));
    match (of("jobmanager"), of("taskmanager")) {
        (Some(one), Some(other)) if one == other => encoding::read_map(one).unwrap_or_default(),
        _ => BTreeMap::new(),
    }
}
