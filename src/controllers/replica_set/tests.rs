use super::testing::Bench;
use crate::api::labels::Owner;
use crate::api::objects::*;
use crate::kernel::{Duration, Id};
use crate::rule::Rule;
use serde_json::json;

fn status(bench: &Bench, set: Id<ReplicaSet>) -> (i32, i32, i32, Option<i32>) {
    let status = &bench.world.store.replica_sets.get(set).unwrap().status;
    (status.replicas, status.ready, status.available, status.terminating)
}

#[test]
fn creates_in_batches_and_reports() {
    let mut bench = Bench::new();
    let set = bench.create("ReplicaSet", 5, json!({})).id();
    bench.run(2000);
    assert_eq!(status(&bench, set), (5, 5, 5, Some(0)));
    let created = bench.events().iter().filter(|(reason, _)| *reason == "SuccessfulCreate").count();
    assert_eq!(created, 5);
    let (_, pod) = bench.pods()[0];
    let name = bench.world.store.name_of(pod.meta.name);
    assert_eq!((name.len(), &name[..4]), (9, "web-"));
    let owner = *bench.world.store.controller_of(pod.meta.owners).unwrap();
    assert!(matches!(owner, Owner { controller: true, block: true, .. }));
}

/// RS-2: a pod being deleted is replaced at once, and counts as terminating until it is gone.
#[test]
fn a_deleted_pod_is_replaced_at_once() {
    let mut bench = Bench::new();
    bench.stop = Duration::from_secs(60);
    let set = bench.create("ReplicaSet", 2, json!({})).id();
    bench.run(2000);
    let (id, _) = bench.pods()[0];
    bench.world.delete(id, Default::default(), Rule::NONE).unwrap();
    let lines = bench.run(30);
    assert_eq!(lines, ["pod deleting", "pod created"]);
    bench.run(1000);
    assert_eq!(status(&bench, set), (2, 2, 2, Some(1)));
    bench.run(60_000);
    assert_eq!(status(&bench, set), (2, 2, 2, Some(0)));
}

/// RS-9: a failed pod stays and is replaced.
#[test]
fn a_failed_pod_is_left_behind() {
    let mut bench = Bench::new();
    let set = bench.create("ReplicaSet", 2, json!({})).id();
    bench.run(2000);
    let (id, _) = bench.pods()[0];
    bench.world.update(id, Rule::NONE, |pod| pod.phase = Phase::Failed);
    bench.run(1000);
    assert_eq!((bench.pods().len(), status(&bench, set).0), (3, 2));
}

#[test]
fn adopts_matching_pods_and_releases_others() {
    let mut bench = Bench::new();
    let stray = bench.bare_pod("stray");
    let set = bench.create("ReplicaSet", 2, json!({})).id();
    bench.run(2000);
    assert_eq!(bench.pods().len(), 2, "the stray one counts");
    let owners = |bench: &Bench| bench.world.store.pods.get(stray).unwrap().meta.owners;
    assert!(!owners(&bench).is_empty());
    let labels = bench.world.store.pods.get(stray).unwrap().meta.labels;
    bench.world.update(stray, Rule::NONE, |pod| pod.meta.labels = Default::default());
    bench.run(2000);
    assert!(owners(&bench).is_empty());
    assert_eq!((bench.pods().len(), status(&bench, set)), (3, (2, 2, 2, Some(0))));
    // Labelled back it is adopted again, and one pod is too many (deploy-label-removed).
    bench.world.update(stray, Rule::NONE, |pod| pod.meta.labels = labels);
    bench.run(2000);
    assert_eq!((bench.pods().len(), status(&bench, set).0), (2, 2));
}

/// RS-1: under a slow watch nothing is created twice.
#[test]
fn no_double_creates_under_lag() {
    let mut config = crate::config::Config::recorded();
    config.latency.watch = crate::kernel::Latency::Constant(Duration::from_secs(1));
    let mut bench = Bench::with(1, config);
    bench.create("ReplicaSet", 7, json!({}));
    bench.run(5000);
    assert_eq!(bench.pods().len(), 7);
    let key = bench.world.store.replica_sets.iter().next().unwrap().0;
    bench.world.update_spec(key, Rule::NONE, |set| std::sync::Arc::make_mut(&mut set.spec).replicas = 3);
    let lines = bench.run(10_000);
    assert_eq!(lines.iter().filter(|line| *line == "pod deleting").count(), 4);
}

/// RS-6: a refusal ends the batches and shows as a condition; when it is over the condition goes.
#[test]
fn failed_creates_show() {
    let mut bench = Bench::new();
    let mut template = super::testing::template("web:v1");
    template["spec"]["priorityClassName"] = "none".into();
    let object = bench.create("ReplicaSet", 3, json!({"template": template}));
    let set: Id<ReplicaSet> = object.id();
    bench.run(1000);
    let conditions = bench.world.store.replica_sets.get(set).unwrap().status.conditions.clone();
    assert_eq!(conditions.len(), 1);
    assert_eq!((conditions[0].kind, conditions[0].reason), ("ReplicaFailure", "FailedCreate"));
    let failed: Vec<_> = bench.events().into_iter().filter(|(reason, _)| *reason == "FailedCreate").collect();
    assert!(failed[0].1.starts_with("Error creating: "), "{failed:?}");
    // One call per sync: the first batch has one create.
    bench.apply(json!({
        "apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass", "metadata": {"name": "none"}, "value": 5,
    }));
    bench.run(10_000);
    let after = &bench.world.store.replica_sets.get(set).unwrap().status;
    assert_eq!((after.replicas, after.conditions.len()), (3, 0));
}

/// RS-7: available after minReadySeconds, counted from whole seconds.
#[test]
fn availability_is_looked_at_again() {
    let mut bench = Bench::new();
    let set = bench.create("ReplicaSet", 2, json!({"minReadySeconds": 3})).id();
    bench.run(2900);
    assert_eq!(status(&bench, set), (2, 2, 0, Some(0)));
    bench.run(300);
    assert_eq!(status(&bench, set), (2, 2, 2, Some(0)));
}

/// DEF-C3: after a restart everything is known again.
#[test]
fn a_restart_changes_nothing() {
    let mut bench = Bench::new();
    let set = bench.create("ReplicaSet", 4, json!({})).id();
    bench.run(2000);
    bench.restart();
    assert_eq!(bench.run(2000), Vec::<String>::new());
    let (id, _) = bench.pods()[1];
    bench.world.delete(id, Default::default(), Rule::NONE).unwrap();
    bench.run(2000);
    assert_eq!((bench.pods().len(), status(&bench, set)), (4, (4, 4, 4, Some(0))));
}

/// The counts kept change by change are those of a fresh look, whatever happens.
#[test]
fn counts_are_those_of_a_fresh_look() {
    for seed in 0..20 {
        let mut bench = Bench::with(seed, crate::config::Config::recorded());
        let object = bench.create("ReplicaSet", 6, json!({}));
        bench.run(700 + seed * 50);
        for round in 0..8 {
            let pods = bench.pods();
            let pick =
                |n: u64| pods[usize::try_from((seed * 7 + round * 3 + n) % pods.len() as u64).unwrap()].0;
            bench.world.delete(pick(0), Default::default(), Rule::NONE).unwrap();
            bench.world.update(pick(1), Rule::NONE, |pod| pod.flags.set(PodFlags::READY, false));
            if round % 3 == 0 {
                bench.world.update(pick(2), Rule::NONE, |pod| pod.phase = Phase::Failed);
            }
            bench.world.rest_scale(object, 3 + i32::try_from(round).unwrap(), None, None).unwrap();
            bench.run(100 + 90 * round);
        }
        bench.run(3000);
        let pods = bench.pods();
        let active = pods.iter().filter(|(_, pod)| !pod.is_terminating() && !pod.is_terminal());
        let ready = active.clone().filter(|(_, pod)| pod.is_ready()).count();
        let (replicas, reported, available, terminating) = status(&bench, object.id());
        assert_eq!((replicas, active.count()), (10, 10), "seed {seed}");
        assert_eq!((reported, available, terminating), (ready as i32, ready as i32, Some(0)), "seed {seed}");
    }
}
