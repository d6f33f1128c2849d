//! The one table renderer: kubectl's layout.

use comfy_table::{Cell, ColumnConstraint, ContentArrangement, Table, TableStyle, Width};

use super::text::printable;
use crate::model::TableView;

/// kubectl's tabwriter: three spaces between columns, at least six characters a column.
const GAP: u16 = 3;
const NARROWEST: u16 = 6;

/// Lays `view` out, without the header on request. Ends with a line break unless it is empty.
pub fn render(view: &TableView, with_header: bool) -> String {
    if view.rows.is_empty() && (!with_header || view.header.is_empty()) {
        return String::new();
    }
    let mut table = Table::new();
    table.load_style(TableStyle::new()).set_content_arrangement(ContentArrangement::Disabled);
    let cells = |row: &[String]| row.iter().map(|text| Cell::new(printable(text))).collect::<Vec<_>>();
    if with_header {
        table.set_header(cells(&view.header));
    }
    for row in &view.rows {
        table.add_row(cells(row));
    }
    for column in table.column_iter_mut() {
        column.set_padding((0, GAP));
        column.set_constraint(ColumnConstraint::LowerBoundary(Width::Fixed(NARROWEST)));
    }
    // The last column is not padded by kubectl.
    table.lines().map(|line| format!("{}\n", line.trim_end())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn view(header: &[&str], rows: &[&[&str]]) -> TableView {
        let owned = |cells: &[&str]| cells.iter().map(|cell| (*cell).to_owned()).collect::<Vec<_>>();
        TableView { header: owned(header), rows: rows.iter().map(|row| owned(row)).collect() }
    }

    #[test]
    fn the_layout_is_kubectls() {
        // As kubectl 1.34 printed it.
        let pods = view(
            &["NAME", "READY", "STATUS", "RESTARTS", "AGE"],
            &[
                &["pod/boot-f23-j7mzn", "0/1", "Completed", "0", "50s"],
                &["pod/f23-65d8f95b64-mnmvt", "1/1", "Running", "0", "37s"],
            ],
        );
        assert_eq!(
            render(&pods, true),
            "NAME                       READY   STATUS      RESTARTS   AGE\n\
             pod/boot-f23-j7mzn         0/1     Completed   0          50s\n\
             pod/f23-65d8f95b64-mnmvt   1/1     Running     0          37s\n"
        );
    }

    #[test]
    fn a_narrow_column_is_six_wide() {
        assert_eq!(
            render(&view(&["A", "B", "C"], &[&["1", "", "3"]]), true),
            "A     B     C\n1           3\n"
        );
    }

    #[test]
    fn without_a_header_and_without_rows() {
        assert_eq!(render(&view(&["NAME", "AGE"], &[&["roc", "1s"]]), false), "roc   1s\n");
        assert_eq!(render(&view(&["NAME"], &[]), false), "");
        assert_eq!(render(&view(&[], &[]), true), "");
    }

    #[test]
    fn a_cell_cannot_drive_the_terminal() {
        assert_eq!(render(&view(&["NAME"], &[&["\x1b[31mred"]]), true), "NAME\n^[[31mred\n");
    }
}
