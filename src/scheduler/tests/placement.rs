use super::Bench;
use crate::api::objects::{Disruption, Effect, Node, PodReason};
use crate::config::{Config, NodeTies};
use crate::event::Process;
use crate::rule::Rule;
use serde_json::{Value, json};

fn service(bench: &mut Bench) {
    bench.create(json!({
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "web", "namespace": "default"},
        "spec": {"selector": {"app": "web"}, "ports": [{"port": 80}]},
    }));
}

fn anti_affinity(key: &str) -> Value {
    json!({"affinity": {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [
        {"labelSelector": {"matchLabels": {"app": "web"}}, "topologyKey": key},
    ]}}})
}

fn spread(when: &str) -> Value {
    json!({"topologySpreadConstraints": [{
        "maxSkew": 1,
        "topologyKey": "topology.kubernetes.io/zone",
        "whenUnsatisfiable": when,
        "labelSelector": {"matchLabels": {"app": "web"}},
    }]})
}

const NOT_HELPFUL: &str = "Preemption is not helpful for scheduling";
const NO_VICTIMS: &str = "No preemption victims found for incoming pod";

fn failed(nodes: u32, reasons: &str, after: &str) -> String {
    format!(
        "0/{nodes} nodes are available: {reasons}. no new claims to deallocate, preemption: 0/{nodes} nodes are \
         available: {after}."
    )
}

#[test]
fn pods_of_a_service_are_spread_over_zones_then_nodes() {
    // SCHED-24
    let mut bench = Bench::three();
    bench.node("node-d", "zone-a", 8000);
    service(&mut bench);
    for pod in ["a", "b", "c", "d", "e"] {
        bench.pod(pod, json!({}));
        bench.run(50);
    }
    assert_eq!(bench.places(&["a", "b", "c", "d"]), ["node-a", "node-b", "node-c", "node-d"]);
    // Then by the number of pods in the zone: a has two, b and c one each.
    assert_eq!(bench.place("e"), "node-b");
}

#[test]
fn pods_without_any_selector_go_to_the_emptiest_node() {
    let mut bench = Bench::three();
    bench.pod("a", Bench::cpu("1"));
    bench.run(50);
    bench.pod("b", Bench::cpu("1"));
    bench.run(50);
    bench.pod("c", Bench::cpu("1"));
    bench.run(50);
    assert_eq!(bench.places(&["a", "b", "c"]), ["node-a", "node-b", "node-c"]);
}

#[test]
fn what_does_not_fit_waits_for_a_node() {
    // SCHED-14, SCHED-22
    let mut bench = Bench::new();
    bench.node("node-a", "zone-a", 2000);
    bench.pod("a", Bench::cpu("2"));
    bench.pod("b", Bench::cpu("2"));
    bench.pod("c", Bench::cpu("3"));
    bench.run(100);
    assert_eq!(bench.places(&["a", "b", "c"]), ["node-a", "", ""]);
    assert_eq!(bench.message("b"), failed(1, "1 Insufficient cpu", &format!("1 {NO_VICTIMS}")));
    assert_eq!(bench.message("c"), failed(1, "1 Insufficient cpu", &format!("1 {NOT_HELPFUL}")));
    assert_eq!(bench.reason("b"), PodReason::Unschedulable);
    bench.node("node-b", "zone-b", 4000);
    bench.run(100);
    assert_eq!(bench.places(&["a", "b", "c"]), ["node-a", "node-b", ""]);
    assert_eq!((bench.message("b"), bench.reason("b")), (String::new(), PodReason::None));
    bench.delete("b", Some(0));
    bench.run(100);
    assert_eq!(bench.place("c"), "node-b");
}

#[test]
fn a_bound_pod_gets_the_labels_of_its_zone() {
    let mut bench = Bench::three();
    bench.pod("a", json!({}));
    bench.run(50);
    let (_, pod) = bench.find("a").unwrap();
    let store = &bench.cluster.world.store;
    let labels = store.label_texts(pod.meta.labels);
    assert!(labels.contains(&("topology.kubernetes.io/zone", "zone-a")), "{labels:?}");
    assert!(labels.iter().any(|(key, _)| *key == "topology.kubernetes.io/region"), "{labels:?}");
}

#[test]
fn anti_affinity_is_symmetric_and_counts_terminating_pods() {
    // SCHED-15
    let mut bench = Bench::three();
    for pod in ["a", "b", "c", "d"] {
        bench.pod(pod, anti_affinity("kubernetes.io/hostname"));
    }
    bench.run(100);
    assert_eq!(bench.places(&["a", "b", "c", "d"]), ["node-a", "node-b", "node-c", ""]);
    let reasons = "3 node(s) didn't match pod anti-affinity rules";
    assert_eq!(bench.message("d"), failed(3, reasons, &format!("3 {NO_VICTIMS}")));
    // A pod without terms of its own is kept away by those that have some.
    bench.pod("e", json!({}));
    bench.run(50);
    let reasons = "3 node(s) didn't satisfy existing pods anti-affinity rules";
    assert_eq!(bench.message("e"), failed(3, reasons, &format!("3 {NO_VICTIMS}")));
    bench.delete("b", Some(0));
    bench.run(50);
    assert_eq!(bench.place("d"), "node-b");
    bench.node("node-d", "zone-a", 8000);
    bench.run(50);
    assert_eq!(bench.place("e"), "node-d");
}

#[test]
fn the_first_of_a_series_may_be_alone() {
    let near = json!({"affinity": {"podAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [
        {"labelSelector": {"matchLabels": {"app": "web"}}, "topologyKey": "topology.kubernetes.io/zone"},
    ]}}});
    let mut bench = Bench::three();
    bench.node("node-d", "zone-b", 8000);
    bench.pod_with("other", json!({"app": "other"}), near.clone());
    bench.run(50);
    let reasons = "4 node(s) didn't match pod affinity rules";
    assert_eq!(bench.message("other"), failed(4, reasons, &format!("4 {NOT_HELPFUL}")));
    bench.pod("a", near.clone());
    bench.pod("b", near);
    bench.run(50);
    assert_eq!(bench.places(&["a", "b", "other"]), ["node-a"; 3]);
}

#[test]
fn a_cordoned_zone_still_counts_as_a_domain() {
    // SCHED-16
    let mut bench = Bench::new();
    bench.node("node-a", "zone-a", 8000);
    let node_b = bench.node("node-b", "zone-b", 8000);
    for pod in ["a", "b"] {
        bench.pod(pod, spread("DoNotSchedule"));
    }
    bench.run(50);
    assert_eq!(bench.places(&["a", "b"]), ["node-a", "node-b"]);
    let cordon = |bench: &mut Bench, on| {
        bench.cluster.world.update(node_b, Rule::NONE, |node: &mut Node| node.unschedulable = on);
        bench.run(50);
    };
    cordon(&mut bench, true);
    for pod in ["c", "d"] {
        bench.pod(pod, spread("DoNotSchedule"));
    }
    bench.run(50);
    assert_eq!(bench.places(&["c", "d"]), ["node-a", ""]);
    let message = bench.message("d");
    assert!(
        message.starts_with(
            "0/2 nodes are available: 1 node(s) didn't match pod topology spread constraints, 1 node(s) "
        ),
        "{message}"
    );
    cordon(&mut bench, false);
    bench.run(50);
    assert_eq!(bench.place("d"), "node-b");
}

#[test]
fn soft_constraints_only_prefer() {
    let mut bench = Bench::new();
    bench.node("node-a", "zone-a", 8000);
    bench.node("node-b", "zone-b", 1000);
    for pod in ["a", "b", "c"] {
        let mut spec = spread("ScheduleAnyway");
        spec["containers"] = Bench::cpu("1")["containers"].clone();
        bench.pod(pod, spec);
        bench.run(50);
    }
    assert_eq!(bench.places(&["a", "b", "c"]), ["node-a", "node-b", "node-a"]);
}

#[test]
fn taints_keep_away_until_they_are_gone() {
    let mut bench = Bench::new();
    let node = bench.node_with("node-a", "zone-a", |node| {
        node.taints = vec![("dedicated".into(), "db".into(), Effect::NoSchedule)];
    });
    bench.pod(
        "a",
        json!({"tolerations": [
            {"key": "dedicated", "operator": "Equal", "value": "db", "effect": "NoSchedule"},
        ]}),
    );
    bench.pod("b", json!({}));
    bench.run(50);
    assert_eq!(bench.places(&["a", "b"]), ["node-a", ""]);
    let reasons = "1 node(s) had untolerated taint(s)";
    assert_eq!(bench.message("b"), failed(1, reasons, &format!("1 {NOT_HELPFUL}")));
    bench.cluster.world.update(node, Rule::NONE, |node: &mut Node| node.taints = [].into());
    bench.run(50);
    assert_eq!(bench.place("b"), "node-a");
}

#[test]
fn a_taint_that_only_discourages_costs_score() {
    let mut bench = Bench::new();
    bench.node_with("node-a", "zone-a", |node| {
        node.taints = vec![("old".into(), String::new(), Effect::PreferNoSchedule)];
    });
    bench.node("node-b", "zone-b", 8000);
    for pod in ["a", "b", "c"] {
        bench.pod(pod, Bench::cpu("1"));
        bench.run(50);
    }
    assert_eq!(bench.places(&["a", "b", "c"]), ["node-b"; 3]);
}

#[test]
fn node_affinity_required_and_preferred() {
    let mut bench = Bench::three();
    bench.pod("a", json!({"nodeSelector": {"kubernetes.io/hostname": "node-c"}}));
    let term = |weight: Option<u32>, zone: &str| {
        let expressions = json!([{"key": "topology.kubernetes.io/zone", "operator": "In", "values": [zone]}]);
        match weight {
            Some(weight) => json!({"weight": weight, "preference": {"matchExpressions": expressions}}),
            None => json!({"matchExpressions": expressions}),
        }
    };
    bench.pod("b", json!({"affinity": {"nodeAffinity": {
        "preferredDuringSchedulingIgnoredDuringExecution": [term(Some(1), "zone-c"), term(Some(5), "zone-b")],
    }}}));
    bench.pod(
        "c",
        json!({"affinity": {"nodeAffinity": {
            "requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [term(None, "zone-x")]},
        }}}),
    );
    bench.run(50);
    assert_eq!(bench.places(&["a", "b", "c"]), ["node-c", "node-b", ""]);
    let reasons = "3 node(s) didn't match Pod's node affinity/selector";
    assert_eq!(bench.message("c"), failed(3, reasons, &format!("3 {NOT_HELPFUL}")));
    bench.node("node-x", "zone-x", 8000);
    bench.run(50);
    assert_eq!(bench.place("c"), "node-x");
}

#[test]
fn a_more_important_pod_takes_the_place_of_the_younger_one() {
    // SCHED-27; recorded as sched-preempt-sts.
    let mut bench = Bench::new();
    bench.node("node-a", "zone-a", 4000);
    for (name, policy) in [("high", "PreemptLowerPriority"), ("polite", "Never")] {
        bench.create(json!({
            "apiVersion": "scheduling.k8s.io/v1",
            "kind": "PriorityClass",
            "metadata": {"name": name},
            "value": 1000,
            "preemptionPolicy": policy,
        }));
    }
    bench.pod("old", Bench::cpu("2"));
    bench.run(1500);
    bench.pod("young", Bench::cpu("2"));
    bench.run(1500);
    let of_class = |class: &str| {
        let mut spec = Bench::cpu("2");
        spec["priorityClassName"] = class.into();
        spec
    };
    bench.pod("polite", of_class("polite"));
    bench.run(20);
    assert_eq!(
        bench.message("polite"),
        "0/1 nodes are available: 1 Insufficient cpu. no new claims to deallocate, preemption: not eligible due to \
         preemptionPolicy=Never."
    );
    bench.delete("polite", Some(0));
    bench.pod("big", of_class("high"));
    bench.run(20);
    assert_eq!(bench.message("big"), "0/1 nodes are available: 1 Insufficient cpu.");
    let (_, big) = bench.find("big").unwrap();
    let (_, young) = bench.find("young").unwrap();
    assert_eq!((big.nominated, young.disruption), (young.node, Disruption::ByScheduler));
    assert!(young.is_terminating() && !bench.find("old").unwrap().1.is_terminating());
    // A pod of the same size that comes meanwhile does not take the place.
    bench.pod("sly", Bench::cpu("2"));
    bench.delete("young", Some(0));
    bench.run(100);
    assert_eq!(bench.places(&["big", "sly"]), ["node-a", ""]);
}

#[test]
fn without_any_node_a_pod_is_tried_again_and_again() {
    let mut bench = Bench::new();
    bench.pod("a", json!({}));
    bench.run(5000);
    assert_eq!(bench.message("a"), "no nodes available to schedule pods");
    assert!(bench.cluster.world.is_settled());
    bench.node("node-a", "zone-a", 8000);
    bench.run(11_000);
    assert_eq!(bench.place("a"), "node-a");
}

#[test]
fn a_restarted_scheduler_knows_what_is_where() {
    let mut bench = Bench::new();
    bench.node("node-a", "zone-a", 4000);
    bench.pod("a", Bench::cpu("3"));
    bench.run(100);
    bench.cluster.stop(Process::Scheduler);
    bench.pod("b", Bench::cpu("3"));
    bench.pod("c", Bench::cpu("1"));
    bench.run(1000);
    assert_eq!(bench.places(&["b", "c"]), ["", ""]);
    bench.cluster.start(Process::Scheduler);
    bench.run(100);
    assert_eq!(bench.places(&["a", "b", "c"]), ["node-a", "", "node-a"]);
    bench.delete("a", Some(0));
    bench.run(100);
    assert_eq!(bench.place("b"), "node-a");
}

#[test]
fn a_pod_deleted_before_its_binding_leaves_no_trace() {
    // SCHED-21
    let mut bench = Bench::new();
    bench.node("node-a", "zone-a", 4000);
    bench.pod("a", Bench::cpu("4"));
    // Assumed, the binding is on its way.
    bench.run(4);
    bench.delete("a", Some(0));
    bench.pod("b", Bench::cpu("4"));
    bench.run(100);
    assert_eq!((bench.find("a").is_none(), bench.place("b").as_str()), (true, "node-a"));
}

#[test]
fn unschedulable_pods_are_flushed_after_five_minutes() {
    // SCHED-5: at the first of the 30 s ticks after that.
    let mut bench = Bench::new();
    bench.node("node-a", "zone-a", 1000);
    bench.pod("a", Bench::cpu("2"));
    bench.run(100);
    bench.cluster.world.events.turn_on();
    let attempts = |bench: &Bench| -> u32 {
        let events = bench.cluster.world.events.iter();
        events.filter(|event| event.reason == "FailedScheduling").map(|event| event.count).sum()
    };
    bench.run(299_000);
    assert_eq!(attempts(&bench), 0);
    bench.run(31_500);
    assert_eq!(attempts(&bench), 1);
}

#[test]
fn ties_are_drawn_from_the_seed_and_the_pod() {
    // SCHED-26
    let mut places = Vec::new();
    for seed in 0..40 {
        let mut bench = Bench::with(seed, Config { node_ties: NodeTies::Seeded, ..Config::recorded() });
        for node in ["a", "b", "c", "d"] {
            bench.node(node, "zone-a", 8000);
        }
        bench.pod("p", json!({}));
        bench.run(50);
        places.push(bench.place("p"));
    }
    let mut different = places.clone();
    different.sort();
    different.dedup();
    assert_eq!(different, ["a", "b", "c", "d"], "{places:?}");
}
