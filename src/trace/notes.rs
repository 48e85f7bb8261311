//! What is noteworthy about a change, kind by kind: from the states before and after a write to [`Note`]s.
use crate::api::kind::Kind;
use crate::api::names::Sym;
use crate::api::objects::*;
use crate::api::store::{REGION_LABEL, REVISION_LABEL, Store, Stored, ZONE_LABEL};
use crate::trace::record::Note;

/// A kind whose changes are worth notes.
pub trait Noted: Stored {
    /// What is noteworthy about an update.
    fn update_notes(store: &Store, old: &Self, new: &Self, notes: &mut Vec<Note>);

    /// The note of its creation.
    fn created(_store: &Store, _new: &Self) -> Note {
        Note::Created(Sym::EMPTY)
    }

    /// What is noteworthy about this change.
    fn notes(store: &Store, old: Option<&Self>, new: Option<&Self>, notes: &mut Vec<Note>) {
        match (old, new) {
            (None, Some(new)) => {
                notes.push(Self::created(store, new));
                Self::first_notes(store, new, notes);
            }
            (Some(old), None) => {
                // A pod without grace is first written as terminating, then removed (POD-3); others just go.
                if Self::KIND == Kind::Pod && !old.meta().is_terminating() {
                    notes.push(Note::Deleting);
                }
                notes.push(Note::Deleted);
            }
            (Some(old), Some(new)) => {
                Self::update_notes(store, old, new, notes);
                if new.meta().is_terminating() && !old.meta().is_terminating() {
                    notes.push(Note::Deleting);
                }
            }
            (None, None) => {}
        }
    }

    /// What is noteworthy about a new object beyond that it is new.
    fn first_notes(_store: &Store, _new: &Self, _notes: &mut Vec<Note>) {}
}

impl Noted for Pod {
    fn created(store: &Store, new: &Pod) -> Note {
        let key = store.names.known(REVISION_LABEL);
        Note::Created(key.and_then(|key| store.labels.value(new.meta.labels, key)).unwrap_or(Sym::EMPTY))
    }

    fn update_notes(store: &Store, old: &Pod, new: &Pod, notes: &mut Vec<Note>) {
        if old.disruption != new.disruption && new.disruption != Disruption::None {
            notes.push(Note::Disrupted(new.disruption));
        }
        if old.meta.owners != new.meta.owners {
            notes.push(Note::Owners(new.meta.owners));
        }
        if relabeled(store, old, new) {
            notes.push(Note::Relabeled);
        }
        if !old.is_bound() && new.is_bound() {
            notes.push(Note::Scheduled(new.node));
        }
        let refused = new.flags.has(PodFlags::UNSCHEDULABLE);
        let newly = !old.flags.has(PodFlags::UNSCHEDULABLE) || old.reason != new.reason;
        if refused && newly && new.reason == PodReason::Unschedulable {
            notes.push(Note::Unschedulable);
        }
        if refused && newly && new.reason == PodReason::SchedulerError {
            notes.push(Note::SchedulingConflict);
        }
        process_notes(old, new, notes);
    }
}

/// What the kubelet reported.
fn process_notes(old: &Pod, new: &Pod, notes: &mut Vec<Note>) {
    if old.phase != Phase::Running && new.phase == Phase::Running {
        notes.push(Note::Running(new.node));
    }
    if new.restarts > old.restarts {
        notes.push(Note::Restarted(new.restarts.get()));
    }
    let crash = |pod: &Pod| matches!(pod.containers, Containers::CrashLoopBackOff(_));
    if crash(new) && !crash(old) {
        notes.push(Note::CrashLoop);
    }
    let pull = |pod: &Pod| matches!(pod.containers, Containers::ErrImagePull | Containers::ImagePullBackOff);
    if pull(new) && !pull(old) {
        notes.push(Note::ImagePull);
    }
    match (old.is_ready(), new.is_ready()) {
        (false, true) => notes.push(Note::Ready),
        (true, false) => notes.push(Note::Unready),
        _ => {}
    }
    if old.phase != new.phase && new.phase == Phase::Failed {
        notes.push(Note::Failed(new.reason));
    }
    if old.phase != new.phase && new.phase == Phase::Succeeded {
        notes.push(Note::Succeeded);
    }
}

/// Labels changed other than by the zone and region that come with the binding.
fn relabeled(store: &Store, old: &Pod, new: &Pod) -> bool {
    let identity = PodFlags(PodFlags::NAME_LABEL.0 | PodFlags::INDEX_LABEL.0).0;
    if old.flags.0 & identity != new.flags.0 & identity {
        return true;
    }
    if old.meta.labels == new.meta.labels {
        return false;
    }
    let topology = [ZONE_LABEL, REGION_LABEL].map(|label| store.names.known(label));
    let rest = |pod: &Pod| -> Vec<_> {
        let labels = store.labels.get(pod.meta.labels).iter();
        labels.filter(|(key, _)| !topology.contains(&Some(*key))).copied().collect()
    };
    rest(old) != rest(new)
}

impl Noted for Claim {
    fn update_notes(_: &Store, old: &Claim, new: &Claim, notes: &mut Vec<Note>) {
        if old.meta.owners != new.meta.owners {
            notes.push(Note::Owners(new.meta.owners));
        }
        if old.selected_node != new.selected_node && !new.selected_node.is_none() {
            notes.push(Note::NodeSelected(new.selected_node));
        }
        if old.phase() != new.phase() {
            match new.phase() {
                ClaimPhase::Bound => notes.push(Note::Bound),
                ClaimPhase::Lost => notes.push(Note::Lost),
                ClaimPhase::Pending => {}
            }
        }
        if old.spec != new.spec {
            notes.push(Note::Changed);
        }
    }
}

impl Noted for Volume {
    fn update_notes(_: &Store, old: &Volume, new: &Volume, notes: &mut Vec<Note>) {
        if old.phase() == new.phase() {
            return;
        }
        match new.phase() {
            VolumePhase::Bound => notes.push(Note::Bound),
            VolumePhase::Released => notes.push(Note::Released),
            VolumePhase::Available => notes.push(Note::Available),
            VolumePhase::Pending | VolumePhase::Failed => {}
        }
    }
}

impl Noted for Attachment {
    fn update_notes(_: &Store, old: &Attachment, new: &Attachment, notes: &mut Vec<Note>) {
        if !old.attached && new.attached {
            notes.push(Note::Attached);
        }
        if !old.attach_error.is_set() && new.attach_error.is_set() {
            notes.push(Note::AttachError(new.attach_error));
        }
    }
}

impl Noted for Node {
    fn first_notes(_: &Store, new: &Node, notes: &mut Vec<Note>) {
        notes.extend(new.taints.iter().map(|taint| Note::Tainted(*taint)));
    }

    fn update_notes(_: &Store, old: &Node, new: &Node, notes: &mut Vec<Note>) {
        if old.ready != new.ready {
            notes.push(Note::NodeReady(new.ready));
        }
        if old.unschedulable != new.unschedulable {
            notes.push(if new.unschedulable { Note::Cordoned } else { Note::Uncordoned });
        }
        let same = |a: &Taint, b: &Taint| a.key == b.key && a.value == b.value && a.effect == b.effect;
        let missing = |from: &Node, taint: &Taint| !from.taints.iter().any(|other| same(other, taint));
        notes
            .extend(new.taints.iter().filter(|taint| missing(old, taint)).map(|taint| Note::Tainted(*taint)));
        notes.extend(
            old.taints.iter().filter(|taint| missing(new, taint)).map(|taint| Note::Untainted(*taint)),
        );
    }
}

impl Noted for StatefulSet {
    fn update_notes(_: &Store, old: &StatefulSet, new: &StatefulSet, notes: &mut Vec<Note>) {
        if old.spec.replicas != new.spec.replicas {
            notes.push(Note::Scaled(old.spec.replicas, new.spec.replicas));
        }
        if old.spec.template != new.spec.template {
            notes.push(Note::TemplateChanged);
        } else if old.meta.generation != new.meta.generation
            && old.spec.replicas == new.spec.replicas
            && !new.meta.is_terminating()
        {
            notes.push(Note::Changed);
        }
        // That a generation was seen is no news.
        let seen = StatefulSetStatus { observed_generation: new.status.observed_generation, ..old.status };
        if seen != new.status {
            notes.push(Note::SetStatus(new.status));
        }
    }
}

impl Noted for ControllerRevision {
    fn created(_: &Store, new: &ControllerRevision) -> Note {
        Note::CreatedWith(new.number)
    }

    fn update_notes(_: &Store, old: &ControllerRevision, new: &ControllerRevision, notes: &mut Vec<Note>) {
        if old.number != new.number {
            notes.push(Note::Renumbered(old.number, new.number));
        }
        if old.meta.owners != new.meta.owners {
            notes.push(Note::Owners(new.meta.owners));
        }
    }
}

impl Noted for Deployment {
    fn update_notes(_: &Store, old: &Deployment, new: &Deployment, notes: &mut Vec<Note>) {
        if old.spec.replicas != new.spec.replicas {
            notes.push(Note::Scaled(old.spec.replicas, new.spec.replicas));
        }
        if old.spec.template != new.spec.template {
            notes.push(Note::TemplateChanged);
        }
        match (old.spec.paused, new.spec.paused) {
            (false, true) => notes.push(Note::Paused),
            (true, false) => notes.push(Note::Resumed),
            _ => {}
        }
        let (before, after) = (&old.status, &new.status);
        let counters = |s: &DeploymentStatus| {
            (s.replicas, s.updated, s.ready, s.available, s.unavailable, s.terminating)
        };
        if counters(before) != counters(after) {
            notes.push(Note::DeploymentStatus);
        }
        for condition in &after.conditions {
            let same = |c: &&Condition| c.kind == condition.kind;
            let known = before.conditions.iter().find(same);
            if known.is_none_or(|c| (c.status, c.reason) != (condition.status, condition.reason)) {
                notes.push(Note::DeploymentCondition(*condition));
            }
        }
    }
}

/// Annotation with a ReplicaSet's or Deployment's revision number.
pub const REVISION_ANNOTATION: &str = "deployment.kubernetes.io/revision";

impl Noted for ReplicaSet {
    fn created(_: &Store, new: &ReplicaSet) -> Note {
        Note::CreatedWith(i64::from(new.spec.replicas))
    }

    fn update_notes(store: &Store, old: &ReplicaSet, new: &ReplicaSet, notes: &mut Vec<Note>) {
        if old.spec.replicas != new.spec.replicas {
            notes.push(Note::Scaled(old.spec.replicas, new.spec.replicas));
        }
        let number = |rs: &ReplicaSet| {
            store
                .names
                .known(REVISION_ANNOTATION)
                .and_then(|key| store.labels.value(rs.meta.annotations, key))
        };
        if let Some(revision) = number(new).filter(|revision| number(old) != Some(*revision)) {
            notes.push(Note::RevisionSet(revision));
        }
        if old.meta.owners != new.meta.owners {
            notes.push(Note::Owners(new.meta.owners));
        }
    }
}

impl Noted for Budget {
    fn update_notes(_: &Store, old: &Budget, new: &Budget, notes: &mut Vec<Note>) {
        let counters = |b: &Budget| (b.status.allowed, b.status.healthy, b.status.desired, b.status.expected);
        if counters(old) != counters(new) {
            let (allowed, healthy, desired, expected) = counters(new);
            notes.push(Note::Budget(allowed, healthy, desired, expected));
        }
        if old.meta.generation != new.meta.generation {
            notes.push(Note::Changed);
        }
    }
}

impl Noted for EndpointSlice {
    fn first_notes(_: &Store, new: &EndpointSlice, notes: &mut Vec<Note>) {
        notes.push(members(new));
    }

    fn update_notes(_: &Store, old: &EndpointSlice, new: &EndpointSlice, notes: &mut Vec<Note>) {
        if old.endpoints != new.endpoints {
            notes.push(members(new));
        }
    }
}

fn members(slice: &EndpointSlice) -> Note {
    let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    let ready = slice.endpoints.iter().filter(|endpoint| endpoint.ready).count();
    Note::Endpoints(count(ready), count(slice.endpoints.len()))
}

macro_rules! plain {
    ($($type:ty),*) => {$(
        impl Noted for $type {
            fn update_notes(_: &Store, old: &$type, new: &$type, notes: &mut Vec<Note>) {
                if old.meta.generation != new.meta.generation {
                    notes.push(Note::Changed);
                }
            }
        }
    )*};
}
plain!(StorageClass, PriorityClass, Namespace);

impl Noted for Service {
    fn update_notes(_: &Store, old: &Service, new: &Service, notes: &mut Vec<Note>) {
        if old.spec != new.spec {
            notes.push(Note::Changed);
        }
    }
}

impl Noted for Inert {
    fn update_notes(_: &Store, old: &Inert, new: &Inert, notes: &mut Vec<Note>) {
        if old.body != new.body {
            notes.push(Note::Changed);
        }
    }
}
