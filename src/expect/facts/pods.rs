//! Pods as the API has them, and the processes that really run.
use super::{Field, Get, Look, list};
use crate::api::objects::*;
use crate::api::store::REVISION_LABEL;
use crate::expect::reads::Reads;
use crate::expect::types::{Class, Found, Handle, Labels, Running, StatusCondition, Ty, Value};

/// API truth.
pub(super) const POD: &[Field] = &[
    Field::new("ready", Ty::BOOL, Get::Pod(|_, pod| pod.is_ready().into()), "condition Ready is True"),
    Field::new(
        "phase",
        Ty::TEXT,
        Get::Pod(|_, pod| pod.phase.as_str().into()),
        "Pending, Running, Succeeded or Failed",
    ),
    Field::new(
        "node",
        Ty::TEXT,
        Get::Pod(|look, pod| look.node_name(pod.node)),
        "name of its node; empty before it has one",
    ),
    Field::new("ip", Ty::TEXT, Get::Pod(|look, pod| look.ip(pod.ip)), "its address; empty before it has one"),
    Field::new(
        "restarts",
        Ty::INT,
        Get::Pod(|_, pod| pod.restarts.get().into()),
        "restartCount of the container that restarted most",
    ),
    Field::new(
        "ordinal",
        Ty::INT,
        Get::Pod(|_, pod| pod.meta.name.ordinal().map_or(Value::Int(-1), Value::from)),
        "the number its name ends in; -1 if there is none",
    ),
    Field::new(
        "revision",
        Ty::TEXT,
        Get::Pod(revision),
        "label controller-revision-hash, or else pod-template-hash",
    ),
    Field::new(
        "image",
        Ty::TEXT,
        Get::Pod(|look, pod| image(look, pod, None)),
        "image of its first container",
    ),
    Field::new(
        "available",
        Ty::BOOL,
        Get::Pod(|look, pod| pod.is_available(min_ready(look, pod), look.cluster.world.now()).into()),
        "ready for at least the minReadySeconds of its StatefulSet or ReplicaSet",
    )
    .reading(
        Reads::TIME
            .and(Reads::kind(crate::api::kind::Kind::StatefulSet))
            .and(Reads::kind(crate::api::kind::Kind::ReplicaSet)),
    ),
    Field::new(
        "metadata.labels",
        Ty::LABELS,
        Get::Pod(|_, pod| Value::Labels(Labels::Pod(pod.object))),
        "labels",
    ),
    Field::new("spec.nodeName", Ty::TEXT, Get::Pod(|look, pod| look.node_name(pod.node)), "name of its node"),
    Field::new(
        "spec.terminationGracePeriodSeconds",
        Ty::INT,
        Get::Pod(|look, pod| look.store().pod_spec(pod.spec).grace.into()),
        "how long it is given to stop",
    ),
    Field::new("status.phase", Ty::TEXT, Get::Pod(|_, pod| pod.phase.as_str().into()), "phase"),
    Field::new("status.podIP", Ty::TEXT, Get::Pod(|look, pod| look.ip(pod.ip)), "its address"),
    Field::new(
        "status.reason",
        Ty::TEXT,
        Get::Pod(|_, pod| reason(&pod).into()),
        "why it failed: Evicted, NodeShutdown ...",
    ),
    Field::new(
        "status.startTime",
        Ty::DURATION,
        Get::Pod(|_, pod| pod.started.into()),
        "when the kubelet took it on",
    ),
    Field::new(
        "status.nominatedNodeName",
        Ty::TEXT,
        Get::Pod(|look, pod| look.node_name(pod.nominated)),
        "the node it waits for after preemption",
    ),
    Field::new(
        "status.conditions",
        Ty::object(Class::Condition).list(),
        Get::Pod(|_, pod| list(conditions(pod.object).map(Handle::Condition))),
        "conditions",
    ),
    Field::new(
        "status.containerStatuses",
        Ty::object(Class::Container).list(),
        Get::Pod(|look, pod| {
            let spec = look.store().pod_spec(pod.spec);
            let first = spec.inits.len();
            let all = first..first + spec.containers.len();
            list(all.map(|n| Handle::Container(pod, u16::try_from(n).unwrap_or(u16::MAX))))
        }),
        "its regular containers as the kubelet last reported them",
    ),
];

/// Conditions of objects.
pub(super) const CONDITION: &[Field] = &[
    Field::new(
        "type",
        Ty::TEXT,
        Get::Condition(|condition| condition.kind.into()),
        "Ready, PodScheduled, Progressing ...",
    ),
    Field::new(
        "status",
        Ty::TEXT,
        Get::Condition(|condition| condition.status.into()),
        "True, False or Unknown",
    ),
    Field::new(
        "reason",
        Ty::TEXT,
        Get::Condition(|condition| condition.reason.into()),
        "reason; may be empty",
    ),
];

/// Statuses of containers.
pub(super) const CONTAINER: &[Field] = &[
    Field::new(
        "name",
        Ty::TEXT,
        Get::Container(|look, pod, n| {
            let container = look.store().pod_spec(pod.spec).container(n);
            container.map_or("".into(), |container| look.word(container.name))
        }),
        "its name",
    ),
    Field::new("image", Ty::TEXT, Get::Container(|look, pod, n| image(look, pod, Some(n))), "its image"),
    Field::new(
        "ready",
        Ty::BOOL,
        Get::Container(|look, pod, n| status(look, pod, n).is_some_and(|status| status.ready).into()),
        "it is ready",
    ),
    Field::new(
        "restartCount",
        Ty::INT,
        Get::Container(|look, pod, n| status(look, pod, n).map_or(0, |status| status.restarts).into()),
        "how often it has been restarted",
    ),
    Field::new(
        "running",
        Ty::BOOL,
        Get::Container(|look, pod, n| {
            status(look, pod, n).is_some_and(|status| status.state.is_running()).into()
        }),
        "its state is running",
    ),
    Field::new(
        "waiting",
        Ty::TEXT,
        Get::Container(|look, pod, n| {
            status(look, pod, n).map_or("ContainerCreating", |status| waiting(status.state)).into()
        }),
        "what it waits for: ContainerCreating, CrashLoopBackOff, ImagePullBackOff ...; empty if it does not",
    ),
    Field::new(
        "exitCode",
        Ty::INT,
        Get::Container(|look, pod, n| {
            let status = status(look, pod, n);
            let ended = status.map_or(Ended::NONE, |s| if s.ended == Ended::NONE { s.last } else { s.ended });
            u32::from(ended.code).into()
        }),
        "exit code of its last end; 0 if it has not ended",
    ),
];

/// Physical truth.
pub(super) const PROCESS: &[Field] = &[
    Field::new(
        "pod",
        Ty::TEXT,
        Get::Process(|look, process| look.pod_name(process.pod)),
        "name of the pod it belongs to",
    ),
    Field::new(
        "uid",
        Ty::TEXT,
        Get::Process(|look, process| look.uid(process.uid)),
        "uid of the pod it belongs to, which may be gone from the API",
    ),
    Field::new(
        "node",
        Ty::TEXT,
        Get::Process(|look, process| look.node_name(process.node)),
        "name of the machine it runs on",
    ),
    Field::new(
        "orphaned",
        Ty::BOOL,
        Get::Process(is_orphaned),
        "the API has no such incarnation of the pod any more",
    )
    .reading(Reads::kind(crate::api::kind::Kind::Pod)),
];

fn is_orphaned<'a>(look: &Look<'a>, process: Running) -> Value<'a> {
    look.store().pods.get_uid(process.pod, process.uid).is_none().into()
}

fn revision<'a>(look: &Look<'a>, pod: Found<'a, Pod>) -> Value<'a> {
    let label = |key| look.label(Labels::Pod(pod.object), key);
    label(REVISION_LABEL).or_else(|| label("pod-template-hash")).map_or("".into(), Value::Text)
}

fn image<'a>(look: &Look<'a>, pod: Found<'a, Pod>, index: Option<usize>) -> Value<'a> {
    let spec = look.store().pod_spec(pod.spec);
    let container = spec.container(index.unwrap_or(spec.inits.len()));
    container.map_or("".into(), |container| look.word(container.image))
}

fn min_ready(look: &Look<'_>, pod: Found<'_, Pod>) -> u32 {
    let store = look.store();
    let Some(owner) = store.controller_of(pod.meta.owners) else { return 0 };
    let namespace = pod.meta.namespace;
    let of_set = store.stateful_sets.find(namespace, owner.name).filter(|(_, set)| set.meta.uid == owner.uid);
    if let Some((_, set)) = of_set {
        return set.spec.min_ready;
    }
    let of_set = store.replica_sets.find(namespace, owner.name).filter(|(_, set)| set.meta.uid == owner.uid);
    of_set.map_or(0, |(_, set)| set.spec.min_ready)
}

fn status(look: &Look<'_>, pod: Found<'_, Pod>, index: usize) -> Option<ContainerStatus> {
    look.store().container_statuses(pod.object).get(index).copied()
}

fn waiting(state: Containers) -> &'static str {
    match state {
        Containers::Unreported | Containers::Creating => "ContainerCreating",
        Containers::ErrImagePull => "ErrImagePull",
        Containers::ImagePullBackOff => "ImagePullBackOff",
        Containers::CrashLoopBackOff(_) => "CrashLoopBackOff",
        Containers::Running | Containers::Terminated(_) => "",
    }
}

/// Why a pod failed; reasons of scheduling are in its conditions.
fn reason(pod: &Pod) -> &'static str {
    if pod.is_terminal() { pod.reason.as_str() } else { "" }
}

fn conditions(pod: &Pod) -> impl Iterator<Item = StatusCondition> + use<> {
    let flags = pod.flags;
    let told = [
        (PodFlags::SANDBOX, "PodReadyToStartContainers"),
        (PodFlags::INITIALIZED, "Initialized"),
        (PodFlags::READY, "Ready"),
        (PodFlags::CONTAINERS_READY, "ContainersReady"),
    ];
    let reported =
        told.into_iter().filter(move |_| flags.has(PodFlags::REPORTED)).map(move |(flag, kind)| {
            let status = if flags.has(flag) { "True" } else { "False" };
            StatusCondition { kind, status, reason: "" }
        });
    let unscheduled = if pod.is_terminal() { "Unschedulable" } else { pod.reason.as_str() };
    let scheduled = [
        (PodFlags::SCHEDULED, "PodScheduled", "True", ""),
        (PodFlags::UNSCHEDULABLE, "PodScheduled", "False", unscheduled),
        (PodFlags::DISRUPTION_TARGET, "DisruptionTarget", "True", pod.disruption.as_str()),
    ];
    let scheduled = scheduled.into_iter().filter(move |(flag, ..)| flags.has(*flag));
    reported.chain(scheduled.map(|(_, kind, status, reason)| StatusCondition { kind, status, reason }))
}
