//! Where this program is found, by the path that stays the same when it is upgraded.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::config;

/// The plugin's name on PATH.
const PLUGIN: &str = if cfg!(windows) { "kubectl-flink.exe" } else { "kubectl-flink" };

/// What the environment says about programs.
pub struct Programs {
    /// The directories in which programs are looked for, in order.
    pub path: Vec<PathBuf>,
    krew: Option<PathBuf>,
    running: PathBuf,
}

/// Where shells load what completes a command by themselves.
pub use crate::config::{bash_completions, fish_completions, zsh_functions};

impl Programs {
    /// # Errors
    /// When the system does not say which file runs.
    pub fn from_env() -> io::Result<Self> {
        Ok(Self { path: config::path(), krew: config::krew_root(), running: config::program()? })
    }

    /// The plugin as kubectl finds it; none where it does not.
    pub fn plugin(&self) -> Option<PathBuf> {
        let found = self.path.iter().map(|directory| directory.join(PLUGIN)).find(|file| is_program(file));
        found.map(|file| self.lasting(file))
    }

    /// This program, by the path by which kubectl finds it, if it does.
    pub fn this(&self) -> PathBuf {
        let is_this = |file: &PathBuf| fs::canonicalize(file).is_ok_and(|file| file == real(&self.running));
        self.plugin().filter(is_this).unwrap_or_else(|| self.lasting(self.running.clone()))
    }

    /// krew's own link instead of a file in its store, which goes with the next upgrade.
    fn lasting(&self, file: PathBuf) -> PathBuf {
        let Some(krew) = &self.krew else { return file };
        let link = krew.join("bin").join(PLUGIN);
        let is_stored =
            file.parent().is_some_and(|parent| real(parent).starts_with(real(&krew.join("store"))));
        if is_stored && is_program(&link) { link } else { file }
    }
}

fn real(path: &Path) -> PathBuf {
    fs::canonicalize(path).unwrap_or_else(|_| path.to_owned())
}

fn is_program(file: &Path) -> bool {
    let Ok(metadata) = fs::metadata(file) else { return false };
    #[cfg(unix)]
    let may_run = {
        use std::os::unix::fs::PermissionsExt;
        metadata.permissions().mode() & 0o111 != 0
    };
    #[cfg(not(unix))]
    let may_run = true;
    metadata.is_file() && may_run
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    fn program(file: &Path) {
        fs::create_dir_all(file.parent().expect("parent")).expect("directory");
        fs::write(file, "").expect("file");
        fs::set_permissions(file, fs::Permissions::from_mode(0o755)).expect("mode");
    }

    #[test]
    fn krews_link_stands_for_its_store() {
        let scratch = tempfile::tempdir().expect("scratch directory");
        let krew = real(scratch.path()).join("krew");
        let stored = krew.join("store/flink/v0.1.0/kubectl-flink");
        program(&stored);
        fs::create_dir_all(krew.join("bin")).expect("directory");
        let link = krew.join("bin/kubectl-flink");
        symlink(&stored, &link).expect("link");
        let programs = |directory: &Path| Programs {
            path: vec![scratch.path().join("nothing"), directory.to_owned()],
            krew: Some(krew.clone()),
            running: stored.clone(),
        };
        assert_eq!(programs(&krew.join("bin")).plugin(), Some(link.clone()));
        assert_eq!(programs(stored.parent().expect("parent")).plugin(), Some(link.clone()));
        let elsewhere = programs(scratch.path());
        assert_eq!((elsewhere.plugin(), elsewhere.this()), (None, link));
    }

    #[test]
    fn a_file_that_cannot_be_run_is_not_what_kubectl_finds() {
        let scratch = tempfile::tempdir().expect("scratch directory");
        let [first, second] = ["a", "b"].map(|name| scratch.path().join(name));
        program(&second.join("kubectl-flink"));
        fs::create_dir_all(&first).expect("directory");
        fs::write(first.join("kubectl-flink"), "").expect("file");
        let path = vec![first.clone(), second.clone()];
        let running = first.join("kubectl-flink");
        let programs = Programs { path, krew: None, running: running.clone() };
        assert_eq!(programs.plugin(), Some(second.join("kubectl-flink")));
        assert_eq!(programs.this(), running, "another program than the one that runs");
    }
}
