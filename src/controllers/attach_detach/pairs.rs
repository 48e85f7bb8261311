//! The (volume, node) pairs the attach/detach controller knows of: what pods want, and what it believes is so.
//!
//! Desired and actual state of world (`pkg/controller/volume/attachdetach/cache`) in one table. A pair has a number
//! for events; it is forgotten when nobody wants it and nothing is attached.
use crate::api::objects::{Node, Pod, Volume};
use crate::kernel::{Duration, Id, Time, Timer};
use std::collections::{BTreeMap, BTreeSet};

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
#[derive(Clone, Debug)]
pub(super) struct Pair {
    pub(super) volume: Id<Volume>,
    pub(super) node: Id<Node>,
    /// Pods on the node that want the volume; empty: unwanted.
    pub(super) pods: Vec<Id<Pod>>,
    pub(super) actual: Actual,
    /// In volumesInUse as last seen; true until a Node event after the attach says otherwise (VOL-32).
    pub(super) mounted: bool,
    /// Belongs into node.status.volumesAttached.
    pub(super) reported: bool,
    /// The Multi-Attach event has been sent (VOL-34).
    pub(super) multi_attach_told: bool,
    /// Since when it is seen attached and unwanted; never: it is not (VOL-31 step 1).
    pub(super) unwanted_since: Time,
    /// Runs from then on for the time an unmount may take (VOL-45).
    pub(super) timer: Option<Timer>,
    pub(super) operation: Operation,
    /// Guards against stale events.
    pub(super) token: u32,
    pub(super) backoff: Option<Backoff>,
}

impl Pair {
    fn new((volume, node): Key) -> Pair {
        Pair {
            volume,
            node,
            pods: Vec::new(),
            actual: Actual::Detached,
            mounted: true,
            reported: false,
            multi_attach_told: false,
            unwanted_since: Time::NEVER,
            timer: None,
            operation: Operation::None,
            token: 0,
            backoff: None,
        }
    }

    /// The pair's volume and node.
    pub(super) fn key(&self) -> Key {
        (self.volume, self.node)
    }

    /// An operation of this kind has to wait (VOL-35).
    pub(super) fn is_backing_off(&self, kind: OperationKind, now: Time) -> bool {
        self.backoff.is_some_and(|backoff| backoff.kind == kind && now < backoff.until)
    }
}

/// All pairs.
#[derive(Clone, Debug, Default)]
pub(super) struct Pairs {
    slots: Vec<Option<Pair>>,
    free: Vec<u32>,
    by_volume: BTreeMap<Key, u32>,
    by_node: BTreeSet<(Id<Node>, Id<Volume>)>,
    /// Pairs that no pod wants, by node.
    unwanted: BTreeSet<(Id<Node>, Id<Volume>)>,
}

impl Pairs {
    /// The number of a pair; makes it known.
    pub(super) fn add(&mut self, key: Key) -> u32 {
        if let Some(slot) = self.by_volume.get(&key) {
            return *slot;
        }
        let slot = self.free.pop().unwrap_or_else(|| {
            self.slots.push(None);
            u32::try_from(self.slots.len() - 1).unwrap_or(u32::MAX)
        });
        self.slots[slot as usize] = Some(Pair::new(key));
        self.by_volume.insert(key, slot);
        self.by_node.insert((key.1, key.0));
        self.unwanted.insert((key.1, key.0));
        slot
    }

    /// The number of a known pair.
    pub(super) fn slot(&self, key: Key) -> Option<u32> {
        self.by_volume.get(&key).copied()
    }

    /// A pair by number.
    pub(super) fn get(&self, slot: u32) -> Option<&Pair> {
        self.slots.get(slot as usize)?.as_ref()
    }

    /// A pair by number, to change.
    pub(super) fn get_mut(&mut self, slot: u32) -> Option<&mut Pair> {
        self.slots.get_mut(slot as usize)?.as_mut()
    }

    /// All pairs of a volume.
    pub(super) fn of_volume(&self, volume: Id<Volume>) -> impl Iterator<Item = (u32, &Pair)> {
        let all = (volume, Id::from_index(0))..=(volume, Id::NONE);
        self.by_volume.range(all).filter_map(|(_, slot)| Some((*slot, self.get(*slot)?)))
    }

    /// The volumes of all pairs of a node.
    pub(super) fn volumes_of(&self, node: Id<Node>) -> Vec<Id<Volume>> {
        let all = (node, Id::from_index(0))..=(node, Id::NONE);
        self.by_node.range(all).map(|(_, volume)| *volume).collect()
    }

    /// The volumes of the pairs of a node that no pod wants.
    pub(super) fn unwanted_on(&self, node: Id<Node>) -> Vec<Id<Volume>> {
        let all = (node, Id::from_index(0))..=(node, Id::NONE);
        self.unwanted.range(all).map(|(_, volume)| *volume).collect()
    }

    /// A pod wants the volume on its node.
    pub(super) fn want(&mut self, key: Key, pod: Id<Pod>) {
        let slot = self.add(key);
        self.unwanted.remove(&(key.1, key.0));
        if let Some(pair) = self.get_mut(slot) {
            pair.pods.push(pod);
        }
    }

    /// A pod wants the volume on its node no more.
    pub(super) fn let_go(&mut self, key: Key, pod: Id<Pod>) {
        let Some(pair) = self.slot(key).and_then(|slot| self.get_mut(slot)) else { return };
        pair.pods.retain(|other| *other != pod);
        if pair.pods.is_empty() {
            pair.multi_attach_told = false;
            self.unwanted.insert((key.1, key.0));
        }
    }

    /// All pairs, by volume and node.
    pub(super) fn keys(&self) -> Vec<Key> {
        self.by_volume.keys().copied().collect()
    }

    /// Forgets the pair if nobody wants it and nothing is attached.
    pub(super) fn forget_if_idle(&mut self, slot: u32) {
        let idle = self.get(slot).is_some_and(|pair| {
            pair.pods.is_empty() && pair.actual == Actual::Detached && pair.operation == Operation::None
        });
        if idle && let Some(pair) = self.slots[slot as usize].take() {
            self.by_volume.remove(&pair.key());
            self.by_node.remove(&(pair.node, pair.volume));
            self.unwanted.remove(&(pair.node, pair.volume));
            self.free.push(slot);
        }
    }
}
