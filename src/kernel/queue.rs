//! The future event list: pops events in exactly the order (time, insertion).
//!
//! Three containers, from near to far:
//!
//! 1. `today`: a FIFO of what was pushed for the current instant. Most consequences are immediate.
//! 2. `front`: the next few events, sorted: all that are due before `front_end` and were pushed before now.
//! 3. the `wheel`: everything else, coarsely sorted. When the front is used up, the wheel's first slot is
//!    taken: a few events are sorted and become the front, many are spread over the wheel's lower levels.
//!
//! An event moves at most once per level of the wheel, and all moves are sequential: pop and push cost nearly
//! the same for a thousand events as for a million, where a heap misses the cache on each level of its tree.
//! Insertion order needs no sequence number: equal times always share a slot, slots are filled and drained in
//! order, and the sort is stable.
//!
//! A cancelled event is marked dead and dropped when met, or in a sweep when most entries are dead.
mod timers;
mod wheel;

pub use timers::Timer;

use super::time::Time;
use std::cmp::Reverse;
use std::collections::VecDeque;
use std::mem;
use timers::{NO_TIMER, Timers};
use wheel::{Entry, KEPT_CAPACITY, Wheel, drop_dead};

/// A slot of the wheel with at most so many events is sorted, not spread. (What the standard library's stable
/// sort does by plain insertion.)
const FRONT_TARGET: usize = 20;
/// With more events than this the front goes back to the wheel: each insertion into it moves half of them.
const FRONT_LIMIT: usize = 2 * FRONT_TARGET;
/// Fewer dead entries than this are not worth a sweep.
const SWEEP_MINIMUM: usize = 256;

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

/// A future event list of small `Copy` events.
#[derive(Debug)]
pub struct Queue<E> {
    /// The time of the event popped last.
    now: u64,
    /// Events due now and pushed at this very instant, in that order.
    today: VecDeque<Entry<E>>,
    /// The next event comes last.
    front: Vec<Entry<E>>,
    /// Nothing in the wheel is due before this.
    front_end: u64,
    wheel: Wheel<E>,
    timers: Timers,
    /// Live entries in all three containers.
    len: usize,
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
            len: 0,
        }
    }

    /// The current instant: the time of the event popped last.
    pub fn now(&self) -> Time {
        Time::from_nanos(self.now)
    }

    /// How many events are to come.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether nothing is to come.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Schedules `event` at `time`, after all events already scheduled for the same instant.
    ///
    /// A time in the past is a mistake of the caller; in release builds it means now. [`Time::NEVER`] does not
    /// come: such an event is neither stored nor counted.
    pub fn push(&mut self, time: Time, cause: u32, event: E) {
        if !time.is_never() {
            self.insert(time, cause, NO_TIMER, event);
        }
    }

    /// As [`Queue::push`], with a handle to cancel it.
    pub fn push_timer(&mut self, time: Time, cause: u32, event: E) -> Timer {
        if time.is_never() {
            return Timer::IDLE;
        }
        let timer = self.timers.start();
        self.insert(time, cause, timer.slot(), event);
        timer
    }

    /// Takes back the event of `timer`. Whether it was still to come.
    pub fn cancel(&mut self, timer: Timer) -> bool {
        if !self.timers.cancel(timer) {
            return false;
        }
        self.len -= 1;
        // A sweep drops at least half of what it visits: constant work per cancelled event.
        if self.timers.dead() > SWEEP_MINIMUM.max(self.len) {
            self.sweep();
        }
        true
    }

    /// Takes the next event, and the current instant with it.
    pub fn pop(&mut self) -> Option<Scheduled<E>> {
        loop {
            let Some(Entry { time, cause, timer, event }) = self.take_near() else {
                if self.refill_front() {
                    continue;
                }
                // All is empty: the wheel may start over from here, past what dead entries it has gone.
                self.wheel.restart(self.now);
                return None;
            };
            if self.timers.finish(timer) {
                self.len -= 1;
                self.now = time;
                return Some(Scheduled { time: Time::from_nanos(time), cause, event });
            }
        }
    }

    /// Moves the current instant on to one that lies before the next event; to any other it does not move.
    pub fn pass(&mut self, time: Time) {
        if self.peek_time().is_none_or(|next| time < next) {
            self.now = self.now.max(time.as_nanos());
        }
    }

    /// The time of the next event, without going there.
    ///
    /// Takes constant time if that event is near. Otherwise it scans one slot of the wheel, which the next pop
    /// will spread or sort, so that peeking before each pop is cheap. It must not spread the slot itself,
    /// because what is pushed before that pop may be earlier.
    pub fn peek_time(&mut self) -> Option<Time> {
        while let Some(entry) = self.front.last()
            && !self.timers.keep(entry.timer)
        {
            self.front.pop();
        }
        while let Some(entry) = self.today.front()
            && !self.timers.keep(entry.timer)
        {
            self.today.pop_front();
        }
        let time = match (self.today.front(), self.front.last()) {
            (Some(entry), _) | (None, Some(entry)) => Some(entry.time),
            (None, None) => self.wheel.earliest(&mut self.timers),
        };
        time.map(Time::from_nanos)
    }

    /// All events that are to come, in no particular order but that of insertion among those of one slot.
    pub fn iter(&self) -> impl Iterator<Item = Scheduled<E>> {
        let near = self.front.iter().rev().chain(&self.today).chain(self.wheel.entries());
        near.filter(|entry| self.timers.is_live(entry.timer)).map(|entry| Scheduled {
            time: Time::from_nanos(entry.time),
            cause: entry.cause,
            event: entry.event,
        })
    }

    fn insert(&mut self, time: Time, cause: u32, timer: u32, event: E) {
        debug_assert!(time >= self.now(), "an event for {time} is pushed at {}", self.now());
        let time = time.as_nanos().max(self.now);
        let entry = Entry { time, cause, timer, event };
        self.len += 1;
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

    /// The next of the entries at hand. What the front has for this instant was pushed before the instant
    /// began, and therefore before anything in `today`.
    fn take_near(&mut self) -> Option<Entry<E>> {
        match self.front.last() {
            Some(entry) if entry.time == self.now => self.front.pop(),
            _ => self.today.pop_front().or_else(|| self.front.pop()),
        }
    }

    /// Fills the front with live entries from the wheel, when it and `today` are empty. False if there are none.
    ///
    /// This is the only place that moves the wheel's base, and the pop that called it goes on to the first of
    /// these entries, or restarts the wheel: what is pushed later is never before the base.
    fn refill_front(&mut self) -> bool {
        if self.today.capacity() > KEPT_CAPACITY {
            self.today = VecDeque::new();
        }
        while let Some(mut slot) = self.wheel.take_first() {
            drop_dead(&mut slot.entries, &mut self.timers);
            if slot.is_one_instant() || slot.entries.len() <= FRONT_TARGET {
                mem::swap(&mut self.front, &mut slot.entries);
                // The next one last: reversed, and stably sorted downwards.
                self.front.reverse();
                self.front.sort_by_key(|entry| Reverse(entry.time));
                self.front_end = slot.end;
            } else {
                slot.entries.iter().for_each(|&entry| self.wheel.place(entry));
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

    fn sweep(&mut self) {
        let Queue { today, front, wheel, timers, .. } = self;
        today.retain(|entry| timers.keep(entry.timer));
        drop_dead(front, timers);
        wheel.sweep(timers);
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

    /// Reuses the buffers of `self`: no allocation once they are large enough.
    fn clone_from(&mut self, source: &Self) {
        self.now = source.now;
        self.today.clone_from(&source.today);
        self.front.clone_from(&source.front);
        self.front_end = source.front_end;
        self.wheel.copy_from(&source.wheel);
        self.timers.copy_from(&source.timers);
        self.len = source.len;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::chooser::Sequence;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    const _: () = assert!(size_of::<Entry<[u32; 4]>>() == 32, "an event of 16 bytes costs 32");

    /// A queue beside the obvious implementation of the same, and all timers ever started.
    #[derive(Clone)]
    struct Pair {
        queue: Queue<u32>,
        /// By time and insertion.
        model: BTreeMap<(Time, u32), u32>,
        timers: Vec<(Timer, (Time, u32))>,
        pushed: u32,
    }

    impl Pair {
        fn new() -> Pair {
            Pair { queue: Queue::new(), model: BTreeMap::new(), timers: Vec::new(), pushed: 0 }
        }

        fn push(&mut self, delay: u64, cancellable: bool) {
            // Short of never, so that the model need not know it.
            let time = Time::from_nanos(self.queue.now().as_nanos().saturating_add(delay).min(u64::MAX - 1));
            let (event, cause) = (self.pushed, self.pushed ^ 0xffff);
            if cancellable {
                let timer = self.queue.push_timer(time, cause, event);
                self.timers.push((timer, (time, event)));
            } else {
                self.queue.push(time, cause, event);
            }
            self.model.insert((time, event), cause);
            self.pushed += 1;
        }

        fn pop(&mut self) {
            let expected = self.model.pop_first();
            let expected = expected.map(|((time, event), cause)| Scheduled { time, cause, event });
            assert_eq!(self.queue.pop(), expected);
            assert!(expected.is_none_or(|due| due.time == self.queue.now()));
        }

        fn pass(&mut self, delay: u64) {
            let now = self.queue.now();
            let time = Time::from_nanos(now.as_nanos().saturating_add(delay).min(u64::MAX - 2));
            let moves = self.model.keys().next().is_none_or(|&(next, _)| time < next);
            self.queue.pass(time);
            assert_eq!(self.queue.now(), if moves { time.max(now) } else { now });
        }

        fn cancel(&mut self, choice: usize) {
            if let Some(&(timer, key)) = self.timers.get(choice % self.timers.len().max(1)) {
                assert_eq!(self.queue.cancel(timer), self.model.remove(&key).is_some());
            }
        }

        fn peek(&mut self) {
            assert_eq!(self.queue.peek_time(), self.model.keys().next().map(|&(time, _)| time));
        }

        fn check_len(&self) {
            assert_eq!((self.queue.len(), self.queue.is_empty()), (self.model.len(), self.model.is_empty()));
        }

        fn drain(&mut self) {
            while !self.model.is_empty() {
                self.pop();
            }
            self.pop();
            self.check_len();
        }
    }

    #[derive(Clone, Debug)]
    enum Step {
        Push(u64, bool),
        Burst(u64, u8),
        Pop(u8),
        Cancel(usize),
        CancelMost,
        Peek,
        Pass(u64),
        Save,
        Restore,
    }

    fn step() -> impl Strategy<Value = Step> {
        let delay = prop_oneof![
            Just(0),
            0u64..70,
            prop::sample::select(vec![1_000_000, 5_000_000, 1_000_000_000, 30_000_000_000]),
            // Any horizon, each magnitude as likely as the other.
            (any::<u64>(), 0u32..64).prop_map(|(bits, shift)| bits >> shift),
        ];
        prop_oneof![
            10 => (delay.clone(), any::<bool>()).prop_map(|(delay, timer)| Step::Push(delay, timer)),
            2 => delay.clone().prop_map(Step::Pass),
            1 => (delay, any::<u8>()).prop_map(|(delay, count)| Step::Burst(delay, count)),
            8 => (1u8..8).prop_map(Step::Pop),
            1 => any::<u8>().prop_map(Step::Pop),
            4 => any::<usize>().prop_map(Step::Cancel),
            1 => Just(Step::CancelMost),
            4 => Just(Step::Peek),
            1 => Just(Step::Save),
            1 => Just(Step::Restore),
        ]
    }

    proptest! {
        #[test]
        fn behaves_as_an_ordered_map(steps in prop::collection::vec(step(), 0..400)) {
            let mut pair = Pair::new();
            let mut saved = pair.clone();
            for step in steps {
                match step {
                    Step::Push(delay, cancellable) => pair.push(delay, cancellable),
                    // Ties, and among them and around them near ties.
                    Step::Burst(delay, count) => {
                        (0..count).for_each(|i| pair.push(delay.saturating_add(u64::from(i) % 3), i % 2 == 0));
                    }
                    Step::Pop(count) => (0..count).for_each(|_| pair.pop()),
                    Step::Cancel(choice) => pair.cancel(choice),
                    Step::CancelMost => {
                        let count = pair.timers.len();
                        (0..count).filter(|i| i % 8 > 0).for_each(|i| pair.cancel(i));
                    }
                    Step::Peek => pair.peek(),
                    Step::Pass(delay) => pair.pass(delay),
                    Step::Save => {
                        // Into a queue that has lived: what it held must not shine through.
                        saved.queue.clone_from(&pair.queue);
                        saved = Pair { queue: saved.queue, ..pair.clone() };
                    }
                    Step::Restore => {
                        pair.queue.clone_from(&saved.queue);
                        pair = Pair { queue: pair.queue, ..saved.clone() };
                    }
                }
                pair.check_len();
            }
            pair.drain();
            saved.drain();
        }
    }

    #[test]
    fn behaves_as_an_ordered_map_at_size() {
        for seed in 0..12 {
            let mut chance = Sequence::seeded(seed);
            let mut pair = Pair::new();
            // Sizes from a handful to thousands, horizons from nanoseconds to days.
            let target = 1 << (1 + seed);
            let horizon = 1u64 << (4 * (seed + 1));
            for _ in 0..20_000 {
                let delay = match chance.below(4) {
                    0 => 0,
                    1 => horizon / 7 * chance.below(3),
                    _ => chance.below(horizon),
                };
                match chance.below(16) {
                    0..5 => pair.push(delay, false),
                    5..9 => pair.push(delay, true),
                    9 => pair.cancel(chance.next_u64() as usize),
                    10 => pair.peek(),
                    _ if pair.model.len() < target => pair.push(delay, false),
                    _ => (0..2).for_each(|_| pair.pop()),
                }
            }
            pair.check_len();
            pair.drain();
        }
    }

    fn at(nanos: u64) -> Time {
        Time::from_nanos(nanos)
    }

    fn drain(queue: &mut Queue<u32>) -> Vec<(u64, u32)> {
        std::iter::from_fn(|| queue.pop()).map(|due| (due.time.as_nanos(), due.event)).collect()
    }

    #[test]
    fn what_is_pushed_for_now_comes_after_what_waited_for_now() {
        let mut queue = Queue::new();
        (1..=3).for_each(|event| queue.push(at(500), 0, event));
        assert_eq!(queue.pop().map(|due| due.event), Some(1));
        queue.push(at(501), 0, 6);
        queue.push(at(500), 0, 4);
        queue.push(at(500), 0, 5);
        assert_eq!(drain(&mut queue), [(500, 2), (500, 3), (500, 4), (500, 5), (501, 6)]);
    }

    #[test]
    fn peeking_does_not_close_the_time_before() {
        let mut queue = Queue::new();
        queue.push(at(3_600_000_000_000), 0, 3);
        assert_eq!(queue.peek_time(), Some(at(3_600_000_000_000)));
        queue.push(at(5), 0, 1);
        assert_eq!((queue.peek_time(), queue.now()), (Some(at(5)), Time::ZERO));
        queue.push(at(0), 0, 0);
        queue.push(at(6), 0, 2);
        assert_eq!(drain(&mut queue), [(0, 0), (5, 1), (6, 2), (3_600_000_000_000, 3)]);
    }

    #[test]
    fn a_cancelled_event_does_not_move_time() {
        let mut queue = Queue::new();
        let timer = queue.push_timer(at(1_000_000), 0, 9);
        assert!(queue.cancel(timer) && !queue.cancel(timer));
        assert_eq!((queue.pop(), queue.now(), queue.len()), (None, Time::ZERO, 0));
        queue.push(at(7), 0, 1);
        queue.push(at(1_000_000), 0, 2);
        assert_eq!(drain(&mut queue), [(7, 1), (1_000_000, 2)]);
    }

    #[test]
    fn an_old_handle_does_not_cancel_its_successor() {
        let mut queue = Queue::new();
        let old = queue.push_timer(at(1), 0, 1);
        assert_eq!(queue.pop().map(|due| due.event), Some(1));
        let new = queue.push_timer(at(2), 0, 2);
        assert_eq!((queue.cancel(old), queue.len()), (false, 1));
        assert_eq!((queue.cancel(new), queue.len()), (true, 0));
    }

    #[test]
    fn never_does_not_come_but_the_instant_before_does() {
        let mut queue = Queue::new();
        queue.push(Time::NEVER, 0, 1);
        let timer = queue.push_timer(Time::NEVER, 0, 2);
        assert_eq!(
            (queue.len(), queue.peek_time(), queue.cancel(timer), queue.pop()),
            (0, None, false, None)
        );
        queue.push(at(u64::MAX - 1), 0, 3);
        assert_eq!(drain(&mut queue), [(u64::MAX - 1, 3)]);
        queue.push(queue.now(), 0, 4);
        assert_eq!(drain(&mut queue), [(u64::MAX - 1, 4)]);
    }

    #[test]
    #[cfg_attr(debug_assertions, should_panic(expected = "an event for 1ns is pushed at 9ns"))]
    fn the_past_is_now() {
        let mut queue = Queue::new();
        queue.push(at(9), 0, 1);
        queue.pop();
        queue.push(at(9), 0, 2);
        queue.push(at(1), 0, 3);
        assert_eq!(drain(&mut queue), [(9, 2), (9, 3)]);
    }

    #[test]
    fn a_wide_front_stays_short() {
        let mut queue = Queue::new();
        // Two lonely events: the front then spans the better part of an hour.
        (1..=2).for_each(|hour| queue.push(at(hour * 3_600_000_000_000), 0, 0));
        queue.pop();
        let now = queue.now().as_nanos();
        for i in 0..10_000 {
            queue.push(at(now + 1_000_000 + u64::from(i % 2)), 0, i);
            assert!(queue.front.len() <= FRONT_LIMIT);
        }
        let order = drain(&mut queue);
        assert!(order.is_sorted_by_key(|&(time, event)| (time, event % 2, event)));
        assert_eq!(order.len(), 10_001);
    }

    fn capacity(queue: &Queue<u32>) -> usize {
        queue.today.capacity() + queue.front.capacity() + queue.wheel.capacity()
    }

    #[test]
    fn a_burst_leaves_no_large_buffers() {
        let mut queue = Queue::new();
        for round in 0..10 {
            let now = queue.now().as_nanos();
            (0..50_000).for_each(|i| queue.push(at(now + u64::from(i) % 5 * 1_000_000), 0, i));
            assert!(capacity(&queue) >= 50_000);
            assert_eq!(drain(&mut queue).len(), 50_000);
            queue.push(at(queue.now().as_nanos() + 10), 0, 0);
            queue.pop();
            assert!(capacity(&queue) < 10_000, "round {round}: {}", capacity(&queue));
        }
    }

    #[test]
    fn timers_that_are_always_cancelled_do_not_pile_up() {
        let mut queue = Queue::new();
        queue.push(at(1), 0, 0);
        for i in 0..100_000 {
            let timer = queue.push_timer(at(1_000_000_000 + i), 0, 1);
            assert!(queue.cancel(timer));
        }
        assert!(capacity(&queue) < 5_000, "{}", capacity(&queue));
        assert_eq!(drain(&mut queue), [(1, 0)]);
    }
}
