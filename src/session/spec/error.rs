//! What is wrong with a session that was asked for, and what to type instead.

use super::origin::Origin;
use super::version::{self, FlinkVersion};
use super::volumes::Verdict;
use crate::session::flink_config::carrier::Lost;
use crate::session::flink_config::flag_keys::Minor;
use crate::session::flink_config::keys::{self, Reading};

/// A wrong or contradictory setting.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidSpec {
    #[error("{what} {text:?} is not {form}")]
    Form { what: &'static str, text: String, form: &'static str },
    #[error("{what} {key} is given twice")]
    Twice { what: &'static str, key: String },
    #[error("{key} cannot be set: {owner} decides it")]
    Owned { key: Origin, owner: &'static str },
    #[error("{key} and {other} set the same thing")]
    Contradiction { key: Origin, other: String },
    #[error(
        "{shorter} and {longer} cannot both be set: from Flink 1.19 on, one of two keys is lost when it is the beginning of the other"
    )]
    Prefix { shorter: Origin, longer: String, longer_key: String },
    #[error("{key} cannot be set: Flink {since} and later lose it, since they ship {shipped}")]
    ShippedPrefix { key: Origin, shipped: &'static str, since: &'static str },
    #[error("{key} is no setting of Flink's")]
    Mistyped { key: Origin, meant: &'static str },
    #[error("{key} is not read by Flink {version}: {read_by}")]
    Unread { key: Origin, version: String, read_by: String },
    #[error("{key}: {problem}")]
    Value { key: Origin, problem: String },
    #[error("{}{problem}", if setting.is_command_line() { String::new() } else { format!("{setting}: ") })]
    Memory { setting: Origin, problem: String },
    #[error("{setting}: {value:?} {problem}")]
    Flag { setting: Origin, value: String, problem: String },
    #[error("{}Flink {version} has no native Kubernetes sessions: they came with {oldest}", setting.prefix(), oldest = version::OLDEST)]
    TooOld { setting: Origin, version: FlinkVersion },
    #[error("{}image {image} has Flink {tag} by its tag, and {} says {said}", setting.prefix(), setting.name())]
    VersionsDiffer { setting: Origin, image: String, tag: FlinkVersion, said: FlinkVersion },
    #[error("{setting} needs Flink {}.{} or later, and this is Flink {version}", needs.0, needs.1)]
    Unsupported { setting: Origin, needs: Minor, version: FlinkVersion },
    #[error("{setting} takes {size} KiB, and an argument of Flink's client at most 128 KiB")]
    TooLongAnArgument { setting: Origin, size: usize },
    #[error(
        "the settings take {size} KiB, and the bootstrap Job holds at most {most} KiB; the largest is {setting} with {largest} KiB"
    )]
    TooLarge { setting: Origin, largest: usize, size: usize, most: usize },
    #[error("{}{}: {}", lost.place(), of_version(lost.needs, *version), lost.problem)]
    Lost { lost: Box<Lost>, version: Option<FlinkVersion> },
    #[error(
        "{setting} {replicas} needs {}: without it, each JobManager would be a session of its own",
        if setting.is_command_line() { "--ha DIR" } else { "high availability" }
    )]
    ReplicasWithoutHa { setting: Origin, replicas: u16 },
    #[error("{0} needs a directory for the state of jobs")]
    NoHaDirectory(Origin),
    #[error("{setting} {directory} {}", verdict.problem().unwrap_or_default())]
    LocalHa { setting: Origin, directory: Box<str>, verdict: Box<Verdict> },
    #[error("{setting} {directory} needs a file system that image {image} brings along and leaves off")]
    NoFileSystem { setting: Origin, directory: Box<str>, image: Box<str>, plugin: &'static str },
}

/// What version a setting needs that `version` loses; that it cannot be set where none holds it.
fn of_version(needs: Option<Minor>, version: Option<FlinkVersion>) -> String {
    match (needs, version) {
        (Some((major, minor)), Some(version)) => {
            format!(" needs Flink {major}.{minor} or later, and this is Flink {version}")
        }
        (Some((major, minor)), None) => format!(" needs Flink {major}.{minor} or later"),
        (None, _) => " cannot be set".to_owned(),
    }
}

impl InvalidSpec {
    /// What to type instead.
    pub fn hint(&self) -> String {
        match self {
            Self::Mistyped { meant, .. } => {
                format!("did you mean {meant}? --unchecked-config takes a key that this program does not know")
            }
            Self::Memory { .. } => {
                "--jobmanager-memory, --taskmanager-memory; --unchecked-config leaves it to Flink".to_owned()
            }
            Self::Unread { .. } | Self::Value { .. } => "--unchecked-config leaves it to Flink".to_owned(),
            Self::TooLongAnArgument { .. } | Self::TooLarge { .. } => {
                "put large files into the image, or into a ConfigMap that a pod template mounts".to_owned()
            }
            Self::Lost { lost, version } => lost.hint(version.map(FlinkVersion::minor)),
            Self::Contradiction { .. } => "leave one of them out".to_owned(),
            Self::VersionsDiffer { setting, .. } => format!("leave {} out, or name another image", setting.name()),
            Self::Prefix { longer_key, .. } => match keys::reading(longer_key, version::NEWEST.minor()) {
                Reading::Renamed(name) => format!("newer versions call the longer one {name}"),
                _ => "leave one of them out".to_owned(),
            },
            Self::ShippedPrefix { .. } => {
                "-Denv.java.opts.jobmanager=... and -Denv.java.opts.taskmanager=... work in every version".to_owned()
            }
            Self::ReplicasWithoutHa { .. } => "--ha s3://BUCKET/DIRECTORY, or another directory that all pods reach".to_owned(),
            Self::NoHaDirectory(setting) if setting.is_command_line() => {
                "--ha DIR in its place turns it on, with a directory".to_owned()
            }
            Self::NoHaDirectory(_) => "high-availability.storageDir names it, and so does --ha DIR".to_owned(),
            Self::LocalHa { verdict, .. } if matches!(**verdict, Verdict::ReadOnly(_)) => {
                "name a directory that all pods can write to".to_owned()
            }
            Self::LocalHa { .. } => {
                "name a directory that all pods reach; --ha-dir-is-shared says that this one is a shared volume".to_owned()
            }
            Self::NoFileSystem { plugin, .. } => {
                format!("--plugin {plugin} turns it on")
            }
            Self::Unsupported { needs: (major, minor), .. } => {
                format!(
                    "name an image with Flink {major}.{minor} or later (--image); without --image, \
                     --flink-version {major}.{minor} does"
                )
            }
            _ => "kubectl flink create --help".to_owned(),
        }
    }
}
