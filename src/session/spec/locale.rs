//! The locale of the pods, by which Java up to 17 reads files and every Java its arguments. The bootstrap script gives
//! UTF-8 to images that have no such locale.

use crate::session::flink_config::flag_keys;
use crate::session::spec::SessionSpec;

/// The variables that decide it.
const VARIABLES: [&str; 3] = ["LC_ALL", "LC_CTYPE", "LANG"];

/// What the script sets, in an image with neither of the two languages set.
const LOCALES: [&str; 2] = ["C.UTF-8", "en_US.UTF-8"];

/// The roles, as Flink's keys of variables name them, in whose pods the user sets no locale.
pub fn roles_without(spec: &SessionSpec) -> impl Iterator<Item = &'static str> {
    let settings = &spec.settings;
    let in_both = |name: &str| settings.env.contains_key(name) || settings.secret_env.contains_key(name);
    let by_key =
        move |role: usize, name: &str| settings.config.contains_key(&flag_keys::env_keys(name)[role]);
    let templates = spec.templates();
    let in_template = move |role: usize, name: &str| {
        templates[role].as_ref().is_some_and(|template| template.sets_variable(name))
    };
    ["master", "taskmanager"].into_iter().enumerate().filter_map(move |(role, name)| {
        let sets =
            |variable: &str| in_both(variable) || by_key(role, variable) || in_template(role, variable);
        (!VARIABLES.into_iter().any(sets)).then_some(name)
    })
}

/// True for a setting that the script makes.
pub fn is_of_bootstrap(key: &str, value: &str) -> bool {
    let is_variable = VARIABLES.iter().any(|name| flag_keys::env_keys(name).iter().any(|own| own == key));
    is_variable && LOCALES.contains(&value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::manifest::pod_template::PodTemplate;
    use crate::session::spec::settings::Settings;
    use crate::session::spec::tests::{spec, with};

    #[test]
    fn what_the_user_sets_wins_in_its_role() {
        let roles = |settings: Settings| roles_without(&with(settings)).collect::<Vec<_>>();
        let pair = |key: &str| [(key.to_owned(), "de_DE.UTF-8".to_owned())].into();
        assert_eq!(roles_without(&spec()).collect::<Vec<_>>(), ["master", "taskmanager"]);
        assert_eq!(roles(Settings { env: pair("LANG"), ..Settings::default() }), [""; 0]);
        assert_eq!(
            roles(Settings { env: pair("LANGUAGE"), ..Settings::default() }),
            ["master", "taskmanager"]
        );
        let config = pair("containerized.master.env.LC_ALL");
        assert_eq!(roles(Settings { config, ..Settings::default() }), ["taskmanager"]);
        let template = "spec: {containers: [{name: flink-main-container, env: [{name: LANG, value: C}]}]}";
        let taskmanager_pod_template = PodTemplate::parse(template).ok();
        assert_eq!(roles(Settings { taskmanager_pod_template, ..Settings::default() }), ["master"]);
    }

    #[test]
    fn the_scripts_own_settings_are_nobodys_choice() {
        assert!(is_of_bootstrap("containerized.master.env.LANG", "C.UTF-8"));
        assert!(is_of_bootstrap("containerized.taskmanager.env.LC_ALL", "en_US.UTF-8"));
        assert!(!is_of_bootstrap("containerized.master.env.LANG", "de_DE.UTF-8"));
        assert!(!is_of_bootstrap("containerized.master.env.A", "C.UTF-8"));
    }
}
