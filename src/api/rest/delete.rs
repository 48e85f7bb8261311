//! Deleting objects, and the eviction subresource of pods.
//!
//! Follows pkg/registry/core/pod/storage/eviction.go, a budget being spent before the pod is deleted (PDB-12 to
//! PDB-17). What a delete does to an object is [`World::delete`]'s. Left out: the contents of a deleted namespace
//! stay; there is no namespace controller.
use super::{ObjectRef, with_type};
use crate::api::kind::Kind;
use crate::api::objects::*;
use crate::api::status::{Details, Status};
use crate::api::store::Stored;
use crate::kernel::Id;
use crate::rule::{Rule, mark};
use crate::trace::happening::Happening;
use crate::world::{Actor, Attempt, DeleteOptions, Deleted, Request, World};

/// An eviction that a budget refuses.
const REFUSED: &str = "Cannot evict pod as it would violate the pod's disruption budget.";
/// More entries in disruptedPods mean that the controller is not keeping up.
const MAX_DISRUPTED: usize = 2000;
/// Namespaces that cannot be deleted.
const KEPT_NAMESPACES: [&str; 3] = ["default", "kube-public", "kube-system"];

impl World {
    /// Deletes an object.
    ///
    /// # Errors
    /// `NotFound` if this incarnation is gone; `Conflict` if a precondition does not hold; `Forbidden` for the
    /// namespaces of the system.
    pub fn rest_delete(&mut self, object: ObjectRef, options: DeleteOptions) -> Result<Deleted, Status> {
        self.actor = Actor::User;
        if object.kind == Kind::Namespace
            && let Some(namespace) = self.store.namespaces.get(object.id())
        {
            let name = self.store.name_of(namespace.meta.name);
            if KEPT_NAMESPACES.contains(&name.as_str()) {
                let text = format!("namespaces \"{name}\" is forbidden: this namespace may not be deleted");
                return Err(Status::forbidden(text));
            }
        }
        with_type!(object.kind, T => {
            let id: Id<T> = object.id();
            if T::table(&self.store).get_uid(id, object.uid).is_none() {
                return Err(self.gone::<T>(id));
            }
            self.delete(id, options, Rule::NONE)
        })
    }

    /// Evicts a pod: deletes it if its budget, if it has one, allows that.
    ///
    /// # Errors
    /// `TooManyRequests` if the budget refuses or is not up to date (PDB-16); 500 if there are several (PDB-14);
    /// `NotFound`, `Conflict` as for a delete.
    pub fn rest_evict(&mut self, pod: ObjectRef, options: DeleteOptions) -> Result<(), Status> {
        let evicted = self.evict(pod, options);
        if evicted.as_ref().is_err_and(|status| matches!(status.code, 429 | 500)) {
            let (now, cause) = (self.now(), self.cause);
            self.recorder.happen(now, cause, Happening::EvictionRefused(pod.id(), pod.uid));
        }
        evicted
    }

    fn evict(&mut self, pod: ObjectRef, options: DeleteOptions) -> Result<(), Status> {
        self.actor = Actor::User;
        let id: Id<Pod> = pod.id();
        let Some(found) = self.store.pods.get_uid(id, pod.uid).copied() else {
            return Err(self.gone::<Pod>(id));
        };
        let (kind, name, index) = (Kind::Pod, found.meta.name, Some(id.as_u32()));
        let told = self.let_pass(Attempt { request: Request::Create, kind, name, index })?;
        let done = self.evict_admitted(id, &found, options);
        told.map_or(done, Err)
    }

    fn evict_admitted(&mut self, id: Id<Pod>, found: &Pod, options: DeleteOptions) -> Result<(), Status> {
        let skips = found.is_terminal() || found.phase == Phase::Pending || found.is_terminating();
        mark!("PDB-12", "PDB-19");
        if skips {
            return self.evicted(id, options, Rule::pdb(13));
        }
        match self.budgets_of(found)[..] {
            [] => self.evicted(id, options, Rule::pdb(14)),
            [budget] => {
                let Some(known) = self.store.budgets.get(budget) else { return Ok(()) };
                if !found.is_ready() && lets_unready_go(known) {
                    return self.evicted(id, options, Rule::pdb(15));
                }
                check(known, &self.store.name_of(known.meta.name))?;
                self.spend(budget, found.meta.name);
                self.evicted(id, options, Rule::pdb(17))
            }
            _ => {
                mark!("PDB-14");
                let text = "This pod has more than one PodDisruptionBudget, which the eviction subresource does not \
                            support.";
                Err(Status::new(500, "", text.into()))
            }
        }
    }

    /// The budgets that select a pod, as they are now (PDB-14).
    pub fn budgets_of(&self, pod: &Pod) -> Vec<Id<Budget>> {
        let selects = |budget: &Budget| {
            budget.meta.namespace == pod.meta.namespace
                && budget.selector.as_ref().is_some_and(|selector| self.store.pod_matches(pod, selector))
        };
        self.store.budgets.iter().filter(|(_, budget)| selects(budget)).map(|(id, _)| id).collect()
    }

    /// One disruption less is allowed, and the pod is noted as on its way (PDB-16).
    fn spend(&mut self, budget: Id<Budget>, pod: crate::api::names::Name) {
        let now = Seconds::of(self.now());
        self.update(budget, Rule::pdb(16), |budget| {
            let status = &mut budget.status;
            status.allowed -= 1;
            status.disrupted.retain(|(name, _)| *name != pod);
            status.disrupted.push((pod, now));
            if status.allowed == 0 && status.reason == "SufficientPods" {
                status.reason = "InsufficientPods";
                status.since = now;
            }
        });
    }

    /// Condition DisruptionTarget, then the delete (PDB-17).
    fn evicted(&mut self, id: Id<Pod>, options: DeleteOptions, rule: Rule) -> Result<(), Status> {
        let Some(pod) = Pod::table(&self.store).get(id) else { return Err(self.gone::<Pod>(id)) };
        self.check_preconditions(&pod.meta, &options)?;
        if pod.disruption != Disruption::ByEviction {
            self.update(id, rule, |pod| {
                pod.flags.set(PodFlags::DISRUPTION_TARGET, true);
                pod.disruption = Disruption::ByEviction;
            });
        }
        // The condition was a write of its own.
        self.delete_now(id, DeleteOptions { revision: None, ..options }, rule).map(|_| ())
    }

    /// Preconditions of an eviction hold for the pod as it is just before its condition is written (PDB-12).
    fn check_preconditions(&self, pod: &Meta, options: &DeleteOptions) -> Result<(), Status> {
        let conflict = |why: &str| Err(Status::conflict("Pod", &self.store.name_of(pod.name), why));
        if let Some(uid) = options.uid.filter(|uid| *uid != pod.uid) {
            return conflict(&format!(
                "the UID in the precondition ({}) does not match the UID in record ({}). The object might have been \
                 deleted and then recreated",
                self.store.uid_text(uid),
                self.store.uid_text(pod.uid)
            ));
        }
        if let Some(revision) = options.revision.filter(|revision| *revision != pod.revision) {
            return conflict(&format!(
                "the ResourceVersion in the precondition ({}) does not match the ResourceVersion in record ({}). The \
                 object might have been modified",
                revision.0, pod.revision.0
            ));
        }
        Ok(())
    }
}

/// An unready pod may go without spending budget (PDB-15).
fn lets_unready_go(budget: &Budget) -> bool {
    let status = &budget.status;
    budget.unhealthy == Some(UnhealthyEviction::AlwaysAllow)
        || (status.healthy >= status.desired && status.desired > 0)
}

/// The checks of PDB-16, in order.
fn check(budget: &Budget, name: &str) -> Result<(), Status> {
    let status = &budget.status;
    let too_many = |cause: String| {
        let details = Details { kind: String::new(), name: String::new(), causes: vec![cause] };
        Err(Status { details: Some(Box::new(details)), ..Status::too_many_requests(REFUSED.into()) })
    };
    let forbidden = |why: &str| {
        Err(Status::forbidden(format!("poddisruptionbudget.policy \"{name}\" is forbidden: {why}")))
    };
    if status.observed_generation < budget.meta.generation.get() {
        mark!("PDB-3", "PDB-16");
        return too_many(format!("The disruption budget {name} is still being processed by the server."));
    }
    if status.allowed < 0 {
        return forbidden("pdb disruptions allowed is negative");
    }
    if status.disrupted.len() > MAX_DISRUPTED {
        return forbidden("DisruptedPods map too big - too many evictions not confirmed by PDB controller");
    }
    if status.allowed == 0 {
        mark!("PDB-16");
        return too_many(if status.reason == "SyncFailed" {
            format!(
                "The disruption budget {name} does not allow evicting pods currently because it failed sync"
            )
        } else {
            format!(
                "The disruption budget {name} needs {} healthy pods and has {} currently",
                status.desired, status.healthy
            )
        });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::tests::{created, world};
    use super::*;
    use serde_json::{Value, json};

    fn pod(world: &mut World, name: &str, phase: Phase, ready: bool) -> ObjectRef {
        let manifest = json!({
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": name, "labels": {"app": "web"}},
            "spec": {"containers": [{"name": "web", "image": "web:v1"}]},
        });
        let pod = created(world, manifest);
        world.update(pod.id::<Pod>(), Rule::NONE, |pod| {
            pod.phase = phase;
            pod.flags.set(PodFlags::READY, ready);
        });
        pod
    }

    fn budget(world: &mut World, name: &str, spec: Value, status: (i32, i32, i32)) -> Id<Budget> {
        let mut spec = spec;
        spec["selector"] = json!({"matchLabels": {"app": "web"}});
        let manifest = json!({
            "apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": {"name": name}, "spec": spec,
        });
        let budget = created(world, manifest).id();
        let (allowed, healthy, desired) = status;
        world.update(budget, Rule::NONE, |budget: &mut Budget| {
            budget.status = BudgetStatus {
                observed_generation: 1,
                allowed,
                healthy,
                desired,
                reason: "SufficientPods",
                ..BudgetStatus::default()
            };
        });
        budget
    }

    /// (what the pod is, budgets as (policy, allowed, healthy, desired)) and how it ends.
    #[test]
    fn a_budget_decides_over_running_pods() {
        let none: &[(&str, (i32, i32, i32))] = &[];
        let cases = [
            ((Phase::Running, true), none, None),
            ((Phase::Running, true), &[("", (1, 3, 2))], None),
            ((Phase::Running, true), &[("", (0, 2, 2))], Some((429, REFUSED))),
            ((Phase::Pending, false), &[("", (0, 2, 2))], None),
            ((Phase::Failed, false), &[("", (0, 2, 2))], None),
            ((Phase::Running, false), &[("", (0, 2, 2))], None),
            ((Phase::Running, false), &[("", (0, 1, 2))], Some((429, REFUSED))),
            ((Phase::Running, false), &[("AlwaysAllow", (0, 1, 2))], None),
            (
                (Phase::Running, true),
                &[("", (-1, 2, 2))],
                Some((
                    403,
                    "poddisruptionbudget.policy \"b0\" is forbidden: pdb disruptions allowed is negative",
                )),
            ),
            (
                (Phase::Running, true),
                &[("", (1, 3, 2)), ("", (1, 3, 2))],
                Some((
                    500,
                    "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.",
                )),
            ),
        ];
        for ((phase, ready), budgets, refused) in cases {
            let mut world = world();
            for (n, (policy, status)) in budgets.iter().enumerate() {
                let spec =
                    if policy.is_empty() { json!({}) } else { json!({"unhealthyPodEvictionPolicy": policy}) };
                budget(&mut world, &format!("b{n}"), spec, *status);
            }
            let pod = pod(&mut world, "web-0", phase, ready);
            let result = world.rest_evict(pod, DeleteOptions::default());
            let found = result.as_ref().err().map(|status| (status.code, status.message.as_str()));
            assert_eq!(found, refused, "{phase:?} {ready} {budgets:?}");
            assert_eq!(world.rest_get(pod).is_ok(), refused.is_some());
        }
    }

    #[test]
    fn an_eviction_spends_the_budget() {
        let mut world = world();
        let id = budget(&mut world, "web", json!({"maxUnavailable": 1}), (1, 3, 2));
        let pods = ["web-0", "web-1"].map(|name| pod(&mut world, name, Phase::Running, true));
        world.rest_evict(pods[0], DeleteOptions::default()).expect("allowed");
        let status = world.store.budgets.get(id).expect("there").status.clone();
        assert_eq!((status.allowed, status.disrupted.len(), status.reason), (0, 1, "InsufficientPods"));
        let refused = world.rest_evict(pods[1], DeleteOptions::default()).expect_err("spent");
        let causes = refused.details.map(|details| details.causes).unwrap_or_default();
        assert_eq!(causes, ["The disruption budget web needs 2 healthy pods and has 3 currently"]);
        world.update(id, Rule::NONE, |budget| budget.meta.generation = Generation::of(2));
        let refused = world.rest_evict(pods[1], DeleteOptions::default()).expect_err("not observed");
        let causes = refused.details.map(|details| details.causes).unwrap_or_default();
        assert_eq!(causes, ["The disruption budget web is still being processed by the server."]);
    }

    #[test]
    fn namespaces_of_the_system_stay() {
        let mut world = world();
        let namespace = world.rest_find(Kind::Namespace, "", "default").expect("there");
        let refused = world.rest_delete(namespace, DeleteOptions::default()).expect_err("refused");
        assert_eq!(refused.message, "namespaces \"default\" is forbidden: this namespace may not be deleted");
    }
}
