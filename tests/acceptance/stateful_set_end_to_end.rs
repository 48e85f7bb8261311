//! StatefulSets from end to end, kubelets included: identity, rollouts, scaling, availability, ordinals.
use crate::drill::*;
use serde_json::{Value, json};

const NAMES: [&str; 3] = ["web-0", "web-1", "web-2"];

fn image(drill: &mut Drill, pod: &str) -> String {
    drill.field(&format!("pod/{pod}"), "/spec/containers/0/image").as_str().unwrap_or_default().to_owned()
}

fn revision(drill: &mut Drill, pod: &str) -> Value {
    drill.field(&format!("pod/{pod}"), "/metadata/labels/controller-revision-hash")
}

fn images(drill: &mut Drill) -> Vec<String> {
    drill.names("pods").iter().map(|pod| image(drill, pod)).collect()
}

fn status(drill: &mut Drill, field: &str) -> Value {
    drill.field("sts/web", &format!("/status/{field}"))
}

/// The deletions and creations of pods in the events of the last step.
fn replaced(drill: &Drill) -> Vec<String> {
    let events = drill.events_of("pod/");
    let what = |event: &str| {
        let mut words = event.trim_start_matches("pod/").split(' ');
        let (pod, what) = (words.next()?, words.next()?);
        matches!(what, "deleting" | "created").then(|| format!("{what} {pod}"))
    };
    events.iter().filter_map(|event| what(event)).collect()
}

fn rollout_of(pods: &[&str]) -> Vec<String> {
    pods.iter().flat_map(|pod| [format!("deleting {pod}"), format!("created {pod}")]).collect()
}

/// What a disk holds is the disk's: a pod that gets its disk back gets its data back.
#[test]
fn t_sts_161_basic_identity() {
    let mut drill = Drill::new(&[set_with_claims(3)]);
    let look = |drill: &mut Drill| -> Vec<[Value; 7]> {
        let mut seen = Vec::new();
        for pod in NAMES {
            let object = drill.object(&format!("pod/{pod}"));
            let claim = drill.object(&format!(
                "pvc/{}",
                object["spec"]["volumes"][0]["persistentVolumeClaim"]["claimName"].as_str().expect("a claim")
            ));
            let volume = claim["spec"]["volumeName"].as_str().expect("bound").to_owned();
            let disk = drill.field(&format!("pv/{volume}"), "/spec/csi/volumeHandle");
            assert_eq!(object["status"]["phase"], "Running");
            assert_eq!(claim["metadata"]["name"], json!(format!("data-{pod}")));
            let (spec, labels) = (&object["spec"], &object["metadata"]["labels"]);
            seen.push([
                spec["hostname"].clone(),
                spec["subdomain"].clone(),
                labels["statefulset.kubernetes.io/pod-name"].clone(),
                labels["apps.kubernetes.io/pod-index"].clone(),
                claim["metadata"]["uid"].clone(),
                json!(volume),
                disk,
            ]);
        }
        seen
    };
    let before = look(&mut drill);
    for (n, seen) in before.iter().enumerate() {
        let name = json!(format!("web-{n}"));
        assert_eq!(seen[..4], [name.clone(), json!("web"), name, json!(n.to_string())]);
        assert_ne!(seen[6], Value::Null);
    }
    let uids = NAMES.map(|pod| uid(&mut drill, &format!("pod/{pod}")));
    drill.kubectl("scale sts web --replicas=0");
    drill.kubectl("scale sts web --replicas=3");
    assert_eq!(look(&mut drill), before, "restarted");
    drill.kubectl("rollout restart sts web");
    assert_eq!(look(&mut drill), before, "rolled");
    let after = NAMES.map(|pod| uid(&mut drill, &format!("pod/{pod}")));
    assert!(uids.iter().all(|uid| !after.contains(uid)), "by other pods");
}

#[test]
fn t_sts_162_adopted_released_and_adopted_again() {
    let mut drill = Drill::new(&[set(1)]);
    let set_uid = uid(&mut drill, "sts/web");
    let pod_uid = uid(&mut drill, "pod/web-0");
    let owner = |drill: &mut Drill| drill.field("pod/web-0", "/metadata/ownerReferences/0/uid");
    drill.patch("pod/web-0", &json!({"metadata": {"ownerReferences": null}}));
    assert_eq!(owner(&mut drill), set_uid, "adopted");
    drill.during("1s", "- kubectl: label pod web-0 app-\n  settle: false");
    assert_eq!(owner(&mut drill), Value::Null, "released");
    // Its name is still taken: there is no other pod of this name meanwhile.
    assert_eq!(status(&mut drill, "replicas"), json!(0));
    drill.step("- kubectl: label pod web-0 app=web\n  settle: false");
    assert_eq!(owner(&mut drill), set_uid, "adopted again");
    assert_eq!(uid(&mut drill, "pod/web-0"), pod_uid, "and the same pod all the time");
    assert_eq!(status(&mut drill, "readyReplicas"), json!(1));
}

#[test]
fn t_sts_163_a_lost_predecessor_comes_back_before_an_unhealthy_successor() {
    let spec = format!("  behavior:\n  - {{pod: web-1, ready: never}}\n{STEADY}");
    let mut drill = Drill::on(&spec, &[set(2)]);
    let lost = uid(&mut drill, "pod/web-0");
    assert_eq!(status(&mut drill, "readyReplicas"), json!(1));
    drill.kubectl("delete pod web-0");
    assert_ne!(uid(&mut drill, "pod/web-0"), lost);
    in_order(&drill.events(), &["pod/web-0 deleting", "pod/web-0 created", "pod/web-0 ready"]);
    assert_eq!(status(&mut drill, "readyReplicas"), json!(1), "web-1 is still not");
    drill.step("- ready: pod/web-1");
    assert_eq!(status(&mut drill, "readyReplicas"), json!(2));
}

/// Rolls forward and back; an unready pod holds up either way.
fn rolls_forward_and_back(manifest: Value) -> Drill {
    let mut drill = Drill::on(STEADY, &[manifest]);
    let old = status(&mut drill, "currentRevision");
    let mut current = old.clone();
    for to in ["web:v2", "web:v1"] {
        let from = if to == "web:v2" { "web:v1" } else { "web:v2" };
        drill.step("- unready: pod/web-1");
        drill.kubectl(&format!("set image sts/web web={to}"));
        let update = status(&mut drill, "updateRevision");
        assert_ne!(update, current, "{to}");
        assert_eq!(status(&mut drill, "currentRevision"), current, "{to}");
        assert_eq!(status(&mut drill, "updatedReplicas"), Value::Null, "{to}");
        assert!(replaced(&drill).is_empty(), "{to}: {:?}", drill.events());
        assert_eq!(images(&mut drill), [from; 3]);
        drill.step("- ready: pod/web-1");
        assert_eq!(replaced(&drill), rollout_of(&["web-2", "web-1", "web-0"]), "{to}");
        let order = ["web-2 ready", "web-1 deleting", "web-1 ready", "web-0 deleting", "web-0 ready"];
        let order = order.map(|event| format!("pod/{event}"));
        in_order(&drill.events(), &order.each_ref().map(String::as_str));
        assert_eq!(images(&mut drill), [to; 3]);
        assert_eq!(status(&mut drill, "currentRevision"), update, "{to}");
        assert_eq!(status(&mut drill, "updateRevision"), update, "{to}");
        for counter in ["replicas", "readyReplicas", "currentReplicas", "updatedReplicas"] {
            assert_eq!(status(&mut drill, counter), json!(3), "{to} {counter}");
        }
        assert_eq!(NAMES.map(|pod| revision(&mut drill, pod)), [0; 3].map(|_| update.clone()));
        current = update;
    }
    assert_eq!(current, old, "the old revision has been used again");
    assert_eq!(drill.names("controllerrevisions").len(), 2);
    drill
}

#[test]
fn t_sts_164_rolling_update_and_rollback_with_claims() {
    let mut before = Drill::on(STEADY, &[set_with_claims(3)]);
    let volumes = |drill: &mut Drill| -> Vec<(Value, Value)> {
        let claims = drill.list("pvc");
        claims
            .iter()
            .map(|claim| (claim["metadata"]["name"].clone(), claim["spec"]["volumeName"].clone()))
            .collect()
    };
    // The same seed: the same claims get the same volumes, and no rollout changes that.
    let expected = volumes(&mut before);
    assert_eq!(expected.len(), 3);
    let mut drill = rolls_forward_and_back(set_with_claims(3));
    assert_eq!(volumes(&mut drill), expected);
    for pod in NAMES {
        let volumes = drill.field(&format!("pod/{pod}"), "/spec/volumes");
        let claim = json!([{"name": "data", "persistentVolumeClaim": {"claimName": format!("data-{pod}")}}]);
        assert_eq!(volumes, claim);
    }
}

#[test]
fn t_sts_165_rolling_update_and_rollback() {
    rolls_forward_and_back(set(3));
}

#[test]
fn t_sts_166_canary_and_phased_update() {
    let partition = |n: usize| json!({"spec": {"updateStrategy": {"rollingUpdate": {"partition": n}}}});
    let strategy = json!({"type": "RollingUpdate", "rollingUpdate": {"partition": 3}});
    let mut drill = Drill::new(&[with(set(3), "/spec/updateStrategy", strategy)]);
    let current = status(&mut drill, "currentRevision");
    drill.kubectl("set image sts/web web=web:v2");
    let update = status(&mut drill, "updateRevision");
    assert_ne!(update, current);
    assert!(replaced(&drill).is_empty());
    for (n, pod) in [(2, "web-2"), (1, "web-1"), (0, "web-0")] {
        drill.patch("sts/web", &partition(n));
        assert_eq!(replaced(&drill), rollout_of(&[pod]), "partition {n}");
        for (ordinal, name) in NAMES.into_iter().enumerate() {
            let (expected, label) = if ordinal < n { ("web:v1", &current) } else { ("web:v2", &update) };
            assert_eq!(image(&mut drill, name), expected, "partition {n}");
            assert_eq!(revision(&mut drill, name), *label, "partition {n}");
        }
        let expected = if n == 0 { &update } else { &current };
        assert_eq!(status(&mut drill, "currentRevision"), *expected, "partition {n}");
        // Pods deleted by hand come back as they were.
        for name in NAMES {
            let (before, label) = (image(&mut drill, name), revision(&mut drill, name));
            drill.kubectl(&format!("delete pod {name}"));
            assert_eq!(
                (image(&mut drill, name), revision(&mut drill, name)),
                (before, label),
                "partition {n}"
            );
        }
    }
}

/// A held pod below the partition ends and is let go in the middle of a rollout.
fn held_below_the_partition(behavior: &str, ends: &str) {
    let strategy = json!({"type": "RollingUpdate", "rollingUpdate": {"partition": 1}});
    let manifest = with(set(3), "/spec/updateStrategy", strategy);
    let manifest = with(manifest, "/spec/template/spec/terminationGracePeriodSeconds", json!(5));
    let mut drill = Drill::on(&format!("{behavior}{STEADY}"), &[manifest]);
    let before = uid(&mut drill, "pod/web-0");
    let current = status(&mut drill, "currentRevision");
    hold(&mut drill, "pod/web-0");
    drill.kubectl("set image sts/web web=web:v2");
    let update = status(&mut drill, "updateRevision");
    drill.kubectl("delete pod web-0 --wait=false");
    let held = drill.object("pod/web-0");
    assert_eq!((&held["metadata"]["uid"], &held["status"]["phase"]), (&before, &json!(ends)));
    let_go(&mut drill, "pod/web-0");
    assert_ne!(uid(&mut drill, "pod/web-0"), before);
    assert_eq!(images(&mut drill), ["web:v1", "web:v2", "web:v2"]);
    assert_eq!(NAMES.map(|pod| revision(&mut drill, pod)), [current, update.clone(), update]);
    assert_eq!(status(&mut drill, "readyReplicas"), json!(3));
}

#[test]
fn t_sts_167_held_below_the_partition_ends_well() {
    held_below_the_partition("", "Succeeded");
}

/// A container that does not heed SIGTERM is killed, which counts as a failure as any other exit code but 0.
#[test]
fn t_sts_168_held_below_the_partition_ends_badly() {
    held_below_the_partition("  behavior:\n  - {image: 'web:v1', stop: never}\n", "Failed");
}

#[test]
fn t_sts_169_max_unavailable_is_never_exceeded() {
    let strategy = json!({"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 2}});
    for policy in ["OrderedReady", "Parallel"] {
        let manifest = with(set(5), "/spec/updateStrategy", strategy.clone());
        let manifest = with(manifest, "/spec/podManagementPolicy", json!(policy));
        let mut drill =
            Drill::on(&format!("  featureGates: {{MaxUnavailableStatefulSet: true}}\n{STEADY}"), &[manifest]);
        drill.during("1ms", "- kubectl: set image sts/web web=web:v2\n  settle: false");
        let mut worst = 0;
        for _ in 0..150 {
            drill.during("20ms", "");
            let ready = |pod: &&Value| {
                let conditions = pod["status"]["conditions"].as_array();
                let is = |condition: &Value| condition["type"] == "Ready" && condition["status"] == "True";
                pod["metadata"].get("deletionTimestamp").is_none()
                    && conditions.is_some_and(|all| all.iter().any(is))
            };
            worst = worst.max(5 - drill.list("pods").iter().filter(ready).count());
        }
        assert_eq!(worst, 2, "{policy}");
        drill.step("");
        assert_eq!(images(&mut drill), ["web:v2"; 5], "{policy}");
        assert_eq!(status(&mut drill, "updatedReplicas"), json!(5), "{policy}");
        assert_eq!(status(&mut drill, "currentRevision"), status(&mut drill, "updateRevision"), "{policy}");
    }
}

#[test]
fn t_sts_170_on_delete() {
    let mut drill = Drill::new(&[with(set(3), "/spec/updateStrategy", json!({"type": "OnDelete"}))]);
    let current = status(&mut drill, "currentRevision");
    drill.kubectl("delete pod web-0 web-1 web-2");
    assert_eq!(images(&mut drill), ["web:v1"; 3]);
    assert_eq!(NAMES.map(|pod| revision(&mut drill, pod)), [0; 3].map(|_| current.clone()));
    drill.kubectl("set image sts/web web=web:v2");
    let update = status(&mut drill, "updateRevision");
    assert_ne!(update, current);
    assert!(replaced(&drill).is_empty(), "nobody deletes them");
    drill.kubectl("delete pod web-1");
    assert_eq!(images(&mut drill), ["web:v1", "web:v2", "web:v1"]);
    drill.kubectl("delete pod web-0 web-2");
    assert_eq!(images(&mut drill), ["web:v2"; 3]);
    assert_eq!(NAMES.map(|pod| revision(&mut drill, pod)), [0; 3].map(|_| update.clone()));
    assert_eq!(status(&mut drill, "updatedReplicas"), json!(3));
}

#[test]
fn t_sts_171_scaling_in_order_halts_at_an_unhealthy_pod() {
    let mut drill = Drill::on(STEADY, &[set(1)]);
    drill.step("- unready: pod/web-0");
    drill.kubectl("scale sts web --replicas=3");
    drill.sleep("10s");
    assert_eq!(drill.names("pods"), ["web-0"]);
    assert_eq!(status(&mut drill, "replicas"), json!(1));
    drill.step("- ready: pod/web-0");
    let up = ["web-0 ready", "web-1 created", "web-1 ready", "web-2 created", "web-2 ready"];
    in_order(&drill.events(), &up.map(|event| format!("pod/{event}")).each_ref().map(String::as_str));
    assert_eq!(status(&mut drill, "readyReplicas"), json!(3));

    drill.step("- unready: pod/web-*");
    drill.kubectl("scale sts web --replicas=0");
    drill.sleep("10s");
    assert_eq!(drill.names("pods"), NAMES);
    assert_eq!(status(&mut drill, "replicas"), json!(3));
    drill.step("- ready: pod/web-*");
    let down = [
        "web-2 deleting",
        "web-2 deleted",
        "web-1 deleting",
        "web-1 deleted",
        "web-0 deleting",
        "web-0 deleted",
    ];
    let down = down.map(|event| format!("pod/{event}"));
    in_order(&drill.events(), &down.each_ref().map(String::as_str));
    assert!(drill.names("pods").is_empty());
    assert_eq!(status(&mut drill, "replicas"), json!(0));
}

#[test]
fn t_sts_172_burst_scaling_minds_no_health() {
    let mut drill = Drill::on(STEADY, &[with(set(1), "/spec/podManagementPolicy", json!("Parallel"))]);
    drill.step("- unready: pod/web-0");
    drill.kubectl("scale sts web --replicas=3");
    assert_eq!(drill.names("pods"), NAMES);
    in_order(&drill.events(), &["pod/web-1 created", "pod/web-2 created", "pod/web-1 ready"]);
    assert_eq!(status(&mut drill, "readyReplicas"), json!(2));
    drill.step("- unready: pod/web-*");
    drill.kubectl("scale sts web --replicas=0");
    let events = drill.events_of("pod/");
    let first_gone = events.iter().position(|event| event.ends_with(" deleted")).expect("gone");
    let deleting = events.iter().take(first_gone).filter(|event| event.ends_with(" deleting")).count();
    assert_eq!(deleting, 3, "all at once: {events:?}");
    assert!(drill.names("pods").is_empty());
}

/// The clash is about cpu: of a node's own checks, that of ports is not played.
#[test]
fn t_sts_173_a_pod_that_its_node_rejects_is_made_anew_until_it_runs() {
    let pinned = |mut object: Value, at: &str, cpu: &str| {
        object = with(object, &format!("{at}/nodeName"), json!("node-a"));
        with(object, &format!("{at}/containers/0/resources"), json!({"requests": {"cpu": cpu}}))
    };
    let big = json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "big"},
        "spec": {"containers": [{"name": "big", "image": "big:v1"}]},
    });
    let mut drill = Drill::on(STEADY, &[pinned(big, "/spec", "8")]);
    let manifest = pinned(set(1), "/spec/template/spec", "1");
    let mut uids = Vec::new();
    drill.during("1ms", &format!("- apply: {}\n  settle: false", json!(manifest.to_string())));
    for _ in 0..1000 {
        drill.during("2ms", "");
        if let Some(pod) = drill.find("pod/web-0") {
            uids.push(pod["metadata"]["uid"].to_string());
            assert_ne!(pod["status"]["phase"], "Running");
        }
    }
    uids.dedup();
    let distinct: std::collections::BTreeSet<_> = uids.iter().collect();
    assert!(uids.len() > 2, "made anew again and again: {uids:?}");
    assert_eq!(distinct.len(), uids.len(), "each time another pod");
    let said = drill.messages("sts/web");
    assert!(
        said.contains(&"Normal SuccessfulDelete: Delete Pod web-0 in StatefulSet web successful".to_owned()),
        "{said:?}"
    );
    drill.step("- kubectl: delete pod big\n  settle: false");
    let pod = drill.object("pod/web-0");
    assert_eq!(pod["status"]["phase"], "Running");
    assert!(!distinct.contains(&pod["metadata"]["uid"].to_string()));
    assert_eq!(status(&mut drill, "readyReplicas"), json!(1));
}

#[test]
fn t_sts_174_scale_subresource() {
    let mut drill = Drill::new(&[set(1)]);
    let scale = |drill: &mut Drill| -> Value {
        let text = drill.kubectl("get sts web --subresource=scale -o json");
        serde_json::from_str(&text).expect("JSON")
    };
    let seen = scale(&mut drill);
    assert_eq!((&seen["kind"], &seen["apiVersion"]), (&json!("Scale"), &json!("autoscaling/v1")));
    assert_eq!((&seen["spec"]["replicas"], &seen["status"]["replicas"]), (&json!(1), &json!(1)));
    assert_eq!(seen["status"]["selector"], "app=web");
    drill.kubectl("scale sts web --replicas=2 --current-replicas=1");
    assert_eq!(drill.field("sts/web", "/spec/replicas"), json!(2));
    drill.kubectl("patch sts web --subresource=scale --type=merge -p '{\"spec\":{\"replicas\":4}}'");
    assert_eq!(drill.field("sts/web", "/spec/replicas"), json!(4));
    let seen = scale(&mut drill);
    assert_eq!((&seen["spec"]["replicas"], &seen["status"]["replicas"]), (&json!(4), &json!(4)));
    assert_eq!(drill.list("pods").len(), 4);
}

#[test]
fn t_sts_175_list_patch_and_delete_as_a_collection() {
    let mut drill = Drill::new(&[with(set(1), "/metadata/labels", json!({"tier": "front"}))]);
    let listed = |drill: &mut Drill| -> Value {
        serde_json::from_str(&drill.kubectl("get sts -l tier=front -o json")).expect("JSON")
    };
    assert_eq!(listed(&mut drill)["items"][0]["metadata"]["name"], "web");
    let containers = json!([{"name": "web", "image": "web:v2"}]);
    let patch = json!({"spec": {"replicas": 2, "template": {"spec": {
        "terminationGracePeriodSeconds": 5, "containers": containers,
    }}}});
    let first = uid(&mut drill, "pod/web-0");
    drill.kubectl(&format!("patch sts web --type=strategic -p '{patch}'"));
    let set = drill.object("sts/web");
    assert_eq!(set["spec"]["replicas"], json!(2));
    let pod = &set["spec"]["template"]["spec"];
    assert_eq!(
        (&pod["terminationGracePeriodSeconds"], &pod["containers"][0]["image"]),
        (&json!(5), &json!("web:v2"))
    );
    assert_eq!(pod["containers"].as_array().map(Vec::len), Some(1), "merged by name");
    assert_eq!(images(&mut drill), ["web:v2", "web:v2"]);
    assert_ne!(uid(&mut drill, "pod/web-0"), first, "rolled");
    assert_eq!(status(&mut drill, "readyReplicas"), json!(2));
    drill.kubectl("delete sts -l tier=front");
    assert_eq!(listed(&mut drill)["items"], json!([]));
    assert!(drill.names("pods").is_empty());
}

#[test]
fn t_sts_176_status_subresource() {
    let mut drill = Drill::new(&[set(1)]);
    let conditions =
        |status: &str| json!([{"type": "StatusUpdate", "status": status, "reason": "E2E", "message": "m"}]);
    let before = drill.object("sts/web");
    for (value, kind) in [("True", "merge"), ("False", "strategic")] {
        let patch = json!({"status": {"conditions": conditions(value)}});
        let line = format!("patch sts web --subresource=status --type={kind} -p '{patch}'");
        assert_eq!(drill.kubectl(&line), "statefulset.apps/web patched\n");
        let set = drill.object("sts/web");
        assert_eq!(set["status"]["conditions"], conditions(value));
        assert_eq!((&set["spec"], &set["metadata"]["generation"]), (&before["spec"], &json!(1)));
        assert_ne!(set["metadata"]["resourceVersion"], before["metadata"]["resourceVersion"]);
        // Somebody who watches sees it.
        drill.kubectl(&format!("wait sts/web --for=condition=StatusUpdate={value} --timeout=1s"));
    }
    // The controller computes its status anew, and without conditions (STS-76).
    drill.kubectl("scale sts web --replicas=2");
    assert_eq!(status(&mut drill, "conditions"), Value::Null);
}

#[test]
fn t_sts_178_min_ready_seconds() {
    let mut drill = Drill::on(STEADY, &[]);
    let manifest = with(set(2), "/spec/minReadySeconds", json!(30));
    let manifest = with(manifest, "/spec/podManagementPolicy", json!("Parallel"));
    drill.during("25s", &format!("- apply: {}\n  settle: false", json!(manifest.to_string())));
    let counts = |drill: &mut Drill| ["readyReplicas", "availableReplicas"].map(|field| status(drill, field));
    assert_eq!(counts(&mut drill), [json!(2), json!(0)]);
    assert!(drill.kubectl("get sts web -o yaml").contains("\n  minReadySeconds: 30\n"));
    drill.during("10s", "");
    assert_eq!(counts(&mut drill), [json!(2), json!(2)]);
    let patch = |seconds: u32| {
        format!(
            "- kubectl: patch sts web --type=merge -p '{{\"spec\":{{\"minReadySeconds\":{seconds}}}}}'\n  settle: false"
        )
    };
    drill.during("5s", &patch(3600));
    assert_eq!(counts(&mut drill), [json!(2), json!(0)]);
    drill.during("5s", &patch(0));
    assert_eq!(counts(&mut drill), [json!(2), json!(2)]);
    assert!(replaced(&drill).is_empty());
}

#[test]
fn t_sts_180_a_claim_lost_while_its_pod_is_unscheduled_is_made_again() {
    let one = "  cluster:\n    nodes:\n    - {name: node-a, zone: zone-a}\n";
    let mut drill = Drill::on(one, &[set_with_claims(1)]);
    let (pod, claim) = (uid(&mut drill, "pod/web-0"), uid(&mut drill, "pvc/data-web-0"));
    drill.kubectl("cordon node-a");
    drill.kubectl("delete pod web-0");
    assert_eq!(drill.field("pod/web-0", "/status/phase"), "Pending");
    drill.kubectl("delete pvc data-web-0 --wait=false");
    drill.kubectl("uncordon node-a");
    assert_ne!(uid(&mut drill, "pod/web-0"), pod);
    assert_ne!(uid(&mut drill, "pvc/data-web-0"), claim);
    assert_eq!(drill.field("pvc/data-web-0", "/status/phase"), "Bound");
    assert_eq!(drill.field("pod/web-0", "/spec/nodeName"), "node-a");
    assert_eq!(status(&mut drill, "readyReplicas"), json!(1));
}

#[test]
fn t_sts_181_ordinals_move() {
    let cases: [(i64, Option<i64>, i64, &[&str]); 4] = [
        (0, Some(2), 3, &["web-2", "web-3", "web-4"]),
        (2, Some(4), 2, &["web-4", "web-5"]),
        (3, Some(2), 2, &["web-2", "web-3"]),
        (3, None, 2, &["web-0", "web-1"]),
    ];
    for (from, to, count, expected) in cases {
        let case = format!("{from} to {to:?}");
        let manifest = with(set(2), "/spec/ordinals", json!({"start": from}));
        let mut drill = Drill::on(STEADY, &[manifest]);
        let before = drill.names("pods");
        let survivors: Vec<String> =
            before.iter().filter(|pod| expected.contains(&pod.as_str())).cloned().collect();
        let uids: Vec<Value> = survivors.iter().map(|pod| uid(&mut drill, &format!("pod/{pod}"))).collect();
        let ordinals = to.map_or(Value::Null, |start| json!({"start": start}));
        drill.patch("sts/web", &json!({"spec": {"replicas": count, "ordinals": ordinals}}));
        assert_eq!(drill.names("pods"), expected, "{case}");
        for name in expected {
            let index = drill.field(&format!("pod/{name}"), "/metadata/labels/apps.kubernetes.io~1pod-index");
            assert_eq!(index, name.trim_start_matches("web-"), "{case}");
        }
        let after: Vec<Value> = survivors.iter().map(|pod| uid(&mut drill, &format!("pod/{pod}"))).collect();
        assert_eq!(after, uids, "{case}: who is in both ranges stays");
        // The new range is ready before the first of the old goes, from the highest down.
        let events = drill.events_of("pod/");
        let last_ready = events.iter().rposition(|event| event.ends_with(" ready"));
        let first_deleted = events.iter().position(|event| event.ends_with(" deleting"));
        assert!(last_ready < first_deleted, "{case}: {events:?}");
        let deleted: Vec<_> =
            replaced(&drill).into_iter().filter(|event| event.starts_with("deleting")).collect();
        let gone = before.iter().rev().filter(|pod| !survivors.contains(pod));
        assert_eq!(deleted, gone.map(|pod| format!("deleting {pod}")).collect::<Vec<_>>(), "{case}");
        assert_eq!(status(&mut drill, "readyReplicas"), json!(count), "{case}");
    }
}
