//! What a controller decides: API calls to send one after another, and what it waits for.
//!
//! A plan is made from one look at the world and then carried out call by call, each through the latency of the API.
//! The first refused call drops the rest (but for steps marked `always`), as in the real controllers; a crash of the
//! controller manager between two calls simply forgets what is left.
use crate::api::objects::{Claim, Node, Pod};
use crate::kernel::{Duration, Id, Time};
use crate::rule::{Rule, marks};

/// One call of a plan.
#[derive(Clone, Debug)]
pub struct Step<C> {
    /// The call.
    pub call: C,
    /// By which rule.
    pub rule: Rule,
    /// Calls of one group are sent together and all attempted; a failure in a group drops the groups after it.
    pub group: u32,
    /// This many calls just before it must have succeeded, or it is skipped: a pod needs its claims.
    pub needs: u8,
    /// Sent even if something before it failed: the status, the history.
    pub always: bool,
}

/// What a controller does after its calls.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Then {
    /// Waits for the next change.
    #[default]
    Done,
    /// Looks again after this long.
    After(Duration),
    /// Looks again at this instant; at once if it has passed by then.
    At(Time),
    /// Looks again at this instant, unless a look before then asks for nothing of the kind: a deadline that progress
    /// calls off.
    Deadline(Time),
    /// Failed without a call: tries again with back-off (STS-105).
    Retry,
}

/// Why nothing more is done now. The rule says where that is decided; `why` and stuck reports print it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Wait {
    /// The rule that makes it wait.
    pub rule: Rule,
    /// For what.
    pub on: WaitOn,
}

/// What somebody waits for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum WaitOn {
    /// A terminating pod to be gone.
    Termination(Id<Pod>),
    /// A pod to be running and ready.
    Readiness(Id<Pod>),
    /// A ready pod to have been ready for minReadySeconds.
    Availability(Id<Pod>, Time),
    /// A pod just asked for to appear.
    Creation(Id<Pod>),
    /// A claim that is being deleted, or that an earlier pod owns, to go.
    Claim(Id<Claim>),
    /// The name of a pod to be free.
    Name(Id<Pod>),
    /// Somebody to delete outdated pods (OnDelete).
    ManualDeletion,
    /// Somebody to lower the partition.
    Partition,
    /// Its own writes to show in its cache (STS-102).
    OwnWrites,
    /// A node.
    Node(Id<Node>),
    /// A refused call to succeed at the next try.
    Retry,
    /// The pods of the newest template to be available (DEP-11).
    NewPods,
    /// The pods of earlier templates to be gone (DEP-12).
    OldPods,
    /// The garbage collector to have collected what it owns.
    Dependents,
}

/// Calls, and what comes after them.
#[derive(Clone, Debug)]
pub struct Plan<C> {
    /// Calls, in order.
    pub steps: Vec<Step<C>>,
    /// Afterwards.
    pub then: Then,
    /// What the controller waits for, if there is something left to do that it cannot do now.
    pub wait: Option<Wait>,
}

impl<C> Default for Plan<C> {
    fn default() -> Self {
        Plan { steps: Vec::new(), then: Then::Done, wait: None }
    }
}

impl<C> Plan<C> {
    /// Adds a call in a group of its own: it is sent after all before it have succeeded.
    pub fn call(&mut self, rule: Rule, call: C) {
        marks::note(rule);
        let group = self.next_group();
        self.steps.push(Step { call, rule, group, needs: 0, always: false });
    }

    /// Adds a call to a group.
    pub fn call_in(&mut self, group: u32, needs: u8, rule: Rule, call: C) {
        marks::note(rule);
        self.steps.push(Step { call, rule, group, needs, always: false });
    }

    /// Adds a call that is sent whatever happened before it.
    pub fn always(&mut self, rule: Rule, call: C) {
        marks::note(rule);
        let group = self.next_group();
        self.steps.push(Step { call, rule, group, needs: 0, always: true });
    }

    /// The number of a new group.
    pub fn next_group(&self) -> u32 {
        self.steps.last().map_or(0, |step| step.group + 1)
    }
}
