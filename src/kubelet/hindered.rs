//! Work on a node that is held up from outside: mounts and unmounts whose disk does not answer or that a fault holds, and
//! kubelets that are stopped while their containers run on.
//!
//! A mount or unmount that hangs is put aside and taken up again when what held it is over. A stopped kubelet does
//! nothing that its containers do not do by themselves: what was due is put aside, too. Left out: containers that cannot
//! be killed because they wait for their disk.
use super::worker::{Stage, What};
use super::{Kubelets, recorded};
use crate::api::names::Uid;
use crate::api::objects::{Node, Pod, Volume};
use crate::behavior::Glob;
use crate::event::{Event, KubeletEvent};
use crate::kernel::{Duration, Id};
use crate::world::World;

/// What unmounting the volumes of some claims suffers from.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Hindrance {
    claims: Glob,
    /// It takes this much longer; None: it hangs.
    by: Option<Duration>,
}

/// What hangs on a machine.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Hanging {
    /// The volumes of this pod are mounted.
    Mount(Id<Pod>, Uid),
    /// The device of this volume is unmounted.
    Unmount(Id<Volume>),
    /// The volumes of this pod, whose containers are gone, are unmounted from it.
    Release(Id<Pod>, Uid),
}

/// Something that was due while the kubelet was stopped: pod, incarnation, token, container.
pub(super) type Due = (Id<Pod>, Uid, u32, u16);

impl Kubelets {
    // ---- Mounts and unmounts ---------------------------------------------------------------------------------------

    /// Unmounting volumes of matching claims takes longer by this much, or hangs.
    pub fn hinder_unmount(&mut self, claims: Glob, by: Option<Duration>) {
        self.hindrances.push(Hindrance { claims, by });
    }

    /// Ends what `hinder_unmount` began for the same claims; unmounts that hang go on.
    pub fn free_unmount(&mut self, claims: &Glob, world: &mut World) {
        self.hindrances.retain(|hindrance| hindrance.claims != *claims);
        for index in 0..self.machines.len() {
            self.work_goes_on(Id::from_index(index), world);
        }
    }

    /// True if `hinder_unmount` for these claims has not ended.
    pub fn is_unmount_hindered(&self, claims: &Glob) -> bool {
        self.hindrances.iter().any(|hindrance| hindrance.claims == *claims)
    }

    /// True if unmounting the volume of this claim hangs (fault `stick`).
    pub fn is_unmount_stuck(&self, claim: &str) -> bool {
        let last = self.hindrances.iter().rev().find(|hindrance| hindrance.claims.matches(claim));
        last.is_some_and(|hindrance| hindrance.by.is_none())
    }

    fn hindrance(&self, volume: Id<Volume>, world: &World) -> Option<&Hindrance> {
        if self.hindrances.is_empty() {
            return None;
        }
        let claim = world.store.volumes.last_known(volume)?.claim.name;
        let claim = world.store.name_of(claim);
        self.hindrances.iter().rev().find(|hindrance| hindrance.claims.matches(&claim))
    }

    /// How much longer unmounting a volume takes.
    pub(super) fn unmount_takes_longer(&self, volume: Id<Volume>, world: &World) -> Duration {
        self.hindrance(volume, world).and_then(|hindrance| hindrance.by).unwrap_or(Duration::ZERO)
    }

    /// True if the unmount hangs; it goes on by itself when nothing holds it any more.
    pub(super) fn unmount_hangs(&mut self, node: Id<Node>, volume: Id<Volume>, world: &World) -> bool {
        let stuck = self.hindrance(volume, world).is_some_and(|hindrance| hindrance.by.is_none());
        if !stuck && world.links.reaches_storage(node) {
            return false;
        }
        let hanging = &mut self.machines[node.index()].hanging;
        if !hanging.contains(&Hanging::Unmount(volume)) {
            hanging.push(Hanging::Unmount(volume));
        }
        true
    }

    /// True if a fault holds the unmounting of volumes from a pod whose containers are gone: the pod is not done before
    /// (POD-36). A disk that does not answer holds only the device (VOL-42): what a pod has of it is a bind mount.
    pub(super) fn release_hangs(&mut self, slot: u32, world: &World) -> bool {
        let (node, pod) = (self.workers[slot].node, (self.workers[slot].pod, self.workers[slot].uid));
        let stuck = |volume: &Id<Volume>| {
            self.hindrance(*volume, world).is_some_and(|hindrance| hindrance.by.is_none())
        };
        if !self.workers.volumes(slot).iter().any(stuck) {
            return false;
        }
        self.machines[node.index()].hanging.push(Hanging::Release(pod.0, pod.1));
        true
    }

    /// True if mounting the volumes of a worker hangs: their disks do not answer.
    pub(super) fn mount_hangs(&mut self, slot: u32, world: &World) -> bool {
        let (node, pod) = (self.workers[slot].node, (self.workers[slot].pod, self.workers[slot].uid));
        if world.links.reaches_storage(node) || self.workers.volumes(slot).is_empty() {
            return false;
        }
        self.machines[node.index()].hanging.push(Hanging::Mount(pod.0, pod.1));
        true
    }

    /// What hung on a machine is tried again.
    pub fn work_goes_on(&mut self, node: Id<Node>, world: &mut World) {
        let Some(machine) = self.machines.get_mut(node.index()).filter(|machine| machine.up) else { return };
        let life = machine.life;
        for hanging in std::mem::take(&mut machine.hanging) {
            match hanging {
                Hanging::Unmount(volume) => self.unstaged(node, volume, life, world),
                Hanging::Release(pod, uid) => {
                    if let Some(slot) = self.workers.find(pod, uid) {
                        self.unpublished(slot, world);
                    }
                }
                Hanging::Mount(pod, uid) => {
                    let slot = self.workers.find(pod, uid);
                    if let Some(slot) = slot.filter(|slot| self.workers[*slot].stage == Stage::Mounting) {
                        self.mounted_all(slot, world);
                    }
                }
            }
        }
    }

    // ---- Stopped kubelets ------------------------------------------------------------------------------------------

    /// The kubelet of a node stops: containers run on, nobody looks after them.
    pub fn stop_kubelet(&mut self, node: Id<Node>, world: &mut World) {
        let Some(machine) = self.machines.get_mut(node.index()).filter(|m| m.up && !m.stopped) else {
            return;
        };
        machine.stopped = true;
        if world.leases.get(node.index()).is_some_and(|lease| lease.renewing) {
            self.set_lease(node, false, world);
        }
    }

    /// It starts again: it does what was due, and looks at everything as after a restart.
    pub fn start_kubelet(&mut self, node: Id<Node>, world: &mut World) {
        let Some(machine) = self.machines.get_mut(node.index()).filter(|m| m.up && m.stopped) else { return };
        machine.stopped = false;
        machine.tick = false;
        let due = std::mem::take(&mut machine.due);
        let linked = machine.linked();
        if machine.reaches() {
            self.set_lease(node, true, world);
        }
        self.restart_kubelet(node, world);
        for (pod, uid, token, index) in due {
            let slot = self.workers.find(pod, uid);
            let Some(what) = slot.and_then(|slot| self.workers.read(slot, usize::from(index), token)) else {
                continue;
            };
            if what.holds()
                && let Some(slot) = slot
            {
                *self.holds(slot, what.is_of_container().then_some(usize::from(index))) += 1;
                world.hold();
            }
            let delay = if recorded(world) { Duration::ZERO } else { Duration::from_millis(1) };
            world.background(delay, Event::Kubelet(KubeletEvent::Stage(pod, uid, token, index)));
        }
        // What it finds running and the API does not know any more it kills at once (POD-42).
        self.machines[node.index()].forgot = true;
        if linked {
            self.relist(node, world);
        }
    }

    /// True if the kubelet of a running machine is stopped.
    pub fn is_kubelet_stopped(&self, node: Id<Node>) -> bool {
        self.machine(node).is_some_and(|machine| machine.up && machine.stopped)
    }

    /// True if this waits until the kubelet is started again: it is stopped, and no container does it by itself.
    pub(super) fn is_put_off(&mut self, slot: u32, what: What, due: Due) -> bool {
        let by_itself = matches!(what, What::Exit | What::ExitNear | What::Dead);
        let machine = self.machine_of(slot);
        if !machine.stopped || by_itself {
            return false;
        }
        machine.due.push(due);
        true
    }

    /// The machine is gone for good.
    pub fn terminate_node(&mut self, node: Id<Node>, world: &mut World) {
        self.crash_node(node, world);
        if let Some(machine) = self.machines.get_mut(node.index()) {
            machine.gone = true;
        }
    }
}
