//! When a session was last heard of, for waits that must not take an old state for the current one.

use std::cell::RefCell;

use jiff::{Timestamp, Unit};

use super::reach::Reached;
use crate::app::CommandError;
use crate::exit::Exit;
use crate::flink::RestError;

/// Remembers since when the REST API of a session has not responded, and why.
#[derive(Default)]
pub struct LastContact {
    lost: RefCell<Option<(Timestamp, String)>>,
}

impl LastContact {
    /// A response has come.
    pub fn restored(&self) {
        self.lost.take();
    }

    /// There was no response. Returns true when there was one before.
    pub fn lost(&self, error: &RestError) -> bool {
        let mut lost = self.lost.borrow_mut();
        let is_first = lost.is_none();
        let since = lost.as_ref().map_or_else(now, |(since, _)| *since);
        *lost = Some((since, error.to_string()));
        is_first
    }

    /// True while the session does not respond.
    pub fn is_lost(&self) -> bool {
        self.lost.borrow().is_some()
    }

    /// The error of a wait that ends without knowing `what`, such as `the state of job 11`. None while the session
    /// responds.
    pub async fn unknown(&self, what: &str, exit: Exit, reached: &Reached) -> Option<CommandError> {
        let (since, why) = self.lost.borrow().clone()?;
        let error = CommandError::new(exit, format!("{what} is unknown since {since}")).because(why);
        Some(reached.with_replacement(error).await)
    }
}

/// This moment, in whole seconds.
pub fn now() -> Timestamp {
    Timestamp::now().round(Unit::Second).unwrap_or_default()
}
