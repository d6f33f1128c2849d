//! What can go wrong between here and the API server, in kubectl's words.

use std::error::Error as _;
use std::time::Duration;

use kube::client::UpgradeConnectionError;
use kube::core::Status;

use crate::net::{Fault, TooLong, chain, fault, too_long};

#[derive(Clone, Debug, thiserror::Error)]
pub enum ClusterError {
    /// No usable kubeconfig, context or credentials.
    #[error("{0}")]
    Config(String),
    #[error("The connection to the server {server} was refused - did you specify the right host or port?")]
    Refused { server: String },
    #[error("Unable to connect to the server: {cause}")]
    Unreachable { cause: String },
    /// The connection was lost, before the answer came or while it came. `times` in a row.
    #[error("Unable to connect to the server: the connection to {server} {how}{}", in_a_row(*.times))]
    Lost { server: String, how: &'static str, times: usize },
    /// Neither what was asked nor a short question after it was answered.
    #[error("Unable to connect to the server: no answer from {server} within {} s", .within.as_secs())]
    Silent { server: String, within: Duration },
    /// No credentials, from a program that was to give them.
    #[error("Unable to connect to the server: getting credentials: {0}")]
    Credentials(String),
    #[error("You must be logged in to the server ({0})")]
    Unauthorized(String),
    #[error("Error from server ({}): {}", .0.reason, .0.message)]
    Api(Box<Status>),
    #[error("Unable to connect to the server: no answer within {} s (--request-timeout)", .0.as_secs())]
    TimedOut(Duration),
    /// The time that a command has is over before its first answer.
    #[error("Unable to connect to the server: no answer within {} s (--timeout)", .0.as_secs_f32())]
    OutOfTime(Duration),
    /// An answer that is longer than any that is meant: nothing of it is used.
    #[error(transparent)]
    TooLong(#[from] TooLong),
    /// An answer that is not what the API promises.
    #[error("the server's answer cannot be read: {0}")]
    Answer(String),
}

pub type Result<T> = std::result::Result<T, ClusterError>;

impl ClusterError {
    /// Sorts `error` of a request to `server` (`host:port`).
    pub fn from_kube(error: kube::Error, server: &str) -> Self {
        if let Some(error) = too_long(&error) {
            return error.into();
        }
        match error {
            kube::Error::Api(status) if status.code == 401 => Self::Unauthorized(status.message),
            kube::Error::Api(status) => Self::Api(status),
            kube::Error::Auth(error) => Self::Config(format!("cannot get credentials: {}", chain(&error))),
            kube::Error::SerdeError(error) => Self::Answer(error.to_string()),
            // The request could not even be written: asking again would not help.
            error @ (kube::Error::BuildRequest(_) | kube::Error::HttpError(_)) => Self::Config(chain(&error)),
            kube::Error::UpgradeConnection(UpgradeConnectionError::ProtocolSwitch(status)) => {
                Self::Unreachable {
                    cause: format!(
                        "{server} does not forward ports: it answers with HTTP {}",
                        status.as_u16()
                    ),
                }
            }
            kube::Error::FromUtf8(_) => Self::Answer("it is not UTF-8".to_owned()),
            other => Self::of_connection(&other, server),
        }
    }

    /// Sorts what went wrong with a connection to `server`.
    pub(in crate::cluster) fn of_connection(error: &(dyn std::error::Error + 'static), server: &str) -> Self {
        let server = server.to_owned();
        match fault(error, &server) {
            Fault::Refused => Self::Refused { server },
            Fault::Cut(how) => Self::Lost { server, how, times: 1 },
            Fault::Other(cause) => Self::Unreachable { cause },
        }
    }

    /// An answer that ended before its end.
    pub(in crate::cluster) fn broken_off(error: &std::io::Error, server: &str) -> Self {
        if let Some(error) = too_long(error) {
            return error.into();
        }
        match Self::of_connection(error, server) {
            // Whatever it was, the rest of the answer has not come.
            Self::Lost { server, .. } => Self::cut_off(&server),
            other => other,
        }
    }

    pub(in crate::cluster) fn too_long(what: String, most: usize) -> Self {
        Self::TooLong(TooLong { what, most })
    }

    pub(in crate::cluster) fn cut_off(server: &str) -> Self {
        Self::Lost { server: server.to_owned(), how: "was lost in the middle of the answer", times: 1 }
    }

    /// True where the line is to blame: what was asked may not have arrived, or its answer not.
    pub fn is_of_the_line(&self) -> bool {
        matches!(
            self,
            Self::Refused { .. }
                | Self::Unreachable { .. }
                | Self::Lost { .. }
                | Self::Silent { .. }
                | Self::TimedOut(_)
                | Self::OutOfTime(_)
        )
    }

    /// What the server said when it refused a request to this user.
    pub(in crate::cluster) fn forbidden(message: &str) -> Self {
        Self::Api(Box::new(Status::failure(message, "Forbidden").with_code(403)))
    }

    /// The resourceVersion that a watch starts from is no longer known: what it missed, only a new list tells.
    pub fn is_expired(&self) -> bool {
        matches!(self, Self::Api(status) if status.code == 410)
    }

    /// True for what the next try may not meet, such as an API server that restarts.
    pub fn is_transient(&self) -> bool {
        match self {
            error if error.is_of_the_line() => true,
            Self::Api(status) => matches!(status.code, 429 | 500 | 502 | 503 | 504),
            _ => false,
        }
    }

    /// True when the server does not know the user, or the right: as one does that has just started.
    pub fn is_refusal(&self) -> bool {
        matches!(self, Self::Unauthorized(_)) || self.is_forbidden()
    }

    /// Also the answer for a kind that the server does not know; that one is not in JSON.
    pub fn is_not_found(&self) -> bool {
        matches!(self, Self::Api(status) if status.code == 404 || status.is_not_found())
    }

    pub fn is_forbidden(&self) -> bool {
        matches!(self, Self::Api(status) if status.is_forbidden())
    }

    pub fn is_already_exists(&self) -> bool {
        matches!(self, Self::Api(status) if status.is_already_exists())
    }

    /// Also the answer when a precondition, such as a uid, does not hold.
    pub fn is_conflict(&self) -> bool {
        matches!(self, Self::Api(status) if status.is_conflict())
    }
}

fn in_a_row(times: usize) -> String {
    if times > 1 { format!(", {times} times in a row") } else { String::new() }
}

/// Walks to the innermost source of a kubeconfig error.
pub fn config(error: kube::config::KubeconfigError) -> ClusterError {
    use kube::config::KubeconfigError as E;
    ClusterError::Config(match error {
        E::CurrentContextNotSet => "no current context is set in the kubeconfig".to_owned(),
        E::LoadContext(name) => format!("context {name:?} does not exist"),
        E::LoadClusterOfContext(name) => format!("cluster {name:?} does not exist"),
        E::ParseClusterUrl(why) => {
            format!(
                "the address of --server, or of the kubeconfig's server, is neither a URL nor host:port: {why}"
            )
        }
        E::ParseProxyUrl(why) => {
            format!("the address of the proxy, of HTTPS_PROXY or its like, is no URL: {why}")
        }
        other => match other.source() {
            Some(_) => chain(&other),
            None => other.to_string(),
        },
    })
}
