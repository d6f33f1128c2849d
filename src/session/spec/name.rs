//! The name of a session, which is Flink's `kubernetes.cluster-id`.

use std::fmt;
use std::str::FromStr;

/// Flink 1.11 and later refuse a longer `kubernetes.cluster-id`, so that the names derived from it
/// stay within the 63 characters of a DNS label (`KubernetesConfigOptions#CLUSTER_ID`).
pub const MAX_LENGTH: usize = 45;

/// A name that Flink and Kubernetes both accept: a DNS-1035 label of at most 45 characters.
///
/// Flink itself checks the length only; the Services it creates need DNS-1035, and by the time the
/// API server says so, the Deployment exists already.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionName(String);

impl SessionName {
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The Service in front of REST, from Flink 1.11 on; in 1.10 only when it is exposed.
    pub fn rest_service(&self) -> String {
        format!("{}-rest", self.0)
    }

    /// The ConfigMap with the session's configuration and log settings.
    pub fn config_map(&self) -> String {
        format!("flink-config-{}", self.0)
    }

    /// ConfigMaps that Flink writes for some images and settings only: Hadoop and Kerberos
    /// configuration of the image, a pod template.
    pub fn further_config_maps(&self) -> [String; 3] {
        ["hadoop-config", "kerberos-krb5conf", "pod-template"].map(|kind| format!("{kind}-{}", self.0))
    }

    /// The Kubernetes Job that runs Flink's client.
    pub fn bootstrap_job(&self) -> String {
        format!("boot-{}", self.0)
    }
}

impl fmt::Display for SessionName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Why a word is no session name, with a legal one close to it.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{name:?} cannot be the name of a session: {reason}")]
pub struct InvalidName {
    pub name: String,
    pub reason: String,
    pub suggestion: Option<String>,
}

/// What an existing session may be called: Flink 1.10 checks no length, and its own default has 50
/// characters. Kubernetes allows 63 for the Service of that name.
const MAX_EXISTING_LENGTH: usize = 63;

impl SessionName {
    /// Reads the name of a session that may exist already, made by any Flink: as `ls` prints it, or
    /// `session/NAME` as `ls -o name` does.
    pub fn existing(word: &str) -> Result<Self, InvalidName> {
        Self::checked(word, MAX_EXISTING_LENGTH)
    }

    fn checked(word: &str, longest: usize) -> Result<Self, InvalidName> {
        let name = word.strip_prefix("session/").unwrap_or(word);
        let length = name.chars().count();
        let reason = if name.is_empty() {
            "it is empty".to_owned()
        } else if length > longest {
            let whose = if longest == MAX_LENGTH { "Flink" } else { "Kubernetes" };
            format!("it has {length} characters, and {whose} allows {longest}")
        } else if let Some(bad) = name.chars().find(|c| !matches!(c, 'a'..='z' | '0'..='9' | '-')) {
            format!("it may hold lower-case letters, digits and '-' only, not {bad:?}")
        } else if !name.starts_with(|c: char| c.is_ascii_lowercase()) {
            "it must start with a lower-case letter".to_owned()
        } else if name.ends_with('-') {
            "it must end with a letter or a digit".to_owned()
        } else {
            return Ok(Self(name.to_owned()));
        };
        Err(InvalidName { name: name.to_owned(), reason, suggestion: suggest(name) })
    }
}

impl FromStr for SessionName {
    type Err = InvalidName;

    /// Reads the name of a session that is to be made.
    fn from_str(word: &str) -> Result<Self, InvalidName> {
        Self::checked(word, MAX_LENGTH)
    }
}

/// What Kubernetes allows as the name of most things, such as a ServiceAccount (RFC 1123).
pub fn is_dns_subdomain(name: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-.".contains(&byte);
    let ends = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    name.len() <= 253 && name.bytes().all(allowed) && name.starts_with(ends) && name.ends_with(ends)
}

/// The nearest legal name, if one is near.
fn suggest(word: &str) -> Option<String> {
    // As kubectl names an object: KIND/NAME.
    let name = word.rsplit('/').next().unwrap_or(word);
    let mapped: String = name
        .to_lowercase()
        .chars()
        .map(|c| if matches!(c, 'a'..='z' | '0'..='9') { c } else { '-' })
        .collect();
    let cut: String =
        mapped.trim_start_matches(|c: char| !c.is_ascii_lowercase()).chars().take(MAX_LENGTH).collect();
    let legal = cut.trim_end_matches('-');
    (!legal.is_empty() && legal != word).then(|| legal.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(name: &str) -> InvalidName {
        name.parse::<SessionName>().expect_err(name)
    }

    #[test]
    fn a_dns_1035_label_of_45_characters_is_a_name() {
        for name in ["roc", "a", "a-1", &"x".repeat(45)] {
            assert_eq!(name.parse::<SessionName>().expect(name).as_str(), name);
        }
    }

    #[test]
    fn what_ls_prints_as_a_name_is_a_name() {
        assert_eq!("session/roc".parse::<SessionName>().expect("typed").as_str(), "roc");
    }

    #[test]
    fn an_existing_session_may_have_a_longer_name() {
        let random = format!("flink-cluster-{}", "0".repeat(36));
        assert!(random.parse::<SessionName>().is_err());
        assert_eq!(SessionName::existing(&random).expect("1.10's default").as_str(), random);
        assert_eq!(
            SessionName::existing(&"x".repeat(64)).expect_err("too long").reason,
            "it has 64 characters, and Kubernetes allows 63"
        );
    }

    #[test]
    fn every_refusal_says_why() {
        assert_eq!(error(&"x".repeat(46)).reason, "it has 46 characters, and Flink allows 45");
        assert_eq!(error("").reason, "it is empty");
        assert_eq!(error("1abc").reason, "it must start with a lower-case letter");
        assert_eq!(error("-abc").reason, "it must start with a lower-case letter");
        assert_eq!(error("abc-").reason, "it must end with a letter or a digit");
        assert_eq!(error("a.b").reason, "it may hold lower-case letters, digits and '-' only, not '.'");
        assert_eq!(error("Roc").reason, "it may hold lower-case letters, digits and '-' only, not 'R'");
        assert_eq!(error("röc").reason, "it may hold lower-case letters, digits and '-' only, not 'ö'");
    }

    #[test]
    fn a_refusal_suggests_a_legal_name() {
        assert_eq!(error("Roc").suggestion.as_deref(), Some("roc"));
        assert_eq!(error("my_Team.1").suggestion.as_deref(), Some("my-team-1"));
        assert_eq!(error(&"x".repeat(60)).suggestion, Some("x".repeat(45)));
        assert_eq!(error("123").suggestion, None);
        for bad in ["Roc", "9-9-a..", "_x_"] {
            let suggestion = error(bad).suggestion.expect(bad);
            assert!(suggestion.parse::<SessionName>().is_ok(), "{suggestion}");
        }
    }
}
