//! StatefulSets, Deployments, ReplicaSets and PodDisruptionBudgets.
use super::{Field, Get, Look, list};
use crate::api::labels::LabelsId;
use crate::api::names::Name;
use crate::api::objects::*;
use crate::expect::types::{Class, Handle, Labels, StatusCondition, Ty, Value};

fn labels<'a>(labels: LabelsId) -> Value<'a> {
    Value::Labels(Labels::Set(labels))
}

/// The name of a ControllerRevision; empty if there is none yet.
fn revision<'a>(look: &Look<'a>, name: Name) -> Value<'a> {
    if name == Name::default() { "".into() } else { look.name(name) }
}

fn conditions<'a>(all: &[Condition]) -> Value<'a> {
    list(all.iter().map(|condition| {
        let (kind, status, reason) = (condition.kind, condition.status, condition.reason);
        Handle::Condition(StatusCondition { kind, status, reason })
    }))
}

/// apps/v1 StatefulSet.
pub(super) const STATEFUL_SET: &[Field] = &[
    Field::new("replicas", Ty::INT, Get::StatefulSet(|_, set| set.spec.replicas.into()), "spec.replicas"),
    Field::new("ready", Ty::INT, Get::StatefulSet(|_, set| set.status.ready.into()), "status.readyReplicas"),
    Field::new(
        "available",
        Ty::INT,
        Get::StatefulSet(|_, set| set.status.available.into()),
        "status.availableReplicas",
    ),
    Field::new(
        "updated",
        Ty::INT,
        Get::StatefulSet(|_, set| set.status.updated.into()),
        "status.updatedReplicas",
    ),
    Field::new("metadata.labels", Ty::LABELS, Get::StatefulSet(|_, set| labels(set.meta.labels)), "labels"),
    Field::new("spec.replicas", Ty::INT, Get::StatefulSet(|_, set| set.spec.replicas.into()), "pods wanted"),
    Field::new(
        "spec.serviceName",
        Ty::TEXT,
        Get::StatefulSet(|look, set| look.word(set.spec.service_name)),
        "its governing service",
    ),
    Field::new(
        "spec.podManagementPolicy",
        Ty::TEXT,
        Get::StatefulSet(|_, set| if set.is_ordered() { "OrderedReady" } else { "Parallel" }.into()),
        "OrderedReady or Parallel",
    ),
    Field::new(
        "spec.minReadySeconds",
        Ty::INT,
        Get::StatefulSet(|_, set| set.spec.min_ready.into()),
        "how long a pod is ready until it is available",
    ),
    Field::new(
        "spec.ordinals.start",
        Ty::INT,
        Get::StatefulSet(|_, set| set.start().into()),
        "the first ordinal",
    ),
    Field::new(
        "spec.updateStrategy.type",
        Ty::TEXT,
        Get::StatefulSet(|_, set| match set.spec.strategy {
            UpdateStrategy::OnDelete => "OnDelete".into(),
            UpdateStrategy::RollingUpdate(_) => "RollingUpdate".into(),
        }),
        "RollingUpdate or OnDelete",
    ),
    Field::new(
        "spec.updateStrategy.rollingUpdate.partition",
        Ty::INT,
        Get::StatefulSet(|_, set| match set.spec.strategy {
            UpdateStrategy::RollingUpdate(Some(rolling)) => rolling.partition.into(),
            _ => Value::Int(0),
        }),
        "pods below it are left alone by updates",
    ),
    Field::new(
        "status.replicas",
        Ty::INT,
        Get::StatefulSet(|_, set| set.status.replicas.into()),
        "pods there are",
    ),
    Field::new(
        "status.readyReplicas",
        Ty::INT,
        Get::StatefulSet(|_, set| set.status.ready.into()),
        "pods that are ready",
    ),
    Field::new(
        "status.availableReplicas",
        Ty::INT,
        Get::StatefulSet(|_, set| set.status.available.into()),
        "pods that are available",
    ),
    Field::new(
        "status.currentReplicas",
        Ty::INT,
        Get::StatefulSet(|_, set| set.status.current.into()),
        "pods of the current revision",
    ),
    Field::new(
        "status.updatedReplicas",
        Ty::INT,
        Get::StatefulSet(|_, set| set.status.updated.into()),
        "pods of the update revision",
    ),
    Field::new(
        "status.currentRevision",
        Ty::TEXT,
        Get::StatefulSet(|look, set| revision(look, set.status.current_revision)),
        "the revision before the update",
    ),
    Field::new(
        "status.updateRevision",
        Ty::TEXT,
        Get::StatefulSet(|look, set| revision(look, set.status.update_revision)),
        "the revision of the template",
    ),
    Field::new(
        "status.observedGeneration",
        Ty::INT,
        Get::StatefulSet(|_, set| set.status.observed_generation.into()),
        "the generation its controller has seen",
    ),
];

/// apps/v1 Deployment.
pub(super) const DEPLOYMENT: &[Field] = &[
    Field::new(
        "replicas",
        Ty::INT,
        Get::Deployment(|_, deployment| deployment.spec.replicas.into()),
        "spec.replicas",
    ),
    Field::new(
        "ready",
        Ty::INT,
        Get::Deployment(|_, deployment| deployment.status.ready.into()),
        "status.readyReplicas",
    ),
    Field::new(
        "available",
        Ty::INT,
        Get::Deployment(|_, deployment| deployment.status.available.into()),
        "status.availableReplicas",
    ),
    Field::new(
        "updated",
        Ty::INT,
        Get::Deployment(|_, deployment| deployment.status.updated.into()),
        "status.updatedReplicas",
    ),
    Field::new(
        "metadata.labels",
        Ty::LABELS,
        Get::Deployment(|_, deployment| labels(deployment.meta.labels)),
        "labels",
    ),
    Field::new(
        "spec.replicas",
        Ty::INT,
        Get::Deployment(|_, deployment| deployment.spec.replicas.into()),
        "pods wanted",
    ),
    Field::new(
        "spec.paused",
        Ty::BOOL,
        Get::Deployment(|_, deployment| deployment.spec.paused.into()),
        "its rollout is paused",
    ),
    Field::new(
        "spec.minReadySeconds",
        Ty::INT,
        Get::Deployment(|_, deployment| deployment.spec.min_ready.into()),
        "how long a pod is ready until it is available",
    ),
    Field::new(
        "spec.strategy.type",
        Ty::TEXT,
        Get::Deployment(|_, deployment| match deployment.spec.strategy {
            DeploymentStrategy::Recreate => "Recreate".into(),
            DeploymentStrategy::RollingUpdate { .. } => "RollingUpdate".into(),
        }),
        "RollingUpdate or Recreate",
    ),
    Field::new(
        "status.replicas",
        Ty::INT,
        Get::Deployment(|_, deployment| deployment.status.replicas.into()),
        "pods there are",
    ),
    Field::new(
        "status.readyReplicas",
        Ty::INT,
        Get::Deployment(|_, deployment| deployment.status.ready.into()),
        "pods that are ready",
    ),
    Field::new(
        "status.availableReplicas",
        Ty::INT,
        Get::Deployment(|_, deployment| deployment.status.available.into()),
        "pods that are available",
    ),
    Field::new(
        "status.unavailableReplicas",
        Ty::INT,
        Get::Deployment(|_, deployment| deployment.status.unavailable.into()),
        "pods that are missing or not available",
    ),
    Field::new(
        "status.updatedReplicas",
        Ty::INT,
        Get::Deployment(|_, deployment| deployment.status.updated.into()),
        "pods of the new template",
    ),
    Field::new(
        "status.terminatingReplicas",
        Ty::INT,
        Get::Deployment(|_, deployment| deployment.status.terminating.unwrap_or(0).into()),
        "pods that are being deleted",
    ),
    Field::new(
        "status.observedGeneration",
        Ty::INT,
        Get::Deployment(|_, deployment| deployment.status.observed_generation.into()),
        "the generation its controller has seen",
    ),
    Field::new(
        "status.conditions",
        Ty::object(Class::Condition).list(),
        Get::Deployment(|_, deployment| conditions(&deployment.status.conditions)),
        "conditions",
    ),
];

/// apps/v1 ReplicaSet.
pub(super) const REPLICA_SET: &[Field] = &[
    Field::new("replicas", Ty::INT, Get::ReplicaSet(|_, set| set.spec.replicas.into()), "spec.replicas"),
    Field::new("ready", Ty::INT, Get::ReplicaSet(|_, set| set.status.ready.into()), "status.readyReplicas"),
    Field::new(
        "available",
        Ty::INT,
        Get::ReplicaSet(|_, set| set.status.available.into()),
        "status.availableReplicas",
    ),
    Field::new("metadata.labels", Ty::LABELS, Get::ReplicaSet(|_, set| labels(set.meta.labels)), "labels"),
    Field::new("spec.replicas", Ty::INT, Get::ReplicaSet(|_, set| set.spec.replicas.into()), "pods wanted"),
    Field::new(
        "status.replicas",
        Ty::INT,
        Get::ReplicaSet(|_, set| set.status.replicas.into()),
        "pods there are",
    ),
    Field::new(
        "status.readyReplicas",
        Ty::INT,
        Get::ReplicaSet(|_, set| set.status.ready.into()),
        "pods that are ready",
    ),
    Field::new(
        "status.availableReplicas",
        Ty::INT,
        Get::ReplicaSet(|_, set| set.status.available.into()),
        "pods that are available",
    ),
    Field::new(
        "status.observedGeneration",
        Ty::INT,
        Get::ReplicaSet(|_, set| set.status.observed_generation.into()),
        "the generation its controller has seen",
    ),
];

/// policy/v1 PodDisruptionBudget.
pub(super) const BUDGET: &[Field] = &[
    Field::new("metadata.labels", Ty::LABELS, Get::Budget(|_, budget| labels(budget.meta.labels)), "labels"),
    Field::new(
        "status.disruptionsAllowed",
        Ty::INT,
        Get::Budget(|_, budget| budget.status.allowed.into()),
        "evictions it allows now",
    ),
    Field::new(
        "status.currentHealthy",
        Ty::INT,
        Get::Budget(|_, budget| budget.status.healthy.into()),
        "healthy pods",
    ),
    Field::new(
        "status.desiredHealthy",
        Ty::INT,
        Get::Budget(|_, budget| budget.status.desired.into()),
        "healthy pods it asks for",
    ),
    Field::new(
        "status.expectedPods",
        Ty::INT,
        Get::Budget(|_, budget| budget.status.expected.into()),
        "pods it counts",
    ),
];
