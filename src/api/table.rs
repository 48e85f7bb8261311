//! All objects of one kind, now and as far back as somebody may still look.
//!
//! A slot stands for a *name* ([`crate::api::store`]). Objects lie in chunks, so that a table grows without being
//! copied and without room to spare; which of them are there is one bit each, and what an object was before lies in a
//! list of its own, for there can be a million objects and few of them have been written a moment ago.
use crate::api::kind::Kind;
use crate::api::name_index::NameIndex;
use crate::api::names::{Name, Sym, Uid};
use crate::api::objects::{Object, Revision};
use crate::kernel::Id;
use rustc_hash::FxHashMap;
use std::collections::VecDeque;

const CHUNK: usize = 1024;
const WORDS: usize = CHUNK / 64;

/// Some objects, in order of their positions.
#[derive(Clone, Debug)]
struct Chunk<T> {
    /// The newest incarnation of each name, or what was left of it when it was removed.
    objects: Vec<T>,
    /// A bit for each: the object is there.
    present: [u64; WORDS],
}

impl<T> Chunk<T> {
    fn is_present(&self, at: usize) -> bool {
        self.present[at / 64] >> (at % 64) & 1 == 1
    }

    fn set_present(&mut self, at: usize, present: bool) {
        let bit = 1 << (at % 64);
        let word = &mut self.present[at / 64];
        *word = if present { *word | bit } else { *word & !bit };
    }
}

/// What a write replaced.
#[derive(Clone, Debug)]
struct Undo<T> {
    slot: u32,
    /// The change that replaced it.
    replaced_by: Revision,
    /// When the replaced state was written.
    written_by: Revision,
    old: Option<T>,
    /// The number of the undo entry before this one of the same slot.
    previous: Option<u64>,
}

/// All objects of one kind.
#[derive(Clone, Debug)]
pub struct Table<T> {
    chunks: Vec<Chunk<T>>,
    slots: u32,
    free: Vec<u32>,
    live: usize,
    names: NameIndex,
    undo: VecDeque<Undo<T>>,
    /// Number of the first entry of `undo`.
    undo_base: u64,
    /// By slot: the number of its newest undo entry, as long as that is kept.
    newest: FxHashMap<u32, u64>,
}

impl<T> Default for Table<T> {
    fn default() -> Self {
        Table {
            chunks: Vec::new(),
            slots: 0,
            free: Vec::new(),
            live: 0,
            names: NameIndex::default(),
            undo: VecDeque::new(),
            undo_base: 0,
            newest: FxHashMap::default(),
        }
    }
}

/// What the object at a position is called, and what that is unique in.
fn key_in<T: Object>(chunks: &[Chunk<T>], position: u32) -> Option<(Sym, Name)> {
    let position = position as usize;
    let object = chunks.get(position / CHUNK)?.objects.get(position % CHUNK)?;
    Some((object.scope(), object.meta().name))
}

impl<T: Object> Table<T> {
    /// The object as it is now, to change.
    fn present_mut(&mut self, index: usize) -> Option<&mut T> {
        let chunk = self.chunks.get_mut(index / CHUNK)?;
        let present = chunk.is_present(index % CHUNK);
        chunk.objects.get_mut(index % CHUNK).filter(|_| present)
    }

    fn set_present(&mut self, index: usize, present: bool) {
        if let Some(chunk) = self.chunks.get_mut(index / CHUNK) {
            chunk.set_present(index % CHUNK, present);
        }
    }

    /// The object as it is now.
    pub fn get(&self, id: Id<T>) -> Option<&T> {
        let index = id.index();
        let chunk = self.chunks.get(index / CHUNK)?;
        chunk.objects.get(index % CHUNK).filter(|_| chunk.is_present(index % CHUNK))
    }

    /// The object as it is now, if it still is this incarnation.
    pub fn get_uid(&self, id: Id<T>, uid: Uid) -> Option<&T> {
        self.get(id).filter(|object| object.meta().uid == uid)
    }

    /// What was last known under this id: the object, or what was left when it was removed. For texts.
    pub fn last_known(&self, id: Id<T>) -> Option<&T> {
        self.chunks.get(id.index() / CHUNK)?.objects.get(id.index() % CHUNK)
    }

    /// The object as of revision `at`.
    pub fn at(&self, id: Id<T>, at: Revision) -> Option<&T> {
        if self.last_known(id)?.meta().revision <= at {
            return self.get(id);
        }
        let mut number = self.newest.get(&id.as_u32()).copied();
        while let Some(undo) = number.and_then(|number| self.undo_entry(number)) {
            if undo.written_by <= at {
                return undo.old.as_ref();
            }
            number = undo.previous;
        }
        None
    }

    fn undo_entry(&self, number: u64) -> Option<&Undo<T>> {
        self.undo.get(usize::try_from(number.checked_sub(self.undo_base)?).ok()?)
    }

    fn position(&self, scope: Sym, name: Name) -> Option<u32> {
        self.names.get((scope, name), |slot| key_in(&self.chunks, slot))
    }

    /// The id of this name, if the name is in use or was in use a moment ago.
    pub fn id(&self, scope: Sym, name: Name) -> Option<Id<T>> {
        self.position(scope, name).map(|slot| Id::from_index(slot as usize))
    }

    /// The object of this name as it is now.
    pub fn find(&self, scope: Sym, name: Name) -> Option<(Id<T>, &T)> {
        let id = self.id(scope, name)?;
        self.get(id).map(|object| (id, object))
    }

    /// All objects as they are now, in order of table position: deterministic, but no order a user would expect.
    pub fn iter(&self) -> impl Iterator<Item = (Id<T>, &T)> {
        self.chunks.iter().enumerate().flat_map(|(number, chunk)| {
            let present = chunk.objects.iter().enumerate().filter(|(at, _)| chunk.is_present(*at));
            present.map(move |(at, object)| (Id::from_index(number * CHUNK + at), object))
        })
    }

    /// All objects as of revision `at`.
    pub fn iter_at(&self, at: Revision) -> impl Iterator<Item = (Id<T>, &T)> {
        (0..self.slots as usize).filter_map(move |index| {
            let id = Id::from_index(index);
            self.at(id, at).map(|object| (id, object))
        })
    }

    /// Number of objects.
    pub fn len(&self) -> usize {
        self.live
    }

    /// True if there is none.
    pub fn is_empty(&self) -> bool {
        self.live == 0
    }

    /// Number of slots ever in use at once: an upper bound for `Id::index`, for side tables.
    pub fn capacity(&self) -> usize {
        self.slots as usize
    }

    fn remember(&mut self, slot: u32, old: Option<T>, written_by: Revision, replaced_by: Revision) {
        let number = self.undo_base + self.undo.len() as u64;
        let previous = self.newest.insert(slot, number);
        self.undo.push_back(Undo { slot, replaced_by, written_by, old, previous });
    }

    /// Puts a new incarnation under its name. None if the name is taken.
    pub(crate) fn insert(&mut self, mut object: T, revision: Revision) -> Option<Id<T>> {
        object.meta_mut().revision = revision;
        let (scope, name) = (object.scope(), object.meta().name);
        if let Some(index) = self.position(scope, name) {
            let chunk = self.chunks.get_mut(index as usize / CHUNK)?;
            let at = index as usize % CHUNK;
            if chunk.is_present(at) {
                return None;
            }
            chunk.set_present(at, true);
            let before = std::mem::replace(chunk.objects.get_mut(at)?, object);
            self.live += 1;
            self.remember(index, None, before.meta().revision, revision);
            return Some(Id::from_index(index as usize));
        }
        let index = self.place(object)?;
        self.set_present(index as usize, true);
        let chunks = &self.chunks;
        self.names.insert((scope, name), index, |slot| key_in(chunks, slot));
        self.live += 1;
        self.remember(index, None, Revision(0), revision);
        Some(Id::from_index(index as usize))
    }

    /// Gives an object whose name is new a slot.
    fn place(&mut self, object: T) -> Option<u32> {
        if let Some(index) = self.free.pop() {
            let place = index as usize;
            *self.chunks.get_mut(place / CHUNK)?.objects.get_mut(place % CHUNK)? = object;
            return Some(index);
        }
        if (self.slots as usize).is_multiple_of(CHUNK) {
            self.chunks.push(Chunk { objects: Vec::with_capacity(CHUNK), present: [0; WORDS] });
        }
        self.chunks.last_mut()?.objects.push(object);
        self.slots += 1;
        Some(self.slots - 1)
    }

    /// Replaces the object. The caller has checked that it is there.
    pub(crate) fn replace(&mut self, id: Id<T>, mut object: T, revision: Revision) {
        object.meta_mut().revision = revision;
        let Some(place) = self.present_mut(id.index()) else { return };
        let old = std::mem::replace(place, object);
        let written_by = old.meta().revision;
        self.remember(id.as_u32(), Some(old), written_by, revision);
    }

    /// Takes the object away; its name is free.
    pub(crate) fn take(&mut self, id: Id<T>, revision: Revision) -> Option<T> {
        let object = self.present_mut(id.index())?;
        let old = object.clone();
        object.meta_mut().revision = revision;
        self.set_present(id.index(), false);
        self.live -= 1;
        let written_by = old.meta().revision;
        self.remember(id.as_u32(), Some(old.clone()), written_by, revision);
        Some(old)
    }

    /// Drops the past up to and including `until`; slots of names that nobody bears or sees any more become free, unless
    /// other objects may still point to the name ([`keeps_its_slot`]).
    pub(super) fn forget(&mut self, until: Revision) {
        while let Some(undo) = self.undo.front().filter(|undo| undo.replaced_by <= until) {
            let (index, replaced_by) = (undo.slot, undo.replaced_by);
            if self.newest.get(&index) == Some(&self.undo_base) {
                self.newest.remove(&index);
            }
            self.undo.pop_front();
            self.undo_base += 1;
            let id = Id::from_index(index as usize);
            let Some(left) = self.last_known(id).map(Object::meta).filter(|_| self.get(id).is_none()) else {
                continue;
            };
            if left.revision == replaced_by && !keeps_its_slot(T::KIND, left.name) {
                let name = left.name;
                let Some((scope, _)) = key_in(&self.chunks, index) else { continue };
                let chunks = &self.chunks;
                self.names.remove((scope, name), |slot| key_in(chunks, slot));
                self.free.push(index);
            }
        }
    }
}

/// Names whose slot is never given to another name, so that what points to them (the node of a pod, the pod of an
/// endpoint, the service of a slice) goes on meaning that name after the object is gone: nodes, services, and the
/// numbered names that StatefulSets use again and again.
fn keeps_its_slot(kind: Kind, name: Name) -> bool {
    matches!(kind, Kind::Node | Kind::Service) || name.ordinal().is_some()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::objects::{Claim, ClaimSpecId, Meta};
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    fn claim(name: u32, uid: u32) -> Claim {
        let name = Name::numbered(Sym::DEFAULT, name);
        Claim::new(Meta { name, uid: Uid(uid), ..Meta::default() }, ClaimSpecId::default())
    }

    proptest! {
        /// Whatever is written, and wherever the past ends that is kept: the table as of any revision since is what a
        /// plain list of all versions says.
        #[test]
        fn the_past_reads_as_it_was(writes in prop::collection::vec((0u32..4, 0u8..4), 1..60)) {
            let mut table: Table<Claim> = Table::default();
            let mut versions: Vec<BTreeMap<u32, u32>> = vec![BTreeMap::new()];
            let mut kept = 0;
            for (number, (name, what)) in (1u32..).zip(writes) {
                let mut now = versions.last().cloned().unwrap_or_default();
                let revision = Revision(number);
                let id = table.id(Sym::EMPTY, claim(name, 0).meta.name);
                match what {
                    0 => {
                        let made = table.insert(claim(name, number), revision).is_some();
                        prop_assert_eq!(made, !now.contains_key(&name));
                        now.entry(name).or_insert(number);
                    }
                    1 => if let Some(id) = id.filter(|_| now.contains_key(&name)) {
                        table.replace(id, claim(name, number), revision);
                        now.insert(name, number);
                    },
                    2 => if let Some(id) = id {
                        let taken = table.take(id, revision).map(|claim| claim.meta.uid.0);
                        prop_assert_eq!(taken, now.remove(&name));
                    },
                    _ => {
                        kept = number / 2;
                        table.forget(Revision(kept));
                    }
                }
                prop_assert_eq!(table.len(), now.len());
                versions.push(now);
                for (at, then) in (0u32..).zip(&versions).skip(kept as usize) {
                    let seen = table.iter_at(Revision(at));
                    let seen: BTreeMap<u32, u32> =
                        seen.map(|(_, claim)| (claim.meta.name.ordinal().unwrap_or(99), claim.meta.uid.0)).collect();
                    prop_assert_eq!(&seen, then, "as of {}", at);
                }
            }
            let now: Vec<u32> = table.iter().map(|(_, claim)| claim.meta.uid.0).collect();
            prop_assert_eq!(now.len(), table.len());
        }
    }
}
