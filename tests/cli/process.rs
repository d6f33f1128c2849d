//! Runs the program with nothing inherited.

use std::fmt;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::json;

pub struct Ended {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

/// As one block, for snapshots.
impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "exit {}\n--- stdout\n{}--- stderr\n{}", self.code, self.stdout, self.stderr)
    }
}

/// Runs `kubectl-flink WORDS` with `home` as the home directory and no other environment.
pub fn flink_at(home: &Path, words: &[&str]) -> Ended {
    let output = command(home, words).output().expect("program");
    Ended {
        code: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8(output.stdout).expect("UTF-8"),
        stderr: String::from_utf8(output.stderr).expect("UTF-8"),
    }
}

/// Runs it where there is no kubeconfig.
pub fn flink(words: &[&str]) -> Ended {
    let home = tempfile::tempdir().expect("scratch directory");
    flink_at(home.path(), words)
}

pub fn command(home: &Path, words: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_kubectl-flink"));
    command.args(words).env_clear().env("HOME", home).env("COLUMNS", "100").stdin(Stdio::null());
    command
}

/// Makes the kubeconfig of somebody with this home directory, whose namespace is `team-a`.
pub fn write_kubeconfig(home: &Path, url: &str) {
    let directory = home.join(".kube");
    std::fs::create_dir_all(&directory).expect("directory");
    let config = json!({
        "apiVersion": "v1", "kind": "Config", "current-context": "test",
        "clusters": [{"name": "test", "cluster": {"server": url}}],
        "contexts": [{"name": "test", "context": {"cluster": "test", "user": "me", "namespace": "team-a"}}],
        "users": [{"name": "me", "user": {}}],
    });
    std::fs::write(directory.join("config"), config.to_string()).expect("kubeconfig");
}
