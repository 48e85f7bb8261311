//! Strict reading of a manifest: is it of a known kind, are all its fields known, has every field the right type?
//!
//! The schema is `k8s-openapi`'s for Kubernetes 1.36. The manifest is only checked against it, never rewritten: the
//! value the user gave is what is applied, patched and remembered. The check runs the generated deserializers over
//! the value with a reader of our own that records, at every path, which fields the type has and which Go type the
//! API server would have decoded into; so the refusals are the API server's and kubectl's own words
//! (apimachinery `runtime.NewStrictDecodingError`, `json.UnmarshalTypeError`, kubectl's schema validation).
//!
//! Left out: everything that is validation rather than decoding (required fields, ranges, names), base64 and time
//! syntax errors in Go's words.

use std::fmt;

use k8s_openapi::api::{apps, autoscaling, core, discovery, policy, scheduling, storage};
use serde::Deserialize;
use serde_json::Value;

use super::decode::{Reader, Record};

/// One step of a path into a JSON value.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Segment {
    /// A key of an object.
    Field(String),
    /// An index of an array, counted from 0.
    Index(usize),
}

/// A path as the API server writes it: `spec.containers[0].ports`.
pub fn display_path(path: &[Segment]) -> String {
    let mut text = String::new();
    for segment in path {
        match segment {
            Segment::Field(name) if text.is_empty() => text.push_str(name),
            Segment::Field(name) => {
                text.push('.');
                text.push_str(name);
            }
            Segment::Index(index) => {
                text.push('[');
                text.push_str(&index.to_string());
                text.push(']');
            }
        }
    }
    text
}

/// A kind the API server knows.
#[derive(Clone, Copy)]
pub struct Kind {
    /// `apiVersion` of its manifests.
    pub api_version: &'static str,
    /// `kind` of its manifests.
    pub kind: &'static str,
    /// Plural name in paths and kubectl's messages: `statefulsets`.
    pub resource: &'static str,
    /// Whether its objects live in a namespace.
    pub namespaced: bool,
    decode: fn(Reader<'_, '_>) -> Result<(), super::decode::Refusal>,
}

impl Kind {
    /// API group, empty for the core group.
    pub fn group(&self) -> &'static str {
        self.api_version.split_once('/').map_or("", |(group, _)| group)
    }

    /// Version within the group.
    pub fn version(&self) -> &'static str {
        self.api_version.split_once('/').map_or(self.api_version, |(_, version)| version)
    }
}

impl fmt::Debug for Kind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}", self.api_version, self.kind)
    }
}

impl PartialEq for Kind {
    fn eq(&self, other: &Self) -> bool {
        (self.api_version, self.kind) == (other.api_version, other.kind)
    }
}

impl Eq for Kind {}

fn typed<'v, T: Deserialize<'v>>(reader: Reader<'_, 'v>) -> Result<(), super::decode::Refusal> {
    T::deserialize(reader).map(drop)
}

macro_rules! kinds {
    ($($api_version:literal $kind:literal $resource:literal $namespaced:literal $type:ty;)*) => {
        &[$(Kind {
            api_version: $api_version,
            kind: $kind,
            resource: $resource,
            namespaced: $namespaced,
            decode: |reader| typed::<$type>(reader),
        }),*]
    };
}

/// Every kind that can be read. The kinds `Eviction` and `Scale` are bodies of subresources; `List` is a container.
pub static KINDS: &[Kind] = kinds! {
    "v1" "Pod" "pods" true core::v1::Pod;
    "v1" "Service" "services" true core::v1::Service;
    "v1" "PersistentVolumeClaim" "persistentvolumeclaims" true core::v1::PersistentVolumeClaim;
    "v1" "PersistentVolume" "persistentvolumes" false core::v1::PersistentVolume;
    "v1" "Node" "nodes" false core::v1::Node;
    "v1" "ConfigMap" "configmaps" true core::v1::ConfigMap;
    "v1" "Secret" "secrets" true core::v1::Secret;
    "v1" "ServiceAccount" "serviceaccounts" true core::v1::ServiceAccount;
    "v1" "Namespace" "namespaces" false core::v1::Namespace;
    "v1" "Endpoints" "endpoints" true core::v1::Endpoints;
    "v1" "List" "lists" false List;
    "apps/v1" "StatefulSet" "statefulsets" true apps::v1::StatefulSet;
    "apps/v1" "Deployment" "deployments" true apps::v1::Deployment;
    "apps/v1" "ReplicaSet" "replicasets" true apps::v1::ReplicaSet;
    "apps/v1" "DaemonSet" "daemonsets" true apps::v1::DaemonSet;
    "apps/v1" "ControllerRevision" "controllerrevisions" true apps::v1::ControllerRevision;
    "policy/v1" "PodDisruptionBudget" "poddisruptionbudgets" true policy::v1::PodDisruptionBudget;
    "policy/v1" "Eviction" "evictions" true policy::v1::Eviction;
    "storage.k8s.io/v1" "StorageClass" "storageclasses" false storage::v1::StorageClass;
    "storage.k8s.io/v1" "VolumeAttachment" "volumeattachments" false storage::v1::VolumeAttachment;
    "storage.k8s.io/v1" "CSINode" "csinodes" false storage::v1::CSINode;
    "storage.k8s.io/v1" "CSIDriver" "csidrivers" false storage::v1::CSIDriver;
    "scheduling.k8s.io/v1" "PriorityClass" "priorityclasses" false scheduling::v1::PriorityClass;
    "discovery.k8s.io/v1" "EndpointSlice" "endpointslices" true discovery::v1::EndpointSlice;
    "autoscaling/v1" "Scale" "scales" true autoscaling::v1::Scale;
};

/// `v1 List`: its items are manifests of their own, for the caller to check one by one.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(dead_code, reason = "only the shape is checked")]
struct List {
    api_version: Option<String>,
    kind: Option<String>,
    metadata: Option<k8s_openapi::apimachinery::pkg::apis::meta::v1::ListMeta>,
    items: Option<Vec<serde::de::IgnoredAny>>,
}

/// A manifest that could be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checked {
    /// What it is.
    pub kind: &'static Kind,
    /// Fields that the type does not have, in document order. The API server refuses them when it is asked to be
    /// strict (kubectl's default) and drops them otherwise.
    pub unknown_fields: Vec<UnknownField>,
}

/// A field that a type does not have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownField {
    /// Where it stands.
    pub path: Vec<Segment>,
    /// The field that was probably meant.
    pub nearest: Option<&'static str>,
}

/// Why a manifest cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ManifestError {
    /// Where; empty if the manifest as a whole is wrong.
    pub path: Vec<Segment>,
    /// What is wrong, one sentence.
    pub message: String,
    /// What to do about it, one sentence.
    pub help: Option<String>,
    /// The kind of refusal, with what is needed to say it in kubectl's words.
    pub reason: Reason,
}

/// Kinds of refusal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reason {
    /// `apiVersion` or `kind` is missing or no string: kubectl's sentences about them.
    TypeMeta(Vec<&'static str>),
    /// No such kind in that version of the API.
    NoMatch,
    /// A field has the wrong type: the JSON decoder's sentence.
    WrongType(String),
}

impl fmt::Display for ManifestError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.path.is_empty() {
            return formatter.write_str(&self.message);
        }
        write!(formatter, "{}: {}", display_path(&self.path), self.message)
    }
}

impl std::error::Error for ManifestError {}

/// The kind with exactly these names.
pub fn find_kind(api_version: &str, kind: &str) -> Option<&'static Kind> {
    KINDS.iter().find(|known| known.api_version == api_version && known.kind == kind)
}

/// Checks one manifest.
///
/// # Errors
/// No object, `apiVersion` or `kind` missing, unknown or not belonging together, a field of the wrong type (the first
/// one in document order).
pub fn check(value: &Value) -> Result<Checked, ManifestError> {
    let kind = kind_of(value)?;
    let mut record = Record::default();
    match (kind.decode)(Reader::new(value, &mut record)) {
        Ok(()) => {
            let unknown_fields = record
                .unknown
                .into_iter()
                .map(|(path, fields)| UnknownField { nearest: nearest_field(&path, fields), path })
                .collect();
            Ok(Checked { kind, unknown_fields })
        }
        Err(refusal) => Err(ManifestError {
            message: refusal.to_string(),
            help: None,
            reason: Reason::WrongType(record.go_error()),
            path: record.path,
        }),
    }
}

fn nearest_field(path: &[Segment], fields: &'static [&'static str]) -> Option<&'static str> {
    match path.last() {
        Some(Segment::Field(name)) => nearest(name, fields.iter().copied()),
        _ => None,
    }
}

fn kind_of(value: &Value) -> Result<&'static Kind, ManifestError> {
    let names = (value.get("apiVersion"), value.get("kind"));
    let (Some(Value::String(api_version)), Some(Value::String(kind))) = names else {
        return Err(type_meta_error(value));
    };
    if let Some(found) = find_kind(api_version, kind) {
        return Ok(found);
    }
    let refusal = |field: &str, help| ManifestError {
        path: vec![Segment::Field(field.to_owned())],
        message: format!("no matches for kind \"{kind}\" in version \"{api_version}\""),
        help: Some(help),
        reason: Reason::NoMatch,
    };
    if let Some(known) = KINDS.iter().find(|known| known.kind == kind) {
        return Err(refusal("apiVersion", format!("kind {kind} is in version `{}`", known.api_version)));
    }
    let kinds = || KINDS.iter().map(|known| known.kind);
    let help = match nearest(kind, kinds()) {
        Some(found) => format!("did you mean `{found}`?"),
        None => format!("known kinds: {}", kinds().collect::<Vec<_>>().join(", ")),
    };
    Err(refusal("kind", help))
}

fn type_meta_error(value: &Value) -> ManifestError {
    let mut sentences = Vec::new();
    let mut field = None;
    for (name, missing, wrong) in [
        ("apiVersion", "apiVersion not set", "apiVersion isn't string type"),
        ("kind", "kind not set", "kind isn't string type"),
    ] {
        match value.get(name) {
            Some(Value::String(_)) => {}
            None | Some(Value::Null) => sentences.push(missing),
            Some(_) => {
                sentences.push(wrong);
                field = field.or(Some(name));
            }
        }
    }
    let (message, help) = if value.is_object() {
        (sentences.join(", "), "every manifest begins with apiVersion and kind")
    } else {
        (
            "a manifest must be a mapping".to_owned(),
            "write apiVersion, kind and metadata as `name: value` lines",
        )
    };
    ManifestError {
        path: field.map(|name| vec![Segment::Field(name.to_owned())]).unwrap_or_default(),
        message,
        help: Some(help.to_owned()),
        reason: Reason::TypeMeta(sentences),
    }
}

impl Checked {
    /// What the API server says about the unknown fields under strict field validation; none if there are none.
    pub fn strict_error(&self) -> Option<String> {
        let fields: Vec<String> = self
            .unknown_fields
            .iter()
            .map(|field| format!("unknown field \"{}\"", display_path(&field.path)))
            .collect();
        (!fields.is_empty()).then(|| format!("strict decoding error: {}", fields.join(", ")))
    }
}

/// The API server's answer (reason BadRequest) to a create or replace of a manifest it cannot decode: unknown fields
/// under strict field validation or a wrong type. None if it can.
pub fn decode_error(value: &Value) -> Option<String> {
    let (kind, sentence) = match check(value) {
        Ok(checked) => (checked.kind, checked.strict_error()?),
        Err(ManifestError { reason: Reason::WrongType(sentence), .. }) => (kind_of(value).ok()?, sentence),
        Err(_) => return None,
    };
    let (kind, version) = (kind.kind, kind.version());
    Some(format!("{kind} in version \"{version}\" cannot be handled as a {kind}: {sentence}"))
}

/// What `kubectl apply` or `kubectl create` prints for a manifest of a new object that cannot be read, word for word
/// with its `error: ` or `Error from server (BadRequest): ` in front. `source` is the file name, `STDIN` for `-`.
/// None if it can be read.
pub fn kubectl_strict_error(source: &str, value: &Value) -> Option<String> {
    if let Some(refusal) = decode_error(value) {
        return Some(format!("Error from server (BadRequest): error when creating \"{source}\": {refusal}"));
    }
    let error = check(value).err()?;
    let text = |pointer: &str| value.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    Some(match &error.reason {
        Reason::TypeMeta(sentences) => {
            let list = match sentences.as_slice() {
                [one] => (*one).to_owned(),
                several => format!("[{}]", several.join(", ")),
            };
            format!(
                "error: error validating \"{source}\": error validating data: {list}; if you choose to ignore these \
                 errors, turn validation off with --validate=false"
            )
        }
        Reason::NoMatch | Reason::WrongType(_) => format!(
            "error: resource mapping not found for name: \"{}\" namespace: \"{}\" from \"{source}\": {}\nensure CRDs \
             are installed first",
            text("/metadata/name"),
            text("/metadata/namespace"),
            error.message
        ),
    })
}

/// Longest word for which a near match is looked for, in characters.
const MAX_GUESSED_WORD: usize = 64;

/// The candidate nearest to a misspelt word, if one is near enough to be meant: equal but for case, or at most one
/// edit in three characters away (insertions, deletions, substitutions, swaps). Of equals the first wins.
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let length = word.chars().count();
    if length == 0 || length > MAX_GUESSED_WORD {
        return None;
    }
    let wanted = word.to_lowercase();
    let limit = length.div_ceil(3).min(4);
    candidates
        .into_iter()
        .map(|candidate| (strsim::osa_distance(&wanted, &candidate.to_lowercase()), candidate))
        .filter(|(distance, _)| *distance <= limit)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn set(spec: Value) -> Value {
        json!({"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": "web"}, "spec": spec})
    }

    #[test]
    fn every_kind_is_read_and_knows_its_names() {
        for kind in KINDS {
            let value = json!({"apiVersion": kind.api_version, "kind": kind.kind, "metadata": {"bogus": 1}});
            let checked = check(&value).unwrap();
            assert_eq!((checked.kind, checked.unknown_fields.len()), (kind, 1), "{kind:?}");
            let wrong = json!({"apiVersion": kind.api_version, "kind": kind.kind, "metadata": []});
            assert!(check(&wrong).is_err(), "{kind:?}");
        }
        let set = find_kind("apps/v1", "StatefulSet").unwrap();
        assert_eq!((set.group(), set.version(), set.resource), ("apps", "v1", "statefulsets"));
        let pod = find_kind("v1", "Pod").unwrap();
        assert_eq!((pod.group(), pod.version()), ("", "v1"));
    }

    #[test]
    fn unknown_fields_are_found_with_the_field_that_was_meant() {
        let value = set(json!({
            "replcas": 3,
            "template": {
                "metadata": {"labels": {"any": "thing"}, "annotations": {"free": "text"}},
                "spec": {"containers": [
                    {"name": "a", "image": "a:1", "port": []},
                    {"name": "b", "ports": [{"containerport": 1, "zzz": 2}]}
                ]}
            },
            "volumeClaimTemplates": [{"apiVersion": "v1", "kind": "PersistentVolumeClaim", "specs": {}}]
        }));
        let checked = check(&value).unwrap();
        let found: Vec<_> =
            checked.unknown_fields.iter().map(|field| (display_path(&field.path), field.nearest)).collect();
        let expected = [
            ("spec.replcas", Some("replicas")),
            ("spec.template.spec.containers[0].port", Some("ports")),
            ("spec.template.spec.containers[1].ports[0].containerport", Some("containerPort")),
            ("spec.template.spec.containers[1].ports[0].zzz", None),
            ("spec.volumeClaimTemplates[0].specs", Some("spec")),
        ];
        assert_eq!(found, expected.map(|(path, nearest)| (path.to_owned(), nearest)));
        assert_eq!(checked.kind.kind, "StatefulSet");
    }

    #[test]
    fn wrong_types_are_found_and_said_as_go_says_them() {
        let container = |container: Value| set(json!({"template": {"spec": {"containers": [container]}}}));
        let cases = [
            (
                set(json!({"replicas": "three"})),
                "spec.replicas",
                "invalid type: string \"three\", expected i32",
                "json: cannot unmarshal string into Go struct field StatefulSetSpec.spec.replicas of type int32",
            ),
            (
                set(json!({"replicas": 1.5})),
                "spec.replicas",
                "invalid type: floating point `1.5`, expected i32",
                "json: cannot unmarshal number 1.5 into Go struct field StatefulSetSpec.spec.replicas of type int32",
            ),
            (
                set(json!({"replicas": 3_000_000_000_i64})),
                "spec.replicas",
                "invalid value: integer `3000000000`, expected i32",
                "json: cannot unmarshal number 3000000000 into Go struct field StatefulSetSpec.spec.replicas of type int32",
            ),
            (
                container(json!({"ports": [{"containerPort": "http"}]})),
                "spec.template.spec.containers[0].ports[0].containerPort",
                "invalid type: string \"http\", expected i32",
                "json: cannot unmarshal string into Go struct field ContainerPort.spec.template.spec.containers.ports.containerPort of type int32",
            ),
            (
                container(json!({"env": [{"name": "A", "value": true}]})),
                "spec.template.spec.containers[0].env[0].value",
                "invalid type: boolean `true`, expected a string",
                "json: cannot unmarshal bool into Go struct field EnvVar.spec.template.spec.containers.env.value of type string",
            ),
            (
                container(json!({"env": [{"name": "A", "value": 5}]})),
                "spec.template.spec.containers[0].env[0].value",
                "invalid type: integer `5`, expected a string",
                "json: cannot unmarshal number into Go struct field EnvVar.spec.template.spec.containers.env.value of type string",
            ),
            (
                set(json!({"template": {"spec": {"containers": {"name": "a"}}}})),
                "spec.template.spec.containers",
                "invalid type: map, expected a sequence",
                "json: cannot unmarshal object into Go struct field PodSpec.spec.template.spec.containers of type []v1.Container",
            ),
            (
                container(json!({"command": "sh"})),
                "spec.template.spec.containers[0].command",
                "invalid type: string \"sh\", expected a sequence",
                "json: cannot unmarshal string into Go struct field Container.spec.template.spec.containers.command of type []string",
            ),
            (
                set(json!({"template": []})),
                "spec.template",
                "invalid type: sequence, expected PodTemplateSpec",
                "json: cannot unmarshal array into Go struct field StatefulSetSpec.spec.template of type v1.PodTemplateSpec",
            ),
            (
                set(json!({"selector": {"matchLabels": ["app"]}})),
                "spec.selector.matchLabels",
                "invalid type: sequence, expected a map",
                "json: cannot unmarshal array into Go struct field LabelSelector.spec.selector.matchLabels of type map[string]string",
            ),
            (
                set(json!({"selector": {"matchLabels": {"app": 1}}})),
                "spec.selector.matchLabels.app",
                "invalid type: integer `1`, expected a string",
                "json: cannot unmarshal number into Go struct field LabelSelector.spec.selector.matchLabels of type string",
            ),
            (
                set(json!({"updateStrategy": {"rollingUpdate": {"maxUnavailable": true}}})),
                "spec.updateStrategy.rollingUpdate.maxUnavailable",
                "invalid type: boolean `true`, expected IntOrString",
                "json: cannot unmarshal bool into Go value of type int32",
            ),
            (
                container(json!({"resources": {"limits": {"cpu": "2 cores"}}})),
                "spec.template.spec.containers[0].resources.limits.cpu",
                "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'",
                "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'",
            ),
        ];
        for (value, path, message, go) in cases {
            let error = check(&value).unwrap_err();
            assert_eq!(display_path(&error.path), path);
            assert_eq!(error.message, message);
            assert_eq!(error.reason, Reason::WrongType(go.to_owned()));
            assert_eq!(
                decode_error(&value).unwrap(),
                format!("StatefulSet in version \"v1\" cannot be handled as a StatefulSet: {go}")
            );
        }
    }

    #[test]
    fn null_means_absent() {
        let value =
            set(json!({"replicas": null, "template": {"spec": {"containers": null}, "metadata": null}}));
        assert_eq!(check(&value).unwrap().unknown_fields, []);
        assert_eq!(kubectl_strict_error("STDIN", &value), None);
    }

    #[test]
    fn kinds_that_do_not_exist_come_with_the_one_that_was_meant() {
        let cases = [
            ("apps/v1", "StatfulSet", "kind", "did you mean `StatefulSet`?"),
            ("apps/v1beta1", "StatefulSet", "apiVersion", "kind StatefulSet is in version `apps/v1`"),
            ("v1", "Deployment", "apiVersion", "kind Deployment is in version `apps/v1`"),
        ];
        for (api_version, kind, path, help) in cases {
            let error = check(&json!({"apiVersion": api_version, "kind": kind})).unwrap_err();
            assert_eq!((display_path(&error.path).as_str(), error.help.as_deref()), (path, Some(help)));
        }
        let error = check(&json!({"apiVersion": "x/v1", "kind": "Nonsensical"})).unwrap_err();
        assert!(error.help.unwrap().starts_with("known kinds: Pod, Service, "));
        for (value, message) in [
            (json!({}), "apiVersion not set, kind not set"),
            (json!({"apiVersion": "v1"}), "kind not set"),
            (json!({"apiVersion": 1, "kind": "Pod"}), "apiVersion isn't string type"),
            (json!([1]), "a manifest must be a mapping"),
        ] {
            assert_eq!(check(&value).unwrap_err().message, message);
        }
    }

    /// Recorded from kubectl 1.32 and a 1.36 API server.
    #[test]
    fn refusals_are_worded_as_kubectl_prints_them() {
        let cases = [
            (
                json!({"apiVersion": "apps/v1", "kind": "StatfulSet", "metadata": {"name": "x"}}),
                "error: resource mapping not found for name: \"x\" namespace: \"\" from \"STDIN\": no matches for \
                 kind \"StatfulSet\" in version \"apps/v1\"\nensure CRDs are installed first",
            ),
            (
                json!({"apiVersion": "apps/v1beta1", "kind": "StatefulSet", "metadata": {"name": "x"}}),
                "error: resource mapping not found for name: \"x\" namespace: \"\" from \"STDIN\": no matches for \
                 kind \"StatefulSet\" in version \"apps/v1beta1\"\nensure CRDs are installed first",
            ),
            (
                json!({"a": "b"}),
                "error: error validating \"STDIN\": error validating data: [apiVersion not set, kind not set]; if you \
                 choose to ignore these errors, turn validation off with --validate=false",
            ),
            (
                set(json!({
                    "serviceName": "web", "replicas": 1, "selector": {"matchLabels": {"app": "web"}},
                    "template": {"metadata": {"labels": {"app": "web"}},
                                 "spec": {"containers": [{"name": "web", "image": "web:v1"}]}},
                    "replica": 3
                })),
                "Error from server (BadRequest): error when creating \"STDIN\": StatefulSet in version \"v1\" cannot be \
                 handled as a StatefulSet: strict decoding error: unknown field \"spec.replica\"",
            ),
        ];
        for (value, expected) in cases {
            assert_eq!(kubectl_strict_error("STDIN", &value).unwrap(), expected);
        }
        let several = set(json!({"a": 1, "template": {"spec": {"containers": [{"b": 1}]}}}));
        assert_eq!(
            check(&several).unwrap().strict_error().unwrap(),
            "strict decoding error: unknown field \"spec.a\", unknown field \"spec.template.spec.containers[0].b\""
        );
    }

    proptest! {
        #[test]
        fn any_json_gets_an_answer(index in 0..KINDS.len(), body in "\\PC{0,60}", field in "(metadata|spec|status|items|data)") {
            let body = serde_json::from_str::<Value>(&body).unwrap_or(Value::String(body));
            let kind = &KINDS[index];
            let value = json!({"apiVersion": kind.api_version, "kind": kind.kind, field.as_str(): body});
            let answer = check(&value);
            prop_assert_eq!(kubectl_strict_error("f", &value).is_none(), answer.is_ok_and(|checked| checked.unknown_fields.is_empty()));
        }
    }

    #[test]
    fn nearest_finds_what_was_meant() {
        let fields = ["replicas", "selector", "serviceName", "template", "ordinals"];
        let cases = [
            ("replcas", Some("replicas")),
            ("Replicas", Some("replicas")),
            ("servicename", Some("serviceName")),
            ("tempalte", Some("template")),
            ("xyz", None),
            ("", None),
        ];
        for (word, expected) in cases {
            assert_eq!(nearest(word, fields), expected, "{word}");
        }
        assert_eq!(nearest(&"r".repeat(1000), fields), None);
    }
}
