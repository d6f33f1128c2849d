//! The table against the keys that each version reads.

use super::*;

fn dialect(version: &str) -> Option<Minor> {
    Dialect::of(version.parse().expect(version)).map(|dialect| dialect.minor)
}

#[test]
fn every_minor_version_has_its_dialect() {
    assert_eq!(dialect("1.9.3"), None);
    for (major, minor) in MINORS {
        assert_eq!(dialect(&format!("{major}.{minor}.4")), Some((major, minor)));
    }
    assert_eq!(dialect("1.21"), Some((1, 20)));
    assert_eq!(dialect("3.0"), Some((2, 3)));
}

#[test]
fn each_version_reads_every_key_that_it_is_given() {
    for dialect in Dialect::all() {
        let keys = TABLE.iter().filter_map(|mapping| dialect.keys(mapping.flag).ok()).flatten();
        for key in keys.filter(|key| !key.contains(".env.")) {
            let reading = keys::reading(key, dialect.minor);
            // The sizes of 1.10 are read outside of Flink's options.
            let is_size = CONTAINERS.iter().any(|(_, sizes)| sizes.contains(key));
            assert!(reading == keys::Reading::AsIs || is_size, "{key} in {:?}: {reading:?}", dialect.minor);
        }
    }
}

#[test]
fn no_flag_came_earlier_than_the_table_says() {
    for mapping in &TABLE {
        let first = &mapping.spellings[0];
        let Some(before) = MINORS.into_iter().rev().find(|minor| *minor < first.since) else { continue };
        for key in first.keys.iter().filter(|key| !key.contains(".env.") && !key.starts_with("high-avail")) {
            let reading = keys::reading(key, before);
            assert!(matches!(reading, keys::Reading::Unread { .. }), "{key} in {before:?}: {reading:?}");
        }
    }
}

#[test]
fn no_key_is_a_dotted_prefix_of_another_where_keys_are_nested() {
    for dialect in Dialect::all().filter(|dialect| dialect.nests_keys()) {
        let keys: Vec<_> =
            TABLE.iter().filter_map(|mapping| dialect.keys(mapping.flag).ok()).flatten().collect();
        for (a, b) in keys.iter().flat_map(|a| keys.iter().map(move |b| (a, b))) {
            assert!(!b.starts_with(&format!("{a}.")), "{a} is a prefix of {b}");
        }
    }
}

#[test]
fn what_a_version_cannot_do_names_the_one_that_can() {
    let said = |flag: &str, minor: Minor| Dialect { minor }.keys(flag).map_err(|error| error.to_string());
    assert_eq!(said("--pod-template", (1, 12)), Err("--pod-template needs Flink 1.13 or later".to_owned()));
    assert_eq!(said("--plugin", (1, 11)), Err("--plugin needs Flink 1.12 or later".to_owned()));
    assert_eq!(said("--slots", (1, 10)), Ok(&["taskmanager.numberOfTaskSlots"][..]));
}

#[test]
fn keys_of_the_plugins_own_say_what_decides_them() {
    for (key, owner) in [
        ("kubernetes.container.image", "--image"),
        ("kubernetes.container.image.ref", "--image"),
        ("kubernetes.pod-template-file", "--pod-template"),
        ("kubernetes.cluster-id", "NAME"),
        ("kubernetes.jobmanager.service-account", "--service-account"),
    ] {
        assert_eq!(owner_of(key), Some(owner), "{key}");
    }
    for free in [
        "kubernetes.taskmanager.service-account",
        "taskmanager.numberOfTaskSlots",
        "state.savepoints.dir",
        "high-availability.storageDir",
    ] {
        assert_eq!(owner_of(free), None, "{free}");
    }
}

#[test]
fn the_table_for_the_documents() {
    let documented = include_str!("../../../../docs/create.md");
    assert!(documented.contains(&markdown()), "docs/create.md should hold this table:\n{}", markdown());
}
