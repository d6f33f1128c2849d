//! What a wait shows while it waits.

use std::cell::RefCell;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::{Ui, printable};

/// A live line on a terminal; elsewhere one line for each new thing that is awaited.
pub struct Progress<'a> {
    ui: &'a Ui,
    bar: Option<ProgressBar>,
    awaited: RefCell<Option<(String, Instant)>>,
}

impl<'a> Progress<'a> {
    pub(super) fn new(ui: &'a Ui, live: bool) -> Self {
        let bar = live.then(|| {
            let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
            if let Ok(style) = ProgressStyle::with_template("{spinner} {msg} ({elapsed})") {
                bar.set_style(style);
            }
            bar.enable_steady_tick(Duration::from_millis(120));
            bar
        });
        Self { ui, bar, awaited: RefCell::new(None) }
    }

    /// Says what is awaited now. Saying the same again changes nothing.
    pub fn waiting_for(&self, what: &str) {
        let mut awaited = self.awaited.borrow_mut();
        if awaited.as_ref().is_some_and(|(earlier, _)| earlier == what) {
            return;
        }
        match &self.bar {
            Some(bar) => {
                if let Some((earlier, since)) = awaited.as_ref() {
                    let line = format!("waited {:.1} s for {earlier}", since.elapsed().as_secs_f32());
                    bar.suspend(|| self.ui.status(&line));
                }
                bar.reset_elapsed();
                bar.set_message(format!("waiting for {}", printable(what)));
            }
            None => self.ui.status(&format!("waiting for {what} ...")),
        }
        *awaited = Some((what.to_owned(), Instant::now()));
    }
}

/// The live line goes whatever ends the wait.
impl Drop for Progress<'_> {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
