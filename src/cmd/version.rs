//! `kubectl flink version`: this program, what it supports, and the server.

use std::time::Duration;

use crate::app::{App, CommandError};
use crate::exit::Exit;
use crate::session::version;

#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  kubectl flink version
  kubectl flink version --client")]
pub struct Args {
    /// Do not ask the server
    #[arg(long)]
    client: bool,
}

/// The server's part is a courtesy: it may not take long.
const PATIENCE: Duration = Duration::from_secs(3);

pub async fn run(args: Args, app: &App) -> Result<Exit, CommandError> {
    app.ui.data(&format!(
        "Client Version: v{}\nFlink: {} to {}\nKubernetes: v1.27 and later",
        env!("CARGO_PKG_VERSION"),
        version::OLDEST,
        version::NEWEST
    ))?;
    if args.client {
        return Ok(Exit::Done);
    }
    let asked = tokio::time::timeout(PATIENCE, async {
        Ok::<_, CommandError>(app.cluster().await?.server_version().await?)
    });
    match asked.await {
        Ok(Ok(server)) => app.ui.data(&format!("Server Version: {server}"))?,
        Ok(Err(error)) => app.ui.warn(&error.to_string()),
        Err(_) => app.ui.warn(&format!("the server did not answer within {} s", PATIENCE.as_secs())),
    }
    Ok(Exit::Done)
}
