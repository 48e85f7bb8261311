//! StatefulSets against the API server and all controllers: status, held pods, owners of claims, ordinals.
use crate::drill::*;
use serde_json::{Value, json};

/// spec.replicas, status.replicas and status.readyReplicas.
fn replicas(drill: &mut Drill) -> (Value, Value, Value) {
    let set = drill.object("sts/web");
    let status = &set["status"];
    let ready = status.get("readyReplicas").cloned().unwrap_or_else(|| json!(0));
    (set["spec"]["replicas"].clone(), status["replicas"].clone(), ready)
}

/// The owners of an object, as `Kind/name`, sorted.
fn owners(drill: &mut Drill, object: &str) -> Vec<String> {
    let text = |owner: &Value, field: &str| owner[field].as_str().unwrap_or_default().to_owned();
    let owners = drill.field(object, "/metadata/ownerReferences");
    let mut owners: Vec<_> = owners
        .as_array()
        .into_iter()
        .flatten()
        .map(|owner| format!("{}/{}", text(owner, "kind"), text(owner, "name")))
        .collect();
    owners.sort();
    owners
}

#[test]
fn t_sts_153_status_follows_the_spec() {
    let mut drill = Drill::new(&[set(2)]);
    let mut generation = 1;
    for count in [3, 0, 2] {
        drill.kubectl(&format!("scale sts web --replicas={count}"));
        generation += 1;
        assert_eq!(replicas(&mut drill), (json!(count), json!(count), json!(count)));
        assert_eq!(drill.list("pods").len(), count);
        assert_eq!(drill.field("sts/web", "/status/observedGeneration"), json!(generation));
    }
    drill.patch("sts/web", &json!({"spec": {"template": {"metadata": {"annotations": {"a": "b"}}}}}));
    assert_eq!(drill.field("sts/web", "/metadata/generation"), json!(generation + 1));
    assert_eq!(drill.field("sts/web", "/status/observedGeneration"), json!(generation + 1));
}

#[test]
fn t_sts_154_held_and_ended_pods_are_replaced_in_their_own_time() {
    let parallel = with(set(3), "/spec/podManagementPolicy", json!("Parallel"));
    let mut drill = Drill::on(STEADY, &[parallel]);
    let uid = |drill: &mut Drill, n: u32| drill.field(&format!("pod/web-{n}"), "/metadata/uid");
    let before = [0, 1, 2].map(|n| uid(&mut drill, n));
    hold(&mut drill, "pod/web-0");
    let mut steps = String::from("- kubectl: delete pod web-0 --wait=false\n  settle: false\n");
    for (pod, phase) in [("web-1", "Failed"), ("web-2", "Succeeded")] {
        steps += &format!(
            "- kubectl: patch pod {pod} --subresource=status --type=merge -p '{{\"status\":{{\"phase\":\"{phase}\"}}}}'\n  \
             settle: false\n"
        );
    }
    drill.during("1ms", &steps);
    let phase = |drill: &mut Drill, n: u32| drill.field(&format!("pod/web-{n}"), "/status/phase");
    assert_eq!([1, 2].map(|n| phase(&mut drill, n)), ["Failed", "Succeeded"]);
    for _ in 0..40 {
        drill.during("50ms", "");
        let pods = drill.names("pods");
        assert!(pods.len() <= 3, "{pods:?}");
        assert_eq!(uid(&mut drill, 0), before[0]);
    }
    drill.step("");
    let after = [0, 1, 2].map(|n| uid(&mut drill, n));
    assert_eq!(after[0], before[0], "held");
    assert!(after[1] != before[1] && after[2] != before[2], "replaced");
    assert_eq!(drill.names("pods"), ["web-0", "web-1", "web-2"]);
    let_go(&mut drill, "pod/web-0");
    assert_ne!(uid(&mut drill, 0), before[0]);
    assert_eq!([1, 2].map(|n| uid(&mut drill, n)), [after[1].clone(), after[2].clone()]);
    assert_eq!(replicas(&mut drill), (json!(3), json!(3), json!(3)));
}

#[test]
fn t_sts_155_available_is_ready_for_long_enough() {
    let spec =
        format!("  behavior:\n  - {{pod: web-0, ready: never}}\n  - {{pod: web-1, ready: never}}\n{STEADY}");
    let patient = with(set(4), "/spec/minReadySeconds", json!(3600));
    let mut drill = Drill::on(&spec, &[with(patient, "/spec/podManagementPolicy", json!("Parallel"))]);
    drill.during("2h", "");
    drill.during("10s", "- ready: pod/web-1\n  settle: false");
    let status = drill.field("sts/web", "/status");
    for (field, expected) in [("replicas", 4), ("readyReplicas", 3), ("availableReplicas", 2)] {
        assert_eq!(status[field], json!(expected), "{field}");
    }
    // One hour later it is, and not before.
    drill.during("59m", "");
    assert_eq!(drill.field("sts/web", "/status/availableReplicas"), json!(2));
    drill.during("1m", "");
    assert_eq!(drill.field("sts/web", "/status/availableReplicas"), json!(3));
}

#[test]
fn t_sts_157_owners_of_claims_by_policy() {
    for (deleted, scaled) in
        [("Retain", "Retain"), ("Retain", "Delete"), ("Delete", "Retain"), ("Delete", "Delete")]
    {
        let policy = json!({"whenDeleted": deleted, "whenScaled": scaled});
        let manifest = with(set_with_claims(3), "/spec/persistentVolumeClaimRetentionPolicy", policy);
        for management in ["OrderedReady", "Parallel"] {
            let case = format!("{deleted} {scaled} {management}");
            let manifest = with(manifest.clone(), "/spec/podManagementPolicy", json!(management));
            let mut drill = Drill::on(STEADY, &[manifest]);
            let set: &[&str] = if deleted == "Delete" { &["StatefulSet/web"] } else { &[] };
            for n in 0..3 {
                assert_eq!(owners(&mut drill, &format!("pvc/data-web-{n}")), set, "{case}");
                // So that the end of the scale-down can be looked at.
                hold(&mut drill, &format!("pod/web-{n}"));
            }
            drill.kubectl("scale sts web --replicas=1");
            assert_eq!(owners(&mut drill, "pvc/data-web-0"), set, "{case}");
            for n in [1, 2] {
                let pod = [format!("Pod/web-{n}")];
                let found = owners(&mut drill, &format!("pvc/data-web-{n}"));
                let whole = drill.field(&format!("pvc/data-web-{n}"), "/metadata/ownerReferences/0");
                if scaled == "Delete" {
                    assert_eq!(found, pod, "{case}");
                    let uid = drill.field(&format!("pod/web-{n}"), "/metadata/uid");
                    assert_eq!(whole["uid"], uid, "{case}");
                } else {
                    assert_eq!(found, set, "{case}");
                }
            }
        }
    }
}

#[test]
fn t_sts_158_a_pod_below_the_partition_comes_back_as_it_was() {
    let strategy = json!({"type": "RollingUpdate", "rollingUpdate": {"partition": 1}});
    let mut drill = Drill::new(&[with(set(2), "/spec/updateStrategy", strategy)]);
    let image = |drill: &mut Drill, pod: &str| drill.field(pod, "/spec/containers/0/image");
    let uid = drill.field("pod/web-0", "/metadata/uid");
    hold(&mut drill, "pod/web-0");
    drill.kubectl("set image sts/web web=web:v2");
    assert_eq!(
        (image(&mut drill, "pod/web-0"), image(&mut drill, "pod/web-1")),
        (json!("web:v1"), json!("web:v2"))
    );
    let revision = drill.field("pod/web-0", "/metadata/labels/controller-revision-hash");
    drill.patch_status("pod/web-0", &json!({"phase": "Failed"}));
    drill.kubectl("delete pod web-0 --wait=false");
    assert_eq!(drill.field("pod/web-0", "/metadata/uid"), uid);
    let_go(&mut drill, "pod/web-0");
    assert_ne!(drill.field("pod/web-0", "/metadata/uid"), uid);
    assert_eq!(
        (image(&mut drill, "pod/web-0"), image(&mut drill, "pod/web-1")),
        (json!("web:v1"), json!("web:v2"))
    );
    assert_eq!(drill.field("pod/web-0", "/metadata/labels/controller-revision-hash"), revision);
    assert_eq!(replicas(&mut drill), (json!(2), json!(2), json!(2)));
}

#[test]
fn t_sts_159_ordinals_from_start() {
    for (ordinals, count, expected) in [
        (None, 3, ["web-0", "web-1", "web-2"].as_slice()),
        (Some(json!({})), 3, &["web-0", "web-1", "web-2"]),
        (Some(json!({"start": 4})), 4, &["web-4", "web-5", "web-6", "web-7"]),
        (Some(json!({"start": 2})), 7, &["web-2", "web-3", "web-4", "web-5", "web-6", "web-7", "web-8"]),
    ] {
        let manifest = match &ordinals {
            Some(ordinals) => with(set(count), "/spec/ordinals", ordinals.clone()),
            None => set(count),
        };
        let mut drill = Drill::on(STEADY, &[manifest]);
        assert_eq!(drill.names("pods"), expected, "{ordinals:?}");
        for name in expected {
            let labels = drill.field(&format!("pod/{name}"), "/metadata/labels");
            let index = name.trim_start_matches("web-");
            assert_eq!(labels["apps.kubernetes.io/pod-index"], index, "{ordinals:?}");
            assert_eq!(labels["statefulset.kubernetes.io/pod-name"], *name, "{ordinals:?}");
        }
        drill.kubectl("scale sts web --replicas=1");
        assert_eq!(drill.names("pods"), expected[..1], "{ordinals:?}");
    }
}

#[test]
fn t_sts_160_subdomain_is_the_service_name() {
    let mut drill = Drill::new(&[with(set(2), "/spec/serviceName", json!("front"))]);
    for n in 0..2 {
        let pod = drill.object(&format!("pod/web-{n}"));
        assert_eq!(pod["spec"]["subdomain"], "front");
        assert_eq!(pod["spec"]["hostname"], json!(format!("web-{n}")));
    }
}
