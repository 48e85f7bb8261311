//! The StatefulSet controller among the others: what it waits for, whom it adopts and lets go, what its pods and claims
//! carry, and when it writes.
use crate::drill::*;
use serde_json::{Value, json};
use stsim::world::Actor;

fn status(drill: &mut Drill) -> [Value; 3] {
    let status = drill.field("sts/web", "/status");
    ["replicas", "readyReplicas", "updatedReplicas"]
        .map(|field| status.get(field).cloned().unwrap_or(json!(0)))
}

/// The controller of an object, by uid.
fn controller(drill: &mut Drill, object: &str) -> Value {
    let owners = drill.field(object, "/metadata/ownerReferences");
    let found = owners.as_array().into_iter().flatten().find(|owner| owner["controller"] == json!(true));
    found.map_or(Value::Null, |owner| owner["uid"].clone())
}

/// A pod that nobody owns.
fn bare(name: &str, app: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "labels": {"app": app}},
        "spec": {"containers": [{"name": "web", "image": "web:v1"}]},
    })
}

#[test]
fn t_sts_085_086_up_and_down() {
    let mut drill = Drill::new(&[set(0)]);
    drill.kubectl("scale sts web --replicas=3");
    assert_eq!(status(&mut drill), [json!(3), json!(3), json!(3)]);
    drill.kubectl("scale sts web --replicas=0");
    assert_eq!(status(&mut drill), [json!(0), json!(0), json!(0)]);
    assert!(drill.names("pods").is_empty());
}

#[test]
fn t_sts_087_pods_on_their_way_out_are_respected() {
    let mut drill = Drill::new(&[set(5)]);
    for pod in ["pod/web-3", "pod/web-4"] {
        hold(&mut drill, pod);
    }
    drill.step(
        "- kubectl: scale sts web --replicas=3\n- kubectl: delete pod web-3 web-4 --wait=false\n  settle: false",
    );
    assert_eq!(drill.list("pods").len(), 5, "all five are there");
    assert_eq!(status(&mut drill)[0], json!(5));
    let deleted =
        drill.messages("sts/web").iter().filter(|said| said.contains(" SuccessfulDelete: ")).count();
    drill.kubectl("annotate sts web look=again");
    let again = drill.messages("sts/web").iter().filter(|said| said.contains(" SuccessfulDelete: ")).count();
    assert_eq!(deleted, again, "nobody deletes them once more");
    for pod in ["pod/web-4", "pod/web-3"] {
        let_go(&mut drill, pod);
    }
    assert_eq!(drill.names("pods"), ["web-0", "web-1", "web-2"]);
    drill.kubectl("scale sts web --replicas=0");
    assert!(drill.names("pods").is_empty());
    assert_eq!(status(&mut drill)[0], json!(0));
}

#[test]
fn t_sts_088_a_terminating_pod_blocks_scaling() {
    let mut drill = Drill::new(&[set(3)]);
    let old = uid(&mut drill, "pod/web-0");
    hold(&mut drill, "pod/web-0");
    drill.step(
        "- kubectl: delete pod web-0 --wait=false\n- kubectl: scale sts web --replicas=5\n  settle: false",
    );
    drill.sleep("10m");
    assert_eq!(drill.names("pods"), ["web-0", "web-1", "web-2"]);
    assert_eq!(uid(&mut drill, "pod/web-0"), old);
    let_go(&mut drill, "pod/web-0");
    assert_ne!(uid(&mut drill, "pod/web-0"), old);
    in_order(
        &drill.events(),
        &[
            "pod/web-0 deleted",
            "pod/web-0 created",
            "pod/web-0 ready",
            "pod/web-3 created",
            "pod/web-4 created",
        ],
    );
    assert_eq!(status(&mut drill), [json!(5), json!(5), json!(5)]);
}

#[test]
fn t_sts_089_a_set_that_is_going_creates_nothing() {
    for policy in ["OrderedReady", "Parallel"] {
        let mut drill = Drill::new(&[with(set(2), "/spec/podManagementPolicy", json!(policy))]);
        hold(&mut drill, "sts/web");
        drill.kubectl("delete sts web --wait=false");
        assert_ne!(drill.field("sts/web", "/metadata/deletionTimestamp"), Value::Null);
        drill.kubectl("delete pod web-0 web-1");
        drill.kubectl("patch sts web --type=merge -p '{\"spec\":{\"replicas\":4}}'");
        drill.sleep("10m");
        assert!(drill.names("pods").is_empty(), "{policy}");
        assert_eq!(status(&mut drill)[0], json!(0), "{policy}: its status is kept");
    }
}

/// The controller learns only from the lists it makes when it starts that a pod is gone.
#[test]
fn t_sts_102_a_deletion_that_nobody_watched() {
    let mut drill = Drill::new(&[set(2)]);
    let before = uid(&mut drill, "pod/web-0");
    drill.step("- stop: kube-controller-manager\n- kubectl: delete pod web-0\n- sleep: 1m");
    assert_eq!(drill.names("pods"), ["web-1"]);
    drill.step("- start: kube-controller-manager");
    assert_eq!(drill.names("pods"), ["web-0", "web-1"]);
    assert_ne!(uid(&mut drill, "pod/web-0"), before);
    assert_eq!(status(&mut drill), [json!(2), json!(2), json!(2)]);
}

#[test]
fn t_sts_104_only_orphans_that_fit_are_adopted() {
    // Nothing is replaced: what is adopted shows.
    let on_delete = with(set(1), "/spec/updateStrategy", json!({"type": "OnDelete"}));
    let mut drill = Drill::new(&[bare("web-0", "web"), bare("web-7", "db"), bare("other-0", "web")]);
    let before = uid(&mut drill, "pod/web-0");
    drill.apply(&on_delete);
    let set = uid(&mut drill, "sts/web");
    assert_eq!(controller(&mut drill, "pod/web-0"), set);
    assert_eq!(controller(&mut drill, "pod/web-7"), Value::Null);
    assert_eq!(controller(&mut drill, "pod/other-0"), Value::Null);
    assert_eq!(drill.names("pods"), ["other-0", "web-0", "web-7"]);
    assert_eq!(uid(&mut drill, "pod/web-0"), before);
    assert_eq!(status(&mut drill), [json!(1), json!(1), json!(0)], "the one that is its own now counts");
    let owner = drill.field("pod/web-0", "/metadata/ownerReferences");
    let expected = json!([{
        "apiVersion": "apps/v1", "kind": "StatefulSet", "name": "web", "uid": set, "controller": true,
        "blockOwnerDeletion": true,
    }]);
    assert_eq!(owner, expected);
}

#[test]
fn t_sts_105_orphaned_revisions_are_adopted() {
    let mut drill = Drill::new(&[set(1)]);
    let set = uid(&mut drill, "sts/web");
    let revisions = drill.names("controllerrevisions");
    let name = format!("controllerrevision/{}", revisions[0]);
    drill.patch(&name, &json!({"metadata": {"ownerReferences": null}}));
    // Another one, with labels that the set does not select.
    let mut other = drill.object(&name);
    other["metadata"] = json!({"name": "web-other", "labels": {"app": "db"}});
    drill.apply(&other);
    drill.kubectl("annotate sts web look=again");
    assert_eq!(controller(&mut drill, &name), set);
    assert_eq!(controller(&mut drill, "controllerrevision/web-other"), Value::Null);
    assert_eq!(drill.names("controllerrevisions").len(), 2, "none was made");
}

#[test]
fn t_sts_106_pods_that_do_not_fit_any_more_are_released() {
    let mut drill = Drill::new(&[set(2)]);
    let set = uid(&mut drill, "sts/web");
    let owner = json!([{
        "apiVersion": "apps/v1", "kind": "StatefulSet", "name": "web", "uid": set, "controller": true,
    }]);
    drill.apply(&with(bare("misnamed-1", "web"), "/metadata/ownerReferences", owner));
    assert_eq!(
        controller(&mut drill, "pod/misnamed-1"),
        Value::Null,
        "its name is not that of a pod of the set"
    );
    drill.apply(&bare("stranger", "db"));
    let pod = uid(&mut drill, "pod/web-1");
    drill.during("10s", "- kubectl: label pod web-1 app=db --overwrite\n  settle: false");
    assert_eq!(controller(&mut drill, "pod/web-1"), Value::Null, "its labels are not those of the selector");
    assert_eq!(uid(&mut drill, "pod/web-1"), pod, "it lives on");
    assert_eq!(controller(&mut drill, "pod/web-0"), set);
    assert_eq!(status(&mut drill)[0], json!(1));
    // Its name is taken; once that is free the set has its pod again (STS-87).
    drill.step("- kubectl: delete pod web-1\n  settle: false\n- sleep: 1m");
    assert_ne!(uid(&mut drill, "pod/web-1"), pod);
    assert_eq!(status(&mut drill), [json!(2), json!(2), json!(2)]);
    let world = &drill.cluster().world;
    let touched = world.recorder.writes().iter().filter(|write| write.actor == Actor::StatefulSetController);
    let touched: Vec<_> = touched.map(|write| world.store.name_of(write.name)).collect();
    assert!(touched.contains(&"misnamed-1".to_owned()) && !touched.contains(&"stranger".to_owned()));
}

#[test]
fn t_sts_115_identity_is_restored() {
    let mut drill = Drill::new(&[set(2)]);
    let before = drill.object("pod/web-1");
    for labels in [
        json!({"statefulset.kubernetes.io/pod-name": null, "apps.kubernetes.io/pod-index": null}),
        json!({"statefulset.kubernetes.io/pod-name": "web-0", "apps.kubernetes.io/pod-index": "0"}),
    ] {
        drill.patch("pod/web-1", &json!({"metadata": {"labels": labels}}));
        let after = drill.object("pod/web-1");
        assert_eq!(after["metadata"]["labels"], before["metadata"]["labels"], "{labels}");
        assert_eq!(after["metadata"]["uid"], before["metadata"]["uid"], "{labels}");
        assert_eq!(after["metadata"]["namespace"], "default");
    }
    let labels = &before["metadata"]["labels"];
    assert_eq!(labels["statefulset.kubernetes.io/pod-name"], "web-1");
    assert_eq!(labels["apps.kubernetes.io/pod-index"], "1");
    let said = "Normal SuccessfulUpdate: Update Pod web-1 in StatefulSet web successful".to_owned();
    assert!(drill.messages("sts/web").contains(&said));
}

/// A template's volume of a claim's name gives way to the claim; all others stay.
#[test]
fn t_sts_116_volumes_of_claims_and_others() {
    let volumes = json!([
        {"name": "data", "emptyDir": {}},
        {"name": "scratch", "emptyDir": {}},
        {"name": "shared", "persistentVolumeClaim": {"claimName": "shared"}},
    ]);
    let claim = json!({
        "apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "shared"},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
    });
    let one = "  cluster:\n    nodes:\n    - {name: node-a, zone: zone-a}\n";
    let mut drill =
        Drill::on(one, &[claim, with(set_with_claims(2), "/spec/template/spec/volumes", volumes.clone())]);
    for n in 0..2 {
        let expected = json!([
            {"name": "data", "persistentVolumeClaim": {"claimName": format!("data-web-{n}")}},
            volumes[1],
            volumes[2],
        ]);
        assert_eq!(drill.field(&format!("pod/web-{n}"), "/spec/volumes"), expected);
        assert_eq!(drill.field(&format!("pod/web-{n}"), "/status/phase"), "Running");
    }
}

#[test]
fn t_sts_117_everything_is_retained_unless_said_otherwise() {
    for policy in [Value::Null, json!({}), json!({"whenDeleted": null}), json!({"whenScaled": "Retain"})] {
        let manifest = with(set_with_claims(2), "/spec/persistentVolumeClaimRetentionPolicy", policy.clone());
        let mut drill = Drill::on(STEADY, &[manifest]);
        let retain = json!({"whenDeleted": "Retain", "whenScaled": "Retain"});
        assert_eq!(drill.field("sts/web", "/spec/persistentVolumeClaimRetentionPolicy"), retain, "{policy}");
        drill.kubectl("scale sts web --replicas=1");
        drill.kubectl("delete sts web");
        assert_eq!(drill.names("pvc"), ["data-web-0", "data-web-1"], "{policy}");
        for claim in ["pvc/data-web-0", "pvc/data-web-1"] {
            assert_eq!(drill.field(claim, "/metadata/ownerReferences"), Value::Null, "{policy}");
        }
    }
}

#[test]
fn t_sts_128_what_a_new_pod_says_of_its_owner() {
    let mut drill = Drill::new(&[set(2)]);
    let set = uid(&mut drill, "sts/web");
    let expected = json!([{
        "apiVersion": "apps/v1", "kind": "StatefulSet", "name": "web", "uid": set, "controller": true,
        "blockOwnerDeletion": true,
    }]);
    for pod in ["pod/web-0", "pod/web-1"] {
        assert_eq!(drill.field(pod, "/metadata/ownerReferences"), expected);
    }
    let revision = drill.names("controllerrevisions");
    let owners = drill.field(&format!("controllerrevision/{}", revision[0]), "/metadata/ownerReferences");
    assert_eq!(owners, expected);
}

/// An environment that changes is that of each pod's revision.
#[test]
fn t_sts_130_both_revisions_restore_their_templates() {
    let environment = |value: &str| json!([{"name": "COLOUR", "value": value}]);
    let strategy = json!({"type": "RollingUpdate", "rollingUpdate": {"partition": 1}});
    let manifest = with(set(2), "/spec/updateStrategy", strategy);
    let manifest = with(manifest, "/spec/template/spec/containers/0/env", environment("blue"));
    let mut drill = Drill::new(std::slice::from_ref(&manifest));
    let before = drill.object("pod/web-0")["spec"]["containers"].clone();
    drill.apply(&with(manifest, "/spec/template/spec/containers/0/env", environment("green")));
    drill.kubectl("delete pod web-0 web-1");
    assert_eq!(drill.object("pod/web-0")["spec"]["containers"], before);
    let after = drill.object("pod/web-1")["spec"]["containers"].clone();
    assert_eq!(after[0]["env"], environment("green"));
    assert_eq!(with(after, "/0/env", environment("blue")), before, "and nothing else differs");
}

#[test]
fn t_sts_131_labels_of_claims() {
    let labels = json!({"app": "overridden", "tier": "storage"});
    let manifest = with(set_with_claims(1), "/spec/volumeClaimTemplates/0/metadata/labels", labels);
    let annotations = json!({"note": "kept"});
    let manifest = with(manifest, "/spec/volumeClaimTemplates/0/metadata/annotations", annotations);
    let mut drill = Drill::new(&[manifest]);
    let claim = drill.object("pvc/data-web-0");
    assert_eq!(claim["metadata"]["labels"], json!({"app": "web", "tier": "storage"}));
    assert_eq!(claim["metadata"]["annotations"]["note"], "kept");
}

#[test]
fn t_sts_136_a_status_that_would_say_the_same_is_not_written() {
    let mut drill = Drill::on(STEADY, &[set(2)]);
    let before = drill.object("sts/web");
    let by_controller = |drill: &Drill| {
        let writes = drill.cluster().world.recorder.writes();
        writes.iter().filter(|write| write.actor == Actor::StatefulSetController).count()
    };
    let writes = by_controller(&drill);
    assert!(writes > 0);
    // It looks, time and again, and has nothing to say.
    for n in 0..3 {
        drill.kubectl(&format!("annotate sts web look={n} --overwrite"));
        drill.kubectl(&format!("annotate pod web-0 look={n} --overwrite"));
    }
    drill.sleep("1h");
    assert_eq!(by_controller(&drill), writes);
    let after = drill.object("sts/web");
    assert_eq!(after["status"], before["status"]);
    assert_eq!(after["metadata"]["generation"], before["metadata"]["generation"]);
    // A new generation is worth a write even if nothing else is.
    drill.patch("sts/web", &json!({"spec": {"revisionHistoryLimit": 3}}));
    assert_eq!(by_controller(&drill), writes + 1);
    assert_eq!(drill.field("sts/web", "/status/observedGeneration"), json!(2));
}
