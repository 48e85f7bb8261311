//! An expression as it is written.
use super::wrong::Place;

/// An operator between two operands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Operator {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    In,
    Add,
    Subtract,
    Multiply,
    Divide,
    Modulo,
}

impl Operator {
    /// Operators with their texts and how strongly they bind; all group from the left.
    pub(super) const ALL: [(&'static str, Operator, u8); 12] = [
        ("==", Operator::Equal, RELATION),
        ("!=", Operator::NotEqual, RELATION),
        ("<", Operator::Less, RELATION),
        ("<=", Operator::LessOrEqual, RELATION),
        (">", Operator::Greater, RELATION),
        (">=", Operator::GreaterOrEqual, RELATION),
        ("in", Operator::In, RELATION),
        ("+", Operator::Add, SUM),
        ("-", Operator::Subtract, SUM),
        ("*", Operator::Multiply, PRODUCT),
        ("/", Operator::Divide, PRODUCT),
        ("%", Operator::Modulo, PRODUCT),
    ];

    /// As it is written.
    pub(super) fn text(self) -> &'static str {
        Operator::ALL.into_iter().find(|(_, operator, _)| *operator == self).map_or("", |(text, ..)| text)
    }
}

const RELATION: u8 = 1;
const SUM: u8 = 2;
const PRODUCT: u8 = 3;

/// A part of an expression.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Ast {
    pub(super) kind: Kind,
    pub(super) place: Place,
    /// Levels of nesting, itself included.
    pub(super) depth: u16,
}

/// What a part is.
#[derive(Clone, PartialEq, Debug)]
pub(super) enum Kind {
    Null,
    Bool(bool),
    Int(i64),
    Double(f64),
    Text(String),
    List(Vec<Ast>),
    /// A name.
    Name(String),
    /// `a.b`, and where `b` stands.
    Field(Box<Ast>, String, Place),
    /// `a[b]`.
    Index(Box<Ast>, Box<Ast>),
    /// `f(a, b)` or `x.f(a, b)`, and where `f` stands.
    Call(Option<Box<Ast>>, String, Place, Vec<Ast>),
    Not(Box<Ast>),
    Negate(Box<Ast>),
    Binary(Operator, Box<Ast>, Box<Ast>),
    /// `a && b && c`.
    And(Vec<Ast>),
    /// `a || b || c`.
    Or(Vec<Ast>),
    /// `a ? b : c`.
    If(Box<[Ast; 3]>),
}

impl Kind {
    /// The parts it is made of.
    pub(super) fn parts(&self) -> Vec<&Ast> {
        match self {
            Kind::Null | Kind::Bool(_) | Kind::Int(_) | Kind::Double(_) | Kind::Text(_) | Kind::Name(_) => {
                Vec::new()
            }
            Kind::List(all) | Kind::And(all) | Kind::Or(all) => all.iter().collect(),
            Kind::Field(of, ..) | Kind::Not(of) | Kind::Negate(of) => vec![of],
            Kind::Index(a, b) | Kind::Binary(_, a, b) => vec![a, b],
            Kind::Call(of, _, _, arguments) => of.as_deref().into_iter().chain(arguments).collect(),
            Kind::If(three) => three.iter().collect(),
        }
    }
}
