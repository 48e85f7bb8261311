//! Pods on the wire.
//!
//! The spec is the shared one with what is the pod's own put back ([`crate::api::pod_spec::PodSpec::render`]); the
//! identity labels are flags inside. Of the status the simulator keeps what is acted on; what follows from it
//! (conditions, container statuses) is made here and in `container`, in the order and words of the kubelet. Left out:
//! exact times of conditions other than Ready.
use super::fields::{at, list, text, text_at};
use super::{Wire, container, head, meta, node, unless_empty, without_nulls};
use crate::api::names::Sym;
use crate::api::objects::*;
use crate::api::pod_spec::{PodSpec, Shared};
use crate::api::store::{POD_INDEX_LABEL, POD_NAME_LABEL, Store};
use crate::kernel::hash::mix64;
use crate::kernel::{Id, U24};
use serde_json::{Value, json};

const REASONS: [(PodReason, &str); 12] = [
    (PodReason::Unschedulable, "Unschedulable"),
    (PodReason::SchedulerError, "SchedulerError"),
    (PodReason::SchedulingGated, "SchedulingGated"),
    (PodReason::Evicted, "Evicted"),
    (PodReason::NodeAffinity, "NodeAffinity"),
    (PodReason::OutOfCpu, "OutOfcpu"),
    (PodReason::OutOfMemory, "OutOfmemory"),
    (PodReason::OutOfPods, "OutOfpods"),
    (PodReason::TaintToleration, "TaintToleration"),
    (PodReason::NodeShutdown, "NodeShutdown"),
    (PodReason::Terminated, "Terminated"),
    (PodReason::VolumeAttachmentLimitExceeded, "VolumeAttachmentLimitExceeded"),
];

const DISRUPTIONS: [(Disruption, &str); 5] = [
    (Disruption::ByTaintManager, "Taint manager: deleting due to NoExecute taint"),
    (Disruption::ByEviction, "Eviction API: evicting"),
    (Disruption::ByPodGc, "PodGC: node no longer exists"),
    (Disruption::ByScheduler, "default-scheduler: preempting to accommodate a higher priority pod"),
    (Disruption::ByKubelet, "The node was low on resource"),
];

impl PodReason {
    /// The text of `status.reason` or of the reason of condition PodScheduled; empty if there is none.
    pub fn as_str(self) -> &'static str {
        REASONS.iter().find(|(reason, _)| *reason == self).map_or("", |(_, text)| text)
    }

    /// The text of `status.message`; empty if there is none.
    fn message(self) -> &'static str {
        match self {
            PodReason::Evicted => "The node was low on resource: memory.",
            PodReason::Terminated => "Pod was terminated in response to imminent node shutdown.",
            PodReason::NodeShutdown => "Pod was rejected as the node is shutting down.",
            PodReason::OutOfCpu => "Pod was rejected: Node didn't have enough resource: cpu",
            PodReason::OutOfMemory => "Pod was rejected: Node didn't have enough resource: memory",
            PodReason::OutOfPods => "Pod was rejected: Node didn't have enough resource: pods",
            PodReason::NodeAffinity => {
                "Pod was rejected: Predicate NodeAffinity failed: node(s) didn't match Pod's node affinity/selector"
            }
            PodReason::TaintToleration => {
                "Pod was rejected: Predicate TaintToleration failed: node(s) had taints that the pod didn't tolerate"
            }
            _ => "",
        }
    }

    /// The reason is one of condition PodScheduled, not of a failed pod.
    fn is_of_scheduling(self) -> bool {
        matches!(self, PodReason::Unschedulable | PodReason::SchedulerError | PodReason::SchedulingGated)
    }
}

/// The node a pod is on, or was asked to be on by its creator.
fn node_name(store: &Store, pod: &Pod, spec: &PodSpec) -> String {
    match store.nodes.last_known(pod.node).filter(|_| pod.is_bound()) {
        Some(node) => store.name_of(node.meta.name),
        None => store.names.text(spec.node_name).to_owned(),
    }
}

fn conditions(pod: &Pod, spec: &PodSpec) -> Value {
    let has = |flag| pod.flags.has(flag);
    let started = if pod.started.is_set() { pod.started } else { pod.meta.created };
    let condition = |kind: &str, on: bool, reason: &str, since: Seconds| {
        without_nulls(json!({
            "type": kind,
            "status": if on { "True" } else { "False" },
            "reason": unless_empty(reason),
            "lastProbeTime": null,
            "lastTransitionTime": meta::time(since),
            "observedGeneration": pod.meta.generation.get(),
        }))
    };
    let mut conditions = Vec::new();
    if has(PodFlags::SANDBOX) || (has(PodFlags::REPORTED) && pod.phase == Phase::Pending) {
        conditions.push(condition("PodReadyToStartContainers", has(PodFlags::SANDBOX), "", started));
    }
    if has(PodFlags::REPORTED) {
        conditions.push(condition("Initialized", has(PodFlags::INITIALIZED), "", started));
        let unready = match pod.phase {
            Phase::Succeeded => "PodCompleted",
            Phase::Failed => "PodFailed",
            Phase::Pending | Phase::Running => "ContainersNotReady",
        };
        for (kind, on) in
            [("Ready", has(PodFlags::READY)), ("ContainersReady", has(PodFlags::CONTAINERS_READY))]
        {
            conditions.push(condition(kind, on, if on { "" } else { unready }, pod.ready_since));
        }
    }
    if has(PodFlags::SCHEDULED) {
        conditions.push(condition("PodScheduled", true, "", started));
    } else if has(PodFlags::UNSCHEDULABLE) {
        let reason = if spec.gated { "SchedulingGated" } else { pod.reason.as_str() };
        conditions.push(condition("PodScheduled", false, reason, pod.meta.created));
    }
    if has(PodFlags::DISRUPTION_TARGET) {
        let mut target = condition("DisruptionTarget", true, pod.disruption.as_str(), pod.meta.created);
        let message = DISRUPTIONS.iter().find(|(disruption, _)| *disruption == pod.disruption);
        target["message"] = match (pod.reason, message) {
            (PodReason::Terminated, _) => pod.reason.message().into(),
            (_, message) => message.map_or(Value::Null, |(_, text)| (*text).into()),
        };
        conditions.push(target);
    }
    conditions.into()
}

/// A made-up but stable hash of 64 digits.
pub(super) fn digest(prefix: &str, of: u64) -> String {
    let prefix = if prefix.is_empty() { "sha256:" } else { prefix };
    let words = [1, 2, 3, 4].map(|n| mix64(of ^ mix64(n)));
    words.iter().fold(prefix.to_owned(), |text, word| format!("{text}{word:016x}"))
}

impl Wire for Pod {
    fn to_json(&self, store: &Store) -> Value {
        let spec = store.pod_spec(self.spec);
        let mut json = head::<Pod>(store, &self.meta);
        let name = store.name_of(self.meta.name);
        if self.flags.has(PodFlags::NAME_LABEL) {
            json["metadata"]["labels"][POD_NAME_LABEL] = name.into();
        }
        if let Some(ordinal) = self.meta.name.ordinal().filter(|_| self.flags.has(PodFlags::INDEX_LABEL)) {
            json["metadata"]["labels"][POD_INDEX_LABEL] = ordinal.to_string().into();
        }
        json["spec"] = spec.render(store, self.meta.name, &node_name(store, self, spec));
        let ips = |ip: Ip| if ip == Ip::NONE { Value::Null } else { json!([{"ip": ip.render()}]) };
        let address = |ip: Ip| if ip == Ip::NONE { Value::Null } else { ip.render().into() };
        let host = if self.started.is_set() && self.is_bound() { node::address(self.node) } else { Ip::NONE };
        let (init_statuses, statuses) = container::to_json(store, self, spec);
        let unless_none = |list: Vec<Value>| if list.is_empty() { Value::Null } else { list.into() };
        let conditions = conditions(self, spec);
        let nominated = store.nodes.last_known(self.nominated).filter(|_| !self.nominated.is_none());
        json["status"] = without_nulls(json!({
            "phase": self.phase.as_str(),
            "qosClass": spec.qos,
            "conditions": if conditions == json!([]) { Value::Null } else { conditions },
            "initContainerStatuses": unless_none(init_statuses),
            "containerStatuses": unless_none(statuses),
            "hostIP": address(host),
            "hostIPs": ips(host),
            "podIP": address(self.ip),
            "podIPs": ips(self.ip),
            "startTime": meta::time(self.started),
            "reason": if self.reason.is_of_scheduling() { Value::Null } else { unless_empty(self.reason.as_str()) },
            "message": unless_empty(self.reason.message()),
            "nominatedNodeName": nominated.map(|node| store.name_of(node.meta.name)),
            "observedGeneration": self.flags.has(PodFlags::REPORTED).then_some(self.meta.generation.get()),
        }));
        json
    }

    fn from_json(store: &mut Store, json: &Value) -> Pod {
        let name = store.name_from_text(text_at(json, &["metadata", "name"]));
        let index = name.ordinal().map(|ordinal| ordinal.to_string()).unwrap_or_default();
        let own_name = text_at(json, &["metadata", "name"]);
        let is_identity = |key: &str, value: &str| match key {
            POD_NAME_LABEL => value == own_name,
            POD_INDEX_LABEL => value == index && !index.is_empty(),
            _ => false,
        };
        let meta = meta::from_json(store, Pod::KIND, json, |key, value| !is_identity(key, value));
        let empty = Value::Null;
        let status = json.get("status").unwrap_or(&empty);
        let is = |kind| list(status, "conditions").iter().find(|condition| text(condition, "type") == kind);
        let scheduled = is("PodScheduled").map(|condition| text(condition, "status"));
        let node_name = text_at(json, &["spec", "nodeName"]).to_owned();
        let node = store.names.known_name(&node_name).and_then(|name| store.nodes.id(Sym::EMPTY, name));
        let mut shared = Shared::split(store, name, json.get("spec").cloned().unwrap_or_default());
        if node.is_none() || scheduled != Some("True") {
            // Nobody scheduled it: this is the creator's word.
            shared.node_name = store.names.word(&node_name);
        }
        let nominated = store.names.known_name(text(status, "nominatedNodeName"));
        let target = is("DisruptionTarget").map_or("", |condition| text(condition, "reason"));
        let reasons = [text(status, "reason"), is("PodScheduled").map_or("", |c| text(c, "reason"))];
        let mut flags = flags_of(status);
        for key in [POD_NAME_LABEL, POD_INDEX_LABEL] {
            let on = at(json, &["metadata", "labels", key])
                .and_then(Value::as_str)
                .is_some_and(|value| is_identity(key, value));
            flags.set(if key == POD_NAME_LABEL { PodFlags::NAME_LABEL } else { PodFlags::INDEX_LABEL }, on);
        }
        let mut pod = Pod {
            spec: shared.intern(store),
            node: node.unwrap_or(Id::NONE),
            nominated: nominated.and_then(|name| store.nodes.id(Sym::EMPTY, name)).unwrap_or(Id::NONE),
            ip: Ip::parse(text(status, "podIP")).unwrap_or_default(),
            ready_since: is("Ready").map_or(Seconds::NEVER, |c| meta::seconds(c, "lastTransitionTime")),
            started: meta::seconds(status, "startTime"),
            restarts: U24::default(),
            containers: Containers::Unreported,
            statuses: StatusesId::EMPTY,
            phase: phase_of(text(status, "phase")),
            flags,
            reason: REASONS
                .iter()
                .find(|(_, text)| reasons.contains(text))
                .map_or(PodReason::None, |(reason, _)| *reason),
            disruption: DISRUPTIONS
                .iter()
                .find(|(disruption, _)| disruption.as_str() == target)
                .map_or(Disruption::None, |(disruption, _)| *disruption),
            meta,
        };
        store.set_container_statuses(&mut pod, &container::from_json(status));
        pod
    }

    fn keep_spec(&mut self, old: &Pod) {
        self.spec = old.spec;
        self.node = old.node;
    }

    fn keep_status(&mut self, old: &Pod) {
        let mut flags = old.flags;
        for identity in [PodFlags::NAME_LABEL, PodFlags::INDEX_LABEL] {
            flags.set(identity, self.flags.has(identity));
        }
        *self = Pod { meta: self.meta, spec: self.spec, flags, ..*old };
    }
}

fn phase_of(text: &str) -> Phase {
    let phases = [Phase::Running, Phase::Succeeded, Phase::Failed];
    phases.into_iter().find(|phase| phase.as_str() == text).unwrap_or_default()
}

fn flags_of(status: &Value) -> PodFlags {
    let mut flags = PodFlags::default();
    for condition in list(status, "conditions") {
        let on = text(condition, "status") == "True";
        match text(condition, "type") {
            "PodReadyToStartContainers" => flags.set(PodFlags::SANDBOX, on),
            "Initialized" => flags.set(PodFlags::INITIALIZED, on),
            "ContainersReady" => flags.set(PodFlags::CONTAINERS_READY, on),
            "Ready" => {
                flags.set(PodFlags::READY, on);
                flags.set(PodFlags::REPORTED, true);
            }
            "PodScheduled" => {
                flags.set(if on { PodFlags::SCHEDULED } else { PodFlags::UNSCHEDULABLE }, true);
            }
            "DisruptionTarget" => flags.set(PodFlags::DISRUPTION_TARGET, on),
            _ => {}
        }
    }
    flags
}
