//! Pods, and what their state is made of.
use crate::api::kind::Kind;
use crate::api::labels::SetId;
use crate::api::names::Uid;
use crate::api::objects::{Meta, Node, Object, PodSpecId, Seconds};
use crate::api::store::Store;
use crate::event::KubeletEvent;
use crate::kernel::{Id, Time, U24};
use crate::rule::mark;

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
    /// Some container runs although [`Pod::containers`], which says what is wrong, says otherwise.
    pub const SOME_RUN: PodFlags = PodFlags(1 << 10);

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
    /// Phase Failed: refused by the kubelet's admission (POD-47).
    TaintToleration,
    /// Phase Failed: the node shut down in good order (POD-45).
    Terminated,
    /// Phase Failed: refused by the kubelet of a machine that shuts down (POD-47).
    NodeShutdown,
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

/// State of a container as its kubelet last reported it; of a pod with several, of the one that is worst off.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum Containers {
    /// No status reported yet.
    #[default]
    Unreported,
    /// Waiting: ContainerCreating, PodInitializing (also: waiting for volumes).
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

/// The reason in a terminated container state.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum EndReason {
    /// `Completed` for exit code 0, else `Error`.
    #[default]
    ByCode,
    /// `OOMKilled`.
    OomKilled,
    /// `Unknown`: the machine lost power under it; the runtime reports exit code 255 (POD-51).
    Unknown,
    /// `ContainerStatusUnknown`: it never ran, and its pod is over (POD-38).
    NeverRan,
}

impl EndReason {
    /// The text in the status.
    pub fn as_str(self, code: u8) -> &'static str {
        match self {
            EndReason::ByCode if code == 0 => "Completed",
            EndReason::ByCode => "Error",
            EndReason::OomKilled => "OOMKilled",
            EndReason::Unknown => "Unknown",
            EndReason::NeverRan => "ContainerStatusUnknown",
        }
    }
}

/// The end of a container's run.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct Ended {
    /// Exit code.
    pub code: u8,
    /// Reason.
    pub why: EndReason,
    /// startedAt; not set if it never ran.
    pub started: Seconds,
    /// finishedAt; not set: there was no such run.
    pub finished: Seconds,
}

impl Ended {
    /// No run has ended.
    pub const NONE: Ended =
        Ended { code: 0, why: EndReason::ByCode, started: Seconds::NEVER, finished: Seconds::NEVER };
}

/// status.containerStatuses\[i\] or status.initContainerStatuses\[i\].
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct ContainerStatus {
    /// state; [`Containers::Terminated`] and [`Containers::CrashLoopBackOff`] carry the code of `ended` or `last`.
    pub state: Containers,
    /// state.running.startedAt.
    pub started_at: Seconds,
    /// state.terminated.
    pub ended: Ended,
    /// lastState.terminated.
    pub last: Ended,
    /// restartCount.
    pub restarts: u32,
    /// ready.
    pub ready: bool,
    /// started: it runs, and its startup probe has succeeded if it has one.
    pub started: bool,
}

/// The statuses of a pod's containers, interned: those of the init containers, then of the regular ones. Empty: they
/// follow from the summary in the pod (see [`Store::container_statuses`]).
pub type StatusesId = SetId<ContainerStatus>;

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
    pub restarts: U24,
    /// The state of the regular container that is worst off.
    pub containers: Containers,
    /// All containers one by one, where they are not all alike.
    pub statuses: StatusesId,
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
    /// Some container status says running (VOL-28).
    pub fn has_running_container(&self) -> bool {
        self.containers.is_running() || self.flags.has(PodFlags::SOME_RUN)
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
                mark!("STS-101", "POD-15");
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
    fn kubelet_event(
        id: Id<Pod>,
        uid: Uid,
        old: Option<&Pod>,
        new: Option<&Pod>,
        store: &Store,
    ) -> Option<KubeletEvent> {
        let ending = |pod: &Pod| {
            let rare = store.rare(&pod.meta);
            (rare.deleted, rare.grace)
        };
        let bound = old.is_some_and(Pod::is_bound) || new.is_some_and(Pod::is_bound);
        let same = old.zip(new).is_some_and(|(old, new)| {
            old.node == new.node
                && (old.meta.rare == new.meta.rare || ending(old) == ending(new))
                && old.spec == new.spec
                && old.meta.has_finalizers() == new.meta.has_finalizers()
        });
        (bound && !same).then_some(KubeletEvent::SeesPod(id, uid))
    }
}
