//! external-provisioner: makes volumes for claims, and deletes released ones (VOL-11 to VOL-16).
//!
//! Follows `sig-storage-lib-external-provisioner` (`controller.go`) and `external-provisioner` (`pkg/controller`):
//! the hand-over by annotation, topology, the back-off, the finalizer that keeps a volume until its disk is gone. Left
//! out: RPC time-outs whose outcome is unknown (the same call goes on), the limit of 100 workers, data sources.
use crate::api::names::{Name, Sym, Uid};
use crate::api::objects::*;
use crate::api::store::{Change, View};
use crate::config::KubeletModel;
use crate::event::{Event, Process, StorageEvent};
use crate::kernel::hash::fnv1_32;
use crate::kernel::{Duration, Id};
use crate::rule::{Rule, mark};
use crate::storage::{CloudCall, Csi, backoff, draw_key};
use crate::world::{Actor, DeleteOptions, Retries, World};
use std::collections::BTreeMap;

/// The name of the EBS driver as classes name it.
pub(super) const DRIVER: &str = "ebs.csi.aws.com";

/// A claim that is being provisioned for.
#[derive(Clone, Copy, Debug)]
struct Work {
    uid: Uid,
    claim: ClaimRef,
    spec: ClaimSpecId,
    node: Id<Node>,
    reclaim: Reclaim,
    failures: u32,
    /// The node was not usable: the scheduler shall choose again (VOL-14).
    reschedule: bool,
}

/// Why a claim cannot be provisioned for now.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Failure {
    message: String,
    reschedule: bool,
}

/// Memory of the external-provisioner.
#[derive(Clone, Debug, Default)]
pub(super) struct Provisioner {
    claims: BTreeMap<Id<Claim>, Work>,
    /// Volumes to delete, with the number of failures so far.
    deletions: BTreeMap<Id<Volume>, (Uid, u32)>,
    /// Nodes with the driver, by zone.
    zones: BTreeMap<Sym, u32>,
    /// Claims and volumes about which a write has failed.
    retries: Retries<Uid>,
}

impl Provisioner {
    pub(super) fn observe_node(&mut self, change: &Change, world: &World) {
        let (old, new) = world.store.before_and_after::<Node>(change);
        let (old, new) = (old.map(|node| node.zone), new.map(|node| node.zone));
        if old == new {
            return;
        }
        if let Some(zone) = old
            && let Some(count) = self.zones.get_mut(&zone)
        {
            *count -= 1;
            if *count == 0 {
                self.zones.remove(&zone);
            }
        }
        if let Some(zone) = new {
            *self.zones.entry(zone).or_default() += 1;
        }
    }

    pub(super) fn list_nodes(&mut self, world: &World) {
        self.zones.clear();
        for (_, node) in world.view(Process::CsiController).iter::<Node>() {
            *self.zones.entry(node.zone).or_default() += 1;
        }
    }

    /// The volume is to be deleted: this incarnation.
    pub(super) fn deleting(&self, volume: Id<Volume>) -> Option<Uid> {
        self.deletions.get(&volume).map(|(uid, _)| *uid)
    }

    /// The zones a volume of this class may be made in, sorted by name.
    fn zones_by_name(&self, world: &World, class: &StorageClass) -> Vec<Sym> {
        let mut zones: Vec<Sym> = if class.zones.is_empty() {
            self.zones.keys().copied().filter(|zone| !zone.is_empty()).collect()
        } else {
            class.zones.to_vec()
        };
        zones.sort_by(|a, b| world.store.names.text(*a).cmp(world.store.names.text(*b)));
        zones.dedup();
        zones
    }

    /// The zone for a claim (VOL-12).
    fn zone_for(&self, world: &World, claim: &Claim, class: &StorageClass) -> Result<Sym, Failure> {
        mark!("VOL-12");
        let view = world.view(Process::CsiController);
        if class.binding == BindingMode::WaitForFirstConsumer {
            let Some(node) = view.get(claim.selected_node) else {
                let node = world.store.nodes.last_known(claim.selected_node).map(|node| node.meta.name);
                let node = world.store.name_of(node.unwrap_or_default());
                let message = format!("failed to get target node: node \"{node}\" not found");
                return Err(Failure { message, reschedule: true });
            };
            if !class.zones.is_empty() && !class.zones.contains(&node.zone) {
                let message = format!(
                    "error generating accessibility requirements: selected node '\"{}\"' topology is not in \
                     allowed topologies",
                    world.store.name_of(node.meta.name)
                );
                return Err(Failure { message, reschedule: false });
            }
            return Ok(node.zone);
        }
        let zones = self.zones_by_name(world, class);
        if zones.is_empty() {
            let message =
                "error generating accessibility requirements: no available topology found".to_owned();
            return Err(Failure { message, reschedule: false });
        }
        let recorded = world.config.kubelet == KubeletModel::Recorded;
        let offset = zone_offset(&world.store.name_of(claim.meta.name), recorded);
        Ok(zones[(offset % zones.len() as u64) as usize])
    }
}

/// Where in the list of zones a claim begins: a hash of its name, and its ordinal (VOL-12). The provisioner of the
/// recorded corpus hashes all that stands before the ordinal, the real one only the part after the last dash of that.
fn zone_offset(claim: &str, recorded: bool) -> u64 {
    let numbered =
        claim.rsplit_once('-').and_then(|(stem, digits)| Some((stem, digits.parse::<u32>().ok()?)));
    let (stem, ordinal) = numbered.unwrap_or((claim, 0));
    let hashed = if recorded || numbered.is_none() { stem } else { stem.rsplit('-').next().unwrap_or(stem) };
    u64::from(fnv1_32(hashed.as_bytes()).wrapping_add(ordinal))
}

/// True if the provisioner is asked for a volume (VOL-11).
fn is_asked_for(view: View<'_>, claim: &Claim) -> bool {
    let wanted = claim.has(ClaimState::PROVISIONER_SET)
        && claim.volume.is_none()
        && claim.phase() == ClaimPhase::Pending;
    let class = wanted.then(|| view.class(view.store.claim_spec(claim.spec).class_word())).flatten();
    class.is_some_and(|class| {
        view.store.names.text(class.provisioner) == DRIVER
            && (class.binding == BindingMode::Immediate || !claim.selected_node.is_none())
    })
}

impl Csi {
    pub(super) fn claim_changed(&mut self, id: Id<Claim>, world: &mut World) {
        let view = world.view(Process::CsiController);
        let Some(claim) = view.get(id) else { return };
        let begun = self.provisioner.claims.get(&id).is_some_and(|work| work.uid == claim.meta.uid);
        if !begun && is_asked_for(view, claim) {
            world.actor = Actor::Provisioner;
            self.provision(id, 0, world);
        }
    }

    /// One attempt to provision for a claim.
    fn provision(&mut self, id: Id<Claim>, failures: u32, world: &mut World) {
        let view = world.view(Process::CsiController);
        let Some(claim) = view.get(id).copied() else { return };
        let Some(class) = view.class(world.store.claim_spec(claim.spec).class_word()) else { return };
        let (uid, namespace, name) = (claim.meta.uid, claim.meta.namespace, claim.meta.name);
        let work = Work {
            uid,
            claim: ClaimRef { name, namespace, uid },
            spec: claim.spec,
            node: claim.selected_node,
            reclaim: class.reclaim,
            failures,
            reschedule: false,
        };
        let class_name = world.store.name_of(class.meta.name);
        let zone = self
            .provisioner
            .zone_for(world, &claim, class)
            .and_then(|zone| self.room_in(world, &claim, zone));
        self.provisioner.claims.insert(id, work);
        world.emit(id, false, "Provisioning", |world| {
            let namespace = world.store.names.text(namespace);
            let name = world.store.name_of(name);
            format!("External provisioner is provisioning volume for claim \"{namespace}/{name}\"")
        });
        match zone {
            Ok(zone) => self.create_volume(id, &work, zone, world),
            Err(failure) => self.provisioning_failed(id, &class_name, failure, world),
        }
    }

    /// The zone, unless the cloud has no capacity there: ResourceExhausted (VOL-14).
    fn room_in(&self, world: &World, claim: &Claim, zone: Sym) -> Result<Sym, Failure> {
        if !self.cloud.is_full(zone) {
            return Ok(zone);
        }
        let volume = world.store.name_of(Name::of_provisioned_volume(claim.meta.uid));
        let message = format!(
            "rpc error: code = ResourceExhausted desc = Could not create volume \"{volume}\": \
             InsufficientVolumeCapacity: There is not enough capacity in {}",
            world.store.names.text(zone)
        );
        Err(Failure { message, reschedule: !claim.selected_node.is_none() })
    }

    fn create_volume(&mut self, id: Id<Claim>, work: &Work, zone: Sym, world: &mut World) {
        let event = StorageEvent::Provisioned(id, work.uid);
        if self.cloud.created_for(work.uid).is_some() {
            let delay = world.api_delay(Actor::Provisioner);
            world.after(delay, Event::Storage(event));
            return;
        }
        let disk = world.store.next_disk();
        if self.cloud.create(disk, zone, work.uid) {
            self.call(CloudCall::Provision, work.claim.name, draw_key(id.as_u32(), work.uid), event, world);
        }
    }

    fn provisioning_failed(&mut self, id: Id<Claim>, class: &str, failure: Failure, world: &mut World) {
        world.emit(id, true, "ProvisioningFailed", |_| {
            format!("failed to provision volume with StorageClass \"{class}\": {}", failure.message)
        });
        let Some(work) = self.provisioner.claims.get_mut(&id) else { return };
        let event = Event::Storage(StorageEvent::ProvisionRetry(id, work.uid));
        if failure.reschedule {
            work.reschedule = true;
            let delay = world.api_delay(Actor::Provisioner);
            world.after(delay, event);
        } else {
            let delay = backoff(world, work.failures);
            work.failures += 1;
            world.background(delay, event);
        }
    }

    pub(super) fn provision_retry(&mut self, id: Id<Claim>, uid: Uid, world: &mut World) {
        let Some(work) = self.provisioner.claims.get(&id).copied().filter(|work| work.uid == uid) else {
            return;
        };
        self.provisioner.claims.remove(&id);
        if work.reschedule {
            let unchanged =
                world.store.claims.get_uid(id, uid).is_some_and(|claim| claim.selected_node == work.node);
            if unchanged && world.put(id, Rule::vol(14), |claim| claim.selected_node = Id::NONE).is_err() {
                self.provisioner.claims.insert(id, work);
                let again = Event::Storage(StorageEvent::ProvisionRetry(id, uid));
                self.provisioner.retries.failed(uid, again, world);
                return;
            }
            self.provisioner.retries.succeeded(&uid);
            return;
        }
        let view = world.view(Process::CsiController);
        if view.get(id).is_some_and(|claim| claim.meta.uid == uid && is_asked_for(view, claim)) {
            self.provision(id, work.failures, world);
        }
    }

    /// The disk is there, and the volume object is written (VOL-13).
    pub(super) fn provisioned(&mut self, id: Id<Claim>, uid: Uid, world: &mut World) {
        self.cloud.created(uid);
        let Some(work) = self.provisioner.claims.get(&id).copied().filter(|work| work.uid == uid) else {
            return;
        };
        let Some(disk) = self.cloud.created_for(uid) else { return };
        let zone = self.cloud.disk(disk).map_or(Sym::EMPTY, |disk| disk.zone);
        let finalizers =
            if work.reclaim == Reclaim::Delete { Finalizers::PROVISIONER } else { Finalizers::NONE };
        let name = Name::of_provisioned_volume(uid);
        let volume = Volume {
            meta: Meta { name, finalizers, ..Meta::default() },
            spec: work.spec,
            claim: work.claim,
            zone,
            disk,
            state: VolumeState::new(work.reclaim).and(VolumeState::PROVISIONED, true),
        };
        let written = world.create(volume, Rule::vol(13));
        // A volume of this name can only be the one of an earlier attempt.
        if written.as_ref().is_err_and(|error| !error.is_already_exists()) {
            let again = Event::Storage(StorageEvent::Provisioned(id, uid));
            self.provisioner.retries.failed(uid, again, world);
            return;
        }
        self.provisioner.retries.succeeded(&uid);
        self.provisioner.claims.remove(&id);
        self.cloud.settled(uid);
        if world.store.claims.get_uid(id, uid).is_some() {
            world.emit(id, false, "ProvisioningSucceeded", |world| {
                format!("Successfully provisioned volume {}", world.store.name_of(name))
            });
        }
    }

    // ---- Deletion --------------------------------------------------------------------------------------------------

    pub(super) fn volume_changed(&mut self, id: Id<Volume>, world: &mut World) {
        let Some(volume) = world.view(Process::CsiController).get(id) else {
            self.provisioner.deletions.remove(&id);
            return;
        };
        let uid = volume.meta.uid;
        if !volume.has(VolumeState::PROVISIONED) {
            return;
        }
        let kept = volume.reclaim() == Reclaim::Retain && volume.meta.finalizers.has(Finalizers::PROVISIONER);
        let begun = self.provisioner.deletions.contains_key(&id);
        if kept {
            let delay = world.api_delay(Actor::Provisioner);
            world.after(delay, Event::Storage(StorageEvent::Finalize(id, uid)));
        } else if volume.phase() == VolumePhase::Released && volume.reclaim() == Reclaim::Delete && !begun {
            self.provisioner.deletions.insert(id, (uid, 0));
            world.after(Duration::ZERO, Event::Storage(StorageEvent::Delete(id, uid)));
        }
    }

    /// One attempt to delete a released volume (VOL-16).
    pub(super) fn delete_volume(&mut self, id: Id<Volume>, uid: Uid, world: &mut World) {
        let Some((_, failures)) = self.provisioner.deletions.get(&id).copied().filter(|(of, _)| *of == uid)
        else {
            return;
        };
        let view = world.view(Process::CsiController);
        let volume = view.get(id).filter(|volume| {
            volume.meta.uid == uid
                && volume.phase() == VolumePhase::Released
                && volume.reclaim() == Reclaim::Delete
        });
        let Some(volume) = volume else {
            self.provisioner.deletions.remove(&id);
            return;
        };
        let (disk, name) = (volume.disk, volume.meta.name);
        let attachment = self.attacher.attachment_of(id).and_then(|attachment| view.get(attachment).copied());
        if attachment.is_none() && self.cloud.delete(disk) {
            let delay = world.api_delay(Actor::Provisioner);
            world.after(delay, Event::Storage(StorageEvent::Deleted(id, uid)));
            return;
        }
        world.emit(id, true, "VolumeFailedDelete", |world| {
            let node = attachment.and_then(|attachment| world.store.nodes.last_known(attachment.node));
            match node {
                Some(node) => format!(
                    "persistentvolume {} is still attached to node {}",
                    world.store.name_of(name),
                    world.store.name_of(node.meta.name)
                ),
                None => format!(
                    "rpc error: code = Internal desc = Could not delete volume ID \"{0}\": VolumeInUse: Volume {0} \
                     is currently attached",
                    world.store.volume_handle(disk)
                ),
            }
        });
        self.provisioner.deletions.insert(id, (uid, failures + 1));
        let delay = backoff(world, failures);
        world.background(delay, Event::Storage(StorageEvent::Delete(id, uid)));
    }

    pub(super) fn volume_deleted(&mut self, id: Id<Volume>, uid: Uid, world: &mut World) {
        if self.provisioner.deleting(id) != Some(uid) {
            return;
        }
        let options = DeleteOptions { uid: Some(uid), ..DeleteOptions::default() };
        match world.delete(id, options, Rule::vol(16)) {
            Ok(_) => {
                self.provisioner.retries.succeeded(&uid);
                let delay = world.api_delay(Actor::Provisioner);
                world.after(delay, Event::Storage(StorageEvent::Finalize(id, uid)));
            }
            // A volume that is gone, or another of its name, leaves nothing to do.
            Err(_) if world.store.volumes.get_uid(id, uid).is_none() => {}
            Err(_) => {
                let again = Event::Storage(StorageEvent::Deleted(id, uid));
                self.provisioner.retries.failed(uid, again, world);
            }
        }
    }

    pub(super) fn finalize_volume(&mut self, id: Id<Volume>, uid: Uid, world: &mut World) {
        if !world.is_running(Process::CsiController) {
            return;
        }
        let held = |volume: &Volume| volume.meta.finalizers.has(Finalizers::PROVISIONER);
        if !world.store.volumes.get_uid(id, uid).is_some_and(held) {
            return;
        }
        let written = world.put(id, Rule::vol(16), |volume| {
            volume.meta.finalizers = volume.meta.finalizers.without(Finalizers::PROVISIONER);
        });
        if written.is_ok() {
            self.provisioner.retries.succeeded(&uid);
        } else {
            let again = Event::Storage(StorageEvent::Finalize(id, uid));
            self.provisioner.retries.failed(uid, again, world);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zones_go_round_by_ordinal() {
        for (claim, recorded, sequence) in
            [("data-web", false, [1, 0, 1]), ("log-web", false, [1, 0, 1]), ("data-web", true, [0, 1, 0])]
        {
            let zones = [0, 1, 2].map(|n| zone_offset(&format!("{claim}-{n}"), recorded) % 2);
            assert_eq!(zones, sequence, "{claim} {recorded}");
        }
        let [whole, part] = ["shared", "data-shared"].map(|name| u64::from(fnv1_32(name.as_bytes())));
        assert_eq!((zone_offset("shared", false), zone_offset("data-shared", false)), (whole, part));
    }
}
