//! Many runs of one scenario with different seeds, and what came of them in numbers.
//!
//! A run is known by its number: its seed is a function of the sweep's seed and that number ([`seed_of`]), so any part of
//! a sweep can be played anywhere, in any order. What a run leaves behind is a [`Sample`]; a [`Tally`] adds samples up, in
//! bounded memory, and to the same result however they are cut into parts. [`part`] is what one process writes of its
//! share, and how shares become one again. Threads, files and the terminal are not here.
pub mod distribution;
pub mod measure;
pub mod part;
pub mod ranges;
pub mod tally;
pub mod threshold;
mod whole;

use crate::expect::form::Form;
use crate::expect::verdict::{Judged, Verdict};
use crate::invariants::{Checks, Finding};
use crate::run::{Ended, Failure, Play, Watch};
use crate::scenario::{Expectation, Scenario};
use crate::trace::record::Recorder;
use measure::Measures;
use whole::Wholeness;

pub use tally::Tally;

/// The seed of a run of a sweep: its number, mixed with the seed of the sweep (the finalizer of SplitMix64, twice).
pub fn seed_of(sweep: u64, run: u64) -> u64 {
    let mix = |mut z: u64| {
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    };
    mix(mix(sweep.wrapping_add(0x9e37_79b9_7f4a_7c15)).wrapping_add(run.wrapping_mul(0x9e37_79b9_7f4a_7c15)))
}

/// How a run ended.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Ending {
    /// Everything held.
    Held,
    /// A step, an expectation or an invariant of the world did not.
    Failed,
    /// The end, or a limit, came before an answer.
    Undecided,
}

/// What one run leaves behind.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Sample {
    /// How it ended.
    pub ending: Ending,
    /// Events that were handled.
    pub events: u64,
    /// Numbers of those of [`Tally::checks`] that failed in it.
    pub failures: Vec<usize>,
    /// Numbers of those that it showed: `sometimes:` has to hold in one run of all.
    pub shown: Vec<usize>,
    /// The measures, in their order; None: there was nothing to measure.
    pub values: Vec<Option<i64>>,
}

/// A run that says nothing about the cluster.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Unplayable {
    /// The scenario is wrong.
    Invalid(Failure),
    /// We are.
    Bug(Finding),
}

/// All expectations: those of the run, then those of its steps, in order.
fn expectations(scenario: &Scenario) -> impl Iterator<Item = &Expectation> {
    scenario.expect.iter().chain(scenario.steps.iter().flat_map(|step| &step.expect))
}

/// What is checked in a run of a scenario, by name: each expectation, its steps together, invariants broken unsaid.
pub fn checks_of(scenario: &Scenario) -> Vec<String> {
    let own = expectations(scenario).map(|expectation| expectation.title.clone());
    own.chain(["a step".to_owned(), "an invariant of the world".to_owned()]).collect()
}

/// Numbers of the checks that have to hold in some run only.
pub fn sometimes_of(scenario: &Scenario) -> Vec<usize> {
    let is_sometimes = |expectation: &Expectation| matches!(expectation.form, Form::Sometimes(_));
    (0..).zip(expectations(scenario)).filter(|(_, e)| is_sometimes(e)).map(|(n, _)| n).collect()
}

/// Plays one run.
///
/// # Errors
/// Why it says nothing.
pub fn sample(
    scenario: &Scenario,
    seed: u64,
    checks: Checks,
    measures: &Measures,
) -> Result<Sample, Unplayable> {
    let mut play = Play::new(scenario, seed, Recorder::off()).map_err(Unplayable::Invalid)?;
    play.cluster.check(checks);
    let mut whole = Wholeness::default();
    let outcome = play.play(&mut whole);
    whole.happened(&play.cluster);
    if let Some(failure) = outcome.failures.iter().find(|failure| failure.invalid) {
        return Err(Unplayable::Invalid(failure.clone()));
    }
    if let Some(finding) = outcome.findings.first() {
        return Err(Unplayable::Bug(finding.clone()));
    }
    let all = expectations(scenario).count();
    let number = |judged: &Judged| match judged.step {
        None => judged.index,
        Some(step) => {
            let before = scenario.steps.iter().take(step).map(|step| step.expect.len()).sum::<usize>();
            scenario.expect.len() + before + judged.index
        }
    };
    let sometimes = sometimes_of(scenario);
    let (mut failures, mut shown) = (Vec::new(), Vec::new());
    for judged in &outcome.verdicts {
        match judged.verdict {
            Verdict::Fail(_) => failures.push(number(judged)),
            Verdict::Pass if sometimes.contains(&number(judged)) => shown.push(number(judged)),
            _ => {}
        }
    }
    failures.extend((!outcome.failures.is_empty()).then_some(all));
    failures.extend((!outcome.breaches.is_empty()).then_some(all + 1));
    failures.sort_unstable();
    let undecided = matches!(outcome.ended, Ended::Limit(_))
        || outcome.any(|verdict| matches!(verdict, Verdict::Undecided(_)));
    Ok(Sample {
        ending: match (failures.is_empty(), undecided) {
            (false, _) => Ending::Failed,
            (true, true) => Ending::Undecided,
            (true, false) => Ending::Held,
        },
        events: play.cluster.world.handled(),
        failures,
        shown,
        values: measures.of(&play.cluster, whole),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn runs_have_seeds_of_their_own() {
        let seeds: BTreeSet<u64> =
            (0..100).flat_map(|sweep| (0..1000).map(move |run| seed_of(sweep, run))).collect();
        assert_eq!(seeds.len(), 100_000);
        // Part files of different machines have to agree for ever.
        assert_eq!((seed_of(0, 0), seed_of(7, 1)), (5_197_578_548_964_807_871, 13_309_476_754_707_697_221));
    }
}
