//! Claims, volumes, attachments and storage classes.
use crate::api::names::{Name, Sym, Uid};
use crate::api::objects::{ClaimSpecId, Meta, Node};
use crate::kernel::Id;
use serde_json::Value;
use std::sync::Arc;

/// Phase of a claim (VOL-2).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum ClaimPhase {
    /// Not bound yet.
    #[default]
    Pending,
    /// Bound to its volume.
    Bound,
    /// Its volume is gone or names another claim.
    Lost,
}

/// v1 PersistentVolumeClaim.
#[derive(Clone, Copy, Debug)]
pub struct Claim {
    /// Metadata. The annotations `selected-node`, `storage-provisioner`, `bind-completed` and
    /// `bound-by-controller` are the fields below.
    pub meta: Meta,
    /// Class, size, modes: shared with all claims of the same template.
    pub spec: ClaimSpecId,
    /// spec.volumeName, or none. A name that no volume has yet is in `ClaimSpec::volume_name`.
    pub volume: Id<Volume>,
    /// Annotation `volume.kubernetes.io/selected-node` (VOL-11), or none.
    pub selected_node: Id<Node>,
    /// status.phase, and annotations.
    pub state: ClaimState,
}

/// How far a claim is: its phase and the annotations of the binder, in one byte. There are as many claims as pods.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct ClaimState(u8);

impl ClaimState {
    const PHASE: u8 = 0b11;
    /// Annotation `pv.kubernetes.io/bind-completed`.
    pub const BIND_COMPLETED: ClaimState = ClaimState(1 << 2);
    /// Annotation `pv.kubernetes.io/bound-by-controller`.
    pub const BOUND_BY_CONTROLLER: ClaimState = ClaimState(1 << 3);
    /// Annotation `volume.kubernetes.io/storage-provisioner` is set (VOL-11).
    pub const PROVISIONER_SET: ClaimState = ClaimState(1 << 4);

    /// This annotation, if so.
    #[must_use]
    pub fn and(self, annotation: ClaimState, so: bool) -> ClaimState {
        if so { ClaimState(self.0 | annotation.0) } else { self }
    }
}

impl Claim {
    /// A claim that nothing has been done about yet.
    pub fn new(meta: Meta, spec: ClaimSpecId) -> Claim {
        Claim { meta, spec, volume: Id::NONE, selected_node: Id::NONE, state: ClaimState::default() }
    }

    /// status.phase.
    pub fn phase(&self) -> ClaimPhase {
        match self.state.0 & ClaimState::PHASE {
            1 => ClaimPhase::Bound,
            2 => ClaimPhase::Lost,
            _ => ClaimPhase::Pending,
        }
    }

    /// Changes status.phase.
    pub fn set_phase(&mut self, phase: ClaimPhase) {
        self.state.0 = self.state.0 & !ClaimState::PHASE | phase as u8;
    }

    /// It has this annotation.
    pub fn has(&self, annotation: ClaimState) -> bool {
        self.state.0 & annotation.0 != 0
    }

    /// It has this annotation from now on.
    pub fn annotate(&mut self, annotation: ClaimState) {
        self.state.0 |= annotation.0;
    }

    /// Fully bound as the scheduler and the kubelet ask for it (SCHED-20): a volume, and bind-completed.
    pub fn is_fully_bound(&self) -> bool {
        !self.volume.is_none() && self.has(ClaimState::BIND_COMPLETED)
    }
}

/// Phase of a volume (VOL-2).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum VolumePhase {
    /// The zero state, just created.
    #[default]
    Pending,
    /// Free.
    Available,
    /// Bound to its claim.
    Bound,
    /// Its claim is gone (VOL-9).
    Released,
    /// Reclaim failed.
    Failed,
}

/// What becomes of a volume whose claim is gone (VOL-10).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum Reclaim {
    /// Kept, Released, until a person acts.
    #[default]
    Retain,
    /// Disk and object are deleted.
    Delete,
}

/// The claim a volume is reserved for or bound to (spec.claimRef).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct ClaimRef {
    /// Name of the claim.
    pub name: Name,
    /// Its namespace; empty: no claimRef at all.
    pub namespace: Sym,
    /// Its uid; none: reserved by name only (VOL-6).
    pub uid: Uid,
}

impl ClaimRef {
    /// A claimRef is present.
    pub fn is_set(&self) -> bool {
        !self.namespace.is_empty()
    }
}

/// v1 PersistentVolume.
#[derive(Clone, Copy, Debug)]
pub struct Volume {
    /// Metadata.
    pub meta: Meta,
    /// Class, capacity, modes, shared with all volumes of the same shape.
    pub spec: ClaimSpecId,
    /// spec.claimRef.
    pub claim: ClaimRef,
    /// The zone of its node affinity on `topology.kubernetes.io/zone` (VOL-13); empty: usable anywhere.
    pub zone: Sym,
    /// The disk behind it: its number in the cloud, rendered as the volume handle `vol-0...`. 0: none.
    pub disk: u32,
    /// status.phase, reclaim policy and annotations.
    pub state: VolumeState,
}

/// How far a volume is: phase, policy and annotations, in one byte. There are as many volumes as pods.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct VolumeState(u8);

impl VolumeState {
    const PHASE: u8 = 0b111;
    const DELETE: u8 = 1 << 3;
    /// Annotation `pv.kubernetes.io/provisioned-by` is set.
    pub const PROVISIONED: VolumeState = VolumeState(1 << 4);
    /// Annotation `pv.kubernetes.io/bound-by-controller`.
    pub const BOUND_BY_CONTROLLER: VolumeState = VolumeState(1 << 5);

    /// A volume that nothing has been done about yet, with this spec.persistentVolumeReclaimPolicy.
    pub fn new(reclaim: Reclaim) -> VolumeState {
        VolumeState(if reclaim == Reclaim::Delete { VolumeState::DELETE } else { 0 })
    }

    /// This annotation, if so.
    #[must_use]
    pub fn and(self, annotation: VolumeState, so: bool) -> VolumeState {
        if so { VolumeState(self.0 | annotation.0) } else { self }
    }
}

impl Volume {
    /// status.phase.
    pub fn phase(&self) -> VolumePhase {
        match self.state.0 & VolumeState::PHASE {
            1 => VolumePhase::Available,
            2 => VolumePhase::Bound,
            3 => VolumePhase::Released,
            4 => VolumePhase::Failed,
            _ => VolumePhase::Pending,
        }
    }

    /// Changes status.phase.
    pub fn set_phase(&mut self, phase: VolumePhase) {
        self.state.0 = self.state.0 & !VolumeState::PHASE | phase as u8;
    }

    /// spec.persistentVolumeReclaimPolicy.
    pub fn reclaim(&self) -> Reclaim {
        if self.state.0 & VolumeState::DELETE != 0 { Reclaim::Delete } else { Reclaim::Retain }
    }

    /// It has this annotation.
    pub fn has(&self, annotation: VolumeState) -> bool {
        self.state.0 & annotation.0 != 0
    }

    /// It has this annotation from now on.
    pub fn annotate(&mut self, annotation: VolumeState) {
        self.state.0 |= annotation.0;
    }

    /// It has this annotation no more.
    pub fn strip(&mut self, annotation: VolumeState) {
        self.state.0 &= !annotation.0;
    }
}

/// storage.k8s.io/v1 VolumeAttachment.
#[derive(Clone, Copy, Debug)]
pub struct Attachment {
    /// Metadata. Its name is a pure function of volume and node (VOL-30).
    pub meta: Meta,
    /// spec.source.persistentVolumeName.
    pub volume: Id<Volume>,
    /// spec.nodeName.
    pub node: Id<Node>,
    /// status.attached.
    pub attached: bool,
    /// status.attachError.
    pub attach_error: AttachError,
}

/// Why a disk could not be attached (status.attachError of a VolumeAttachment).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum AttachError {
    /// No error.
    #[default]
    None,
    /// The disk is attached to another instance (VOL-57).
    InUse,
    /// The instance is in another zone than the disk (VOL-52).
    OtherZone,
    /// The instance has no room for another disk: ResourceExhausted (VOL-44, VOL-56).
    LimitExceeded,
    /// The volume object is being deleted (VOL-50).
    VolumeDeleted,
    /// There is no such disk.
    NoDisk,
    /// The attachment hung in `attaching` and was called off (VOL-56).
    Stuck,
}

impl AttachError {
    /// True if there is an error.
    pub fn is_set(self) -> bool {
        self != AttachError::None
    }

    /// The message, for the disk with this handle, the volume and the node of these names.
    pub fn message(self, handle: &str, volume: &str, node: &str) -> String {
        let failed = format!("Could not attach volume \"{handle}\" to node \"{node}\"");
        match self {
            AttachError::None => String::new(),
            AttachError::InUse => format!(
                "rpc error: code = Internal desc = {failed}: VolumeInUse: {handle} is already attached to an instance"
            ),
            AttachError::OtherZone => format!(
                "rpc error: code = Internal desc = {failed}: InvalidVolume.ZoneMismatch: The volume '{handle}' is \
                 not in the same availability zone as instance '{node}'"
            ),
            AttachError::LimitExceeded => format!(
                "rpc error: code = ResourceExhausted desc = {failed}: AttachmentLimitExceeded: attachment limit \
                 exceeded"
            ),
            AttachError::VolumeDeleted => format!("PersistentVolume \"{volume}\" is marked for deletion"),
            AttachError::NoDisk => format!("rpc error: code = NotFound desc = Volume \"{handle}\" not found"),
            AttachError::Stuck => {
                format!("rpc error: code = Internal desc = {failed}: attachment of disk failed, timed out")
            }
        }
    }
}

/// volumeBindingMode of a StorageClass (VOL-3).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum BindingMode {
    /// At once, without looking at any pod.
    #[default]
    Immediate,
    /// When a pod that uses the claim has got a node.
    WaitForFirstConsumer,
}

/// storage.k8s.io/v1 StorageClass.
#[derive(Clone, Debug)]
pub struct StorageClass {
    /// Metadata.
    pub meta: Meta,
    /// provisioner.
    pub provisioner: Sym,
    /// volumeBindingMode.
    pub binding: BindingMode,
    /// reclaimPolicy.
    pub reclaim: Reclaim,
    /// allowVolumeExpansion.
    pub expandable: bool,
    /// Annotation `storageclass.kubernetes.io/is-default-class: "true"` (VOL-5).
    pub is_default: bool,
    /// Zones of allowedTopologies; empty: any (VOL-12).
    pub zones: Arc<[Sym]>,
    /// The object as given, without metadata.
    pub body: Arc<Value>,
}

/// scheduling.k8s.io/v1 PriorityClass.
#[derive(Clone, Debug)]
pub struct PriorityClass {
    /// Metadata.
    pub meta: Meta,
    /// value.
    pub value: i32,
    /// globalDefault.
    pub global_default: bool,
    /// preemptionPolicy is not Never.
    pub preempts: bool,
    /// The object as given, without metadata.
    pub body: Arc<Value>,
}
