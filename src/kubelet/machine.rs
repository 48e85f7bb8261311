//! Machines and their kubelets as wholes: lease, node status, loss of power and of the network (NODE-1 to NODE-4,
//! POD-49 to POD-51; pkg/kubelet/kubelet_node_status.go, client-go tools/cache/reflector.go).
//!
//! A renewed lease that changes nothing is no event: the world's record of leases says since when a lease has been
//! renewed or not, and the node lifecycle controller hears of the change only.
use super::admission::Used;
use super::hindered::{Due, Hanging};
use super::run::KILLED;
use super::stop;
use super::volumes::Holdings;
use super::worker::{Flags, Run, Stage, Step};
use super::{Kubelets, recorded};
use crate::api::names::{Sym, Uid};
use crate::api::objects::{EndReason, Node, NodeReady, Pod, Seconds, Volume};
use crate::event::{Event, KubeletEvent, NodesEvent};
use crate::kernel::{Duration, Id, Time};
use crate::rule::{Rule, mark};
use crate::world::{Actor, CONNECTION_TIMEOUT, Direction, Draw, Lease, Side, World};
use std::collections::BTreeSet;
use std::sync::Arc;

/// Keys of a node's loops; each loop has its own phase (DEF-C1).
const LEASE_LOOP: u64 = 1 << 32;
const STATUS_LOOP: u64 = 2 << 32;
const SYNC_LOOP: u64 = 3 << 32;
/// The kubelet looks at its containers and syncs its pods on this grid (POD-20, POD-22).
const SYNC_GRID: Duration = Duration::from_secs(1);
/// Node status is tried so often before its next tick (`nodeStatusUpdateRetry`).
const STATUS_TRIES: u32 = 5;

/// A machine and its kubelet.
#[derive(Clone, Debug, Default)]
pub(super) struct Machine {
    /// There is such a machine.
    pub(super) present: bool,
    /// It has power and its kubelet runs.
    pub(super) up: bool,
    /// What it sends does not reach the API server.
    mute: bool,
    /// What the API server sends does not reach it.
    deaf: bool,
    /// The network is whole, but the kubelet has not its watches again.
    reconnecting: bool,
    /// It has started, and looks after its pods in a moment.
    booting: bool,
    /// Grows with each loss: events of an earlier life are stale, and loops have new phases.
    pub(super) epoch: u32,
    /// Grows with each loss of power only: what the machine does by itself goes on when it is cut off.
    pub(super) life: u32,
    /// When the network was cut.
    cut_since: Time,
    /// Its pod workers.
    pub(super) workers: Vec<u32>,
    /// Those that wait for volumes, by volume.
    pub(super) waiting: BTreeSet<(Id<Volume>, u32)>,
    /// What node status last said to be attached.
    pub(super) attached: Arc<Vec<Id<Volume>>>,
    /// Volumes wanted or mounted.
    pub(super) volumes: Holdings,
    /// Pods that were bound to it while it was cut off.
    pub(super) missed: Vec<(Id<Pod>, Uid)>,
    /// Images it has.
    pub(super) images: Vec<Sym>,
    /// When the last pull that has been asked for ends.
    pub(super) pulls_until: Time,
    /// What its pods request.
    pub(super) used: Used,
    /// It is shutting down in good order (POD-45).
    pub(super) shutting: bool,
    /// Its kubelet has restarted and knows nothing of pods that are gone (POD-42).
    pub(super) forgot: bool,
    /// How often its kubelet has restarted alone.
    pub(super) restarts: u32,
    /// A node status write is under way.
    pub(super) tick: bool,
    /// The kubelet is stopped; containers run on.
    pub(super) stopped: bool,
    /// The machine is gone for good.
    pub(super) gone: bool,
    /// Mounts and unmounts that hang.
    pub(super) hanging: Vec<Hanging>,
    /// What was due while the kubelet was stopped.
    pub(super) due: Vec<Due>,
    /// How many devices have been unmounted.
    unstaged: u64,
}

impl Machine {
    /// The kubelet runs, and what it writes reaches the API server.
    pub(super) fn reaches(&self) -> bool {
        self.up && !self.mute && !self.stopped
    }

    /// The kubelet runs and has its watches: it sees what the API server says.
    pub(super) fn linked(&self) -> bool {
        self.up && !self.deaf && !self.reconnecting && !self.stopped
    }

    /// The network between it and the API server is cut, in one direction at least.
    pub(super) fn is_cut(&self) -> bool {
        self.mute || self.deaf
    }

    /// Numbers the unmounts.
    pub(super) fn unstaged(&mut self) -> u64 {
        self.unstaged += 1;
        self.unstaged
    }
}

/// The first instant, not before `time`, at which the kubelet of a node looks at its pods.
pub(super) fn on_grid(node: Id<Node>, epoch: u32, time: Time, world: &World) -> Time {
    let before = Time::from_nanos(time.as_nanos().saturating_sub(1));
    world.next_tick(SYNC_GRID, SYNC_LOOP | u64::from(node.as_u32()), epoch, before)
}

impl Kubelets {
    /// A machine with a kubelet joins: the Node object exists, the kubelet starts.
    pub fn add_node(&mut self, node: Id<Node>, world: &mut World) {
        if node.index() >= self.machines.len() {
            self.machines.resize_with(node.index() + 1, Machine::default);
        }
        if self.machines[node.index()].up {
            // The Node object was deleted and made anew; the machine is the same.
            self.ask_for_tick(node, true, world);
            return;
        }
        for slot in self.machines[node.index()].workers.clone() {
            self.drop_worker(slot, world);
        }
        world.terminated.remove(&node);
        world.shut_down.remove(&node);
        let before = &self.machines[node.index()];
        let (epoch, life) = (before.epoch + 1, before.life + 1);
        self.machines[node.index()] = Machine { present: true, up: true, epoch, life, ..Machine::default() };
        self.set_lease(node, true, world);
        if recorded(world) {
            self.machines[node.index()].tick = true;
            self.acting(world, |kubelets, world| kubelets.status_tick(node, epoch, world));
        } else {
            self.ask_for_tick(node, true, world);
        }
    }

    /// Power loss: the kubelet is silent, containers are dead.
    pub fn crash_node(&mut self, node: Id<Node>, world: &mut World) {
        if !self.is_node_alive(node) {
            return;
        }
        self.changes += 1;
        if world.leases.get(node.index()).is_some_and(|lease| lease.renewing) {
            self.set_lease(node, false, world);
        }
        let machine = &mut self.machines[node.index()];
        machine.up = false;
        machine.stopped = false;
        machine.hanging.clear();
        machine.due.clear();
        machine.shutting = false;
        machine.forgot = false;
        (machine.booting, machine.reconnecting) = (false, false);
        machine.epoch += 1;
        machine.life += 1;
        machine.tick = false;
        machine.waiting.clear();
        machine.pulls_until = Time::ZERO;
        machine.volumes.lose_power();
        world.machine_stopped(node);
        for slot in machine.workers.clone() {
            // Nothing that was under way goes on; the object stays as it is.
            let stage = self.workers[slot].stage;
            self.enter(slot, stage, world);
            self.halt(slot, world);
            let worker = &mut self.workers[slot];
            for flag in [Flags::DIRTY, Flags::RELEASING] {
                worker.flags.set(flag, false);
            }
            worker.flags.set(Flags::NO_SANDBOX, true);
            self.lose_containers(slot, world);
        }
    }

    /// The machine of a pod has lost power: none of its containers runs any more, and those that ran will be found with
    /// exit code 255 (POD-51).
    fn lose_containers(&mut self, slot: u32, world: &World) {
        self.changes += 1;
        let (now, recorded) = (world.now(), recorded(world));
        for run in self.workers.runs_mut(slot) {
            if run.is(Run::RUNS) {
                let (code, why) =
                    if recorded { (KILLED, EndReason::ByCode) } else { (u8::MAX, EndReason::Unknown) };
                run.plan(code, why);
                run.ends(now);
            }
            run.forget_tries();
            for flag in [Run::READY, Run::STARTED, Run::NEW] {
                run.set(flag, false);
            }
            run.enter(Step::Idle);
        }
    }

    /// A crashed machine is switched on again: it finds no containers.
    pub fn recover_node(&mut self, node: Id<Node>, world: &mut World) {
        let Some(machine) = self.machine(node).filter(|machine| !machine.up && !machine.gone) else { return };
        let epoch = machine.epoch;
        world.shut_down.remove(&node);
        if recorded(world) {
            self.acting(world, |kubelets, world| kubelets.boot(node, world));
        } else {
            let key = u64::from(node.as_u32());
            let delay = world.draw(world.config.latency.reboot, Draw::Start, key, u64::from(epoch) | 1 << 63);
            world.delay(delay, Event::Kubelet(KubeletEvent::Reconnected(node, epoch)));
        }
    }

    /// The node is cut off from the API server; containers run on (POD-49).
    pub fn partition_node(&mut self, node: Id<Node>, world: &mut World) {
        self.cut_node(node, Direction::Both, world);
    }

    /// The links between the node and the API server have changed: what they are now counts. Nothing happens if the
    /// node is as well or badly connected as before.
    pub fn relink(&mut self, node: Id<Node>, world: &mut World) {
        let links = &world.links;
        let (sends, hears) = (links.sends(node, Side::ControlPlane), links.hears(node, Side::ControlPlane));
        match (sends, hears) {
            (true, true) => self.heal_node(node, world),
            (false, true) => self.cut_node(node, Direction::To, world),
            (true, false) => self.cut_node(node, Direction::From, world),
            (false, false) => self.cut_node(node, Direction::Both, world),
        }
    }

    /// No connection can be made where packets are lost in one direction. One that was there half works: the kubelet
    /// writes and hears nothing, or hears and writes nothing, until it gives the connection up (DEF-9). Its lease is
    /// not renewed in either case: a renewal follows the answer to the one before.
    fn cut_node(&mut self, node: Id<Node>, direction: Direction, world: &mut World) {
        let Some(machine) = self.machine(node) else { return };
        let now = world.now();
        let (was_mute, was_cut) = (machine.mute, machine.is_cut());
        let given_up = was_cut && now >= machine.cut_since + CONNECTION_TIMEOUT;
        let mute = given_up || direction != Direction::From;
        let deaf = given_up || direction != Direction::To;
        if (mute, deaf) == (machine.mute, machine.deaf) {
            return;
        }
        if world.leases.get(node.index()).is_some_and(|lease| lease.renewing) {
            self.set_lease(node, false, world);
        }
        let machine = &mut self.machines[node.index()];
        (machine.mute, machine.deaf) = (mute, deaf);
        if !was_cut {
            machine.cut_since = now;
        }
        mark!("POD-49");
        if machine.up && mute && !was_mute {
            (machine.booting, machine.reconnecting) = (false, false);
            machine.epoch += 1;
            machine.tick = false;
        }
        if !(was_cut || mute && deaf) {
            world.after(CONNECTION_TIMEOUT, Event::Kubelet(KubeletEvent::ConnectionLost(node)));
        }
    }

    /// A connection that half works is given up, if it is still cut.
    pub(super) fn connection_lost(&mut self, node: Id<Node>, world: &mut World) {
        let since = self.machine(node).filter(|machine| machine.is_cut()).map(|machine| machine.cut_since);
        if since.is_some_and(|since| world.now() >= since + CONNECTION_TIMEOUT) {
            self.cut_node(node, Direction::Both, world);
        }
    }

    /// The node reaches the API server again.
    pub fn heal_node(&mut self, node: Id<Node>, world: &mut World) {
        let Some(machine) = self.machines.get_mut(node.index()).filter(|m| m.present && m.is_cut()) else {
            return;
        };
        (machine.mute, machine.deaf) = (false, false);
        if !machine.up {
            return;
        }
        let (epoch, since) = (machine.epoch, machine.cut_since);
        if machine.stopped {
            return;
        }
        self.set_lease(node, true, world);
        if recorded(world) {
            self.acting(world, |kubelets, world| kubelets.relist(node, world));
            return;
        }
        self.machines[node.index()].reconnecting = true;
        // Writing needs no watch: Ready comes at the next tick (NODE-9).
        self.ask_for_tick(node, false, world);
        let at = world.watch_returns(u64::from(node.as_u32()) << 32, since);
        world.at(at, Event::Kubelet(KubeletEvent::Reconnected(node, epoch)));
    }

    /// The kubelet is back, after a reboot or with its watches after a partition.
    pub(super) fn reconnected(&mut self, node: Id<Node>, epoch: u32, world: &mut World) {
        let Some(machine) = self.machines.get_mut(node.index()).filter(|m| m.epoch == epoch) else { return };
        machine.reconnecting = false;
        if std::mem::take(&mut machine.booting) {
            self.look_after_pods(node, world);
        } else if machine.up {
            self.relist(node, world);
        } else {
            self.boot(node, world);
        }
    }

    /// What the machine does in the name of its kubelet although somebody else called.
    fn acting(&mut self, world: &mut World, act: impl FnOnce(&mut Kubelets, &mut World)) {
        let before = std::mem::replace(&mut world.actor, Actor::Kubelet);
        act(self, world);
        world.actor = before;
    }

    /// The kubelet starts and looks at what the API says: its pods are admitted again and get new sandboxes (POD-51).
    fn boot(&mut self, node: Id<Node>, world: &mut World) {
        self.changes += 1;
        let machine = &mut self.machines[node.index()];
        machine.up = true;
        machine.used = Used::default();
        if machine.is_cut() {
            return;
        }
        self.set_lease(node, true, world);
        self.ask_for_tick(node, true, world);
        if recorded(world) {
            // Its pods come after the node: the recorded kubelet writes one thing after another.
            let machine = &mut self.machines[node.index()];
            (machine.booting, machine.reconnecting) = (true, true);
            let epoch = machine.epoch;
            let delay = world.api_delay(Actor::Kubelet);
            world.delay(delay, Event::Kubelet(KubeletEvent::Reconnected(node, epoch)));
            return;
        }
        self.look_after_pods(node, world);
    }

    /// The pods that the API server has for a machine that has started.
    fn look_after_pods(&mut self, node: Id<Node>, world: &mut World) {
        for slot in self.machines[node.index()].workers.clone() {
            self.workers[slot].flags.set(Flags::COUNTED, false);
            match self.object(slot, world) {
                None => self.drop_worker(slot, world),
                Some(object) if object.is_terminal() => {
                    self.workers[slot].flags.set(Flags::ENDED, true);
                    self.enter(slot, Stage::Stopped, world);
                    self.give_up_volumes(slot, world);
                    self.conclude(slot, true, world);
                }
                Some(object) => {
                    mark!("POD-51");
                    self.workers[slot].tries = 0;
                    self.enter(slot, Stage::Waiting, world);
                    self.report(slot, world);
                    self.admit(slot, &object, world);
                }
            }
        }
        self.see_missed(node, world);
    }

    /// The kubelet has its watches again (POD-50).
    pub(super) fn relist(&mut self, node: Id<Node>, world: &mut World) {
        mark!("POD-50");
        self.ask_for_tick(node, recorded(world), world);
        let forgot = std::mem::take(&mut self.machines[node.index()].forgot);
        for slot in self.machines[node.index()].workers.clone() {
            match self.object(slot, world) {
                None => {
                    // The last that was known of it had no deletion: it gets its full period (POD-40). A kubelet that
                    // has restarted since knows no period: what is unknown to it gets the minimum (POD-42).
                    let full = world.store.pod_spec(self.workers[slot].spec).grace;
                    mark!("POD-42" if forgot);
                    mark!("POD-40" if !forgot);
                    let limit = match (recorded(world), forgot) {
                        (true, _) => world.config.timers.minimum_grace,
                        (false, true) => Duration::from_secs(1),
                        (false, false) => stop::grace(full),
                    };
                    self.vanished(slot, limit, world);
                }
                Some(object) => {
                    self.updated(slot, &object, world);
                    if self.workers[slot].is(Flags::DIRTY) {
                        self.report(slot, world);
                    }
                }
            }
        }
        self.sees_attached(node, world);
        self.see_missed(node, world);
    }

    fn see_missed(&mut self, node: Id<Node>, world: &mut World) {
        for (pod, uid) in std::mem::take(&mut self.machines[node.index()].missed) {
            self.sees_pod(pod, uid, world);
        }
    }

    pub(super) fn sees_node(&mut self, node: Id<Node>, world: &mut World) {
        if self.is_node_linked(node) {
            self.sees_attached(node, world);
        }
    }

    /// Node status has something new: it is written at the next tick (NODE-3), or at once where the corpus does.
    pub(super) fn ask_for_tick(&mut self, node: Id<Node>, fast: bool, world: &mut World) {
        let machine = &mut self.machines[node.index()];
        if machine.tick || !machine.reaches() {
            return;
        }
        machine.tick = true;
        let period = world.config.timers.node_status_update_frequency;
        let now = world.now();
        let key = STATUS_LOOP | u64::from(node.as_u32());
        let tick = if fast { now } else { world.next_tick(period, key, machine.epoch, now) };
        mark!("NODE-3" if !fast && period > Duration::ZERO);
        let event = Event::Kubelet(KubeletEvent::StatusTick(node, machine.epoch));
        world.delay(tick - now + world.api_delay(Actor::Kubelet), event);
    }

    /// Node status could not be written: the next tick tries again. The recorded corpus' kubelet has no ticks; it waits
    /// as long.
    fn tick_again(&mut self, node: Id<Node>, world: &mut World) {
        let machine = &mut self.machines[node.index()];
        machine.tick = true;
        let now = world.now();
        let key = STATUS_LOOP | u64::from(node.as_u32());
        let period = world.config.timers.node_status_update_frequency.max(Duration::from_secs(10));
        let delay = world.next_tick(period, key, machine.epoch, now) - now + world.api_delay(Actor::Kubelet);
        world.background(delay, Event::Kubelet(KubeletEvent::StatusTick(node, machine.epoch)));
    }

    /// Writes node status: Ready, and the volumes in use (VOL-40).
    pub(super) fn status_tick(&mut self, node: Id<Node>, epoch: u32, world: &mut World) {
        let Some(machine) = self.machines.get_mut(node.index()).filter(|m| m.epoch == epoch && m.reaches())
        else {
            return;
        };
        machine.tick = false;
        let volumes = machine.volumes.attachable(world);
        let Some(object) = world.store.nodes.get(node) else { return };
        let shutting = self.machines[node.index()].shutting;
        let wanted = if shutting { NodeReady::False } else { NodeReady::True };
        let (ready, listed) = (object.ready == wanted, object.volumes_in_use == volumes);
        if !ready || !listed {
            let now = Seconds::of(world.now());
            let rule = match (ready, shutting) {
                (true, _) => Rule::vol(40),
                (false, false) => Rule::node(9),
                (false, true) => Rule::node(32),
            };
            let write = |node: &mut Node| {
                if !ready {
                    node.ready = wanted;
                    node.ready_since = now;
                }
                if !listed {
                    node.volumes_in_use = volumes.clone();
                }
            };
            let is_written = |world: &World| {
                world.store.nodes.get(node).is_some_and(|n| n.ready == wanted && n.volumes_in_use == volumes)
            };
            // An answer that is lost leaves nothing to write at the next try.
            if !(0..STATUS_TRIES).any(|_| is_written(world) || world.patch(node, rule, write).is_ok()) {
                self.tick_again(node, world);
                return;
            }
        }
        let newly = self.machines[node.index()].volumes.report();
        if !ready && !shutting {
            // The status manager reconciles too what others have written meanwhile (NODE-25).
            mark!("NODE-25");
            for slot in self.machines[node.index()].workers.clone() {
                self.report_again(slot, world);
            }
        }
        self.wake(node, &newly, world);
    }

    /// The lease of a node is renewed from now on, or no longer (NODE-2).
    pub(super) fn set_lease(&mut self, node: Id<Node>, renewing: bool, world: &mut World) {
        if node.index() >= world.leases.len() {
            world.leases.resize(node.index() + 1, Lease::default());
        }
        let now = world.now();
        mark!("NODE-1", "NODE-2");
        let before = world.leases[node.index()];
        let since = if renewing {
            now
        } else {
            let period = world.config.timers.lease_renew_period;
            // The recorded corpus renews all leases in one loop.
            let (key, epoch) = if recorded(world) {
                (LEASE_LOOP, 0)
            } else {
                (LEASE_LOOP | u64::from(node.as_u32()), self.machines[node.index()].epoch)
            };
            let next = world.next_tick(period, key, epoch, now);
            let last = Time::from_nanos(next.as_nanos().saturating_sub(period.as_nanos()));
            last.min(now).max(before.since)
        };
        world.leases[node.index()] = Lease { renewing, since };
        // No change of an object has led to this.
        let apart = world.cause_without_write();
        let cause = std::mem::replace(&mut world.cause, apart);
        world.after(Duration::ZERO, Event::Nodes(NodesEvent::Lease(node)));
        world.cause = cause;
    }
}
