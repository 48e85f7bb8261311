//! Why an object is as it is: what led to it, what it waits for, where that ends, and what would end it.
//!
//! Four questions, each with a file of its own: [`state`] says in one sentence how an object is; [`chain`] follows the
//! causes of its last noteworthy change back to the step or fault that began it all; [`waits`] follows what keeps it
//! there forward, from component to component, until something that has a time, that somebody has to do, or that has been
//! met before: a deadlock; [`stuck`] knows the states that Kubernetes never leaves by itself. [`remedy`] makes of those
//! what somebody could do, and [`trial`] does it in a fork of the run before it is said to help.
//!
//! Everything here looks at a [`Play`] that has come to a moment, and changes nothing. Physical truth is looked at beside
//! what the API says: this is the simulator's privilege.
pub mod chain;
pub mod look;
pub mod quiescence;
pub mod remedy;
pub mod state;
pub mod stuck;
pub mod thing;
pub mod trial;
pub mod waits;

use crate::kernel::{Duration, Time};
use crate::rule::Rule;
use crate::run::Play;
pub use chain::{Link, Origin};
use look::Look;
pub use remedy::Remedy;
pub use stuck::Stuck;
pub use thing::Thing;

/// Why an object is as it is at a moment.
#[derive(Clone, PartialEq, Debug)]
pub struct Answer {
    /// What was asked about.
    pub thing: Thing,
    /// Its name as it is told: `pod/web-1`.
    pub name: String,
    /// The moment.
    pub time: Time,
    /// How it is, one sentence without its name.
    pub state: String,
    /// What led to that, the latest first, down to the step or fault that began it.
    pub chain: Vec<Link>,
    /// What it waits for, and what that waits for: depth first.
    pub waits: Vec<Wait>,
    /// Objects that wait for one another in a circle, the first again at the end; empty: there is none.
    pub deadlock: Vec<String>,
    /// States among these waits that Kubernetes does not leave by itself.
    pub stuck: Vec<Stuck>,
    /// What would be the end of the wait: `pod/web-1 is Ready`; empty: nothing was tried.
    pub goal: String,
    /// What would end the wait, tried: what helps, or else what was tried in vain.
    pub remedies: Vec<Remedy>,
    /// After how long it ends if nobody does anything, as tried; None: it does not within an hour, or was not tried.
    pub by_itself: Option<Duration>,
}

/// Something that waits.
#[derive(Clone, PartialEq, Debug)]
pub struct Wait {
    /// How many waits lie between the object asked about and this one.
    pub depth: usize,
    /// The object whose progress waits.
    pub thing: Thing,
    /// Its name.
    pub name: String,
    /// Which component waits: `kubelet of node-b`.
    pub who: String,
    /// For what: `pod/web-1 to be ready`.
    pub on: String,
    /// What ends it.
    pub until: Until,
    /// The rule that makes it wait; [`Rule::NONE`]: none.
    pub rule: Rule,
    /// What the wait depends on, whose waits follow.
    pub next: Vec<Thing>,
    /// The scheduler's verdicts, node by node.
    pub verdicts: Vec<Verdict>,
    /// The step or fault with which this began, of waits that nothing ends and that are not of the object asked about.
    pub began: Option<Link>,
}

/// What the scheduler has against a node.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Verdict {
    /// The node.
    pub node: String,
    /// Its zone; may be empty.
    pub zone: String,
    /// The plugin that rejects it; empty: the node passes.
    pub plugin: String,
    /// Its reasons.
    pub reason: String,
}

/// What ends a wait.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Until {
    /// Time does: then this happens.
    At(Time, String),
    /// What the waits that follow wait for.
    Next,
    /// Something whose time nobody knows: `the pod is Ready again`.
    When(String),
    /// Nothing by itself; somebody has to do this, or this has to change.
    Never(String),
}

impl Wait {
    /// A wait whose end is that of what it depends on.
    pub(crate) fn new(look: &Look<'_>, thing: &Thing, who: impl Into<String>, on: impl Into<String>) -> Wait {
        Wait {
            depth: 0,
            thing: thing.clone(),
            name: thing.text(look),
            who: who.into(),
            on: on.into(),
            until: Until::Next,
            rule: Rule::NONE,
            next: Vec::new(),
            verdicts: Vec::new(),
            began: None,
        }
    }

    /// By this rule.
    pub(crate) fn by(mut self, rule: Rule) -> Wait {
        self.rule = rule;
        self
    }

    /// It depends on this.
    pub(crate) fn then(mut self, next: impl IntoIterator<Item = Thing>) -> Wait {
        self.next.extend(next);
        self
    }

    /// It ends then, if that is known, else when `then` happens.
    pub(crate) fn until(mut self, time: Option<Time>, then: impl Into<String>) -> Wait {
        self.until = match time {
            Some(time) => Until::At(time, then.into()),
            None => Until::When(then.into()),
        };
        self
    }

    /// Nothing ends it by itself.
    pub(crate) fn never(mut self, unless: impl Into<String>) -> Wait {
        self.until = Until::Never(unless.into());
        self
    }
}

/// Why an object is as it is now, without remedies: what costs no second run.
pub fn explain(play: &Play<'_>, thing: &Thing) -> Answer {
    let look = Look::new(play);
    let (waits, deadlock) = waits::all(&look, thing);
    let stuck = stuck::found(&look, thing, &waits, &deadlock);
    Answer {
        thing: thing.clone(),
        name: thing.text(&look),
        time: look.now,
        state: state::sentence(&look, thing),
        chain: chain::of(&look, thing),
        waits,
        deadlock,
        stuck,
        goal: String::new(),
        remedies: Vec::new(),
        by_itself: None,
    }
}

/// The same, with what would end the wait: each candidate is tried in a fork of the run.
pub fn answer(play: &Play<'_>, thing: &Thing) -> Answer {
    let mut answer = explain(play, thing);
    trial::try_all(play, &mut answer);
    answer
}
