//! What the StatefulSet controller writes about one pod and its claims, and which Events it leaves.
use crate::drill::*;
use crate::peers::*;
use serde_json::{Value, json};

const CREATED_CLAIM: &str =
    "Normal SuccessfulCreate: Create Claim data-web-0 Pod web-0 in StatefulSet web success";
const CREATED_POD: &str = "Normal SuccessfulCreate: Create Pod web-0 in StatefulSet web successful";
const UPDATED_POD: &str = "Normal SuccessfulUpdate: Update Pod web-0 in StatefulSet web successful";

fn apply(manifest: &Value) -> String {
    format!("- apply: {}", json!(manifest.to_string()))
}

fn patch(drill: &mut Drill, object: &str, patch: &Value) {
    drill.step(&format!("- kubectl: {}", json!(["patch", object, "--type=merge", "-p", patch.to_string()])));
}

fn with_retention(set: Value, deleted: &str, scaled: &str) -> Value {
    let policy = json!({"whenDeleted": deleted, "whenScaled": scaled});
    with(set, "/spec/persistentVolumeClaimRetentionPolicy", policy)
}

/// The owners of an object: `StatefulSet/web`.
fn owners(drill: &mut Drill, object: &str) -> Vec<String> {
    let owners = drill.field(object, "/metadata/ownerReferences");
    let text = |owner: &Value, field: &str| owner[field].as_str().unwrap_or_default().to_owned();
    let all = owners.as_array().cloned().unwrap_or_default();
    all.iter().map(|owner| format!("{}/{}", text(owner, "kind"), text(owner, "name"))).collect()
}

fn sorted(mut texts: Vec<String>) -> Vec<String> {
    texts.sort();
    texts
}

#[test]
fn t_sts_063_creates_a_pod_and_its_claim() {
    every(|variant| {
        let mut drill = variant.play(Peers::Sound, 1);
        assert_eq!(sorted(drill.messages("sts/web")), [CREATED_CLAIM, CREATED_POD]);
        in_order(&drill.events(), &["pvc/data-web-0 created", "pod/web-0 created"]);
    });
}

#[test]
fn t_sts_064_the_pod_is_there_already() {
    every(|variant| {
        let foreign = json!({
            "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "web-0", "labels": {"app": "other"}},
            "spec": {"containers": [{"name": "other", "image": "other:v1"}]},
        });
        let claim = json!({
            "apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "data-web-0"},
            "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "2Gi"}}},
        });
        let mut drill = Drill::on(STEADY, &[foreign, claim]);
        let before = drill.object("pvc/data-web-0");
        drill.during("10s", &apply(&variant.set(2)));
        assert_eq!(drill.messages("sts/web"), [""; 0], "no Event about a name that is taken");
        assert_eq!(drill.object("pvc/data-web-0"), before);
        assert_eq!(drill.names("pods"), ["web-0"]);
        assert_eq!(owners(&mut drill, "pod/web-0"), [""; 0]);
        assert_eq!(counters(&mut drill), [0; 5]);
        // It is an error, which is tried again: it ends when the name is free.
        drill.kubectl("delete pod web-0");
        drill.kubectl("annotate sts/web look=again");
        assert_eq!(counters(&mut drill), [2; 5]);
        assert_eq!(owners(&mut drill, "pod/web-0"), ["StatefulSet/web"]);
    });
}

#[test]
fn t_sts_066_a_claim_that_is_being_deleted_stops_its_pod() {
    every(|variant| {
        let mut drill = variant.play(Peers::Sound, 1);
        let claim = uid(&mut drill, "pvc/data-web-0");
        let finalizers = json!(["kubernetes.io/pvc-protection", "example.com/hold"]);
        patch(&mut drill, "pvc/data-web-0", &json!({"metadata": {"finalizers": finalizers}}));
        drill.kubectl("delete pvc data-web-0 --wait=false");
        drill.kubectl("delete pod web-0");
        assert_eq!(drill.names("pods"), [""; 0]);
        let warnings: Vec<_> =
            drill.messages("sts/web").into_iter().filter(|m| m.starts_with("Warning")).collect();
        let text = "Warning FailedCreate: Create Pod web-0 in StatefulSet web failed error: \
                    pvc data-web-0 is being deleted";
        assert_eq!(warnings, [text]);
        patch(&mut drill, "pvc/data-web-0", &json!({"metadata": {"finalizers": null}}));
        drill.kubectl("annotate sts/web look=again");
        assert_eq!(drill.names("pods"), ["web-0"]);
        assert_ne!(uid(&mut drill, "pvc/data-web-0"), claim);
    });
}

/// A pod that the API server refuses: its revision label would be longer than 63 (STS-5).
#[test]
fn t_sts_068_a_refused_pod_leaves_its_claim() {
    let name = "a".repeat(60);
    let mut drill = Drill::on(STEADY, &[]);
    let set = with(set_with_claims(1), "/metadata/name", json!(name));
    drill.apply(&set);
    assert_eq!(drill.names("pods"), [""; 0]);
    let claim = format!("data-{name}-0");
    assert_eq!(drill.names("pvc"), [claim.as_str()]);
    let messages = drill.messages(&format!("sts/{name}"));
    let created =
        format!("Normal SuccessfulCreate: Create Claim {claim} Pod {name}-0 in StatefulSet {name} success");
    let refused =
        format!("Warning FailedCreate: Create Pod {name}-0 in StatefulSet {name} failed error: Pod ");
    assert_eq!(count(&messages, &created), 1, "{messages:?}");
    assert_eq!(count(&messages, &refused), 1, "{messages:?}");
    assert_eq!(messages.len(), 2, "{messages:?}");
}

#[test]
fn t_sts_069_nothing_to_do_is_nothing_written() {
    every(|variant| {
        let mut drill = variant.play(Peers::InOrder, 3);
        let (writes, messages) = (controller_writes(&drill), drill.messages("sts/web"));
        // Syncs of a new version of the set, of a changed pod, and of everything.
        drill.kubectl("annotate sts/web look=again");
        drill.kubectl("annotate pod/web-1 look=again");
        drill.step("- restart: kube-controller-manager");
        assert_eq!(controller_writes(&drill), writes);
        assert_eq!(drill.messages("sts/web"), messages);
    });
}

#[test]
fn t_sts_070_repairs_the_identity_of_a_pod() {
    every(|variant| {
        let mut drill = Drill::on(STEADY, &[variant.set(1)]);
        let before = (uid(&mut drill, "pod/web-0"), controller_writes(&drill).len());
        drill.kubectl("label pod web-0 statefulset.kubernetes.io/pod-name=web-7 --overwrite");
        let labels = drill.field("pod/web-0", "/metadata/labels");
        assert_eq!(labels["statefulset.kubernetes.io/pod-name"], "web-0");
        assert_eq!(labels["apps.kubernetes.io/pod-index"], "0");
        assert_eq!(uid(&mut drill, "pod/web-0"), before.0);
        assert_eq!(controller_writes(&drill)[before.1..], ["Updated Pod web-0"]);
        assert_eq!(sorted(drill.messages("sts/web")), [CREATED_CLAIM, CREATED_POD, UPDATED_POD]);
    });
}

/// A set made anew with one more claim template: the claim is made; the API server keeps the pod as it is (STS-25).
#[test]
fn t_sts_072_a_volume_that_a_pod_lacks() {
    every(|variant| {
        let mut drill = Drill::on(STEADY, &[variant.set(1)]);
        let before = uid(&mut drill, "pod/web-0");
        drill.kubectl("delete sts web --cascade=orphan");
        let mut second = variant.set(1)["spec"]["volumeClaimTemplates"][0].clone();
        second["metadata"]["name"] = json!("logs");
        let first = variant.set(1)["spec"]["volumeClaimTemplates"][0].clone();
        let again = with(variant.set(1), "/spec/volumeClaimTemplates", json!([first, second]));
        drill.during("10s", &apply(&again));
        assert_eq!(drill.names("pvc"), ["data-web-0", "logs-web-0"]);
        assert_eq!(uid(&mut drill, "pod/web-0"), before);
        let messages = drill.messages("sts/web");
        let created = "Normal SuccessfulCreate: Create Claim logs-web-0 Pod web-0 in StatefulSet web success";
        assert_eq!(count(&messages, created), 1, "{messages:?}");
        let refused = "Warning FailedUpdate: Update Pod web-0 in StatefulSet web failed error: Pod \"web-0\" is \
                       invalid: spec: Forbidden: pod updates may not change fields other than ";
        assert_eq!(count(&messages, refused), 1, "{messages:?}");
    });
}

#[test]
fn t_sts_075_tells_of_a_deletion() {
    every(|variant| {
        let mut drill = variant.play(Peers::InOrder, 2);
        drill.kubectl("scale sts/web --replicas=1");
        let messages = drill.messages("sts/web");
        assert_eq!(
            count(&messages, "Normal SuccessfulDelete: Delete Pod web-1 in StatefulSet web successful"),
            1,
            "{messages:?}"
        );
        assert_eq!(count(&messages, "Normal SuccessfulDelete"), 1, "{messages:?}");
        assert_eq!(count(&messages, "Warning FailedDelete"), 0, "{messages:?}");
    });
}

/// The controller's caches still show a pod that somebody has removed: the delete finds nothing, which is as good.
#[test]
fn t_sts_076_deletes_a_pod_that_is_gone() {
    every(|variant| {
        let mut drill = variant.play(Peers::Sound, 2);
        let writes = controller_writes(&drill).len();
        drill.step(
            "- lag: kube-controller-manager\n  by: 2s\n\
             - kubectl: scale sts/web --replicas=1\n  settle: false\n\
             - kubectl: delete pod web-1 --force --grace-period=0 --wait=false\n  after: 100ms",
        );
        let new = controller_writes(&drill).split_off(writes);
        assert!(new.iter().all(|write| !write.ends_with(" Pod web-1")), "{new:?}");
        let messages = drill.messages("sts/web");
        assert_eq!(
            count(&messages, "Normal SuccessfulDelete: Delete Pod web-1 in StatefulSet web successful"),
            1,
            "{messages:?}"
        );
        assert_eq!(count(&messages, "Warning FailedDelete"), 0, "{messages:?}");
        assert_eq!(counters(&mut drill), [1; 5]);
    });
}

#[test]
fn t_sts_079_a_claim_that_somebody_else_controls_is_left_alone() {
    for policy in ["OrderedReady", "Parallel"] {
        let variant = Variant { policy, retention: None };
        let boss = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "boss"}});
        let mut drill = Drill::on(STEADY, &[boss, variant.set(2)]);
        let foreign = json!([{
            "apiVersion": "v1", "kind": "ConfigMap", "name": "boss", "uid": uid(&mut drill, "configmap/boss"),
            "controller": true,
        }]);
        patch(&mut drill, "pvc/data-web-1", &json!({"metadata": {"ownerReferences": foreign}}));
        drill.apply(&with_retention(variant.set(2), "Delete", "Retain"));
        assert_eq!(owners(&mut drill, "pvc/data-web-0"), ["StatefulSet/web"]);
        assert_eq!(drill.field("pvc/data-web-0", "/metadata/ownerReferences/0/controller"), true);
        assert_eq!(owners(&mut drill, "pvc/data-web-1"), ["ConfigMap/boss"]);
        assert_eq!(count(&drill.messages("sts/web"), "Warning"), 0, "there is nothing to change about it");
    }
}

#[test]
fn t_sts_081_082_owners_follow_the_policy() {
    every(|variant| {
        let mut drill = Drill::on(STEADY, &[with_retention(variant.set(1), "Delete", "Retain")]);
        assert_eq!(owners(&mut drill, "pvc/data-web-0"), ["StatefulSet/web"]);
        assert_eq!(sorted(drill.messages("sts/web")), [CREATED_CLAIM, CREATED_POD]);
        // 081: the reference goes, and one Event says so.
        drill.apply(&with_retention(variant.set(1), "Retain", "Retain"));
        assert_eq!(owners(&mut drill, "pvc/data-web-0"), [""; 0]);
        assert_eq!(sorted(drill.messages("sts/web")), [CREATED_CLAIM, CREATED_POD, UPDATED_POD]);

        // 082: the reference comes.
        let mut drill = Drill::on(STEADY, &[with_retention(variant.set(1), "Retain", "Retain")]);
        let writes = controller_writes(&drill).len();
        drill.apply(&with_retention(variant.set(1), "Delete", "Retain"));
        assert_eq!(owners(&mut drill, "pvc/data-web-0"), ["StatefulSet/web"]);
        assert_eq!(sorted(drill.messages("sts/web")), [CREATED_CLAIM, CREATED_POD, UPDATED_POD]);
        let new = controller_writes(&drill).split_off(writes);
        assert_eq!(count(&new, "Updated PersistentVolumeClaim data-web-0"), 1, "{new:?}");
    });
}

#[test]
fn t_sts_083_owners_follow_the_policy_once_the_claim_is_there() {
    for policy in ["OrderedReady", "Parallel"] {
        let variant = Variant { policy, retention: None };
        let mut drill = Drill::on(STEADY, &[variant.set(1)]);
        drill.kubectl("delete pvc data-web-0 --wait=false");
        patch(&mut drill, "pvc/data-web-0", &json!({"metadata": {"finalizers": null}}));
        assert_eq!(drill.names("pvc"), [""; 0]);
        drill.apply(&with_retention(variant.set(1), "Delete", "Retain"));
        assert_eq!(sorted(drill.messages("sts/web")), [CREATED_CLAIM, CREATED_POD], "no error, no update");
        let claim = json!({
            "apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "data-web-0"},
            "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
        });
        drill.apply(&claim);
        assert_eq!(owners(&mut drill, "pvc/data-web-0"), [""; 0], "claims wake no set");
        drill.kubectl("annotate sts/web look=again");
        assert_eq!(owners(&mut drill, "pvc/data-web-0"), ["StatefulSet/web"]);
        assert_eq!(sorted(drill.messages("sts/web")), [CREATED_CLAIM, CREATED_POD, UPDATED_POD]);
    }
}
