//! The update phase: which pods are deleted because they are outdated (section 11).
//!
//! Follows the end of updateStatefulSet and updateStatefulSetAfterInvariantEstablished of stateful_set_control.go. It
//! is reached only if neither the replica nor the condemned phase stopped (STS-56).
use super::calls::Which;
use super::decide::Look;
use super::draft::{Draft, Pace};
use super::slot::flag;
use crate::api::objects::{IntOrPercent, UpdateStrategy};
use crate::controllers::plan::WaitOn;
use crate::kernel::Id;
use crate::rule::{Rule, mark};

/// OnDelete: somebody else deletes (STS-72).
pub(super) fn on_delete(look: Look<'_>, draft: &mut Draft<'_>) -> i32 {
    if last_replaceable(look, draft, usize::MAX - 1).is_some() {
        draft.wait(Rule::sts(72), WaitOn::ManualDeletion);
    }
    0
}

/// RollingUpdate. How many pods are deleted.
pub(super) fn rolling(look: Look<'_>, draft: &mut Draft<'_>) -> i32 {
    if look.max_unavailable { with_budget(look, draft) } else { one_by_one(look, draft) }
}

/// From the highest index down to the partition: the first that is outdated and alive is deleted, healthy or not; the
/// first that is unavailable is waited for (STS-73).
fn one_by_one(look: Look<'_>, draft: &mut Draft<'_>) -> i32 {
    let view = look.view;
    let first = view.frame.partition() as usize;
    let in_reach = |index: &usize| *index >= first;
    let replaceable = last_replaceable(look, draft, usize::MAX - 1).filter(in_reach);
    let Some(replaceable) = replaceable else {
        wait_for_partition(look, draft, first);
        return 0;
    };
    match view.last_unavailable().filter(in_reach) {
        Some(unavailable) if unavailable > replaceable => {
            wait_for_index(look, draft, Rule::sts(73), unavailable);
            0
        }
        _ => {
            mark!("STS-74" if view.slot(replaceable).is_some_and(|slot| slot.any(flag::NOT_READY)));
            delete(look, draft, Rule::sts(73), replaceable);
            1
        }
    }
}

/// As many as the budget leaves, from the highest index down, healthy or not (STS-80, STS-81).
fn with_budget(look: Look<'_>, draft: &mut Draft<'_>) -> i32 {
    let view = look.view;
    let first = view.frame.partition() as usize;
    let budget = budget(view.frame.spec.strategy, view.frame.spec.replicas);
    let unavailable = i32::try_from(view.unavailable()).unwrap_or(i32::MAX);
    mark!("STS-80", "STS-81");
    let mut next = last_replaceable(look, draft, usize::MAX - 1);
    if next.is_none_or(|index| index < first) {
        wait_for_partition(look, draft, first);
        return 0;
    }
    if unavailable >= budget {
        mark!("STS-83" if !view.frame.is_ordered());
        if let Some(index) = view.last_unavailable() {
            wait_for_index(look, draft, Rule::sts(81), index);
        }
        return 0;
    }
    let mut deleted = 0;
    while let Some(index) = next.filter(|index| *index >= first && deleted < budget - unavailable) {
        delete(look, draft, Rule::sts(81), index);
        deleted += 1;
        next = index.checked_sub(1).and_then(|below| last_replaceable(look, draft, below));
    }
    mark!("STS-82" if deleted > 1 && view.frame.is_ordered());
    deleted
}

/// maxUnavailable: percentages are rounded down, and it is never below 1 (STS-80).
pub(super) fn budget(strategy: UpdateStrategy, replicas: i32) -> i32 {
    let UpdateStrategy::RollingUpdate(Some(rolling)) = strategy else { return 1 };
    rolling.max_unavailable.unwrap_or(IntOrPercent::Int(1)).floor_of(replicas).max(1)
}

/// The highest index up to this whose pod is outdated and not terminating. A pod just created in this sync from the
/// current revision is outdated too: the walk meets it under its name (only if `rollingUpdate` is absent, STS-52).
fn last_replaceable(look: Look<'_>, draft: &Draft<'_>, up_to: usize) -> Option<usize> {
    let view = look.view;
    let up_to = up_to.min((view.frame.replicas() as usize).checked_sub(1)?);
    let outdated = view.last_outdated(up_to);
    if look.choice.current.label == look.choice.update.label {
        return outdated;
    }
    let counted = usize::try_from(draft.stored.current).unwrap_or(0);
    let created = counted
        .checked_sub(1)
        .and_then(|below| view.last_missing(below.min(up_to)))
        .filter(|index| draft.which(u32::try_from(*index).unwrap_or(u32::MAX)) == Which::Current);
    outdated.max(created)
}

fn delete(look: Look<'_>, draft: &mut Draft<'_>, rule: Rule, index: usize) {
    let ordinal = look.view.frame.ordinal_at(u32::try_from(index).unwrap_or(u32::MAX));
    draft.delete(Pace::InOrder, rule, ordinal, true);
    if let Some(slot) = look.view.slot(index) {
        draft.wait(rule, WaitOn::Termination(slot.pod));
    }
}

fn wait_for_index(look: Look<'_>, draft: &mut Draft<'_>, rule: Rule, index: usize) {
    match look.view.slot(index).copied() {
        Some(slot) => draft.wait_for(rule, &slot),
        None => draft.wait(rule, WaitOn::Creation(Id::NONE)),
    }
}

/// Outdated pods below the partition stay (STS-50).
fn wait_for_partition(look: Look<'_>, draft: &mut Draft<'_>, first: usize) {
    let below = first.checked_sub(1).and_then(|index| look.view.last_outdated(index));
    if below.is_some() {
        draft.wait(Rule::sts(50), WaitOn::Partition);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::objects::RollingUpdate;

    /// STS-80: nothing is one, a number is itself, of a percentage what is whole, and at least one.
    #[test]
    fn t_sts_132_budgets_round_down_and_are_at_least_one() {
        let cases = [
            (None, 5, 1),
            (None, 0, 1),
            (Some(IntOrPercent::Int(3)), 5, 3),
            (Some(IntOrPercent::Int(3)), 0, 3),
            (Some(IntOrPercent::Int(0)), 0, 1),
            (Some(IntOrPercent::Percent(10)), 25, 2),
            (Some(IntOrPercent::Percent(25)), 5, 1),
            (Some(IntOrPercent::Percent(50)), 5, 2),
            (Some(IntOrPercent::Percent(1)), 1, 1),
            (Some(IntOrPercent::Percent(1)), 0, 1),
            (Some(IntOrPercent::Percent(10)), 19, 1),
            (Some(IntOrPercent::Percent(10)), 20, 2),
            (Some(IntOrPercent::Percent(100)), 7, 7),
        ];
        for (max_unavailable, replicas, expected) in cases {
            let rolling = RollingUpdate { partition: 0, max_unavailable };
            let found = budget(UpdateStrategy::RollingUpdate(Some(rolling)), replicas);
            assert_eq!(found, expected, "{max_unavailable:?} of {replicas}");
        }
        assert_eq!(budget(UpdateStrategy::RollingUpdate(None), 5), 1);
        assert_eq!(budget(UpdateStrategy::OnDelete, 5), 1);
    }
}
