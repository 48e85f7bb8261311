//! What of a pod may change (POD-8).
//!
//! Follows ValidatePodUpdate of pkg/apis/core/validation/validation.go: the fields that may differ are made equal, and
//! then nothing may differ.
use super::{Errors, pod};
use crate::api::wire::fields::{int, list};
use crate::rule::mark;
use serde_json::Value;

/// ValidatePodUpdate.
pub(super) fn update(errors: &mut Errors, old: &Value, new: &Value) {
    let empty = Value::Null;
    let (before, after) = (old.get("spec").unwrap_or(&empty), new.get("spec").unwrap_or(&empty));
    if before == after {
        return;
    }
    for field in ["containers", "initContainers"] {
        if list(before, field).len() != list(after, field).len() {
            let text = format!("pod updates may not add or remove {field}");
            errors.forbidden(&format!("spec.{field}"), &text);
        }
    }
    if !errors.0.is_empty() {
        return;
    }
    deadline(errors, before, after);
    let keeps = |toleration: &Value| {
        list(after, "tolerations")
            .iter()
            .any(|kept| without(kept, "tolerationSeconds") == without(toleration, "tolerationSeconds"))
    };
    if !list(before, "tolerations").iter().all(keeps) {
        errors.forbidden(
            "spec.tolerations",
            "existing toleration can not be modified except its tolerationSeconds",
        );
    }
    let gates = |spec| list(spec, "schedulingGates");
    if gates(after).iter().any(|gate| !gates(before).contains(gate)) {
        errors.forbidden("spec.schedulingGates", "only deletion is allowed, but found new scheduling gate");
    }
    pod::spec(errors, after, "spec", &[]);
    let after = with_mutable_fields_of(before, after);
    if after != *before {
        mark!("POD-8");
        errors.forbidden("spec", &refusal(before, &after));
    }
}

fn without(value: &Value, field: &str) -> Value {
    let mut value = value.clone();
    if let Some(fields) = value.as_object_mut() {
        fields.remove(field);
    }
    value
}

/// activeDeadlineSeconds may be set or shortened.
fn deadline(errors: &mut Errors, before: &Value, after: &Value) {
    let path = "spec.activeDeadlineSeconds";
    match (int(before, "activeDeadlineSeconds"), int(after, "activeDeadlineSeconds")) {
        (Some(_), None) => {
            errors.invalid(path, Value::Null, "must not update from a positive integer to nil value")
        }
        (Some(was), Some(is)) if is > was => {
            let text = format!("must be less than or equal to previous value {was}");
            errors.invalid(path, is, &text);
        }
        _ => {}
    }
}

/// The new spec with everything that may change as it was.
fn with_mutable_fields_of(before: &Value, after: &Value) -> Value {
    let mut after = after.clone();
    for field in ["containers", "initContainers"] {
        let old = list(before, field).to_vec();
        let new = after.get_mut(field).and_then(Value::as_array_mut).into_iter().flatten();
        for (new, old) in new.zip(old) {
            new["image"] = old["image"].clone();
        }
    }
    let negative = int(before, "terminationGracePeriodSeconds").is_some_and(|seconds| seconds < 0)
        && int(&after, "terminationGracePeriodSeconds") == Some(1);
    let restored = ["activeDeadlineSeconds", "tolerations", "schedulingGates"].into_iter();
    for field in restored.chain(negative.then_some("terminationGracePeriodSeconds")) {
        let Some(fields) = after.as_object_mut() else { continue };
        match before.get(field) {
            Some(value) => fields.insert(field.into(), value.clone()),
            None => fields.remove(field),
        };
    }
    after
}

fn refusal(before: &Value, after: &Value) -> String {
    let diff = super::internal::pod_spec_diff(before, after);
    format!(
        "pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,\
     `spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),\
     `spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)\n{diff}"
    )
}
