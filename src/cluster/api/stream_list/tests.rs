//! Lists in any cut, and lists without an end.

use serde_json::Value;

use super::*;

/// The elements and the resourceVersion, of a text that comes in chunks of `size`.
fn read(text: &str, size: usize) -> std::result::Result<(Vec<String>, String), Unreadable> {
    let mut elements = Elements::new("items");
    let mut found = Vec::new();
    for chunk in text.as_bytes().chunks(size) {
        elements.push(chunk, &mut |_, element| {
            found.push(String::from_utf8_lossy(element).into_owned());
            Ok(())
        })?;
    }
    Ok((found, elements.finish()?.metadata.resource_version))
}

#[test]
fn elements_come_whole_however_the_text_is_cut() {
    let text = r#"{"kind":"L","x":{"items":[1]},"metadata":{"resourceVersion":"7"},"items": [ {"a":"]},\"[{"},
        {"b":[1,{"c":[]}]} ,3,"d,\\"],"z":[{}]}"#;
    for size in 1..=text.len() {
        let (found, version) = read(text, size).expect("list");
        assert_eq!(
            found.iter().map(|element| element.trim()).collect::<Vec<_>>(),
            [r#"{"a":"]},\"[{"}"#, r#"{"b":[1,{"c":[]}]}"#, "3", r#""d,\\""#],
            "in chunks of {size}"
        );
        assert_eq!(version, "7");
    }
}

#[test]
fn a_list_may_be_empty_or_null_or_absent() {
    for items in [r#","items":[]"#, r#","items":null"#, ""] {
        let text = format!(r#"{{"metadata":{{"resourceVersion":"7"}}{items}}}"#);
        assert_eq!(read(&text, 5).expect("list"), (Vec::new(), "7".to_owned()));
    }
}

#[test]
fn the_head_is_known_before_the_first_element() {
    let mut elements = Elements::new("rows");
    let mut columns = Vec::new();
    let text = br#"{"columnDefinitions":[{"name":"Name"},{"name":"IP","priority":1}],"rows":[{"cells":[]}]}"#;
    elements
        .push(text, &mut |head, _| {
            columns = head.column_definitions.iter().map(|column| column.name.clone()).collect();
            Ok(())
        })
        .expect("table");
    assert_eq!(columns, ["Name", "IP"]);
}

/// What a server sends that does not come to an end; the error that ends it, and how much is kept until then.
fn endless(start: &str, more: &str, before: usize) -> (Unreadable, usize) {
    let mut elements = Elements { bytes: before, ..Elements::new("items") };
    let mut each = |_: &ListHead, element: &[u8]| serde_json::from_slice::<Value>(element).map(drop);
    let chunk = more.repeat((64 << 10) / more.len());
    let mut sent = elements.push(start.as_bytes(), &mut each);
    while sent.is_ok() {
        sent = elements.push(chunk.as_bytes(), &mut each);
    }
    (sent.expect_err("an end"), elements.around.len() + elements.element.len())
}

#[test]
fn a_list_without_an_end_has_one() {
    for (start, more, part) in [
        (r#"{"items":[{"a":""#, "x", "one of its objects"),
        (r#"{"metadata":{"x":""#, "x", "what is not its objects"),
        ("{", r#""a":1,"#, "what is not its objects"),
        ("", "[", "what is not its objects"),
    ] {
        let (why, kept) = endless(start, more, 0);
        assert!(matches!(why, Unreadable::TooLong(of, _) if of == part), "{start}{more}: {why:?}");
        assert!(kept <= ELEMENT + HEAD, "{start}{more}: {kept}");
    }
    assert!(matches!(endless(r#"{"items":["#, "{},", 0).0, Unreadable::TooMany));
    let (why, _) = endless(r#"{"items":["#, " ", LIST - (1 << 20));
    assert!(matches!(why, Unreadable::TooLong("all objects together", LIST)), "{why:?}");
}

#[test]
fn deep_objects_are_refused_and_end_nothing_else() {
    let deep = format!(r#"{{"items":[{}{}]}}"#, "[".repeat(100_000), "]".repeat(100_000));
    let mut elements = Elements::new("items");
    let read =
        elements.push(deep.as_bytes(), &mut |_, element| serde_json::from_slice::<Value>(element).map(drop));
    assert!(matches!(&read, Err(Unreadable::Json(why)) if why.to_string().contains("recursion")), "{read:?}");
}

#[test]
fn a_list_that_is_cut_off_is_no_list() {
    let text = r#"{"metadata":{},"items":[{"a":1},{"b":2}]}"#;
    for end in 1..text.len() {
        assert!(read(&text[..end], 3).is_err(), "{}", &text[..end]);
    }
    assert!(read("<html>", 3).is_err());
}
