//! What is kept of a run for the timeline, for `why` and for judging: one typed record per noteworthy change.
//!
//! Text is made from records when they are printed ([`crate::trace::tell`]). A recorder that is off costs one branch
//! per write.
use crate::api::kind::Kind;
use crate::api::labels::OwnersId;
use crate::api::names::{Name, Sym, Uid};
use crate::api::objects::*;
use crate::api::store::{Store, Verb};
use crate::kernel::{Id, Time};
use crate::rule::Rule;
use crate::trace::happening::{Happened, Happening, Happenings};
use crate::trace::notes::Noted;
use crate::world::Actor;

/// What happened to an object, in the words of the timeline. The vocabulary is that of the recorded corpus.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Note {
    /// The object is new. A pod: with this revision label.
    Created(Sym),
    /// A ReplicaSet or ControllerRevision is new, with this many replicas or this number.
    CreatedWith(i64),
    /// deletionTimestamp is set.
    Deleting,
    /// The object is gone.
    Deleted,
    /// Owner references changed.
    Owners(OwnersId),
    /// Pod: bound to a node.
    Scheduled(Id<Node>),
    /// Pod: no node passes.
    Unschedulable,
    /// Pod: the scheduler lost a write conflict and will retry.
    SchedulingConflict,
    /// Pod: phase Running, on this node.
    Running(Id<Node>),
    /// Pod: condition Ready became True.
    Ready,
    /// Pod: condition Ready became False.
    Unready,
    /// Pod: containers restarted; the new count.
    Restarted(u32),
    /// Pod: waiting in CrashLoopBackOff.
    CrashLoop,
    /// Pod: image pull fails.
    ImagePull,
    /// Pod: phase Failed.
    Failed(PodReason),
    /// Pod: phase Succeeded.
    Succeeded,
    /// Pod: condition DisruptionTarget.
    Disrupted(Disruption),
    /// Pod: labels changed by hand or repaired.
    Relabeled,
    /// Claim or volume: bound, to this volume or claim.
    Bound,
    /// Claim: its volume is gone.
    Lost,
    /// Claim: the scheduler chose this node for its volume (VOL-11).
    NodeSelected(Id<Node>),
    /// Volume: its claim is gone.
    Released,
    /// Volume: free.
    Available,
    /// Attachment: attached.
    Attached,
    /// Attachment: refused.
    AttachError(AttachError),
    /// Node: condition Ready.
    NodeReady(NodeReady),
    /// Node: a taint came.
    Tainted(Taint),
    /// Node: a taint went.
    Untainted(Taint),
    /// Node: unschedulable.
    Cordoned,
    /// Node: schedulable again.
    Uncordoned,
    /// Replicas wanted: from, to.
    Scaled(i32, i32),
    /// StatefulSet: the pod template changed.
    TemplateChanged,
    /// Deployment: paused.
    Paused,
    /// Deployment: resumed.
    Resumed,
    /// ControllerRevision: from one number to another.
    Renumbered(i64, i64),
    /// ReplicaSet: the revision annotation.
    RevisionSet(Sym),
    /// StatefulSet: status.
    SetStatus(StatefulSetStatus),
    /// Deployment: counters.
    DeploymentStatus,
    /// Deployment: a condition took this status and reason.
    DeploymentCondition(Condition),
    /// Budget: allowed, healthy, desired, expected.
    Budget(i32, i32, i32, i32),
    /// EndpointSlice: ready endpoints of all.
    Endpoints(u32, u32),
    /// Spec or metadata changed otherwise.
    Changed,
}

/// One noteworthy change.
#[derive(Clone, Copy, PartialEq, Debug)]
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

/// One write to the store, noteworthy or not: a line of the change log.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Write {
    /// When it was committed.
    pub time: Time,
    /// Its resourceVersion.
    pub revision: Revision,
    /// The write that led to it; 0: none.
    pub cause: Revision,
    /// What led to it as the world had it: that write, or the mark of what happened in between.
    pub led_by: Revision,
    /// Who wrote.
    pub actor: Actor,
    /// By which rule.
    pub rule: Rule,
    /// What it did.
    pub verb: Verb,
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
}

/// Keeps records, or nothing.
#[derive(Clone, Debug, Default)]
pub struct Recorder {
    on: bool,
    records: Vec<Record>,
    writes: Vec<Write>,
    happenings: Happenings,
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

    /// All records so far, in order of writing.
    pub fn records(&self) -> &[Record] {
        &self.records
    }

    /// All writes so far, in order: also those that are not noteworthy.
    pub fn writes(&self) -> &[Write] {
        &self.writes
    }

    /// What happened that is no write.
    pub fn happenings(&self) -> &Happenings {
        &self.happenings
    }

    /// Notes that something has happened that is no write; the cause that stands for it from now on.
    pub(crate) fn happen(&mut self, time: Time, cause: Revision, what: Happening) -> Revision {
        if self.on { self.happenings.add(Happened { time, cause, what }) } else { cause }
    }

    /// The write of this revision.
    pub fn write_at(&self, revision: Revision) -> Option<&Write> {
        let at = self.writes.binary_search_by_key(&revision, |write| write.revision).ok()?;
        self.writes.get(at)
    }

    /// The write that led to a write.
    pub fn cause_of(&self, revision: Revision) -> Option<Revision> {
        let at = self.writes.binary_search_by_key(&revision, |write| write.revision).ok()?;
        Some(self.writes[at].cause)
    }

    /// The records of one write.
    pub fn notes_of(&self, revision: Revision) -> &[Record] {
        let from = self.records.partition_point(|record| record.revision < revision);
        let length = self.records[from..].partition_point(|record| record.revision == revision);
        &self.records[from..from + length]
    }

    /// The first record of a write, if it was noteworthy.
    pub fn of_write(&self, revision: Revision) -> Option<&Record> {
        let at = self.records.partition_point(|record| record.revision < revision);
        self.records.get(at).filter(|record| record.revision == revision)
    }

    /// The nearest noteworthy change that led to this one.
    pub fn because(&self, record: &Record) -> Option<&Record> {
        let mut revision = record.cause;
        // Causes are older than what they caused, so this ends.
        while revision > Revision(0) {
            if let Some(cause) = self.of_write(revision) {
                return Some(cause);
            }
            revision = self.cause_of(revision).filter(|earlier| *earlier < revision)?;
        }
        None
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
        let verb = match (old, new) {
            (None, _) => Verb::Created,
            (_, None) => Verb::Removed,
            _ => Verb::Updated,
        };
        let led_by = cause;
        let cause = self.happenings.write_behind(cause);
        let (name, namespace, uid, index) = (meta.name, meta.namespace, meta.uid, id.as_u32());
        let kind = T::KIND;
        self.writes.push(Write {
            time,
            revision,
            cause,
            led_by,
            actor,
            rule,
            verb,
            kind,
            index,
            uid,
            name,
            namespace,
        });
        let mut notes = std::mem::take(&mut self.scratch);
        T::notes(store, old, new, &mut notes);
        self.records.extend(notes.drain(..).map(|note| Record {
            time,
            revision,
            cause,
            actor,
            rule,
            kind,
            index,
            uid,
            name,
            namespace,
            note,
        }));
        self.scratch = notes;
    }
}
