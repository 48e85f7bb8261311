//! The words of the timeline: from records to sentences.
use crate::api::kind::Kind;
use crate::api::names::Sym;
use crate::api::objects::*;
use crate::api::store::Store;
use crate::kernel::Id;
use crate::rule::Rule;
use crate::trace::record::{Note, Record, Recorder};

/// The short kind word and name of what a record is about: `pod/postgres-0`.
pub fn subject(record: &Record, store: &Store) -> String {
    let name = store.name_of(record.name);
    let word = match record.kind {
        Kind::Claim => "pvc",
        Kind::Volume => return format!("pv/{}", volume(record, store)),
        Kind::Attachment => return format!("attachment/{}", attachment(record, store)),
        Kind::StatefulSet => "sts",
        Kind::Deployment => "deploy",
        Kind::ReplicaSet => "rs",
        Kind::Revision => "revision",
        Kind::EndpointSlice => return format!("endpoints/{}", service_of(record, store)),
        Kind::Budget => "pdb",
        Kind::Node => "node",
        Kind::Pod => "pod",
        Kind::Service => "service",
        Kind::StorageClass => "storageclass",
        Kind::PriorityClass => "priorityclass",
        Kind::Namespace => "namespace",
        Kind::Inert => return inert(record, store),
    };
    format!("{word}/{name}")
}

fn inert(record: &Record, store: &Store) -> String {
    let object = store.inert.last_known(Id::from_index(record.index as usize));
    let kind = object.map_or("object", |object| object.type_of(store).1);
    format!("{}/{}", kind.to_lowercase(), store.name_of(record.name))
}

/// A volume by the id of its disk, which is what people know it by; by its name if it has none, or if another object
/// has taken its place since.
fn volume(record: &Record, store: &Store) -> String {
    match store.volumes.last_known(Id::from_index(record.index as usize)) {
        Some(volume) if volume.disk != 0 && volume.meta.uid == record.uid => store.volume_handle(volume.disk),
        _ => store.name_of(record.name),
    }
}

fn attachment(record: &Record, store: &Store) -> String {
    // Its name says which; what stands in its place of the table may be a later one.
    let Some((volume, on)) = record.name.attachment() else { return store.name_of(record.name) };
    let volume = store.volumes.last_known(Id::from_index(volume as usize));
    let claim = volume.map(|volume| store.name_of(volume.claim.name)).unwrap_or_default();
    format!("{claim}@{}", node(Id::from_index(on as usize), store))
}

fn service_of(record: &Record, store: &Store) -> String {
    store
        .slices
        .last_known(Id::from_index(record.index as usize))
        .and_then(|slice| store.services.last_known(slice.service))
        .map_or_else(|| store.name_of(record.name), |service| store.name_of(service.meta.name))
}

fn node(id: Id<Node>, store: &Store) -> String {
    store.nodes.last_known(id).map_or_else(|| "<none>".into(), |node| store.name_of(node.meta.name))
}

/// A taint as kubectl writes it.
pub fn taint(taint: &Taint, store: &Store) -> String {
    let value = store.names.text(taint.value);
    let equals = if value.is_empty() { "" } else { "=" };
    format!("{}{equals}{value}:{}", store.names.text(taint.key), taint.effect.as_str())
}

/// What happened, in a few words without the subject.
pub fn predicate(record: &Record, store: &Store) -> String {
    let word = |sym: Sym| store.names.text(sym).to_owned();
    match record.note {
        Note::Created(revision) if !revision.is_empty() => format!("created ({})", word(revision)),
        Note::Created(_) => "created".into(),
        Note::CreatedWith(n) if record.kind == Kind::ReplicaSet => format!("created with {n} replicas"),
        Note::CreatedWith(n) => format!("created as number {n}"),
        Note::Deleting => "deleting".into(),
        Note::Deleted => "gone".into(),
        Note::Owners(owners) => owned(owners, store),
        Note::Scheduled(id) => format!("scheduled to {}", node(id, store)),
        Note::Unschedulable => "unschedulable".into(),
        Note::SchedulingConflict => "scheduling failed with an error, will retry".into(),
        Note::Running(id) => format!("running on {}", node(id, store)),
        Note::Ready => "ready".into(),
        Note::Unready => "not ready".into(),
        Note::Restarted(count) => format!("containers restarted, {count} so far"),
        Note::CrashLoop => "CrashLoopBackOff".into(),
        Note::ImagePull => "image cannot be pulled".into(),
        Note::Failed(reason) => format!("Failed{}", reason_text(reason)),
        Note::Succeeded => "Succeeded (containers ended in good order)".into(),
        Note::Disrupted(by) => format!("DisruptionTarget, {}", by.as_str()),
        Note::Relabeled => "labels changed".into(),
        Note::Bound => bound(record, store),
        Note::Lost => "lost its volume".into(),
        Note::NodeSelected(id) => format!("volume wanted where {} is", node(id, store)),
        Note::Released => "released".into(),
        Note::Available => "available".into(),
        Note::Attached => "attached".into(),
        Note::AttachError(error) => format!("refused: {}", refusal(error)),
        Note::NodeReady(ready) => format!("Ready {}", ready_text(ready)),
        Note::Tainted(t) => format!("taint {}", taint(&t, store)),
        Note::Untainted(t) => format!("taint {} removed", taint(&t, store)),
        Note::Cordoned => "cordoned".into(),
        Note::Uncordoned => "uncordoned".into(),
        Note::Scaled(from, to) => format!("scaled {from} -> {to}"),
        Note::TemplateChanged => "pod template changed".into(),
        Note::Paused => "paused".into(),
        Note::Resumed => "resumed".into(),
        Note::Renumbered(from, to) => format!("renumbered {from} -> {to}"),
        Note::RevisionSet(revision) => format!("is revision {}", word(revision)),
        Note::SetStatus(status) => set_status(&status),
        Note::DeploymentStatus => deployment_status(record, store),
        Note::DeploymentCondition(c) => format!("{}={} {}", c.kind, c.status, c.reason),
        Note::Budget(allowed, healthy, desired, _) => {
            format!("allows {allowed} disruptions ({healthy} healthy, {desired} needed)")
        }
        Note::Endpoints(ready, all) => format!("{ready} of {all} endpoints ready"),
        Note::Changed => "changed".into(),
    }
}

fn owned(owners: crate::api::labels::OwnersId, store: &Store) -> String {
    let names: Vec<_> = store
        .owners
        .get(owners)
        .iter()
        .map(|owner| format!("{}/{}", owner.kind.as_str(), store.name_of(owner.name)))
        .collect();
    if names.is_empty() { "has no owner any more".into() } else { format!("owned by {}", names.join(", ")) }
}

fn reason_text(reason: PodReason) -> &'static str {
    match reason {
        PodReason::Evicted => ", Evicted",
        PodReason::NodeAffinity => ", NodeAffinity",
        PodReason::OutOfCpu => ", OutOfcpu",
        PodReason::OutOfMemory => ", OutOfmemory",
        PodReason::OutOfPods => ", OutOfpods",
        PodReason::TaintToleration => ", TaintToleration",
        PodReason::NodeShutdown => ", NodeShutdown",
        PodReason::Terminated => ", Terminated",
        PodReason::VolumeAttachmentLimitExceeded => ", VolumeAttachmentLimitExceeded",
        PodReason::None
        | PodReason::Unschedulable
        | PodReason::SchedulerError
        | PodReason::SchedulingGated => "",
    }
}

fn bound(record: &Record, store: &Store) -> String {
    if record.kind == Kind::Volume {
        let volume = store.volumes.last_known(Id::from_index(record.index as usize));
        return volume.map_or_else(
            || "bound".into(),
            |volume| format!("bound to pvc/{}", store.name_of(volume.claim.name)),
        );
    }
    let claim = store.claims.last_known(Id::from_index(record.index as usize));
    let volume = claim.and_then(|claim| store.volumes.last_known(claim.volume));
    volume.map_or_else(
        || "bound".into(),
        |volume| {
            let (handle, zone) = (store.volume_handle(volume.disk), store.names.text(volume.zone));
            if zone.is_empty() {
                format!("bound to {handle}")
            } else {
                format!("bound to {handle} in {zone}")
            }
        },
    )
}

/// Status of condition Ready as text.
pub fn ready_text(ready: NodeReady) -> &'static str {
    match ready {
        NodeReady::Missing => "not reported",
        NodeReady::True => "True",
        NodeReady::False => "False",
        NodeReady::Unknown => "Unknown",
    }
}

fn set_status(status: &StatefulSetStatus) -> String {
    format!(
        "status: {} pods, {} ready, {} available, {} current, {} updated",
        status.replicas, status.ready, status.available, status.current, status.updated
    )
}

fn deployment_status(record: &Record, store: &Store) -> String {
    store.deployments.last_known(Id::from_index(record.index as usize)).map_or_else(
        String::new,
        |deployment| {
            let s = &deployment.status;
            format!(
                "status: {} pods, {} updated, {} ready, {} available",
                s.replicas, s.updated, s.ready, s.available
            )
        },
    )
}

/// Why: the nearest noteworthy change that led here, and the rule by which it did.
pub fn because(record: &Record, recorder: &Recorder, store: &Store) -> String {
    let cause = recorder.because(record).filter(|cause| cause.revision != record.revision);
    let mut text = match cause {
        Some(cause) => format!("{} {}", subject(cause, store), predicate(cause, store)),
        None => String::new(),
    };
    if record.rule != Rule::NONE {
        text.push_str(&format!("{}[{}]", if text.is_empty() { "" } else { " " }, record.rule));
    }
    text
}
/// Why a disk was not attached.
fn refusal(error: AttachError) -> &'static str {
    match error {
        AttachError::None => "no error",
        AttachError::InUse => "the disk is attached elsewhere",
        AttachError::OtherZone => "the disk is in another zone",
        AttachError::LimitExceeded => "the machine has no room for another disk",
        AttachError::VolumeDeleted => "the volume is being deleted",
        AttachError::NoDisk => "there is no such disk",
        AttachError::Stuck => "attaching hung and was called off",
    }
}
