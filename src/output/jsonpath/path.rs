//! An expression of a template as queries of RFC 9535, which the library evaluates.
//!
//! Names, indexes, slices, filters and descents have their like there. Unions of whole paths and
//! constants have not, and are put together here.

use jsonpath_rust::parser::model::JpQuery;
use jsonpath_rust::parser::parse_json_path;
use jsonpath_rust::query::js_path_process;
use serde_json::Value;

use super::parse::{Node, Test};

/// The largest whole number that RFC 9535 allows (2^53 - 1), and no array is longer.
const LARGEST: i64 = 9_007_199_254_740_991;

#[derive(Clone, Debug)]
pub struct Path(Vec<Step>);

#[derive(Clone, Debug)]
enum Step {
    Query(JpQuery),
    /// Each path over all values, one path after the other.
    Union(Vec<Path>),
    Text(Value),
    Constant(Value),
    /// `..` with nothing after it.
    Everything,
}

impl Path {
    pub fn new(nodes: &[Node]) -> Result<Self, String> {
        let mut steps = Vec::new();
        let mut query = String::new();
        for node in nodes {
            match node {
                Node::Union(members) => {
                    let descends = query.ends_with("..");
                    query.truncate(query.len() - if descends { "..".len() } else { 0 });
                    close(&mut steps, &mut query)?;
                    let start: &[Node] = if descends { &[Node::Descend] } else { &[] };
                    let members = members.iter().map(|member| Self::new(&[start, member].concat()));
                    steps.push(Step::Union(members.collect::<Result<_, _>>()?));
                }
                Node::Text(text) => {
                    close(&mut steps, &mut query)?;
                    steps.push(Step::Text(text.as_str().into()));
                }
                Node::Constant(value) => {
                    close(&mut steps, &mut query)?;
                    steps.push(Step::Constant(value.clone()));
                }
                node => query.push_str(&segment(node)?),
            }
        }
        close(&mut steps, &mut query)?;
        Ok(Self(steps))
    }

    /// What is there, in the order of the document.
    pub fn find<'v>(&'v self, value: &'v Value) -> Vec<&'v Value> {
        self.find_in(vec![value])
    }

    fn find_in<'v>(&'v self, values: Vec<&'v Value>) -> Vec<&'v Value> {
        self.0.iter().fold(values, |values, step| match step {
            Step::Query(query) => values.into_iter().flat_map(|value| ask(query, value)).collect(),
            Step::Union(members) => members.iter().flat_map(|path| path.find_in(values.clone())).collect(),
            Step::Text(text) => vec![text],
            Step::Constant(constant) => values.iter().map(|_| constant).collect(),
            Step::Everything => {
                let mut all = Vec::new();
                values.into_iter().for_each(|value| collect(value, &mut all));
                all
            }
        })
    }
}

fn ask<'v>(query: &JpQuery, value: &'v Value) -> Vec<&'v Value> {
    js_path_process(query, value)
        .map(|found| found.into_iter().map(|at| at.val).collect())
        .unwrap_or_default()
}

/// Values with something in them, from the outside in; RFC 9535 has no descent to the value itself.
fn collect<'v>(value: &'v Value, all: &mut Vec<&'v Value>) {
    match value {
        Value::String(text) if !text.is_empty() => all.push(value),
        Value::Array(items) if !items.is_empty() => {
            all.push(value);
            items.iter().for_each(|item| collect(item, all));
        }
        Value::Object(members) if !members.is_empty() => {
            all.push(value);
            members.values().for_each(|member| collect(member, all));
        }
        _ => {}
    }
}

/// Makes a step of the segments in `query`, and empties it.
fn close(steps: &mut Vec<Step>, query: &mut String) -> Result<(), String> {
    let query = std::mem::take(query);
    let segments = query.strip_suffix("..").unwrap_or(&query);
    if !segments.is_empty() {
        let query = parse_json_path(&format!("${segments}")).map_err(|error| error.to_string())?;
        steps.push(Step::Query(query));
    }
    if segments.len() < query.len() {
        steps.push(Step::Everything);
    }
    Ok(())
}

/// `node` as a segment of RFC 9535. Every child is in brackets, where every name can be said.
fn segment(node: &Node) -> Result<String, String> {
    let bound = |bound: Option<i64>| bound.map_or_else(String::new, |bound| whole(bound).to_string());
    Ok(match node {
        // A string of JSON is a string of RFC 9535.
        Node::Name(name) => format!("[{}]", Value::from(name.as_str())),
        Node::Wildcard => "[*]".to_owned(),
        Node::Descend => "..".to_owned(),
        Node::Index(index) => format!("[{}]", whole(*index)),
        Node::Slice(start, end, None) => format!("[{}:{}]", bound(*start), bound(*end)),
        Node::Slice(start, end, step) => format!("[{}:{}:{}]", bound(*start), bound(*end), bound(*step)),
        Node::Filter(left, test) => format!("[?{}]", condition(left, test.as_ref())?),
        Node::Range => return Err("unrecognized identifier range".to_owned()),
        Node::End => return Err("unrecognized identifier end".to_owned()),
        Node::Union(_) | Node::Text(_) | Node::Constant(_) => {
            return Err("a filter takes a path, a text, a number, true or false on each side".to_owned());
        }
    })
}

fn whole(number: i64) -> i64 {
    number.clamp(-LARGEST, LARGEST)
}

/// A filter's condition. To RFC 9535 what is missing equals what is missing, and differs from all
/// else; to kubectl a comparison with what is missing is never true.
fn condition(left: &[Node], test: Option<&Test>) -> Result<String, String> {
    let left = Side::new(left)?;
    let Some(Test { operator, right }) = test else {
        return Ok(left.exists);
    };
    let right = Side::new(right)?;
    let compared = format!("{}{operator}{}", left.value, right.value);
    let conditions = [left.is_one, right.is_one].into_iter().flatten().chain([compared]);
    Ok(conditions.collect::<Vec<_>>().join(" && "))
}

/// One side of a comparison, as conditions and a value of RFC 9535.
struct Side {
    exists: String,
    /// Needs to hold for the value to be one that can be compared.
    is_one: Option<String>,
    value: String,
}

impl Side {
    fn new(nodes: &[Node]) -> Result<Self, String> {
        let constant = |value: String| Self { exists: "1==1".to_owned(), is_one: None, value };
        match nodes {
            [Node::Text(text)] => return Ok(constant(Value::from(text.as_str()).to_string())),
            [Node::Constant(Value::Number(number))] if number.as_i64() != number.as_i64().map(whole) => {
                return Ok(constant(format!("{:e}", number.as_f64().unwrap_or_default())));
            }
            [Node::Constant(value)] => return Ok(constant(value.to_string())),
            _ => {}
        }
        let segments = nodes.iter().map(segment).collect::<Result<String, _>>()?;
        if segments.ends_with("..") {
            return Err("nothing is named after ..".to_owned());
        }
        let path = format!("@{segments}");
        if nodes.iter().all(|node| matches!(node, Node::Name(_) | Node::Index(_))) {
            return Ok(Self { exists: path.clone(), is_one: Some(path.clone()), value: path });
        }
        Ok(Self { is_one: Some(format!("count({path})==1")), value: format!("value({path})"), exists: path })
    }
}
