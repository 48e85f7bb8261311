//! external-attacher: carries VolumeAttachments out in the cloud (VOL-50).
//!
//! Follows `kubernetes-csi/external-attacher` `pkg/controller/csi_handler.go`: finalizer, ControllerPublish,
//! status.attached or status.attachError with a back-off of its own; on deletion ControllerUnpublish, then the finalizer
//! goes. One attachment is worked on by one worker at a time. Left out: the limit of 100 workers, RPC time-outs (they
//! are longer than the attach/detach controller waits), and the comparison with the cloud, which EBS does not support.
use crate::api::names::Uid;
use crate::api::objects::*;
use crate::api::store::{Change, Store, Verb};
use crate::config::KubeletModel;
use crate::event::{Event, Process, StorageEvent};
use crate::kernel::{Duration, Id};
use crate::rule::{Rule, mark};
use crate::storage::ebs::{DiskState, Operation};
use crate::storage::{CloudCall, Csi, backoff, draw_key};
use crate::world::{Actor, World};
use std::collections::{BTreeMap, BTreeSet};

/// How long a disk may be `attaching` before the driver calls it off (VOL-56, DEF-75).
const STUCK_ATTACHING: Duration = Duration::from_secs(90);

/// What the attacher is doing about an attachment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Stage {
    /// It writes its finalizer.
    Finalizer,
    /// ControllerPublish is running.
    Publishing,
    /// ControllerPublish is running and does not return.
    Hanging,
    /// It failed and is tried again later.
    Waiting,
    /// ControllerUnpublish is running.
    Unpublishing,
}

#[derive(Clone, Copy, Debug)]
struct Work {
    uid: Uid,
    stage: Stage,
    failures: u32,
    /// How ControllerPublish ended, if at once.
    error: AttachError,
}

/// Memory of the external-attacher.
#[derive(Clone, Debug, Default)]
pub(super) struct Attacher {
    works: BTreeMap<Id<Attachment>, Work>,
    /// By table position of the volume: its first attachment.
    first: Vec<Id<Attachment>>,
    /// Further attachments of a volume: it is on its way from one node to another, or shared.
    further: BTreeSet<(Id<Volume>, Id<Attachment>)>,
}

impl Attacher {
    /// Takes note of an attachment.
    pub(super) fn index(&mut self, id: Id<Attachment>, attachment: &Attachment) {
        let volume = attachment.volume;
        if volume.index() >= self.first.len() {
            self.first.resize(volume.index() + 1, Id::NONE);
        }
        // None is greater than every id.
        let first = &mut self.first[volume.index()];
        let later = std::mem::replace(first, id.min(*first)).max(id);
        if *first != later && !later.is_none() {
            self.further.insert((volume, later));
        }
    }

    /// An attachment of a volume is gone.
    fn forget(&mut self, id: Id<Attachment>, volume: Id<Volume>) {
        if self.first.get(volume.index()) == Some(&id) {
            let all = (volume, Id::from_index(0))..=(volume, Id::NONE);
            let next = self.further.range(all).next().copied();
            self.first[volume.index()] = next.map_or(Id::NONE, |(_, next)| next);
            next.map(|next| self.further.remove(&next));
        } else {
            self.further.remove(&(volume, id));
        }
    }

    /// An attachment of this volume, if there is one.
    pub(super) fn attachment_of(&self, volume: Id<Volume>) -> Option<Id<Attachment>> {
        self.first.get(volume.index()).copied().filter(|first| !first.is_none())
    }

    fn work(&mut self, id: Id<Attachment>, uid: Uid) -> Option<&mut Work> {
        self.works.get_mut(&id).filter(|work| work.uid == uid)
    }
}

/// What an attachment asks of the cloud.
fn operation(store: &Store, attachment: &Attachment) -> Operation {
    let disk = store.volumes.last_known(attachment.volume).map_or(0, |volume| volume.disk);
    Operation { disk, node: attachment.node }
}

impl Csi {
    pub(super) fn attachment_changed(&mut self, change: &Change, world: &mut World) {
        world.actor = Actor::Attacher;
        let id = change.id::<Attachment>();
        let (old, new) = world.store.before_and_after::<Attachment>(change);
        let volume = old.or(new).map(|attachment| attachment.volume);
        match (change.verb, new) {
            (Verb::Created, Some(new)) => {
                self.attacher.index(id, new);
            }
            (Verb::Removed, _) => {
                if let Some(volume) = volume {
                    self.attacher.forget(id, volume);
                    self.attachment_gone(volume, world);
                }
            }
            _ => {}
        }
        self.look_at_attachment(id, world);
    }

    /// Decides what to do about an attachment (csi_handler SyncNewOrUpdatedVolumeAttachment).
    pub(super) fn look_at_attachment(&mut self, id: Id<Attachment>, world: &mut World) {
        let Some(attachment) = world.view(Process::CsiController).get(id).copied() else {
            self.attacher.works.remove(&id);
            return;
        };
        let uid = attachment.meta.uid;
        let (terminating, working) = (attachment.meta.is_terminating(), self.attacher.work(id, uid).copied());
        if working.is_some_and(|work| work.stage != Stage::Waiting || !terminating) {
            return;
        }
        let work = |stage| Work { uid, stage, failures: 0, error: AttachError::None };
        if terminating {
            if self.cloud.attaching((id, uid)).is_some() {
                self.attacher.works.insert(id, work(Stage::Publishing));
            } else if attachment.meta.finalizers.has(Finalizers::ATTACHER) {
                self.attacher.works.insert(id, work(Stage::Unpublishing));
                self.unpublish(id, &attachment, world);
            }
        } else if !attachment.attached {
            self.attacher.works.insert(id, work(Stage::Finalizer));
            let delay = world.api_delay(Actor::Attacher);
            world.after(delay, Event::Storage(StorageEvent::Publish(id, uid)));
        }
    }

    pub(super) fn handle_attacher(&mut self, event: StorageEvent, world: &mut World) {
        match event {
            StorageEvent::Publish(id, uid) => self.write_finalizer(id, uid, world),
            StorageEvent::Published(id, uid) => self.published(id, uid, world),
            StorageEvent::PublishRetry(id, uid) => match self.attacher.work(id, uid).map(|work| work.stage) {
                Some(Stage::Waiting) => self.publish(id, uid, world),
                Some(Stage::Hanging) => self.call_off(id, uid, world),
                _ => {}
            },
            StorageEvent::Unpublished(id, uid) => self.unpublished(id, uid, world),
            StorageEvent::Unmounted(volume, node) => self.unmounted(volume, node, world),
            _ => {}
        }
    }

    fn write_finalizer(&mut self, id: Id<Attachment>, uid: Uid, world: &mut World) {
        if !self.attacher.work(id, uid).is_some_and(|work| work.stage == Stage::Finalizer) {
            return;
        }
        let Some(attachment) = world.store.attachments.get_uid(id, uid) else {
            self.attacher.works.remove(&id);
            return;
        };
        if !attachment.meta.finalizers.has(Finalizers::ATTACHER) {
            let written = world.patch(id, Rule::vol(50), |attachment| {
                attachment.meta.finalizers = attachment.meta.finalizers.with(Finalizers::ATTACHER);
            });
            if written.is_err() {
                self.write_failed(id, uid, StorageEvent::Publish(id, uid), world);
                return;
            }
        }
        self.publish(id, uid, world);
    }

    /// A write about an attachment has failed: the key comes back after its back-off (VOL-50).
    fn write_failed(&mut self, id: Id<Attachment>, uid: Uid, again: StorageEvent, world: &mut World) {
        let Some(work) = self.attacher.work(id, uid) else { return };
        let delay = backoff(world, work.failures);
        work.failures += 1;
        world.background(delay, Event::Storage(again));
    }

    /// ControllerPublish begins.
    fn publish(&mut self, id: Id<Attachment>, uid: Uid, world: &mut World) {
        let Some(attachment) = world.store.attachments.get_uid(id, uid).copied() else {
            self.attacher.works.remove(&id);
            return;
        };
        if let Some(work) = self.attacher.work(id, uid) {
            work.stage = Stage::Publishing;
            work.error = AttachError::None;
        }
        if self.cloud.attaching((id, uid)).is_some() {
            return;
        }
        match self.ask_to_attach(id, &attachment, world) {
            Ok(true) => {
                let claim =
                    world.store.get(attachment.volume).map_or_else(Default::default, |v| v.claim.name);
                let event = StorageEvent::Published(id, uid);
                if !self.call(CloudCall::Attach, claim, draw_key(id.as_u32(), uid), event, world)
                    && world.config.kubelet == KubeletModel::Realistic
                    && let Some(work) = self.attacher.work(id, uid)
                {
                    work.stage = Stage::Hanging;
                    world.background(STUCK_ATTACHING, Event::Storage(StorageEvent::PublishRetry(id, uid)));
                }
            }
            at_once => {
                if let (Some(work), Err(error)) = (self.attacher.work(id, uid), at_once) {
                    work.error = error;
                }
                let delay = world.api_delay(Actor::Attacher);
                world.after(delay, Event::Storage(StorageEvent::Published(id, uid)));
            }
        }
    }

    /// The driver gives up on an attachment that stays `attaching`: it detaches and fails the call (VOL-56).
    fn call_off(&mut self, id: Id<Attachment>, uid: Uid, world: &mut World) {
        mark!("VOL-56");
        self.cloud.attach_ends((id, uid), false);
        self.hanging.retain(|hanging| hanging.event != StorageEvent::Published(id, uid));
        if let Some(work) = self.attacher.work(id, uid) {
            work.stage = Stage::Publishing;
            work.error = AttachError::Stuck;
        }
        self.published(id, uid, world);
    }

    fn ask_to_attach(
        &mut self,
        id: Id<Attachment>,
        attachment: &Attachment,
        world: &World,
    ) -> Result<bool, AttachError> {
        let Some(volume) = world.view(Process::CsiController).get(attachment.volume) else {
            return Err(AttachError::VolumeDeleted);
        };
        if volume.meta.is_terminating() {
            return Err(AttachError::VolumeDeleted);
        }
        if Store::is_foreign_disk(volume.disk) {
            self.cloud.know(volume.disk, volume.zone);
        }
        let node = world.store.nodes.last_known(attachment.node);
        let (zone, limit) = node.map_or_else(Default::default, |node| (node.zone, node.volumes));
        let operation = operation(&world.store, attachment);
        self.cloud.attach((id, attachment.meta.uid), operation, zone, limit)
    }

    /// ControllerPublish has returned: the cloud is as it is, and the sidecar writes it down if it still runs.
    fn published(&mut self, id: Id<Attachment>, uid: Uid, world: &mut World) {
        self.cloud.attach_ends((id, uid), true);
        let publishing = |work: &&mut Work| matches!(work.stage, Stage::Publishing | Stage::Hanging);
        let Some(mut error) = self.attacher.work(id, uid).filter(publishing).map(|work| work.error) else {
            return;
        };
        let Some(attachment) = world.store.attachments.get_uid(id, uid).copied() else {
            self.attacher.works.remove(&id);
            return;
        };
        let Operation { disk, node } = operation(&world.store, &attachment);
        let there = self.cloud.disk(disk).is_some_and(|disk| disk.state == DiskState::Attached(node));
        if !error.is_set() && !there {
            error = AttachError::NoDisk;
        }
        let news = error != attachment.attach_error || attachment.attached == error.is_set();
        let write = |attachment: &mut Attachment| {
            attachment.attached = !error.is_set();
            attachment.attach_error = error;
        };
        if news && world.patch(id, Rule::vol(50), write).is_err() {
            if let Some(work) = self.attacher.work(id, uid) {
                work.stage = Stage::Waiting;
            }
            self.write_failed(id, uid, StorageEvent::PublishRetry(id, uid), world);
            self.look_at_attachment(id, world);
            return;
        }
        if !error.is_set() {
            self.attacher.works.remove(&id);
            self.look_at_attachment(id, world);
        } else if let Some(work) = self.attacher.work(id, uid) {
            work.stage = Stage::Waiting;
            let delay = backoff(world, work.failures);
            work.failures += 1;
            world.background(delay, Event::Storage(StorageEvent::PublishRetry(id, uid)));
            self.look_at_attachment(id, world);
        }
    }

    /// ControllerUnpublish begins.
    fn unpublish(&mut self, id: Id<Attachment>, attachment: &Attachment, world: &mut World) {
        let by = (id, attachment.meta.uid);
        if self.cloud.detaching(by).is_some() {
            return;
        }
        if !self.cloud.detach(by, operation(&world.store, attachment)) {
            let delay = world.api_delay(Actor::Attacher);
            world.after(delay, Event::Storage(StorageEvent::Unpublished(by.0, by.1)));
        } else if world.config.kubelet == KubeletModel::Realistic
            && world.mounts.has(attachment.volume, attachment.node)
        {
            // Busy: a live machine has it mounted and does not let go (VOL-57).
            mark!("VOL-57");
            world.await_unmount(attachment.volume, attachment.node);
        } else {
            self.start_detach(by, attachment.volume, world);
        }
    }

    fn start_detach(&mut self, by: (Id<Attachment>, Uid), volume: Id<Volume>, world: &mut World) {
        let claim = world.store.volumes.last_known(volume).map_or_else(Default::default, |v| v.claim.name);
        let event = StorageEvent::Unpublished(by.0, by.1);
        self.call(CloudCall::Detach, claim, draw_key(by.0.as_u32(), by.1), event, world);
    }

    /// A machine has let go of a volume whose detach has waited for it.
    fn unmounted(&mut self, volume: Id<Volume>, node: Id<Node>, world: &mut World) {
        let disk = world.store.volumes.last_known(volume).map_or(0, |volume| volume.disk);
        for by in self.cloud.detaches(Operation { disk, node }) {
            self.start_detach(by, volume, world);
        }
    }

    fn unpublished(&mut self, id: Id<Attachment>, uid: Uid, world: &mut World) {
        self.cloud.detached((id, uid));
        if !self.attacher.work(id, uid).is_some_and(|work| work.stage == Stage::Unpublishing) {
            return;
        }
        let written = world.patch(id, Rule::vol(50), |attachment| {
            attachment.attached = false;
            attachment.meta.finalizers = attachment.meta.finalizers.without(Finalizers::ATTACHER);
        });
        if written.is_err() && world.store.attachments.get_uid(id, uid).is_some() {
            self.write_failed(id, uid, StorageEvent::Unpublished(id, uid), world);
        } else {
            self.attacher.works.remove(&id);
        }
    }

    /// The last obstacle to deleting a volume may be gone. The provisioner only finds that at its next try (VOL-16);
    /// that of the recorded corpus looks at once.
    fn attachment_gone(&mut self, volume: Id<Volume>, world: &mut World) {
        if world.config.kubelet == KubeletModel::Recorded
            && let Some(uid) = self.provisioner.deleting(volume)
        {
            world.after(Duration::ZERO, Event::Storage(StorageEvent::Delete(volume, uid)));
        }
    }
}
