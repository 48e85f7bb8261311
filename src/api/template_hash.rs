//! The name of a revision: what a StatefulSet's ControllerRevision records of a pod template, and its hash (STS-35,
//! STS-44), byte for byte as the real controller makes them.
//!
//! Follows pkg/controller/statefulset/stateful_set_utils.go (getPatch, newRevision),
//! pkg/controller/history/controller_history.go (HashControllerRevision, ControllerRevisionName) and Go's
//! encoding/json (escapes, floats). The template must have been defaulted first ([`super::template_defaults`]).
//!
//! Left out: the real pod-template-hash of Deployments, which depends on Go's memory layout of the type (DEP-4); ours
//! is another hash in the same alphabet.

use std::fmt::Write as _;

use serde_json::Value;

/// Longest part of a set's name in a revision's name, in bytes.
const MAX_PARENT: usize = 223;

/// Largest integer up to which a double counts every integer.
const EXACT: u64 = 1 << 53;

/// What a ControllerRevision records of a defaulted pod template: a strategic merge patch that replaces the template
/// (STS-35). Revisions are compared by this text (STS-45).
pub fn revision_data(template: &Value) -> String {
    let mut text = String::from("{\"spec\":{\"template\":");
    let mut fields: Vec<(&str, &Value)> =
        template.as_object().into_iter().flatten().map(|(key, value)| (key.as_str(), value)).collect();
    let replace = Value::from("replace");
    fields.push(("$patch", &replace));
    write_object(&mut text, fields);
    text.push_str("}}");
    text
}

/// The hash of revision data (STS-44); `collision_count` as in the set's status, 0 if absent there.
pub fn revision_hash(data: &str, collision_count: i32) -> String {
    let hash = fnv1(FNV_OFFSET, data.as_bytes());
    safe_encode(fnv1(hash, collision_count.to_string().as_bytes()))
}

/// The name of a revision: `<set>-<hash>`, the set's name cut to 223 bytes.
pub fn revision_name(set: &str, hash: &str) -> String {
    let mut end = set.len().min(MAX_PARENT);
    while !set.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}-{hash}", set.get(..end).unwrap_or_default())
}

/// A stand-in for the pod-template-hash of a Deployment's ReplicaSet (DEP-4): equal templates and collision counts
/// give equal hashes, in the alphabet of the real one.
pub fn pod_template_hash(template: &Value, collision_count: Option<i32>) -> String {
    let mut text = String::new();
    write_value(&mut text, template);
    let hash = fnv1a(FNV_OFFSET, text.as_bytes());
    let hash = match collision_count {
        Some(count) => fnv1a(hash, &i64::from(count).to_le_bytes()),
        None => hash,
    };
    safe_encode(hash)
}

const FNV_OFFSET: u32 = 2_166_136_261;
const FNV_PRIME: u32 = 16_777_619;

/// FNV-1: multiply, then xor.
fn fnv1(hash: u32, bytes: &[u8]) -> u32 {
    bytes.iter().fold(hash, |hash, byte| hash.wrapping_mul(FNV_PRIME) ^ u32::from(*byte))
}

/// FNV-1a: xor, then multiply.
fn fnv1a(hash: u32, bytes: &[u8]) -> u32 {
    bytes.iter().fold(hash, |hash, byte| (hash ^ u32::from(*byte)).wrapping_mul(FNV_PRIME))
}

/// The decimal digits in an alphabet without vowels and look-alikes (apimachinery rand.SafeEncodeString).
fn safe_encode(hash: u32) -> String {
    const ALPHABET: [char; 10] = ['4', '5', '6', '7', '8', '9', 'b', 'c', 'd', 'f'];
    hash.to_string()
        .bytes()
        .filter_map(|digit| ALPHABET.get(usize::from(digit.wrapping_sub(b'0'))).copied())
        .collect()
}

/// Compact JSON as Go's `json.Marshal` writes a `map[string]interface{}`.
fn write_value(text: &mut String, value: &Value) {
    match value {
        Value::Null => text.push_str("null"),
        Value::Bool(value) => text.push_str(if *value { "true" } else { "false" }),
        Value::Number(number) => text.push_str(&go_number(number)),
        Value::String(value) => write_string(text, value),
        Value::Array(items) => {
            text.push('[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    text.push(',');
                }
                write_value(text, item);
            }
            text.push(']');
        }
        Value::Object(fields) => {
            write_object(text, fields.iter().map(|(key, value)| (key.as_str(), value)).collect());
        }
    }
}

fn write_object(text: &mut String, mut fields: Vec<(&str, &Value)>) {
    // Bytewise, whatever order the map keeps.
    fields.sort_unstable_by_key(|(key, _)| *key);
    text.push('{');
    for (index, (key, value)) in fields.into_iter().enumerate() {
        if index > 0 {
            text.push(',');
        }
        write_string(text, key);
        text.push(':');
        write_value(text, value);
    }
    text.push('}');
}

/// The controller reads the template back into Go's `interface{}`, where every number is a double.
fn go_number(number: &serde_json::Number) -> String {
    let exact = match (number.as_i64(), number.as_u64()) {
        (Some(value), _) => value.unsigned_abs() <= EXACT,
        (_, Some(value)) => value <= EXACT,
        _ => false,
    };
    if exact {
        return number.to_string();
    }
    let value = number.as_f64().unwrap_or_default();
    let magnitude = value.abs();
    if magnitude == 0.0 || (1e-6..1e21).contains(&magnitude) {
        return value.to_string();
    }
    // Go: e-07 becomes e-7, other exponents keep two digits and their sign.
    let text = format!("{value:e}");
    match text.split_once('e') {
        Some((mantissa, exponent)) if !exponent.starts_with('-') => format!("{mantissa}e+{exponent:0>2}"),
        _ => text,
    }
}

fn write_string(text: &mut String, value: &str) {
    text.push('"');
    for character in value.chars() {
        match character {
            '"' => text.push_str("\\\""),
            '\\' => text.push_str("\\\\"),
            '\n' => text.push_str("\\n"),
            '\r' => text.push_str("\\r"),
            '\t' => text.push_str("\\t"),
            '\u{8}' => text.push_str("\\b"),
            '\u{c}' => text.push_str("\\f"),
            '\0'..='\u{1f}' | '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => {
                // Writing to a String cannot fail.
                let _ = write!(text, "\\u{:04x}", u32::from(character));
            }
            _ => text.push(character),
        }
    }
    text.push('"');
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::template_defaults::default_pod_template;
    use super::*;

    fn vector(metadata: Value) -> Value {
        json!({
            "metadata": metadata,
            "spec": {
                "containers": [{
                    "image": "test", "imagePullPolicy": "Always", "name": "test", "resources": {},
                    "terminationMessagePath": "/dev/termination-log", "terminationMessagePolicy": "File"
                }],
                "dnsPolicy": "ClusterFirst", "restartPolicy": "Always", "schedulerName": "default-scheduler",
                "securityContext": {}, "terminationGracePeriodSeconds": 30
            }
        })
    }

    #[test]
    fn hashes_of_the_test_data_of_the_real_controller() {
        let metadata = json!({"annotations": {"test": "value"}, "labels": {"app": "foo"}});
        assert_eq!(revision_hash(&revision_data(&vector(metadata)), 0), "776999688b");
        let before_134 =
            json!({"annotations": {"test": "value"}, "creationTimestamp": null, "labels": {"app": "foo"}});
        assert_eq!(revision_hash(&revision_data(&vector(before_134)), 0), "c77f6d978");
    }

    /// Names read from a real 1.36.2 cluster after an apply of these templates.
    #[test]
    fn names_of_revisions_of_a_real_cluster() {
        let plain = |name: &str, image: &str| {
            json!({"metadata": {"labels": {"app": name}},
                   "spec": {"containers": [{"name": "web", "image": image}]}})
        };
        let mut with_claim = plain("web", "web:v1");
        with_claim["spec"]["containers"][0]["volumeMounts"] = json!([{"name": "data", "mountPath": "/data"}]);
        let mut tolerant = with_claim.clone();
        tolerant["spec"]["tolerations"] = json!([
            {"key": "node.kubernetes.io/not-ready", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 3},
            {"key": "node.kubernetes.io/unreachable", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 3}
        ]);
        let mut big = plain("big", "web:v1");
        big["spec"]["containers"][0]["resources"] = json!({"requests": {"cpu": "64", "memory": "1Gi"}});
        let cases = [
            ("web", with_claim, "web-6659db9746"),
            ("web", tolerant, "web-5df47cbb4c"),
            ("big", big, "big-5758f4f47b"),
            ("crash", plain("crash", "web:crash"), "crash-64cbd4745"),
            ("unready", plain("unready", "web:unready"), "unready-74db74fb99"),
        ];
        for (set, mut template, name) in cases {
            default_pod_template(&mut template);
            let hash = revision_hash(&revision_data(&template), 0);
            assert_eq!(revision_name(set, &hash), name);
        }
    }

    #[test]
    fn data_is_gos_json() {
        let template = json!({
            "spec": {"z": [1, -2, true, null, 0.5], "a": "<b>&\u{2028}\n\u{1}\"\\é/\u{7f}\u{8}"}, "metadata": {}
        });
        assert_eq!(
            revision_data(&template),
            "{\"spec\":{\"template\":{\"$patch\":\"replace\",\"metadata\":{},\"spec\":{\"a\":\"\\u003cb\\u003e\\u0026\
             \\u2028\\n\\u0001\\\"\\\\é/\u{7f}\\b\",\"z\":[1,-2,true,null,0.5]}}}}"
        );
        let numbers = [
            (json!(1_000_650_000_i64), "1000650000"),
            (json!(9_007_199_254_740_993_i64), "9007199254740992"),
            (json!(u64::MAX), "18446744073709552000"),
            (json!(1e21), "1e+21"),
            (json!(2.5e-7), "2.5e-7"),
            (json!(0.000001), "0.000001"),
        ];
        for (number, expected) in numbers {
            let mut text = String::new();
            write_value(&mut text, &number);
            assert_eq!(text, expected);
        }
    }

    #[test]
    fn a_collision_changes_the_hash_and_long_names_are_cut() {
        let data = revision_data(&vector(json!({})));
        assert_ne!(revision_hash(&data, 0), revision_hash(&data, 1));
        assert_eq!(revision_name(&"x".repeat(300), "4"), format!("{}-4", "x".repeat(223)));
        assert_eq!(revision_name("web", "776999688b"), "web-776999688b");
    }

    #[test]
    fn template_hashes_of_deployments_use_the_safe_alphabet() {
        let template = vector(json!({"labels": {"app": "foo"}}));
        let hash = pod_template_hash(&template, None);
        assert_eq!(hash, pod_template_hash(&template.clone(), None));
        assert_ne!(hash, pod_template_hash(&template, Some(1)));
        assert_ne!(hash, pod_template_hash(&vector(json!({})), None));
        assert!((1..=10).contains(&hash.len()) && hash.chars().all(|c| "456789bcdf".contains(c)), "{hash}");
    }
}
