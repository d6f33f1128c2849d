//! The one reader of the environment and of well-known places on disk.

use std::env;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// What the environment says about a run.
#[derive(Clone, Debug)]
pub struct Config {
    /// Colour is wanted where the stream is a terminal.
    pub colour: bool,
    /// A terminal can redraw a line.
    pub redraws: bool,
    /// Filter for diagnostic messages, in tracing's syntax; `-v` adds to it.
    pub log_filter: Option<String>,
}

impl Config {
    pub fn from_env() -> Self {
        let set = |name: &str| env::var_os(name).is_some_and(|value| !value.is_empty());
        let dumb = env::var_os("TERM").is_some_and(|term| term == "dumb");
        Self {
            redraws: !dumb,
            // NO_COLOR counts whatever its value (no-color.org); TERM=dumb as kubectl.
            colour: !set("NO_COLOR") && !dumb,
            log_filter: env::var("KUBECTL_FLINK_LOG").ok().filter(|filter| !filter.is_empty()),
        }
    }
}

/// What a variable such as `HTTPS_PROXY` says, in capital letters or else in small ones; empty where it says
/// nothing.
pub fn proxy(name: &str) -> String {
    let value = |name: &str| env::var(name).ok().filter(|value| !value.is_empty());
    value(name).or_else(|| value(&name.to_lowercase())).unwrap_or_default()
}

/// True where a browser has a screen to appear on, or one is named. Only Linux may have none; of WSL
/// it is that of Windows.
pub fn has_screen() -> bool {
    let set = |name: &str| env::var_os(name).is_some_and(|value| !value.is_empty());
    !cfg!(target_os = "linux")
        || ["BROWSER", "DISPLAY", "WAYLAND_DISPLAY", "WSL_DISTRO_NAME"].into_iter().any(set)
}

/// The kubeconfig files that kubectl would merge, first wins: `flag` alone when given, else those
/// of `$KUBECONFIG`, else `~/.kube/config`. A file of a list may be missing, the flag's may not.
pub fn kubeconfig_files(flag: Option<&PathBuf>) -> Vec<PathBuf> {
    if let Some(path) = flag {
        return vec![path.clone()];
    }
    let default = || dirs::home_dir().map(|home| home.join(".kube").join("config")).into_iter().collect();
    let files = listed_kubeconfigs().unwrap_or_else(default);
    files.into_iter().filter(|path| path.exists()).collect()
}

/// The files of `$KUBECONFIG`, whether they exist or not; none when it is not set.
pub fn listed_kubeconfigs() -> Option<Vec<PathBuf>> {
    let list = env::var_os("KUBECONFIG").filter(|list| !list.is_empty())?;
    Some(env::split_paths(&list).filter(|path| !path.as_os_str().is_empty()).collect())
}

/// Where the user's config file is, whether it exists or not: `kubectl-flink/config.yaml` in the
/// directory of the platform for such files (`~/.config` on Linux, or `$XDG_CONFIG_HOME`;
/// `~/Library/Application Support` on macOS; `%APPDATA%` on Windows).
pub fn file() -> Option<PathBuf> {
    dirs::config_dir().map(|directory| directory.join("kubectl-flink").join("config.yaml"))
}

pub fn read(path: &Path) -> io::Result<String> {
    std::fs::read_to_string(path)
}

pub fn read_stdin() -> io::Result<String> {
    let mut text = String::new();
    io::stdin().lock().read_to_string(&mut text)?;
    Ok(text)
}

/// The numbers of the signals that the parent process has this one ignore.
///
/// Where the system does not list them, SIGHUP counts as ignored unless stderr is a terminal: `nohup` redirects
/// it.
#[cfg(unix)]
pub fn ignored_signals(stderr_is_terminal: bool) -> Vec<i32> {
    const HANG_UP: i32 = 1;
    match std::fs::read_to_string("/proc/self/status") {
        Ok(status) => ignored_in(&status),
        Err(_) if stderr_is_terminal => Vec::new(),
        Err(_) => vec![HANG_UP],
    }
}

/// Those of `/proc/PID/status` (proc_pid_status(5)).
#[cfg(unix)]
fn ignored_in(status: &str) -> Vec<i32> {
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or_default();
    (1..=64).filter(|signal| mask & (1 << (signal - 1)) != 0).collect()
}

/// The directories of PATH, in their order. Programs of a relative one depend on where one stands: kubectl
/// takes none of them.
pub fn path() -> Vec<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path).filter(|directory| directory.is_absolute()).collect()
}

/// The file that this process runs, links resolved.
pub fn program() -> io::Result<PathBuf> {
    env::current_exe()
}

/// Where krew keeps plugins: `$KREW_ROOT`, or `~/.krew`.
pub fn krew_root() -> Option<PathBuf> {
    directory("KREW_ROOT").or_else(|| Some(dirs::home_dir()?.join(".krew")))
}

/// The name of the user's shell, such as `zsh`.
pub fn shell() -> Option<String> {
    let shell = PathBuf::from(env::var_os("SHELL")?);
    Some(shell.file_name()?.to_string_lossy().into_owned())
}

/// Where bash-completion loads a command's file from by the command's name.
pub fn bash_completions() -> Option<PathBuf> {
    let of_user = directory("BASH_COMPLETION_USER_DIR");
    Some(of_user.or_else(|| Some(data_home()?.join("bash-completion")))?.join("completions"))
}

/// Where fish does, from files `COMMAND.fish`.
pub fn fish_completions() -> Option<PathBuf> {
    let config = directory("XDG_CONFIG_HOME").or_else(|| Some(dirs::home_dir()?.join(".config")))?;
    Some(config.join("fish").join("completions"))
}

/// A directory for zsh's functions of the user, and whether the environment says that zsh looks there. zsh
/// has none by itself.
pub fn zsh_functions() -> Option<(PathBuf, bool)> {
    let functions = data_home()?.join("zsh").join("site-functions");
    let fpath = env::var_os("FPATH").unwrap_or_default();
    let is_known = env::split_paths(&fpath).any(|directory| directory == functions);
    Some((functions, is_known))
}

/// As those shells have it on every system.
fn data_home() -> Option<PathBuf> {
    directory("XDG_DATA_HOME").or_else(|| Some(dirs::home_dir()?.join(".local").join("share")))
}

fn directory(variable: &str) -> Option<PathBuf> {
    env::var_os(variable).filter(|value| !value.is_empty()).map(PathBuf::from)
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn ignored_signals_are_bits_from_one_on() {
        assert_eq!(ignored_in("Name:\tx\nSigBlk:\t0000000000000002\nSigIgn:\t0000000000001001\n"), [1, 13]);
        assert_eq!(ignored_in("SigIgn:\t8000000000000000\n"), [64]);
        assert_eq!(ignored_in("Name:\tx\n"), Vec::<i32>::new());
    }
}
