//! The one waiter: looks, and looks again when something has changed or some time has passed.

use std::time::Duration;

use futures::{Stream, StreamExt};
use tokio::time::Instant;

use super::CommandError;
use super::interrupt::{self, LAST_WORDS};
use crate::exit::Exit;

/// What one look found.
pub enum Look<T> {
    Done(T),
    /// Look again on a change, at the latest after this time.
    Again(Duration),
}

/// How a wait ended.
pub enum Waited<T> {
    Done(T),
    TimedOut,
    /// By a signal, such as Ctrl-C.
    Interrupted,
}

/// Between looks that the server did not answer.
const PAUSE_AFTER_ERROR: Duration = Duration::from_secs(1);

/// A server that has just started may not know its users and their rights yet. Who was let in before
/// waits for that this long.
const FORGIVE: Duration = Duration::from_secs(10);

/// Changes come in bursts; one look serves those of this time.
const SETTLE: Duration = Duration::from_millis(30);

/// Does `work`, which may end by itself on a signal and then has more to say of it. It is never taken for done after
/// that.
///
/// # Errors
/// Those of `work`, or `Interrupted` with `what`.
pub async fn unless_interrupted<T>(
    work: impl Future<Output = Result<T, CommandError>>,
    what: impl FnOnce() -> String,
) -> Result<T, CommandError> {
    tokio::pin!(work);
    tokio::select! {
        biased;
        done = &mut work => return done,
        _ = interrupt::received() => {}
    }
    match tokio::time::timeout(LAST_WORDS, work).await {
        Ok(Err(error)) => Err(error),
        Ok(Ok(_)) | Err(_) => Err(CommandError::new(Exit::Interrupted, what())),
    }
}

/// Looks until it is done, for at most `timeout`, each time that `changes` yields. An API server
/// that does not answer, or restarts, is asked again until the time is over.
pub async fn until<T>(
    timeout: Duration,
    changes: impl Stream<Item = ()>,
    mut look: impl AsyncFnMut() -> Result<Look<T>, CommandError>,
) -> Result<Waited<T>, CommandError> {
    let deadline = Instant::now() + timeout;
    tokio::pin!(changes);
    let mut changes = changes.fuse();
    let interrupted = interrupt::received();
    tokio::pin!(interrupted);
    let mut was_let_in = false;
    let mut refused_since: Option<Instant> = None;
    loop {
        let pause = tokio::select! {
            biased;
            _ = &mut interrupted => return Ok(Waited::Interrupted),
            () = tokio::time::sleep_until(deadline) => return Ok(Waited::TimedOut),
            found = look() => match found {
                Ok(Look::Done(value)) => return Ok(Waited::Done(value)),
                Ok(Look::Again(pause)) => {
                    (was_let_in, refused_since) = (true, None);
                    pause
                }
                Err(error) if error.is_transient() => {
                    refused_since = None;
                    PAUSE_AFTER_ERROR
                }
                Err(error) if error.is_refusal() && was_let_in => {
                    if refused_since.get_or_insert_with(Instant::now).elapsed() > FORGIVE {
                        return Err(error);
                    }
                    PAUSE_AFTER_ERROR
                }
                Err(error) => return Err(error),
            },
        };
        tokio::select! {
            () = tokio::time::sleep_until((Instant::now() + pause).min(deadline)) => {}
            Some(()) = changes.next() => {
                let settled = tokio::time::sleep(SETTLE);
                tokio::pin!(settled);
                loop {
                    tokio::select! {
                        biased;
                        () = &mut settled => break,
                        _ = &mut interrupted => return Ok(Waited::Interrupted),
                        Some(()) = changes.next() => {}
                    }
                }
            }
            _ = &mut interrupted => return Ok(Waited::Interrupted),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use futures::stream;

    use super::*;
    use crate::cluster::ClusterError;

    #[tokio::test(start_paused = true)]
    async fn a_change_wakes_the_wait_before_its_pause_is_over() {
        let looks = Cell::new(0);
        let started = Instant::now();
        let waited =
            until(Duration::from_secs(60), stream::iter([(), ()]).chain(stream::pending()), async || {
                looks.set(looks.get() + 1);
                Ok(if looks.get() == 2 { Look::Done("done") } else { Look::Again(Duration::from_secs(30)) })
            })
            .await;
        assert!(matches!(waited, Ok(Waited::Done("done"))));
        assert!(started.elapsed() < Duration::from_secs(1));
    }

    #[tokio::test(start_paused = true)]
    async fn without_changes_the_pause_counts_and_the_timeout_ends_it() {
        let looks = Cell::new(0);
        let waited = until(Duration::from_secs(10), stream::pending(), async || {
            looks.set(looks.get() + 1);
            Ok::<Look<()>, _>(Look::Again(Duration::from_secs(3)))
        })
        .await;
        assert!(matches!(waited, Ok(Waited::TimedOut)));
        assert_eq!(looks.get(), 4);
    }

    #[tokio::test(start_paused = true)]
    async fn a_server_that_restarts_is_asked_again() {
        let looks = Cell::new(0);
        let waited = until(Duration::from_secs(10), stream::pending(), async || {
            looks.set(looks.get() + 1);
            match looks.get() {
                1 | 2 => Err(CommandError::from(ClusterError::Refused { server: "x:6443".to_owned() })),
                _ => Ok(Look::Done(())),
            }
        })
        .await;
        assert!(matches!(waited, Ok(Waited::Done(()))));
        assert_eq!(looks.get(), 3);
    }

    #[tokio::test(start_paused = true)]
    async fn a_server_that_has_forgotten_its_users_is_given_a_moment() {
        let forbidden = || CommandError::from(ClusterError::Unauthorized("no".to_owned()));
        let looks = Cell::new(0);
        // The pauses are as of a session that is looked at now and then.
        let waited = until(Duration::from_secs(600), stream::pending(), async || {
            looks.set(looks.get() + 1);
            match looks.get() {
                1 => Ok::<Look<()>, _>(Look::Again(Duration::from_secs(60))),
                2 => Err(CommandError::from(ClusterError::Refused { server: "x:6443".to_owned() })),
                3..=7 => Err(forbidden()),
                8 => Ok(Look::Again(Duration::from_secs(60))),
                _ => Err(forbidden()),
            }
        });
        let started = Instant::now();
        assert!(waited.await.is_err());
        assert!(looks.get() > 8 && started.elapsed() < Duration::from_secs(150), "{}", looks.get());
    }

    #[tokio::test(start_paused = true)]
    async fn an_error_that_stays_ends_it_at_once() {
        let waited = until(Duration::from_secs(10), stream::pending(), async || {
            Err::<Look<()>, _>(CommandError::from(ClusterError::Unauthorized("no".to_owned())))
        })
        .await;
        assert!(waited.is_err());
    }
}
