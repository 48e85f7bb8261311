//! The arithmetic of budgets (PDB-6, PDB-8).
use crate::api::objects::{Budget, IntOrPercent};
use crate::rule::mark;

/// What a budget asks for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Demand {
    /// expectedPods.
    pub expected: i32,
    /// desiredHealthy.
    pub desired: i32,
}

/// True if the number of pods that should be there comes from their controllers, not from counting pods.
pub(super) fn asks_for_scale(budget: &Budget) -> bool {
    budget.max_unavailable.is_some() || matches!(budget.min_available, Some(IntOrPercent::Percent(_)))
}

/// PDB-6. Percentages round up on both sides: more may go with maxUnavailable, more must stay with minAvailable.
/// `scale`: sum of spec.replicas of the controllers; `pods`: matching pods. Without a bound nothing is expected (PDB-1).
pub(super) fn demand(budget: &Budget, scale: i32, pods: i32) -> Demand {
    match (budget.max_unavailable, budget.min_available) {
        (Some(most), _) => {
            Demand { expected: scale, desired: scale.saturating_sub(most.ceil_of(scale)).max(0) }
        }
        (None, Some(IntOrPercent::Int(fewest))) => Demand { expected: pods, desired: fewest },
        (None, Some(percent)) => Demand { expected: scale, desired: percent.ceil_of(scale) },
        (None, None) => {
            mark!("PDB-1");
            Demand::default()
        }
    }
}

/// disruptionsAllowed (PDB-8).
pub(super) fn allowed(demand: Demand, healthy: i32) -> i32 {
    if demand.expected <= 0 { 0 } else { healthy.saturating_sub(demand.desired).max(0) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::objects::{BudgetStatus, Meta};
    use IntOrPercent::{Int, Percent};
    use proptest::prelude::*;
    use std::sync::Arc;

    fn budget(min_available: Option<IntOrPercent>, max_unavailable: Option<IntOrPercent>) -> Budget {
        Budget {
            meta: Meta::default(),
            selector: None,
            min_available,
            max_unavailable,
            unhealthy: None,
            spec: Arc::new(serde_json::json!({})),
            status: BudgetStatus::default(),
        }
    }

    /// PDB-6: scale 3, 4 matching pods (one is left behind), 3 healthy.
    #[test]
    fn what_budgets_ask_for() {
        for (min, max, expected, desired, may_go) in [
            (None, Some(Int(1)), 3, 2, 1),
            (None, Some(Int(5)), 3, 0, 3),
            (None, Some(Percent(50)), 3, 1, 2),
            (None, Some(Percent(0)), 3, 3, 0),
            (None, Some(Percent(100)), 3, 0, 3),
            (Some(Percent(50)), None, 3, 2, 1),
            (Some(Percent(100)), None, 3, 3, 0),
            (Some(Percent(1)), None, 3, 1, 2),
            (Some(Int(2)), None, 4, 2, 1),
            (Some(Int(0)), None, 4, 0, 3),
            (Some(Int(9)), None, 4, 9, 0),
            (None, None, 0, 0, 0),
        ] {
            let demand = demand(&budget(min, max), 3, 4);
            let found = (demand.expected, demand.desired, allowed(demand, 3));
            assert_eq!(found, (expected, desired, may_go), "{min:?} {max:?}");
        }
    }

    proptest! {
        /// INV-61.
        #[test]
        fn never_more_than_is_healthy(scale in 0..100i32, pods in 0..100i32, healthy in 0..100i32, n in 0..=100i32, kind in 0..4) {
            let budget = match kind {
                0 => budget(Some(Int(n)), None),
                1 => budget(Some(Percent(n)), None),
                2 => budget(None, Some(Int(n))),
                _ => budget(None, Some(Percent(n))),
            };
            let demand = demand(&budget, scale, pods);
            let allowed = allowed(demand, healthy);
            prop_assert!(allowed >= 0 && allowed <= healthy);
            prop_assert!(allowed == 0 || healthy - allowed == demand.desired);
            prop_assert!(demand.expected > 0 || allowed == 0);
        }
    }
}
