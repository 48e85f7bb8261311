//! Claims, volumes and storage classes.
//!
//! Follows ValidatePersistentVolumeClaim*, ValidatePersistentVolume* of pkg/apis/core/validation/validation.go,
//! pkg/apis/storage/validation. Left out: the diff at the end of the sentence about an immutable claim.
use super::Errors;
use super::pod::node_selector;
use crate::api::quantity::Quantity;
use crate::api::selector::validate_label_selector;
use crate::api::text::dns_subdomain_errors;
use crate::api::wire::fields::{at, list, text, text_at, texts};
use serde_json::Value;

const MODES: [&str; 4] = ["ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod"];
/// Fields of a PersistentVolume's spec that are no volume source.
const NO_SOURCE: [&str; 9] = [
    "accessModes",
    "capacity",
    "claimRef",
    "mountOptions",
    "nodeAffinity",
    "persistentVolumeReclaimPolicy",
    "storageClassName",
    "volumeAttributesClassName",
    "volumeMode",
];

fn size(spec: &Value, path: &[&str]) -> Option<Quantity> {
    Quantity::from_json(at(spec, path)?).ok()
}

fn access_modes(errors: &mut Errors, spec: &Value, path: &str) {
    let path = format!("{path}.accessModes");
    if list(spec, "accessModes").is_empty() {
        errors.required(&path, "at least 1 access mode is required");
    }
    for mode in texts(spec, "accessModes").filter(|mode| !MODES.contains(mode)) {
        errors.unsupported(&path, mode, &MODES);
    }
    if texts(spec, "accessModes").any(|mode| mode == "ReadWriteOncePod")
        && list(spec, "accessModes").len() > 1
    {
        errors.forbidden(&path, "may not use ReadWriteOncePod with other access modes");
    }
}

/// ValidateClassName of a field that names a class of storage.
fn class_name(errors: &mut Errors, spec: &Value, field: &str, path: &str) {
    let class = text(spec, field);
    if !class.is_empty() {
        errors.invalid_for(&format!("{path}.{field}"), class, dns_subdomain_errors(class));
    }
}

/// ValidatePersistentVolumeClaimSpec.
pub(super) fn claim_spec(errors: &mut Errors, spec: &Value, path: &str) {
    access_modes(errors, spec, path);
    if let Some(selector) = spec.get("selector") {
        errors.0.extend(validate_label_selector(selector, &format!("{path}.selector")));
    }
    let storage = format!("{path}.resources[storage]");
    match at(spec, &["resources", "requests", "storage"]) {
        None => errors.required(&storage, ""),
        Some(value) if Quantity::from_json(value).is_ok_and(|size| size <= Quantity::ZERO) => {
            errors.invalid(&storage, value.clone(), "must be greater than zero");
        }
        Some(_) => {}
    }
    class_name(errors, spec, "storageClassName", path);
    errors.one_of(spec, "volumeMode", path, &["Block", "Filesystem"]);
    class_name(errors, spec, "volumeAttributesClassName", path);
}

/// ValidatePersistentVolumeClaimUpdate: only the size of a bound claim may grow; the name of a volume may be filled in.
pub(super) fn claim_update(errors: &mut Errors, old: &Value, new: &Value) {
    let empty = Value::Null;
    let (before, after) = (old.get("spec").unwrap_or(&empty), new.get("spec").unwrap_or(&empty));
    let comparable = |spec: &Value| {
        let mut spec = spec.clone();
        if let Some(requests) = spec.pointer_mut("/resources/requests").and_then(Value::as_object_mut) {
            requests.remove("storage");
        }
        if text(before, "volumeName").is_empty()
            && let Some(fields) = spec.as_object_mut()
        {
            fields.remove("volumeName");
        }
        spec
    };
    let bound = text_at(old, &["status", "phase"]) == "Bound";
    let path = ["resources", "requests", "storage"];
    let (was, is) = (size(before, &path), size(after, &path));
    if comparable(before) != comparable(after) || (was != is && !bound) {
        errors.forbidden(
            "spec",
            "spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims",
        );
    } else if was > is {
        errors.forbidden("spec.resources.requests.storage", "field can not be less than status.capacity");
    }
}

fn sources(spec: &Value) -> Vec<(&str, &Value)> {
    let fields = spec.as_object().into_iter().flatten();
    fields.filter(|(field, _)| !NO_SOURCE.contains(&field.as_str())).map(|(f, v)| (f.as_str(), v)).collect()
}

/// ValidatePersistentVolumeSpec.
pub(super) fn volume(errors: &mut Errors, volume: &Value) {
    let empty = Value::Null;
    let spec = volume.get("spec").unwrap_or(&empty);
    access_modes(errors, spec, "spec");
    match at(spec, &["capacity", "storage"]) {
        None => errors.required("spec.capacity", ""),
        Some(value) if Quantity::from_json(value).is_ok_and(|size| size <= Quantity::ZERO) => {
            errors.invalid("spec.capacity[storage]", value.clone(), "must be greater than zero");
        }
        Some(_) => {}
    }
    errors.one_of(spec, "persistentVolumeReclaimPolicy", "spec", &["Delete", "Recycle", "Retain"]);
    if let Some(required) = at(spec, &["nodeAffinity", "required"]) {
        node_selector(errors, required, "spec.nodeAffinity.required");
    }
    match sources(spec).as_slice() {
        [] => errors.required("spec", "must specify a volume type"),
        [_] => {}
        [_, (second, _), ..] => {
            errors.forbidden(&format!("spec.{second}"), "may not specify more than 1 volume type");
        }
    }
    if let Some(csi) = spec.get("csi") {
        for field in ["driver", "volumeHandle"] {
            if text(csi, field).is_empty() {
                errors.required(&format!("spec.csi.{field}"), "");
            }
        }
    }
    class_name(errors, spec, "storageClassName", "spec");
    errors.one_of(spec, "volumeMode", "spec", &["Block", "Filesystem"]);
}

/// ValidatePersistentVolumeUpdate.
pub(super) fn volume_update(errors: &mut Errors, old: &Value, new: &Value) {
    let empty = Value::Null;
    let (before, after) = (old.get("spec").unwrap_or(&empty), new.get("spec").unwrap_or(&empty));
    if sources(before) != sources(after) {
        errors.forbidden(
            "spec.persistentvolumesource",
            "spec.persistentvolumesource is immutable after creation",
        );
    }
    for field in ["volumeMode", "nodeAffinity"] {
        if before.get(field).is_some() && before.get(field) != after.get(field) {
            let value = after.get(field).cloned().unwrap_or_default();
            errors.invalid(&format!("spec.{field}"), value, "field is immutable");
        }
    }
}

/// ValidateStorageClass.
pub(super) fn class(errors: &mut Errors, class: &Value) {
    let provisioner = text(class, "provisioner");
    if provisioner.is_empty() {
        errors.required("provisioner", "");
    }
    for (field, supported) in [
        ("reclaimPolicy", &["Delete", "Retain"]),
        ("volumeBindingMode", &["Immediate", "WaitForFirstConsumer"]),
    ] {
        if !supported.contains(&text(class, field)) {
            errors.unsupported(field, text(class, field), supported);
        }
    }
}

/// ValidateStorageClassUpdate.
pub(super) fn class_update(errors: &mut Errors, old: &Value, new: &Value) {
    for field in ["parameters", "provisioner", "reclaimPolicy"] {
        if old.get(field) != new.get(field) {
            errors.forbidden(field, &format!("updates to {field} are forbidden."));
        }
    }
    for field in ["volumeBindingMode"] {
        if old.get(field) != new.get(field) {
            errors.invalid(field, text(new, field), "field is immutable");
        }
    }
}
