//! What a release has beside its archives.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::lab::{ROOT, VERSION, own_archive, run};

#[test]
fn a_release_has_checksums_manifests_a_bill_of_materials_and_licences() {
    let dir = tempfile::tempdir().expect("a directory");
    let archive = own_archive();
    let name = archive.file_name().and_then(|name| name.to_str()).expect("a name");
    fs::copy(&archive, dir.path().join(name)).expect("a copy");
    let program = |name: &str| {
        let mut command = Command::new(Path::new(ROOT).join("dist").join(name));
        command.env("DIST", dir.path()).env("HOMEPAGE", "https://example.com/home");
        command
    };
    run(&mut program("complete")).refused_because("dist/materials makes them");
    run(&mut program("materials")).good();
    let mut complete = program("complete");
    run(complete.env("DOWNLOADS", format!("https://example.com/files/{VERSION}"))).good();
    let read = |name: &str| fs::read_to_string(dir.path().join(name)).expect(name);

    run(Command::new("sha256sum").args(["--strict", "--check", "checksums.txt"]).current_dir(dir.path()))
        .good();
    let listed = read("checksums.txt");
    for summed in [name, "kubectl-flink_sbom.cdx.json", "kubectl-flink_licences.txt"] {
        assert!(listed.contains(&format!("  {summed}\n")), "{summed} is not in\n{listed}");
    }
    let sum = listed.lines().find_map(|line| line.strip_suffix(&format!("  {name}"))).expect("its sum");
    for manifest in ["flink.yaml", "kubectl-flink.rb"] {
        let text = read(manifest);
        assert!(text.contains(sum), "{text}");
        assert!(text.contains(&format!("https://example.com/files/{VERSION}/{name}")), "{text}");
    }

    // The version of a crate that every request goes through, as Cargo.lock has it.
    let lock = fs::read_to_string(Path::new(ROOT).join("Cargo.lock")).expect("Cargo.lock");
    let (_, after) = lock.split_once("name = \"rustls\"\nversion = \"").expect("rustls");
    let (rustls, _) = after.split_once('"').expect("its version");
    let bill: Value = serde_json::from_str(&read("kubectl-flink_sbom.cdx.json")).expect("JSON");
    assert_eq!(bill["bomFormat"], "CycloneDX");
    assert_eq!(bill["metadata"]["component"]["version"], env!("CARGO_PKG_VERSION"));
    let components = bill["components"].as_array().expect("components");
    assert!(components.iter().any(|one| one["name"] == "rustls" && one["version"] == rustls));
    // A crate that the tests alone use.
    assert!(!components.iter().any(|one| one["name"] == "insta"));

    let licences = read("kubectl-flink_licences.txt");
    assert!(
        licences.contains(&format!("  rustls {rustls}: Apache-2.0 OR ISC OR MIT\n")),
        "rustls is missing"
    );
    assert!(licences.contains("Permission is hereby granted, free of charge"));
    for file in fs::read_dir(dir.path()).expect("a directory") {
        let path = file.expect("an entry").path();
        let bytes = fs::read(&path).expect("a file");
        assert!(!bytes.windows(ROOT.len()).any(|part| part == ROOT.as_bytes()), "{path:?} names {ROOT}");
    }
}
