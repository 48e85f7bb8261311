//! Places inside a scalar: from bytes of its text back to where they are written.
//!
//! A scalar's text is what its YAML style makes of what is written: quotes go, escapes are resolved, lines are folded,
//! indentation is stripped. Text and source are walked side by side; blanks of the one answer blanks of the other,
//! whatever their number, which is true of every style. Where they do not agree (a text that came through a parameter)
//! there is no answer, and the whole scalar is pointed at.
use super::diagnostic::Span;
use std::ops::Range;

/// How what is written becomes text.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Style {
    Plain,
    Single,
    Double,
}

/// Where the bytes `range` of `text` stand in `source`, if `text` is the scalar that begins at `span`.
pub(super) fn place(source: &str, span: Span, text: &str, range: &Range<usize>) -> Option<Span> {
    let mut at = span.byte;
    let style = match source.get(at..)?.chars().next()? {
        '\'' => Style::Single,
        '"' => Style::Double,
        '|' | '>' => {
            at += source.get(at..)?.find('\n')? + 1;
            Style::Plain
        }
        _ => Style::Plain,
    };
    if style != Style::Plain {
        at += 1;
    }
    let (mut start, mut end) = (None, at);
    for (offset, wanted) in text.char_indices().filter(|(_, c)| !c.is_whitespace()) {
        if offset >= range.end && (start.is_some() || offset > range.start) {
            break;
        }
        at += blanks(source.get(at..)?, style);
        let (length, found) = unit(source.get(at..)?, style)?;
        if found.is_some_and(|found| found != wanted) {
            return None;
        }
        if offset >= range.start && start.is_none() {
            start = Some(at);
        }
        at += length;
        end = at;
    }
    // What is missing at the end is pointed at behind the last character.
    let byte = start.unwrap_or(end);
    let before = source.get(span.byte..byte)?;
    let lines = u32::try_from(before.matches('\n').count()).ok()?;
    let column = match before.rsplit_once('\n') {
        Some((_, line)) => 1 + line.chars().count(),
        None => span.column as usize + before.chars().count(),
    };
    let column = u32::try_from(column).ok()?;
    let length = if range.is_empty() { 0 } else { end.saturating_sub(byte) };
    Some(Span { line: span.line + lines, column, byte, length })
}

/// Bytes of blanks before the next character, those written as escapes included.
fn blanks(source: &str, style: Style) -> usize {
    let mut at = 0;
    loop {
        let rest = source.get(at..).unwrap_or_default();
        let blank = rest.chars().next().filter(|c| c.is_whitespace()).map_or(0, char::len_utf8);
        let escaped = style == Style::Double
            && rest.strip_prefix('\\').is_some_and(|rest| rest.starts_with(['n', 't', 'r', ' ', '\n', '\r']));
        match (blank, escaped) {
            (0, false) => return at,
            (0, true) => at += 2,
            (blank, _) => at += blank,
        }
    }
}

/// The next character as it is written: its length, and what it stands for if that is plain to see.
fn unit(source: &str, style: Style) -> Option<(usize, Option<char>)> {
    let c = source.chars().next()?;
    match (style, c) {
        (Style::Single, '\'') => source.starts_with("''").then_some((2, Some('\''))),
        (Style::Double, '"') => None,
        (Style::Double, '\\') => match source.chars().nth(1)? {
            'x' => Some((4, None)),
            'u' => Some((6, None)),
            'U' => Some((10, None)),
            c @ ('"' | '\\' | '/') => Some((2, Some(c))),
            c => Some((1 + c.len_utf8(), None)),
        },
        _ => Some((c.len_utf8(), Some(c))),
    }
}

#[cfg(test)]
mod tests {
    use crate::scenario::yaml;

    /// What is pointed at when the word `here` of the scalar is wrong: line, column, and the source there.
    fn found(source: &str) -> (u32, u32, String) {
        let documents = yaml::parse("f", source).expect("YAML");
        let node = documents[0].get("a").expect("a");
        let text = node.as_str().expect("text");
        let start = text.find("here").expect("the word");
        let place = super::place(source, node.span, text, &(start..start + 4)).expect("a place");
        (place.line, place.column, source[place.byte..place.byte + place.length].to_owned())
    }

    #[test]
    fn every_style_of_scalar() {
        for (source, line, column) in [
            ("a: it is here", 1, 10),
            ("a: it is\n  also here", 2, 8),
            ("a: 'it''s \"ä\" here'", 1, 15),
            ("a: 'it is\n\n   also here'", 3, 9),
            (r#"a: "it\u0027s \n \"\xe4\" here""#, 1, 27),
            ("a: \"it \\\n  is here\"", 2, 6),
            ("b: 1\na: |\n  it is\n    also here\n", 4, 10),
            ("a: >-\n  it is\n  also\n\n  here\nb: 1\n", 5, 3),
            ("a: |2\n   it is\n  here\n", 3, 3),
            ("{b: 1, a: 'here'}", 1, 12),
            ("a: # not here\n  it is here\n", 2, 9),
        ] {
            assert_eq!(found(source), (line, column, "here".to_owned()), "{source}");
        }
    }

    #[test]
    fn the_end_of_a_text_and_a_text_from_elsewhere() {
        let source = "a: 'b && '";
        let documents = yaml::parse("f", source).expect("YAML");
        let node = documents[0].get("a").expect("a");
        let place = super::place(source, node.span, "b && ", &(5..5)).expect("a place");
        assert_eq!((place.line, place.column, place.length), (1, 9, 0));
        assert_eq!(super::place(source, node.span, "c && d", &(5..6)), None);
    }
}
