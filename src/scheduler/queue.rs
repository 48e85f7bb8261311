//! The scheduling queue: which pod is tried next, and which wait for what.
//!
//! Follows `backend/queue/{scheduling_queue,active_queue,backoff_queue}.go` (SCHED-4 to SCHED-9). A cycle here begins
//! and ends at one instant as far as the queue is concerned: a rejected pod is filed at once, so an event that arrives
//! while the real scheduler still works on the pod finds it filed, and the list of in-flight events is not needed.
//!
//! Unschedulable pods are filed by class and rejecting plugins: a cluster event asks the hint of a plugin once for all
//! pods that are alike.
use super::cache::{Cache, ClaimKey, State};
use super::messages::Plugins;
use crate::api::names::Uid;
use crate::api::objects::Pod;
use crate::config::Timers;
use crate::kernel::{Duration, Id, Time};
use crate::rule::mark;
use rustc_hash::FxHashMap;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap, VecDeque};

/// Place in activeQ: priority, then time of entry, then age.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
struct Entry {
    priority: Reverse<i32>,
    time: Time,
    uid: Uid,
    pod: Id<Pod>,
}

/// What is kept of a pod that was tried at least once.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wait {
    pub(super) uid: Uid,
    /// When it was put back last.
    since: Time,
    /// Attempts so far.
    pub(super) attempts: u32,
    rejections: u32,
    errors: u32,
    /// Who rejected it; nobody: the attempt ended with an error.
    plugins: Plugins,
    class: u32,
    filed: bool,
}

impl Wait {
    /// The second in which its back-off ends (SCHED-6); it may go at the first whole second after that one.
    fn window(&self, timers: &Timers) -> Time {
        let tries = if self.errors > 0 { self.errors } else { self.rejections };
        let mut duration = timers.pod_initial_backoff;
        for _ in 1..tries.min(32) {
            duration = (duration + duration).min(timers.pod_max_backoff);
        }
        (self.since + duration.min(timers.pod_max_backoff)).whole_seconds()
    }
}

/// See the module documentation.
#[derive(Clone, Debug, Default)]
pub(super) struct SchedulingQueue {
    /// Entries that came in order.
    fifo: VecDeque<Entry>,
    /// The others.
    heap: BinaryHeap<Reverse<Entry>>,
    /// Rejected pods in back-off, by its end.
    backoff: BTreeSet<(Time, Entry)>,
    /// Pods in back-off after an error.
    error_backoff: BTreeSet<(Time, Entry)>,
    waits: FxHashMap<u32, Wait>,
    /// Unschedulable pods by class and rejecting plugins.
    unschedulable: BTreeMap<(u32, Plugins), BTreeSet<u32>>,
    /// Those of them that a plugin of volumes rejected, by their claims.
    by_claim: FxHashMap<ClaimKey, Vec<u32>>,
}

impl SchedulingQueue {
    /// True if a cycle has a pod to try now (SCHED-7: pods in back-off for a rejection count).
    pub(super) fn has_next(&self) -> bool {
        !self.fifo.is_empty() || !self.heap.is_empty() || !self.backoff.is_empty()
    }

    /// What is kept of a pod that was tried before.
    pub(super) fn wait(&self, pod: Id<Pod>) -> Option<&Wait> {
        self.waits.get(&pod.as_u32())
    }

    /// Until when an error keeps a pod from being tried again.
    pub(super) fn error_until(&self, pod: Id<Pod>) -> Option<Time> {
        let found = self.error_backoff.iter().find(|(_, entry)| entry.pod == pod);
        found.map(|(window, _)| *window + Duration::from_secs(1))
    }

    /// The class an unschedulable pod is filed under.
    pub(super) fn class_of(&self, pod: Id<Pod>) -> Option<u32> {
        self.wait(pod).map(|wait| wait.class)
    }

    /// A pod enters activeQ.
    pub(super) fn add(&mut self, pod: Id<Pod>, uid: Uid, priority: i32, time: Time, cache: &mut Cache) {
        let slot = cache.slot_mut(pod);
        (slot.uid, slot.state) = (uid, State::Active);
        let entry = Entry { priority: Reverse(priority), time, uid, pod };
        if self.fifo.back().is_none_or(|last| *last < entry) {
            self.fifo.push_back(entry);
        } else {
            self.heap.push(Reverse(entry));
        }
    }

    /// Takes the pod to try next.
    pub(super) fn pop(&mut self, now: Time, cache: &mut Cache) -> Option<(Id<Pod>, Uid)> {
        self.flush_backoff(now, cache);
        loop {
            let from_heap = match (self.fifo.front(), self.heap.peek()) {
                (Some(first), Some(Reverse(other))) => other < first,
                (None, Some(_)) => true,
                _ => false,
            };
            let entry = if from_heap { self.heap.pop().map(|e| e.0) } else { self.fifo.pop_front() };
            let (entry, state) = match entry {
                Some(entry) => (entry, State::Active),
                None => {
                    let (_, entry) = self.backoff.pop_first()?;
                    mark!("SCHED-7");
                    (entry, State::Backoff)
                }
            };
            let slot = cache.slot_mut(entry.pod);
            if slot.uid != entry.uid || slot.state != state {
                continue;
            }
            mark!("SCHED-4" if !self.fifo.is_empty() || !self.heap.is_empty());
            slot.state = State::None;
            if let Some(wait) = self.waits.get_mut(&entry.pod.as_u32()) {
                wait.attempts += 1;
            }
            return Some((entry.pod, entry.uid));
        }
    }

    /// On each whole second, pods whose back-off is over enter activeQ (SCHED-6).
    pub(super) fn flush_backoff(&mut self, now: Time, cache: &mut Cache) {
        let second = now.whole_seconds();
        for rejected in [true, false] {
            loop {
                let heap = if rejected { &mut self.backoff } else { &mut self.error_backoff };
                let Some((_, entry)) = heap.first().filter(|(window, _)| *window < second).copied() else {
                    break;
                };
                heap.pop_first();
                let slot = cache.slot(entry.pod);
                if slot.uid == entry.uid && slot.state == State::Backoff {
                    self.add(entry.pod, entry.uid, entry.priority.0, entry.time, cache);
                }
            }
        }
    }

    fn wait_mut(&mut self, pod: Id<Pod>, uid: Uid, class: u32, now: Time) -> &mut Wait {
        let fresh = Wait {
            uid,
            since: now,
            attempts: 1,
            rejections: 0,
            errors: 0,
            plugins: Plugins::NONE,
            class,
            filed: false,
        };
        let wait = self.waits.entry(pod.as_u32()).or_insert(fresh);
        if wait.uid != uid {
            *wait = fresh;
        }
        wait.since = now;
        wait.class = class;
        wait
    }

    /// Plugins rejected a pod: it waits for one of their events.
    pub(super) fn reject(
        &mut self,
        pod: (Id<Pod>, Uid),
        class: u32,
        plugins: Plugins,
        claims: impl Iterator<Item = ClaimKey>,
        now: Time,
        cache: &mut Cache,
    ) {
        let wait = self.wait_mut(pod.0, pod.1, class, now);
        wait.rejections += 1;
        wait.errors = 0;
        wait.plugins = plugins;
        wait.filed = true;
        mark!("SCHED-5");
        self.unschedulable.entry((class, plugins)).or_default().insert(pod.0.as_u32());
        if plugins.meets(Plugins::VOLUMES) {
            for claim in claims {
                self.by_claim.entry(claim).or_default().push(pod.0.as_u32());
            }
        }
        let slot = cache.slot_mut(pod.0);
        (slot.uid, slot.state) = (pod.1, State::Unschedulable);
    }

    /// An attempt ended with an error: the pod is tried again after a back-off, whatever happens. Returns when.
    pub(super) fn fail(
        &mut self,
        pod: (Id<Pod>, Uid),
        class: u32,
        priority: i32,
        now: Time,
        timers: &Timers,
        cache: &mut Cache,
    ) -> Time {
        let wait = self.wait_mut(pod.0, pod.1, class, now);
        wait.errors += 1;
        wait.plugins = Plugins::NONE;
        let window = wait.window(timers);
        let entry = Entry { priority: Reverse(priority), time: now, uid: pod.1, pod: pod.0 };
        mark!("SCHED-6");
        self.error_backoff.insert((window, entry));
        let slot = cache.slot_mut(pod.0);
        (slot.uid, slot.state) = (pod.1, State::Backoff);
        window + Duration::from_secs(1)
    }

    /// The pod is bound or gone: nothing is kept of it.
    pub(super) fn forget(&mut self, pod: Id<Pod>, claims: impl Iterator<Item = ClaimKey>) {
        if self.waits.is_empty() {
            return;
        }
        self.unfile(pod, claims);
        self.waits.remove(&pod.as_u32());
    }

    fn unfile(&mut self, pod: Id<Pod>, claims: impl Iterator<Item = ClaimKey>) {
        let Some(wait) = self.waits.get_mut(&pod.as_u32()).filter(|wait| wait.filed) else { return };
        wait.filed = false;
        let key = (wait.class, wait.plugins);
        if let Some(group) = self.unschedulable.get_mut(&key) {
            group.remove(&pod.as_u32());
            if group.is_empty() {
                self.unschedulable.remove(&key);
            }
        }
        if key.1.meets(Plugins::VOLUMES) {
            for claim in claims {
                if let Some(list) = self.by_claim.get_mut(&claim) {
                    list.retain(|other| *other != pod.as_u32());
                    if list.is_empty() {
                        self.by_claim.remove(&claim);
                    }
                }
            }
        }
    }

    /// An unschedulable pod goes to activeQ, or to backoffQ if it was put back only now (SCHED-5).
    pub(super) fn requeue(
        &mut self,
        pod: Id<Pod>,
        priority: i32,
        claims: impl Iterator<Item = ClaimKey>,
        now: Time,
        timers: &Timers,
        cache: &mut Cache,
    ) {
        let slot = cache.slot(pod);
        if slot.state != State::Unschedulable {
            return;
        }
        self.unfile(pod, claims);
        let Some(wait) = self.waits.get(&pod.as_u32()).copied() else { return };
        let window = wait.window(timers);
        if window < now.whole_seconds() {
            self.add(pod, wait.uid, priority, wait.since, cache);
        } else {
            let entry = Entry { priority: Reverse(priority), time: wait.since, uid: wait.uid, pod };
            self.backoff.insert((window, entry));
            cache.slot_mut(pod).state = State::Backoff;
        }
    }

    /// True if some unschedulable pod was rejected by one of these plugins.
    pub(super) fn is_waited_for(&self, plugins: Plugins) -> bool {
        self.unschedulable.keys().any(|(_, rejecting)| rejecting.meets(plugins))
    }

    /// The unschedulable pods of all classes for which `hint` (asked with the class and the rejecting plugins) says
    /// that an event may help.
    pub(super) fn helped(&self, mut hint: impl FnMut(u32, Plugins) -> bool) -> Vec<Id<Pod>> {
        let mut pods = Vec::new();
        for ((class, plugins), group) in &self.unschedulable {
            if hint(*class, *plugins) {
                pods.extend(group.iter().map(|pod| Id::from_index(*pod as usize)));
            }
        }
        pods
    }

    /// The unschedulable pods that wait for this claim.
    pub(super) fn waiting_for(&self, claim: ClaimKey) -> Vec<Id<Pod>> {
        let list = self.by_claim.get(&claim).map_or(&[] as &[u32], |list| list);
        list.iter().map(|pod| Id::from_index(*pod as usize)).collect()
    }

    /// Unschedulable pods put back before `then`, and when the oldest of the others was put back.
    pub(super) fn left_over(&self, then: Time) -> (Vec<Id<Pod>>, Option<Time>) {
        let (mut old, mut oldest) = (Vec::new(), None::<Time>);
        for pod in self.unschedulable.values().flatten() {
            let Some(wait) = self.waits.get(pod) else { continue };
            if wait.since < then {
                old.push(Id::from_index(*pod as usize));
            } else {
                oldest = Some(oldest.map_or(wait.since, |time| time.min(wait.since)));
            }
        }
        (old, oldest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    fn pod(n: u32) -> (Id<Pod>, Uid) {
        (Id::from_index(n as usize), Uid(n + 1))
    }

    fn at(millis: u64) -> Time {
        Time::ZERO + Duration::from_millis(millis)
    }

    struct Bench {
        queue: SchedulingQueue,
        cache: Cache,
        timers: Timers,
    }

    impl Bench {
        fn new() -> Bench {
            let timers = Config::default().timers;
            Bench { queue: SchedulingQueue::default(), cache: Cache::default(), timers }
        }
        fn add(&mut self, n: u32, priority: i32, time: u64) {
            self.queue.add(pod(n).0, pod(n).1, priority, at(time), &mut self.cache);
        }
        fn pop(&mut self, time: u64) -> Option<u32> {
            self.queue.pop(at(time), &mut self.cache).map(|(id, _)| id.as_u32())
        }
        fn reject(&mut self, n: u32, plugins: Plugins, time: u64) {
            self.queue.reject(pod(n), 0, plugins, std::iter::empty(), at(time), &mut self.cache);
        }
        fn requeue(&mut self, n: u32, time: u64) {
            let none = std::iter::empty();
            self.queue.requeue(pod(n).0, 0, none, at(time), &self.timers, &mut self.cache);
        }
    }

    #[test]
    fn by_priority_then_time_then_age() {
        let mut bench = Bench::new();
        for (n, priority, time) in [(0, 0, 5), (1, 0, 6), (2, 10, 7), (3, 0, 4), (4, 10, 7)] {
            bench.add(n, priority, time);
        }
        let order: Vec<u32> = std::iter::from_fn(|| bench.pop(10)).collect();
        assert_eq!(order, [2, 4, 3, 0, 1]);
    }

    #[test]
    fn an_idle_scheduler_ignores_the_backoff_of_a_rejection() {
        let mut bench = Bench::new();
        bench.add(0, 0, 100);
        assert_eq!(bench.pop(100), Some(0));
        bench.reject(0, Plugins::RESOURCES, 100);
        assert!(!bench.queue.has_next());
        bench.requeue(0, 150);
        assert!(bench.queue.has_next());
        // A pod in activeQ comes first, then the one in back-off, long before its second is over.
        bench.add(1, 0, 160);
        assert_eq!([bench.pop(160), bench.pop(161), bench.pop(162)], [Some(1), Some(0), None]);
    }

    #[test]
    fn after_an_error_the_backoff_is_real() {
        let mut bench = Bench::new();
        let mut delays = Vec::new();
        let mut now = 400;
        for _ in 0..6 {
            let again =
                bench.queue.fail(pod(0), 0, 0, at(now), &bench.timers.clone(), &mut bench.cache).as_nanos()
                    / 1_000_000;
            assert_eq!(bench.pop(again - 1), None);
            assert_eq!(bench.pop(again), Some(0));
            delays.push(again - now);
            now = again + 400;
        }
        // 1, 2, 4, 8, 10 s; up to the next whole second after that (SCHED-6).
        assert_eq!(delays, [1600, 2600, 4600, 8600, 10600, 10600]);
    }

    #[test]
    fn events_ask_once_per_class() {
        let mut bench = Bench::new();
        for n in 0..100 {
            bench.add(n, 0, 1);
            bench.pop(1);
            bench.reject(n, if n == 7 { Plugins::POD_AFFINITY } else { Plugins::RESOURCES }, 1);
        }
        assert!(
            bench.queue.is_waited_for(Plugins::RESOURCES) && !bench.queue.is_waited_for(Plugins::VOLUMES)
        );
        let mut asked = 0;
        let helped = bench.queue.helped(|_, plugins| {
            asked += 1;
            plugins == Plugins::POD_AFFINITY
        });
        assert_eq!((asked, helped), (2, vec![pod(7).0]));
        bench.requeue(7, 10_000);
        assert!(!bench.queue.is_waited_for(Plugins::POD_AFFINITY));
        assert_eq!(bench.queue.left_over(at(2)).0.len(), 99);
        assert_eq!(bench.queue.left_over(at(1)), (Vec::new(), Some(at(1))));
    }
}
