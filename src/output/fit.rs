//! Text by the columns that it takes on a terminal.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// What the lines after the first of a sentence that was broken begin with.
const INDENT: &str = "  ";

/// The columns that one line of text takes.
pub fn width(text: &str) -> usize {
    text.width()
}

/// At most `longest` columns of `text`, as a terminal shows it, and a mark where more was cut off.
pub fn cut(text: &str, longest: usize) -> String {
    let mut columns = 0;
    let end = text.char_indices().find(|(_, c)| {
        columns += c.width().unwrap_or(0);
        columns > longest
    });
    match end {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text.to_owned(),
    }
}

/// `text` in lines of at most `columns`, broken at spaces. The lines after the first begin as its first one does.
/// A word that is longer than a line stands alone.
pub fn wrapped(text: &str, columns: usize) -> String {
    let mut lines = String::new();
    for line in text.lines() {
        let indent = &line[..line.len() - line.trim_start().len()];
        let mut at = 0;
        for word in line.split_whitespace() {
            let width = width(word);
            let starts = at == 0;
            if !starts && at + 1 + width > columns {
                lines.push('\n');
                at = 0;
            }
            if at == 0 {
                // What follows a line that was broken is set off from it.
                let more = if starts { "" } else { INDENT };
                lines.push_str(indent);
                lines.push_str(more);
                at = indent.len() + more.len();
            } else {
                lines.push(' ');
                at += 1;
            }
            lines.push_str(word);
            at += width;
        }
        lines.push('\n');
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sentence_is_broken_where_the_terminal_ends() {
        let text = "Session roc is Running: Flink 2.3.0\n\n  fix: kubectl logs roc-1-2\n";
        assert_eq!(wrapped(text, 80), text);
        let narrow = "Session roc is\n  Running: Flink\n  2.3.0\n\n  fix: kubectl\n    logs roc-1-2\n";
        assert_eq!(wrapped(text, 16), narrow);
        assert_eq!(wrapped("统计 作业 a-word-that-is-longer", 8), "统计\n  作业\n  a-word-that-is-longer\n");
    }

    #[test]
    fn a_text_is_cut_by_what_it_takes_on_a_terminal() {
        assert_eq!(cut("orders", 6), "orders");
        assert_eq!(cut("orders by day", 6), "orders...");
        assert_eq!(cut("统计作业", 5), "统计...", "two columns each");
        assert_eq!(cut("e\u{301}te\u{301}s", 3), "e\u{301}te\u{301}...", "a mark takes none");
    }
}
