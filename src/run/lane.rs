//! The free-running lane: entries come due on clocks of their own, beside the steps.
//!
//! At one instant the entries that are due happen in the order of the file, and before a step that starts then. An entry
//! whose target names nothing at that time does nothing; if that is so at all its times, the scenario is wrong.
use super::{Ended, Play, Watch};
use crate::event::Event;
use crate::expect::Condition;
use crate::kernel::{Duration, Time};
use crate::scenario::lane::LaneEntry;
use crate::scenario::{Action, Start};
use crate::world::Draw;

/// Number of a `Runner` event of the lane.
pub(super) const LANE: u32 = u32::MAX - 1;

/// Where an entry is.
#[derive(Clone, Debug)]
struct Progress {
    /// Its next time.
    due: Option<Time>,
    /// How often it has happened.
    done: u32,
    /// It has hit something.
    hit: bool,
    /// What was wrong last.
    trouble: Option<(Time, String)>,
    /// The condition it waits for.
    waits: Option<Waits>,
}

/// A condition an entry waits for.
#[derive(Clone, Debug)]
struct Waits {
    condition: Condition,
    stamp: Option<u64>,
    /// It was true at the last look.
    holds: bool,
    looks_at: Option<Time>,
}

/// The state of the lane.
#[derive(Clone, Debug, Default)]
pub(super) struct Lane {
    entries: Vec<Progress>,
    conditions: bool,
}

impl Play<'_> {
    /// The lane of the scenario begins.
    pub(super) fn begin_lane(&mut self) {
        let (scenario, now) = (self.scenario, self.cluster.world.now());
        self.lane = Lane::default();
        for (n, entry) in scenario.faults.iter().enumerate() {
            let (due, waits) = match &entry.step.start {
                Start::At(time) => (Some((*time).max(now)), None),
                Start::When(condition) => {
                    let condition = condition.clone();
                    (None, Some(Waits { condition, stamp: None, holds: false, looks_at: None }))
                }
                _ => (self.next_of(n, entry, 0), None),
            };
            self.lane.conditions |= waits.is_some();
            self.lane.entries.push(Progress { due, done: 0, hit: false, trouble: None, waits });
            self.ask_for(due);
        }
    }

    /// When an entry that has no other time happens next, after so many occurrences.
    fn next_of(&self, n: usize, entry: &LaneEntry, done: u32) -> Option<Time> {
        let world = &self.cluster.world;
        if entry.count.is_some_and(|count| done >= count) {
            return None;
        }
        let gap = match (entry.every, entry.between) {
            (Some(every), _) => every,
            (None, Some((low, high))) => {
                let span = (high - low).as_nanos() + 1;
                let drawn = world.chooser.below(Draw::Fault as u32, n as u64, u64::from(done), span);
                low + Duration::from_nanos(drawn)
            }
            (None, None) => return None,
        };
        Some(world.now() + gap)
    }

    fn ask_for(&mut self, due: Option<Time>) {
        if let Some(time) = due {
            let delay = time - self.cluster.world.now();
            self.cluster.world.background(delay, Event::Runner(LANE));
        }
    }

    /// What is due now happens, in the order of the file.
    pub(super) fn lane_is_due(&mut self, watch: &mut dyn Watch) -> Result<(), Ended> {
        let now = self.cluster.world.now();
        for n in 0..self.lane.entries.len() {
            if self.lane.entries[n].due == Some(now) {
                self.occur(n, watch)?;
            }
        }
        Ok(())
    }

    fn occur(&mut self, n: usize, watch: &mut dyn Watch) -> Result<(), Ended> {
        let scenario = self.scenario;
        let (entry, now) = (&scenario.faults[n], self.cluster.world.now());
        self.lane.entries[n].done += 1;
        let done = self.lane.entries[n].done;
        let waits = self.lane.entries[n].waits.is_some();
        let due = if waits && entry.every.is_none() { None } else { self.next_of(n, entry, done) };
        self.lane.entries[n].due = due;
        self.ask_for(due);
        let step = &entry.step;
        if let Action::Fault(fault) = &step.action {
            // Whether there is anything to hit is seen before it is announced.
            if let Err(message) = self.cluster.finds(&fault.deed) {
                self.lane.entries[n].trouble = Some((now, message));
                return Ok(());
            }
        }
        self.lane.entries[n].hit = true;
        watch.step(&self.cluster, Some(step));
        self.perform(scenario.steps.len() + n, step, watch)
    }

    /// Entries that wait for conditions happen when these become true.
    pub(super) fn look_at_lane(&mut self, watch: &mut dyn Watch) -> Result<(), Ended> {
        if !self.lane.conditions {
            return Ok(());
        }
        let now = self.cluster.world.now();
        if self.cluster.world.next_time() == Some(now) {
            return Ok(());
        }
        for n in 0..self.lane.entries.len() {
            let Some(mut waits) = self.lane.entries[n].waits.take() else { continue };
            waits.condition.learn(&self.cluster);
            let stamp = Some(waits.condition.reads().stamp(&self.cluster));
            let wake = waits.condition.next_look(now);
            let mut becomes_true = false;
            if stamp != waits.stamp || waits.looks_at == Some(now) {
                let holds = waits.condition.holds(&self.cluster) == Ok(true);
                becomes_true = holds && !waits.holds;
                (waits.stamp, waits.holds) = (stamp, holds);
            }
            self.look_once(wake, &mut waits.looks_at);
            self.lane.entries[n].waits = Some(waits);
            let more = self.scenario.faults[n].count.is_none_or(|count| self.lane.entries[n].done < count);
            if becomes_true && more && self.lane.entries[n].due.is_none() {
                self.occur(n, watch)?;
            }
        }
        Ok(())
    }

    /// Lets the run go on until every entry whose times are known has happened.
    pub(super) fn finish_lane(&mut self, watch: &mut dyn Watch) -> Result<(), Ended> {
        loop {
            let entries = self.scenario.faults.iter().zip(&self.lane.entries);
            let finite = entries.filter(|(entry, _)| entry.count.is_some());
            let Some(next) = finite.filter_map(|(_, progress)| progress.due).min() else { return Ok(()) };
            self.run_to(next, watch)?;
            self.settle(watch)?;
        }
    }

    /// Entries that never found what they are aimed at are mistakes.
    pub(super) fn close_lane(&mut self) {
        let steps = self.scenario.steps.len();
        for n in 0..self.lane.entries.len() {
            let entry = &mut self.lane.entries[n];
            if let Some((time, message)) = entry.trouble.take().filter(|_| !entry.hit) {
                let step = Some(steps + n);
                self.failures.push(super::Failure { step, time, message, invalid: true });
            }
        }
    }
}
