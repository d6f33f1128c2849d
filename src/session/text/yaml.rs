//! YAML with the place of everything in it, so that an error can point at a line.
//!
//! JSON is YAML too. Duplicate keys are an error of the parser's.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::Value;
use serde_saphyr::options::DuplicateKeyPolicy;
use serde_saphyr::{Budget, Location, Options, Spanned};

/// What is wrong, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, column {column}: {message}")]
pub struct YamlError {
    pub line: u64,
    pub column: u64,
    pub message: String,
}

/// A value and where it stands.
#[derive(Clone, Debug)]
pub struct Node {
    line: u64,
    column: u64,
    content: Content,
}

#[derive(Clone, Debug)]
enum Content {
    /// A scalar with its text as written, for numbers that are no numbers, such as version 1.20.
    Scalar(Value, String),
    List(Vec<Node>),
    Map(Vec<(Node, Node)>),
}

/// Reads one document; nothing at all is null.
pub fn parse(text: &str) -> Result<Node, YamlError> {
    match serde_saphyr::from_str_with_options::<Spanned<Raw>>(text, options(text)) {
        Ok(raw) => Ok(Node::new(raw, text)),
        Err(error) => Err(told(&error)),
    }
}

/// Reads all documents; those that are empty or null are skipped.
pub fn parse_all(text: &str) -> Result<Vec<Node>, YamlError> {
    match serde_saphyr::from_multiple_with_options::<Spanned<Raw>>(text, options(text)) {
        Ok(documents) => Ok(documents.into_iter().map(|raw| Node::new(raw, text)).collect()),
        Err(error) => Err(told(&error)),
    }
}

/// Reads all documents as Go's parser does, which takes the last of several equal keys.
pub fn parse_as_go(text: &str) -> Result<Vec<Node>, YamlError> {
    let mut options = options(text);
    options.duplicate_keys = DuplicateKeyPolicy::LastWins;
    match serde_saphyr::from_multiple_with_options::<Spanned<Raw>>(text, options) {
        Ok(documents) => Ok(documents.into_iter().map(|raw| Node::new(raw, text)).collect()),
        Err(error) => Err(told(&error)),
    }
}

/// As many nodes as the text has room for. What aliases make of it keeps the parser's own limits: a text that grows
/// by them is refused.
fn options(text: &str) -> Options {
    let mut budget = Budget::default();
    budget.max_nodes = budget.max_nodes.max(text.len());
    budget.max_events = budget.max_events.max(text.len().saturating_mul(2));
    budget.max_total_scalar_bytes = budget.max_total_scalar_bytes.max(text.len());
    let mut options = Options::default();
    options.budget = Some(budget);
    options
}

const LARGE: &str = "its aliases or its depth make it too large";

/// The parser's own message may quote the text, which may hold a password: only what is certain not to is repeated.
fn told(error: &serde_saphyr::Error) -> YamlError {
    use serde_saphyr::Error as E;
    let place = error.location().unwrap_or(Location::UNKNOWN);
    let error = error.without_snippet();
    let message = match error {
        E::DuplicateMappingKey { key: Some(key), .. } => format!("duplicate mapping key: {key}"),
        E::DuplicateMappingKey { .. } => "duplicate mapping key".to_owned(),
        E::Eof { .. } => "unexpected end of input".to_owned(),
        E::MultipleDocuments { .. } => "multiple YAML documents detected".to_owned(),
        E::UnknownAnchor { .. } => "alias references unknown anchor".to_owned(),
        E::InvalidUtf8Input => "it is not UTF-8".to_owned(),
        E::ExternalMessage { msg, .. } | E::Message { msg, .. } => syntax(msg),
        // What an alias has led to is wrapped.
        E::Budget { .. } | E::AliasReplayLimitExceeded { .. } | E::AliasExpansionLimitExceeded { .. } => {
            LARGE.to_owned()
        }
        wrapped if wrapped.to_string().contains("budget breached") => LARGE.to_owned(),
        _ => "it is not valid YAML".to_owned(),
    };
    YamlError { line: place.line(), column: place.column(), message }
}

/// Messages of the scanner are fixed sentences, with signs of YAML in quotes; a few quote a part of the text.
fn syntax(message: &str) -> String {
    let mut rest = message.split(" at line ").next().unwrap_or_default();
    let mut kept = String::new();
    while let Some(at) = rest.find(['\'', '"', '`']) {
        let (before, quoted) = rest.split_at(at);
        let mut characters = quoted.chars();
        let quote = characters.next();
        let is_sign = |c: char| c.is_ascii_punctuation();
        match (characters.next(), characters.next()) {
            (Some(sign), end) if end == quote && is_sign(sign) => {
                kept.extend([before, &quoted[..3]]);
                rest = &quoted[3..];
            }
            _ => {
                rest = before;
                break;
            }
        }
    }
    kept.push_str(rest.split(": ").next().unwrap_or_default());
    kept.trim_end().to_owned()
}

impl Node {
    fn new(raw: Spanned<Raw>, text: &str) -> Self {
        let place = raw.referenced;
        let node = |raw| Self::new(raw, text);
        let content = match raw.value {
            Raw::Scalar(value) => {
                let written = written_at(raw.defined, text).map(str::to_owned);
                let plain = match &value {
                    Value::String(text) => text.clone(),
                    other => written.unwrap_or_else(|| other.to_string()),
                };
                Content::Scalar(value, plain)
            }
            Raw::List(items) => Content::List(items.into_iter().map(node).collect()),
            Raw::Map(pairs) => {
                Content::Map(pairs.into_iter().map(|(key, value)| (node(key), node(value))).collect())
            }
        };
        Self { line: place.line(), column: place.column(), content }
    }

    pub fn error(&self, message: impl Into<String>) -> YamlError {
        YamlError { line: self.line, column: self.column, message: message.into() }
    }

    /// Line and column, from 1.
    pub fn place(&self) -> (u64, u64) {
        (self.line, self.column)
    }

    pub fn is_null(&self) -> bool {
        matches!(&self.content, Content::Scalar(Value::Null, _))
    }

    /// The pairs of a mapping; `what` says what should be one. Null is an empty mapping.
    pub fn pairs(&self, what: &str) -> Result<&[(Node, Node)], YamlError> {
        match &self.content {
            Content::Map(pairs) => Ok(pairs),
            Content::Scalar(Value::Null, _) => Ok(&[]),
            _ => Err(self.error(format!("{what} should be a mapping"))),
        }
    }

    pub fn items(&self, what: &str) -> Result<&[Node], YamlError> {
        match &self.content {
            Content::List(items) => Ok(items),
            Content::Scalar(Value::Null, _) => Ok(&[]),
            _ => Err(self.error(format!("{what} should be a list"))),
        }
    }

    /// The pairs of a mapping, as of [`Self::pairs`].
    pub fn into_pairs(self, what: &str) -> Result<Vec<(Node, Node)>, YamlError> {
        match self.content {
            Content::Map(pairs) => Ok(pairs),
            _ => self.pairs(what).map(<[_]>::to_vec),
        }
    }

    /// The items of a list, as of [`Self::items`].
    pub fn into_items(self, what: &str) -> Result<Vec<Node>, YamlError> {
        match self.content {
            Content::List(items) => Ok(items),
            _ => self.items(what).map(<[_]>::to_vec),
        }
    }

    /// A scalar as it is written.
    pub fn text(&self, what: &str) -> Result<&str, YamlError> {
        match &self.content {
            Content::Scalar(Value::Null, _) => Err(self.error(format!("{what} has no value"))),
            Content::Scalar(_, text) => Ok(text),
            _ => Err(self.error(format!("{what} should be a single value"))),
        }
    }

    pub fn boolean(&self, what: &str) -> Result<bool, YamlError> {
        match &self.content {
            Content::Scalar(Value::Bool(value), _) => Ok(*value),
            _ => Err(self.error(format!("{what} should be true or false"))),
        }
    }

    /// A scalar read by its type's own rules.
    pub fn read<T: std::str::FromStr<Err: fmt::Display>>(&self, what: &str) -> Result<T, YamlError> {
        self.text(what)?.trim().parse().map_err(|error: T::Err| self.error(format!("{what}: {error}")))
    }

    /// The value without its places.
    pub fn to_json(&self) -> Value {
        match &self.content {
            Content::Scalar(value, _) => value.clone(),
            Content::List(items) => items.iter().map(Self::to_json).collect(),
            Content::Map(pairs) => Value::Object(
                pairs
                    .iter()
                    .map(|(key, value)| (key.text("").unwrap_or_default().to_owned(), value.to_json()))
                    .collect(),
            ),
        }
    }

    /// The first thing in here that `understood` has not, with its path below `path`: a field that
    /// the reader of the value does not know.
    pub fn unknown_field(&self, understood: &Value, path: &str) -> Option<YamlError> {
        match &self.content {
            Content::Scalar(..) => None,
            Content::List(items) => items.iter().enumerate().find_map(|(index, item)| {
                item.unknown_field(understood.get(index).unwrap_or(&Value::Null), &format!("{path}[{index}]"))
            }),
            Content::Map(pairs) => pairs.iter().find_map(|(key, value)| {
                let name = key.text("").unwrap_or_default();
                let path = if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
                match understood.get(name) {
                    Some(understood) => value.unknown_field(understood, &path),
                    // What is not said is nothing to understand.
                    None if value.is_null() => None,
                    None => Some(key.error(format!("unknown field {path}"))),
                }
            }),
        }
    }

    /// The smallest part without which the whole could be read.
    pub fn fault(&self, whole: &Value, reads: &dyn Fn(Value) -> bool) -> &Self {
        self.fault_at("", whole, reads)
    }

    fn fault_at(&self, pointer: &str, whole: &Value, reads: &dyn Fn(Value) -> bool) -> &Self {
        let without = |pointer: &str| {
            let mut rest = whole.clone();
            rest.pointer_mut(pointer).map(Value::take).is_some() && reads(rest)
        };
        let parts: Vec<(String, &Node)> = match &self.content {
            Content::Scalar(..) => Vec::new(),
            Content::List(items) => {
                items.iter().enumerate().map(|(index, item)| (index.to_string(), item)).collect()
            }
            Content::Map(pairs) => pairs
                .iter()
                .map(|(key, value)| {
                    (key.text("").unwrap_or_default().replace('~', "~0").replace('/', "~1"), value)
                })
                .collect(),
        };
        let faulty = parts
            .into_iter()
            .map(|(name, part)| (format!("{pointer}/{name}"), part))
            .find(|(pointer, _)| without(pointer));
        match faulty {
            Some((pointer, part)) => part.fault_at(&pointer, whole, reads),
            None => self,
        }
    }
}

/// What stands at `place`, by its bytes.
fn written_at(place: Location, text: &str) -> Option<&str> {
    let start = usize::try_from(place.span().byte_offset()?).ok()?;
    let length = usize::try_from(place.span().byte_len()?).ok()?;
    text.get(start..start.checked_add(length)?)
}

/// What the parser gives.
enum Raw {
    Scalar(Value),
    List(Vec<Spanned<Raw>>),
    Map(Vec<(Spanned<Raw>, Spanned<Raw>)>),
}

impl<'de> Deserialize<'de> for Raw {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = Raw;

            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("any value")
            }

            fn visit_bool<E>(self, value: bool) -> Result<Raw, E> {
                Ok(Raw::Scalar(value.into()))
            }

            fn visit_i64<E>(self, value: i64) -> Result<Raw, E> {
                Ok(Raw::Scalar(value.into()))
            }

            fn visit_u64<E>(self, value: u64) -> Result<Raw, E> {
                Ok(Raw::Scalar(value.into()))
            }

            fn visit_f64<E>(self, value: f64) -> Result<Raw, E> {
                Ok(Raw::Scalar(value.into()))
            }

            fn visit_str<E>(self, value: &str) -> Result<Raw, E> {
                Ok(Raw::Scalar(value.into()))
            }

            fn visit_unit<E>(self) -> Result<Raw, E> {
                Ok(Raw::Scalar(Value::Null))
            }

            fn visit_none<E>(self) -> Result<Raw, E> {
                Ok(Raw::Scalar(Value::Null))
            }

            fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Raw, D::Error> {
                Raw::deserialize(deserializer)
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Raw, A::Error> {
                let mut items = Vec::new();
                while let Some(item) = list.next_element()? {
                    items.push(item);
                }
                Ok(Raw::List(items))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Raw, A::Error> {
                let mut pairs = Vec::new();
                while let Some(pair) = map.next_entry()? {
                    pairs.push(pair);
                }
                Ok(Raw::Map(pairs))
            }
        }
        deserializer.deserialize_any(Reader)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "\
a: 1.20
b:
  - x: yes
    y: 'two
      lines'
# a comment
c: {d: [1, 2]}
";

    fn places(node: &Node, path: &str, out: &mut Vec<String>) {
        match &node.content {
            Content::Scalar(_, text) => out.push(format!("{path} {}:{} {text}", node.line, node.column)),
            Content::List(items) => {
                items.iter().enumerate().for_each(|(i, n)| places(n, &format!("{path}[{i}]"), out))
            }
            Content::Map(pairs) => pairs.iter().for_each(|(key, n)| {
                let name = key.text("key").expect("name");
                out.push(format!("{path}.{name} {}:{}", key.line, key.column));
                places(n, &format!("{path}.{name}"), out);
            }),
        }
    }

    #[test]
    fn everything_has_its_place_and_its_spelling() {
        let mut out = Vec::new();
        places(&parse(TEXT).expect("yaml"), "", &mut out);
        insta::assert_snapshot!(out.join("\n"));
    }

    #[test]
    fn what_is_no_yaml_is_pointed_at() {
        let told = |text: &str| parse(text).expect_err(text).to_string();
        insta::assert_snapshot!(
            [told("a: [1\nb: 2\n"), told("a: 1\na: 2\n"), told("a: b: c"), told("a: 1\n---\nb: 2\n")]
                .join("\n")
        );
        assert!(parse("").expect("nothing").is_null());
        assert!(parse("# only a comment\n").expect("nothing").is_null());
    }

    #[test]
    fn a_field_that_nobody_understands_is_found() {
        let node = parse("spec:\n  containers:\n  - name: a\n    imagePull: x\n  nothing:\n").expect("yaml");
        let understood = serde_json::json!({"spec": {"containers": [{"name": "a"}]}});
        assert_eq!(
            node.unknown_field(&understood, "").map(|error| error.to_string()).as_deref(),
            Some("line 4, column 5: unknown field spec.containers[0].imagePull")
        );
    }
}
