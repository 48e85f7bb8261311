//! Containers that run: readiness, exits, restarts with back-off (POD-14, POD-20, POD-21;
//! pkg/kubelet/kuberuntime/kuberuntime_manager.go computePodActions and doBackOff).
use super::worker::{Flags, Stage, What};
use super::{Kubelets, backoff, behaviour, machine, probe, recorded};
use crate::api::objects::{Pod, PodReason};
use crate::api::pod_spec::RestartPolicy;
use crate::kernel::{Duration, Id};
use crate::rule::mark;
use crate::world::{Draw, World};

/// An exit less than this away keeps the cluster from being settled; one further away does not.
pub(super) const NEAR: Duration = Duration::from_secs(3);
/// A pod sync waits at most this long for a back-off to end (POD-22).
const LONGEST_SYNC: Duration = Duration::from_secs(60);
/// Exit code of a killed container.
pub(super) const KILLED: u8 = 137;

impl Kubelets {
    /// The containers run.
    pub(super) fn started(&mut self, slot: u32, world: &mut World) {
        self.enter(slot, Stage::Running, world);
        let now = world.now();
        let worker = &mut self.workers[slot];
        if worker.is(Flags::RAN) {
            mark!("POD-24");
            worker.restarts = worker.restarts.saturating_add(1);
        }
        worker.flags.set(Flags::RUNS, true);
        worker.flags.set(Flags::RAN, true);
        worker.flags.set(Flags::READY, false);
        if worker.is(Flags::NO_SANDBOX) {
            worker.flags.set(Flags::NO_SANDBOX, false);
            worker.flags.set(Flags::NEW_ADDRESS, true);
        }
        worker.since = now;
        self.tell_started(slot, world);
        let ready = self.ready_after(slot, world);
        if ready == Duration::ZERO {
            self.workers[slot].flags.set(Flags::READY, true);
        } else {
            self.later(slot, ready, What::Ready, world);
        }
        self.plan_exit(slot, world);
        self.report(slot, world);
    }

    fn tell_started(&mut self, slot: u32, world: &mut World) {
        if recorded(world) || !world.events.is_on() {
            return;
        }
        let worker = &self.workers[slot];
        for _ in 0..world.store.pod_spec(worker.spec).containers.len() {
            world.emit(worker.pod, false, "Created", |_| "Container created".to_owned());
            world.emit(worker.pod, false, "Started", |_| "Container started".to_owned());
        }
    }

    /// How long after its start the pod is ready. With a readiness probe, the probe finds out; without one a container
    /// is ready when it runs, unless a rule says otherwise (POD-14).
    fn ready_after(&self, slot: u32, world: &World) -> Duration {
        let worker = &self.workers[slot];
        if worker.is(Flags::FORCED_READY) {
            return Duration::ZERO;
        }
        if worker.is(Flags::FORCED_UNREADY) {
            return Duration::NEVER;
        }
        let probe = world.store.pod_spec(worker.spec).readiness.filter(|_| !recorded(world));
        let given = behaviour::of(worker, world).ready;
        if given.is_none() && probe.is_none() && !recorded(world) {
            return Duration::ZERO;
        }
        let latency = given.unwrap_or(world.config.latency.ready);
        let answers = world.draw(latency, Draw::Ready, u64::from(worker.uid.0), u64::from(worker.restarts));
        probe::ready_after(probe, answers)
    }

    /// The container may exit by itself.
    fn plan_exit(&mut self, slot: u32, world: &mut World) {
        let worker = &mut self.workers[slot];
        let Some(exit) = behaviour::of(worker, world).exit else { return };
        if exit.times.is_some_and(|times| worker.restarts >= times) {
            return;
        }
        worker.code = exit.code;
        let after = world.draw(exit.after, Draw::Exit, u64::from(worker.uid.0), u64::from(worker.restarts));
        if after.is_never() || after <= NEAR {
            self.later(slot, after, What::Exit, world);
        } else {
            let far = Duration::from_nanos(after.as_nanos() - NEAR.as_nanos());
            self.later(slot, far, What::ExitNear, world);
        }
    }

    /// Readiness has changed, as far as the kubelet knows.
    pub(super) fn probed(&mut self, slot: u32, world: &mut World) {
        let worker = &mut self.workers[slot];
        let ready = !worker.is(Flags::FORCED_UNREADY);
        if worker.is(Flags::RUNS) && worker.is(Flags::READY) != ready {
            worker.flags.set(Flags::READY, ready);
            self.report(slot, world);
        }
    }

    /// Readiness of the pod goes to this value and stays there, whatever the rules say.
    pub fn set_ready(&mut self, pod: Id<Pod>, ready: bool, world: &mut World) {
        let Some(slot) = self.workers.latest(pod) else { return };
        let now = world.now();
        let worker = &mut self.workers[slot];
        worker.flags.set(Flags::FORCED_READY, ready);
        worker.flags.set(Flags::FORCED_UNREADY, !ready);
        let probe = world.store.pod_spec(worker.spec).readiness.filter(|_| !recorded(world));
        if worker.stage != Stage::Running || probe.is_none() {
            self.probed(slot, world);
            return;
        }
        let running_for = now - worker.since;
        let noticed = probe::noticed_after(probe, running_for, ready);
        self.later(
            slot,
            Duration::from_nanos(noticed.as_nanos() - running_for.as_nanos()),
            What::Ready,
            world,
        );
    }

    /// The containers of a pod exit with 137 and restart in place.
    pub fn crash_pod(&mut self, pod: Id<Pod>, world: &mut World) {
        let Some(slot) = self.workers.latest(pod).filter(|slot| self.workers[*slot].is(Flags::RUNS)) else {
            return;
        };
        self.workers[slot].code = KILLED;
        if self.workers[slot].stage == Stage::Stopping {
            self.stopped(slot, world);
        } else {
            self.exits(slot, world);
        }
    }

    /// The containers of a running pod have exited. The kubelet notices at its next look at the runtime (POD-20).
    pub(super) fn exits(&mut self, slot: u32, world: &mut World) {
        let now = world.now();
        let reset = world.config.timers.crash_backoff_reset;
        let worker = &mut self.workers[slot];
        worker.flags.set(Flags::RUNS, false);
        if now - worker.since > reset {
            worker.tries = 0;
        }
        worker.since = now;
        let node = worker.node;
        self.enter(slot, Stage::Exited, world);
        if recorded(world) {
            self.noticed(slot, world);
        } else {
            mark!("POD-20");
            let epoch = self.machine_of(slot).epoch;
            let look = machine::on_grid(node, epoch, now, world);
            self.later(slot, look - now, What::Noticed, world);
        }
    }

    /// The kubelet sees that the containers have exited: they restart, at once or after the back-off (POD-21), or never.
    pub(super) fn noticed(&mut self, slot: u32, world: &mut World) {
        let now = world.now();
        let worker = &mut self.workers[slot];
        worker.flags.set(Flags::READY, false);
        let restarts = match world.store.pod_spec(worker.spec).restart {
            RestartPolicy::Always => true,
            RestartPolicy::OnFailure => worker.code != 0,
            RestartPolicy::Never => false,
        };
        if !restarts {
            self.stop_dead(slot, world);
            return;
        }
        let timers = &world.config.timers;
        let wait = backoff::wait(worker.tries, timers.crash_backoff, timers.crash_backoff_max);
        worker.tries = worker.tries.saturating_add(1);
        self.report(slot, world);
        let worker = &self.workers[slot];
        let due = worker.since + wait;
        if due <= now {
            self.pull(slot, world);
            return;
        }
        let (uid, node, restarts) = (worker.uid, worker.node, worker.restarts);
        let mut restart = due;
        if !recorded(world) {
            let stretch = |n: u64| {
                let key = u64::from(restarts) << 32 | n;
                world.chooser.keyed(Draw::Jitter as u32, u64::from(uid.0), key)
            };
            let epoch = self.machines[node.index()].epoch;
            let grid = |time| machine::on_grid(node, epoch, time, world);
            mark!("POD-22");
            restart = backoff::syncs(now, due, |left| left.min(LONGEST_SYNC), stretch, grid).1;
            self.tell_backoff(slot, world);
        }
        mark!("POD-23");
        self.enter(slot, Stage::Backoff, world);
        self.later(slot, restart - now, What::Restart, world);
    }

    fn tell_backoff(&self, slot: u32, world: &mut World) {
        let worker = &self.workers[slot];
        world.emit(worker.pod, true, "BackOff", |w| {
            let store = &w.store;
            let container =
                store.pod_spec(worker.spec).containers.first().map_or("", |c| store.names.text(c.name));
            let namespace =
                store.pods.last_known(worker.pod).map_or("", |p| store.names.text(p.meta.namespace));
            format!(
                "Back-off restarting failed container {container} in pod {}_{namespace}({})",
                store.name_of(worker.name),
                store.uid_text(worker.uid)
            )
        });
    }

    /// The kubelet evicts the pod: phase Failed, reason Evicted (POD-43).
    pub fn fail_pod(&mut self, pod: Id<Pod>, world: &mut World) {
        let Some(slot) = self.workers.latest(pod) else { return };
        if matches!(self.workers[slot].stage, Stage::Stopping | Stage::Stopped | Stage::Finished) {
            return;
        }
        self.workers[slot].reason = PodReason::Evicted;
        world.emit(pod, true, "Evicted", |_| "The node was low on resource: memory.".to_owned());
        // A hard eviction leaves the container the minimum; the recorded corpus gives it what it needs.
        let limit = if recorded(world) { Duration::NEVER } else { world.config.timers.minimum_grace };
        mark!("POD-12" if self.workers[slot].is(Flags::RUNS));
        self.stop_pod(slot, limit, world);
    }

    /// The spec or the deletion of a pod has changed.
    pub(super) fn updated(&mut self, slot: u32, object: &Pod, world: &mut World) {
        if object.is_terminating() {
            self.deletion_seen(slot, object, world);
            return;
        }
        let worker = &mut self.workers[slot];
        let before = std::mem::replace(&mut worker.spec, object.spec);
        if before == object.spec {
            return;
        }
        let images = |spec| world.store.pod_spec(spec).containers.iter().map(|c| c.image);
        let changed = images(before).ne(images(object.spec));
        if changed && matches!(worker.stage, Stage::Running | Stage::PullFailed | Stage::PullBackoff) {
            // Another image is another container: killed and started anew, without back-off (POD-8, POD-21).
            let runs = worker.is(Flags::RUNS);
            worker.tries = 0;
            worker.code = KILLED;
            if runs { self.exits(slot, world) } else { self.pull(slot, world) }
        }
    }
}
