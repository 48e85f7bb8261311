use super::Bench;
use crate::config::{Config, NodeTies};
use proptest::prelude::*;
use serde_json::json;

fn seeded(seed: u64) -> Bench {
    Bench::with(seed, Config { node_ties: NodeTies::Seeded, ..Config::recorded() })
}

/// A step of a generated history.
#[derive(Clone, Debug)]
enum Step {
    Create { cpu: u32, anti_affine: bool },
    Delete(usize),
    Wait(u16),
    Restart,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (1u32..5, prop::bool::weighted(0.2)).prop_map(|(cpu, anti_affine)| Step::Create { cpu, anti_affine }),
        3 => (0usize..30).prop_map(Step::Delete),
        3 => (1u16..300).prop_map(Step::Wait),
        1 => Just(Step::Restart),
    ]
}

fn play(bench: &mut Bench, steps: &[Step]) -> Vec<String> {
    let mut pods: Vec<String> = Vec::new();
    for step in steps {
        match step {
            Step::Create { cpu, anti_affine } => {
                let name = format!("p{}", pods.len());
                let mut spec = Bench::cpu(&cpu.to_string());
                if *anti_affine {
                    spec["affinity"] = json!({"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [
                        {"labelSelector": {"matchLabels": {"alone": "yes"}}, "topologyKey": "topology.kubernetes.io/zone"},
                    ]}});
                }
                let labels = json!({"app": "web", "alone": if *anti_affine { "yes" } else { "no" }});
                bench.pod_with(&name, labels, spec);
                pods.push(name);
            }
            Step::Delete(index) => {
                if let Some(name) = pods.get(*index).cloned() {
                    bench.delete(&name, Some(0));
                }
            }
            Step::Wait(millis) => bench.run(u64::from(*millis)),
            Step::Restart => {
                bench.cluster.stop(crate::event::Process::Scheduler);
                bench.run(1);
                bench.cluster.start(crate::event::Process::Scheduler);
            }
        }
    }
    bench.run(3000);
    pods
}

/// cpu requested by the pods on each node, by a plain count, with what the node has.
fn load(bench: &Bench) -> Vec<(u64, u64)> {
    let store = &bench.cluster.world.store;
    let nodes = store.nodes.iter().map(|(id, node)| {
        let on_it = store.pods.iter().filter(|(_, pod)| pod.node == id && !pod.is_terminal());
        (on_it.map(|(_, pod)| store.pod_spec(pod.spec).cpu).sum(), node.cpu)
    });
    nodes.collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn nodes_are_never_overcommitted_and_nothing_that_fits_waits(
        steps in prop::collection::vec(step(), 1..40),
        seed in 0u64..1000,
    ) {
        let mut bench = seeded(seed);
        for (node, zone) in [("n1", "a"), ("n2", "a"), ("n3", "b")] {
            bench.node(node, zone, 6000);
        }
        let pods = play(&mut bench, &steps);
        let load = load(&bench);
        prop_assert!(load.iter().all(|(used, all)| used <= all), "{load:?}");
        // INV-110: who waits has no node that would do, and says so.
        for name in pods {
            let Some((_, pod)) = bench.find(&name).filter(|(_, pod)| !pod.is_bound()) else { continue };
            let store = &bench.cluster.world.store;
            let spec = store.pod_spec(pod.spec);
            if spec.placement.is_none() {
                prop_assert!(load.iter().all(|(used, all)| used + spec.cpu > *all), "{name} of {load:?}");
            }
            prop_assert!(bench.message(&name).starts_with("0/3 nodes are available: "));
        }
        // Pods that keep away from one another are in different zones.
        let store = &bench.cluster.world.store;
        let alone = store.pods.iter().filter(|(_, pod)| {
            pod.is_bound() && store.pod_spec(pod.spec).placement.is_some()
        });
        let mut zones: Vec<_> = alone.filter_map(|(_, pod)| Some(store.nodes.get(pod.node)?.zone)).collect();
        let count = zones.len();
        zones.sort_unstable();
        zones.dedup();
        prop_assert_eq!(zones.len(), count);
    }

    #[test]
    fn implicit_spreading_scores_as_the_constraints_would(
        nodes in prop::collection::vec((0usize..4, any::<bool>()), 1..9),
        pods in 1usize..25,
        seed in 0u64..1000,
    ) {
        let mut bench = seeded(seed);
        bench.create(json!({
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": "web", "namespace": "default"},
            "spec": {"selector": {"app": "web"}, "ports": [{"port": 80}]},
        }));
        for (n, (zone, full)) in nodes.iter().enumerate() {
            // Zone 0 is none.
            let zone = if *zone == 0 { String::new() } else { format!("zone-{zone}") };
            bench.node(&format!("n{n}"), &zone, if *full { 2000 } else { 9000 });
        }
        for n in 0..pods {
            bench.pod(&format!("p{n}"), Bench::cpu("500m"));
        }
        bench.run(500);
        let (_, pod) = bench.find("p0").expect("made above");
        let pending = crate::api::objects::Pod { node: crate::kernel::Id::NONE, ..pod };
        let (scheduler, world) = (&mut bench.cluster.scheduler, &mut bench.cluster.world);
        let class = scheduler.classes.of(&pending, &mut scheduler.cache, world);
        let class = scheduler.classes.get(class);
        let feasible: Vec<u32> = (0..nodes.len() as u32).collect();
        let (mut one, mut other) = (vec![0; nodes.len()], vec![0; nodes.len()]);
        let spread = &mut scheduler.scratch.spread;
        spread.score(class, &scheduler.cache, &world.store, &feasible, &mut one);
        spread.score_each(class, &scheduler.cache, &world.store, &feasible, &mut other);
        prop_assert_eq!(&one, &other);
        prop_assert!(class.soft.len() == 2 && one.iter().any(|score| *score > 0));
        // What the counters say is what a plain count says.
        let store = &world.store;
        for (node, (id, _)) in store.nodes.iter().enumerate() {
            let plain = store.pods.iter().filter(|(_, pod)| pod.node == id).count();
            let counter = scheduler.cache.counts.counter(class.soft[0].counter);
            prop_assert_eq!(counter.live_on(node as u32) as usize, plain);
        }
    }

    #[test]
    fn the_same_seed_gives_the_same_places(steps in prop::collection::vec(step(), 1..30), seed in 0u64..1000) {
        let places = || {
            let mut bench = seeded(seed);
            for node in ["n1", "n2", "n3"] {
                bench.node(node, "a", 6000);
            }
            let pods = play(&mut bench, &steps);
            pods.iter().map(|pod| bench.place(pod)).collect::<Vec<_>>()
        };
        prop_assert_eq!(places(), places());
    }

    #[test]
    fn the_order_in_which_nodes_were_made_does_not_matter(
        order in Just(["n1", "n2", "n3", "n4", "n5"]).prop_shuffle(),
        count in 1usize..12,
        seed in 0u64..1000,
    ) {
        let places = |nodes: &[&str]| {
            let mut bench = seeded(seed);
            for node in nodes {
                bench.node(node, &format!("zone-{}", node.len() + usize::from(*node == "n3")), 8000);
            }
            for n in 0..count {
                bench.pod(&format!("p{n}"), Bench::cpu("500m"));
            }
            bench.run(1000);
            (0..count).map(|n| bench.place(&format!("p{n}"))).collect::<Vec<_>>()
        };
        prop_assert_eq!(places(&["n1", "n2", "n3", "n4", "n5"]), places(&order));
    }
}
