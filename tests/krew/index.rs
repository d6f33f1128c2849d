//! From an index of one's own: a repository with a manifest, and archives on a web server.

use crate::lab::{Lab, VERSION, manifest, own_archive, run};
use crate::web::Web;

#[test]
fn an_index_installs_upgrades_and_removes() {
    let (lab, web) = (Lab::new(), Web::start());
    let next = next_version();
    let archive = own_archive();
    let name = archive.file_name().and_then(|name| name.to_str()).expect("a name");
    let old = web.serve(&archive, name);
    // The same program again: what an upgrade replaces is where it lies.
    let new = web.serve(&archive, &name.replace(VERSION, &next));

    let index = lab.index(&manifest(VERSION, &web.address, &[old]));
    lab.krew(["index", "add", "own", &index]).good();
    let found = lab.krew(["search", "own/flink"]).good();
    assert!(found.stdout.contains("Run Flink session clusters"), "{}", found.stdout);
    lab.krew(["install", "own/flink"]).good();
    assert_eq!(lab.versions(), [VERSION]);
    lab.assert_it_runs();
    run(lab.command("kubectl").args(["flink", "completion", "install"])).good();
    assert_it_completes(&lab);

    lab.publish(&manifest(&next, &web.address, &[new]));
    lab.krew(["upgrade", "flink"]).good();
    assert_eq!(lab.versions(), [next]);
    lab.assert_it_runs();
    assert_it_completes(&lab);

    lab.krew(["uninstall", "flink"]).good();
    lab.assert_nothing_is_left();
}

/// kubectl asks the program beside the plugin what may follow.
fn assert_it_completes(lab: &Lab) {
    let told = run(lab.command("kubectl").args(["__complete", "flink", "sta"])).good().stdout;
    assert!(told.starts_with("status\t"), "{told}");
}

/// v0.1.1 after v0.1.0.
fn next_version() -> String {
    let (rest, patch) = VERSION.rsplit_once('.').expect("a version");
    format!("{rest}.{}", patch.parse::<u32>().expect("a number") + 1)
}
