//! The border between the JSON users see and the lean objects of the store.
//!
//! [`Wire::to_json`] shows an object as `kubectl get -o json` does on a real cluster; [`Wire::from_json`] reads what
//! has been defaulted, admitted and validated. Reading what was shown gives the same object back. One file per group
//! of kinds. What nothing acts on is kept as JSON inside the objects and shown again.
mod cluster;
mod container;
pub(crate) mod fields;
mod meta;
mod network;
mod node;
mod pod;
mod storage;
mod workload;

pub(crate) use cluster::inert_scope;
pub use storage::intern_claim_spec;
pub use workload::intern_template;

use crate::api::objects::{Meta, Object};
use crate::api::rare::{Rare, Rares};
use crate::api::store::Store;
use crate::trace::notes::Noted;
use serde_json::{Value, json};

/// A kind that has a form on the wire.
pub trait Wire: Noted {
    /// The whole object as the API server answers.
    fn to_json(&self, store: &Store) -> Value;
    /// The object this JSON describes: defaulted, admitted and valid.
    fn from_json(store: &mut Store, json: &Value) -> Self;
    /// Takes over from `old` what is not part of metadata and spec, and so is not changed by a write of these.
    fn keep_status(&mut self, old: &Self);
    /// Takes over from `old` how the same spec is held: shared, by the same number.
    fn keep_spec(&mut self, _old: &Self) {}
    /// Takes over what of metadata only the server writes.
    fn keep_identity(&mut self, old: &Meta, rares: &mut Rares) {
        let meta = self.meta_mut();
        let other_finalizers = rares.get(meta.rare).other_finalizers;
        let rare = rares.intern(Rare { other_finalizers, ..rares.get(old.rare) });
        *meta = Meta {
            labels: meta.labels,
            annotations: meta.annotations,
            owners: meta.owners,
            rare,
            finalizers: meta.finalizers,
            ..*old
        };
    }
}

/// apiVersion, kind and metadata.
fn head<T: Object>(store: &Store, meta: &Meta) -> Value {
    json!({
        "apiVersion": T::KIND.api_version(),
        "kind": T::KIND.as_str(),
        "metadata": meta::to_json(store, T::KIND, meta),
    })
}

/// An object of these fields without those that are null.
fn without_nulls(mut value: Value) -> Value {
    if let Some(fields) = value.as_object_mut() {
        fields.retain(|_, value| !value.is_null());
    }
    value
}

/// The number, or null for 0: Go's `omitempty`.
fn unless_zero(number: impl Into<i64>) -> Value {
    match number.into() {
        0 => Value::Null,
        number => number.into(),
    }
}

/// The text, or null if it is empty.
fn unless_empty(text: impl Into<String>) -> Value {
    let text = text.into();
    if text.is_empty() { Value::Null } else { text.into() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::objects::*;
    use crate::api::rest::ObjectRef;
    use crate::config::Config;
    use crate::rule::Rule;
    use crate::world::World;
    use proptest::prelude::*;

    fn world() -> World {
        let mut world = World::new(7, Config::recorded());
        world.bootstrap().expect("an empty world");
        world
    }

    fn create(world: &mut World, json: Value) -> ObjectRef {
        world.rest_create(json.clone()).unwrap_or_else(|error| panic!("{error}: {json}"))
    }

    /// What is shown reads back as the same object.
    fn round_trip<T: Wire + std::fmt::Debug>(world: &mut World) -> usize {
        let objects: Vec<T> = T::table(&world.store).iter().map(|(_, object)| object.clone()).collect();
        for object in &objects {
            let json = object.to_json(&world.store);
            let back = T::from_json(&mut world.store, &json);
            assert_eq!(format!("{back:?}"), format!("{object:?}"), "{json}");
            assert_eq!(back.to_json(&world.store), json);
        }
        objects.len()
    }

    fn pod_template() -> Value {
        json!({
            "metadata": {"labels": {"app": "web"}, "annotations": {"note": ""}},
            "spec": {"containers": [{"name": "web", "image": "web:v1", "ports": [{"containerPort": 80}]}]},
        })
    }

    fn all_kinds(world: &mut World) {
        let selector = json!({"matchLabels": {"app": "web"}});
        let claim =
            json!({"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1024Mi"}}});
        let manifests = [
            json!({"apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "provisioner": "ebs.csi.aws.com",
                   "metadata": {"name": "ebs", "annotations": {"storageclass.kubernetes.io/is-default-class": "true"}},
                   "volumeBindingMode": "WaitForFirstConsumer", "allowVolumeExpansion": true}),
            json!({"apiVersion": "v1", "kind": "Node",
                   "metadata": {"name": "node-a", "labels": {"topology.kubernetes.io/zone": "zone-a"}},
                   "spec": {"taints": [{"key": "k", "value": "v", "effect": "NoExecute"}]},
                   "status": {"allocatable": {"cpu": "8", "memory": "32Gi", "pods": "110"}}}),
            json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"},
                   "spec": {"selector": {"app": "web"}, "clusterIP": "None", "ports": [{"port": 80}]}}),
            json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "front"},
                   "spec": {"selector": {"app": "web"}, "type": "NodePort",
                            "ports": [{"port": 80, "targetPort": "http", "name": "a"}, {"port": 81, "name": "b"}]}}),
            json!({"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": "web", "finalizers": ["x.io/y"]},
                   "spec": {"selector": selector, "template": pod_template(), "serviceName": "web",
                            "ordinals": {"start": 3}, "updateStrategy": {"type": "RollingUpdate"},
                            "volumeClaimTemplates": [{"metadata": {"name": "data"}, "spec": claim}]}}),
            json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"},
                   "spec": {"selector": selector, "template": pod_template(), "paused": true}}),
            json!({"apiVersion": "apps/v1", "kind": "ReplicaSet", "metadata": {"name": "web"},
                   "spec": {"selector": selector, "template": pod_template(), "minReadySeconds": 3}}),
            json!({"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": {"name": "web"},
                   "spec": {"selector": selector, "minAvailable": "50%"}}),
            json!({"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "data-web-3"},
                   "spec": claim}),
            json!({"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": "disk"},
                   "spec": {"capacity": {"storage": "5Gi"}, "accessModes": ["ReadWriteOnce"],
                            "csi": {"driver": "ebs.csi.aws.com", "volumeHandle": "vol-1"},
                            "claimRef": {"name": "data-web-3", "namespace": "default"}}}),
            json!({"apiVersion": "v1", "kind": "Pod",
                   "metadata": {"name": "web-3", "labels": {"app": "web", "apps.kubernetes.io/pod-index": "3",
                                "statefulset.kubernetes.io/pod-name": "web-3"}},
                   "spec": {"containers": [{"name": "web", "image": "web"}], "hostname": "web-3",
                            "volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": "data-web-3"}}]}}),
            json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"generateName": "job-", "labels": {"a": "b"}},
                   "spec": {"containers": [{"name": "web", "image": "web"}], "nodeName": "node-a"}}),
            json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "web"}, "data": {"a": "b"}}),
            json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "web"}, "stringData": {"a": "any"}}),
        ];
        for manifest in manifests {
            create(world, manifest);
        }
    }

    #[test]
    fn every_kind_reads_back() {
        let mut world = world();
        all_kinds(&mut world);
        assert_eq!(round_trip::<Namespace>(&mut world), 4);
        assert_eq!(round_trip::<PriorityClass>(&mut world), 2);
        assert_eq!(round_trip::<Node>(&mut world), 1);
        assert_eq!(round_trip::<Service>(&mut world), 3);
        assert_eq!(round_trip::<StatefulSet>(&mut world), 1);
        assert_eq!(round_trip::<Deployment>(&mut world), 1);
        assert_eq!(round_trip::<ReplicaSet>(&mut world), 1);
        assert_eq!(round_trip::<Budget>(&mut world), 1);
        assert_eq!(round_trip::<Claim>(&mut world), 1);
        assert_eq!(round_trip::<Volume>(&mut world), 1);
        assert_eq!(round_trip::<Pod>(&mut world), 2);
        assert_eq!(round_trip::<Inert>(&mut world), 2);
        assert_eq!(round_trip::<StorageClass>(&mut world), 1);
    }

    #[test]
    fn what_controllers_write_reads_back() {
        let mut world = world();
        all_kinds(&mut world);
        let store = &world.store;
        let (set_id, set) =
            store.stateful_sets.iter().next().map(|(id, set)| (id, set.clone())).expect("a set");
        let (node, _) = store.nodes.iter().next().expect("a node");
        let (pod_id, pod) = store.pods.iter().next().map(|(id, pod)| (id, *pod)).expect("a pod");
        let (service, _) = store.services.iter().nth(1).expect("a service");
        let (claim_id, claim) = store.claims.iter().next().map(|(id, claim)| (id, *claim)).expect("a claim");
        let owner = crate::api::labels::Owner {
            kind: crate::api::kind::Kind::StatefulSet,
            controller: true,
            block: true,
            name: set.meta.name,
            uid: set.meta.uid,
        };
        let owners = world.store.owners.intern(&[owner]);
        let mut volume = Volume {
            meta: Meta {
                name: crate::api::names::Name::of_provisioned_volume(claim.meta.uid),
                ..Meta::default()
            },
            spec: claim.spec,
            claim: ClaimRef { name: claim.meta.name, namespace: claim.meta.namespace, uid: claim.meta.uid },
            zone: world.store.names.word("zone-a"),
            disk: world.store.next_disk(),
            state: VolumeState::new(Reclaim::Delete)
                .and(VolumeState::PROVISIONED, true)
                .and(VolumeState::BOUND_BY_CONTROLLER, true),
        };
        volume.set_phase(VolumePhase::Bound);
        let volume_id = world.create(volume, Rule::NONE).expect("created");
        world.update(claim_id, Rule::NONE, |claim| {
            claim.volume = volume_id;
            claim.selected_node = node;
            claim.set_phase(ClaimPhase::Bound);
            claim.annotate(ClaimState::BIND_COMPLETED);
            claim.annotate(ClaimState::BOUND_BY_CONTROLLER);
            claim.annotate(ClaimState::PROVISIONER_SET);
        });
        world.update(node, Rule::NONE, |node| {
            node.ready = NodeReady::True;
            node.ready_since = Seconds(5);
            node.volumes_in_use = vec![volume_id].into();
            node.volumes_attached = vec![volume_id].into();
        });
        let attachment = Attachment {
            meta: Meta {
                name: crate::api::names::Name::of_attachment(volume_id.as_u32(), node.as_u32()),
                ..Meta::default()
            },
            volume: volume_id,
            node,
            attached: false,
            attach_error: AttachError::InUse,
        };
        world.create(attachment, Rule::NONE).expect("created");
        world.update(pod_id, Rule::NONE, |pod| pod.meta.owners = owners);
        let template = set.spec.template;
        let json = Value::clone(&world.store.template(template).json);
        let revision = ControllerRevision {
            meta: Meta {
                name: world.store.names.name("web-5b4fd76c4d"),
                namespace: set.meta.namespace,
                owners,
                ..Meta::default()
            },
            data: crate::api::template_hash::revision_data(&json).into(),
            template,
            number: 2,
        };
        world.create(revision, Rule::NONE).expect("created");
        let endpoint = Endpoint {
            pod: pod_id,
            uid: pod.meta.uid,
            ip: Ip(5),
            node,
            ready: true,
            serving: true,
            terminating: false,
            hostname: true,
        };
        let label = ("kubernetes.io/service-name", "web");
        let label = (world.store.names.word(label.0), world.store.names.word(label.1));
        let slice = EndpointSlice {
            meta: Meta {
                labels: world.store.labels.of(vec![label]),
                name: world.store.names.name("web-x"),
                namespace: set.meta.namespace,
                ..Meta::default()
            },
            service,
            endpoints: vec![endpoint],
            ports: Vec::new().into(),
        };
        world.create(slice, Rule::NONE).expect("created");
        world.update(set_id, Rule::NONE, |set| {
            set.status.replicas = 2;
            set.status.current_revision = crate::api::names::Name::default();
            set.status.collisions = Some(0);
        });
        // A volume that shared the spec of its claim has one of its own afterwards.
        let json = world.store.volumes.get(volume_id).expect("a volume").to_json(&world.store);
        let mut back = Volume::from_json(&mut world.store, &json);
        assert_eq!(back.to_json(&world.store), json);
        back.spec = volume.spec;
        assert_eq!(
            format!("{back:?}"),
            format!("{:?}", world.store.volumes.get(volume_id).expect("a volume"))
        );
        assert_eq!(round_trip::<Claim>(&mut world), 1);
        assert_eq!(round_trip::<Node>(&mut world), 1);
        assert_eq!(round_trip::<ControllerRevision>(&mut world), 1);
        assert_eq!(round_trip::<EndpointSlice>(&mut world), 1);
        assert_eq!(round_trip::<StatefulSet>(&mut world), 1);
        assert_eq!(round_trip::<Pod>(&mut world), 2);
        // Attachments show no time of their error but that of their creation.
        assert_eq!(round_trip::<Attachment>(&mut world), 1);
    }

    fn containers() -> impl Strategy<Value = Containers> {
        prop_oneof![
            Just(Containers::Unreported),
            Just(Containers::Creating),
            Just(Containers::ErrImagePull),
            Just(Containers::ImagePullBackOff),
            Just(Containers::Running),
            any::<u8>().prop_map(Containers::CrashLoopBackOff),
            any::<u8>().prop_map(Containers::Terminated),
        ]
    }

    proptest! {
        #[test]
        fn pods_in_any_state_read_back(
            containers in containers(),
            restarts in 0_u32..5,
            conditions in 0_u16..16,
            disrupted in any::<bool>(),
            on_node in any::<bool>(),
            times in (0_u32..1000, 0_u32..1000),
        ) {
            let mut world = world();
            all_kinds(&mut world);
            let (node, _) = world.store.nodes.iter().next().expect("a node");
            let (id, _) = world.store.pods.iter().next().expect("a pod");
            world.update(id, Rule::NONE, |pod| {
                pod.flags.set(PodFlags(conditions & 7), true);
                if on_node {
                    pod.node = node;
                    pod.flags.set(PodFlags::SCHEDULED, true);
                    pod.flags.set(PodFlags::REPORTED, true);
                    pod.flags.set(PodFlags::SANDBOX, conditions & 8 != 0);
                    (pod.started, pod.ready_since) = (Seconds(times.0), Seconds(times.1));
                    pod.containers = containers;
                    let restarts = if containers == Containers::Unreported { 0 } else { restarts };
                    pod.restarts = crate::kernel::U24::of(restarts);
                    pod.phase = if containers == Containers::Running { Phase::Running } else { Phase::Pending };
                } else {
                    pod.flags = PodFlags(pod.flags.0 & !7);
                    pod.flags.set(PodFlags::UNSCHEDULABLE, true);
                    pod.reason = PodReason::Unschedulable;
                }
                if disrupted {
                    pod.flags.set(PodFlags::DISRUPTION_TARGET, true);
                    pod.disruption = Disruption::ByEviction;
                }
            });
            round_trip::<Pod>(&mut world);
        }
    }
}
