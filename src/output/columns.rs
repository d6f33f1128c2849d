//! `-o custom-columns=` and `-o custom-columns-file=`: tables of the user's own columns, as kubectl
//! makes them.

use serde_json::Value;

use super::jsonpath::{Template, relaxed, sprint};
use crate::model::TableView;

const FILE_FORMAT: &str =
    "Expected format is one line of space separated headers, one line of space separated column specs.";

/// Headers, and where in an item their cells are.
#[derive(Clone, Debug)]
pub struct Columns {
    columns: Vec<(String, Template)>,
}

impl Columns {
    /// Reads `NAME:.metadata.name,STATUS:.status.phase`.
    pub fn parse(spec: &str) -> Result<Self, String> {
        if spec.is_empty() {
            return Err("custom-columns format specified but no custom columns given".to_owned());
        }
        let columns = spec.split(',').map(|column| match column.split_once(':') {
            Some((header, expression)) => read(header, expression),
            None => {
                Err(format!("unexpected custom-columns spec: {column}, expected <header>:<json-path-expr>"))
            }
        });
        Ok(Self { columns: columns.collect::<Result<_, _>>()? })
    }

    /// Reads the text of a file: headers in its first line, expressions in its second.
    pub fn of_file_text(text: &str) -> Result<Self, String> {
        let mut lines = text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
        let mut line = |what| {
            lines.next().ok_or_else(|| format!("invalid template, missing {what} line. {FILE_FORMAT}"))
        };
        let (headers, expressions) = (line("header")?, line("spec")?);
        if headers.len() != expressions.len() {
            return Err(format!(
                "number of headers ({}) and field specifications ({}) don't match",
                headers.len(),
                expressions.len()
            ));
        }
        let columns =
            headers.into_iter().zip(expressions).map(|(header, expression)| read(header, expression));
        Ok(Self { columns: columns.collect::<Result<_, _>>()? })
    }

    /// One row an item. What is missing is `<none>`; several values have commas between.
    pub fn table(&self, items: &[Value]) -> TableView {
        let row = |item| self.columns.iter().map(|(_, template)| cell(template, item)).collect();
        TableView {
            header: self.columns.iter().map(|(header, _)| header.clone()).collect(),
            rows: items.iter().map(row).collect(),
        }
    }
}

fn read(header: &str, expression: &str) -> Result<(String, Template), String> {
    Ok((header.to_owned(), Template::compile(&relaxed(expression)?)?))
}

fn cell(template: &Template, item: &Value) -> String {
    let found: Vec<String> = template.results(item).into_iter().flatten().map(sprint).collect();
    if found.is_empty() { "<none>".to_owned() } else { found.join(",") }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::output::table;

    fn sessions() -> [Value; 2] {
        [
            json!({"metadata": {"name": "roc", "labels": {"app.io/a": "x", "b": "y"}}, "slots": 4,
                   "images": ["flink:2.3", "side"], "cpu": 1.0, "gone": null}),
            json!({"metadata": {"name": "ibis"}, "ready": true}),
        ]
    }

    #[test]
    fn a_column_is_a_header_and_a_path() {
        let columns =
            Columns::parse("NAME:.metadata.name,SLOTS:slots,READY:{.ready},CPU:{cpu}").expect("columns");
        insta::assert_snapshot!(table::render(&columns.table(&sessions()), true), @r"
        NAME   SLOTS    READY    CPU
        roc    4        <none>   1
        ibis   <none>   true     <none>
        ");
    }

    #[test]
    fn several_values_have_commas_and_objects_are_written_as_go_does() {
        let columns = Columns::parse(
            "IMAGES:.images[*],ALL:.images,LABELS:.metadata.labels,ONE:.metadata.labels.app\\.io/a,NULL:.gone,EMPTY:",
        )
        .expect("columns");
        insta::assert_snapshot!(table::render(&columns.table(&sessions()), true), @r"
        IMAGES           ALL                LABELS                ONE      NULL     EMPTY
        flink:2.3,side   [flink:2.3 side]   map[app.io/a:x b:y]   x        <nil>    <none>
        <none>           <none>             <none>                <none>   <none>   <none>
        ");
    }

    #[test]
    fn a_file_has_headers_over_expressions() {
        let columns =
            Columns::of_file_text("NAME   SLOTS\r\n{metadata.name}  .slots\nmore\n").expect("columns");
        insta::assert_snapshot!(table::render(&columns.table(&sessions()), true), @r"
        NAME   SLOTS
        roc    4
        ibis   <none>
        ");
    }

    #[test]
    fn errors_are_in_the_words_of_kubectl() {
        for (spec, error) in [
            ("", "custom-columns format specified but no custom columns given"),
            ("NAME", "unexpected custom-columns spec: NAME, expected <header>:<json-path-expr>"),
            ("A:.a,", "unexpected custom-columns spec: , expected <header>:<json-path-expr>"),
            (
                "A:{.a}{.b}",
                "unexpected path string, expected a 'name1.name2' or '.name1.name2' or '{name1.name2}' or \
                 '{.name1.name2}'",
            ),
            ("A:.a[", "error parsing jsonpath {.a[}, unterminated array"),
        ] {
            assert_eq!(Columns::parse(spec).expect_err(spec), error);
        }
        for (text, error) in [
            (
                "",
                "invalid template, missing header line. Expected format is one line of space separated headers, \
                 one line of space separated column specs.",
            ),
            (
                "A B",
                "invalid template, missing spec line. Expected format is one line of space separated headers, \
                 one line of space separated column specs.",
            ),
            ("A B\n.a", "number of headers (2) and field specifications (1) don't match"),
        ] {
            assert_eq!(Columns::of_file_text(text).expect_err(text), error);
        }
    }
}
