//! Image pulls: one at a time on each node, failing ones again after a back-off (POD-19;
//! pkg/kubelet/images/image_manager.go). Left out: imagePullPolicy Always asks the registry again at every start, and
//! Never fails.
use super::worker::{Flags, Step, What};
use super::{Kubelets, backoff, behaviour, machine, recorded};
use crate::api::names::Sym;
use crate::api::objects::EndReason;
use crate::kernel::Duration;
use crate::world::{Draw, World};

/// Between two syncs of a pod whose image could not be pulled (POD-22).
const SYNC_AFTER_ERROR: Duration = Duration::from_secs(10);

impl Kubelets {
    fn image(&self, slot: u32, index: usize, world: &World) -> Sym {
        world.store.pod_spec(self.workers[slot].spec).container(index).map_or(Sym::EMPTY, |c| c.image)
    }

    /// Images that the node has are not pulled again (POD-19).
    pub(super) fn pull(&mut self, slot: u32, index: usize, world: &mut World) {
        let image = self.image(slot, index, world);
        let worker = &self.workers[slot];
        let (pod, uid) = (worker.pod, worker.uid);
        let fails = behaviour::of(worker, index, world).pull_fails;
        if self.machines[worker.node.index()].images.contains(&image) || (recorded(world) && !fails) {
            if !recorded(world) {
                world.emit(pod, false, "Pulled", |w| {
                    let image = w.store.names.text(image);
                    format!("Container image \"{image}\" already present on machine and can be accessed by the pod")
                });
            }
            self.start(slot, index, world);
            return;
        }
        if !recorded(world) {
            world.emit(pod, false, "Pulling", |w| format!("Pulling image \"{}\"", w.store.names.text(image)));
        }
        if fails {
            self.pull_fails(slot, index, world);
            return;
        }
        // One pull at a time per node (DEF-34).
        let begin = world.now().max(self.machine_of(slot).pulls_until);
        let end =
            begin + world.draw(world.config.latency.image_pull, Draw::Pull, u64::from(uid.0), index as u64);
        self.machine_of(slot).pulls_until = end;
        self.enter_of(slot, index, Step::Pulling, world);
        self.later_of(slot, index, end - world.now(), What::Pulled, world);
    }

    /// The image is there.
    pub(super) fn pulled(&mut self, slot: u32, index: usize, world: &mut World) {
        self.workers.run_mut(slot, index).forget_tries();
        let (pod, image) = (self.workers[slot].pod, self.image(slot, index, world));
        let machine = self.machine_of(slot);
        if !machine.images.contains(&image) {
            machine.images.push(image);
            world.emit(pod, false, "Pulled", |w| {
                format!("Successfully pulled image \"{}\"", w.store.names.text(image))
            });
        }
        self.start(slot, index, world);
    }

    /// A pull has failed: it is tried again after the back-off, at a pod sync (POD-19, POD-22).
    fn pull_fails(&mut self, slot: u32, index: usize, world: &mut World) {
        let timers = &world.config.timers;
        let image = self.image(slot, index, world);
        let run = self.workers.run_mut(slot, index);
        run.tries_again();
        let tries = run.tries();
        let due = world.now() + backoff::wait(tries, timers.image_backoff, timers.image_backoff_max);
        let worker = &self.workers[slot];
        let (pod, uid, node) = (worker.pod, worker.uid, worker.node);
        world
            .emit(pod, true, "Failed", |w| format!("Failed to pull image \"{}\"", w.store.names.text(image)));
        world.emit(pod, true, "Failed", |_| "Error: ErrImagePull".to_owned());
        let now = world.now();
        let (first, retry) = if recorded(world) {
            (Some(now + SYNC_AFTER_ERROR.half()), due)
        } else {
            let stretch = |n: u64| {
                let key = (index as u64) << 48 | u64::from(tries) << 32 | n;
                world.chooser.keyed(Draw::Jitter as u32, u64::from(uid.0), key)
            };
            let epoch = self.machines[node.index()].epoch;
            let grid = |time| machine::on_grid(node, epoch, time, world);
            backoff::syncs(now, due, |_| SYNC_AFTER_ERROR, stretch, grid)
        };
        self.enter_of(slot, index, Step::PullFailed, world);
        if let Some(first) = first {
            self.later_of(slot, index, first - now, What::PullSync, world);
        }
        self.later_of(slot, index, retry - now, What::PullRetry, world);
        // The next container's turn has come all the same.
        self.advance(slot, world);
    }

    /// A sync during the back-off: ErrImagePull becomes ImagePullBackOff (POD-19).
    pub(super) fn pull_waits(&mut self, slot: u32, index: usize, world: &mut World) {
        // Not a step entered: the retry is still waited for.
        self.workers.run_mut(slot, index).step = Step::PullBackoff;
        let (pod, image) = (self.workers[slot].pod, self.image(slot, index, world));
        world.emit(pod, false, "BackOff", |w| {
            format!("Back-off pulling image \"{}\"", w.store.names.text(image))
        });
        world.emit(pod, true, "Failed", |_| "Error: ImagePullBackOff".to_owned());
        self.report(slot, world);
    }

    /// The image of a container has changed: what waited for the old one or failed with it begins anew (POD-8, POD-21).
    pub(super) fn image_changed(&mut self, slot: u32, index: usize, world: &mut World) {
        let run = self.workers.run_mut(slot, index);
        match run.step {
            Step::Running if recorded(world) => {
                run.forget_tries();
                run.plan(super::run::KILLED, EndReason::ByCode);
                self.exits(slot, index, world);
            }
            Step::Running => {
                run.forget_tries();
                let grace = world.store.pod_spec(self.workers[slot].spec).grace;
                self.workers[slot].flags.set(Flags::PROBE_FAILED, false);
                self.tell_definition_changed(slot, index, world);
                self.kill(slot, index, super::stop::grace(grace), world);
            }
            Step::PullFailed | Step::PullBackoff | Step::Backoff => {
                run.forget_tries();
                self.begin(slot, index, world);
            }
            _ => {}
        }
    }

    fn tell_definition_changed(&self, slot: u32, index: usize, world: &mut World) {
        let worker = &self.workers[slot];
        world.emit(worker.pod, false, "Killing", |w| {
            let spec = w.store.pod_spec(worker.spec);
            let name = spec.container(index).map_or("", |c| w.store.names.text(c.name));
            format!("Container {name} definition changed, will be restarted")
        });
    }
}
