//! The (volume, node) pairs the attach/detach controller knows of: what pods want, and what it believes is so.
//!
//! Desired and actual state of world (`pkg/controller/volume/attachdetach/cache`) in one table. A pair has a number
//! for events; it is forgotten when nobody wants it and nothing is attached. There is a pair for each claim of each
//! pod, and nearly all of them are at rest: a pair is 16 bytes, and what belongs to an operation is kept aside
//! ([`Work`]) as long as there is one.
use crate::api::objects::{Node, Pod, Volume};
use crate::kernel::{Duration, Id, Time, Timer, U24, make_room};
use rustc_hash::FxHashMap;
use std::collections::BTreeSet;

/// A volume and a node.
pub(super) type Key = (Id<Volume>, Id<Node>);

/// What the controller believes about a pair.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) enum Actual {
    /// Not attached.
    #[default]
    Detached,
    /// An attach or detach failed: it may or may not be attached (VOL-36).
    Uncertain,
    /// Attached.
    Attached,
}

/// The operation under way on a pair. One at a time; a volume for one node has one over all its pairs (VOL-35).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) enum Operation {
    /// None.
    #[default]
    None,
    /// Attach: the VolumeAttachment is being created.
    Create,
    /// Attach: waits since then for its status (VOL-30, VOL-33).
    AwaitAttached(Time),
    /// Detach: node.status.volumesAttached is being written (VOL-31 step 3); whether volumesInUse is verified.
    Unreport(bool),
    /// Detach: the VolumeAttachment is being deleted.
    Delete,
    /// Detach: waits since then for it to be gone.
    AwaitGone(Time),
}

/// Kinds of operations, for back-off (VOL-35).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum OperationKind {
    /// Attach.
    Attach,
    /// Detach.
    Detach,
}

/// After a failure: no operation of the same kind before `until`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Backoff {
    pub(super) kind: OperationKind,
    pub(super) delay: Duration,
    pub(super) until: Time,
}

/// One pair.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pair {
    pub(super) volume: Id<Volume>,
    /// Its table position. There is a pair for each volume, so that it is kept in three bytes.
    node: U24,
    flags: u8,
    /// The first pod on the node that wants the volume; `NONE`: unwanted.
    pod: Id<Pod>,
}

/// What is going on about a pair.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Work {
    /// Since when it is seen attached and unwanted; never: it is not (VOL-31 step 1).
    pub(super) unwanted_since: Time,
    /// Runs from then on for the time an unmount may take (VOL-45).
    pub(super) timer: Option<Timer>,
    pub(super) operation: Operation,
    /// Of the event under way, 0 if there is none: older ones are stale.
    pub(super) token: u32,
    pub(super) backoff: Option<Backoff>,
}

impl Work {
    /// Of a pair at rest.
    const NONE: Work = Work {
        unwanted_since: Time::NEVER,
        timer: None,
        operation: Operation::None,
        token: 0,
        backoff: None,
    };

    /// An operation of this kind has to wait (VOL-35).
    pub(super) fn is_backing_off(&self, kind: OperationKind, now: Time) -> bool {
        self.backoff.is_some_and(|backoff| backoff.kind == kind && now < backoff.until)
    }
}

/// No pair.
pub(super) const NONE: u32 = u32::MAX;

impl Pair {
    fn new((volume, node): Key) -> Pair {
        Pair { volume, node: U24::of(node.as_u32()), flags: Pair::MOUNTED, pod: Id::NONE }
    }

    /// In volumesInUse as last seen; true until a Node event after the attach says otherwise (VOL-32).
    pub(super) const MOUNTED: u8 = 1 << 2;
    /// Belongs into node.status.volumesAttached.
    pub(super) const REPORTED: u8 = 1 << 3;
    /// The Multi-Attach event has been sent (VOL-34).
    pub(super) const MULTI_ATTACH_TOLD: u8 = 1 << 4;
    /// The bits that hold [`Actual`].
    const ACTUAL: u8 = 0b11;

    /// This is so.
    pub(super) fn is(&self, flag: u8) -> bool {
        self.flags & flag != 0
    }

    pub(super) fn set(&mut self, flag: u8, on: bool) {
        self.flags = if on { self.flags | flag } else { self.flags & !flag };
    }

    /// Whether the volume is attached, as far as the controller knows.
    pub(super) fn actual(&self) -> Actual {
        match self.flags & Pair::ACTUAL {
            0 => Actual::Detached,
            1 => Actual::Uncertain,
            _ => Actual::Attached,
        }
    }

    pub(super) fn set_actual(&mut self, actual: Actual) {
        self.flags = self.flags & !Pair::ACTUAL | actual as u8;
    }

    /// Its node.
    pub(super) fn node(&self) -> Id<Node> {
        Id::from_index(self.node.get() as usize)
    }

    /// The pair's volume and node.
    pub(super) fn key(&self) -> Key {
        (self.volume, self.node())
    }

    /// A pod on the node wants the volume.
    pub(super) fn is_wanted(&self) -> bool {
        !self.pod.is_none()
    }
}

/// All pairs.
#[derive(Clone, Debug, Default)]
pub(super) struct Pairs {
    /// A pair without a volume is a free slot.
    slots: Vec<Pair>,
    free: Vec<u32>,
    /// By table position of the volume: its first pair. The others follow in order of nodes.
    of_volume: Vec<u32>,
    /// What follows a pair of a volume that has several.
    following: FxHashMap<u32, u32>,
    /// By table position of the node: the volumes of its pairs, sorted.
    of_node: Vec<Vec<Id<Volume>>>,
    /// Pairs that no pod wants, by node.
    unwanted: BTreeSet<(Id<Node>, Id<Volume>)>,
    /// Further pods that want a volume on a node, of shared claims.
    more_pods: FxHashMap<u32, Vec<Id<Pod>>>,
    works: FxHashMap<u32, Work>,
}

impl Pairs {
    /// The number of a pair; makes it known.
    pub(super) fn add(&mut self, key: Key) -> u32 {
        let (before, next) = self.around(key);
        if let Some(slot) = next.filter(|next| self.slots[*next as usize].node() == key.1) {
            return slot;
        }
        let pair = Pair::new(key);
        let slot = match self.free.pop() {
            Some(slot) => {
                self.slots[slot as usize] = pair;
                slot
            }
            None => {
                self.slots.push(pair);
                u32::try_from(self.slots.len() - 1).unwrap_or(NONE)
            }
        };
        self.follow(slot, next.unwrap_or(NONE));
        self.link(key.0, before, slot);
        if key.1.index() >= self.of_node.len() {
            self.of_node.resize_with(key.1.index() + 1, Vec::new);
        }
        let volumes = &mut self.of_node[key.1.index()];
        if let Err(at) = volumes.binary_search(&key.0) {
            make_room(volumes);
            volumes.insert(at, key.0);
        }
        self.unwanted.insert((key.1, key.0));
        slot
    }

    /// The last pair of the volume on a node before this one, and the first that is not before it.
    fn around(&self, (volume, node): Key) -> (Option<u32>, Option<u32>) {
        let mut before = None;
        for (slot, pair) in self.of_volume(volume) {
            if pair.node() >= node {
                return (before, Some(slot));
            }
            before = Some(slot);
        }
        (before, None)
    }

    /// The next pair of the same volume, or [`NONE`].
    fn next(&self, slot: u32) -> u32 {
        if self.following.is_empty() { NONE } else { self.following.get(&slot).copied().unwrap_or(NONE) }
    }

    /// Makes `next` follow `slot`; [`NONE`]: nothing does.
    fn follow(&mut self, slot: u32, next: u32) {
        if next != NONE {
            self.following.insert(slot, next);
        } else if !self.following.is_empty() {
            self.following.remove(&slot);
        }
    }

    /// Makes `slot` follow `before`, or the first of the volume.
    fn link(&mut self, volume: Id<Volume>, before: Option<u32>, slot: u32) {
        if volume.index() >= self.of_volume.len() {
            self.of_volume.resize(volume.index() + 1, NONE);
        }
        match before {
            Some(before) => self.follow(before, slot),
            None => self.of_volume[volume.index()] = slot,
        }
    }

    /// The number of a known pair.
    pub(super) fn slot(&self, key: Key) -> Option<u32> {
        self.of_volume(key.0).find(|(_, pair)| pair.node() == key.1).map(|(slot, _)| slot)
    }

    /// A pair by number.
    pub(super) fn get(&self, slot: u32) -> Option<&Pair> {
        self.slots.get(slot as usize).filter(|pair| !pair.volume.is_none())
    }

    /// A pair by number, to change.
    pub(super) fn get_mut(&mut self, slot: u32) -> Option<&mut Pair> {
        self.slots.get_mut(slot as usize).filter(|pair| !pair.volume.is_none())
    }

    /// What is going on about a pair.
    pub(super) fn work(&self, slot: u32) -> Work {
        if self.works.is_empty() { Work::NONE } else { self.works.get(&slot).copied().unwrap_or(Work::NONE) }
    }

    /// Changes what is going on about a known pair.
    pub(super) fn change_work(&mut self, slot: u32, change: impl FnOnce(&mut Work)) {
        let mut work = self.work(slot);
        change(&mut work);
        if work == Work::NONE || self.get(slot).is_none() {
            self.works.remove(&slot);
        } else {
            self.works.insert(slot, work);
        }
    }

    /// All pairs of a volume, in order of nodes.
    pub(super) fn of_volume(&self, volume: Id<Volume>) -> impl Iterator<Item = (u32, &Pair)> {
        let first = self.of_volume.get(volume.index()).copied();
        let pair = |slot: u32| Some((slot, self.get(slot)?));
        std::iter::successors(first.and_then(pair), move |(before, _)| pair(self.next(*before)))
    }

    /// The volumes of all pairs of a node, sorted.
    pub(super) fn volumes_of(&self, node: Id<Node>) -> &[Id<Volume>] {
        self.of_node.get(node.index()).map_or(&[], |volumes| volumes)
    }

    /// The volumes of the pairs of a node that no pod wants.
    pub(super) fn unwanted_on(&self, node: Id<Node>) -> Vec<Id<Volume>> {
        let all = (node, Id::from_index(0))..=(node, Id::NONE);
        self.unwanted.range(all).map(|(_, volume)| *volume).collect()
    }

    /// The pods on the node that want the volume, in the order in which they came.
    pub(super) fn pods(&self, slot: u32) -> impl Iterator<Item = Id<Pod>> {
        let first = self.get(slot).map(|pair| pair.pod).filter(|pod| !pod.is_none());
        first.into_iter().chain(self.more_pods.get(&slot).into_iter().flatten().copied())
    }

    /// A pod wants the volume on its node. The number of the pair, which holds as long as it does.
    pub(super) fn want(&mut self, key: Key, pod: Id<Pod>) -> u32 {
        let slot = self.add(key);
        self.unwanted.remove(&(key.1, key.0));
        if let Some(pair) = self.get_mut(slot) {
            if pair.is_wanted() {
                self.more_pods.entry(slot).or_default().push(pod);
            } else {
                pair.pod = pod;
            }
        }
        slot
    }

    /// A pod wants the volume on its node no more.
    pub(super) fn let_go(&mut self, key: Key, pod: Id<Pod>) {
        let Some(slot) = self.slot(key) else { return };
        let mut rest = self.pods(slot).filter(|other| *other != pod);
        let (first, more) = (rest.next(), rest.collect::<Vec<_>>());
        if more.is_empty() {
            self.more_pods.remove(&slot);
        } else {
            self.more_pods.insert(slot, more);
        }
        let Some(pair) = self.get_mut(slot) else { return };
        pair.pod = first.unwrap_or(Id::NONE);
        if first.is_none() {
            pair.set(Pair::MULTI_ATTACH_TOLD, false);
            self.unwanted.insert((key.1, key.0));
        }
    }

    /// All pairs, by volume and node.
    pub(super) fn keys(&self) -> Vec<Key> {
        let volumes = (0..self.of_volume.len()).map(Id::from_index);
        volumes.flat_map(|volume| self.of_volume(volume)).map(|(_, pair)| pair.key()).collect()
    }

    /// Forgets the pair if nobody wants it and nothing is attached.
    pub(super) fn forget_if_idle(&mut self, slot: u32) {
        let idle = self.get(slot).copied().filter(|pair| {
            !pair.is_wanted()
                && pair.actual() == Actual::Detached
                && self.work(slot).operation == Operation::None
        });
        let Some(pair) = idle else { return };
        let (before, _) = self.around(pair.key());
        let next = self.next(slot);
        self.link(pair.volume, before, next);
        self.follow(slot, NONE);
        let volumes = &mut self.of_node[pair.node().index()];
        if let Ok(at) = volumes.binary_search(&pair.volume) {
            volumes.remove(at);
        }
        self.unwanted.remove(&(pair.node(), pair.volume));
        self.works.remove(&slot);
        self.slots[slot as usize].volume = Id::NONE;
        self.free.push(slot);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    #[test]
    fn a_million_pairs_are_cheap() {
        assert!(size_of::<Pair>() <= 12, "{}", size_of::<Pair>());
    }

    proptest! {
        /// Whatever comes and goes: the pairs, their pods and their indexes are those of a map.
        #[test]
        fn behaves_as_a_map(steps in prop::collection::vec((0u8..4, 0usize..4, 0usize..4, 0usize..3), 0..150)) {
            let mut pairs = Pairs::default();
            let mut model: BTreeMap<Key, Vec<Id<Pod>>> = BTreeMap::new();
            for (what, volume, node, pod) in steps {
                let (key, pod) = ((Id::from_index(volume), Id::from_index(node)), Id::from_index(pod));
                match what {
                    0 | 1 if !model.get(&key).is_some_and(|pods| pods.contains(&pod)) => {
                        pairs.want(key, pod);
                        model.entry(key).or_default().push(pod);
                    }
                    2 => {
                        pairs.let_go(key, pod);
                        if let Some(pods) = model.get_mut(&key) {
                            pods.retain(|other| *other != pod);
                        }
                    }
                    3 => {
                        if let Some(slot) = pairs.slot(key) {
                            pairs.forget_if_idle(slot);
                        }
                        if model.get(&key).is_some_and(Vec::is_empty) {
                            model.remove(&key);
                        }
                    }
                    _ => {}
                }
                prop_assert_eq!(pairs.keys(), model.keys().copied().collect::<Vec<_>>());
                for (key, pods) in &model {
                    let slot = pairs.slot(*key).unwrap();
                    prop_assert_eq!(&pairs.pods(slot).collect::<Vec<_>>(), pods);
                    prop_assert_eq!(pairs.unwanted_on(key.1).contains(&key.0), pods.is_empty());
                }
                for node in (0..4).map(Id::from_index) {
                    let volumes: Vec<_> = model.keys().filter(|key| key.1 == node).map(|key| key.0).collect();
                    prop_assert_eq!(pairs.volumes_of(node), volumes);
                }
            }
        }
    }
}
