//! What metadata seldom says, interned: how an object ends, and finalizers of people's own.
//!
//! Of a million objects nearly all have neither, and those that end together end alike: so an object holds three bytes
//! that name what it has of this. That there is a deletion can be told without looking it up.
use crate::api::labels::WordsId;
use crate::api::objects::Seconds;
use crate::kernel::U24;
use rustc_hash::FxHashMap;

/// The rarely set part of an object's metadata.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct Rare {
    /// deletionTimestamp; set once deletion has begun.
    pub deleted: Seconds,
    /// deletionGracePeriodSeconds, meaningful while `deleted` is set.
    pub grace: u32,
    /// Finalizers that are not well known, of an object with [`crate::api::objects::Finalizers::OTHERS`].
    pub other_finalizers: WordsId,
}

/// The number of an interned [`Rare`], and whether `deleted` is set ([`TERMINATING`]).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct RareId(U24);

/// Bit of a [`RareId`]: deletionTimestamp is set. The rest is a number; a run has fewer deletions
/// ([`crate::limits::MAX_EVENTS`]; each takes more than six).
const TERMINATING: u32 = 1 << 23;

impl RareId {
    fn number(self) -> u32 {
        self.0.get()
    }

    /// deletionTimestamp is set.
    pub fn is_terminating(self) -> bool {
        self.number() & TERMINATING != 0
    }
}

/// The interner.
#[derive(Clone, Debug)]
pub struct Rares {
    all: Vec<Rare>,
    index: FxHashMap<Rare, u32>,
}

impl Default for Rares {
    fn default() -> Self {
        let mut rares = Rares { all: Vec::new(), index: FxHashMap::default() };
        rares.intern(Rare::default());
        rares
    }
}

impl Rares {
    /// The number of these.
    pub fn intern(&mut self, rare: Rare) -> RareId {
        let next = u32::try_from(self.all.len()).unwrap_or(u32::MAX);
        let number = *self.index.entry(rare).or_insert(next);
        if number == next {
            debug_assert!(number < TERMINATING, "a run has fewer deletions");
            self.all.push(rare);
        }
        let flag = if rare.deleted.is_set() { TERMINATING } else { 0 };
        RareId(U24::of(number | flag))
    }

    /// What this number stands for.
    pub fn get(&self, id: RareId) -> Rare {
        self.all.get((id.number() & !TERMINATING) as usize).copied().unwrap_or_default()
    }

    /// As `id`, being deleted.
    pub fn ending(&mut self, id: RareId, deleted: Seconds, grace: u32) -> RareId {
        self.intern(Rare { deleted, grace, ..self.get(id) })
    }

    /// Only these finalizers.
    pub fn of_finalizers(&mut self, other_finalizers: WordsId) -> RareId {
        if other_finalizers.is_empty() {
            return RareId::default();
        }
        self.intern(Rare { other_finalizers, ..Rare::default() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_tells_whether_there_is_a_deletion() {
        let mut rares = Rares::default();
        let none = RareId::default();
        assert_eq!(rares.get(none), Rare::default());
        assert_eq!(rares.of_finalizers(WordsId::EMPTY), none);
        let ending = rares.ending(none, Seconds(7), 30);
        assert!(ending.is_terminating() && !none.is_terminating());
        assert_eq!(rares.get(ending), Rare { deleted: Seconds(7), grace: 30, ..Rare::default() });
        assert_eq!(rares.ending(none, Seconds(7), 30), ending);
        assert_ne!(rares.ending(ending, Seconds(7), 1), ending);
        assert_eq!(rares.ending(ending, Seconds::NEVER, 0), none);
    }
}
