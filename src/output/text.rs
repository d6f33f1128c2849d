//! Text that is safe for a terminal.

use std::borrow::Cow;

use serde_json::Value;

/// Replaces control characters as kubectl does in its tables (ESC as `^[`, CR as `\r`), and marks that
/// turn the direction of text: a name or a message in a cluster must not be able to move the cursor,
/// to colour what follows or to make it read otherwise.
///
/// A password in a URL is replaced too.
pub fn printable(text: &str) -> Cow<'_, str> {
    match without_passwords(text) {
        Cow::Borrowed(text) => controlled(text),
        Cow::Owned(masked) => Cow::Owned(controlled(&masked).into_owned()),
    }
}

/// Replaces the password in the user information of each URL (RFC 3986, section 3.2.1) by `***`, whatever the scheme:
/// `s3://KEY:SECRET@bucket`, `jdbc:postgresql://user:password@host`.
fn without_passwords(text: &str) -> Cow<'_, str> {
    let (mut masked, mut rest) = (String::new(), text);
    while let Some(start) = rest.find("://").map(|at| at + 3) {
        let is_end =
            |c: char| c.is_whitespace() || matches!(c, '/' | '?' | '#' | '"' | '\'' | '<' | '>' | '`');
        let end = rest[start..].find(is_end).map_or(rest.len(), |at| start + at);
        let user = rest[start..end].rfind('@').map(|at| &rest[start..start + at]);
        match user.and_then(|user| Some((user, user.find(':')?))) {
            Some((user, colon)) => {
                masked.push_str(&rest[..start + colon + 1]);
                masked.push_str("***");
                masked.push_str(&rest[start + user.len()..end]);
            }
            None => masked.push_str(&rest[..end]),
        }
        rest = &rest[end..];
    }
    match masked.is_empty() {
        true => Cow::Borrowed(text),
        false => Cow::Owned(masked + rest),
    }
}

/// True where `text` has a password in a URL.
pub fn holds_password(text: &str) -> bool {
    without_passwords(text) != text
}

/// Replaces the password in each URL of every string in `value`, as in text.
pub fn masked(value: Value) -> Value {
    match value {
        Value::String(text) => Value::String(without_passwords(&text).into_owned()),
        Value::Array(values) => values.into_iter().map(masked).collect(),
        Value::Object(fields) => {
            Value::Object(fields.into_iter().map(|(key, value)| (key, masked(value))).collect())
        }
        other => other,
    }
}

/// The part of [`printable`] that concerns control characters.
pub fn controlled(text: &str) -> Cow<'_, str> {
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
    fn a_password_in_a_url_is_never_printed() {
        for (text, printed) in [
            ("s3://AK:secret@bucket/ha is away", "s3://AK:***@bucket/ha is away"),
            ("jdbc:postgresql://me:p@ss@db:5432/x?a=b", "jdbc:postgresql://me:***@db:5432/x?a=b"),
            (
                "cannot reach \"http://u:p@h\" and http://v:q@i",
                "cannot reach \"http://u:***@h\" and http://v:***@i",
            ),
            ("http://user@host:8081/a:b@c", "http://user@host:8081/a:b@c"),
            ("http://host:8081/jobs", "http://host:8081/jobs"),
        ] {
            assert_eq!(printable(text), printed);
        }
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
