//! Nodes, services, Events and faults.
use super::{Field, Get, Look, list};
use crate::api::objects::*;
use crate::expect::reads::Reads;
use crate::expect::types::{Class, Found, Handle, Labels, Ty, Value};

/// v1 Node; `powered` is physical truth.
pub(super) const NODE: &[Field] = &[
    Field::new(
        "ready",
        Ty::BOOL,
        Get::Node(|_, node| (node.ready == NodeReady::True).into()),
        "condition Ready is True",
    ),
    Field::new(
        "status",
        Ty::TEXT,
        Get::Node(status),
        "status of condition Ready: True, False, Unknown; empty before its first report",
    ),
    Field::new("zone", Ty::TEXT, Get::Node(|look, node| look.word(node.zone)), "its zone; may be empty"),
    Field::new(
        "region",
        Ty::TEXT,
        Get::Node(|look, node| look.word(node.region)),
        "its region; may be empty",
    ),
    Field::new(
        "powered",
        Ty::BOOL,
        Get::Node(|look, node| look.cluster.kubelets.is_node_alive(node.id).into()),
        "the machine really has power",
    )
    .reading(Reads::MACHINES),
    Field::new(
        "metadata.labels",
        Ty::LABELS,
        Get::Node(|_, node| Value::Labels(Labels::Set(node.meta.labels))),
        "labels",
    ),
    Field::new(
        "spec.unschedulable",
        Ty::BOOL,
        Get::Node(|_, node| node.unschedulable.into()),
        "it is cordoned",
    ),
    Field::new(
        "spec.taints",
        Ty::object(Class::Taint).list(),
        Get::Node(|_, node| list(node.object.taints.iter().map(Handle::Taint))),
        "taints",
    ),
];

fn status<'a>(_: &Look<'a>, node: Found<'a, Node>) -> Value<'a> {
    match node.ready {
        NodeReady::Missing => "",
        NodeReady::True => "True",
        NodeReady::False => "False",
        NodeReady::Unknown => "Unknown",
    }
    .into()
}

/// A taint of a node.
pub(super) const TAINT: &[Field] = &[
    Field::new("key", Ty::TEXT, Get::Taint(|look, taint| look.word(taint.key)), "key"),
    Field::new("value", Ty::TEXT, Get::Taint(|look, taint| look.word(taint.value)), "value; may be empty"),
    Field::new(
        "effect",
        Ty::TEXT,
        Get::Taint(|_, taint| taint.effect.as_str().into()),
        "NoSchedule, PreferNoSchedule or NoExecute",
    ),
];

/// v1 Service.
pub(super) const SERVICE: &[Field] = &[
    Field::new(
        "headless",
        Ty::BOOL,
        Get::Service(|_, service| (service.service_type == ServiceType::Headless).into()),
        "clusterIP is None",
    ),
    Field::new(
        "metadata.labels",
        Ty::LABELS,
        Get::Service(|_, service| Value::Labels(Labels::Set(service.meta.labels))),
        "labels",
    ),
    Field::new(
        "spec.clusterIP",
        Ty::TEXT,
        Get::Service(|look, service| match service.service_type {
            ServiceType::Headless => "None".into(),
            _ => look.ip(service.cluster_ip),
        }),
        "its virtual address, or None",
    ),
    Field::new(
        "spec.publishNotReadyAddresses",
        Ty::BOOL,
        Get::Service(|_, service| service.publish_not_ready.into()),
        "also pods that are not ready have addresses",
    ),
];

/// An endpoint of a service's EndpointSlices.
pub(super) const ENDPOINT: &[Field] = &[
    Field::new(
        "pod",
        Ty::TEXT,
        Get::Endpoint(|look, endpoint| look.pod_name(endpoint.pod)),
        "name of its pod",
    ),
    Field::new("ip", Ty::TEXT, Get::Endpoint(|look, endpoint| look.ip(endpoint.ip)), "its address"),
    Field::new(
        "node",
        Ty::TEXT,
        Get::Endpoint(|look, endpoint| look.node_name(endpoint.node)),
        "name of its node",
    ),
    Field::new("ready", Ty::BOOL, Get::Endpoint(|_, endpoint| endpoint.ready.into()), "it gets traffic"),
    Field::new(
        "serving",
        Ty::BOOL,
        Get::Endpoint(|_, endpoint| endpoint.serving.into()),
        "its pod is ready, whether or not it terminates",
    ),
    Field::new(
        "terminating",
        Ty::BOOL,
        Get::Endpoint(|_, endpoint| endpoint.terminating.into()),
        "its pod is being deleted",
    ),
];

/// A Kubernetes Event.
pub(super) const EVENT: &[Field] = &[
    Field::new(
        "reason",
        Ty::TEXT,
        Get::Event(|_, event| event.reason.into()),
        "FailedScheduling, BackOff, Killing ...",
    ),
    Field::new("message", Ty::TEXT, Get::Event(|_, event| event.message.as_str().into()), "message"),
    Field::new(
        "type",
        Ty::TEXT,
        Get::Event(|_, event| if event.warning { "Warning" } else { "Normal" }.into()),
        "Normal or Warning",
    ),
    Field::new(
        "source",
        Ty::TEXT,
        Get::Event(|_, event| event.source.as_str().into()),
        "the component that reports it",
    ),
    Field::new("count", Ty::INT, Get::Event(|_, event| event.count.into()), "how often it happened"),
    Field::new(
        "firstTimestamp",
        Ty::DURATION,
        Get::Event(|_, event| event.first.into()),
        "when it happened first",
    ),
    Field::new(
        "lastTimestamp",
        Ty::DURATION,
        Get::Event(|_, event| event.last.into()),
        "when it happened last",
    ),
    Field::new(
        "uid",
        Ty::TEXT,
        Get::Event(|look, event| look.uid(event.uid)),
        "uid of the object it is about",
    ),
];

/// A fault of the scenario that has a name.
pub(super) const FAULT: &[Field] = &[
    Field::new(
        "active",
        Ty::BOOL,
        Get::Fault(|look, name| look.cluster.world.faults.active(name).into()),
        "it has been done, and is not undone yet",
    ),
    Field::new(
        "times",
        Ty::INT,
        Get::Fault(|look, name| look.cluster.world.faults.get(name).map_or(0, |fault| fault.times).into()),
        "how often it has been done",
    ),
];
