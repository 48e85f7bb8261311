//! What the binder does about a volume (syncVolume, VOL-9, VOL-10).
use super::VolumeBinder;
use crate::api::names::{Sym, Uid};
use crate::api::objects::*;
use crate::api::store::View;
use crate::event::{BinderEvent, Process};
use crate::kernel::Id;
use crate::rule::{Rule, mark};
use crate::world::World;

/// A write under way about a volume, and the version it was decided on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Job {
    volume: Id<Volume>,
    base: Revision,
    write: Write,
}

#[derive(Clone, Copy, Debug)]
enum Write {
    Phase(VolumePhase),
    /// The claim is bound elsewhere: let go of it.
    Unbind,
}

/// True if looking at the volume would change nothing, seen at a glance.
pub(super) fn is_settled(view: View<'_>, id: Id<Volume>, volume: &Volume) -> bool {
    volume.phase() == VolumePhase::Bound
        && view
            .find::<Claim>(volume.claim.namespace, volume.claim.name)
            .is_some_and(|(_, claim)| claim.meta.uid == volume.claim.uid && claim.volume == id)
}

impl VolumeBinder {
    /// Decides about one volume; a write, if one is needed.
    pub(super) fn sync_volume(&mut self, id: Id<Volume>, world: &mut World) -> Option<Job> {
        let view = world.view(Process::ControllerManager);
        let volume = view.get(id).copied()?;
        if !self.volumes.is_fresh(id, volume.meta.revision) {
            return None;
        }
        let job = |write| Some(Job { volume: id, base: volume.meta.revision, write });
        let phase = |phase| if volume.phase() == phase { None } else { job(Write::Phase(phase)) };
        if !volume.claim.is_set() || volume.claim.uid.is_none() {
            return phase(VolumePhase::Available);
        }
        let reference = volume.claim;
        let cached = view.find::<Claim>(reference.namespace, reference.name);
        let claim = cached.filter(|(_, claim)| claim.meta.uid == reference.uid).or_else(|| {
            // The cache may be behind: the API server is asked (VOL-9).
            let live = world.store.claims.find(reference.namespace, reference.name);
            live.filter(|(_, claim)| claim.meta.uid == reference.uid)
        });
        let released = matches!(volume.phase(), VolumePhase::Released | VolumePhase::Failed);
        let Some((claim_id, claim)) = claim else {
            mark!("VOL-10");
            return if released { None } else { phase(VolumePhase::Released) };
        };
        if claim.volume.is_none() {
            // The claim's own sync completes the binding.
            self.warn_of_mode(id, claim_id, world);
            self.claims.add(claim_id, BinderEvent::Claims, world);
            None
        } else if claim.volume == id {
            phase(VolumePhase::Bound)
        } else if volume.has(VolumeState::PROVISIONED) && volume.reclaim() == Reclaim::Delete {
            if released { None } else { phase(VolumePhase::Released) }
        } else {
            job(Write::Unbind)
        }
    }

    fn warn_of_mode(&self, id: Id<Volume>, claim: Id<Claim>, world: &mut World) {
        let mode = |spec: ClaimSpecId| world.store.claim_spec(spec).block;
        let Some((volume, asking)) = world.store.get(id).zip(world.store.get(claim)) else { return };
        if mode(volume.spec) == mode(asking.spec) {
            return;
        }
        let (volume_name, claim_name) = (volume.meta.name, asking.meta.name);
        world.emit(id, true, "VolumeMismatch", |world| {
            format!(
                "Cannot bind PersistentVolume to requested PersistentVolumeClaim \"{}\" due to incompatible volumeMode.",
                world.store.name_of(claim_name)
            )
        });
        world.emit(claim, true, "VolumeMismatch", |world| {
            format!(
                "Cannot bind PersistentVolume \"{}\" to requested PersistentVolumeClaim \"{}\" due to incompatible volumeMode.",
                world.store.name_of(volume_name),
                world.store.name_of(claim_name)
            )
        });
    }

    /// The write commits, unless somebody else has written the volume meanwhile.
    pub(super) fn write_volume_job(&mut self, job: Job, world: &mut World) {
        if world.store.get(job.volume).is_none_or(|volume| volume.meta.revision != job.base) {
            return;
        }
        let (rule, write) = match job.write {
            Write::Phase(VolumePhase::Bound) => (Rule::vol(7), job.write),
            _ => (Rule::vol(9), job.write),
        };
        let written = world.put(job.volume, rule, |volume| match write {
            Write::Phase(phase) => volume.set_phase(phase),
            Write::Unbind if volume.has(VolumeState::BOUND_BY_CONTROLLER) => {
                volume.claim = ClaimRef { namespace: Sym::EMPTY, ..ClaimRef::default() };
                volume.strip(VolumeState::BOUND_BY_CONTROLLER);
            }
            Write::Unbind => volume.claim.uid = Uid::NONE,
        });
        match written {
            Ok(revision) => drop(self.volumes.written.insert(job.volume, revision)),
            Err(_) => {
                self.resync.volumes.insert(job.volume);
                self.arm_resync(world);
            }
        }
    }
}
