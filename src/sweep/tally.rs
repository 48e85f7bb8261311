//! What came of runs, added up: counts, distributions, the runs worth playing again. Nothing in it depends on the order
//! in which runs were added.
use super::distribution::Distribution;
use super::{Ending, Sample};
use serde::{Deserialize, Serialize};

/// Runs that are named for each failure, and for each measure.
const NAMED: usize = 5;

/// Something that is checked in every run.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Check {
    /// What it is called.
    pub name: String,
    /// In how many runs it failed.
    pub failed: u64,
    /// In how many runs it was shown, if one is enough.
    pub shown: u64,
    /// The first runs in which it failed, by number.
    pub first: Vec<u64>,
}

/// What was measured.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Measured {
    /// What.
    pub name: String,
    /// Its values.
    pub values: Distribution,
    /// The largest values and their runs: the largest first, of equal ones the first run.
    pub worst: Vec<(i64, u64)>,
}

/// What came of runs.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Tally {
    /// How many there were.
    pub runs: u64,
    /// In how many everything held.
    pub held: u64,
    /// In how many something did not.
    pub failed: u64,
    /// In how many the end came before an answer.
    pub undecided: u64,
    /// Events handled in all of them.
    pub events: u64,
    /// What is checked.
    pub checks: Vec<Check>,
    /// What is measured.
    pub measures: Vec<Measured>,
}

impl Tally {
    /// Nothing yet.
    pub fn new(checks: Vec<String>, measures: Vec<String>) -> Tally {
        let check = |name| Check { name, failed: 0, shown: 0, first: Vec::new() };
        let measured = |name| Measured { name, values: Distribution::default(), worst: Vec::new() };
        Tally {
            runs: 0,
            held: 0,
            failed: 0,
            undecided: 0,
            events: 0,
            checks: checks.into_iter().map(check).collect(),
            measures: measures.into_iter().map(measured).collect(),
        }
    }

    /// Adds a run.
    pub fn add(&mut self, run: u64, sample: &Sample) {
        self.runs += 1;
        match sample.ending {
            Ending::Held => self.held += 1,
            Ending::Failed => self.failed += 1,
            Ending::Undecided => self.undecided += 1,
        }
        self.events += sample.events;
        for failure in &sample.failures {
            if let Some(check) = self.checks.get_mut(*failure) {
                check.failed += 1;
                check.first.push(run);
                keep_first(&mut check.first);
            }
        }
        for shown in &sample.shown {
            if let Some(check) = self.checks.get_mut(*shown) {
                check.shown += 1;
            }
        }
        for (measured, value) in self.measures.iter_mut().zip(&sample.values) {
            if let Some(value) = *value {
                measured.values.add(value);
                measured.worst.push((value, run));
                keep_worst(&mut measured.worst);
            }
        }
    }

    /// Adds all runs of another.
    pub fn merge(&mut self, other: &Tally) {
        self.runs += other.runs;
        self.held += other.held;
        self.failed += other.failed;
        self.undecided += other.undecided;
        self.events += other.events;
        for (mine, theirs) in self.checks.iter_mut().zip(&other.checks) {
            mine.failed += theirs.failed;
            mine.shown += theirs.shown;
            mine.first.extend(&theirs.first);
            keep_first(&mut mine.first);
        }
        for (mine, theirs) in self.measures.iter_mut().zip(&other.measures) {
            mine.values.merge(&theirs.values);
            mine.worst.extend(&theirs.worst);
            keep_worst(&mut mine.worst);
        }
    }

    /// True if both count the same things.
    pub fn is_like(&self, other: &Tally) -> bool {
        let checks = self.checks.iter().map(|check| &check.name);
        let measures = self.measures.iter().map(|measured| &measured.name);
        checks.eq(other.checks.iter().map(|check| &check.name))
            && measures.eq(other.measures.iter().map(|measured| &measured.name))
    }

    /// The measure of a name.
    pub fn measured(&self, name: &str) -> Option<&Measured> {
        self.measures.iter().find(|measured| measured.name == name)
    }
}

fn keep_first(runs: &mut Vec<u64>) {
    runs.sort_unstable();
    runs.truncate(NAMED);
}

fn keep_worst(runs: &mut Vec<(i64, u64)>) {
    runs.sort_unstable_by_key(|(value, run)| (std::cmp::Reverse(*value), *run));
    runs.truncate(NAMED);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn sample() -> impl Strategy<Value = Sample> {
        let ending = prop_oneof![Just(Ending::Held), Just(Ending::Failed), Just(Ending::Undecided)];
        let values = prop::collection::vec(prop::option::of(-5..5_i64), 2);
        (ending, 0..100_u64, prop::collection::btree_set(0..3_usize, 0..3), values).prop_map(
            |(ending, events, failures, values)| Sample {
                ending,
                events,
                shown: failures.iter().map(|n| 2 - n).collect(),
                failures: failures.into_iter().collect(),
                values,
            },
        )
    }

    fn tally<'s>(runs: impl IntoIterator<Item = (u64, &'s Sample)>) -> Tally {
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        let mut all = Tally::new(names(&["a", "b", "c"]), names(&["x", "y"]));
        runs.into_iter().for_each(|(run, sample)| all.add(run, sample));
        all
    }

    proptest! {
        #[test]
        fn parts_add_up_to_the_whole(
            samples in prop::collection::vec(sample(), 0..60),
            parts in 1..7_usize,
        ) {
            let numbered: Vec<(u64, &Sample)> = (0..).zip(&samples).collect();
            let whole = tally(numbered.iter().copied());
            let mut merged = tally([]);
            // Every part has every n-th run, and the last part comes first.
            for part in (0..parts).rev() {
                merged.merge(&tally(numbered.iter().copied().skip(part).step_by(parts)));
            }
            prop_assert_eq!(&merged, &whole);
            let text = serde_json::to_string(&whole).expect("JSON");
            prop_assert_eq!(serde_json::from_str::<Tally>(&text).expect("the same"), whole);
        }
    }

    #[test]
    fn the_worst_runs_are_named_with_their_values() {
        let value = |value| Sample {
            ending: Ending::Held,
            events: 1,
            failures: vec![],
            shown: vec![],
            values: vec![Some(value), None],
        };
        let samples: Vec<Sample> = [3, 9, 9, 1, 7, 2, 8].into_iter().map(value).collect();
        let all = tally((0..).zip(&samples));
        assert_eq!(all.measures[0].worst, [(9, 1), (9, 2), (8, 6), (7, 4), (3, 0)]);
        assert_eq!(all.measures[1].values.count(), 0);
    }
}
