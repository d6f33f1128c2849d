//! A manifest's fields as settings.

use std::collections::BTreeMap;

use serde_json::json;

use crate::session::labels;
use crate::session::nearest::nearest;
use crate::session::pod_template::PodTemplate;
use crate::session::quantity::{Cpu, Memory};
use crate::session::settings::{PullPolicy, Settings};
use crate::session::version::FlinkVersion;
use crate::session::yaml::{self, Node, YamlError};

use super::{API_VERSION, InvalidManifest, KIND, Manifest, OWN_ANNOTATIONS, PLUGINS, config};

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

/// Reads the text of one FlinkDeployment, in YAML or JSON.
pub fn read(text: &str) -> Result<Manifest, InvalidManifest> {
    let root = yaml::parse(text).map_err(one_document)?;
    if root.is_null() {
        return Err(InvalidManifest::Empty);
    }
    is_session(&root)?;
    let mut manifest = Manifest::default();
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

/// The parser's own words for a second document speak of the parser.
fn one_document(error: YamlError) -> YamlError {
    if error.message.contains("multiple documents") || error.message.contains("multiple YAML documents") {
        let message =
            "a second document begins here: one session is made from one FlinkDeployment".to_owned();
        return YamlError { message, ..error };
    }
    error
}

/// Refuses everything that is not a session, before a word is said about any of its fields.
fn is_session(root: &Node) -> Result<(), InvalidManifest> {
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
fn find<'a>(node: &'a Node, name: &str) -> Result<Option<&'a (Node, Node)>, YamlError> {
    let pairs = node.pairs("a manifest")?;
    Ok(pairs.iter().find(|(key, value)| key.text("").is_ok_and(|key| key == name) && !value.is_null()))
}

/// A field that is set.
struct Field<'a> {
    name: &'a str,
    path: String,
    key: &'a Node,
    value: &'a Node,
}

/// The fields of the mapping at `path` that have a value; one that is not `known` is an error.
fn fields<'a>(node: &'a Node, path: &str, known: &[&str]) -> Result<Vec<Field<'a>>, YamlError> {
    let mut found = Vec::new();
    for (key, value) in node.pairs(if path.is_empty() { "a manifest" } else { path })? {
        let name = key.text("the name of a field")?;
        let path = if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
        if !known.contains(&name) {
            let meant = nearest(name, known.iter().copied())
                .map(|meant| format!("; did you mean {meant}?"))
                .unwrap_or_default();
            return Err(key.error(format!("unknown field {path}{meant}")));
        }
        if !value.is_null() {
            found.push(Field { name, path, key, value });
        }
    }
    Ok(found)
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
            "name" => manifest.name = Some(field.value.text(&field.path)?.to_owned()),
            "namespace" => manifest.namespace = Some(field.value.text(&field.path)?.to_owned()),
            "labels" => {
                let (reserved, free): (BTreeMap<_, _>, BTreeMap<_, _>) =
                    texts(&field)?.into_iter().partition(|(key, _)| is_flinks_label(key));
                manifest.settings.labels = free;
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
                all.retain(|key, _| key != LAST_APPLIED && !key.starts_with(OWN_ANNOTATIONS));
                manifest.settings.annotations = all;
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
    let mut entries = config::Entries::default();
    for field in fields(node, "spec", &KNOWN)? {
        let settings = &mut manifest.settings;
        let text = || field.value.text(&field.path).map(str::to_owned);
        match field.name {
            "image" => settings.image = Some(text()?),
            "serviceAccount" => settings.service_account = Some(text()?),
            "imagePullPolicy" => settings.image_pull_policy = Some(pull_policy(&field)?),
            "flinkVersion" => settings.flink_version = Some(version(&field)?),
            "flinkConfiguration" => entries = config::entries(field.value, &field.path)?,
            "jobManager" => jobmanager(&field, settings)?,
            "taskManager" => taskmanager(&field, manifest)?,
            "podTemplate" => settings.pod_template = Some(PodTemplate::read(field.value, &field.path)?),
            "logConfiguration" => settings.log_configuration = files(&field)?,
            "mode" => mode(&field)?,
            "ingress" => {
                return Err(field.key.error(
                    "spec.ingress is something that only the operator does: leave it out, and point an Ingress of your own at Service NAME-rest, port 8081",
                ));
            }
            _ => {}
        }
    }
    config::sort(entries, manifest)?;
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

/// What `jobManager` or `taskManager` says.
#[derive(Default)]
struct Role {
    memory: Option<Memory>,
    cpu: Option<Cpu>,
    replicas: Option<u16>,
    template: Option<PodTemplate>,
}

impl Role {
    fn read(role: &Field) -> Result<Self, YamlError> {
        let mut read = Self::default();
        let mut disk = None;
        for field in fields(role.value, &role.path, &["resource", "replicas", "podTemplate"])? {
            match field.name {
                "replicas" => read.replicas = Some(count(&field)?),
                "podTemplate" => read.template = Some(PodTemplate::read(field.value, &field.path)?),
                _ => disk = read.resource(&field)?,
            }
        }
        if let Some(size) = disk {
            let template = read.template.unwrap_or_else(|| PodTemplate::from_json(json!({})));
            read.template = Some(template.with_ephemeral_storage(&size));
        }
        Ok(read)
    }

    /// Takes memory and CPU, and gives the size of the node's disk, which goes into the template.
    fn resource(&mut self, resource: &Field) -> Result<Option<String>, YamlError> {
        let mut disk = None;
        for field in fields(resource.value, &resource.path, &["memory", "cpu", "ephemeralStorage"])? {
            match field.name {
                "memory" => self.memory = Some(memory(&field)?),
                "cpu" => self.cpu = Some(field.value.read(&field.path)?),
                _ => disk = Some(field.value.text(&field.path)?.to_owned()),
            }
        }
        Ok(disk)
    }
}

fn jobmanager(field: &Field, settings: &mut Settings) -> Result<(), YamlError> {
    let role = Role::read(field)?;
    if let Some((_, count)) = find(field.value, "replicas")?.filter(|_| role.replicas == Some(0)) {
        return Err(count.error(format!("{}.replicas: a session has one JobManager at least", field.path)));
    }
    settings.jobmanager_memory = role.memory;
    settings.jobmanager_cpu = role.cpu;
    settings.jobmanager_replicas = role.replicas;
    settings.jobmanager_pod_template = role.template;
    Ok(())
}

fn taskmanager(field: &Field, manifest: &mut Manifest) -> Result<(), YamlError> {
    let role = Role::read(field)?;
    if role.replicas.is_some() {
        manifest.notes.push(format!(
            "{}.replicas has no effect: TaskManagers of a native session come when jobs need them",
            field.path
        ));
    }
    manifest.settings.taskmanager_memory = role.memory;
    manifest.settings.taskmanager_cpu = role.cpu;
    manifest.settings.taskmanager_pod_template = role.template;
    Ok(())
}

fn count(field: &Field) -> Result<u16, YamlError> {
    let text = field.value.text(&field.path)?;
    text.parse().map_err(|_| field.value.error(format!("{}: {text:?} is not a whole number", field.path)))
}

/// A bare number is one of bytes to the operator, and hardly ever meant so.
fn memory(field: &Field) -> Result<Memory, YamlError> {
    let text = field.value.text(&field.path)?.trim();
    match text.parse::<u64>() {
        Ok(number) => {
            let mebibytes = if number < 1 << 20 { number } else { number >> 20 };
            Err(field.value.error(format!("{}: {text} has no unit: say {mebibytes}m for MiB", field.path)))
        }
        Err(_) => field.value.read(&field.path),
    }
}
