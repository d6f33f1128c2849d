//! The flags of `create`, and the session that they ask for.

use std::time::Duration;

use clap::ValueEnum;

use crate::app::{CommandError, duration};
use crate::exit::Exit;
use crate::session::quantity::{Cpu, Memory};
use crate::session::rbac::Grant;
use crate::session::spec::{Expose, parse_setting};
use crate::session::{FlinkVersion, SessionName, SessionSpec, version};

#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  # A session with the newest Flink
  kubectl flink create roc

  # Flink 1.20, bigger TaskManagers, in a namespace of its own
  kubectl flink create roc --flink-version 1.20 --taskmanager-memory 4g --slots 4 -n team-a --create-namespace

  # An image of your own, and any setting of Flink's
  kubectl flink create roc --image registry.example/flink:mine -Dstate.savepoints.dir=s3://bucket/savepoints")]
pub struct Args {
    /// Name of the session (Flink's kubernetes.cluster-id): lower-case letters, digits and '-', at most 45
    pub name: String,

    /// Image to run; must hold Flink 1.10 or later. The settings follow the Flink that is in it, whatever its tag says
    /// [default: flink:2.3.0, or flink:VERSION with --flink-version]
    #[arg(long)]
    image: Option<String>,

    /// Flink version to run, such as 1.20 or 2.3.0; with --image, the version that the image must have
    #[arg(long, value_name = "VERSION")]
    flink_version: Option<FlinkVersion>,

    /// A setting of Flink's; may be repeated
    #[arg(short = 'D', value_name = "KEY=VALUE")]
    define: Vec<String>,

    /// Memory of the JobManager's container, such as 1600m or 2g [default: 1600m]
    #[arg(long, value_name = "SIZE")]
    jobmanager_memory: Option<Memory>,

    /// CPU of the JobManager's container, such as 0.5 or 500m [default: Flink's, 1]
    #[arg(long, value_name = "CORES")]
    jobmanager_cpu: Option<Cpu>,

    /// Memory of each TaskManager's container [default: 1728m]
    #[arg(long, value_name = "SIZE")]
    taskmanager_memory: Option<Memory>,

    /// CPU of each TaskManager's container [default: Flink's, one a slot]
    #[arg(long, value_name = "CORES")]
    taskmanager_cpu: Option<Cpu>,

    /// Task slots of each TaskManager [default: Flink's, 1]
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u16).range(1..))]
    slots: Option<u16>,

    /// ServiceAccount of the session's pods
    #[arg(long, value_name = "NAME", default_value = "flink")]
    pub service_account: String,

    /// Permissions to give to the ServiceAccount where it lacks them
    #[arg(long, value_enum, default_value = "role")]
    rbac: Rbac,

    /// Create the namespace if it does not exist
    #[arg(long)]
    pub create_namespace: bool,

    /// Type of the Service in front of REST. REST has no login: anyone who reaches it can run code
    #[arg(long, value_enum, value_name = "TYPE", default_value = "ClusterIP")]
    expose: ServiceType,

    /// Wait until REST answers
    #[arg(long, value_name = "BOOL", default_value_t = true, num_args = 0..=1, require_equals = true,
          default_missing_value = "true", action = clap::ArgAction::Set)]
    pub wait: bool,

    /// Longest wait, such as 90s or 5m
    #[arg(long, value_name = "DURATION", default_value = "5m", value_parser = duration::parse)]
    pub timeout: Duration,
}

#[derive(Clone, Copy, ValueEnum)]
enum Rbac {
    /// A Role with the least rights, in the namespace
    Role,
    /// The ClusterRole edit, in the namespace
    Edit,
    /// The ClusterRole edit in every namespace, as the Flink documentation has it
    EditCluster,
    /// Nothing: the ServiceAccount is used as it is
    None,
}

#[derive(Clone, Copy, ValueEnum)]
enum ServiceType {
    #[value(name = "ClusterIP")]
    ClusterIp,
    #[value(name = "NodePort")]
    NodePort,
    #[value(name = "LoadBalancer")]
    LoadBalancer,
}

impl Args {
    /// The session that was asked for; refuses what cannot be right before anything is asked of a
    /// cluster.
    pub fn spec(&self) -> Result<SessionSpec, CommandError> {
        let name: SessionName = self.name.parse()?;
        let config = self.define.iter().map(|text| parse_setting(text)).collect::<Result<Vec<_>, _>>()?;
        let image = match (&self.image, self.flink_version) {
            (Some(image), _) if image.trim().is_empty() => {
                return Err(
                    CommandError::new(Exit::Error, "--image is empty").hint("kubectl flink create --help")
                );
            }
            (Some(image), _) => image.clone(),
            (None, Some(version)) => format!("flink:{version}"),
            (None, None) => version::DEFAULT_IMAGE.to_owned(),
        };
        let spec = SessionSpec {
            name,
            image,
            expected_version: self.flink_version,
            jobmanager_memory: self.jobmanager_memory,
            jobmanager_cpu: self.jobmanager_cpu,
            taskmanager_memory: self.taskmanager_memory,
            taskmanager_cpu: self.taskmanager_cpu,
            slots: self.slots,
            service_account: self.service_account.clone(),
            expose: match self.expose {
                ServiceType::ClusterIp => Expose::ClusterIp,
                ServiceType::NodePort => Expose::NodePort,
                ServiceType::LoadBalancer => Expose::LoadBalancer,
            },
            config,
        };
        spec.check()?;
        if !self.wait && spec.expose != Expose::ClusterIp {
            return Err(CommandError::new(
                Exit::Error,
                "--expose needs --wait: the Service gets its type once the session is there",
            )
            .hint("kubectl flink create --help"));
        }
        Ok(spec)
    }

    pub fn grant(&self) -> Grant {
        match self.rbac {
            Rbac::Role => Grant::Role,
            Rbac::Edit => Grant::Edit,
            Rbac::EditCluster => Grant::EditCluster,
            Rbac::None => Grant::None,
        }
    }
}
