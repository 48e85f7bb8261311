//! Pod garbage collector (pkg/controller/podgc/gc_controller.go; POD-53, POD-54, NODE-26 to NODE-28).
//!
//! The real one looks at all pods every 20 seconds. Here what it would find is known from the changes; a run is simulated
//! only where it finds something. A node that is missing is first noted at a run, and its pods are collected at the first
//! run after its quarantine.
use crate::api::kind::Kind;
use crate::api::names::{Name, Sym};
use crate::api::objects::{Disruption, Node, NodeReady, Phase, Pod, PodFlags, PodReason};
use crate::api::store::{Change, Verb};
use crate::controllers::node_pods::NodePods;
use crate::controllers::ticks::Ticks;
use crate::event::{Event, GcCall, NodesEvent, Process};
use crate::kernel::{Id, Time};
use crate::rule::{Rule, mark};
use crate::world::{Actor, DeleteOptions, World};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// `--terminated-pod-gc-threshold` (DEF-21).
const KEPT_TERMINATED: usize = 12_500;
/// Key of the loop (DEF-C1).
const LOOP: u64 = 6 << 32;
const OUT_OF_SERVICE: &str = "node.kubernetes.io/out-of-service";

/// Pod garbage collector.
#[derive(Clone, Debug, Default)]
pub struct PodGc {
    ticks: Ticks,
    /// Missing nodes that pods are bound to, and the run after their quarantine.
    missing: BTreeMap<Id<Node>, Time>,
    /// Terminating pods that the next run may find: never bound, or on a node out of service.
    candidates: BTreeSet<Id<Pod>>,
    /// Terminal pods in the order in which they are collected: evicted ones first, then by creation.
    terminal: BTreeSet<(bool, u32, Id<Pod>)>,
    /// When the next run with something to do is.
    run: Option<Time>,
    /// When the calls of the present run are done.
    busy_until: Time,
    /// Calls under way: the name, for the table position may come to mean another one.
    under_way: BTreeMap<Id<Pod>, Name>,
}

fn place(id: Id<Pod>, pod: &Pod) -> Option<(bool, u32, Id<Pod>)> {
    pod.is_terminal().then(|| (pod.reason != PodReason::Evicted, pod.meta.created.0, id))
}

impl PodGc {
    /// Hears of a change that the watches of the controller manager show.
    pub fn observe(&mut self, change: &Change, pods: &NodePods, world: &mut World) {
        match change.kind {
            Kind::Pod => self.pod_changed(change, world),
            Kind::Node if change.verb == Verb::Removed && !pods.on(change.id()).is_empty() => {
                self.node_is_missing(change.id(), world);
            }
            Kind::Node => self.node_changed(change, pods, world),
            _ => {}
        }
    }

    fn node_changed(&mut self, change: &Change, pods: &NodePods, world: &mut World) {
        let node = change.id::<Node>();
        let (old, Some(new)) = world.store.before_and_after::<Node>(change) else { return };
        let Some(old) = old else {
            self.missing.remove(&node);
            return;
        };
        let same = old.ready == new.ready && Arc::ptr_eq(&old.taints, &new.taints);
        if same || !is_out_of_service(new, world) {
            return;
        }
        for pod in pods.on(node) {
            if world.view(Process::ControllerManager).get(*pod).is_some_and(Pod::is_terminating) {
                self.candidates.insert(*pod);
            }
        }
        self.ask(world);
    }

    fn pod_changed(&mut self, change: &Change, world: &mut World) {
        let id = change.id::<Pod>();
        let (old, new) = world.store.before_and_after::<Pod>(change);
        let (old, new) = (old.copied(), new.copied());
        let (was, is) =
            (old.as_ref().and_then(|pod| place(id, pod)), new.as_ref().and_then(|pod| place(id, pod)));
        if was != is {
            was.map(|place| self.terminal.remove(&place));
            is.map(|place| self.terminal.insert(place));
            if self.terminal.len() > KEPT_TERMINATED {
                self.ask(world);
            }
        }
        let Some(new) = new else {
            self.candidates.remove(&id);
            return;
        };
        let newly_bound = new.is_bound() && !old.is_some_and(|old| old.is_bound());
        let newly_terminating = new.is_terminating() && !old.is_some_and(|old| old.is_terminating());
        if newly_bound || newly_terminating {
            self.notes(id, &new, world);
        }
    }

    /// A pod that is newly bound, or newly terminating.
    fn notes(&mut self, id: Id<Pod>, pod: &Pod, world: &mut World) {
        if !pod.is_bound() {
            if pod.is_terminating() {
                self.candidates.insert(id);
                self.ask(world);
            }
            return;
        }
        match world.view(Process::ControllerManager).get(pod.node) {
            None => self.node_is_missing(pod.node, world),
            Some(node) if pod.is_terminating() && is_out_of_service(node, world) => {
                self.candidates.insert(id);
                self.ask(world);
            }
            Some(_) => {}
        }
    }

    /// The next run puts the node into quarantine; the first run after that looks again (NODE-26).
    fn node_is_missing(&mut self, node: Id<Node>, world: &mut World) {
        if self.missing.contains_key(&node) {
            return;
        }
        let timers = world.config.timers;
        let first = self.ticks.not_before(timers.pod_gc_period, LOOP, world.now(), world);
        let due = self.ticks.not_before(timers.pod_gc_period, LOOP, first + timers.pod_gc_quarantine, world);
        self.missing.insert(node, due);
        self.ask(world);
    }

    /// Asks for the next run that has something to do.
    fn ask(&mut self, world: &mut World) {
        let next = if self.candidates.is_empty() && self.terminal.len() <= KEPT_TERMINATED {
            self.missing.values().min().copied()
        } else {
            Some(self.ticks.after(world.config.timers.pod_gc_period, LOOP, world.now(), world))
        };
        if let Some(next) = next {
            self.run_at(next, world);
        }
    }

    fn run_at(&mut self, next: Time, world: &mut World) {
        if self.run.is_some_and(|run| run <= next) {
            return;
        }
        self.run = Some(next);
        world.at(next, Event::Nodes(NodesEvent::PodGc(world.epoch(Process::ControllerManager))));
    }

    /// Something of its own is due.
    pub fn handle(&mut self, event: NodesEvent, pods: &NodePods, world: &mut World) {
        match event {
            NodesEvent::PodGc(epoch) if epoch == world.epoch(Process::ControllerManager) => {
                self.run(pods, world)
            }
            NodesEvent::PodGcCall(pod, call, epoch) if epoch == world.epoch(Process::ControllerManager) => {
                self.call(pod, call, world);
            }
            _ => {}
        }
    }

    /// One run, in the order of the real one (POD-53).
    fn run(&mut self, pods: &NodePods, world: &mut World) {
        let now = world.now();
        if self.run != Some(now) {
            return;
        }
        mark!("POD-53");
        self.run = None;
        self.busy_until = self.busy_until.max(now);
        let view = world.view(Process::ControllerManager);
        let surplus = self.terminal.len().saturating_sub(KEPT_TERMINATED);
        mark!("NODE-28" if surplus > 0);
        let terminal: Vec<Id<Pod>> = self.terminal.iter().take(surplus).map(|(.., pod)| *pod).collect();
        let candidates = std::mem::take(&mut self.candidates);
        let (mut out_of_service, mut unbound) = (Vec::new(), Vec::new());
        for id in candidates {
            let Some(pod) = view.get(id).filter(|pod| pod.is_terminating()) else { continue };
            if !pod.is_bound() {
                mark!("NODE-28");
                unbound.push(id);
            } else if view.get(pod.node).is_some_and(|node| is_out_of_service(node, world)) {
                mark!("NODE-27");
                out_of_service.push(id);
            }
        }
        let due: Vec<Id<Node>> =
            self.missing.iter().filter(|(_, due)| **due <= now).map(|(node, _)| *node).collect();
        for pod in terminal.into_iter().chain(out_of_service) {
            self.collect(pod, GcCall::Fail, world);
        }
        for node in due {
            self.missing.remove(&node);
            // A live look at the API (NODE-26).
            if world.store.nodes.get(node).is_none() {
                for pod in pods.on(node) {
                    self.collect(*pod, GcCall::FailOrphan, world);
                }
            }
        }
        for pod in unbound {
            self.collect(pod, GcCall::Fail, world);
        }
        self.ask(world);
    }

    /// Two calls for each pod, one pod after the other (POD-54).
    fn collect(&mut self, id: Id<Pod>, fail: GcCall, world: &mut World) {
        let Some(pod) = world.view(Process::ControllerManager).get(id).copied() else { return };
        self.under_way.insert(id, pod.meta.name);
        let steps = [(!pod.is_terminal()).then_some(fail), Some(GcCall::Delete)];
        for call in steps.into_iter().flatten() {
            // To the API server, and back with its answer: who watches is told earlier.
            self.busy_until = self.busy_until + world.api_delay(Actor::PodGc) + world.api_delay(Actor::PodGc);
            let epoch = world.epoch(Process::ControllerManager);
            world.at(self.busy_until, Event::Nodes(NodesEvent::PodGcCall(id, call, epoch)));
        }
    }

    /// A call reaches the API server: by name, whoever bears it now (POD-54).
    fn call(&mut self, id: Id<Pod>, call: GcCall, world: &mut World) {
        let name = self.under_way.get(&id).copied();
        let Some(pod) = world.store.pods.get(id).filter(|pod| Some(pod.meta.name) == name) else { return };
        let orphan = call == GcCall::FailOrphan;
        let rule = if orphan { Rule::node(26) } else { Rule::pod(54) };
        match call {
            GcCall::Fail | GcCall::FailOrphan => {
                if pod.is_terminal() {
                    return;
                }
                let failed = world.patch(id, rule, |pod| {
                    pod.phase = Phase::Failed;
                    if orphan {
                        pod.flags.set(PodFlags::DISRUPTION_TARGET, true);
                        pod.disruption = Disruption::ByPodGc;
                    }
                });
                if failed.is_err() {
                    // It is not deleted either.
                    self.under_way.remove(&id);
                    self.again(id, world);
                }
            }
            GcCall::Delete => {
                self.under_way.remove(&id);
                let options = DeleteOptions { grace: Some(0), ..DeleteOptions::default() };
                if world.delete(id, options, rule).is_err_and(|error| !error.is_not_found()) {
                    self.again(id, world);
                }
            }
        }
    }

    /// A call has failed: the next run finds the pod again, and a missing node goes into quarantine once more.
    fn again(&mut self, id: Id<Pod>, world: &mut World) {
        let Some(pod) = world.view(Process::ControllerManager).get(id).copied() else { return };
        if pod.is_bound() && view_lacks(pod.node, world) {
            self.node_is_missing(pod.node, world);
        } else if pod.is_terminating() {
            self.candidates.insert(id);
        }
        self.ask(world);
    }

    /// The controller manager has started and listed everything: quarantines begin anew (DEF-C3). A scan, once.
    pub fn restart(&mut self, pods: &NodePods, world: &mut World) {
        *self = PodGc { ticks: Ticks::from_now(world), ..PodGc::default() };
        let view = world.view(Process::ControllerManager);
        let all: Vec<(Id<Pod>, Pod)> = view.iter::<Pod>().map(|(id, pod)| (id, *pod)).collect();
        for (id, pod) in all {
            self.terminal.extend(place(id, &pod));
            let missing = pod.is_bound() && !pods.on(pod.node).is_empty() && view_lacks(pod.node, world);
            if pod.is_terminating() || missing {
                self.notes(id, &pod, world);
            }
        }
        if !self.candidates.is_empty() {
            self.run_at(world.now(), world);
        }
        self.ask(world);
    }
}

fn view_lacks(node: Id<Node>, world: &World) -> bool {
    world.view(Process::ControllerManager).get(node).is_none()
}

/// Not Ready, and tainted out-of-service with whatever effect (NODE-27).
fn is_out_of_service(node: &Node, world: &World) -> bool {
    let key: Option<Sym> = world.store.names.known(OUT_OF_SERVICE);
    node.ready != NodeReady::True && key.is_some_and(|key| node.taints.iter().any(|taint| taint.key == key))
}
