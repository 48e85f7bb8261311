//! From a pod that is seen bound to one that runs: admission, volumes, sandbox, init containers, containers (POD-17,
//! POD-18; pkg/kubelet/kubelet.go HandlePodAdditions and SyncPod, pkg/kubelet/kuberuntime/kuberuntime_manager.go
//! computePodActions and SyncPod).
//!
//! Init containers run one after the other, each to exit 0; a sidecar counts as done once it has started up. Then the
//! regular containers are started one after the other, none waits for another to be ready. The kubelet is busy meanwhile:
//! what has started is looked at, and reported, when the last one has.
use super::worker::{Flags, Run, Stage, Step, What, Worker};
use super::{Kubelets, admission, behaviour, recorded, stop};
use crate::api::objects::{ContainerStatus, Containers, Ended, Pod, PodReason};
use crate::kernel::{Duration, Id, make_room};
use crate::rule::mark;
use crate::world::{Draw, World};

/// What is to be done for a pod whose sandbox is there.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Next {
    /// This container's turn has come.
    Begin(usize),
    /// The kubelet is starting one.
    Busy,
    /// There is nothing to start.
    Nothing,
    /// No container will run again: the pod is over (POD-10).
    Over,
}

impl Kubelets {
    /// The kubelet sees a pod that is bound to its node for the first time.
    pub(super) fn takes_on(&mut self, pod: Id<Pod>, object: &Pod, world: &mut World) {
        if object.is_terminal() {
            return;
        }
        let place = u32::try_from(self.machines[object.node.index()].workers.len()).unwrap_or(u32::MAX);
        let mut worker = Worker {
            pod,
            uid: object.meta.uid,
            node: object.node,
            spec: object.spec,
            place,
            ..Worker::default()
        };
        worker.flags.set(Flags::NO_SANDBOX, true);
        let slot = self.workers.insert(worker);
        // A worker of an earlier kubelet is gone with its machine; the object tells which containers have run.
        let known = world.store.container_statuses(object);
        let count = world.store.pod_spec(object.spec).container_count();
        let run = |index: usize| known.get(index).map_or_else(Run::default, known_run);
        self.workers.set_containers(slot, (0..count).map(run).collect());
        let workers = &mut self.machine_of(slot).workers;
        make_room(workers);
        workers.push(slot);
        self.admit(slot, object, world);
    }

    /// Admission, for a new pod or again after a reboot (POD-47), and what follows.
    pub(super) fn admit(&mut self, slot: u32, object: &Pod, world: &mut World) {
        if object.is_terminating() {
            // Deleted before its containers ran, or while they were dead (POD-38).
            self.stop_dead(slot, world);
            return;
        }
        if !recorded(world) {
            let machine = &self.machines[object.node.index()];
            if machine.shutting {
                self.refused(slot, PodReason::NodeShutdown, world);
                return;
            }
            if let Some(reason) = admission::refuses(object, machine.used, world) {
                self.refused(slot, reason, world);
                return;
            }
        }
        self.count(slot, true, world);
        if !recorded(world) {
            self.report(slot, world);
        }
        self.need_volumes(slot, world);
    }

    fn refused(&mut self, slot: u32, reason: PodReason, world: &mut World) {
        self.workers.set_reason(slot, reason);
        let pod = self.workers[slot].pod;
        world.emit(pod, true, admission::reason_text(reason), |_| admission::message(reason).to_owned());
        self.stop_dead(slot, world);
    }

    /// Counts a worker's requests against its node, or no longer.
    pub(super) fn count(&mut self, slot: u32, on: bool, world: &World) {
        let worker = &mut self.workers[slot];
        if worker.is(Flags::COUNTED) == on {
            return;
        }
        worker.flags.set(Flags::COUNTED, on);
        let spec = world.store.pod_spec(worker.spec);
        let used = &mut self.machines[worker.node.index()].used;
        if on {
            used.add(spec);
        } else {
            used.subtract(spec);
        }
    }

    /// The volumes are there: the sandbox is next, unless there is one already.
    pub(super) fn bring_up(&mut self, slot: u32, world: &mut World) {
        if self.has_early_probes(slot, world) {
            self.workers.set_since(slot, world.now());
        }
        if !self.workers[slot].is(Flags::NO_SANDBOX) {
            self.sandboxed(slot, world);
            return;
        }
        let worker = &self.workers[slot];
        let restarts = self.workers.runs(slot).first().map_or(0, |run| run.restarts());
        let (key, attempt) = (u64::from(worker.uid.0), u64::from(restarts) * 64);
        // A rule about the start of the first container includes it.
        let delay = if recorded(world) || behaviour::of(worker, 0, world).start.is_some() {
            Duration::ZERO
        } else {
            world.draw(world.config.latency.sandbox, Draw::Sandbox, key, attempt)
        };
        self.enter(slot, Stage::Sandbox, world);
        if delay == Duration::ZERO {
            self.sandboxed(slot, world);
        } else {
            self.later(slot, delay, What::Sandbox, world);
        }
    }

    /// There is a sandbox: the containers' turn has come.
    pub(super) fn sandboxed(&mut self, slot: u32, world: &mut World) {
        self.enter(slot, Stage::Up, world);
        let flags = &mut self.workers[slot].flags;
        if flags.has(Flags::NO_SANDBOX) {
            flags.set(Flags::NO_SANDBOX, false);
            flags.set(Flags::NEW_ADDRESS, true);
        }
        self.advance(slot, world);
    }

    /// Looks at a pod whose sandbox is there: starts what is next, or says how it is.
    pub(super) fn advance(&mut self, slot: u32, world: &mut World) {
        while self.workers[slot].stage == Stage::Up {
            match self.next(slot, world) {
                Next::Begin(index) => return self.begin(slot, index, world),
                Next::Busy => return,
                Next::Over => return self.over(slot, world),
                // A sidecar that is found started makes room for the next one.
                Next::Nothing if self.see(slot, world) => {}
                Next::Nothing => return self.report(slot, world),
            }
        }
    }

    /// No other container's turn comes right after the one that has just been started.
    pub(super) fn is_last(&self, slot: u32, world: &World) -> bool {
        self.next(slot, world) == Next::Nothing
    }

    fn next(&self, slot: u32, world: &World) -> Next {
        let spec = world.store.pod_spec(self.workers[slot].spec);
        let (inits, regular) = self.workers.runs(slot).split_at_checked(spec.inits.len()).unwrap_or_default();
        let busy = |run: &Run| run.is(Run::NEW) && matches!(run.step, Step::Pulling | Step::Starting);
        // Once a regular container has been started, init containers hold up nothing (POD-13).
        if regular.iter().all(|run| run.step == Step::Idle) {
            for (index, (run, container)) in inits.iter().zip(&spec.inits).enumerate() {
                mark!("POD-18");
                match run.step {
                    Step::Idle => return Next::Begin(index),
                    _ if busy(run) => return Next::Busy,
                    _ if container.is_sidecar() && run.is(Run::RUNS) && run.is(Run::STARTED) => {}
                    Step::Done if run.code() == 0 => {}
                    Step::Done => return Next::Over,
                    _ => return Next::Nothing,
                }
            }
        }
        for (index, run) in regular.iter().enumerate() {
            if run.step == Step::Idle {
                return Next::Begin(inits.len() + index);
            }
            if busy(run) {
                return Next::Busy;
            }
        }
        if regular.iter().all(|run| run.step == Step::Done) { Next::Over } else { Next::Nothing }
    }

    /// No container will run again; sidecars are stopped (POD-35).
    fn over(&mut self, slot: u32, world: &mut World) {
        let limit = stop::grace(world.store.pod_spec(self.workers[slot].spec).grace);
        self.stop_pod(slot, limit, world);
    }

    /// A container is started, for the first time or again: its image is first.
    pub(super) fn begin(&mut self, slot: u32, index: usize, world: &mut World) {
        self.workers.run_mut(slot, index).set(Run::NEW, true);
        self.pull(slot, index, world);
    }

    /// The image is there: the container is created and started.
    pub(super) fn start(&mut self, slot: u32, index: usize, world: &mut World) {
        self.enter_of(slot, index, Step::Starting, world);
        let (worker, run) = (&self.workers[slot], self.workers.run(slot, index));
        let latency =
            behaviour::of(worker, index, world).start.unwrap_or(world.config.latency.container_start);
        let attempt = u64::from(run.restarts()) * 64 + index as u64;
        let delay = world.draw(latency, Draw::Start, u64::from(worker.uid.0), attempt);
        self.later_of(slot, index, delay, What::Started, world);
    }
}

/// What a kubelet that knows nothing takes from a container's status.
fn known_run(status: &ContainerStatus) -> Run {
    let mut run = Run::default();
    run.set_restarts(status.restarts);
    let ran =
        matches!(status.state, Containers::Running | Containers::Terminated(_)) || status.last != Ended::NONE;
    run.set(Run::RAN, ran);
    run
}
