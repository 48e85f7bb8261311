//! The part of a sweep that one process plays, as a file; and how parts become a whole.
use super::measure::Unit;
use super::ranges::Ranges;
use super::tally::Tally;
use serde::{Deserialize, Serialize};
use std::ops::Range;

/// What a sweep is a sweep of. Parts of different sweeps have nothing to say to one another.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Header {
    /// Version of the program.
    pub version: String,
    /// The scenario's name.
    pub scenario: String,
    /// The file, as it was given: for the command lines that play a run again.
    pub file: String,
    /// SHA-256 of everything that was read: the scenario, its manifests, the values of its parameters.
    pub input: String,
    /// Seed of the sweep.
    pub seed: u64,
    /// How many runs it has in all.
    pub runs: u64,
    /// Options that a run has to be played with again: `--set NAME=VALUE`, `--until 30m`.
    pub options: Vec<String>,
    /// What is measured: names and units.
    pub measures: Vec<(String, Unit)>,
    /// Numbers of the failures of [`Tally::checks`] that only have to hold in some run (`sometimes:`).
    pub sometimes: Vec<usize>,
}

/// What one process has played so far.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Part {
    /// Of which sweep.
    pub header: Header,
    /// The runs that are its share.
    pub share: Range<u64>,
    /// Those of them that are played.
    pub done: Ranges,
    /// What came of these.
    pub tally: Tally,
}

/// Why parts do not make a whole.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Mismatch {
    /// They are of different sweeps: what differs, and both values.
    Foreign(&'static str, String, String),
    /// A run is in two of them.
    Twice(u64),
    /// Runs are in none of them.
    Missing(Vec<Range<u64>>),
    /// A file is not sound: its counts are not those of its runs.
    Unsound,
}

impl Header {
    /// The first thing in which another sweep differs.
    fn difference(&self, other: &Header) -> Option<Mismatch> {
        let text = |value: &dyn std::fmt::Debug| format!("{value:?}");
        let fields: [(&'static str, String, String); 8] = [
            ("version", text(&self.version), text(&other.version)),
            ("scenario", text(&self.scenario), text(&other.scenario)),
            ("input", text(&self.input), text(&other.input)),
            ("seed", text(&self.seed), text(&other.seed)),
            ("number of runs", text(&self.runs), text(&other.runs)),
            ("options", text(&self.options), text(&other.options)),
            ("measures", text(&self.measures), text(&other.measures)),
            ("file", text(&self.file), text(&other.file)),
        ];
        let mut all = fields.into_iter().filter(|(_, mine, theirs)| mine != theirs);
        all.next().map(|(what, mine, theirs)| Mismatch::Foreign(what, mine, theirs))
    }
}

impl Part {
    /// Nothing played yet.
    pub fn new(header: Header, share: Range<u64>, tally: Tally) -> Part {
        Part { header, share, done: Ranges::default(), tally }
    }

    /// Takes in what was played of its share.
    ///
    /// # Errors
    /// A run that it has already.
    pub fn take(&mut self, runs: Range<u64>, tally: &Tally) -> Result<(), Mismatch> {
        self.done.add(runs).map_err(Mismatch::Twice)?;
        self.tally.merge(tally);
        Ok(())
    }

    /// True if all of its share is played.
    pub fn is_complete(&self) -> bool {
        self.missing().is_empty()
    }

    /// What of its share is not played.
    pub fn missing(&self) -> Vec<Range<u64>> {
        self.done.missing(self.share.clone())
    }

    /// A part that was read from a file is what a sweep would have written.
    ///
    /// # Errors
    /// [`Mismatch::Unsound`].
    pub fn check(&self) -> Result<(), Mismatch> {
        let within =
            self.done.iter().all(|done| done.start >= self.share.start && done.end <= self.share.end)
                && self.share.end <= self.header.runs;
        let counted = self
            .tally
            .held
            .checked_add(self.tally.failed)
            .and_then(|sum| sum.checked_add(self.tally.undecided))
            == Some(self.tally.runs);
        let names = self.tally.measures.iter().map(|measured| &measured.name);
        let sound = self.done.is_sound()
            && within
            && counted
            && self.done.count() == self.tally.runs
            && names.eq(self.header.measures.iter().map(|(name, _)| name));
        if sound { Ok(()) } else { Err(Mismatch::Unsound) }
    }

    /// True if this is a part of the same sweep.
    ///
    /// # Errors
    /// What differs.
    pub fn is_of(&self, header: &Header) -> Result<(), Mismatch> {
        header.difference(&self.header).map_or(Ok(()), Err)
    }
}

/// One part of all: as if one process had played it. With `partial` runs may be missing.
///
/// # Errors
/// Why they do not fit together.
pub fn merge(parts: &[Part], partial: bool) -> Result<Option<Part>, Mismatch> {
    let Some(first) = parts.first() else { return Ok(None) };
    let mut whole = Part { share: 0..first.header.runs, ..first.clone() };
    for part in parts {
        part.check()?;
    }
    for part in &parts[1..] {
        part.is_of(&first.header)?;
        if !whole.tally.is_like(&part.tally) {
            return Err(Mismatch::Unsound);
        }
        whole.done.merge(&part.done).map_err(Mismatch::Twice)?;
        whole.tally.merge(&part.tally);
    }
    let missing = whole.missing();
    if missing.is_empty() || partial { Ok(Some(whole)) } else { Err(Mismatch::Missing(missing)) }
}

/// The runs of one share of a sweep: share `index`, from 0, of `count`.
pub fn share(runs: u64, index: u64, count: u64) -> Range<u64> {
    let cut =
        |n: u64| u64::try_from(u128::from(runs) * u128::from(n) / u128::from(count.max(1))).unwrap_or(runs);
    cut(index)..cut(index + 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sweep::{Ending, Sample};

    fn header(runs: u64) -> Header {
        Header {
            version: "0".into(),
            scenario: "s".into(),
            file: "s.yaml".into(),
            input: "00".into(),
            seed: 1,
            runs,
            options: Vec::new(),
            measures: vec![("x".into(), Unit::Count)],
            sometimes: Vec::new(),
        }
    }

    /// A part in which run n measured n squared, and every third failed.
    fn played(runs: u64, share: Range<u64>) -> Part {
        let empty = Tally::new(vec!["f".into()], vec!["x".into()]);
        let mut part = Part::new(header(runs), share.clone(), empty.clone());
        let mut tally = empty;
        for run in share.clone() {
            let fails = run % 3 == 0;
            let value = i64::try_from(run * run).expect("small");
            tally.add(
                run,
                &Sample {
                    ending: if fails { Ending::Failed } else { Ending::Held },
                    events: run,
                    failures: fails.then_some(0).into_iter().collect(),
                    shown: Vec::new(),
                    values: vec![Some(value)],
                },
            );
        }
        part.take(share, &tally).expect("nothing twice");
        part
    }

    #[test]
    fn shares_cover_everything_once() {
        for (runs, count) in [(0, 3), (7, 3), (100, 7), (5, 9), (u64::MAX, 3)] {
            let shares: Vec<_> = (0..count).map(|index| share(runs, index, count)).collect();
            assert_eq!(shares[0].start, 0);
            assert_eq!(shares[shares.len() - 1].end, runs);
            assert!(shares.windows(2).all(|pair| pair[0].end == pair[1].start));
        }
    }

    #[test]
    fn parts_in_any_order_are_the_whole() {
        let whole = merge(&[played(3000, 0..3000)], false).expect("complete").expect("a part");
        for count in [2, 3, 8] {
            let mut parts: Vec<Part> = (0..count).map(|n| played(3000, share(3000, n, count))).collect();
            parts.rotate_left(1);
            let merged = merge(&parts, false).expect("complete").expect("a part");
            let bytes = |part: &Part| serde_json::to_string(part).expect("JSON");
            assert_eq!(bytes(&merged), bytes(&whole));
        }
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let (a, b, c) = (played(30, 0..10), played(30, 10..20), played(30, 20..30));
        let gap = std::iter::once(10..20).collect();
        assert_eq!(merge(&[a.clone(), c.clone()], false), Err(Mismatch::Missing(gap)));
        assert!(merge(&[a.clone(), c.clone()], true).is_ok());
        assert_eq!(merge(&[a.clone(), b.clone(), b.clone(), c], false), Err(Mismatch::Twice(10)));
        let mut foreign = b.clone();
        foreign.header.input = "01".into();
        let other = Mismatch::Foreign("input", "\"00\"".into(), "\"01\"".into());
        assert_eq!(merge(&[a.clone(), foreign], true), Err(other));
        let mut unsound = b;
        unsound.tally.held += 1;
        assert_eq!(merge(&[a, unsound], true), Err(Mismatch::Unsound));
        assert_eq!(merge(&[], true), Ok(None));
    }
}
