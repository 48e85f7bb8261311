//! Owners and dependents, revisions, and the kubectl commands that go with them.
use crate::deployment::deployment;
use crate::drill::*;
use crate::endpoints::pod;
use serde_json::{Value, json};

/// A reference to a pod as an owner.
fn owner(name: &str, uid: &Value, blocks: bool) -> Value {
    json!({"apiVersion": "v1", "kind": "Pod", "name": name, "uid": uid, "blockOwnerDeletion": blocks})
}

fn owned(name: &str, owners: &[Value]) -> Value {
    with(pod(name), "/metadata/ownerReferences", json!(owners))
}

const KEEP: &str = "example.com/keep";

#[test]
fn t_gc_001_background_foreground_orphan() {
    let positions = |drill: &Drill, first: &str, second: &str| {
        let events = drill.events();
        let at = |text: &str| events.iter().position(|event| event.starts_with(text)).expect("an event");
        (at(first), at(second))
    };
    let mut drill = Drill::on(STEADY, &[deployment(2)]);
    drill.kubectl("delete deploy web --cascade=background");
    assert_eq!((drill.names("rs").len(), drill.names("pods").len()), (0, 0));
    let (owner, dependent) = positions(&drill, "deploy/web deleted", "rs/web-rs-1 deleted");
    assert!(owner < dependent);
    let (owner, dependent) = positions(&drill, "rs/web-rs-1 deleted", "pod/web-rs-1-#1 deleting");
    assert!(owner < dependent);

    let mut drill = Drill::on(STEADY, &[deployment(2)]);
    drill.kubectl("delete deploy web --cascade=foreground");
    assert_eq!((drill.names("rs").len(), drill.names("pods").len()), (0, 0));
    let (owner, dependent) = positions(&drill, "deploy/web deleted", "rs/web-rs-1 deleted");
    assert!(dependent < owner);
    let (owner, dependent) = positions(&drill, "rs/web-rs-1 deleted", "pod/web-rs-1-#1 deleted");
    assert!(dependent < owner);

    let mut drill = Drill::on(STEADY, &[deployment(2)]);
    let (replica_set, pods) = (drill.names("rs").remove(0), drill.list("pods"));
    drill.kubectl("delete deploy web --cascade=orphan");
    assert_eq!(drill.field(&format!("rs/{replica_set}"), "/metadata/ownerReferences"), Value::Null);
    assert_eq!(drill.list("pods"), pods, "a step further down nothing has changed");
    let mut drill = Drill::on(STEADY, &[set(2)]);
    drill.kubectl("delete sts web --cascade=orphan");
    for name in ["web-0", "web-1"] {
        let object = drill.object(&format!("pod/{name}"));
        assert_eq!(
            (&object["metadata"]["ownerReferences"], &object["metadata"]["deletionTimestamp"]),
            (&Value::Null, &Value::Null)
        );
    }
}

#[test]
fn t_gc_002_003_owners_that_are_there_and_not() {
    let mut drill = Drill::on(STEADY, &[pod("first"), pod("second")]);
    let (first, second) = (uid(&mut drill, "pod/first"), uid(&mut drill, "pod/second"));
    // Never existed; existed under this name with another uid; one of two is there.
    for (name, owners, stays) in [
        ("stray", vec![owner("nobody", &json!("00000000-0000-4000-8000-000000000000"), false)], false),
        ("mistaken", vec![owner("first", &second, false)], false),
        ("child", vec![owner("first", &first, false), owner("second", &second, false)], true),
        ("half", vec![owner("first", &first, false), owner("nobody", &json!("x"), false)], true),
    ] {
        drill.apply(&owned(name, &owners));
        assert_eq!(drill.find(&format!("pod/{name}")).is_some(), stays, "{name}");
    }
    drill.kubectl("delete pod second");
    let left = drill.field("pod/child", "/metadata/ownerReferences");
    assert_eq!(
        (left.as_array().map(Vec::len), &left[0]["uid"]),
        (Some(1), &first),
        "the other one's reference is gone"
    );
    drill.kubectl("delete pod first");
    assert_eq!(drill.names("pods"), [""; 0]);
}

#[test]
fn t_gc_004_cycles_do_not_block() {
    for cascade in ["background", "foreground"] {
        let mut drill = Drill::on(STEADY, &[pod("a"), pod("b"), pod("c")]);
        for (name, of) in [("a", "c"), ("b", "a"), ("c", "b")] {
            let reference = owner(of, &uid(&mut drill, &format!("pod/{of}")), true);
            drill.patch(&format!("pod/{name}"), &json!({"metadata": {"ownerReferences": [reference]}}));
        }
        drill.kubectl(&format!("delete pod a --cascade={cascade} --wait=false"));
        drill.sleep("120s");
        assert_eq!(drill.names("pods"), [""; 0], "{cascade}");
    }
}

#[test]
fn t_gc_005_foreground_deletion_waits_for_blocking_dependents_only() {
    for (blocks, waits) in [(true, true), (false, false)] {
        let mut drill = Drill::on(STEADY, &[pod("owner")]);
        let reference = owner("owner", &uid(&mut drill, "pod/owner"), blocks);
        // The dependent cannot go.
        drill.apply(&with(owned("child", &[reference]), "/metadata/finalizers", json!([KEEP])));
        drill.kubectl("delete pod owner --cascade=foreground --wait=false");
        drill.sleep("60s");
        assert_eq!(drill.find("pod/owner").is_some(), waits, "blockOwnerDeletion {blocks}");
        assert!(drill.field("pod/child", "/metadata/deletionTimestamp").is_string());
        let_go(&mut drill, "pod/child");
        assert_eq!(drill.names("pods"), [""; 0]);
    }
}

#[test]
fn t_gc_006_a_finalizer_is_not_added_again_by_a_second_delete() {
    let mut drill = Drill::on(STEADY, &[with(pod("a"), "/metadata/finalizers", json!([KEEP]))]);
    drill.kubectl("delete pod a --cascade=foreground --wait=false");
    drill.sleep("60s");
    // The collector has taken off what the first delete put on.
    assert_eq!(drill.field("pod/a", "/metadata/finalizers"), json!([KEEP]));
    drill.kubectl("delete pod a --cascade=foreground --wait=false");
    assert_eq!(drill.field("pod/a", "/metadata/finalizers"), json!([KEEP]));
    let_go(&mut drill, "pod/a");
    assert!(drill.find("pod/a").is_none());
}

#[test]
fn t_gc_007_a_revision_of_that_name_is_there_already() {
    let mut drill = Drill::on(STEADY, &[set(1)]);
    let revision = drill.list("controllerrevisions").remove(0);
    let name = revision["metadata"]["name"].clone();
    let taken = |data: Value| {
        json!({
            "apiVersion": "apps/v1", "kind": "ControllerRevision", "revision": 1,
            "metadata": {"name": name, "labels": {"app": "other"}}, "data": data,
        })
    };
    // Something else has it: another hash, another name.
    let mut drill = Drill::on(STEADY, &[taken(json!({"spec": {"template": {"spec": {"x": 1}}}})), set(1)]);
    assert_eq!(drill.field("sts/web", "/status/collisionCount"), 1);
    let current = drill.field("sts/web", "/status/currentRevision");
    assert_ne!(current, name);
    assert_eq!(drill.names("controllerrevisions").len(), 2);
    assert_eq!(drill.field("sts/web", "/status/readyReplicas"), 1);
}

#[test]
fn t_gc_009_rollout_history_and_undo() {
    let mut drill = Drill::on(STEADY, &[set(2)]);
    for image in ["web:v2", "web:v3"] {
        drill.kubectl(&format!("set image sts/web web={image}"));
    }
    let history = drill.kubectl("rollout history sts/web");
    assert_eq!(
        history,
        "statefulset.apps/web \nREVISION  CHANGE-CAUSE\n1         <none>\n2         <none>\n3         <none>\n\n"
    );
    let second = drill.kubectl("rollout history sts/web --revision=2");
    assert!(second.starts_with("statefulset.apps/web with revision #2\nPod Template:\n"), "{second}");
    assert!(second.contains("Image:\tweb:v2\n"), "{second}");
    let image = |drill: &mut Drill| {
        let spec = drill.field("sts/web", "/spec/template/spec/containers/0/image");
        for pod in drill.list("pods") {
            assert_eq!(pod["spec"]["containers"][0]["image"], spec);
        }
        spec
    };
    assert_eq!(drill.kubectl("rollout undo sts/web --to-revision=1"), "statefulset.apps/web rolled back\n");
    assert_eq!(image(&mut drill), "web:v1");
    // The one before that.
    drill.kubectl("rollout undo sts/web");
    assert_eq!(image(&mut drill), "web:v3");
    let stderr = drill.refused("rollout undo sts/web --to-revision=1000000");
    assert_eq!(stderr, "error: unable to find specified revision 1000000 in history\n");
    assert_eq!(image(&mut drill), "web:v3");
    let numbers: Vec<_> = drill.list("controllerrevisions").iter().map(|r| r["revision"].as_i64()).collect();
    assert_eq!(numbers.len(), 3, "each was used again: {numbers:?}");
}

#[test]
fn t_gc_010_scale_is_guarded_by_the_current_size() {
    let mut drill = Drill::on(STEADY, &[set(2)]);
    let stderr = drill.refused("scale sts/web --current-replicas=3 --replicas=1");
    assert_eq!(stderr, "error: Expected replicas to be 3, was 2\n");
    assert_eq!((drill.names("pods").len(), drill.field("sts/web", "/spec/replicas")), (2, json!(2)));
    drill.kubectl("scale sts/web --current-replicas=2 --replicas=1");
    assert_eq!(drill.names("pods"), ["web-0"]);
}

#[test]
fn t_gc_011_rollout_restart_is_one_change() {
    let mut drill = Drill::on(STEADY, &[set(2)]);
    let before: Vec<_> = drill.list("pods").iter().map(|pod| pod["metadata"]["uid"].clone()).collect();
    assert_eq!(drill.field("sts/web", "/metadata/generation"), 1);
    assert_eq!(drill.kubectl("rollout restart sts/web"), "statefulset.apps/web restarted\n");
    assert_eq!(drill.field("sts/web", "/metadata/generation"), 2);
    let annotations = drill.field("sts/web", "/spec/template/metadata/annotations");
    assert!(annotations["kubectl.kubernetes.io/restartedAt"].is_string(), "{annotations}");
    let after: Vec<_> = drill.list("pods").iter().map(|pod| pod["metadata"]["uid"].clone()).collect();
    assert!(after.len() == 2 && after.iter().all(|uid| !before.contains(uid)), "every pod is new");
}

#[test]
fn t_gc_012_delete_and_describe() {
    let mut drill = Drill::on(STEADY, &[set(2)]);
    let described = drill.kubectl("describe sts web");
    for line in [
        "Name:               web\n",
        "Replicas:           2 desired | 2 total\n",
        "Pods Status:        2 Running / 0 Waiting / 0 Succeeded / 0 Failed\n",
    ] {
        assert!(described.contains(line), "{described}");
    }
    assert!(described.contains("Create Pod web-1 in StatefulSet web successful"), "{described}");
    let deleted = drill.kubectl("delete sts web");
    assert_eq!(deleted, "statefulset.apps \"web\" deleted\n");
    for kind in ["sts", "pods", "controllerrevisions"] {
        assert_eq!(drill.names(kind), [""; 0], "{kind}");
    }
}
