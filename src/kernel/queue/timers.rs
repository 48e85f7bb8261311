//! Which timers are running: what makes a scheduled event cancellable.
//!
//! A cancelled timer is only marked here; its entry stays where it is in the queue and is dropped when met. A
//! timer's slot is reused only after its entry has left the queue, so that the entry needs no generation. The
//! handle does, for it may live longer.
use std::mem;

/// A handle with which a scheduled event can be cancelled. Cancelling after it has happened is harmless.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Timer {
    slot: u32,
    generation: u32,
}

impl Timer {
    /// The handle of an event that never happens.
    pub(super) const IDLE: Timer = Timer { slot: NO_TIMER, generation: 0 };

    /// What the entry stores.
    pub(super) fn slot(self) -> u32 {
        self.slot
    }
}

/// The timer of an entry that cannot be cancelled.
pub(super) const NO_TIMER: u32 = u32::MAX;

#[derive(Clone, Copy, Debug)]
struct State {
    generation: u32,
    cancelled: bool,
}

/// All timers of a queue.
#[derive(Debug, Default)]
pub(super) struct Timers {
    states: Vec<State>,
    free: Vec<u32>,
    /// Cancelled timers whose entries are still stored.
    dead: usize,
}

impl Timers {
    /// How many entries in the queue are dead.
    pub(super) fn dead(&self) -> usize {
        self.dead
    }

    pub(super) fn start(&mut self) -> Timer {
        let slot = self.free.pop().unwrap_or_else(|| {
            self.states.push(State { generation: 0, cancelled: false });
            self.states.len() as u32 - 1
        });
        Timer { slot, generation: self.states[slot as usize].generation }
    }

    /// Marks the timer as cancelled. Whether it was running.
    pub(super) fn cancel(&mut self, timer: Timer) -> bool {
        match self.states.get_mut(timer.slot as usize) {
            Some(state) if state.generation == timer.generation && !state.cancelled => {
                state.cancelled = true;
                self.dead += 1;
                true
            }
            _ => false,
        }
    }

    /// The entry of timer `slot` leaves the queue to happen. Whether it is live and may.
    pub(super) fn finish(&mut self, slot: u32) -> bool {
        if slot == NO_TIMER {
            return true;
        }
        let state = &mut self.states[slot as usize];
        let cancelled = mem::take(&mut state.cancelled);
        state.generation = state.generation.wrapping_add(1);
        self.free.push(slot);
        self.dead -= usize::from(cancelled);
        !cancelled
    }

    /// Whether the entry of timer `slot` is live and stays in the queue; if not, its slot is free from now on.
    pub(super) fn keep(&mut self, slot: u32) -> bool {
        let live = slot == NO_TIMER || !self.states[slot as usize].cancelled;
        live || self.finish(slot)
    }

    /// Whether the entry of timer `slot` will happen.
    pub(super) fn is_live(&self, slot: u32) -> bool {
        self.states.get(slot as usize).is_none_or(|state| !state.cancelled)
    }

    /// Copies `source`, reusing the buffers of `self`.
    pub(super) fn copy_from(&mut self, source: &Timers) {
        self.states.clone_from(&source.states);
        self.free.clone_from(&source.free);
        self.dead = source.dead;
    }
}
