//! The grammar of JSONPath templates (`k8s.io/client-go/util/jsonpath/parser.go`): text with actions in braces, an
//! action being a chain of steps.
use serde_json::Value;

use super::{Item, JsonPathError, MAX_TEMPLATE, Slice, Step};

/// How deep filters and unions may nest.
const MAX_DEPTH: usize = 16;

/// Why parsing stopped: a syntax error, or one that kubectl finds only when it runs the template.
enum Stop {
    Syntax(String),
    Execute(&'static str),
}

impl From<&str> for Stop {
    fn from(reason: &str) -> Self {
        Self::Syntax(reason.to_owned())
    }
}

/// Reads a whole template.
pub(super) fn template(text: &str) -> Result<Vec<Item>, JsonPathError> {
    let result = if text.len() > MAX_TEMPLATE {
        Err(Stop::Syntax(format!("template longer than {MAX_TEMPLATE} bytes")))
    } else {
        items(text)
    };
    result.map_err(|stop| match stop {
        Stop::Syntax(reason) => JsonPathError::Syntax { template: text.to_owned(), reason },
        Stop::Execute(reason) => {
            JsonPathError::Execute { template: text.to_owned(), reason: reason.to_owned() }
        }
    })
}

fn items(text: &str) -> Result<Vec<Item>, Stop> {
    let mut scanner = Scanner { characters: text.chars().collect(), at: 0, depth: 0 };
    // Open ranges: what they range over, and the items of the enclosing level.
    let mut open: Vec<(Vec<Step>, Vec<Item>)> = Vec::new();
    let mut items = Vec::new();
    while let Some(character) = scanner.peek() {
        if character != '{' {
            items.push(Item::Text(scanner.take_while(|c| c != '{')));
            continue;
        }
        scanner.at += 1;
        let mut steps = scanner.steps(Some('}'))?;
        match steps.first() {
            Some(Step::Word(word)) if word == "range" => {
                steps.remove(0);
                if open.len() >= MAX_DEPTH {
                    return Err("ranges nested too deeply".into());
                }
                open.push((steps, std::mem::take(&mut items)));
            }
            Some(Step::Word(word)) if word == "end" => {
                let (steps, outer) = open.pop().ok_or(Stop::Execute("not in range, nothing to end"))?;
                let body = std::mem::replace(&mut items, outer);
                items.push(Item::Range(steps, body));
            }
            _ => items.push(Item::Action(steps)),
        }
    }
    // A range without end reaches to the end of the template.
    while let Some((steps, outer)) = open.pop() {
        let body = std::mem::replace(&mut items, outer);
        items.push(Item::Range(steps, body));
    }
    Ok(items)
}

struct Scanner {
    characters: Vec<char>,
    at: usize,
    depth: usize,
}

impl Scanner {
    fn peek(&self) -> Option<char> {
        self.characters.get(self.at).copied()
    }

    fn next(&mut self) -> Option<char> {
        let character = self.peek();
        self.at += 1;
        character
    }

    fn looking_at(&self, text: &str) -> bool {
        text.chars().enumerate().all(|(index, c)| self.characters.get(self.at + index) == Some(&c))
    }

    fn take_while(&mut self, wanted: impl Fn(char) -> bool) -> String {
        let start = self.at;
        while self.peek().is_some_and(&wanted) {
            self.at += 1;
        }
        self.since(start)
    }

    fn since(&self, start: usize) -> String {
        self.characters.get(start..self.at).unwrap_or_default().iter().collect()
    }

    /// Steps up to `end`, which is taken; up to the end of the text if there is no `end`.
    fn steps(&mut self, end: Option<char>) -> Result<Vec<Step>, Stop> {
        let mut steps = Vec::new();
        loop {
            if self.looking_at("[?(") {
                steps.push(self.filter()?);
                continue;
            }
            if self.looking_at("..") {
                self.at += 2;
                steps.push(Step::Recursive);
                if self.peek().is_some_and(is_word) {
                    steps.push(self.field());
                }
                continue;
            }
            match self.next() {
                None if end.is_none() => return Ok(steps),
                None | Some('\n' | '\r') => return Err("unclosed action".into()),
                Some(character) if Some(character) == end => return Ok(steps),
                Some(' ' | '@' | '$') => {}
                Some('[') => self.brackets(&mut steps)?,
                Some(quote @ ('"' | '\'')) => steps.push(Step::Literal(Value::String(self.quoted(quote)?))),
                Some('.') => steps.push(self.field()),
                Some(first) if first == '+' || first == '-' || first.is_ascii_digit() => {
                    self.at -= 1;
                    steps.push(self.number()?);
                }
                Some(first) if is_word(first) => {
                    self.at -= 1;
                    let word = self.take_while(|c| !is_terminator(c));
                    steps.push(match word.as_str() {
                        "true" => Step::Literal(Value::Bool(true)),
                        "false" => Step::Literal(Value::Bool(false)),
                        _ => Step::Word(word),
                    });
                }
                Some(other) => {
                    let code = u32::from(other);
                    let reason = format!("unrecognized character in action: U+{code:04X} '{other}'");
                    return Err(Stop::Syntax(reason));
                }
            }
        }
    }

    /// The rest of a scanned-out piece of text, one level deeper.
    fn nested(&self, text: &str) -> Result<Vec<Step>, Stop> {
        if self.depth >= MAX_DEPTH {
            return Err("filters nested too deeply".into());
        }
        Self { characters: text.chars().collect(), at: 0, depth: self.depth + 1 }.steps(None)
    }

    fn field(&mut self) -> Step {
        let start = self.at;
        while let Some(character) = self.peek() {
            if character == '\\' {
                self.at += 1;
            } else if is_terminator(character) {
                break;
            }
            self.at += 1;
        }
        self.at = self.at.min(self.characters.len());
        match self.since(start) {
            name if name == "*" => Step::Wildcard,
            name => Step::Field(name.replace('\\', "")),
        }
    }

    fn number(&mut self) -> Result<Step, Stop> {
        let start = self.at;
        self.at += 1;
        self.take_while(|c| c == '.' || c.is_ascii_digit());
        let text = self.since(start);
        let digits = text.strip_prefix('+').unwrap_or(&text);
        let number = digits.parse::<i64>().ok().map(Value::from);
        let number = number.or_else(|| digits.parse::<f64>().ok().map(Value::from));
        number.map(Step::Literal).ok_or_else(|| Stop::Syntax(format!("cannot parse number {text}")))
    }

    /// A quoted text, its opening quote already taken, with Go's escapes.
    fn quoted(&mut self, quote: char) -> Result<String, Stop> {
        let mut text = String::new();
        loop {
            match self.next() {
                None | Some('\n') => return Err("unterminated quoted string".into()),
                Some('\\') => text.push(self.escape()?),
                Some(character) if character == quote => return Ok(text),
                Some(character) => text.push(character),
            }
        }
    }

    fn escape(&mut self) -> Result<char, Stop> {
        let code = |scanner: &mut Self, digits: usize| {
            let start = scanner.at;
            scanner.at += digits;
            let value = u32::from_str_radix(&scanner.since(start), 16).ok().and_then(char::from_u32);
            value.ok_or(Stop::Syntax("invalid syntax".to_owned()))
        };
        match self.next() {
            Some('a') => Ok('\u{7}'),
            Some('b') => Ok('\u{8}'),
            Some('f') => Ok('\u{c}'),
            Some('n') => Ok('\n'),
            Some('r') => Ok('\r'),
            Some('t') => Ok('\t'),
            Some('v') => Ok('\u{b}'),
            Some('x') => code(self, 2),
            Some('u') => code(self, 4),
            Some(same @ ('\\' | '\'' | '"')) => Ok(same),
            None => Err("unterminated quoted string".into()),
            Some(_) => Err("invalid syntax".into()),
        }
    }

    /// What stands in brackets, the opening one already taken: an index, a slice, a key or a union of these.
    fn brackets(&mut self, steps: &mut Vec<Step>) -> Result<(), Stop> {
        let text = self.take_while(|c| c != ']' && c != '\n');
        if self.next() != Some(']') {
            return Err("unterminated array".into());
        }
        if text.contains(',') {
            let mut paths = Vec::new();
            for part in text.split(',') {
                paths.push(self.nested(&format!("[{}]", part.trim_matches(' ')))?);
            }
            steps.push(Step::Union(paths));
            return Ok(());
        }
        let key = text.strip_prefix('\'').and_then(|rest| rest.strip_suffix('\''));
        if let Some(key) = key.filter(|key| !key.contains('\'')) {
            steps.extend(self.nested(&format!(".{key}"))?);
            return Ok(());
        }
        let slice = if text == "*" { Some(Slice::default()) } else { slice(&text) };
        steps.push(Step::Slice(slice.ok_or_else(|| Stop::Syntax(format!("invalid array index {text}")))?));
        Ok(())
    }

    /// `[?(...)]`; quotes may hide parentheses.
    fn filter(&mut self) -> Result<Step, Stop> {
        self.at += 3;
        let start = self.at;
        let (mut open_quote, mut closed) = (None, false);
        let mut previous = '\0';
        loop {
            let Some(character) = self.next().filter(|c| *c != '\n') else {
                return Err("unterminated filter".into());
            };
            match character {
                '"' | '\'' if open_quote.is_none() => open_quote = Some(character),
                '"' | '\'' => closed |= previous != '\\' && open_quote == Some(character),
                ')' if open_quote.is_some() == closed => break,
                _ => {}
            }
            previous = character;
        }
        let end = self.at - 1;
        if self.next() != Some(']') {
            return Err("unclosed array expect ]".into());
        }
        let text: Vec<char> = self.characters.get(start..end).unwrap_or_default().to_vec();
        let is_operator = |c: &char| "!<>=".contains(*c);
        let first = text.iter().position(is_operator).filter(|at| *at > 0);
        let rest = first.and_then(|at| {
            let length = text.iter().skip(at).take_while(|c| is_operator(c)).count();
            (at + length < text.len()).then_some((at, at + length))
        });
        let piece =
            |from: usize, to: usize| -> String { text.get(from..to).unwrap_or_default().iter().collect() };
        Ok(match rest {
            None => Step::Filter(self.nested(&piece(0, text.len()))?, None, Vec::new()),
            Some((at, after)) => {
                let left = self.nested(&piece(0, at))?;
                Step::Filter(left, Some(piece(at, after)), self.nested(&piece(after, text.len()))?)
            }
        })
    }
}

fn is_word(character: char) -> bool {
    character == '_' || character.is_alphanumeric()
}

fn is_terminator(character: char) -> bool {
    matches!(character, ' ' | '\t' | '\r' | '\n' | '.' | ',' | '[' | ']' | '$' | '@' | '{' | '}')
}

/// `1`, `1:2`, `::2`; an index is the slice of one element.
fn slice(text: &str) -> Option<Slice> {
    let number = |text: &str| match text {
        "" => Some(None),
        _ => text
            .bytes()
            .skip(1)
            .all(|byte| byte.is_ascii_digit())
            .then(|| text.parse::<i64>().ok().map(Some))?,
    };
    let mut parts = text.split(':');
    let from = number(parts.next()?)?;
    let to = parts.next();
    let step = number(parts.next().unwrap_or_default())?;
    if parts.next().is_some() {
        return None;
    }
    Some(match to {
        None => Slice { from, to: Some(from.unwrap_or(0).saturating_add(1)), index: true, step },
        Some(to) => Slice { from, to: number(to)?, index: false, step },
    })
}
