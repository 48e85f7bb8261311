//! What a StatefulSet may say, what is filled in, and what may change later (STS-1 to STS-10).
use crate::drill::*;
use serde_json::{Value, json};

/// Where an apply goes wrong: everything the server has against the manifest, one sentence each.
fn complaints(drill: &mut Drill, manifest: &Value) -> Vec<String> {
    let step = format!("- apply: {}\n  fails: true", json!(manifest.to_string()));
    let text = drill.step(&step).stderr;
    let (_, all) =
        text.split_once(" is invalid: ").unwrap_or_else(|| panic!("not refused as invalid: {text}"));
    let all = all.trim_end();
    match all.strip_prefix("\n* ") {
        Some(list) => list.split("\n* ").map(str::to_owned).collect(),
        None => vec![all.to_owned()],
    }
}

/// Each change of the set `web` is refused with exactly this sentence.
fn refused(cases: &[(&str, Value, &str)]) {
    let mut drill = Drill::new(&[]);
    for (pointer, value, expected) in cases {
        let manifest = with(set_with_claims(1), pointer, value.clone());
        assert_eq!(complaints(&mut drill, &manifest), [*expected], "{pointer} {value}");
        assert!(drill.names("sts").is_empty(), "{pointer} {value}");
    }
}

const AT_LEAST_0: &str = "must be greater than or equal to 0";

#[test]
fn t_sts_137_valid_sets() {
    let strategies = [
        json!({"type": "RollingUpdate"}),
        json!({"type": "RollingUpdate", "rollingUpdate": {"partition": 2}}),
        json!({"type": "OnDelete"}),
        json!({"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 2}}),
        json!({"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": "100%"}}),
    ];
    let retention = |deleted, scaled| json!({"whenDeleted": deleted, "whenScaled": scaled});
    let mut cases: Vec<(&str, Value)> = vec![
        ("/metadata/name", json!("abc")),
        ("/metadata/name", json!("123")),
        ("/metadata/name", json!("abc-123")),
        ("/spec/template/spec/hostNetwork", json!(true)),
        ("/spec/podManagementPolicy", json!("OrderedReady")),
        ("/spec/ordinals", json!({"start": 2})),
        ("/spec/template/spec/hostname", json!("elsewhere")),
        ("/spec/template/spec/subdomain", json!("elsewhere")),
    ];
    cases.extend(strategies.map(|strategy| ("/spec/updateStrategy", strategy)));
    for (deleted, scaled) in
        [("Retain", "Retain"), ("Retain", "Delete"), ("Delete", "Retain"), ("Delete", "Delete")]
    {
        cases.push(("/spec/persistentVolumeClaimRetentionPolicy", retention(deleted, scaled)));
    }
    for gate in [true, false] {
        let spec = format!("  featureGates: {{MaxUnavailableStatefulSet: {gate}}}\n{SPEC}");
        let mut drill = Drill::on(&spec, &[]);
        for (pointer, value) in &cases {
            for policy in ["OrderedReady", "Parallel"] {
                let manifest = with(set(1), "/spec/podManagementPolicy", json!(policy));
                let manifest = with(manifest, pointer, value.clone());
                let name = manifest["metadata"]["name"].as_str().expect("a name").to_owned();
                let said = drill.apply(&manifest);
                assert_eq!(said, format!("statefulset.apps/{name} created\n"), "{pointer} {value}");
                let start = manifest["spec"]["ordinals"]["start"].as_i64().unwrap_or(0);
                let pod = drill.object(&format!("pod/{name}-{start}"));
                // Whatever the template says.
                assert_eq!(pod["spec"]["hostname"], json!(format!("{name}-{start}")), "{pointer} {value}");
                assert_eq!(pod["spec"]["subdomain"], "web", "{pointer} {value}");
                assert_eq!(drill.field(&format!("sts/{name}"), "/status/readyReplicas"), json!(1));
                drill.kubectl(&format!("delete sts {name}"));
            }
        }
    }
}

#[test]
fn t_sts_138_names_that_are_refused() {
    let label = "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must \
                 start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for \
                 validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')";
    let long = "a".repeat(64);
    let mut drill = Drill::new(&[]);
    for (name, expected) in [
        ("abc.123", format!("metadata.name: Invalid value: \"abc.123\": {label}")),
        ("-web", format!("metadata.name: Invalid value: \"-web\": {label}")),
        (&long, format!("metadata.name: Invalid value: \"{long}\": must be no more than 63 bytes")),
    ] {
        let manifest = with(set(1), "/metadata/name", json!(name));
        assert_eq!(complaints(&mut drill, &manifest), [expected], "{name}");
    }
    // Without a name nothing even reaches the server; without a namespace kubectl sends the default one.
    let nameless = with(set(1), "/metadata/name", json!(""));
    let said = drill.step(&format!("- apply: {}\n  fails: true", json!(nameless.to_string()))).stderr;
    assert!(said.contains("resource name may not be empty"), "{said}");
    assert!(drill.names("sts").is_empty());
    drill.apply(&set(1));
    assert_eq!(drill.field("sts/web", "/metadata/namespace"), json!("default"));
}

#[test]
fn t_sts_139_selectors_that_are_refused() {
    refused(&[
        (
            "/spec/selector",
            json!({}),
            "spec.selector: Invalid value: {}: empty selector is invalid for statefulset",
        ),
        ("/spec/selector", Value::Null, "spec.selector: Required value"),
        (
            "/spec/selector",
            json!({"matchLabels": {"app": "db"}}),
            "spec.template.metadata.labels: Invalid value: {\"app\":\"web\"}: `selector` does not match template \
             `labels`",
        ),
    ]);
}

#[test]
fn t_sts_140_counts_that_are_refused() {
    let mut cases = Vec::new();
    for (pointer, value, path) in [
        ("/spec/replicas", json!(-1), "spec.replicas"),
        ("/spec/minReadySeconds", json!(-1), "spec.minReadySeconds"),
        ("/spec/ordinals", json!({"start": -1}), "spec.ordinals.start"),
        (
            "/spec/updateStrategy",
            json!({"type": "RollingUpdate", "rollingUpdate": {"partition": -1}}),
            "spec.updateStrategy.rollingUpdate.partition",
        ),
    ] {
        cases.push((pointer, value, format!("{path}: Invalid value: -1: {AT_LEAST_0}")));
    }
    let cases: Vec<_> = cases.iter().map(|(p, value, text)| (*p, value.clone(), text.as_str())).collect();
    refused(&cases);
}

#[test]
fn t_sts_141_templates_that_are_refused() {
    let mount =
        json!([{"name": "web", "image": "web:v1", "volumeMounts": [{"name": "wal", "mountPath": "/w"}]}]);
    let only_always = |value: &str| {
        format!(
            "spec.template.spec.restartPolicy: Unsupported value: \"{value}\": supported values: \"Always\""
        )
    };
    refused(&[
        ("/spec/template/spec/restartPolicy", json!("Never"), &only_always("Never")),
        ("/spec/template/spec/restartPolicy", json!("OnFailure"), &only_always("OnFailure")),
        (
            "/spec/template/spec/activeDeadlineSeconds",
            json!(100),
            "spec.template.spec.activeDeadlineSeconds: Forbidden: activeDeadlineSeconds in StatefulSet is not \
             Supported",
        ),
        (
            "/spec/template/metadata/labels/NoUppercaseOrSpecialCharsLike=Equals",
            json!("bar"),
            "spec.template.labels: Invalid value: \"NoUppercaseOrSpecialCharsLike=Equals\": name part must consist \
             of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character \
             (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is \
             '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')",
        ),
        (
            "/spec/template/metadata/annotations",
            json!({"No=Equals": "bar"}),
            "spec.template.annotations: Invalid value: \"No=Equals\": name part must consist of alphanumeric \
             characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  \
             or 'my.name',  or '123-abc', regex used for validation is \
             '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')",
        ),
        (
            "/spec/template/spec/containers",
            mount.clone(),
            "spec.template.spec.containers[0].volumeMounts[0].name: Not found: \"wal\"",
        ),
    ]);
    // A claim template of that name is a volume.
    let mut drill = Drill::new(&[]);
    let manifest = with(set_with_claims(1), "/spec/template/spec/containers", mount);
    let claims = json!([{
        "metadata": {"name": "wal"},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
    }]);
    drill.apply(&with(manifest, "/spec/volumeClaimTemplates", claims));
    assert_eq!(drill.names("pvc"), ["wal-web-0"]);
}

#[test]
fn t_sts_142_strategies_and_policies_that_are_refused() {
    refused(&[
        (
            "/spec/updateStrategy",
            json!({"type": "foo"}),
            "spec.updateStrategy: Invalid value: {\"Type\":\"foo\",\"RollingUpdate\":null}: must be 'RollingUpdate' \
             or 'OnDelete'",
        ),
        (
            "/spec/updateStrategy",
            json!({"type": "OnDelete", "rollingUpdate": {"partition": 1}}),
            "spec.updateStrategy.rollingUpdate: Invalid value: {\"Partition\":1,\"MaxUnavailable\":null}: only \
             allowed for updateStrategy 'RollingUpdate'",
        ),
        (
            "/spec/podManagementPolicy",
            json!("foo"),
            "spec.podManagementPolicy: Invalid value: \"foo\": must be 'OrderedReady' or 'Parallel'",
        ),
    ]);
    // What is empty is filled in before anybody can object (STS-1, STS-2).
    let manifest = with(set(1), "/spec/updateStrategy", json!({"type": ""}));
    let mut drill = Drill::new(&[with(manifest, "/spec/podManagementPolicy", json!(""))]);
    let rolling = json!({"type": "RollingUpdate", "rollingUpdate": {"partition": 0}});
    assert_eq!(drill.field("sts/web", "/spec/updateStrategy"), rolling);
    assert_eq!(drill.field("sts/web", "/spec/podManagementPolicy"), "OrderedReady");
}

#[test]
fn t_sts_143_retention_policies_that_are_refused() {
    let path = "spec.persistentVolumeClaimRetentionPolicy";
    let unsupported = |half: &str| {
        format!("{path}.{half}: Unsupported value: \"foo\": supported values: \"Retain\", \"Delete\"")
    };
    refused(&[
        (
            "/spec/persistentVolumeClaimRetentionPolicy",
            json!({"whenDeleted": "foo", "whenScaled": "Delete"}),
            &unsupported("whenDeleted"),
        ),
        (
            "/spec/persistentVolumeClaimRetentionPolicy",
            json!({"whenDeleted": "Retain", "whenScaled": "foo"}),
            &unsupported("whenScaled"),
        ),
    ]);
    // Each half that is empty is Retain (STS-1).
    let half = json!({"whenDeleted": "", "whenScaled": "Delete"});
    let mut drill = Drill::new(&[with(set(1), "/spec/persistentVolumeClaimRetentionPolicy", half)]);
    let policy = drill.field("sts/web", "/spec/persistentVolumeClaimRetentionPolicy");
    assert_eq!(policy, json!({"whenDeleted": "Retain", "whenScaled": "Delete"}));
}

#[test]
fn t_sts_144_max_unavailable_that_is_refused() {
    let spec = format!("  featureGates: {{MaxUnavailableStatefulSet: true}}\n{SPEC}");
    let mut drill = Drill::on(&spec, &[]);
    let path = "spec.updateStrategy.rollingUpdate.maxUnavailable: Invalid value";
    for (value, expected) in [
        (json!(0), format!("{path}: 0: cannot be 0")),
        (json!("0%"), format!("{path}: \"0%\": cannot be 0")),
        (json!(-1), format!("{path}: -1: {AT_LEAST_0}")),
        (json!("101%"), format!("{path}: \"101%\": must not be greater than 100%")),
    ] {
        let strategy = json!({"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": value}});
        let manifest = with(set(1), "/spec/updateStrategy", strategy);
        assert_eq!(complaints(&mut drill, &manifest), [expected], "{value}");
    }
}

#[test]
fn t_sts_145_claim_templates_that_are_refused() {
    refused(&[
        (
            "/spec/volumeClaimTemplates/0/spec/accessModes",
            json!([]),
            "spec.volumeClaimTemplates[0].spec.accessModes: Required value: at least 1 access mode is required",
        ),
        (
            "/spec/volumeClaimTemplates/0/spec/volumeAttributesClassName",
            json!("invalid-chars-!"),
            "spec.volumeClaimTemplates[0].spec.volumeAttributesClassName: Invalid value: \"invalid-chars-!\": a \
             lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must \
             start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is \
             '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')",
        ),
    ]);
}

#[test]
fn t_sts_146_updates_that_are_accepted() {
    let mut drill = Drill::new(&[set_with_claims(1)]);
    let mut manifest = set_with_claims(1);
    for (number, (pointer, value)) in [
        ("/spec/replicas", json!(2)),
        ("/spec/template/spec/containers/0/image", json!("web:v2")),
        ("/spec/updateStrategy", json!({"type": "RollingUpdate", "rollingUpdate": {"partition": 1}})),
        ("/spec/minReadySeconds", json!(3)),
        ("/spec/ordinals", json!({"start": 2})),
        ("/spec/revisionHistoryLimit", json!(4)),
        (
            "/spec/persistentVolumeClaimRetentionPolicy",
            json!({"whenDeleted": "Delete", "whenScaled": "Delete"}),
        ),
    ]
    .into_iter()
    .enumerate()
    {
        manifest = with(manifest, pointer, value.clone());
        assert_eq!(drill.apply(&manifest), "statefulset.apps/web configured\n", "{pointer}");
        let set = drill.object("sts/web");
        assert_eq!(set.pointer(pointer), Some(&value), "{pointer}");
        assert_eq!(set["metadata"]["generation"], json!(number + 2), "{pointer}");
        assert_eq!(set["status"]["observedGeneration"], json!(number + 2), "{pointer}");
    }
}

#[test]
fn t_sts_147_updates_that_are_forbidden() {
    let mut drill = Drill::new(&[set_with_claims(1)]);
    let before = drill.object("sts/web");
    let other = json!({
        "metadata": {"name": "wal"},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
    });
    let data = &set_with_claims(1)["spec"]["volumeClaimTemplates"][0];
    let selected = with(set_with_claims(1), "/spec/template/metadata/labels/tier", json!("a"));
    for (what, manifest) in [
        ("selector", with(selected, "/spec/selector/matchLabels/tier", json!("a"))),
        ("serviceName", with(set_with_claims(1), "/spec/serviceName", json!("other"))),
        ("podManagementPolicy", with(set_with_claims(1), "/spec/podManagementPolicy", json!("Parallel"))),
        (
            "size",
            with(
                set_with_claims(1),
                "/spec/volumeClaimTemplates/0/spec/resources/requests/storage",
                json!("2Gi"),
            ),
        ),
        (
            "class",
            with(set_with_claims(1), "/spec/volumeClaimTemplates/0/spec/storageClassName", json!("standard")),
        ),
        ("new template", with(set_with_claims(1), "/spec/volumeClaimTemplates", json!([data, other]))),
    ] {
        let expected = "spec: Forbidden: updates to statefulset spec for fields other than 'replicas', 'ordinals', \
                        'template', 'updateStrategy', 'revisionHistoryLimit', \
                        'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden";
        assert_eq!(complaints(&mut drill, &manifest), [expected], "{what}");
    }
    let renamed = drill.refused("patch sts web --type=merge -p '{\"metadata\":{\"name\":\"other\"}}'");
    let expected = "the name of the object (other) does not match the name on the URL (web)";
    assert!(renamed.contains(expected), "{renamed}");
    let moved = drill.refused("patch sts web --type=merge -p '{\"metadata\":{\"namespace\":\"other\"}}'");
    let expected = "the namespace of the provided object does not match the namespace sent on the request (other != \
                    default)";
    assert!(moved.contains(expected), "{moved}");
    assert_eq!(drill.object("sts/web")["spec"], before["spec"]);
}

#[test]
fn t_sts_149_statuses_that_are_refused() {
    let mut drill = Drill::new(&[set(1)]);
    let mut patch = |status: Value| {
        let patch = json!({"status": status}).to_string();
        drill.refused(&format!("patch sts web --subresource=status --type=merge -p '{patch}'"))
    };
    let counters = ["replicas", "readyReplicas", "currentReplicas", "updatedReplicas", "availableReplicas"];
    for field in counters.into_iter().chain(["observedGeneration", "collisionCount"]) {
        let said = patch(json!({field: -1}));
        let expected = format!("status.{field}: Invalid value: -1: {AT_LEAST_0}");
        assert!(said.contains(&expected), "{said}");
    }
    for field in counters.into_iter().skip(1) {
        let said = patch(json!({"replicas": 3, field: 4}));
        let expected = format!("status.{field}: Invalid value: 4: cannot be greater than status.replicas");
        assert!(said.contains(&expected), "{said}");
    }
    let said = patch(json!({"replicas": 3, "readyReplicas": 1, "availableReplicas": 2}));
    let expected = "status.availableReplicas: Invalid value: 2: cannot be greater than status.readyReplicas";
    assert!(said.contains(expected), "{said}");
    drill.kubectl("patch sts web --subresource=status --type=merge -p '{\"status\":{\"collisionCount\":2}}'");
    let said = drill
        .refused("patch sts web --subresource=status --type=merge -p '{\"status\":{\"collisionCount\":1}}'");
    assert!(said.contains("status.collisionCount: Invalid value: 1: cannot be decremented"), "{said}");
}

#[test]
fn t_sts_150_max_unavailable_behind_its_gate() {
    let strategy = json!({"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 2, "partition": 1}});
    let manifest = with(set(1), "/spec/updateStrategy", strategy.clone());
    let mut off = Drill::new(std::slice::from_ref(&manifest));
    let dropped = json!({"type": "RollingUpdate", "rollingUpdate": {"partition": 1}});
    assert_eq!(off.field("sts/web", "/spec/updateStrategy"), dropped);
    off.kubectl(&format!(
        "patch sts web --type=merge -p '{}'",
        json!({"spec": {"updateStrategy": strategy}})
    ));
    assert_eq!(off.field("sts/web", "/spec/updateStrategy"), dropped);
    assert_eq!(off.field("sts/web", "/metadata/generation"), json!(1), "nothing has changed");

    let spec = format!("  featureGates: {{MaxUnavailableStatefulSet: true}}\n{SPEC}");
    let mut on = Drill::on(&spec, &[manifest]);
    assert_eq!(on.field("sts/web", "/spec/updateStrategy"), strategy);
    on.apply(&set(1));
    let defaulted = json!({"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 1, "partition": 0}});
    assert_eq!(on.field("sts/web", "/spec/updateStrategy"), defaulted);
}

#[test]
fn t_sts_151_what_raises_the_generation() {
    let mut drill = Drill::new(&[set(1)]);
    let patch = |part: &str, patch: Value| format!("patch sts web {part} --type=merge -p '{patch}'");
    let conditions = json!([{"type": "Seen", "status": "True"}]);
    drill.kubectl("label sts web a=b");
    assert_eq!(drill.field("sts/web", "/metadata/generation"), json!(1));
    // The status of the request counts for nothing ...
    let both = json!({"spec": {"replicas": 2}, "status": {"replicas": 9, "conditions": conditions}});
    drill.kubectl(&patch("", both));
    let set = drill.object("sts/web");
    assert_eq!((&set["metadata"]["generation"], &set["spec"]["replicas"]), (&json!(2), &json!(2)));
    assert_eq!(set["status"]["replicas"], json!(2));
    assert_eq!(set["status"].get("conditions"), None);
    // ... and here its spec; nor does it raise the generation.
    let both = json!({"spec": {"replicas": 7}, "status": {"conditions": conditions}});
    drill.kubectl(&patch("--subresource=status", both));
    let set = drill.object("sts/web");
    assert_eq!((&set["metadata"]["generation"], &set["spec"]["replicas"]), (&json!(2), &json!(2)));
    assert_eq!(set["status"]["conditions"], conditions);
    assert_eq!(drill.names("pods"), ["web-0", "web-1"]);
}

#[test]
fn t_sts_152_the_same_claim_templates_again() {
    let mut drill = Drill::new(&[set_with_claims(1)]);
    let before = drill.object("sts/web");
    // What the server filled in does not count as a change.
    assert_ne!(before["spec"]["volumeClaimTemplates"], set_with_claims(1)["spec"]["volumeClaimTemplates"]);
    let step = format!("- kubectl: replace -f -\n  stdin: {}", json!(set_with_claims(1).to_string()));
    assert_eq!(drill.step(&step).stdout, "statefulset.apps/web replaced\n");
    let claims =
        json!({"spec": {"volumeClaimTemplates": set_with_claims(1)["spec"]["volumeClaimTemplates"]}});
    drill.kubectl(&format!("patch sts web --type=merge -p '{claims}'"));
    let after = drill.object("sts/web");
    assert_eq!(after["spec"], before["spec"]);
    assert_eq!(after["metadata"]["generation"], json!(1));
    assert!(drill.events_of("pod/").is_empty());
}
