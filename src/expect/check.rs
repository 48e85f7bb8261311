//! The type checker: from what is written to what is evaluated.
//!
//! Nothing runs before all of it is known to have a meaning: names, fields, functions, the number and types of their
//! arguments, label selectors and patterns. What is wrong is pointed at, with the nearest known name.
use super::MAX_LENGTH;
use super::ast::{Ast, Kind, Operator};
use super::calls;
use super::facts;
use super::params;
use super::reads::Reads;
use super::roots::{Called, next_words};
use super::tree::{Node, Op, Program};
use super::types::{Base, Class, Ty};
use super::wrong::{Place, Read, Wrong};
use super::{Scope, parse};
use crate::kernel::Time;

/// A part that is checked.
pub(super) struct Typed {
    pub(super) op: Op,
    pub(super) ty: Ty,
}

/// What a container can ask about.
pub(super) const SEEN: [(&str, Class); 4] =
    [("pod", Class::Pod), ("peers", Class::Peers), ("volume", Class::OwnVolume), ("dns", Class::Dns)];

/// What a part with dots can be: a value, or the way to a field (`pod("a").status`).
enum Path {
    Value(Typed),
    Way(Node, Class, String),
}

pub(super) struct Checker<'s> {
    pub(super) scope: Scope<'s>,
    /// Variables of the macros around.
    pub(super) variables: Vec<(String, Ty)>,
    pub(super) names: Vec<Called>,
    pub(super) reads: Reads,
    pub(super) instants: Vec<Time>,
}

/// Reads and checks a text.
///
/// # Errors
/// The first thing that is wrong with it.
pub(super) fn program(text: &str, scope: Scope<'_>) -> Read<Program> {
    if text.len() > MAX_LENGTH {
        let message = format!("an expression has at most {MAX_LENGTH} bytes, this one has {}", text.len());
        return Err(Wrong::new(Place::default(), message));
    }
    let tree = parse::parse(text)?;
    let mut checker = Checker {
        scope,
        variables: Vec::new(),
        names: Vec::new(),
        reads: Reads::NOTHING,
        instants: Vec::new(),
    };
    let typed = checker.value(&tree)?;
    let Checker { names, reads, mut instants, .. } = checker;
    instants.sort_unstable();
    instants.dedup();
    let root = Node { op: typed.op, place: tree.place };
    Ok(Program {
        text: text.to_owned(),
        root,
        ty: typed.ty,
        learned: names.is_empty(),
        names,
        reads,
        instants,
    })
}

impl Checker<'_> {
    /// A part with its type.
    pub(super) fn value(&mut self, tree: &Ast) -> Read<Typed> {
        match self.path(tree)? {
            Path::Value(typed) => Ok(typed),
            Path::Way(_, class, prefix) => {
                let all: Vec<_> = unique(next_words(class, &prefix));
                Err(Wrong::new(
                    tree.place,
                    format!("`.{prefix}` of a {} is no value by itself", class.word()),
                )
                .with_help(format!("it has {}", all.join(", "))))
            }
        }
    }

    /// The same as a node.
    pub(super) fn node(&mut self, tree: &Ast) -> Read<(Node, Ty)> {
        let typed = self.value(tree)?;
        Ok((Node { op: typed.op, place: tree.place }, typed.ty))
    }

    /// A part that must be of this type.
    pub(super) fn expect(&mut self, tree: &Ast, ty: Ty, what: &str) -> Read<Node> {
        let (node, found) = self.node(tree)?;
        if found.join(ty) != Some(ty) {
            return Err(Wrong::new(tree.place, format!("{what} is of type {ty}, this is of type {found}")));
        }
        Ok(node)
    }

    fn expect_bool(&mut self, tree: &Ast, what: &str) -> Read<Node> {
        let (node, found) = self.node(tree)?;
        if found.join(Ty::BOOL) == Some(Ty::BOOL) {
            return Ok(node);
        }
        let wrong = Wrong::new(tree.place, format!("{what} is true or false, this is of type {found}"));
        Err(match found.base {
            Base::Object(_) if found.lists == 0 => wrong.with_help("name a field of it, such as `.exists`"),
            _ if found.lists > 0 => wrong.with_help("ask with .all(x, ...), .exists(x, ...) or size(...)"),
            _ => wrong.with_help("compare it with something"),
        })
    }

    fn path(&mut self, tree: &Ast) -> Read<Path> {
        if let Some(constant) = self.constant(tree)? {
            return self.path(&constant);
        }
        let typed = match &tree.kind {
            Kind::Field(of, name, place) => return self.field(of, name, *place),
            Kind::Null => Typed { op: Op::Null, ty: Ty::NULL },
            Kind::Bool(value) => Typed { op: Op::Bool(*value), ty: Ty::BOOL },
            Kind::Int(value) => Typed { op: Op::Int(*value), ty: Ty::INT },
            Kind::Double(value) => Typed { op: Op::Double(*value), ty: Ty::DOUBLE },
            Kind::Text(text) => Typed { op: Op::Text(text.clone()), ty: Ty::TEXT },
            Kind::Name(name) => self.name(name, tree.place)?,
            Kind::List(items) => self.list(items)?,
            Kind::Index(of, index) => self.index(of, index)?,
            Kind::Call(of, name, place, arguments) => {
                calls::call(self, of.as_deref(), name, *place, arguments, tree.place)?
            }
            Kind::Not(of) => {
                let of = self.expect_bool(of, "what `!` turns over")?;
                Typed { op: Op::Not(Box::new(of)), ty: Ty::BOOL }
            }
            Kind::Negate(of) => self.negate(of)?,
            Kind::And(parts) => Typed { op: Op::And(self.all_bool(parts, "&&")?), ty: Ty::BOOL },
            Kind::Or(parts) => Typed { op: Op::Or(self.all_bool(parts, "||")?), ty: Ty::BOOL },
            Kind::If(three) => self.choice(three)?,
            Kind::Binary(operator, a, b) => self.binary(*operator, a, b, tree.place)?,
        };
        Ok(Path::Value(typed))
    }

    fn all_bool(&mut self, parts: &[Ast], symbol: &str) -> Read<Vec<Node>> {
        parts.iter().map(|part| self.expect_bool(part, &format!("a side of `{symbol}`"))).collect()
    }

    fn name(&mut self, name: &str, place: Place) -> Read<Typed> {
        let depth = self.variables.iter().rposition(|(known, _)| known == name);
        if let Some(depth) = depth {
            return Ok(Typed { op: Op::Variable(depth), ty: self.variables[depth].1 });
        }
        if name == params::WORD {
            let wrong = Wrong::new(place, format!("`{name}` is no value by itself"));
            return Err(wrong.with_help(format!("write {name}.NAME")));
        }
        if self.scope.container {
            return self.seen(name, place);
        }
        if name == "now" {
            self.reads = self.reads.and(Reads::TIME);
            return Ok(Typed { op: Op::Now, ty: Ty::DURATION });
        }
        if let Some(root) = super::roots::find(name) {
            let example = calls::example(root);
            return Err(
                Wrong::new(place, format!("`{name}` is a function")).with_help(format!("write {example}"))
            );
        }
        let mut known: Vec<&str> = self.variables.iter().map(|(name, _)| name.as_str()).collect();
        known.extend(["now", params::WORD]);
        for function in calls::functions() {
            known.push(function);
        }
        Err(Wrong::new(place, format!("unknown name `{name}`")).with_nearest(name, known.into_iter()))
    }

    /// A name in a condition of a container.
    fn seen(&mut self, name: &str, place: Place) -> Read<Typed> {
        let Some((_, class)) = SEEN.into_iter().find(|(known, _)| *known == name) else {
            let wrong = Wrong::new(place, format!("a container sees no `{name}`"));
            return Err(wrong.with_nearest(name, SEEN.iter().map(|(known, _)| *known)));
        };
        if class == Class::Pod {
            self.reads = self.reads.and(Reads::kind(crate::api::kind::Kind::Pod));
        }
        Ok(Typed { op: Op::Here(class), ty: Ty::object(class) })
    }

    fn field(&mut self, of: &Ast, name: &str, place: Place) -> Read<Path> {
        let (node, class, prefix) = match self.path(of)? {
            Path::Way(node, class, prefix) => (node, class, format!("{prefix}.{name}")),
            Path::Value(Typed { op, ty: Ty { lists: 0, base: Base::Object(class) } }) => {
                (Node { op, place: of.place }, class, name.to_owned())
            }
            Path::Value(Typed { op, ty: Ty::LABELS }) => {
                let key = Node { op: Op::Text(name.to_owned()), place };
                let op = Op::Label(Box::new(Node { op, place: of.place }), Box::new(key));
                return Ok(Path::Value(Typed { op, ty: Ty::TEXT }));
            }
            Path::Value(Typed { ty, .. }) => {
                let wrong = Wrong::new(place, format!("a value of type {ty} has no fields"));
                let is_list = ty.element().is_some();
                return Err(if is_list {
                    wrong.with_help("take an element: [0], or go through it: .all(x, ...)")
                } else {
                    wrong
                });
            }
        };
        if let Some(field) = facts::field(class, &prefix) {
            self.reads = self.reads.and(field.reads);
            return Ok(Path::Value(Typed { op: Op::Field(Box::new(node), field), ty: field.ty }));
        }
        if next_words(class, &prefix).next().is_some() {
            return Ok(Path::Way(node, class, prefix));
        }
        let parent = prefix.rsplit_once('.').map_or("", |(parent, _)| parent);
        let below = if parent.is_empty() { String::new() } else { format!(" below `.{parent}`") };
        let message = format!("a {} has no field `{name}`{below}", class.word());
        Err(Wrong::new(place, message).with_nearest(name, next_words(class, parent)))
    }

    /// The field that `has()` is asked about.
    pub(super) fn has(&mut self, tree: &Ast) -> Read<Typed> {
        if !matches!(tree.kind, Kind::Field(..)) {
            return Err(Wrong::new(tree.place, "has() asks about a field: has(pod(\"web-0\").node)"));
        }
        let op = match self.value(tree)?.op {
            Op::Field(of, field) => Op::Has(of, field),
            Op::Label(of, key) => Op::HasLabel(of, key),
            _ => return Err(Wrong::new(tree.place, "has() asks about a field")),
        };
        Ok(Typed { op, ty: Ty::BOOL })
    }

    fn list(&mut self, items: &[Ast]) -> Read<Typed> {
        let (mut nodes, mut ty) = (Vec::new(), Ty::ANY);
        for item in items {
            let (node, found) = self.node(item)?;
            ty = ty.join(found).ok_or_else(|| {
                Wrong::new(
                    item.place,
                    format!("the elements before are of type {ty}, this one is of type {found}"),
                )
            })?;
            nodes.push(node);
        }
        if ty.lists == u8::MAX {
            return Err(Wrong::new(
                items.first().map_or(Place::default(), |item| item.place),
                "too many lists in lists",
            ));
        }
        Ok(Typed { op: Op::List(nodes), ty: ty.list() })
    }

    fn index(&mut self, of: &Ast, index: &Ast) -> Read<Typed> {
        let (list, ty) = self.node(of)?;
        if ty == Ty::LABELS {
            let key = self.expect(index, Ty::TEXT, "a key")?;
            return Ok(Typed { op: Op::Label(Box::new(list), Box::new(key)), ty: Ty::TEXT });
        }
        let Some(element) = ty.element() else {
            return Err(Wrong::new(of.place, format!("a value of type {ty} has no elements")));
        };
        let index = self.expect(index, Ty::INT, "the number of an element")?;
        Ok(Typed { op: Op::Index(Box::new(list), Box::new(index)), ty: element })
    }

    fn negate(&mut self, of: &Ast) -> Read<Typed> {
        let (node, ty) = self.node(of)?;
        match ty {
            Ty::INT | Ty::DOUBLE | Ty::DURATION | Ty::ANY => Ok(Typed { op: Op::Negate(Box::new(node)), ty }),
            _ => Err(Wrong::new(of.place, format!("`-` needs a number, this is of type {ty}"))),
        }
    }

    fn choice(&mut self, three: &[Ast; 3]) -> Read<Typed> {
        let [condition, yes, no] = three;
        let condition = self.expect_bool(condition, "what stands before `?`")?;
        let (yes, first) = self.node(yes)?;
        let (other, second) = self.node(no)?;
        let Some(ty) = first.join(second) else {
            let message = format!("before `:` is a value of type {first}, this one is of type {second}");
            return Err(Wrong::new(no.place, message));
        };
        Ok(Typed { op: Op::If(Box::new([condition, yes, other])), ty })
    }

    fn binary(&mut self, operator: Operator, a: &Ast, b: &Ast, place: Place) -> Read<Typed> {
        let ((left, first), (right, second)) = (self.node(a)?, self.node(b)?);
        let wrong = |message: String| Err(Wrong::new(place, message));
        match operator {
            Operator::Equal | Operator::NotEqual => {
                if !first.comparable(second) {
                    return wrong(format!("a value of type {first} never equals one of type {second}"));
                }
                let negated = operator == Operator::NotEqual;
                Ok(Typed { op: Op::Equal(Box::new([left, right]), negated), ty: Ty::BOOL })
            }
            Operator::Less | Operator::LessOrEqual | Operator::Greater | Operator::GreaterOrEqual => {
                if !first.ordered(second) {
                    let message =
                        format!("`{}` cannot compare type {first} with type {second}", operator.text());
                    return wrong(message);
                }
                self.note_instant(&left, &right);
                Ok(Typed { op: Op::Order(Box::new([left, right]), operator), ty: Ty::BOOL })
            }
            Operator::In if second == Ty::LABELS && first == Ty::TEXT => {
                Ok(Typed { op: Op::HasLabel(Box::new(right), Box::new(left)), ty: Ty::BOOL })
            }
            Operator::In => {
                let Some(element) = second.element() else {
                    return Err(Wrong::new(b.place, format!("`in` needs a list, this is of type {second}")));
                };
                if !first.comparable(element) {
                    return wrong(format!("a list of type {second} never contains a value of type {first}"));
                }
                Ok(Typed { op: Op::In(Box::new(left), Box::new(right)), ty: Ty::BOOL })
            }
            _ => match arithmetic(operator, first, second) {
                Some(ty) => Ok(Typed { op: Op::Arithmetic(Box::new([left, right]), operator), ty }),
                None => wrong(format!(
                    "`{}` has no meaning between type {first} and type {second}",
                    operator.text()
                )),
            },
        }
    }

    /// A comparison of the clock with an instant that is written out: then it has to be looked at again.
    fn note_instant(&mut self, a: &Node, b: &Node) {
        if let (Op::Now, Op::Duration(instant)) | (Op::Duration(instant), Op::Now) = (&a.op, &b.op)
            && let Ok(instant) = u64::try_from(*instant)
        {
            // One of the two is where it changes, for each of the four comparisons.
            self.instants.extend([instant, instant.saturating_add(1)].map(Time::from_nanos));
        }
    }
}

fn arithmetic(operator: Operator, a: Ty, b: Ty) -> Option<Ty> {
    let joined = a.join(b)?;
    // An element of an empty list is whatever is needed.
    let fits = joined == Ty::ANY
        || match operator {
            Operator::Add => {
                joined.lists > 0 || matches!(joined, Ty::INT | Ty::DOUBLE | Ty::TEXT | Ty::DURATION)
            }
            Operator::Subtract => matches!(joined, Ty::INT | Ty::DOUBLE | Ty::DURATION),
            Operator::Multiply | Operator::Divide => matches!(joined, Ty::INT | Ty::DOUBLE),
            _ => joined == Ty::INT,
        };
    fits.then_some(joined)
}

fn unique(words: impl Iterator<Item = &'static str>) -> Vec<&'static str> {
    let mut all: Vec<_> = words.collect();
    all.sort_unstable();
    all.dedup();
    all
}
