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

impl Ended {
    /// What was printed from `start` to the end of its line.
    #[cfg(unix)]
    pub fn printed(&self, start: &str) -> &str {
        let mut lines = self.stdout.lines().chain(self.stderr.lines());
        let printed = lines.find_map(|line| Some(&line[line.find(start)?..]));
        printed.unwrap_or_else(|| panic!("{start:?} is not in\n{self}"))
    }
}

/// Runs `kubectl-flink WORDS` with `home` as the home directory and no other environment.
pub fn flink_at(home: &Path, words: &[&str]) -> Ended {
    ended(command(home, words))
}

/// Runs what was printed as a person does who pastes it into a shell, in which `kubectl flink` is the program.
#[cfg(unix)]
pub fn flink_as_printed(home: &Path, printed: &str) -> Ended {
    ended(pasted(home, printed))
}

/// The same, for what does not end by itself.
#[cfg(unix)]
pub fn start_flink_as_printed(home: &Path, printed: &str) -> crate::running::Running {
    crate::running::Running::start(pasted(home, printed))
}

#[cfg(unix)]
fn pasted(home: &Path, printed: &str) -> Command {
    let script = format!("kubectl() {{ shift; exec \"$KUBECTL_FLINK\" \"$@\"; }}\n{printed}");
    let mut shell = Command::new("sh");
    shell.args(["-c", &script]).current_dir(home).env_clear().env("HOME", home).env("COLUMNS", "100");
    shell.env("KUBECTL_FLINK", env!("CARGO_BIN_EXE_kubectl-flink")).stdin(Stdio::null());
    shell
}

fn ended(mut command: Command) -> Ended {
    let output = command.output().expect("program");
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
