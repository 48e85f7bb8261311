//! What a run is given besides manifests and steps: timers, latencies, feature gates.
//!
//! Every timer of `docs/semantics/defaults.md` that the simulator acts on is a named field with its DEF id; every
//! latency a distribution with its LAT id. [`Config::realistic`] is a cloud cluster as those tables have it;
//! [`Config::recorded`] is the set-up in which the conformance corpus was recorded.
use crate::kernel::{Duration, Latency};
use crate::world::Actor;

macro_rules! parameters {
    ($(#[$meta:meta])* $name:ident: $type:ty { $($(#[$doc:meta])* $field:ident $text:literal $id:literal = $default:expr,)* }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, PartialEq, Debug)]
        pub struct $name { $($(#[$doc])* #[doc = concat!(" (", $id, ")")] pub $field: $type,)* }
        impl Default for $name {
            fn default() -> Self { $name { $($field: $default,)* } }
        }
        impl $name {
            /// Names as scenarios write them, in order.
            pub const NAMES: &'static [&'static str] = &[$($text),*];
            /// The id of each in the table of defaults, in order.
            pub const IDS: &'static [&'static str] = &[$($id),*];
            /// Sets the parameter of this name. False if there is none.
            pub fn set(&mut self, name: &str, value: $type) -> bool {
                match name { $($text => self.$field = value,)* _ => return false }
                true
            }
            /// All values, in order.
            pub fn values(&self) -> Vec<$type> { vec![$(self.$field),*] }
        }
    };
}

const fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}
const fn millis(n: u64) -> Duration {
    Duration::from_millis(n)
}

parameters! {
    /// Periods and limits that software fixes.
    Timers: Duration {
        /// A kubelet renews its lease this often.
        lease_renew_period "nodeLeaseRenewPeriod" "DEF-2" = secs(10),
        /// A kubelet reports changes of node status (volumesInUse) on this tick; zero: at once.
        node_status_update_frequency "nodeStatusUpdateFrequency" "DEF-4" = secs(10),
        /// The node lifecycle controller looks at all nodes this often.
        node_monitor_period "nodeMonitorPeriod" "DEF-10" = secs(5),
        /// A node silent for longer is Unknown.
        node_monitor_grace_period "nodeMonitorGracePeriod" "DEF-11" = secs(50),
        /// The cloud node lifecycle controller asks the cloud about nodes that are not ready this often.
        cloud_node_period "cloudNodeMonitorPeriod" "DEF-22" = secs(5),
        /// A zone's queue taints one node per this time.
        node_eviction_interval "nodeEvictionInterval" "DEF-13" = secs(10),
        /// The same in a partly down zone of more than 50 nodes.
        secondary_node_eviction_interval "secondaryNodeEvictionInterval" "DEF-14" = secs(100),
        /// Loop of a zone's taint queue.
        taint_queue_period "taintQueuePeriod" "DEF-17" = millis(100),
        /// tolerationSeconds that admission gives to pods for not-ready and unreachable nodes; whole seconds.
        default_toleration "defaultTolerationSeconds" "DEF-18" = secs(300),
        /// Loop of the pod garbage collector.
        pod_gc_period "podGCPeriod" "DEF-21" = secs(20),
        /// How long a missing node stays in quarantine there.
        pod_gc_quarantine "podGCQuarantine" "DEF-21" = secs(40),
        /// A machine that shuts down in good order gives its pods this long; zero: it does not wait for them.
        shutdown_grace "shutdownGracePeriod" "DEF-23" = Duration::ZERO,
        /// Shortest time a container gets between SIGTERM and SIGKILL.
        minimum_grace "minimumGracePeriod" "DEF-26" = secs(2),
        /// Second restart of a crashing container waits this long, doubling.
        crash_backoff "crashLoopBackOff" "DEF-32" = secs(10),
        /// Upper limit of that.
        crash_backoff_max "maxContainerRestartPeriod" "DEF-32" = secs(300),
        /// A container that ran longer starts its back-off anew.
        crash_backoff_reset "crashLoopBackOffReset" "DEF-32" = secs(600),
        /// Second image pull waits this long, doubling.
        image_backoff "imagePullBackOff" "DEF-33" = secs(10),
        /// Upper limit of that.
        image_backoff_max "imagePullBackOffMax" "DEF-33" = secs(300),
        /// First back-off of a work queue, doubling.
        queue_backoff "workqueueBackOff" "DEF-43" = millis(5),
        /// Upper limit of that.
        queue_backoff_max "workqueueBackOffMax" "DEF-43" = secs(1000),
        /// Lost watches are tried again after this, doubling to 30 s.
        watch_reconnect "watchReconnect" "DEF-45" = millis(800),
        /// An entry of disruptedPods lives this long.
        disrupted_pod_lifetime "disruptedPodLifetime" "DEF-50" = secs(120),
        /// `kubectl drain` tries a refused eviction again after this.
        drain_retry "drainRetry" "DEF-51" = secs(5),
        /// First back-off of a pod that failed to schedule with an error, doubling.
        pod_initial_backoff "podInitialBackoff" "DEF-52" = secs(1),
        /// Upper limit of that.
        pod_max_backoff "podMaxBackoff" "DEF-52" = secs(10),
        /// Unschedulable pods are flushed on this tick.
        unschedulable_flush "unschedulableFlush" "DEF-54" = secs(30),
        /// ... once they have been unschedulable for this long.
        unschedulable_age "unschedulableAge" "DEF-54" = secs(300),
        /// The scheduler gives up waiting for claims to be bound after this.
        volume_bind_timeout "volumeBindTimeout" "DEF-59" = secs(600),
        /// It looks this often.
        volume_bind_poll "volumeBindPoll" "DEF-59" = secs(1),
        /// Full resync of the PV controller.
        claim_binder_sync "pvClaimBinderSync" "DEF-60" = secs(15),
        /// Loop of the attach/detach controller.
        attach_detach_loop "attachDetachLoop" "DEF-61" = millis(100),
        /// It detaches by force from a node that is not ready after this.
        max_wait_for_unmount "maxWaitForUnmount" "DEF-62" = secs(360),
        /// It looks at a pending attachment this often.
        csi_poll "csiPoll" "DEF-65" = millis(500),
        /// First back-off of a failed volume operation, doubling.
        volume_backoff "volumeOperationBackOff" "DEF-66" = millis(500),
        /// Upper limit of that.
        volume_backoff_max "volumeOperationBackOffMax" "DEF-66" = secs(122),
        /// The kubelet waits for volumes this long per attempt.
        mount_timeout "mountTimeout" "DEF-68" = secs(123),
        /// First back-off of the provisioner and the attacher, doubling.
        csi_backoff "csiBackOff" "DEF-70" = secs(1),
        /// Upper limit of that.
        csi_backoff_max "csiBackOffMax" "DEF-70" = secs(300),
        /// Time to live of DNS records.
        dns_ttl "dnsTTL" "DEF-87" = secs(5),
    }
}

parameters! {
    /// How long things take that software does not fix.
    Latencies: Latency {
        /// An API write, from the client's call to its commit.
        api_write "apiWrite" "LAT-1" = log_normal(8, 150),
        /// From one object of a kubectl command to the next.
        kubectl "kubectlRequest" "LAT-1" = log_normal(8, 150),
        /// From a commit to an informer.
        watch "watchLag" "LAT-3" = log_normal(10, 200),
        /// From an informer to a worker.
        queue_hop "queueHop" "LAT-4" = Latency::Constant(Duration::from_millis(1)),
        /// One scheduling decision.
        schedule "schedulerDecision" "LAT-5" = log_normal(3, 30),
        /// Sandbox and network of a pod.
        sandbox "sandbox" "LAT-6" = log_normal(600, 3_000),
        /// From there until its containers run, image present.
        container_start "containerStart" "LAT-7" = log_normal(400, 2_000),
        /// Image pull of a pod's first start on a node.
        image_pull "imagePull" "LAT-8" = log_normal(4_000, 30_000),
        /// From SIGTERM to the exit of a container.
        container_stop "containerStop" "LAT-11" = log_normal(1_000, 10_000),
        /// From start until the application would answer its readiness probe.
        ready "ready" "LAT-12" = log_normal(3_000, 60_000),
        /// CreateVolume.
        provision "provision" "LAT-13" = log_normal(1_500, 4_000),
        /// AttachVolume until the disk is there.
        attach "attach" "LAT-14" = log_normal(2_000, 8_000),
        /// DetachVolume of an unmounted disk.
        detach "detach" "LAT-15" = log_normal(2_000, 10_000),
        /// Staging on the node, mkfs or journal replay included.
        stage "stage" "LAT-19" = log_normal(1_000, 4_000),
        /// Publish, unpublish, unstage, each.
        publish "publish" "LAT-20" = log_normal(100, 1_000),
        /// From terminating a machine until the cloud says that there is none, and its disks are free.
        terminate "terminate" "LAT-24" = log_normal(20_000, 60_000),
        /// A node from reboot to kubelet.
        reboot "reboot" "LAT-23" = log_normal(60_000, 180_000),
    }
}

const fn log_normal(median_ms: u64, p99_ms: u64) -> Latency {
    Latency::LogNormal { median: Duration::from_millis(median_ms), p99: Duration::from_millis(p99_ms) }
}

/// Feature gates that change what is simulated, with their 1.36 defaults.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Gates {
    /// MaxUnavailableStatefulSet: off in 1.36 (STS-80).
    pub max_unavailable_stateful_set: bool,
    /// StaleControllerConsistencyStatefulSet and ...ReplicaSet: on (STS-102).
    pub stale_controller_consistency: bool,
    /// StatefulSetSemanticRevisionComparison: on (STS-47).
    pub semantic_revision_comparison: bool,
}

impl Default for Gates {
    fn default() -> Self {
        Gates {
            max_unavailable_stateful_set: false,
            stale_controller_consistency: true,
            semantic_revision_comparison: true,
        }
    }
}

impl Gates {
    /// Names of the gates a scenario may set.
    pub const NAMES: &'static [&'static str] = &[
        "MaxUnavailableStatefulSet",
        "StaleControllerConsistencyStatefulSet",
        "StatefulSetSemanticRevisionComparison",
    ];

    /// Sets the gate of this name. False if there is none.
    pub fn set(&mut self, name: &str, on: bool) -> bool {
        match name {
            "MaxUnavailableStatefulSet" => self.max_unavailable_stateful_set = on,
            "StaleControllerConsistencyStatefulSet" => self.stale_controller_consistency = on,
            "StatefulSetSemanticRevisionComparison" => self.semantic_revision_comparison = on,
            _ => return false,
        }
        true
    }
}

/// How the kubelet comes to know that a container is ready, and how it starts one.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum KubeletModel {
    /// Pulls, sandbox, probes and the status tick as in `pods.md` and `storage.md`.
    #[default]
    Realistic,
    /// The simulated kubelet of the recorded corpus: `start`, `ready` and `stop` delays, node status at once.
    Recorded,
}

/// How the scheduler chooses among nodes of equal score.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum NodeTies {
    /// By lot, the same for the same seed (SCHED-26).
    #[default]
    Seeded,
    /// The first in the scheduler's list of nodes, as the real one mostly does (SCHED-25).
    First,
}

/// How DNS is set up in the cluster (DNS-12).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum DnsPreset {
    /// The EKS add-on: records live 5 s, and servers cache them.
    #[default]
    Eks,
    /// kubeadm's Corefile: records live 30 s, servers cache none of the cluster's.
    Kubeadm,
    /// The Corefile that kubeadm had until 1.32: records live 30 s, and servers cache them.
    Cache30,
    /// kubeadm's, and NodeLocal DNSCache on each node.
    NodeLocal,
}

impl DnsPreset {
    /// All of them, with their names in scenarios.
    pub const ALL: [(&'static str, DnsPreset); 4] = [
        ("kubeadm", DnsPreset::Kubeadm),
        ("cache30", DnsPreset::Cache30),
        ("nodelocal", DnsPreset::NodeLocal),
        ("eks", DnsPreset::Eks),
    ];

    /// How long its records live (DNS-9).
    pub fn ttl(self) -> Duration {
        match self {
            DnsPreset::Eks => secs(5),
            DnsPreset::Kubeadm | DnsPreset::Cache30 | DnsPreset::NodeLocal => secs(30),
        }
    }
}

/// Everything a run can be tuned by.
#[derive(Clone, Debug)]
pub struct Config {
    /// Periods and limits.
    pub timers: Timers,
    /// How long things take.
    pub latency: Latencies,
    /// Feature gates.
    pub gates: Gates,
    /// How DNS is set up; how long records live is a timer.
    pub dns: DnsPreset,
    /// How many replicas CoreDNS has.
    pub dns_replicas: usize,
    /// How kubelets behave.
    pub kubelet: KubeletModel,
    /// Choice among nodes of equal score.
    pub node_ties: NodeTies,
    /// Requests a second of each controller's client (STS-106); 0: no limit.
    pub client_qps: u32,
    /// Burst of that.
    pub client_burst: u32,
    /// Additional latency of API writes, for perturbation: of the scheduler, of the workload controllers, of the
    /// controllers of storage, endpoints and disruption, of the other controllers, and of kubelets and drivers.
    pub extra_api: [Option<Latency>; 5],
    /// A process whose watch runs behind by this much more, for perturbation.
    pub slow_watch: Option<(crate::event::Process, Latency)>,
    /// What containers and volumes do.
    pub behavior: crate::behavior::Behavior,
}

impl Default for Config {
    fn default() -> Self {
        Config {
            timers: Timers::default(),
            latency: Latencies::default(),
            gates: Gates::default(),
            dns: DnsPreset::default(),
            dns_replicas: 2,
            kubelet: KubeletModel::default(),
            node_ties: NodeTies::default(),
            client_qps: 0,
            client_burst: 0,
            extra_api: [None; 5],
            slow_watch: None,
            behavior: crate::behavior::Behavior::default(),
        }
    }
}

impl Config {
    /// The additional latency of this actor's writes.
    pub fn extra_api(&self, actor: Actor) -> Latency {
        let group = match actor {
            Actor::User => return Latency::Constant(Duration::ZERO),
            Actor::Scheduler => 0,
            Actor::StatefulSetController | Actor::DeploymentController | Actor::ReplicaSetController => 1,
            Actor::VolumeController
            | Actor::AttachDetach
            | Actor::EndpointSliceController
            | Actor::DisruptionController => 2,
            Actor::NodeController
            | Actor::CloudNodes
            | Actor::TaintEviction
            | Actor::PodGc
            | Actor::GarbageCollector => 3,
            Actor::Kubelet | Actor::Provisioner | Actor::Attacher => 4,
        };
        self.extra_api[group].unwrap_or(Latency::Constant(Duration::ZERO))
    }

    /// A cloud cluster with default settings.
    pub fn realistic() -> Config {
        Config { client_qps: 20, client_burst: 30, ..Config::default() }
    }

    /// The set-up of the recorded corpus: fast constant delays, lease and monitor of one second, no client limits.
    pub fn recorded() -> Config {
        let constant = |ms| Latency::Constant(Duration::from_millis(ms));
        let mut config =
            Config { kubelet: KubeletModel::Recorded, node_ties: NodeTies::First, ..Config::default() };
        let timers = &mut config.timers;
        timers.lease_renew_period = secs(1);
        timers.node_status_update_frequency = Duration::ZERO;
        timers.node_monitor_period = secs(1);
        timers.node_monitor_grace_period = secs(5);
        timers.csi_backoff = millis(500);
        let latency = &mut config.latency;
        latency.api_write = constant(3);
        latency.kubectl = constant(2);
        latency.watch = constant(2);
        latency.queue_hop = constant(0);
        latency.schedule = constant(2);
        latency.sandbox = constant(0);
        latency.image_pull = constant(0);
        latency.container_start = constant(200);
        latency.ready = constant(200);
        latency.container_stop = constant(200);
        latency.provision = constant(100);
        latency.attach = constant(100);
        latency.detach = constant(100);
        latency.stage = constant(0);
        latency.publish = constant(0);
        config
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_set_by_name() {
        let mut timers = Timers::default();
        assert!(timers.set("maxWaitForUnmount", secs(15)));
        assert_eq!(timers.max_wait_for_unmount, secs(15));
        assert!(!timers.set("maxWaitForUnmounts", secs(15)));
        assert_eq!(Timers::NAMES.len(), timers.values().len());
    }
}
