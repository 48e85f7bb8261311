//! From tokens to a tree: a Pratt parser of CEL's grammar (`doc/langdef.md` of the CEL specification).
//!
//! Nesting is bounded ([`MAX_DEPTH`]), so that nothing that walks the tree can run out of stack; chains of `&&` and `||`
//! are one level, however long. Left out: maps, messages and namespaces, which have no values here.
use super::MAX_DEPTH;
use super::ast::{Ast, Kind, Operator};
use super::lexer::{Token, tokens};
use super::wrong::{Place, Read, Wrong};

/// Words that CEL reserves: no name may be one.
const RESERVED: [&str; 21] = [
    "as",
    "break",
    "const",
    "continue",
    "else",
    "false",
    "for",
    "function",
    "if",
    "import",
    "in",
    "let",
    "loop",
    "namespace",
    "null",
    "package",
    "return",
    "true",
    "var",
    "void",
    "while",
];

/// Reads a whole text.
///
/// # Errors
/// The first place where it is no expression.
pub(super) fn parse(text: &str) -> Read<Ast> {
    let mut parser = Parser { tokens: tokens(text)?, at: 0, nesting: 0 };
    let tree = parser.expression()?;
    match parser.peek() {
        Token::End => Ok(tree),
        Token::Symbol("=") => {
            Err(parser.wrong("a single `=` compares nothing").with_help("equality is `==`"))
        }
        Token::Symbol(")" | "]" | "}") => Err(parser.wrong("this bracket closes nothing")),
        _ => Err(parser.wrong("expected an operator or the end of the expression")),
    }
}

struct Parser<'t> {
    tokens: Vec<(Token<'t>, Place)>,
    at: usize,
    /// Levels of recursion under way.
    nesting: usize,
}

impl<'t> Parser<'t> {
    fn peek(&self) -> &Token<'t> {
        self.tokens.get(self.at).map_or(&Token::End, |(token, _)| token)
    }

    fn place(&self) -> Place {
        self.tokens.get(self.at).or(self.tokens.last()).map_or(Place::default(), |(_, place)| *place)
    }

    fn wrong(&self, message: impl Into<String>) -> Wrong {
        Wrong::new(self.place(), message)
    }

    fn take(&mut self) -> (Token<'t>, Place) {
        let place = self.place();
        let token = self.peek().clone();
        if token != Token::End {
            self.at += 1;
        }
        (token, place)
    }

    fn take_symbol(&mut self, symbol: &str) -> bool {
        let is = matches!(self.peek(), Token::Symbol(found) if *found == symbol);
        self.at += usize::from(is);
        is
    }

    /// The bracket that closes the one at `open`.
    fn close(&mut self, symbol: &'static str, open: Place) -> Read<Place> {
        let place = self.place();
        if self.take_symbol(symbol) {
            return Ok(place);
        }
        if *self.peek() == Token::End {
            return Err(Wrong::new(open, format!("this bracket is not closed: `{symbol}` is missing")));
        }
        Err(self.wrong(format!("expected `{symbol}` or an operator")))
    }

    fn node(&self, kind: Kind, place: Place) -> Read<Ast> {
        let depth = 1 + kind.parts().iter().map(|part| part.depth).max().unwrap_or(0);
        if usize::from(depth) > MAX_DEPTH {
            return Err(Wrong::new(place, format!("this is nested deeper than {MAX_DEPTH} levels")));
        }
        Ok(Ast { kind, place, depth })
    }

    fn nested<T>(&mut self, parse: impl FnOnce(&mut Self) -> Read<T>) -> Read<T> {
        if self.nesting >= MAX_DEPTH {
            return Err(self.wrong(format!("this is nested deeper than {MAX_DEPTH} levels")));
        }
        self.nesting += 1;
        let parsed = parse(self);
        self.nesting -= 1;
        parsed
    }

    /// `a ? b : c`, which binds weakest and groups from the right.
    fn expression(&mut self) -> Read<Ast> {
        self.nested(|parser| {
            let condition = parser.or()?;
            if !parser.take_symbol("?") {
                return Ok(condition);
            }
            let yes = parser.or()?;
            if !parser.take_symbol(":") {
                return Err(parser.wrong("expected `:` and what holds otherwise"));
            }
            let no = parser.expression()?;
            let place = condition.place.to(no.place);
            parser.node(Kind::If(Box::new([condition, yes, no])), place)
        })
    }

    fn or(&mut self) -> Read<Ast> {
        self.chain("||", Self::and, Kind::Or)
    }

    fn and(&mut self) -> Read<Ast> {
        self.chain("&&", |parser| parser.binary(1), Kind::And)
    }

    fn chain(
        &mut self,
        symbol: &str,
        mut operand: impl FnMut(&mut Self) -> Read<Ast>,
        kind: fn(Vec<Ast>) -> Kind,
    ) -> Read<Ast> {
        let first = operand(self)?;
        if !self.take_symbol(symbol) {
            return Ok(first);
        }
        let start = first.place;
        let mut all = vec![first, operand(self)?];
        while self.take_symbol(symbol) {
            all.push(operand(self)?);
        }
        let place = all.last().map_or(start, |last| start.to(last.place));
        self.node(kind(all), place)
    }

    /// Operators that bind at least this strongly.
    fn binary(&mut self, least: u8) -> Read<Ast> {
        let mut left = self.unary()?;
        loop {
            let text = match self.peek() {
                Token::Symbol(symbol) => symbol,
                Token::Word(word) => *word,
                _ => return Ok(left),
            };
            let found =
                Operator::ALL.into_iter().find(|(known, _, strength)| *known == text && *strength >= least);
            let Some((_, operator, strength)) = found else { return Ok(left) };
            self.at += 1;
            let right = self.binary(strength + 1)?;
            let place = left.place.to(right.place);
            left = self.node(Kind::Binary(operator, Box::new(left), Box::new(right)), place)?;
        }
    }

    fn unary(&mut self) -> Read<Ast> {
        let start = self.place();
        if self.take_symbol("!") {
            let of = self.nested(Self::unary)?;
            let place = start.to(of.place);
            return self.node(Kind::Not(Box::new(of)), place);
        }
        if !self.take_symbol("-") {
            let primary = self.primary()?;
            return self.postfix(primary);
        }
        if let Token::Int(magnitude) = *self.peek() {
            let place = start.to(self.place());
            let value = i64::try_from(-i128::from(magnitude))
                .map_err(|_| Wrong::new(place, "this number needs more than 64 bits"))?;
            self.at += 1;
            let number = self.node(Kind::Int(value), place)?;
            return self.postfix(number);
        }
        let of = self.nested(Self::unary)?;
        let place = start.to(of.place);
        self.node(Kind::Negate(Box::new(of)), place)
    }

    fn primary(&mut self) -> Read<Ast> {
        let (token, place) = self.take();
        match token {
            Token::Int(magnitude) => match i64::try_from(magnitude) {
                Ok(value) => self.node(Kind::Int(value), place),
                Err(_) => Err(Wrong::new(place, "this number needs more than 64 bits")),
            },
            Token::Double(value) => self.node(Kind::Double(value), place),
            Token::Text(text) => self.node(Kind::Text(text), place),
            Token::Word("true") => self.node(Kind::Bool(true), place),
            Token::Word("false") => self.node(Kind::Bool(false), place),
            Token::Word("null") => self.node(Kind::Null, place),
            Token::Word(word) => {
                refuse_reserved(word, place)?;
                self.name(word, place)
            }
            Token::Symbol("(") => {
                let inner = self.expression()?;
                let end = self.close(")", place)?;
                Ok(Ast { place: place.to(end), ..inner })
            }
            Token::Symbol("[") => {
                let items = self.list("]", place)?;
                let end = self.tokens.get(self.at - 1).map_or(place, |(_, end)| *end);
                self.node(Kind::List(items), place.to(end))
            }
            Token::Symbol("{") => Err(Wrong::new(place, "maps are not supported")),
            Token::End => Err(Wrong::new(place, "expected an expression, found the end")),
            Token::Symbol(symbol) => Err(Wrong::new(place, format!("expected a value, found `{symbol}`"))),
        }
    }

    fn name(&mut self, word: &str, place: Place) -> Read<Ast> {
        let open = self.place();
        if !self.take_symbol("(") {
            return self.node(Kind::Name(word.to_owned()), place);
        }
        let arguments = self.list(")", open)?;
        let end = self.tokens.get(self.at - 1).map_or(place, |(_, end)| *end);
        self.node(Kind::Call(None, word.to_owned(), place, arguments), place.to(end))
    }

    /// Expressions with commas between them, and the bracket that ends them.
    fn list(&mut self, end: &'static str, open: Place) -> Read<Vec<Ast>> {
        let mut items = Vec::new();
        if self.take_symbol(end) {
            return Ok(items);
        }
        loop {
            items.push(self.expression()?);
            let comma = self.take_symbol(",");
            if !comma || matches!(self.peek(), Token::Symbol(found) if *found == end) {
                self.close(end, open)?;
                return Ok(items);
            }
        }
    }

    fn postfix(&mut self, mut value: Ast) -> Read<Ast> {
        loop {
            let start = value.place;
            if self.take_symbol(".") {
                let (token, place) = self.take();
                let Token::Word(word) = token else {
                    return Err(Wrong::new(place, "expected the name of a field or function after `.`"));
                };
                let open = self.place();
                value = if self.take_symbol("(") {
                    let arguments = self.list(")", open)?;
                    let end = self.tokens.get(self.at - 1).map_or(place, |(_, end)| *end);
                    let of = Some(Box::new(value));
                    self.node(Kind::Call(of, word.to_owned(), place, arguments), start.to(end))?
                } else {
                    self.node(Kind::Field(Box::new(value), word.to_owned(), place), start.to(place))?
                };
                continue;
            }
            let open = self.place();
            if !self.take_symbol("[") {
                return Ok(value);
            }
            let index = self.expression()?;
            let end = self.close("]", open)?;
            value = self.node(Kind::Index(Box::new(value), Box::new(index)), start.to(end))?;
        }
    }
}

fn refuse_reserved(word: &str, place: Place) -> Read<()> {
    if RESERVED.contains(&word) {
        return Err(Wrong::new(place, format!("`{word}` is a reserved word of CEL")));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The tree with all its brackets.
    fn show(tree: &Ast) -> String {
        let all = |items: &[Ast], between: &str| items.iter().map(show).collect::<Vec<_>>().join(between);
        match &tree.kind {
            Kind::Null => "null".into(),
            Kind::Bool(value) => value.to_string(),
            Kind::Int(value) => value.to_string(),
            Kind::Double(value) => format!("{value:?}"),
            Kind::Text(text) => format!("{text:?}"),
            Kind::Name(name) => name.clone(),
            Kind::List(items) => format!("[{}]", all(items, ", ")),
            Kind::Field(of, name, _) => format!("{}.{name}", show(of)),
            Kind::Index(of, index) => format!("{}[{}]", show(of), show(index)),
            Kind::Call(of, name, _, arguments) => {
                let of = of.as_ref().map_or(String::new(), |of| show(of) + ".");
                format!("{of}{name}({})", all(arguments, ", "))
            }
            Kind::Not(of) => format!("(!{})", show(of)),
            Kind::Negate(of) => format!("(-{})", show(of)),
            Kind::Binary(operator, a, b) => format!("({} {} {})", show(a), operator.text(), show(b)),
            Kind::And(items) => format!("({})", all(items, " && ")),
            Kind::Or(items) => format!("({})", all(items, " || ")),
            Kind::If(three) => format!("({} ? {} : {})", show(&three[0]), show(&three[1]), show(&three[2])),
        }
    }

    #[test]
    fn operators_bind_as_in_cel() {
        for (text, expected) in [
            ("1 + 2 * 3 - 4", "((1 + (2 * 3)) - 4)"),
            ("a || b && c || d", "(a || (b && c) || d)"),
            ("a ? b : c ? d : e", "(a ? b : (c ? d : e))"),
            ("!a.b(1)[2] == -x.y", "((!a.b(1)[2]) == (-x.y))"),
            ("a == b in c", "((a == b) in c)"),
            ("-9223372036854775808", "-9223372036854775808"),
            ("1 - -2", "(1 - -2)"),
            ("[1, 2,].size()", "[1, 2].size()"),
            ("(a && b) && c", "((a && b) && c)"),
        ] {
            let tree = parse(text).unwrap_or_else(|wrong| panic!("{text}: {wrong:?}"));
            assert_eq!(show(&tree), expected);
            assert_eq!(tree.place.range(), 0..text.len(), "{text}");
        }
    }

    #[test]
    fn what_is_no_expression_is_pointed_at() {
        for (text, start, end, message) in [
            ("", 0, 0, "expected an expression, found the end"),
            ("a b", 2, 3, "expected an operator or the end of the expression"),
            ("a = b", 2, 3, "a single `=` compares nothing"),
            ("(a", 0, 1, "this bracket is not closed: `)` is missing"),
            ("a)", 1, 2, "this bracket closes nothing"),
            ("f(a b)", 4, 5, "expected `)` or an operator"),
            ("a.", 2, 2, "expected the name of a field or function after `.`"),
            ("a ? b", 5, 5, "expected `:` and what holds otherwise"),
            ("{'a': 1}", 0, 1, "maps are not supported"),
            ("while", 0, 5, "`while` is a reserved word of CEL"),
            ("9223372036854775808", 0, 19, "this number needs more than 64 bits"),
            ("a == * b", 5, 6, "expected a value, found `*`"),
        ] {
            let wrong = parse(text).expect_err(text);
            assert_eq!((wrong.span.clone(), wrong.message.as_str()), (start..end, message), "{text}");
        }
    }

    #[test]
    fn nesting_is_bounded_and_chains_are_not_nested() {
        let deep = ["(", "!", "-", "[", "a.f(", "a ? b : "].map(|open| open.repeat(500) + "a");
        let chains = ["+a", "==a", ".b", "[0]"].map(|part| "a".to_owned() + &part.repeat(500));
        for text in deep.iter().chain(&chains) {
            let wrong = parse(text).expect_err("too deep");
            assert!(wrong.message.contains("nested deeper"), "{}: {}", &text[..10], wrong.message);
        }
        for text in ["a && ", "a || "] {
            let chain = text.repeat(700) + "a";
            assert_eq!(parse(&chain).map(|tree| tree.depth), Ok(2));
        }
    }
}
