//! Removes left-overs one by one. Before each, its session is looked at again.

use std::collections::BTreeMap;

use super::Args;
use crate::app::{App, CommandError};
use crate::cluster::{Cluster, Deleted, ObjectRef};
use crate::cmd::dry_run::DryRun;
use crate::exit::Exit;
use crate::model::LeftOver;
use crate::output::format::Format;

/// What may become of a left-over that is looked at again.
enum Removal {
    Done,
    /// Nothing, for a reason that is no error.
    None(String),
}

/// Removes `found`, except state that holds jobs unless it was asked for. One that fails does not stop
/// the others.
pub async fn run(
    args: &Args,
    format: &Format,
    found: &[LeftOver],
    cluster: &Cluster,
    app: &App,
) -> Result<Exit, CommandError> {
    let (kept, mut going): (Vec<&LeftOver>, Vec<&LeftOver>) = found.iter().partition(|left| args.keeps(left));
    // In 1.10 the Service of the session's name owns the rest, which would go before it is looked at.
    going.sort_by_key(|left| left.session.as_ref() == Some(&left.object.name));
    let mut exit = Exit::Done;
    for left in going {
        let removal = match args.dry_run {
            DryRun::Client => Ok(Removal::Done),
            DryRun::None | DryRun::Server => remove(left, cluster).await,
        };
        match removal {
            Ok(Removal::Done) => app.ui.data(&line(left, args.dry_run, format))?,
            Ok(Removal::None(why)) => {
                let place = match left.grants_to {
                    Some(_) => String::new(),
                    None => format!(" in namespace {}", left.object.namespace),
                };
                app.ui.note(&format!("{}{place} {why}", left.object));
            }
            Err(error) => {
                error.tell(&app.ui);
                exit = Exit::Error;
            }
        }
    }
    tell_kept(&kept, args, app);
    Ok(exit)
}

async fn remove(left: &LeftOver, cluster: &Cluster) -> Result<Removal, CommandError> {
    let namespace = &left.object.namespace;
    let failed = |error: CommandError| {
        error.while_doing(format!("cannot remove {} in namespace {namespace}", left.object))
    };
    if let Some(why) = lives(left, cluster).await.map_err(failed)? {
        return Ok(Removal::None(format!("is kept: {why}")));
    }
    let (object, version) = (ObjectRef::from(&left.object), &left.object.resource_version);
    let deleted = cluster.delete_unchanged(namespace, &object, version).await;
    Ok(match deleted.map_err(|error| failed(error.into()))? {
        Deleted::Done => Removal::Done,
        Deleted::Gone => Removal::None("is gone already".to_owned()),
        Deleted::Changed => {
            Removal::None("is kept: somebody has changed it since it was looked at".to_owned())
        }
    })
}

/// Why the session of `left` is not dead any more.
async fn lives(left: &LeftOver, cluster: &Cluster) -> Result<Option<String>, CommandError> {
    if let Some(account) = &left.grants_to {
        let users = cluster.users_of_account(&left.object.namespace, account).await?;
        return Ok(users.first().map(|user| format!("{} uses ServiceAccount {account} now", user.object)));
    }
    let Some(session) = left.session.as_ref().filter(|_| !left.is_independent) else { return Ok(None) };
    let now = cluster.signs_of_life(&left.object.namespace, session).await?;
    if let Some(hidden) = now.hidden.first() {
        let message = format!("whether session {session} is dead cannot be told");
        return Err(CommandError::new(Exit::Error, message).because(&hidden.why));
    }
    Ok(now.signs.first().map(|sign| format!("session {session} has {} now", sign.what.as_str())))
}

/// In kubectl's words.
fn line(left: &LeftOver, dry_run: DryRun, format: &Format) -> String {
    let object = &left.object;
    if matches!(format, Format::Name) {
        return format!("{object}\n");
    }
    format!("{}{}\n", ObjectRef::from(object).deleted_from(&object.namespace), dry_run.suffix())
}

/// Names the state that stays, session by session.
fn tell_kept(kept: &[&LeftOver], args: &Args, app: &App) {
    let mut sessions: BTreeMap<(&str, &str), Vec<String>> = BTreeMap::new();
    for left in kept.iter().filter(|left| left.grants_to.is_some()) {
        app.ui.warn(&format!("kept, {}: it {}", left.object, left.reason));
    }
    if kept.iter().any(|left| left.grants_to.is_some()) {
        let command = args.again(None, " --cluster-rbac --yes", app);
        app.ui.hint(&format!("{command} removes ClusterRoleBindings, too"));
    }
    for left in kept.iter().filter(|left| left.holds_state) {
        let session = left.session.as_deref().unwrap_or_default();
        sessions.entry((&left.object.namespace, session)).or_default().push(left.object.to_string());
    }
    for ((namespace, session), objects) in &sessions {
        let list = objects.join(", ");
        app.ui.warn(&format!(
            "kept, the high-availability state of session {session} in namespace {namespace}: {list}"
        ));
    }
    if !sessions.is_empty() {
        let command = args.again(None, " --purge-ha --yes", app);
        app.ui.hint(&format!("{command} removes it, too: its jobs cannot be recovered any more"));
    }
}
