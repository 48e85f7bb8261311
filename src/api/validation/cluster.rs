//! Nodes and priority classes.
//!
//! Follows ValidateNode and validateNodeTaints of pkg/apis/core/validation/validation.go and
//! pkg/apis/scheduling/validation/validation.go.
use super::Errors;
use super::pod::effect;
use crate::api::text::{label_key_errors, label_value_errors};
use crate::api::wire::fields::{int, list, text, text_at};
use serde_json::Value;

/// The highest priority of a class that users make.
const HIGHEST: i64 = 1_000_000_000;
/// Classes of the system itself.
const SYSTEM: [(&str, i64); 2] =
    [("system-cluster-critical", 2 * HIGHEST), ("system-node-critical", 2 * HIGHEST + 1000)];

/// Taints: keys and effects, each pair once.
pub(super) fn node(errors: &mut Errors, node: &Value) {
    let empty = Value::Null;
    let taints = list(node.get("spec").unwrap_or(&empty), "taints");
    let mut known = Vec::new();
    for (index, taint) in taints.iter().enumerate() {
        let path = format!("spec.taints[{index}]");
        let (key, value) = (text(taint, "key"), text(taint, "value"));
        errors.invalid_for(&format!("{path}.key"), key, label_key_errors(key));
        errors.invalid_for(&format!("{path}.value"), value, label_value_errors(value));
        effect(errors, taint, &path, false);
        let pair = (key, text(taint, "effect"));
        if known.contains(&pair) {
            let taint = format!(
                "{{\"Key\":\"{key}\",\"Value\":\"{value}\",\"Effect\":\"{}\",\"TimeAdded\":null}}",
                pair.1
            );
            errors.0.push(format!(
                "{path}: Duplicate value: {taint}: taints must be unique by key and effect pair"
            ));
        }
        known.push(pair);
    }
}

/// ValidatePriorityClass.
pub(super) fn priority_class(errors: &mut Errors, class: &Value) {
    let name = text_at(class, &["metadata", "name"]);
    let value = int(class, "value").unwrap_or(0);
    if SYSTEM.contains(&(name, value)) {
        return;
    }
    if name.starts_with("system-") {
        errors.forbidden(
            "metadata.name",
            &format!(
                "priority class names with 'system-' prefix are reserved for system use only. error: {name} is not a \
                 known system priority class"
            ),
        );
    }
    if value > HIGHEST {
        errors.forbidden("value", &format!("maximum allowed value of a user defined priority is {HIGHEST}"));
    }
    let policy = text(class, "preemptionPolicy");
    if !matches!(policy, "PreemptLowerPriority" | "Never") {
        errors.unsupported("preemptionPolicy", policy, &["Never", "PreemptLowerPriority"]);
    }
}

/// ValidatePriorityClassUpdate.
pub(super) fn priority_class_update(errors: &mut Errors, old: &Value, new: &Value) {
    if int(old, "value") != int(new, "value") {
        errors.forbidden("value", "may not be changed in an update.");
    }
    if old.get("preemptionPolicy") != new.get("preemptionPolicy") {
        errors.invalid("preemptionPolicy", text(new, "preemptionPolicy"), "field is immutable");
    }
}
