//! The scenario file: a cluster, what its containers do, steps and manifests, read strictly and with places.
//!
//! [`read::read`] turns files into a [`Scenario`]; nothing in it has run yet. Every field that is not known is an error
//! with file, line, column and the nearest known name.
pub mod aliases;
pub mod chaos;
mod condition;
mod databases;
pub mod diagnostic;
mod expect;
pub mod faults;
mod inside;
pub mod lane;
pub mod language;
pub mod manifest;
mod node;
pub mod params;
pub mod parts;
pub mod quiet;
pub mod read;
mod scalar;
pub mod schema;
pub mod steps;
pub mod table;
mod tree;
pub mod typed;
pub mod yaml;

pub use faults::{Deed, Fault, Lookup, Target, Verb};
pub use node::{Node, Value};

use crate::config::Config;
use crate::expect::Condition;
use crate::expect::Reads;
use crate::kernel::{Duration, Time};
use diagnostic::Span;

/// A file the scenario is made of.
#[derive(Clone, Debug, Default)]
pub struct Source {
    /// Its path as the user knows it.
    pub path: String,
    /// Its text.
    pub text: String,
}

/// A place in one of the sources.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Place {
    /// Index into [`Scenario::sources`].
    pub source: usize,
    /// Where in its text.
    pub span: Span,
}

/// One Kubernetes manifest, applied at the start.
#[derive(Clone, Debug)]
pub struct Manifest {
    /// Which source it stands in.
    pub source: usize,
    /// The YAML with its places.
    pub node: Node,
    /// The same as JSON.
    pub value: serde_json::Value,
}

/// A machine of the cluster.
#[derive(Clone, PartialEq, Debug)]
pub struct NodeSpec {
    /// Name.
    pub name: String,
    /// Zone; empty: none.
    pub zone: String,
    /// Allocatable cpu, thousandths.
    pub cpu: u64,
    /// Allocatable memory, bytes.
    pub memory: u64,
    /// Allocatable pods.
    pub pods: u32,
    /// Attachable EBS volumes.
    pub volumes: u32,
    /// Further labels.
    pub labels: Vec<(String, String)>,
    /// Taints: key, value, effect.
    pub taints: Vec<(String, String, crate::api::objects::Effect)>,
}

/// When a step starts.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Start {
    /// When the cluster has settled.
    Settled,
    /// At once after the step before it.
    AtOnce,
    /// At a virtual time.
    At(Time),
    /// That long after the step before it.
    After(Duration),
    /// As soon as this is true.
    When(Condition),
}

/// What a step does.
#[derive(Clone, PartialEq, Debug)]
pub enum Action {
    /// A kubectl command line, in words.
    Kubectl {
        /// The words after `kubectl`.
        words: Vec<String>,
        /// Standard input.
        stdin: Option<String>,
    },
    /// `kubectl apply -f -` of this text.
    Apply(String),
    /// Nothing, for a while.
    Sleep(Duration),
    /// A fault, or what undoes one.
    Fault(Fault),
    /// A name is looked up.
    Lookup(Lookup),
    /// A machine joins.
    AddNode(NodeSpec),
    /// New rules for containers and volumes.
    Behavior(crate::behavior::Behavior),
}

/// What a step expects of its command.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Fails {
    /// It succeeds.
    No,
    /// It fails.
    Yes,
    /// It fails and says this.
    Saying(String),
}

/// What is expected of a run, or of a step.
#[derive(Clone, Debug)]
pub struct Expectation {
    /// Where its form is written.
    pub place: Place,
    /// Its name, or the form in one line.
    pub title: String,
    /// What the reader should learn from it; may be empty.
    pub about: String,
    /// What has to hold.
    pub form: crate::expect::form::Form,
}

/// One step.
#[derive(Clone, Debug)]
pub struct Step {
    /// Where it is written.
    pub place: Place,
    /// When it starts.
    pub start: Start,
    /// What it does.
    pub action: Action,
    /// Whether its command is meant to fail.
    pub fails: Fails,
    /// A blocking command is given up after this long; and so is waiting for a condition to start on.
    pub timeout: Option<Duration>,
    /// The name by which conditions ask whether its fault is active.
    pub name: Option<String>,
    /// The next step does not wait for its end.
    pub background: bool,
    /// What is expected from its start until the next one.
    pub expect: Vec<Expectation>,
    /// One line for the timeline: `kubectl scale sts/web --replicas=5`.
    pub title: String,
}

/// A scenario, read and checked.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// metadata.name, or the file name of plain manifests.
    pub name: String,
    /// The one line that says what it is about; may be empty.
    pub about: String,
    /// All files.
    pub sources: Vec<Source>,
    /// Seed of the run.
    pub seed: u64,
    /// Virtual end.
    pub until: Option<Time>,
    /// Settled in the sense of the recorded corpus: nothing watched has changed for this long.
    pub settle_window: Option<Duration>,
    /// Machines.
    pub nodes: Vec<NodeSpec>,
    /// Timers, latencies, gates, behaviour.
    pub config: Config,
    /// Databases on top, and their clients.
    pub databases: Vec<crate::workload::spec::DatabaseSpec>,
    /// Parameters with their values in this play, as conditions ask for them.
    pub params: Vec<(String, crate::expect::Constant)>,
    /// Titles of further columns of the table of a matrix, and what stands there.
    pub columns: Vec<(String, crate::expect::Expression)>,
    /// Steps, in order.
    pub steps: Vec<Step>,
    /// What is expected of the whole run.
    pub expect: Vec<Expectation>,
    /// The free-running lane.
    pub faults: Vec<lane::LaneEntry>,
    /// Manifests, in order of application.
    pub manifests: Vec<Manifest>,
}

impl Scenario {
    /// The names of faults and other steps.
    pub fn fault_names(&self) -> impl Iterator<Item = &str> {
        self.all_steps().filter_map(|step| step.name.as_deref())
    }
}

impl Scenario {
    /// The steps, and after them the entries of the lane, which are numbered on.
    pub fn all_steps(&self) -> impl Iterator<Item = &Step> {
        self.steps.iter().chain(self.faults.iter().map(|entry| &entry.step))
    }

    /// What a step or an entry of the lane is called by its number: `step 2`, `fault 1`.
    pub fn number_of(&self, n: usize) -> String {
        match n.checked_sub(self.steps.len()) {
            None => format!("step {}", n + 1),
            Some(fault) => format!("fault {}", fault + 1),
        }
    }

    /// What its conditions depend on.
    pub fn reads(&self) -> Reads {
        let conditions = self.all_steps().filter_map(|step| match &step.start {
            Start::When(condition) => Some(condition),
            _ => None,
        });
        conditions.fold(Reads::NOTHING, |reads, condition| reads.and(condition.reads()))
    }
}
