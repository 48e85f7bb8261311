//! Containers that run: exits, restarts with back-off, hooks (POD-20, POD-21, POD-24 to POD-26;
//! pkg/kubelet/kuberuntime/kuberuntime_manager.go computePodActions and doBackOff,
//! pkg/kubelet/kuberuntime/kuberuntime_container.go startContainer).
//!
//! Left out: hooks that fail.
use super::worker::{Flags, Run, Stage, Step, What};
use super::{Kubelets, backoff, behaviour, machine, recorded};
use crate::api::objects::{EndReason, Pod, PodReason};
use crate::kernel::{Duration, Id, Time};
use crate::rule::mark;
use crate::trace::happening::Happening;
use crate::world::{Draw, World};

/// An exit less than this away keeps the cluster from being settled; one further away does not.
pub(super) const NEAR: Duration = Duration::from_secs(3);
/// A pod sync waits at most this long for a back-off to end (POD-22).
const LONGEST_SYNC: Duration = Duration::from_secs(60);
/// Exit code of a killed container.
pub(super) const KILLED: u8 = 137;

impl Kubelets {
    /// The process of a container runs; its postStart hook is next.
    pub(super) fn started(&mut self, slot: u32, index: usize, world: &mut World) {
        self.changes += 1;
        let now = world.now();
        let run = self.workers.run_mut(slot, index);
        if run.is(Run::RAN) {
            mark!("POD-24");
            run.set_restarts(run.restarts().saturating_add(1));
        }
        run.set(Run::RUNS, true);
        run.set(Run::RAN, true);
        for flag in [Run::READY, Run::STARTED, Run::HUNG] {
            run.set(flag, false);
        }
        run.starts(now);
        self.looks_around(slot, index, world);
        let key = (u64::from(self.workers[slot].uid.0), run_key(self.workers.run(slot, index), index));
        let hook = if recorded(world) {
            None
        } else {
            world.store.pod_spec(self.workers[slot].spec).container(index).and_then(|c| c.post_start)
        };
        let given = behaviour::of(&self.workers[slot], index, world).post_start;
        let takes = behaviour::hook(hook, given, Draw::Hook, key, world);
        if takes == Duration::ZERO {
            self.hooked(slot, index, world);
        } else {
            self.plan_exit(slot, index, world);
            self.later_of(slot, index, takes, What::Hooked, world);
        }
    }

    /// The kubelet has started a container. It starts the next one if there is one, and looks at what it did if not.
    pub(super) fn hooked(&mut self, slot: u32, index: usize, world: &mut World) {
        self.enter_of(slot, index, Step::Running, world);
        self.tell_started(slot, world);
        if self.workers[slot].stage != Stage::Up {
            return;
        }
        if self.is_last(slot, world) {
            let on = self.see(slot, world);
            self.plan_exit(slot, index, world);
            if on { self.advance(slot, world) } else { self.report(slot, world) }
        } else {
            self.plan_exit(slot, index, world);
            self.advance(slot, world);
        }
    }

    fn tell_started(&self, slot: u32, world: &mut World) {
        if recorded(world) {
            return;
        }
        let pod = self.workers[slot].pod;
        world.emit(pod, false, "Created", |_| "Container created".to_owned());
        world.emit(pod, false, "Started", |_| "Container started".to_owned());
    }

    /// The container may exit by itself; an init container does, when its work is done.
    pub(super) fn plan_exit(&mut self, slot: u32, index: usize, world: &mut World) {
        let worker = &self.workers[slot];
        let run = self.workers.run(slot, index);
        let spec = world.store.pod_spec(worker.spec);
        let init = spec.inits.get(index).is_some_and(|container| !container.is_sidecar());
        let exit = behaviour::of(worker, index, world).exit;
        let fails = exit.filter(|exit| exit.times.is_none_or(|times| run.restarts() < times));
        let after = exit
            .filter(|_| init || fails.is_some())
            .map(|exit| world.draw(exit.after, Draw::Exit, u64::from(worker.uid.0), run_key(run, index)));
        // An init container that has failed as often as it should takes as long to succeed.
        let Some(after) = after.or(init.then_some(Duration::ZERO)) else { return };
        let left = if after.is_never() { after } else { (run.since() + after) - world.now() };
        let run = self.workers.run_mut(slot, index);
        let why = if fails.is_some_and(|exit| exit.oom) { EndReason::OomKilled } else { EndReason::ByCode };
        run.plan(fails.map_or(0, |exit| exit.code), why);
        if init || left.is_never() || left <= NEAR {
            self.later_of(slot, index, left, What::Exit, world);
        } else {
            let far = Duration::from_nanos(left.as_nanos() - NEAR.as_nanos());
            self.later_of(slot, index, far, What::ExitNear, world);
        }
    }

    /// The containers of a pod exit with 137 and restart in place.
    pub fn crash_pod(&mut self, pod: Id<Pod>, world: &mut World) {
        let Some(slot) = self.workers.latest(pod).filter(|slot| self.workers.any_runs(*slot)) else { return };
        let stopping = self.workers[slot].stage == Stage::Stopping;
        let inits = world.store.pod_spec(self.workers[slot].spec).inits.len();
        let regular = inits..self.workers.runs(slot).len();
        for index in regular.filter(|index| self.workers.run(slot, *index).is(Run::RUNS)).collect::<Vec<_>>()
        {
            let now = world.now();
            let run = self.workers.run_mut(slot, index);
            run.plan(KILLED, EndReason::ByCode);
            if stopping { run.set_ended(now) } else { self.exits(slot, index, world) }
        }
        if stopping {
            self.stopped(slot, world);
        }
    }

    /// A container has exited. The kubelet notices at its next look at the runtime (POD-20), or at once if it was itself.
    pub(super) fn exits(&mut self, slot: u32, index: usize, world: &mut World) {
        self.changes += 1;
        let now = world.now();
        let reset = world.config.timers.crash_backoff_reset;
        let run = self.workers.run_mut(slot, index);
        if now - run.since() > reset {
            run.forget_tries();
        }
        let (before, code) = (run.ended(), run.code());
        run.ends(now);
        let killed = run.step == Step::Killing;
        if !killed {
            let (pod, uid) = (self.workers[slot].pod, self.workers[slot].uid);
            world.happens(Happening::ContainerEnded(pod, uid, code));
        }
        self.enter_of(slot, index, Step::Exited, world);
        if killed {
            self.decide(slot, index, Some(before), world);
            return;
        }
        self.workers[slot].flags.set(Flags::PROBE_FAILED, false);
        if recorded(world) {
            self.noticed(slot, index, world);
        } else {
            mark!("POD-20");
            let node = self.workers[slot].node;
            let epoch = self.machine_of(slot).epoch;
            let look = machine::on_grid(node, epoch, now, world);
            self.later_of(slot, index, look - now, What::Noticed, world);
        }
    }

    /// The kubelet sees that a container has exited.
    pub(super) fn noticed(&mut self, slot: u32, index: usize, world: &mut World) {
        self.decide(slot, index, None, world);
    }

    /// A container has ended: it restarts, at once or after the back-off (POD-21), or never (POD-26). `before`: the
    /// kubelet has ended it, and before that it had ended then.
    fn decide(&mut self, slot: u32, index: usize, before: Option<Time>, world: &mut World) {
        let run = self.workers.run_mut(slot, index);
        run.set(Run::READY, false);
        if self.workers[slot].stage != Stage::Up {
            return;
        }
        let spec = world.store.pod_spec(self.workers[slot].spec);
        let Some(container) = spec.container(index) else { return };
        let run = self.workers.run(slot, index);
        if container.restarts_all_after(run.code()) {
            self.restart_all(slot, world);
            return;
        }
        let work_done = index < spec.inits.len() && !container.is_sidecar() && run.code() == 0;
        if work_done || !container.restarts_after(run.code(), spec.restart) {
            mark!("POD-26" if container.restart.is_some() && index >= spec.inits.len());
            self.enter_of(slot, index, Step::Done, world);
            self.report(slot, world);
            self.advance(slot, world);
            return;
        }
        let due = self.restarts_at(slot, index, before, world);
        let now = world.now();
        self.report(slot, world);
        if due <= now {
            self.begin(slot, index, world);
            return;
        }
        let (worker, run) = (&self.workers[slot], self.workers.run(slot, index));
        let (uid, node, restarts) = (worker.uid, worker.node, run.restarts());
        let mut restart = due;
        if !recorded(world) {
            let stretch = |n: u64| {
                let key = (index as u64) << 56 | u64::from(restarts) << 32 | n;
                world.chooser.keyed(Draw::Jitter as u32, u64::from(uid.0), key)
            };
            let epoch = self.machines[node.index()].epoch;
            let grid = |time| machine::on_grid(node, epoch, time, world);
            mark!("POD-22");
            restart = backoff::syncs(now, due, |left| left.min(LONGEST_SYNC), stretch, grid).1;
            self.tell_backoff(slot, index, world);
        }
        mark!("POD-23");
        self.enter_of(slot, index, Step::Backoff, world);
        self.later_of(slot, index, restart - now, What::Restart, world);
        self.advance(slot, world);
    }

    /// When the back-off of a container that has ended is over. The series is one for all reasons (POD-25), but a kubelet
    /// that has just killed a container still looks at the end before that: probes that fail slowly restart it several
    /// times at once before the first back-off.
    fn restarts_at(&mut self, slot: u32, index: usize, before: Option<Time>, world: &World) -> Time {
        let (now, timers) = (world.now(), &world.config.timers);
        let run = self.workers.run_mut(slot, index);
        let wait = backoff::wait(run.tries(), timers.crash_backoff, timers.crash_backoff_max);
        match before {
            // It had never ended: no series has begun.
            Some(Time::ZERO) => return now,
            Some(before) if now - before >= wait => {
                run.tries_again();
                return now;
            }
            _ => {}
        }
        run.tries_again();
        run.ended() + wait
    }

    fn tell_backoff(&self, slot: u32, index: usize, world: &mut World) {
        let worker = &self.workers[slot];
        world.emit(worker.pod, true, "BackOff", |w| {
            let store = &w.store;
            let container =
                store.pod_spec(worker.spec).container(index).map_or("", |c| store.names.text(c.name));
            let known = store.pods.last_known(worker.pod).map(|p| p.meta);
            let namespace = known.map_or("", |meta| store.names.text(meta.namespace));
            format!(
                "Back-off restarting failed container {container} in pod {}_{namespace}({})",
                known.map_or_else(String::new, |meta| store.name_of(meta.name)),
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
        self.workers.set_reason(slot, PodReason::Evicted);
        world.emit(pod, true, "Evicted", |_| "The node was low on resource: memory.".to_owned());
        // A hard eviction leaves the container the minimum; the recorded corpus gives it what it needs.
        let limit = if recorded(world) { Duration::NEVER } else { Duration::from_secs(1) };
        mark!("POD-12" if self.workers.any_runs(slot));
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
        let image = |spec, index| world.store.pod_spec(spec).container(index).map(|c| c.image);
        let count = self.workers.runs(slot).len();
        let changed: Vec<usize> =
            (0..count).filter(|index| image(before, *index) != image(object.spec, *index)).collect();
        if self.workers[slot].stage == Stage::Up {
            // Another image is another container: killed and started anew, without back-off (POD-8, POD-21).
            changed.into_iter().for_each(|index| self.image_changed(slot, index, world));
        }
    }
}

/// What tells the runs of a pod's containers apart when lots are drawn.
pub(super) fn run_key(run: &Run, index: usize) -> u64 {
    (index as u64) << 32 | u64::from(run.restarts())
}
