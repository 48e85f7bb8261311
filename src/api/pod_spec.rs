//! Specs that many objects share: pod templates, admitted pod specs, and the shapes of claims and volumes.
//!
//! Each is interned by its JSON text, so "is this the same template" is one compare. The JSON stays beside the fields
//! that are acted on; what the simulator does not act on (environment, arguments, ...) is kept and shown.
mod parse;
mod placement;
mod resources;

pub(crate) use parse::Shared;

use crate::api::labels::LabelsId;
use crate::api::names::Sym;
use crate::api::objects::{ClaimSpecId, Effect, Taint};
use crate::api::selector::Selector;
use serde_json::Value;
use std::sync::Arc;

/// spec.template of a workload: defaulted as a template (STS-4), before it is a pod.
#[derive(Clone, Debug)]
pub struct Template {
    /// `{"metadata": ..., "spec": ...}`, defaulted.
    pub json: Arc<Value>,
    /// template.metadata.labels.
    pub labels: LabelsId,
    /// template.metadata.annotations.
    pub annotations: LabelsId,
    /// template.metadata.finalizers.
    pub finalizers: crate::api::labels::WordsId,
}

/// Where a pod's hostname comes from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Hostname {
    /// spec.hostname is not set.
    None,
    /// spec.hostname is the pod's own name: pods of a StatefulSet (STS-15).
    PodName,
    /// spec.hostname is this word.
    Fixed(Sym),
}

/// How a pod names one of its claims.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ClaimName {
    /// The claim of this name.
    Fixed(crate::api::names::Name),
    /// `<stem>-<ordinal of the pod>`: claims of a StatefulSet, stem `<template>-<set>` (STS-19).
    PerOrdinal(Sym),
}

impl ClaimName {
    /// The claim that a pod of this name means; None: the name has no ordinal.
    pub fn of(self, pod: crate::api::names::Name) -> Option<crate::api::names::Name> {
        match self {
            ClaimName::Fixed(name) => Some(name),
            ClaimName::PerOrdinal(stem) => Some(crate::api::names::Name::numbered(stem, pod.ordinal()?)),
        }
    }
}

/// A volume of a pod that is a claim.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ClaimUse {
    /// Name of the volume inside the pod.
    pub volume: Sym,
    /// The claim.
    pub claim: ClaimName,
}

/// A container, as far as it is acted on.
#[derive(Clone, Debug)]
pub struct Container {
    /// Name.
    pub name: Sym,
    /// Image.
    pub image: Sym,
    /// ports: name (may be empty), protocol, containerPort.
    pub ports: Box<[(Sym, Sym, u16)]>,
    /// Its own restartPolicy; None: the pod's (POD-26). An init container with Always is a sidecar (POD-18).
    pub restart: Option<RestartPolicy>,
    /// restartPolicyRules (POD-26).
    pub restart_rules: Box<[RestartRule]>,
    /// startupProbe.
    pub startup: Option<Probe>,
    /// livenessProbe.
    pub liveness: Option<Probe>,
    /// readinessProbe.
    pub readiness: Option<Probe>,
    /// lifecycle.postStart.
    pub post_start: Option<Hook>,
    /// lifecycle.preStop.
    pub pre_stop: Option<Hook>,
}

/// A lifecycle hook.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Hook {
    /// `sleep`: seconds.
    Sleep(u32),
    /// `exec`, `httpGet`: how long it takes is behaviour.
    Runs,
}

/// One of a container's restartPolicyRules: what happens on these exit codes (POD-26).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RestartRule {
    /// action RestartAllContainers: the whole pod restarts in place; else only the container does.
    pub all: bool,
    /// operator NotIn, else In.
    pub not_in: bool,
    /// exitCodes.values.
    pub codes: Box<[i32]>,
}

impl Container {
    /// An init container that runs on beside the regular ones (POD-18).
    pub fn is_sidecar(&self) -> bool {
        self.restart == Some(RestartPolicy::Always)
    }

    fn rule_for(&self, code: u8) -> Option<&RestartRule> {
        self.restart_rules.iter().find(|rule| rule.codes.contains(&i32::from(code)) != rule.not_in)
    }

    /// True if its pod is to be restarted in place after it ended with this code (POD-26).
    pub fn restarts_all_after(&self, code: u8) -> bool {
        self.rule_for(code).is_some_and(|rule| rule.all)
    }

    /// True if it is to be started again after it ended with this code: the first rule that matches decides, then its
    /// own policy, then the pod's (POD-26; `ContainerShouldRestart` of pkg/api/v1/pod/util.go).
    pub fn restarts_after(&self, code: u8, pod: RestartPolicy) -> bool {
        if self.rule_for(code).is_some() {
            return true;
        }
        match self.restart.unwrap_or(pod) {
            RestartPolicy::Always => true,
            RestartPolicy::OnFailure => code != 0,
            RestartPolicy::Never => false,
        }
    }
}

/// How a probe asks.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Handler {
    /// A command.
    #[default]
    Exec,
    /// An HTTP request.
    HttpGet,
    /// A connection.
    TcpSocket,
    /// A gRPC health check.
    Grpc,
}

/// Timing of a probe (POD-27 to POD-30), seconds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Probe {
    /// initialDelaySeconds.
    pub initial_delay: u32,
    /// periodSeconds.
    pub period: u32,
    /// timeoutSeconds.
    pub timeout: u32,
    /// successThreshold.
    pub success: u32,
    /// failureThreshold.
    pub failure: u32,
    /// terminationGracePeriodSeconds of a liveness or startup probe (POD-25).
    pub grace: Option<u32>,
    /// How it asks.
    pub handler: Handler,
}

/// A toleration.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Toleration {
    /// Key; empty with `exists`: all keys.
    pub key: Sym,
    /// operator Exists; otherwise Equal.
    pub exists: bool,
    /// Value for Equal.
    pub value: Sym,
    /// Effect; None: all.
    pub effect: Option<Effect>,
    /// tolerationSeconds; None: for ever (NODE-18).
    pub seconds: Option<i64>,
}

impl Toleration {
    /// True if it tolerates this taint, for however long.
    pub fn tolerates(&self, taint: &Taint) -> bool {
        self.effect.is_none_or(|effect| effect == taint.effect)
            && (self.key.is_empty() || self.key == taint.key)
            && (self.exists || self.value == taint.value)
    }
}

/// A requirement on one key of a node's labels (or, for matchFields, its name).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NodeRequirement {
    /// Label key, or `metadata.name` if `field`.
    pub key: Sym,
    /// From matchFields.
    pub field: bool,
    /// Operator.
    pub operator: NodeOperator,
    /// Values.
    pub values: Box<[Sym]>,
    /// The single value as a number, for Gt and Lt.
    pub number: i64,
}

/// Operator of a [`NodeRequirement`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum NodeOperator {
    /// One of the values.
    In,
    /// None of the values.
    NotIn,
    /// The key is there.
    Exists,
    /// The key is not there.
    DoesNotExist,
    /// Greater than the number.
    Gt,
    /// Less than the number.
    Lt,
}

/// A term of node affinity: all requirements hold.
pub type NodeTerm = Box<[NodeRequirement]>;

/// A term of inter-pod (anti-)affinity (SCHED-15).
#[derive(Clone, Debug)]
pub struct PodTerm {
    /// topologyKey.
    pub topology_key: Sym,
    /// Which pods.
    pub selector: Arc<Selector>,
    /// In which namespaces; empty: the pod's own.
    pub namespaces: Box<[Sym]>,
    /// namespaceSelector `{}`: all namespaces.
    pub all_namespaces: bool,
    /// Weight of a preferred term; 0 for a required one.
    pub weight: i32,
}

/// A topologySpreadConstraint (SCHED-16).
#[derive(Clone, Debug)]
pub struct Spread {
    /// maxSkew.
    pub max_skew: i32,
    /// topologyKey.
    pub topology_key: Sym,
    /// whenUnsatisfiable is DoNotSchedule.
    pub hard: bool,
    /// labelSelector (matchLabelKeys already merged in is not done here).
    pub selector: Arc<Selector>,
    /// minDomains.
    pub min_domains: i32,
    /// nodeAffinityPolicy is Honor (the default).
    pub honor_affinity: bool,
    /// nodeTaintsPolicy is Honor (default: Ignore).
    pub honor_taints: bool,
}

/// What the scheduler looks at beyond resources; boxed, most pods have none of it.
#[derive(Clone, Debug, Default)]
pub struct Placement {
    /// nodeSelector.
    pub node_selector: Box<[(Sym, Sym)]>,
    /// Required node affinity: any term; None: not given.
    pub node_required: Option<Box<[NodeTerm]>>,
    /// Preferred node affinity: weight and term.
    pub node_preferred: Box<[(i32, NodeTerm)]>,
    /// Required pod affinity.
    pub affinity: Box<[PodTerm]>,
    /// Preferred pod affinity.
    pub affinity_preferred: Box<[PodTerm]>,
    /// Required pod anti-affinity.
    pub anti_affinity: Box<[PodTerm]>,
    /// Preferred pod anti-affinity.
    pub anti_affinity_preferred: Box<[PodTerm]>,
    /// topologySpreadConstraints.
    pub spread: Box<[Spread]>,
    /// hostPorts: protocol and port.
    pub host_ports: Box<[(Sym, u16)]>,
}

/// restartPolicy of a pod.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum RestartPolicy {
    /// Always.
    #[default]
    Always,
    /// OnFailure.
    OnFailure,
    /// Never.
    Never,
}

/// An admitted pod spec.
#[derive(Clone, Debug)]
pub struct PodSpec {
    /// The spec as stored, but for what belongs to the single pod: nodeName, hostname, volumes of claims per ordinal.
    pub json: Arc<Value>,
    /// Regular containers.
    pub containers: Box<[Container]>,
    /// Init containers, sidecars included.
    pub inits: Box<[Container]>,
    /// Requested cpu, thousandths: the larger of the sum of the containers and any init container, plus overhead.
    pub cpu: u64,
    /// Requested memory, bytes.
    pub memory: u64,
    /// cpu with 100m for each container that requests none (scoring only, SCHED-23).
    pub scored_cpu: u64,
    /// memory with 200 MiB for each container that requests none (scoring only, SCHED-23).
    pub scored_memory: u64,
    /// terminationGracePeriodSeconds.
    pub grace: u32,
    /// priority.
    pub priority: i32,
    /// preemptionPolicy is not Never.
    pub preempts: bool,
    /// tolerations, with those that admission adds (NODE-20).
    pub tolerations: Box<[Toleration]>,
    /// Node selection, affinity, spreading, host ports; None: nothing of it.
    pub placement: Option<Box<Placement>>,
    /// Volumes that are claims.
    pub claims: Box<[ClaimUse]>,
    /// Other volumes use emptyDir (drain asks, PDB-23).
    pub has_empty_dir: bool,
    /// hostname.
    pub hostname: Hostname,
    /// subdomain; may be empty.
    pub subdomain: Sym,
    /// schedulerName is not `default-scheduler`: nobody schedules it.
    pub foreign_scheduler: bool,
    /// schedulingGates are set.
    pub gated: bool,
    /// restartPolicy.
    pub restart: RestartPolicy,
    /// spec.nodeName as given by the creator; empty: the scheduler decides.
    pub node_name: Sym,
    /// QoS class: `Guaranteed`, `Burstable` or `BestEffort`.
    pub qos: &'static str,
}

impl PodSpec {
    /// The names of the claims that a pod of this name uses.
    pub fn claims_of(&self, pod: crate::api::names::Name) -> impl Iterator<Item = crate::api::names::Name> {
        self.claims.iter().filter_map(move |used| used.claim.of(pod))
    }

    /// All containers in the order of their statuses: init containers, then regular ones.
    pub fn all_containers(&self) -> impl Iterator<Item = &Container> {
        self.inits.iter().chain(&self.containers)
    }

    /// The container at this place of [`PodSpec::all_containers`].
    pub fn container(&self, index: usize) -> Option<&Container> {
        match index.checked_sub(self.inits.len()) {
            Some(regular) => self.containers.get(regular),
            None => self.inits.get(index),
        }
    }

    /// How many containers there are, init containers included.
    pub fn container_count(&self) -> usize {
        self.inits.len() + self.containers.len()
    }
}

/// Access modes of a claim or volume, as a bit set.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct AccessModes(pub u8);

impl AccessModes {
    /// ReadWriteOnce.
    pub const RWO: AccessModes = AccessModes(1);
    /// ReadOnlyMany.
    pub const ROX: AccessModes = AccessModes(2);
    /// ReadWriteMany.
    pub const RWX: AccessModes = AccessModes(4);
    /// ReadWriteOncePod.
    pub const RWOP: AccessModes = AccessModes(8);
    /// The modes with their API texts and kubectl's abbreviations.
    pub const ALL: [(AccessModes, &'static str, &'static str); 4] = [
        (AccessModes::RWO, "ReadWriteOnce", "RWO"),
        (AccessModes::ROX, "ReadOnlyMany", "ROX"),
        (AccessModes::RWX, "ReadWriteMany", "RWX"),
        (AccessModes::RWOP, "ReadWriteOncePod", "RWOP"),
    ];
    /// True if all of `other` are present.
    pub fn has(self, other: AccessModes) -> bool {
        self.0 & other.0 == other.0
    }
    /// Multi-attach is allowed: RWX or ROX (VOL-25).
    pub fn allows_many_nodes(self) -> bool {
        self.has(AccessModes::RWX) || self.has(AccessModes::ROX)
    }
}

/// spec of a claim, or the shape of a volume: what binding compares (VOL-4).
#[derive(Clone, PartialEq, Debug)]
pub struct ClaimSpec {
    /// storageClassName. None: absent (a default class may be filled in, VOL-5); empty word: "no class".
    pub class: Option<Sym>,
    /// Requested or offered bytes.
    pub bytes: u64,
    /// The size as text, canonical: `100Gi`.
    pub size: Sym,
    /// accessModes.
    pub modes: AccessModes,
    /// volumeMode is Block.
    pub block: bool,
    /// selector over volumes' labels.
    pub selector: Option<Arc<Selector>>,
    /// spec.volumeName as the user gave it; empty: none (VOL-6).
    pub volume_name: Sym,
    /// The spec as stored, without volumeName.
    pub json: Arc<Value>,
}

impl ClaimSpec {
    /// The class word, empty where there is none.
    pub fn class_word(&self) -> Sym {
        self.class.unwrap_or(Sym::EMPTY)
    }
}

/// Marker used where a claim or volume has no spec of its own yet.
pub const NO_CLAIM_SPEC: ClaimSpecId = ClaimSpecId(crate::kernel::U24::of(crate::kernel::U24::MAX));
