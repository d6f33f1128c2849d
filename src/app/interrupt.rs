//! The signals that stop the program, received in one place: SIGINT, SIGTERM and SIGHUP, and the
//! console events of Windows that mean the same.
//!
//! A signal that the parent process ignores stays ignored: `nohup` ignores SIGHUP, and a shell without job
//! control ignores SIGINT for its background jobs.

use std::cell::Cell;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use crate::exit::Exit;

/// Why the program stops.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// SIGINT: Ctrl-C.
    Interrupt,
    /// SIGTERM: another process ends this one.
    Terminate,
    /// SIGHUP: the terminal was closed.
    HangUp,
}

impl Signal {
    /// The exit code of a command that a signal has stopped.
    pub fn exit(self) -> Exit {
        match self {
            Self::Interrupt => Exit::Interrupted,
            Self::Terminate => Exit::Terminated,
            Self::HangUp => Exit::HungUp,
        }
    }
}

/// Signals that arrive together are one: a shell forwards the SIGHUP of a closed terminal to jobs that have
/// already received it, and scripts forward a Ctrl-C as SIGTERM.
const TOGETHER: Duration = Duration::from_millis(250);

/// How long a write that has begun may take to complete after a signal.
pub const LAST_WORDS: Duration = Duration::from_secs(2);

thread_local! {
    // All commands run on one thread. Each test has a thread of its own.
    static FIRST: watch::Sender<Option<Signal>> = watch::Sender::new(None);
    static FIRST_AT: Cell<Option<Instant>> = const { Cell::new(None) };
}

/// The signal that stops the program, if there was one.
pub fn first() -> Option<Signal> {
    FIRST.with(|first| *first.borrow())
}

/// Returns once a signal has arrived, also if that was before the call: a signal between two waits is not lost.
pub async fn received() -> Signal {
    let mut first = FIRST.with(watch::Sender::subscribe);
    loop {
        if let Some(signal) = *first.borrow_and_update() {
            return signal;
        }
        if first.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

/// Awaits `write`. None where a signal has arrived and `write` is not complete soon after it.
pub async fn complete<T>(write: impl Future<Output = T>) -> Option<T> {
    tokio::pin!(write);
    tokio::select! {
        biased;
        written = &mut write => return Some(written),
        _ = received() => {}
    }
    tokio::time::timeout(LAST_WORDS, write).await.ok()
}

/// The exit code of a command that ended with `exit`.
pub fn exit(exit: Exit) -> Exit {
    match (exit, first()) {
        (Exit::Interrupted, Some(signal)) => signal.exit(),
        (exit, _) => exit,
    }
}

/// What a signal is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Received {
    First,
    /// It arrived together with the first.
    Same,
    /// The program is to stop now, whatever it is tidying up.
    Second,
}

/// Records `signal`, which wakes every [`received`].
pub(super) fn record(signal: Signal) -> Received {
    let now = Instant::now();
    match FIRST_AT.get() {
        None => {
            FIRST_AT.set(Some(now));
            FIRST.with(|first| first.send_replace(Some(signal)));
            Received::First
        }
        Some(at) if now.duration_since(at) < TOGETHER => Received::Same,
        Some(_) => Received::Second,
    }
}

pub(super) use platform::Signals;

#[cfg(unix)]
mod platform {
    use tokio::signal::unix::{self, SignalKind};

    use super::Signal;
    use crate::{config, output};

    /// Receives the signals from its first moment on; until then they have their default effect.
    pub struct Signals([Option<unix::Signal>; 3]);

    impl Signals {
        pub fn new() -> Self {
            let ignored = config::ignored_signals(output::stderr_is_terminal());
            let listen = |kind: SignalKind| {
                // Without a listener the signal ends the program, which is the next best.
                (!ignored.contains(&kind.as_raw_value())).then(|| unix::signal(kind).ok()).flatten()
            };
            let [interrupt, terminate] = [SignalKind::interrupt(), SignalKind::terminate()];
            Self([listen(interrupt), listen(terminate), listen(SignalKind::hangup())])
        }

        pub async fn next(&mut self) -> Signal {
            let Self([interrupt, terminate, hang_up]) = self;
            tokio::select! {
                () = next(interrupt) => Signal::Interrupt,
                () = next(terminate) => Signal::Terminate,
                () = next(hang_up) => Signal::HangUp,
            }
        }
    }

    async fn next(signal: &mut Option<unix::Signal>) {
        let is_received = match signal {
            Some(signal) => signal.recv().await.is_some(),
            None => false,
        };
        if !is_received {
            std::future::pending::<()>().await;
        }
    }
}

#[cfg(windows)]
mod platform {
    use tokio::signal::windows::{self, CtrlBreak, CtrlC, CtrlClose};

    use super::Signal;

    /// Receives the console's events from its first moment on.
    pub struct Signals {
        interrupt: Option<CtrlC>,
        stop: Option<CtrlBreak>,
        /// Windows ends the program a few seconds later, whatever it is doing.
        close: Option<CtrlClose>,
    }

    impl Signals {
        pub fn new() -> Self {
            Self {
                interrupt: windows::ctrl_c().ok(),
                stop: windows::ctrl_break().ok(),
                close: windows::ctrl_close().ok(),
            }
        }

        pub async fn next(&mut self) -> Signal {
            let Self { interrupt, stop, close } = self;
            tokio::select! {
                Some(()) = async { interrupt.as_mut()?.recv().await } => Signal::Interrupt,
                Some(()) = async { stop.as_mut()?.recv().await } => Signal::Interrupt,
                Some(()) = async { close.as_mut()?.recv().await } => Signal::HangUp,
                else => std::future::pending().await,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_signal_before_a_wait_ends_it_at_once() {
        assert_eq!(first(), None);
        record(Signal::Terminate);
        assert_eq!(received().await, Signal::Terminate);
        assert_eq!(received().await, Signal::Terminate);
    }

    #[tokio::test(start_paused = true)]
    async fn a_signal_wakes_every_wait() {
        let waits = futures::future::join(received(), received());
        let sent = async { record(Signal::HangUp) };
        assert_eq!(
            futures::future::join(waits, sent).await,
            ((Signal::HangUp, Signal::HangUp), Received::First)
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_closed_terminal_is_one_signal_and_impatience_is_a_second() {
        assert_eq!(record(Signal::HangUp), Received::First);
        assert_eq!(record(Signal::HangUp), Received::Same);
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!(record(Signal::Interrupt), Received::Second);
        // The first one is the reason.
        assert_eq!(exit(Exit::Interrupted), Exit::HungUp);
        assert_eq!(exit(Exit::Error), Exit::Error);
    }

    #[tokio::test(start_paused = true)]
    async fn a_write_that_has_begun_completes_unless_it_takes_long() {
        let write = |seconds| async move { tokio::time::sleep(Duration::from_secs(seconds)).await };
        assert_eq!(complete(write(3)).await, Some(()));
        record(Signal::Interrupt);
        assert_eq!(complete(write(1)).await, Some(()));
        assert_eq!(complete(write(3)).await, None);
    }
}
