//! Which existing volume a claim gets (VOL-4, VOL-6), and the indexes that find it without looking at all volumes.
//!
//! Follows `pkg/controller/volume/persistentvolume/index.go` (findByClaim) and
//! `component-helpers/storage/volume/pv_helpers.go` (FindMatchingVolume). Left out: VolumeAttributesClass.
use crate::api::names::{Name, Sym};
use crate::api::objects::*;
use crate::api::pod_spec::ClaimSpec;
use crate::api::store::View;
use crate::kernel::Id;
use crate::rule::mark;
use std::collections::{BTreeMap, BTreeSet};

/// In the order in which volumes are tried: fewest access modes, smallest, name.
type Rank = (u32, u64, Name, Id<Volume>);

/// Volumes that a claim may get.
#[derive(Clone, Debug, Default)]
pub(super) struct Volumes {
    /// Available volumes without claimRef, by class.
    free: BTreeMap<Sym, BTreeSet<Rank>>,
    /// Volumes that name a claim which is not bound to them yet, by namespace and name of the claim.
    reserved: BTreeMap<(Sym, Name), BTreeSet<Id<Volume>>>,
}

fn rank(view: View<'_>, id: Id<Volume>, volume: &Volume) -> (Sym, Rank) {
    let spec = view.store.claim_spec(volume.spec);
    (spec.class_word(), (spec.modes.0.count_ones(), spec.bytes, volume.meta.name, id))
}

fn is_free(volume: &Volume) -> bool {
    !volume.claim.is_set() && volume.phase() == VolumePhase::Available && !volume.meta.is_terminating()
}

fn is_reserved(view: View<'_>, id: Id<Volume>, volume: &Volume) -> bool {
    let bound = || {
        view.find::<Claim>(volume.claim.namespace, volume.claim.name).is_some_and(|(_, claim)| {
            claim.volume == id && claim.has(ClaimState::BIND_COMPLETED) && claim.meta.uid == volume.claim.uid
        })
    };
    volume.claim.is_set() && volume.phase() != VolumePhase::Released && !bound()
}

/// True if the volume's claimRef means this claim (IsVolumeBoundToClaim).
pub(super) fn names_claim(volume: &Volume, claim: &Claim) -> bool {
    let reference = volume.claim;
    reference.is_set()
        && reference.name == claim.meta.name
        && reference.namespace == claim.meta.namespace
        && (reference.uid.is_none() || reference.uid == claim.meta.uid)
}

/// Why a volume that the user asked for by name does not fit (checkVolumeSatisfyClaim, VOL-6).
pub(super) fn mismatch(volume: &Volume, offered: &ClaimSpec, asked: &ClaimSpec) -> Option<&'static str> {
    if volume.meta.is_terminating() {
        Some("the volume is being deleted")
    } else if offered.bytes < asked.bytes {
        Some("requested PV is too small")
    } else if offered.class_word() != asked.class_word() {
        Some("storageClassName does not match")
    } else if offered.block != asked.block {
        Some("incompatible volumeMode")
    } else if !offered.modes.has(asked.modes) {
        Some("incompatible accessMode")
    } else {
        None
    }
}

impl Volumes {
    /// Takes note of how a volume changed.
    pub(super) fn change(
        &mut self,
        view: View<'_>,
        id: Id<Volume>,
        old: Option<&Volume>,
        new: Option<&Volume>,
    ) {
        if let Some(old) = old {
            self.forget(view, id, old);
        }
        let Some(new) = new else { return };
        if is_free(new) {
            let (class, rank) = rank(view, id, new);
            self.free.entry(class).or_default().insert(rank);
        } else if is_reserved(view, id, new) {
            self.reserved.entry((new.claim.namespace, new.claim.name)).or_default().insert(id);
        }
    }

    fn forget(&mut self, view: View<'_>, id: Id<Volume>, old: &Volume) {
        if is_free(old) {
            let (class, rank) = rank(view, id, old);
            if let Some(ranks) = self.free.get_mut(&class) {
                ranks.remove(&rank);
                if ranks.is_empty() {
                    self.free.remove(&class);
                }
            }
        }
        if old.claim.is_set() {
            self.release((old.claim.namespace, old.claim.name), id);
        }
    }

    /// The claim of this name is bound to the volume.
    pub(super) fn release(&mut self, claim: (Sym, Name), id: Id<Volume>) {
        if let Some(volumes) = self.reserved.get_mut(&claim) {
            volumes.remove(&id);
            if volumes.is_empty() {
                self.reserved.remove(&claim);
            }
        }
    }

    /// Volumes that name the claim of this name and are not bound to it.
    pub(super) fn reserved_for(&self, claim: (Sym, Name)) -> impl Iterator<Item = Id<Volume>> {
        self.reserved.get(&claim).into_iter().flatten().copied()
    }

    /// The volume for a claim without volumeName. `delayed`: the scheduler chooses among free ones (VOL-3).
    /// `is_fresh` is false for volumes that the binder has just written: the view of them is too old.
    pub(super) fn find(
        &self,
        view: View<'_>,
        claim: &Claim,
        delayed: bool,
        is_fresh: impl Fn(Id<Volume>, Revision) -> bool,
    ) -> Option<Id<Volume>> {
        let asked = view.store.claim_spec(claim.spec);
        let fits = |volume: &Volume| {
            let offered = view.store.claim_spec(volume.spec);
            offered.bytes >= asked.bytes
                && offered.block == asked.block
                && offered.modes.has(asked.modes)
                && !volume.meta.is_terminating()
        };
        let own = self
            .reserved_for((claim.meta.namespace, claim.meta.name))
            .find(|id| view.get(*id).is_some_and(|volume| names_claim(volume, claim) && fits(volume)));
        if own.is_some() || delayed {
            return own;
        }
        let selected = |volume: &Volume| {
            asked
                .selector
                .as_ref()
                .is_none_or(|selector| view.store.labels_match(volume.meta.labels, selector))
        };
        let ranks = self.free.get(&asked.class_word())?;
        let smallest = ranks.iter().find(|(.., id)| {
            view.get(*id).is_some_and(|volume| {
                is_fresh(*id, volume.meta.revision) && is_free(volume) && fits(volume) && selected(volume)
            })
        });
        mark!("VOL-4" if smallest.is_some());
        smallest.map(|(.., id)| *id)
    }
}
