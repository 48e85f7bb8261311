//! Attaching and detaching, binding, protection, reclaiming, scheduling with volumes.
use crate::drill::*;
use serde_json::{Value, json};

/// A claim of 1Gi of this class; empty: the default one.
fn claim(name: &str, class: &str, mode: &str) -> Value {
    let claim = json!({
        "apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": name},
        "spec": {"accessModes": [mode], "resources": {"requests": {"storage": "1Gi"}}},
    });
    if class.is_empty() { claim } else { with(claim, "/spec/storageClassName", json!(class)) }
}

fn data() -> Value {
    claim("data", "", "ReadWriteOnce")
}

/// A pod that uses these claims; on this node if one is given.
fn user(name: &str, node: &str, claims: &[&str]) -> Value {
    let volumes: Vec<Value> = claims
        .iter()
        .map(|claim| json!({"name": claim, "persistentVolumeClaim": {"claimName": claim}}))
        .collect();
    let pod = json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "labels": {"app": "web"}},
        "spec": {"containers": [{"name": "web", "image": "web:v1"}], "volumes": volumes},
    });
    if node.is_empty() {
        pod
    } else {
        with(pod, "/spec/nodeSelector", json!({"kubernetes.io/hostname": node}))
    }
}

/// Two nodes in one zone, one in another.
fn cluster() -> String {
    STEADY.replace("{name: node-b, zone: zone-b}", "{name: node-b, zone: zone-a}")
}

/// Nodes that volumes are attached to, sorted.
fn attached(drill: &mut Drill) -> Vec<String> {
    let node = |va: &Value| va["spec"]["nodeName"].as_str().unwrap_or("").to_owned();
    let mut nodes: Vec<_> = drill
        .list("volumeattachments")
        .iter()
        .filter(|va| va["status"]["attached"] == true)
        .map(node)
        .collect();
    nodes.sort();
    nodes
}

/// Why a pod is not scheduled.
fn unschedulable(drill: &mut Drill, pod: &str) -> String {
    let messages = drill.messages(&format!("pod/{pod}"));
    let found = messages.iter().rev().find_map(|text| text.strip_prefix("Warning FailedScheduling: "));
    found.unwrap_or("").to_owned()
}

#[test]
fn t_vol_001_002_003_one_attach_and_one_detach() {
    let mut drill = Drill::on(&cluster(), &[data()]);
    assert_eq!(drill.events_of("va/"), [""; 0], "nobody wants it");
    drill.apply(&user("a", "node-a", &["data"]));
    assert_eq!(drill.events_of("va/"), ["va/data created", "va/data attached"]);
    assert_eq!(attached(&mut drill), ["node-a"]);
    drill.kubectl("delete pod a");
    assert_eq!(drill.events_of("va/"), ["va/data deleting", "va/data deleted"]);
    in_order(&drill.events(), &["pod/a deleting", "va/data deleting", "va/data deleted"]);
    drill.sleep("600s");
    assert_eq!(drill.events_of("va/"), [""; 0]);
}

#[test]
fn t_vol_007_014_a_disk_is_on_one_node_only() {
    let mut drill = Drill::on(&cluster(), &[data(), user("a", "node-a", &["data"])]);
    drill.apply(&user("b", "node-b", &["data"]));
    drill.sleep("60s");
    assert_eq!(attached(&mut drill), ["node-a"]);
    assert_eq!(drill.field("pod/b", "/status/phase"), "Pending");
    let volume = drill.field("pvc/data", "/spec/volumeName");
    let told: Vec<_> =
        drill.messages("pod/b").into_iter().filter(|text| text.contains("FailedAttachVolume")).collect();
    let text = format!(
        "Warning FailedAttachVolume: Multi-Attach error for volume {volume} Volume is already used by pod(s) a"
    );
    assert_eq!(told, [text]);
    let event = drill.list("events").into_iter().find(|event| event["reason"] == "FailedAttachVolume");
    assert_eq!(event.expect("told")["count"], 1, "once");
    drill.kubectl("delete pod a");
    let events = drill.events_of("va/");
    assert_eq!(events, ["va/data deleting", "va/data deleted", "va/data created", "va/data attached"]);
    assert_eq!(
        (attached(&mut drill), drill.field("pod/b", "/status/phase")),
        (vec!["node-b".into()], json!("Running"))
    );
}

#[test]
fn t_vol_010_011_012_018_019_when_a_mounted_disk_is_detached() {
    // A healthy node, or one that is back in time: never. A dead one: six minutes after the pod object went.
    let mut drill = Drill::on(&cluster(), &[data(), user("a", "node-a", &["data"])]);
    drill.sleep("900s");
    assert_eq!(drill.events_of("va/"), [""; 0]);
    drill.during("60s", "- crash: node/node-a");
    drill.during("5s", "- kubectl: delete pod a --force --grace-period=0\n  settle: false");
    drill.during(
        "340s",
        &format!("- apply: {}\n  settle: false", json!(user("b", "node-b", &["data"]).to_string())),
    );
    assert_eq!(attached(&mut drill), ["node-a"]);
    drill.during("30s", "");
    assert_eq!(
        (attached(&mut drill), drill.field("pod/b", "/status/phase")),
        (vec!["node-b".into()], json!("Running"))
    );
    // Out of service: at once, for a whole set; and the node can be used again without the taint.
    let mut drill = Drill::on(&cluster(), &[]);
    drill.kubectl("cordon node-b");
    drill.apply(&with(
        set_with_claims(1),
        "/spec/template/spec/nodeSelector",
        json!({"topology.kubernetes.io/zone": "zone-a"}),
    ));
    drill.kubectl("uncordon node-b");
    assert_eq!(attached(&mut drill), ["node-a"]);
    drill.during("70s", "- crash: node/node-a");
    drill.during("50s", "- kubectl: taint node node-a node.kubernetes.io/out-of-service=nodeshutdown:NoExecute\n  settle: false");
    in_order(
        &drill.events(),
        &["pod/web-0 deleted", "va/data-web-0 deleting", "va/data-web-0 deleted", "va/data-web-0 attached"],
    );
    assert_eq!(attached(&mut drill), ["node-b"]);
    assert_eq!(drill.field("sts/web", "/status/readyReplicas"), 1);
    drill.during("300s", "- recover: node/node-a\n  settle: false");
    drill.kubectl("taint node node-a node.kubernetes.io/out-of-service:NoExecute-");
    drill.kubectl("drain node-b --ignore-daemonsets");
    assert_eq!(
        (attached(&mut drill), drill.field("pod/web-0", "/spec/nodeName")),
        (vec!["node-a".into()], json!("node-a"))
    );
}

#[test]
fn t_vol_015_a_restart_of_the_controllers_detaches_nothing_in_use() {
    let mut drill = Drill::on(&cluster(), &[data(), user("a", "node-a", &["data"])]);
    drill.step("- restart: kube-controller-manager");
    drill.sleep("900s");
    assert_eq!((drill.events_of("va/"), attached(&mut drill)), (vec![], vec!["node-a".to_owned()]));
    // A pod that went meanwhile is noticed afterwards.
    drill.step("- stop: kube-controller-manager\n- kubectl: delete pod a");
    assert_eq!(attached(&mut drill), ["node-a"]);
    drill.step("- start: kube-controller-manager");
    drill.sleep("1s");
    assert_eq!(attached(&mut drill), [""; 0]);
}

#[test]
fn t_vol_017_034_a_claim_that_waits_for_its_first_pod() {
    let mut drill = Drill::on(&cluster(), &[data()]);
    drill.sleep("60s");
    assert_eq!((drill.names("pv").len(), drill.field("pvc/data", "/status/phase")), (0, json!("Pending")));
    drill.apply(&user("a", "node-c", &["data"]));
    in_order(&drill.events(), &["pvc/data bound", "va/data created", "va/data attached", "pod/a running"]);
    let terms = drill.list("pv").remove(0)["spec"]["nodeAffinity"].to_string();
    assert!(terms.contains("zone-c"), "{terms}");
}

#[test]
fn t_vol_022_023_024_025_claims_in_use_are_protected() {
    let mut drill =
        Drill::on(&cluster(), &[data(), user("a", "node-a", &["data"]), claim("spare", "", "ReadWriteOnce")]);
    drill.kubectl("delete pvc spare");
    assert!(drill.find("pvc/spare").is_none());
    drill.kubectl("delete pvc data --wait=false");
    drill.sleep("60s");
    let object = drill.object("pvc/data");
    assert!(object["metadata"]["deletionTimestamp"].is_string());
    assert_eq!(object["metadata"]["finalizers"], json!(["kubernetes.io/pvc-protection"]));
    // Nobody new may use it.
    drill.apply(&user("late", "", &["data"]));
    let message = unschedulable(&mut drill, "late");
    assert!(message.contains("persistentvolumeclaim \"data\" is being deleted"), "{message}");
    drill.kubectl("delete pod a");
    assert!(
        drill.find("pvc/data").is_none(),
        "the last that used it is gone; one that waits for a node does not count"
    );
    let message = unschedulable(&mut drill, "late");
    assert!(message.contains("persistentvolumeclaim \"data\" not found"), "{message}");
}

#[test]
fn t_vol_031_032_reclaim_policies() {
    // Policy of the volume after it was made => what is left once the claim is deleted.
    for (policy, left) in [("Delete", None), ("Retain", Some("Released"))] {
        let mut drill = Drill::on(&cluster(), &[data(), user("a", "node-a", &["data"])]);
        let volume = drill.names("pv").remove(0);
        let given = drill.field(&format!("pv/{volume}"), "/spec/persistentVolumeReclaimPolicy");
        for other in ["Retain", "Delete", policy] {
            drill.patch(&format!("pv/{volume}"), &json!({"spec": {"persistentVolumeReclaimPolicy": other}}));
        }
        assert_eq!(given, "Delete", "as its class says");
        drill.kubectl("delete pod a");
        drill.kubectl("delete pvc data");
        let phase = drill.find(&format!("pv/{volume}")).map(|pv| pv["status"]["phase"].clone());
        assert_eq!(phase, left.map(Value::from), "{policy}");
    }
}

#[test]
fn t_vol_035_037_volumes_bind_pods_to_zones() {
    // Immediate: the volume is somewhere before the pod is.
    let mut drill = Drill::on(&cluster(), &[claim("data", "ebs-immediate", "ReadWriteOnce")]);
    assert_eq!(drill.field("pvc/data", "/status/phase"), "Bound");
    let zone = drill.list("pv").remove(0)["spec"]["nodeAffinity"].to_string();
    let elsewhere = if zone.contains("zone-a") { "node-c" } else { "node-a" };
    drill.apply(&user("a", elsewhere, &["data"]));
    let message = unschedulable(&mut drill, "a");
    assert!(message.starts_with("0/3 nodes are available: "), "{message}");
    assert!(message.contains("node(s) didn't match PersistentVolume's node affinity"), "{message}");
    assert_eq!(drill.field("pod/a", "/status/phase"), "Pending");
}

#[test]
fn t_vol_038_a_node_takes_only_so_many_volumes() {
    let spec = cluster().replace("{name: node-a, zone: zone-a}", "{name: node-a, zone: zone-a, volumes: 2}");
    let mut drill = Drill::on(&spec, &[]);
    for n in 0..3 {
        let name = format!("data-{n}");
        drill.apply(&claim(&name, "", "ReadWriteOnce"));
        drill.apply(&user(&format!("p{n}"), "node-a", &[&name]));
    }
    for (pod, phase) in [("p0", "Running"), ("p1", "Running"), ("p2", "Pending")] {
        assert_eq!(drill.field(&format!("pod/{pod}"), "/status/phase"), phase, "{pod}");
    }
    let message = unschedulable(&mut drill, "p2");
    assert!(message.contains("node(s) exceed max volume count"), "{message}");
    drill.kubectl("delete pod p0");
    assert_eq!(drill.field("pod/p2", "/status/phase"), "Running");
}

#[test]
fn t_vol_040_read_write_once_pod() {
    let urgent = json!({
        "apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass", "metadata": {"name": "urgent"}, "value": 100,
    });
    let once = claim("data", "", "ReadWriteOncePod");
    let mut drill = Drill::on(
        &cluster(),
        &[urgent, once, user("a", "node-a", &["data"]), user("b", "node-a", &["data"])],
    );
    assert_eq!(
        (drill.field("pod/a", "/status/phase"), drill.field("pod/b", "/status/phase")),
        (json!("Running"), json!("Pending"))
    );
    let message = unschedulable(&mut drill, "b");
    let text = "1 node(s) unavailable due to PersistentVolumeClaim with ReadWriteOncePod access mode already in-use by \
                another pod";
    assert!(message.contains(text), "{message}");
    drill.kubectl("delete pod b");
    drill.apply(&with(user("c", "node-a", &["data"]), "/spec/priorityClassName", json!("urgent")));
    assert!(drill.find("pod/a").is_none(), "preempted");
    assert_eq!(drill.field("pod/c", "/status/phase"), "Running");
}

#[test]
fn t_vol_043_claims_get_a_default_class_that_comes_later() {
    let mut drill = Drill::on(&cluster(), &[]);
    let is_default = "storageclass.kubernetes.io/is-default-class";
    let default = |class: &Value| class["metadata"]["annotations"][is_default] == "true";
    let class = drill.list("sc").into_iter().find(default).expect("a default class");
    let name = class["metadata"]["name"].as_str().expect("a name").to_owned();
    drill.kubectl(&format!("annotate sc {name} {is_default}=false --overwrite"));
    drill.apply(&data());
    drill.apply(&with(claim("none", "", "ReadWriteOnce"), "/spec/storageClassName", json!("")));
    assert_eq!(drill.field("pvc/data", "/spec/storageClassName"), Value::Null);
    drill.kubectl(&format!("annotate sc {name} {is_default}=true --overwrite"));
    drill.sleep("60s");
    assert_eq!(drill.field("pvc/data", "/spec/storageClassName"), name);
    assert_eq!(drill.field("pvc/none", "/spec/storageClassName"), "", "it asked for none");
}

#[test]
fn t_vol_030_claims_and_volumes_that_lose_each_other() {
    let mut drill = Drill::on(&cluster(), &[data(), user("a", "node-a", &["data"])]);
    drill.kubectl("delete pod a");
    let volume = format!("pv/{}", drill.names("pv").remove(0));
    drill.kubectl(&format!("delete {volume} --wait=false"));
    drill.sleep("60s");
    assert!(drill.field(&volume, "/metadata/deletionTimestamp").is_string(), "it is bound, and stays");
    let_go(&mut drill, &volume);
    drill.sleep("60s");
    assert!(drill.find(&volume).is_none());
    assert_eq!(drill.field("pvc/data", "/status/phase"), "Lost");
    // A claim of the same name is not the same claim.
    let mut drill = Drill::on(&cluster(), &[data(), user("a", "node-a", &["data"])]);
    let volume = format!("pv/{}", drill.names("pv").remove(0));
    drill.patch(&volume, &json!({"spec": {"persistentVolumeReclaimPolicy": "Retain"}}));
    drill.kubectl("delete pod a");
    drill.kubectl("delete pvc data");
    drill.apply(&data());
    drill.apply(&user("b", "node-a", &["data"]));
    assert_eq!(drill.field(&volume, "/status/phase"), "Released");
    let other = format!("pv/{}", drill.field("pvc/data", "/spec/volumeName").as_str().expect("bound"));
    assert_ne!(other, volume);
    assert_eq!(drill.field(&other, "/status/phase"), "Bound");
    assert_eq!(drill.field("pod/b", "/status/phase"), "Running");
}

#[test]
fn t_vol_036_topologies_that_the_pod_cannot_reach() {
    let class = json!({
        "apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "metadata": {"name": "there"},
        "provisioner": "ebs.csi.aws.com", "volumeBindingMode": "WaitForFirstConsumer",
        "allowedTopologies": [{"matchLabelExpressions": [{"key": "topology.kubernetes.io/zone", "values": ["zone-c"]}]}],
    });
    let mut drill = Drill::on(
        &cluster(),
        &[class, claim("data", "there", "ReadWriteOnce"), user("a", "node-a", &["data"])],
    );
    let message = unschedulable(&mut drill, "a");
    assert!(message.contains("node(s) didn't find available persistent volumes to bind"), "{message}");
    assert_eq!((drill.names("pv").len(), drill.field("pod/a", "/status/phase")), (0, json!("Pending")));
    drill.apply(&user("b", "", &["data"]));
    assert_eq!(drill.field("pod/b", "/spec/nodeName"), "node-c");
}
