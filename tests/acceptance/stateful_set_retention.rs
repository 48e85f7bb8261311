//! Claims and their owners under the retention policies (STS-26 to STS-34), with orphans, strangers and left-overs.
use crate::drill::*;
use serde_json::{Value, json};

const HOLD: &str = "example.com/hold";
const POLICIES: [(&str, &str); 4] =
    [("Retain", "Retain"), ("Retain", "Delete"), ("Delete", "Retain"), ("Delete", "Delete")];

fn retaining(replicas: i64, deleted: &str, scaled: &str) -> Value {
    let policy = json!({"whenDeleted": deleted, "whenScaled": scaled});
    with(set_with_claims(replicas), "/spec/persistentVolumeClaimRetentionPolicy", policy)
}

/// The owners of an object: `Kind/name`, and `(plain)` behind those that do not control it.
fn owners(drill: &mut Drill, object: &str) -> Vec<String> {
    let owners = drill.field(object, "/metadata/ownerReferences");
    let text = |owner: &Value, field: &str| owner[field].as_str().unwrap_or_default().to_owned();
    let shown = |owner: &Value| {
        let plain = if owner["controller"] == json!(true) { "" } else { " (plain)" };
        format!("{}/{}{plain}", text(owner, "kind"), text(owner, "name"))
    };
    owners.as_array().into_iter().flatten().map(shown).collect()
}

fn own(drill: &mut Drill, object: &str, owners: &[Value]) {
    drill.patch(object, &json!({"metadata": {"ownerReferences": owners}}));
}

fn reference(kind: &str, name: &str, uid: &Value, controller: bool) -> Value {
    let version = if kind == "Pod" { "v1" } else { "apps/v1" };
    json!({"apiVersion": version, "kind": kind, "name": name, "uid": uid, "controller": controller})
}

/// Any write makes the set look again.
fn touch(drill: &mut Drill) {
    let now = drill.cluster().world.now().as_nanos();
    drill.kubectl(&format!("annotate sts web touched={now} --overwrite"));
}

/// A set `keeper` without pods, as the owner of other people's claims.
fn keeper() -> Value {
    let keeper = with(set(0), "/metadata/name", json!("keeper"));
    let keeper = with(keeper, "/spec/selector/matchLabels", json!({"app": "keeper"}));
    with(keeper, "/spec/template/metadata/labels", json!({"app": "keeper"}))
}

#[test]
fn t_sts_107_claims_of_orphaned_and_misnamed_pods() {
    for (deleted, scaled) in POLICIES {
        let case = format!("{deleted} {scaled}");
        let mut drill = Drill::on(STEADY, &[retaining(2, deleted, scaled)]);
        let set = reference("StatefulSet", "web", &uid(&mut drill, "sts/web"), true);
        // Owned by the set, and not called like one of its pods; with a claim like one of its claims.
        let claim = json!({
            "apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "data-xweb-2"},
            "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
        });
        let misnamed = json!({
            "apiVersion": "v1", "kind": "Pod",
            "metadata": {"name": "xweb-2", "labels": {"app": "web"}, "ownerReferences": [set]},
            "spec": {
                "containers": [{"name": "web", "image": "web:v1"}],
                "volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": "data-xweb-2"}}],
            },
        });
        drill.apply(&claim);
        drill.apply(&misnamed);
        assert!(owners(&mut drill, "pod/xweb-2").is_empty(), "{case}: released");
        own(&mut drill, "pod/web-1", &[]);
        assert_eq!(owners(&mut drill, "pod/web-1"), ["StatefulSet/web"], "{case}: adopted again");
        let expected: &[&str] = if deleted == "Delete" { &["StatefulSet/web"] } else { &[] };
        for n in [0, 1] {
            assert_eq!(owners(&mut drill, &format!("pvc/data-web-{n}")), expected, "{case}");
            hold(&mut drill, &format!("pod/web-{n}"));
        }
        drill.kubectl("scale sts web --replicas=0");
        for n in [0, 1] {
            let pod = format!("Pod/web-{n}");
            let condemned = if scaled == "Delete" { vec![pod.as_str()] } else { expected.to_vec() };
            assert_eq!(owners(&mut drill, &format!("pvc/data-web-{n}")), condemned, "{case}");
        }
        assert!(owners(&mut drill, "pvc/data-xweb-2").is_empty(), "{case}");
        for n in [1, 0] {
            let_go(&mut drill, &format!("pod/web-{n}"));
        }
        let left: &[&str] = if scaled == "Delete" { &[] } else { &["data-web-0", "data-web-1"] };
        assert_eq!(drill.names("pvc"), [left, &["data-xweb-2"]].concat(), "{case}");
        assert_eq!(drill.names("pods"), ["xweb-2"], "{case}");
    }
}

#[test]
fn t_sts_108_a_claim_that_still_names_the_old_pod_holds_up_scaling() {
    for deleted in ["Retain", "Delete"] {
        let mut drill = Drill::on(STEADY, &[retaining(3, deleted, "Delete")]);
        let old = uid(&mut drill, "pod/web-2");
        hold(&mut drill, "pvc/data-web-2");
        drill.kubectl("scale sts web --replicas=2");
        assert_eq!(drill.names("pods"), ["web-0", "web-1"]);
        assert_eq!(owners(&mut drill, "pvc/data-web-2"), ["Pod/web-2"]);
        drill.kubectl("scale sts web --replicas=3");
        drill.sleep("10m");
        touch(&mut drill);
        assert_eq!(drill.names("pods"), ["web-0", "web-1"], "{deleted}");
        assert_eq!(drill.field("sts/web", "/status/replicas"), json!(2));
        assert_eq!(drill.field("pvc/data-web-2", "/metadata/ownerReferences/0/uid"), old, "untouched");
        // It is held up by the name of the old pod, which is no error, and before anybody asks if the claim is going.
        let failed = drill.messages("sts/web").into_iter().find(|said| said.contains("FailedCreate"));
        assert_eq!(failed, None);
        let claim = uid(&mut drill, "pvc/data-web-2");
        let_go(&mut drill, "pvc/data-web-2");
        // Nothing tells the set that the claim is gone (STS-32).
        touch(&mut drill);
        assert_eq!(drill.names("pods"), ["web-0", "web-1", "web-2"], "{deleted}");
        assert_eq!(drill.field("sts/web", "/status/readyReplicas"), json!(3));
        assert_ne!(uid(&mut drill, "pvc/data-web-2"), claim);
    }
}

#[test]
fn t_sts_179_claims_go_with_their_set() {
    for (deleted, expected) in
        [("Delete", [].as_slice()), ("Retain", &["data-web-0", "data-web-1", "data-web-2"])]
    {
        let mut drill = Drill::on(STEADY, &[retaining(3, deleted, "Retain")]);
        drill.kubectl("delete sts web");
        assert!(drill.names("pods").is_empty());
        assert_eq!(drill.names("pvc"), expected, "{deleted}");
        // A disk can only be deleted once it is detached; the provisioner tries again in its own time.
        drill.sleep("1m");
        assert_eq!(drill.list("pv").len(), expected.len(), "{deleted}");
    }
}

#[test]
fn t_sts_179_claims_go_with_a_scale_down() {
    let mut drill = Drill::on(STEADY, &[retaining(3, "Retain", "Delete"), keeper()]);
    let stranger = reference("StatefulSet", "keeper", &uid(&mut drill, "sts/keeper"), true);
    own(&mut drill, "pvc/data-web-2", &[stranger]);
    hold(&mut drill, "pod/web-2");
    drill.kubectl("scale sts web --replicas=1");
    assert_eq!(
        owners(&mut drill, "pvc/data-web-2"),
        ["StatefulSet/keeper"],
        "its pod is not put beside that"
    );
    assert_eq!(owners(&mut drill, "pvc/data-web-1"), ["Pod/web-1"]);
    let_go(&mut drill, "pod/web-2");
    assert_eq!(drill.names("pvc"), ["data-web-0", "data-web-2"], "that of web-2 is somebody else's");
    assert_eq!(owners(&mut drill, "pvc/data-web-2"), ["StatefulSet/keeper"]);
    let said = drill.messages("sts/web");
    let conflict = "Warning ConflictingController: PersistentVolumeClaim data-web-2 has a conflicting OwnerReference \
                    that acts as a manging controller, the retention policy is ignored for this claim";
    assert!(!said.contains(&conflict.to_owned()), "nothing of ours on it, nothing to be said: {said:?}");
    own(&mut drill, "pvc/data-web-2", &[]);
    drill.kubectl("scale sts web --replicas=3");
    assert_eq!(drill.names("pvc"), ["data-web-0", "data-web-1", "data-web-2"]);
    drill.kubectl("scale sts web --replicas=2");
    assert_eq!(drill.names("pvc"), ["data-web-0", "data-web-1"], "reclaimed");
    drill.kubectl("delete sts web");
    assert_eq!(drill.names("pvc"), ["data-web-0", "data-web-1"], "only a scale-down deletes");
}

#[test]
fn t_sts_179_after_a_pod_was_orphaned_and_adopted() {
    for (deleted, scaled) in [("Delete", "Retain"), ("Retain", "Delete")] {
        let mut drill = Drill::on(STEADY, &[retaining(3, deleted, scaled)]);
        own(&mut drill, "pod/web-2", &[]);
        assert_eq!(owners(&mut drill, "pod/web-2"), ["StatefulSet/web"]);
        if deleted == "Delete" {
            drill.kubectl("delete sts web");
            assert!(drill.names("pvc").is_empty());
        } else {
            drill.kubectl("scale sts web --replicas=2");
            assert_eq!(drill.names("pvc"), ["data-web-0", "data-web-1"]);
        }
    }
}

#[test]
fn t_sts_179_an_owner_that_does_not_control_keeps_a_claim() {
    let mut drill = Drill::on(STEADY, &[retaining(2, "Delete", "Delete"), keeper()]);
    let stranger = reference("StatefulSet", "keeper", &uid(&mut drill, "sts/keeper"), false);
    own(&mut drill, "pvc/data-web-0", &[stranger]);
    touch(&mut drill);
    let expected = ["StatefulSet/keeper (plain)", "StatefulSet/web"];
    assert_eq!(owners(&mut drill, "pvc/data-web-0"), expected, "the set comes after it");
    drill.kubectl("delete sts web");
    assert_eq!(drill.names("pvc"), ["data-web-0"]);
    assert_eq!(owners(&mut drill, "pvc/data-web-0"), ["StatefulSet/keeper (plain)"]);
}

#[test]
fn t_sts_179_an_owner_of_another_life_is_left_alone() {
    let mut drill = Drill::on(STEADY, &[retaining(1, "Delete", "Delete")]);
    let before = reference("StatefulSet", "web", &json!("00000000-0000-4000-8000-000000000000"), true);
    drill.patch(
        "pvc/data-web-0",
        &json!({"metadata": {
            "ownerReferences": [before], "finalizers": [HOLD],
        }}),
    );
    touch(&mut drill);
    assert_eq!(owners(&mut drill, "pvc/data-web-0"), ["StatefulSet/web"], "not joined by the set");
    let set = uid(&mut drill, "sts/web");
    assert_ne!(drill.field("pvc/data-web-0", "/metadata/ownerReferences/0/uid"), set, "nor made its own");
    // The garbage collector finds no such owner; what is held stays.
    assert_ne!(drill.field("pvc/data-web-0", "/metadata/deletionTimestamp"), Value::Null);
    assert_eq!(drill.field("sts/web", "/status/readyReplicas"), json!(1));
    assert_eq!(drill.names("pvc"), ["data-web-0"]);
}

#[test]
fn t_sts_179_a_reference_that_does_not_control_is_repaired() {
    let mut drill = Drill::on(STEADY, &[retaining(2, "Delete", "Retain")]);
    let set = reference("StatefulSet", "web", &uid(&mut drill, "sts/web"), false);
    own(&mut drill, "pvc/data-web-1", &[set]);
    touch(&mut drill);
    assert_eq!(owners(&mut drill, "pvc/data-web-1"), ["StatefulSet/web"]);
    drill.kubectl("delete sts web");
    assert!(drill.names("pvc").is_empty());
}
