//! Every sentence as a 1.36 API server says it: what was recorded, and a negative case for each check.
use crate::api::patch::PatchType;
use crate::api::rest::ObjectRef;
use crate::api::status::Status;
use crate::config::Config;
use crate::world::World;
use serde_json::{Value, json};

fn world() -> World {
    let mut world = World::new(1, Config::recorded());
    world.bootstrap().expect("an empty world");
    world
}

fn set() -> Value {
    json!({
        "apiVersion": "apps/v1",
        "kind": "StatefulSet",
        "metadata": {"name": "web"},
        "spec": {
            "serviceName": "web",
            "replicas": 1,
            "selector": {"matchLabels": {"app": "web"}},
            "template": {
                "metadata": {"labels": {"app": "web"}},
                "spec": {"containers": [{"name": "web", "image": "web:v1",
                                         "volumeMounts": [{"name": "data", "mountPath": "/data"}]}]},
            },
            "volumeClaimTemplates": [{"metadata": {"name": "data"}, "spec": {
                "accessModes": ["ReadWriteOnce"],
                "storageClassName": "ebs",
                "resources": {"requests": {"storage": "1Gi"}},
            }}],
        },
    })
}

fn deployment() -> Value {
    let mut deployment = set();
    deployment["kind"] = json!("Deployment");
    for field in ["serviceName", "volumeClaimTemplates"] {
        deployment["spec"].as_object_mut().expect("a spec").remove(field);
    }
    deployment["spec"]["template"]["spec"]["containers"][0]
        .as_object_mut()
        .expect("one")
        .remove("volumeMounts");
    deployment
}

fn pod() -> Value {
    json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "web-0"},
        "spec": {"containers": [{"name": "web", "image": "web:v1"}]},
    })
}

fn claim() -> Value {
    let mut claim = set()["spec"]["volumeClaimTemplates"][0].take();
    claim["apiVersion"] = json!("v1");
    claim["kind"] = json!("PersistentVolumeClaim");
    claim
}

fn service() -> Value {
    json!({
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"},
        "spec": {"selector": {"app": "web"}, "ports": [{"port": 80}]},
    })
}

fn budget() -> Value {
    json!({
        "apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": {"name": "web"},
        "spec": {"selector": {"matchLabels": {"app": "web"}}, "minAvailable": 1},
    })
}

/// The manifest with the value at a JSON pointer replaced; null takes it away.
fn with(manifest: &Value, pointer: &str, value: Value) -> Value {
    let mut manifest = manifest.clone();
    let (parent, field) = pointer.rsplit_once('/').expect("a pointer");
    let parent = manifest.pointer_mut(parent).unwrap_or_else(|| panic!("{pointer}"));
    match (parent, value) {
        (Value::Object(fields), Value::Null) => drop(fields.remove(field)),
        (Value::Object(fields), value) => drop(fields.insert(field.into(), value)),
        (Value::Array(items), value) => items.push(value),
        _ => panic!("{pointer}"),
    }
    manifest
}

fn causes(refused: Status) -> Vec<String> {
    assert_eq!((refused.code, refused.reason), (422, "Invalid"), "{refused}");
    refused.details.expect("details").causes
}

/// Manifests, what is changed in them, and all that the server has to say.
fn refused_creates(cases: &[(Value, &str, Value, &[&str])]) {
    for (manifest, pointer, value, expected) in cases {
        let wrong = with(manifest, pointer, value.clone());
        let refused =
            world().rest_create(wrong).err().unwrap_or_else(|| panic!("{pointer} {value} was accepted"));
        assert_eq!(causes(refused), *expected, "{pointer} {value}");
    }
}

#[test]
fn stateful_sets() {
    let name = "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start \
                and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is \
                '[a-z0-9]([-a-z0-9]*[a-z0-9])?')";
    let negative = |path: &str| format!("{path}: Invalid value: -1: must be greater than or equal to 0");
    refused_creates(&[
        // Recorded.
        (
            set(),
            "/spec/selector/matchLabels/app",
            json!("x"),
            &[
                "spec.template.metadata.labels: Invalid value: {\"app\":\"web\"}: `selector` does not match template \
               `labels`",
            ],
        ),
        (
            set(),
            "/metadata/name",
            json!("Web_1"),
            &[&format!("metadata.name: Invalid value: \"Web_1\": {name}")],
        ),
        (set(), "/spec/replicas", json!(-1), &[&negative("spec.replicas")]),
        (
            set(),
            "/spec/updateStrategy",
            json!({"type": "Sometimes", "rollingUpdate": {"partition": 0}}),
            &[
                "spec.updateStrategy: Invalid value: {\"Type\":\"Sometimes\",\"RollingUpdate\":{\"Partition\":0,\
               \"MaxUnavailable\":null}}: must be 'RollingUpdate' or 'OnDelete'",
            ],
        ),
        // STS-6.
        (
            set(),
            "/spec/podManagementPolicy",
            json!("Random"),
            &["spec.podManagementPolicy: Invalid value: \"Random\": must be 'OrderedReady' or 'Parallel'"],
        ),
        (
            set(),
            "/spec/updateStrategy",
            json!({"type": "OnDelete", "rollingUpdate": {"partition": 1}}),
            &[
                "spec.updateStrategy.rollingUpdate: Invalid value: {\"Partition\":1,\"MaxUnavailable\":null}: only \
               allowed for updateStrategy 'RollingUpdate'",
            ],
        ),
        (
            set(),
            "/spec/updateStrategy",
            json!({"rollingUpdate": {"partition": -1}}),
            &[&negative("spec.updateStrategy.rollingUpdate.partition")],
        ),
        (set(), "/spec/minReadySeconds", json!(-1), &[&negative("spec.minReadySeconds")]),
        (set(), "/spec/ordinals", json!({"start": -1}), &[&negative("spec.ordinals.start")]),
        (
            set(),
            "/spec/selector",
            json!({}),
            &["spec.selector: Invalid value: {}: empty selector is invalid for statefulset"],
        ),
        (
            set(),
            "/spec/persistentVolumeClaimRetentionPolicy",
            json!({"whenScaled": "Forget"}),
            &[
                "spec.persistentVolumeClaimRetentionPolicy.whenScaled: Unsupported value: \"Forget\": supported values: \
               \"Retain\", \"Delete\"",
            ],
        ),
        (
            set(),
            "/spec/template/spec/restartPolicy",
            json!("Never"),
            &["spec.template.spec.restartPolicy: Unsupported value: \"Never\": supported values: \"Always\""],
        ),
        (
            set(),
            "/spec/template/spec/activeDeadlineSeconds",
            json!(5),
            &[
                "spec.template.spec.activeDeadlineSeconds: Forbidden: activeDeadlineSeconds in StatefulSet is not \
               Supported",
            ],
        ),
        (
            set(),
            "/spec/serviceName",
            json!("a.b"),
            &[&format!("spec.serviceName: Invalid value: \"a.b\": {name}")],
        ),
        (
            set(),
            "/spec/volumeClaimTemplates/0/spec/resources",
            json!({}),
            &["spec.volumeClaimTemplates[0].spec.resources[storage]: Required value"],
        ),
        // A mount without its claim template.
        (
            set(),
            "/spec/volumeClaimTemplates",
            json!([]),
            &["spec.template.spec.containers[0].volumeMounts[0].name: Not found: \"data\""],
        ),
    ]);
    // STS-6: legal, though it may surprise.
    for (pointer, value) in [
        ("/spec/revisionHistoryLimit", json!(-1)),
        ("/spec/updateStrategy", json!({"rollingUpdate": {"partition": 100}})),
        ("/spec/serviceName", Value::Null),
        ("/metadata/name", json!("a".repeat(60))),
        // STS-7.
        ("/spec/template/spec/volumes", json!([{"name": "data", "emptyDir": {}}])),
    ] {
        let manifest = with(&set(), pointer, value);
        world().rest_create(manifest).unwrap_or_else(|error| panic!("{pointer}: {error}"));
    }
}

#[test]
fn max_unavailable_behind_its_gate() {
    let refused = |value: Value| {
        let mut world = world();
        world.config.gates.max_unavailable_stateful_set = true;
        let rolling = json!({"rollingUpdate": {"maxUnavailable": value}});
        causes(world.rest_create(with(&set(), "/spec/updateStrategy", rolling)).expect_err("refused"))
    };
    let path = "spec.updateStrategy.rollingUpdate.maxUnavailable: Invalid value";
    assert_eq!(refused(json!(0)), [format!("{path}: 0: cannot be 0")]);
    assert_eq!(refused(json!("101%")), [format!("{path}: \"101%\": must not be greater than 100%")]);
}

/// STS-8: a template that was invalid when it was stored may stay so; a rule made later does not lock the set.
#[test]
fn t_sts_148_what_was_invalid_before_is_not_checked_again() {
    let mut world = world();
    let set = world.rest_create(set()).expect("valid");
    let stored = world.rest_get(set).expect("there");
    let never =
        "spec.template.spec.restartPolicy: Unsupported value: \"Never\": supported values: \"Always\"";
    let negative = "spec.replicas: Invalid value: -1: must be greater than or equal to 0";
    let old = |invalid: bool| {
        let policy = if invalid { "Never" } else { "Always" };
        with(&stored, "/spec/template/spec/restartPolicy", json!(policy))
    };
    let cases: [(bool, bool, i64, &[&str]); 6] = [
        (false, false, 2, &[]),
        (false, true, 2, &[never]),
        (true, true, 2, &[]),
        (true, false, 2, &[]),
        (true, true, -1, &[negative]),
        (false, true, -1, &[negative, never]),
    ];
    for (was, is, replicas, expected) in cases {
        let new = with(&old(is), "/spec/replicas", json!(replicas));
        let found = super::update(crate::api::kind::Kind::StatefulSet, &old(was), &new);
        assert_eq!(found, expected, "{was} {is} {replicas}");
    }
    // What may not change may not change in a set that is invalid either.
    let new = with(&old(true), "/spec/serviceName", json!("other"));
    let found = super::update(crate::api::kind::Kind::StatefulSet, &old(true), &new);
    assert!(
        found.len() == 1 && found[0].starts_with("spec: Forbidden: updates to statefulset spec"),
        "{found:?}"
    );
}

#[test]
fn deployments() {
    refused_creates(&[
        // Recorded.
        (
            deployment(),
            "/spec/template/spec/restartPolicy",
            json!("OnFailure"),
            &[
                "spec.template.spec.restartPolicy: Unsupported value: \"OnFailure\": supported values: \"Always\"",
            ],
        ),
        (
            deployment(),
            "/spec/minReadySeconds",
            json!(700),
            &["spec.progressDeadlineSeconds: Invalid value: 600: must be greater than minReadySeconds"],
        ),
        // DEP-2.
        (
            deployment(),
            "/spec/strategy",
            json!({"rollingUpdate": {"maxSurge": 0, "maxUnavailable": "0%"}}),
            &[
                "spec.strategy.rollingUpdate.maxUnavailable: Invalid value: \"0%\": may not be 0 when `maxSurge` is 0",
            ],
        ),
        (
            deployment(),
            "/spec/strategy",
            json!({"rollingUpdate": {"maxUnavailable": "150%"}}),
            &[
                "spec.strategy.rollingUpdate.maxUnavailable: Invalid value: \"150%\": must not be greater than 100%",
            ],
        ),
        (
            deployment(),
            "/spec/strategy",
            json!({"type": "Recreate", "rollingUpdate": {"maxSurge": 1}}),
            &[
                "spec.strategy.rollingUpdate: Forbidden: may not be specified when strategy `type` is 'Recreate'",
            ],
        ),
        (
            deployment(),
            "/spec/selector",
            json!({}),
            &["spec.selector: Invalid value: {}: empty selector is invalid for deployment"],
        ),
        (
            deployment(),
            "/spec/strategy",
            json!({"rollingUpdate": {"maxSurge": "1"}}),
            &[
                "spec.strategy.rollingUpdate.maxSurge: Invalid value: \"1\": a valid percent string must be a numeric \
               string followed by an ending '%' (e.g. '1%',  or '93%', regex used for validation is '[0-9]+%')",
            ],
        ),
    ]);
}

#[test]
fn pods() {
    let container = "/spec/containers/0";
    let at = |field: &str| format!("{container}/{field}");
    refused_creates(&[
        (pod(), "/spec/containers", json!([]), &["spec.containers: Required value"]),
        (pod(), &at("image"), json!(""), &["spec.containers[0].image: Required value"]),
        (
            pod(),
            "/spec/containers/-",
            json!({"name": "web", "image": "x"}),
            &["spec.containers[1].name: Duplicate value: \"web\""],
        ),
        (
            pod(),
            &at("ports"),
            json!([{"containerPort": 70000}]),
            &[
                "spec.containers[0].ports[0].containerPort: Invalid value: 70000: must be between 1 and 65535, \
               inclusive",
            ],
        ),
        (
            pod(),
            &at("resources"),
            json!({"requests": {"cpu": "2"}, "limits": {"cpu": "1"}}),
            &[
                "spec.containers[0].resources.requests: Invalid value: \"2\": must be less than or equal to cpu limit \
               of 1",
            ],
        ),
        (
            pod(),
            &at("readinessProbe"),
            json!({"periodSeconds": 3}),
            &["spec.containers[0].readinessProbe: Required value: must specify a handler type"],
        ),
        (
            pod(),
            &at("livenessProbe"),
            json!({"exec": {}, "terminationGracePeriodSeconds": 0}),
            &[
                "spec.containers[0].livenessProbe.terminationGracePeriodSeconds: Invalid value: 0: must be greater than 0",
            ],
        ),
        (
            pod(),
            "/spec/initContainers",
            json!([{"name": "setup", "image": "x", "startupProbe": {"exec": {}}}]),
            &["spec.initContainers[0].startupProbe: Forbidden: may not be set for init containers without \
               restartPolicy=Always"],
        ),
        (
            pod(),
            &at("lifecycle"),
            json!({"preStop": {"sleep": {"seconds": 31}}, "postStart": {}}),
            &[
                "spec.containers[0].lifecycle.postStart: Required value: must specify a handler type",
                "spec.containers[0].lifecycle.preStop.sleep: Invalid value: 31: must be non-negative and less than \
               terminationGracePeriodSeconds (30)",
            ],
        ),
        (
            pod(),
            &at("restartPolicyRules"),
            json!([{"action": "Restart", "exitCodes": {"operator": "Equals", "values": [3]}}]),
            &[
                "spec.containers[0].restartPolicy: Required value: must specify restartPolicy when restart rules are used",
                "spec.containers[0].restartPolicyRules[0].exitCodes.operator: Unsupported value: \"Equals\": supported \
               values: \"In\", \"NotIn\"",
            ],
        ),
        (
            pod(),
            "/spec/tolerations",
            json!([{"key": "a", "operator": "Exists", "value": "b"}]),
            &[
                "spec.tolerations[0].operator: Invalid value: \"b\": value must be empty when `operator` is 'Exists'",
            ],
        ),
        (
            pod(),
            "/spec/topologySpreadConstraints",
            json!([{"maxSkew": 0, "topologyKey": "", "whenUnsatisfiable": "DoNotSchedule"}]),
            &[
                "spec.topologySpreadConstraints[0].maxSkew: Invalid value: 0: must be greater than zero",
                "spec.topologySpreadConstraints[0].topologyKey: Required value: can not be empty",
            ],
        ),
        (
            pod(),
            "/spec/affinity",
            json!({"podAntiAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": [
                {"weight": 0, "podAffinityTerm": {"topologyKey": "zone"}}]}}),
            &[
                "spec.affinity.podAntiAffinity.preferredDuringSchedulingIgnoredDuringExecution[0].weight: Invalid \
               value: 0: must be in the range 1-100",
            ],
        ),
    ]);
}

#[test]
fn metadata() {
    refused_creates(&[
        (
            pod(),
            "/metadata/name",
            json!(""),
            &["metadata.name: Required value: name or generateName is required"],
        ),
        (
            pod(),
            "/metadata/labels",
            json!({"a": "x".repeat(64)}),
            &[&format!(
                "metadata.labels: Invalid value: \"{}\": must be no more than 63 bytes",
                "x".repeat(64)
            )],
        ),
        (
            pod(),
            "/metadata/finalizers",
            json!(["hold"]),
            &[
                "metadata.finalizers[0]: Invalid value: \"hold\": name is neither a standard finalizer name nor is it \
               fully qualified",
            ],
        ),
    ]);
    let mut world = world();
    let held = with(&pod(), "/metadata/finalizers", json!(["example.com/a"]));
    let held = world.rest_create(held).expect("valid");
    world.rest_delete(held, Default::default()).expect("deleted");
    let patch = json!({"metadata": {"finalizers": ["example.com/a", "example.com/b"]}});
    assert_eq!(
        causes(world.rest_patch(held, PatchType::Merge, &patch, "").expect_err("refused")),
        [
            "metadata.finalizers: Forbidden: no new finalizers can be added if the object is being deleted, found new \
             finalizers []string{\"example.com/b\"}"
        ]
    );
}

#[test]
fn storage() {
    refused_creates(&[
        (
            claim(),
            "/spec/accessModes",
            Value::Null,
            &["spec.accessModes: Required value: at least 1 access mode is required"],
        ),
        (
            claim(),
            "/spec/accessModes",
            json!(["Some"]),
            &[
                "spec.accessModes: Unsupported value: \"Some\": supported values: \"ReadOnlyMany\", \"ReadWriteMany\", \
               \"ReadWriteOnce\", \"ReadWriteOncePod\"",
            ],
        ),
        (
            claim(),
            "/spec/resources/requests/storage",
            json!("0"),
            &["spec.resources[storage]: Invalid value: \"0\": must be greater than zero"],
        ),
    ]);
    let volume = json!({
        "apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": "disk"},
        "spec": {"capacity": {"storage": "5Gi"}, "accessModes": ["ReadWriteOnce"], "hostPath": {"path": "/x"}},
    });
    refused_creates(&[
        (
            volume.clone(),
            "/spec/hostPath",
            Value::Null,
            &["spec: Required value: must specify a volume type"],
        ),
        (volume, "/spec/capacity", Value::Null, &["spec.capacity: Required value"]),
    ]);
}

#[test]
fn services_and_budgets() {
    refused_creates(&[
        (service(), "/spec/ports", Value::Null, &["spec.ports: Required value"]),
        (
            service(),
            "/spec/ports",
            json!([{"port": 80}, {"port": 81, "name": "b"}]),
            &["spec.ports[0].name: Required value"],
        ),
        (
            service(),
            "/spec/clusterIP",
            json!("x"),
            &["spec.clusterIPs[0]: Invalid value: \"x\": must be a valid IP address, (e.g. 10.9.8.7 or \
               2001:db8::ffff)"],
        ),
        (
            service(),
            "/spec/clusterIP",
            json!("10.96.0.1"),
            &[
                "spec.clusterIPs: Invalid value: [\"10.96.0.1\"]: failed to allocate IP 10.96.0.1: provided IP is \
               already allocated",
            ],
        ),
        (
            budget(),
            "/spec/maxUnavailable",
            json!(1),
            &["spec: Invalid value: {\"MinAvailable\":1,\"Selector\":{\"matchLabels\":{\"app\":\"web\"}},\
               \"MaxUnavailable\":1,\"UnhealthyPodEvictionPolicy\":null}: minAvailable and maxUnavailable cannot be \
               both set"],
        ),
        (
            budget(),
            "/spec/minAvailable",
            json!("101%"),
            &["spec.minAvailable: Invalid value: \"101%\": must not be greater than 100%"],
        ),
    ]);
    world().rest_create(with(&budget(), "/spec/minAvailable", Value::Null)).expect("legal (PDB-1)");
}

const FIXED: &str = "spec: Forbidden: updates to statefulset spec for fields other than 'replicas', 'ordinals', \
                     'template', 'updateStrategy', 'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and \
                     'minReadySeconds' are forbidden";

fn patched(world: &mut World, object: ObjectRef, patch: Value) -> Result<bool, Status> {
    let kind = if patch.is_array() { PatchType::Json } else { PatchType::Merge };
    world.rest_patch(object, kind, &patch, "")
}

/// The recorded sentences of api-immutable-fields and errors.
#[test]
fn fixed_fields_of_a_stateful_set() {
    let mut world = world();
    let set = world.rest_create(set()).expect("valid");
    let mismatch = "spec.template.metadata.labels: Invalid value: {\"app\":\"web\"}: `selector` does not match \
                    template `labels`";
    let replace = json!([{"op": "replace", "value": "2Gi",
                          "path": "/spec/volumeClaimTemplates/0/spec/resources/requests/storage"}]);
    let cases: [(Value, &[&str]); 4] = [
        (json!({"spec": {"serviceName": "x"}}), &[FIXED]),
        (json!({"spec": {"podManagementPolicy": "Parallel"}}), &[FIXED]),
        (json!({"spec": {"selector": {"matchLabels": {"app": "x"}}}}), &[mismatch, FIXED]),
        (replace, &[FIXED]),
    ];
    for (patch, expected) in cases {
        let refused = patched(&mut world, set, patch.clone()).expect_err("refused");
        assert!(refused.message.starts_with("StatefulSet.apps \"web\" is invalid: "), "{refused}");
        assert_eq!(causes(refused), expected, "{patch}");
    }
    for patch in [
        json!({"spec": {"minReadySeconds": 1, "revisionHistoryLimit": 3}}),
        json!({"spec": {"ordinals": {"start": 2}, "replicas": 3}}),
        json!({"spec": {"template": {"spec": {"containers": [{"name": "web", "image": "web:v2"}]}}}}),
    ] {
        assert_eq!(patched(&mut world, set, patch), Ok(true));
    }
    let wrong = json!({"status": {"replicas": 1, "readyReplicas": 2, "availableReplicas": 3}});
    assert_eq!(
        causes(world.rest_patch(set, PatchType::Merge, &wrong, "status").expect_err("refused")),
        [
            "status.readyReplicas: Invalid value: 2: cannot be greater than status.replicas",
            "status.availableReplicas: Invalid value: 3: cannot be greater than status.replicas",
            "status.availableReplicas: Invalid value: 3: cannot be greater than status.readyReplicas",
        ]
    );
}

/// The recorded sentences of deploy-immutable-selector.
#[test]
fn fixed_fields_of_a_deployment() {
    let mut world = world();
    let deployment = world.rest_create(deployment()).expect("valid");
    let cases: [(Value, &[&str]); 3] = [
        (
            json!({"spec": {"selector": {"matchLabels": {"app": "x"}}}}),
            &[
                "spec.template.metadata.labels: Invalid value: {\"app\":\"web\"}: `selector` does not match template \
                 `labels`",
                "spec.selector: Invalid value: {\"matchLabels\":{\"app\":\"x\"}}: field is immutable",
            ],
        ),
        (
            json!({"spec": {"replicas": -1}}),
            &["spec.replicas: Invalid value: -1: must be greater than or equal to 0"],
        ),
        (
            json!({"spec": {"minReadySeconds": 700}}),
            &["spec.progressDeadlineSeconds: Invalid value: 600: must be greater than minReadySeconds"],
        ),
    ];
    for (patch, expected) in cases {
        assert_eq!(causes(patched(&mut world, deployment, patch).expect_err("refused")), expected);
    }
}

#[test]
fn fixed_fields_of_other_kinds() {
    let mut world = world();
    let class = json!({
        "apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "metadata": {"name": "ebs"}, "provisioner": "p",
    });
    let class = world.rest_create(class).expect("valid");
    let claim = world.rest_create(claim()).expect("valid");
    let service = world.rest_create(service()).expect("valid");
    let cases = [
        (
            class,
            json!({"reclaimPolicy": "Retain"}),
            "reclaimPolicy: Forbidden: updates to reclaimPolicy are forbidden.",
        ),
        (
            claim,
            json!({"spec": {"storageClassName": "x"}}),
            "spec: Forbidden: spec is immutable after creation except resources.requests and \
             volumeAttributesClassName for bound claims",
        ),
        (
            service,
            json!({"spec": {"clusterIP": "10.96.0.99"}}),
            "spec.clusterIPs[0]: Invalid value: [\"10.96.0.99\"]: may not change once set",
        ),
    ];
    for (object, patch, expected) in cases {
        assert_eq!(causes(patched(&mut world, object, patch).expect_err("refused")), [expected]);
    }
    let grow = json!({"spec": {"resources": {"requests": {"storage": "2Gi"}}}});
    assert_eq!(
        patched(&mut world, claim, grow).expect_err("refused").message,
        "persistentvolumeclaims \"data\" is forbidden: Only bound persistent volume claims can be expanded"
    );
}

/// POD-8.
#[test]
fn what_of_a_pod_may_change() {
    let mut world = world();
    let pod = world.rest_create(pod()).expect("valid");
    let containers = |image: &str| json!({"spec": {"containers": [{"name": "web", "image": image}]}});
    let strategic = |world: &mut World, patch: Value| world.rest_patch(pod, PatchType::Strategic, &patch, "");
    assert_eq!(strategic(&mut world, containers("web:v2")), Ok(true));
    assert_eq!(strategic(&mut world, json!({"spec": {"activeDeadlineSeconds": 100}})), Ok(true));
    let refused = |result: Result<bool, Status>| causes(result.expect_err("refused"));
    assert_eq!(
        refused(strategic(&mut world, json!({"spec": {"activeDeadlineSeconds": 200}}))),
        ["spec.activeDeadlineSeconds: Invalid value: 200: must be less than or equal to previous value 100"]
    );
    let another = json!({"spec": {"containers": [{"name": "b", "image": "b"}]}});
    assert_eq!(
        refused(strategic(&mut world, another)),
        ["spec.containers: Forbidden: pod updates may not add or remove containers"]
    );
    assert_eq!(
        refused(world.rest_patch(pod, PatchType::Merge, &json!({"spec": {"tolerations": []}}), "")),
        ["spec.tolerations: Forbidden: existing toleration can not be modified except its tolerationSeconds"]
    );
    let [cause] = &refused(strategic(&mut world, json!({"spec": {"hostname": "x"}})))[..] else {
        panic!("one cause")
    };
    assert!(
        cause.starts_with(
            "spec: Forbidden: pod updates may not change fields other than `spec.containers[*].image`,\
             `spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to \
             existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was \
             previously negative)"
        ),
        "{cause}"
    );
}
