//! How large the settings of a session may be, by the limits of Kubernetes and of the kernel.

use super::origin::Origin;
use crate::session::flink_config::flag_keys::Dialect;
use crate::session::flinkdeployment;
use crate::session::manifest::bootstrap_job::{self, files};
use crate::session::spec::SessionSpec;
use crate::session::spec::error::InvalidSpec;

/// The annotations of an object, names and values together (`TotalAnnotationSizeLimitB` of
/// k8s.io/apimachinery/pkg/api/validation). The settings are one, on the bootstrap Job and on the Deployment.
const ANNOTATIONS: usize = 256 << 10;

/// What Kubernetes and the names of the annotations take of it.
const RESERVE: usize = 2 << 10;

/// One argument of a program on Linux, with the NUL behind it (`MAX_ARG_STRLEN`).
const ARGUMENT: usize = 128 << 10;

/// The arguments of the bootstrap Job: etcd takes 1.5 MiB for the whole object.
const ARGUMENTS: usize = 1 << 20;

/// As long as a namespace may be.
const LONGEST_NAMESPACE: &str = "nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn";

/// Refuses settings that are too large to be kept, or to be handed to Flink's client.
pub fn check(spec: &SessionSpec) -> Result<(), InvalidSpec> {
    for dialect in Dialect::all() {
        let settings = spec.flink_settings(dialect, LONGEST_NAMESPACE).unwrap_or_default();
        for (key, value) in settings {
            let size = "-D=".len() + key.len() + value.len();
            if size >= ARGUMENT {
                return Err(InvalidSpec::TooLongAnArgument {
                    setting: spec.origin(&key),
                    size: kibibytes(size),
                });
            }
        }
    }
    let of_user: usize = spec.settings.annotations.iter().map(|(key, value)| key.len() + value.len()).sum();
    let record = flinkdeployment::of_spec(spec, LONGEST_NAMESPACE).to_string().len();
    let given: usize = files::annotations(spec).map(|(_, text)| text.len()).sum();
    let kept = record.max(given) + of_user + RESERVE;
    let arguments = bootstrap_job::size_of_arguments(spec, LONGEST_NAMESPACE);
    for (size, most) in [(kept, ANNOTATIONS), (arguments, ARGUMENTS)] {
        if size > most {
            let (setting, largest) = largest(spec);
            let [size, most, largest] = [size, most, largest].map(kibibytes);
            return Err(InvalidSpec::TooLarge { setting, largest, size, most });
        }
    }
    Ok(())
}

/// The largest thing that was set, and its size.
fn largest(spec: &SessionSpec) -> (Origin, usize) {
    let settings = &spec.settings;
    let entries = [
        ("logConfiguration", &settings.log_configuration),
        ("--env", &settings.env),
        ("--annotation", &settings.annotations),
        ("--label", &settings.labels),
    ];
    let entries = entries.into_iter().flat_map(|(flag, entries)| {
        entries.iter().map(move |(name, value)| (spec.origin_of_entry(flag, name), value.len()))
    });
    let templates = [
        ("--pod-template", &settings.pod_template),
        ("--jobmanager-pod-template", &settings.jobmanager_pod_template),
        ("--taskmanager-pod-template", &settings.taskmanager_pod_template),
    ];
    let templates = templates
        .into_iter()
        .filter_map(|(flag, template)| Some((spec.origin(flag), template.as_ref()?.to_json_text().len())));
    let config = settings.config.iter().map(|(key, value)| (spec.origin(key), value.len()));
    let all = entries.chain(templates).chain(config);
    all.max_by_key(|(_, size)| *size).unwrap_or_else(|| (spec.origin("NAME"), 0))
}

/// Rounded up.
fn kibibytes(bytes: usize) -> usize {
    bytes.div_ceil(1 << 10)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::manifest::pod_template::PodTemplate;
    use crate::session::spec::settings::{Layer, Place, Settings, Source};

    fn asked(settings: Settings) -> Result<SessionSpec, InvalidSpec> {
        let is_manifest = !settings.log_configuration.is_empty();
        let source = if is_manifest { Source::Manifest("roc.yaml".to_owned()) } else { Source::Flags };
        let place = Place { name: "spec.logConfiguration".to_owned(), line: 9, column: 3 };
        let places = [("logConfiguration log4j.properties".to_owned(), place)].into();
        let layer = Layer { source, settings, places };
        SessionSpec::resolve("roc".parse().expect("name"), vec![layer], true)
    }

    fn log(size: usize) -> Settings {
        let text = "# log4j\n".repeat(size / 8);
        Settings { log_configuration: [("log4j.properties".to_owned(), text)].into(), ..Settings::default() }
    }

    #[test]
    fn what_kubernetes_can_keep_is_taken() {
        assert!(asked(log(200 << 10)).is_ok());
        let config = [("my.key".to_owned(), "x".repeat(100 << 10))].into();
        assert!(asked(Settings { config, ..Settings::default() }).is_ok());
    }

    #[test]
    fn what_is_too_large_is_refused_by_its_name_and_with_numbers() {
        let template = format!("metadata: {{annotations: {{note: {}}}}}", "x".repeat(260 << 10));
        let pod_template = PodTemplate::parse(&template).ok();
        let pair = |name: &str, size: usize| [(name.to_owned(), "x".repeat(size))].into();
        let refused = [
            log(300 << 10),
            Settings { pod_template, ..Settings::default() },
            Settings { config: pair("my.key", 128 << 10), ..Settings::default() },
            // Of two roles in each group of settings, and escaped twice.
            Settings { env: [("A".to_owned(), "$".repeat(40 << 10))].into(), ..Settings::default() },
        ]
        .map(|settings| asked(settings).expect_err("refused"));
        let told = refused.map(|error| format!("{error}\n  hint: {}", error.hint()));
        insta::assert_snapshot!(told.join("\n"));
    }
}
