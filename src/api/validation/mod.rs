//! Whether an object may be stored, in the API server's own sentences.
//!
//! Follows pkg/apis/*/validation/validation.go and k8s.io/apimachinery/pkg/api/validation: the same checks in the same
//! order, each mistake one sentence (`field.Error`). Objects come here defaulted; types have been checked
//! ([`crate::api::manifest`]). Left out: checks of fields that nothing here acts on (security contexts, volume sources
//! other than claims, environment), and the differences that some sentences end in for kinds other than pods.
mod cluster;
mod internal;
mod metadata;
mod network;
mod pod;
mod pod_update;
mod storage;
mod workload;

use crate::api::kind::Kind;
use crate::api::selector::validate_label_selector;
use crate::api::wire::fields::{int, list, object, text};
use serde_json::Value;

/// What is wrong with a new object, defaulted and admitted; empty if nothing.
pub fn create(kind: Kind, object: &Value) -> Vec<String> {
    let mut errors = Errors::default();
    metadata::create(&mut errors, kind, object);
    spec(&mut errors, kind, object, None);
    errors.0
}

/// What is wrong with a change of metadata and spec from `old` to `new`; empty if nothing.
pub fn update(kind: Kind, old: &Value, new: &Value) -> Vec<String> {
    let mut errors = Errors::default();
    match kind {
        // These look at the spec first.
        Kind::StatefulSet | Kind::Deployment => {
            spec(&mut errors, kind, new, Some(old));
            metadata::update(&mut errors, old, new);
        }
        _ => {
            metadata::update(&mut errors, old, new);
            spec(&mut errors, kind, new, Some(old));
        }
    }
    match kind {
        Kind::StatefulSet => workload::stateful_set_update(&mut errors, old, new),
        Kind::Deployment | Kind::ReplicaSet => workload::selector_is_immutable(&mut errors, old, new),
        Kind::Pod => pod_update::update(&mut errors, old, new),
        Kind::Claim => storage::claim_update(&mut errors, old, new),
        Kind::Volume => storage::volume_update(&mut errors, old, new),
        Kind::StorageClass => storage::class_update(&mut errors, old, new),
        Kind::Service => network::service_update(&mut errors, old, new),
        Kind::PriorityClass => cluster::priority_class_update(&mut errors, old, new),
        _ => {}
    }
    errors.0
}

/// What is wrong with a change of status; empty if nothing.
pub fn update_status(kind: Kind, old: &Value, new: &Value) -> Vec<String> {
    let mut errors = Errors::default();
    if kind == Kind::StatefulSet {
        workload::stateful_set_status(&mut errors, old, new);
    }
    errors.0
}

/// Checks of everything but metadata.
fn spec(errors: &mut Errors, kind: Kind, object: &Value, old: Option<&Value>) {
    match kind {
        Kind::StatefulSet => workload::stateful_set(errors, object, old),
        Kind::Deployment => workload::deployment(errors, object),
        Kind::ReplicaSet => workload::replica_set(errors, object),
        Kind::Pod if old.is_none() => {
            pod::spec(errors, object.get("spec").unwrap_or(&Value::Null), "spec", &[])
        }
        Kind::Claim if old.is_none() => {
            storage::claim_spec(errors, object.get("spec").unwrap_or(&Value::Null), "spec");
        }
        Kind::Volume => storage::volume(errors, object),
        Kind::StorageClass if old.is_none() => storage::class(errors, object),
        Kind::Service => network::service(errors, object),
        Kind::Budget => network::budget(errors, object),
        Kind::Node => cluster::node(errors, object),
        Kind::PriorityClass if old.is_none() => cluster::priority_class(errors, object),
        _ => {}
    }
}

/// Sentences about mistakes, in the order in which they are found.
#[derive(Debug, Default)]
struct Errors(Vec<String>);

impl Errors {
    /// `path: Required value`, with the detail if there is one.
    fn required(&mut self, path: &str, detail: &str) {
        let separator = if detail.is_empty() { "" } else { ": " };
        self.0.push(format!("{path}: Required value{separator}{detail}"));
    }

    /// `path: Invalid value: value: detail`.
    fn invalid(&mut self, path: &str, value: impl Into<Value>, detail: &str) {
        self.0.push(format!("{path}: Invalid value: {}: {detail}", go_json(&value.into())));
    }

    /// One sentence for each of the details.
    fn invalid_for(&mut self, path: &str, value: &str, details: Vec<String>) {
        details.iter().for_each(|detail| self.invalid(path, value, detail));
    }

    /// `path: Unsupported value: value: supported values: ...`.
    fn unsupported(&mut self, path: &str, value: &str, supported: &[&str]) {
        let supported: Vec<_> = supported.iter().map(|value| format!("\"{value}\"")).collect();
        let value = go_json(&value.into());
        self.0
            .push(format!("{path}: Unsupported value: {value}: supported values: {}", supported.join(", ")));
    }

    /// `path: Forbidden: detail`.
    fn forbidden(&mut self, path: &str, detail: &str) {
        self.0.push(format!("{path}: Forbidden: {detail}"));
    }

    /// `path: Duplicate value: value`.
    fn duplicate(&mut self, path: &str, value: &str) {
        self.0.push(format!("{path}: Duplicate value: {}", go_json(&value.into())));
    }

    /// `path: Not found: value`.
    fn not_found(&mut self, path: &str, value: &str) {
        self.0.push(format!("{path}: Not found: {}", go_json(&value.into())));
    }

    /// The field, if there, is not below 0.
    fn nonnegative(&mut self, parent: &Value, field: &str, path: &str) {
        if let Some(number) = int(parent, field).filter(|number| *number < 0) {
            self.invalid(&format!("{path}.{field}"), number, "must be greater than or equal to 0");
        }
    }

    /// The field is one of these.
    fn one_of(&mut self, parent: &Value, field: &str, path: &str, supported: &[&str]) {
        let value = text(parent, field);
        if !supported.contains(&value) {
            self.unsupported(&format!("{path}.{field}"), value, supported);
        }
    }

    /// ValidatePositiveIntOrPercent: a number not below 0, or a percentage.
    fn int_or_percent(&mut self, parent: &Value, field: &str, path: &str) {
        let path = format!("{path}.{field}");
        match parent.get(field) {
            Some(Value::String(text)) if !is_percent(text) => self.invalid(
                &path,
                text.as_str(),
                "a valid percent string must be a numeric string followed by an ending '%' (e.g. '1%',  or '93%', \
                 regex used for validation is '[0-9]+%')",
            ),
            Some(Value::Number(number)) if number.as_i64().is_some_and(|number| number < 0) => {
                self.invalid(&path, number.as_i64(), "must be greater than or equal to 0");
            }
            _ => {}
        }
    }

    /// IsNotMoreThan100Percent.
    fn at_most_100_percent(&mut self, parent: &Value, field: &str, path: &str) {
        let percent = parent.get(field).and_then(Value::as_str).and_then(|text| text.strip_suffix('%'));
        if percent.and_then(|text| text.parse::<u64>().ok()).is_some_and(|percent| percent > 100) {
            self.invalid(&format!("{path}.{field}"), text(parent, field), "must not be greater than 100%");
        }
    }

    /// A label selector; `empty` is said of one that selects everything. False if it is missing or wrong.
    fn selector(&mut self, parent: &Value, field: &str, path: &str, empty: &str) -> bool {
        let path = format!("{path}.{field}");
        let Some(selector) = parent.get(field).filter(|selector| selector.is_object()) else {
            self.required(&path, "");
            return false;
        };
        let before = self.0.len();
        self.0.extend(validate_label_selector(selector, &path));
        let is_empty = object(selector, "matchLabels").is_none_or(serde_json::Map::is_empty)
            && list(selector, "matchExpressions").is_empty();
        if is_empty && !empty.is_empty() {
            self.invalid(&path, selector.clone(), empty);
        }
        self.0.len() == before
    }
}

fn is_percent(text: &str) -> bool {
    text.strip_suffix('%')
        .is_some_and(|digits| !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()))
}

/// Compact JSON; of a label selector Go writes matchLabels first.
fn go_json(value: &Value) -> String {
    let (labels, expressions) = (value.get("matchLabels"), value.get("matchExpressions"));
    match (labels, expressions) {
        (Some(labels), Some(expressions)) => {
            format!("{{\"matchLabels\":{labels},\"matchExpressions\":{expressions}}}")
        }
        _ => value.to_string(),
    }
}

#[cfg(test)]
mod tests;
