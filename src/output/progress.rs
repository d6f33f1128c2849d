//! What a wait shows while it waits.

use std::cell::RefCell;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::{Ui, printable};

/// A live line on a terminal; elsewhere one line for each new thing that is awaited.
pub struct Progress<'a> {
    ui: &'a Ui,
    live: bool,
    awaited: RefCell<Option<Awaited>>,
}

struct Awaited {
    what: String,
    since: Instant,
    bar: Option<ProgressBar>,
}

impl<'a> Progress<'a> {
    pub(super) fn new(ui: &'a Ui, live: bool) -> Self {
        Self { ui, live, awaited: RefCell::new(None) }
    }

    /// Says what is awaited now. Saying the same again changes nothing.
    pub fn waiting_for(&self, what: &str) {
        let mut awaited = self.awaited.borrow_mut();
        if awaited.as_ref().is_some_and(|earlier| earlier.what == what) {
            return;
        }
        self.leave(awaited.take());
        if !self.live {
            self.ui.status(&format!("waiting for {what} ..."));
        }
        let bar = self.live.then(|| live_line(what));
        *awaited = Some(Awaited { what: what.to_owned(), since: Instant::now(), bar });
    }

    /// Turns the live line into one that stays.
    fn leave(&self, awaited: Option<Awaited>) {
        if let Some(Awaited { what, since, bar: Some(bar) }) = awaited {
            bar.finish_and_clear();
            self.ui.status(&format!("waited {:.1} s for {what}", since.elapsed().as_secs_f32()));
        }
    }
}

/// A line that counts the seconds.
fn live_line(what: &str) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
    if let Ok(style) = ProgressStyle::with_template("{spinner} {msg} ({elapsed})") {
        bar.set_style(style);
    }
    bar.set_message(format!("waiting for {}", printable(what)));
    bar.enable_steady_tick(Duration::from_millis(120));
    bar
}

/// The live line goes whatever ends the wait.
impl Drop for Progress<'_> {
    fn drop(&mut self) {
        self.leave(self.awaited.take());
    }
}
