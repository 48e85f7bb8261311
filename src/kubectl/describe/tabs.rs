//! Go's elastic tabstops (`text/tabwriter` with minimum width 0, padding 2 and no flags).
//!
//! A column is a block of consecutive lines that have a cell there that a tab ends; only such a block lines up. What
//! stands behind the last tab of a line is in no column.

/// Spaces between columns.
const PADDING: usize = 2;

/// The text with its columns lined up.
pub(in crate::kubectl) fn aligned(text: &str) -> String {
    let lines: Vec<Vec<&str>> = text.lines().map(|line| line.split('\t').collect()).collect();
    let mut widths: Vec<Vec<usize>> = lines.iter().map(|line| vec![0; line.len() - 1]).collect();
    let columns = widths.iter().map(Vec::len).max().unwrap_or(0);
    for column in 0..columns {
        let mut start = 0;
        while start < lines.len() {
            let in_column = |line: &usize| widths.get(*line).is_some_and(|cells| column < cells.len());
            let end = (start..lines.len()).find(|line| !in_column(line)).unwrap_or(lines.len());
            let cells = lines.iter().take(end).skip(start).filter_map(|line| line.get(column));
            let width = cells.map(|cell| cell.chars().count()).max().unwrap_or(0) + PADDING;
            for line in widths.iter_mut().take(end).skip(start) {
                if let Some(cell) = line.get_mut(column) {
                    *cell = width;
                }
            }
            start = end + 1;
        }
    }
    let mut out = String::new();
    for (line, widths) in lines.iter().zip(&widths) {
        for (n, cell) in line.iter().enumerate() {
            out.push_str(cell);
            if let Some(width) = widths.get(n) {
                out.extend(std::iter::repeat_n(' ', width.saturating_sub(cell.chars().count())));
            }
        }
        out.push('\n');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up_in_blocks() {
        let text = "\
Name:\tweb
CreationTimestamp:\tnow
Pod Template:
  Labels:\tapp=web
  Containers:
   web:
    Image:\tweb:v1
    Host Port:\t<none>
    Mounts:
      /data from data (rw)
  Volumes:\t<none>
IPs:
  IP:\t10.64.0.1
Controlled By:\tStatefulSet/web
";
        let expected = "\
Name:               web
CreationTimestamp:  now
Pod Template:
  Labels:  app=web
  Containers:
   web:
    Image:      web:v1
    Host Port:  <none>
    Mounts:
      /data from data (rw)
  Volumes:  <none>
IPs:
  IP:           10.64.0.1
Controlled By:  StatefulSet/web
";
        assert_eq!(aligned(text), expected);
    }

    #[test]
    fn several_columns() {
        assert_eq!(
            aligned(
                "  Type\tStatus\tReason\n  ----\t------\t------\n  Available \tTrue\tMinimum\nOld:\t<none>\n"
            ),
            concat!(
                "  Type        Status  Reason\n",
                "  ----        ------  ------\n",
                "  Available   True    Minimum\n",
                "Old:          <none>\n",
            )
        );
    }
}
