//! What a sync does: replica phase, condemned phase, update phase, status, history (STS-54).
//!
//! Follows updateStatefulSet, processReplica, processCondemned and runForAll of stateful_set_control.go. A pure
//! function of the set's index and of what the caches show; it asks the index which pod is next instead of looking at
//! all of them (section 18 of the semantics), and makes the same calls. `naive.rs` is the other way of writing it.
use super::calls::{Call, Ordinal};
use super::draft::{Draft, Pace};
use super::revision::{Choice, Pending};
use super::slot::{Slot, flag};
use super::status;
use super::update;
use super::view::SetView;
use crate::api::objects::{StatefulSet, StatefulSetStatus, UpdateStrategy};
use crate::api::store::View;
use crate::controllers::plan::{Plan, Then, WaitOn};
use crate::kernel::{Duration, Time};
use crate::rule::{Rule, mark};

/// Pods handled at once in Parallel, at most (STS-64).
const MAX_BATCH: usize = 500;
/// Positions before batches have that size: 1 + 2 + 4 + ... + 256.
const GROWING: usize = 511;

/// What a decision is made from.
#[derive(Clone, Copy)]
pub(super) struct Look<'a> {
    pub(super) view: &'a SetView,
    pub(super) set: &'a StatefulSet,
    pub(super) choice: &'a Choice,
    /// The informer caches.
    pub(super) cache: View<'a>,
    /// Feature gate MaxUnavailableStatefulSet (STS-80).
    pub(super) max_unavailable: bool,
    pub(super) now: Time,
}

/// A phase was stopped: nothing after it happens in this sync.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Flow {
    /// Go on.
    Go,
    /// Stop.
    Stop,
}

/// The calls of a sync, and the status it writes before it knows how they end.
pub(super) fn decide(look: Look<'_>) -> (Plan<Call>, StatefulSetStatus) {
    mark!("STS-54");
    let mut draft = Draft::new(&look.view.frame, look.cache, look.choice, &look.set.status);
    draft.preface(look.view.release.iter().copied(), look.view.adopt.iter().copied());
    let mut deleted = 0;
    if look.view.frame.deleting {
        draft.wait(Rule::sts(90), WaitOn::Dependents);
    } else if replicas(look, &mut draft) == Flow::Go && condemned(look, &mut draft) == Flow::Go {
        deleted = match look.view.frame.spec.strategy {
            UpdateStrategy::OnDelete => update::on_delete(look, &mut draft),
            UpdateStrategy::RollingUpdate(_) => update::rolling(look, &mut draft),
        };
    } else {
        mark!("STS-56" if look.choice.current.label != look.choice.update.label);
    }
    let status = status::computed(look.view, look.set, look.choice, look.view.frame.deleting);
    let calls = |wanted: fn(&Call) -> bool| draft.plan.steps.iter().any(|step| wanted(&step.call));
    mark!("STS-65" if calls(|call| matches!(call, Call::CreatePod(..))));
    mark!("STS-66" if calls(|call| matches!(call, Call::DeletePod(..))));
    let plan =
        finish(look.set, look.choice, draft.plan, &status, deleted, look.view.next_available(), look.now);
    (plan, status)
}

/// Status, history and the next look (STS-54 steps 15 to 17).
pub(super) fn finish(
    set: &StatefulSet,
    choice: &Choice,
    mut plan: Plan<Call>,
    status: &StatefulSetStatus,
    deleted: i32,
    next_available: Option<Time>,
    now: Time,
) -> Plan<Call> {
    let would_write = |deleted: i32| {
        let mut new = StatefulSetStatus { current: status.current - deleted, ..*status };
        status::complete(&set.spec, &mut new);
        status::differs(&set.status, &new)
    };
    // What is written is known when the calls are through: a deletion that fails is not counted, and a new revision
    // can get another name than expected (STS-42).
    if would_write(deleted) || would_write(0) || choice.pending == Pending::Create {
        plan.always(Rule::sts(76), Call::WriteStatus);
    }
    for id in &choice.expired {
        plan.always(Rule::sts(43), Call::DeleteRevision(*id));
    }
    if set.spec.min_ready > 0 && status.ready != status.available {
        mark!("STS-100");
        let fallback = now + Duration::from_secs(u64::from(set.spec.min_ready));
        plan.then = Then::At(next_available.unwrap_or(fallback));
    }
    plan
}

/// The batch of a position: 1, 2, 4, ... up to 500 at once (STS-64).
pub(super) fn batch(position: usize) -> u32 {
    if position < GROWING {
        (position + 1).ilog2()
    } else {
        u32::try_from((position - GROWING) / MAX_BATCH + 9).unwrap_or(u32::MAX)
    }
}

/// Indexes in ascending order (sections 9 and 18).
fn replicas(look: Look<'_>, draft: &mut Draft<'_>) -> Flow {
    let view = look.view;
    if view.frame.is_ordered() {
        let mut from = 0;
        while let Some(index) = view.next_blocked(from) {
            if replica(look, draft, Pace::InOrder, index) == Flow::Stop {
                mark!("STS-67" if view.condemned().next().is_some());
                return Flow::Stop;
            }
            from = index + 1;
        }
    } else {
        let base = draft.plan.next_group();
        let mut from = 0;
        while let Some(index) = view.next_work(from) {
            replica(look, draft, Pace::Batch(base + batch(index)), index);
            mark!("STS-64");
            from = index + 1;
        }
    }
    Flow::Go
}

/// processReplica: STS-57 to STS-61. What it answers counts only in order.
fn replica(look: Look<'_>, draft: &mut Draft<'_>, pace: Pace, index: usize) -> Flow {
    let frame = &look.view.frame;
    let position = u32::try_from(index).unwrap_or(u32::MAX);
    let Some(slot) = look.view.slot(index).copied() else {
        mark!("STS-63" if pace == Pace::InOrder && look.view.slot(index + 1).is_some());
        draft.create(pace, position);
        return Flow::Stop;
    };
    let ordinal = frame.ordinal_at(position);
    if slot.any(flag::TERMINAL) {
        if !slot.any(flag::TERMINATING) {
            draft.delete(pace, Rule::sts(57), ordinal, false);
        }
        draft.wait(Rule::sts(57), WaitOn::Termination(slot.pod));
        return Flow::Stop;
    }
    if slot.any(flag::REPAIR)
        && let Some(pod) = look.cache.get(slot.pod)
        && !draft.repair(pace, ordinal, pod)
    {
        return Flow::Stop;
    }
    if pace == Pace::InOrder && slot.any(flag::TERMINATING | flag::NOT_READY | flag::NOT_AVAILABLE) {
        draft.wait_for(Rule::sts(60), &slot);
        mark!("STS-62" if look.view.last_missing(usize::MAX - 1).is_some_and(|missing| missing > index));
        return Flow::Stop;
    }
    if slot.any(flag::NOT_CONFORMING) {
        let owners = slot.any(flag::CLAIM_OWNERS) && !slot.any(flag::REPAIR);
        draft.conform(pace, ordinal, slot.pod, owners);
    }
    Flow::Go
}

/// Condemned pods: their claims first (STS-28), then the pods, highest ordinal first (section 10).
fn condemned(look: Look<'_>, draft: &mut Draft<'_>) -> Flow {
    let view = look.view;
    let ordered = view.frame.is_ordered();
    if view.has_condemned_claims() {
        let base = draft.plan.next_group();
        for (position, (number, slot)) in view.condemned().enumerate() {
            if slot.any(flag::CLAIM_OWNERS) {
                let pace = if ordered { Pace::InOrder } else { Pace::Batch(base + batch(position)) };
                draft.condemn_claims(pace, Ordinal::of(number), slot.pod);
            }
        }
    }
    if ordered {
        return match view.condemned().next() {
            Some((number, slot)) => condemned_in_order(look, draft, number, slot),
            None => Flow::Go,
        };
    }
    if view.has_condemned_alive() {
        let base = draft.plan.next_group();
        for (position, (number, slot)) in view.condemned().enumerate() {
            if !slot.any(flag::TERMINATING) {
                let pace = Pace::Batch(base + batch(position));
                draft.delete(pace, Rule::sts(70), Ordinal::of(number), false);
            }
        }
    }
    Flow::Go
}

/// processCondemned for the highest ordinal: STS-68, STS-69. The rest waits in any case.
fn condemned_in_order(look: Look<'_>, draft: &mut Draft<'_>, number: u32, slot: &Slot) -> Flow {
    if slot.any(flag::TERMINATING) {
        draft.wait(Rule::sts(68), WaitOn::Termination(slot.pod));
        return Flow::Stop;
    }
    let healthy = !slot.any(flag::NOT_READY | flag::NOT_AVAILABLE);
    if !healthy && look.view.first_unavailable_condemned() != Some(number) {
        draft.wait_for(Rule::sts(69), slot);
        return Flow::Stop;
    }
    mark!("STS-69" if !healthy);
    draft.delete(Pace::InOrder, Rule::sts(68), Ordinal::of(number), false);
    draft.wait(Rule::sts(68), WaitOn::Termination(slot.pod));
    Flow::Stop
}
