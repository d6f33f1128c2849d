//! The exit codes, a contract with scripts: docs/exit-codes.md is their table.

/// How a run of the program ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// Done. Also a reader that closed the pipe.
    Done = 0,
    /// An error, wrong usage included (as kubectl, and unlike clap's own 2).
    Error = 1,
    /// A wait ran out of time.
    TimedOut = 3,
    /// Refused in order to protect something: a foreign object, a declined question.
    Refused = 4,
    /// The command ran and found the session unhealthy.
    Unhealthy = 5,
    /// The terminal was closed (128 + SIGHUP).
    HungUp = 129,
    /// Ctrl-C (128 + SIGINT). Commands end with this on every signal; `app::interrupt` knows which it was.
    Interrupted = 130,
    /// Another process has ended this one (128 + SIGTERM).
    Terminated = 143,
}

impl From<Exit> for std::process::ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}
