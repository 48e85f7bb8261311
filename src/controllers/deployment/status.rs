//! Status and conditions of a Deployment (DEP-16, DEP-17).
//!
//! Follows pkg/controller/deployment/sync.go (calculateStatus), progress.go and util/deployment_util.go.
use crate::api::names::Sym;
use crate::api::objects::{Condition, Deployment, DeploymentStatus, ReplicaSet, Seconds};
use crate::kernel::{Duration, Time};

/// Type of the condition that tells of the rollout.
pub(super) const PROGRESSING: &str = "Progressing";
/// Type of the condition that enough pods are available.
pub(super) const AVAILABLE: &str = "Available";
/// Type of the condition that pods cannot be created or deleted.
pub(super) const REPLICA_FAILURE: &str = "ReplicaFailure";
/// Reason: the rollout is complete.
pub(super) const NEW_SET_AVAILABLE: &str = "NewReplicaSetAvailable";
/// Reason: no progress for progressDeadlineSeconds.
pub(super) const TIMED_OUT: &str = "ProgressDeadlineExceeded";
/// Reason: rollouts are paused.
pub(super) const PAUSED: &str = "DeploymentPaused";

/// A condition that is new now.
pub(super) fn condition(
    kind: &'static str,
    status: &'static str,
    reason: &'static str,
    message: Sym,
    now: Time,
) -> Condition {
    let now = Seconds::of(now);
    Condition { kind, status, reason, message, updated: now, since: now }
}

/// The condition of this type.
pub(super) fn find<'a>(status: &'a DeploymentStatus, kind: &str) -> Option<&'a Condition> {
    status.conditions.iter().find(|condition| condition.kind == kind)
}

/// Sets a condition, unless it is there with the same status and reason. It goes to the end of the list.
pub(super) fn set(status: &mut DeploymentStatus, mut condition: Condition) {
    if let Some(current) = find(status, condition.kind) {
        if (current.status, current.reason) == (condition.status, condition.reason) {
            return;
        }
        if current.status == condition.status {
            condition.since = current.since;
        }
    }
    remove(status, condition.kind);
    status.conditions.push(condition);
}

/// Takes a condition away.
pub(super) fn remove(status: &mut DeploymentStatus, kind: &str) {
    status.conditions.retain(|condition| condition.kind != kind);
}

/// progressDeadlineSeconds is in force: the largest number switches it off (DEP-17).
pub(super) fn has_deadline(deployment: &Deployment) -> bool {
    deployment.spec.progress_deadline != i32::MAX
}

/// The counters, from the statuses of the ReplicaSets (DEP-16); conditions are those of before.
pub(super) fn counters<'a>(
    deployment: &Deployment,
    all: impl Iterator<Item = &'a ReplicaSet> + Clone,
    new: Option<&ReplicaSet>,
) -> DeploymentStatus {
    let sum = |number: fn(&ReplicaSet) -> i32| all.clone().map(number).sum::<i32>();
    let available = sum(|set| set.status.available);
    DeploymentStatus {
        observed_generation: deployment.meta.generation.get(),
        replicas: sum(|set| set.status.replicas),
        updated: new.map_or(0, |set| set.status.replicas),
        ready: sum(|set| set.status.ready),
        available,
        unavailable: (sum(|set| set.spec.replicas) - available).max(0),
        terminating: terminating(all),
        collisions: deployment.status.collisions,
        conditions: deployment.status.conditions.clone(),
    }
}

/// None if a ReplicaSet that has been synced does not report it; one that has not been synced counts nothing.
fn terminating<'a>(mut all: impl Iterator<Item = &'a ReplicaSet>) -> Option<i32> {
    all.try_fold(0, |sum, set| match set.status.terminating {
        Some(number) => Some(sum + number),
        None if set.status.observed_generation == 0 => Some(sum),
        None => None,
    })
}

/// All wanted pods are updated and available, and nothing else is left but what terminates (DEP-16).
pub(super) fn is_complete(deployment: &Deployment, status: &DeploymentStatus) -> bool {
    let replicas = deployment.spec.replicas;
    status.updated == replicas
        && status.replicas == replicas
        && status.available == replicas
        && status.observed_generation >= deployment.meta.generation.get()
}

/// There are more updated, ready or available pods than before, or fewer old ones (DEP-17).
pub(super) fn is_progressing(old: &DeploymentStatus, new: &DeploymentStatus) -> bool {
    new.updated > old.updated
        || new.replicas - new.updated < old.replicas - old.updated
        || new.ready > old.ready
        || new.available > old.available
}

/// When the last sign of progress will be too long ago.
pub(super) fn deadline(deployment: &Deployment, progressing: &Condition) -> Time {
    let seconds = u64::try_from(deployment.spec.progress_deadline).unwrap_or(0);
    progressing.updated.start() + Duration::from_secs(seconds)
}

/// The last sign of progress is too long ago (DEP-17).
pub(super) fn has_timed_out(deployment: &Deployment, status: &DeploymentStatus, now: Time) -> bool {
    let Some(progressing) = find(status, PROGRESSING).filter(|_| has_deadline(deployment)) else {
        return false;
    };
    match progressing.reason {
        NEW_SET_AVAILABLE => false,
        TIMED_OUT => true,
        _ => deadline(deployment, progressing) < now,
    }
}
