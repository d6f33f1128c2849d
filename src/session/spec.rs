//! What a session should be: every setting of `create`, resolved.

use super::dialect::{self, Dialect};
use super::name::SessionName;
use super::quantity::{Cpu, Memory};
use super::version::{self, FlinkVersion};

/// How REST is reachable from outside the cluster; the type of the Service in front of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expose {
    ClusterIp,
    NodePort,
    LoadBalancer,
}

impl Expose {
    /// The word that Kubernetes and Flink both use.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ClusterIp => "ClusterIP",
            Self::NodePort => "NodePort",
            Self::LoadBalancer => "LoadBalancer",
        }
    }
}

/// Everything that `create` needs to know. Unset sizes are Flink's own business, unless Flink has
/// no default of its own.
#[derive(Clone, Debug)]
pub struct SessionSpec {
    pub name: SessionName,
    pub image: String,
    /// The version that the user said the image has; checked in the cluster against the image.
    pub expected_version: Option<FlinkVersion>,
    pub jobmanager_memory: Option<Memory>,
    pub jobmanager_cpu: Option<Cpu>,
    pub taskmanager_memory: Option<Memory>,
    pub taskmanager_cpu: Option<Cpu>,
    /// Task slots of each TaskManager.
    pub slots: Option<u16>,
    pub service_account: String,
    pub expose: Expose,
    /// The user's own `-D` settings, in the order given.
    pub config: Vec<(String, String)>,
}

/// A wrong or contradictory setting.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidSpec {
    #[error("-D {0:?} is not KEY=VALUE")]
    NotKeyValue(String),
    #[error("-D {0} is given twice")]
    Twice(String),
    #[error("-D {key} cannot be set: {flag} decides it")]
    Owned { key: String, flag: &'static str },
    #[error("-D {key} and {flag} set the same thing")]
    Contradiction { key: String, flag: &'static str },
    #[error("{0:?} cannot be the name of a ServiceAccount")]
    ServiceAccount(String),
    #[error("Flink {0} has no native Kubernetes sessions: they came with {oldest}", oldest = version::OLDEST)]
    TooOld(FlinkVersion),
    #[error("image {image} has Flink {tag} by its tag, and --flink-version says {said}")]
    VersionsDiffer { image: String, tag: FlinkVersion, said: FlinkVersion },
}

/// Flink 1.10's own default; its shipped 1024m leaves the JobManager 424 MiB of heap.
const JOBMANAGER_MEMORY: &str = "1600m";
const TASKMANAGER_MEMORY: &str = "1728m";

impl SessionSpec {
    /// Refuses what cannot be right in any version, before anything is asked of the cluster.
    pub fn check(&self) -> Result<(), InvalidSpec> {
        if !is_dns_subdomain(&self.service_account) {
            return Err(InvalidSpec::ServiceAccount(self.service_account.clone()));
        }
        let tag = FlinkVersion::from_image_tag(&self.image);
        if let Some(old) =
            [self.expected_version, tag].into_iter().flatten().find(|v| v.is_before(version::OLDEST))
        {
            return Err(InvalidSpec::TooOld(old));
        }
        if let (Some(tag), Some(said)) = (tag, self.expected_version)
            && (tag.major, tag.minor) != (said.major, said.minor)
        {
            return Err(InvalidSpec::VersionsDiffer { image: self.image.clone(), tag, said });
        }
        for (index, (key, _)) in self.config.iter().enumerate() {
            if self.config[..index].iter().any(|(earlier, _)| earlier == key) {
                return Err(InvalidSpec::Twice(key.clone()));
            }
            if let Some(flag) = dialect::owner_of(key) {
                return Err(InvalidSpec::Owned { key: key.clone(), flag });
            }
            if let Some(flag) = self.flag_that_contradicts(key) {
                return Err(InvalidSpec::Contradiction { key: key.clone(), flag });
            }
        }
        Ok(())
    }

    fn flag_that_contradicts(&self, key: &str) -> Option<&'static str> {
        let newest = Dialect::of(version::NEWEST)?;
        let given = [
            (self.jobmanager_memory.is_some(), newest.jobmanager_memory, "--jobmanager-memory"),
            (self.jobmanager_cpu.is_some(), newest.jobmanager_cpu, "--jobmanager-cpu"),
            (self.taskmanager_memory.is_some(), dialect::TASKMANAGER_MEMORY, "--taskmanager-memory"),
            (self.taskmanager_cpu.is_some(), newest.taskmanager_cpu, "--taskmanager-cpu"),
            (self.slots.is_some(), dialect::TASK_SLOTS, "--slots"),
        ];
        given
            .into_iter()
            .find(|(is_given, setting, _)| *is_given && dialect::synonyms(setting).contains(&key))
            .map(|(_, _, flag)| flag)
    }

    /// The version to expect by what the user typed: the flag, else the image's tag.
    pub fn version_hint(&self) -> Option<FlinkVersion> {
        self.expected_version.or_else(|| FlinkVersion::from_image_tag(&self.image))
    }

    /// Flink's settings in `dialect` for a session in `namespace`, the user's own last.
    pub fn settings(&self, dialect: &Dialect, namespace: &str) -> Vec<(String, String)> {
        let exposed = if dialect.exposes_by_itself { self.expose } else { Expose::ClusterIp };
        let or = |set: Option<String>, default: &str| Some(set.unwrap_or_else(|| default.to_owned()));
        let text = |set: &dyn std::fmt::Display| Some(set.to_string());
        let own: [(&str, Option<String>); 11] = [
            (dialect::CLUSTER_ID, text(&self.name)),
            (dialect::NAMESPACE, text(&namespace)),
            (dialect.image, text(&self.image)),
            (dialect.service_account, text(&self.service_account)),
            // Flink's default was LoadBalancer up to 1.14: a session open to the world.
            (dialect::EXPOSED_TYPE, text(&exposed.as_str())),
            (dialect.jobmanager_memory, or(self.jobmanager_memory.map(|m| m.to_string()), JOBMANAGER_MEMORY)),
            (dialect.jobmanager_cpu, self.jobmanager_cpu.map(|c| c.to_string())),
            (
                dialect::TASKMANAGER_MEMORY,
                or(self.taskmanager_memory.map(|m| m.to_string()), TASKMANAGER_MEMORY),
            ),
            (dialect.taskmanager_cpu, self.taskmanager_cpu.map(|c| c.to_string())),
            (dialect::TASK_SLOTS, self.slots.map(|s| s.to_string())),
            (dialect::ATTACHED, Some("false".to_owned())),
        ];
        let set_by_user = |key: &str| {
            let synonyms = dialect::synonyms(key);
            self.config.iter().any(|(own, _)| own == key || synonyms.contains(&own.as_str()))
        };
        own.into_iter()
            .filter_map(|(key, value)| value.map(|value| (key.to_owned(), value)))
            .filter(|(key, _)| !set_by_user(key))
            .chain(self.config.iter().cloned())
            .collect()
    }
}

/// What Kubernetes allows as the name of a ServiceAccount (RFC 1123).
fn is_dns_subdomain(name: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-.".contains(&byte);
    let ends = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    name.len() <= 253 && name.bytes().all(allowed) && name.starts_with(ends) && name.ends_with(ends)
}

/// Splits `KEY=VALUE`; the value may hold `=` and may be empty, the key may not.
pub fn parse_setting(text: &str) -> Result<(String, String), InvalidSpec> {
    match text.split_once('=') {
        Some((key, value)) if !key.trim().is_empty() && !key.contains(char::is_whitespace) => {
            Ok((key.to_owned(), value.to_owned()))
        }
        _ => Err(InvalidSpec::NotKeyValue(text.to_owned())),
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::session::dialect::DIALECTS;

    pub(crate) fn spec() -> SessionSpec {
        SessionSpec {
            name: "roc".parse().expect("name"),
            image: "flink:2.3.0".to_owned(),
            expected_version: None,
            jobmanager_memory: None,
            jobmanager_cpu: None,
            taskmanager_memory: None,
            taskmanager_cpu: None,
            slots: None,
            service_account: "flink".to_owned(),
            expose: Expose::ClusterIp,
            config: Vec::new(),
        }
    }

    fn config(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
    }

    fn value(settings: &[(String, String)], key: &str) -> Option<String> {
        settings.iter().find(|(k, _)| k == key).map(|(_, v)| v.clone())
    }

    #[test]
    fn settings_of_every_dialect() {
        let full = SessionSpec {
            jobmanager_memory: Some("2g".parse().expect("memory")),
            jobmanager_cpu: Some("500m".parse().expect("cpu")),
            taskmanager_memory: Some("1024m".parse().expect("memory")),
            taskmanager_cpu: Some("1".parse().expect("cpu")),
            slots: Some(2),
            expose: Expose::LoadBalancer,
            config: config(&[("state.savepoints.dir", "s3://b/x=y")]),
            ..spec()
        };
        let text: String = DIALECTS
            .iter()
            .map(|dialect| {
                let lines: String =
                    full.settings(dialect, "team-a").iter().map(|(k, v)| format!("  {k}={v}\n")).collect();
                format!("since {}.{}\n{lines}", dialect.since.0, dialect.since.1)
            })
            .collect();
        insta::assert_snapshot!(text);
    }

    #[test]
    fn a_setting_of_the_users_replaces_the_default_by_any_of_its_names() {
        let ours = SessionSpec { config: config(&[("jobmanager.memory.flink.size", "1g")]), ..spec() };
        assert_eq!(ours.check(), Ok(()));
        let settings = ours.settings(&DIALECTS[3], "team-a");
        assert_eq!(value(&settings, "jobmanager.memory.process.size"), None);
        assert_eq!(value(&settings, "jobmanager.memory.flink.size").as_deref(), Some("1g"));
        assert_eq!(value(&settings, "taskmanager.memory.process.size").as_deref(), Some("1728m"));
    }

    #[test]
    fn what_cannot_be_right_is_refused() {
        let check = |change: SessionSpec| change.check().expect_err("refused").to_string();
        let with = |pairs: &[(&str, &str)]| SessionSpec { config: config(pairs), ..spec() };
        insta::assert_snapshot!(
            [
                check(SessionSpec { image: "flink:1.9.3".to_owned(), ..spec() }),
                check(SessionSpec {
                    image: "mine".to_owned(),
                    expected_version: "1.8".parse().ok(),
                    ..spec()
                }),
                check(SessionSpec { expected_version: "1.20".parse().ok(), ..spec() }),
                check(SessionSpec { service_account: "a/b".to_owned(), ..spec() }),
                check(with(&[("a.b", "1"), ("a.b", "2")])),
                check(with(&[("kubernetes.cluster-id", "x")])),
                check(with(&[("kubernetes.container.image", "x")])),
                check(SessionSpec { slots: Some(2), ..with(&[("taskmanager.numberOfTaskSlots", "4")]) }),
            ]
            .join("\n"),
            @r#"
        Flink 1.9.3 has no native Kubernetes sessions: they came with 1.10
        Flink 1.8 has no native Kubernetes sessions: they came with 1.10
        image flink:2.3.0 has Flink 2.3.0 by its tag, and --flink-version says 1.20
        "a/b" cannot be the name of a ServiceAccount
        -D a.b is given twice
        -D kubernetes.cluster-id cannot be set: NAME decides it
        -D kubernetes.container.image cannot be set: --image decides it
        -D taskmanager.numberOfTaskSlots and --slots set the same thing
        "#
        );
    }

    #[test]
    fn a_setting_is_key_equals_value() {
        assert_eq!(parse_setting("a=b=c"), Ok(("a".to_owned(), "b=c".to_owned())));
        assert_eq!(parse_setting("a="), Ok(("a".to_owned(), String::new())));
        for wrong in ["", "a", "=b", "a b=c", " =x"] {
            assert_eq!(parse_setting(wrong), Err(InvalidSpec::NotKeyValue(wrong.to_owned())));
        }
    }
}
