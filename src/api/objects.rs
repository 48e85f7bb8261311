//! The objects of the API server as plain structs.
//!
//! What there can be a million of (pods, claims, volumes, attachments) is `Copy` and 56 to 100 bytes; what belongs to
//! many of them at once (a template, a set of labels, an owner) is interned and named by number. What is rare (sets,
//! nodes, services) keeps shared pointers. The JSON a user sees is rendered from these by `api::wire`.
//!
//! Timestamps of objects have whole seconds, as the real ones do (STS-101): [`Seconds`] since the start of the run.
use crate::api::kind::Kind;
use crate::api::labels::{LabelsId, OwnersId, WordsId};
use crate::api::names::{Name, Sym, Uid};
use crate::api::pod_spec::{ClaimSpec, PodSpec, Template};
use crate::api::selector::Selector;
use crate::api::store::Store;
use crate::event::KubeletEvent;
use crate::kernel::{Id, Time};
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

/// The well-known finalizers as a bit set; others are in [`Meta::other_finalizers`].
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct Finalizers(pub u16);

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
    /// True if there is none.
    pub fn is_empty(self) -> bool {
        self.0 == 0
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
    /// deletionTimestamp; set once deletion has begun.
    pub deleted: Seconds,
    /// deletionGracePeriodSeconds, meaningful while `deleted` is set.
    pub grace: u32,
    /// metadata.generation; 0 for kinds that have none.
    pub generation: u32,
    /// Labels. A pod's identity labels may be held as flags instead ([`Pod::flags`]).
    pub labels: LabelsId,
    /// Annotations. Some well-known ones of claims and volumes are fields of theirs instead.
    pub annotations: LabelsId,
    /// Owner references.
    pub owners: OwnersId,
    /// Finalizers that are not well known.
    pub other_finalizers: WordsId,
    /// Well-known finalizers.
    pub finalizers: Finalizers,
}

impl Meta {
    /// deletionTimestamp is set.
    pub fn is_terminating(&self) -> bool {
        self.deleted.is_set()
    }
    /// True if any finalizer holds the object.
    pub fn has_finalizers(&self) -> bool {
        !self.finalizers.is_empty() || !self.other_finalizers.is_empty()
    }
}

/// An object that the store keeps in a table of its own.
pub trait Object: Clone {
    /// Its kind.
    const KIND: Kind;
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
    fn kubelet_event(_id: Id<Self>, _uid: Uid, _old: Option<&Self>, _new: Option<&Self>) -> Option<KubeletEvent> {
        None
    }
}

macro_rules! objects {
    ($($kind:ident => $type:ty),* $(,)?) => {$(
        impl Object for $type {
            const KIND: Kind = Kind::$kind;
            fn meta(&self) -> &Meta { &self.meta }
            fn meta_mut(&mut self) -> &mut Meta { &mut self.meta }
        }
    )*};
}
objects! {
    Namespace => Namespace, Claim => Claim, Volume => Volume, Service => Service,
    StatefulSet => StatefulSet, Deployment => Deployment, ReplicaSet => ReplicaSet,
    Revision => ControllerRevision, EndpointSlice => EndpointSlice, Budget => Budget,
    StorageClass => StorageClass, Attachment => Attachment, PriorityClass => PriorityClass,
}

impl Object for Pod {
    const KIND: Kind = Kind::Pod;
    fn meta(&self) -> &Meta {
        &self.meta
    }
    fn meta_mut(&mut self) -> &mut Meta {
        &mut self.meta
    }
    fn natural_grace(&self, store: &Store) -> u32 {
        if self.is_bound() && !self.is_terminal() { store.pod_spec(self.spec).grace } else { 0 }
    }
    fn kubelet_event(id: Id<Pod>, uid: Uid, old: Option<&Pod>, new: Option<&Pod>) -> Option<KubeletEvent> {
        let bound = old.is_some_and(Pod::is_bound) || new.is_some_and(Pod::is_bound);
        let same = old.zip(new).is_some_and(|(old, new)| {
            old.node == new.node
                && old.meta.deleted == new.meta.deleted
                && old.meta.grace == new.meta.grace
                && old.spec == new.spec
                && old.meta.has_finalizers() == new.meta.has_finalizers()
        });
        (bound && !same).then_some(KubeletEvent::SeesPod(id, uid))
    }
}

impl Object for Node {
    const KIND: Kind = Kind::Node;
    fn meta(&self) -> &Meta {
        &self.meta
    }
    fn meta_mut(&mut self) -> &mut Meta {
        &mut self.meta
    }
    fn kubelet_event(id: Id<Node>, _: Uid, old: Option<&Node>, new: Option<&Node>) -> Option<KubeletEvent> {
        let same = old.zip(new).is_some_and(|(old, new)| {
            Arc::ptr_eq(&old.volumes_attached, &new.volumes_attached) && Arc::ptr_eq(&old.taints, &new.taints)
        });
        (!same).then_some(KubeletEvent::SeesNode(id))
    }
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

/// Phase of a pod (POD-10).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub enum Phase {
    /// Accepted, its containers have not all run yet.
    #[default]
    Pending,
    /// Bound, and at least one container runs or may run again.
    Running,
    /// All containers ended with exit code 0, for good.
    Succeeded,
    /// All containers ended, at least one not with 0, for good.
    Failed,
}

impl Phase {
    /// The text in `status.phase`.
    pub fn as_str(self) -> &'static str {
        match self {
            Phase::Pending => "Pending",
            Phase::Running => "Running",
            Phase::Succeeded => "Succeeded",
            Phase::Failed => "Failed",
        }
    }
}

/// Flags of a pod: its conditions, and which of its identity labels it carries.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct PodFlags(pub u16);

impl PodFlags {
    /// Condition Ready is True.
    pub const READY: PodFlags = PodFlags(1);
    /// Condition ContainersReady is True.
    pub const CONTAINERS_READY: PodFlags = PodFlags(1 << 1);
    /// Condition Initialized is True.
    pub const INITIALIZED: PodFlags = PodFlags(1 << 2);
    /// Condition PodReadyToStartContainers is True.
    pub const SANDBOX: PodFlags = PodFlags(1 << 3);
    /// Condition PodScheduled is True.
    pub const SCHEDULED: PodFlags = PodFlags(1 << 4);
    /// Condition PodScheduled is False; [`Pod::reason`] says why.
    pub const UNSCHEDULABLE: PodFlags = PodFlags(1 << 5);
    /// Condition DisruptionTarget is True.
    pub const DISRUPTION_TARGET: PodFlags = PodFlags(1 << 6);
    /// The kubelet has reported conditions at all.
    pub const REPORTED: PodFlags = PodFlags(1 << 7);
    /// Carries label `statefulset.kubernetes.io/pod-name` with its own name (STS-15).
    pub const NAME_LABEL: PodFlags = PodFlags(1 << 8);
    /// Carries label `apps.kubernetes.io/pod-index` with its own ordinal (STS-15).
    pub const INDEX_LABEL: PodFlags = PodFlags(1 << 9);

    /// True if all of `other` are set.
    pub fn has(self, other: PodFlags) -> bool {
        self.0 & other.0 == other.0
    }
    /// Sets or clears `other`.
    pub fn set(&mut self, other: PodFlags, on: bool) {
        self.0 = if on { self.0 | other.0 } else { self.0 & !other.0 };
    }
}

/// Why a pod is in the state it is in; texts that `status.reason`, a condition or a waiting container shows.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum PodReason {
    /// Nothing to say.
    #[default]
    None,
    /// PodScheduled False: no node passes (SCHED-3).
    Unschedulable,
    /// PodScheduled False: an error, a real back-off follows (SCHED-3, SCHED-7).
    SchedulerError,
    /// PodScheduled False: held by scheduling gates.
    SchedulingGated,
    /// Phase Failed: evicted by the kubelet (POD-43).
    Evicted,
    /// Phase Failed: refused by the kubelet's admission (POD-47).
    NodeAffinity,
    /// Phase Failed: refused by the kubelet's admission (POD-47).
    OutOfCpu,
    /// Phase Failed: refused by the kubelet's admission (POD-47).
    OutOfMemory,
    /// Phase Failed: refused by the kubelet's admission (POD-47).
    OutOfPods,
    /// Phase Failed: the node shut down in good order (POD-45).
    Terminated,
    /// Phase Failed: attach limit found by the kubelet (POD-48).
    VolumeAttachmentLimitExceeded,
}

/// Who wrote condition DisruptionTarget.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum Disruption {
    /// Nobody.
    #[default]
    None,
    /// `DeletionByTaintManager` (NODE-21).
    ByTaintManager,
    /// `EvictionByEvictionAPI` (PDB-17).
    ByEviction,
    /// `DeletionByPodGC` (NODE-26).
    ByPodGc,
    /// `PreemptionByScheduler` (SCHED-27).
    ByScheduler,
    /// `TerminationByKubelet` (POD-43).
    ByKubelet,
}

impl Disruption {
    /// The reason of the condition.
    pub fn as_str(self) -> &'static str {
        match self {
            Disruption::None => "",
            Disruption::ByTaintManager => "DeletionByTaintManager",
            Disruption::ByEviction => "EvictionByEvictionAPI",
            Disruption::ByPodGc => "DeletionByPodGC",
            Disruption::ByScheduler => "PreemptionByScheduler",
            Disruption::ByKubelet => "TerminationByKubelet",
        }
    }
}

/// State of a pod's containers as its kubelet last reported it. All regular containers of a pod share one state.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum Containers {
    /// No status reported yet.
    #[default]
    Unreported,
    /// Waiting: ContainerCreating (also: waiting for volumes).
    Creating,
    /// Waiting: ErrImagePull.
    ErrImagePull,
    /// Waiting: ImagePullBackOff.
    ImagePullBackOff,
    /// Running.
    Running,
    /// Waiting after an exit: CrashLoopBackOff. The exit code is that of the last run.
    CrashLoopBackOff(u8),
    /// Terminated with this exit code, restart not yet decided or not to come.
    Terminated(u8),
}

impl Containers {
    /// A container status says running (VOL-28 asks this).
    pub fn is_running(self) -> bool {
        self == Containers::Running
    }
}

/// v1 Pod.
#[derive(Clone, Copy, Debug)]
pub struct Pod {
    /// Metadata.
    pub meta: Meta,
    /// The admitted spec, shared with all pods of the same template.
    pub spec: PodSpecId,
    /// spec.nodeName, or none.
    pub node: Id<Node>,
    /// status.nominatedNodeName, or none.
    pub nominated: Id<Node>,
    /// status.podIP.
    pub ip: Ip,
    /// lastTransitionTime of condition Ready, once [`PodFlags::REPORTED`] or written by a controller.
    pub ready_since: Seconds,
    /// status.startTime.
    pub started: Seconds,
    /// restartCount, of the container that restarted most.
    pub restarts: u32,
    /// Container states.
    pub containers: Containers,
    /// status.phase.
    pub phase: Phase,
    /// Conditions and identity labels.
    pub flags: PodFlags,
    /// Reason shown for the state.
    pub reason: PodReason,
    /// Who wrote DisruptionTarget.
    pub disruption: Disruption,
}

impl Pod {
    /// Condition Ready is True.
    pub fn is_ready(&self) -> bool {
        self.flags.has(PodFlags::READY)
    }
    /// Phase Running and ready.
    pub fn is_running_and_ready(&self) -> bool {
        self.phase == Phase::Running && self.is_ready()
    }
    /// deletionTimestamp is set.
    pub fn is_terminating(&self) -> bool {
        self.meta.is_terminating()
    }
    /// Phase Failed or Succeeded.
    pub fn is_terminal(&self) -> bool {
        matches!(self.phase, Phase::Failed | Phase::Succeeded)
    }
    /// Has a node.
    pub fn is_bound(&self) -> bool {
        !self.node.is_none()
    }
    /// When the pod is available: ready, and `min_ready` seconds have passed since (POD-15, STS-101). None if not ready.
    pub fn available_at(&self, min_ready: u32) -> Option<Time> {
        self.is_ready().then(|| {
            if min_ready == 0 {
                Time::ZERO
            } else {
                Time::from_secs(u64::from(self.ready_since.0) + u64::from(min_ready))
            }
        })
    }
    /// Ready for at least `min_ready` seconds at `now` (POD-15).
    pub fn is_available(&self, min_ready: u32, now: Time) -> bool {
        self.available_at(min_ready).is_some_and(|at| at <= now)
    }
}

/// An IPv4 address of the cluster as an offset; 0 is none. Rendered by [`Ip::render`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Ip(pub u32);

impl Ip {
    /// No address.
    pub const NONE: Ip = Ip(0);
    /// Dotted text.
    pub fn render(self) -> String {
        let [a, b, c, d] = self.0.to_be_bytes();
        format!("{a}.{b}.{c}.{d}")
    }
    /// Reads dotted text.
    pub fn parse(text: &str) -> Option<Ip> {
        text.parse::<std::net::Ipv4Addr>().ok().map(|ip| Ip(u32::from_be_bytes(ip.octets())))
    }
}

/// The number of an interned [`PodSpec`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct PodSpecId(pub u32);
/// The number of an interned [`Template`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct TemplateId(pub u32);
/// The number of an interned [`ClaimSpec`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct ClaimSpecId(pub u32);

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
    /// status.phase.
    pub phase: ClaimPhase,
    /// Annotation `pv.kubernetes.io/bind-completed`.
    pub bind_completed: bool,
    /// Annotation `pv.kubernetes.io/bound-by-controller`.
    pub bound_by_controller: bool,
    /// Annotation `volume.kubernetes.io/storage-provisioner` is set (VOL-11).
    pub provisioner_set: bool,
}

impl Claim {
    /// Fully bound as the scheduler and the kubelet ask for it (SCHED-20): a volume, and bind-completed.
    pub fn is_fully_bound(&self) -> bool {
        !self.volume.is_none() && self.bind_completed
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
    /// status.phase.
    pub phase: VolumePhase,
    /// spec.persistentVolumeReclaimPolicy.
    pub reclaim: Reclaim,
    /// Annotation `pv.kubernetes.io/provisioned-by` is set.
    pub provisioned: bool,
    /// Annotation `pv.kubernetes.io/bound-by-controller`.
    pub bound_by_controller: bool,
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
    /// status.attachError is set.
    pub attach_error: bool,
}

/// Status of a node's condition Ready (NODE-4).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum NodeReady {
    /// The kubelet has not reported yet.
    #[default]
    Missing,
    /// Reported by the kubelet.
    True,
    /// Reported by the kubelet: something is wrong with the node.
    False,
    /// Written by the node lifecycle controller: the kubelet is silent (NODE-7).
    Unknown,
}

/// Effect of a taint.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Effect {
    /// New pods do not come.
    NoSchedule,
    /// New pods come only if there is no better node.
    PreferNoSchedule,
    /// Pods that do not tolerate it go.
    NoExecute,
}

impl Effect {
    /// The API's text.
    pub fn as_str(self) -> &'static str {
        match self {
            Effect::NoSchedule => "NoSchedule",
            Effect::PreferNoSchedule => "PreferNoSchedule",
            Effect::NoExecute => "NoExecute",
        }
    }
}

/// A taint of a node.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Taint {
    /// Key.
    pub key: Sym,
    /// Value; may be empty.
    pub value: Sym,
    /// Effect.
    pub effect: Effect,
    /// timeAdded of a NoExecute taint; nobody acts on it (NODE-18).
    pub added: Seconds,
}

/// v1 Node, with what its CSINode says.
#[derive(Clone, Debug)]
pub struct Node {
    /// Metadata.
    pub meta: Meta,
    /// Label `topology.kubernetes.io/zone`; empty if it has none.
    pub zone: Sym,
    /// Label `topology.kubernetes.io/region`; empty if it has none.
    pub region: Sym,
    /// spec.unschedulable.
    pub unschedulable: bool,
    /// spec.taints.
    pub taints: Arc<[Taint]>,
    /// status.allocatable: cpu in thousandths.
    pub cpu: u64,
    /// status.allocatable: memory in bytes.
    pub memory: u64,
    /// status.allocatable: number of pods.
    pub pods: u32,
    /// CSINode allocatable count of the EBS driver (SCHED-18); None: unlimited.
    pub volumes: Option<u32>,
    /// Condition Ready.
    pub ready: NodeReady,
    /// lastTransitionTime of condition Ready.
    pub ready_since: Seconds,
    /// status.volumesInUse: written by the kubelet (VOL-32, VOL-40). Sorted.
    pub volumes_in_use: Arc<Vec<Id<Volume>>>,
    /// status.volumesAttached: written by the attach/detach controller (VOL-29). Sorted.
    pub volumes_attached: Arc<Vec<Id<Volume>>>,
}

/// An absolute number or a percentage, as `maxUnavailable` and its kin are written.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum IntOrPercent {
    /// A number.
    Int(i32),
    /// A percentage.
    Percent(i32),
}

impl IntOrPercent {
    /// The number this is of `total`, percentages rounded down.
    pub fn floor_of(self, total: i32) -> i32 {
        self.scaled(total, false)
    }
    /// The number this is of `total`, percentages rounded up.
    pub fn ceil_of(self, total: i32) -> i32 {
        self.scaled(total, true)
    }
    fn scaled(self, total: i32, up: bool) -> i32 {
        match self {
            IntOrPercent::Int(n) => n,
            IntOrPercent::Percent(p) => {
                let product = i64::from(p) * i64::from(total);
                let scaled = if up { product.div_euclid(100) + i64::from(product.rem_euclid(100) != 0) } else { product.div_euclid(100) };
                i32::try_from(scaled).unwrap_or(i32::MAX)
            }
        }
    }
}

/// podManagementPolicy (STS-1).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum PodManagement {
    /// One at a time, in order.
    #[default]
    OrderedReady,
    /// All at once.
    Parallel,
}

/// updateStrategy of a StatefulSet (STS-2).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum UpdateStrategy {
    /// Pods change when somebody else deletes them (STS-72).
    OnDelete,
    /// Rolling, from the highest ordinal down. The block may be absent, which is not the same as an empty one (STS-2).
    RollingUpdate(Option<RollingUpdate>),
}

/// updateStrategy.rollingUpdate of a StatefulSet.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct RollingUpdate {
    /// Indexes below this are left alone. Relative to `ordinals.start` (STS-85).
    pub partition: i32,
    /// Behind its feature gate (STS-3).
    pub max_unavailable: Option<IntOrPercent>,
}

/// One half of persistentVolumeClaimRetentionPolicy.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum Retention {
    /// Claims stay.
    #[default]
    Retain,
    /// Claims go with their owner.
    Delete,
}

/// A volumeClaimTemplate.
#[derive(Clone, PartialEq, Debug)]
pub struct ClaimTemplate {
    /// Its name: first part of the claims' names (STS-19).
    pub name: Sym,
    /// Labels of the claims: the template's overlaid with the selector's matchLabels (STS-19).
    pub labels: LabelsId,
    /// Annotations of the claims.
    pub annotations: LabelsId,
    /// The spec of the claims.
    pub spec: ClaimSpecId,
    /// The template as given, defaulted.
    pub json: Arc<Value>,
}

/// spec of a StatefulSet.
#[derive(Clone, Debug)]
pub struct StatefulSetSpec {
    /// replicas.
    pub replicas: i32,
    /// selector.
    pub selector: Arc<Selector>,
    /// The selector as given.
    pub selector_json: Arc<Value>,
    /// template.
    pub template: TemplateId,
    /// volumeClaimTemplates.
    pub claims: Arc<[ClaimTemplate]>,
    /// serviceName; may be empty.
    pub service_name: Sym,
    /// podManagementPolicy.
    pub policy: PodManagement,
    /// updateStrategy.
    pub strategy: UpdateStrategy,
    /// revisionHistoryLimit; negative keeps all (STS-6).
    pub history_limit: i32,
    /// minReadySeconds.
    pub min_ready: u32,
    /// persistentVolumeClaimRetentionPolicy.whenDeleted.
    pub when_deleted: Retention,
    /// persistentVolumeClaimRetentionPolicy.whenScaled.
    pub when_scaled: Retention,
    /// ordinals.start; None: the field is absent.
    pub start: Option<i32>,
}

/// status of a StatefulSet (STS-76, STS-77).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct StatefulSetStatus {
    /// observedGeneration.
    pub observed_generation: u32,
    /// replicas: created pods, condemned and terminating ones included.
    pub replicas: i32,
    /// readyReplicas.
    pub ready: i32,
    /// availableReplicas.
    pub available: i32,
    /// currentReplicas.
    pub current: i32,
    /// updatedReplicas.
    pub updated: i32,
    /// currentRevision; empty name: none.
    pub current_revision: Name,
    /// updateRevision; empty name: none.
    pub update_revision: Name,
    /// collisionCount; None until the first collision or status write.
    pub collisions: Option<i32>,
}

/// apps/v1 StatefulSet.
#[derive(Clone, Debug)]
pub struct StatefulSet {
    /// Metadata.
    pub meta: Meta,
    /// Desired state.
    pub spec: Arc<StatefulSetSpec>,
    /// Reported state.
    pub status: StatefulSetStatus,
}

impl StatefulSet {
    /// The first ordinal: `ordinals.start` or 0.
    pub fn start(&self) -> i32 {
        self.spec.start.unwrap_or(0)
    }
    /// podManagementPolicy is not Parallel.
    pub fn is_ordered(&self) -> bool {
        self.spec.policy == PodManagement::OrderedReady
    }
}

/// apps/v1 ControllerRevision.
#[derive(Clone, Debug)]
pub struct ControllerRevision {
    /// Metadata.
    pub meta: Meta,
    /// `.data`, byte for byte as hashed and compared (STS-44, STS-45).
    pub data: Arc<str>,
    /// The template the data records.
    pub template: TemplateId,
    /// `.revision`.
    pub number: i64,
}

/// Strategy of a Deployment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum DeploymentStrategy {
    /// All old pods go before the first new one comes (DEP-12).
    Recreate,
    /// DEP-9.
    RollingUpdate {
        /// maxSurge.
        max_surge: IntOrPercent,
        /// maxUnavailable.
        max_unavailable: IntOrPercent,
    },
}

/// spec of a Deployment.
#[derive(Clone, Debug)]
pub struct DeploymentSpec {
    /// replicas.
    pub replicas: i32,
    /// selector.
    pub selector: Arc<Selector>,
    /// The selector as given.
    pub selector_json: Arc<Value>,
    /// template.
    pub template: TemplateId,
    /// strategy.
    pub strategy: DeploymentStrategy,
    /// minReadySeconds.
    pub min_ready: u32,
    /// revisionHistoryLimit.
    pub history_limit: i32,
    /// progressDeadlineSeconds.
    pub progress_deadline: i32,
    /// paused.
    pub paused: bool,
}

/// A condition of a Deployment or ReplicaSet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Condition {
    /// Type, e.g. `Progressing`.
    pub kind: &'static str,
    /// Status: `True`, `False`, `Unknown`.
    pub status: &'static str,
    /// Reason.
    pub reason: &'static str,
    /// Message, interned.
    pub message: Sym,
    /// lastUpdateTime.
    pub updated: Seconds,
    /// lastTransitionTime.
    pub since: Seconds,
}

/// status of a Deployment (DEP-16).
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct DeploymentStatus {
    /// observedGeneration.
    pub observed_generation: u32,
    /// replicas.
    pub replicas: i32,
    /// updatedReplicas.
    pub updated: i32,
    /// readyReplicas.
    pub ready: i32,
    /// availableReplicas.
    pub available: i32,
    /// unavailableReplicas.
    pub unavailable: i32,
    /// terminatingReplicas; None: not reported.
    pub terminating: Option<i32>,
    /// collisionCount.
    pub collisions: Option<i32>,
    /// conditions.
    pub conditions: Vec<Condition>,
}

/// apps/v1 Deployment.
#[derive(Clone, Debug)]
pub struct Deployment {
    /// Metadata.
    pub meta: Meta,
    /// Desired state.
    pub spec: Arc<DeploymentSpec>,
    /// Reported state.
    pub status: DeploymentStatus,
}

/// spec of a ReplicaSet.
#[derive(Clone, Debug)]
pub struct ReplicaSetSpec {
    /// replicas.
    pub replicas: i32,
    /// selector.
    pub selector: Arc<Selector>,
    /// The selector as given.
    pub selector_json: Arc<Value>,
    /// template.
    pub template: TemplateId,
    /// minReadySeconds.
    pub min_ready: u32,
}

/// status of a ReplicaSet (RS-6).
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ReplicaSetStatus {
    /// observedGeneration.
    pub observed_generation: u32,
    /// replicas: active pods.
    pub replicas: i32,
    /// fullyLabeledReplicas.
    pub fully_labeled: i32,
    /// readyReplicas.
    pub ready: i32,
    /// availableReplicas.
    pub available: i32,
    /// terminatingReplicas; None: not reported yet.
    pub terminating: Option<i32>,
    /// conditions.
    pub conditions: Vec<Condition>,
}

/// apps/v1 ReplicaSet.
#[derive(Clone, Debug)]
pub struct ReplicaSet {
    /// Metadata.
    pub meta: Meta,
    /// Desired state.
    pub spec: Arc<ReplicaSetSpec>,
    /// Reported state.
    pub status: ReplicaSetStatus,
}

/// A port of a Service.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ServicePort {
    /// Name; may be empty.
    pub name: Sym,
    /// Protocol: TCP, UDP or SCTP.
    pub protocol: Sym,
    /// Port of the service.
    pub port: u16,
    /// Port of the pods, resolved if it is a number; 0: named, see `target_name`.
    pub target: u16,
    /// Name of the container port; empty if `target` is a number.
    pub target_name: Sym,
}

/// What kind of a Service.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ServiceType {
    /// `clusterIP: None`.
    Headless,
    /// A virtual address inside the cluster (also NodePort and LoadBalancer, which are that and more).
    ClusterIp,
    /// A DNS alias.
    ExternalName,
}

/// v1 Service.
#[derive(Clone, Debug)]
pub struct Service {
    /// Metadata.
    pub meta: Meta,
    /// Kind of service.
    pub service_type: ServiceType,
    /// The virtual address, if it has one.
    pub cluster_ip: Ip,
    /// selector; None: the service has no selector and gets no slices (SVC-1).
    pub selector: Option<Arc<Selector>>,
    /// publishNotReadyAddresses (SVC-3).
    pub publish_not_ready: bool,
    /// ports.
    pub ports: Arc<[ServicePort]>,
    /// The spec as stored, defaulted.
    pub spec: Arc<Value>,
}

/// One endpoint of a slice (SVC-2, SVC-4).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Endpoint {
    /// targetRef.
    pub pod: Id<Pod>,
    /// uid of the pod.
    pub uid: Uid,
    /// addresses[0].
    pub ip: Ip,
    /// nodeName.
    pub node: Id<Node>,
    /// conditions.ready.
    pub ready: bool,
    /// conditions.serving.
    pub serving: bool,
    /// conditions.terminating.
    pub terminating: bool,
    /// hostname is the pod's name (SVC-4). A hostname of another text is looked up in the pod's spec.
    pub hostname: bool,
}

/// discovery.k8s.io/v1 EndpointSlice.
#[derive(Clone, Debug)]
pub struct EndpointSlice {
    /// Metadata.
    pub meta: Meta,
    /// The service it belongs to (label `kubernetes.io/service-name`).
    pub service: Id<Service>,
    /// Its endpoints, at most 100 (SVC-5).
    pub endpoints: Vec<Endpoint>,
    /// Its ports.
    pub ports: Arc<[ServicePort]>,
}

/// unhealthyPodEvictionPolicy (PDB-1).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum UnhealthyEviction {
    /// An unready pod may go only if the budget is healthy.
    #[default]
    IfHealthyBudget,
    /// An unready pod may always go.
    AlwaysAllow,
}

/// status of a PodDisruptionBudget.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct BudgetStatus {
    /// observedGeneration.
    pub observed_generation: u32,
    /// disruptionsAllowed.
    pub allowed: i32,
    /// currentHealthy.
    pub healthy: i32,
    /// desiredHealthy.
    pub desired: i32,
    /// expectedPods.
    pub expected: i32,
    /// disruptedPods: by name, with the time of the eviction (PDB-10).
    pub disrupted: Vec<(Name, Seconds)>,
    /// Condition DisruptionAllowed: its reason; empty: not computed yet (PDB-8, PDB-9).
    pub reason: &'static str,
    /// Message of that condition.
    pub message: Sym,
    /// lastTransitionTime of that condition.
    pub since: Seconds,
}

/// policy/v1 PodDisruptionBudget.
#[derive(Clone, Debug)]
pub struct Budget {
    /// Metadata.
    pub meta: Meta,
    /// selector; None selects nothing (PDB-2).
    pub selector: Option<Arc<Selector>>,
    /// minAvailable.
    pub min_available: Option<IntOrPercent>,
    /// maxUnavailable.
    pub max_unavailable: Option<IntOrPercent>,
    /// unhealthyPodEvictionPolicy; None: absent.
    pub unhealthy: Option<UnhealthyEviction>,
    /// The spec as given.
    pub spec: Arc<Value>,
    /// Reported state.
    pub status: BudgetStatus,
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
        assert!(size_of::<Meta>() <= 56, "{}", size_of::<Meta>());
        assert!(size_of::<Pod>() <= 96, "{}", size_of::<Pod>());
        assert!(size_of::<Claim>() <= 76, "{}", size_of::<Claim>());
        assert!(size_of::<Volume>() <= 92, "{}", size_of::<Volume>());
        assert!(size_of::<Attachment>() <= 68, "{}", size_of::<Attachment>());
    }

    #[test]
    fn percentages_round_as_asked() {
        let quarter = IntOrPercent::Percent(25);
        assert_eq!([quarter.floor_of(10), quarter.ceil_of(10), quarter.ceil_of(4)], [2, 3, 1]);
        assert_eq!(IntOrPercent::Int(3).floor_of(1), 3);
    }
}
