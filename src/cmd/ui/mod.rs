//! `kubectl flink ui NAME`: a port of this machine that leads to a session's web UI.

mod pursuit;

use super::reach::{self, RestArgs};
use super::word::Word;
use crate::app::relay::{Relay, Trail};
use crate::app::rest::SessionRest;
use crate::app::{App, CommandError, browser};
use crate::exit::Exit;
use crate::flink::{Request, Transport};
use crate::session::SessionName;

#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  # Prints the address, and leads to the web UI until Ctrl-C
  kubectl flink ui roc

  # Shows it in the browser
  kubectl flink ui roc --open

  # At an address that stays the same
  kubectl flink ui roc --port 8081")]
pub struct Args {
    /// Name of the session
    #[arg(add = Word::Session)]
    name: String,

    /// Port of 127.0.0.1 to listen on [default: a free one]
    #[arg(long, value_name = "PORT", conflicts_with = "address")]
    port: Option<u16>,

    /// Open the web UI in the browser
    #[arg(long)]
    open: bool,

    #[command(flatten)]
    rest: RestArgs,
}

pub async fn run(args: Args, app: &App) -> Result<Exit, CommandError> {
    // A wrong name is the user's first concern, and a busy port needs no cluster to be told.
    SessionName::existing(&args.name)?;
    let relay = Relay::bind(args.port).await?;
    let reached = reach::session(&args.rest, &args.name, app).await?;
    let (Some(cluster), None) = (&reached.cluster, &reached.address) else {
        // The page names its parts relative to a directory.
        let url = reached.address.map(|address| format!("{address}/")).unwrap_or_default();
        show(&url, None, args.open, app).await?;
        return Ok(Exit::Done);
    };
    let trail = Trail::new(pursuit::forwarded(&reached).await?);
    let shown = async {
        let url = answered(&relay, reached.rest.speaks_tls()).await?;
        show(&url, Some(&reached.name), args.open, app).await?;
        std::future::pending().await
    };
    tokio::select! {
        // Ends with Ctrl-C, which must not wait for anything.
        biased;
        ended = pursuit::pursue(&reached, cluster, &trail, app) => ended,
        failed = shown => failed,
        () = async { relay.serve(&trail).await } => Ok(Exit::Done),
    }
}

/// The URL, once REST has answered there as it will answer a browser.
async fn answered(relay: &Relay, is_tls: bool) -> Result<String, CommandError> {
    let plain = format!("http://{}", relay.address());
    let unusable =
        |why: String| CommandError::new(Exit::Error, format!("nothing answers at {plain}")).because(why);
    let address = plain.parse().map_err(|error| unusable(format!("{error}")))?;
    // One that speaks TLS answers this with a redirect: also an answer.
    let rest = SessionRest::at_address(address, Default::default());
    rest.send(Request::get("/overview")).await.map_err(|error| unusable(error.to_string()))?;
    Ok(if is_tls { format!("https://{}/", relay.address()) } else { format!("{plain}/") })
}

/// Prints where the web UI is. A browser that cannot be opened leaves the user to open one.
async fn show(
    url: &str,
    until_ctrl_c: Option<&SessionName>,
    opens: bool,
    app: &App,
) -> Result<(), CommandError> {
    app.ui.data(url)?;
    if let Some(name) = until_ctrl_c {
        app.ui.status(&format!("The web UI of session {name} is there until Ctrl-C."));
    }
    if opens && let Err(why) = browser::open(url.to_owned()).await {
        app.ui.warn(&format!("no browser can be opened: {why}"));
    }
    Ok(())
}
