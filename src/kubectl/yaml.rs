//! Objects as `-o yaml` and `-o json` print them.
//!
//! Follows the emitter of `sigs.k8s.io/yaml` (goyaml.v2): sorted keys, sequences not indented, quotes only where the
//! text would mean something else without them, texts of several lines as literal blocks, long lines folded.
use crate::api::text::go_json;
use serde::Serialize;
use serde_json::ser::{PrettyFormatter, Serializer};
use serde_json::{Map, Value};
use std::cmp::Ordering;

/// The column after which the emitter breaks a line at the next space.
const WIDTH: usize = 80;

/// JSON with four spaces of indentation (`json.MarshalIndent`).
pub(super) fn json(value: &Value) -> String {
    let mut bytes = Vec::new();
    let mut serializer = Serializer::with_formatter(&mut bytes, PrettyFormatter::with_indent(b"    "));
    // Writing a JSON value to memory cannot fail.
    let _ = value.serialize(&mut serializer);
    let text = String::from_utf8(bytes).unwrap_or_default();
    let text = text.replace('<', "\\u003c").replace('>', "\\u003e").replace('&', "\\u0026");
    text + "\n"
}

/// A value as a YAML document.
pub(super) fn write(value: &Value) -> String {
    let mut out = String::new();
    match value {
        Value::Object(fields) if !fields.is_empty() => mapping(fields, 0, &mut out),
        Value::Array(items) if !items.is_empty() => sequence(items, 0, &mut out),
        other => {
            scalar(other, 0, &mut out);
            out.push('\n');
        }
    }
    out
}

/// The order of goyaml's keys: letters after other characters, numbers by value.
fn key_order(a: &str, b: &str) -> Ordering {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let Some(at) = a.iter().zip(&b).position(|(x, y)| x != y) else { return a.len().cmp(&b.len()) };
    let (x, y) = (a.get(at).copied().unwrap_or_default(), b.get(at).copied().unwrap_or_default());
    if x.is_alphabetic() || y.is_alphabetic() {
        let letters = x.is_alphabetic() && y.is_alphabetic();
        return if letters { x.cmp(&y) } else { x.is_alphabetic().cmp(&y.is_alphabetic()) };
    }
    let digits = |text: &[char]| -> (u64, usize) {
        let run = text.iter().skip(at).map_while(|c| c.to_digit(10));
        run.fold((0, 0), |(value, count), digit| {
            (value.saturating_mul(10).saturating_add(u64::from(digit)), count + 1)
        })
    };
    digits(&a).cmp(&digits(&b)).then(x.cmp(&y))
}

fn indent(depth: usize, out: &mut String) {
    out.extend(std::iter::repeat_n(' ', depth));
}

fn mapping(fields: &Map<String, Value>, depth: usize, out: &mut String) {
    let mut keys: Vec<&String> = fields.keys().collect();
    keys.sort_by(|a, b| key_order(a, b));
    for (n, key) in keys.into_iter().enumerate() {
        // The first key of an item stands behind its dash.
        if n > 0 || !out.ends_with("- ") {
            indent(depth, out);
        }
        plain_or_quoted(key, None, out);
        out.push(':');
        match fields.get(key).unwrap_or(&Value::Null) {
            Value::Object(inner) if !inner.is_empty() => {
                out.push('\n');
                mapping(inner, depth + 2, out);
            }
            Value::Array(items) if !items.is_empty() => {
                out.push('\n');
                sequence(items, depth, out);
            }
            other => {
                out.push(' ');
                scalar(other, depth + 2, out);
                out.push('\n');
            }
        }
    }
}

fn sequence(items: &[Value], depth: usize, out: &mut String) {
    for (n, item) in items.iter().enumerate() {
        if n > 0 || !out.ends_with("- ") {
            indent(depth, out);
        }
        out.push_str("- ");
        match item {
            Value::Object(inner) if !inner.is_empty() => mapping(inner, depth + 2, out),
            Value::Array(inner) if !inner.is_empty() => sequence(inner, depth + 2, out),
            other => {
                scalar(other, depth + 2, out);
                out.push('\n');
            }
        }
    }
}

/// Writes a scalar; lines after its first one are indented by `depth`.
fn scalar(value: &Value, depth: usize, out: &mut String) {
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(on) => out.push_str(if *on { "true" } else { "false" }),
        Value::Number(number) => out.push_str(&number.to_string()),
        Value::String(text) if text.contains('\n') && is_literal(text) => literal(text, depth, out),
        Value::String(text) => plain_or_quoted(text, Some(depth), out),
        Value::Array(_) => out.push_str("[]"),
        Value::Object(_) => out.push_str("{}"),
    }
}

/// A literal block can hold it: no trailing spaces, nothing that cannot be printed.
fn is_literal(text: &str) -> bool {
    let printable = |c: char| c == '\n' || (!c.is_control() && c != '\u{feff}');
    !text.ends_with(' ') && text.chars().all(printable) && !text.contains(" \n")
}

fn literal(text: &str, depth: usize, out: &mut String) {
    out.push('|');
    if text.starts_with([' ', '\n']) {
        out.push('2');
    }
    out.push_str(if text.ends_with("\n\n") {
        "+"
    } else if text.ends_with('\n') {
        ""
    } else {
        "-"
    });
    for line in text.strip_suffix('\n').unwrap_or(text).split('\n') {
        out.push('\n');
        if !line.is_empty() {
            indent(depth, out);
            out.push_str(line);
        }
    }
}

/// Writes a text in the plainest way that reads back as this text. Keys are never folded.
fn plain_or_quoted(text: &str, depth: Option<usize>, out: &mut String) {
    let special = text.chars().any(|c| c.is_control() || c == '\u{feff}');
    if special || resolves_to_something_else(text) {
        out.push_str(&go_json_string(text));
    } else if needs_quotes(text) {
        out.push('\'');
        folded(&text.replace('\'', "''"), depth, out);
        out.push('\'');
    } else {
        folded(text, depth, out);
    }
}

/// A double-quoted scalar: JSON's escapes are YAML's, but `<`, `>` and `&` stay.
fn go_json_string(text: &str) -> String {
    let quoted = go_json(&Value::from(text));
    quoted.replace("\\u003c", "<").replace("\\u003e", ">").replace("\\u0026", "&")
}

/// Breaks the line at single spaces behind column [`WIDTH`].
fn folded(text: &str, depth: Option<usize>, out: &mut String) {
    let Some(depth) = depth else {
        out.push_str(text);
        return;
    };
    let start = out.rfind('\n').map_or(0, |at| at + 1);
    let mut column = out.get(start..).unwrap_or_default().chars().count();
    let characters: Vec<char> = text.chars().collect();
    for (n, character) in characters.iter().enumerate() {
        let is_space = |at: Option<usize>| at.and_then(|at| characters.get(at)) == Some(&' ');
        let single = *character == ' ' && !is_space(n.checked_sub(1)) && !is_space(Some(n + 1));
        if single && column > WIDTH && n > 0 && n + 1 < characters.len() {
            out.push('\n');
            indent(depth, out);
            column = depth;
        } else {
            out.push(*character);
            column += 1;
        }
    }
}

/// Unquoted it would be a null, a boolean, a number, a timestamp or a merge key (resolve.go).
fn resolves_to_something_else(text: &str) -> bool {
    const WORDS: [&str; 33] = [
        "", "~", "null", "Null", "NULL", "y", "Y", "yes", "Yes", "YES", "on", "On", "ON", "n", "N", "no",
        "No", "NO", "off", "Off", "OFF", "true", "True", "TRUE", "false", "False", "FALSE", ".nan", ".NaN",
        ".NAN", ".inf", ".Inf", "<<",
    ];
    WORDS.contains(&text)
        || matches!(text, ".INF" | "+.inf" | "-.inf" | "+.Inf" | "-.Inf" | "+.INF" | "-.INF")
        || is_number(text)
        || is_base60(text)
        || is_timestamp(text)
}

fn is_number(text: &str) -> bool {
    let text = text.replace('_', "");
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(&text);
    if !unsigned.starts_with(|c: char| c.is_ascii_digit() || c == '.') {
        return false;
    }
    let radix = |prefix: &str, digit: fn(char) -> bool| {
        let digits = unsigned.strip_prefix(prefix).or_else(|| unsigned.strip_prefix(&prefix.to_uppercase()));
        digits.is_some_and(|digits| !digits.is_empty() && digits.chars().all(digit))
    };
    if radix("0x", |c| c.is_ascii_hexdigit())
        || radix("0o", |c| ('0'..='7').contains(&c))
        || radix("0b", |c| matches!(c, '0' | '1'))
    {
        return true;
    }
    let (mantissa, exponent) =
        unsigned.split_once(['e', 'E']).map_or((unsigned, None), |(m, e)| (m, Some(e)));
    let all_digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let mantissa_ok = match mantissa.split_once('.') {
        None => all_digits(mantissa),
        Some((whole, fraction)) => {
            (all_digits(whole) && (fraction.is_empty() || all_digits(fraction)))
                || (whole.is_empty() && all_digits(fraction))
        }
    };
    let exponent_ok = exponent.is_none_or(|e| all_digits(e.strip_prefix(['-', '+']).unwrap_or(e)));
    mantissa_ok && exponent_ok
}

/// `10:30`: YAML 1.1 counts in sixties.
fn is_base60(text: &str) -> bool {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let mut parts = unsigned.split(':');
    let first = parts.next().unwrap_or_default();
    let rest: Vec<&str> = parts.collect();
    let is_digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit() || b == b'_');
    let is_sixtieth = |part: &&str| {
        let part = part.split('.').next().unwrap_or_default();
        (1..=2).contains(&part.len()) && is_digits(part) && part.parse::<u8>().is_ok_and(|n| n < 60)
    };
    first.starts_with(|c: char| c.is_ascii_digit())
        && is_digits(first)
        && !rest.is_empty()
        && rest.iter().all(is_sixtieth)
}

/// `2006-01-02` and longer.
fn is_timestamp(text: &str) -> bool {
    let bytes = text.as_bytes();
    let digits = |range: std::ops::Range<usize>| {
        bytes.get(range).is_some_and(|part| part.iter().all(u8::is_ascii_digit))
    };
    let date = digits(0..4) && bytes.get(4) == Some(&b'-') && digits(5..7) && bytes.get(7) == Some(&b'-');
    if !date || !digits(8..10) {
        return false;
    }
    match bytes.get(10) {
        None => true,
        Some(b'T' | b't' | b' ') => {
            digits(11..13) && bytes.get(13) == Some(&b':') && digits(14..16) && bytes.get(16) == Some(&b':')
        }
        Some(_) => false,
    }
}

/// Unquoted it would be read as structure (`yaml_emitter_analyze_scalar`).
fn needs_quotes(text: &str) -> bool {
    if text.starts_with("---") || text.starts_with("...") || text.starts_with(' ') || text.ends_with(' ') {
        return true;
    }
    let characters: Vec<char> = text.chars().collect();
    characters.iter().enumerate().any(|(n, character)| {
        let blank_next = characters.get(n + 1).is_none_or(|next| *next == ' ');
        let blank_before = n.checked_sub(1).and_then(|at| characters.get(at)) == Some(&' ');
        match character {
            '#' | ',' | '[' | ']' | '{' | '}' | '&' | '*' | '!' | '|' | '>' | '\'' | '"' | '%' | '@'
            | '`'
                if n == 0 =>
            {
                true
            }
            '?' | '-' if n == 0 => blank_next,
            ':' => blank_next,
            '#' => blank_before,
            _ => false,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn scalars_as_go_yaml_writes_them() {
        let cases = [
            ("web:v1", "web:v1"),
            ("web: v1", "'web: v1'"),
            ("1Gi", "1Gi"),
            ("100m", "100m"),
            ("80", "\"80\""),
            ("1e3", "\"1e3\""),
            ("0x1f", "\"0x1f\""),
            ("1_000", "\"1_000\""),
            ("10:30", "\"10:30\""),
            ("10.64.0.1", "10.64.0.1"),
            ("2026-01-01T00:00:00Z", "\"2026-01-01T00:00:00Z\""),
            ("true", "\"true\""),
            ("yes", "\"yes\""),
            ("", "\"\""),
            ("null", "\"null\""),
            ("<none>", "<none>"),
            ("-", "'-'"),
            ("--flag", "--flag"),
            ("it's", "it's"),
            ("'it", "'''it'"),
            ("a #b", "'a #b'"),
            ("*", "'*'"),
            ("25%", "25%"),
            ("a\tb", "\"a\\tb\""),
            ("{\"a\":1}", "'{\"a\":1}'"),
        ];
        for (text, expected) in cases {
            assert_eq!(write(&json!(text)), format!("{expected}\n"), "{text}");
        }
    }

    #[test]
    fn structure() {
        let value = json!({
            "metadata": {"annotations": {"last": "{\"a\":\"b\"}\n", "two": "a\nb"}, "labels": {}},
            "spec": {"list": [{"name": "a", "args": ["x", 1, []]}, "b", [true, null]], "a10": 1, "a9": 2},
        });
        assert_eq!(
            write(&value),
            "\
metadata:
  annotations:
    last: |
      {\"a\":\"b\"}
    two: |-
      a
      b
  labels: {}
spec:
  a9: 2
  a10: 1
  list:
  - args:
    - x
    - 1
    - []
    name: a
  - b
  - - true
    - null
"
        );
        assert_eq!(
            json(&json!({"a": [1], "b": "<"})),
            "{\n    \"a\": [\n        1\n    ],\n    \"b\": \"\\u003c\"\n}\n"
        );
    }

    #[test]
    fn long_lines_are_folded() {
        let message = "0/2 nodes are available: 2 Insufficient cpu. no new claims to deallocate, preemption: 0/2 nodes \
                       are available: 2 Preemption is not helpful for scheduling.";
        assert_eq!(
            write(&json!({"conditions": [{"message": message}]})),
            "\
conditions:
- message: '0/2 nodes are available: 2 Insufficient cpu. no new claims to deallocate,
    preemption: 0/2 nodes are available: 2 Preemption is not helpful for scheduling.'
"
        );
    }
}
