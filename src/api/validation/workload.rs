//! StatefulSets, Deployments and ReplicaSets (STS-6 to STS-9, DEP-2).
//!
//! Follows pkg/apis/apps/validation/validation.go.
use super::{Errors, metadata, pod, storage};
use crate::api::selector::Selector;
use crate::api::text::dns_label_errors;
use crate::api::wire::fields::{at, int, list, object, text, text_at};
use crate::rule::mark;
use serde_json::{Map, Value, json};
use std::borrow::Cow;

/// What else of a StatefulSet's spec may change (STS-8).
const MUTABLE: [&str; 7] = [
    "replicas",
    "ordinals",
    "template",
    "updateStrategy",
    "revisionHistoryLimit",
    "persistentVolumeClaimRetentionPolicy",
    "minReadySeconds",
];

fn spec_of(object: &Value) -> &Value {
    object.get("spec").unwrap_or(&Value::Null)
}

/// ValidateStatefulSetSpec; an update does not look at the service name and the claim templates again.
pub(super) fn stateful_set(errors: &mut Errors, set: &Value, old: Option<&Value>) {
    let (spec, before) = (spec_of(set), errors.0.len());
    let policy = text(spec, "podManagementPolicy");
    if !matches!(policy, "OrderedReady" | "Parallel") {
        errors.invalid("spec.podManagementPolicy", policy, "must be 'OrderedReady' or 'Parallel'");
    }
    update_strategy(errors, spec.get("updateStrategy").unwrap_or(&Value::Null));
    if let Some(retention) = spec.get("persistentVolumeClaimRetentionPolicy") {
        for half in ["whenDeleted", "whenScaled"] {
            errors.one_of(
                retention,
                half,
                "spec.persistentVolumeClaimRetentionPolicy",
                &["Retain", "Delete"],
            );
        }
    }
    errors.nonnegative(spec, "replicas", "spec");
    errors.nonnegative(spec, "minReadySeconds", "spec");
    if let Some(ordinals) = spec.get("ordinals") {
        errors.nonnegative(ordinals, "start", "spec.ordinals");
    }
    let service = text(spec, "serviceName");
    if old.is_none() && !service.is_empty() {
        errors.invalid_for("spec.serviceName", service, dns_label_errors(service));
    }
    let selects = errors.selector(spec, "selector", "spec", "empty selector is invalid for statefulset");
    let claims = list(spec, "volumeClaimTemplates");
    let names: Vec<&str> = claims.iter().map(|claim| text_at(claim, &["metadata", "name"])).collect();
    // A set that was invalid before may stay so (STS-8).
    let was_invalid = old.is_some_and(|old| {
        let mut before = Errors::default();
        template(&mut before, spec_of(old), true, &names, "StatefulSet");
        !before.0.is_empty()
    });
    if !was_invalid {
        template(errors, spec, selects, &names, "StatefulSet");
    }
    for (index, claim) in claims.iter().enumerate().filter(|_| old.is_none()) {
        let path = format!("spec.volumeClaimTemplates[{index}]");
        storage::claim_spec(errors, spec_of(claim), &format!("{path}.spec"));
    }
    mark!("STS-6" if errors.0.len() > before);
}

fn update_strategy(errors: &mut Errors, strategy: &Value) {
    let path = "spec.updateStrategy.rollingUpdate";
    let rolling = strategy.get("rollingUpdate").filter(|rolling| rolling.is_object());
    match (text(strategy, "type"), rolling) {
        ("OnDelete", Some(rolling)) => {
            errors.0.push(format!(
                "{path}: Invalid value: {}: only allowed for updateStrategy 'RollingUpdate'",
                internal_rolling_update(rolling)
            ));
        }
        ("RollingUpdate", Some(rolling)) => {
            errors.nonnegative(rolling, "partition", path);
            errors.int_or_percent(rolling, "maxUnavailable", path);
            let none = matches!(rolling.get("maxUnavailable"), Some(value) if is_zero(value));
            if none {
                let value = rolling.get("maxUnavailable").cloned().unwrap_or_default();
                errors.invalid(&format!("{path}.maxUnavailable"), value, "cannot be 0");
            }
            errors.at_most_100_percent(rolling, "maxUnavailable", path);
        }
        ("OnDelete" | "RollingUpdate", None) => {}
        (other, rolling) => {
            let rolling = rolling.map_or_else(|| "null".to_owned(), internal_rolling_update);
            errors.0.push(format!(
                "spec.updateStrategy: Invalid value: {{\"Type\":{},\"RollingUpdate\":{rolling}}}: must be \
                 'RollingUpdate' or 'OnDelete'",
                Value::from(other)
            ));
        }
    }
}

/// As the server's internal type prints, in its order of fields.
fn internal_rolling_update(rolling: &Value) -> String {
    let part = |field| rolling.get(field).cloned().unwrap_or(Value::Null);
    format!("{{\"Partition\":{},\"MaxUnavailable\":{}}}", part("partition"), part("maxUnavailable"))
}

fn is_zero(value: &Value) -> bool {
    match value {
        Value::Number(number) => number.as_i64() == Some(0),
        Value::String(text) => text.strip_suffix('%').is_some_and(|n| n.parse() == Ok(0)),
        _ => false,
    }
}

/// The pod template of a workload: its labels are selected, and it is one of pods that are restarted for ever.
/// `claims` are volumes besides those of the template (STS-7).
fn template(errors: &mut Errors, spec: &Value, selects: bool, claims: &[&str], kind: &str) {
    let empty = Value::Null;
    let template = spec.get("template").unwrap_or(&empty);
    let metadata = template.get("metadata").unwrap_or(&empty);
    let selector = spec.get("selector").and_then(|selector| Selector::from_label_selector(selector).ok());
    if let Some(selector) = selector.filter(|_| selects) {
        let labels = object(metadata, "labels");
        let label =
            |key: &str| labels.and_then(|labels| labels.get(key)).and_then(Value::as_str).map(Cow::from);
        if !selector.matches(label) {
            let labels = labels.cloned().map_or(Value::Null, Value::Object);
            errors.invalid(
                "spec.template.metadata.labels",
                labels,
                "`selector` does not match template `labels`",
            );
        }
    }
    metadata::labels(errors, metadata, "spec.template.labels");
    metadata::annotations(errors, metadata, "spec.template.annotations");
    let pod = template.get("spec").unwrap_or(&empty);
    pod::spec(errors, pod, "spec.template.spec", claims);
    if text(pod, "restartPolicy") != "Always" {
        errors.unsupported("spec.template.spec.restartPolicy", text(pod, "restartPolicy"), &["Always"]);
    }
    if pod.get("activeDeadlineSeconds").is_some() {
        errors.forbidden(
            "spec.template.spec.activeDeadlineSeconds",
            &format!("activeDeadlineSeconds in {kind} is not Supported"),
        );
    }
}

/// ValidateStatefulSetUpdate, beyond the spec itself (STS-8).
pub(super) fn stateful_set_update(errors: &mut Errors, old: &Value, new: &Value) {
    let fixed = |set: &Value| -> Map<String, Value> {
        let fields = spec_of(set).as_object().into_iter().flatten();
        let fixed =
            fields.filter(|(field, value)| !MUTABLE.contains(&field.as_str()) && **value != json!(""));
        fixed.map(|(field, value)| (field.clone(), value.clone())).collect()
    };
    if fixed(old) != fixed(new) {
        mark!("STS-8");
        errors.forbidden(
            "spec",
            "updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', 'updateStrategy', \
             'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden",
        );
    }
}

/// ValidateStatefulSetStatus and ValidateStatefulSetStatusUpdate (STS-9).
pub(super) fn stateful_set_status(errors: &mut Errors, old: &Value, new: &Value) {
    let empty = Value::Null;
    let status = new.get("status").unwrap_or(&empty);
    let counters = ["replicas", "readyReplicas", "currentReplicas", "updatedReplicas", "availableReplicas"];
    for field in counters.into_iter().chain(["observedGeneration", "collisionCount"]) {
        errors.nonnegative(status, field, "status");
    }
    let number = |field| int(status, field).unwrap_or(0);
    for field in counters.into_iter().skip(1) {
        if number(field) > number("replicas") {
            let path = format!("status.{field}");
            errors.invalid(&path, number(field), "cannot be greater than status.replicas");
        }
    }
    if number("availableReplicas") > number("readyReplicas") {
        let available = number("availableReplicas");
        errors.invalid("status.availableReplicas", available, "cannot be greater than status.readyReplicas");
    }
    let before = at(old, &["status", "collisionCount"]).and_then(Value::as_i64);
    if let Some(before) = before.filter(|before| *before > number("collisionCount")) {
        errors.invalid(
            "status.collisionCount",
            int(status, "collisionCount").unwrap_or(before.min(0)),
            "cannot be decremented",
        );
    }
    mark!("STS-9" if !errors.0.is_empty());
}

/// ValidateDeploymentSpec (DEP-2).
pub(super) fn deployment(errors: &mut Errors, deployment: &Value) {
    let spec = spec_of(deployment);
    errors.nonnegative(spec, "replicas", "spec");
    let selects = errors.selector(spec, "selector", "spec", "empty selector is invalid for deployment");
    template(errors, spec, selects, &[], "ReplicaSet");
    deployment_strategy(errors, spec.get("strategy").unwrap_or(&Value::Null));
    for field in ["minReadySeconds", "revisionHistoryLimit", "progressDeadlineSeconds"] {
        errors.nonnegative(spec, field, "spec");
    }
    if let Some(deadline) = int(spec, "progressDeadlineSeconds")
        && deadline <= int(spec, "minReadySeconds").unwrap_or(0)
    {
        errors.invalid("spec.progressDeadlineSeconds", deadline, "must be greater than minReadySeconds");
    }
    mark!("DEP-2" if !errors.0.is_empty());
}

fn deployment_strategy(errors: &mut Errors, strategy: &Value) {
    let path = "spec.strategy.rollingUpdate";
    let rolling = strategy.get("rollingUpdate").filter(|rolling| rolling.is_object());
    match (text(strategy, "type"), rolling) {
        ("Recreate", None) => {}
        ("Recreate", Some(_)) => {
            errors.forbidden(path, "may not be specified when strategy `type` is 'Recreate'");
        }
        ("RollingUpdate", Some(rolling)) => {
            errors.int_or_percent(rolling, "maxUnavailable", path);
            errors.int_or_percent(rolling, "maxSurge", path);
            let zero = |field| rolling.get(field).is_none_or(is_zero);
            if zero("maxUnavailable") && zero("maxSurge") {
                let value = rolling.get("maxUnavailable").cloned().unwrap_or_else(|| json!(0));
                errors.invalid(&format!("{path}.maxUnavailable"), value, "may not be 0 when `maxSurge` is 0");
            }
            errors.at_most_100_percent(rolling, "maxUnavailable", path);
        }
        ("RollingUpdate", None) => errors.required(path, "this should be defaulted and never be nil"),
        (other, _) => errors.unsupported("spec.strategy.type", other, &["Recreate", "RollingUpdate"]),
    }
}

/// ValidateReplicaSetSpec.
pub(super) fn replica_set(errors: &mut Errors, set: &Value) {
    let spec = spec_of(set);
    errors.nonnegative(spec, "replicas", "spec");
    errors.nonnegative(spec, "minReadySeconds", "spec");
    let selects = errors.selector(spec, "selector", "spec", "empty selector is invalid for deployment");
    template(errors, spec, selects, &[], "ReplicaSet");
}

/// The selector of a Deployment or ReplicaSet stays (DEP-2).
pub(super) fn selector_is_immutable(errors: &mut Errors, old: &Value, new: &Value) {
    let (old, new) = (spec_of(old).get("selector"), spec_of(new).get("selector"));
    if old != new {
        mark!("DEP-2");
        errors.invalid("spec.selector", new.cloned().unwrap_or_default(), "field is immutable");
    }
}
