//! A table as the API server or a command made it, before it is laid out.

/// Header and rows of text. Every row has as many cells as the header.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TableView {
    pub header: Vec<String>,
    pub rows: Vec<Vec<String>>,
}

impl TableView {
    /// Where the column with this header is.
    pub fn column(&self, header: &str) -> Option<usize> {
        self.header.iter().position(|name| name == header)
    }
}
