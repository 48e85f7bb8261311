//! An expectation as it was written.
use crate::cluster::Cluster;
use crate::expect::moment::Moment;
use crate::expect::monitor::{Monitor, Truth};
use crate::expect::object::Pattern;
use crate::expect::{Condition, Reads};
use crate::invariants::Breakable;
use crate::kernel::{Duration, Time};

/// Something that is true or false of a cluster.
#[derive(Clone, PartialEq, Debug)]
pub enum Statement {
    /// A condition in CEL.
    Condition(Box<Condition>),
    /// An object is there and agrees with this part of it.
    Object(Box<Pattern>),
}

/// How long something may take.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Limit {
    /// That long after what it belongs to began: the run, or the step.
    Within(Duration),
    /// Until that virtual time.
    By(Time),
}

/// One expectation.
#[derive(Clone, PartialEq, Debug)]
pub enum Form {
    /// True at every change.
    Always(Statement),
    /// False at every change.
    Never(Statement),
    /// True at the end.
    Finally(Statement),
    /// True at some moment in time.
    That(Statement, Limit),
    /// Whenever the first is true, the second is within a time, or until the end.
    Whenever(Statement, Statement, Option<Duration>),
    /// True at some moment, in this run or in another of many.
    Sometimes(Statement),
    /// These moments come one after the other.
    Order(Vec<Moment>),
    /// This invariant breaks, and the scenario says so.
    Violates(&'static Breakable),
}

impl Statement {
    /// Looks up the names in it, which makes evaluation faster.
    pub(super) fn learn(&mut self, cluster: &Cluster) {
        match self {
            Statement::Condition(condition) => condition.learn(cluster),
            Statement::Object(_) => {}
        }
    }

    /// What it says of a cluster now.
    pub fn truth(&self, cluster: &Cluster) -> Truth {
        match self {
            Statement::Condition(condition) => condition.holds(cluster).map_or(Truth::Unknown, Truth::from),
            Statement::Object(pattern) => pattern.holds(&cluster.world).into(),
        }
    }

    /// What it depends on.
    pub fn reads(&self) -> Reads {
        match self {
            Statement::Condition(condition) => condition.reads(),
            Statement::Object(pattern) => Reads::kind(pattern.kind()),
        }
    }

    /// The next instant at which it may change because of the clock alone.
    pub(super) fn next_look(&self, now: Time) -> Option<Time> {
        match self {
            Statement::Condition(condition) => condition.next_look(now),
            Statement::Object(_) => None,
        }
    }

    /// Why it is as it is: the part that decides, with its values.
    pub fn explain(&self, cluster: &Cluster) -> String {
        match self {
            Statement::Condition(condition) => condition.explain(cluster),
            Statement::Object(pattern) => match pattern.difference(&cluster.world) {
                Some(difference) => format!("{}: {difference}", pattern.subject()),
                None => format!("{} is as it should be", pattern.subject()),
            },
        }
    }
}

impl Form {
    /// A monitor that has seen nothing yet, of what begins at `from`.
    pub(super) fn monitor(&self, from: Time) -> Monitor {
        let constant = |value| Monitor::Constant { value, begun: false };
        match self {
            Form::Always(_) => constant(true),
            Form::Never(_) => constant(false),
            Form::Whenever(_, _, within) => {
                Monitor::Response { within: *within, met: false, since: None, closed: false }
            }
            Form::Finally(_) => Monitor::Last { now: Truth::Unknown },
            Form::That(_, Limit::Within(within)) => Monitor::Until { deadline: from + *within },
            Form::That(_, Limit::By(deadline)) => Monitor::Until { deadline: *deadline },
            Form::Order(moments) => Monitor::Sequence { come: 0, of: moments.len() },
            Form::Sometimes(_) | Form::Violates(_) => Monitor::Once,
        }
    }

    /// Looks up the names in it.
    pub(super) fn learn(&mut self, cluster: &Cluster) {
        match self {
            Form::Always(first)
            | Form::Never(first)
            | Form::Sometimes(first)
            | Form::Finally(first)
            | Form::That(first, _) => first.learn(cluster),
            Form::Whenever(first, then, _) => {
                first.learn(cluster);
                then.learn(cluster);
            }
            Form::Order(_) | Form::Violates(_) => {}
        }
    }

    /// What has to be looked at for it: the statement, and the answer to it.
    pub(super) fn statements(&self) -> [Option<&Statement>; 2] {
        match self {
            Form::Always(first)
            | Form::Never(first)
            | Form::Sometimes(first)
            | Form::Finally(first)
            | Form::That(first, _) => [Some(first), None],
            Form::Whenever(first, then, _) => [Some(first), Some(then)],
            Form::Order(_) | Form::Violates(_) => [None, None],
        }
    }
}
