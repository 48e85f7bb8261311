//! An expectation as it was written.
use crate::api::kind::Kind;
use crate::cluster::Cluster;
use crate::expect::moment::Moment;
use crate::expect::monitor::{Monitor, Truth};
use crate::expect::object::Pattern;
use crate::invariants::Breakable;
use crate::kernel::{Duration, Time};

/// Something that is true or false of a cluster.
#[derive(Clone, PartialEq, Debug)]
pub enum Statement {
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
    /// True at the end.
    Finally(Statement),
    /// True at some moment in time.
    That(Statement, Limit),
    /// These moments come one after the other.
    Order(Vec<Moment>),
    /// This invariant breaks, and the scenario says so.
    Violates(&'static Breakable),
}

impl Statement {
    /// What it says of a cluster now.
    pub fn truth(&self, cluster: &Cluster) -> Truth {
        match self {
            Statement::Object(pattern) => pattern.holds(&cluster.world).into(),
        }
    }

    /// True if one of these changes of the log may have altered it.
    pub(super) fn is_touched(&self, cluster: &Cluster, mut changes: std::ops::Range<u64>) -> bool {
        let store = &cluster.world.store;
        match self {
            Statement::Object(pattern) => changes.any(|position| {
                store.log_entry(position).is_some_and(|change| change.kind == pattern.kind())
            }),
        }
    }

    /// True if it reads objects of a kind.
    pub(super) fn reads(&self, kind: Kind) -> bool {
        match self {
            Statement::Object(pattern) => pattern.kind() == kind,
        }
    }

    /// Why it is not as it should be: the part that decides, with its values.
    pub fn explain(&self, cluster: &Cluster) -> String {
        match self {
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
        match self {
            Form::Finally(_) => Monitor::Last { now: Truth::Unknown },
            Form::That(_, Limit::Within(within)) => Monitor::Until { deadline: from + *within },
            Form::That(_, Limit::By(deadline)) => Monitor::Until { deadline: *deadline },
            Form::Order(moments) => Monitor::Sequence { come: 0, of: moments.len() },
            Form::Violates(_) => Monitor::Once,
        }
    }

    /// What has to be looked at for it: the statement, and the answer to it.
    pub(super) fn statements(&self) -> (Option<&Statement>, Option<&Statement>) {
        match self {
            Form::Finally(first) | Form::That(first, _) => (Some(first), None),
            Form::Order(_) | Form::Violates(_) => (None, None),
        }
    }
}
