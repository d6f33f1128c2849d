//! How commands that remove objects are told to, and tell: as kubectl's own delete.

use super::dry_run::DryRun;
use crate::app::{App, CommandError};
use crate::cluster::ObjectRef;

#[derive(clap::Args)]
pub struct Removal {
    /// Show what would go, and remove nothing: client only looks, server lets the API server try
    #[arg(long, value_name = "WHERE", value_enum, default_value = "none", hide_default_value = true,
          num_args = 0..=1, require_equals = true, default_missing_value = "client")]
    pub dry_run: DryRun,

    /// Print only the names of what is removed
    #[arg(short, long, value_name = "FORMAT", value_enum)]
    output: Option<Output>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Output {
    Name,
}

impl Removal {
    /// Says that an object has gone, or would.
    pub fn removed(&self, object: &ObjectRef, namespace: &str, app: &App) -> Result<(), CommandError> {
        let line = match self.output {
            Some(Output::Name) => object.to_string(),
            None => format!("{}{}", object.deleted_from(namespace), self.dry_run.suffix()),
        };
        Ok(app.ui.data(&format!("{line}\n"))?)
    }

    /// Says what else has been done. Names stand alone on stdout.
    pub fn line(&self, line: &str, app: &App) -> Result<(), CommandError> {
        match self.output {
            Some(Output::Name) => app.ui.note(line),
            None => app.ui.data(&format!("{line}\n"))?,
        }
        Ok(())
    }
}
