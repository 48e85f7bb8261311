//! One set as its controller keeps it between syncs: the answers to every question a sync asks, kept up to date pod by
//! pod.
//!
//! The real controller looks at every pod in every sync (STS-110). This is the same state turned inside out: a slot per
//! index, and for each question ("which index blocks?", "which is unavailable?") the set of indexes that answer it. A
//! change of a pod moves a few bits; a sync asks for the first or the last bit. Slots reach only as far as there are
//! pods: every index beyond is missing.
use super::calls::Ordinal;
use super::identity::Frame;
use super::slot::{Slot, Tally, examine, flag};
use crate::api::labels::{LabelsId, OwnersId};
use crate::api::names::Sym;
use crate::api::objects::{ControllerRevision, Pod, PodSpecId, Revision, TemplateId};
use crate::api::store::{POD_INDEX_LABEL, POD_NAME_LABEL, REVISION_LABEL, View};
use crate::kernel::{BitSet, Id, Time};
use crate::rule::mark;
use rustc_hash::FxHashMap;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Pods that carry one revision label.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
struct OfRevision {
    /// All claimed pods (STS-43).
    all: u32,
    /// Those with an ordinal that are not terminating (STS-77).
    alive: i32,
}

#[derive(Clone, Copy, Debug)]
struct LabelFacts {
    matches: bool,
    revision: Sym,
}

/// A ControllerRevision that the set owns.
#[derive(Clone, Copy, Debug)]
pub(super) struct OwnedRevision {
    pub(super) id: Id<ControllerRevision>,
    /// Its name as a label's value.
    pub(super) label: Sym,
}

/// Whether this version of a revision means this template.
pub(super) type SameAs = (TemplateId, Id<ControllerRevision>, Revision);

/// See the module documentation.
#[derive(Clone, Debug)]
pub(super) struct SetView {
    pub(super) frame: Arc<Frame>,
    /// [`Slot::EMPTY`] where there is no pod.
    slots: Vec<Slot>,
    missing: BitSet,
    /// Missing, or any flag of [`flag::BLOCKING`].
    blocked: BitSet,
    /// What a Parallel replica phase has to do something about.
    work: BitSet,
    unavailable: BitSet,
    /// At another revision than `update`, and not terminating.
    outdated: BitSet,
    condemned: BTreeMap<u32, Slot>,
    condemned_unavailable: BTreeSet<u32>,
    /// Condemned pods whose claims are wrongly owned.
    condemned_claims: BTreeSet<u32>,
    condemned_alive: u32,
    /// Claimed pods without an ordinal: counted while the set is being deleted, and otherwise ignored (STS-77).
    pub(super) unnumbered: BTreeMap<Id<Pod>, Slot>,
    /// Ownerless pods among those in slots, to be adopted (STS-86).
    pub(super) adopt: BTreeSet<Id<Pod>>,
    /// Owned pods that do not match any more (STS-87).
    pub(super) release: BTreeSet<Id<Pod>>,
    pub(super) tally: Tally,
    revisions: BTreeMap<Sym, OfRevision>,
    /// Pods that are ready and will be available, by second (STS-100).
    future: BTreeSet<(u32, Id<Pod>)>,
    /// The same, by pod.
    available_at: FxHashMap<Id<Pod>, u32>,
    /// The update revision that `outdated` compares with.
    update: Sym,
    labels: FxHashMap<LabelsId, LabelFacts>,
    /// The selector asks for labels that differ from pod to pod.
    selects_identity: bool,
    /// Revisions owned by the set.
    pub(super) owned_revisions: Vec<OwnedRevision>,
    /// The candidate for the update revision: template, data (STS-39).
    pub(super) candidate: Option<(TemplateId, Arc<str>)>,
    /// The latest such question, and the answer (STS-47).
    pub(super) semantic: Option<(SameAs, bool)>,
    /// What new pods of a revision are made with, by revision label and template.
    pub(super) stamps: BTreeMap<(Sym, TemplateId), Stamp>,
    /// Owner references of new pods.
    pub(super) owners: OwnersId,
}

/// What all pods of one revision share.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stamp {
    /// Template labels and the revision label (STS-15).
    pub(super) labels: LabelsId,
    /// The admitted spec.
    pub(super) spec: PodSpecId,
}

impl SetView {
    pub(super) fn new(frame: Frame, owners: OwnersId) -> SetView {
        let mut keys = frame.spec.selector.requirements().iter().map(|requirement| requirement.key.as_str());
        let selects_identity = keys.any(|key| key == POD_NAME_LABEL || key == POD_INDEX_LABEL);
        SetView {
            frame: Arc::new(frame),
            slots: Vec::new(),
            missing: BitSet::new(),
            blocked: BitSet::new(),
            work: BitSet::new(),
            unavailable: BitSet::new(),
            outdated: BitSet::new(),
            condemned: BTreeMap::new(),
            condemned_unavailable: BTreeSet::new(),
            condemned_claims: BTreeSet::new(),
            condemned_alive: 0,
            unnumbered: BTreeMap::new(),
            adopt: BTreeSet::new(),
            release: BTreeSet::new(),
            tally: Tally::default(),
            revisions: BTreeMap::new(),
            future: BTreeSet::new(),
            available_at: FxHashMap::default(),
            update: Sym::EMPTY,
            labels: FxHashMap::default(),
            selects_identity,
            owned_revisions: Vec::new(),
            candidate: None,
            semantic: None,
            stamps: BTreeMap::new(),
            owners,
        }
    }

    // ---- Questions -------------------------------------------------------------------------------------------------

    fn replicas(&self) -> usize {
        self.frame.replicas() as usize
    }

    /// The pod at an index.
    pub(super) fn slot(&self, index: usize) -> Option<&Slot> {
        self.slots.get(index).filter(|slot| !slot.pod.is_none())
    }

    /// The first index from here that stops an OrderedReady replica phase or asks for a call in it.
    pub(super) fn next_blocked(&self, from: usize) -> Option<usize> {
        self.blocked.next_from(from).or_else(|| self.beyond(from))
    }

    /// The first index from here that a Parallel replica phase has something to do about.
    pub(super) fn next_work(&self, from: usize) -> Option<usize> {
        self.work.next_from(from).or_else(|| self.beyond(from))
    }

    /// The first missing index from here on where there never was a pod.
    fn beyond(&self, from: usize) -> Option<usize> {
        let index = from.max(self.slots.len());
        (index < self.replicas()).then_some(index)
    }

    /// The highest index whose pod is unavailable or missing.
    pub(super) fn last_unavailable(&self) -> Option<usize> {
        if self.slots.len() < self.replicas() {
            return Some(self.replicas() - 1);
        }
        self.unavailable.last()
    }

    /// How many of all indexes are unavailable or missing (STS-81).
    pub(super) fn unavailable(&self) -> usize {
        self.unavailable.len() + self.replicas().saturating_sub(self.slots.len())
    }

    /// The highest index up to this whose pod is there, outdated and not terminating.
    pub(super) fn last_outdated(&self, up_to: usize) -> Option<usize> {
        self.outdated.prev_from(up_to)
    }

    /// The highest missing index up to this.
    pub(super) fn last_missing(&self, up_to: usize) -> Option<usize> {
        if up_to >= self.slots.len() && up_to < self.replicas() {
            return Some(up_to);
        }
        self.missing.prev_from(up_to)
    }

    /// Condemned pods, highest ordinal first.
    pub(super) fn condemned(&self) -> impl Iterator<Item = (u32, &Slot)> {
        self.condemned.iter().rev().map(|(ordinal, slot)| (*ordinal, slot))
    }

    /// Some condemned pod is not terminating yet.
    pub(super) fn has_condemned_alive(&self) -> bool {
        self.condemned_alive > 0
    }

    /// The unavailable condemned pod with the lowest ordinal (STS-54 step 11, STS-69).
    pub(super) fn first_unavailable_condemned(&self) -> Option<u32> {
        self.condemned_unavailable.first().copied()
    }

    /// Some condemned pod's claims are wrongly owned (STS-28).
    pub(super) fn has_condemned_claims(&self) -> bool {
        !self.condemned_claims.is_empty()
    }

    /// Pods with an ordinal that carry this revision label and are not terminating (STS-77).
    pub(super) fn alive_at(&self, revision: Sym) -> i32 {
        self.revisions.get(&revision).map_or(0, |pods| pods.alive)
    }

    /// Some claimed pod carries this revision label (STS-43).
    pub(super) fn is_in_use(&self, revision: Sym) -> bool {
        self.revisions.contains_key(&revision)
    }

    /// When the next pod becomes available (STS-100).
    pub(super) fn next_available(&self) -> Option<Time> {
        self.future.first().map(|(at, _)| Time::from_secs(u64::from(*at)))
    }

    // ---- Keeping it true -------------------------------------------------------------------------------------------

    /// A pod that belongs here, as the cache shows it now.
    pub(super) fn file(&mut self, cache: View<'_>, id: Id<Pod>, pod: &Pod, now: Time) {
        let facts = self.label_facts(cache, pod);
        let owned = cache.store.controller_of(pod.meta.owners).is_some();
        let ordinal = self.frame.member(cache.store, pod.meta.name).filter(|_| facts.matches);
        let Some(ordinal) = ordinal else {
            if owned && !self.frame.deleting {
                self.release.insert(id);
            }
            return;
        };
        if !owned {
            if self.frame.deleting || pod.is_terminating() {
                return;
            }
            self.adopt.insert(id);
        }
        let (slot, later) = examine(&self.frame, cache, (id, pod), facts.revision, now);
        if let Some(later) = later {
            self.future.insert((later, id));
            self.available_at.insert(id, later);
        }
        let of_revision = self.revisions.entry(slot.revision).or_default();
        of_revision.all += 1;
        let Some(number) = ordinal.number() else {
            self.unnumbered.insert(id, slot);
            return;
        };
        of_revision.alive += i32::from(!slot.any(flag::TERMINATING));
        self.tally.count(&slot, 1);
        match self.frame.index_of(number) {
            Some(index) => self.put(index as usize, Some(slot)),
            None => self.condemn(number, slot),
        }
    }

    /// Forgets a pod that was filed, if it was.
    pub(super) fn unfile(&mut self, id: Id<Pod>, ordinal: Option<Ordinal>) {
        self.adopt.remove(&id);
        self.release.remove(&id);
        let Some(ordinal) = ordinal else { return };
        let Some(number) = ordinal.number() else {
            if let Some(slot) = self.unnumbered.remove(&id) {
                self.uncount(&slot, false);
            }
            return;
        };
        if let Some(index) = self.frame.index_of(number) {
            if let Some(slot) = self.slot(index as usize).copied().filter(|slot| slot.pod == id) {
                self.put(index as usize, None);
                self.uncount(&slot, true);
            }
        } else if let Some(slot) = self.condemned.get(&number).copied().filter(|slot| slot.pod == id) {
            self.condemned.remove(&number);
            self.condemned_unavailable.remove(&number);
            self.condemned_claims.remove(&number);
            self.condemned_alive -= u32::from(!slot.any(flag::TERMINATING));
            self.uncount(&slot, true);
        }
    }

    fn uncount(&mut self, slot: &Slot, numbered: bool) {
        if let Some(at) = self.available_at.remove(&slot.pod) {
            self.future.remove(&(at, slot.pod));
        }
        if numbered {
            self.tally.count(slot, -1);
        }
        if let Some(of_revision) = self.revisions.get_mut(&slot.revision) {
            of_revision.all -= 1;
            of_revision.alive -= i32::from(numbered && !slot.any(flag::TERMINATING));
            if of_revision.all == 0 {
                self.revisions.remove(&slot.revision);
            }
        }
    }

    fn condemn(&mut self, number: u32, slot: Slot) {
        mark!("STS-84" if self.frame.spec.start.is_some_and(|start| i64::from(number) < i64::from(start)));
        self.condemned.insert(number, slot);
        if slot.is_unavailable() {
            self.condemned_unavailable.insert(number);
        }
        if slot.any(flag::CLAIM_OWNERS) {
            self.condemned_claims.insert(number);
        }
        self.condemned_alive += u32::from(!slot.any(flag::TERMINATING));
    }

    /// Writes a slot and its bits.
    fn put(&mut self, index: usize, slot: Option<Slot>) {
        while self.slots.len() <= index {
            self.slots.push(Slot::EMPTY);
            self.mark(self.slots.len() - 1, None);
        }
        self.slots[index] = slot.unwrap_or(Slot::EMPTY);
        self.mark(index, slot);
    }

    fn mark(&mut self, index: usize, slot: Option<Slot>) {
        let any = |flags: u8| slot.is_none_or(|slot| slot.any(flags));
        self.missing.set(index, slot.is_none());
        self.blocked.set(index, any(flag::BLOCKING));
        self.unavailable.set(index, any(flag::NOT_AVAILABLE | flag::TERMINATING));
        let work = slot.is_none_or(|slot| {
            if slot.any(flag::TERMINAL) {
                !slot.any(flag::TERMINATING)
            } else {
                slot.any(flag::REPAIR | flag::NOT_CONFORMING)
            }
        });
        self.work.set(index, work);
        self.outdated.set(index, slot.is_some_and(|slot| self.is_outdated(&slot)));
    }

    fn is_outdated(&self, slot: &Slot) -> bool {
        slot.revision != self.update && !slot.any(flag::TERMINATING)
    }

    /// From now on this is the update revision.
    pub(super) fn set_update(&mut self, update: Sym) {
        if self.update == update {
            return;
        }
        self.update = update;
        for index in 0..self.slots.len() {
            let outdated = self.slot(index).is_some_and(|slot| self.is_outdated(slot));
            self.outdated.set(index, outdated);
        }
    }

    /// Pods that have become available by `now`; they are to be filed again.
    pub(super) fn due(&self, now: Time) -> Vec<Id<Pod>> {
        let mut due = Vec::new();
        for (at, pod) in &self.future {
            if Time::from_secs(u64::from(*at)) > now {
                break;
            }
            due.push(*pod);
        }
        due
    }

    /// Takes the set as it is written now. Returns the pods that have to be filed again because their place or what is
    /// asked of them has changed; they are no longer filed.
    pub(super) fn reframe(&mut self, frame: Frame) -> Vec<Id<Pod>> {
        let (old, new) = (&self.frame, &frame);
        let same_demands = old.spec.start == new.spec.start
            && old.spec.min_ready == new.spec.min_ready
            && old.spec.when_scaled == new.spec.when_scaled
            && old.spec.when_deleted == new.spec.when_deleted
            && old.deleting == new.deleting;
        if !same_demands {
            return self.empty_into(frame);
        }
        let replicas = frame.replicas() as usize;
        let mut moved = Vec::new();
        while self.slots.len() > replicas {
            let index = self.slots.len() - 1;
            if let Some(slot) = self.slot(index).copied() {
                moved.push(slot.pod);
                self.uncount(&slot, true);
            }
            self.slots.pop();
            for bits in [
                &mut self.missing,
                &mut self.blocked,
                &mut self.work,
                &mut self.unavailable,
                &mut self.outdated,
            ] {
                bits.remove(index);
            }
        }
        let first = u32::try_from(frame.spec.start.unwrap_or(0)).unwrap_or(0);
        let entering = |number: &u32| frame.index_of(*number).is_some();
        let above = self.condemned.range(first..).map(|(number, _)| *number);
        let numbers: Vec<u32> = above.take_while(entering).collect();
        for number in numbers {
            if let Some(slot) = self.condemned.get(&number).copied() {
                self.unfile(slot.pod, Some(Ordinal::of(number)));
                moved.push(slot.pod);
            }
        }
        self.frame = Arc::new(frame);
        moved
    }

    fn empty_into(&mut self, frame: Frame) -> Vec<Id<Pod>> {
        let mut pods: BTreeSet<Id<Pod>> =
            self.slots.iter().map(|slot| slot.pod).filter(|pod| !pod.is_none()).collect();
        pods.extend(self.condemned.values().map(|slot| slot.pod));
        pods.extend(self.unnumbered.keys());
        pods.extend(&self.release);
        pods.extend(&self.adopt);
        let fresh = SetView::new(frame, self.owners);
        let old = std::mem::replace(self, fresh);
        self.update = old.update;
        self.labels = old.labels;
        self.owned_revisions = old.owned_revisions;
        self.candidate = old.candidate;
        self.stamps = old.stamps;
        pods.into_iter().collect()
    }

    fn label_facts(&mut self, cache: View<'_>, pod: &Pod) -> LabelFacts {
        if !self.selects_identity
            && let Some(facts) = self.labels.get(&pod.meta.labels)
        {
            return *facts;
        }
        let store = cache.store;
        let key = store.names.known(REVISION_LABEL);
        let revision = key.and_then(|key| store.labels.value(pod.meta.labels, key)).unwrap_or_default();
        let facts = LabelFacts { matches: store.pod_matches(pod, &self.frame.spec.selector), revision };
        self.labels.insert(pod.meta.labels, facts);
        facts
    }

    /// True if an ownerless pod with these labels would be looked at (STS-98).
    pub(super) fn selects(&mut self, cache: View<'_>, pod: &Pod) -> bool {
        self.label_facts(cache, pod).matches
    }
}
