//! Values as kubectl prints them, which is as Go does.

use std::io;

use serde::Serialize;
use serde_json::Value;
use serde_json::ser::{Formatter, Serializer};

/// A value of a template: strings as they are, objects and arrays as JSON.
pub fn text(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Array(_) | Value::Object(_) => json(value),
        scalar => sprint(scalar),
    }
}

/// A value as Go's fmt prints it, where custom columns have it from: `map[a:1 b:[x y]]`.
pub fn sprint(value: &Value) -> String {
    match value {
        Value::Null => "<nil>".to_owned(),
        Value::Bool(value) => value.to_string(),
        Value::Number(number) => match number.as_f64().filter(|_| number.is_f64()) {
            Some(float) => go_float(float, -4, 2),
            None => number.to_string(),
        },
        Value::String(text) => text.clone(),
        Value::Array(items) => {
            format!("[{}]", items.iter().map(sprint).collect::<Vec<_>>().join(" "))
        }
        Value::Object(members) => {
            let members = members.iter().map(|(key, value)| format!("{key}:{}", sprint(value)));
            format!("map[{}]", members.collect::<Vec<_>>().join(" "))
        }
    }
}

fn json(value: &Value) -> String {
    let mut bytes = Vec::new();
    match value.serialize(&mut Serializer::with_formatter(&mut bytes, GoJson)) {
        Ok(()) => String::from_utf8_lossy(&bytes).into_owned(),
        Err(_) => value.to_string(),
    }
}

/// Compact JSON as Go's encoding/json writes it.
struct GoJson;

impl Formatter for GoJson {
    fn write_f64<W: ?Sized + io::Write>(&mut self, writer: &mut W, value: f64) -> io::Result<()> {
        writer.write_all(go_float(value, -6, 1).as_bytes())
    }

    /// Go makes JSON that can stand in HTML.
    fn write_string_fragment<W: ?Sized + io::Write>(
        &mut self,
        writer: &mut W,
        fragment: &str,
    ) -> io::Result<()> {
        for part in fragment.split_inclusive(['<', '>', '&', '\u{2028}', '\u{2029}']) {
            match part.chars().next_back().filter(|c| "<>&\u{2028}\u{2029}".contains(*c)) {
                Some(last) => {
                    let before = &part[..part.len() - last.len_utf8()];
                    write!(writer, "{before}\\u{:04x}", u32::from(last))?;
                }
                None => writer.write_all(part.as_bytes())?,
            }
        }
        Ok(())
    }
}

/// Digits from `smallest` to 10^21, else with an exponent of at least `width` digits.
fn go_float(number: f64, smallest: i32, width: usize) -> String {
    let scientific = format!("{number:e}");
    let Some((mantissa, exponent)) = scientific.split_once('e') else { return scientific };
    match exponent.parse::<i32>() {
        Ok(exponent) if !(smallest..21).contains(&exponent) => {
            let sign = if exponent < 0 { '-' } else { '+' };
            format!("{mantissa}e{sign}{:0width$}", exponent.abs())
        }
        _ => number.to_string(),
    }
}
