//! What is wrong with a session that was asked for, and what to type instead.

use super::dialect::Unsupported;
use super::keys::{self, Reading};
use super::settings::Source;
use super::version::{self, FlinkVersion};

/// A wrong or contradictory setting.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidSpec {
    #[error("{what} {text:?} is not {form}")]
    Form { what: &'static str, text: String, form: &'static str },
    #[error("{what} {key} is given twice")]
    Twice { what: &'static str, key: String },
    #[error("-D {key} cannot be set{source_}: {owner} decides it")]
    Owned { key: String, owner: &'static str, source_: Source },
    #[error("-D {key} and {flag} set the same thing{source_}")]
    Contradiction { key: String, flag: &'static str, source_: Source },
    #[error("-D {first} and -D {second} set the same thing")]
    SameThing { first: String, second: String },
    #[error(
        "-D {shorter} and -D {longer} cannot both be set: from Flink 1.19 on, one of two keys is lost when it is the beginning of the other"
    )]
    Prefix { shorter: String, longer: String },
    #[error("-D {key} cannot be set: Flink {since} and later lose it, since they ship {shipped}")]
    ShippedPrefix { key: String, shipped: &'static str, since: &'static str },
    #[error("-D {key} is no setting of Flink's{source_}")]
    Mistyped { key: String, meant: &'static str, source_: Source },
    #[error("-D {key} is not read by Flink {version}{source_}: {read_by}")]
    Unread { key: String, version: String, read_by: String, source_: Source },
    #[error("-D {key}{source_}: {problem}")]
    Value { key: String, problem: String, source_: Source },
    #[error("{0}")]
    Memory(String),
    #[error("{flag}{source_}: {value:?} {problem}")]
    Flag { flag: &'static str, value: String, problem: String, source_: Source },
    #[error("Flink {0} has no native Kubernetes sessions: they came with {oldest}", oldest = version::OLDEST)]
    TooOld(FlinkVersion),
    #[error("image {image} has Flink {tag} by its tag, and --flink-version says {said}")]
    VersionsDiffer { image: String, tag: FlinkVersion, said: FlinkVersion },
    #[error("{unsupported}, and this is Flink {version}")]
    Unsupported { unsupported: Unsupported, version: FlinkVersion },
    #[error(
        "--jobmanager-replicas {0} needs --ha DIR: without it, each JobManager would be a session of its own"
    )]
    ReplicasWithoutHa(u16),
    #[error("-D {0} needs a directory for the state of jobs")]
    NoHaDirectory(String),
    #[error("--ha {0} is a directory of each pod's own: nobody else can read it, and it goes with the pod")]
    LocalHa(String),
    #[error("--ha {directory} needs a file system that image {image} brings along and leaves off")]
    NoFileSystem { directory: String, image: String, plugin: &'static str },
}

impl InvalidSpec {
    /// What to type instead.
    pub fn hint(&self) -> String {
        match self {
            Self::Mistyped { meant, .. } => {
                format!("did you mean {meant}? --unchecked-config takes a key that this program does not know")
            }
            Self::Memory(_) => {
                "--jobmanager-memory, --taskmanager-memory; --unchecked-config leaves it to Flink".to_owned()
            }
            Self::Unread { .. } | Self::Value { .. } => "--unchecked-config leaves it to Flink".to_owned(),
            Self::SameThing { .. } | Self::Contradiction { .. } => "leave one of them out".to_owned(),
            Self::VersionsDiffer { .. } => "leave --flink-version out, or name another image".to_owned(),
            Self::Prefix { longer, .. } => match keys::reading(longer, version::NEWEST.minor()) {
                Reading::Renamed(name) => format!("newer versions call the longer one {name}"),
                _ => "leave one of them out".to_owned(),
            },
            Self::ShippedPrefix { .. } => {
                "-Denv.java.opts.jobmanager=... and -Denv.java.opts.taskmanager=... work in every version".to_owned()
            }
            Self::ReplicasWithoutHa(_) => "--ha s3://BUCKET/DIRECTORY, or another directory that all pods reach".to_owned(),
            Self::NoHaDirectory(_) => "--ha DIR in its place turns it on, with a directory".to_owned(),
            Self::LocalHa(_) => {
                "name a directory that all pods reach; --ha-dir-is-shared says that this one is a shared volume".to_owned()
            }
            Self::NoFileSystem { plugin, .. } => {
                format!("--plugin {plugin} turns it on")
            }
            Self::Unsupported { unsupported, .. } => {
                let (major, minor) = unsupported.needs;
                format!(
                    "name an image with Flink {major}.{minor} or later (--image); without --image, \
                     --flink-version {major}.{minor} does"
                )
            }
            _ => "kubectl flink create --help".to_owned(),
        }
    }
}
