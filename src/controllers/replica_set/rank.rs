//! Which pods a ReplicaSet deletes first (RS-4, RS-5).
//!
//! Follows pkg/controller/controller_utils.go, ActivePodsWithRanks. The real comparison is no order in the strict
//! sense: the criteria "ready for longer" and "older" fall back to the uid only where the timestamps differ. So this
//! sorts by a merge sort of its own, which any comparison may drive. Where all is equal the real order is that of an
//! informer's index, mostly the order of creation while there are few pods (a small Go map is walked round from some
//! slot on): that is the order here. Sidecar restarts are not counted apart.
use crate::api::objects::{Phase, Pod};
use crate::api::store::Store;
use crate::kernel::{Id, Time};
use crate::rule::mark;
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
    Ordering::Equal
}

/// The first `count` pods to delete, in order. If all go, no order is made.
pub(super) fn choose(mut candidates: Vec<Candidate>, count: usize, now: Time) -> Vec<Id<Pod>> {
    if count < candidates.len() {
        mark!("RS-5");
        candidates.sort_unstable_by_key(|candidate| candidate.pod.meta.uid);
        candidates = merge_sort(candidates, now);
    }
    candidates.iter().take(count).map(|candidate| candidate.id).collect()
}

/// Sorts bottom up, stable. Terminates and loses nothing whatever the comparison says.
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::names::Uid;
    use crate::api::objects::*;
    use crate::kernel::U24;
    use proptest::prelude::*;

    const NOW: Time = Time::from_secs(10_000);

    fn pod() -> Pod {
        let mut flags = PodFlags::default();
        flags.set(PodFlags::READY, true);
        Pod {
            meta: Meta { created: Seconds(1000), ..Meta::default() },
            spec: PodSpecId::default(),
            node: Id::from_index(1),
            nominated: Id::NONE,
            ip: Ip::NONE,
            ready_since: Seconds(1000),
            started: Seconds(1000),
            restarts: U24::of(0),
            containers: Containers::Running,
            statuses: Default::default(),
            phase: Phase::Running,
            flags,
            reason: PodReason::None,
            disruption: Disruption::None,
        }
    }

    fn candidate(number: usize, pod: Pod, cost: i32, neighbours: u32) -> Candidate {
        let mut pod = pod;
        pod.meta.uid = Uid(u32::try_from(number).unwrap());
        Candidate { id: Id::from_index(number), pod, cost, neighbours, uid: format!("{number:04}") }
    }

    /// RS-5, one pair per criterion; the first of each pair goes first though its uid is the higher one.
    #[test]
    fn every_criterion_decides() {
        let change = |change: fn(&mut Pod)| {
            let mut pod = pod();
            change(&mut pod);
            pod
        };
        let unready = |change: fn(&mut Pod)| {
            let mut pod = pod();
            pod.flags.set(PodFlags::READY, false);
            change(&mut pod);
            pod
        };
        let same = |pod: Pod| (pod, 0, 1);
        let table = [
            ("unassigned", same(change(|p| p.node = Id::NONE)), same(change(|p| p.phase = Phase::Pending))),
            ("pending", same(change(|p| p.phase = Phase::Pending)), same(unready(|_| {}))),
            ("not ready", same(unready(|_| {})), (pod(), -5, 1)),
            ("cheaper", (pod(), -1, 1), (pod(), 0, 9)),
            ("crowded node", (pod(), 0, 2), same(change(|p| p.ready_since = Seconds(9_999)))),
            (
                "ready later",
                same(change(|p| p.ready_since = Seconds(9_999))),
                same(change(|p| p.restarts = U24::of(7))),
            ),
            (
                "restarted",
                same(change(|p| p.restarts = U24::of(1))),
                same(change(|p| p.meta.created = Seconds(9_999))),
            ),
            ("younger", same(change(|p| p.meta.created = Seconds(9_999))), same(pod())),
            (
                "unready: the ready time says nothing",
                same(unready(|p| p.meta.created = Seconds(9_999))),
                same(unready(|p| p.ready_since = Seconds(9_999))),
            ),
        ];
        for (name, first, second) in table {
            let candidates =
                [(7, first), (3, second)].map(|(n, (pod, cost, near))| candidate(n, pod, cost, near));
            assert_eq!(choose(candidates.to_vec(), 1, NOW), [Id::from_index(7)], "{name}");
        }
    }

    /// Ages are compared in powers of two of nanoseconds; in one bucket the uid decides, not the age.
    #[test]
    fn t_dep_033_ages_are_coarse_and_the_uid_breaks_ties() {
        let ready = |since| Pod { ready_since: Seconds(since), ..pod() };
        let first = |a: u32, b: u32| {
            let candidates = [candidate(1, ready(a), 0, 1), candidate(2, ready(b), 0, 1)];
            choose(candidates.to_vec(), 1, NOW)[0].index()
        };
        // 4000 s and 4300 s: both between 2^41 and 2^42 ns; 4000 s and 4500 s are not.
        assert_eq!((first(6_000, 5_700), first(5_700, 6_000)), (1, 1));
        assert_eq!((first(6_000, 5_500), first(5_500, 6_000)), (1, 2));
        // Not in the past: before all others.
        assert_eq!(first(9_999, 10_000), 2);
    }

    #[test]
    fn costs_are_read_strictly() {
        for (text, cost) in [
            ("5", Some(5)),
            ("-5", Some(-5)),
            ("0", Some(0)),
            ("+5", None),
            ("05", None),
            ("", None),
            ("x", None),
            ("2147483648", None),
        ] {
            assert_eq!(deletion_cost(text), cost, "{text}");
        }
    }

    #[test]
    fn equals_go_in_order_of_creation() {
        let candidates = [5, 2, 9].map(|n| candidate(n, pod(), 0, 1));
        let ids: Vec<_> = choose(candidates.to_vec(), 2, NOW).iter().map(|id| id.index()).collect();
        assert_eq!(ids, [2, 5], "the oldest has the lowest uid");
    }

    #[test]
    fn all_go_without_an_order() {
        let candidates = [5, 2, 9].map(|n| candidate(n, pod(), 0, 1));
        let ids: Vec<_> = choose(candidates.to_vec(), 3, NOW).iter().map(|id| id.index()).collect();
        assert_eq!(ids, [5, 2, 9]);
    }

    proptest! {
        /// Whatever the pods are, nothing is lost, and no pod that goes is better placed by a strict criterion than
        /// one that stays.
        #[test]
        fn worse_pods_go_first(
            pods in prop::collection::vec((any::<bool>(), 0..3u8, any::<bool>(), 0..3i32, 0..9_999u32, 0..3u32), 1..40),
            count in 0..40usize,
        ) {
            let candidates: Vec<_> = pods.iter().enumerate().map(|(n, (bound, phase, ready, cost, since, restarts))| {
                let mut pod = pod();
                pod.node = if *bound { Id::from_index(1) } else { Id::NONE };
                pod.phase = if *phase == 0 { Phase::Pending } else { Phase::Running };
                pod.flags.set(PodFlags::READY, *ready);
                pod.ready_since = Seconds(*since);
                pod.restarts = U24::of(*restarts);
                candidate(n, pod, *cost, 1)
            }).collect();
            let gone = choose(candidates.clone(), count, NOW);
            prop_assert_eq!(gone.len(), count.min(candidates.len()));
            let strict = |c: &Candidate| (c.pod.is_bound(), phase_rank(c.pod.phase), c.pod.is_ready(), c.cost);
            let stays = |c: &&Candidate| !gone.contains(&c.id);
            let best_gone = candidates.iter().filter(|c| gone.contains(&c.id)).map(strict).max();
            let worst_kept = candidates.iter().filter(stays).map(strict).min();
            if let (Some(gone), Some(kept)) = (best_gone, worst_kept) {
                prop_assert!(gone <= kept);
            }
        }
    }
}
