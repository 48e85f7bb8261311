//! metadata: names, labels, annotations, owners, finalizers.
//!
//! Follows k8s.io/apimachinery/pkg/api/validation/objectmeta.go and ValidateObjectMeta of
//! pkg/apis/core/validation/validation.go.
use super::Errors;
use crate::api::kind::Kind;
use crate::api::text::{
    dns_label_errors, dns_subdomain_errors, dns1035_label_errors, label_key_errors, label_value_errors,
};
use crate::api::wire::fields::{flag, list, pairs, text, texts};
use serde_json::Value;

/// Annotations may have this many bytes together.
const MAX_ANNOTATIONS: usize = 256 * 1024;
/// Finalizers without a slash.
const STANDARD_FINALIZERS: [&str; 3] = ["kubernetes", "orphan", "foregroundDeletion"];

/// What is wrong with the name of an object of this kind.
fn name_errors(kind: Kind, name: &str) -> Vec<String> {
    match kind {
        Kind::StatefulSet | Kind::Namespace => dns_label_errors(name),
        Kind::Service => dns1035_label_errors(name),
        _ => dns_subdomain_errors(name),
    }
}

/// ValidateObjectMeta.
pub(super) fn create(errors: &mut Errors, kind: Kind, object: &Value) {
    let empty = Value::Null;
    let metadata = object.get("metadata").unwrap_or(&empty);
    let (name, prefix) = (text(metadata, "name"), text(metadata, "generateName"));
    if !prefix.is_empty() {
        // A dash at the end is filled up.
        let probe = prefix.strip_suffix('-').map_or_else(|| prefix.to_owned(), |prefix| format!("{prefix}a"));
        errors.invalid_for("metadata.generateName", prefix, name_errors(kind, &probe));
    }
    if name.is_empty() {
        errors.required("metadata.name", "name or generateName is required");
    } else {
        errors.invalid_for("metadata.name", name, name_errors(kind, name));
    }
    common(errors, metadata);
}

/// ValidateObjectMetaUpdate: what is immutable has been taken over already.
pub(super) fn update(errors: &mut Errors, old: &Value, new: &Value) {
    let empty = Value::Null;
    let (old, new) = (old.get("metadata").unwrap_or(&empty), new.get("metadata").unwrap_or(&empty));
    common(errors, new);
    if old.get("deletionTimestamp").is_some() {
        let known: Vec<_> = texts(old, "finalizers").collect();
        let added: Vec<_> = texts(new, "finalizers").filter(|finalizer| !known.contains(finalizer)).collect();
        if !added.is_empty() {
            let added = added.iter().map(|finalizer| format!("{finalizer:?}")).collect::<Vec<_>>().join(", ");
            errors.forbidden(
                "metadata.finalizers",
                &format!(
                    "no new finalizers can be added if the object is being deleted, found new finalizers \
                     []string{{{added}}}"
                ),
            );
        }
    }
}

fn common(errors: &mut Errors, metadata: &Value) {
    labels(errors, metadata, "metadata.labels");
    annotations(errors, metadata, "metadata.annotations");
    owners(errors, metadata);
    for (index, finalizer) in texts(metadata, "finalizers").enumerate() {
        errors.invalid_for("metadata.finalizers", finalizer, label_key_errors(finalizer));
        if !finalizer.contains('/') && !STANDARD_FINALIZERS.contains(&finalizer) {
            errors.invalid(
                &format!("metadata.finalizers[{index}]"),
                finalizer,
                "name is neither a standard finalizer name nor is it fully qualified",
            );
        }
    }
    let both =
        STANDARD_FINALIZERS.iter().skip(1).all(|known| texts(metadata, "finalizers").any(|f| f == *known));
    if both {
        let all = metadata.get("finalizers").cloned().unwrap_or_default();
        errors.invalid(
            "metadata.finalizers",
            all,
            "finalizer orphan and foregroundDeletion cannot be both set",
        );
    }
}

/// `labels` of this metadata (ValidateLabels).
pub(super) fn labels(errors: &mut Errors, metadata: &Value, path: &str) {
    label_map(errors, metadata, "labels", path);
}

/// A map of labels, as `nodeSelector` and the selectors of services are.
pub(super) fn label_map(errors: &mut Errors, parent: &Value, field: &str, path: &str) {
    for (key, value) in pairs(parent, field) {
        errors.invalid_for(path, key, label_key_errors(key));
        errors.invalid_for(path, value, label_value_errors(value));
    }
}

/// `annotations` of this metadata (ValidateAnnotations).
pub(super) fn annotations(errors: &mut Errors, metadata: &Value, path: &str) {
    let mut bytes = 0;
    for (key, value) in pairs(metadata, "annotations") {
        // Keys of annotations may be in upper case.
        errors.invalid_for(path, key, label_key_errors(&key.to_lowercase()));
        bytes += key.len() + value.len();
    }
    if bytes > MAX_ANNOTATIONS {
        errors.0.push(format!("{path}: Too long: may not be more than {MAX_ANNOTATIONS} bytes"));
    }
}

fn owners(errors: &mut Errors, metadata: &Value) {
    let mut controllers = Vec::new();
    for (index, owner) in list(metadata, "ownerReferences").iter().enumerate() {
        let path = format!("metadata.ownerReferences[{index}]");
        if text(owner, "apiVersion").is_empty() {
            errors.invalid(&format!("{path}.apiVersion"), "", "version must not be empty");
        }
        for (field, detail) in
            [("kind", "must not be empty"), ("name", "must not be empty"), ("uid", "must not be empty")]
        {
            if text(owner, field).is_empty() {
                errors.invalid(&format!("{path}.{field}"), "", detail);
            }
        }
        if flag(owner, "controller") {
            controllers.push(format!("{}/{}", text(owner, "kind"), text(owner, "name")));
        }
    }
    if let [first, second, ..] = controllers.as_slice() {
        let all = metadata.get("ownerReferences").cloned().unwrap_or_default();
        errors.invalid(
            "metadata.ownerReferences",
            all,
            &format!(
                "Only one reference can have Controller set to true. Found \"true\" in references for {first} and \
                 {second}"
            ),
        );
    }
}
