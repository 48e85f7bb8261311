//! The controller's less friendly rules, one test each: claims and their owners, revisions, what does not help a stuck
//! rollout, and what happens while its caches lag behind.
use super::testing::{Bench, SetOptions, bare_pod, claim, cut, healthy, pod, respec, revision_of, set};
use crate::api::labels::Owner;
use crate::api::names::Uid;
use crate::api::objects::*;
use crate::controllers::plan::{Wait, WaitOn};
use crate::kernel::{Duration, Latency};
use crate::rule::Rule;

fn delete_delete(replicas: i32) -> SetOptions {
    SetOptions {
        replicas,
        claims: 1,
        when_scaled: Retention::Delete,
        when_deleted: Retention::Delete,
        ..SetOptions::default()
    }
}

/// The pod's revision, as the number of its ControllerRevision.
fn number_of(bench: &Bench, name: &str) -> i64 {
    let label = revision_of(&bench.world, bench.world.store.get(bench.pod(name)).unwrap());
    let of_name = |revision: &ControllerRevision| bench.world.store.name_of(revision.meta.name) == label;
    bench.world.store.revisions.iter().find(|(_, revision)| of_name(revision)).map_or(0, |(_, r)| r.number)
}

fn deletions(writes: &[String]) -> Vec<&str> {
    writes.iter().filter_map(|write| write.strip_prefix("delete ")).collect()
}

/// STS-16: the pod-name label comes back, together with the pod-index label; that one alone stays away.
#[test]
fn sts_16_identity_labels() {
    let (mut bench, _) = healthy(&SetOptions::default());
    let id = bench.pod("web-1");
    bench.world.update(id, Rule::NONE, |pod| pod.flags.set(PodFlags::INDEX_LABEL, false));
    assert!(bench.run().is_empty());
    bench.world.update(id, Rule::NONE, |pod| pod.flags.set(PodFlags::NAME_LABEL, false));
    assert_eq!(bench.run(), ["label web-1"]);
    assert!(bench.world.store.get(id).unwrap().flags.has(PodFlags::INDEX_LABEL));
    let text = "Update Pod web-1 in StatefulSet web successful";
    assert!(bench.events().contains(&("SuccessfulUpdate", text.to_owned())));
}

/// STS-25, STS-97: a set made anew with another claim template cannot change its pods.
#[test]
fn sts_25_volumes_cannot_change() {
    let (mut bench, old) = healthy(&SetOptions { replicas: 1, ..SetOptions::default() });
    bench.orphan(old);
    bench.run();
    let id = set(&mut bench.world, "web", &SetOptions { claims: 1, ..SetOptions::default() });
    let writes = bench.run();
    assert_eq!(writes[..2], ["own revision 1 [StatefulSet/web]", "own web-0 [StatefulSet/web]"]);
    assert!(writes.contains(&"create data-web-0".to_owned()));
    assert!(pod(&bench.world, "web-1").is_none(), "no progress");
    let (reason, text) = bench.events().pop().unwrap();
    assert_eq!(reason, "FailedUpdate");
    assert!(text.contains("spec: Forbidden: pod updates may not change fields other than"), "{text}");
    assert_eq!(bench.runner.wait(id.as_u32()), Some(Wait { rule: Rule::sts(25), on: WaitOn::Retry }));
}

/// STS-28: flipping the policy of a healthy set rewrites the claims in order, up to the first unhealthy pod.
#[test]
fn sts_28_references_follow_the_policy() {
    let options = SetOptions { claims: 1, ..SetOptions::default() };
    let (mut bench, id) = healthy(&options);
    bench.unready("web-1");
    bench.run();
    respec(&mut bench.world, id, &SetOptions { when_deleted: Retention::Delete, ..options });
    let owned = |bench: &mut Bench| -> Vec<String> {
        bench.run().into_iter().filter(|write| write.starts_with("own ")).collect()
    };
    assert_eq!(owned(&mut bench), ["own data-web-0 [StatefulSet/web]"]);
    bench.ready("web-1");
    assert_eq!(owned(&mut bench), ["own data-web-1 [StatefulSet/web]", "own data-web-2 [StatefulSet/web]"]);
}

/// STS-28, STS-30: claims of condemned pods get the pod as owner before the first of them is deleted.
#[test]
fn sts_28_condemned_claims() {
    let (mut bench, id) = healthy(&delete_delete(3));
    respec(&mut bench.world, id, &delete_delete(1));
    let writes = bench.run();
    let expected = ["own data-web-2 [Pod/web-2]", "own data-web-1 [Pod/web-1]", "delete web-2"];
    assert_eq!(writes[..3], expected);
}

/// STS-32: upstream TestStaleOwnerRefOnScaleup. Nothing tells the set that the claim is gone; any event does.
#[test]
fn sts_32_stale_claim() {
    let (mut bench, id) = healthy(&delete_delete(2));
    respec(&mut bench.world, id, &delete_delete(1));
    bench.run();
    respec(&mut bench.world, id, &delete_delete(2));
    bench.run();
    bench.gone("web-1");
    bench.run();
    let stale = claim(&bench.world, "data-web-1").unwrap();
    assert!(pod(&bench.world, "web-1").is_none());
    assert_eq!(bench.runner.wait(id.as_u32()), Some(Wait { rule: Rule::sts(32), on: WaitOn::Claim(stale) }));
    bench.world.remove(stale, Rule::NONE);
    bench.run_for(60_000);
    assert!(pod(&bench.world, "web-1").is_none(), "no requeue, and nothing watches claims");
    let word = bench.world.store.names.word("touched");
    let annotations = bench.world.store.labels.of(vec![(word, word)]);
    bench.world.update(id, Rule::NONE, |set| set.meta.annotations = annotations);
    bench.run();
    assert!(pod(&bench.world, "web-1").is_some());
}

/// STS-33: a foreign controller keeps the claim, and an Event says so.
#[test]
fn sts_33_conflicting_controller() {
    let options = SetOptions { claims: 1, replicas: 1, ..SetOptions::default() };
    let (mut bench, id) = healthy(&options);
    let data = claim(&bench.world, "data-web-0").unwrap();
    let name = bench.world.store.names.name("other");
    let kind = crate::api::kind::Kind::Inert;
    let foreign = Owner { kind, controller: true, block: false, name, uid: Uid(777) };
    let set = bench.world.store.get(id).unwrap().meta;
    let ours = Owner { kind: crate::api::kind::Kind::StatefulSet, name: set.name, uid: set.uid, ..foreign };
    let both = bench.world.store.owners.intern(&[ours, foreign]);
    bench.world.update(data, Rule::NONE, |claim| claim.meta.owners = both);
    bench.run();
    respec(&mut bench.world, id, &SetOptions { when_deleted: Retention::Delete, ..options });
    assert!(bench.run().contains(&"own data-web-0 [Object/other]".to_owned()));
    assert!(bench.events().iter().any(|(reason, _)| *reason == "ConflictingController"));
}

/// STS-42: the name is taken by other data; the next hash is tried at once and the count kept.
#[test]
fn sts_42_collision() {
    let zero = SetOptions { replicas: 0, ..SetOptions::default() };
    let mut bench = Bench::new();
    set(&mut bench.world, "web", &zero);
    bench.run();
    let (taken, revision) = bench.world.store.revisions.iter().next().map(|(id, r)| (id, r.clone())).unwrap();
    bench.world.remove(taken, Rule::NONE);
    let other = ControllerRevision {
        data: "{}".into(),
        meta: Meta { labels: Default::default(), ..revision.meta },
        ..revision
    };
    bench.world.create(other, Rule::NONE).unwrap();
    let id = bench.world.store.stateful_sets.iter().next().unwrap().0;
    bench.world.update(id, Rule::NONE, |_| ());
    bench.run();
    assert_eq!(bench.world.store.revisions.len(), 2);
    let status = bench.world.store.get(id).unwrap().status;
    assert_eq!(status.collisions, Some(1));
    assert_ne!(status.update_revision, revision.meta.name);
}

/// STS-47: the last revision says the same in other words: no new revision, no restart.
#[test]
fn sts_47_semantic_comparison() {
    for gate in [true, false] {
        let (mut bench, id) = healthy(&SetOptions { replicas: 1, ..SetOptions::default() });
        bench.world.config.gates.semantic_revision_comparison = gate;
        let revision = bench.world.store.revisions.iter().next().unwrap().0;
        bench.world.update(revision, Rule::NONE, |revision| {
            let old = revision.data.replace("\"metadata\":{", "\"metadata\":{\"creationTimestamp\":null,");
            revision.data = old.into();
        });
        bench.world.update(id, Rule::NONE, |_| ());
        assert_eq!(bench.run().iter().any(|write| write.starts_with("revision")), !gate);
    }
}

/// STS-49, STS-50, STS-52: which revision a pod lost in mid-rollout comes back at, by strategy.
#[test]
fn sts_48_revision_of_a_pod_made_anew() {
    let partitioned =
        |partition| UpdateStrategy::RollingUpdate(Some(RollingUpdate { partition, max_unavailable: None }));
    let cases = [
        (partitioned(0), "web-0", 2),
        (partitioned(2), "web-0", 1),
        (partitioned(2), "web-1", 1),
        (UpdateStrategy::RollingUpdate(None), "web-0", 1),
        (UpdateStrategy::RollingUpdate(None), "web-1", 2),
        (UpdateStrategy::OnDelete, "web-1", 2),
    ];
    for (strategy, lost, expected) in cases {
        let options = SetOptions { strategy, ..SetOptions::default() };
        let (mut bench, id) = healthy(&options);
        respec(&mut bench.world, id, &SetOptions { image: "web:v2", ..options });
        bench.run();
        if strategy != UpdateStrategy::OnDelete {
            bench.gone("web-2");
            bench.run();
        }
        let id = bench.pod(lost);
        bench.world.delete(id, Default::default(), Rule::NONE).unwrap();
        bench.run();
        bench.gone(lost);
        bench.run();
        if strategy != UpdateStrategy::OnDelete {
            assert_eq!(number_of(&bench, "web-2"), 2);
        }
        assert_eq!(number_of(&bench, lost), expected, "{strategy:?} {lost}");
    }
}

/// STS-53: at zero replicas the rollout is complete, partition or not.
#[test]
fn sts_53_scaling_to_zero() {
    let strategy = UpdateStrategy::RollingUpdate(Some(RollingUpdate { partition: 2, max_unavailable: None }));
    let options = SetOptions { strategy, ..SetOptions::default() };
    let (mut bench, id) = healthy(&options);
    let new = SetOptions { image: "web:v2", ..options };
    respec(&mut bench.world, id, &new);
    bench.run();
    respec(&mut bench.world, id, &SetOptions { replicas: 0, ..new.clone() });
    for _ in 0..3 {
        for name in deletions(&bench.run()) {
            bench.gone(name);
        }
        if let Some(last) =
            ["web-2", "web-1", "web-0"].into_iter().find(|name| pod(&bench.world, name).is_some())
        {
            bench.gone(last);
        }
    }
    bench.run();
    respec(&mut bench.world, id, &SetOptions { replicas: 1, ..new });
    bench.run();
    assert_eq!(number_of(&bench, "web-0"), 2);
}

/// STS-60, STS-67, STS-56: upstream TestStatefulSetControllerBlocksScaling. One unhealthy pod below stops everything.
#[test]
fn sts_67_unhealthy_blocks_scale_down_and_update() {
    let (mut bench, id) = healthy(&SetOptions::default());
    bench.unready("web-0");
    bench.run();
    let new = SetOptions { replicas: 1, image: "web:v2", ..SetOptions::default() };
    respec(&mut bench.world, id, &new);
    assert!(deletions(&bench.run()).is_empty());
    let wait = Wait { rule: Rule::sts(60), on: WaitOn::Readiness(bench.pod("web-0")) };
    assert_eq!(bench.runner.wait(id.as_u32()), Some(wait));
    bench.ready("web-0");
    assert_eq!(deletions(&bench.run()), ["web-2"]);
}

/// STS-72: OnDelete deletes nothing.
#[test]
fn sts_72_on_delete() {
    let options = SetOptions { strategy: UpdateStrategy::OnDelete, ..SetOptions::default() };
    let (mut bench, id) = healthy(&options);
    respec(&mut bench.world, id, &SetOptions { image: "web:v2", ..options });
    assert!(deletions(&bench.run()).is_empty());
    let wait = Wait { rule: Rule::sts(72), on: WaitOn::ManualDeletion };
    assert_eq!(bench.runner.wait(id.as_u32()), Some(wait));
}

/// STS-74, STS-92: a fixed template replaces the broken pod in Parallel, and never in OrderedReady.
#[test]
fn sts_74_fixed_template() {
    for policy in [PodManagement::OrderedReady, PodManagement::Parallel] {
        let options = SetOptions { policy, ..SetOptions::default() };
        let (mut bench, id) = healthy(&options);
        respec(&mut bench.world, id, &SetOptions { image: "web:broken", ..options.clone() });
        bench.run();
        bench.gone("web-2");
        bench.run();
        bench.unready("web-2");
        bench.run();
        respec(&mut bench.world, id, &SetOptions { image: "web:v3", ..options });
        let writes = bench.run();
        let expected: &[&str] = if policy == PodManagement::Parallel { &["web-2"] } else { &[] };
        assert_eq!(deletions(&writes), expected, "{policy:?}");
    }
}

/// STS-81, STS-82, STS-83: with the gate, as many as the budget leaves; broken pods use it up for good.
#[test]
fn sts_81_budget() {
    let strategy = UpdateStrategy::RollingUpdate(Some(RollingUpdate {
        partition: 1,
        max_unavailable: Some(IntOrPercent::Int(2)),
    }));
    let cases: [(PodManagement, &[&str], &[&str]); 4] = [
        (PodManagement::OrderedReady, &[], &["web-4", "web-3"]),
        (PodManagement::Parallel, &[], &["web-4", "web-3"]),
        (PodManagement::Parallel, &["web-0"], &["web-4"]),
        (PodManagement::Parallel, &["web-0", "web-4"], &[]),
    ];
    for (policy, broken, expected) in cases {
        let options = SetOptions { replicas: 5, policy, strategy, ..SetOptions::default() };
        let (mut bench, id) = healthy(&options);
        bench.world.config.gates.max_unavailable_stateful_set = true;
        for name in broken {
            bench.unready(name);
        }
        bench.run();
        respec(&mut bench.world, id, &SetOptions { image: "web:v2", ..options });
        assert_eq!(deletions(&bench.run()), expected, "{policy:?} {broken:?}");
    }
}

/// STS-91, STS-40: a set deleted with orphan and made anew takes its pods and revisions back; nothing restarts.
#[test]
fn sts_91_taking_over() {
    let (mut bench, old) = healthy(&SetOptions::default());
    bench.orphan(old);
    bench.run();
    let id = set(&mut bench.world, "web", &SetOptions::default());
    let expected = [
        "own revision 1 [StatefulSet/web]",
        "own web-0 [StatefulSet/web]",
        "own web-1 [StatefulSet/web]",
        "own web-2 [StatefulSet/web]",
        "status 3 3 3 3=3",
    ];
    assert_eq!(bench.run(), expected);
    assert_eq!(bench.runner.wait(id.as_u32()), None);
}

/// STS-86, STS-98: an orphan that comes to match later is adopted at that moment.
#[test]
fn an_orphan_that_comes_to_match() {
    let (mut bench, id) = healthy(&SetOptions { replicas: 1, ..SetOptions::default() });
    let bare = bare_pod(&mut bench.world, "web-1");
    let labels = bench.world.store.get(bare).unwrap().meta.labels;
    bench.world.update(bare, Rule::NONE, |pod| pod.meta.labels = Default::default());
    assert!(!bench.run().iter().any(|write| write.starts_with("own web-1")));
    bench.world.update(bare, Rule::NONE, |pod| pod.meta.labels = labels);
    let writes = bench.run();
    assert!(writes.contains(&"own web-1 [StatefulSet/web]".to_owned()), "{writes:?}");
    assert!(writes.contains(&"gone web-1".to_owned()), "and scaled away: {writes:?}");
    assert_eq!(bench.world.store.get(id).unwrap().status.replicas, 1);
}

/// STS-102: woken while its own pod is not in its cache yet, it does nothing; without the gate it asks again, and the
/// name is taken.
#[test]
fn sts_102_own_writes() {
    for (gate, waits) in [(true, Rule::sts(102)), (false, Rule::sts(58))] {
        let mut bench = Bench::new();
        bench.world.config.gates.stale_controller_consistency = gate;
        bench.world.config.latency.watch = Latency::Constant(Duration::from_millis(50));
        let id = set(&mut bench.world, "web", &SetOptions::default());
        bench.run_for(20);
        let word = bench.world.store.names.word("touched");
        let annotations = bench.world.store.labels.of(vec![(word, word)]);
        bench.world.update(id, Rule::NONE, |set| set.meta.annotations = annotations);
        assert_eq!(cut(&bench.run_for(49)), ["revision 1", "create web-0", "status 0 0 0 0=0"]);
        assert_eq!(bench.run_for(30), [""; 0]);
        assert_eq!(bench.runner.wait(id.as_u32()).map(|wait| wait.rule), Some(waits));
        bench.run_for(500);
        assert_eq!(bench.world.store.pods.len(), 1);
    }
}

/// The set is looked at again while its own write is not in the cache yet, and nothing is done (STS-102).
fn waits_for_its_own_writes(bench: &mut Bench, id: crate::kernel::Id<StatefulSet>, written: &str) {
    bench.world.config.latency.watch = Latency::Constant(Duration::from_millis(50));
    // What the test has changed is seen after 50 ms, the writes that follow from it more than 25 ms from here.
    let writes = bench.run_for(75);
    assert!(writes.iter().any(|write| write.starts_with(written)), "{written}: {writes:?}");
    bench.runner.queue.add(id.as_u32(), &mut bench.world);
    assert_eq!(bench.run_for(10), [""; 0], "{written}");
    let wait = bench.runner.wait(id.as_u32()).map(|wait| wait.rule);
    assert_eq!(wait, Some(Rule::sts(102)), "{written}");
    bench.run();
    let wait = bench.runner.wait(id.as_u32()).map(|wait| wait.rule);
    assert_ne!(wait, Some(Rule::sts(102)), "{written}: seen");
}

#[test]
fn t_sts_084_waits_until_its_writes_are_in_its_cache() {
    // A new pod and its new claim.
    let mut bench = Bench::new();
    let id = set(&mut bench.world, "web", &SetOptions { claims: 1, ..SetOptions::default() });
    waits_for_its_own_writes(&mut bench, id, "create web-0");
    // A claim alone: that of a pending pod.
    let of_pod = claim(&bench.world, "data-web-0").unwrap();
    bench.world.remove(of_pod, Rule::NONE);
    bench.world.update(id, Rule::NONE, |set| set.meta.generation = set.meta.generation.next());
    waits_for_its_own_writes(&mut bench, id, "create data-web-0");
    // A repaired pod.
    let (mut bench, id) = healthy(&SetOptions::default());
    let of_set = bench.pod("web-1");
    bench.world.update(of_set, Rule::NONE, |pod| pod.flags.set(PodFlags::NAME_LABEL, false));
    waits_for_its_own_writes(&mut bench, id, "label web-1");
    // A claim that is owned now.
    let retain = SetOptions { claims: 1, replicas: 1, ..SetOptions::default() };
    let (mut bench, id) = healthy(&retain);
    respec(&mut bench.world, id, &SetOptions { when_deleted: Retention::Delete, ..retain });
    waits_for_its_own_writes(&mut bench, id, "own data-web-0");
}
