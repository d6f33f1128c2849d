//! The flags of `create`, and the session that they ask for.

use std::path::PathBuf;
use std::time::Duration;

use super::groups::{Access, Availability, Network, Pods, Rbac, ServiceType, Sizes};
use crate::app::{App, CommandError, duration};
use crate::cmd::dry_run::DryRun;
use crate::cmd::word::Word;
use crate::exit::Exit;
use crate::output::format::{self, ObjectFormat};
use crate::session::flinkdeployment::{self, InvalidManifest, Manifest};
use crate::session::manifest::pod_template::PodTemplate;
use crate::session::manifest::rbac::Grant;
use crate::session::spec::name::InvalidName;
use crate::session::spec::origin::{Origin, Source};
use crate::session::spec::settings::{Expose, Layer, Settings};
use crate::session::spec::{InvalidSpec, parse_setting};
use crate::session::text::shell::quoted;
use crate::session::{FlinkVersion, SessionName, SessionSpec};

#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  # A session with the newest Flink
  kubectl flink create roc

  # Flink 1.20, bigger TaskManagers, in a namespace of its own
  kubectl flink create roc --flink-version 1.20 --taskmanager-memory 4g --slots 4 -n team-a --create-namespace

  # Jobs that outlive their JobManager, with credentials that stay in a Secret
  kubectl flink create roc --ha s3://bucket/ha --plugin s3-fs-presto --secret-env AWS_SECRET_ACCESS_KEY=s3:secret

  # In a namespace that enforces the Pod Security level \"restricted\"
  kubectl flink create roc --restricted

  # From a manifest of the Flink operator, with one thing changed
  kubectl flink create -f roc.yaml --slots 4

  # What would be written, for kubectl apply -f -
  kubectl flink create roc --dry-run=client -o yaml

A version in brackets is the first Flink that can do it. docs/create.md goes through all of it by task, with the table of flags and Flink's own keys.")]
pub struct Args {
    /// Name of the session (Flink's kubernetes.cluster-id): lower-case letters, digits and '-', at most 45
    #[arg(required_unless_present = "filename")]
    pub name: Option<String>,

    /// FlinkDeployment manifest to start from, without spec.job; - is stdin. Flags win over it. In a file with
    /// several sessions, NAME chooses one
    #[arg(short, long, value_name = "FILE")]
    filename: Option<PathBuf>,

    /// Profile of the config file to start from: see kubectl flink config
    #[arg(long, value_name = "NAME", add = Word::Profile)]
    profile: Option<String>,

    /// Image to run; must hold Flink 1.10 or later. The settings follow the Flink that is in it, whatever its tag says
    /// [default: flink:2.3.0, or flink:VERSION with --flink-version]
    #[arg(long)]
    image: Option<String>,

    /// Flink version to run, such as 1.20 or 2.3.0; with --image, the version that the image must have
    #[arg(long, value_name = "VERSION", add = Word::FlinkVersion)]
    flink_version: Option<FlinkVersion>,

    /// A setting of Flink's; may be repeated
    #[arg(short = 'D', value_name = "KEY=VALUE", add = Word::Setting)]
    define: Vec<String>,

    /// Take every -D as it is: no check of its name and value
    #[arg(long)]
    unchecked_config: bool,

    /// Create the namespace if it does not exist
    #[arg(long)]
    pub create_namespace: bool,

    /// Go on although the checks of the cluster say that the session will not start
    #[arg(long)]
    pub ignore_preflight: bool,

    /// Write nothing: print what would be written (client), or let the API server check it too (server)
    #[arg(long, value_enum, value_name = "MODE", num_args = 0..=1, require_equals = true, default_value = "none",
          default_missing_value = "client", hide_default_value = true)]
    pub dry_run: DryRun,

    /// Form of the objects of a dry run: json, name or yaml
    #[arg(short, long, value_name = "FORMAT", add = Word::OneOf(&format::OF_OBJECTS))]
    pub output: Option<ObjectFormat>,

    /// Wait until REST answers
    #[arg(long, value_name = "BOOL", default_value_t = true, num_args = 0..=1, require_equals = true,
          default_missing_value = "true", action = clap::ArgAction::Set)]
    pub wait: bool,

    /// Longest wait, such as 90s or 5m
    #[arg(long, value_name = "DURATION", default_value = "5m", value_parser = duration::parse)]
    pub timeout: Duration,

    #[command(flatten)]
    sizes: Sizes,

    #[command(flatten)]
    availability: Availability,

    #[command(flatten)]
    pods: Pods,

    #[command(flatten)]
    access: Access,

    #[command(flatten)]
    network: Network,
}

/// What was asked for, wherever it was said.
pub struct Request {
    pub spec: SessionSpec,
    pub reuse_ha: bool,
}

impl Args {
    /// Puts together what flags, manifest and config file say; refuses what cannot be right before
    /// anything is asked of a cluster. The manifest's namespace counts unless `-n` names one.
    pub fn request(&self, app: &App) -> Result<Request, CommandError> {
        if self.output.is_some() && self.dry_run == DryRun::None {
            let error = CommandError::new(Exit::Error, "-o prints the objects of a dry run");
            let name = self.name.as_deref().map(|name| format!(" {}", quoted(name)));
            let file = self.filename.as_ref().map(|file| format!(" -f {}", quoted(&file.to_string_lossy())));
            return Err(error.hint(format!(
                "kubectl flink create{}{}{} --dry-run=client -o yaml",
                name.unwrap_or_default(),
                file.unwrap_or_default(),
                app.scope_flags()
            )));
        }
        let given: Option<SessionName> = self.name.as_deref().map(str::parse).transpose()?;
        let mut layers = crate::cmd::config::layers(app, self.profile.as_deref())?;
        let mut named = None;
        if let Some(file) = &self.filename {
            let manifest = self.manifest(app, file)?;
            named = manifest.0;
            layers.push(manifest.1);
        }
        layers.push(Layer { settings: self.settings(app)?, ..Layer::default() });
        let Some(name) = given.or(named) else {
            let error = CommandError::new(Exit::Error, "the manifest has no metadata.name");
            return Err(error.hint(self.again("NAME", app)));
        };
        let spec = SessionSpec::resolve(name, layers, !self.unchecked_config)?;
        if !self.wait && spec.expose != Expose::ClusterIp {
            return Err(CommandError::new(
                Exit::Error,
                format!(
                    "{} needs --wait: the Service gets its type once the session is there",
                    spec.origin("--expose")
                ),
            )
            .hint("kubectl flink create --help"));
        }
        if self.availability.reuse_ha && !spec.has_high_availability() {
            let error = CommandError::new(
                Exit::Error,
                "--reuse-ha needs --ha DIR: without it no session looks for old jobs",
            );
            return Err(error.hint("kubectl flink create --help"));
        }
        Ok(Request { spec, reuse_ha: self.availability.reuse_ha })
    }

    /// The command that creates `name` from the same file.
    fn again(&self, name: &str, app: &App) -> String {
        let file = self.filename.as_ref().map_or_else(|| "FILE".into(), |file| file.to_string_lossy());
        format!("kubectl flink create {name} -f {}{}", quoted(&file), app.scope_flags())
    }

    /// The name and the settings of the manifest, whose notes are told.
    fn manifest(
        &self,
        app: &App,
        file: &std::path::Path,
    ) -> Result<(Option<SessionName>, Layer), CommandError> {
        let shown = if file.as_os_str() == "-" { "stdin".to_owned() } else { file.display().to_string() };
        let text = app.read(file)?;
        let manifest = flinkdeployment::read(&text, self.name.as_deref()).map_err(|error| {
            let told = CommandError::new(Exit::Error, format!("{shown}: {error}"));
            match error {
                InvalidManifest::Application { .. } => told.hint(
                    "a session is one without spec.job, for jobs that are submitted to it; the Flink operator makes the other kind",
                ),
                InvalidManifest::SeveralSessions { .. } | InvalidManifest::NoSuchSession { .. } => {
                    told.hint(self.again("NAME", app))
                }
                _ => told.hint("docs/create.md lists the fields that are understood"),
            }
        })?;
        for note in &manifest.notes {
            app.ui.status(&format!("{shown}: {note}"));
        }
        if let Some(namespace) = &manifest.namespace {
            app.use_namespace(namespace);
        }
        let scope = app.scope_flags();
        let context = flinkdeployment::Context {
            file: Some(shown.as_str()).filter(|_| file.as_os_str() != "-"),
            scope: &scope,
            names: (
                manifest.name.as_deref(),
                self.name.as_deref().or(manifest.name.as_deref()).unwrap_or("NAME"),
            ),
        };
        for other in &manifest.others {
            app.ui.status(&format!("{shown}: {}", other.message(&context)));
        }
        let Manifest { name, settings, places, .. } = manifest;
        let source = Source::Manifest(shown);
        let name = name.filter(|_| self.name.is_none()).map(|name| {
            name.parse().map_err(|error: InvalidName| {
                let origin = Origin::new("NAME", &source, places.get("NAME"));
                let name = error.suggestion.as_deref().unwrap_or("NAME");
                CommandError::new(Exit::Error, format!("{origin}: {error}")).hint(self.again(name, app))
            })
        });
        let name = name.transpose()?;
        Ok((name, Layer { source, settings, places }))
    }

    /// What the flags alone say.
    fn settings(&self, app: &App) -> Result<Settings, CommandError> {
        let Self { sizes, availability, pods, access, network, .. } = self;
        let template = |file: &Option<PathBuf>| -> Result<Option<PodTemplate>, CommandError> {
            let Some(file) = file else { return Ok(None) };
            let text = app.read(file)?;
            PodTemplate::parse(&text).map(Some).map_err(|error| {
                CommandError::new(Exit::Error, format!("{}: {error}", file.display()))
                    .hint("kubectl explain pod.spec")
            })
        };
        let pairs = |flag, pairs: &[(String, String)]| once(flag, pairs.iter().cloned());
        let define = self.define.iter().map(|text| parse_setting(text)).collect::<Result<Vec<_>, _>>()?;
        Ok(Settings {
            image: self.image.clone(),
            flink_version: self.flink_version,
            jobmanager_memory: sizes.jobmanager_memory,
            jobmanager_cpu: sizes.jobmanager_cpu,
            jobmanager_replicas: availability.jobmanager_replicas,
            taskmanager_memory: sizes.taskmanager_memory,
            taskmanager_cpu: sizes.taskmanager_cpu,
            slots: sizes.slots,
            min_slots: sizes.min_slots,
            keep_idle_taskmanagers: sizes.keep_idle_taskmanagers,
            service_account: access.service_account.clone(),
            taskmanager_service_account: access.taskmanager_service_account.clone(),
            rbac: access.rbac.map(|rbac| match rbac {
                Rbac::Role => Grant::Role,
                Rbac::Edit => Grant::Edit,
                Rbac::EditCluster => Grant::EditCluster,
                Rbac::None => Grant::None,
            }),
            expose: access.expose.map(|expose| match expose {
                ServiceType::ClusterIp => Expose::ClusterIp,
                ServiceType::NodePort => Expose::NodePort,
                ServiceType::LoadBalancer => Expose::LoadBalancer,
            }),
            network_policy: network.network_policy.then_some(true),
            network_policy_from: network.network_policy_from.clone(),
            ha: availability.ha.clone(),
            ha_dir_is_shared: availability.ha_dir_is_shared.then_some(true),
            pod_template: template(&pods.pod_template)?,
            jobmanager_pod_template: template(&pods.jobmanager_pod_template)?,
            taskmanager_pod_template: template(&pods.taskmanager_pod_template)?,
            restricted: pods.restricted.then_some(true),
            env: pairs("--env", &pods.env)?,
            secret_env: once("--secret-env", pods.secret_env.iter().cloned())?,
            image_pull_policy: pods.image_pull_policy,
            image_pull_secrets: pods.image_pull_secret.clone(),
            node_selector: pairs("--node-selector", &pods.node_selector)?,
            tolerations: pods.toleration.clone(),
            labels: pairs("--label", &pods.label)?,
            annotations: pairs("--annotation", &pods.annotation)?,
            plugins: pods.plugin.clone(),
            log_configuration: Default::default(),
            config: once("-D", define.into_iter())?,
        })
    }
}

/// A map of pairs with different keys.
fn once<V>(
    what: &'static str,
    pairs: impl Iterator<Item = (String, V)>,
) -> Result<std::collections::BTreeMap<String, V>, InvalidSpec> {
    let mut map = std::collections::BTreeMap::new();
    for (key, value) in pairs {
        if map.insert(key.clone(), value).is_some() {
            return Err(InvalidSpec::Twice { what, key });
        }
    }
    Ok(map)
}
