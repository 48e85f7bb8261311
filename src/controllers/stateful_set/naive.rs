//! The sync as Go has it: all pods are listed, sorted into slots and looked at one by one (STS-54).
//!
//! For tests only: `decide`, which asks an index instead, has to do the same (`agreement`). Shared with it is only what
//! concerns a single pod's calls (`draft`) and claims.
use super::calls::{Call, Ordinal, Which};
use super::claims::{self, PodRef};
use super::decide::{Flow, batch, finish};
use super::draft::{Draft, Pace};
use super::identity::{Frame, identity_matches, storage_matches};
use super::revision::Choice;
use super::update::budget;
use crate::api::names::Sym;
use crate::api::objects::*;
use crate::api::store::{REVISION_LABEL, View};
use crate::controllers::plan::{Plan, WaitOn};
use crate::kernel::{Id, Time};
use crate::rule::Rule;

type Found<'a> = (Id<Pod>, &'a Pod);

struct Sync<'a> {
    set: &'a StatefulSet,
    frame: &'a Frame,
    choice: &'a Choice,
    cache: View<'a>,
    max_unavailable: bool,
    now: Time,
    replicas: Vec<Option<Found<'a>>>,
    /// Highest ordinal first.
    condemned: Vec<Found<'a>>,
    unnumbered: Vec<Found<'a>>,
}

/// Claims the pods of the set: kept, adopted, released (STS-54 step 5).
fn claim<'a>(frame: &Frame, cache: View<'a>) -> (Vec<Found<'a>>, Vec<Id<Pod>>, Vec<Id<Pod>>) {
    let (mut kept, mut adopt, mut release) = (Vec::new(), Vec::new(), Vec::new());
    for (id, pod) in cache.iter::<Pod>().filter(|(_, pod)| pod.meta.namespace == frame.namespace) {
        let matches = cache.store.pod_matches(pod, &frame.spec.selector)
            && frame.member(cache.store, pod.meta.name).is_some();
        match cache.store.controller_of(pod.meta.owners) {
            Some(owner) if owner.uid != frame.uid => {}
            Some(_) if matches => kept.push((id, pod)),
            Some(_) if !frame.deleting => release.push(id),
            None if matches && !frame.deleting && !pod.is_terminating() => {
                kept.push((id, pod));
                adopt.push(id);
            }
            _ => {}
        }
    }
    (kept, adopt, release)
}

/// The revision label of a pod.
fn revision_of(cache: View<'_>, pod: &Pod) -> Sym {
    let key = cache.store.names.known(REVISION_LABEL);
    key.and_then(|key| cache.store.labels.value(pod.meta.labels, key)).unwrap_or_default()
}

/// True if some claimed pod carries this revision label (STS-43).
pub(super) fn is_in_use(frame: &Frame, cache: View<'_>, label: Sym) -> bool {
    claim(frame, cache).0.iter().any(|(_, pod)| revision_of(cache, pod) == label)
}

/// See the module documentation.
pub(super) fn decide(
    set: &StatefulSet,
    frame: &Frame,
    choice: &Choice,
    cache: View<'_>,
    max_unavailable: bool,
    now: Time,
) -> (Plan<Call>, StatefulSetStatus) {
    let (pods, adopt, release) = claim(frame, cache);
    let mut sync = Sync {
        set,
        frame,
        choice,
        cache,
        max_unavailable,
        now,
        replicas: vec![None; frame.replicas() as usize],
        condemned: Vec::new(),
        unnumbered: Vec::new(),
    };
    for (id, pod) in &pods {
        match frame.member(cache.store, pod.meta.name).and_then(Ordinal::number) {
            Some(number) => match frame.index_of(number) {
                Some(index) => sync.replicas[index as usize] = Some((*id, pod)),
                None => sync.condemned.push((*id, pod)),
            },
            None => sync.unnumbered.push((*id, pod)),
        }
    }
    sync.condemned.sort_by_key(|(_, pod)| std::cmp::Reverse(frame.member(cache.store, pod.meta.name)));
    let mut draft = Draft::new(frame, cache, choice, &set.status);
    draft.preface(release.into_iter(), adopt.into_iter());
    let mut deleted = 0;
    if frame.deleting {
        draft.wait(Rule::sts(90), WaitOn::Dependents);
    } else if sync.replica_phase(&mut draft) == Flow::Go && sync.condemned_phase(&mut draft) == Flow::Go {
        deleted = sync.update_phase(&mut draft);
    }
    let status = sync.status(frame.deleting);
    let future = pods.iter().filter_map(|(_, pod)| pod.available_at(frame.spec.min_ready));
    let next = future.filter(|at| *at > now).min();
    (finish(set, choice, draft.plan, &status, deleted, next, now), status)
}

impl Sync<'_> {
    fn ordinal(&self, pod: &Pod) -> Ordinal {
        self.frame.member(self.cache.store, pod.meta.name).unwrap_or(Ordinal::NONE)
    }

    fn is_available(&self, pod: &Pod) -> bool {
        pod.is_available(self.frame.spec.min_ready, self.now)
    }

    fn is_unavailable(&self, pod: Option<Found<'_>>) -> bool {
        pod.is_none_or(|(_, pod)| !self.is_available(pod) || pod.is_terminating())
    }

    fn claim_owners_match(&self, pod: &Pod, condemned: bool) -> bool {
        let owner = PodRef { name: Some(pod.meta.name), uid: pod.meta.uid, condemned };
        claims::of_ordinal(self.frame, self.cache, self.ordinal(pod)).all(|(_, claim)| {
            let owners = |claim: &Claim| self.cache.store.owners.get(claim.meta.owners);
            claim.is_none_or(|(_, claim)| claims::owners_match(self.frame, owners(claim), owner))
        })
    }

    fn claims_need_repair(&self, pod: &Pod) -> bool {
        let owner = PodRef { name: Some(pod.meta.name), uid: pod.meta.uid, condemned: false };
        claims::of_ordinal(self.frame, self.cache, self.ordinal(pod)).any(|(_, claim)| {
            claim.is_none_or(|(_, claim)| {
                let owners = self.cache.store.owners.get(claim.meta.owners);
                claim.meta.is_terminating()
                    || !claims::owners_match(self.frame, owners, owner)
                    || claims::has_unexpected_controller(self.frame, owners, owner)
            })
        })
    }

    fn wait_for(&self, draft: &mut Draft<'_>, rule: Rule, (id, pod): Found<'_>) {
        let at = pod.available_at(self.frame.spec.min_ready).unwrap_or_default();
        let on = if pod.is_terminating() {
            WaitOn::Termination(id)
        } else if !pod.is_running_and_ready() {
            WaitOn::Readiness(id)
        } else {
            WaitOn::Availability(id, at)
        };
        draft.wait(rule, on);
    }

    fn replica_phase(&self, draft: &mut Draft<'_>) -> Flow {
        let ordered = self.frame.is_ordered();
        let base = draft.plan.next_group();
        for index in 0..self.replicas.len() {
            let pace = if ordered { Pace::InOrder } else { Pace::Batch(base + batch(index)) };
            if self.process_replica(draft, pace, index) == Flow::Stop && ordered {
                return Flow::Stop;
            }
        }
        Flow::Go
    }

    fn process_replica(&self, draft: &mut Draft<'_>, pace: Pace, index: usize) -> Flow {
        let index32 = u32::try_from(index).unwrap();
        let Some((id, pod)) = self.replicas[index] else {
            draft.create(pace, index32);
            return Flow::Stop;
        };
        let ordinal = self.ordinal(pod);
        if matches!(pod.phase, Phase::Failed | Phase::Succeeded) {
            if !pod.is_terminating() {
                draft.delete(pace, Rule::sts(57), ordinal, false);
            }
            // In Parallel nobody waits for a pod that is on its way out already.
            if pace == Pace::InOrder || !pod.is_terminating() {
                draft.wait(Rule::sts(57), WaitOn::Termination(id));
            }
            return Flow::Stop;
        }
        let pending = pod.phase == Phase::Pending;
        if pending && self.claims_need_repair(pod) && !draft.repair(pace, ordinal, pod) {
            return Flow::Stop;
        }
        if pace == Pace::InOrder {
            if pod.is_terminating() {
                draft.wait(Rule::sts(60), WaitOn::Termination(id));
                return Flow::Stop;
            }
            if !pod.is_running_and_ready() {
                draft.wait(Rule::sts(60), WaitOn::Readiness(id));
                return Flow::Stop;
            }
            if !self.is_available(pod) {
                self.wait_for(draft, Rule::sts(60), (id, pod));
                return Flow::Stop;
            }
        }
        let retention = self.claim_owners_match(pod, false) || pending;
        if !identity_matches(pod) || !storage_matches(self.frame, self.cache.store, pod) || !retention {
            draft.conform(pace, ordinal, id, !retention);
        }
        Flow::Go
    }

    fn condemned_phase(&self, draft: &mut Draft<'_>) -> Flow {
        let ordered = self.frame.is_ordered();
        let base = draft.plan.next_group();
        for (position, (id, pod)) in self.condemned.iter().enumerate() {
            if !self.claim_owners_match(pod, true) {
                let pace = if ordered { Pace::InOrder } else { Pace::Batch(base + batch(position)) };
                draft.condemn_claims(pace, self.ordinal(pod), *id);
            }
        }
        let lowest = self.condemned.iter().rev().find(|found| self.is_unavailable(Some(**found)));
        let base = draft.plan.next_group();
        for (position, (id, pod)) in self.condemned.iter().enumerate() {
            if !ordered {
                if !pod.is_terminating() {
                    draft.delete(
                        Pace::Batch(base + batch(position)),
                        Rule::sts(70),
                        self.ordinal(pod),
                        false,
                    );
                }
                continue;
            }
            if pod.is_terminating() {
                draft.wait(Rule::sts(68), WaitOn::Termination(*id));
                return Flow::Stop;
            }
            let healthy = pod.is_running_and_ready() && self.is_available(pod);
            if !healthy && lowest.is_none_or(|(lowest, _)| lowest != id) {
                self.wait_for(draft, Rule::sts(69), (*id, pod));
                return Flow::Stop;
            }
            draft.delete(Pace::InOrder, Rule::sts(68), self.ordinal(pod), false);
            draft.wait(Rule::sts(68), WaitOn::Termination(*id));
            return Flow::Stop;
        }
        Flow::Go
    }

    fn is_replaceable(&self, draft: &Draft<'_>, index: usize) -> bool {
        let label = match self.replicas[index] {
            Some((_, pod)) if pod.is_terminating() => return false,
            Some((_, pod)) => revision_of(self.cache, pod),
            None => match draft.which(u32::try_from(index).unwrap()) {
                Which::Current => self.choice.current.label,
                Which::Update => self.choice.update.label,
            },
        };
        label != self.choice.update.label
    }

    fn update_phase(&self, draft: &mut Draft<'_>) -> i32 {
        let UpdateStrategy::RollingUpdate(_) = self.frame.spec.strategy else {
            if (0..self.replicas.len()).any(|index| self.is_replaceable(draft, index)) {
                draft.wait(Rule::sts(72), WaitOn::ManualDeletion);
            }
            return 0;
        };
        let first = self.frame.partition() as usize;
        let reach = first.min(self.replicas.len())..self.replicas.len();
        if !reach.clone().any(|index| self.is_replaceable(draft, index)) {
            let alive_and_old = |found: &Found<'_>| {
                !found.1.is_terminating() && revision_of(self.cache, found.1) != self.choice.update.label
            };
            if self.replicas[..reach.start].iter().flatten().any(alive_and_old) {
                draft.wait(Rule::sts(50), WaitOn::Partition);
            }
            return 0;
        }
        let (rule, mut left) =
            if self.max_unavailable { (Rule::sts(81), self.left()) } else { (Rule::sts(73), 1) };
        let mut deleted = 0;
        if left <= 0 {
            let highest =
                (0..self.replicas.len()).rev().find(|index| self.is_unavailable(self.replicas[*index]));
            self.wait_at(draft, rule, highest.unwrap());
            return 0;
        }
        for index in reach.rev() {
            if left == 0 {
                break;
            }
            if self.is_replaceable(draft, index) {
                draft.delete(Pace::InOrder, rule, self.frame.ordinal_at(u32::try_from(index).unwrap()), true);
                if let Some((id, _)) = self.replicas[index] {
                    draft.wait(rule, WaitOn::Termination(id));
                }
                deleted += 1;
                left -= 1;
            } else if !self.max_unavailable && self.is_unavailable(self.replicas[index]) {
                self.wait_at(draft, rule, index);
                break;
            }
        }
        deleted
    }

    fn left(&self) -> i32 {
        let unavailable = self.replicas.iter().filter(|found| self.is_unavailable(**found)).count();
        budget(self.frame.spec.strategy, self.frame.spec.replicas) - i32::try_from(unavailable).unwrap()
    }

    fn wait_at(&self, draft: &mut Draft<'_>, rule: Rule, index: usize) {
        match self.replicas[index] {
            Some(found) => self.wait_for(draft, rule, found),
            None => draft.wait(rule, WaitOn::Creation(Id::NONE)),
        }
    }

    fn status(&self, unnumbered: bool) -> StatefulSetStatus {
        let mut status = StatefulSetStatus {
            observed_generation: self.set.meta.generation.get(),
            current_revision: self.choice.current.name,
            update_revision: self.choice.update.name,
            collisions: Some(self.choice.collisions),
            ..StatefulSetStatus::default()
        };
        let extra: &[Found<'_>] = if unnumbered { &self.unnumbered } else { &[] };
        for (_, pod) in self.replicas.iter().flatten().chain(&self.condemned).chain(extra) {
            status.replicas += 1;
            if pod.is_running_and_ready() {
                status.ready += 1;
                status.available += i32::from(self.is_available(pod));
            }
            if !pod.is_terminating() {
                let revision = revision_of(self.cache, pod);
                status.current += i32::from(revision == self.choice.current.label);
                status.updated += i32::from(revision == self.choice.update.label);
            }
        }
        status
    }
}
