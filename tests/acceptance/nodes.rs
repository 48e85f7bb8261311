//! Nodes that fall silent, their taints, what becomes of their pods, and the pod garbage collector.
use crate::deployment::deployment;
use crate::drill::*;
use crate::endpoints::pod;
use serde_json::{Value, json};
use stsim::trace::record::{Note, Record};

/// Milliseconds at which something was noted, and of which object, in order.
fn noted(drill: &Drill, what: impl Fn(&Drill, &Record) -> bool) -> Vec<(u64, String)> {
    let world = &drill.cluster().world;
    let found = world.recorder.records().iter().filter(|record| what(drill, record));
    found.map(|record| (record.time.as_nanos() / 1_000_000, world.store.name_of(record.name))).collect()
}

/// When nodes got a NoExecute taint.
fn tainted(drill: &Drill) -> Vec<(u64, String)> {
    noted(
        drill,
        |_, record| matches!(record.note, Note::Tainted(taint) if taint.effect == stsim::api::objects::Effect::NoExecute),
    )
}

fn deleting(drill: &Drill) -> Vec<(u64, String)> {
    noted(drill, |_, record| record.note == Note::Deleting)
}

/// Taints as `key:Effect`, sorted.
fn taints(drill: &mut Drill, node: &str) -> Vec<String> {
    let taints = drill.field(&format!("node/{node}"), "/spec/taints");
    let told = |taint: &Value| {
        format!("{}:{}", taint["key"].as_str().unwrap_or(""), taint["effect"].as_str().unwrap_or(""))
    };
    let mut taints: Vec<_> = taints.as_array().into_iter().flatten().map(told).collect();
    taints.sort();
    taints
}

/// The condition Ready: status/reason.
fn readiness(drill: &mut Drill, object: &str) -> String {
    let conditions = drill.field(object, "/status/conditions");
    let ready = conditions.as_array().into_iter().flatten().find(|c| c["type"] == "Ready").cloned();
    let ready = ready.expect("condition Ready");
    format!("{}/{}", ready["status"].as_str().unwrap_or(""), ready["reason"].as_str().unwrap_or(""))
}

/// A steady cluster of these nodes: (name of the group, zone, how many).
fn cluster(groups: &[(&str, &str, usize)]) -> String {
    let latency = &STEADY[STEADY.find("    latency").expect("latencies")..];
    let mut spec = "  cluster:\n    nodes:\n".to_owned();
    for (name, zone, count) in groups {
        spec += &format!("    - {{name: '{name}', zone: {zone}, count: {count}}}\n");
    }
    spec + latency
}

fn on_node(pod: Value, node: &str) -> Value {
    with(pod, "/spec/nodeSelector", json!({"kubernetes.io/hostname": node}))
}

/// Tolerates taint `k` for NoExecute, so long; None: for ever.
fn toleration(key: &str, seconds: Option<i64>) -> Value {
    let mut toleration = json!({"key": key, "operator": "Exists", "effect": "NoExecute"});
    if let Some(seconds) = seconds {
        toleration["tolerationSeconds"] = seconds.into();
    }
    toleration
}

const UNREACHABLE: &str = "node.kubernetes.io/unreachable";

#[test]
fn t_node_002_004_007_a_silent_node_becomes_unknown_and_is_tainted() {
    let mut drill = Drill::on(&cluster(&[("n", "zone-a", 3)]), &[]);
    for name in ["a", "b"] {
        drill.apply(&on_node(pod(name), "n-0"));
    }
    let crashed = drill.seconds();
    drill.during("35s", "- crash: node/n-0");
    assert_eq!(readiness(&mut drill, "node/n-0"), "True/KubeletReady", "within the grace period");
    drill.during("25s", "");
    assert_eq!(readiness(&mut drill, "node/n-0"), "Unknown/NodeStatusUnknown");
    let lost = noted(&drill, |_, record| matches!(record.note, Note::NodeReady(_)));
    let after = lost[0].0 / 1000 - crashed;
    assert!((39..=56).contains(&after), "{after} s after the crash");
    // Its pods are not ready any more: once each, in the same pass, and they stay Running.
    let unready = noted(&drill, |_, record| record.note == Note::Unready);
    assert_eq!(unready.iter().map(|(_, name)| name.as_str()).collect::<Vec<_>>(), ["a", "b"]);
    assert!(unready.iter().all(|(time, _)| time.abs_diff(lost[0].0) < 100), "{unready:?} {lost:?}");
    assert_eq!(drill.field("pod/a", "/status/phase"), "Running");
    let told = drill.messages("pod/a");
    assert!(told.contains(&"Warning NodeNotReady: Node is not ready".to_owned()), "{told:?}");
    assert!(drill.messages("node/n-0").iter().any(|text| text.contains("NodeNotReady")));
    let both = [format!("{UNREACHABLE}:NoExecute"), format!("{UNREACHABLE}:NoSchedule")];
    assert_eq!(taints(&mut drill, "n-0"), both);
    // Back again: all taints go.
    drill.during("200s", "- recover: node/n-0\n  settle: false");
    assert_eq!(readiness(&mut drill, "node/n-0"), "True/KubeletReady");
    assert_eq!(taints(&mut drill, "n-0"), [""; 0]);
    assert_eq!(deleting(&drill), []);
}

#[test]
fn t_node_006_the_two_taints_exclude_each_other() {
    let mut drill = Drill::on(&cluster(&[("n", "zone-a", 3)]), &[]);
    let not_ready = json!([{"type": "Ready", "status": "False", "reason": "KubeletNotReady"}]);
    let patch = json!({"status": {"conditions": not_ready}});
    let line = json!(format!("patch node n-0 --subresource=status --type=strategic -p '{patch}'"));
    drill.during("8s", &format!("- kubectl: {line}"));
    let both = |key: &str| [format!("{key}:NoExecute"), format!("{key}:NoSchedule")];
    assert_eq!(taints(&mut drill, "n-0"), both("node.kubernetes.io/not-ready"));
    drill.during("60s", "- crash: node/n-0\n  settle: false");
    assert_eq!(taints(&mut drill, "n-0"), both(UNREACHABLE));
    // Swapped in one go: the new one comes first, and the old one goes right after it.
    let changes: Vec<_> =
        drill.events_of("node/n-0 taint").into_iter().filter(|e| e.ends_with(":NoExecute")).collect();
    assert_eq!(
        changes,
        [
            "node/n-0 taint+ node.kubernetes.io/unreachable:NoExecute",
            "node/n-0 taint- node.kubernetes.io/not-ready:NoExecute",
        ]
    );
    let times = noted(&drill, |_, record| {
        let (Note::Tainted(taint) | Note::Untainted(taint)) = record.note else { return false };
        taint.effect == stsim::api::objects::Effect::NoExecute
    });
    let last: Vec<u64> = times[times.len() - 2..].iter().map(|(time, _)| *time).collect();
    assert!(last[1] - last[0] < 50, "{last:?}");
}

#[test]
fn t_node_009_nodes_of_a_zone_are_tainted_ten_seconds_apart() {
    let mut drill = Drill::on(&cluster(&[("n", "zone-a", 10), ("m", "zone-b", 1)]), &[]);
    drill.during(
        "120s",
        "- crash: node/n-0\n- crash: node/n-1\n  settle: false\n- crash: node/n-2\n  settle: false",
    );
    let times: Vec<u64> = tainted(&drill).iter().map(|(time, _)| *time).collect();
    assert_eq!(times.len(), 3);
    // The first at once, when it was found out.
    let lost = noted(&drill, |_, record| matches!(record.note, Note::NodeReady(_)))[0].0;
    assert!(times[0] - lost < 300, "{lost} {times:?}");
    for pair in times.windows(2) {
        // The queue is looked at every 100 ms, and refilled every five seconds.
        assert!((9_900..=15_500).contains(&(pair[1] - pair[0])), "{times:?}");
    }
}

/// How many of these crashed nodes have a NoExecute taint after four minutes.
fn tainted_of(spec: &str, crashed: &[String], steps: &str) -> usize {
    let mut drill = Drill::on(spec, &[]);
    let mut all = steps.to_owned();
    for node in crashed {
        all += &format!("- crash: node/{node}\n  settle: false\n");
    }
    drill.during("240s", &all);
    crashed
        .iter()
        .filter(|node| taints(&mut drill, node).contains(&format!("{UNREACHABLE}:NoExecute")))
        .count()
}

fn names(prefix: &str, count: usize) -> Vec<String> {
    (0..count).map(|n| format!("{prefix}-{n}")).collect()
}

#[test]
fn t_node_010_012_a_zone_partly_down_is_not_tainted_further() {
    // Of two zones, one has lost so many of so many nodes => at most, at least so many are tainted.
    for (lost, of, least, most) in [
        // Fewer than three: as always.
        (2, 3, 2, 2),
        // Under 55 percent.
        (5, 10, 5, 5),
        // 60 percent: it stops, however many were tainted before that was known.
        (3, 5, 0, 2),
        (6, 10, 0, 5),
        // All of it: as always.
        (5, 5, 5, 5),
    ] {
        let spec = cluster(&[("n", "zone-a", of), ("m", "zone-b", 2)]);
        let count = tainted_of(&spec, &names("n", lost), "");
        assert!((least..=most).contains(&count), "{lost} of {of}: {count}");
    }
    // A large zone goes on at a tenth of the rate: in three minutes one or two more.
    let spec = cluster(&[("n", "zone-a", 60), ("m", "zone-b", 2)]);
    let count = tainted_of(&spec, &names("n", 36), "");
    assert!((2..=8).contains(&count), "36 of 60: {count}");
}

#[test]
fn t_node_011_when_every_node_is_silent_nobody_is_evicted() {
    let mut drill = Drill::on(&cluster(&[("n", "zone-a", 2), ("m", "zone-b", 1)]), &[]);
    for (name, node) in [("a", "n-0"), ("b", "n-1"), ("c", "m-0")] {
        drill.apply(&on_node(pod(name), node));
    }
    drill.during("2000s", "- partition: node/n-*\n- partition: node/m-0\n  settle: false");
    assert_eq!(deleting(&drill), []);
    for node in ["n-0", "n-1", "m-0"] {
        assert_eq!(taints(&mut drill, node), [format!("{UNREACHABLE}:NoSchedule")], "{node}");
    }
    // One comes back: the timers of the others begin anew.
    let back = drill.seconds();
    drill.during("700s", "- heal: node/m-0\n  settle: false");
    let gone = deleting(&drill);
    let mut names: Vec<_> = gone.iter().map(|(_, name)| name.clone()).collect();
    names.sort();
    assert_eq!(names, ["a", "b"]);
    assert!(gone.iter().all(|(time, _)| time / 1000 >= back + 300), "{gone:?} {back}");
    assert_eq!(taints(&mut drill, "m-0"), [""; 0]);
}

#[test]
fn t_node_013_nodes_excluded_from_disruption_do_not_count() {
    let spec = cluster(&[("n", "zone-a", 5), ("m", "zone-b", 2)]);
    let label = |node: &str| format!("- kubectl: label node {node} node.kubernetes.io/exclude-disruption=\n");
    // Three of five are too many; of those three, two that count are not.
    assert!(tainted_of(&spec, &names("n", 3), "") < 3);
    assert_eq!(tainted_of(&spec, &names("n", 3), &label("n-0")), 3, "still tainted itself");
}

#[test]
fn t_node_015_016_017_what_a_pod_does_not_tolerate_evicts_it() {
    let tolerant =
        |tolerations: Vec<Value>| with(on_node(pod("a"), "n-0"), "/spec/tolerations", json!(tolerations));
    // Tolerations, taints => seconds until it is deleted; None: never.
    for (name, tolerations, taints, after) in [
        ("none", vec![], vec!["k"], Some(0)),
        ("of another", vec![toleration("other", None)], vec!["k"], Some(0)),
        ("some seconds", vec![toleration("k", Some(40))], vec!["k"], Some(40)),
        // Of several for one taint the first counts, of those for several taints the smallest that sets a time.
        ("two for one", vec![toleration("k", Some(90)), toleration("k", Some(30))], vec!["k"], Some(90)),
        ("for ever", vec![toleration("k", None)], vec!["k"], None),
        (
            "for ever and some",
            vec![toleration("k", None), toleration("l", Some(20))],
            vec!["k", "l"],
            Some(20),
        ),
        ("no time", vec![toleration("k", Some(0))], vec!["k"], Some(0)),
        ("one of two", vec![toleration("k", Some(50))], vec!["k", "l"], Some(0)),
        ("two of two", vec![toleration("k", Some(50)), toleration("l", Some(25))], vec!["k", "l"], Some(25)),
    ] {
        let mut drill = Drill::on(&cluster(&[("n", "zone-a", 1)]), &[tolerant(tolerations)]);
        drill.sleep("2s");
        let all: Vec<_> = taints.iter().map(|key| format!("{key}=x:NoExecute")).collect();
        drill.during("200s", &format!("- kubectl: taint node n-0 {}", all.join(" ")));
        let start = tainted(&drill)[0].0;
        let gone: Vec<_> = deleting(&drill).iter().map(|(time, _)| (time - start) / 1000).collect();
        assert_eq!(gone, after.into_iter().collect::<Vec<u64>>(), "{name}");
        if after.is_some() {
            let disrupted = drill.events_of("pod/a disruption-target");
            assert_eq!(disrupted, ["pod/a disruption-target reason=DeletionByTaintManager"], "{name}");
            assert!(drill.find("pod/a").is_none());
        }
    }
}

#[test]
fn t_node_018_a_taint_that_goes_in_time_evicts_nobody() {
    let patient = with(on_node(pod("a"), "n-0"), "/spec/tolerations", json!([toleration("k", Some(60))]));
    let mut drill = Drill::on(&cluster(&[("n", "zone-a", 1)]), &[patient]);
    drill.during("50s", "- kubectl: taint node n-0 k=x:NoExecute");
    drill.during("200s", "- kubectl: taint node n-0 k:NoExecute-\n  settle: false");
    assert_eq!(deleting(&drill), []);
    // Another one is another time.
    drill.during("50s", "- kubectl: taint node n-0 k=x:NoExecute");
    assert_eq!(deleting(&drill), []);
    drill.during("20s", "");
    assert_eq!(deleting(&drill).len(), 1);
}

#[test]
fn t_node_019_pods_go_in_order_of_their_times() {
    let for_seconds = |name: &str, n| {
        with(on_node(pod(name), "n-0"), "/spec/tolerations", json!([toleration("k", Some(n))]))
    };
    let mut drill =
        Drill::on(&cluster(&[("n", "zone-a", 1)]), &[for_seconds("late", 25), for_seconds("early", 5)]);
    drill.during("60s", "- kubectl: taint node n-0 k=x:NoExecute");
    let start = tainted(&drill)[0].0;
    let gone: Vec<_> =
        deleting(&drill).into_iter().map(|(time, name)| ((time - start) / 1000, name)).collect();
    assert_eq!(gone, [(5, "early".to_owned()), (25, "late".to_owned())]);
}

#[test]
fn t_node_020_a_longer_toleration_does_not_postpone() {
    let patient = with(on_node(pod("a"), "n-0"), "/spec/tolerations", json!([toleration("k", Some(60))]));
    let mut drill = Drill::on(&cluster(&[("n", "zone-a", 1)]), &[patient]);
    drill.during("30s", "- kubectl: taint node n-0 k=x:NoExecute");
    let start = tainted(&drill)[0].0;
    let mut tolerations = drill.field("pod/a", "/spec/tolerations").as_array().cloned().expect("tolerations");
    tolerations.push(toleration("k", Some(500)));
    let patch =
        json!(format!("patch pod a --type=merge -p '{}'", json!({"spec": {"tolerations": tolerations}})));
    drill.during("60s", &format!("- kubectl: {patch}\n  settle: false"));
    assert_eq!(drill.events_of("pod/a deleting").len(), 1);
    assert_eq!((deleting(&drill)[0].0 - start) / 1000, 60);
    // None can be taken away: the API refuses that.
    let mut drill = Drill::on(&cluster(&[("n", "zone-a", 1)]), &[on_node(pod("b"), "n-0")]);
    let stderr = drill.refused("patch pod b --type=merge -p '{\"spec\":{\"tolerations\":[]}}'");
    assert!(stderr.contains("spec.tolerations"), "{stderr}");
}

#[test]
fn t_node_021_default_tolerations() {
    const NOT_READY: &str = "node.kubernetes.io/not-ready";
    let ever = json!([{"operator": "Exists"}]);
    // Given => seconds for not-ready, for unreachable; -1: no such toleration.
    for (given, not_ready, unreachable) in [
        (json!([]), 300, 300),
        (json!([toleration(NOT_READY, Some(200))]), 200, 300),
        (json!([toleration(UNREACHABLE, Some(0))]), 300, 0),
        (json!([toleration(NOT_READY, Some(200)), toleration(UNREACHABLE, Some(0))]), 200, 0),
        (ever, -1, -1),
    ] {
        let mut drill = Drill::on(STEADY, &[with(pod("a"), "/spec/tolerations", given.clone())]);
        let all = drill.field("pod/a", "/spec/tolerations");
        let seconds = |key: &str| {
            let found = all.as_array().into_iter().flatten().find(|toleration| toleration["key"] == key);
            found.map_or(-1, |toleration| toleration["tolerationSeconds"].as_i64().unwrap_or(-2))
        };
        assert_eq!((seconds(NOT_READY), seconds(UNREACHABLE)), (not_ready, unreachable), "{given}");
        for toleration in all.as_array().into_iter().flatten().filter(|t| t["tolerationSeconds"] == 300) {
            assert_eq!(
                (&toleration["operator"], &toleration["effect"]),
                (&json!("Exists"), &json!("NoExecute"))
            );
        }
    }
}

#[test]
fn t_node_024_pods_of_a_node_that_is_gone_are_collected() {
    let mut drill =
        Drill::on(&cluster(&[("n", "zone-a", 2)]), &[on_node(pod("a"), "n-0"), on_node(pod("b"), "n-1")]);
    drill.during("1s", "- crash: node/n-0");
    drill.during("120s", "- kubectl: delete node n-0\n  settle: false");
    let removed = noted(&drill, |_, record| record.note == Note::Deleted);
    let at = |name: &str| removed.iter().find(|(_, found)| found == name).map(|(time, _)| *time);
    let (node, gone) = (at("n-0").expect("deleted"), at("a").expect("collected"));
    // Quarantine of 40 s, begun and ended by runs 20 s apart.
    assert!((40_000..=81_000).contains(&(gone - node)), "{node} {gone}");
    let events = drill.events_of("pod/a");
    in_order(&events, &["pod/a disruption-target reason=DeletionByPodGC", "pod/a deleted"]);
    assert!(events.iter().any(|event| event == "pod/a failed"), "{events:?}");
    assert_eq!(at("b"), None);
}

#[test]
fn t_node_025_a_node_that_comes_back_in_time_keeps_its_pods() {
    let mut drill = Drill::on(&cluster(&[("n", "zone-a", 2)]), &[on_node(pod("a"), "n-0")]);
    let uid = drill.field("pod/a", "/metadata/uid");
    drill.during("30s", "- kubectl: delete node n-0");
    drill.during("300s", "- addNode: {name: n-0, zone: zone-a}\n  settle: false");
    assert_eq!((drill.field("pod/a", "/metadata/uid"), drill.events_of("pod/a deleted").len()), (uid, 0));
}

#[test]
fn t_node_026_a_pod_that_was_never_bound_goes_at_once() {
    let nowhere = with(pod("a"), "/spec/nodeSelector", json!({"nowhere": "x"}));
    let mut drill = Drill::on(STEADY, &[nowhere]);
    drill.kubectl("delete pod a --wait=false");
    assert!(drill.find("pod/a").is_none());
    // With a finalizer it stays until that is taken off; the collector's deletes do not help.
    let kept = with(pod("b"), "/metadata/finalizers", json!(["example.com/keep"]));
    drill.apply(&with(kept, "/spec/nodeSelector", json!({"nowhere": "x"})));
    drill.during("60s", "- kubectl: delete pod b --wait=false");
    assert!(drill.field("pod/b", "/metadata/deletionTimestamp").is_string());
    let_go(&mut drill, "pod/b");
    assert!(drill.find("pod/b").is_none());
}

#[test]
fn t_node_027_out_of_service() {
    // Effect of the taint, whether the node is down, whether the pod is being deleted => gone within two runs.
    for (taint, down, going, gone) in [
        ("NoExecute", true, true, true),
        ("NoSchedule", true, true, true),
        // A pod that is not being deleted is not the collector's.
        ("NoSchedule", true, false, false),
        ("", true, true, false),
        // A node that is ready: the pod ends in its own time.
        ("NoSchedule", false, true, false),
    ] {
        let name = format!("taint {taint:?}, down {down}, going {going}");
        let spec =
            format!("{}  behavior:\n  - {{image: 'web:*', stop: 1h}}\n", cluster(&[("n", "zone-a", 2)]));
        let patient = with(on_node(pod("a"), "n-0"), "/spec/terminationGracePeriodSeconds", json!(7200));
        let mut drill = Drill::on(&spec, &[patient]);
        if down {
            drill.during("70s", "- crash: node/n-0");
        }
        if going {
            drill.during("1s", "- kubectl: delete pod a --wait=false\n  settle: false");
        }
        if taint.is_empty() {
            drill.during("45s", "");
        } else {
            let line = format!("taint node n-0 node.kubernetes.io/out-of-service=x:{taint}");
            drill.during("45s", &format!("- kubectl: {line}\n  settle: false"));
        }
        assert_eq!(drill.find("pod/a").is_none(), gone, "{name}");
        if gone {
            in_order(&drill.events_of("pod/a"), &["pod/a failed", "pod/a deleted"]);
            assert_eq!(drill.events_of("pod/a disruption-target reason=DeletionByPodGC"), [""; 0]);
        }
    }
}

#[test]
fn t_node_028_a_set_comes_back_when_all_nodes_restart() {
    let mut drill = Drill::on(STEADY, &[set_with_claims(3)]);
    let uids = |drill: &mut Drill, kind: &str| {
        drill.list(kind).iter().map(|object| object["metadata"]["uid"].clone()).collect::<Vec<_>>()
    };
    let (pods, claims) = (uids(&mut drill, "pods"), uids(&mut drill, "pvc"));
    drill.step("- reboot: node/node-a\n  for: 60s\n- reboot: node/node-b\n  for: 60s\n  settle: false\n- reboot: node/node-c\n  for: 60s\n  settle: false");
    drill.sleep("60s");
    assert_eq!(drill.field("sts/web", "/status/readyReplicas"), 3);
    assert_eq!(
        (uids(&mut drill, "pods"), uids(&mut drill, "pvc")),
        (pods, claims),
        "the same pods, restarted"
    );
    for pod in drill.list("pods") {
        assert_eq!(pod["status"]["containerStatuses"][0]["restartCount"], 1);
    }
}

#[test]
fn t_node_029_pods_on_a_partitioned_node_are_not_made_again() {
    let mut drill = Drill::on(STEADY, &[set(3)]);
    let before = drill.object("pod/web-1");
    let node = before["spec"]["nodeName"].as_str().expect("a node").to_owned();
    drill.during("600s", &format!("- partition: node/{node}"));
    let during = drill.object("pod/web-1");
    assert_eq!(during["metadata"]["uid"], before["metadata"]["uid"]);
    assert!(
        during["metadata"]["deletionTimestamp"].is_string(),
        "marked after five minutes, and that is all"
    );
    assert_eq!(drill.names("pods"), ["web-0", "web-1", "web-2"]);
    drill.step(&format!("- heal: node/{node}\n  settle: false"));
    drill.sleep("60s");
    assert_eq!(drill.field("sts/web", "/status/readyReplicas"), 3);
    assert_ne!(drill.field("pod/web-1", "/metadata/uid"), before["metadata"]["uid"]);
}

#[test]
fn t_node_030_pods_of_a_replica_set_are_replaced_during_a_partition() {
    for (grace, left) in [(0, 1), (30, 2)] {
        let owner = with(deployment(1), "/spec/template/spec/terminationGracePeriodSeconds", json!(grace));
        let mut drill = Drill::on(STEADY, &[owner]);
        let pod = drill.names("pods").remove(0);
        drill.during("600s", &format!("- partition: node-of(pod/{pod})"));
        assert_eq!(drill.names("pods").len(), left, "grace {grace}");
        assert_eq!(drill.find(&format!("pod/{pod}")).is_some(), grace > 0);
        assert_eq!(drill.field("deploy/web", "/status/readyReplicas"), 1);
    }
}

#[test]
fn t_node_031_032_restarts_of_controller_manager_and_scheduler() {
    let mut drill =
        Drill::on(STEADY, &[set_with_claims(3), with(deployment(3), "/metadata/name", json!("front"))]);
    drill.step("- restart: kube-controller-manager\n- sleep: 60s\n- restart: kube-scheduler\n- sleep: 60s");
    assert_eq!(drill.events_of("pod/"), [""; 0]);
    assert_eq!(drill.events_of("pvc/"), [""; 0]);
    drill.step("- stop: kube-scheduler\n- kubectl: scale deploy/front --replicas=5");
    let waiting = drill.list("pods").iter().filter(|pod| pod["spec"]["nodeName"].is_null()).count();
    assert_eq!(waiting, 2);
    drill.step("- start: kube-scheduler");
    assert_eq!(drill.field("deploy/front", "/status/readyReplicas"), 5);
}
