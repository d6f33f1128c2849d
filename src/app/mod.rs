//! What every command stands on: the open door to the user, the cluster, the waiter, the errors.

pub mod duration;
pub mod error;
pub mod rest;
pub mod wait;

use crate::cluster::{self, Cluster, Options};
use crate::output::Ui;

pub use error::CommandError;

/// Everything that a command gets besides its own arguments.
pub struct App {
    pub ui: Ui,
    options: Options,
}

impl App {
    pub fn new(ui: Ui, options: Options) -> Self {
        Self { ui, options }
    }

    /// The cluster that the flags choose. Nothing is asked of it yet.
    pub async fn cluster(&self) -> Result<Cluster, CommandError> {
        cluster::connect(&self.options)
            .await
            .map_err(|error| CommandError::from(error).hint("kubectl config get-contexts"))
    }

    /// The flags that a command in a hint needs to reach the same place, with a space in front.
    pub fn scope_flags(&self) -> String {
        self.options.scope()
    }
}
