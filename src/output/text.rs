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

/// JSON that says the same and holds nothing that [`printable`] would replace: such characters stand in
/// strings only, where JSON can write them by their number.
pub fn json_safe(json: &str) -> Cow<'_, str> {
    let is_unsafe = |c: char| c != '\n' && (c.is_control() || turns_text(c));
    if !json.chars().any(is_unsafe) {
        return Cow::Borrowed(json);
    }
    let write = |c: char| if is_unsafe(c) { format!("\\u{:04x}", u32::from(c)) } else { c.to_string() };
    Cow::Owned(json.chars().map(write).collect())
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

    #[test]
    fn json_keeps_what_a_terminal_may_not_get() {
        let value = serde_json::json!({"a": "\u{202e}x\u{7f}\u{9b}\n", "b": "统计"});
        let text = serde_json::to_string_pretty(&value).expect("json");
        let safe = json_safe(&text);
        assert!(safe.contains("\\u202ex\\u007f\\u009b\\n") && safe.contains("统计"), "{safe}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&safe).expect("json"), value);
    }
}
