//! The status of a set: counters, completion of a rollout, and whether there is something to write.
//!
//! Follows computeReplicaStatus, updateStatus and updateStatefulSetStatus of stateful_set_control.go, and
//! completeRollingUpdate and inconsistentStatus of stateful_set_utils.go.
use super::revision::Choice;
use super::slot::{Tally, flag};
use super::view::SetView;
use crate::api::objects::{StatefulSet, StatefulSetSpec, StatefulSetStatus, UpdateStrategy};
use crate::rule::mark;

/// The status as the pods are now (STS-77). `unnumbered`: claimed pods without an ordinal count too, as they do in the
/// first computation of a sync, the only one of a set that is being deleted.
pub(super) fn computed(
    view: &SetView,
    set: &StatefulSet,
    choice: &Choice,
    unnumbered: bool,
) -> StatefulSetStatus {
    mark!("STS-77");
    let mut tally: Tally = view.tally;
    let (mut current, mut updated) =
        (view.alive_at(choice.current.label), view.alive_at(choice.update.label));
    for slot in view.unnumbered.values().filter(|_| unnumbered) {
        tally.count(slot, 1);
        let alive = !slot.any(flag::TERMINATING);
        current += i32::from(alive && slot.revision == choice.current.label);
        updated += i32::from(alive && slot.revision == choice.update.label);
    }
    StatefulSetStatus {
        observed_generation: set.meta.generation.get(),
        replicas: tally.replicas,
        ready: tally.ready,
        available: tally.available,
        current,
        updated,
        current_revision: choice.current.name,
        update_revision: choice.update.name,
        collisions: Some(choice.collisions),
    }
}

/// Ends a rollout that is complete (STS-75). Ready counts, available does not.
pub(super) fn complete(spec: &StatefulSetSpec, status: &mut StatefulSetStatus) {
    let all = [status.updated, status.ready, status.replicas].iter().all(|count| *count == spec.replicas);
    if all && matches!(spec.strategy, UpdateStrategy::RollingUpdate(_)) {
        mark!("STS-53" if spec.replicas == 0 && status.current_revision != status.update_revision);
        mark!("STS-75" if status.current_revision != status.update_revision);
        status.current = status.updated;
        status.current_revision = status.update_revision;
    }
}

/// There is something to write (STS-76): the collision count alone is not.
pub(super) fn differs(stored: &StatefulSetStatus, new: &StatefulSetStatus) -> bool {
    let rest = StatefulSetStatus {
        observed_generation: stored.observed_generation,
        collisions: stored.collisions,
        ..*new
    };
    new.observed_generation > stored.observed_generation || rest != *stored
}

/// Why the API server would refuse this status (STS-9).
pub(super) fn refusal(status: &StatefulSetStatus) -> Option<String> {
    let counters = [
        ("replicas", status.replicas),
        ("readyReplicas", status.ready),
        ("currentReplicas", status.current),
        ("updatedReplicas", status.updated),
        ("availableReplicas", status.available),
    ];
    let (name, value) = counters.into_iter().find(|(_, value)| *value < 0)?;
    Some(format!("status.{name}: Invalid value: {value}: must be greater than or equal to 0"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::names::Interner;

    /// STS-76: what is worth a write.
    #[test]
    fn only_counters_revisions_and_a_newer_generation_are_written() {
        let stored =
            StatefulSetStatus { observed_generation: 3, replicas: 2, ready: 2, ..Default::default() };
        let mut names = Interner::default();
        let cases = [
            (StatefulSetStatus { collisions: Some(4), ..stored }, false),
            (StatefulSetStatus { observed_generation: 2, ..stored }, false),
            (StatefulSetStatus { observed_generation: 4, ..stored }, true),
            (StatefulSetStatus { ready: 1, ..stored }, true),
            (StatefulSetStatus { update_revision: names.name("web-4"), ..stored }, true),
        ];
        for (new, written) in cases {
            assert_eq!(differs(&stored, &new), written, "{new:?}");
        }
    }

    /// STS-79: one too low is refused only below zero.
    #[test]
    fn a_negative_counter_is_refused() {
        let status = StatefulSetStatus { current: -1, ..Default::default() };
        let text = "status.currentReplicas: Invalid value: -1: must be greater than or equal to 0";
        assert_eq!(refusal(&status).as_deref(), Some(text));
        assert_eq!(refusal(&StatefulSetStatus::default()), None);
    }
}
