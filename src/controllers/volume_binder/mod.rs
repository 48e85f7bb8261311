//! The PV controller: binds claims and volumes, hands claims over to provisioners (VOL-1 to VOL-11).
//!
//! Follows `pkg/controller/volume/persistentvolume/pv_controller.go`. One worker for claims and one for volumes; each
//! sends its writes one after another, checked against the version it decided on: a conflict drops the rest, and the
//! event of the other write brings the object back. The resync of 15 s is simulated only at ticks where it would find
//! something. Left out: in-tree plug-ins, recycling, VolumeAttributesClass, events repeated by idle resyncs.
mod claims;
mod matching;
mod volumes;

use crate::api::kind::Kind;
use crate::api::names::Sym;
use crate::api::objects::*;
use crate::api::store::{Change, View};
use crate::controllers::claim_users::ClaimUsers;
use crate::event::{BinderEvent, Event, Process};
use crate::kernel::{Duration, Id, Latency};
use crate::rule::mark;
use crate::world::{Actor, Draw, World};
use matching::Volumes;
use rustc_hash::{FxHashMap, FxHashSet};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// Phase of the resync loop (DEF-C1).
const RESYNC_LOOP: u64 = 0x6269_6e64;

/// Keys that wait for a worker, each with the change that queued it.
#[derive(Clone, Debug)]
struct Worker<T> {
    queue: VecDeque<(Id<T>, Revision)>,
    queued: FxHashSet<Id<T>>,
    /// An event for the worker is pending.
    armed: bool,
    /// Versions it has written itself: what the watch shows is older until it shows these.
    written: FxHashMap<Id<T>, Revision>,
}

impl<T> Default for Worker<T> {
    fn default() -> Self {
        Worker {
            queue: VecDeque::new(),
            queued: FxHashSet::default(),
            armed: false,
            written: FxHashMap::default(),
        }
    }
}

impl<T> Worker<T> {
    fn push(&mut self, id: Id<T>, world: &World) {
        if self.queued.insert(id) {
            self.queue.push_back((id, world.cause));
        }
    }

    fn add(&mut self, id: Id<T>, event: fn(u32) -> BinderEvent, world: &mut World) {
        self.push(id, world);
        if !self.armed {
            self.armed = true;
            let hop = world.draw(
                world.config.latency.queue_hop,
                Draw::Hop,
                u64::from(id.as_u32()),
                world.handled(),
            );
            world.after(hop, Event::Binder(event(world.epoch(Process::ControllerManager))));
        }
    }

    fn pop(&mut self, world: &mut World) -> Option<Id<T>> {
        let (id, cause) = self.queue.pop_front()?;
        self.queued.remove(&id);
        world.cause = cause;
        Some(id)
    }

    /// A write under way commits after the API's latency.
    fn wait_for_write(&mut self, event: fn(u32) -> BinderEvent, world: &mut World) {
        self.armed = true;
        let delay = world.api_delay(Actor::VolumeController);
        world.after(delay, Event::Binder(event(world.epoch(Process::ControllerManager))));
    }

    /// The watch shows this version: own writes up to it need not be remembered.
    fn seen(&mut self, id: Id<T>, revision: Revision) {
        if self.written.get(&id).is_some_and(|written| *written <= revision) {
            self.written.remove(&id);
        }
    }

    /// What the watch shows is not older than the worker's own writes.
    fn is_fresh(&self, id: Id<T>, revision: Revision) -> bool {
        self.written.get(&id).is_none_or(|written| *written <= revision)
    }
}

/// What the next resync will find something to do about.
#[derive(Clone, Debug, Default)]
struct Resync {
    armed: bool,
    classes: BTreeSet<Sym>,
    claims: BTreeSet<Id<Claim>>,
    volumes: BTreeSet<Id<Volume>>,
}

/// See the module documentation.
#[derive(Clone, Debug, Default)]
pub struct VolumeBinder {
    claims: Worker<Claim>,
    volumes: Worker<Volume>,
    claim_job: Option<claims::Job>,
    volume_job: Option<volumes::Job>,
    index: Volumes,
    /// Claims that are not completely bound, by class.
    pending: BTreeMap<Sym, BTreeSet<Id<Claim>>>,
    /// Those of them that ask for a volume by name.
    by_name: BTreeSet<Id<Claim>>,
    resync: Resync,
}

/// The volume a claim asks for: by id, or by a name that may have no volume yet.
fn asked_volume(view: View<'_>, claim: &Claim) -> Option<Id<Volume>> {
    if !claim.volume.is_none() {
        return Some(claim.volume);
    }
    let word = view.store.claim_spec(claim.spec).volume_name;
    let name = view.store.known_name(view.store.names.text(word)).filter(|_| !word.is_empty())?;
    view.find::<Volume>(Sym::EMPTY, name).map(|(id, _)| id)
}

/// True if the claim asks for a volume by name.
fn asks_by_name(view: View<'_>, claim: &Claim) -> bool {
    !claim.volume.is_none() || !view.store.claim_spec(claim.spec).volume_name.is_empty()
}

impl VolumeBinder {
    /// Hears of a change that the watches of the controller manager show.
    pub fn observe(&mut self, change: &Change, users: &ClaimUsers, world: &mut World) {
        match change.kind {
            Kind::Claim => {
                if let Some(claim) = self.claim_changed(change, world) {
                    self.look_at_claim(claim, users, world);
                }
            }
            Kind::Volume => self.volume_changed(change, world),
            Kind::StorageClass => self.class_changed(change, world),
            _ => {}
        }
    }

    /// Queues a claim. An idle worker is faster than the next object on another watch: it looks at the claim before
    /// the pod that was made after it is seen (VOL-3).
    fn look_at_claim(&mut self, id: Id<Claim>, users: &ClaimUsers, world: &mut World) {
        if self.claims.armed || world.config.latency.queue_hop != Latency::Constant(Duration::ZERO) {
            self.claims.add(id, BinderEvent::Claims, world);
            return;
        }
        world.actor = Actor::VolumeController;
        self.claims.push(id, world);
        self.work_on_claims(users, world);
    }

    /// Takes note of how a claim changed; the claim, if it is to be looked at.
    fn claim_changed(&mut self, change: &Change, world: &mut World) -> Option<Id<Claim>> {
        let id = change.id::<Claim>();
        self.claims.seen(id, change.revision);
        let view = world.view(Process::ControllerManager);
        let (old, new) = world.store.before_and_after::<Claim>(change);
        let class = |claim: &Claim| view.store.claim_spec(claim.spec).class_word();
        if let Some(old) = old.filter(|claim| !claim.has(ClaimState::BIND_COMPLETED))
            && let Some(pending) = self.pending.get_mut(&class(old))
        {
            pending.remove(&id);
            self.by_name.remove(&id);
        }
        let Some(new) = new else {
            let old = old?;
            self.claims.written.remove(&id);
            let (name, volume) = ((old.meta.namespace, old.meta.name), old.volume);
            let reserved: Vec<Id<Volume>> = self.index.reserved_for(name).collect();
            if !volume.is_none() {
                self.volumes.add(volume, BinderEvent::Volumes, world);
            }
            if !reserved.is_empty() {
                self.resync.volumes.extend(reserved);
                self.arm_resync(world);
            }
            return None;
        };
        if !new.has(ClaimState::BIND_COMPLETED) {
            self.pending.entry(class(new)).or_default().insert(id);
            if asks_by_name(view, new) {
                self.by_name.insert(id);
            }
        } else {
            self.index.release((new.meta.namespace, new.meta.name), new.volume);
        }
        (!claims::is_settled(view, new)).then_some(id)
    }

    fn volume_changed(&mut self, change: &Change, world: &mut World) {
        let id = change.id::<Volume>();
        self.volumes.seen(id, change.revision);
        let view = world.view(Process::ControllerManager);
        let (old, new) = world.store.before_and_after::<Volume>(change);
        self.index.change(view, id, old, new);
        let created = old.is_none();
        let Some(new) = new.copied() else {
            self.volumes.written.remove(&id);
            let claim = old.filter(|old| old.claim.is_set());
            let claim = claim.and_then(|old| view.find::<Claim>(old.claim.namespace, old.claim.name));
            if let Some((claim, _)) = claim {
                self.claims.add(claim, BinderEvent::Claims, world);
            }
            return;
        };
        if !volumes::is_settled(view, id, &new) {
            self.volumes.add(id, BinderEvent::Volumes, world);
        }
        self.note_for_resync(id, created, &new, world);
    }

    /// A volume that claims could be waiting for tells nobody: the next resync finds it.
    fn note_for_resync(&mut self, id: Id<Volume>, created: bool, volume: &Volume, world: &mut World) {
        let view = world.view(Process::ControllerManager);
        let class = view.store.claim_spec(volume.spec).class_word();
        let delayed = view.class(class).is_some_and(|c| c.binding == BindingMode::WaitForFirstConsumer);
        let free = volume.phase() == VolumePhase::Available && !volume.claim.is_set() && !delayed;
        let mut found = false;
        if free && self.pending.get(&class).is_some_and(|claims| !claims.is_empty()) {
            found |= self.resync.classes.insert(class);
        }
        if created || !volume.claim.is_set() {
            let asking: Vec<Id<Claim>> = self
                .by_name
                .iter()
                .copied()
                .filter(|claim| view.get(*claim).is_some_and(|c| asked_volume(view, c) == Some(id)))
                .collect();
            found |= !asking.is_empty();
            self.resync.claims.extend(asking);
        }
        if volume.claim.is_set() && volume.claim.uid.is_none() {
            let claim = view.find::<Claim>(volume.claim.namespace, volume.claim.name);
            if let Some((claim, _)) = claim.filter(|(_, claim)| !claim.has(ClaimState::BIND_COMPLETED)) {
                self.resync.claims.insert(claim);
                found = true;
            }
        }
        if found {
            self.arm_resync(world);
        }
    }

    fn class_changed(&mut self, change: &Change, world: &mut World) {
        let (_, new) = world.store.before_and_after::<StorageClass>(change);
        let Some(new) = new else { return };
        let name = world.store.names.known(&world.store.name_of(new.meta.name));
        let wanted = [name, new.is_default.then_some(Sym::EMPTY)];
        let mut found = false;
        for class in wanted.into_iter().flatten() {
            if self.pending.get(&class).is_some_and(|claims| !claims.is_empty()) {
                found |= self.resync.classes.insert(class);
            }
        }
        if found {
            self.arm_resync(world);
        }
    }

    fn arm_resync(&mut self, world: &mut World) {
        if std::mem::replace(&mut self.resync.armed, true) {
            return;
        }
        mark!("VOL-1");
        let epoch = world.epoch(Process::ControllerManager);
        let tick = world.next_tick(world.config.timers.claim_binder_sync, RESYNC_LOOP, epoch, world.now());
        world.at(tick, Event::Binder(BinderEvent::Resync(epoch)));
    }

    /// Something of its own is due.
    pub fn handle(&mut self, event: BinderEvent, users: &ClaimUsers, world: &mut World) {
        let epoch = world.epoch(Process::ControllerManager);
        match event {
            BinderEvent::Claims(of) if of == epoch => self.work_on_claims(users, world),
            BinderEvent::Volumes(of) if of == epoch => self.work_on_volumes(world),
            BinderEvent::HandOver(claim, uid) => self.hand_over(claim, uid, world),
            BinderEvent::Resync(of) if of == epoch => {
                let resync = std::mem::take(&mut self.resync);
                for class in resync.classes {
                    let claims: Vec<_> = self.pending.get(&class).into_iter().flatten().copied().collect();
                    claims.into_iter().for_each(|claim| self.claims.add(claim, BinderEvent::Claims, world));
                }
                resync
                    .claims
                    .into_iter()
                    .for_each(|claim| self.claims.add(claim, BinderEvent::Claims, world));
                resync
                    .volumes
                    .into_iter()
                    .for_each(|volume| self.volumes.add(volume, BinderEvent::Volumes, world));
            }
            _ => {}
        }
    }

    fn work_on_claims(&mut self, users: &ClaimUsers, world: &mut World) {
        self.claims.armed = false;
        if let Some(job) = self.claim_job.take() {
            self.claim_job = self.write_claim_job(job, world);
        }
        while self.claim_job.is_none() {
            let Some(id) = self.claims.pop(world) else { return };
            self.claim_job = self.sync_claim(id, users, world);
        }
        self.claims.wait_for_write(BinderEvent::Claims, world);
    }

    fn work_on_volumes(&mut self, world: &mut World) {
        self.volumes.armed = false;
        if let Some(job) = self.volume_job.take() {
            self.write_volume_job(job, world);
        }
        while self.volume_job.is_none() {
            let Some(id) = self.volumes.pop(world) else { return };
            self.volume_job = self.sync_volume(id, world);
        }
        self.volumes.wait_for_write(BinderEvent::Volumes, world);
    }

    /// The controller manager has started and listed everything.
    pub fn restart(&mut self, world: &mut World) {
        *self = VolumeBinder::default();
        let view = world.view(Process::ControllerManager);
        let mut unsettled_volumes = Vec::new();
        for (id, volume) in view.iter::<Volume>() {
            self.index.change(view, id, None, Some(volume));
            if !volumes::is_settled(view, id, volume) {
                unsettled_volumes.push(id);
            }
        }
        let mut unsettled_claims = Vec::new();
        for (id, claim) in view.iter::<Claim>() {
            if !claim.has(ClaimState::BIND_COMPLETED) {
                let class = view.store.claim_spec(claim.spec).class_word();
                self.pending.entry(class).or_default().insert(id);
                if asks_by_name(view, claim) {
                    self.by_name.insert(id);
                }
            }
            if !claims::is_settled(view, claim) {
                unsettled_claims.push(id);
            }
        }
        unsettled_volumes.into_iter().for_each(|id| self.volumes.add(id, BinderEvent::Volumes, world));
        unsettled_claims.into_iter().for_each(|id| self.claims.add(id, BinderEvent::Claims, world));
    }
}
