//! The future event list: pops events in exactly the order (time, insertion).
//!
//! Three containers, from near to far:
//!
//! 1. `today`: a FIFO of what was pushed for the current instant. Most consequences are immediate.
//! 2. `front`: the next few events, sorted. It holds everything pushed earlier that is due before `front_end`.
//! 3. a *hierarchical timing wheel* (Varghese and Lauck 1987) for all else: 11 levels of 64 slots, one level
//!    per 6 bits of the time. An event lies on the level of the highest 6-bit digit in which its time differs
//!    from `base`, in the slot of that digit. So the first slot of the lowest occupied level has the next
//!    events; if they are few they become the front, otherwise they are spread over the levels below.
//!
//! Each event moves at most once per level and all moves are sequential, so that the cost of pop and push
//! hardly grows with the number of events, where a heap pays a cache miss per level of its tree. Insertion
//! order needs no sequence number: equal times always share a slot, slots are appended to and drained in
//! order, and the sort is stable.
//!
//! Cancelling marks a timer; its entry is dropped when met, or in a sweep when most entries are dead.
use super::time::Time;
use std::collections::VecDeque;
use std::mem;

/// Bits of the time per level.
const DIGIT: u32 = 6;
/// Slots per level.
const SLOTS: usize = 1 << DIGIT;
/// Levels that cover 64 bits.
const LEVELS: usize = u64::BITS.div_ceil(DIGIT) as usize;
/// A slot with at most so many events is sorted, not spread.
const FRONT_TARGET: usize = 32;
/// With more events than this the front goes back to the wheel: inserting into it costs a move of each.
const FRONT_LIMIT: usize = 2 * FRONT_TARGET;
/// What was drained keeps a buffer up to this many entries; a larger one is freed, lest a burst occupy its
/// peak on every level for ever.
const KEPT_CAPACITY: usize = 256;
/// Fewer dead entries than this are not worth a sweep.
const SWEEP_MINIMUM: usize = 256;
/// The `timer` of an entry that cannot be cancelled.
const NO_TIMER: u32 = u32::MAX;

/// An event that is due.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Scheduled<E> {
    /// When it happens: the new current instant.
    pub time: Time,
    /// Why it happens: what the pusher passed, usually the number of the event it was handling.
    pub cause: u32,
    /// What happens.
    pub event: E,
}

/// A handle with which a scheduled event can be cancelled. Cancelling after it has happened is harmless.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Timer {
    slot: u32,
    generation: u32,
}

/// The state of one timer, reused when its event has left the queue.
#[derive(Clone, Copy, Debug)]
struct TimerState {
    generation: u32,
    cancelled: bool,
}

#[derive(Clone, Copy, Debug)]
struct Entry<E> {
    time: u64,
    cause: u32,
    /// Index into `Timers::states`, or [`NO_TIMER`].
    timer: u32,
    event: E,
}

/// A future event list over small `Copy` events.
#[derive(Debug)]
pub struct Queue<E> {
    /// The time of the event popped last.
    now: u64,
    /// Events due now that were pushed at this very instant.
    today: VecDeque<Entry<E>>,
    /// All earlier pushed events due before `front_end`, the next one last.
    front: Vec<Entry<E>>,
    /// Nothing in the wheel is due before this.
    front_end: u64,
    wheel: Wheel<E>,
    timers: Timers,
    /// Entries in all three containers, dead ones included.
    stored: usize,
}

impl<E: Copy> Queue<E> {
    /// An empty queue at [`Time::ZERO`].
    pub fn new() -> Queue<E> {
        Queue {
            now: 0,
            today: VecDeque::new(),
            front: Vec::new(),
            front_end: 0,
            wheel: Wheel::new(),
            timers: Timers::default(),
            stored: 0,
        }
    }

    /// The current instant: the time of the event popped last.
    pub fn now(&self) -> Time {
        Time::from_nanos(self.now)
    }

    /// How many events are to come.
    pub fn len(&self) -> usize {
        self.stored - self.timers.dead
    }

    /// Whether nothing is to come.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Schedules `event` at `time`, after all events already scheduled for the same instant.
    ///
    /// A time in the past is a mistake of the caller; in release builds it means now. [`Time::NEVER`] does not
    /// come: such an event is not stored and not counted.
    pub fn push(&mut self, time: Time, cause: u32, event: E) {
        self.insert(time, cause, NO_TIMER, event);
    }

    /// As [`Queue::push`], with a handle to cancel it.
    pub fn push_timer(&mut self, time: Time, cause: u32, event: E) -> Timer {
        if time.is_never() {
            return Timer { slot: NO_TIMER, generation: 0 };
        }
        let timer = self.timers.start();
        self.insert(time, cause, timer.slot, event);
        timer
    }

    /// Takes back the event of `timer`. Whether it was still to come.
    pub fn cancel(&mut self, timer: Timer) -> bool {
        let cancelled = self.timers.cancel(timer);
        // Each entry is visited by at most one sweep per halving: constant work per cancelled timer.
        if self.timers.dead > SWEEP_MINIMUM.max(self.stored / 2) {
            self.sweep();
        }
        cancelled
    }

    /// Takes the next event, and with it the current instant to its time.
    pub fn pop(&mut self) -> Option<Scheduled<E>> {
        loop {
            let Some(entry) = self.take_near() else {
                if self.refill_front() {
                    continue;
                }
                // All empty: the wheel may start over from here, whatever dead entries it went past.
                self.wheel.base = self.now;
                self.front_end = self.now;
                return None;
            };
            self.stored -= 1;
            if self.timers.finish(entry.timer) {
                self.now = entry.time;
                return Some(Scheduled {
                    time: Time::from_nanos(entry.time),
                    cause: entry.cause,
                    event: entry.event,
                });
            }
        }
    }

    /// The time of the next event, without going there.
    ///
    /// Constant time if that event is near; otherwise a scan of one slot of the wheel, which the next pop will
    /// spread, so that alternating with pop is cheap. (Nothing is spread here, because events earlier than the
    /// next one may still be pushed.)
    pub fn peek_time(&mut self) -> Option<Time> {
        while let Some(entry) = self.front.last()
            && self.timers.is_dead(entry.timer)
        {
            self.timers.finish(entry.timer);
            self.front.pop();
            self.stored -= 1;
        }
        while let Some(entry) = self.today.front()
            && self.timers.is_dead(entry.timer)
        {
            self.timers.finish(entry.timer);
            self.today.pop_front();
            self.stored -= 1;
        }
        let near = match (self.today.front(), self.front.last()) {
            (Some(entry), _) | (None, Some(entry)) => Some(entry.time),
            (None, None) => self.wheel.earliest(&mut self.timers, &mut self.stored),
        };
        near.map(Time::from_nanos)
    }

    fn insert(&mut self, time: Time, cause: u32, timer: u32, event: E) {
        debug_assert!(time >= self.now(), "an event at {time} is pushed at {}", self.now());
        if time.is_never() {
            return;
        }
        let time = time.as_nanos().max(self.now);
        let entry = Entry { time, cause, timer, event };
        self.stored += 1;
        if time == self.now {
            self.today.push_back(entry);
        } else if time < self.front_end {
            let place = self.front.partition_point(|other| other.time > time);
            self.front.insert(place, entry);
            if self.front.len() > FRONT_LIMIT {
                self.spill_front();
            }
        } else {
            self.wheel.place(entry);
        }
    }

    /// The next of the entries at hand. What the front has for this instant was pushed before it began, and
    /// therefore before anything in `today`.
    fn take_near(&mut self) -> Option<Entry<E>> {
        match self.front.last() {
            Some(entry) if entry.time == self.now => self.front.pop(),
            _ => self.today.pop_front().or_else(|| self.front.pop()),
        }
    }

    /// Fills the empty front from the wheel; false if the wheel is empty too.
    fn refill_front(&mut self) -> bool {
        if self.today.capacity() > KEPT_CAPACITY {
            self.today = VecDeque::new();
        }
        while let Some(mut slot) = self.wheel.take_first() {
            if self.timers.dead > 0 {
                drop_dead(&mut slot.entries, &mut self.timers, &mut self.stored);
            }
            if slot.level == 0 || slot.entries.len() <= FRONT_TARGET {
                mem::swap(&mut self.front, &mut slot.entries);
                self.front.reverse();
                if slot.level > 0 {
                    self.front.sort_by_key(|entry| std::cmp::Reverse(entry.time));
                }
                self.front_end = slot.end;
            } else {
                for &entry in &slot.entries {
                    self.wheel.place(entry);
                }
            }
            self.wheel.give_back(slot);
            if !self.front.is_empty() {
                return true;
            }
        }
        false
    }

    /// Moves all of the front that is not due now to the wheel, where insertion is cheap. A slot of a high
    /// level can make a front of few events that spans hours, into which thousands may then be pushed.
    fn spill_front(&mut self) {
        let later = self.front.partition_point(|entry| entry.time > self.now);
        self.front_end = self.now + 1;
        let wheel = &mut self.wheel;
        self.front.drain(..later).rev().for_each(|entry| wheel.place(entry));
    }

    /// Drops all dead entries.
    fn sweep(&mut self) {
        let Queue { today, front, wheel, timers, stored, .. } = self;
        today.retain(|entry| keep(entry, timers, stored));
        drop_dead(front, timers, stored);
        wheel.drop_dead(timers, stored);
    }
}

impl<E: Copy> Default for Queue<E> {
    fn default() -> Self {
        Queue::new()
    }
}

impl<E: Copy> Clone for Queue<E> {
    fn clone(&self) -> Self {
        let mut queue = Queue::new();
        queue.clone_from(self);
        queue
    }

    /// Reuses the buffers of `self`, and touches only slots that are occupied on either side.
    fn clone_from(&mut self, source: &Self) {
        self.now = source.now;
        self.today.clone_from(&source.today);
        self.front.clone_from(&source.front);
        self.front_end = source.front_end;
        self.wheel.clone_from(&source.wheel);
        self.timers.clone_from(&source.timers);
        self.stored = source.stored;
    }
}

/// The far future. Its invariants: no entry is due before `base`, and each lies where [`position`] says.
#[derive(Debug)]
struct Wheel<E> {
    base: u64,
    /// Bit `l`: level `l` has an occupied slot.
    levels: u32,
    /// Per level, bit `s`: slot `s` is not empty.
    occupied: [u64; LEVELS],
    /// Level by level; each in order of insertion among equal times.
    slots: Vec<Vec<Entry<E>>>,
}

/// A slot taken out of the wheel.
struct Taken<E> {
    level: usize,
    index: usize,
    /// The first instant after the slot.
    end: u64,
    entries: Vec<Entry<E>>,
}

/// The level and the slot within it for `time`, seen from `base`.
fn position(time: u64, base: u64) -> (usize, usize) {
    // With the lowest digit set, equal times are on level 0.
    let differing = (time ^ base) | (SLOTS as u64 - 1);
    let level = differing.ilog2() / DIGIT;
    (level as usize, (time >> (level * DIGIT)) as usize % SLOTS)
}

impl<E: Copy> Wheel<E> {
    fn new() -> Wheel<E> {
        let slots = (0..LEVELS * SLOTS).map(|_| Vec::new()).collect();
        Wheel { base: 0, levels: 0, occupied: [0; LEVELS], slots }
    }

    fn place(&mut self, entry: Entry<E>) {
        let (level, index) = position(entry.time, self.base);
        self.slots[level * SLOTS + index].push(entry);
        self.occupied[level] |= 1 << index;
        self.levels |= 1 << level;
    }

    /// The level and index of the slot with the earliest entries. Times on a level agree with `base` in all
    /// higher digits and are larger in that of the level: a lower level is earlier.
    fn first(&self) -> Option<(usize, usize)> {
        let level = (self.levels != 0).then(|| self.levels.trailing_zeros() as usize)?;
        Some((level, self.occupied[level].trailing_zeros() as usize))
    }

    fn mark_empty(&mut self, level: usize, index: usize) {
        self.occupied[level] &= !(1 << index);
        if self.occupied[level] == 0 {
            self.levels &= !(1 << level);
        }
    }

    /// Takes out the first slot and moves `base` to its start. That changes the position of no other entry:
    /// they differ from both bases in the same highest digit.
    fn take_first(&mut self) -> Option<Taken<E>> {
        let (level, index) = self.first()?;
        let shift = level as u32 * DIGIT;
        let slots_before = (self.base >> shift) & !(SLOTS as u64 - 1) | index as u64;
        self.base = slots_before << shift;
        self.mark_empty(level, index);
        let entries = mem::take(&mut self.slots[level * SLOTS + index]);
        Some(Taken { level, index, end: self.base.saturating_add(1 << shift), entries })
    }

    /// Keeps the buffer of a drained slot for its next turn.
    fn give_back(&mut self, mut slot: Taken<E>) {
        if slot.entries.capacity() <= KEPT_CAPACITY {
            slot.entries.clear();
            self.slots[slot.level * SLOTS + slot.index] = slot.entries;
        }
    }

    /// The time of the first live entry; frees the slots that have none on the way.
    fn earliest(&mut self, timers: &mut Timers, stored: &mut usize) -> Option<u64> {
        while let Some((level, index)) = self.first() {
            let entries = &mut self.slots[level * SLOTS + index];
            if timers.dead > 0 {
                drop_dead(entries, timers, stored);
            }
            if let Some(time) = entries.iter().map(|entry| entry.time).min() {
                return Some(time);
            }
            self.mark_empty(level, index);
        }
        None
    }

    fn drop_dead(&mut self, timers: &mut Timers, stored: &mut usize) {
        for level in 0..LEVELS {
            for index in ones(self.occupied[level]) {
                let entries = &mut self.slots[level * SLOTS + index];
                drop_dead(entries, timers, stored);
                if entries.is_empty() {
                    self.mark_empty(level, index);
                }
            }
        }
    }

    fn clone_from(&mut self, source: &Self) {
        for level in 0..LEVELS {
            for index in ones(self.occupied[level] | source.occupied[level]) {
                self.slots[level * SLOTS + index].clone_from(&source.slots[level * SLOTS + index]);
            }
        }
        self.base = source.base;
        self.levels = source.levels;
        self.occupied = source.occupied;
    }
}

/// The positions of the set bits, ascending.
fn ones(mut word: u64) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        let bit = (word != 0).then(|| word.trailing_zeros() as usize)?;
        word &= word - 1;
        Some(bit)
    })
}

/// Whether `entry` is live; if not, its timer is released.
fn keep<E>(entry: &Entry<E>, timers: &mut Timers, stored: &mut usize) -> bool {
    if !timers.is_dead(entry.timer) {
        return true;
    }
    timers.finish(entry.timer);
    *stored -= 1;
    false
}

fn drop_dead<E>(entries: &mut Vec<Entry<E>>, timers: &mut Timers, stored: &mut usize) {
    entries.retain(|entry| keep(entry, timers, stored));
}

/// Which timers are running. A timer's slot is reused only when its entry has left the queue, so that an entry
/// needs no generation; a handle does, for it may live longer.
#[derive(Debug, Default)]
struct Timers {
    states: Vec<TimerState>,
    free: Vec<u32>,
    /// Cancelled timers whose entries are still stored.
    dead: usize,
}

impl Timers {
    fn start(&mut self) -> Timer {
        let slot = self.free.pop().unwrap_or_else(|| {
            self.states.push(TimerState { generation: 0, cancelled: false });
            self.states.len() as u32 - 1
        });
        Timer { slot, generation: self.states[slot as usize].generation }
    }

    /// Marks the timer as cancelled, if it is running.
    fn cancel(&mut self, timer: Timer) -> bool {
        match self.states.get_mut(timer.slot as usize) {
            Some(state) if state.generation == timer.generation && !state.cancelled => {
                state.cancelled = true;
                self.dead += 1;
                true
            }
            _ => false,
        }
    }

    fn is_dead(&self, timer: u32) -> bool {
        timer != NO_TIMER && self.states[timer as usize].cancelled
    }

    /// The entry of `timer` leaves the queue. Whether it is live.
    fn finish(&mut self, timer: u32) -> bool {
        if timer == NO_TIMER {
            return true;
        }
        let state = &mut self.states[timer as usize];
        let live = !mem::take(&mut state.cancelled);
        state.generation = state.generation.wrapping_add(1);
        self.free.push(timer);
        if !live {
            self.dead -= 1;
        }
        live
    }

    fn clone_from(&mut self, source: &Self) {
        self.states.clone_from(&source.states);
        self.free.clone_from(&source.free);
        self.dead = source.dead;
    }
}
