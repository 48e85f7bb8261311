//! The objects of the API server as plain structs.
//!
//! What there can be a million of (pods, claims, volumes, attachments) is `Copy` and 52 to 80 bytes; what belongs to
//! many of them at once (a template, a set of labels, an owner) is interned and named by number. What is rare (sets,
//! nodes, services) keeps shared pointers. The JSON a user sees is rendered from these by `api::wire`.
//!
//! Timestamps of objects have whole seconds, as the real ones do (STS-101): [`Seconds`] since the start of the run.
mod node;
mod pod;
mod service;
mod storage;
mod workload;

pub use node::*;
pub use pod::*;
pub use service::*;
pub use storage::*;
pub use workload::*;

use crate::api::kind::Kind;
use crate::api::labels::{LabelsId, OwnersId, WordsId};
use crate::api::names::{Name, Sym, Uid};
use crate::api::pod_spec::{ClaimSpec, PodSpec, Template};
use crate::api::rare::RareId;
use crate::api::store::Store;
use crate::event::KubeletEvent;
use crate::kernel::{Id, Time, U24};
use serde_json::Value;
use std::sync::Arc;

/// A resourceVersion: the number of the change that wrote an object. One counter for all kinds, as in etcd.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Revision(pub u32);

/// A timestamp as objects carry it: whole seconds since the start of the run.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Seconds(pub u32);

impl Seconds {
    /// "Not set".
    pub const NEVER: Seconds = Seconds(u32::MAX);

    /// The whole second an instant lies in.
    pub fn of(time: Time) -> Seconds {
        Seconds(u32::try_from(time.as_nanos() / 1_000_000_000).unwrap_or(u32::MAX - 1))
    }

    /// The instant at which this second begins; [`Time::NEVER`] if not set.
    pub fn start(self) -> Time {
        if self == Seconds::NEVER { Time::NEVER } else { Time::from_secs(u64::from(self.0)) }
    }

    /// True unless this is [`Seconds::NEVER`].
    pub fn is_set(self) -> bool {
        self != Seconds::NEVER
    }
}

impl Default for Seconds {
    fn default() -> Self {
        Seconds::NEVER
    }
}

/// The well-known finalizers as a bit set; others are in [`crate::api::rare::Rare::other_finalizers`].
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct Finalizers(pub u8);

impl Finalizers {
    /// No finalizer.
    pub const NONE: Finalizers = Finalizers(0);
    /// `kubernetes.io/pvc-protection` (VOL-18).
    pub const CLAIM_PROTECTION: Finalizers = Finalizers(1);
    /// `kubernetes.io/pv-protection` (VOL-19).
    pub const VOLUME_PROTECTION: Finalizers = Finalizers(2);
    /// `foregroundDeletion` (STS-90).
    pub const FOREGROUND: Finalizers = Finalizers(4);
    /// `orphan` (STS-91).
    pub const ORPHAN: Finalizers = Finalizers(8);
    /// `external-attacher/ebs-csi-aws-com` (VOL-50).
    pub const ATTACHER: Finalizers = Finalizers(16);
    /// `external-provisioner.volume.kubernetes.io/finalizer` (VOL-16).
    pub const PROVISIONER: Finalizers = Finalizers(32);
    /// There are others, beyond the well-known ones.
    pub const OTHERS: Finalizers = Finalizers(64);

    /// The finalizers with their texts.
    pub const ALL: [(Finalizers, &'static str); 6] = [
        (Finalizers::CLAIM_PROTECTION, "kubernetes.io/pvc-protection"),
        (Finalizers::VOLUME_PROTECTION, "kubernetes.io/pv-protection"),
        (Finalizers::FOREGROUND, "foregroundDeletion"),
        (Finalizers::ORPHAN, "orphan"),
        (Finalizers::ATTACHER, "external-attacher/ebs-csi-aws-com"),
        (Finalizers::PROVISIONER, "external-provisioner.volume.kubernetes.io/finalizer"),
    ];

    /// True if all of `other` are present.
    pub fn has(self, other: Finalizers) -> bool {
        self.0 & other.0 == other.0
    }
    /// With `other` added.
    #[must_use]
    pub fn with(self, other: Finalizers) -> Finalizers {
        Finalizers(self.0 | other.0)
    }
    /// With `other` taken away.
    #[must_use]
    pub fn without(self, other: Finalizers) -> Finalizers {
        Finalizers(self.0 & !other.0)
    }
    /// With these others, beyond the well-known ones.
    #[must_use]
    pub fn and(self, others: WordsId) -> Finalizers {
        if others.is_empty() { self } else { self.with(Finalizers::OTHERS) }
    }
    /// True if there is none.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }
}

/// metadata.generation, in three bytes: nothing is respecified sixteen million times.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct Generation(U24);

impl Generation {
    /// The generation of this number; it stops at the greatest there is.
    pub fn of(number: u32) -> Generation {
        Generation(U24::of(number))
    }

    /// Its number; 0 for kinds that have none.
    pub fn get(self) -> u32 {
        self.0.get()
    }

    /// The one after it.
    #[must_use]
    pub fn next(self) -> Generation {
        Generation::of(self.get() + 1)
    }
}

/// What every object carries.
#[derive(Clone, Copy, Debug, Default)]
pub struct Meta {
    /// Name inside the namespace.
    pub name: Name,
    /// Namespace; empty for cluster-scoped kinds.
    pub namespace: Sym,
    /// Incarnation.
    pub uid: Uid,
    /// resourceVersion: the last change of this object. Set by the store.
    pub revision: Revision,
    /// creationTimestamp.
    pub created: Seconds,
    /// Labels. A pod's identity labels may be held as flags instead ([`Pod::flags`]).
    pub labels: LabelsId,
    /// Annotations. Some well-known ones of claims and volumes are fields of theirs instead.
    pub annotations: LabelsId,
    /// Owner references.
    pub owners: OwnersId,
    /// Deletion, and finalizers that are not well known: see [`Store::rare`].
    pub rare: RareId,
    /// metadata.generation.
    pub generation: Generation,
    /// Well-known finalizers, and whether there are others.
    pub finalizers: Finalizers,
}

impl Meta {
    /// deletionTimestamp is set.
    pub fn is_terminating(&self) -> bool {
        self.rare.is_terminating()
    }
    /// True if any finalizer holds the object.
    pub fn has_finalizers(&self) -> bool {
        !self.finalizers.is_empty()
    }
}

/// An object that the store keeps in a table of its own.
pub trait Object: Clone {
    /// Its kind.
    const KIND: Kind;
    /// The finalizer that admission gives to every new object of this kind (VOL-18, VOL-19).
    const PROTECTION: Finalizers = Finalizers::NONE;
    /// Its metadata.
    fn meta(&self) -> &Meta;
    /// Its metadata, to change.
    fn meta_mut(&mut self) -> &mut Meta;
    /// What its name is unique in: the namespace, for all but inert objects.
    fn scope(&self) -> Sym {
        self.meta().namespace
    }
    /// Seconds that a delete without a period of its own gives it. 0: it goes at once (POD-3).
    fn natural_grace(&self, _store: &Store) -> u32 {
        0
    }
    /// What a kubelet's watch shows of this change, if it concerns one.
    fn kubelet_event(
        _id: Id<Self>,
        _uid: Uid,
        _old: Option<&Self>,
        _new: Option<&Self>,
        _store: &Store,
    ) -> Option<KubeletEvent> {
        None
    }
}

macro_rules! objects {
    ($($kind:ident => $type:ty $(, protected by $finalizer:ident)?);* $(;)?) => {$(
        impl Object for $type {
            const KIND: Kind = Kind::$kind;
            $(const PROTECTION: Finalizers = Finalizers::$finalizer;)?
            fn meta(&self) -> &Meta { &self.meta }
            fn meta_mut(&mut self) -> &mut Meta { &mut self.meta }
        }
    )*};
}
objects! {
    Namespace => Namespace;
    Claim => Claim, protected by CLAIM_PROTECTION;
    Volume => Volume, protected by VOLUME_PROTECTION;
    Service => Service;
    StatefulSet => StatefulSet;
    Deployment => Deployment;
    ReplicaSet => ReplicaSet;
    Revision => ControllerRevision;
    EndpointSlice => EndpointSlice;
    Budget => Budget;
    StorageClass => StorageClass;
    Attachment => Attachment;
    PriorityClass => PriorityClass;
}

impl Object for Inert {
    const KIND: Kind = Kind::Inert;
    fn meta(&self) -> &Meta {
        &self.meta
    }
    fn meta_mut(&mut self) -> &mut Meta {
        &mut self.meta
    }
    fn scope(&self) -> Sym {
        self.scope
    }
}

/// v1 Namespace.
#[derive(Clone, Copy, Debug, Default)]
pub struct Namespace {
    /// Metadata.
    pub meta: Meta,
}

/// An object of a kind that nothing here acts on.
#[derive(Clone, Debug)]
pub struct Inert {
    /// Metadata.
    pub meta: Meta,
    /// apiVersion, kind and namespace as one word: what the name is unique in.
    pub scope: Sym,
    /// The whole object as given, without metadata.
    pub body: Arc<Value>,
}

/// The number of an interned [`PodSpec`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct PodSpecId(pub U24);
/// The number of an interned [`Template`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct TemplateId(pub u32);
/// The number of an interned [`ClaimSpec`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct ClaimSpecId(pub U24);

/// What the interners of specs hold; see [`crate::api::store::Store`].
#[derive(Clone, Debug, Default)]
pub struct Specs {
    /// Admitted pod specs.
    pub pods: Vec<Arc<PodSpec>>,
    /// Pod templates.
    pub templates: Vec<Arc<Template>>,
    /// Claim and volume shapes.
    pub claims: Vec<Arc<ClaimSpec>>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_there_can_be_a_million_of_is_small() {
        assert!(size_of::<Meta>() <= 40, "{}", size_of::<Meta>());
        assert!(size_of::<Pod>() <= 76, "{}", size_of::<Pod>());
        assert!(size_of::<Claim>() <= 52, "{}", size_of::<Claim>());
        assert!(size_of::<Volume>() <= 68, "{}", size_of::<Volume>());
        assert!(size_of::<Attachment>() <= 52, "{}", size_of::<Attachment>());
    }

    #[test]
    fn percentages_round_as_asked() {
        let quarter = IntOrPercent::Percent(25);
        assert_eq!([quarter.floor_of(10), quarter.ceil_of(10), quarter.ceil_of(4)], [2, 3, 1]);
        assert_eq!(IntOrPercent::Int(3).floor_of(1), 3);
    }
}
