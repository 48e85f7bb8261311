//! StatefulSets, Deployments, ReplicaSets and ControllerRevisions.
use crate::api::labels::LabelsId;
use crate::api::names::{Name, Sym};
use crate::api::objects::{ClaimSpecId, Meta, Seconds, TemplateId};
use crate::api::selector::Selector;
use serde_json::Value;
use std::sync::Arc;

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
                let scaled = if up {
                    product.div_euclid(100) + i64::from(product.rem_euclid(100) != 0)
                } else {
                    product.div_euclid(100)
                };
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
    /// status.conditions, which only others than its controller write; the controller computes a status without them.
    pub conditions: Option<Arc<Value>>,
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
