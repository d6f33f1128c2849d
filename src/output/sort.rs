//! `--sort-by=`: the order of items by a field, as in kubectl.

use serde_json::Value;

use super::jsonpath::{Template, relaxed};

/// Which field items are sorted by.
#[derive(Clone, Debug)]
pub struct SortKey {
    path: String,
    template: Template,
}

impl SortKey {
    /// Reads `metadata.name`, `.metadata.name` or `{.metadata.name}`.
    pub fn parse(expression: &str) -> Result<Self, String> {
        let path = relaxed(expression)?;
        let template = Template::compile(&path)?;
        Ok(Self { path, template })
    }
}

/// The indexes of `items` in the order of their first value at `by`: items without one, nulls,
/// numbers, strings. Strings that are quantities (`512Mi`, `10`) go by their value. Items that are the
/// same in this keep their order.
pub fn order(items: &[Value], by: &SortKey) -> Result<Vec<usize>, String> {
    let values: Vec<Option<&Value>> = items
        .iter()
        .map(|item| by.template.results(item).first().and_then(|found| found.first().copied()))
        .collect();
    if !values.is_empty() && values.iter().all(Option::is_none) {
        return Err(format!("couldn't find any field with path {:?} in the list of objects", by.path));
    }
    let texts: Vec<&str> = values.iter().filter_map(|value| value.and_then(Value::as_str)).collect();
    let by_value = go_by_value(&texts);
    let keys = values.into_iter().map(|value| Key::new(value, by_value)).collect::<Result<Vec<_>, _>>();
    let keys = keys.map_err(|kind| format!("Field {} is an unsortable type: {kind}", by.path))?;
    let mut order: Vec<usize> = (0..items.len()).collect();
    order.sort_by(|a, b| keys[*a].cmp(&keys[*b]));
    Ok(order)
}

/// kubectl compares two quantities by value and any other two strings by text, which is no order when
/// both kinds are mixed: "2" is before "10", that before "1a", and that before "2". It is one when all
/// other strings are behind every quantity anyhow, as names are.
fn go_by_value(texts: &[&str]) -> bool {
    texts.iter().all(|text| text.is_empty() || *text >= ":" || quantity(text).is_some())
}

/// The variants are in the order of their values.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Key<'v> {
    Missing,
    Null,
    Number(i128),
    Empty,
    Quantity(i128),
    Text(&'v str),
}

impl<'v> Key<'v> {
    /// The key of `value`, or the name of a type that has no order.
    fn new(value: Option<&'v Value>, by_value: bool) -> Result<Self, &'static str> {
        let Some(value) = value else { return Ok(Self::Missing) };
        Ok(match value {
            Value::Null => Self::Null,
            Value::Number(number) => Self::Number(match (number.as_i128(), number.as_f64()) {
                (Some(whole), _) => whole * NANO,
                // What is too large becomes the largest.
                (None, float) => (float.unwrap_or_default() * 1e9) as i128,
            }),
            Value::String(text) if text.is_empty() => Self::Empty,
            Value::String(text) => match quantity(text).filter(|_| by_value) {
                Some(quantity) => Self::Quantity(quantity),
                None => Self::Text(text),
            },
            Value::Bool(_) => return Err("boolean"),
            Value::Array(_) => return Err("array"),
            Value::Object(_) => return Err("object"),
        })
    }
}

const NANO: i128 = 1_000_000_000;

/// A quantity of Kubernetes in billionths, as far as they go. None for any other text, and for a suffix
/// or a sign alone, which Kubernetes reads as 0.
fn quantity(text: &str) -> Option<i128> {
    let (negative, unsigned) = match text.strip_prefix(['-', '+']) {
        Some(rest) => (text.starts_with('-'), rest),
        None => (false, text),
    };
    let end = unsigned.find(|c: char| c != '.' && !c.is_ascii_digit()).unwrap_or(unsigned.len());
    let (number, suffix) = unsigned.split_at(end);
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if fraction.contains('.') || (whole.is_empty() && fraction.is_empty()) {
        return None;
    }
    let unit = unit(suffix)?;
    // Nine digits after the point are billionths of the unit.
    let whole = if whole.is_empty() { 0 } else { whole.parse::<i128>().unwrap_or(i128::MAX) };
    let fraction = format!("{fraction:0<9.9}").parse::<i128>().unwrap_or_default();
    let amount = whole.saturating_mul(unit).saturating_add(fraction.saturating_mul(unit) / NANO);
    Some(if negative { -amount } else { amount })
}

/// What a suffix multiplies by, in billionths.
fn unit(suffix: &str) -> Option<i128> {
    const BINARY: [&str; 6] = ["Ki", "Mi", "Gi", "Ti", "Pi", "Ei"];
    const DECIMAL: [&str; 10] = ["n", "u", "m", "", "k", "M", "G", "T", "P", "E"];
    let power = |base: i128, names: &[&str]| {
        let at = names.iter().position(|name| *name == suffix)?;
        Some(base.saturating_pow(u32::try_from(at).ok()?))
    };
    power(1000, &DECIMAL).or_else(|| Some(power(1024, &BINARY)? * 1024 * NANO)).or_else(|| {
        let exponent = suffix.strip_prefix(['e', 'E'])?.parse::<i32>().ok()?.saturating_add(9);
        Some(u32::try_from(exponent).map_or(0, |exponent| 10_i128.saturating_pow(exponent)))
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn sorted(values: &[Value]) -> Vec<Value> {
        let items: Vec<Value> = values.iter().map(|value| json!({"a": {"b": value}})).collect();
        let order = order(&items, &SortKey::parse("a.b").expect("key")).expect("order");
        order.into_iter().map(|index| values[index].clone()).collect()
    }

    fn assert_order(expected: &[Value]) {
        let mut backwards = expected.to_vec();
        backwards.reverse();
        assert_eq!(sorted(&backwards), expected);
        assert_eq!(sorted(expected), expected);
    }

    #[test]
    fn numbers_go_by_value_and_strings_by_text() {
        assert_order(&[json!(-1), json!(2), json!(2.5), json!(10), json!(9_007_199_254_740_993_i64)]);
        assert_order(&[json!("Ibis"), json!("auk"), json!("roc"), json!("roc-10"), json!("roc-9")]);
        assert_order(&[json!("2026-02-01T00:00:00Z"), json!("2026-10-01T00:00:00Z")]);
    }

    #[test]
    fn quantities_go_by_value() {
        let memory =
            ["-1", "", "0.5", "900m", "1", "1e3", "1Ki", "1500k", "512Mi", "0.75Gi", "1G", "1Gi", "2E"];
        let [negative, empty, rest @ ..] = memory;
        let texts: Vec<Value> = [empty, negative].into_iter().chain(rest).map(Value::from).collect();
        assert_order(&texts);
        assert_order(&[json!("9"), json!("10"), json!("auk")]);
    }

    #[test]
    fn text_that_only_starts_like_a_quantity_makes_all_go_by_text() {
        assert_order(&[json!("1.10"), json!("1.20.5"), json!("1.9")]);
    }

    #[test]
    fn what_is_missing_is_first_and_null_next() {
        let items = [json!({"a": "x"}), json!({"a": null}), json!({}), json!({"a": 1}), json!({"b": 1})];
        assert_eq!(order(&items, &SortKey::parse(".a").expect("key")), Ok(vec![2, 4, 1, 3, 0]));
    }

    #[test]
    fn the_same_keep_their_order() {
        let items = [json!({"a": "1000m", "n": 0}), json!({"a": "0"}), json!({"a": "1"})];
        assert_eq!(order(&items, &SortKey::parse("{.a}").expect("key")), Ok(vec![1, 0, 2]));
    }

    #[test]
    fn the_first_of_several_values_counts() {
        let items = [json!({"a": [{"b": 2}, {"b": 0}]}), json!({"a": [{"b": 1}]})];
        assert_eq!(order(&items, &SortKey::parse(".a[*].b").expect("key")), Ok(vec![1, 0]));
    }

    #[test]
    fn errors_are_in_the_words_of_kubectl() {
        let by = |expression| SortKey::parse(expression).expect("key");
        let error = "couldn't find any field with path \"{.x.y}\" in the list of objects";
        assert_eq!(order(&[json!({})], &by("x.y")), Err(error.to_owned()));
        assert_eq!(order(&[], &by("x.y")), Ok(vec![]));
        let error = "Field {.a} is an unsortable type: array";
        assert_eq!(order(&[json!({"a": 1}), json!({"a": []})], &by(".a")), Err(error.to_owned()));
        let error = "error parsing jsonpath {.a[}, unterminated array";
        assert_eq!(SortKey::parse(".a[").expect_err("key"), error);
    }

    #[test]
    fn quantities_are_those_of_kubernetes() {
        for (text, billionths) in [
            ("1", Some(NANO)),
            ("+1.5", Some(1_500_000_000)),
            (".5", Some(500_000_000)),
            ("5.", Some(5 * NANO)),
            ("1n", Some(1)),
            ("1Ki", Some(1024 * NANO)),
            ("1e-3", Some(1_000_000)),
            ("1E3", Some(1000 * NANO)),
            ("16E", Some(16_000_000_000_000_000_000 * NANO)),
            ("-1e99", Some(-i128::MAX)),
            ("m", None),
            ("-", None),
            ("", None),
            (".", None),
            ("1.2.3", None),
            ("1K", None),
            ("1 Gi", None),
            ("x1", None),
        ] {
            assert_eq!(quantity(text), billionths, "{text}");
        }
    }
}
