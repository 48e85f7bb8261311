//! One sync of a budget (PDB-5 to PDB-10).
//!
//! Follows pkg/controller/disruption/disruption.go: trySync, getExpectedPodCount, buildDisruptedPodMap, failSafe.
use super::index::{Count, is_healthy, selects};
use super::maths;
use crate::api::kind::Kind;
use crate::api::labels::Owner;
use crate::api::names::{Name, Sym, Uid};
use crate::api::objects::*;
use crate::api::store::View;
use crate::event::Process;
use crate::kernel::{Id, Time};
use crate::rule::mark;
use crate::world::World;
use serde_json::Value;
use std::collections::BTreeMap;

/// Reason of condition DisruptionAllowed: some pods may go.
const SUFFICIENT: &str = "SufficientPods";
/// Reason of condition DisruptionAllowed: no pod may go.
const INSUFFICIENT: &str = "InsufficientPods";
/// Reason of condition DisruptionAllowed: the budget could not be computed (PDB-9).
const SYNC_FAILED: &str = "SyncFailed";

/// What a sync has found out.
pub(super) struct Outcome {
    /// The status to write, if it differs.
    pub status: Option<BudgetStatus>,
    /// When an entry of disruptedPods runs out.
    pub recheck: Option<Time>,
}

/// Entries of disruptedPods that still count (PDB-10).
#[derive(Default)]
struct Disrupted {
    entries: Vec<(Name, Seconds)>,
    /// Healthy pods among them.
    healthy: i32,
    /// Pods that should have been deleted and were not.
    overdue: Vec<Id<Pod>>,
    recheck: Option<Time>,
}

/// Looks at a budget and its pods.
pub(super) fn sync(id: Id<Budget>, budget: &Budget, count: &Count, world: &mut World) -> Outcome {
    if count.all == 0 {
        world.emit(id, false, "NoPods", |_| "No matching pods found".into());
    }
    let mut scale = 0;
    if maths::asks_for_scale(budget) {
        match expected_scale(budget, count, world.view(Process::ControllerManager)) {
            Ok(sum) => scale = sum,
            Err(error) => {
                world.emit(id, true, "CalculateExpectedPodCountFailed", |_| {
                    format!("Failed to calculate the number of expected pods: {error}")
                });
                return Outcome { status: fail_safe(budget, &error, world), recheck: None };
            }
        }
        if count.unmanaged > 0 {
            world.emit(id, true, "UnmanagedPods", |_| unmanaged(budget));
        }
    }
    let disrupted = disrupted(budget, world);
    for pod in &disrupted.overdue {
        // The real message names the namespace twice.
        let namespace = world.store.names.text(budget.meta.namespace).to_owned();
        world.emit(*pod, true, "NotDeleted", |_| {
            format!("Pod was expected by PDB {namespace}/{namespace} to be deleted but it wasn't")
        });
    }
    mark!("PDB-5", "PDB-7");
    mark!("PDB-6" if maths::asks_for_scale(budget));
    let demand = maths::demand(budget, scale, count.all);
    let healthy = count.healthy - disrupted.healthy;
    let allowed = maths::allowed(demand, healthy);
    let status = BudgetStatus {
        observed_generation: budget.meta.generation.get(),
        allowed,
        healthy,
        desired: demand.desired,
        expected: demand.expected,
        disrupted: disrupted.entries,
        ..budget.status.clone()
    };
    Outcome { status: with_condition(budget, status, world.now()), recheck: disrupted.recheck }
}

/// The status with its condition, if anything is to be written (PDB-8).
fn with_condition(budget: &Budget, mut status: BudgetStatus, now: Time) -> Option<BudgetStatus> {
    let old = &budget.status;
    let (is, was) = (status.allowed > 0, old.reason == SUFFICIENT);
    if status == *old && !old.reason.is_empty() && is == was {
        return None;
    }
    if old.reason.is_empty() || is != was {
        status.since = Seconds::of(now);
    }
    mark!("PDB-18" if is && old.reason == INSUFFICIENT);
    status.reason = if is { SUFFICIENT } else { INSUFFICIENT };
    status.message = Sym::EMPTY;
    Some(status)
}

/// PDB-9: whatever went wrong, nothing may be evicted on old numbers.
pub(super) fn fail_safe(budget: &Budget, error: &str, world: &mut World) -> Option<BudgetStatus> {
    let mut status = budget.status.clone();
    status.allowed = 0;
    mark!("PDB-9");
    if status.reason.is_empty() || status.reason == SUFFICIENT {
        status.since = Seconds::of(world.now());
    }
    status.reason = SYNC_FAILED;
    status.message = world.store.names.word(error);
    (status != budget.status).then_some(status)
}

/// Sum of spec.replicas over the distinct controllers of the pods (PDB-6).
fn expected_scale(budget: &Budget, count: &Count, view: View<'_>) -> Result<i32, String> {
    let mut scales: BTreeMap<Uid, i32> = BTreeMap::new();
    for (owner, _) in &count.owners {
        if scales.contains_key(&owner.uid) {
            continue;
        }
        let Some((uid, scale)) = scale_of(owner, budget.meta.namespace, view) else {
            if !matches!(owner.kind, Kind::StatefulSet | Kind::Deployment | Kind::ReplicaSet | Kind::Inert) {
                return Err(format!("{} does not implement the scale subresource", owner.kind.resource()));
            }
            let pod = orphan_of(owner, budget, view);
            return Err(format!("found no controllers for pod {pod:?}"));
        };
        scales.insert(uid, scale);
    }
    Ok(scales.values().sum())
}

/// The controller that counts for a managing owner, and its spec.replicas. A ReplicaSet counts as its Deployment.
fn scale_of(owner: &Owner, namespace: Sym, view: View<'_>) -> Option<(Uid, i32)> {
    match owner.kind {
        Kind::StatefulSet => {
            let (_, set) = view.find::<StatefulSet>(namespace, owner.name)?;
            (set.meta.uid == owner.uid).then_some((set.meta.uid, set.spec.replicas))
        }
        Kind::Deployment => {
            let (_, deployment) = view.find::<Deployment>(namespace, owner.name)?;
            (deployment.meta.uid == owner.uid).then_some((deployment.meta.uid, deployment.spec.replicas))
        }
        Kind::ReplicaSet => {
            let (_, set) = view.find::<ReplicaSet>(namespace, owner.name)?;
            if set.meta.uid != owner.uid {
                return None;
            }
            let above =
                view.store.controller_of(set.meta.owners).filter(|above| above.kind == Kind::Deployment);
            // Without its Deployment the scale of the ReplicaSet itself is asked for.
            above
                .and_then(|above| scale_of(above, namespace, view))
                .or(Some((set.meta.uid, set.spec.replicas)))
        }
        _ => None,
    }
}

/// The name of a pod of this owner, for the error.
fn orphan_of(owner: &Owner, budget: &Budget, view: View<'_>) -> String {
    let store = view.store;
    let found = view.iter::<Pod>().find(|(_, pod)| {
        store.controller_of(pod.meta.owners).is_some_and(|o| o.uid == owner.uid)
            && selects(store, budget, pod)
    });
    found.map_or_else(String::new, |(_, pod)| store.name_of(pod.meta.name))
}

/// PDB-10. The entries are of names: they hold for whatever pod bears them.
fn disrupted(budget: &Budget, world: &World) -> Disrupted {
    let mut kept = Disrupted::default();
    let (view, now) = (world.view(Process::ControllerManager), world.now());
    for (name, since) in &budget.status.disrupted {
        let found = view.find::<Pod>(budget.meta.namespace, *name);
        let Some((id, pod)) = found.filter(|(_, pod)| selects(&world.store, budget, pod)) else { continue };
        if pod.is_terminating() {
            continue;
        }
        mark!("PDB-10");
        let end = since.start() + world.config.timers.disrupted_pod_lifetime;
        if end < now {
            kept.overdue.push(id);
            continue;
        }
        kept.entries.push((*name, *since));
        kept.recheck = Some(kept.recheck.map_or(end, |earlier| earlier.min(end)));
        // At the very end it is kept, but does not count any more.
        if is_healthy(pod) && end > now {
            kept.healthy += 1;
        }
    }
    kept
}

fn unmanaged(budget: &Budget) -> String {
    format!(
        "Pods selected by this PodDisruptionBudget (selector: {}) were found to be unmanaged. As a result, the status \
         of the PDB cannot be calculated correctly, which may result in undefined behavior. To account for these pods \
         please set \".spec.minAvailable\" field of the PDB to an integer value.",
        go_selector(budget.spec.get("selector").unwrap_or(&Value::Null))
    )
}

/// A label selector as Go prints it.
fn go_selector(selector: &Value) -> String {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let labels = selector.get("matchLabels").and_then(Value::as_object).into_iter().flatten();
    let mut labels: Vec<_> = labels.map(|(key, value)| format!("{key}: {},", text(value))).collect();
    labels.sort_unstable();
    let requirements = selector.get("matchExpressions").and_then(Value::as_array).into_iter().flatten();
    let requirements: String = requirements
        .map(|r| {
            let values = r.get("values").and_then(Value::as_array).into_iter().flatten();
            let values: Vec<_> = values.map(text).collect();
            let (key, operator) = (text(&r["key"]), text(&r["operator"]));
            format!(
                "LabelSelectorRequirement{{Key:{key},Operator:{operator},Values:[{}],}},",
                values.join(" ")
            )
        })
        .collect();
    format!(
        "&LabelSelector{{MatchLabels:map[string]string{{{}}},MatchExpressions:[]LabelSelectorRequirement{{{requirements}}},}}",
        labels.concat()
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn selectors_print_as_in_go() {
        let selector = json!({
            "matchLabels": {"b": "2", "a": "1"},
            "matchExpressions": [{"key": "c", "operator": "In", "values": ["x", "y"]}],
        });
        assert_eq!(
            go_selector(&selector),
            "&LabelSelector{MatchLabels:map[string]string{a: 1,b: 2,},MatchExpressions:[]LabelSelectorRequirement{\
             LabelSelectorRequirement{Key:c,Operator:In,Values:[x y],},},}"
        );
    }
}
