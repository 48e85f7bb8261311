//! The protection controllers: hold claims that pods use and volumes that are bound (VOL-18, VOL-19).
//!
//! Follows `pkg/controller/volume/pvcprotection` and `pvprotection`. The finalizers are set by admission; these
//! controllers take them off deleted objects as soon as nothing needs them any more. A claim is looked up in the cache
//! first and once more in the API before its finalizer goes.
use crate::api::kind::Kind;
use crate::api::names::Uid;
use crate::api::objects::*;
use crate::api::store::{Change, View};
use crate::controllers::claim_users::{ClaimUsers, claims_of};
use crate::event::{BinderEvent, Event, Process};
use crate::rule::Rule;
use crate::world::{Actor, Draw, Retries, World};

/// The protection controllers. They remember nothing but what has failed.
#[derive(Clone, Debug, Default)]
pub struct Protection {
    retries: Retries<Uid>,
}

/// A pod on a node uses the claim, whatever its phase (VOL-18).
fn is_used(view: View<'_>, claim: &Claim, users: &ClaimUsers) -> bool {
    users.of_claim(view, claim).into_iter().any(|pod| view.get(pod).is_some_and(Pod::is_bound))
}

/// The object is being deleted and only protection may hold it.
fn is_held(meta: &Meta, finalizer: Finalizers) -> bool {
    meta.is_terminating() && meta.finalizers.has(finalizer)
}

impl Protection {
    /// Hears of a change that the watches of the controller manager show.
    pub fn observe(&mut self, change: &Change, world: &mut World) {
        match change.kind {
            Kind::Claim => {
                let (_, new) = world.store.before_and_after::<Claim>(change);
                if new.is_some_and(|claim| is_held(&claim.meta, Finalizers::CLAIM_PROTECTION)) {
                    hop(BinderEvent::ProtectClaim(change.id(), change.uid), world);
                }
            }
            Kind::Volume => {
                let (_, new) = world.store.before_and_after::<Volume>(change);
                if new.is_some_and(is_free) {
                    hop(BinderEvent::ProtectVolume(change.id(), change.uid), world);
                }
            }
            Kind::Pod => {
                let (old, new) = world.store.before_and_after::<Pod>(change);
                let replaced = old.zip(new).is_none_or(|(old, new)| old.meta.uid != new.meta.uid);
                let Some(old) = old.copied().filter(|_| replaced) else { return };
                let view = world.view(Process::ControllerManager);
                let held: Vec<_> = claims_of(view, &old)
                    .filter_map(|claim| view.find::<Claim>(old.meta.namespace, claim))
                    .filter(|(_, claim)| is_held(&claim.meta, Finalizers::CLAIM_PROTECTION))
                    .map(|(id, claim)| BinderEvent::ProtectClaim(id, claim.meta.uid))
                    .collect();
                held.into_iter().for_each(|event| hop(event, world));
            }
            _ => {}
        }
    }

    /// Something of its own is due.
    pub fn handle(&mut self, event: BinderEvent, users: &ClaimUsers, world: &mut World) {
        match event {
            BinderEvent::ProtectClaim(id, uid) => {
                let view = world.view(Process::ControllerManager);
                let free = view.get(id).is_some_and(|claim| {
                    claim.meta.uid == uid
                        && is_held(&claim.meta, Finalizers::CLAIM_PROTECTION)
                        && !is_used(view, claim, users)
                });
                if free {
                    write(BinderEvent::ClaimFinalizer(id, uid), world);
                }
            }
            BinderEvent::ClaimFinalizer(id, uid) => {
                // The live list: a pod that the cache does not show yet also counts.
                let live = world.store.view(world.store.revision());
                let free = world.store.claims.get_uid(id, uid).is_some_and(|claim| {
                    is_held(&claim.meta, Finalizers::CLAIM_PROTECTION) && !is_used(live, claim, users)
                });
                if free {
                    let done = world.put(id, Rule::vol(18), |claim| {
                        claim.meta.finalizers = claim.meta.finalizers.without(Finalizers::CLAIM_PROTECTION);
                    });
                    self.written(done.is_ok(), uid, BinderEvent::ProtectClaim(id, uid), world);
                }
            }
            BinderEvent::ProtectVolume(id, uid) => {
                let view = world.view(Process::ControllerManager);
                if view.get(id).is_some_and(|volume| volume.meta.uid == uid && is_free(volume)) {
                    write(BinderEvent::VolumeFinalizer(id, uid), world);
                }
            }
            BinderEvent::VolumeFinalizer(id, uid)
                if world.store.volumes.get_uid(id, uid).is_some_and(is_free) =>
            {
                let done = world.put(id, Rule::vol(19), |volume| {
                    volume.meta.finalizers = volume.meta.finalizers.without(Finalizers::VOLUME_PROTECTION);
                });
                self.written(done.is_ok(), uid, BinderEvent::ProtectVolume(id, uid), world);
            }
            _ => {}
        }
    }

    /// A finalizer was written, or the key comes back through the rate limiter.
    fn written(&mut self, done: bool, uid: Uid, again: BinderEvent, world: &mut World) {
        if done {
            self.retries.succeeded(&uid);
        } else {
            self.retries.failed(uid, Event::Binder(again), world);
        }
    }

    /// The controller manager has started and listed everything.
    pub fn restart(&mut self, world: &mut World) {
        self.retries = Retries::default();
        let view = world.view(Process::ControllerManager);
        let mut held: Vec<BinderEvent> = view
            .iter::<Claim>()
            .filter(|(_, claim)| is_held(&claim.meta, Finalizers::CLAIM_PROTECTION))
            .map(|(id, claim)| BinderEvent::ProtectClaim(id, claim.meta.uid))
            .collect();
        held.extend(
            view.iter::<Volume>()
                .filter(|(_, volume)| is_free(volume))
                .map(|(id, volume)| BinderEvent::ProtectVolume(id, volume.meta.uid)),
        );
        held.into_iter().for_each(|event| hop(event, world));
    }
}

/// The volume is being deleted and not bound (VOL-19).
fn is_free(volume: &Volume) -> bool {
    is_held(&volume.meta, Finalizers::VOLUME_PROTECTION) && volume.phase() != VolumePhase::Bound
}

/// A worker takes the key.
fn hop(event: BinderEvent, world: &mut World) {
    let delay = world.draw(world.config.latency.queue_hop, Draw::Hop, 0, world.handled());
    world.after(delay, Event::Binder(event));
}

/// The write of a finalizer reaches the API.
fn write(event: BinderEvent, world: &mut World) {
    let delay = world.api_delay(Actor::VolumeController);
    world.after(delay, Event::Binder(event));
}
