//! A jar on its way into a session, under a name of this program's own, and out of it again.
//!
//! Users name a jar as their file system allows: with `+`, `%` or `?`, with letters of any language, with 250 of them. In
//! the session the name becomes a part of a file's name and of URLs, which clients, proxies and Flink decode each in
//! their own way. Therefore the name of the file never travels as it is; see [`name_there`].

use std::time::Duration;

use tokio::time::Instant;

use super::start::Submission;
use crate::app::{CommandError, id};
use crate::cmd::reach::Reached;
use crate::exit::Exit;
use crate::flink::{self, JarId, RestError};

/// How often an upload, or a request that did not arrive, is tried.
pub const TRIES: u32 = 3;

/// How long a JobManager that has gone is waited for before something is sent again.
const COME_BACK: Duration = Duration::from_secs(90);

/// How long the removal of what may have arrived of a failed upload takes at most.
const LAST_MOMENT: Duration = Duration::from_secs(3);

/// A jar that lies in the session.
#[derive(Clone, Debug)]
pub struct Uploaded {
    pub id: JarId,
    /// What it is called there. No other jar has this name.
    name: String,
    /// An upload was repeated, so that the session may have this jar more than once.
    may_be_twice: bool,
}

impl Uploaded {
    /// Removes the jar, and every copy of it.
    ///
    /// # Errors
    /// Those of the request that removes the jar itself.
    pub async fn remove(&self, reached: &Reached) -> Result<(), RestError> {
        let removed = flink::remove_jar(&reached.rest, &self.id).await;
        if self.may_be_twice {
            remove_named(reached, &self.name).await;
        }
        removed
    }

    /// `text` from the session, with the name that the user knows in place of the jar's name and path there.
    pub fn with_local_name(&self, text: &str, local: &str) -> String {
        let ends = |c: char| c.is_whitespace() || "'\"`([<=".contains(c);
        let mut told = String::new();
        let mut rest = text;
        while let Some(at) = rest.find(self.id.as_str()) {
            let before = &rest[..at];
            let start = before
                .rfind(ends)
                .map_or(0, |start| start + before[start..].chars().next().map_or(0, char::len_utf8));
            told += &before[..start];
            told += local;
            rest = &rest[at + self.id.as_str().len()..];
        }
        (told + rest).replace(&self.name, local)
    }
}

/// Removes every jar of this name that has arrived in the session.
pub async fn remove_named(reached: &Reached, name: &str) {
    let jars = flink::jars(&reached.rest).await.unwrap_or_default();
    for jar in jars.into_iter().filter(|jar| jar.name == name) {
        if let Err(error) = flink::remove_jar(&reached.rest, &jar.id).await {
            tracing::debug!(%error, jar = jar.id.as_str(), "the jar stays in the session");
        }
    }
}

/// Brings the jar into the session. `begun` receives the name that it gets there, before the first byte is sent.
///
/// # Errors
/// When the file cannot be read, and when the session accepts no jars or cannot be reached.
pub async fn upload(submission: &Submission<'_>, begun: impl FnOnce(&str)) -> Result<Uploaded, CommandError> {
    // A jar of hundreds of megabytes need not travel to learn that.
    if let Ok(Some(false)) = flink::takes_jars(&submission.reached.rest).await {
        return Err(takes_none(submission.reached));
    }
    let name = name_there(&submission.jar.name)?;
    begun(&name);
    let mut is_in_doubt = false;
    let uploaded = sent(submission, &name, &mut is_in_doubt).await;
    if uploaded.is_err() && is_in_doubt {
        let removed = remove_named(submission.reached, &name);
        drop(tokio::time::timeout(LAST_MOMENT, removed).await);
    }
    uploaded
}

/// What sessions without `web.submit.enable` answer to an upload: see [`flink::takes_jars`].
fn takes_no_jars(error: &RestError) -> bool {
    let says = |error: &RestError| matches!(error, RestError::Status { errors, .. } if errors.contains(flink::NO_UPLOADS));
    error.is_not_found() || says(error)
}

fn takes_none(reached: &Reached) -> CommandError {
    let what = format!("session {} takes no jars: web.submit.enable is false", reached.name);
    let error = CommandError::new(Exit::Error, what);
    error.hint("create a session without -D web.submit.enable=false, and submit the jar there")
}

async fn sent(
    submission: &Submission<'_>,
    name: &str,
    is_in_doubt: &mut bool,
) -> Result<Uploaded, CommandError> {
    let Submission { reached, jar, app, .. } = submission;
    let rest = &reached.rest;
    let mut tries = 1..=TRIES;
    loop {
        let unreadable = |error: &dyn std::fmt::Display| CommandError::new(Exit::Error, error.to_string());
        let file = jar.open().map_err(|error| unreadable(&error))?;
        // It may have been built anew since it was looked at.
        let bytes = file.metadata().map_err(|error| unreadable(&error))?.len();
        let transfer = app.ui.transfer(&jar.name, bytes);
        let sending = flink::Jar { file, bytes, name: name.to_owned(), sent: transfer.listener() };
        let error = match flink::upload(rest, sending).await {
            Ok(id) => {
                transfer.done();
                return Ok(Uploaded { id, name: name.to_owned(), may_be_twice: *is_in_doubt });
            }
            Err(error) => error,
        };
        drop(transfer);
        // An answer that is not understood may be that of an upload that is complete.
        *is_in_doubt |= error.leaves_doubt() || matches!(error, RestError::Answer(_));
        if takes_no_jars(&error) {
            return Err(takes_none(reached));
        }
        tries.next();
        let may_try_again = error.leaves_doubt() || matches!(error, RestError::Unreachable(_));
        if !may_try_again || tries.is_empty() {
            return Err(reached.error(&error, format!("cannot upload {}", jar.path.display())));
        }
        come_back(submission).await?;
        // Only the answer may have been lost: a jar is listed once it is complete.
        let now = match flink::jars(rest).await {
            // An answer that came before the end of the jar may have been lost with the connection.
            Err(error) if error.is_not_found() => return Err(takes_none(reached)),
            now => now.unwrap_or_default(),
        };
        if let Some(ours) = now.into_iter().find(|other| other.name == name) {
            return Ok(Uploaded { id: ours.id, name: name.to_owned(), may_be_twice: true });
        }
        app.ui.warn(&format!("the upload of {} broke off ({error}); it is sent again", jar.name));
    }
}

/// What the jar is called in the session: `kubectl-flink-`, eight random digits, and of the local name what can
/// stand in a URL as it is, at most [`LONGEST_STEM`] characters of it. Flink accepts only names that end in `.jar`
/// (`JarUploadHandler`), and lists a jar by what follows the first `_` of its file's name (`JarListHandler`), in front
/// of which it puts a UUID.
fn name_there(local: &str) -> Result<String, CommandError> {
    Ok(safe_name(&id::digits()?[..8], local))
}

/// So many characters of the local name are kept, so that the name is short and can be recognized.
const LONGEST_STEM: usize = 40;

fn safe_name(unique: &str, local: &str) -> String {
    let stem = local.strip_suffix(".jar").unwrap_or(local);
    let is_safe = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    let kept: String = stem.chars().filter(|c| is_safe(*c)).take(LONGEST_STEM).collect();
    match kept.trim_matches(|c: char| !c.is_ascii_alphanumeric()) {
        "" => format!("kubectl-flink-{unique}.jar"),
        kept => format!("kubectl-flink-{unique}-{kept}.jar"),
    }
}

/// Waits until REST answers again.
///
/// # Errors
/// When it does not within [`COME_BACK`], when the way to it is closed to this user, and when another session has the name:
/// the first one does not come back.
pub async fn come_back(submission: &Submission<'_>) -> Result<(), CommandError> {
    let reached = submission.reached;
    let end = Instant::now() + COME_BACK;
    loop {
        match flink::overview(&reached.rest).await {
            Ok(_) => return Ok(()),
            Err(error @ RestError::Forbidden(_)) => {
                return Err(reached.error(&error, "the way to REST is closed"));
            }
            Err(error @ RestError::MadeAnew(_)) => {
                let what = format!("the session {} that was asked first is gone", reached.name);
                return Err(reached.error(&error, what));
            }
            Err(error) if Instant::now() > end => {
                let what = format!("REST of session {} does not answer any more", reached.name);
                return Err(reached.error(&error, what));
            }
            Err(error) => tracing::debug!(%error, "REST does not answer"),
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_in_the_session_is_short_and_holds_nothing_that_a_url_changes() {
        for (local, there) in [
            ("orders-1.4.jar", "kubectl-flink-0a1b2c3d-orders-1.4.jar"),
            ("a+b%2Bc?d#e&f.jar", "kubectl-flink-0a1b2c3d-ab2Bcdef.jar"),
            ("my \"best\" \\ job\n.jar", "kubectl-flink-0a1b2c3d-mybestjob.jar"),
            ("Bestellungen-ä.jar", "kubectl-flink-0a1b2c3d-Bestellungen.jar"),
            ("订单.jar", "kubectl-flink-0a1b2c3d.jar"),
            ("...hidden.JAR", "kubectl-flink-0a1b2c3d-hidden.JAR.jar"),
            ("no-suffix", "kubectl-flink-0a1b2c3d-no-suffix.jar"),
            (".jar", "kubectl-flink-0a1b2c3d.jar"),
        ] {
            assert_eq!(safe_name("0a1b2c3d", local), there, "{local:?}");
        }
        let long = safe_name("0a1b2c3d", &("x".repeat(250) + ".jar"));
        assert_eq!(long.len(), "kubectl-flink-0a1b2c3d-.jar".len() + LONGEST_STEM);
    }

    #[test]
    fn what_the_session_says_of_the_jar_names_the_file_that_the_user_knows() {
        let name = "kubectl-flink-0a1b2c3d-ab.jar".to_owned();
        let uploaded = Uploaded { id: JarId::of(&name), name, may_be_twice: false };
        let told = |text: &str| uploaded.with_local_name(text, "a+b.jar");
        assert_eq!(
            told(
                "JAR file can't be read '/tmp/flink-web-1/flink-web-upload/c27e0000-0000-4000-8000-000000000000_kubectl-flink-0a1b2c3d-ab.jar'"
            ),
            "JAR file can't be read 'a+b.jar'"
        );
        assert_eq!(told("kubectl-flink-0a1b2c3d-ab.jar is bad"), "a+b.jar is bad");
        assert_eq!(told(&format!("no jar: é {}", uploaded.id.as_str())), "no jar: é a+b.jar");
        assert_eq!(told("another"), "another");
    }
}
