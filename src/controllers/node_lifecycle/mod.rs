//! Node lifecycle: health and taints of nodes (pkg/controller/nodelifecycle/node_lifecycle_controller.go; NODE-5 to
//! NODE-17).
//!
//! The real controller looks at all nodes every five seconds. Here a node is looked at only at those ticks of its monitor
//! at which something would be found: when silence has lasted for the grace period, which follows from the last renewal
//! of its lease, and at the tick after its conditions or taints have changed. A pass ends when the last write of its looks
//! is done; then the zones are judged (NODE-17). Left out: pressure conditions, status heartbeats beside the lease.
mod taints;
#[cfg(test)]
mod tests;
mod zones;

use crate::api::kind::Kind;
use crate::api::objects::{Effect, Node, NodeReady, Pod, PodFlags, Revision, Seconds, Taint};
use crate::api::status::Status;
use crate::api::store::{Change, Verb};
use crate::controllers::node_pods::NodePods;
use crate::controllers::ticks::Ticks;
use crate::event::{Event, NodeWrite, NodesEvent, Process};
use crate::kernel::{Duration, Id, Time, Timer};
use crate::rule::{Rule, mark};
use crate::world::{Actor, Draw, World};
use std::collections::BTreeMap;
use std::sync::Arc;
use taints::Keys;
use zones::{State, Zone};

/// A node that has never reported gets this long from its creation (DEF-12).
const STARTUP_GRACE: Duration = Duration::from_secs(60);
/// Nodes with this label do not count for the state of their zone (NODE-14).
const EXCLUDED_LABEL: &str = "node.kubernetes.io/exclude-disruption";
/// A write that has lost a conflict is tried again after this: a condition (`retrySleepTime`), and a taint, up to twice
/// as late (`UpdateTaintBackoff`).
const CONDITION_RETRY: Duration = Duration::from_millis(20);
const TAINT_RETRY: Duration = Duration::from_millis(100);
/// So often a condition is written before its node is passed over until the next pass (`NodeHealthUpdateRetry`), and a
/// taint that meets conflicts (`UpdateTaintBackoff`).
const TRIES: u32 = 5;
/// A kubelet that has nothing to say writes its node's status this often all the same (`nodeStatusReportFrequency`): a
/// NoSchedule taint that could not be written is looked at again.
const HEARTBEAT: Duration = Duration::from_secs(300);
/// Keys of the monitor's loop and the queues' loops (DEF-C1).
const MONITOR_LOOP: u64 = 7 << 32;
const QUEUE_LOOP: u64 = 5 << 32;

/// What the controller remembers of a node.
#[derive(Clone, Debug)]
struct Record {
    /// Its condition as of the last look.
    seen: NodeReady,
    /// The first look has registered it.
    registered: bool,
    /// Counts in its zone.
    counted: bool,
    zone: usize,
    /// Its grace period begins no earlier than this: the first look of this process (NODE-6), the end of a full
    /// disruption (NODE-16).
    probed: Time,
    /// When the controller saw that the node has a NoExecute taint.
    tainted: Time,
    /// When silence will have lasted too long.
    expires: Time,
    timer: Option<Timer>,
    /// The tick at which it will be looked at anyway.
    look: Time,
}

/// Node lifecycle: health and taints of nodes.
#[derive(Clone, Debug, Default)]
pub struct NodeLifecycle {
    ticks: Ticks,
    /// By table position.
    nodes: Vec<Option<Record>>,
    zones: Vec<Zone>,
    /// The last pass, at whose end zones are judged, and when its last write is done.
    pass: Option<Time>,
    pass_ends: Time,
    /// Writes under way, with the state of the node that they go out from. `None`: it has not been read yet.
    writes: Vec<(Id<Node>, NodeWrite, Option<Revision>)>,
    /// Writes that have failed, and how often in a row.
    failures: BTreeMap<(Id<Node>, NodeWrite), u32>,
}

fn epoch(world: &World) -> u32 {
    world.epoch(Process::ControllerManager)
}

impl NodeLifecycle {
    /// Hears of a change that the watches of the controller manager show.
    pub fn observe(&mut self, change: &Change, world: &mut World) {
        if change.kind != Kind::Node {
            return;
        }
        world.actor = Actor::NodeController;
        let node = change.id::<Node>();
        if change.verb == Verb::Removed {
            self.forgets(node, world);
            return;
        }
        let (old, Some(new)) = world.store.before_and_after::<Node>(change) else { return };
        let Some(old) = old else {
            let new = new.clone();
            self.meets(node, &new, world);
            let next =
                self.ticks.after(world.config.timers.node_monitor_period, MONITOR_LOOP, world.now(), world);
            self.look_at(node, next, world);
            return;
        };
        let same_taints = Arc::ptr_eq(&old.taints, &new.taints);
        if same_taints && old.ready == new.ready && old.unschedulable == new.unschedulable {
            return;
        }
        let (old, new) = (old.clone(), new.clone());
        let keys = Keys::of(&mut world.store.names);
        if keys.no_schedule(&new).is_some() {
            self.write_later(node, NodeWrite::NoSchedule, world);
        }
        let now = world.now();
        let Some(record) = self.record(node) else { return };
        if keys.is_tainted(&new) && !keys.is_tainted(&old) {
            record.tainted = now;
        }
        let (seen, zone) = (record.seen, record.zone);
        if seen == new.ready && new.ready != old.ready && new.ready == NodeReady::Unknown {
            // What the look has decided is in the API: the node waits for its taint.
            self.zones[zone].enqueue(node);
            self.ask_queue(zone, world);
        }
        let lost = keys.is_tainted(&old) && !keys.is_tainted(&new) && seen != NodeReady::True;
        let left_over = new.ready == NodeReady::True && keys.is_tainted(&new);
        if seen != new.ready || lost || left_over {
            let next =
                self.ticks.after(world.config.timers.node_monitor_period, MONITOR_LOOP, world.now(), world);
            self.look_at(node, next, world);
        }
    }

    /// A node that this process has not seen before.
    fn meets(&mut self, node: Id<Node>, object: &Node, world: &mut World) {
        if node.index() >= self.nodes.len() {
            self.nodes.resize(node.index() + 1, None);
        }
        let key = (object.region, object.zone);
        let zone = self.zones.iter().position(|zone| zone.key == key).unwrap_or_else(|| {
            mark!("NODE-14");
            self.zones.push(Zone::new(key, world.config.timers.node_eviction_interval));
            self.zones.len() - 1
        });
        self.nodes[node.index()] = Some(Record {
            seen: NodeReady::Missing,
            registered: false,
            counted: false,
            zone,
            probed: world.now(),
            tainted: world.now(),
            expires: Time::NEVER,
            timer: None,
            look: Time::NEVER,
        });
        if Keys::of(&mut world.store.names).no_schedule(object).is_some() {
            self.write_later(node, NodeWrite::NoSchedule, world);
        }
        self.lease_changed(node, world);
    }

    fn forgets(&mut self, node: Id<Node>, world: &mut World) {
        let Some(record) = self.nodes.get_mut(node.index()).and_then(Option::take) else { return };
        if let Some(timer) = record.timer {
            world.cancel(timer);
        }
        let zone = &mut self.zones[record.zone];
        zone.dequeue(node);
        if record.counted {
            *count(zone, record.seen) -= 1;
        }
        self.failures.retain(|(failed, _), _| *failed != node);
        world.emit(node, false, "RemovingNode", |world| {
            let name = name_of(node, world);
            format!("Node {name} event: Removing Node {name} from Controller")
        });
    }

    /// Something of its own is due.
    pub fn handle(&mut self, event: NodesEvent, pods: &NodePods, world: &mut World) {
        let now = epoch(world);
        match event {
            NodesEvent::Lease(node) => self.lease_changed(node, world),
            NodesEvent::Monitor(node, epoch) if epoch == now => self.look(node, pods, world),
            NodesEvent::Pass(epoch) if epoch == now => self.pass_over(world),
            NodesEvent::TaintNext(zone, epoch) if epoch == now => self.taint_next(zone as usize, world),
            NodesEvent::Write(node, what, epoch) if epoch == now => self.write(node, what, pods, world),
            NodesEvent::NotReady(pod, epoch) if epoch == now => self.not_ready(pod, world),
            _ => {}
        }
    }

    /// The controller manager has started and listed everything: every node is new to it, and its first pass is now
    /// (NODE-6, NODE-33).
    pub fn restart(&mut self, world: &mut World) {
        *self = NodeLifecycle { ticks: Ticks::from_now(world), ..NodeLifecycle::default() };
        world.actor = Actor::NodeController;
        let nodes: Vec<(Id<Node>, Node)> = world
            .view(Process::ControllerManager)
            .iter::<Node>()
            .map(|(id, node)| (id, node.clone()))
            .collect();
        for (id, node) in nodes {
            self.meets(id, &node, world);
            self.look_at(id, world.now(), world);
        }
    }

    fn record(&mut self, node: Id<Node>) -> Option<&mut Record> {
        self.nodes.get_mut(node.index())?.as_mut()
    }

    fn look_at(&mut self, node: Id<Node>, tick: Time, world: &mut World) {
        let Some(record) = self.record(node) else { return };
        if tick < record.look {
            record.look = tick;
            world.at(tick, Event::Nodes(NodesEvent::Monitor(node, epoch(world))));
        }
    }

    /// Silence begins or ends. A renewal is noticed at the next tick of the monitor; from there the grace period counts,
    /// and the first tick not before its end finds it over (NODE-6, NODE-7).
    fn lease_changed(&mut self, node: Id<Node>, world: &mut World) {
        let timers = world.config.timers;
        let lease = world.leases.get(node.index()).copied().unwrap_or_default();
        let created =
            world.store.nodes.get(node).filter(|n| n.ready == NodeReady::Missing).map(|n| n.meta.created);
        let mut ticks = self.ticks;
        let Some(record) = self.record(node) else { return };
        if let Some(timer) = record.timer.take() {
            world.cancel(timer);
        }
        record.expires = Time::NEVER;
        if lease.renewing {
            return;
        }
        let period = timers.node_monitor_period;
        let over = match created {
            Some(created) => created.start() + STARTUP_GRACE,
            None => {
                let noticed = ticks.after(period, MONITOR_LOOP, lease.since, world);
                mark!("NODE-6", "NODE-7");
                noticed.max(record.probed) + timers.node_monitor_grace_period
            }
        };
        let tick = ticks.not_before(period, MONITOR_LOOP, over.max(world.now()), world);
        record.expires = tick;
        record.timer = Some(world.timer(tick, Event::Nodes(NodesEvent::Monitor(node, epoch(world)))));
        self.ticks = ticks;
    }

    /// The monitor looks at a node (monitorNodeHealth).
    fn look(&mut self, node: Id<Node>, pods: &NodePods, world: &mut World) {
        let now = world.now();
        let Some(object) = world.view(Process::ControllerManager).get(node).cloned() else { return };
        let keys = Keys::of(&mut world.store.names);
        let Some(record) = self.record(node) else { return };
        if record.look <= now {
            record.look = Time::NEVER;
        }
        mark!("NODE-5");
        let first = !std::mem::replace(&mut record.registered, true);
        if first {
            record.seen = object.ready;
            register(node, world);
        }
        let record_was = record.seen;
        let expired = record.expires <= now && object.ready != NodeReady::Unknown;
        let ready = if expired { NodeReady::Unknown } else { object.ready };
        self.sees(node, ready, &object, world);
        let mut end = now;
        if expired {
            end = self.write_later(node, NodeWrite::Unknown, world);
        }
        if record_was == NodeReady::True && ready != NodeReady::True {
            end = end.max(self.leaves_ready(node, pods, end, world));
        }
        // A node that is new to this process is treated as reachable at first (NODE-33).
        if (first || ready == NodeReady::True) && keys.is_tainted(&object) {
            mark!("NODE-33" if first && ready != NodeReady::True);
            end = end.max(self.write_later(node, NodeWrite::Reachable, world));
        }
        let zone = self.nodes[node.index()].as_ref().map_or(0, |record| record.zone);
        match keys.no_execute(ready) {
            None => self.zones[zone].dequeue(node),
            Some((_, opposite)) if taints::has(&object, opposite, Effect::NoExecute) && !first => {
                mark!("NODE-12");
                end = end.max(self.write_later(node, NodeWrite::NoExecute, world));
            }
            // Once the condition is seen to be written, it waits for the taint: see `observe`.
            Some(_) if expired => {}
            Some((wanted, _)) if first || !taints::has(&object, wanted, Effect::NoExecute) => {
                self.zones[zone].enqueue(node);
                self.ask_queue(zone, world);
            }
            Some(_) => {}
        }
        self.pass_ends = self.pass_ends.max(end);
        if self.pass.replace(now) != Some(now) {
            world.at(now, Event::Nodes(NodesEvent::Pass(epoch(world))));
        }
    }

    /// The condition of a node as of this pass, for its zone.
    fn sees(&mut self, node: Id<Node>, ready: NodeReady, object: &Node, world: &World) {
        let excluded = world
            .store
            .names
            .known(EXCLUDED_LABEL)
            .is_some_and(|label| world.store.labels.value(object.meta.labels, label).is_some());
        let Some(Some(record)) = self.nodes.get_mut(node.index()) else { return };
        let zone = &mut self.zones[record.zone];
        if record.counted {
            *count(zone, record.seen) -= 1;
        }
        record.seen = ready;
        record.counted = ready != NodeReady::Missing && !excluded;
        if record.counted {
            *count(zone, ready) += 1;
        }
    }

    /// Ready has left True: an event, and the pods are marked not ready, one after the other (NODE-8).
    fn leaves_ready(&mut self, node: Id<Node>, pods: &NodePods, from: Time, world: &mut World) -> Time {
        world.emit(node, false, "NodeNotReady", |world| {
            format!("Node {} status is now: NodeNotReady", name_of(node, world))
        });
        self.pods_follow(node, pods, from, world)
    }

    fn pods_follow(&mut self, node: Id<Node>, pods: &NodePods, from: Time, world: &mut World) -> Time {
        let mut end = from;
        for pod in pods.on(node) {
            if world.view(Process::ControllerManager).get(*pod).is_some_and(Pod::is_ready) {
                end = end + world.api_delay(Actor::NodeController);
                world.at(end, Event::Nodes(NodesEvent::NotReady(*pod, epoch(world))));
            }
        }
        end
    }

    /// Decides on a write. A condition is written from the node as the controller knows it; for a taint the node is read
    /// first, which is an API call of its own (`AddOrUpdateTaintOnNode`, `RemoveTaintOffNode`).
    fn write_later(&mut self, node: Id<Node>, what: NodeWrite, world: &mut World) -> Time {
        let known = what == NodeWrite::Unknown;
        let revision = world.store.nodes.get(node).map(|node| node.meta.revision).filter(|_| known);
        self.writes.push((node, what, revision));
        let time = world.now() + world.api_delay(Actor::NodeController);
        world.at(time, Event::Nodes(NodesEvent::Write(node, what, epoch(world))));
        time
    }

    /// True if the write can be made now. The node may have to be read first; and whoever has written it since is not
    /// overwritten: the write is tried again later.
    fn is_due(&mut self, node: Id<Node>, what: NodeWrite, now: Revision, world: &mut World) -> bool {
        let Some(place) = self.writes.iter().position(|write| (write.0, write.1) == (node, what)) else {
            return true;
        };
        let (.., from) = self.writes.remove(place);
        if from == Some(now) {
            return true;
        }
        let pause = match from {
            None => Duration::ZERO,
            Some(_) if what == NodeWrite::Unknown => CONDITION_RETRY,
            Some(_) => {
                let nanos = TAINT_RETRY.as_nanos();
                let key = u64::from(node.as_u32());
                let jitter = world.chooser.below(Draw::Jitter as u32, key, u64::from(now.0), nanos);
                TAINT_RETRY + Duration::from_nanos(jitter)
            }
        };
        // What is known of the node now: the first read, or the condition's next try. A taint is read again.
        let known = from.is_none() || what == NodeWrite::Unknown;
        self.writes.push((node, what, known.then_some(now)));
        let delay = pause + world.api_delay(Actor::NodeController);
        world.after(delay, Event::Nodes(NodesEvent::Write(node, what, epoch(world))));
        false
    }

    /// A write reaches the API server.
    fn write(&mut self, node: Id<Node>, what: NodeWrite, pods: &NodePods, world: &mut World) {
        let Some(object) = world.store.nodes.get(node).cloned() else {
            self.writes.retain(|write| write.0 != node);
            return;
        };
        if !self.is_due(node, what, object.meta.revision, world) {
            return;
        }
        match self.try_to_write(node, what, &object, world) {
            Ok(()) => {
                let failed = !self.failures.is_empty() && self.failures.remove(&(node, what)).is_some();
                if failed && what == NodeWrite::Unknown {
                    self.pods_follow(node, pods, world.now(), world);
                }
            }
            Err(error) => self.write_failed(node, what, &object, &error, world),
        }
    }

    fn try_to_write(
        &mut self,
        node: Id<Node>,
        what: NodeWrite,
        object: &Node,
        world: &mut World,
    ) -> Result<(), Status> {
        let keys = Keys::of(&mut world.store.names);
        let now = Seconds::of(world.now());
        let set = |world: &mut World, taints: Vec<Taint>, rule| {
            world.patch(node, rule, |node| node.taints = taints.into()).map(drop)
        };
        match what {
            NodeWrite::Unknown => {
                let renewed = world.leases.get(node.index()).is_some_and(|lease| lease.renewing);
                if renewed {
                    // It has come back at the last moment: the next look sees it as it is.
                    let period = world.config.timers.node_monitor_period;
                    let next = self.ticks.after(period, MONITOR_LOOP, world.now(), world);
                    self.look_at(node, next, world);
                    return Ok(());
                }
                if object.ready == NodeReady::Unknown {
                    return Ok(());
                }
                let write = |node: &mut Node| {
                    node.ready = NodeReady::Unknown;
                    node.ready_since = now;
                };
                world.put(node, Rule::node(7), write).map(drop)
            }
            NodeWrite::NoSchedule => match keys.no_schedule(object) {
                Some(taints) => set(world, taints, Rule::node(10)),
                None => Ok(()),
            },
            NodeWrite::NoExecute => {
                let Some((wanted, opposite)) = keys.no_execute(object.ready) else { return Ok(()) };
                if !taints::has(object, wanted, Effect::NoExecute) {
                    let mut taints = object.taints.to_vec();
                    let effect = Effect::NoExecute;
                    taints.push(Taint { key: wanted, value: Default::default(), effect, added: now });
                    set(world, taints, Rule::node(12))?;
                }
                remove(node, opposite, world)
            }
            NodeWrite::Reachable => {
                remove(node, keys.unreachable, world)?;
                remove(node, keys.not_ready, world)
            }
        }
    }

    /// A write has failed. A condition is tried again a few times, a taint that meets a conflict too; after that it is
    /// what brings the node back to the controller that counts: the next pass of the monitor, the next turn of the
    /// queue of its zone, or for NoSchedule taints just the next change of the node.
    fn write_failed(
        &mut self,
        node: Id<Node>,
        what: NodeWrite,
        object: &Node,
        error: &Status,
        world: &mut World,
    ) {
        let failures = self.failures.entry((node, what)).or_default();
        *failures += 1;
        let again = *failures < TRIES && (what == NodeWrite::Unknown || error.is_conflict());
        if again {
            let known = what == NodeWrite::Unknown;
            self.writes.push((node, what, known.then_some(object.meta.revision)));
            let pause = if known { CONDITION_RETRY } else { TAINT_RETRY };
            let delay = pause + world.api_delay(Actor::NodeController);
            world.after(delay, Event::Nodes(NodesEvent::Write(node, what, epoch(world))));
            return;
        }
        *failures = 0;
        let next =
            self.ticks.after(world.config.timers.node_monitor_period, MONITOR_LOOP, world.now(), world);
        match what {
            NodeWrite::Unknown => {
                // Nothing has become of it: the next pass sees the node as it is.
                self.sees(node, object.ready, object, world);
                self.look_at(node, next, world);
            }
            NodeWrite::Reachable => self.look_at(node, next, world),
            NodeWrite::NoExecute => {
                if let Some(zone) = self.record(node).map(|record| record.zone) {
                    self.zones[zone].enqueue(node);
                    self.ask_queue(zone, world);
                }
            }
            NodeWrite::NoSchedule => {
                if world.leases.get(node.index()).is_some_and(|lease| lease.renewing) {
                    let event = NodesEvent::Write(node, what, epoch(world));
                    world.background(HEARTBEAT, Event::Nodes(event));
                }
            }
        }
    }

    /// Condition Ready of a pod of a silent node becomes False; its containers and its phase are another matter (NODE-8).
    /// Not if the condition of its node could not be written; what fails is tried again in the next pass.
    fn not_ready(&mut self, pod: Id<Pod>, world: &mut World) {
        let Some(node) = world.store.pods.get(pod).filter(|pod| pod.is_ready()).map(|pod| pod.node) else {
            return;
        };
        if self.failures.contains_key(&(node, NodeWrite::Unknown)) {
            return;
        }
        let now = Seconds::of(world.now());
        let written = world.put(pod, Rule::node(8), |pod| {
            pod.flags.set(PodFlags::READY, false);
            pod.ready_since = now;
        });
        if written.is_ok() {
            world.emit(pod, true, "NodeNotReady", |_| "Node is not ready".to_owned());
        } else {
            let period = world.config.timers.node_monitor_period;
            let next = self.ticks.after(period, MONITOR_LOOP, world.now(), world);
            world.at(next, Event::Nodes(NodesEvent::NotReady(pod, epoch(world))));
        }
    }

    /// The queue of a zone is looked at as soon as it may give a node, on its loop's grid (NODE-13).
    fn ask_queue(&mut self, zone: usize, world: &mut World) {
        let Some(due) = self.zones[zone].due(world.now()).filter(|_| !self.zones[zone].asked) else { return };
        self.zones[zone].asked = true;
        let (period, epoch) = (world.config.timers.taint_queue_period, epoch(world));
        let before = Time::from_nanos(due.as_nanos().saturating_sub(1));
        let tick = world.next_tick(period, QUEUE_LOOP | zone as u64, epoch, before);
        world.at(tick, Event::Nodes(NodesEvent::TaintNext(zone as u32, epoch)));
    }

    /// The next node of a zone gets its NoExecute taint. Which one is chance: they are put back at every tick (NODE-13).
    fn taint_next(&mut self, number: usize, world: &mut World) {
        let now = world.now();
        let Some(zone) = self.zones.get_mut(number) else { return };
        zone.asked = false;
        if zone.due(now).is_some_and(|due| due <= now) {
            mark!("NODE-13");
            let waiting = zone.queue.len() as u64;
            let place = world.chooser.below(Draw::Order as u32, number as u64, zone.taken, waiting);
            let node = zone.take(place as usize, now);
            // The token is spent even if the node has become ready meanwhile.
            if self.record(node).is_some_and(|record| record.seen != NodeReady::True) {
                self.write_later(node, NodeWrite::NoExecute, world);
            }
        }
        self.ask_queue(number, world);
    }

    /// The end of a pass: zones are judged (NODE-15 to NODE-17).
    fn pass_over(&mut self, world: &mut World) {
        let now = world.now();
        if self.pass_ends > now {
            world.at(self.pass_ends, Event::Nodes(NodesEvent::Pass(epoch(world))));
            return;
        }
        let live = || self.zones.iter().filter(|zone| zone.ready + zone.not_ready > 0);
        if live().next().is_none() {
            return;
        }
        let is_full = live().all(|zone| state_now(zone) == State::Full);
        let was_full = live().all(|zone| zone.state == State::Full);
        if is_full && was_full {
            return;
        }
        if is_full {
            self.all_nodes_are_gone(world);
            return;
        }
        if was_full {
            self.some_node_is_back(world);
        }
        for number in 0..self.zones.len() {
            let zone = &mut self.zones[number];
            let state = state_now(zone);
            if zone.state != state {
                mark!("NODE-17" if state == State::Partial);
                mark!("NODE-15");
                zone.state = state;
                zone.set_rate(state, &world.config.timers, now);
            }
            self.ask_queue(number, world);
        }
    }

    /// Master disruption mode: nothing is evicted while no node is ready (NODE-16).
    fn all_nodes_are_gone(&mut self, world: &mut World) {
        let keys = Keys::of(&mut world.store.names);
        mark!("NODE-16");
        for zone in &mut self.zones {
            zone.state = State::Full;
            zone.swap(None, world.now());
            zone.queue.clear();
        }
        for node in (0..self.nodes.len()).map(Id::from_index) {
            // The pass judges nodes as they were when it began.
            let begun = self.pass;
            let known = self.record(node).is_some_and(|record| Some(record.tainted) <= begun);
            let object = world.view(Process::ControllerManager).get::<Node>(node);
            if known && object.is_some_and(|node| keys.is_tainted(node)) {
                self.write_later(node, NodeWrite::Reachable, world);
            }
        }
    }

    /// The end of it: all grace periods begin anew, and what is still not ready waits for its taint again (NODE-16).
    fn some_node_is_back(&mut self, world: &mut World) {
        let now = world.now();
        mark!("NODE-16");
        let next = self.ticks.after(world.config.timers.node_monitor_period, MONITOR_LOOP, now, world);
        for node in (0..self.nodes.len()).map(Id::from_index) {
            let Some(record) = self.record(node) else { continue };
            record.probed = now;
            let ready = record.seen == NodeReady::True;
            self.lease_changed(node, world);
            if !ready {
                self.look_at(node, next, world);
            }
        }
        let timers = world.config.timers;
        for zone in &mut self.zones {
            zone.state = state_now(zone);
            zone.set_rate(zone.state, &timers, now);
        }
    }
}

fn state_now(zone: &Zone) -> State {
    zones::state_of(zone.ready, zone.not_ready)
}

fn count(zone: &mut Zone, ready: NodeReady) -> &mut u32 {
    if ready == NodeReady::True { &mut zone.ready } else { &mut zone.not_ready }
}

fn name_of(node: Id<Node>, world: &World) -> String {
    world.store.nodes.last_known(node).map_or_else(String::new, |node| world.store.name_of(node.meta.name))
}

fn register(node: Id<Node>, world: &mut World) {
    world.emit(node, false, "RegisteredNode", |world| {
        let name = name_of(node, world);
        format!("Node {name} event: Registered Node {name} in Controller")
    });
}

/// Takes a NoExecute taint off a node.
fn remove(node: Id<Node>, key: crate::api::names::Sym, world: &mut World) -> Result<(), Status> {
    let Some(object) = world.store.nodes.get(node) else { return Ok(()) };
    if !taints::has(object, key, Effect::NoExecute) {
        return Ok(());
    }
    let taints = taints::without(object, key, Effect::NoExecute);
    world.patch(node, Rule::node(12), |node| node.taints = taints.into()).map(drop)
}
