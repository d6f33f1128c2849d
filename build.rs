//! Tells the program what it was built from: for `version`.

use std::process::Command;

fn main() {
    println!("cargo::rerun-if-env-changed=KUBECTL_FLINK_COMMIT");
    // A commit changes the log of HEAD.
    for file in ["HEAD", "logs/HEAD"].iter().filter_map(|file| git(&["rev-parse", "--git-path", file])) {
        if std::path::Path::new(&file).exists() {
            println!("cargo::rerun-if-changed={file}");
        }
    }
    let commit = std::env::var("KUBECTL_FLINK_COMMIT").ok().or_else(|| git(&["rev-parse", "HEAD"]));
    let commit = commit.unwrap_or_default();
    println!("cargo::rustc-env=KUBECTL_FLINK_COMMIT={commit}");
    let target = std::env::var("TARGET").unwrap_or_default();
    println!("cargo::rustc-env=KUBECTL_FLINK_TARGET={target}");
}

/// What git says of this repository, and of no other around it; nothing in a package.
fn git(words: &[&str]) -> Option<String> {
    // A directory, or a file in a work tree that was added.
    if !std::path::Path::new(".git").exists() {
        return None;
    }
    let output = Command::new("git").args(words).output().ok()?;
    let said = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| said.trim().to_owned())
}
