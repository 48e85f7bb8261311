//! YAML and JSON text to a tree of values in which every node knows where it stands in the text.
//!
//! What a scalar means follows kubectl, that is `sigs.k8s.io/yaml` (goyaml.v2 resolve.go, then YAML to JSON): YAML
//! **1.1** booleans (`yes`, `on`, `y`), `0755` octal, `1_000`, merge keys (`<<`), keys turned into strings. Unlike
//! kubectl, which lets the last one win, a duplicate key is an error.
//!
//! Syntax is the event parser's that `serde-saphyr` is built on; its own deserializer is not used because it does not
//! say whether a scalar was plain, quoted or tagged, which kubectl's rules need. The tree is built without recursion
//! and within limits: aliases are expanded against the same budget as written nodes.
//!
//! Left out: `!!binary` (an error), the UTF-32 encodings.

use super::diagnostic::{Diagnostic, Span};
pub use super::node::{Node, Value};
use super::tree::Builder;

/// Largest input, in bytes.
pub const MAX_BYTES: usize = 16 << 20;
/// Deepest nesting of sequences and mappings.
pub const MAX_DEPTH: usize = 64;
/// Most nodes of one input, those made by aliases and merge keys included.
pub const MAX_NODES: usize = 1_000_000;
/// Most documents of one input, empty ones not counted.
pub const MAX_DOCUMENTS: usize = 10_000;

/// The text of a file: UTF-8 with or without byte order mark, or UTF-16 with one. Spans count in this text.
///
/// # Errors
/// A file above [`MAX_BYTES`] (marked as a limit), text that is neither.
pub fn decode(file: &str, bytes: &[u8]) -> Result<String, Diagnostic> {
    check_size(file, bytes.len())?;
    let utf16 = |units: Vec<u16>| {
        String::from_utf16(&units).map_err(|_| Diagnostic::whole_file(file, "the file is not valid UTF-16"))
    };
    match bytes {
        [0xef, 0xbb, 0xbf, rest @ ..] => decode_utf8(file, rest),
        [0xff, 0xfe, rest @ ..] if rest.len().is_multiple_of(2) => {
            utf16(rest.chunks_exact(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]])).collect())
        }
        [0xfe, 0xff, rest @ ..] if rest.len().is_multiple_of(2) => {
            utf16(rest.chunks_exact(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]])).collect())
        }
        _ => decode_utf8(file, bytes),
    }
}

fn decode_utf8(file: &str, bytes: &[u8]) -> Result<String, Diagnostic> {
    match std::str::from_utf8(bytes) {
        Ok(text) => Ok(text.to_owned()),
        Err(error) => {
            let valid = bytes.get(..error.valid_up_to()).unwrap_or_default();
            let line = 1 + valid.iter().filter(|byte| **byte == b'\n').count();
            Err(Diagnostic::whole_file(file, format!("the file is not valid UTF-8 (line {line})")))
        }
    }
}

fn check_size(file: &str, size: usize) -> Result<(), Diagnostic> {
    if size <= MAX_BYTES {
        return Ok(());
    }
    let message = format!("the file has more than {} MiB", MAX_BYTES >> 20);
    Err(Diagnostic::whole_file(file, message).as_limit())
}

/// The documents of a YAML stream or of a stream of JSON values, without the empty ones (nothing, comments, `null`).
///
/// # Errors
/// The first mistake: syntax, a duplicate key, an unusable key, an unknown or recursive alias, an exceeded limit.
pub fn parse(file: &str, text: &str) -> Result<Vec<Node>, Diagnostic> {
    check_size(file, text.len())?;
    let mut builder = Builder::new(file);
    for chunk in split_json(text) {
        let chunk = text.get(chunk).unwrap_or_default();
        builder.read(chunk)?;
        advance(&mut builder.origin, chunk);
    }
    Ok(builder.documents)
}

/// The documents of a text as kubectl reads its standard input.
///
/// # Errors
/// The sentence of [`go_yaml_error`].
pub fn documents(text: &str) -> Result<Vec<serde_json::Value>, String> {
    let documents = parse("STDIN", text).map_err(|diagnostic| go_yaml_error(&diagnostic))?;
    Ok(documents.iter().map(Node::to_json).collect())
}

/// The sentence kubectl prints for a text that is no YAML (`error parsing F: error converting YAML to JSON: ` follows
/// in front of it).
pub fn go_yaml_error(diagnostic: &Diagnostic) -> String {
    match diagnostic.span {
        Some(span) if span.line > 1 => format!("yaml: line {}: {}", span.line, diagnostic.message),
        _ => format!("yaml: {}", diagnostic.message),
    }
}

/// The parts to be read one by one: one, unless the text begins with several JSON values without `---` between them.
fn split_json(text: &str) -> Vec<std::ops::Range<usize>> {
    let whole = 0..text.len();
    if !text.trim_start().starts_with('{') {
        return vec![whole];
    }
    let mut values = serde_json::Deserializer::from_str(text).into_iter::<serde::de::IgnoredAny>();
    let mut ends = Vec::new();
    while ends.len() <= MAX_DOCUMENTS
        && let Some(Ok(_)) = values.next()
    {
        ends.push(values.byte_offset());
    }
    if ends.len() < 2 {
        return vec![whole];
    }
    let mut start = 0;
    let mut parts = Vec::with_capacity(ends.len() + 1);
    for end in ends.into_iter().chain([text.len()]) {
        parts.push(start..end);
        start = end;
    }
    parts
}

/// Moves a position past a text.
fn advance(position: &mut Span, text: &str) {
    position.byte += text.len();
    let lines = text.bytes().filter(|byte| *byte == b'\n').count();
    let last = text.rfind('\n').map_or(text, |at| text.get(at + 1..).unwrap_or_default());
    position.column = saturate(last.chars().count()) + if lines == 0 { position.column } else { 1 };
    position.line = position.line.saturating_add(saturate(lines));
}

/// A count as it appears in a [`Span`].
pub(super) fn saturate(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::api::manifest::Segment;

    fn json_of(text: &str) -> Vec<serde_json::Value> {
        parse("f.yaml", text)
            .unwrap_or_else(|error| panic!("{}", error.render(text)))
            .iter()
            .map(Node::to_json)
            .collect()
    }

    fn complaint(text: &str) -> (String, u32, u32) {
        let error = parse("f.yaml", text).expect_err("must be refused");
        let span = error.span.unwrap_or_default();
        (error.message, span.line, span.column)
    }

    fn path(text: &str) -> Vec<Segment> {
        text.split('.')
            .map(|part| part.parse().map_or_else(|_| Segment::Field(part.to_owned()), Segment::Index))
            .collect()
    }

    #[test]
    fn values_become_the_json_kubectl_sends() {
        let cases = [
            ("a: [yes, no, on, off, y, n]", json!({"a": [true, false, true, false, true, false]})),
            (
                "{yes: 1, off: 2, 1: 3, 0755: 4, 1.5: 5}",
                json!({"true": 1, "false": 2, "1": 3, "493": 4, "1.5": 5}),
            ),
            ("[0755, 0o755, 0x1F, 0b11, 1_000]", json!([493, 493, 31, 3, 1000])),
            ("[08, 1e3, .5, 1.20, 1e400, 1e30]", json!([8, 1000, 0.5, 1.2, "1e400", 1e30])),
            ("[1:30, 2001-01-01, ++, =, tRue]", json!(["1:30", "2001-01-01", "++", "=", "tRue"])),
            ("['yes', \"1\", !!str 5, !!int \"5\", !foo 5]", json!(["yes", "1", "5", 5, "5"])),
            ("a: |\n  x\n  y\nb: >-\n  x\n  y\n", json!({"a": "x\ny\n", "b": "x y"})),
            ("a:\nb: ~\nc: null", json!({"a": null, "b": null, "c": null})),
            (
                "- &a {x: 1}\n- *a\n- {<<: *a, w: 2}\n- {<<: *a, x: 3}",
                json!([{"x": 1}, {"x": 1}, {"x": 1, "w": 2}, {"x": 3}]),
            ),
            (
                "- &a {x: 1}\n- &b {x: 2, z: 2}\n- {<<: [*a, *b]}",
                json!([{"x": 1}, {"x": 2, "z": 2}, {"x": 1, "z": 2}]),
            ),
            ("\"<<\": 1", json!({"<<": 1})),
            ("a: <<", json!({"a": "<<"})),
            ("{\"a\":\"\\u00e9\\/\\ud83d\\ude00\",\n\t\"b\": [1,\t2]}", json!({"a": "é/😀", "b": [1, 2]})),
            ("a: 'it''s' # comment", json!({"a": "it's"})),
            ("a: -9223372036854775808\nb: 18446744073709551615", json!({"a": i64::MIN, "b": u64::MAX})),
        ];
        for (text, expected) in cases {
            assert_eq!(json_of(text), [expected], "{text}");
        }
    }

    #[test]
    fn streams_are_split_and_empty_documents_skipped() {
        let cases = [
            ("", json!([])),
            ("# nothing\n", json!([])),
            ("---\n---\n# x\n---\nnull\n...\n", json!([])),
            ("a: 1\n---\nb: 2\n---\n", json!([{"a": 1}, {"b": 2}])),
            ("{\"a\":1}\n{\"b\":2}{\"c\":3}", json!([{"a": 1}, {"b": 2}, {"c": 3}])),
            ("{\"a\":1}\n{\"b\":2}\n---\nc: 3\n", json!([{"a": 1}, {"b": 2}, {"c": 3}])),
            ("{\"a\":1}\n---\n{\"b\":2}\n", json!([{"a": 1}, {"b": 2}])),
            ("{a: 1}\n", json!([{"a": 1}])),
        ];
        for (text, expected) in cases {
            assert_eq!(serde_json::Value::from(json_of(text)), expected, "{text}");
        }
    }

    #[test]
    fn every_node_knows_its_place() {
        let text =
            "spec:\n  containers:\n  - name: \"wéb\"  # x\n    ports: [{containerPort: http}]\n---\nb: 2\n";
        let documents = parse("f.yaml", text).unwrap();
        let cases = [
            ("spec.containers.0.name", "\"wéb\"", (3, 11)),
            ("spec.containers.0.ports.0.containerPort", "http", (4, 29)),
        ];
        for (at, source, place) in cases {
            let node = documents[0].at_path(&path(at)).unwrap();
            assert_eq!(&text[node.span.byte..node.span.byte + node.span.length], source);
            assert_eq!((node.span.line, node.span.column), place, "{at}");
        }
        let key = documents[0].key_span_of(&path("spec.containers.0.ports.0.containerPort"));
        assert_eq!((key.line, key.column, key.length), (4, 14, 13));
        assert_eq!(documents[0].at_path(&path("spec.containers.1")), None);
        assert_eq!(documents[0].span_of(&path("spec.containers.0.name.x")).line, 3);
        assert_eq!((documents[1].span.line, documents[1].get("b").unwrap().span.column), (6, 4));
    }

    #[test]
    fn places_in_a_json_stream_count_from_the_start_of_the_file() {
        let text = "{\"a\":1} {\"b\":2}\n  {\"c\":\n 3}";
        let documents = parse("f.json", text).unwrap();
        let place = |index: usize, key: &str| {
            let span = documents[index].get(key).unwrap().span;
            (span.line, span.column, &text[span.byte..span.byte + span.length])
        };
        assert_eq!(place(0, "a"), (1, 6, "1"));
        assert_eq!(place(1, "b"), (1, 14, "2"));
        assert_eq!(place(2, "c"), (3, 2, "3"));
    }

    #[test]
    fn a_value_taken_through_an_alias_points_to_its_definition() {
        let text = "base: &b {port: http}\nuse: {<<: *b}\nalso: *b\n";
        let document = &parse("f.yaml", text).unwrap()[0];
        for at in ["use.port", "also.port"] {
            assert_eq!(document.at_path(&path(at)).unwrap().span.line, 1, "{at}");
        }
    }

    #[test]
    fn mistakes_are_reported_where_they_are() {
        let cases = [
            ("a: b: c\n", "mapping values are not allowed in this context", 1, 5),
            ("a: 1\nb: 2\na: 3\n", "duplicate key `a`", 3, 1),
            ("yes: 1\n\"true\": 2\n", "duplicate key `true`", 2, 1),
            ("~: 1\n", "null cannot be a key", 1, 1),
            ("[a]: 1\n", "a list cannot be a key", 1, 1),
            ("a: .inf\n", "`.inf` has no equivalent in JSON; write a string in quotes", 1, 4),
            ("a: !!int x\n", "cannot decode !!str `x` as a !!int", 1, 10),
            ("<<: 5\n", "map merge requires map or sequence of maps as the value", 1, 5),
            ("&a [*a]\n", "the anchored value contains itself", 1, 5),
        ];
        for (text, message, line, column) in cases {
            assert_eq!(complaint(text), (message.to_owned(), line, column), "{text}");
        }
        for text in ["a: *b", "a:\n\tb: 1", "a: [1", "'", "%", "a: \u{1}", "{\"a\": \"\\ud800\"}"] {
            assert!(parse("f.yaml", text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn the_words_of_kubectl_for_a_syntax_error() {
        let first = parse("f.yaml", "a: b: c\n").unwrap_err();
        assert_eq!(go_yaml_error(&first), "yaml: mapping values are not allowed in this context");
        let later = parse("f.yaml", "x: 1\na: b: c\n").unwrap_err();
        assert_eq!(go_yaml_error(&later), "yaml: line 2: mapping values are not allowed in this context");
    }

    #[test]
    fn limits_hold() {
        let refused = |text: &str, word: &str| {
            let error = parse("f.yaml", text).expect_err(word);
            assert!(error.limit && error.message.contains(word), "{word}: {}", error.message);
        };
        assert!(parse("f.yaml", &("[".repeat(64) + &"]".repeat(64))).is_ok());
        refused(&("[".repeat(65) + &"]".repeat(65)), "deeper");
        refused(&"[".repeat(200_000), "deeper");
        let mut deep = String::new();
        for level in 0..3000 {
            deep.push_str(&format!("{}a:\n", " ".repeat(level)));
        }
        refused(&deep, "deeper");
        refused(&"a: 1\n---\n".repeat(10_001), "10000 documents");
        refused(&"{}\n".repeat(10_001), "10000 documents");
        let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n".to_owned();
        for level in 1..9 {
            let one = format!("*a{}, ", level - 1).repeat(9);
            bomb.push_str(&format!("a{level}: &a{level} [{one}]\n"));
        }
        refused(&bomb, "1000000 values");
        let long = format!("a: &a {}\nb: [{}]\n", "x".repeat(1 << 20), "*a, ".repeat(100));
        refused(&long, "64 MiB");
        let mut alias_depth = "a: &a0 [x]\n".to_owned();
        for level in 1..70 {
            alias_depth.push_str(&format!("b{level}: &a{level} [*a{}]\n", level - 1));
        }
        refused(&alias_depth, "deeper");
        assert!(decode("f.yaml", &vec![b' '; MAX_BYTES + 1]).unwrap_err().limit);
    }

    #[test]
    fn encodings_are_recognised() {
        let utf16 = |text: &str, big: bool| -> Vec<u8> {
            std::iter::once(0xfeff)
                .chain(text.encode_utf16())
                .flat_map(|unit: u16| if big { unit.to_be_bytes() } else { unit.to_le_bytes() })
                .collect()
        };
        for bytes in [
            b"a: \xc3\xa9".to_vec(),
            b"\xef\xbb\xbfa: \xc3\xa9".to_vec(),
            utf16("a: é", true),
            utf16("a: é", false),
        ] {
            assert_eq!(decode("f", &bytes).unwrap(), "a: é");
        }
        assert_eq!(decode("f", b"a\nb\xff").unwrap_err().message, "the file is not valid UTF-8 (line 2)");
        assert!(decode("f", b"\xff\xfe\x00\xd8").is_err());
        assert_eq!(json_of("a: 1\r\nb:\r\n- x\r\n"), [json!({"a": 1, "b": ["x"]})]);
    }

    const SEED: &str =
        "a: &x {b: [1, \"two\", 'three'], <<: {c: ~}}\n? d\n: - *x\n  - !!str 5\n---\n{\"j\": |\n}\n";

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            if let Ok(text) = decode("f", &bytes) {
                let _ = parse("f", &text).map_err(|error| error.render(&text));
            }
        }

        #[test]
        fn yaml_like_text_never_panics(text in "[-a0 \n\t:{}\\[\\],&*!|>'\"%#?<~.]{0,80}") {
            match parse("f", &text) {
                Ok(documents) => documents.iter().for_each(|document| drop(document.to_json())),
                Err(error) => drop(error.render(&text)),
            }
        }

        #[test]
        fn mutated_yaml_never_panics(cuts in proptest::collection::vec((0usize..90, 0usize..90, any::<char>()), 1..6)) {
            let mut text: Vec<char> = SEED.chars().collect();
            for (from, to, put) in cuts {
                let from = from.min(text.len());
                let to = to.clamp(from, text.len());
                text.splice(from..to, [put]);
            }
            let text: String = text.into_iter().collect();
            let _ = parse("f", &text).map_err(|error| error.render(&text));
        }

        #[test]
        fn json_reads_as_itself(
            keys in proptest::collection::btree_set("\\PC{0,12}", 0..6),
            numbers in proptest::collection::vec(any::<i64>(), 6),
            text in "\\PC{0,30}",
        ) {
            let object: serde_json::Map<String, serde_json::Value> =
                keys.into_iter().zip(numbers).map(|(key, number)| (key, json!([number, text, null, true]))).collect();
            let value = serde_json::Value::Object(object);
            prop_assert_eq!(json_of(&value.to_string()), std::slice::from_ref(&value));
        }
    }
}
