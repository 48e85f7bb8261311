//! The Deployment controller.
//!
//! Follows pkg/controller/deployment: this file is deployment_controller.go, `decide` is sync.go, rolling.go and
//! recreate.go, `progress` is progress.go, `maths`, `revision` and `status` are util/deployment_util.go. Left out: the
//! rollback annotation of extensions/v1beta1 (DEP-6, step 8), which no client writes any more, and the informer resync.
mod calls;
mod decide;
mod index;
mod maths;
mod progress;
mod revision;
mod status;
#[cfg(test)]
mod tests;

use crate::api::kind::Kind;
use crate::api::objects::{Deployment, DeploymentStrategy, Pod, ReplicaSet};
use crate::api::status::Status;
use crate::api::store::{Change, Verb};
use crate::controllers::plan::Plan;
use crate::controllers::runner::{Reconciler, WorkQueue};
use crate::event::{Controller, Process};
use crate::kernel::Id;
use crate::rule::{Rule, mark};
use crate::world::{Actor, World};
use calls::UnderWay;
pub use calls::{Call, SetUpdate};
use index::{Index, owner};
use revision::Templates;
use std::collections::BTreeMap;

/// The Deployment controller.
#[derive(Clone, Debug, Default)]
pub struct Deployments {
    index: Index,
    templates: Templates,
    /// Syncs under way, by key.
    under_way: BTreeMap<u32, UnderWay>,
}

impl Reconciler for Deployments {
    type Call = Call;
    const CONTROLLER: Controller = Controller::Deployment;
    const ACTOR: Actor = Actor::DeploymentController;
    const WORKERS: usize = 5;
    /// DEP-21: then the key is dropped until the next event.
    const MAX_RETRIES: Option<u32> = Some(15);

    /// DEP-20.
    fn observe(&mut self, change: &Change, queue: &mut WorkQueue, world: &mut World) {
        match change.kind {
            Kind::Deployment => queue.add(change.index, world),
            Kind::ReplicaSet => self.observe_set(change, queue, world),
            Kind::Pod => {
                mark!("DEP-20");
                let (old, new) = world.store.before_and_after::<Pod>(change);
                self.index.change_pod(old, new, &world.store);
                if change.verb == Verb::Removed
                    && let Some(pod) = old.copied()
                {
                    self.pod_gone(&pod, queue, world);
                }
            }
            _ => {}
        }
    }

    /// One sync (DEP-6).
    fn reconcile(&mut self, key: u32, world: &mut World) -> Plan<Call> {
        let id = Id::<Deployment>::from_index(key as usize);
        self.under_way.remove(&key);
        let Some(deployment) = world.view(Process::ControllerManager).get(id).cloned() else {
            return Plan::default();
        };
        let under_way = UnderWay { id, deployment: deployment.clone(), written: Vec::new(), stopped: false };
        let plan = decide::decide(id, deployment, &self.index, &mut self.templates, world);
        if !plan.steps.is_empty() {
            self.under_way.insert(key, under_way);
        }
        plan
    }

    fn execute(&mut self, key: u32, call: &Call, rule: Rule, world: &mut World) -> Result<(), Status> {
        self.under_way.get_mut(&key).map_or(Ok(()), |under_way| under_way.execute(call, rule, world))
    }

    fn restart(&mut self, queue: &mut WorkQueue, world: &mut World) {
        let view = world.view(Process::ControllerManager);
        for (id, set) in view.iter::<ReplicaSet>() {
            self.index.change_set(id, None, Some(set), &world.store);
        }
        for (_, pod) in view.iter::<Pod>() {
            self.index.change_pod(None, Some(pod), &world.store);
        }
        let keys: Vec<u32> = view.iter::<Deployment>().map(|(id, _)| id.as_u32()).collect();
        for key in keys {
            queue.add(key, world);
        }
    }
}

impl Deployments {
    fn observe_set(&mut self, change: &Change, queue: &mut WorkQueue, world: &mut World) {
        let id = change.id::<ReplicaSet>();
        let (old, new) = world.store.before_and_after::<ReplicaSet>(change);
        self.index.change_set(id, old, new, &world.store);
        let (before, after) =
            (old.and_then(|set| resolve(set, world)), new.and_then(|set| resolve(set, world)));
        let orphan = new.is_some_and(|set| world.store.controller_of(set.meta.owners).is_none());
        let changed = old.zip(new).is_none_or(|(old, new)| {
            old.meta.labels != new.meta.labels || old.meta.owners != new.meta.owners
        });
        let adopters = match new.filter(|set| orphan && changed && !set.meta.is_terminating()) {
            Some(set) => adopters(set, world),
            None => Vec::new(),
        };
        if before != after
            && let Some(deployment) = before
        {
            queue.add(deployment.as_u32(), world);
        }
        for deployment in after.into_iter().chain(adopters) {
            queue.add(deployment.as_u32(), world);
        }
    }

    /// DEP-12: the last pod is gone, which Recreate has been waiting for.
    fn pod_gone(&mut self, pod: &Pod, queue: &mut WorkQueue, world: &mut World) {
        let view = world.view(Process::ControllerManager);
        let owned = world.store.controller_of(pod.meta.owners).filter(|owner| owner.kind == Kind::ReplicaSet);
        let Some(set) = owned.and_then(|owner| {
            let (_, set) = view.find::<ReplicaSet>(pod.meta.namespace, owner.name)?;
            (set.meta.uid == owner.uid).then_some(set)
        }) else {
            return;
        };
        let Some(id) = resolve(set, world) else { return };
        let Some(deployment) = view.get(id) else { return };
        if deployment.spec.strategy != DeploymentStrategy::Recreate {
            return;
        }
        let sets =
            self.index.owned(deployment.meta.uid).iter().filter_map(|id| world.store.replica_sets.get(*id));
        if sets.map(|set| self.index.pods(set.meta.uid).all).sum::<u32>() == 0 {
            queue.add(id.as_u32(), world);
        }
    }
}

/// The Deployment that manages a ReplicaSet, if the cache has that very one.
fn resolve(set: &ReplicaSet, world: &World) -> Option<Id<Deployment>> {
    let owner = owner(&world.store, set)?;
    let view = world.view(Process::ControllerManager);
    let (id, deployment) = view.find::<Deployment>(set.meta.namespace, owner.name)?;
    (deployment.meta.uid == owner.uid).then_some(id)
}

/// Deployments whose selector matches a ReplicaSet that nobody manages.
fn adopters(set: &ReplicaSet, world: &World) -> Vec<Id<Deployment>> {
    let view = world.view(Process::ControllerManager);
    let matching = view.iter::<Deployment>().filter(|(_, deployment)| {
        let selector = &deployment.spec.selector;
        deployment.meta.namespace == set.meta.namespace
            && !selector.is_empty()
            && world.store.labels_match(set.meta.labels, selector)
    });
    matching.map(|(id, _)| id).collect()
}
