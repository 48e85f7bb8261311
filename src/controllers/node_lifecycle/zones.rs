//! Zones: their disruption state, and the limited rate at which their nodes are tainted NoExecute (NODE-13 to NODE-16;
//! pkg/controller/nodelifecycle/node_lifecycle_controller.go ComputeZoneState and handleDisruption,
//! pkg/controller/nodelifecycle/scheduler/rate_limited_queue.go).
use crate::api::names::Sym;
use crate::api::objects::Node;
use crate::config::Timers;
use crate::kernel::{Duration, Id, Time};

/// `--large-cluster-size-threshold` (DEF-15).
const LARGE_ZONE: u32 = 50;
/// `--unhealthy-zone-threshold`, in hundredths (DEF-16).
const UNHEALTHY_PERCENT: u32 = 55;

/// How a zone fares (NODE-15).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) enum State {
    /// No pass has looked at it.
    #[default]
    Initial,
    /// Most nodes are ready.
    Normal,
    /// Three nodes or more, and 55 % of them, are not ready.
    Partial,
    /// No node is ready.
    Full,
}

/// The state of a zone with so many nodes ready and not ready (NODE-15).
pub(super) fn state_of(ready: u32, not_ready: u32) -> State {
    if ready == 0 && not_ready > 0 {
        State::Full
    } else if not_ready > 2 && not_ready * 100 >= (ready + not_ready) * UNHEALTHY_PERCENT {
        State::Partial
    } else {
        State::Normal
    }
}

/// A zone.
#[derive(Clone, Debug)]
pub(super) struct Zone {
    /// Region and zone (NODE-14).
    pub(super) key: (Sym, Sym),
    pub(super) state: State,
    /// Nodes that were ready in the last pass.
    pub(super) ready: u32,
    /// Nodes that were not.
    pub(super) not_ready: u32,
    /// Nodes that wait for their NoExecute taint.
    pub(super) queue: Vec<Id<Node>>,
    /// Time between two taints; `None`: none at all.
    interval: Option<Duration>,
    /// When the next one is due.
    next: Time,
    /// A look at the queue is asked for.
    pub(super) asked: bool,
    /// How many nodes have been taken from the queue.
    pub(super) taken: u64,
}

impl Zone {
    pub(super) fn new(key: (Sym, Sym), interval: Duration) -> Zone {
        Zone {
            key,
            state: State::Initial,
            ready: 0,
            not_ready: 0,
            queue: Vec::new(),
            interval: Some(interval),
            next: Time::ZERO,
            asked: false,
            taken: 0,
        }
    }

    /// When the next node of the queue may be taken, from `now` on. `None`: none waits, or none may.
    pub(super) fn due(&self, now: Time) -> Option<Time> {
        (!self.queue.is_empty() && self.interval.is_some()).then(|| self.next.max(now))
    }

    /// Takes the node at this place; its token is spent.
    pub(super) fn take(&mut self, place: usize, now: Time) -> Id<Node> {
        self.taken += 1;
        self.next = now + self.interval.unwrap_or(Duration::NEVER);
        self.queue.swap_remove(place)
    }

    pub(super) fn enqueue(&mut self, node: Id<Node>) {
        if !self.queue.contains(&node) {
            self.queue.push(node);
        }
    }

    pub(super) fn dequeue(&mut self, node: Id<Node>) {
        self.queue.retain(|other| *other != node);
    }

    /// The rate of a state (NODE-15).
    pub(super) fn set_rate(&mut self, state: State, timers: &Timers, now: Time) {
        let interval = match state {
            State::Partial if self.ready + self.not_ready > LARGE_ZONE => {
                Some(timers.secondary_node_eviction_interval)
            }
            State::Partial => None,
            _ => Some(timers.node_eviction_interval),
        };
        self.swap(interval, now);
    }

    /// Another rate. Who has just had to wait for the old one waits for the new one too.
    pub(super) fn swap(&mut self, interval: Option<Duration>, now: Time) {
        if interval == self.interval {
            return;
        }
        let waiting = self.interval.is_none() || self.next > now;
        self.interval = interval;
        self.next = if waiting { now + interval.unwrap_or(Duration::NEVER) } else { now };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_of_zones() {
        for (ready, not_ready, state) in [
            (0, 0, State::Normal),
            (1, 0, State::Normal),
            (0, 1, State::Full),
            (3, 2, State::Normal),
            (2, 3, State::Partial),
            (0, 5, State::Full),
            (1, 2, State::Normal),
            (9, 11, State::Partial),
            (10, 10, State::Normal),
        ] {
            assert_eq!(state_of(ready, not_ready), state, "{ready} {not_ready}");
        }
    }

    #[test]
    fn one_node_per_interval() {
        let timers = Timers::default();
        let node = |n| Id::from_index(n);
        let mut zone = Zone::new(Default::default(), timers.node_eviction_interval);
        let now = Time::from_secs(100);
        assert_eq!(zone.due(now), None);
        (0..3).for_each(|n| zone.enqueue(node(n)));
        zone.enqueue(node(1));
        assert_eq!(zone.due(now), Some(now));
        assert_eq!(zone.take(1, now), node(1));
        assert_eq!(zone.due(now), Some(Time::from_secs(110)));
        (zone.ready, zone.not_ready) = (2, 3);
        zone.set_rate(State::Partial, &timers, now);
        assert_eq!(zone.due(now), None);
        zone.set_rate(State::Normal, &timers, Time::from_secs(200));
        assert_eq!(zone.due(now), Some(Time::from_secs(210)));
        (zone.ready, zone.not_ready) = (21, 30);
        zone.set_rate(State::Partial, &timers, Time::from_secs(300));
        assert_eq!(zone.due(now), Some(Time::from_secs(300)));
    }
}
