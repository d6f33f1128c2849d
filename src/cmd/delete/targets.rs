//! Which sessions are meant: by name, by label, or all.

use super::Args;
use crate::app::{App, CommandError};
use crate::cluster::{Cluster, Query, Scope};
use crate::cmd::ls;
use crate::exit::Exit;
use crate::session::SessionName;

/// The names that were typed, each once; none where sessions are looked for.
pub fn typed(args: &Args, app: &App) -> Result<Option<Vec<SessionName>>, CommandError> {
    let mut names: Vec<SessionName> = Vec::new();
    for word in &args.names {
        let is_directory = args.ending.has_bare_savepoint() && word.contains(['/', ':']);
        let name = SessionName::existing(word).map_err(|error| match is_directory {
            true => CommandError::new(Exit::Error, error.to_string())
                .hint(format!("a directory goes with an equals sign: --savepoint={word}")),
            false => CommandError::from(error),
        })?;
        if !names.contains(&name) {
            names.push(name);
        }
    }
    if args.ending.has_address() && names.len() != 1 {
        return Err(CommandError::new(Exit::Error, "--address is that of one session: name it"));
    }
    if args.purge_ha && !args.wait {
        return Err(CommandError::new(
            Exit::Error,
            "--purge-ha needs the wait: it comes when no pod is left",
        )
        .hint("leave --wait=false out"));
    }
    if args.selector.as_ref().is_some_and(|selector| selector.trim().is_empty()) {
        return Err(CommandError::new(
            Exit::Error,
            "an empty selector means every session: say --all for that",
        ));
    }
    match (names.is_empty(), args.all || args.selector.is_some()) {
        (true, true) => Ok(None),
        (true, false) => {
            Err(CommandError::new(Exit::Error, "delete needs a session: name one, or say --all")
                .hint(format!("kubectl flink ls{}", app.scope_flags())))
        }
        (false, _) => Ok(Some(names)),
    }
}

/// The sessions that a selector, or `--all`, means. Those of a part that may not be seen are not known.
pub async fn found(args: &Args, cluster: &Cluster, app: &App) -> Result<Vec<SessionName>, CommandError> {
    let query = Query {
        scope: Scope::Namespace(cluster.namespace().to_owned()),
        names: Vec::new(),
        selector: args.selector.clone(),
        with_owners: true,
    };
    let found = cluster.sessions(&query).await?;
    ls::tell_missing(&found.missing, app);
    if found.views.is_empty() {
        app.ui.note("No resources found");
    }
    found.views.iter().map(|view| SessionName::existing(&view.name).map_err(CommandError::from)).collect()
}
