//! What is really mounted where: node truth that the cloud depends on.
//!
//! Nodes keep it (`mount`, `unmount`, `machine_stopped`), the cloud asks it: a disk that a live machine has mounted
//! cannot be taken from it (VOL-57). No object of the API says this; `volumesInUse` is only the last report of it.
use crate::api::objects::{Node, Volume};
use crate::event::{Event, StorageEvent};
use crate::kernel::{Duration, Id, make_room};
use crate::world::World;
use std::collections::BTreeSet;

/// Volumes mounted on live machines.
#[derive(Clone, Debug, Default)]
pub struct Mounts {
    /// By node, its volumes in order.
    mounted: Vec<Vec<Id<Volume>>>,
    /// Detaches that wait for the machine to let go.
    awaited: BTreeSet<(Id<Node>, Id<Volume>)>,
    /// By node, how often it has stopped.
    stops: Vec<u32>,
}

impl Mounts {
    fn on(&self, node: Id<Node>) -> &[Id<Volume>] {
        self.mounted.get(node.index()).map_or(&[], Vec::as_slice)
    }

    /// The machine has the volume mounted.
    pub fn has(&self, volume: Id<Volume>, node: Id<Node>) -> bool {
        self.on(node).binary_search(&volume).is_ok()
    }

    /// Everything mounted on a machine, in order of volume id.
    pub fn of(&self, node: Id<Node>) -> impl Iterator<Item = Id<Volume>> {
        self.on(node).iter().copied()
    }
}

impl World {
    /// A machine has mounted (staged) a volume.
    pub fn mount(&mut self, volume: Id<Volume>, node: Id<Node>) {
        let mounted = &mut self.mounts.mounted;
        if node.index() >= mounted.len() {
            mounted.resize_with(node.index() + 1, Vec::new);
        }
        let volumes = &mut mounted[node.index()];
        if let Err(place) = volumes.binary_search(&volume) {
            make_room(volumes);
            volumes.insert(place, volume);
        }
    }

    /// A machine has unmounted (unstaged) a volume.
    pub fn unmount(&mut self, volume: Id<Volume>, node: Id<Node>) {
        if let Some(volumes) = self.mounts.mounted.get_mut(node.index())
            && let Ok(place) = volumes.binary_search(&volume)
        {
            volumes.remove(place);
        }
        if self.mounts.awaited.remove(&(node, volume)) {
            self.after(Duration::ZERO, Event::Storage(StorageEvent::Unmounted(volume, node)));
        }
    }

    /// A machine has lost power or was stopped: nothing is mounted there any more (VOL-57).
    pub fn machine_stopped(&mut self, node: Id<Node>) {
        let stops = &mut self.mounts.stops;
        if node.index() >= stops.len() {
            stops.resize(node.index() + 1, 0);
        }
        stops[node.index()] += 1;
        let volumes: Vec<_> = self.mounts.of(node).collect();
        for volume in volumes {
            self.unmount(volume, node);
        }
        if let Some(volumes) = self.mounts.mounted.get_mut(node.index()) {
            volumes.shrink_to_fit();
        }
    }

    /// How often a machine has lost power or was stopped: what was in its memory before is gone.
    pub fn machine_stops(&self, node: Id<Node>) -> u32 {
        self.mounts.stops.get(node.index()).copied().unwrap_or(0)
    }

    /// The cloud waits for a machine to let go of a volume: `StorageEvent::Unmounted` comes when it has.
    pub fn await_unmount(&mut self, volume: Id<Volume>, node: Id<Node>) {
        self.mounts.awaited.insert((node, volume));
    }
}
