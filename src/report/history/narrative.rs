//! What the author of a scenario says beside it: the comments above a step, and those at the head of the file.
use crate::scenario::{Place, Scenario};

/// Lines of one step that are searched for its beginning.
const LONGEST_STEP: usize = 40;

/// The comment right above the list item that a place lies in; empty if there is none.
pub fn above(scenario: &Scenario, place: Place) -> String {
    let Some(source) = scenario.sources.get(place.source) else { return String::new() };
    let lines: Vec<&str> = source.text.lines().collect();
    let line = (place.span.line as usize).min(lines.len());
    let mut before = lines[..line].iter().rev();
    if !before.by_ref().take(LONGEST_STEP).any(|line| is_item(line)) {
        return String::new();
    }
    let mut comment: Vec<&str> = before.map_while(|line| comment(line)).collect();
    comment.reverse();
    flowing(&comment)
}

/// The comment a file begins with; empty if there is none.
pub fn head(scenario: &Scenario) -> String {
    let Some(source) = scenario.sources.first() else { return String::new() };
    let lines: Vec<&str> = source.text.lines().map_while(comment).collect();
    flowing(&lines)
}

fn is_item(line: &str) -> bool {
    let line = line.trim_start();
    line == "-" || line.starts_with("- ")
}

fn comment(line: &str) -> Option<&str> {
    let text = line.trim_start().strip_prefix('#')?;
    Some(text.strip_prefix(' ').unwrap_or(text).trim_end())
}

/// Joins lines to paragraphs. What is indented, and what stands alone, keeps its line.
fn flowing(lines: &[&str]) -> String {
    let mut text = String::new();
    for line in lines {
        let own = line.is_empty() || line.starts_with(' ');
        let joins = !text.is_empty() && !text.ends_with('\n') && !own;
        if joins {
            text.push(' ');
        } else if own && !text.is_empty() && !text.ends_with('\n') {
            text.push('\n');
        }
        text.push_str(line);
        if own {
            text.push('\n');
        }
    }
    text.trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::Source;
    use crate::scenario::diagnostic::Span;
    use crate::scenario::read::NoFiles;

    fn scenario(text: &str) -> Scenario {
        let map = b"{apiVersion: v1, kind: ConfigMap, metadata: {name: c}}";
        let mut scenario = crate::scenario::read::read("s.yaml", map, &mut NoFiles).expect("a manifest");
        scenario.sources = vec![Source { path: "s.yaml".into(), text: text.into() }];
        scenario
    }

    #[test]
    fn comments_above_steps() {
        let text = "\
# Head, first line
# and second.
#
#   indented
steps:
# One thing,
# in two lines.
- kubectl: get pods
- sleep: 1s
  # Indented as well.
-
  at: 5m
  crash: node/a
";
        let scenario = scenario(text);
        let at = |line| {
            let place = Place { source: 0, span: Span { line, ..Span::default() } };
            above(&scenario, place)
        };
        assert_eq!(at(8), "One thing, in two lines.");
        assert_eq!(at(9), "");
        assert_eq!(at(13), "Indented as well.");
        assert_eq!(at(99), "Indented as well.", "a place beyond the end is at the end");
        assert_eq!(head(&scenario), "Head, first line and second.\n\n  indented");
    }
}
