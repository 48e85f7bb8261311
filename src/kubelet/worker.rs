//! Pod workers: what a kubelet knows and does about one incarnation of one pod (pkg/kubelet/pod_workers.go).
//!
//! There is one worker per (pod, uid). It may outlive its API object, and while it stops, its successor of the same
//! name may already run on another node or on the same one (POD-41): so workers are found by the pod's table position
//! and uid, and those that a successor has displaced are kept aside. A worker is a small record; what it can look up
//! (spec, behaviour) it does not hold.
use crate::api::names::{Name, Uid};
use crate::api::objects::{Node, Pod, PodReason, PodSpecId, Volume};
use crate::kernel::{Id, Time};
use rustc_hash::FxHashMap;
use std::collections::BTreeMap;

/// Where a worker is in the life of its pod (POD-17, POD-33, POD-36).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[repr(u8)]
pub(super) enum Stage {
    /// Waits for its claims to be bound and its volumes to be attached (VOL-40, VOL-41).
    #[default]
    Waiting,
    /// Volumes are being staged and published.
    Mounting,
    /// The image is being pulled.
    Pulling,
    /// A pull has just failed (POD-19).
    PullFailed,
    /// Waits before the next pull (POD-19).
    PullBackoff,
    /// Sandbox and containers are being started.
    Starting,
    /// Containers run.
    Running,
    /// Containers have exited, the kubelet has not noticed (POD-20).
    Exited,
    /// Waits before the next restart (POD-21).
    Backoff,
    /// SIGTERM has been sent.
    Stopping,
    /// No container runs any more, for good: status, volumes and deletion follow (POD-36).
    Stopped,
    /// All done; the API object remains until somebody deletes it (POD-44).
    Finished,
}

/// What a worker waits for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub(super) enum What {
    /// Claims are looked at again.
    Claims,
    /// Waiting for volumes no longer keeps the cluster from being settled.
    HoldOver,
    /// The time for mounting volumes is up (VOL-39).
    MountTimeout,
    /// Volumes are published.
    Mounted,
    /// The image is there.
    Pulled,
    /// A pod sync finds the pull still in back-off (POD-19).
    PullSync,
    /// The image is pulled again.
    PullRetry,
    /// Containers run.
    Started,
    /// Readiness changes.
    Ready,
    /// The container exits three seconds from now.
    ExitNear,
    /// The container exits.
    Exit,
    /// The kubelet notices the exit.
    Noticed,
    /// The back-off is over.
    Restart,
    /// Containers have stopped.
    Stopped,
    /// Volumes are unpublished.
    Unpublished,
    /// The final delete reaches the API server.
    Delete,
}

impl What {
    const ALL: [What; 16] = [
        What::Claims,
        What::HoldOver,
        What::MountTimeout,
        What::Mounted,
        What::Pulled,
        What::PullSync,
        What::PullRetry,
        What::Started,
        What::Ready,
        What::ExitNear,
        What::Exit,
        What::Noticed,
        What::Restart,
        What::Stopped,
        What::Unpublished,
        What::Delete,
    ];

    /// True if the cluster is not settled until this has happened. Back-offs and distant exits may last for ever.
    pub(super) fn holds(self) -> bool {
        use What::*;
        !matches!(self, Claims | MountTimeout | PullSync | PullRetry | ExitNear | Restart)
    }
}

/// Facts about a worker, as a bit set.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Flags(u16);

impl Flags {
    /// Containers really run: the process, not the object.
    pub(super) const RUNS: u16 = 1;
    /// Containers have run before.
    pub(super) const RAN: u16 = 1 << 1;
    /// Containers are ready.
    pub(super) const READY: u16 = 1 << 2;
    /// Readiness was set from outside, to true.
    pub(super) const FORCED_READY: u16 = 1 << 3;
    /// Readiness was set from outside, to false.
    pub(super) const FORCED_UNREADY: u16 = 1 << 4;
    /// The next start makes a sandbox.
    pub(super) const NO_SANDBOX: u16 = 1 << 5;
    /// The sandbox is new: its address has not been reported.
    pub(super) const NEW_ADDRESS: u16 = 1 << 6;
    /// A status write is under way.
    pub(super) const WRITING: u16 = 1 << 7;
    /// There is something to report that has not been written.
    pub(super) const DIRTY: u16 = 1 << 8;
    /// The final status is in the API.
    pub(super) const ENDED: u16 = 1 << 9;
    /// Volumes are being released.
    pub(super) const RELEASING: u16 = 1 << 10;
    /// Its requests count against what the node has.
    pub(super) const COUNTED: u16 = 1 << 11;

    pub(super) fn has(self, flag: u16) -> bool {
        self.0 & flag != 0
    }
    pub(super) fn set(&mut self, flag: u16, on: bool) {
        self.0 = if on { self.0 | flag } else { self.0 & !flag };
    }
}

/// One worker.
#[derive(Clone, Debug, Default)]
pub(super) struct Worker {
    /// Container start while running, exit while exited or backing off, planned end while stopping.
    pub(super) since: Time,
    pub(super) name: Name,
    pub(super) pod: Id<Pod>,
    pub(super) uid: Uid,
    pub(super) node: Id<Node>,
    pub(super) spec: PodSpecId,
    /// Its one volume; `NONE` if it has none or several (then see [`Workers::volumes`]).
    pub(super) volume: Id<Volume>,
    /// Place in the list of its node.
    pub(super) place: u32,
    pub(super) restarts: u32,
    /// Events of an earlier generation are stale. 24 bits.
    pub(super) generation: u32,
    pub(super) flags: Flags,
    pub(super) stage: Stage,
    /// Restarts (or pulls, or looks at claims) of the present series (POD-21).
    pub(super) tries: u8,
    /// Exit code of the last or the planned exit.
    pub(super) code: u8,
    /// How many of its pending events hold the cluster.
    pub(super) holds: u8,
    /// Why it fails for good, if the kubelet decided so.
    pub(super) reason: PodReason,
}

impl Worker {
    pub(super) fn is(&self, flag: u16) -> bool {
        self.flags.has(flag)
    }
    /// The number an event carries.
    pub(super) fn token(&self, what: What) -> u32 {
        self.generation << 8 | what as u32
    }
    /// What an event's number means, if it is not stale.
    pub(super) fn read(&self, token: u32) -> Option<What> {
        (token >> 8 == self.generation).then(|| What::ALL.get((token & 0xff) as usize).copied())?
    }
    /// A new stage: everything waited for is off.
    pub(super) fn enter(&mut self, stage: Stage) {
        self.stage = stage;
        self.generation = (self.generation + 1) & 0xff_ffff;
    }
}

const NONE: u32 = u32::MAX;

/// All workers of all nodes.
#[derive(Clone, Debug, Default)]
pub(super) struct Workers {
    slots: Vec<Worker>,
    free: Vec<u32>,
    /// By table position of the pod: the worker of the latest incarnation.
    latest: Vec<u32>,
    /// Workers of earlier incarnations that still stop.
    displaced: BTreeMap<(u32, Uid), u32>,
    /// The volumes of workers that have more than one.
    several: FxHashMap<u32, Box<[Id<Volume>]>>,
}

impl Workers {
    pub(super) fn find(&self, pod: Id<Pod>, uid: Uid) -> Option<u32> {
        let slot = self.latest(pod)?;
        if self.slots[slot as usize].uid == uid {
            Some(slot)
        } else {
            self.displaced.get(&(pod.as_u32(), uid)).copied()
        }
    }

    /// The worker of the latest incarnation of this name.
    pub(super) fn latest(&self, pod: Id<Pod>) -> Option<u32> {
        self.latest.get(pod.index()).copied().filter(|slot| *slot != NONE)
    }

    pub(super) fn insert(&mut self, worker: Worker) -> u32 {
        let (index, worker_pod, uid) = (worker.pod.index(), worker.pod.as_u32(), worker.uid);
        let slot = match self.free.pop() {
            Some(slot) => {
                self.slots[slot as usize] = worker;
                slot
            }
            None => {
                self.slots.push(worker);
                u32::try_from(self.slots.len() - 1).unwrap_or(NONE)
            }
        };
        if index >= self.latest.len() {
            self.latest.resize(index + 1, NONE);
        }
        let before = std::mem::replace(&mut self.latest[index], slot);
        if before != NONE {
            let before_uid = self.slots[before as usize].uid;
            debug_assert_ne!(before_uid, uid);
            self.displaced.insert((worker_pod, before_uid), before);
        }
        slot
    }

    pub(super) fn remove(&mut self, slot: u32) {
        let worker = std::mem::take(&mut self.slots[slot as usize]);
        let pod = worker.pod.as_u32();
        if self.latest.get(worker.pod.index()) == Some(&slot) {
            // A displaced worker of the same name is found again as the latest one.
            let same = (pod, Uid(0))..=(pod, Uid(u32::MAX));
            let other = self.displaced.range(same).next_back().map(|(key, slot)| (*key, *slot));
            self.latest[worker.pod.index()] = other.map_or(NONE, |(_, slot)| slot);
            if let Some((key, _)) = other {
                self.displaced.remove(&key);
            }
        } else {
            self.displaced.remove(&(pod, worker.uid));
        }
        self.several.remove(&slot);
        self.free.push(slot);
    }

    /// The volumes the worker's pod uses, once they are known; none after they have been released.
    pub(super) fn volumes(&self, slot: u32) -> &[Id<Volume>] {
        let volume = &self.slots[slot as usize].volume;
        if !volume.is_none() {
            return std::slice::from_ref(volume);
        }
        if self.several.is_empty() { &[] } else { self.several.get(&slot).map_or(&[], |all| all) }
    }

    pub(super) fn set_volumes(&mut self, slot: u32, volumes: &[Id<Volume>]) {
        let single = if let [one] = volumes { *one } else { Id::NONE };
        self.slots[slot as usize].volume = single;
        if volumes.len() > 1 {
            self.several.insert(slot, volumes.into());
        } else {
            self.several.remove(&slot);
        }
    }
}

impl std::ops::Index<u32> for Workers {
    type Output = Worker;
    fn index(&self, slot: u32) -> &Worker {
        &self.slots[slot as usize]
    }
}

impl std::ops::IndexMut<u32> for Workers {
    fn index_mut(&mut self, slot: u32) -> &mut Worker {
        &mut self.slots[slot as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_million_workers_are_cheap() {
        assert!(size_of::<Worker>() <= 56, "{}", size_of::<Worker>());
    }

    #[test]
    fn incarnations_of_one_name_are_told_apart() {
        let pod = Id::from_index(3);
        let mut workers = Workers::default();
        let worker = |uid| Worker { pod, uid: Uid(uid), ..Worker::default() };
        let [first, second, third] = [1, 2, 3].map(|uid| workers.insert(worker(uid)));
        assert_eq!(workers.find(pod, Uid(1)), Some(first));
        assert_eq!(workers.latest(pod), Some(third));
        workers.remove(third);
        assert_eq!(workers.latest(pod), Some(second));
        assert_eq!(workers.find(pod, Uid(3)), None);
        workers.remove(first);
        assert_eq!(workers.find(pod, Uid(1)), None);
        assert_eq!(workers.find(pod, Uid(2)), Some(second));
    }

    #[test]
    fn stale_events_are_recognised() {
        let mut worker = Worker::default();
        worker.enter(Stage::Running);
        let token = worker.token(What::Exit);
        assert_eq!(worker.read(token), Some(What::Exit));
        worker.enter(Stage::Stopping);
        assert_eq!(worker.read(token), None);
        for (number, what) in What::ALL.into_iter().enumerate() {
            assert_eq!(what as usize, number);
        }
    }
}
