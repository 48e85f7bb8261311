//! Sets of runs, as ranges of their numbers.
use serde::{Deserialize, Serialize};
use std::ops::Range;

/// Numbers of runs: ranges that lie apart, in order.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Ranges(Vec<(u64, u64)>);

impl Ranges {
    /// Adds a range.
    ///
    /// # Errors
    /// The first number that is in it already.
    pub fn add(&mut self, range: Range<u64>) -> Result<(), u64> {
        if range.is_empty() {
            return Ok(());
        }
        let at = self.0.partition_point(|(from, _)| *from < range.start);
        if let Some((from, to)) = at.checked_sub(1).and_then(|before| self.0.get(before))
            && *to > range.start
        {
            return Err(range.start.max(*from));
        }
        if let Some((from, _)) = self.0.get(at)
            && *from < range.end
        {
            return Err(*from);
        }
        self.0.insert(at, (range.start, range.end));
        self.join();
        Ok(())
    }

    fn join(&mut self) {
        self.0.dedup_by(|later, earlier| {
            let touch = earlier.1 == later.0;
            if touch {
                earlier.1 = later.1;
            }
            touch
        });
    }

    /// Adds all of another set.
    ///
    /// # Errors
    /// The first number that is in both.
    pub fn merge(&mut self, other: &Ranges) -> Result<(), u64> {
        other.iter().try_for_each(|range| self.add(range))
    }

    /// What of a range is not in it.
    pub fn missing(&self, of: Range<u64>) -> Vec<Range<u64>> {
        let mut next = of.start;
        let mut all = Vec::new();
        for range in self.iter().filter(|range| range.end > of.start && range.start < of.end) {
            if range.start > next {
                all.push(next..range.start);
            }
            next = next.max(range.end);
        }
        if next < of.end {
            all.push(next..of.end);
        }
        all
    }

    /// How many numbers are in it.
    pub fn count(&self) -> u64 {
        self.iter().map(|range| range.end - range.start).sum()
    }

    /// The ranges, in order.
    pub fn iter(&self) -> impl Iterator<Item = Range<u64>> {
        self.0.iter().map(|(from, to)| *from..*to)
    }

    /// True if what was read from a file is in order, and nothing in it twice.
    pub fn is_sound(&self) -> bool {
        self.0.iter().all(|(from, to)| from < to) && self.0.is_sorted_by(|a, b| a.1 < b.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    proptest! {
        #[test]
        fn a_set_of_ranges_is_a_set(ranges in prop::collection::vec((0..60_u64, 0..12_u64), 0..12)) {
            let (mut set, mut model) = (Ranges::default(), BTreeSet::new());
            for (from, length) in ranges {
                let range = from..from + length;
                let twice = range.clone().find(|n| model.contains(n));
                prop_assert_eq!(set.add(range.clone()).err(), twice);
                if twice.is_none() {
                    model.extend(range);
                }
            }
            prop_assert!(set.is_sound());
            prop_assert_eq!(set.count(), model.len() as u64);
            let missing: Vec<u64> = set.missing(5..50).into_iter().flatten().collect();
            prop_assert_eq!(missing, (5..50).filter(|n| !model.contains(n)).collect::<Vec<_>>());
        }
    }
}
