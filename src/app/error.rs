//! The one error that commands end with, and how it is told.

use std::fmt;
use std::io;

use crate::cluster::ClusterError;
use crate::exit::Exit;
use crate::model::Finding;
use crate::output::Ui;
use crate::session::spec::InvalidSpec;
use crate::session::spec::name::InvalidName;

/// What went wrong in one sentence, why, and what to type next.
#[derive(Debug)]
pub struct CommandError {
    exit: Exit,
    message: String,
    causes: Vec<String>,
    hints: Vec<String>,
    /// A command of kubectl that shows whether it is the plugin or the connection, without the flags of the connection.
    check: Option<&'static str>,
    /// The reader of stdout has gone: nothing is wrong and nothing is said.
    silent: bool,
    transient: bool,
    refusal: bool,
}

impl CommandError {
    pub fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self {
            exit,
            message: message.into(),
            causes: Vec::new(),
            hints: Vec::new(),
            check: None,
            silent: false,
            transient: false,
            refusal: false,
        }
    }

    /// Adds a reason below the message, unless it is told already.
    pub fn because(mut self, cause: impl Into<String>) -> Self {
        let cause = cause.into();
        let told = std::iter::once(&self.message).chain(&self.causes).any(|text| text.contains(&cause));
        if !told {
            self.causes.push(cause);
        }
        self
    }

    /// Adds what to do next, unless it is there already.
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        let hint = hint.into();
        if !self.hints.contains(&hint) {
            self.hints.push(hint);
        }
        self
    }

    /// Says that the next try may not meet it.
    pub fn transient(mut self) -> Self {
        self.transient = true;
        self
    }

    /// Says that the server does not know the user, or the right.
    pub fn refusal(mut self) -> Self {
        self.refusal = true;
        self
    }

    /// Puts what was being done in front of what went wrong.
    pub fn while_doing(mut self, what: impl Into<String>) -> Self {
        let cause = std::mem::replace(&mut self.message, what.into());
        self.causes.insert(0, cause);
        self
    }

    /// The same causes and hints under another message.
    pub fn with_message(mut self, message: impl Into<String>) -> Self {
        self.message = message.into();
        self
    }

    /// The same error, for a script to tell apart by another exit code.
    pub fn with_exit(mut self, exit: Exit) -> Self {
        self.exit = exit;
        self
    }

    pub fn exit(&self) -> Exit {
        self.exit
    }

    /// True when the next try may not meet it.
    pub fn is_transient(&self) -> bool {
        self.transient
    }

    /// True when the server does not know the user, or the right.
    pub fn is_refusal(&self) -> bool {
        self.refusal
    }

    /// Says it on stderr.
    pub fn tell(&self, ui: &Ui) {
        if self.silent {
            return;
        }
        // kubectl's own words for what a server says, or does not, stand without a label.
        const UNLABELLED: [&str; 3] =
            ["Error from server", "Unable to connect to the server", "The connection to the server"];
        if UNLABELLED.iter().any(|start| self.message.starts_with(start)) {
            ui.note(&self.message);
        } else {
            ui.error(&self.message);
        }
        for cause in &self.causes {
            ui.note(&format!("  because: {cause}"));
        }
        if let Some(check) = self.check {
            ui.hint(&format!("{check}{}", ui.connection()));
        }
        for hint in &self.hints {
            ui.hint(hint);
        }
    }
}

impl From<ClusterError> for CommandError {
    fn from(error: ClusterError) -> Self {
        let transient = error.is_transient();
        let refusal = error.is_refusal();
        let exit = match error {
            ClusterError::OutOfTime(_) => Exit::TimedOut,
            _ => Exit::Error,
        };
        let told = Self { transient, refusal, ..Self::new(exit, error.to_string()) };
        let check = match error {
            error if error.is_of_the_line() => Some("kubectl cluster-info"),
            ClusterError::Unauthorized(_) => Some("kubectl auth whoami"),
            _ => None,
        };
        Self { check, ..told }
    }
}

impl From<InvalidName> for CommandError {
    fn from(error: InvalidName) -> Self {
        let told = Self::new(Exit::Error, error.to_string());
        match error.suggestion {
            Some(suggestion) => told.hint(format!("{suggestion} would do")),
            None => told,
        }
    }
}

impl From<InvalidSpec> for CommandError {
    fn from(error: InvalidSpec) -> Self {
        Self::new(Exit::Error, error.to_string()).hint(error.hint())
    }
}

impl fmt::Display for CommandError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        self.causes.iter().try_for_each(|cause| write!(f, ": {cause}"))
    }
}

/// Errors of stdout.
impl From<io::Error> for CommandError {
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::BrokenPipe {
            return Self { silent: true, ..Self::new(Exit::Done, String::new()) };
        }
        Self::new(Exit::Error, format!("cannot write to stdout: {error}"))
    }
}

impl CommandError {
    /// A finding that ends a command.
    pub fn from_finding(exit: Exit, what: impl Into<String>, finding: &Finding) -> Self {
        Self::new(exit, what).with_finding(finding)
    }

    /// Adds what a finding says to the causes, and its fix to the hints.
    pub fn with_finding(self, finding: &Finding) -> Self {
        let told = self.because(&finding.summary);
        let told = match &finding.evidence {
            Some(evidence) => told.because(evidence),
            None => told,
        };
        told.hint(&finding.fix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cause_is_told_once() {
        let error = CommandError::new(Exit::Error, "cannot create job.batch/boot-roc")
            .because("jobs.batch is forbidden")
            .because("forbidden");
        assert_eq!(error.causes, ["jobs.batch is forbidden"]);
    }

    #[test]
    fn a_hint_is_given_once() {
        let error = CommandError::new(Exit::Error, "x").hint("add a node").hint("wait").hint("add a node");
        assert_eq!(error.hints, ["add a node", "wait"]);
    }

    #[test]
    fn a_closed_pipe_is_no_error() {
        let error = CommandError::from(io::Error::from(io::ErrorKind::BrokenPipe));
        assert_eq!((error.exit(), error.silent), (Exit::Done, true));
    }
}
