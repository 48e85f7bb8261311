//! Evaluation, with CEL's errors: `a || b` is true if either is, whatever has gone wrong in the other.
//!
//! Steps are counted, so that macros in macros end ([`crate::limits::MAX_EXPRESSION_STEPS`]).
use super::ast::Operator;
use super::calls::is_namespaced;
use super::facts::{Field, Look};
use super::names::Answers;
use super::roots::{self, Called, Leads};
use super::tree::{Argument, Macro, Node, Op, Program, TextTest};
use super::types::{Class, Found, Handle, Labels, Value};
use super::wrong::{Place, Trouble, What};
use crate::limits::MAX_EXPRESSION_STEPS;
use crate::network::Network;
use std::borrow::Cow;

type Result<T> = std::result::Result<T, Trouble>;

/// An evaluation under way.
pub(super) struct Evaluation<'a> {
    pub(super) look: Look<'a>,
    pub(super) program: &'a Program,
    /// Elements that the macros around are at.
    pub(super) variables: Vec<Value<'a>>,
    steps: u64,
    /// Where the container that looks asks for names, and what it knows.
    resolver: Option<(&'a mut Network, &'a mut Answers)>,
}

impl<'a> Evaluation<'a> {
    pub(super) fn new(program: &'a Program, look: Look<'a>) -> Evaluation<'a> {
        Evaluation { look, program, variables: Vec::new(), steps: 0, resolver: None }
    }

    /// One of a container, which asks for names.
    pub(super) fn asking(
        program: &'a Program,
        look: Look<'a>,
        network: &'a mut Network,
        answers: &'a mut Answers,
    ) -> Evaluation<'a> {
        Evaluation { resolver: Some((network, answers)), ..Evaluation::new(program, look) }
    }

    /// The value of a part.
    pub(super) fn value(&mut self, node: &'a Node) -> Result<Value<'a>> {
        self.step(node)?;
        Ok(match &node.op {
            Op::Null => Value::Null,
            Op::Bool(value) => Value::Bool(*value),
            Op::Int(value) => Value::Int(*value),
            Op::Double(value) => Value::Double(*value),
            Op::Text(text) => Value::Text(Cow::Borrowed(text)),
            Op::Duration(nanos) => Value::Duration(*nanos),
            Op::List(items) => Value::List(items.iter().map(|item| self.value(item)).collect::<Result<_>>()?),
            Op::Variable(depth) => {
                let value = self.variables.get(*depth).cloned().unwrap_or(Value::Null);
                self.steps += weight(&value);
                value
            }
            Op::Now => self.look.cluster.world.now().into(),
            Op::Here(class) => self.here(*class),
            Op::Root(leads, argument) => self.lead(*leads, argument)?,
            Op::Field(of, field) => {
                let handle = self.handle(of)?;
                field.of(&self.look, handle).ok_or_else(|| absent(handle, of.place))?
            }
            Op::Label(of, key) => {
                let (labels, key) = (self.labels(of)?, self.text(key)?);
                let label = self.look.label(labels, &key);
                Value::Text(label.ok_or(trouble(node.place, What::NoLabel))?)
            }
            Op::Index(list, index) => self.index(list, index)?,
            Op::If(three) => {
                let [condition, yes, no] = three.as_ref();
                let chosen = if self.bool(condition)? { yes } else { no };
                self.value(chosen)?
            }
            Op::Negate(of) => match self.value(of)? {
                Value::Int(value) => Value::Int(checked(value.checked_neg(), node)?),
                Value::Duration(value) => Value::Duration(checked(value.checked_neg(), node)?),
                Value::Double(value) => Value::Double(-value),
                other => other,
            },
            Op::Arithmetic(two, operator) => {
                let [a, b] = two.as_ref();
                let (a, b) = (self.value(a)?, self.value(b)?);
                let value = arithmetic(*operator, a, b, node)?;
                self.steps += weight(&value);
                value
            }
            Op::Size(of) => self.size(of)?,
            Op::Units(of, nanos) => match self.value(of)? {
                Value::Duration(span) => Value::Int(span / nanos),
                other => other,
            },
            Op::Macro(Macro::Filter, list, bodies) => self.filter(list, bodies)?,
            Op::Macro(Macro::Map, list, bodies) => self.map(list, bodies)?,
            Op::Has(..)
            | Op::HasLabel(..)
            | Op::In(..)
            | Op::Not(_)
            | Op::And(_)
            | Op::Or(_)
            | Op::Equal(..)
            | Op::Order(..)
            | Op::TextTest(..)
            | Op::Matches(..)
            | Op::Resolves(_)
            | Op::Macro(..) => Value::Bool(self.judge(node)?),
        })
    }

    /// The value of a part that is true or false.
    pub(super) fn bool(&mut self, node: &'a Node) -> Result<bool> {
        match &node.op {
            Op::Field(..) | Op::If(_) | Op::Variable(_) | Op::Index(..) | Op::Bool(_) => {
                Ok(matches!(self.value(node)?, Value::Bool(true)))
            }
            _ => {
                self.step(node)?;
                self.judge(node)
            }
        }
    }

    fn judge(&mut self, node: &'a Node) -> Result<bool> {
        match &node.op {
            Op::Not(of) => Ok(!self.bool(of)?),
            Op::And(parts) => self.until(parts.iter(), false),
            Op::Or(parts) => self.until(parts.iter(), true),
            Op::Equal(two, negated) => {
                let [a, b] = two.as_ref();
                let (a, b) = (self.value(a)?, self.value(b)?);
                Ok(a.equals(&b) != *negated)
            }
            Op::Order(two, operator) => {
                let [a, b] = two.as_ref();
                let (a, b) = (self.value(a)?, self.value(b)?);
                let order = a.order(&b).0;
                Ok(order.is_some_and(|order| match operator {
                    Operator::Less => order.is_lt(),
                    Operator::LessOrEqual => order.is_le(),
                    Operator::Greater => order.is_gt(),
                    _ => order.is_ge(),
                }))
            }
            Op::In(value, list) => {
                let value = self.value(value)?;
                Ok(self.list(list)?.iter().any(|element| element.equals(&value)))
            }
            Op::Has(of, field) => self.has(of, field),
            Op::HasLabel(of, key) => {
                let (labels, key) = (self.labels(of)?, self.text(key)?);
                Ok(self.look.label(labels, &key).is_some())
            }
            Op::TextTest(two, test) => {
                let [a, b] = two.as_ref();
                let (text, other) = (self.text(a)?, self.text(b)?);
                Ok(match test {
                    TextTest::StartsWith => text.starts_with(other.as_ref()),
                    TextTest::EndsWith => text.ends_with(other.as_ref()),
                    TextTest::Contains => text.contains(other.as_ref()),
                })
            }
            Op::Matches(of, regex) => Ok(regex.is_match(&self.text(of)?)),
            Op::Resolves(host) => {
                let host = self.text(host)?;
                Ok(self.resolves(&host))
            }
            Op::Macro(kind, list, bodies) => self.quantify(*kind, list, bodies),
            _ => Ok(matches!(self.value(node)?, Value::Bool(true))),
        }
    }

    /// Whether the resolver of the container that looks finds a name. Nobody else asks any.
    fn resolves(&mut self, name: &str) -> bool {
        match (self.look.here, &mut self.resolver) {
            (Some(here), Some((network, answers))) => {
                answers.resolves(network, self.look.cluster, here, name)
            }
            _ => false,
        }
    }

    fn step(&mut self, node: &Node) -> Result<()> {
        self.steps += 1;
        if self.steps > MAX_EXPRESSION_STEPS { Err(trouble(node.place, What::TooMuchWork)) } else { Ok(()) }
    }

    /// `end` if any of the parts is; else the first error; else not `end`.
    fn until(&mut self, parts: impl Iterator<Item = &'a Node>, end: bool) -> Result<bool> {
        let mut failed = None;
        for part in parts {
            match self.bool(part) {
                Ok(value) if value == end => return Ok(end),
                Err(trouble) if trouble.what == What::TooMuchWork => return Err(trouble),
                Err(trouble) => failed = failed.or(Some(trouble)),
                Ok(_) => {}
            }
        }
        failed.map_or(Ok(!end), Err)
    }

    pub(super) fn handle(&mut self, node: &'a Node) -> Result<Handle<'a>> {
        match self.value(node)? {
            Value::Object(handle) => Ok(handle),
            _ => Err(trouble(node.place, What::Absent(Class::Pod))),
        }
    }

    /// What the container that looks sees.
    fn here(&self, class: Class) -> Value<'a> {
        let Some(here) = self.look.here else { return Value::Object(Handle::Absent(class)) };
        if class != Class::Pod {
            return Value::Object(Handle::Here(class, here));
        }
        let object = self.look.store().pods.get_uid(here.pod, here.uid);
        let pod = object.map(|object| Handle::Pod(Found { id: here.pod, object }));
        Value::Object(pod.unwrap_or(Handle::Absent(class)))
    }

    fn labels(&mut self, node: &'a Node) -> Result<Labels<'a>> {
        match self.value(node)? {
            Value::Labels(labels) => Ok(labels),
            _ => Err(trouble(node.place, What::NoLabel)),
        }
    }

    fn text(&mut self, node: &'a Node) -> Result<Cow<'a, str>> {
        match self.value(node)? {
            Value::Text(text) => Ok(text),
            _ => Ok("".into()),
        }
    }

    pub(super) fn list(&mut self, node: &'a Node) -> Result<Vec<Value<'a>>> {
        let list = match self.value(node)? {
            Value::List(list) => list,
            _ => Vec::new(),
        };
        self.steps += list.len() as u64;
        Ok(list)
    }

    fn has(&mut self, of: &'a Node, field: &'static Field) -> Result<bool> {
        let handle = self.handle(of)?;
        Ok(field.of(&self.look, handle).is_some_and(|value| !value.is_nothing()))
    }

    fn index(&mut self, list: &'a Node, index: &'a Node) -> Result<Value<'a>> {
        let mut items = self.list(list)?;
        let Value::Int(number) = self.value(index)? else { return Ok(Value::Null) };
        let size = items.len();
        match usize::try_from(number).ok().filter(|number| *number < size) {
            Some(number) => Ok(items.swap_remove(number)),
            None => Err(trouble(index.place, What::OutOfRange(number, size))),
        }
    }

    fn size(&mut self, of: &'a Node) -> Result<Value<'a>> {
        let size = match self.value(of)? {
            Value::List(items) => items.len(),
            Value::Text(text) => text.chars().count(),
            Value::Labels(labels) => self.look.count(labels),
            _ => 0,
        };
        Ok(Value::Int(i64::try_from(size).unwrap_or(i64::MAX)))
    }

    /// What a body says of an element.
    pub(super) fn with<T>(&mut self, element: Value<'a>, ask: impl FnOnce(&mut Self) -> T) -> T {
        self.variables.push(element);
        let answer = ask(self);
        self.variables.pop();
        answer
    }

    fn quantify(&mut self, kind: Macro, list: &'a Node, bodies: &'a [Node]) -> Result<bool> {
        let (items, Some(body)) = (self.list(list)?, bodies.first()) else { return Ok(false) };
        let end = kind == Macro::Exists;
        let (mut failed, mut found) = (None, 0);
        for item in items {
            match self.with(item, |evaluation| evaluation.bool(body)) {
                Err(trouble) if kind == Macro::ExistsOne || trouble.what == What::TooMuchWork => {
                    return Err(trouble);
                }
                Err(trouble) => failed = failed.or(Some(trouble)),
                Ok(value) if kind == Macro::ExistsOne => found += u32::from(value),
                Ok(value) if value == end => return Ok(end),
                Ok(_) => {}
            }
        }
        match failed {
            Some(trouble) => Err(trouble),
            None if kind == Macro::ExistsOne => Ok(found == 1),
            None => Ok(!end),
        }
    }

    fn filter(&mut self, list: &'a Node, bodies: &'a [Node]) -> Result<Value<'a>> {
        let (items, Some(body)) = (self.list(list)?, bodies.first()) else {
            return Ok(Value::List(Vec::new()));
        };
        let mut kept = Vec::new();
        for item in items {
            if self.with(item.clone(), |evaluation| evaluation.bool(body))? {
                kept.push(item);
            }
        }
        Ok(Value::List(kept))
    }

    fn map(&mut self, list: &'a Node, bodies: &'a [Node]) -> Result<Value<'a>> {
        let (items, Some((body, filters))) = (self.list(list)?, bodies.split_last()) else {
            return Ok(Value::List(Vec::new()));
        };
        let mut made = Vec::new();
        for item in items {
            let one = self.with(item, |evaluation| -> Result<Option<Value<'a>>> {
                for filter in filters {
                    if !evaluation.bool(filter)? {
                        return Ok(None);
                    }
                }
                evaluation.value(body).map(Some)
            })?;
            made.extend(one);
        }
        Ok(Value::List(made))
    }

    fn lead(&mut self, leads: Leads, argument: &'a Argument) -> Result<Value<'a>> {
        let program = self.program;
        let text = match argument {
            Argument::Text(node) => Some(self.text(node)?),
            _ => None,
        };
        let called = match argument {
            Argument::Name(number) => program.names.get(*number).map(Cow::Borrowed),
            _ => None,
        };
        let called = || {
            called.or_else(|| text.as_deref().map(|text| Cow::Owned(Called::new(text, is_namespaced(leads)))))
        };
        Ok(match leads {
            Leads::One(class) => {
                let called = called();
                Value::Object(
                    called.map_or(Handle::Absent(class), |called| roots::one(&self.look, class, &called)),
                )
            }
            Leads::All(class) => match argument {
                Argument::Selector(selector) => Value::List(roots::all(&self.look, class, selector)),
                _ => Value::List(Vec::new()),
            },
            Leads::Endpoints => {
                let called = called();
                Value::List(called.map_or(Vec::new(), |called| roots::endpoints(&self.look, &called)))
            }
            Leads::Attachments => Value::List(roots::volume_attachments(&self.look, called().as_deref())),
            Leads::Processes => Value::List(roots::processes(&self.look, called().as_deref())),
            Leads::Disks => Value::List(roots::disks(&self.look, called().as_deref())),
            Leads::Events => Value::List(roots::events(&self.look, text.as_deref())),
            Leads::Dns => Value::List(roots::dns(&self.look, text.as_deref().unwrap_or_default())),
            Leads::Database => {
                let database = text.and_then(|name| self.look.cluster.databases.get(&name));
                Value::Object(database.map_or(Handle::Absent(Class::Database), Handle::Database))
            }
            Leads::Fault => Value::Object(match text {
                Some(Cow::Borrowed(name)) => Handle::Fault(name),
                _ => Handle::Absent(Class::Fault),
            }),
        })
    }
}

/// What it costs to make or copy a value, in steps: texts and lists can be doubled again and again.
fn weight(value: &Value<'_>) -> u64 {
    match value {
        Value::Text(Cow::Owned(text)) => text.len() as u64 / 16,
        Value::List(items) => items.len() as u64 + items.iter().map(weight).sum::<u64>(),
        _ => 0,
    }
}

fn trouble(place: Place, what: What) -> Trouble {
    Trouble { place, what }
}

fn absent(handle: Handle<'_>, place: Place) -> Trouble {
    let class = if let Handle::Absent(class) = handle { class } else { Class::Pod };
    trouble(place, What::Absent(class))
}

fn checked<T>(value: Option<T>, node: &Node) -> Result<T> {
    value.ok_or(trouble(node.place, What::Overflow))
}

/// CEL's arithmetic: what overflows, or divides by zero, is an error; doubles follow IEEE 754.
fn arithmetic<'a>(operator: Operator, a: Value<'a>, b: Value<'a>, node: &Node) -> Result<Value<'a>> {
    Ok(match (operator, a, b) {
        (Operator::Divide | Operator::Modulo, Value::Int(_), Value::Int(0)) => {
            return Err(trouble(node.place, What::DivisionByZero));
        }
        (_, Value::Int(a), Value::Int(b)) => {
            let result = match operator {
                Operator::Add => a.checked_add(b),
                Operator::Subtract => a.checked_sub(b),
                Operator::Multiply => a.checked_mul(b),
                Operator::Divide => a.checked_div(b),
                _ => a.checked_rem(b),
            };
            Value::Int(checked(result, node)?)
        }
        (_, Value::Double(a), Value::Double(b)) => Value::Double(match operator {
            Operator::Add => a + b,
            Operator::Subtract => a - b,
            Operator::Multiply => a * b,
            _ => a / b,
        }),
        (_, Value::Duration(a), Value::Duration(b)) => {
            let result = if operator == Operator::Add { a.checked_add(b) } else { a.checked_sub(b) };
            Value::Duration(checked(result, node)?)
        }
        (_, Value::Text(a), Value::Text(b)) => Value::Text(a + b),
        (_, Value::List(mut a), Value::List(b)) => {
            a.extend(b);
            Value::List(a)
        }
        (_, other, _) => other,
    })
}
