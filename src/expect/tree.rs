//! A checked expression: what is evaluated. Types fit, fields are found, names and selectors are read.
use super::ast::Operator;
use super::facts::Field;
use super::reads::Reads;
use super::roots::{Called, Leads};
use super::types::{Class, Ty};
use super::wrong::Place;
use crate::api::selector::Selector;
use crate::kernel::Time;
use regex_lite::Regex;

/// A part, and where it is written.
#[derive(Clone)]
pub(super) struct Node {
    pub(super) op: Op,
    pub(super) place: Place,
}

/// What a part does.
#[derive(Clone)]
pub(super) enum Op {
    Null,
    Bool(bool),
    Int(i64),
    Double(f64),
    Text(String),
    Duration(i64),
    List(Vec<Node>),
    /// An element of a list that a macro goes through: how many macros are around that one.
    Variable(usize),
    /// Time since the start.
    Now,
    /// What a container sees: its pod, its peers, its volumes, its resolver.
    Here(Class),
    /// Whether the container's resolver finds a name.
    Resolves(Box<Node>),
    /// A function that leads into the cluster.
    Root(Leads, Argument),
    Field(Box<Node>, &'static Field),
    /// `has(object.field)`.
    Has(Box<Node>, &'static Field),
    /// `labels["app"]`.
    Label(Box<Node>, Box<Node>),
    /// `has(labels.app)`, `"app" in labels`.
    HasLabel(Box<Node>, Box<Node>),
    Index(Box<Node>, Box<Node>),
    In(Box<Node>, Box<Node>),
    Not(Box<Node>),
    Negate(Box<Node>),
    And(Vec<Node>),
    Or(Vec<Node>),
    If(Box<[Node; 3]>),
    /// `==` and `!=`.
    Equal(Box<[Node; 2]>, bool),
    /// `<`, `<=`, `>`, `>=`.
    Order(Box<[Node; 2]>, Operator),
    /// `+`, `-`, `*`, `/`, `%`.
    Arithmetic(Box<[Node; 2]>, Operator),
    Size(Box<Node>),
    TextTest(Box<[Node; 2]>, TextTest),
    Matches(Box<Node>, Regex),
    /// A span in whole units of so many nanoseconds.
    Units(Box<Node>, i64),
    Macro(Macro, Box<Node>, Vec<Node>),
}

/// What a string is asked about another.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum TextTest {
    StartsWith,
    EndsWith,
    Contains,
}

/// What goes through a list.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Macro {
    All,
    Exists,
    ExistsOne,
    Filter,
    /// With two parts: a filter and what is made of what passes it.
    Map,
}

/// What a function is called with.
#[derive(Clone)]
pub(super) enum Argument {
    None,
    /// A name that is written out: its number in [`Program::names`].
    Name(usize),
    /// A text, written out or computed.
    Text(Box<Node>),
    Selector(Box<Selector>),
}

/// A checked expression with what it needs.
#[derive(Clone)]
pub(super) struct Program {
    pub(super) text: String,
    pub(super) root: Node,
    pub(super) ty: Ty,
    pub(super) names: Vec<Called>,
    /// All names are known, or nobody has looked: [`super::Condition::learn`].
    pub(super) learned: bool,
    pub(super) reads: Reads,
    /// Instants that `now` is compared with.
    pub(super) instants: Vec<Time>,
}

impl Op {
    /// The parts it is made of.
    pub(super) fn parts(&self) -> Vec<&Node> {
        match self {
            Op::Null
            | Op::Bool(_)
            | Op::Int(_)
            | Op::Double(_)
            | Op::Text(_)
            | Op::Duration(_)
            | Op::Variable(_)
            | Op::Here(_)
            | Op::Now => Vec::new(),
            Op::Root(_, Argument::Text(of)) => vec![of],
            Op::Root(..) => Vec::new(),
            Op::List(all) | Op::And(all) | Op::Or(all) => all.iter().collect(),
            Op::Field(of, _)
            | Op::Has(of, _)
            | Op::Not(of)
            | Op::Negate(of)
            | Op::Size(of)
            | Op::Resolves(of)
            | Op::Matches(of, _)
            | Op::Units(of, _) => vec![of],
            Op::Label(a, b) | Op::HasLabel(a, b) | Op::Index(a, b) | Op::In(a, b) => vec![a, b],
            Op::If(three) => three.iter().collect(),
            Op::Equal(two, _) | Op::Order(two, _) | Op::Arithmetic(two, _) | Op::TextTest(two, _) => {
                two.iter().collect()
            }
            Op::Macro(_, list, bodies) => std::iter::once(list.as_ref()).chain(bodies).collect(),
        }
    }
}
