//! Reads Rust source just well enough to see the paths it names.
//!
//! Comments and literals are blanked, the rest is split into words and marks, unit tests are dropped, `use` trees are
//! expanded. No grammar: whatever looks like a path is one, which for these checks errs on the strict side.

/// The source with comments, string literals and character literals blanked; lines stay where they are.
pub(crate) fn blank_text(source: &str) -> String {
    let chars: Vec<char> = source.chars().collect();
    let mut out = String::with_capacity(source.len());
    let mut at = 0;
    while at < chars.len() {
        let end = match (chars[at], chars.get(at + 1)) {
            ('/', Some('/')) => line_end(&chars, at),
            ('/', Some('*')) => block_comment_end(&chars, at),
            ('"', _) => string_end(&chars, at + 1),
            ('r', Some('"' | '#')) if !continues_word(&chars, at) => raw_string_end(&chars, at),
            ('\'', _) => char_end(&chars, at),
            _ => at,
        };
        if end == at {
            out.push(chars[at]);
            at += 1;
        } else {
            out.extend(chars[at..end].iter().map(|c| if *c == '\n' { '\n' } else { ' ' }));
            at = end;
        }
    }
    out
}

fn continues_word(chars: &[char], at: usize) -> bool {
    at > 0 && (chars[at - 1].is_alphanumeric() || chars[at - 1] == '_') && chars[at - 1] != 'b'
}

fn line_end(chars: &[char], at: usize) -> usize {
    chars[at..].iter().position(|c| *c == '\n').map_or(chars.len(), |n| at + n)
}

fn block_comment_end(chars: &[char], start: usize) -> usize {
    let (mut at, mut depth) = (start, 0_usize);
    while at + 1 < chars.len() {
        match (chars[at], chars[at + 1]) {
            ('/', '*') => (depth, at) = (depth + 1, at + 2),
            ('*', '/') if depth == 1 => return at + 2,
            ('*', '/') => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
    }
    chars.len()
}

fn string_end(chars: &[char], start: usize) -> usize {
    let mut at = start;
    while at < chars.len() {
        match chars[at] {
            '\\' => at += 2,
            '"' => return at + 1,
            _ => at += 1,
        }
    }
    chars.len()
}

/// The end of `r"..."` or `r#"..."#`, or `start` if it is a raw identifier.
fn raw_string_end(chars: &[char], start: usize) -> usize {
    let hashes = chars[start + 1..].iter().take_while(|c| **c == '#').count();
    if chars.get(start + 1 + hashes) != Some(&'"') {
        return start;
    }
    let mut at = start + 2 + hashes;
    while at < chars.len() {
        if chars[at] == '"' && chars[at + 1..].iter().take_while(|c| **c == '#').count() >= hashes {
            return at + 1 + hashes;
        }
        at += 1;
    }
    chars.len()
}

/// The end of a character literal, or `start` if it is a lifetime.
fn char_end(chars: &[char], start: usize) -> usize {
    match (chars.get(start + 1), chars.get(start + 2)) {
        (Some('\\'), Some(_)) => {
            chars[start + 3..].iter().position(|c| *c == '\'').map_or(chars.len(), |n| start + 4 + n)
        }
        (Some(_), Some('\'')) => start + 3,
        _ => start,
    }
}

/// A word or a mark of the source, with its line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Token {
    /// Counted from 1.
    pub(crate) line: usize,
    /// A word, `::` or one mark.
    pub(crate) text: String,
}

/// Splits blanked source into words, `::` and single marks.
pub(crate) fn tokens(code: &str) -> Vec<Token> {
    let mut found = Vec::new();
    for (index, text) in code.lines().enumerate() {
        let line = index + 1;
        let mut rest = text;
        while let Some(first) = rest.chars().next() {
            let length = if first.is_alphanumeric() || first == '_' {
                rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len())
            } else if rest.starts_with("::") {
                2
            } else {
                first.len_utf8()
            };
            if !first.is_whitespace() {
                found.push(Token { line, text: rest[..length].to_owned() });
            }
            rest = &rest[length..];
        }
    }
    found
}

/// Drops every item behind `#[cfg(test)]`: unit tests may build their fixtures with anything.
pub(crate) fn without_tests(all: &[Token]) -> Vec<Token> {
    const MARK: [&str; 7] = ["#", "[", "cfg", "(", "test", ")", "]"];
    let mut kept = Vec::new();
    let mut at = 0;
    while at < all.len() {
        let rest = &all[at..];
        let marked = rest.len() > MARK.len() && rest.iter().zip(MARK).all(|(t, m)| t.text == m);
        if marked {
            at = item_end(all, at + MARK.len());
        } else {
            kept.push(all[at].clone());
            at += 1;
        }
    }
    kept
}

/// Where the item that begins at `start` ends: behind its `;` or its closing brace.
fn item_end(all: &[Token], start: usize) -> usize {
    let mut depth = 0_usize;
    for (offset, token) in all[start..].iter().enumerate() {
        match token.text.as_str() {
            "{" => depth += 1,
            "}" if depth <= 1 => return start + offset + 1,
            "}" => depth -= 1,
            ";" if depth == 0 => return start + offset + 1,
            _ => {}
        }
    }
    all.len()
}

/// A path as it is written, `use` trees expanded: `use a::{b, c::d}` is `a::b` and `a::c::d`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Named {
    /// Counted from 1.
    pub(crate) line: usize,
    /// What stands between the `::`.
    pub(crate) segments: Vec<String>,
    /// Whether a `!` follows.
    pub(crate) is_macro: bool,
}

/// Every path named in the tokens.
pub(crate) fn paths(all: &[Token]) -> Vec<Named> {
    let mut found = Vec::new();
    let mut at = 0;
    while at < all.len() {
        if is_word(&all[at].text) {
            at = read_path(all, at, &[], &mut found);
        } else {
            at += 1;
        }
    }
    found
}

fn is_word(text: &str) -> bool {
    text.chars().next().is_some_and(|c| c.is_alphabetic() || c == '_')
}

/// Reads the path (or tree) that begins at `at`, below `prefix`; returns where to go on.
fn read_path(all: &[Token], mut at: usize, prefix: &[String], found: &mut Vec<Named>) -> usize {
    let line = all[at].line;
    let mut segments = prefix.to_vec();
    loop {
        match all.get(at).map(|t| t.text.as_str()) {
            Some("{") if segments.len() > prefix.len() || !prefix.is_empty() => {
                return read_group(all, at + 1, &segments, found);
            }
            Some(word) if is_word(word) || word == "*" => {
                segments.push(word.to_owned());
                at += 1;
            }
            _ => break,
        }
        if all.get(at).is_none_or(|t| t.text != "::") {
            break;
        }
        at += 1;
    }
    let is_macro =
        all.get(at).is_some_and(|t| t.text == "!") && all.get(at + 1).is_none_or(|t| t.text != "=");
    found.push(Named { line, segments, is_macro });
    at
}

/// Reads the branches of a `use` tree up to its closing brace.
fn read_group(all: &[Token], mut at: usize, prefix: &[String], found: &mut Vec<Named>) -> usize {
    while let Some(token) = all.get(at) {
        match token.text.as_str() {
            "}" => return at + 1,
            text if is_word(text) || text == "*" || text == "{" => at = read_path(all, at, prefix, found),
            _ => at += 1,
        }
    }
    at
}
