//! What the API server fills in for every kind before it validates.
//!
//! Follows pkg/apis/{apps,core,policy,storage,scheduling}/v1/defaults.go; pod templates and pods are done by
//! [`crate::api::template_defaults`]. Left out: defaults of kinds that nothing acts on, except a Secret's type and
//! `stringData`.
use crate::api::quantity::Quantity;
use crate::api::template_defaults::{default_pod, default_pod_template};
use crate::api::wire::fields::{Object, ensure, flag, list, set_default, set_default_text, text};
use crate::config::Gates;
use crate::rule::mark;
use serde_json::{Value, json};

/// Fills in the defaults of an object of this kind (the `kind` field of its manifest).
pub(super) fn apply(kind: &str, object: &mut Value, gates: &Gates) {
    drop_nulls(object);
    match kind {
        "StatefulSet" => stateful_set(object, gates),
        "Deployment" => deployment(object),
        "ReplicaSet" => {
            let Some(spec) = ensure(object, "spec") else { return };
            set_default(spec, "replicas", 1);
            template(spec);
        }
        "Pod" => default_pod(object),
        "Service" => service(object),
        "PersistentVolumeClaim" => {
            if let Some(spec) = ensure(object, "spec") {
                claim_spec(spec);
            }
        }
        "PersistentVolume" => volume(object),
        "StorageClass" => {
            let Some(class) = object.as_object_mut() else { return };
            set_default(class, "reclaimPolicy", "Delete");
            set_default(class, "volumeBindingMode", "Immediate");
        }
        "PriorityClass" => {
            let Some(class) = object.as_object_mut() else { return };
            set_default(class, "preemptionPolicy", "PreemptLowerPriority");
            if class.get("globalDefault") == Some(&Value::Bool(false)) {
                class.remove("globalDefault");
            }
        }
        "Namespace" => namespace(object),
        "Secret" => secret(object),
        _ => {}
    }
}

/// A null is the same as a missing field, except as the value of a label or annotation.
fn drop_nulls(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.retain(|_, value| !value.is_null());
            fields.values_mut().for_each(drop_nulls);
        }
        Value::Array(items) => items.iter_mut().for_each(drop_nulls),
        _ => {}
    }
}

fn template(spec: &mut Object) {
    let mut template = spec.remove("template").unwrap_or_else(|| json!({}));
    default_pod_template(&mut template);
    spec.insert("template".into(), template);
}

fn child<'a>(parent: &'a mut Object, field: &str) -> Option<&'a mut Object> {
    let entry = parent.entry(field).or_insert_with(|| json!({}));
    entry.as_object_mut()
}

/// STS-1 to STS-4.
fn stateful_set(object: &mut Value, gates: &Gates) {
    let Some(spec) = ensure(object, "spec") else { return };
    set_default_text(spec, "podManagementPolicy", "OrderedReady");
    mark!("STS-1");
    set_default(spec, "replicas", 1);
    set_default(spec, "revisionHistoryLimit", 10);
    if let Some(policy) = child(spec, "persistentVolumeClaimRetentionPolicy") {
        set_default_text(policy, "whenDeleted", "Retain");
        set_default_text(policy, "whenScaled", "Retain");
    }
    if let Some(strategy) = child(spec, "updateStrategy") {
        // Only a missing type brings a rollingUpdate block (STS-2).
        if strategy.get("type").and_then(Value::as_str).unwrap_or_default().is_empty() {
            strategy.insert("type".into(), "RollingUpdate".into());
            let _ = child(strategy, "rollingUpdate");
        } else {
            mark!("STS-2" if !strategy.contains_key("rollingUpdate"));
        }
        if let Some(rolling) = strategy.get_mut("rollingUpdate").and_then(Value::as_object_mut) {
            set_default(rolling, "partition", 0);
            if gates.max_unavailable_stateful_set {
                set_default(rolling, "maxUnavailable", 1);
            } else if rolling.remove("maxUnavailable").is_some() {
                mark!("STS-3");
            }
        }
    }
    if let Some(ordinals) = spec.get_mut("ordinals").and_then(Value::as_object_mut) {
        set_default(ordinals, "start", 0);
    }
    template(spec);
    for claim in spec.get_mut("volumeClaimTemplates").and_then(Value::as_array_mut).into_iter().flatten() {
        if let Some(claim) = claim.as_object_mut() {
            claim.insert("apiVersion".into(), "v1".into());
            claim.insert("kind".into(), "PersistentVolumeClaim".into());
            claim.insert("status".into(), json!({"phase": "Pending"}));
            if let Some(spec) = child(claim, "spec") {
                claim_spec(spec);
            }
        }
    }
}

/// DEP-1: unlike a StatefulSet's, the rollingUpdate block is always there.
fn deployment(object: &mut Value) {
    mark!("DEP-1");
    let Some(spec) = ensure(object, "spec") else { return };
    set_default(spec, "replicas", 1);
    set_default(spec, "revisionHistoryLimit", 10);
    set_default(spec, "progressDeadlineSeconds", 600);
    if let Some(strategy) = child(spec, "strategy") {
        if strategy.get("type").and_then(Value::as_str).unwrap_or_default().is_empty() {
            strategy.insert("type".into(), "RollingUpdate".into());
        }
        if strategy.get("type").is_some_and(|kind| kind == "RollingUpdate")
            && let Some(rolling) = child(strategy, "rollingUpdate")
        {
            set_default(rolling, "maxSurge", "25%");
            set_default(rolling, "maxUnavailable", "25%");
        }
    }
    template(spec);
}

fn claim_spec(spec: &mut Object) {
    set_default(spec, "volumeMode", "Filesystem");
    let Some(resources) = child(spec, "resources") else { return };
    for amounts in ["limits", "requests"] {
        quantities(resources.get_mut(amounts));
    }
}

/// The quantities of a resource list in canonical form.
fn quantities(list: Option<&mut Value>) {
    for value in list.and_then(Value::as_object_mut).into_iter().flat_map(Object::values_mut) {
        if let Ok(quantity) = Quantity::from_json(value) {
            *value = quantity.rounded_to_milli().to_string().into();
        }
    }
}

fn volume(object: &mut Value) {
    let Some(spec) = ensure(object, "spec") else { return };
    set_default_text(spec, "persistentVolumeReclaimPolicy", "Retain");
    set_default(spec, "volumeMode", "Filesystem");
    quantities(spec.get_mut("capacity"));
    if let Some(reference) = spec.get_mut("claimRef").and_then(Value::as_object_mut) {
        set_default(reference, "apiVersion", "v1");
        set_default(reference, "kind", "PersistentVolumeClaim");
    }
    if let Some(path) = spec.get_mut("hostPath").and_then(Value::as_object_mut) {
        set_default(path, "type", "");
    }
}

/// Addresses are given out later, when the service is known to be valid.
fn service(object: &mut Value) {
    let Some(spec) = ensure(object, "spec") else { return };
    spec.retain(|_, value| match value {
        Value::String(text) => !text.is_empty(),
        Value::Object(fields) => !fields.is_empty(),
        Value::Array(items) => !items.is_empty(),
        Value::Bool(on) => *on,
        _ => true,
    });
    set_default_text(spec, "sessionAffinity", "None");
    set_default_text(spec, "type", "ClusterIP");
    let kind = spec.get("type").and_then(Value::as_str).unwrap_or_default().to_owned();
    if spec.get("sessionAffinity").is_some_and(|affinity| affinity == "ClientIP") {
        set_default(spec, "sessionAffinityConfig", json!({"clientIP": {"timeoutSeconds": 10800}}));
    }
    for port in spec.get_mut("ports").and_then(Value::as_array_mut).into_iter().flatten() {
        let Some(port) = port.as_object_mut() else { continue };
        set_default_text(port, "protocol", "TCP");
        let number = port.get("port").cloned().unwrap_or_default();
        if port.get("targetPort").is_none_or(|target| *target == json!(0) || *target == json!("")) {
            port.insert("targetPort".into(), number);
        }
        if port.get("name").is_some_and(|name| name == "") {
            port.remove("name");
        }
    }
    if matches!(kind.as_str(), "NodePort" | "LoadBalancer") {
        set_default_text(spec, "externalTrafficPolicy", "Cluster");
    }
    if kind == "LoadBalancer" {
        set_default(spec, "allocateLoadBalancerNodePorts", true);
    }
    if kind != "ExternalName" {
        set_default(spec, "internalTrafficPolicy", "Cluster");
    }
}

fn namespace(object: &mut Value) {
    let name = crate::api::wire::fields::text_at(object, &["metadata", "name"]).to_owned();
    let Some(metadata) = ensure(object, "metadata") else { return };
    if let Some(labels) = child(metadata, "labels") {
        set_default(labels, "kubernetes.io/metadata.name", name);
    }
}

/// `stringData` is written into `data`, in base64.
fn secret(object: &mut Value) {
    let Some(secret) = object.as_object_mut() else { return };
    set_default_text(secret, "type", "Opaque");
    let Some(Value::Object(plain)) = secret.remove("stringData") else { return };
    if let Some(data) = child(secret, "data") {
        for (key, value) in plain {
            data.insert(key, base64(value.as_str().unwrap_or_default().as_bytes()).into());
        }
    }
}

fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let byte = |i: usize| u32::from(chunk.get(i).copied().unwrap_or(0));
        let word = byte(0) << 16 | byte(1) << 8 | byte(2);
        for digit in 0..4 {
            let value = (word >> (18 - 6 * digit)) & 63;
            text.push(if digit > chunk.len() { '=' } else { char::from(DIGITS[value as usize]) });
        }
    }
    text
}

/// Whether a service has an address of its own, and whether one may be given out.
pub(super) fn wants_address(spec: &Value) -> bool {
    text(spec, "type") != "ExternalName" && text(spec, "clusterIP").is_empty()
}

/// Families and address list of a service that has its address.
pub(super) fn service_families(spec: &mut Object) {
    let Some(address) = spec.get("clusterIP").cloned() else { return };
    let headless_alone = address == "None" && spec.get("selector").is_none();
    spec.insert("clusterIPs".into(), json!([address]));
    set_default(spec, "ipFamilyPolicy", if headless_alone { "RequireDualStack" } else { "SingleStack" });
    set_default(spec, "ipFamilies", if headless_alone { json!(["IPv4", "IPv6"]) } else { json!(["IPv4"]) });
}

/// Whether every port of a service needs a port on the nodes.
pub(super) fn wants_node_ports(spec: &Value) -> bool {
    match text(spec, "type") {
        "NodePort" => true,
        "LoadBalancer" => flag(spec, "allocateLoadBalancerNodePorts"),
        _ => false,
    }
}

/// The node ports a service names.
pub(super) fn node_ports(spec: &Value) -> impl Iterator<Item = i64> + '_ {
    list(spec, "ports")
        .iter()
        .filter_map(|port| port.get("nodePort").and_then(Value::as_i64))
        .filter(|n| *n > 0)
}
