//! The volume manager: a pod waits until its volumes are reported in use, attached, staged and published; after it, they
//! are taken down again (VOL-39 to VOL-43; pkg/kubelet/volumemanager).
//!
//! The gate that costs most is the kubelet's own report: no mount begins before node status lists the volume, and none
//! is detached before it no longer does (VOL-40). Left out: a volume that is listed as attached is; the attachment is
//! not looked at a second time.
use super::worker::{Flags, Stage, What};
use super::{Kubelets, recorded};
use crate::api::objects::{Node, Pod, Volume, added_volumes};
use crate::api::pod_spec::ClaimName;
use crate::event::{Event, KubeletEvent};
use crate::kernel::{Duration, Id, make_room};
use crate::rule::mark;
use crate::world::{Draw, World};
use std::collections::BTreeSet;
use std::sync::Arc;

/// The first of the waits between two looks at a claim that is not bound; they double.
const CLAIM_POLL: Duration = Duration::from_millis(100);
/// The recorded corpus' clusters are not settled while a pod waits less than this for its volumes.
const SETTLES_AFTER: Duration = Duration::from_secs(6);

/// A volume that a node wants or has: twice the number of workers whose pods use it, one more if its device is mounted.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Held(u32);

impl Held {
    /// Workers whose pods use it.
    fn users(self) -> u32 {
        self.0 >> 1
    }
    /// Its device is mounted.
    fn is_staged(self) -> bool {
        self.0 & 1 == 1
    }
    fn set_staged(&mut self) {
        self.0 |= 1;
    }
    /// The same users, but its device is not mounted.
    fn unstaged(self) -> Held {
        Held(self.0 & !1)
    }
    fn add_user(&mut self) {
        self.0 += 2;
    }
    fn remove_user(&mut self) {
        if self.users() > 0 {
            self.0 -= 2;
        }
    }
}

/// The volumes that a node wants or has.
#[derive(Clone, Debug, Default)]
pub(super) struct Holdings {
    /// Sorted. Shared with node status, while that says the same.
    volumes: Arc<Vec<Id<Volume>>>,
    /// What is known of each of them.
    held: Vec<Held>,
    /// Those that node status has not listed since the kubelet began to want them.
    unreported: BTreeSet<Id<Volume>>,
}

impl Kubelets {
    /// The pod's volumes are wanted on this node from now on.
    pub(super) fn need_volumes(&mut self, slot: u32, world: &mut World) {
        // Without an object the watch is about to say that it is gone.
        let Some(object) = self.object(slot, world) else { return };
        if !self.workers.volumes(slot).is_empty() {
            self.wait_for_volumes(slot, world);
            return;
        }
        let spec = world.store.pod_spec(object.spec).clone();
        if spec.claims.is_empty() {
            self.bring_up(slot, world);
            return;
        }
        let volumes: Option<Vec<Id<Volume>>> =
            spec.claims.iter().map(|claim| volume_of(&object, claim.claim, world)).collect();
        let Some(mut volumes) = volumes else {
            // Only a pod that no scheduler has placed comes here with claims that are not bound.
            self.enter(slot, Stage::Waiting, world);
            let worker = &mut self.workers[slot];
            worker.tries = worker.tries.saturating_add(1).min(24);
            let wait = CLAIM_POLL.times(1 << worker.tries).min(world.config.timers.volume_backoff_max);
            self.later(slot, wait, What::Claims, world);
            return;
        };
        volumes.sort_unstable();
        volumes.dedup();
        self.workers[slot].tries = 0;
        self.workers.set_volumes(slot, &volumes);
        let machine = self.machine_of(slot);
        for volume in volumes {
            mark!("VOL-23" if machine.volumes.is_wanted(volume));
            machine.volumes.want(volume);
        }
        self.wait_for_volumes(slot, world);
    }

    fn wait_for_volumes(&mut self, slot: u32, world: &mut World) {
        self.enter(slot, Stage::Waiting, world);
        if recorded(world) {
            self.later(slot, SETTLES_AFTER, What::HoldOver, world);
        } else {
            self.later(slot, world.config.timers.mount_timeout, What::MountTimeout, world);
        }
        let node = self.workers[slot].node;
        let machine = &mut self.machines[node.index()];
        let volumes = self.workers.volumes(slot);
        machine.waiting.extend(volumes.iter().map(|volume| (*volume, slot)));
        if !volumes.iter().all(|volume| machine.volumes.is_reported(*volume)) {
            self.ask_for_tick(node, false, world);
        }
        self.proceed(slot, world);
    }

    /// Nobody waits for the volumes of this worker's pod any more.
    pub(super) fn no_longer_waits(&mut self, slot: u32) {
        let waiting = &mut self.machines[self.workers[slot].node.index()].waiting;
        for volume in self.workers.volumes(slot) {
            waiting.remove(&(*volume, slot));
        }
    }

    /// The pods of a node that wait for these volumes look again.
    pub(super) fn wake(&mut self, node: Id<Node>, volumes: &[Id<Volume>], world: &mut World) {
        for volume in volumes {
            let of_volume = (*volume, 0)..=(*volume, u32::MAX);
            let slots: Vec<u32> =
                self.machines[node.index()].waiting.range(of_volume).map(|(_, slot)| *slot).collect();
            for slot in slots {
                self.proceed(slot, world);
            }
        }
    }

    /// The kubelet's watch shows its node: what is newly attached is looked at (VOL-41).
    pub(super) fn sees_attached(&mut self, node: Id<Node>, world: &mut World) {
        let Some(now) = world.store.nodes.get(node).map(|node| node.volumes_attached.clone()) else { return };
        let machine = &mut self.machines[node.index()];
        if Arc::ptr_eq(&machine.attached, &now) {
            return;
        }
        let before = std::mem::replace(&mut machine.attached, now.clone());
        let new = added_volumes(&before, &now);
        self.wake(node, &new, world);
    }

    /// Mounts, if all volumes are reported and attached (VOL-41). What another pod of the node keeps mounted is there
    /// already (VOL-43).
    fn proceed(&mut self, slot: u32, world: &mut World) {
        let worker = &self.workers[slot];
        let restarts = self.workers.runs(slot).first().map_or(0, |run| run.restarts());
        let (uid, attempt) = (u64::from(worker.uid.0), u64::from(restarts));
        let Some(node) = world.store.nodes.get(worker.node) else { return };
        let held = &self.machines[worker.node.index()].volumes;
        let (stage, publish) = (world.config.latency.stage, world.config.latency.publish);
        let mut delay = Duration::ZERO;
        for (n, volume) in self.workers.volumes(slot).iter().enumerate() {
            let Some(staged) = held.get(*volume).map(|held| held.is_staged()) else { return };
            let key = attempt << 8 | (n as u64) << 1;
            let mut time = world.draw(publish, Draw::Mount, uid, key);
            if !staged {
                let attached =
                    held.is_reported(*volume) && node.volumes_attached.binary_search(volume).is_ok();
                if is_attachable(*volume, world) && !attached {
                    return;
                }
                mark!("VOL-41");
                time = time + world.draw(stage, Draw::Mount, uid, key | 1);
            } else {
                mark!("VOL-43");
            }
            delay = delay.max(time);
        }
        self.no_longer_waits(slot);
        self.enter(slot, Stage::Mounting, world);
        if delay == Duration::ZERO {
            self.mounted_all(slot, world);
        } else {
            self.later(slot, delay, What::Mounted, world);
        }
    }

    /// The volumes are mounted.
    pub(super) fn mounted_all(&mut self, slot: u32, world: &mut World) {
        if self.mount_hangs(slot, world) {
            return;
        }
        let node = self.workers[slot].node;
        let machine = &mut self.machines[node.index()];
        for volume in self.workers.volumes(slot) {
            if let Some(held) = machine.volumes.get_mut(*volume) {
                held.set_staged();
                world.mount(*volume, node);
            }
        }
        self.bring_up(slot, world);
    }

    /// An attempt at mounting is over; the next one begins (VOL-39).
    pub(super) fn mount_timed_out(&mut self, slot: u32, world: &mut World) {
        let worker = &self.workers[slot];
        mark!("VOL-39");
        world.emit(worker.pod, true, "FailedMount", |w| {
            let claims = &w.store.pod_spec(worker.spec).claims;
            let names: Vec<&str> = claims.iter().map(|claim| w.store.names.text(claim.volume)).collect();
            let names = names.join(" ");
            format!(
                "Unable to attach or mount volumes: unmounted volumes=[{names}], unattached volumes=[{names}], failed \
                 to process volumes=[]: context deadline exceeded"
            )
        });
        self.later(slot, world.config.timers.mount_timeout, What::MountTimeout, world);
    }

    /// Containers are gone: the volumes are unpublished.
    pub(super) fn release_volumes(&mut self, slot: u32, world: &mut World) {
        if self.workers.volumes(slot).is_empty() {
            self.conclude(slot, false, world);
            return;
        }
        let worker = &mut self.workers[slot];
        if worker.is(Flags::RELEASING) {
            return;
        }
        worker.flags.set(Flags::RELEASING, true);
        let uid = u64::from(worker.uid.0);
        let delay = world.draw(world.config.latency.publish, Draw::Mount, uid, u64::MAX);
        if delay == Duration::ZERO {
            self.unpublished(slot, world);
        } else {
            self.later(slot, delay, What::Unpublished, world);
        }
    }

    /// Unless it hangs, the pod is rid of its volumes, and done.
    pub(super) fn unpublished(&mut self, slot: u32, world: &mut World) {
        if self.release_hangs(slot, world) {
            return;
        }
        self.workers[slot].flags.set(Flags::RELEASING, false);
        self.give_up_volumes(slot, world);
        self.conclude(slot, true, world);
    }

    /// The pod no longer uses its volumes; those that no other pod of the node uses are unstaged (VOL-42).
    pub(super) fn give_up_volumes(&mut self, slot: u32, world: &mut World) {
        let node = self.workers[slot].node;
        let mut changed = false;
        for volume in self.workers.volumes(slot).to_vec() {
            let longer = self.unmount_takes_longer(volume, world);
            let machine = &mut self.machines[node.index()];
            let Some(held) = machine.volumes.get_mut(volume) else { continue };
            mark!("VOL-42");
            held.remove_user();
            if held.users() > 0 {
                continue;
            }
            let (staged, life) = (held.is_staged(), machine.life);
            let delay = if staged {
                world.draw(
                    world.config.latency.publish,
                    Draw::Mount,
                    u64::from(volume.as_u32()),
                    machine.unstaged(),
                ) + longer
            } else {
                Duration::ZERO
            };
            let delay = self.work_on(node, delay);
            if delay > Duration::ZERO {
                world.after(delay, Event::Kubelet(KubeletEvent::Unstaged(node, volume, life)));
            } else if !staged || !self.unmount_hangs(node, volume, world) {
                self.machines[node.index()].volumes.remove(volume);
                world.unmount(volume, node);
                changed = true;
            }
        }
        self.workers.set_volumes(slot, &[]);
        if changed {
            self.ask_for_tick(node, false, world);
        }
    }

    /// The device of a volume is unmounted, unless another pod has come to use it.
    pub(super) fn unstaged(&mut self, node: Id<Node>, volume: Id<Volume>, life: u32, world: &mut World) {
        let Some(machine) = self.machines.get(node.index()).filter(|m| m.life == life) else { return };
        let unused = machine.volumes.get(volume).is_some_and(|held| held.users() == 0);
        if unused && !self.unmount_hangs(node, volume, world) {
            let machine = &mut self.machines[node.index()];
            machine.volumes.remove(volume);
            world.unmount(volume, node);
            self.ask_for_tick(node, false, world);
        }
    }
}

/// A driver attaches it; others, such as NFS, are mounted as they are (VOL-26).
fn is_attachable(volume: Id<Volume>, world: &World) -> bool {
    world.store.volumes.last_known(volume).is_some_and(|volume| volume.disk != 0)
}

impl Holdings {
    /// Those that are attached: what volumesInUse will say (VOL-32). Sorted.
    pub(super) fn attachable(&self, world: &World) -> Arc<Vec<Id<Volume>>> {
        let attachable = |volume: &Id<Volume>| is_attachable(*volume, world);
        if self.volumes.iter().all(attachable) {
            return self.volumes.clone();
        }
        Arc::new(self.volumes.iter().copied().filter(attachable).collect())
    }

    /// Those whose devices are mounted, sorted.
    pub(super) fn staged(&self) -> impl Iterator<Item = Id<Volume>> {
        let all = self.volumes.iter().zip(&self.held);
        all.filter(|(_, held)| held.is_staged()).map(|(volume, _)| *volume)
    }

    fn get(&self, volume: Id<Volume>) -> Option<&Held> {
        self.held.get(self.volumes.binary_search(&volume).ok()?)
    }

    fn get_mut(&mut self, volume: Id<Volume>) -> Option<&mut Held> {
        self.held.get_mut(self.volumes.binary_search(&volume).ok()?)
    }

    /// A worker uses the volume.
    fn is_wanted(&self, volume: Id<Volume>) -> bool {
        self.get(volume).is_some_and(|held| held.users() > 0)
    }

    /// One more worker uses a volume.
    fn want(&mut self, volume: Id<Volume>) {
        match self.volumes.binary_search(&volume) {
            Ok(at) => self.held[at].add_user(),
            Err(at) => {
                let volumes = Arc::make_mut(&mut self.volumes);
                make_room(volumes);
                volumes.insert(at, volume);
                make_room(&mut self.held);
                self.held.insert(at, Held::default());
                self.held[at].add_user();
                self.unreported.insert(volume);
            }
        }
    }

    fn remove(&mut self, volume: Id<Volume>) {
        if let Ok(at) = self.volumes.binary_search(&volume) {
            Arc::make_mut(&mut self.volumes).remove(at);
            self.held.remove(at);
            self.unreported.remove(&volume);
        }
    }

    /// Node status lists the volume since the kubelet began to want it.
    fn is_reported(&self, volume: Id<Volume>) -> bool {
        self.get(volume).is_some() && !self.unreported.contains(&volume)
    }

    /// Node status lists all of them from now on. Those it did not before, sorted.
    pub(super) fn report(&mut self) -> Vec<Id<Volume>> {
        std::mem::take(&mut self.unreported).into_iter().collect()
    }

    /// The machine has lost power: nothing is mounted, and the kubelet that comes back has reported nothing.
    pub(super) fn lose_power(&mut self) {
        let used = self.volumes.iter().zip(&self.held).filter(|(_, held)| held.users() > 0);
        let (volumes, held): (Vec<_>, Vec<_>) = used.map(|(volume, held)| (*volume, held.unstaged())).unzip();
        *self = Holdings { unreported: volumes.iter().copied().collect(), volumes: volumes.into(), held };
    }
}

/// The volume behind a claim of a pod, if the claim is bound to it and it to the claim.
fn volume_of(pod: &Pod, claim: ClaimName, world: &World) -> Option<Id<Volume>> {
    let (_, claim) = world.store.claims.find(pod.meta.namespace, claim.of(pod.meta.name)?)?;
    let volume = world.store.volumes.get(claim.volume).filter(|_| claim.is_fully_bound())?;
    (volume.claim.uid == claim.meta.uid).then_some(claim.volume)
}
