//! The Kubernetes Job that runs Flink's own client in the cluster, once.

pub(in crate::session) mod files;
pub mod size;

use std::collections::BTreeMap;
use std::time::Duration;

use k8s_openapi::api::batch::v1::{Job, JobSpec};
use k8s_openapi::api::core::v1::{
    Capabilities, Container, EmptyDirVolumeSource, EnvVar, EnvVarSource, LocalObjectReference,
    ObjectFieldSelector, PodSpec, PodTemplateSpec, ResourceRequirements, SeccompProfile, SecurityContext,
    Toleration, Volume, VolumeMount,
};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use super::labels;
use super::pod_template::FLINK_USER;
use crate::session::flink_config::carrier::File;
use crate::session::flink_config::flag_keys::{Dialect, Unsupported};
use crate::session::flink_config::{encoding, expansion};
use crate::session::spec::locale;
use crate::session::spec::{FILES, PodSize, SessionSpec};

/// Picks the settings by the version of the image's `flink-dist` jar and runs the client.
const SCRIPT: &str = include_str!("bootstrap.sh");

pub const CONTAINER: &str = "bootstrap";

const FILES_VOLUME: &str = "files";

/// A client that hangs must not make a session hours after its user has left. Generous enough for
/// the slow first pull of a large image.
const SHORTEST_DEADLINE: Duration = Duration::from_secs(600);

/// The Job for `spec` in `namespace`. `wait` is how long the caller means to wait; the Job gives up no earlier.
pub fn job(spec: &SessionSpec, namespace: &str, wait: Duration, size: PodSize) -> Job {
    // The user's own come along, for policies that ask for them; the plugin's find the Job.
    let own = labels::bootstrap(&spec.name);
    let metadata = |name: Option<String>| ObjectMeta {
        name,
        labels: Some(spec.settings.labels.clone().into_iter().chain(own.clone()).collect()),
        annotations: (!spec.settings.annotations.is_empty()).then(|| spec.settings.annotations.clone()),
        ..ObjectMeta::default()
    };
    let record = spec.record(namespace);
    Job {
        metadata: ObjectMeta {
            namespace: Some(namespace.to_owned()),
            annotations: Some(
                spec.settings
                    .annotations
                    .clone()
                    .into_iter()
                    .chain([(labels::SETTINGS.to_owned(), record)])
                    .collect(),
            ),
            ..metadata(Some(spec.name.bootstrap_job()))
        },
        spec: Some(JobSpec {
            // A second try deletes what the first one made, or finds its Service and reports a
            // success that is none.
            backoff_limit: Some(0),
            active_deadline_seconds: Some(
                wait.max(SHORTEST_DEADLINE).as_secs().try_into().unwrap_or(i64::MAX),
            ),
            template: PodTemplateSpec {
                metadata: Some(ObjectMeta {
                    annotations: none_if_no_entries(
                        metadata(None)
                            .annotations
                            .into_iter()
                            .flatten()
                            .chain(files::annotations(spec))
                            .collect(),
                    ),
                    ..metadata(None)
                }),
                spec: Some(pod(spec, namespace, size)),
            },
            ..JobSpec::default()
        }),
        status: None,
    }
}

fn pod(spec: &SessionSpec, namespace: &str, size: PodSize) -> PodSpec {
    let settings = spec.flink_settings(spec.expected_dialect(), namespace).unwrap_or_default();
    PodSpec {
        // Written to also where the image's own file system is read-only.
        volumes: Some(
            [Volume {
                name: FILES_VOLUME.to_owned(),
                empty_dir: Some(EmptyDirVolumeSource::default()),
                ..Volume::default()
            }]
            .into_iter()
            .chain(files::volume(spec))
            .collect(),
        ),
        service_account_name: Some(spec.service_account.clone()),
        restart_policy: Some("Never".to_owned()),
        // A Service called "flink" would put FLINK_* variables into the environment.
        enable_service_links: Some(false),
        containers: vec![Container {
            name: CONTAINER.to_owned(),
            image: Some(spec.image.clone()),
            image_pull_policy: settings.get("kubernetes.container.image.pull-policy").cloned(),
            volume_mounts: Some(
                [VolumeMount {
                    name: FILES_VOLUME.to_owned(),
                    mount_path: FILES.to_owned(),
                    ..VolumeMount::default()
                }]
                .into_iter()
                .chain(files::mount(spec))
                .collect(),
            ),
            command: Some(["/bin/bash", "-c", SCRIPT, "bootstrap"].map(str::to_owned).to_vec()),
            args: Some(arguments(spec, namespace).iter().map(|word| expansion::escaped(word)).collect()),
            env: Some(vec![
                EnvVar {
                    // The client lives for seconds: the quick compiler and the small collector halve its start-up.
                    name: "JVM_ARGS".to_owned(),
                    value: Some("-XX:TieredStopAtLevel=1 -XX:+UseSerialGC".to_owned()),
                    ..EnvVar::default()
                },
                EnvVar {
                    name: "SESSION_ID".to_owned(),
                    value_from: Some(EnvVarSource {
                        field_ref: Some(ObjectFieldSelector {
                            field_path: "metadata.uid".to_owned(),
                            ..ObjectFieldSelector::default()
                        }),
                        ..EnvVarSource::default()
                    }),
                    ..EnvVar::default()
                },
            ]),
            resources: Some(ResourceRequirements {
                requests: Some(quantities(size.cpu_request, size.memory_request)),
                limits: Some(quantities(size.cpu_limit, size.memory_limit)),
                claims: None,
            }),
            security_context: Some(restricted()),
            ..Container::default()
        }],
        ..placed_like_the_jobmanager(spec, &settings)
    }
}

/// The same image on the same kind of node as the JobManager: its pull secrets, and where it may run.
fn placed_like_the_jobmanager(spec: &SessionSpec, settings: &BTreeMap<String, String>) -> PodSpec {
    let [template, _] = spec.templates();
    let of_template = template.map(|template| template.pod_spec()).unwrap_or_default();
    let said = |key: &str| settings.get(key).map(String::as_str);
    let secrets = said("kubernetes.container.image.pull-secrets").and_then(|text| encoding::split(text, ';'));
    let secrets = secrets.unwrap_or_default().into_iter().map(|name| LocalObjectReference { name });
    let selector = said("kubernetes.jobmanager.node-selector").and_then(encoding::read_map);
    let tolerations = said("kubernetes.jobmanager.tolerations").and_then(encoding::tolerations);
    let tolerations = tolerations.unwrap_or_default().into_iter().map(|toleration| Toleration {
        operator: Some(toleration.operator().to_owned()),
        key: Some(toleration.key),
        value: toleration.value,
        effect: toleration.effect.map(|effect| effect.as_str().to_owned()),
        toleration_seconds: None,
    });
    let selector: BTreeMap<_, _> = of_template.node_selector.into_iter().chain(selector).flatten().collect();
    PodSpec {
        image_pull_secrets: none_if_empty(
            of_template.image_pull_secrets.into_iter().flatten().chain(secrets).collect(),
        ),
        node_selector: (!selector.is_empty()).then_some(selector),
        tolerations: none_if_empty(
            of_template.tolerations.into_iter().flatten().chain(tolerations).collect(),
        ),
        affinity: of_template.affinity,
        ..PodSpec::default()
    }
}

fn none_if_no_entries(map: BTreeMap<String, String>) -> Option<BTreeMap<String, String>> {
    (!map.is_empty()).then_some(map)
}

fn none_if_empty<T>(list: Vec<T>) -> Option<Vec<T>> {
    (!list.is_empty()).then_some(list)
}

/// What a bootstrap Job runs, and as whom. Annotations are copied more easily.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Runs {
    pub image: String,
    /// The command and its arguments.
    pub words: Vec<String>,
    pub account: String,
    /// Pod templates and log configuration, by the annotation that holds each.
    pub files: BTreeMap<String, String>,
}

impl Runs {
    /// What the Job of `spec` runs.
    pub fn of(spec: &SessionSpec, namespace: &str) -> Self {
        let PodSpec { containers, service_account_name, .. } = pod(spec, namespace, size::usual());
        let Container { image, command, args, .. } = containers.into_iter().next().unwrap_or_default();
        Self {
            image: image.unwrap_or_default(),
            words: command.into_iter().chain(args).flatten().collect(),
            account: service_account_name.unwrap_or_default(),
            files: files::annotations(spec).collect(),
        }
    }
}

/// What `bootstrap.sh` takes: the expected version and plugins, then the settings of every dialect. Versions with
/// the same settings share a group.
fn arguments(spec: &SessionSpec, namespace: &str) -> Vec<String> {
    let expected = spec.settings.flink_version.map(|version| version.to_string()).unwrap_or_default();
    let mut words = vec![FILES.to_owned(), files::DIRECTORY.to_owned(), expected];
    words.extend(spec.settings.plugins.iter().map(|name| format!("plugin:{name}")));
    words.extend(locale::roles_without(spec).map(|role| format!("locale:{role}")));
    let mut last = None;
    for dialect in Dialect::all() {
        let group: Vec<String> = match spec.flink_settings(dialect, namespace) {
            Ok(settings) => of_dialect(spec, dialect, settings),
            Err(Unsupported { flag, needs: (major, minor) }) => {
                let setting = spec.origin(flag);
                vec![format!("!{} needs Flink {major}.{minor} or later", setting.name())]
            }
        };
        if last.as_ref() != Some(&group) {
            let (major, minor) = dialect.minor;
            words.push(format!("@{}", u32::from(major) * 1000 + u32::from(minor)));
            words.extend(group.iter().cloned());
            last = Some(group);
        }
    }
    words
}

/// The bytes of all arguments.
pub(in crate::session) fn size_of_arguments(spec: &SessionSpec, namespace: &str) -> usize {
    arguments(spec, namespace).iter().map(|word| expansion::escaped(word).len()).sum()
}

/// The settings of one dialect as arguments; or what its Flink would lose, which the script refuses.
fn of_dialect(spec: &SessionSpec, dialect: Dialect, settings: BTreeMap<String, String>) -> Vec<String> {
    if let Some(lost) = spec.lost(dialect, dialect.file(), &settings) {
        let needs = lost.needs.map(|(major, minor)| format!("needs Flink {major}.{minor} or later"));
        let needs = needs.unwrap_or_else(|| "cannot be set".to_owned());
        return vec![format!("!{} {needs}: {}", lost.name(), lost.problem)];
    }
    let in_flat_file = match dialect.takes_flat_file() {
        true => spec.lost(dialect, File::Flat, &settings),
        false => None,
    };
    let refusal = in_flat_file.map(|lost| format!("~{}: {}", lost.name(), lost.problem));
    settings.into_iter().map(|(key, value)| format!("-D{key}={value}")).chain(refusal).collect()
}

/// Meets the Pod Security level "restricted" (kubernetes.io/docs/concepts/security/pod-security-standards).
fn restricted() -> SecurityContext {
    SecurityContext {
        allow_privilege_escalation: Some(false),
        capabilities: Some(Capabilities { add: None, drop: Some(vec!["ALL".to_owned()]) }),
        run_as_non_root: Some(true),
        run_as_user: Some(FLINK_USER),
        run_as_group: Some(FLINK_USER),
        seccomp_profile: Some(SeccompProfile { type_: "RuntimeDefault".to_owned(), localhost_profile: None }),
        ..SecurityContext::default()
    }
}

/// As Kubernetes writes them itself: a whole number of cores has no unit.
fn quantities(millicores: u64, mebibytes: Option<u64>) -> BTreeMap<String, Quantity> {
    let cpu = match millicores % 1000 {
        0 => (millicores / 1000).to_string(),
        _ => format!("{millicores}m"),
    };
    let memory = mebibytes.map(|mebibytes| ("memory", format!("{mebibytes}Mi")));
    let amounts = [("cpu", cpu)].into_iter().chain(memory);
    amounts.map(|(name, amount)| (name.to_owned(), Quantity(amount))).collect()
}

/// True when `words`, the command and arguments of a Job's container, make session `name` the way
/// the Flink documentation does it by hand.
pub fn is_client_for(name: &crate::session::SessionName, words: &[String]) -> bool {
    sessions_of_client(words).any(|session| session == name.as_str())
}

/// The sessions that `words` make in that way: one at most, unless somebody has confused something.
pub fn sessions_of_client(words: &[String]) -> impl Iterator<Item = &str> {
    let runs_client = words.iter().any(|word| word.contains("kubernetes-session.sh"));
    let words = words.iter().filter(move |_| runs_client).flat_map(|word| word.split_whitespace());
    words.filter_map(|word| word.strip_prefix("-Dkubernetes.cluster-id="))
}

// The tests run the script in bash.
#[cfg(all(test, unix))]
mod tests;
