//! A command line split into words as a shell does it: quotes and backslashes, but no substitutions, pipes or
//! comments. Each word knows where it begins, so that a complaint can point at it.
use thiserror::Error;

/// A word of a command line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Word {
    /// The word without its quotes.
    pub text: String,
    /// Where it begins, in bytes from the beginning of the line.
    pub start: usize,
    /// Where it ends (exclusive).
    pub end: usize,
}

/// A quote or backslash without its other half.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{what} at the end of the line")]
pub struct WordsError {
    what: &'static str,
    /// Where the quote or backslash stands, in bytes from the beginning of the line.
    pub at: usize,
}

/// Splits a line. A leading `kubectl` is left in; [`super::command::parse`] accepts lines with and without it.
pub fn split(line: &str) -> Result<Vec<Word>, WordsError> {
    let mut words = Vec::new();
    let mut characters = line.char_indices().peekable();
    // The word being read; none between words. An empty quoted word is a word.
    let mut current: Option<(usize, String)> = None;
    while let Some((at, character)) = characters.next() {
        if matches!(character, ' ' | '\t' | '\r' | '\n') {
            if let Some((start, text)) = current.take() {
                words.push(Word { text, start, end: at });
            }
            continue;
        }
        let word = &mut current.get_or_insert_with(|| (at, String::new())).1;
        match character {
            '\'' => loop {
                match characters.next() {
                    Some((_, '\'')) => break,
                    Some((_, inner)) => word.push(inner),
                    None => return Err(WordsError { what: "an open single quote", at }),
                }
            },
            '"' => loop {
                match characters.next() {
                    Some((_, '"')) => break,
                    // Inside double quotes a backslash escapes these four only.
                    Some((_, '\\')) => match characters.next() {
                        Some((_, '\n')) => {}
                        Some((_, escaped @ ('$' | '`' | '"' | '\\'))) => word.push(escaped),
                        Some((_, other)) => word.extend(['\\', other]),
                        None => return Err(WordsError { what: "an open double quote", at }),
                    },
                    Some((_, inner)) => word.push(inner),
                    None => return Err(WordsError { what: "an open double quote", at }),
                }
            },
            '\\' => match characters.next() {
                Some((_, '\n')) => {}
                Some((_, escaped)) => word.push(escaped),
                None => return Err(WordsError { what: "a backslash", at }),
            },
            _ => word.push(character),
        }
    }
    if let Some((start, text)) = current {
        words.push(Word { text, start, end: line.len() });
    }
    Ok(words)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn texts(line: &str) -> Option<Vec<String>> {
        split(line).ok().map(|words| words.into_iter().map(|word| word.text).collect())
    }

    #[test]
    fn words_and_their_places() {
        let cases: [(&str, &[&str]); 6] = [
            ("get  pods -o wide ", &["get", "pods", "-o", "wide"]),
            ("patch sts web -p '{\"a\": 1}'", &["patch", "sts", "web", "-p", "{\"a\": 1}"]),
            ("annotate sts web c=\"to v3\"", &["annotate", "sts", "web", "c=to v3"]),
            ("a '' \"\" b\\ c", &["a", "", "", "b c"]),
            ("label pod {{web-rs-1-#1}} app-", &["label", "pod", "{{web-rs-1-#1}}", "app-"]),
            ("\"a\\\"\\n\"'b'c", &["a\"\\nbc"]),
        ];
        for (line, expected) in cases {
            assert_eq!(texts(line).unwrap(), expected, "{line}");
        }
        let words = split("scale  'a b' --replica=3").unwrap();
        let places: Vec<(usize, usize)> = words.iter().map(|word| (word.start, word.end)).collect();
        assert_eq!(places, [(0, 5), (7, 12), (13, 24)]);
        for (line, at) in [("get 'pods", 4), ("get \"pods\\\"", 4), ("get pods\\", 8)] {
            assert_eq!(split(line).map_err(|error| error.at), Err(at), "{line}");
        }
        assert_eq!(split("'").unwrap_err().to_string(), "an open single quote at the end of the line");
    }

    proptest! {
        #[test]
        fn agrees_with_shlex(line in "[ab\"'\\\\ \t\n{}=,$`-]{0,30}") {
            prop_assert_eq!(texts(&line), shlex::split(&line));
        }
    }
}
