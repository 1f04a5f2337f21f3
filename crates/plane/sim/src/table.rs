//! Core: a table of figures, for the terminal, for documents and for machines.

use std::fmt;

use serde::{Serialize, Serializer};

/// Rows have as many cells as there are columns.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Table {
    pub title: String,
    pub columns: Vec<String>,
    pub rows: Vec<Vec<Cell>>,
}

/// One cell. Serialised as a bare number or text, so that a program can read the figure.
#[derive(Clone, Debug, PartialEq)]
pub enum Cell {
    Count(u64),
    /// Shown with that many decimals; serialised in full.
    Number(f64, usize),
    Text(String),
    /// Nothing to compare with.
    None,
}

impl Table {
    pub fn new(title: impl Into<String>, columns: &[&str]) -> Self {
        Self {
            title: title.into(),
            columns: columns.iter().map(|column| (*column).to_owned()).collect(),
            rows: Vec::new(),
        }
    }

    /// Panics if the row has not one cell for each column: a fault of the experiment.
    pub fn row(&mut self, cells: Vec<Cell>) {
        assert_eq!(cells.len(), self.columns.len(), "a row of table '{}' has the wrong number of cells", self.title);
        self.rows.push(cells);
    }

    /// As a table in Markdown, columns aligned to the right.
    pub fn markdown(&self) -> String {
        let mut lines = vec![line(self.columns.iter().cloned())];
        lines.push(line(self.columns.iter().map(|_| "---:".to_owned())));
        lines.extend(self.rows.iter().map(|row| line(row.iter().map(Cell::to_string))));
        lines.concat()
    }
}

impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Cell::Count(count) => write!(f, "{}", grouped(*count)),
            Cell::Number(number, decimals) => write!(f, "{number:.decimals$}"),
            Cell::Text(text) => f.write_str(text),
            Cell::None => f.write_str("–"),
        }
    }
}

impl Serialize for Cell {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Cell::Count(count) => serializer.serialize_u64(*count),
            Cell::Number(number, _) => serializer.serialize_f64(*number),
            Cell::Text(text) => serializer.serialize_str(text),
            Cell::None => serializer.serialize_none(),
        }
    }
}

impl From<u64> for Cell {
    fn from(count: u64) -> Self {
        Cell::Count(count)
    }
}

impl From<usize> for Cell {
    fn from(count: usize) -> Self {
        Cell::Count(count as u64)
    }
}

/// With two decimals.
impl From<f64> for Cell {
    fn from(number: f64) -> Self {
        Cell::Number(number, 2)
    }
}

impl From<&str> for Cell {
    fn from(text: &str) -> Self {
        Cell::Text(text.to_owned())
    }
}

impl From<String> for Cell {
    fn from(text: String) -> Self {
        Cell::Text(text)
    }
}

impl<T: Into<Cell>> From<Option<T>> for Cell {
    fn from(value: Option<T>) -> Self {
        value.map_or(Cell::None, Into::into)
    }
}

fn line(cells: impl Iterator<Item = String>) -> String {
    format!("| {} |\n", cells.collect::<Vec<_>>().join(" | "))
}

/// 1234567 as 1,234,567.
pub(crate) fn grouped(count: u64) -> String {
    let digits = count.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_markdown_for_people_and_bare_figures_for_programs() {
        let mut table = Table::new("hops", &["nodes", "ours", "paper"]);
        table.row(vec![1_234_567_u64.into(), 3.8249.into(), None::<f64>.into()]);
        assert_eq!(table.markdown(), "| nodes | ours | paper |\n| ---: | ---: | ---: |\n| 1,234,567 | 3.82 | – |\n");
        let json = serde_json::to_string(&table.rows).expect("a table is plain data");
        assert_eq!(json, "[[1234567,3.8249,null]]");
    }
}
