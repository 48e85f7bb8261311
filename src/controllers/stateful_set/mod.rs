//! The StatefulSet controller.
//!
//! Follows pkg/controller/statefulset, file by file: `identity` and `claims` are stateful_set_utils.go, `decide`,
//! `update`, `revision` and `status` are stateful_set_control.go, `draft` and `pod_control` are stateful_pod_control.go,
//! this file and `index` are stateful_set.go. What differs is where the looking happens: the real controller lists all pods
//! in every sync, this one keeps what a sync asks ([`view`]) up to date with each change its watches show. The calls
//! are the same, and so is their order: a property test compares with the plain way (`naive`).
//!
//! Left out: metrics, the informer resync every 12 to 24 hours (STS-107), event throttling (STS-112).
#[cfg(test)]
mod agreement;
mod calls;
mod claims;
mod decide;
mod draft;
mod identity;
mod index;
#[cfg(test)]
mod naive;
mod pod_control;
mod revision;
mod slot;
mod status;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod traces;
#[cfg(test)]
mod traps;
mod update;
mod view;
#[cfg(test)]
mod wiring;

use crate::api::kind::Kind;
use crate::api::objects::{Claim, ControllerRevision, Pod, PodFlags, Revision, StatefulSet};
use crate::api::status::Status;
use crate::api::store::{Change, Verb};
use crate::controllers::plan::{Plan, Then, Wait, WaitOn};
use crate::controllers::runner::{Reconciler, WorkQueue};
use crate::decision::{Decision, Deed};
use crate::event::{Controller, Process};
use crate::kernel::{Duration, Id};
use crate::rule::{Rule, mark};
use crate::world::{Actor, World};
pub use calls::{Call, Claims, Ordinal, Which};
use calls::{Done, Underway};
use decide::Look;
use index::Index;

/// The StatefulSet controller.
#[derive(Clone, Debug, Default)]
pub struct StatefulSets {
    index: Index,
    /// What is remembered between syncs and calls, by key.
    memory: Vec<Memory>,
}

/// What the controller remembers of a key beyond its caches.
#[derive(Clone, Debug, Default)]
struct Memory {
    /// The newest of its own writes that its caches have to show before it looks again (STS-102).
    written: Option<Revision>,
    /// The sync under way.
    underway: Option<Underway>,
}

impl Reconciler for StatefulSets {
    type Call = Call;
    const CONTROLLER: Controller = Controller::StatefulSet;
    const ACTOR: Actor = Actor::StatefulSetController;
    const WORKERS: usize = 5;

    /// STS-98, STS-99: sets and pods wake it, claims and revisions are only taken note of.
    fn observe(&mut self, change: &Change, queue: &mut WorkQueue, world: &mut World) {
        match change.kind {
            Kind::StatefulSet => {
                match change.verb {
                    Verb::Created => self.index.add_set(change.index, world),
                    Verb::Updated => self.index.change_set(change.index, world),
                    Verb::Removed => self.index.remove_set(change.index),
                }
                queue.add(change.index, world);
            }
            Kind::Pod => self.observe_pod(change, queue, world),
            Kind::Claim => {
                mark!("STS-99");
                let (old, new) = world.store.before_and_after::<Claim>(change);
                if let Some(claim) = new.or(old).copied() {
                    self.index.change_claim(&claim, world);
                }
            }
            Kind::Revision => {
                let (old, new) = world.store.before_and_after::<ControllerRevision>(change);
                let (old, new) = (old.cloned(), new.cloned());
                self.index.change_revision(change.id(), old.as_ref(), new.as_ref(), world);
            }
            _ => {}
        }
    }

    /// One sync (STS-54).
    fn reconcile(&mut self, key: u32, world: &mut World) -> Plan<Call> {
        let id = Id::<StatefulSet>::from_index(key as usize);
        if !self.sees_own_writes(key, world) {
            let wait = Some(Wait { rule: Rule::sts(102), on: WaitOn::OwnWrites });
            return Plan { then: Then::Retry, wait, ..Plan::default() };
        }
        let set = world.view(Process::ControllerManager).get(id).cloned();
        let due = self.index.set(key).map_or_else(Vec::new, |view| view.due(world.now()));
        self.index.refile(due, world);
        let Some(set) = set else { return Plan::default() };
        let orphans = self.index.orphan_revisions(set.meta.namespace);
        let Some(view) = self.index.set_mut(key) else { return Plan::default() };
        let choice = revision::choose(view, &set, orphans, world);
        view.set_update(choice.update.label);
        let look = Look {
            view,
            set: &set,
            choice: &choice,
            cache: world.view(Process::ControllerManager),
            max_unavailable: world.config.gates.max_unavailable_stateful_set,
            now: world.now(),
        };
        let (plan, draft) = decide::decide(look);
        if !plan.steps.is_empty() {
            let stamps = [choice.current, choice.update]
                .map(|target| view.stamps.get(&(target.label, target.template)).copied());
            let mut underway = Underway::new(view.frame.clone(), choice, &set, view.owners, draft, stamps);
            underway.see_terminating_claims(&plan, world);
            self.memory(key).underway = Some(underway);
        }
        plan
    }

    fn decision(&self, key: u32, plan: &Plan<Call>) -> Option<Decision> {
        let ordinal = |ordinal: Ordinal| ordinal.number().map_or(-1, i64::from);
        let deed = |call: &Call| match *call {
            Call::CreatePod(which, revision) => {
                Some(Deed::CreatePod { ordinal: ordinal(which), updated: revision == Which::Update })
            }
            Call::CreateClaim { ordinal: which, .. } => Some(Deed::CreateClaim { ordinal: ordinal(which) }),
            Call::DeletePod(which, update) => Some(Deed::DeletePod { ordinal: ordinal(which), update }),
            _ => None,
        };
        let deeds = plan.steps.iter().filter_map(|step| deed(&step.call)).collect();
        let underway = self.memory.get(key as usize).and_then(|memory| memory.underway.as_ref());
        let status = underway.filter(|_| !plan.steps.is_empty()).map(|underway| underway.draft);
        Some(Decision { key, deeds, status })
    }

    fn execute(&mut self, key: u32, call: &Call, rule: Rule, world: &mut World) -> Result<(), Status> {
        let Some(mut underway) = self.memory(key).underway.take() else { return Ok(()) };
        let unstamped = underway.stamps.iter().any(Option::is_none);
        let outcome = underway.execute(*call, rule, world);
        if unstamped
            && let Some(view) = self.index.set_mut(key).filter(|view| view.frame.uid == underway.frame.uid)
        {
            let targets = [underway.choice.current, underway.choice.update];
            for (target, stamp) in targets.into_iter().zip(underway.stamps) {
                if let Some(stamp) = stamp {
                    view.stamps.insert((target.label, target.template), stamp);
                }
            }
        }
        let memory = self.memory(key);
        memory.underway = Some(underway);
        if let Ok(Done::Wrote(revision)) = outcome {
            memory.written = memory.written.max(Some(revision));
        }
        outcome.map(|_| ())
    }

    fn restart(&mut self, queue: &mut WorkQueue, world: &mut World) {
        self.memory.clear();
        mark!("STS-55");
        for key in self.index.rebuild(world) {
            queue.add(key, world);
        }
    }
}

impl StatefulSets {
    fn memory(&mut self, key: u32) -> &mut Memory {
        let index = key as usize;
        if self.memory.len() <= index {
            self.memory.resize(index + 1, Memory::default());
        }
        &mut self.memory[index]
    }

    /// STS-102: its caches are as new as what it has written. Then the record is dropped.
    fn sees_own_writes(&mut self, key: u32, world: &World) -> bool {
        let gate = world.config.gates.stale_controller_consistency;
        let seen = world.seen(Process::ControllerManager);
        let memory = self.memory(key);
        if gate && memory.written.is_some_and(|written| written > seen) {
            return false;
        }
        memory.written = None;
        true
    }

    /// addPod, updatePod and deletePod of stateful_set.go (STS-98, STS-100).
    fn observe_pod(&mut self, change: &Change, queue: &mut WorkQueue, world: &mut World) {
        let (old, new) = world.store.before_and_after::<Pod>(change);
        let (old, new) = (old.copied(), new.copied());
        self.index.change_pod(change.id(), old, new, world);
        let cache = world.view(Process::ControllerManager);
        let owner = |pod: Option<Pod>| pod.and_then(|pod| self.index.owner_of(cache, &pod));
        let (before, after) = (owner(old), owner(new));
        if let Some(key) = before.filter(|before| after != Some(*before)) {
            queue.add(key, world);
        }
        let Some(pod) = new else { return };
        if let Some(key) = after {
            mark!("STS-98");
            queue.add(key, world);
            let became_ready = pod.is_ready() && old.is_some_and(|old| !old.is_ready());
            let min_ready = self.index.set(key).map_or(0, |view| view.frame.spec.min_ready);
            if became_ready && min_ready > 0 {
                mark!("STS-100");
                queue.add_after(key, Duration::from_secs(u64::from(min_ready)), world);
            }
            return;
        }
        let ownerless = world.store.controller_of(pod.meta.owners).is_none();
        let identity =
            |pod: &Pod| [PodFlags::NAME_LABEL, PodFlags::INDEX_LABEL].map(|label| pod.flags.has(label));
        let asked = |pod: &Pod| (pod.meta.labels, identity(pod), pod.meta.owners);
        let news = old.is_none_or(|old| asked(&old) != asked(&pod));
        if ownerless && news && !(old.is_none() && pod.is_terminating()) {
            for key in self.index.selecting(world.view(Process::ControllerManager), &pod) {
                queue.add(key, world);
            }
        }
    }
}
