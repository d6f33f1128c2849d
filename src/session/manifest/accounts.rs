//! The ServiceAccount of the TaskManagers: they run code of jobs, and without high availability they need no rights.

use super::rbac::Grant;
use crate::session::flink_config::flag_keys::Dialect;
use crate::session::spec::SessionSpec;
use crate::session::spec::settings::Settings;

/// The account that TaskManagers get by default. It has no rights, so that all sessions of a namespace share it.
pub const OF_TASKMANAGERS: &str = "flink-taskmanager";

/// Flink's key for it (1.12 and later).
pub const KEY: &str = "kubernetes.taskmanager.service-account";

/// How the TaskManagers get their account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TaskManagers {
    /// By default: [`OF_TASKMANAGERS`].
    Own,
    /// By a setting or a pod template.
    Chosen(String),
    /// They have that of the session.
    Shared,
}

impl TaskManagers {
    /// What the settings say of it, or else the default: an account of their own where they need no rights, where
    /// accounts are made, and where Flink can have two.
    pub(in crate::session) fn of(spec: &SessionSpec) -> Self {
        let Settings { taskmanager_service_account, config, .. } = &spec.settings;
        if let Some(name) = taskmanager_service_account.as_ref().or_else(|| config.get(KEY)) {
            return Self::Chosen(name.clone());
        }
        let can = spec.expected_dialect().keys("--taskmanager-service-account").is_ok();
        if !can || spec.grant == Grant::None || spec.has_high_availability() {
            return Self::Shared;
        }
        let [_, template] = spec.templates();
        match template.and_then(|template| template.pod_spec().service_account_name) {
            Some(name) => Self::Chosen(name),
            None if spec.service_account == OF_TASKMANAGERS => Self::Shared,
            None => Self::Own,
        }
    }
}

impl SessionSpec {
    /// The ServiceAccount of the TaskManagers' pods.
    pub fn taskmanager_account(&self) -> &str {
        match &self.taskmanagers {
            TaskManagers::Own => OF_TASKMANAGERS,
            TaskManagers::Chosen(name) => name,
            TaskManagers::Shared => &self.service_account,
        }
    }

    /// True when the account of the TaskManagers is another one than the session's.
    pub fn has_taskmanager_account(&self) -> bool {
        self.taskmanager_account() != self.service_account
    }

    /// What Flink of this version is told. A version that cannot do it refuses the flag, and not the default.
    pub(in crate::session) fn told_taskmanager_account(&self, dialect: Dialect) -> Option<String> {
        let is_flag = self.settings.taskmanager_service_account.is_some();
        let is_told = is_flag || dialect.keys("--taskmanager-service-account").is_ok();
        (is_told && self.taskmanagers != TaskManagers::Shared).then(|| self.taskmanager_account().to_owned())
    }
}

/// What of an account's metadata gives its pods more than Kubernetes' own rights: pods of another account lack it.
/// `pull_secrets` are those of the account, `annotations` their keys.
pub fn gives_more(account: &str, annotations: &[String], pull_secrets: &[String]) -> Option<String> {
    // OpenShift gives every account its own.
    let is_generated = |secret: &&String| secret.starts_with(&format!("{account}-dockercfg-"));
    if let Some(secret) = pull_secrets.iter().find(|secret| !is_generated(secret)) {
        return Some(format!("image pull secret {secret}"));
    }
    const WITHOUT_EFFECT: [&str; 3] = ["kubectl.kubernetes.io/", "openshift.io/", "kubernetes.io/"];
    let is_plain = |key: &&String| WITHOUT_EFFECT.iter().any(|start| key.starts_with(start));
    annotations.iter().find(|key| !is_plain(key)).map(|key| format!("annotation {key}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::manifest::pod_template::PodTemplate;
    use crate::session::spec::tests::with;

    fn of(settings: Settings) -> (String, Option<String>) {
        let spec = with(settings);
        let told = spec.flink_settings(spec.expected_dialect(), "").unwrap_or_default().remove(KEY);
        (spec.taskmanager_account().to_owned(), told)
    }

    fn own() -> (String, Option<String>) {
        (OF_TASKMANAGERS.to_owned(), Some(OF_TASKMANAGERS.to_owned()))
    }

    fn shared() -> (String, Option<String>) {
        ("flink".to_owned(), None)
    }

    fn chosen() -> (String, Option<String>) {
        ("mine".to_owned(), Some("mine".to_owned()))
    }

    #[test]
    fn taskmanagers_have_an_account_without_rights_where_they_need_none() {
        let version = |version: &str| Settings { flink_version: version.parse().ok(), ..Settings::default() };
        assert_eq!(of(Settings::default()), own());
        assert_eq!(of(version("1.12")), own());
        assert_eq!(of(version("1.11")), shared());
        assert_eq!(of(version("1.10")), shared());
        assert_eq!(
            of(Settings {
                ha: Some("s3://b/ha".to_owned()),
                image: Some("x".to_owned()),
                ..Settings::default()
            }),
            shared()
        );
        assert_eq!(of(Settings { rbac: Some(Grant::None), ..Settings::default() }), shared());
        let same = Settings { service_account: Some(OF_TASKMANAGERS.to_owned()), ..Settings::default() };
        assert_eq!(of(same), (OF_TASKMANAGERS.to_owned(), None));
    }

    #[test]
    fn what_the_user_says_wins() {
        let mine = || Some("mine".to_owned());
        let template = || PodTemplate::parse("spec: {serviceAccountName: mine}").ok();
        assert_eq!(of(Settings { taskmanager_service_account: mine(), ..Settings::default() }), chosen());
        assert_eq!(of(Settings { taskmanager_pod_template: template(), ..Settings::default() }), chosen());
        let by_key = Settings { config: [(KEY.to_owned(), "mine".to_owned())].into(), ..Settings::default() };
        assert_eq!(of(by_key), chosen());
        let ha =
            Settings { ha: Some("s3://b/ha".to_owned()), image: Some("x".to_owned()), ..Settings::default() };
        assert_eq!(of(Settings { taskmanager_service_account: mine(), ..ha.clone() }), chosen());
        // Flink puts the session's account over that of a template.
        assert_eq!(of(Settings { taskmanager_pod_template: template(), ..ha }), shared());
        let same = Settings { taskmanager_service_account: Some("flink".to_owned()), ..Settings::default() };
        assert_eq!(of(same), ("flink".to_owned(), Some("flink".to_owned())));
    }

    #[test]
    fn a_version_with_one_account_refuses_the_flag_and_not_the_default() {
        let told = |settings: Settings| {
            let spec = with(Settings { image: Some("mine".to_owned()), ..settings });
            let old = Dialect { minor: (1, 11) };
            spec.flink_settings(old, "").map(|mut all| all.remove(KEY)).map_err(|error| error.to_string())
        };
        assert_eq!(told(Settings::default()), Ok(None));
        let flag = Settings { taskmanager_service_account: Some("mine".to_owned()), ..Settings::default() };
        assert_eq!(told(flag), Err("--taskmanager-service-account needs Flink 1.12 or later".to_owned()));
    }

    #[test]
    fn an_account_that_gives_more_than_rights_is_not_replaced() {
        let more = |annotations: &[&str], secrets: &[&str]| {
            let owned = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
            gives_more("flink", &owned(annotations), &owned(secrets))
        };
        assert_eq!(more(&[], &[]), None);
        assert_eq!(
            more(&["kubectl.kubernetes.io/last-applied-configuration"], &["flink-dockercfg-x2"]),
            None
        );
        assert_eq!(more(&[], &["registry"]).as_deref(), Some("image pull secret registry"));
        let role = "eks.amazonaws.com/role-arn";
        assert_eq!(more(&[role], &[]).as_deref(), Some("annotation eks.amazonaws.com/role-arn"));
    }
}
