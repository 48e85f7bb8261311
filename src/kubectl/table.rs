//! kubectl's table: columns as wide as their widest cell, three spaces between them, no borders.
//!
//! Follows `k8s.io/cli-runtime/pkg/printers/tablegenerator.go` and `tabwriter.go` (minimum width 6, padding 3). The
//! last column is not padded.
//! Left out: colours; the truncation of cells at a newline (newlines are escaped here).
use std::borrow::Cow;

use crate::api::text::escape;

/// The narrowest a column is, gap included (`tabwriterMinWidth`).
const MIN_WIDTH: usize = 6;
/// Spaces between columns (`tabwriterPadding`).
const GAP: usize = 3;

/// What a column shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Column {
    /// The name, in any case; printed in upper case, spaces kept.
    pub name: &'static str,
    /// Shown only with `-o wide` (priority 1 of the server's tables).
    pub wide: bool,
}

impl Column {
    /// A column that is always shown.
    pub const fn new(name: &'static str) -> Self {
        Self { name, wide: false }
    }

    /// A column of `-o wide`.
    pub const fn wide(name: &'static str) -> Self {
        Self { name, wide: true }
    }
}

/// A table of texts. Cells are escaped when printed ([`escape`]).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Table {
    header: Vec<String>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table with these headers, printed in upper case.
    pub fn new<S: AsRef<str>>(header: impl IntoIterator<Item = S>) -> Self {
        Self {
            header: header.into_iter().map(|name| name.as_ref().to_uppercase()).collect(),
            rows: Vec::new(),
        }
    }

    /// A table of a resource's columns, with or without those of `-o wide`. Rows go through [`Table::row_of`].
    pub fn of_columns(columns: &[Column], wide: bool) -> Self {
        Self::new(columns.iter().filter(|column| wide || !column.wide).map(|column| column.name))
    }

    /// Adds a row. Missing cells at the end are empty, surplus ones are dropped.
    pub fn row<S: Into<String>>(&mut self, cells: impl IntoIterator<Item = S>) {
        let mut row: Vec<String> = cells.into_iter().map(Into::into).collect();
        row.resize(self.header.len(), String::new());
        self.rows.push(row);
    }

    /// Adds a row of cells for all of `columns`, keeping those the table shows.
    pub fn row_of(&mut self, columns: &[Column], wide: bool, cells: Vec<String>) {
        let shown = columns.iter().zip(cells).filter(|(column, _)| wide || !column.wide);
        self.row(shown.map(|(_, cell)| cell));
    }

    /// Puts a column before all others, e.g. NAMESPACE for `-A`; one cell per row, in order.
    pub fn prepend(&mut self, name: &str, cells: impl IntoIterator<Item = String>) {
        self.header.insert(0, name.to_uppercase());
        let mut cells = cells.into_iter();
        for row in &mut self.rows {
            row.insert(0, cells.next().unwrap_or_default());
        }
    }

    /// Puts a column after all others, e.g. LABELS for `--show-labels`.
    pub fn append(&mut self, name: &str, cells: impl IntoIterator<Item = String>) {
        self.header.push(name.to_uppercase());
        let mut cells = cells.into_iter();
        for row in &mut self.rows {
            row.push(cells.next().unwrap_or_default());
        }
    }

    /// How many rows there are.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The text, every line ended; without the header line if `headers` is false (`--no-headers`).
    pub fn render(&self, headers: bool) -> String {
        let lines: Vec<&Vec<String>> =
            headers.then_some(&self.header).into_iter().chain(&self.rows).collect();
        render_columns(&lines, MIN_WIDTH, GAP)
    }
}

/// Lines of cells in columns `gap` spaces apart, at least `min_width` wide; the last cell of a line is not padded.
/// With a minimum of 0 and a gap of 2 this is the layout of `describe`.
pub fn render_columns<S: AsRef<str>>(lines: &[&Vec<S>], min_width: usize, gap: usize) -> String {
    let escaped: Vec<Vec<Cow<'_, str>>> =
        lines.iter().map(|line| line.iter().map(|cell| escape(cell.as_ref())).collect()).collect();
    let mut widths: Vec<usize> = Vec::new();
    for line in &escaped {
        for (index, cell) in line.iter().enumerate() {
            let width = cell.chars().count() + gap;
            match widths.get_mut(index) {
                Some(widest) => *widest = width.max(*widest),
                None => widths.push(width.max(min_width)),
            }
        }
    }
    let mut text = String::new();
    for line in &escaped {
        let last = line.len().saturating_sub(1);
        for (index, (cell, width)) in line.iter().zip(&widths).enumerate() {
            text.push_str(cell);
            if index < last {
                text.extend(std::iter::repeat_n(' ', width.saturating_sub(cell.chars().count())));
            }
        }
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The tables below were printed by kubectl against a 1.36.2 API server.
    fn check(printed: &str, cells: &[&[&str]]) {
        let mut table = Table::new(cells[0]);
        for row in &cells[1..] {
            table.row(row.iter().copied());
        }
        assert_eq!(table.render(true), printed);
    }

    #[test]
    fn pods_wide() {
        check(
            "\
NAME                     READY   STATUS    RESTARTS   AGE   IP          NODE     NOMINATED NODE   READINESS GATES
front-7ff9fd8964-5tw6q   1/1     Running   0          6s    10.64.0.2   node-c   <none>           <none>
web-0                    1/1     Running   0          6s    10.64.0.3   node-a   <none>           <none>
",
            &[
                &["Name", "Ready", "Status", "Restarts", "Age", "IP", "Node", "Nominated Node", "Readiness Gates"],
                &["front-7ff9fd8964-5tw6q", "1/1", "Running", "0", "6s", "10.64.0.2", "node-c", "<none>", "<none>"],
                &["web-0", "1/1", "Running", "0", "6s", "10.64.0.3", "node-a", "<none>", "<none>"],
            ],
        );
    }

    #[test]
    fn short_cells_and_empty_ones() {
        check("NAME   READY   AGE\nweb    2/2     6s\n", &[&["Name", "Ready", "Age"], &["web", "2/2", "6s"]]);
        check(
            "\
NAME          STATUS    VOLUME                                     CAPACITY   ACCESS MODES   STORAGECLASS   VOLUMEATTRIBUTESCLASS   AGE
data-lost-0   Pending                                                                        nosuch         <unset>                 4s
data-web-0    Bound     pvc-a6e3cff4-cbc4-40d6-a6e6-d15acd86e2c8   1Gi        RWO            ebs            <unset>                 4s
",
            &[
                &["Name", "Status", "Volume", "Capacity", "Access Modes", "StorageClass", "VolumeAttributesClass", "Age"],
                &["data-lost-0", "Pending", "", "", "", "nosuch", "<unset>", "4s"],
                &["data-web-0", "Bound", "pvc-a6e3cff4-cbc4-40d6-a6e6-d15acd86e2c8", "1Gi", "RWO", "ebs", "<unset>", "4s"],
            ],
        );
        check(
            "\
NAME     STATUS                     ROLES    AGE   VERSION
node-a   Ready                      <none>   4s    v1.36.2
node-b   Ready,SchedulingDisabled   <none>   4s    v1.36.2
",
            &[
                &["Name", "Status", "Roles", "Age", "Version"],
                &["node-a", "Ready", "<none>", "4s", "v1.36.2"],
                &["node-b", "Ready,SchedulingDisabled", "<none>", "4s", "v1.36.2"],
            ],
        );
    }

    #[test]
    fn columns_of_a_resource() {
        const COLUMNS: [Column; 3] = [Column::new("Name"), Column::wide("Images"), Column::new("Age")];
        let cells = || vec!["web".to_owned(), "web:v1".to_owned(), "6s".to_owned()];
        for (wide, expected) in
            [(false, "NAME   AGE\nweb    6s\n"), (true, "NAME   IMAGES   AGE\nweb    web:v1   6s\n")]
        {
            let mut table = Table::of_columns(&COLUMNS, wide);
            table.row_of(&COLUMNS, wide, cells());
            assert_eq!(table.render(true), expected);
        }
        let mut table = Table::of_columns(&COLUMNS, false);
        table.row_of(&COLUMNS, false, cells());
        table.prepend("Namespace", ["default".to_owned()]);
        table.append("Labels", ["app=web".to_owned()]);
        assert_eq!(table.render(true), "NAMESPACE   NAME   AGE   LABELS\ndefault     web    6s    app=web\n");
        assert_eq!(table.render(false), "default   web   6s    app=web\n");
        assert_eq!((table.len(), table.is_empty()), (1, false));
    }

    #[test]
    fn rows_are_made_to_fit_and_cells_to_be_safe() {
        let mut table = Table::new(["a", "b"]);
        table.row(["1"]);
        table.row(["1", "2", "3"]);
        table.row(["\u{1b}[2J", "x\ny"]);
        assert_eq!(table.render(true), "A           B\n1           \n1           2\n\\u{1b}[2J   x\\ny\n");
    }
}
