//! How Flink writes a list or a map into the text of one setting.
//!
//! `StructuredOptionsSplitter`: parts are quoted with single quotes where they hold the separator or a
//! quote, and a quote within is doubled. The same in every version since 1.11.

/// `key:value,key:value`.
pub fn map<'a>(pairs: impl IntoIterator<Item = (&'a String, &'a String)>) -> String {
    let pairs = pairs
        .into_iter()
        .map(|(key, value)| quoted(&format!("{}:{}", quoted(key, ':'), quoted(value, ':')), ','));
    pairs.collect::<Vec<_>>().join(",")
}

fn quoted(text: &str, separator: char) -> String {
    if text.contains([separator, '\'', '"']) {
        format!("'{}'", text.replace('\'', "''"))
    } else {
        text.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn separators_and_quotes_are_quoted() {
        let pairs = [("a", "1"), ("b", "x,y"), ("c", "http://h"), ("d", "it's")];
        let owned: Vec<_> = pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        assert_eq!(map(owned.iter().map(|(k, v)| (k, v))), "a:1,'b:x,y','c:''http://h''','d:''it''''s'''");
    }
}
