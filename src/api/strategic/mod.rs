//! Strategic merge patch: JSON merge patch that knows which lists are sets with a key.
//!
//! Follows `k8s.io/apimachinery/pkg/util/strategicpatch/patch.go` function by function, directives (`$patch`,
//! `$setElementOrder`, `$deleteFromPrimitiveList`, `$retainKeys`) and list order included, because the order decides
//! the template hash of a workload. Left out: the check that a patched field exists in the Go type.
//!
//! [`merge`] applies a patch, [`three_way`] computes the one `kubectl apply` sends.
mod diff;
mod order;
mod schema;

use serde_json::{Map, Value};
use thiserror::Error;

use super::text::go_format;

pub use diff::three_way;
use order::normalize;
use schema::{Rule, Schema};

type Object = Map<String, Value>;

const DIRECTIVE: &str = "$patch";
const RETAIN_KEYS: &str = "$retainKeys";
const DELETE_PREFIX: &str = "$deleteFromPrimitiveList/";
const ORDER_PREFIX: &str = "$setElementOrder/";

/// Why a strategic merge patch cannot be applied; the messages are those of the API machinery.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum StrategicError {
    /// An element of a keyed list lacks its key.
    #[error("map: {element} does not contain declared merge key: {key}")]
    NoMergeKey {
        /// The element, as Go prints a map.
        element: String,
        /// The list's merge key.
        key: &'static str,
    },
    /// `$patch` with a value that means nothing there.
    #[error("unknown patch type: {directive} in map: {object}")]
    BadDirective {
        /// The value of `$patch`.
        directive: String,
        /// The object that holds it, as Go prints a map.
        object: String,
    },
    /// `$patch: merge` inside a list.
    #[error("merging lists cannot yet be specified in the patch")]
    MergeDirective,
    /// `$setElementOrder` or another directive is not a list.
    #[error("expected a list of elements, but received a {0}")]
    BadType(&'static str),
    /// A patch element that its `$setElementOrder` list does not name.
    #[error("The order in patch list:\n{0}\n doesn't match {1} list:\n{2}\n")]
    BadOrder(String, &'static str, String),
    /// `$setElementOrder` lists of two patches differ.
    #[error("invalid patch format of setElementOrder list")]
    BadOrderList,
    /// A patched key that `$retainKeys` does not name.
    #[error("invalid patch format of retainKeys")]
    BadRetainKeys,
    /// Keyed lists hold objects, scalar lists do not.
    #[error("list element types are not identical: {0}")]
    MixedElements(&'static str),
    /// `apiVersion`, `kind` or `metadata.name` would change.
    #[error("at least one of apiVersion, kind and name was changed")]
    Identity,
}

fn go_format_object(object: &Object) -> String {
    go_format(&Value::Object(object.clone()))
}

/// A value as Go's `%s` prints it.
fn directive_text(value: &Value) -> String {
    if value.is_null() { "%!s(<nil>)".to_owned() } else { go_format(value) }
}

fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "<nil>",
        Value::Bool(_) => "bool",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "[]interface {}",
        Value::Object(_) => "map[string]interface {}",
    }
}

/// The merge key's value in a list element.
fn key_of<'a>(element: &'a Value, key: &'static str) -> Result<&'a Value, StrategicError> {
    let found = element.as_object().and_then(|object| object.get(key));
    found.ok_or_else(|| StrategicError::NoMergeKey { element: go_format(element), key })
}

/// Whether two values are of the same JSON type, the question before every recursion.
fn same_type(a: &Value, b: &Value) -> bool {
    std::mem::discriminant(a) == std::mem::discriminant(b)
}

/// What the merged document is: an object of the API, or another patch (inside [`three_way`]), in which directives
/// and nulls are kept for the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Target {
    Object,
    Patch,
}

/// Applies `patch` to an object of `kind` (`StrategicMergeMapPatch`). Keys patched to null are removed.
pub fn merge(kind: &str, original: Value, patch: Value) -> Result<Value, StrategicError> {
    match (original, patch) {
        (Value::Object(original), Value::Object(patch)) => {
            let merged = merge_map(original, patch, Schema::of_kind(kind), Target::Object)?;
            Ok(decoded(Value::Object(merged)))
        }
        (_, patch) => Ok(decoded(patch)),
    }
}

fn merge_map(
    mut original: Object,
    mut patch: Object,
    schema: &'static Schema,
    target: Target,
) -> Result<Object, StrategicError> {
    if let Some(directive) = patch.get(DIRECTIVE) {
        return match directive.as_str() {
            Some("replace") => {
                patch.remove(DIRECTIVE);
                Ok(patch)
            }
            Some("delete") => Ok(Object::new()),
            _ => Err(StrategicError::BadDirective {
                directive: directive_text(directive),
                object: go_format_object(&patch),
            }),
        };
    }
    apply_retain_keys(&mut original, &mut patch, target)?;
    apply_element_order(&mut original, &mut patch, schema, target)?;
    for (key, value) in patch {
        let deletion = key.strip_prefix(DELETE_PREFIX).map(str::to_owned);
        if deletion.is_some() && target == Target::Patch {
            original.insert(key, value);
            continue;
        }
        let is_deletion = deletion.is_some();
        let key = deletion.unwrap_or(key);
        if value.is_null() {
            original.remove(&key);
            if target == Target::Object {
                continue;
            }
        }
        let present = original.remove(&key);
        let merged = match present {
            Some(present) if same_type(&present, &value) => {
                merge_value(present, value, schema.rule(&key), is_deletion, target)?
            }
            Some(present) if is_deletion => present,
            None if is_deletion => continue,
            _ if target == Target::Object => match added(value) {
                Some(value) => value,
                None => continue,
            },
            _ => value,
        };
        original.insert(key, merged);
    }
    Ok(original)
}

/// Merges two values of the same type.
fn merge_value(
    original: Value,
    patch: Value,
    rule: Rule,
    is_deletion: bool,
    target: Target,
) -> Result<Value, StrategicError> {
    match (original, patch) {
        (Value::Object(original), Value::Object(patch)) if !rule.replace => {
            merge_map(original, patch, rule.schema, target).map(Value::Object)
        }
        (Value::Array(original), Value::Array(patch)) => match rule.merge_key {
            Some(key) => merge_list(original, patch, key, rule, is_deletion, target).map(Value::Array),
            None => Ok(Value::Array(patch)),
        },
        (_, patch) => Ok(patch),
    }
}

fn is_directive(key: &str) -> bool {
    key == DIRECTIVE || key == RETAIN_KEYS || key.starts_with(ORDER_PREFIX) || key.starts_with(DELETE_PREFIX)
}

/// A value that the object did not have, without directives; `None` if it carries `$patch` itself
/// (`removeDirectives`).
fn added(value: Value) -> Option<Value> {
    match value {
        Value::Object(object) if object.contains_key(DIRECTIVE) => None,
        Value::Object(object) => {
            let kept = object.into_iter().filter(|(key, _)| !is_directive(key));
            Some(Value::Object(kept.filter_map(|(key, value)| Some((key, added(value)?))).collect()))
        }
        Value::Array(list) => Some(Value::Array(list.into_iter().filter_map(added).collect())),
        other => Some(other),
    }
}

/// What is left when the API server decodes a merged document into its Go type: Go appends new elements as they
/// are, so nulls and directives may be left in them, and neither is a value or a field of any type.
fn decoded(value: Value) -> Value {
    match value {
        Value::Object(object) => {
            let kept = object.into_iter().filter(|(key, value)| !is_directive(key) && !value.is_null());
            Value::Object(kept.map(|(key, value)| (key, decoded(value))).collect())
        }
        Value::Array(list) => Value::Array(list.into_iter().map(decoded).collect()),
        other => other,
    }
}

fn apply_retain_keys(
    original: &mut Object,
    patch: &mut Object,
    target: Target,
) -> Result<(), StrategicError> {
    let Some(directive) = patch.remove(RETAIN_KEYS) else { return Ok(()) };
    if target == Target::Patch {
        return match original.get(RETAIN_KEYS) {
            Some(present) if *present != directive => Err(StrategicError::BadRetainKeys),
            _ => {
                original.insert(RETAIN_KEYS.to_owned(), directive);
                Ok(())
            }
        };
    }
    let keys = directive.as_array().ok_or(StrategicError::BadRetainKeys)?;
    let retained = |key: &str| keys.iter().any(|retained| retained.as_str() == Some(key));
    let covered = |(key, value): (&String, &Value)| {
        value.is_null()
            || key.starts_with(DELETE_PREFIX)
            || key.starts_with(ORDER_PREFIX)
            || retained(key.as_str())
    };
    if !patch.iter().all(covered) {
        return Err(StrategicError::BadRetainKeys);
    }
    original.retain(|key, _| retained(key));
    Ok(())
}

fn list_of(value: Option<&Value>) -> Result<Vec<Value>, StrategicError> {
    match value {
        None => Ok(Vec::new()),
        Some(Value::Array(list)) => Ok(list.clone()),
        Some(other) => Err(StrategicError::BadType(type_name(other))),
    }
}

/// Merges every list that comes with a `$setElementOrder` list and puts it into that order
/// (`mergePatchIntoOriginal`); takes both lists out of the patch.
fn apply_element_order(
    original: &mut Object,
    patch: &mut Object,
    schema: &'static Schema,
    target: Target,
) -> Result<(), StrategicError> {
    let directives: Vec<String> = patch.keys().filter(|key| key.starts_with(ORDER_PREFIX)).cloned().collect();
    for directive in directives {
        let Some(order) = patch.remove(&directive) else { continue };
        let field = directive.trim_start_matches(ORDER_PREFIX).to_owned();
        if target == Target::Patch {
            if original.get(&directive).is_some_and(|present| *present != order) {
                return Err(StrategicError::BadOrderList);
            }
            original.insert(directive, order.clone());
        }
        let order = list_of(Some(&order))?;
        let rule = schema.rule(&field);
        let key = rule.merge_key.unwrap_or_default();
        let live = list_of(original.get(&field))?;
        let patched = list_of(patch.get(&field))?;
        check_order(&patched, &order, key)?;
        let merged = match (original.remove(&field), patch.remove(&field)) {
            (None, None) => continue,
            (Some(original), None) => original,
            (None, Some(patch)) if target == Target::Patch => patch,
            (None, Some(patch)) => added(patch).unwrap_or(Value::Array(Vec::new())),
            (Some(original), Some(patch)) => merge_value(original, patch, rule, false, target)?,
        };
        let merged = list_of(Some(&merged))?;
        let merged = normalize(merged, &order, &live, key)?;
        original.insert(field, Value::Array(merged));
    }
    Ok(())
}

/// Every patched element (deletions aside) must be in the order list, in that order
/// (`validatePatchWithSetOrderList`).
fn check_order(patched: &[Value], order: &[Value], key: &'static str) -> Result<(), StrategicError> {
    let mut rest = order.iter();
    for element in patched {
        if element.get(DIRECTIVE).and_then(Value::as_str) == Some("delete") {
            continue;
        }
        let wanted = if key.is_empty() { element } else { key_of(element, key)? };
        let matches = |ordered: &Value| {
            if key.is_empty() { ordered == wanted } else { ordered.get(key) == Some(wanted) }
        };
        if !rest.any(matches) {
            let text = |list: &[Value]| go_format(&Value::Array(list.to_vec()));
            return Err(StrategicError::BadOrder(text(patched), "$setElementOrder", text(order)));
        }
    }
    Ok(())
}

/// Merges two lists by key, or two lists of scalars (`mergeSlice`).
fn merge_list(
    mut original: Vec<Value>,
    patch: Vec<Value>,
    key: &'static str,
    rule: Rule,
    is_deletion: bool,
    target: Target,
) -> Result<Vec<Value>, StrategicError> {
    let objects = original.iter().chain(&patch).filter(|element| element.is_object()).count();
    if key.is_empty() {
        if objects > 0 {
            return Err(StrategicError::MixedElements("map in a list of scalars"));
        }
        if is_deletion {
            original.retain(|element| !patch.contains(element));
            return Ok(original);
        }
        let mut merged: Vec<Value> = Vec::with_capacity(original.len() + patch.len());
        for element in original.iter().chain(&patch) {
            if !merged.contains(element) {
                merged.push(element.clone());
            }
        }
        return normalize(merged, &patch, &original, key);
    }
    if objects < original.len() + patch.len() {
        return Err(StrategicError::MixedElements("scalar in a list of maps"));
    }
    let (live, patch) = apply_special_elements(original, patch, key)?;
    let mut merged = live.clone();
    for element in &patch {
        let value = key_of(element, key)?;
        let found = merged.iter_mut().find(|present| present.get(key) == Some(value));
        match (found, element) {
            (Some(present), Value::Object(element)) => {
                let Value::Object(object) = present.take() else { continue };
                *present = Value::Object(merge_map(object, element.clone(), rule.schema, target)?);
            }
            _ => merged.push(element.clone()),
        }
    }
    normalize(merged, &patch, &live, key)
}

/// Carries out the `$patch` elements of a list: deletes matching elements, or drops the live list altogether.
/// Returns the live list and the rest of the patch (`mergeSliceWithSpecialElements`).
fn apply_special_elements(
    mut original: Vec<Value>,
    patch: Vec<Value>,
    key: &'static str,
) -> Result<(Vec<Value>, Vec<Value>), StrategicError> {
    let mut ordinary = Vec::with_capacity(patch.len());
    let mut replace = false;
    for element in patch {
        let Some(directive) = element.get(DIRECTIVE) else {
            ordinary.push(element);
            continue;
        };
        match directive.as_str() {
            Some("delete") => {
                let value = key_of(&element, key)?;
                original.retain(|present| present.get(key) != Some(value));
            }
            Some("replace") => replace = true,
            Some("merge") => return Err(StrategicError::MergeDirective),
            _ => {
                let (directive, object) = (directive_text(directive), go_format(&element));
                return Err(StrategicError::BadDirective { directive, object });
            }
        }
    }
    if replace { Ok((ordinary, Vec::new())) } else { Ok((original, ordinary)) }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// Recorded from kubectl 1.32 (`apply` against a server that logs the patch, `patch --local`).
    fn vectors(name: &str) -> Vec<Value> {
        let vectors: Value = serde_json::from_str(include_str!("vectors.json")).unwrap();
        vectors[name].as_array().unwrap().clone()
    }

    #[test]
    fn merges_as_kubectl() {
        let cases = vectors("merge");
        for case in &cases {
            let kind = case["kind"].as_str().unwrap();
            let result = merge(kind, case["original"].clone(), case["patch"].clone());
            match case.get("error") {
                None => assert_eq!(result, Ok(decoded(case["result"].clone())), "{case}"),
                Some(error) => {
                    assert_eq!(
                        result.map_err(|e| e.to_string()),
                        Err(error.as_str().unwrap().to_owned()),
                        "{case}"
                    );
                }
            }
        }
    }

    #[test]
    fn three_way_as_kubectl_apply() {
        for case in vectors("threeWay") {
            let kind = case["kind"].as_str().unwrap();
            let patch = three_way(kind, &case["original"], &case["modified"], &case["current"]).unwrap();
            assert_eq!(patch, case["patch"], "{case}");
            // What the manifest says holds after the patch, at the least for scalars of the spec.
            let result = merge(kind, case["current"].clone(), patch).unwrap();
            for (key, value) in case["modified"]["spec"].as_object().unwrap() {
                assert!(!value.is_number() || result["spec"][key] == *value, "{case}");
            }
        }
    }

    #[test]
    fn lists_by_kind() {
        let ports = json!({"spec": {"ports": [{"port": 80, "name": "http"}]}});
        let patch = json!({"spec": {"ports": [{"port": 81}]}});
        let merged = merge("Service", ports.clone(), patch.clone()).unwrap();
        assert_eq!(merged, json!({"spec": {"ports": [{"port": 81}, {"port": 80, "name": "http"}]}}));
        // No kind with such a field merges it by `port`: replaced whole.
        assert_eq!(merge("ConfigMap", ports, patch.clone()).unwrap(), patch);
        let taints = json!({"spec": {"taints": [{"key": "a"}]}});
        let patch = json!({"spec": {"taints": [{"key": "b"}]}});
        assert_eq!(merge("Node", taints, patch.clone()).unwrap(), patch);
        let conditions =
            json!({"status": {"conditions": [{"type": "Ready", "status": "True"}, {"type": "X"}]}});
        let patch = json!({"status": {"conditions": [{"type": "Ready", "status": "False"}]}});
        assert_eq!(
            merge("Pod", conditions, patch).unwrap(),
            json!({"status": {"conditions": [{"type": "Ready", "status": "False"}, {"type": "X"}]}})
        );
        let owners =
            json!({"metadata": {"ownerReferences": [{"uid": "1"}, {"uid": "2"}], "finalizers": ["a", "b"]}});
        let patch = json!({"metadata": {"ownerReferences": [{"uid": "1", "$patch": "delete"}],
                                        "$deleteFromPrimitiveList/finalizers": ["a"]}});
        assert_eq!(
            merge("PersistentVolumeClaim", owners, patch).unwrap(),
            json!({"metadata": {"ownerReferences": [{"uid": "2"}], "finalizers": ["b"]}})
        );
    }

    #[test]
    fn identity_may_not_change() {
        let object = |name| json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}});
        assert_eq!(three_way("Pod", &Value::Null, &object("a"), &object("b")), Err(StrategicError::Identity));
    }
}
