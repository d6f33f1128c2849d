//! Kubernetes objects as text that `kubectl apply -f -` reads.

use serde_json::{Value, json};

use super::format::ObjectFormat;

/// Lays `objects` out: documents with a line between in YAML, one object or a List in JSON.
pub fn render(objects: &[Value], format: ObjectFormat) -> Result<String, String> {
    if format == ObjectFormat::Json {
        let whole = match objects {
            [one] => one.clone(),
            many => json!({"apiVersion": "v1", "kind": "List", "items": many}),
        };
        return serde_json::to_string_pretty(&whole)
            .map(|text| text + "\n")
            .map_err(|error| error.to_string());
    }
    // Text of several lines stays readable; a long line stays one, for folded text is hard to search.
    let options = serde_saphyr::ser_options! { folded_wrap_chars: usize::MAX };
    let documents = objects.iter().map(|object| {
        serde_saphyr::to_string_with_options(object, options.clone()).map_err(|error| error.to_string())
    });
    Ok(documents.collect::<Result<Vec<_>, _>>()?.join("---\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn yaml_is_documents_and_keeps_text_of_several_lines() {
        let script =
            json!({"kind": "Job", "args": ["a: b", "", "1.20", "true", "x\ny\n", "-Da=b c"], "n": 1.5});
        insta::assert_snapshot!(render(&[json!({"kind": "A"}), script], ObjectFormat::Yaml).expect("yaml"));
    }

    #[test]
    fn json_is_one_object_or_a_list() {
        let kind = |objects: &[Value]| {
            let text = render(objects, ObjectFormat::Json).expect("json");
            serde_json::from_str::<Value>(&text).expect("json")["kind"].clone()
        };
        assert_eq!(kind(&[json!({"kind": "Job"})]), "Job");
        assert_eq!(kind(&[json!({"kind": "Job"}), json!({"kind": "Role"})]), "List");
    }
}
