//! The kubelets, and what really runs under them (pkg/kubelet/kubelet.go).
//!
//! There are two truths: the pod object in the API, and the process on the node. This module owns the second. A pod
//! worker outlives its object after a force delete or behind a partition, and its successor may run elsewhere at the
//! same time. Kubelets read the API through their watch (events [`KubeletEvent::SeesPod`] and
//! [`KubeletEvent::SeesNode`]; none while the node is cut off) and write pod and node status.
//!
//! `worker` holds the records; `start`, `pull`, `run`, `probing` and `stop` are the life of a pod in order; `volumes` the
//! volume manager; `status` the status manager; `machine` leases, the node status tick and faults;
//! `shutdown` what happens to whole kubelets in good order; `asking` what depends on what a container sees; `admission`, `backoff`,
//! `behaviour`, `phase` and `probe` answer single questions. Left out: pressure.
mod admission;
mod asking;
mod backoff;
mod behaviour;
mod hindered;
mod machine;
mod phase;
mod probe;
mod probing;
mod pull;
mod run;
mod shutdown;
mod slow;
mod start;
mod status;
mod stop;
#[cfg(test)]
mod tests;
mod volumes;
mod waiting;
mod worker;

pub use asking::{Asking, ContainerKey};
pub use waiting::{KubeletWait, Silence, Waiting};

use crate::api::names::Uid;
use crate::api::objects::{Node, Pod, Volume};
use crate::config::KubeletModel;
use crate::event::{Event, KubeletEvent};
use crate::kernel::{BitSet, Duration, Id, Time};
use crate::rule::mark;
use crate::world::World;
use machine::Machine;
use std::collections::BTreeMap;
use worker::{Flags, Run, Stage, Step, What, Workers};

/// All kubelets.
#[derive(Clone, Debug, Default)]
pub struct Kubelets {
    workers: Workers,
    /// By table position of the node.
    machines: Vec<Machine>,
    /// What unmounts suffer from (faults `slow:` and `stick:`).
    hindrances: Vec<hindered::Hindrance>,
    /// Nodes and pods that work more slowly (fault `slow:`).
    slowness: slow::Slowness,
    /// How many pod addresses have been given out.
    addresses: u32,
    /// See [`Kubelets::changes`].
    changes: u64,
    /// Containers whose behaviour depends on what they see; some may have ended meanwhile.
    asking: BTreeMap<ContainerKey, Asking>,
    /// Disks made in this run on which a container has run, by number.
    used_disks: BitSet,
}

/// The process of a pod's first regular container.
#[derive(Clone, Copy, Debug)]
pub struct MainProcess<'a> {
    /// When it started.
    pub since: Time,
    /// It lives and answers nothing.
    pub hung: bool,
    /// It has been told to stop.
    pub stopping: bool,
    /// The volumes that the pod has mounted.
    pub volumes: &'a [Id<Volume>],
}

impl Kubelets {
    /// Something is due on a node.
    pub fn handle(&mut self, event: KubeletEvent, world: &mut World) {
        match event {
            KubeletEvent::SeesPod(pod, uid) => self.sees_pod(pod, uid, world),
            KubeletEvent::SeesNode(node) => self.sees_node(node, world),
            KubeletEvent::Stage(pod, uid, token, index) => {
                self.reached(pod, uid, token, usize::from(index), world);
            }
            KubeletEvent::WriteStatus(pod, uid) => self.write_status(pod, uid, world),
            KubeletEvent::SyncStatus(pod, uid) => self.sync_status(pod, uid, world),
            KubeletEvent::StatusTick(node, epoch) => self.status_tick(node, epoch, world),
            KubeletEvent::Unstaged(node, volume, life) => self.unstaged(node, volume, life, world),
            KubeletEvent::Reconnected(node, epoch) => self.reconnected(node, epoch, world),
            KubeletEvent::ConnectionLost(node) => self.connection_lost(node, world),
            KubeletEvent::PowerOff(node, epoch) => self.power_off(node, epoch, world),
        }
    }

    /// True if containers of this incarnation of the pod really run, wherever.
    pub fn is_running(&self, pod: Id<Pod>, uid: Uid) -> bool {
        self.workers.find(pod, uid).is_some_and(|slot| self.workers.any_runs(slot))
    }

    /// All sets of containers that really run: node, pod, incarnation; in order of nodes.
    pub fn running(&self) -> impl Iterator<Item = (Id<Node>, Id<Pod>, Uid)> {
        let workers = self.machines.iter().flat_map(|machine| &machine.workers);
        workers.filter(|slot| self.workers.any_runs(**slot)).map(|slot| {
            let worker = &self.workers[*slot];
            (worker.node, worker.pod, worker.uid)
        })
    }

    /// Containers that really run of all incarnations of a pod: node and incarnation, the latest first.
    pub fn running_of(&self, pod: Id<Pod>) -> impl Iterator<Item = (Id<Node>, Uid)> {
        self.workers.of(pod).filter(|slot| self.workers.any_runs(*slot)).map(|slot| {
            let worker = &self.workers[slot];
            (worker.node, worker.uid)
        })
    }

    /// Grows whenever a container starts or ends, or a machine gets or loses power.
    pub fn changes(&self) -> u64 {
        self.changes
    }

    /// What the main container of this incarnation of a pod does, if it really runs.
    pub fn process(&self, pod: Id<Pod>, uid: Uid, world: &World) -> Option<MainProcess<'_>> {
        let slot = self.workers.find(pod, uid)?;
        let inits = world.store.pod_spec(self.workers[slot].spec).inits.len();
        let run = self.workers.runs(slot).get(inits).filter(|run| run.is(Run::RUNS))?;
        Some(MainProcess {
            since: run.since(),
            hung: run.is(Run::HUNG),
            stopping: self.workers[slot].stage == Stage::Stopping || run.step == Step::Killing,
            volumes: self.workers.volumes(slot),
        })
    }

    /// True if the machine has power, whether or not it reaches the API server.
    pub fn is_node_alive(&self, node: Id<Node>) -> bool {
        self.machine(node).is_some_and(|machine| machine.up)
    }

    /// True if the machine has power and its kubelet sees what the API server says.
    pub fn is_node_linked(&self, node: Id<Node>) -> bool {
        self.machine(node).is_some_and(Machine::linked)
    }

    /// True if the machine is off, or on its way down in good order.
    pub fn is_node_down(&self, node: Id<Node>) -> bool {
        self.machine(node).is_some_and(|machine| !machine.up || machine.shutting)
    }

    /// True if a process of the pod hangs: it lives and answers no probe.
    pub fn is_hung(&self, pod: Id<Pod>) -> bool {
        let Some(slot) = self.workers.latest(pod) else { return false };
        self.workers.runs(slot).iter().any(|run| run.is(worker::Run::RUNS) && run.is(worker::Run::HUNG))
    }

    /// True if the pod is kept unready, whatever its probes say.
    pub fn is_unready(&self, pod: Id<Pod>) -> bool {
        self.workers.latest(pod).is_some_and(|slot| self.workers[slot].is(Flags::FORCED_UNREADY))
    }

    /// The volumes whose devices are mounted on a node, sorted.
    pub fn mounted(&self, node: Id<Node>) -> impl Iterator<Item = Id<Volume>> {
        self.machine(node).into_iter().flat_map(|machine| machine.volumes.staged())
    }

    fn machine(&self, node: Id<Node>) -> Option<&Machine> {
        self.machines.get(node.index()).filter(|machine| machine.present)
    }

    /// The machine of a worker, which has one.
    fn machine_of(&mut self, slot: u32) -> &mut Machine {
        &mut self.machines[self.workers[slot].node.index()]
    }

    /// What the kubelet of this worker writes reaches the API server.
    fn reaches(&self, slot: u32) -> bool {
        self.machines[self.workers[slot].node.index()].reaches()
    }

    /// The kubelet of this worker sees what the API server says.
    fn linked(&self, slot: u32) -> bool {
        self.machines[self.workers[slot].node.index()].linked()
    }

    /// The API server's object of a worker's pod.
    fn object(&self, slot: u32, world: &World) -> Option<Pod> {
        let worker = &self.workers[slot];
        world.store.pods.get_uid(worker.pod, worker.uid).copied()
    }

    /// A new stage: what the worker waited for is off. What its containers wait for is not.
    fn enter(&mut self, slot: u32, stage: Stage, world: &mut World) {
        let worker = &mut self.workers[slot];
        for _ in 0..std::mem::take(&mut worker.holds) {
            world.release();
        }
        worker.enter(stage);
    }

    /// A new step of a container: what it waited for is off.
    fn enter_of(&mut self, slot: u32, index: usize, step: Step, world: &mut World) {
        let run = self.workers.run_mut(slot, index);
        for _ in 0..std::mem::take(&mut run.holds) {
            world.release();
        }
        run.enter(step);
    }

    /// Everything that the containers of a worker wait for is off.
    fn halt(&mut self, slot: u32, world: &mut World) {
        for index in 0..self.workers.runs(slot).len() {
            let step = self.workers.run(slot, index).step;
            self.enter_of(slot, index, step, world);
        }
    }

    /// Waits for something, as long as the stage lasts.
    fn later(&mut self, slot: u32, delay: Duration, what: What, world: &mut World) {
        self.wait(slot, None, delay, what, world);
    }

    /// A container waits for something, as long as its step lasts.
    fn later_of(&mut self, slot: u32, index: usize, delay: Duration, what: What, world: &mut World) {
        self.wait(slot, Some(index), delay, what, world);
    }

    fn wait(&mut self, slot: u32, index: Option<usize>, delay: Duration, what: What, world: &mut World) {
        if delay.is_never() {
            return;
        }
        let delay = if what.is_work() { self.takes(slot, delay) } else { delay };
        let token = self.workers.token(slot, index, what);
        if what.holds() {
            *self.holds(slot, index) += 1;
            world.hold();
        }
        let worker = &self.workers[slot];
        let index = u16::try_from(index.unwrap_or(0)).unwrap_or(u16::MAX);
        world.background(delay, Event::Kubelet(KubeletEvent::Stage(worker.pod, worker.uid, token, index)));
    }

    /// How many events hold the cluster, of a worker or of one of its containers.
    fn holds(&mut self, slot: u32, index: Option<usize>) -> &mut u8 {
        match index {
            None => &mut self.workers[slot].holds,
            Some(index) => &mut self.workers.run_mut(slot, index).holds,
        }
    }

    /// What a worker or a container waited for has happened.
    fn reached(&mut self, pod: Id<Pod>, uid: Uid, token: u32, index: usize, world: &mut World) {
        let Some(slot) = self.workers.find(pod, uid) else { return };
        let Some(what) = self.workers.read(slot, index, token) else { return };
        if what.holds() {
            *self.holds(slot, what.is_of_container().then_some(index)) -= 1;
            world.release();
        }
        let container = u16::try_from(index).unwrap_or(u16::MAX);
        if self.is_put_off(slot, what, (pod, uid, token, container)) {
            return;
        }
        match what {
            What::Claims => self.need_volumes(slot, world),
            What::HoldOver => {}
            What::MountTimeout => self.mount_timed_out(slot, world),
            What::Mounted => self.mounted_all(slot, world),
            What::Sandbox => self.sandboxed(slot, world),
            What::Stopped => self.stopped(slot, world),
            What::AllStopped => self.all_stopped(slot, world),
            What::Unpublished => self.unpublished(slot, world),
            What::Delete => self.delete_object(slot, world),
            What::Pulled => self.pulled(slot, index, world),
            What::PullSync => self.pull_waits(slot, index, world),
            What::PullRetry | What::Restart => self.begin(slot, index, world),
            What::Started => self.started(slot, index, world),
            What::Hooked => self.hooked(slot, index, world),
            What::StartedUp => self.started_up(slot, index, world),
            What::Dead => self.dead(slot, index, world),
            What::Ready => self.probed(slot, index, world),
            What::ExitNear => self.later_of(slot, index, run::NEAR, What::Exit, world),
            What::Exit => self.exits(slot, index, world),
            What::Noticed => self.noticed(slot, index, world),
        }
    }

    fn sees_pod(&mut self, pod: Id<Pod>, uid: Uid, world: &mut World) {
        let object = world.store.pods.get_uid(pod, uid).copied();
        match (object, self.workers.find(pod, uid)) {
            (Some(object), None) => {
                let Some(machine) = self.machines.get_mut(object.node.index()).filter(|m| m.present) else {
                    return;
                };
                if machine.linked() {
                    self.takes_on(pod, &object, world);
                } else {
                    machine.missed.push((pod, uid));
                }
            }
            (Some(object), Some(slot)) if self.linked(slot) => self.updated(slot, &object, world),
            (None, Some(slot)) if self.linked(slot) => {
                mark!("POD-39");
                // Grace 1, which is the minimum for the container (POD-39).
                let recorded = recorded(world).then_some(world.config.timers.minimum_grace);
                self.vanished(slot, recorded.unwrap_or(Duration::from_secs(1)), world);
            }
            _ => {}
        }
    }
}

/// The recorded corpus' kubelet.
fn recorded(world: &World) -> bool {
    world.config.kubelet == KubeletModel::Recorded
}
