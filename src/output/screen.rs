//! A text that stands on the terminal and is drawn anew in its place.

use std::io::{self, Write};

use console::{Term, measure_text_width, truncate_str};

use super::Ui;

const ERASE_BELOW: &str = "\x1b[J";

/// What was drawn last stays when it is dropped.
pub struct Screen<'a> {
    ui: &'a Ui,
    drawn: Vec<String>,
}

impl<'a> Screen<'a> {
    pub(super) fn new(ui: &'a Ui) -> Self {
        Self { ui, drawn: Vec::new() }
    }

    /// The columns of the terminal.
    pub fn columns(&self) -> usize {
        usize::from(Term::stdout().size().1)
    }

    /// Draws `text` in place of what was drawn before. What does not fit is cut and counted, so that
    /// the terminal never scrolls under it.
    pub fn show(&mut self, text: &str) -> io::Result<()> {
        let (rows, columns) = Term::stdout().size();
        let lines = fitting(text, usize::from(rows), usize::from(columns));
        if lines == self.drawn {
            return Ok(());
        }
        let mut out = self.ui.out.borrow_mut();
        match self.drawn.len() {
            0 => {}
            up => write!(out, "\r\x1b[{up}A{ERASE_BELOW}")?,
        }
        for line in &lines {
            writeln!(out, "{line}")?;
        }
        out.flush()?;
        self.drawn = lines;
        Ok(())
    }
}

/// The lines of `text` that fit, the line with the cursor left out.
fn fitting(text: &str, rows: usize, columns: usize) -> Vec<String> {
    let all: Vec<&str> = text.lines().collect();
    let room = rows.saturating_sub(1).max(2);
    let shown = if all.len() > room { room - 1 } else { all.len() };
    let fit = |line: &str| match measure_text_width(line) > columns {
        true => truncate_str(line, columns, "…").into_owned(),
        false => line.to_owned(),
    };
    let mut lines: Vec<String> = all[..shown].iter().map(|line| fit(line)).collect();
    if shown < all.len() {
        lines.push(fit(&format!(
            "... and {} lines more, for which the terminal is too small",
            all.len() - shown
        )));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_is_cut_and_counted() {
        assert_eq!(fitting("a\nb\n", 24, 80), ["a", "b"]);
        assert_eq!(
            fitting("a\nb\nc\nd\n", 4, 80),
            ["a", "b", "... and 2 lines more, for which the terminal is too small"]
        );
        assert_eq!(fitting("统计作业", 24, 5), ["统计…"]);
        // A style ends with its line.
        assert_eq!(fitting("\x1b[32mRunning\x1b[0m", 24, 4), ["\x1b[32mRun…\x1b[0m"]);
    }
}
