//! kube-scheduler: gives pending pods a node.
//!
//! Follows `pkg/scheduler` of Kubernetes with the default profile (`docs/semantics/scheduling.md`). One pod at a time is
//! filtered and scored on the scheduler's own picture of the cluster, which its watches keep up to date; the binding
//! runs beside the next cycles (SCHED-1). A cycle is one event: it takes the pod, decides, and asks for the writes that
//! follow from it after the duration of the decision (LAT-5); the next cycle begins then.
//!
//! Files, in the order of a pod's way: `queue` and `hints` (which pod, and when again), `cache`, `counts` and `class`
//! (what is known of nodes and pods), `filter` with `taints`, `volumes`, `spread` and `affinity`, `score`, `preemption`,
//! `bind`, `messages`. Left out: other profiles, extenders, gang scheduling, dynamic resources.
mod affinity;
mod bind;
mod cache;
mod claim_users;
mod class;
mod counts;
mod filter;
mod hints;
mod messages;
mod preemption;
mod queue;
mod score;
mod spread;
mod taints;
mod verdicts;
mod volumes;

#[cfg(test)]
mod tests;

use crate::api::kind::Kind;
use crate::api::labels::LabelsId;
use crate::api::names::{Sym, Uid};
use crate::api::objects::{Attachment, Claim, Node, Pod, PodReason, Service, Volume};
use crate::api::store::{Change, Verb};
use crate::config::NodeTies;
use crate::event::{Event, Process, SchedulerEvent};
use crate::kernel::{Duration, Id, Time};
use crate::rule::mark;
use crate::world::{Draw, World};
use bind::{Binding, Verdict};
use cache::{Cache, State};
use class::Classes;
use filter::{Context, Nominated, Scratch};
use hints::{ClusterEvent, NodeChange, claim_keys};
use messages::Plugins;
use queue::SchedulingQueue;
use rustc_hash::FxHashMap;
use std::collections::VecDeque;
pub use verdicts::{Rejection, Standing};
use volumes::{ClaimError, Volumes};

/// Key of the phase of the loop that flushes unschedulable pods (DEF-54).
const FLUSH_LOOP: u64 = 0x5c4e_d0f1;

/// kube-scheduler.
#[derive(Clone, Debug, Default)]
pub struct Scheduler {
    cache: Cache,
    classes: Classes,
    queue: SchedulingQueue,
    volumes: Volumes,
    nominated: Nominated,
    scratch: Scratch,
    /// By pod: the number of its binding cycle, which its events carry.
    cycles: FxHashMap<u32, u32>,
    /// Binding cycles with claims, by pod.
    bindings: FxHashMap<u32, Binding>,
    /// Pods whose binding cycle waits for a claim.
    claim_waiters: FxHashMap<u32, Vec<Id<Pod>>>,
    /// When waiting for claims ends, in order.
    deadlines: VecDeque<(Time, Id<Pod>, u32)>,
    /// Conditions being written.
    verdicts: FxHashMap<u32, Verdict>,
    /// Labels of a pod, zone and region of a node, and what becomes of the labels there.
    bound_labels: FxHashMap<(LabelsId, Sym, Sym), LabelsId>,
    /// A cycle is asked for.
    armed: bool,
    /// The cycle under way ends then.
    busy_until: Time,
    /// Where filtering begins in the list of nodes (SCHED-10).
    start: usize,
    /// Number of the last binding cycle.
    tokens: u32,
    /// A flush of unschedulable pods is asked for.
    flush_armed: bool,
    /// Buffer: the nodes of the top score.
    ties: Vec<u32>,
    /// Buffer: a bit for each node.
    bits: Vec<u64>,
}

impl Scheduler {
    /// Hears of a change that its watches show.
    pub fn observe(&mut self, change: &Change, world: &mut World) {
        self.cache.prepare(&mut world.store);
        match change.kind {
            Kind::Pod => self.observe_pod(change, world),
            Kind::Node => self.observe_node(change, world),
            Kind::Claim => self.observe_claim(change, world),
            Kind::Volume => self.observe_volume(change, world),
            Kind::Attachment => self.observe_attachment(change, world),
            Kind::StorageClass if change.verb != Verb::Removed => {
                self.wake(&ClusterEvent::StorageClass, world);
            }
            Kind::Service => self.observe_service(change, world),
            Kind::StatefulSet | Kind::ReplicaSet if change.verb == Verb::Removed => {
                self.classes.set_removed()
            }
            _ => {}
        }
        self.arm(world);
    }

    /// Something of its own is due.
    pub fn handle(&mut self, event: SchedulerEvent, world: &mut World) {
        let current = |epoch: u32| epoch == world.epoch(Process::Scheduler);
        match event {
            SchedulerEvent::Cycle(epoch) if current(epoch) => self.cycle(world),
            SchedulerEvent::Flush(epoch) if current(epoch) => self.flush(world),
            SchedulerEvent::BindTimeout(epoch) if current(epoch) => self.bind_timeout(world),
            SchedulerEvent::Cycle(_) | SchedulerEvent::Flush(_) | SchedulerEvent::BindTimeout(_) => {}
            SchedulerEvent::BackoffOver(..) => {
                let now = world.now();
                self.queue.flush_backoff(now, &mut self.cache);
            }
            SchedulerEvent::PreBind(pod, token) => self.prebind(pod, token, world),
            SchedulerEvent::Bind(pod, token) => self.bind(pod, token, world),
            SchedulerEvent::Verdict(pod, uid) => self.write_verdict(pod, uid, world),
            SchedulerEvent::Evict(pod, uid) => self.evict(pod, uid, world),
        }
        self.arm(world);
    }

    /// The process has started and listed everything; nothing of its former life is left.
    pub fn restart(&mut self, world: &mut World) {
        *self = Scheduler::default();
        // Tokens of the former life are below.
        self.tokens = world.epoch(Process::Scheduler) << 22;
        self.cache.prepare(&mut world.store);
        self.list_cluster(world);
        self.list_pods(world);
        self.arm(world);
    }

    // ---- Cycles ----------------------------------------------------------------------------------------------------

    /// Asks for the next cycle, if there is a pod to try.
    fn arm(&mut self, world: &mut World) {
        if self.armed || !self.queue.has_next() {
            return;
        }
        self.armed = true;
        let hop = world.draw(world.config.latency.queue_hop, Draw::Hop, FLUSH_LOOP, world.handled());
        let time = (world.now() + hop).max(self.busy_until);
        let epoch = world.epoch(Process::Scheduler);
        world.at(time, Event::Scheduler(SchedulerEvent::Cycle(epoch)));
    }

    /// One scheduling cycle.
    fn cycle(&mut self, world: &mut World) {
        self.armed = false;
        let now = world.now();
        while let Some((id, uid)) = self.queue.pop(now, &mut self.cache) {
            let seen = world.view(Process::Scheduler).get(id).filter(|pod| pod.meta.uid == uid).copied();
            let Some(pod) = seen else { continue };
            if pod.is_terminating() {
                mark!("SCHED-2");
                world.emit(id, true, "FailedScheduling", |world| {
                    let namespace = world.store.names.text(pod.meta.namespace);
                    format!("skip schedule deleting pod: {namespace}/{}", world.store.name_of(pod.meta.name))
                });
                continue;
            }
            let attempt = u64::from(self.queue.wait(id).map_or(1, |wait| wait.attempts));
            let decision = world.config.latency.schedule;
            let delay = world.draw(decision, Draw::Decision, u64::from(uid.0), attempt);
            let writing = self.schedule(id, &pod, attempt, delay, world);
            self.busy_until = now + delay + writing;
            break;
        }
    }

    /// Schedules one pod. Returns how long the cycle still has to wait for the API after the decision.
    fn schedule(
        &mut self,
        id: Id<Pod>,
        pod: &Pod,
        attempt: u64,
        delay: Duration,
        world: &mut World,
    ) -> Duration {
        let class_id = self.classes.of(pod, &mut self.cache, world);
        let nodes = self.cache.node_count();
        if nodes == 0 {
            let why = messages::NO_NODES;
            return self.failed_with_error(id, pod, class_id, PodReason::Unschedulable, why, delay, world);
        }
        match self.find(id, pod, class_id, world) {
            Err(error) => self.rejected_by_claims(id, pod, class_id, error, delay, world),
            Ok(Some(node)) => {
                self.assume(id, pod, class_id, node, delay, world);
                Duration::ZERO
            }
            Ok(None) if self.scratch.feasible.is_empty() => self.no_node(id, pod, class_id, delay, world),
            Ok(None) => {
                let node = self.choose(class_id, pod.meta.uid, attempt, world);
                self.assume(id, pod, class_id, node, delay, world);
                Duration::ZERO
            }
        }
    }

    /// PreFilter and Filter. Some: this node, without scoring (SCHED-12).
    fn find(
        &mut self,
        id: Id<Pod>,
        pod: &Pod,
        class_id: u32,
        world: &World,
    ) -> Result<Option<u32>, ClaimError> {
        let view = world.view(Process::Scheduler);
        let class = self.classes.get(class_id);
        let (cache, scratch) = (&mut self.cache, &mut self.scratch);
        cache.prepare_shape(class.shape);
        if !class.spec.claims.is_empty() {
            self.volumes.prefilter(pod, &class.spec, view, cache, &mut scratch.needs)?;
        }
        if !class.hard.is_empty() {
            scratch.spread.prepare(class, cache, &world.store);
        }
        let cx = Context { pod: id, class, view, volumes: &self.volumes, nominated: &self.nominated };
        let nominated = self.nominated.node_of(id).unwrap_or(pod.nominated.as_u32());
        if cache.nodes.get(nominated as usize).is_some_and(|info| info.present)
            && scratch.filter(cx, cache, nominated).0 == messages::Reasons::NONE
        {
            mark!("SCHED-12");
            return Ok(Some(nominated));
        }
        let nodes = cache.node_count();
        let looked_at = scratch.find_feasible(cx, cache, self.start);
        self.start = (self.start + looked_at) % nodes.max(1);
        Ok(match scratch.feasible.as_slice() {
            [only] => {
                mark!("SCHED-12");
                Some(*only)
            }
            _ => None,
        })
    }

    /// The feasible node with the highest score; equal ones by lot or by place in the list (SCHED-25, SCHED-26).
    fn choose(&mut self, class_id: u32, uid: Uid, attempt: u64, world: &World) -> u32 {
        let view = world.view(Process::Scheduler);
        mark!("SCHED-23");
        self.scratch.score(self.classes.get(class_id), &self.cache, view);
        let mut best = i64::MIN;
        self.ties.clear();
        for (node, total) in self.scratch.feasible.iter().zip(&self.scratch.totals) {
            if *total > best {
                best = *total;
                self.ties.clear();
            }
            if *total == best {
                self.ties.push(*node);
            }
        }
        match self.ties.as_slice() {
            [first, _, ..] if world.config.node_ties == NodeTies::First => {
                mark!("SCHED-25");
                *first
            }
            [_, _, ..] => {
                mark!("SCHED-26");
                let nodes = self.ties.len() as u64;
                let pick =
                    world.chooser.below(Draw::NodeTie as u32, u64::from(uid.0), attempt, nodes) as usize;
                self.cache.nth_by_name(&self.ties, pick, &mut self.bits, &world.store)
            }
            only => only.first().copied().unwrap_or(counts::NONE),
        }
    }

    /// No node passes: perhaps others can make room; the pod waits (SCHED-5, SCHED-27).
    fn no_node(
        &mut self,
        id: Id<Pod>,
        pod: &Pod,
        class: u32,
        delay: Duration,
        world: &mut World,
    ) -> Duration {
        let (tally, plugins) = self.scratch.diagnosis();
        mark!("SCHED-22");
        let (preemption, nominated) = self.preempt(id, pod, class, delay, world);
        let message = messages::unschedulable(self.cache.node_count(), &tally, &preemption);
        self.unschedulable(id, pod, class, plugins, world);
        self.tell(id, pod, PodReason::Unschedulable, &message, nominated, delay, world)
    }

    /// The claims of the pod reject all nodes at once (SCHED-17).
    fn rejected_by_claims(
        &mut self,
        id: Id<Pod>,
        pod: &Pod,
        class: u32,
        error: ClaimError,
        delay: Duration,
        world: &mut World,
    ) -> Duration {
        mark!("SCHED-17", "SCHED-22");
        let message = messages::rejected_by_claims(self.cache.node_count(), &error.message(&world.store));
        self.unschedulable(id, pod, class, error.plugin(), world);
        self.tell(id, pod, PodReason::Unschedulable, &message, None, delay, world)
    }

    fn unschedulable(&mut self, id: Id<Pod>, pod: &Pod, class: u32, plugins: Plugins, world: &mut World) {
        let spec = world.store.pod_spec(pod.spec);
        let (claims, now) = (claim_keys(spec, pod), world.now());
        self.queue.reject((id, pod.meta.uid), class, plugins, claims, now, &mut self.cache);
        if !self.flush_armed {
            self.ask_for_flush(now, world);
        }
    }

    // ---- The flush of unschedulable pods (SCHED-5) -----------------------------------------------------------------

    fn ask_for_flush(&mut self, oldest: Time, world: &mut World) {
        self.flush_armed = true;
        let timers = &world.config.timers;
        let epoch = world.epoch(Process::Scheduler);
        let due = oldest + timers.unschedulable_age;
        let tick = world.next_tick(timers.unschedulable_flush, FLUSH_LOOP, epoch, due);
        let delay = tick.elapsed_since(world.now());
        world.background(delay, Event::Scheduler(SchedulerEvent::Flush(epoch)));
    }

    fn flush(&mut self, world: &mut World) {
        self.flush_armed = false;
        let age = world.config.timers.unschedulable_age.as_nanos();
        let then = Time::from_nanos(world.now().as_nanos().saturating_sub(age));
        let (old, oldest) = self.queue.left_over(then);
        mark!("SCHED-5" if !old.is_empty());
        self.requeue_all(&old, world);
        if let Some(oldest) = oldest {
            self.ask_for_flush(oldest, world);
        }
    }

    // ---- Watches ---------------------------------------------------------------------------------------------------

    fn observe_pod(&mut self, change: &Change, world: &mut World) {
        let id = change.id::<Pod>();
        let (old, new) = world.store.before_and_after::<Pod>(change);
        // A pod whose phase is final is gone for the scheduler: its place is free (SCHED-27).
        let active = |pod: &&Pod| !pod.is_terminal();
        let (old, new) = (old.filter(active).copied(), new.filter(active).copied());
        match new {
            None => self.pod_gone(id, change.uid, old, world),
            Some(new) if new.is_bound() => self.pod_on_node(id, old, &new, world),
            Some(new) => self.pod_pending(id, &new, world),
        }
    }

    fn pod_gone(&mut self, id: Id<Pod>, uid: Uid, old: Option<Pod>, world: &mut World) {
        let slot = self.cache.slot(id);
        if slot.uid != uid {
            return;
        }
        world.store.pod_messages.remove(&(id, uid));
        if let Some(old) = &old {
            self.forget_waiting(id, old, world);
        }
        self.binding_over(id);
        self.cache.unaccount(id, &world.store);
        self.cache.clear(id);
        if let Some(old) = old.filter(|_| matches!(slot.state, State::Assigned | State::Binding)) {
            self.wake(&ClusterEvent::PodLeft(old), world);
        }
    }

    fn pod_on_node(&mut self, id: Id<Pod>, old: Option<Pod>, new: &Pod, world: &mut World) {
        let slot = self.cache.slot(id);
        let known = slot.uid == new.meta.uid;
        if known && slot.state == State::Assigned && slot.node == new.node.as_u32() {
            self.cache.refresh(id, new, &world.store);
            if let Some(old) = old.filter(|old| old.meta.labels != new.meta.labels) {
                self.wake(&ClusterEvent::PodRelabelled(old, *new), world);
            }
            return;
        }
        self.binding_over(id);
        self.forget_waiting(id, new, world);
        if known && slot.state == State::Binding && slot.node == new.node.as_u32() {
            self.cache.refresh(id, new, &world.store);
        } else {
            self.cache.unaccount(id, &world.store);
            self.cache.account(id, new, new.node.as_u32(), new.meta.labels, &world.store);
        }
        self.cache.slot_mut(id).state = State::Assigned;
        self.wake(&ClusterEvent::PodArrived(*new), world);
    }

    fn pod_pending(&mut self, id: Id<Pod>, new: &Pod, world: &mut World) {
        let spec = world.store.pod_spec(new.spec);
        if spec.foreign_scheduler || spec.gated {
            mark!("SCHED-2");
            return;
        }
        let slot = self.cache.slot(id);
        if slot.uid != new.meta.uid || slot.state == State::None {
            let (priority, now) = (spec.priority, world.now());
            if !new.nominated.is_none() {
                self.nominated.add(id, spec, new.nominated.as_u32());
            }
            self.queue.add(id, new.meta.uid, priority, now, &mut self.cache);
        } else if slot.state == State::Unschedulable
            && self.classes.asks_otherwise(new, self.queue.class_of(id), &world.store)
        {
            self.requeue_all(&[id], world);
        }
    }

    fn observe_node(&mut self, change: &Change, world: &mut World) {
        let id = change.id::<Node>();
        let index = id.as_u32();
        let (old, new) = world.store.before_and_after::<Node>(change);
        let event = match (old, new) {
            (_, None) => {
                self.cache.remove_node(id, &world.store);
                let members =
                    self.cache.nodes.get(id.index()).map_or_else(Vec::new, |info| info.members.clone());
                for member in members {
                    self.look_at_next_tick(Id::from_index(member as usize), world);
                }
                ClusterEvent::NodeRemoved
            }
            (None, Some(new)) => {
                self.cache.set_node(id, new, &world.store);
                ClusterEvent::NodeAdded(index)
            }
            (Some(old), Some(new)) => {
                let change = node_change(old, new);
                let same = change.is_nothing()
                    && (old.cpu, old.memory, old.pods, old.volumes, old.unschedulable)
                        == (new.cpu, new.memory, new.pods, new.volumes, new.unschedulable);
                if same {
                    return;
                }
                self.cache.set_node(id, new, &world.store);
                ClusterEvent::NodeChanged(index, change)
            }
        };
        self.wake(&event, world);
    }

    fn observe_claim(&mut self, change: &Change, world: &mut World) {
        let id = change.id::<Claim>();
        if let Some(waiting) = self.claim_waiters.get(&id.as_u32()).cloned() {
            for pod in waiting {
                self.look_at_next_tick(pod, world);
            }
        }
        let (_, new) = world.store.before_and_after::<Claim>(change);
        if let Some(new) = new {
            let key = (new.meta.namespace, new.meta.name);
            self.wake_for_claim(key, world);
        }
    }

    fn observe_volume(&mut self, change: &Change, world: &mut World) {
        let id = change.id::<Volume>();
        let (old, new) = world.store.before_and_after::<Volume>(change);
        self.volumes.observe(id, &world.store, old, new);
        let present = new.is_some();
        let reference = new.or(old).map(|volume| volume.claim);
        if let Some(reference) = reference.filter(|_| !self.claim_waiters.is_empty()) {
            let claim = world.store.claims.id(reference.namespace, reference.name);
            let waiting = claim.and_then(|claim| self.claim_waiters.get(&claim.as_u32()).cloned());
            for pod in waiting.into_iter().flatten() {
                self.look_at_next_tick(pod, world);
            }
        }
        if present {
            self.wake(&ClusterEvent::Volume, world);
        }
    }

    fn observe_attachment(&mut self, change: &Change, world: &mut World) {
        let id = change.id::<Attachment>();
        let (old, new) = world.store.before_and_after::<Attachment>(change);
        match (old, new) {
            (None, Some(new)) => {
                let claim = volumes::claim_of(world.view(Process::Scheduler), new.volume);
                self.cache.attach(id, new.node, claim);
            }
            (Some(old), None) => {
                self.cache.detach(id, old.node);
                self.wake(&ClusterEvent::Detached, world);
            }
            _ => {}
        }
    }

    fn observe_service(&mut self, change: &Change, world: &mut World) {
        let id = change.id::<Service>();
        let (old, new) = world.store.before_and_after::<Service>(change);
        let selects = |service: &Service| Some((service.meta.namespace, service.selector.clone()?));
        let (old, new) = (old.and_then(selects), new.and_then(selects));
        self.classes.observe_service(id, &mut world.store, old, new);
    }

    // ---- After a restart -------------------------------------------------------------------------------------------

    /// Lists all but pods.
    fn list_cluster(&mut self, world: &mut World) {
        let view = world.view(Process::Scheduler);
        let mut nodes: Vec<_> = view.iter::<Node>().collect();
        nodes.sort_by_cached_key(|(_, node)| world.store.name_of(node.meta.name));
        for (id, node) in nodes {
            self.cache.set_node(id, node, &world.store);
        }
        for (id, attachment) in view.iter::<Attachment>() {
            self.cache.attach(id, attachment.node, volumes::claim_of(view, attachment.volume));
        }
        for (id, volume) in view.iter::<Volume>() {
            self.volumes.observe(id, &world.store, None, Some(volume));
        }
        let services: Vec<_> = view
            .iter::<Service>()
            .filter_map(|(id, service)| Some((id, (service.meta.namespace, service.selector.clone()?))))
            .collect();
        for (id, selector) in services {
            self.classes.observe_service(id, &mut world.store, None, Some(selector));
        }
    }

    fn list_pods(&mut self, world: &mut World) {
        let now = world.now();
        let view = world.view(Process::Scheduler);
        for (id, pod) in view.iter::<Pod>().filter(|(_, pod)| !pod.is_terminal()) {
            if pod.is_bound() {
                self.cache.account(id, pod, pod.node.as_u32(), pod.meta.labels, &world.store);
                self.cache.slot_mut(id).state = State::Assigned;
                continue;
            }
            let spec = world.store.pod_spec(pod.spec);
            if spec.foreign_scheduler || spec.gated {
                continue;
            }
            if !pod.nominated.is_none() {
                self.nominated.add(id, spec, pod.nominated.as_u32());
            }
            self.queue.add(id, pod.meta.uid, spec.priority, now, &mut self.cache);
        }
        let store = &mut world.store;
        let pods = &store.pods;
        store.pod_messages.retain(|(id, uid), _| pods.get_uid(*id, *uid).is_some_and(|pod| !pod.is_bound()));
    }
}

fn node_change(old: &Node, new: &Node) -> NodeChange {
    NodeChange {
        grown: new.cpu > old.cpu || new.memory > old.memory || new.pods > old.pods,
        relabelled: new.meta.labels != old.meta.labels || (new.zone, new.region) != (old.zone, old.region),
        taints: (new.taints != old.taints).then(|| old.taints.clone()),
        uncordoned: old.unschedulable && !new.unschedulable,
        more_volumes: match (old.volumes, new.volumes) {
            (Some(old), Some(new)) => new > old,
            (Some(_), None) => true,
            _ => false,
        },
    }
}
