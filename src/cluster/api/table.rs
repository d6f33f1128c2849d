//! Tables as the API server makes them, so that they match kubectl's in every Kubernetes version.

use serde::Deserialize;
use serde_json::Value;

use crate::cluster::api::stream_list::ListHead;
use crate::cluster::{Cluster, Kind, Result};
use crate::model::TableView;

pub(in crate::cluster) const AS_TABLE: &str = "application/json;as=Table;v=v1;g=meta.k8s.io";

/// One row of a meta.k8s.io/v1 Table.
#[derive(Clone, Debug, Deserialize)]
pub(in crate::cluster) struct Row {
    pub cells: Vec<Value>,
}

impl Cluster {
    /// The table of `kind` under `selector` in `namespace`; `wide` with all columns, as `-o wide`.
    pub async fn table(&self, kind: Kind, namespace: &str, selector: &str, wide: bool) -> Result<TableView> {
        let mut shown = Vec::new();
        let rows = self.each_row(kind, Some(namespace), selector, |rows: &mut Vec<_>, head, row| {
            if rows.is_empty() {
                shown = shown_columns(head, wide);
            }
            rows.push(
                shown.iter().map(|index| row.cells.get(*index).map_or_else(String::new, cell)).collect(),
            );
        });
        let (head, mut rows) = rows.await?;
        let name = |index: usize| Some(head.column_definitions.get(index)?.name.to_uppercase());
        let header: Vec<String> = shown_columns(&head, wide).into_iter().filter_map(name).collect();
        // A server may name its columns behind the rows.
        rows.iter_mut().for_each(|row: &mut Vec<String>| row.resize(header.len(), String::new()));
        Ok(TableView { header, rows })
    }

    /// Hands every row of the table of `kind` to `each`, as [`Cluster::each_of`]. The rows come without their objects, which
    /// makes 155 bytes of a pod instead of 7.6 KB.
    pub(in crate::cluster) async fn each_row<T: Default + Send>(
        &self,
        kind: Kind,
        namespace: Option<&str>,
        selector: &str,
        mut each: impl FnMut(&mut T, &ListHead, Row) + Send,
    ) -> Result<(ListHead, T)> {
        let path =
            format!("{}?includeObject=None&labelSelector={}", kind.collection(namespace), escape(selector));
        self.each_of(&path, AS_TABLE, "rows", |made, head, row| {
            each(made, head, serde_json::from_slice(row)?);
            Ok(())
        })
        .await
    }
}

/// Escapes a selector for a query string.
pub(in crate::cluster) fn escape(text: &str) -> String {
    let escape = |byte: u8| match byte {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    };
    text.bytes().map(escape).collect()
}

fn shown_columns(head: &ListHead, wide: bool) -> Vec<usize> {
    let columns = head.column_definitions.iter().enumerate();
    columns.filter(|(_, column)| wide || column.priority == 0).map(|(index, _)| index).collect()
}

/// A cell as kubectl prints it: the text up to its first line break, other values as JSON.
pub(in crate::cluster) fn cell(value: &Value) -> String {
    match value {
        Value::String(text) => match text.find(['\n', '\r', '\u{c}']) {
            Some(end) => format!("{}...", &text[..end]),
            None => text.clone(),
        },
        Value::Null => String::new(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wide_columns_are_shown_on_request() {
        let head: ListHead = serde_json::from_str(
            r#"{"columnDefinitions":[{"name":"Name","priority":0},{"name":"Restarts"},{"name":"IP","priority":1}]}"#,
        )
        .expect("head");
        assert_eq!(shown_columns(&head, false), [0, 1]);
        assert_eq!(shown_columns(&head, true), [0, 1, 2]);
    }

    #[test]
    fn cells_become_text() {
        let row: Row = serde_json::from_str(r#"{"cells":["two\nlines",3,null,true]}"#).expect("row");
        assert_eq!(row.cells.iter().map(cell).collect::<Vec<_>>(), ["two...", "3", "", "true"]);
    }

    #[test]
    fn selectors_are_escaped() {
        assert_eq!(escape("app=roc,type!=x y"), "app%3Droc%2Ctype%21%3Dx%20y");
    }
}
