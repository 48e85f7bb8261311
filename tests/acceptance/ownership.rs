//! Owners and dependents, and the kubectl commands that lean on them.
use crate::drill::*;
use crate::peers::*;
use serde_json::{Value, json};

fn claim(name: &str, owners: &Value) -> Value {
    json!({
        "apiVersion": "v1", "kind": "PersistentVolumeClaim",
        "metadata": {"name": name, "ownerReferences": owners},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
    })
}

fn owner(drill: &mut Drill, kind: &str, name: &str) -> Value {
    let (short, api) = match kind {
        "StatefulSet" => ("sts", "apps/v1"),
        _ => ("pvc", "v1"),
    };
    let uid = uid(drill, &format!("{short}/{name}"));
    json!({"apiVersion": api, "kind": kind, "name": name, "uid": uid})
}

#[test]
fn t_gc_001_background_foreground_orphan() {
    every(|variant| {
        let mut drill = variant.play(Peers::Sound, 2);
        drill.kubectl("delete sts web --wait=false");
        in_order(&drill.events(), &["sts/web deleted", "pod/web-0 deleting", "pod/web-0 deleted"]);
        assert_eq!(drill.names("pods"), [""; 0]);
        assert_eq!(drill.names("controllerrevisions"), [""; 0]);

        let mut drill = variant.play(Peers::Sound, 2);
        drill.kubectl("delete sts web --cascade=foreground --wait=false");
        let events = drill.events();
        in_order(
            &events,
            &["sts/web deleting", "pod/web-0 deleting", "pod/web-0 deleted", "sts/web deleted"],
        );
        in_order(
            &events,
            &["sts/web deleting", "pod/web-1 deleting", "pod/web-1 deleted", "sts/web deleted"],
        );

        let mut drill = Drill::on(STEADY, &[variant.set(2)]);
        let before = uid(&mut drill, "pod/web-0");
        drill.kubectl("delete sts web --cascade=orphan");
        assert!(drill.find("sts/web").is_none());
        assert_eq!(uid(&mut drill, "pod/web-0"), before);
        for object in drill.list("pods").iter().chain(&drill.list("controllerrevisions")) {
            assert_eq!(object["metadata"]["ownerReferences"], Value::Null, "{object}");
        }
    });
}

#[test]
fn t_gc_002_a_dependent_with_another_owner_is_kept() {
    let second = with(set(0), "/metadata/name", json!("other"));
    let mut drill = Drill::on(STEADY, &[set(0), second]);
    let owners = json!([owner(&mut drill, "StatefulSet", "web"), owner(&mut drill, "StatefulSet", "other")]);
    drill.apply(&claim("shared", &owners));
    drill.kubectl("delete sts web");
    let left = drill.field("pvc/shared", "/metadata/ownerReferences");
    assert_eq!(left.as_array().map(Vec::len), Some(1), "{left}");
    assert_eq!(left[0]["name"], "other");
    drill.kubectl("delete sts other");
    assert!(drill.find("pvc/shared").is_none());
}

#[test]
fn t_gc_003_a_dependent_of_nobody_is_deleted() {
    let mut drill = Drill::on(STEADY, &[set(0)]);
    let ghost = json!({
        "apiVersion": "apps/v1", "kind": "StatefulSet", "name": "web",
        "uid": "11111111-2222-3333-4444-555555555555",
    });
    drill.apply(&claim("orphaned", &json!([ghost])));
    assert!(drill.find("pvc/orphaned").is_none(), "an owner of that name, but not of that uid");
}

#[test]
fn t_gc_004_a_cycle_of_owners_does_not_block() {
    let mut drill = Drill::on(STEADY, &[claim("a", &json!([])), claim("b", &json!([]))]);
    for (dependent, of) in [("a", "b"), ("b", "a")] {
        let owners = json!([owner(&mut drill, "PersistentVolumeClaim", of)]);
        let patch = json!({"metadata": {"ownerReferences": owners}}).to_string();
        drill
            .step(&format!("- kubectl: {}", json!(["patch", "pvc", dependent, "--type=merge", "-p", patch])));
    }
    assert_eq!(drill.names("pvc"), ["a", "b"]);
    drill.kubectl("delete pvc a");
    assert_eq!(drill.names("pvc"), [""; 0]);
}

#[test]
fn t_gc_005_foreground_waits_only_for_blocking_dependents() {
    for blocking in [true, false] {
        let mut drill = Drill::on(STEADY, &[set(1)]);
        let mut reference = drill.field("pod/web-0", "/metadata/ownerReferences/0");
        reference["blockOwnerDeletion"] = json!(blocking);
        let metadata = json!({"ownerReferences": [reference], "finalizers": ["example.com/hold"]});
        let patch = json!({"metadata": metadata}).to_string();
        drill.step(&format!("- kubectl: {}", json!(["patch", "pod/web-0", "--type=merge", "-p", patch])));
        drill.kubectl("delete sts web --cascade=foreground --wait=false");
        assert_ne!(drill.field("pod/web-0", "/metadata/deletionTimestamp"), Value::Null);
        assert_eq!(drill.find("sts/web").is_some(), blocking);
    }
}

#[test]
fn t_gc_009_history_and_undo() {
    let mut drill = Drill::on(STEADY, &[set(2)]);
    drill.kubectl("set image sts/web web=web:v2");
    drill.kubectl("set image sts/web web=web:v3");
    let history = drill.kubectl("rollout history sts/web");
    let numbers: Vec<_> =
        history.lines().filter_map(|line| line.split_whitespace().next()?.parse::<u32>().ok()).collect();
    assert_eq!(numbers, [1, 2, 3], "{history}");
    assert!(drill.kubectl("rollout history sts/web --revision=2").contains("web:v2"));
    drill.kubectl("rollout undo sts/web --to-revision=1");
    assert_eq!(images(&mut drill), "0:v1 1:v1");
    drill.kubectl("rollout undo sts/web");
    assert_eq!(images(&mut drill), "0:v3 1:v3", "the one before");
    let refused = drill.refused("rollout undo sts/web --to-revision=77");
    assert!(refused.contains("unable to find specified revision 77 in history"), "{refused}");
    assert_eq!(images(&mut drill), "0:v3 1:v3");
}

#[test]
fn t_gc_010_scaling_is_guarded_by_the_current_size() {
    let mut drill = Drill::on(STEADY, &[set(2)]);
    let refused = drill.refused("scale sts/web --current-replicas=3 --replicas=5");
    assert!(refused.contains("Expected replicas to be 3, was 2"), "{refused}");
    assert_eq!(drill.field("sts/web", "/spec/replicas"), 2);
    drill.kubectl("scale sts/web --current-replicas=2 --replicas=3");
    assert_eq!(counters(&mut drill), [3; 5]);
}

#[test]
fn t_gc_011_a_restart_is_one_change_of_the_template() {
    let mut drill = Drill::on(STEADY, &[set(2)]);
    let before = drill.field("sts/web", "/metadata/generation").as_i64().unwrap_or(0);
    let pods = [uid(&mut drill, "pod/web-0"), uid(&mut drill, "pod/web-1")];
    drill.kubectl("rollout restart sts/web");
    assert_eq!(drill.field("sts/web", "/metadata/generation"), before + 1);
    let annotations = drill.field("sts/web", "/spec/template/metadata/annotations");
    assert!(annotations["kubectl.kubernetes.io/restartedAt"].is_string(), "{annotations}");
    assert_ne!(uid(&mut drill, "pod/web-0"), pods[0]);
    assert_ne!(uid(&mut drill, "pod/web-1"), pods[1]);
    assert_eq!(counters(&mut drill), [2; 5]);
}

#[test]
fn t_gc_012_describe_and_delete() {
    let mut drill = Drill::on(STEADY, &[set(2)]);
    let text = drill.kubectl("describe sts web");
    for wanted in
        ["Name:", "web:v1", "2 desired | 2 total", "SuccessfulCreate", "Create Pod web-1 in StatefulSet"]
    {
        assert!(text.contains(wanted), "no {wanted} in\n{text}");
    }
    drill.kubectl("delete sts web");
    assert_eq!(drill.names("pods"), [""; 0]);
    assert!(drill.find("sts/web").is_none());
}
