//! Hostile settings against the classes of Flink's releases: what `create` takes arrives as it was typed, and what it
//! refuses would not have. `make formats` runs it with the jars.

mod flink;
mod values;

use std::collections::BTreeMap;

use flink::{Case, Flink};
use kubectl_flink::session::flink_config::carrier::{self, File};
use kubectl_flink::session::flink_config::encoding;
use values::Values;

const CASES: usize = 700;

/// A map setting of Flink's, of either role.
const MAP: &str = "kubernetes.taskmanager.annotations";

fn hold(release: &str, file: File) {
    let flink = Flink::find(release, file);
    let mut values = Values::new();
    let mut settings: Vec<(String, String)> = values::telling();
    settings.extend((0..CASES).map(|_| (values.key(), values.value())));
    let maps: Vec<BTreeMap<String, String>> = (0..CASES / 2).map(|_| values.map()).collect();
    let texts: Vec<String> = maps.iter().map(encoding::map).collect();
    let cases = settings.iter().map(|(key, value)| Case::Setting(key, value));
    let cases: Vec<Case> = cases.chain(texts.iter().map(|text| Case::Map(MAP, text))).collect();

    let answers = flink.ask(&cases);
    let (of_settings, of_maps) = answers.split_at(settings.len());
    let mut wrong = Vec::new();
    for ((key, value), answer) in settings.iter().zip(of_settings) {
        let arrives = answer.is_text(value);
        let refused = carrier::loss(file, key, value);
        if arrives == refused.is_some() && !is_refused_for_another_reason(file, key, value) {
            wrong.push(format!("{key:?} = {value:?}: refused {refused:?}, Flink {answer:?}"));
        }
    }
    for ((map, text), answer) in maps.iter().zip(&texts).zip(of_maps) {
        let refused = carrier::loss(file, MAP, text);
        if answer.is_map(map) == refused.is_some() && !is_refused_for_another_reason(file, MAP, text) {
            wrong.push(format!("{map:?} as {text:?}: refused {refused:?}, Flink {answer:?}"));
        }
    }
    assert!(wrong.is_empty(), "Flink {release}, seed {}:\n{}", values.seed, wrong.join("\n"));
}

/// What the classes alone take: no program is started with a NUL in its arguments, and in some places the further line
/// ends of YAML and byte order marks do no harm.
fn is_refused_for_another_reason(file: File, key: &str, value: &str) -> bool {
    let has_nul = [key, value].iter().any(|text| text.contains('\0'));
    let has_line_ends = value.contains('\n') && value.contains(['\u{85}', '\u{2028}', '\u{2029}']);
    has_nul || file == File::Nested && (has_line_ends || key.contains('\u{feff}'))
}

#[test]
fn flink_1_10_holds_what_is_not_refused() {
    hold("1.10.3", File::Flat);
}

#[test]
fn flink_1_16_holds_what_is_not_refused() {
    hold("1.16.3", File::Flat);
}

#[test]
fn flink_1_18_holds_what_is_not_refused() {
    hold("1.18.1", File::Flat);
}

#[test]
fn flink_1_20_with_the_file_of_older_versions_holds_what_is_not_refused() {
    hold("1.20.5", File::Flat);
}

#[test]
fn flink_1_20_holds_what_is_not_refused() {
    hold("1.20.5", File::Nested);
}

#[test]
fn flink_2_3_holds_what_is_not_refused() {
    hold("2.3.0", File::Nested);
}
