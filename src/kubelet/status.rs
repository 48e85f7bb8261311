//! The status manager: what a kubelet writes about a pod (POD-10 to POD-16; pkg/kubelet/kubelet_pods.go getPhase,
//! pkg/kubelet/status/status_manager.go).
//!
//! A change asks for one write; it takes an API call, and what is written is the state at its end. A write that fails is
//! tried again with the next change, or else in the next round of the status manager, every 10 s.
use super::worker::{Flags, Run, Stage, Step};
use super::{Kubelets, phase, recorded};
use crate::api::names::Uid;
use crate::api::objects::{
    ContainerStatus, Containers, Disruption, EndReason, Ended, Ip, Phase, Pod, PodFlags, PodReason, Seconds,
};
use crate::api::pod_spec::{Container, PodSpec};
use crate::api::status::Status;
use crate::event::{Event, KubeletEvent};
use crate::kernel::{Duration, Id};
use crate::rule::{Rule, mark};
use crate::world::{Actor, World};

/// The status manager goes through everything this often (`syncPeriod`), on a grid of its own (DEF-C1).
const STATUS_PERIOD: Duration = Duration::from_secs(10);
const STATUS_ROUNDS: u64 = 4 << 32;
/// 10.64.0.0/10.
const POD_NETWORK: u32 = 0x0a40_0000;
const POD_ADDRESSES: u32 = 1 << 22;

impl Kubelets {
    /// There is something new to say about a pod.
    pub(super) fn report(&mut self, slot: u32, world: &mut World) {
        mark!("POD-16");
        let reaches = self.reaches(slot);
        let worker = &mut self.workers[slot];
        worker.flags.set(Flags::DIRTY, true);
        if !reaches || worker.is(Flags::WRITING) {
            return;
        }
        worker.flags.set(Flags::WRITING, true);
        let event = Event::Kubelet(KubeletEvent::WriteStatus(worker.pod, worker.uid));
        // Part of the delay whose end it tells: the cluster is not settled in between.
        let takes = self.takes(slot, world.api_delay(Actor::Kubelet));
        world.delay(takes, event);
    }

    pub(super) fn write_status(&mut self, pod: Id<Pod>, uid: Uid, world: &mut World) {
        let Some(slot) = self.workers.find(pod, uid) else { return };
        self.workers[slot].flags.set(Flags::WRITING, false);
        if !self.reaches(slot) {
            return;
        }
        // Once the object is gone or another one bears the name there is nothing to write to (POD-41).
        if let Some(object) = self.object(slot, world) {
            if self.write(slot, &object, world).is_err() {
                self.write_failed(slot, world);
                return;
            }
            self.workers[slot].flags.set(Flags::DIRTY, false);
        } else {
            mark!("POD-41");
        }
        let worker = &mut self.workers[slot];
        if worker.stage == Stage::Stopped && !worker.is(Flags::ENDED) {
            worker.flags.set(Flags::ENDED, true);
            self.release_volumes(slot, world);
        }
    }

    /// A status could not be written. What has to be done on the node does not wait for that.
    fn write_failed(&mut self, slot: u32, world: &mut World) {
        self.retry(slot, world);
        let worker = &self.workers[slot];
        if worker.stage == Stage::Stopped
            && !worker.is(Flags::ENDED)
            && !self.workers.volumes(slot).is_empty()
        {
            self.release_volumes(slot, world);
        }
    }

    /// The next round of the status manager will look at this pod.
    pub(super) fn retry(&mut self, slot: u32, world: &mut World) {
        let (node, pod, uid) = (self.workers[slot].node, self.workers[slot].pod, self.workers[slot].uid);
        if self.workers[slot].is(Flags::RETRYING) {
            return;
        }
        self.workers[slot].flags.set(Flags::RETRYING, true);
        let key = STATUS_ROUNDS | u64::from(node.as_u32());
        let round = world.next_tick(STATUS_PERIOD, key, self.machines[node.index()].epoch, world.now());
        world.background(round - world.now(), Event::Kubelet(KubeletEvent::SyncStatus(pod, uid)));
    }

    /// A round of the status manager comes to a pod of which it could not write something.
    pub(super) fn sync_status(&mut self, pod: Id<Pod>, uid: Uid, world: &mut World) {
        let Some(slot) = self.workers.find(pod, uid) else { return };
        self.workers[slot].flags.set(Flags::RETRYING, false);
        if self.workers[slot].is(Flags::DELETE_FAILED) {
            self.workers[slot].flags.set(Flags::DELETE_FAILED, false);
            self.conclude(slot, false, world);
        } else if self.workers[slot].is(Flags::DIRTY) {
            self.report(slot, world);
        }
    }

    fn write(&mut self, slot: u32, object: &Pod, world: &mut World) -> Result<(), Status> {
        // A terminal phase stays as it is (POD-9).
        if object.is_terminal() {
            mark!("POD-9");
            return Ok(());
        }
        let address = self.address_of(slot, object);
        let worker = &self.workers[slot];
        let mut new = *object;
        let before = world.store.container_statuses(object);
        let spec = world.store.pod_spec(worker.spec).clone();
        let statuses = self.status_of(slot, &spec, &before, &mut new);
        new.ip = address;
        if !new.started.is_set() {
            new.started = Seconds::of(world.now());
        }
        let ended = matches!(self.workers.reason(slot), PodReason::Evicted | PodReason::Terminated);
        if new.phase == Phase::Failed && ended && !recorded(world) {
            new.flags.set(PodFlags::DISRUPTION_TARGET, true);
            new.disruption = Disruption::ByKubelet;
        }
        let flipped = new.is_ready() != object.is_ready() || !object.flags.has(PodFlags::REPORTED);
        if flipped {
            mark!("POD-13");
            new.ready_since = Seconds::of(world.now());
        }
        world.store.set_container_statuses(&mut new, &statuses);
        let same = (new.phase, new.flags, new.containers, new.statuses, new.restarts, new.ip, new.reason)
            == (
                object.phase,
                object.flags,
                object.containers,
                object.statuses,
                object.restarts,
                object.ip,
                object.reason,
            );
        let restarted = world.store.restarts_of(&new) > world.store.restarts_of(object);
        let unready = object.is_ready() && !new.is_ready();
        let rule = self.rule_of(slot, restarted, unready, &spec);
        let pod = self.workers[slot].pod;
        let written = if same { Ok(()) } else { world.patch(pod, rule, |pod| *pod = new).map(drop) };
        if self.workers[slot].is(Flags::NEW_ADDRESS)
            && world.store.pods.get(pod).is_some_and(|pod| pod.ip == address)
        {
            self.workers[slot].flags.set(Flags::NEW_ADDRESS, false);
            self.addresses = (self.addresses + 1) % POD_ADDRESSES;
        }
        written
    }

    /// The address of the pod's sandbox. A new one has a new address (POD-51), which is taken once it is known.
    fn address_of(&self, slot: u32, object: &Pod) -> Ip {
        if self.workers[slot].is(Flags::NEW_ADDRESS) {
            Ip(POD_NETWORK + (self.addresses + 1) % POD_ADDRESSES)
        } else {
            object.ip
        }
    }

    /// Says everything again that the API may not know: after a time without connection (POD-50).
    pub(super) fn report_again(&mut self, slot: u32, world: &mut World) {
        // The recorded corpus' kubelet writes only what has changed.
        if !recorded(world) || self.workers[slot].is(Flags::DIRTY) {
            self.report(slot, world);
        }
    }

    /// Phase and conditions of a worker's pod (POD-10, POD-13), and the statuses of its containers.
    fn status_of(
        &self,
        slot: u32,
        spec: &PodSpec,
        before: &[ContainerStatus],
        pod: &mut Pod,
    ) -> Vec<ContainerStatus> {
        mark!("POD-10");
        let worker = &self.workers[slot];
        let runs = self.workers.runs(slot);
        let (inits, regular) = runs.split_at_checked(spec.inits.len()).unwrap_or_default();
        let over = matches!(worker.stage, Stage::Stopped | Stage::Finished);
        let ran = regular.iter().any(|run| run.is(Run::RAN));
        let refused =
            over && self.workers.reason(slot) != PodReason::None && !runs.iter().any(|run| run.is(Run::RAN));
        let status = |(index, run)| container_status(worker.stage, run, before.get(index));
        // Of a pod that it refuses the kubelet reports no containers (POD-47).
        let statuses: Vec<_> = runs.iter().enumerate().map(status).filter(|_| !refused).collect();
        pod.phase = if over && self.workers.reason(slot) != PodReason::None {
            Phase::Failed
        } else {
            phase::phase(spec, &statuses, over, ran)
        };
        pod.reason = self.workers.reason(slot);
        let is_ready = |run: &Run| run.is(Run::RUNS) && run.is(Run::READY);
        let sidecar = |index: usize| spec.inits.get(index).is_some_and(Container::is_sidecar);
        let sidecars_ready = inits.iter().enumerate().all(|(index, run)| !sidecar(index) || is_ready(run));
        let ready = !over && sidecars_ready && regular.iter().all(is_ready);
        let done = |(index, run): (usize, &Run)| {
            if sidecar(index) { run.is(Run::STARTED) } else { run.step == Step::Done && run.code() == 0 }
        };
        pod.flags.set(PodFlags::REPORTED, true);
        pod.flags.set(PodFlags::SCHEDULED, true);
        pod.flags.set(PodFlags::UNSCHEDULABLE, false);
        pod.flags.set(PodFlags::READY, ready);
        pod.flags.set(PodFlags::CONTAINERS_READY, ready);
        pod.flags.set(PodFlags::INITIALIZED, ran || inits.iter().enumerate().all(done));
        let sandbox = matches!(worker.stage, Stage::Up | Stage::Restarting | Stage::Stopping)
            && !worker.is(Flags::NO_SANDBOX);
        pod.flags.set(PodFlags::SANDBOX, sandbox);
        statuses
    }

    /// The rule by which the status is as it is now; `restarted` and `unready` say what is new in it.
    fn rule_of(&self, slot: u32, restarted: bool, unready: bool, spec: &PodSpec) -> Rule {
        let worker = &self.workers[slot];
        if matches!(worker.stage, Stage::Stopped | Stage::Finished) {
            return match self.workers.reason(slot) {
                PodReason::Evicted => Rule::pod(43),
                PodReason::Terminated => Rule::pod(45),
                PodReason::None => Rule::pod(11),
                _ => Rule::pod(47),
            };
        }
        let runs = self.workers.runs(slot);
        let any = |step: &[Step]| runs.iter().any(|run| step.contains(&run.step));
        let again = |run: &Run| run.step == Step::Starting && run.is(Run::RAN);
        let failing = any(&[Step::Exited, Step::Backoff]) || runs.iter().any(again) || restarted;
        if any(&[Step::PullFailed, Step::PullBackoff]) {
            Rule::pod(19)
        } else if failing && worker.is(Flags::PROBE_FAILED) {
            Rule::pod(25)
        } else if restarted && runs.iter().any(|run| run.end().why == EndReason::Unknown) {
            Rule::pod(51)
        } else if failing {
            Rule::pod(21)
        } else if unready {
            let asked = spec.all_containers().any(|container| container.readiness.is_some());
            if asked { Rule::pod(30) } else { Rule::pod(14) }
        } else if runs.iter().any(|run| run.is(Run::READY)) {
            Rule::pod(14)
        } else {
            Rule::pod(17)
        }
    }
}

/// The status of one container; `before` is what was reported of it last.
fn container_status(stage: Stage, run: &Run, before: Option<&ContainerStatus>) -> ContainerStatus {
    if let Some(before) = before.filter(|_| run.step == Step::Exited && stage == Stage::Up) {
        // The exit has not been noticed: nothing has changed yet.
        return *before;
    }
    let over = matches!(stage, Stage::Stopped | Stage::Finished);
    let runs = run.is(Run::RUNS);
    let state = match run.step {
        _ if over || run.step == Step::Done => Containers::Terminated(run.end().code),
        _ if runs => Containers::Running,
        Step::PullFailed => Containers::ErrImagePull,
        Step::PullBackoff => Containers::ImagePullBackOff,
        Step::Backoff => Containers::CrashLoopBackOff(run.end().code),
        _ if run.is(Run::RAN) => Containers::Terminated(run.end().code),
        _ => Containers::Creating,
    };
    let (told, last) = before.map_or((Ended::NONE, Ended::NONE), |before| (before.ended, before.last));
    let terminated = matches!(state, Containers::Terminated(_));
    let last = match (terminated, told) {
        (true, told) if told == run.end() || told == Ended::NONE => last,
        (true, told) => told,
        // A kubelet that knows of no end leaves what another has reported.
        (false, _) if run.end() == Ended::NONE => last,
        (false, _) => run.end(),
    };
    ContainerStatus {
        state,
        started_at: if state.is_running() { Seconds::of(run.since()) } else { Seconds::NEVER },
        ended: if terminated { run.end() } else { Ended::NONE },
        last,
        restarts: run.restarts(),
        ready: runs && run.is(Run::READY),
        started: runs && run.is(Run::STARTED),
    }
}
