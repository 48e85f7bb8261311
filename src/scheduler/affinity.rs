//! Inter-pod affinity and anti-affinity.
//!
//! Follows `plugins/interpodaffinity/{filtering,scoring}.go` (SCHED-15, SCHED-23). Terms are symmetric: a pod keeps away
//! from those it names and from those that name it. Terminating pods count.
use super::cache::Cache;
use super::class::Class;
use super::counts::NONE;
use super::messages::Reasons;
use super::score::{MAX_SCORE, WEIGHT_POD_AFFINITY};

/// What the required terms say of a node.
pub(super) fn filter(class: &Class, node: u32, cache: &Cache) -> Reasons {
    let counts = &cache.counts;
    let domain = |topology: u32| counts.topologies[topology as usize].domain(node);
    let is_there = |pull: &super::class::Pull| {
        let domain = domain(pull.topology);
        domain != NONE && counts.counter(pull.counter).all_in(pull.topology, domain) > 0
    };
    if class.affinity.iter().any(|pull| domain(pull.topology) == NONE) {
        return Reasons::POD_AFFINITY;
    }
    if !class.affinity.iter().all(is_there) {
        // The first of a series of pods that want to be near one another.
        let nobody = class.affinity.first().is_some_and(|pull| counts.counter(pull.counter).total == 0);
        if !(nobody && class.attracts_itself) {
            return Reasons::POD_AFFINITY;
        }
    }
    if class.anti_affinity.iter().any(is_there) {
        return Reasons::POD_ANTI_AFFINITY;
    }
    if class.blockers.iter().any(is_there) {
        return Reasons::OTHERS_ANTI_AFFINITY;
    }
    Reasons::NONE
}

/// Adds to the totals of the feasible nodes what preferred terms say, the pod's own and those of pods that are there.
/// `raw`: a buffer.
pub(super) fn score(class: &Class, cache: &Cache, feasible: &[u32], raw: &mut Vec<i64>, totals: &mut [i64]) {
    if class.preferred.is_empty() && class.attracted.is_empty() {
        return;
    }
    raw.clear();
    for node in feasible {
        let mut sum = 0;
        for pull in class.preferred.iter().chain(&class.attracted) {
            let domain = cache.counts.topologies[pull.topology as usize].domain(*node);
            if domain != NONE {
                let pods = cache.counts.counter(pull.counter).all_in(pull.topology, domain);
                sum += pull.weight * i64::from(pods);
            }
        }
        raw.push(sum);
    }
    let (min, max) = (raw.iter().min().copied().unwrap_or(0), raw.iter().max().copied().unwrap_or(0));
    if max == min {
        return;
    }
    for (raw, total) in raw.iter().zip(totals) {
        let share = (raw - min) as f64 / (max - min) as f64;
        *total += WEIGHT_POD_AFFINITY * (MAX_SCORE as f64 * share) as i64;
    }
}
