//! What a session should be: every setting of `create`, resolved, and what it is in Flink's words.

pub mod did_you_mean;
pub mod error;
pub mod high_availability;
pub(super) mod limits;
pub(super) mod locale;
pub mod name;
pub(super) mod options;
pub mod origin;
pub mod quantity;
pub mod scheduling;
pub mod settings;
pub(super) mod validate;
pub mod version;
pub mod volumes;

use std::collections::BTreeMap;

use super::flinkdeployment;
use crate::session::flink_config::flag_keys::{self, Dialect, Joined, Minor, Unsupported};
use crate::session::flink_config::keys::{self, Reading};
use crate::session::flink_config::memory::{self, Role};
use crate::session::flink_config::{carrier, encoding, expansion};
use crate::session::manifest::accounts::TaskManagers;
use crate::session::manifest::pod_template::{MAIN_CONTAINER, PodTemplate};
use crate::session::manifest::rbac::Grant;
use crate::session::spec::name::SessionName;
use crate::session::spec::origin::{Origin, Origins};
use crate::session::spec::quantity::{Cpu, Memory};
use crate::session::spec::scheduling::Toleration;
use crate::session::spec::settings::{Expose, Layer, SecretKey, Settings, Source};
use crate::session::spec::version::FlinkVersion;
use crate::session::spec::volumes::{DEFAULT_SCHEME, Mounts, Verdict};

pub use crate::session::spec::error::InvalidSpec;

/// Everything that `create` needs to know. Unset sizes are Flink's own business, unless Flink has
/// no default of its own.
#[derive(Clone, Debug)]
pub struct SessionSpec {
    pub name: SessionName,
    pub image: String,
    pub service_account: String,
    pub taskmanagers: TaskManagers,
    pub grant: Grant,
    pub expose: Expose,
    /// The rest, and the above as it was said.
    pub settings: Settings,
    pub origins: Origins,
    /// False where the settings by Flink's own keys are taken as they are.
    pub checked: bool,
}

/// Flink 1.10's own default; its shipped 1024m leaves the JobManager 424 MiB of heap.
const JOBMANAGER_MEMORY: &str = "1600m";
const TASKMANAGER_MEMORY: &str = "1728m";

pub const SERVICE_ACCOUNT: &str = "flink";

/// Where the bootstrap puts what it hands over to Flink's client.
pub const FILES: &str = "/tmp/kubectl-flink";

impl SessionSpec {
    /// Lays the layers over each other, the lowest first, and fills in the defaults. Refuses what
    /// cannot be right in any version, before anything is asked of a cluster; with `checked` false,
    /// the settings by Flink's own keys are taken as they are.
    pub fn resolve(name: SessionName, layers: Vec<Layer>, checked: bool) -> Result<Self, InvalidSpec> {
        let (settings, origins) = settings::resolve(layers)?;
        let image = match (&settings.image, settings.flink_version) {
            (Some(image), _) => image.clone(),
            (None, Some(version)) => format!("flink:{version}"),
            (None, None) => version::DEFAULT_IMAGE.to_owned(),
        };
        let mut spec = Self {
            name,
            image,
            service_account: settings.service_account.clone().unwrap_or_else(|| SERVICE_ACCOUNT.to_owned()),
            taskmanagers: TaskManagers::Shared,
            grant: settings.rbac.unwrap_or(Grant::Role),
            expose: settings.expose.unwrap_or(Expose::ClusterIp),
            settings,
            origins,
            checked,
        };
        spec.taskmanagers = TaskManagers::of(&spec);
        validate::of_flags(&spec)?;
        validate::of_config(&spec, checked)?;
        carrier::check(&spec)?;
        limits::check(&spec)?;
        Ok(spec)
    }

    /// The settings as they are kept on the bootstrap Job and on the Deployment: a FlinkDeployment.
    pub fn record(&self, namespace: &str) -> String {
        flinkdeployment::of_spec(self, namespace).to_string()
    }

    /// The version to expect by what the user typed: the flag, else the image's tag.
    pub fn version_hint(&self) -> Option<FlinkVersion> {
        self.settings.flink_version.or_else(|| FlinkVersion::from_image_tag(&self.image))
    }

    /// The dialect to expect; the newest where nothing tells.
    pub fn expected_dialect(&self) -> Dialect {
        let hint = self.version_hint().and_then(Dialect::of);
        hint.unwrap_or(Dialect { minor: version::NEWEST.minor() })
    }

    /// The pod templates of JobManager and TaskManager, with everything that goes into them.
    pub fn templates(&self) -> [Option<PodTemplate>; 2] {
        let Settings { pod_template, jobmanager_pod_template, taskmanager_pod_template, .. } = &self.settings;
        [jobmanager_pod_template, taskmanager_pod_template].map(|own| {
            let said = pod_template.is_some() || own.is_some();
            let restricted = self.settings.restricted == Some(true);
            (said || restricted).then(|| {
                let whole = PodTemplate::empty().under(pod_template.as_ref()).under(own.as_ref());
                if restricted { whole.restricted() } else { whole }
            })
        })
    }

    /// Files that Flink's client reads, by name below [`FILES`].
    pub fn files(&self) -> Vec<(&'static str, String)> {
        let [jobmanager, taskmanager] = self.templates();
        let named = match jobmanager == taskmanager {
            true => vec![(TEMPLATE_OF_BOTH, jobmanager)],
            false => vec![(TEMPLATES[0], jobmanager), (TEMPLATES[1], taskmanager)],
        };
        named.into_iter().filter_map(|(name, file)| file.map(|file| (name, file.to_json_text()))).collect()
    }

    /// Flink's settings in `dialect` for a session in `namespace`, by key.
    pub fn flink_settings(
        &self,
        dialect: Dialect,
        namespace: &str,
    ) -> Result<BTreeMap<String, String>, Unsupported> {
        let mut all = BTreeMap::new();
        for (flag, values) in self.said_by_flags(dialect, namespace) {
            for (key, value) in dialect.keys(flag)?.iter().zip(values.iter().cycle()) {
                all.insert((*key).to_owned(), value.clone());
            }
        }
        all.insert(flag_keys::ATTACHED.to_owned(), "false".to_owned());
        for (name, value) in &self.settings.env {
            all.extend(flag_keys::env_keys(name).map(|key| (key, expansion::escaped(value))));
        }
        if self.has_high_availability() && dialect.watches_each_job() {
            let [jobmanager, _] = flag_keys::env_keys("KUBERNETES_MAX_CONCURRENT_REQUESTS");
            all.insert(jobmanager, "200".to_owned());
        }
        for (key, value) in &self.settings.config {
            let name = if self.checked { name_in(key, dialect.minor) } else { key };
            let below = all.remove(name);
            let synonyms = flag_keys::synonyms(key);
            all.retain(|own, _| !synonyms.contains(&own.as_str()));
            let value = self.joined(key, below.as_deref(), value);
            all.insert(name.to_owned(), self.literal(key, value));
        }
        Ok(all)
    }

    /// The value with which a variable becomes what was typed. In a manifest it is Kubernetes' syntax already, as for
    /// the Flink operator.
    fn literal(&self, key: &str, value: String) -> String {
        let is_manifest = || matches!(self.source(key), Source::Manifest(_));
        match carrier::variable_of(key).is_some() && !is_manifest() {
            true => expansion::escaped(&value),
            false => value,
        }
    }

    /// What `key` is set to where a flag says a part of it and a setting by its own name the rest.
    fn joined(&self, key: &str, by_flag: Option<&str>, by_key: &str) -> String {
        let (Some(flag), Some(by_flag)) = (flag_keys::flag_of(key), by_flag) else {
            return by_key.to_owned();
        };
        match flag_keys::joined(flag) {
            Joined::Not => by_key.to_owned(),
            Joined::List => format!("{by_flag};{by_key}"),
            Joined::Map => match (encoding::read_map(by_flag), encoding::read_map(by_key)) {
                (Some(mut flags), Some(mut keys)) => {
                    // The one that is for one role alone, unless the other was typed over it.
                    if self.source(flag) == Source::Flags && self.source(key) != Source::Flags {
                        std::mem::swap(&mut flags, &mut keys);
                    }
                    flags.extend(keys);
                    encoding::map(&flags)
                }
                _ => format!("{by_flag},{by_key}"),
            },
        }
    }

    /// What stands behind each flag, said or by default; a value for each key of the flag, or one for all.
    fn said_by_flags(&self, dialect: Dialect, namespace: &str) -> Vec<(&'static str, Vec<String>)> {
        let Settings { secret_env, node_selector, tolerations, labels, annotations, .. } = &self.settings;
        let mut said: Vec<(&str, Vec<String>)> = Vec::new();
        for (flag, value) in self.single_values(dialect, namespace) {
            said.extend(value.map(|value| (flag, vec![value])));
        }
        if let Some(directory) = &self.settings.ha {
            said.push(("--ha", vec![dialect.kubernetes_ha().to_owned(), directory.clone()]));
        }
        for (flag, pairs) in
            [("--node-selector", node_selector), ("--label", labels), ("--annotation", annotations)]
        {
            if !pairs.is_empty() {
                said.push((flag, vec![encoding::map(pairs)]));
            }
        }
        if !tolerations.is_empty() {
            let list: Vec<_> = tolerations.iter().map(Toleration::as_flink_reads_it).collect();
            said.push(("--toleration", vec![list.join(";")]));
        }
        if !secret_env.is_empty() {
            let variable =
                |(name, of): (&String, &SecretKey)| format!("env:{name},secret:{},key:{}", of.secret, of.key);
            said.push(("--secret-env", vec![secret_env.iter().map(variable).collect::<Vec<_>>().join(";")]));
        }
        // The bootstrap adds plugins, for the names of their jars have the version; and templates make the
        // pods fit. Both need a version that can.
        let by_other_means = [
            ("--plugin", !self.settings.plugins.is_empty()),
            ("--restricted", self.settings.restricted == Some(true)),
        ];
        said.extend(
            by_other_means.into_iter().filter(|(_, is_said)| *is_said).map(|(flag, _)| (flag, Vec::new())),
        );
        for (name, _) in self.files() {
            let files = [TEMPLATE_OF_BOTH, TEMPLATES[0], TEMPLATES[1]];
            let flags = ["--pod-template", "--jobmanager-pod-template", "--taskmanager-pod-template"];
            let flag = flags.into_iter().zip(files).find_map(|(flag, file)| (file == name).then_some(flag));
            said.extend(flag.map(|flag| (flag, vec![format!("{FILES}/{name}")])));
        }
        said
    }

    /// The settings that are one value, with the defaults that Flink lacks.
    fn single_values(&self, dialect: Dialect, namespace: &str) -> [(&'static str, Option<String>); 16] {
        let exposed = if dialect.exposes_by_itself() { self.expose } else { Expose::ClusterIp };
        let said = &self.settings;
        let size = |flag: &str, set: Option<Memory>, default: &str| match set {
            Some(size) => Some(size.to_string()),
            None => {
                let given = |keys: &&[&str]| keys.iter().all(|key| said.config.contains_key(*key));
                (!flag_keys::sizes_instead_of(flag).iter().any(given)).then(|| default.to_owned())
            }
        };
        let cpu = |set: Option<Cpu>| set.map(|cpu| cpu.to_string());
        let secrets = (!said.image_pull_secrets.is_empty()).then(|| said.image_pull_secrets.join(";"));
        // One is what there is before Flink can count them.
        let replicas =
            said.jobmanager_replicas.filter(|n| *n > 1 || dialect.keys("--jobmanager-replicas").is_ok());
        [
            ("NAME", Some(self.name.to_string())),
            ("--namespace", Some(namespace.to_owned())),
            ("--image", Some(self.image.clone())),
            ("--image-pull-policy", said.image_pull_policy.map(|policy| policy.as_str().to_owned())),
            ("--image-pull-secret", secrets),
            ("--service-account", Some(self.service_account.clone())),
            ("--taskmanager-service-account", self.told_taskmanager_account(dialect)),
            ("--expose", Some(exposed.as_str().to_owned())),
            ("--jobmanager-memory", size("--jobmanager-memory", said.jobmanager_memory, JOBMANAGER_MEMORY)),
            ("--jobmanager-cpu", cpu(said.jobmanager_cpu)),
            ("--jobmanager-replicas", replicas.map(|count| count.to_string())),
            (
                "--taskmanager-memory",
                size("--taskmanager-memory", said.taskmanager_memory, TASKMANAGER_MEMORY),
            ),
            ("--taskmanager-cpu", cpu(said.taskmanager_cpu)),
            ("--slots", said.slots.map(|slots| slots.to_string())),
            ("--min-slots", said.min_slots.map(|slots| slots.to_string())),
            (
                "--keep-idle-taskmanagers",
                said.keep_idle_taskmanagers.map(|kept| kept.milliseconds().to_string()),
            ),
        ]
    }

    /// True when jobs outlive their JobManager, by whatever setting.
    pub fn has_high_availability(&self) -> bool {
        let by_key = ["high-availability", "high-availability.type"]
            .iter()
            .filter_map(|key| self.settings.config.get(*key))
            .any(|value| !value.eq_ignore_ascii_case("none"));
        self.settings.ha.is_some() || by_key
    }

    /// What is allowed and probably not meant.
    pub fn warnings(&self) -> Vec<String> {
        let Settings { pod_template, jobmanager_pod_template, taskmanager_pod_template, .. } = &self.settings;
        let templates = [
            ("--pod-template", pod_template),
            ("--jobmanager-pod-template", jobmanager_pod_template),
            ("--taskmanager-pod-template", taskmanager_pod_template),
        ];
        let of_templates = templates.into_iter().flat_map(|(flag, template)| {
            let setting = self.origin(flag);
            let name = setting.clone();
            let fields = template.iter().flat_map(PodTemplate::overwritten);
            let fields = fields.filter(move |field| !self.takes_account_of(flag, field));
            let overwritten =
                fields.map(move |field| format!("{name}: Flink puts its own value over {field}"));
            let sidecars = template.iter().filter_map(PodTemplate::only_sidecars).map(move |names| {
                format!(
                    "{setting}: {} runs beside Flink; what is for Flink's own container goes into one called {MAIN_CONTAINER}",
                    names.join(", ")
                )
            });
            overwritten.chain(sidecars).collect::<Vec<_>>()
        });
        let open_secrets =
            self.settings.config.keys().chain(self.settings.env.keys()).filter(|key| keys::is_secret(key));
        let of_secrets = open_secrets.map(|key| {
            format!(
                "the value of {key} can be read by who may read configmap/{} or job.batch/{}: --secret-env keeps it in a Secret",
                self.name.config_map(),
                self.name.bootstrap_job(),
            )
        });
        let minor = self.expected_dialect().minor;
        let options = self.settings.config.keys().find(|key| name_in(key, minor) == "env.java.opts.all");
        // Shipped from 1.18 on.
        let lost_options = options.filter(|_| minor >= (1, 18)).map(|key| {
            format!(
                "{} replaces the options that Flink ships for its Java: env.java.opts.jobmanager and \
             env.java.opts.taskmanager add to them",
                self.origin(key)
            )
        });
        let of_one_node = self.ha_directory().zip(self.local_high_availability());
        let of_one_node = of_one_node.and_then(|((setting, directory), verdict)| {
            Some(format!("{setting} {directory} {}", verdict.warning()?))
        });
        let of_grant = (self.grant == Grant::EditCluster).then(|| {
            format!(
                "{} grants ClusterRole edit in every namespace to serviceaccount/{account}, and to every later ServiceAccount \
                 of that name; `delete` and `gc` remove the grant with --cluster-rbac",
                self.origin("--rbac"),
                account = self.service_account,
            )
        });
        of_templates.chain(of_grant).chain(of_secrets).chain(lost_options).chain(of_one_node).collect()
    }

    /// True for the account in the template of the TaskManagers where that is theirs.
    fn takes_account_of(&self, flag: &str, field: &str) -> bool {
        flag == "--taskmanager-pod-template"
            && field.starts_with("spec.serviceAccountName")
            && self.settings.taskmanager_pod_template.as_ref().is_some_and(|template| {
                template.pod_spec().service_account_name.as_deref() == Some(self.taskmanager_account())
            })
    }

    /// The directory for the state of jobs, and where it was set.
    pub fn ha_directory(&self) -> Option<(Origin, &str)> {
        let Settings { ha, config, .. } = &self.settings;
        let by_key = || Some((flag_keys::HA_STORAGE, config.get(flag_keys::HA_STORAGE)?));
        let (setting, directory) = ha.as_ref().map(|directory| ("--ha", directory)).or_else(by_key)?;
        Some((self.origin(setting), directory))
    }

    /// Whether the directory for the state of jobs outlives the pods, where it is one inside them and not declared to
    /// be shared. Of services other than Kubernetes' nothing is known.
    pub fn local_high_availability(&self) -> Option<Verdict> {
        let (_, directory) = self.ha_directory().filter(|_| self.has_kubernetes_high_availability())?;
        let path =
            volumes::local_path(directory, self.settings.config.get(DEFAULT_SCHEME).map(String::as_str))?;
        if self.settings.ha_dir_is_shared == Some(true) {
            return Some(Verdict::Shared);
        }
        Some(match path {
            Ok(path) => {
                let [jobmanager, taskmanager] = self.templates().map(|of| Mounts::of_template(of.as_ref()));
                Verdict::of(&path, [&[jobmanager], &[taskmanager]])
            }
            Err(why) => Verdict::Unreadable(why),
        })
    }

    /// The same by Kubernetes, without ZooKeeper.
    pub fn has_kubernetes_high_availability(&self) -> bool {
        let is_kubernetes = |value: &str| Dialect::all().any(|dialect| dialect.kubernetes_ha() == value);
        let by_key = ["high-availability", "high-availability.type"]
            .iter()
            .filter_map(|key| self.settings.config.get(*key))
            .any(|value| is_kubernetes(value));
        self.settings.ha.is_some() || by_key
    }

    /// What a `-D` is called by the Flink of `minor`, where that is not what was typed.
    pub fn translated(&self, minor: Minor) -> Vec<(&str, &'static str)> {
        let renamed = self.settings.config.keys().filter(|_| self.checked).filter_map(|key| {
            match keys::reading(key, minor) {
                Reading::Renamed(name) => Some((key.as_str(), name)),
                _ => None,
            }
        });
        renamed.collect()
    }

    /// What the pods of the session ask for.
    pub fn demand(&self) -> Demand {
        let dialect = self.expected_dialect();
        let config = self.flink_settings(dialect, "").unwrap_or_default();
        let number = |key: &str| config.get(key).and_then(|value| value.trim().parse::<f64>().ok());
        let size = |flag: &str, role: Role, default_cores: f64| {
            let prefix =
                if role == Role::JobManager { "kubernetes.jobmanager" } else { "kubernetes.taskmanager" };
            // -1 is Flink's way to say "the default".
            let cores = dialect.keys(flag).ok().and_then(|keys| keys.first()).and_then(|key| number(key));
            let cores = cores.filter(|cores| *cores > 0.0).unwrap_or(default_cores);
            let heap = config.get("jobmanager.heap.size").filter(|_| role == Role::JobManager);
            let memory = match heap {
                Some(heap) => memory::bytes(heap).map(|bytes| bytes >> 20),
                None => memory::container(role, &config).ok().flatten(),
            };
            let factor = |of: &str| number(&format!("{prefix}.{of}.limit-factor")).unwrap_or(1.0);
            PodSize {
                cpu_request: millicores(cores),
                cpu_limit: millicores(cores * factor("cpu")),
                memory_request: memory,
                memory_limit: memory.map(|memory| (memory as f64 * factor("memory")) as u64),
            }
        };
        let slots = number("taskmanager.numberOfTaskSlots").unwrap_or(1.0);
        Demand {
            jobmanager: size("--jobmanager-cpu", Role::JobManager, 1.0),
            jobmanagers: u64::from(self.settings.jobmanager_replicas.unwrap_or(1)),
            taskmanager: size("--taskmanager-cpu", Role::TaskManager, slots),
        }
    }
}

/// What the session's pods ask the cluster for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Demand {
    pub jobmanager: PodSize,
    pub jobmanagers: u64,
    pub taskmanager: PodSize,
}

/// CPU in thousandths of a core, memory in MiB; no memory where the settings do not tell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PodSize {
    pub cpu_request: u64,
    pub cpu_limit: u64,
    pub memory_request: Option<u64>,
    pub memory_limit: Option<u64>,
}

fn millicores(cores: f64) -> u64 {
    (cores * 1000.0).round() as u64
}

const TEMPLATE_OF_BOTH: &str = "pod-template.yaml";
const TEMPLATES: [&str; 2] = ["jobmanager-pod-template.yaml", "taskmanager-pod-template.yaml"];

/// What `key` is called by the Flink of `minor`.
pub fn name_in(key: &str, minor: Minor) -> &str {
    match keys::reading(key, minor) {
        Reading::Renamed(name) => name,
        _ => key,
    }
}

/// Splits `KEY=VALUE`; the value may hold `=` and may be empty, the key may not.
pub fn parse_setting(text: &str) -> Result<(String, String), InvalidSpec> {
    match text.split_once('=') {
        Some((key, value)) if !key.trim().is_empty() && !key.contains(char::is_whitespace) => {
            Ok((key.to_owned(), value.to_owned()))
        }
        _ => Err(InvalidSpec::Form { what: "-D", text: text.to_owned(), form: "KEY=VALUE" }),
    }
}

#[cfg(test)]
pub(crate) mod tests;
