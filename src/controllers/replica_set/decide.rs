//! What one sync of a ReplicaSet decides: claims, creates or deletes, status (RS-1 to RS-7).
//!
//! Follows pkg/controller/replicaset/replica_set.go, syncReplicaSet and manageReplicas.
use super::calls::Call;
use super::index::{Counts, Index, Set, Standing, available_at, carries};
use super::rank;
use crate::api::names::Uid;
use crate::api::objects::{Pod, ReplicaSet};
use crate::api::store::View;
use crate::controllers::plan::{Plan, Then, Wait, WaitOn};
use crate::kernel::{Id, Time};
use crate::rule::{Rule, mark};
use rustc_hash::FxHashMap;

/// Most creates or deletes in one sync (BurstReplicas).
const BURST: i32 = 500;

/// What a sync looks at.
pub(super) struct Look<'a> {
    pub set: &'a ReplicaSet,
    pub index: &'a Index,
    pub view: View<'a>,
    pub now: Time,
}

/// The pods of the set, as its claims leave them.
struct Claimed {
    counts: Counts,
    /// The active pods; None: all active pods of the index.
    active: Option<Vec<Id<Pod>>>,
    adopt: Vec<Id<Pod>>,
    release: Vec<Id<Pod>>,
}

/// What a sync has decided.
pub(super) struct Decision {
    pub plan: Plan<Call>,
    /// Creates in the plan.
    pub creates: u32,
    /// Deletes in the plan.
    pub deletes: Vec<Id<Pod>>,
}

impl Look<'_> {
    /// One sync. `satisfied`: no creates or deletes of an earlier one are open.
    pub(super) fn decide(&self, satisfied: bool) -> Decision {
        let empty = Set::default();
        let known = self.index.set(self.set.meta.uid).unwrap_or(&empty);
        let claimed = self.claim(known);
        let mut decision = Decision { plan: Plan::default(), creates: 0, deletes: Vec::new() };
        let plan = &mut decision.plan;
        for (pods, adopt) in [(&claimed.release, false), (&claimed.adopt, true)] {
            for id in pods {
                let uid = self.view.get(*id).map_or(Uid::NONE, |pod| pod.meta.uid);
                plan.call_in(
                    0,
                    0,
                    Rule::rs(2),
                    if adopt { Call::Adopt(*id, uid) } else { Call::Release(*id, uid) },
                );
            }
        }
        let counts = claimed.counts;
        let surplus = counts.active.saturating_sub(self.set.spec.replicas);
        if satisfied && !self.set.meta.is_terminating() {
            if surplus < 0 {
                decision.creates = surplus.saturating_neg().min(BURST).unsigned_abs();
                create(plan, decision.creates);
            } else if surplus > 0 {
                decision.deletes = self.surplus(known, &claimed, surplus.min(BURST).unsigned_abs() as usize);
                let group = plan.next_group();
                for id in &decision.deletes {
                    plan.call_in(group, 0, Rule::rs(4), Call::Delete(*id));
                }
            }
        } else if !satisfied && surplus != 0 {
            plan.wait = Some(Wait { rule: Rule::rs(1), on: WaitOn::OwnWrites });
        }
        let managed = !plan.steps.is_empty();
        if managed || self.is_status_outdated(&counts) {
            let generation = self.set.meta.generation.get();
            plan.always(Rule::rs(6), Call::Status { counts, generation, short: surplus < 0 });
        }
        if let Some(at) = counts.next_available.filter(|_| counts.ready != counts.available) {
            mark!("RS-7");
            plan.then = Then::At(at);
        }
        decision
    }

    /// RS-2: pods owned and matching, pods to adopt, pods to release. Terminating pods are neither adopted nor
    /// released; a set being deleted does neither.
    fn claim(&self, known: &Set) -> Claimed {
        let (set, store) = (self.set, self.view.store);
        let deleting = set.meta.is_terminating();
        let adopt = if deleting {
            Vec::new()
        } else {
            self.index.adoptable(set.meta.namespace, &set.spec.selector, self.view)
        };
        let counts = known.counts(set, store, self.now);
        if let Some(counts) = counts.filter(|_| adopt.is_empty()) {
            return Claimed { counts, active: None, adopt, release: Vec::new() };
        }
        let mut counts = Counts::default();
        let (mut active, mut release) = (Vec::new(), Vec::new());
        for (id, pod) in known.pods().iter().filter_map(|id| Some((*id, self.view.get(*id)?))) {
            let matches = store.pod_matches(pod, &set.spec.selector);
            match Standing::of(pod) {
                Standing::Active if matches => active.push(id),
                Standing::Active if !deleting => release.push(id),
                Standing::Terminating if matches => counts.terminating += 1,
                _ => {}
            }
        }
        active.extend(&adopt);
        for pod in active.iter().filter_map(|id| self.view.get(*id)) {
            self.add(pod, &mut counts);
        }
        Claimed { counts, active: Some(active), adopt, release }
    }

    fn add(&self, pod: &Pod, counts: &mut Counts) {
        let store = self.view.store;
        counts.active += 1;
        counts.fully_labeled +=
            i32::from(carries(store, pod.meta.labels, store.template(self.set.spec.template).labels));
        if !pod.is_ready() {
            return;
        }
        counts.ready += 1;
        match available_at(pod.ready_since, self.set.spec.min_ready).filter(|at| *at > self.now) {
            Some(at) => counts.next_available = Some(counts.next_available.map_or(at, |next| next.min(at))),
            None => counts.available += 1,
        }
    }

    /// The pods to delete (RS-4, RS-5). Neighbours are counted over all ReplicaSets of the same owner; a set without
    /// an owner counts none.
    fn surplus(&self, known: &Set, claimed: &Claimed, count: usize) -> Vec<Id<Pod>> {
        let active = |id: &Id<Pod>| self.view.get(*id).filter(|pod| Standing::of(pod) == Standing::Active);
        let mut on_node: FxHashMap<u32, u32> = FxHashMap::default();
        if let Some(owner) = self.view.store.controller_of(self.set.meta.owners) {
            for pod in self.index.related(owner.uid).filter_map(|id| active(&id)) {
                *on_node.entry(pod.node.as_u32()).or_default() += 1;
            }
        }
        let ids = claimed.active.as_deref().unwrap_or(known.pods());
        let candidates = ids.iter().filter_map(|id| {
            let pod = active(id)?;
            let neighbours = on_node.get(&pod.node.as_u32()).copied().unwrap_or(0);
            Some(rank::Candidate::new(self.view.store, *id, pod, neighbours))
        });
        rank::choose(candidates.collect(), count, self.now)
    }

    fn is_status_outdated(&self, counts: &Counts) -> bool {
        let (set, status) = (self.set, &self.set.status);
        status.replicas != counts.active
            || status.fully_labeled != counts.fully_labeled
            || status.ready != counts.ready
            || status.available != counts.available
            || status.terminating != Some(counts.terminating)
            || status.observed_generation != set.meta.generation.get()
            || !status.conditions.is_empty()
    }
}

/// Creates in slow-start batches of 1, 2, 4, ...: a failure in one batch drops the next ones (RS-3).
fn create(plan: &mut Plan<Call>, count: u32) {
    let (mut left, mut batch) = (count, 1);
    while left > 0 {
        let group = plan.next_group();
        for _ in 0..batch.min(left) {
            plan.call_in(group, 0, Rule::rs(3), Call::Create);
        }
        left -= batch.min(left);
        batch *= 2;
    }
}
