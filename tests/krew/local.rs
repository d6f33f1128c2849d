//! From an archive on disk, without any index.

use std::fs;

use crate::lab::{Lab, VERSION, archives, manifest, own_archive, plugin_yaml, run};

#[test]
fn a_local_archive_installs_without_an_index_and_kubectl_finds_it() {
    let lab = Lab::new();
    let yaml = plugin_yaml(&lab);
    install(&lab, &yaml.display().to_string()).good();
    assert_eq!(lab.versions(), [VERSION]);
    lab.assert_it_runs();

    let listed = run(lab.command("kubectl").args(["plugin", "list"])).good();
    assert!(listed.stdout.contains(&lab.path("krew/bin/kubectl-flink").display().to_string()));
    for part in [&listed.stdout, &listed.stderr] {
        assert!(!part.contains("warning") && !part.contains("overshadowed"), "{part}");
    }

    // What krew installed without an index it removes only with one.
    let index = lab.index(&manifest(VERSION, "", &archives()));
    lab.krew(["index", "add", "own", &index]).good();
    lab.krew(["uninstall", "flink"]).good();
    lab.assert_nothing_is_left();
}

#[test]
fn an_archive_with_another_checksum_is_refused_and_leaves_nothing() {
    let lab = Lab::new();
    let right = manifest(VERSION, "", &archives());
    let wrong: String = right
        .lines()
        .map(|line| match line.split_once("sha256: ") {
            Some((before, _)) => format!("{before}sha256: \"{}\"\n", "0".repeat(64)),
            None => format!("{line}\n"),
        })
        .collect();
    let yaml = lab.write("flink.yaml", &wrong);
    install(&lab, &yaml.display().to_string()).refused_because("checksum does not match");
    lab.assert_nothing_is_left();
}

#[test]
fn the_command_of_docs_install_md_is_the_one_that_is_tried_here() {
    let lab = Lab::new();
    let yaml = plugin_yaml(&lab);
    let doc = fs::read_to_string("docs/install.md").expect("docs/install.md");
    let line = doc.lines().find(|line| line.starts_with("kubectl krew install --manifest=plugin.yaml "));
    let line = line.expect("the command for a local archive");
    let typed = line.replace("plugin.yaml", &yaml.display().to_string()).replace(
        &format!("target/dist/kubectl-flink_{VERSION}_linux_amd64.tar.gz"),
        &own_archive().display().to_string(),
    );
    run(lab.command("sh").args(["-euc", &typed])).good();
    lab.assert_it_runs();
}

fn install(lab: &Lab, yaml: &str) -> crate::lab::Ended {
    let archive = own_archive();
    lab.krew(["install", &format!("--manifest={yaml}"), &format!("--archive={}", archive.display())])
}
