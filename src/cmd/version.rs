//! `kubectl flink version`: this program, what it supports, and the server.

use std::time::Duration;

use serde_json::json;

use crate::app::{App, CommandError};
use crate::cluster::ServerVersion;
use crate::cmd::word::Word;
use crate::exit::Exit;
use crate::output::format::{InvalidFormat, ObjectFormat};
use crate::output::objects;
use crate::session::spec::version;

#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  kubectl flink version

  # In a script, without a server
  kubectl flink version --client -o json")]
pub struct Args {
    /// Do not ask the server
    #[arg(long)]
    client: bool,

    /// Form of the output: json or yaml
    #[arg(short, long, value_name = "FORMAT", value_parser = format, add = Word::OneOf(&["json", "yaml"]))]
    output: Option<ObjectFormat>,
}

fn format(word: &str) -> Result<ObjectFormat, InvalidFormat> {
    match word {
        "json" => Ok(ObjectFormat::Json),
        "yaml" => Ok(ObjectFormat::Yaml),
        other => Err(InvalidFormat::Unknown { format: other.to_owned(), allowed: "json,yaml" }),
    }
}

/// The server's part is a courtesy: it may not take long.
const PATIENCE: Duration = Duration::from_secs(3);

/// The oldest minor version of Kubernetes 1 that is supported; later ones are.
const OLDEST_KUBERNETES: u32 = 27;

/// What the program was built from; empty where nobody knows (see build.rs).
const COMMIT: &str = env!("KUBECTL_FLINK_COMMIT");
const TARGET: &str = env!("KUBECTL_FLINK_TARGET");
const VERSION: &str = concat!("v", env!("CARGO_PKG_VERSION"));

pub async fn run(args: Args, app: &App) -> Result<Exit, CommandError> {
    let server = match args.client {
        true => None,
        false => server(app).await,
    };
    match args.output {
        Some(format) => {
            let text = objects::render(&[document(server.as_ref())], format)
                .map_err(|error| CommandError::new(Exit::Error, error))?;
            app.ui.data(text.trim_end())?;
        }
        None => app.ui.data(&lines(server.as_ref()))?,
    }
    if let Some(server) = server.filter(|server| !is_supported(server)) {
        app.ui.warn(&format!(
            "the server has Kubernetes {}, which is older than v1.{OLDEST_KUBERNETES}, the oldest that is supported",
            server.git_version
        ));
    }
    Ok(Exit::Done)
}

/// None, with a warning that says why, when it does not answer in time.
async fn server(app: &App) -> Option<ServerVersion> {
    let asked = tokio::time::timeout(PATIENCE, async {
        Ok::<_, CommandError>(app.cluster().await?.server_version().await?)
    });
    match asked.await {
        Ok(Ok(server)) => Some(server),
        Ok(Err(error)) => {
            app.ui.warn(&error.to_string());
            None
        }
        Err(_) => {
            app.ui.warn(&format!("the server did not answer within {} s", PATIENCE.as_secs()));
            None
        }
    }
}

fn lines(server: Option<&ServerVersion>) -> String {
    let mut lines = vec![format!("Client Version: {VERSION}")];
    if !COMMIT.is_empty() {
        lines.push(format!("Commit: {COMMIT}"));
    }
    lines.push(format!("Target: {TARGET}"));
    lines.push(format!("Flink: {} to {}", version::OLDEST, version::NEWEST));
    lines.push(format!("Kubernetes: v1.{OLDEST_KUBERNETES} and later"));
    if let Some(server) = server {
        lines.push(format!("Server Version: {}", server.git_version));
    }
    lines.join("\n")
}

/// As `kubectl version` names things.
fn document(server: Option<&ServerVersion>) -> serde_json::Value {
    let mut document = json!({
        "clientVersion": {"gitVersion": VERSION, "gitCommit": COMMIT, "target": TARGET},
        "supported": {
            "flink": {"oldest": version::OLDEST.to_string(), "newest": version::NEWEST.to_string()},
            "kubernetes": {"oldest": format!("1.{OLDEST_KUBERNETES}")},
        },
    });
    if let Some(ServerVersion { major, minor, git_version, platform }) = server {
        document["serverVersion"] =
            json!({"major": major, "minor": minor, "gitVersion": git_version, "platform": platform});
    }
    document
}

/// True also where nobody can tell. Providers write a minor version as `27+`.
fn is_supported(server: &ServerVersion) -> bool {
    let number = |text: &str| text.trim_end_matches('+').parse::<u32>().ok();
    match (number(&server.major), number(&server.minor)) {
        (Some(1), Some(minor)) => minor >= OLDEST_KUBERNETES,
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_older_server_is_told_apart() {
        let of = |major: &str, minor: &str| ServerVersion {
            major: major.to_owned(),
            minor: minor.to_owned(),
            ..ServerVersion::default()
        };
        for (major, minor, supported) in
            [("1", "26", false), ("1", "26+", false), ("1", "27", true), ("1", "34+", true), ("", "", true)]
        {
            assert_eq!(is_supported(&of(major, minor)), supported, "{major}.{minor}");
        }
    }
}
