//! Sections of a screen: a title, and below it what is known.

use std::fmt::Write;

use crate::model::status::Part;
use crate::model::{Finding, TableView};
use crate::output::printable;
use crate::output::table::Layout;

/// Rows of a section; what is more is counted.
const MOST_ROWS: usize = 30;

pub const INDENT: &str = "  ";

/// A title, and what is known below it. A part that is not known says why in its place.
pub fn section<T>(title: &str, part: &Part<T>, body: impl FnOnce(&T) -> String) -> String {
    let body = match part {
        Part::Known(value) => body(value),
        Part::Unknown(why) => unknown(why) + "\n",
    };
    format!("{title}:\n{}", indented(&body))
}

/// What stands in place of a part that is not known; a reason that was told before is empty.
pub fn unknown(why: &str) -> String {
    match why.is_empty() {
        true => "unknown".to_owned(),
        false => format!("unknown: {}", printable(why)),
    }
}

pub fn indented(body: &str) -> String {
    let line = |line: &str| if line.is_empty() { "\n".to_owned() } else { format!("{INDENT}{line}\n") };
    body.lines().map(line).collect()
}

pub fn table(header: &[&str], rows: Vec<Vec<String>>, layout: &Layout) -> String {
    self::rows(TableView { header: header.iter().map(|name| (*name).to_owned()).collect(), rows }, layout)
}

/// The first rows of a table, and how many more there are.
pub fn rows(mut view: TableView, layout: &Layout) -> String {
    let more = view.rows.len().saturating_sub(MOST_ROWS);
    view.rows.truncate(MOST_ROWS);
    let mut text = layout.clone().render(&view, true);
    if more > 0 {
        let _ = writeln!(text, "... and {more} more, which -o json shows");
    }
    text
}

/// What is wrong, under a title of its own; nothing where nothing is.
pub fn problems(all: &[Finding]) -> String {
    match all.is_empty() {
        true => String::new(),
        false => format!("Problems:\n{}", indented(&findings(all))),
    }
}

/// What is wrong, and what to do about it.
pub fn findings(findings: &[Finding]) -> String {
    let finding = |finding: &Finding| {
        let evidence = finding.evidence.iter().flat_map(|text| text.lines());
        let evidence: String = evidence.map(|line| format!("{INDENT}{}\n", printable(line))).collect();
        format!(
            "{} ({})\n{evidence}{INDENT}fix: {}\n",
            printable(&finding.summary),
            finding.id,
            printable(&finding.fix)
        )
    };
    findings.iter().map(finding).collect::<Vec<_>>().join("\n")
}
