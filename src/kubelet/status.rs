//! The status manager: what a kubelet writes about a pod (POD-10 to POD-16; pkg/kubelet/kubelet_pods.go getPhase,
//! pkg/kubelet/status/status_manager.go).
//!
//! A change asks for one write; it takes an API call, and what is written is the state at its end.
use super::worker::{Flags, Stage, Worker};
use super::{Kubelets, recorded};
use crate::api::names::Uid;
use crate::api::objects::{Containers, Disruption, Ip, Phase, Pod, PodFlags, PodReason, Seconds};
use crate::event::{Event, KubeletEvent};
use crate::kernel::Id;
use crate::rule::{Rule, mark};
use crate::world::{Actor, World};

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
        world.delay(world.api_delay(Actor::Kubelet), event);
    }

    pub(super) fn write_status(&mut self, pod: Id<Pod>, uid: Uid, world: &mut World) {
        let Some(slot) = self.workers.find(pod, uid) else { return };
        self.workers[slot].flags.set(Flags::WRITING, false);
        if !self.reaches(slot) {
            return;
        }
        // Once the object is gone or another one bears the name there is nothing to write to (POD-41).
        if let Some(object) = self.object(slot, world) {
            self.workers[slot].flags.set(Flags::DIRTY, false);
            self.write(slot, &object, world);
        } else {
            mark!("POD-41");
        }
        let worker = &mut self.workers[slot];
        if worker.stage == Stage::Stopped && !worker.is(Flags::ENDED) {
            worker.flags.set(Flags::ENDED, true);
            self.release_volumes(slot, world);
        }
    }

    fn write(&mut self, slot: u32, object: &Pod, world: &mut World) {
        // A terminal phase stays as it is (POD-9).
        if object.is_terminal() {
            mark!("POD-9");
            return;
        }
        let address = self.address_of(slot, object);
        let worker = &self.workers[slot];
        let inits = world.store.pod_spec(worker.spec).init_containers > 0;
        let mut new = *object;
        status_of(worker, inits, &mut new);
        new.ip = address;
        if !new.started.is_set() {
            new.started = Seconds::of(world.now());
        }
        if new.phase == Phase::Failed && worker.reason == PodReason::Evicted && !recorded(world) {
            new.flags.set(PodFlags::DISRUPTION_TARGET, true);
            new.disruption = Disruption::ByKubelet;
        }
        let flipped = new.is_ready() != object.is_ready() || !object.flags.has(PodFlags::REPORTED);
        if flipped {
            mark!("POD-13");
            new.ready_since = Seconds::of(world.now());
        }
        let same = (new.phase, new.flags, new.containers, new.restarts, new.ip, new.reason)
            == (object.phase, object.flags, object.containers, object.restarts, object.ip, object.reason);
        if !same {
            world.update(worker.pod, rule_of(worker), |pod| *pod = new);
        }
    }

    /// The address of the pod's sandbox. A new one has a new address (POD-51).
    fn address_of(&mut self, slot: u32, object: &Pod) -> Ip {
        let worker = &mut self.workers[slot];
        if !worker.is(Flags::NEW_ADDRESS) {
            return object.ip;
        }
        worker.flags.set(Flags::NEW_ADDRESS, false);
        self.addresses = (self.addresses + 1) % POD_ADDRESSES;
        Ip(POD_NETWORK + self.addresses)
    }

    /// Says everything again that the API may not know: after a time without connection (POD-50).
    pub(super) fn report_again(&mut self, slot: u32, world: &mut World) {
        // The recorded corpus' kubelet writes only what has changed.
        if !recorded(world) || self.workers[slot].is(Flags::DIRTY) {
            self.report(slot, world);
        }
    }
}

/// Phase, containers and conditions of a worker's pod (POD-10, POD-13).
fn status_of(worker: &Worker, inits: bool, pod: &mut Pod) {
    mark!("POD-10");
    let ran = worker.is(Flags::RAN);
    let (phase, containers) = match worker.stage {
        Stage::PullFailed if !ran => (Phase::Pending, Containers::ErrImagePull),
        Stage::PullBackoff if !ran => (Phase::Pending, Containers::ImagePullBackOff),
        Stage::Stopped | Stage::Finished => {
            let failed = worker.code != 0 || worker.reason != PodReason::None;
            (if failed { Phase::Failed } else { Phase::Succeeded }, Containers::Terminated(worker.code))
        }
        _ if worker.is(Flags::RUNS) => (Phase::Running, Containers::Running),
        // The exit has not been noticed: nothing has changed yet.
        Stage::Exited => (pod.phase, pod.containers),
        Stage::PullFailed => (Phase::Running, Containers::ErrImagePull),
        Stage::PullBackoff => (Phase::Running, Containers::ImagePullBackOff),
        Stage::Backoff => (Phase::Running, Containers::CrashLoopBackOff(worker.code)),
        _ if ran => (Phase::Running, Containers::Terminated(worker.code)),
        _ => (Phase::Pending, Containers::Creating),
    };
    pod.phase = phase;
    pod.containers = containers;
    pod.restarts = worker.restarts;
    pod.reason = worker.reason;
    let runs = containers == Containers::Running;
    let ready = runs && worker.is(Flags::READY);
    pod.flags.set(PodFlags::REPORTED, true);
    pod.flags.set(PodFlags::SCHEDULED, true);
    pod.flags.set(PodFlags::UNSCHEDULABLE, false);
    pod.flags.set(PodFlags::READY, ready);
    pod.flags.set(PodFlags::CONTAINERS_READY, ready);
    pod.flags.set(PodFlags::INITIALIZED, ran || !inits);
    pod.flags.set(PodFlags::SANDBOX, ran && !worker.is(Flags::NO_SANDBOX) && !pod.is_terminal());
}

fn rule_of(worker: &Worker) -> Rule {
    match worker.stage {
        Stage::Running | Stage::Stopping => {
            if worker.is(Flags::READY) {
                Rule::pod(14)
            } else {
                Rule::pod(17)
            }
        }
        Stage::PullFailed | Stage::PullBackoff => Rule::pod(19),
        Stage::Exited | Stage::Backoff => Rule::pod(21),
        Stage::Stopped | Stage::Finished => match worker.reason {
            PodReason::Evicted => Rule::pod(43),
            PodReason::None => Rule::pod(11),
            _ => Rule::pod(47),
        },
        Stage::Starting if worker.is(Flags::RAN) => Rule::pod(21),
        _ => Rule::pod(17),
    }
}
