//! Nodes on the wire.
//!
//! Of a node's status the simulator keeps what is acted on; the rest (addresses, pressure conditions, nodeInfo) is what
//! a healthy kubelet would report. The number of volumes a node can hold belongs to its CSINode and is not shown here;
//! it is read from the allocatable resource `attachable-volumes-csi-ebs.csi.aws.com` where a manifest has that.
use super::fields::{at, flag, list, text, text_at, texts};
use super::{Wire, head, meta, unless_empty, without_nulls};
use crate::api::names::Sym;
use crate::api::objects::*;
use crate::api::quantity::{Format, Quantity};
use crate::api::store::{REGION_LABEL, Store, ZONE_LABEL};
use crate::kernel::Id;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::sync::Arc;

const ATTACHABLE: &str = "attachable-volumes-csi-ebs.csi.aws.com";
const ATTACHED_PREFIX: &str = "kubernetes.io/csi/ebs.csi.aws.com^";
/// The first node's address; the others follow.
const FIRST_ADDRESS: u32 = u32::from_be_bytes([172, 18, 0, 2]);
/// Conditions besides Ready, which are False while all is well.
const PRESSURES: [(&str, &str, &str); 3] = [
    ("MemoryPressure", "KubeletHasSufficientMemory", "kubelet has sufficient memory available"),
    ("DiskPressure", "KubeletHasNoDiskPressure", "kubelet has no disk pressure"),
    ("PIDPressure", "KubeletHasSufficientPID", "kubelet has sufficient PID available"),
];

/// The address of a node: a function of its table position.
pub(super) fn address(node: Id<Node>) -> Ip {
    Ip(FIRST_ADDRESS.wrapping_add(node.as_u32()))
}

fn unique_name(store: &Store, id: Id<Volume>) -> Option<String> {
    let volume = store.volumes.last_known(id)?;
    Some(format!("{ATTACHED_PREFIX}{}", store.volume_handle(volume.disk)))
}

/// The volumes with these unique names, sorted: one pass over all volumes, however many names there are.
fn volumes_of<'a>(store: &Store, names: impl Iterator<Item = &'a str>) -> Vec<Id<Volume>> {
    let handles = names.filter_map(|name| name.strip_prefix(ATTACHED_PREFIX));
    let mut wanted: BTreeSet<u32> = handles.filter_map(|handle| store.disk_from_text(handle)).collect();
    if wanted.is_empty() {
        return Vec::new();
    }
    store.volumes.iter().filter(|(_, volume)| wanted.remove(&volume.disk)).map(|(id, _)| id).collect()
}

fn conditions(node: &Node) -> Value {
    let time = meta::time(node.ready_since);
    let condition = |kind: &str, status: &str, reason: &str, message: &str| {
        json!({
            "type": kind,
            "status": status,
            "reason": reason,
            "message": message,
            "lastHeartbeatTime": time.clone(),
            "lastTransitionTime": time.clone(),
        })
    };
    let (ready, reason, message) = match node.ready {
        NodeReady::Missing => return json!([]),
        NodeReady::True => ("True", "KubeletReady", "kubelet is posting ready status"),
        NodeReady::False => ("False", "KubeletNotReady", "node is shutting down"),
        NodeReady::Unknown => ("Unknown", "NodeStatusUnknown", "Kubelet stopped posting node status."),
    };
    let pressures = PRESSURES.iter().map(|(kind, well, words)| match node.ready {
        NodeReady::Unknown => condition(kind, ready, reason, message),
        _ => condition(kind, "False", well, words),
    });
    pressures.chain([condition("Ready", ready, reason, message)]).collect()
}

impl Wire for Node {
    fn to_json(&self, store: &Store) -> Value {
        let mut json = head::<Node>(store, &self.meta);
        let name = store.name_of(self.meta.name);
        let taints: Vec<Value> = self.taints.iter().map(|taint| taint_to_json(store, *taint)).collect();
        json["spec"] = without_nulls(json!({
            "providerID": format!("stsim://{name}"),
            "unschedulable": self.unschedulable.then_some(true),
            "taints": if taints.is_empty() { Value::Null } else { taints.into() },
        }));
        let resources = json!({
            "cpu": Quantity::from_milli(i64::try_from(self.cpu).unwrap_or(i64::MAX)).to_string(),
            "memory": Quantity::units(i64::try_from(self.memory).unwrap_or(i64::MAX), Format::BinarySi).to_string(),
            "pods": self.pods.to_string(),
        });
        let address = store.nodes.id(Sym::EMPTY, self.meta.name).map(address).unwrap_or_default();
        let mut status = json!({
            "addresses": [
                {"type": "InternalIP", "address": address.render()},
                {"type": "Hostname", "address": name},
            ],
            "allocatable": resources.clone(),
            "capacity": resources,
            "conditions": conditions(self),
            "daemonEndpoints": {"kubeletEndpoint": {"Port": 10250}},
            "nodeInfo": node_info(store, self),
        });
        let in_use: Vec<_> = self.volumes_in_use.iter().filter_map(|id| unique_name(store, *id)).collect();
        if !in_use.is_empty() {
            status["volumesInUse"] = in_use.into();
        }
        let attached: Vec<_> =
            self.volumes_attached.iter().filter_map(|id| unique_name(store, *id)).collect();
        if !attached.is_empty() {
            status["volumesAttached"] =
                attached.iter().map(|name| json!({"name": name, "devicePath": ""})).collect();
        }
        json["status"] = status;
        json
    }

    fn from_json(store: &mut Store, json: &Value) -> Node {
        let label = |key| text_at(json, &["metadata", "labels", key]).to_owned();
        let (zone, region) = (label(ZONE_LABEL), label(REGION_LABEL));
        let empty = Value::Null;
        let (spec, status) = (json.get("spec").unwrap_or(&empty), json.get("status").unwrap_or(&empty));
        let resources = at(status, &["allocatable"]).or(at(status, &["capacity"])).unwrap_or(&empty);
        let resource = |name| resources.get(name).and_then(|value| Quantity::from_json(value).ok());
        let whole = |name| resource(name).map_or(0, |quantity| u64::try_from(quantity.value()).unwrap_or(0));
        let ready = list(status, "conditions").iter().find(|condition| text(condition, "type") == "Ready");
        let in_use = volumes_of(store, texts(status, "volumesInUse"));
        let attached = volumes_of(store, list(status, "volumesAttached").iter().map(|v| text(v, "name")));
        Node {
            zone: store.names.word(&zone),
            region: store.names.word(&region),
            unschedulable: flag(spec, "unschedulable"),
            taints: list(spec, "taints").iter().filter_map(|taint| taint_from_json(store, taint)).collect(),
            cpu: resource("cpu").map_or(0, |quantity| u64::try_from(quantity.milli()).unwrap_or(0)),
            memory: whole("memory"),
            pods: u32::try_from(whole("pods")).unwrap_or(u32::MAX),
            volumes: resource(ATTACHABLE).and_then(|quantity| u32::try_from(quantity.value()).ok()),
            ready: match ready.map(|condition| text(condition, "status")) {
                None => NodeReady::Missing,
                Some("True") => NodeReady::True,
                Some("False") => NodeReady::False,
                Some(_) => NodeReady::Unknown,
            },
            ready_since: ready.map_or(Seconds::NEVER, |c| meta::seconds(c, "lastTransitionTime")),
            volumes_in_use: Arc::new(in_use),
            volumes_attached: Arc::new(attached),
            meta: meta::from_json(store, Node::KIND, json, |_, _| true),
        }
    }

    fn keep_status(&mut self, old: &Node) {
        *self = Node {
            meta: self.meta,
            zone: self.zone,
            region: self.region,
            unschedulable: self.unschedulable,
            taints: if self.taints == old.taints { old.taints.clone() } else { self.taints.clone() },
            ..old.clone()
        };
    }
}

fn node_info(store: &Store, node: &Node) -> Value {
    json!({
        "architecture": "amd64",
        "containerRuntimeVersion": "containerd://2.2.0",
        "kernelVersion": "6.12.0",
        "kubeProxyVersion": "",
        "kubeletVersion": "v1.36.2",
        "machineID": store.uid_text(node.meta.uid).replace('-', ""),
        "operatingSystem": "linux",
        "osImage": "stsim",
    })
}

fn taint_to_json(store: &Store, taint: Taint) -> Value {
    without_nulls(json!({
        "key": store.names.text(taint.key),
        "value": unless_empty(store.names.text(taint.value)),
        "effect": taint.effect.as_str(),
        "timeAdded": meta::time(taint.added),
    }))
}

fn taint_from_json(store: &mut Store, taint: &Value) -> Option<Taint> {
    Some(Taint {
        effect: Effect::parse(text(taint, "effect"))?,
        key: store.names.word(text(taint, "key")),
        value: store.names.word(text(taint, "value")),
        added: meta::seconds(taint, "timeAdded"),
    })
}
