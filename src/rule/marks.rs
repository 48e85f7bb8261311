//! Which rules a run comes by: `mark!("STS-17")` stands where the code does what STS-17 says.
//!
//! While collecting is on, a mark sets a bit; otherwise it is one branch that is never taken. Marks observe and never
//! steer: nothing may read them but a report about the run. They live beside the run, one set a thread, because the
//! places worth marking are pure functions that are handed a view and nothing else.
//!
//! Every write to the store, every call of a plan and every wait names its rule and marks it. A mark of its own needs
//! what leaves no write: a refusal, a decision not to act, a predicate, a text.
use crate::rule::{Family, Rule};
use std::cell::Cell;

/// Bits of one word.
const BITS: usize = 64;
/// Words of one family: its numbers go up to 255.
const WORDS: usize = 4;
/// Words of all families.
const ALL: usize = WORDS * (Family::Lat as usize + 1);

thread_local! {
    static COLLECTING: Cell<bool> = const { Cell::new(false) };
    static MARKS: [Cell<u64>; ALL] = const { [const { Cell::new(0) }; ALL] };
}

/// A set of rules.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Marks([u64; ALL]);

impl Marks {
    /// True if the rule is in the set.
    pub fn contains(&self, rule: Rule) -> bool {
        let (word, bit) = place(rule);
        self.0[word] & bit != 0
    }

    /// Number of rules in the set.
    pub fn len(&self) -> u32 {
        self.0.iter().map(|word| word.count_ones()).sum()
    }

    /// True if there is none.
    pub fn is_empty(&self) -> bool {
        self.0.iter().all(|word| *word == 0)
    }
}

const fn place(rule: Rule) -> (usize, u64) {
    let number = rule.number as usize;
    (rule.family as usize * WORDS + number / BITS, 1 << (number % BITS))
}

/// Begins to collect on this thread, with an empty set.
pub fn collect() {
    MARKS.with(|marks| marks.iter().for_each(|word| word.set(0)));
    COLLECTING.set(true);
}

/// Ends collecting on this thread.
pub fn collected() -> Marks {
    COLLECTING.set(false);
    MARKS.with(|marks| Marks(std::array::from_fn(|word| marks[word].get())))
}

/// Notes that a rule was followed, if anybody collects.
#[inline]
pub(crate) fn note(rule: Rule) {
    if COLLECTING.get() {
        set(rule);
    }
}

/// Sets the bit of a rule.
#[cold]
pub(crate) fn set(rule: Rule) {
    let (word, bit) = place(rule);
    MARKS.with(|marks| marks[word].set(marks[word].get() | bit));
}

/// True while somebody collects: a condition of a mark is worth evaluating.
#[inline]
pub(crate) fn collecting() -> bool {
    COLLECTING.get()
}

/// Marks the place where the code does what these rules say: `mark!("STS-17")`. A condition, `mark!("STS-63" if above)`,
/// says when the rule makes a difference; it is evaluated only while somebody collects. An id of no family does not
/// compile; `tests/coverage.rs` demands that the rule exists.
macro_rules! mark {
    ($($id:literal),+ $(if $condition:expr)?) => {
        if $crate::rule::marks::collecting() $(&& $condition)? {
            $($crate::rule::marks::set(const {
                match $crate::rule::Rule::parse($id) {
                    Some(rule) => rule,
                    None => panic!("no rule can have this id"),
                }
            });)+
        }
    };
}
pub(crate) use mark;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_kept_while_collecting_and_only_then() {
        mark!("STS-1");
        collect();
        mark!("STS-63", "STS-64");
        let truth = true;
        mark!("DEF-92" if truth);
        mark!("STS-3" if !truth);
        note(Rule::sts(255));
        let marks = collected();
        mark!("STS-2");
        for rule in [Rule::sts(63), Rule::sts(64), Rule::def(92), Rule::sts(255)] {
            assert!(marks.contains(rule), "{rule}");
        }
        assert_eq!(marks.len(), 4, "a condition that does not hold marks nothing");
        assert!(
            !marks.contains(Rule::sts(1)) && !marks.contains(Rule::sts(2)) && !marks.contains(Rule::pod(63))
        );
        collect();
        assert!(collected().is_empty());
    }
}
