//! Containers that look around: whether they are ready, or end, depends on what they see (behaviour `readyWhen` and
//! `exitWhen`).
//!
//! The kubelet knows neither the conditions nor what they are about. It says which containers with conditions run
//! ([`Kubelets::asking`]), and is told what a container answers to its readiness probes ([`Kubelets::answers_probes`])
//! and that one ends ([`Kubelets::end_container`]). Without a readiness probe the answer is taken at once.
use super::probe::{self, Ticks};
use super::worker::{Flags, Run};
use super::{Kubelets, behaviour};
use crate::api::names::Uid;
use crate::api::objects::{EndReason, Node, Pod};
use crate::api::store::Store;
use crate::kernel::{Id, Time};
use crate::world::World;
use std::sync::Arc;

/// Which container: its pod, the incarnation of that, its place in the spec.
pub type ContainerKey = (Id<Pod>, Uid, usize);

/// A container that runs and whose behaviour depends on what it sees.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Asking {
    /// Which one.
    pub container: ContainerKey,
    /// The node it runs on.
    pub node: Id<Node>,
    /// Start of its present run.
    pub since: Time,
    /// Its volumes are new: no container has run on them before this run.
    pub fresh: bool,
    /// It answers its readiness probes while this is true.
    pub ready_when: Option<Arc<str>>,
    /// It ends with exit code 1 as soon as this is true.
    pub exit_when: Option<Arc<str>>,
}

impl Kubelets {
    /// A container has started: it uses its volumes, and looks around if its rule says so.
    pub(super) fn looks_around(&mut self, slot: u32, index: usize, world: &World) {
        let worker = &self.workers[slot];
        let (pod, uid, node) = (worker.pod, worker.uid, worker.node);
        self.uses_disks(slot, world);
        let worker = &self.workers[slot];
        let fresh = worker.is(Flags::NEW_DISKS) && self.workers.run(slot, index).restarts() == 0;
        let (ready_when, exit_when) = behaviour::conditions(worker, index, world);
        let run = self.workers.run_mut(slot, index);
        run.set(Run::CLOSED, ready_when.is_some());
        let container = (pod, uid, index);
        if ready_when.is_none() && exit_when.is_none() {
            self.asking.remove(&container);
            return;
        }
        let since = run.since();
        self.asking.insert(container, Asking { container, node, since, fresh, ready_when, exit_when });
    }

    /// The first container of a pod runs: its disks are not new any more, and it is known whether they were.
    fn uses_disks(&mut self, slot: u32, world: &World) {
        if self.workers[slot].is(Flags::USES_DISKS) {
            return;
        }
        let mut new = true;
        for volume in self.workers.volumes(slot) {
            let disk = world.store.volumes.last_known(*volume).map_or(0, |volume| volume.disk);
            new &= !Store::is_foreign_disk(disk) && self.used_disks.insert(disk as usize);
        }
        let flags = &mut self.workers[slot].flags;
        flags.set(Flags::USES_DISKS, true);
        flags.set(Flags::NEW_DISKS, new);
    }

    /// True if there may be containers that look around.
    pub fn has_asking(&self) -> bool {
        !self.asking.is_empty()
    }

    /// The containers that run and look around, in order of their pods' ids.
    pub fn asking(&mut self) -> Vec<Asking> {
        let workers = &self.workers;
        self.asking.retain(|(pod, uid, index), _| {
            let slot = workers.find(*pod, *uid);
            slot.is_some_and(|slot| workers.runs(slot).get(*index).is_some_and(|run| run.is(Run::RUNS)))
        });
        self.asking.values().cloned().collect()
    }

    /// A container answers its readiness probes from now on, or does not any more.
    pub fn answers_probes(&mut self, container: ContainerKey, answers: bool, world: &mut World) {
        let (pod, uid, index) = container;
        let Some(slot) = self.workers.find(pod, uid) else { return };
        let Some(run) = self.workers.runs_mut(slot).get_mut(index) else { return };
        if !run.is(Run::RUNS) || run.is(Run::CLOSED) != answers {
            return;
        }
        run.set(Run::CLOSED, !answers);
        if answers {
            self.await_ready(slot, index, world);
            if self.workers.run(slot, index).is(Run::READY) {
                self.report(slot, world);
            }
            return;
        }
        let (now, from) = (world.now(), self.workers.run(slot, index).probed_from());
        match self.readiness_of(slot, index, world) {
            None => self.probed(slot, index, world),
            Some(probe) => {
                let at = probe::fails(probe, Ticks::of(probe, from), now, Time::NEVER).unwrap_or(now);
                self.later_of(slot, index, at - now, super::worker::What::Ready, world);
            }
        }
    }

    /// A container ends by itself with this exit code.
    pub fn end_container(&mut self, container: ContainerKey, code: u8, world: &mut World) {
        let (pod, uid, index) = container;
        let Some(slot) = self.workers.find(pod, uid) else { return };
        let stopping = self.workers[slot].stage != super::worker::Stage::Up;
        let Some(run) = self.workers.runs_mut(slot).get_mut(index) else { return };
        if !run.is(Run::RUNS) || stopping {
            return;
        }
        run.plan(code, EndReason::ByCode);
        self.exits(slot, index, world);
    }
}
