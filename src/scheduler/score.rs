//! Scores of nodes by their resources, and what is remembered of them.
//!
//! Follows `plugins/noderesources/{fit,least_allocated,balanced_allocation}.go` (SCHED-14, SCHED-23). Whether a request
//! fits on a node, and how well, changes only when the node does: the answer is kept per shape of request and node, and
//! is valid for one stamp of the node. Left out: ImageLocality (which images a node has is not modelled, so it is equal
//! everywhere), resources beyond cpu, memory and pods.
use super::cache::{Cache, NodeInfo};
use super::messages::Reasons;
use crate::api::pod_spec::PodSpec;
use rustc_hash::FxHashMap;
use std::collections::VecDeque;

/// The best score of a plugin.
pub(super) const MAX_SCORE: i64 = 100;
/// Weights of the plugins (DEF-57).
pub(super) const WEIGHT_TAINTS: i64 = 3;
pub(super) const WEIGHT_NODE_AFFINITY: i64 = 2;
pub(super) const WEIGHT_SPREAD: i64 = 2;
pub(super) const WEIGHT_POD_AFFINITY: i64 = 2;

/// Shapes whose answers are kept at once.
const REMEMBERED: usize = 64;

/// What a pod asks of a node.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) struct Request {
    pub(super) cpu: u64,
    pub(super) memory: u64,
    pub(super) scored_cpu: u64,
    pub(super) scored_memory: u64,
}

impl Request {
    /// The request of a pod of this spec.
    pub(super) fn of(spec: &PodSpec) -> Request {
        Request {
            cpu: spec.cpu,
            memory: spec.memory,
            scored_cpu: spec.scored_cpu,
            scored_memory: spec.scored_memory,
        }
    }
}

#[derive(Clone, Copy, Debug)]
struct Answer {
    stamp: u32,
    reasons: Reasons,
    score: u32,
}

/// Requests, numbered, with what is known of each node for them.
#[derive(Clone, Debug, Default)]
pub(super) struct Shapes {
    requests: Vec<Request>,
    answers: Vec<Vec<Answer>>,
    index: FxHashMap<Request, u32>,
    /// Shapes with answers, the oldest first.
    filled: VecDeque<u32>,
}

impl Shapes {
    /// The number of a spec's request.
    pub(super) fn of(&mut self, spec: &PodSpec) -> u32 {
        let request = Request::of(spec);
        *self.index.entry(request).or_insert_with(|| {
            self.requests.push(request);
            self.answers.push(Vec::new());
            self.requests.len() as u32 - 1
        })
    }

    /// Makes room for the answers of this shape.
    fn fill(&mut self, shape: u32, nodes: usize) {
        let answers = &mut self.answers[shape as usize];
        if answers.is_empty() {
            self.filled.push_back(shape);
        }
        answers.resize(nodes, Answer { stamp: 0, reasons: Reasons::NONE, score: 0 });
        if self.filled.len() > REMEMBERED
            && let Some(oldest) = self.filled.pop_front()
        {
            self.answers[oldest as usize] = Vec::new();
        }
    }
}

impl Cache {
    /// Prepares the answers for a cycle with this shape.
    pub(super) fn prepare_shape(&mut self, shape: u32) {
        let nodes = self.nodes.len();
        if self.shapes.answers[shape as usize].len() < nodes {
            self.shapes.fill(shape, nodes);
        }
    }

    /// How many of these nodes, from the first on, are open and known to have room for this shape as they are now;
    /// their scores are appended.
    pub(super) fn known_to_pass(&self, shape: u32, nodes: &[u32], scores: &mut Vec<i64>) -> usize {
        let answers = self.shapes.answers[shape as usize].as_slice();
        for (count, node) in nodes.iter().enumerate() {
            let answer = &answers[*node as usize];
            let is_known = answer.stamp == self.stamps[*node as usize] && answer.reasons == Reasons::NONE;
            if !(is_known && self.open[*node as usize]) {
                return count;
            }
            scores.push(i64::from(answer.score));
        }
        nodes.len()
    }

    /// Whether a request of this shape fits on the node, and the node's score for it: LeastAllocated and
    /// BalancedAllocation together, their weights are 1. [`Cache::prepare_shape`] was called in this cycle.
    pub(super) fn fit(&mut self, shape: u32, node: u32) -> (Reasons, i64) {
        let stamp = self.stamps[node as usize];
        let answer = &mut self.shapes.answers[shape as usize][node as usize];
        if answer.stamp != stamp {
            let request = &self.shapes.requests[shape as usize];
            let info = &self.nodes[node as usize];
            let reasons = fits(info, request, (0, 0, 0));
            let score = if reasons == Reasons::NONE { resource_score(info, request) } else { 0 };
            *answer = Answer { stamp, reasons, score: score as u32 };
        }
        (answer.reasons, i64::from(answer.score))
    }
}

/// Why a request does not fit beside what is on the node and `extra` (cpu, memory, pods) that is bound to come.
pub(super) fn fits(info: &NodeInfo, request: &Request, extra: (u64, u64, u32)) -> Reasons {
    let mut reasons = Reasons::NONE;
    if info.members.len() as u64 + u64::from(extra.2) + 1 > u64::from(info.pods) {
        reasons |= Reasons::PODS;
    }
    let resources = [
        (request.cpu, info.cpu, info.used_cpu + extra.0, Reasons::CPU),
        (request.memory, info.memory, info.used_memory + extra.1, Reasons::MEMORY),
    ];
    for (asked, allocatable, used, reason) in resources {
        if asked > 0 && asked > allocatable.saturating_sub(used) {
            reasons |= reason;
            if asked > allocatable {
                reasons |= Reasons::HOPELESS;
            }
        }
    }
    reasons
}

fn resource_score(info: &NodeInfo, request: &Request) -> i64 {
    let least = least_allocated(
        [info.scored_cpu + request.scored_cpu, info.scored_memory + request.scored_memory],
        [info.cpu, info.memory],
    );
    // A pod that requests nothing is not balanced: all such pods would end up on one node.
    if request.cpu == 0 && request.memory == 0 {
        return least;
    }
    let allocatable = [info.cpu, info.memory];
    let before = [info.used_cpu, info.used_memory];
    let after = [info.used_cpu + request.cpu, info.used_memory + request.memory];
    least + balanced_allocation(after, before, allocatable)
}

/// Mean over the resources of the free share in percent, each rounded down.
fn least_allocated(requested: [u64; 2], allocatable: [u64; 2]) -> i64 {
    let (mut sum, mut resources) = (0, 0);
    for (requested, allocatable) in requested.into_iter().zip(allocatable) {
        if allocatable == 0 {
            continue;
        }
        resources += 1;
        if requested <= allocatable {
            let share = u128::from(allocatable - requested) * MAX_SCORE as u128 / u128::from(allocatable);
            sum += share as i64;
        }
    }
    if resources == 0 { 0 } else { sum / resources }
}

/// How much more evenly the resources are used with the pod than without it.
fn balanced_allocation(after: [u64; 2], before: [u64; 2], allocatable: [u64; 2]) -> i64 {
    let half = MAX_SCORE / 2;
    half + (half + balance(after, allocatable) - balance(before, allocatable)) / 2
}

/// (1 - standard deviation of the used shares) in percent, rounded down.
fn balance(requested: [u64; 2], allocatable: [u64; 2]) -> i64 {
    if allocatable.contains(&0) {
        return MAX_SCORE;
    }
    let [cpu, memory] = [0, 1].map(|i| (requested[i] as f64 / allocatable[i] as f64).min(1.0));
    let deviation = ((cpu - memory) / 2.0).abs();
    ((1.0 - deviation) * MAX_SCORE as f64) as i64
}

/// Brings raw scores to 0..=100 and adds them, weighted, to the totals (`helper/normalize_score.go`). `reverse`: the
/// smaller the raw score the better.
pub(super) fn normalize(raw: &[i64], reverse: bool, weight: i64, totals: &mut [i64]) {
    let max = raw.iter().copied().max().unwrap_or(0);
    for (raw, total) in raw.iter().zip(totals) {
        let score = if max == 0 { 0 } else { MAX_SCORE * raw / max };
        *total += weight * if reverse { MAX_SCORE - score } else { score };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GI: u64 = 1 << 30;

    #[test]
    fn least_allocated_is_the_mean_of_free_shares() {
        let cases = [
            ([0, 0], [8000, 32 * GI], 100),
            ([1000, 4 * GI], [8000, 32 * GI], 87),
            ([3000, 5000], [4000, 10000], 37),
            ([6000, 0], [4000, 10000], 50),
            ([1000, 1000], [0, 4000], 75),
            ([1000, 1000], [0, 0], 0),
        ];
        for (requested, allocatable, score) in cases {
            assert_eq!(least_allocated(requested, allocatable), score, "{requested:?} of {allocatable:?}");
        }
    }

    #[test]
    fn balance_is_judged_by_the_change() {
        let allocatable = [8000, 32 * GI];
        let cases = [
            // In proportion to the node: nothing changes.
            ([0, 0], [1000, 4 * GI], 75),
            ([4000, 16 * GI], [5000, 20 * GI], 75),
            // Only cpu, on an empty node: a quarter of the node is an eighth of deviation.
            ([0, 0], [2000, 0], 50 + (50 + 87 - 100) / 2),
            // Only cpu, where memory was ahead: better.
            ([0, 8 * GI], [2000, 8 * GI], 50 + (50 + 100 - 87) / 2),
        ];
        for (before, after, score) in cases {
            assert_eq!(balanced_allocation(after, before, allocatable), score, "{before:?} to {after:?}");
        }
    }

    #[test]
    fn raw_scores_are_normalized() {
        let mut totals = [0; 3];
        normalize(&[0, 1, 2], true, WEIGHT_TAINTS, &mut totals);
        assert_eq!(totals, [300, 150, 0]);
        let mut totals = [0; 3];
        normalize(&[0, 0, 0], true, WEIGHT_TAINTS, &mut totals);
        assert_eq!(totals, [300; 3]);
        let mut totals = [1; 3];
        normalize(&[0, 10, 40], false, WEIGHT_NODE_AFFINITY, &mut totals);
        assert_eq!(totals, [1, 51, 201]);
    }
}
