//! The API server as kubectl sees it: every kind by name, those included that the store only makes up.
//!
//! Events, Endpoints, CSINodes and CSIDrivers are not stored; what a real server would list is derived here from
//! Events of the run, EndpointSlices and Nodes.
use super::resource::ResourceKind;
use crate::api::kind::Kind;
use crate::api::manifest;
use crate::api::objects::Seconds;
use crate::api::rest::{ObjectRef, Resource};
use crate::api::status::Status;
use crate::api::text::timestamp;
use crate::api::wire::fields::{at, list, text, text_at, texts};
use crate::world::{Actor, World};
use serde_json::{Value, json};

/// The CSI driver of every cluster.
const DRIVER: &str = "ebs.csi.aws.com";
/// Beginning of virtual time, in nanoseconds since 1970: what the names of Events count from.
const EPOCH_NANOS: u64 = 1_767_225_600_000_000_000;

/// A type of object: one that commands can name, or one that only manifests can be of.
#[derive(Clone, Copy, Debug)]
pub(super) struct Type {
    /// `StatefulSet`.
    pub(super) kind: &'static str,
    /// `statefulsets`.
    pub(super) plural: &'static str,
    /// `apps`; empty for the core group.
    pub(super) group: &'static str,
    /// Objects live in a namespace.
    pub(super) namespaced: bool,
    /// The kind that commands can name.
    pub(super) known: Option<ResourceKind>,
    manifest: Option<&'static manifest::Kind>,
}

impl PartialEq for Type {
    fn eq(&self, other: &Type) -> bool {
        (self.kind, self.group) == (other.kind, other.group)
    }
}

impl From<ResourceKind> for Type {
    fn from(kind: ResourceKind) -> Type {
        let group = kind.group();
        let api_version =
            if group.is_empty() { "v1".to_owned() } else { format!("{group}/{}", kind.version()) };
        Type {
            kind: kind.kind(),
            plural: kind.plural(),
            group,
            namespaced: kind.namespaced(),
            known: Some(kind),
            manifest: manifest::find_kind(&api_version, kind.kind()),
        }
    }
}

impl From<&'static manifest::Kind> for Type {
    fn from(kind: &'static manifest::Kind) -> Type {
        let known = ResourceKind::EVERY
            .into_iter()
            .find(|known| known.kind() == kind.kind && known.group() == kind.group());
        Type {
            kind: kind.kind,
            plural: kind.resource,
            group: kind.group(),
            namespaced: kind.namespaced,
            known,
            manifest: Some(kind),
        }
    }
}

impl Type {
    /// `statefulset.apps`.
    pub(super) fn singular(self) -> String {
        let name = self.kind.to_lowercase();
        if self.group.is_empty() { name } else { format!("{name}.{}", self.group) }
    }

    /// `statefulsets.apps`.
    pub(super) fn qualified(self) -> String {
        if self.group.is_empty() { self.plural.to_owned() } else { format!("{}.{}", self.plural, self.group) }
    }

    /// `apps/v1`.
    pub(super) fn api_version(self) -> String {
        if self.group.is_empty() { "v1".to_owned() } else { format!("{}/v1", self.group) }
    }

    /// The stored resource; None for what is made up.
    fn stored(self) -> Option<Resource> {
        match self.known {
            Some(
                ResourceKind::Event
                | ResourceKind::Endpoints
                | ResourceKind::CsiNode
                | ResourceKind::CsiDriver,
            ) => None,
            _ => self.manifest.map(Resource::from),
        }
    }
}

/// All objects of a type, in one namespace or in all, by namespace and name.
pub(super) fn list_all(world: &World, kind: Type, namespace: Option<&str>) -> Vec<Value> {
    if let Some(resource) = kind.stored() {
        let found = world.rest_list(resource, namespace);
        return found.into_iter().filter_map(|object| world.rest_get(object).ok()).collect();
    }
    let mut made = match kind.known {
        Some(ResourceKind::Event) => events(world),
        Some(ResourceKind::Endpoints) => endpoints(world),
        Some(ResourceKind::CsiNode) => csi_nodes(world),
        Some(ResourceKind::CsiDriver) => vec![csi_driver()],
        _ => Vec::new(),
    };
    made.retain(|object| {
        !kind.namespaced
            || namespace.is_none_or(|wanted| text_at(object, &["metadata", "namespace"]) == wanted)
    });
    made.sort_by(|a, b| key_of(a).cmp(&key_of(b)));
    made
}

fn key_of(object: &Value) -> (&str, &str) {
    (text_at(object, &["metadata", "namespace"]), text_at(object, &["metadata", "name"]))
}

/// The stored object of this name.
pub(super) fn find(world: &World, kind: Type, namespace: &str, name: &str) -> Option<ObjectRef> {
    world.rest_find(kind.stored()?, namespace, name)
}

/// The object of this name.
///
/// # Errors
/// `NotFound`.
pub(super) fn get(world: &World, kind: Type, namespace: &str, name: &str) -> Result<Value, Status> {
    let found = match find(world, kind, namespace, name) {
        Some(object) => world.rest_get(object).ok(),
        None if kind.stored().is_some() => None,
        None => {
            let namespace = kind.namespaced.then_some(namespace);
            let mut all = list_all(world, kind, namespace).into_iter();
            all.find(|object| text_at(object, &["metadata", "name"]) == name)
        }
    };
    found.ok_or_else(|| Status::not_found(&kind.qualified(), name))
}

/// The object of this name as something that can be written.
///
/// # Errors
/// `NotFound`; 405 for what is made up.
pub(super) fn writable(world: &World, kind: Type, namespace: &str, name: &str) -> Result<ObjectRef, Status> {
    if kind.stored().is_none() {
        let message = "the server does not allow this method on the requested resource".to_owned();
        return Err(Status::new(405, "MethodNotAllowed", message));
    }
    find(world, kind, namespace, name).ok_or_else(|| Status::not_found(&kind.qualified(), name))
}

/// Events of the run as v1 Events. Those of the scheduler come from the newer API and lack the older fields.
fn events(world: &World) -> Vec<Value> {
    let store = &world.store;
    let time = |at: crate::kernel::Time| Value::from(timestamp(Seconds::of(at).start().as_nanos()));
    let event = |(n, event): (u64, &crate::api::events::ApiEvent)| {
        let name = store.name_of(event.name);
        let namespace = match store.names.text(event.namespace) {
            "" => "default",
            namespace => namespace,
        };
        let component = event.source.as_str();
        let mut object = json!({
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {
                "name": format!("{name}.{:x}", EPOCH_NANOS + event.first.as_nanos() + n),
                "namespace": namespace,
                "creationTimestamp": time(event.first),
            },
            "involvedObject": {
                "kind": event.kind.as_str(),
                "apiVersion": event.kind.api_version(),
                "name": name,
                "namespace": store.names.text(event.namespace),
                "uid": store.uid_text(event.uid),
            },
            "type": if event.warning { "Warning" } else { "Normal" },
            "reason": event.reason,
            "message": event.message,
            "reportingComponent": component,
            "reportingInstance": "",
        });
        if event.source == Actor::TaintEviction
            && let Some(about) = object["involvedObject"].as_object_mut()
        {
            // It knows the pod by its name only (taint_eviction.go emitPodDeletionEvent): describe does not find it.
            about.remove("uid");
        }
        if event.source == Actor::Scheduler {
            object["eventTime"] = time(event.first);
            if event.count > 1 {
                object["series"] = json!({"count": event.count, "lastObservedTime": time(event.last)});
            }
        } else {
            object["eventTime"] = Value::Null;
            object["source"] = json!({"component": component});
            object["firstTimestamp"] = time(event.first);
            object["lastTimestamp"] = time(event.last);
            object["count"] = event.count.into();
        }
        object
    };
    (0..).zip(world.events.iter()).map(event).collect()
}

/// What the endpoints controller makes of the same services: one object each.
fn endpoints(world: &World) -> Vec<Value> {
    let slices = list_all(world, ResourceKind::EndpointSlice.into(), None);
    let of_service = |service: &Value| {
        let name = text_at(service, &["metadata", "name"]);
        let namespace = text_at(service, &["metadata", "namespace"]);
        let mut subsets = Vec::new();
        for slice in slices.iter().filter(|slice| {
            text_at(slice, &["metadata", "labels", "kubernetes.io/service-name"]) == name
                && text_at(slice, &["metadata", "namespace"]) == namespace
        }) {
            let (ready, unready): (Vec<_>, Vec<_>) = list(slice, "endpoints")
                .iter()
                .partition(|endpoint| at(endpoint, &["conditions", "ready"]) == Some(&Value::Bool(true)));
            let addresses = |endpoints: Vec<&Value>| -> Vec<Value> {
                let address = |endpoint: &Value| {
                    texts(endpoint, "addresses").map(|ip| json!({"ip": ip})).collect::<Vec<_>>()
                };
                endpoints.into_iter().flat_map(address).collect()
            };
            let mut subset = json!({"ports": slice.get("ports").cloned().unwrap_or_default()});
            for (field, addresses) in
                [("addresses", addresses(ready)), ("notReadyAddresses", addresses(unready))]
            {
                if !addresses.is_empty() {
                    subset[field] = addresses.into();
                }
            }
            subsets.push(subset);
        }
        json!({
            "apiVersion": "v1",
            "kind": "Endpoints",
            "metadata": {
                "name": name,
                "namespace": namespace,
                "creationTimestamp": text_at(service, &["metadata", "creationTimestamp"]),
            },
            "subsets": subsets,
        })
    };
    let services = list_all(world, ResourceKind::Service.into(), None);
    let with_selector = services.iter().filter(|service| at(service, &["spec", "selector"]).is_some());
    with_selector.map(of_service).collect()
}

fn csi_nodes(world: &World) -> Vec<Value> {
    let nodes = world.rest_list(Kind::Node, None);
    let csi_node = |object: ObjectRef| {
        let node = world.rest_get(object).ok()?;
        let limit = world.store.nodes.get(object.id()).and_then(|node| node.volumes);
        let mut driver = json!({
            "name": DRIVER,
            "nodeID": text_at(&node, &["metadata", "name"]),
            "topologyKeys": ["topology.kubernetes.io/zone"],
        });
        if let Some(limit) = limit {
            driver["allocatable"] = json!({"count": limit});
        }
        Some(json!({
            "apiVersion": "storage.k8s.io/v1",
            "kind": "CSINode",
            "metadata": {
                "name": text_at(&node, &["metadata", "name"]),
                "creationTimestamp": text_at(&node, &["metadata", "creationTimestamp"]),
                "ownerReferences": [{
                    "apiVersion": "v1",
                    "kind": "Node",
                    "name": text_at(&node, &["metadata", "name"]),
                    "uid": text_at(&node, &["metadata", "uid"]),
                }],
            },
            "spec": {"drivers": [driver]},
        }))
    };
    nodes.into_iter().filter_map(csi_node).collect()
}

fn csi_driver() -> Value {
    json!({
        "apiVersion": "storage.k8s.io/v1",
        "kind": "CSIDriver",
        "metadata": {"name": DRIVER, "creationTimestamp": timestamp(0)},
        "spec": {
            "attachRequired": true,
            "fsGroupPolicy": "ReadWriteOnceWithFSType",
            "podInfoOnMount": false,
            "requiresRepublish": false,
            "seLinuxMount": false,
            "storageCapacity": false,
            "volumeLifecycleModes": ["Persistent"],
        },
    })
}

/// `kind/name` of an object: `statefulset.apps/web`.
pub(super) fn object_name(kind: Type, object: &Value) -> String {
    format!("{}/{}", kind.singular(), text(object.get("metadata").unwrap_or(&Value::Null), "name"))
}
