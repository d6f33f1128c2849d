//! The files that the bootstrap Job brings along: pod templates for Flink's client, and log configuration.
//!
//! They are annotations of its pod, which a volume shows as files. As arguments Kubernetes would expand them, and the
//! kernel takes at most 128 KiB for one; a ConfigMap would be one more object to make, to own and to remove.

use k8s_openapi::api::core::v1::{
    DownwardAPIVolumeFile, DownwardAPIVolumeSource, ObjectFieldSelector, Volume, VolumeMount,
};

use crate::session::manifest::labels;
use crate::session::spec::SessionSpec;

/// Where the files are in the pod: those for the client in `file`, those for Flink's configuration directory in
/// `conf`.
pub const DIRECTORY: &str = "/tmp/kubectl-flink-given";

const VOLUME: &str = "given";

/// The files with their paths below [`DIRECTORY`].
pub(super) fn all(spec: &SessionSpec) -> Vec<(String, String)> {
    let for_client = spec.files().into_iter().map(|(name, text)| (format!("file/{name}"), text));
    let of_conf = &spec.settings.log_configuration;
    let of_conf = of_conf.iter().map(|(name, text)| (format!("conf/{name}"), text.clone()));
    for_client.chain(of_conf).collect()
}

fn annotation(number: usize) -> String {
    format!("{}{number}", labels::FILE)
}

pub fn annotations(spec: &SessionSpec) -> impl Iterator<Item = (String, String)> {
    all(spec).into_iter().enumerate().map(|(number, (_, text))| (annotation(number), text))
}

/// The annotations as files; none without any.
pub fn volume(spec: &SessionSpec) -> Option<Volume> {
    let file = |(number, (path, _)): (usize, (String, String))| DownwardAPIVolumeFile {
        path,
        field_ref: Some(ObjectFieldSelector {
            field_path: format!("metadata.annotations['{}']", annotation(number)),
            ..ObjectFieldSelector::default()
        }),
        ..DownwardAPIVolumeFile::default()
    };
    let items: Vec<_> = all(spec).into_iter().enumerate().map(file).collect();
    (!items.is_empty()).then(|| Volume {
        name: VOLUME.to_owned(),
        downward_api: Some(DownwardAPIVolumeSource { items: Some(items), default_mode: None }),
        ..Volume::default()
    })
}

pub fn mount(spec: &SessionSpec) -> Option<VolumeMount> {
    (!all(spec).is_empty()).then(|| VolumeMount {
        name: VOLUME.to_owned(),
        mount_path: DIRECTORY.to_owned(),
        ..VolumeMount::default()
    })
}
