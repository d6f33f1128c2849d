//! What a wait shows while it waits.

use std::cell::RefCell;
use std::future::Future;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use console::Term;
use indicatif::{HumanBytes, ProgressBar, ProgressDrawTarget, ProgressStyle, TermLike};

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
        self.ui.line.borrow_mut().clone_from(&bar);
        self.ui.has_printed.set(false);
        *awaited = Some(Awaited { what: what.to_owned(), since: Instant::now(), bar });
    }

    /// Waits for `awaited`, and says that it is waited for unless that is done in a moment.
    pub async fn shown_while<T>(self, what: &str, awaited: impl Future<Output = T>) -> T {
        const MOMENT: Duration = Duration::from_secs(1);
        tokio::pin!(awaited);
        tokio::select! {
            done = &mut awaited => return done,
            () = tokio::time::sleep(MOMENT) => self.waiting_for(what),
        }
        awaited.await
    }

    /// Turns the live line into one that stays. Below a result that was printed meanwhile, it would be no news.
    fn leave(&self, awaited: Option<Awaited>) {
        if let Some(Awaited { what, since, bar: Some(bar) }) = awaited {
            *self.ui.line.borrow_mut() = None;
            bar.finish_and_clear();
            if self.ui.has_printed.get() {
                return;
            }
            self.ui.status(&format!("waited {:.1} s for {what}", since.elapsed().as_secs_f32()));
        }
    }
}

/// Shows how far a file has travelled: a bar on a terminal, nothing elsewhere.
pub struct Transfer<'a> {
    ui: &'a Ui,
    what: String,
    bytes: u64,
    since: Instant,
    bar: Option<ProgressBar>,
}

impl<'a> Transfer<'a> {
    pub(super) fn new(ui: &'a Ui, live: bool, what: &str, bytes: u64) -> Self {
        let bar = live.then(|| {
            let bar = ProgressBar::with_draw_target(Some(bytes), stderr());
            let template =
                "{spinner} {msg} {bar:20} {binary_bytes}/{binary_total_bytes} {binary_bytes_per_sec}";
            if let Ok(style) = ProgressStyle::with_template(template) {
                bar.set_style(style.progress_chars("=> "));
            }
            bar.set_message(format!("uploading {}", printable(what)));
            bar
        });
        Self { ui, what: what.to_owned(), bytes, since: Instant::now(), bar }
    }

    /// Takes the number of bytes that have left, again and again, on any thread.
    pub fn listener(&self) -> Arc<dyn Fn(u64) + Send + Sync> {
        match self.bar.clone() {
            Some(bar) => Arc::new(move |bytes| bar.set_position(bytes)),
            None => Arc::new(|_| {}),
        }
    }

    /// Says that all has arrived.
    pub fn done(self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
        let Self { what, bytes, since, .. } = &self;
        let seconds = since.elapsed().as_secs_f32();
        self.ui.status(&format!("uploaded {what}: {} in {seconds:.1} s", HumanBytes(*bytes)));
    }
}

/// The bar goes, however the transfer ends.
impl Drop for Transfer<'_> {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

/// How often a line is drawn at most, in a second.
const DRAWN_AT_MOST: u8 = 20;

fn stderr() -> ProgressDrawTarget {
    let terminal = Term::buffered_stderr();
    match terminal.is_term() {
        true => ProgressDrawTarget::term_like_with_hz(Box::new(Line(terminal)), DRAWN_AT_MOST),
        false => ProgressDrawTarget::hidden(),
    }
}

/// A terminal on which the cursor stays behind the text. indicatif fills the line up to its end; the `^C` that the
/// terminal echoes would then stand on the next line, and the line above it could not be erased any more.
#[derive(Debug)]
struct Line(Term);

impl TermLike for Line {
    fn width(&self) -> u16 {
        self.0.size().1
    }

    fn height(&self) -> u16 {
        self.0.size().0
    }

    fn move_cursor_up(&self, lines: usize) -> io::Result<()> {
        self.0.move_cursor_up(lines)
    }

    fn move_cursor_down(&self, lines: usize) -> io::Result<()> {
        self.0.move_cursor_down(lines)
    }

    fn move_cursor_right(&self, columns: usize) -> io::Result<()> {
        self.0.move_cursor_right(columns)
    }

    fn move_cursor_left(&self, columns: usize) -> io::Result<()> {
        self.0.move_cursor_left(columns)
    }

    fn write_line(&self, text: &str) -> io::Result<()> {
        self.0.write_line(text)
    }

    fn write_str(&self, text: &str) -> io::Result<()> {
        match text.bytes().all(|byte| byte == b' ') {
            true => Ok(()),
            false => self.0.write_str(text),
        }
    }

    fn clear_line(&self) -> io::Result<()> {
        self.0.clear_line()
    }

    fn flush(&self) -> io::Result<()> {
        self.0.flush()
    }
}

/// A line that counts the seconds.
fn live_line(what: &str) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(None, stderr());
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

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::sync::{Arc, Mutex};

    use super::*;
    use crate::output::Colour;

    #[derive(Clone, Default)]
    struct Buffer(Arc<Mutex<Vec<u8>>>);

    impl Write for Buffer {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().expect("buffer").write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn nothing_is_said_of_a_wait_below_its_result() {
        let told = |result: Option<&str>| {
            let buffer = Buffer::default();
            let mut ui = Ui::new(false, Colour::Never, false, false);
            ui.err = RefCell::new(Box::new(buffer.clone()));
            ui.out = RefCell::new(Box::new(buffer.clone()));
            let progress = Progress::new(&ui, true);
            progress.waiting_for("the savepoints");
            if let Some(result) = result {
                ui.data(result).expect("buffer");
            }
            drop(progress);
            String::from_utf8(buffer.0.lock().expect("buffer").clone()).expect("text")
        };
        assert_eq!(told(Some("file:/tmp/sp/savepoint-1\n")), "file:/tmp/sp/savepoint-1\n");
        assert_eq!(told(None), "waited 0.0 s for the savepoints\n");
    }
}
