//! YAML with the place of everything in it, so that an error can point at a line.
//!
//! JSON is YAML too. Duplicate keys are an error of the parser's.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::Value;
use serde_saphyr::{Location, Spanned};

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

/// What begins the part of a parser's message that is not for the writer of the text.
const ADVICE: [&str; 3] = [" at line ", ", set DuplicateKeyPolicy", "; use from_str_multiple"];

/// Reads one document; nothing at all is null.
pub fn parse(text: &str) -> Result<Node, YamlError> {
    match serde_saphyr::from_str::<Spanned<Raw>>(text) {
        Ok(raw) => Ok(Node::new(raw, text)),
        Err(error) => Err(told(&error)),
    }
}

fn told(error: &serde_saphyr::Error) -> YamlError {
    let place = error.location().unwrap_or(Location::UNKNOWN);
    let told = error.without_snippet().to_string();
    // The parser repeats the place at the end of its message, and advises on its own options.
    let message = ADVICE.iter().fold(told.as_str(), |told, advice| told.split(advice).next().unwrap_or(told));
    YamlError { line: place.line(), column: place.column(), message: message.to_owned() }
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
