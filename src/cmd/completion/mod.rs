//! `kubectl flink completion`, and the answers to those who complete a line: kubectl, by way of
//! `kubectl_complete-flink`, and the scripts that are printed here.

mod answer;
mod install;
mod line;
mod names;
mod scripts;

use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use clap::Command;

use self::scripts::Shell;
use crate::app::programs::Programs;
use crate::app::{App, CommandError, room};
use crate::exit::Exit;

#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  # Once: what kubectl flink <TAB> needs
  kubectl flink completion install

  # For the direct name, kubectl-flink <TAB>, in this bash
  source <(kubectl-flink completion bash)")]
pub struct Args {
    #[command(subcommand)]
    what: Option<What>,
}

#[derive(clap::Subcommand)]
enum What {
    /// Print the script that completes kubectl-flink in bash
    Bash,
    /// Print the one for fish
    Fish,
    /// Print the one for PowerShell
    Powershell,
    /// Print the one for zsh
    Zsh,
    /// Set up what kubectl flink <TAB> needs
    Install(install::Args),
}

/// The command that scripts ask; it stands in no help. The words of the line follow, the last being the one
/// under the cursor.
pub const ASK: &str = "__complete";

/// The name under which kubectl looks for who completes the line.
pub const COMPLETER: &str = "kubectl_complete-flink";

/// How long somebody waits who has pressed Tab.
const PATIENCE: Duration = Duration::from_millis(900);

pub async fn run(args: Args, app: &App) -> Result<Exit, CommandError> {
    let programs = Programs::from_env().map_err(|error| {
        CommandError::new(Exit::Error, format!("cannot find out where this program is: {error}"))
    })?;
    let shell = match &args.what {
        Some(What::Bash) => Shell::Bash,
        Some(What::Fish) => Shell::Fish,
        Some(What::Powershell) => Shell::Powershell,
        Some(What::Zsh) => Shell::Zsh,
        Some(What::Install(args)) => return install::run(args, &programs, app),
        None => {
            return Err(CommandError::new(Exit::Error, "name a shell: bash, fish, powershell or zsh")
                .hint("kubectl flink completion install sets up kubectl flink <TAB>"));
        }
    };
    app.ui.raw(&shell.script(&programs.this().to_string_lossy()))?;
    Ok(Exit::Done)
}

/// Answers what may come at the end of `words`, in time and whatever happens. A client that connects, or a
/// program that fetches credentials, may not give the thread back that waits for it: so it has one of
/// its own, which ends with the process.
pub fn complete(
    root: Command,
    words: Vec<String>,
    app: impl FnOnce(Vec<String>) -> Option<App> + Send + 'static,
) -> String {
    let (tell, told) = mpsc::channel();
    let asking = thread::Builder::new().spawn(move || {
        let Ok(runtime) = room::runtime() else { return };
        if let Ok(answer) = runtime.block_on(answer::answer(root, &words, app)) {
            // Whoever has stopped waiting needs none.
            let _ = tell.send(answer);
        }
    });
    let answer = asking.ok().and_then(|_| told.recv_timeout(PATIENCE).ok());
    answer.unwrap_or_else(|| answer::NOTHING.to_owned())
}
