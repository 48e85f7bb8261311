//! The ReplicaSet controller: which pods come and which go.
use crate::deployment::{deployment, is_ready};
use crate::drill::*;
use serde_json::{Value, json};
use stsim::api::kind::Kind;
use stsim::api::store::Verb;

/// A ReplicaSet `web` of this many pods with label `app: web`.
fn replica_set(replicas: i64) -> Value {
    with(with(deployment(replicas), "/kind", json!("ReplicaSet")), "/metadata", json!({"name": "web"}))
}

/// A pod that matches it, with this image, on this node.
fn pod(name: &str, image: &str, node: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "labels": {"app": "web"}},
        "spec": {
            "nodeSelector": {"kubernetes.io/hostname": node},
            "containers": [{"name": "web", "image": image}],
        },
    })
}

fn cost(pod: Value, cost: i64) -> Value {
    with(
        pod,
        "/metadata/annotations",
        json!({"controller.kubernetes.io/pod-deletion-cost": cost.to_string()}),
    )
}

const BEHAVIOR: &str = "  behavior:
  - {image: 'web:pending', start: never}
  - {image: 'web:unready', ready: never}
  - {image: 'web:slow', stop: 1h}
";

fn cluster() -> String {
    format!("{STEADY}{BEHAVIOR}")
}

fn status(drill: &mut Drill, counter: &str) -> i64 {
    drill.field("rs/web", &format!("/status/{counter}")).as_i64().unwrap_or(0)
}

/// Each pair differs in the criterion named, and the later criteria would choose the other one.
#[test]
fn t_dep_033_victims_of_a_scale_down() {
    let wait = || Value::Null;
    let table = [
        ("unassigned", vec![pod("gone", "web:v1", "nowhere"), wait(), pod("kept", "web:pending", "node-a")]),
        ("pending", vec![pod("gone", "web:pending", "node-a"), wait(), pod("kept", "web:unready", "node-b")]),
        (
            "not ready",
            vec![
                cost(pod("gone", "web:unready", "node-a"), 100),
                wait(),
                cost(pod("kept", "web:v1", "node-b"), -5),
            ],
        ),
        (
            "cheaper",
            vec![
                cost(pod("gone", "web:v1", "node-a"), -1),
                wait(),
                pod("kept-1", "web:v1", "node-b"),
                pod("kept-2", "web:v1", "node-b"),
            ],
        ),
        (
            "on a crowded node",
            vec![
                pod("kept-1", "web:v1", "node-a"),
                wait(),
                pod("gone", "web:v1", "node-a"),
                wait(),
                pod("kept-2", "web:v1", "node-b"),
            ],
        ),
        (
            // Only the ReplicaSets of a Deployment count neighbours: here the youngest goes.
            "on a crowded node, without a Deployment",
            vec![
                pod("kept-1", "web:v1", "node-a"),
                wait(),
                pod("kept-2", "web:v1", "node-a"),
                wait(),
                pod("gone", "web:v1", "node-b"),
            ],
        ),
        ("ready later", vec![pod("kept-crash", "web:v1", "node-a"), wait(), pod("gone", "web:v1", "node-b")]),
        (
            "restarted",
            vec![pod("gone-crash", "web:unready", "node-a"), wait(), pod("kept", "web:unready", "node-b")],
        ),
        ("younger", vec![pod("kept", "web:unready", "node-a"), wait(), pod("gone", "web:unready", "node-b")]),
    ];
    for (name, pods) in table {
        let mut drill = Drill::on(&cluster(), &[]);
        let mut pause = 1600;
        for pod in &pods {
            if pod.is_null() {
                // Long enough for another power of two of the age, and shorter each time.
                drill.sleep(&format!("{pause}s"));
                pause /= 4;
                continue;
            }
            drill.apply(pod);
            let name = pod["metadata"]["name"].as_str().expect("a name");
            if name.ends_with("crash") {
                drill.step(&format!("- crash: pod/{name}"));
                assert_eq!(
                    drill.field(&format!("pod/{name}"), "/status/containerStatuses/0/restartCount"),
                    1
                );
            }
        }
        let mut names = drill.names("pods");
        let replicas = names.len() as i64;
        drill.apply(&with(replica_set(replicas), "/metadata/labels", json!({"app": "web"})));
        assert_eq!(drill.names("pods"), names, "{name}: all adopted, none created");
        let owner = if name.ends_with("without a Deployment") {
            "rs/web"
        } else {
            drill.apply(&with(deployment(replicas), "/spec/paused", json!(true)));
            assert_eq!(drill.names("rs"), ["web"], "{name}: adopted");
            "deploy/web"
        };
        drill.kubectl(&format!("scale {owner} --replicas={}", replicas - 1));
        names.retain(|name| !name.starts_with("gone"));
        assert_eq!(drill.names("pods"), names, "{name}");
    }
}

#[test]
fn t_dep_034_deletion_cost_is_honoured() {
    let mut drill = Drill::on(&cluster(), &[replica_set(3)]);
    let names = drill.names("pods");
    let costs = |drill: &mut Drill, costs: [&str; 3]| {
        for (name, cost) in names.iter().zip(costs) {
            drill.kubectl(&format!(
                "annotate pod {name} controller.kubernetes.io/pod-deletion-cost={cost} --overwrite"
            ));
        }
    };
    costs(&mut drill, ["10", "5", "10"]);
    drill.kubectl("scale rs/web --replicas=2");
    assert_eq!(drill.names("pods"), [names[0].clone(), names[2].clone()]);
    // A changed one counts.
    drill.kubectl(&format!(
        "annotate pod {} controller.kubernetes.io/pod-deletion-cost=-1 --overwrite",
        names[0]
    ));
    drill.kubectl("scale rs/web --replicas=1");
    assert_eq!(drill.names("pods"), [names[2].clone()]);
}

#[test]
fn t_dep_035_adopts_matching_pods_and_releases_others() {
    let mut drill = Drill::on(&cluster(), &[pod("mine", "web:v1", "node-a")]);
    drill.apply(&replica_set(1));
    assert_eq!(drill.names("pods"), ["mine"]);
    let owner = drill.field("pod/mine", "/metadata/ownerReferences/0");
    assert_eq!((&owner["kind"], &owner["name"]), (&json!("ReplicaSet"), &json!("web")));
    assert_eq!((&owner["controller"], &owner["blockOwnerDeletion"]), (&json!(true), &json!(true)));
    assert_eq!(owner["uid"], drill.field("rs/web", "/metadata/uid"));
    drill.kubectl("label pod mine app=other --overwrite");
    assert_eq!(drill.field("pod/mine", "/metadata/ownerReferences"), Value::Null);
    assert_eq!(drill.names("pods").len(), 2);
    assert_eq!(status(&mut drill, "replicas"), 1);
    drill.kubectl("delete rs web");
    assert_eq!(drill.names("pods"), ["mine"]);
}

#[test]
fn t_dep_036_deleting_and_failed_pods_are_replaced_at_once() {
    let slow = with(replica_set(2), "/spec/template/spec/containers/0/image", json!("web:slow"));
    let slow = with(slow, "/spec/template/spec/terminationGracePeriodSeconds", json!(7200));
    let mut drill = Drill::on(&cluster(), &[slow]);
    let [deleted, failed] = <[String; 2]>::try_from(drill.names("pods")).expect("two pods");
    let steps =
        format!("- kubectl: delete pod {deleted} --wait=false\n- fail: pod/{failed}\n  settle: false");
    drill.during("5s", &steps);
    assert_eq!(drill.names("pods").len(), 4);
    assert!(drill.field(&format!("pod/{deleted}"), "/metadata/deletionTimestamp").is_string());
    assert_eq!(drill.field(&format!("pod/{failed}"), "/status/phase"), "Failed");
    assert_eq!((status(&mut drill, "replicas"), status(&mut drill, "readyReplicas")), (2, 2));
    assert_eq!(status(&mut drill, "terminatingReplicas"), 1);
    // The one goes in its time, the other is left behind (RS-9).
    drill.sleep("1s");
    let left = drill.names("pods");
    assert!(left.len() == 3 && left.contains(&failed) && !left.contains(&deleted), "{left:?}");
}

#[test]
fn t_dep_037_one_pod_too_many_is_deleted() {
    let mut drill = Drill::on(&cluster(), &[replica_set(2)]);
    drill.apply(&pod("extra", "web:v1", "node-a"));
    assert_eq!(drill.names("pods").len(), 2);
    // It had not even a node: the first to go.
    in_order(
        &drill.events(),
        &["pod/extra created", "pod/extra owners=[ReplicaSet/web]", "pod/extra deleting"],
    );
    assert!(drill.find("pod/extra").is_none());
    assert_eq!(status(&mut drill, "readyReplicas"), 2);
}

#[test]
fn t_dep_038_no_more_than_what_was_issued_until_it_is_observed() {
    let lag = |by: &str| format!("- lag: kube-controller-manager\n  by: {by}\n");
    let mut drill = Drill::on(&cluster(), &[]);
    drill.step(&(lag("2s") + &format!("- apply: {}", json!(replica_set(7).to_string()))));
    assert_eq!(drill.names("pods").len(), 7);
    drill.kubectl("scale rs/web --replicas=3");
    let gone = drill.events().iter().filter(|event| event.ends_with(" deleting")).count();
    assert_eq!((drill.names("pods").len(), gone), (3, 4));
    // 500 in one sync, and the next one only when all of them have been seen.
    let mut drill = Drill::on(&cluster(), &[]);
    drill.during("90s", &(lag("60s") + &format!("- apply: {}", json!(replica_set(510).to_string()))));
    assert_eq!(drill.names("pods").len(), 500);
    drill.step("- lag: kube-controller-manager\n  by: 0s\n  settle: false");
    assert_eq!(drill.names("pods").len(), 510);
    // Slow start: where creating fails, a sync tries it once and not for each pod.
    let mut drill = Drill::on(&cluster(), &[]);
    let refused = with(replica_set(100), "/spec/template/spec/priorityClassName", json!("none"));
    drill.during("30ms", &format!("- apply: {}", json!(refused.to_string())));
    let failures = |drill: &mut Drill| -> i64 {
        drill
            .list("events")
            .iter()
            .filter(|e| e["reason"] == "FailedCreate")
            .filter_map(|e| e["count"].as_i64())
            .sum()
    };
    let first = failures(&mut drill);
    assert!((1..=4).contains(&first), "{first}");
    drill.during("1s", "");
    let second = failures(&mut drill);
    assert!(second > first && second < 12, "backing off: {second}");
}

#[test]
fn t_dep_039_failed_creates_show_and_are_tried_again() {
    let refused = with(deployment(2), "/spec/template/spec/priorityClassName", json!("late"));
    let mut drill = Drill::on(&cluster(), &[]);
    drill.during("10s", &format!("- apply: {}", json!(refused.to_string())));
    assert_eq!(drill.names("pods"), [""; 0]);
    let set = format!("rs/{}", drill.names("rs").remove(0));
    let find = |drill: &mut Drill, object: &str| {
        let conditions = drill.field(object, "/status/conditions");
        conditions.as_array().into_iter().flatten().find(|c| c["type"] == "ReplicaFailure").cloned()
    };
    for object in [set.as_str(), "deploy/web"] {
        let condition = find(&mut drill, object).expect("the condition");
        assert_eq!(
            (&condition["status"], &condition["reason"]),
            (&json!("True"), &json!("FailedCreate")),
            "{object}"
        );
        let message = condition["message"].as_str().unwrap_or("");
        assert!(message.contains("no PriorityClass with name late was found"), "{message}");
    }
    let told = drill.messages(&set);
    assert!(
        told[0].starts_with(&format!(
            "Warning FailedCreate: Error creating: pods \"{}-\" is forbidden: no ",
            &set[3..]
        )),
        "{told:?}"
    );
    let class = json!({
        "apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass", "metadata": {"name": "late"}, "value": 5,
    });
    drill.step(&format!("- apply: {}\n  settle: false", json!(class.to_string())));
    assert_eq!(drill.list("pods").iter().filter(|pod| is_ready(pod)).count(), 2);
    for object in [set.as_str(), "deploy/web"] {
        assert_eq!(find(&mut drill, object), None, "{object}");
    }
}

#[test]
fn t_dep_040_a_set_that_is_being_deleted_neither_adopts_nor_creates() {
    // It says so itself.
    let kept = with(replica_set(2), "/metadata/finalizers", json!(["example.com/keep"]));
    let mut drill = Drill::on(&cluster(), &[kept]);
    let names = drill.names("pods");
    drill.kubectl("delete rs web --wait=false --cascade=orphan");
    drill.apply(&pod("stray", "web:v1", "node-a"));
    assert_eq!(drill.field("pod/stray", "/metadata/ownerReferences"), Value::Null);
    drill.kubectl(&format!("delete pod {}", names[0]));
    assert_eq!(drill.names("pods"), ["stray".to_owned(), names[1].clone()]);
    // The cache does not say so yet: the pod is seen before the deletion of the set is, and the set is asked again.
    let kept = with(replica_set(2), "/metadata/finalizers", json!(["example.com/keep"]));
    let mut drill = Drill::on(&cluster(), &[kept]);
    let stray = json!(pod("stray", "web:v1", "node-a").to_string());
    drill.step(&format!(
        "- lag: kube-controller-manager\n  by: 5s\n- apply: {stray}\n- after: 1s\n  kubectl: delete rs web --wait=false --cascade=orphan"
    ));
    assert_eq!(drill.field("pod/stray", "/metadata/ownerReferences"), Value::Null);
    assert_eq!(drill.events_of("pod/stray owners"), [""; 0]);
    assert!(drill.field("rs/web", "/metadata/deletionTimestamp").is_string());
}

#[test]
fn t_dep_041_availability_is_looked_at_when_a_pod_becomes_available() {
    let mut drill = Drill::on(&cluster(), &[]);
    let manifest = json!(with(replica_set(1), "/spec/minReadySeconds", json!(10)).to_string());
    let scale = |n: i64, delay: &str| format!("- after: {delay}\n  kubectl: scale rs/web --replicas={n}\n");
    drill.step(&(format!("- apply: {manifest}\n") + &scale(2, "3s") + &scale(3, "4s")));
    assert_eq!((status(&mut drill, "readyReplicas"), status(&mut drill, "availableReplicas")), (3, 3));
    // When the last three status writes were made: ten seconds after each pod was ready, in whole seconds.
    let ready = |pod: &Value| {
        let conditions = pod["status"]["conditions"].as_array().into_iter().flatten();
        let since =
            conditions.into_iter().find(|c| c["type"] == "Ready").map(|c| c["lastTransitionTime"].clone());
        since.and_then(|text| text.as_str()?.get(17..19)?.parse::<u64>().ok()).expect("a time")
    };
    let mut expected: Vec<_> = drill.list("pods").iter().map(|pod| ready(pod) + 10).collect();
    expected.sort_unstable();
    let writes = drill.cluster().world.recorder.writes().iter();
    let times: Vec<u64> = writes
        .filter(|write| write.kind == Kind::ReplicaSet && write.verb == Verb::Updated)
        .map(|write| write.time.as_nanos() / 1_000_000)
        .collect();
    let last =
        times[times.len() - 3..].iter().map(|time| (time / 1000, time % 1000 < 10)).collect::<Vec<_>>();
    assert_eq!(last, expected.iter().map(|second| (*second, true)).collect::<Vec<_>>());
}
