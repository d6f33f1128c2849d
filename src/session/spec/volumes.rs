//! Whether a directory of the session's pods outlives them: the volume under it, in the pods of both roles.
//!
//! A path with the scheme `file`, or without any, is a directory of the container that Flink runs in. What is written
//! there is lost with the pod unless a volume is mounted at the directory or above it, and other pods can read it only
//! if they mount the same volume.

use serde_json::Value;

use crate::session::manifest::pod_template::{MAIN_CONTAINER, PodTemplate};

/// The setting for the file system of paths without a scheme, as a URI.
pub const DEFAULT_SCHEME: &str = "fs.default-scheme";

/// Flink's containers before 1.13, by role (`Constants` of 1.10 to 1.12).
const OLD_CONTAINERS: [&str; 2] = ["flink-job-manager", "flink-task-manager"];

/// Volumes of each pod's own, with why.
const OWN: [(&str, &str); 3] = [
    ("emptyDir", "an emptyDir"),
    ("ephemeral", "an ephemeral volume, of which each pod has its own"),
    ("gitRepo", "a gitRepo"),
];

/// Volumes that cannot be written to (kubernetes.io/docs/concepts/storage/volumes).
const READ_ONLY: [&str; 5] = ["configMap", "secret", "downwardAPI", "projected", "image"];

/// Disks, which are attached to one node at a time for writing.
const DISKS: [&str; 10] = [
    "awsElasticBlockStore",
    "azureDisk",
    "cinder",
    "fc",
    "gcePersistentDisk",
    "iscsi",
    "photonPersistentDisk",
    "rbd",
    "scaleIO",
    "vsphereVolume",
];

/// Volumes that pods on every node can share.
const SHARED: [&str; 11] = [
    "persistentVolumeClaim",
    "nfs",
    "csi",
    "azureFile",
    "cephfs",
    "flexVolume",
    "flocker",
    "glusterfs",
    "portworxVolume",
    "quobyte",
    "storageos",
];

/// The path that `directory` is inside a container, as Flink reads it (`Path`, `FileSystem`): without double slashes,
/// `.` and `..`. None for a directory of another file system; `default_scheme` is `fs.default-scheme`.
///
/// # Errors
/// Why the path cannot be told, as a clause without a subject.
pub fn local_path(directory: &str, default_scheme: Option<&str>) -> Option<Result<String, String>> {
    let directory = directory.trim();
    let (scheme, rest) = match directory.split_once(':') {
        Some((scheme, rest)) if !scheme.contains('/') => (Some(scheme), rest),
        _ => (None, directory),
    };
    let default = default_scheme.and_then(|uri| uri.split_once(':')).map(|(scheme, _)| scheme);
    if !scheme.or(default).unwrap_or("file").eq_ignore_ascii_case("file") {
        return None;
    }
    let host =
        rest.strip_prefix("//").and_then(|rest| rest.split('/').next()).filter(|host| !host.is_empty());
    Some(match host {
        Some(host) => Err(format!("names {host} as a host, where a path has one slash or three")),
        None if !rest.starts_with(['/', '\\']) => {
            Err("is relative to the directory that Flink runs in".to_owned())
        }
        None => Ok(normal(rest)),
    })
}

/// `path` as an absolute path without empty steps, `.` and `..`.
fn normal(path: &str) -> String {
    let mut steps: Vec<&str> = Vec::new();
    for step in path.split(['/', '\\']) {
        match step {
            "" | "." => {}
            ".." => drop(steps.pop()),
            step => steps.push(step),
        }
    }
    format!("/{}", steps.join("/"))
}

/// What follows `directory` in `path`, with its slash, where `path` is `directory` or below it. Both are normal.
fn below<'p>(path: &'p str, directory: &str) -> Option<&'p str> {
    let rest = path.strip_prefix(directory.trim_end_matches('/'))?;
    (rest.is_empty() || rest.starts_with('/')).then_some(rest)
}

/// The volumes that are mounted into the container that Flink runs in, in one pod.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Mounts {
    mounts: Vec<Value>,
    volumes: Vec<Value>,
}

impl Mounts {
    /// Of the pods that Flink makes from `template`, or without one.
    pub fn of_template(template: Option<&PodTemplate>) -> Self {
        let Some(template) = template else { return Self::default() };
        Self::of(template.main_container(), template.as_json().get("spec"))
    }

    /// Of a pod with this `spec`. None where it cannot be told in which of its containers Flink runs.
    pub fn of_pod(spec: &Value) -> Option<Self> {
        let containers = spec["containers"].as_array()?;
        let is_flinks = |container: &&Value| {
            let name = container["name"].as_str().unwrap_or_default();
            name == MAIN_CONTAINER || OLD_CONTAINERS.contains(&name)
        };
        let only = || containers.first().filter(|_| containers.len() == 1);
        let container = containers.iter().find(is_flinks).or_else(only)?;
        Some(Self::of(Some(container), Some(spec)))
    }

    fn of(container: Option<&Value>, spec: Option<&Value>) -> Self {
        let list = |of: Option<&Value>, name: &str| {
            of.and_then(|of| of[name].as_array()).cloned().unwrap_or_default()
        };
        Self { mounts: list(container, "volumeMounts"), volumes: list(spec, "volumes") }
    }

    /// The volume under `path`, which is normal: that of the longest mount path at it or above it.
    ///
    /// # Errors
    /// [`Verdict::Own`], [`Verdict::ReadOnly`] or [`Verdict::Unknown`].
    fn under(&self, path: &str) -> Result<Volume, Verdict> {
        let covering = self.mounts.iter().filter_map(|mount| {
            let at = normal(mount["mountPath"].as_str()?);
            below(path, &at).map(|rest| (at.len(), rest, mount))
        });
        let Some((_, rest, mount)) = covering.max_by_key(|(length, ..)| *length) else {
            return Err(Verdict::Own("no volume is mounted there".to_owned()));
        };
        let name = mount["name"].as_str().unwrap_or_default();
        let Some(volume) = self.volumes.iter().find(|volume| volume["name"] == name) else {
            return Err(Verdict::Unknown(format!("its volume {name} is not defined")));
        };
        let source = volume.as_object().into_iter().flatten();
        let mut source = source.filter(|(kind, value)| *kind != "name" && !value.is_null());
        // The API server takes a volume without a source for an emptyDir.
        let Some((kind, source)) = source.next() else {
            return Err(Verdict::Own(format!("its volume {name} is an emptyDir")));
        };
        if let Some((_, why)) = OWN.iter().find(|(own, _)| own == kind) {
            return Err(Verdict::Own(format!("its volume {name} is {why}")));
        }
        if READ_ONLY.contains(&kind.as_str()) {
            return Err(Verdict::ReadOnly(format!("its volume {name} is of type {kind}")));
        }
        if mount["readOnly"] == true || source["readOnly"] == true {
            return Err(Verdict::ReadOnly(format!("its volume {name} is mounted with readOnly: true")));
        }
        if let Some(expression) = mount["subPathExpr"].as_str().filter(|text| !text.is_empty()) {
            return Err(Verdict::Unknown(format!(
                "its volume {name} is mounted with subPathExpr {expression}, which can be another directory in each pod"
            )));
        }
        let sub_path = format!("{}{rest}", mount["subPath"].as_str().unwrap_or_default());
        let volume = Volume::of(kind, source, &sub_path);
        volume.ok_or_else(|| Verdict::Unknown(format!("its volume {name} is of unknown type {kind}")))
    }
}

/// A directory of a volume that outlives the pods.
#[derive(Clone, Debug, PartialEq)]
struct Volume {
    /// The same for the same directory of the same volume.
    identity: (Value, String),
    /// As a reader knows it, such as `persistentvolumeclaim/flink-state`.
    shown: String,
    /// Why only pods on one node share it.
    one_node: Option<&'static str>,
}

impl Volume {
    fn of(kind: &str, source: &Value, sub_path: &str) -> Option<Self> {
        let text = |field: &str| source[field].as_str().unwrap_or_default();
        let identity = (Value::from(vec![Value::from(kind), source.clone()]), normal(sub_path));
        Some(match kind {
            "hostPath" => {
                let path = normal(&format!("{}/{sub_path}", text("path")));
                Self {
                    shown: format!("hostPath {path}"),
                    // Its `type` says what is checked, not which directory it is.
                    identity: (Value::from(kind), path),
                    one_node: Some("pods share a hostPath on one node only"),
                }
            }
            "persistentVolumeClaim" => Self {
                shown: format!("persistentvolumeclaim/{}", text("claimName")),
                // `readOnly` is the mount's, not the claim's.
                identity: (Value::from(format!("{kind}/{}", text("claimName"))), identity.1),
                one_node: None,
            },
            "nfs" => {
                Self { shown: format!("nfs {}:{}", text("server"), text("path")), identity, one_node: None }
            }
            "csi" => Self { shown: format!("csi volume of {}", text("driver")), identity, one_node: None },
            _ if SHARED.contains(&kind) => Self { shown: kind.to_owned(), identity, one_node: None },
            _ if DISKS.contains(&kind) => Self {
                shown: kind.to_owned(),
                identity,
                one_node: Some("such a disk is attached to one node at a time"),
            },
            _ => return None,
        })
    }
}

/// Whether what is written to a directory outlives the pods and can be read by all of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Pods on every node have it in common.
    Shared,
    /// Pods on one node have it in common: on which volume it is, and why no others.
    OneNode { volume: String, why: &'static str },
    /// Each pod has its own, which is lost with the pod: why.
    Own(String),
    /// It cannot be written to: why.
    ReadOnly(String),
    /// Pods have different directories there: which.
    Different(String),
    /// It cannot be told: why.
    Unknown(String),
    /// The path itself cannot be right, or cannot be told: how it is.
    Unreadable(String),
}

impl Verdict {
    /// Judges the directory that `path` is inside a container, by the mounts of JobManager pods and of TaskManager pods.
    pub fn of(path: &str, mounts: [&[Mounts]; 2]) -> Self {
        if let Some((role, _)) = ROLES.iter().zip(mounts).find(|(_, mounts)| mounts.is_empty()) {
            return Self::Unknown(format!("the volumes of the {role} pods are unknown"));
        }
        let under = ROLES
            .into_iter()
            .zip(mounts)
            .flat_map(|(role, mounts)| mounts.iter().map(move |mounts| (role, mounts.under(path))));
        let under: Vec<(&str, Result<Volume, Self>)> = under.collect();
        let wrong = under.iter().filter_map(|(role, under)| Some((role, under.as_ref().err()?)));
        if let Some((role, worst)) = wrong.min_by_key(|(_, wrong)| wrong.rank()) {
            let is_in_all = under.iter().all(|(_, under)| under.as_ref().err() == Some(worst));
            return if is_in_all { worst.clone() } else { worst.clone().in_pods_of(role) };
        }
        let volumes: Vec<(&str, &Volume)> =
            under.iter().filter_map(|(role, under)| Some((*role, under.as_ref().ok()?))).collect();
        // None is left out: every pod has a volume there.
        let Some((first_role, first)) = volumes.first() else { return Self::Shared };
        if let Some((role, other)) = volumes.iter().find(|(_, other)| other.identity != first.identity) {
            let place = |volume: &Volume| match volume.identity.1.as_str() {
                // A hostPath shows its whole path.
                _ if volume.shown.starts_with("hostPath ") => volume.shown.clone(),
                directory => format!("{directory} of {}", volume.shown),
            };
            let (one, other) = (place(first), place(other));
            return Self::Different(match role == first_role {
                true => format!("some {role} pods have {one}, others {other}"),
                false => format!("{first_role} pods have {one}, {role} pods {other}"),
            });
        }
        match first.one_node {
            None => Self::Shared,
            Some(why) => Self::OneNode { volume: first.shown.clone(), why },
        }
    }

    /// What is certain goes before what is not.
    fn rank(&self) -> u8 {
        match self {
            Self::Own(_) => 0,
            Self::ReadOnly(_) => 1,
            _ => 2,
        }
    }

    fn in_pods_of(self, role: &str) -> Self {
        let with_role = |why: String| format!("{why}, in {role} pods");
        match self {
            Self::Own(why) => Self::Own(with_role(why)),
            Self::ReadOnly(why) => Self::ReadOnly(with_role(why)),
            Self::Unknown(why) => Self::Unknown(with_role(why)),
            other => other,
        }
    }

    /// What keeps the directory from being used, as the rest of a sentence that begins with it. None where nothing does.
    pub fn problem(&self) -> Option<String> {
        Some(match self {
            Self::Shared | Self::OneNode { .. } => return None,
            Self::Own(why) => format!("is a directory of each pod's own, which is lost with the pod: {why}"),
            Self::ReadOnly(why) => format!("cannot be written to: {why}"),
            Self::Different(why) => format!("is not the same directory in all pods: {why}"),
            Self::Unknown(why) => format!("may be a directory of each pod's own: {why}"),
            Self::Unreadable(how) => how.clone(),
        })
    }

    /// What is allowed and may not be meant, as the rest of a sentence that begins with the directory.
    pub fn warning(&self) -> Option<String> {
        match self {
            Self::OneNode { volume, why } => Some(format!("is on {volume}: {why}")),
            _ => None,
        }
    }
}

const ROLES: [&str; 2] = ["JobManager", "TaskManager"];

#[cfg(test)]
mod tests;
