//! Why an expression is true or false: the part that decides, with the values in it.
//!
//! `pods("app=web").all(p, p.ready)` is false because of `pods("app=web")[1] (web-1): ready == false`. Of `&&` the part
//! that is false is shown, of `||` all parts are; comparisons show the values of what is not written out.
use super::ast::Operator;
use super::eval::Evaluation;
use super::facts::{Look, name_of};
use super::params;
use super::tree::{Macro, Node, Op, Program};
use super::types::{Base, Handle, Ty, Value};
use super::wrong::{Place, Trouble};
use crate::kernel::Duration;

/// How many elements are shown of those that all have the same fault.
const SHOWN: usize = 3;
/// How many elements of a list are shown in one place.
const LISTED: usize = 8;

/// Why the whole expression is what it is.
pub(super) fn explain(program: &Program, look: Look<'_>) -> String {
    let mut teller = Teller { evaluation: Evaluation::new(program, look), named: Vec::new() };
    if program.ty == Ty::of(Base::Bool) { teller.why(&program.root) } else { teller.equation(&program.root) }
}

/// A value as it would be written.
pub(super) fn show(value: &Value<'_>, look: &Look<'_>) -> String {
    match value {
        Value::Null => "null".into(),
        Value::Bool(value) => value.to_string(),
        Value::Int(value) => value.to_string(),
        Value::Double(value) => format!("{value:?}"),
        Value::Text(text) => format!("{text:?}"),
        Value::Duration(nanos) => span(*nanos),
        Value::Labels(_) => "labels".into(),
        Value::List(items) => {
            let mut all: Vec<String> = items.iter().take(LISTED).map(|item| show(item, look)).collect();
            if items.len() > LISTED {
                all.push(format!("and {} more", items.len() - LISTED));
            }
            format!("[{}]", all.join(", "))
        }
        Value::Object(Handle::Absent(_)) => "nothing".into(),
        Value::Object(handle) => name_of(look, *handle).map_or_else(String::new, |name| name.into_owned()),
    }
}

fn span(nanos: i64) -> String {
    let sign = if nanos < 0 { "-" } else { "" };
    format!("{sign}{}", Duration::from_nanos(nanos.unsigned_abs()))
}

struct Teller<'a> {
    evaluation: Evaluation<'a>,
    /// The element that is spoken of: the name of its variable, which the text need not repeat.
    named: Vec<String>,
}

impl<'a> Teller<'a> {
    fn text(&self, place: Place) -> String {
        let text = self.evaluation.program.text.get(place.range()).unwrap_or_default();
        let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
        // `p.ready` of an element that has been named is `ready`.
        match self.named.last().and_then(|variable| text.strip_prefix(variable.as_str())?.strip_prefix('.')) {
            Some(rest) => rest.to_owned(),
            None => text,
        }
    }

    fn failed(&self, trouble: Trouble) -> String {
        format!("{}: {trouble}", self.text(trouble.place))
    }

    /// Why a part that is true or false is so.
    fn why(&mut self, node: &'a Node) -> String {
        let value = match self.evaluation.bool(node) {
            Ok(value) => value,
            Err(trouble) => return self.why_not(node, trouble),
        };
        match &node.op {
            Op::Not(of) => self.why(of),
            Op::And(parts) => self.decisive(parts, value, false),
            Op::Or(parts) => self.decisive(parts, value, true),
            Op::If(three) => {
                let [condition, yes, no] = three.as_ref();
                let chosen = if self.evaluation.bool(condition) == Ok(true) { yes } else { no };
                format!("{}, so {}", self.why(condition), self.why(chosen))
            }
            Op::Equal(two, _) | Op::Order(two, _) => self.sides(&two[0], &two[1], value, node),
            Op::In(element, list) => {
                let sides = [element, list].map(|side| self.equation_unless_literal(side));
                let sides: Vec<_> = sides.into_iter().flatten().collect();
                if sides.is_empty() { self.plain(node, value) } else { sides.join(" and ") }
            }
            Op::TextTest(two, _) => {
                self.equation_unless_literal(&two[0]).unwrap_or_else(|| self.plain(node, value))
            }
            Op::Matches(of, _) => self.equation_unless_literal(of).unwrap_or_else(|| self.plain(node, value)),
            Op::Macro(kind @ (Macro::All | Macro::Exists), list, bodies) => match bodies.first() {
                Some(body) => self.elements(*kind, list, body, value),
                None => self.plain(node, value),
            },
            _ => self.plain(node, value),
        }
    }

    /// Why a part is neither true nor false: something in it has failed, and nothing else decides.
    fn why_not(&mut self, node: &'a Node, trouble: Trouble) -> String {
        match &node.op {
            Op::Not(of) => self.why(of),
            Op::And(parts) => {
                let failed = parts.iter().find(|part| self.evaluation.bool(part).is_err());
                failed.map_or_else(String::new, |part| self.why(part))
            }
            Op::Or(parts) => {
                let all: Vec<String> = parts.iter().map(|part| self.why(part)).collect();
                all.join(" and ")
            }
            _ => self.failed(trouble),
        }
    }

    fn plain(&self, node: &Node, value: bool) -> String {
        format!("{} == {value}", self.text(node.place))
    }

    /// Parts of a chain: the first that alone makes it what it is, or all.
    fn decisive(&mut self, parts: &'a [Node], value: bool, alone: bool) -> String {
        if value == alone {
            let one = parts.iter().find(|part| self.evaluation.bool(part) == Ok(value));
            return one.map_or_else(String::new, |part| self.why(part));
        }
        let all: Vec<String> = parts.iter().map(|part| self.why(part)).collect();
        all.join(" and ")
    }

    /// Both sides of a comparison with their values, as far as they are not written out.
    fn sides(&mut self, a: &'a Node, b: &'a Node, value: bool, node: &'a Node) -> String {
        let sides: Vec<String> =
            [a, b].into_iter().filter_map(|side| self.equation_unless_literal(side)).collect();
        if sides.is_empty() { self.plain(node, value) } else { sides.join(" and ") }
    }

    fn equation_unless_literal(&mut self, node: &'a Node) -> Option<String> {
        let literal = matches!(
            node.op,
            Op::Null | Op::Bool(_) | Op::Int(_) | Op::Double(_) | Op::Text(_) | Op::Duration(_) | Op::List(_)
        );
        // A parameter is a constant whose value the text does not show.
        let written = literal && !self.text(node.place).starts_with(params::WORD);
        (!written).then(|| self.equation(node))
    }

    /// `sts("web").status.readyReplicas == 2`.
    fn equation(&mut self, node: &'a Node) -> String {
        let text = self.text(node.place);
        let listed = if let Op::Size(of) = &node.op { self.names(of) } else { String::new() };
        match self.evaluation.value(node) {
            Ok(Value::Object(Handle::Absent(_))) => format!("{text} does not exist"),
            Ok(value) => {
                let look = self.evaluation.look;
                let plus = matches!(node.op, Op::Arithmetic(_, Operator::Add | Operator::Subtract));
                let text = if plus { format!("({text})") } else { text };
                format!("{text} == {}{listed}", show(&value, &look))
            }
            Err(trouble) => self.failed(trouble),
        }
    }

    /// What is in a list that is counted, in brackets.
    fn names(&mut self, list: &'a Node) -> String {
        let Ok(Value::List(items)) = self.evaluation.value(list) else { return String::new() };
        if items.is_empty() || !items.iter().all(|item| matches!(item, Value::Object(_))) {
            return String::new();
        }
        let all = show(&Value::List(items), &self.evaluation.look);
        format!(" ({})", all.trim_start_matches('[').trim_end_matches(']'))
    }

    /// The elements because of which `all` or `exists` is what it is.
    fn elements(&mut self, kind: Macro, list: &'a Node, body: &'a Node, value: bool) -> String {
        let text = self.text(list.place);
        let items = match self.evaluation.list(list) {
            Ok(items) => items,
            Err(trouble) => return self.failed(trouble),
        };
        if items.is_empty() {
            return format!("{text} is empty");
        }
        let one = value == (kind == Macro::Exists);
        let count = items.len();
        let mut told = Vec::new();
        for (n, item) in items.into_iter().enumerate() {
            let decides = self.evaluation.with(item.clone(), |evaluation| evaluation.bool(body) == Ok(value));
            if one && !decides || told.len() == if one { 1 } else { SHOWN } {
                continue;
            }
            let name = match &item {
                Value::Object(handle) => name_of(&self.evaluation.look, *handle),
                _ => None,
            };
            let name = name.map_or_else(String::new, |name| format!(" ({name})"));
            let why = self.of_element(item, body);
            told.push(format!("{text}[{n}]{name}: {why}"));
        }
        if !one && count > SHOWN {
            told.push(format!("so {} more", count - SHOWN));
        }
        told.join("; ")
    }

    fn of_element(&mut self, item: Value<'a>, body: &'a Node) -> String {
        let depth = self.evaluation.variables.len();
        self.named.push(variable_of(body, depth, &self.evaluation.program.text).unwrap_or_default());
        self.evaluation.variables.push(item);
        let why = self.why(body);
        self.evaluation.variables.pop();
        self.named.pop();
        why
    }
}

/// The name of the variable of the macro at this depth, as its body writes it.
fn variable_of(node: &Node, depth: usize, text: &str) -> Option<String> {
    if let Op::Variable(found) = &node.op
        && *found == depth
    {
        return text.get(node.place.range()).map(str::to_owned);
    }
    node.op.parts().into_iter().find_map(|part| variable_of(part, depth, text))
}
