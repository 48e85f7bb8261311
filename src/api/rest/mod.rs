//! The verbs of the API server as users have them: find, list, get, create, update, patch, delete, scale, evict.
//!
//! Everything here speaks JSON and names; controllers do not go this way, they write lean objects through
//! [`World::create`] and its kin. A request passes the stages of k8s.io/apiserver in their order: decoding
//! ([`crate::api::manifest`]), defaults, mutating admission, preparation (what a client may not set), validation,
//! storage. One request is one moment: the latency of the API is the caller's.
mod create;
mod defaults;
mod delete;
mod update;

use crate::api::kind::Kind;
use crate::api::manifest;
use crate::api::names::{Sym, Uid};
use crate::api::objects::*;
use crate::api::status::Status;
use crate::api::store::{Store, Stored};
use crate::api::wire::Wire;
use crate::kernel::Id;
use crate::world::World;
use serde_json::{Value, json};

/// Does `$body` with `$T` being the type that stores objects of `$kind`.
macro_rules! with_type {
    ($kind:expr, $T:ident => $body:expr) => {
        match $kind {
            Kind::Namespace => {
                type $T = Namespace;
                $body
            }
            Kind::Node => {
                type $T = Node;
                $body
            }
            Kind::Pod => {
                type $T = Pod;
                $body
            }
            Kind::Claim => {
                type $T = Claim;
                $body
            }
            Kind::Volume => {
                type $T = Volume;
                $body
            }
            Kind::Service => {
                type $T = Service;
                $body
            }
            Kind::StatefulSet => {
                type $T = StatefulSet;
                $body
            }
            Kind::Deployment => {
                type $T = Deployment;
                $body
            }
            Kind::ReplicaSet => {
                type $T = ReplicaSet;
                $body
            }
            Kind::Revision => {
                type $T = ControllerRevision;
                $body
            }
            Kind::EndpointSlice => {
                type $T = EndpointSlice;
                $body
            }
            Kind::Budget => {
                type $T = Budget;
                $body
            }
            Kind::StorageClass => {
                type $T = StorageClass;
                $body
            }
            Kind::Attachment => {
                type $T = Attachment;
                $body
            }
            Kind::PriorityClass => {
                type $T = PriorityClass;
                $body
            }
            Kind::Inert => {
                type $T = Inert;
                $body
            }
        }
    };
}
use with_type;

/// One incarnation of one object.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ObjectRef {
    /// Its kind.
    pub kind: Kind,
    /// Its table position.
    pub index: u32,
    /// Its incarnation.
    pub uid: Uid,
}

impl ObjectRef {
    /// Its id; `T` must be the type of [`ObjectRef::kind`].
    pub fn id<T: Object>(self) -> Id<T> {
        debug_assert_eq!(T::KIND, self.kind);
        Id::from_index(self.index as usize)
    }

    fn of<T: Object>(id: Id<T>, object: &T) -> ObjectRef {
        ObjectRef { kind: T::KIND, index: id.as_u32(), uid: object.meta().uid }
    }
}

/// A kind as requests name it: the store's own, and which one of those it does not act on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Resource {
    /// The store's kind.
    pub kind: Kind,
    /// The schema's kind; None: any inert one.
    pub manifest: Option<&'static manifest::Kind>,
}

impl From<Kind> for Resource {
    fn from(kind: Kind) -> Resource {
        Resource { kind, manifest: manifest::find_kind(kind.api_version(), kind.as_str()) }
    }
}

impl From<&'static manifest::Kind> for Resource {
    fn from(found: &'static manifest::Kind) -> Resource {
        let kind = Kind::parse(found.kind).filter(|kind| kind.api_version() == found.api_version);
        Resource { kind: kind.unwrap_or(Kind::Inert), manifest: Some(found) }
    }
}

impl Resource {
    /// The resource name in messages, with its group: `statefulsets.apps`, `configmaps`.
    pub fn name(self) -> String {
        match self.manifest {
            Some(kind) if kind.group().is_empty() => kind.resource.to_owned(),
            Some(kind) => format!("{}.{}", kind.resource, kind.group()),
            None => self.kind.resource().to_owned(),
        }
    }

    /// True if its objects live in a namespace.
    pub fn is_namespaced(self) -> bool {
        self.manifest.map_or_else(|| self.kind.is_namespaced(), |kind| kind.namespaced)
    }

    /// What names of its objects are unique in.
    fn scope(self, store: &Store, namespace: &str) -> Option<Sym> {
        let namespace = if self.is_namespaced() { namespace } else { "" };
        match (self.kind, self.manifest) {
            (Kind::Inert, None) => None,
            (Kind::Inert, Some(kind)) => {
                store.names.known(&crate::api::wire::inert_scope(kind.api_version, kind.kind, namespace))
            }
            _ => store.names.known(namespace),
        }
    }
}

/// Namespaces every cluster has.
const NAMESPACES: [&str; 4] = ["default", "kube-node-lease", "kube-public", "kube-system"];
/// Priority classes every cluster has.
const PRIORITY_CLASSES: [(&str, i64, &str); 2] = [
    (
        "system-cluster-critical",
        2_000_000_000,
        "Used for system critical pods that must run in the cluster, but can be moved to another node if necessary.",
    ),
    (
        "system-node-critical",
        2_000_001_000,
        "Used for system critical pods that must not be moved from their current node.",
    ),
];

impl World {
    /// Creates what every cluster has from its first moment: namespaces, system priority classes and the Service of
    /// the API server itself.
    ///
    /// # Errors
    /// If something of it is already there.
    pub fn bootstrap(&mut self) -> Result<(), Status> {
        for namespace in NAMESPACES {
            self.rest_create(
                json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}),
            )?;
        }
        for (name, value, description) in PRIORITY_CLASSES {
            self.rest_create(json!({
                "apiVersion": "scheduling.k8s.io/v1",
                "kind": "PriorityClass",
                "metadata": {"name": name},
                "value": value,
                "description": description,
            }))?;
        }
        self.rest_create(json!({
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {
                "name": "kubernetes",
                "namespace": "default",
                "labels": {"component": "apiserver", "provider": "kubernetes"},
            },
            "spec": {
                "clusterIP": "10.96.0.1",
                "ports": [{"name": "https", "port": 443, "protocol": "TCP", "targetPort": 6443}],
            },
        }))?;
        Ok(())
    }

    /// The object of this name. The namespace of cluster-scoped kinds is ignored.
    pub fn rest_find(&self, resource: impl Into<Resource>, namespace: &str, name: &str) -> Option<ObjectRef> {
        let resource = resource.into();
        let scope = resource.scope(&self.store, namespace)?;
        if resource.kind == Kind::Attachment {
            return self.find_attachment(name);
        }
        let name = self.store.known_name(name)?;
        with_type!(resource.kind, T => {
            let (id, object) = T::table(&self.store).find(scope, name)?;
            Some(ObjectRef::of(id, object))
        })
    }

    /// Attachments are named by a hash; only looking at all of them tells whose.
    fn find_attachment(&self, name: &str) -> Option<ObjectRef> {
        let mut all = self.store.attachments.iter();
        let found = all.find(|(_, attachment)| self.store.name_of(attachment.meta.name) == name);
        found.map(|(id, attachment)| ObjectRef::of(id, attachment))
    }

    /// The objects of a kind, in one namespace or in all, in etcd's order: by namespace, then by name.
    pub fn rest_list(&self, resource: impl Into<Resource>, namespace: Option<&str>) -> Vec<ObjectRef> {
        let resource = resource.into();
        let namespace = namespace.filter(|_| resource.is_namespaced());
        let wanted = namespace.map(|namespace| self.store.names.known(namespace));
        let mut found: Vec<(&str, String, ObjectRef)> = Vec::new();
        with_type!(resource.kind, T => {
            for (id, object) in T::table(&self.store).iter() {
                let meta = object.meta();
                if wanted.is_none_or(|wanted| wanted == Some(meta.namespace)) && self.is_of(resource, object.scope()) {
                    let namespace = self.store.names.text(meta.namespace);
                    found.push((namespace, self.store.name_of(meta.name), ObjectRef::of(id, object)));
                }
            }
        });
        found.sort_unstable_by(|a, b| (a.0, &a.1).cmp(&(b.0, &b.1)));
        found.into_iter().map(|(_, _, object)| object).collect()
    }

    /// An inert object is of this kind.
    fn is_of(&self, resource: Resource, scope: Sym) -> bool {
        match (resource.kind, resource.manifest) {
            (Kind::Inert, Some(kind)) => {
                let prefix = crate::api::wire::inert_scope(kind.api_version, kind.kind, "");
                self.store.names.text(scope).starts_with(&prefix)
            }
            _ => true,
        }
    }

    /// The whole object.
    ///
    /// # Errors
    /// `NotFound` if this incarnation is gone.
    pub fn rest_get(&self, object: ObjectRef) -> Result<Value, Status> {
        with_type!(object.kind, T => self.rest_get_as::<T>(object))
    }

    fn rest_get_as<T: Wire>(&self, object: ObjectRef) -> Result<Value, Status> {
        let found = T::table(&self.store).get_uid(object.id::<T>(), object.uid);
        let mut json = found.ok_or_else(|| self.gone::<T>(object.id()))?.to_json(&self.store);
        if object.kind == Kind::Pod {
            self.explain_unscheduled(object, &mut json);
        }
        Ok(json)
    }

    /// The resource an object belongs to.
    pub fn rest_resource(&self, object: ObjectRef) -> Resource {
        let inert = self.store.inert.last_known(Id::from_index(object.index as usize));
        match inert.filter(|_| object.kind == Kind::Inert) {
            None => object.kind.into(),
            Some(inert) => {
                let (api_version, kind) = inert.type_of(&self.store);
                Resource { kind: Kind::Inert, manifest: manifest::find_kind(api_version, kind) }
            }
        }
    }

    /// 404 for an object that was there.
    fn gone<T: Stored>(&self, id: Id<T>) -> Status {
        let name = T::table(&self.store).last_known(id).map(|object| self.store.name_of(object.meta().name));
        Status::not_found(T::KIND.resource(), &name.unwrap_or_default())
    }

    /// The message of condition PodScheduled is what the scheduler last said about the pod.
    fn explain_unscheduled(&self, object: ObjectRef, json: &mut Value) {
        let conditions = json.pointer_mut("/status/conditions").and_then(Value::as_array_mut);
        let condition = conditions
            .into_iter()
            .flatten()
            .find(|condition| condition["type"] == "PodScheduled" && condition["status"] == "False");
        let said =
            self.events.iter().filter(|event| event.uid == object.uid && event.reason == "FailedScheduling");
        if let (Some(condition), Some(event)) = (condition, said.max_by_key(|event| event.last)) {
            condition["message"] = event.message.as_str().into();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::patch::PatchType;
    use crate::config::Config;
    use proptest::prelude::*;

    pub(super) fn world() -> World {
        let mut world = World::new(1, Config::recorded());
        world.bootstrap().expect("an empty world");
        world
    }

    pub(super) fn created(world: &mut World, manifest: Value) -> ObjectRef {
        world.rest_create(manifest.clone()).unwrap_or_else(|error| panic!("{error}: {manifest}"))
    }

    #[test]
    fn lists_are_in_etcds_order() {
        let mut world = world();
        for (kind, name, namespace) in [
            ("ConfigMap", "b", "default"),
            ("ConfigMap", "a-10", "default"),
            ("ConfigMap", "a-9", "default"),
            ("Secret", "a", "default"),
            ("ConfigMap", "z", "kube-system"),
        ] {
            let metadata = json!({"name": name, "namespace": namespace});
            created(&mut world, json!({"apiVersion": "v1", "kind": kind, "metadata": metadata}));
        }
        let maps = manifest::find_kind("v1", "ConfigMap").expect("known");
        let names = |namespace| {
            let found = world.rest_list(maps, namespace).into_iter();
            found
                .map(|object| world.rest_get(object).expect("there")["metadata"]["name"].clone())
                .collect::<Vec<_>>()
        };
        assert_eq!(names(Some("default")), ["a-10", "a-9", "b"]);
        assert_eq!(names(None), ["a-10", "a-9", "b", "z"]);
        assert_eq!(names(Some("nosuch")), [""; 0]);
        assert!(world.rest_find(maps, "default", "a").is_none());
        let secret = world.rest_find(manifest::find_kind("v1", "Secret").expect("known"), "default", "a");
        assert_eq!(secret.map(|object| world.rest_resource(object).name()), Some("secrets".into()));
        assert_eq!(world.rest_list(Kind::Service, None).len(), 1);
    }

    #[test]
    fn names_are_taken_or_generated() {
        let mut world = world();
        let map = |metadata: Value| json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata});
        created(&mut world, map(json!({"name": "a"})));
        let refused = world.rest_create(map(json!({"name": "a"}))).expect_err("taken");
        assert_eq!((refused.code, refused.message.as_str()), (409, "configmaps \"a\" already exists"));
        let refused =
            world.rest_create(map(json!({"name": "a", "namespace": "x"}))).expect_err("no namespace");
        assert_eq!(refused.message, "namespaces \"x\" not found");
        let [one, two] = [(); 2].map(|()| created(&mut world, map(json!({"generateName": "a-"}))));
        let name = |object| world.rest_get(object).expect("there")["metadata"]["name"].to_string();
        assert_ne!(name(one), name(two));
        assert_eq!(name(one).len(), "\"a-xxxxx\"".len());
        let unknown = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "b"}, "dat": {}});
        let refused = world.rest_create(unknown).expect_err("strict");
        assert_eq!(
            refused.message,
            "ConfigMap in version \"v1\" cannot be handled as a ConfigMap: strict decoding error: unknown field \
             \"dat\""
        );
    }

    #[test]
    fn defaults_of_workloads() {
        let mut world = world();
        let selector = json!({"matchLabels": {"app": "web"}});
        let template = json!({
            "metadata": {"labels": {"app": "web"}},
            "spec": {"containers": [{"name": "web", "image": "web:v1"}]},
        });
        let mut spec_of = |kind: &str, name: &str, more: Value| {
            let mut spec = json!({"selector": selector, "template": template});
            for (field, value) in more.as_object().into_iter().flatten() {
                spec[field] = value.clone();
            }
            let manifest =
                json!({"apiVersion": "apps/v1", "kind": kind, "metadata": {"name": name}, "spec": spec});
            let object = created(&mut world, manifest);
            world.rest_get(object).expect("there")["spec"].clone()
        };
        // STS-1, STS-2, STS-3.
        let set = spec_of("StatefulSet", "a", json!({}));
        assert_eq!((&set["replicas"], &set["revisionHistoryLimit"]), (&json!(1), &json!(10)));
        assert_eq!(set["podManagementPolicy"], "OrderedReady");
        assert_eq!(
            set["updateStrategy"],
            json!({"type": "RollingUpdate", "rollingUpdate": {"partition": 0}})
        );
        assert_eq!(
            set["persistentVolumeClaimRetentionPolicy"],
            json!({"whenDeleted": "Retain", "whenScaled": "Retain"})
        );
        let set = spec_of("StatefulSet", "b", json!({"updateStrategy": {"type": "RollingUpdate"}}));
        assert_eq!(set["updateStrategy"], json!({"type": "RollingUpdate"}));
        let gated = json!({"updateStrategy": {"rollingUpdate": {"maxUnavailable": 2}}});
        let set = spec_of("StatefulSet", "c", gated);
        assert_eq!(set["updateStrategy"]["rollingUpdate"], json!({"partition": 0}));
        // DEP-1.
        let deployment = spec_of("Deployment", "a", json!({"strategy": {"type": "RollingUpdate"}}));
        assert_eq!(
            deployment["strategy"],
            json!({"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": "25%"}})
        );
        assert_eq!(deployment["progressDeadlineSeconds"], 600);
    }

    fn manifests() -> Vec<Value> {
        let template = json!({
            "metadata": {"labels": {"app": "web"}},
            "spec": {
                "containers": [{"name": "web", "image": "web:v1", "ports": [{"containerPort": 80}],
                                "volumeMounts": [{"name": "data", "mountPath": "/d"}]}],
                "volumes": [{"name": "tmp", "emptyDir": {}}],
            },
        });
        let claim = json!({"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}});
        let workload = json!({
            "replicas": 2, "selector": {"matchLabels": {"app": "web"}}, "template": template,
            "updateStrategy": {"rollingUpdate": {"partition": 1}}, "serviceName": "web",
            "volumeClaimTemplates": [{"metadata": {"name": "data"}, "spec": claim}],
        });
        let volume = json!({
            "capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteOnce"], "claimRef": {"name": "a"},
            "csi": {"driver": "d", "volumeHandle": "h"}, "storageClassName": "ebs",
        });
        [
            ("apps/v1", "StatefulSet", workload),
            ("v1", "PersistentVolumeClaim", claim),
            ("v1", "PersistentVolume", volume),
            ("v1", "Service", json!({"type": "NodePort", "selector": {"a": "b"}, "ports": [{"port": 80}]})),
            ("v1", "Node", json!({"taints": [{"key": "a", "effect": "NoExecute"}]})),
            ("policy/v1", "PodDisruptionBudget", json!({"selector": {}, "minAvailable": "50%"})),
            (
                "v1",
                "Pod",
                json!({"containers": [{"name": "web", "image": "a"}], "tolerations": [{"operator": "Exists"}],
                       "volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": "data-web-0"}}]}),
            ),
        ]
        .map(|(api_version, kind, spec)| {
            let metadata = json!({"name": "web-0", "labels": {"app": "web"}, "annotations": {"a": ""},
                                  "ownerReferences": [{"apiVersion": "v1", "kind": "Pod", "name": "x", "uid": "y"}]});
            json!({"apiVersion": api_version, "kind": kind, "metadata": metadata, "spec": spec})
        })
        .into()
    }

    fn pointers(value: &Value, prefix: &str, all: &mut Vec<String>) {
        let mut child = |key: &str, value: &Value| {
            let pointer = format!("{prefix}/{}", key.replace('/', "~1"));
            pointers(value, &pointer, all);
            all.push(pointer);
        };
        match value {
            Value::Object(fields) => fields.iter().for_each(|(key, value)| child(key, value)),
            Value::Array(items) => {
                (0..).zip(items).for_each(|(n, value): (usize, _)| child(&n.to_string(), value))
            }
            _ => {}
        }
    }

    fn scrap() -> impl Strategy<Value = Value> {
        prop_oneof![
            Just(json!(null)),
            Just(json!([])),
            Just(json!({})),
            Just(json!([{}])),
            Just(json!(true)),
            any::<i64>().prop_map(Value::from),
            (-2_i64..3).prop_map(Value::from),
            "[-a-zA-Z0-9./%]{0,70}".prop_map(Value::from),
        ]
    }

    proptest! {
        /// Whatever is sent, the answer is an object that reads back unchanged, or a refusal.
        #[test]
        fn no_request_breaks_the_server(
            which in 0_usize..7, place in any::<prop::sample::Index>(), scrap in scrap(), other in scrap(),
        ) {
            let mut world = world();
            let mut manifest = manifests().swap_remove(which);
            let mut places = Vec::new();
            pointers(&manifest, "", &mut places);
            let place = &places[place.index(places.len())];
            let object = world.rest_create(manifest.clone()).expect("valid");
            *manifest.pointer_mut(place).expect("one of its pointers") = scrap.clone();
            let operation = json!([{"op": "replace", "path": place, "value": scrap}]);
            let _ = world.rest_patch(object, PatchType::Json, &operation, "");
            let _ = world.rest_patch(object, PatchType::Merge, &json!({"status": other.clone()}), "status");
            let _ = world.rest_update(object, manifest.clone());
            let root = json!([{"op": "replace", "path": "", "value": other}]);
            let _ = world.rest_patch(object, PatchType::Json, &root, "");
            let shown = world.rest_get(object).expect("still there");
            prop_assert_eq!(world.rest_update(object, shown), Ok(false));
            if let Some(name) = manifest.pointer_mut("/metadata/name") {
                *name = json!("web-1");
            }
            if let Ok(object) = world.rest_create(manifest) {
                let shown = world.rest_get(object).expect("there");
                prop_assert_eq!(world.rest_update(object, shown), Ok(false));
            }
        }
    }
}
