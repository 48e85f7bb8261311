//! Interned immutable sets: labels, annotations, owner references and the rare rest of an object's metadata.
//!
//! A million pods of one StatefulSet share one set of labels and one owner; each holds only its number. A change makes
//! a new set. Equal sets have equal numbers, so comparing two label sets is one compare and a selector's verdict can be
//! remembered per set.
use crate::api::kind::Kind;
use crate::api::names::{Name, Sym, Uid};
use crate::kernel::U24;
use rustc_hash::FxHashMap;
use std::hash::Hash;
use std::marker::PhantomData;

/// The number of an interned set of `T`, in three bytes: every object has several, and none is nearly as rich in sets
/// as it is in objects.
pub struct SetId<T>(U24, PhantomData<fn() -> T>);

/// A run makes fewer sets ([`crate::limits::MAX_EVENTS`]; the life of what a set is made for takes
/// more than three).
const MOST_SETS: u32 = 1 << 24;

impl<T> Clone for SetId<T> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<T> Copy for SetId<T> {}
impl<T> PartialEq for SetId<T> {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}
impl<T> Eq for SetId<T> {}
impl<T> std::hash::Hash for SetId<T> {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.number().hash(state);
    }
}
impl<T> std::fmt::Debug for SetId<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "#{}", self.number())
    }
}
impl<T> Default for SetId<T> {
    fn default() -> Self {
        Self::EMPTY
    }
}
impl<T> SetId<T> {
    /// The empty set.
    pub const EMPTY: SetId<T> = SetId(U24::of(0), PhantomData);

    fn of(number: u32) -> SetId<T> {
        debug_assert!(number < MOST_SETS, "a run makes fewer sets");
        SetId(U24::of(number), PhantomData)
    }

    fn number(self) -> u32 {
        self.0.get()
    }

    /// True for the empty set.
    pub fn is_empty(self) -> bool {
        self.0 == U24::default()
    }

    /// Position in the interner, for side tables.
    pub fn index(self) -> usize {
        self.number() as usize
    }
}

/// Labels or annotations: pairs of words, sorted by key number.
pub type LabelsId = SetId<(Sym, Sym)>;
/// Owner references.
pub type OwnersId = SetId<Owner>;

/// Lists of words.
pub type WordsId = SetId<Sym>;

/// One owner reference.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Owner {
    /// Kind of the owner.
    pub kind: Kind,
    /// `controller: true`: the one managing owner.
    pub controller: bool,
    /// `blockOwnerDeletion`: foreground deletion of the owner waits for this dependent.
    pub block: bool,
    /// Name of the owner, in the dependent's namespace (or cluster-scoped).
    pub name: Name,
    /// Incarnation of the owner.
    pub uid: Uid,
}

/// An append-only interner of slices.
#[derive(Clone, Debug)]
pub struct Interned<T> {
    sets: Vec<Box<[T]>>,
    index: FxHashMap<Box<[T]>, u32>,
}

impl<T: Clone + Eq + Hash> Default for Interned<T> {
    fn default() -> Self {
        let mut all = Interned { sets: Vec::new(), index: FxHashMap::default() };
        all.intern(&[]);
        all
    }
}

impl<T: Clone + Eq + Hash> Interned<T> {
    /// The number of this set; the caller sorts where order has no meaning.
    pub fn intern(&mut self, set: &[T]) -> SetId<T> {
        if let Some(&n) = self.index.get(set) {
            return SetId::of(n);
        }
        let n = u32::try_from(self.sets.len()).unwrap_or(u32::MAX);
        self.sets.push(set.into());
        self.index.insert(set.into(), n);
        SetId::of(n)
    }

    /// The members of a set.
    pub fn get(&self, id: SetId<T>) -> &[T] {
        self.sets.get(id.index()).map_or(&[], |s| s)
    }
}

impl Interned<(Sym, Sym)> {
    /// The value of a key.
    pub fn value(&self, id: LabelsId, key: Sym) -> Option<Sym> {
        let set = self.get(id);
        set.binary_search_by_key(&key, |pair| pair.0).ok().map(|i| set[i].1)
    }

    /// The set with `key` set to `value`.
    pub fn with(&mut self, id: LabelsId, key: Sym, value: Sym) -> LabelsId {
        if self.value(id, key) == Some(value) {
            return id;
        }
        let mut set: Vec<_> = self.get(id).iter().copied().filter(|pair| pair.0 != key).collect();
        set.push((key, value));
        self.of(set)
    }

    /// The set without `key`.
    pub fn without(&mut self, id: LabelsId, key: Sym) -> LabelsId {
        if self.value(id, key).is_none() {
            return id;
        }
        let set: Vec<_> = self.get(id).iter().copied().filter(|pair| pair.0 != key).collect();
        self.of(set)
    }

    /// The set of these pairs; of equal keys the last one wins.
    pub fn of(&mut self, mut pairs: Vec<(Sym, Sym)>) -> LabelsId {
        pairs.reverse();
        pairs.sort_by_key(|pair| pair.0);
        pairs.dedup_by_key(|pair| pair.0);
        self.intern(&pairs)
    }
}

impl Interned<Owner> {
    /// The managing owner.
    pub fn controller(&self, id: OwnersId) -> Option<&Owner> {
        self.get(id).iter().find(|owner| owner.controller)
    }

    /// The set with `owner` added, or replaced where its uid is already there.
    pub fn with(&mut self, id: OwnersId, owner: Owner) -> OwnersId {
        let mut set: Vec<_> = self.get(id).iter().copied().filter(|o| o.uid != owner.uid).collect();
        set.push(owner);
        self.intern(&set)
    }

    /// The set without the owner of this uid.
    pub fn without(&mut self, id: OwnersId, uid: Uid) -> OwnersId {
        let set: Vec<_> = self.get(id).iter().copied().filter(|o| o.uid != uid).collect();
        self.intern(&set)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::names::Interner;

    #[test]
    fn labels_are_values() {
        let mut names = Interner::default();
        let [a, b, x, y] = ["a", "b", "x", "y"].map(|w| names.word(w));
        let mut sets = Interned::<(Sym, Sym)>::default();
        let one = sets.of(vec![(b, x), (a, x), (b, y)]);
        assert_eq!(sets.value(one, b), Some(y));
        let two = sets.with(LabelsId::EMPTY, a, x);
        assert_eq!(sets.with(two, b, y), one);
        assert_eq!(sets.without(one, b), two);
        assert_eq!(sets.without(two, a), LabelsId::EMPTY);
    }
}
