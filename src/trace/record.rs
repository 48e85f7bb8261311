//! What is kept of a run for the timeline, for `why` and for judging: one typed record per noteworthy change.
//!
//! Text is made from records when they are printed. A recorder that is off costs one branch per write.
use crate::api::kind::Kind;
use crate::api::names::{Name, Sym, Uid};
use crate::api::objects::*;
use crate::api::store::{Store, Stored};
use crate::kernel::{Id, Time};
use crate::rule::Rule;
use crate::world::Actor;

/// What happened to an object, in the words of the timeline.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Note {
    /// The object is new.
    Created,
    /// The object is gone.
    Removed,
}

/// One noteworthy change.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Record {
    /// When.
    pub time: Time,
    /// The write it belongs to.
    pub revision: Revision,
    /// The write that led to it.
    pub cause: Revision,
    /// Who wrote.
    pub actor: Actor,
    /// By which rule.
    pub rule: Rule,
    /// Kind of the object.
    pub kind: Kind,
    /// Its table position.
    pub index: u32,
    /// Its incarnation.
    pub uid: Uid,
    /// Its name.
    pub name: Name,
    /// Its namespace.
    pub namespace: Sym,
    /// What happened.
    pub note: Note,
}

/// A kind whose changes are worth notes.
pub trait Noted: Stored {
    /// What is noteworthy about this change.
    fn notes(_store: &Store, old: Option<&Self>, new: Option<&Self>, notes: &mut Vec<Note>) {
        match (old, new) {
            (None, Some(_)) => notes.push(Note::Created),
            (Some(_), None) => notes.push(Note::Removed),
            _ => {}
        }
    }
}

impl Noted for Pod {}
impl Noted for Claim {}
impl Noted for Volume {}
impl Noted for Attachment {}
impl Noted for Node {}
impl Noted for StatefulSet {}
impl Noted for ControllerRevision {}
impl Noted for Deployment {}
impl Noted for ReplicaSet {}
impl Noted for Service {}
impl Noted for EndpointSlice {}
impl Noted for Budget {}
impl Noted for StorageClass {}
impl Noted for PriorityClass {}
impl Noted for Namespace {}
impl Noted for Inert {}

/// Keeps records, or nothing.
#[derive(Clone, Debug, Default)]
pub struct Recorder {
    on: bool,
    records: Vec<Record>,
    scratch: Vec<Note>,
}

impl Recorder {
    /// A recorder that keeps nothing.
    pub fn off() -> Recorder {
        Recorder::default()
    }

    /// A recorder that keeps everything.
    pub fn on() -> Recorder {
        Recorder { on: true, ..Recorder::default() }
    }

    /// True if records are kept.
    pub fn is_on(&self) -> bool {
        self.on
    }

    /// All records so far.
    pub fn records(&self) -> &[Record] {
        &self.records
    }

    /// Takes note of a write.
    #[expect(clippy::too_many_arguments, reason = "called from one place, with what one write is made of")]
    pub(crate) fn write<T: Noted>(
        &mut self,
        store: &Store,
        time: Time,
        revision: Revision,
        cause: Revision,
        actor: Actor,
        rule: Rule,
        id: Id<T>,
        old: Option<&T>,
        new: Option<&T>,
    ) {
        let Some(meta) = new.or(old).map(|object| *object.meta()) else { return };
        let mut notes = std::mem::take(&mut self.scratch);
        T::notes(store, old, new, &mut notes);
        self.records.extend(notes.drain(..).map(|note| Record {
            time,
            revision,
            cause,
            actor,
            rule,
            kind: T::KIND,
            index: id.as_u32(),
            uid: meta.uid,
            name: meta.name,
            namespace: meta.namespace,
            note,
        }));
        self.scratch = notes;
    }
}
