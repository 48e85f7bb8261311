//! Expressions over a cluster: what must hold, when a step begins, when a container is ready.
//!
//! The language is CEL (the Common Expression Language, which Kubernetes uses itself) over a typed view of the cluster,
//! less maps, messages, bytes and unsigned integers. [`lexer`] and [`parse`] read it, [`check`] finds everything that
//! is wrong with it before anything runs, and makes of it a small tree over the facts of [`facts`] that is evaluated in
//! some ten nanoseconds a part. What a condition depends on is known ([`Reads`]), so that it is looked at only when
//! something of that has changed.
//!
//! A [`form::Form`] is one expectation of a scenario as it was written. While a run goes on, [`monitors::Monitors`] keep
//! for each of them a [`monitor::Monitor`], which knows what has been seen so far and nothing of the cluster; every
//! change that can alter an expectation is shown to it, none is polled for. At the end each has a [`verdict::Verdict`].
mod ast;
mod calls;
mod check;
mod eval;
mod explain;
mod facts;
pub mod form;
mod lexer;
pub mod moment;
pub mod monitor;
pub mod monitors;
mod names;
pub mod object;
mod params;
mod parse;
mod reads;
mod reference;
mod roots;
#[cfg(test)]
mod tests;
mod tree;
mod types;
pub mod verdict;
mod wrong;

pub use names::{Answers, News};
pub use params::Constant;
pub use reads::Reads;
pub use reference::reference;
pub use types::Here;
pub use wrong::{Trouble, Wrong};

use crate::cluster::Cluster;
use crate::kernel::Time;
use crate::network::Network;
use eval::Evaluation;
use facts::Look;
use std::fmt;
use tree::Program;
use types::{Ty, Value};

/// Longest text of an expression, bytes.
pub const MAX_LENGTH: usize = 4096;
/// Deepest nesting of an expression.
pub const MAX_DEPTH: usize = 64;

/// What an expression may speak of.
#[derive(Clone, Copy, Debug, Default)]
pub struct Scope<'s> {
    /// Names of the faults of the scenario; None: any name may be used.
    pub faults: Option<&'s [String]>,
    /// Names of its databases; None: any name may be used.
    pub databases: Option<&'s [String]>,
    /// The parameters of the scenario with their values in this play.
    pub params: &'s [(String, Constant)],
    /// It speaks of what one container sees, not of the cluster.
    pub container: bool,
}

impl<'s> Scope<'s> {
    /// What a container sees: `pod`, `peers`, `volume` and `dns`.
    pub fn container(params: &'s [(String, Constant)]) -> Scope<'s> {
        Scope { container: true, params, ..Scope::default() }
    }
}

/// A checked expression that is true or false of a cluster.
#[derive(Clone)]
pub struct Condition(Program);

impl Condition {
    /// Reads and checks a text.
    ///
    /// # Errors
    /// The first thing that is wrong with it, with its place in the text.
    pub fn read(text: &str, scope: Scope<'_>) -> Result<Condition, Wrong> {
        let program = check::program(text, scope)?;
        if program.ty.join(Ty::BOOL) != Some(Ty::BOOL) {
            let message = format!("a condition is true or false, this is of type {}", program.ty);
            return Err(Wrong::new(program.root.place, message).with_help("compare it with something"));
        }
        Ok(Condition(program))
    }

    /// As it was written.
    pub fn text(&self) -> &str {
        &self.0.text
    }

    /// Looks up the names in it, which makes evaluation faster. Cheap to call again.
    pub fn learn(&mut self, cluster: &Cluster) {
        self.0.learn(cluster);
    }

    /// Whether it is true now.
    ///
    /// # Errors
    /// What keeps it from being either: an object that is not there, a division by zero ...
    pub fn holds(&self, cluster: &Cluster) -> Result<bool, Trouble> {
        Evaluation::new(&self.0, Look { cluster, here: None }).bool(&self.0.root)
    }

    /// Whether it is true now of what a container sees, which asks for names by the network and remembers the answers.
    ///
    /// # Errors
    /// As [`Condition::holds`].
    pub fn holds_in(
        &self,
        cluster: &Cluster,
        here: Here,
        network: &mut Network,
        answers: &mut Answers,
    ) -> Result<bool, Trouble> {
        Evaluation::asking(&self.0, Look { cluster, here: Some(here) }, network, answers).bool(&self.0.root)
    }

    /// Why it is true or false now: the part that decides, with its values.
    pub fn explain(&self, cluster: &Cluster) -> String {
        explain::explain(&self.0, Look { cluster, here: None })
    }

    /// What it depends on.
    pub fn reads(&self) -> Reads {
        self.0.reads
    }

    /// The next instant after `now` at which it may change because of the clock alone, as far as that is written in it
    /// (`now >= duration("5m")`).
    pub fn next_look(&self, now: Time) -> Option<Time> {
        self.0.instants.iter().copied().find(|instant| *instant > now)
    }
}

impl fmt::Debug for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Condition").field(&self.0.text).finish()
    }
}

impl Eq for Condition {}

impl PartialEq for Condition {
    /// Within a play, where parameters have one value, the same text means the same.
    fn eq(&self, other: &Condition) -> bool {
        self.0.text == other.0.text
    }
}

/// What an [`Expression`] comes to.
#[derive(Clone, PartialEq, Debug)]
pub enum Answer {
    /// True or false.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// Another number.
    Double(f64),
    /// A span of time, nanoseconds.
    Duration(i64),
    /// A string.
    Text(String),
    /// Anything else, as it would be written.
    Other(String),
}

/// A checked expression of any type.
#[derive(Clone)]
pub struct Expression(Program);

impl Expression {
    /// Reads and checks a text.
    ///
    /// # Errors
    /// The first thing that is wrong with it, with its place in the text.
    pub fn read(text: &str, scope: Scope<'_>) -> Result<Expression, Wrong> {
        check::program(text, scope).map(Expression)
    }

    /// As it was written.
    pub fn text(&self) -> &str {
        &self.0.text
    }

    /// Its type, as CEL calls it: `int`, `duration`, `list(string)`.
    pub fn type_name(&self) -> String {
        self.0.ty.to_string()
    }

    /// Looks up the names in it, which makes evaluation faster. Cheap to call again.
    pub fn learn(&mut self, cluster: &Cluster) {
        self.0.learn(cluster);
    }

    /// Its value now.
    ///
    /// # Errors
    /// What keeps it from having one.
    pub fn value(&self, cluster: &Cluster) -> Result<Answer, Trouble> {
        let look = Look { cluster, here: None };
        Ok(match Evaluation::new(&self.0, look).value(&self.0.root)? {
            Value::Bool(value) => Answer::Bool(value),
            Value::Int(value) => Answer::Int(value),
            Value::Double(value) => Answer::Double(value),
            Value::Duration(nanos) => Answer::Duration(nanos),
            Value::Text(text) => Answer::Text(text.into_owned()),
            other => Answer::Other(explain::show(&other, &look)),
        })
    }

    /// What it depends on.
    pub fn reads(&self) -> Reads {
        self.0.reads
    }
}

impl fmt::Debug for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Expression").field(&self.0.text).finish()
    }
}

impl Program {
    fn learn(&mut self, cluster: &Cluster) {
        if !self.learned {
            let store = &cluster.world.store;
            self.learned = true;
            for name in &mut self.names {
                self.learned &= name.learn(store);
            }
        }
    }
}
