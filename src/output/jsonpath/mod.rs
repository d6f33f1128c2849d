//! `-o jsonpath=`: kubectl's templates.
//!
//! Paths are evaluated by a library that implements RFC 9535. What is around them is kubectl's own:
//! text outside braces, ranges, quoted strings, and how a value is printed. Templates mean here what
//! they mean to client-go's util/jsonpath (v0.35) with missing keys allowed. Where client-go gives up
//! on a document (an index out of bounds, a filter on what is no array), a path here finds nothing.

mod parse;
mod path;
mod print;
mod quote;
#[cfg(test)]
mod tests;

use serde_json::Value;

use parse::Node;
use path::Path;
pub use print::sprint;

/// A template that has been read, and found to be right.
#[derive(Clone, Debug)]
pub struct Template {
    parts: Vec<Part>,
}

#[derive(Clone, Debug)]
enum Part {
    Find(Path),
    Range(Path),
    End,
}

impl Template {
    /// Reads what follows `jsonpath=`. All that can be wrong with a template is found here.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text.is_empty() {
            return Err("template format specified but no template given".to_owned());
        }
        Self::compile(text)
    }

    /// As `parse`; a template without text finds nothing.
    pub(super) fn compile(text: &str) -> Result<Self, String> {
        let parts = parse::parse(text).and_then(|parts| parts.into_iter().map(Part::new).collect());
        let parts: Vec<Part> = parts.map_err(|error| format!("error parsing jsonpath {text}, {error}"))?;
        let mut depth = 0;
        for part in &parts {
            match part {
                Part::Range(_) => depth += 1,
                Part::End if depth == 0 => {
                    return Err(format!("error parsing jsonpath {text}, not in range, nothing to end"));
                }
                Part::End => depth -= 1,
                Part::Find(_) => {}
            }
        }
        Ok(Self { parts })
    }

    /// The text for `value`, without a line break at its end.
    pub fn render(&self, value: &Value) -> String {
        let joined = |found: Vec<&Value>| found.into_iter().map(print::text).collect::<Vec<_>>().join(" ");
        self.results(value).into_iter().map(joined).collect()
    }

    /// What each part of the template finds in `value`, a range's parts once a round.
    pub(super) fn results<'v>(&'v self, value: &'v Value) -> Vec<Vec<&'v Value>> {
        let mut found = Vec::new();
        self.run(0, value, &mut found, &mut None);
        found
    }

    /// Takes `value` through the parts from `from` to the end of the range that they are in.
    /// `last_end` is where the latest range ended.
    fn run<'v>(
        &'v self,
        from: usize,
        value: &'v Value,
        found: &mut Vec<Vec<&'v Value>>,
        last_end: &mut Option<usize>,
    ) {
        let mut at = from;
        while let Some(part) = self.parts.get(at) {
            match part {
                Part::Find(path) => found.push(path.find(value)),
                Part::End => {
                    *last_end = Some(at);
                    return;
                }
                Part::Range(path) => {
                    let rounds = path.find(value);
                    for round in &rounds {
                        self.run(at + 1, round, found, last_end);
                    }
                    if rounds.is_empty() {
                        self.run(at + 1, &Value::Null, &mut Vec::new(), last_end);
                    }
                    // Without its end, a range is left where it starts, and the rest is said once
                    // more. Templates that forget the end are common, and kubectl does so.
                    at = last_end.filter(|end| *end > at).unwrap_or(at);
                }
            }
            at += 1;
        }
    }
}

impl Part {
    fn new(nodes: Vec<Node>) -> Result<Self, String> {
        let has = |word: &Node| nodes.contains(word);
        let (is_end, is_range) = (has(&Node::End), has(&Node::Range));
        let path = || {
            let nodes: Vec<Node> =
                nodes.iter().filter(|node| !matches!(node, Node::Range | Node::End)).cloned().collect();
            Path::new(&nodes)
        };
        match (is_end, is_range) {
            (true, _) => path().map(|_| Self::End),
            (false, true) => path().map(Self::Range),
            (false, false) => path().map(Self::Find),
        }
    }
}

/// kubectl's RelaxedJSONPathExpression: `metadata.name`, `.metadata.name` and `{.metadata.name}` are
/// the same. No expression stays none.
pub fn relaxed(expression: &str) -> Result<String, String> {
    if expression.is_empty() {
        return Ok(String::new());
    }
    let bare = expression.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')).unwrap_or(expression);
    let path = bare.strip_prefix('.').filter(|path| !path.is_empty()).unwrap_or(bare);
    if path.is_empty() || path.contains(['{', '}']) {
        return Err("unexpected path string, expected a 'name1.name2' or '.name1.name2' or '{name1.name2}' \
                    or '{.name1.name2}'"
            .to_owned());
    }
    Ok(format!("{{.{path}}}"))
}
