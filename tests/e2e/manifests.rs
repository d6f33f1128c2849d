//! Every feature of the Flink operator's own examples, as the manifests in tests/manifests, against a real API server.

use std::path::PathBuf;

use crate::advice::{printed, shows};
use crate::lab::Lab;

#[test]
fn every_feature_of_the_operators_examples_passes_a_dry_run_by_the_server() {
    let lab = Lab::new("manifests");
    let directory = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/manifests");
    let before = lab.fingerprint();
    for entry in std::fs::read_dir(directory).expect("directory") {
        let path = entry.expect("entry").path().display().to_string();
        let chosen = if path.ends_with("two-sessions.yaml") { "green" } else { "" };
        let words = ["create", "-f", &path, "--dry-run=server", chosen];
        let words: Vec<&str> = words.into_iter().filter(|word| !word.is_empty()).collect();
        let created = lab.flink_ok(&words);
        assert!(
            created.contains("job.batch/boot-") && created.contains("(server dry run)"),
            "{path}: {created}"
        );
    }
    assert_eq!(lab.fingerprint(), before, "nothing is written");
    // The printed command creates what a session needs beside it.
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/manifests/high-availability.yaml");
    let ended = lab.flink(&["create", "-f", &path.display().to_string(), "--dry-run=client"]);
    let line = ended.stderr.lines().find(|line| line.contains("kubectl apply")).expect("command");
    let command = line.split(" is left out: ").nth(1).and_then(|rest| rest.strip_suffix(" creates it"));
    let made = lab.kubectl_as_printed(command.expect("command"));
    assert_eq!(made.code, 0, "{line}: {}", made.stderr);
    assert_eq!(lab.kubectl(&["get", "persistentvolumeclaim", "flink-state"]).code, 0);
    what_stands_in_a_list_is_made_from_a_file_of_its_own(&lab);
}

/// An item of a list has no lines of its own.
fn what_stands_in_a_list_is_made_from_a_file_of_its_own(lab: &Lab) {
    let item = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: topics}\n";
    let session = "{apiVersion: flink.apache.org/v1beta1, kind: FlinkDeployment, metadata: {name: roc}, spec: {image: 'flink:2.3.0'}}";
    let list = format!(
        "apiVersion: v1\nkind: List\nitems:\n- {session}\n- {{apiVersion: v1, kind: ConfigMap, metadata: {{name: topics}}}}\n"
    );
    let files = tempfile::tempdir().expect("scratch directory");
    let [all, own] = [("list.yaml", list.as_str()), ("own.yaml", item)].map(|(name, text)| {
        let path = files.path().join(name);
        std::fs::write(&path, text).expect("file");
        path.display().to_string()
    });
    let ended = lab.flink(&["create", "-f", &all, "--dry-run=client"]);
    let command = printed(&ended, "kubectl apply").strip_suffix(" creates it").expect("how");
    let typed = command.replace("FILE", &own);
    shows(lab.kubectl_as_printed(&typed), &typed, "configmap/topics created");
}
