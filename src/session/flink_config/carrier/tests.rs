//! What is refused, how it is called, and what is offered instead. tests/formats holds the rules against Flink.

use super::*;
use crate::session::manifest::pod_template::PodTemplate;
use crate::session::spec::settings::{Layer, Place, Settings, Source};
use crate::session::spec::tests::with;

fn pairs(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
}

fn asked(image: &str, source: Source, settings: Settings) -> Result<SessionSpec, InvalidSpec> {
    let place = Place { name: "flinkConfiguration.my.key".to_owned(), line: 7, column: 5 };
    let places = match source {
        Source::Flags => Default::default(),
        _ => [("my.key".to_owned(), place)].into(),
    };
    let settings = Settings { image: Some(image.to_owned()), ..settings };
    // What is not checked is lost all the same.
    SessionSpec::resolve("roc".parse().expect("name"), vec![Layer { source, settings, places }], false)
}

fn refused(image: &str, settings: Settings) -> String {
    let error = asked(image, Source::Flags, settings).expect_err(image);
    format!("{error}\n  hint: {}", error.hint())
}

#[test]
fn what_the_flat_file_loses_is_refused_with_the_way_around() {
    let env = |value: &str| Settings { env: pairs(&[("PASSWORD", value)]), ..Settings::default() };
    let config = |key: &str, value: &str| Settings { config: pairs(&[(key, value)]), ..Settings::default() };
    let annotation =
        Settings { annotations: pairs(&[("a", "b"), ("color", "#ff0000")]), ..Settings::default() };
    insta::assert_snapshot!(
        [
            refused("flink:1.10", env("secret #1")),
            refused("flink:1.12", env("secret #1")),
            refused("flink:1.18.1", env("two\nlines")),
            refused("flink:1.18.1", env("")),
            refused("flink:1.16", annotation),
            refused("flink:1.18.1", config("my.key", " outer")),
            refused("flink:1.18.1", config("my.key", "a\nother.key: b")),
            refused("flink:1.18.1", config("containerized.taskmanager.env.A", "#")),
            refused("flink:1.18.1", config("kubernetes.jobmanager.annotations", "a:#")),
            refused("flink:1.18.1", config("my#key", "a")),
            refused("flink:2.3.0", config("my.key.", "a")),
            refused("flink:1.18.1", config("my=key", "a")),
            refused("mine", config("my=key", "a")),
            refused("flink:2.3.0", config("my.key", "\0")),
        ]
        .join("\n")
    );
}

#[test]
fn a_value_in_a_file_is_named_by_its_place() {
    let settings = || Settings { config: pairs(&[("my.key", "a #b")]), ..Settings::default() };
    for (source, place) in [
        (
            Source::Manifest("roc.yaml".to_owned()),
            "roc.yaml: line 7, column 5: flinkConfiguration.my.key needs",
        ),
        (
            Source::Profile("big".to_owned()),
            "profile big of the config file, line 7, column 5: flinkConfiguration.my.key needs",
        ),
    ] {
        let error = asked("flink:1.18.1", source, settings()).expect_err(place);
        assert!(error.to_string().starts_with(place), "{error}");
    }
}

#[test]
fn what_arrives_is_taken() {
    let hostile = Settings {
        env: pairs(&[("PASSWORD", "it's #1: $(A) 'x'")]),
        annotations: pairs(&[("color", "#ff0000"), ("note", " a: b ")]),
        config: pairs(&[("my.key", "a\nb"), ("my.empty", "")]),
        ..Settings::default()
    };
    for image in ["flink:1.19", "flink:2.3.0", "mine"] {
        assert!(asked(image, Source::Flags, hostile.clone()).is_ok(), "{image}");
    }
    let plain = Settings { env: pairs(&[("PASSWORD", "it's: $(A) 'x' = \"y\"")]), ..Settings::default() };
    assert!(asked("flink:1.10", Source::Flags, plain).is_ok());
    // A pod template does not go through the file of settings.
    let template = PodTemplate::parse(
        "spec: {containers: [{name: flink-main-container, env: [{name: A, value: ' #\\n'}]}]}",
    );
    let template = Settings { pod_template: template.ok(), ..Settings::default() };
    assert!(asked("flink:1.18.1", Source::Flags, template).is_ok());
}

#[test]
fn what_is_typed_for_a_variable_is_found_in_its_key() {
    assert_eq!(variable_of("containerized.master.env.A"), Some("A"));
    assert_eq!(variable_of("containerized.taskmanager.env.A"), Some("A"));
    assert_eq!(variable_of("containerized.heap-cutoff-min"), None);
    let spec =
        with(Settings { image: Some("mine".to_owned()), env: pairs(&[("A", "#")]), ..Settings::default() });
    let dialect = Dialect { minor: (1, 18) };
    let settings = spec.flink_settings(dialect, "").expect("settings");
    let lost = spec.lost(dialect, dialect.file(), &settings).expect("lost");
    assert_eq!((lost.name().as_str(), lost.needs), ("--env A", Some((1, 19))));
}
