//! What becomes of a run that the system allows hardly anything.

use std::process::Command;

use crate::process::write_kubeconfig;

/// Also what needs no server: nothing can be run then.
#[test]
fn hardly_any_files_are_an_error_and_no_panic() {
    let home = tempfile::tempdir().expect("home");
    write_kubeconfig(home.path(), "https://127.0.0.1:1");
    let forms: [&[&str]; 8] = [
        &["ls"],
        &["ls", "-w"],
        &["status", "roc"],
        &["version", "--client"],
        &["--help"],
        &["create", "roc", "--dry-run=client"],
        &["ui", "roc"],
        &["__complete", "status", ""],
    ];
    // The loader of the system needs the fourth.
    for files in 4..=20 {
        for words in forms {
            let limited = format!("ulimit -n {files}; exec \"$0\" \"$@\"");
            let output = Command::new("sh")
                .args(["-c", &limited, env!("CARGO_BIN_EXE_kubectl-flink")])
                .args(words)
                .env_clear()
                .env("HOME", home.path())
                .output()
                .expect("sh");
            let (told, code) = (String::from_utf8_lossy(&output.stderr), output.status.code());
            assert!(
                matches!(code, Some(0 | 1)) && !told.contains("panicked"),
                "{files} {words:?}: {code:?} {told}"
            );
            assert!(code == Some(0) || !told.is_empty(), "{files} {words:?}: it says nothing");
        }
    }
    // A limit that may be raised is raised, as Go does.
    let raised = "ulimit -S -n 6; exec \"$0\" \"$@\"";
    let raised = Command::new("sh")
        .args(["-c", raised, env!("CARGO_BIN_EXE_kubectl-flink"), "version", "--client"])
        .env("HOME", home.path())
        .output()
        .expect("sh");
    assert!(raised.status.success(), "{}", String::from_utf8_lossy(&raised.stderr));
}
