//! A machine that goes down in good order, and a kubelet that restarts alone (POD-32, POD-42, POD-45, NODE-32;
//! pkg/kubelet/nodeshutdown/nodeshutdown_manager.go, pkg/kubelet/prober/worker.go).
//!
//! Left out: groups of priorities with periods of their own, and critical pods.
use super::worker::{Run, Stage, Step, What};
use super::{Kubelets, admission};
use crate::api::objects::{Node, PodReason};
use crate::event::{Event, KubeletEvent, NodesEvent};
use crate::kernel::{Duration, Id, Time};
use crate::rule::mark;
use crate::world::{Draw, World};

/// A container that had been started this long before its kubelet was keeps its readiness (POD-32).
const SETTLED: Duration = Duration::from_secs(10);
/// From the end of the last container until the machine is off.
const POWER_OFF: Duration = Duration::from_secs(1);

impl Kubelets {
    /// The machine is told to shut down. With a period for it the kubelet ends its pods first; without one the
    /// containers are killed, and the API hears nothing (POD-45).
    pub fn shut_down_node(&mut self, node: Id<Node>, world: &mut World) {
        let period = world.config.timers.shutdown_grace;
        if !self.is_node_alive(node) || self.machines[node.index()].shutting {
            return;
        }
        if period == Duration::ZERO {
            self.crash_node(node, world);
            is_off(node, world);
            return;
        }
        mark!("POD-45", "NODE-32");
        let now = world.now();
        self.machines[node.index()].shutting = true;
        self.ask_for_tick(node, true, world);
        let mut off = now;
        for slot in self.machines[node.index()].workers.clone() {
            if matches!(self.workers[slot].stage, Stage::Stopped | Stage::Finished) {
                continue;
            }
            if self.workers[slot].stage != Stage::Stopping {
                self.workers.set_reason(slot, PodReason::Terminated);
            }
            let grace = super::stop::grace(world.store.pod_spec(self.workers[slot].spec).grace);
            self.stop_pod(slot, grace.min(period), world);
            off = off.max(self.workers.stopped_at(slot).unwrap_or(now));
        }
        let epoch = self.machines[node.index()].epoch;
        let wait = (off - now).min(period) + POWER_OFF;
        world.delay(wait, Event::Kubelet(KubeletEvent::PowerOff(node, epoch)));
    }

    /// The machine is off.
    pub(super) fn power_off(&mut self, node: Id<Node>, epoch: u32, world: &mut World) {
        if self.machines.get(node.index()).is_some_and(|machine| machine.epoch == epoch && machine.up) {
            self.crash_node(node, world);
            is_off(node, world);
        }
    }

    /// The kubelet of a node restarts; its containers run on. It admits its pods again (POD-47), has forgotten its
    /// back-offs, and probes anew; what was ready stays ready until a probe says otherwise (POD-32).
    pub fn restart_kubelet(&mut self, node: Id<Node>, world: &mut World) {
        let Some(machine) = self.machines.get_mut(node.index()).filter(|machine| machine.up) else { return };
        // What it then finds running and the API does not know any more it kills at once (POD-42).
        machine.forgot = !machine.linked();
        machine.restarts += 1;
        for slot in self.machines[node.index()].workers.clone() {
            if self.workers[slot].stage != Stage::Up {
                continue;
            }
            if !self.admits_again(slot, world) {
                let grace = super::stop::grace(world.store.pod_spec(self.workers[slot].spec).grace);
                self.stop_pod(slot, grace, world);
                continue;
            }
            for index in 0..self.workers.runs(slot).len() {
                self.takes_over(slot, index, world);
            }
        }
    }

    /// Admission of a pod whose containers run.
    fn admits_again(&mut self, slot: u32, world: &World) -> bool {
        let Some(object) = self.object(slot, world).filter(|_| self.linked(slot)) else { return true };
        self.count(slot, false, world);
        let refused = admission::refuses(&object, self.machine_of(slot).used, world);
        self.count(slot, refused.is_none(), world);
        self.workers.set_reason(slot, refused.unwrap_or(PodReason::None));
        refused.is_none()
    }

    /// A kubelet that has just started finds this container.
    fn takes_over(&mut self, slot: u32, index: usize, world: &mut World) {
        let now = world.now();
        let run = self.workers.run_mut(slot, index);
        run.forget_tries();
        match run.step {
            Step::Backoff | Step::PullBackoff | Step::PullFailed => self.begin(slot, index, world),
            Step::Running => {
                let young = now - run.since() < SETTLED && run.is(Run::READY);
                self.spread_probes(slot, index, world);
                if young && self.has_readiness_probe(slot, index, world) {
                    self.workers.run_mut(slot, index).set(Run::READY, false);
                    self.report(slot, world);
                } else {
                    mark!("POD-32" if self.workers.run(slot, index).is(Run::READY));
                }
                self.enter_of(slot, index, Step::Running, world);
                self.plan_exit(slot, index, world);
                self.ask_again(slot, index, world);
            }
            _ => {}
        }
    }

    /// The first probes after a restart come within a random part of their period.
    fn spread_probes(&mut self, slot: u32, index: usize, world: &World) {
        let worker = &self.workers[slot];
        let restarts = u64::from(self.machines[worker.node.index()].restarts);
        let part = |n: u64| {
            let key = restarts << 32 | (index as u64) << 1 | n;
            world.chooser.below(Draw::Phase as u32, u64::from(worker.uid.0), key, 1 << 20)
        };
        let at = |period: u32, part: u64| {
            let nanos = Duration::from_secs(u64::from(period)).as_nanos();
            world.now() + Duration::from_nanos((nanos >> 20).saturating_mul(part))
        };
        let (early, ready) = self.probe_periods(slot, index, world);
        let (since, probed_from): (Time, Time) = (at(early, part(0)), at(ready, part(1)));
        if early > 0 {
            self.workers.set_since(slot, since);
        }
        self.workers.run_mut(slot, index).set_probed_from(probed_from);
    }

    /// A container has asked for all of its pod to be restarted: the others are killed at once, and everything begins
    /// anew in the same sandbox, init containers included (POD-26).
    pub(super) fn restart_all(&mut self, slot: u32, world: &mut World) {
        mark!("POD-26");
        let now = world.now();
        self.plan_stop(slot, Duration::ZERO, world);
        let runs = self.workers.runs(slot).iter().filter(|run| run.is(Run::RUNS));
        let until = runs.map(|run| run.ended()).max().unwrap_or(now);
        self.enter(slot, Stage::Restarting, world);
        self.report(slot, world);
        self.later(slot, until - now, What::AllStopped, world);
    }

    /// All containers of a pod that restarts have stopped.
    pub(super) fn all_stopped(&mut self, slot: u32, world: &mut World) {
        self.changes += 1;
        self.halt(slot, world);
        for run in self.workers.runs_mut(slot) {
            if run.is(Run::RUNS) {
                run.ends(run.ended());
            }
            run.set(Run::READY, false);
            run.set(Run::STARTED, false);
            run.enter(Step::Idle);
        }
        self.bring_up(slot, world);
    }
}

/// The cloud knows that the machine was shut down (NODE-29).
fn is_off(node: Id<Node>, world: &mut World) {
    world.shut_down.insert(node);
    world.after(Duration::ZERO, Event::Nodes(NodesEvent::MachineChanged(node)));
}
