//! The end of a pod on its node: SIGTERM, grace period, terminal status, volumes, final delete (POD-33 to POD-41;
//! pkg/kubelet/pod_workers.go, pkg/kubelet/kubelet.go SyncTerminatingPod and SyncTerminatedPod).
use super::run::{KILLED, run_key};
use super::worker::{Flags, Run, Stage, Step, What};
use super::{Kubelets, behaviour, recorded};
use crate::api::objects::{EndReason, Ended, Pod, PodReason};
use crate::kernel::Duration;
use crate::rule::{Rule, mark};
use crate::world::{Actor, DeleteOptions, Draw, World};

/// How one container ends after SIGTERM has been asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct End {
    after: Duration,
    killed: bool,
}

/// A container that is to be stopped: how long its preStop hook takes, and how long it takes to exit after SIGTERM.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Stop {
    hook: Duration,
    exit: Duration,
}

impl Stop {
    /// The hook eats the grace period; SIGTERM comes when it is over, or the period is, and not before its `turn`; then
    /// what is left of the period, but never less than `least`, until SIGKILL (POD-33, POD-35).
    fn end(self, grace: Duration, turn: Duration, least: Duration) -> End {
        let term = self.hook.min(grace).max(turn.min(grace));
        let left = Duration::from_nanos(grace.as_nanos() - term.as_nanos());
        let left = if grace.is_never() { grace } else { left.max(least) };
        End { after: term + self.exit.min(left), killed: self.exit > left }
    }
}

/// When containers end that are stopped together: regular ones at once, sidecars one after the other from the last to the
/// first, once all regular ones have ended (POD-35). `sidecars` says which are; the answers are in the same order.
fn ends(stops: &[(Stop, bool)], grace: Duration, least: Duration) -> Vec<End> {
    let mut ends: Vec<End> = stops.iter().map(|(stop, _)| stop.end(grace, Duration::ZERO, least)).collect();
    let regular = stops.iter().zip(&ends).filter(|((_, sidecar), _)| !sidecar).map(|(_, end)| end.after);
    let mut turn = regular.max().unwrap_or_default();
    for (index, (stop, _)) in stops.iter().enumerate().rev().filter(|(_, (_, sidecar))| *sidecar) {
        mark!("POD-35");
        ends[index] = stop.end(grace, turn, least);
        turn = turn.max(ends[index].after);
    }
    ends
}

impl Kubelets {
    /// The kubelet sees deletionTimestamp, or a shorter grace period.
    pub(super) fn deletion_seen(&mut self, slot: u32, object: &Pod, world: &mut World) {
        match self.workers[slot].stage {
            // The final status or the final delete is under way, or nothing is left to do.
            Stage::Stopped | Stage::Finished => {}
            _ => self.stop_pod(slot, grace(world.store.rare(&object.meta).grace), world),
        }
    }

    /// The API object is gone although the containers may run: a force delete (POD-39, POD-40).
    pub(super) fn vanished(&mut self, slot: u32, limit: Duration, world: &mut World) {
        if self.workers.any_runs(slot) {
            self.stop_pod(slot, limit, world);
        } else if !self.workers[slot].is(Flags::RELEASING) {
            self.enter(slot, Stage::Stopped, world);
            self.halt(slot, world);
            self.release_volumes(slot, world);
        }
    }

    /// Stops all containers; after the grace period `limit` they are gone. A stop under way can only become shorter
    /// (POD-34).
    pub(super) fn stop_pod(&mut self, slot: u32, limit: Duration, world: &mut World) {
        if !self.workers.any_runs(slot) {
            self.stop_dead(slot, world);
            return;
        }
        let now = world.now();
        if self.workers[slot].stage == Stage::Stopping {
            let until = now + limit.max(self.least(world));
            mark!("POD-34" if self.workers.stopped_at(slot).is_some_and(|before| until < before));
            for run in
                self.workers.runs_mut(slot).iter_mut().filter(|run| run.is(Run::RUNS) && run.ended() > until)
            {
                run.set_ended(until);
                run.plan(KILLED, EndReason::ByCode);
            }
        } else {
            mark!("POD-33");
            self.tell_killing(slot, world);
            self.plan_stop(slot, limit, world);
        }
        let until = self.workers.stopped_at(slot).unwrap_or(now);
        self.enter(slot, Stage::Stopping, world);
        self.later(slot, until - now, What::Stopped, world);
    }

    /// A container gets at least this between SIGTERM and SIGKILL (POD-33). The recorded corpus takes the grace period
    /// as it is.
    fn least(&self, world: &World) -> Duration {
        if recorded(world) { Duration::ZERO } else { world.config.timers.minimum_grace }
    }

    /// How a container stops.
    fn stop_of(&self, slot: u32, index: usize, world: &World) -> Stop {
        let (worker, run) = (&self.workers[slot], self.workers.run(slot, index));
        let does = behaviour::of(worker, index, world);
        let (uid, key) = (u64::from(worker.uid.0), run_key(run, index));
        let container = world.store.pod_spec(worker.spec).container(index);
        let hook = container.and_then(|c| c.pre_stop).filter(|_| !recorded(world));
        // The first half of the numbers is for postStart hooks.
        let hook = behaviour::hook(hook, does.pre_stop, Draw::Hook, (uid, key | 1 << 63), world);
        let exit = world.draw(does.stop.unwrap_or(world.config.latency.container_stop), Draw::Stop, uid, key);
        Stop { hook: self.takes(slot, hook), exit: self.takes(slot, exit) }
    }

    /// Decides when each container of a pod that is stopped now will have ended, and how.
    pub(super) fn plan_stop(&mut self, slot: u32, limit: Duration, world: &mut World) {
        let (now, least) = (world.now(), self.least(world));
        let inits = world.store.pod_spec(self.workers[slot].spec).inits.len();
        let running: Vec<usize> = (0..self.workers.runs(slot).len())
            .filter(|index| self.workers.run(slot, *index).is(Run::RUNS))
            .collect();
        let stops: Vec<_> =
            running.iter().map(|index| (self.stop_of(slot, *index, world), *index < inits)).collect();
        let evicted = self.workers.reason(slot) == PodReason::Evicted;
        for (index, end) in running.into_iter().zip(ends(&stops, limit, least)) {
            let run = self.workers.run_mut(slot, index);
            run.set_ended(now + end.after);
            run.plan(if end.killed || evicted { KILLED } else { 0 }, EndReason::ByCode);
        }
        self.halt(slot, world);
        if !recorded(world) {
            // Readiness is probed on; liveness and startup are not (POD-31).
            for index in 0..self.workers.runs(slot).len() {
                if self.workers.run(slot, index).is(Run::RUNS) {
                    mark!("POD-31");
                    self.await_ready(slot, index, world);
                }
            }
        }
    }

    /// Stops one container, which will be restarted (POD-25): hook, SIGTERM, SIGKILL as ever.
    pub(super) fn kill(&mut self, slot: u32, index: usize, limit: Duration, world: &mut World) {
        let end = self.stop_of(slot, index, world).end(limit, Duration::ZERO, self.least(world));
        self.enter_of(slot, index, Step::Killing, world);
        let run = self.workers.run_mut(slot, index);
        run.plan(if end.killed { KILLED } else { 0 }, EndReason::ByCode);
        self.later_of(slot, index, end.after, What::Exit, world);
    }

    fn tell_killing(&self, slot: u32, world: &mut World) {
        if recorded(world) || !world.events.is_on() {
            return;
        }
        let worker = &self.workers[slot];
        let spec = world.store.pod_spec(worker.spec).clone();
        for (container, _) in
            spec.all_containers().zip(self.workers.runs(slot)).filter(|(_, r)| r.is(Run::RUNS))
        {
            world.emit(worker.pod, false, "Killing", |w| {
                format!("Stopping container {}", w.store.names.text(container.name))
            });
        }
    }

    /// Ends a pod none of whose containers runs (POD-38).
    pub(super) fn stop_dead(&mut self, slot: u32, world: &mut World) {
        self.stopped(slot, world);
    }

    /// No container of the pod runs any more, for good.
    pub(super) fn stopped(&mut self, slot: u32, world: &mut World) {
        self.changes += 1;
        self.no_longer_waits(slot);
        self.count(slot, false, world);
        self.enter(slot, Stage::Stopped, world);
        self.halt(slot, world);
        for run in self.workers.runs_mut(slot) {
            if run.is(Run::RUNS) {
                run.ends(run.ended());
            } else if !run.is(Run::RAN) {
                mark!("POD-38");
                run.set_end(Ended { code: KILLED, why: EndReason::NeverRan, ..Ended::NONE });
            }
            run.set(Run::READY, false);
        }
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
        if world.delete(worker.pod, options, Rule::pod(36)).is_err() && self.object(slot, world).is_some() {
            self.workers[slot].flags.set(Flags::DELETE_FAILED, true);
            self.retry(slot, world);
            return;
        }
        // This kubelet has nothing left to do for the pod.
        self.drop_worker(slot, world);
    }

    /// Forgets a worker.
    pub(super) fn drop_worker(&mut self, slot: u32, world: &mut World) {
        self.changes += 1;
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

/// A grace period in the kubelet: at least a second (POD-34).
pub(super) fn grace(seconds: u32) -> Duration {
    Duration::from_secs(u64::from(seconds.max(1)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secs(n: u64) -> Duration {
        Duration::from_secs(n)
    }

    #[test]
    fn the_hook_eats_the_grace_period() {
        let never = Duration::NEVER;
        // Grace, preStop, exit after SIGTERM; then when it ends, and whether it is killed (POD-33).
        for (grace, hook, exit, after, killed) in [
            (30, secs(0), secs(1), 1, false),
            (30, secs(0), never, 30, true),
            (30, secs(25), never, 30, true),
            (30, secs(25), secs(5), 30, false),
            (30, secs(60), never, 32, true),
            (30, secs(60), secs(1), 31, false),
            (1, secs(0), never, 2, true),
            (1, secs(5), secs(1), 2, false),
        ] {
            let end = Stop { hook, exit }.end(secs(grace), Duration::ZERO, secs(2));
            assert_eq!(end, End { after: secs(after), killed }, "{grace} {hook} {exit}");
        }
    }

    #[test]
    fn sidecars_end_last_and_in_reverse_order() {
        let stop = |exit| Stop { hook: Duration::ZERO, exit: secs(exit) };
        let stops = [(stop(1), true), (stop(2), true), (stop(5), false), (stop(3), false)];
        let after = |grace| -> Vec<u64> {
            ends(&stops, secs(grace), secs(2)).iter().map(|end| end.after.as_secs()).collect()
        };
        assert_eq!(after(30), [8, 7, 5, 3]);
        // Little is left for the sidecars: two seconds each.
        assert_eq!(after(4), [5, 6, 4, 3]);
    }
}
