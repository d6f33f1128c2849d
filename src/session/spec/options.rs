//! Settings that are a word, or a pair of words.

use std::fmt;
use std::str::FromStr;

use super::name::is_dns_subdomain;

/// How REST is reachable from outside the cluster; the type of the Service in front of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expose {
    ClusterIp,
    NodePort,
    LoadBalancer,
}

impl Expose {
    pub const ALL: [Self; 3] = [Self::ClusterIp, Self::NodePort, Self::LoadBalancer];

    /// The word that Kubernetes and Flink both use.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ClusterIp => "ClusterIP",
            Self::NodePort => "NodePort",
            Self::LoadBalancer => "LoadBalancer",
        }
    }
}

/// When the kubelet pulls an image; Kubernetes' own words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PullPolicy {
    IfNotPresent,
    Always,
    Never,
}

impl PullPolicy {
    pub const ALL: [Self; 3] = [Self::IfNotPresent, Self::Always, Self::Never];

    pub const NAMES: [&str; 3] = [Self::IfNotPresent.as_str(), Self::Always.as_str(), Self::Never.as_str()];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::IfNotPresent => "IfNotPresent",
            Self::Always => "Always",
            Self::Never => "Never",
        }
    }
}

/// A key of a Secret, as the value of an environment variable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecretKey {
    pub secret: String,
    pub key: String,
}

impl fmt::Display for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.secret, self.key)
    }
}

impl FromStr for SecretKey {
    type Err = String;

    /// `SECRET:KEY`.
    fn from_str(text: &str) -> Result<Self, String> {
        let legal = |key: &str| {
            !key.is_empty() && key.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
        };
        match text.split_once(':') {
            Some((secret, key)) if is_dns_subdomain(secret) && legal(key) => {
                Ok(Self { secret: secret.to_owned(), key: key.to_owned() })
            }
            _ => Err(format!("{text:?} is no key of a Secret: say SECRET:KEY")),
        }
    }
}

impl FromStr for PullPolicy {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|policy| policy.as_str() == text);
        found.ok_or_else(|| format!("{text:?} is no pull policy: say IfNotPresent, Always or Never"))
    }
}

impl FromStr for Expose {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|expose| expose.as_str() == text);
        found.ok_or_else(|| {
            format!("{text:?} is no type of Service for REST: say ClusterIP, NodePort or LoadBalancer")
        })
    }
}
