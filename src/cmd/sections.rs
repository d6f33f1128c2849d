//! Sections of a screen: a title, and below it what is known.

use std::fmt::Write;

use crate::model::TableView;
use crate::model::status::Part;
use crate::output::printable;
use crate::output::table::Layout;

/// Rows of a section; what is more is counted.
const MOST_ROWS: usize = 30;

pub const INDENT: &str = "  ";

/// A title, and what is known below it. A part that is not known says why in its place.
pub fn section<T>(title: &str, part: &Part<T>, body: impl FnOnce(&T) -> String) -> String {
    let body = match part {
        Part::Known(value) => body(value),
        Part::Unknown(why) => format!("unknown: {}\n", printable(why)),
    };
    format!("{title}:\n{}", indented(&body))
}

pub fn indented(body: &str) -> String {
    let line = |line: &str| if line.is_empty() { "\n".to_owned() } else { format!("{INDENT}{line}\n") };
    body.lines().map(line).collect()
}

pub fn table(header: &[&str], rows: Vec<Vec<String>>, layout: &Layout) -> String {
    let more = rows.len().saturating_sub(MOST_ROWS);
    let view = TableView {
        header: header.iter().map(|name| (*name).to_owned()).collect(),
        rows: rows.into_iter().take(MOST_ROWS).collect(),
    };
    let mut text = layout.clone().render(&view, true);
    if more > 0 {
        let _ = writeln!(text, "... and {more} more, which -o json shows");
    }
    text
}

/// At most `longest` characters of `text`.
pub fn cut(text: &str, longest: usize) -> String {
    match text.char_indices().nth(longest) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text.to_owned(),
    }
}
