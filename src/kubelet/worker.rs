//! Pod workers: what a kubelet knows and does about one incarnation of one pod (pkg/kubelet/pod_workers.go).
//!
//! There is one worker per (pod, uid). It may outlive its API object, and while it stops, its successor of the same
//! name may already run on another node or on the same one (POD-41): so workers are found by the pod's table position
//! and uid, and those that a successor has displaced are kept aside. A worker is a small record with its one container
//! in it; those of pods with several containers, and what few pods have, are beside it. What can be looked up (spec, behaviour) it does not hold.
use crate::api::names::Uid;
use crate::api::objects::{EndReason, Ended, Node, Pod, PodReason, PodSpecId, Seconds, Volume};
use crate::kernel::{Id, Time, U24};
use rustc_hash::FxHashMap;
use std::collections::BTreeMap;

/// Where a worker is in the life of its pod (POD-17, POD-33, POD-36).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[repr(u8)]
pub(super) enum Stage {
    /// Waits for its claims to be bound and its volumes to be attached (VOL-40, VOL-41).
    #[default]
    Waiting,
    /// Volumes are being staged and published.
    Mounting,
    /// The sandbox is being made.
    Sandbox,
    /// Containers are started and run, each for itself: see [`Step`].
    Up,
    /// All containers are being stopped, to begin anew (POD-26).
    Restarting,
    /// SIGTERM has been sent.
    Stopping,
    /// No container runs any more, for good: status, volumes and deletion follow (POD-36).
    Stopped,
    /// All done; the API object remains until somebody deletes it (POD-44).
    Finished,
}

/// Where a container is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[repr(u8)]
pub(super) enum Step {
    /// Its turn has not come.
    #[default]
    Idle,
    /// Its image is being pulled.
    Pulling,
    /// A pull has just failed (POD-19).
    PullFailed,
    /// Waits before the next pull (POD-19).
    PullBackoff,
    /// It is being started; it may run already while its postStart hook does.
    Starting,
    /// It runs.
    Running,
    /// It is being stopped alone, to be restarted (POD-25).
    Killing,
    /// It has exited, the kubelet has not noticed (POD-20).
    Exited,
    /// Waits before the next restart (POD-21).
    Backoff,
    /// It has ended for good.
    Done,
}

/// What a worker or one of its containers waits for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub(super) enum What {
    /// Claims are looked at again.
    Claims,
    /// Waiting for volumes no longer keeps the cluster from being settled.
    HoldOver,
    /// The time for mounting volumes is up (VOL-39).
    MountTimeout,
    /// Volumes are published.
    Mounted,
    /// The sandbox is there.
    Sandbox,
    /// The containers have stopped.
    Stopped,
    /// The containers of a pod that restarts have stopped.
    AllStopped,
    /// Volumes are unpublished.
    Unpublished,
    /// The final delete reaches the API server.
    Delete,
    /// From here on: of one container. Its image is there.
    Pulled,
    /// A pod sync finds the pull still in back-off (POD-19).
    PullSync,
    /// The image is pulled again.
    PullRetry,
    /// The process runs.
    Started,
    /// The postStart hook has returned.
    Hooked,
    /// Its startup probe has succeeded (POD-28).
    StartedUp,
    /// Its startup or liveness probe has failed often enough (POD-25).
    Dead,
    /// Its readiness changes.
    Ready,
    /// It exits three seconds from now.
    ExitNear,
    /// It exits.
    Exit,
    /// The kubelet notices the exit.
    Noticed,
    /// The back-off is over.
    Restart,
}

impl What {
    const ALL: [What; 21] = [
        What::Claims,
        What::HoldOver,
        What::MountTimeout,
        What::Mounted,
        What::Sandbox,
        What::Stopped,
        What::AllStopped,
        What::Unpublished,
        What::Delete,
        What::Pulled,
        What::PullSync,
        What::PullRetry,
        What::Started,
        What::Hooked,
        What::StartedUp,
        What::Dead,
        What::Ready,
        What::ExitNear,
        What::Exit,
        What::Noticed,
        What::Restart,
    ];

    /// True if one container waits for it, not the pod.
    pub(super) fn is_of_container(self) -> bool {
        self as u8 >= What::Pulled as u8
    }

    /// True if the cluster is not settled until this has happened. Back-offs and distant exits may last for ever.
    pub(super) fn holds(self) -> bool {
        use What::*;
        !matches!(self, Claims | MountTimeout | PullSync | PullRetry | ExitNear | Restart)
    }
}

/// Facts about a worker, as a bit set.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Flags(u16);

impl Flags {
    /// Readiness was set from outside, to true.
    pub(super) const FORCED_READY: u16 = 1;
    /// Readiness was set from outside, to false.
    pub(super) const FORCED_UNREADY: u16 = 1 << 1;
    /// The next start makes a sandbox.
    pub(super) const NO_SANDBOX: u16 = 1 << 2;
    /// The sandbox is new: its address has not been reported.
    pub(super) const NEW_ADDRESS: u16 = 1 << 3;
    /// A status write is under way.
    pub(super) const WRITING: u16 = 1 << 4;
    /// There is something to report that has not been written.
    pub(super) const DIRTY: u16 = 1 << 5;
    /// The final status is in the API.
    pub(super) const ENDED: u16 = 1 << 6;
    /// Volumes are being released.
    pub(super) const RELEASING: u16 = 1 << 7;
    /// Its requests count against what the node has.
    pub(super) const COUNTED: u16 = 1 << 8;
    /// The last of its containers that ended was ended because of its liveness or startup probe.
    pub(super) const PROBE_FAILED: u16 = 1 << 9;
    /// A container of it has run on its disks.
    pub(super) const USES_DISKS: u16 = 1 << 10;
    /// No container had run on any of its disks before.
    pub(super) const NEW_DISKS: u16 = 1 << 11;
    /// A write has failed: the next round of the status manager tries again.
    pub(super) const RETRYING: u16 = 1 << 12;
    /// That write was the final delete.
    pub(super) const DELETE_FAILED: u16 = 1 << 13;

    pub(super) fn has(self, flag: u16) -> bool {
        self.0 & flag != 0
    }
    pub(super) fn set(&mut self, flag: u16, on: bool) {
        self.0 = if on { self.0 | flag } else { self.0 & !flag };
    }
}

/// Numbers the steps of something that waits: 24 bits, as an event carries it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Generation(U24);

impl Generation {
    fn number(self) -> u32 {
        self.0.get()
    }

    fn advance(&mut self) {
        self.0 = U24::of((self.number() + 1) & U24::MAX);
    }
}

/// One container: the process, and what the kubelet knows of it.
#[derive(Clone, Debug, Default)]
pub(super) struct Run {
    /// Start of the present or the last run.
    since: Time,
    /// What only some containers have: those that have ended, are being stopped or are probed from a time of their own.
    past: Option<Box<Past>>,
    /// Events of an earlier generation are stale.
    generation: Generation,
    pub(super) step: Step,
    pub(super) flags: Flags,
    /// How many of its pending events hold the cluster.
    pub(super) holds: u8,
}

/// See the methods of [`Run`] of the same names.
#[derive(Clone, Debug, Default)]
struct Past {
    ended: Time,
    probed_from: Time,
    end: Ended,
    restarts: u32,
    tries: u8,
    code: u8,
    why: EndReason,
}

/// Facts about a container.
impl Run {
    /// It really runs: the process, not the object.
    pub(super) const RUNS: u16 = 1;
    /// It has run before.
    pub(super) const RAN: u16 = 1 << 1;
    /// It is ready.
    pub(super) const READY: u16 = 1 << 2;
    /// It has started up: it has no startup probe, or that has succeeded.
    pub(super) const STARTED: u16 = 1 << 3;
    /// The kubelet is busy starting it, and has not looked at it since.
    pub(super) const NEW: u16 = 1 << 4;
    /// It answers no probe (fault `hang`).
    pub(super) const HUNG: u16 = 1 << 5;
    /// It answers no readiness probe: its condition is not met ([`Kubelets::answers_probes`]).
    ///
    /// [`Kubelets::answers_probes`]: super::Kubelets::answers_probes
    pub(super) const CLOSED: u16 = 1 << 7;
    /// Its readiness probe ticks from the start of its run on.
    const PROBED_AT_START: u16 = 1 << 6;

    pub(super) fn is(&self, flag: u16) -> bool {
        self.flags.has(flag)
    }
    pub(super) fn set(&mut self, flag: u16, on: bool) {
        self.flags.set(flag, on);
    }
    fn past_mut(&mut self) -> &mut Past {
        self.past.get_or_insert_default()
    }
    fn of_past<T: Default>(&self, what: impl FnOnce(&Past) -> T) -> T {
        self.past.as_deref().map_or_else(T::default, what)
    }

    /// Start of the present or the last run.
    pub(super) fn since(&self) -> Time {
        self.since
    }
    /// A run starts; the readiness probe is not asked before [`Run::set_probed_from`] has said since when.
    pub(super) fn starts(&mut self, now: Time) {
        let probed_from = self.probed_from();
        self.since = now;
        self.set_probed_from(probed_from);
    }

    /// End of the last run; while it is being stopped, when it will end. Zero: it has not run before.
    pub(super) fn ended(&self) -> Time {
        self.of_past(|past| past.ended)
    }
    pub(super) fn set_ended(&mut self, time: Time) {
        self.past_mut().ended = time;
    }

    /// From when on its readiness probe ticks (POD-29).
    pub(super) fn probed_from(&self) -> Time {
        if self.is(Run::PROBED_AT_START) { self.since } else { self.of_past(|past| past.probed_from) }
    }
    pub(super) fn set_probed_from(&mut self, time: Time) {
        let at_start = time == self.since;
        self.set(Run::PROBED_AT_START, at_start);
        if !at_start && time != self.probed_from() {
            self.past_mut().probed_from = time;
        }
    }

    /// The run that ended last.
    pub(super) fn end(&self) -> Ended {
        self.of_past(|past| past.end)
    }
    pub(super) fn set_end(&mut self, end: Ended) {
        self.past_mut().end = end;
    }

    pub(super) fn restarts(&self) -> u32 {
        self.of_past(|past| past.restarts)
    }
    pub(super) fn set_restarts(&mut self, restarts: u32) {
        if restarts != self.restarts() {
            self.past_mut().restarts = restarts;
        }
    }

    /// Restarts (or pulls) of the present series (POD-21).
    pub(super) fn tries(&self) -> u8 {
        self.of_past(|past| past.tries)
    }
    /// One more of the series.
    pub(super) fn tries_again(&mut self) {
        let tries = &mut self.past_mut().tries;
        *tries = tries.saturating_add(1);
    }
    /// The series is over.
    pub(super) fn forget_tries(&mut self) {
        if let Some(past) = &mut self.past {
            past.tries = 0;
        }
    }

    /// Exit code of the next exit, as far as one is planned, or of the last.
    pub(super) fn code(&self) -> u8 {
        self.of_past(|past| past.code)
    }
    /// Code and reason of the next exit.
    pub(super) fn plan(&mut self, code: u8, why: EndReason) {
        if (code, why) != (0, EndReason::ByCode) || self.past.is_some() {
            let past = self.past_mut();
            (past.code, past.why) = (code, why);
        }
    }

    /// The process has ended, as was planned, at `time`.
    pub(super) fn ends(&mut self, time: Time) {
        self.set(Run::RUNS, false);
        let (started, finished) = (Seconds::of(self.since), Seconds::of(time));
        let past = self.past_mut();
        past.ended = time;
        past.end = Ended { code: past.code, why: past.why, started, finished };
    }
    /// A new step: everything waited for is off.
    pub(super) fn enter(&mut self, step: Step) {
        self.step = step;
        self.generation.advance();
    }
}

/// One worker.
#[derive(Clone, Debug, Default)]
pub(super) struct Worker {
    pub(super) pod: Id<Pod>,
    pub(super) uid: Uid,
    pub(super) node: Id<Node>,
    pub(super) spec: PodSpecId,
    /// Its one volume; `NONE` if it has none or several (then see [`Workers::volumes`]).
    pub(super) volume: Id<Volume>,
    /// Place in the list of its node.
    pub(super) place: u32,
    /// Events of an earlier generation are stale.
    pub(super) generation: Generation,
    pub(super) stage: Stage,
    pub(super) flags: Flags,
    /// Looks at claims of the present series.
    pub(super) tries: u8,
    /// How many of its pending events hold the cluster, those of its containers apart.
    pub(super) holds: u8,
    /// Its container, if it has only one; otherwise see [`Workers::runs`].
    pub(super) only: Run,
}

impl Worker {
    pub(super) fn is(&self, flag: u16) -> bool {
        self.flags.has(flag)
    }
    /// A new stage: everything waited for is off.
    pub(super) fn enter(&mut self, stage: Stage) {
        self.stage = stage;
        self.generation.advance();
    }
}

const NONE: u32 = u32::MAX;

/// All workers of all nodes.
#[derive(Clone, Debug, Default)]
pub(super) struct Workers {
    slots: Vec<Worker>,
    free: Vec<u32>,
    /// By table position of the pod: the worker of the latest incarnation.
    latest: Vec<u32>,
    /// Workers of earlier incarnations that still stop.
    displaced: BTreeMap<(u32, Uid), u32>,
    /// The volumes of workers that have more than one.
    several: FxHashMap<u32, Box<[Id<Volume>]>>,
    /// The containers of workers that have more than one, init containers first.
    many: FxHashMap<u32, Box<[Run]>>,
    /// Why the pods of workers fail for good whose kubelet decided so.
    failing: FxHashMap<u32, PodReason>,
    /// When workers with startup or liveness probes began to look after their containers.
    since: FxHashMap<u32, Time>,
}

impl Workers {
    pub(super) fn find(&self, pod: Id<Pod>, uid: Uid) -> Option<u32> {
        let slot = self.latest(pod)?;
        if self.slots[slot as usize].uid == uid {
            Some(slot)
        } else {
            self.displaced.get(&(pod.as_u32(), uid)).copied()
        }
    }

    /// The worker of the latest incarnation of this name.
    pub(super) fn latest(&self, pod: Id<Pod>) -> Option<u32> {
        self.latest.get(pod.index()).copied().filter(|slot| *slot != NONE)
    }

    /// All workers of this name, the one of the latest incarnation first.
    pub(super) fn of(&self, pod: Id<Pod>) -> impl Iterator<Item = u32> {
        let same = (pod.as_u32(), Uid(0))..=(pod.as_u32(), Uid(u32::MAX));
        self.latest(pod).into_iter().chain(self.displaced.range(same).rev().map(|(_, slot)| *slot))
    }

    /// The number an event carries: of the worker, or of one of its containers.
    pub(super) fn token(&self, slot: u32, index: Option<usize>, what: What) -> u32 {
        let generation = match index {
            None => self[slot].generation.number(),
            Some(index) => self.run(slot, index).generation.number(),
        };
        generation << 8 | what as u32
    }

    /// What an event's number means, if it is not stale.
    pub(super) fn read(&self, slot: u32, index: usize, token: u32) -> Option<What> {
        let what = What::ALL.get((token & 0xff) as usize).copied()?;
        let generation = if what.is_of_container() {
            self.runs(slot).get(index)?.generation.number()
        } else {
            self[slot].generation.number()
        };
        (token >> 8 == generation).then_some(what)
    }

    /// The containers of a worker, init containers first.
    pub(super) fn runs(&self, slot: u32) -> &[Run] {
        if self.many.is_empty() {
            return std::slice::from_ref(&self[slot].only);
        }
        self.many.get(&slot).map_or(std::slice::from_ref(&self.slots[slot as usize].only), |runs| runs)
    }

    /// The same, to change them.
    pub(super) fn runs_mut(&mut self, slot: u32) -> &mut [Run] {
        match self.many.get_mut(&slot) {
            Some(runs) => runs,
            None => std::slice::from_mut(&mut self.slots[slot as usize].only),
        }
    }

    /// One container.
    pub(super) fn run(&self, slot: u32, index: usize) -> &Run {
        &self.runs(slot)[index]
    }

    /// The same, to change it.
    pub(super) fn run_mut(&mut self, slot: u32, index: usize) -> &mut Run {
        &mut self.runs_mut(slot)[index]
    }

    /// Some container really runs.
    pub(super) fn any_runs(&self, slot: u32) -> bool {
        self.runs(slot).iter().any(|run| run.is(Run::RUNS))
    }

    /// Why the worker's pod fails for good, if the kubelet decided so.
    pub(super) fn reason(&self, slot: u32) -> PodReason {
        self.failing.get(&slot).copied().unwrap_or(PodReason::None)
    }

    /// The kubelet decides that the worker's pod fails for good, or that it does not.
    pub(super) fn set_reason(&mut self, slot: u32, reason: PodReason) {
        if reason == PodReason::None {
            self.failing.remove(&slot);
        } else {
            self.failing.insert(slot, reason);
        }
    }

    /// Gives a new worker as many containers as its pod has.
    pub(super) fn set_containers(&mut self, slot: u32, runs: Vec<Run>) {
        match <[Run; 1]>::try_from(runs) {
            Ok([only]) => self[slot].only = only,
            Err(runs) => {
                self.many.insert(slot, runs.into());
            }
        }
    }

    pub(super) fn insert(&mut self, worker: Worker) -> u32 {
        let (index, worker_pod, uid) = (worker.pod.index(), worker.pod.as_u32(), worker.uid);
        let slot = match self.free.pop() {
            Some(slot) => {
                self.slots[slot as usize] = worker;
                slot
            }
            None => {
                self.slots.push(worker);
                u32::try_from(self.slots.len() - 1).unwrap_or(NONE)
            }
        };
        if index >= self.latest.len() {
            self.latest.resize(index + 1, NONE);
        }
        let before = std::mem::replace(&mut self.latest[index], slot);
        if before != NONE {
            let before_uid = self.slots[before as usize].uid;
            debug_assert_ne!(before_uid, uid);
            self.displaced.insert((worker_pod, before_uid), before);
        }
        slot
    }

    pub(super) fn remove(&mut self, slot: u32) {
        let worker = std::mem::take(&mut self.slots[slot as usize]);
        let pod = worker.pod.as_u32();
        if self.latest.get(worker.pod.index()) == Some(&slot) {
            // A displaced worker of the same name is found again as the latest one.
            let same = (pod, Uid(0))..=(pod, Uid(u32::MAX));
            let other = self.displaced.range(same).next_back().map(|(key, slot)| (*key, *slot));
            self.latest[worker.pod.index()] = other.map_or(NONE, |(_, slot)| slot);
            if let Some((key, _)) = other {
                self.displaced.remove(&key);
            }
        } else {
            self.displaced.remove(&(pod, worker.uid));
        }
        self.several.remove(&slot);
        self.many.remove(&slot);
        self.failing.remove(&slot);
        self.since.remove(&slot);
        self.free.push(slot);
    }

    /// When a worker with startup or liveness probes began to look after its containers: what their ticks count from.
    pub(super) fn since(&self, slot: u32) -> Time {
        self.since.get(&slot).copied().unwrap_or(Time::ZERO)
    }

    pub(super) fn set_since(&mut self, slot: u32, time: Time) {
        self.since.insert(slot, time);
    }

    /// When the containers that run will all have stopped, while they are being stopped; None: none runs.
    pub(super) fn stopped_at(&self, slot: u32) -> Option<Time> {
        self.runs(slot).iter().filter(|run| run.is(Run::RUNS)).map(Run::ended).max()
    }

    /// The volumes the worker's pod uses, once they are known; none after they have been released.
    pub(super) fn volumes(&self, slot: u32) -> &[Id<Volume>] {
        let volume = &self.slots[slot as usize].volume;
        if !volume.is_none() {
            return std::slice::from_ref(volume);
        }
        if self.several.is_empty() { &[] } else { self.several.get(&slot).map_or(&[], |all| all) }
    }

    pub(super) fn set_volumes(&mut self, slot: u32, volumes: &[Id<Volume>]) {
        let single = if let [one] = volumes { *one } else { Id::NONE };
        self.slots[slot as usize].volume = single;
        if volumes.len() > 1 {
            self.several.insert(slot, volumes.into());
        } else {
            self.several.remove(&slot);
        }
    }
}

impl std::ops::Index<u32> for Workers {
    type Output = Worker;
    fn index(&self, slot: u32) -> &Worker {
        &self.slots[slot as usize]
    }
}

impl std::ops::IndexMut<u32> for Workers {
    fn index_mut(&mut self, slot: u32) -> &mut Worker {
        &mut self.slots[slot as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_million_workers_are_cheap() {
        assert!(size_of::<Worker>() <= 56, "{}", size_of::<Worker>());
    }

    #[test]
    fn incarnations_of_one_name_are_told_apart() {
        let pod = Id::from_index(3);
        let mut workers = Workers::default();
        let worker = |uid| Worker { pod, uid: Uid(uid), ..Worker::default() };
        let [first, second, third] = [1, 2, 3].map(|uid| workers.insert(worker(uid)));
        assert_eq!(workers.find(pod, Uid(1)), Some(first));
        assert_eq!(workers.latest(pod), Some(third));
        workers.remove(third);
        assert_eq!(workers.latest(pod), Some(second));
        assert_eq!(workers.find(pod, Uid(3)), None);
        workers.remove(first);
        assert_eq!(workers.find(pod, Uid(1)), None);
        assert_eq!(workers.find(pod, Uid(2)), Some(second));
    }

    #[test]
    fn stale_events_are_recognised() {
        let mut workers = Workers::default();
        let slot = workers.insert(Worker { pod: Id::from_index(0), ..Worker::default() });
        workers.set_containers(slot, vec![Run::default(); 2]);
        let token = workers.token(slot, Some(1), What::Exit);
        assert_eq!(workers.read(slot, 1, token), Some(What::Exit));
        workers.run_mut(slot, 0).enter(Step::Running);
        assert_eq!(workers.read(slot, 1, token), Some(What::Exit), "another container");
        workers.run_mut(slot, 1).enter(Step::Running);
        assert_eq!(workers.read(slot, 1, token), None);
        let token = workers.token(slot, None, What::Mounted);
        assert_eq!(workers.read(slot, 0, token), Some(What::Mounted));
        workers[slot].enter(Stage::Up);
        assert_eq!(workers.read(slot, 0, token), None);
        for (number, what) in What::ALL.into_iter().enumerate() {
            assert_eq!(what as usize, number);
        }
    }
}
