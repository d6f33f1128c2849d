//! Every feature of the Flink operator's own examples, as the manifests in tests/manifests, against a real API server.

use std::path::PathBuf;

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
    let shell =
        std::process::Command::new("sh").args(["-c", command.expect("command")]).output().expect("shell");
    assert!(shell.status.success(), "{line}: {}", String::from_utf8_lossy(&shell.stderr));
    assert_eq!(lab.kubectl(&["get", "persistentvolumeclaim", "flink-state"]).code, 0);
}
