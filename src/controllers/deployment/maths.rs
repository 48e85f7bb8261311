//! The arithmetic of rollouts: bounds, sizes, proportions (DEP-9 to DEP-13).
//!
//! Follows pkg/controller/deployment/util/deployment_util.go and rolling.go. Pure functions of the few numbers of each
//! ReplicaSet that they look at.
use crate::api::objects::{DeploymentSpec, DeploymentStrategy};

/// What the arithmetic looks at in one ReplicaSet.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Size {
    /// spec.replicas.
    pub replicas: i32,
    /// status.availableReplicas.
    pub available: i32,
    /// Annotation max-replicas, if it is a number.
    pub max_replicas: Option<i32>,
}

/// How far a rollout may leave the wanted number of pods (DEP-10).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Bounds {
    /// spec.replicas of the Deployment.
    pub replicas: i32,
    /// Pods more than that.
    pub surge: i32,
    /// Pods fewer than that.
    pub unavailable: i32,
    /// The strategy is RollingUpdate.
    pub rolling: bool,
}

impl Bounds {
    /// DEP-10: surge is rounded up, unavailable down; both zero would be a deadlock, so one may be unavailable then.
    pub(super) fn of(spec: &DeploymentSpec) -> Bounds {
        let replicas = spec.replicas;
        let DeploymentStrategy::RollingUpdate { max_surge, max_unavailable } = spec.strategy else {
            return Bounds { replicas, surge: 0, unavailable: 0, rolling: false };
        };
        let (surge, floor) = (max_surge.ceil_of(replicas), max_unavailable.floor_of(replicas));
        let resolved = if surge == 0 && floor == 0 { 1 } else { floor };
        let unavailable = if replicas == 0 { 0 } else { resolved.min(replicas) };
        Bounds { replicas, surge, unavailable, rolling: true }
    }

    /// Most pods there may be.
    pub(super) fn most(self) -> i32 {
        self.replicas.saturating_add(self.surge)
    }

    /// Fewest pods that must be available.
    pub(super) fn fewest_available(self) -> i32 {
        self.replicas - self.unavailable
    }

    /// The size the new ReplicaSet may have, from `size` now, with `total` pods wanted by all of them (DEP-9).
    pub(super) fn new_size(self, size: i32, total: i32) -> i32 {
        if !self.rolling {
            return self.replicas;
        }
        if total >= self.most() {
            return size;
        }
        size + (self.most() - total).min(self.replicas - size)
    }
}

/// The pods that all these ReplicaSets want.
pub(super) fn total(sizes: &[Size]) -> i32 {
    sizes.iter().map(|size| size.replicas).sum()
}

/// One shrinking of an old ReplicaSet: which, and its new size.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Shrink {
    /// Its position in the list.
    pub set: usize,
    /// spec.replicas afterwards.
    pub to: i32,
}

/// How the old ReplicaSets, oldest first, shrink (DEP-11): first by their unhealthy pods, then as far as enough stay
/// available. A set may occur in both lists.
pub(super) fn shrink(bounds: Bounds, old: &[Size], new: Size) -> Vec<Shrink> {
    let mut shrinks = Vec::new();
    if total(old) == 0 {
        return shrinks;
    }
    let budget = total(old) + new.replicas - bounds.fewest_available() - (new.replicas - new.available);
    if budget <= 0 {
        return shrinks;
    }
    let mut sizes: Vec<i32> = old.iter().map(|size| size.replicas).collect();
    let mut left = budget;
    for (set, size) in old.iter().enumerate() {
        if left <= 0 {
            break;
        }
        let unhealthy = size.replicas - size.available;
        if size.replicas == 0 || unhealthy == 0 {
            continue;
        }
        let by = left.min(unhealthy);
        if by < 0 {
            // More available than wanted: its own scale-down is not through. The real code ends here with an error.
            return shrinks;
        }
        sizes[set] -= by;
        left -= by;
        shrinks.push(Shrink { set, to: sizes[set] });
    }
    let available = old.iter().map(|size| size.available).sum::<i32>() + new.available;
    let mut left = available - bounds.fewest_available();
    for (set, size) in sizes.iter().enumerate() {
        if left <= 0 {
            break;
        }
        let by = left.min(*size);
        if by > 0 {
            left -= by;
            shrinks.push(Shrink { set, to: size - by });
        }
    }
    shrinks
}

/// New sizes of several active ReplicaSets after the Deployment was scaled (DEP-13), in the order given: largest
/// first. `created`: status.replicas of the Deployment, where the annotation is missing.
pub(super) fn proportional(bounds: Bounds, sets: &[Size], created: i32) -> Vec<i32> {
    let allowed = if bounds.replicas > 0 { bounds.most() } else { 0 };
    let to_add = allowed - total(sets);
    if to_add == 0 {
        return sets.iter().map(|set| set.replicas).collect();
    }
    let mut added = 0;
    let mut sizes: Vec<i32> = Vec::with_capacity(sets.len());
    for set in sets {
        let share = if set.replicas == 0 || to_add == added {
            0
        } else {
            let fraction = fraction(bounds, *set, created);
            if to_add > 0 { fraction.min(to_add - added) } else { fraction.max(to_add - added) }
        };
        sizes.push(set.replicas + share);
        added += share;
    }
    if let Some(largest) = sizes.first_mut() {
        *largest = (*largest + to_add - added).max(0);
    }
    sizes
}

/// By how much one ReplicaSet would grow or shrink to keep its share.
fn fraction(bounds: Bounds, set: Size, created: i32) -> i32 {
    if bounds.replicas == 0 {
        return -set.replicas;
    }
    let before = set.max_replicas.filter(|max| *max != 0).unwrap_or(created);
    if before == 0 {
        return 0;
    }
    let scaled = i64::from(set.replicas) * i64::from(bounds.most());
    let wanted = round_half_away(scaled, i64::from(before));
    i32::try_from(wanted - i64::from(set.replicas)).unwrap_or(0)
}

fn round_half_away(numerator: i64, denominator: i64) -> i64 {
    let negative = (numerator < 0) != (denominator < 0);
    let (n, d) = (numerator.unsigned_abs(), denominator.unsigned_abs());
    let rounded = i64::try_from((2 * n + d) / (2 * d)).unwrap_or(i64::MAX);
    if negative { -rounded } else { rounded }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::names::Sym;
    use crate::api::objects::{IntOrPercent, TemplateId};
    use crate::api::selector::Selector;
    use proptest::prelude::*;
    use std::sync::Arc;

    fn bounds(replicas: i32, max_surge: IntOrPercent, max_unavailable: IntOrPercent) -> Bounds {
        let strategy = DeploymentStrategy::RollingUpdate { max_surge, max_unavailable };
        Bounds::of(&spec(replicas, strategy))
    }

    fn spec(replicas: i32, strategy: DeploymentStrategy) -> DeploymentSpec {
        DeploymentSpec {
            replicas,
            selector: Arc::new(Selector::from_pairs([("app", "web")])),
            selector_json: Arc::new(serde_json::json!({})),
            template: TemplateId(Sym::EMPTY.as_u32()),
            strategy,
            min_ready: 0,
            history_limit: 10,
            progress_deadline: 600,
            paused: false,
        }
    }

    fn size(replicas: i32, available: i32) -> Size {
        Size { replicas, available, max_replicas: None }
    }

    use IntOrPercent::{Int, Percent};

    /// DEP-10.
    #[test]
    fn t_dep_005_surge_rounds_up_and_unavailable_down() {
        let quarter = Percent(25);
        for (replicas, surge, unavailable, expected) in [
            (1, quarter, quarter, (1, 0)),
            (2, quarter, quarter, (1, 0)),
            (4, quarter, quarter, (1, 1)),
            (10, quarter, quarter, (3, 2)),
            (3, Int(0), Percent(10), (0, 1)),
            (10, Percent(0), Percent(1), (0, 1)),
            (10, Percent(39), Percent(0), (4, 0)),
            (10, Percent(1), Percent(19), (1, 1)),
            (10, Int(0), Int(0), (0, 1)),
            (3, Int(0), Int(5), (0, 3)),
            (0, Int(1), Int(1), (1, 0)),
            (0, Percent(0), Percent(0), (0, 0)),
            (5, Percent(100), Int(0), (5, 0)),
        ] {
            let bounds = bounds(replicas, surge, unavailable);
            assert_eq!((bounds.surge, bounds.unavailable), expected, "{replicas} {surge:?} {unavailable:?}");
        }
        let recreate = Bounds::of(&spec(5, DeploymentStrategy::Recreate));
        assert_eq!((recreate.surge, recreate.unavailable, recreate.most()), (0, 0, 5));
        assert_eq!(recreate.new_size(0, 5), 5);
    }

    /// DEP-9: the growth of the new ReplicaSet.
    #[test]
    fn the_new_set_grows_as_far_as_surge_allows() {
        let ten = bounds(10, Percent(25), Percent(25));
        for (size, total, expected) in
            [(0, 10, 3), (3, 11, 5), (5, 13, 5), (5, 12, 6), (9, 10, 10), (0, 0, 10), (4, 20, 4)]
        {
            assert_eq!(ten.new_size(size, total), expected, "{size} of {total}");
        }
    }

    fn shrinks(bounds: Bounds, old: &[Size], new: Size) -> Vec<(usize, i32)> {
        shrink(bounds, old, new).iter().map(|shrink| (shrink.set, shrink.to)).collect()
    }

    /// DEP-11. The cases with 10 replicas, surge 3 and unavailable 2 are those of the comment in rolling.go.
    #[test]
    fn old_sets_shrink() {
        let ten = bounds(10, Int(3), Int(2));
        let four = bounds(4, Percent(25), Percent(25));
        let nothing: &[(usize, i32)] = &[];
        for (name, bounds, old, new, expected) in [
            ("start", ten, vec![size(10, 10)], size(3, 0), &[(0, 8)][..]),
            ("new pods crash and a node fails", ten, vec![size(8, 7)], size(5, 0), nothing),
            ("rolled back: the crashing ones go", ten, vec![size(5, 0)], size(8, 7), &[(0, 1)]),
            ("rolled over: both old ones give way", ten, vec![size(8, 8), size(5, 0)], size(0, 0), &[(1, 0)]),
            ("one available lets one go", four, vec![size(3, 3)], size(2, 1), &[(0, 2)]),
            ("oldest first", four, vec![size(1, 1), size(3, 3)], size(2, 2), &[(0, 0), (1, 1)]),
            ("twice the same set", ten, vec![size(8, 6)], size(5, 5), &[(0, 6), (0, 3)]),
            ("nothing left", four, vec![size(0, 0)], size(4, 4), nothing),
            ("surge only", bounds(1, Int(1), Int(0)), vec![size(1, 1)], size(1, 0), nothing),
            ("surge only, ready", bounds(1, Int(1), Int(0)), vec![size(1, 1)], size(1, 1), &[(0, 0)]),
            ("unavailable only", bounds(1, Int(0), Int(1)), vec![size(1, 1)], size(0, 0), &[(0, 0)]),
            ("its last scale-down is not through", four, vec![size(3, 4)], size(2, 2), nothing),
        ] {
            assert_eq!(shrinks(bounds, &old, new), expected, "{name}");
        }
    }

    fn with_max(replicas: i32, max: i32) -> Size {
        Size { replicas, available: replicas, max_replicas: Some(max) }
    }

    /// DEP-13.
    #[test]
    fn several_sets_scale_in_proportion() {
        let fixed = |replicas| bounds(replicas, Int(3), Int(2));
        let quarter = |replicas| bounds(replicas, Percent(25), Percent(25));
        for (name, bounds, sets, expected) in [
            ("10 to 15", fixed(15), vec![with_max(8, 13), with_max(5, 13)], vec![11, 7]),
            ("10 to 15 of a quarter", quarter(15), vec![with_max(8, 13), with_max(5, 13)], vec![12, 7]),
            ("10 to 5", fixed(5), vec![with_max(8, 13), with_max(5, 13)], vec![5, 3]),
            ("to zero", fixed(0), vec![with_max(8, 13), with_max(5, 13)], vec![0, 0]),
            ("nothing to do", fixed(10), vec![with_max(8, 13), with_max(5, 13)], vec![8, 5]),
            (
                "the largest takes the rest",
                bounds(12, Int(0), Int(1)),
                vec![with_max(5, 10), with_max(3, 10), with_max(2, 10)],
                vec![6, 4, 2],
            ),
            ("no annotation", fixed(15), vec![size(8, 8), size(5, 5)], vec![11, 7]),
        ] {
            assert_eq!(proportional(bounds, &sets, 13), expected, "{name}");
        }
        assert_eq!(proportional(fixed(15), &[size(8, 8), size(5, 5)], 0), [13, 5]);
    }

    #[test]
    fn halves_round_away_from_zero() {
        for (n, d, expected) in [(5, 2, 3), (-5, 2, -3), (4, 3, 1), (5, 3, 2), (7, 14, 1), (0, 3, 0)] {
            assert_eq!(round_half_away(n, d), expected, "{n}/{d}");
        }
    }

    fn percent_or_int() -> impl Strategy<Value = IntOrPercent> {
        prop_oneof![(0..20).prop_map(Int), (0..=100).prop_map(Percent)]
    }

    proptest! {
        /// INV-66: growth keeps the sum within replicas + surge. INV-67: what shrinks for other reasons than being
        /// unavailable leaves enough available pods.
        #[test]
        fn steps_stay_in_bounds(
            replicas in 0..50i32,
            surge in percent_or_int(),
            unavailable in percent_or_int(),
            old in prop::collection::vec((0..30i32, 0..30i32), 0..4),
            new in (0..50i32, 0..50i32),
        ) {
            let bounds = bounds(replicas, surge, unavailable);
            prop_assert!(bounds.surge > 0 || bounds.unavailable > 0 || replicas == 0);
            let old: Vec<Size> = old.into_iter().map(|(n, ready)| size(n, ready.min(n))).collect();
            let new = size(new.0.min(replicas), new.1.min(new.0).min(replicas));
            let sum = total(&old) + new.replicas;
            let grown = bounds.new_size(new.replicas, sum);
            prop_assert!(grown >= new.replicas && grown <= replicas);
            prop_assert!(grown == new.replicas || sum - new.replicas + grown <= bounds.most());
            // Unavailable pods go first (RS-5), so a set loses available pods only below that many.
            let mut after: Vec<Size> = old.clone();
            for step in shrink(bounds, &old, new) {
                prop_assert!((0..after[step.set].replicas).contains(&step.to));
                after[step.set].replicas = step.to;
            }
            let available = |sets: &[Size]| sets.iter().map(|s| s.available.min(s.replicas)).sum::<i32>() + new.available;
            prop_assert!(available(&after) >= available(&old).min(bounds.fewest_available()));
            prop_assert!(available(&after) >= bounds.fewest_available() || available(&after) == available(&old));
        }

        /// DEP-13: scaling in proportion ends at exactly what is allowed, and no set is negative.
        #[test]
        fn proportions_add_up(
            replicas in 0..60i32,
            surge in 0..10i32,
            sets in prop::collection::vec((1..30i32, 1..60i32), 2..5),
        ) {
            let bounds = bounds(replicas, Int(surge), Int(1));
            let mut sets: Vec<Size> = sets.into_iter().map(|(n, max)| with_max(n, max)).collect();
            sets.sort_by_key(|set| std::cmp::Reverse(set.replicas));
            let sizes = proportional(bounds, &sets, 10);
            prop_assert!(sizes.iter().all(|size| *size >= 0), "{sizes:?}");
            let allowed = if replicas == 0 { 0 } else { bounds.most() };
            prop_assert!(sizes.iter().sum::<i32>() >= allowed);
        }
    }
}
