//! Both ways of deciding agree: sets live through arbitrary histories, and at every moment `decide`, which asks an index,
//! and `naive`, which looks at every pod, make the same calls, wait for the same things and compute the same status.
use super::decide::{self as incremental, Look};
use super::naive;
use super::revision;
use super::testing::{Bench, SetOptions, bare_pod, respec, set};
use crate::api::objects::*;
use crate::api::rare::RareId;
use crate::event::Process;
use crate::kernel::Id;
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
        let plain = naive::decide(&set, &view.frame, &choice, cache, max_unavailable, now);
        assert_eq!(format!("{fast:?}"), format!("{plain:?}"));
    }
    for revision in &view.owned_revisions {
        assert_eq!(view.is_in_use(revision.label), naive::is_in_use(&view.frame, cache, revision.label));
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
            let rare = bench.world.store.rares.ending(RareId::default(), Seconds(0), 0);
            bench.world.update(id, Rule::NONE, |set| {
                set.meta.rare = rare;
                set.meta.finalizers = Finalizers::FOREGROUND;
            });
        }
        Step::Bare(number) => {
            let name = format!("web-{number}");
            if super::testing::pod(&bench.world, &name).is_none() {
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
                let rare = bench.world.store.rares.ending(RareId::default(), Seconds(0), 0);
                bench.world.update(claim, Rule::NONE, |claim| claim.meta.rare = rare);
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
