//! A session written down as a FlinkDeployment, the manifest of Flink's Kubernetes operator.
//!
//! Owns what each field of it means for a session, both ways. Pure: text and values in, values out; no
//! operator is ever asked. Fields as in `FlinkDeploymentSpec` of the operator's 1.x releases.

mod config;
mod documents;
mod from_running;
mod operator;
mod parse;
mod render;
mod role;
mod session_job;
mod structured;

#[cfg(test)]
pub(in crate::session) use crate::session::flinkdeployment::from_running::flat;
pub use crate::session::flinkdeployment::from_running::{Live, of_live, take_settings};
pub use crate::session::flinkdeployment::parse::read;
pub use crate::session::flinkdeployment::render::of_spec;
pub use documents::{Context, Other};
pub use operator::OperatorVersion;

use crate::session::spec::origin::Places;
use crate::session::spec::settings::Settings;
use crate::session::text::yaml::YamlError;

const API_VERSION: &str = "flink.apache.org/v1beta1";
const KIND: &str = "FlinkDeployment";

/// Annotations below this are the plugin's own.
const OWN_ANNOTATIONS: &str = "kubectl-flink/";
/// Annotation with the plugins of the image, where the names of their jars are not known.
const PLUGINS: &str = "kubectl-flink/plugins";
/// Annotation with who reaches REST through the NetworkPolicy of the session; it is there if the session has one.
const NETWORK_POLICY: &str = "kubectl-flink/network-policy";
/// The variable with which the official images are told which of their plugins to turn on.
const ENABLE_PLUGINS: &str = "ENABLE_BUILT_IN_PLUGINS";

/// What a manifest says.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Manifest {
    pub name: Option<String>,
    pub namespace: Option<String>,
    pub settings: Settings,
    /// Where each setting stands in the manifest; its name is `NAME`.
    pub places: Places,
    /// What the manifest says and a session has no use for, in sentences.
    pub notes: Vec<String>,
    /// The other documents of the file.
    pub others: Vec<Other>,
}

/// Why a text is no manifest of a session.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidManifest {
    #[error("there is nothing in it: a FlinkDeployment should be")]
    Empty,
    #[error("it has several sessions: {sessions}")]
    SeveralSessions { sessions: String },
    #[error("it has no session {name}, but {sessions}")]
    NoSuchSession { name: String, sessions: String },
    #[error(transparent)]
    Yaml(#[from] YamlError),
    /// With the place of `spec.job`.
    #[error(transparent)]
    Application(YamlError),
}

#[cfg(test)]
mod tests;
