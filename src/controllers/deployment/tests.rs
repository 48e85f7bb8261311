//! Runs on the bench; where a recorded run of the real controllers covers the case, its name is given.
use crate::api::objects::*;
use crate::api::rest::ObjectRef;
use crate::controllers::replica_set::testing::{Bench, template};
use crate::event::{Controller, Event};
use crate::kernel::{Duration, Id};
use crate::rule::Rule;
use serde_json::json;

fn deployment(bench: &Bench, object: ObjectRef) -> Deployment {
    bench.world.store.deployments.get(object.id()).unwrap().clone()
}

fn conditions(bench: &Bench, object: ObjectRef) -> Vec<(&'static str, &'static str)> {
    let deployment = deployment(bench, object);
    let mut conditions: Vec<_> = deployment.status.conditions.iter().map(|c| (c.status, c.reason)).collect();
    conditions.sort_by_key(|(_, reason)| *reason);
    conditions
}

/// Only what happens to ReplicaSets.
fn sets(lines: Vec<String>) -> Vec<String> {
    lines.into_iter().filter(|line| line.starts_with("rs")).collect()
}

/// deploy-create
#[test]
fn a_new_deployment() {
    let mut bench = Bench::new();
    let object = bench.create("Deployment", 3, json!({}));
    let lines = bench.run(2000);
    let expected = [
        "rs-1 created 3",
        // The condition is written; the status after it is refused as stale and comes with the next try.
        "deploy 0 0 0 0 0 -1 NewReplicaSetCreated",
        "deploy 0 0 0 0 3 0 NewReplicaSetCreated MinimumReplicasUnavailable",
        "deploy 3 3 0 0 3 0 MinimumReplicasUnavailable ReplicaSetUpdated",
    ];
    let others: Vec<_> = lines.iter().filter(|line| *line != "pod created").collect();
    assert_eq!(others[..4], expected);
    assert_eq!(lines.last().unwrap(), "deploy 3 3 3 3 0 0 MinimumReplicasAvailable NewReplicaSetAvailable");
    let now = deployment(&bench, object);
    let message = |kind: &str| {
        let condition = now.status.conditions.iter().find(|c| c.kind == kind).unwrap();
        bench.world.store.names.text(condition.message).to_owned()
    };
    let name = bench.world.store.name_of(bench.world.store.replica_sets.iter().next().unwrap().1.meta.name);
    assert_eq!(message("Progressing"), format!("ReplicaSet \"{name}\" has successfully progressed."));
    assert_eq!(message("Available"), "Deployment has minimum availability.");
    let scaled = bench.events().into_iter().find(|(reason, _)| *reason == "ScalingReplicaSet").unwrap();
    assert_eq!(scaled.1, format!("Scaled up replica set {name} from 0 to 3"));
    assert_eq!(bench.sets(), [(3, "1".into())]);
}

/// deploy-rolling-default: 4 replicas, a quarter.
#[test]
fn a_rolling_update() {
    let mut bench = Bench::new();
    let object = bench.create("Deployment", 4, json!({}));
    bench.run(2000);
    bench.set_image(object, "web:v2");
    let lines = sets(bench.run(5000));
    assert_eq!(lines[..3], ["rs-2 created 1", "rs-1 4->3", "rs-2 1->2"]);
    assert_eq!(bench.sets(), [(0, "1".into()), (4, "2".into())]);
    assert_eq!(bench.active(), 4);
    assert_eq!(
        conditions(&bench, object),
        [("True", "MinimumReplicasAvailable"), ("True", "NewReplicaSetAvailable")]
    );
}

/// INV-66 and INV-67 over the whole run, in the numbers of the store.
#[test]
fn rollouts_stay_in_bounds() {
    for (seed, replicas, surge, unavailable) in [
        (1, 10, json!("25%"), json!("25%")),
        (2, 4, json!(0), json!(1)),
        (3, 5, json!(2), json!(0)),
        (4, 1, json!("25%"), json!("25%")),
    ] {
        let mut bench = Bench::with(seed, crate::config::Config::recorded());
        let strategy = json!({"type": "RollingUpdate", "rollingUpdate": {"maxSurge": surge, "maxUnavailable": unavailable}});
        let object = bench.create("Deployment", replicas, json!({"strategy": strategy}));
        bench.run(3000);
        let bounds = super::maths::Bounds::of(&deployment(&bench, object).spec);
        bench.set_image(object, "web:v2");
        for _ in 0..400 {
            bench.run(20);
            let sum: i32 = bench.sets().iter().map(|(replicas, _)| replicas).sum();
            assert!(sum <= bounds.most(), "{sum}");
            let ready =
                bench.pods().iter().filter(|(_, pod)| pod.is_ready() && !pod.is_terminating()).count();
            assert!(ready as i32 >= bounds.fewest_available(), "{ready}");
        }
        assert_eq!(bench.sets(), [(0, "1".into()), (replicas, "2".into())]);
    }
}

/// deploy-rollover: the crashing version in the middle goes first.
#[test]
fn a_third_version_replaces_the_broken_one() {
    let mut bench = Bench::new();
    let object = bench.create("Deployment", 4, json!({}));
    bench.run(2000);
    bench.set_image(object, "web:broken");
    let lines = sets(bench.run(3000));
    assert_eq!(lines, ["rs-2 created 1", "rs-1 4->3", "rs-2 1->2"]);
    bench.set_image(object, "web:v3");
    let lines = sets(bench.run(6000));
    assert_eq!(lines[..3], ["rs-3 created 0", "rs-2 2->0", "rs-3 0->2"]);
    assert_eq!(bench.sets(), [(0, "1".into()), (0, "2".into()), (4, "3".into())]);
}

/// deploy-proportional-up: 10 -> 15 in the middle of a rollout.
#[test]
fn scaling_in_the_middle_of_a_rollout() {
    let mut bench = Bench::new();
    let strategy = json!({"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 3, "maxUnavailable": 2}});
    let object = bench.create("Deployment", 10, json!({"strategy": strategy}));
    bench.run(3000);
    bench.set_image(object, "web:broken");
    let lines = sets(bench.run(3000));
    assert_eq!(lines, ["rs-2 created 3", "rs-1 10->8", "rs-2 3->5"]);
    bench.world.rest_scale(object, 15, None, None).unwrap();
    let lines = sets(bench.run(3000));
    assert_eq!(lines, ["rs-1 8->11", "rs-2 5->7"]);
}

/// DEP-6: with another size and another template, the first sync only scales.
#[test]
fn scaling_goes_before_rolling() {
    let mut bench = Bench::new();
    let object = bench.create("Deployment", 4, json!({}));
    bench.run(2000);
    bench.patch(object, json!({"spec": {"replicas": 6, "template": template("web:v2")}}));
    let lines = sets(bench.run(5000));
    assert_eq!(lines[..2], ["rs-1 4->6", "rs-2 created 2"]);
}

/// deploy-recreate: nothing new before the last old pod is gone.
#[test]
fn recreate_waits_for_the_end_of_old_pods() {
    let mut bench = Bench::new();
    bench.stop = Duration::from_secs(30);
    let object = bench.create("Deployment", 3, json!({"strategy": {"type": "Recreate"}}));
    bench.run(2000);
    bench.set_image(object, "web:v2");
    assert_eq!(sets(bench.run(29_900)), ["rs-1 3->0"]);
    let wait = bench.manager.deployment.wait(object.index).unwrap();
    assert_eq!(wait.on, crate::controllers::plan::WaitOn::OldPods);
    assert_eq!(sets(bench.run(2000)), ["rs-2 created 3"]);
    assert_eq!(
        conditions(&bench, object),
        [("True", "MinimumReplicasAvailable"), ("True", "NewReplicaSetAvailable")]
    );
}

/// deploy-pause-resume
#[test]
fn a_paused_deployment_scales_but_does_not_roll() {
    let mut bench = Bench::new();
    let object = bench.create("Deployment", 2, json!({}));
    bench.run(2000);
    bench.patch(object, json!({"spec": {"paused": true}}));
    bench.run(1000);
    assert!(conditions(&bench, object).contains(&("Unknown", "DeploymentPaused")));
    bench.set_image(object, "web:v2");
    bench.world.rest_scale(object, 3, None, None).unwrap();
    assert_eq!(sets(bench.run(2000)), ["rs-1 2->3"]);
    assert_eq!(deployment(&bench, object).status.updated, 0);
    bench.run(700_000);
    bench.patch(object, json!({"spec": {"paused": false}}));
    let lines = bench.run(5000);
    assert!(lines.iter().any(|line| line.contains("DeploymentResumed")), "{lines:?}");
    assert!(!lines.iter().any(|line| line.contains("ProgressDeadlineExceeded")), "{lines:?}");
    assert_eq!(bench.sets(), [(0, "1".into()), (3, "2".into())]);
}

/// deploy-progress-deadline
#[test]
fn lack_of_progress_shows_and_can_end() {
    let mut bench = Bench::new();
    let object = bench.create("Deployment", 2, json!({"progressDeadlineSeconds": 4}));
    bench.run(2000);
    bench.set_image(object, "web:broken");
    let start = bench.world.now();
    bench.run(3000);
    assert!(conditions(&bench, object).contains(&("True", "ReplicaSetUpdated")));
    bench.run(3000);
    assert!(conditions(&bench, object).contains(&("False", "ProgressDeadlineExceeded")));
    let progressing =
        deployment(&bench, object).status.conditions.iter().find(|c| c.kind == "Progressing").copied();
    let took = progressing.unwrap().updated.start() - start;
    assert!(took >= Duration::from_secs(4) && took <= Duration::from_secs(6), "{took:?}");
    bench.set_image(object, "web:v2");
    bench.run(5000);
    assert_eq!(
        conditions(&bench, object),
        [("True", "MinimumReplicasAvailable"), ("True", "NewReplicaSetAvailable")]
    );
}

/// A rollout that ends well leaves no deadline behind.
#[test]
fn a_deadline_is_called_off() {
    let mut bench = Bench::new();
    bench.create("Deployment", 2, json!({}));
    bench.run(3000);
    while let Some(event) = bench.world.pop() {
        assert!(!matches!(event, Event::Requeue(Controller::Deployment, ..)), "{:?}", bench.world.now());
    }
}

/// deploy-undo-to-revision: the old ReplicaSet is used again, with a new number and a history.
#[test]
fn going_back_uses_the_old_set_again() {
    let mut bench = Bench::new();
    let object = bench.create("Deployment", 2, json!({}));
    bench.run(2000);
    bench.set_image(object, "web:v2");
    bench.run(4000);
    bench.set_image(object, "web:v1");
    let lines = sets(bench.run(4000));
    assert_eq!(lines[..2], ["rs-1 revision=3", "rs-1 0->1"]);
    assert_eq!(bench.sets(), [(2, "3".into()), (0, "2".into())]);
    let text = |annotations| {
        let texts = bench.world.store.label_texts(annotations);
        texts.iter().map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>()
    };
    let first = bench.world.store.replica_sets.iter().next().unwrap().1.meta.annotations;
    assert!(text(first).contains(&"deployment.kubernetes.io/revision-history=1".into()), "{:?}", text(first));
    let own = text(deployment(&bench, object).meta.annotations);
    assert!(own.contains(&"deployment.kubernetes.io/revision=3".into()), "{own:?}");
}

/// deploy-history-limit
#[test]
fn old_sets_beyond_the_limit_go() {
    let mut bench = Bench::new();
    let object = bench.create("Deployment", 1, json!({"revisionHistoryLimit": 1}));
    bench.run(2000);
    for image in ["web:v2", "web:v3", "web:v4"] {
        bench.set_image(object, image);
        bench.run(4000);
    }
    assert_eq!(bench.sets(), [(0, "3".into()), (1, "4".into())]);
}

/// deploy-terminating-replicas: complete before the old pods are gone.
#[test]
fn a_rollout_is_complete_while_old_pods_shut_down() {
    let mut bench = Bench::new();
    bench.stop = Duration::from_secs(20);
    let object = bench.create("Deployment", 2, json!({}));
    bench.run(2000);
    bench.set_image(object, "web:v2");
    bench.run(5000);
    let status = deployment(&bench, object).status;
    assert_eq!((status.replicas, status.updated, status.terminating), (2, 2, Some(2)));
    assert!(conditions(&bench, object).contains(&("True", "NewReplicaSetAvailable")));
    bench.run(25_000);
    assert_eq!(deployment(&bench, object).status.terminating, Some(0));
}

/// DEP-18: somebody else has the name; the next hash is another one.
#[test]
fn t_dep_020_a_taken_name_is_a_collision() {
    let mut probe = Bench::new();
    probe.create("Deployment", 1, json!({}));
    probe.run(1000);
    let name = probe.world.store.name_of(probe.world.store.replica_sets.iter().next().unwrap().1.meta.name);
    let mut bench = Bench::new();
    bench.apply(json!({
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {
            "replicas": 0,
            "selector": {"matchLabels": {"app": "other"}},
            "template": {"metadata": {"labels": {"app": "other"}}, "spec": {"containers": [{"name": "a", "image": "a"}]}},
        },
    }));
    bench.run(500);
    let object = bench.create("Deployment", 1, json!({}));
    bench.run(2000);
    let status = deployment(&bench, object).status;
    assert_eq!((status.collisions, status.available), (Some(1), 1));
    assert_eq!(bench.world.store.replica_sets.len(), 2);
}

/// A ReplicaSet that nobody manages and that matches is adopted, and is the new one if its template fits (DEP-6, DEP-7).
#[test]
fn orphans_are_adopted() {
    let mut bench = Bench::new();
    let object = bench.create("Deployment", 2, json!({}));
    bench.run(2000);
    let (id, _) = bench.world.store.replica_sets.iter().next().unwrap();
    let id: Id<ReplicaSet> = id;
    let owners = bench.world.store.replica_sets.get(id).unwrap().meta.owners;
    bench.world.update(id, Rule::NONE, |set| set.meta.owners = Default::default());
    bench.run(2000);
    assert_eq!(bench.world.store.replica_sets.get(id).unwrap().meta.owners, owners);
    assert_eq!(bench.sets(), [(2, "1".into())]);
    assert_eq!(deployment(&bench, object).status.replicas, 2);
}

/// DEP-17: a failing ReplicaSet shows at the Deployment.
#[test]
fn failures_of_the_set_show() {
    let mut bench = Bench::new();
    let mut template = template("web:v1");
    template["spec"]["priorityClassName"] = "none".into();
    let object = bench.create("Deployment", 1, json!({"template": template}));
    bench.run(2000);
    assert!(
        conditions(&bench, object).contains(&("True", "FailedCreate")),
        "{:?}",
        conditions(&bench, object)
    );
}

/// DEF-C3: the manager restarts in the middle of a rollout and goes on (kcm-restart-mid-rollout).
#[test]
fn a_restart_goes_on() {
    for after in [10, 60, 200, 500, 900, 1500] {
        let mut bench = Bench::new();
        let object = bench.create("Deployment", 4, json!({}));
        bench.run(2000);
        bench.set_image(object, "web:v2");
        bench.run(after);
        bench.restart();
        bench.run(6000);
        assert_eq!(bench.sets(), [(0, "1".into()), (4, "2".into())], "after {after} ms");
        assert_eq!(bench.active(), 4);
    }
}

/// DEP-13, DEP-14: paused in the middle of a rollout, both ReplicaSets are scaled and nothing rolls.
#[test]
fn paused_in_the_middle_both_sets_scale() {
    let mut bench = Bench::new();
    let strategy = json!({"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 3, "maxUnavailable": 2}});
    let object = bench.create("Deployment", 10, json!({"strategy": strategy}));
    bench.run(3000);
    bench.set_image(object, "web:broken");
    bench.run(3000);
    bench.patch(object, json!({"spec": {"paused": true, "replicas": 5}}));
    assert_eq!(sets(bench.run(3000)), ["rs-1 8->5", "rs-2 5->3"]);
    bench.patch(object, json!({"spec": {"replicas": 0}}));
    assert_eq!(sets(bench.run(3000)), ["rs-1 5->0", "rs-2 3->0"]);
}

/// DEP-8: going back and scaling in one change; the second write of the annotations is refused, the next try goes on.
#[test]
fn going_back_and_scaling_at_once() {
    let mut bench = Bench::new();
    let object = bench.create("Deployment", 2, json!({}));
    bench.run(2000);
    bench.set_image(object, "web:v2");
    bench.run(4000);
    bench.patch(object, json!({"spec": {"replicas": 3, "template": template("web:v1")}}));
    let lines = sets(bench.run(5000));
    assert_eq!(lines[..2], ["rs-1 revision=3", "rs-2 2->3"]);
    assert_eq!(bench.sets(), [(3, "3".into()), (0, "2".into())]);
}
