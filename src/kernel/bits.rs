//! An ordered set of small integers (ordinals, ids) that answers "the next one from here" in constant time.
//!
//! A bit per possible member, and above each 64 words one summary word that says which of them are not zero,
//! level upon level until one word remains: searching climbs to the first summary with a bit in the right
//! direction and descends again, at most six words each way for 2^32. Memory follows the largest member ever
//! inserted (one bit each), so members should be dense: callers subtract a common offset first.

/// A summary of 64 words fits in one; six such levels cover 2^36.
const LEVELS: usize = 6;

/// A set of integers below 2^32.
#[derive(Debug, Default)]
pub struct BitSet {
    /// `levels[0]` has a bit per member; bit `i` of `levels[k + 1]` says that word `i` of `levels[k]` is not
    /// zero. A level exists only if the one below has more than one word.
    levels: [Vec<u64>; LEVELS],
    len: usize,
}

impl BitSet {
    /// The empty set.
    pub fn new() -> BitSet {
        BitSet::default()
    }

    /// How many members there are.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Whether `member` is in the set.
    pub fn contains(&self, member: usize) -> bool {
        self.levels[0].get(member / 64).is_some_and(|word| word >> (member % 64) & 1 == 1)
    }

    /// Adds `member`, which must be below 2^32. Whether this changed the set.
    pub fn insert(&mut self, member: usize) -> bool {
        debug_assert!(u32::try_from(member).is_ok(), "{member} is not below 2^32");
        if self.contains(member) || u32::try_from(member).is_err() {
            return false;
        }
        self.grow_to(member);
        self.len += 1;
        let mut index = member;
        for level in &mut self.levels {
            let Some(word) = level.get_mut(index / 64) else { break };
            let was_empty = *word == 0;
            *word |= 1 << (index % 64);
            if !was_empty {
                break;
            }
            index /= 64;
        }
        true
    }

    /// Takes `member` out. Whether this changed the set.
    pub fn remove(&mut self, member: usize) -> bool {
        if !self.contains(member) {
            return false;
        }
        self.len -= 1;
        let mut index = member;
        for level in &mut self.levels {
            let Some(word) = level.get_mut(index / 64) else { break };
            *word &= !(1 << (index % 64));
            if *word != 0 {
                break;
            }
            index /= 64;
        }
        true
    }

    /// Inserts or removes `member`. Whether this changed the set.
    pub fn set(&mut self, member: usize, present: bool) -> bool {
        if present { self.insert(member) } else { self.remove(member) }
    }

    /// Removes all members; keeps the buffers.
    pub fn clear(&mut self) {
        for level in &mut self.levels {
            level.fill(0);
        }
        self.len = 0;
    }

    /// The smallest member.
    pub fn first(&self) -> Option<usize> {
        self.next_from(0)
    }

    /// The largest member.
    pub fn last(&self) -> Option<usize> {
        self.prev_from(usize::MAX)
    }

    /// The smallest member that is `start` or more.
    pub fn next_from(&self, start: usize) -> Option<usize> {
        self.next_at(0, start)
    }

    /// The largest member that is `start` or less.
    pub fn prev_from(&self, start: usize) -> Option<usize> {
        let mut index = start.min((self.levels[0].len() * 64).checked_sub(1)?);
        for (height, level) in self.levels.iter().enumerate() {
            let word = *level.get(index / 64)? & (u64::MAX >> (63 - index % 64));
            if word != 0 {
                let mut found = index / 64 * 64 + word.ilog2() as usize;
                for level in self.levels[..height].iter().rev() {
                    found = found * 64 + level[found].ilog2() as usize;
                }
                return Some(found);
            }
            index = (index / 64).checked_sub(1)?;
        }
        None
    }

    /// All members in ascending order.
    pub fn iter(&self) -> Iter<'_> {
        Iter { set: self, base: 0, word: self.levels[0].first().copied().unwrap_or(0) }
    }

    /// The smallest set bit of level `bottom` that is `start` or more.
    fn next_at(&self, bottom: usize, start: usize) -> Option<usize> {
        let mut index = start;
        for (height, level) in self.levels.iter().enumerate().skip(bottom) {
            let word = *level.get(index / 64)? & (u64::MAX << (index % 64));
            if word != 0 {
                let mut found = index / 64 * 64 + word.trailing_zeros() as usize;
                for level in self.levels[bottom..height].iter().rev() {
                    found = found * 64 + level[found].trailing_zeros() as usize;
                }
                return Some(found);
            }
            index = index / 64 + 1;
        }
        None
    }

    /// Makes room for `member` on every level.
    fn grow_to(&mut self, member: usize) {
        let mut words = member / 64 + 1;
        if words <= self.levels[0].len() {
            return;
        }
        self.levels[0].resize(words, 0);
        for height in 1..LEVELS {
            if words == 1 {
                break;
            }
            words = words.div_ceil(64);
            if self.levels[height].is_empty() {
                // The level below had one word until now, and no summary.
                let occupied = self.levels[height - 1][0] != 0;
                self.levels[height].push(u64::from(occupied));
            }
            self.levels[height].resize(words, 0);
        }
    }
}

impl Clone for BitSet {
    fn clone(&self) -> Self {
        BitSet { levels: self.levels.clone(), len: self.len }
    }

    /// Reuses the buffers of `self`.
    fn clone_from(&mut self, source: &Self) {
        for (level, from) in self.levels.iter_mut().zip(&source.levels) {
            level.clone_from(from);
        }
        self.len = source.len;
    }
}

impl FromIterator<usize> for BitSet {
    fn from_iter<I: IntoIterator<Item = usize>>(members: I) -> Self {
        let mut set = BitSet::new();
        for member in members {
            set.insert(member);
        }
        set
    }
}

impl<'a> IntoIterator for &'a BitSet {
    type Item = usize;
    type IntoIter = Iter<'a>;

    fn into_iter(self) -> Iter<'a> {
        self.iter()
    }
}

/// The members of a [`BitSet`] in ascending order.
#[derive(Clone, Debug)]
pub struct Iter<'a> {
    set: &'a BitSet,
    /// The member that bit 0 of `word` stands for.
    base: usize,
    /// What is left of the current word.
    word: u64,
}

impl Iterator for Iter<'_> {
    type Item = usize;

    fn next(&mut self) -> Option<usize> {
        if self.word == 0 {
            let index = self.set.next_at(1, self.base / 64 + 1)?;
            self.base = index * 64;
            self.word = self.set.levels[0][index];
        }
        let bit = self.word.trailing_zeros() as usize;
        self.word &= self.word - 1;
        Some(self.base + bit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    #[test]
    fn the_empty_set() {
        let mut set = BitSet::new();
        assert_eq!((set.first(), set.last(), set.len(), set.iter().next()), (None, None, 0, None));
        assert_eq!(
            (set.next_from(7), set.prev_from(7), set.contains(7), set.remove(7)),
            (None, None, false, false)
        );
        assert_eq!((set.next_from(usize::MAX), set.prev_from(0)), (None, None));
        set.clear();
        assert!(set.is_empty());
    }

    #[test]
    fn borders_of_words_and_levels() {
        let members = [0, 63, 64, 4095, 4096, 262_143, 262_144, 16_777_215, 16_777_216];
        // Growing one level at a time, and in one go from the largest down.
        for set in [members.iter().copied().collect::<BitSet>(), members.iter().rev().copied().collect()] {
            assert_eq!(set.iter().collect::<Vec<_>>(), members);
            for pair in members.windows(2) {
                assert_eq!(set.next_from(pair[0] + 1), Some(pair[1]));
                assert_eq!(set.prev_from(pair[1] - 1), Some(pair[0]));
            }
            assert_eq!((set.next_from(16_777_217), set.prev_from(usize::MAX)), (None, Some(16_777_216)));
        }
    }

    #[test]
    fn the_largest_member_costs_its_bit_and_no_more() {
        // 2^28 is 32 MiB of leaves; the summaries add a 63rd.
        let mut set = BitSet::new();
        assert!(set.insert(1 << 28) && set.insert(3));
        assert_eq!((set.first(), set.next_from(4), set.last()), (Some(3), Some(1 << 28), Some(1 << 28)));
        let words: usize = set.levels.iter().map(Vec::len).sum();
        assert!(words < (1 << 22) + (1 << 22) / 62);
        assert!(set.remove(1 << 28));
        assert_eq!(set.last(), Some(3));
    }

    #[derive(Clone, Copy, Debug)]
    enum Step {
        Set(usize, bool),
        Query(usize),
        Clear,
        Snapshot,
        Restore,
    }

    fn step() -> impl Strategy<Value = Step> {
        // Few members close together, some at a distance: full words, empty words, several levels.
        let member = prop_oneof![4 => 0usize..200, 2 => 4000usize..4200, 1 => 0usize..300_000];
        prop_oneof![
            12 => (member.clone(), any::<bool>()).prop_map(|(member, present)| Step::Set(member, present)),
            6 => member.prop_map(Step::Query),
            1 => Just(Step::Snapshot),
            1 => Just(Step::Restore),
            1 => Just(Step::Clear),
        ]
    }

    proptest! {
        #[test]
        fn behaves_as_a_btree_set(steps in prop::collection::vec(step(), 0..300)) {
            let (mut set, mut model) = (BitSet::new(), BTreeSet::new());
            let mut saved = (set.clone(), model.clone());
            for step in steps {
                match step {
                    Step::Set(member, true) => prop_assert_eq!(set.set(member, true), model.insert(member)),
                    Step::Set(member, false) => prop_assert_eq!(set.set(member, false), model.remove(&member)),
                    Step::Query(from) => {
                        prop_assert_eq!(set.next_from(from), model.range(from..).next().copied());
                        prop_assert_eq!(set.prev_from(from), model.range(..=from).next_back().copied());
                        prop_assert_eq!(set.contains(from), model.contains(&from));
                    }
                    Step::Clear => {
                        set.clear();
                        model.clear();
                    }
                    Step::Snapshot => {
                        saved.0.clone_from(&set);
                        saved.1.clone_from(&model);
                    }
                    Step::Restore => {
                        set.clone_from(&saved.0);
                        model.clone_from(&saved.1);
                    }
                }
                prop_assert_eq!((set.len(), set.is_empty()), (model.len(), model.is_empty()));
                prop_assert_eq!((set.first(), set.last()), (model.first().copied(), model.last().copied()));
            }
            prop_assert!(set.iter().eq(model.iter().copied()));
            prop_assert!((&set.clone()).into_iter().eq(model));
        }
    }
}
