//! What the API server makes of a pod template or a pod before it stores it: empty optional fields dropped, defaults
//! filled in, quantities in canonical form (STS-4).
//!
//! The result is what Go's v1 types would serialise to, because the hash of a revision (STS-44) is taken over it.
//! Follows pkg/apis/core/v1/defaults.go with zz_generated.defaults.go, the `omitempty` tags of
//! staging/src/k8s.io/api/core/v1/types.go, and pkg/apis/core/v1/conversion.go (serviceAccount).
//!
//! Left out: defaults of pod-level `resources` from those of the containers, ephemeral containers, fields behind
//! alpha gates. Fields are not checked here; a value of the wrong type is left alone.

use crate::rule::mark;
use serde_json::{Map, Value, json};

use super::quantity::Quantity;

type Object = Map<String, Value>;

/// Free maps: dropped when empty, their values kept as they are.
const MAPS: &[&str] = &[
    "annotations",
    "labels",
    "limits",
    "matchLabels",
    "nodeSelector",
    "overhead",
    "requests",
    "volumeAttributes",
];
/// Free maps whose values are quantities.
const RESOURCE_LISTS: &[&str] = &["limits", "overhead", "requests"];
/// Quantities outside of resource lists.
const QUANTITIES: &[&str] = &["divisor", "sizeLimit"];
/// Integers that are no pointers in Go, so that 0 is the same as absent.
const INTEGERS: &[&str] = &[
    "failureThreshold",
    "hostPort",
    "initialDelaySeconds",
    "partition",
    "periodSeconds",
    "successThreshold",
    "timeoutSeconds",
];
/// Booleans that are no pointers in Go, so that false is the same as absent.
const BOOLEANS: &[&str] = &["hostIPC", "hostNetwork", "hostPID", "readOnly", "stdin", "stdinOnce", "tty"];
/// Strings that are pointers in Go, so that the empty string is not the same as absent.
const STRING_POINTERS: &[&str] =
    &["apiGroup", "runtimeClassName", "service", "storageClassName", "type", "volumeAttributesClassName"];
/// Lists of objects whose `value` is always written.
const VALUED: &[&str] = &["httpHeaders", "options", "sysctls"];

/// Brings a pod template (`spec.template` of a workload) into the form in which it is stored and hashed (STS-4).
pub fn default_pod_template(template: &mut Value) {
    mark!("STS-4");
    normalise(template, "");
    if let Value::Object(template) = template {
        with_object(template, "metadata", |_| ());
        with_object(template, "spec", default_spec);
    }
}

/// Brings a pod into the form in which it is stored: as a template, and what only a pod gets: requests from limits,
/// `enableServiceLinks`, host ports under `hostNetwork`. Admission plugins (tolerations, service account, priority)
/// are not applied.
pub fn default_pod(pod: &mut Value) {
    normalise(pod, "");
    if let Value::Object(pod) = pod {
        with_object(pod, "metadata", |_| ());
        with_object(pod, "spec", |spec| {
            // In the order of zz_generated.defaults.go.
            default_pod_only(spec);
            default_spec(spec);
        });
    }
}

/// `SetDefaults_Pod`.
fn default_pod_only(spec: &mut Object) {
    let host_network = spec.get("hostNetwork") == Some(&Value::Bool(true));
    for container in containers(spec) {
        request_limits(container);
        if host_network {
            each(container, "ports", |port| {
                if let Some(number) = port.get("containerPort").cloned() {
                    set_default(port, "hostPort", number);
                }
            });
        }
    }
    set_default(spec, "enableServiceLinks", true);
}

/// Whether an image is pulled always or only if it is not there, when the manifest does not say:
/// `Always` for the tag `latest` or no tag at all.
pub fn image_pull_policy(image: &str) -> &'static str {
    if is_latest(image) { "Always" } else { "IfNotPresent" }
}

/// pkg/util/parsers/parsers.go; a reference that cannot be parsed has no tag and does not become `latest` either.
fn is_latest(image: &str) -> bool {
    let (name, digest) = match image.split_once('@') {
        Some((name, digest)) => (name, Some(digest)),
        None => (image, None),
    };
    let path_start = name.rfind('/').map_or(0, |at| at + 1);
    let (repository, tag) = match name.get(path_start..).and_then(|last| last.split_once(':')) {
        Some((last, tag)) => (name.get(..path_start + last.len()).unwrap_or_default(), Some(tag)),
        None => (name, None),
    };
    // The part before the first slash may be a host, which may be in upper case.
    let path = match repository.split_once('/') {
        Some((host, path)) if host.contains(['.', ':']) || host.chars().any(char::is_uppercase) => path,
        _ => repository,
    };
    let component = |part: &str| {
        part.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit())
            && part.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || "._-".contains(c))
    };
    path.split('/').all(component) && (tag == Some("latest") || (tag.is_none() && digest.is_none()))
}

/// Drops what Go's types do not serialise, and brings quantities into canonical form. `name` is the field the value
/// stands in; items of a list have the name of the list.
fn normalise(value: &mut Value, name: &str) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(|item| normalise(item, name)),
        Value::Object(fields) if MAPS.contains(&name) => normalise_map(fields, name),
        Value::Object(fields) => {
            for (field, value) in fields.iter_mut() {
                normalise(value, field);
                if QUANTITIES.contains(&field.as_str()) {
                    canonicalise(value, false);
                }
            }
            fields.retain(|field, value| !is_omitted(name, field, value));
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn normalise_map(fields: &mut Object, name: &str) {
    for value in fields.values_mut() {
        if RESOURCE_LISTS.contains(&name) {
            canonicalise(value, true);
        } else if value.is_null() {
            *value = Value::from("");
        }
    }
}

/// Whether Go leaves a field of the object in field `parent` out.
fn is_omitted(parent: &str, field: &str, value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.is_empty() && MAPS.contains(&field),
        Value::String(text) => {
            let kept = STRING_POINTERS.contains(&field) || (field == "value" && VALUED.contains(&parent));
            text.is_empty() && !kept
        }
        Value::Number(number) => number.as_i64() == Some(0) && INTEGERS.contains(&field),
        Value::Bool(value) => {
            let pointer = field == "readOnly" && matches!(parent, "azureDisk" | "csi");
            !value && BOOLEANS.contains(&field) && !pointer
        }
    }
}

/// The canonical form of a quantity, in resource lists rounded up to thousandths (`SetDefaults_ResourceList`).
fn canonicalise(value: &mut Value, rounded: bool) {
    if let Ok(quantity) = Quantity::from_json(value) {
        let quantity = if rounded { quantity.rounded_to_milli() } else { quantity };
        *value = Value::from(quantity.to_string());
    }
}

/// `SetDefaults_PodSpec` and everything below it.
fn default_spec(spec: &mut Object) {
    let account = spec.get("serviceAccountName").or_else(|| spec.get("serviceAccount")).cloned();
    if let Some(account) = account {
        spec.insert("serviceAccount".to_owned(), account.clone());
        spec.insert("serviceAccountName".to_owned(), account);
    }
    set_default(spec, "dnsPolicy", "ClusterFirst");
    set_default(spec, "restartPolicy", "Always");
    set_default(spec, "schedulerName", "default-scheduler");
    set_default(spec, "securityContext", json!({}));
    mark!("POD-2" if !spec.contains_key("terminationGracePeriodSeconds"));
    set_default(spec, "terminationGracePeriodSeconds", 30);
    for container in containers(spec) {
        default_container(container);
    }
    each(spec, "volumes", default_volume);
}

fn default_container(container: &mut Object) {
    let image = container.get("image").and_then(Value::as_str).unwrap_or_default();
    let policy = image_pull_policy(image);
    set_default(container, "imagePullPolicy", policy);
    set_default(container, "terminationMessagePath", "/dev/termination-log");
    set_default(container, "terminationMessagePolicy", "File");
    // A struct, not a pointer: always there.
    set_default(container, "resources", json!({}));
    each(container, "ports", |port| set_default(port, "protocol", "TCP"));
    each(container, "env", |variable| {
        if let Some(source) = object(variable, "valueFrom") {
            default_sources(source);
            if let Some(file) = object(source, "fileKeyRef") {
                set_default(file, "optional", false);
            }
        }
    });
    for name in ["livenessProbe", "readinessProbe", "startupProbe"] {
        if let Some(probe) = object(container, name) {
            default_probe(probe);
        }
    }
    if let Some(lifecycle) = object(container, "lifecycle") {
        for name in ["postStart", "preStop"] {
            if let Some(handler) = object(lifecycle, name) {
                default_http_get(handler);
            }
        }
    }
}

fn default_probe(probe: &mut Object) {
    mark!("POD-27" if !probe.contains_key("periodSeconds"));
    set_default(probe, "timeoutSeconds", 1);
    set_default(probe, "periodSeconds", 10);
    set_default(probe, "successThreshold", 1);
    set_default(probe, "failureThreshold", 3);
    default_http_get(probe);
    if let Some(grpc) = object(probe, "grpc") {
        set_default(grpc, "service", "");
    }
}

fn default_http_get(handler: &mut Object) {
    if let Some(get) = object(handler, "httpGet") {
        set_default(get, "path", "/");
        set_default(get, "scheme", "HTTP");
    }
}

/// References to fields of the pod, in environment variables and downward API items.
fn default_sources(source: &mut Object) {
    if let Some(reference) = object(source, "fieldRef") {
        set_default(reference, "apiVersion", "v1");
    }
    if let Some(reference) = object(source, "resourceFieldRef") {
        set_default(reference, "divisor", "0");
    }
}

fn default_volume(volume: &mut Object) {
    if volume.keys().all(|field| field == "name") {
        volume.insert("emptyDir".to_owned(), json!({}));
    }
    for name in ["configMap", "downwardAPI", "projected", "secret"] {
        if let Some(source) = object(volume, name) {
            set_default(source, "defaultMode", 0o644);
        }
    }
    if let Some(source) = object(volume, "downwardAPI") {
        each(source, "items", default_sources);
    }
    if let Some(source) = object(volume, "projected") {
        each(source, "sources", |source| {
            if let Some(source) = object(source, "downwardAPI") {
                each(source, "items", default_sources);
            }
            if let Some(token) = object(source, "serviceAccountToken") {
                set_default(token, "expirationSeconds", 3600);
            }
        });
    }
    if let Some(source) = object(volume, "image") {
        let policy = image_pull_policy(source.get("reference").and_then(Value::as_str).unwrap_or_default());
        set_default(source, "pullPolicy", policy);
    }
    if let Some(template) =
        object(volume, "ephemeral").and_then(|ephemeral| object(ephemeral, "volumeClaimTemplate"))
    {
        with_object(template, "metadata", |_| ());
        with_object(template, "spec", |claim| {
            set_default(claim, "resources", json!({}));
            set_default(claim, "volumeMode", "Filesystem");
        });
    }
    for (name, field, value) in SOURCE_DEFAULTS {
        if let Some(source) = object(volume, name) {
            set_default(source, field, *value);
        }
    }
    if let Some(disk) = object(volume, "azureDisk") {
        set_default(disk, "readOnly", false);
    }
}

/// Plain defaults of volume sources: source, field, value.
const SOURCE_DEFAULTS: &[(&str, &str, &str)] = &[
    ("azureDisk", "cachingMode", "ReadWrite"),
    ("azureDisk", "fsType", "ext4"),
    ("azureDisk", "kind", "Shared"),
    ("hostPath", "type", ""),
    ("iscsi", "iscsiInterface", "default"),
    ("rbd", "keyring", "/etc/ceph/keyring"),
    ("rbd", "pool", "rbd"),
    ("rbd", "user", "admin"),
    ("scaleIO", "fsType", "xfs"),
    ("scaleIO", "storageMode", "ThinProvisioned"),
];

/// What is limited but not requested is requested up to the limit.
fn request_limits(container: &mut Object) {
    let Some(resources) = object(container, "resources") else { return };
    let Some(Value::Object(limits)) = resources.get("limits").cloned() else { return };
    with_object(resources, "requests", |requests| {
        for (name, limit) in limits {
            requests.entry(name).or_insert(limit);
        }
    });
}

/// All init containers and containers.
fn containers(spec: &mut Object) -> impl Iterator<Item = &mut Object> {
    spec.iter_mut()
        .filter(|(field, _)| matches!(field.as_str(), "containers" | "initContainers"))
        .filter_map(|(_, list)| list.as_array_mut())
        .flatten()
        .filter_map(Value::as_object_mut)
}

fn object<'a>(parent: &'a mut Object, field: &str) -> Option<&'a mut Object> {
    parent.get_mut(field)?.as_object_mut()
}

/// Changes the object in a field, which is made if it is not there or no object.
fn with_object(parent: &mut Object, field: &str, change: impl FnOnce(&mut Object)) {
    let mut fields = match parent.remove(field) {
        Some(Value::Object(fields)) => fields,
        _ => Object::new(),
    };
    change(&mut fields);
    parent.insert(field.to_owned(), Value::Object(fields));
}

fn each(parent: &mut Object, field: &str, mut change: impl FnMut(&mut Object)) {
    let items = parent.get_mut(field).and_then(Value::as_array_mut).into_iter().flatten();
    items.filter_map(Value::as_object_mut).for_each(&mut change);
}

fn set_default(parent: &mut Object, field: &str, value: impl Into<Value>) {
    parent.entry(field).or_insert_with(|| value.into());
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn template_of(spec: Value) -> Value {
        let mut template = json!({"metadata": {"labels": {"app": "web"}}, "spec": spec});
        default_pod_template(&mut template);
        template
    }

    /// The first container of a template with this container.
    fn container_of(mut container: Value) -> Value {
        container["name"] = json!("web");
        template_of(json!({"containers": [container]}))["spec"]["containers"][0].take()
    }

    /// The first volume of a template with this volume.
    fn volume_of(mut volume: Value) -> Value {
        volume["name"] = json!("data");
        template_of(json!({"containers": [], "volumes": [volume]}))["spec"]["volumes"][0].take()
    }

    #[test]
    fn a_minimal_template_gets_the_defaults_of_a_template() {
        let expected = json!({
            "metadata": {"labels": {"app": "web"}},
            "spec": {
                "containers": [{
                    "name": "web", "image": "web:v1", "imagePullPolicy": "IfNotPresent", "resources": {},
                    "terminationMessagePath": "/dev/termination-log", "terminationMessagePolicy": "File"
                }],
                "dnsPolicy": "ClusterFirst", "restartPolicy": "Always", "schedulerName": "default-scheduler",
                "securityContext": {}, "terminationGracePeriodSeconds": 30
            }
        });
        assert_eq!(template_of(json!({"containers": [{"name": "web", "image": "web:v1"}]})), expected);
    }

    #[test]
    fn a_pod_gets_more_than_a_template() {
        let mut pod = json!({"spec": {"hostNetwork": true, "containers": [{
            "name": "web", "image": "web:v1", "ports": [{"containerPort": 80}],
            "resources": {"limits": {"cpu": "2", "memory": "1024Mi"}, "requests": {"cpu": "500m"}}
        }]}});
        default_pod(&mut pod);
        assert_eq!(pod["metadata"], json!({}));
        assert_eq!(pod["spec"]["enableServiceLinks"], json!(true));
        let container = &pod["spec"]["containers"][0];
        assert_eq!(container["resources"]["requests"], json!({"cpu": "500m", "memory": "1Gi"}));
        assert_eq!(container["ports"], json!([{"containerPort": 80, "hostPort": 80, "protocol": "TCP"}]));
        let template = template_of(json!({"containers": [{"resources": {"limits": {"cpu": "2"}}}]}));
        assert_eq!(template["spec"]["containers"][0]["resources"], json!({"limits": {"cpu": "2"}}));
        assert_eq!(template["spec"].get("enableServiceLinks"), None);
    }

    #[test]
    fn pull_policy_follows_the_tag() {
        let cases = [
            ("web", "Always"),
            ("web:latest", "Always"),
            ("registry:5000/team/web", "Always"),
            ("Registry.local/web", "Always"),
            ("web:v1", "IfNotPresent"),
            ("registry:5000/web:1", "IfNotPresent"),
            ("web@sha256:0123", "IfNotPresent"),
            ("web:latest@sha256:0123", "Always"),
            ("", "IfNotPresent"),
            ("team/Web", "IfNotPresent"),
        ];
        for (image, policy) in cases {
            assert_eq!(image_pull_policy(image), policy, "{image}");
        }
    }

    #[test]
    fn what_go_does_not_write_is_dropped() {
        let container = container_of(json!({
            "image": "web:v1", "command": [], "args": null, "stdin": false, "tty": true, "workingDir": "",
            "env": [{"name": "A", "value": ""}], "lifecycle": {}, "securityContext": {"privileged": false, "runAsUser": 0},
            "ports": [{"containerPort": 80, "hostPort": 0, "name": ""}], "resources": {"limits": {}, "requests": null},
            "volumeMounts": [{"name": "data", "mountPath": "/data", "readOnly": false}],
        }));
        for absent in ["command", "args", "stdin", "workingDir"] {
            assert_eq!(container.get(absent), None, "{absent}");
        }
        let expected = [
            ("tty", json!(true)),
            ("env", json!([{"name": "A"}])),
            ("lifecycle", json!({})),
            ("securityContext", json!({"privileged": false, "runAsUser": 0})),
            ("ports", json!([{"containerPort": 80, "protocol": "TCP"}])),
            ("resources", json!({})),
            ("volumeMounts", json!([{"name": "data", "mountPath": "/data"}])),
        ];
        for (field, value) in expected {
            assert_eq!(container[field], value, "{field}");
        }
    }

    #[test]
    fn labels_and_annotations_keep_empty_values() {
        let mut template = json!({"metadata": {
            "labels": {"empty": "", "null": null}, "annotations": {}, "creationTimestamp": null
        }});
        default_pod_template(&mut template);
        assert_eq!(template["metadata"], json!({"labels": {"empty": "", "null": ""}}));
    }

    #[test]
    fn quantities_become_canonical() {
        let cases = [
            ("cpu", json!("0.5"), "500m"),
            ("cpu", json!("1000m"), "1"),
            ("cpu", json!(2), "2"),
            ("cpu", json!("0.0001"), "1m"),
            ("memory", json!("1024Mi"), "1Gi"),
            ("memory", json!("1000M"), "1G"),
            ("memory", json!("no quantity"), "no quantity"),
        ];
        for (name, written, stored) in cases {
            let mut limits = Object::new();
            limits.insert(name.to_owned(), written);
            let container = container_of(json!({"resources": {"limits": limits}}));
            assert_eq!(container["resources"]["limits"][name], json!(stored));
        }
        assert_eq!(
            volume_of(json!({"emptyDir": {"sizeLimit": "2048Mi"}}))["emptyDir"],
            json!({"sizeLimit": "2Gi"})
        );
    }

    #[test]
    fn probes_and_handlers() {
        let container = container_of(json!({
            "readinessProbe": {"httpGet": {"port": "http"}, "timeoutSeconds": 0, "initialDelaySeconds": 0, "periodSeconds": 5},
            "livenessProbe": {"grpc": {"port": 5000}, "terminationGracePeriodSeconds": 0},
            "lifecycle": {"preStop": {"httpGet": {"port": 80, "httpHeaders": [{"name": "X", "value": ""}]}}},
        }));
        assert_eq!(
            container["readinessProbe"],
            json!({"httpGet": {"port": "http", "path": "/", "scheme": "HTTP"}, "timeoutSeconds": 1,
                   "periodSeconds": 5, "successThreshold": 1, "failureThreshold": 3})
        );
        assert_eq!(
            container["livenessProbe"],
            json!({"grpc": {"port": 5000, "service": ""}, "terminationGracePeriodSeconds": 0, "timeoutSeconds": 1,
                   "periodSeconds": 10, "successThreshold": 1, "failureThreshold": 3})
        );
        assert_eq!(
            container["lifecycle"]["preStop"]["httpGet"],
            json!({"port": 80, "path": "/", "scheme": "HTTP", "httpHeaders": [{"name": "X", "value": ""}]})
        );
    }

    #[test]
    fn references_to_the_pod() {
        let container = container_of(json!({"env": [
            {"name": "NAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
            {"name": "CPU", "valueFrom": {"resourceFieldRef": {"resource": "limits.cpu"}}},
            {"name": "MEM", "valueFrom": {"resourceFieldRef": {"resource": "limits.memory", "divisor": "1024Ki"}}}
        ]}));
        let source = |index: usize| &container["env"][index]["valueFrom"];
        assert_eq!(source(0)["fieldRef"], json!({"apiVersion": "v1", "fieldPath": "metadata.name"}));
        assert_eq!(source(1)["resourceFieldRef"]["divisor"], json!("0"));
        assert_eq!(source(2)["resourceFieldRef"]["divisor"], json!("1Mi"));
    }

    #[test]
    fn volumes() {
        let cases = [
            (json!({}), json!({"emptyDir": {}})),
            (json!({"emptyDir": {}}), json!({"emptyDir": {}})),
            (json!({"configMap": {"name": "c"}}), json!({"configMap": {"name": "c", "defaultMode": 420}})),
            (
                json!({"secret": {"secretName": "s", "defaultMode": 0}}),
                json!({"secret": {"secretName": "s", "defaultMode": 0}}),
            ),
            (json!({"hostPath": {"path": "/x"}}), json!({"hostPath": {"path": "/x", "type": ""}})),
            (
                json!({"persistentVolumeClaim": {"claimName": "c", "readOnly": false}}),
                json!({"persistentVolumeClaim": {"claimName": "c"}}),
            ),
            (
                json!({"csi": {"driver": "d", "readOnly": false}}),
                json!({"csi": {"driver": "d", "readOnly": false}}),
            ),
            (
                json!({"projected": {"sources": [{"serviceAccountToken": {"path": "t"}},
                    {"downwardAPI": {"items": [{"path": "n", "fieldRef": {"fieldPath": "metadata.name"}}]}}]}}),
                json!({"projected": {"defaultMode": 420, "sources": [
                    {"serviceAccountToken": {"path": "t", "expirationSeconds": 3600}},
                    {"downwardAPI": {"items": [{"path": "n", "fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.name"}}]}}
                ]}}),
            ),
            (
                json!({"ephemeral": {"volumeClaimTemplate": {"spec": {"accessModes": ["ReadWriteOnce"]}}}}),
                json!({"ephemeral": {"volumeClaimTemplate": {"metadata": {}, "spec": {
                    "accessModes": ["ReadWriteOnce"], "resources": {}, "volumeMode": "Filesystem"
                }}}}),
            ),
            (
                json!({"image": {"reference": "data"}}),
                json!({"image": {"reference": "data", "pullPolicy": "Always"}}),
            ),
        ];
        for (written, mut stored) in cases {
            stored["name"] = json!("data");
            assert_eq!(volume_of(written), stored);
        }
    }

    #[test]
    fn both_spellings_of_the_service_account_are_stored() {
        for field in ["serviceAccountName", "serviceAccount"] {
            let spec = template_of(json!({field: "db"}))["spec"].take();
            assert_eq!((&spec["serviceAccountName"], &spec["serviceAccount"]), (&json!("db"), &json!("db")));
        }
    }

    fn any_json() -> impl Strategy<Value = Value> {
        let field = prop::sample::select(vec![
            "spec",
            "metadata",
            "containers",
            "volumes",
            "name",
            "image",
            "ports",
            "env",
            "valueFrom",
            "fieldRef",
            "resources",
            "limits",
            "requests",
            "labels",
            "readinessProbe",
            "httpGet",
            "grpc",
            "projected",
            "sources",
            "hostNetwork",
            "ephemeral",
            "volumeClaimTemplate",
            "readOnly",
            "value",
            "divisor",
            "serviceAccount",
        ]);
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            (-2i64..3).prop_map(Value::from),
            "(|web|1024Mi|web:v1)".prop_map(Value::from),
        ];
        leaf.prop_recursive(6, 60, 6, move |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
                prop::collection::btree_map(field.clone().prop_map(str::to_owned), inner, 0..5)
                    .prop_map(|fields| Value::Object(fields.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn any_json_can_be_defaulted_and_twice_is_once(spec in any_json()) {
            for default in [default_pod_template, default_pod] {
                let mut once = json!({"metadata": null, "spec": spec.clone()});
                default(&mut once);
                let mut twice = once.clone();
                default(&mut twice);
                prop_assert_eq!(&once, &twice);
            }
        }
    }
}
