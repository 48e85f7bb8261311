//! The ReplicaSet controller.
//!
//! Follows pkg/controller/replicaset/replica_set.go: this file is the event handlers and the gates of a sync, `decide`
//! the sync itself, `rank` which pods go first, `expect` the expectations, `calls` the API calls. What the real
//! controller lists in every sync, `index` keeps up to date with each change the watch shows. Left out: metrics, the
//! informer resync, ReplicationControllers.
mod calls;
mod decide;
mod expect;
mod index;
mod rank;
#[cfg(test)]
pub(in crate::controllers) mod testing;
#[cfg(test)]
mod tests;

use crate::api::kind::Kind;
use crate::api::names::Uid;
use crate::api::objects::{Pod, PodFlags, ReplicaSet};
use crate::api::status::Status;
use crate::api::store::{Change, Verb};
use crate::controllers::plan::{Plan, Then, Wait, WaitOn};
use crate::controllers::runner::{Reconciler, WorkQueue};
use crate::event::{Controller, Process};
use crate::kernel::{Duration, Id};
use crate::rule::Rule;
use crate::world::{Actor, World};
pub use calls::Call;
use calls::Caller;
use decide::Look;
pub use index::Counts;
use index::{Index, owner};
use std::collections::BTreeMap;

/// The ReplicaSet controller.
#[derive(Clone, Debug, Default)]
pub struct ReplicaSets {
    index: Index,
    /// The sets of syncs under way, as those have read them, by key.
    under_way: BTreeMap<u32, ReplicaSet>,
}

impl Reconciler for ReplicaSets {
    type Call = Call;
    const CONTROLLER: Controller = Controller::ReplicaSet;
    const ACTOR: Actor = Actor::ReplicaSetController;
    const WORKERS: usize = 5;

    fn observe(&mut self, change: &Change, queue: &mut WorkQueue, world: &mut World) {
        match change.kind {
            Kind::ReplicaSet => {
                let (old, new) = world.store.before_and_after::<ReplicaSet>(change);
                self.index.change_set(old, new, &world.store);
                queue.add(change.index, world);
            }
            Kind::Pod => self.observe_pod(change, queue, world),
            _ => {}
        }
    }

    /// One sync: the gates (RS-1), then [`Look::decide`].
    fn reconcile(&mut self, key: u32, world: &mut World) -> Plan<Call> {
        let id = Id::<ReplicaSet>::from_index(key as usize);
        let (now, seen) = (world.now(), world.seen(Process::ControllerManager));
        let Some(set) = world.view(Process::ControllerManager).get(id).cloned() else {
            return Plan::default();
        };
        let uid = set.meta.uid;
        let memory = self.index.set_mut(uid);
        if world.config.gates.stale_controller_consistency
            && memory.written.is_some_and(|written| written > seen)
        {
            let wait = Some(Wait { rule: Rule::rs(1), on: WaitOn::OwnWrites });
            return Plan { then: Then::Retry, wait, ..Plan::default() };
        }
        memory.written = None;
        (memory.error, memory.unclaimed) = (None, false);
        let satisfied = memory.expectations.are_satisfied(now);
        let view = world.view(Process::ControllerManager);
        let decision = Look { set: &set, index: &self.index, view, now }.decide(satisfied);
        let memory = self.index.set_mut(uid);
        memory.untried = decision.creates;
        if decision.creates > 0 {
            memory.expectations.expect_creates(decision.creates, now);
        } else if !decision.deletes.is_empty() {
            memory.expectations.expect_deletes(&decision.deletes, now);
        }
        if !decision.plan.steps.is_empty() {
            self.under_way.insert(key, set);
        }
        decision.plan
    }

    fn execute(&mut self, key: u32, call: &Call, rule: Rule, world: &mut World) -> Result<(), Status> {
        let id = Id::<ReplicaSet>::from_index(key as usize);
        let Some(set) = self.under_way.remove(&key) else { return Ok(()) };
        let mut caller = Caller { controller: self, id, set, world };
        let outcome = caller.execute(*call, rule);
        let set = caller.set;
        if matches!(call, Call::Status { .. }) {
            self.index.forget_if_empty(set.meta.uid);
        } else {
            self.under_way.insert(key, set);
        }
        outcome
    }

    /// All pods and sets are listed; every set is looked at once.
    fn restart(&mut self, queue: &mut WorkQueue, world: &mut World) {
        let view = world.view(Process::ControllerManager);
        for (id, pod) in view.iter::<Pod>() {
            self.index.change_pod(id, None, Some(pod), &world.store);
        }
        let sets: Vec<_> = view.iter::<ReplicaSet>().map(|(id, _)| id).collect();
        for id in sets {
            let set = world.view(Process::ControllerManager).get(id);
            self.index.change_set(None, set, &world.store);
            queue.add(id.as_u32(), world);
        }
    }
}

impl ReplicaSets {
    fn observe_pod(&mut self, change: &Change, queue: &mut WorkQueue, world: &mut World) {
        let id = change.id::<Pod>();
        let (old, new) = world.store.before_and_after::<Pod>(change);
        let (old, new) = (old.copied(), new.copied());
        let foreign = |pod: &Option<Pod>| {
            pod.is_none_or(|pod| {
                world.store.controller_of(pod.meta.owners).is_some_and(|owner| owner.kind != Kind::ReplicaSet)
            })
        };
        if foreign(&old) && foreign(&new) {
            return;
        }
        self.index.change_pod(id, old.as_ref(), new.as_ref(), &world.store);
        match (change.verb, old, new) {
            (_, _, Some(pod)) if pod.is_terminating() => {
                self.pod_deleted(id, &pod, queue, world);
                if let Some(old) = old.filter(|old| old.meta.labels != pod.meta.labels) {
                    self.pod_deleted(id, &old, queue, world);
                }
            }
            (Verb::Created, _, Some(pod)) => self.pod_added(&pod, queue, world),
            (Verb::Updated, Some(old), Some(pod)) => pod_updated(&old, &pod, queue, world),
            (Verb::Removed, Some(old), None) => self.pod_deleted(id, &old, queue, world),
            _ => {}
        }
    }

    fn pod_added(&mut self, pod: &Pod, queue: &mut WorkQueue, world: &mut World) {
        if world.store.controller_of(pod.meta.owners).is_none() {
            wake_adopters(pod, queue, world);
        } else if let Some((id, uid)) = resolve(pod, world) {
            self.index.set_mut(uid).expectations.created(1);
            queue.add(id.as_u32(), world);
        }
    }

    /// A pod is gone, or begins to go: for its set that is the same (RS-2).
    fn pod_deleted(&mut self, pod_id: Id<Pod>, pod: &Pod, queue: &mut WorkQueue, world: &mut World) {
        if let Some((id, uid)) = resolve(pod, world) {
            self.index.set_mut(uid).expectations.deleted(pod_id);
            queue.add(id.as_u32(), world);
        }
    }
}

fn pod_updated(old: &Pod, pod: &Pod, queue: &mut WorkQueue, world: &mut World) {
    let (before, after) =
        (world.store.controller_of(old.meta.owners), world.store.controller_of(pod.meta.owners));
    let (owner_changed, managed) = (before != after, after.is_some());
    if owner_changed && let Some((id, _)) = resolve(old, world) {
        queue.add(id.as_u32(), world);
    }
    if !managed {
        let identity = PodFlags(PodFlags::NAME_LABEL.0 | PodFlags::INDEX_LABEL.0).0;
        let relabeled = old.meta.labels != pod.meta.labels || (old.flags.0 ^ pod.flags.0) & identity != 0;
        if owner_changed || relabeled {
            wake_adopters(pod, queue, world);
        }
        return;
    }
    let Some((id, _)) = resolve(pod, world) else { return };
    queue.add(id.as_u32(), world);
    let set = world.view(Process::ControllerManager).get(id);
    let min_ready = set.map_or(0, |set| set.spec.min_ready);
    if !old.is_ready() && pod.is_ready() && min_ready > 0 {
        // RS-7: it may have become available by then.
        queue.add_after(id.as_u32(), Duration::from_secs(u64::from(min_ready)), world);
    }
}

/// The ReplicaSet that manages a pod, if the cache has that very one.
fn resolve(pod: &Pod, world: &World) -> Option<(Id<ReplicaSet>, Uid)> {
    let owner = owner(&world.store, pod)?;
    let view = world.view(Process::ControllerManager);
    let (id, set) = view.find::<ReplicaSet>(pod.meta.namespace, owner.name)?;
    (set.meta.uid == owner.uid).then_some((id, owner.uid))
}

/// Wakes the ReplicaSets that a pod without owner matches.
fn wake_adopters(pod: &Pod, queue: &mut WorkQueue, world: &mut World) {
    let view = world.view(Process::ControllerManager);
    let matching: Vec<_> = view
        .iter::<ReplicaSet>()
        .filter(|(_, set)| set.meta.namespace == pod.meta.namespace)
        .filter(|(_, set)| !set.spec.selector.is_empty() && world.store.pod_matches(pod, &set.spec.selector))
        .map(|(id, _)| id)
        .collect();
    for id in matching {
        queue.add(id.as_u32(), world);
    }
}
