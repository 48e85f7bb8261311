//! Which pods a ReplicaSet deletes first (RS-4, RS-5).
//!
//! Follows pkg/controller/controller_utils.go, ActivePodsWithRanks. The real comparison is no order in the strict
//! sense: the criteria "ready for longer" and "older" fall back to the uid only where the timestamps differ. So this
//! sorts by a merge sort of its own, which any comparison may drive. Where the real order is chance (all equal), the
//! uid decides. Sidecar restarts are not counted apart.
use crate::api::objects::{Phase, Pod};
use crate::api::store::Store;
use crate::kernel::{Id, Time};
use std::cmp::Ordering;

/// Annotation with the cost of deleting a pod.
const DELETION_COST: &str = "controller.kubernetes.io/pod-deletion-cost";

/// A pod that may be deleted, and how many related pods are active on its node.
#[derive(Clone, Debug)]
pub(super) struct Candidate {
    /// The pod.
    pub id: Id<Pod>,
    pod: Pod,
    cost: i32,
    neighbours: u32,
    uid: String,
}

impl Candidate {
    /// A candidate with this many active pods of the same owner on its node, itself included.
    pub(super) fn new(store: &Store, id: Id<Pod>, pod: &Pod, neighbours: u32) -> Candidate {
        let cost = store.names.known(DELETION_COST);
        let cost = cost.and_then(|key| store.labels.value(pod.meta.annotations, key));
        let cost = cost.and_then(|text| deletion_cost(store.names.text(text))).unwrap_or(0);
        Candidate { id, pod: *pod, cost, neighbours, uid: store.uid_text(pod.meta.uid) }
    }
}

/// A deletion cost as it is written; None if it is not valid: no plus sign, no leading zeros.
fn deletion_cost(text: &str) -> Option<i32> {
    let valid = text == "0" || text.starts_with(|first: char| first == '-' || ('1'..='9').contains(&first));
    if valid { text.parse().ok() } else { None }
}

fn phase_rank(phase: Phase) -> u8 {
    if phase == Phase::Pending { 0 } else { 1 }
}

/// The power of two of the nanoseconds since then; -1 if it is not in the past.
fn age_bucket(since: Time, now: Time) -> i64 {
    let age = now.as_nanos().saturating_sub(since.as_nanos());
    age.checked_ilog2().map_or(-1, i64::from)
}

/// Less: `a` is deleted before `b`.
fn compare(a: &Candidate, b: &Candidate, now: Time) -> Ordering {
    let (p, q) = (&a.pod, &b.pod);
    let first = (p.is_bound().cmp(&q.is_bound()))
        .then(phase_rank(p.phase).cmp(&phase_rank(q.phase)))
        .then(p.is_ready().cmp(&q.is_ready()))
        .then(a.cost.cmp(&b.cost))
        .then(b.neighbours.cmp(&a.neighbours));
    if first != Ordering::Equal {
        return first;
    }
    let younger = |x: Time, y: Time| age_bucket(x, now).cmp(&age_bucket(y, now)).then(a.uid.cmp(&b.uid));
    if p.is_ready() && p.ready_since != q.ready_since {
        return younger(p.ready_since.start(), q.ready_since.start());
    }
    if p.restarts != q.restarts {
        return q.restarts.cmp(&p.restarts);
    }
    if p.meta.created != q.meta.created {
        return younger(p.meta.created.start(), q.meta.created.start());
    }
    a.uid.cmp(&b.uid)
}

/// The first `count` pods to delete, in order. If all go, no order is made.
pub(super) fn choose(mut candidates: Vec<Candidate>, count: usize, now: Time) -> Vec<Id<Pod>> {
    if count < candidates.len() {
        candidates.sort_unstable_by(|a, b| a.uid.cmp(&b.uid));
        candidates = merge_sort(candidates, now);
    }
    candidates.iter().take(count).map(|candidate| candidate.id).collect()
}

/// Sorts bottom up. Terminates and loses nothing whatever the comparison says.
fn merge_sort(mut items: Vec<Candidate>, now: Time) -> Vec<Candidate> {
    let mut width = 1;
    while width < items.len() {
        let mut merged = Vec::with_capacity(items.len());
        let mut rest = items.into_iter().peekable();
        while rest.peek().is_some() {
            let mut left = rest.by_ref().take(width).collect::<Vec<_>>().into_iter().peekable();
            let mut right = rest.by_ref().take(width).collect::<Vec<_>>().into_iter().peekable();
            while let (Some(a), Some(b)) = (left.peek(), right.peek()) {
                let right_first = compare(b, a, now) == Ordering::Less;
                merged.extend(if right_first { right.next() } else { left.next() });
            }
            merged.extend(left);
            merged.extend(right);
        }
        items = merged;
        width *= 2;
    }
    items
}
