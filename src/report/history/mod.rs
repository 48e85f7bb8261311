//! A whole run to go back and forth in: every state of every object, what happened and why, and what the author says.
//!
//! States are kept as differences: of the lines that `kubectl get -o yaml` prints, and of what a picture needs to know
//! ([`facts`]). The first state of an object is told by how it differs from that of an object that looks like it, so
//! that a thousand pods of one template cost little more than their names.
mod collect;
pub mod diff;
mod facts;
pub mod narrative;
mod stretches;
pub mod texts;
mod waiting;

pub use collect::Collector;
pub use stretches::Stretch;

use crate::kernel::Time;
use crate::report::verdicts::Item;
use std::collections::BTreeMap;
use texts::Texts;

/// What stands for the line of the resource version, which is new in every state: [`State::revision`] says which.
pub const VERSION_LINE: &str = "\u{1}";

/// One incarnation of an object.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Object {
    /// `kind:` of its manifest.
    pub kind: String,
    /// Its namespace; empty: it has none.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Its uid.
    pub uid: String,
    /// When it was made.
    pub born: Time,
    /// When it was removed.
    pub gone: Option<Time>,
    /// The object whose first state is what its own first state is told by; None: nothing is.
    pub like: Option<u32>,
    /// Its states, in order. There is at least one.
    pub states: Vec<State>,
}

/// An object from one moment until its next state.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct State {
    /// Since when.
    pub time: Time,
    /// resourceVersion.
    pub revision: u32,
    /// Facts that are new: position among those of its kind, and the text.
    pub facts: Vec<(u32, u32)>,
    /// How the lines of its YAML differ ([`diff::edits`]).
    pub edits: Vec<u32>,
}

/// Something noteworthy that happened to an object.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Happening {
    /// When.
    pub time: Time,
    /// To which object, if it lived long enough to be seen.
    pub object: Option<u32>,
    /// What it is called: `pod/web-1`.
    pub subject: String,
    /// What happened, without the subject.
    pub what: String,
    /// The happening that led to it.
    pub cause: Option<u32>,
    /// By which rule; empty: none.
    pub rule: String,
    /// Who wrote.
    pub actor: &'static str,
    /// The timeline shows it.
    pub told: bool,
}

/// What kind of thing somebody did.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Deed {
    /// The manifests are applied.
    Apply,
    /// A command.
    Command,
    /// A fault, or its repair.
    Fault,
    /// Something else.
    Other,
}

/// A step of the scenario, or an entry of its lane.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Mark {
    /// When it began.
    pub time: Time,
    /// When what it did is undone, if it is by itself.
    pub until: Option<Time>,
    /// What it is.
    pub deed: Deed,
    /// One line.
    pub title: String,
    /// What the author says about it.
    pub comment: String,
    /// What it printed.
    pub output: String,
}

/// Containers of one incarnation of a pod, really running on a machine, whatever the API says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Running {
    /// The pod.
    pub object: u32,
    /// The machine.
    pub node: String,
    /// Since when.
    pub from: Time,
    /// Until when; None: the end of the run.
    pub to: Option<Time>,
}

/// What an instance of a database does since a moment; empty: it is none any more.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Role {
    /// When.
    pub time: Time,
    /// The pod.
    pub object: u32,
    /// One word, or a few.
    pub role: String,
}

/// Records that the DNS server has since a moment, and those it has no more.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DnsChange {
    /// When.
    pub time: Time,
    /// `name type value`, new.
    pub new: Vec<String>,
    /// The same, gone.
    pub gone: Vec<String>,
}

/// A Kubernetes Event.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Note {
    /// The object.
    pub object: u32,
    /// When.
    pub time: Time,
    /// Its type is Warning.
    pub warning: bool,
    /// Reason and message.
    pub text: String,
}

/// A machine has power and reaches the API server, or not.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Machine {
    /// Since when.
    pub time: Time,
    /// The node.
    pub object: u32,
    /// `""`, `off` or `cut off`.
    pub state: &'static str,
}

/// What an object waits for since a moment, and what that waits for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Waiting {
    /// Since when.
    pub time: Time,
    /// The object.
    pub object: u32,
    /// Its waits, depth first; empty: it waits for nothing any more.
    pub waits: Vec<WaitLine>,
    /// States among them that Kubernetes does not leave by itself, one sentence each.
    pub stuck: Vec<String>,
}

/// One wait.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct WaitLine {
    /// How many waits lie between the object and this one.
    pub depth: u32,
    /// Who waits for what.
    pub text: String,
    /// What ends it; empty: what it depends on does.
    pub end: String,
    /// The rule that makes it wait; empty: none.
    pub rule: String,
}

/// A run that is over.
#[derive(Clone, Debug, Default)]
pub struct History {
    /// Name of the scenario.
    pub name: String,
    /// What it is about, one line.
    pub about: String,
    /// What the author says at the head of the file.
    pub head: String,
    /// Seed.
    pub seed: u64,
    /// When the run ended.
    pub end: Time,
    /// Why: one sentence.
    pub ended: String,
    /// Titles of facts, by kind.
    pub titles: BTreeMap<String, Vec<&'static str>>,
    /// Lines and facts.
    pub texts: Texts,
    /// All objects, by birth.
    pub objects: Vec<Object>,
    /// What happened.
    pub happenings: Vec<Happening>,
    /// What somebody did.
    pub marks: Vec<Mark>,
    /// What really ran.
    pub running: Vec<Running>,
    /// What instances of databases did.
    pub roles: Vec<Role>,
    /// Records of the DNS server.
    pub dns: Vec<DnsChange>,
    /// Kubernetes Events.
    pub notes: Vec<Note>,
    /// What became of machines.
    pub machines: Vec<Machine>,
    /// What objects waited for.
    pub waiting: Vec<Waiting>,
    /// What was judged.
    pub verdicts: Vec<Item>,
}

impl History {
    /// The object of this kind and name that was there at a moment, and the number of its state then.
    pub fn find(&self, kind: &str, namespace: &str, name: &str, time: Time) -> Option<(&Object, usize)> {
        let here = |object: &&Object| {
            object.kind == kind
                && object.namespace == namespace
                && object.name == name
                && object.born <= time
                && object.gone.is_none_or(|gone| gone > time)
        };
        let object = self.objects.iter().rev().find(here)?;
        let states = object.states.partition_point(|state| state.time <= time);
        Some((object, states.checked_sub(1)?))
    }

    /// What `kubectl get -o yaml` printed of an object in one of its states.
    pub fn yaml(&self, object: &Object, state: usize) -> String {
        let like = object.like.and_then(|n| self.objects.get(n as usize)?.states.first());
        let mut lines = like.map(|first| diff::apply(&[], &first.edits)).unwrap_or_default();
        for state in object.states.iter().take(state + 1) {
            lines = diff::apply(&lines, &state.edits);
        }
        let revision = object.states.get(state).map_or(0, |state| state.revision);
        let mut text = String::new();
        for line in lines {
            match self.texts.text(line) {
                VERSION_LINE => text += &version_line(revision),
                line => text += line,
            }
            text.push('\n');
        }
        text
    }
}

/// How the resource version stands in metadata.
fn version_line(revision: u32) -> String {
    format!("  resourceVersion: \"{revision}\"")
}
