//! The one door to stdout and stderr.
//!
//! Data goes to stdout, everything else to stderr. Text that came from a cluster loses its control
//! characters here, whatever command prints it. Nothing is decided here.

pub mod age;
pub mod colour;
pub mod columns;
mod fit;
pub mod format;
pub mod jsonpath;
pub mod objects;
mod progress;
mod screen;
pub mod size;
pub mod sort;
pub mod table;
mod text;

use std::cell::{Cell, RefCell};
use std::io::{self, BufRead, IsTerminal, Write};

use anstyle::{AnsiColor, Style};
use indicatif::ProgressBar;

pub use fit::{cut, width, wrapped};
pub use progress::{Progress, Transfer};
pub use screen::Screen;
pub use text::{json_safe, masked, printable};

const ERROR: Style = AnsiColor::Red.on_default().bold();
const WARNING: Style = AnsiColor::Yellow.on_default().bold();
const HINT: Style = AnsiColor::Cyan.on_default().bold();

/// When to colour.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Colour {
    /// On a terminal, unless the environment says no.
    #[default]
    Auto,
    Always,
    Never,
}

/// Where a run writes. One at a time, from one thread.
pub struct Ui {
    out: RefCell<Box<dyn Write>>,
    err: RefCell<Box<dyn Write>>,
    /// Of stdout and of stderr.
    colours: [bool; 2],
    /// A line on stderr can be redrawn.
    live: bool,
    /// So can a text on stdout.
    redraws: bool,
    quiet: bool,
    /// The live line that is drawn right now.
    line: RefCell<Option<ProgressBar>>,
    /// Something was printed on stdout since that line was drawn.
    has_printed: Cell<bool>,
    /// The flags that choose the cluster, for commands in hints.
    connection: String,
}

/// True when stderr is a terminal.
pub fn stderr_is_terminal() -> bool {
    io::stderr().is_terminal()
}

impl Ui {
    /// The process's own streams. `environment` and `redraws` are what the environment allows,
    /// `colour` is what the user wants, `quiet` silences progress.
    pub fn new(environment: bool, colour: Colour, redraws: bool, quiet: bool) -> Self {
        let terminals = [io::stdout().is_terminal(), io::stderr().is_terminal()];
        let coloured = |is_terminal: bool| match colour {
            Colour::Auto => environment && is_terminal,
            Colour::Always => true,
            Colour::Never => false,
        };
        Self {
            out: RefCell::new(Box::new(io::BufWriter::new(io::stdout()))),
            err: RefCell::new(Box::new(io::stderr())),
            colours: terminals.map(coloured),
            live: redraws && terminals[1],
            redraws: redraws && terminals[0],
            quiet,
            line: RefCell::new(None),
            has_printed: Cell::new(false),
            connection: String::new(),
        }
    }

    /// The process's own stdout, plain, and nothing else.
    pub fn plain() -> Self {
        Self {
            out: RefCell::new(Box::new(io::BufWriter::new(io::stdout()))),
            err: RefCell::new(Box::new(io::sink())),
            colours: [false; 2],
            live: false,
            redraws: false,
            quiet: true,
            line: RefCell::new(None),
            has_printed: Cell::new(false),
            connection: String::new(),
        }
    }

    /// The same, where commands in hints need these flags to reach the same cluster.
    pub fn with_connection(self, connection: String) -> Self {
        Self { connection, ..self }
    }

    pub fn connection(&self) -> &str {
        &self.connection
    }

    /// True when stderr takes colours and they are wanted.
    pub fn has_colour(&self) -> bool {
        self.colours[1]
    }

    /// True when stdout does.
    pub fn colours_data(&self) -> bool {
        self.colours[0]
    }

    /// True when stdout is a terminal on which a text can be drawn anew in its place.
    pub fn redraws(&self) -> bool {
        self.redraws
    }

    /// A text on the terminal that is drawn anew in its place.
    pub fn screen(&self) -> Screen<'_> {
        Screen::new(self)
    }

    /// Prints what a table or another renderer has made: its parts are printable already, and its
    /// escapes are ours.
    pub fn rendered(&self, text: &str) -> io::Result<()> {
        self.has_printed.set(true);
        self.beside_the_line(|| {
            let mut out = self.out.borrow_mut();
            out.write_all(text.as_bytes())?;
            out.flush()
        })
    }

    /// Prints something while a live line is drawn: the line steps aside.
    fn beside_the_line<T>(&self, prints: impl FnOnce() -> T) -> T {
        // Cloned, for what is printed may end the line.
        let line = self.line.borrow().clone();
        match line {
            Some(line) => line.suspend(prints),
            None => prints(),
        }
    }

    /// Prints `text` as it is, without a line break at its end: a template's output. Only control
    /// characters are replaced, on a terminal.
    pub fn raw(&self, text: &str) -> io::Result<()> {
        if !io::stdout().is_terminal() {
            return self.rendered(text);
        }
        let lines: Vec<_> = text.split('\n').map(printable).collect();
        self.rendered(&lines.join("\n"))
    }

    /// Prints a manifest: what it holds is what Kubernetes gets, passwords included, which is warned of. Only control
    /// characters are replaced, on a terminal.
    pub fn manifest(&self, text: &str) -> io::Result<()> {
        if text::holds_password(text) {
            self.warn("the manifest contains a password in a URL, as it needs it");
        }
        if !io::stdout().is_terminal() {
            return self.rendered(text);
        }
        let lines: Vec<_> = text.split('\n').map(text::controlled).collect();
        self.rendered(&lines.join("\n"))
    }

    /// Prints `text` as data. An error here is the reader's: a closed pipe ends the run in peace.
    pub fn data(&self, text: &str) -> io::Result<()> {
        let lines: String = text.lines().map(|line| format!("{}\n", printable(line))).collect();
        self.rendered(&lines)
    }

    /// Says what has been done; not with `--quiet`.
    pub fn status(&self, text: &str) {
        if !self.quiet {
            self.say(None, text);
        }
    }

    pub fn warn(&self, text: &str) {
        self.say(Some(("Warning", WARNING)), text);
    }

    pub fn error(&self, text: &str) {
        self.say(Some(("error", ERROR)), text);
    }

    /// Says what to type next.
    pub fn hint(&self, text: &str) {
        self.say(Some(("hint", HINT)), text);
    }

    /// Plain text on stderr.
    pub fn note(&self, text: &str) {
        self.say(None, text);
    }

    fn say(&self, label: Option<(&str, Style)>, text: &str) {
        self.beside_the_line(|| self.write_labelled(label, text));
    }

    fn write_labelled(&self, label: Option<(&str, Style)>, text: &str) {
        let mut err = self.err.borrow_mut();
        let label = match label {
            Some((word, style)) if self.has_colour() => format!("{style}{word}:{style:#} "),
            Some((word, _)) => format!("{word}: "),
            None => String::new(),
        };
        for (index, line) in text.split('\n').enumerate() {
            // Nothing can be said about a stderr that does not take it.
            let _ = writeln!(err, "{}{}", if index == 0 { label.as_str() } else { "" }, printable(line));
        }
    }

    /// Asks on the terminal; none when there is nobody to ask.
    pub async fn confirm(&self, question: &str) -> io::Result<Option<bool>> {
        if !io::stdin().is_terminal() || !io::stderr().is_terminal() {
            return Ok(None);
        }
        {
            let mut err = self.err.borrow_mut();
            write!(err, "{} (y/N): ", printable(question))?;
            err.flush()?;
        }
        // Beside the main thread, which listens for Ctrl-C.
        let answer = tokio::task::spawn_blocking(|| {
            let mut answer = String::new();
            io::stdin().lock().read_line(&mut answer).map(|_| answer)
        });
        let answer = answer.await.map_err(io::Error::other)??;
        Ok(Some(matches!(answer.trim(), "y" | "Y" | "yes" | "Yes" | "YES")))
    }

    /// Shows what is awaited: a live line on a terminal, a line a phase elsewhere.
    pub fn progress(&self) -> Progress<'_> {
        Progress::new(self, self.live && !self.quiet)
    }

    /// Shows how far a file of `bytes` has travelled.
    pub fn transfer(&self, what: &str, bytes: u64) -> Transfer<'_> {
        Transfer::new(self, self.live && !self.quiet, what, bytes)
    }
}
