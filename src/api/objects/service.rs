//! Services, EndpointSlices and PodDisruptionBudgets.
use crate::api::names::{Name, Sym, Uid};
use crate::api::objects::{IntOrPercent, Ip, Meta, Node, Pod, Seconds};
use crate::api::pod_spec::Hostname;
use crate::api::selector::Selector;
use crate::api::store::Store;
use crate::kernel::Id;
use serde_json::Value;
use std::sync::Arc;

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
    /// The first of `addresses`.
    pub ip: Ip,
    /// nodeName.
    pub node: Id<Node>,
    /// conditions.ready.
    pub ready: bool,
    /// conditions.serving.
    pub serving: bool,
    /// conditions.terminating.
    pub terminating: bool,
    /// It has a hostname (SVC-4): what the pod's spec says, for pods of a StatefulSet the pod's name.
    pub hostname: bool,
}

impl Endpoint {
    /// The hostname, if it has one: what the pod's spec says (SVC-4).
    pub fn hostname_text(&self, store: &Store) -> Option<String> {
        let pod = store.pods.last_known(self.pod).filter(|_| self.hostname)?;
        Some(match store.pod_spec(pod.spec).hostname {
            Hostname::Fixed(word) => store.names.text(word).to_owned(),
            Hostname::None | Hostname::PodName => store.name_of(pod.meta.name),
        })
    }
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
