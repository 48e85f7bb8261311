//! From a pod that is seen bound to one that runs: admission, volumes, image, sandbox, containers (POD-17;
//! pkg/kubelet/kubelet.go HandlePodAdditions and SyncPod, pkg/kubelet/images/image_manager.go).
use super::worker::{Flags, Stage, What, Worker};
use super::{Kubelets, admission, backoff, behaviour, machine, recorded};
use crate::api::names::Sym;
use crate::api::objects::{Phase, Pod, PodReason};
use crate::kernel::{Duration, Id};
use crate::world::{Draw, World};

/// Between two syncs of a pod whose image could not be pulled (POD-22).
const SYNC_AFTER_ERROR: Duration = Duration::from_secs(10);

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
            name: object.meta.name,
            node: object.node,
            spec: object.spec,
            restarts: object.restarts,
            place,
            ..Worker::default()
        };
        worker.flags.set(Flags::NO_SANDBOX, true);
        // A worker of an earlier kubelet is gone with its machine; the object tells that containers have run.
        worker.flags.set(Flags::RAN, object.phase == Phase::Running);
        let slot = self.workers.insert(worker);
        self.machine_of(slot).workers.push(slot);
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
        self.workers[slot].reason = reason;
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

    /// Volumes are there: the image is next. Images that the node has are not pulled again (POD-19).
    pub(super) fn pull(&mut self, slot: u32, world: &mut World) {
        let worker = &self.workers[slot];
        let spec = world.store.pod_spec(worker.spec).clone();
        let images = &self.machines[worker.node.index()].images;
        let mut missing: Vec<Sym> = Vec::new();
        for container in &spec.containers {
            if !images.contains(&container.image) && !missing.contains(&container.image) {
                missing.push(container.image);
            }
        }
        if missing.is_empty() || (recorded(world) && !behaviour::of(worker, world).pull_fails) {
            if !recorded(world) {
                for container in &spec.containers {
                    world.emit(worker.pod, false, "Pulled", |w| {
                        let image = w.store.names.text(container.image);
                        format!("Container image \"{image}\" already present on machine and can be accessed by the pod")
                    });
                }
            }
            self.start(slot, world);
            return;
        }
        let (pod, uid) = (worker.pod, worker.uid);
        if !recorded(world) {
            for image in &missing {
                world.emit(pod, false, "Pulling", |w| {
                    format!("Pulling image \"{}\"", w.store.names.text(*image))
                });
            }
        }
        if behaviour::of(worker, world).pull_fails {
            self.pull_fails(slot, missing[0], world);
            return;
        }
        // One pull at a time per node (DEF-34).
        let mut end = world.now().max(self.machine_of(slot).pulls_until);
        for (attempt, _) in missing.iter().enumerate() {
            let key = u64::from(uid.0);
            end = end + world.draw(world.config.latency.image_pull, Draw::Pull, key, attempt as u64);
        }
        self.machine_of(slot).pulls_until = end;
        self.enter(slot, Stage::Pulling, world);
        self.later(slot, end - world.now(), What::Pulled, world);
    }

    /// The images are there.
    pub(super) fn pulled(&mut self, slot: u32, world: &mut World) {
        let worker = &mut self.workers[slot];
        worker.tries = 0;
        let (pod, spec) = (worker.pod, world.store.pod_spec(worker.spec).clone());
        let machine = self.machine_of(slot);
        for container in &spec.containers {
            if !machine.images.contains(&container.image) {
                machine.images.push(container.image);
                world.emit(pod, false, "Pulled", |w| {
                    format!("Successfully pulled image \"{}\"", w.store.names.text(container.image))
                });
            }
        }
        self.start(slot, world);
    }

    /// A pull has failed: it is tried again after the back-off, at a pod sync (POD-19, POD-22).
    fn pull_fails(&mut self, slot: u32, image: Sym, world: &mut World) {
        let timers = &world.config.timers;
        let worker = &mut self.workers[slot];
        worker.tries = worker.tries.saturating_add(1);
        let due = world.now() + backoff::wait(worker.tries, timers.image_backoff, timers.image_backoff_max);
        let (pod, uid, node, tries) = (worker.pod, worker.uid, worker.node, worker.tries);
        world
            .emit(pod, true, "Failed", |w| format!("Failed to pull image \"{}\"", w.store.names.text(image)));
        world.emit(pod, true, "Failed", |_| "Error: ErrImagePull".to_owned());
        let now = world.now();
        let (first, retry) = if recorded(world) {
            (Some(now + SYNC_AFTER_ERROR.half()), due)
        } else {
            let stretch = |n: u64| {
                let key = u64::from(tries) << 32 | n;
                world.chooser.keyed(Draw::Jitter as u32, u64::from(uid.0), key)
            };
            let epoch = self.machines[node.index()].epoch;
            let grid = |time| machine::on_grid(node, epoch, time, world);
            backoff::syncs(now, due, |_| SYNC_AFTER_ERROR, stretch, grid)
        };
        self.enter(slot, Stage::PullFailed, world);
        if let Some(first) = first {
            self.later(slot, first - now, What::PullSync, world);
        }
        self.later(slot, retry - now, What::PullRetry, world);
        self.report(slot, world);
    }

    /// A sync during the back-off: ErrImagePull becomes ImagePullBackOff (POD-19).
    pub(super) fn pull_waits(&mut self, slot: u32, world: &mut World) {
        // Not a stage entered: the retry is still waited for.
        self.workers[slot].stage = Stage::PullBackoff;
        let worker = &self.workers[slot];
        let image = world.store.pod_spec(worker.spec).containers.first().map_or(Sym::EMPTY, |c| c.image);
        world.emit(worker.pod, false, "BackOff", |w| {
            format!("Back-off pulling image \"{}\"", w.store.names.text(image))
        });
        world.emit(worker.pod, true, "Failed", |_| "Error: ImagePullBackOff".to_owned());
        self.report(slot, world);
    }

    /// Sandbox, init containers, containers.
    fn start(&mut self, slot: u32, world: &mut World) {
        self.enter(slot, Stage::Starting, world);
        let worker = &self.workers[slot];
        let latency = world.config.latency;
        let (key, attempt) = (u64::from(worker.uid.0), u64::from(worker.restarts) * 64);
        let delay = match behaviour::of(worker, world).start {
            Some(given) => world.draw(given, Draw::Start, key, attempt),
            None if recorded(world) => world.draw(latency.container_start, Draw::Start, key, attempt),
            None => {
                let fresh = worker.is(Flags::NO_SANDBOX);
                let inits = if fresh { world.store.pod_spec(worker.spec).init_containers.min(62) } else { 0 };
                let sandbox = if fresh {
                    world.draw(latency.sandbox, Draw::Sandbox, key, attempt)
                } else {
                    Duration::ZERO
                };
                (0..=u64::from(inits)).fold(sandbox, |sum, n| {
                    sum + world.draw(latency.container_start, Draw::Start, key, attempt + n)
                })
            }
        };
        self.later(slot, delay, What::Started, world);
    }
}
