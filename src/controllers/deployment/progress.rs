//! How a sync reports: counters, conditions, progress (DEP-16, DEP-17).
//!
//! Follows pkg/controller/deployment/sync.go (syncDeploymentStatus) and progress.go.
use super::calls::Call;
use super::decide::{Set, Sets, Sync};
use super::status::{self, AVAILABLE, NEW_SET_AVAILABLE, PROGRESSING, REPLICA_FAILURE, TIMED_OUT};
use crate::api::objects::{Condition, DeploymentStatus};
use crate::controllers::plan::Then;
use crate::kernel::{Duration, Time};
use crate::rule::Rule;

impl Sync<'_> {
    pub(super) fn name_of(&self, set: &Set) -> String {
        self.world.store.name_of(set.set.meta.name)
    }

    fn condition(
        &mut self,
        kind: &'static str,
        value: &'static str,
        reason: &'static str,
        text: &str,
    ) -> Condition {
        status::condition(kind, value, reason, self.world.store.names.word(text), self.now)
    }

    pub(super) fn set_condition(
        &mut self,
        kind: &'static str,
        value: &'static str,
        reason: &'static str,
        text: &str,
    ) {
        let condition = self.condition(kind, value, reason, text);
        status::set(&mut self.deployment.status, condition);
    }

    /// Writes the sync's copy of the status and the annotations.
    pub(super) fn write_status(&mut self, rule: Rule) {
        let status = Box::new(self.deployment.status.clone());
        self.plan.call(rule, Call::Status(status, self.deployment.meta.annotations));
    }

    /// The counters and condition Available (DEP-16).
    fn status(&mut self, sets: &Sets) -> DeploymentStatus {
        let new = sets.new.as_ref().map(|set| &set.set);
        let mut next = status::counters(&self.deployment, sets.all(), new);
        let available = if next.available >= self.bounds.fewest_available() {
            let text = "Deployment has minimum availability.";
            self.condition(AVAILABLE, "True", "MinimumReplicasAvailable", text)
        } else {
            let text = "Deployment does not have minimum availability.";
            self.condition(AVAILABLE, "False", "MinimumReplicasUnavailable", text)
        };
        status::set(&mut next, available);
        next
    }

    /// Status without a look at progress: scaling, paused, being deleted.
    pub(super) fn plain_status(&mut self, sets: &Sets) {
        let next = self.status(sets);
        if next != self.deployment.status {
            self.deployment.status = next;
            self.write_status(Rule::dep(16));
        }
    }

    /// Status during a rollout, with condition Progressing (DEP-17).
    pub(super) fn rollout_status(&mut self, sets: &Sets) {
        let mut next = self.status(sets);
        let deadline = status::has_deadline(&self.deployment);
        if !deadline {
            status::remove(&mut next, PROGRESSING);
        }
        let current = status::find(&self.deployment.status, PROGRESSING).copied();
        let over = next.replicas == next.updated && current.is_some_and(|c| c.reason == NEW_SET_AVAILABLE);
        if deadline && !over {
            self.progress(&mut next, current, sets);
        }
        match failure(sets) {
            Some(failure) => status::set(&mut next, failure),
            None => status::remove(&mut next, REPLICA_FAILURE),
        }
        if next != self.deployment.status {
            self.deployment.status = next;
            self.write_status(Rule::dep(17));
            return;
        }
        // A rollout that has completed does not time out any more (DEP-17): the real controller looks again and again
        // while a pod of it is not available, and never finds anything to write.
        let ended = |c: &Condition| matches!(c.reason, TIMED_OUT | NEW_SET_AVAILABLE);
        if let Some(current) = current.filter(|c| deadline && !ended(c))
            && !status::is_complete(&self.deployment, &next)
        {
            self.plan.then = Then::Deadline(self.next_check(&current));
        }
    }

    /// A stuck rollout is looked at again a second after its deadline; if that is less than a second away, at once and
    /// again and again until it has passed, of which only the last look matters.
    fn next_check(&self, progressing: &Condition) -> Time {
        let deadline = status::deadline(&self.deployment, progressing);
        if deadline - self.now < Duration::from_secs(1) {
            return deadline + self.world.config.timers.queue_backoff;
        }
        deadline + Duration::from_secs(1)
    }

    fn progress(&mut self, next: &mut DeploymentStatus, current: Option<Condition>, sets: &Sets) {
        let what = match &sets.new {
            Some(new) => format!("ReplicaSet {:?}", self.name_of(new)),
            None => format!("Deployment {:?}", self.world.store.name_of(self.deployment.meta.name)),
        };
        if status::is_complete(&self.deployment, next) {
            let text = format!("{what} has successfully progressed.");
            let complete = self.condition(PROGRESSING, "True", NEW_SET_AVAILABLE, &text);
            status::set(next, complete);
        } else if status::is_progressing(&self.deployment.status, next) {
            let text = format!("{what} is progressing.");
            let mut progressing = self.condition(PROGRESSING, "True", "ReplicaSetUpdated", &text);
            if let Some(current) = current {
                if current.status == "True" {
                    progressing.since = current.since;
                }
                // Also with the same reason: the time of the last progress moves.
                status::remove(next, PROGRESSING);
            }
            status::set(next, progressing);
        } else if status::has_timed_out(&self.deployment, next, self.now) {
            let text = format!("{what} has timed out progressing.");
            let timed_out = self.condition(PROGRESSING, "False", TIMED_OUT, &text);
            status::set(next, timed_out);
        }
    }
}

/// A ReplicaSet's condition that its pods cannot be created or deleted, preferably that of the new one.
fn failure(sets: &Sets) -> Option<Condition> {
    let of = |set: &Set| set.set.status.conditions.iter().find(|c| c.kind == REPLICA_FAILURE).copied();
    let failure = sets.new.as_ref().and_then(of).or_else(|| sets.old.iter().find_map(of))?;
    Some(Condition { updated: failure.since, ..failure })
}
