//! The three kinds of PATCH, and what `kubectl apply` makes of a manifest.
//!
//! Follows `k8s.io/apiserver/pkg/endpoints/handlers/patch.go` for the order of checks and the texts of refusals, and
//! `k8s.io/kubectl/pkg/util/apply.go`, `pkg/cmd/apply/patcher.go` for the last-applied annotation. JSON patch and
//! merge patch come from the `json-patch` crate, strategic merge from [`super::strategic`].
//! Left out: server-side apply; negative list indices in JSON patches, which Go's library allows.
use std::fmt;
use std::str::FromStr;

use serde_json::{Map, Value, json};
use thiserror::Error;

use super::strategic;
use super::text::go_json;

/// The annotation in which `kubectl apply` remembers the manifest.
pub const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";
/// The most operations one JSON patch may have (`maxJSONPatchOperations`).
pub const MAX_JSON_PATCH_OPERATIONS: usize = 10_000;

/// How a patch is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum PatchType {
    /// RFC 6902: a list of operations.
    Json,
    /// RFC 7386: a partial object; lists are replaced.
    Merge,
    /// Kubernetes' own: a partial object; many lists merge by key. kubectl's default.
    #[default]
    Strategic,
}

impl FromStr for PatchType {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "json" => Ok(Self::Json),
            "merge" => Ok(Self::Merge),
            "strategic" => Ok(Self::Strategic),
            _ => Err(format!("--type must be one of [json merge strategic], not {text:?}")),
        }
    }
}

impl fmt::Display for PatchType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Json => "json",
            Self::Merge => "merge",
            Self::Strategic => "strategic",
        })
    }
}

/// Why a patch is refused. Printed, the message of the server's answer; kubectl puts the variant's words before it.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum PatchError {
    /// 400; kubectl: `Error from server (BadRequest): ...`.
    #[error("{0}")]
    BadRequest(String),
    /// 422 without details; kubectl: `The request is invalid: ...`. The reason given here is not shown by kubectl.
    #[error("the server rejected our request due to an error in our request")]
    Unprocessable(String),
    /// 413; kubectl: `Error from server (RequestEntityTooLarge): ...`.
    #[error("{0}")]
    TooLarge(String),
    /// 500; kubectl: `Error from server: ...`.
    #[error("{0}")]
    Internal(String),
}

/// Applies a patch, as text, to an object of `kind`. The result has still to be validated as an update.
pub fn apply(kind: &str, current: &Value, patch: &str, patch_type: PatchType) -> Result<Value, PatchError> {
    match patch_type {
        PatchType::Json => apply_json_patch(current, patch),
        PatchType::Merge => {
            let patch = parse_object(patch)
                .map_err(|e| PatchError::BadRequest(format!("error decoding patch: {e}")))?;
            let mut patched = current.clone();
            json_patch::merge(&mut patched, &patch);
            Ok(patched)
        }
        PatchType::Strategic => {
            apply_strategic(kind, current, parse_object(patch).map_err(PatchError::BadRequest)?)
        }
    }
}

fn apply_strategic(kind: &str, current: &Value, patch: Value) -> Result<Value, PatchError> {
    use strategic::StrategicError as Error;
    strategic::merge(kind, current.clone(), patch).map_err(|error| match error {
        Error::BadOrderList | Error::BadRetainKeys => PatchError::Unprocessable(error.to_string()),
        _ => PatchError::Internal(error.to_string()),
    })
}

fn apply_json_patch(current: &Value, patch: &str) -> Result<Value, PatchError> {
    let operations: Value =
        serde_json::from_str(patch).map_err(|error| PatchError::BadRequest(go_json_error(patch, &error)))?;
    let Value::Array(list) = &operations else {
        let text = format!(
            "json: cannot unmarshal {} into Go value of type jsonpatch.Patch",
            type_name(&operations)
        );
        return Err(PatchError::BadRequest(text));
    };
    if list.len() > MAX_JSON_PATCH_OPERATIONS {
        return Err(PatchError::TooLarge(format!(
            "The allowed maximum operations in a JSON patch is {MAX_JSON_PATCH_OPERATIONS}, got {}",
            list.len()
        )));
    }
    let operations: json_patch::Patch =
        serde_json::from_value(operations).map_err(|error| PatchError::Unprocessable(error.to_string()))?;
    let mut patched = current.clone();
    json_patch::patch(&mut patched, &operations)
        .map_err(|error| PatchError::Unprocessable(error.to_string()))?;
    Ok(patched)
}

fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

fn parse_object(text: &str) -> Result<Value, String> {
    match serde_json::from_str(text) {
        Ok(object @ Value::Object(_)) => Ok(object),
        Ok(Value::Null) => Ok(Value::Object(Map::new())),
        Ok(other) => {
            let name = type_name(&other);
            Err(format!("json: cannot unmarshal {name} into Go value of type map[string]interface {{}}"))
        }
        Err(error) => Err(go_json_error(text, &error)),
    }
}

/// A syntax error in the words of Go's `encoding/json`.
fn go_json_error(text: &str, error: &serde_json::Error) -> String {
    if error.is_eof() {
        return "unexpected end of JSON input".to_owned();
    }
    let line = text.lines().nth(error.line().saturating_sub(1)).unwrap_or_default();
    // serde_json counts bytes from 1.
    let at = line.get(error.column().saturating_sub(1)..).and_then(|rest| rest.chars().next());
    let Some(character) = at else { return error.to_string() };
    let message = error.to_string();
    let place = [
        ("key must be a string", "looking for beginning of object key string"),
        ("expected `:`", "after object key"),
        ("expected `,` or `}`", "after object key:value pair"),
        ("expected `,` or `]`", "after array element"),
        ("trailing characters", "after top-level value"),
        ("control character", "in string literal"),
        ("escape", "in string escape code"),
        ("expected ident", "in literal"),
    ];
    let place = place.iter().find(|(ours, _)| message.starts_with(ours) || message.contains(ours));
    format!(
        "invalid character {character:?} {}",
        place.map_or("looking for beginning of value", |(_, go)| go)
    )
}

/// The annotations of an object, made if missing; `None` if the object is malformed.
fn annotations_mut(object: &mut Value) -> Option<&mut Map<String, Value>> {
    let metadata = object.as_object_mut()?.entry("metadata").or_insert_with(|| json!({}));
    metadata.as_object_mut()?.entry("annotations").or_insert_with(|| json!({})).as_object_mut()
}

/// A manifest as `kubectl apply` and `kubectl create --save-config` send it: with itself in its annotation
/// (`GetModifiedConfiguration`).
pub fn with_last_applied(manifest: &Value) -> Value {
    let mut modified = manifest.clone();
    if let Some(annotations) = annotations_mut(&mut modified) {
        annotations.remove(LAST_APPLIED);
    }
    let text = go_json(&modified) + "\n";
    if let Some(annotations) = annotations_mut(&mut modified) {
        annotations.insert(LAST_APPLIED.to_owned(), Value::String(text));
    }
    modified
}

/// The manifest that was applied last, from an object's annotation; `None` if it was never applied.
pub fn last_applied(object: &Value) -> Option<Value> {
    let text = object.get("metadata")?.get("annotations")?.get(LAST_APPLIED)?.as_str()?;
    serde_json::from_str(text).ok()
}

/// What `kubectl apply` of `manifest` does to the live object `current`: the patch it sends; `{}` if there is nothing
/// to do, for which it prints "unchanged".
pub fn apply_patch(
    kind: &str,
    manifest: &Value,
    current: &Value,
) -> Result<Value, strategic::StrategicError> {
    let original = last_applied(current).unwrap_or(Value::Null);
    strategic::three_way(kind, &original, &with_last_applied(manifest), current)
}

/// The object after `kubectl apply`, before defaults and validation, and whether anything was sent at all.
pub fn apply_manifest(kind: &str, manifest: &Value, current: &Value) -> Result<(Value, bool), PatchError> {
    let patch =
        apply_patch(kind, manifest, current).map_err(|error| PatchError::Internal(error.to_string()))?;
    let sent = patch.as_object().is_some_and(|patch| !patch.is_empty());
    Ok((if sent { apply_strategic(kind, current, patch)? } else { current.clone() }, sent))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn pod() -> Value {
        json!({
            "kind": "Pod",
            "metadata": {"name": "p", "finalizers": ["a"]},
            "spec": {"containers": [{"name": "a", "image": "a:1"}, {"name": "b", "image": "b:1"}]},
        })
    }

    #[test]
    fn three_types() {
        let cases = [
            (
                PatchType::Json,
                r#"[{"op":"add","path":"/metadata/finalizers/-","value":"b"}]"#,
                "/metadata/finalizers",
                json!(["a", "b"]),
            ),
            (
                PatchType::Json,
                r#"[{"op":"replace","path":"/spec/containers/0/image","value":"a:2"}]"#,
                "/spec/containers/0/image",
                json!("a:2"),
            ),
            (PatchType::Merge, r#"{"metadata":{"finalizers":null}}"#, "/metadata", json!({"name": "p"})),
            (PatchType::Merge, r#"{"spec":{"containers":[]}}"#, "/spec/containers", json!([])),
            (
                PatchType::Strategic,
                r#"{"spec":{"containers":[{"name":"b","image":"b:2"}]}}"#,
                "/spec/containers",
                json!([{"name": "a", "image": "a:1"}, {"name": "b", "image": "b:2"}]),
            ),
        ];
        for (patch_type, patch, pointer, expected) in cases {
            let patched = apply("Pod", &pod(), patch, patch_type).unwrap();
            assert_eq!(patched.pointer(pointer), Some(&expected), "{patch}");
        }
    }

    #[test]
    fn refusals() {
        use PatchError::{BadRequest, Internal, Unprocessable};
        let bad = |text: &str| BadRequest(text.to_owned());
        let map = "into Go value of type map[string]interface {}";
        let cases = [
            // "Error from server (BadRequest): error decoding patch: unexpected end of JSON input"
            (PatchType::Merge, "{", bad("error decoding patch: unexpected end of JSON input")),
            (
                PatchType::Merge,
                "[]",
                bad(&format!("error decoding patch: json: cannot unmarshal array {map}")),
            ),
            (PatchType::Strategic, "{", bad("unexpected end of JSON input")),
            (
                PatchType::Strategic,
                "{a}",
                bad("invalid character 'a' looking for beginning of object key string"),
            ),
            (PatchType::Strategic, "{\"a\" 1}", bad("invalid character '1' after object key")),
            (
                PatchType::Json,
                "{}",
                bad("json: cannot unmarshal object into Go value of type jsonpatch.Patch"),
            ),
            (
                PatchType::Strategic,
                r#"{"spec":{"containers":[{"image":"b:2"}]}}"#,
                Internal("map: map[image:b:2] does not contain declared merge key: name".to_owned()),
            ),
        ];
        for (patch_type, patch, expected) in cases {
            assert_eq!(apply("Pod", &pod(), patch, patch_type), Err(expected), "{patch}");
        }
        for patch in [
            r#"[{"op":"remove","path":"/spec/nosuch"}]"#,
            r#"[{"op":"test","path":"/kind","value":1}]"#,
            r#"[{"op":"frob","path":"/spec"}]"#,
        ] {
            let error = apply("Pod", &pod(), patch, PatchType::Json).unwrap_err();
            assert!(matches!(error, Unprocessable(_)), "{patch}");
            assert_eq!(error.to_string(), "the server rejected our request due to an error in our request");
        }
        let operation = r#"{"op":"test","path":"/kind","value":"Pod"}"#;
        let list = |count: usize| format!("[{}]", vec![operation; count].join(","));
        assert!(apply("Pod", &pod(), &list(MAX_JSON_PATCH_OPERATIONS), PatchType::Json).is_ok());
        let error = apply("Pod", &pod(), &list(MAX_JSON_PATCH_OPERATIONS + 1), PatchType::Json).unwrap_err();
        assert_eq!(error.to_string(), "The allowed maximum operations in a JSON patch is 10000, got 10001");
        assert_eq!(
            "foo".parse::<PatchType>(),
            Err("--type must be one of [json merge strategic], not \"foo\"".to_owned())
        );
    }

    #[test]
    fn applying_a_manifest() {
        let manifest = |replicas: u32| {
            json!({
                "apiVersion": "apps/v1",
                "kind": "StatefulSet",
                "metadata": {"name": "web", "namespace": "default"},
                "spec": {"replicas": replicas, "template": {"spec": {"nodeSelector": {"a": "<b>"}}}},
            })
        };
        let mut live = with_last_applied(&manifest(2));
        assert_eq!(
            live["metadata"]["annotations"][LAST_APPLIED],
            "{\"apiVersion\":\"apps/v1\",\"kind\":\"StatefulSet\",\"metadata\":{\"annotations\":{},\"name\":\"web\",\
             \"namespace\":\"default\"},\"spec\":{\"replicas\":2,\"template\":{\"spec\":{\"nodeSelector\":\
             {\"a\":\"\\u003cb\\u003e\"}}}}}\n"
        );
        live["spec"]["podManagementPolicy"] = json!("OrderedReady");
        assert_eq!(apply_patch("StatefulSet", &manifest(2), &live), Ok(json!({})));
        assert_eq!(apply_manifest("StatefulSet", &manifest(2), &live), Ok((live.clone(), false)));

        let (applied, sent) = apply_manifest("StatefulSet", &manifest(3), &live).unwrap();
        assert!(sent);
        assert_eq!(applied["spec"]["replicas"], 3);
        assert_eq!(applied["spec"]["podManagementPolicy"], "OrderedReady");
        assert_eq!(last_applied(&applied).unwrap()["spec"]["replicas"], 3);

        // A field that the manifest no longer has goes away; one that it never had stays.
        let mut without = manifest(3);
        without["spec"]["template"]["spec"] = json!({});
        let (applied, _) = apply_manifest("StatefulSet", &without, &applied).unwrap();
        assert_eq!(applied["spec"]["template"]["spec"].get("nodeSelector"), None);
        assert_eq!(applied["spec"]["podManagementPolicy"], "OrderedReady");
        assert_eq!(last_applied(&pod()), None);
    }

    proptest! {
        #[test]
        fn no_patch_panics(text in "[\\[\\]{}\":,a$/0-9 \\-]{0,40}") {
            for patch_type in [PatchType::Json, PatchType::Merge, PatchType::Strategic] {
                let _ = apply("Pod", &pod(), &text, patch_type);
            }
        }
    }
}
