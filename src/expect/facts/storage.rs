//! Claims, volumes and attachments as the API has them, and disks as the cloud has them.
use super::{Field, Get};
use crate::api::labels::LabelsId;
use crate::api::objects::*;
use crate::expect::types::{Labels, Ty, Value};

fn labels<'a>(labels: LabelsId) -> Value<'a> {
    Value::Labels(Labels::Set(labels))
}

fn claim_phase(phase: ClaimPhase) -> &'static str {
    match phase {
        ClaimPhase::Pending => "Pending",
        ClaimPhase::Bound => "Bound",
        ClaimPhase::Lost => "Lost",
    }
}

fn volume_phase(phase: VolumePhase) -> &'static str {
    match phase {
        VolumePhase::Pending => "Pending",
        VolumePhase::Available => "Available",
        VolumePhase::Bound => "Bound",
        VolumePhase::Released => "Released",
        VolumePhase::Failed => "Failed",
    }
}

/// v1 PersistentVolumeClaim.
pub(super) const CLAIM: &[Field] = &[
    Field::new(
        "phase",
        Ty::TEXT,
        Get::Claim(|_, claim| claim_phase(claim.phase()).into()),
        "Pending, Bound or Lost",
    ),
    Field::new(
        "volume",
        Ty::TEXT,
        Get::Claim(|look, claim| look.volume_name(claim.volume)),
        "name of its volume; empty before it has one",
    ),
    Field::new("metadata.labels", Ty::LABELS, Get::Claim(|_, claim| labels(claim.meta.labels)), "labels"),
    Field::new(
        "spec.volumeName",
        Ty::TEXT,
        Get::Claim(|look, claim| look.volume_name(claim.volume)),
        "name of its volume",
    ),
    Field::new(
        "spec.storageClassName",
        Ty::TEXT,
        Get::Claim(|look, claim| look.word(look.store().claim_spec(claim.spec).class_word())),
        "its class",
    ),
    Field::new("status.phase", Ty::TEXT, Get::Claim(|_, claim| claim_phase(claim.phase()).into()), "phase"),
];

/// v1 PersistentVolume.
pub(super) const VOLUME: &[Field] = &[
    Field::new(
        "phase",
        Ty::TEXT,
        Get::Volume(|_, volume| volume_phase(volume.phase()).into()),
        "Available, Bound, Released or Failed",
    ),
    Field::new(
        "claim",
        Ty::TEXT,
        Get::Volume(|look, volume| look.claim_of(volume.id)),
        "name of the claim it is bound to or reserved for",
    ),
    Field::new(
        "zone",
        Ty::TEXT,
        Get::Volume(|look, volume| look.word(volume.zone)),
        "the zone it can be used in; empty: any",
    ),
    Field::new("metadata.labels", Ty::LABELS, Get::Volume(|_, volume| labels(volume.meta.labels)), "labels"),
    Field::new(
        "spec.claimRef.name",
        Ty::TEXT,
        Get::Volume(|look, volume| look.claim_of(volume.id)),
        "name of its claim",
    ),
    Field::new(
        "spec.persistentVolumeReclaimPolicy",
        Ty::TEXT,
        Get::Volume(|_, volume| if volume.reclaim() == Reclaim::Delete { "Delete" } else { "Retain" }.into()),
        "Retain or Delete",
    ),
    Field::new(
        "status.phase",
        Ty::TEXT,
        Get::Volume(|_, volume| volume_phase(volume.phase()).into()),
        "phase",
    ),
];

/// storage.k8s.io/v1 VolumeAttachment: what the attach/detach controller wants, and what the driver has reported.
pub(super) const ATTACHMENT: &[Field] = &[
    Field::new(
        "volume",
        Ty::TEXT,
        Get::Attachment(|look, attachment| look.volume_name(attachment.volume)),
        "name of its volume",
    ),
    Field::new(
        "claim",
        Ty::TEXT,
        Get::Attachment(|look, attachment| look.claim_of(attachment.volume)),
        "name of the claim of its volume",
    ),
    Field::new(
        "node",
        Ty::TEXT,
        Get::Attachment(|look, attachment| look.node_name(attachment.node)),
        "name of its node",
    ),
    Field::new(
        "attached",
        Ty::BOOL,
        Get::Attachment(|_, attachment| attachment.attached.into()),
        "status.attached",
    ),
    Field::new(
        "spec.nodeName",
        Ty::TEXT,
        Get::Attachment(|look, attachment| look.node_name(attachment.node)),
        "name of its node",
    ),
    Field::new(
        "spec.source.persistentVolumeName",
        Ty::TEXT,
        Get::Attachment(|look, attachment| look.volume_name(attachment.volume)),
        "name of its volume",
    ),
    Field::new(
        "status.attached",
        Ty::BOOL,
        Get::Attachment(|_, attachment| attachment.attached.into()),
        "the driver has reported it attached",
    ),
];

/// Physical truth: a disk that a machine has, gets or loses.
pub(super) const DISK: &[Field] = &[
    Field::new(
        "volume",
        Ty::TEXT,
        Get::Disk(|look, disk| look.volume_name(disk.volume)),
        "name of the volume it stands behind",
    ),
    Field::new(
        "claim",
        Ty::TEXT,
        Get::Disk(|look, disk| look.claim_of(disk.volume)),
        "name of the claim of that volume",
    ),
    Field::new("node", Ty::TEXT, Get::Disk(|look, disk| look.node_name(disk.node)), "name of the machine"),
    Field::new("state", Ty::TEXT, Get::Disk(|_, disk| disk.state.into()), "attaching, attached or detaching"),
    Field::new(
        "handle",
        Ty::TEXT,
        Get::Disk(|look, disk| look.store().volume_handle(disk.disk).into()),
        "its id in the cloud",
    ),
];
