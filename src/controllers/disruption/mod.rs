//! The disruption controller: the status of PodDisruptionBudgets.
//!
//! Follows pkg/controller/disruption/disruption.go: this file is the event handlers and the reset of stale
//! DisruptionTarget conditions, `sync` one sync of a budget, `maths` its arithmetic; `index` counts pods as they change.
//! Eviction, which spends the budgets, is the API server's. Left out: ReplicationControllers, and scale subresources of
//! kinds that nothing here acts on.
mod index;
mod maths;
mod sync;
#[cfg(test)]
mod tests;

use crate::api::kind::Kind;
use crate::api::names::Uid;
use crate::api::objects::{Budget, BudgetStatus, Disruption, Pod, PodFlags, Revision, Seconds};
use crate::api::status::Status;
use crate::api::store::{Change, Stored, Verb};
use crate::controllers::plan::{Plan, Then};
use crate::controllers::runner::{Reconciler, WorkQueue};
use crate::event::{Controller, Process};
use crate::kernel::{Id, Time};
use crate::rule::{Rule, mark};
use crate::world::{Actor, Draw, World};
use index::Index;
use std::collections::BTreeMap;

/// The key under which stale conditions of pods are looked after; budgets have their table position plus one.
const STALE_PODS: u32 = 0;

/// The disruption controller.
#[derive(Clone, Debug, Default)]
pub struct Budgets {
    index: Index,
    /// Pods that are to be disrupted and are not being deleted, with the time since which they are (PDB-11).
    marked: BTreeMap<Id<Pod>, (Uid, Seconds)>,
}

/// One API call. Both carry the version that was read.
#[derive(Clone, Debug)]
pub enum Call {
    /// Writes the status of a budget.
    Status(Box<BudgetStatus>, Revision),
    /// Sets a stale condition DisruptionTarget to False.
    Reset(Id<Pod>, Revision),
}

fn key(id: Id<Budget>) -> u32 {
    id.as_u32() + 1
}

impl Reconciler for Budgets {
    type Call = Call;
    const CONTROLLER: Controller = Controller::Disruption;
    const ACTOR: Actor = Actor::DisruptionController;
    const WORKERS: usize = 1;

    /// PDB-4: budgets and pods; not the controllers of the pods.
    fn observe(&mut self, change: &Change, queue: &mut WorkQueue, world: &mut World) {
        match change.kind {
            Kind::Budget => {
                let id = change.id::<Budget>();
                let (old, new) = world.store.before_and_after::<Budget>(change);
                let same = old.zip(new).is_some_and(|(old, new)| old.meta.generation == new.meta.generation);
                if !same {
                    self.index.change_budget(id, new, world.view(Process::ControllerManager));
                }
                queue.add(key(id), world);
            }
            Kind::Pod => {
                let (old, new) = world.store.before_and_after::<Pod>(change);
                let (old, new) = (old.copied(), new.copied());
                self.index.change_pod(old.as_ref(), new.as_ref(), world.view(Process::ControllerManager));
                if let Some(pod) = new.or(old) {
                    let seen = if change.verb == Verb::Removed { None } else { Some(&pod) };
                    self.mark(change.id(), seen, Seconds::of(change.time), queue, world);
                    self.wake(change.id(), &pod, queue, world);
                }
            }
            _ => {}
        }
    }

    fn reconcile(&mut self, key: u32, world: &mut World) -> Plan<Call> {
        let Some(index) = key.checked_sub(1) else { return self.stale_pods(world) };
        let id = Id::<Budget>::from_index(index as usize);
        let mut plan = Plan::default();
        let view = world.view(Process::ControllerManager);
        let Some(budget) = view.get(id).cloned() else { return plan };
        let count = self.index.count(id, &budget, view);
        let outcome = sync::sync(id, &budget, &count, world);
        if let Some(status) = outcome.status {
            plan.call(Rule::pdb(8), Call::Status(Box::new(status), budget.meta.revision));
        }
        if let Some(time) = outcome.recheck {
            // The key comes back through the rate limiter.
            plan.then = Then::Deadline(time + world.config.timers.queue_backoff);
        }
        plan
    }

    fn execute(&mut self, key: u32, call: &Call, rule: Rule, world: &mut World) -> Result<(), Status> {
        match call {
            Call::Status(status, read) => {
                let id = Id::<Budget>::from_index(key.saturating_sub(1) as usize);
                check(id, *read, world)?;
                match world.put(id, rule, |budget| budget.status = (**status).clone()) {
                    Err(error) if !error.is_conflict() => fail_safe(id, *read, &error, world)?,
                    written => drop(written?),
                }
            }
            Call::Reset(pod, read) => {
                check(*pod, *read, world)?;
                world.put(*pod, rule, |pod| {
                    pod.flags.set(PodFlags::DISRUPTION_TARGET, false);
                    pod.disruption = Disruption::None;
                })?;
            }
        }
        Ok(())
    }

    /// When marked pods got their condition is not known any more: their two minutes begin anew.
    fn restart(&mut self, queue: &mut WorkQueue, world: &mut World) {
        let view = world.view(Process::ControllerManager);
        let budgets: Vec<_> = view.iter::<Budget>().map(|(id, _)| id).collect();
        for id in &budgets {
            let view = world.view(Process::ControllerManager);
            self.index.change_budget(*id, view.get(*id), view);
            queue.add(key(*id), world);
        }
        let pods: Vec<_> =
            world.view(Process::ControllerManager).iter::<Pod>().map(|(id, pod)| (id, *pod)).collect();
        let now = Seconds::of(world.now());
        for (id, pod) in pods {
            self.mark(id, Some(&pod), now, queue, world);
            self.wake(id, &pod, queue, world);
        }
    }
}

/// A sync that has failed, other than by a conflict, leaves a budget that allows nothing (failSync, PDB-9). The change
/// wakes the controller again.
fn fail_safe(id: Id<Budget>, read: Revision, error: &Status, world: &mut World) -> Result<(), Status> {
    check(id, read, world)?;
    let Some(budget) = world.store.budgets.get(id).cloned() else { return Ok(()) };
    match sync::fail_safe(&budget, &error.message, world) {
        Some(status) => world.put(id, Rule::pdb(9), |budget| budget.status = status).map(drop),
        None => Ok(()),
    }
}

/// Optimistic concurrency.
fn check<T: Stored>(id: Id<T>, read: Revision, world: &World) -> Result<(), Status> {
    let table = T::table(&world.store);
    let name =
        || table.last_known(id).map_or_else(String::new, |object| world.store.name_of(object.meta().name));
    match table.get(id) {
        None => Err(Status::not_found(T::KIND.resource(), &name())),
        Some(object) if object.meta().revision != read => Err(Status::stale(T::KIND.resource(), &name())),
        Some(_) => Ok(()),
    }
}

/// Places in a bucket of a hash table of the real controller's runtime.
const PLACES: u64 = 8;

/// A True condition DisruptionTarget on a pod that neither ends nor is being deleted. The kubelet's never gets stale.
fn is_marked(pod: &Pod) -> bool {
    pod.flags.has(PodFlags::DISRUPTION_TARGET)
        && pod.disruption != Disruption::ByKubelet
        && !pod.is_terminating()
        && !pod.is_terminal()
}

impl Budgets {
    /// PDB-4: only one of the budgets that match is woken; more than one is the user's mistake.
    fn wake(&self, id: Id<Pod>, pod: &Pod, queue: &mut WorkQueue, world: &mut World) {
        let budgets = self.index.budgets_of(pod, world.view(Process::ControllerManager));
        // The real lister walks a hash table from a random one of its eight places: mostly it meets the oldest first.
        let places = PLACES.max(budgets.len() as u64);
        let place = match budgets.len() {
            0 | 1 => 0,
            _ => world.chooser.below(Draw::Order as u32, u64::from(id.as_u32()), world.handled(), places),
        };
        let chosen = usize::try_from(place).ok().and_then(|place| budgets.get(place)).or(budgets.first());
        let Some(chosen) = chosen.copied() else { return };
        mark!("PDB-2", "PDB-4");
        if budgets.len() > 1 {
            world.actor = Actor::DisruptionController;
            world.emit(id, true, "MultiplePodDisruptionBudgets", |world| {
                let namespace = world.store.names.text(pod.meta.namespace);
                let budget = world.store.budgets.last_known(chosen);
                let budget = budget.map_or_else(String::new, |budget| world.store.name_of(budget.meta.name));
                format!(
                    "Pod {namespace:?}/{:?} matches multiple PodDisruptionBudgets.  Chose {budget:?} arbitrarily.",
                    world.store.name_of(pod.meta.name)
                )
            });
        }
        queue.add(key(chosen), world);
    }

    /// Takes note of whether a pod is to be disrupted and is not being deleted.
    fn mark(
        &mut self,
        id: Id<Pod>,
        pod: Option<&Pod>,
        since: Seconds,
        queue: &mut WorkQueue,
        world: &mut World,
    ) {
        let marked = pod.filter(|pod| is_marked(pod)).map(|pod| pod.meta.uid);
        let before = self.marked.get(&id).map(|(uid, _)| *uid);
        if marked == before {
            return;
        }
        match marked {
            Some(uid) => self.marked.insert(id, (uid, since)),
            None => self.marked.remove(&id),
        };
        queue.add(STALE_PODS, world);
    }

    /// PDB-11.
    fn stale_pods(&mut self, world: &mut World) -> Plan<Call> {
        let mut plan = Plan::default();
        let view = world.view(Process::ControllerManager);
        let lifetime = world.config.timers.disrupted_pod_lifetime;
        let mut next = Time::NEVER;
        for (id, (uid, since)) in &self.marked {
            let due = since.start() + lifetime;
            if due > world.now() {
                next = next.min(due);
            } else if let Some(pod) = view.get(*id).filter(|pod| pod.meta.uid == *uid) {
                plan.call(Rule::pdb(11), Call::Reset(*id, pod.meta.revision));
            }
        }
        if !next.is_never() {
            plan.then = Then::Deadline(next);
        }
        plan
    }
}
