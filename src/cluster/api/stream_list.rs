//! Lists read element by element as they come: a list of any length takes the memory of one element.

use futures::{AsyncBufRead, AsyncBufReadExt};
use http::Request;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};

use crate::cluster::client::size::{ELEMENT, ELEMENTS, HEAD, LIST, Most};
use crate::cluster::{Again, Cluster, ClusterError, Kind, Result, found};

/// A list in JSON.
pub(in crate::cluster) const JSON: &str = "application/json";

/// What stands around the elements of a list.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(in crate::cluster) struct ListHead {
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
pub(in crate::cluster) struct ListMetadata {
    pub resource_version: String,
    /// Where the rest of a list begins that was asked for in parts.
    #[serde(rename = "continue")]
    pub continue_: Option<String>,
}

#[derive(Clone, Debug, Deserialize)]
pub(in crate::cluster) struct Column {
    pub name: String,
    /// 0 is shown always, above only with `-o wide`.
    #[serde(default)]
    pub priority: i32,
}

/// Takes an element, together with the head of its list. No type of its own for each taker: what
/// reads lists is in the binary once.
pub(in crate::cluster) type Each<'a> = &'a mut (dyn FnMut(&ListHead, &[u8]) -> serde_json::Result<()> + Send);

impl ListHead {
    /// Where the column of this name is.
    pub fn column(&self, name: &str) -> Option<usize> {
        self.column_definitions.iter().position(|column| column.name == name)
    }
}

impl Cluster {
    /// GETs the list at `path` as `media_type` and hands every element of its array `field` to
    /// `each`, together with the head of the list and what was made of those before it. That begins anew when the
    /// connection is lost in the middle: what has come of a list is no list.
    pub(in crate::cluster) async fn each_of<T: Default + Send>(
        &self,
        path: &str,
        media_type: &'static str,
        field: &'static str,
        mut each: impl FnMut(&mut T, &ListHead, &[u8]) -> serde_json::Result<()> + Send,
    ) -> Result<(ListHead, T)> {
        let request = Request::get(path)
            .header(http::header::ACCEPT, media_type)
            .extension(Most::Streamed)
            .body(Vec::new())
            .map_err(|error| ClusterError::Answer(error.to_string()))?;
        let reading = Box::pin(async {
            let mut again = Again::new();
            loop {
                let mut made = T::default();
                let mut take = |head: &ListHead, element: &[u8]| each(&mut made, head, element);
                match self.read_list(request.clone(), field, &mut take).await {
                    Ok(head) => return Ok((head, made)),
                    Err(error) => again.after(error).await?,
                }
            }
        });
        self.within_request_timeout(reading).await
    }

    async fn read_list(
        &self,
        request: Request<Vec<u8>>,
        field: &'static str,
        each: Each<'_>,
    ) -> Result<ListHead> {
        let what = format!("GET {}", request.uri().path());
        let unreadable = |error| match error {
            Unreadable::Json(error) => ClusterError::Answer(error.to_string()),
            Unreadable::TooLong(part, most) => ClusterError::too_long(format!("{what}, {part},"), most),
            Unreadable::TooMany => {
                ClusterError::Answer(format!("the answer to {what} has more than {ELEMENTS} objects"))
            }
        };
        let answer = self.client.request_stream(request).await.map_err(|error| self.sorted(error))?;
        tokio::pin!(answer);
        let mut elements = Elements::new(field);
        loop {
            let chunk = answer.fill_buf().await;
            let chunk = chunk.map_err(|error| ClusterError::broken_off(&error, &self.server))?;
            let length = chunk.len();
            if length == 0 {
                return elements.finish().map_err(|error| match error {
                    // Of an answer whose end is that of its connection, nothing else tells.
                    Unreadable::Json(error) if error.is_eof() => ClusterError::cut_off(&self.server),
                    error => unreadable(error),
                });
            }
            elements.push(chunk, each).map_err(unreadable)?;
            answer.as_mut().consume(length);
        }
    }

    /// The object of this name, cut down to what `T` has; none when it is not there.
    pub(in crate::cluster) async fn object<T: DeserializeOwned>(
        &self,
        kind: Kind,
        namespace: &str,
        name: &str,
    ) -> Result<Option<T>> {
        found(self.read(&format!("{}/{name}", kind.collection(Some(namespace))), JSON).await)
    }

    /// Lists `kind` under a `query` of selectors, in one namespace or in all. Of each object only
    /// what `T` has is kept.
    pub(in crate::cluster) async fn list_of<T: DeserializeOwned + Send>(
        &self,
        kind: Kind,
        namespace: Option<&str>,
        query: &str,
    ) -> Result<Vec<T>> {
        self.listed(&format!("{}?{query}", kind.collection(namespace)), JSON).await
    }

    /// The elements of the list at `path`.
    pub(in crate::cluster) async fn listed<T: DeserializeOwned + Send>(
        &self,
        path: &str,
        media_type: &'static str,
    ) -> Result<Vec<T>> {
        let listed = self.each_of(path, media_type, "items", |objects: &mut Vec<T>, _, object| {
            objects.push(serde_json::from_slice(object)?);
            Ok(())
        });
        listed.await.map(|(_, objects)| objects)
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
    /// The bytes of the whole list so far, and its elements.
    bytes: usize,
    elements: usize,
    head: Option<ListHead>,
    place: Place,
    depth: usize,
    in_string: bool,
    escaped: bool,
}

/// Why a list cannot be read.
#[derive(Debug)]
enum Unreadable {
    Json(serde_json::Error),
    /// This part of it is longer than that.
    TooLong(&'static str, usize),
    TooMany,
}

impl From<serde_json::Error> for Unreadable {
    fn from(error: serde_json::Error) -> Self {
        Self::Json(error)
    }
}

fn bounded(part: &'static str, bytes: usize, most: usize) -> std::result::Result<(), Unreadable> {
    if bytes > most { Err(Unreadable::TooLong(part, most)) } else { Ok(()) }
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
            bytes: 0,
            elements: 0,
            head: None,
            place: Place::Before,
            depth: 0,
            in_string: false,
            escaped: false,
        }
    }

    fn push(&mut self, chunk: &[u8], each: Each<'_>) -> std::result::Result<(), Unreadable> {
        self.bytes = self.bytes.saturating_add(chunk.len());
        bounded("all objects together", self.bytes, LIST)?;
        let mut rest = chunk;
        while let Some(&byte) = rest.first() {
            let is_deep = self.place != Place::Between && self.depth > 2;
            let run = if self.in_string || is_deep { self.skip(rest) } else { self.outside(byte, each)? };
            let (taken, further) = rest.split_at(run.min(rest.len()));
            match self.place {
                Place::Inside => self.element.extend_from_slice(taken),
                Place::Before | Place::After => self.around.extend_from_slice(taken),
                Place::Between => {}
            }
            rest = further;
        }
        bounded("one of its objects", self.element.len(), ELEMENT)?;
        bounded("what is not its objects", self.around.len(), HEAD)
    }

    /// Goes on to the end of the string, or up to the depth at which elements stand; returns how far
    /// that is. Nearly all of a list goes through here.
    fn skip(&mut self, rest: &[u8]) -> usize {
        for (read, byte) in (1..).zip(rest) {
            if self.in_string {
                match byte {
                    _ if self.escaped => self.escaped = false,
                    b'\\' => self.escaped = true,
                    b'"' => {
                        self.in_string = false;
                        if self.depth <= 2 {
                            return read;
                        }
                    }
                    _ => {}
                }
                continue;
            }
            match byte {
                b'"' => self.in_string = true,
                b'{' | b'[' => self.deeper(),
                b'}' | b']' => {
                    self.higher();
                    if self.depth <= 2 {
                        return read;
                    }
                }
                _ => {}
            }
        }
        rest.len()
    }

    fn deeper(&mut self) {
        self.depth = self.depth.saturating_add(1);
    }

    fn higher(&mut self) {
        self.depth = self.depth.saturating_sub(1);
    }

    /// Takes one byte that is in no string.
    fn outside(&mut self, byte: u8, each: Each<'_>) -> std::result::Result<usize, Unreadable> {
        let between = self.depth == 2 && matches!(self.place, Place::Between | Place::Inside);
        match byte {
            b'"' => self.in_string = true,
            b'[' if self.place == Place::Before && self.depth == 1 && self.is_at_the_field() => {
                self.around.extend_from_slice(b"[]");
                self.place = Place::Between;
                self.deeper();
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
                self.higher();
                // The bracket is there already.
                self.around.pop();
                return Ok(1);
            }
            b'{' | b'[' => self.deeper(),
            b'}' | b']' => self.higher(),
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

    fn end_of_element(&mut self, each: Each<'_>) -> std::result::Result<(), Unreadable> {
        if self.place == Place::Inside {
            self.elements = self.elements.saturating_add(1);
            if self.elements > ELEMENTS {
                return Err(Unreadable::TooMany);
            }
            each(self.head.get_or_insert_default(), &self.element)?;
            self.element.clear();
            self.place = Place::Between;
        }
        Ok(())
    }

    /// The whole head. An answer that was cut off is an error.
    fn finish(self) -> std::result::Result<ListHead, Unreadable> {
        Ok(serde_json::from_slice(&self.around)?)
    }
}

#[cfg(test)]
mod tests;
