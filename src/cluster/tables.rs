//! Tables as the API server makes them, so that they match kubectl's in every Kubernetes version.

use serde::Deserialize;

use super::{Cluster, Kind, Result};
use crate::model::TableView;

const AS_TABLE: &str = "application/json;as=Table;v=v1;g=meta.k8s.io";

/// The fields of meta.k8s.io/v1 Table that are shown.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Table {
    #[serde(default)]
    column_definitions: Vec<Column>,
    /// `null` for an empty list.
    rows: Option<Vec<Row>>,
}

#[derive(Debug, Deserialize)]
struct Column {
    name: String,
    /// 0 is shown always, above only with `-o wide`.
    #[serde(default)]
    priority: i32,
}

#[derive(Debug, Deserialize)]
struct Row {
    cells: Vec<serde_json::Value>,
}

impl Cluster {
    /// The table of `kind` under `selector` in `namespace`, without the wide columns.
    pub async fn table(&self, kind: Kind, namespace: &str, selector: &str) -> Result<TableView> {
        let path = format!(
            "{}?includeObject=None&labelSelector={}",
            kind.collection(Some(namespace)),
            escape(selector)
        );
        self.read::<Table>(&path, AS_TABLE).await.map(view)
    }
}

/// Escapes a selector for a query string.
pub(super) fn escape(text: &str) -> String {
    let escape = |byte: u8| match byte {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    };
    text.bytes().map(escape).collect()
}

fn view(table: Table) -> TableView {
    let shown: Vec<usize> = table
        .column_definitions
        .iter()
        .enumerate()
        .filter(|(_, c)| c.priority == 0)
        .map(|(i, _)| i)
        .collect();
    let pick = |cells: &[String]| -> Vec<String> {
        shown.iter().map(|index| cells.get(*index).cloned().unwrap_or_default()).collect()
    };
    let names: Vec<String> =
        table.column_definitions.iter().map(|column| column.name.to_uppercase()).collect();
    let rows = table.rows.unwrap_or_default();
    TableView {
        header: pick(&names),
        rows: rows.iter().map(|row| pick(&row.cells.iter().map(cell).collect::<Vec<_>>())).collect(),
    }
}

/// A cell as kubectl prints it: the text up to its first line break, other values as JSON.
fn cell(value: &serde_json::Value) -> String {
    match value {
        serde_json::Value::String(text) => match text.find(['\n', '\r', '\u{c}']) {
            Some(end) => format!("{}...", &text[..end]),
            None => text.clone(),
        },
        serde_json::Value::Null => "<nil>".to_owned(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wide_columns_are_left_out_and_cells_become_text() {
        let table: Table = serde_json::from_str(
            r#"{"kind":"Table","columnDefinitions":[
                {"name":"Name","type":"string","priority":0},{"name":"Restarts","type":"string"},
                {"name":"IP","type":"string","priority":1},{"name":"Age","type":"string","priority":0}],
               "rows":[{"cells":["roc",3,"10.0.0.1","5s"]},{"cells":["two\nlines",null,"",true]}]}"#,
        )
        .expect("table");
        let view = view(table);
        assert_eq!(view.header, ["NAME", "RESTARTS", "AGE"]);
        assert_eq!(view.rows, [["roc", "3", "5s"], ["two...", "<nil>", "true"]]);
    }

    #[test]
    fn an_empty_list_has_null_rows() {
        let table: Table = serde_json::from_str(r#"{"columnDefinitions":[],"rows":null}"#).expect("table");
        assert_eq!(view(table), TableView::default());
    }

    #[test]
    fn selectors_are_escaped() {
        assert_eq!(escape("app=roc,type!=x y"), "app%3Droc%2Ctype%21%3Dx%20y");
    }
}
