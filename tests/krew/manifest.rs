//! The manifests: krew's own validator on those that are rendered, and what plugin.yaml says.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde::Deserialize;

use crate::lab::{Ended, Lab, ROOT, VERSION, archives, dist, manifest, own_archive, pack, run, unpacked};
use crate::web::Web;

#[test]
fn the_validator_installs_every_archive_that_was_built() {
    let (lab, web) = (Lab::new(), Web::start());
    web.serve_all(&archives());
    let told = validate(&lab, &manifest(VERSION, &web.address, &archives()), &[]).good();
    let sentence = format!("all {} spec.platforms installed fine", archives().len());
    assert!(told.stderr.contains(&sentence), "{}", told.stderr);
}

#[test]
fn the_validator_refuses_what_is_wrong() {
    let (lab, web) = (Lab::new(), Web::start());
    let archive = own_archive();
    let name = archive.file_name().and_then(|name| name.to_str()).expect("a name");
    let served = web.serve(&archive, name);
    let right = manifest(VERSION, &web.address, std::slice::from_ref(&served));
    validate(&lab, &right, &[]).good();

    let cases = [
        ("sha256: \"", "sha256: \"f", "must match pattern"),
        ("bin: kubectl-flink", "bin: kubectl-link", "failed"),
        ("arch: ", "arch: x", "doesn't match any supported platforms"),
        ("v0.", "0.", "not starting with 'v'"),
        ("_linux_", "_linus_", "failed to download"),
    ];
    for (is, was, reason) in cases {
        let wrong = right.replace(is, was);
        assert_ne!(wrong, right, "{is} is in the manifest");
        validate(&lab, &wrong, &[]).refused_because(reason);
    }

    // The address is right, and what lies there is another file: its licence is another text.
    let other = unpacked(&archive);
    fs::write(other.path().join("LICENSE"), "none").expect("a file");
    pack(other.path(), &served);
    validate(&lab, &right, &[]).refused_because("checksum does not match");
}

#[test]
fn plugin_yaml_keeps_krews_rules() {
    let lab = Lab::new();
    let yaml = fs::read_to_string(Path::new(ROOT).join("plugin.yaml")).expect("plugin.yaml");
    validate(&lab, &yaml, &["-skip-install"]).good();

    let plugin = read(&yaml);
    assert_eq!(plugin.metadata.name, "flink");
    assert_eq!(plugin.spec.version, VERSION);
    // What krew search cuts off, and words that its reviewers strike out.
    assert!(plugin.spec.short_description.len() <= 50);
    for word in ["kubectl", "plugin", "kubernetes"] {
        assert!(!plugin.spec.short_description.to_lowercase().contains(word), "{word}");
    }
    assert!(plugin.spec.description.lines().all(|line| line.len() <= 80));
    // The form that the Apache Software Foundation asks of names that contain one of its own.
    let description = plugin.spec.description.split_whitespace().collect::<Vec<_>>().join(" ");
    for words in ["kubectl plugin for Apache Flink", "not affiliated with the Apache Software Foundation"] {
        assert!(description.contains(words), "{words}");
    }
}

/// plugin.yaml is what the template says of every platform, also once it has their checksums.
#[test]
fn plugin_yaml_and_the_template_of_a_release_say_the_same() {
    let dir = tempfile::tempdir().expect("a directory");
    let every = [
        "darwin_amd64.tar.gz",
        "darwin_arm64.tar.gz",
        "linux_amd64.tar.gz",
        "linux_arm64.tar.gz",
        "windows_amd64.zip",
    ];
    let every: Vec<PathBuf> =
        every.iter().map(|end| dir.path().join(format!("kubectl-flink_{VERSION}_{end}"))).collect();
    for archive in &every {
        fs::write(archive, "").expect("a file");
    }
    let rendered = read(&manifest(VERSION, "", &every));
    let yaml = dir.path().join("plugin.yaml");
    fs::copy(Path::new(ROOT).join("plugin.yaml"), &yaml).expect("plugin.yaml");
    run(dist("checksums").arg(&yaml).args(&every)).good();
    assert_eq!(read(&fs::read_to_string(&yaml).expect("plugin.yaml")), rendered);

    let other = dir.path().join(format!("kubectl-flink_{VERSION}_plan9_amd64.tar.gz"));
    fs::write(&other, "").expect("a file");
    run(dist("checksums").arg(&yaml).arg(&other)).refused_because("does not name kubectl-flink_");
}

#[test]
fn plugin_yaml_waits_for_its_archives() {
    // A checksum that was committed with a build would be of another one: of the commit before.
    let yaml = fs::read_to_string(Path::new(ROOT).join("plugin.yaml")).expect("plugin.yaml");
    let committed = run(Command::new("git").args(["show", "HEAD:plugin.yaml"]).current_dir(ROOT));
    let yaml = if committed.is_good { committed.stdout } else { yaml };
    assert!(read(&yaml).spec.platforms.iter().all(|platform| platform.sha256 == "0".repeat(64)));
}

#[test]
fn a_manifest_has_its_home_and_nothing_left_open() {
    let mut command = dist("render");
    command.arg(Path::new(ROOT).join("krew/flink.yaml.in")).arg(VERSION).args(archives());
    command.env("HOMEPAGE", "https://example.com/home").env("DOWNLOADS", "https://example.com/files/");
    let yaml = run(&mut command).good().stdout;
    assert!(yaml.contains("  homepage: https://example.com/home\n"), "{yaml}");
    assert!(!yaml.contains(['@', '#']), "{yaml}");
    for platform in read(&yaml).spec.platforms {
        let name = platform.uri.strip_prefix("https://example.com/files/").expect("the address");
        assert!(archives().iter().any(|archive| archive.ends_with(name)), "{name}");
    }
}

#[test]
fn a_manifest_of_another_version_is_refused() {
    let mut command = dist("render");
    command.arg(Path::new(ROOT).join("krew/flink.yaml.in")).arg("v9.9.9").arg(own_archive());
    run(&mut command).refused_because("is no archive of v9.9.9");
}

#[test]
fn the_formula_names_every_archive_that_homebrew_takes() {
    let dir = tempfile::tempdir().expect("a directory");
    let named = |end: &str| dir.path().join(format!("kubectl-flink_{VERSION}_{end}"));
    let taken = [named("darwin_arm64.tar.gz"), named("linux_amd64.tar.gz")];
    let other = named("windows_amd64.zip");
    for archive in taken.iter().chain([&other]) {
        fs::write(archive, archive.as_os_str().as_encoded_bytes()).expect("a file");
    }
    let mut command = dist("render");
    command.arg(Path::new(ROOT).join("dist/kubectl-flink.rb.in")).arg(VERSION).args(&taken).arg(other);
    command.env("HOMEPAGE", "https://example.com/home").env("DOWNLOADS", "https://example.com/files");
    let formula = run(&mut command).good().stdout;

    assert!(!formula.contains('@') && !formula.contains("windows"), "{formula}");
    assert!(formula.contains(&format!("version \"{}\"", env!("CARGO_PKG_VERSION"))), "{formula}");
    let places = ["on_macos do\n    on_arm do", "on_linux do\n    on_intel do"];
    for (archive, place) in taken.iter().zip(places) {
        let sum = run(Command::new("sha256sum").arg(archive)).good().stdout;
        let name = archive.file_name().and_then(|name| name.to_str()).expect("a name");
        let block = format!(
            "  {place}\n      url \"https://example.com/files/{name}\"\n      sha256 \"{}\"\n    end\n  end\n",
            &sum[..64]
        );
        assert!(formula.contains(&block), "{block}\nis not in\n{formula}");
    }
}

fn validate(lab: &Lab, yaml: &str, flags: &[&str]) -> Ended {
    let file = lab.write("flink.yaml", yaml);
    run(lab.command("validate-krew-manifest").arg("-manifest").arg(file).args(flags))
}

#[derive(Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Plugin {
    api_version: String,
    kind: String,
    metadata: Metadata,
    spec: Spec,
}

#[derive(Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Metadata {
    name: String,
}

/// krew takes a field that it does not know without a word; here a mistyped one is an error.
#[derive(Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Spec {
    version: String,
    homepage: Option<String>,
    short_description: String,
    description: String,
    platforms: Vec<Platform>,
}

#[derive(Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Platform {
    selector: Selector,
    uri: String,
    sha256: String,
    bin: String,
}

#[derive(Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Selector {
    match_labels: BTreeMap<String, String>,
}

fn read(yaml: &str) -> Plugin {
    serde_saphyr::from_str(yaml).expect("a manifest")
}
