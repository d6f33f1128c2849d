//! How Flink writes lists and maps into the text of one setting, and how it takes them apart.
//!
//! `StructuredOptionsSplitter`: parts are quoted with single quotes where they hold the separator or a
//! quote, have outer blanks or are empty, and a quote within is doubled. The same in every version since 1.11.

use std::collections::BTreeMap;

use crate::session::spec::scheduling::{Effect, Toleration};

/// `key:value,key:value`.
pub fn map<'a>(pairs: impl IntoIterator<Item = (&'a String, &'a String)>) -> String {
    let pair = |(key, value): (&String, &String)| format!("{}:{}", quoted(key, ':'), quoted(value, ':'));
    let pairs: Vec<String> = pairs.into_iter().map(pair).collect();
    // From 1.19 on Flink first tries to read the text as YAML, for which `a:b,'c:''d: e'''` is a map with one other
    // key. What begins with a quoted text and a comma is no YAML.
    let in_quotes = pairs.iter().any(|pair| pair.contains(char::is_whitespace));
    let pairs = pairs.iter().enumerate().map(|(index, pair)| match index == 0 && in_quotes {
        true => in_single_quotes(pair),
        false => quoted(pair, ','),
    });
    pairs.collect::<Vec<_>>().join(",")
}

/// `a;b`.
pub fn list<'a>(items: impl IntoIterator<Item = &'a str>) -> String {
    items.into_iter().map(|item| quoted(item, ';')).collect::<Vec<_>>().join(";")
}

/// An empty part would be none: Flink then finds no pair. Outer blanks count in quotes only, and a control character
/// is one to Java.
fn quoted(text: &str, separator: char) -> String {
    let is_blank = |c: char| c <= ' ' || c.is_whitespace();
    let has_outer_blank = text.starts_with(is_blank) || text.ends_with(is_blank);
    match text.is_empty() || has_outer_blank || text.contains([separator, '\'', '"']) {
        true => in_single_quotes(text),
        false => text.to_owned(),
    }
}

fn in_single_quotes(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// The parts between `separator`, without their quotes; none when a quote does not end.
pub fn split(text: &str, separator: char) -> Option<Vec<String>> {
    let mut parts = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let (part, after) = match rest.chars().next() {
            Some(quote @ ('\'' | '"')) => in_quotes(&rest[1..], quote)?,
            _ => {
                let end = rest.find(separator).unwrap_or(rest.len());
                (rest[..end].trim().to_owned(), &rest[end..])
            }
        };
        if !part.is_empty() || rest.starts_with(['\'', '"']) {
            parts.push(part);
        }
        rest = match after.strip_prefix(separator) {
            Some(next) => next,
            None if after.is_empty() => after,
            None => return None,
        };
    }
    Some(parts)
}

/// The text up to the closing quote, and what follows it. A quote within is doubled.
fn in_quotes(text: &str, quote: char) -> Option<(String, &str)> {
    let mut part = String::new();
    let mut chars = text.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        if c != quote {
            part.push(c);
        } else if chars.next_if(|(_, next)| *next == quote).is_some() {
            part.push(quote);
        } else {
            return Some((part, &text[at + 1..]));
        }
    }
    None
}

/// A map, taken apart again; none when it cannot be.
pub fn read_map(text: &str) -> Option<BTreeMap<String, String>> {
    let pair = |part: String| match &split(&part, ':')?[..] {
        [key, value] => Some((key.clone(), value.clone())),
        _ => None,
    };
    split(text, ',')?.into_iter().map(pair).collect()
}

/// The tolerations of `kubernetes.*.tolerations`; none when one has more than a flag can say.
pub fn tolerations(text: &str) -> Option<Vec<Toleration>> {
    split(text, ';')?.iter().map(|part| toleration(part)).collect()
}

fn toleration(text: &str) -> Option<Toleration> {
    let mut fields = read_map(text)?;
    let (key, value) = (fields.remove("key")?, fields.remove("value"));
    let effect = match fields.remove("effect") {
        None => None,
        Some(word) => {
            let known = [Effect::NoSchedule, Effect::PreferNoSchedule, Effect::NoExecute];
            Some(known.into_iter().find(|effect| effect.as_str() == word)?)
        }
    };
    let toleration = Toleration { key, value, effect };
    let same = fields.remove("operator").is_none_or(|operator| operator == toleration.operator());
    (same && fields.is_empty()).then_some(toleration)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
    }

    #[test]
    fn separators_quotes_and_nothing_are_quoted() {
        let odd = pairs(&[("a", "1"), ("b", "x,y"), ("c", "http://h"), ("d", "it's"), ("e", "")]);
        assert_eq!(map(&odd), "a:1,'b:x,y','c:''http://h''','d:''it''''s''','e:'''''");
        assert_eq!(read_map(&map(&odd)), Some(odd));
        let blank = pairs(&[("a", "b"), ("c", "d: e"), ("f", " g ")]);
        assert_eq!(map(&blank), "'a:b','c:''d: e''','f:'' g '''");
        assert_eq!(read_map(&map(&blank)), Some(blank));
        let items = ["a", "b;c", "it's"];
        assert_eq!(split(&list(items), ';').expect("list"), items);
    }

    #[test]
    fn tolerations_are_read_as_they_are_written() {
        for text in ["spot", "a=b", "a=b:NoSchedule", "a:NoExecute"] {
            let typed: Toleration = text.parse().expect(text);
            assert_eq!(tolerations(&typed.as_flink_reads_it()), Some(vec![typed]));
        }
        assert_eq!(tolerations("key:a,operator:Equal"), None);
        assert_eq!(tolerations("key:a,tolerationSeconds:5"), None);
    }

    #[test]
    fn what_cannot_be_taken_apart_is_left_alone() {
        for text in ["a", "a:b:c", "a:"] {
            assert_eq!(read_map(text), None, "{text}");
        }
        assert_eq!(split("'a", ';'), None);
        assert_eq!(split("'a'b;c", ';'), None);
    }
}
