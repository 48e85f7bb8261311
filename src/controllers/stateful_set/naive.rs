//! The sync as Go has it: all pods are listed, sorted into slots and looked at one by one (STS-54).
//!
//! For tests only: the property test below lets sets live through arbitrary histories and demands that `decide`, which
//! asks an index instead, makes the same calls in the same groups, waits for the same things and computes the same
//! status at every moment. Shared with it is only what concerns a single pod's calls (`draft`) and claims.
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
fn is_in_use(frame: &Frame, cache: View<'_>, label: Sym) -> bool {
    claim(frame, cache).0.iter().any(|(_, pod)| revision_of(cache, pod) == label)
}

fn decide(
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
        draft.wait(90, WaitOn::Dependents);
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

    fn wait_for(&self, draft: &mut Draft<'_>, rule: u8, (id, pod): Found<'_>) {
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
                draft.delete(pace, 57, ordinal, false);
            }
            // In Parallel nobody waits for a pod that is on its way out already.
            if pace == Pace::InOrder || !pod.is_terminating() {
                draft.wait(57, WaitOn::Termination(id));
            }
            return Flow::Stop;
        }
        let pending = pod.phase == Phase::Pending;
        if pending && self.claims_need_repair(pod) && !draft.repair(pace, ordinal, pod) {
            return Flow::Stop;
        }
        if pace == Pace::InOrder {
            if pod.is_terminating() {
                draft.wait(60, WaitOn::Termination(id));
                return Flow::Stop;
            }
            if !pod.is_running_and_ready() {
                draft.wait(60, WaitOn::Readiness(id));
                return Flow::Stop;
            }
            if !self.is_available(pod) {
                self.wait_for(draft, 60, (id, pod));
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
                    draft.delete(Pace::Batch(base + batch(position)), 70, self.ordinal(pod), false);
                }
                continue;
            }
            if pod.is_terminating() {
                draft.wait(68, WaitOn::Termination(*id));
                return Flow::Stop;
            }
            let healthy = pod.is_running_and_ready() && self.is_available(pod);
            if !healthy && lowest.is_none_or(|(lowest, _)| lowest != id) {
                self.wait_for(draft, 69, (*id, pod));
                return Flow::Stop;
            }
            draft.delete(Pace::InOrder, 68, self.ordinal(pod), false);
            draft.wait(68, WaitOn::Termination(*id));
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
                draft.wait(72, WaitOn::ManualDeletion);
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
                draft.wait(50, WaitOn::Partition);
            }
            return 0;
        }
        let (rule, mut left) = if self.max_unavailable { (81, self.left()) } else { (73, 1) };
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

    fn wait_at(&self, draft: &mut Draft<'_>, rule: u8, index: usize) {
        match self.replicas[index] {
            Some(found) => self.wait_for(draft, rule, found),
            None => draft.wait(rule, WaitOn::Creation(Id::NONE)),
        }
    }

    fn status(&self, unnumbered: bool) -> StatefulSetStatus {
        let mut status = StatefulSetStatus {
            observed_generation: self.set.meta.generation,
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

mod tests {
    use super::super::decide::{self as incremental, Look};
    use super::super::revision;
    use super::super::testing::{Bench, SetOptions, bare_pod, respec, set};
    use super::*;
    use crate::event::Process;
    use crate::rule::Rule;
    use proptest::prelude::*;

    /// Decides both ways about the set, from what the caches show now.
    fn compare(bench: &mut Bench, id: Id<StatefulSet>) {
        let (world, key) = (&mut bench.world, id.as_u32());
        let controller = &mut bench.runner.controller;
        let Some(set) = world.view(Process::ControllerManager).get(id).cloned() else { return };
        let due = controller.index.set(key).map_or_else(Vec::new, |view| view.due(world.now()));
        controller.index.refile(due, world);
        let orphans = controller.index.orphan_revisions(set.meta.namespace);
        let view = controller.index.set_mut(key).unwrap();
        let choice = revision::choose(view, &set, orphans, world);
        view.set_update(choice.update.label);
        let (cache, now) = (world.view(Process::ControllerManager), world.now());
        for max_unavailable in [false, true] {
            let look = Look { view, set: &set, choice: &choice, cache, max_unavailable, now };
            let fast = incremental::decide(look);
            let plain = decide(&set, &view.frame, &choice, cache, max_unavailable, now);
            assert_eq!(format!("{fast:?}"), format!("{plain:?}"));
        }
        for revision in &view.owned_revisions {
            assert_eq!(view.is_in_use(revision.label), is_in_use(&view.frame, cache, revision.label));
        }
    }

    #[derive(Clone, Debug)]
    enum Step {
        Run(u64),
        Replicas(i32),
        Start(i32),
        Image(usize),
        Strategy(usize),
        MinReady(u32),
        Retention(bool, bool),
        Report(usize, Phase, bool),
        Terminate(usize),
        Remove(usize),
        Unlabel(usize),
        Leave(usize),
        Bare(u32),
        ClaimGone(usize),
        ClaimTerminates(usize),
        ClaimDisowned(usize),
        Delete,
    }

    fn phase() -> impl Strategy<Value = Phase> {
        prop_oneof![
            6 => Just(Phase::Running),
            1 => Just(Phase::Pending),
            1 => Just(Phase::Failed),
            1 => Just(Phase::Succeeded),
        ]
    }

    fn step() -> impl Strategy<Value = Step> {
        let nth = 0usize..12;
        prop_oneof![
            8 => prop_oneof![0u64..4, 5u64..30, 500u64..2_500].prop_map(Step::Run),
            4 => (0i32..9).prop_map(Step::Replicas),
            1 => (0i32..5).prop_map(Step::Start),
            3 => (0usize..3).prop_map(Step::Image),
            2 => (0usize..7).prop_map(Step::Strategy),
            1 => (0u32..3).prop_map(Step::MinReady),
            2 => (any::<bool>(), any::<bool>()).prop_map(|(a, b)| Step::Retention(a, b)),
            16 => (nth.clone(), phase(), prop::bool::weighted(0.8)).prop_map(|(n, p, r)| Step::Report(n, p, r)),
            2 => nth.clone().prop_map(Step::Terminate),
            4 => nth.clone().prop_map(Step::Remove),
            1 => nth.clone().prop_map(Step::Unlabel),
            1 => nth.clone().prop_map(Step::Leave),
            1 => (0u32..9).prop_map(Step::Bare),
            1 => nth.clone().prop_map(Step::ClaimGone),
            1 => nth.clone().prop_map(Step::ClaimTerminates),
            1 => nth.prop_map(Step::ClaimDisowned),
            1 => Just(Step::Delete),
        ]
    }

    fn nth<T: crate::api::store::Stored>(bench: &Bench, nth: usize) -> Option<Id<T>> {
        let ids: Vec<Id<T>> = T::table(&bench.world.store).iter().map(|(id, _)| id).collect();
        ids.get(nth % ids.len().max(1)).copied()
    }

    fn strategy(which: usize) -> UpdateStrategy {
        let number = |n: usize| i32::try_from(n).unwrap();
        match which {
            0 => UpdateStrategy::OnDelete,
            1 | 2 => UpdateStrategy::RollingUpdate(None),
            n => UpdateStrategy::RollingUpdate(Some(RollingUpdate {
                partition: number(n) - 3,
                max_unavailable: Some(IntOrPercent::Int(number(n))),
            })),
        }
    }

    fn apply(bench: &mut Bench, id: Id<StatefulSet>, options: &mut SetOptions, step: &Step) {
        let before = options.clone();
        match step {
            Step::Run(millis) => drop(bench.run_for(*millis)),
            Step::Replicas(replicas) => options.replicas = *replicas,
            Step::Start(start) => options.start = Some(*start),
            Step::Image(image) => options.image = ["web:v1", "web:v2", "web:v3"][*image],
            Step::Strategy(which) => options.strategy = strategy(*which),
            Step::MinReady(seconds) => options.min_ready = *seconds,
            Step::Retention(scaled, deleted) => {
                let policy = |delete: bool| if delete { Retention::Delete } else { Retention::Retain };
                (options.when_scaled, options.when_deleted) = (policy(*scaled), policy(*deleted));
            }
            Step::Delete => {
                bench.world.update(id, Rule::NONE, |set| {
                    set.meta.deleted = Seconds(0);
                    set.meta.finalizers = Finalizers::FOREGROUND;
                });
            }
            Step::Bare(number) => {
                let name = format!("web-{number}");
                if super::super::testing::pod(&bench.world, &name).is_none() {
                    bare_pod(&mut bench.world, &name);
                }
            }
            _ => change(bench, step),
        }
        let differs = format!("{before:?}") != format!("{options:?}");
        if differs {
            respec(&mut bench.world, id, options);
        }
    }

    fn change(bench: &mut Bench, step: &Step) {
        if let Step::Report(n, ..) | Step::Terminate(n) | Step::Remove(n) | Step::Unlabel(n) | Step::Leave(n) =
            step
            && let Some(pod) = nth::<Pod>(bench, *n)
        {
            change_pod(bench, pod, step);
        }
        if let Step::ClaimGone(n) | Step::ClaimTerminates(n) | Step::ClaimDisowned(n) = step
            && let Some(claim) = nth::<Claim>(bench, *n)
        {
            match step {
                Step::ClaimGone(_) => drop(bench.world.remove(claim, Rule::NONE)),
                Step::ClaimTerminates(_) => {
                    bench.world.update(claim, Rule::NONE, |claim| claim.meta.deleted = Seconds(0));
                }
                _ => {
                    let none = bench.world.store.owners.intern(&[]);
                    bench.world.update(claim, Rule::NONE, |claim| claim.meta.owners = none);
                }
            }
        }
    }

    fn change_pod(bench: &mut Bench, id: Id<Pod>, step: &Step) {
        let now = Seconds::of(bench.world.now());
        match step {
            Step::Report(_, phase, ready) => {
                bench.world.update(id, Rule::NONE, |pod| {
                    pod.node = Id::from_index(0);
                    pod.phase = *phase;
                    if pod.is_ready() != *ready {
                        pod.ready_since = now;
                    }
                    pod.flags.set(PodFlags::READY, *ready);
                });
            }
            Step::Terminate(_) => {
                let _ = bench.world.delete(id, Default::default(), Rule::NONE);
            }
            Step::Remove(_) => drop(bench.world.remove(id, Rule::NONE)),
            Step::Unlabel(_) => {
                bench.world.update(id, Rule::NONE, |pod| pod.flags.set(PodFlags::NAME_LABEL, false));
            }
            _ => {
                let key = bench.world.store.names.word("app");
                let labels = bench.world.store.get(id).unwrap().meta.labels;
                let labels = bench.world.store.labels.without(labels, key);
                bench.world.update(id, Rule::NONE, |pod| pod.meta.labels = labels);
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(400))]
        #[test]
        fn both_ways_make_the_same_calls(
            parallel in any::<bool>(),
            gate in any::<bool>(),
            claims in 0usize..3,
            first in 0usize..7,
            steps in prop::collection::vec(step(), 1..60),
        ) {
            let policy = if parallel { PodManagement::Parallel } else { PodManagement::OrderedReady };
            let mut options = SetOptions { policy, claims, strategy: strategy(first), ..SetOptions::default() };
            let mut bench = Bench::new();
            bench.world.config.gates.max_unavailable_stateful_set = gate;
            let id = set(&mut bench.world, "web", &options);
            for step in steps {
                apply(&mut bench, id, &mut options, &step);
                compare(&mut bench, id);
            }
        }
    }
}
