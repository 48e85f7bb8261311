//! Who writes, and what chance is asked for.
use crate::event::Process;

/// Who writes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
#[repr(u8)]
pub enum Actor {
    /// kubectl, or the scenario itself.
    #[default]
    User,
    /// statefulset-controller.
    StatefulSetController,
    /// deployment-controller.
    DeploymentController,
    /// replicaset-controller.
    ReplicaSetController,
    /// disruption controller.
    DisruptionController,
    /// endpointslice-controller.
    EndpointSliceController,
    /// node-controller (node lifecycle).
    NodeController,
    /// taint-eviction-controller.
    TaintEviction,
    /// pod garbage collector.
    PodGc,
    /// garbage collector of owners and dependents.
    GarbageCollector,
    /// persistentvolume-controller and the protection controllers.
    VolumeController,
    /// attachdetach-controller.
    AttachDetach,
    /// default-scheduler.
    Scheduler,
    /// A kubelet.
    Kubelet,
    /// external-provisioner.
    Provisioner,
    /// external-attacher.
    Attacher,
    /// cloud-node-lifecycle-controller.
    CloudNodes,
}

impl Actor {
    /// The name events and the timeline show.
    pub fn as_str(self) -> &'static str {
        match self {
            Actor::User => "kubectl",
            Actor::StatefulSetController => "statefulset-controller",
            Actor::DeploymentController => "deployment-controller",
            Actor::ReplicaSetController => "replicaset-controller",
            Actor::DisruptionController => "controllermanager",
            Actor::EndpointSliceController => "endpoint-slice-controller",
            Actor::NodeController => "node-controller",
            Actor::CloudNodes => "cloud-node-lifecycle-controller",
            Actor::TaintEviction => "taint-eviction-controller",
            Actor::PodGc => "pod-garbage-collector",
            Actor::GarbageCollector => "garbage-collector-controller",
            Actor::VolumeController => "persistentvolume-controller",
            Actor::AttachDetach => "attachdetach-controller",
            Actor::Scheduler => "default-scheduler",
            Actor::Kubelet => "kubelet",
            Actor::Provisioner => "ebs.csi.aws.com",
            Actor::Attacher => "external-attacher ebs.csi.aws.com",
        }
    }

    /// The process it runs in, if it is one that can be stopped.
    pub fn process(self) -> Option<Process> {
        match self {
            Actor::User | Actor::Kubelet => None,
            Actor::Scheduler => Some(Process::Scheduler),
            Actor::Provisioner | Actor::Attacher => Some(Process::CsiController),
            _ => Some(Process::ControllerManager),
        }
    }
}

/// What a keyed draw is for. Each purpose has its own stream, so a new draw disturbs no other (INV-83).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u32)]
pub enum Draw {
    /// Duration of an API write.
    ApiWrite = 1,
    /// Lag of a watch.
    Watch,
    /// Queue hop.
    Hop,
    /// A scheduling decision's duration.
    Decision,
    /// Tie between nodes (SCHED-26).
    NodeTie,
    /// Phase of a periodic loop (DEF-C1).
    Phase,
    /// Sandbox.
    Sandbox,
    /// Container start.
    Start,
    /// Image pull.
    Pull,
    /// Readiness.
    Ready,
    /// Container stop.
    Stop,
    /// Container exit.
    Exit,
    /// Provisioning.
    Provision,
    /// Attaching.
    Attach,
    /// Detaching.
    Detach,
    /// Staging and publishing.
    Mount,
    /// Back-off jitter.
    Jitter,
    /// Random letters in names.
    Name,
    /// Order among equals where the real one is unspecified.
    Order,
    /// Order of DNS answers, choice of a backend.
    Answer,
    /// uids and volume handles as text.
    Identity,
    /// Lifecycle hooks.
    Hook,
    /// When a container answers its startup and liveness probes.
    Up,
    /// When a fault of the lane happens.
    Fault,
}
