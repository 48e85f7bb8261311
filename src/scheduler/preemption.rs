//! Preemption: making room for a pod by deleting pods of lower priority.
//!
//! Follows `framework/preemption/preemption.go` and `plugins/defaultpreemption` (SCHED-27). On each node where removing
//! pods may help, all of lower priority are removed in thought and put back one by one, the most important first, those
//! whose budgets would be violated before the others; what cannot be put back are the victims.
use super::Scheduler;
use super::class::Class;
use super::filter::Context;
use super::messages::{Preemption, Reasons, Tally};
use crate::api::labels::LabelsId;
use crate::api::names::{Name, Uid};
use crate::api::objects::{Budget, Disruption, Node, Pod, Seconds};
use crate::api::store::View;
use crate::event::{Event, Process, SchedulerEvent};
use crate::kernel::{Duration, Id};
use crate::world::{Actor, Draw, World};
use std::cmp::Reverse;

/// A node with the pods that would have to go.
#[derive(Clone, Debug)]
struct Candidate {
    node: u32,
    victims: Vec<Victim>,
    /// How many of them would violate a budget.
    violations: usize,
}

#[derive(Clone, Copy, Debug)]
struct Victim {
    id: Id<Pod>,
    uid: Uid,
    priority: i32,
    started: Seconds,
}

impl Victim {
    /// Sorts the most important first: higher priority, then longer running.
    fn importance(&self) -> (Reverse<i32>, Seconds, Uid) {
        (Reverse(self.priority), self.started, self.uid)
    }
}

impl Candidate {
    /// The least is chosen (SCHED-27): fewest violations, then the lowest highest priority, the lowest sum, the
    /// fewest victims, and the latest start of the earliest started among the highest.
    fn cost(&self) -> (usize, i32, i64, usize, Reverse<Seconds>) {
        let highest = self.victims.iter().map(|v| v.priority).max().unwrap_or(i32::MIN);
        // Negative priorities must not make more victims look cheaper.
        let sum = self.victims.iter().map(|v| i64::from(v.priority) + i64::from(i32::MAX) + 1).sum();
        let among = self.victims.iter().filter(|v| v.priority == highest);
        let earliest = among.map(|v| v.started).min().unwrap_or_default();
        (self.violations, highest, sum, self.victims.len(), Reverse(earliest))
    }
}

impl Scheduler {
    /// PostFilter: looks for pods to remove. Returns what is said of it and the node to nominate: None keeps the
    /// nomination, [`Id::NONE`] clears it.
    pub(super) fn preempt(
        &mut self,
        id: Id<Pod>,
        pod: &Pod,
        class: u32,
        delay: Duration,
        world: &mut World,
    ) -> (Preemption, Option<Id<Node>>) {
        if let Some(why) = self.not_eligible(pod, class, world) {
            return (Preemption::NotEligible(why), None);
        }
        let rejected = std::mem::take(&mut self.scratch.rejected);
        let mut tally = Tally::default();
        let candidates = self.candidates(id, pod, class, &rejected, &mut tally, world);
        let looked_at = rejected.len();
        self.scratch.rejected = rejected;
        tally.add_many(Reasons::NOT_HELPFUL, self.cache.node_count().saturating_sub(looked_at));
        let Some(chosen) = candidates.into_iter().min_by_key(Candidate::cost) else {
            return (Preemption::Failed(tally), Some(Id::NONE));
        };
        for victim in &chosen.victims {
            let (node, preemptor) = (chosen.node, pod.meta.uid);
            world.emit(victim.id, false, "Preempted", |world| {
                let name = world.store.nodes.last_known(Id::from_index(node as usize));
                let name = name.map_or_else(String::new, |n| world.store.name_of(n.meta.name));
                format!("Preempted by pod {} on node {name}", world.store.uid_text(preemptor))
            });
            let api = world.api_delay(Actor::Scheduler);
            world.after(delay + api, Event::Scheduler(SchedulerEvent::Evict(victim.id, victim.uid)));
        }
        let spec = self.classes.get(class).spec.clone();
        self.nominated.add(id, &spec, chosen.node);
        (Preemption::Succeeded, Some(Id::from_index(chosen.node as usize)))
    }

    /// Why the pod may not preempt now (PodEligibleToPreemptOthers).
    fn not_eligible(&self, pod: &Pod, class: u32, world: &World) -> Option<&'static str> {
        let spec = &self.classes.get(class).spec;
        if !spec.preempts {
            return Some("preemptionPolicy=Never");
        }
        let info = self.cache.nodes.get(pod.nominated.index()).filter(|_| !pod.nominated.is_none())?;
        let rejected = self.scratch.rejected.iter().find(|(node, _)| *node == pod.nominated.as_u32());
        if rejected.is_some_and(|(_, reasons)| !reasons.is_resolvable()) {
            return None;
        }
        if info.lowest_priority().is_none_or(|lowest| lowest >= spec.priority) {
            return None;
        }
        let view = world.view(Process::Scheduler);
        let goes = |member: &u32| {
            view.get(Id::<Pod>::from_index(*member as usize)).is_some_and(|other| {
                other.is_terminating()
                    && other.disruption == Disruption::ByScheduler
                    && world.store.pod_spec(other.spec).priority < spec.priority
            })
        };
        info.members.iter().any(goes).then_some("a terminating pod on the nominated node")
    }

    /// Dry runs on the nodes where removing pods may help, from a random one on, until enough candidates are found.
    fn candidates(
        &mut self,
        id: Id<Pod>,
        pod: &Pod,
        class: u32,
        rejected: &[(u32, Reasons)],
        tally: &mut Tally,
        world: &World,
    ) -> Vec<Candidate> {
        let mut potential: Vec<u32> = Vec::new();
        for (node, reasons) in rejected {
            if reasons.is_resolvable() {
                potential.push(*node);
            } else {
                tally.add(Reasons::NOT_HELPFUL);
            }
        }
        let priority = self.classes.get(class).spec.priority;
        let lower = |node: &u32| {
            self.cache.nodes[*node as usize].lowest_priority().is_some_and(|lowest| lowest < priority)
        };
        let before = potential.len();
        potential.retain(lower);
        tally.add_many(Reasons::NO_VICTIMS, before - potential.len());
        if potential.is_empty() {
            return Vec::new();
        }
        let class = self.classes.get(class).clone();
        let enough = (self.cache.node_count() / 10).max(100);
        let attempt = u64::from(self.queue.wait(id).map_or(0, |wait| wait.attempts));
        let key = u64::from(pod.meta.uid.0);
        let first = world.chooser.below(Draw::Order as u32, key, attempt, potential.len() as u64) as usize;
        potential.rotate_left(first);
        let mut candidates = Vec::new();
        for node in potential {
            match self.dry_run((id, pod), &class, node, world) {
                Ok(candidate) => candidates.push(candidate),
                Err(reasons) => tally.add(reasons),
            }
            if candidates.len() >= enough {
                break;
            }
        }
        candidates
    }

    /// SelectVictimsOnNode. The pods are really taken off the node meanwhile, and put back at the end.
    fn dry_run(
        &mut self,
        preemptor: (Id<Pod>, &Pod),
        class: &Class,
        node: u32,
        world: &World,
    ) -> Result<Candidate, Reasons> {
        let view = world.view(Process::Scheduler);
        let lower = |member: &u32| {
            let id = Id::<Pod>::from_index(*member as usize);
            let pod = view.get(id)?;
            let priority = world.store.pod_spec(pod.spec).priority;
            let victim = Victim { id, uid: pod.meta.uid, priority, started: pod.started };
            (priority < class.spec.priority).then_some((victim, self.cache.labels_of(id)))
        };
        let members = &self.cache.nodes[node as usize].members;
        let mut potential: Vec<(Victim, LabelsId)> = members.iter().filter_map(lower).collect();
        potential.sort_by_key(|(victim, _)| victim.importance());
        for (victim, _) in &potential {
            self.cache.unaccount(victim.id, &world.store);
        }
        let reasons = self.passes(preemptor, class, node, world);
        let mut candidate = Candidate { node, victims: Vec::new(), violations: 0 };
        let violating = violating(view, &potential);
        for violates in [true, false] {
            let these = potential.iter().zip(&violating).filter(|(_, v)| **v == violates);
            for ((victim, labels), _) in these {
                let Some(pod) = view.get(victim.id) else { continue };
                self.cache.account(victim.id, pod, node, *labels, &world.store);
                if reasons == Reasons::NONE && self.passes(preemptor, class, node, world) != Reasons::NONE {
                    self.cache.unaccount(victim.id, &world.store);
                    candidate.victims.push(*victim);
                    candidate.violations += usize::from(violates);
                }
            }
        }
        for (victim, labels) in &potential {
            let is_off = candidate.victims.iter().any(|other| other.id == victim.id);
            if let Some(pod) = view.get(victim.id).filter(|_| is_off) {
                self.cache.account(victim.id, pod, node, *labels, &world.store);
            }
        }
        if reasons == Reasons::NONE { Ok(candidate) } else { Err(reasons) }
    }

    /// The filters for a node as it is in thought.
    fn passes(&mut self, preemptor: (Id<Pod>, &Pod), class: &Class, node: u32, world: &World) -> Reasons {
        let view = world.view(Process::Scheduler);
        let (cache, scratch, volumes) = (&mut self.cache, &mut self.scratch, &self.volumes);
        if !class.spec.claims.is_empty()
            && volumes.prefilter(preemptor.1, &class.spec, view, cache, &mut scratch.needs).is_err()
        {
            return Reasons::NO_VOLUME;
        }
        scratch.spread.prepare(class, cache, &world.store);
        let cx = Context { pod: preemptor.0, class, view, volumes, nominated: &self.nominated };
        scratch.filter(cx, cache, node).0
    }
}

/// Which of these pods, removed one after the other, would find their budget used up (PDB).
fn violating(view: View<'_>, victims: &[(Victim, LabelsId)]) -> Vec<bool> {
    let budgets: Vec<_> = view.iter::<Budget>().map(|(_, budget)| budget).collect();
    let mut allowed: Vec<i32> = budgets.iter().map(|budget| budget.status.allowed).collect();
    let disrupted = |budget: &Budget, name: Name| budget.status.disrupted.iter().any(|entry| entry.0 == name);
    let mut result = Vec::with_capacity(victims.len());
    for (victim, _) in victims {
        let mut violates = false;
        if let Some(pod) = view.get(victim.id) {
            for (budget, allowed) in budgets.iter().zip(&mut allowed) {
                let selects = budget.meta.namespace == pod.meta.namespace
                    && budget
                        .selector
                        .as_ref()
                        .is_some_and(|s| !s.is_empty() && view.store.pod_matches(pod, s))
                    && !disrupted(budget, pod.meta.name);
                if selects {
                    *allowed -= 1;
                    violates |= *allowed < 0;
                }
            }
        }
        result.push(violates);
    }
    result
}
