//! Tells the program what it was built from: for `version`.

use std::process::Command;

fn main() {
    println!("cargo::rerun-if-env-changed=KUBECTL_FLINK_COMMIT");
    // A commit changes the log of HEAD; in a package there is none.
    for file in [".git/HEAD", ".git/logs/HEAD"] {
        if std::path::Path::new(file).exists() {
            println!("cargo::rerun-if-changed={file}");
        }
    }
    let commit = std::env::var("KUBECTL_FLINK_COMMIT").ok().or_else(head).unwrap_or_default();
    println!("cargo::rustc-env=KUBECTL_FLINK_COMMIT={commit}");
    let target = std::env::var("TARGET").unwrap_or_default();
    println!("cargo::rustc-env=KUBECTL_FLINK_TARGET={target}");
}

/// The commit that is checked out, of this repository and of no other around it.
fn head() -> Option<String> {
    if !std::path::Path::new(".git").exists() {
        return None;
    }
    let output = Command::new("git").args(["rev-parse", "HEAD"]).output().ok()?;
    let commit = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| commit.trim().to_owned())
}
