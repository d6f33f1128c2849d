//! `kubectl flink completion install`: a name for kubectl to ask, and on request a script for a shell.

use std::path::{Path, PathBuf};

use clap::ValueEnum;

use super::COMPLETER;
use super::scripts::{MARK, Shell};
use crate::app::placing::{self, PlaceError, Placed};
use crate::app::programs::{self, Programs};
use crate::app::{App, CommandError};
use crate::exit::Exit;
use crate::session::text::shell::quoted;

#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  # For kubectl flink <TAB>
  kubectl flink completion install

  # For kubectl-flink <TAB>, too, in the shell that $SHELL names
  kubectl flink completion install auto")]
pub struct Args {
    /// Shell in which the direct name kubectl-flink is completed, too
    shell: Option<For>,

    /// Write nothing: say what would be done
    #[arg(long)]
    dry_run: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum For {
    /// The one that $SHELL names
    Auto,
    Bash,
    Fish,
    Powershell,
    Zsh,
}

const AGAIN: &str = "kubectl flink completion install";

pub fn run(args: &Args, programs: &Programs, app: &App) -> Result<Exit, CommandError> {
    // What is wrong with the shell is said before anything is written.
    let direct = args.shell.map(|shell| shell_of(shell, app)).transpose()?;
    let Some(plugin) = programs.plugin() else { return Err(not_found(programs)) };
    let at = place(programs, &plugin)?;
    let placed = link(&at, &plugin, args.dry_run).map_err(|error| told(error, AGAIN))?;
    say(&format!("{}, a link to {}", at.display(), plugin.display()), placed, args, app)?;
    if let Some(shell) = direct {
        script(shell, &plugin, args, app)?;
    }
    let shell = direct.or_else(|| Shell::named(&app.shell()?)).unwrap_or(Shell::Bash);
    app.ui.hint(&format!(
        "kubectl flink <TAB> needs kubectl's own completion in the shell, in {}: {}",
        shell.name(),
        shell.kubectls()
    ));
    Ok(Exit::Done)
}

fn shell_of(wanted: For, app: &App) -> Result<Shell, CommandError> {
    let named = match wanted {
        For::Bash => return Ok(Shell::Bash),
        For::Fish => return Ok(Shell::Fish),
        For::Powershell => return Ok(Shell::Powershell),
        For::Zsh => return Ok(Shell::Zsh),
        For::Auto => app.shell(),
    };
    let what = match &named {
        Some(name) => format!("$SHELL is {name}, for which there is no completion"),
        None => "$SHELL names no shell".to_owned(),
    };
    named
        .and_then(|name| Shell::named(&name))
        .ok_or_else(|| CommandError::new(Exit::Error, what).hint(format!("{AGAIN} bash|fish|powershell|zsh")))
}

fn not_found(programs: &Programs) -> CommandError {
    let this = programs.this();
    let told = CommandError::new(Exit::Error, "kubectl does not find this plugin")
        .because("no directory of PATH has a program kubectl-flink");
    match this.parent() {
        Some(directory) => told.hint(format!("export PATH={}:$PATH", quoted(&directory.to_string_lossy()))),
        None => told,
    }
}

/// Where the link goes: where kubectl would find one first that is ours or in the way; else beside the
/// plugin; else into the first directory of PATH that can be written to.
fn place(programs: &Programs, plugin: &Path) -> Result<PathBuf, CommandError> {
    let beside = plugin.parent().map(Path::to_path_buf);
    let writable = || programs.path.iter().find(|directory| placing::may_write(directory)).cloned();
    let chosen = beside.clone().filter(|directory| placing::may_write(directory)).or_else(writable);
    let name = file_name();
    let there = |directory: &&PathBuf| placing::is_taken(&directory.join(&name));
    let ends_at = |directory: &&PathBuf| Some(*directory) != chosen.as_ref();
    let earlier = programs.path.iter().take_while(ends_at).find(there);
    match earlier.cloned().or(chosen) {
        Some(directory) => Ok(directory.join(name)),
        None => {
            let at = beside.unwrap_or_default().join(name);
            Err(CommandError::new(Exit::Error, "no directory of PATH can be written to").hint(format!(
                "sudo ln -s {} {}",
                quoted(&plugin.to_string_lossy()),
                quoted(&at.to_string_lossy())
            )))
        }
    }
}

fn file_name() -> String {
    if cfg!(windows) { format!("{COMPLETER}.cmd") } else { COMPLETER.to_owned() }
}

#[cfg(unix)]
fn link(at: &Path, plugin: &Path, dry: bool) -> Result<Placed, PlaceError> {
    placing::link(at, plugin, dry)
}

/// Links need rights there that users lack.
#[cfg(not(unix))]
fn link(at: &Path, plugin: &Path, dry: bool) -> Result<Placed, PlaceError> {
    let plugin = plugin.display().to_string().replace('%', "%%");
    let text = format!("@rem {MARK} install\r\n@\"{plugin}\" {} %*\r\n", super::ASK);
    placing::write(at, &text, MARK, dry)
}

/// Writes the script to where the shell loads it from by itself, or says how it comes there.
fn script(shell: Shell, plugin: &Path, args: &Args, app: &App) -> Result<(), CommandError> {
    let place = match shell {
        Shell::Bash => programs::bash_completions().map(|directory| directory.join("kubectl-flink")),
        Shell::Fish => programs::fish_completions().map(|directory| directory.join("kubectl-flink.fish")),
        Shell::Zsh => programs::zsh_functions().map(|(directory, _)| directory.join("_kubectl-flink")),
        Shell::Powershell => {
            let line = "kubectl-flink completion powershell | Out-String | Invoke-Expression";
            app.ui.hint(&format!("kubectl-flink <TAB> needs this line in $PROFILE: {line}"));
            return Ok(());
        }
    };
    let Some(at) = place else {
        return Err(CommandError::new(Exit::Error, "there is no home directory for the script")
            .hint(format!("kubectl flink completion {} prints it", shell.name())));
    };
    let text = shell.script(&plugin.to_string_lossy());
    let again = format!("{AGAIN} {}", shell.name());
    let placed = placing::write(&at, &text, MARK, args.dry_run).map_err(|error| told(error, &again))?;
    say(
        &format!("{}, the completion of kubectl-flink in {}", at.display(), shell.name()),
        placed,
        args,
        app,
    )?;
    if let (Shell::Zsh, Some((directory, false))) = (shell, programs::zsh_functions()) {
        app.ui.hint(&format!(
            "kubectl-flink <TAB> needs this line in ~/.zshrc, in front of compinit: fpath=({} $fpath)",
            directory.display()
        ));
    }
    Ok(())
}

fn told(error: PlaceError, again: &str) -> CommandError {
    let message = error.to_string();
    match error {
        PlaceError::Foreign(path) => CommandError::new(Exit::Refused, message)
            .hint(format!("if nobody needs it: rm {} && {again}", quoted(&path.to_string_lossy()))),
        PlaceError::Io { .. } => CommandError::new(Exit::Error, message).hint(format!("{again} --dry-run")),
    }
}

fn say(what: &str, placed: Placed, args: &Args, app: &App) -> Result<(), CommandError> {
    let did = match placed {
        Placed::New => "made",
        Placed::Renewed => "renewed",
        Placed::Unchanged => "left as it is:",
    };
    let dry = if args.dry_run { " (dry run)" } else { "" };
    Ok(app.ui.data(&format!("{did} {what}{dry}\n"))?)
}
