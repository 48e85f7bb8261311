use crate::api::objects::*;
use crate::api::rest::ObjectRef;
use crate::controllers::replica_set::testing::{Bench, template};
use crate::kernel::{Duration, Id};
use crate::rule::Rule;
use serde_json::{Value, json};

fn budget(bench: &mut Bench, name: &str, spec: Value) -> ObjectRef {
    let mut object = json!({
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {"selector": {"matchLabels": {"app": "web"}}},
    });
    for (key, value) in spec.as_object().into_iter().flatten() {
        object["spec"][key] = value.clone();
    }
    bench.apply(object)
}

fn numbers(bench: &Bench, budget: ObjectRef) -> (i32, i32, i32, i32) {
    let status = status(bench, budget);
    (status.allowed, status.healthy, status.desired, status.expected)
}

fn status(bench: &Bench, budget: ObjectRef) -> BudgetStatus {
    bench.world.store.budgets.get(budget.id()).unwrap().status.clone()
}

fn told(bench: &Bench, reason: &str) -> Vec<String> {
    bench.events().into_iter().filter(|(r, _)| *r == reason).map(|(_, message)| message).collect()
}

/// PDB-4, PDB-7, PDB-8: the status follows pods as they become ready or not.
#[test]
fn the_status_follows_pods() {
    let mut bench = Bench::new();
    let web = budget(&mut bench, "web", json!({"maxUnavailable": 1}));
    bench.run(100);
    assert_eq!((numbers(&bench, web), status(&bench, web).reason), ((0, 0, 0, 0), "InsufficientPods"));
    assert_eq!(told(&bench, "NoPods"), ["No matching pods found"]);
    bench.create("Deployment", 3, json!({}));
    bench.run(2000);
    assert_eq!((numbers(&bench, web), status(&bench, web).reason), ((1, 3, 2, 3), "SufficientPods"));
    let (id, _) = bench.pods()[0];
    bench.world.update(id, Rule::NONE, |pod| pod.flags.set(PodFlags::READY, false));
    bench.run(100);
    assert_eq!(numbers(&bench, web), (0, 2, 2, 3));
    bench.world.update(id, Rule::NONE, |pod| pod.flags.set(PodFlags::READY, true));
    bench.run(100);
    assert_eq!(numbers(&bench, web), (1, 3, 2, 3));
}

/// PDB-6: two ReplicaSets of one Deployment count once, a bare pod not at all.
#[test]
fn controllers_count_once() {
    let mut bench = Bench::new();
    let web = budget(&mut bench, "web", json!({"minAvailable": "50%"}));
    let object = bench.create("Deployment", 4, json!({}));
    bench.run(2000);
    bench.set_image(object, "web:broken");
    bench.run(2000);
    assert_eq!(bench.sets(), [(3, "1".into()), (2, "2".into())]);
    assert_eq!(numbers(&bench, web), (1, 3, 2, 4));
    let mut pod = template("web:v1");
    pod["apiVersion"] = "v1".into();
    pod["kind"] = "Pod".into();
    pod["metadata"] = json!({"name": "bare", "namespace": "default", "labels": {"app": "web", "other": "x"}});
    bench.apply(pod);
    bench.run(1000);
    assert_eq!(numbers(&bench, web), (2, 4, 2, 4));
    assert!(
        told(&bench, "UnmanagedPods")[0]
            .contains("(selector: &LabelSelector{MatchLabels:map[string]string{app: web,},")
    );
}

/// PDB-9.
#[test]
fn what_cannot_be_computed_allows_nothing() {
    let mut bench = Bench::new();
    let web = budget(&mut bench, "web", json!({"maxUnavailable": 1}));
    let object = bench.create("ReplicaSet", 2, json!({}));
    bench.run(2000);
    assert_eq!(numbers(&bench, web).0, 1);
    let set = bench.world.store.replica_sets.get(object.id()).unwrap().meta.uid;
    bench.world.remove(object.id::<ReplicaSet>(), Rule::NONE);
    let (id, pod) = bench.pods()[0];
    assert_eq!(bench.world.store.controller_of(pod.meta.owners).unwrap().uid, set);
    bench.world.update(id, Rule::NONE, |pod| pod.restarts = crate::kernel::U24::of(1));
    bench.run(50);
    let status = status(&bench, web);
    assert_eq!((status.allowed, status.healthy, status.reason), (0, 2, "SyncFailed"));
    assert!(bench.world.store.names.text(status.message).starts_with("found no controllers for pod \"web-"));
}

/// A change of the only budget counts nothing twice.
#[test]
fn the_only_budget_can_change() {
    let mut bench = Bench::new();
    let web = budget(&mut bench, "web", json!({"maxUnavailable": 0}));
    bench.create("ReplicaSet", 3, json!({}));
    bench.run(2000);
    assert_eq!(numbers(&bench, web), (0, 3, 3, 3));
    let patch = json!({"spec": {"maxUnavailable": 1}});
    bench.world.rest_patch(web, crate::api::patch::PatchType::Merge, &patch, "").unwrap();
    bench.run(1000);
    assert_eq!(numbers(&bench, web), (1, 3, 2, 3));
}

fn disrupt(bench: &mut Bench, web: ObjectRef, pod: Id<Pod>) {
    let name = bench.world.store.pods.get(pod).unwrap().meta.name;
    let now = Seconds::of(bench.world.now());
    bench.world.update(web.id::<Budget>(), Rule::NONE, |budget| {
        budget.status.allowed -= 1;
        budget.status.disrupted.push((name, now));
    });
}

/// PDB-10: an approved eviction counts until the pod goes, or for two minutes.
#[test]
fn approved_evictions_count_for_two_minutes() {
    let mut bench = Bench::new();
    let web = budget(&mut bench, "web", json!({"maxUnavailable": 1}));
    bench.create("ReplicaSet", 3, json!({}));
    bench.run(2000);
    let (id, _) = bench.pods()[0];
    disrupt(&mut bench, web, id);
    bench.run(118_000);
    assert_eq!((numbers(&bench, web), status(&bench, web).disrupted.len()), ((0, 2, 2, 3), 1));
    bench.run(3_000);
    assert_eq!((numbers(&bench, web), status(&bench, web).disrupted.len()), ((1, 3, 2, 3), 0));
    assert_eq!(
        told(&bench, "NotDeleted"),
        ["Pod was expected by PDB default/default to be deleted but it wasn't"]
    );
    // The pod goes: the entry is dropped, the budget waits for the replacement (PDB-18).
    let (id, _) = bench.pods()[1];
    disrupt(&mut bench, web, id);
    bench.world.delete(id, Default::default(), Rule::NONE).unwrap();
    bench.run(100);
    assert_eq!((numbers(&bench, web), status(&bench, web).disrupted.len()), ((0, 2, 2, 3), 0));
    bench.run(1000);
    assert_eq!(numbers(&bench, web), (1, 3, 2, 3));
}

/// PDB-11.
#[test]
fn stale_marks_are_reset() {
    let mut bench = Bench::new();
    bench.create("ReplicaSet", 3, json!({}));
    bench.run(2000);
    let ids: Vec<_> = bench.pods().iter().map(|(id, _)| *id).collect();
    for (id, disruption) in
        ids.iter().zip([Disruption::ByEviction, Disruption::ByKubelet, Disruption::ByEviction])
    {
        bench.world.update(*id, Rule::NONE, |pod| {
            pod.flags.set(PodFlags::DISRUPTION_TARGET, true);
            pod.disruption = disruption;
        });
    }
    bench.run(1000);
    bench.world.delete(ids[2], Default::default(), Rule::NONE).unwrap();
    let marked = |bench: &Bench, id| {
        bench.world.store.pods.get(id).is_some_and(|pod: &Pod| pod.flags.has(PodFlags::DISRUPTION_TARGET))
    };
    bench.run(117_000);
    assert!(marked(&bench, ids[0]) && marked(&bench, ids[1]));
    bench.run(3_000);
    assert!(!marked(&bench, ids[0]) && marked(&bench, ids[1]));
}

/// PDB-4, PDB-14 (pdb-two-budgets): a pod event wakes one of them, mostly the older; both count when they are looked at.
#[test]
fn two_budgets_over_a_pod() {
    let mut bench = Bench::new();
    let first = budget(&mut bench, "web", json!({"maxUnavailable": 1}));
    bench.run(100);
    let second = budget(&mut bench, "web2", json!({"maxUnavailable": 2}));
    bench.create("ReplicaSet", 2, json!({}));
    bench.run(2000);
    assert_eq!(numbers(&bench, first), (1, 2, 1, 2));
    assert_eq!(numbers(&bench, second).1, 0, "nobody has woken it");
    let message = &told(&bench, "MultiplePodDisruptionBudgets")[0];
    assert!(
        message.starts_with("Pod \"default\"/\"web-") && message.contains("Chose \"web\" arbitrarily."),
        "{message}"
    );
    bench.world.rest_delete(first, Default::default()).unwrap();
    let (id, _) = bench.pods()[0];
    bench.world.update(id, Rule::NONE, |pod| pod.restarts = crate::kernel::U24::of(1));
    bench.run(100);
    assert_eq!(numbers(&bench, second), (2, 2, 0, 2));
}

/// PDB-2: `{}` selects all, an absent selector none; a selector on a pod's own name works too.
#[test]
fn selectors() {
    let mut bench = Bench::new();
    bench.create("ReplicaSet", 2, json!({}));
    let all = budget(&mut bench, "all", json!({"minAvailable": 1, "selector": {}}));
    bench.run(2000);
    assert_eq!(numbers(&bench, all), (1, 2, 1, 2));
    bench.patch(all, json!({"spec": {"selector": null}}));
    bench.run(100);
    assert_eq!(numbers(&bench, all), (0, 0, 1, 0));
    let (id, pod) = bench.pods()[0];
    bench.world.update(id, Rule::NONE, |pod| pod.flags.set(PodFlags::NAME_LABEL, true));
    let name = bench.world.store.name_of(pod.meta.name);
    bench.patch(
        all,
        json!({"spec": {"selector": {"matchLabels": {"statefulset.kubernetes.io/pod-name": name}}}}),
    );
    bench.run(100);
    assert_eq!(numbers(&bench, all), (0, 1, 1, 1));
}

/// The counts kept change by change are those of a fresh look, also after a restart (INV-61).
#[test]
fn counts_are_those_of_a_fresh_look() {
    for seed in 0..10 {
        let mut bench = Bench::with(seed, crate::config::Config::recorded());
        bench.stop = Duration::from_millis(700);
        let web = budget(&mut bench, "web", json!({"minAvailable": 2}));
        bench.create("ReplicaSet", 6, json!({}));
        bench.run(1500);
        for round in 0..6u64 {
            let pods = bench.pods();
            let pick =
                |n: u64| pods[usize::try_from((seed * 5 + round * 3 + n) % pods.len() as u64).unwrap()].0;
            bench.world.delete(pick(0), Default::default(), Rule::NONE).unwrap();
            bench.world.update(pick(1), Rule::NONE, |pod| pod.flags.set(PodFlags::READY, round % 2 == 0));
            if round == 3 {
                bench.restart();
            }
            bench.run(130 * (round + 1));
        }
        bench.run(2000);
        let pods = bench.pods();
        let healthy = pods.iter().filter(|(_, pod)| pod.is_ready() && !pod.is_terminating()).count() as i32;
        let all = pods.len() as i32;
        assert_eq!(numbers(&bench, web), ((healthy - 2).max(0), healthy, 2, all), "seed {seed}");
    }
}
