//! The cloud: which disks there are, in which zone, and to which machine each is attached.
//!
//! Cloud truth, whatever the API says: EC2's volume and attachment states (VOL-51), one attachment at a time, zonal
//! (VOL-52), a limit per machine (INV-46), `DetachVolume` that waits for a live machine to unmount (VOL-57). It goes on
//! while the CSI controller is down. Left out: snapshots, Multi-Attach of io2 (VOL-58), modification (VOL-22).
use crate::api::names::{Sym, Uid};
use crate::api::objects::{AttachError, Attachment, Node};
use crate::api::store::Store;
use crate::kernel::Id;
use crate::rule::mark;
use std::collections::{BTreeMap, BTreeSet};

/// State of a disk and of its one attachment (VOL-51).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum DiskState {
    /// Attached nowhere.
    Available,
    /// On its way to this machine.
    Attaching(Id<Node>),
    /// Attached to this machine.
    Attached(Id<Node>),
    /// Detach asked for; the machine may not have let go yet (busy).
    Detaching(Id<Node>),
}

impl DiskState {
    /// The machine that holds the disk, in whatever state.
    pub fn node(self) -> Option<Id<Node>> {
        match self {
            DiskState::Available => None,
            DiskState::Attaching(node) | DiskState::Attached(node) | DiskState::Detaching(node) => Some(node),
        }
    }
}

/// One disk.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Disk {
    /// Its Availability Zone, for ever; empty: not known, fits anywhere.
    pub zone: Sym,
    /// Where it is.
    pub state: DiskState,
}

/// An attach or detach under way in the cloud, by the attachment that asked for it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Operation {
    /// The disk.
    pub disk: u32,
    /// The machine.
    pub node: Id<Node>,
}

/// A disk as it is kept, of which there may be a million: 8 bytes.
#[derive(Clone, Copy, Debug)]
struct Packed {
    zone: Sym,
    /// State in the two highest bits, node in the others; [`Packed::NONE`]: there is no such disk.
    state: u32,
}

impl Packed {
    const NONE: Packed = Packed { zone: Sym::EMPTY, state: u32::MAX };
    const NODE: u32 = (1 << 30) - 1;

    fn new(disk: Disk) -> Packed {
        let (state, node) = match disk.state {
            DiskState::Available => (0, 0),
            DiskState::Attaching(node) => (1, node.as_u32()),
            DiskState::Attached(node) => (2, node.as_u32()),
            DiskState::Detaching(node) => (3, node.as_u32()),
        };
        debug_assert!(node < Packed::NODE, "a machine beyond the first billion");
        Packed { zone: disk.zone, state: state << 30 | node }
    }

    fn disk(self) -> Option<Disk> {
        let node = Id::from_index((self.state & Packed::NODE) as usize);
        let state = match self.state >> 30 {
            _ if self.state == u32::MAX => return None,
            0 => DiskState::Available,
            1 => DiskState::Attaching(node),
            2 => DiskState::Attached(node),
            _ => DiskState::Detaching(node),
        };
        Some(Disk { zone: self.zone, state })
    }
}

/// Disks by number.
#[derive(Clone, Debug, Default)]
struct Disks {
    /// Those made in this run; they are numbered one after another.
    made: Vec<Packed>,
    /// Those that were there before.
    foreign: BTreeMap<u32, Disk>,
    /// See [`Ebs::changes`].
    changes: u64,
}

impl Disks {
    fn get(&self, disk: u32) -> Option<Disk> {
        if Store::is_foreign_disk(disk) {
            return self.foreign.get(&disk).copied();
        }
        self.made.get(disk as usize)?.disk()
    }

    fn insert(&mut self, number: u32, disk: Disk) {
        self.changes += 1;
        if Store::is_foreign_disk(number) {
            self.foreign.insert(number, disk);
            return;
        }
        if number as usize >= self.made.len() {
            self.made.resize(number as usize + 1, Packed::NONE);
        }
        self.made[number as usize] = Packed::new(disk);
    }

    fn remove(&mut self, disk: u32) {
        self.changes += 1;
        if Store::is_foreign_disk(disk) {
            self.foreign.remove(&disk);
        } else if let Some(place) = self.made.get_mut(disk as usize) {
            *place = Packed::NONE;
        }
    }

    fn iter(&self) -> impl Iterator<Item = (u32, Disk)> {
        let made = (0u32..).zip(&self.made).filter_map(|(number, disk)| Some((number, disk.disk()?)));
        made.chain(self.foreign.iter().map(|(number, disk)| (*number, *disk)))
    }
}

/// All disks of the region.
#[derive(Clone, Debug, Default)]
pub struct Ebs {
    disks: Disks,
    /// CreateVolume under way, by claim: number and zone of the disk.
    creating: BTreeMap<Uid, (u32, Sym)>,
    /// Disks made for a claim whose volume object is not written yet: CreateVolume is idempotent by name.
    created_for: BTreeMap<Uid, u32>,
    /// Disks on each machine, in whatever state (INV-46).
    on_node: BTreeMap<Id<Node>, u32>,
    attaching: BTreeMap<(Id<Attachment>, Uid), Operation>,
    detaching: BTreeMap<(Id<Attachment>, Uid), Operation>,
    full_zones: BTreeSet<Sym>,
    /// Disks that are gone by a fault.
    lost: BTreeSet<u32>,
}

impl Ebs {
    /// The disk of this number.
    pub fn disk(&self, disk: u32) -> Option<Disk> {
        self.disks.get(disk)
    }

    /// All disks, by number.
    pub fn disks(&self) -> impl Iterator<Item = (u32, Disk)> {
        self.disks.iter()
    }

    /// Grows whenever a disk comes, goes or moves.
    pub fn changes(&self) -> u64 {
        self.disks.changes
    }

    /// Number of disks on a machine, attaching and detaching ones included (INV-46).
    pub fn on_node(&self, node: Id<Node>) -> u32 {
        self.on_node.get(&node).copied().unwrap_or(0)
    }

    /// A zone has no room for new disks, or has it again (VOL-14).
    pub fn set_zone_full(&mut self, zone: Sym, full: bool) {
        if full {
            self.full_zones.insert(zone);
        } else {
            self.full_zones.remove(&zone);
        }
    }

    /// True if CreateVolume in this zone is refused for lack of capacity (VOL-14).
    pub fn is_full(&self, zone: Sym) -> bool {
        self.full_zones.contains(&zone)
    }

    /// The disk made for a claim earlier, if its volume object is not known to be written.
    pub fn created_for(&self, claim: Uid) -> Option<u32> {
        self.created_for.get(&claim).copied()
    }

    /// CreateVolume is asked for. False: it is under way for this claim already.
    pub fn create(&mut self, disk: u32, zone: Sym, claim: Uid) -> bool {
        let new = !self.creating.contains_key(&claim);
        if new {
            self.creating.insert(claim, (disk, zone));
        }
        new
    }

    /// CreateVolume is done: the disk is there.
    pub fn created(&mut self, claim: Uid) {
        if let Some((disk, zone)) = self.creating.remove(&claim) {
            self.disks.insert(disk, Disk { zone, state: DiskState::Available });
            self.created_for.insert(claim, disk);
        }
    }

    /// The volume object of a new disk is written: its name is not asked for again.
    pub fn settled(&mut self, claim: Uid) {
        self.created_for.remove(&claim);
    }

    /// A disk that was there before the run, named by a volume made by hand.
    pub fn know(&mut self, disk: u32, zone: Sym) {
        if self.disk(disk).is_none() && !self.lost.contains(&disk) {
            self.disks.insert(disk, Disk { zone, state: DiskState::Available });
        }
    }

    /// DeleteVolume. False while the disk is attached somewhere; a disk that is gone is no error.
    pub fn delete(&mut self, disk: u32) -> bool {
        if self.disks.get(disk).is_some_and(|d| d.state != DiskState::Available) {
            return false;
        }
        self.disks.remove(disk);
        true
    }

    /// The disk and all data on it are gone (fault).
    pub fn lose(&mut self, disk: u32) {
        self.set_state(disk, DiskState::Available);
        self.disks.remove(disk);
        self.lost.insert(disk);
        self.attaching.retain(|_, operation| operation.disk != disk);
        self.detaching.retain(|_, operation| operation.disk != disk);
    }

    /// The machine is gone: what was attached to it is free (LAT-17).
    pub fn release(&mut self, node: Id<Node>) {
        let disks: Vec<u32> = self
            .disks()
            .filter(|(_, disk)| disk.state.node() == Some(node))
            .map(|(number, _)| number)
            .collect();
        self.attaching.retain(|_, operation| operation.node != node);
        for disk in disks {
            self.set_state(disk, DiskState::Available);
        }
    }

    fn set_state(&mut self, disk: u32, state: DiskState) {
        let Some(before) = self.disks.get(disk) else { return };
        mark!("VOL-51");
        let (old, new) = (before.state.node(), state.node());
        self.disks.insert(disk, Disk { state, ..before });
        if old == new {
            return;
        }
        if let Some(node) = old
            && let Some(count) = self.on_node.get_mut(&node)
        {
            *count -= 1;
            if *count == 0 {
                self.on_node.remove(&node);
            }
        }
        if let Some(node) = new {
            *self.on_node.entry(node).or_default() += 1;
        }
    }

    /// AttachVolume is asked for. `Ok(true)`: the disk is on its way; `Ok(false)`: it is there already.
    ///
    /// # Errors
    /// Attached elsewhere, another zone (VOL-52), no room (VOL-56), no such disk.
    pub fn attach(
        &mut self,
        by: (Id<Attachment>, Uid),
        operation: Operation,
        zone: Sym,
        limit: Option<u32>,
    ) -> Result<bool, AttachError> {
        let Operation { disk, node } = operation;
        let Some(found) = self.disks.get(disk) else { return Err(AttachError::NoDisk) };
        match found.state {
            DiskState::Attached(there) if there == node => return Ok(false),
            DiskState::Available => {}
            _ => return Err(AttachError::InUse),
        }
        if !found.zone.is_empty() && found.zone != zone {
            mark!("VOL-52");
            return Err(AttachError::OtherZone);
        }
        if limit.is_some_and(|limit| self.on_node(node) >= limit) {
            mark!("VOL-56");
            return Err(AttachError::LimitExceeded);
        }
        self.set_state(disk, DiskState::Attaching(node));
        self.attaching.insert(by, operation);
        Ok(true)
    }

    /// The attach that this attachment asked for, if it is still under way.
    pub fn attaching(&self, by: (Id<Attachment>, Uid)) -> Option<Operation> {
        self.attaching.get(&by).copied()
    }

    /// An attach under way is over: done, or called off (VOL-56).
    pub fn attach_ends(&mut self, by: (Id<Attachment>, Uid), done: bool) -> Option<Operation> {
        let operation = self.attaching.remove(&by)?;
        let state = if done { DiskState::Attached(operation.node) } else { DiskState::Available };
        self.set_state(operation.disk, state);
        Some(operation)
    }

    /// DetachVolume is asked for. False: the disk is not on that machine, there is nothing to wait for.
    pub fn detach(&mut self, by: (Id<Attachment>, Uid), operation: Operation) -> bool {
        let here = self.disks.get(operation.disk).is_some_and(|disk| {
            matches!(disk.state, DiskState::Attached(node) | DiskState::Detaching(node) if node == operation.node)
        });
        if here {
            self.set_state(operation.disk, DiskState::Detaching(operation.node));
            self.detaching.insert(by, operation);
        }
        here
    }

    /// The detach that this attachment asked for, if it is still under way.
    pub fn detaching(&self, by: (Id<Attachment>, Uid)) -> Option<Operation> {
        self.detaching.get(&by).copied()
    }

    /// The detaches under way of a disk from a machine.
    pub fn detaches(&self, operation: Operation) -> Vec<(Id<Attachment>, Uid)> {
        self.detaching.iter().filter(|(_, under_way)| **under_way == operation).map(|(by, _)| *by).collect()
    }

    /// A detach under way is done.
    pub fn detached(&mut self, by: (Id<Attachment>, Uid)) -> Option<Operation> {
        let operation = self.detaching.remove(&by)?;
        if self.disks.get(operation.disk).is_some_and(|d| d.state == DiskState::Detaching(operation.node)) {
            self.set_state(operation.disk, DiskState::Available);
        }
        Some(operation)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::names::Interner;
    use proptest::prelude::*;

    fn node(index: usize) -> Id<Node> {
        Id::from_index(index)
    }

    fn by(index: usize) -> (Id<Attachment>, Uid) {
        (Id::from_index(index), Uid(1))
    }

    #[test]
    fn a_disk_goes_to_one_machine_of_its_zone() {
        let mut names = Interner::default();
        let (a, b) = (names.word("zone-a"), names.word("zone-b"));
        let mut cloud = Ebs::default();
        assert!(cloud.create(1, a, Uid(9)));
        assert!(!cloud.create(2, b, Uid(9)), "idempotent by name");
        assert_eq!(cloud.created_for(Uid(9)), None);
        cloud.created(Uid(9));
        assert_eq!(cloud.created_for(Uid(9)), Some(1));
        let [here, there] = [0, 1].map(|n| Operation { disk: 1, node: node(n) });
        assert_eq!(cloud.attach(by(0), here, b, None), Err(AttachError::OtherZone));
        assert_eq!(cloud.attach(by(0), here, a, Some(0)), Err(AttachError::LimitExceeded));
        assert_eq!(cloud.attach(by(0), here, a, Some(1)), Ok(true));
        assert_eq!(cloud.attach(by(1), there, a, None), Err(AttachError::InUse));
        assert!(!cloud.detach(by(0), here), "a detach waits for the attach");
        assert_eq!(cloud.attach_ends(by(0), true), Some(here));
        assert_eq!(cloud.attach(by(0), here, a, Some(1)), Ok(false));
        assert!(!cloud.delete(1));
        assert!(cloud.detach(by(0), here));
        assert_eq!(cloud.attach(by(1), there, a, None), Err(AttachError::InUse));
        assert_eq!(cloud.detached(by(0)), Some(here));
        assert_eq!(cloud.on_node(node(0)), 0);
        assert_eq!(cloud.attach(by(1), there, a, None), Ok(true));
        cloud.lose(1);
        assert_eq!((cloud.on_node(node(1)), cloud.attach_ends(by(1), true)), (0, None));
        assert_eq!(cloud.attach(by(1), there, a, None), Err(AttachError::NoDisk));
    }

    proptest! {
        /// Whatever is asked for in whatever order: a disk is on one machine of its zone, and no machine is over its
        /// limit (VOL-51, VOL-52, INV-46).
        #[test]
        fn no_order_of_requests_breaks_the_cloud(
            steps in prop::collection::vec((0u8..6, 1u32..5, 0usize..4), 0..200),
        ) {
            let mut names = Interner::default();
            let zones = [names.word("zone-a"), names.word("zone-b")];
            let mut cloud = Ebs::default();
            for disk in 1..5u32 {
                cloud.create(disk, zones[disk as usize % 2], Uid(disk));
                cloud.created(Uid(disk));
            }
            for (what, disk, n) in steps {
                let operation = Operation { disk, node: node(n) };
                let asked = by(disk as usize * 4 + n);
                match what {
                    0 | 1 => {
                        let before = cloud.disk(disk);
                        let result = cloud.attach(asked, operation, zones[n % 2], Some(1));
                        if result == Ok(true) {
                            prop_assert_eq!(before.map(|d| d.state), Some(DiskState::Available));
                        }
                    }
                    2 => { cloud.attach_ends(asked, n != 3); }
                    3 => { cloud.detach(asked, operation); }
                    4 => { cloud.detached(asked); }
                    _ => { cloud.delete(disk); }
                }
                for (_, disk) in cloud.disks() {
                    if let Some(node) = disk.state.node() {
                        prop_assert_eq!(disk.zone, zones[node.index() % 2]);
                    }
                }
                for n in 0..4 {
                    let holds = cloud.disks().filter(|(_, d)| d.state.node() == Some(node(n))).count();
                    prop_assert_eq!(cloud.on_node(node(n)) as usize, holds);
                    prop_assert!(holds <= 1);
                }
            }
        }
    }
}
