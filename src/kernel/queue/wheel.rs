//! The hierarchical timing wheel (Varghese and Lauck 1987): events of the far future, coarsely sorted.
//!
//! Times are seen as numbers of 11 digits of 6 bits. `base` is a time before all entries. An entry lies on the
//! level of the highest digit in which its time differs from `base`, in the slot with the value of that digit.
//! All slots of a lower level are therefore earlier than those of a higher one, and the earliest entries of all
//! are in the first occupied slot of the lowest occupied level. Taking that slot out moves `base` to its start,
//! and its entries, placed anew, go to lower levels.
use super::timers::Timers;
use std::mem;

/// Bits of the time per level.
const DIGIT: u32 = 6;
/// Slots per level.
const SLOTS: usize = 1 << DIGIT;
/// Levels that cover 64 bits.
const LEVELS: usize = u64::BITS.div_ceil(DIGIT) as usize;
/// A drained slot keeps a buffer for up to this many entries; a larger one is freed, lest a burst of events
/// leave buffers of its size on every level for ever.
pub(super) const KEPT_CAPACITY: usize = 64;

/// An event in the queue.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry<E> {
    /// Nanoseconds.
    pub(super) time: u64,
    pub(super) cause: u32,
    /// The slot of its timer, or `NO_TIMER`.
    pub(super) timer: u32,
    pub(super) event: E,
}

#[derive(Debug)]
pub(super) struct Wheel<E> {
    base: u64,
    /// Bit `l`: level `l` has an occupied slot.
    levels: u32,
    /// Per level, bit `s`: slot `s` is not empty.
    occupied: [u64; LEVELS],
    /// All slots, level by level. Equal times share a slot, in order of insertion.
    slots: Vec<Vec<Entry<E>>>,
}

/// A slot taken out of the wheel.
pub(super) struct Taken<E> {
    /// Its place in `Wheel::slots`.
    place: usize,
    /// The first instant after it.
    pub(super) end: u64,
    /// Its entries, in order of insertion among equal times.
    pub(super) entries: Vec<Entry<E>>,
}

impl<E> Taken<E> {
    /// Whether all entries have the same time.
    pub(super) fn is_one_instant(&self) -> bool {
        self.place < SLOTS
    }
}

/// The level and the slot within it for `time`, seen from `base`.
fn position(time: u64, base: u64) -> (usize, usize) {
    // With the lowest digit set, a time equal to the base is on level 0.
    let differing = (time ^ base) | (SLOTS as u64 - 1);
    let level = differing.ilog2() / DIGIT;
    (level as usize, (time >> (level * DIGIT)) as usize % SLOTS)
}

impl<E: Copy> Wheel<E> {
    pub(super) fn new() -> Wheel<E> {
        let slots = (0..LEVELS * SLOTS).map(|_| Vec::new()).collect();
        Wheel { base: 0, levels: 0, occupied: [0; LEVELS], slots }
    }

    /// Adds an entry, which must not be earlier than the base.
    pub(super) fn place(&mut self, entry: Entry<E>) {
        debug_assert!(entry.time >= self.base);
        let (level, index) = position(entry.time, self.base);
        self.slots[level * SLOTS + index].push(entry);
        self.occupied[level] |= 1 << index;
        self.levels |= 1 << level;
    }

    /// Takes out the slot with the earliest entries and moves the base to its start. That changes the position
    /// of no other entry: they differ from the old base and from the new in the same highest digit.
    pub(super) fn take_first(&mut self) -> Option<Taken<E>> {
        let (level, index) = self.first()?;
        let shift = level as u32 * DIGIT;
        let digits_down_to_this = ((self.base >> shift) & !(SLOTS as u64 - 1)) | index as u64;
        self.base = digits_down_to_this << shift;
        self.mark_empty(level, index);
        let place = level * SLOTS + index;
        let entries = mem::take(&mut self.slots[place]);
        Some(Taken { place, end: self.base.saturating_add(1 << shift), entries })
    }

    /// Keeps the buffer of a drained slot for its next turn.
    pub(super) fn give_back(&mut self, mut slot: Taken<E>) {
        // Entries spread from a slot go to lower levels, never to the same: it is empty.
        if slot.entries.capacity() <= KEPT_CAPACITY {
            slot.entries.clear();
            self.slots[slot.place] = slot.entries;
        }
    }

    /// The time of the first live entry. Scans one slot, and drops the dead entries before it.
    pub(super) fn earliest(&mut self, timers: &mut Timers) -> Option<u64> {
        while let Some((level, index)) = self.first() {
            let entries = &mut self.slots[level * SLOTS + index];
            drop_dead(entries, timers);
            if let Some(time) = entries.iter().map(|entry| entry.time).min() {
                return Some(time);
            }
            self.mark_empty(level, index);
        }
        None
    }

    /// All entries, dead ones included.
    pub(super) fn entries(&self) -> impl Iterator<Item = &Entry<E>> {
        self.slots.iter().flatten()
    }

    /// Starts over from `base`. The wheel must be empty.
    pub(super) fn restart(&mut self, base: u64) {
        debug_assert_eq!(self.levels, 0);
        self.base = base;
    }

    /// Drops all dead entries.
    pub(super) fn sweep(&mut self, timers: &mut Timers) {
        for level in 0..LEVELS {
            for index in ones(self.occupied[level]) {
                let entries = &mut self.slots[level * SLOTS + index];
                drop_dead(entries, timers);
                if entries.is_empty() {
                    self.mark_empty(level, index);
                }
            }
        }
    }

    /// Copies `source`, reusing the buffers of `self` and touching only slots that are occupied on either side.
    pub(super) fn copy_from(&mut self, source: &Wheel<E>) {
        for level in 0..LEVELS {
            for index in ones(self.occupied[level] | source.occupied[level]) {
                let place = level * SLOTS + index;
                self.slots[place].clone_from(&source.slots[place]);
            }
        }
        self.base = source.base;
        self.levels = source.levels;
        self.occupied = source.occupied;
    }

    /// The level and index of the slot with the earliest entries.
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
}

/// Drops the entries of cancelled timers; the others keep their order.
pub(super) fn drop_dead<E>(entries: &mut Vec<Entry<E>>, timers: &mut Timers) {
    if timers.dead() > 0 {
        entries.retain(|entry| timers.keep(entry.timer));
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

#[cfg(test)]
impl<E> Wheel<E> {
    /// How many entries fit into all buffers.
    pub(super) fn capacity(&self) -> usize {
        self.slots.iter().map(Vec::capacity).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::super::timers::NO_TIMER;
    use super::*;

    #[test]
    fn positions_follow_the_highest_differing_digit() {
        for (time, base, level, index) in [
            (0, 0, 0, 0),
            (63, 0, 0, 63),
            (64, 0, 1, 1),
            (64, 64, 0, 0),
            (130, 65, 1, 2),
            (130, 128, 0, 2),
            (4096 * 5, 63, 2, 5),
            (u64::MAX, 0, 10, 15),
            (u64::MAX, u64::MAX - 64, 1, 63),
        ] {
            assert_eq!(position(time, base), (level, index), "{time} from {base}");
        }
    }

    #[test]
    fn slots_come_out_in_order_of_time_and_end_where_the_next_may_begin() {
        let mut wheel = Wheel::new();
        // Every power of two, and the last instant there is.
        for time in (0..64).map(|bit| 1u64 << bit).rev().chain([u64::MAX - 1]) {
            wheel.place(Entry { time, cause: 0, timer: NO_TIMER, event: () });
        }
        let mut end = 0;
        let mut count = 0;
        while let Some(slot) = wheel.take_first() {
            for entry in &slot.entries {
                assert!(end <= entry.time && entry.time < slot.end, "{} in {end}..{}", entry.time, slot.end);
            }
            count += slot.entries.len();
            end = slot.end;
            wheel.give_back(slot);
        }
        assert_eq!((count, end), (65, u64::MAX));
    }
}
