//! What can go wrong between here and the API server, in kubectl's words.

use std::error::Error as _;
use std::time::Duration;

use jiff::Timestamp;
use kube::core::Status;
use rustls::CertificateError;
use rustls::pki_types::{ServerName, UnixTime};

#[derive(Debug, thiserror::Error)]
pub enum ClusterError {
    /// No usable kubeconfig, context or credentials.
    #[error("{0}")]
    Config(String),
    #[error("The connection to the server {server} was refused - did you specify the right host or port?")]
    Refused { server: String },
    #[error("Unable to connect to the server: {cause}")]
    Unreachable { cause: String },
    /// No credentials, from a program that was to give them.
    #[error("Unable to connect to the server: getting credentials: {0}")]
    Credentials(String),
    #[error("You must be logged in to the server ({0})")]
    Unauthorized(String),
    #[error("Error from server ({}): {}", .0.reason, .0.message)]
    Api(Box<Status>),
    #[error("Unable to connect to the server: no answer within {} s (--request-timeout)", .0.as_secs())]
    TimedOut(Duration),
    /// An answer that is not what the API promises.
    #[error("the server's answer cannot be read: {0}")]
    Answer(String),
}

pub type Result<T> = std::result::Result<T, ClusterError>;

impl ClusterError {
    /// Sorts `error` of a request to `server` (`host:port`).
    pub fn from_kube(error: kube::Error, server: &str) -> Self {
        match error {
            kube::Error::Api(status) if status.code == 401 => Self::Unauthorized(status.message),
            kube::Error::Api(status) => Self::Api(status),
            kube::Error::Auth(error) => Self::Config(format!("cannot get credentials: {}", chain(&error))),
            kube::Error::SerdeError(error) => Self::Answer(error.to_string()),
            // The request could not even be written: asking again would not help.
            error @ (kube::Error::BuildRequest(_) | kube::Error::HttpError(_)) => Self::Config(chain(&error)),
            other => {
                if let Some(cause) = certificate(&other) {
                    return Self::Unreachable { cause };
                }
                let cause = chain(&other);
                if cause.contains("Connection refused") {
                    Self::Refused { server: server.to_owned() }
                } else {
                    Self::Unreachable { cause }
                }
            }
        }
    }

    /// An answer that ended before its end.
    pub(super) fn broken_off(error: &std::io::Error) -> Self {
        Self::Unreachable { cause: format!("the connection was lost: {}", chain(error)) }
    }

    /// What the server said when it refused a request to this user.
    pub(super) fn forbidden(message: &str) -> Self {
        Self::Api(Box::new(Status::failure(message, "Forbidden").with_code(403)))
    }

    /// The resourceVersion that a watch starts from is no longer known: what it missed, only a new list tells.
    pub fn is_expired(&self) -> bool {
        matches!(self, Self::Api(status) if status.code == 410)
    }

    /// True for what the next try may not meet, such as an API server that restarts.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Refused { .. } | Self::Unreachable { .. } | Self::TimedOut(_) => true,
            Self::Api(status) => matches!(status.code, 429 | 500 | 502 | 503 | 504),
            Self::Config(_) | Self::Credentials(_) | Self::Unauthorized(_) | Self::Answer(_) => false,
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

/// What is wrong with the server's certificate, in the words that kubectl has from Go (`crypto/x509`).
fn certificate(error: &(dyn std::error::Error + 'static)) -> Option<String> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(rustls::Error::InvalidCertificate(error)) = error.downcast_ref() {
            return Some(format!("tls: failed to verify certificate: x509: {}", in_words(error)));
        }
        // What an I/O error wraps is not among its sources.
        let wrapped = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
        next =
            wrapped.map(|wrapped| wrapped as &(dyn std::error::Error + 'static)).or_else(|| error.source());
    }
    None
}

fn in_words(error: &CertificateError) -> String {
    let expired = |compared: &str, time: UnixTime, limit: UnixTime| {
        let told = |time: UnixTime| {
            let seconds = i64::try_from(time.as_secs()).unwrap_or(i64::MAX);
            Timestamp::from_second(seconds).map_or_else(|_| seconds.to_string(), |time| time.to_string())
        };
        format!(
            "certificate has expired or is not yet valid: current time {} is {compared} {}",
            told(time),
            told(limit)
        )
    };
    match error {
        CertificateError::UnknownIssuer => "certificate signed by unknown authority".to_owned(),
        CertificateError::Expired | CertificateError::NotValidYet => {
            "certificate has expired or is not yet valid".to_owned()
        }
        CertificateError::ExpiredContext { time, not_after } => expired("after", *time, *not_after),
        CertificateError::NotValidYetContext { time, not_before } => expired("before", *time, *not_before),
        CertificateError::NotValidForNameContext { expected, presented } => {
            let is_address = matches!(expected, ServerName::IpAddress(_));
            let expected = expected.to_str();
            let of = |kind: &str| -> Vec<String> {
                let named = presented.iter().filter_map(|name| name.strip_prefix(kind));
                named.map(|name| name.trim_matches(['(', ')', '"']).to_owned()).collect()
            };
            match (is_address, of("IpAddress"), of("DnsName")) {
                (true, addresses, _) if addresses.is_empty() => format!(
                    "cannot validate certificate for {expected} because it doesn't contain any IP SANs"
                ),
                (false, _, names) if names.is_empty() => {
                    format!("certificate is not valid for any names, but wanted to match {expected}")
                }
                (true, names, _) | (false, _, names) => {
                    format!("certificate is valid for {}, not {expected}", names.join(", "))
                }
            }
        }
        other => other.to_string(),
    }
}

/// The messages of `error` and its sources, each part once: many libraries repeat their source.
fn chain(error: &dyn std::error::Error) -> String {
    let mut parts: Vec<String> = vec![error.to_string()];
    let mut source = error.source();
    while let Some(next) = source {
        let text = next.to_string();
        if !parts.iter().any(|part| part.contains(&text)) {
            parts.push(text);
        }
        source = next.source();
    }
    // The innermost is what happened; the outer ones name layers of the library.
    const LAYERS: [&str; 4] = ["ServiceError: ", "HyperError: ", "client error (Connect)", "auth error: "];
    let told = parts.join(": ");
    LAYERS.iter().fold(told, |text, layer| text.replace(layer, "")).trim_matches([':', ' ']).to_owned()
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
