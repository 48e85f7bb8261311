//! What the binder does about a claim (syncUnboundClaim, syncBoundClaim), and the four writes of a binding (VOL-7).
use super::matching::{mismatch, names_claim};
use super::{VolumeBinder, asked_volume, asks_by_name};
use crate::api::admission::admit_claim_spec;
use crate::api::names::{Sym, Uid};
use crate::api::objects::*;
use crate::api::status::Status;
use crate::api::store::View;
use crate::controllers::claim_users::ClaimUsers;
use crate::event::{BinderEvent, Event, Process};
use crate::kernel::Id;
use crate::rule::{Rule, mark};
use crate::world::{Actor, World};

/// A write under way about a claim.
#[derive(Clone, Copy, Debug)]
pub(super) enum Job {
    /// Binding: the next of the four writes.
    Bind(Bind),
    /// The default class is filled in (VOL-5).
    Class(Id<Claim>, Revision),
    /// The claim has lost its volume (VOL-8).
    Lost(Id<Claim>, Revision, Loss),
}

/// A binding under way, with the versions it builds on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bind {
    claim: Id<Claim>,
    claim_base: Revision,
    volume: Id<Volume>,
    volume_base: Revision,
    step: BindStep,
}

/// The writes of a binding, in order (VOL-7).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum BindStep {
    /// PV.claimRef.
    Reserve,
    /// PV phase Bound.
    VolumePhase,
    /// PVC.volumeName and bind-completed.
    ClaimVolume,
    /// PVC phase Bound.
    ClaimPhase,
}

/// How a claim lost its volume.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Loss {
    /// The volume is gone.
    Gone,
    /// The volume names another claim.
    Misbound,
}

/// True if looking at the claim would change nothing, seen at a glance.
pub(super) fn is_settled(view: View<'_>, claim: &Claim) -> bool {
    claim.has(ClaimState::BIND_COMPLETED)
        && claim.phase() == ClaimPhase::Bound
        && view
            .get(claim.volume)
            .is_some_and(|volume| volume.claim.uid == claim.meta.uid && volume.phase() == VolumePhase::Bound)
}

/// The first write from `from` on that this binding still needs.
fn next_step(from: BindStep, volume_id: Id<Volume>, volume: &Volume, claim: &Claim) -> Option<BindStep> {
    use BindStep::*;
    let order = [Reserve, VolumePhase, ClaimVolume, ClaimPhase];
    order.into_iter().skip_while(|step| *step != from).find(|step| match step {
        Reserve => volume.claim.uid != claim.meta.uid,
        VolumePhase => volume.phase() != crate::api::objects::VolumePhase::Bound,
        ClaimVolume => claim.volume != volume_id || !claim.has(ClaimState::BIND_COMPLETED),
        ClaimPhase => claim.phase() != crate::api::objects::ClaimPhase::Bound,
    })
}

impl VolumeBinder {
    /// Decides about one claim; a write, if one is needed.
    pub(super) fn sync_claim(&mut self, id: Id<Claim>, users: &ClaimUsers, world: &mut World) -> Option<Job> {
        let view = world.view(Process::ControllerManager);
        let claim = view.get(id).copied()?;
        if !self.claims.is_fresh(id, claim.meta.revision) {
            return None;
        }
        if claim.has(ClaimState::BIND_COMPLETED) {
            self.sync_bound(id, &claim, world)
        } else if asks_by_name(view, &claim) {
            self.sync_named(id, &claim, world)
        } else {
            self.sync_unbound(id, &claim, users, world)
        }
    }

    /// Begins, or goes on with, the binding of two objects as the watch shows them.
    fn bind(&self, id: Id<Claim>, claim: &Claim, volume_id: Id<Volume>, world: &World) -> Option<Job> {
        let volume = world.view(Process::ControllerManager).get(volume_id)?;
        if !self.volumes.is_fresh(volume_id, volume.meta.revision) {
            return None;
        }
        let step = next_step(BindStep::Reserve, volume_id, volume, claim)?;
        Some(Job::Bind(Bind {
            claim: id,
            claim_base: claim.meta.revision,
            volume: volume_id,
            volume_base: volume.meta.revision,
            step,
        }))
    }

    /// A claim that was bound once (syncBoundClaim, VOL-8).
    fn sync_bound(&self, id: Id<Claim>, claim: &Claim, world: &World) -> Option<Job> {
        let lost =
            |loss| (claim.phase() != ClaimPhase::Lost).then_some(Job::Lost(id, claim.meta.revision, loss));
        match world.view(Process::ControllerManager).get(claim.volume) {
            None => lost(Loss::Gone),
            Some(volume) if !volume.claim.is_set() || volume.claim.uid == claim.meta.uid => {
                self.bind(id, claim, claim.volume, world)
            }
            Some(_) => lost(Loss::Misbound),
        }
    }

    /// A claim whose user asks for a volume by name (VOL-6).
    fn sync_named(&self, id: Id<Claim>, claim: &Claim, world: &mut World) -> Option<Job> {
        mark!("VOL-6");
        let view = world.view(Process::ControllerManager);
        let volume_id = asked_volume(view, claim)?;
        let volume = view.get(volume_id)?;
        if names_claim(volume, claim) {
            return self.bind(id, claim, volume_id, world);
        }
        let name = volume.meta.name;
        if volume.claim.is_set() {
            world.emit(id, true, "FailedBinding", |world| {
                format!("volume \"{}\" already bound to a different claim.", world.store.name_of(name))
            });
            return None;
        }
        let (offered, asked) = (view.store.claim_spec(volume.spec), view.store.claim_spec(claim.spec));
        if let Some(why) = mismatch(volume, offered, asked) {
            world.emit(id, true, "VolumeMismatch", |world| {
                format!("Cannot bind to requested volume \"{}\": {why}", world.store.name_of(name))
            });
            return None;
        }
        self.bind(id, claim, volume_id, world)
    }

    /// A claim that takes any volume (VOL-3, VOL-4, VOL-5, VOL-11).
    fn sync_unbound(
        &mut self,
        id: Id<Claim>,
        claim: &Claim,
        users: &ClaimUsers,
        world: &mut World,
    ) -> Option<Job> {
        let view = world.view(Process::ControllerManager);
        let spec = view.store.claim_spec(claim.spec);
        let class = view.class(spec.class_word());
        let delayed = class.is_some_and(|class| class.binding == BindingMode::WaitForFirstConsumer);
        if let Some(volume) =
            self.index.find(view, claim, delayed, |id, seen| self.volumes.is_fresh(id, seen))
        {
            return self.bind(id, claim, volume, world);
        }
        if spec.class.is_none() && view.iter::<StorageClass>().any(|(_, class)| class.is_default) {
            return Some(Job::Class(id, claim.meta.revision));
        }
        if delayed && claim.selected_node.is_none() {
            emit_waiting(id, claim, users, world);
        } else if !spec.class_word().is_empty() {
            provision(id, claim, world);
        } else {
            world.emit(id, false, "FailedBinding", |_| {
                "no persistent volumes available for this claim and no storage class is set".to_owned()
            });
        }
        None
    }

    /// The write commits; what is to be written next, if anything.
    pub(super) fn write_claim_job(&mut self, job: Job, world: &mut World) -> Option<Job> {
        match job {
            Job::Bind(bind) => self.write_bind(bind, world).map(Job::Bind),
            Job::Class(id, base) => {
                let claim = world.store.get(id).filter(|claim| claim.meta.revision == base)?;
                let before = claim.spec;
                let spec = admit_claim_spec(&mut world.store, before);
                if spec != before {
                    let written = world.put(id, Rule::vol(5), |claim| claim.spec = spec);
                    self.claim_written(id, written, world)?;
                }
                None
            }
            Job::Lost(id, base, loss) => {
                world.store.get(id).filter(|claim| claim.meta.revision == base)?;
                let written = world.put(id, Rule::vol(8), |claim| claim.set_phase(ClaimPhase::Lost));
                self.claim_written(id, written, world)?;
                let (reason, message) = match loss {
                    Loss::Gone => (
                        "ClaimLost",
                        "Bound claim has lost its PersistentVolume. Data on the volume is lost!",
                    ),
                    Loss::Misbound => (
                        "ClaimMisbound",
                        "Two claims are bound to the same volume, this one is bound incorrectly",
                    ),
                };
                world.emit(id, true, reason, |_| message.to_owned());
                None
            }
        }
    }

    /// Takes note of an own write of a claim; one that has failed is tried again at the next resync (VOL-1).
    fn claim_written(
        &mut self,
        id: Id<Claim>,
        written: Result<Revision, Status>,
        world: &mut World,
    ) -> Option<Revision> {
        match written {
            Ok(revision) => {
                self.claims.written.insert(id, revision);
                Some(revision)
            }
            Err(_) => {
                self.at_next_resync(id, world);
                None
            }
        }
    }

    fn at_next_resync(&mut self, id: Id<Claim>, world: &mut World) {
        self.resync.claims.insert(id);
        self.arm_resync(world);
    }

    fn write_bind(&mut self, mut bind: Bind, world: &mut World) -> Option<Bind> {
        let claim =
            world.store.get(bind.claim).filter(|claim| claim.meta.revision == bind.claim_base).copied()?;
        world.store.get(bind.volume).filter(|volume| volume.meta.revision == bind.volume_base)?;
        let Meta { name, namespace, uid, .. } = claim.meta;
        let rule = Rule::vol(7);
        mark!("VOL-2");
        let written = match bind.step {
            BindStep::Reserve => world.put(bind.volume, rule, |volume| {
                // A volume that the user reserved by name keeps the sign of it: no annotation (VOL-6).
                if !volume.claim.is_set() {
                    volume.annotate(VolumeState::BOUND_BY_CONTROLLER);
                }
                volume.claim = ClaimRef { name, namespace, uid };
            }),
            BindStep::VolumePhase => {
                world.put(bind.volume, rule, |volume| volume.set_phase(VolumePhase::Bound))
            }
            BindStep::ClaimVolume => world.put(bind.claim, rule, |claim| {
                if claim.volume.is_none() {
                    claim.annotate(ClaimState::BOUND_BY_CONTROLLER);
                }
                claim.volume = bind.volume;
                claim.annotate(ClaimState::BIND_COMPLETED);
            }),
            BindStep::ClaimPhase => world.put(bind.claim, rule, |claim| claim.set_phase(ClaimPhase::Bound)),
        };
        match bind.step {
            BindStep::Reserve | BindStep::VolumePhase => {
                let Ok(revision) = written else {
                    self.at_next_resync(bind.claim, world);
                    return None;
                };
                self.volumes.written.insert(bind.volume, revision);
                bind.volume_base = revision;
            }
            BindStep::ClaimVolume | BindStep::ClaimPhase => {
                bind.claim_base = self.claim_written(bind.claim, written, world)?;
            }
        }
        let (claim, volume) = (world.store.get(bind.claim)?, world.store.get(bind.volume)?);
        bind.step = next_step(bind.step, bind.volume, volume, claim)?;
        Some(bind)
    }
}

impl VolumeBinder {
    /// The annotation that hands a claim over commits.
    pub(super) fn hand_over(&mut self, id: Id<Claim>, uid: Uid, world: &mut World) {
        let Some(claim) = world
            .store
            .claims
            .get_uid(id, uid)
            .copied()
            .filter(|claim| !claim.has(ClaimState::PROVISIONER_SET))
        else {
            return;
        };
        let view = world.view(Process::ControllerManager);
        let provisioner =
            view.class(view.store.claim_spec(claim.spec).class_word()).map(|class| class.provisioner);
        if world.put(id, Rule::vol(11), |claim| claim.annotate(ClaimState::PROVISIONER_SET)).is_err() {
            self.at_next_resync(id, world);
        } else if let Some(provisioner) = provisioner {
            emit_external(id, provisioner, world);
        }
    }
}

/// Tells why a claim with delayed binding waits (VOL-3).
fn emit_waiting(id: Id<Claim>, claim: &Claim, users: &ClaimUsers, world: &mut World) {
    mark!("VOL-3");
    if !world.events.is_on() {
        return;
    }
    let view = world.view(Process::ControllerManager);
    let pods: Vec<String> = users
        .of_claim(view, claim)
        .into_iter()
        .filter_map(|pod| view.get(pod))
        .filter(|pod| !pod.is_bound())
        .map(|pod| view.store.name_of(pod.meta.name))
        .collect();
    let (reason, message) = match pods.as_slice() {
        [] => ("WaitForFirstConsumer", "waiting for first consumer to be created before binding".to_owned()),
        [pod] => ("WaitForPodScheduled", format!("waiting for pod {pod} to be scheduled")),
        pods => ("WaitForPodScheduled", format!("waiting for pods {} to be scheduled", pods.join(","))),
    };
    world.emit(id, false, reason, |_| message);
}

/// Hands a claim over to the provisioner of its class (provisionClaim, VOL-11).
fn provision(id: Id<Claim>, claim: &Claim, world: &mut World) {
    let view = world.view(Process::ControllerManager);
    let class_name = view.store.claim_spec(claim.spec).class_word();
    let Some(class) = view.class(class_name) else {
        world.emit(id, true, "ProvisioningFailed", |world| {
            format!("storageclass.storage.k8s.io \"{}\" not found", world.store.names.text(class_name))
        });
        return;
    };
    let provisioner = class.provisioner;
    if view.store.names.text(provisioner).starts_with("kubernetes.io/") {
        world.emit(id, true, "ProvisioningFailed", |world| {
            format!("no volume plugin matched name: {}", world.store.names.text(provisioner))
        });
    } else if claim.has(ClaimState::PROVISIONER_SET) {
        emit_external(id, provisioner, world);
    } else {
        let delay = world.api_delay(Actor::VolumeController);
        world.after(delay, Event::Binder(BinderEvent::HandOver(id, claim.meta.uid)));
    }
}

fn emit_external(id: Id<Claim>, provisioner: Sym, world: &mut World) {
    world.emit(id, false, "ExternalProvisioning", |world| {
        format!(
            "Waiting for a volume to be created either by the external provisioner '{}' or manually by the system \
             administrator. If volume creation is delayed, please verify that the provisioner is running and \
             correctly registered.",
            world.store.names.text(provisioner)
        )
    });
}
