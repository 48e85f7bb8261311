//! The end of a pod on its node: SIGTERM, grace period, terminal status, volumes, final delete (POD-33 to POD-41;
//! pkg/kubelet/pod_workers.go, pkg/kubelet/kubelet.go SyncTerminatingPod and SyncTerminatedPod).
use super::run::KILLED;
use super::worker::{Flags, Stage, What};
use super::{Kubelets, behaviour, recorded};
use crate::api::objects::Pod;
use crate::kernel::Duration;
use crate::rule::{Rule, mark};
use crate::world::{Actor, DeleteOptions, Draw, World};

impl Kubelets {
    /// The kubelet sees deletionTimestamp, or a shorter grace period.
    pub(super) fn deletion_seen(&mut self, slot: u32, object: &Pod, world: &mut World) {
        let limit = grace(object.meta.grace, world);
        match self.workers[slot].stage {
            // The final status or the final delete is under way, or nothing is left to do.
            Stage::Stopped | Stage::Finished => {}
            _ => self.stop_pod(slot, limit, world),
        }
    }

    /// The API object is gone although the containers may run: a force delete (POD-39, POD-40).
    pub(super) fn vanished(&mut self, slot: u32, limit: Duration, world: &mut World) {
        if self.workers[slot].is(Flags::RUNS) {
            self.stop_pod(slot, limit, world);
        } else if !self.workers[slot].is(Flags::RELEASING) {
            self.enter(slot, Stage::Stopped, world);
            self.release_volumes(slot, world);
        }
    }

    /// Sends SIGTERM; after `limit` at most the containers are gone. A stop under way can only become shorter (POD-34).
    pub(super) fn stop_pod(&mut self, slot: u32, limit: Duration, world: &mut World) {
        let now = world.now();
        let worker = &self.workers[slot];
        if !worker.is(Flags::RUNS) {
            self.stop_dead(slot, world);
            return;
        }
        let (span, killed) = if worker.stage == Stage::Stopping {
            let left = worker.since - now;
            mark!("POD-34" if limit < left);
            (left.min(limit), limit < left || worker.code == KILLED)
        } else {
            let latency = behaviour::of(worker, world).stop.unwrap_or(world.config.latency.container_stop);
            let stop = world.draw(latency, Draw::Stop, u64::from(worker.uid.0), u64::from(worker.restarts));
            mark!("POD-33");
            mark!("POD-31" if worker.is(Flags::READY));
            self.tell_killing(slot, world);
            (stop.min(limit), stop > limit)
        };
        self.enter(slot, Stage::Stopping, world);
        let worker = &mut self.workers[slot];
        worker.since = now + span;
        worker.code = if killed { KILLED } else { 0 };
        self.later(slot, span, What::Stopped, world);
    }

    fn tell_killing(&self, slot: u32, world: &mut World) {
        if recorded(world) || !world.events.is_on() {
            return;
        }
        let worker = &self.workers[slot];
        let spec = world.store.pod_spec(worker.spec).clone();
        for container in &spec.containers {
            world.emit(worker.pod, false, "Killing", |w| {
                format!("Stopping container {}", w.store.names.text(container.name))
            });
        }
    }

    /// Ends a pod none of whose containers runs (POD-38).
    pub(super) fn stop_dead(&mut self, slot: u32, world: &mut World) {
        if !self.workers[slot].is(Flags::RAN) {
            mark!("POD-38");
            self.workers[slot].code = KILLED;
        }
        self.stopped(slot, world);
    }

    /// No container of the pod runs any more, for good.
    pub(super) fn stopped(&mut self, slot: u32, world: &mut World) {
        self.no_longer_waits(slot);
        self.count(slot, false, world);
        self.enter(slot, Stage::Stopped, world);
        let worker = &mut self.workers[slot];
        worker.flags.set(Flags::RUNS, false);
        worker.flags.set(Flags::READY, false);
        if self.reaches(slot) && self.object(slot, world).is_some() {
            // Volumes are released once the terminal status is in the API (VOL-42).
            self.report(slot, world);
        } else {
            self.workers[slot].flags.set(Flags::DIRTY, true);
            self.release_volumes(slot, world);
        }
    }

    /// Volumes are released, and the status is in the API as far as that is possible: the final delete follows if the
    /// pod is being deleted (POD-36).
    pub(super) fn conclude(&mut self, slot: u32, released: bool, world: &mut World) {
        if !self.reaches(slot) {
            return;
        }
        match self.object(slot, world) {
            None => self.drop_worker(slot, world),
            Some(_) if !self.workers[slot].is(Flags::ENDED) => self.report(slot, world),
            Some(object) if object.is_terminating() => {
                let mut delay = world.api_delay(Actor::Kubelet);
                if released && world.config.timers.node_status_update_frequency == Duration::ZERO {
                    // The volumes leave volumesInUse first: that is a write of its own.
                    delay = delay + delay;
                }
                self.enter(slot, Stage::Stopped, world);
                self.later(slot, delay, What::Delete, world);
            }
            Some(_) => {
                mark!("POD-44");
                self.enter(slot, Stage::Finished, world)
            }
        }
    }

    /// The final delete, with grace 0 and this uid only (POD-36, POD-7).
    pub(super) fn delete_object(&mut self, slot: u32, world: &mut World) {
        if !self.reaches(slot) {
            return;
        }
        let worker = &self.workers[slot];
        let options = DeleteOptions { uid: Some(worker.uid), grace: Some(0), ..DeleteOptions::default() };
        // Whatever the answer is, this kubelet has nothing left to do for the pod.
        let _ = world.delete(worker.pod, options, Rule::pod(36));
        self.drop_worker(slot, world);
    }

    /// Forgets a worker.
    pub(super) fn drop_worker(&mut self, slot: u32, world: &mut World) {
        self.no_longer_waits(slot);
        self.count(slot, false, world);
        self.enter(slot, Stage::Finished, world);
        self.give_up_volumes(slot, world);
        let place = self.workers[slot].place as usize;
        let workers = &mut self.machine_of(slot).workers;
        workers.swap_remove(place);
        if let Some(&moved) = workers.get(place) {
            self.workers[moved].place = place as u32;
        }
        self.workers.remove(slot);
    }
}

/// What the containers get of a grace period: at least the minimum (POD-33, POD-34). The recorded corpus takes it as it
/// is.
pub(super) fn grace(seconds: u32, world: &World) -> Duration {
    let asked = Duration::from_secs(u64::from(seconds.max(1)));
    if recorded(world) { asked } else { asked.max(world.config.timers.minimum_grace) }
}
