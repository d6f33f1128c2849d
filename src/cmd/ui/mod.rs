//! `kubectl flink ui NAME`: a port of this machine that leads to a session's web UI.

mod pursuit;

use super::number;
use super::reach::{self, RestArgs};
use super::word::Word;
use crate::app::relay::{AcceptedHost, Guard, Relay, Trail};
use crate::app::rest::SessionRest;
use crate::app::{App, CommandError, browser};
use crate::exit::Exit;
use crate::flink::{Request, RestPath, Transport};
use crate::session::SessionName;

#[derive(clap::Args)]
#[command(after_help = "\
The port accepts requests from Flink's own page and from programs. It refuses requests from pages of
other sites with 403: Flink's REST API runs code for anyone who can reach it. Other users of this
machine can reach the port while the command runs.

Examples:
  # Prints the address, and leads to the web UI until Ctrl-C
  kubectl flink ui roc

  # Shows it in the browser
  kubectl flink ui roc --open

  # At an address that stays the same
  kubectl flink ui roc --port 8081

  # Behind a proxy on this machine that is reached as dev.example.com
  kubectl flink ui roc --port 8081 --accept-hosts dev.example.com")]
pub struct Args {
    /// Name of the session
    #[arg(add = Word::Session)]
    name: String,

    /// Port of 127.0.0.1 to listen on [default: a free one]
    #[arg(long, value_name = "PORT", conflicts_with = "address", value_parser = number::within(0..=u16::MAX))]
    port: Option<u16>,

    /// Hosts to accept in requests besides localhost, 127.0.0.1 and [::1]: names or regular expressions, separated by commas
    #[arg(long, value_name = "HOSTS", value_delimiter = ',', conflicts_with = "address")]
    accept_hosts: Vec<AcceptedHost>,

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
    let reached = reach::session_to_show(&args.rest, &args.name, app).await?;
    let (Some(cluster), None) = (&reached.cluster, &reached.address) else {
        // The page names its parts relative to a directory.
        let url = reached.address.map(|address| format!("{address}/")).unwrap_or_default();
        show(&url, None, args.open, app).await?;
        return Ok(Exit::Done);
    };
    let trail = Trail::new(pursuit::forwarded(&reached).await?);
    let shown = async {
        let url = answered(&relay).await?;
        show(&url, Some(&reached.name), args.open, app).await?;
        std::future::pending().await
    };
    tokio::select! {
        // Ends with Ctrl-C, which must not wait for anything.
        biased;
        ended = pursuit::pursue(&reached, cluster, &trail, app) => ended,
        failed = shown => failed,
        () = async { relay.serve(&trail, Guard::new(args.accept_hosts)).await } => Ok(Exit::Done),
    }
}

/// The URL, once REST has answered there as it will answer a browser.
async fn answered(relay: &Relay) -> Result<String, CommandError> {
    let url = format!("http://{}", relay.address());
    let unusable =
        |why: String| CommandError::new(Exit::Error, format!("nothing answers at {url}")).because(why);
    let address = url.parse().map_err(|error| unusable(format!("{error}")))?;
    let rest = SessionRest::at_address(address, Default::default());
    let answer = rest
        .send(Request::get(RestPath::of(["overview"])))
        .await
        .map_err(|error| unusable(error.to_string()))?;
    if answer.status != 200 {
        let text = String::from_utf8_lossy(&answer.body).trim().to_owned();
        return Err(unusable(format!("HTTP {}: {text}", answer.status)));
    }
    Ok(url + "/")
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
