//! One instance: a process that runs, and what it does at the moment.
use crate::kernel::{Duration, Time};
use crate::workload::amount::{Amount, Flow};
use crate::workload::sight::{Life, Process};
use std::collections::VecDeque;

/// What an instance does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Phase {
    /// The process has started and reads its data.
    Starting(Time),
    /// Its volume is empty, and it has found nobody to copy from.
    Empty,
    /// It initialises its empty volume.
    Bootstrapping(Time),
    /// It copies the volume of another instance.
    Cloning(Life, Time),
    /// It goes back to the fork point of this primary's timeline.
    Rewinding(Life, Time),
    /// It has data, and follows a primary if it has found one.
    Replica,
    /// It becomes primary.
    Promoting(Time),
    /// It is primary, as far as it knows.
    Primary,
    /// Its data belongs to another cluster than the primary's: it refuses to follow.
    Foreign,
    /// Another process holds the volume.
    Locked,
}

impl Phase {
    /// When it is over, if it is one that takes its time.
    pub fn until(self) -> Option<Time> {
        match self {
            Phase::Starting(until)
            | Phase::Bootstrapping(until)
            | Phase::Cloning(_, until)
            | Phase::Rewinding(_, until)
            | Phase::Promoting(until) => Some(until),
            Phase::Empty | Phase::Replica | Phase::Primary | Phase::Foreign | Phase::Locked => None,
        }
    }

    /// What the time until its end is spent on, as a budget of an outage calls it.
    pub(super) fn takes_for(self) -> &'static str {
        match self {
            Phase::Bootstrapping(_) => "initialisation",
            Phase::Cloning(..) => "copy",
            Phase::Rewinding(..) => "rewind",
            Phase::Promoting(_) => "promotion",
            _ => "start-up",
        }
    }

    /// One word for reports and expressions.
    pub fn as_str(self) -> &'static str {
        match self {
            Phase::Starting(_) => "starting",
            Phase::Empty => "empty",
            Phase::Bootstrapping(_) => "bootstrapping",
            Phase::Cloning(..) => "cloning",
            Phase::Rewinding(..) => "rewinding",
            Phase::Replica => "replica",
            Phase::Promoting(_) => "promoting",
            Phase::Primary => "primary",
            Phase::Foreign => "foreign",
            Phase::Locked => "locked",
        }
    }
}

/// An instance.
#[derive(Clone, Debug)]
pub struct Member {
    /// What runs.
    pub process: Process,
    /// What it does.
    pub phase: Phase,
    /// It has followed or been a primary in this life: it takes part in a failover, not only in a first start.
    pub warm: bool,
    /// The primary it streams from.
    pub upstream: Option<Life>,
    /// It has everything a replica can have.
    pub caught_up: bool,
    /// Where a primary was when: what asynchronous replicas have a moment later.
    pub history: History,
    /// It is primary and waits for replicas that do not answer: writes hang.
    pub blocked: bool,
    /// It looks at its lease again then: it may have lost it.
    pub looks_at: Option<Time>,
    /// A liveness probe will have failed often enough by then.
    pub killed_at: Option<Time>,
}

impl Member {
    /// A process that has just started, its data readable after `start`.
    pub fn new(process: Process, start: Duration) -> Member {
        Member {
            process,
            phase: Phase::Starting(process.life.since + start),
            warm: false,
            upstream: None,
            caught_up: false,
            history: History::default(),
            blocked: false,
            looks_at: None,
            killed_at: None,
        }
    }

    /// It answers queries: it has data and lives.
    pub fn serves(&self) -> bool {
        let has_data = matches!(self.phase, Phase::Replica | Phase::Promoting(_) | Phase::Primary);
        has_data && !self.process.hung && self.process.disk_works
    }

    /// It would act as a primary if clients came and replicas were there.
    pub fn acts_as_primary(&self) -> bool {
        self.phase == Phase::Primary && !self.process.hung && self.process.disk_works
    }
}

/// The last positions of a primary.
#[derive(Clone, Debug, Default)]
pub struct History {
    points: VecDeque<(Time, Amount, Flow)>,
}

impl History {
    /// From `time` on, the position grows from `position` with `flow`. What is older than `keep` is forgotten.
    pub fn note(&mut self, time: Time, position: Amount, flow: Flow, keep: Duration) {
        while self.points.len() > 1 && self.points[1].0 + keep <= time {
            self.points.pop_front();
        }
        match self.points.back_mut() {
            Some(last) if last.0 == time => *last = (time, position, flow),
            Some(last) if last.2 == flow => {}
            _ => self.points.push_back((time, position, flow)),
        }
    }

    /// Where it was at `time`; at the beginning, if that is later.
    pub fn at(&self, time: Time) -> Amount {
        let known = self.points.iter().rev().find(|point| point.0 <= time);
        match known.or(self.points.front()) {
            Some((since, position, flow)) => *position + flow.after(time.elapsed_since(*since)),
            None => Amount::ZERO,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn history_knows_the_last_moments() {
        let mut history = History::default();
        let keep = Duration::from_secs(2);
        let at = Time::from_secs;
        history.note(at(10), Amount::of(100), Flow::per_second(10), keep);
        history.note(at(12), Amount::of(120), Flow::per_second(10), keep);
        history.note(at(20), Amount::of(200), Flow::ZERO, keep);
        for (second, requests) in [(5, 100), (10, 100), (11, 110), (19, 190), (20, 200), (30, 200)] {
            assert_eq!(history.at(at(second)), Amount::of(requests), "{second}");
        }
        history.note(at(40), Amount::of(200), Flow::per_second(1), keep);
        history.note(at(50), Amount::of(210), Flow::ZERO, keep);
        assert_eq!(history.at(at(41)), Amount::of(201));
        assert!(history.points.len() < 4, "{history:?}");
    }
}
