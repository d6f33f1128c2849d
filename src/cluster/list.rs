//! Lists read element by element as they come: a list of any length takes the memory of one element.

use futures::{AsyncBufRead, AsyncBufReadExt};
use http::Request;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};

use super::{Cluster, ClusterError, Kind, Result, found};

/// A list in JSON.
pub(super) const JSON: &str = "application/json";

/// What stands around the elements of a list.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct ListHead {
    pub metadata: ListMetadata,
    /// Of a Table. `null` in all events of a watch but the first.
    #[serde(deserialize_with = "null_is_empty")]
    pub column_definitions: Vec<Column>,
}

fn null_is_empty<'de, D: Deserializer<'de>>(columns: D) -> std::result::Result<Vec<Column>, D::Error> {
    Option::<Vec<Column>>::deserialize(columns).map(Option::unwrap_or_default)
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct ListMetadata {
    pub resource_version: String,
}

#[derive(Clone, Debug, Deserialize)]
pub(super) struct Column {
    pub name: String,
    /// 0 is shown always, above only with `-o wide`.
    #[serde(default)]
    pub priority: i32,
}

/// Takes an element, together with the head of its list. No type of its own for each taker: what
/// reads lists is in the binary once.
pub(super) type Each<'a> = &'a mut (dyn FnMut(&ListHead, &[u8]) -> serde_json::Result<()> + Send);

impl ListHead {
    /// Where the column of this name is.
    pub fn column(&self, name: &str) -> Option<usize> {
        self.column_definitions.iter().position(|column| column.name == name)
    }
}

impl Cluster {
    /// GETs the list at `path` as `media_type` and hands every element of its array `field` to
    /// `each`, together with the head of the list.
    pub(super) async fn each_of(
        &self,
        path: &str,
        media_type: &'static str,
        field: &'static str,
        each: Each<'_>,
    ) -> Result<ListHead> {
        let unreadable = |error: String| ClusterError::Answer(error);
        let request = Request::get(path)
            .header(http::header::ACCEPT, media_type)
            .body(Vec::new())
            .map_err(|error| unreadable(error.to_string()))?;
        let reading = async {
            let answer = self.client.request_stream(request).await;
            let answer = answer.map_err(|error| ClusterError::from_kube(error, &self.server))?;
            tokio::pin!(answer);
            let mut elements = Elements::new(field);
            loop {
                let chunk = answer.fill_buf().await.map_err(|error| ClusterError::broken_off(&error))?;
                let length = chunk.len();
                if length == 0 {
                    return elements.finish().map_err(|error| unreadable(error.to_string()));
                }
                elements.push(chunk, each).map_err(|error| unreadable(error.to_string()))?;
                answer.as_mut().consume(length);
            }
        };
        self.within_request_timeout(reading).await
    }

    /// The object of this name, cut down to what `T` has; none when it is not there.
    pub(super) async fn object<T: DeserializeOwned>(
        &self,
        kind: Kind,
        namespace: &str,
        name: &str,
    ) -> Result<Option<T>> {
        found(self.read(&format!("{}/{name}", kind.collection(Some(namespace))), JSON).await)
    }

    /// Lists `kind` under a `query` of selectors, in one namespace or in all. Of each object only
    /// what `T` has is kept.
    pub(super) async fn list_of<T: DeserializeOwned + Send>(
        &self,
        kind: Kind,
        namespace: Option<&str>,
        query: &str,
    ) -> Result<Vec<T>> {
        self.listed(&format!("{}?{query}", kind.collection(namespace)), JSON).await
    }

    /// The elements of the list at `path`.
    pub(super) async fn listed<T: DeserializeOwned + Send>(
        &self,
        path: &str,
        media_type: &'static str,
    ) -> Result<Vec<T>> {
        let mut objects = Vec::new();
        self.each_of(path, media_type, "items", &mut |_, object| {
            objects.push(serde_json::from_slice(object)?);
            Ok(())
        })
        .await?;
        Ok(objects)
    }
}

/// Cuts the text of a JSON object into the elements of one array of its top level.
///
/// It relies on what `encoding/json` writes for Kubernetes' lists: what stands in front of the
/// array belongs to the head. It checks no grammar; whoever parses the parts does.
struct Elements {
    field: &'static str,
    /// Everything but the elements.
    around: Vec<u8>,
    element: Vec<u8>,
    head: Option<ListHead>,
    place: Place,
    depth: usize,
    in_string: bool,
    escaped: bool,
}

#[derive(Clone, Copy, PartialEq)]
enum Place {
    Before,
    Between,
    Inside,
    After,
}

impl Elements {
    fn new(field: &'static str) -> Self {
        Self {
            field,
            around: Vec::new(),
            element: Vec::new(),
            head: None,
            place: Place::Before,
            depth: 0,
            in_string: false,
            escaped: false,
        }
    }

    fn push(&mut self, chunk: &[u8], each: Each<'_>) -> serde_json::Result<()> {
        let mut rest = chunk;
        while let Some(&byte) = rest.first() {
            let is_deep = self.place != Place::Between && self.depth > 2;
            let run = if self.in_string || is_deep { self.skip(rest) } else { self.outside(byte, each)? };
            match self.place {
                Place::Inside => self.element.extend_from_slice(&rest[..run]),
                Place::Before | Place::After => self.around.extend_from_slice(&rest[..run]),
                Place::Between => {}
            }
            rest = &rest[run..];
        }
        Ok(())
    }

    /// Goes on to the end of the string, or up to the depth at which elements stand; returns how far
    /// that is. Nearly all of a list goes through here.
    fn skip(&mut self, rest: &[u8]) -> usize {
        for (index, byte) in rest.iter().enumerate() {
            if self.in_string {
                match byte {
                    _ if self.escaped => self.escaped = false,
                    b'\\' => self.escaped = true,
                    b'"' => {
                        self.in_string = false;
                        if self.depth <= 2 {
                            return index + 1;
                        }
                    }
                    _ => {}
                }
                continue;
            }
            match byte {
                b'"' => self.in_string = true,
                b'{' | b'[' => self.depth += 1,
                b'}' | b']' => {
                    self.depth -= 1;
                    if self.depth <= 2 {
                        return index + 1;
                    }
                }
                _ => {}
            }
        }
        rest.len()
    }

    /// Takes one byte that is in no string.
    fn outside(&mut self, byte: u8, each: Each<'_>) -> serde_json::Result<usize> {
        let between = self.depth == 2 && matches!(self.place, Place::Between | Place::Inside);
        match byte {
            b'"' => self.in_string = true,
            b'[' if self.place == Place::Before && self.depth == 1 && self.is_at_the_field() => {
                self.around.extend_from_slice(b"[]");
                self.place = Place::Between;
                self.depth += 1;
                let head = [&self.around, &b"}"[..]].concat();
                self.head = Some(serde_json::from_slice(&head)?);
                return Ok(1);
            }
            b',' if between => {
                self.end_of_element(each)?;
                return Ok(1);
            }
            b']' if between => {
                self.end_of_element(each)?;
                self.place = Place::After;
                self.depth -= 1;
                // The bracket is there already.
                self.around.pop();
                return Ok(1);
            }
            b'{' | b'[' => self.depth += 1,
            b'}' | b']' => self.depth = self.depth.saturating_sub(1),
            _ => {}
        }
        if self.place == Place::Between && !byte.is_ascii_whitespace() {
            self.place = Place::Inside;
        }
        Ok(1)
    }

    fn is_at_the_field(&self) -> bool {
        let before = self.around.trim_ascii_end().strip_suffix(b":").map(<[u8]>::trim_ascii_end);
        before
            .and_then(|text| text.strip_suffix(b"\""))
            .and_then(|text| text.strip_suffix(self.field.as_bytes()))
            .is_some_and(|text| text.ends_with(b"\""))
    }

    fn end_of_element(&mut self, each: Each<'_>) -> serde_json::Result<()> {
        if self.place == Place::Inside {
            each(self.head.get_or_insert_default(), &self.element)?;
            self.element.clear();
            self.place = Place::Between;
        }
        Ok(())
    }

    /// The whole head. An answer that was cut off is an error.
    fn finish(self) -> serde_json::Result<ListHead> {
        serde_json::from_slice(&self.around)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The elements and the resourceVersion, of a text that comes in chunks of `size`.
    fn read(text: &str, size: usize) -> serde_json::Result<(Vec<String>, String)> {
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
        let text =
            br#"{"columnDefinitions":[{"name":"Name"},{"name":"IP","priority":1}],"rows":[{"cells":[]}]}"#;
        elements
            .push(text, &mut |head, _| {
                columns = head.column_definitions.iter().map(|column| column.name.clone()).collect();
                Ok(())
            })
            .expect("table");
        assert_eq!(columns, ["Name", "IP"]);
    }

    #[test]
    fn a_list_that_is_cut_off_is_no_list() {
        let text = r#"{"metadata":{},"items":[{"a":1},{"b":2}]}"#;
        for end in 1..text.len() {
            assert!(read(&text[..end], 3).is_err(), "{}", &text[..end]);
        }
        assert!(read("<html>", 3).is_err());
    }
}
