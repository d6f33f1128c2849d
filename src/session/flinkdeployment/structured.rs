//! Flink's texts for lists and maps, taken apart again, and the names of plugins' jars.
//!
//! The rules are those of `StructuredOptionsSplitter`: see [`crate::session::flink_text`], which writes
//! such texts. What cannot be taken apart is left to Flink.

use std::collections::BTreeMap;

use crate::session::FlinkVersion;
use crate::session::scheduling::{Effect, Toleration};
use crate::session::settings::SecretKey;

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
        if !part.is_empty() {
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

/// `key:value,key:value`.
pub fn map(text: &str) -> Option<BTreeMap<String, String>> {
    let pair = |part: String| match &split(&part, ':')?[..] {
        [key, value] => Some((key.clone(), value.clone())),
        [key] if part.ends_with(':') => Some((key.clone(), String::new())),
        _ => None,
    };
    split(text, ',')?.into_iter().map(pair).collect()
}

/// `a;b`.
pub fn list<'a>(items: impl IntoIterator<Item = &'a str>) -> String {
    let quoted = |item: &str| match item.contains([';', '\'', '"']) {
        true => format!("'{}'", item.replace('\'', "''")),
        false => item.to_owned(),
    };
    items.into_iter().map(quoted).collect::<Vec<_>>().join(";")
}

/// The tolerations of `kubernetes.*.tolerations`; none when one has more than a flag can say.
pub fn tolerations(text: &str) -> Option<Vec<Toleration>> {
    split(text, ';')?.iter().map(|part| toleration(part)).collect()
}

fn toleration(text: &str) -> Option<Toleration> {
    let mut fields = map(text)?;
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

/// The variables of `kubernetes.env.secretKeyRef`.
pub fn secret_env(text: &str) -> Option<BTreeMap<String, SecretKey>> {
    let variable = |part: &String| {
        let mut fields = map(part)?;
        let (name, secret, key) = (fields.remove("env")?, fields.remove("secret")?, fields.remove("key")?);
        fields.is_empty().then_some((name, SecretKey { secret, key }))
    };
    split(text, ';')?.iter().map(variable).collect()
}

/// The jars of `plugins` in the official images of `version`.
pub fn jars(plugins: &[String], version: FlinkVersion) -> String {
    plugins.iter().map(|name| format!("flink-{name}-{version}.jar")).collect::<Vec<_>>().join(";")
}

/// The plugins by their jars; none when something else is among them.
pub fn plugins(jars: &str) -> Option<Vec<String>> {
    let plugin = |jar: &str| {
        let (name, version) = jar.strip_prefix("flink-")?.strip_suffix(".jar")?.rsplit_once('-')?;
        let exact = version.parse::<FlinkVersion>().is_ok_and(|version| version.patch.is_some());
        (exact && !name.is_empty()).then(|| name.to_owned())
    };
    jars.split(';').map(plugin).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::flink_text;

    #[test]
    fn what_is_written_is_read_again() {
        let pairs: BTreeMap<String, String> =
            [("a", "1"), ("b", "x,y"), ("c", "http://h"), ("d", "it's"), ("e", "")]
                .map(|(key, value)| (key.to_owned(), value.to_owned()))
                .into();
        assert_eq!(map(&flink_text::map(&pairs)), Some(pairs));
        let items = ["a", "b;c", "it's"];
        assert_eq!(split(&list(items), ';').expect("list"), items);
        for text in ["spot", "a=b", "a=b:NoSchedule", "a:NoExecute"] {
            let typed: Toleration = text.parse().expect(text);
            assert_eq!(tolerations(&typed.as_flink_reads_it()), Some(vec![typed]));
        }
    }

    #[test]
    fn what_cannot_be_taken_apart_is_left_alone() {
        assert_eq!(map("a"), None);
        assert_eq!(map("a:b:c"), None);
        assert_eq!(split("'a", ';'), None);
        assert_eq!(split("'a'b;c", ';'), None);
        assert_eq!(tolerations("key:a,operator:Equal"), None);
        assert_eq!(tolerations("key:a,tolerationSeconds:5"), None);
        assert_eq!(secret_env("env:A,secret:s"), None);
        assert_eq!(plugins("flink-s3-fs-hadoop-1.20.5.jar;mine.jar"), None);
        assert_eq!(plugins("flink-s3-fs-hadoop-1.20.5.jar").expect("jar"), ["s3-fs-hadoop"]);
    }
}
