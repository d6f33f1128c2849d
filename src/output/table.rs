//! The one table renderer: kubectl's layout.

use comfy_table::{Cell, ColumnConstraint, ContentArrangement, Table, TableStyle, Width};
use unicode_width::UnicodeWidthChar;

use super::colour;
use super::text::printable;
use crate::model::TableView;

/// kubectl's tabwriter: three spaces between columns, at least six characters a column.
const GAP: u16 = 3;
const NARROWEST: u16 = 6;

/// Lays `view` out, without the header on request. Ends with a line break unless it is empty.
pub fn render(view: &TableView, with_header: bool) -> String {
    Layout::default().render(view, with_header)
}

/// A layout that remembers how wide its columns were, so that rows that come later stand below
/// those that are printed already.
#[derive(Clone, Debug, Default)]
pub struct Layout {
    widths: Vec<u16>,
    /// States are coloured.
    pub colour: bool,
}

impl Layout {
    pub fn coloured(colour: bool) -> Self {
        Self { widths: Vec::new(), colour }
    }

    /// Makes room for rows like those of `view`.
    pub fn reserve(&mut self, view: &TableView) {
        self.render(view, true);
    }

    /// As [`render`].
    pub fn render(&mut self, view: &TableView, with_header: bool) -> String {
        if view.rows.is_empty() && (!with_header || view.header.is_empty()) {
            return String::new();
        }
        let mut table = Table::new();
        table.load_style(TableStyle::new()).set_content_arrangement(ContentArrangement::Disabled);
        let cells = |row: &[String]| row.iter().map(|text| Cell::new(in_cell(text))).collect::<Vec<_>>();
        if with_header {
            table.set_header(cells(&view.header));
        }
        for row in &view.rows {
            table.add_row(cells(row));
        }
        let widths: Vec<u16> = table
            .column_max_content_widths()
            .into_iter()
            .enumerate()
            .map(|(index, width)| {
                width.saturating_add(GAP).max(NARROWEST).max(self.widths.get(index).copied().unwrap_or(0))
            })
            .collect();
        for (column, width) in table.column_iter_mut().zip(&widths) {
            column.set_padding((0, GAP));
            column.set_constraint(ColumnConstraint::LowerBoundary(Width::Fixed(*width)));
        }
        self.widths = widths;
        let coloured =
            view.header.iter().position(|name| self.colour && colour::COLUMNS.contains(&name.as_str()));
        let lines = table.lines().enumerate().map(|(index, line)| {
            // The last column is not padded by kubectl.
            let line = line.trim_end();
            let row = if with_header { index.checked_sub(1) } else { Some(index) };
            match coloured.zip(row.and_then(|row| view.rows.get(row))) {
                Some((column, row)) => self.paint(line, column, &in_cell(&row[column])) + "\n",
                None => format!("{line}\n"),
            }
        });
        lines.collect()
    }

    /// Colours the text of `column` in a line.
    fn paint(&self, line: &str, column: usize, text: &str) -> String {
        let start: u16 = self.widths[..column].iter().sum();
        let mut at = 0;
        let byte = line.char_indices().find(|(_, c)| {
            let is_there = at >= usize::from(start);
            at += c.width().unwrap_or(0);
            is_there
        });
        match (byte, colour::of_state(text)) {
            (Some((byte, _)), Some(style)) if line[byte..].starts_with(text) => {
                let (before, rest) = line.split_at(byte);
                format!("{before}{style}{text}{style:#}{}", &rest[text.len()..])
            }
            _ => line.to_owned(),
        }
    }
}

/// A cell is one line, and a tab would move what follows.
fn in_cell(text: &str) -> String {
    printable(text).replace('\t', " ")
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
        assert_eq!(render(&view(&["A", "B"], &[&["x\ty\nz", "1"]]), true), "A       B\nx y\u{fffd}z   1\n");
    }

    #[test]
    fn wide_characters_take_two_columns_and_marks_none() {
        let table = view(
            &["NAME", "STATE"],
            &[&["统计作业", "RUNNING"], &["e\u{301}te\u{301}", "RUNNING"], &["🚀", "FAILED"]],
        );
        assert_eq!(
            render(&table, true),
            "NAME       STATE\n统计作业   RUNNING\ne\u{301}te\u{301}        RUNNING\n🚀         FAILED\n"
        );
        // Colours land on the word, whatever stands in front of it.
        let painted = Layout::coloured(true).render(&table, false);
        for line in painted.lines() {
            assert!(
                line.contains("\x1b[32mRUNNING\x1b[0m") || line.contains("\x1b[31mFAILED\x1b[0m"),
                "{line:?}"
            );
        }
    }

    #[test]
    fn later_rows_stand_below_earlier_ones() {
        let mut layout = Layout::default();
        layout.render(&view(&["NAME", "AGE"], &[&["flink-session", "1s"]]), true);
        assert_eq!(layout.render(&view(&["NAME", "AGE"], &[&["roc", "2s"]]), false), "roc             2s\n");
    }
}
