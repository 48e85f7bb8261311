//! Tokens of an expression, with their places.
//!
//! Follows the lexis of the CEL specification (`doc/langdef.md`): decimal and hexadecimal integers, doubles, strings in
//! all their quotes with all their escapes, raw strings, comments. Left out: bytes and unsigned integers, which no
//! value here has.
use super::wrong::{Place, Read, Wrong};

/// One token.
#[derive(Clone, PartialEq, Debug)]
pub(super) enum Token<'t> {
    /// The magnitude of an integer.
    Int(u64),
    /// A double.
    Double(f64),
    /// A string, its escapes resolved.
    Text(String),
    /// An identifier or keyword.
    Word(&'t str),
    /// An operator or bracket.
    Symbol(&'static str),
    /// Nothing follows.
    End,
}

/// Operators and brackets, longer ones first.
const SYMBOLS: [&str; 25] = [
    "&&", "||", "==", "!=", "<=", ">=", "<", ">", "!", "+", "-", "*", "/", "%", "?", ":", ".", ",", "(", ")",
    "[", "]", "{", "}", "=",
];

/// Divides a text into tokens; the last one is [`Token::End`].
///
/// # Errors
/// The first place that is no token.
pub(super) fn tokens(text: &str) -> Read<Vec<(Token<'_>, Place)>> {
    let mut lexer = Lexer { text, at: 0 };
    let mut tokens = Vec::new();
    loop {
        lexer.skip_blanks();
        let start = lexer.at;
        let token = lexer.token()?;
        let end = token == Token::End;
        tokens.push((token, Place::new(start, lexer.at)));
        if end {
            return Ok(tokens);
        }
    }
}

struct Lexer<'t> {
    text: &'t str,
    at: usize,
}

impl<'t> Lexer<'t> {
    fn rest(&self) -> &'t str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn wrong<T>(&self, start: usize, message: impl Into<String>) -> Read<T> {
        Err(Wrong::new(Place::new(start, self.at.max(start)), message))
    }

    fn take(&mut self, fits: impl Fn(char) -> bool) -> &'t str {
        let rest = self.rest();
        let (taken, _) = rest.split_at(rest.find(|c| !fits(c)).unwrap_or(rest.len()));
        self.at += taken.len();
        taken
    }

    fn skip_blanks(&mut self) {
        loop {
            self.take(|c| matches!(c, ' ' | '\t' | '\n' | '\r' | '\x0c'));
            if !self.rest().starts_with("//") {
                return;
            }
            self.take(|c| c != '\n');
        }
    }

    fn token(&mut self) -> Read<Token<'t>> {
        let rest = self.rest();
        let Some(first) = rest.chars().next() else { return Ok(Token::End) };
        let second = rest.chars().nth(1);
        if first.is_ascii_digit() || first == '.' && second.is_some_and(|c| c.is_ascii_digit()) {
            return self.number();
        }
        if matches!(first, '"' | '\'') {
            return self.string(false);
        }
        if matches!(second, Some('"' | '\'')) {
            match first {
                'r' | 'R' => {
                    self.at += 1;
                    return self.string(true);
                }
                'b' | 'B' => {
                    let start = self.at;
                    self.at += 1;
                    return self.wrong(start, "bytes are not supported: nothing here is made of them");
                }
                _ => {}
            }
        }
        if first.is_ascii_alphabetic() || first == '_' {
            return Ok(Token::Word(self.take(|c| c.is_ascii_alphanumeric() || c == '_')));
        }
        if let Some(symbol) = SYMBOLS.into_iter().find(|symbol| rest.starts_with(symbol)) {
            self.at += symbol.len();
            return Ok(Token::Symbol(symbol));
        }
        let start = self.at;
        self.at += first.len_utf8();
        let shown = crate::api::text::escape(&first.to_string()).into_owned();
        self.wrong(start, format!("`{shown}` has no meaning in an expression"))
    }

    fn number(&mut self) -> Read<Token<'t>> {
        let start = self.at;
        let hexadecimal = self.rest().strip_prefix("0x").or_else(|| self.rest().strip_prefix("0X"));
        if hexadecimal.is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_hexdigit())) {
            self.at += 2;
            let digits = self.take(|c| c.is_ascii_hexdigit());
            return self.integer(start, u64::from_str_radix(digits, 16).ok());
        }
        let digits = self.take(|c| c.is_ascii_digit());
        let fraction =
            self.rest().strip_prefix('.').is_some_and(|r| r.starts_with(|c: char| c.is_ascii_digit()));
        if fraction {
            self.at += 1;
            self.take(|c| c.is_ascii_digit());
        }
        let exponent = self.exponent();
        if !fraction && !exponent {
            return self.integer(start, digits.parse().ok());
        }
        let value = self.text.get(start..self.at).and_then(|text| text.parse::<f64>().ok());
        match value.filter(|value| value.is_finite()) {
            Some(value) if !self.runs_on() => Ok(Token::Double(value)),
            _ => self.wrong(start, "this is no number"),
        }
    }

    /// Takes `e5`, `E+5`; true if there was one.
    fn exponent(&mut self) -> bool {
        let Some(rest) = self.rest().strip_prefix(['e', 'E']) else { return false };
        let unsigned = rest.strip_prefix(['+', '-']).unwrap_or(rest);
        if !unsigned.starts_with(|c: char| c.is_ascii_digit()) {
            return false;
        }
        self.at += 1 + rest.len() - unsigned.len();
        self.take(|c| c.is_ascii_digit());
        true
    }

    fn runs_on(&self) -> bool {
        self.rest().starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_')
    }

    fn integer(&mut self, start: usize, value: Option<u64>) -> Read<Token<'t>> {
        if self.runs_on() {
            let tail = self.take(|c| c.is_ascii_alphanumeric() || c == '_');
            let wrong = Wrong::new(Place::new(start, self.at), "this is no number");
            let is_span = ["ns", "us", "ms", "s", "m", "h"].contains(&tail);
            let text = self.text.get(start..self.at).unwrap_or_default();
            return Err(match tail {
                "u" | "U" => wrong.with_help("integers are signed here: leave the `u` away"),
                _ if is_span => wrong.with_help(format!("a span of time is written duration(\"{text}\")")),
                _ => wrong,
            });
        }
        match value {
            Some(value) => Ok(Token::Int(value)),
            None => self.wrong(start, "this number needs more than 64 bits"),
        }
    }

    fn string(&mut self, raw: bool) -> Read<Token<'t>> {
        let start = self.at;
        let quote = ["\"\"\"", "'''", "\"", "'"].into_iter().find(|quote| self.rest().starts_with(quote));
        let Some(quote) = quote else { return self.wrong(start, "expected a string") };
        self.at += quote.len();
        let mut text = String::new();
        loop {
            let rest = self.rest();
            if rest.starts_with(quote) {
                self.at += quote.len();
                return Ok(Token::Text(text));
            }
            let Some(c) = rest.chars().next().filter(|c| quote.len() == 3 || !matches!(c, '\n' | '\r'))
            else {
                return self.wrong(start, "the quote that begins this string is not closed");
            };
            self.at += c.len_utf8();
            if c == '\\' && !raw {
                text.push(self.escape()?);
            } else {
                text.push(c);
            }
        }
    }

    /// The character behind a backslash.
    fn escape(&mut self) -> Read<char> {
        let start = self.at - 1;
        let Some(c) = self.rest().chars().next() else {
            return self.wrong(start, "nothing follows the backslash");
        };
        self.at += c.len_utf8();
        let simple = match c {
            'a' => '\x07',
            'b' => '\x08',
            'f' => '\x0c',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'v' => '\x0b',
            '\\' | '?' | '"' | '\'' | '`' => c,
            'x' | 'X' => return self.code(start, 2, 16),
            'u' => return self.code(start, 4, 16),
            'U' => return self.code(start, 8, 16),
            '0'..='3' => {
                self.at -= 1;
                return self.code(start, 3, 8);
            }
            _ => return self.wrong(start, "there is no such escape in a string"),
        };
        Ok(simple)
    }

    fn code(&mut self, start: usize, digits: usize, radix: u32) -> Read<char> {
        let taken = self.rest().get(..digits).filter(|text| text.chars().all(|c| c.is_digit(radix)));
        let found = taken.and_then(|text| u32::from_str_radix(text, radix).ok()).and_then(char::from_u32);
        let Some(c) = found else { return self.wrong(start, "this escape is not the code of a character") };
        self.at += digits;
        Ok(c)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn only(text: &str) -> Token<'_> {
        let all = tokens(text).unwrap_or_else(|wrong| panic!("{text}: {}", wrong.message));
        assert_eq!(all.len(), 2, "{text}: {all:?}");
        all.into_iter().next().expect("one").0
    }

    #[test]
    fn literals() {
        for (text, expected) in [
            ("0", Token::Int(0)),
            ("0x1F", Token::Int(31)),
            ("18446744073709551615", Token::Int(u64::MAX)),
            ("1.5", Token::Double(1.5)),
            (".5e1", Token::Double(5.0)),
            ("2e3", Token::Double(2000.0)),
            ("\"a'b\"", Token::Text("a'b".into())),
            (r#"'\x41\u00e4\U0001F600\101\n\''"#, Token::Text("Aä😀A\n'".into())),
            (r#"r"\d+""#, Token::Text(r"\d+".into())),
            ("'''a\n'b'\n'''", Token::Text("a\n'b'\n".into())),
            ("a // not this", Token::Word("a")),
            ("<=", Token::Symbol("<=")),
        ] {
            assert_eq!(only(text), expected, "{text}");
        }
    }

    #[test]
    fn what_is_no_token_is_pointed_at() {
        for (text, start, end, message) in [
            ("a # b", 2, 3, "`#` has no meaning in an expression"),
            ("'abc", 0, 4, "the quote that begins this string is not closed"),
            ("'a\nb'", 0, 2, "the quote that begins this string is not closed"),
            ("99999999999999999999", 0, 20, "this number needs more than 64 bits"),
            ("5m", 0, 2, "this is no number"),
            ("3u", 0, 2, "this is no number"),
            ("b'x'", 0, 1, "bytes are not supported: nothing here is made of them"),
            (r"'\q'", 1, 3, "there is no such escape in a string"),
            (r"'\ud800'", 1, 3, "this escape is not the code of a character"),
        ] {
            let wrong = tokens(text).expect_err(text);
            assert_eq!((wrong.span, wrong.message.as_str()), (start..end, message), "{text}");
        }
    }
}
