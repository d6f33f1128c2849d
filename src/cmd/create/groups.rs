//! Flags of `create` that belong together, each group with its heading in the help.

use std::path::PathBuf;
use std::str::FromStr;

use clap::ValueEnum;

use crate::cmd::number;
use crate::cmd::word::Word;
use crate::session::manifest::network_policy::Peer;
use crate::session::spec::quantity::{Cpu, Memory, Period};
use crate::session::spec::scheduling::Toleration;
use crate::session::spec::settings::{PullPolicy, SecretKey};

#[derive(clap::Args)]
#[command(next_help_heading = "Sizes")]
pub struct Sizes {
    /// Memory of the JobManager's container, such as 1600m or 2g [default: 1600m]
    #[arg(long, value_name = "SIZE")]
    pub jobmanager_memory: Option<Memory>,

    /// CPU of the JobManager's container, such as 0.5 or 500m [default: Flink's, 1]
    #[arg(long, value_name = "CORES")]
    pub jobmanager_cpu: Option<Cpu>,

    /// Memory of each TaskManager's container [default: 1728m]
    #[arg(long, value_name = "SIZE")]
    pub taskmanager_memory: Option<Memory>,

    /// CPU of each TaskManager's container [default: Flink's, one a slot]
    #[arg(long, value_name = "CORES")]
    pub taskmanager_cpu: Option<Cpu>,

    /// Task slots of each TaskManager [default: Flink's, 1]
    #[arg(long, value_name = "NUMBER", value_parser = number::within(1..=u16::MAX))]
    pub slots: Option<u16>,

    /// Slots that are there before a job asks for them (Flink 1.19 and later)
    #[arg(long, value_name = "NUMBER", value_parser = number::within(1..=u32::MAX))]
    pub min_slots: Option<u32>,

    /// How long a TaskManager without work is kept [default: Flink's, 30s]
    #[arg(long, value_name = "DURATION")]
    pub keep_idle_taskmanagers: Option<Period>,
}

#[derive(clap::Args)]
#[command(next_help_heading = "High availability")]
pub struct Availability {
    /// Keep jobs when the JobManager is lost: directory for their state that all pods reach, such as s3://bucket/ha (1.12)
    #[arg(long, value_name = "DIR")]
    pub ha: Option<String>,

    /// DIR of --ha is a volume that every pod mounts
    #[arg(long)]
    pub ha_dir_is_shared: bool,

    /// JobManagers that run; more than one needs --ha (1.14)
    #[arg(long, value_name = "NUMBER", value_parser = number::within(1..=u16::MAX))]
    pub jobmanager_replicas: Option<u16>,

    /// Bring the jobs back that an earlier session of this name left behind
    #[arg(long)]
    pub reuse_ha: bool,
}

#[derive(clap::Args)]
#[command(next_help_heading = "Pods")]
pub struct Pods {
    /// Meet the Pod Security level "restricted" (1.13)
    #[arg(long)]
    pub restricted: bool,

    /// Environment variable of JobManager and TaskManagers; may be repeated
    #[arg(long, value_name = "NAME=VALUE", value_parser = pair)]
    pub env: Vec<(String, String)>,

    /// Environment variable with the value of a Secret's key; may be repeated (1.12)
    #[arg(long, value_name = "NAME=SECRET:KEY", value_parser = secret_key)]
    pub secret_env: Vec<(String, SecretKey)>,

    /// Plugin of the image, such as s3-fs-hadoop, for both roles; may be repeated (1.12)
    #[arg(long, value_name = "NAME")]
    pub plugin: Vec<String>,

    /// Secret with the credentials for the image's registry; may be repeated (1.11)
    #[arg(long, value_name = "SECRET")]
    pub image_pull_secret: Vec<String>,

    /// When to pull the image [default: Flink's, IfNotPresent]
    #[arg(long, value_name = "POLICY", value_parser = pull_policy, add = Word::OneOf(&PullPolicy::NAMES))]
    pub image_pull_policy: Option<PullPolicy>,

    /// Label that nodes must have; may be repeated (1.11)
    #[arg(long, value_name = "KEY=VALUE", value_parser = pair)]
    pub node_selector: Vec<(String, String)>,

    /// Taint that is tolerated, as kubectl taint writes it; may be repeated (1.11)
    #[arg(long, value_name = "KEY[=VALUE][:EFFECT]")]
    pub toleration: Vec<Toleration>,

    /// Label of Deployment and pods; may be repeated (1.11)
    #[arg(long, value_name = "KEY=VALUE", value_parser = pair)]
    pub label: Vec<(String, String)>,

    /// Annotation of Deployment and pods; may be repeated (1.11)
    #[arg(long, value_name = "KEY=VALUE", value_parser = pair)]
    pub annotation: Vec<(String, String)>,

    /// Pod manifest to start from, for both roles; Flink's container in it is flink-main-container (1.13)
    #[arg(long, value_name = "FILE")]
    pub pod_template: Option<PathBuf>,

    /// The same for the JobManager alone, over --pod-template
    #[arg(long, value_name = "FILE")]
    pub jobmanager_pod_template: Option<PathBuf>,

    /// The same for the TaskManagers alone, over --pod-template
    #[arg(long, value_name = "FILE")]
    pub taskmanager_pod_template: Option<PathBuf>,
}

#[derive(clap::Args)]
#[command(next_help_heading = "Access")]
pub struct Access {
    /// ServiceAccount of the session's pods [default: flink]
    #[arg(long, value_name = "NAME")]
    pub service_account: Option<String>,

    /// ServiceAccount of the TaskManagers (1.12) [default: flink-taskmanager, which has no permissions; with high
    /// availability and --rbac=none that of the session]
    #[arg(long, value_name = "NAME")]
    pub taskmanager_service_account: Option<String>,

    /// Permissions to give to the ServiceAccount where it lacks them [default: role]
    #[arg(long, value_enum)]
    pub rbac: Option<Rbac>,

    /// Type of the Service in front of REST [default: ClusterIP]. REST has no login: anyone who reaches it can run code
    #[arg(long, value_enum, value_name = "TYPE")]
    pub expose: Option<ServiceType>,
}

/// Who reaches the session's pods.
#[derive(clap::Args)]
#[command(next_help_heading = "Access")]
pub struct Network {
    /// Let only the session's own pods connect to its pods: makes a NetworkPolicy, which the cluster's network plugin has to
    /// enforce
    #[arg(long)]
    pub network_policy: bool,

    /// The same, and let this peer connect to REST, too; may be repeated: cidr:10.0.0.0/8, namespace:NAME,
    /// pods:KEY=VALUE,... or namespace:NAME/pods:KEY=VALUE,...
    #[arg(long, value_name = "PEER")]
    pub network_policy_from: Vec<Peer>,
}

#[derive(Clone, Copy, ValueEnum)]
pub enum Rbac {
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
pub enum ServiceType {
    #[value(name = "ClusterIP")]
    ClusterIp,
    #[value(name = "NodePort")]
    NodePort,
    #[value(name = "LoadBalancer")]
    LoadBalancer,
}

fn pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err("say it as KEY=VALUE".to_owned()),
    }
}

fn secret_key(text: &str) -> Result<(String, SecretKey), String> {
    let (name, of) = pair(text).map_err(|_| "say it as NAME=SECRET:KEY".to_owned())?;
    SecretKey::from_str(&of).map(|of| (name, of))
}

fn pull_policy(text: &str) -> Result<PullPolicy, String> {
    PullPolicy::from_str(text)
}
