//! A manifest's fields as settings.

use std::collections::BTreeMap;

use crate::session::manifest::labels;
use crate::session::manifest::network_policy;
use crate::session::manifest::pod_template::PodTemplate;
use crate::session::spec::did_you_mean::nearest;
use crate::session::spec::origin::{self, Place, Places};
use crate::session::spec::settings::{PullPolicy, Settings};
use crate::session::spec::version::FlinkVersion;
use crate::session::text::yaml::{Node, YamlError};

use super::role::Role;
use super::{
    API_VERSION, InvalidManifest, KIND, Manifest, NETWORK_POLICY, OWN_ANNOTATIONS, PLUGINS, config, documents,
};

/// Metadata that the server or a controller writes, and says nothing about a session.
const SERVERS_OWN: [&str; 9] = [
    "creationTimestamp",
    "deletionTimestamp",
    "finalizers",
    "generation",
    "managedFields",
    "ownerReferences",
    "resourceVersion",
    "selfLink",
    "uid",
];

const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// Reads the FlinkDeployment of a session, in YAML or JSON. Where the text has several, `name` is that of one.
pub fn read(text: &str, name: Option<&str>) -> Result<Manifest, InvalidManifest> {
    let (root, others) = documents::choose(text, name)?;
    let mut manifest = Manifest { others, ..Manifest::default() };
    let fields = fields(&root, "", &["apiVersion", "kind", "metadata", "spec", "status"])?;
    for field in &fields {
        if field.name == "metadata" {
            metadata(field.value, &mut manifest)?;
        }
    }
    match fields.iter().find(|field| field.name == "spec") {
        Some(field) => spec(field.value, &mut manifest)?,
        None => return Err(root.error("spec is missing").into()),
    }
    Ok(manifest)
}

/// Refuses everything that is not a session, before a word is said about any of its fields.
pub(super) fn is_session(root: &Node) -> Result<(), InvalidManifest> {
    let expected = |name: &str, word: &str, other: &dyn Fn(&str) -> String| -> Result<(), YamlError> {
        match find(root, name)? {
            None => Err(root.error(format!("{name} is missing: {word} is expected"))),
            Some((_, value)) => match value.text(name)? {
                said if said == word => Ok(()),
                said => Err(value.error(other(said))),
            },
        }
    };
    expected("kind", KIND, &|said| match said {
        "FlinkSessionJob" => {
            "a FlinkSessionJob is a job that runs in a session; the session itself is a FlinkDeployment"
                .to_owned()
        }
        _ => format!("a session is made from a {KIND}, and this is a {said}"),
    })?;
    expected("apiVersion", API_VERSION, &|said| format!("apiVersion {said} is not known: {API_VERSION} is"))?;
    if let Some((_, spec)) = find(root, "spec")?
        && let Some((job, _)) = find(spec, "job")?
    {
        return Err(InvalidManifest::Application(job.error(
            "spec.job makes this an application cluster, which runs one job and ends with it; a session has no job of its own",
        )));
    }
    Ok(())
}

/// The key and the value of one field that is set.
pub(super) fn find<'a>(node: &'a Node, name: &str) -> Result<Option<&'a (Node, Node)>, YamlError> {
    let pairs = node.pairs("a manifest")?;
    Ok(pairs.iter().find(|(key, value)| key.text("").is_ok_and(|key| key == name) && !value.is_null()))
}

/// A field that is set.
pub(super) struct Field<'a> {
    pub name: &'a str,
    pub path: String,
    pub key: &'a Node,
    pub value: &'a Node,
}

impl Field<'_> {
    pub fn place(&self) -> Place {
        Place::of(self.key, &self.path)
    }

    /// Stores the place of each entry of a mapping.
    fn locate_entries(&self, flag: &str, places: &mut Places) {
        for (key, _) in self.value.pairs(&self.path).into_iter().flatten() {
            if let Ok(name) = key.text("") {
                places.insert(origin::entry(flag, name), Place::of(key, format!("{}.{name}", self.path)));
            }
        }
    }
}

/// The fields of the mapping at `path` that have a value; one that is not `known` is an error.
pub(super) fn fields<'a>(node: &'a Node, path: &str, known: &[&str]) -> Result<Vec<Field<'a>>, YamlError> {
    let unknown = |field: &Field| {
        let meant = nearest(field.name, known.iter().copied())
            .map(|meant| format!("; did you mean {meant}?"))
            .unwrap_or_default();
        field.key.error(format!("unknown field {}{meant}", field.path))
    };
    let mut found = mapping(node, path)?;
    if let Some(field) = found.iter().find(|field| !known.contains(&field.name)) {
        return Err(unknown(field));
    }
    found.retain(|field| !field.value.is_null());
    Ok(found)
}

/// The fields of the mapping at `path` that have a value, whatever their names.
pub(super) fn all_fields<'a>(node: &'a Node, path: &str) -> Result<Vec<Field<'a>>, YamlError> {
    let mut found = mapping(node, path)?;
    found.retain(|field| !field.value.is_null());
    Ok(found)
}

fn mapping<'a>(node: &'a Node, path: &str) -> Result<Vec<Field<'a>>, YamlError> {
    let pairs = node.pairs(if path.is_empty() { "a manifest" } else { path })?.iter();
    let field = |(key, value): &'a (Node, Node)| {
        let name = key.text("the name of a field")?;
        let path = if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
        Ok(Field { name, path, key, value })
    };
    pairs.map(field).collect()
}

/// The pairs of a mapping of names to texts.
fn texts(field: &Field) -> Result<BTreeMap<String, String>, YamlError> {
    let pair = |(key, value): &(Node, Node)| {
        let name = key.text(&format!("a key of {}", field.path))?;
        Ok((name.to_owned(), value.text(&format!("{}.{name}", field.path))?.to_owned()))
    };
    field.value.pairs(&field.path)?.iter().map(pair).collect()
}

fn metadata(node: &Node, manifest: &mut Manifest) -> Result<(), YamlError> {
    let known: Vec<&str> =
        ["name", "namespace", "labels", "annotations"].into_iter().chain(SERVERS_OWN).collect();
    for field in fields(node, "metadata", &known)? {
        match field.name {
            "name" => {
                manifest.name = Some(field.value.text(&field.path)?.to_owned());
                manifest.places.insert("NAME".to_owned(), field.place());
            }
            "namespace" => manifest.namespace = Some(field.value.text(&field.path)?.to_owned()),
            "labels" => {
                let (reserved, free): (BTreeMap<_, _>, BTreeMap<_, _>) =
                    texts(&field)?.into_iter().partition(|(key, _)| is_flinks_label(key));
                manifest.settings.labels = free;
                field.locate_entries("--label", &mut manifest.places);
                manifest.notes.extend(reserved.keys().map(|key| {
                    format!(
                        "metadata.labels.{key} is left out: Flink gives its pods a label {key} of its own"
                    )
                }));
            }
            "annotations" => {
                let mut all = texts(&field)?;
                if let Some(plugins) = all.remove(PLUGINS) {
                    manifest.settings.plugins =
                        plugins.split(',').map(|name| name.trim().to_owned()).collect();
                }
                if let Some(peers) = all.remove(NETWORK_POLICY) {
                    manifest.settings.network_policy = Some(true);
                    manifest.settings.network_policy_from = network_policy::read(&peers)
                        .map_err(|why| field.value.error(format!("{NETWORK_POLICY}: {why}")))?;
                    manifest.places.insert("--network-policy".to_owned(), field.place());
                }
                all.retain(|key, _| key != LAST_APPLIED && !key.starts_with(OWN_ANNOTATIONS));
                manifest.settings.annotations = all;
                field.locate_entries("--annotation", &mut manifest.places);
                for plugin in &manifest.settings.plugins {
                    manifest.places.insert(origin::entry("--plugin", plugin), field.place());
                }
            }
            _ => {}
        }
    }
    Ok(())
}

/// Labels by which Flink finds its own pods.
pub(super) fn is_flinks_label(key: &str) -> bool {
    [labels::APP, labels::TYPE, labels::COMPONENT].contains(&key)
}

fn spec(node: &Node, manifest: &mut Manifest) -> Result<(), YamlError> {
    const KNOWN: [&str; 13] = [
        "image",
        "imagePullPolicy",
        "flinkVersion",
        "serviceAccount",
        "flinkConfiguration",
        "jobManager",
        "taskManager",
        "podTemplate",
        "logConfiguration",
        "mode",
        "restartNonce",
        "job",
        "ingress",
    ];
    const FLAGS: [(&str, &str); 5] = [
        ("image", "--image"),
        ("serviceAccount", "--service-account"),
        ("imagePullPolicy", "--image-pull-policy"),
        ("flinkVersion", "--flink-version"),
        ("podTemplate", "--pod-template"),
    ];
    let mut entries = config::Entries::default();
    let mut factors = Factors::new();
    for field in fields(node, "spec", &KNOWN)? {
        let settings = &mut manifest.settings;
        let flag = FLAGS.into_iter().find_map(|(name, flag)| (name == field.name).then_some(flag));
        manifest.places.extend(flag.map(|flag| (flag.to_owned(), field.place())));
        let text = || field.value.text(&field.path).map(str::to_owned);
        match field.name {
            "image" => settings.image = Some(text()?),
            "serviceAccount" => settings.service_account = Some(text()?),
            "imagePullPolicy" => settings.image_pull_policy = Some(pull_policy(&field)?),
            "flinkVersion" => settings.flink_version = Some(version(&field)?),
            "flinkConfiguration" => entries = config::entries(field.value, &field.path)?,
            "jobManager" => jobmanager(&field, &mut factors, manifest)?,
            "taskManager" => taskmanager(&field, &mut factors, manifest)?,
            "podTemplate" => settings.pod_template = Some(PodTemplate::read(field.value, &field.path)?),
            "logConfiguration" => {
                settings.log_configuration = files(&field)?;
                field.locate_entries("logConfiguration", &mut manifest.places);
            }
            "mode" => mode(&field)?,
            "ingress" => manifest.notes.push(format!(
                "{} is left out: only the operator makes it; an Ingress of your own for Service NAME-rest, port 8081, does the same",
                field.path
            )),
            _ => {}
        }
    }
    config::sort(entries, &factors, manifest)?;
    one_jobmanager(&mut manifest.settings);
    Ok(())
}

/// One JobManager is what every Flink runs; before 1.14 there is no key to say so with.
fn one_jobmanager(settings: &mut Settings) {
    let tag = settings.image.as_deref().and_then(FlinkVersion::from_image_tag);
    let said = settings.flink_version.or(tag);
    if settings.jobmanager_replicas == Some(1) && said.is_some_and(|version| version.minor() < (1, 14)) {
        settings.jobmanager_replicas = None;
    }
}

/// The operator's `v1_20`, and `1.20` as everywhere else.
fn version(field: &Field) -> Result<FlinkVersion, YamlError> {
    let text = field.value.text(&field.path)?;
    let dotted = text.strip_prefix('v').unwrap_or(text).replace('_', ".");
    dotted.parse().map_err(|_| {
        field.value.error(format!("{}: {text:?} is not a Flink version such as v1_20 or v2_3", field.path))
    })
}

fn pull_policy(field: &Field) -> Result<PullPolicy, YamlError> {
    let text = field.value.text(&field.path)?;
    PullPolicy::ALL.into_iter().find(|policy| policy.as_str() == text).ok_or_else(|| {
        field.value.error(format!("{}: {text:?} is not IfNotPresent, Always or Never", field.path))
    })
}

fn mode(field: &Field) -> Result<(), YamlError> {
    match field.value.text(&field.path)? {
        "native" => Ok(()),
        "standalone" => Err(field.value.error(
            "spec.mode standalone is something that only the operator does: sessions are native here, and TaskManagers come when jobs need them",
        )),
        other => Err(field.value.error(format!("spec.mode: {other:?} should be native"))),
    }
}

/// Texts of files by their names.
fn files(field: &Field) -> Result<BTreeMap<String, String>, YamlError> {
    for (key, _) in field.value.pairs(&field.path)? {
        let name = key.text(&format!("a key of {}", field.path))?;
        if name.is_empty() || name.contains('/') || name.starts_with("..") || name == "." {
            return Err(key.error(format!(
                "{}: {name:?} should be the plain name of a file, such as log4j-console.properties",
                field.path
            )));
        }
    }
    texts(field)
}

fn jobmanager(field: &Field, factors: &mut Factors, manifest: &mut Manifest) -> Result<(), YamlError> {
    let role = Role::read(field)?;
    if let Some((_, count)) = find(field.value, "replicas")?.filter(|_| role.replicas == Some(0)) {
        return Err(count.error(format!("{}.replicas: a session has one JobManager at least", field.path)));
    }
    let flags = [
        ("memory", "--jobmanager-memory"),
        ("cpu", "--jobmanager-cpu"),
        ("replicas", "--jobmanager-replicas"),
        ("podTemplate", "--jobmanager-pod-template"),
    ];
    role.locate(flags, &mut manifest.places);
    limit_factors("jobmanager", &role, factors);
    manifest.notes.extend(role.notes);
    let settings = &mut manifest.settings;
    settings.jobmanager_memory = role.memory;
    settings.jobmanager_cpu = role.cpu;
    settings.jobmanager_replicas = role.replicas;
    settings.jobmanager_pod_template = role.template;
    Ok(())
}

fn taskmanager(field: &Field, factors: &mut Factors, manifest: &mut Manifest) -> Result<(), YamlError> {
    let role = Role::read(field)?;
    if role.replicas.is_some() {
        manifest.notes.push(format!(
            "{}.replicas has no effect: TaskManagers of a native session come when jobs need them",
            field.path
        ));
    }
    let flags = [
        ("memory", "--taskmanager-memory"),
        ("cpu", "--taskmanager-cpu"),
        ("podTemplate", "--taskmanager-pod-template"),
    ];
    role.locate(flags, &mut manifest.places);
    limit_factors("taskmanager", &role, factors);
    manifest.notes.extend(role.notes);
    manifest.settings.taskmanager_memory = role.memory;
    manifest.settings.taskmanager_cpu = role.cpu;
    manifest.settings.taskmanager_pod_template = role.template;
    Ok(())
}

/// Flink's settings that say how much larger than its request a limit is, with the fields that they come from.
type Factors = BTreeMap<String, (f64, Place)>;

fn limit_factors(prefix: &str, role: &Role, factors: &mut Factors) {
    for (name, factor) in &role.limit_factors {
        let place = role.places.get(if *name == "cpu" { "cpu limit" } else { "memory limit" });
        let key = format!("kubernetes.{prefix}.{name}.limit-factor");
        factors.extend(place.map(|place| (key, (*factor, place.clone()))));
    }
}
