//! Claims, volumes, storage classes and attachments on the wire.
//!
//! A claim's spec and a volume's shape are shared by number ([`ClaimSpec`]): what is single (volumeName, claimRef,
//! reclaim policy) is kept beside it. A provisioned volume may share the spec of its claim; its own is then made from
//! that.
use super::fields::{at, list, text, text_at, texts};
use super::{Wire, head, meta, without_nulls};
use crate::api::admission::BETA_CLASS;
use crate::api::names::{Name, Sym};
use crate::api::objects::*;
use crate::api::pod_spec::{AccessModes, ClaimSpec};
use crate::api::quantity::Quantity;
use crate::api::selector::Selector;
use crate::api::store::{Store, ZONE_LABEL};
use crate::kernel::Id;
use serde_json::{Value, json};
use std::sync::Arc;

const SELECTED_NODE: &str = "volume.kubernetes.io/selected-node";
const PROVISIONER: &str = "volume.kubernetes.io/storage-provisioner";
const BETA_PROVISIONER: &str = "volume.beta.kubernetes.io/storage-provisioner";
const BIND_COMPLETED: &str = "pv.kubernetes.io/bind-completed";
const BOUND_BY_CONTROLLER: &str = "pv.kubernetes.io/bound-by-controller";
const PROVISIONED_BY: &str = "pv.kubernetes.io/provisioned-by";
const DEFAULT_CLASS: &str = "storageclass.kubernetes.io/is-default-class";
const BETA_DEFAULT_CLASS: &str = "storageclass.beta.kubernetes.io/is-default-class";
const EBS: &str = "ebs.csi.aws.com";

/// The number of a claim spec. `beta_class` is the class of an annotation, which goes before the field.
pub fn intern_claim_spec(
    store: &mut Store,
    mut spec: Value,
    volume_name: Sym,
    beta_class: Option<&str>,
) -> ClaimSpecId {
    if let Some(fields) = spec.as_object_mut() {
        fields.remove("volumeName");
    }
    let key = format!("{volume_name:?} {beta_class:?} {spec}");
    store.intern_claim_spec(&key, |store| {
        let size = at(&spec, &["resources", "requests", "storage"]).cloned();
        let class = beta_class.or_else(|| spec.get("storageClassName").and_then(Value::as_str));
        let class = class.map(|class| store.names.word(class));
        ClaimSpec { volume_name, ..shape(store, &spec, size.as_ref(), class) }
    })
}

/// The number of the shape of a volume given as the spec of a PersistentVolume.
fn intern_volume_shape(store: &mut Store, mut spec: Value) -> ClaimSpecId {
    if let Some(fields) = spec.as_object_mut() {
        fields.remove("claimRef");
        fields.remove("persistentVolumeReclaimPolicy");
    }
    let key = format!("volume {spec}");
    store.intern_claim_spec(&key, |store| {
        let size = at(&spec, &["capacity", "storage"]).cloned();
        let class = Some(store.names.word(text(&spec, "storageClassName")));
        shape(store, &spec, size.as_ref(), class)
    })
}

fn shape(store: &mut Store, spec: &Value, size: Option<&Value>, class: Option<Sym>) -> ClaimSpec {
    let size = size.and_then(|size| Quantity::from_json(size).ok()).unwrap_or(Quantity::ZERO);
    let selector = spec.get("selector").filter(|selector| selector.is_object());
    ClaimSpec {
        class,
        bytes: u64::try_from(size.value()).unwrap_or(0),
        size: store.names.word(&size.to_string()),
        modes: modes(spec),
        block: text(spec, "volumeMode") == "Block",
        selector: selector.and_then(|s| Selector::from_label_selector(s).ok()).map(Arc::new),
        volume_name: Sym::EMPTY,
        json: Arc::new(spec.clone()),
    }
}

fn modes(spec: &Value) -> AccessModes {
    let known =
        |text: &str| AccessModes::ALL.iter().find(|(_, name, _)| *name == text).map_or(0, |(m, ..)| m.0);
    AccessModes(texts(spec, "accessModes").fold(0, |modes, text| modes | known(text)))
}

fn modes_to_json(modes: AccessModes) -> Value {
    AccessModes::ALL
        .iter()
        .filter(|(mode, ..)| modes.has(*mode))
        .map(|(_, name, _)| Value::from(*name))
        .collect()
}

/// The provisioner of a class; that of the simulated driver if there is no such class any more.
fn provisioner(store: &Store, class: Sym) -> &str {
    let name = store.names.known_name(store.names.text(class));
    let found = name.and_then(|name| store.classes.find(Sym::EMPTY, name));
    found.map_or(EBS, |(_, class)| store.names.text(class.provisioner))
}

fn set_annotation(json: &mut Value, key: &str, value: &str) {
    json["metadata"]["annotations"][key] = value.into();
}

fn node_name(store: &Store, id: Id<Node>) -> String {
    store.nodes.last_known(id).map_or_else(String::new, |node| store.name_of(node.meta.name))
}

fn volume_name(store: &Store, id: Id<Volume>) -> String {
    store.volumes.last_known(id).map_or_else(String::new, |volume| store.name_of(volume.meta.name))
}

/// A node of this name; None if there is none and there was none a moment ago.
fn node_id(store: &Store, name: &str) -> Option<Id<Node>> {
    store.nodes.id(Sym::EMPTY, store.names.known_name(name)?)
}

impl Wire for Claim {
    fn to_json(&self, store: &Store) -> Value {
        let shared = store.claim_spec(self.spec);
        let mut json = head::<Claim>(store, &self.meta);
        if let Some(node) =
            store.nodes.last_known(self.selected_node).filter(|_| !self.selected_node.is_none())
        {
            set_annotation(&mut json, SELECTED_NODE, &store.name_of(node.meta.name));
        }
        if self.has(ClaimState::PROVISIONER_SET) {
            let provisioner = provisioner(store, shared.class_word());
            set_annotation(&mut json, PROVISIONER, provisioner);
            set_annotation(&mut json, BETA_PROVISIONER, provisioner);
        }
        for (key, on) in [
            (BIND_COMPLETED, self.has(ClaimState::BIND_COMPLETED)),
            (BOUND_BY_CONTROLLER, self.has(ClaimState::BOUND_BY_CONTROLLER)),
        ] {
            if on {
                set_annotation(&mut json, key, "yes");
            }
        }
        json["spec"] = Value::clone(&shared.json);
        let mut status = json!({"phase": claim_phase(self.phase())});
        if !self.volume.is_none() {
            json["spec"]["volumeName"] = volume_name(store, self.volume).into();
        } else if !shared.volume_name.is_empty() {
            json["spec"]["volumeName"] = store.names.text(shared.volume_name).into();
        }
        if let Some(volume) = store.volumes.get(self.volume).filter(|_| self.phase() == ClaimPhase::Bound) {
            let offered = store.claim_spec(volume.spec);
            status["accessModes"] = modes_to_json(offered.modes);
            status["capacity"] = json!({"storage": store.names.text(offered.size)});
        }
        json["status"] = status;
        json
    }

    fn from_json(store: &mut Store, json: &Value) -> Claim {
        let annotation = |key| text_at(json, &["metadata", "annotations", key]);
        let selected = node_id(store, annotation(SELECTED_NODE));
        let meta = meta::from_json(store, Claim::KIND, json, |key, value| match key {
            PROVISIONER | BETA_PROVISIONER => false,
            SELECTED_NODE => selected.is_none(),
            BIND_COMPLETED | BOUND_BY_CONTROLLER => value != "yes",
            _ => true,
        });
        let name = text_at(json, &["spec", "volumeName"]);
        let volume = store.known_name(name).and_then(|name| store.volumes.id(Sym::EMPTY, name));
        let volume_name = if volume.is_none() { store.names.word(name) } else { Sym::EMPTY };
        let beta_class = at(json, &["metadata", "annotations", BETA_CLASS]).and_then(Value::as_str);
        let spec = json.get("spec").cloned().unwrap_or_else(|| json!({}));
        let mut claim = Claim {
            meta,
            spec: intern_claim_spec(store, spec, volume_name, beta_class),
            volume: volume.unwrap_or(Id::NONE),
            selected_node: selected.unwrap_or(Id::NONE),
            state: ClaimState::default()
                .and(ClaimState::BIND_COMPLETED, annotation(BIND_COMPLETED) == "yes")
                .and(ClaimState::BOUND_BY_CONTROLLER, annotation(BOUND_BY_CONTROLLER) == "yes")
                .and(ClaimState::PROVISIONER_SET, !annotation(PROVISIONER).is_empty()),
        };
        claim.set_phase(match text_at(json, &["status", "phase"]) {
            "Bound" => ClaimPhase::Bound,
            "Lost" => ClaimPhase::Lost,
            _ => ClaimPhase::Pending,
        });
        claim
    }

    fn keep_spec(&mut self, old: &Claim) {
        self.spec = old.spec;
        self.volume = old.volume;
    }

    fn keep_status(&mut self, old: &Claim) {
        self.set_phase(old.phase());
    }
}

fn claim_phase(phase: ClaimPhase) -> &'static str {
    match phase {
        ClaimPhase::Pending => "Pending",
        ClaimPhase::Bound => "Bound",
        ClaimPhase::Lost => "Lost",
    }
}

const VOLUME_PHASES: [(VolumePhase, &str); 5] = [
    (VolumePhase::Pending, "Pending"),
    (VolumePhase::Available, "Available"),
    (VolumePhase::Bound, "Bound"),
    (VolumePhase::Released, "Released"),
    (VolumePhase::Failed, "Failed"),
];

fn reclaim_text(reclaim: Reclaim) -> &'static str {
    match reclaim {
        Reclaim::Retain => "Retain",
        Reclaim::Delete => "Delete",
    }
}

fn reclaim_of(text: &str) -> Reclaim {
    if text == "Delete" { Reclaim::Delete } else { Reclaim::Retain }
}

impl Volume {
    /// The spec of a volume that the driver made for a claim (VOL-13).
    fn provisioned_spec(&self, store: &Store, shape: &ClaimSpec) -> Value {
        let mut spec = json!({
            "accessModes": modes_to_json(shape.modes),
            "capacity": {"storage": store.names.text(shape.size)},
            "csi": {
                "driver": EBS,
                "fsType": "ext4",
                "volumeHandle": store.volume_handle(self.disk),
            },
            "storageClassName": store.names.text(shape.class_word()),
            "volumeMode": if shape.block { "Block" } else { "Filesystem" },
        });
        if !self.zone.is_empty() {
            spec["nodeAffinity"] = json!({"required": {"nodeSelectorTerms": [{"matchExpressions": [
                {"key": ZONE_LABEL, "operator": "In", "values": [store.names.text(self.zone)]},
            ]}]}});
        }
        spec
    }
}

impl Wire for Volume {
    fn to_json(&self, store: &Store) -> Value {
        let shape = store.claim_spec(self.spec);
        let mut json = head::<Volume>(store, &self.meta);
        if self.has(VolumeState::PROVISIONED) {
            set_annotation(&mut json, PROVISIONED_BY, provisioner(store, shape.class_word()));
        }
        if self.has(VolumeState::BOUND_BY_CONTROLLER) {
            set_annotation(&mut json, BOUND_BY_CONTROLLER, "yes");
        }
        let mut spec = if shape.json.get("capacity").is_some() {
            Value::clone(&shape.json)
        } else {
            self.provisioned_spec(store, shape)
        };
        spec["persistentVolumeReclaimPolicy"] = reclaim_text(self.reclaim()).into();
        if self.claim.is_set() {
            let uid = (!self.claim.uid.is_none()).then(|| store.uid_text(self.claim.uid));
            spec["claimRef"] = without_nulls(json!({
                "apiVersion": "v1",
                "kind": "PersistentVolumeClaim",
                "name": store.name_of(self.claim.name),
                "namespace": store.names.text(self.claim.namespace),
                "uid": uid,
            }));
        }
        let phase = VOLUME_PHASES.iter().find(|(phase, _)| *phase == self.phase()).map(|(_, text)| *text);
        json["spec"] = spec;
        json["status"] = json!({"phase": phase});
        json
    }

    fn from_json(store: &mut Store, json: &Value) -> Volume {
        let annotation = |key| text_at(json, &["metadata", "annotations", key]);
        let meta = meta::from_json(store, Volume::KIND, json, |key, value| match key {
            PROVISIONED_BY => false,
            BOUND_BY_CONTROLLER => value != "yes",
            _ => true,
        });
        let spec = json.get("spec").cloned().unwrap_or_else(|| json!({}));
        let zone = zone_of(&spec).unwrap_or_default().to_owned();
        let phase = text_at(json, &["status", "phase"]);
        let mut volume = Volume {
            meta,
            claim: claim_ref(store, &spec),
            zone: store.names.word(&zone),
            disk: disk_of(store, &spec),
            state: VolumeState::new(reclaim_of(text(&spec, "persistentVolumeReclaimPolicy")))
                .and(VolumeState::PROVISIONED, !annotation(PROVISIONED_BY).is_empty())
                .and(VolumeState::BOUND_BY_CONTROLLER, annotation(BOUND_BY_CONTROLLER) == "yes"),
            spec: intern_volume_shape(store, spec),
        };
        let known = VOLUME_PHASES.iter().find(|(_, text)| *text == phase);
        volume.set_phase(known.map_or(VolumePhase::Pending, |(phase, _)| *phase));
        volume
    }

    fn keep_spec(&mut self, old: &Volume) {
        *self = Volume { spec: old.spec, claim: old.claim, zone: old.zone, disk: old.disk, ..*self };
    }

    fn keep_status(&mut self, old: &Volume) {
        self.set_phase(old.phase());
        self.disk = old.disk;
    }
}

fn claim_ref(store: &mut Store, spec: &Value) -> ClaimRef {
    match spec.get("claimRef").filter(|reference| reference.is_object()) {
        None => ClaimRef::default(),
        Some(reference) => ClaimRef {
            name: store.name_from_text(text(reference, "name")),
            namespace: match text(reference, "namespace") {
                "" => Sym::DEFAULT,
                namespace => store.names.word(namespace),
            },
            uid: store.uid_from_text(text(reference, "uid")).unwrap_or_default(),
        },
    }
}

fn disk_of(store: &mut Store, spec: &Value) -> u32 {
    match text_at(spec, &["csi", "volumeHandle"]) {
        "" => 0,
        handle => store.disk_of_handle(handle),
    }
}

/// The zone of a node affinity that says nothing else.
fn zone_of(spec: &Value) -> Option<&str> {
    let terms = at(spec, &["nodeAffinity", "required"])?;
    let [term] = list(terms, "nodeSelectorTerms") else { return None };
    let [expression] = list(term, "matchExpressions") else { return None };
    let zonal = matches!(text(expression, "key"), ZONE_LABEL | "topology.ebs.csi.aws.com/zone");
    texts(expression, "values").next().filter(|_| zonal && text(expression, "operator") == "In")
}

impl Wire for StorageClass {
    fn to_json(&self, store: &Store) -> Value {
        let mut json = head::<StorageClass>(store, &self.meta);
        for (field, value) in self.body.as_object().into_iter().flatten() {
            json[field] = value.clone();
        }
        json
    }

    fn from_json(store: &mut Store, json: &Value) -> StorageClass {
        let is_default = [DEFAULT_CLASS, BETA_DEFAULT_CLASS]
            .iter()
            .any(|key| text_at(json, &["metadata", "annotations", key]) == "true");
        let zones =
            list(json, "allowedTopologies").iter().flat_map(|term| list(term, "matchLabelExpressions"));
        let zones = zones
            .filter(|e| matches!(text(e, "key"), ZONE_LABEL | "topology.ebs.csi.aws.com/zone"))
            .flat_map(|expression| texts(expression, "values"));
        let zones: Vec<Sym> = zones.map(|zone| store.names.word(zone)).collect();
        StorageClass {
            meta: meta::from_json(store, StorageClass::KIND, json, |_, _| true),
            provisioner: store.names.word(text(json, "provisioner")),
            binding: match text(json, "volumeBindingMode") {
                "WaitForFirstConsumer" => BindingMode::WaitForFirstConsumer,
                _ => BindingMode::Immediate,
            },
            reclaim: if text(json, "reclaimPolicy") == "Retain" { Reclaim::Retain } else { Reclaim::Delete },
            expandable: json.get("allowVolumeExpansion") == Some(&Value::Bool(true)),
            is_default,
            zones: zones.into(),
            body: super::cluster::body(json),
        }
    }

    fn keep_status(&mut self, _: &StorageClass) {}
}

const ATTACH_ERRORS: [AttachError; 6] = [
    AttachError::InUse,
    AttachError::OtherZone,
    AttachError::LimitExceeded,
    AttachError::VolumeDeleted,
    AttachError::NoDisk,
    AttachError::Stuck,
];

fn attach_message(store: &Store, attachment: &Attachment, error: AttachError) -> String {
    let disk = store.volumes.last_known(attachment.volume).map_or(0, |volume| volume.disk);
    let (volume, node) = (volume_name(store, attachment.volume), node_name(store, attachment.node));
    error.message(&store.volume_handle(disk), &volume, &node)
}

impl Wire for Attachment {
    fn to_json(&self, store: &Store) -> Value {
        let mut json = head::<Attachment>(store, &self.meta);
        json["spec"] = json!({
            "attacher": EBS,
            "nodeName": node_name(store, self.node),
            "source": {"persistentVolumeName": volume_name(store, self.volume)},
        });
        json["status"] = json!({"attached": self.attached});
        if self.attach_error.is_set() {
            let message = attach_message(store, self, self.attach_error);
            json["status"]["attachError"] =
                json!({"time": meta::time(self.meta.created), "message": message});
        }
        json
    }

    fn from_json(store: &mut Store, json: &Value) -> Attachment {
        let mut meta = meta::from_json(store, Attachment::KIND, json, |_, _| true);
        let volume = store
            .known_name(text_at(json, &["spec", "source", "persistentVolumeName"]))
            .and_then(|name| store.volumes.id(Sym::EMPTY, name))
            .unwrap_or(Id::NONE);
        let node = node_id(store, text_at(json, &["spec", "nodeName"])).unwrap_or(Id::NONE);
        let canonical = Name::of_attachment(volume.as_u32(), node.as_u32());
        if !volume.is_none()
            && !node.is_none()
            && store.name_of(canonical) == text_at(json, &["metadata", "name"])
        {
            meta.name = canonical;
        }
        let attached = at(json, &["status", "attached"]) == Some(&Value::Bool(true));
        let mut attachment = Attachment { meta, volume, node, attached, attach_error: AttachError::None };
        let message = text_at(json, &["status", "attachError", "message"]);
        if at(json, &["status", "attachError"]).is_some() {
            let known = ATTACH_ERRORS.into_iter().find(|e| attach_message(store, &attachment, *e) == message);
            attachment.attach_error = known.unwrap_or(AttachError::Stuck);
        }
        attachment
    }

    fn keep_status(&mut self, old: &Attachment) {
        self.attached = old.attached;
        self.attach_error = old.attach_error;
    }
}
