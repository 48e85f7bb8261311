//! What a kubelet refuses although the pod is bound to its node (POD-47; pkg/kubelet/lifecycle/predicate.go).
//!
//! Left out: host ports, pressure, topology; preemption for critical pods (POD-46).
use crate::api::names::Sym;
use crate::api::objects::{Effect, Node, Pod, PodReason};
use crate::api::pod_spec::{NodeOperator, NodeRequirement, Placement, PodSpec};
use crate::api::store::Store;
use crate::world::World;

/// What the pods of a node request.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Used {
    cpu: u64,
    memory: u64,
    pods: u32,
}

impl Used {
    pub(super) fn add(&mut self, spec: &PodSpec) {
        self.cpu += spec.cpu;
        self.memory += spec.memory;
        self.pods += 1;
    }
    pub(super) fn subtract(&mut self, spec: &PodSpec) {
        self.cpu = self.cpu.saturating_sub(spec.cpu);
        self.memory = self.memory.saturating_sub(spec.memory);
        self.pods = self.pods.saturating_sub(1);
    }
}

/// Why the kubelet refuses this pod, if it does. `used` is what its other pods request.
pub(super) fn refuses(pod: &Pod, used: Used, world: &World) -> Option<PodReason> {
    let node = world.store.nodes.get(pod.node)?;
    let spec = world.store.pod_spec(pod.spec);
    if used.pods + 1 > node.pods {
        return Some(PodReason::OutOfPods);
    }
    if spec.cpu > 0 && used.cpu + spec.cpu > node.cpu {
        return Some(PodReason::OutOfCpu);
    }
    if spec.memory > 0 && used.memory + spec.memory > node.memory {
        return Some(PodReason::OutOfMemory);
    }
    if spec.placement.as_ref().is_some_and(|placement| !wants(placement, node, &world.store)) {
        return Some(PodReason::NodeAffinity);
    }
    let mut taints = node.taints.iter().filter(|taint| taint.effect == Effect::NoExecute);
    let refused = taints.any(|taint| !spec.tolerations.iter().any(|toleration| toleration.tolerates(taint)));
    refused.then_some(PodReason::TaintToleration)
}

/// The API's word for a refusal.
pub(super) fn reason_text(reason: PodReason) -> &'static str {
    match reason {
        PodReason::OutOfCpu => "OutOfcpu",
        PodReason::OutOfMemory => "OutOfmemory",
        PodReason::OutOfPods => "OutOfpods",
        PodReason::TaintToleration => "TaintToleration",
        PodReason::NodeShutdown => "NodeShutdown",
        _ => "NodeAffinity",
    }
}

/// The message of the event about a refusal.
pub(super) fn message(reason: PodReason) -> &'static str {
    match reason {
        PodReason::OutOfCpu => "Node didn't have enough resource: cpu",
        PodReason::OutOfMemory => "Node didn't have enough resource: memory",
        PodReason::OutOfPods => "Node didn't have enough resource: pods",
        PodReason::TaintToleration => {
            "Predicate TaintToleration failed: node(s) had taints that the pod didn't tolerate"
        }
        PodReason::NodeShutdown => "Pod was rejected as the node is shutting down.",
        _ => "Predicate NodeAffinity failed: node(s) didn't match Pod's node affinity/selector",
    }
}

/// nodeSelector and required node affinity hold for the node as it is labelled now.
fn wants(placement: &Placement, node: &Node, store: &Store) -> bool {
    let label = |key: Sym| store.labels.value(node.meta.labels, key);
    let selected = placement.node_selector.iter().all(|(key, value)| label(*key) == Some(*value));
    let required = placement.node_required.as_ref().is_none_or(|terms| {
        terms.iter().any(|term| !term.is_empty() && term.iter().all(|rule| holds(rule, node, store)))
    });
    selected && required
}

fn holds(rule: &NodeRequirement, node: &Node, store: &Store) -> bool {
    if rule.field {
        // matchFields knows one field: metadata.name.
        let named = rule.values.iter().any(|name| store.names.text(*name) == store.name_of(node.meta.name));
        return named == (rule.operator == NodeOperator::In);
    }
    let value = store.labels.value(node.meta.labels, rule.key);
    let number = || value.and_then(|value| store.names.text(value).parse::<i64>().ok());
    match rule.operator {
        NodeOperator::In => value.is_some_and(|value| rule.values.contains(&value)),
        NodeOperator::NotIn => value.is_none_or(|value| !rule.values.contains(&value)),
        NodeOperator::Exists => value.is_some(),
        NodeOperator::DoesNotExist => value.is_none(),
        NodeOperator::Gt => number().is_some_and(|number| number > rule.number),
        NodeOperator::Lt => number().is_some_and(|number| number < rule.number),
    }
}
