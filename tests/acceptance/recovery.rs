//! The same end whatever comes between: crashes of controllers, refused writes, late news, nodes that go and come back.
use crate::drill::*;
use crate::peers::*;
use serde_json::{Value, json};

/// What is compared: pods, claims, revisions, counters.
#[derive(PartialEq, Eq, Debug)]
struct End {
    images: String,
    claims: Vec<String>,
    revisions: Vec<String>,
    counters: [i64; 5],
    update: Value,
}

fn end(drill: &mut Drill) -> End {
    End {
        images: images(drill),
        claims: drill.names("pvc"),
        revisions: drill.names("controllerrevisions"),
        counters: counters(drill),
        update: drill.field("sts/web", "/status/updateRevision"),
    }
}

/// Three pods, then a new image and a fourth pod.
fn begin(policy: &'static str) -> (Drill, String) {
    let variant = Variant { policy, retention: Some(("Delete", "Delete")) };
    let drill = variant.play(Peers::Sound, 3);
    let change = format!("- apply: {}", json!(with_image(variant.set(4), "v2").to_string()));
    (drill, change)
}

fn now(drill: &Drill) -> u64 {
    drill.cluster().world.now().as_nanos()
}

#[test]
fn t_esr_007_a_crash_after_any_write_changes_nothing_in_the_end() {
    for policy in ["OrderedReady", "Parallel"] {
        let (mut drill, change) = begin(policy);
        let (start, before) = (now(&drill), controller_writes(&drill).len());
        drill.step(&change);
        let undisturbed = end(&mut drill);
        assert_eq!(undisturbed.images, "0:v2 1:v2 2:v2 3:v2");
        let writes = drill.cluster().world.recorder.writes().iter();
        let of_set =
            writes.filter(|write| write.actor == stsim::world::Actor::StatefulSetController).skip(before);
        let times: Vec<u64> = of_set.map(|write| write.time.as_nanos() - start).collect();
        assert!(times.len() > 15, "{times:?}");
        for (k, time) in times.iter().enumerate() {
            let (mut drill, change) = begin(policy);
            drill.during(&format!("{time}ns"), &change);
            assert!(controller_writes(&drill).len() > before + k, "write {k} has been made");
            drill.step("- restart: kube-controller-manager\n  settle: false");
            assert_eq!(end(&mut drill), undisturbed, "{policy}, crash after write {k}");
        }
    }
}

/// Stability in the end: pods 0 to n-1 as they are wanted, all claims, and nobody beyond.
#[test]
fn t_esr_001_refusals_crashes_and_late_news_are_overcome() {
    let steps = [
        "- refuse: {writes: create, of: pod/*, skip: 1, times: 3}",
        "- refuse: {writes: create, of: pvc/*, times: 2, error: Forbidden}",
        "- refuse: {writes: update, of: pvc/*, times: 4, error: Conflict}",
        "- refuse: {writes: delete, of: pod/*, times: 3, error: TooManyRequests}",
        "- refuse: {writes: update, of: sts/web, skip: 2, times: 3}",
        "- refuse: {writes: create, of: controllerrevision/*, times: 2}",
        "- lag: kube-controller-manager\n  by: 700ms",
        "- crash: pod/web-1",
        "- fail: pod/web-0",
        "- restart: kube-controller-manager",
        "- restart: kube-scheduler",
    ];
    for policy in ["OrderedReady", "Parallel"] {
        let (mut drill, change) = begin(policy);
        drill.step(&change);
        let undisturbed = end(&mut drill);
        for disturbance in steps {
            let (mut drill, change) = begin(policy);
            drill.step(&format!("{disturbance}\n{change}\n  settle: false"));
            let refusals = &drill.cluster().world.refusals;
            assert!(refusals.iter().all(|refusal| refusal.times == Some(0)), "{refusals:?}");
            assert_eq!(end(&mut drill), undisturbed, "{policy}: {disturbance}");
            for pod in drill.list("pods") {
                assert_eq!(pod["metadata"]["labels"]["app"], "web");
                assert_eq!(pod["metadata"]["ownerReferences"][0]["name"], "web");
            }
        }
    }
}

#[test]
fn t_esr_003_only_what_it_owns_is_written() {
    let foreign = |name: &str| {
        json!({
            "apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "labels": {"app": "web"}},
            "spec": {"containers": [{"name": "web", "image": "web:v1"}]},
        })
    };
    for policy in ["OrderedReady", "Parallel"] {
        let variant = Variant { policy, retention: Some(("Delete", "Delete")) };
        // The labels match, the names do not: members of nobody.
        let mut drill = Drill::on(STEADY, &[foreign("web-x"), foreign("web2-0"), variant.set(3)]);
        let mine = |drill: &mut Drill| [uid(drill, "pod/web-x"), uid(drill, "pod/web2-0")];
        let before = mine(&mut drill);
        drill.apply(&with_image(variant.set(2), "v2"));
        drill.kubectl("scale sts/web --replicas=0");
        assert_eq!(mine(&mut drill), before);
        for write in controller_writes(&drill) {
            let (kind, name) = (write.split(' ').nth(1).unwrap_or(""), write.split(' ').nth(2).unwrap_or(""));
            let own = match kind {
                "Pod" => ["web-0", "web-1", "web-2"].contains(&name),
                "PersistentVolumeClaim" => ["data-web-0", "data-web-1", "data-web-2"].contains(&name),
                "StatefulSet" => name == "web",
                _ => kind == "ControllerRevision" && name.starts_with("web-"),
            };
            assert!(own, "{write}");
        }
    }
}

/// What happens while the controller is down reaches it as one state, not as events.
#[test]
fn t_esr_008_events_that_were_missed_do_not_matter() {
    for policy in ["OrderedReady", "Parallel"] {
        let variant = Variant { policy, retention: None };
        let mut drill = variant.play(Peers::Sound, 3);
        let kept = uid(&mut drill, "pod/web-2");
        drill.step("- stop: kube-controller-manager");
        drill.kubectl("scale sts/web --replicas=1");
        drill.kubectl("delete pod web-0");
        drill.kubectl("scale sts/web --replicas=4");
        drill.kubectl("delete pod web-1");
        assert_eq!(drill.names("pods"), ["web-2"]);
        drill.step("- start: kube-controller-manager");
        assert_eq!(counters(&mut drill), [4; 5]);
        assert_eq!(drill.names("pods"), ["web-0", "web-1", "web-2", "web-3"]);
        assert_eq!(uid(&mut drill, "pod/web-2"), kept);
    }
}

#[test]
fn t_node_028_a_set_comes_back_when_all_nodes_restart() {
    every(|variant| {
        let mut drill = Drill::on(STEADY, &[variant.set(3)]);
        drill.step("- reboot: node/*");
        assert_eq!(counters(&mut drill), [3; 5]);
        assert_eq!(drill.names("pods"), ["web-0", "web-1", "web-2"]);
        for node in ["node-a", "node-b", "node-c"] {
            let conditions = drill.field(&format!("node/{node}"), "/status/conditions");
            let ready = conditions.as_array().into_iter().flatten().find(|c| c["type"] == "Ready");
            assert_eq!(ready.map(|c| &c["status"]), Some(&json!("True")), "{node}");
        }
    });
}

#[test]
fn t_node_029_a_pod_on_a_partitioned_node_is_kept() {
    every(|variant| {
        let mut drill = Drill::on(STEADY, &[variant.set(3)]);
        let (pod, node) = (uid(&mut drill, "pod/web-1"), drill.field("pod/web-1", "/spec/nodeName"));
        drill.during("10m", "- partition: node-of(pod/web-1)");
        assert_eq!(uid(&mut drill, "pod/web-1"), pod);
        assert_eq!(drill.field("pod/web-1", "/spec/nodeName"), node);
        assert_ne!(drill.field("pod/web-1", "/metadata/deletionTimestamp"), Value::Null, "asked to go");
        assert_eq!(count(&drill.events(), "pod/web-1 created"), 0);
        assert_eq!(counters(&mut drill)[1], 2, "two are ready");
        drill.step(&format!("- heal: node/{}", node.as_str().unwrap_or_default()));
        assert_eq!(counters(&mut drill), [3; 5]);
        assert_ne!(uid(&mut drill, "pod/web-1"), pod);
    });
}

#[test]
fn t_node_031_a_restarted_controller_manager_touches_no_pod() {
    every(|variant| {
        let mut drill = variant.play(Peers::InOrder, 3);
        let before: Vec<_> = (0..3).map(|n| uid(&mut drill, &format!("pod/web-{n}"))).collect();
        drill.step("- restart: kube-controller-manager");
        drill.step("- stop: kube-controller-manager\n- sleep: 5m\n- start: kube-controller-manager");
        assert_eq!(drill.events_of("pod/"), [""; 0]);
        let after: Vec<_> = (0..3).map(|n| uid(&mut drill, &format!("pod/web-{n}"))).collect();
        assert_eq!(after, before);
    });
}

#[test]
fn t_node_032_pods_wait_for_the_scheduler() {
    every(|variant| {
        let mut drill = variant.play(Peers::InOrder, 1);
        drill.step("- stop: kube-scheduler\n- kubectl: scale sts/web --replicas=3");
        let waiting = if variant.is_ordered() { vec!["web-1"] } else { vec!["web-1", "web-2"] };
        for name in &waiting {
            assert_eq!(drill.field(&format!("pod/{name}"), "/spec/nodeName"), Value::Null, "{name}");
        }
        assert_eq!(drill.names("pods").len(), 1 + waiting.len());
        drill.step("- start: kube-scheduler");
        assert_eq!(counters(&mut drill), [3; 5]);
    });
}
