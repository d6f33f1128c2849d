//! Text that is safe for a terminal.

use std::borrow::Cow;

/// Replaces control characters as kubectl does in its tables (ESC as `^[`, CR as `\r`): a name or a
/// message in a cluster must not be able to move the cursor or to colour what follows.
pub fn printable(text: &str) -> Cow<'_, str> {
    if !text.chars().any(char::is_control) {
        return Cow::Borrowed(text);
    }
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\t' => safe.push('\t'),
            '\x1b' => safe.push_str("^["),
            '\r' => safe.push_str("\\r"),
            c if c.is_control() => safe.push('\u{fffd}'),
            c => safe.push(c),
        }
    }
    Cow::Owned(safe)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cluster_cannot_drive_the_terminal() {
        assert_eq!(printable("\x1b[2Jgone\r\u{7}"), "^[[2Jgone\\r\u{fffd}");
        assert!(matches!(printable("plain – text"), Cow::Borrowed(_)));
    }
}
