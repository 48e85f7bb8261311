//! Everything that can happen, as one small `Copy` enum: the list to read to know the simulator.
//!
//! An event carries ids and, where the object may have been replaced meanwhile, its uid: a stale event is dropped
//! where it is handled. Text, specs and state are looked up then, never carried.
use crate::api::kind::Kind;
use crate::api::names::Uid;
use crate::api::objects::{Attachment, Claim, Node, Pod, Volume};
use crate::kernel::Id;

/// A process of the cluster: what can be stopped and started, and has one position in the change log.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[repr(u8)]
pub enum Process {
    /// kube-controller-manager: all controllers share its informer caches.
    ControllerManager,
    /// kube-scheduler.
    Scheduler,
    /// The CSI controller pod of the EBS driver: external-provisioner and external-attacher.
    CsiController,
    /// CoreDNS.
    CoreDns,
    /// kube-proxy, all nodes' as one.
    KubeProxy,
}

impl Process {
    /// All of them.
    pub const ALL: [Process; 5] = [
        Process::ControllerManager,
        Process::Scheduler,
        Process::CsiController,
        Process::CoreDns,
        Process::KubeProxy,
    ];

    /// The name users know it by.
    pub fn as_str(self) -> &'static str {
        match self {
            Process::ControllerManager => "kube-controller-manager",
            Process::Scheduler => "kube-scheduler",
            Process::CsiController => "ebs-csi-controller",
            Process::CoreDns => "coredns",
            Process::KubeProxy => "kube-proxy",
        }
    }

    /// True if the process has a watch on objects of this kind.
    pub fn watches(self, kind: Kind) -> bool {
        match self {
            Process::ControllerManager => !matches!(kind, Kind::Inert | Kind::PriorityClass),
            Process::Scheduler => !matches!(
                kind,
                Kind::Inert | Kind::EndpointSlice | Kind::Revision | Kind::Deployment | Kind::Namespace
            ),
            Process::CsiController => {
                matches!(
                    kind,
                    Kind::Claim | Kind::Volume | Kind::Attachment | Kind::StorageClass | Kind::Node
                )
            }
            Process::CoreDns | Process::KubeProxy => matches!(kind, Kind::Service | Kind::EndpointSlice),
        }
    }
}

/// A controller of the controller manager that works through a queue of keys.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[repr(u8)]
pub enum Controller {
    /// Key: StatefulSet.
    StatefulSet,
    /// Key: Deployment.
    Deployment,
    /// Key: ReplicaSet.
    ReplicaSet,
    /// Key: PodDisruptionBudget, plus one; 0 stands for all pods with a stale condition DisruptionTarget (PDB-11).
    Disruption,
    /// Key: Service.
    EndpointSlice,
}

/// Something that can happen.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Event {
    /// The watch of a process delivers what is due.
    Deliver(Process, u32),
    /// A worker of a controller takes this key from its queue.
    Sync(Controller, u32, u32),
    /// A delayed or rate-limited key comes due.
    Requeue(Controller, u32, u32),
    /// The next API call of a plan under way reaches the API server.
    Call(Controller, u32, u32),
    /// Node lifecycle, taint eviction, pod garbage collector.
    Nodes(NodesEvent),
    /// Garbage collector: one object to look at.
    Collect(Kind, u32, Uid),
    /// PV binder, attach/detach controller, protection controllers.
    Binder(BinderEvent),
    /// kube-scheduler.
    Scheduler(SchedulerEvent),
    /// A kubelet and what runs under it.
    Kubelet(KubeletEvent),
    /// The CSI driver and the cloud behind it.
    Storage(StorageEvent),
    /// Databases and clients on top.
    Workload(u32, u32),
    /// The runner wants to look: a step, a fault or the end is due.
    Runner(u32),
}

/// What happens in the node controllers of the controller manager.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum NodesEvent {
    /// The lease of this node has stopped being renewed, or is renewed again: from here on the moment at which the
    /// monitor would notice is computed, no tick is simulated.
    Lease(Id<Node>),
    /// The monitor tick at which this node's silence is noticed (NODE-5, NODE-7). `u32`: epoch of the manager.
    Monitor(Id<Node>, u32),
    /// The monitor tick at which disruption states are looked at again and healed nodes lose their taints (NODE-12).
    Pass(u32),
    /// A zone's queue may taint its next node (NODE-13). First: the number of the zone.
    TaintNext(u32, u32),
    /// A write of the node lifecycle controller to a node reaches the API server.
    Write(Id<Node>, NodeWrite, u32),
    /// The patch that marks a pod of a silent node not ready reaches the API server (NODE-8).
    NotReady(Id<Pod>, u32),
    /// A step of evicting a pod because of a taint is due (NODE-21).
    Evict(Id<Pod>, EvictStep, u32),
    /// What the cloud says of a machine has changed: it is gone, or shut down (NODE-29).
    MachineChanged(Id<Node>),
    /// The cloud node lifecycle controller asks the cloud about a node that is not ready (NODE-29).
    AskCloud(Id<Node>, u32),
    /// A run of the pod garbage collector that has something to do (POD-53).
    PodGc(u32),
    /// A call of the pod garbage collector reaches the API server (POD-54).
    PodGcCall(Id<Pod>, GcCall, u32),
}

/// What the node lifecycle controller writes to a node.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum NodeWrite {
    /// Condition Ready becomes Unknown (NODE-7).
    Unknown,
    /// NoSchedule taints as the conditions ask for them (NODE-10).
    NoSchedule,
    /// The NoExecute taint as the condition asks for it (NODE-12).
    NoExecute,
    /// Both NoExecute taints go (NODE-12).
    Reachable,
}

/// The steps of a taint-based eviction (NODE-21).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum EvictStep {
    /// tolerationSeconds are over (NODE-18).
    Due,
    /// Condition DisruptionTarget is patched.
    Mark,
    /// The pod is deleted, by name.
    Delete,
}

/// The calls of the pod garbage collector (POD-54).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum GcCall {
    /// Phase Failed, with condition DisruptionTarget: the node is gone.
    FailOrphan,
    /// Phase Failed.
    Fail,
    /// Delete with grace 0.
    Delete,
}

/// What happens in the volume controllers of the controller manager. `u32` alone: epoch of the manager.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum BinderEvent {
    /// The binder's worker for claims goes on: its write commits, or it takes the next claim (VOL-1).
    Claims(u32),
    /// The binder's worker for volumes goes on (VOL-1).
    Volumes(u32),
    /// The binder hands a claim over to its provisioner (VOL-11).
    HandOver(Id<Claim>, Uid),
    /// The tick of the binder's full resync at which something would be found (VOL-1).
    Resync(u32),
    /// A pass of the attach/detach controller's loop that has something to do (VOL-29).
    Pass(u32),
    /// An operation on a (volume, node) pair goes on (VOL-30, VOL-31): the controller's number for the pair, and one
    /// that guards against stale events.
    Pair(u32, u32),
    /// node.status.volumesAttached of a node is written (VOL-29).
    Report(Id<Node>, u32),
    /// An operation may have waited too long for its VolumeAttachment (VOL-33).
    Deadline(u32),
    /// Attached pairs are compared with their VolumeAttachments (VOL-37).
    Verify(u32),
    /// A pair has been unwanted for as long as an unmount may take (VOL-45): its number, epoch of the manager.
    Overdue(u32, u32),
    /// The protection controllers look at a claim (VOL-18).
    ProtectClaim(Id<Claim>, Uid),
    /// The protection controllers look at a volume (VOL-19).
    ProtectVolume(Id<Volume>, Uid),
    /// The write of the protection finalizer of a claim commits (VOL-18).
    ClaimFinalizer(Id<Claim>, Uid),
    /// The write of the protection finalizer of a volume commits (VOL-19).
    VolumeFinalizer(Id<Volume>, Uid),
}

/// What happens in the scheduler.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SchedulerEvent {
    /// The next scheduling cycle (SCHED-1).
    Cycle(u32),
    /// A pod's back-off after an error is over (SCHED-6).
    BackoffOver(Id<Pod>, Uid),
    /// Pods that have been unschedulable for long are flushed (SCHED-5).
    Flush(u32),
    /// A binding cycle with claims goes on: it writes, or looks whether the claims are bound (SCHED-20). The number
    /// is that of the binding cycle.
    PreBind(Id<Pod>, u32),
    /// The oldest binding cycle that waits for claims may have waited too long (DEF-59).
    BindTimeout(u32),
    /// The binding reaches the API server (SCHED-21). The number is that of the binding cycle.
    Bind(Id<Pod>, u32),
    /// The condition of a pod that was not scheduled is written (SCHED-3).
    Verdict(Id<Pod>, Uid),
    /// A victim of preemption is marked, or deleted if it is marked (SCHED-27).
    Evict(Id<Pod>, Uid),
}

/// What happens on nodes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum KubeletEvent {
    /// The kubelet's watch shows a change of a pod.
    SeesPod(Id<Pod>, Uid),
    /// The kubelet's watch shows a change of its node.
    SeesNode(Id<Node>),
    /// Something a pod on its node waits for has happened. The first number says what, and guards against stale ones;
    /// the second is the place of the container it is about, if it is about one.
    Stage(Id<Pod>, Uid, u32, u16),
    /// The status manager writes the pod's status (POD-16).
    WriteStatus(Id<Pod>, Uid),
    /// The status manager goes through what it could not write about a pod (POD-16).
    SyncStatus(Id<Pod>, Uid),
    /// The status tick of a node that has something to report (NODE-3).
    StatusTick(Id<Node>, u32),
    /// The device of a volume is unmounted from a node (VOL-42).
    Unstaged(Id<Node>, Id<Volume>, u32),
    /// The kubelet is back after a crash, reboot or partition, and has its watches again (POD-50).
    Reconnected(Id<Node>, u32),
    /// A connection to the API server that lost packets in one direction is given up (DEF-9).
    ConnectionLost(Id<Node>),
    /// A machine that was told to shut down is off (POD-45).
    PowerOff(Id<Node>, u32),
}

/// What happens in the CSI driver and the cloud.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum StorageEvent {
    /// CreateVolume for a claim has returned and what follows from it is written (VOL-13, VOL-14).
    Provisioned(Id<Claim>, Uid),
    /// The provisioner tries a claim again (VOL-14).
    ProvisionRetry(Id<Claim>, Uid),
    /// The finalizer of an attachment is written and ControllerPublish begins (VOL-50).
    Publish(Id<Attachment>, Uid),
    /// ControllerPublish has returned and the attachment's status is written (VOL-50).
    Published(Id<Attachment>, Uid),
    /// The attacher tries again (VOL-50).
    PublishRetry(Id<Attachment>, Uid),
    /// The cloud has let go of a disk and the finalizer of the attachment is taken away (VOL-50).
    Unpublished(Id<Attachment>, Uid),
    /// A machine has let go of a volume that is being detached from it (VOL-57).
    Unmounted(Id<Volume>, Id<Node>),
    /// The provisioner tries to delete a released volume (VOL-16).
    Delete(Id<Volume>, Uid),
    /// DeleteVolume has returned and the volume object is deleted (VOL-16).
    Deleted(Id<Volume>, Uid),
    /// The cloud has no such machine any more (LAT-24).
    Terminated(Id<Node>),
    /// The provisioner's finalizer is taken off a volume whose disk is gone (VOL-16).
    Finalize(Id<Volume>, Uid),
}

const _: () = assert!(size_of::<Event>() <= 16, "events are copied through the queue: keep them small");
