//! Text that is safe for a terminal.

use std::borrow::Cow;

/// Replaces control characters as kubectl does in its tables (ESC as `^[`, CR as `\r`), and marks that
/// turn the direction of text: a name or a message in a cluster must not be able to move the cursor,
/// to colour what follows or to make it read otherwise.
pub fn printable(text: &str) -> Cow<'_, str> {
    if !text.chars().any(|c| c.is_control() || turns_text(c)) {
        return Cow::Borrowed(text);
    }
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\t' => safe.push('\t'),
            '\x1b' => safe.push_str("^["),
            '\r' => safe.push_str("\\r"),
            c if c.is_control() || turns_text(c) => safe.push('\u{fffd}'),
            c => safe.push(c),
        }
    }
    Cow::Owned(safe)
}

/// The bidirectional embeddings, overrides and isolates of Unicode (UAX #9).
fn turns_text(c: char) -> bool {
    matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cluster_cannot_drive_the_terminal() {
        assert_eq!(printable("\x1b[2Jgone\r\u{7}"), "^[[2Jgone\\r\u{fffd}");
        assert_eq!(printable("\u{9b}2J\u{202e}txt"), "\u{fffd}2J\u{fffd}txt");
        assert!(matches!(printable("plain – text"), Cow::Borrowed(_)));
    }
}
